/* head.h - an SVG as XML, before anything is drawn: is it one, how large is it, and does it stay within bounds? Private to src/codec. */
#ifndef PX_CODEC_SVG_HEAD_H
#define PX_CODEC_SVG_HEAD_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"

enum {
    PX_SVG_BYTES_MAX = 64 << 20,
    PX_SVG_ELEMENTS_MAX = 200000,
    PX_SVG_DEPTH_MAX = 200,
    PX_SVG_GROWTH_MAX = 1 << 20, /* bytes that entities may add to a document */
};

typedef struct px_svg_head {
    double width, height; /* pixels of CSS, 96 to the inch; 0 for a size that makes no sense */
    int elements;
} px_svg_head;

/* Reads all of it. Sizes are as browsers have them: width and height, else the viewBox's, else 300x150. PX_UNSUPPORTED_FORMAT: it is
 * another XML, refers to other files by entities, or goes beyond a bound; PX_TRUNCATED_IMAGE, PX_CORRUPT_IMAGE: it is not well-formed;
 * PX_TOO_MANY_PIXELS: a picture that is embedded in it goes beyond the limits. */
PX_CHECKED px_status px_svg_read_head(px_bytes file, const px_limits *limits, px_svg_head *ret, px_error *err);

#endif
