/* forward.h - the inner loops of the JPEG encoder, one set for each CPU level: RGB to Y, Cb and Cr, and the forward DCT with quantisation.
 *
 * All sets give the same bytes. The DCT is that of Loeffler, Ligtenberg and Moschytz in whole numbers, with the constants (13 bits) and
 * the rounding of libjpeg's accurate one, so that the same samples give the same coefficients; what is multiplied as a float is a whole
 * number below 2^24, exactly. Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_FORWARD_H
#define PX_CODEC_JPEG_FORWARD_H

#include <stddef.h>
#include <stdint.h>

#include "codec/jpeg/zigzag.h"

enum {
    PX_JPEG_BLOCKS = 8,                   /* blocks side by side that are transformed together */
    PX_JPEG_GROUP = PX_JPEG_BLOCKS * 8,   /* samples across */
};

/* A table of quantisation, as the DCT's results (eight times as big as T.81's) are divided by it; in the order of rows and columns. */
typedef struct px_jpeg_divisors {
    float half[64]; /* half a step, and half of one more: quotients are rounded, ties away from 0 */
    float part[64]; /* 1 / step */
} px_jpeg_divisors;

/* Coefficients of PX_JPEG_BLOCKS blocks, in zigzag order: values[k][block]. */
typedef struct px_jpeg_group {
    int32_t values[64][PX_JPEG_BLOCKS] __attribute__((aligned(32)));
    uint32_t low[PX_JPEG_BLOCKS] __attribute__((aligned(32)));  /* a bit for each of the first 32 that is not 0 */
    uint32_t high[PX_JPEG_BLOCKS] __attribute__((aligned(32))); /* of the others */
} px_jpeg_group;

typedef struct px_jpeg_forward {
    const char *name;

    /* `width` pixels of RGB to Y. */
    void (*luma)(const uint8_t *rgb, int width, uint8_t *y);

    /* ... to Cb and Cr. */
    void (*whole)(const uint8_t *rgb, int width, uint8_t *cb, uint8_t *cr);

    /* Two lines of `width` pixels to (width + 1) / 2 samples of Cb and Cr: each the mean of four pixels, rounded once. Of an odd width the
     * last pixels count twice. */
    void (*halved)(const uint8_t *upper, const uint8_t *lower, int width, uint8_t *cb, uint8_t *cr);

    /* Eight lines of PX_JPEG_GROUP samples. */
    void (*transform)(const uint8_t *samples, size_t stride, const px_jpeg_divisors *divisors, px_jpeg_group *ret);
} px_jpeg_forward;

const px_jpeg_forward *px_jpeg_forward_best(void);  /* for this CPU */
extern const px_jpeg_forward px_jpeg_forward_plain; /* C without vectors: the specification */
extern const px_jpeg_forward px_jpeg_forward_baseline;
extern const px_jpeg_forward px_jpeg_forward_avx2;  /* only where PX_HAVE_AVX2 */


/* 16 bits below the point, as libjpeg has them: Y's, Cb's and Cr's weights of R, G and B. */
#define PX_JPEG_WEIGHTS { { 19595, 38470, 7471 }, { -11059, -21709, 32768 }, { 32768, -27439, -5329 } }

/* 13 bits below the point: cosines and sums of them, as the paper's figure 1 has them. */
enum {
    PX_COS_0_298631336 = 2446, PX_COS_0_390180644 = 3196, PX_COS_0_541196100 = 4433, PX_COS_0_765366865 = 6270,
    PX_COS_0_899976223 = 7373, PX_COS_1_175875602 = 9633, PX_COS_1_501321110 = 12299, PX_COS_1_847759065 = 15137,
    PX_COS_1_961570560 = 16069, PX_COS_2_053119869 = 16819, PX_COS_2_562915447 = 20995, PX_COS_3_072711026 = 25172,
    PX_COS_BITS = 13, PX_PASS_BITS = 2, /* more below the point, between the passes */
};

#endif
