/* file.h - descriptors: whole reads and writes, and closing when a scope ends. */
#ifndef PX_BASE_FILE_H
#define PX_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

/* Closes `*fd` if it is not -1, and makes it -1. For PX_AUTO(px_fd_close). */
void px_fd_close(int *fd);

/* Writes all of it. `name` is for the message. */
PX_CHECKED px_status px_write_all(int fd, const void *data, size_t count, const char *name, px_error *err);

/* Reads `count` bytes at `offset`; fewer only at the end of the file. */
PX_CHECKED px_status px_pread_all(int fd, void *data, size_t count, uint64_t offset, size_t *ret_count,
                                  const char *name, px_error *err);

/* The whole file into the arena, NUL behind it. Over `limit` bytes: PX_TOO_MANY_BYTES. Absent: PX_NO_SUCH_KEY. */
PX_CHECKED px_status px_file_read(const char *path, size_t limit, px_arena *arena, px_bytes *ret, px_error *err);

/* mkdir -p, mode 0700 for what is made. */
PX_CHECKED px_status px_folder_make(const char *path, px_error *err);

#endif
