/* clean.h - which JPEG XL can be cleaned without touching its pixels. Private to src/codec/jxl. */
#ifndef PX_CODEC_JXL_CLEAN_H
#define PX_CODEC_JXL_CLEAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Does the codestream in the file end at `end`, where its last frame does? */
bool px_jxl_ends_at(px_bytes file, uint64_t end);

#endif
