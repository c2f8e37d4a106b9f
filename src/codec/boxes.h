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
    char coding[5];  /* type of the picture that is to be shown, "hvc1" or "grid"; "" where it is not said */
    bool endless;    /* a box has no size: it goes on to the end */
    bool sizeless;   /* there is a track without a size, such as one of sound */
    bool disordered; /* of a picture made of others, those are not in the order of their numbers */
    bool tile_alpha; /* a picture that another is made of has one beside it, such as its alpha */
} px_boxes;

/* Walks over what describes pictures (items and tracks), judges every size that is claimed, and refuses a picture that is made of
 * itself. Other damage is left to the library. */
PX_CHECKED px_status px_boxes_judge(px_bytes file, const px_limits *limits, px_boxes *ret, px_error *err);

#endif
