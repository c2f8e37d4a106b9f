/* Three resamplers and, behind each, a queue of finished lines: chroma reaches further down than luma does, so luma is ahead of it.
 *
 * Only what the next row lacks is pushed, as long as the decoder's row has it; then its rest is, since it will be gone. So no queue
 * is longer than that difference, which depends on the sizes alone and is planned. A plane that keeps its size is copied. */
#include "image/planes.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/resample.h"
#include "image/size.h"

typedef struct lines {
    px_resample_spec scaling;
    bool kept;                   /* not scaled */
    int first_column, first_row; /* of the decoded plane, that are used at all */
    int together;                /* lines of the target in one pulled row */
    int room;                    /* lines that the queue holds */

    px_resample *resample;       /* owned, or NULL */
    uint8_t *queue;              /* owned; `room` lines of the target */
    int taken;                   /* lines of the decoded plane so far */
    int made, pulled;            /* lines of the target: in the queue or gone, gone */
} lines;

struct px_planes {
    lines planes[3];
    px_row row;         /* borrowed; what was taken last */
    int used[3];        /* lines of it */
    bool narrow;        /* of what comes out */
    bool changes_range;
    uint8_t ranges[2][256]; /* of Y; of Cb and Cr */
};

/* ---- the plan ---- */

static bool is_whole(double x) { return x == floor(x); }

/* Where chroma lies on Y's left sample, the plane's first one is not in the middle of its pixels, but half a pixel of Y further left. */
static double siting_offset(const px_header *header, int p)
{
    return p > 0 && header->siting == PX_COSITED && header->chroma_across > 1 ? 0.5 - 0.5 / header->chroma_across : 0.0;
}

static void plan_plane(const px_planes_spec *spec, int p, lines *ret)
{
    const px_plane_size *size = &spec->sizes[p];
    bool halved = p > 0 && spec->chroma == PX_CHROMA_HALVED;
    px_resample_spec *s = &ret->scaling;
    *ret = (lines){ .together = p == 0 && spec->chroma == PX_CHROMA_HALVED ? 2 : 1 };
    px_side_decoded(spec->header->width, spec->window_x, spec->window_width, size->across, size->width, &ret->first_column, &s->source_width);
    px_side_decoded(spec->header->height, spec->window_y, spec->window_height, size->down, size->height, &ret->first_row, &s->source_height);
    s->channels = 1;
    s->target_width = halved ? (spec->target_width + 1) / 2 : spec->target_width;
    s->target_height = halved ? (spec->target_height + 1) / 2 : spec->target_height;
    /* Of an odd target the last sample of chroma hangs over the edge. */
    s->width = spec->part_width * size->across * (halved ? 2.0 * s->target_width / spec->target_width : 1.0);
    s->height = spec->part_height * size->down * (halved ? 2.0 * s->target_height / spec->target_height : 1.0);
    s->x = spec->part_x * size->across + siting_offset(spec->header, p) - ret->first_column;
    s->y = spec->part_y * size->down - ret->first_row;
    ret->kept = s->width == s->target_width && s->height == s->target_height && is_whole(s->x) && is_whole(s->y) && s->x >= 0 && s->y >= 0 &&
                s->x + s->target_width <= s->source_width && s->y + s->target_height <= s->source_height;
    if (ret->kept) { /* a window that is wider than the part plays no part */
        ret->first_column += (int)s->x;
        ret->first_row += (int)s->y;
        s->source_width = s->target_width;
        s->source_height = s->target_height;
    }
}

/* Lines of Y in the target by which a plane may be behind: the kernel reaches three lines down, of the coarser side, from the middle of
 * a line, and source lines go through the resampler PX_LANES at a time. */
static double lag_of(const px_planes_spec *spec, const lines *p)
{
    double each = (double)spec->target_height / p->scaling.target_height; /* of Y for one of this plane */
    double step = p->scaling.height / p->scaling.target_height;
    return each * (2.0 + 3.0 * fmax(1.0, 1.0 / step) + (PX_LANES + 1) / step);
}

static void plan(const px_planes_spec *spec, lines planes[3])
{
    double lag = 0.0;
    for (int p = 0; p < 3; p++) {
        plan_plane(spec, p, &planes[p]);
        lag = fmax(lag, lag_of(spec, &planes[p]));
    }
    for (int p = 0; p < 3; p++) {
        const px_resample_spec *s = &planes[p].scaling;
        double room = lag * s->target_height / spec->target_height + (PX_LANES + 1) * s->target_height / s->height + 6.0;
        planes[p].room = room < planes[p].scaling.target_height + 2 ? (int)room : planes[p].scaling.target_height + 2;
        planes[p].room += planes[p].room & 1; /* two lines of one row lie behind each other */
    }
}

static size_t queue_bytes(const lines *p) { return (size_t)p->room * (size_t)p->scaling.target_width; }

uint64_t px_planes_memory(const px_planes_spec *spec)
{
    lines planes[3];
    uint64_t bytes = sizeof(px_planes);
    plan(spec, planes);
    for (int p = 0; p < 3; p++)
        bytes += queue_bytes(&planes[p]) + (planes[p].kept ? 0 : px_resample_memory(&planes[p].scaling));
    return bytes;
}

/* ---- its memory ---- */

static uint8_t rounded(double value) { return (uint8_t)(value < 0.0 ? 0.0 : value > 255.0 ? 255.0 : value + 0.5); }

/* Between 0 to 255 and 16 to 235 (240 of Cb and Cr), both ways. */
static void plan_ranges(px_planes *self)
{
    for (int i = 0; i < 256; i++) {
        self->ranges[0][i] = rounded(self->narrow ? i * 219.0 / 255.0 + 16.0 : (i - 16) * 255.0 / 219.0);
        self->ranges[1][i] = rounded(self->narrow ? (i - 128) * 224.0 / 255.0 + 128.0 : (i - 128) * 255.0 / 224.0 + 128.0);
    }
}

px_status px_planes_create(const px_planes_spec *spec, px_planes **ret, px_error *err)
{
    px_planes *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for planes");
    px_status status = PX_OK;
    plan(spec, self->planes);
    self->narrow = spec->narrow;
    self->changes_range = spec->narrow != spec->header->narrow;
    plan_ranges(self);
    for (int p = 0; p < 3 && status == PX_OK; p++) {
        lines *plane = &self->planes[p];
        plane->queue = malloc(queue_bytes(plane));
        if (!plane->queue)
            status = px_fail(err, PX_OUT_OF_MEMORY, "no room for %d lines of %d samples", plane->room, plane->scaling.target_width);
        else if (!plane->kept)
            status = px_resample_create(&plane->scaling, &plane->resample, err);
    }
    if (status != PX_OK) {
        px_planes_destroy(self);
        return status;
    }
    *ret = self;
    return PX_OK;
}

void px_planes_destroy(px_planes *self)
{
    for (int p = 0; self && p < 3; p++) {
        px_resample_destroy(self->planes[p].resample);
        free(self->planes[p].queue);
    }
    free(self);
}

/* ---- its run ---- */

static uint8_t *line_of(const lines *p, int index)
{
    return p->queue + (size_t)(index % p->room) * (size_t)p->scaling.target_width;
}

static void change_range(const px_planes *self, int p, uint8_t *line)
{
    const uint8_t *range = self->ranges[p > 0];
    for (int x = 0; self->changes_range && x < self->planes[p].scaling.target_width; x++)
        line[x] = range[line[x]];
}

/* One line of the taken row, and the lines that it makes ready. */
static void push_line(px_planes *self, int p)
{
    lines *plane = &self->planes[p];
    const px_plane *from = &self->row.planes[p];
    const uint8_t *samples = from->samples + (size_t)self->used[p]++ * from->stride + plane->first_column;
    int y = plane->taken++ - plane->first_row;
    if (y < 0 || y >= plane->scaling.source_height)
        return; /* beside what is shown */
    if (plane->kept) {
        assert(plane->made - plane->pulled < plane->room);
        memcpy(line_of(plane, plane->made), samples, (size_t)plane->scaling.target_width);
        change_range(self, p, line_of(plane, plane->made++));
        return;
    }
    px_resample_push(plane->resample, samples);
    while (plane->made < plane->scaling.target_height) {
        assert(plane->made - plane->pulled < plane->room);
        uint8_t *line = line_of(plane, plane->made);
        if (!px_resample_pull(plane->resample, line))
            return;
        change_range(self, p, line);
        plane->made++;
    }
}

void px_planes_take(px_planes *self, const px_row *row)
{
    assert(row->plane_count == 3);
    self->row = *row;
    memset(self->used, 0, sizeof self->used);
}

static int wanted_lines(const lines *p)
{
    int left = p->scaling.target_height - p->pulled;
    return left < p->together ? left : p->together;
}

/* Pushes what the next row lacks; says whether it lacks nothing now. */
static bool fill(px_planes *self)
{
    bool whole = true;
    for (int p = 0; p < 3; p++) {
        lines *plane = &self->planes[p];
        while (plane->made - plane->pulled < wanted_lines(plane) && self->used[p] < self->row.planes[p].height)
            push_line(self, p);
        whole = whole && plane->made - plane->pulled >= wanted_lines(plane);
    }
    return whole && self->planes[0].pulled < self->planes[0].scaling.target_height;
}

bool px_planes_pull(px_planes *self, px_row *ret)
{
    if (!fill(self)) {
        for (int p = 0; p < 3; p++)
            while (self->used[p] < self->row.planes[p].height)
                push_line(self, p);
        return false;
    }
    *ret = (px_row){ .plane_count = 3, .depth = 8, .model = PX_YCC, .alpha = PX_OPAQUE, .narrow = self->narrow };
    for (int p = 0; p < 3; p++) {
        lines *plane = &self->planes[p];
        int width = plane->scaling.target_width;
        ret->planes[p] = (px_plane){ line_of(plane, plane->pulled), width, wanted_lines(plane), (size_t)width, 1 };
        plane->pulled += wanted_lines(plane);
    }
    return true;
}

/* Video's are times 255/219 and 255/224. */
static const px_matrix matrices[2] = { { 0, 65536, 91881, -22554, -46802, 116130 }, { 16, 76309, 104597, -25675, -53279, 132201 } };

void px_planes_to_rgb(const px_row *row, uint8_t *target)
{
    px_kernels_best()->rgb(row->planes[0].samples, row->planes[1].samples, row->planes[2].samples, &matrices[row->narrow],
                           row->planes[0].width, target);
}
