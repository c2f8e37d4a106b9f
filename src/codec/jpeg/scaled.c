/* A picture in one scan streams: eight MCUs go together, their blocks are groups for the inverse DCT, which takes them while they are in the
 * nearest cache. One in several scans is held, as coefficients of the scale; scans.c reads those. */
#include "codec/jpeg/scaled.h"

#include <stdlib.h>

#include "codec/jpeg/inside.h"

enum { STRIDE_SPARE = 16 };

static int ceil_div(int a, int b) { return (a + b - 1) / b; }

/* How many blocks of a component an MCU has; alone, blocks go one by one. */
static int blocks_in(const px_jpeg_frame *f, const int *factors, int c) { return f->count == 1 ? 1 : factors[c]; }

/* Are all scans read before the first sample is made? */
static bool is_whole(const px_jpeg_frame *f) { return f->progressive || f->scan.count < f->count; }

static bool can_code(const px_jpeg_frame *f)
{
    px_jpeg_huffman *huffman = malloc(sizeof *huffman);
    bool can = huffman != NULL;
    for (int i = 0; i < f->scan.count && can; i++)
        can = f->has_steps[f->quant[f->scan.components[i]]] && px_jpeg_huffman_make(&f->dc[f->scan.dc[i]], PX_JPEG_DC, huffman) &&
              px_jpeg_huffman_make(&f->ac[f->scan.ac[i]], PX_JPEG_AC, huffman);
    free(huffman);
    return can;
}

bool px_jpeg_scaled_can(const px_jpeg_frame *f)
{
    int blocks = 0;
    if (f->count != 1 && f->count != PX_JPEG_COMPONENTS)
        return false;
    for (int c = 0; c < f->count; c++) {
        blocks += f->across[c] * f->down[c];
        if (f->across[0] % f->across[c] || f->down[0] % f->down[c])
            return false;
    }
    if (f->count > 1 && (blocks > PX_JPEG_MCU_BLOCKS || f->across[1] != f->across[2] || f->down[1] != f->down[2]))
        return false;
    return f->progressive || can_code(f); /* what is missing may come before the scan that needs it */
}

static int mcus_across(const px_jpeg_frame *f) { return ceil_div(f->width, 8 * blocks_in(f, f->across, 0)); }
static int mcus_down(const px_jpeg_frame *f) { return ceil_div(f->height, 8 * blocks_in(f, f->down, 0)); }

/* Groups in a row of blocks, for whole chunks. */
static int groups_across(const px_jpeg_frame *f, int c) { return ceil_div(mcus_across(f), PX_JPEG_GROUP) * blocks_in(f, f->across, c); }

static size_t stride_of(const px_jpeg_frame *f, int c, int eighths)
{
    return (size_t)groups_across(f, c) * (size_t)(PX_JPEG_GROUP * eighths) + STRIDE_SPARE;
}

static size_t group_bytes(int eighths) { return (size_t)(eighths * eighths + 1) * PX_JPEG_GROUP * sizeof(int16_t); }

/* Of the whole picture. */
static size_t group_count(const px_jpeg_frame *f, int c) { return (size_t)groups_across(f, c) * (size_t)(mcus_down(f) * blocks_in(f, f->down, c)); }

static bool needs_masks(const px_jpeg_frame *f, int eighths) { return f->progressive && eighths > 1; }

uint64_t px_jpeg_scaled_memory(const px_jpeg_frame *f, const px_plane_size *sizes)
{
    uint64_t bytes = sizeof(px_jpeg_scaled);
    for (int c = 0; c < f->count; c++) {
        int n = sizes[c].eighths;
        bytes += stride_of(f, c, n) * (size_t)(blocks_in(f, f->down, c) * n) + group_bytes(n) * (size_t)(blocks_in(f, f->across, c) * blocks_in(f, f->down, c));
        if (is_whole(f))
            bytes += group_count(f, c) * (group_bytes(n) + (needs_masks(f, n) ? PX_JPEG_GROUP * sizeof(uint64_t) : 0));
    }
    return bytes;
}

static void plan_places(px_jpeg_plane *p)
{
    int n = p->size.eighths;
    p->places = n * n;
    for (int k = 0; k < 256; k++)
        p->place_of[k] = (uint16_t)(p->places * PX_JPEG_GROUP);
    for (int k = 0; k < 64; k++)
        if (px_jpeg_zigzag[k] / 8 < n && px_jpeg_zigzag[k] % 8 < n) {
            p->place_of[k + 1] = (uint16_t)((px_jpeg_zigzag[k] / 8 * n + px_jpeg_zigzag[k] % 8) * PX_JPEG_GROUP);
            p->last = k;
            p->kept |= UINT64_C(1) << k;
        }
}

/* Room for the coefficients of all blocks; calloc, since most of a big picture's may never be touched. */
static px_status plan_whole(px_jpeg_scaled *self, int c, px_error *err)
{
    const px_jpeg_frame *f = &self->frame;
    px_jpeg_plane *p = &self->planes[c];
    size_t groups = group_count(f, c);
    p->blocks_across = ceil_div(ceil_div(f->width * f->across[c], f->across[0]), 8);
    p->blocks_down = ceil_div(ceil_div(f->height * f->down[c], f->down[0]), 8);
    p->groups = calloc(groups, group_bytes(p->size.eighths));
    if (needs_masks(f, p->size.eighths))
        p->masks = calloc(groups, PX_JPEG_GROUP * sizeof *p->masks);
    if (!p->groups || (!p->masks && needs_masks(f, p->size.eighths)))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for the coefficients of a JPEG");
    return PX_OK;
}

static px_status plan_plane(px_jpeg_scaled *self, int c, const px_plane_size *size, px_error *err)
{
    const px_jpeg_frame *f = &self->frame;
    px_jpeg_plane *p = &self->planes[c];
    p->size = *size;
    p->across = blocks_in(f, f->across, c);
    p->down = blocks_in(f, f->down, c);
    p->groups_across = groups_across(f, c);
    plan_places(p);
    p->stride = stride_of(f, c, size->eighths);
    p->samples = malloc(p->stride * (size_t)(p->down * size->eighths));
    self->chunk_bytes += group_bytes(size->eighths) * (size_t)(p->across * p->down);
    if (!p->samples)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for rows of %d samples", size->width);
    return self->whole ? plan_whole(self, c, err) : PX_OK;
}

static px_status plan_chunk(px_jpeg_scaled *self, px_error *err)
{
    self->chunk = malloc(self->chunk_bytes);
    if (!self->chunk)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for the coefficients of a JPEG");
    int16_t *group = self->chunk;
    for (int c = 0; c < self->frame.count; c++) {
        px_jpeg_plane *p = &self->planes[c];
        p->group = group;
        group += px_jpeg_group_count(p) * (size_t)(p->across * p->down);
    }
    return PX_OK;
}

static px_status start(px_jpeg_scaled *self, const px_plane_size *sizes, px_error *err)
{
    const px_jpeg_frame *f = &self->frame;
    self->whole = is_whole(f);
    self->mcus_across = mcus_across(f);
    self->mcus_down = mcus_down(f);
    self->line = sizes[0].eighths; /* none is ready */
    for (int c = 0; c < f->count; c++)
        PX_TRY(plan_plane(self, c, &sizes[c], err));
    PX_TRY(plan_chunk(self, err));
    return self->whole ? px_jpeg_read_scans(self, err) : px_jpeg_begin_scan(self, err);
}

px_status px_jpeg_scaled_create(const px_jpeg_frame *frame, const px_plane_size *sizes, const px_source *source,
                                const px_limits *limits, px_jpeg_scaled **ret, px_error *err)
{
    px_jpeg_scaled *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG decoder");
    self->frame = *frame;
    for (int t = 0; t < 4; t++) {
        self->frame.dc[t].number = ++self->tables;
        self->frame.ac[t].number = ++self->tables;
    }
    self->idct = px_jpeg_idct_best();
    self->readers = px_jpeg_readers_best();
    px_jpeg_input_start(&self->input, source, limits, frame->offset);
    px_status status = start(self, sizes, err);
    if (status == PX_OK)
        *ret = self;
    else
        px_jpeg_scaled_destroy(self);
    return status;
}

void px_jpeg_scaled_destroy(px_jpeg_scaled *self)
{
    for (int c = 0; self && c < PX_JPEG_COMPONENTS; c++) {
        free(self->planes[c].samples);
        free(self->planes[c].groups);
        free(self->planes[c].masks);
    }
    if (self)
        free(self->chunk);
    free(self);
}

bool px_jpeg_scaled_truncated(const px_jpeg_scaled *self) { return self->truncated; }

/* Block h, v of an MCU. */
static px_jpeg_block block_of(px_jpeg_plane *p, int h, int v)
{
    px_jpeg_block ret = { .plane = p };
    for (int m = 0; m < PX_JPEG_GROUP; m++) {
        int x = m * p->across + h;
        ret.to[m] = p->group + (size_t)(v * p->across + x / PX_JPEG_GROUP) * px_jpeg_group_count(p) + x % PX_JPEG_GROUP;
    }
    return ret;
}

/* Makes a table unless it was made for these very codes. */
static px_status make_codes(const px_jpeg_codes *codes, px_jpeg_use use, px_jpeg_huffman *ret, px_error *err)
{
    if (ret->made == codes->number)
        return PX_OK;
    if (!px_jpeg_huffman_make(codes, use, ret))
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: a table of codes is missing, or contradicts itself");
    ret->made = codes->number;
    return PX_OK;
}

/* The steps of a component are those that its first scan finds. */
static px_status begin_plane(px_jpeg_scaled *self, int i, px_error *err)
{
    const px_jpeg_frame *f = &self->frame;
    const px_jpeg_scan *scan = &f->scan;
    px_jpeg_plane *p = &self->planes[scan->components[i]];
    int quant = f->quant[scan->components[i]];
    p->before = 0;
    if (!p->has_steps && !f->has_steps[quant])
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: a table of quantisation is missing");
    if (!p->has_steps)
        px_jpeg_steps(f->steps[quant], p->size.eighths, p->steps);
    p->has_steps = true;
    for (int b = 0; b < p->across * p->down; b++)
        self->blocks[self->block_count++] = block_of(p, b % p->across, b / p->across);
    bool dc = !f->progressive || (scan->first == 0 && scan->high == 0), ac = !f->progressive || scan->first > 0;
    if (dc)
        PX_TRY(make_codes(&f->dc[scan->dc[i]], PX_JPEG_DC, &self->dc[scan->dc[i]], err));
    if (ac)
        PX_TRY(make_codes(&f->ac[scan->ac[i]], f->progressive ? PX_JPEG_BAND : PX_JPEG_AC, &self->ac[scan->ac[i]], err));
    p->dc = &self->dc[scan->dc[i]];
    p->ac = &self->ac[scan->ac[i]];
    return PX_OK;
}

px_status px_jpeg_begin_scan(px_jpeg_scaled *self, px_error *err)
{
    self->block_count = 0;
    for (int i = 0; i < self->frame.scan.count; i++)
        PX_TRY(begin_plane(self, i, err));
    self->left = self->frame.restart;
    self->restarts = self->run = 0;
    return px_jpeg_segment(&self->input, err);
}

px_status px_jpeg_judge_truncated(px_jpeg_scaled *self, px_error *err)
{
    self->lost = self->truncated = true;
    return self->input.limits->truncated ? PX_OK : px_fail(err, PX_TRUNCATED_IMAGE, "JPEG: the file ends in the middle of the picture");
}

px_status px_jpeg_judge_end(px_jpeg_scaled *self, px_error *err)
{
    if (!px_jpeg_overran(&self->input))
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: the picture's data is damaged");
    if (!self->input.ended)
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: the picture's data ends before the picture does");
    return px_jpeg_judge_truncated(self, err);
}

/* Restart markers are numbered from 0 to 7 (T.81 F.1.2.3). */
px_status px_jpeg_restart(px_jpeg_scaled *self, px_error *err)
{
    px_jpeg_input *input = &self->input;
    if (self->lost)
        return PX_OK;
    PX_TRY(px_jpeg_leave(input, err));
    if (input->marker != PX_JPEG_RESTART + (self->restarts & 7))
        return input->ended ? px_jpeg_judge_truncated(self, err) : px_fail(err, PX_CORRUPT_IMAGE, "JPEG: a restart marker is missing");
    self->restarts++;
    self->run = 0;
    self->left = self->frame.restart - 1;
    for (int c = 0; c < self->frame.count; c++)
        self->planes[c].before = 0;
    return px_jpeg_segment(input, err);
}

/* Of one row of blocks: groups to samples. */
static void make_samples(const px_jpeg_scaled *self, const px_jpeg_plane *p, const int16_t *groups, int count, int v, int first)
{
    int n = p->size.eighths;
    uint8_t *to = p->samples + (size_t)(v * n) * p->stride + (size_t)(first * PX_JPEG_GROUP * n);
    for (int g = 0; g < count; g++, groups += px_jpeg_group_count(p), to += PX_JPEG_GROUP * n)
        self->idct->run[n](groups, p->steps, to, p->stride);
}

static px_status take_chunk(px_jpeg_scaled *self, int first, px_error *err)
{
    memset(self->chunk, 0, self->chunk_bytes);
    int left = self->mcus_across - first;
    PX_TRY(self->readers->chunk(self, left < PX_JPEG_GROUP ? left : PX_JPEG_GROUP, err));
    for (int c = 0; c < self->frame.count; c++) {
        const px_jpeg_plane *p = &self->planes[c];
        for (int v = 0; v < p->down; v++)
            make_samples(self, p, p->group + (size_t)(v * p->across) * px_jpeg_group_count(p), p->across, v, first / PX_JPEG_GROUP * p->across);
    }
    return PX_OK;
}

static px_status take_row(px_jpeg_scaled *self, px_error *err)
{
    for (int first = 0; !self->whole && first < self->mcus_across; first += PX_JPEG_GROUP)
        PX_TRY(take_chunk(self, first, err));
    for (int c = 0; self->whole && c < self->frame.count; c++) {
        const px_jpeg_plane *p = &self->planes[c];
        for (int v = 0; v < p->down; v++)
            make_samples(self, p, p->groups + (size_t)(self->row * p->down + v) * (size_t)p->groups_across * px_jpeg_group_count(p), p->groups_across, v, 0);
    }
    self->row++;
    return PX_OK;
}

/* The lines of a row of MCUs that the picture has. */
static px_plane lines_of(px_jpeg_plane *p)
{
    int lines = p->down * p->size.eighths, left = p->size.height - p->given;
    if (lines > left)
        lines = left;
    p->given += lines;
    return (px_plane){ p->samples, p->size.width, lines, p->stride, 1 };
}

px_status px_jpeg_scaled_pull(px_jpeg_scaled *self, px_row *ret, px_error *err)
{
    px_jpeg_plane *y = &self->planes[0];
    bool grey = self->frame.count == 1, next = !grey || self->line == y->size.eighths;
    if (next && self->row == self->mcus_down)
        return px_fail(err, PX_INTERNAL, "JPEG: pulled behind the last row");
    if (next) {
        PX_TRY(take_row(self, err));
        self->line = 0;
    }
    if (grey) {
        *ret = px_row_of(y->samples + (size_t)self->line++ * y->stride, y->size.width, PX_GREY, PX_OPAQUE);
        return PX_OK;
    }
    *ret = (px_row){ .plane_count = self->frame.count, .depth = 8, .model = PX_YCC, .siting = PX_CENTRED };
    for (int c = 0; c < self->frame.count; c++)
        ret->planes[c] = lines_of(&self->planes[c]);
    return PX_OK;
}
