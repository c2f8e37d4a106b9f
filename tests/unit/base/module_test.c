/* Loading what every system has, and refusing what none has. */
#include "test.h"

#include <string.h>

#include "base/module.h"

static double (*cosine)(double);
static int (*nothing)(void);

static void a_library_fills_the_table(void **state)
{
    (void)state;
    px_error err;
    static const px_symbol symbols[] = { { "cos", &cosine } };
    static px_module module = { "libm.so.6", "libc6", symbols, 1, false };
    assert_ok(px_module_load(&module, &err));
    assert_ok(px_module_load(&module, &err));
    assert_true(cosine(0) == 1.0);
}

static void what_is_not_there_is_named_and_fills_nothing(void **state)
{
    (void)state;
    px_error err;
    static const px_symbol symbols[] = { { "cos", &nothing }, { "px_no_such_symbol", &nothing } };
    static px_module absent = { "libpx-no-such.so.1", "a-package", symbols, 1, false };
    static px_module old = { "libm.so.6", "libc6", symbols, 2, false };
    assert_status(px_module_load(&absent, &err), PX_BAD_CONFIG);
    assert_non_null(strstr(err.message, "a-package"));
    assert_status(px_module_load(&old, &err), PX_BAD_CONFIG);
    assert_non_null(strstr(err.message, "px_no_such_symbol"));
    assert_null(nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_library_fills_the_table),
        cmocka_unit_test(what_is_not_there_is_named_and_fills_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
