/* A binomial neighbourhood of 3 x 3 (1 2 1 both ways), in a ring of three rows; borders repeat.
 *
 * A premultiplied sample falls towards a transparent neighbour although its colour does not change. Sharpening that fall would
 * darken the edge, so a pixel is compared with its neighbourhood's mean colour at its own alpha: where the colour is even,
 * nothing happens, whatever alpha does. Alpha itself stays. */
#include "image/sharpen.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 3, SUM = 16 /* of the weights */ };

struct px_sharpen {
    px_sharpen_spec spec;
    uint8_t *ring;      /* owned; RING rows */
    uint8_t *row;       /* owned; what pull gives */
    uint16_t *down;     /* owned; a row summed down, one pixel more at each side */
    int pushed, pulled; /* rows */
};

static size_t row_bytes(int width, int channels) { return (size_t)width * (size_t)channels; }

uint64_t px_sharpen_memory(int width, int channels)
{
    return sizeof(px_sharpen) + row_bytes(width, channels) * (RING + 1) + row_bytes(width + 2, channels) * sizeof(uint16_t);
}

px_status px_sharpen_create(const px_sharpen_spec *spec, px_sharpen **ret, px_error *err)
{
    assert(spec->width > 0 && spec->height > 0 && spec->channels >= 1 && spec->channels <= 4);
    px_sharpen *self = calloc(1, sizeof *self);
    if (self) {
        *self = (px_sharpen){ .spec = *spec, .ring = malloc(row_bytes(spec->width, spec->channels) * RING),
                              .row = malloc(row_bytes(spec->width, spec->channels)),
                              .down = malloc(row_bytes(spec->width + 2, spec->channels) * sizeof *self->down) };
    }
    if (!self || !self->ring || !self->row || !self->down) {
        px_sharpen_destroy(self);
        return px_fail(err, PX_OUT_OF_MEMORY, "no room to sharpen rows of %d pixels", spec->width);
    }
    *ret = self;
    return PX_OK;
}

void px_sharpen_destroy(px_sharpen *self)
{
    if (!self)
        return;
    free(self->ring);
    free(self->row);
    free(self->down);
    free(self);
}

void px_sharpen_restart(px_sharpen *self) { self->pushed = self->pulled = 0; }

static uint8_t *ring_row(const px_sharpen *self, int y)
{
    int last = self->spec.height - 1, at = y < 0 ? 0 : y > last ? last : y;
    return self->ring + (size_t)(at % RING) * row_bytes(self->spec.width, self->spec.channels);
}

void px_sharpen_push(px_sharpen *self, const uint8_t *row)
{
    assert(self->pushed < self->spec.height);
    memcpy(ring_row(self, self->pushed++), row, row_bytes(self->spec.width, self->spec.channels));
}

/* Row y with its neighbours, 1 2 1, and the border pixels once more. */
static void sum_down(px_sharpen *self, int y)
{
    size_t channels = (size_t)self->spec.channels, samples = row_bytes(self->spec.width, self->spec.channels);
    const uint8_t *above = ring_row(self, y - 1), *here = ring_row(self, y), *below = ring_row(self, y + 1);
    uint16_t *down = self->down + channels;
    for (size_t i = 0; i < samples; i++)
        down[i] = (uint16_t)(above[i] + 2 * here[i] + below[i]);
    memcpy(self->down, down, channels * sizeof *down);
    memcpy(down + samples, down + samples - channels, channels * sizeof *down);
}

/* A difference in sixteenths, times the strength, rounded to the nearest. */
static int enhance(int difference, int strength)
{
    int value = difference * strength, half = SUM * 100 / 2;
    return (value + (value < 0 ? -half : half)) / (SUM * 100);
}

static void sharpen_row(const px_sharpen *self, const uint8_t *here, uint8_t *target)
{
    int channels = self->spec.channels, colours = channels - self->spec.alpha;
    const uint16_t *down = self->down + channels;
    for (int x = 0; x < self->spec.width; x++, here += channels, target += channels, down += channels) {
        int alpha = 255, around = SUM;
        if (self->spec.alpha) {
            alpha = target[colours] = here[colours];
            around = down[colours - channels] + 2 * down[colours] + down[colours + channels];
        }
        for (int c = 0; c < colours; c++) {
            int mean = down[c - channels] + 2 * down[c] + down[c + channels];
            if (self->spec.alpha)
                mean = around ? (mean * alpha * SUM + around / 2) / around : 0; /* that colour at this alpha */
            int value = here[c] + enhance(here[c] * SUM - mean, self->spec.strength);
            target[c] = (uint8_t)(value < 0 ? 0 : value > alpha ? alpha : value);
        }
    }
}

uint8_t *px_sharpen_pull(px_sharpen *self)
{
    int y = self->pulled;
    if (y == self->spec.height || self->pushed < (y + 2 < self->spec.height ? y + 2 : self->spec.height))
        return NULL;
    sum_down(self, y);
    sharpen_row(self, ring_row(self, y), self->row);
    self->pulled++;
    return self->row;
}
