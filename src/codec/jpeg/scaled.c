/* Eight MCUs go together: their blocks are groups for the inverse DCT, which takes them while they are in the nearest cache. */
#include "codec/jpeg/scaled.h"

#include <stdlib.h>

#include "codec/jpeg/idct.h"

enum { STRIDE_SPARE = 16 };

static const uint8_t zigzag[64] = {
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

/* A component on its way from codes to samples. */
typedef struct plane {
    px_plane_size size;
    int across, down;      /* blocks in an MCU */
    int places;            /* coefficients that are kept of a block */
    int last;              /* of those, in zigzag order */
    uint16_t place_of[256]; /* by how far reading came: of the coefficient before, times PX_JPEG_GROUP; those that are not kept share one more */
    float steps[64];
    px_jpeg_huffman dc, ac;
    int before;            /* DC of the block before */
    int16_t *group;        /* of the chunk's first one */
    uint8_t *samples;      /* owned; the lines of a row of MCUs */
    size_t stride;
    int given;             /* lines */
} plane;

struct px_jpeg_scaled {
    px_jpeg_frame frame;
    const px_jpeg_idct *idct;
    plane planes[PX_JPEG_COMPONENTS];
    int mcus_across, mcus_down; /* of the picture */
    int row;                    /* of MCUs, the next one */
    int left;                   /* MCUs to the next restart marker */
    int restarts;               /* markers so far */
    bool lost;                  /* the segment's bits have ended: the rest of it is grey */
    bool truncated;
    int16_t *groups;            /* owned; the chunk's coefficients */
    size_t groups_bytes;
    int line;                   /* of grey: the next one in the row of MCUs */
    px_jpeg_input input;
};

static int ceil_div(int a, int b) { return (a + b - 1) / b; }

static void across_down(const px_jpeg_frame *frame, int c, int *ret_across, int *ret_down)
{
    *ret_across = frame->count == 1 ? 1 : frame->across[c]; /* alone, blocks go one by one */
    *ret_down = frame->count == 1 ? 1 : frame->down[c];
}

bool px_jpeg_scaled_can(const px_jpeg_frame *f)
{
    int blocks = 0;
    if (f->progressive || f->scan.count != f->count || (f->count != 1 && f->count != PX_JPEG_COMPONENTS))
        return false;
    px_jpeg_huffman *huffman = malloc(sizeof *huffman);
    bool can = huffman != NULL;
    for (int c = 0; c < f->count; c++) {
        can = can && f->has_steps[f->quant[c]] && f->across[0] % f->across[c] == 0 && f->down[0] % f->down[c] == 0 &&
              px_jpeg_huffman_make(&f->dc[f->scan.dc[c]], true, huffman) && px_jpeg_huffman_make(&f->ac[f->scan.ac[c]], false, huffman);
        blocks += f->across[c] * f->down[c];
    }
    if (f->count > 1)
        can = can && blocks <= PX_JPEG_MCU_BLOCKS && f->across[1] == f->across[2] && f->down[1] == f->down[2];
    free(huffman);
    return can;
}

static int mcus_across(const px_jpeg_frame *f) { return ceil_div(f->width, 8 * (f->count == 1 ? 1 : f->across[0])); }

static size_t stride_of(const px_jpeg_frame *f, int across, int eighths)
{
    return (size_t)ceil_div(mcus_across(f), PX_JPEG_GROUP) * PX_JPEG_GROUP * (size_t)(across * eighths) + STRIDE_SPARE;
}

static size_t group_count(int eighths) { return (size_t)(eighths * eighths + 1) * PX_JPEG_GROUP; }

uint64_t px_jpeg_scaled_memory(const px_jpeg_frame *f, const px_plane_size *sizes)
{
    uint64_t bytes = sizeof(px_jpeg_scaled);
    for (int c = 0; c < f->count; c++) {
        int across, down, n = sizes[c].eighths;
        across_down(f, c, &across, &down);
        bytes += stride_of(f, across, n) * (size_t)(down * n) + group_count(n) * (size_t)(across * down) * sizeof(int16_t);
    }
    return bytes;
}

static void plan_places(plane *p)
{
    int n = p->size.eighths;
    p->places = n * n;
    for (int k = 0; k < 256; k++)
        p->place_of[k] = (uint16_t)(p->places * PX_JPEG_GROUP);
    for (int k = 0; k < 64; k++)
        if (zigzag[k] / 8 < n && zigzag[k] % 8 < n) {
            p->place_of[k + 1] = (uint16_t)((zigzag[k] / 8 * n + zigzag[k] % 8) * PX_JPEG_GROUP);
            p->last = k;
        }
}

static px_status plan_plane(px_jpeg_scaled *self, int c, const px_plane_size *size, px_error *err)
{
    const px_jpeg_frame *f = &self->frame;
    plane *p = &self->planes[c];
    p->size = *size;
    across_down(f, c, &p->across, &p->down);
    plan_places(p);
    px_jpeg_steps(f->steps[f->quant[c]], size->eighths, p->steps);
    p->stride = stride_of(f, p->across, size->eighths);
    p->samples = malloc(p->stride * (size_t)(p->down * size->eighths));
    return p->samples ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no room for rows of %d samples", size->width);
}

static px_status plan_groups(px_jpeg_scaled *self, px_error *err)
{
    size_t counts[PX_JPEG_COMPONENTS], count = 0;
    for (int c = 0; c < self->frame.count; c++) {
        counts[c] = count;
        count += group_count(self->planes[c].size.eighths) * (size_t)(self->planes[c].across * self->planes[c].down);
    }
    self->groups_bytes = count * sizeof *self->groups;
    self->groups = malloc(self->groups_bytes);
    for (int c = 0; self->groups && c < self->frame.count; c++)
        self->planes[c].group = self->groups + counts[c];
    return self->groups ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no room for the coefficients of a JPEG");
}

static px_status plan_codes(px_jpeg_scaled *self, px_error *err)
{
    const px_jpeg_scan *scan = &self->frame.scan;
    for (int i = 0; i < scan->count; i++) {
        plane *p = &self->planes[scan->components[i]];
        if (!px_jpeg_huffman_make(&self->frame.dc[scan->dc[i]], true, &p->dc) || !px_jpeg_huffman_make(&self->frame.ac[scan->ac[i]], false, &p->ac))
            return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: a table of codes contradicts itself");
    }
    return PX_OK;
}

static px_status start(px_jpeg_scaled *self, const px_plane_size *sizes, px_error *err)
{
    const px_jpeg_frame *f = &self->frame;
    for (int c = 0; c < f->count; c++)
        PX_TRY(plan_plane(self, c, &sizes[c], err));
    PX_TRY(plan_groups(self, err));
    PX_TRY(plan_codes(self, err));
    self->mcus_across = mcus_across(f);
    self->mcus_down = ceil_div(f->height, 8 * self->planes[0].down);
    self->left = f->restart;
    self->line = sizes[0].eighths; /* none is ready */
    return px_jpeg_segment(&self->input, err);
}

px_status px_jpeg_scaled_create(const px_jpeg_frame *frame, const px_plane_size *sizes, const px_source *source,
                                const px_limits *limits, px_jpeg_scaled **ret, px_error *err)
{
    px_jpeg_scaled *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG decoder");
    self->frame = *frame;
    self->idct = px_jpeg_idct_best();
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
    for (int c = 0; self && c < PX_JPEG_COMPONENTS; c++)
        free(self->planes[c].samples);
    if (self)
        free(self->groups);
    free(self);
}

bool px_jpeg_scaled_truncated(const px_jpeg_scaled *self) { return self->truncated; }

/* A code that is longer than the tables look at: its entry, as if the code had no length. 0: there is none. Refills. */
__attribute__((noinline)) static uint32_t long_code(const px_jpeg_huffman *h, px_jpeg_bits *b, bool dc)
{
    int symbol = px_jpeg_symbol(h, b);
    px_jpeg_refill(b);
    return symbol < 0 ? 0 : px_jpeg_entry(0, symbol, dc);
}

/* Takes a code and its amplitude. False: no such code. */
static inline bool take(const px_jpeg_huffman *h, px_jpeg_bits *b, bool dc, int *far, int *value)
{
    uint32_t entry = h->code[b->bits >> (64 - PX_JPEG_CODE_BITS)];
    if (__builtin_expect(entry == 0, 0) && (entry = long_code(h, b, dc)) == 0)
        return false;
    uint64_t rest = b->bits << (entry >> 16 & 31);
    int size = (int)(entry >> 24);
    *value = (int)(rest >> 1 >> (63 - size)) + (((int)(rest >> 63) - 1) & (1 - (1 << size)));
    *far += (int)(entry >> 8 & 255);
    px_jpeg_drop(b, entry);
    return true;
}

/* Coefficients one by one to the end of the block, for what skip's entries cannot say. */
__attribute__((noinline)) static bool skip_slowly(const px_jpeg_huffman *h, px_jpeg_bits *b, int far)
{
    int value;
    while (far < 64) {
        px_jpeg_refill(b);
        if (!take(h, b, false, &far, &value))
            return false;
    }
    return far == 64 || far >= PX_JPEG_BLOCK_ENDS;
}

/* To the end of the block, from coefficient `far`. An entry that leads behind the 64th holds codes of the next block, or errors. */
static inline bool skip(const px_jpeg_huffman *h, px_jpeg_bits *b, int far)
{
    px_jpeg_bits was;
    int came;
    do {
        px_jpeg_refill(b);
        was = *b;
        came = far;
        uint16_t entry = h->skip[b->bits >> (64 - PX_JPEG_SKIP_BITS)];
        if (__builtin_expect(entry == 0, 0))
            return skip_slowly(h, b, far);
        px_jpeg_drop(b, entry);
        far += entry >> 8;
        if (far >= 64)
            break;
        was = *b;
        came = far;
        entry = h->skip[b->bits >> (64 - PX_JPEG_SKIP_BITS)];
        if (__builtin_expect(entry == 0, 0))
            return skip_slowly(h, b, far);
        px_jpeg_drop(b, entry);
        far += entry >> 8;
    } while (far < 64);
    if (far == 64 || (far >= PX_JPEG_BLOCK_ENDS && far < PX_JPEG_BLOCK_ENDS + 64))
        return true;
    *b = was;
    return skip_slowly(h, b, came);
}

/* One block of a sequential scan (T.81 F.2.2). `to` is its lane in the group. */
static inline bool take_block(plane *p, px_jpeg_bits *b, int16_t *to)
{
    int far = 0, value, last = p->last;
    px_jpeg_refill(b);
    if (!take(&p->dc, b, true, &far, &value))
        return false;
    p->before = (int)((unsigned)p->before + (unsigned)value);
    to[0] = (int16_t)p->before;
    while (far <= last) {
        if (!take(&p->ac, b, false, &far, &value))
            return false;
        to[p->place_of[far]] = (int16_t)value;
        if (far > last)
            break;
        px_jpeg_refill(b);
        if (!take(&p->ac, b, false, &far, &value))
            return false;
        to[p->place_of[far]] = (int16_t)value;
    }
    return far < 64 ? skip(&p->ac, b, far) : far == 64 || far >= PX_JPEG_BLOCK_ENDS;
}

/* The segment has no more bits than were taken, or there is no such code. */
static px_status judge_end(px_jpeg_scaled *self, px_error *err)
{
    self->lost = true;
    if (!px_jpeg_overran(&self->input))
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: the picture's data is damaged");
    if (!self->input.ended)
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: the picture's data ends before the picture does");
    self->truncated = true;
    return self->input.limits->truncated ? PX_OK : px_fail(err, PX_TRUNCATED_IMAGE, "JPEG: the file ends in the middle of the picture");
}

/* Restart markers are numbered from 0 to 7 (T.81 F.1.2.3). */
static px_status restart(px_jpeg_scaled *self, px_error *err)
{
    px_jpeg_input *input = &self->input;
    if (self->lost)
        return PX_OK;
    PX_TRY(px_jpeg_leave(input, err));
    if (input->marker != 0xd0 + (self->restarts & 7)) {
        self->lost = self->truncated = input->ended;
        if (input->ended && input->limits->truncated)
            return PX_OK;
        return input->ended ? px_fail(err, PX_TRUNCATED_IMAGE, "JPEG: the file ends in the middle of the picture")
                            : px_fail(err, PX_CORRUPT_IMAGE, "JPEG: a restart marker is missing");
    }
    self->restarts++;
    self->left = self->frame.restart;
    for (int c = 0; c < self->frame.count; c++)
        self->planes[c].before = 0;
    return px_jpeg_segment(input, err);
}

static px_status take_mcu(px_jpeg_scaled *self, int m, px_error *err)
{
    px_jpeg_input *input = &self->input;
    const px_jpeg_scan *scan = &self->frame.scan;
    for (int i = 0; i < scan->count; i++) {
        plane *p = &self->planes[scan->components[i]];
        size_t size = (size_t)(p->places + 1) * PX_JPEG_GROUP;
        for (int v = 0; v < p->down; v++)
            for (int h = 0; h < p->across; h++) {
                int x = m * p->across + h;
                int16_t *to = p->group + (size_t)(v * p->across + x / PX_JPEG_GROUP) * size + x % PX_JPEG_GROUP;
                PX_TRY(px_jpeg_room(input, err));
                px_jpeg_bits bits = input->bits;
                bool good = take_block(p, &bits, to);
                input->bits = bits;
                if (!good || px_jpeg_overran(input))
                    return judge_end(self, err);
            }
    }
    return PX_OK;
}

static void make_samples(px_jpeg_scaled *self, int chunk)
{
    for (int c = 0; c < self->frame.count; c++) {
        const plane *p = &self->planes[c];
        int n = p->size.eighths;
        const int16_t *group = p->group;
        for (int v = 0; v < p->down; v++)
            for (int g = 0; g < p->across; g++, group += (p->places + 1) * PX_JPEG_GROUP)
                self->idct->run[n](group, p->steps, p->samples + (size_t)(v * n) * p->stride + (size_t)((chunk * p->across + g) * PX_JPEG_GROUP * n), p->stride);
    }
}

static px_status take_row(px_jpeg_scaled *self, px_error *err)
{
    for (int first = 0; first < self->mcus_across; first += PX_JPEG_GROUP) {
        memset(self->groups, 0, self->groups_bytes);
        for (int m = 0; m < PX_JPEG_GROUP && first + m < self->mcus_across; m++) {
            if (self->frame.restart && self->left-- == 0) {
                PX_TRY(restart(self, err));
                self->left--;
            }
            if (!self->lost)
                PX_TRY(take_mcu(self, m, err));
        }
        make_samples(self, first / PX_JPEG_GROUP);
    }
    self->row++;
    return PX_OK;
}

/* The lines of a row of MCUs that the picture has. */
static px_plane lines_of(plane *p)
{
    int lines = p->down * p->size.eighths, left = p->size.height - p->given;
    if (lines > left)
        lines = left;
    p->given += lines;
    return (px_plane){ p->samples, p->size.width, lines, p->stride, 1 };
}

px_status px_jpeg_scaled_pull(px_jpeg_scaled *self, px_row *ret, px_error *err)
{
    plane *y = &self->planes[0];
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
