/* tokens.h - a picture's coefficients, kept until its Huffman codes are known, and then written as the one scan of a baseline JPEG.
 *
 * A block is kept as T.81 F.1.2 writes it, two bytes for what takes one symbol: a value and how many zeros stand before it. That is
 * a fifth of the coefficients' own bytes at quality 80, and never more than 65 of 64. Occurrences are counted while they are kept, so
 * that writing is one pass. Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_TOKENS_H
#define PX_CODEC_JPEG_TOKENS_H

#include "codec/jpeg/code.h"
#include "codec/jpeg/forward.h"

enum { PX_JPEG_UNIT_BLOCKS = 6 /* of a unit (MCU), at most */, PX_JPEG_BLOCK_TOKENS = 65 };

typedef struct px_jpeg_tokens px_jpeg_tokens;

/* Units have `count` blocks, of which the i-th uses codes `tables[i]`: 0 or 1. NULL: no room. */
px_jpeg_tokens *px_jpeg_tokens_create(const uint8_t *tables, int count);
uint64_t px_jpeg_tokens_memory(uint64_t units, unsigned unit_blocks); /* bytes, at most */
void px_jpeg_tokens_destroy(px_jpeg_tokens *tokens);

/* A block of a unit, in the scan's order: the group's `block`, whose DC differs so from the one before it. */
void px_jpeg_tokens_add(px_jpeg_tokens *tokens, int table, const px_jpeg_group *group, int block, int difference);

/* One without AC. */
void px_jpeg_tokens_add_flat(px_jpeg_tokens *tokens, int table, int difference);

/* Before each unit. */
PX_CHECKED px_status px_jpeg_tokens_next(px_jpeg_tokens *tokens, px_error *err);

/* The codes: [table][0: DC, 1: AC]. */
void px_jpeg_tokens_codes(const px_jpeg_tokens *tokens, px_jpeg_code codes[2][2]);

/* All units. */
PX_CHECKED px_status px_jpeg_tokens_write(const px_jpeg_tokens *tokens, px_jpeg_code codes[2][2], px_jpeg_out *out, px_error *err);

#endif
