/* Premultiplying: the vectors give what plain C gives, for every sample under every alpha, and for rows of any width, also in place. */
#include "codec/alpha.h"

#include <string.h>

#include "test.h"

static void check(const uint8_t *row, int width, int channels)
{
    static uint8_t expected[4 * 65536], got[4 * 65536 + 1];
    size_t count = (size_t)width * (size_t)channels;
    px_premultiply_plain(row, width, channels, expected);
    got[count] = 0x5a;
    px_premultiply(row, width, channels, got);
    assert_memory_equal(got, expected, count);
    assert_int_equal(got[count], 0x5a);
    memcpy(got, row, count);
    px_premultiply(got, width, channels, got);
    assert_memory_equal(got, expected, count);
}

static void every_sample_under_every_alpha(void **unused)
{
    (void)unused;
    static uint8_t colour[65536][4], grey[65536][2];
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t value = (uint8_t)i, alpha = (uint8_t)(i >> 8);
        memcpy(colour[i], (uint8_t[4]){ value, (uint8_t)(value * 7 + 1), (uint8_t)(255 - value), alpha }, 4);
        memcpy(grey[i], (uint8_t[2]){ value, alpha }, 2);
    }
    check(colour[0], 65536, 4);
    check(grey[0], 65536, 2);
    for (int width = 1; width < 20; width++) {
        check(colour[30000 + 7 * width], width, 4);
        check(grey[30000 + 7 * width], width, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_sample_under_every_alpha) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
