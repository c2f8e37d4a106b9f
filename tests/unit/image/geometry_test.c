/* The arithmetic of crop, rotation and position; sharpening and attention as rows; what of it the plan counts. What they make of
 * pictures is judged against Pillow in tests/e2e/test_geometry.py. */
#include "picture.h"

#include <string.h>

#include "image/attention.h"
#include "image/image.h"
#include "image/orient.h"
#include "image/sharpen.h"
#include "image/size.h"

/* Turning the picture by one orientation and then by quarters is the one orientation that is named for both. */
static void an_orientation_and_a_rotation_are_one_of_the_eight_walks(void **state)
{
    (void)state;
    enum { W = 5, H = 3 };
    uint8_t stored[W * H], upright[W * H], turned[W * H], direct[W * H];
    for (int i = 0; i < W * H; i++)
        stored[i] = (uint8_t)i;
    for (int o = 1; o <= 8; o++) {
        int w = px_orientation_turns(o) ? H : W, h = W * H / w;
        for (int y = 0; y < h; y++)
            px_orient_row(stored + (px_orientation_streams(o) ? y * W : 0), W, H, 1, o, y, upright + y * w);
        for (int quarters = 0; quarters < 4; quarters++) {
            int both = px_orientation_turned(o, quarters), tw = quarters % 2 ? h : w, th = W * H / tw;
            for (int y = 0; y < th; y++) /* clockwise: what was at the left is at the top */
                for (int x = 0; x < tw; x++)
                    turned[y * tw + x] = quarters == 0 ? upright[y * w + x] : quarters == 1 ? upright[(h - 1 - x) * w + y]
                                       : quarters == 2 ? upright[(h - 1 - y) * w + w - 1 - x] : upright[x * w + w - 1 - y];
            for (int y = 0; y < th; y++)
                px_orient_row(stored + (px_orientation_streams(both) ? y * W : 0), W, H, 1, both, y, direct + y * tw);
            assert_memory_equal(direct, turned, W * H);
        }
    }
}

static void a_layout_is_mapped_to_where_its_pixels_are_stored(void **state)
{
    (void)state;
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    spec.width = 30;
    spec.height = 20;
    spec.fit = PX_FIT_COVER;
    spec.position = PX_POSITION_TOP_RIGHT;
    spec.crop = (px_crop){ 10, 5, 60, 60, false };
    px_layout seen = px_layout_of(&spec, 100, 80);
    assert_true(seen.part_x == 10 && seen.part_y == 5 && seen.part_width == 60 && seen.part_height == 40);
    px_layout stored = px_layout_as_stored(&seen, 6); /* the upper left is stored at the lower left */
    assert_int_equal(stored.width, 20);
    assert_int_equal(stored.source_width, 80);
    assert_true(stored.part_x == 5 && stored.part_y == 30 && stored.part_width == 40 && stored.part_height == 60);
    assert_true(stored.window_x == 5 && stored.window_y == 30 && stored.window_width == 60 && stored.window_height == 60);
}

static void the_size_of_an_output_knows_crop_and_rotation(void **state)
{
    (void)state;
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    int width = 0, height = 0;
    spec.crop = (px_crop){ 25, 0, 50, 100, true };
    px_output_size(&spec, 4000, 3000, &width, &height);
    assert_true(width == 800 && height == 1200);
    spec.rotate = PX_ROTATE_90;
    px_output_size(&spec, 4000, 3000, &width, &height);
    assert_true(width == 800 && height == 533);
    spec.crop = (px_crop){ 4000, 0, 10, 10, false };
    assert_true(px_layout_of(&spec, 4000, 3000).outside);
    spec.crop.x = 3999;
    assert_false(px_layout_of(&spec, 4000, 3000).outside);
}

static void sharpen(const uint8_t *samples, px_sharpen_spec spec, uint8_t *target)
{
    px_sharpen *self = NULL;
    size_t row = (size_t)spec.width * (size_t)spec.channels;
    assert_int_equal(px_sharpen_create(&spec, &self, NULL), PX_OK);
    for (int pass = 0; pass < 2; pass++) { /* the second after a restart */
        int pulled = 0;
        for (int y = 0; y < spec.height; y++) {
            px_sharpen_push(self, samples + (size_t)y * row);
            for (const uint8_t *sharp; (sharp = px_sharpen_pull(self)); pulled++)
                memcpy(target + (size_t)pulled * row, sharp, row);
        }
        assert_int_equal(pulled, spec.height);
        px_sharpen_restart(self);
    }
    px_sharpen_destroy(self);
}

static void sharpening_is_the_unsharp_mask_that_it_says(void **state)
{
    (void)state;
    enum { W = 17, H = 9 };
    uint8_t *samples = picture(W, H, 3), made[W * H * 3];
    sharpen(samples, (px_sharpen_spec){ W, H, 3, false, 80 }, made);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++) {
                int mean = 0, here = samples[(y * W + x) * 3 + c];
                for (int dy = -1; dy <= 1; dy++)
                    for (int dx = -1; dx <= 1; dx++) {
                        int nx = x + dx < 0 ? 0 : x + dx >= W ? W - 1 : x + dx, ny = y + dy < 0 ? 0 : y + dy >= H ? H - 1 : y + dy;
                        mean += samples[(ny * W + nx) * 3 + c] * (2 - abs(dx)) * (2 - abs(dy));
                    }
                double wanted = here + (here - mean / 16.0) * 0.8;
                assert_true(fabs(made[(y * W + x) * 3 + c] - fmin(fmax(wanted, 0), 255)) <= 0.51);
            }
    free(samples);
    for (int height = 1; height <= 3; height++) { /* fewer rows than the ring has */
        uint8_t flat[3 * 4], out[3 * 4];
        memset(flat, 77, sizeof flat);
        sharpen(flat, (px_sharpen_spec){ 4, height, 1, false, 100 }, out);
        assert_memory_equal(flat, out, (size_t)(4 * height));
    }
}

static void one_colour_under_any_alpha_stays_what_it_is(void **state)
{
    (void)state;
    enum { W = 16, H = 16 };
    uint8_t samples[W * H * 2], made[W * H * 2];
    for (int i = 0; i < W * H; i++) {
        unsigned alpha = picture_sample(i % W * 9, i / W * 7, 1);
        samples[2 * i] = (uint8_t)((200 * alpha + 127) / 255);
        samples[2 * i + 1] = (uint8_t)alpha;
    }
    sharpen(samples, (px_sharpen_spec){ W, H, 2, true, 100 }, made);
    for (int i = 0; i < W * H; i++) {
        assert_int_equal(made[2 * i + 1], samples[2 * i + 1]);
        assert_true(abs(made[2 * i] - samples[2 * i]) <= 1 && made[2 * i] <= made[2 * i + 1]);
    }
}

static void attention_does_not_see_what_is_transparent(void **state)
{
    (void)state;
    enum { W = 90, H = 30 };
    uint8_t samples[W * H * 4];
    for (int i = 0; i < W * H; i++) { /* much at the left that nobody sees, a little at the right */
        int x = i % W, y = i / W;
        uint8_t value = x < 30 ? (uint8_t)((x ^ y) % 2 * 255) : x >= 60 ? (uint8_t)((x + y) % 3 * 20) : 128;
        memset(samples + 4 * i, value, 3);
        samples[4 * i + 3] = x < 30 ? 0 : 255;
    }
    int x = 0, y = 0;
    assert_int_equal(px_attention_choose(&(px_attention_spec){ W, H, 4, PX_STRAIGHT }, samples, 30, H, &x, &y, NULL), PX_OK);
    assert_in_range(x, 58, 60); /* with the border between */
    assert_int_equal(y, 0);
    memset(samples, 9, sizeof samples);
    assert_int_equal(px_attention_choose(&(px_attention_spec){ W, H, 4, PX_STRAIGHT }, samples, 30, H, &x, &y, NULL), PX_OK);
    assert_int_equal(x, 30); /* nothing to see: the middle */
}

static void what_is_held_for_attention_is_in_the_plan(void **state)
{
    (void)state;
    px_limits limits = PX_LIMITS_DEFAULT;
    uint8_t *samples = picture(600, 300, 3);
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = 600, .height = 300, .model = PX_RGB }, samples, &count);
    px_source source = source_of(data, count);
    uint64_t memory[2];
    for (int pass = 0; pass < 2; pass++) {
        px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
        spec.width = spec.height = 150;
        spec.fit = PX_FIT_COVER;
        spec.position = pass ? PX_POSITION_ATTENTION : PX_POSITION_CENTRE;
        px_transform_report report;
        int fd = empty_fd();
        assert_int_equal(px_transform(&source, &limits, &spec, &fd, 1, &report, NULL), PX_OK);
        memory[pass] = report.memory_bytes;
        limits.memory_bytes = memory[0];
        assert_int_equal(px_transform(&source, &limits, &spec, &fd, 1, &report, NULL), pass ? PX_OUT_OF_MEMORY : PX_OK);
        limits.memory_bytes = 0;
        close(fd);
    }
    assert_true(memory[1] >= memory[0] + 300 * 150 * 3);
    px_source_close(&source);
    free(data);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_orientation_and_a_rotation_are_one_of_the_eight_walks),
        cmocka_unit_test(a_layout_is_mapped_to_where_its_pixels_are_stored),
        cmocka_unit_test(the_size_of_an_output_knows_crop_and_rotation),
        cmocka_unit_test(sharpening_is_the_unsharp_mask_that_it_says),
        cmocka_unit_test(one_colour_under_any_alpha_stays_what_it_is),
        cmocka_unit_test(attention_does_not_see_what_is_transparent),
        cmocka_unit_test(what_is_held_for_attention_is_in_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
