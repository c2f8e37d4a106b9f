/* One pass over the picture, channel by channel of a pixel. */
#include "image/content.h"

#include <stdbool.h>
#include <stddef.h>

double px_content_flat(const uint8_t *samples, int width, int height, int channels)
{
    size_t stride = (size_t)width * (size_t)channels, step = (size_t)channels;
    uint64_t flat = 0;
    for (int y = 1; y < height; y++) {
        const uint8_t *row = samples + (size_t)y * stride, *above = row - stride;
        for (size_t at = step; at < stride; at += step) {
            unsigned differs = 0;
            for (size_t c = at; c < at + step; c++)
                differs |= (unsigned)(row[c] ^ row[c - step]) | (unsigned)(row[c] ^ above[c]);
            flat += differs == 0;
        }
    }
    uint64_t looked_at = (uint64_t)(width - 1) * (uint64_t)(height - 1);
    return looked_at ? (double)flat / (double)looked_at : 0;
}
