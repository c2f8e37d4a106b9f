/* Watermarks. Goal: inside its box an output is what the mark, its opacity and the picture below make by the textbook's formula, within
 * 2; outside it is the unmarked output, to the bit. Method: a mark of the size that it has on the output, or one that was drawn
 * alone before, laid over by a second implementation, in floating point. */
#include "picture.h"

#include <stdio.h>
#include <string.h>

#include "image/letters.h"
#include "image/font/font.h"
#include "image/watermark.h"
#include "image/image.h"

enum { W = 120, H = 80, MARK_W = 30, MARK_H = 12, MARGIN = 4 }; /* scale 25 of 120, margin 5 of 80 */

static px_limits limits;

typedef struct image {
    int width, height, channels;
    uint8_t *samples;
} image;

static int reset(void **state)
{
    (void)state;
    limits = PX_LIMITS_DEFAULT;
    return 0;
}

static int mark_fd(const void *data, size_t count)
{
    int fd = empty_fd();
    assert_int_equal(write(fd, data, count), (ssize_t)count);
    return fd;
}

static uint8_t *png_of(const uint8_t *samples, int width, int height, int channels, size_t *count)
{
    return encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = width, .height = height, .model = channels < 3 ? PX_GREY : PX_RGB,
                                     .alpha = channels % 2 ? PX_OPAQUE : PX_STRAIGHT }, samples, count);
}

static px_output_spec png(int width)
{
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    spec.format = PX_FORMAT_PNG;
    spec.width = width;
    spec.mark.margin = 5;
    return spec;
}

static px_status try_transform(const uint8_t *data, size_t count, px_output_spec spec, image *ret, px_error *err)
{
    px_source source = source_of(data, count);
    px_transform_report report;
    int fd = empty_fd();
    px_status status = px_transform(&source, &limits, &spec, &fd, 1, &report, err);
    if (status == PX_OK) {
        size_t bytes;
        px_header header = { 0 };
        uint8_t *out = bytes_of(fd, &bytes);
        assert_int_equal(decode(out, bytes, &header, &ret->samples), PX_OK);
        *ret = (image){ header.width, header.height, px_channels(header.model, header.alpha), ret->samples };
        free(out);
    }
    close(fd);
    px_source_close(&source);
    return status;
}

static image transform(const uint8_t *data, size_t count, px_output_spec spec)
{
    px_error err = { "" };
    image ret = { 0 };
    if (try_transform(data, count, spec, &ret, &err) != PX_OK)
        fail_msg("%s", err.message);
    return ret;
}

/* ---- the second implementation ---- */

/* Straight RGBA of any interleaved pixel, 0 to 1. */
static void load(const uint8_t *pixel, int channels, double rgba[4])
{
    for (int c = 0; c < 3; c++)
        rgba[c] = pixel[channels < 3 ? 0 : c] / 255.0;
    rgba[3] = channels % 2 ? 1 : pixel[channels - 1] / 255.0;
}

/* W3C Compositing and Blending, "source over". */
static void over(const double mark[4], double opacity, double rgba[4])
{
    double m = mark[3] * opacity, alpha = m + rgba[3] * (1 - m);
    for (int c = 0; c < 3; c++)
        rgba[c] = alpha == 0 ? 0 : (mark[c] * m + rgba[c] * rgba[3] * (1 - m)) / alpha;
    rgba[3] = alpha;
}

/* Where the mark lies, by the words of docs/watermark.md. */
static void corner_of(int position, int width, int height, int *x, int *y)
{
    const int xs[] = { MARGIN, (W - width) / 2, W - MARGIN - width }, ys[] = { MARGIN, (H - height) / 2, H - MARGIN - height };
    *x = xs[position % 3];
    *y = ys[position / 3];
}

static int wrap(int value, int step) { return (value % step + step) % step; }

/* `marked` is `plain` with `mark` (straight, any channels) on it, and nothing else. Colours are compared as far as they are seen. */
static void assert_marked(image marked, image plain, image mark, int position, bool tiled, double opacity)
{
    int left, top, inside = 0;
    corner_of(position, mark.width, mark.height, &left, &top);
    assert_int_equal(marked.width, W);
    assert_int_equal(marked.channels, plain.channels);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const uint8_t *got = marked.samples + (y * W + x) * plain.channels, *was = plain.samples + (y * W + x) * plain.channels;
            int mx = x - left, my = y - top;
            if (tiled) {
                mx = wrap(mx, mark.width + MARGIN);
                my = wrap(my, mark.height + MARGIN);
            }
            if (mx < 0 || my < 0 || mx >= mark.width || my >= mark.height) {
                assert_memory_equal(got, was, plain.channels);
                continue;
            }
            double over_it[4], wanted[4], have[4];
            load(mark.samples + (my * mark.width + mx) * mark.channels, mark.channels, over_it);
            load(was, plain.channels, wanted);
            load(got, plain.channels, have);
            over(over_it, opacity, wanted);
            inside += memcmp(got, was, (size_t)plain.channels) != 0;
            assert_true(fabs(have[3] - wanted[3]) * 255 <= 2);
            for (int c = 0; c < 3; c++)
                if (fabs(have[c] * have[3] - wanted[c] * wanted[3]) * 255 > 2)
                    fail_msg("position %d, opacity %.2f, pixel %d,%d channel %d: %.1f is not %.1f", position, opacity, x, y, c, have[c] * 255, wanted[c] * 255);
        }
    assert_true(inside > 40);
}

/* ---- what is laid over ---- */

static uint8_t *logo(int width, int height, int channels)
{
    uint8_t *samples = picture(width, height, channels);
    for (int i = 0; i < width * height && channels == 4; i++) /* with clear and solid parts */
        samples[4 * i + 3] = i % width < 4 ? 0 : i % width > width - 6 ? 255 : samples[4 * i + 3];
    return samples;
}

/* White text on black, opaque: its red is how much of a pixel is ink. */
static image ink_of(const char *text, int scale)
{
    static uint8_t black[W * H * 3];
    size_t count;
    uint8_t *data = png_of(black, W, H, 3, &count);
    px_output_spec spec = png(0);
    strcpy(spec.mark.text, text);
    spec.mark.scale = scale;
    spec.mark.position = PX_MARK_TOP_LEFT;
    image drawn = transform(data, count, spec), ink = { .width = W * scale / 100, .channels = 4 };
    for (int i = 0; i < W * H; i++)
        if (drawn.samples[i * drawn.channels])
            ink.height = i / W - MARGIN + 1;
    ink.samples = calloc((size_t)(ink.width * ink.height), 4);
    for (int y = 0; y < ink.height; y++)
        for (int x = 0; x < ink.width; x++) {
            uint8_t *to = ink.samples + (y * ink.width + x) * 4;
            memcpy(to, "\x20\xc0\x40", 3); /* the colour that the test asks for */
            to[3] = drawn.samples[((y + MARGIN) * W + x + MARGIN) * drawn.channels];
        }
    free(data);
    free(drawn.samples);
    return ink;
}

/* Every place and opacity, over a source with that many channels. */
static void try_everywhere(px_mark_spec asked, image mark, int channels)
{
    static const int opacities[] = { 25, 50, 100 };
    uint8_t *samples = picture(W, H, channels);
    for (int i = 0; i < W * H && channels == 4; i++)
        samples[4 * i + 3] = i % 50 < 10 ? 0 : i % 50 < 20 ? 255 : samples[4 * i + 3];
    size_t count;
    uint8_t *data = png_of(samples, W, H, channels, &count);
    image plain = transform(data, count, png(0));
    for (int position = 0; position < PX_MARK_POSITION_COUNT + 2; position++) /* the last two are tiled */
        for (int i = 0; i < 3; i++) {
            px_output_spec spec = png(0);
            bool tiled = position >= PX_MARK_POSITION_COUNT;
            spec.mark = asked;
            spec.mark.tiled = tiled;
            spec.mark.position = tiled ? (position % 2 ? PX_MARK_CENTRE : PX_MARK_BOTTOM_RIGHT) : (px_mark_position)position;
            spec.mark.opacity = opacities[i];
            image marked = transform(data, count, spec);
            assert_marked(marked, plain, mark, spec.mark.position, tiled, opacities[i] / 100.0);
            free(marked.samples);
        }
    free(plain.samples);
    free(data);
    free(samples);
}

static void an_image_lies_where_and_as_strong_as_asked(void **state)
{
    (void)state;
    for (int channels = 3; channels <= 4; channels++) {
        uint8_t *samples = logo(MARK_W, MARK_H, 4);
        size_t count;
        uint8_t *data = png_of(samples, MARK_W, MARK_H, 4, &count);
        px_mark_spec spec = png(0).mark;
        spec.image = mark_fd(data, count);
        try_everywhere(spec, (image){ MARK_W, MARK_H, 4, samples }, channels);
        close(spec.image);
        free(data);
        free(samples);
    }
}

static void a_text_lies_where_and_as_strong_as_asked(void **state)
{
    (void)state;
    image ink = ink_of("Ω © Яз", 40);
    px_mark_spec spec = png(0).mark;
    strcpy(spec.text, "Ω © Яз");
    spec.scale = 40;
    memcpy(spec.colour, "\x20\xc0\x40", 3);
    for (int channels = 3; channels <= 4; channels++)
        try_everywhere(spec, ink, channels);
    free(ink.samples);
}

static void a_bigger_image_is_resampled_to_its_size_with_its_alpha(void **state)
{
    (void)state;
    uint8_t *samples = logo(90, 36, 4), *photo = picture(W, H, 3);
    size_t count, photo_count;
    uint8_t *data = png_of(samples, 90, 36, 4, &count), *photo_data = png_of(photo, W, H, 3, &photo_count);
    image small = transform(data, count, png(MARK_W)), plain = transform(photo_data, photo_count, png(0));
    px_output_spec spec = png(0);
    spec.mark.image = mark_fd(data, count);
    image marked = transform(photo_data, photo_count, spec);
    assert_int_equal(small.height, MARK_H);
    assert_marked(marked, plain, small, PX_MARK_BOTTOM_RIGHT, false, 1);
    close(spec.mark.image);
    free(small.samples);
    free(plain.samples);
    free(marked.samples);
    free(samples);
    free(photo);
    free(data);
    free(photo_data);
}

/* What cannot be seen is an animation's encoder's to choose. */
static void forget_the_invisible(image all)
{
    for (int i = 0; i < all.width * all.height && all.channels == 4; i++)
        if (all.samples[4 * i + 3] == 0)
            memset(all.samples + 4 * i, 0, 4);
}

static void every_frame_of_an_animation_has_it(void **state)
{
    (void)state;
    const px_format format = PX_FORMAT_WEBP; /* which has frames and can lose nothing */
    enum { FRAMES = 3 };
    px_encoder_spec encoding = { .format = format, .width = W, .height = H, .model = PX_RGB, .alpha = PX_STRAIGHT, .quality = 100, .lossless = true,
                                 .frames = FRAMES };
    uint8_t *frames[FRAMES];
    int fd = empty_fd();
    px_encoder *encoder = NULL;
    uint64_t written;
    assert_int_equal(px_encoder_open(&encoding, fd, &encoder, NULL), PX_OK);
    for (int i = 0; i < FRAMES; i++) {
        frames[i] = picture(W, H, 4);
        for (int k = 0; k < W * H; k++) { /* another picture each, with thin and solid parts; what is quite clear may lose its colours */
            frames[i][4 * k + i] = (uint8_t)(255 - frames[i][4 * k + i]);
            frames[i][4 * k + 3] = k % 30 < 5 ? 40 : 255;
        }
        assert_int_equal(encoder->next(encoder, 100, NULL), PX_OK);
        for (int y = 0; y < H; y++) {
            px_row row = px_row_of(frames[i] + y * W * 4, W, PX_RGB, PX_STRAIGHT);
            assert_int_equal(encoder->push(encoder, &row, NULL), PX_OK);
        }
    }
    assert_int_equal(encoder->finish(encoder, &written, NULL), PX_OK);
    px_encoder_close(&encoder);

    uint8_t *samples = logo(MARK_W, MARK_H, 4);
    size_t count;
    uint8_t *data = png_of(samples, MARK_W, MARK_H, 4, &count);
    px_output_spec specs[2] = { png(0), png(0) };
    for (int i = 0; i < 2; i++) {
        specs[i].format = format;
        specs[i].lossless = true;
    }
    specs[1].mark.image = mark_fd(data, count);
    specs[1].mark.opacity = 50;
    px_source source;
    px_transform_report report;
    px_error err = { "" };
    int fds[2] = { empty_fd(), empty_fd() };
    assert_int_equal(px_source_open(fd, &source, NULL), PX_OK);
    if (px_transform(&source, &limits, specs, fds, 2, &report, &err) != PX_OK)
        fail_msg("%s", err.message);
    assert_int_equal(report.outputs[1].frames, FRAMES);
    px_source outs[2];
    px_decoder *decoders[2] = { NULL, NULL };
    for (int i = 0; i < 2; i++) {
        int width, height;
        assert_int_equal(px_source_open(fds[i], &outs[i], NULL), PX_OK);
        assert_int_equal(px_decoder_open(&outs[i], &limits, &decoders[i], NULL), PX_OK);
        assert_int_equal(decoders[i]->header.frames, FRAMES);
        assert_int_equal(decoders[i]->start(decoders[i], 8, &width, &height, NULL), PX_OK);
    }
    for (int frame = 0; frame < FRAMES; frame++) {
        image got[2];
        for (int i = 0; i < 2; i++) {
            int milliseconds;
            px_row row;
            got[i] = (image){ W, H, px_channels(decoders[i]->header.model, decoders[i]->header.alpha), calloc(W * H, 4) };
            assert_int_equal(decoders[i]->next(decoders[i], &milliseconds, NULL), PX_OK);
            for (int y = 0; y < H; y++) {
                assert_int_equal(decoders[i]->pull(decoders[i], &row, NULL), PX_OK);
                memcpy(got[i].samples + y * W * got[i].channels, row.planes[0].samples, (size_t)(W * got[i].channels));
            }
            forget_the_invisible(got[i]);
        }
        assert_marked(got[1], got[0], (image){ MARK_W, MARK_H, 4, samples }, PX_MARK_BOTTOM_RIGHT, false, 0.5);
        free(got[0].samples);
        free(got[1].samples);
    }
    for (int i = 0; i < 2; i++) {
        px_decoder_close(&decoders[i]);
        px_source_close(&outs[i]);
    }
    for (int i = 0; i < FRAMES; i++)
        free(frames[i]);
    close(specs[1].mark.image);
    px_source_close(&source);
    free(samples);
    free(data);
}

/* ---- the output around it ---- */

static void a_grey_output_gets_colour_with_a_coloured_mark_and_no_other(void **state)
{
    (void)state;
    uint8_t *grey = picture(W, H, 1), *small = picture(MARK_W, MARK_H, 2);
    size_t count, mark_count;
    uint8_t *data = png_of(grey, W, H, 1, &count), *mark_data = png_of(small, MARK_W, MARK_H, 2, &mark_count);
    px_output_spec spec = png(0);
    spec.mark.image = mark_fd(mark_data, mark_count);
    image plain = transform(data, count, png(0)), marked = transform(data, count, spec);
    assert_int_equal(marked.channels, 1);
    assert_marked(marked, plain, (image){ MARK_W, MARK_H, 2, small }, PX_MARK_BOTTOM_RIGHT, false, 1);
    close(spec.mark.image);
    spec.mark.image = 0;
    strcpy(spec.mark.text, "red");
    memcpy(spec.mark.colour, "\xff\0\0", 3);
    image red = transform(data, count, spec);
    int reddish = 0;
    assert_int_equal(red.channels, 3);
    for (int i = 0; i < W * H; i++) {
        const uint8_t *p = red.samples + 3 * i;
        reddish += p[0] > p[1] + 50 && p[1] == p[2];
        assert_true(i >= W * H / 2 || (p[0] == plain.samples[i] && p[1] == p[0] && p[2] == p[0]));
    }
    assert_true(reddish > 20);
    free(plain.samples);
    free(marked.samples);
    free(red.samples);
    free(grey);
    free(small);
    free(data);
    free(mark_data);
}

static void padding_is_marked_once_and_beside_an_unmarked_output_of_one_decode(void **state)
{
    (void)state;
    uint8_t *photo = picture(W, 20, 3), *small = logo(MARK_W, MARK_H, 4);
    size_t count, mark_count;
    uint8_t *data = png_of(photo, W, 20, 3, &count), *mark_data = png_of(small, MARK_W, MARK_H, 4, &mark_count);
    px_output_spec specs[2] = { png(W), png(W) };
    for (int i = 0; i < 2; i++) {
        specs[i].height = H;
        specs[i].fit = PX_FIT_CONTAIN;
    }
    specs[0].mark.image = mark_fd(mark_data, mark_count);
    specs[0].mark.tiled = true; /* so that it meets both paddings and the picture */
    px_source source = source_of(data, count);
    px_transform_report report;
    int fds[2] = { empty_fd(), empty_fd() };
    assert_int_equal(px_transform(&source, &limits, specs, fds, 2, &report, NULL), PX_OK);
    image got[2];
    for (int i = 0; i < 2; i++) {
        size_t bytes;
        px_header header = { 0 };
        uint8_t *out = bytes_of(fds[i], &bytes);
        assert_int_equal(decode(out, bytes, &header, &got[i].samples), PX_OK);
        got[i] = (image){ header.width, header.height, px_channels(header.model, header.alpha), got[i].samples };
        free(out);
        close(fds[i]);
    }
    image alone = transform(data, count, specs[1]);
    assert_memory_equal(got[1].samples, alone.samples, W * H * 3); /* the first lane's mark is not in the shared rows */
    assert_marked(got[0], got[1], (image){ MARK_W, MARK_H, 4, small }, PX_MARK_BOTTOM_RIGHT, true, 1);
    close(specs[0].mark.image);
    px_source_close(&source);
    free(got[0].samples);
    free(got[1].samples);
    free(alone.samples);
    free(photo);
    free(small);
    free(data);
    free(mark_data);
}

static void it_stands_upright_on_a_picture_that_was_turned_and_is_turned_upright_itself(void **state)
{
    (void)state;
    uint8_t *photo = picture(H, W, 3), *lying = picture(MARK_H, MARK_W, 3), *upright = malloc(MARK_W * MARK_H * 3);
    for (int y = 0; y < MARK_H; y++) /* orientation 6: what is stored has to be turned clockwise */
        for (int x = 0; x < MARK_W; x++)
            memcpy(upright + (y * MARK_W + x) * 3, lying + ((MARK_W - 1 - x) * MARK_H + y) * 3, 3);
    size_t count, mark_count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = H, .height = W, .model = PX_RGB, .orientation = 8 }, photo, &count);
    uint8_t *mark_data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = MARK_H, .height = MARK_W, .model = PX_RGB, .orientation = 6 },
                                lying, &mark_count);
    px_output_spec spec = png(0);
    spec.mark.image = mark_fd(mark_data, mark_count);
    image plain = transform(data, count, png(0)), marked = transform(data, count, spec);
    assert_marked(marked, plain, (image){ MARK_W, MARK_H, 3, upright }, PX_MARK_BOTTOM_RIGHT, false, 1);
    close(spec.mark.image);
    free(plain.samples);
    free(marked.samples);
    free(photo);
    free(lying);
    free(upright);
    free(data);
    free(mark_data);
}

static void the_source_s_own_bytes_never_stand_for_a_marked_output(void **state)
{
    (void)state;
    uint8_t samples[W * H], *small = picture(MARK_W, MARK_H, 1);
    for (int i = 0; i < W * H; i++)
        samples[i] = (uint8_t)(i % W < 60 ? 0 : 255);
    size_t count, mark_count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_JPEG, .width = W, .height = H, .model = PX_GREY, .quality = 30 }, samples, &count);
    uint8_t *mark_data = png_of(small, MARK_W, MARK_H, 1, &mark_count);
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    spec.quality = 100;
    int mark = mark_fd(mark_data, mark_count);
    for (int marked = 0; marked < 2; marked++) {
        spec.mark.image = marked ? mark : 0;
        px_source source = source_of(data, count);
        px_transform_report report;
        int fd = empty_fd();
        assert_int_equal(px_transform(&source, &limits, &spec, &fd, 1, &report, NULL), PX_OK);
        assert_int_equal(report.outputs[0].passed_through, !marked);
        close(fd);
        px_source_close(&source);
    }
    close(mark);
    free(data);
    free(mark_data);
    free(small);
}

static void it_never_leaves_the_room_between_the_margins(void **state)
{
    (void)state;
    static const double aspects[] = { 0, 0.01, 0.4, 1, 3, 500 };
    for (int w = 1; w < 400; w = w * 2 + 1)
        for (int h = 1; h < 400; h = h * 2 + 1)
            for (int scale = 1; scale <= 100; scale += 33)
                for (int i = 0; i < 36; i++) {
                    px_mark_spec spec = PX_MARK_SPEC_DEFAULT;
                    spec.scale = scale;
                    spec.margin = 10;
                    spec.position = (px_mark_position)(i % 9);
                    double picture = aspects[i % 6], text = aspects[i / 6];
                    if (picture == 0 && text == 0)
                        continue;
                    px_mark_box box = px_mark_place(&spec, w, h, picture, text);
                    int margin = (int)lround((w < h ? w : h) * 0.1);
                    assert_true(box.width >= 1 && box.height >= 1 && box.picture_height + box.text_height <= box.height);
                    assert_true(box.x >= margin && box.y >= margin && box.x + box.width <= w - margin && box.y + box.height <= h - margin);
                }
}

/* ---- text ---- */

static px_letters *letters_of(const char *text)
{
    px_error err = { "" };
    px_letters *letters = NULL;
    if (px_letters_open(text, px_font_bundled(), &letters, &err) != PX_OK)
        fail_msg("%s: %s", text, err.message);
    return letters;
}

static double aspect_of(const char *text)
{
    px_letters *letters = letters_of(text);
    double aspect = px_letters_aspect(letters);
    px_letters_close(letters);
    return aspect;
}

static void letters_of_many_scripts_are_drawn_and_none_is_a_box(void **state)
{
    (void)state;
    static const char *const texts[] = { "Ελληνικά", "Москва", "السلام عليكم", "שלום", "© Żółć 2026", "ﬁ" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t plane[200 * 60] = { 0 };
        px_letters *letters = letters_of(texts[i]);
        assert_int_equal(px_letters_draw(letters, 200, 60, plane, NULL), PX_OK);
        int ink = 0;
        for (size_t k = 0; k < sizeof plane; k++)
            ink += plane[k] > 128;
        assert_in_range(ink, 900, 9000);
        px_letters_close(letters);
    }
}

static void arabic_letters_join_and_hebrew_begins_at_the_right(void **state)
{
    (void)state;
    double joined = aspect_of("سلام"), apart = aspect_of("س\u200cل\u200cا\u200cم");
    assert_true(fabs(joined - apart) > 0.05);
    uint8_t plane[100 * 20] = { 0 };
    px_letters *letters = letters_of("ו א"); /* a narrow letter, then a wide one */
    assert_int_equal(px_letters_draw(letters, 100, 20, plane, NULL), PX_OK);
    px_letters_close(letters);
    int left = 0, right = 0;
    bool inked[100] = { false };
    for (int i = 0; i < 100 * 20; i++)
        inked[i % 100] |= plane[i] > 60;
    while (left < 100 && inked[left])
        left++;
    while (right < 100 && inked[99 - right])
        right++;
    assert_true(left > 2 * right && right > 0);
}

/* ---- refused ---- */

static void assert_refused(px_output_spec spec, const char *words)
{
    uint8_t *photo = picture(W, H, 3);
    size_t count;
    uint8_t *data = png_of(photo, W, H, 3, &count);
    px_error err = { "" };
    image unused;
    assert_int_equal(try_transform(data, count, spec, &unused, &err), PX_BAD_RECIPE);
    if (!strstr(err.message, words))
        fail_msg("'%s' does not say '%s'", err.message, words);
    free(photo);
    free(data);
}

static void a_picture_or_font_that_cannot_be_used_is_the_recipe_s_mistake(void **state)
{
    (void)state;
    uint8_t *small = picture(MARK_W, MARK_H, 4), junk[400];
    size_t count;
    uint8_t *data = png_of(small, MARK_W, MARK_H, 4, &count);
    px_output_spec spec = png(0);
    spec.mark.image = mark_fd("hello, I am no picture", 22);
    assert_refused(spec, "the watermark's picture cannot be used");
    close(spec.mark.image);
    spec.mark.image = mark_fd(data, count / 2);
    assert_refused(spec, "the watermark's picture cannot be used");
    close(spec.mark.image);
    memcpy(data + 16, "\0\0\xfa\xfa\0\0\xfa\xfa", 8); /* claims 64250 x 64250 */
    spec.mark.image = mark_fd(data, count);
    assert_refused(spec, "the watermark's picture cannot be used");
    close(spec.mark.image);
    spec.mark.image = 0;

    strcpy(spec.mark.text, "中");
    assert_refused(spec, "no glyph for U+4E2D");
    strcpy(spec.mark.text, "  ");
    assert_refused(spec, "no ink");
    strcpy(spec.mark.text, "text");
    memset(junk, 7, sizeof junk);
    memcpy(junk, "\0\1\0\0", 4);
    spec.mark.font = mark_fd(junk, sizeof junk);
    assert_refused(spec, "font cannot be read");
    close(spec.mark.font);
    free(data);
    free(small);
}

static void a_font_cut_anywhere_does_no_harm(void **state)
{
    (void)state;
    px_bytes whole = px_font_bundled();
    for (size_t count = 0; count < whole.count; count += whole.count / 40 + 1) {
        uint8_t *part = malloc(count + 1), plane[40 * 20] = { 0 }; /* so that a sanitizer sees a step beyond */
        memcpy(part, whole.data, count);
        px_letters *letters = NULL;
        px_error err = { "" };
        if (px_letters_open("Ω text", (px_bytes){ part, count }, &letters, &err) == PX_OK)
            (void)!px_letters_draw(letters, 40, 20, plane, NULL);
        px_letters_close(letters);
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_image_lies_where_and_as_strong_as_asked, reset),
        cmocka_unit_test_setup(a_text_lies_where_and_as_strong_as_asked, reset),
        cmocka_unit_test_setup(a_bigger_image_is_resampled_to_its_size_with_its_alpha, reset),
        cmocka_unit_test_setup(every_frame_of_an_animation_has_it, reset),
        cmocka_unit_test_setup(a_grey_output_gets_colour_with_a_coloured_mark_and_no_other, reset),
        cmocka_unit_test_setup(padding_is_marked_once_and_beside_an_unmarked_output_of_one_decode, reset),
        cmocka_unit_test_setup(it_stands_upright_on_a_picture_that_was_turned_and_is_turned_upright_itself, reset),
        cmocka_unit_test_setup(the_source_s_own_bytes_never_stand_for_a_marked_output, reset),
        cmocka_unit_test_setup(it_never_leaves_the_room_between_the_margins, reset),
        cmocka_unit_test_setup(letters_of_many_scripts_are_drawn_and_none_is_a_box, reset),
        cmocka_unit_test_setup(arabic_letters_join_and_hebrew_begins_at_the_right, reset),
        cmocka_unit_test_setup(a_picture_or_font_that_cannot_be_used_is_the_recipe_s_mistake, reset),
        cmocka_unit_test_setup(a_font_cut_anywhere_does_no_harm, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
