/* copy.h - a source read byte by byte or chunk by chunk, and what is kept of it written out, both through buffers.
 * For cleaning a file without touching its pixels. Private to src/codec. */
#ifndef PX_CODEC_COPY_H
#define PX_CODEC_COPY_H

#include "base/bytes.h"
#include "base/source.h"
#include "base/status.h"
#include "codec/codec.h"

enum { PX_COPY_BYTES = 64 << 10 };

typedef struct px_copy {
    const px_source *source;
    int fd;
    uint64_t offset;            /* of the next byte to read from the source */
    size_t in_at, in_count, out_count;
    uint64_t written;
    uint8_t in[PX_COPY_BYTES], out[PX_COPY_BYTES];
} px_copy;

/* The next byte, or -1 at the end of the source. */
PX_CHECKED px_status px_copy_next(px_copy *self, int *ret_byte, px_error *err);
PX_CHECKED px_status px_copy_write(px_copy *self, const void *data, size_t count, px_error *err);
PX_CHECKED px_status px_copy_flush(px_copy *self, px_error *err);

/* Takes `count` bytes and keeps them or not. Fewer in the source: PX_TRUNCATED_IMAGE. */
PX_CHECKED px_status px_copy_pass(px_copy *self, uint64_t count, bool keep, px_error *err);

/* Runs `clean` over the whole source with the metadata of `spec`; *ret_bytes is what it wrote to `fd`. */
PX_CHECKED px_status px_copy_run(const px_encoder_spec *spec, const px_source *source, int fd,
                                 px_status (*clean)(px_copy *copy, const px_encoder_spec *spec, px_error *err), uint64_t *ret_bytes,
                                 px_error *err);

/* The same for who wants all of the source at once; it was judged when it was decoded. */
PX_CHECKED px_status px_copy_run_whole(const px_encoder_spec *spec, const px_source *source, int fd,
                                       px_status (*clean)(px_bytes file, const px_encoder_spec *spec, int fd, uint64_t *ret_bytes, px_error *err),
                                       uint64_t *ret_bytes, px_error *err);

#endif
