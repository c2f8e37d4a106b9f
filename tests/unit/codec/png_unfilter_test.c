/* Undoing PNG's filters: every CPU level gives the bytes that plain C gives, for every filter and pixel, any width, alone and mixed. */
#include <stdlib.h>
#include <string.h>

#include "codec/png/unfilter.h"
#include "test.h"

enum { ROWS_MAX = 41, GUARD = 0x5a };

static const px_unfilter *const levels[] = { &px_unfilter_baseline,
#if PX_HAVE_AVX2
                                             &px_unfilter_avx2,
#endif
};

static unsigned state = 1;

static unsigned random_below(unsigned bound)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % bound;
}

/* Smooth rows, noise, and the extremes where sums overflow. */
static void fill(uint8_t *row, size_t count)
{
    unsigned kind = random_below(3);
    for (size_t i = 0; i < count; i++)
        row[i] = (uint8_t)(kind == 0 ? random_below(256) : kind == 1 ? 250 + random_below(12) : random_below(2) * 255);
}

/* `filter`: PX_UNFILTER_COUNT mixes them. */
static void check(const px_unfilter *level, int rows, int width, size_t step, int filter)
{
    size_t count = (size_t)width * step, stride = count + PX_UNFILTER_SLACK + random_below(3);
    uint8_t *raw = malloc((size_t)rows * (count + 1) + PX_UNFILTER_SLACK);
    uint8_t *expected = malloc((size_t)(rows + 1) * stride), *got = malloc((size_t)(rows + 1) * stride);
    fill(raw, (size_t)rows * (count + 1));
    memset(raw + (size_t)rows * (count + 1), 0xee, PX_UNFILTER_SLACK);
    for (int y = 0; y < rows; y++)
        raw[(size_t)y * (count + 1)] = (uint8_t)(filter == PX_UNFILTER_COUNT ? random_below(PX_UNFILTER_COUNT) : (unsigned)filter);
    memset(got, GUARD, (size_t)(rows + 1) * stride);
    fill(got, count); /* the row above */
    memcpy(expected, got, (size_t)(rows + 1) * stride);
    px_unfilter_plain.rows(raw, rows, count, step, expected + stride, stride);
    level->rows(raw, rows, count, step, got + stride, stride);
    for (int y = 0; y <= rows; y++)
        if (memcmp(expected + (size_t)y * stride, got + (size_t)y * stride, count) != 0)
            fail_msg("%s: row %d of %d, %d pixels of %zu bytes, filter %d", level->name, y, rows, width, step, filter);
    free(raw);
    free(expected);
    free(got);
}

static void every_level_gives_what_plain_c_gives(void **unused)
{
    (void)unused;
    static const size_t steps[] = { 1, 2, 3, 4, 6, 8 };
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
            for (int filter = 0; filter <= PX_UNFILTER_COUNT; filter++)
                for (int round = 0; round < 60; round++)
                    check(levels[i], 1 + (int)random_below(ROWS_MAX), 1 + (int)random_below(round % 3 ? 40 : 300), steps[s], filter);
}

/* The specification itself, by the words of 9.2 on bytes that were worked out by hand. */
static void plain_c_does_what_the_specification_says(void **unused)
{
    (void)unused;
    static const uint8_t raw[5][4] = { { 0, 10, 20, 30 }, { 1, 10, 20, 250 }, { 2, 1, 2, 3 }, { 3, 1, 2, 3 }, { 4, 1, 1, 1 } };
    static const uint8_t expected[5][3] = { { 10, 20, 30 }, { 10, 30, 24 }, { 11, 32, 27 }, { 6, 21, 27 }, { 7, 22, 28 } };
    uint8_t out[6][32] = { 0 };
    px_unfilter_plain.rows(raw[0], 5, 3, 1, out[1], sizeof *out);
    for (int y = 0; y < 5; y++)
        assert_memory_equal(out[y + 1], expected[y], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_gives_what_plain_c_gives),
        cmocka_unit_test(plain_c_does_what_the_specification_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
