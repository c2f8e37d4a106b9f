/* colour.h - from the colours of a source's ICC profile to sRGB, by lcms2, row by row at output size. Private to src/image. */
#ifndef PX_IMAGE_COLOUR_H
#define PX_IMAGE_COLOUR_H

#include "codec/codec.h"

typedef struct px_colour px_colour;

/* For rows of this model, alpha straight if there is one. *ret is NULL where nothing has to be done: without a profile, for sRGB
 * itself, for a profile that is about other rows or that cannot be read. Grey stays grey, with sRGB's tone curve; PX_CMYK (255 for
 * full ink) becomes PX_RGB. */
PX_CHECKED px_status px_colour_create(px_bytes profile, px_model model, bool alpha, px_colour **ret, px_error *err);

/* Likewise for rows of 16 bits a sample, which become rows of 8; *ret is NULL only where px_colour_create's is not to be had either. */
PX_CHECKED px_status px_colour_create_deep(px_bytes profile, px_model model, bool alpha, px_colour **ret, px_error *err);

void px_colour_destroy(px_colour *colour); /* NULL is accepted */

/* Alpha is copied. The two may be the same row, but of CMYK. */
void px_colour_convert(const px_colour *colour, const uint8_t *row, int width, uint8_t *target);

#endif
