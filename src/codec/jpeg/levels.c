/* The choice between the sets for CPU levels, and what they share. */
#include "codec/jpeg/inside.h"

void px_jpeg_steps(const uint16_t table[64], int n, float *ret)
{
    for (int v = 0; v < n; v++)
        for (int u = 0; u < n; u++)
            ret[v * n + u] = (float)table[v * 8 + u] / 8.0f;
}

bool px_jpeg_any_cpu = false;

const px_jpeg_idct *px_jpeg_idct_best(void)
{
#if PX_HAVE_AVX2
    if (!px_jpeg_any_cpu && __builtin_cpu_supports("avx2"))
        return &px_jpeg_idct_avx2;
#endif
    return &px_jpeg_idct_baseline;
}

const px_jpeg_readers *px_jpeg_readers_best(void)
{
#if PX_HAVE_AVX2
    if (!px_jpeg_any_cpu && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
        return &px_jpeg_readers_avx2;
#endif
    return &px_jpeg_readers_baseline;
}
