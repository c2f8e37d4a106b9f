/* exif.h - EXIF: which way is up, and what of it may go with an output. */
#ifndef PX_CODEC_EXIF_H
#define PX_CODEC_EXIF_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "codec/codec.h"

/* The orientation, 1 to 8, of a TIFF block as EXIF holds it ("II*\0" or "MM\0*" first). Whatever is absent,
 * contradictory or out of range gives 1. */
int px_exif_orientation(px_bytes tiff);

/* Writes the smallest TIFF block that says `orientation` and returns its size. */
enum { PX_EXIF_BYTES = 26 };
size_t px_exif_format(int orientation, uint8_t tiff[PX_EXIF_BYTES]);

/* Writes what `strip` leaves of a TIFF block, with this orientation (none is said for 1), and returns its size: 0 if nothing is
 * left. A block that cannot be read leaves nothing but the orientation. Entries that find no room are left out. */
size_t px_exif_rewrite(px_bytes tiff, px_strip strip, int orientation, uint8_t target[PX_EXIF_BYTES_MAX]);

/* The block that an encoder has to embed: spec->exif, or the smallest one (made in `room`) for rows that are not upright, or none. */
px_bytes px_exif_of(const px_encoder_spec *spec, uint8_t room[PX_EXIF_BYTES]);

#endif
