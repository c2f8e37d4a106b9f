/* buffer.h - bytes that grow while something is written: JSON, XML, a log line.
 *
 * Heap memory, owned by the buffer; `done` frees it. Running out of memory is remembered instead of
 * reported at every call: ask px_buffer_failed once at the end. */
#ifndef PX_BASE_BUFFER_H
#define PX_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

typedef struct px_buffer {
    char *data;             /* owned; NUL behind the last byte once anything was written */
    size_t count, capacity; /* bytes */
    bool failed;            /* out of memory at some point: what is here is not whole */
} px_buffer;

/* A px_buffer starts as { 0 }. */
void px_buffer_done(px_buffer *buffer);
void px_buffer_clear(px_buffer *buffer); /* keeps the memory */

void px_buffer_push(px_buffer *buffer, const void *data, size_t count);
void px_buffer_text(px_buffer *buffer, const char *text);
__attribute__((format(printf, 2, 3)))
void px_buffer_format(px_buffer *buffer, const char *format, ...);

static inline bool px_buffer_failed(const px_buffer *buffer) { return buffer->failed; }
static inline px_bytes px_buffer_bytes(const px_buffer *buffer)
{
    return (px_bytes){ (const uint8_t *)buffer->data, buffer->count };
}

#endif
