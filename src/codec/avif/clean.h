/* clean.h - which AVIF can be cleaned without touching its pixels. Private to src/codec/avif. */
#ifndef PX_CODEC_AVIF_CLEAN_H
#define PX_CODEC_AVIF_CLEAN_H

#include <stdbool.h>

#include "base/bytes.h"

/* Stills and grids, with or without alpha, laid out as we understand it. */
bool px_avif_is_cleanable(px_bytes file);

#endif
