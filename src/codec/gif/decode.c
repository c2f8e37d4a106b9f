/* GIF in: blocks and LZW by us, since both are small and every byte of them is a stranger's.
 *
 * open walks all blocks (blocks.h): frames, loops and whether anything can show through are known before the first pixel. Each frame
 * is then drawn row by row on the canvas (canvas.h), and the canvas is what is pulled. The canvas is the screen that the file
 * claims, or larger where the first frame is; what other frames have outside of it is not seen. Cleared means transparent, as in
 * browsers, not the background colour. Section numbers are those of GIF89a. */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "codec/canvas.h"
#include "codec/formats.h"
#include "codec/gif/blocks.h"
#include "codec/gif/lzw.h"

enum { LONGEST_ROW = 65535 };

typedef struct gif_decoder {
    px_decoder base;
    px_bytes bytes;         /* mapped; the whole file */
    px_gif_blocks blocks;   /* behind the frame on the canvas */
    bool restores;          /* some frame does */
    bool begun;             /* there is a frame on the canvas */
    px_canvas canvas;       /* owned */
    int pulled;             /* rows of this frame */
    uint8_t *row;           /* owned; one finished row */
    uint8_t *profile;       /* owned; or NULL */
    px_unlzw unlzw;
    uint8_t pixels[LONGEST_ROW];
} gif_decoder;

/* ---- a frame onto the canvas ---- */

static void draw_row(gif_decoder *self, const px_gif_frame *frame, int64_t y)
{
    y += frame->place.y;
    if (y >= self->canvas.height || frame->place.x >= self->canvas.width)
        return;
    int count = self->canvas.width - frame->place.x;
    count = count < frame->place.width ? count : frame->place.width;
    uint8_t *target = px_canvas_at(&self->canvas, frame->place.x, (int)y);
    const px_gif_colours *colours = &frame->colours;
    for (int x = 0; x < count; x++, target += 4) {
        int pixel = self->pixels[x];
        if (pixel == frame->transparent)
            continue;
        if (!colours->table) /* 18: whatever we like; greys, as others do */
            memset(target, pixel, 3);
        else if (pixel < colours->count)
            memcpy(target, colours->table + 3 * pixel, 3);
        else
            memset(target, 0, 3);
        target[3] = 255;
    }
}

/* Appendix E: every eighth row, then those between, in four passes. */
static const struct {
    int first, step;
} passes[] = { { 0, 8 }, { 4, 8 }, { 2, 4 }, { 1, 2 } }, whole[] = { { 0, 1 } };

/* Of a frame that is cut, the rows that are there are drawn: over the frames before, or the first on what is missing. */
static bool accepts_end(const gif_decoder *self, px_status status, bool anything)
{
    return status == PX_TRUNCATED_IMAGE && self->blocks.accepts && (anything || self->begun);
}

static px_status draw(gif_decoder *self, const px_gif_frame *frame, px_error *err)
{
    bool anything = false;
    px_canvas_begin(&self->canvas, frame->place, frame->disposal);
    if (frame->place.width == 0 || frame->place.height == 0)
        return PX_OK;
    px_status status = px_unlzw_init(&self->unlzw, self->bytes, frame->data, err);
    for (int pass = 0; pass < (frame->interlaced ? 4 : 1); pass++) {
        int first = frame->interlaced ? passes[pass].first : whole[0].first;
        int step = frame->interlaced ? passes[pass].step : whole[0].step;
        for (int y = first; y < frame->place.height; y += step) {
            if (status == PX_OK)
                status = px_unlzw_pull(&self->unlzw, self->pixels, (size_t)frame->place.width, err);
            if (status != PX_OK)
                return accepts_end(self, status, anything) ? PX_OK : status;
            draw_row(self, frame, y);
            anything = true;
        }
    }
    return PX_OK;
}

static px_status decoder_next(px_decoder *base, int *ret_ms, px_error *err)
{
    gif_decoder *self = (gif_decoder *)base;
    px_gif_frame frame;
    bool found;
    PX_TRY(px_gif_blocks_next(&self->blocks, &frame, &found, err));
    if (!found)
        return px_fail(err, PX_CORRUPT_IMAGE, "GIF: there is no further frame");
    if (self->blocks.cut && !self->begun)
        px_canvas_fill_missing(&self->canvas);
    PX_TRY(draw(self, &frame, err));
    self->begun = true;
    self->pulled = 0;
    *ret_ms = frame.milliseconds;
    return PX_OK;
}

/* ---- the header ---- */

/* Can anything show through, in any frame? What a frame leaves out shows what is below it: only a hole down to the bottom counts. */
static bool leaves_hole(const px_header *header, const px_gif_frame *frame, bool is_first)
{
    px_rectangle p = frame->place;
    bool covers = p.x == 0 && p.y == 0 && p.width >= header->width && p.height >= header->height;
    return is_first && (!covers || frame->transparent >= 0);
}

/* The canvas: the screen, enlarged to the first frame. */
static px_status choose_size(gif_decoder *self, const px_gif_frame *first, const px_limits *limits, px_error *err)
{
    int right = first->place.x + first->place.width, bottom = first->place.y + first->place.height;
    int width = right > self->blocks.width ? right : self->blocks.width;
    int height = bottom > self->blocks.height ? bottom : self->blocks.height;
    PX_TRY(px_judge_size(limits, (uint32_t)width, (uint32_t)height, err));
    self->base.header.width = width;
    self->base.header.height = height;
    return PX_OK;
}

/* Walks over all frames. Pixels outside of the canvas cost as much to decode as those inside. */
static px_status walk(gif_decoder *self, const px_limits *limits, px_error *err)
{
    px_header *header = &self->base.header;
    px_gif_blocks blocks = self->blocks;
    px_disposal disposal = PX_DISPOSE_NONE; /* of the frame before */
    uint64_t outside = 0, area = 0;
    px_gif_frame frame;
    bool found, holes = false;
    for (uint64_t frames = 0;; frames++) {
        PX_TRY(px_gif_blocks_next(&blocks, &frame, &found, err));
        if (blocks.metadata_bytes > limits->metadata_bytes)
            return px_fail(err, PX_TOO_MANY_BYTES, "GIF: more than %llu bytes of metadata (limits.metadata_bytes)",
                           (unsigned long long)limits->metadata_bytes);
        if (!found)
            break;
        if (frames == 0) {
            PX_TRY(choose_size(self, &frame, limits, err));
            area = (uint64_t)header->width * (uint64_t)header->height;
        }
        uint64_t pixels = (uint64_t)frame.place.width * (uint64_t)frame.place.height;
        outside += pixels > area ? pixels - area : 0;
        if (outside > limits->pixels)
            return px_fail(err, PX_TOO_MANY_PIXELS, "GIF: frames have more than %llu pixels outside of the picture (limits.pixels)",
                           (unsigned long long)limits->pixels);
        holes |= leaves_hole(header, &frame, frames == 0) || disposal == PX_DISPOSE_CLEAR || (frames == 1 && disposal == PX_DISPOSE_RESTORE);
        disposal = frame.disposal;
        self->restores |= disposal == PX_DISPOSE_RESTORE;
        header->frames = frames < INT_MAX ? (int)frames + 1 : INT_MAX;
    }
    if (header->frames == 0)
        return blocks.cut ? px_fail(err, PX_TRUNCATED_IMAGE, "GIF: the file ends before its first picture")
                          : px_fail(err, PX_CORRUPT_IMAGE, "GIF: there is no picture in it");
    header->truncated = blocks.cut;
    header->loops = header->frames > 1 ? blocks.loops : 0;
    header->alpha = holes ? PX_STRAIGHT : PX_OPAQUE;
    self->blocks.profile = blocks.profile;
    return PX_OK;
}

static px_status read_profile(gif_decoder *self, px_error *err)
{
    px_bytes blocks = self->blocks.profile;
    size_t count = px_gif_gather(blocks, NULL, 0);
    if (count == 0 || count > PX_PROFILE_BYTES_MAX)
        return PX_OK;
    self->profile = malloc(count);
    if (!self->profile)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a profile of %zu bytes", count);
    px_gif_gather(blocks, self->profile, count);
    self->base.header.profile = (px_bytes){ self->profile, count };
    return PX_OK;
}

/* ---- the decoder ---- */

static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const gif_decoder *self = (const gif_decoder *)base;
    return sizeof *self + px_canvas_memory(base->header.width, base->header.height, self->restores) + 4u * (uint64_t)base->header.width;
}

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    gif_decoder *self = (gif_decoder *)base;
    PX_TRY(px_canvas_init(&self->canvas, base->header.width, base->header.height, self->restores, err));
    self->row = malloc((size_t)base->header.width * 4);
    if (!self->row)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for rows of %d pixels", base->header.width);
    *ret_width = base->header.width;
    *ret_height = base->header.height;
    return PX_OK;
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    gif_decoder *self = (gif_decoder *)base;
    int milliseconds;
    if (!self->begun) /* a still */
        PX_TRY(decoder_next(base, &milliseconds, err));
    assert(self->pulled < base->header.height);
    px_canvas_row(&self->canvas, self->pulled++, base->header.model, base->header.alpha, self->row);
    *ret = px_row_of(self->row, base->header.width, base->header.model, base->header.alpha);
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    gif_decoder *self = (gif_decoder *)base;
    px_canvas_done(&self->canvas);
    px_source_unmap(self->bytes);
    free(self->row);
    free(self->profile);
    free(self);
}

bool px_gif_is(px_bytes first) { return px_has_bytes(first, 0, "GIF87a", 6) || px_has_bytes(first, 0, "GIF89a", 6); }

px_status px_gif_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    gif_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a GIF decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_GIF, .model = PX_RGB, .orientation = 1 }, .memory = decoder_memory,
                               .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    PX_TRY(px_source_map(source, limits->input_bytes, &self->bytes, err));
    PX_TRY(px_gif_blocks_init(&self->blocks, self->bytes, err));
    self->blocks.accepts = limits->truncated;
    PX_TRY(walk(self, limits, err));
    PX_TRY(read_profile(self, err));
    if (self->base.header.frames > 1)
        self->base.next = decoder_next;
    *ret = held;
    held = NULL;
    return PX_OK;
}
