/* Lanczos-3 in two passes, across then down.
 *
 * Pushed rows are collected eight at a time, so that the pass across works on eight rows in one vector; its results go to a ring of
 * rows at target width, and the pass down is a weighted sum of ring rows. Weights are computed in double and rounded once to 14
 * bits; the largest takes up the rounding, so that flat areas stay flat. Both passes take samples two by two (kernels.h). */
#include "image/resample.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double radius = 3.0;

struct px_resample {
    px_resample_spec spec;
    px_span *across, *down;          /* owned; one for each target column, target row */
    int16_t *across_weights, *down_weights; /* owned; theirs */
    uint8_t *pairs;                  /* owned; PX_LANES source rows, pair by pair */
    size_t stride;                   /* bytes, of one of them */
    uint8_t *block;                  /* owned; the kernel's scratch */
    int16_t *ring;                   /* owned; ring_rows rows at target width */
    const int16_t **rows;            /* owned; room for the pointers of one pass down */
    int ring_rows;
    int pushed, scaled, pulled;      /* rows: taken, in the ring, given */
};

static const double pi = 3.14159265358979323846;

/* A point that goes round a circle in steps of one angle: its sines for the price of a few products. */
typedef struct turning {
    double sine, cosine, step_sine, step_cosine;
} turning;

static turning turning_from(double angle, double step) { return (turning){ sin(angle), cos(angle), sin(step), cos(step) }; }

static double turn(turning *self)
{
    double sine = self->sine;
    self->sine = sine * self->step_cosine + self->cosine * self->step_sine;
    self->cosine = self->cosine * self->step_cosine - sine * self->step_sine;
    return sine;
}

/* `count` values of the kernel, from `x` in steps of `step`; returns their sum. */
static double lanczos(double x, double step, int count, double *values)
{
    turning fast = turning_from(pi * x, pi * step), slow = turning_from(pi * x / radius, pi * step / radius);
    double sum = 0.0;
    for (int k = 0; k < count; k++) {
        double t = x + k * step, product = turn(&fast) * turn(&slow);
        double value = fabs(t) < 1e-9 ? 1.0 : fabs(t) >= radius ? 0.0 : radius * product / (pi * pi * t * t);
        sum += values[k] = value;
    }
    return sum;
}

/* How many source samples a target sample draws on, at most. */
static int reach_of(double part, int target, int source)
{
    double stretch = fmax(part / target, 1.0);
    double count = ceil(2.0 * radius * stretch) + 2.0;
    return count < source ? (int)count : source;
}

static int16_t within(int weight) { return (int16_t)(weight < INT16_MIN ? INT16_MIN : weight > INT16_MAX ? INT16_MAX : weight); }

/* Rounds `count` weights of sum `sum` to whole numbers that add up to 1 << 14. */
static void round_weights(const double *exact, double sum, int count, int16_t *weights)
{
    int left = 1 << PX_WEIGHT_BITS, largest = 0;
    for (int k = 0; k < count; k++) {
        weights[k] = within((int)lround(exact[k] / sum * (1 << PX_WEIGHT_BITS)));
        left -= weights[k];
        if (exact[k] > exact[largest])
            largest = k;
    }
    weights[largest] = within(weights[largest] + left);
}

/* The weights of the samples around `centre`, from *first on. Returns how many. */
static int weigh(double centre, double stretch, int source, double *exact, double *ret_sum, int *first)
{
    int from = (int)fmax(ceil(centre - radius * stretch - 0.5), 0.0);
    int last = (int)fmin(floor(centre + radius * stretch - 0.5), source - 1.0);
    if (from > source - 1)
        from = source - 1;
    if (last < from)
        last = from;
    int count = last - from + 1;
    double sum = lanczos((from + 0.5 - centre) / stretch, 1.0 / stretch, count, exact);
    if (fabs(sum) < 1e-6) { /* nothing near: the one sample that there is */
        memset(exact, 0, (size_t)count * sizeof *exact);
        exact[0] = sum = 1.0;
    }
    *ret_sum = sum;
    *first = from;
    return count;
}

/* Weights of one span, with room for a neighbour before and behind. */
static size_t span_weights(int reach) { return (size_t)reach + 2; }

/* With `even`, spans begin with an even sample. */
static px_status plan_axis(double start, double part, int source, int target, bool even, px_span **ret_spans,
                           int16_t **ret_weights, px_error *err)
{
    int reach = reach_of(part, target, source);
    px_span *spans = calloc((size_t)target, sizeof *spans);
    int16_t *weights = calloc((size_t)target * span_weights(reach), sizeof *weights);
    double *exact = calloc((size_t)reach, sizeof *exact);
    if (!spans || !weights || !exact) {
        free(spans);
        free(weights);
        free(exact);
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for resample weights");
    }
    double step = part / target, sum;
    for (int i = 0; i < target; i++) {
        int first, count = weigh(start + ((double)i + 0.5) * step, fmax(step, 1.0), source, exact, &sum, &first);
        assert(count <= reach);
        int16_t *mine = weights + (size_t)i * span_weights(reach);
        int before = even ? first & 1 : 0;
        round_weights(exact, sum, count, mine + before);
        spans[i] = (px_span){ first - before, (before + count + 1) / 2, mine };
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

static size_t stride_of(const px_resample_spec *spec)
{
    return (((size_t)spec->source_width + 1) / 2 * 2 * (size_t)spec->channels + 15) / 16 * 16;
}

uint64_t px_resample_memory(const px_resample_spec *spec)
{
    uint64_t samples = (uint64_t)spec->target_width * (unsigned)spec->channels;
    uint64_t across = span_weights(reach_of(spec->width, spec->target_width, spec->source_width));
    uint64_t down = span_weights(reach_of(spec->height, spec->target_height, spec->source_height));
    return sizeof(px_resample) + (uint64_t)spec->target_width * (across * sizeof(int16_t) + sizeof(px_span))
         + (uint64_t)spec->target_height * (down * sizeof(int16_t) + sizeof(px_span))
         + stride_of(spec) * 2 * PX_LANES + 2 * PX_ROW_PADDING
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
    px_status status = plan_axis(spec->x, spec->width, spec->source_width, spec->target_width, true, &self->across,
                                 &self->across_weights, err);
    if (status == PX_OK)
        status = plan_axis(spec->y, spec->height, spec->source_height, spec->target_height, false, &self->down,
                           &self->down_weights, err);
    size_t samples = (size_t)spec->target_width * (size_t)spec->channels;
    self->stride = stride_of(spec);
    self->pairs = calloc(self->stride * PX_LANES + PX_ROW_PADDING, 1);
    self->block = malloc(self->stride * PX_LANES);
    self->ring = calloc(samples * (size_t)self->ring_rows + PX_ROW_PADDING / sizeof *self->ring, sizeof *self->ring);
    self->rows = calloc((size_t)self->ring_rows + 1, sizeof *self->rows);
    if (status == PX_OK && (!self->pairs || !self->block || !self->ring || !self->rows))
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
    free(self->pairs);
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
    self->spec.kernels->across(self->pairs, self->stride, self->block, self->across, self->spec.target_width, self->spec.channels, rows);
    self->scaled = self->pushed;
}

void px_resample_restart(px_resample *self) { self->pushed = self->scaled = self->pulled = 0; }

void px_resample_push(px_resample *self, const uint8_t *row)
{
    assert(self->pushed < self->spec.source_height);
    uint8_t *pairs = self->pairs + (size_t)(self->pushed - self->scaled) * self->stride;
    self->spec.kernels->pair(row, self->spec.source_width, self->spec.channels, pairs);
    self->pushed++;
    if (self->pushed - self->scaled == PX_LANES || self->pushed == self->spec.source_height)
        scale_across(self);
}

bool px_resample_pull(px_resample *self, uint8_t *row)
{
    if (self->pulled == self->spec.target_height)
        return false;
    const px_span *span = &self->down[self->pulled];
    int last = span->first + 2 * span->pairs - 1, end = self->spec.source_height - 1; /* an odd one out has no neighbour at the end */
    if (self->scaled <= (last < end ? last : end))
        return false;
    assert(self->scaled - span->first <= self->ring_rows && "push came before pull was done");
    for (int k = 0; k < 2 * span->pairs; k++)
        self->rows[k] = ring_row(self, span->first + k <= end ? span->first + k : end);
    self->spec.kernels->down(self->rows, span->weights, span->pairs, row,
                             (size_t)self->spec.target_width * (size_t)self->spec.channels);
    self->pulled++;
    return true;
}
