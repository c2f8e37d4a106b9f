/* Filters in GCC vector extensions; unlike on the way in, every byte that they look at is there. */
#include "codec/png/filter.h"

#include <stdlib.h>
#include <string.h>

#include "codec/png/predict.h"

typedef uint16_t u16x8 __attribute__((vector_size(16)));

static int predict_plain(int filter, int a, int b, int c)
{
    int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);
    switch (filter) {
    case 1: return a;
    case 2: return b;
    case 3: return (a + b) / 2;
    case 4: return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    default: return 0;
    }
}

/* The bytes from `from` to `to`. */
static uint64_t filter_part(int filter, const uint8_t *row, const uint8_t *above, size_t from, size_t to, size_t step, uint8_t *target)
{
    uint64_t sum = 0;
    for (size_t i = from; i < to; i++) {
        int left = i >= step ? row[i - step] : 0, corner = i >= step ? above[i - step] : 0;
        target[i] = (uint8_t)(row[i] - predict_plain(filter, left, above[i], corner));
        sum += target[i] < 128 ? target[i] : 256u - target[i];
    }
    return sum;
}

uint64_t px_png_filter_row_plain(int filter, const uint8_t *row, const uint8_t *above, size_t count, size_t step, uint8_t *target)
{
    return filter_part(filter, row, above, 0, count, step, target);
}

PX_INLINE px_u8x16 load(const uint8_t *at)
{
    px_u8x16 bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

PX_INLINE px_u8x16 predict(int filter, const uint8_t *row, const uint8_t *above, size_t step)
{
    switch (filter) {
    case 1: return load(row - step);
    case 2: return load(above);
    case 3: return px_average(load(row - step), load(above));
    case 4: return px_paeth(load(row - step), load(above), load(above - step));
    default: return (px_u8x16){ 0 };
    }
}

/* Inlined once for each filter, so that the compiler knows it. */
PX_INLINE uint64_t filter_by(int filter, const uint8_t *row, const uint8_t *above, size_t count, size_t step, uint8_t *target)
{
    size_t at = step < count ? step : count;
    uint64_t sum = filter_part(filter, row, above, 0, at, step, target);
    while (at + 16 <= count) {
        u16x8 sums = { 0 };
        for (int k = 0; k < 255 && at + 16 <= count; k++, at += 16) { /* as long as they do not overflow */
            px_u8x16 left = load(row + at) - predict(filter, row + at, above + at, step);
            memcpy(target + at, &left, sizeof left);
            u16x8 absolute = (u16x8)px_smaller(left, 0 - left);
            sums += (absolute & 255) + (absolute >> 8);
        }
        for (int k = 0; k < 8; k++)
            sum += sums[k];
    }
    return sum + filter_part(filter, row, above, at, count, step, target);
}

uint64_t px_png_filter_row(int filter, const uint8_t *row, const uint8_t *above, size_t count, size_t step, uint8_t *target)
{
    switch (filter) {
    case 1: return filter_by(1, row, above, count, step, target);
    case 2: return filter_by(2, row, above, count, step, target);
    case 3: return filter_by(3, row, above, count, step, target);
    case 4: return filter_by(4, row, above, count, step, target);
    default: return filter_by(0, row, above, count, step, target);
    }
}

/* Of a whole number, in 2^16ths, straight between powers of two: the same on every machine, and only compared. */
static uint64_t log_of(uint32_t value)
{
    unsigned whole = 31u - (unsigned)__builtin_clz(value);
    return ((uint64_t)whole << 16) + (((uint64_t)value << 16 >> whole) - 65536);
}

/* Bits that a row's bytes take if each is coded by how often it comes; in 2^16ths. */
static uint64_t entropy_of(const uint8_t *row, size_t count)
{
    uint32_t often[4][256] = { 0 };
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (size_t k = 0; k < 4; k++) /* neighbours are often equal: each has a table of its own to wait for */
            often[k][row[i + k]]++;
    for (; i < count; i++)
        often[0][row[i]]++;
    uint64_t bits = count * log_of((uint32_t)count);
    for (int value = 0; value < 256; value++) {
        uint32_t n = often[0][value] + often[1][value] + often[2][value] + often[3][value];
        bits -= n ? n * log_of(n) : 0;
    }
    return bits;
}

void px_png_filter(px_png_strategy strategy, const uint8_t *row, const uint8_t *above, size_t count, size_t step, uint8_t *tries,
                   uint8_t *target)
{
    if (strategy <= PX_PNG_ALL_PAETH) {
        target[0] = (uint8_t)strategy;
        px_png_filter_row((int)strategy, row, above, count, step, target + 1);
        return;
    }
    int best = 0;
    uint64_t least = UINT64_MAX;
    for (int f = 0; f < PX_PNG_FILTERS; f++) {
        uint64_t cost = px_png_filter_row(f, row, above, count, step, tries + (size_t)f * count);
        if (strategy == PX_PNG_LEAST_ENTROPY)
            cost = entropy_of(tries + (size_t)f * count, count);
        if (cost < least) {
            least = cost;
            best = f;
        }
    }
    target[0] = (uint8_t)best;
    memcpy(target + 1, tries + (size_t)best * count, count);
}
