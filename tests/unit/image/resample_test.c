/* The resampler against Lanczos-3 in double, and its vector kernels against plain C. */
#include "picture.h"

#include <string.h>

#include "image/resample.h"

static double lanczos(double x)
{
    const double pi = 3.14159265358979323846;
    return fabs(x) < 1e-9 ? 1 : fabs(x) >= 3 ? 0 : 3 * sin(pi * x) * sin(pi * x / 3) / (pi * pi * x * x);
}

/* One sample of the reference: both axes at once, in double. */
static double reference(const uint8_t *source, int width, int height, int channels, double cx, double cy, double sx,
                        double sy, int c)
{
    double sum = 0, weights = 0;
    for (int y = (int)fmax(cy - 3 * sy - 1, 0); y < height && y < cy + 3 * sy + 1; y++) {
        double wy = lanczos((y + 0.5 - cy) / sy);
        for (int x = (int)fmax(cx - 3 * sx - 1, 0); wy != 0 && x < width && x < cx + 3 * sx + 1; x++) {
            double w = wy * lanczos((x + 0.5 - cx) / sx);
            weights += w;
            sum += w * source[(y * width + x) * channels + c];
        }
    }
    return sum / weights;
}

static uint8_t *scale(const uint8_t *source, px_resample_spec spec)
{
    px_resample *resample = NULL;
    assert_int_equal(px_resample_create(&spec, &resample, NULL), PX_OK);
    size_t samples = (size_t)spec.target_width * (size_t)spec.channels;
    uint8_t *target = malloc(samples * (size_t)spec.target_height);
    int pulled = 0;
    for (int y = 0; y < spec.source_height; y++) {
        px_resample_push(resample, source + (size_t)y * (size_t)spec.source_width * (size_t)spec.channels);
        while (px_resample_pull(resample, target + (size_t)pulled * samples))
            if (++pulled == spec.target_height)
                break;
    }
    assert_int_equal(pulled, spec.target_height);
    px_resample_destroy(resample);
    return target;
}

static px_resample_spec whole(int width, int height, int target_width, int target_height, int channels)
{
    return (px_resample_spec){ .source_width = width, .source_height = height, .width = width, .height = height,
                               .target_width = target_width, .target_height = target_height, .channels = channels };
}

static const int sizes[][4] = { { 317, 211, 120, 80 }, { 90, 70, 200, 151 }, { 300, 3, 7, 3 }, { 5, 300, 5, 9 },
                                { 1, 1, 3, 2 }, { 257, 129, 256, 128 } };

static void it_is_within_50_db_of_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int w = sizes[i][0], h = sizes[i][1], tw = sizes[i][2], th = sizes[i][3], channels = i % 2 ? 3 : 1;
        uint8_t *source = picture(w, h, channels);
        uint8_t *target = scale(source, whole(w, h, tw, th, channels));
        uint8_t *exact = malloc((size_t)(tw * th * channels));
        double sx = (double)w / tw, sy = (double)h / th;
        for (int y = 0, at = 0; y < th; y++)
            for (int x = 0; x < tw; x++)
                for (int c = 0; c < channels; c++) {
                    double v = reference(source, w, h, channels, (x + 0.5) * sx, (y + 0.5) * sy, fmax(sx, 1), fmax(sy, 1), c);
                    exact[at++] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
                }
        assert_true(psnr(target, exact, (size_t)(tw * th * channels)) >= 50);
        free(exact);
        free(target);
        free(source);
    }
}

static void every_kernel_gives_the_bytes_of_plain_c(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 4; channels++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            int w = sizes[i][0], h = sizes[i][1];
            uint8_t *source = malloc((size_t)(w * h * channels));
            uint32_t random = 99;
            for (int k = 0; k < w * h * channels; k++) /* black and white: the worst overshoot */
                source[k] = next_random(&random) & 0x100 ? 255 : 0;
            px_resample_spec spec = whole(w, h, sizes[i][2], sizes[i][3], channels);
            size_t count = (size_t)(sizes[i][2] * sizes[i][3] * channels);
            spec.kernels = &px_kernels_plain;
            uint8_t *plain = scale(source, spec);
            spec.kernels = &px_kernels_baseline;
            uint8_t *baseline = scale(source, spec);
            spec.kernels = px_kernels_best();
            uint8_t *best = scale(source, spec);
            assert_memory_equal(plain, baseline, count);
            assert_memory_equal(plain, best, count);
            free(plain);
            free(baseline);
            free(best);
            free(source);
        }
}

/* No row is longer than it says: what lies behind is not touched. */
static void every_kernel_makes_the_rgb_of_plain_c(void **state)
{
    (void)state;
    static const px_matrix matrix = { 16, 76309, 104597, -25675, -53279, 132201 };
    const px_kernels *sets[] = { &px_kernels_baseline, px_kernels_best() };
    uint8_t samples[3][70], plain[3 * 71], made[3 * 71];
    uint32_t random = 7;
    for (int width = 1; width <= 70; width++)
        for (int i = 0; i < 2; i++) {
            for (int k = 0; k < 3 * 70; k++)
                samples[k / 70][k % 70] = (uint8_t)(next_random(&random) >> 8);
            memset(plain, 99, sizeof plain);
            memset(made, 99, sizeof made);
            px_kernels_plain.rgb(samples[0], samples[1], samples[2], &matrix, width, plain);
            sets[i]->rgb(samples[0], samples[1], samples[2], &matrix, width, made);
            assert_memory_equal(plain, made, sizeof plain);
        }
}

static void flat_stays_flat(void **state)
{
    (void)state;
    for (int value = 0; value < 256; value += 5) {
        uint8_t source[61 * 47];
        memset(source, value, sizeof source);
        uint8_t *target = scale(source, whole(61, 47, 17, 90, 1));
        for (int i = 0; i < 17 * 90; i++)
            assert_int_equal(target[i], value);
        free(target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_within_50_db_of_exact),
        cmocka_unit_test(every_kernel_gives_the_bytes_of_plain_c),
        cmocka_unit_test(every_kernel_makes_the_rgb_of_plain_c),
        cmocka_unit_test(flat_stays_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
