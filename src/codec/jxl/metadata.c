/* ISO/IEC 18181-2: EXIF and XMP are boxes beside the codestream's, as they are or compressed by Brotli ("brob"). libjxl finds and inflates
 * them, in a second decoder that passes over everything else; into room that is no larger than what we keep, so no box grows. */
#include "codec/jxl/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "codec/big_endian.h"
#include "codec/boxes.h"
#include "codec/jxl/library.h"

enum { ROOM = PX_EXIF_BYTES_MAX + 4 };

/* Most files have none: these are not asked about. */
static bool has_any(px_bytes file)
{
    px_box b;
    bool cut = false;
    for (uint64_t at = 0; px_box_at(file, at, file.count, &b, &cut); at = b.to)
        if (px_box_is(&b, "Exif") || px_box_is(&b, "xml ") || px_box_is(&b, "brob"))
            return true;
    return false;
}

/* The content of the box that begins; NULL if it is too large or not whole. *ret_next is what libjxl said last. */
static uint8_t *take_box(JxlDecoder *library, size_t *ret_count, JxlDecoderStatus *ret_next)
{
    uint8_t *content = malloc(ROOM);
    if (!content || px_jxl.DecoderSetBoxBuffer(library, content, ROOM) != JXL_DEC_SUCCESS) {
        free(content);
        *ret_next = JXL_DEC_ERROR;
        return NULL;
    }
    *ret_next = px_jxl.DecoderProcessInput(library);
    *ret_count = ROOM - px_jxl.DecoderReleaseBoxBuffer(library);
    if (*ret_next == JXL_DEC_BOX || *ret_next == JXL_DEC_SUCCESS)
        return content;
    if (*ret_next == JXL_DEC_BOX_NEED_MORE_OUTPUT)
        *ret_next = px_jxl.DecoderProcessInput(library);
    free(content);
    return NULL;
}

/* 9.4: in front of the TIFF block the offset to it. */
static px_bytes tiff_of(const uint8_t *content, size_t count)
{
    uint64_t skip = content && count >= 4 ? UINT64_C(4) + px_get_32(content) : UINT64_MAX;
    return skip < count ? (px_bytes){ content + skip, count - (size_t)skip } : (px_bytes){ 0 };
}

static void read_boxes(JxlDecoder *library, px_header *header, uint8_t **ret_exif, uint8_t **ret_xmp)
{
    JxlDecoderStatus event = px_jxl.DecoderProcessInput(library);
    while (event == JXL_DEC_BOX) {
        JxlBoxType type;
        size_t count = 0;
        bool known = px_jxl.DecoderGetBoxType(library, type, JXL_TRUE) == JXL_DEC_SUCCESS;
        if (known && memcmp(type, "Exif", 4) == 0 && !*ret_exif) {
            *ret_exif = take_box(library, &count, &event);
            header->exif = tiff_of(*ret_exif, count);
        } else if (known && memcmp(type, "xml ", 4) == 0 && !*ret_xmp) {
            *ret_xmp = take_box(library, &count, &event);
            header->xmp = *ret_xmp && count <= PX_EXIF_BYTES_MAX ? (px_bytes){ *ret_xmp, count } : (px_bytes){ 0 };
        } else
            event = px_jxl.DecoderProcessInput(library);
    }
}

void px_jxl_metadata(px_bytes file, px_header *header, uint8_t **ret_exif, uint8_t **ret_xmp)
{
    if (!has_any(file))
        return;
    JxlDecoder *library = px_jxl.DecoderCreate(NULL);
    if (library && px_jxl.DecoderSubscribeEvents(library, JXL_DEC_BOX) == JXL_DEC_SUCCESS &&
        px_jxl.DecoderSetDecompressBoxes(library, JXL_TRUE) == JXL_DEC_SUCCESS &&
        px_jxl.DecoderSetInput(library, file.data, file.count) == JXL_DEC_SUCCESS)
        read_boxes(library, header, ret_exif, ret_xmp);
    if (library)
        px_jxl.DecoderDestroy(library);
}
