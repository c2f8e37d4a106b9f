/* palette.h - a picture on its way into a PNG with a palette. Private to src/codec/png.
 *
 * Either it is to have one (the option `palette`): then it is held, and quantised at its end. Or it might have one without loss: then its
 * colours are counted as they come, until there are more than 256. */
#ifndef PX_CODEC_PNG_PALETTE_H
#define PX_CODEC_PNG_PALETTE_H

#include "codec/codec.h"
#include "codec/quantise.h"

typedef struct px_png_palette px_png_palette;

/* *ret is NULL where a palette is out of the question. */
PX_CHECKED px_status px_png_palette_create(const px_encoder_spec *spec, px_png_palette **ret, px_error *err);
void px_png_palette_destroy(px_png_palette *self);
uint64_t px_png_palette_memory(const px_encoder_spec *spec); /* bytes */

void px_png_palette_push(px_png_palette *self, const uint8_t *samples);

/* After the last row: are there few enough colours? Then the palette, and rows of `*ret_depth` bits a pixel, as few as it needs,
 * their filter byte (none) first: *ret_bytes of them, which stay ours. */
bool px_png_palette_finish(px_png_palette *self, px_palette *ret, int *ret_depth, uint8_t **ret_rows, size_t *ret_bytes);

#endif
