/* The inner loops in plain C, which say what the vector versions must give, and the choice between the sets. */
#include "image/kernels.h"

static void pair(const uint8_t *row, int width, int channels, uint8_t *target)
{
    for (int x = 0; x < width; x += 2)
        for (int c = 0; c < channels; c++) {
            *target++ = row[x * channels + c];
            *target++ = x + 1 < width ? row[(x + 1) * channels + c] : 0;
        }
}

static void across(const uint8_t *rows, size_t stride, uint8_t *block, const px_span *spans, int width, int channels,
                   int16_t *const targets[PX_LANES])
{
    (void)block;
    for (int lane = 0; lane < PX_LANES; lane++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                const px_span *span = &spans[x];
                const uint8_t *pairs = rows + (size_t)lane * stride + (span->first / 2 * channels + c) * 2;
                int sum = 1 << (PX_WEIGHT_BITS - PX_EXTRA_BITS - 1);
                for (int k = 0; k < span->pairs; k++, pairs += 2 * channels)
                    sum += pairs[0] * span->weights[2 * k] + pairs[1] * span->weights[2 * k + 1];
                targets[lane][x * channels + c] = (int16_t)(sum >> (PX_WEIGHT_BITS - PX_EXTRA_BITS));
            }
}

static void down(const int16_t *const *rows, const int16_t *weights, int pairs, uint8_t *target, size_t samples)
{
    for (size_t i = 0; i < samples; i++) {
        int sum = 1 << (PX_WEIGHT_BITS + PX_EXTRA_BITS - 1);
        for (int k = 0; k < 2 * pairs; k++)
            sum += rows[k][i] * weights[k];
        sum >>= PX_WEIGHT_BITS + PX_EXTRA_BITS;
        target[i] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}

static uint8_t clamped(int value)
{
    value = (value + 32768) >> 16;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void rgb(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, const px_matrix *m, int width, uint8_t *target)
{
    for (int x = 0; x < width; x++, target += 3) {
        int luma = (y[x] - m->black) * m->luma, b = cb[x] - 128, r = cr[x] - 128;
        target[0] = clamped(luma + m->red_of_cr * r);
        target[1] = clamped(luma + m->green_of_cb * b + m->green_of_cr * r);
        target[2] = clamped(luma + m->blue_of_cb * b);
    }
}

const px_kernels px_kernels_plain = { "plain", pair, across, down, rgb };

const px_kernels *px_kernels_best(void)
{
#if PX_HAVE_AVX2
    if (__builtin_cpu_supports("avx2"))
        return &px_kernels_avx2;
#endif
    return &px_kernels_baseline;
}
