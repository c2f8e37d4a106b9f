/* directory.h - the directory of a TIFF while it is written: entries, and behind them the values that do not fit into one. Private to
 * src/codec/tiff.
 *
 * A block of EXIF is a TIFF without a picture: the file begins with it, so that all its offsets hold, in its order of bytes; the
 * entries of its first directory are repeated in the file's, among those of the picture. */
#ifndef PX_CODEC_TIFF_DIRECTORY_H
#define PX_CODEC_TIFF_DIRECTORY_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"

enum { PX_TIFF_BYTE = 1, PX_TIFF_SHORT = 3, PX_TIFF_LONG = 4, PX_TIFF_UNDEFINED = 7, PX_TIFF_HEAD_BYTES = 8, PX_TIFF_ENTRY_BYTES = 12 };

typedef struct px_tiff_directory {
    uint8_t *bytes;      /* owned; the file up to the strips, for who writes it */
    size_t count;        /* of those */
    size_t at;           /* of the directory */
    size_t entry_at;     /* of the next entry */
    size_t value_at;     /* of the next value that does not fit */
    bool big_endian;
    px_bytes carried;    /* entries of the block of EXIF which are still to come */
} px_tiff_directory;

/* Room for `entries` with `value_bytes` (each value rounded up to even) besides what `exif` brings, a block as px_exif_rewrite makes them
 * or none. One in the other order of bytes than `big_endian` is left out; without that wish (-1) the block says the order. */
PX_CHECKED px_status px_tiff_directory_init(px_tiff_directory *self, px_bytes exif, int big_endian, int entries, size_t value_bytes, px_error *err);
void px_tiff_directory_done(px_tiff_directory *self); /* for PX_AUTO */

void px_tiff_put(const px_tiff_directory *self, uint8_t *at, uint32_t value, int bytes);

/* Adds an entry and returns where its value goes; a value of that type has `each` bytes. Tags must ascend. */
uint8_t *px_tiff_add(px_tiff_directory *self, unsigned tag, unsigned type, uint32_t count, size_t each);
void px_tiff_add_number(px_tiff_directory *self, unsigned tag, unsigned type, uint32_t value); /* a SHORT or LONG */
void px_tiff_add_bytes(px_tiff_directory *self, unsigned tag, unsigned type, px_bytes value);  /* BYTE or UNDEFINED; none: no entry */

/* After the last entry: makes the file's head whole. */
void px_tiff_directory_finish(px_tiff_directory *self);

#endif
