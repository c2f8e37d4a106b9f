/* nclx.h - colours by numbers (ITU-T H.273), as AVIF, HEIF and JPEG XL say them, made into an ICC profile. Private to src/codec. */
#ifndef PX_CODEC_NCLX_H
#define PX_CODEC_NCLX_H

#include <stdbool.h>

#include "base/bytes.h"

/* An ICC profile for rows of that kind, owned (free its data); empty where none is needed: sRGB, its relatives, and what is not
 * specified. What it says of PQ and HLG, space.h tells. */
px_bytes px_nclx_profile(int primaries, int transfer, bool grey);

bool px_nclx_is_hdr(int transfer);

#endif
