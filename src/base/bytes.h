/* bytes.h - a run of bytes that somebody else owns, by value. */
#ifndef PX_BASE_BYTES_H
#define PX_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct px_bytes {
    const uint8_t *data; /* borrowed; may be NULL when count is 0 */
    size_t count;
} px_bytes;

/* The characters of a C string, without its NUL. */
static inline px_bytes px_bytes_of(const char *text)
{
    return (px_bytes){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

static inline bool px_bytes_equal(px_bytes a, px_bytes b)
{
    return a.count == b.count && (a.count == 0 || memcmp(a.data, b.data, a.count) == 0);
}

#endif
