/* mark.h - a watermark, as a recipe asks for it: plain data that crosses to the child process with its output.
 *
 * Bytes of pictures and fonts do not cross: they are behind descriptors, which the sandbox renumbers for the child. */
#ifndef PX_IMAGE_MARK_H
#define PX_IMAGE_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/codec.h"

/* Rows of three, from the top left. */
typedef enum px_mark_position {
    PX_MARK_TOP_LEFT, PX_MARK_TOP, PX_MARK_TOP_RIGHT, PX_MARK_LEFT, PX_MARK_CENTRE, PX_MARK_RIGHT, PX_MARK_BOTTOM_LEFT, PX_MARK_BOTTOM,
    PX_MARK_BOTTOM_RIGHT, PX_MARK_POSITION_COUNT
} px_mark_position;

enum { PX_MARK_TEXT_MAX = 512 }; /* bytes */

typedef struct px_mark_spec {
    int image, font;         /* descriptors, borrowed, sealed or read only; 0: no picture; the bundled font */
    px_format image_format;  /* as the first bytes say: what to load */
    char text[PX_MARK_TEXT_MAX + 1]; /* UTF-8; "" for none */
    uint8_t colour[3];       /* of the text, sRGB */
    px_mark_position position;
    int margin;              /* percent of the output's shorter side */
    int opacity;             /* 1 to 100 percent */
    int scale;               /* percent of the output's width that the mark is wide */
    bool tiled;              /* repeated in all directions, a margin apart */
} px_mark_spec;

#define PX_MARK_SPEC_DEFAULT \
    { .colour = { 255, 255, 255 }, .position = PX_MARK_BOTTOM_RIGHT, .margin = 3, .opacity = 100, .scale = 25 }

static inline bool px_mark_is(const px_mark_spec *spec) { return spec->image || spec->text[0]; }

#endif
