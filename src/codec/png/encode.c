/* PNG out: each row gets the filter that leaves the least (the sum of absolute differences, as the specification
 * suggests in 12.7), the whole is deflated at once by libdeflate. The picture is therefore held, at output size. */
#include <stdlib.h>

#include <libdeflate.h>

#include "base/file.h"
#include "codec/exif.h"
#include "codec/formats.h"

enum { FILTERS = 5, CHUNK_BYTES = 1 << 30 };

static const int levels[PX_EFFORT_COUNT] = { [PX_EFFORT_LOW] = 2, [PX_EFFORT_NORMAL] = 6, [PX_EFFORT_HIGH] = 12 };

typedef struct png_encoder {
    px_encoder base;
    px_encoder_spec spec;
    int fd;
    uint64_t written;
    size_t row_bytes;
    int pushed;
    uint8_t *above;             /* owned; the row before, unfiltered */
    uint8_t *tries;             /* owned; FILTERS rows, filtered */
    uint8_t *filtered;          /* owned; what will be deflated */
    struct libdeflate_compressor *deflate; /* owned */
} png_encoder;

static uint8_t paeth(int a, int b, int c)
{
    int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);
    return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* Writes the row through all five filters (9.2). */
static void filter_row(const png_encoder *self, const uint8_t *row)
{
    size_t count = self->row_bytes, step = (size_t)px_channels(self->spec.model, self->spec.alpha);
    const uint8_t *above = self->above;
    uint8_t *none = self->tries, *sub = none + count, *up = sub + count, *average = up + count, *path = average + count;
    memcpy(none, row, count);
    for (size_t i = 0; i < count; i++) {
        int left = i >= step ? row[i - step] : 0, corner = i >= step ? above[i - step] : 0;
        sub[i] = (uint8_t)(row[i] - left);
        up[i] = (uint8_t)(row[i] - above[i]);
        average[i] = (uint8_t)(row[i] - (left + above[i]) / 2);
        path[i] = (uint8_t)(row[i] - paeth(left, above[i], corner));
    }
}

static uint64_t cost_of(const uint8_t *row, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += row[i] < 128 ? row[i] : 256u - row[i];
    return sum;
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    (void)err;
    png_encoder *self = (png_encoder *)base;
    const uint8_t *samples = row->planes[0].samples;
    filter_row(self, samples);
    int best = 0;
    uint64_t least = UINT64_MAX;
    for (int f = 0; f < FILTERS; f++) {
        uint64_t cost = cost_of(self->tries + (size_t)f * self->row_bytes, self->row_bytes);
        if (cost < least) {
            least = cost;
            best = f;
        }
    }
    uint8_t *target = self->filtered + (size_t)self->pushed++ * (self->row_bytes + 1);
    target[0] = (uint8_t)best;
    memcpy(target + 1, self->tries + (size_t)best * self->row_bytes, self->row_bytes);
    memcpy(self->above, samples, self->row_bytes);
    return PX_OK;
}

static void put_32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static px_status write_chunk(png_encoder *self, const char *type, const uint8_t *data, size_t count, px_error *err)
{
    uint8_t head[8], tail[4];
    put_32(head, (uint32_t)count);
    memcpy(head + 4, type, 4);
    uint32_t crc = libdeflate_crc32(0, head + 4, 4);
    put_32(tail, count ? libdeflate_crc32(crc, data, count) : crc);
    PX_TRY(px_write_all(self->fd, head, sizeof head, "the output", err));
    PX_TRY(px_write_all(self->fd, data, count, "the output", err));
    PX_TRY(px_write_all(self->fd, tail, sizeof tail, "the output", err));
    self->written += count + 12;
    return PX_OK;
}

static void free_bytes(uint8_t **bytes) { free(*bytes); }

static px_status write_profile(png_encoder *self, px_error *err)
{
    static const char head[] = "ICC profile\0"; /* a name, 0, the method 0 */
    px_bytes profile = self->spec.profile;
    size_t bound = libdeflate_zlib_compress_bound(self->deflate, profile.count);
    PX_AUTO(free_bytes) uint8_t *chunk = malloc(sizeof head + bound);
    if (!chunk)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a profile of %zu bytes", profile.count);
    memcpy(chunk, head, sizeof head);
    size_t bytes = libdeflate_zlib_compress(self->deflate, profile.data, profile.count, chunk + sizeof head, bound);
    return write_chunk(self, "iCCP", chunk, sizeof head + bytes, err);
}

static px_status write_metadata(png_encoder *self, px_error *err)
{
    const px_encoder_spec *spec = &self->spec;
    uint8_t minimal[PX_EXIF_BYTES];
    px_bytes exif = px_exif_of(spec, minimal);
    if (exif.count)
        PX_TRY(write_chunk(self, "eXIf", exif.data, exif.count, err));
    if (spec->xmp.count) {
        PX_AUTO(free_bytes) uint8_t *chunk = malloc(sizeof PX_PNG_XMP + spec->xmp.count);
        if (!chunk)
            return px_fail(err, PX_OUT_OF_MEMORY, "no room for %zu bytes of XMP", spec->xmp.count);
        memcpy(chunk, PX_PNG_XMP, sizeof PX_PNG_XMP);
        memcpy(chunk + sizeof PX_PNG_XMP, spec->xmp.data, spec->xmp.count);
        PX_TRY(write_chunk(self, "iTXt", chunk, sizeof PX_PNG_XMP + spec->xmp.count, err));
    }
    self->written += spec->text.count;
    return px_write_all(self->fd, spec->text.data, spec->text.count, "the output", err);
}

static px_status write_start(png_encoder *self, px_error *err)
{
    const px_encoder_spec *spec = &self->spec;
    uint8_t header[13] = { [8] = 8 };
    put_32(header, (uint32_t)spec->width);
    put_32(header + 4, (uint32_t)spec->height);
    header[9] = (uint8_t)((spec->model == PX_GREY ? 0 : 2) + (spec->alpha == PX_OPAQUE ? 0 : 4));
    PX_TRY(px_write_all(self->fd, "\x89PNG\r\n\x1a\n", 8, "the output", err));
    self->written = 8;
    PX_TRY(write_chunk(self, "IHDR", header, sizeof header, err));
    if (spec->profile.count)
        PX_TRY(write_profile(self, err));
    return write_metadata(self, err);
}

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    png_encoder *self = (png_encoder *)base;
    size_t count = (self->row_bytes + 1) * (size_t)self->spec.height;
    size_t bound = libdeflate_zlib_compress_bound(self->deflate, count);
    PX_AUTO(free_bytes) uint8_t *packed = malloc(bound);
    if (!packed)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for %zu compressed bytes", bound);
    size_t bytes = libdeflate_zlib_compress(self->deflate, self->filtered, count, packed, bound);
    PX_TRY(write_start(self, err));
    for (size_t at = 0; at < bytes; at += CHUNK_BYTES)
        PX_TRY(write_chunk(self, "IDAT", packed + at, bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES, err));
    PX_TRY(write_chunk(self, "IEND", NULL, 0, err));
    *ret_bytes = self->written;
    return PX_OK;
}

static void encoder_close(px_encoder *base)
{
    png_encoder *self = (png_encoder *)base;
    free(self->above);
    free(self->tries);
    free(self->filtered);
    libdeflate_free_compressor(self->deflate);
    free(self);
}

px_status px_png_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    png_encoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a PNG encoder");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .push = encoder_push, .finish = encoder_finish, .close = encoder_close };
    self->spec = *spec;
    self->fd = fd;
    self->row_bytes = (size_t)spec->width * (size_t)px_channels(spec->model, spec->alpha);
    self->above = calloc(self->row_bytes, 1);
    self->tries = malloc(self->row_bytes * FILTERS);
    self->filtered = malloc((self->row_bytes + 1) * (size_t)spec->height);
    self->deflate = libdeflate_alloc_compressor(levels[spec->effort]);
    if (!self->above || !self->tries || !self->filtered || !self->deflate)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", spec->width, spec->height);
    *ret = held;
    held = NULL;
    return PX_OK;
}

uint64_t px_png_encoder_memory(const px_encoder_spec *spec)
{
    uint64_t row = (uint64_t)spec->width * (unsigned)px_channels(spec->model, spec->alpha);
    uint64_t held = (row + 1) * (uint64_t)spec->height;
    return sizeof(png_encoder) + row * 6 + held + held + held / 1000 + (4u << 20);
}
