/* A hash that is known byte by byte, what it does not depend on, and the dominant colour. The whole way from a file, against another
 * implementation, is in tests/e2e/test_placeholder.py. */
#include "picture.h"

#include <string.h>

#include "image/placeholder.h"
#include "image/thumbhash.h"

enum { SIDE = 100 };
static uint8_t rgba[SIDE * SIDE * 4];

static void fill(int from, int to, uint8_t r, uint8_t g, uint8_t b, uint8_t a)
{
    for (int i = from; i < to; i++)
        memcpy(rgba + 4 * i, (uint8_t[]){ r, g, b, a }, 4);
}

static void one_colour_is_its_header_alone(void **state)
{
    (void)state;
    uint8_t hash[PX_THUMBHASH_BYTES];
    fill(0, 100, 255, 255, 255, 255); /* l = 63, p = q = 32 (31.5 rounded), a portrait of 7 x 7 terms */
    assert_int_equal(px_thumbhash_of(rgba, 10, 10, hash), 5 + (27 + 5 + 5 + 1) / 2);
    assert_memory_equal(hash, ((uint8_t[]){ 63, 8, 2, 7, 0 }), 5);
    for (int i = 5; i < 24; i++)
        assert_int_equal(hash[i], 0);
}

static void no_size_writes_beyond_its_end(void **state)
{
    (void)state;
    for (int width = 1; width <= SIDE; width += 9)
        for (int height = 1; height <= SIDE; height += 11)
            for (int alpha = 0; alpha < 2; alpha++) {
                uint8_t hash[PX_THUMBHASH_BYTES + 8];
                memset(hash, 0xee, sizeof hash);
                for (int i = 0; i < width * height * 4; i++)
                    rgba[i] = i % 4 < 3 || alpha ? picture_sample(i / 4 % width, i / 4 / width, i % 4) : 255;
                size_t count = px_thumbhash_of(rgba, width, height, hash);
                assert_in_range(count, 5, PX_THUMBHASH_BYTES);
                for (size_t i = count; i < sizeof hash; i++)
                    assert_int_equal(hash[i], 0xee);
            }
}

static void the_colour_that_most_is_of_wins_and_what_is_transparent_does_not_count(void **state)
{
    (void)state;
    uint8_t colour[3];
    fill(0, 400, 200, 30, 40, 255);
    fill(400, 900, 20, 20, 250, 100);
    fill(900, 1000, 90, 90, 90, 255);
    px_dominant_colour_of(rgba, 1000, colour);
    assert_memory_equal(colour, ((uint8_t[]){ 200, 30, 40 }), 3);
    fill(400, 900, 20, 20, 250, 255);
    px_dominant_colour_of(rgba, 1000, colour);
    assert_memory_equal(colour, ((uint8_t[]){ 20, 20, 250 }), 3);
    fill(0, 1000, 77, 66, 55, 0);
    px_dominant_colour_of(rgba, 1000, colour);
    assert_memory_equal(colour, ((uint8_t[]){ 0, 0, 0 }), 3);
}

static void greys_are_one_cell_whatever_rounding_does(void **state)
{
    (void)state;
    uint8_t colour[3];
    for (int i = 0; i < 1000; i++)
        fill(i, i + 1, (uint8_t)(128 + i % 3), (uint8_t)(128 + i / 3 % 3), (uint8_t)(128 + i / 9 % 3), 255);
    px_dominant_colour_of(rgba, 1000, colour);
    for (int c = 0; c < 3; c++)
        assert_int_equal(colour[c], 129);
}

/* Rows of a picture that is wider, higher, or neither than a hundred pixels: the averages are those of all pixels. */
static void the_small_picture_is_the_mean_of_all_pixels(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 100, 100 }, { 1, 1 }, { 3000, 7 }, { 5, 70000 }, { 333, 999 } };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int width = sizes[k][0], height = sizes[k][1];
        px_placeholder *self = NULL;
        uint8_t *row = malloc((size_t)width * 4);
        assert_non_null(row);
        assert_int_equal(px_placeholder_create(width, height, PX_RGB, true, &self, NULL), PX_OK);
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) /* a checkerboard of single pixels, premultiplied */
                memcpy(row + 4 * x, (x ^ y) % 2 == 0 ? (uint8_t[]){ 255, 128, 0, 255 } : (uint8_t[]){ 0, 0, 0, 0 }, 4);
            px_placeholder_push(self, row);
        }
        px_transform_report report = { 0 };
        px_placeholder_finish(self, NULL, 1 + (int)k, &report);
        assert_in_range(report.thumbhash_bytes, 5, 25);
        assert_true(report.colour[0] == 255 && abs(report.colour[1] - 128) <= 1 && report.colour[2] == 0);
        px_placeholder_destroy(self);
        free(row);
    }
}

static void it_is_in_every_report_whatever_the_outputs_are(void **state)
{
    (void)state;
    px_limits limits = PX_LIMITS_DEFAULT;
    uint8_t *samples = picture(300, 200, 3);
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = 300, .height = 200, .model = PX_RGB }, samples, &count);
    px_source source = source_of(data, count);
    px_transform_report reports[3];
    for (int pass = 0; pass < 3; pass++) {
        px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
        spec.width = pass == 0 ? 800 : 10;
        spec.colour = pass == 1 ? PX_COLOUR_KEEP : PX_COLOUR_SRGB;
        spec.crop = pass == 2 ? (px_crop){ 0, 0, 10, 10, true } : (px_crop){ 0 };
        int fd = empty_fd();
        assert_int_equal(px_transform(&source, &limits, &spec, &fd, 1, &reports[pass], NULL), PX_OK);
        close(fd);
        assert_int_equal(reports[pass].thumbhash_bytes, reports[0].thumbhash_bytes);
        assert_memory_equal(reports[pass].thumbhash, reports[0].thumbhash, (size_t)reports[0].thumbhash_bytes);
        assert_memory_equal(reports[pass].colour, reports[0].colour, 3);
    }
    px_source_close(&source);
    free(data);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_colour_is_its_header_alone),
        cmocka_unit_test(no_size_writes_beyond_its_end),
        cmocka_unit_test(the_colour_that_most_is_of_wins_and_what_is_transparent_does_not_count),
        cmocka_unit_test(greys_are_one_cell_whatever_rounding_does),
        cmocka_unit_test(the_small_picture_is_the_mean_of_all_pixels),
        cmocka_unit_test(it_is_in_every_report_whatever_the_outputs_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
