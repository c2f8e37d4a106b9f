/* Shared files as people write them: the value of a key of a section, or nothing. */
#include <string.h>

#include "test.h"

/* Private to src/aws, and pure: tested from inside. */
#include "aws/ini.h"

static px_arena arena;

static int open_arena(void **state)
{
    (void)state;
    return px_arena_open(1 << 20, &arena, NULL);
}

static int close_arena(void **state)
{
    (void)state;
    px_arena_close(&arena);
    return 0;
}

static const char *find(const char *text, const char *section, const char *key)
{
    return px_ini_find(px_bytes_of(text), section, key, &arena);
}

static void finds_what_is_in_its_section(void **state)
{
    (void)state;
    const char *text = "key=before\r\n[default]\r\nkey = one # why\r\n\r\n[ profile  x ]\nkey=a#b;c\n[profile y]\n# key=no\n; key=no\nkey =\n  key = nested\n"
                       "[default]\nkey= two\nlast=1";
    assert_string_equal(find(text, "default", "key"), "two");
    assert_string_equal(find(text, "profile  x", "key"), "a#b;c");
    assert_string_equal(find(text, "profile y", "key"), "");
    assert_string_equal(find(text, "default", "last"), "1");
    assert_null(find(text, "default", "ke"));
    assert_null(find(text, "profile", "key"));
}

static void damage_is_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "[", "[x", "[]", "=", "[x]\n=\n", "[x]\nkey", "\n\n[x\nkey=1", "[x]x]\n" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_null(find(texts[i], "x", "key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(finds_what_is_in_its_section), cmocka_unit_test(damage_is_nothing) };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
