/* TIFF out, by us: one page of 8-bit grey or RGB, in strips, each the differences of neighbours (predictor 2) deflated.
 *
 * The directory stands in front, so that a reader need not look for it, and says where each strip lies: the strips are held,
 * compressed, until all are there. TIFF 6.0's little-endian form; deflate as in its Technical Note of 2002.
 *
 * A block of EXIF is a TIFF without a picture: the file begins with it, so that all its offsets hold, in its order of bytes; the
 * entries of its first directory are repeated in the file's, among those of the picture. */
#include <stdlib.h>

#include <libdeflate.h>

#include "base/file.h"
#include "codec/formats.h"

enum { STRIP_BYTES = 256 << 10, ENTRIES_MAX = 16, HEAD_BYTES = 8, ENTRY_BYTES = 12 };
enum { BYTE = 1, SHORT = 3, LONG = 4, UNDEFINED = 7 };

static const int levels[PX_EFFORT_COUNT] = { [PX_EFFORT_LOW] = 2, [PX_EFFORT_NORMAL] = 6, [PX_EFFORT_HIGH] = 12 };

typedef struct strip {
    uint8_t *data; /* owned */
    size_t count;
} strip;

typedef struct tiff_encoder {
    px_encoder base;
    px_encoder_spec spec;
    int fd;
    int channels;
    size_t row_bytes;
    int strip_rows, strip_count; /* rows of each but the last; how many there will be */
    int pushed;                  /* rows */
    uint8_t *rows;               /* owned; the strip being filled, as differences */
    uint8_t *packed;             /* owned; room for it deflated */
    size_t packed_room;
    strip *strips;               /* owned */
    struct libdeflate_compressor *deflate; /* owned */
} tiff_encoder;

/* The directory while it grows: entries, and behind them the values that do not fit into one. */
typedef struct directory {
    uint8_t *bytes;      /* owned */
    size_t entry_at;     /* of the next entry */
    size_t value_at;     /* of the next value that does not fit */
    bool big_endian;     /* as the block of EXIF has it */
    px_bytes carried;    /* entries of that block which are still to come */
} directory;

static void put(const directory *self, uint8_t *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[self->big_endian ? bytes - 1 - i : i] = (uint8_t)(value >> (8 * i));
}

static uint32_t number_at(const directory *self, const uint8_t *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[self->big_endian ? i : bytes - 1 - i];
    return value;
}

/* The entries of the block up to that tag; one of the same is left out: the picture knows better. */
static void carry(directory *self, unsigned tag)
{
    for (; self->carried.count; self->carried = (px_bytes){ self->carried.data + ENTRY_BYTES, self->carried.count - ENTRY_BYTES }) {
        unsigned next = number_at(self, self->carried.data, 2);
        if (next > tag)
            return;
        if (next < tag) {
            memcpy(self->bytes + self->entry_at, self->carried.data, ENTRY_BYTES);
            self->entry_at += ENTRY_BYTES;
        }
    }
}

/* Adds an entry and returns where its value goes. Tags must ascend. */
static uint8_t *add_entry(directory *self, unsigned tag, int type, uint32_t count)
{
    carry(self, tag);
    uint8_t *entry = self->bytes + self->entry_at;
    size_t bytes = (size_t)count * (type == SHORT ? 2 : type == LONG ? 4 : 1);
    self->entry_at += ENTRY_BYTES;
    put(self, entry, tag, 2);
    put(self, entry + 2, (uint32_t)type, 2);
    put(self, entry + 4, count, 4);
    if (bytes <= 4)
        return entry + 8;
    put(self, entry + 8, (uint32_t)self->value_at, 4);
    uint8_t *value = self->bytes + self->value_at;
    self->value_at += (bytes + 1) & ~(size_t)1;
    return value;
}

static void add_number(directory *self, unsigned tag, int type, uint32_t value) { put(self, add_entry(self, tag, type, 1), value, type == SHORT ? 2 : 4); }

static void add_bytes(directory *self, unsigned tag, int type, px_bytes value)
{
    if (value.count)
        memcpy(add_entry(self, tag, type, (uint32_t)value.count), value.data, value.count);
}

/* Is there a block as px_exif_rewrite makes them? Then its order of bytes and its entries are taken over. */
static bool begin_with(directory *self, px_bytes exif)
{
    bool little = exif.count >= 14 && memcmp(exif.data, "II*\0\x08\0\0\0", HEAD_BYTES) == 0;
    self->big_endian = exif.count >= 14 && memcmp(exif.data, "MM\0*\0\0\0\x08", HEAD_BYTES) == 0;
    size_t count = little || self->big_endian ? number_at(self, exif.data + HEAD_BYTES, 2) : 0;
    if (count == 0 || count * ENTRY_BYTES > exif.count - HEAD_BYTES - 2) {
        self->big_endian = false;
        return false;
    }
    self->carried = (px_bytes){ exif.data + HEAD_BYTES + 2, count * ENTRY_BYTES };
    return true;
}

/* The directory at `at`; `first` is where the strips begin. */
static void fill(const tiff_encoder *self, directory *d, size_t at, uint32_t first)
{
    const px_encoder_spec *spec = &self->spec;
    uint32_t count = (uint32_t)self->strip_count;
    add_number(d, 256, LONG, (uint32_t)spec->width);
    add_number(d, 257, LONG, (uint32_t)spec->height);
    uint8_t *bits = add_entry(d, 258, SHORT, (uint32_t)self->channels);
    for (int c = 0; c < self->channels; c++)
        put(d, bits + 2 * c, 8, 2);
    add_number(d, 259, SHORT, 8);                             /* deflate */
    add_number(d, 262, SHORT, spec->model == PX_GREY ? 1 : 2); /* 0 is black; RGB */
    uint8_t *offsets = add_entry(d, 273, LONG, count);
    add_number(d, 274, SHORT, spec->orientation > 1 ? (uint32_t)spec->orientation : 1);
    add_number(d, 277, SHORT, (uint32_t)self->channels);
    add_number(d, 278, LONG, (uint32_t)self->strip_rows);
    uint8_t *counts = add_entry(d, 279, LONG, count);
    add_number(d, 284, SHORT, 1); /* samples of a pixel together */
    add_number(d, 317, SHORT, 2); /* differences across */
    if (spec->alpha != PX_OPAQUE)
        add_number(d, 338, SHORT, 2); /* alpha, unassociated */
    add_bytes(d, 700, BYTE, spec->xmp);
    add_bytes(d, 34675, UNDEFINED, spec->profile);
    carry(d, UINT16_MAX + 1);
    put(d, d->bytes + at, (uint32_t)((d->entry_at - at - 2) / ENTRY_BYTES), 2);
    for (uint32_t i = 0; i < count; i++) {
        put(d, offsets + 4 * i, first, 4);
        put(d, counts + 4 * i, (uint32_t)self->strips[i].count, 4);
        first += (uint32_t)self->strips[i].count;
    }
}

static px_status pack_strip(tiff_encoder *self, int rows, px_error *err)
{
    size_t bytes = libdeflate_zlib_compress(self->deflate, self->rows, self->row_bytes * (size_t)rows, self->packed, self->packed_room);
    strip *s = &self->strips[(self->pushed - 1) / self->strip_rows];
    s->data = malloc(bytes);
    if (!s->data)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a strip of %zu bytes", bytes);
    memcpy(s->data, self->packed, bytes);
    s->count = bytes;
    return PX_OK;
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    tiff_encoder *self = (tiff_encoder *)base;
    const uint8_t *from = row->planes[0].samples;
    size_t step = (size_t)self->channels;
    uint8_t *to = self->rows + (size_t)(self->pushed % self->strip_rows) * self->row_bytes;
    memcpy(to, from, step);
    for (size_t i = step; i < self->row_bytes; i++)
        to[i] = (uint8_t)(from[i] - from[i - step]);
    self->pushed++;
    if (self->pushed % self->strip_rows != 0 && self->pushed != self->spec.height)
        return PX_OK;
    return pack_strip(self, (self->pushed - 1) % self->strip_rows + 1, err);
}

static void free_bytes(uint8_t **bytes) { free(*bytes); }

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    tiff_encoder *self = (tiff_encoder *)base;
    const px_encoder_spec *spec = &self->spec;
    directory d = { 0 };
    size_t head = begin_with(&d, spec->exif) ? (spec->exif.count + 1) & ~(size_t)1 : HEAD_BYTES;
    size_t entries_end = head + 2 + ENTRIES_MAX * ENTRY_BYTES + d.carried.count + 4;
    size_t room = entries_end + 8 + 8 * (size_t)self->strip_count + spec->profile.count + spec->xmp.count + 8;
    PX_AUTO(free_bytes) uint8_t *bytes = calloc(room, 1);
    if (!bytes)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a directory of %zu bytes", room);
    uint64_t all = room;
    for (int i = 0; i < self->strip_count; i++)
        all += self->strips[i].count;
    if (all > UINT32_MAX)
        return px_fail(err, PX_BAD_RECIPE, "tiff cannot hold %dx%d pixels of this picture: it would be over 4 GiB", spec->width, spec->height);
    if (d.carried.count)
        memcpy(bytes, spec->exif.data, spec->exif.count);
    else
        memcpy(bytes, "II*\0", 4);
    d.bytes = bytes;
    put(&d, bytes + 4, (uint32_t)head, 4);
    d.entry_at = head + 2;
    d.value_at = entries_end;
    fill(self, &d, head, (uint32_t)room);
    PX_TRY(px_write_all(self->fd, bytes, room, "the output", err));
    for (int i = 0; i < self->strip_count; i++)
        PX_TRY(px_write_all(self->fd, self->strips[i].data, self->strips[i].count, "the output", err));
    *ret_bytes = all;
    return PX_OK;
}

static void encoder_close(px_encoder *base)
{
    tiff_encoder *self = (tiff_encoder *)base;
    for (int i = 0; self->strips && i < self->strip_count; i++)
        free(self->strips[i].data);
    free(self->strips);
    free(self->rows);
    free(self->packed);
    libdeflate_free_compressor(self->deflate);
    free(self);
}

static int strip_rows_of(const px_encoder_spec *spec)
{
    size_t row = (size_t)spec->width * (size_t)px_channels(spec->model, spec->alpha);
    size_t rows = STRIP_BYTES / row;
    return rows == 0 ? 1 : rows > (size_t)spec->height ? spec->height : (int)rows;
}

px_status px_tiff_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    tiff_encoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a TIFF encoder");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .push = encoder_push, .finish = encoder_finish, .close = encoder_close };
    self->spec = *spec;
    self->fd = fd;
    self->channels = px_channels(spec->model, spec->alpha);
    self->row_bytes = (size_t)spec->width * (size_t)self->channels;
    self->strip_rows = strip_rows_of(spec);
    self->strip_count = (spec->height + self->strip_rows - 1) / self->strip_rows;
    self->strips = calloc((size_t)self->strip_count, sizeof *self->strips);
    self->deflate = libdeflate_alloc_compressor(levels[spec->effort]);
    size_t strip_bytes = self->row_bytes * (size_t)self->strip_rows;
    self->packed_room = self->deflate ? libdeflate_zlib_compress_bound(self->deflate, strip_bytes) : 0;
    self->rows = malloc(strip_bytes);
    self->packed = malloc(self->packed_room);
    if (!self->strips || !self->deflate || !self->rows || !self->packed)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", spec->width, spec->height);
    *ret = held;
    held = NULL;
    return PX_OK;
}

uint64_t px_tiff_encoder_memory(const px_encoder_spec *spec)
{
    uint64_t row = (uint64_t)spec->width * (unsigned)px_channels(spec->model, spec->alpha), held = row * (uint64_t)spec->height;
    uint64_t strip_bytes = row * (unsigned)strip_rows_of(spec);
    return sizeof(tiff_encoder) + held + held / 1000 + 3 * strip_bytes + (uint64_t)spec->height * 32 + spec->profile.count + (4u << 20);
}
