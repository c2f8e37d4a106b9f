/* PNG in, the last step: pixels as stored to pixels as the header's model and alpha have them. */
#include <string.h>

#include "codec/png/read.h"

static unsigned sample_of(const px_png_decoder *self, const uint8_t *raw, size_t index)
{
    if (self->depth == 8)
        return raw[index];
    if (self->depth == 16)
        return (unsigned)(raw[2 * index] << 8 | raw[2 * index + 1]);
    unsigned bit = (unsigned)index * (unsigned)self->depth;
    return (unsigned)(raw[index * (size_t)self->depth / 8] >> (8 - (unsigned)self->depth - bit % 8)) &
           ((1u << self->depth) - 1);
}

int px_png_channels(const px_png_decoder *self)
{
    return px_channels(self->base.header.model, self->base.header.alpha);
}

size_t px_png_pixel_bytes(const px_png_decoder *self) { return (size_t)px_png_channels(self) * (self->base.wants_deep ? 2 : 1); }

/* As px_png_expand, with 16 bits in the machine's order. Such a file has no palette. */
static void expand_deep(const px_png_decoder *self, const uint8_t *raw, size_t x, uint8_t *pixel)
{
    uint16_t samples[4];
    int channels = self->file_channels;
    bool is_key = self->has_key;
    for (int c = 0; c < channels; c++) {
        samples[c] = (uint16_t)sample_of(self, raw, x * (size_t)channels + (size_t)c);
        is_key = is_key && samples[c] == self->key[c];
    }
    if (self->has_key)
        samples[channels] = is_key ? 0 : 0xffff;
    memcpy(pixel, samples, px_png_pixel_bytes(self));
}

static uint8_t to_8_bits(unsigned value, int depth)
{
    unsigned most = (1u << depth) - 1;
    return (uint8_t)((value * 255 + most / 2) / most);
}

void px_png_expand(const px_png_decoder *self, const uint8_t *raw, size_t x, uint8_t *pixel)
{
    if (self->base.wants_deep) {
        expand_deep(self, raw, x, pixel);
        return;
    }
    if (self->colour_type == PX_PNG_PALETTE) {
        memcpy(pixel, self->palette[sample_of(self, raw, x)], self->base.header.alpha == PX_OPAQUE ? 3 : 4);
        return;
    }
    bool is_key = self->has_key;
    int channels = self->file_channels;
    for (int c = 0; c < channels; c++) {
        unsigned value = sample_of(self, raw, x * (size_t)channels + (size_t)c);
        is_key = is_key && value == self->key[c];
        pixel[c] = to_8_bits(value, self->depth);
    }
    if (self->base.header.alpha != PX_OPAQUE && channels % 2) /* which the file's pixels have not */
        pixel[channels] = is_key ? 0 : 255;
}
