/* The manifest keeps the promises that outputs have: there when the record is done, not made twice, gone with its original, never over
 * somebody else's object; with a table and without one. Method: as job_test.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakes.h"
#include "pipeline/inside.h"
#include "test.h"

static fakes *all;

static void want(const char *name)
{
    px_error err = { "" };
    assert_status(px_manifest_init(&all->config.recipe, name, "test", &err), PX_OK);
}

static int open_all(void **state)
{
    (void)state;
    all = fakes_open();
    want("{dir}{stem}.json");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    fakes_close(all);
    return 0;
}

static px_verdict created(const char *key, const char *sequencer)
{
    return fakes_handle(all, fakes_event(all, "ObjectCreated:Put", key, sequencer), 1);
}

static px_verdict upload(const char *key, const char *text, const char *sequencer)
{
    fakes_put(all, "source", key, text);
    return created(key, sequencer);
}

static void it_names_every_output_and_is_one_itself(void **state)
{
    (void)state;
    fakes_recipe(all, (fake_output[]){ { "a", "{stem}-{width}.jpg", 800 }, { "b", "{stem}-{width}.jpg", 400 } }, 2);
    want("{dir}{stem}.json");
    assert_int_equal(upload("cat.png", "miau", "01"), PX_ACKNOWLEDGE);
    json_t *manifest = json_loads(fakes_text(all, "target", "cat.json"), 0, NULL), *outputs = json_object_get(manifest, "outputs");
    assert_int_equal(json_array_size(outputs), 2);
    const json_t *second = json_array_get(outputs, 1);
    assert_string_equal(json_string_value(json_object_get(second, "key")), "cat-400.jpg");
    assert_string_equal(json_string_value(json_object_get(second, "type")), "image/jpeg");
    assert_int_equal(json_integer_value(json_object_get(second, "width")), 400);
    assert_int_equal(json_integer_value(json_object_get(second, "height")), 300);
    assert_string_equal(json_string_value(json_object_get(manifest, "colour")), "#000000");
    json_decref(manifest);
    const px_record *record = fakes_record(all, "source/cat.png");
    assert_int_equal(record->output_count, 3);
    assert_string_equal(record->outputs[2].id, "manifest");
    assert_string_equal(record->outputs[2].key, "cat.json");
    assert_int_equal(strlen(record->outputs[2].etag), 32);
}

static void nothing_is_made_twice(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(all->transforms, 1);
    all->config.recipe.outputs[0].id = "other"; /* which the manifest says, and no output depends on */
    want("{dir}{stem}.json");
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(all->transforms, 2);
    assert_non_null(strstr(fakes_text(all, "target", "cat.json"), "other"));
}

static void it_comes_and_goes_with_the_recipe(void **state)
{
    (void)state;
    want("");
    upload("cat.png", "miau", "01");
    assert_int_equal(fakes_count(all, "target"), 1);
    want("{stem}.json");
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_non_null(fakes_text(all, "target", "cat.json"));
    want("m/{stem}.json");
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_null(fakes_text(all, "target", "cat.json"));
    assert_non_null(fakes_text(all, "target", "m/cat.json"));
    want("");
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(fakes_count(all, "target"), 1);
    assert_int_equal(fakes_record(all, "source/cat.png")->output_count, 1);
}

static void it_goes_with_its_original(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    assert_int_equal(fakes_count(all, "target"), 2);
    fakes_remove(all, "source", "cat.png");
    assert_int_equal(fakes_handle(all, fakes_event(all, "ObjectRemoved:Delete", "cat.png", "02"), 1), PX_ACKNOWLEDGE);
    assert_int_equal(fakes_count(all, "target"), 0);
}

static void a_taken_name_is_told_and_nothing_is_overwritten(void **state)
{
    (void)state;
    fakes_put(all, "target", "cat.json", "by hand");
    assert_int_equal(upload("cat.png", "miau", "01"), PX_DEAD);
    assert_int_equal(all->settled.status, PX_OUTPUT_NAME_TAKEN);
    assert_string_equal(fakes_text(all, "target", "cat.json"), "by hand");
    assert_int_equal(fakes_count(all, "target"), 1);
    fakes_recipe(all, &(fake_output){ "web", "{stem}.{format}", 800 }, 1);
    want("{stem}.jpeg"); /* as the output comes to be called */
    assert_int_equal(upload("dog.png", "wuff", "02"), PX_DEAD);
    assert_int_equal(all->settled.status, PX_BAD_RECIPE);
    assert_int_equal(fakes_count(all, "target"), 1);
}

static void without_a_table_its_metadata_tells(void **state)
{
    (void)state;
    px_table *bare = NULL;
    all->shared = false;
    assert_int_equal(px_bare_table_create(&all->config, &all->store, &all->queue, &bare, NULL), PX_OK);
    all->pipeline.table = bare;
    upload("cat.png", "miau", "01");
    assert_int_equal(fakes_count(all, "target"), 2);
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(all->transforms, 1);
    fakes_remove(all, "source", "cat.png");
    assert_int_equal(fakes_handle(all, fakes_event(all, "ObjectRemoved:Delete", "cat.png", "02"), 1), PX_ACKNOWLEDGE);
    assert_int_equal(fakes_count(all, "target"), 0);
    px_bare_table_destroy(bare);
}

static void what_it_cannot_be_is_refused_with_the_recipe(void **state)
{
    (void)state;
    px_error err = { "" };
    px_recipe *recipe = &all->config.recipe;
    static const char *const names[] = { "{stem}-{width}.json", "{format}", "{nonsense}.json", "{dir}processed-{stem}.jpg" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_status(px_manifest_init(recipe, names[i], "pixmill.yaml:1", &err), PX_BAD_RECIPE);
    recipe->outputs[0].id = "manifest";
    assert_status(px_manifest_init(recipe, "{stem}.json", "pixmill.yaml:1", &err), PX_BAD_RECIPE);
    assert_status(px_manifest_init(recipe, "", "pixmill.yaml:1", &err), PX_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
        TEST(it_names_every_output_and_is_one_itself), TEST(nothing_is_made_twice), TEST(it_comes_and_goes_with_the_recipe),
        TEST(it_goes_with_its_original), TEST(a_taken_name_is_told_and_nothing_is_overwritten), TEST(without_a_table_its_metadata_tells),
        TEST(what_it_cannot_be_is_refused_with_the_recipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
