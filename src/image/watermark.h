/* watermark.h - the mark of one output: planned from headers, drawn once at its size, then laid over rows as they pass.
 *
 * A picture stands above a text if there are both, each as wide as the mark. It runs in the child: picture and font are strangers
 * there like the source, and meet the same limits. Private to src/image. */
#ifndef PX_IMAGE_WATERMARK_H
#define PX_IMAGE_WATERMARK_H

#include "base/limits.h"
#include "image/mark.h"

typedef struct px_watermark px_watermark;

/* Where the mark lies, in pixels of the output, and for a tiled one how far it is to the next (otherwise 0). */
typedef struct px_mark_box {
    int x, y, width, height;
    int step_x, step_y;
    int picture_height, text_height; /* its parts; what is left is between them */
} px_mark_box;

/* For an output of width x height. The aspects are height by width of picture and text; 0 where there is none. A mark that would
 * not fit between the margins is made smaller. Pure. */
px_mark_box px_mark_place(const px_mark_spec *spec, int width, int height, double picture_aspect, double text_aspect);

/* Looks at the picture's header and at the text; `spec` and `limits` are borrowed until close. A picture or font that cannot be used is
 * PX_BAD_RECIPE: it is the recipe that names it. */
PX_CHECKED px_status px_watermark_open(const px_mark_spec *spec, const px_limits *limits, int width, int height, px_watermark **ret,
                                       px_error *err);
bool px_watermark_is_coloured(const px_watermark *self); /* not grey alone */
uint64_t px_watermark_memory(const px_watermark *self);  /* bytes that draw will take */
PX_CHECKED px_status px_watermark_draw(px_watermark *self, px_error *err);

/* Row `y` of the output with the mark on it: `row` itself where there is none, otherwise a row of ours, until the next call. The alpha
 * is PX_OPAQUE or PX_STRAIGHT. */
uint8_t *px_watermark_blend(px_watermark *self, uint8_t *row, int y, px_model model, px_alpha alpha);
void px_watermark_close(px_watermark *self); /* NULL is accepted */

/* Loads what such a mark needs, for who cannot open files later. */
void px_watermark_prepare(const px_mark_spec *spec);

#endif
