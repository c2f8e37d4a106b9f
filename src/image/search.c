/* The curves are falling lines, about: what is lost, ln(1 - SSIM), rises with ln(step); ln(bytes) falls with it. Their usual slopes
 * place the second try; from then on the two tries around the goal, or the last two, do. */
#include "image/search.h"

#include <math.h>
#include <stdbool.h>

static const double likeness_slope = 0.75, bytes_slope = -0.75; /* of the logarithms, by ln(step): the medians of photos */
static const double close_enough = 0.0012;                      /* above the target: less than one more try is worth */
static const double well_used = 0.97;                           /* of a budget */
enum { SECANT_TRIES = 5, BYTES_TRIES = 12 };                    /* then halves, which end for certain */

typedef struct search {
    px_trial low, high; /* the bracket: one that is too little, one that is enough (or too much); quality 0: not tried yet */
    px_trial last, before; /* likewise */
    int least, most;
    double goal, slope; /* goal in the coordinate */
    double (*height)(const px_trial *trial);
    int tries;
} search;

/* ln of the percentage by which libjpeg scales its tables (jcparam.c); kept above 1 so that there is one. */
static double step_of(int quality) { return log(1 + (quality < 50 ? 5000.0 / quality : 200.0 - 2 * quality)); }

static int quality_of(double step)
{
    double percent = exp(step) - 1;
    return (int)lround(percent > 100 ? 5000 / percent : (200 - percent) / 2);
}

static double height_of_loss(const px_trial *trial) { return log(fmax(1 - trial->likeness, 1e-6)); }
static double height_of_bytes(const px_trial *trial) { return log((double)trial->bytes); }

/* Where a line through two tries (or, with one, of the usual slope) meets the goal. */
static int secant(const search *self)
{
    const px_trial *one = &self->last, *two = &self->before;
    if (self->low.quality && self->high.quality) {
        one = &self->low;
        two = &self->high;
    }
    double slope = self->slope, x = step_of(one->quality), y = self->height(one);
    if (two->quality && two->quality != one->quality) {
        double found = (y - self->height(two)) / (x - step_of(two->quality));
        if (found / slope > 0.05 && found / slope < 8) /* otherwise noise, or a cliff */
            slope = found;
    }
    return quality_of(x + (self->goal - y) / slope);
}

/* The next to try: inside the bracket. */
static int next_quality(const search *self)
{
    int least = self->low.quality ? self->low.quality + 1 : self->least, most = self->high.quality ? self->high.quality - 1 : self->most;
    int quality = self->tries < SECANT_TRIES ? secant(self) : (least + most) / 2;
    return quality < least ? least : quality > most ? most : quality;
}

/* Nothing left between what is too little and what is enough? */
static bool is_closed(const search *self)
{
    int low = self->low.quality ? self->low.quality : self->least - 1, high = self->high.quality ? self->high.quality : self->most + 1;
    return high - low <= 1;
}

static px_status try_one(search *self, const px_trier *trier, int quality, px_error *err)
{
    self->before = self->last;
    PX_TRY(trier->run(trier->context, quality, &self->last, err));
    self->last.quality = quality;
    self->tries++;
    return PX_OK;
}

/* Near enough, if nothing better is found. */
static bool is_near(const px_trial *trial, double target) { return trial->quality && fabs(trial->likeness / target - 1) <= 0.005; }

px_status px_search_likeness(const px_trier *trier, double target, px_trial *ret, px_trial *ret_last, px_error *err)
{
    search self = { .least = PX_QUALITY_LEAST, .most = PX_QUALITY_MOST, .goal = log(1 - target), .slope = likeness_slope,
                    .height = height_of_loss };
    int next = PX_QUALITY_FIRST;
    bool near = false;
    do {
        PX_TRY(try_one(&self, trier, next, err));
        bool reached = self.last.likeness >= target;
        *(reached ? &self.high : &self.low) = self.last;
        if (reached && self.last.likeness - target <= close_enough)
            break;
        next = next_quality(&self);
        near = is_near(&self.low, target) || is_near(&self.high, target);
    } while (!is_closed(&self) && self.tries < PX_SEARCH_TRIES - (near ? 1 : 0));
    bool is_low = self.high.quality == 0 || (is_near(&self.low, target) && !is_near(&self.high, target));
    *ret = self.tries == PX_SEARCH_TRIES ? self.last : is_low ? self.low : self.high;
    *ret_last = self.last;
    return PX_OK;
}

px_status px_search_bytes(const px_trier *trier, uint64_t bytes, int most, px_trial *ret, px_trial *ret_last, px_error *err)
{
    search self = { .least = 1, .most = most, .goal = log((double)bytes * (1 + well_used) / 2), .slope = bytes_slope, .height = height_of_bytes };
    int next = most;
    do {
        PX_TRY(try_one(&self, trier, next, err));
        bool fits = self.last.bytes <= bytes;
        *(fits ? &self.low : &self.high) = self.last;
        if (fits && (double)self.last.bytes >= well_used * (double)bytes)
            break;
        next = next_quality(&self);
    } while (self.tries < BYTES_TRIES && !is_closed(&self));
    *ret = self.low.quality ? self.low : self.high; /* the high one has come down to 1 */
    *ret_last = self.last;
    return PX_OK;
}
