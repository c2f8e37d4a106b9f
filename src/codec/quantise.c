/* Colours are counted in a hash of limited size. When it is full, colours that differ in their last bits alone are joined (`shift`
 * grows) and go on as their mean, so a photo of any size becomes some thousand points, each with its weight. A point lies in OKLab,
 * premultiplied, with alpha as a fourth axis, on which wholly opaque keeps its distance from the rest.
 *
 * Boxes of points are cut at their mean, always the one with the largest error, until there are as many as colours wanted; k-means
 * moves the centres from there. A point whose centre is nearer than half the way to any other centre needs no search. The colour
 * of a centre is the mean of the pixels themselves, so nothing is ever converted back. */
#include "codec/quantise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 1 << 14, SLOTS = 1 << 15, CACHE = 1 << 16, OWN_SLOTS = 1 << 10, LANES = 4 };

/* Of an error, what is spread. Less than all of it: dithering then costs 1 to 2 dB against none, instead of 2 to 7, and still no step of
 * a gradient is seen. */
static const float strength = 0.75f;

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t marks __attribute__((vector_size(16)));

typedef struct point {
    uint32_t key;       /* its colour >> shift, channel by channel; 255 stays alpha's word for opaque */
    uint32_t centre;    /* where it belongs */
    uint64_t weight;    /* pixels */
    uint64_t sums[4];   /* of their channels */
    float at[4];
} point;

typedef struct box {
    int first, count, axis;
    double error, middle; /* along that axis */
} box;

typedef struct cached {
    uint32_t key;
    int32_t index;      /* -1: empty */
} cached;

struct px_quantiser {
    int width;          /* of the widest picture */
    point points[POINTS];
    int count;
    int shift;
    bool has_transparent;
    uint16_t slots[SLOTS]; /* 1 + a point; 0: free */
    uint16_t order[POINTS];
    lanes centres[4][PX_PALETTE_COLOURS / LANES]; /* axis by axis; what is not in use is far away */
    cached cache[CACHE];    /* of one map: colours to indices */
    cached own[OWN_SLOTS];  /* likewise, the palette's own colours */
    float linear[256];      /* sRGB to light */
    float *errors;          /* owned; two rows of what is to be spread, 4 a pixel, one pixel of margin at both ends */
};

static uint32_t key_of(const uint8_t *rgba, int shift)
{
    uint32_t alpha = rgba[3] == 255 ? 255u : (uint32_t)(rgba[3] >> shift);
    return (uint32_t)(rgba[0] >> shift) | (uint32_t)(rgba[1] >> shift) << 8 | (uint32_t)(rgba[2] >> shift) << 16 | alpha << 24;
}

static uint32_t hash_of(uint32_t key, int bits) { return (key * 0x9e3779b1u) >> (32 - bits); }

/* ---- counting ---- */

/* The slot that holds the key, or would. */
static uint16_t *slot_of(const px_quantiser *self, uint32_t key)
{
    uint32_t at = hash_of(key, 15);
    while (self->slots[at] && self->points[self->slots[at] - 1].key != key)
        at = (at + 1) & (SLOTS - 1);
    return (uint16_t *)&self->slots[at];
}

/* One bit less of every channel: points that are alike then become one. */
static void coarsen(px_quantiser *self)
{
    int count = self->count;
    memset(self->slots, 0, sizeof self->slots);
    self->count = 0;
    self->shift++;
    for (int i = 0; i < count; i++) {
        point p = self->points[i];
        uint32_t opaque = p.key >> 24 == 255 ? 255u << 24 : 0;
        p.key = opaque ? ((p.key & 0xffffff) >> 1 & 0x7f7f7f) | opaque : p.key >> 1 & 0x7f7f7f7f;
        uint16_t *slot = slot_of(self, p.key);
        if (*slot == 0) {
            self->points[self->count++] = p;
            *slot = (uint16_t)self->count;
            continue;
        }
        point *same = &self->points[*slot - 1];
        same->weight += p.weight;
        for (int c = 0; c < 4; c++)
            same->sums[c] += p.sums[c];
    }
}

static point *point_of(px_quantiser *self, const uint8_t *rgba)
{
    for (;;) {
        uint32_t key = key_of(rgba, self->shift);
        uint16_t *slot = slot_of(self, key);
        if (*slot)
            return &self->points[*slot - 1];
        if (self->count < POINTS) {
            point *fresh = &self->points[self->count++];
            *fresh = (point){ .key = key };
            *slot = (uint16_t)self->count;
            return fresh;
        }
        coarsen(self);
    }
}

void px_quantiser_begin(px_quantiser *self)
{
    self->count = self->shift = 0;
    self->has_transparent = false;
    memset(self->slots, 0, sizeof self->slots);
}

void px_quantiser_add(px_quantiser *self, const uint8_t *rgba, size_t pixels)
{
    for (size_t i = 0; i < pixels;) {
        const uint8_t *pixel = rgba + 4 * i;
        size_t run = 1;
        while (i + run < pixels && memcmp(pixel, pixel + 4 * run, 4) == 0)
            run++;
        i += run;
        if (pixel[3] == 0) {
            self->has_transparent = true;
            continue;
        }
        point *p = point_of(self, pixel);
        p->weight += run;
        for (int c = 0; c < 4; c++)
            p->sums[c] += run * pixel[c];
    }
}

/* ---- space ---- */

/* OKLab (Ottosson 2020) of a colour, premultiplied. The fourth axis has a gap between opaque and almost so. */
static void place(const px_quantiser *self, const uint8_t *rgba, float at[4])
{
    float r = self->linear[rgba[0]], g = self->linear[rgba[1]], b = self->linear[rgba[2]], alpha = (float)rgba[3] / 255.0f;
    float l = cbrtf(0.4122214708f * r + 0.5363325363f * g + 0.0514459929f * b);
    float m = cbrtf(0.2119034982f * r + 0.6806995451f * g + 0.1073969566f * b);
    float s = cbrtf(0.0883024619f * r + 0.2817188376f * g + 0.6299787005f * b);
    at[0] = alpha * (0.2104542553f * l + 0.7936177850f * m - 0.0040720468f * s);
    at[1] = alpha * (1.9779984951f * l - 2.4285922050f * m + 0.4505937099f * s);
    at[2] = alpha * (0.0259040371f * l + 0.7827717662f * m - 0.8086757660f * s);
    at[3] = alpha + (rgba[3] == 255 ? 0.25f : 0.0f);
}

static uint8_t mean_of(uint64_t sum, uint64_t weight) { return (uint8_t)((sum + weight / 2) / weight); }

static void clear_centres(px_quantiser *self)
{
    for (int axis = 0; axis < 4; axis++)
        for (int i = 0; i < PX_PALETTE_COLOURS / LANES; i++)
            self->centres[axis][i] = (lanes){ 1e6f, 1e6f, 1e6f, 1e6f };
}

static void set_centre(px_quantiser *self, int index, const float at[4])
{
    for (int axis = 0; axis < 4; axis++)
        self->centres[axis][index / LANES][index % LANES] = at[axis];
}

static void get_centre(const px_quantiser *self, int index, float at[4])
{
    for (int axis = 0; axis < 4; axis++)
        at[axis] = self->centres[axis][index / LANES][index % LANES];
}

static float distance(const float a[4], const float b[4])
{
    float sum = 0;
    for (int axis = 0; axis < 4; axis++)
        sum += (a[axis] - b[axis]) * (a[axis] - b[axis]);
    return sum;
}

/* The nearest of `count` centres but `except`; of several equally near the first. */
static int nearest(const px_quantiser *self, int count, const float at[4], int except, float *ret_distance)
{
    lanes least = { 1e30f, 1e30f, 1e30f, 1e30f };
    marks place_of = { 0, 1, 2, 3 }, best = place_of;
    for (int i = 0; i < (count + LANES - 1) / LANES; i++, place_of += LANES) {
        lanes far = { 0 };
        for (int axis = 0; axis < 4; axis++) {
            lanes step = self->centres[axis][i] - at[axis];
            far += step * step;
        }
        marks nearer = (far < least) & (place_of != except);
        least = (lanes)(((marks)far & nearer) | ((marks)least & ~nearer));
        best = (place_of & nearer) | (best & ~nearer);
    }
    int index = 0;
    for (int i = 1; i < LANES; i++)
        if (least[i] < least[index] || (least[i] == least[index] && best[i] < best[index]))
            index = i;
    *ret_distance = least[index];
    return best[index];
}

/* ---- seeds ---- */

/* The axis along which the box errs most, and by how much. */
static void measure(const px_quantiser *self, box *b)
{
    double weight = 0, sums[4] = { 0 }, squares[4] = { 0 };
    for (int i = b->first; i < b->first + b->count; i++) {
        const point *p = &self->points[self->order[i]];
        weight += (double)p->weight;
        for (int axis = 0; axis < 4; axis++) {
            sums[axis] += (double)p->weight * p->at[axis];
            squares[axis] += (double)p->weight * p->at[axis] * p->at[axis];
        }
    }
    b->error = -1;
    for (int axis = 0; axis < 4; axis++) {
        double error = squares[axis] - sums[axis] * sums[axis] / weight;
        if (error > b->error) {
            b->error = error;
            b->axis = axis;
            b->middle = sums[axis] / weight;
        }
    }
    if (b->count < 2)
        b->error = 0;
}

/* Puts what lies below the middle in front; false if nothing or all does. */
static bool split(px_quantiser *self, box *b, box *ret)
{
    int below = b->first, end = b->first + b->count;
    for (int i = b->first; i < end; i++)
        if (self->points[self->order[i]].at[b->axis] < b->middle) {
            uint16_t moved = self->order[i];
            self->order[i] = self->order[below];
            self->order[below++] = moved;
        }
    if (below == b->first || below == end)
        return false;
    *ret = (box){ .first = below, .count = end - below };
    b->count = below - b->first;
    measure(self, b);
    measure(self, ret);
    return true;
}

/* Makes up to `most` boxes; each point's centre is its box. Returns how many. */
static int cut_boxes(px_quantiser *self, int most)
{
    box boxes[PX_PALETTE_COLOURS];
    int count = 1;
    for (int i = 0; i < self->count; i++)
        self->order[i] = (uint16_t)i;
    boxes[0] = (box){ .count = self->count };
    measure(self, &boxes[0]);
    while (count < most) {
        int worst = 0;
        for (int i = 1; i < count; i++)
            if (boxes[i].error > boxes[worst].error)
                worst = i;
        if (boxes[worst].error <= 0)
            break;
        if (split(self, &boxes[worst], &boxes[count]))
            count++;
        else
            boxes[worst].error = 0;
    }
    for (int i = 0; i < count; i++)
        for (int k = boxes[i].first; k < boxes[i].first + boxes[i].count; k++)
            self->points[self->order[k]].centre = (uint32_t)i;
    return count;
}

/* ---- k-means ---- */

/* Moves every centre to the mean of its points; one without points stays where it is. */
static void move_centres(px_quantiser *self, int count)
{
    double sums[PX_PALETTE_COLOURS][4] = { 0 }, weights[PX_PALETTE_COLOURS] = { 0 };
    for (int i = 0; i < self->count; i++) {
        const point *p = &self->points[i];
        weights[p->centre] += (double)p->weight;
        for (int axis = 0; axis < 4; axis++)
            sums[p->centre][axis] += (double)p->weight * p->at[axis];
    }
    for (int i = 0; i < count; i++) {
        if (weights[i] <= 0)
            continue;
        float at[4];
        for (int axis = 0; axis < 4; axis++)
            at[axis] = (float)(sums[i][axis] / weights[i]);
        set_centre(self, i, at);
    }
}

/* Gives every point to its nearest centre; false: nothing changed. */
static bool assign(px_quantiser *self, int count)
{
    float quarter[PX_PALETTE_COLOURS]; /* of the square of the way to the nearest other: half the way, squared */
    bool changed = false;
    for (int i = 0; i < count; i++) {
        float at[4];
        get_centre(self, i, at);
        nearest(self, count, at, i, &quarter[i]);
        quarter[i] /= 4;
    }
    for (int i = 0; i < self->count; i++) {
        point *p = &self->points[i];
        float at[4], far;
        get_centre(self, (int)p->centre, at);
        if (distance(p->at, at) <= quarter[p->centre])
            continue;
        uint32_t centre = (uint32_t)nearest(self, count, p->at, -1, &far);
        changed |= centre != p->centre;
        p->centre = centre;
    }
    return changed;
}

/* ---- the palette ---- */

int px_palette_order(const void *a, const void *b)
{
    const uint8_t *p = a, *q = b;
    if ((p[3] == 255) != (q[3] == 255))
        return p[3] == 255 ? 1 : -1;
    int light_p = 2 * p[0] + 5 * p[1] + p[2], light_q = 2 * q[0] + 5 * q[1] + q[2];
    return light_p != light_q ? light_p - light_q : memcmp(p, q, 4);
}

/* Sorted, so that it does not depend on the order of pixels, and what is not opaque comes first. */
static void finish_palette(px_palette *palette, bool transparent)
{
    if (transparent)
        memset(palette->colours[palette->count++], 0, 4);
    qsort(palette->colours, (size_t)palette->count, sizeof *palette->colours, px_palette_order);
    palette->transparent = -1;
    for (int i = 0; i < palette->count; i++)
        if (palette->colours[i][3] == 0)
            palette->transparent = i;
}

static void take_points(const px_quantiser *self, px_palette *palette)
{
    for (int i = 0; i < self->count; i++)
        for (int c = 0; c < 4; c++)
            palette->colours[i][c] = mean_of(self->points[i].sums[c], self->points[i].weight);
    palette->count = self->count;
}

/* The mean of each centre's pixels. Those that are mostly opaque become so wholly. */
static void take_centres(const px_quantiser *self, int count, px_palette *palette)
{
    uint64_t sums[PX_PALETTE_COLOURS][4] = { 0 }, weights[PX_PALETTE_COLOURS] = { 0 }, opaque[PX_PALETTE_COLOURS] = { 0 };
    for (int i = 0; i < self->count; i++) {
        const point *p = &self->points[i];
        weights[p->centre] += p->weight;
        opaque[p->centre] += p->key >> 24 == 255 ? p->weight : 0;
        for (int c = 0; c < 4; c++)
            sums[p->centre][c] += p->sums[c];
    }
    for (int i = 0; i < count; i++) {
        if (weights[i] == 0)
            continue;
        uint8_t *colour = palette->colours[palette->count];
        for (int c = 0; c < 4; c++)
            colour[c] = mean_of(sums[i][c], weights[i]);
        if (2 * opaque[i] >= weights[i])
            colour[3] = 255;
        bool is_new = colour[3] != 0;
        for (int k = 0; k < palette->count && is_new; k++)
            is_new = memcmp(palette->colours[k], colour, 4) != 0;
        palette->count += is_new;
    }
}

void px_quantiser_choose(px_quantiser *self, int most, bool transparent, int rounds, px_palette *ret)
{
    *ret = (px_palette){ .count = 0 };
    transparent |= self->has_transparent;
    most -= transparent;
    ret->exact = self->shift == 0 && self->count <= most;
    if (ret->exact) {
        take_points(self, ret);
        finish_palette(ret, transparent || self->count == 0);
        return;
    }
    for (int i = 0; i < self->count; i++) {
        point *p = &self->points[i];
        uint8_t colour[4];
        for (int c = 0; c < 4; c++)
            colour[c] = mean_of(p->sums[c], p->weight);
        place(self, colour, p->at);
    }
    int count = cut_boxes(self, most);
    clear_centres(self);
    move_centres(self, count);
    for (int i = 0; i < rounds && assign(self, count); i++)
        move_centres(self, count);
    take_centres(self, count, ret);
    finish_palette(ret, transparent);
}

/* ---- mapping ---- */

/* The slot of the palette's own colours that holds the key, or would. */
static const cached *own_slot(const cached own[OWN_SLOTS], uint32_t key)
{
    uint32_t at = hash_of(key, 10);
    while (own[at].index >= 0 && own[at].key != key)
        at = (at + 1) & (OWN_SLOTS - 1);
    return &own[at];
}

static void fill_own(cached own[OWN_SLOTS], const px_palette *palette)
{
    for (int i = 0; i < OWN_SLOTS; i++)
        own[i].index = -1;
    for (int i = 0; i < palette->count; i++) {
        uint32_t key = key_of(palette->colours[i], 0);
        cached *slot = (cached *)own_slot(own, key);
        if (slot->index < 0)
            *slot = (cached){ key, i };
    }
}

bool px_quantiser_fits(const px_quantiser *self, const px_palette *palette)
{
    cached own[OWN_SLOTS];
    fill_own(own, palette);
    bool fits = self->shift == 0 && self->count <= palette->count && (!self->has_transparent || palette->transparent >= 0);
    for (int i = 0; i < self->count && fits; i++)
        fits = own_slot(own, self->points[i].key)->index >= 0;
    return fits;
}

/* What the palette holds is mapped to itself; everything else to what is nearest. */
static int index_of(px_quantiser *self, const px_palette *palette, const uint8_t *rgba)
{
    if (rgba[3] == 0 && palette->transparent >= 0)
        return palette->transparent;
    uint32_t key = key_of(rgba, 0);
    cached *cache = &self->cache[hash_of(key, 16)];
    if (cache->index < 0 || cache->key != key) {
        float at[4], far;
        *cache = (cached){ key, own_slot(self->own, key)->index };
        if (cache->index < 0) {
            place(self, rgba, at);
            cache->index = nearest(self, palette->count, at, palette->transparent, &far);
        }
    }
    return cache->index;
}

static void map_row(px_quantiser *self, const px_palette *palette, const uint8_t *rgba, int width, uint8_t *indices)
{
    for (int x = 0; x < width; x++, rgba += 4)
        indices[x] = x > 0 && memcmp(rgba, rgba - 4, 4) == 0 ? indices[x - 1] : (uint8_t)index_of(self, palette, rgba);
}

/* The pixel with what was spread to it. Opaque stays opaque, and what cannot be seen has nothing to spread. */
static void add_error(const uint8_t *rgba, const float *error, float wanted[4], uint8_t pixel[4])
{
    for (int c = 0; c < 4; c++) {
        float value = (float)rgba[c] + (c == 3 && rgba[3] == 255 ? 0.0f : error[c]);
        wanted[c] = value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value;
        pixel[c] = (uint8_t)(wanted[c] + 0.5f);
    }
}

/* `step`: 1 to the right, -1 to the left. `here` and `below` are rows of errors; 7/16 go on, 3, 5 and 1 down. */
static void dither_row(px_quantiser *self, const px_palette *palette, const uint8_t *rgba, int width, int step, float *here, float *below,
                       uint8_t *indices)
{
    for (int i = 0, x = step > 0 ? 0 : width - 1; i < width; i++, x += step) {
        if (rgba[4 * x + 3] == 0) {
            indices[x] = (uint8_t)index_of(self, palette, rgba + 4 * x);
            continue;
        }
        float wanted[4], *at = here + 4 * x, *under = below + 4 * x;
        uint8_t pixel[4];
        add_error(rgba + 4 * x, at, wanted, pixel);
        indices[x] = (uint8_t)index_of(self, palette, pixel);
        const uint8_t *got = palette->colours[indices[x]];
        for (int c = 0; c < 4; c++) {
            float error = (wanted[c] - (float)got[c]) * (strength / 16);
            at[4 * step + c] += 7 * error;
            under[-4 * step + c] += 3 * error;
            under[c] += 5 * error;
            under[4 * step + c] += error;
        }
    }
}

void px_quantiser_map(px_quantiser *self, const px_palette *palette, const uint8_t *rgba, size_t stride, int width, int height,
                      bool dither, uint8_t *indices, size_t index_stride)
{
    size_t margin = 4, row = (size_t)width * 4 + 2 * margin;
    float *here = self->errors, *below = here + row;
    for (int i = 0; i < CACHE; i++)
        self->cache[i].index = -1;
    fill_own(self->own, palette);
    clear_centres(self);
    for (int i = 0; i < palette->count; i++) {
        float at[4];
        place(self, palette->colours[i], at);
        set_centre(self, i, at);
    }
    memset(here, 0, 2 * row * sizeof *here);
    for (int y = 0; y < height; y++, rgba += stride, indices += index_stride) {
        if (!dither || palette->exact) {
            map_row(self, palette, rgba, width, indices);
            continue;
        }
        dither_row(self, palette, rgba, width, y % 2 ? -1 : 1, here + margin, below + margin, indices);
        float *done = here;
        here = below;
        below = done;
        memset(below, 0, row * sizeof *below);
    }
}

/* ---- making ---- */

uint64_t px_quantiser_memory(int width) { return sizeof(px_quantiser) + 8 * sizeof(float) * ((uint64_t)width + 2); }

px_status px_quantiser_create(int width, px_quantiser **ret, px_error *err)
{
    px_quantiser *self = aligned_alloc(_Alignof(px_quantiser), sizeof *self);
    float *errors = malloc(8 * sizeof *errors * ((size_t)width + 2));
    if (!self || !errors) {
        free(self);
        free(errors);
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a palette's colours");
    }
    self->width = width;
    self->errors = errors;
    for (int i = 0; i < 256; i++) {
        double value = i / 255.0;
        self->linear[i] = (float)(value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4));
    }
    px_quantiser_begin(self);
    *ret = self;
    return PX_OK;
}

void px_quantiser_destroy(px_quantiser *self)
{
    if (self)
        free(self->errors);
    free(self);
}
