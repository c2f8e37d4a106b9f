/* Sums of blocks of 4x4 pixels, row of blocks by row of blocks; a window is two by two of them, so every pixel is looked at once.
 * A column's sums come first: that loop has no branch, and the compiler makes vectors of it. All sums are whole numbers (at most
 * 64 * 2 * 255^2), so the result is the same everywhere up to the last bits of a double. */
#include "image/ssim.h"

#include <string.h>

#include "codec/codec.h"

enum { STEP = 4, WINDOW_PIXELS = 64 };

/* Of a 4x4 block, in both pictures. */
typedef struct sums {
    uint32_t a, b, squares, product;
} sums;

void px_luma_row(const px_row *row, uint8_t *target)
{
    const px_plane *plane = &row->planes[0];
    int step = plane->channels, colours = px_channels(row->model, PX_OPAQUE);
    const uint8_t *p = plane->samples;
    if (colours == 1 && step == 1) {
        memcpy(target, p, (size_t)plane->width);
        return;
    }
    for (int x = 0; x < plane->width; x++, p += step) {
        int luma = colours == 1 ? p[0] : (77 * p[0] + 150 * p[1] + 29 * p[2] + 128) >> 8;
        if (row->alpha != PX_OPAQUE)
            luma = (int)px_over_255((unsigned)(luma * p[colours] + 128 * (255 - p[colours])));
        target[x] = (uint8_t)luma;
    }
}

static int blocks_of(int side) { return side > 2 * STEP ? (side + STEP - 1) / STEP : 2; }

size_t px_ssim_scratch(int width)
{
    size_t blocks = (size_t)blocks_of(width);
    return (blocks * 2 + blocks * STEP) * sizeof(sums); /* two rows of blocks, one of columns */
}

/* The sums of each column of a row of blocks. */
static void sum_columns(const uint8_t *a, const uint8_t *b, int width, int height, int top, sums *columns)
{
    memset(columns, 0, (size_t)width * sizeof *columns);
    for (int i = 0; i < STEP; i++) {
        size_t y = (size_t)(top + i < height ? top + i : height - 1);
        const uint8_t *from = a + y * (size_t)width, *to = b + y * (size_t)width;
        for (int x = 0; x < width; x++) {
            uint32_t p = from[x], q = to[x];
            columns[x].a += p;
            columns[x].b += q;
            columns[x].squares += p * p + q * q;
            columns[x].product += p * q;
        }
    }
}

static sums sum_of(sums one, sums two)
{
    return (sums){ one.a + two.a, one.b + two.b, one.squares + two.squares, one.product + two.product };
}

static void sum_blocks(const uint8_t *a, const uint8_t *b, int width, int height, int top, sums *columns, sums *blocks)
{
    int count = blocks_of(width);
    sum_columns(a, b, width, height, top, columns);
    for (int x = width; x < count * STEP; x++)
        columns[x] = columns[width - 1];
    for (int i = 0; i < count; i++, columns += STEP)
        blocks[i] = sum_of(sum_of(columns[0], columns[1]), sum_of(columns[2], columns[3]));
}

/* Formula 13 of the paper. */
static double similarity(sums s)
{
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.01 * 255 * 0.01 * 255, n = WINDOW_PIXELS;
    double a = s.a / n, b = s.b / n, variances = s.squares / n - a * a - b * b, covariance = s.product / n - a * b;
    return (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variances + c2));
}

double px_ssim(const uint8_t *a, const uint8_t *b, int width, int height, void *scratch)
{
    int across = blocks_of(width), down = blocks_of(height);
    sums *above = scratch, *here = above + across, *columns = here + across;
    double sum = 0;
    sum_blocks(a, b, width, height, 0, columns, above);
    for (int y = 1; y < down; y++) {
        sum_blocks(a, b, width, height, y * STEP, columns, here);
        for (int x = 1; x < across; x++)
            sum += similarity(sum_of(sum_of(above[x - 1], above[x]), sum_of(here[x - 1], here[x])));
        sums *old = above;
        above = here;
        here = old;
    }
    return sum / ((double)(across - 1) * (down - 1));
}
