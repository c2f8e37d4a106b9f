/* attention.h - where in a picture the detail is: the window that `position: attention` shows. Private to src/image. */
#ifndef PX_IMAGE_ATTENTION_H
#define PX_IMAGE_ATTENTION_H

#include <stdint.h>

#include "base/status.h"
#include "codec/codec.h"

typedef struct px_attention_spec {
    int width, height; /* pixels */
    int channels;      /* 1 to 4, alpha included */
    px_alpha alpha;
} px_attention_spec;

uint64_t px_attention_memory(int width, int height); /* bytes that choose takes meanwhile */

/* The window of width x height with the most in it; of equal ones the one nearest to the middle. Depends on nothing but the samples. */
PX_CHECKED px_status px_attention_choose(const px_attention_spec *spec, const uint8_t *samples, int width, int height, int *ret_x, int *ret_y,
                                         px_error *err);

#endif
