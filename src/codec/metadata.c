/* One place decides what metadata an output has, for encoders and for bytes that are passed through alike: they only write what
 * the specification holds.
 *
 * XMP repeats the orientation, in one of two spellings; it is made right in place. PNG's text chunks are kept or not by their
 * keyword; those that are EXIF, XMP or IPTC in disguise never are. */
#include "codec/codec.h"

#include <stdlib.h>

#include "codec/big_endian.h"
#include "codec/exif.h"

/* Sets the digit behind each `before` in the packet. */
static void set_digit(uint8_t *xmp, size_t count, const char *before, char digit)
{
    size_t length = strlen(before);
    const uint8_t *end = xmp + count;
    for (uint8_t *at = xmp; (at = memmem(at, (size_t)(end - at), before, length)) && at + length < end;) {
        at += length;
        if (*at >= '1' && *at <= '8')
            *at = (uint8_t)digit;
    }
}

static px_status choose_xmp(const px_header *header, px_encoder_spec *spec, px_metadata *ret, px_error *err)
{
    char digit = (char)('0' + (spec->orientation > 1 ? spec->orientation : 1));
    ret->xmp = malloc(header->xmp.count);
    if (!ret->xmp)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for XMP");
    memcpy(ret->xmp, header->xmp.data, header->xmp.count);
    set_digit(ret->xmp, header->xmp.count, "tiff:Orientation=\"", digit);
    set_digit(ret->xmp, header->xmp.count, "tiff:Orientation='", digit);
    set_digit(ret->xmp, header->xmp.count, "<tiff:Orientation>", digit);
    spec->xmp = (px_bytes){ ret->xmp, header->xmp.count };
    return PX_OK;
}

static bool starts(px_bytes data, const char *text)
{
    size_t count = strlen(text);
    return data.count >= count && memcmp(data.data, text, count) == 0;
}

/* `data`: of a text chunk, which begins with its keyword and a NUL. */
static bool is_kept(px_bytes data, px_strip strip)
{
    if (starts(data, "Raw profile type") || starts(data, "XML:com.adobe.xmp"))
        return false;
    size_t keyword = strnlen((const char *)data.data, data.count) + 1;
    return strip == PX_STRIP_NONE || (keyword == 10 && starts(data, "Copyright")) || (keyword == 7 && starts(data, "Author"));
}

static px_status choose_text(const px_header *header, px_strip strip, px_encoder_spec *spec, px_metadata *ret, px_error *err)
{
    px_bytes text = header->text;
    size_t count = 0;
    ret->text = malloc(text.count);
    if (!ret->text)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for text");
    for (size_t at = 0; at + 12 <= text.count;) {
        const uint8_t *chunk = text.data + at;
        size_t bytes = px_get_32(chunk);
        if (bytes > text.count - at - 12)
            break;
        if (is_kept((px_bytes){ chunk + 8, bytes }, strip)) {
            memcpy(ret->text + count, chunk, bytes + 12);
            count += bytes + 12;
        }
        at += bytes + 12;
    }
    spec->text = (px_bytes){ ret->text, count };
    return PX_OK;
}

px_status px_metadata_choose(const px_header *header, px_strip strip, px_encoder_spec *spec, px_metadata *ret, px_error *err)
{
    if (strip == PX_STRIP_ALL)
        return PX_OK;
    if (header->exif.count) {
        ret->exif = malloc(PX_EXIF_BYTES_MAX);
        if (!ret->exif)
            return px_fail(err, PX_OUT_OF_MEMORY, "no room for EXIF");
        spec->exif = (px_bytes){ ret->exif, px_exif_rewrite(header->exif, strip, spec->orientation, ret->exif) };
    }
    if (header->xmp.count && strip == PX_STRIP_NONE)
        PX_TRY(choose_xmp(header, spec, ret, err));
    return header->text.count ? choose_text(header, strip, spec, ret, err) : PX_OK;
}

void px_metadata_done(px_metadata *metadata)
{
    free(metadata->exif);
    free(metadata->xmp);
    free(metadata->text);
}
