/* Options from file, environment and flags become one configuration. Goal: the order holds, every mistake is an error that
 * names where it stands and what would be right, and what `check --show` prints can be read back. Method: files in a
 * folder of their own, and the process's own environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/pipeline.h"
#include "test.h"

static px_arena arena;
static char folder[] = "/tmp/px-config-XXXXXX";

static int open_all(void **state)
{
    (void)state;
    return px_arena_open(64 << 20, &arena, NULL) == PX_OK && mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    px_arena_close(&arena);
    (void)!unlink("test.yaml");
    return chdir("/") != 0 || rmdir(folder) != 0;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static px_config load(const char *text)
{
    px_error err = { "" };
    px_config config;
    write_file("test.yaml", text);
    assert_ok(px_config_load("test.yaml", NULL, 0, &arena, &config, &err));
    return config;
}

static void assert_refused(const char *text, px_status expected, const char *says)
{
    px_error err = { "" };
    px_config config;
    write_file("test.yaml", text);
    assert_status(px_config_load("test.yaml", NULL, 0, &arena, &config, &err), expected);
    if (!strstr(err.message, says))
        fail_msg("'%s' does not say '%s'", err.message, says);
}

/* The value of one option of the first output. */
#define OUTPUT(text) "recipe:\n  outputs:\n    - " text "\n"

static void defaults_do_what_the_mission_says(void **state)
{
    (void)state;
    px_error err = { "" };
    px_config config;
    assert_ok(px_config_load(NULL, NULL, 0, &arena, &config, &err));
    assert_int_equal(config.recipe.output_count, 1);
    assert_string_equal(config.recipe.outputs[0].name, "{dir}processed-{stem}.jpg");
    assert_int_equal(config.recipe.outputs[0].spec.width, 800);
    assert_int_equal(config.recipe.outputs[0].spec.format, PX_FORMAT_JPEG);
    assert_false(config.recipe.outputs[0].spec.enlarge);
    assert_true(config.delete_follows);
    assert_false(config.overwrite_any);
    px_limits limits = PX_LIMITS_DEFAULT;
    assert_int_equal(config.limits.input_bytes, limits.input_bytes);
    assert_int_equal(config.limits.pixels, limits.pixels);
    assert_int_equal(config.limits.side, limits.side);
    assert_int_equal(config.limits.frames, limits.frames);
    assert_int_equal(config.limits.scans, limits.scans);
    assert_int_equal(config.limits.metadata_bytes, limits.metadata_bytes);
    assert_int_equal(config.limits.memory_bytes, limits.memory_bytes);
    assert_int_equal(config.limits.seconds, limits.seconds);
}

static void flags_beat_environment_beats_file_beats_defaults(void **state)
{
    (void)state;
    px_error err = { "" };
    px_config config = load("source: of-file\ndestination: also-of-file\nlimits: {pixels: 1000}\n");
    assert_string_equal(config.source, "of-file");
    assert_int_equal(config.limits.pixels, 1000);
    assert_string_equal(config.table, "images");
    setenv("PIXMILL_SOURCE", "of-environment", 1);
    setenv("PIXMILL_LIMITS_PIXELS", "2000", 1);
    setenv("PIXMILL_WIDTH", "640", 1);
    px_setting flags[] = { { "source", "of-flag" } };
    px_status status = px_config_load("test.yaml", flags, 1, &arena, &config, &err);
    unsetenv("PIXMILL_SOURCE");
    unsetenv("PIXMILL_LIMITS_PIXELS");
    unsetenv("PIXMILL_WIDTH");
    assert_ok(status);
    assert_string_equal(config.source, "of-flag");
    assert_string_equal(config.destination, "also-of-file");
    assert_int_equal(config.limits.pixels, 2000);
    assert_int_equal(config.recipe.outputs[0].spec.width, 640);
}

static void flags_and_environment_are_defaults_of_every_output(void **state)
{
    (void)state;
    px_error err = { "" };
    px_config config;
    write_file("test.yaml", "recipe:\n  outputs:\n    - {id: a, name: a.jpg}\n    - {id: b, name: b.jpg, width: 50}\n");
    px_setting flags[] = { { "width", "1200" } };
    assert_ok(px_config_load("test.yaml", flags, 1, &arena, &config, &err));
    assert_int_equal(config.recipe.outputs[0].spec.width, 1200);
    assert_int_equal(config.recipe.outputs[1].spec.width, 50);
}

static void a_whole_recipe_fits_into_the_environment(void **state)
{
    (void)state;
    px_error err = { "" };
    px_config config;
    setenv("PIXMILL_RECIPE", "{\"outputs\": [{\"id\": \"thumb\", \"name\": \"t-{filename}\", \"width\": 64}]}", 1);
    px_status status = px_config_load(NULL, NULL, 0, &arena, &config, &err);
    unsetenv("PIXMILL_RECIPE");
    assert_ok(status);
    assert_string_equal(config.recipe.outputs[0].id, "thumb");
    assert_int_equal(config.recipe.outputs[0].spec.width, 64);
}

static void mistakes_name_line_and_remedy(void **state)
{
    (void)state;
    assert_refused("source: a\nsorce: b\n", PX_BAD_CONFIG, "test.yaml:2: there is no option 'sorce'; did you mean 'source'?");
    assert_refused("on_delete: never\n", PX_BAD_CONFIG, "test.yaml:1: on_delete cannot be 'never': it wants keep|follow");
    assert_refused("max_attempts: 0\n", PX_BAD_CONFIG, "a whole number from 1 to 100");
    assert_refused("limits: {side: 65536}\n", PX_BAD_CONFIG, "a whole number from 1 to 65535");
    assert_refused("limits: {metadata_bytes: 2GB}\n", PX_BAD_CONFIG, "1 to 1000000000");
    assert_refused(OUTPUT("quality: 101"), PX_BAD_RECIPE, "a whole number from 1 to 100");
    assert_refused("limits:\n  pixels: many\n", PX_BAD_CONFIG, "test.yaml:2: limits.pixels cannot be 'many'");
    assert_refused("source: ''\n", PX_BAD_CONFIG, "some text");
    assert_refused("width: 100\n", PX_BAD_CONFIG, "belongs to an output");
    assert_refused("heavy: {quue: x}\n", PX_BAD_CONFIG, "heavy.queue");
    assert_refused("crop: x\n", PX_BAD_CONFIG, "belongs to an output");
    assert_refused(OUTPUT("width: 0.5"), PX_BAD_RECIPE, "test.yaml:3: width");
    assert_refused(OUTPUT("widht: 5"), PX_BAD_RECIPE, "test.yaml:3: there is no option 'widht'; did you mean 'width'?");
    assert_refused(OUTPUT("crop: x"), PX_BAD_RECIPE, "x,y,width,height");
    assert_refused(OUTPUT("source: x"), PX_BAD_RECIPE, "there is no option 'source'");
    assert_refused(OUTPUT("format: bmp"), PX_BAD_RECIPE, "format cannot be 'bmp': it wants keep|jpeg|png|");
    assert_refused(OUTPUT("name: '{stm}.jpg'"), PX_BAD_RECIPE, "is not a word of a name");
    assert_refused(OUTPUT("id: 'a b'"), PX_BAD_RECIPE, "an id is");
    assert_refused("recipe: 5\n", PX_BAD_RECIPE, "outputs: [...]");
    assert_refused("recipe: {outputs: []}\n", PX_BAD_RECIPE, "at least one output");
    assert_refused(OUTPUT("background: white"), PX_BAD_RECIPE, "#ffffff");
}

static void sizes_have_units_and_counts_do_not(void **state)
{
    (void)state;
    assert_int_equal(load("limits: {input_bytes: 1KiB}\n").limits.input_bytes, 1024);
    assert_int_equal(load("limits: {input_bytes: 1.5kB}\n").limits.input_bytes, 1500);
    assert_int_equal(load("limits: {memory: auto}\n").limits.memory_bytes, 0);
    assert_refused("limits: {input_bytes: 1 elephant}\n", PX_BAD_CONFIG, "bytes such as 200MiB");
    assert_refused("limits: {pixels: 1MiB}\n", PX_BAD_CONFIG, "whole number");
    static const char *const numbers[] = { "-5", "0x10", "1e3", "1.", ".5", "1.0.0", "inf", "nan", "+5", "5 ", "1,000", "99999999999999999999",
                                           "1e300", "0x1p4", "5MiBs", "0" };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *text = px_arena_format(&arena, "limits: {input_bytes: '%s'}\n", numbers[i]);
        assert_refused(text, PX_BAD_CONFIG, "bytes such as 200MiB");
        text = px_arena_format(&arena, "limits: {pixels: '%s'}\n", numbers[i]);
        assert_refused(text, PX_BAD_CONFIG, "whole number");
    }
    assert_int_equal(load("limits: {pixels: 010}\n").limits.pixels, 10); /* decimal, always */
}

static void jpg_is_jpeg(void **state)
{
    (void)state;
    px_config config = load("recipe:\n  outputs:\n    - {id: a, name: a, format: jpg}\n    - {id: b, name: b, format: jpeg}\n");
    assert_int_equal(config.recipe.outputs[0].spec.format, PX_FORMAT_JPEG);
    assert_string_equal(config.recipe.outputs[0].fingerprint, config.recipe.outputs[1].fingerprint);
}

static void what_is_found_by_trying_has_its_words(void **state)
{
    (void)state;
    px_config config = load(OUTPUT("{quality: auto, target: fine, max_bytes: 100kB, format: auto, name: '{stem}.{ext}'}"));
    const px_output_spec *spec = &config.recipe.outputs[0].spec;
    assert_int_equal(spec->quality, 0);
    assert_int_equal(spec->target, PX_TARGET_FINE);
    assert_int_equal(spec->max_bytes, 100000);
    assert_int_equal(spec->format, PX_FORMAT_AUTO);
    config = load(OUTPUT("{max_bytes: none, format: auto, name: 'a.{format}'}"));
    assert_int_equal(config.recipe.outputs[0].spec.max_bytes, 0);
    assert_int_equal(config.recipe.outputs[0].spec.quality, 80);
    assert_refused(OUTPUT("quality: automatic"), PX_BAD_RECIPE, "1 to 100, or auto");
    assert_refused(OUTPUT("quality: 0"), PX_BAD_RECIPE, "1 to 100, or auto");
    assert_refused(OUTPUT("max_bytes: 0"), PX_BAD_RECIPE, "or none");
    assert_refused(OUTPUT("target: best"), PX_BAD_RECIPE, "fair|good|fine");
    assert_refused(OUTPUT("{format: auto, name: 'a.jpg'}"), PX_BAD_RECIPE, "{ext} or {format}");
    assert_refused(OUTPUT("format: auto"), PX_BAD_RECIPE, "{ext} or {format}");
}

static void texts_are_one_line_without_control_characters(void **state)
{
    (void)state;
    static const char *const wrong[] = { "a\\nb", "a\\rb", "\\e[31m", "\\x7f", "\\x85", "\\u2028", "\\uFEFF", "\\uFFFE" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused(px_arena_format(&arena, "cache_control: \"%s\"\n", wrong[i]), PX_BAD_CONFIG, "without control characters");
    assert_string_equal(load("source_prefix: \"ümläut \\u00a0🐘/\"\n").source_prefix, "ümläut \u00a0🐘/");
    px_error err = { "" };
    px_config config;
    px_setting flag = { "source", "\xff" };
    assert_status(px_config_load(NULL, &flag, 1, &arena, &config, &err), PX_BAD_CONFIG);
}

static void outputs_are_refused_that_would_always_overwrite_each_other(void **state)
{
    (void)state;
    assert_refused("recipe:\n  outputs:\n    - {id: a, name: x.jpg}\n    - {id: a, name: y.jpg}\n", PX_BAD_RECIPE,
                   "test.yaml:4: there are two outputs with the id 'a'");
    assert_refused("recipe:\n  outputs:\n    - {id: a, name: x.jpg}\n    - {id: b, name: x.jpg}\n", PX_BAD_RECIPE, "have one name");
    /* first output                      second                                whether a word keeps them apart */
    static const struct {
        const char *first, *second;
        bool apart;
    } rows[] = {
        { "name: '{id}.jpg'",               "name: '{id}.jpg'",                   true },
        { "name: 'x-{width}.jpg'",          "name: 'x-{width}.jpg', width: 400",  true },
        { "name: 'x-{width}.jpg'",          "name: 'x-{width}.jpg', quality: 40", false },
        { "name: 'x-{height}.jpg'",         "name: 'x-{height}.jpg', height: 40", true },
        { "name: 'x.{format}'",             "name: 'x.{format}', format: png",    true },
        { "name: 'x.{format}'",             "name: 'x.{format}', width: 400",     false },
        { "name: 'x-{hash}'",               "name: 'x-{hash}', quality: 40",      true },
        { "name: 'x-{hash}'",               "name: 'x-{hash}'",                   false },
        { "name: '{stem}'",                 "name: '{stem}', width: 400",         false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *text = px_arena_format(&arena, "recipe:\n  outputs:\n    - {id: a, %s}\n    - {id: b, %s}\n", rows[i].first, rows[i].second);
        if (rows[i].apart)
            assert_int_equal(load(text).recipe.output_count, 2);
        else
            assert_refused(text, PX_BAD_RECIPE, "have one name");
    }
}

static void a_bucket_that_feeds_itself_is_refused(void **state)
{
    (void)state;
    assert_refused("source: one\ndestination: one\n", PX_RECURSIVE, "processed again");
    assert_refused("source: one\ndestination: one\nsource_prefix: in/\n", PX_RECURSIVE, "processed again");
    assert_refused("source: one\ndestination: one\nsource_prefix: in\ndestination_prefix: in/out\n", PX_RECURSIVE, "processed again");
    assert_string_equal(load("source: one\ndestination: one\nsource_prefix: in/\ndestination_prefix: out/\n").source, "one");
}

static void what_show_prints_can_be_read_back(void **state)
{
    (void)state;
    px_error err = { "" };
    const char *shown, *again;
    write_file("test.yaml", "source: photos\ndestination: \"-\"\ncache_control: \"a \\\"b\\\" \\\\ c\"\nlimits: {pixels: 5000}\n"
                            "recipe:\n  outputs:\n    - {id: a, name: 'a-{filename}', quality: 70}\n    - {id: b, name: b.jpg}\n");
    px_config first, second;
    assert_ok(px_config_load("test.yaml", NULL, 0, &arena, &first, &err));
    assert_ok(px_config_show("test.yaml", NULL, 0, &arena, &shown, &err));
    assert_non_null(strstr(shown, "source: photos  # test.yaml:1\n"));
    assert_non_null(strstr(shown, "# default\n"));
    write_file("test.yaml", shown);
    assert_ok(px_config_load("test.yaml", NULL, 0, &arena, &second, &err));
    assert_ok(px_config_show("test.yaml", NULL, 0, &arena, &again, &err));
    assert_string_equal(second.destination, "-"); /* bare it would begin a list */
    assert_string_equal(second.cache_control, "a \"b\" \\ c");
    assert_int_equal(second.recipe.output_count, 2);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(first.recipe.outputs[i].fingerprint, second.recipe.outputs[i].fingerprint);
        assert_string_equal(first.recipe.outputs[i].name, second.recipe.outputs[i].name);
    }
}

static void a_file_that_is_not_there_is_told(void **state)
{
    (void)state;
    px_error err = { "" };
    px_config config;
    assert_status(px_config_load("nowhere.yaml", NULL, 0, &arena, &config, &err), PX_BAD_CONFIG);
    assert_non_null(strstr(err.message, "nowhere.yaml"));
}

static void a_watermark_is_read_and_what_is_wrong_with_it_is_told_at_once(void **state)
{
    (void)state;
    write_file("logo.png", "\x89PNG\r\n\x1a\n and more");
    write_file("font.ttf", "OTTO and more");
    write_file("notes.txt", "neither");
    px_config config = load(OUTPUT("{id: a, watermark: {image: logo.png, text: \"\302\251 us\", font: font.ttf, colour: \"#102030\", position: top, margin: 7, opacity: 50, scale: 40, tiled: true}}")
                            "    - {id: b, name: b, watermark.text: hello, watermark.image: s3://bucket/a/logo.png}\n    - {id: c, name: c}\n");
    const px_output *output = &config.recipe.outputs[0];
    assert_string_equal(output->mark_image, "logo.png");
    assert_string_equal(output->spec.mark.text, "\302\251 us");
    assert_string_equal(output->mark_font, "font.ttf");
    assert_memory_equal(output->spec.mark.colour, "\x10\x20\x30", 3);
    assert_int_equal(output->spec.mark.position, PX_MARK_TOP);
    assert_int_equal(output->spec.mark.margin, 7);
    assert_int_equal(output->spec.mark.opacity, 50);
    assert_int_equal(output->spec.mark.scale, 40);
    assert_true(output->spec.mark.tiled);
    assert_string_equal(config.recipe.outputs[1].mark_image, "s3://bucket/a/logo.png");
    assert_string_equal(config.recipe.outputs[2].spec.mark.text, "");

    assert_refused(OUTPUT("watermark: x"), PX_BAD_RECIPE, "test.yaml:3: watermark has entries of its own");
    assert_refused(OUTPUT("watermark: {opacity: 50}"), PX_BAD_RECIPE, "test.yaml:3: a watermark needs an image or a text");
    assert_refused(OUTPUT("watermark: {image: absent.png}"), PX_BAD_RECIPE, "test.yaml:3: watermark.image: cannot read the file absent.png: No such file");
    assert_refused(OUTPUT("watermark: {image: .}"), PX_BAD_RECIPE, "not a file");
    assert_refused(OUTPUT("watermark: {image: notes.txt}"), PX_BAD_RECIPE, "test.yaml:3: watermark.image: notes.txt is not a picture");
    assert_refused(OUTPUT("watermark: {image: s3://bucket}"), PX_BAD_RECIPE, "is not s3://BUCKET/KEY");
    assert_refused(OUTPUT("watermark: {text: a, font: logo.png}"), PX_BAD_RECIPE, "test.yaml:3: watermark.font: logo.png is not a TrueType or OpenType font");
    assert_refused(OUTPUT("watermark: {text: \"a\\tb\"}"), PX_BAD_RECIPE, "one line of UTF-8");
    assert_refused(OUTPUT("watermark: {text: a, opacity: 0}"), PX_BAD_RECIPE, "1 to 100");
    assert_refused(OUTPUT("watermark: {text: a, position: middle}"), PX_BAD_RECIPE, "bottom-left");
    assert_refused(OUTPUT("watermark: {text: a, size: 4}"), PX_BAD_RECIPE, "there is no option 'watermark.size'");
    char text[700];
    snprintf(text, sizeof text, OUTPUT("watermark: {text: %0513d}"), 1);
    assert_refused(text, PX_BAD_RECIPE, "test.yaml:3: watermark.text has 513 bytes; at most 512");
    unlink("logo.png");
    unlink("font.ttf");
    unlink("notes.txt");
}

static void a_watermark_of_the_environment_is_every_output_s_until_one_has_another_or_none(void **state)
{
    (void)state;
    setenv("PIXMILL_WATERMARK_TEXT", "ours", 1);
    setenv("PIXMILL_WATERMARK_OPACITY", "30", 1);
    px_config config = load("recipe:\n  outputs:\n    - {id: a, name: a}\n    - {id: b, name: b, watermark: {text: theirs}}\n    - {id: c, name: c, watermark: {text: \"\"}}\n");
    const char *shown = NULL;
    px_error err = { "" };
    assert_ok(px_config_show("test.yaml", NULL, 0, &arena, &shown, &err));
    unsetenv("PIXMILL_WATERMARK_TEXT");
    unsetenv("PIXMILL_WATERMARK_OPACITY");
    assert_string_equal(config.recipe.outputs[0].spec.mark.text, "ours");
    assert_string_equal(config.recipe.outputs[1].spec.mark.text, "theirs");
    assert_string_equal(config.recipe.outputs[2].spec.mark.text, "");
    assert_int_equal(config.recipe.outputs[1].spec.mark.opacity, 30);
    assert_non_null(strstr(shown, "watermark.text: theirs  # test.yaml:4\n"));
    assert_non_null(strstr(shown, "watermark.text: ours  # PIXMILL_WATERMARK_TEXT\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_do_what_the_mission_says),
        cmocka_unit_test(flags_beat_environment_beats_file_beats_defaults),
        cmocka_unit_test(flags_and_environment_are_defaults_of_every_output),
        cmocka_unit_test(a_whole_recipe_fits_into_the_environment),
        cmocka_unit_test(mistakes_name_line_and_remedy),
        cmocka_unit_test(sizes_have_units_and_counts_do_not),
        cmocka_unit_test(jpg_is_jpeg),
        cmocka_unit_test(what_is_found_by_trying_has_its_words),
        cmocka_unit_test(texts_are_one_line_without_control_characters),
        cmocka_unit_test(outputs_are_refused_that_would_always_overwrite_each_other),
        cmocka_unit_test(a_bucket_that_feeds_itself_is_refused),
        cmocka_unit_test(what_show_prints_can_be_read_back),
        cmocka_unit_test(a_watermark_is_read_and_what_is_wrong_with_it_is_told_at_once),
        cmocka_unit_test(a_watermark_of_the_environment_is_every_output_s_until_one_has_another_or_none),
        cmocka_unit_test(a_file_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
