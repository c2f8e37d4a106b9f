/* big_endian.h - numbers as PNG and the boxes of ISO files hold them: highest byte first. Private to src/codec. */
#ifndef PX_CODEC_BIG_ENDIAN_H
#define PX_CODEC_BIG_ENDIAN_H

#include <stdint.h>

static inline uint32_t px_get_16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }
static inline uint32_t px_get_32(const uint8_t *at) { return px_get_16(at) << 16 | px_get_16(at + 2); }
static inline uint64_t px_get_64(const uint8_t *at) { return (uint64_t)px_get_32(at) << 32 | px_get_32(at + 4); }

static inline void px_put_16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void px_put_32(uint8_t *at, uint32_t value)
{
    px_put_16(at, value >> 16);
    px_put_16(at + 2, value);
}

#endif
