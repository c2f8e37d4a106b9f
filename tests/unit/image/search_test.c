/* The two searches. Goal: they find what trying every quality would find, in few tries, whatever the curve. Method: curves made of
 * arithmetic, from a flat one to a cliff, beside all hundred qualities. */
#include "picture.h"

#include <string.h>

#include "image/search.h"

/* An encoder as two formulas. */
typedef struct curve {
    double loss, loss_slope, bytes, bytes_slope, jump; /* at step 40; jump: bytes from quality 90 on */
    int cliff; /* below this quality five times as much is lost */
    int tries;
} curve;

static px_trial at(const curve *self, int quality)
{
    double step = 1 + (quality < 50 ? 5000.0 / quality : 200.0 - 2 * quality);
    double bytes = self->bytes * pow(step / 40, -self->bytes_slope) * (quality >= 90 ? self->jump : 1);
    double loss = self->loss * (quality < self->cliff ? 5 : 1);
    return (px_trial){ .quality = quality, .bytes = (uint64_t)bytes + 600, .likeness = fmax(0, 1 - loss * pow(step / 40, self->loss_slope)) };
}

static px_status run(void *context, int quality, px_trial *ret, px_error *err)
{
    (void)err;
    curve *self = context;
    assert_in_range(quality, 1, 100);
    self->tries++;
    *ret = at(self, quality);
    return PX_OK;
}

static px_status broken(void *context, int quality, px_trial *ret, px_error *err)
{
    (void)context, (void)quality, (void)ret;
    return px_fail(err, PX_DISK_FULL, "no room");
}

static int lowest_that_reaches(const curve *self, double target)
{
    for (int q = PX_QUALITY_LEAST; q < PX_QUALITY_MOST; q++)
        if (at(self, q).likeness >= target)
            return q;
    return PX_QUALITY_MOST;
}

static void a_target_is_met_in_five_encodes(void **state)
{
    (void)state;
    static const double losses[] = { 0.02, 0.04, 0.05, 0.07, 0.1, 0.15 }, slopes[] = { 0.3, 0.5, 0.75, 1, 1.3 };
    int most = 0;
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 5; k++) {
            curve self = { .loss = losses[i], .loss_slope = slopes[k], .bytes = 1e5, .bytes_slope = 0.8, .jump = 1.3 };
            px_trial found = { 0 }, last = { 0 };
            assert_int_equal(px_search_likeness(&(px_trier){ run, &self }, 0.93, &found, &last, NULL), PX_OK);
            int encodes = self.tries + (found.quality != last.quality), wanted = lowest_that_reaches(&self, 0.93);
            most = encodes > most ? encodes : most;
            assert_true(encodes <= PX_SEARCH_TRIES);
            assert_true(found.quality == wanted || fabs(found.likeness / 0.93 - 1) <= 0.005);
        }
    print_message("at most %d encodes\n", most);
}

/* Where no quality is near the target, the search still ends in time, with what it tried. */
static void a_cliff_costs_no_more_encodes(void **state)
{
    (void)state;
    for (int cliff = PX_QUALITY_LEAST; cliff <= PX_QUALITY_MOST; cliff++) {
        curve self = { .loss = 0.03, .loss_slope = 0.2, .bytes = 1e5, .bytes_slope = 0.8, .jump = 1, .cliff = cliff };
        px_trial found = { 0 }, last = { 0 };
        assert_int_equal(px_search_likeness(&(px_trier){ run, &self }, 0.93, &found, &last, NULL), PX_OK);
        assert_true(self.tries + (found.quality != last.quality) <= PX_SEARCH_TRIES);
        assert_true(found.quality && fabs(found.likeness - at(&self, found.quality).likeness) < 1e-12);
    }
}

static void what_is_always_alike_gets_the_least_and_what_never_is_the_most(void **state)
{
    (void)state;
    curve blank = { .loss = 0, .loss_slope = 1, .bytes = 1e4, .bytes_slope = 0.1, .jump = 1 };
    curve noise = { .loss = 0.9, .loss_slope = 0.05, .bytes = 1e6, .bytes_slope = 0.8, .jump = 1 };
    px_trial found = { 0 }, last = { 0 };
    assert_int_equal(px_search_likeness(&(px_trier){ run, &blank }, 0.93, &found, &last, NULL), PX_OK);
    assert_int_equal(found.quality, PX_QUALITY_LEAST);
    assert_int_equal(px_search_likeness(&(px_trier){ run, &noise }, 0.93, &found, &last, NULL), PX_OK);
    assert_int_equal(found.quality, PX_QUALITY_MOST);
    assert_true(blank.tries <= PX_SEARCH_TRIES && noise.tries <= PX_SEARCH_TRIES);
}

static void a_budget_is_kept_and_used(void **state)
{
    (void)state;
    static const double slopes[] = { 0.05, 0.4, 0.8, 1.2, 2 }, jumps[] = { 1, 1.4, 3 };
    for (int most = 1; most <= 100; most += 33)
        for (size_t k = 0; k < 15; k++)
            for (uint64_t budget = 700; budget < 2000000; budget = budget * 5 / 4) {
                curve self = { .loss = 0.05, .loss_slope = 1, .bytes = 5e4, .bytes_slope = slopes[k % 5], .jump = jumps[k / 5] };
                px_trial found = { 0 }, last = { 0 };
                int best = 0;
                for (int q = 1; q <= most; q++)
                    best = at(&self, q).bytes <= budget ? q : best;
                assert_int_equal(px_search_bytes(&(px_trier){ run, &self }, budget, most, &found, &last, NULL), PX_OK);
                assert_true(self.tries <= 12);
                if (best == 0) {
                    assert_int_equal(found.quality, 1);
                    assert_true(found.bytes > budget);
                } else {
                    assert_true(found.bytes <= budget && found.quality <= best);
                    assert_true(found.quality == best || (double)found.bytes >= 0.97 * (double)budget);
                }
            }
}

static void a_failing_encoder_ends_the_search(void **state)
{
    (void)state;
    px_trial found = { 0 }, last = { 0 };
    assert_int_equal(px_search_likeness(&(px_trier){ broken, NULL }, 0.93, &found, &last, NULL), PX_DISK_FULL);
    assert_int_equal(px_search_bytes(&(px_trier){ broken, NULL }, 1000, 80, &found, &last, NULL), PX_DISK_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_is_met_in_five_encodes),
        cmocka_unit_test(a_cliff_costs_no_more_encodes),
        cmocka_unit_test(what_is_always_alike_gets_the_least_and_what_never_is_the_most),
        cmocka_unit_test(a_budget_is_kept_and_used),
        cmocka_unit_test(a_failing_encoder_ends_the_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
