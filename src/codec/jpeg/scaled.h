/* scaled.h - our own decoder of JPEG, for what nearly all of them are: Huffman codes, 8 bits, grey or Y, Cb, Cr.
 *
 * It decodes each component at a scale of its own, N/8 for N from 1 to 8, from the lowest N×N frequencies of each block, and takes no more of
 * the others than it must to find the next block. Gives planes, or lines of grey. Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_SCALED_H
#define PX_CODEC_JPEG_SCALED_H

#include "codec/jpeg/huffman.h"

enum { PX_JPEG_COMPONENTS = 3, PX_JPEG_MCU_BLOCKS = 10 };

/* A scan, as its header says. */
typedef struct px_jpeg_scan {
    int count;
    int components[PX_JPEG_COMPONENTS]; /* by their places in the frame */
    int dc[PX_JPEG_COMPONENTS], ac[PX_JPEG_COMPONENTS]; /* tables, likewise in the scan's order */
    int first, last, high, low;         /* the band of coefficients and their bits */
} px_jpeg_scan;

/* All that was said up to the first scan's data. */
typedef struct px_jpeg_frame {
    int width, height; /* pixels */
    bool progressive;
    int count;         /* components: 1 or 3 */
    int across[PX_JPEG_COMPONENTS], down[PX_JPEG_COMPONENTS]; /* blocks in an MCU */
    int ids[PX_JPEG_COMPONENTS];                              /* as heads of scans name them */
    int quant[PX_JPEG_COMPONENTS];                            /* tables */
    bool has_steps[4];
    uint16_t steps[4][64]; /* tables of quantisation, row by row */
    px_jpeg_codes dc[4], ac[4];
    int restart;           /* MCUs between restart markers; 0: none */
    px_jpeg_scan scan;     /* the first */
    uint64_t offset;       /* of its data, in the source */
    uint64_t metadata_bytes; /* so far */
} px_jpeg_frame;

typedef struct px_jpeg_scaled px_jpeg_scaled;

/* Is it one of those? Judged from all that the frame says. */
bool px_jpeg_scaled_can(const px_jpeg_frame *frame);

/* Bytes of memory, for those scales. Pure. */
uint64_t px_jpeg_scaled_memory(const px_jpeg_frame *frame, const px_plane_size *sizes);

/* `sizes` has one for each component. Source and limits are borrowed until destroy. */
PX_CHECKED px_status px_jpeg_scaled_create(const px_jpeg_frame *frame, const px_plane_size *sizes, const px_source *source,
                                           const px_limits *limits, px_jpeg_scaled **ret, px_error *err);
void px_jpeg_scaled_destroy(px_jpeg_scaled *self); /* NULL is accepted */

/* What came ready next: of three components the lines of one row of MCUs, of grey one line. */
PX_CHECKED px_status px_jpeg_scaled_pull(px_jpeg_scaled *self, px_row *ret, px_error *err);

/* Did the source end early? Where the limits accept that, it is no failure. */
bool px_jpeg_scaled_truncated(const px_jpeg_scaled *self);

#endif
