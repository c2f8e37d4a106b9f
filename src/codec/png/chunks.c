/* PNG in, the first step: bytes and chunks. Every chunk's CRC is checked. */
#include <isa-l/crc.h>

#include "codec/big_endian.h"
#include "codec/png/read.h"

px_status px_png_refill(px_png_decoder *self, px_error *err)
{
    size_t count;
    PX_TRY(px_source_read_at(self->source, self->offset, self->input, PX_PNG_INPUT_BYTES, &count, err));
    if (count == 0)
        return px_fail(err, PX_TRUNCATED_IMAGE, "PNG: the file ends before the picture does");
    self->offset += count;
    if (self->offset > self->limits->input_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "the source is over %llu bytes (limits.input_bytes)",
                       (unsigned long long)self->limits->input_bytes);
    self->input_at = 0;
    self->input_count = count;
    return PX_OK;
}

px_status px_png_read(px_png_decoder *self, void *target, size_t count, px_error *err)
{
    uint8_t *to = target;
    while (count > 0) {
        if (self->input_at == self->input_count)
            PX_TRY(px_png_refill(self, err));
        size_t some = self->input_count - self->input_at;
        some = some < count ? some : count;
        if (to) {
            memcpy(to, self->input + self->input_at, some);
            to += some;
        }
        self->crc = crc32_gzip_refl(self->crc, self->input + self->input_at, some);
        self->input_at += some;
        count -= some;
    }
    return PX_OK;
}

px_status px_png_chunk_begin(px_png_decoder *self, px_error *err)
{
    uint8_t length[4];
    PX_TRY(px_png_read(self, length, sizeof length, err));
    self->chunk_left = px_get_32(length);
    if (self->chunk_left > 0x7fffffff)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a chunk of %u bytes", self->chunk_left);
    self->crc = 0;
    return px_png_read(self, self->type, 4, err);
}

px_status px_png_chunk_take(px_png_decoder *self, void *target, size_t count, px_error *err)
{
    if (count > self->chunk_left)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the chunk %.4s is too short", self->type);
    self->chunk_left -= (uint32_t)count;
    return px_png_read(self, target, count, err);
}

/* A fuzzer cannot guess checksums: where they count, it never comes beyond them. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
enum { CHECKSUMS_MATTER = 0 };
#else
enum { CHECKSUMS_MATTER = 1 };
#endif

px_status px_png_chunk_end(px_png_decoder *self, px_error *err)
{
    PX_TRY(px_png_chunk_take(self, NULL, self->chunk_left, err));
    uint32_t computed = self->crc;
    uint8_t stored[4];
    PX_TRY(px_png_read(self, stored, sizeof stored, err));
    if (CHECKSUMS_MATTER && px_get_32(stored) != computed)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the chunk %.4s does not have its checksum", self->type);
    return PX_OK;
}
