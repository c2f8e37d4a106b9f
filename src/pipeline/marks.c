/* The bytes of watermarks' pictures and fonts: from a file, or from the store at s3://BUCKET/KEY.
 *
 * What is named is read once into sealed memory, of which each job gets a descriptor: a child that went mad could not change what
 * the next one draws. It is looked at again by every job, an object at most once a second: a file by its size and time, an
 * object by its ETag. Its SHA-256 goes into the fingerprints of its outputs, so a logo that was replaced makes them stale. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/uri.h"
#include "pipeline/inside.h"

enum { ARENA_BYTES = 1 << 20, LOOK_AGAIN_MS = 1000 };

typedef struct mark {
    struct mark *next;
    char *name;         /* owned */
    char version[130];  /* ETag, or size and time */
    int fd;             /* owned: sealed */
    uint8_t first[PX_FORMAT_FIRST_BYTES];
    size_t first_count;
    uint8_t digest[PX_HASH_MAX];
    int64_t looked_ms;
} mark;

struct px_marks {
    pthread_mutex_t lock; /* over all of it, also while something is fetched: the others wait for the same */
    mark *first;
};

static const char *what(bool is_font) { return is_font ? "watermark.font" : "watermark.image"; }
static bool is_address(const char *name) { return strncmp(name, "s3://", 5) == 0; }

/* ---- what can be a picture or a font ---- */

static bool is_font_file(px_bytes first)
{
    static const char *const begins[] = { "\0\1\0\0", "OTTO", "true", "ttcf" };
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (first.count >= 4 && memcmp(first.data, begins[i], 4) == 0)
            return true;
    return false;
}

static px_status judge_first(px_bytes first, const char *name, bool is_font, const char *where, px_error *err)
{
    if (is_font)
        return is_font_file(first) ? PX_OK : px_fail(err, PX_BAD_RECIPE, "%s: watermark.font: %.200s is not a TrueType or OpenType font", where, name);
    return px_format_detect(first) != PX_FORMAT_COUNT
               ? PX_OK : px_fail(err, PX_BAD_RECIPE, "%s: watermark.image: %.200s is not a picture that pixmill reads (docs/formats.md)", where, name);
}

static px_status open_file(const char *name, bool is_font, const char *where, int *ret_fd, struct stat *about, px_error *err)
{
    PX_AUTO(px_fd_close) int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, about) != 0)
        return px_fail(err, PX_BAD_RECIPE, "%s: %s: cannot read the file %.160s: %s", where, what(is_font), name, strerror(errno));
    if (!S_ISREG(about->st_mode) || about->st_size == 0)
        return px_fail(err, PX_BAD_RECIPE, "%s: %s: %.160s is %s", where, what(is_font), name, S_ISREG(about->st_mode) ? "empty" : "not a file");
    if (about->st_size > PX_LIMIT_MARK_BYTES)
        return px_fail(err, PX_BAD_RECIPE, "%s: %s: %.160s has more than %d MiB", where, what(is_font), name, PX_LIMIT_MARK_BYTES >> 20);
    *ret_fd = fd;
    fd = -1;
    return PX_OK;
}

px_status px_mark_check(const char *name, bool is_font, const char *where, px_error *err)
{
    char bucket[PX_LIMIT_BUCKET_BYTES + 1];
    uint8_t first[PX_FORMAT_FIRST_BYTES];
    PX_AUTO(px_fd_close) int fd = -1;
    struct stat about;
    size_t count;
    if (!*name)
        return PX_OK;
    if (is_address(name))
        return px_uri_split_s3(name, bucket) ? PX_OK : px_fail(err, PX_BAD_RECIPE, "%s: %s: '%.200s' is not s3://BUCKET/KEY", where, what(is_font), name);
    PX_TRY(open_file(name, is_font, where, &fd, &about, err));
    PX_TRY(px_pread_all(fd, first, sizeof first, 0, &count, name, err));
    return judge_first((px_bytes){ first, count }, name, is_font, where, err);
}

/* ---- reading ---- */

static void mark_free(mark *one)
{
    px_fd_close(&one->fd);
    free(one->name);
    free(one);
}

static void mark_done(mark **one)
{
    if (*one)
        mark_free(*one);
}

/* All bytes of `source` into sealed memory of `one`, with their digest. */
static px_status keep_bytes(const px_source *source, mark *one, px_error *err)
{
    uint8_t block[65536];
    size_t count = 1;
    px_hash hash;
    px_status status = PX_OK;
    one->fd = memfd_create("pixmill-mark", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (one->fd < 0)
        return px_fail_errno(err, errno, "cannot make room for %.200s", one->name);
    px_hash_init(&hash, PX_HASH_SHA256);
    for (uint64_t at = 0; status == PX_OK && count > 0; at += count) {
        count = 0;
        status = px_source_read_at(source, at, block, sizeof block, &count, err);
        if (status == PX_OK && at + count > PX_LIMIT_MARK_BYTES)
            status = px_fail(err, PX_BAD_RECIPE, "%.200s has more than %d MiB", one->name, PX_LIMIT_MARK_BYTES >> 20);
        if (status == PX_OK)
            status = px_write_all(one->fd, block, count, one->name, err);
        px_hash_push(&hash, block, count);
        if (at == 0)
            memcpy(one->first, block, one->first_count = count < sizeof one->first ? count : sizeof one->first);
    }
    px_hash_finish(&hash, one->digest);
    if (status == PX_OK && fcntl(one->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        return px_fail_errno(err, errno, "cannot seal %.200s", one->name);
    return status;
}

/* A new reading under this name; nothing of it is in the list yet. */
static px_status mark_create(const char *name, const char *version, mark **ret, px_error *err)
{
    mark *one = calloc(1, sizeof *one);
    if (!one || !(one->name = strdup(name))) {
        free(one);
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %.200s", name);
    }
    one->fd = -1;
    snprintf(one->version, sizeof one->version, "%s", version);
    *ret = one;
    return PX_OK;
}

/* *ret is NULL where what is `known` still holds. */
static px_status read_file(const char *name, bool is_font, const char *where, const mark *known, mark **ret, px_error *err)
{
    PX_AUTO(px_source_close) px_source source = PX_SOURCE_NONE;
    PX_AUTO(mark_done) mark *one = NULL;
    struct stat about;
    char version[130];
    int fd;
    PX_TRY(open_file(name, is_font, where, &fd, &about, err));
    PX_TRY(px_source_open(fd, &source, err));
    snprintf(version, sizeof version, "%lld %lld.%09ld %llu", (long long)about.st_size, (long long)about.st_mtim.tv_sec, about.st_mtim.tv_nsec,
             (unsigned long long)about.st_ino);
    *ret = NULL;
    if (known && strcmp(known->version, version) == 0)
        return PX_OK;
    PX_TRY(mark_create(name, version, &one, err));
    PX_TRY(keep_bytes(&source, one, err));
    *ret = one;
    one = NULL;
    return PX_OK;
}

/* Says what to do about an object that cannot be had. */
static px_status blame(px_status status, const char *name, bool is_font, const char *where, px_error *err)
{
    px_error why = err ? *err : (px_error){ "" };
    if (status == PX_NO_SUCH_KEY || status == PX_NO_SUCH_BUCKET)
        return px_fail(err, PX_BAD_RECIPE, "%s: %s: there is no %.160s; upload it, or name another", where, what(is_font), name);
    if (status == PX_ACCESS_DENIED)
        return px_fail(err, status, "%s: %s: %.100s may not be read, or is not there: the role needs s3:GetObject for it (%.100s)", where, what(is_font), name, why.message);
    return status == PX_OK ? PX_OK : px_fail(err, status, "%s: %s: %.140s: %.180s", where, what(is_font), name, why.message);
}

static px_status fetch(px_store *store, const char *name, const mark *known, mark **ret, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(px_source_close) px_source source = PX_SOURCE_NONE;
    PX_AUTO(mark_done) mark *one = NULL;
    char bucket[PX_LIMIT_BUCKET_BYTES + 1];
    const char *key = px_uri_split_s3(name, bucket);
    px_object object;
    if (!key)
        return px_fail(err, PX_BAD_RECIPE, "that is not s3://BUCKET/KEY");
    if (!store)
        return px_fail(err, PX_BAD_RECIPE, "this command reads no buckets; name a file");
    PX_TRY(px_arena_open(ARENA_BYTES, &arena, err));
    *ret = NULL;
    if (known) {
        PX_TRY(store->head(store, bucket, key, &arena, &object, err));
        if (strcmp(known->version, object.etag) == 0)
            return PX_OK;
    }
    PX_TRY(store->open(store, bucket, key, NULL, &arena, &source, &object, err));
    PX_TRY(mark_create(name, object.etag, &one, err));
    PX_TRY(keep_bytes(&source, one, err));
    PX_TRY(px_source_wait(&source, 0, err)); /* only a whole transfer knows its checksum */
    *ret = one;
    one = NULL;
    return PX_OK;
}

/* ---- the list ---- */

px_status px_marks_open(px_marks **ret, px_error *err)
{
    px_marks *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for watermarks");
    pthread_mutex_init(&self->lock, NULL);
    *ret = self;
    return PX_OK;
}

void px_marks_close(px_marks *self)
{
    if (!self)
        return;
    for (mark *one = self->first, *next; one; one = next) {
        next = one->next;
        mark_free(one);
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* The reading of that name as it is now. The lock is held. */
static px_status find(px_marks *self, px_store *store, const char *name, bool is_font, const char *where, mark **ret, px_error *err)
{
    mark **place = &self->first, *fresh = NULL;
    while (*place && strcmp((*place)->name, name) != 0)
        place = &(*place)->next;
    mark *known = *place;
    int64_t now_ms = px_monotonic_us() / 1000;
    bool is_new = known && is_address(name) && now_ms - known->looked_ms < LOOK_AGAIN_MS;
    if (!is_new)
        PX_TRY(is_address(name) ? blame(fetch(store, name, known, &fresh, err), name, is_font, where, err)
                                : read_file(name, is_font, where, known, &fresh, err));
    if (fresh) {
        fresh->next = known ? known->next : NULL;
        *place = fresh;
        if (known)
            mark_free(known);
        known = fresh;
    }
    if (!is_new)
        known->looked_ms = now_ms;
    *ret = known;
    return judge_first((px_bytes){ known->first, known->first_count }, name, is_font, where, err);
}

/* A descriptor of its own for who asks, never 0: that is for none. */
static px_status take(px_marks *self, px_store *store, const char *name, bool is_font, const char *where, px_hash *hash, int *ret_fd,
                      px_format *ret_format, px_error *err)
{
    mark *one;
    if (!*name)
        return PX_OK;
    PX_TRY(find(self, store, name, is_font, where, &one, err));
    int fd = fcntl(one->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return px_fail_errno(err, errno, "no descriptor left for a watermark");
    px_hash_push(hash, what(is_font), strlen(what(is_font)));
    px_hash_push(hash, one->digest, 32);
    *ret_fd = fd;
    *ret_format = px_format_detect((px_bytes){ one->first, one->first_count });
    return PX_OK;
}

bool px_output_needs_marks(const px_output *output)
{
    return (output->mark_image && *output->mark_image) || (output->mark_text && *output->mark_text && *output->mark_font);
}

static px_status take_output(px_marks *self, px_store *store, px_output *output, px_error *err)
{
    char where[80];
    px_hash hash;
    px_format unused;
    uint8_t digest[PX_HASH_MAX];
    snprintf(where, sizeof where, "output %s", output->id);
    px_hash_init(&hash, PX_HASH_SHA256);
    px_status status = take(self, store, output->mark_image, false, where, &hash, &output->spec.mark.image, &output->spec.mark.image_format, err);
    if (status == PX_OK && *output->mark_text)
        status = take(self, store, output->mark_font, true, where, &hash, &output->spec.mark.font, &unused, err);
    px_hash_finish(&hash, digest);
    PX_TRY(status);
    px_hex(digest, 8, output->mark_digest);
    px_output_fingerprint(output);
    return PX_OK;
}

px_status px_marks_take(px_marks *self, px_store *store, px_output *outputs, int count, px_error *err)
{
    px_status status = PX_OK;
    pthread_mutex_lock(&self->lock);
    for (int i = 0; i < count && status == PX_OK; i++)
        if (px_output_needs_marks(&outputs[i]))
            status = take_output(self, store, &outputs[i], err);
    pthread_mutex_unlock(&self->lock);
    return status;
}

static void give_back(int *fd)
{
    if (*fd > 0)
        close(*fd);
    *fd = 0;
}

void px_marks_give_back(px_output *outputs, int count)
{
    for (int i = 0; i < count; i++) {
        give_back(&outputs[i].spec.mark.image);
        give_back(&outputs[i].spec.mark.font);
    }
}
