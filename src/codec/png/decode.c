/* PNG in: chunks, filters, palettes and interlacing by us, inflated by libisal.
 *
 * open reads chunks up to the first IDAT; from there the IDATs are one zlib stream that is inflated as rows are asked for.
 * Rows come out as grey or RGB with 8 bits, with straight alpha if the file has any; 16 bits are rounded. An
 * interlaced picture is held whole, since its last pass touches every second row. Every chunk's CRC is checked.
 * An animation's frames (frames.h) are read likewise, one after the other, and drawn on a canvas, which is what is pulled.
 * Section numbers are those of the PNG specification, third edition. */
#include <assert.h>
#include <stdlib.h>

#include "codec/big_endian.h"
#include "codec/formats.h"
#include "codec/png/read.h"

/* 8.1: the seven passes of Adam7, and what each pixel stands for as long as the next passes are missing. */
static const struct {
    int x, y, step_x, step_y, width, height;
} passes[7] = { { 0, 0, 8, 8, 8, 8 }, { 4, 0, 8, 8, 4, 8 }, { 0, 4, 4, 8, 4, 4 }, { 2, 0, 4, 4, 2, 4 }, { 0, 2, 2, 4, 2, 2 },
                { 1, 0, 2, 2, 1, 2 }, { 0, 1, 1, 2, 1, 1 } };

/* Is this the end of a source that is accepted as it is, with something to show for it? */
static bool accepts_end(px_png_decoder *self, px_status status, bool anything)
{
    if (status != PX_TRUNCATED_IMAGE || !self->limits->truncated || !anything)
        return false;
    self->base.header.truncated = true;
    return true;
}

/* What is missing: grey, or nothing where the picture has alpha. */
static void fill_missing(const px_png_decoder *self, uint8_t *pixels, size_t count)
{
    memset(pixels, self->base.header.alpha == PX_OPAQUE ? 128 : 0, count * px_png_pixel_bytes(self));
}

/* Writes a pixel over all that it stands for: what later passes know better, they overwrite. */
static void spread_pixel(px_png_decoder *self, int pass, int x, int y, int width, int height)
{
    size_t channels = px_png_pixel_bytes(self);
    const uint8_t *pixel = self->held + ((size_t)y * (size_t)width + (size_t)x) * channels;
    for (int j = y; j < y + passes[pass].height && j < height; j++)
        for (int i = x; i < x + passes[pass].width && i < width; i++)
            if (i != x || j != y)
                memcpy(self->held + ((size_t)j * (size_t)width + (size_t)i) * channels, pixel, channels);
}

/* The next row of the pass, finished; not to be changed. */
static px_status next_row(px_png_decoder *self, int width, uint8_t **ret, px_error *err)
{
    PX_TRY(px_png_next_raw(self, ret, err));
    if (self->expand) {
        self->expand(self, *ret, (size_t)width, self->row);
        *ret = self->row;
    }
    return PX_OK;
}

static px_status read_interlaced(px_png_decoder *self, int width, int height, px_error *err)
{
    size_t channels = px_png_pixel_bytes(self);
    for (int p = 0; p < 7; p++) {
        int across = (width - passes[p].x + passes[p].step_x - 1) / passes[p].step_x;
        int down = (height - passes[p].y + passes[p].step_y - 1) / passes[p].step_y;
        if (width <= passes[p].x || height <= passes[p].y)
            continue;
        px_png_begin_pass(self, across, down);
        for (int64_t y = passes[p].y; y < height; y += passes[p].step_y) {
            uint8_t *pixels;
            px_status status = next_row(self, across, &pixels, err);
            if (accepts_end(self, status, p > 0 || y > 0))
                return PX_OK;
            PX_TRY(status);
            uint8_t *row = self->held + (size_t)y * (size_t)width * channels;
            for (int x = 0; x < across; x++) {
                memcpy(row + (size_t)(passes[p].x + x * passes[p].step_x) * channels, pixels + (size_t)x * channels, channels);
                if (self->limits->truncated)
                    spread_pixel(self, p, passes[p].x + x * passes[p].step_x, (int)y, width, height);
            }
        }
    }
    px_status status = px_png_end_rows(self, err);
    return accepts_end(self, status, true) ? PX_OK : status;
}

/* Are frames wanted, and there? */
static bool is_played(const px_png_decoder *self) { return self->base.header.frames > 1 && !self->base.wants_still; }

static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const px_png_decoder *self = (const px_png_decoder *)base;
    uint64_t width = (uint64_t)base->header.width, channels = (uint64_t)px_png_channels(self) * (base->header.deep ? 2 : 1);
    uint64_t held = self->interlaced ? width * (uint64_t)base->header.height * channels : 0;
    if (is_played(self))
        held += px_canvas_memory(base->header.width, base->header.height, self->facts.restores) + width * 4;
    return sizeof *self + px_png_rows_memory(self) + width * channels + (self->depth < 8 ? width : 0) + held;
}

/* ---- animation ---- */

/* Goes on behind the next fcTL, and to the first byte of its pixels. What lies between is not of interest. */
static px_status find_frame(px_png_decoder *self, px_error *err)
{
    self->data_type = "fdAT";
    for (bool controlled = false;;) {
        PX_TRY(px_png_chunk_begin(self, err));
        if (memcmp(self->type, "IEND", 4) == 0)
            return px_fail(err, PX_CORRUPT_IMAGE, "PNG: there is no further frame");
        if (memcmp(self->type, "fcTL", 4) == 0) {
            PX_TRY(px_png_chunk_take(self, self->control, PX_PNG_CONTROL_BYTES, err));
            PX_TRY(px_png_check_sequence(self, px_get_32(self->control), err));
            controlled = true;
        } else if (memcmp(self->type, "fdAT", 4) == 0) {
            PX_TRY(px_png_begin_data(self, err));
            if (controlled)
                return PX_OK;
        }
        PX_TRY(px_png_chunk_end(self, err));
    }
}

/* To the next frame's pixels, from wherever the one before left off. */
static px_status seek_frame(px_png_decoder *self, px_error *err)
{
    if (self->frame > 0)
        return find_frame(self, err);
    if (self->facts.still_is_first)
        return px_png_check_sequence(self, px_get_32(self->control), err);
    PX_TRY(px_png_chunk_end(self, err));
    return find_frame(self, err);
}

static px_status draw_frame(px_png_decoder *self, const px_png_frame *frame, px_error *err)
{
    const px_header *header = &self->base.header;
    int width = frame->place.width, height = frame->place.height;
    size_t channels = (size_t)px_png_channels(self);
    px_png_begin_rows(self);
    px_png_begin_pass(self, width, height);
    px_canvas_begin(&self->canvas, frame->place, frame->disposal);
    if (self->interlaced && self->limits->truncated)
        fill_missing(self, self->held, (size_t)width * (size_t)height);
    if (self->interlaced)
        PX_TRY(read_interlaced(self, width, height, err));
    for (int y = 0; y < height; y++) {
        uint8_t *row = self->interlaced ? self->held + (size_t)y * (size_t)width * channels : NULL;
        if (!self->interlaced)
            PX_TRY(next_row(self, width, &row, err));
        px_png_frame_draw(&self->canvas, frame, y, row, header->model, header->alpha);
    }
    return self->interlaced ? PX_OK : px_png_end_rows(self, err);
}

/* Where the still is all that is wanted, it stands for the first frame. */
static px_status decoder_next(px_decoder *base, int *ret_ms, px_error *err)
{
    px_png_decoder *self = (px_png_decoder *)base;
    px_png_frame frame;
    *ret_ms = 0;
    if (!is_played(self))
        return PX_OK;
    px_status status = seek_frame(self, err);
    self->pulled = 0;
    if (status == PX_OK) {
        PX_TRY(px_png_frame_parse(self->control, &base->header, self->frame == 0, &frame, err));
        *ret_ms = frame.milliseconds;
        status = draw_frame(self, &frame, err);
    }
    if (!accepts_end(self, status, self->frame > 0)) /* where the last frame is cut, what is there of it lies over the one before */
        PX_TRY(status);
    self->frame++;
    return PX_OK;
}

static px_status pull_canvas(px_png_decoder *self, px_row *ret, px_error *err)
{
    const px_header *header = &self->base.header;
    int milliseconds;
    if (self->frame == 0)
        PX_TRY(decoder_next(&self->base, &milliseconds, err));
    assert(self->pulled < header->height);
    px_canvas_row(&self->canvas, self->pulled++, header->model, header->alpha, self->row);
    *ret = px_row_of(self->row, header->width, header->model, header->alpha);
    return PX_OK;
}

/* ---- the decoder ---- */

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    px_png_decoder *self = (px_png_decoder *)base;
    size_t width = (size_t)base->header.width, channels = px_png_pixel_bytes(self);
    self->expand = px_png_choose_expansion(self);
    self->row = malloc(width * channels + PX_PNG_EXPANSION_SLACK);
    if (self->depth < 8)
        self->unpacked = malloc(width);
    if (self->interlaced)
        self->held = calloc(width * channels, (size_t)base->header.height);
    if (!self->row || (self->depth < 8 && !self->unpacked) || (self->interlaced && !self->held))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for rows of %d pixels", base->header.width);
    PX_TRY(px_png_rows_create(self, err));
    px_png_begin_rows(self);
    px_png_begin_pass(self, base->header.width, base->header.height);
    if (is_played(self))
        PX_TRY(px_canvas_init(&self->canvas, base->header.width, base->header.height, self->facts.restores, err));
    else if (self->interlaced) {
        fill_missing(self, self->held, width * (size_t)base->header.height);
        PX_TRY(read_interlaced(self, base->header.width, base->header.height, err));
    }
    *ret_width = base->header.width;
    *ret_height = base->header.height;
    return PX_OK;
}

/* The next row of a picture that is not interlaced. */
static px_status pull_streamed(px_png_decoder *self, uint8_t **row, px_error *err)
{
    int width = self->base.header.width;
    px_status status = self->base.header.truncated ? PX_TRUNCATED_IMAGE : next_row(self, width, row, err);
    if (accepts_end(self, status, self->pulled > 0)) {
        fill_missing(self, self->row, (size_t)width);
        *row = self->row;
        return PX_OK;
    }
    PX_TRY(status);
    if (self->pulled < self->base.header.height - 1)
        return PX_OK;
    status = px_png_end_rows(self, err);
    return accepts_end(self, status, true) ? PX_OK : status;
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    px_png_decoder *self = (px_png_decoder *)base;
    if (is_played(self))
        return pull_canvas(self, ret, err);
    assert(self->pulled < base->header.height);
    int width = base->header.width;
    uint8_t *row;
    if (self->interlaced)
        row = self->held + (size_t)self->pulled * (size_t)width * px_png_pixel_bytes(self);
    else
        PX_TRY(pull_streamed(self, &row, err));
    base->header.truncated |= ++self->pulled == base->header.height && self->facts.cut; /* behind this picture */
    *ret = px_row_of(row, width, base->header.model, base->header.alpha);
    if (base->wants_deep) {
        ret->depth = 16;
        ret->planes[0].stride *= 2;
    }
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    px_png_decoder *self = (px_png_decoder *)base;
    free(self->window);
    free(self->rows);
    free(self->unpacked);
    free(self->row);
    free(self->held);
    free(self->profile);
    px_buffer_done(&self->exif);
    px_buffer_done(&self->xmp);
    px_buffer_done(&self->text);
    px_canvas_done(&self->canvas);
    free(self);
}

bool px_png_is(px_bytes first) { return px_has_bytes(first, 0, "\x89PNG\r\n\x1a\n", 8); }

px_status px_png_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    px_png_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a PNG decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_PNG, .orientation = 1, .frames = 1 }, .memory = decoder_memory,
                               .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    self->source = source;
    self->limits = limits;
    self->data_type = "IDAT";
    for (int i = 0; i < 256; i++)
        self->palette[i][3] = 255;
    PX_TRY(px_png_read_head(self, err));

    bool alpha = self->colour_type == PX_PNG_GREY_ALPHA || self->colour_type == PX_PNG_COLOUR_ALPHA || self->has_key;
    if (self->has_animation)
        PX_TRY(px_png_frames_walk(source, limits, &self->base.header, &self->facts, err));
    if (self->facts.frames > 1) {
        self->base.header.frames = self->facts.frames;
        self->base.header.loops = self->facts.loops;
        self->base.next = decoder_next;
        alpha |= self->facts.holes;
    }
    self->base.header.deep = self->depth == 16 && self->base.header.frames == 1; /* canvases have 8 bits */
    self->base.header.alpha = alpha ? PX_STRAIGHT : PX_OPAQUE;
    *ret = held;
    held = NULL;
    return PX_OK;
}
