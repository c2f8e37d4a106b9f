/* What is UTF-8 and what is not. Goal: names that JSON, SQLite and S3 can carry, and messages that always arrive. Method: the
 * edges of RFC 3629's table, and messages that are cut inside a character. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "test.h"

static void well_formed_texts_are_taken(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "plain", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                                         "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "ümläut 🐘" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char copy[32];
        assert_true(px_is_utf8(texts[i]));
        snprintf(copy, sizeof copy, "%s", texts[i]);
        px_utf8_mend(copy);
        assert_string_equal(copy, texts[i]);
    }
}

static void all_else_is_refused_and_mended(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "\x80", "?" }, { "a\xff" "b", "a?b" }, { "\xc0\x80", "??" }, { "\xc1\xbf", "??" }, { "\xc3", "?" }, { "\xc3(", "?(" },
        { "\xe0\x9f\xbf", "???" }, { "\xed\xa0\x80", "???" }, { "\xe2\x82", "??" }, { "\xf0\x8f\xbf\xbf", "????" },
        { "\xf4\x90\x80\x80", "????" }, { "\xf5\x80\x80\x80", "????" }, { "\xf0\x9f\x90", "???" }, { "\xe2\x82\xc3\xa4", "??ä" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char copy[32];
        assert_false(px_is_utf8(rows[i][0]));
        snprintf(copy, sizeof copy, "%s", rows[i][0]);
        px_utf8_mend(copy);
        assert_string_equal(copy, rows[i][1]);
    }
}

static void messages_are_utf8_however_they_are_cut(void **state)
{
    (void)state;
    px_error err;
    char text[sizeof err.message + 8];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "🐘", 5);
        assert_status(px_fail(&err, PX_INTERNAL, "%s", text), PX_INTERNAL);
        assert_true(px_is_utf8(err.message));
        assert_status(px_fail_errno(&err, 2, "%.7s", text), PX_INTERNAL);
        assert_true(px_is_utf8(err.message));
    }
}

static void messages_carry_nothing_that_a_terminal_obeys(void **state)
{
    (void)state;
    px_error err;
    assert_status(px_fail(&err, PX_BAD_CONFIG, "a\nb\x1b[31m\x7f"), PX_BAD_CONFIG);
    assert_string_equal(err.message, "a b [31m ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_texts_are_taken),
        cmocka_unit_test(all_else_is_refused_and_mended),
        cmocka_unit_test(messages_are_utf8_however_they_are_cut),
        cmocka_unit_test(messages_carry_nothing_that_a_terminal_obeys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
