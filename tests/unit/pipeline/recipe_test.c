/* Name templates and fingerprints. Goal: every word of a name gives what docs/configure.md says, no key is too long, and a
 * fingerprint changes with what changes the picture and with nothing else. Method: one output, filled by hand. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/inside.h"
#include "test.h"

static px_arena arena;

static int open_arena(void **state) { return px_arena_open(32 << 20, &arena, NULL) != PX_OK && state; }

static int close_arena(void **state)
{
    px_arena_close(&arena);
    return state == NULL;
}

static px_output output_of(const char *name)
{
    px_output output = { .id = "web", .name = name, .spec = PX_OUTPUT_SPEC_DEFAULT };
    px_output_fingerprint(&output);
    return output;
}

static const char *named(const char *template, const char *key)
{
    px_error err = { "" };
    px_output output = output_of(template);
    const char *name = NULL;
    assert_ok(px_output_name(&output, key, "etag", PX_FORMAT_PNG, 640, 480, &arena, &name, &err));
    return name;
}

static void every_word_is_filled(void **state)
{
    (void)state;
    assert_string_equal(named("{dir}|{stem}|{ext}|{filename}|{format}|{width}x{height}|{id}", "a/b/cat.JPG"),
                        "a/b/|cat|JPG|cat.JPG|png|640x480|web");
    assert_string_equal(named("{dir}processed-{stem}.jpg", "a/b/cat.png"), "a/b/processed-cat.jpg");
    assert_string_equal(named("plain", "a/b/cat.png"), "plain");
}

static void stem_and_extension_of_unusual_names(void **state)
{
    (void)state;
    assert_string_equal(named("{stem}|{ext}", "no-extension"), "no-extension|");
    assert_string_equal(named("{stem}|{ext}", "d.ir/.jpg"), ".jpg|");
    assert_string_equal(named("{stem}|{ext}", "a."), "a|");
    assert_string_equal(named("{stem}|{ext}", "a.tar.gz"), "a.tar|gz");
    assert_string_equal(named("{dir}|{filename}", "../x/y"), "../x/|y");
    assert_string_equal(named("{stem}", "{id}"), "{id}"); /* what a key holds is not read as a template */
}

/* A recipe that leaves the format to the picture cannot say the extension. */
static void the_extension_is_the_output_s_where_its_format_was_not_fixed(void **state)
{
    (void)state;
    static const struct {
        px_format asked, made;
        const char *key, *name;
    } cases[] = {
        { PX_FORMAT_AUTO, PX_FORMAT_JPEG, "a/cat.png", "cat.jpg" },  { PX_FORMAT_AUTO, PX_FORMAT_PNG, "a/cat.png", "cat.png" },
        { PX_FORMAT_AUTO, PX_FORMAT_JPEG, "a/CAT.JPEG", "CAT.JPEG" }, { PX_FORMAT_AUTO, PX_FORMAT_JPEG, "a/cat", "cat.jpg" },
        { PX_FORMAT_AUTO, PX_FORMAT_PNG, "a/cat.bak", "cat.png" },   { PX_FORMAT_KEEP, PX_FORMAT_PNG, "a/cat.jpg", "cat.png" },
        { PX_FORMAT_KEEP, PX_FORMAT_PNG, "a/cat.PNG", "cat.PNG" },   { PX_FORMAT_KEEP, PX_FORMAT_PNG, "a/cat.bak", "cat.bak" },
        { PX_FORMAT_JPEG, PX_FORMAT_JPEG, "a/cat.png", "cat.png" },
    };
    px_error err = { "" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        px_output output = output_of("{stem}.{ext}");
        const char *name = NULL;
        output.spec.format = cases[i].asked;
        assert_ok(px_output_name(&output, cases[i].key, "etag", cases[i].made, 1, 1, &arena, &name, &err));
        assert_string_equal(name, cases[i].name);
    }
}

static void hash_changes_with_the_source_and_with_the_recipe(void **state)
{
    (void)state;
    px_error err = { "" };
    px_output output = output_of("{hash}"), other = output_of("{hash}");
    other.spec.quality = 81;
    px_output_fingerprint(&other);
    const char *first, *again, *etag, *recipe;
    assert_ok(px_output_name(&output, "k", "e1", PX_FORMAT_JPEG, 1, 1, &arena, &first, &err));
    assert_ok(px_output_name(&output, "other-key", "e1", PX_FORMAT_PNG, 2, 2, &arena, &again, &err));
    assert_ok(px_output_name(&output, "k", "e2", PX_FORMAT_JPEG, 1, 1, &arena, &etag, &err));
    assert_ok(px_output_name(&other, "k", "e1", PX_FORMAT_JPEG, 1, 1, &arena, &recipe, &err));
    assert_int_equal(strlen(first), 16);
    assert_int_equal(strspn(first, "0123456789abcdef"), 16);
    assert_string_equal(first, again);
    assert_string_not_equal(first, etag);
    assert_string_not_equal(first, recipe);
}

static void names_are_checked_before_any_picture_comes(void **state)
{
    (void)state;
    static const char *const wrong[] = { "", "{", "}", "{}", "{stem", "stem}", "{Stem}", "{stem }", "{stem}{", "{{stem}}" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        px_error err = { "" };
        assert_status(px_template_check(wrong[i], "here:1", &err), PX_BAD_RECIPE);
        assert_non_null(strstr(err.message, "here:1"));
    }
    px_error err = { "" };
    assert_ok(px_template_check("{dir}{stem}{ext}{filename}{format}{width}{height}{id}{hash}", "here:1", &err));
}

static void a_name_longer_than_a_key_is_refused(void **state)
{
    (void)state;
    px_error err = { "" };
    char key[PX_LIMIT_KEY_BYTES + 1];
    memset(key, 'k', PX_LIMIT_KEY_BYTES);
    key[PX_LIMIT_KEY_BYTES] = '\0';
    assert_string_equal(named("{filename}", key), key);
    px_output output = output_of("x{filename}"), empty = output_of("{ext}");
    const char *name = NULL;
    assert_status(px_output_name(&output, key, "e", PX_FORMAT_JPEG, 1, 1, &arena, &name, &err), PX_BAD_RECIPE);
    assert_status(px_output_name(&empty, "k", "e", PX_FORMAT_JPEG, 1, 1, &arena, &name, &err), PX_BAD_RECIPE);
    assert_null(name);
}

static void fingerprints_follow_what_changes_the_picture_alone(void **state)
{
    (void)state;
    px_output base = output_of("a"), renamed = output_of("b");
    assert_string_equal(base.fingerprint, renamed.fingerprint);
    px_output_spec specs[23];
    for (int i = 0; i < 23; i++)
        specs[i] = base.spec;
    specs[0].width = 801;
    specs[1].height = 1;
    specs[2].quality = 79;
    specs[3].format = PX_FORMAT_PNG;
    specs[4].format = PX_FORMAT_KEEP;
    specs[5].fit = PX_FIT_COVER;
    specs[6].enlarge = true;
    specs[7].background[2] = 0;
    specs[8].rotate = false;
    specs[9].colour = PX_COLOUR_KEEP;
    specs[10].animated = false;
    specs[11].effort = PX_EFFORT_HIGH;
    specs[12].lossless = true;
    specs[13].rotate = PX_ROTATE_180;
    specs[14].crop = (px_crop){ 0, 0, 50, 50, true };
    specs[15].position = PX_POSITION_ATTENTION;
    specs[16].sharpen = 1;
    specs[17].background[3] = 0;
    specs[18].format = PX_FORMAT_AUTO;
    specs[19].quality = 0;
    specs[20].target = PX_TARGET_FINE;
    specs[21].max_bytes = 1;
    specs[22].palette = true;
    for (int i = 0; i < 23; i++) {
        px_output output = { .id = "web", .name = "a", .spec = specs[i] };
        px_output_fingerprint(&output);
        assert_int_equal(strlen(output.fingerprint), 16);
        assert_string_not_equal(output.fingerprint, base.fingerprint);
    }
}

/* printf '{"engine":"1"}' | sha256sum | cut -c1-16, and with `,"fit":"cover","quality":"70"` in it. Other values here make every
 * output ever made stale. */
static void the_fingerprint_of_a_recipe_stays_what_it_was(void **state)
{
    (void)state;
    px_output output = output_of("a");
    assert_string_equal(output.fingerprint, "1e82843edd87b4cd");
    output.spec.fit = PX_FIT_COVER;
    output.spec.quality = 70;
    px_output_fingerprint(&output);
    assert_string_equal(output.fingerprint, "189b0c58f29c946d");
    output = output_of("a"); /* {"engine":"1","background":"#102030","rotate":"false"}: the words of that time */
    memcpy(output.spec.background, (uint8_t[]){ 0x10, 0x20, 0x30 }, 3);
    output.spec.rotate = PX_ROTATE_NONE;
    px_output_fingerprint(&output);
    assert_string_equal(output.fingerprint, "8b962b23ad4755ab");
    output = output_of("a"); /* {"engine":"1","crop":"10%,0%,50%,50%","rotate":"90"} */
    output.spec.rotate = PX_ROTATE_90;
    output.spec.crop = (px_crop){ 10, 0, 50, 50, true };
    px_output_fingerprint(&output);
    assert_string_equal(output.fingerprint, "fe8f740abdd3443f");
}

static void filename_is_what_follows_the_last_slash(void **state)
{
    (void)state;
    assert_string_equal(px_key_filename("a/b/c.jpg"), "c.jpg");
    assert_string_equal(px_key_filename("c.jpg"), "c.jpg");
    assert_string_equal(px_key_filename("a/"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_word_is_filled),
        cmocka_unit_test(stem_and_extension_of_unusual_names),
        cmocka_unit_test(the_extension_is_the_output_s_where_its_format_was_not_fixed),
        cmocka_unit_test(hash_changes_with_the_source_and_with_the_recipe),
        cmocka_unit_test(names_are_checked_before_any_picture_comes),
        cmocka_unit_test(a_name_longer_than_a_key_is_refused),
        cmocka_unit_test(fingerprints_follow_what_changes_the_picture_alone),
        cmocka_unit_test(the_fingerprint_of_a_recipe_stays_what_it_was),
        cmocka_unit_test(filename_is_what_follows_the_last_slash),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
