/* Fit as a table: what was asked, the source, what comes of it. */
#include "test.h"

#include <math.h>

#include "image/size.h"

static void every_fit_gives_the_size_it_promises(void **state)
{
    (void)state;
    static const struct {
        int asked_width, asked_height;
        px_fit fit;
        bool enlarge;
        int width, height, expected_width, expected_height;
    } rows[] = {
        { 800, 0, PX_FIT_INSIDE, false, 4000, 3000, 800, 600 },
        { 800, 0, PX_FIT_INSIDE, false, 400, 300, 400, 300 }, /* never enlarged */
        { 800, 0, PX_FIT_INSIDE, true, 400, 300, 800, 600 },
        { 0, 300, PX_FIT_INSIDE, false, 4000, 3000, 400, 300 },
        { 0, 0, PX_FIT_INSIDE, true, 4000, 3000, 4000, 3000 },
        { 800, 800, PX_FIT_INSIDE, false, 3000, 4000, 600, 800 },
        { 800, 800, PX_FIT_OUTSIDE, false, 3000, 4000, 800, 1067 },
        { 800, 800, PX_FIT_OUTSIDE, false, 400, 300, 400, 300 },
        { 800, 600, PX_FIT_FILL, false, 1000, 1000, 800, 600 },
        { 800, 600, PX_FIT_FILL, false, 100, 1000, 100, 600 },
        { 800, 600, PX_FIT_COVER, false, 1000, 1000, 800, 600 },
        { 800, 600, PX_FIT_COVER, false, 700, 1000, 700, 600 },
        { 800, 600, PX_FIT_COVER, true, 70, 100, 800, 600 },
        { 800, 600, PX_FIT_CONTAIN, false, 1000, 1000, 800, 600 },
        { 800, 600, PX_FIT_CONTAIN, false, 10, 10, 800, 600 },
        { 800, 0, PX_FIT_INSIDE, false, 65535, 1, 800, 1 }, /* never nothing */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
        spec.width = rows[i].asked_width;
        spec.height = rows[i].asked_height;
        spec.fit = rows[i].fit;
        spec.enlarge = rows[i].enlarge;
        int width = 0, height = 0;
        px_output_size(&spec, rows[i].width, rows[i].height, &width, &height);
        assert_int_equal(width, rows[i].expected_width);
        assert_int_equal(height, rows[i].expected_height);
    }
}

static void cover_shows_the_middle_in_the_right_shape(void **state)
{
    (void)state;
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    spec.width = 100;
    spec.height = 50;
    spec.fit = PX_FIT_COVER;
    px_layout layout = px_layout_of(&spec, 1000, 1000);
    assert_true(layout.part_width == 1000 && layout.part_height == 500);
}

static void names_of_fits_are_found_again(void **state)
{
    (void)state;
    for (int fit = 0; fit < PX_FIT_COUNT; fit++)
        assert_int_equal(px_fit_find(px_fit_name((px_fit)fit)), fit);
    assert_int_equal(px_fit_find("stretch"), PX_FIT_COUNT);
}

/* libvips, and with it sharp, decodes at the power of two that is next above the output. */
static void fast_never_takes_less_than_libvips_and_leaves_a_fifth(void **state)
{
    (void)state;
    for (double shrink = 1.0; shrink < 40.0; shrink += 0.01) {
        double vips = shrink >= 8.0 ? 1.0 : shrink >= 4.0 ? 2.0 : shrink >= 2.0 ? 4.0 : 8.0, eighths = px_eighths_for(shrink, PX_RESAMPLING_FAST);
        assert_true(eighths >= vips);
        assert_true(eighths >= 8.0 || eighths / 8.0 * shrink >= 1.2 - 1e-9);
        assert_true(eighths <= vips || eighths / 8.0 * shrink <= 1.2 + 1e-9);
    }
}

static void best_leaves_the_resampler_half_of_the_work(void **state)
{
    (void)state;
    for (double shrink = 1.0; shrink < 40.0; shrink += 0.01)
        assert_true(fabs(px_eighths_for(shrink, PX_RESAMPLING_BEST) / 8.0 * shrink - 2.0) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fit_gives_the_size_it_promises),
        cmocka_unit_test(cover_shows_the_middle_in_the_right_shape),
        cmocka_unit_test(fast_never_takes_less_than_libvips_and_leaves_a_fifth),
        cmocka_unit_test(best_leaves_the_resampler_half_of_the_work),
        cmocka_unit_test(names_of_fits_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
