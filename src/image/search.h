/* search.h - finding a quality by trying: pure, over a function that tries one. Private to src/image.
 *
 * Both searches hold a bracket of two qualities that were tried, and place the next between them by a secant, in coordinates in
 * which an encoder is nearly a straight line: the logarithms of JPEG's step for that quality and of what is measured. */
#ifndef PX_IMAGE_SEARCH_H
#define PX_IMAGE_SEARCH_H

#include <stdint.h>

#include "base/status.h"

enum {
    PX_SEARCH_TRIES = 5,  /* encodes for a target, the last that makes the output included */
    PX_QUALITY_FIRST = 72, /* of a search for a target */
    PX_QUALITY_LEAST = 20, /* below it a target is not looked for: blocks and bands, whatever a measure says */
    PX_QUALITY_MOST = 95,
};

/* What came of one quality. */
typedef struct px_trial {
    int quality;
    uint64_t bytes;
    double likeness; /* SSIM; not filled when only bytes are asked for */
} px_trial;

typedef struct px_trier {
    px_status (*run)(void *context, int quality, px_trial *ret, px_error *err);
    void *context;
} px_trier;

/* The lowest quality (of PX_QUALITY_LEAST to _MOST) whose likeness reaches `target`, or one near it, where that is all that the tries
 * find: *ret. *ret_last is what was tried last; if that is not it, a try is left to make it again. */
PX_CHECKED px_status px_search_likeness(const px_trier *trier, double target, px_trial *ret, px_trial *ret_last, px_error *err);

/* The highest quality of 1 to `most` in at most `bytes`, or one that uses 97 % of them; if none does, *ret is quality 1. */
PX_CHECKED px_status px_search_bytes(const px_trier *trier, uint64_t bytes, int most, px_trial *ret, px_trial *ret_last, px_error *err);

#endif
