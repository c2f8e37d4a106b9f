/* kernels.h - the inner loops of the engine, one set for each CPU level.
 *
 * All of it is arithmetic on whole numbers, so that every set gives the same bytes. Private to src/image. */
#ifndef PX_IMAGE_KERNELS_H
#define PX_IMAGE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    PX_LANES = 8,        /* source rows scaled across together */
    PX_WEIGHT_BITS = 14, /* the weights of one target sample add up to 1 << 14 */
    PX_EXTRA_BITS = 6,   /* below the point, of a sample between the two passes */
    PX_ROW_PADDING = 32, /* bytes behind a row that a kernel may read or write */
};

/* The source samples that one target sample draws on, two by two: what there is of an odd one out has the weight 0. */
typedef struct px_span {
    int first, pairs;
    const int16_t *weights; /* two for each pair */
} px_span;

/* From Y, Cb and Cr to RGB, in numbers of 16 bits below the point. */
typedef struct px_matrix {
    int black, luma, red_of_cr, green_of_cb, green_of_cr, blue_of_cb;
} px_matrix;

typedef struct px_kernels {
    const char *name;

    /* Puts the samples of two neighbours side by side: of RGB, R R G G B B. An odd last pixel gets 0 for its neighbour. Writes
     * up to PX_ROW_PADDING bytes more than it has to. */
    void (*pair)(const uint8_t *row, int width, int channels, uint8_t *target);

    /* `rows` holds PX_LANES such rows, `stride` bytes (a multiple of 16) from one to the next; `block` is scratch of as many bytes. Writes
     * one target row for each, scaled across; spans begin with even samples. */
    void (*across)(const uint8_t *rows, size_t stride, uint8_t *block, const px_span *spans, int width, int channels,
                   int16_t *const targets[PX_LANES]);

    /* The weighted sum of 2 * `pairs` rows of `samples` samples, rounded and clamped. Rows may be read PX_ROW_PADDING bytes too far. */
    void (*down)(const int16_t *const *rows, const int16_t *weights, int pairs, uint8_t *target, size_t samples);

    void (*rgb)(const uint8_t *y, const uint8_t *cb, const uint8_t *cr, const px_matrix *matrix, int width, uint8_t *target);
} px_kernels;

const px_kernels *px_kernels_best(void);  /* for this CPU */
extern const px_kernels px_kernels_plain; /* C without vectors: the specification */
extern const px_kernels px_kernels_baseline;
extern const px_kernels px_kernels_avx2; /* only where PX_HAVE_AVX2 */

#endif
