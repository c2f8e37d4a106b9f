/* kernels.h - the inner loops of the engine, one set for each CPU level.
 *
 * All sets give the same bytes: what is summed across is whole numbers below 2^24, exact in a float; what is summed
 * down is added in the same order in every lane, and nothing is contracted. Private to src/image. */
#ifndef PX_IMAGE_KERNELS_H
#define PX_IMAGE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum {
    PX_LANES = 8,        /* source rows scaled across together */
    PX_WEIGHT_BITS = 14, /* the weights of one target sample add up to 1 << 14 */
    PX_EXTRA_BITS = 6,   /* below the point, of a sample between the two passes */
};

/* The source samples that one target sample draws on. */
typedef struct px_span {
    int first, count;
    const float *weights; /* whole numbers */
} px_span;

typedef struct px_kernels {
    const char *name;

    /* `block` holds PX_LANES source rows, sample by sample: block[sample * PX_LANES + lane]. Writes one target row
     * for each lane. */
    void (*across)(const uint8_t *block, const px_span *spans, int width, int channels,
                   int16_t *const rows[PX_LANES]);

    /* The weighted sum of `count` rows of `samples` samples, rounded and clamped. */
    void (*down)(const int16_t *const *rows, const float *weights, int count, uint8_t *target, size_t samples);
} px_kernels;

const px_kernels *px_kernels_best(void);  /* for this CPU */
extern const px_kernels px_kernels_plain; /* C without vectors: the specification */
extern const px_kernels px_kernels_baseline;
extern const px_kernels px_kernels_avx2; /* only where PX_HAVE_AVX2 */

#endif
