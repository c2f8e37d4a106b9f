/* head.h - what a JPEG says before its pixels: how planes are cut into blocks, what they are divided by, and the markers that say so.
 * Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_HEAD_H
#define PX_CODEC_JPEG_HEAD_H

#include "codec/codec.h"
#include "codec/jpeg/code.h"

typedef struct px_jpeg_frame {
    int width, height;   /* pixels */
    int planes;          /* 1: grey */
    int unit;            /* blocks of Y across and down for one of Cb and Cr: 2 with halved chroma, otherwise 1 */
    int units_across, units_down;
    int across[3], down[3]; /* blocks that hold something of the picture */
    bool progressive;
    uint8_t steps[2][64]; /* what coefficients are divided by: of Y, and of Cb and Cr; in the order of rows and columns */
} px_jpeg_frame;

/* For quality 1 to 100: T.81's tables of annex K, scaled as libjpeg does it; with effort high a table of our own. Pure. */
px_jpeg_frame px_jpeg_frame_of(const px_encoder_spec *spec);

/* How a plane is to be found in the scan: a unit's blocks are `unit` across and down in the first, one in the others. */
static inline int px_jpeg_unit_of(const px_jpeg_frame *frame, int plane) { return plane ? 1 : frame->unit; }

/* SOI, JFIF, EXIF, XMP, ICC, tables of quantisation and the frame. */
PX_CHECKED px_status px_jpeg_head_write(const px_jpeg_frame *frame, const px_encoder_spec *spec, px_jpeg_out *out, px_error *err);

/* SOS for the planes from `first` on, `count` of them; the band of coefficients, and the bits before (T.81 G.1.1.1). */
PX_CHECKED px_status px_jpeg_scan_write(int first, int count, int from, int to, int high, int low, px_jpeg_out *out, px_error *err);

#endif
