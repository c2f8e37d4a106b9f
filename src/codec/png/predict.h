/* predict.h - what PNG's filters predict a byte from (9.2, 9.4), sixteen at a time, in GCC vector extensions. Private to src/codec/png. */
#ifndef PX_CODEC_PNG_PREDICT_H
#define PX_CODEC_PNG_PREDICT_H

#include <stdint.h>

typedef uint8_t px_u8x16 __attribute__((vector_size(16)));

#define PX_INLINE static inline __attribute__((always_inline))

/* These become one instruction each; as masks they would not. */
PX_INLINE px_u8x16 px_smaller(px_u8x16 x, px_u8x16 y)
{
    for (int i = 0; i < 16; i++)
        x[i] = x[i] < y[i] ? x[i] : y[i];
    return x;
}

PX_INLINE px_u8x16 px_larger(px_u8x16 x, px_u8x16 y)
{
    for (int i = 0; i < 16; i++)
        x[i] = x[i] > y[i] ? x[i] : y[i];
    return x;
}

/* 9.4, said otherwise: c's place among a and b decides. With p and q how far it lies below the larger and above the smaller one, a + b - c is
 * at least as near to the larger one as to c where 2q <= p, to the smaller one where 2p <= q. Where both hold, all three are equal. */
PX_INLINE px_u8x16 px_paeth(px_u8x16 a, px_u8x16 b, px_u8x16 c)
{
    px_u8x16 low = px_smaller(a, b), high = px_larger(a, b), p = px_larger(high, c) - c, q = c - px_smaller(low, c);
    px_u8x16 is_low = (px_u8x16)(p <= q >> 1), is_high = (px_u8x16)(q <= p >> 1);
    return (high & is_high) | (((low & is_low) | (c & ~is_low)) & ~is_high);
}

/* Rounded down, without a ninth bit. */
PX_INLINE px_u8x16 px_average(px_u8x16 a, px_u8x16 b) { return (a & b) + ((a ^ b) >> 1); }

#endif
