/* thumbhash.h - a picture in 5 to 25 bytes, to be shown while the real one is on its way (the published ThumbHash). Private to src/image. */
#ifndef PX_IMAGE_THUMBHASH_H
#define PX_IMAGE_THUMBHASH_H

#include <stddef.h>
#include <stdint.h>

enum { PX_THUMBHASH_SIDE = 100 /* pixels, at most */, PX_THUMBHASH_BYTES = 25 /* at most */ };

/* Of sRGB with straight alpha, four bytes a pixel; returns how many bytes it wrote. Needs no memory and cannot fail. */
size_t px_thumbhash_of(const uint8_t *rgba, int width, int height, uint8_t hash[PX_THUMBHASH_BYTES]);

#endif
