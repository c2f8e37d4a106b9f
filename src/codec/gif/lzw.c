/* Reading: a string is its prefix's string and one more pixel; with its length known it is written from its end. A full table
 * stays as it is until it is cleared, as encoders that know this count on it.
 * Writing: the strings in a hash of (prefix, pixel); the table is cleared when it is full. */
#include "codec/gif/lzw.h"

#include <string.h>

static void clear(px_unlzw *self)
{
    self->width = self->root_bits + 1;
    self->next = (1 << self->root_bits) + 2;
    self->last = -1;
}

px_status px_unlzw_init(px_unlzw *self, px_bytes bytes, size_t at, px_error *err)
{
    if (at >= bytes.count)
        return px_fail(err, PX_TRUNCATED_IMAGE, "GIF: the file ends before the picture does");
    int bits = bytes.data[at];
    if (bits < 1 || bits > 8)
        return px_fail(err, PX_CORRUPT_IMAGE, "GIF: pixels of %d bits", bits);
    self->bytes = bytes;
    self->at = at + 1;
    self->block_left = self->bit_count = self->pending_at = self->pending_count = 0;
    self->bits = 0;
    self->root_bits = bits;
    clear(self);
    for (int i = 0; i < 1 << bits; i++) {
        self->suffix[i] = self->first[i] = (uint8_t)i;
        self->length[i] = 1;
        self->prefix[i] = 0;
    }
    return PX_OK;
}

static px_status next_byte(px_unlzw *self, uint8_t *ret, px_error *err)
{
    if (self->block_left == 0) {
        if (self->at >= self->bytes.count)
            return px_fail(err, PX_TRUNCATED_IMAGE, "GIF: the file ends before the picture does");
        self->block_left = self->bytes.data[self->at++];
        if (self->block_left == 0)
            return px_fail(err, PX_CORRUPT_IMAGE, "GIF: a frame's data ends before the frame does");
    }
    if (self->at >= self->bytes.count)
        return px_fail(err, PX_TRUNCATED_IMAGE, "GIF: the file ends before the picture does");
    self->block_left--;
    *ret = self->bytes.data[self->at++];
    return PX_OK;
}

static px_status next_code(px_unlzw *self, int *ret, px_error *err)
{
    while (self->bit_count < self->width) {
        uint8_t byte = 0;
        PX_TRY(next_byte(self, &byte, err));
        self->bits |= (uint32_t)byte << self->bit_count;
        self->bit_count += 8;
    }
    *ret = (int)(self->bits & ((1u << self->width) - 1));
    self->bits >>= self->width;
    self->bit_count -= self->width;
    return PX_OK;
}

/* What follows `last` is known by its first pixel: that makes a new string. */
static void learn(px_unlzw *self, uint8_t pixel)
{
    if (self->last >= 0 && self->next < PX_LZW_CODES) {
        int code = self->next++;
        self->prefix[code] = (uint16_t)self->last;
        self->suffix[code] = pixel;
        self->first[code] = self->first[self->last];
        self->length[code] = (uint16_t)(self->length[self->last] + 1);
    }
    if (self->next >= 1 << self->width && self->width < 12)
        self->width++;
}

/* Leaves the next string in `pending`. */
static px_status next_string(px_unlzw *self, px_error *err)
{
    int code, clearing = 1 << self->root_bits;
    for (;;) {
        PX_TRY(next_code(self, &code, err));
        if (code != clearing)
            break;
        clear(self);
    }
    if (code == clearing + 1)
        return px_fail(err, PX_CORRUPT_IMAGE, "GIF: a frame's data ends before the frame does");
    bool is_new = code == self->next && self->last >= 0 && self->next < PX_LZW_CODES;
    if (code > self->next || (code == self->next && !is_new))
        return px_fail(err, PX_CORRUPT_IMAGE, "GIF: the compressed data is damaged");
    learn(self, self->first[is_new ? self->last : code]);
    self->last = code;
    int count = self->length[code];
    self->pending_at = 0;
    self->pending_count = count;
    for (int i = count - 1; i >= 0; i--) {
        self->pending[i] = self->suffix[code];
        code = self->prefix[code];
    }
    return PX_OK;
}

px_status px_unlzw_pull(px_unlzw *self, uint8_t *target, size_t count, px_error *err)
{
    while (count > 0) {
        if (self->pending_at == self->pending_count)
            PX_TRY(next_string(self, err));
        size_t some = (size_t)(self->pending_count - self->pending_at);
        some = some < count ? some : count;
        memcpy(target, self->pending + self->pending_at, some);
        self->pending_at += (int)some;
        target += some;
        count -= some;
    }
    return PX_OK;
}

/* ---- writing ---- */

struct packer {
    px_buffer *out;
    uint8_t block[256]; /* its length first */
    uint32_t bits;
    int bit_count;
};

static void put_code(struct packer *p, int code, int width)
{
    p->bits |= (uint32_t)code << p->bit_count;
    for (p->bit_count += width; p->bit_count >= 8; p->bit_count -= 8) {
        p->block[++p->block[0]] = (uint8_t)p->bits;
        p->bits >>= 8;
        if (p->block[0] == 255) {
            px_buffer_push(p->out, p->block, 256);
            p->block[0] = 0;
        }
    }
}

static void put_end(struct packer *p)
{
    if (p->bit_count > 0)
        put_code(p, 0, 8 - p->bit_count);
    if (p->block[0])
        px_buffer_push(p->out, p->block, (size_t)p->block[0] + 1);
    px_buffer_push(p->out, "", 1);
}

/* An entry of the table is a string (its prefix, then its last pixel) above its code, which is never 0: 0 is free. The place
 * that holds the string, or would. */
static uint32_t *find(uint32_t *table, uint32_t string)
{
    uint32_t at = (string * 0x9e3779b1u) >> 18;
    while (table[at] && table[at] >> 12 != string)
        at = (at + 1) & (PX_LZW_TABLE - 1);
    return &table[at];
}

void px_lzw_write(px_buffer *out, const uint8_t *pixels, size_t count, int bits, uint32_t *table)
{
    int root = bits < 2 ? 2 : bits, clearing = 1 << root, width = root + 1, next = clearing + 2;
    struct packer p = { .out = out };
    uint8_t first = (uint8_t)root;
    px_buffer_push(out, &first, 1);
    memset(table, 0, PX_LZW_TABLE * sizeof *table);
    put_code(&p, clearing, width);
    int prefix = count ? pixels[0] : clearing + 1;
    for (size_t i = 1; i < count; i++) {
        uint32_t string = (uint32_t)prefix << 8 | pixels[i], *entry = find(table, string);
        if (*entry) {
            prefix = (int)(*entry & (PX_LZW_CODES - 1));
            continue;
        }
        put_code(&p, prefix, width);
        if (next == PX_LZW_CODES) {
            put_code(&p, clearing, width);
            memset(table, 0, PX_LZW_TABLE * sizeof *table);
            width = root + 1;
            next = clearing + 2;
        } else {
            *entry = string << 12 | (uint32_t)next;
            if (next++ == 1 << width)
                width++;
        }
        prefix = pixels[i];
    }
    put_code(&p, prefix, width);
    if (count) {
        /* The reader learns from the last string too, and may widen its codes by it. */
        if (next == 1 << width && width < 12)
            width++;
        put_code(&p, clearing + 1, width);
    }
    put_end(&p);
}
