/* What every table promises: one worker a key, the newest event wins, records are found as they were put. */
#include "kit.h"

static void claims_exclude_each_other(void **state)
{
    (void)state;
    px_record first, second, other;
    assert_int_equal(claim("in/a", "1", &first), PX_OK);
    assert_string_equal(first.image_id, image_of("in/a"));
    assert_int_equal(claim("in/a", "1", &second), PX_CLAIMED);
    assert_int_equal(claim("in/a", "2", &second), PX_CLAIMED);
    assert_int_equal(claim("in/b", "1", &other), PX_OK);
    place->table->release(place->table, first.image_id, first.token + 1); /* not the holder's */
    assert_int_equal(claim("in/a", "1", &second), PX_CLAIMED);
    place->table->release(place->table, first.image_id, first.token);
    assert_int_equal(claim("in/a", "1", &second), PX_OK);
}

static void an_expired_claim_is_taken_over_and_its_holder_loses(void **state)
{
    (void)state;
    px_record first, second, third;
    px_claim gone = { .image_id = image_of("in/a"), .owner = "gone", .until_ms = px_now_ms() - 1 };
    assert_int_equal(place->table->claim(place->table, &gone, &arena, &first, NULL), PX_OK);
    assert_int_equal(claim("in/a", NULL, &second), PX_OK);
    assert_true(second.token > first.token);
    assert_int_equal(finish(&first, "1", PX_RECORD_DONE), PX_SUPERSEDED);
    place->table->release(place->table, second.image_id, second.token);
    assert_int_equal(claim("in/a", NULL, &third), PX_OK);
    assert_true(third.token > first.token);
    assert_int_equal(finish(&first, "1", PX_RECORD_DONE), PX_SUPERSEDED);
    assert_int_equal(finish(&third, "1", PX_RECORD_DONE), PX_OK);
}

static void an_older_event_is_superseded(void **state)
{
    (void)state;
    px_record record;
    assert_int_equal(claim("in/a", "0055AED6DCD90281E5", &record), PX_OK);
    assert_int_equal(finish(&record, "0055AED6DCD90281E5", PX_RECORD_DONE), PX_OK);
    assert_int_equal(claim("in/a", "0055AED6DCD90281E4", &record), PX_SUPERSEDED);
    assert_int_equal(record.status, PX_RECORD_DONE); /* filled */
    assert_int_equal(claim("in/a", "0055aed6dcd90281e5", &record), PX_OK); /* a retry carries an equal one */
    place->table->release(place->table, record.image_id, record.token);
    assert_int_equal(claim("in/a", NULL, &record), PX_OK); /* without one: the record's own */
    place->table->release(place->table, record.image_id, record.token);
    int64_t token = record.token;
    assert_int_equal(claim("in/a", "0055AED6DCD90281E6", &record), PX_OK);
    assert_int_equal(finish(&record, "0055AED6DCD90281E6", PX_RECORD_DONE), PX_OK);
    assert_true(record.token >= token);
}

static void a_record_is_found_as_it_was_put(void **state)
{
    (void)state;
    px_record record, found;
    px_record_output output = { .id = "web", .bucket = "target", .key = "out/ü.jpg", .format = "jpeg", .etag = "e",
                                .recipe = "0123456789abcdef", .width = 800, .height = 600, .quality = 80, .bytes = 1u << 31, .reason = "a photo; SSIM 0.9312, 3 encodes" };
    assert_int_equal(place->table->find(place->table, image_of("in/a"), &arena, &found, NULL), PX_NO_SUCH_KEY);
    assert_int_equal(claim("in/a", "1", &record), PX_OK);
    record.filename = "a";
    record.format = "png";
    record.width = 4000;
    record.height = 3000;
    record.bytes = 123;
    record.etag = "etag";
    record.placeholder = "1QcSHQRnh493V4dIh4eXh1h4kJUI";
    record.colour = "#c81e28";
    record.error = PX_CORRUPT_IMAGE;
    record.error_message = "bad \"chunk\"";
    record.outputs = &output;
    record.output_count = 1;
    record.attempts = 2;
    record.milliseconds = 34;
    record.trace_id = "1-2-3";
    assert_int_equal(finish(&record, "1", PX_RECORD_FAILED), PX_OK);
    assert_int_equal(place->table->find(place->table, image_of("in/a"), &arena, &found, NULL), PX_OK);
    json_t *a = px_record_format(&record), *b = px_record_format(&found);
    assert_true(json_equal(a, b));
    assert_string_equal(json_string_value(json_object_get(json_object_get(b, "Error"), "Code")), "corrupt-image");
    json_decref(a);
    json_decref(b);
    assert_string_equal(found.placeholder, record.placeholder);
    assert_string_equal(found.colour, "#c81e28");
    assert_int_equal(found.error, PX_CORRUPT_IMAGE);
    assert_string_equal(found.outputs[0].key, "out/ü.jpg");
    assert_string_equal(found.outputs[0].reason, output.reason);
    assert_int_equal(found.token, record.token);
}

struct seen {
    int count;
    char first[80];
};

static bool see(void *context, const px_record *record)
{
    struct seen *seen = context;
    if (seen->count++ == 0)
        snprintf(seen->first, sizeof seen->first, "%s", record->image_id);
    return true;
}

static struct seen list(px_record_filter filter, int64_t *cursor)
{
    struct seen seen = { 0 };
    assert_int_equal(place->table->list(place->table, &filter, see, &seen, cursor, NULL), PX_OK);
    return seen;
}

static void put_record(const char *key, px_record_status status, px_status error)
{
    px_record record;
    assert_int_equal(claim(key, NULL, &record), PX_OK);
    record.error = error;
    assert_int_equal(finish(&record, "1", status), PX_OK);
}

static void lists_filter_and_follow(void **state)
{
    (void)state;
    const px_record_filter all = { .status = PX_RECORD_STATUS_COUNT };
    int64_t cursor = 0;
    put_record("in/a", PX_RECORD_DONE, PX_OK);
    put_record("in/b", PX_RECORD_FAILED, PX_CORRUPT_IMAGE);
    put_record("in/c", PX_RECORD_FAILED, PX_OUT_OF_TIME);
    assert_int_equal(list(all, &cursor).count, 3);
    assert_string_equal(list(all, NULL).first, image_of("in/c")); /* newest first */
    px_record_filter filter = all;
    filter.status = PX_RECORD_FAILED;
    assert_int_equal(list(filter, NULL).count, 2);
    filter.code = "corrupt-image";
    assert_int_equal(list(filter, NULL).count, 1);
    filter = all;
    filter.limit = 2;
    assert_int_equal(list(filter, NULL).count, 2);
    filter = all;
    filter.key = image_of("in/b");
    assert_int_equal(list(filter, NULL).count, 1);
    filter.key = image_of("in/*");
    assert_int_equal(list(filter, NULL).count, 3);
    filter.key = image_of("other/*");
    assert_int_equal(list(filter, NULL).count, 0);
    filter = all;
    filter.since_ms = px_now_ms() + 1000;
    assert_int_equal(list(filter, NULL).count, 0);

    filter = all;
    filter.after_change = cursor;
    assert_int_equal(list(filter, &cursor).count, 0);
    put_record("in/a", PX_RECORD_DONE, PX_OK);
    put_record("in/d", PX_RECORD_DONE, PX_OK);
    struct seen news = list(filter, &cursor);
    assert_int_equal(news.count, 2);
    assert_string_equal(news.first, image_of("in/a")); /* oldest first */

    filter.after_change = cursor;
    filter.limit = 1;
    put_record("in/e", PX_RECORD_DONE, PX_OK);
    usleep(2000);
    put_record("in/f", PX_RECORD_DONE, PX_OK);
    news = list(filter, &cursor); /* what did not fit comes next */
    assert_string_equal(news.first, image_of("in/e"));
    filter.after_change = cursor;
    news = list(filter, &cursor);
    assert_int_equal(news.count, 1);
    assert_string_equal(news.first, image_of("in/f"));
    filter.after_change = cursor;
    assert_int_equal(list(filter, &cursor).count, 0);
}

int px_table_contract(const px_place_factory *factory)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(claims_exclude_each_other),
        KIT_TEST(an_expired_claim_is_taken_over_and_its_holder_loses),
        KIT_TEST(an_older_event_is_superseded),
        KIT_TEST(a_record_is_found_as_it_was_put),
        KIT_TEST(lists_filter_and_follow),
    };
    factory_now = factory;
    return cmocka_run_group_tests_name("table contract", tests, NULL, NULL);
}
