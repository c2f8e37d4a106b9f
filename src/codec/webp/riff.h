/* riff.h - the container of a WebP file, chunk by chunk. Private to src/codec/webp.
 *
 * RFC 9649, 2.3: four bytes of type, the size, little-endian, the bytes, and one of padding behind an odd size. A walk reads
 * nothing but these heads, so that a file can be judged before the library sees it. */
#ifndef PX_CODEC_WEBP_RIFF_H
#define PX_CODEC_WEBP_RIFF_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"

enum { PX_RIFF_HEAD = 8, PX_WEBP_HEAD = 12, PX_VP8X_BYTES = 10, PX_ANMF_HEAD = 16 };

/* Flags of VP8X (2.7.1). */
enum { PX_WEBP_ANIMATED = 0x02, PX_WEBP_XMP = 0x04, PX_WEBP_EXIF = 0x08, PX_WEBP_ALPHA = 0x10, PX_WEBP_PROFILE = 0x20 };

typedef struct px_riff {
    px_bytes left; /* borrowed; of the file or of a chunk that holds chunks */
} px_riff;

typedef struct px_riff_chunk {
    char type[5];
    px_bytes body; /* borrowed */
} px_riff_chunk;

/* The chunks of a whole file; PX_TRUNCATED_IMAGE if it is not. What follows the size that its head says is no part of it. */
PX_CHECKED px_status px_riff_open(px_bytes file, px_riff *ret, px_error *err);

/* The next chunk; *ret_any is false behind the last. One that is longer than what holds it: PX_CORRUPT_IMAGE. */
PX_CHECKED px_status px_riff_next(px_riff *self, px_riff_chunk *ret, bool *ret_any, px_error *err);

static inline bool px_riff_is(const px_riff_chunk *chunk, const char *type) { return memcmp(chunk->type, type, 4) == 0; }

#endif
