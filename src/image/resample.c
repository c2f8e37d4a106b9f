/* Lanczos-3 in two passes, across then down.
 *
 * Pushed rows are collected eight at a time, sample by sample, so that the pass across works on eight rows in one vector;
 * its results go to a ring of rows at target width, and the pass down is a weighted sum of ring rows. Weights are
 * computed in double and rounded once to 14 bits; the largest takes up the rounding, so that flat areas stay flat. */
#include "image/resample.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double radius = 3.0;

struct px_resample {
    px_resample_spec spec;
    px_span *across, *down;          /* owned; one for each target column, target row */
    float *across_weights, *down_weights; /* owned; theirs */
    uint8_t *block;                  /* owned; PX_LANES source rows, interleaved by sample */
    int16_t *ring;                   /* owned; ring_rows rows at target width */
    const int16_t **rows;            /* owned; room for the pointers of one pass down */
    int ring_rows;
    int pushed, scaled, pulled;      /* rows: taken, in the ring, given */
};

static double lanczos(double x)
{
    x = fabs(x);
    if (x < 1e-9)
        return 1.0;
    if (x >= radius)
        return 0.0;
    double t = x * 3.14159265358979323846;
    return radius * sin(t) * sin(t / radius) / (t * t);
}

/* How many source samples a target sample draws on, at most. */
static int reach_of(double part, int target, int source)
{
    double stretch = fmax(part / target, 1.0);
    double count = ceil(2.0 * radius * stretch) + 2.0;
    return count < source ? (int)count : source;
}

/* Rounds `count` weights of sum `sum` to whole numbers that add up to 1 << 14. */
static void round_weights(const double *exact, double sum, int count, float *weights)
{
    int left = 1 << PX_WEIGHT_BITS, largest = 0;
    for (int k = 0; k < count; k++) {
        int weight = (int)lround(exact[k] / sum * (1 << PX_WEIGHT_BITS));
        weights[k] = (float)weight;
        left -= weight;
        if (exact[k] > exact[largest])
            largest = k;
    }
    weights[largest] += (float)left;
}

static px_status plan_axis(double start, double part, int source, int target, px_span **ret_spans,
                           float **ret_weights, px_error *err)
{
    int reach = reach_of(part, target, source);
    px_span *spans = calloc((size_t)target, sizeof *spans);
    float *weights = calloc((size_t)target * (size_t)reach, sizeof *weights);
    double *exact = calloc((size_t)reach, sizeof *exact);
    if (!spans || !weights || !exact) {
        free(spans);
        free(weights);
        free(exact);
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for resample weights");
    }
    double step = part / target, stretch = fmax(step, 1.0);
    for (int i = 0; i < target; i++) {
        double centre = start + ((double)i + 0.5) * step;
        int first = (int)fmax(ceil(centre - radius * stretch - 0.5), 0.0);
        int last = (int)fmin(floor(centre + radius * stretch - 0.5), source - 1.0);
        if (first > source - 1)
            first = source - 1;
        if (last < first)
            last = first;
        int count = last - first + 1;
        assert(count <= reach);
        double sum = 0.0;
        for (int k = 0; k < count; k++)
            sum += exact[k] = lanczos((first + k + 0.5 - centre) / stretch);
        if (fabs(sum) < 1e-6) { /* nothing near: the one sample that there is */
            memset(exact, 0, (size_t)count * sizeof *exact);
            exact[0] = sum = 1.0;
        }
        float *mine = weights + (size_t)i * (size_t)reach;
        round_weights(exact, sum, count, mine);
        spans[i] = (px_span){ first, count, mine };
    }
    free(exact);
    *ret_spans = spans;
    *ret_weights = weights;
    return PX_OK;
}

static int ring_rows_of(const px_resample_spec *spec)
{
    return reach_of(spec->height, spec->target_height, spec->source_height) + 2 * PX_LANES;
}

uint64_t px_resample_memory(const px_resample_spec *spec)
{
    uint64_t samples = (uint64_t)spec->target_width * (unsigned)spec->channels;
    uint64_t across = (uint64_t)reach_of(spec->width, spec->target_width, spec->source_width);
    uint64_t down = (uint64_t)reach_of(spec->height, spec->target_height, spec->source_height);
    return sizeof(px_resample) + (uint64_t)spec->target_width * (across * sizeof(float) + sizeof(px_span))
         + (uint64_t)spec->target_height * (down * sizeof(float) + sizeof(px_span))
         + (uint64_t)spec->source_width * (unsigned)spec->channels * PX_LANES
         + samples * sizeof(int16_t) * (unsigned)ring_rows_of(spec);
}

px_status px_resample_create(const px_resample_spec *spec, px_resample **ret, px_error *err)
{
    assert(spec->channels >= 1 && spec->channels <= 4 && spec->width > 0.0 && spec->height > 0.0);
    assert(spec->source_width > 0 && spec->source_height > 0 && spec->target_width > 0 && spec->target_height > 0);
    px_resample *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a resampler");
    self->spec = *spec;
    if (!self->spec.kernels)
        self->spec.kernels = px_kernels_best();
    self->ring_rows = ring_rows_of(spec);
    px_status status = plan_axis(spec->x, spec->width, spec->source_width, spec->target_width, &self->across,
                                 &self->across_weights, err);
    if (status == PX_OK)
        status = plan_axis(spec->y, spec->height, spec->source_height, spec->target_height, &self->down,
                           &self->down_weights, err);
    size_t source_samples = (size_t)spec->source_width * (size_t)spec->channels;
    size_t samples = (size_t)spec->target_width * (size_t)spec->channels;
    self->block = calloc(source_samples, PX_LANES);
    self->ring = calloc(samples * (size_t)self->ring_rows, sizeof *self->ring);
    self->rows = calloc((size_t)self->ring_rows, sizeof *self->rows);
    if (status == PX_OK && (!self->block || !self->ring || !self->rows))
        status = px_fail(err, PX_OUT_OF_MEMORY, "no room for %d rows of %d pixels", self->ring_rows, spec->target_width);
    if (status != PX_OK) {
        px_resample_destroy(self);
        return status;
    }
    *ret = self;
    return PX_OK;
}

void px_resample_destroy(px_resample *self)
{
    if (!self)
        return;
    free(self->across);
    free(self->down);
    free(self->across_weights);
    free(self->down_weights);
    free(self->block);
    free(self->ring);
    free(self->rows);
    free(self);
}

static int16_t *ring_row(const px_resample *self, int y)
{
    size_t samples = (size_t)self->spec.target_width * (size_t)self->spec.channels;
    return self->ring + (size_t)(y % self->ring_rows) * samples;
}

static void scale_across(px_resample *self)
{
    int16_t *rows[PX_LANES];
    for (int lane = 0; lane < PX_LANES; lane++)
        rows[lane] = ring_row(self, self->scaled + lane); /* lanes beyond the last row are never read */
    self->spec.kernels->across(self->block, self->across, self->spec.target_width, self->spec.channels, rows);
    self->scaled = self->pushed;
}

void px_resample_restart(px_resample *self) { self->pushed = self->scaled = self->pulled = 0; }

void px_resample_push(px_resample *self, const uint8_t *row)
{
    assert(self->pushed < self->spec.source_height);
    uint8_t *lane = self->block + self->pushed - self->scaled;
    size_t samples = (size_t)self->spec.source_width * (size_t)self->spec.channels;
    for (size_t i = 0; i < samples; i++)
        lane[i * PX_LANES] = row[i];
    self->pushed++;
    if (self->pushed - self->scaled == PX_LANES || self->pushed == self->spec.source_height)
        scale_across(self);
}

bool px_resample_pull(px_resample *self, uint8_t *row)
{
    if (self->pulled == self->spec.target_height)
        return false;
    const px_span *span = &self->down[self->pulled];
    if (self->scaled < span->first + span->count)
        return false;
    assert(self->scaled - span->first <= self->ring_rows && "push came before pull was done");
    for (int k = 0; k < span->count; k++)
        self->rows[k] = ring_row(self, span->first + k);
    self->spec.kernels->down(self->rows, span->weights, span->count, row,
                             (size_t)self->spec.target_width * (size_t)self->spec.channels);
    self->pulled++;
    return true;
}
