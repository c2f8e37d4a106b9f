/* One decode, N outputs.
 *
 * Each output is a lane: resampler, orientation, alpha, canvas, encoder. A decoded row is pushed into every lane, and
 * each lane passes on the rows that became ready. Sizes are computed upright and mapped back, so a picture
 * is turned after it was scaled, at output size. All memory is planned and judged from the header; then taken; then
 * the first pixel is decoded. */
#include "image/image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "image/colour.h"
#include "image/orient.h"
#include "image/resample.h"
#include "image/size.h"

/* Scaled decoding leaves the resampler at least this much to do: below it, its blur would show. */
static const double scale_margin = 1.75;

typedef struct lane {
    const px_output_spec *spec;
    px_layout layout;          /* as the encoder sees it: upright if the picture is turned, as stored if not */
    int turn;                  /* orientation to apply, 1 to 8 */
    int stored_width, stored_height; /* of the scaled picture, before it is turned */
    px_encoder_spec encoding;
    px_resample_spec scaling;
    bool scaled;               /* false: rows keep their size and go by untouched */
    px_model model;            /* of rows in front of `finish_row` */
    px_alpha alpha;            /* of rows in front of `finish_row` */
    int channels;              /* likewise */
    int rows;                  /* passed on by the resampler */

    px_resample *resample;     /* owned, or NULL */
    px_encoder *encoder;       /* owned */
    uint8_t *row;              /* owned; one row of the scaled picture */
    uint8_t *turned;           /* owned; one turned row */
    uint8_t *held;             /* owned; the scaled picture, if its orientation cannot stream; or NULL */
    uint8_t *canvas;           /* owned; one row of the output */
    const px_colour *colour;   /* borrowed; NULL if the colours stay */
    uint8_t *converted;        /* owned; one row in sRGB, alpha straight */
} lane;

typedef struct transform {
    px_decoder *decoder; /* owned */
    int eighths;
    int width, height;   /* of decoded rows */
    uint8_t *premultiplied; /* owned; one decoded row, if a lane with alpha scales */
    px_colour *colour;      /* owned; NULL if the source is in sRGB, or no lane wants to be */
    px_colour *inks;        /* owned; from the source's CMYK to sRGB, by its profile; or NULL */
    uint8_t *light;         /* owned; one decoded row of that */
    lane lanes[PX_LIMIT_OUTPUTS];
    int count;
} transform;

static void transform_done(transform *self)
{
    for (int i = 0; i < self->count; i++) {
        lane *l = &self->lanes[i];
        px_resample_destroy(l->resample);
        px_encoder_close(&l->encoder);
        free(l->row);
        free(l->turned);
        free(l->held);
        free(l->canvas);
        free(l->converted);
    }
    free(self->premultiplied);
    px_colour_destroy(self->colour);
    px_colour_destroy(self->inks);
    free(self->light);
    px_decoder_close(&self->decoder);
}

static void swap(int *a, int *b)
{
    int t = *a;
    *a = *b;
    *b = t;
}

static void swap_layout(px_layout *l)
{
    swap(&l->width, &l->height);
    swap(&l->picture_width, &l->picture_height);
    double part = l->part_width;
    l->part_width = l->part_height;
    l->part_height = part;
}

/* What one output will be; nothing is allocated yet. */
static px_status plan_lane(lane *l, const px_output_spec *spec, const px_header *header, px_error *err)
{
    bool turned = px_orientation_turns(header->orientation);
    px_layout layout = turned ? px_layout_of(spec, header->height, header->width)
                              : px_layout_of(spec, header->width, header->height);
    px_layout stored = layout;
    if (turned)
        swap_layout(&stored);
    px_format format = spec->format == PX_FORMAT_KEEP ? header->format : spec->format;
    bool padded = layout.width != layout.picture_width || layout.height != layout.picture_height;
    bool opaque = header->alpha == PX_OPAQUE || padded || !px_format_has_alpha(format);
    bool coloured = spec->background[0] != spec->background[1] || spec->background[1] != spec->background[2];
    bool covered = padded || (header->alpha != PX_OPAQUE && opaque); /* the background shows */

    *l = (lane){
        .spec = spec,
        .layout = spec->rotate ? layout : stored,
        .turn = spec->rotate ? header->orientation : 1,
        .stored_width = stored.picture_width,
        .stored_height = stored.picture_height,
        .scaled = stored.picture_width != header->width || stored.picture_height != header->height,
        .model = header->model,
        .channels = px_channels(header->model, header->alpha),
    };
    l->alpha = header->alpha == PX_OPAQUE ? PX_OPAQUE : l->scaled ? PX_PREMULTIPLIED : PX_STRAIGHT;
    l->scaling = (px_resample_spec){ .width = stored.part_width, .height = stored.part_height,
                                     .target_width = stored.picture_width, .target_height = stored.picture_height,
                                     .channels = l->channels };
    l->encoding = (px_encoder_spec){ .format = format, .width = l->layout.width, .height = l->layout.height,
                                     .model = covered && coloured ? PX_RGB : header->model,
                                     .alpha = opaque ? PX_OPAQUE : PX_STRAIGHT,
                                     .quality = spec->quality < 1 ? 1 : spec->quality > 100 ? 100 : spec->quality,
                                     .orientation = spec->rotate ? 1 : header->orientation };
    if (spec->colour == PX_COLOUR_KEEP && l->encoding.model == header->model && !header->inks)
        l->encoding.profile = header->profile;
    int side = px_format_side(format);
    if (layout.width > side || layout.height > side)
        return px_fail(err, PX_BAD_RECIPE, "%s cannot hold %dx%d pixels", px_format_name(format), layout.width,
                       layout.height);
    return PX_OK;
}

/* The smallest scale of the decoder that leaves every lane enough to work on. */
static int choose_eighths(const transform *self)
{
    const px_header *header = &self->decoder->header;
    for (int eighths = header->scalable ? 1 : 8; eighths < 8; eighths *= 2) {
        bool enough = true;
        for (int i = 0; i < self->count; i++) {
            const px_resample_spec *s = &self->lanes[i].scaling;
            enough = enough && s->width * eighths / 8.0 >= scale_margin * s->target_width
                            && s->height * eighths / 8.0 >= scale_margin * s->target_height;
        }
        if (enough)
            return eighths;
    }
    return 8;
}

/* Maps the part of the source that a lane shows (centred) to decoded pixels. */
static void plan_scaling(transform *self, lane *l)
{
    double scale = self->eighths / 8.0;
    const px_header *header = &self->decoder->header;
    px_resample_spec *s = &l->scaling;
    s->source_width = (header->width * self->eighths + 7) / 8;
    s->source_height = (header->height * self->eighths + 7) / 8;
    s->x = (header->width - s->width) / 2.0 * scale;
    s->y = (header->height - s->height) / 2.0 * scale;
    s->width *= scale;
    s->height *= scale;
}

static uint64_t picture_bytes(const lane *l)
{
    return (uint64_t)l->stored_width * (uint64_t)l->stored_height * (unsigned)l->channels;
}

static uint64_t lane_memory(const lane *l)
{
    uint64_t bytes = px_encoder_memory(&l->encoding);
    if (l->scaled)
        bytes += px_resample_memory(&l->scaling);
    if (!px_orientation_streams(l->turn))
        bytes += picture_bytes(l);
    return bytes + 4u * (2u * (uint64_t)l->layout.width + 2u * (uint64_t)l->stored_width + (uint64_t)l->stored_height);
}

static uint64_t memory_budget(const px_limits *limits)
{
    if (limits->memory_bytes)
        return limits->memory_bytes;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 2 : UINT64_C(512) << 20;
}

static px_status plan(transform *self, const px_limits *limits, const px_output_spec *specs, int count,
                      uint64_t *ret_memory, px_error *err)
{
    const px_header *header = &self->decoder->header;
    for (int i = 0; i < count; i++) {
        PX_TRY(plan_lane(&self->lanes[i], &specs[i], header, err));
        self->count = i + 1;
    }
    self->eighths = choose_eighths(self);
    uint64_t memory = self->decoder->memory(self->decoder, self->eighths) + (uint64_t)header->width * (header->inks ? 7 : 4) + header->profile.count * 2;
    for (int i = 0; i < count; i++) {
        plan_scaling(self, &self->lanes[i]);
        memory += lane_memory(&self->lanes[i]);
    }
    uint64_t budget = memory_budget(limits);
    if (memory > budget)
        return px_fail(err, PX_OUT_OF_MEMORY, "%dx%d pixels into %d outputs need %llu MiB; the budget is %llu MiB"
                       " (limits.memory)", header->width, header->height, count,
                       (unsigned long long)(memory >> 20), (unsigned long long)(budget >> 20));
    *ret_memory = memory;
    return PX_OK;
}

static px_status open_lane(lane *l, int fd, px_error *err)
{
    int longest = l->stored_width > l->stored_height ? l->stored_width : l->stored_height;
    l->row = malloc((size_t)l->stored_width * 4);
    l->turned = malloc((size_t)longest * 4);
    l->canvas = malloc((size_t)l->layout.width * 4);
    if (!px_orientation_streams(l->turn))
        l->held = malloc((size_t)picture_bytes(l));
    if (l->colour)
        l->converted = malloc((size_t)l->layout.picture_width * 4);
    if (!l->row || !l->turned || !l->canvas || (l->colour && !l->converted) || (!l->held && !px_orientation_streams(l->turn)))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for an output of %dx%d", l->layout.width, l->layout.height);
    if (l->scaled)
        PX_TRY(px_resample_create(&l->scaling, &l->resample, err));
    return px_encoder_open(&l->encoding, fd, &l->encoder, err);
}

static unsigned over_255(unsigned value) { return (value + 127) / 255; }

static void premultiply(const uint8_t *row, int width, int channels, uint8_t *target)
{
    for (int x = 0; x < width; x++, row += channels, target += channels) {
        unsigned alpha = row[channels - 1];
        for (int c = 0; c < channels - 1; c++)
            target[c] = (uint8_t)over_255(row[c] * alpha);
        target[channels - 1] = (uint8_t)alpha;
    }
}

static unsigned divide_by(unsigned alpha, unsigned value) { return alpha == 0 ? 0 : (value * 255 + alpha / 2) / alpha; }

static void straighten(const uint8_t *row, int width, int channels, uint8_t *target)
{
    for (int x = 0; x < width; x++, row += channels, target += channels) {
        unsigned alpha = row[channels - 1];
        for (int c = 0; c < channels - 1; c++) {
            unsigned value = divide_by(alpha, row[c]);
            target[c] = (uint8_t)(value > 255 ? 255 : value);
        }
        target[channels - 1] = (uint8_t)alpha;
    }
}

/* The row in sRGB, if it is in other colours; *alpha is what its alpha is then. */
static uint8_t *convert_row(const lane *l, uint8_t *row, px_alpha *alpha)
{
    const uint8_t *from = row;
    if (!l->colour)
        return row;
    if (*alpha == PX_PREMULTIPLIED) {
        straighten(row, l->layout.picture_width, l->channels, l->converted);
        from = l->converted;
        *alpha = PX_STRAIGHT;
    }
    px_colour_convert(l->colour, from, l->layout.picture_width, l->converted);
    return l->converted;
}

/* One picture pixel, of a row with such alpha, as the encoder wants it: alpha straight or laid on the background. */
static void finish_pixel(const lane *l, px_alpha kind, const uint8_t *pixel, uint8_t *target)
{
    int colours = px_channels(l->model, PX_OPAQUE), out = px_channels(l->encoding.model, PX_OPAQUE);
    unsigned alpha = kind == PX_OPAQUE ? 255 : pixel[colours];
    for (int c = 0; c < out; c++) {
        unsigned value = pixel[colours == 1 ? 0 : c];
        if (l->encoding.alpha != PX_OPAQUE) {
            if (kind == PX_PREMULTIPLIED)
                value = divide_by(alpha, value);
        } else {
            if (kind == PX_STRAIGHT)
                value = over_255(value * alpha);
            value += over_255(l->spec->background[c] * (255 - alpha));
        }
        target[c] = (uint8_t)(value > 255 ? 255 : value);
    }
    if (l->encoding.alpha != PX_OPAQUE)
        target[out] = (uint8_t)alpha;
}

static void fill_background(const lane *l)
{
    int channels = px_channels(l->encoding.model, l->encoding.alpha);
    for (int x = 0; x < l->layout.width; x++)
        for (int c = 0; c < channels; c++)
            l->canvas[x * channels + c] = l->spec->background[c];
}

static px_status push_canvas(lane *l, uint8_t *samples, px_error *err)
{
    px_row row = px_row_of(samples, l->layout.width, l->encoding.model, l->encoding.alpha);
    return l->encoder->push(l->encoder, &row, err);
}

static px_status push_padding(lane *l, int rows, px_error *err)
{
    if (rows > 0)
        fill_background(l);
    for (int y = 0; y < rows; y++)
        PX_TRY(push_canvas(l, l->canvas, err));
    return PX_OK;
}

/* A row of the turned picture, on its way out. */
static px_status finish_row(lane *l, uint8_t *row, int y, px_error *err)
{
    int above = (l->layout.height - l->layout.picture_height) / 2;
    int left = (l->layout.width - l->layout.picture_width) / 2;
    bool padded = l->layout.width != l->layout.picture_width;
    if (y == 0) {
        PX_TRY(push_padding(l, above, err));
        if (padded)
            fill_background(l);
    }
    px_alpha alpha = l->alpha;
    row = convert_row(l, row, &alpha);
    if (!padded && alpha == PX_OPAQUE && l->model == l->encoding.model) {
        PX_TRY(push_canvas(l, row, err));
    } else {
        uint8_t *target = l->canvas + left * px_channels(l->encoding.model, l->encoding.alpha);
        int out = px_channels(l->encoding.model, l->encoding.alpha);
        for (int x = 0; x < l->layout.picture_width; x++)
            finish_pixel(l, alpha, row + x * l->channels, target + x * out);
        PX_TRY(push_canvas(l, l->canvas, err));
    }
    if (y == l->layout.picture_height - 1)
        PX_TRY(push_padding(l, l->layout.height - l->layout.picture_height - above, err));
    return PX_OK;
}

/* A row of the scaled picture: passed on, mirrored, or held until the last. */
static px_status turn_row(lane *l, uint8_t *row, px_error *err)
{
    int y = l->rows++;
    if (l->turn == 1)
        return finish_row(l, row, y, err);
    if (px_orientation_streams(l->turn)) {
        px_orient_row(row, l->stored_width, 1, l->channels, l->turn, 0, l->turned);
        return finish_row(l, l->turned, y, err);
    }
    size_t bytes = (size_t)l->stored_width * (size_t)l->channels;
    memcpy(l->held + (size_t)y * bytes, row, bytes);
    if (l->rows < l->stored_height)
        return PX_OK;
    for (int i = 0; i < l->layout.picture_height; i++) {
        px_orient_row(l->held, l->stored_width, l->stored_height, l->channels, l->turn, i, l->turned);
        PX_TRY(finish_row(l, l->turned, i, err));
    }
    return PX_OK;
}

static px_status run_lane(lane *l, uint8_t *straight, const uint8_t *premultiplied, px_error *err)
{
    if (!l->scaled)
        return turn_row(l, straight, err);
    px_resample_push(l->resample, l->alpha == PX_OPAQUE ? straight : premultiplied);
    while (px_resample_pull(l->resample, l->row))
        PX_TRY(turn_row(l, l->row, err));
    return PX_OK;
}

static px_status run(transform *self, px_error *err)
{
    const px_header *header = &self->decoder->header;
    int channels = px_channels(header->model, header->alpha);
    for (int y = 0; y < self->height; y++) {
        px_row row;
        PX_TRY(self->decoder->pull(self->decoder, &row, err));
        uint8_t *samples = row.planes[0].samples;
        if (self->inks) {
            px_colour_convert(self->inks, samples, self->width, self->light);
            samples = self->light;
        }
        if (self->premultiplied)
            premultiply(samples, self->width, channels, self->premultiplied);
        for (int i = 0; i < self->count; i++)
            PX_TRY(run_lane(&self->lanes[i], samples, self->premultiplied, err));
    }
    return PX_OK;
}

/* Inks become sRGB in front of all lanes, since no output holds them. Else one conversion behind the lanes that want it. */
static px_status choose_colours(transform *self, px_error *err)
{
    const px_header *header = &self->decoder->header;
    bool wanted = false;
    for (int i = 0; i < self->count; i++)
        wanted |= self->lanes[i].spec->colour == PX_COLOUR_SRGB;
    if (header->inks) {
        PX_TRY(px_colour_create(header->profile, PX_CMYK, false, &self->inks, err));
        self->decoder->wants_inks = self->inks != NULL;
    } else if (wanted)
        PX_TRY(px_colour_create(header->profile, header->model, header->alpha != PX_OPAQUE, &self->colour, err));
    for (int i = 0; i < self->count; i++)
        self->lanes[i].colour = self->lanes[i].spec->colour == PX_COLOUR_SRGB ? self->colour : NULL;
    return PX_OK;
}

static px_status start(transform *self, const int *output_fds, px_error *err)
{
    const px_header *header = &self->decoder->header;
    PX_TRY(choose_colours(self, err));
    for (int i = 0; i < self->count; i++)
        PX_TRY(open_lane(&self->lanes[i], output_fds[i], err));
    PX_TRY(self->decoder->start(self->decoder, self->eighths, &self->width, &self->height, err));
    assert(self->width == (header->width * self->eighths + 7) / 8);
    if (self->inks && !(self->light = malloc((size_t)self->width * 3)))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a row of %d pixels", self->width);
    if (header->alpha != PX_OPAQUE) {
        self->premultiplied = malloc((size_t)self->width * 4);
        if (!self->premultiplied)
            return px_fail(err, PX_OUT_OF_MEMORY, "no room for a row of %d pixels", self->width);
    }
    return PX_OK;
}

/* May the source's own bytes stand for this output, if they are fewer? Not if its pixels had to change. */
static bool may_pass(const lane *l, const px_header *header)
{
    return l->encoding.format == header->format && !l->scaled && l->turn == 1 && !header->inks &&
           l->layout.width == l->layout.picture_width && l->layout.height == l->layout.picture_height;
}

/* Ends an output; where it became bigger than the source for nothing, the source's bytes replace it. */
static px_status finish_lane(lane *l, const px_source *source, const px_header *header, int fd,
                             px_output_report *ret, px_error *err)
{
    PX_TRY(l->encoder->finish(l->encoder, &ret->bytes, err));
    if (ret->bytes <= px_source_bytes(source, NULL) || !may_pass(l, header))
        return PX_OK;
    if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        return PX_OK; /* not a file: what was written stands */
    ret->passed_through = true;
    return px_format_clean(header->format, source, l->encoding.orientation, fd, &ret->bytes, err);
}

static int64_t thread_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static px_status judge_bytes(const px_source *source, const px_limits *limits, px_error *err)
{
    uint64_t bytes = px_source_bytes(source, NULL);
    if (bytes > limits->input_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "the source is over %llu bytes (limits.input_bytes)",
                       (unsigned long long)limits->input_bytes);
    return PX_OK;
}

px_status px_transform(const px_source *source, const px_limits *limits, const px_output_spec *specs,
                       const int *output_fds, int count, px_transform_report *ret, px_error *err)
{
    assert(count >= 1 && count <= PX_LIMIT_OUTPUTS);
    int64_t began = thread_us();
    PX_AUTO(transform_done) transform self = { .count = 0 };
    px_transform_report report = { .output_count = count };

    PX_TRY(judge_bytes(source, limits, err));
    PX_TRY(px_decoder_open(source, limits, &self.decoder, err));
    PX_TRY(plan(&self, limits, specs, count, &report.memory_bytes, err));
    PX_TRY(start(&self, output_fds, err));
    PX_TRY(run(&self, err));

    const px_header *header = &self.decoder->header;
    bool turned = px_orientation_turns(header->orientation);
    report.format = header->format;
    report.width = turned ? header->height : header->width;
    report.height = turned ? header->width : header->height;
    report.orientation = header->orientation;
    report.alpha = header->alpha != PX_OPAQUE;
    for (int i = 0; i < count; i++) {
        lane *l = &self.lanes[i];
        px_output_report *output = &report.outputs[i];
        *output = (px_output_report){ .format = l->encoding.format, .width = l->layout.width,
                                      .height = l->layout.height, .quality = l->encoding.quality };
        PX_TRY(finish_lane(l, source, header, output_fds[i], output, err));
    }
    report.cpu_us = thread_us() - began;
    *ret = report;
    return PX_OK;
}
