/* huffman.h - codes of a JPEG's scans, as tables that are looked up by the next bits (T.81 annex C, F.2.2). Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_HUFFMAN_H
#define PX_CODEC_JPEG_HUFFMAN_H

#include "codec/jpeg/bits.h"

enum {
    PX_JPEG_CODE_BITS = 10,
    PX_JPEG_SKIP_BITS = 12,
    PX_JPEG_STEP_BITS = 28, /* the most that one entry takes: of 56 bits, two can be taken without a refill */
    PX_JPEG_NOWHERE = 255,    /* how far an entry of `skip` goes that says nothing */
    PX_JPEG_BLOCK_ENDS = 128, /* added to how far an entry goes, if the block ends with it */
};

/* As a DHT marker has it. */
typedef struct px_jpeg_codes {
    bool there;
    uint32_t number;    /* among the tables of its file, from 1 */
    uint8_t counts[17]; /* by length; [0] is not used */
    uint8_t values[256];
} px_jpeg_codes;

typedef struct px_jpeg_huffman {
    /* A code and the amplitude behind it. 0: longer, or none. Bits 0-5: how many bits both take; 8-15: how far it goes among
     * the coefficients; 16-20: the code's length; 24-27: the amplitude's. */
    uint32_t code[1 << PX_JPEG_CODE_BITS];

    /* As many codes with amplitudes as those bits begin, for coefficients that nobody wants; the last one's amplitude may end behind
     * them. Bits 0-5 and 8-15 as above, all codes together. Not of codes for DC. Where not one code is so: no bits, and as far as no block goes. */
    uint16_t skip[1 << PX_JPEG_SKIP_BITS];

    uint32_t ends[17];  /* by length: the first 16 bits that are behind all codes so long */
    int first[17];      /* by length: add to a code for its place in values */
    uint8_t values[256];
    uint32_t made;      /* of which codes, for who makes it */
} px_jpeg_huffman;

/* What codes are for: differences of DC; coefficients of sequential scans; those of progressive ones, where a block's end may stand for
 * many and the bits behind it say for how many. */
typedef enum px_jpeg_use { PX_JPEG_DC, PX_JPEG_AC, PX_JPEG_BAND } px_jpeg_use;

/* False if no such codes can be. */
bool px_jpeg_huffman_make(const px_jpeg_codes *codes, px_jpeg_use use, px_jpeg_huffman *ret);

/* The entry of a code that is longer than `code` looks at, which it takes, as if the code had no length; 0: there is none. Refills. */
uint32_t px_jpeg_long_code(const px_jpeg_huffman *huffman, px_jpeg_use use, px_jpeg_bits *bits);

#endif
