/* resample.h - scale a picture while it streams past.
 *
 * Push source rows from the top and, after each, pull every target row that is ready. Holds only the rows that one target
 * row draws on, at target width. Samples are interleaved, 8 bits; with alpha they must be premultiplied. */
#ifndef PX_IMAGE_RESAMPLE_H
#define PX_IMAGE_RESAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "image/kernels.h"

typedef struct px_resample_spec {
    int source_width, source_height; /* pixels pushed */
    double x, y, width, height;      /* the part of the source that becomes the target */
    int target_width, target_height;
    int channels;                    /* 1 to 4 */
    const px_kernels *kernels;       /* NULL: the best */
} px_resample_spec;

typedef struct px_resample px_resample;

PX_CHECKED px_status px_resample_create(const px_resample_spec *spec, px_resample **ret, px_error *err);
void px_resample_destroy(px_resample *self);
uint64_t px_resample_memory(const px_resample_spec *spec); /* bytes that create will take */

void px_resample_restart(px_resample *self); /* for the next picture of the same size */
void px_resample_push(px_resample *self, const uint8_t *row); /* borrowed for the call */
bool px_resample_pull(px_resample *self, uint8_t *row);

#endif
