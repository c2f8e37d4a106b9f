/* limits.h - every bound that a stranger's bytes meet, with its reason.
 *
 * px_limits are the ones a user may set (DESIGN.md section 5, `limits`); the constants below them are ours.
 * Grep for PX_LIMIT to find each place where trust ends. */
#ifndef PX_BASE_LIMITS_H
#define PX_BASE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct px_limits {
    uint64_t input_bytes;    /* of a source object */
    uint64_t pixels;         /* width * height of a source */
    uint32_t side;           /* width or height of a source, pixels */
    uint32_t frames;
    uint32_t scans;          /* of a progressive JPEG */
    uint64_t metadata_bytes; /* EXIF, ICC, text chunks together, inflated */
    uint64_t memory_bytes;   /* of the process that transforms a picture; 0: judged from the machine */
    uint32_t seconds;        /* wall and CPU time of one picture */
    bool truncated;          /* what a source that ends early has is accepted */
    bool placeholder;        /* no bound, but asked of a source likewise: is one made of it? */
} px_limits;

#define PX_LIMITS_DEFAULT ((px_limits){                                                    \
    .input_bytes = 200u << 20, .pixels = 268435456u, .side = 65535, .frames = 1000,        \
    .scans = 200, .metadata_bytes = 16u << 20, .memory_bytes = 0, .seconds = 60, .placeholder = true })

enum {
    PX_LIMIT_OUTPUTS = 16,          /* of a recipe */
    PX_LIMIT_KEY_BYTES = 1024,      /* S3: an object key, UTF-8 */
    PX_LIMIT_BUCKET_BYTES = 63,     /* S3: a bucket name */
    PX_LIMIT_META_BYTES = 2048,     /* S3: user metadata, names and values */
    PX_LIMIT_EVENT_BYTES = 6 << 20, /* Lambda: a synchronous payload */
    PX_LIMIT_CONFIG_BYTES = 1 << 20,
    PX_LIMIT_MARK_BYTES = 32 << 20, /* a watermark's picture, or font */
    PX_LIMIT_OUTPUT_SIDE = 16384,   /* pixels; what a recipe may ask for */
};

#endif
