/* size.h - how a recipe's geometry becomes numbers: the window that `crop` leaves of the source, the part of it that is shown, the
 * picture that this becomes, and the canvas on which that lies. */
#ifndef PX_IMAGE_SIZE_H
#define PX_IMAGE_SIZE_H

#include "image/image.h"

/* As people see the output: upright, and turned by `rotate`. All in pixels. */
typedef struct px_layout {
    int width, height;                 /* of the canvas, which is the output */
    int left, above;                   /* of the picture on it */
    int picture_width, picture_height; /* smaller than the canvas only for PX_FIT_CONTAIN */
    int source_width, source_height;
    int window_x, window_y, window_width, window_height; /* of the source */
    double part_x, part_y, part_width, part_height; /* of the source, within the window; smaller than it only for PX_FIT_COVER */
    bool outside;                      /* the crop has nothing of the source; the rest is as without it */
} px_layout;

/* Of a source of width x height, upright. */
px_layout px_layout_of(const px_output_spec *spec, int width, int height);

/* The same in the coordinates of rows as stored, which `orientation` turns into what people see. */
px_layout px_layout_as_stored(const px_layout *seen, int orientation);

/* How many quarter turns clockwise `rotate` adds to an upright picture. */
int px_rotate_quarters(px_rotate rotate);

/* The one orientation that does both: makes upright, and turns by quarters, clockwise. */
int px_orientation_turned(int orientation, int quarters);

/* The smallest scale, in eighths of the source, that a decoder may give for an output that is `shrink` times smaller; 8 and above: none. */
double px_eighths_for(double shrink, px_resampling resampling);

/* The samples of one side that are looked at, of `decoded` that there are at `scale`: of a window those that are wholly inside, so that nothing
 * beside it shines in; one at least. */
void px_side_decoded(int source, int window, int window_side, double scale, int decoded, int *ret_first, int *ret_count);

#endif
