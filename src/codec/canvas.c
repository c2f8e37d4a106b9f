/* Disposal waits for the next frame, so the last one is never disposed of, and needs no room to come back. */
#include "codec/canvas.h"

#include <stdlib.h>
#include <string.h>

uint64_t px_canvas_memory(int width, int height, bool restores)
{
    return (uint64_t)width * (uint64_t)height * (restores ? 8 : 4);
}

px_status px_canvas_init(px_canvas *canvas, int width, int height, bool restores, px_error *err)
{
    *canvas = (px_canvas){ .width = width, .height = height };
    canvas->pixels = calloc((size_t)width * (size_t)height, 4);
    if (restores)
        canvas->saved = calloc((size_t)width * (size_t)height, 4);
    if (!canvas->pixels || (restores && !canvas->saved)) {
        px_canvas_done(canvas);
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for frames of %dx%d", width, height);
    }
    return PX_OK;
}

void px_canvas_done(px_canvas *canvas)
{
    free(canvas->pixels);
    free(canvas->saved);
    canvas->pixels = canvas->saved = NULL;
}

static px_rectangle clip(const px_canvas *canvas, px_rectangle r)
{
    int64_t right = (int64_t)r.x + r.width, bottom = (int64_t)r.y + r.height;
    right = right < canvas->width ? right : canvas->width;
    bottom = bottom < canvas->height ? bottom : canvas->height;
    bool outside = r.x >= right || r.y >= bottom;
    return outside ? (px_rectangle){ 0 } : (px_rectangle){ r.x, r.y, (int)right - r.x, (int)bottom - r.y };
}

/* Copies the covered rectangle; from NULL: clears it. */
static void copy_covered(const px_canvas *canvas, uint8_t *to, const uint8_t *from)
{
    px_rectangle r = canvas->covered;
    for (int y = r.y; y < r.y + r.height; y++) {
        size_t at = ((size_t)y * (size_t)canvas->width + (size_t)r.x) * 4, bytes = (size_t)r.width * 4;
        if (from)
            memcpy(to + at, from + at, bytes);
        else
            memset(to + at, 0, bytes);
    }
}

void px_canvas_begin(px_canvas *canvas, px_rectangle covers, px_disposal disposal)
{
    if (canvas->disposal == PX_DISPOSE_CLEAR)
        copy_covered(canvas, canvas->pixels, NULL);
    else if (canvas->disposal == PX_DISPOSE_RESTORE && canvas->saved)
        copy_covered(canvas, canvas->pixels, canvas->saved);
    canvas->covered = clip(canvas, covers);
    canvas->disposal = disposal;
    if (disposal == PX_DISPOSE_RESTORE && canvas->saved)
        copy_covered(canvas, canvas->saved, canvas->pixels);
}

void px_canvas_fill_missing(const px_canvas *canvas)
{
    for (size_t i = 0; i < (size_t)canvas->width * (size_t)canvas->height; i++)
        memcpy(canvas->pixels + 4 * i, (uint8_t[]){ 128, 128, 128, 0 }, 4);
}

void px_canvas_row(const px_canvas *canvas, int y, px_model model, px_alpha alpha, uint8_t *target)
{
    const uint8_t *from = px_canvas_at(canvas, 0, y);
    int colours = px_channels(model, PX_OPAQUE);
    for (int x = 0; x < canvas->width; x++, from += 4) {
        for (int c = 0; c < colours; c++)
            *target++ = from[c];
        if (alpha != PX_OPAQUE)
            *target++ = from[3];
    }
}
