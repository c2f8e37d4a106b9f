/* Putting PNG's filters on: the vectors give what plain C gives, sums included, and undoing gives the row back. */
#include <stdlib.h>
#include <string.h>

#include "codec/png/filter.h"
#include "codec/png/unfilter.h"
#include "test.h"

static unsigned state = 7;

static unsigned random_below(unsigned bound)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % bound;
}

static void check(int filter, size_t count, size_t step)
{
    static uint8_t above[9000], row[9000], expected[9000], got[9001], back[9000];
    unsigned kind = random_below(3);
    for (size_t i = 0; i < count; i++) {
        row[i] = (uint8_t)(kind == 0 ? random_below(256) : kind == 1 ? 128 : random_below(2) * 255);
        above[i] = (uint8_t)(kind == 0 ? random_below(256) : kind == 1 ? 0 : random_below(2) * 255);
    }
    got[count] = 0x5a;
    uint64_t sum = px_png_filter_row_plain(filter, row, above, count, step, expected);
    assert_int_equal(px_png_filter_row(filter, row, above, count, step, got), sum);
    assert_memory_equal(got, expected, count);
    assert_int_equal(got[count], 0x5a);
    px_unfilter_part(filter, got, above, back, 0, count, step);
    assert_memory_equal(back, row, count);
}

static void vectors_give_what_plain_c_gives(void **unused)
{
    (void)unused;
    static const size_t steps[] = { 1, 2, 3, 4 };
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
        for (int filter = 0; filter < PX_PNG_FILTERS; filter++) {
            for (int round = 0; round < 100; round++)
                check(filter, steps[s] * (1 + random_below(200)), steps[s]);
            check(filter, 8400, steps[s]); /* sums of more than 16 bits */
        }
}

/* By hand: what a row leaves under each strategy. */
static void a_strategy_takes_what_it_says(void **unused)
{
    (void)unused;
    uint8_t above[64], row[64], tries[5 * 64], target[65];
    for (int i = 0; i < 64; i++) {
        above[i] = (uint8_t)(i * 37);
        row[i] = (uint8_t)(above[i] + 1); /* Up leaves ones */
    }
    for (px_png_strategy s = 0; s <= PX_PNG_ALL_PAETH; s++) {
        px_png_filter(s, row, above, 64, 1, tries, target);
        assert_int_equal(target[0], s);
    }
    px_png_filter(PX_PNG_LEAST_SUM, row, above, 64, 1, tries, target);
    assert_int_equal(target[0], 2);
    px_png_filter(PX_PNG_LEAST_ENTROPY, row, above, 64, 1, tries, target);
    assert_int_equal(target[0], 2);
    for (int i = 0; i < 64; i++)
        row[i] = (uint8_t)(random_below(2) ? 100 : 156); /* two values; differences are less, but of three */
    memset(above, 0, sizeof above);
    px_png_filter(PX_PNG_LEAST_ENTROPY, row, above, 64, 1, tries, target);
    assert_int_equal(target[0], 0);
    px_png_filter(PX_PNG_LEAST_SUM, row, above, 64, 1, tries, target);
    assert_int_not_equal(target[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_give_what_plain_c_gives),
        cmocka_unit_test(a_strategy_takes_what_it_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
