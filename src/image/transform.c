/* One decode, N outputs.
 *
 * Each output is a lane (lane.h). A decoded row is pushed into every lane, and each lane passes on the rows that became ready. All
 * memory is planned and judged from the header; then taken; then the first pixel is decoded. */
#include "image/image.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "codec/codec.h"
#include "image/font/font.h"
#include "image/lane.h"
#include "image/orient.h"
#include "image/placeholder.h"
#include "image/size.h"

typedef struct transform {
    px_decoder *decoder; /* owned */
    int eighths;
    px_scale scale;      /* of decoded rows: eighths, or of a drawing what it is drawn at */
    int width, height;   /* of decoded rows */
    px_plane_size sizes[3]; /* of planes, if the decoder gives those */
    uint8_t *premultiplied; /* owned; one decoded row, if it has alpha */
    px_colour *colour;      /* owned; NULL if the source is in sRGB, or `inks` has converted it */
    px_colour *inks;        /* owned; from the source's CMYK or 16 bits to sRGB, by its profile; or NULL */
    uint8_t *light;         /* owned; one decoded row of that */
    px_placeholder *placeholder; /* owned */
    px_lane lanes[PX_LIMIT_OUTPUTS];
    int count;
} transform;

static void transform_done(transform *self)
{
    for (int i = 0; i < self->count; i++)
        px_lane_done(&self->lanes[i]);
    free(self->premultiplied);
    px_colour_destroy(self->colour);
    px_colour_destroy(self->inks);
    px_placeholder_destroy(self->placeholder);
    free(self->light);
    px_decoder_close(&self->decoder);
}

/* The smallest scale of the decoder that leaves every lane enough to work on. Those of powers of two are the ones that libraries are fast at. */
static int choose_eighths(const transform *self)
{
    double needed = 1.0;
    for (int i = 0; i < self->count; i++) {
        const px_resample_spec *s = &self->lanes[i].scaling; /* of the source, still */
        double across = s->width / s->target_width, down = s->height / s->target_height;
        /* A picture that has to be turned is decoded whole by sharp, and should not look worse here. */
        bool best = self->lanes[i].spec->resampling == PX_RESAMPLING_BEST || self->decoder->header.orientation > 1;
        needed = fmax(needed, px_eighths_for(across < down ? across : down, best ? PX_RESAMPLING_BEST : PX_RESAMPLING_FAST));
    }
    if (!self->decoder->header.scalable || needed > 8.0)
        return 8;
    for (int eighths = 1; eighths < 8; eighths = self->decoder->wants_planes ? eighths + 1 : eighths * 2)
        if (eighths >= needed)
            return eighths;
    return 8;
}

/* What has no pixels is drawn as large as the lane that needs the most has it, so that this one takes it as it is. */
static px_scale choose_scale(transform *self)
{
    px_decoder *decoder = self->decoder;
    const px_header *header = &decoder->header;
    if (!header->vector)
        return (px_scale){ self->eighths, 8, self->eighths, 8 };
    double across = 0, down = 0;
    for (int i = 0; i < self->count; i++) {
        const px_resample_spec *s = &self->lanes[i].scaling;
        across = fmax(across, s->target_width / s->width);
        down = fmax(down, s->target_height / s->height);
    }
    decoder->wants_width = (int)fmin(fmax(ceil(header->width * across - 1e-6), 1), INT32_MAX);
    decoder->wants_height = (int)fmin(fmax(ceil(header->height * down - 1e-6), 1), INT32_MAX);
    return (px_scale){ decoder->wants_width, header->width, decoder->wants_height, header->height };
}

static uint64_t memory_budget(const px_limits *limits)
{
    if (limits->memory_bytes)
        return limits->memory_bytes;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 2 : UINT64_C(512) << 20;
}

/* How many frames of the source are of use to anybody. */
static int wanted_frames(const transform *self)
{
    int wanted = 1;
    for (int i = 0; i < self->count; i++)
        wanted = self->lanes[i].animated ? self->decoder->header.frames : wanted;
    return wanted;
}

/* Before a pixel is decoded: are there too many frames, or too many pixels in all of them together? */
static px_status judge_frames(const transform *self, const px_limits *limits, px_error *err)
{
    const px_header *header = &self->decoder->header;
    uint64_t frames = (uint64_t)wanted_frames(self), pixels = (uint64_t)header->width * (uint64_t)header->height;
    if (frames > limits->frames)
        return px_fail(err, PX_TOO_MANY_FRAMES, "%llu frames are more than %u (limits.frames); `animated: false` takes the first alone",
                       (unsigned long long)frames, limits->frames);
    if (frames * pixels > limits->pixels)
        return px_fail(err, PX_TOO_MANY_PIXELS, "%llu frames of %dx%d pixels are more than %llu pixels (limits.pixels); `animated: false` takes "
                       "the first alone", (unsigned long long)frames, header->width, header->height, (unsigned long long)limits->pixels);
    return PX_OK;
}

/* 16 bits become sRGB's 8 in front of all lanes, if none of them wants other colours: rounded first, and converted then, what is
 * smooth would show bands. At full size that takes longer, but such pictures are few. */
static px_status choose_deep(transform *self, px_error *err)
{
    px_header *header = &self->decoder->header;
    bool all = self->colour != NULL && header->deep;
    for (int i = 0; i < self->count; i++)
        all = all && self->lanes[i].spec->colour == PX_COLOUR_SRGB;
    if (!all)
        return PX_OK;
    PX_TRY(px_colour_create_deep(header->profile, header->model, header->alpha != PX_OPAQUE, &self->inks, err));
    self->decoder->wants_deep = self->inks != NULL;
    if (self->inks) {
        px_colour_destroy(self->colour);
        self->colour = NULL;
    }
    return PX_OK;
}

/* Inks become sRGB in front of all lanes, since no output holds them. Else one conversion behind the lanes that want it. */
static px_status choose_colours(transform *self, px_error *err)
{
    const px_header *header = &self->decoder->header;
    if (header->inks) {
        PX_TRY(px_colour_create(header->profile, PX_CMYK, false, &self->inks, err));
        self->decoder->wants_inks = self->inks != NULL;
    } else /* the placeholder wants it, if no lane does */
        PX_TRY(px_colour_create(header->profile, header->model, header->alpha != PX_OPAQUE, &self->colour, err));
    PX_TRY(choose_deep(self, err));
    for (int i = 0; i < self->count; i++)
        self->lanes[i].colour = self->lanes[i].spec->colour == PX_COLOUR_SRGB ? self->colour : NULL;
    return PX_OK;
}

/* Rows come as planes if every lane is better off with them. */
static void choose_planes(transform *self)
{
    px_decoder *decoder = self->decoder;
    bool all = decoder->header.planes && wanted_frames(self) == 1;
    decoder->wants_chroma = PX_CHROMA_HALVED;
    for (int i = 0; i < self->count && all; i++) {
        px_chroma chroma;
        all = px_lane_likes_planes(&self->lanes[i], &chroma);
        if (chroma == PX_CHROMA_WHOLE)
            decoder->wants_chroma = PX_CHROMA_WHOLE;
    }
    decoder->wants_planes = all;
}

/* Of a lane, and then of those that it feeds. */
static void plan_scaling(const transform *self, px_lane *lane)
{
    px_lane_plan_scaling(lane, self->scale, self->decoder->wants_planes ? self->sizes : NULL);
    for (px_lane *fed = lane->fed; fed; fed = fed->next_fed)
        plan_scaling(self, fed);
}

static px_status plan(transform *self, const px_limits *limits, const px_output_spec *specs, int count,
                      uint64_t *ret_memory, px_error *err)
{
    const px_header *header = &self->decoder->header;
    for (int i = 0; i < count; i++) {
        PX_TRY(px_lane_plan(&self->lanes[i], &specs[i], header, err));
        self->count = i + 1;
        PX_TRY(px_lane_plan_mark(&self->lanes[i], limits, err));
    }
    PX_TRY(judge_frames(self, limits, err));
    self->decoder->wants_still = wanted_frames(self) == 1;
    PX_TRY(choose_colours(self, err));
    choose_planes(self);
    self->eighths = choose_eighths(self);
    self->scale = choose_scale(self);
    int width = header->vector ? self->decoder->wants_width : header->width, height = header->vector ? self->decoder->wants_height : header->height;
    if (self->decoder->wants_planes)
        px_plane_sizes(header, self->eighths, self->decoder->wants_chroma, self->sizes);
    uint64_t memory = self->decoder->memory(self->decoder, self->eighths) + (uint64_t)width * (header->inks ? 7 : header->deep ? 12 : 4) + header->profile.count * 2;
    if (limits->placeholder)
        memory += px_placeholder_memory(width, px_channels(header->model, header->alpha));
    px_lane_plan_ladder(self->lanes, count);
    for (int i = 0; i < count; i++)
        if (!self->lanes[i].feeder)
            plan_scaling(self, &self->lanes[i]);
    for (int i = 0; i < count; i++)
        memory += px_lane_memory(&self->lanes[i]);
    uint64_t budget = memory_budget(limits);
    if (memory > budget)
        return px_fail(err, PX_OUT_OF_MEMORY, "%dx%d pixels into %d outputs need %llu MiB; the budget is %llu MiB"
                       " (limits.memory)", width, height, count,
                       (unsigned long long)(memory >> 20), (unsigned long long)(budget >> 20));
    *ret_memory = memory;
    return PX_OK;
}

/* Lanes without animation take the first frame alone. */
static bool takes_frame(const px_lane *lane, int frame) { return frame == 0 || lane->animated; }

static px_status begin_frame(transform *self, px_error *err)
{
    int milliseconds = 0;
    if (self->decoder->next)
        PX_TRY(self->decoder->next(self->decoder, &milliseconds, err));
    for (int i = 0; i < self->count; i++)
        if (self->lanes[i].animated)
            PX_TRY(px_lane_next(&self->lanes[i], milliseconds, err));
    return PX_OK;
}

static px_status run_frame(transform *self, int frame, px_error *err)
{
    const px_header *header = &self->decoder->header;
    int channels = px_channels(header->model, header->alpha);
    PX_TRY(begin_frame(self, err));
    for (int y = 0; y < self->height; y++) {
        px_row row;
        PX_TRY(self->decoder->pull(self->decoder, &row, err));
        uint8_t *samples = row.planes[0].samples;
        if (self->inks) {
            px_colour_convert(self->inks, samples, self->width, self->light);
            samples = self->light;
        }
        if (self->premultiplied)
            px_premultiply(samples, self->width, channels, self->premultiplied);
        if (frame == 0 && self->placeholder)
            px_placeholder_push(self->placeholder, self->premultiplied ? self->premultiplied : samples);
        for (int i = 0; i < self->count; i++)
            if (!self->lanes[i].feeder && takes_frame(&self->lanes[i], frame))
                PX_TRY(px_lane_push(&self->lanes[i], samples, self->premultiplied, err));
    }
    return PX_OK;
}

static px_status run_planes(transform *self, px_error *err)
{
    int left[3] = { self->sizes[0].height, self->sizes[1].height, self->sizes[2].height };
    PX_TRY(begin_frame(self, err));
    while (left[0] > 0 || left[1] > 0 || left[2] > 0) {
        px_row row;
        PX_TRY(self->decoder->pull(self->decoder, &row, err));
        for (int p = 0; p < 3; p++)
            left[p] -= row.planes[p].height;
        if (self->placeholder)
            px_placeholder_push_planes(self->placeholder, &row);
        for (int i = 0; i < self->count; i++)
            if (!self->lanes[i].feeder)
                PX_TRY(px_lane_push_planes(&self->lanes[i], &row, err));
    }
    return PX_OK;
}

static px_status run(transform *self, px_error *err)
{
    if (self->decoder->wants_planes)
        return run_planes(self, err);
    int frames = wanted_frames(self);
    for (int i = 0; i < frames; i++)
        PX_TRY(run_frame(self, i, err));
    return PX_OK;
}

static px_status start(transform *self, const px_limits *limits, const int *output_fds, px_error *err)
{
    const px_header *header = &self->decoder->header;
    for (int i = 0; i < self->count; i++)
        PX_TRY(px_lane_open(&self->lanes[i], output_fds[i], err));
    PX_TRY(self->decoder->start(self->decoder, self->eighths, &self->width, &self->height, err));
    assert(header->vector ? self->width == self->decoder->wants_width : self->width == (header->width * self->eighths + 7) / 8);
    if (self->inks && !(self->light = malloc((size_t)self->width * 4)))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a row of %d pixels", self->width);
    if (limits->placeholder)
        PX_TRY(self->decoder->wants_planes
                   ? px_placeholder_create_planes(self->sizes, header->narrow, &self->placeholder, err)
                   : px_placeholder_create(self->width, self->height, header->model, header->alpha != PX_OPAQUE, &self->placeholder, err));
    if (header->alpha != PX_OPAQUE) {
        self->premultiplied = malloc((size_t)self->width * 4);
        if (!self->premultiplied)
            return px_fail(err, PX_OUT_OF_MEMORY, "no room for a row of %d pixels", self->width);
    }
    return PX_OK;
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
    PX_TRY(start(&self, limits, output_fds, err));
    PX_TRY(run(&self, err));

    const px_header *header = &self.decoder->header;
    bool turned = px_orientation_turns(header->orientation);
    report.format = header->format;
    report.width = turned ? header->height : header->width;
    report.height = turned ? header->width : header->height;
    report.orientation = header->orientation;
    report.alpha = header->alpha != PX_OPAQUE;
    report.frames = header->frames;
    report.truncated = header->truncated;
    for (int i = 0; i < count; i++)
        PX_TRY(px_lane_finish(&self.lanes[i], source, output_fds[i], &report.outputs[i], err));
    if (self.placeholder)
        px_placeholder_finish(self.placeholder, self.colour, header->orientation, &report);
    report.cpu_us = thread_us() - began;
    *ret = report;
    return PX_OK;
}

/* What the transform will say of a failure, it will say itself. PX_FORMAT_AUTO chooses among formats that are linked. */
static void load(px_format format)
{
    if (format < PX_FORMAT_COUNT)
        (void)!px_format_load(format, NULL);
}

void px_transform_prepare(const px_source *source, const px_output_spec *specs, int count)
{
    uint8_t first[PX_FORMAT_FIRST_BYTES];
    size_t bytes = 0;
    px_format own = PX_FORMAT_COUNT;
    if (source && px_source_read_at(source, 0, first, sizeof first, &bytes, NULL) == PX_OK)
        own = px_format_detect((px_bytes){ first, bytes });
    if (own < PX_FORMAT_COUNT)
        (void)!px_format_prepare(own, px_font_bundled(), NULL);
    for (int i = 0; i < count; i++) {
        const px_mark_spec *mark = &specs[i].mark;
        if (source && mark->image && mark->image_format > PX_FORMAT_KEEP && mark->image_format < PX_FORMAT_COUNT)
            (void)!px_format_prepare(mark->image_format, px_font_bundled(), NULL);
        px_watermark_prepare(mark);
        if (specs[i].format != PX_FORMAT_KEEP)
            load(specs[i].format);
        else if (own < PX_FORMAT_COUNT)
            load(px_format_kept(own));
    }
}
