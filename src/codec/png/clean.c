/* A PNG without what is not the picture: its own chunks, as they are, less text, EXIF, time and the unknown,
 * but with what is to stay of those.
 * What decides the pixels or their colour stays. */

#include <libdeflate.h>

#include "codec/big_endian.h"
#include "codec/copy.h"
#include "codec/exif.h"
#include "codec/formats.h"

static bool is_kept(const uint8_t *type)
{
    static const char *const kept[] = { "IHDR", "PLTE", "tRNS", "IDAT", "IEND", "iCCP", "sRGB", "gAMA", "cHRM", "cICP",
                                       "acTL", "fcTL", "fdAT" };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (memcmp(type, kept[i], 4) == 0)
            return true;
    return false;
}

/* A chunk of two pieces. */
static px_status write_chunk(px_copy *copy, const char *type, px_bytes head, px_bytes data, px_error *err)
{
    uint32_t count = (uint32_t)(head.count + data.count), crc = libdeflate_crc32(0, type, 4);
    crc = head.count ? libdeflate_crc32(crc, head.data, head.count) : crc;
    crc = libdeflate_crc32(crc, data.data, data.count);
    uint8_t length[4], sum[4];
    px_put_32(length, count);
    px_put_32(sum, crc);
    PX_TRY(px_copy_write(copy, length, 4, err));
    PX_TRY(px_copy_write(copy, type, 4, err));
    PX_TRY(px_copy_write(copy, head.data, head.count, err));
    PX_TRY(px_copy_write(copy, data.data, data.count, err));
    return px_copy_write(copy, sum, 4, err);
}

static px_status write_metadata(px_copy *copy, const px_encoder_spec *spec, px_error *err)
{
    uint8_t minimal[PX_EXIF_BYTES];
    px_bytes exif = px_exif_of(spec, minimal);
    if (exif.count)
        PX_TRY(write_chunk(copy, "eXIf", (px_bytes){ 0 }, exif, err));
    if (spec->xmp.count)
        PX_TRY(write_chunk(copy, "iTXt", (px_bytes){ (const uint8_t *)PX_PNG_XMP, sizeof PX_PNG_XMP }, spec->xmp, err));
    return px_copy_write(copy, spec->text.data, spec->text.count, err);
}

static px_status clean(px_copy *copy, const px_encoder_spec *spec, px_error *err)
{
    static const uint8_t end[12] = { 0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82 };
    PX_TRY(px_copy_pass(copy, 8, true, err));
    for (;;) {
        uint8_t head[8];
        for (int i = 0; i < 8; i++) {
            int byte;
            PX_TRY(px_copy_next(copy, &byte, err));
            if (byte < 0) /* the picture was whole, or decoding had failed: only its end is missing */
                return px_copy_write(copy, end, sizeof end, err);
            head[i] = (uint8_t)byte;
        }
        uint64_t length = px_get_32(head);
        bool keep = is_kept(head + 4);
        if (keep)
            PX_TRY(px_copy_write(copy, head, sizeof head, err));
        PX_TRY(px_copy_pass(copy, length + 4, keep, err));
        if (memcmp(head + 4, "IEND", 4) == 0)
            return PX_OK;
        if (memcmp(head + 4, "IHDR", 4) == 0)
            PX_TRY(write_metadata(copy, spec, err));
    }
}

px_status px_png_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err)
{
    return px_copy_run(spec, source, fd, clean, ret_bytes, err);
}
