/* A bump pointer over one lazily backed mapping. */
#include "base/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

enum { ALIGNMENT = 16, KEPT_BYTES = 256 * 1024 };

px_status px_arena_open(size_t capacity, px_arena *ret, px_error *err)
{
    size_t rounded = (capacity + 4095) & ~(size_t)4095;
    void *block = mmap(NULL, rounded, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block == MAP_FAILED)
        return px_fail_errno(err, errno, "cannot reserve %zu bytes of memory", rounded);
    *ret = (px_arena){ .next = block, .start = block, .end = (uint8_t *)block + rounded };
    return PX_OK;
}

void px_arena_close(px_arena *arena)
{
    if (arena->start)
        munmap(arena->start, (size_t)(arena->end - arena->start));
    *arena = (px_arena){ 0 };
}

void px_arena_reset(px_arena *arena)
{
    size_t used = (size_t)(arena->next - arena->start);
    size_t kept = used < KEPT_BYTES ? used : KEPT_BYTES;
    memset(arena->start, 0, kept);
    if (used > kept) {
        /* KEPT_BYTES is a whole number of pages; dropped pages read as zero. */
        size_t rounded = (used + 4095) & ~(size_t)4095;
        madvise(arena->start + kept, rounded - kept, MADV_DONTNEED);
    }
    arena->next = arena->start;
}

void *px_arena_take(px_arena *arena, size_t size, size_t count)
{
    size_t bytes;
    if (__builtin_mul_overflow(size, count, &bytes))
        return NULL;
    size_t room = (size_t)(arena->end - arena->next);
    size_t padding = (size_t)(-(uintptr_t)arena->next & (ALIGNMENT - 1));
    if (padding > room || bytes > room - padding)
        return NULL;
    uint8_t *taken = arena->next + padding;
    arena->next = taken + bytes;
    /* A copy by value may have used this room before us: it is scratch, not zero. */
    memset(taken, 0, bytes);
    return taken;
}

char *px_arena_copy(px_arena *arena, px_bytes bytes)
{
    char *copy = px_new(arena, char, bytes.count + 1);
    if (copy && bytes.count)
        memcpy(copy, bytes.data, bytes.count);
    return copy;
}

char *px_arena_copy_text(px_arena *arena, const char *text)
{
    return text ? px_arena_copy(arena, px_bytes_of(text)) : NULL;
}

char *px_arena_format(px_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : px_new(arena, char, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
