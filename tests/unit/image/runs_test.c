/* Lines of two directions. Goal: pieces come in the order in which people see them, each with its own direction. Method: lines that a label
 * may hold, with the answers of UAX #9 written out by hand, '<' before a piece from the right. */
#include "../test.h"

#include <string.h>

#include "image/runs.h"

static void assert_runs(const char *text, const char *seen)
{
    px_run runs[PX_MARK_TEXT_MAX];
    char got[1024] = "";
    int count = px_runs_of(text, runs);
    for (int i = 0; i < count; i++) {
        strcat(got, runs[i].from_right ? "[<" : "[");
        strncat(got, text + runs[i].start, (size_t)runs[i].count);
        strcat(got, "]");
    }
    assert_string_equal(got, seen);
}

static void one_direction_is_one_run(void **state)
{
    (void)state;
    assert_runs("Acme & Söhne, 2026 (Ω Яз)", "[Acme & Söhne, 2026 (Ω Яз)]");
    assert_runs("שלום עולם!", "[<שלום עולם!]");
    assert_runs("© مرحبا", "[<© مرحبا]");
    assert_runs("123", "[123]");
    assert_runs("© — ", "[© — ]");
    assert_runs("中文 2026", "[中文 2026]");
    assert_runs("", "");
}

static void numbers_run_from_the_left_in_lines_from_the_right(void **state)
{
    (void)state;
    assert_runs("© 2026 שלום", "[< שלום][2026][<© ]");
    assert_runs("א 1,5 ב", "[< ב][1,5][<א ]");
    assert_runs("א 1, 5", "[5][<, ][1][<א ]");
    assert_runs("مرحبا ٢٠٢٦", "[٢٠٢٦][<مرحبا ]");
}

static void pieces_of_the_other_direction_keep_their_own(void **state)
{
    (void)state;
    assert_runs("Acme שלום 12 עולם ok", "[Acme ][< עולם][12][<שלום ][ ok]");
    assert_runs("שלום Acme 12 עולם", "[< עולם][Acme 12][<שלום ]");
    assert_runs("مرحبا (Acme) ٢٠٢٦", "[٢٠٢٦][<) ][Acme][<مرحبا (]");
    assert_runs("Acme (שלום)", "[Acme (][<שלום][)]");
    assert_runs("e\u0301 א\u05b0", "[e\u0301 ][<א\u05b0]"); /* marks go with their letters */
}

static void as_many_changes_as_a_text_can_hold(void **state)
{
    (void)state;
    char text[PX_MARK_TEXT_MAX + 1] = "";
    px_run runs[PX_MARK_TEXT_MAX];
    for (int i = 0; i < PX_MARK_TEXT_MAX / 3; i++)
        strcat(text, "aא");
    int count = px_runs_of(text, runs), bytes = 0;
    assert_int_equal(count, 2 * (PX_MARK_TEXT_MAX / 3));
    for (int i = 0; i < count; i++)
        bytes += runs[i].count;
    assert_int_equal(bytes, strlen(text));
    memset(text, '.', PX_MARK_TEXT_MAX);
    text[PX_MARK_TEXT_MAX] = '\0';
    assert_int_equal(px_runs_of(text, runs), 1);
    assert_int_equal(runs[0].count, PX_MARK_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_direction_is_one_run),
        cmocka_unit_test(numbers_run_from_the_left_in_lines_from_the_right),
        cmocka_unit_test(pieces_of_the_other_direction_keep_their_own),
        cmocka_unit_test(as_many_changes_as_a_text_can_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
