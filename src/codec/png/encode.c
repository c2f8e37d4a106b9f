/* PNG out: each row gets the filter that leaves the least (the sum of absolute differences, as the specification
 * suggests in 12.7), the whole is deflated at once by libdeflate. The picture is therefore held, at output size.
 * One with few colours is tried with a palette too (palette.h), and the smaller one is written. */
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "base/file.h"
#include "codec/big_endian.h"
#include "codec/exif.h"
#include "codec/formats.h"
#include "codec/png/palette.h"
#include "codec/png/write.h"

enum { CHUNK_BYTES = 1 << 30 };

static const int levels[PX_EFFORT_COUNT] = { [PX_EFFORT_LOW] = 2, [PX_EFFORT_NORMAL] = 6, [PX_EFFORT_HIGH] = 12 };

typedef struct png_encoder {
    px_encoder base;
    px_encoder_spec spec;
    px_png_out out;
    size_t row_bytes;
    int pushed;
    uint8_t *above;             /* owned; the row before, unfiltered */
    uint8_t *tries;             /* owned; PX_PNG_FILTERS rows, filtered */
    uint8_t *filtered;          /* owned; what will be deflated; NULL where the option `palette` says how */
    px_png_palette *palette;    /* owned; or NULL */
} png_encoder;

static uint8_t paeth(int a, int b, int c)
{
    int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);
    return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* Writes the row through all five filters (9.2). */
static void filter_row(const uint8_t *row, const uint8_t *above, size_t count, size_t step, uint8_t *tries)
{
    uint8_t *none = tries, *sub = none + count, *up = sub + count, *average = up + count, *path = average + count;
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

void px_png_filter(const uint8_t *row, const uint8_t *above, size_t count, size_t step, uint8_t *tries, uint8_t *target)
{
    filter_row(row, above, count, step, tries);
    int best = 0;
    uint64_t least = UINT64_MAX;
    for (int f = 0; f < PX_PNG_FILTERS; f++) {
        uint64_t cost = cost_of(tries + (size_t)f * count, count);
        if (cost < least) {
            least = cost;
            best = f;
        }
    }
    target[0] = (uint8_t)best;
    memcpy(target + 1, tries + (size_t)best * count, count);
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    (void)err;
    png_encoder *self = (png_encoder *)base;
    const uint8_t *samples = row->planes[0].samples;
    size_t y = (size_t)self->pushed++, step = (size_t)px_channels(self->spec.model, self->spec.alpha);
    if (self->palette)
        px_png_palette_push(self->palette, samples);
    if (!self->filtered)
        return PX_OK;
    px_png_filter(samples, self->above, self->row_bytes, step, self->tries, self->filtered + y * (self->row_bytes + 1));
    memcpy(self->above, samples, self->row_bytes);
    return PX_OK;
}

px_status px_png_chunk(px_png_out *self, const char *type, const uint8_t *data, size_t count, px_error *err)
{
    uint8_t head[8], tail[4];
    px_put_32(head, (uint32_t)count);
    memcpy(head + 4, type, 4);
    uint32_t crc = libdeflate_crc32(0, head + 4, 4);
    px_put_32(tail, count ? libdeflate_crc32(crc, data, count) : crc);
    PX_TRY(px_write_all(self->fd, head, sizeof head, "the output", err));
    PX_TRY(px_write_all(self->fd, data, count, "the output", err));
    PX_TRY(px_write_all(self->fd, tail, sizeof tail, "the output", err));
    self->written += count + 12;
    return PX_OK;
}

static void free_bytes(uint8_t **bytes) { free(*bytes); }

static px_status write_profile(px_png_out *self, px_bytes profile, px_error *err)
{
    static const char head[] = "ICC profile\0"; /* a name, 0, the method 0 */
    size_t bound = libdeflate_zlib_compress_bound(self->deflate, profile.count);
    PX_AUTO(free_bytes) uint8_t *chunk = malloc(sizeof head + bound);
    if (!chunk)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a profile of %zu bytes", profile.count);
    memcpy(chunk, head, sizeof head);
    size_t bytes = libdeflate_zlib_compress(self->deflate, profile.data, profile.count, chunk + sizeof head, bound);
    return px_png_chunk(self, "iCCP", chunk, sizeof head + bytes, err);
}

static px_status write_metadata(px_png_out *self, const px_encoder_spec *spec, px_error *err)
{
    uint8_t minimal[PX_EXIF_BYTES];
    px_bytes exif = px_exif_of(spec, minimal);
    if (exif.count)
        PX_TRY(px_png_chunk(self, "eXIf", exif.data, exif.count, err));
    if (spec->xmp.count) {
        PX_AUTO(free_bytes) uint8_t *chunk = malloc(sizeof PX_PNG_XMP + spec->xmp.count);
        if (!chunk)
            return px_fail(err, PX_OUT_OF_MEMORY, "no room for %zu bytes of XMP", spec->xmp.count);
        memcpy(chunk, PX_PNG_XMP, sizeof PX_PNG_XMP);
        memcpy(chunk + sizeof PX_PNG_XMP, spec->xmp.data, spec->xmp.count);
        PX_TRY(px_png_chunk(self, "iTXt", chunk, sizeof PX_PNG_XMP + spec->xmp.count, err));
    }
    self->written += spec->text.count;
    return px_write_all(self->fd, spec->text.data, spec->text.count, "the output", err);
}

int px_png_colour_type(const px_encoder_spec *spec) { return (spec->model == PX_GREY ? 0 : 2) + (spec->alpha == PX_OPAQUE ? 0 : 4); }

px_status px_png_start(px_png_out *self, const px_encoder_spec *spec, int depth, int colour_type, px_error *err)
{
    uint8_t header[13] = { [8] = (uint8_t)depth, [9] = (uint8_t)colour_type };
    px_put_32(header, (uint32_t)spec->width);
    px_put_32(header + 4, (uint32_t)spec->height);
    PX_TRY(px_write_all(self->fd, "\x89PNG\r\n\x1a\n", 8, "the output", err));
    self->written = 8;
    PX_TRY(px_png_chunk(self, "IHDR", header, sizeof header, err));
    if (spec->profile.count)
        PX_TRY(write_profile(self, spec->profile, err));
    return write_metadata(self, spec, err);
}

/* Rows, deflated: *ret is owned by the caller. */
static px_status deflate_rows(png_encoder *self, const uint8_t *rows, size_t count, uint8_t **ret, size_t *ret_bytes, px_error *err)
{
    size_t bound = libdeflate_zlib_compress_bound(self->out.deflate, count);
    *ret = malloc(bound);
    if (!*ret)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for %zu compressed bytes", bound);
    *ret_bytes = libdeflate_zlib_compress(self->out.deflate, rows, count, *ret, bound);
    return PX_OK;
}

/* The opaque colours at the palette's end need no word in tRNS. */
static int count_transparent(const px_palette *palette)
{
    int count = palette->count;
    while (count > 0 && palette->colours[count - 1][3] == 255)
        count--;
    return count;
}

static px_status write_palette(png_encoder *self, const px_palette *palette, int depth, px_error *err)
{
    uint8_t colours[3 * PX_PALETTE_COLOURS], alphas[PX_PALETTE_COLOURS];
    int transparent = count_transparent(palette);
    for (int i = 0; i < palette->count; i++) {
        memcpy(colours + 3 * i, palette->colours[i], 3);
        alphas[i] = palette->colours[i][3];
    }
    PX_TRY(px_png_start(&self->out, &self->spec, depth, PX_PNG_PALETTE, err));
    PX_TRY(px_png_chunk(&self->out, "PLTE", colours, 3 * (size_t)palette->count, err));
    return transparent ? px_png_chunk(&self->out, "tRNS", alphas, (size_t)transparent, err) : PX_OK;
}

static px_status write_end(png_encoder *self, const uint8_t *packed, size_t bytes, uint64_t *ret_bytes, px_error *err)
{
    for (size_t at = 0; at < bytes; at += CHUNK_BYTES)
        PX_TRY(px_png_chunk(&self->out, "IDAT", packed + at, bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES, err));
    PX_TRY(px_png_chunk(&self->out, "IEND", NULL, 0, err));
    *ret_bytes = self->out.written;
    return PX_OK;
}

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    png_encoder *self = (png_encoder *)base;
    PX_AUTO(free_bytes) uint8_t *packed = NULL;
    PX_AUTO(free_bytes) uint8_t *indexed = NULL;
    uint8_t *rows;
    size_t count, bytes = 0, indexed_bytes = 0;
    px_palette palette = { .count = 0 };
    int depth = 8;
    if (self->palette && px_png_palette_finish(self->palette, &palette, &depth, &rows, &count))
        PX_TRY(deflate_rows(self, rows, count, &indexed, &indexed_bytes, err));
    if (self->filtered)
        PX_TRY(deflate_rows(self, self->filtered, (self->row_bytes + 1) * (size_t)self->spec.height, &packed, &bytes, err));
    size_t more = 24 + 3 * (size_t)palette.count + (size_t)count_transparent(&palette);
    if (indexed && (!packed || indexed_bytes + more < bytes)) {
        PX_TRY(write_palette(self, &palette, depth, err));
        return write_end(self, indexed, indexed_bytes, ret_bytes, err);
    }
    PX_TRY(px_png_start(&self->out, &self->spec, 8, px_png_colour_type(&self->spec), err));
    return write_end(self, packed, bytes, ret_bytes, err);
}

static void encoder_close(px_encoder *base)
{
    png_encoder *self = (png_encoder *)base;
    free(self->above);
    free(self->tries);
    free(self->filtered);
    px_png_palette_destroy(self->palette);
    libdeflate_free_compressor(self->out.deflate);
    free(self);
}

struct libdeflate_compressor *px_png_deflate(px_effort effort) { return libdeflate_alloc_compressor(levels[effort]); }

px_status px_png_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    if (spec->frames > 1)
        return px_png_animation_open(spec, fd, ret, err);
    png_encoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a PNG encoder");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .push = encoder_push, .finish = encoder_finish, .close = encoder_close };
    self->spec = *spec;
    self->out.fd = fd;
    self->row_bytes = (size_t)spec->width * (size_t)px_channels(spec->model, spec->alpha);
    self->above = calloc(self->row_bytes, 1);
    self->tries = malloc(self->row_bytes * PX_PNG_FILTERS);
    if (!spec->palette)
        self->filtered = malloc((self->row_bytes + 1) * (size_t)spec->height);
    self->out.deflate = px_png_deflate(spec->effort);
    PX_TRY(px_png_palette_create(spec, &self->palette, err));
    if (!self->above || !self->tries || (!self->filtered && !spec->palette) || !self->out.deflate)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", spec->width, spec->height);
    *ret = held;
    held = NULL;
    return PX_OK;
}

uint64_t px_png_encoder_memory(const px_encoder_spec *spec)
{
    if (spec->frames > 1)
        return px_png_animation_memory(spec);
    uint64_t row = (uint64_t)spec->width * (unsigned)px_channels(spec->model, spec->alpha);
    uint64_t held = (row + 1) * (uint64_t)spec->height;
    return sizeof(png_encoder) + row * 6 + held + held + held / 1000 + (4u << 20) + px_png_palette_memory(spec) +
           (spec->effort == PX_EFFORT_LOW ? 0 : held);
}
