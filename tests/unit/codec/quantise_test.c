/* The quantiser: few colours stay as they are, many become few without being far off, and always the same ones. */
#include "picture.h"

#include <string.h>

#include "codec/quantise.h"

enum { W = 160, H = 120 };

static px_quantiser *quantiser;

static int create(void **state)
{
    (void)state;
    return px_quantiser_create(W, &quantiser, NULL) == PX_OK ? 0 : -1;
}

static int destroy(void **state)
{
    (void)state;
    px_quantiser_destroy(quantiser);
    return 0;
}

static int rounds = 12; /* of k-means */

/* Quantises W x H pixels and puts them back together. */
static double quality(const uint8_t *rgba, int most, bool dither, px_palette *palette)
{
    static uint8_t indices[W * H], back[W * H * 4];
    px_quantiser_begin(quantiser);
    px_quantiser_add(quantiser, rgba, W * H);
    px_quantiser_choose(quantiser, most, false, rounds, palette);
    px_quantiser_map(quantiser, palette, rgba, W * 4, W, H, dither, indices, W);
    for (int i = 0; i < W * H; i++) {
        assert_true(indices[i] < palette->count);
        memcpy(back + 4 * i, palette->colours[indices[i]], 4);
    }
    return psnr(rgba, back, sizeof back);
}

static void as_many_colours_as_asked_for_are_kept_exactly(void **state)
{
    (void)state;
    static uint8_t rgba[W * H * 4];
    for (int colours = 2; colours <= 256; colours += 127)
        for (int dither = 0; dither < 2; dither++) {
            for (int i = 0; i < W * H; i++) {
                int c = i * 7 % colours;
                uint8_t pixel[4] = { (uint8_t)c, (uint8_t)(c / 2), (uint8_t)(255 - c), (uint8_t)(c % 3 == 1 ? 100 + c / 4 : 255) };
                memcpy(rgba + 4 * i, pixel, 4);
            }
            px_palette palette;
            assert_true(quality(rgba, colours, dither, &palette) == 99);
            assert_true(palette.exact);
            assert_int_equal(palette.count, colours);
            assert_true(quality(rgba, colours > 2 ? colours - 1 : 2, dither, &palette) < 99 || colours == 2);
            assert_true(palette.count <= (colours > 2 ? colours - 1 : 2));
        }
}

/* What cannot be seen is one colour; what is not opaque stands in front. */
static void what_is_transparent_is_one_colour_in_front(void **state)
{
    (void)state;
    static uint8_t rgba[W * H * 4];
    for (int i = 0; i < W * H; i++) {
        uint8_t pixel[4] = { (uint8_t)i, (uint8_t)(i >> 4), 7, (uint8_t)(i % 5 ? 255 : 0) };
        memcpy(rgba + 4 * i, pixel, 4);
    }
    static uint8_t indices[W * H];
    px_palette palette;
    px_quantiser_begin(quantiser);
    px_quantiser_add(quantiser, rgba, W * H);
    px_quantiser_choose(quantiser, 64, false, 12, &palette);
    assert_int_equal(palette.transparent, 0);
    px_quantiser_map(quantiser, &palette, rgba, W * 4, W, H, true, indices, W);
    for (int i = 0; i < W * H; i++)
        assert_int_equal(indices[i] == 0, i % 5 == 0);
    for (int i = 1; i < palette.count; i++)
        assert_int_equal(palette.colours[i][3], 255);
}

static void many_colours_become_few_that_are_near(void **state)
{
    (void)state;
    uint8_t *rgba = picture(W, H, 4);
    for (int i = 0; i < W * H; i++)
        rgba[4 * i + 3] = 255;
    px_palette palette, again;
    double plain = quality(rgba, 256, false, &palette), dithered = quality(rgba, 256, true, &again);
    assert_memory_equal(&palette, &again, sizeof palette);
    assert_int_equal(palette.count, 256);
    assert_false(palette.exact);
    /* 16 colours are worse than 256; both are as good as they were measured to be, less half a dB. */
    assert_true(plain > 29.5);
    assert_true(dithered > plain - 3 && dithered < plain);
    assert_true(quality(rgba, 16, false, &again) < plain - 6);
    rounds = 0; /* boxes alone */
    assert_true(quality(rgba, 256, false, &again) < plain - 0.3);
    rounds = 12;
    free(rgba);
}

/* Spread errors make areas as light as they were, where rounding alone makes steps. */
static void dithering_keeps_the_mean_of_an_area(void **state)
{
    (void)state;
    static uint8_t rgba[W * H * 4], indices[W * H];
    for (int i = 0; i < W * H; i++)
        memset(rgba + 4 * i, i % W, 3), rgba[4 * i + 3] = 255;
    px_palette palette;
    px_quantiser_begin(quantiser);
    px_quantiser_add(quantiser, rgba, W * H);
    px_quantiser_choose(quantiser, 4, false, 12, &palette);
    double worst[2] = { 0 };
    for (int dither = 0; dither < 2; dither++) {
        px_quantiser_map(quantiser, &palette, rgba, W * 4, W, H, dither, indices, W);
        for (int x = 16; x < W - 16; x += 8) {
            double wanted = 0, got = 0;
            for (int y = 0; y < H; y++)
                for (int k = 0; k < 8; k++) {
                    wanted += rgba[4 * (y * W + x + k)];
                    got += palette.colours[indices[y * W + x + k]][0];
                }
            double off = fabs(wanted - got) / (8 * H);
            worst[dither] = off > worst[dither] ? off : worst[dither];
        }
    }
    assert_true(worst[0] > 10);
    assert_true(worst[1] < worst[0] * 0.7);
}

/* More colours than are counted one by one: 256 x 256 of them, and all of two of the channels. */
static void colours_beyond_counting_are_joined(void **state)
{
    (void)state;
    px_palette palette;
    px_quantiser_begin(quantiser);
    for (int r = 0; r < 256; r++)
        for (int g = 0; g < 256; g++)
            px_quantiser_add(quantiser, (uint8_t[]){ (uint8_t)r, (uint8_t)g, (uint8_t)(r ^ g), 255 }, 1);
    px_quantiser_choose(quantiser, 256, true, 4, &palette);
    assert_true(palette.count > 200 && palette.count <= 256);
    assert_int_equal(palette.transparent, 0);
    assert_false(px_quantiser_fits(quantiser, &palette));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_colours_as_asked_for_are_kept_exactly),
        cmocka_unit_test(what_is_transparent_is_one_colour_in_front),
        cmocka_unit_test(many_colours_become_few_that_are_near),
        cmocka_unit_test(dithering_keeps_the_mean_of_an_area),
        cmocka_unit_test(colours_beyond_counting_are_joined),
    };
    return cmocka_run_group_tests(tests, create, destroy);
}
