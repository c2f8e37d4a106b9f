/* clean.h - which TIFF can be cleaned without touching its pixels. Private to src/codec/tiff. */
#ifndef PX_CODEC_TIFF_CLEAN_H
#define PX_CODEC_TIFF_CLEAN_H

#include <stdbool.h>

#include "base/bytes.h"

bool px_tiff_is_cleanable(px_bytes file);

#endif
