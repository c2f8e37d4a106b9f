/* code.h - Huffman codes made for a picture, and bits on their way out. Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_CODE_H
#define PX_CODEC_JPEG_CODE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/status.h"

/* ---- codes ---- */

typedef struct px_jpeg_code {
    uint8_t lengths[17];   /* how many codes there are of each length */
    uint8_t symbols[256];  /* in the order of their codes */
    int count;
    uint32_t words[256];   /* of each symbol: its code, shifted left by 5, and the code's length; 0: it has none */
} px_jpeg_code;

/* The code of the fewest bits for symbols that occur so often, as T.81 K.2 has it: no longer than 16, none of ones only. */
void px_jpeg_code_make(const uint64_t counts[256], px_jpeg_code *ret);

/* Bits that the symbols take, without what follows them. */
uint64_t px_jpeg_code_bits(const px_jpeg_code *code, const uint64_t counts[256]);

/* The size of a coefficient in T.81's sense: bits of its magnitude. */
static inline int px_jpeg_size(int value)
{
    unsigned magnitude = (unsigned)(value < 0 ? -value : value);
    return 31 - __builtin_clz(magnitude << 1 | 1);
}

/* The bits that follow its symbol (T.81 F.1.2.1). */
static inline uint32_t px_jpeg_extra(int value, int size) { return (uint32_t)(value - (value < 0)) & ((1u << size) - 1); }

/* ---- bytes and bits out ---- */

enum { PX_JPEG_OUT_BYTES = 64 << 10, PX_JPEG_SCAN_BYTES = 8 << 10, PX_JPEG_SCAN_SPARE = 4 << 10 };

/* Where bits of a scan go; what writes many keeps it as a local, so that it stays in registers. */
typedef struct px_jpeg_bits {
    uint64_t bits; /* the lowest `count` of it, at most 7, are not bytes yet; those above are old */
    int count;
    uint8_t *at;   /* behind the bytes that are whole */
} px_jpeg_bits;

typedef struct px_jpeg_out {
    int fd;           /* borrowed */
    uint64_t written; /* bytes that are out */
    size_t count;     /* bytes that wait */
    px_jpeg_bits bits;
    uint8_t scan[PX_JPEG_SCAN_BYTES + PX_JPEG_SCAN_SPARE]; /* bytes of bits, before a 0 is put behind every 0xff (T.81 F.1.2.3) */
    uint8_t bytes[PX_JPEG_OUT_BYTES];
} px_jpeg_out;

void px_jpeg_out_init(px_jpeg_out *out, int fd);
PX_CHECKED px_status px_jpeg_out_bytes(px_jpeg_out *out, const void *data, size_t count, px_error *err);
PX_CHECKED px_status px_jpeg_out_code(px_jpeg_out *out, int kind, int number, const px_jpeg_code *code, px_error *err); /* DHT; kind 1: AC */
PX_CHECKED px_status px_jpeg_out_finish(px_jpeg_out *out, px_error *err);

/* Moves a scan's bytes on; once for all bits that are put of at most PX_JPEG_SCAN_SPARE - 8 bytes. */
PX_CHECKED px_status px_jpeg_out_move(px_jpeg_out *out, px_error *err);

static inline PX_CHECKED px_status px_jpeg_out_flush(px_jpeg_out *out, px_error *err)
{
    return out->bits.at - out->scan >= PX_JPEG_SCAN_BYTES ? px_jpeg_out_move(out, err) : PX_OK;
}

/* Ends a scan: ones up to the next whole byte. */
PX_CHECKED px_status px_jpeg_out_pad(px_jpeg_out *out, px_error *err);

/* At most 32 bits; those above `count` have to be 0. Eight bytes are stored each time, so that nothing depends on what is full. */
static inline void px_jpeg_bits_put(px_jpeg_bits *to, uint32_t bits, int count)
{
    to->bits = to->bits << count | bits;
    to->count += count;
    uint64_t word = to->bits << (63 - to->count) << 1;
    uint8_t eight[8];
    for (int i = 0; i < 8; i++)
        eight[i] = (uint8_t)(word >> (56 - 8 * i));
    memcpy(to->at, eight, sizeof eight);
    to->at += to->count >> 3;
    to->count &= 7;
}

#endif
