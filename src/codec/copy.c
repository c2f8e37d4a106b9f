/* Two buffers and a cursor. Skipped bytes are not even read when they lie beyond the buffer. */
#include "codec/copy.h"

#include <stdlib.h>

#include "base/file.h"

px_status px_copy_next(px_copy *self, int *ret_byte, px_error *err)
{
    if (self->in_at == self->in_count) {
        size_t count;
        PX_TRY(px_source_read_at(self->source, self->offset, self->in, sizeof self->in, &count, err));
        self->offset += count;
        self->in_at = 0;
        self->in_count = count;
        if (count == 0) {
            *ret_byte = -1;
            return PX_OK;
        }
    }
    *ret_byte = self->in[self->in_at++];
    return PX_OK;
}

px_status px_copy_flush(px_copy *self, px_error *err)
{
    PX_TRY(px_write_all(self->fd, self->out, self->out_count, "the output", err));
    self->out_count = 0;
    return PX_OK;
}

px_status px_copy_write(px_copy *self, const void *data, size_t count, px_error *err)
{
    const uint8_t *from = data;
    self->written += count;
    while (count > 0) {
        if (self->out_count == sizeof self->out)
            PX_TRY(px_copy_flush(self, err));
        size_t some = sizeof self->out - self->out_count;
        some = some < count ? some : count;
        memcpy(self->out + self->out_count, from, some);
        self->out_count += some;
        from += some;
        count -= some;
    }
    return PX_OK;
}

px_status px_copy_pass(px_copy *self, uint64_t count, bool keep, px_error *err)
{
    while (count > 0) {
        if (self->in_at == self->in_count && !keep) {
            self->offset += count;
            return PX_OK;
        }
        int byte;
        PX_TRY(px_copy_next(self, &byte, err));
        if (byte < 0)
            return px_fail(err, PX_TRUNCATED_IMAGE, "the file ends in the middle of a chunk");
        self->in_at--;
        size_t some = self->in_count - self->in_at;
        some = some < count ? some : (size_t)count;
        if (keep)
            PX_TRY(px_copy_write(self, self->in + self->in_at, some, err));
        self->in_at += some;
        count -= some;
    }
    return PX_OK;
}

px_status px_copy_run(const px_encoder_spec *spec, const px_source *source, int fd,
                      px_status (*clean)(px_copy *copy, const px_encoder_spec *spec, px_error *err), uint64_t *ret_bytes, px_error *err)
{
    px_copy *copy = calloc(1, sizeof *copy);
    if (!copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a copy");
    copy->source = source;
    copy->fd = fd;
    px_status status = clean(copy, spec, err);
    if (status == PX_OK)
        status = px_copy_flush(copy, err);
    if (status == PX_OK)
        *ret_bytes = copy->written;
    free(copy);
    return status;
}

px_status px_copy_run_whole(const px_encoder_spec *spec, const px_source *source, int fd,
                            px_status (*clean)(px_bytes file, const px_encoder_spec *spec, int fd, uint64_t *ret_bytes, px_error *err),
                            uint64_t *ret_bytes, px_error *err)
{
    px_bytes file = { 0 };
    PX_TRY(px_source_map(source, UINT64_MAX, &file, err));
    px_status status = clean(file, spec, fd, ret_bytes, err);
    px_source_unmap(file);
    return status;
}
