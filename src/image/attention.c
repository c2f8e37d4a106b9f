/* Every pixel has a score: how much brightness changes there, more if it is strongly coloured, and more if it has the colour of skin.
 * Scores are summed along rows and columns, and the window is moved along each side to where the sum is greatest: a part that
 * `cover` shows is as wide or as high as the picture, so the two sides do not depend on each other. Whole numbers only. */
#include "image/attention.h"

#include <stdbool.h>
#include <stdlib.h>

enum {
    QUIET = 8,        /* a change of brightness below this is shading or noise */
    EDGE = 4,         /* a step of brightness counts so many times */
    COLOURFUL = 64,   /* saturation above this counts, a quarter of it */
    SKIN = 32,        /* what skin counts */
};

uint64_t px_attention_memory(int width, int height) { return ((uint64_t)width + (uint64_t)height) * sizeof(uint64_t); }

static int brightness(const uint8_t *pixel, int colours)
{
    return colours == 1 ? pixel[0] : (pixel[0] * 77 + pixel[1] * 150 + pixel[2] * 29) >> 8;
}

/* Red over green over blue in about the ratios that skin of any tone has, and neither black nor white. */
static bool is_skin(const uint8_t *pixel)
{
    int r = pixel[0], g = pixel[1], b = pixel[2];
    return r > 60 && r < 250 && r > g && g >= b && (r - g) * 100 > r * 10 && (r - g) * 100 < r * 45 && (r - b) * 100 > r * 15 && (r - b) * 100 < r * 70;
}

static int colour_score(const uint8_t *pixel)
{
    int high = pixel[0] > pixel[1] ? pixel[0] : pixel[1], low = pixel[0] < pixel[1] ? pixel[0] : pixel[1];
    high = pixel[2] > high ? pixel[2] : high;
    low = pixel[2] < low ? pixel[2] : low;
    int saturation = high - low;
    return (saturation > COLOURFUL ? (saturation - COLOURFUL) / 4 : 0) + (is_skin(pixel) ? SKIN : 0);
}

static int score(const px_attention_spec *spec, const uint8_t *samples, int x, int y)
{
    int colours = spec->channels - (spec->alpha != PX_OPAQUE);
    size_t pixel = (size_t)spec->channels, row = pixel * (size_t)spec->width;
    const uint8_t *here = samples + (size_t)y * row + (size_t)x * pixel;
    const uint8_t *left = x > 0 ? here - pixel : here, *right = x < spec->width - 1 ? here + pixel : here;
    const uint8_t *above = y > 0 ? here - row : here, *below = y < spec->height - 1 ? here + row : here;
    int edge = abs(brightness(right, colours) - brightness(left, colours)) + abs(brightness(below, colours) - brightness(above, colours));
    int sum = (edge > QUIET ? edge * EDGE : 0) + (colours == 3 ? colour_score(here) : 0);
    return spec->alpha == PX_OPAQUE ? sum : sum * here[colours] / 255;
}

/* Where `count` of `total` sums have the most together. */
static int best_start(const uint64_t *sums, int total, int count)
{
    uint64_t sum = 0, most = 0;
    int middle = (total - count) / 2, best = middle;
    for (int i = 0; i < total; i++) {
        sum += sums[i] - (i >= count ? sums[i - count] : 0);
        int start = i - count + 1;
        if (start >= 0 && (sum > most || (sum == most && abs(start - middle) < abs(best - middle)))) {
            most = sum;
            best = start;
        }
    }
    return best;
}

px_status px_attention_choose(const px_attention_spec *spec, const uint8_t *samples, int width, int height, int *ret_x, int *ret_y, px_error *err)
{
    uint64_t *columns = calloc((size_t)spec->width + (size_t)spec->height, sizeof *columns);
    if (!columns)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room to look where the detail is");
    uint64_t *rows = columns + spec->width;
    for (int y = 0; y < spec->height; y++)
        for (int x = 0; x < spec->width; x++) {
            uint64_t here = (uint64_t)score(spec, samples, x, y);
            columns[x] += here;
            rows[y] += here;
        }
    *ret_x = best_start(columns, spec->width, width);
    *ret_y = best_start(rows, spec->height, height);
    free(columns);
    return PX_OK;
}
