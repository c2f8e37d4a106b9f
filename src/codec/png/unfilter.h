/* unfilter.h - undoing PNG's filters (9.2), one set of loops for each CPU level; all give the same bytes. Private to src/codec/png.
 *
 * Average and Paeth need the pixel before, so a row alone goes no faster than one pixel's latency. Rows below each other however can go
 * together, each one pixel behind the one above it: what a pixel needs of the row above was computed a step ago and is in a register. So rows
 * are undone in groups. */
#ifndef PX_CODEC_PNG_UNFILTER_H
#define PX_CODEC_PNG_UNFILTER_H

#include <stddef.h>
#include <stdint.h>

enum {
    PX_UNFILTER_NONE, PX_UNFILTER_SUB, PX_UNFILTER_UP, PX_UNFILTER_AVERAGE, PX_UNFILTER_PAETH, PX_UNFILTER_COUNT,
    PX_UNFILTER_ROWS = 8,   /* that go best together */
    PX_UNFILTER_SLACK = 16, /* bytes behind the last row, both raw and finished, that may be read, and of the finished ones written */
};

typedef struct px_unfilter {
    const char *name;

    /* `raw` holds `rows` rows, one behind the other: a filter (judged already), then `count` bytes. Writes row y to `out` + y * stride; above
     * the first, at `out` - stride, is the row before it. Behind a row's bytes, up to its stride, anything may be written. stride >= count +
     * PX_UNFILTER_SLACK; `step`: bytes of a pixel, 1 2 3 4 6 or 8. */
    void (*rows)(const uint8_t *raw, int rows, size_t count, size_t step, uint8_t *out, size_t stride);
} px_unfilter;

const px_unfilter *px_unfilter_best(void);  /* for this CPU */
extern const px_unfilter px_unfilter_plain; /* C without vectors: the specification */
extern const px_unfilter px_unfilter_baseline;
extern const px_unfilter px_unfilter_avx2;  /* only where PX_HAVE_AVX2 */

/* The bytes from `from` to `to` of one row, in plain C. What comes before them is done. */
void px_unfilter_part(int filter, const uint8_t *raw, const uint8_t *above, uint8_t *row, size_t from, size_t to, size_t step);

#endif
