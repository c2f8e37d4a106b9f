/* size.h - how a fit becomes numbers: the canvas, the picture on it, and the part of the source that is shown. */
#ifndef PX_IMAGE_SIZE_H
#define PX_IMAGE_SIZE_H

#include "image/image.h"

/* In upright coordinates. The picture lies centred on the canvas; it is smaller only for PX_FIT_CONTAIN. */
typedef struct px_layout {
    int width, height;                 /* of the canvas, which is the output */
    int picture_width, picture_height;
    double part_width, part_height;    /* of the source; centred; smaller than it only for PX_FIT_COVER */
} px_layout;

px_layout px_layout_of(const px_output_spec *spec, int width, int height);

#endif
