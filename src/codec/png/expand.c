/* PNG in, the last step: rows as stored to rows as the header's model and alpha have them. One function for each kind of file, chosen once;
 * samples of less than 8 bits become bytes first, and go on as those. */
#include <string.h>

#include "codec/png/read.h"

int px_png_channels(const px_png_decoder *self)
{
    return px_channels(self->base.header.model, self->base.header.alpha);
}

size_t px_png_pixel_bytes(const px_png_decoder *self) { return (size_t)px_png_channels(self) * (self->base.wants_deep ? 2 : 1); }

static inline unsigned get_16(const uint8_t *at) { return (unsigned)(at[0] << 8 | at[1]); }

/* Rounded to the nearest: (value * 255 + 32767) / 65535, without the division. */
static inline uint8_t to_8_bits(unsigned value) { return (uint8_t)((value * 255 + 32895) >> 16); }

/* 16 bits in the machine's order. Such a file has no palette. */
static void expand_deep(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row)
{
    size_t channels = (size_t)self->file_channels, out = channels + self->has_key;
    for (size_t x = 0; x < width; x++, raw += 2 * channels, row += 2 * out) {
        uint16_t samples[4];
        bool is_key = self->has_key;
        for (size_t c = 0; c < channels; c++) {
            samples[c] = (uint16_t)get_16(raw + 2 * c);
            is_key = is_key && samples[c] == self->key[c];
        }
        if (self->has_key)
            samples[channels] = is_key ? 0 : 0xffff;
        memcpy(row, samples, 2 * out);
    }
}

/* 16 bits to 8, as many samples as there are. */
static void narrow(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row)
{
    size_t count = width * (size_t)self->file_channels;
    for (size_t i = 0; i < count; i++)
        row[i] = to_8_bits(get_16(raw + 2 * i));
}

/* Likewise, of a file without alpha whose output has some: of one colour, or of none. */
static void narrow_to_alpha(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row)
{
    size_t channels = (size_t)self->file_channels;
    for (size_t x = 0; x < width; x++, raw += 2 * channels) {
        bool is_key = self->has_key;
        for (size_t c = 0; c < channels; c++) {
            is_key = is_key && get_16(raw + 2 * c) == self->key[c];
            *row++ = to_8_bits(get_16(raw + 2 * c));
        }
        *row++ = is_key ? 0 : 255;
    }
}

/* The same for 8 bits, and for fewer that are bytes by now; those are `scale` apart. */
static inline void add_alpha(const px_png_decoder *self, const uint8_t *raw, size_t width, size_t channels, unsigned scale, uint8_t *row)
{
    for (size_t x = 0; x < width; x++, raw += channels) {
        bool is_key = self->has_key;
        for (size_t c = 0; c < channels; c++) {
            is_key = is_key && raw[c] == self->key[c];
            *row++ = (uint8_t)(raw[c] * scale);
        }
        *row++ = is_key ? 0 : 255;
    }
}

static void add_alpha_to_grey(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row)
{
    add_alpha(self, raw, width, 1, 1, row);
}

static void add_alpha_to_colour(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row)
{
    add_alpha(self, raw, width, 3, 1, row);
}

/* Samples of less than 8 bits, leftmost highest (7.2), to a byte each. */
static inline void unpack_by(const uint8_t *raw, size_t width, unsigned depth, uint8_t *target)
{
    unsigned most = (1u << depth) - 1, in_byte = 8 / depth;
    for (; width >= in_byte; width -= in_byte, raw++)
        for (unsigned k = in_byte; k-- > 0;)
            *target++ = (uint8_t)(*raw >> (k * depth) & most);
    for (unsigned k = in_byte; width > 0; width--)
        *target++ = (uint8_t)(*raw >> (--k * depth) & most);
}

static const uint8_t *unpack(const px_png_decoder *self, const uint8_t *raw, size_t width)
{
    switch (self->depth) {
    case 1: unpack_by(raw, width, 1, self->unpacked); break;
    case 2: unpack_by(raw, width, 2, self->unpacked); break;
    case 4: unpack_by(raw, width, 4, self->unpacked); break;
    default: return raw;
    }
    return self->unpacked;
}

static void expand_grey(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row)
{
    const uint8_t *values = unpack(self, raw, width);
    unsigned scale = 255 / ((1u << self->depth) - 1);
    for (size_t x = 0; x < width; x++)
        row[x] = (uint8_t)(values[x] * scale);
}

static void expand_grey_to_alpha(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row)
{
    add_alpha(self, unpack(self, raw, width), width, 1, 255 / ((1u << self->depth) - 1), row);
}

/* Four bytes are written also where three count: what comes next lies over the fourth. */
static inline void look_up(const px_png_decoder *self, const uint8_t *raw, size_t width, size_t channels, uint8_t *row)
{
    const uint8_t *indices = unpack(self, raw, width);
    for (size_t x = 0; x < width; x++)
        memcpy(row + x * channels, self->palette[indices[x]], 4);
}

static void look_up_colours(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row)
{
    look_up(self, raw, width, 3, row);
}

static void look_up_alpha(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row)
{
    look_up(self, raw, width, 4, row);
}

px_png_expansion px_png_choose_expansion(const px_png_decoder *self)
{
    bool opaque = self->base.header.alpha == PX_OPAQUE, grows = self->file_channels != px_png_channels(self);
    if (self->base.wants_deep)
        return expand_deep;
    if (self->colour_type == PX_PNG_PALETTE)
        return opaque ? look_up_colours : look_up_alpha;
    if (self->depth == 16)
        return grows ? narrow_to_alpha : narrow;
    if (self->depth < 8)
        return grows ? expand_grey_to_alpha : expand_grey;
    if (!grows)
        return NULL;
    return self->file_channels == 1 ? add_alpha_to_grey : add_alpha_to_colour;
}
