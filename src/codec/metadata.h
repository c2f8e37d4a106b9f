/* metadata.h - from what a source says of itself to what an output may say: EXIF, XMP and PNG's text under a px_strip. */
#ifndef PX_CODEC_METADATA_H
#define PX_CODEC_METADATA_H

#include "codec/codec.h"

typedef struct px_metadata {
    uint8_t *exif, *xmp, *text; /* owned */
} px_metadata;

/* Fills spec's exif, xmp and text from the header's, as `strip` and spec's orientation say. They live in *ret, until done. */
PX_CHECKED px_status px_metadata_choose(const px_header *header, px_strip strip, px_encoder_spec *spec, px_metadata *ret, px_error *err);
void px_metadata_done(px_metadata *metadata);

#endif
