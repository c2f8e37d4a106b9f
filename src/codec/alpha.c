/* Premultiplying in GCC vector extensions, a pixel of four channels in 32 bits and one of two in 16, the lowest byte first. Baseline will do:
 * all that it needs is there. */
#include "codec/alpha.h"

#include <string.h>

typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "alpha is taken from a pixel's highest bits");

/* px_over_255 without the division: exact for all that two samples multiply to. */
static inline u16x8 over_255(u16x8 value)
{
    value += 127;
    return (value + 1 + (value >> 8)) >> 8;
}

static inline u32x4 premultiply_colour(u32x4 pixels)
{
    u32x4 alpha = pixels >> 24, even = pixels & 0xff00ff, odd = pixels >> 8 & 0xff00ff;
    even = (u32x4)over_255((u16x8)even * (u16x8)(alpha | alpha << 16));
    odd = (u32x4)over_255((u16x8)odd * (u16x8)(alpha | 255 << 16)); /* alpha itself stays */
    return even | odd << 8;
}

static inline u16x8 premultiply_grey(u16x8 pixels)
{
    u16x8 alpha = pixels >> 8;
    return over_255((pixels & 255) * alpha) | alpha << 8;
}

void px_premultiply(const uint8_t *row, int width, int channels, uint8_t *target)
{
    int x = 0, step = 16 / channels;
    for (; (channels == 2 || channels == 4) && x + step <= width; x += step, row += 16, target += 16) {
        if (channels == 4) {
            u32x4 pixels;
            memcpy(&pixels, row, sizeof pixels);
            pixels = premultiply_colour(pixels);
            memcpy(target, &pixels, sizeof pixels);
        } else {
            u16x8 pixels;
            memcpy(&pixels, row, sizeof pixels);
            pixels = premultiply_grey(pixels);
            memcpy(target, &pixels, sizeof pixels);
        }
    }
    px_premultiply_plain(row, width - x, channels, target);
}
