/* A JPEG XL without what is not the picture: its codestream, bare; or in a container again, where something of EXIF or XMP is to stay, or the container says the codestream's level.
 *
 * Every other box is left behind: metadata, previews of C2PA and JUMBF, and what a JPEG would be restored from ("jbrd"), which has that
 * JPEG's comments. A codestream with something behind its last frame is not cleaned, but encoded again: the decoder sees where that ends. */
#include "codec/jxl/clean.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "codec/big_endian.h"
#include "codec/boxes.h"
#include "codec/copy.h"
#include "codec/formats.h"

enum { PART_HEAD = 4 }; /* of a jxlp box: which part it is */

typedef struct stream {
    px_bytes bytes;
    uint8_t *joined; /* owned; `bytes`, where the file has it in parts; else NULL */
    int level;       /* as the container says it; 0: it does not */
} stream;

static void stream_done(stream *self) { free(self->joined); }

/* The next part of the codestream at *at, which moves behind it; false: there is none. */
static bool next_part(px_bytes file, uint64_t *at, px_bytes *ret, int *ret_level)
{
    px_box b;
    bool cut = false;
    while (*at <= file.count && px_box_at(file, *at, file.count, &b, &cut)) {
        uint64_t head = px_box_is(&b, "jxlp") ? PART_HEAD : 0;
        *at = b.to;
        if (px_box_is(&b, "jxll") && b.to > b.from)
            *ret_level = file.data[b.from];
        if ((px_box_is(&b, "jxlc") || px_box_is(&b, "jxlp")) && b.to - b.from >= head) {
            *ret = (px_bytes){ file.data + b.from + head, (size_t)(b.to - b.from - head) };
            return true;
        }
    }
    return false;
}

static bool is_bare(px_bytes file) { return px_has_bytes(file, 0, "\xff\x0a", 2); }

static px_status join(px_bytes file, stream *ret, px_error *err)
{
    px_bytes part;
    uint64_t at = 0;
    size_t count = 0;
    int parts = 0;
    if (is_bare(file)) {
        ret->bytes = file;
        return PX_OK;
    }
    for (; next_part(file, &at, &part, &ret->level); parts++)
        ret->bytes = part;
    if (parts == 1)
        return PX_OK;
    ret->joined = malloc(file.count);
    if (!ret->joined)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a codestream of %zu bytes", file.count);
    for (at = 0; next_part(file, &at, &part, &ret->level); count += part.count)
        memcpy(ret->joined + count, part.data, part.count);
    ret->bytes = (px_bytes){ ret->joined, count };
    return PX_OK;
}

bool px_jxl_ends_at(px_bytes file, uint64_t end)
{
    px_bytes part = { 0 };
    uint64_t at = 0;
    int level;
    if (is_bare(file))
        return end == file.count;
    while (next_part(file, &at, &part, &level))
        ;
    return part.count && (uint64_t)(part.data - file.data) + part.count == end;
}

static px_status write_box(int fd, const char *type, const char *before, size_t before_bytes, px_bytes content, uint64_t *written, px_error *err)
{
    uint8_t head[8];
    px_put_32(head, (uint32_t)(8 + before_bytes + content.count));
    memcpy(head + 4, type, 4);
    *written += 8 + before_bytes + content.count;
    PX_TRY(px_write_all(fd, head, 8, "the output", err));
    PX_TRY(px_write_all(fd, before, before_bytes, "the output", err));
    return px_write_all(fd, content.data, content.count, "the output", err);
}

static px_status write_container(const stream *self, const px_encoder_spec *spec, int fd, uint64_t *written, px_error *err)
{
    px_bytes none = { 0 };
    PX_TRY(write_box(fd, "JXL ", "\r\n\x87\n", 4, none, written, err));
    PX_TRY(write_box(fd, "ftyp", "jxl \0\0\0\0jxl ", 12, none, written, err));
    if (self->level)
        PX_TRY(write_box(fd, "jxll", (char[]){ (char)self->level }, 1, none, written, err));
    if (spec->exif.count)
        PX_TRY(write_box(fd, "Exif", "\0\0\0\0", 4, spec->exif, written, err));
    if (spec->xmp.count)
        PX_TRY(write_box(fd, "xml ", "", 0, spec->xmp, written, err));
    return write_box(fd, "jxlc", "", 0, self->bytes, written, err);
}

static px_status clean(px_bytes file, const px_encoder_spec *spec, int fd, uint64_t *ret_bytes, px_error *err)
{
    PX_AUTO(stream_done) stream self = { 0 };
    uint64_t written = 0;
    PX_TRY(join(file, &self, err));
    if (self.level || spec->exif.count || spec->xmp.count)
        PX_TRY(write_container(&self, spec, fd, &written, err));
    else
        PX_TRY(px_write_all(fd, self.bytes.data, self.bytes.count, "the output", err));
    *ret_bytes = written ? written : self.bytes.count;
    return PX_OK;
}

px_status px_jxl_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err)
{
    return px_copy_run_whole(spec, source, fd, clean, ret_bytes, err);
}
