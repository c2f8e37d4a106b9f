/* The parser of options against one small table: each spelling that is taken, each mistake that is refused. */
#include "command/command.h"

#include "test.h"

static const px_flag flags[] = {
    { "width", 'w', "PIXELS", "", "width" },
    { "json", 'j', NULL, "", NULL },
    { NULL, 0, NULL, NULL, NULL },
};
static const px_command command = { .name = "try", .arguments = "IN", .summary = "", .flags = flags, .least = 0, .most = 2 };

/* Parses up to four words. */
static px_status parse(px_options *options, bool *help, const char *a, const char *b, const char *c, const char *d)
{
    static char words[4][32];
    static char *argv[4];
    const char *given[] = { a, b, c, d };
    int count = 0;
    while (count < 4 && given[count]) {
        snprintf(words[count], sizeof words[count], "%s", given[count]);
        argv[count] = words[count];
        count++;
    }
    return px_options_parse(&command, count, argv, options, help, NULL);
}

static void takes_every_spelling_of_a_value(void **state)
{
    (void)state;
    static const char *const spellings[][2] = { { "--width", "12" }, { "--width=12", NULL }, { "-w", "12" }, { "-w12", NULL }, { "-w=12", NULL } };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        px_options options;
        bool help;
        int64_t width = 0;
        assert_int_equal(parse(&options, &help, spellings[i][0], spellings[i][1], NULL, NULL), PX_OK);
        assert_int_equal(px_option_number(&options, "width", 1, 100, 0, &width, NULL), PX_OK);
        assert_int_equal(width, 12);
        px_setting settings[PX_GIVEN_MAX];
        assert_int_equal(px_options_settings(&options, settings), 1);
        assert_string_equal(settings[0].path, "width");
    }
}

static void gathers_arguments_between_options_and_after_two_dashes(void **state)
{
    (void)state;
    px_options options;
    bool help;
    assert_int_equal(parse(&options, &help, "-", "-j", "--", "-w"), PX_OK);
    assert_int_equal(options.argument_count, 2);
    assert_string_equal(options.arguments[0], "-");
    assert_string_equal(options.arguments[1], "-w");
    assert_true(px_option_is_on(&options, "json"));
    assert_false(px_option_is_on(&options, "width"));
}

static void refuses_what_the_table_does_not_have(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        { "--wide", "1", NULL }, { "-x", NULL, NULL }, { "--width", NULL, NULL }, { "--json=1", NULL, NULL },
        { "a", "b", "c" },       { "--widt", "1", NULL },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        px_options options;
        bool help;
        assert_int_equal(parse(&options, &help, wrong[i][0], wrong[i][1], wrong[i][2], NULL), PX_BAD_REQUEST);
    }
}

static void refuses_numbers_out_of_range(void **state)
{
    (void)state;
    static const char *const wrong[] = { "--width=0", "--width=101", "--width=", "--width=1x", "--width=99999999999999999999" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        px_options options;
        bool help;
        int64_t width = 7;
        assert_int_equal(parse(&options, &help, wrong[i], NULL, NULL, NULL), PX_OK);
        assert_int_equal(px_option_number(&options, "width", 1, 100, 0, &width, NULL), PX_BAD_REQUEST);
        assert_int_equal(width, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_spelling_of_a_value),
        cmocka_unit_test(gathers_arguments_between_options_and_after_two_dashes),
        cmocka_unit_test(refuses_what_the_table_does_not_have),
        cmocka_unit_test(refuses_numbers_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
