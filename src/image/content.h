/* content.h - is it a photo or drawn? Private to src/image. */
#ifndef PX_IMAGE_CONTENT_H
#define PX_IMAGE_CONTENT_H

#include <stdint.h>

/* The part (0 to 1) of pixels that are exactly as their left and their upper neighbour: what is drawn has areas of one colour;
 * light that fell on a sensor has none, but where it was too bright or too dark. Pure. */
double px_content_flat(const uint8_t *samples, int width, int height, int channels);

#endif
