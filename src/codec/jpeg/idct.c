/* The inverse DCT as sums of cosines, in GCC vector extensions: one lane a block. Meson compiles this file once for each CPU level, with
 * PX_JPEG_IDCT as the name of the set and PX_JPEG_LANES as the blocks that go together; no intrinsics, so that every level and machine
 * runs the same arithmetic. In floats, since whole numbers of 32 bits are not multiplied everywhere.
 *
 * Samples x and N-1-x differ only in the sign of the odd frequencies; that halves the work. */
#include "codec/jpeg/idct.h"

#include <string.h>

#if PX_JPEG_LANES == 1
typedef float lanes_f;
typedef int32_t lanes_i;
typedef uint32_t lanes_u;
#define TO_FLOAT(x) ((float)(x))
#define TO_INT(x) ((int32_t)(x))
#define IS(x) (-(int32_t)(x))
#else
typedef float lanes_f __attribute__((vector_size(4 * PX_JPEG_LANES)));
typedef int32_t lanes_i __attribute__((vector_size(4 * PX_JPEG_LANES)));
typedef uint32_t lanes_u __attribute__((vector_size(4 * PX_JPEG_LANES)));
#define TO_FLOAT(x) __builtin_convertvector(x, lanes_f)
#define TO_INT(x) __builtin_convertvector(x, lanes_i)
#define IS(x) (x)
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* By N: √2 cos(jπ/2N), j from 0 to N. */
static const float cosines[9][9] = {
    { 0 },
    { 1.41421356f, 0.0f },
    { 1.41421356f, 1.0f, 0.0f },
    { 1.41421356f, 1.22474487f, 0.707106781f, 0.0f },
    { 1.41421356f, 1.30656296f, 1.0f, 0.5411961f, 0.0f },
    { 1.41421356f, 1.34499702f, 1.14412281f, 0.831253876f, 0.437016024f, 0.0f },
    { 1.41421356f, 1.3660254f, 1.22474487f, 1.0f, 0.707106781f, 0.366025404f, 0.0f },
    { 1.41421356f, 1.37875628f, 1.27416239f, 1.10567669f, 0.881747734f, 0.613604268f, 0.314692123f, 0.0f },
    { 1.41421356f, 1.38703985f, 1.30656296f, 1.1758756f, 1.0f, 0.785694958f, 0.5411961f, 0.275899379f, 0.0f },
};

/* What frequency u adds to sample x of n, for a coefficient of 1. */
INLINE float wave(int n, int u, int x)
{
    int j = (2 * x + 1) * u % (4 * n);
    if (j > 2 * n)
        j = 4 * n - j;
    return u == 0 ? 1.0f : j <= n ? cosines[n][j] : -cosines[n][2 * n - j];
}

/* One row or column: n frequencies to n samples. */
INLINE void transform(int n, const lanes_f *from, int step, lanes_f *to)
{
    UNROLL for (int x = 0; x < (n + 1) / 2; x++) {
        lanes_f even = from[0], odd = { 0 };
        UNROLL for (int u = 2; u < n; u += 2)
            even += from[u * step] * wave(n, u, x);
        UNROLL for (int u = 1; u < n; u += 2)
            odd += from[u * step] * wave(n, u, x);
        to[x] = even + odd;
        to[n - 1 - x] = even - odd;
    }
}

INLINE lanes_f load(const int16_t *from)
{
#if PX_JPEG_LANES == 1
    return (float)*from;
#else
    int16_t __attribute__((vector_size(2 * PX_JPEG_LANES))) whole;
    memcpy(&whole, from, sizeof whole);
    return TO_FLOAT(whole);
#endif
}

/* Rounded, and kept between 0 and 255. */
INLINE lanes_i sample_of(lanes_f value)
{
    value += 128.5f;
    lanes_i above = IS(value > 0.0f), below = IS(value < 255.0f);
    lanes_i whole;
    lanes_f kept = value;
    memcpy(&whole, &kept, sizeof whole);
    const float most = 255.0f;
    int32_t bits_of_most;
    memcpy(&bits_of_most, &most, sizeof most);
    whole = (whole & above & below) | (bits_of_most & ~below);
    memcpy(&kept, &whole, sizeof kept);
    return TO_INT(kept);
}

/* A line of n samples for each block, as words of four samples, lowest first. */
INLINE void store(int n, const lanes_i *line, uint8_t *to)
{
    enum { BLOCKS = PX_JPEG_LANES };
    uint32_t words[2][BLOCKS];
    UNROLL for (int half = 0; half < (n + 3) / 4; half++) {
        lanes_u word = (lanes_u)line[4 * half];
        UNROLL for (int i = 1; i < 4; i++)
            if (4 * half + i < n)
                word |= (lanes_u)line[4 * half + i] << (8 * i);
        memcpy(words[half], &word, sizeof word);
    }
    UNROLL for (int b = 0; b < BLOCKS; b++) {
        memcpy(to + b * n, &words[0][b], 4);
        if (n > 4)
            memcpy(to + b * n + 4, &words[1][b], 4);
    }
}

INLINE void run(int n, const int16_t *group, const float *steps, uint8_t *samples, size_t stride)
{
    for (int first = 0; first < PX_JPEG_GROUP; first += PX_JPEG_LANES, group += PX_JPEG_LANES, samples += n * PX_JPEG_LANES) {
        lanes_f columns[64], rows[64];
        UNROLL for (int u = 0; u < n; u++) { /* rows[] becomes columns of samples, each its own run */
            UNROLL for (int v = 0; v < n; v++)
                columns[v] = load(group + (v * n + u) * PX_JPEG_GROUP) * steps[v * n + u];
            transform(n, columns, 1, rows + u * n);
        }
        UNROLL for (int y = 0; y < n; y++) {
            lanes_f line[8];
            lanes_i whole[8];
            transform(n, rows + y, n, line);
            UNROLL for (int x = 0; x < n; x++)
                whole[x] = sample_of(line[x]);
            store(n, whole, samples + (size_t)y * stride);
        }
    }
}

#define RUN(n) \
    static void run_##n(const int16_t *group, const float *steps, uint8_t *samples, size_t stride) { run(n, group, steps, samples, stride); }
RUN(1) RUN(2) RUN(3) RUN(4) RUN(5) RUN(6) RUN(7) RUN(8)

const px_jpeg_idct PX_JPEG_IDCT = { PX_JPEG_IDCT_NAME, { NULL, run_1, run_2, run_3, run_4, run_5, run_6, run_7, run_8 } };
