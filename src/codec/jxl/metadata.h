/* metadata.h - the boxes around a JPEG XL codestream that tell more than the picture. Private to src/codec/jxl. */
#ifndef PX_CODEC_JXL_METADATA_H
#define PX_CODEC_JXL_METADATA_H

#include "base/bytes.h"
#include "codec/codec.h"

/* Fills exif and xmp of `header`; the bytes are in *ret_exif and *ret_xmp (NULL before; to be freed), also where they are compressed. What
 * cannot be had is not there. */
void px_jxl_metadata(px_bytes file, px_header *header, uint8_t **ret_exif, uint8_t **ret_xmp);

#endif
