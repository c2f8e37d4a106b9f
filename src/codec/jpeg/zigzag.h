/* zigzag.h - the order in which JPEG stores a block's coefficients (T.81 figure A.6). Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_ZIGZAG_H
#define PX_CODEC_JPEG_ZIGZAG_H

#include <stdint.h>

extern const uint8_t px_jpeg_zigzag[64]; /* where the k-th lies: 8 * row + column */

#endif
