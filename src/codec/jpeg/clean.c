/* A JPEG without what is not the picture: its own bytes, less EXIF, XMP, thumbnails, comments and whatever follows the end
 * of the image. What is to stay of EXIF and XMP is put in anew, in front. What decides the pixels or their colour stays: tables, scans, JFIF, Adobe's marker, the ICC profile. */

#include "codec/copy.h"
#include "codec/exif.h"
#include "codec/formats.h"

enum { APP0 = 0xe0, APP1 = 0xe1, APP2 = 0xe2, APP14 = 0xee, APP15 = 0xef, COM = 0xfe, EOI = 0xd9 };

/* The next byte; -1 becomes a failure. */
static px_status need(px_copy *copy, uint8_t *ret, px_error *err)
{
    int byte;
    PX_TRY(px_copy_next(copy, &byte, err));
    if (byte < 0)
        return px_fail(err, PX_TRUNCATED_IMAGE, "JPEG: the file ends in a marker");
    *ret = (uint8_t)byte;
    return PX_OK;
}

static px_status segment(px_copy *copy, uint8_t marker, px_error *err)
{
    uint8_t head[4] = { 0xff, marker }, name[12];
    PX_TRY(need(copy, &head[2], err));
    PX_TRY(need(copy, &head[3], err));
    uint32_t length = (uint32_t)(head[2] << 8 | head[3]);
    if (length < 2)
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: a marker has a length of %u", length);
    length -= 2;
    bool named = marker == APP2 || marker == APP0;
    size_t count = named ? (length < sizeof name ? length : sizeof name) : 0;
    for (size_t i = 0; i < count; i++)
        PX_TRY(need(copy, &name[i], err));
    bool keep = marker == APP2    ? count == 12 && memcmp(name, "ICC_PROFILE", 12) == 0
              : marker == APP0    ? length == 14 && memcmp(name, "JFIF", 5) == 0 /* longer: with a thumbnail */
              : marker == APP14   ? true
              : marker != COM && (marker < APP1 || marker > APP15);
    if (keep) {
        PX_TRY(px_copy_write(copy, head, sizeof head, err));
        PX_TRY(px_copy_write(copy, name, count, err));
    }
    return px_copy_pass(copy, length - count, keep, err);
}

/* Entropy-coded data, up to the next marker that is no restart; -1 at the end of the source. */
static px_status scan(px_copy *copy, int *ret_marker, px_error *err)
{
    for (;;) {
        int byte, next;
        PX_TRY(px_copy_next(copy, &byte, err));
        if (byte == 0xff) {
            do
                PX_TRY(px_copy_next(copy, &next, err));
            while (next == 0xff);
            if (next < 0 || (next != 0 && (next < 0xd0 || next > 0xd7))) {
                *ret_marker = next;
                return PX_OK;
            }
            uint8_t pair[2] = { 0xff, (uint8_t)next };
            PX_TRY(px_copy_write(copy, pair, 2, err));
        } else if (byte < 0) {
            *ret_marker = -1;
            return PX_OK;
        } else {
            uint8_t one = (uint8_t)byte;
            PX_TRY(px_copy_write(copy, &one, 1, err));
        }
    }
}

static px_status write_named(px_copy *copy, const char *name, size_t name_bytes, px_bytes bytes, px_error *err)
{
    size_t count = 2 + name_bytes + bytes.count;
    if (bytes.count == 0 || count > 65535)
        return PX_OK;
    PX_TRY(px_copy_write(copy, (uint8_t[]){ 0xff, APP1, (uint8_t)(count >> 8), (uint8_t)count }, 4, err));
    PX_TRY(px_copy_write(copy, name, name_bytes, err));
    return px_copy_write(copy, bytes.data, bytes.count, err);
}

static px_status clean(px_copy *copy, const px_encoder_spec *spec, px_error *err)
{
    uint8_t minimal[PX_EXIF_BYTES];
    PX_TRY(px_copy_pass(copy, 2, true, err));
    PX_TRY(write_named(copy, PX_JPEG_EXIF, sizeof PX_JPEG_EXIF, px_exif_of(spec, minimal), err));
    PX_TRY(write_named(copy, PX_JPEG_XMP, sizeof PX_JPEG_XMP, spec->xmp, err));
    for (;;) {
        int marker = -1;
        PX_TRY(scan(copy, &marker, err)); /* behind any other segment there is nothing but the next marker */
        if (marker < 0 || marker == EOI)
            return px_copy_write(copy, "\xff\xd9", 2, err);
        PX_TRY(segment(copy, (uint8_t)marker, err));
    }
}

px_status px_jpeg_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err)
{
    return px_copy_run(spec, source, fd, clean, ret_bytes, err);
}
