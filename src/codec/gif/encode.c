/* GIF out: every frame gets its palette from the quantiser, or shares the first one's if that has all its colours.
 *
 * A frame is written when the next one is known. Only the rectangle that changed is written, and in it what did not change is
 * transparent. Pixels that vanish can only vanish by clearing the frame before: it then grows to cover them all. So a frame that
 * waits is held as indices of the whole canvas, transparent outside of its rectangle. GIF has no half transparency: alpha below
 * half is none. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "codec/canvas.h"
#include "codec/formats.h"
#include "codec/gif/lzw.h"
#include "codec/quantise.h"

static const struct {
    int rounds;
    bool dither;
} efforts[PX_EFFORT_COUNT] = { [PX_EFFORT_LOW] = { 3, true }, [PX_EFFORT_NORMAL] = { 12, true }, [PX_EFFORT_HIGH] = { 40, true } };

typedef struct gif_encoder {
    px_encoder base;
    px_encoder_spec spec;
    int fd;
    uint64_t written;
    px_buffer out;              /* what is not yet in the file */
    px_quantiser *quantiser;    /* owned */
    uint32_t *table;            /* owned; of the LZW writer */
    uint8_t *before, *now;      /* owned; RGBA: what is shown when the frame comes, and what it shall be */
    uint8_t *change;            /* owned; RGBA: `now`, transparent where it is as before */
    uint8_t *packed;            /* owned; the indices of a rectangle */

    /* The frame that waits. */
    bool waiting;
    px_rectangle place;
    bool is_cleared;            /* before the next one */
    px_palette palette;
    int hundredths;
    uint8_t *indices;           /* owned; of the whole canvas */

    px_palette global;          /* of the first frame */
    int pushed;                 /* rows of the frame that comes */
    int frames;                 /* that came to their end */
    int milliseconds;           /* of the frame that comes */
    int64_t lag;                /* ms that were asked for and not yet written, less those too many */
} gif_encoder;

/* ---- blocks ---- */

static void put(px_buffer *out, int byte)
{
    uint8_t one = (uint8_t)byte;
    px_buffer_push(out, &one, 1);
}

static void put_16(px_buffer *out, int value)
{
    put(out, value & 255);
    put(out, value >> 8 & 255);
}

/* Bits of a pixel, at least 1. */
static int bits_of(const px_palette *palette)
{
    int bits = 1;
    while (1 << bits < palette->count)
        bits++;
    return bits;
}

static void put_palette(px_buffer *out, const px_palette *palette)
{
    for (int i = 0; i < 1 << bits_of(palette); i++)
        px_buffer_push(out, palette->colours[i], 3); /* those beyond its count are black */
}

static void put_profile(px_buffer *out, px_bytes profile)
{
    px_buffer_push(out, "\x21\xff\x0bICCRGBG1012", 14);
    for (size_t at = 0; at < profile.count; at += 255) {
        size_t some = profile.count - at < 255 ? profile.count - at : 255;
        put(out, (int)some);
        px_buffer_push(out, profile.data + at, some);
    }
    put(out, 0);
}

/* NETSCAPE2.0 says how often to repeat: one less than it plays. */
static void put_loops(px_buffer *out, int loops)
{
    if (loops == 1)
        return;
    px_buffer_push(out, "\x21\xff\x0bNETSCAPE2.0\x03\x01", 16);
    put_16(out, loops == 0 ? 0 : loops > 65536 ? 65535 : loops - 1);
    put(out, 0);
}

static void put_head(gif_encoder *self)
{
    px_buffer *out = &self->out;
    px_buffer_text(out, "GIF89a");
    put_16(out, self->spec.width);
    put_16(out, self->spec.height);
    put(out, 0xf0 | (bits_of(&self->global) - 1));
    put(out, 0);
    put(out, 0);
    put_palette(out, &self->global);
    if (self->spec.profile.count)
        put_profile(out, self->spec.profile);
    if (self->spec.frames > 1)
        put_loops(out, self->spec.loops);
}

static px_status flush(gif_encoder *self, px_error *err)
{
    if (px_buffer_failed(&self->out))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a GIF of %dx%d", self->spec.width, self->spec.height);
    PX_TRY(px_write_all(self->fd, self->out.data, self->out.count, "the output", err));
    self->written += self->out.count;
    px_buffer_clear(&self->out);
    return PX_OK;
}

static void put_control(const gif_encoder *self, px_buffer *out)
{
    if (self->spec.frames <= 1 && self->palette.transparent < 0)
        return;
    px_buffer_push(out, "\x21\xf9\x04", 3);
    put(out, (self->is_cleared ? 2 : 1) << 2 | (self->palette.transparent >= 0));
    put_16(out, self->hundredths);
    put(out, self->palette.transparent >= 0 ? self->palette.transparent : 0);
    put(out, 0);
}

static bool is_same(const px_palette *a, const px_palette *b)
{
    return a->count == b->count && a->transparent == b->transparent && memcmp(a->colours, b->colours, (size_t)a->count * 4) == 0;
}

/* The frame that waits, now that its rectangle and its end are known. */
static px_status write_waiting(gif_encoder *self, px_error *err)
{
    px_buffer *out = &self->out;
    px_rectangle r = self->place;
    if (!self->waiting)
        return PX_OK;
    bool shares = is_same(&self->palette, &self->global);
    put_control(self, out);
    put(out, 0x2c);
    put_16(out, r.x);
    put_16(out, r.y);
    put_16(out, r.width);
    put_16(out, r.height);
    put(out, shares ? 0 : 0x80 | (bits_of(&self->palette) - 1));
    if (!shares)
        put_palette(out, &self->palette);
    for (int y = 0; y < r.height; y++)
        memcpy(self->packed + (size_t)y * (size_t)r.width,
               self->indices + (size_t)(r.y + y) * (size_t)self->spec.width + (size_t)r.x, (size_t)r.width);
    px_lzw_write(out, self->packed, (size_t)r.width * (size_t)r.height, bits_of(&self->palette), self->table);
    self->waiting = false;
    return flush(self, err);
}

/* ---- what changed ---- */

static void extend(px_rectangle *r, px_rectangle by)
{
    if (r->width == 0) {
        *r = by;
        return;
    }
    int right = r->x + r->width > by.x + by.width ? r->x + r->width : by.x + by.width;
    int bottom = r->y + r->height > by.y + by.height ? r->y + r->height : by.y + by.height;
    r->x = r->x < by.x ? r->x : by.x;
    r->y = r->y < by.y ? r->y : by.y;
    r->width = right - r->x;
    r->height = bottom - r->y;
}

static bool differs(const uint8_t *before, const uint8_t *now) { return memcmp(before, now, 4) != 0; }
static bool vanishes(const uint8_t *before, const uint8_t *now) { return before[3] && !now[3]; }

/* The smallest rectangle that holds every pixel of which `is` true. */
static px_rectangle bounds(const gif_encoder *self, bool (*is)(const uint8_t *before, const uint8_t *now))
{
    px_rectangle r = { 0 };
    size_t width = (size_t)self->spec.width;
    for (int y = 0; y < self->spec.height; y++) {
        const uint8_t *before = self->before + (size_t)y * width * 4, *now = self->now + (size_t)y * width * 4;
        if (memcmp(before, now, width * 4) == 0)
            continue;
        int first = 0, last = self->spec.width - 1;
        while (first <= last && !is(before + 4 * first, now + 4 * first))
            first++;
        while (last > first && !is(before + 4 * last, now + 4 * last))
            last--;
        if (first <= last)
            extend(&r, (px_rectangle){ first, y, last - first + 1, 1 });
    }
    return r;
}

/* Clears the frame that waits, and `before` with it, if pixels vanish. */
static void clear_waiting(gif_encoder *self)
{
    px_rectangle r = bounds(self, vanishes);
    if (r.width == 0)
        return;
    extend(&self->place, r);
    self->is_cleared = true;
    for (int y = 0; y < self->place.height; y++)
        memset(self->before + 4 * ((size_t)(self->place.y + y) * (size_t)self->spec.width + (size_t)self->place.x), 0,
               4 * (size_t)self->place.width);
}

/* Fills `change` in the rectangle; true if something in it stays as it was, or is transparent. */
static bool find_change(gif_encoder *self, px_rectangle r)
{
    bool stays = false;
    for (int y = r.y; y < r.y + r.height; y++)
        for (size_t at = 4 * ((size_t)y * (size_t)self->spec.width + (size_t)r.x), end = at + 4 * (size_t)r.width; at < end; at += 4) {
            if (differs(self->before + at, self->now + at))
                memcpy(self->change + at, self->now + at, 4);
            else
                memset(self->change + at, 0, 4);
            stays |= self->change[at + 3] == 0;
        }
    return stays;
}

/* ---- frames ---- */

/* What GIF can say: hundredths. What is too short to be shown as asked is said as long as browsers make it. Rounding evens out over frames. */
static int hundredths_of(gif_encoder *self)
{
    int64_t wanted = (self->milliseconds <= 10 ? 100 : self->milliseconds) + self->lag;
    int64_t hundredths = (wanted + 5) / 10;
    hundredths = hundredths < 2 ? 2 : hundredths > 65535 ? 65535 : hundredths;
    self->lag = wanted - hundredths * 10;
    self->lag = self->lag > 5 ? 0 : self->lag < -5 ? -5 : self->lag;
    return (int)hundredths;
}

/* The waiting frame's palette and indices from `change`. The first frame of several keeps a transparent colour for the others. */
static void quantise(gif_encoder *self, bool is_first, bool transparent)
{
    px_rectangle r = self->place;
    size_t width = (size_t)self->spec.width, at = (size_t)r.y * width + (size_t)r.x;
    px_quantiser *quantiser = self->quantiser;
    px_quantiser_begin(quantiser);
    for (int y = 0; y < r.height; y++)
        px_quantiser_add(quantiser, self->change + 4 * (at + (size_t)y * width), (size_t)r.width);
    bool shares = !is_first && (!transparent || self->global.transparent >= 0) && px_quantiser_fits(quantiser, &self->global);
    if (shares)
        self->palette = self->global;
    else
        px_quantiser_choose(quantiser, PX_PALETTE_COLOURS, transparent, efforts[self->spec.effort].rounds, &self->palette);
    if (is_first && self->spec.frames > 1 && self->palette.transparent < 0 && self->palette.count < PX_PALETTE_COLOURS)
        px_quantiser_choose(quantiser, PX_PALETTE_COLOURS, true, efforts[self->spec.effort].rounds, &self->palette);
    if (is_first)
        self->global = self->palette;
    if (self->palette.transparent >= 0)
        memset(self->indices, self->palette.transparent, width * (size_t)self->spec.height);
    px_quantiser_map(quantiser, &self->palette, self->change + 4 * at, width * 4, r.width, r.height,
                     efforts[self->spec.effort].dither, self->indices + at, width);
}

static px_status end_frame(gif_encoder *self, px_error *err)
{
    px_rectangle whole = { 0, 0, self->spec.width, self->spec.height }, place = whole;
    bool is_first = self->frames++ == 0;
    if (!is_first) {
        clear_waiting(self);
        PX_TRY(write_waiting(self, err));
        place = bounds(self, differs);
        if (place.width == 0) /* nothing changed: the least that can be said */
            place = (px_rectangle){ 0, 0, 1, 1 };
    }
    bool stays = find_change(self, place);
    bool covers = place.width == whole.width && place.height == whole.height;
    self->place = place;
    self->is_cleared = false;
    self->hundredths = self->spec.frames > 1 ? hundredths_of(self) : 0;
    quantise(self, is_first, stays || !covers);
    self->waiting = true;
    if (is_first)
        put_head(self);
    uint8_t *shown = self->now;
    self->now = self->before;
    self->before = shown;
    self->pushed = 0;
    return PX_OK;
}

static px_status encoder_next(px_encoder *base, int milliseconds, px_error *err)
{
    gif_encoder *self = (gif_encoder *)base;
    if (self->pushed == self->spec.height)
        PX_TRY(end_frame(self, err));
    self->milliseconds = milliseconds;
    return PX_OK;
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    (void)err;
    gif_encoder *self = (gif_encoder *)base;
    const uint8_t *from = row->planes[0].samples;
    int channels = px_channels(self->spec.model, self->spec.alpha), green = self->spec.model == PX_GREY ? 0 : 1;
    uint8_t *target = self->now + (size_t)self->pushed++ * (size_t)self->spec.width * 4;
    for (int x = 0; x < self->spec.width; x++, from += channels, target += 4) {
        bool seen = self->spec.alpha == PX_OPAQUE || from[channels - 1] >= 128;
        target[0] = seen ? from[0] : 0;
        target[1] = seen ? from[green] : 0;
        target[2] = seen ? from[2 * green] : 0;
        target[3] = seen ? 255 : 0;
    }
    return PX_OK;
}

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    gif_encoder *self = (gif_encoder *)base;
    PX_TRY(end_frame(self, err));
    PX_TRY(write_waiting(self, err));
    put(&self->out, 0x3b);
    PX_TRY(flush(self, err));
    *ret_bytes = self->written;
    return PX_OK;
}

static void encoder_close(px_encoder *base)
{
    gif_encoder *self = (gif_encoder *)base;
    px_buffer_done(&self->out);
    px_quantiser_destroy(self->quantiser);
    free(self->table);
    free(self->before);
    free(self->now);
    free(self->change);
    free(self->packed);
    free(self->indices);
    free(self);
}

px_status px_gif_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    gif_encoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a GIF encoder");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .next = encoder_next, .push = encoder_push, .finish = encoder_finish, .close = encoder_close };
    self->spec = *spec;
    self->fd = fd;
    size_t pixels = (size_t)spec->width * (size_t)spec->height;
    self->before = calloc(pixels, 4);
    self->now = malloc(pixels * 4);
    self->change = malloc(pixels * 4);
    self->packed = malloc(pixels);
    self->indices = calloc(pixels, 1);
    self->table = malloc(PX_LZW_TABLE * sizeof *self->table);
    if (!self->before || !self->now || !self->change || !self->packed || !self->indices || !self->table)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a GIF of %dx%d", spec->width, spec->height);
    PX_TRY(px_quantiser_create(spec->width, &self->quantiser, err));
    *ret = held;
    held = NULL;
    return PX_OK;
}

uint64_t px_gif_encoder_memory(const px_encoder_spec *spec)
{
    uint64_t pixels = (uint64_t)spec->width * (uint64_t)spec->height;
    return sizeof(gif_encoder) + pixels * 16 + px_quantiser_memory(spec->width) + PX_LZW_TABLE * 4 + (1u << 20);
}
