/* APNG out (PNG specification, third edition, 4.9): the first frame is the still that readers without animation see; of each further one
 * only the rectangle that changed is written, as it is to be, alpha included, so that nothing ever needs to be disposed of. */
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "codec/big_endian.h"
#include "codec/canvas.h"
#include "codec/png/filter.h"
#include "codec/png/write.h"

enum { CHUNK_BYTES = 1 << 30 };

typedef struct png_animation {
    px_encoder base;
    px_encoder_spec spec;
    px_png_out out;
    size_t step, row_bytes;
    uint8_t *before, *now;      /* owned; the frame that is shown, and the one that comes */
    uint8_t *blank;             /* owned; a row of zeros: above the first */
    uint8_t *tries;             /* owned; PX_PNG_FILTERS rows */
    uint8_t *filtered;          /* owned; of the rectangle */
    uint8_t *packed;            /* owned; likewise, deflated, behind room for a sequence number */
    size_t packed_room;
    int pushed;                 /* rows of the frame that comes */
    int frames;                 /* written */
    int milliseconds;           /* of the frame that comes */
    uint32_t sequence;          /* of the next fcTL or fdAT */
} png_animation;

static px_status write_head(png_animation *self, px_error *err)
{
    uint8_t control[8];
    px_put_32(control, (uint32_t)self->spec.frames);
    px_put_32(control + 4, (uint32_t)self->spec.loops);
    PX_TRY(px_png_start(&self->out, &self->spec, 8, px_png_colour_type(&self->spec), err));
    return px_png_chunk(&self->out, "acTL", control, sizeof control, err);
}

/* Milliseconds, or hundredths or seconds where they are too many for 16 bits. */
static void put_delay(uint8_t *at, int milliseconds)
{
    static const int units[] = { 1000, 100, 1 };
    for (int i = 0; i < 3; i++) {
        int64_t count = ((int64_t)milliseconds * units[i] + 500) / 1000;
        px_put_16(at, count > 65535 ? 65535u : (uint32_t)count);
        px_put_16(at + 2, (uint32_t)units[i]);
        if (count <= 65535)
            return;
    }
}

static px_status write_control(png_animation *self, px_rectangle r, px_error *err)
{
    uint8_t control[26] = { 0 }; /* dispose: none; blend: source */
    px_put_32(control, self->sequence++);
    px_put_32(control + 4, (uint32_t)r.width);
    px_put_32(control + 8, (uint32_t)r.height);
    px_put_32(control + 12, (uint32_t)r.x);
    px_put_32(control + 16, (uint32_t)r.y);
    put_delay(control + 20, self->milliseconds);
    return px_png_chunk(&self->out, "fcTL", control, sizeof control, err);
}

/* The smallest rectangle in which the frames differ; without any, one pixel. */
static px_rectangle changed(const png_animation *self)
{
    int left = self->spec.width, right = 0, top = -1, bottom = 0;
    for (int y = 0; y < self->spec.height; y++) {
        const uint8_t *before = self->before + (size_t)y * self->row_bytes, *now = self->now + (size_t)y * self->row_bytes;
        if (memcmp(before, now, self->row_bytes) == 0)
            continue;
        int first = 0, last = self->spec.width - 1;
        while (memcmp(before + (size_t)first * self->step, now + (size_t)first * self->step, self->step) == 0)
            first++;
        while (memcmp(before + (size_t)last * self->step, now + (size_t)last * self->step, self->step) == 0)
            last--;
        left = first < left ? first : left;
        right = last + 1 > right ? last + 1 : right;
        top = top < 0 ? y : top;
        bottom = y + 1;
    }
    return top < 0 ? (px_rectangle){ 0, 0, 1, 1 } : (px_rectangle){ left, top, right - left, bottom - top };
}

static px_status write_data(png_animation *self, px_rectangle r, px_error *err)
{
    size_t count = (size_t)r.width * self->step;
    const uint8_t *above = self->blank;
    for (int y = 0; y < r.height; y++) {
        const uint8_t *row = self->now + (size_t)(r.y + y) * self->row_bytes + (size_t)r.x * self->step;
        px_png_filter(PX_PNG_LEAST_SUM, row, above, count, self->step, self->tries, self->filtered + (size_t)y * (count + 1));
        above = row;
    }
    size_t bytes = libdeflate_zlib_compress(self->out.deflate, self->filtered, (count + 1) * (size_t)r.height, self->packed + 4, self->packed_room);
    for (size_t at = 0; at < bytes; at += CHUNK_BYTES) {
        size_t some = bytes - at < CHUNK_BYTES ? bytes - at : CHUNK_BYTES;
        uint8_t *data = self->packed + 4 + at;
        if (self->frames > 0)
            px_put_32(data - 4, self->sequence++); /* over bytes that were written */
        PX_TRY(self->frames > 0 ? px_png_chunk(&self->out, "fdAT", data - 4, some + 4, err)
                                : px_png_chunk(&self->out, "IDAT", data, some, err));
    }
    return PX_OK;
}

static px_status end_frame(png_animation *self, px_error *err)
{
    px_rectangle place = { 0, 0, self->spec.width, self->spec.height };
    if (self->frames == 0)
        PX_TRY(write_head(self, err));
    else
        place = changed(self);
    PX_TRY(write_control(self, place, err));
    PX_TRY(write_data(self, place, err));
    uint8_t *shown = self->now;
    self->now = self->before;
    self->before = shown;
    self->frames++;
    self->pushed = 0;
    return PX_OK;
}

static px_status animation_next(px_encoder *base, int milliseconds, px_error *err)
{
    png_animation *self = (png_animation *)base;
    if (self->pushed == self->spec.height)
        PX_TRY(end_frame(self, err));
    self->milliseconds = milliseconds;
    return PX_OK;
}

static px_status animation_push(px_encoder *base, const px_row *row, px_error *err)
{
    (void)err;
    png_animation *self = (png_animation *)base;
    memcpy(self->now + (size_t)self->pushed++ * self->row_bytes, row->planes[0].samples, self->row_bytes);
    return PX_OK;
}

static px_status animation_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    png_animation *self = (png_animation *)base;
    PX_TRY(end_frame(self, err));
    PX_TRY(px_png_chunk(&self->out, "IEND", NULL, 0, err));
    *ret_bytes = self->out.written;
    return PX_OK;
}

static void animation_close(px_encoder *base)
{
    png_animation *self = (png_animation *)base;
    libdeflate_free_compressor(self->out.deflate);
    free(self->before);
    free(self->now);
    free(self->blank);
    free(self->tries);
    free(self->filtered);
    free(self->packed);
    free(self);
}

px_status px_png_animation_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    png_animation *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a PNG encoder");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .next = animation_next, .push = animation_push, .finish = animation_finish, .close = animation_close };
    self->spec = *spec;
    self->out.fd = fd;
    self->step = (size_t)px_channels(spec->model, spec->alpha);
    self->row_bytes = (size_t)spec->width * self->step;
    size_t height = (size_t)spec->height, filtered = (self->row_bytes + 1) * height;
    self->out.deflate = px_png_deflate(spec->effort);
    self->before = malloc(self->row_bytes * height);
    self->now = malloc(self->row_bytes * height);
    self->blank = calloc(self->row_bytes, 1);
    self->tries = malloc(self->row_bytes * PX_PNG_FILTERS);
    self->filtered = malloc(filtered);
    self->packed_room = self->out.deflate ? libdeflate_zlib_compress_bound(self->out.deflate, filtered) : 0;
    self->packed = malloc(4 + self->packed_room);
    if (!self->out.deflate || !self->before || !self->now || !self->blank || !self->tries || !self->filtered || !self->packed)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for frames of %dx%d", spec->width, spec->height);
    *ret = held;
    held = NULL;
    return PX_OK;
}

uint64_t px_png_animation_memory(const px_encoder_spec *spec)
{
    uint64_t row = (uint64_t)spec->width * (unsigned)px_channels(spec->model, spec->alpha), held = (row + 1) * (uint64_t)spec->height;
    return sizeof(png_animation) + row * 6 + held * 4 + held / 1000 + (4u << 20);
}
