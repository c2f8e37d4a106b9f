/* The rows of one output: scaled, sharpened, turned, converted, laid on their background, encoded. A row goes as far as it can on its own: only an
 * orientation that cannot stream holds the picture, at output size. What is done was planned (lane_plan.c). */
#include "image/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec/codec.h"
#include "image/attention.h"
#include "image/orient.h"

px_status px_lane_open(px_lane *l, int fd, px_error *err)
{
    int longest = l->stored_width > l->stored_height ? l->stored_width : l->stored_height;
    l->row = malloc((size_t)l->stored_width * 4);
    l->turned = malloc((size_t)longest * 4);
    l->canvas = malloc((size_t)l->layout.width * 4);
    if (px_lane_is_held(l))
        l->held = malloc((size_t)px_lane_picture_bytes(l));
    if (l->colour)
        l->converted = malloc((size_t)l->layout.picture_width * 4);
    if (!l->row || !l->turned || !l->canvas || (l->colour && !l->converted) || (!l->held && px_lane_is_held(l)))
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
    px_choose_spec choosing = px_lane_choosing(l);
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
    if (px_lane_is_held(l)) {
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
