/* boxes.h - the box structure that AVIF and HEIF share (ISO/IEC 14496-12), as far as it decides what we do before a library sees a
 * file: which format it is, whether it is whole, and how large a picture it claims. Private to src/codec. */
#ifndef PX_CODEC_BOXES_H
#define PX_CODEC_BOXES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"

/* Does a file that begins so name one of these brands (four letters each, one after the other)? The major one only, or any. */
bool px_boxes_have_brand(px_bytes first, const char *brands, bool major_only);

typedef struct px_boxes {
    bool cut;  /* a box ends behind the end of the file, or one that a picture needs is not there */
    int plays; /* how often an image sequence is played, by its edit list; 0: for ever, or not said */
} px_boxes;

/* Walks over what describes pictures (items and tracks), judges every size that is claimed, and refuses a picture that is made of
 * itself. Other damage is left to the library. */
PX_CHECKED px_status px_boxes_judge(px_bytes file, const px_limits *limits, px_boxes *ret, px_error *err);

#endif
