/* boxes.h - the box structure that AVIF and HEIF share (ISO/IEC 14496-12), as far as it decides what we do before a library sees a
 * file: which format it is, whether it is whole, and how large a picture it claims. Private to src/codec. */
#ifndef PX_CODEC_BOXES_H
#define PX_CODEC_BOXES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"

/* Does a file that begins so name one of these brands (four letters each, one after the other)? The major one only, or any. */
bool px_boxes_have_brand(px_bytes first, const char *brands, bool major_only);

typedef struct px_box {
    const char *type;  /* four letters in the file */
    uint64_t from, to; /* its content in the file */
} px_box;

/* The box at `at`, inside of what ends at `end`; false: there is none. One that is longer than what holds it ends with that, and
 * *ret_cut becomes true. */
bool px_box_at(px_bytes file, uint64_t at, uint64_t end, px_box *ret, bool *ret_cut);
static inline bool px_box_is(const px_box *box, const char *type) { return memcmp(box->type, type, 4) == 0; }

typedef struct px_boxes {
    bool cut;  /* a box ends behind the end of the file, or one that a picture needs is not there */
    bool grey; /* every picture in HEVC is, as far as is said */
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
