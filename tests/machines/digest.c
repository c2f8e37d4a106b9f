/* What the engine's inner loops make of random input, as one number a line: the same on every machine and CPU level, or something is
 * wrong. tests/machines/run builds this for other machines, runs it and compares. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "image/kernels.h"
#include "image/resample.h"

static uint32_t random_state = 2463534242;

static uint8_t next_byte(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return (uint8_t)(random_state >> 11);
}

/* FNV-1a. */
static void add(uint64_t *digest, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *digest = (*digest ^ bytes[i]) * 0x100000001b3;
}

static void add_scaled(uint64_t *digest, const px_kernels *kernels, int channels, int width, int height, int target_width, int target_height)
{
    px_resample_spec spec = { .source_width = width, .source_height = height, .width = width, .height = height, .target_width = target_width,
                              .target_height = target_height, .channels = channels, .kernels = kernels };
    px_resample *self = NULL;
    uint8_t *row = malloc((size_t)width * (size_t)channels), *target = malloc((size_t)target_width * (size_t)channels);
    if (!row || !target || px_resample_create(&spec, &self, NULL) != PX_OK)
        exit(1);
    for (int y = 0; y < height; y++) {
        for (int i = 0; i < width * channels; i++)
            row[i] = next_byte();
        px_resample_push(self, row);
        while (px_resample_pull(self, target))
            add(digest, target, (size_t)target_width * (size_t)channels);
    }
    px_resample_destroy(self);
    free(row);
    free(target);
}

static void add_rgb(uint64_t *digest, const px_kernels *kernels)
{
    static const px_matrix matrix = { 0, 65536, 91881, -22554, -46802, 116130 };
    uint8_t planes[3][77], target[3 * 77];
    for (int i = 0; i < 3 * 77; i++)
        planes[i / 77][i % 77] = next_byte();
    kernels->rgb(planes[0], planes[1], planes[2], &matrix, 77, target);
    add(digest, target, sizeof target);
}

static void print(const px_kernels *kernels)
{
    static const int sizes[][4] = { { 317, 211, 120, 80 }, { 90, 70, 200, 151 }, { 33, 300, 1, 9 }, { 257, 129, 256, 128 } };
    uint64_t digest = 0xcbf29ce484222325;
    random_state = 2463534242;
    for (int channels = 1; channels <= 4; channels++)
        for (int i = 0; i < 4; i++)
            add_scaled(&digest, kernels, channels, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3]);
    add_rgb(&digest, kernels);
    printf("%016llx\n", (unsigned long long)digest);
}

int main(void)
{
    print(&px_kernels_plain);
    print(&px_kernels_baseline);
    print(px_kernels_best());
    return 0;
}
