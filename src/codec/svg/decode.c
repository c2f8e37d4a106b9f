/* SVG in, by librsvg: drawn as large as the output that needs the most, so that it is sharp at every size.
 *
 * The document is read by us first (head.c), which bounds what librsvg will meet. Its own size is what width, height and viewBox say;
 * whoever wants it otherwise says so before start. Alpha is always there: nothing is behind a drawing. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "codec/formats.h"
#include "codec/svg/head.h"
#include "codec/svg/library.h"

enum { SIDE_MAX = 32767 }; /* cairo's */

typedef struct svg_decoder {
    px_decoder base;
    const px_limits *limits;
    px_bytes file;      /* owned: the mapped source */
    px_svg_head head;
    uint8_t *pixels;    /* owned */
    uint8_t *row;       /* owned */
    int width, height;  /* as drawn */
    int pulled;
} svg_decoder;

static int wanted(int wants, int own) { return wants ? wants : own; }

/* The drawing, another for a group, filter or mask, the document, and what its elements become. */
static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const svg_decoder *self = (const svg_decoder *)base;
    uint64_t pixels = (uint64_t)wanted(base->wants_width, base->header.width) * (uint64_t)wanted(base->wants_height, base->header.height);
    return sizeof *self + pixels * 8 + self->file.count * 3 + (uint64_t)self->head.elements * 3072 + (UINT64_C(32) << 20);
}

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    svg_decoder *self = (svg_decoder *)base;
    self->width = wanted(base->wants_width, base->header.width);
    self->height = wanted(base->wants_height, base->header.height);
    PX_TRY(px_judge_size(self->limits, (uint32_t)self->width, (uint32_t)self->height, err));
    if (self->width > SIDE_MAX || self->height > SIDE_MAX)
        return px_fail(err, PX_TOO_MANY_PIXELS, "SVG: %dx%d pixels; no side that is drawn may be over %d", self->width, self->height, SIDE_MAX);
    self->pixels = calloc((size_t)self->width * 4, (size_t)self->height);
    self->row = malloc((size_t)self->width * 4);
    if (!self->pixels || !self->row)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a drawing of %dx%d", self->width, self->height);
    PX_TRY(px_svg_draw(self->file, self->head.width, self->head.height, self->width, self->height, self->pixels, err));
    *ret_width = self->width;
    *ret_height = self->height;
    return PX_OK;
}

static uint8_t straight(uint32_t value, uint32_t alpha)
{
    uint32_t result = (value * 255 + alpha / 2) / alpha;
    return (uint8_t)(result > 255 ? 255 : result);
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    (void)err;
    svg_decoder *self = (svg_decoder *)base;
    assert(self->pulled < self->height);
    const uint32_t *from = (const uint32_t *)(void *)self->pixels + (size_t)self->pulled++ * (size_t)self->width;
    for (int x = 0; x < self->width; x++) {
        uint32_t alpha = from[x] >> 24;
        uint8_t *to = self->row + (size_t)x * 4;
        for (int c = 0; c < 3; c++)
            to[c] = alpha ? straight(from[x] >> (16 - 8 * c) & 255, alpha) : 0;
        to[3] = (uint8_t)alpha;
    }
    *ret = px_row_of(self->row, self->width, PX_RGB, PX_STRAIGHT);
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    svg_decoder *self = (svg_decoder *)base;
    px_source_unmap(self->file);
    free(self->pixels);
    free(self->row);
    free(self);
}

/* A side in whole pixels, as what is judged: what is smaller than one is one. */
static uint32_t whole(double side) { return side <= 0 ? 0 : side < 1 ? 1 : side > UINT32_MAX ? UINT32_MAX : (uint32_t)floor(side + 0.5); }

px_status px_svg_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    svg_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for an SVG decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_SVG, .orientation = 1, .frames = 1, .model = PX_RGB, .alpha = PX_STRAIGHT, .vector = true },
                               .memory = decoder_memory, .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    self->limits = limits;
    PX_TRY(px_source_map(source, limits->input_bytes, &self->file, err));
    PX_TRY(px_svg_read_head(self->file, limits, &self->head, err));
    PX_TRY(px_judge_size(limits, whole(self->head.width), whole(self->head.height), err));
    self->base.header.width = (int)whole(self->head.width);
    self->base.header.height = (int)whole(self->head.height);
    *ret = held;
    held = NULL;
    return PX_OK;
}
