/* Brightness, two colour differences and alpha, each as the lowest terms of its cosine transform: the constant one by itself, the
 * others in four bits each relative to the greatest. What is transparent takes the mean colour.
 *
 * https://evanw.github.io/thumbhash/ describes the format. The transform is separable, so each row is summed once for
 * every frequency across, and those sums down. */
#include "image/thumbhash.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

enum { TERMS = 7 /* across and down, at most */, CHANNELS = 4, RED = 0, GREEN, BLUE, ALPHA };

static const int terms_of[CHANNELS] = { TERMS, 3, 3, 5 };

static const double pi = 3.14159265358979323846, nothing = 1e-9; /* less is rounding, of a channel that is even */

/* One channel's terms, in the order in which they are written. */
typedef struct terms {
    double constant, scale, others[TERMS * TERMS];
    int count;
} terms;

/* What is written behind the header, four bits at a time. */
typedef struct nibbles {
    uint8_t *hash;
    int count;
} nibbles;

typedef struct picture {
    const uint8_t *rgba;
    int width, height;
    double mean[3]; /* of the colours, as far as they are seen */
    bool alpha;
    double across[TERMS][PX_THUMBHASH_SIDE], down[TERMS][PX_THUMBHASH_SIDE]; /* cosines */
} picture;

static int whole(double value) { return (int)floor(value + 0.5); }

static double larger(double a, double b) { return a > b ? a : b; }

static void find_mean(picture *self)
{
    uint64_t sums[CHANNELS] = { 0 };
    uint64_t count = (uint64_t)self->width * (uint64_t)self->height;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *pixel = self->rgba + i * CHANNELS;
        for (int c = RED; c <= BLUE; c++)
            sums[c] += (uint64_t)pixel[c] * pixel[ALPHA];
        sums[ALPHA] += pixel[ALPHA];
    }
    for (int c = RED; c <= BLUE; c++)
        self->mean[c] = sums[ALPHA] ? (double)sums[c] / (double)sums[ALPHA] / 255.0 : 0.0;
    self->alpha = sums[ALPHA] < 255 * count;
}

static void fill_cosines(double cosines[TERMS][PX_THUMBHASH_SIDE], int side)
{
    for (int k = 0; k < TERMS; k++)
        for (int i = 0; i < side; i++)
            cosines[k][i] = cos(pi / side * k * (i + 0.5));
}

/* A pixel as brightness, yellow against blue, red against green, alpha. */
static void split(const picture *self, const uint8_t *pixel, double values[CHANNELS])
{
    double alpha = pixel[ALPHA] / 255.0, colours[3];
    for (int c = RED; c <= BLUE; c++)
        colours[c] = self->mean[c] * (1.0 - alpha) + alpha * pixel[c] / 255.0;
    values[0] = (colours[RED] + colours[GREEN] + colours[BLUE]) / 3.0;
    values[1] = (colours[RED] + colours[GREEN]) / 2.0 - colours[BLUE];
    values[2] = colours[RED] - colours[GREEN];
    values[3] = alpha;
}

/* All terms of all channels that the picture has: sums[channel][down][across]. */
static void transform(const picture *self, double sums[CHANNELS][TERMS][TERMS])
{
    int channels = self->alpha ? CHANNELS : ALPHA;
    for (int y = 0; y < self->height; y++) {
        double row[CHANNELS][TERMS] = { { 0 } };
        for (int x = 0; x < self->width; x++) {
            double values[CHANNELS];
            split(self, self->rgba + ((size_t)y * (size_t)self->width + (size_t)x) * CHANNELS, values);
            for (int c = 0; c < channels; c++)
                for (int k = 0; k < terms_of[c]; k++)
                    row[c][k] += values[c] * self->across[k][x];
        }
        for (int c = 0; c < channels; c++)
            for (int j = 0; j < terms_of[c]; j++)
                for (int k = 0; k < terms_of[c]; k++)
                    sums[c][j][k] += row[c][k] * self->down[j][y];
    }
}

/* The triangle of the lowest terms, `across` wide and `down` high. */
static terms pick(const picture *self, double sums[TERMS][TERMS], int across, int down)
{
    terms picked = { 0 };
    for (int j = 0; j < down; j++)
        for (int k = 0; k * down < across * (down - j); k++) {
            double term = sums[j][k] / (self->width * self->height);
            if (j == 0 && k == 0) {
                picked.constant = term;
                continue;
            }
            picked.others[picked.count++] = term;
            picked.scale = larger(picked.scale, fabs(term));
        }
    if (picked.scale < nothing)
        picked.scale = 0.0;
    return picked;
}

static void write_others(nibbles *out, const terms *from)
{
    for (int i = 0; i < from->count; i++, out->count++) {
        int value = from->scale > 0.0 ? whole(15.0 * (0.5 + 0.5 / from->scale * from->others[i])) : 0;
        uint8_t *byte = &out->hash[out->count / 2];
        *byte = (uint8_t)(out->count % 2 ? *byte | value << 4 : value);
    }
}

size_t px_thumbhash_of(const uint8_t *rgba, int width, int height, uint8_t hash[PX_THUMBHASH_BYTES])
{
    assert(width >= 1 && height >= 1 && width <= PX_THUMBHASH_SIDE && height <= PX_THUMBHASH_SIDE);
    picture self = { .rgba = rgba, .width = width, .height = height };
    double sums[CHANNELS][TERMS][TERMS] = { { { 0 } } };
    find_mean(&self);
    fill_cosines(self.across, width);
    fill_cosines(self.down, height);
    transform(&self, sums);

    int most = self.alpha ? 5 : 7, longest = width > height ? width : height; /* fewer terms of brightness where alpha needs room */
    int across = whole((double)most * width / longest), down = whole((double)most * height / longest);
    across = across < 1 ? 1 : across;
    down = down < 1 ? 1 : down;
    terms l = pick(&self, sums[0], across < 3 ? 3 : across, down < 3 ? 3 : down), p = pick(&self, sums[1], 3, 3), q = pick(&self, sums[2], 3, 3);
    bool landscape = width > height;
    unsigned first = (unsigned)whole(63 * l.constant) | (unsigned)whole(31.5 + 31.5 * p.constant) << 6 |
                     (unsigned)whole(31.5 + 31.5 * q.constant) << 12 | (unsigned)whole(31 * l.scale) << 18 | (unsigned)self.alpha << 23;
    unsigned second = (unsigned)(landscape ? down : across) | (unsigned)whole(63 * p.scale) << 3 | (unsigned)whole(63 * q.scale) << 9 |
                      (unsigned)landscape << 15;
    uint8_t header[] = { (uint8_t)first, (uint8_t)(first >> 8), (uint8_t)(first >> 16), (uint8_t)second, (uint8_t)(second >> 8) };
    for (size_t i = 0; i < sizeof header; i++)
        hash[i] = header[i];
    nibbles out = { hash + sizeof header + self.alpha, 0 };
    write_others(&out, &l);
    write_others(&out, &p);
    write_others(&out, &q);
    if (self.alpha) {
        terms a = pick(&self, sums[3], 5, 5);
        hash[sizeof header] = (uint8_t)(whole(15 * a.constant) | whole(15 * a.scale) << 4);
        write_others(&out, &a);
    }
    return sizeof header + self.alpha + (size_t)(out.count + 1) / 2;
}
