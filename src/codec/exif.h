/* exif.h - the one thing that the engine wants of EXIF: which way is up. */
#ifndef PX_CODEC_EXIF_H
#define PX_CODEC_EXIF_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* The orientation, 1 to 8, of a TIFF block as EXIF holds it ("II*\0" or "MM\0*" first). Whatever is absent,
 * contradictory or out of range gives 1. */
int px_exif_orientation(px_bytes tiff);

/* Writes the smallest TIFF block that says `orientation` and returns its size. */
enum { PX_EXIF_BYTES = 26 };
size_t px_exif_format(int orientation, uint8_t tiff[PX_EXIF_BYTES]);

#endif
