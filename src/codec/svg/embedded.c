/* As much of base 64 is undone as it takes to come to the size: of a PNG the first bytes, of a JPEG the markers up to the frame's. */
#include "codec/svg/embedded.h"

#include <string.h>

#include "codec/big_endian.h"
#include "codec/formats.h"

enum { HEAD_BYTES = 24 };

typedef struct stream {
    const char *at;
    uint32_t bits;
    int count;
} stream;

static int digit_of(char letter)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = letter ? strchr(digits, letter) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* The next byte; -1 at the end. What is not a digit is passed over: line ends. */
static int next_byte(stream *self)
{
    while (self->count < 8) {
        if (!*self->at || *self->at == '=')
            return -1;
        int digit = digit_of(*self->at++);
        if (digit < 0)
            continue;
        self->bits = self->bits << 6 | (uint32_t)digit;
        self->count += 6;
    }
    self->count -= 8;
    return (int)(self->bits >> self->count & 255);
}

static int next_16(stream *self)
{
    int high = next_byte(self), low = next_byte(self);
    return low < 0 ? -1 : high << 8 | low;
}

/* T.81 B.1.1.3: frames are C0 to CF without DHT, JPG and DAC. */
static bool is_frame(int marker) { return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc; }

static px_status judge_jpeg(stream *self, const px_limits *limits, px_error *err)
{
    for (int byte = next_byte(self); byte >= 0; byte = next_byte(self)) {
        int marker = byte == 0xff ? next_byte(self) : 0;
        while (marker == 0xff)
            marker = next_byte(self);
        if (marker < 0xc0 || marker == 0xd8)
            continue;
        int count = next_16(self);
        if (is_frame(marker)) {
            next_byte(self);
            int height = next_16(self), width = next_16(self);
            return width > 0 && height > 0 ? px_judge_size(limits, (uint32_t)width, (uint32_t)height, err) : PX_OK;
        }
        for (int i = 2; i < count; i++)
            if (next_byte(self) < 0)
                return PX_OK;
    }
    return PX_OK;
}

px_status px_svg_judge_embedded(const char *address, const px_limits *limits, px_error *err)
{
    const char *comma = strncmp(address, "data:", 5) == 0 ? strchr(address, ',') : NULL;
    if (!comma)
        return PX_OK;
    stream self = { .at = comma + 1 }, again = self;
    uint8_t head[HEAD_BYTES];
    for (int i = 0; i < HEAD_BYTES; i++) {
        int byte = next_byte(&self);
        if (byte < 0)
            return PX_OK;
        head[i] = (uint8_t)byte;
    }
    px_bytes first = { head, sizeof head };
    if (px_png_is(first))
        return px_judge_size(limits, px_get_32(head + 16), px_get_32(head + 20), err);
    return px_jpeg_is(first) ? judge_jpeg(&again, limits, err) : PX_OK;
}
