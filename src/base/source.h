/* source.h - the bytes of one picture, readable while they still arrive.
 *
 * A descriptor (memfd, or a file) and a word of shared memory that says how much of it is there and whether more
 * will come. read_at blocks until the bytes are there, the end is known, or the sender gave up, so decoders are
 * plain blocking code. Both descriptors can be handed to another process, which then reads the same source.
 * A source of a whole file has no shared word.
 *
 * One writer at a time; any number of readers, in any process. */
#ifndef PX_BASE_SOURCE_H
#define PX_BASE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

typedef struct px_source_state px_source_state;

typedef struct px_source {
    int fd;                 /* owned; the bytes, from offset 0 */
    int state_fd;           /* owned; -1 when the bytes are all there */
    px_source_state *state; /* shared mapping of state_fd, or NULL */
    uint64_t bytes;         /* size, when state is NULL */
} px_source;

/* The empty value, which close accepts. */
#define PX_SOURCE_NONE ((px_source){ .fd = -1, .state_fd = -1 })

/* A source that is all there. Takes `fd` over, also on failure. */
PX_CHECKED px_status px_source_open(int fd, px_source *ret, px_error *err);

/* An empty source that will grow, in anonymous memory. */
PX_CHECKED px_status px_source_create(px_source *ret, px_error *err);

/* Joins a source by its descriptors (state_fd may be -1), which it takes over: for the other process. */
PX_CHECKED px_status px_source_join(int fd, int state_fd, px_source *ret, px_error *err);

void px_source_close(px_source *source);

/* The writer's side. After finish or fail nothing may be pushed. */
PX_CHECKED px_status px_source_push(px_source *source, const void *data, size_t count, px_error *err);
void px_source_finish(px_source *source);
void px_source_fail(px_source *source); /* readers that wait get PX_NETWORK */

/* Reads up to `count` bytes at `offset`: fewer only at the end of the source, so 0 means the end. */
PX_CHECKED px_status px_source_read_at(const px_source *source, uint64_t offset, void *data, size_t count,
                                       size_t *ret_count, px_error *err);

/* Waits until the source has ended: PX_OK when it is whole, PX_NETWORK when the sender gave up, PX_OUT_OF_TIME after
 * `deadline_ms` (since 1970; 0: none). */
PX_CHECKED px_status px_source_wait(const px_source *source, int64_t deadline_ms, px_error *err);

/* Waits until the source is whole and maps it, for libraries that want all of it at once: more than `most` bytes are PX_TOO_MANY_BYTES.
 * Of no bytes there is none: *ret is empty. The mapping outlives the source; give it back with unmap. */
PX_CHECKED px_status px_source_map(const px_source *source, uint64_t most, px_bytes *ret, px_error *err);
void px_source_unmap(px_bytes bytes);

/* How many bytes are there now; *ret_whole says whether that is all. `ret_whole` may be NULL. */
uint64_t px_source_bytes(const px_source *source, bool *ret_whole);

#endif
