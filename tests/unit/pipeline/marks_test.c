/* The bytes of watermarks. Goal: they are read once and again when they have changed, what changed makes outputs stale, nobody can write
 * to them, and what is missing is told with what to do. Method: files in a folder of their own, and objects in the fake store. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fakes.h"
#include "pipeline/inside.h"
#include "test.h"

#define PNG "\x89PNG\r\n\x1a\n"

static fakes *all;
static px_marks *marks;
static char folder[] = "/tmp/px-marks-XXXXXX";

static int open_all(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/px-marks-XXXXXX");
    all = fakes_open();
    all->buckets[2] = "assets";
    return px_marks_open(&marks, NULL) != PX_OK || !mkdtemp(folder) || chdir(folder) != 0;
}

static int close_all(void **state)
{
    (void)state;
    px_marks_close(marks);
    fakes_close(all);
    (void)!unlink("logo.png");
    return chdir("/") != 0 || rmdir(folder) != 0;
}

static void write_file(const char *text)
{
    FILE *file = fopen("logo.png", "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The first output, as it comes from a configuration, with this picture. */
static px_output output_with(const char *image)
{
    px_output output = { .id = "web", .name = "a", .spec = PX_OUTPUT_SPEC_DEFAULT, .mark_image = image, .mark_text = "", .mark_font = "" };
    px_output_fingerprint(&output);
    return output;
}

static px_output taken(const char *image)
{
    px_output output = output_with(image);
    px_error err = { "" };
    assert_ok(px_marks_take(marks, &all->store, &output, 1, &err));
    return output;
}

static void assert_refused(const char *image, px_status expected, const char *says)
{
    px_output output = output_with(image);
    px_error err = { "" };
    assert_status(px_marks_take(marks, &all->store, &output, 1, &err), expected);
    if (!strstr(err.message, says))
        fail_msg("'%s' does not say '%s'", err.message, says);
    px_marks_give_back(&output, 1);
}

static void what_is_in_a_file_is_part_of_the_fingerprint(void **state)
{
    (void)state;
    write_file(PNG "first");
    px_output first = taken("logo.png"), again = taken("logo.png");
    assert_string_not_equal(first.fingerprint, output_with("logo.png").fingerprint);
    assert_string_equal(first.fingerprint, again.fingerprint);
    assert_int_equal(first.spec.mark.image_format, PX_FORMAT_PNG);
    write_file(PNG "another");
    px_output changed = taken("logo.png");
    assert_string_not_equal(first.fingerprint, changed.fingerprint);
    char text[32] = "";
    assert_int_equal(pread(first.spec.mark.image, text, sizeof text, 0), 13); /* who has it keeps it as it was */
    assert_memory_equal(text, PNG "first", 13);
    assert_int_equal(pread(changed.spec.mark.image, text, sizeof text, 0), 15);
    px_output *const outputs[] = { &first, &again, &changed };
    for (int i = 0; i < 3; i++)
        px_marks_give_back(outputs[i], 1);
    assert_int_equal(first.spec.mark.image, 0);
}

static void nobody_who_holds_one_can_change_it(void **state)
{
    (void)state;
    write_file(PNG "first");
    px_output output = taken("logo.png");
    assert_int_equal(pwrite(output.spec.mark.image, "x", 1, 0), -1);
    assert_int_equal(ftruncate(output.spec.mark.image, 0), -1);
    assert_int_equal(fcntl(output.spec.mark.image, F_GETFD), FD_CLOEXEC);
    px_marks_give_back(&output, 1);
}

static void what_is_missing_or_no_picture_is_told_with_what_to_do(void **state)
{
    (void)state;
    assert_refused("absent.png", PX_BAD_RECIPE, "output web: watermark.image: cannot read the file absent.png");
    write_file("");
    assert_refused("logo.png", PX_BAD_RECIPE, "empty");
    write_file("no picture at all");
    assert_refused("logo.png", PX_BAD_RECIPE, "not a picture that pixmill reads");
    assert_refused("s3://assets/logo.png", PX_BAD_RECIPE, "there is no s3://assets/logo.png; upload it, or name another");
    assert_refused("s3://nowhere/logo.png", PX_BAD_RECIPE, "upload it, or name another");
    fakes_put(all, "assets", "logo.png", PNG "one");
    all->open_fails = (fake_failure){ PX_ACCESS_DENIED, 0, 1 };
    assert_refused("s3://assets/logo.png", PX_ACCESS_DENIED, "the role needs s3:GetObject");
    all->open_fails = (fake_failure){ PX_NETWORK, 0, 1 };
    assert_refused("s3://assets/logo.png", PX_NETWORK, "s3://assets/logo.png"); /* which is tried again */
    px_output output = taken("s3://assets/logo.png");
    px_marks_give_back(&output, 1);
    px_error err = { "" };
    px_output alone = output_with("s3://assets/logo.png");
    px_marks *other = NULL;
    assert_ok(px_marks_open(&other, &err));
    assert_status(px_marks_take(other, NULL, &alone, 1, &err), PX_BAD_RECIPE);
    px_marks_close(other);
}

static px_verdict created(const char *sequencer)
{
    return fakes_handle(all, fakes_event(all, "ObjectCreated:Put", "cat.png", sequencer), 1);
}

static void a_job_waits_for_nothing_but_tells_and_a_new_logo_makes_its_outputs_anew(void **state)
{
    (void)state;
    all->pipeline.marks = marks;
    all->config.recipe.outputs[0].mark_image = "s3://assets/logo.png";
    all->config.recipe.outputs[0].mark_text = all->config.recipe.outputs[0].mark_font = "";
    fakes_put(all, "source", "cat.png", "miau");
    assert_int_equal(created("01"), PX_DEAD);
    const px_record *record = fakes_record(all, "source/cat.png");
    assert_int_equal(record->error, PX_BAD_RECIPE);
    assert_non_null(strstr(record->error_message, "there is no s3://assets/logo.png; upload it"));
    assert_int_equal(fakes_held(all), 0);

    fakes_put(all, "assets", "logo.png", PNG "one");
    assert_int_equal(created("01"), PX_ACKNOWLEDGE);
    assert_int_equal(created("01"), PX_ACKNOWLEDGE); /* nothing has changed */
    assert_int_equal(all->transforms, 1);
    char old[17];
    snprintf(old, sizeof old, "%s", fakes_record(all, "source/cat.png")->outputs[0].recipe);
    fakes_put(all, "assets", "logo.png", PNG "two");
    usleep(1050000); /* an object is looked at once a second */
    assert_int_equal(created("01"), PX_ACKNOWLEDGE);
    assert_int_equal(all->transforms, 2);
    assert_string_not_equal(fakes_record(all, "source/cat.png")->outputs[0].recipe, old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_in_a_file_is_part_of_the_fingerprint, open_all, close_all),
        cmocka_unit_test_setup_teardown(nobody_who_holds_one_can_change_it, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_is_missing_or_no_picture_is_told_with_what_to_do, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_job_waits_for_nothing_but_tells_and_a_new_logo_makes_its_outputs_anew, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
