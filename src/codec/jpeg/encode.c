/* JPEG out, of rows of RGB or grey, or of planes of Y, Cb and Cr as they will be stored: baseline, Huffman codes made for the picture;
 * chroma of half the width and height (4:2:0) below quality 90, of all pixels (4:4:4) from there on, where its loss is what would be seen
 * first. Tables and the scale of quality are libjpeg's, so that sizes and looks are what people know.
 *
 * Lines are held until they fill a row of units; that is transformed eight units at a time (forward.h) and kept as tokens (tokens.h), which
 * are written when the last row is there and their codes are known. The last pixel and line are repeated to the ends of blocks; blocks
 * behind these hold the one before them again. */
#include <stdlib.h>

#include "codec/formats.h"
#include "codec/jpeg/forward.h"
#include "codec/jpeg/head.h"
#include "codec/jpeg/tokens.h"
#include "codec/jpeg/whole.h"

typedef struct jpeg_encoder {
    px_encoder base;
    px_encoder_spec spec;       /* what it borrows is the caller's until finish */
    px_jpeg_frame frame;
    px_jpeg_divisors divisors[2];
    const px_jpeg_forward *forward;
    px_jpeg_tokens *tokens;     /* owned; with effort high NULL */
    px_jpeg_whole whole;        /* owned; with effort high */
    uint8_t *lines[3];          /* the first owns them all; as wide as whole groups */
    size_t strides[3];
    int full[3], held[3];       /* lines of a row of units, and how many are there */
    int unit_rows;              /* done */
    uint8_t *upper;             /* owned; a row of RGB that waits for the one below it, or NULL */
    bool has_upper;
    int dc[3];                  /* of the last block */
    px_jpeg_out out;
} jpeg_encoder;

/* ---- a row of units ---- */

/* Eight units side by side: at most 2 x 2 groups of Y, one of Cb, one of Cr. */
typedef px_jpeg_group px_groups[3][2][2];

static void transform(jpeg_encoder *self, int first, px_groups groups)
{
    const px_jpeg_frame *frame = &self->frame;
    for (int p = 0; p < frame->planes; p++) {
        int unit = px_jpeg_unit_of(frame, p);
        for (int y = 0; y < unit; y++)
            for (int x = 0; x < unit; x++) {
                int block = first * unit + x * PX_JPEG_BLOCKS;
                if (block < frame->across[p] && self->unit_rows * unit + y < frame->down[p])
                    self->forward->transform(self->lines[p] + (size_t)(8 * y) * self->strides[p] + 8 * (size_t)block, self->strides[p],
                                             &self->divisors[p > 0], &groups[p][y][x]);
            }
    }
}

/* The unit's blocks, in the scan's order; `index` is its place among the eight. */
static void keep_unit(jpeg_encoder *self, int first, int index, px_groups groups)
{
    const px_jpeg_frame *frame = &self->frame;
    for (int p = 0; p < frame->planes; p++) {
        int unit = px_jpeg_unit_of(frame, p);
        for (int i = 0; i < unit * unit; i++) {
            int y = i / unit, x = index * unit + i % unit;
            if (first * unit + x >= frame->across[p] || self->unit_rows * unit + y >= frame->down[p]) {
                px_jpeg_tokens_add_flat(self->tokens, p > 0, 0);
                continue;
            }
            const px_jpeg_group *group = &groups[p][y][x / PX_JPEG_BLOCKS];
            int dc = group->values[0][x % PX_JPEG_BLOCKS];
            px_jpeg_tokens_add(self->tokens, p > 0, group, x % PX_JPEG_BLOCKS, dc - self->dc[p]);
            self->dc[p] = dc;
        }
    }
}

/* The groups' blocks, one by one. */
static void keep_whole(jpeg_encoder *self, int first, px_groups groups)
{
    const px_jpeg_frame *frame = &self->frame;
    for (int p = 0; p < frame->planes; p++) {
        int unit = px_jpeg_unit_of(frame, p), end = (first + PX_JPEG_BLOCKS) * unit;
        end = end < frame->across[p] ? end : frame->across[p];
        for (int y = 0; y < unit && self->unit_rows * unit + y < frame->down[p]; y++)
            for (int x = first * unit; x < end; x++) {
                int16_t *block = self->whole.blocks[p][(size_t)(self->unit_rows * unit + y) * (size_t)frame->across[p] + (size_t)x];
                const px_jpeg_group *group = &groups[p][y][(x - first * unit) / PX_JPEG_BLOCKS];
                for (int k = 0; k < 64; k++)
                    block[k] = (int16_t)group->values[k][x % PX_JPEG_BLOCKS];
            }
    }
}

static px_status keep_row(jpeg_encoder *self, px_error *err)
{
    px_groups groups;
    for (int p = 0; p < self->frame.planes; p++) {
        for (; self->held[p] < self->full[p]; self->held[p]++) {
            uint8_t *line = self->lines[p] + (size_t)self->held[p] * self->strides[p];
            memcpy(line, line - self->strides[p], self->strides[p]);
        }
        self->held[p] = 0;
    }
    for (int first = 0; first < self->frame.units_across; first += PX_JPEG_BLOCKS) {
        transform(self, first, groups);
        if (!self->tokens)
            keep_whole(self, first, groups);
        for (int i = 0; self->tokens && i < PX_JPEG_BLOCKS && first + i < self->frame.units_across; i++) {
            PX_TRY(px_jpeg_tokens_next(self->tokens, err));
            keep_unit(self, first, i, groups);
        }
    }
    self->unit_rows++;
    return PX_OK;
}

/* ---- lines ---- */

static uint8_t *line_of(jpeg_encoder *self, int plane) { return self->lines[plane] + (size_t)self->held[plane] * self->strides[plane]; }

/* The line that was written now is there: its last sample is repeated. */
static void end_line(jpeg_encoder *self, int plane, int width)
{
    uint8_t *line = line_of(self, plane);
    memset(line + width, line[width - 1], self->strides[plane] - (size_t)width);
    self->held[plane]++;
}

static void take_plane(jpeg_encoder *self, int plane, const px_plane *from)
{
    for (int y = 0; y < from->height; y++) {
        memcpy(line_of(self, plane), from->samples + (size_t)y * from->stride, (size_t)from->width);
        end_line(self, plane, from->width);
    }
}

static void take_halved(jpeg_encoder *self, const uint8_t *lower)
{
    int width = self->frame.width;
    self->forward->halved(self->upper, lower, width, line_of(self, 1), line_of(self, 2));
    end_line(self, 1, (width + 1) / 2);
    end_line(self, 2, (width + 1) / 2);
    self->has_upper = false;
}

static void take_rgb(jpeg_encoder *self, const uint8_t *rgb)
{
    int width = self->frame.width;
    self->forward->luma(rgb, width, line_of(self, 0));
    end_line(self, 0, width);
    if (self->frame.unit == 1) {
        self->forward->whole(rgb, width, line_of(self, 1), line_of(self, 2));
        end_line(self, 1, width);
        end_line(self, 2, width);
    } else if (self->has_upper) {
        take_halved(self, rgb);
    } else {
        memcpy(self->upper, rgb, 3 * (size_t)width);
        self->has_upper = true;
    }
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    jpeg_encoder *self = (jpeg_encoder *)base;
    if (self->spec.model == PX_RGB)
        take_rgb(self, row->planes[0].samples);
    else
        for (int p = 0; p < self->frame.planes; p++)
            take_plane(self, p, &row->planes[p]);
    return self->held[0] == self->full[0] ? keep_row(self, err) : PX_OK;
}

static px_status write_whole(jpeg_encoder *self, px_error *err)
{
    px_jpeg_trellis(&self->whole);
    px_jpeg_plan plan = px_jpeg_scans_plan(&self->whole);
    self->frame.progressive = plan.progressive;
    PX_TRY(px_jpeg_head_write(&self->frame, &self->spec, &self->out, err));
    return px_jpeg_scans_write(&self->whole, &plan, &self->out, err);
}

static px_status write_tokens(jpeg_encoder *self, px_error *err)
{
    px_jpeg_code codes[2][2];
    px_jpeg_tokens_codes(self->tokens, codes);
    PX_TRY(px_jpeg_head_write(&self->frame, &self->spec, &self->out, err));
    for (int i = 0; i < (self->frame.planes > 1 ? 4 : 2); i++)
        PX_TRY(px_jpeg_out_code(&self->out, i % 2, i / 2, &codes[i / 2][i % 2], err));
    PX_TRY(px_jpeg_scan_write(0, self->frame.planes, 0, 63, 0, 0, &self->out, err));
    return px_jpeg_tokens_write(self->tokens, codes, &self->out, err);
}

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    jpeg_encoder *self = (jpeg_encoder *)base;
    if (self->has_upper)
        take_halved(self, self->upper);
    if (self->held[0])
        PX_TRY(keep_row(self, err));
    PX_TRY((self->tokens ? write_tokens : write_whole)(self, err));
    PX_TRY(px_jpeg_out_bytes(&self->out, "\xff\xd9", 2, err));
    PX_TRY(px_jpeg_out_finish(&self->out, err));
    *ret_bytes = self->out.written;
    return PX_OK;
}

static void encoder_close(px_encoder *base)
{
    jpeg_encoder *self = (jpeg_encoder *)base;
    px_jpeg_tokens_destroy(self->tokens);
    px_jpeg_whole_destroy(&self->whole);
    free(self->lines[0]);
    free(self->upper);
    free(self);
}

/* ---- the beginning ---- */

/* With effort high coefficients are kept as the DCT gives them. */
static void divide_by(const uint8_t steps[64], bool whole, px_jpeg_divisors *ret)
{
    for (int i = 0; i < 64; i++) {
        ret->half[i] = whole ? 0.5f : (float)(steps[i] * 4) + 0.5f;
        ret->part[i] = whole ? 1.0f : 1.0f / (float)(steps[i] * 8);
    }
}

static size_t plan_lines(const px_jpeg_frame *frame, size_t strides[3], int full[3])
{
    size_t groups = (size_t)(frame->units_across + PX_JPEG_BLOCKS - 1) / PX_JPEG_BLOCKS, bytes = 0;
    for (int p = 0; p < frame->planes; p++) {
        int unit = px_jpeg_unit_of(frame, p);
        strides[p] = groups * PX_JPEG_GROUP * (size_t)unit;
        full[p] = 8 * unit;
        bytes += strides[p] * (size_t)full[p];
    }
    return bytes;
}

static bool hold_lines(jpeg_encoder *self)
{
    self->lines[0] = malloc(plan_lines(&self->frame, self->strides, self->full));
    if (self->spec.model == PX_RGB && self->frame.unit == 2)
        self->upper = malloc(3 * (size_t)self->frame.width);
    for (int p = 1; p < self->frame.planes && self->lines[0]; p++)
        self->lines[p] = self->lines[p - 1] + self->strides[p - 1] * (size_t)self->full[p - 1];
    return self->lines[0] && (self->upper || self->spec.model != PX_RGB || self->frame.unit == 1);
}

static px_status hold_coefficients(jpeg_encoder *self, px_error *err)
{
    static const uint8_t tables[3][PX_JPEG_UNIT_BLOCKS] = { { 0 }, { 0, 1, 1 }, { 0, 0, 0, 0, 1, 1 } }, counts[3] = { 1, 3, 6 };
    int kind = self->frame.planes == 1 ? 0 : self->frame.unit;
    bool whole = self->spec.effort == PX_EFFORT_HIGH;
    for (int table = 0; table < 2; table++)
        divide_by(self->frame.steps[table], whole, &self->divisors[table]);
    if (whole)
        return px_jpeg_whole_create(&self->frame, &self->whole, err);
    self->tokens = px_jpeg_tokens_create(tables[kind], counts[kind]);
    return self->tokens ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG encoder");
}

px_status px_jpeg_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    jpeg_encoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG encoder");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .push = encoder_push, .finish = encoder_finish, .close = encoder_close };
    self->spec = *spec;
    self->frame = px_jpeg_frame_of(spec);
    self->forward = px_jpeg_forward_best();
    px_jpeg_out_init(&self->out, fd);
    PX_TRY(hold_coefficients(self, err));
    if (!hold_lines(self))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG encoder");
    *ret = held;
    held = NULL;
    return PX_OK;
}

uint64_t px_jpeg_encoder_memory(const px_encoder_spec *spec)
{
    px_jpeg_frame frame = px_jpeg_frame_of(spec);
    size_t strides[3];
    int full[3];
    uint64_t units = (uint64_t)frame.units_across * (uint64_t)frame.units_down;
    unsigned blocks = frame.planes == 1 ? 1 : frame.unit == 1 ? 3 : 6;
    uint64_t kept = spec->effort == PX_EFFORT_HIGH ? px_jpeg_whole_memory(&frame) : px_jpeg_tokens_memory(units, blocks);
    return sizeof(jpeg_encoder) + plan_lines(&frame, strides, full) + 3 * (uint64_t)spec->width + kept;
}
