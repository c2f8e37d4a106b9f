/* filter.h - putting PNG's filters on (9.2), and choosing them. Private to src/codec/png. */
#ifndef PX_CODEC_PNG_FILTER_H
#define PX_CODEC_PNG_FILTER_H

#include <stddef.h>
#include <stdint.h>

enum { PX_PNG_FILTERS = 5 };

/* One filter for all rows, by its number, or for each row the one by which the least seems to be left. */
typedef enum px_png_strategy {
    PX_PNG_ALL_NONE, PX_PNG_ALL_SUB, PX_PNG_ALL_UP, PX_PNG_ALL_AVERAGE, PX_PNG_ALL_PAETH,
    PX_PNG_LEAST_SUM,     /* of absolute differences, as the specification suggests in 12.7 */
    PX_PNG_LEAST_ENTROPY, /* of its bytes */
    PX_PNG_STRATEGIES
} px_png_strategy;

/* Writes a row of `count` bytes, its filter first. `step`: bytes of a pixel; `above`: the row before, zeros for the first; `tries`: room for
 * PX_PNG_FILTERS rows. */
void px_png_filter(px_png_strategy strategy, const uint8_t *row, const uint8_t *above, size_t count, size_t step, uint8_t *tries,
                   uint8_t *target);

/* One filter alone; the sum of absolute differences that it leaves. */
uint64_t px_png_filter_row(int filter, const uint8_t *row, const uint8_t *above, size_t count, size_t step, uint8_t *target);

/* The same in plain C: the specification. */
uint64_t px_png_filter_row_plain(int filter, const uint8_t *row, const uint8_t *above, size_t count, size_t step, uint8_t *target);

#endif
