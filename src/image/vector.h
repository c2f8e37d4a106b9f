/* vector.h - vectors of one row's samples, in GCC's extensions, and the few steps that those cannot say for every CPU.
 *
 * Each step is written once per kind of CPU, here, so that kernels.c has no #if in it; the last form of each is plain C and says what
 * the others do. `words` are 16 numbers of 16 bits, `longs` 8 of 32. Private to src/image. */
#ifndef PX_IMAGE_VECTOR_H
#define PX_IMAGE_VECTOR_H

#include <stdint.h>
#include <string.h>

#if defined __SSE2__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

/* Vectors wider than the CPU's are passed in memory, which differs between levels; nothing here is called across them. */
#pragma GCC diagnostic ignored "-Wpsabi"

typedef uint8_t px_bytes8 __attribute__((vector_size(8)));
typedef uint8_t px_bytes16 __attribute__((vector_size(16)));
typedef int16_t px_words8 __attribute__((vector_size(16)));
typedef int16_t px_words16 __attribute__((vector_size(32)));
typedef int32_t px_longs4 __attribute__((vector_size(16)));
typedef int32_t px_longs8 __attribute__((vector_size(32)));

/* Two weights, of a pair of samples, as often as there are pairs. */
static inline px_words16 px_vector_weights(const int16_t *weights)
{
    int32_t both;
    memcpy(&both, weights, sizeof both);
    return (px_words16)(px_longs8){ both, both, both, both, both, both, both, both };
}

/* 16 bytes, made wider. */
static inline px_words16 px_vector_widen(const uint8_t *bytes)
{
    px_bytes16 loaded;
    memcpy(&loaded, bytes, sizeof loaded);
#if defined __AVX2__
    return (px_words16)_mm256_cvtepu8_epi16((__m128i)loaded);
#elif defined __SSE2__
    __m128i zero = _mm_setzero_si128();
    px_words8 halves[2] = { (px_words8)_mm_unpacklo_epi8((__m128i)loaded, zero), (px_words8)_mm_unpackhi_epi8((__m128i)loaded, zero) };
    px_words16 wide;
    memcpy(&wide, halves, sizeof wide);
    return wide;
#else
    return __builtin_convertvector(loaded, px_words16);
#endif
}

/* a[0] * b[0] + a[1] * b[1], a[2] * b[2] + a[3] * b[3], and so on. */
static inline px_longs8 px_vector_multiply(px_words16 a, px_words16 b)
{
#if defined __AVX2__
    return (px_longs8)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined __SSE2__
    px_words8 as[2], bs[2];
    px_longs4 sums[2];
    px_longs8 both;
    memcpy(as, &a, sizeof a);
    memcpy(bs, &b, sizeof b);
    sums[0] = (px_longs4)_mm_madd_epi16((__m128i)as[0], (__m128i)bs[0]);
    sums[1] = (px_longs4)_mm_madd_epi16((__m128i)as[1], (__m128i)bs[1]);
    memcpy(&both, sums, sizeof both);
    return both;
#elif defined __aarch64__
    int16x8_t as[2], bs[2];
    int32x4_t sums[2];
    px_longs8 both;
    memcpy(as, &a, sizeof a);
    memcpy(bs, &b, sizeof b);
    for (int half = 0; half < 2; half++)
        sums[half] = vpaddq_s32(vmull_s16(vget_low_s16(as[half]), vget_low_s16(bs[half])), vmull_high_s16(as[half], bs[half]));
    memcpy(&both, sums, sizeof both);
    return both;
#else
    px_longs8 sums;
    for (int i = 0; i < 8; i++)
        sums[i] = a[2 * i] * b[2 * i] + a[2 * i + 1] * b[2 * i + 1];
    return sums;
#endif
}

/* Two rows' samples side by side: *low and *high together hold all pairs, in the order that px_vector_join puts right. */
static inline void px_vector_interleave(px_words16 a, px_words16 b, px_words16 *low, px_words16 *high)
{
#if defined __AVX2__
    *low = (px_words16)_mm256_unpacklo_epi16((__m256i)a, (__m256i)b);
    *high = (px_words16)_mm256_unpackhi_epi16((__m256i)a, (__m256i)b);
#else
    px_words8 as[2], bs[2], pairs[4];
    memcpy(as, &a, sizeof a);
    memcpy(bs, &b, sizeof b);
    for (int half = 0; half < 2; half++) {
        pairs[half] = __builtin_shufflevector(as[half], bs[half], 0, 8, 1, 9, 2, 10, 3, 11);
        pairs[2 + half] = __builtin_shufflevector(as[half], bs[half], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    memcpy(low, pairs, sizeof *low);
    memcpy(high, pairs + 2, sizeof *high);
#endif
}

/* The sums of both halves as 16 bytes, clamped. */
static inline void px_vector_join(px_longs8 low, px_longs8 high, uint8_t *target)
{
#if defined __AVX2__
    __m256i words = _mm256_packs_epi32((__m256i)low, (__m256i)high);
    __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    memcpy(target, &bytes, sizeof bytes);
#elif defined __SSE2__
    px_longs4 lows[2], highs[2];
    memcpy(lows, &low, sizeof low);
    memcpy(highs, &high, sizeof high);
    __m128i bytes = _mm_packus_epi16(_mm_packs_epi32((__m128i)lows[0], (__m128i)highs[0]), _mm_packs_epi32((__m128i)lows[1], (__m128i)highs[1]));
    memcpy(target, &bytes, sizeof bytes);
#elif defined __aarch64__
    int32x4_t lows[2], highs[2];
    memcpy(lows, &low, sizeof low);
    memcpy(highs, &high, sizeof high);
    int16x8_t first = vqmovn_high_s32(vqmovn_s32(lows[0]), highs[0]), second = vqmovn_high_s32(vqmovn_s32(lows[1]), highs[1]);
    vst1q_u8(target, vqmovun_high_s16(vqmovun_s16(first), second));
#else
    for (int i = 0; i < 16; i++) {
        int at = i / 8 * 4 + i % 4, value = i % 8 < 4 ? low[at] : high[at];
        target[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
#endif
}

/* Eight rows of eight become eight columns. */
static inline void px_vector_transpose(px_words8 v[8])
{
    px_words8 a[8], b[8];
    for (int i = 0; i < 4; i++) {
        a[2 * i] = __builtin_shufflevector(v[i], v[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        a[2 * i + 1] = __builtin_shufflevector(v[i], v[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (int i = 0; i < 4; i++) {
        b[2 * i] = __builtin_shufflevector(a[i], a[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (int i = 0; i < 4; i++) {
        v[2 * i] = __builtin_shufflevector(b[i], b[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        v[2 * i + 1] = __builtin_shufflevector(b[i], b[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
}

#endif
