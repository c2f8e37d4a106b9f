/* quantise.h - a picture in at most 256 colours. Private to src/codec.
 *
 * Count the colours of a picture, choose a palette, map the pixels to it. If the picture has no more colours than are wanted, they
 * are kept exactly. Otherwise the palette is found by k-means in OKLab, and mapping may spread each pixel's error over its
 * neighbours (Floyd-Steinberg, serpentine). The same pixels always give the same palette.
 *
 * Pixels are RGBA, alpha straight. What is wholly transparent has no colour: it counts as one. */
#ifndef PX_CODEC_QUANTISE_H
#define PX_CODEC_QUANTISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { PX_PALETTE_COLOURS = 256 };

typedef struct px_palette {
    uint8_t colours[PX_PALETTE_COLOURS][4]; /* RGBA; first those that are not opaque */
    int count;
    int transparent; /* the one that is wholly transparent; -1: there is none */
    bool exact;      /* every colour counted is in it */
} px_palette;

/* The order of a palette's colours, for qsort over what begins with four bytes of RGBA: what is not opaque first, so that PNG's tRNS is
 * short, then by light, which packs well. */
int px_palette_order(const void *a, const void *b);

typedef struct px_quantiser px_quantiser;

/* For pictures of up to `width` pixels across. */
PX_CHECKED px_status px_quantiser_create(int width, px_quantiser **ret, px_error *err);
void px_quantiser_destroy(px_quantiser *self);
uint64_t px_quantiser_memory(int width); /* bytes */

/* Begins to count; then any number of pixels. */
void px_quantiser_begin(px_quantiser *self);
void px_quantiser_add(px_quantiser *self, const uint8_t *rgba, size_t pixels);

/* Are all colours counted in the palette as they are? */
bool px_quantiser_fits(const px_quantiser *self, const px_palette *palette);

/* At most `most` colours (2 to 256) for what was counted. `transparent`: with a transparent one, also if no pixel is. `rounds`
 * of k-means: 16 is plenty. */
void px_quantiser_choose(px_quantiser *self, int most, bool transparent, int rounds, px_palette *ret);

/* The colour of each pixel of a picture whose rows lie `stride` bytes apart; those of `indices` lie `index_stride` apart. */
void px_quantiser_map(px_quantiser *self, const px_palette *palette, const uint8_t *rgba, size_t stride, int width, int height,
                      bool dither, uint8_t *indices, size_t index_stride);

#endif
