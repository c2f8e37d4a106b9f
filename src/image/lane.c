/* Sizes are computed upright and mapped back, so a picture is turned after it was scaled, at output size. A row goes as far
 * as it can on its own: only an orientation that cannot stream holds the picture, at output size. */
#include "image/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec/codec.h"
#include "image/attention.h"
#include "image/orient.h"

/* With attention all of the window is scaled, so that the part can be chosen from it. */
static void plan_attention(px_lane *l)
{
    px_layout *s = &l->stored;
    double across = s->picture_width / s->part_width, down = s->picture_height / s->part_height;
    int width = (int)(s->window_width * across + 0.5), height = (int)(s->window_height * down + 0.5);
    if (l->spec->position != PX_POSITION_ATTENTION || (width <= s->picture_width && height <= s->picture_height))
        return;
    l->attention = true;
    l->stored_width = width > s->picture_width ? width : s->picture_width;
    l->stored_height = height > s->picture_height ? height : s->picture_height;
    s->part_x = s->window_x;
    s->part_y = s->window_y;
    s->part_width = s->window_width;
    s->part_height = s->window_height;
}

/* Where the output is opaque, a background that is not lies on white itself. */
static void plan_background(px_lane *l, bool opaque)
{
    unsigned alpha = l->spec->background[3];
    for (int c = 0; c < 3; c++)
        l->background[c] = (uint8_t)(opaque ? px_over_255(l->spec->background[c] * alpha + 255 * (255 - alpha)) : l->spec->background[c]);
    l->background[3] = (uint8_t)(opaque ? 255 : alpha);
}

px_status px_lane_plan(px_lane *l, const px_output_spec *spec, const px_header *header, px_error *err)
{
    bool turned = px_orientation_turns(header->orientation);
    px_layout layout = turned ? px_layout_of(spec, header->height, header->width)
                              : px_layout_of(spec, header->width, header->height);
    int seen = px_orientation_turned(header->orientation, px_rotate_quarters(spec->rotate));
    px_layout stored = px_layout_as_stored(&layout, seen);
    px_format format = px_choose_format(spec, header);
    bool padded = layout.width != layout.picture_width || layout.height != layout.picture_height;
    bool clear = spec->background[3] < 255 && px_format_has_alpha(format);
    bool opaque = !px_format_has_alpha(format) || (padded ? !clear : header->alpha == PX_OPAQUE);
    bool coloured = spec->background[0] != spec->background[1] || spec->background[1] != spec->background[2];
    bool covered = padded || (header->alpha != PX_OPAQUE && opaque); /* the background shows */

    *l = (px_lane){
        .spec = spec,
        .header = header,
        .layout = spec->rotate != PX_ROTATE_NONE ? layout : stored,
        .turn = spec->rotate != PX_ROTATE_NONE ? seen : 1,
        .stored = stored,
        .stored_width = stored.picture_width,
        .stored_height = stored.picture_height,
        .scaled = header->vector || stored.picture_width != stored.part_width || stored.picture_height != stored.part_height,
        .model = header->model,
        .channels = px_channels(header->model, header->alpha),
        .animated = spec->animated && header->frames > 1 && px_format_is_animated(format),
    };
    l->alpha = header->alpha == PX_OPAQUE ? PX_OPAQUE : l->scaled || spec->sharpen ? PX_PREMULTIPLIED : PX_STRAIGHT;
    plan_attention(l);
    plan_background(l, opaque);
    l->scaling = (px_resample_spec){ .width = l->stored.part_width, .height = l->stored.part_height,
                                     .target_width = l->stored_width, .target_height = l->stored_height,
                                     .channels = l->channels };
    l->encoding = (px_encoder_spec){ .format = format, .width = l->layout.width, .height = l->layout.height,
                                     .model = covered && coloured ? PX_RGB : header->model,
                                     .alpha = opaque ? PX_OPAQUE : PX_STRAIGHT,
                                     .quality = spec->quality < 0 ? 0 : spec->quality > 100 ? 100 : spec->quality,
                                     .effort = spec->effort, .lossless = spec->lossless, .palette = spec->palette,
                                     .orientation = spec->rotate != PX_ROTATE_NONE ? 1 : header->orientation,
                                     .frames = l->animated ? header->frames : 1, .loops = header->loops };
    if (spec->colour == PX_COLOUR_KEEP && l->encoding.model == header->model && !header->inks)
        l->encoding.profile = header->profile;
    if (layout.outside)
        return px_fail(err, PX_BAD_RECIPE, "the crop %g,%g,%g,%g lies outside the source, which has %dx%d pixels", spec->crop.x, spec->crop.y,
                       spec->crop.width, spec->crop.height, turned ? header->height : header->width, turned ? header->width : header->height);
    l->chooses = px_choose_is_needed(spec, format, l->animated);
    if (!l->chooses && l->encoding.quality == 0)
        l->encoding.quality = 100; /* nobody heeds it */
    int side = px_format_side(format);
    if (layout.width > side || layout.height > side)
        return px_fail(err, PX_BAD_RECIPE, "%s cannot hold %dx%d pixels", px_format_name(format), layout.width,
                       layout.height);
    return PX_OK;
}

/* A mark with colours makes a grey output RGB. */
px_status px_lane_plan_mark(px_lane *l, const px_limits *limits, px_error *err)
{
    if (!px_mark_is(&l->spec->mark))
        return PX_OK;
    PX_TRY(px_watermark_open(&l->spec->mark, limits, l->layout.width, l->layout.height, &l->mark, err));
    if (l->encoding.model == PX_GREY && px_watermark_is_coloured(l->mark)) {
        l->encoding.model = PX_RGB;
        l->encoding.profile = (px_bytes){ 0 }; /* of grey */
    }
    return PX_OK;
}

/* The decoded pixels of one side that a lane looks at, as a scale of n/of has them: of a window those that are wholly inside, so that
 * nothing beside it shines in. */
static void plan_side(int source, int from, int side, int64_t n, int64_t of, int *ret_first, int *ret_count)
{
    int64_t decoded = (source * n + of - 1) / of, first = (from * n + of - 1) / of, end = (from + side) * n / of;
    if (from + side == source)
        end = decoded;
    if (end <= first) { /* less than one */
        first = from * n / of < decoded - 1 ? from * n / of : decoded - 1;
        end = first + 1;
    }
    *ret_first = (int)first;
    *ret_count = (int)(end - first);
}

static bool is_held(const px_lane *l) { return l->attention || !px_orientation_streams(l->turn); }

/* Does anything between the resampler and the encoder need RGB? */
static bool needs_rgb(const px_lane *l)
{
    return l->colour || l->mark || l->chooses || l->spec->sharpen || l->turn != 1 || is_held(l) || l->animated || l->encoding.model != PX_RGB ||
           l->encoding.alpha != PX_OPAQUE || l->layout.width != l->layout.picture_width || l->layout.height != l->layout.picture_height;
}

bool px_lane_likes_planes(px_lane *l, px_chroma *ret)
{
    px_encoder_spec planar;
    bool takes = px_format_takes_planes(&l->encoding, &planar);
    *ret = l->chroma = takes ? planar.chroma : PX_CHROMA_WHOLE;
    l->direct = takes && !needs_rgb(l);
    return l->direct || l->scaled; /* at full size a decoder makes RGB for less */
}

static bool shows_the_same(const px_lane *a, const px_lane *b)
{
    const px_layout *p = &a->stored, *q = &b->stored;
    return p->part_x == q->part_x && p->part_y == q->part_y && p->part_width == q->part_width && p->part_height == q->part_height &&
           p->window_x == q->window_x && p->window_y == q->window_y && p->window_width == q->window_width && p->window_height == q->window_height;
}

static bool can_feed(const px_lane *large, const px_lane *small)
{
    return large->scaled && small->scaled && large->stored_width >= 2 * small->stored_width && large->stored_height >= 2 * small->stored_height &&
           shows_the_same(large, small) && large->animated == small->animated && large->alpha == small->alpha &&
           !(large->direct && large->chroma == PX_CHROMA_HALVED && small->chroma == PX_CHROMA_WHOLE);
}

void px_lane_plan_ladder(px_lane *lanes, int count)
{
    for (int i = 0; i < count; i++) {
        px_lane *best = NULL;
        for (int j = 0; j < count; j++)
            if (can_feed(&lanes[j], &lanes[i]) && (!best || lanes[j].stored_width < best->stored_width))
                best = &lanes[j];
        if (!best)
            continue;
        lanes[i].feeder = best;
        lanes[i].next_fed = best->fed;
        best->fed = &lanes[i];
    }
}

/* The feeder's picture as a source: all of it is looked at, all of it is shown. */
static px_planes_spec fed_planes(px_lane *l)
{
    const px_lane *from = l->feeder;
    bool halved = from->plan.chroma == PX_CHROMA_HALVED;
    int width = from->stored_width, height = from->stored_height;
    px_plane_size sizes[3];
    l->feed = (px_header){ .width = width, .height = height, .planes = true, .chroma_across = 1 + halved, .chroma_down = 1 + halved,
                           .narrow = from->plan.narrow };
    px_plane_sizes(&l->feed, 8, PX_CHROMA_WHOLE, sizes);
    return (px_planes_spec){ .header = &l->feed, .sizes = { sizes[0], sizes[1], sizes[2] }, .window_width = width, .window_height = height,
                             .part_width = width, .part_height = height };
}

static px_planes_spec decoded_planes(const px_lane *l, const px_plane_size *sizes)
{
    const px_layout *p = &l->stored;
    return (px_planes_spec){ .header = l->header, .sizes = { sizes[0], sizes[1], sizes[2] },
                             .window_x = p->window_x, .window_y = p->window_y, .window_width = p->window_width, .window_height = p->window_height,
                             .part_x = p->part_x, .part_y = p->part_y, .part_width = p->part_width, .part_height = p->part_height };
}

static void plan_fed(px_lane *l)
{
    px_resample_spec *s = &l->scaling;
    l->first_column = l->first_row = 0;
    s->x = s->y = 0.0;
    s->width = s->source_width = l->feeder->stored_width;
    s->height = s->source_height = l->feeder->stored_height;
}

static void plan_planes(px_lane *l, const px_plane_size *sizes)
{
    px_encoder_spec planar = { .chroma = PX_CHROMA_WHOLE, .narrow = l->header->narrow };
    l->planar = true;
    if (l->direct && px_format_takes_planes(&l->encoding, &planar))
        l->encoding = planar;
    l->plan = l->feeder ? fed_planes(l) : decoded_planes(l, sizes);
    l->plan.target_width = l->stored_width;
    l->plan.target_height = l->stored_height;
    l->plan.chroma = planar.chroma;
    l->plan.narrow = planar.narrow;
}

/* Maps the part of the source that a lane shows to decoded pixels. */
void px_lane_plan_scaling(px_lane *l, px_scale scale, const px_plane_size *sizes)
{
    if (sizes) {
        plan_planes(l, sizes);
        return;
    }
    l->direct = false;
    if (l->feeder) {
        plan_fed(l);
        return;
    }
    const px_header *header = l->header;
    double across = (double)scale.across / scale.across_of, down = (double)scale.down / scale.down_of;
    px_resample_spec *s = &l->scaling;
    const px_layout *p = &l->stored;
    plan_side(header->width, p->window_x, p->window_width, scale.across, scale.across_of, &l->first_column, &s->source_width);
    plan_side(header->height, p->window_y, p->window_height, scale.down, scale.down_of, &l->first_row, &s->source_height);
    s->x = p->part_x * across - l->first_column;
    s->y = p->part_y * down - l->first_row;
    s->width *= across;
    s->height *= down;
    if (l->scaled)
        return;
    l->first_column = (int)p->part_x; /* the part is cut out of rows that go by */
    l->first_row = (int)p->part_y;
    s->source_width = l->stored_width;
    s->source_height = l->stored_height;
}

static uint64_t picture_bytes(const px_lane *l)
{
    return (uint64_t)l->stored_width * (uint64_t)l->stored_height * (unsigned)l->channels;
}

static px_choose_spec choosing_of(const px_lane *l)
{
    return (px_choose_spec){ .encoding = l->encoding, .any_format = l->spec->format == PX_FORMAT_AUTO && !l->animated,
                             .target = l->spec->target, .max_bytes = l->spec->max_bytes };
}

uint64_t px_lane_memory(const px_lane *l)
{
    px_choose_spec choosing = choosing_of(l);
    uint64_t bytes = l->chooses ? px_choose_memory(&choosing) : px_encoder_memory(&l->encoding);
    if (l->planar)
        bytes += px_planes_memory(&l->plan);
    else if (l->scaled)
        bytes += px_resample_memory(&l->scaling);
    if (is_held(l))
        bytes += picture_bytes(l);
    if (l->spec->strip != PX_STRIP_ALL)
        bytes += 3 * PX_EXIF_BYTES_MAX;
    if (l->mark)
        bytes += px_watermark_memory(l->mark);
    if (l->attention)
        bytes += px_attention_memory(l->stored_width, l->stored_height);
    if (l->spec->sharpen)
        bytes += px_sharpen_memory(l->stored_width, l->channels);
    return bytes + 4u * (2u * (uint64_t)l->layout.width + 2u * (uint64_t)l->stored_width + (uint64_t)l->stored_height);
}

px_status px_lane_open(px_lane *l, int fd, px_error *err)
{
    int longest = l->stored_width > l->stored_height ? l->stored_width : l->stored_height;
    l->row = malloc((size_t)l->stored_width * 4);
    l->turned = malloc((size_t)longest * 4);
    l->canvas = malloc((size_t)l->layout.width * 4);
    if (is_held(l))
        l->held = malloc((size_t)picture_bytes(l));
    if (l->colour)
        l->converted = malloc((size_t)l->layout.picture_width * 4);
    if (!l->row || !l->turned || !l->canvas || (l->colour && !l->converted) || (!l->held && is_held(l)))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for an output of %dx%d", l->layout.width, l->layout.height);
    if (l->spec->sharpen) {
        px_sharpen_spec sharpening = { l->stored_width, l->stored_height, l->channels, l->alpha != PX_OPAQUE, l->spec->sharpen };
        PX_TRY(px_sharpen_create(&sharpening, &l->sharpen, err));
    }
    if (l->planar)
        PX_TRY(px_planes_create(&l->plan, &l->planes, err));
    else if (l->scaled)
        PX_TRY(px_resample_create(&l->scaling, &l->resample, err));
    PX_TRY(px_metadata_choose(l->header, l->spec->strip, &l->encoding, &l->metadata, err));
    if (l->mark)
        PX_TRY(px_watermark_draw(l->mark, err));
    px_choose_spec choosing = choosing_of(l);
    return l->chooses ? px_choose_open(&choosing, fd, &l->encoder, err) : px_encoder_open(&l->encoding, fd, &l->encoder, err);
}

/* The row in sRGB, if it is in other colours; *alpha is what its alpha is then. */
static uint8_t *convert_row(const px_lane *l, uint8_t *row, px_alpha *alpha)
{
    const uint8_t *from = row;
    if (!l->colour)
        return row;
    if (*alpha == PX_PREMULTIPLIED) {
        px_straighten(row, l->layout.picture_width, l->channels, l->converted);
        from = l->converted;
        *alpha = PX_STRAIGHT;
    }
    px_colour_convert(l->colour, from, l->layout.picture_width, l->converted);
    return l->converted;
}

/* One picture pixel, of a row with such alpha, as the encoder wants it: alpha straight, or laid on the background. `below` is the
 * background's own alpha. */
static void finish_pixel(const px_lane *l, px_alpha kind, unsigned below, const uint8_t *pixel, uint8_t *target)
{
    int colours = px_channels(l->model, PX_OPAQUE), out = px_channels(l->encoding.model, PX_OPAQUE);
    unsigned alpha = kind == PX_OPAQUE ? 255 : pixel[colours];
    unsigned shows = below == 255 ? 255 - alpha : px_over_255(below * (255 - alpha)), total = alpha + shows;
    for (int c = 0; c < out; c++) {
        unsigned value = pixel[colours == 1 ? 0 : c];
        if (shows || l->encoding.alpha == PX_OPAQUE) {
            if (kind == PX_STRAIGHT)
                value = px_over_255(value * alpha);
            value += px_over_255(l->background[c] * shows);
            if (total < 255)
                value = px_divide_by(total, value);
        } else if (kind == PX_PREMULTIPLIED)
            value = px_divide_by(alpha, value);
        target[c] = (uint8_t)(value > 255 ? 255 : value);
    }
    if (l->encoding.alpha != PX_OPAQUE)
        target[out] = (uint8_t)total;
}

static void fill_background(const px_lane *l)
{
    int colours = px_channels(l->encoding.model, PX_OPAQUE), channels = px_channels(l->encoding.model, l->encoding.alpha);
    for (int x = 0; x < l->layout.width; x++)
        for (int c = 0; c < channels; c++)
            l->canvas[x * channels + c] = l->background[c < colours ? c : 3];
}

/* The row may be everybody's, or be pushed again: the mark leaves it as it is. */
static px_status push_canvas(px_lane *l, uint8_t *samples, px_error *err)
{
    if (l->mark)
        samples = px_watermark_blend(l->mark, samples, l->finished++, l->encoding.model, l->encoding.alpha);
    px_row row = px_row_of(samples, l->layout.width, l->encoding.model, l->encoding.alpha);
    return l->encoder->push(l->encoder, &row, err);
}

static px_status push_padding(px_lane *l, int rows, px_error *err)
{
    if (rows > 0)
        fill_background(l);
    for (int y = 0; y < rows; y++)
        PX_TRY(push_canvas(l, l->canvas, err));
    return PX_OK;
}

/* A row of the turned picture, on its way out. */
static px_status finish_row(px_lane *l, uint8_t *row, int y, px_error *err)
{
    int above = l->layout.above, left = l->layout.left;
    bool padded = l->layout.width != l->layout.picture_width, on_canvas = padded || l->layout.height != l->layout.picture_height;
    unsigned below = on_canvas || l->encoding.alpha == PX_OPAQUE ? l->background[3] : 0;
    if (y == 0) {
        PX_TRY(push_padding(l, above, err));
        if (padded)
            fill_background(l);
    }
    px_alpha alpha = l->alpha;
    row = convert_row(l, row, &alpha);
    if (!padded && alpha == PX_OPAQUE && l->encoding.alpha == PX_OPAQUE && l->model == l->encoding.model) {
        PX_TRY(push_canvas(l, row, err));
    } else {
        uint8_t *target = l->canvas + left * px_channels(l->encoding.model, l->encoding.alpha);
        int out = px_channels(l->encoding.model, l->encoding.alpha);
        for (int x = 0; x < l->layout.picture_width; x++)
            finish_pixel(l, alpha, below, row + x * l->channels, target + x * out);
        PX_TRY(push_canvas(l, l->canvas, err));
    }
    if (y == l->layout.picture_height - 1)
        PX_TRY(push_padding(l, l->layout.height - l->layout.picture_height - above, err));
    return PX_OK;
}

/* Moves the part that is shown to the start of the held picture. */
static px_status choose_part(px_lane *l, px_error *err)
{
    int width = l->stored.picture_width, height = l->stored.picture_height;
    if (!l->chosen) {
        px_attention_spec all = { l->stored_width, l->stored_height, l->channels, l->alpha };
        PX_TRY(px_attention_choose(&all, l->held, width, height, &l->chosen_x, &l->chosen_y, err));
        l->chosen = true;
    }
    size_t pixel = (size_t)l->channels, row = (size_t)width * pixel;
    for (int y = 0; y < height; y++)
        memmove(l->held + (size_t)y * row, l->held + ((size_t)(l->chosen_y + y) * (size_t)l->stored_width + (size_t)l->chosen_x) * pixel, row);
    return PX_OK;
}

/* The held picture, now that it is whole. */
static px_status push_held(px_lane *l, px_error *err)
{
    int width = l->stored.picture_width, height = l->stored.picture_height;
    size_t bytes = (size_t)width * (size_t)l->channels;
    if (l->attention)
        PX_TRY(choose_part(l, err));
    for (int i = 0; i < l->layout.picture_height; i++) {
        const uint8_t *from = px_orientation_streams(l->turn) ? l->held + (size_t)i * bytes : l->held;
        px_orient_row(from, width, height, l->channels, l->turn, i, l->turned);
        PX_TRY(finish_row(l, l->turned, i, err));
    }
    return PX_OK;
}

/* A row of the scaled picture: passed on, mirrored, or held until the last. */
static px_status turn_row(px_lane *l, uint8_t *row, px_error *err)
{
    int y = l->rows++;
    if (is_held(l)) {
        size_t bytes = (size_t)l->stored_width * (size_t)l->channels;
        memcpy(l->held + (size_t)y * bytes, row, bytes);
        return l->rows < l->stored_height ? PX_OK : push_held(l, err);
    }
    if (l->turn == 1)
        return finish_row(l, row, y, err);
    px_orient_row(row, l->stored_width, 1, l->channels, l->turn, 0, l->turned);
    return finish_row(l, l->turned, y, err);
}

static px_status feed_row(px_lane *l, uint8_t *row, px_error *err)
{
    for (px_lane *fed = l->fed; fed; fed = fed->next_fed)
        PX_TRY(px_lane_push(fed, row, row, err));
    return PX_OK;
}

static px_status sharpen_row(px_lane *l, uint8_t *row, px_error *err)
{
    if (!l->sharpen)
        return turn_row(l, row, err);
    px_sharpen_push(l->sharpen, row);
    for (uint8_t *sharp; (sharp = px_sharpen_pull(l->sharpen));)
        PX_TRY(turn_row(l, sharp, err));
    return PX_OK;
}

px_status px_lane_next(px_lane *l, int milliseconds, px_error *err)
{
    l->rows = l->finished = l->decoded = 0;
    if (l->resample)
        px_resample_restart(l->resample);
    if (l->sharpen)
        px_sharpen_restart(l->sharpen);
    return l->encoder->next(l->encoder, milliseconds, err);
}

px_status px_lane_push(px_lane *l, uint8_t *straight, uint8_t *premultiplied, px_error *err)
{
    int y = l->decoded++ - l->first_row;
    if (y < 0 || y >= l->scaling.source_height)
        return PX_OK; /* beside what is shown */
    uint8_t *samples = (l->alpha == PX_PREMULTIPLIED ? premultiplied : straight) + (size_t)l->first_column * (size_t)l->channels;
    if (!l->scaled)
        return sharpen_row(l, samples, err);
    px_resample_push(l->resample, samples);
    while (px_resample_pull(l->resample, l->row)) {
        PX_TRY(feed_row(l, l->row, err));
        PX_TRY(sharpen_row(l, l->row, err));
    }
    return PX_OK;
}

px_status px_lane_push_planes(px_lane *l, const px_row *row, px_error *err)
{
    px_row ready;
    px_planes_take(l->planes, row);
    while (px_planes_pull(l->planes, &ready)) {
        for (px_lane *fed = l->fed; fed; fed = fed->next_fed)
            PX_TRY(px_lane_push_planes(fed, &ready, err));
        if (l->direct) {
            PX_TRY(l->encoder->push(l->encoder, &ready, err));
            continue;
        }
        px_planes_to_rgb(&ready, l->row);
        PX_TRY(sharpen_row(l, l->row, err));
    }
    return PX_OK;
}

/* May the source's own bytes stand for this output, if they are fewer? Not if its pixels had to change. */
static bool may_pass(const px_lane *l)
{
    const px_header *header = l->header;
    return l->encoding.format == header->format && px_format_is_cleaned(header->format) && !header->uncleanable && !l->scaled && l->turn == 1 && !header->inks && !l->mark && !header->truncated &&
           l->animated == (header->frames > 1) &&
           l->stored_width == header->width && l->stored_height == header->height && !l->attention && !l->sharpen &&
           l->layout.width == l->layout.picture_width && l->layout.height == l->layout.picture_height;
}

static px_status finish_encoder(px_lane *l, px_output_report *ret, px_error *err)
{
    PX_TRY(l->encoder->finish(l->encoder, &ret->bytes, err));
    if (!l->chooses)
        return PX_OK;
    const px_choice *choice = px_choose_result(l->encoder);
    ret->format = l->encoding.format = choice->format;
    ret->quality = choice->quality;
    memcpy(ret->reason, choice->reason, sizeof ret->reason);
    return PX_OK;
}

/* Behind what was chosen, as far as there is room. */
static void say_passed(px_output_report *ret)
{
    size_t used = strlen(ret->reason);
    snprintf(ret->reason + used, sizeof ret->reason - used, "%sthe source's own bytes", used ? "; " : "");
}

px_status px_lane_finish(px_lane *l, const px_source *source, int fd, px_output_report *ret, px_error *err)
{
    const px_header *header = l->header;
    *ret = (px_output_report){ .format = l->encoding.format, .width = l->layout.width, .height = l->layout.height,
                               .quality = l->encoding.quality, .frames = l->animated ? header->frames : 1 };
    px_status status = finish_encoder(l, ret, err);
    bool is_over = status == PX_TOO_MANY_BYTES && l->chooses; /* max_bytes: the source's own may fit */
    if ((status != PX_OK && !is_over) || (!is_over && ret->bytes <= px_source_bytes(source, NULL)) || !may_pass(l))
        return status;
    if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        return status; /* not a file: what was written stands */
    ret->passed_through = true;
    px_encoder_spec cleaning = l->encoding;
    cleaning.format = header->format;
    PX_TRY(px_format_clean(&cleaning, source, fd, &ret->bytes, err));
    if (is_over && ret->bytes > l->spec->max_bytes)
        return status;
    ret->format = header->format;
    if (l->chooses)
        say_passed(ret);
    return PX_OK;
}

void px_lane_done(px_lane *l)
{
    px_resample_destroy(l->resample);
    px_planes_destroy(l->planes);
    px_sharpen_destroy(l->sharpen);
    px_encoder_close(&l->encoder);
    px_metadata_done(&l->metadata);
    free(l->row);
    free(l->turned);
    free(l->held);
    free(l->canvas);
    free(l->converted);
    px_watermark_close(l->mark);
}
