/* The words that commands take and print: times, sizes, patterns of keys. By table: what is taken, what is refused. */
#include "command/observe.h"

#include "base/clock.h"
#include "test.h"

static void reads_times_ago_and_times_of_day(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ago_ms;
    } ago[] = { { "0s", 0 }, { "90s", 90000 }, { "10m", 600000 }, { "2h", 7200000 }, { "1d", 86400000 } };
    for (size_t i = 0; i < sizeof ago / sizeof *ago; i++) {
        int64_t ms = 0, now = px_now_ms();
        assert_int_equal(px_moment_parse(ago[i].text, "--since", &ms, NULL), PX_OK);
        assert_in_range(ms - (now - ago[i].ago_ms), 0, 1000);
    }
    int64_t ms = 1;
    assert_int_equal(px_moment_parse("1970-01-02", "--since", &ms, NULL), PX_OK);
    assert_int_equal(ms, 86400000);
    assert_int_equal(px_moment_parse("1970-01-01T00:00:01.500Z", "--since", &ms, NULL), PX_OK);
    assert_int_equal(ms, 1500);
    assert_int_equal(px_moment_parse(NULL, "--since", &ms, NULL), PX_OK);
    assert_int_equal(ms, 0);
}

static void refuses_what_is_no_time(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "m", "10", "-1d", "+1d", " 1d", "1w", "1dd", "yesterday", "2026-13-01", "2026-1-1",
                                         "99999999999999999999d", "9223372036854775807s", "1970-01-02T" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t ms = 7;
        px_error err = { 0 };
        assert_int_equal(px_moment_parse(texts[i], "--since", &ms, &err), PX_BAD_REQUEST);
        assert_int_equal(ms, 7);
        assert_non_null(strstr(err.message, "--since"));
    }
}

static void prints_sizes_in_few_digits(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = { { 0, "0 B" }, { 999, "999 B" }, { 1000, "1.0 kB" }, { 9949, "9.9 kB" }, { 9999, "10 kB" }, { 999499, "999 kB" },
                  { 999500, "1.0 MB" }, { 3200000, "3.2 MB" }, { UINT64_MAX, "18 EB" } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char text[PX_SIZE_TEXT];
        px_size_format(sizes[i].bytes, text);
        assert_string_equal(text, sizes[i].text);
    }
}

static void matches_a_key_exactly_or_up_to_the_star(void **state)
{
    (void)state;
    assert_true(px_key_matches("a/b.jpg", "a/b.jpg"));
    assert_false(px_key_matches("a/b", "a/b.jpg"));
    assert_true(px_key_matches("a/*", "a/b.jpg"));
    assert_true(px_key_matches("*", ""));
    assert_false(px_key_matches("b/*", "a/b.jpg"));
    assert_false(px_key_matches("", "a"));
}

static void puts_the_bucket_before_a_bare_key(void **state)
{
    (void)state;
    px_arena arena;
    assert_int_equal(px_arena_open(65536, &arena, NULL), PX_OK);
    assert_string_equal(px_image_pattern("a.jpg", "in", &arena), "in/a.jpg");
    assert_string_equal(px_image_pattern("in/a.jpg", "in", &arena), "in/a.jpg");
    assert_string_equal(px_image_pattern("inner/a.jpg", "in", &arena), "in/inner/a.jpg");
    assert_null(px_image_pattern(NULL, "in", &arena));
    px_arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_times_ago_and_times_of_day), cmocka_unit_test(refuses_what_is_no_time),
        cmocka_unit_test(prints_sizes_in_few_digits),       cmocka_unit_test(matches_a_key_exactly_or_up_to_the_star),
        cmocka_unit_test(puts_the_bucket_before_a_bare_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
