/* canvas.h - the picture that an animation's frames are drawn on, one after the other.
 *
 * A frame covers a rectangle, and says what becomes of it before the next one is drawn: it stays, it is cleared, or
 * what was there before comes back. RGBA with straight alpha; the canvas begins wholly transparent. Private to src/codec. */
#ifndef PX_CODEC_CANVAS_H
#define PX_CODEC_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "codec/row.h"

typedef enum px_disposal { PX_DISPOSE_NONE, PX_DISPOSE_CLEAR, PX_DISPOSE_RESTORE } px_disposal;

typedef struct px_rectangle {
    int x, y, width, height;
} px_rectangle;

typedef struct px_canvas {
    int width, height;
    uint8_t *pixels;      /* owned; RGBA */
    uint8_t *saved;       /* owned; as pixels, or NULL where no frame restores */
    px_rectangle covered; /* by the frame drawn last, within the canvas */
    px_disposal disposal; /* of that frame */
} px_canvas;

uint64_t px_canvas_memory(int width, int height, bool restores); /* bytes */

/* `restores`: some frame is going to be PX_DISPOSE_RESTORE. */
PX_CHECKED px_status px_canvas_init(px_canvas *canvas, int width, int height, bool restores, px_error *err);
void px_canvas_done(px_canvas *canvas);

/* Before a frame is drawn: disposes of the last one, and remembers what this one wants. `covers` may reach beyond the canvas. */
void px_canvas_begin(px_canvas *canvas, px_rectangle covers, px_disposal disposal);

/* Before the first frame of a source that ends early: what is missing is grey where alpha is not shown. */
void px_canvas_fill_missing(const px_canvas *canvas);

static inline uint8_t *px_canvas_at(const px_canvas *canvas, int x, int y)
{
    return canvas->pixels + ((size_t)y * (size_t)canvas->width + (size_t)x) * 4;
}

/* A row of the canvas in another model, or without its alpha. Grey is read from red. */
void px_canvas_row(const px_canvas *canvas, int y, px_model model, px_alpha alpha, uint8_t *target);

#endif
