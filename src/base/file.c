/* Loops around short reads, short writes and interruptions, once. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void px_fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

px_status px_write_all(int fd, const void *data, size_t count, const char *name, px_error *err)
{
    const uint8_t *next = data;
    while (count > 0) {
        ssize_t written = write(fd, next, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return px_fail_errno(err, errno, "cannot write to %s", name);
        next += written;
        count -= (size_t)written;
    }
    return PX_OK;
}

px_status px_pread_all(int fd, void *data, size_t count, uint64_t offset, size_t *ret_count, const char *name,
                       px_error *err)
{
    size_t done = 0;
    while (done < count) {
        ssize_t got = pread(fd, (uint8_t *)data + done, count - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return px_fail_errno(err, errno, "cannot read %s", name);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_count = done;
    return PX_OK;
}

px_status px_file_read(const char *path, size_t limit, px_arena *arena, px_bytes *ret, px_error *err)
{
    PX_AUTO(px_fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return px_fail(err, PX_NO_SUCH_KEY, "there is no file %s", path);
    if (fd < 0)
        return px_fail_errno(err, errno, "cannot open %s", path);
    struct stat about;
    if (fstat(fd, &about) != 0)
        return px_fail_errno(err, errno, "cannot read %s", path);
    if (S_ISDIR(about.st_mode))
        return px_fail(err, PX_BAD_REQUEST, "%s is a folder, not a file", path);
    if ((uint64_t)about.st_size > limit)
        return px_fail(err, PX_TOO_MANY_BYTES, "%s has more than %zu bytes", path, limit);
    uint8_t *data = px_new(arena, uint8_t, (size_t)about.st_size + 1);
    if (!data)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %s", path);
    size_t count;
    PX_TRY(px_pread_all(fd, data, (size_t)about.st_size, 0, &count, path, err));
    *ret = (px_bytes){ data, count };
    return PX_OK;
}

px_status px_folder_make(const char *path, px_error *err)
{
    char partial[PATH_MAX];
    if ((size_t)snprintf(partial, sizeof partial, "%s", path) >= sizeof partial)
        return px_fail(err, PX_BAD_REQUEST, "the path %.80s... is too long", path);
    for (char *slash = partial + 1;; slash++) {
        if (*slash != '/' && *slash != '\0')
            continue;
        bool last = *slash == '\0';
        *slash = '\0';
        if (mkdir(partial, 0700) != 0 && errno != EEXIST)
            return px_fail_errno(err, errno, "cannot make the folder %s", partial);
        if (last)
            break;
        *slash = '/';
    }
    struct stat about;
    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        return px_fail(err, PX_BAD_REQUEST, "%s is not a folder", path);
    return PX_OK;
}
