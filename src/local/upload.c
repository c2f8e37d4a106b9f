/* Bytes on their way in: a file that has its final name from the start, and the MD5 that grows with it.
 *
 * The name is random but for its first two digits, the folder: 256 uploads in a row share one, so that a group of
 * writers has one or two folders to make durable instead of one each. */
#include "local/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

void px_blob_path(const char *blob, char path[PX_BLOB_NAME + 3])
{
    snprintf(path, PX_BLOB_NAME + 3, "%.2s/%s", blob, blob);
}

px_status px_upload_begin(px_local *local, px_upload **ret, px_error *err)
{
    px_upload *upload = calloc(1, sizeof *upload);
    if (!upload)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an upload");
    upload->local = local;

    uint8_t name[16];
    char path[PX_BLOB_NAME + 3];
    px_random(name, sizeof name);
    name[0] = (uint8_t)(atomic_fetch_add(&local->blob_count, 1) / 256);
    px_hex(name, sizeof name, upload->blob);
    px_blob_path(upload->blob, path);
    upload->fd = openat(local->blobs_fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (upload->fd < 0) {
        int number = errno;
        free(upload);
        return px_fail_errno(err, number, "creating blobs/%s in %s", path, local->folder);
    }
    px_hash_init(&upload->md5, PX_HASH_MD5);
    *ret = upload;
    return PX_OK;
}

px_status px_upload_push(px_upload *upload, const void *data, size_t count, px_error *err)
{
    PX_TRY(px_write_all(upload->fd, data, count, upload->blob, err));
    px_hash_push(&upload->md5, data, count);
    upload->bytes += count;
    return PX_OK;
}

uint64_t px_upload_bytes(const px_upload *upload) { return upload->bytes; }

void px_upload_finish(px_upload *upload)
{
    uint8_t digest[PX_HASH_MAX];

    if (upload->hashed)
        return;
    px_hex(digest, px_hash_finish(&upload->md5, digest), upload->etag);
    upload->hashed = true;
}

void px_upload_md5(px_upload *upload, char hex[33])
{
    px_upload_finish(upload);
    memcpy(hex, upload->etag, 33);
}

void px_upload_keep(px_upload *upload)
{
    if (!upload)
        return;
    if (!upload->hashed)
        px_hash_done(&upload->md5);
    px_fd_close(&upload->fd);
    free(upload);
}

void px_upload_abandon(px_upload *upload)
{
    if (!upload)
        return;
    char path[PX_BLOB_NAME + 3];
    px_blob_path(upload->blob, path);
    (void)unlinkat(upload->local->blobs_fd, path, 0);
    px_upload_keep(upload);
}
