/* One delivery to its end. Goal: the promises of DESIGN.md section 3, each by its own test: nothing happens twice, late or by
 * halves, nobody's object is overwritten, and every end is told. Method: the pipeline over fakes that fail when told to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakes.h"
#include "pipeline/inside.h"
#include "test.h"

static fakes *all;

static int open_all(void **state)
{
    (void)state;
    all = fakes_open();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    fakes_close(all);
    return 0;
}

/* Words for what the tests do over and over. */
static px_verdict created(const char *key, const char *sequencer)
{
    return fakes_handle(all, fakes_event(all, "ObjectCreated:Put", key, sequencer), 1);
}

static px_verdict removed(const char *key, const char *sequencer)
{
    return fakes_handle(all, fakes_event(all, "ObjectRemoved:Delete", key, sequencer), 1);
}

static px_verdict upload(const char *key, const char *text, const char *sequencer)
{
    fakes_put(all, "source", key, text);
    return created(key, sequencer);
}

static px_record_status status_of(const char *image_id)
{
    const px_record *record = fakes_record(all, image_id);
    return record ? record->status : PX_RECORD_STATUS_COUNT;
}

static void assert_says(const char *text, const char *says)
{
    if (!strstr(text, says))
        fail_msg("'%s' does not say '%s'", text, says);
}

#define assert_holds(key, expected)                                  \
    do {                                                             \
        const char *text_ = fakes_text(all, "target", key);          \
        assert_non_null(text_);                                      \
        assert_string_equal(text_, expected);                        \
    } while (0)

/* ---- what goes well ---- */

static void a_picture_becomes_outputs_and_a_record(void **state)
{
    (void)state;
    assert_int_equal(upload("a/b/cat.png", "miau", "01"), PX_ACKNOWLEDGE);
    assert_holds("a/b/processed-cat.jpg", "800 of miau");
    const px_record *record = fakes_record(all, "source/a/b/cat.png");
    assert_int_equal(record->status, PX_RECORD_DONE);
    assert_string_equal(record->filename, "cat.png");
    assert_int_equal(record->width, 1600);
    assert_int_equal(record->bytes, 4);
    assert_string_equal(record->sequencer, "01000000000000000000000000000000");
    assert_string_equal(record->trace_id, "1-trace");
    assert_int_equal(record->output_count, 1);
    assert_string_equal(record->outputs[0].bucket, "target");
    assert_string_equal(record->outputs[0].key, "a/b/processed-cat.jpg");
    assert_int_equal(record->outputs[0].width, 800);
    assert_int_equal(record->outputs[0].height, 600);
    assert_int_equal(strlen(record->outputs[0].etag), 32);
    assert_int_equal(fakes_held(all), 0);
}

static void words_of_names_are_the_outputs_own(void **state)
{
    (void)state;
    fakes_recipe(all, (fake_output[]){ { "a", "{id}/{width}x{height}.{format}", 80 }, { "b", "{id}/{hash}", 40 } }, 2);
    all->config.destination_prefix = "out/";
    assert_int_equal(upload("cat.png", "miau", "01"), PX_ACKNOWLEDGE);
    const px_record *record = fakes_record(all, "source/cat.png");
    assert_string_equal(record->outputs[0].key, "out/a/80x60.jpeg");
    assert_int_equal(strlen(record->outputs[1].key), strlen("out/b/") + 16);
    char old[32];
    snprintf(old, sizeof old, "%s", record->outputs[1].key);
    assert_int_equal(upload("cat.png", "wuff", "02"), PX_ACKNOWLEDGE); /* another hash: another key, and the old one goes */
    assert_null(fakes_text(all, "target", old));
    assert_int_equal(fakes_count(all, "target"), 2);
}

/* ---- twice, late, out of order ---- */

static void the_same_event_twice_does_nothing(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(fakes_handle(all, "{\"bucket\":\"source\",\"key\":\"cat.png\"}", 1), PX_ACKNOWLEDGE);
    assert_int_equal(all->transforms, 1);
    assert_int_equal(all->puts, 1);
    assert_says(fakes_log(all), "\"already done\"");
}

static void a_late_event_finds_what_is_there_now_done(void **state)
{
    (void)state;
    upload("cat.png", "first", "01");
    upload("cat.png", "second", "03");
    assert_int_equal(created("cat.png", "02"), PX_ACKNOWLEDGE);
    assert_int_equal(all->transforms, 2);
    assert_holds("processed-cat.jpg", "800 of second");
}

static void the_same_bytes_written_again_are_of_the_newer_event(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    upload("cat.png", "miau", "07");
    assert_string_equal(fakes_record(all, "source/cat.png")->sequencer, "07000000000000000000000000000000");
    fakes_remove(all, "source", "cat.png");
    assert_int_equal(removed("cat.png", "05"), PX_ACKNOWLEDGE); /* late, and of what was before */
    assert_int_equal(status_of("source/cat.png"), PX_RECORD_DONE);
}

static void a_run_that_was_overtaken_ends_quietly(void **state)
{
    (void)state;
    all->put_set_fails = (fake_failure){ PX_SUPERSEDED, 0, 1 };
    assert_int_equal(upload("cat.png", "miau", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(all->record_count, 0);
    assert_int_equal(fakes_held(all), 0);
}

static void an_older_event_never_overwrites_what_a_newer_one_made(void **state)
{
    (void)state;
    upload("cat.png", "new", "05");
    fakes_put(all, "source", "cat.png", "old"); /* a store that shows old things for a while */
    assert_int_equal(created("cat.png", "04"), PX_ACKNOWLEDGE);
    assert_holds("processed-cat.jpg", "800 of new");
    assert_string_equal(fakes_record(all, "source/cat.png")->sequencer, "05000000000000000000000000000000");
    assert_int_equal(removed("cat.png", "03"), PX_ACKNOWLEDGE);
    assert_holds("processed-cat.jpg", "800 of new");
}

static void a_late_delete_does_not_take_a_new_original_along(void **state)
{
    (void)state;
    upload("cat.png", "first", "01");
    fakes_put(all, "source", "cat.png", "again");
    assert_int_equal(removed("cat.png", "02"), PX_ACKNOWLEDGE); /* deleted, but written again since */
    assert_holds("processed-cat.jpg", "800 of again");
    assert_int_equal(created("cat.png", "03"), PX_ACKNOWLEDGE);
    assert_int_equal(status_of("source/cat.png"), PX_RECORD_DONE);
}

static void what_another_run_holds_is_tried_again_later(void **state)
{
    (void)state;
    px_record record;
    fakes_put(all, "source", "cat.png", "miau");
    px_claim claim = { "source/cat.png", "another", INT64_MAX, NULL };
    assert_int_equal(all->table.claim(&all->table, &claim, &all->arena, &record, NULL), PX_OK);
    assert_int_equal(fakes_handle(all, fakes_event(all, "ObjectCreated:Put", "cat.png", "01"), 50), PX_RETRY);
    assert_int_equal(all->settled.status, PX_CLAIMED);
    assert_true(all->settled.delay_ms > 0);
    assert_int_equal(all->transforms, 0);
    all->table.release(&all->table, "source/cat.png", record.token);
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(status_of("source/cat.png"), PX_RECORD_DONE);
}

/* ---- names ---- */

static void a_taken_name_is_told_and_nothing_is_overwritten(void **state)
{
    (void)state;
    upload("cat.png", "first", "01");
    assert_int_equal(upload("cat.gif", "second", "02"), PX_DEAD);
    assert_int_equal(all->settled.status, PX_OUTPUT_NAME_TAKEN);
    const char *told = fakes_record(all, "source/cat.gif")->error_message;
    assert_says(told, "target/processed-cat.jpg");
    assert_says(told, "source/cat.png");
    assert_says(told, "source/cat.gif");
    assert_says(told, "{filename}");
    assert_holds("processed-cat.jpg", "800 of first");
    fakes_put(all, "target", "processed-dog.jpg", "by hand");
    assert_int_equal(upload("dog.png", "wuff", "03"), PX_DEAD);
    assert_string_equal(fakes_text(all, "target", "processed-dog.jpg"), "by hand");
    assert_int_equal(fakes_record(all, "source/dog.png")->output_count, 0);
    assert_int_equal(fakes_held(all), 0);
}

static void overwrite_any_takes_what_others_made(void **state)
{
    (void)state;
    all->config.overwrite_any = true;
    fakes_put(all, "target", "processed-cat.jpg", "by hand");
    assert_int_equal(upload("cat.png", "miau", "01"), PX_ACKNOWLEDGE);
    assert_holds("processed-cat.jpg", "800 of miau");
}

static void outputs_that_come_to_one_name_are_a_bad_recipe(void **state)
{
    (void)state;
    fakes_recipe(all, (fake_output[]){ { "a", "{width}.jpg", 5000 }, { "b", "{width}.jpg", 6000 } }, 2); /* neither is enlarged */
    assert_int_equal(upload("cat.png", "miau", "01"), PX_DEAD);
    assert_int_equal(all->settled.status, PX_BAD_RECIPE);
    assert_int_equal(fakes_count(all, "target"), 0);
}

/* ---- recursion and what is not ours to do ---- */

static void own_outputs_are_refused_as_recursive(void **state)
{
    (void)state;
    all->config.destination = "source";
    all->config.destination_prefix = "out/";
    upload("cat.png", "miau", "01");
    assert_non_null(fakes_text(all, "source", "out/processed-cat.jpg"));
    assert_int_equal(created("out/processed-cat.jpg", "02"), PX_ACKNOWLEDGE);
    const px_record *record = fakes_record(all, "source/out/processed-cat.jpg");
    assert_int_equal(record->status, PX_RECORD_SKIPPED);
    assert_int_equal(record->error, PX_RECURSIVE);
    assert_int_equal(all->transforms, 1);
    assert_int_equal(fakes_count(all, "source"), 2);
}

static void events_of_other_buckets_and_prefixes_are_ignored(void **state)
{
    (void)state;
    all->config.source_prefix = "in/";
    fakes_put(all, "target", "in/cat.png", "miau");
    fakes_put(all, "source", "elsewhere/cat.png", "miau");
    assert_int_equal(fakes_handle(all, "{\"bucket\":\"target\",\"key\":\"in/cat.png\"}", 1), PX_ACKNOWLEDGE);
    assert_says(fakes_log(all), "the source is the bucket source");
    assert_int_equal(created("elsewhere/cat.png", "01"), PX_ACKNOWLEDGE);
    assert_says(fakes_log(all), "source_prefix (in/)");
    assert_int_equal(all->transforms, 0);
    assert_int_equal(all->record_count, 0);
    assert_int_equal(upload("in/cat.png", "miau", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(all->transforms, 1);
}

static void other_events_and_test_events_are_acknowledged(void **state)
{
    (void)state;
    fakes_put(all, "source", "cat.png", "miau");
    assert_int_equal(fakes_handle(all, fakes_event(all, "ObjectTagging:Put", "cat.png", "01"), 1), PX_ACKNOWLEDGE);
    assert_int_equal(fakes_handle(all, "{\"Event\":\"s3:TestEvent\",\"Bucket\":\"source\"}", 1), PX_ACKNOWLEDGE);
    assert_int_equal(all->transforms + all->record_count, 0);
}

/* ---- deleted, replaced, changed ---- */

static void a_deleted_original_takes_its_outputs_along(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    fakes_remove(all, "source", "cat.png");
    assert_int_equal(removed("cat.png", "02"), PX_ACKNOWLEDGE);
    assert_int_equal(fakes_count(all, "target"), 0);
    const px_record *record = fakes_record(all, "source/cat.png");
    assert_int_equal(record->status, PX_RECORD_DELETED);
    assert_int_equal(record->output_count, 0);
    int finishes = all->finishes;
    assert_int_equal(removed("cat.png", "02"), PX_ACKNOWLEDGE);
    assert_int_equal(all->finishes, finishes);
    assert_int_equal(fakes_held(all), 0);
}

static void on_delete_keep_leaves_the_outputs(void **state)
{
    (void)state;
    all->config.delete_follows = false;
    upload("cat.png", "miau", "01");
    fakes_remove(all, "source", "cat.png");
    assert_int_equal(removed("cat.png", "02"), PX_ACKNOWLEDGE);
    assert_holds("processed-cat.jpg", "800 of miau");
    assert_int_equal(status_of("source/cat.png"), PX_RECORD_DELETED);
    assert_int_equal(fakes_record(all, "source/cat.png")->output_count, 1);
}

static void an_original_gone_before_its_event_is_acknowledged(void **state)
{
    (void)state;
    assert_int_equal(created("never.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(fakes_held(all), 0);
    assert_int_equal(status_of("source/never.png"), PX_RECORD_DELETED);
}

static void a_missing_bucket_removes_nothing(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    all->buckets[0] = NULL;
    assert_int_equal(removed("cat.png", "02"), PX_DEAD);
    assert_int_equal(all->settled.status, PX_NO_SUCH_BUCKET);
    assert_holds("processed-cat.jpg", "800 of miau");
    assert_int_equal(fakes_record(all, "source/cat.png")->output_count, 1);
}

static void a_replaced_original_loses_outputs_that_are_no_longer_made(void **state)
{
    (void)state;
    fakes_recipe(all, (fake_output[]){ { "a", "a-{filename}", 800 }, { "b", "b-{filename}", 400 } }, 2);
    upload("cat.png", "first", "01");
    assert_int_equal(fakes_count(all, "target"), 2);
    fakes_recipe(all, (fake_output[]){ { "b", "b-{filename}", 400 } }, 1);
    assert_int_equal(upload("cat.png", "second", "02"), PX_ACKNOWLEDGE);
    assert_null(fakes_text(all, "target", "a-cat.png"));
    assert_holds("b-cat.png", "400 of second");
    assert_int_equal(fakes_record(all, "source/cat.png")->output_count, 1);
}

static void a_changed_recipe_makes_outputs_anew(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    fakes_recipe(all, &(fake_output){ "web", "{dir}processed-{stem}.jpg", 400 }, 1);
    assert_int_equal(fakes_handle(all, "{\"bucket\":\"source\",\"key\":\"cat.png\"}", 1), PX_ACKNOWLEDGE);
    assert_holds("processed-cat.jpg", "400 of miau");
}

static void a_changed_name_or_destination_moves_the_outputs(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    fakes_recipe(all, &(fake_output){ "web", "{stem}-{width}.jpg", 800 }, 1);
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_null(fakes_text(all, "target", "processed-cat.jpg"));
    assert_holds("cat-800.jpg", "800 of miau");
    all->config.destination_prefix = "v2/";
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_null(fakes_text(all, "target", "cat-800.jpg"));
    assert_holds("v2/cat-800.jpg", "800 of miau");
    all->buckets[2] = "elsewhere";
    all->config.destination = "elsewhere";
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(fakes_count(all, "target"), 0);
    assert_string_equal(fakes_text(all, "elsewhere", "v2/cat-800.jpg"), "800 of miau");
    int transforms = all->transforms;
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(all->transforms, transforms);
}

/* ---- what fails ---- */

static void a_passing_failure_is_tried_again_and_then_a_dead_letter(void **state)
{
    (void)state;
    const char *event = fakes_event(all, "ObjectCreated:Put", "cat.png", "01");
    fakes_put(all, "source", "cat.png", "miau");
    all->transform_fails = (fake_failure){ PX_THROTTLED, 0, 3 };
    for (int attempt = 1; attempt <= 2; attempt++) {
        assert_int_equal(fakes_handle(all, event, attempt), PX_RETRY);
        assert_true(all->settled.delay_ms >= 1 && all->settled.delay_ms <= 1000 << (attempt - 1));
        assert_int_equal(status_of("source/cat.png"), PX_RECORD_QUEUED);
        assert_int_equal(fakes_record(all, "source/cat.png")->attempts, attempt);
    }
    assert_int_equal(fakes_handle(all, event, 3), PX_DEAD);
    assert_int_equal(all->settled.status, PX_THROTTLED);
    assert_string_equal(all->settled.image_id, "source/cat.png");
    assert_int_equal(status_of("source/cat.png"), PX_RECORD_FAILED);
    assert_int_equal(fakes_handle(all, event, 1), PX_ACKNOWLEDGE); /* replayed, when it has passed */
    assert_int_equal(status_of("source/cat.png"), PX_RECORD_DONE);
}

static void a_lasting_failure_is_a_dead_letter_at_once(void **state)
{
    (void)state;
    assert_int_equal(upload("cat.png", "fails:corrupt-image", "01"), PX_DEAD);
    const px_record *record = fakes_record(all, "source/cat.png");
    assert_int_equal(record->status, PX_RECORD_FAILED);
    assert_int_equal(record->error, PX_CORRUPT_IMAGE);
    assert_says(record->error_message, "a picture that fails");
    assert_int_equal(fakes_count(all, "target"), 0);
}

static void what_is_no_picture_is_skipped(void **state)
{
    (void)state;
    assert_int_equal(upload("notes.txt", "fails:unsupported-format", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(status_of("source/notes.txt"), PX_RECORD_SKIPPED);
    assert_int_equal(fakes_record(all, "source/notes.txt")->error, PX_UNSUPPORTED_FORMAT);
}

static void too_many_bytes_are_refused_before_they_are_read(void **state)
{
    (void)state;
    all->config.limits.input_bytes = 3;
    assert_int_equal(upload("cat.png", "miau", "01"), PX_DEAD);
    assert_int_equal(all->settled.status, PX_TOO_MANY_BYTES);
    assert_int_equal(all->transforms, 0);
}

static void a_store_that_fails_to_open_is_tried_again(void **state)
{
    (void)state;
    fakes_put(all, "source", "cat.png", "miau");
    all->open_fails = (fake_failure){ PX_NETWORK, 0, 1 };
    assert_int_equal(created("cat.png", "01"), PX_RETRY);
    assert_int_equal(status_of("source/cat.png"), PX_RECORD_QUEUED);
    assert_int_equal(created("cat.png", "01"), PX_ACKNOWLEDGE);
    assert_int_equal(status_of("source/cat.png"), PX_RECORD_DONE);
}

/* The record's outputs are those in the store, whatever failed. */
static void assert_record_is_true(const char *image_id)
{
    const px_record *record = fakes_record(all, image_id);
    for (size_t i = 0; i < record->output_count; i++) {
        px_object object;
        assert_int_equal(all->store.head(&all->store, record->outputs[i].bucket, record->outputs[i].key, &all->arena, &object, NULL), PX_OK);
        assert_string_equal(object.etag, record->outputs[i].etag);
    }
    assert_int_equal(record->output_count, fakes_count(all, "target"));
}

static void after_a_failed_finish_the_record_names_what_is_in_the_store(void **state)
{
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        all->shared = shared;
        fakes_recipe(all, (fake_output[]){ { "a", "a-{filename}", 800 }, { "b", "b-{filename}", 400 } }, 2);
        const char *key = shared ? "shared.png" : "alone.png";
        const char *image_id = shared ? "source/shared.png" : "source/alone.png";
        upload(key, "first", "01");
        fakes_recipe(all, (fake_output[]){ { "b", "b-{filename}", 400 }, { "c", "c-{filename}", 200 } }, 2);
        all->finish_fails = (fake_failure){ PX_NETWORK, 0, 1 };
        assert_int_equal(upload(key, "second", "02"), PX_RETRY);
        assert_int_equal(status_of(image_id), PX_RECORD_QUEUED);
        assert_record_is_true(image_id);
        all->put_set_fails = (fake_failure){ PX_DISK_FULL, 0, 1 };
        assert_int_equal(created(key, "02"), PX_RETRY);
        assert_record_is_true(image_id);
        assert_int_equal(created(key, "02"), PX_ACKNOWLEDGE);
        assert_record_is_true(image_id);
        assert_int_equal(fakes_count(all, "target"), 2);
        fakes_remove(all, "source", key);
        all->finish_fails = (fake_failure){ PX_NETWORK, 0, 1 };
        assert_int_equal(removed(key, "03"), PX_RETRY);
        assert_record_is_true(image_id);
        assert_int_equal(removed(key, "03"), PX_ACKNOWLEDGE);
        assert_int_equal(fakes_count(all, "target"), 0);
        assert_int_equal(status_of(image_id), PX_RECORD_DELETED);
    }
}

static void a_record_that_cannot_be_written_gives_the_lease_up(void **state)
{
    (void)state;
    px_error err = { "" };
    px_delivery delivery = { .id = "1", .body = fakes_event(all, "ObjectCreated:Put", "cat.png", "01"), .attempts = 1, .trace_id = "" };
    fakes_put(all, "source", "cat.png", "miau");
    all->finish_fails = (fake_failure){ PX_DISK_FULL, 0, 2 };
    assert_status(px_pipeline_handle(&all->pipeline, &delivery, &err), PX_DISK_FULL);
    assert_int_equal(all->settlements, 0); /* the delivery comes again */
    assert_int_equal(fakes_held(all), 0);
    assert_int_equal(fakes_handle(all, delivery.body, 2), PX_ACKNOWLEDGE);
    assert_int_equal(status_of("source/cat.png"), PX_RECORD_DONE);
}

/* ---- events of several records ---- */

static const char *two(const char *first, const char *second)
{
    return px_arena_format(&all->arena, "{\"Records\":[%s,%s]}", fakes_event_record(all, "ObjectCreated:Put", "source", first, "01"),
                           fakes_event_record(all, "ObjectCreated:Put", "source", second, "02"));
}

static void one_record_that_may_pass_brings_the_whole_event_back(void **state)
{
    (void)state;
    fakes_put(all, "source", "first.png", "one");
    fakes_put(all, "source", "second.png", "two");
    all->transform_fails = (fake_failure){ PX_THROTTLED, 0, 1 };
    assert_int_equal(fakes_handle(all, two("first.png", "second.png"), 1), PX_RETRY);
    assert_int_equal(all->settled.status, PX_THROTTLED);
    assert_true(all->settled.delay_ms > 0);
    assert_int_equal(status_of("source/first.png"), PX_RECORD_QUEUED);
    assert_int_equal(status_of("source/second.png"), PX_RECORD_DONE);
    assert_int_equal(fakes_handle(all, two("first.png", "second.png"), 2), PX_ACKNOWLEDGE);
    assert_int_equal(status_of("source/first.png"), PX_RECORD_DONE);
    assert_int_equal(all->transforms, 3); /* the second is not done again */
}

static void one_hopeless_record_makes_a_dead_letter_of_the_event(void **state)
{
    (void)state;
    fakes_put(all, "source", "first.png", "fails:corrupt-image");
    fakes_put(all, "source", "second.png", "two");
    assert_int_equal(fakes_handle(all, two("first.png", "second.png"), 1), PX_DEAD);
    assert_int_equal(all->settled.status, PX_CORRUPT_IMAGE);
    assert_string_equal(all->settled.image_id, "source/first.png");
    assert_says(all->settled.message, "a picture that fails");
    assert_int_equal(status_of("source/second.png"), PX_RECORD_DONE);
    fakes_put(all, "source", "third.png", "fails:throttled");
    assert_int_equal(fakes_handle(all, two("first.png", "third.png"), 1), PX_RETRY); /* the hopeless one waits for the other */
    assert_int_equal(fakes_handle(all, two("first.png", "third.png"), 3), PX_DEAD);
}

/* ---- the log ---- */

static int count_of(const char *text, const char *what)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        count++;
    return count;
}

static void every_line_of_a_job_carries_its_trace_id(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    upload("bad.png", "fails:corrupt-image", "02");
    created("cat.png", "01");
    const char *log = fakes_log(all);
    assert_int_equal(count_of(log, "\"timestamp\""), count_of(log, "\"traceId\":\"1-trace\""));
    px_delivery delivery = { .id = "1", .body = fakes_event(all, "ObjectCreated:Put", "cat.png", "01"), .attempts = 1, .trace_id = "" };
    assert_int_equal(px_pipeline_handle(&all->pipeline, &delivery, NULL), PX_OK);
    assert_int_equal(count_of(fakes_log(all), "\"traceId\":\"\""), 0);
}

static void reports_say_the_memory_that_is_allowed(void **state)
{
    (void)state;
    upload("cat.png", "miau", "01");
    assert_int_equal(count_of(fakes_log(all), "\"memorySizeMB\":0,"), 0);
    all->config.limits.memory_bytes = (uint64_t)300 << 20;
    upload("dog.png", "wuff", "01");
    assert_says(fakes_log(all), "\"memorySizeMB\":300,");
}

static void a_bad_event_is_a_dead_letter_with_start_and_report(void **state)
{
    (void)state;
    assert_int_equal(fakes_handle(all, "{\"hello\":\"world\"}", 1), PX_DEAD);
    assert_int_equal(all->settled.status, PX_BAD_EVENT);
    assert_says(all->settled.message, "hello");
    const char *log = fakes_log(all);
    assert_int_equal(count_of(log, "platform.start"), 1);
    assert_int_equal(count_of(log, "platform.report"), 1);
    assert_says(log, "\"status\":\"error\"");
    assert_says(log, "\"traceId\":\"1-trace\"");
}

#define JOB_TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB_TEST(a_picture_becomes_outputs_and_a_record),
        JOB_TEST(words_of_names_are_the_outputs_own),
        JOB_TEST(the_same_event_twice_does_nothing),
        JOB_TEST(a_late_event_finds_what_is_there_now_done),
        JOB_TEST(the_same_bytes_written_again_are_of_the_newer_event),
        JOB_TEST(a_run_that_was_overtaken_ends_quietly),
        JOB_TEST(an_older_event_never_overwrites_what_a_newer_one_made),
        JOB_TEST(a_late_delete_does_not_take_a_new_original_along),
        JOB_TEST(what_another_run_holds_is_tried_again_later),
        JOB_TEST(a_taken_name_is_told_and_nothing_is_overwritten),
        JOB_TEST(overwrite_any_takes_what_others_made),
        JOB_TEST(outputs_that_come_to_one_name_are_a_bad_recipe),
        JOB_TEST(own_outputs_are_refused_as_recursive),
        JOB_TEST(events_of_other_buckets_and_prefixes_are_ignored),
        JOB_TEST(other_events_and_test_events_are_acknowledged),
        JOB_TEST(a_deleted_original_takes_its_outputs_along),
        JOB_TEST(on_delete_keep_leaves_the_outputs),
        JOB_TEST(an_original_gone_before_its_event_is_acknowledged),
        JOB_TEST(a_missing_bucket_removes_nothing),
        JOB_TEST(a_replaced_original_loses_outputs_that_are_no_longer_made),
        JOB_TEST(a_changed_recipe_makes_outputs_anew),
        JOB_TEST(a_changed_name_or_destination_moves_the_outputs),
        JOB_TEST(a_passing_failure_is_tried_again_and_then_a_dead_letter),
        JOB_TEST(a_lasting_failure_is_a_dead_letter_at_once),
        JOB_TEST(what_is_no_picture_is_skipped),
        JOB_TEST(too_many_bytes_are_refused_before_they_are_read),
        JOB_TEST(a_store_that_fails_to_open_is_tried_again),
        JOB_TEST(after_a_failed_finish_the_record_names_what_is_in_the_store),
        JOB_TEST(a_record_that_cannot_be_written_gives_the_lease_up),
        JOB_TEST(one_record_that_may_pass_brings_the_whole_event_back),
        JOB_TEST(one_hopeless_record_makes_a_dead_letter_of_the_event),
        JOB_TEST(every_line_of_a_job_carries_its_trace_id),
        JOB_TEST(reports_say_the_memory_that_is_allowed),
        JOB_TEST(a_bad_event_is_a_dead_letter_with_start_and_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
