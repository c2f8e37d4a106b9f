/* sharpen.h - a small unsharp mask over rows that stream past: what a pixel differs from its neighbourhood is added to it again.
 *
 * Push rows from the top and, after each, pull what is ready: a row comes out when the one below it is there. Private to src/image. */
#ifndef PX_IMAGE_SHARPEN_H
#define PX_IMAGE_SHARPEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct px_sharpen_spec {
    int width, height; /* pixels */
    int channels;      /* 1 to 4, alpha included */
    bool alpha;        /* the last one is; the others are premultiplied with it */
    int strength;      /* 1 to 100 percent of the difference */
} px_sharpen_spec;

typedef struct px_sharpen px_sharpen;

PX_CHECKED px_status px_sharpen_create(const px_sharpen_spec *spec, px_sharpen **ret, px_error *err);
void px_sharpen_destroy(px_sharpen *self); /* NULL is accepted */
uint64_t px_sharpen_memory(int width, int channels); /* bytes that create will take */

void px_sharpen_restart(px_sharpen *self); /* for the next picture of the same size */
void px_sharpen_push(px_sharpen *self, const uint8_t *row); /* borrowed for the call */
uint8_t *px_sharpen_pull(px_sharpen *self); /* the next row, valid until the next call; NULL if none is ready */

#endif
