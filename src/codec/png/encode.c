/* PNG out: the picture is held, at output size. When it is whole, channels that say nothing go; how to filter it (filter.h) is chosen by what
 * samples of it take; and it is deflated at once by libdeflate. One with few colours is tried with a palette too (palette.h), and the smaller
 * one is written. */
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "base/file.h"
#include "codec/big_endian.h"
#include "codec/exif.h"
#include "codec/formats.h"
#include "codec/png/filter.h"
#include "codec/png/palette.h"
#include "codec/png/write.h"

enum {
    CHUNK_BYTES = 1 << 30,
    HELD_BYTES = 64 << 20,        /* a bigger picture is filtered as it comes */
    BAND_ROWS = 8,                /* of samples: rows that lie together */
};

/* How hard it is tried: libdeflate's level for what is written, and for the samples by which strategies are judged; of how many bands a
 * sample has one; which strategies are judged, a bit each; and how readily more than one is tried on all of the picture (is_close). docs/quality.md has what came of it. */
static const struct { int level, sample_level, band_of; unsigned strategies; double closeness; } efforts[PX_EFFORT_COUNT] = {
    [PX_EFFORT_LOW] = { 2, 1, 8, 1u << PX_PNG_ALL_NONE | 1u << PX_PNG_ALL_SUB | 1u << PX_PNG_ALL_AVERAGE | 1u << PX_PNG_LEAST_ENTROPY, 0.000002 },
    [PX_EFFORT_NORMAL] = { 6, 2, 8, (1u << PX_PNG_STRATEGIES) - 1, 0.00002 },
    [PX_EFFORT_HIGH] = { 12, 6, 1, (1u << PX_PNG_STRATEGIES) - 1, 0.00002 },
};

typedef struct png_encoder {
    px_encoder base;
    px_encoder_spec spec;
    px_png_out out;
    size_t row_bytes;
    int pushed;
    bool is_opaque, is_grey;    /* so far, though it would not need to be */
    uint8_t *held;              /* owned; the picture; NULL where the option `palette` says how, and if it is too big */
    uint8_t *above;             /* owned; the row above: zeros for the first; of an arriving picture, the one before */
    uint8_t *tries;             /* owned; PX_PNG_FILTERS rows, filtered */
    size_t sampled;             /* bytes of a sample */
    uint8_t *filtered;          /* owned; what will be deflated; NULL where the option `palette` says how */
    px_png_palette *palette;    /* owned; or NULL */
} png_encoder;

static bool is_all_opaque(const uint8_t *samples, size_t width, size_t channels)
{
    uint8_t all = 255;
    for (size_t x = 0; x < width; x++)
        all &= samples[x * channels + channels - 1];
    return all == 255;
}

static bool is_all_grey(const uint8_t *samples, size_t width, size_t channels)
{
    unsigned differ = 0;
    for (size_t x = 0; x < width; x++, samples += channels)
        differ |= (unsigned)(samples[0] ^ samples[1]) | (unsigned)(samples[1] ^ samples[2]);
    return differ == 0;
}

static size_t channels_of(const px_encoder_spec *spec) { return (size_t)px_channels(spec->model, spec->alpha); }

static void filter_arriving(png_encoder *self, const uint8_t *samples, size_t y)
{
    uint8_t *target = self->filtered + y * (self->row_bytes + 1);
    px_png_filter(PX_PNG_LEAST_SUM, samples, self->above, self->row_bytes, channels_of(&self->spec), self->tries, target);
    memcpy(self->above, samples, self->row_bytes);
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    (void)err;
    png_encoder *self = (png_encoder *)base;
    const uint8_t *samples = row->planes[0].samples;
    size_t y = (size_t)self->pushed++, channels = channels_of(&self->spec);
    if (self->palette)
        px_png_palette_push(self->palette, samples);
    if (self->held)
        memcpy(self->held + y * self->row_bytes, samples, self->row_bytes);
    else if (self->filtered)
        filter_arriving(self, samples, y);
    self->is_opaque = self->is_opaque && is_all_opaque(samples, (size_t)self->spec.width, channels);
    self->is_grey = self->is_grey && is_all_grey(samples, (size_t)self->spec.width, channels);
    return PX_OK;
}

/* Leaves out channels that say nothing: alpha of a picture that is opaque, and two of the colours of one that is grey. */
static void reduce(png_encoder *self)
{
    size_t from = channels_of(&self->spec);
    px_encoder_spec spec = self->spec;
    spec.alpha = self->is_opaque ? PX_OPAQUE : spec.alpha;
    spec.model = self->is_grey ? PX_GREY : spec.model;
    size_t to = channels_of(&spec), colours = (size_t)px_channels(spec.model, PX_OPAQUE), pixels = (size_t)spec.width * (size_t)spec.height;
    if (to == from)
        return;
    uint8_t *target = self->held;
    for (const uint8_t *pixel = self->held; pixels > 0; pixels--, pixel += from, target += to) {
        uint8_t alpha = pixel[from - 1];
        memmove(target, pixel, colours);
        if (spec.alpha != PX_OPAQUE)
            target[colours] = alpha;
    }
    self->spec = spec;
    self->row_bytes = (size_t)spec.width * to;
}

/* Filters `rows` rows from `first` on. */
static void filter_rows(png_encoder *self, px_png_strategy strategy, int first, int rows, uint8_t *target)
{
    size_t step = channels_of(&self->spec);
    for (int y = first; y < first + rows; y++, target += self->row_bytes + 1) {
        const uint8_t *row = self->held + (size_t)y * self->row_bytes;
        px_png_filter(strategy, row, y ? row - self->row_bytes : self->above, self->row_bytes, step, self->tries, target);
    }
}

/* How many bytes a sample of the picture takes: bands that lie evenly over it. */
static size_t try_strategy(png_encoder *self, struct libdeflate_compressor *deflate, px_png_strategy strategy, uint8_t *packed, size_t room)
{
    int height = self->spec.height, every = BAND_ROWS * efforts[self->spec.effort].band_of, count = every > BAND_ROWS ? height / every : 0;
    size_t at = 0;
    for (int i = 0; i < (count ? count : 1); i++) {
        int rows = count ? BAND_ROWS : height;
        filter_rows(self, strategy, i * every, rows, self->filtered + at);
        at += (size_t)rows * (self->row_bytes + 1);
    }
    self->sampled = at;
    return libdeflate_zlib_compress(deflate, self->filtered, at, packed, room);
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

/* What a sample takes by each strategy; SIZE_MAX for those that are not tried. */
static px_status sample_strategies(png_encoder *self, size_t took[PX_PNG_STRATEGIES], px_error *err)
{
    size_t room = libdeflate_zlib_compress_bound(NULL, (self->row_bytes + 1) * (size_t)self->spec.height);
    struct libdeflate_compressor *deflate = libdeflate_alloc_compressor(efforts[self->spec.effort].sample_level);
    PX_AUTO(free_bytes) uint8_t *packed = deflate ? malloc(room) : NULL;
    for (px_png_strategy s = 0; packed && s < PX_PNG_STRATEGIES; s++) {
        took[s] = efforts[self->spec.effort].strategies >> s & 1 ? try_strategy(self, deflate, s, packed, room) : SIZE_MAX;
    }
    libdeflate_free_compressor(deflate);
    return packed ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no room for a sample of a picture of %dx%d", self->spec.width, self->spec.height);
}

/* Is a strategy whose sample took more than the least still worth a try? A sample says little where much repeats, and there deflating takes
 * least time: what may be between the two grows with the cube of what the sample shrank by. */
static bool is_close(const png_encoder *self, size_t took, size_t least)
{
    double ratio = (double)self->sampled / (double)least, most = efforts[self->spec.effort].closeness * ratio * ratio * ratio;
    return took != SIZE_MAX && (double)(took - least) <= most * (double)least;
}

/* The smaller of the two stays in *ret. */
static void keep_smaller(uint8_t **ret, size_t *ret_bytes, uint8_t **other, size_t bytes)
{
    if (*ret && *ret_bytes <= bytes)
        return;
    uint8_t *worse = *ret;
    *ret = *other;
    *ret_bytes = bytes;
    *other = worse;
}

/* The picture, by the strategy that suits it. */
static px_status deflate_picture(png_encoder *self, uint8_t **ret, size_t *ret_bytes, px_error *err)
{
    size_t count = (self->row_bytes + 1) * (size_t)self->spec.height, took[PX_PNG_STRATEGIES], least = SIZE_MAX;
    if (!self->held)
        return deflate_rows(self, self->filtered, count, ret, ret_bytes, err);
    PX_TRY(sample_strategies(self, took, err));
    for (px_png_strategy s = 0; s < PX_PNG_STRATEGIES; s++)
        least = took[s] < least ? took[s] : least;
    size_t last = SIZE_MAX;
    for (px_png_strategy s = PX_PNG_STRATEGIES; s-- > 0;) { /* the best first, as a rule */
        PX_AUTO(free_bytes) uint8_t *packed = NULL;
        size_t bytes = 0;
        if (!is_close(self, took[s], least) || took[s] == last) /* just as many: the same filters, as a rule */
            continue;
        last = took[s];
        filter_rows(self, s, 0, self->spec.height, self->filtered);
        PX_TRY(deflate_rows(self, self->filtered, count, &packed, &bytes, err));
        keep_smaller(ret, ret_bytes, &packed, bytes);
    }
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
    if (self->held)
        reduce(self);
    if (self->filtered)
        PX_TRY(deflate_picture(self, &packed, &bytes, err));
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
    free(self->held);
    free(self->above);
    free(self->tries);
    free(self->filtered);
    px_png_palette_destroy(self->palette);
    libdeflate_free_compressor(self->out.deflate);
    free(self);
}

struct libdeflate_compressor *px_png_deflate(px_effort effort) { return libdeflate_alloc_compressor(efforts[effort].level); }

static bool is_held_by(const px_encoder_spec *spec)
{
    return !spec->palette && (uint64_t)spec->width * (uint64_t)spec->height * channels_of(spec) <= HELD_BYTES;
}

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
    bool is_held = is_held_by(spec);
    if (is_held)
        self->held = malloc(self->row_bytes * (size_t)spec->height);
    self->is_opaque = is_held && spec->alpha != PX_OPAQUE;
    self->is_grey = is_held && spec->model == PX_RGB && !spec->profile.count; /* a profile of colours would not suit it */
    self->out.deflate = px_png_deflate(spec->effort);
    PX_TRY(px_png_palette_create(spec, &self->palette, err));
    if (!self->above || !self->tries || (!self->filtered && !spec->palette) || (!self->held && is_held) || !self->out.deflate)
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
           (spec->effort == PX_EFFORT_LOW ? 0 : held) + (is_held_by(spec) ? 2 * held + held / 1000 + (4u << 20) : 0);
}
