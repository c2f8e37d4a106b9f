/* alpha.h - sums with alpha, in 8 bits, rounded to the nearest. Others get it by codec.h. */
#ifndef PX_CODEC_ALPHA_H
#define PX_CODEC_ALPHA_H

#include <stdint.h>

/* A product of two samples, brought back to one. */
static inline unsigned px_over_255(unsigned value) { return (value + 127) / 255; }

/* A premultiplied sample, straight; more than 255 where it was more than its alpha. */
static inline unsigned px_divide_by(unsigned alpha, unsigned value) { return alpha == 0 ? 0 : (value * 255 + alpha / 2) / alpha; }

/* Interleaved pixels whose last channel is alpha. The two rows may be one. Of every pixel of a source, so in vectors: alpha.c. */
void px_premultiply(const uint8_t *row, int width, int channels, uint8_t *target);

/* The same in plain C: the specification. */
static inline void px_premultiply_plain(const uint8_t *row, int width, int channels, uint8_t *target)
{
    for (int x = 0; x < width; x++, row += channels, target += channels) {
        unsigned alpha = row[channels - 1];
        for (int c = 0; c < channels - 1; c++)
            target[c] = (uint8_t)px_over_255(row[c] * alpha);
        target[channels - 1] = (uint8_t)alpha;
    }
}

static inline void px_straighten(const uint8_t *row, int width, int channels, uint8_t *target)
{
    for (int x = 0; x < width; x++, row += channels, target += channels) {
        unsigned alpha = row[channels - 1];
        for (int c = 0; c < channels - 1; c++) {
            unsigned value = px_divide_by(alpha, row[c]);
            target[c] = (uint8_t)(value > 255 ? 255 : value);
        }
        target[channels - 1] = (uint8_t)alpha;
    }
}

#endif
