/* Undoing filters in plain C, which says what the vector versions must give, and the choice between the sets. */
#include "codec/png/unfilter.h"

#include <stdlib.h>
#include <string.h>

/* 9.4. The nearest of left, above and their estimate. */
static inline uint8_t paeth(int a, int b, int c)
{
    int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);
    return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* Inlined once for each step, so that the compiler knows it. */
static inline __attribute__((always_inline)) void undo(int filter, const uint8_t *raw, const uint8_t *above, uint8_t *row, size_t from,
                                                       size_t to, size_t step)
{
    size_t first = from; /* pixels without one to their left */
    for (; first < to && first < step; first++)
        row[first] = (uint8_t)(raw[first] + (filter == PX_UNFILTER_AVERAGE ? above[first] / 2
                               : filter == PX_UNFILTER_UP || filter == PX_UNFILTER_PAETH ? above[first] : 0));
    switch (filter) {
    case PX_UNFILTER_SUB:
        for (size_t i = first; i < to; i++)
            row[i] = (uint8_t)(raw[i] + row[i - step]);
        break;
    case PX_UNFILTER_UP:
        for (size_t i = first; i < to; i++)
            row[i] = (uint8_t)(raw[i] + above[i]);
        break;
    case PX_UNFILTER_AVERAGE:
        for (size_t i = first; i < to; i++)
            row[i] = (uint8_t)(raw[i] + (row[i - step] + above[i]) / 2);
        break;
    case PX_UNFILTER_PAETH:
        for (size_t i = first; i < to; i++)
            row[i] = (uint8_t)(raw[i] + paeth(row[i - step], above[i], above[i - step]));
        break;
    default:
        if (to > first)
            memcpy(row + first, raw + first, to - first);
        break;
    }
}

void px_unfilter_part(int filter, const uint8_t *raw, const uint8_t *above, uint8_t *row, size_t from, size_t to, size_t step)
{
    switch (step) {
    case 1: undo(filter, raw, above, row, from, to, 1); break;
    case 2: undo(filter, raw, above, row, from, to, 2); break;
    case 3: undo(filter, raw, above, row, from, to, 3); break;
    case 4: undo(filter, raw, above, row, from, to, 4); break;
    case 6: undo(filter, raw, above, row, from, to, 6); break;
    default: undo(filter, raw, above, row, from, to, 8); break;
    }
}

static void plain_rows(const uint8_t *raw, int rows, size_t count, size_t step, uint8_t *out, size_t stride)
{
    for (int y = 0; y < rows; y++, raw += count + 1, out += stride)
        px_unfilter_part(raw[0], raw + 1, out - stride, out, 0, count, step);
}

const px_unfilter px_unfilter_plain = { "plain", plain_rows };

const px_unfilter *px_unfilter_best(void)
{
#if PX_HAVE_AVX2
    if (__builtin_cpu_supports("avx2"))
        return &px_unfilter_avx2;
#endif
    return &px_unfilter_baseline;
}
