/* What is counted as it comes keeps every colour as it is, also of pixels that nobody sees: that is what "without loss" says. */
#include "codec/png/palette.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024 };

struct px_png_palette {
    px_encoder_spec spec;
    px_quantiser *quantiser; /* owned; NULL: only if it costs nothing */
    uint8_t *held;           /* owned; RGBA, where there is a quantiser */
    uint8_t *indices;        /* owned; a byte a pixel; packed in place at the end */
    int pushed;
    bool possible;
    uint8_t colours[PX_PALETTE_COLOURS][4];
    int count;
    uint16_t slots[SLOTS];   /* 1 + a colour; 0: free */
};

/* Grey without alpha has one byte a pixel already, and stays grey. Grey with alpha would become RGB for who reads it. */
static bool is_worth_it(const px_encoder_spec *spec)
{
    return spec->palette || (spec->effort != PX_EFFORT_LOW && spec->model == PX_RGB);
}

static size_t row_bytes(const px_encoder_spec *spec) { return (size_t)spec->width + 1; }

uint64_t px_png_palette_memory(const px_encoder_spec *spec)
{
    uint64_t pixels = (uint64_t)spec->width * (uint64_t)spec->height;
    if (!is_worth_it(spec))
        return 0;
    return sizeof(px_png_palette) + pixels + (uint64_t)spec->height + (spec->palette ? pixels * 4 + px_quantiser_memory(spec->width) : 0);
}

px_status px_png_palette_create(const px_encoder_spec *spec, px_png_palette **ret, px_error *err)
{
    *ret = NULL;
    if (!is_worth_it(spec))
        return PX_OK;
    px_png_palette *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a palette");
    self->spec = *spec;
    self->possible = true;
    self->indices = malloc(row_bytes(spec) * (size_t)spec->height);
    if (spec->palette)
        self->held = malloc((size_t)spec->width * (size_t)spec->height * 4);
    px_status status = self->indices && (self->held || !spec->palette)
        ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no room for a palette's picture of %dx%d", spec->width, spec->height);
    if (status == PX_OK && spec->palette)
        status = px_quantiser_create(spec->width, &self->quantiser, err);
    if (status == PX_OK)
        *ret = self;
    else
        px_png_palette_destroy(self);
    return status;
}

void px_png_palette_destroy(px_png_palette *self)
{
    if (!self)
        return;
    px_quantiser_destroy(self->quantiser);
    free(self->held);
    free(self->indices);
    free(self);
}

/* One pixel of the encoder's rows as RGBA. */
static void widen(const px_encoder_spec *spec, const uint8_t *pixel, int channels, uint8_t rgba[4])
{
    int green = spec->model == PX_GREY ? 0 : 1;
    rgba[0] = pixel[0];
    rgba[1] = pixel[green];
    rgba[2] = pixel[2 * green];
    rgba[3] = spec->alpha == PX_OPAQUE ? 255 : pixel[channels - 1];
}

/* The colour's index; -1: it would be one too many. */
static int index_of(px_png_palette *self, const uint8_t rgba[4])
{
    uint32_t key;
    memcpy(&key, rgba, 4);
    uint32_t at = (key * 0x9e3779b1u) >> 22;
    for (; self->slots[at]; at = (at + 1) % SLOTS)
        if (memcmp(self->colours[self->slots[at] - 1], rgba, 4) == 0)
            return self->slots[at] - 1;
    if (self->count == PX_PALETTE_COLOURS)
        return -1;
    memcpy(self->colours[self->count++], rgba, 4);
    self->slots[at] = (uint16_t)self->count;
    return self->count - 1;
}

void px_png_palette_push(px_png_palette *self, const uint8_t *samples)
{
    int channels = px_channels(self->spec.model, self->spec.alpha), last = -1;
    size_t y = (size_t)self->pushed++;
    uint8_t *held = self->held ? self->held + y * (size_t)self->spec.width * 4 : NULL, *indices = self->indices + y * row_bytes(&self->spec) + 1;
    for (int x = 0; x < self->spec.width && self->possible; x++, samples += channels) {
        uint8_t rgba[4];
        if (held) {
            widen(&self->spec, samples, channels, held + 4 * x);
            continue;
        }
        if (x == 0 || memcmp(samples, samples - channels, (size_t)channels) != 0) {
            widen(&self->spec, samples, channels, rgba);
            last = index_of(self, rgba);
        }
        self->possible = last >= 0;
        indices[x] = (uint8_t)last;
    }
}

/* As the quantiser sorts its own. */
static void sort(px_png_palette *self, px_palette *palette)
{
    uint8_t rows[PX_PALETTE_COLOURS][5], place[PX_PALETTE_COLOURS];
    for (int i = 0; i < self->count; i++) {
        memcpy(rows[i], self->colours[i], 4);
        rows[i][4] = (uint8_t)i;
    }
    qsort(rows, (size_t)self->count, sizeof *rows, px_palette_order);
    for (int i = 0; i < self->count; i++) {
        memcpy(palette->colours[i], rows[i], 4);
        place[rows[i][4]] = (uint8_t)i;
    }
    palette->count = self->count;
    for (int y = 0; y < self->spec.height; y++)
        for (int x = 0; x < self->spec.width; x++) {
            uint8_t *index = self->indices + (size_t)y * row_bytes(&self->spec) + 1 + (size_t)x;
            *index = place[*index];
        }
}

static void quantise(px_png_palette *self, px_palette *palette)
{
    static const int rounds[PX_EFFORT_COUNT] = { [PX_EFFORT_LOW] = 3, [PX_EFFORT_NORMAL] = 12, [PX_EFFORT_HIGH] = 40 };
    size_t width = (size_t)self->spec.width, height = (size_t)self->spec.height;
    px_quantiser_begin(self->quantiser);
    px_quantiser_add(self->quantiser, self->held, width * height);
    px_quantiser_choose(self->quantiser, PX_PALETTE_COLOURS, false, rounds[self->spec.effort], palette);
    px_quantiser_map(self->quantiser, palette, self->held, width * 4, self->spec.width, self->spec.height, true, self->indices + 1,
                     row_bytes(&self->spec));
}

/* Packs rows of a byte a pixel into `depth` bits, leftmost highest (7.2), one after the other in the same place. */
static size_t pack(px_png_palette *self, int depth)
{
    size_t width = (size_t)self->spec.width, packed = (width * (size_t)depth + 7) / 8, per_byte = (size_t)(8 / depth);
    for (int y = 0; y < self->spec.height; y++) {
        const uint8_t *from = self->indices + (size_t)y * row_bytes(&self->spec) + 1;
        uint8_t *to = self->indices + (size_t)y * (packed + 1);
        *to++ = 0;
        for (size_t i = 0; i < packed; i++) {
            unsigned byte = 0;
            for (size_t k = 0; k < per_byte; k++) {
                size_t x = i * per_byte + k;
                byte = byte << depth | (x < width ? from[x] : 0u);
            }
            to[i] = (uint8_t)byte;
        }
    }
    return (packed + 1) * (size_t)self->spec.height;
}

bool px_png_palette_finish(px_png_palette *self, px_palette *ret, int *ret_depth, uint8_t **ret_rows, size_t *ret_bytes)
{
    if (!self->possible)
        return false;
    if (self->quantiser)
        quantise(self, ret);
    else
        sort(self, ret);
    *ret_depth = ret->count <= 2 ? 1 : ret->count <= 4 ? 2 : ret->count <= 16 ? 4 : 8;
    *ret_bytes = pack(self, *ret_depth);
    *ret_rows = self->indices;
    return true;
}
