/* The inner loops in vectors. Meson compiles this file once for each CPU level, with PX_KERNELS as the name of the set; what differs
 * between CPUs is in vector.h.
 *
 * Across: eight rows are laid side by side, pair by pair, so that one multiplication serves two samples of all eight and their sums
 * need no gathering. Down: rows go two by two, for the same. */
#include "image/kernels.h"

#include <stdbool.h>

#include "image/vector.h"

/* Whether a shuffle of bytes is one step; else a plain loop takes less. */
#if defined __SSSE3__ || defined __ARM_NEON
enum { SHUFFLES_BYTES = 1 };
#else
enum { SHUFFLES_BYTES = 0 };
#endif

/* Pixels from `x` on, the last of which may be alone. */
static void pair_rest(const uint8_t *row, int x, int width, int channels, uint8_t *target)
{
    for (; x < width; x += 2)
        for (int c = 0; c < channels; c++) {
            *target++ = row[x * channels + c];
            *target++ = x + 1 < width ? row[(x + 1) * channels + c] : 0;
        }
}

static void pair(const uint8_t *row, int width, int channels, uint8_t *target)
{
    int x = 0, step = channels == 2 ? 8 : 4;
    px_bytes16 loaded;
    if (channels == 1) {
        memcpy(target, row, (size_t)width);
        if (width % 2)
            target[width] = 0;
        return;
    }
    for (; SHUFFLES_BYTES && (x + step) * channels + 16 <= width * channels; x += step, row += step * channels, target += step * channels) {
        memcpy(&loaded, row, sizeof loaded);
        if (channels == 2)
            loaded = __builtin_shufflevector(loaded, loaded, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
        else if (channels == 3)
            loaded = __builtin_shufflevector(loaded, loaded, 0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11, 12, 13, 14, 15);
        else
            loaded = __builtin_shufflevector(loaded, loaded, 0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
        memcpy(target, &loaded, sizeof loaded);
    }
    pair_rest(row - x * channels, x, width, channels, target);
}

/* Eight rows of pairs, side by side: the first pair of each, then the second of each. */
static void interleave(const uint8_t *rows, size_t stride, uint8_t *block)
{
    for (size_t at = 0; at < stride; at += 16, block += 16 * PX_LANES) {
        px_words8 tile[PX_LANES];
        for (int lane = 0; lane < PX_LANES; lane++)
            memcpy(&tile[lane], rows + (size_t)lane * stride + at, 16);
        px_vector_transpose(tile);
        memcpy(block, tile, sizeof tile);
    }
}

/* The samples of eight target columns, in eight rows. */
static inline void write_tile(px_words8 tile[PX_LANES], int16_t *const targets[PX_LANES], size_t at)
{
    px_vector_transpose(tile);
    for (int lane = 0; lane < PX_LANES; lane++)
        memcpy(targets[lane] + at, &tile[lane], sizeof tile[lane]);
}

static inline px_words8 sum_pairs(const uint8_t *at, size_t step, const px_span *span)
{
    const int half = 1 << (PX_WEIGHT_BITS - PX_EXTRA_BITS - 1);
    px_longs8 sum = { half, half, half, half, half, half, half, half };
    for (int k = 0; k < span->pairs; k++, at += step)
        sum += px_vector_multiply(px_vector_widen(at), px_vector_weights(span->weights + 2 * k));
    return __builtin_convertvector(sum >> (PX_WEIGHT_BITS - PX_EXTRA_BITS), px_words8);
}

static void across(const uint8_t *rows, size_t stride, uint8_t *block, const px_span *spans, int width, int channels,
                   int16_t *const targets[PX_LANES])
{
    px_words8 tile[PX_LANES];
    size_t step = (size_t)channels * 2 * PX_LANES, target = 0;
    interleave(rows, stride, block);
    for (int x = 0; x < width; x++)
        for (int c = 0; c < channels; c++, target++) {
            const uint8_t *at = block + (size_t)(spans[x].first / 2) * step + (size_t)c * 2 * PX_LANES;
            tile[target % PX_LANES] = sum_pairs(at, step, &spans[x]);
            if (target % PX_LANES == PX_LANES - 1)
                write_tile(tile, targets, target - (PX_LANES - 1));
        }
    for (size_t left = target % PX_LANES, i = 0; i < left; i++)
        for (int lane = 0; lane < PX_LANES; lane++)
            targets[lane][target - left + i] = tile[i][lane];
}

static inline void down_16(const int16_t *const *rows, const int16_t *weights, int pairs, size_t at, uint8_t *target)
{
    const int half = 1 << (PX_WEIGHT_BITS + PX_EXTRA_BITS - 1);
    px_longs8 low = { half, half, half, half, half, half, half, half }, high = low;
    for (int k = 0; k < pairs; k++) {
        px_words16 even, odd, first, second, both = px_vector_weights(weights + 2 * k);
        memcpy(&even, rows[2 * k] + at, sizeof even);
        memcpy(&odd, rows[2 * k + 1] + at, sizeof odd);
        px_vector_interleave(even, odd, &first, &second);
        low += px_vector_multiply(first, both);
        high += px_vector_multiply(second, both);
    }
    px_vector_join(low >> (PX_WEIGHT_BITS + PX_EXTRA_BITS), high >> (PX_WEIGHT_BITS + PX_EXTRA_BITS), target);
}

static void down(const int16_t *const *rows, const int16_t *weights, int pairs, uint8_t *target, size_t samples)
{
    size_t i = 0;
    for (; i + 16 <= samples; i += 16)
        down_16(rows, weights, pairs, i, target + i);
    if (i < samples) {
        uint8_t last[16];
        down_16(rows, weights, pairs, i, last);
        memcpy(target + i, last, samples - i);
    }
}

static inline px_longs8 widen_8(const uint8_t *bytes)
{
    px_bytes8 loaded;
    memcpy(&loaded, bytes, sizeof loaded);
    return __builtin_convertvector(loaded, px_longs8);
}

static inline px_bytes8 clamped(px_longs8 value)
{
    value = (value + 32768) >> 16;
    value &= value > 0;
    px_longs8 over = value > 255;
    return __builtin_convertvector((value & ~over) | (over & 255), px_bytes8);
}

static void rgb(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, const px_matrix *m, int width, uint8_t *target)
{
    for (int x = 0; x < width; x += 8) {
        uint8_t in[3][8] = { { 0 } };
        int count = width - x < 8 ? width - x : 8;
        if (count < 8) {
            memcpy(in[0], y + x, (size_t)count);
            memcpy(in[1], cb + x, (size_t)count);
            memcpy(in[2], cr + x, (size_t)count);
        }
        bool whole = count == 8;
        px_longs8 luma = (widen_8(whole ? y + x : in[0]) - m->black) * m->luma;
        px_longs8 b = widen_8(whole ? cb + x : in[1]) - 128, r = widen_8(whole ? cr + x : in[2]) - 128;
        px_bytes8 red = clamped(luma + m->red_of_cr * r);
        px_bytes8 green = clamped(luma + m->green_of_cb * b + m->green_of_cr * r);
        px_bytes8 blue = clamped(luma + m->blue_of_cb * b);
        for (int i = 0; i < count; i++, target += 3) {
            target[0] = red[i];
            target[1] = green[i];
            target[2] = blue[i];
        }
    }
}

const px_kernels PX_KERNELS = { PX_KERNELS_NAME, pair, across, down, rgb };
