/* head.h - the first directory of a TIFF, looked at before libtiff is. Private to src/codec/tiff. */
#ifndef PX_CODEC_TIFF_HEAD_H
#define PX_CODEC_TIFF_HEAD_H

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"

/* A directory as a file has it, and one of its entries. */
typedef struct px_tiff_table {
    px_bytes file;
    bool little, big;     /* BigTIFF */
    uint64_t at, count;   /* of the first entry; how many there are */
} px_tiff_table;

typedef struct px_tiff_entry {
    unsigned tag, type;
    uint64_t count;       /* of values */
    uint32_t each;        /* bytes of a value; 0: of no type that we know */
    px_bytes value;       /* of the file; all values */
} px_tiff_entry;

/* The first directory; all its entries are in the file. PX_TRUNCATED_IMAGE where they, or a value, lie beyond it. */
PX_CHECKED px_status px_tiff_table_find(px_bytes file, px_tiff_table *ret, px_error *err);
PX_CHECKED px_status px_tiff_table_entry(const px_tiff_table *table, uint64_t index, px_tiff_entry *ret, px_error *err);
uint64_t px_tiff_number(const px_tiff_table *table, const uint8_t *at, unsigned bytes);

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
