/* arena.h - memory that goes away all at once.
 *
 * The shell makes one for a request; what is allocated from it lives as long as it does and is never
 * freed singly. Passed by value it is scratch: what the callee takes from its copy is gone when it returns.
 * The block is reserved up front and touched only as it is used, so a generous capacity costs nothing.
 * Full means NULL: callers say PX_OUT_OF_MEMORY. One thread at a time. */
#ifndef PX_BASE_ARENA_H
#define PX_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

typedef struct px_arena {
    uint8_t *next, *end; /* free room */
    uint8_t *start;      /* of the block, for px_arena_close and px_arena_reset */
} px_arena;

/* Reserves `capacity` bytes of address space. */
PX_CHECKED px_status px_arena_open(size_t capacity, px_arena *ret, px_error *err);
void px_arena_close(px_arena *arena);

/* Forgets all that was allocated; gives pages beyond the first 256 KiB back to the system. */
void px_arena_reset(px_arena *arena);

/* Zeroed memory for `count` items of `size` bytes, aligned for anything; NULL if the arena is full. */
void *px_arena_take(px_arena *arena, size_t size, size_t count) __attribute__((malloc));
#define px_new(arena, type, count) ((type *)px_arena_take((arena), sizeof(type), (count)))

/* Copies that end with a NUL. NULL if the arena is full (or `text` is NULL). */
char *px_arena_copy(px_arena *arena, px_bytes bytes);
char *px_arena_copy_text(px_arena *arena, const char *text);
__attribute__((format(printf, 2, 3)))
char *px_arena_format(px_arena *arena, const char *format, ...);

#endif
