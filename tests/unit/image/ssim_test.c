/* The likeness of two pictures. Goal: it is the formula of the paper at every size, and fast enough to be asked five times. Method:
 * window by window in double, pixel by pixel, with sides made longer by their last pixel. */
#include "picture.h"

#include <string.h>

#include "base/clock.h"
#include "image/ssim.h"

static double pixel(const uint8_t *p, int width, int height, int x, int y)
{
    return p[(y < height ? y : height - 1) * width + (x < width ? x : width - 1)];
}

static double window(const uint8_t *a, const uint8_t *b, int width, int height, int left, int top)
{
    double ma = 0, mb = 0, va = 0, vb = 0, cov = 0, c1 = 2.55 * 2.55, c2 = 2.55 * 2.55;
    for (int i = 0; i < 64; i++) {
        ma += pixel(a, width, height, left + i % 8, top + i / 8) / 64;
        mb += pixel(b, width, height, left + i % 8, top + i / 8) / 64;
    }
    for (int i = 0; i < 64; i++) {
        double p = pixel(a, width, height, left + i % 8, top + i / 8) - ma, q = pixel(b, width, height, left + i % 8, top + i / 8) - mb;
        va += p * p / 64;
        vb += q * q / 64;
        cov += p * q / 64;
    }
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
}

static double reference(const uint8_t *a, const uint8_t *b, int width, int height)
{
    double sum = 0;
    int count = 0;
    for (int top = 0; top == 0 || top + 4 < height; top += 4)
        for (int left = 0; left == 0 || left + 4 < width; left += 4, count++)
            sum += window(a, b, width, height, left, top);
    return sum / count;
}

static double ssim(const uint8_t *a, const uint8_t *b, int width, int height)
{
    void *scratch = malloc(px_ssim_scratch(width));
    assert_non_null(scratch);
    double found = px_ssim(a, b, width, height, scratch);
    free(scratch);
    return found;
}

static uint8_t *noisy(const uint8_t *from, size_t count, int strength)
{
    uint8_t *to = malloc(count);
    uint32_t state = 77;
    assert_non_null(to);
    for (size_t i = 0; i < count; i++) {
        int value = from[i] + (int)(next_random(&state) % (unsigned)(2 * strength + 1)) - strength;
        to[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    return to;
}

static void it_is_the_formula_at_every_size(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 1, 40 }, { 40, 1 }, { 3, 5 }, { 7, 8 }, { 8, 8 }, { 9, 8 }, { 12, 13 }, { 16, 16 }, { 37, 23 }, { 101, 66 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int strength = 1; strength < 300; strength *= 6) {
            int width = sizes[i][0], height = sizes[i][1];
            uint8_t *a = picture(width, height, 1), *b = noisy(a, (size_t)(width * height), strength);
            double found = ssim(a, b, width, height), wanted = reference(a, b, width, height);
            assert_true(fabs(found - wanted) < 1e-9);
            assert_true(fabs(ssim(b, a, width, height) - found) < 1e-12);
            free(a);
            free(b);
        }
}

static void equal_is_one_and_more_noise_is_less_alike(void **state)
{
    (void)state;
    uint8_t *a = picture(64, 48, 1);
    double last = ssim(a, a, 64, 48);
    assert_true(last == 1);
    for (int strength = 1; strength < 128; strength *= 2) {
        uint8_t *b = noisy(a, 64 * 48, strength);
        double found = ssim(a, b, 64, 48);
        assert_true(found < last && found > 0);
        last = found;
        free(b);
    }
    free(a);
}

static void luma_is_weighted_and_transparency_is_grey(void **state)
{
    (void)state;
    uint8_t rgb[] = { 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255 }, rgba[] = { 255, 255, 255, 0, 0, 0, 0, 255 }, grey[] = { 9, 200 }, out[4];
    px_row row = px_row_of(rgb, 4, PX_RGB, PX_OPAQUE);
    px_luma_row(&row, out);
    assert_memory_equal(out, ((uint8_t[]){ 77, 149, 29, 255 }), 4); /* BT.601: 0.299, 0.587, 0.114 of 255 */
    row = px_row_of(rgba, 2, PX_RGB, PX_STRAIGHT);
    px_luma_row(&row, out);
    assert_memory_equal(out, ((uint8_t[]){ 128, 0 }), 2);
    row = px_row_of(grey, 2, PX_GREY, PX_OPAQUE);
    px_luma_row(&row, out);
    assert_memory_equal(out, grey, 2);
}

static void a_picture_takes_a_few_milliseconds(void **state)
{
    (void)state;
    enum { W = 800, H = 600, ROUNDS = 20 };
    uint8_t *a = picture(W, H, 1), *b = noisy(a, W * H, 9);
    double sum = 0;
    int64_t best = INT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t began = px_monotonic_us();
        sum += ssim(a, b, W, H);
        int64_t took = px_monotonic_us() - began;
        best = took < best ? took : best;
    }
    print_message("SSIM of %dx%d: %.2f ms, the fastest of %d\n", W, H, (double)best / 1000, ROUNDS);
    assert_true(sum > 0 && (PX_SANITIZED || best < 10000));
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_formula_at_every_size),
        cmocka_unit_test(equal_is_one_and_more_noise_is_less_alike),
        cmocka_unit_test(luma_is_weighted_and_transparency_is_grey),
        cmocka_unit_test(a_picture_takes_a_few_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
