/* What a lane is going to do, from the header alone: sizes upright and mapped back to rows as they are stored, so that a picture is turned
 * at output size; whether rows come and go as planes; whom it feeds; and the memory of it all. Nothing here takes memory or sees a pixel. */
#include "image/lane.h"

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

bool px_lane_is_held(const px_lane *l) { return l->attention || !px_orientation_streams(l->turn); }

/* Does anything between the resampler and the encoder need RGB? */
static bool needs_rgb(const px_lane *l)
{
    return l->colour || l->mark || l->chooses || l->spec->sharpen || l->turn != 1 || px_lane_is_held(l) || l->animated || l->encoding.model != PX_RGB ||
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

static int decoded_side(int source, int64_t n, int64_t of) { return (int)((source * n + of - 1) / of); }

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
    px_side_decoded(header->width, p->window_x, p->window_width, across, decoded_side(header->width, scale.across, scale.across_of), &l->first_column,
                    &s->source_width);
    px_side_decoded(header->height, p->window_y, p->window_height, down, decoded_side(header->height, scale.down, scale.down_of), &l->first_row,
                    &s->source_height);
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

uint64_t px_lane_picture_bytes(const px_lane *l)
{
    return (uint64_t)l->stored_width * (uint64_t)l->stored_height * (unsigned)l->channels;
}

px_choose_spec px_lane_choosing(const px_lane *l)
{
    return (px_choose_spec){ .encoding = l->encoding, .any_format = l->spec->format == PX_FORMAT_AUTO && !l->animated,
                             .target = l->spec->target, .max_bytes = l->spec->max_bytes };
}

uint64_t px_lane_memory(const px_lane *l)
{
    px_choose_spec choosing = px_lane_choosing(l);
    uint64_t bytes = l->chooses ? px_choose_memory(&choosing) : px_encoder_memory(&l->encoding);
    if (l->planar)
        bytes += px_planes_memory(&l->plan);
    else if (l->scaled)
        bytes += px_resample_memory(&l->scaling);
    if (px_lane_is_held(l))
        bytes += px_lane_picture_bytes(l);
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
