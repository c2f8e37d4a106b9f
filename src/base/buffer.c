/* Doubles as it grows. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void px_buffer_done(px_buffer *buffer)
{
    free(buffer->data);
    *buffer = (px_buffer){ 0 };
}

void px_buffer_clear(px_buffer *buffer)
{
    buffer->count = 0;
    buffer->failed = false;
    if (buffer->data)
        buffer->data[0] = '\0';
}

/* Makes room for `more` bytes and a NUL. */
static bool reserve(px_buffer *buffer, size_t more)
{
    if (more >= SIZE_MAX - buffer->count - 1) {
        buffer->failed = true;
        return false;
    }
    size_t needed = buffer->count + more + 1;
    if (needed <= buffer->capacity)
        return true;
    size_t capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    char *data = realloc(buffer->data, capacity);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void px_buffer_push(px_buffer *buffer, const void *data, size_t count)
{
    if (!reserve(buffer, count))
        return;
    if (count)
        memcpy(buffer->data + buffer->count, data, count);
    buffer->count += count;
    buffer->data[buffer->count] = '\0';
}

void px_buffer_text(px_buffer *buffer, const char *text) { px_buffer_push(buffer, text, strlen(text)); }

void px_buffer_format(px_buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length >= 0 && reserve(buffer, (size_t)length)) {
        vsnprintf(buffer->data + buffer->count, (size_t)length + 1, format, again);
        buffer->count += (size_t)length;
    }
    va_end(again);
}
