/* BMP in, by us: header, palette and masks are read at open, rows when they are asked for.
 *
 * Rows usually lie with the last first; each is read from where it lies, so nothing is held. Only run lengths (RLE4, RLE8) must
 * be undone in order: there one byte a pixel is held. What a mask or palette says becomes 8 bits a channel, rounded.
 * The names are those of Microsoft's BITMAPINFOHEADER and its ancestor and heirs. */
#include <assert.h>
#include <stdlib.h>

#include "codec/formats.h"

enum { FILE_HEAD = 14, CORE_BYTES = 12, INFO_BYTES = 40, V3_BYTES = 56, V5_BYTES = 124, INPUT_BYTES = 16 << 10 };

enum { PLAIN = 0, RLE8 = 1, RLE4 = 2, BITFIELDS = 3, ALPHA_BITFIELDS = 6, IN_PROFILE = 0x4d424544 }; /* "MBED" */

/* One channel in a pixel of 16 or 32 bits. */
typedef struct mask {
    uint32_t bits; /* 0: not there */
    int shift;
    uint32_t most; /* its greatest value */
} mask;

typedef struct bmp_decoder {
    px_decoder base;
    const px_source *source;
    const px_limits *limits;
    uint32_t header_bytes;
    int depth, compression;
    bool top_down;
    uint64_t pixels_at;       /* of the first row in the file */
    size_t stride;            /* of rows in the file, bytes */
    uint8_t palette[256][3];  /* RGB; entries that are not in the file are black */
    mask masks[4];            /* red, green, blue, alpha */
    uint8_t *raw;             /* owned; a row as it is in the file */
    uint8_t *row;             /* owned; a finished row */
    uint8_t *held;            /* owned; palette indices of the whole picture, the first row in the file first, if they were run lengths */
    int held_rows;            /* of those, that are there */
    uint8_t *profile;         /* owned; or NULL */
    int pulled;
    uint64_t input_offset;    /* run lengths: of the next byte to read */
    size_t input_at, input_count;
    uint8_t input[INPUT_BYTES];
} bmp_decoder;

static uint32_t two(const uint8_t *at) { return at[0] | (uint32_t)at[1] << 8; }
static uint32_t four(const uint8_t *at) { return two(at) | two(at + 2) << 16; }

static px_status read_bytes(const bmp_decoder *self, uint64_t offset, void *target, size_t count, px_error *err)
{
    size_t got;
    PX_TRY(px_source_read_at(self->source, offset, target, count, &got, err));
    if (got < count)
        return px_fail(err, PX_TRUNCATED_IMAGE, "BMP: the file ends before the picture does");
    if (offset + count > self->limits->input_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "the source is over %llu bytes (limits.input_bytes)",
                       (unsigned long long)self->limits->input_bytes);
    return PX_OK;
}

static px_status set_mask(mask *m, uint32_t bits, px_error *err)
{
    *m = (mask){ .bits = bits, .shift = bits ? __builtin_ctz(bits) : 0 };
    m->most = bits >> m->shift;
    if (m->most & (m->most + 1)) /* 2^n - 1 for bits in one run */
        return px_fail(err, PX_CORRUPT_IMAGE, "BMP: a channel's bits are scattered (0x%08x)", bits);
    return PX_OK;
}

/* The masks lie behind the 40 bytes that all headers begin with; in V2 and later that is inside. */
static px_status read_masks(bmp_decoder *self, px_error *err)
{
    static const uint32_t plain[2][4] = { { 0x7c00, 0x3e0, 0x1f, 0 }, { 0xff0000, 0xff00, 0xff, 0 } };
    uint8_t bytes[16] = { 0 };
    bool stored = self->compression == BITFIELDS || self->compression == ALPHA_BITFIELDS;
    int count = self->header_bytes >= V3_BYTES || self->compression == ALPHA_BITFIELDS ? 4 : 3;
    if (stored)
        PX_TRY(read_bytes(self, FILE_HEAD + INFO_BYTES, bytes, 4 * (size_t)count, err));
    for (int c = 0; c < 4; c++)
        PX_TRY(set_mask(&self->masks[c], stored ? four(bytes + 4 * c) : plain[self->depth == 32][c], err));
    return PX_OK;
}

/* Where the palette begins: behind the header, and behind masks that are not in it. */
static uint64_t headers_end(const bmp_decoder *self)
{
    uint64_t masks = self->header_bytes != INFO_BYTES ? 0 : self->compression == BITFIELDS ? 12 : self->compression == ALPHA_BITFIELDS ? 16 : 0;
    return FILE_HEAD + self->header_bytes + masks;
}

/* Some files say more colours than there is room for in front of the pixels: what lies there counts. */
static px_status read_palette(bmp_decoder *self, uint32_t wanted, px_error *err)
{
    uint8_t bytes[256 * 4];
    size_t each = self->header_bytes == CORE_BYTES ? 3 : 4;
    uint64_t at = headers_end(self), room = (self->pixels_at - at) / each;
    uint32_t most = 1u << self->depth, count = wanted == 0 || wanted > most ? most : wanted;
    count = count < room ? count : (uint32_t)room;
    PX_TRY(read_bytes(self, at, bytes, count * each, err));
    bool grey = true;
    for (uint32_t i = 0; i < count; i++) {
        for (int c = 0; c < 3; c++)
            self->palette[i][c] = bytes[i * each + 2 - (unsigned)c];
        grey = grey && self->palette[i][0] == self->palette[i][1] && self->palette[i][1] == self->palette[i][2];
    }
    self->base.header.model = grey ? PX_GREY : PX_RGB;
    return PX_OK;
}

/* BITMAPV5HEADER: bV5CSType, bV5ProfileData, bV5ProfileSize. What is not as it should be is passed over. */
static px_status read_profile(bmp_decoder *self, const uint8_t *header, px_error *err)
{
    uint64_t at = FILE_HEAD + (uint64_t)four(header + 112);
    size_t count = four(header + 116), got = 0;
    if (self->header_bytes < V5_BYTES || four(header + 56) != IN_PROFILE || count == 0 || count > PX_PROFILE_BYTES_MAX)
        return PX_OK;
    if (count > self->limits->metadata_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "BMP: more than %llu bytes of metadata (limits.metadata_bytes)",
                       (unsigned long long)self->limits->metadata_bytes);
    if (!(self->profile = malloc(count)))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a profile of %zu bytes", count);
    PX_TRY(px_source_read_at(self->source, at, self->profile, count, &got, err));
    self->base.header.profile = (px_bytes){ self->profile, got == count ? count : 0 };
    return PX_OK;
}

static bool is_header_size(uint32_t bytes)
{
    static const uint8_t known[] = { CORE_BYTES, INFO_BYTES, 52, V3_BYTES, 64 /* OS/2 2 */, 108, V5_BYTES };
    for (size_t i = 0; i < sizeof known; i++)
        if (bytes == known[i])
            return true;
    return false;
}

static px_status judge_coding(const bmp_decoder *self, px_error *err)
{
    int d = self->depth, c = self->compression;
    bool os2 = self->header_bytes == 64, fields = c == BITFIELDS || c == ALPHA_BITFIELDS;
    if (c != PLAIN && c != RLE8 && c != RLE4 && (!fields || os2))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "BMP: compression %d is not supported (only run lengths and bit fields are)", c);
    bool sound = d == 1 || d == 2 || d == 4 || d == 8 || d == 24 ? c == PLAIN || (c == RLE8 && d == 8) || (c == RLE4 && d == 4)
                                                                 : (d == 16 || d == 32) && (c == PLAIN || fields);
    return sound ? PX_OK : px_fail(err, PX_CORRUPT_IMAGE, "BMP: %d bits a pixel with compression %d", d, c);
}

/* The common part of all headers but the first. */
static px_status read_header(bmp_decoder *self, px_error *err)
{
    uint8_t head[FILE_HEAD + V5_BYTES] = { 0 }, *h = head + FILE_HEAD;
    PX_TRY(read_bytes(self, 0, head, FILE_HEAD + 4, err));
    self->header_bytes = four(h);
    PX_TRY(read_bytes(self, 0, head, FILE_HEAD + self->header_bytes, err));
    bool core = self->header_bytes == CORE_BYTES;
    uint32_t width = core ? two(h + 4) : four(h + 4), height = core ? two(h + 6) : four(h + 8);
    self->top_down = !core && height >> 31;
    height = self->top_down ? 0u - height : height;
    PX_TRY(px_judge_size(self->limits, width, height, err));
    self->base.header.width = (int)width;
    self->base.header.height = (int)height;
    self->depth = (int)two(core ? h + 10 : h + 14);
    uint32_t compression = core ? PLAIN : four(h + 16);
    self->compression = compression > 255 ? 255 : (int)compression;
    PX_TRY(judge_coding(self, err));
    self->stride = ((uint64_t)width * (unsigned)self->depth + 31) / 32 * 4;
    self->pixels_at = four(head + 10);
    if (self->pixels_at && self->pixels_at < headers_end(self))
        return px_fail(err, PX_CORRUPT_IMAGE, "BMP: the pixels begin in the header");
    if (!self->pixels_at) /* some writers leave it out */
        self->pixels_at = headers_end(self) + (self->depth > 8 ? 0 : (core ? 3u : 4u) << self->depth);
    PX_TRY(read_profile(self, h, err));
    if (self->depth <= 8)
        return read_palette(self, core ? 0 : four(h + 32), err);
    return self->depth == 24 ? PX_OK : read_masks(self, err);
}

static px_status next_byte(bmp_decoder *self, unsigned *ret, px_error *err)
{
    if (self->input_at == self->input_count) {
        PX_TRY(px_source_read_at(self->source, self->input_offset, self->input, sizeof self->input, &self->input_count, err));
        self->input_at = 0;
        self->input_offset += self->input_count;
        if (self->input_count == 0)
            return px_fail(err, PX_TRUNCATED_IMAGE, "BMP: the file ends before the picture does");
    }
    *ret = self->input[self->input_at++];
    return PX_OK;
}

/* The place in the picture where the next pixel goes, in the order of the file. */
typedef struct place {
    int x, y;
} place;

/* `count` pixels of one byte (RLE8) or of two nibbles in turn (RLE4). */
static px_status put_run(bmp_decoder *self, place *at, unsigned count, unsigned value, px_error *err)
{
    int width = self->base.header.width;
    if (count > (unsigned)(width - at->x) || at->y >= self->base.header.height)
        return px_fail(err, PX_CORRUPT_IMAGE, "BMP: a run goes over the edge");
    uint8_t *to = self->held + (size_t)at->y * (size_t)width + at->x;
    unsigned even = self->depth == 4 ? value >> 4 : value, odd = self->depth == 4 ? value & 15 : value;
    for (unsigned i = 0; i < count; i++)
        to[i] = (uint8_t)(i & 1 ? odd : even);
    at->x += (int)count;
    return PX_OK;
}

/* `count` pixels as they are, padded to an even number of bytes. */
static px_status put_literals(bmp_decoder *self, place *at, unsigned count, px_error *err)
{
    unsigned each = self->depth == 4 ? 2 : 1, bytes = (count + each - 1) / each, value = 0;
    for (unsigned i = 0; i < bytes; i++, count -= each) {
        PX_TRY(next_byte(self, &value, err));
        PX_TRY(put_run(self, at, count < each ? count : each, value, err));
    }
    return bytes & 1 ? next_byte(self, &value, err) : PX_OK;
}

/* Two zeros end a row, 0 1 the picture, 0 2 moves on; what was jumped over has the first colour. */
static px_status put_escape(bmp_decoder *self, place *at, unsigned code, bool *ret_ended, px_error *err)
{
    unsigned right = 0, down = 0;
    if (code > 2)
        return put_literals(self, at, code, err);
    *ret_ended = code == 1;
    if (code == 0)
        *at = (place){ 0, at->y + 1 };
    if (code == 2) {
        PX_TRY(next_byte(self, &right, err));
        PX_TRY(next_byte(self, &down, err));
        *at = (place){ at->x + (int)right, at->y + (int)down };
    }
    if (at->y > self->base.header.height || at->x > self->base.header.width)
        return px_fail(err, PX_CORRUPT_IMAGE, "BMP: the run lengths leave the picture");
    return PX_OK;
}

static px_status undo_runs(bmp_decoder *self, px_error *err)
{
    place at = { 0, 0 };
    self->input_offset = self->pixels_at;
    self->held_rows = self->base.header.height;
    for (bool ended = false; !ended;) {
        unsigned count = 0, value = 0;
        if (at.y == self->base.header.height - 1 && at.x == self->base.header.width)
            return PX_OK; /* all is there, whether or not it says so */
        px_status status = next_byte(self, &count, err);
        if (status == PX_OK)
            status = next_byte(self, &value, err);
        if (status == PX_OK)
            status = count ? put_run(self, &at, count, value, err) : put_escape(self, &at, value, &ended, err);
        if (status == PX_TRUNCATED_IMAGE && self->limits->truncated && at.y > 0) {
            self->base.header.truncated = true;
            self->held_rows = at.y;
            return PX_OK;
        }
        PX_TRY(status);
    }
    return PX_OK;
}

static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const bmp_decoder *self = (const bmp_decoder *)base;
    uint64_t width = (uint64_t)base->header.width;
    bool runs = self->compression == RLE4 || self->compression == RLE8;
    return sizeof *self + self->stride + width * 4 + (runs ? width * (uint64_t)base->header.height : 0) + base->header.profile.count;
}

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    bmp_decoder *self = (bmp_decoder *)base;
    bool runs = self->compression == RLE4 || self->compression == RLE8;
    self->row = malloc((size_t)base->header.width * 4);
    self->raw = malloc(self->stride);
    if (runs)
        self->held = calloc((size_t)base->header.width, (size_t)base->header.height);
    if (!self->row || !self->raw || (runs && !self->held))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for rows of %d pixels", base->header.width);
    if (runs)
        PX_TRY(undo_runs(self, err));
    else if (self->limits->truncated) /* the first row in the file has to be there; it may be the last one that is pulled */
        PX_TRY(read_bytes(self, self->pixels_at, self->raw, self->stride, err));
    *ret_width = base->header.width;
    *ret_height = base->header.height;
    return PX_OK;
}

static void expand_indices(bmp_decoder *self, const uint8_t *from, int depth)
{
    int channels = px_channels(self->base.header.model, PX_OPAQUE);
    for (int x = 0; x < self->base.header.width; x++) {
        size_t bit = (size_t)x * (size_t)depth;
        unsigned index = (unsigned)from[bit / 8] >> (8 - (unsigned)depth - bit % 8) & ((1u << depth) - 1);
        memcpy(self->row + x * channels, self->palette[index], (size_t)channels);
    }
}

static void expand_masked(bmp_decoder *self)
{
    int bytes = self->depth / 8, channels = px_channels(PX_RGB, self->base.header.alpha);
    const uint8_t *from = self->raw;
    for (int x = 0; x < self->base.header.width; x++, from += bytes) {
        uint32_t pixel = bytes == 4 ? four(from) : two(from);
        for (int c = 0; c < channels; c++) {
            const mask *m = &self->masks[c];
            uint64_t value = (pixel & m->bits) >> m->shift;
            self->row[x * channels + c] = m->bits ? (uint8_t)((value * 255 + m->most / 2) / m->most) : 0;
        }
    }
}

/* Row `y` of the file, as `row`. */
static px_status finish_row(bmp_decoder *self, int y, px_error *err)
{
    int width = self->base.header.width;
    if (self->held && y >= self->held_rows)
        return PX_TRUNCATED_IMAGE;
    if (self->held) {
        expand_indices(self, self->held + (size_t)y * (size_t)width, 8);
        return PX_OK;
    }
    PX_TRY(read_bytes(self, self->pixels_at + (uint64_t)y * self->stride, self->raw, self->stride, err));
    if (self->depth <= 8)
        expand_indices(self, self->raw, self->depth);
    else if (self->depth != 24)
        expand_masked(self);
    for (int i = 0; self->depth == 24 && i < 3 * width; i += 3) {
        self->row[i] = self->raw[i + 2];
        self->row[i + 1] = self->raw[i + 1];
        self->row[i + 2] = self->raw[i];
    }
    return PX_OK;
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    bmp_decoder *self = (bmp_decoder *)base;
    assert(self->pulled < base->header.height);
    int width = base->header.width, y = self->top_down ? self->pulled : base->header.height - 1 - self->pulled;
    self->pulled++;
    px_status status = finish_row(self, y, err);
    if (status == PX_TRUNCATED_IMAGE && self->limits->truncated) {
        base->header.truncated = true;
        px_fill_missing(self->row, (size_t)width * (size_t)px_channels(base->header.model, base->header.alpha), base->header.alpha);
        status = PX_OK;
    }
    PX_TRY(status);
    *ret = px_row_of(self->row, width, base->header.model, base->header.alpha);
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    bmp_decoder *self = (bmp_decoder *)base;
    free(self->raw);
    free(self->row);
    free(self->held);
    free(self->profile);
    free(self);
}

bool px_bmp_is(px_bytes first) { return px_has_bytes(first, 0, "BM", 2) && first.count >= FILE_HEAD + 4 && is_header_size(four(first.data + FILE_HEAD)); }

px_status px_bmp_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    bmp_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a BMP decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_BMP, .model = PX_RGB, .orientation = 1, .frames = 1 },
                               .memory = decoder_memory, .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    self->source = source;
    self->limits = limits;
    PX_TRY(read_header(self, err));
    self->base.header.alpha = self->masks[3].bits ? PX_STRAIGHT : PX_OPAQUE;
    *ret = held;
    held = NULL;
    return PX_OK;
}
