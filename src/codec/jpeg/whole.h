/* whole.h - all coefficients of a picture, for an encoder that thinks about them: effort high. Two bytes each, and one bit.
 *
 * First they are as the DCT gives them, eight times as big as T.81's; px_jpeg_trellis divides them; px_jpeg_scans_write writes them.
 * Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_WHOLE_H
#define PX_CODEC_JPEG_WHOLE_H

#include "codec/jpeg/forward.h"
#include "codec/jpeg/head.h"

typedef struct px_jpeg_whole {
    const px_jpeg_frame *frame;   /* borrowed */
    int16_t (*blocks[3])[64];     /* owned, all by the first; in zigzag order, row by row of blocks that hold something of the picture */
    uint64_t *nonzero[3];         /* likewise; a bit for each coefficient of AC that is not 0, once they are divided */
} px_jpeg_whole;

uint64_t px_jpeg_whole_memory(const px_jpeg_frame *frame); /* bytes, without the struct */
PX_CHECKED px_status px_jpeg_whole_create(const px_jpeg_frame *frame, px_jpeg_whole *ret, px_error *err);
void px_jpeg_whole_destroy(px_jpeg_whole *whole);

static inline size_t px_jpeg_block_count(const px_jpeg_frame *frame, int plane) { return (size_t)frame->across[plane] * (size_t)frame->down[plane]; }

/* Divides all coefficients: to those that take the fewest bits for what they lose (trellis.c). */
void px_jpeg_trellis(px_jpeg_whole *whole);

/* How the scans are cut. */
typedef struct px_jpeg_plan {
    bool progressive;
    int dc_low;            /* bits of DC that come later, 0 to 1 */
    int low[3], split[3];  /* of each plane: bits that come later, 0 to PX_JPEG_LOW_MAX; the last coefficient of its first band, 63: it has one */
} px_jpeg_plan;

enum { PX_JPEG_LOW_MAX = 2 };

/* That of the fewest bytes: progressive, or the one scan of a baseline JPEG. Pure. */
px_jpeg_plan px_jpeg_scans_plan(const px_jpeg_whole *whole);

/* From tables of codes to the last bit. The head says whether it is progressive. */
PX_CHECKED px_status px_jpeg_scans_write(const px_jpeg_whole *whole, const px_jpeg_plan *plan, px_jpeg_out *out, px_error *err);

#endif
