/* The mark is held as premultiplied RGBA of its size on the output; opacity comes in while it is laid over, so that nothing is
 * rounded twice. Blending is in sRGB as it is stored, as every other program does it. */
#include "image/watermark.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "codec/codec.h"
#include "image/colour.h"
#include "image/font/font.h"
#include "image/letters.h"
#include "image/orient.h"
#include "image/resample.h"

struct px_watermark {
    const px_mark_spec *spec;
    int canvas_width;
    px_mark_box box;
    px_source source;      /* borrows the descriptor */
    px_decoder *decoder;   /* owned; NULL without a picture, and once it was drawn */
    bool is_grey;          /* the picture */
    px_bytes font;         /* mapped, or the bundled one */
    bool is_mapped;
    px_letters *letters;   /* owned; NULL without a text, and once it was drawn */
    uint8_t *pixels;       /* owned; width * height * 4 */
    uint8_t *row;          /* owned; one row of the output */
};

/* ---- where ---- */

static int at_least_1(double value) { return value < 1 ? 1 : (int)lround(value); }

/* The parts' heights at this width; returns the height of it all. */
static int stack(px_mark_box *box, double picture_aspect, double text_aspect)
{
    box->picture_height = picture_aspect > 0 ? at_least_1(box->width * picture_aspect) : 0;
    box->text_height = text_aspect > 0 ? at_least_1(box->width * text_aspect) : 0;
    int gap = box->picture_height && box->text_height ? (box->text_height + 2) / 4 : 0;
    return box->picture_height + gap + box->text_height;
}

px_mark_box px_mark_place(const px_mark_spec *spec, int width, int height, double picture_aspect, double text_aspect)
{
    int shorter = width < height ? width : height, margin = (int)lround(shorter * spec->margin / 100.0);
    int room_x = width - 2 * margin, room_y = height - 2 * margin;
    room_x = room_x < 1 ? 1 : room_x;
    room_y = room_y < 1 ? 1 : room_y;
    px_mark_box box = { .width = at_least_1(width * spec->scale / 100.0) };
    box.width = box.width > room_x ? room_x : box.width;
    box.height = stack(&box, picture_aspect, text_aspect);
    if (box.height > room_y) {
        box.width = at_least_1((double)box.width * room_y / box.height);
        while ((box.height = stack(&box, picture_aspect, text_aspect)) > room_y && box.width > 1)
            box.width--;
    }
    if (box.height > room_y) { /* one pixel wide and still too high: cut the parts to what there is */
        box.text_height = box.text_height > room_y ? room_y : box.text_height;
        box.picture_height = box.picture_height > room_y - box.text_height ? room_y - box.text_height : box.picture_height;
        box.height = box.picture_height + box.text_height;
    }
    int column = spec->position % 3, line = spec->position / 3;
    box.x = column == 0 ? margin : column == 1 ? (width - box.width) / 2 : width - margin - box.width;
    box.y = line == 0 ? margin : line == 1 ? (height - box.height) / 2 : height - margin - box.height;
    box.step_x = spec->tiled ? box.width + margin : 0;
    box.step_y = spec->tiled ? box.height + margin : 0;
    return box;
}

/* ---- open ---- */

/* What is wrong with the mark's picture is a mistake of the recipe; what is short here is not. */
static px_status blame(px_status status, px_error *err)
{
    static const px_status of_picture[] = { PX_UNSUPPORTED_FORMAT, PX_CORRUPT_IMAGE, PX_TRUNCATED_IMAGE, PX_TOO_MANY_PIXELS, PX_TOO_MANY_BYTES,
                                            PX_TOO_MANY_FRAMES };
    for (size_t i = 0; i < sizeof of_picture / sizeof *of_picture; i++)
        if (status == of_picture[i]) {
            px_error why = err ? *err : (px_error){ "" };
            return px_fail(err, PX_BAD_RECIPE, "the watermark's picture cannot be used: %.320s", why.message);
        }
    return status;
}

/* A source that borrows. */
static px_status source_of(int fd, px_source *ret, px_error *err)
{
    struct stat about;
    if (fstat(fd, &about) != 0)
        return px_fail(err, PX_INTERNAL, "the watermark's bytes are not there");
    *ret = (px_source){ .fd = fd, .state_fd = -1, .bytes = (uint64_t)about.st_size };
    return PX_OK;
}

static px_status open_picture(px_watermark *self, const px_limits *limits, double *ret_aspect, px_error *err)
{
    PX_TRY(source_of(self->spec->image, &self->source, err));
    px_status status = px_decoder_open(&self->source, limits, &self->decoder, err);
    if (status != PX_OK)
        return blame(status, err);
    const px_header *header = &self->decoder->header;
    double aspect = (double)header->height / header->width;
    *ret_aspect = px_orientation_turns(header->orientation) ? 1 / aspect : aspect;
    self->is_grey = header->model == PX_GREY;
    return PX_OK;
}

static px_status open_text(px_watermark *self, double *ret_aspect, px_error *err)
{
    self->font = px_font_bundled();
    if (self->spec->font) {
        px_source source;
        PX_TRY(source_of(self->spec->font, &source, err));
        PX_TRY(px_source_map(&source, UINT32_MAX, &self->font, err));
        self->is_mapped = true;
    }
    PX_TRY(px_letters_open(self->spec->text, self->font, &self->letters, err));
    *ret_aspect = px_letters_aspect(self->letters);
    return PX_OK;
}

/* The picture's part, as stored: before it is turned upright. */
static void picture_size(const px_watermark *self, int *ret_width, int *ret_height)
{
    bool turned = px_orientation_turns(self->decoder->header.orientation);
    *ret_width = turned ? self->box.picture_height : self->box.width;
    *ret_height = turned ? self->box.width : self->box.picture_height;
}

static void watermark_done(px_watermark **self) { px_watermark_close(*self); }

px_status px_watermark_open(const px_mark_spec *spec, const px_limits *limits, int width, int height, px_watermark **ret, px_error *err)
{
    double picture_aspect = 0, text_aspect = 0;
    PX_AUTO(watermark_done) px_watermark *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a watermark");
    self->spec = spec;
    self->canvas_width = width;
    self->source = PX_SOURCE_NONE;
    self->is_grey = true;
    if (spec->image)
        PX_TRY(open_picture(self, limits, &picture_aspect, err));
    if (spec->text[0])
        PX_TRY(open_text(self, &text_aspect, err));
    self->box = px_mark_place(spec, width, height, picture_aspect, text_aspect);
    if (self->decoder) /* a drawing is drawn at that size */
        picture_size(self, &self->decoder->wants_width, &self->decoder->wants_height);
    *ret = self;
    self = NULL;
    return PX_OK;
}

bool px_watermark_is_coloured(const px_watermark *self)
{
    const uint8_t *c = self->spec->colour;
    return !self->is_grey || (self->spec->text[0] && (c[0] != c[1] || c[1] != c[2]));
}

static px_resample_spec scaling_of(const px_watermark *self)
{
    const px_header *header = &self->decoder->header;
    px_resample_spec spec = { .channels = 4 };
    picture_size(self, &spec.target_width, &spec.target_height);
    spec.source_width = header->vector ? spec.target_width : header->width;
    spec.source_height = header->vector ? spec.target_height : header->height;
    spec.width = spec.source_width;
    spec.height = spec.source_height;
    return spec;
}

uint64_t px_watermark_memory(const px_watermark *self)
{
    uint64_t bytes = (uint64_t)self->box.width * (uint64_t)self->box.height * 4 + (uint64_t)self->canvas_width * 4;
    if (self->letters)
        bytes += self->font.count + (uint64_t)self->box.width * (uint64_t)self->box.text_height;
    if (self->decoder) {
        px_resample_spec scaling = scaling_of(self);
        bytes += self->decoder->memory(self->decoder, 8) + px_resample_memory(&scaling) + (uint64_t)scaling.source_width * 8 +
                 (uint64_t)self->box.width * (uint64_t)self->box.picture_height * 4 + self->decoder->header.profile.count;
    }
    return bytes;
}

/* ---- draw ---- */

/* A decoded row as premultiplied RGBA. */
static void expand(const uint8_t *row, int width, px_model model, px_alpha alpha, uint8_t *target)
{
    int colours = px_channels(model, PX_OPAQUE), channels = px_channels(model, alpha);
    for (int x = 0; x < width; x++, row += channels, target += 4) {
        unsigned opaque = alpha == PX_OPAQUE ? 255 : row[colours];
        for (int c = 0; c < 3; c++)
            target[c] = (uint8_t)px_over_255(row[colours == 1 ? 0 : c] * opaque);
        target[3] = (uint8_t)opaque;
    }
}

/* What is needed while the picture is drawn, and no longer. */
struct drawing {
    px_resample *resample;
    px_colour *colour;
    uint8_t *wide;      /* one row of the source, premultiplied */
    uint8_t *converted; /* one row of the source in sRGB */
    uint8_t *stored;    /* the scaled picture, before it is turned */
};

static void drawing_done(struct drawing *drawing)
{
    px_resample_destroy(drawing->resample);
    px_colour_destroy(drawing->colour);
    free(drawing->wide);
    free(drawing->converted);
    free(drawing->stored);
}

/* The picture at its size, as stored, into drawing->stored. */
static px_status scale_picture(px_watermark *self, struct drawing *drawing, const px_resample_spec *scaling, px_error *err)
{
    px_decoder *decoder = self->decoder;
    const px_header *header = &decoder->header;
    int width, height, milliseconds;
    bool scaled = scaling->target_width != scaling->source_width || scaling->target_height != scaling->source_height;
    size_t stride = (size_t)scaling->target_width * 4;
    if (!header->inks)
        PX_TRY(px_colour_create(header->profile, header->model, header->alpha != PX_OPAQUE, &drawing->colour, err));
    if (scaled)
        PX_TRY(px_resample_create(scaling, &drawing->resample, err));
    PX_TRY(decoder->start(decoder, 8, &width, &height, err));
    if (decoder->next)
        PX_TRY(decoder->next(decoder, &milliseconds, err));
    uint8_t *target = drawing->stored;
    for (int y = 0; y < height; y++) {
        px_row row;
        PX_TRY(decoder->pull(decoder, &row, err));
        uint8_t *samples = row.planes[0].samples;
        if (drawing->colour) {
            px_colour_convert(drawing->colour, samples, width, drawing->converted);
            samples = drawing->converted;
        }
        expand(samples, width, header->model, header->alpha, scaled ? drawing->wide : target);
        if (!scaled) {
            target += stride;
            continue;
        }
        px_resample_push(drawing->resample, drawing->wide);
        while (px_resample_pull(drawing->resample, target))
            target += stride;
    }
    assert(target == drawing->stored + stride * (size_t)scaling->target_height);
    return PX_OK;
}

static px_status draw_picture(px_watermark *self, px_error *err)
{
    PX_AUTO(drawing_done) struct drawing drawing = { 0 };
    px_resample_spec scaling = scaling_of(self);
    drawing.wide = malloc((size_t)scaling.source_width * 4);
    drawing.converted = malloc((size_t)scaling.source_width * 4);
    drawing.stored = malloc((size_t)scaling.target_width * (size_t)scaling.target_height * 4);
    if (!drawing.wide || !drawing.converted || !drawing.stored)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a watermark of %dx%d", self->box.width, self->box.height);
    px_status status = scale_picture(self, &drawing, &scaling, err);
    if (status != PX_OK)
        return blame(status, err);
    int orientation = self->decoder->header.orientation;
    for (int y = 0; y < self->box.picture_height; y++) {
        const uint8_t *from = drawing.stored + (px_orientation_streams(orientation) ? (size_t)y * (size_t)scaling.target_width * 4 : 0);
        px_orient_row(from, scaling.target_width, scaling.target_height, 4, orientation, y, self->pixels + (size_t)y * (size_t)self->box.width * 4);
    }
    px_decoder_close(&self->decoder);
    return PX_OK;
}

static px_status draw_text(px_watermark *self, px_error *err)
{
    size_t count = (size_t)self->box.width * (size_t)self->box.text_height;
    uint8_t *coverage = calloc(count, 1);
    if (!coverage)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a watermark of %dx%d", self->box.width, self->box.height);
    px_status status = px_letters_draw(self->letters, self->box.width, self->box.text_height, coverage, err);
    uint8_t *target = self->pixels + (size_t)(self->box.height - self->box.text_height) * (size_t)self->box.width * 4;
    for (size_t i = 0; i < count; i++, target += 4) {
        for (int c = 0; c < 3; c++)
            target[c] = (uint8_t)px_over_255((unsigned)self->spec->colour[c] * coverage[i]);
        target[3] = coverage[i];
    }
    free(coverage);
    px_letters_close(self->letters);
    self->letters = NULL;
    return status;
}

px_status px_watermark_draw(px_watermark *self, px_error *err)
{
    self->pixels = calloc((size_t)self->box.width * (size_t)self->box.height, 4);
    self->row = malloc((size_t)self->canvas_width * 4);
    if (!self->pixels || !self->row)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a watermark of %dx%d", self->box.width, self->box.height);
    if (self->decoder && self->box.picture_height)
        PX_TRY(draw_picture(self, err));
    if (self->letters)
        PX_TRY(draw_text(self, err));
    return PX_OK;
}

/* ---- blend ---- */

/* The mark's line that lies on row `y`; -1 if none does. */
static int line_at(const px_watermark *self, int y)
{
    int line = y - self->box.y, step = self->box.step_y;
    if (step)
        line = (line % step + step) % step;
    return line >= 0 && line < self->box.height ? line : -1;
}

/* One pixel, `grey` or RGB. Mark over canvas: with the mark's alpha m = alpha * opacity, its premultiplied colour C, and the canvas's
 * colour c and alpha a, the new alpha is m + a (1 - m) and the new colour (C * opacity + c a (1 - m)) / that. In wholes of 25500: 255
 * for an alpha, 100 for the opacity. */
static void lay_pixel(const uint8_t *mark, unsigned opacity, int colours, bool opaque, uint8_t *pixel)
{
    uint32_t alpha = opaque ? 255 : pixel[colours], ours = mark[3] * opacity, rest = alpha * (25500 - ours), sum = ours * 255 + rest;
    for (int c = 0; c < colours; c++) {
        uint64_t value = ((uint64_t)mark[c] * opacity * 65025 + (uint64_t)pixel[c] * rest + sum / 2) / sum;
        pixel[c] = (uint8_t)(value > 255 ? 255 : value);
    }
    if (!opaque)
        pixel[colours] = (uint8_t)((sum + 12750) / 25500);
}

/* One line of the mark on the row, from column `x` on; what lies beside the canvas is left out. */
static void lay_line(const px_watermark *self, const uint8_t *line, int x, int colours, bool opaque)
{
    int first = x < 0 ? -x : 0, count = self->box.width, channels = colours + !opaque;
    if (x + count > self->canvas_width)
        count = self->canvas_width - x;
    for (int i = first; i < count; i++)
        if (line[4 * i + 3])
            lay_pixel(line + 4 * i, (unsigned)self->spec->opacity, colours, opaque, self->row + (size_t)(x + i) * (size_t)channels);
}

uint8_t *px_watermark_blend(px_watermark *self, uint8_t *row, int y, px_model model, px_alpha alpha)
{
    int at = line_at(self, y), colours = px_channels(model, PX_OPAQUE), step = self->box.step_x;
    if (at < 0)
        return row;
    memcpy(self->row, row, (size_t)self->canvas_width * (size_t)px_channels(model, alpha));
    const uint8_t *line = self->pixels + (size_t)at * (size_t)self->box.width * 4;
    int x = self->box.x;
    if (!step) {
        lay_line(self, line, x, colours, alpha == PX_OPAQUE);
        return self->row;
    }
    for (x = x % step - step; x < self->canvas_width; x += step)
        lay_line(self, line, x, colours, alpha == PX_OPAQUE);
    return self->row;
}

void px_watermark_close(px_watermark *self)
{
    if (!self)
        return;
    px_decoder_close(&self->decoder);
    px_letters_close(self->letters);
    if (self->is_mapped)
        px_source_unmap(self->font);
    free(self->pixels);
    free(self->row);
    free(self);
}

void px_watermark_prepare(const px_mark_spec *spec)
{
    if (spec->image && spec->image_format > PX_FORMAT_KEEP && spec->image_format < PX_FORMAT_COUNT)
        (void)!px_format_load(spec->image_format, NULL);
    if (spec->text[0])
        px_letters_prepare();
}
