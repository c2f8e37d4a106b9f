/* TIFF out, by us: one page of 8-bit grey or RGB, in strips, each the differences of neighbours (predictor 2) deflated.
 *
 * The directory stands in front, so that a reader need not look for it, and says where each strip lies: the strips are held,
 * compressed, until all are there. TIFF 6.0's little-endian form; deflate as in its Technical Note of 2002. */
#include <stdlib.h>

#include <libdeflate.h>

#include "base/file.h"
#include "codec/formats.h"
#include "codec/tiff/directory.h"

enum { STRIP_BYTES = 256 << 10, ENTRIES_MAX = 16, BYTE = PX_TIFF_BYTE, SHORT = PX_TIFF_SHORT, LONG = PX_TIFF_LONG, UNDEFINED = PX_TIFF_UNDEFINED };

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

static void fill(const tiff_encoder *self, px_tiff_directory *d)
{
    const px_encoder_spec *spec = &self->spec;
    uint32_t count = (uint32_t)self->strip_count, first = (uint32_t)d->count; /* where the strips begin */
    px_tiff_add_number(d, 256, LONG, (uint32_t)spec->width);
    px_tiff_add_number(d, 257, LONG, (uint32_t)spec->height);
    uint8_t *bits = px_tiff_add(d, 258, SHORT, (uint32_t)self->channels, 2);
    for (int c = 0; c < self->channels; c++)
        px_tiff_put(d, bits + 2 * c, 8, 2);
    px_tiff_add_number(d, 259, SHORT, 8);                             /* deflate */
    px_tiff_add_number(d, 262, SHORT, spec->model == PX_GREY ? 1 : 2); /* 0 is black; RGB */
    uint8_t *offsets = px_tiff_add(d, 273, LONG, count, 4);
    px_tiff_add_number(d, 274, SHORT, spec->orientation > 1 ? (uint32_t)spec->orientation : 1);
    px_tiff_add_number(d, 277, SHORT, (uint32_t)self->channels);
    px_tiff_add_number(d, 278, LONG, (uint32_t)self->strip_rows);
    uint8_t *counts = px_tiff_add(d, 279, LONG, count, 4);
    px_tiff_add_number(d, 284, SHORT, 1); /* samples of a pixel together */
    px_tiff_add_number(d, 317, SHORT, 2); /* differences across */
    if (spec->alpha != PX_OPAQUE)
        px_tiff_add_number(d, 338, SHORT, 2); /* alpha, unassociated */
    px_tiff_add_bytes(d, 700, BYTE, spec->xmp);
    px_tiff_add_bytes(d, 34675, UNDEFINED, spec->profile);
    px_tiff_directory_finish(d);
    for (uint32_t i = 0; i < count; i++) {
        px_tiff_put(d, offsets + 4 * i, first, 4);
        px_tiff_put(d, counts + 4 * i, (uint32_t)self->strips[i].count, 4);
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

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    tiff_encoder *self = (tiff_encoder *)base;
    const px_encoder_spec *spec = &self->spec;
    PX_AUTO(px_tiff_directory_done) px_tiff_directory d = { 0 };
    PX_TRY(px_tiff_directory_init(&d, spec->exif, -1, ENTRIES_MAX, 8 + 8 * (size_t)self->strip_count + spec->profile.count + spec->xmp.count + 2, err));
    uint64_t all = d.count;
    for (int i = 0; i < self->strip_count; i++)
        all += self->strips[i].count;
    if (all > UINT32_MAX)
        return px_fail(err, PX_BAD_RECIPE, "tiff cannot hold %dx%d pixels of this picture: it would be over 4 GiB", spec->width, spec->height);
    fill(self, &d);
    PX_TRY(px_write_all(self->fd, d.bytes, d.count, "the output", err));
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
