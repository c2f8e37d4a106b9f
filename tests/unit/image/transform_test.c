/* The engine from bytes to bytes: orientation, alpha, several outputs of one decode, limits from the header. */
#include "picture.h"

#include <string.h>

#include "image/image.h"
#include "image/orient.h"

static px_limits limits;

static px_status transform(const uint8_t *data, size_t count, px_output_spec spec, px_transform_report *report,
                           uint8_t **ret_samples, px_header *ret_header)
{
    px_source source = source_of(data, count);
    int fd = empty_fd();
    px_status status = px_transform(&source, &limits, &spec, &fd, 1, report, NULL);
    if (status == PX_OK) {
        size_t bytes;
        uint8_t *out = bytes_of(fd, &bytes);
        assert_int_equal(bytes, report->outputs[0].bytes);
        assert_int_equal(decode(out, bytes, ret_header, ret_samples), PX_OK);
        assert_int_equal(ret_header->width, report->outputs[0].width);
        assert_int_equal(ret_header->height, report->outputs[0].height);
        free(out);
    }
    close(fd);
    px_source_close(&source);
    return status;
}

static int reset(void **state)
{
    (void)state;
    limits = PX_LIMITS_DEFAULT;
    return 0;
}

static px_output_spec png(int width)
{
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    spec.format = PX_FORMAT_PNG;
    spec.width = width;
    return spec;
}

/* Where the pixel of an upright picture lies in the one that was stored (w x h as stored). */
static void stored_place(int o, int w, int h, int x, int y, int *sx, int *sy)
{
    *sx = o == 1 || o == 4 ? x : o == 2 || o == 3 ? w - 1 - x : o == 5 || o == 6 ? y : w - 1 - y;
    *sy = o == 1 || o == 2 ? y : o == 3 || o == 4 ? h - 1 - y : o == 5 || o == 8 ? x : h - 1 - x;
}

static void all_eight_orientations_come_out_upright_and_alike(void **state)
{
    (void)state;
    enum { W = 37, H = 23 };
    uint8_t *upright = picture(W, H, 3), *first = NULL;
    for (int pass = 0; pass < 2; pass++) /* untouched, then scaled */
        for (int o = 1; o <= 8; o++) {
            int w = o >= 5 ? H : W, h = o >= 5 ? W : H;
            uint8_t *stored = malloc(W * H * 3), *back = NULL;
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++) {
                    int sx, sy;
                    stored_place(o, w, h, x, y, &sx, &sy);
                    memcpy(stored + (sy * w + sx) * 3, upright + (y * W + x) * 3, 3);
                }
            size_t count;
            uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = w, .height = h,
                                                      .model = PX_RGB, .orientation = o }, stored, &count);
            px_transform_report report;
            px_header header;
            assert_int_equal(transform(data, count, png(pass ? 20 : 0), &report, &back, &header), PX_OK);
            assert_int_equal(report.orientation, o);
            assert_int_equal(report.width, W);
            assert_int_equal(header.orientation, 1);
            assert_int_equal(header.width, pass ? 20 : W);
            if (pass == 0) {
                assert_memory_equal(back, upright, W * H * 3);
            } else if (!first) {
                first = back;
                back = NULL;
            } else {
                assert_true(psnr(back, first, (size_t)(20 * header.height * 3)) > 50);
            }
            free(back);
            free(data);
            free(stored);
        }
    free(first);
    free(upright);
}

static void without_rotation_the_orientation_is_kept_as_a_word(void **state)
{
    (void)state;
    uint8_t *samples = picture(40, 20, 3), *back = NULL;
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_JPEG, .width = 40, .height = 20, .model = PX_RGB,
                                              .quality = 90, .orientation = 6 }, samples, &count);
    px_output_spec spec = png(10);
    spec.rotate = false;
    px_transform_report report;
    px_header header;
    assert_int_equal(transform(data, count, spec, &report, &back, &header), PX_OK);
    assert_int_equal(header.orientation, 6);
    assert_int_equal(header.width, 20); /* stored lying; upright it is 10 x 20 */
    assert_int_equal(header.height, 10);
    free(back);
    free(data);
    free(samples);
}

static void colour_under_transparency_never_bleeds(void **state)
{
    (void)state;
    enum { SIDE = 64 };
    uint8_t samples[SIDE * SIDE * 4], *back = NULL;
    for (int i = 0; i < SIDE * SIDE; i++) /* opaque red beside invisible green */
        memcpy(samples + 4 * i, i % SIDE < 30 ? "\xff\x00\x00\xff" : "\x00\xff\x00\x00", 4);
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = SIDE, .height = SIDE, .model = PX_RGB,
                                              .alpha = PX_STRAIGHT }, samples, &count);
    px_transform_report report;
    px_header header;
    assert_int_equal(transform(data, count, png(21), &report, &back, &header), PX_OK);
    assert_true(report.alpha);
    assert_int_equal(header.alpha, PX_STRAIGHT);
    for (int i = 0; i < 21 * 21; i++)
        assert_true(back[4 * i + 1] == 0 || back[4 * i + 3] < 8);
    free(back);
    free(data);
}

static void a_format_without_alpha_shows_the_background(void **state)
{
    (void)state;
    for (int width = 16; width <= 32; width += 16) { /* scaled and untouched */
        uint8_t samples[32 * 32 * 4] = { 0 }, *back = NULL;
        size_t count;
        uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = 32, .height = 32,
                                                  .model = PX_RGB, .alpha = PX_STRAIGHT }, samples, &count);
        px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
        spec.width = width;
        spec.background[0] = 200;
        spec.background[1] = 100;
        spec.background[2] = 50;
        px_transform_report report;
        px_header header;
        assert_int_equal(transform(data, count, spec, &report, &back, &header), PX_OK);
        for (int i = 0; i < width * width; i++)
            for (int c = 0; c < 3; c++)
                assert_true(abs(back[3 * i + c] - spec.background[c]) <= 3);
        free(back);
        free(data);
    }
}

static void contain_pads_and_grey_stays_grey(void **state)
{
    (void)state;
    uint8_t *samples = picture(50, 20, 1), *back = NULL;
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = 50, .height = 20, .model = PX_GREY },
                           samples, &count);
    px_output_spec spec = png(25);
    spec.height = 30;
    spec.fit = PX_FIT_CONTAIN;
    px_transform_report report;
    px_header header;
    assert_int_equal(transform(data, count, spec, &report, &back, &header), PX_OK);
    assert_int_equal(header.model, PX_GREY);
    assert_int_equal(header.height, 30);
    for (int x = 0; x < 25; x++)
        for (int y = 0; y < 10; y++)
            assert_true(back[y * 25 + x] == 255 && back[(29 - y) * 25 + x] == 255);
    assert_memory_not_equal(back + 15 * 25, back, 25);
    free(back);
    free(data);
    free(samples);
}

static void several_outputs_are_what_each_would_be_alone(void **state)
{
    (void)state;
    uint8_t *samples = picture(300, 200, 3);
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = 300, .height = 200, .model = PX_RGB },
                           samples, &count);
    px_output_spec specs[3] = { png(150), png(80), PX_OUTPUT_SPEC_DEFAULT };
    int fds[3] = { empty_fd(), empty_fd(), empty_fd() };
    px_source source = source_of(data, count);
    px_transform_report report;
    assert_int_equal(px_transform(&source, &limits, specs, fds, 3, &report, NULL), PX_OK);
    for (int i = 0; i < 3; i++) {
        int alone = empty_fd();
        size_t a_count, b_count;
        px_transform_report other;
        assert_int_equal(px_transform(&source, &limits, &specs[i], &alone, 1, &other, NULL), PX_OK);
        uint8_t *a = bytes_of(alone, &a_count), *b = bytes_of(fds[i], &b_count);
        assert_int_equal(a_count, b_count);
        assert_memory_equal(a, b, a_count);
        free(a);
        free(b);
        close(alone);
        close(fds[i]);
    }
    px_source_close(&source);
    free(data);
    free(samples);
}

/* The ladder: 40 pixels are made of the 90, those of the source. */
static void a_small_output_is_fed_by_a_large_one_and_nobody_sees_it(void **state)
{
    (void)state;
    uint8_t *samples = picture(300, 200, 4);
    for (int channels = 3; channels <= 4; channels++) {
        size_t count;
        uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = channels == 4 ? 300 : 400, .height = channels == 4 ? 200 : 150, .model = PX_RGB,
                                                  .alpha = channels == 4 ? PX_STRAIGHT : PX_OPAQUE }, samples, &count);
        px_output_spec specs[2] = { png(40), png(90) };
        int fds[2] = { empty_fd(), empty_fd() };
        px_source source = source_of(data, count);
        px_transform_report report;
        assert_int_equal(px_transform(&source, &limits, specs, fds, 2, &report, NULL), PX_OK);
        uint8_t *alone = NULL, *fed = NULL;
        px_header header;
        size_t bytes;
        assert_int_equal(transform(data, count, specs[0], &report, &alone, &header), PX_OK);
        uint8_t *file = bytes_of(fds[0], &bytes);
        assert_int_equal(decode(file, bytes, &header, &fed), PX_OK);
        size_t of = (size_t)(header.width * header.height * channels);
        assert_true(psnr(alone, fed, of) >= 45);
        assert_true(memcmp(alone, fed, of) != 0); /* so it was fed */
        free(alone);
        free(fed);
        free(file);
        free(data);
        close(fds[0]);
        close(fds[1]);
        px_source_close(&source);
    }
    free(samples);
}

static void scaled_decoding_is_near_full_decoding(void **state)
{
    (void)state;
    uint8_t *samples = picture(640, 480, 1), *back = NULL, *exact = NULL;
    size_t count, png_count;
    px_encoder_spec spec = { .format = PX_FORMAT_JPEG, .width = 640, .height = 480, .model = PX_GREY, .quality = 98 };
    uint8_t *data = encode(spec, samples, &count);
    spec.format = PX_FORMAT_PNG;
    uint8_t *lossless = encode(spec, samples, &png_count);
    px_transform_report report;
    px_header header;
    assert_int_equal(transform(data, count, png(80), &report, &back, &header), PX_OK); /* decoded at 2/8 */
    assert_int_equal(transform(lossless, png_count, png(80), &report, &exact, &header), PX_OK);
    assert_true(psnr(back, exact, 80 * 60) > 34);
    free(back);
    free(exact);
    free(data);
    free(lossless);
    free(samples);
}

static void limits_are_judged_before_a_pixel_is_decoded(void **state)
{
    (void)state;
    uint8_t *samples = picture(64, 64, 3), *back = NULL;
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_JPEG, .width = 64, .height = 64, .model = PX_RGB,
                                              .quality = 80 }, samples, &count);
    px_transform_report report;
    px_header header;
    limits.pixels = 4095;
    assert_int_equal(transform(data, count, png(8), &report, &back, &header), PX_TOO_MANY_PIXELS);
    limits.pixels = 4096;
    assert_int_equal(transform(data, count, png(8), &report, &back, &header), PX_OK);
    free(back);
    limits.side = 63;
    assert_int_equal(transform(data, count, png(8), &report, &back, &header), PX_TOO_MANY_PIXELS);
    limits = PX_LIMITS_DEFAULT;
    limits.input_bytes = count - 1;
    assert_int_equal(transform(data, count, png(8), &report, &back, &header), PX_TOO_MANY_BYTES);
    limits = PX_LIMITS_DEFAULT;
    limits.memory_bytes = 100000;
    assert_int_equal(transform(data, count, png(8), &report, &back, &header), PX_OUT_OF_MEMORY);
    limits = PX_LIMITS_DEFAULT;
    assert_int_equal(transform((const uint8_t *)"hello, I am text", 16, png(8), &report, &back, &header),
                     PX_UNSUPPORTED_FORMAT);
    free(data);
    free(samples);
}

/* A low quality source encoded at a high one would grow: its own bytes go through, without the EXIF they came with. */
static void nothing_grows_for_nothing(void **state)
{
    (void)state;
    for (int png_too = 0; png_too < 2; png_too++) {
        uint8_t *samples = picture(90, 60, 3), *back = NULL, *exact = NULL;
        size_t count;
        px_encoder_spec spec = { .format = png_too ? PX_FORMAT_PNG : PX_FORMAT_JPEG, .width = 90, .height = 60,
                                 .model = PX_RGB, .quality = 20, .orientation = 6 };
        uint8_t *data = encode(spec, samples, &count);
        px_header header;
        assert_int_equal(decode(data, count, &header, &exact), PX_OK);
        for (size_t i = 0; i < count - 26; i++) /* upright, but the EXIF stays */
            if (memcmp(data + i, "MM\0*", 4) == 0)
                data[i + 19] = 1;
        px_output_spec wanted = PX_OUTPUT_SPEC_DEFAULT;
        wanted.format = PX_FORMAT_KEEP;
        wanted.quality = 98;
        px_transform_report report;
        if (!png_too) {
            assert_int_equal(transform(data, count, wanted, &report, &back, &header), PX_OK);
            assert_true(report.outputs[0].passed_through);
            assert_int_equal(report.outputs[0].bytes, count - 36); /* less the EXIF segment */
            assert_memory_equal(back, exact, 90 * 60 * 3);
            free(back);
        }
        int fd = empty_fd();
        uint64_t bytes = 0;
        px_source source = source_of(data, count);
        assert_int_equal(px_format_clean(&(px_encoder_spec){ .format = spec.format, .orientation = 3 }, &source, fd, &bytes, NULL), PX_OK);
        size_t clean_count;
        uint8_t *clean = bytes_of(fd, &clean_count);
        assert_int_equal(bytes, clean_count);
        assert_int_equal(decode(clean, clean_count, &header, &back), PX_OK);
        assert_int_equal(header.orientation, 3);
        assert_memory_equal(back, exact, 90 * 60 * 3);
        px_source_close(&source);
        close(fd);
        free(clean);
        free(back);
        free(exact);
        free(data);
        free(samples);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_eight_orientations_come_out_upright_and_alike, reset),
        cmocka_unit_test_setup(without_rotation_the_orientation_is_kept_as_a_word, reset),
        cmocka_unit_test_setup(colour_under_transparency_never_bleeds, reset),
        cmocka_unit_test_setup(a_format_without_alpha_shows_the_background, reset),
        cmocka_unit_test_setup(contain_pads_and_grey_stays_grey, reset),
        cmocka_unit_test_setup(several_outputs_are_what_each_would_be_alone, reset),
        cmocka_unit_test_setup(a_small_output_is_fed_by_a_large_one_and_nobody_sees_it, reset),
        cmocka_unit_test_setup(scaled_decoding_is_near_full_decoding, reset),
        cmocka_unit_test_setup(nothing_grows_for_nothing, reset),
        cmocka_unit_test_setup(limits_are_judged_before_a_pixel_is_decoded, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
