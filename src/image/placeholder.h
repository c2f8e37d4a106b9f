/* placeholder.h - what stands for a picture until it is there: its ThumbHash and its dominant colour, from rows that go by.
 *
 * Every decoded row is averaged into a picture of 100 pixels at most, so it costs no decode and hardly any time. The dominant
 * colour is the mean of the fullest cell of a histogram in OKLab (ten steps of lightness; cells of 0.05 in a and b, the greys in the
 * middle of theirs), where a pixel counts as much as it is opaque. Private to src/image. */
#ifndef PX_IMAGE_PLACEHOLDER_H
#define PX_IMAGE_PLACEHOLDER_H

#include "image/colour.h"
#include "image/image.h"

typedef struct px_placeholder px_placeholder;

/* For rows of width x height pixels. */
PX_CHECKED px_status px_placeholder_create(int width, int height, px_model model, bool alpha, px_placeholder **ret, px_error *err);
/* For the planes of a decoder. */
PX_CHECKED px_status px_placeholder_create_planes(const px_plane_size sizes[3], bool narrow, px_placeholder **ret, px_error *err);
void px_placeholder_destroy(px_placeholder *self); /* NULL is accepted */
uint64_t px_placeholder_memory(int width, int channels); /* bytes, at most */

void px_placeholder_push(px_placeholder *self, const uint8_t *row); /* premultiplied, if there is alpha */
void px_placeholder_push_planes(px_placeholder *self, const px_row *row);

/* When every row is pushed. `colour` leads to sRGB; NULL if they are in it. */
void px_placeholder_finish(px_placeholder *self, const px_colour *colour, int orientation, px_transform_report *ret);

/* The dominant colour of sRGB with straight alpha. Black where nothing is to be seen. */
void px_dominant_colour_of(const uint8_t *rgba, int count, uint8_t ret[3]);

#endif
