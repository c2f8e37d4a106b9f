/* The encoder's inner loops in plain C, which say what the vector versions must give, and the choice between the sets. */
#include "codec/jpeg/forward.h"

static const int32_t weights[3][3] = PX_JPEG_WEIGHTS;

static int weigh(int plane, int r, int g, int b) { return weights[plane][0] * r + weights[plane][1] * g + weights[plane][2] * b; }

static void luma(const uint8_t *rgb, int width, uint8_t *y)
{
    for (int x = 0; x < width; x++, rgb += 3)
        y[x] = (uint8_t)((weigh(0, rgb[0], rgb[1], rgb[2]) + (1 << 15)) >> 16);
}

/* Rounded half down, lest 255.5 becomes 256. */
static void whole(const uint8_t *rgb, int width, uint8_t *cb, uint8_t *cr)
{
    for (int x = 0; x < width; x++, rgb += 3) {
        cb[x] = (uint8_t)((weigh(1, rgb[0], rgb[1], rgb[2]) + (128 << 16) + (1 << 15) - 1) >> 16);
        cr[x] = (uint8_t)((weigh(2, rgb[0], rgb[1], rgb[2]) + (128 << 16) + (1 << 15) - 1) >> 16);
    }
}

static void halved(const uint8_t *upper, const uint8_t *lower, int width, uint8_t *cb, uint8_t *cr)
{
    for (int x = 0; x < width; x += 2, upper += 6, lower += 6) {
        int next = x + 1 < width ? 3 : 0, sum[3];
        for (int c = 0; c < 3; c++)
            sum[c] = upper[c] + upper[next + c] + lower[c] + lower[next + c];
        *cb++ = (uint8_t)((weigh(1, sum[0], sum[1], sum[2]) + (128 << 18) + (1 << 17) - 1) >> 18);
        *cr++ = (uint8_t)((weigh(2, sum[0], sum[1], sum[2]) + (128 << 18) + (1 << 17) - 1) >> 18);
    }
}

static int32_t round_off(int32_t value, int bits) { return (value + (1 << (bits - 1))) >> bits; }

/* One row or column, `step` from sample to sample. The first pass keeps PX_PASS_BITS more, the second takes them away. */
static void pass(int32_t *d, int step, int second)
{
    int more = PX_COS_BITS + (second ? PX_PASS_BITS : -PX_PASS_BITS);
    int32_t sum[4], less[4];
    for (int i = 0; i < 4; i++) {
        sum[i] = d[i * step] + d[(7 - i) * step];
        less[i] = d[i * step] - d[(7 - i) * step];
    }
    int32_t outer = sum[0] + sum[3], inner = sum[1] + sum[2], turn = sum[0] - sum[3], twist = sum[1] - sum[2];
    int32_t common = (turn + twist) * PX_COS_0_541196100;
    d[0] = second ? round_off(outer + inner, PX_PASS_BITS) : (outer + inner) * (1 << PX_PASS_BITS);
    d[4 * step] = second ? round_off(outer - inner, PX_PASS_BITS) : (outer - inner) * (1 << PX_PASS_BITS);
    d[2 * step] = round_off(common + turn * PX_COS_0_765366865, more);
    d[6 * step] = round_off(common - twist * PX_COS_1_847759065, more);

    int32_t even = less[3] + less[1], odd = less[2] + less[0], all = (even + odd) * PX_COS_1_175875602;
    int32_t ends = (less[3] + less[0]) * -PX_COS_0_899976223, mids = (less[2] + less[1]) * -PX_COS_2_562915447;
    even = even * -PX_COS_1_961570560 + all;
    odd = odd * -PX_COS_0_390180644 + all;
    d[7 * step] = round_off(less[3] * PX_COS_0_298631336 + ends + even, more);
    d[5 * step] = round_off(less[2] * PX_COS_2_053119869 + mids + odd, more);
    d[3 * step] = round_off(less[1] * PX_COS_3_072711026 + mids + even, more);
    d[1 * step] = round_off(less[0] * PX_COS_1_501321110 + ends + odd, more);
}

static void transform(const uint8_t *samples, size_t stride, const px_jpeg_divisors *divisors, px_jpeg_group *ret)
{
    for (int b = 0; b < PX_JPEG_BLOCKS; b++) {
        int32_t block[64];
        ret->low[b] = ret->high[b] = 0;
        for (int i = 0; i < 64; i++)
            block[i] = samples[(size_t)(i / 8) * stride + (size_t)(b * 8 + i % 8)] - 128;
        for (int i = 0; i < 8; i++)
            pass(block + 8 * i, 1, 0);
        for (int i = 0; i < 8; i++)
            pass(block + i, 8, 1);
        for (int k = 0; k < 64; k++) {
            int at = px_jpeg_zigzag[k];
            float value = (float)block[at], half = divisors->half[at];
            int32_t rounded = (int32_t)((value < 0 ? value - half : value + half) * divisors->part[at]);
            ret->values[k][b] = rounded;
            if (rounded)
                *(k < 32 ? &ret->low[b] : &ret->high[b]) |= 1u << k % 32;
        }
    }
}

const px_jpeg_forward px_jpeg_forward_plain = { "plain", luma, whole, halved, transform };

const px_jpeg_forward *px_jpeg_forward_best(void)
{
#if PX_HAVE_AVX2
    if (__builtin_cpu_supports("avx2"))
        return &px_jpeg_forward_avx2;
#endif
    return &px_jpeg_forward_baseline;
}
