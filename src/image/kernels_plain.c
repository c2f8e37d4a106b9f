/* The inner loops in plain C, which say what the vector versions must give, and the choice between the sets. */
#include "image/kernels.h"

static void across(const uint8_t *block, const px_span *spans, int width, int channels,
                   int16_t *const rows[PX_LANES])
{
    for (int x = 0; x < width; x++)
        for (int c = 0; c < channels; c++)
            for (int lane = 0; lane < PX_LANES; lane++) {
                const px_span *span = &spans[x];
                float sum = 0.0f;
                for (int k = 0; k < span->count; k++)
                    sum += (float)block[((span->first + k) * channels + c) * PX_LANES + lane] * span->weights[k];
                int half = 1 << (PX_WEIGHT_BITS - PX_EXTRA_BITS - 1);
                rows[lane][x * channels + c] = (int16_t)(((int)sum + half) >> (PX_WEIGHT_BITS - PX_EXTRA_BITS));
            }
}

static void down(const int16_t *const *rows, const float *weights, int count, uint8_t *target, size_t samples)
{
    const float scale = 1.0f / (float)(1 << (PX_WEIGHT_BITS + PX_EXTRA_BITS));
    for (size_t i = 0; i < samples; i++) {
        float sum = 0.0f;
        for (int k = 0; k < count; k++)
            sum += (float)rows[k][i] * weights[k];
        int value = (int)(sum * scale + 0.5f);
        target[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

const px_kernels px_kernels_plain = { "plain", across, down };

const px_kernels *px_kernels_best(void)
{
#if PX_HAVE_AVX2
    if (__builtin_cpu_supports("avx2"))
        return &px_kernels_avx2;
#endif
    return &px_kernels_baseline;
}
