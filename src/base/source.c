/* The shared word is a futex: readers sleep on `changes`, the writer bumps it. `available` is published with
 * release order after the bytes are in the file, so who sees the count sees the bytes. */
#include "base/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

enum { GROWING = 0, WHOLE = 1, FAILED = 2, LONG_WAIT_MS = 3600000 };

struct px_source_state {
    _Atomic uint64_t available; /* bytes */
    _Atomic uint32_t ending;    /* GROWING, WHOLE, FAILED */
    _Atomic uint32_t changes;   /* the futex */
};

px_status px_source_open(int fd, px_source *ret, px_error *err)
{
    PX_AUTO(px_fd_close) int owned = fd;
    struct stat about;
    if (fstat(owned, &about) != 0)
        return px_fail_errno(err, errno, "cannot read the source");
    *ret = (px_source){ .fd = owned, .state_fd = -1, .bytes = (uint64_t)about.st_size };
    owned = -1;
    return PX_OK;
}

px_status px_source_join(int fd, int state_fd, px_source *ret, px_error *err)
{
    if (state_fd < 0)
        return px_source_open(fd, ret, err);
    PX_AUTO(px_fd_close) int owned = fd;
    PX_AUTO(px_fd_close) int owned_state = state_fd;
    void *state = mmap(NULL, sizeof(px_source_state), PROT_READ | PROT_WRITE, MAP_SHARED, owned_state, 0);
    if (state == MAP_FAILED)
        return px_fail_errno(err, errno, "cannot share the state of a source");
    *ret = (px_source){ .fd = owned, .state_fd = owned_state, .state = state };
    owned = owned_state = -1;
    return PX_OK;
}

px_status px_source_create(px_source *ret, px_error *err)
{
    PX_AUTO(px_fd_close) int fd = memfd_create("pixmill-source", MFD_CLOEXEC);
    PX_AUTO(px_fd_close) int state_fd = memfd_create("pixmill-source-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL; /* no reader takes the page away from the writer */
    if (fd < 0 || state_fd < 0 || ftruncate(state_fd, sizeof(px_source_state)) != 0 ||
        fcntl(state_fd, F_ADD_SEALS, seals) != 0)
        return px_fail_errno(err, errno, "cannot make room for a source");
    int given = fd, given_state = state_fd;
    fd = state_fd = -1;
    return px_source_join(given, given_state, ret, err);
}

void px_source_close(px_source *source)
{
    if (source->state)
        munmap(source->state, sizeof *source->state);
    px_fd_close(&source->fd);
    px_fd_close(&source->state_fd);
    *source = PX_SOURCE_NONE;
}

static void announce(px_source_state *state)
{
    atomic_fetch_add_explicit(&state->changes, 1, memory_order_release);
    syscall(SYS_futex, &state->changes, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

px_status px_source_push(px_source *source, const void *data, size_t count, px_error *err)
{
    assert(source->state && atomic_load(&source->state->ending) == GROWING);
    uint64_t offset = atomic_load_explicit(&source->state->available, memory_order_relaxed);
    size_t done = 0;
    while (done < count) {
        ssize_t written = pwrite(source->fd, (const uint8_t *)data + done, count - done, (off_t)(offset + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return px_fail_errno(err, errno, "cannot keep the source");
        done += (size_t)written;
    }
    atomic_store_explicit(&source->state->available, offset + count, memory_order_release);
    announce(source->state);
    return PX_OK;
}

static void end_with(px_source *source, uint32_t ending)
{
    assert(source->state);
    atomic_store_explicit(&source->state->ending, ending, memory_order_release);
    announce(source->state);
}

void px_source_finish(px_source *source) { end_with(source, WHOLE); }
void px_source_fail(px_source *source) { end_with(source, FAILED); }

px_status px_source_read_at(const px_source *source, uint64_t offset, void *data, size_t count, size_t *ret_count,
                            px_error *err)
{
    px_source_state *state = source->state;
    while (state) {
        uint32_t changes = atomic_load_explicit(&state->changes, memory_order_acquire);
        uint32_t ending = atomic_load_explicit(&state->ending, memory_order_acquire);
        uint64_t available = atomic_load_explicit(&state->available, memory_order_acquire);
        if (available >= offset + count || ending == WHOLE) {
            uint64_t rest = available > offset ? available - offset : 0;
            count = rest < count ? (size_t)rest : count;
            break;
        }
        if (ending == FAILED)
            return px_fail(err, PX_NETWORK, "the source broke off after %llu bytes", (unsigned long long)available);
        syscall(SYS_futex, &state->changes, FUTEX_WAIT, changes, NULL, NULL, 0);
    }
    return px_pread_all(source->fd, data, count, offset, ret_count, "the source", err);
}

px_status px_source_wait(const px_source *source, int64_t deadline_ms, px_error *err)
{
    px_source_state *state = source->state;
    while (state) {
        uint32_t changes = atomic_load_explicit(&state->changes, memory_order_acquire);
        uint32_t ending = atomic_load_explicit(&state->ending, memory_order_acquire);
        int64_t left_ms = deadline_ms ? deadline_ms - px_now_ms() : LONG_WAIT_MS;
        if (ending == WHOLE)
            break;
        if (ending == FAILED)
            return px_fail(err, PX_NETWORK, "the source broke off after %llu bytes",
                           (unsigned long long)atomic_load_explicit(&state->available, memory_order_acquire));
        if (left_ms <= 0)
            return px_fail(err, PX_OUT_OF_TIME, "the rest of the source did not come in time");
        struct timespec wait = { .tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000 };
        syscall(SYS_futex, &state->changes, FUTEX_WAIT, changes, &wait, NULL, 0);
    }
    return PX_OK;
}

px_status px_source_map(const px_source *source, uint64_t most, px_bytes *ret, px_error *err)
{
    PX_TRY(px_source_wait(source, 0, err));
    uint64_t bytes = px_source_bytes(source, NULL);
    if (bytes > most || bytes > SIZE_MAX)
        return px_fail(err, PX_TOO_MANY_BYTES, "the source is over %llu bytes (limits.input_bytes)", (unsigned long long)most);
    if (bytes == 0) {
        *ret = (px_bytes){ 0 };
        return PX_OK;
    }
    void *data = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, source->fd, 0); /* shared: not of sealed memory */
    if (data == MAP_FAILED)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a source of %llu bytes", (unsigned long long)bytes);
    *ret = (px_bytes){ data, (size_t)bytes };
    return PX_OK;
}

void px_source_unmap(px_bytes bytes)
{
    if (bytes.count)
        munmap((void *)bytes.data, bytes.count);
}

uint64_t px_source_bytes(const px_source *source, bool *ret_whole)
{
    if (!source->state) {
        if (ret_whole)
            *ret_whole = true;
        return source->bytes;
    }
    uint32_t ending = atomic_load_explicit(&source->state->ending, memory_order_acquire);
    if (ret_whole)
        *ret_whole = ending == WHOLE;
    return atomic_load_explicit(&source->state->available, memory_order_acquire);
}
