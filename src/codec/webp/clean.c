/* A WebP without what is not the picture: its own chunks, as they are, less EXIF, XMP and the unknown, also inside of frames, but with
 * what is to stay of those.
 *
 * Walked twice: once to know the size, which stands in front, once to write. Behind the chunk that holds a still or a frame's picture
 * no reader looks for another, so none is kept: a second picture could be what its maker meant to be gone. */
#include "base/file.h"
#include "codec/copy.h"
#include "codec/exif.h"
#include "codec/formats.h"
#include "codec/webp/riff.h"

/* Where what is kept goes; without a file it is only counted. */
typedef struct writer {
    int fd; /* -1: count */
    px_bytes exif, xmp;
    uint64_t written;
    bool had_profile, had_picture;
} writer;

static px_status put(writer *self, const void *data, size_t count, px_error *err)
{
    self->written += count;
    return self->fd < 0 ? PX_OK : px_write_all(self->fd, data, count, "the output", err);
}

static px_status put_head(writer *self, const char *type, uint64_t size, px_error *err)
{
    uint8_t head[PX_RIFF_HEAD];
    memcpy(head, type, 4);
    for (int i = 0; i < 4; i++)
        head[4 + i] = (uint8_t)(size >> (8 * i));
    return put(self, head, sizeof head, err);
}

static px_status put_chunk(writer *self, const char *type, const void *data, size_t count, px_error *err)
{
    PX_TRY(put_head(self, type, count, err));
    PX_TRY(put(self, data, count, err));
    return count & 1 ? put(self, "", 1, err) : PX_OK;
}

static bool is_picture(const px_riff_chunk *chunk) { return px_riff_is(chunk, "VP8 ") || px_riff_is(chunk, "VP8L"); }

/* A frame (RFC 9649, 2.7.1.1): its place, then chunks of its own. */
static px_status put_frame_chunks(writer *self, px_bytes frame, px_error *err)
{
    px_riff riff = { { frame.data + PX_ANMF_HEAD, frame.count - PX_ANMF_HEAD } };
    px_riff_chunk chunk;
    bool any, had_picture = false;
    PX_TRY(put(self, frame.data, PX_ANMF_HEAD, err));
    for (;;) {
        PX_TRY(px_riff_next(&riff, &chunk, &any, err));
        if (!any || had_picture)
            return PX_OK;
        if (px_riff_is(&chunk, "ALPH") || is_picture(&chunk))
            PX_TRY(put_chunk(self, chunk.type, chunk.body.data, chunk.body.count, err));
        had_picture = is_picture(&chunk);
    }
}

static px_status put_frame(writer *self, px_bytes frame, px_error *err)
{
    if (frame.count < PX_ANMF_HEAD)
        return px_fail(err, PX_CORRUPT_IMAGE, "WebP: a frame of %zu bytes", frame.count);
    writer size = { .fd = -1 };
    PX_TRY(put_frame_chunks(&size, frame, err));
    PX_TRY(put_head(self, "ANMF", size.written, err));
    return put_frame_chunks(self, frame, err);
}

/* The flags say what is there (2.7.1). */
static px_status put_extended(writer *self, px_bytes body, bool profile, px_error *err)
{
    uint8_t copy[PX_VP8X_BYTES];
    if (body.count < sizeof copy)
        return px_fail(err, PX_CORRUPT_IMAGE, "WebP: a VP8X of %zu bytes", body.count);
    memcpy(copy, body.data, sizeof copy);
    copy[0] = (uint8_t)((copy[0] & (PX_WEBP_ALPHA | PX_WEBP_ANIMATED)) | (profile ? PX_WEBP_PROFILE : 0) |
                        (self->exif.count ? PX_WEBP_EXIF : 0) | (self->xmp.count ? PX_WEBP_XMP : 0));
    copy[1] = copy[2] = copy[3] = 0;
    return put_chunk(self, "VP8X", copy, sizeof copy, err);
}

static px_status put_any(writer *self, const px_riff_chunk *chunk, bool profile, px_error *err)
{
    if (px_riff_is(chunk, "VP8X"))
        return put_extended(self, chunk->body, profile, err);
    if (px_riff_is(chunk, "ANMF"))
        return put_frame(self, chunk->body, err);
    bool keep = (px_riff_is(chunk, "ICCP") && !self->had_profile) || px_riff_is(chunk, "ANIM") ||
                ((px_riff_is(chunk, "ALPH") || is_picture(chunk)) && !self->had_picture);
    self->had_profile = self->had_profile || px_riff_is(chunk, "ICCP");
    self->had_picture = self->had_picture || is_picture(chunk);
    return keep ? put_chunk(self, chunk->type, chunk->body.data, chunk->body.count, err) : PX_OK;
}

/* Everything behind "WEBP". */
static px_status put_chunks(writer *self, px_riff riff, bool profile, px_error *err)
{
    px_riff_chunk chunk;
    for (bool any = true; any;) {
        PX_TRY(px_riff_next(&riff, &chunk, &any, err));
        if (any)
            PX_TRY(put_any(self, &chunk, profile, err));
    }
    if (self->exif.count)
        PX_TRY(put_chunk(self, "EXIF", self->exif.data, self->exif.count, err));
    return self->xmp.count ? put_chunk(self, "XMP ", self->xmp.data, self->xmp.count, err) : PX_OK;
}

static px_status write_file(px_bytes file, const px_encoder_spec *spec, int fd, uint64_t *ret_bytes, px_error *err)
{
    px_riff riff;
    px_riff_chunk chunk;
    bool any, profile = false, extended = false;
    PX_TRY(px_riff_open(file, &riff, err));
    for (px_riff look = riff;;) {
        PX_TRY(px_riff_next(&look, &chunk, &any, err));
        if (!any)
            break;
        profile = profile || px_riff_is(&chunk, "ICCP");
        extended = extended || px_riff_is(&chunk, "VP8X");
    }
    /* Only an extended file can have said anything of itself, so only there can be something to keep. */
    uint8_t minimal[PX_EXIF_BYTES];
    px_bytes none = { 0 }, exif = extended ? px_exif_of(spec, minimal) : none, xmp = extended ? spec->xmp : none;
    writer size = { .fd = -1, .exif = exif, .xmp = xmp }, out = { .fd = fd, .exif = exif, .xmp = xmp };
    PX_TRY(put_chunks(&size, riff, profile, err));
    PX_TRY(put_head(&out, "RIFF", size.written + 4, err));
    PX_TRY(put(&out, "WEBP", 4, err));
    PX_TRY(put_chunks(&out, riff, profile, err));
    *ret_bytes = out.written;
    return PX_OK;
}

px_status px_webp_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err)
{
    return px_copy_run_whole(spec, source, fd, write_file, ret_bytes, err);
}
