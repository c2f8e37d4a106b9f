/* lzw.h - the compression inside GIF (GIF89a, appendix F): codes of up to 12 bits, packed into sub-blocks of up to 255
 * bytes. Private to src/codec/gif. */
#ifndef PX_CODEC_GIF_LZW_H
#define PX_CODEC_GIF_LZW_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/status.h"

enum { PX_LZW_CODES = 4096 };

typedef struct px_unlzw {
    px_bytes bytes;         /* borrowed; the file, `at` is in it */
    size_t at;
    int block_left;         /* bytes of the sub-block */
    uint32_t bits;          /* not yet taken, lowest first */
    int bit_count;
    int root_bits, width;   /* of a code: at first, and now */
    int next;               /* code that the next string gets */
    int last;               /* code before, -1 after a clear */
    uint16_t prefix[PX_LZW_CODES], length[PX_LZW_CODES];
    uint8_t suffix[PX_LZW_CODES], first[PX_LZW_CODES];
    uint8_t pending[PX_LZW_CODES];  /* one string; what of it has not been pulled */
    int pending_at, pending_count;
} px_unlzw;

/* Begins at the byte that says how many bits the pixels have. Its value is judged. */
PX_CHECKED px_status px_unlzw_init(px_unlzw *self, px_bytes bytes, size_t at, px_error *err);

/* The next `count` pixels. PX_CORRUPT_IMAGE where the data ends before them, PX_TRUNCATED_IMAGE where the file does. */
PX_CHECKED px_status px_unlzw_pull(px_unlzw *self, uint8_t *target, size_t count, px_error *err);

/* Writes pixels of `bits` bits (1 to 8), with their sub-blocks and the empty one that ends them. `table` is room for PX_LZW_TABLE
 * entries. */
enum { PX_LZW_TABLE = 1 << 14 };
void px_lzw_write(px_buffer *out, const uint8_t *pixels, size_t count, int bits, uint32_t *table);

#endif
