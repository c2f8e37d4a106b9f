/* The inner loops in GCC vector extensions. Meson compiles this file once for each CPU level, with PX_KERNELS as the
 * name of the set; no intrinsics, so that every level and machine runs the same arithmetic. */
#include "image/kernels.h"

#include <string.h>

typedef uint8_t u8x8 __attribute__((vector_size(8)));
typedef int16_t s16x8 __attribute__((vector_size(16)));
typedef int32_t s32x8 __attribute__((vector_size(32)));
typedef float f32x8 __attribute__((vector_size(32)));

static void across(const uint8_t *block, const px_span *spans, int width, int channels,
                   int16_t *const rows[PX_LANES])
{
    size_t target = 0;
    for (int x = 0; x < width; x++) {
        const px_span *span = &spans[x];
        size_t step = (size_t)channels * PX_LANES;
        for (int c = 0; c < channels; c++, target++) {
            const uint8_t *at = block + ((size_t)span->first * (size_t)channels + (size_t)c) * PX_LANES;
            f32x8 sum = { 0 };
            for (int k = 0; k < span->count; k++, at += step) {
                u8x8 samples;
                memcpy(&samples, at, sizeof samples);
                sum += __builtin_convertvector(samples, f32x8) * span->weights[k];
            }
            s32x8 whole = __builtin_convertvector(sum, s32x8);
            whole = (whole + (1 << (PX_WEIGHT_BITS - PX_EXTRA_BITS - 1))) >> (PX_WEIGHT_BITS - PX_EXTRA_BITS);
            s16x8 result = __builtin_convertvector(whole, s16x8);
            for (int lane = 0; lane < PX_LANES; lane++)
                rows[lane][target] = result[lane];
        }
    }
}

static void down(const int16_t *const *rows, const float *weights, int count, uint8_t *target, size_t samples)
{
    const float scale = 1.0f / (float)(1 << (PX_WEIGHT_BITS + PX_EXTRA_BITS));
    size_t i = 0;
    for (; i + 8 <= samples; i += 8) {
        f32x8 sum = { 0 };
        for (int k = 0; k < count; k++) {
            s16x8 row;
            memcpy(&row, rows[k] + i, sizeof row);
            sum += __builtin_convertvector(row, f32x8) * weights[k];
        }
        s32x8 value = __builtin_convertvector(sum * scale + 0.5f, s32x8);
        value &= value > 0;
        s32x8 over = value > 255;
        value = (value & ~over) | (over & 255);
        u8x8 result = __builtin_convertvector(value, u8x8);
        memcpy(target + i, &result, sizeof result);
    }
    for (; i < samples; i++) {
        float sum = 0.0f;
        for (int k = 0; k < count; k++)
            sum += (float)rows[k][i] * weights[k];
        int value = (int)(sum * scale + 0.5f);
        target[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

const px_kernels PX_KERNELS = { PX_KERNELS_NAME, across, down };
