/* The encoder's inner loops in GCC vector extensions. Meson compiles this file once for each CPU level, with PX_FORWARD as the name of
 * the set; no intrinsics, so that every level and machine runs the same arithmetic.
 *
 * A vector holds the same sample of eight blocks side by side: both passes of the DCT then are the same code without any turning, and
 * which coefficients are 0 becomes bits without any gathering. So eight lines are turned once, as bytes, on their way in. */
#include "codec/jpeg/forward.h"

#include <string.h>

typedef uint8_t u8x8 __attribute__((vector_size(8)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int16_t s16x8 __attribute__((vector_size(16)));
typedef int32_t s32x8 __attribute__((vector_size(32)));
typedef uint32_t u32x8 __attribute__((vector_size(32)));
typedef float f32x8 __attribute__((vector_size(32)));

enum { CHUNK = 64 }; /* pixels whose channels are taken apart together */

/* ---- colour: loops that compilers make vectors of ---- */

static const int32_t weights[3][3] = PX_JPEG_WEIGHTS;

/* The channels of CHUNK pixels, each in its own bytes. */
static void take_apart(const uint8_t *rgb, uint8_t channels[3][CHUNK])
{
    for (int i = 0; i < CHUNK; i++) {
        channels[0][i] = rgb[3 * i];
        channels[1][i] = rgb[3 * i + 1];
        channels[2][i] = rgb[3 * i + 2];
    }
}

/* CHUNK at a time; the rest in a chunk of its own. */
static void take_rest(const uint8_t *rgb, int count, uint8_t channels[3][CHUNK])
{
    uint8_t rest[3 * CHUNK] = { 0 };
    memcpy(rest, rgb, 3 * (size_t)count);
    take_apart(rest, channels);
}

static void weigh(uint8_t channels[3][CHUNK], const int32_t by[3], int32_t more, uint8_t *target)
{
    int32_t r = by[0], g = by[1], b = by[2];
    for (int i = 0; i < CHUNK; i++)
        target[i] = (uint8_t)((r * channels[0][i] + g * channels[1][i] + b * channels[2][i] + more) >> 16);
}

static void luma(const uint8_t *rgb, int width, uint8_t *y)
{
    uint8_t channels[3][CHUNK], rest[CHUNK];
    int x = 0;
    for (; x + CHUNK <= width; x += CHUNK) {
        take_apart(rgb + 3 * x, channels);
        weigh(channels, weights[0], 1 << 15, y + x);
    }
    take_rest(rgb + 3 * x, width - x, channels);
    weigh(channels, weights[0], 1 << 15, rest);
    memcpy(y + x, rest, (size_t)(width - x));
}

static void whole(const uint8_t *rgb, int width, uint8_t *cb, uint8_t *cr)
{
    const int32_t more = (128 << 16) + (1 << 15) - 1;
    uint8_t channels[3][CHUNK], rest[CHUNK];
    int x = 0;
    for (; x + CHUNK <= width; x += CHUNK) {
        take_apart(rgb + 3 * x, channels);
        weigh(channels, weights[1], more, cb + x);
        weigh(channels, weights[2], more, cr + x);
    }
    take_rest(rgb + 3 * x, width - x, channels);
    weigh(channels, weights[1], more, rest);
    memcpy(cb + x, rest, (size_t)(width - x));
    weigh(channels, weights[2], more, rest);
    memcpy(cr + x, rest, (size_t)(width - x));
}

/* Chroma of CHUNK / 2 x 1 fours of pixels. */
static void halve(const uint8_t *upper, const uint8_t *lower, uint8_t *cb, uint8_t *cr)
{
    const int32_t more = (128 << 18) + (1 << 17) - 1;
    uint8_t above[3][CHUNK], below[3][CHUNK];
    int32_t sums[3][CHUNK / 2];
    take_apart(upper, above);
    take_apart(lower, below);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < CHUNK / 2; i++)
            sums[c][i] = above[c][2 * i] + above[c][2 * i + 1] + below[c][2 * i] + below[c][2 * i + 1];
    for (int i = 0; i < CHUNK / 2; i++) {
        cb[i] = (uint8_t)((weights[1][0] * sums[0][i] + weights[1][1] * sums[1][i] + weights[1][2] * sums[2][i] + more) >> 18);
        cr[i] = (uint8_t)((weights[2][0] * sums[0][i] + weights[2][1] * sums[1][i] + weights[2][2] * sums[2][i] + more) >> 18);
    }
}

/* Fewer than CHUNK pixels, and of an odd number the last once more. */
static void copy_rest(const uint8_t *rgb, int count, uint8_t rest[3 * CHUNK])
{
    memset(rest, 0, 3 * CHUNK);
    memcpy(rest, rgb, 3 * (size_t)count);
    if (count % 2)
        memcpy(rest + 3 * count, rgb + 3 * (count - 1), 3);
}

static void halved(const uint8_t *upper, const uint8_t *lower, int width, uint8_t *cb, uint8_t *cr)
{
    uint8_t above[3 * CHUNK], below[3 * CHUNK], rest[2][CHUNK / 2];
    int x = 0;
    for (; x + CHUNK <= width; x += CHUNK)
        halve(upper + 3 * x, lower + 3 * x, cb + x / 2, cr + x / 2);
    copy_rest(upper + 3 * x, width - x, above);
    copy_rest(lower + 3 * x, width - x, below);
    halve(above, below, rest[0], rest[1]);
    memcpy(cb + x / 2, rest[0], (size_t)(width - x + 1) / 2);
    memcpy(cr + x / 2, rest[1], (size_t)(width - x + 1) / 2);
}

/* ---- DCT ---- */

static inline u8x16 lower_of(u8x16 a, u8x16 b)
{
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

static inline u8x16 upper_of(u8x16 a, u8x16 b)
{
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/* One line of eight blocks: target[column][block]. Each of the three shuffles turns the bits of a sample's place by one. */
static inline void turn_line(const uint8_t *samples, uint8_t target[PX_JPEG_GROUP])
{
    u8x16 from[4], to[4];
    memcpy(from, samples, sizeof from);
    for (int i = 0; i < 3; i++) {
        to[0] = lower_of(from[0], from[2]);
        to[1] = upper_of(from[0], from[2]);
        to[2] = lower_of(from[1], from[3]);
        to[3] = upper_of(from[1], from[3]);
        memcpy(from, to, sizeof from);
    }
    memcpy(target, to, sizeof to);
}

static inline s32x8 round_off(s32x8 value, int bits) { return (value + (1 << (bits - 1))) >> bits; }

/* forward_plain.c has the names. */
static inline __attribute__((always_inline)) void pass(s32x8 d[8], int second)
{
    const int more = PX_COS_BITS + (second ? PX_PASS_BITS : -PX_PASS_BITS);
    s32x8 sum0 = d[0] + d[7], sum1 = d[1] + d[6], sum2 = d[2] + d[5], sum3 = d[3] + d[4];
    s32x8 less0 = d[0] - d[7], less1 = d[1] - d[6], less2 = d[2] - d[5], less3 = d[3] - d[4];
    s32x8 outer = sum0 + sum3, inner = sum1 + sum2, turn = sum0 - sum3, twist = sum1 - sum2;
    s32x8 common = (turn + twist) * PX_COS_0_541196100;
    d[0] = second ? round_off(outer + inner, PX_PASS_BITS) : (outer + inner) << PX_PASS_BITS;
    d[4] = second ? round_off(outer - inner, PX_PASS_BITS) : (outer - inner) << PX_PASS_BITS;
    d[2] = round_off(common + turn * PX_COS_0_765366865, more);
    d[6] = round_off(common - twist * PX_COS_1_847759065, more);

    s32x8 even = less3 + less1, odd = less2 + less0, all = (even + odd) * PX_COS_1_175875602;
    s32x8 ends = (less3 + less0) * -PX_COS_0_899976223, mids = (less2 + less1) * -PX_COS_2_562915447;
    even = even * -PX_COS_1_961570560 + all;
    odd = odd * -PX_COS_0_390180644 + all;
    d[7] = round_off(less3 * PX_COS_0_298631336 + ends + even, more);
    d[5] = round_off(less2 * PX_COS_2_053119869 + mids + odd, more);
    d[3] = round_off(less1 * PX_COS_3_072711026 + mids + even, more);
    d[1] = round_off(less0 * PX_COS_1_501321110 + ends + odd, more);
}

static inline s32x8 quantise(s32x8 value, float half, float part)
{
    s32x8 sign = value & INT32_MIN;
    f32x8 halves = half - (f32x8){ 0 };
    f32x8 signed_half = (f32x8)((s32x8)halves | sign);
    return __builtin_convertvector((__builtin_convertvector(value, f32x8) + signed_half) * part, s32x8);
}

/* A bit for each of 32 that is not 0. A comparison gives -1 for those that are: their sum is less than nothing by their bits, and one less
 * again is all other bits. */
static inline void find_nonzero(int32_t values[32][PX_JPEG_BLOCKS], uint32_t bits[PX_JPEG_BLOCKS])
{
    u32x8 sum = { 0 };
    for (int k = 31; k >= 0; k--) {
        s32x8 value;
        memcpy(&value, values[k], sizeof value);
        sum += sum + (u32x8)(value == 0);
    }
    sum -= 1;
    memcpy(bits, &sum, sizeof sum);
}

static void transform(const uint8_t *samples, size_t stride, const px_jpeg_divisors *divisors, px_jpeg_group *ret)
{
    static const uint8_t places[64] = { /* the inverse of the zigzag */
        0,  1,  5,  6,  14, 15, 27, 28, 2,  4,  7,  13, 16, 26, 29, 42, 3,  8,  12, 17, 25, 30, 41, 43, 9,  11, 18, 24, 31, 40, 44, 53,
        10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38, 46, 51, 55, 60, 21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63,
    };
    s32x8 rows[64];
    for (int y = 0; y < 8; y++) {
        uint8_t line[PX_JPEG_GROUP];
        turn_line(samples + (size_t)y * stride, line);
        s32x8 *d = rows + 8 * y;
        for (int x = 0; x < 8; x++) {
            u8x8 eight;
            memcpy(&eight, line + 8 * x, sizeof eight);
            d[x] = __builtin_convertvector(__builtin_convertvector(eight, s16x8), s32x8); /* in two steps: in one, GCC takes them apart */
        }
        pass(d, 0);
        d[0] -= 8 * 128 << PX_PASS_BITS; /* samples are about 0; all other coefficients are of differences */
    }
    for (int x = 0; x < 8; x++) {
        s32x8 d[8];
        for (int y = 0; y < 8; y++)
            d[y] = rows[8 * y + x];
        pass(d, 1);
        for (int y = 0; y < 8; y++) {
            s32x8 value = quantise(d[y], divisors->half[8 * y + x], divisors->part[8 * y + x]);
            memcpy(ret->values[places[8 * y + x]], &value, sizeof value);
        }
    }
    find_nonzero(ret->values, ret->low);
    find_nonzero(ret->values + 32, ret->high);
}

const px_jpeg_forward PX_FORWARD = { PX_FORWARD_NAME, luma, whole, halved, transform };
