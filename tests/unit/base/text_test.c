/* Times go to text and back; statuses are one consistent list; a log line is one JSON object. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static void times_go_both_ways(void **state)
{
    (void)state;
    int64_t ms = 1795503903250; /* date -u -d @1795503903 */
    char text[PX_TIME_TEXT], http[PX_HTTP_TIME_TEXT];
    px_time_format(ms, text);
    assert_string_equal(text, "2026-11-24T07:05:03.250Z");
    px_http_time_format(ms, http);
    assert_string_equal(http, "Tue, 24 Nov 2026 07:05:03 GMT");
    int64_t back = 0;
    assert_true(px_time_parse(text, &back));
    assert_int_equal(back, ms);
    assert_true(px_time_parse("2026-11-24T07:05:03Z", &back));
    assert_int_equal(back, ms - 250);
    assert_true(px_http_time_parse(http, &back));
    assert_int_equal(back, ms - 250);
}

static void impossible_times_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = { "", "2026-11-24", "2026-02-31T00:00:00Z", "2026-01-01T25:00:00Z",
                                           "2026-01-01T00:00:00", "2026-01-01T00:00:00Zx" };
    int64_t ms = 7;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(px_time_parse(refused[i], &ms));
    assert_false(px_http_time_parse("Tue, 24 Nov 2026 07:05:03", &ms));
    assert_false(px_http_time_parse("Tue, 24 Foo 2026 07:05:03 GMT", &ms));
    assert_int_equal(ms, 7);
}

static void every_status_has_its_own_code(void **state)
{
    (void)state;
    for (int i = 0; i < PX_STATUS_COUNT; i++)
        assert_int_equal(px_status_find(px_status_code((px_status)i)), i);
    assert_int_equal(px_status_find("no-such-code"), PX_STATUS_COUNT);
    px_error err;
    assert_int_equal(px_fail_errno(&err, ENOSPC, "cannot write %s", "x"), PX_DISK_FULL);
    assert_string_equal(err.message, "cannot write x: No space left on device");
}

static void log_line_is_one_json_object(void **state)
{
    (void)state;
    px_error err;
    px_log *log;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_ok(px_log_create(&(px_log_options){ .fd = ends[1], .level = PX_INFO }, &log, &err));
    px_log_write(log, PX_DEBUG, NULL, "dropped", NULL);
    px_log_write(log, PX_WARN, "r-1", "name with \"quotes\"\nand a line", json_pack("{s:i}", "ms", 3));
    px_log_destroy(log);
    char line[512] = { 0 };
    ssize_t count = read(ends[0], line, sizeof line - 1);
    assert_true(count > 0 && line[count - 1] == '\n');
    assert_ptr_equal(strchr(line, '\n'), line + count - 1);
    json_t *object = json_loads(line, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(object, "level")), "WARN");
    assert_string_equal(json_string_value(json_object_get(object, "requestId")), "r-1");
    assert_int_equal(json_integer_value(json_object_get(object, "ms")), 3);
    json_decref(object);
    close(ends[0]);
    close(ends[1]);
}

static void log_file_rotates_and_keeps_four(void **state)
{
    (void)state;
    px_error err;
    px_log *log;
    char folder[] = "/tmp/pixmill-log-XXXXXX", path[64], rotated[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    assert_ok(px_log_create(&(px_log_options){ .fd = -1, .level = PX_INFO, .path = path }, &log, &err));
    static char filler[1 << 20];
    memset(filler, 'x', sizeof filler - 1);
    for (int i = 0; i < 90; i++)
        px_log_write(log, PX_INFO, NULL, filler, NULL);
    px_log_destroy(log);
    for (int i = 1; i <= 5; i++) {
        snprintf(rotated, sizeof rotated, "%s.%d", path, i);
        assert_int_equal(access(rotated, F_OK), i <= 4 ? 0 : -1);
        unlink(rotated);
    }
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_go_both_ways),
        cmocka_unit_test(impossible_times_are_refused),
        cmocka_unit_test(every_status_has_its_own_code),
        cmocka_unit_test(log_line_is_one_json_object),
        cmocka_unit_test(log_file_rotates_and_keeps_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
