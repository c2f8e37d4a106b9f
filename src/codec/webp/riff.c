/* Sizes are a stranger's: each is compared with what is left before it is used. */
#include "codec/webp/riff.h"

static uint32_t little_endian(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

px_status px_riff_open(px_bytes file, px_riff *ret, px_error *err)
{
    if (file.count < PX_WEBP_HEAD)
        return px_fail(err, PX_TRUNCATED_IMAGE, "WebP: the file ends in its head");
    uint64_t size = little_endian(file.data + 4);
    if (size < 4)
        return px_fail(err, PX_CORRUPT_IMAGE, "WebP: the head says %llu bytes", (unsigned long long)size);
    if (size + PX_RIFF_HEAD > file.count + (size & 1)) /* the last padding is often forgotten */
        return px_fail(err, PX_TRUNCATED_IMAGE, "WebP: the file has %zu bytes of the %llu that its head says", file.count,
                       (unsigned long long)size + PX_RIFF_HEAD);
    size_t count = size + PX_RIFF_HEAD < file.count ? (size_t)size + PX_RIFF_HEAD : file.count;
    *ret = (px_riff){ { file.data + PX_WEBP_HEAD, count - PX_WEBP_HEAD } };
    return PX_OK;
}

px_status px_riff_next(px_riff *self, px_riff_chunk *ret, bool *ret_any, px_error *err)
{
    px_bytes left = self->left;
    *ret_any = left.count > 1; /* a single byte is padding */
    if (!*ret_any)
        return PX_OK;
    uint64_t size = left.count < PX_RIFF_HEAD ? 0 : little_endian(left.data + 4);
    if (left.count < PX_RIFF_HEAD || size > left.count - PX_RIFF_HEAD)
        return px_fail(err, PX_CORRUPT_IMAGE, "WebP: a chunk is longer than what holds it");
    *ret = (px_riff_chunk){ .body = { left.data + PX_RIFF_HEAD, (size_t)size } };
    memcpy(ret->type, left.data, 4);
    size_t taken = PX_RIFF_HEAD + (size_t)size + (size & 1);
    taken = taken < left.count ? taken : left.count;
    self->left = (px_bytes){ left.data + taken, left.count - taken };
    return PX_OK;
}
