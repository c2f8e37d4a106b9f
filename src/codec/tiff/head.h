/* head.h - the first directory of a TIFF, looked at before libtiff is. Private to src/codec/tiff. */
#ifndef PX_CODEC_TIFF_HEAD_H
#define PX_CODEC_TIFF_HEAD_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"

typedef struct px_tiff_head {
    uint32_t width, height;
    uint32_t subfile;    /* NewSubfileType: bit 0 says that the page is a smaller one of another's picture */
    bool subdirectories; /* where a camera's raw file has the picture itself */
    bool negative;       /* a DNG */
    px_bytes xmp;        /* of the file; empty without it */
} px_tiff_head;

/* PX_TRUNCATED_IMAGE where the directory or a value in it lies beyond the file, PX_TOO_MANY_BYTES where the values that are not
 * pixels are over limits.metadata_bytes. */
PX_CHECKED px_status px_tiff_head_read(px_bytes file, const px_limits *limits, px_tiff_head *ret, px_error *err);

#endif
