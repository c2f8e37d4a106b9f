/* A PNG without what is not the picture: its own chunks, as they are, less text, EXIF, time, animation and the unknown.
 * What decides the pixels or their colour stays. */

#include <libdeflate.h>

#include "codec/copy.h"
#include "codec/exif.h"
#include "codec/formats.h"

static bool is_kept(const uint8_t *type)
{
    static const char *const kept[] = { "IHDR", "PLTE", "tRNS", "IDAT", "IEND", "iCCP", "sRGB", "gAMA", "cHRM", "cICP" };
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (memcmp(type, kept[i], 4) == 0)
            return true;
    return false;
}

static px_status write_exif(px_copy *copy, int orientation, px_error *err)
{
    uint8_t chunk[12 + PX_EXIF_BYTES] = { 0, 0, 0, PX_EXIF_BYTES, 'e', 'X', 'I', 'f' };
    px_exif_format(orientation, chunk + 8);
    uint32_t crc = libdeflate_crc32(0, chunk + 4, 4 + PX_EXIF_BYTES);
    for (int i = 0; i < 4; i++)
        chunk[8 + PX_EXIF_BYTES + i] = (uint8_t)(crc >> (24 - 8 * i));
    return px_copy_write(copy, chunk, sizeof chunk, err);
}

static px_status clean(px_copy *copy, int orientation, px_error *err)
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
        uint64_t length = (uint64_t)head[0] << 24 | (uint64_t)head[1] << 16 | (uint64_t)head[2] << 8 | head[3];
        bool keep = is_kept(head + 4);
        if (keep)
            PX_TRY(px_copy_write(copy, head, sizeof head, err));
        PX_TRY(px_copy_pass(copy, length + 4, keep, err));
        if (memcmp(head + 4, "IEND", 4) == 0)
            return PX_OK;
        if (memcmp(head + 4, "IHDR", 4) == 0 && orientation > 1)
            PX_TRY(write_exif(copy, orientation, err));
    }
}

px_status px_png_clean(const px_source *source, int orientation, int fd, uint64_t *ret_bytes, px_error *err)
{
    return px_copy_run(source, orientation, fd, clean, ret_bytes, err);
}
