/* Rows are first added up as they are, sixteen bits a sample, which a vector does eight at a time; only when a line of the small
 * picture is complete are those sums added up across. So the whole picture is averaged, not looked at in places. */
#include "image/placeholder.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "codec/codec.h"
#include "image/orient.h"
#include "image/planes.h"
#include "image/thumbhash.h"

enum {
    SIDE = PX_THUMBHASH_SIDE, CHANNELS_MAX = 4,
    ROWS_MAX = 257, /* 255 * 257 is the most that sixteen bits hold */
    LIGHTNESSES = 10, HUES = 17, CELLS = LIGHTNESSES * HUES * HUES,
};

typedef uint8_t bytes8 __attribute__((vector_size(8)));
typedef uint16_t words8 __attribute__((vector_size(16)));

/* The rows of one plane, and the small picture that they are averaged into. */
typedef struct small {
    int width, height, channels;   /* of rows */
    int small_width, small_height; /* of what becomes of them, as stored */
    int pushed, added, line;       /* rows: taken, in `sums`; lines complete */
    uint16_t *sums;                /* owned; a row's samples */
    uint64_t cells[SIDE * CHANNELS_MAX]; /* of the line that is being summed */
    int line_rows;                 /* in it */
    uint8_t picture[SIDE * SIDE * CHANNELS_MAX];
} small;

struct px_placeholder {
    int small_width, small_height, channels;
    bool alpha;
    int count;                     /* planes: 1, or 3 of Y, Cb, Cr */
    bool narrow;                   /* of those */
    uint8_t picture[SIDE * SIDE * CHANNELS_MAX]; /* of all planes together */
    uint8_t converted[SIDE * SIDE * CHANNELS_MAX], rgba[SIDE * SIDE * CHANNELS_MAX];
    uint8_t upright[SIDE * SIDE * CHANNELS_MAX];
    small planes[];
};

uint64_t px_placeholder_memory(int width, int channels)
{
    return sizeof(px_placeholder) + 3 * sizeof(small) + (uint64_t)width * (unsigned)channels * sizeof(uint16_t);
}

/* Of a picture of width x height. */
static px_status create(int width, int height, int count, px_placeholder **ret, px_error *err)
{
    int longest = width > height ? width : height;
    double scale = longest > SIDE ? (double)SIDE / longest : 1.0;
    px_placeholder *self = calloc(1, sizeof *self + (size_t)count * sizeof *self->planes);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a placeholder");
    self->small_width = (int)fmax(floor(width * scale + 0.5), 1.0);
    self->small_height = (int)fmax(floor(height * scale + 0.5), 1.0);
    self->count = count;
    *ret = self;
    return PX_OK;
}

static px_status open_plane(px_placeholder *self, int p, int width, int height, int channels, px_error *err)
{
    self->planes[p] = (small){ .width = width, .height = height, .channels = channels,
                               .small_width = width < self->small_width ? width : self->small_width,
                               .small_height = height < self->small_height ? height : self->small_height,
                               .sums = calloc((size_t)width * (size_t)channels, sizeof(uint16_t)) };
    if (!self->planes[p].sums)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a placeholder");
    return PX_OK;
}

px_status px_placeholder_create(int width, int height, px_model model, bool alpha, px_placeholder **ret, px_error *err)
{
    px_placeholder *self = NULL;
    PX_TRY(create(width, height, 1, &self, err));
    self->channels = px_channels(model, alpha ? PX_STRAIGHT : PX_OPAQUE);
    self->alpha = alpha;
    px_status status = open_plane(self, 0, width, height, self->channels, err);
    if (status != PX_OK)
        px_placeholder_destroy(self);
    else
        *ret = self;
    return status;
}

px_status px_placeholder_create_planes(const px_plane_size sizes[3], bool narrow, px_placeholder **ret, px_error *err)
{
    px_placeholder *self = NULL;
    px_status status = PX_OK;
    PX_TRY(create(sizes[0].width, sizes[0].height, 3, &self, err));
    self->channels = 3;
    self->narrow = narrow;
    for (int p = 0; p < 3 && status == PX_OK; p++)
        status = open_plane(self, p, sizes[p].width, sizes[p].height, 1, err);
    if (status != PX_OK)
        px_placeholder_destroy(self);
    else
        *ret = self;
    return status;
}

void px_placeholder_destroy(px_placeholder *self)
{
    for (int p = 0; self && p < self->count; p++)
        free(self->planes[p].sums);
    free(self);
}

static void add_row(uint16_t *sums, const uint8_t *row, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        bytes8 samples;
        words8 sum;
        memcpy(&samples, row + i, sizeof samples);
        memcpy(&sum, sums + i, sizeof sum);
        sum += __builtin_convertvector(samples, words8);
        memcpy(sums + i, &sum, sizeof sum);
    }
    for (; i < count; i++)
        sums[i] = (uint16_t)(sums[i] + row[i]);
}

/* Where the `index`th of `count` shares of `side` begins. */
static int share(int index, int count, int side) { return (int)((int64_t)index * side / count); }

static inline void add_across(small *self, int channels)
{
    const uint16_t *sums = self->sums;
    for (int i = 0; i < self->small_width; i++) {
        int pixels = share(i + 1, self->small_width, self->width) - share(i, self->small_width, self->width);
        uint32_t cell[CHANNELS_MAX] = { 0 };
        for (int x = 0; x < pixels; x++, sums += channels)
            for (int c = 0; c < channels; c++)
                cell[c] += sums[c]; /* 656 pixels of 65535 at most */
        for (int c = 0; c < channels; c++)
            self->cells[i * CHANNELS_MAX + c] += cell[c];
    }
}

static void add_sums(small *self)
{
    switch (self->channels) { /* a number that the compiler knows halves the time */
    case 1: add_across(self, 1); break;
    case 2: add_across(self, 2); break;
    case 3: add_across(self, 3); break;
    default: add_across(self, 4); break;
    }
    memset(self->sums, 0, (size_t)self->width * (size_t)self->channels * sizeof *self->sums);
    self->line_rows += self->added;
    self->added = 0;
}

static void end_line(small *self)
{
    uint8_t *target = self->picture + (size_t)self->line * (size_t)self->small_width * (size_t)self->channels;
    for (int i = 0; i < self->small_width; i++) {
        uint64_t pixels = (uint64_t)(share(i + 1, self->small_width, self->width) - share(i, self->small_width, self->width));
        uint64_t count = pixels * (uint64_t)self->line_rows;
        for (int c = 0; c < self->channels; c++)
            *target++ = (uint8_t)((self->cells[i * CHANNELS_MAX + c] + count / 2) / count);
    }
    memset(self->cells, 0, sizeof self->cells);
    self->line_rows = 0;
    self->line++;
}

static void push(small *self, const uint8_t *row)
{
    assert(self->pushed < self->height);
    add_row(self->sums, row, (size_t)self->width * (size_t)self->channels);
    self->pushed++;
    self->added++;
    bool ends = self->pushed == share(self->line + 1, self->small_height, self->height);
    if (ends || self->added == ROWS_MAX)
        add_sums(self);
    if (ends)
        end_line(self);
}

void px_placeholder_push(px_placeholder *self, const uint8_t *row) { push(&self->planes[0], row); }

void px_placeholder_push_planes(px_placeholder *self, const px_row *row)
{
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < row->planes[p].height; y++)
            push(&self->planes[p], row->planes[p].samples + (size_t)y * row->planes[p].stride);
}

/* Line `y` of the small planes as RGB. Chroma of a picture that is small itself has fewer samples. */
static void join_line(px_placeholder *self, int y)
{
    int width = self->small_width;
    uint8_t lines[3][SIDE];
    px_row row = { .plane_count = 3, .depth = 8, .model = PX_YCC, .narrow = self->narrow };
    for (int p = 0; p < 3; p++) {
        const small *plane = &self->planes[p];
        const uint8_t *from = plane->picture + (size_t)(y * plane->small_height / self->small_height) * (size_t)plane->small_width;
        for (int x = 0; x < width; x++)
            lines[p][x] = from[x * plane->small_width / width];
        row.planes[p] = (px_plane){ lines[p], width, 1, (size_t)width, 1 };
    }
    px_planes_to_rgb(&row, self->picture + (size_t)y * (size_t)width * 3);
}

/* What was averaged, as one picture. */
static void join(px_placeholder *self)
{
    if (self->count == 1)
        memcpy(self->picture, self->planes[0].picture, (size_t)self->small_width * (size_t)self->small_height * (size_t)self->channels);
    else
        for (int y = 0; y < self->small_height; y++)
            join_line(self, y);
}

static void expand(const uint8_t *pixels, int count, int channels, uint8_t *rgba)
{
    bool alpha = channels == 2 || channels == 4;
    for (int i = 0; i < count; i++, pixels += channels, rgba += 4) {
        for (int c = 0; c < 3; c++)
            rgba[c] = pixels[channels >= 3 ? c : 0];
        rgba[3] = alpha ? pixels[channels - 1] : 255;
    }
}

void px_placeholder_finish(px_placeholder *self, const px_colour *colour, int orientation, px_transform_report *ret)
{
    for (int p = 0; p < self->count; p++)
        assert(self->planes[p].pushed == self->planes[p].height);
    join(self);
    int count = self->small_width * self->small_height, width = self->small_width, height = self->small_height;
    const uint8_t *pixels = self->picture;
    if (self->alpha)
        px_straighten(self->picture, count, self->channels, self->picture);
    if (colour) {
        px_colour_convert(colour, self->picture, count, self->converted);
        pixels = self->converted;
    }
    expand(pixels, count, self->channels, self->rgba);
    bool turns = px_orientation_turns(orientation), streams = px_orientation_streams(orientation);
    int upright_width = turns ? height : width, upright_height = turns ? width : height;
    for (int y = 0; y < upright_height; y++)
        px_orient_row(self->rgba + (streams ? y * width * 4 : 0), width, height, 4, orientation, y, self->upright + y * upright_width * 4);
    ret->thumbhash_bytes = (int)px_thumbhash_of(self->upright, upright_width, upright_height, ret->thumbhash);
    px_dominant_colour_of(self->upright, count, ret->colour);
}

void px_placeholder_format(const px_transform_report *report, char placeholder[PX_PLACEHOLDER_TEXT], char colour[PX_COLOUR_TEXT])
{
    px_base64_format(report->thumbhash, (size_t)report->thumbhash_bytes, placeholder);
    *colour = 0;
    if (report->thumbhash_bytes)
        snprintf(colour, PX_COLOUR_TEXT, "#%02x%02x%02x", report->colour[0], report->colour[1], report->colour[2]);
}

/* sRGB's tone curve, undone (IEC 61966-2-1). */
static float linear_of(int value)
{
    double v = value / 255.0;
    return (float)(v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
}

static int step_of(float value, float size, int steps)
{
    int step = (int)floorf(value / size);
    return step < 0 ? 0 : step >= steps ? steps - 1 : step;
}

/* Of 0 to 1, to within two millionths: Newton's steps from a guess that divides the exponent by three. The library's takes ten times as long. */
static float cube_root(float value)
{
    uint32_t bits;
    float root;
    if (value < 1e-6f)
        return 0.0f;
    memcpy(&bits, &value, sizeof bits);
    bits = bits / 3 + 709921077u;
    memcpy(&root, &bits, sizeof root);
    for (int i = 0; i < 2; i++)
        root = root * (2.0f / 3.0f) + value / (3.0f * root * root);
    return root;
}

/* The cell of a colour in OKLab (Björn Ottosson, 2020). */
static int cell_of(const uint8_t *pixel, const float linear[256])
{
    float r = linear[pixel[0]], g = linear[pixel[1]], b = linear[pixel[2]];
    float l = cube_root(0.4122214708f * r + 0.5363325363f * g + 0.0514459929f * b);
    float m = cube_root(0.2119034982f * r + 0.6806995451f * g + 0.1073969566f * b);
    float s = cube_root(0.0883024619f * r + 0.2817188376f * g + 0.6299787005f * b);
    float lightness = 0.2104542553f * l + 0.7936177850f * m - 0.0040720468f * s;
    float green_red = 1.9779984951f * l - 2.4285922050f * m + 0.4505937099f * s;
    float blue_yellow = 0.0259040371f * l + 0.7827717662f * m - 0.8086757660f * s;
    float half = 0.05f * HUES / 2;
    return (step_of(lightness, 1.0f / LIGHTNESSES, LIGHTNESSES) * HUES + step_of(green_red + half, 0.05f, HUES)) * HUES +
           step_of(blue_yellow + half, 0.05f, HUES);
}

void px_dominant_colour_of(const uint8_t *rgba, int count, uint8_t ret[3])
{
    float linear[256];
    uint32_t weights[CELLS] = { 0 };
    uint16_t cells[SIDE * SIDE];
    int fullest = 0;
    assert(count <= SIDE * SIDE);
    for (int i = 0; i < 256; i++)
        linear[i] = linear_of(i);
    for (int i = 0; i < count; i++) {
        cells[i] = (uint16_t)cell_of(rgba + 4 * i, linear);
        weights[cells[i]] += rgba[4 * i + 3];
        if (weights[cells[i]] > weights[fullest])
            fullest = cells[i];
    }
    uint64_t sums[3] = { 0 }, weight = weights[fullest];
    for (int i = 0; i < count; i++)
        for (int c = 0; c < 3 && cells[i] == fullest; c++)
            sums[c] += (uint64_t)rgba[4 * i + c] * rgba[4 * i + 3];
    for (int c = 0; c < 3; c++)
        ret[c] = weight ? (uint8_t)((sums[c] + weight / 2) / weight) : 0;
}
