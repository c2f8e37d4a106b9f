/* What every store promises: objects are found and opened, a set of outputs is whole, and never takes what is another's. */
#include "kit.h"

static void finds_and_opens_what_is_there(void **state)
{
    (void)state;
    px_object object;
    PX_AUTO(px_source_close) px_source source = PX_SOURCE_NONE;
    place->put(place, place->source, "in/a b.jpg", "bytes");
    assert_holds(place->source, "in/a b.jpg", "bytes");
    assert_int_equal(object_of(place->source, "in/a b.jpg", &object), PX_OK);
    assert_string_equal(object.etag, "4b3a6218bb3e3a7303e8a171a60fcf92");
    assert_string_equal(object.version_id, "");
    assert_int_equal(place->store->open(place->store, place->source, "in/a b.jpg", "other", &arena, &source, &object, NULL),
                     PX_CONFLICT);
    assert_int_equal(object_of(place->source, "in/none", &object), PX_NO_SUCH_KEY);
    assert_int_equal(place->store->open(place->store, "no-such-bucket-here", "k", NULL, &arena, &source, &object, NULL), PX_NO_SUCH_BUCKET);
}

static void a_set_is_seen_with_its_record(void **state)
{
    (void)state;
    px_record record;
    px_object object;
    px_owner owner;
    assert_int_equal(claim("in/a", "1", &record), PX_OK);
    assert_int_equal(put_output("in/a", "out", "one", owner_of("in/a", "1", record.token), false, NULL), PX_OK);
    if (place->shared)
        assert_int_equal(object_of(place->target, "out", &object), PX_NO_SUCH_KEY);
    assert_int_equal(finish(&record, "1", PX_RECORD_DONE), PX_OK);
    assert_holds(place->target, "out", "one");
    assert_int_equal(object_of(place->target, "out", &object), PX_OK);
    assert_string_equal(object.content_type, "image/jpeg");
    assert_true(px_owner_of(&object, &owner));
    px_owner ours = owner_of("in/a", "1", record.token);
    assert_string_equal(owner.source, ours.source);
    assert_string_equal(owner.sequencer, ours.sequencer);
    assert_int_equal(owner.token, record.token);
    assert_string_equal(owner.recipe, ours.recipe);
    assert_string_equal(owner.etag, ours.etag);
    bool has_camera = false; /* in any order */
    for (size_t i = 0; i < object.meta_count; i++)
        has_camera |= strcmp(object.meta[i].name, "camera") == 0 && strcmp(object.meta[i].value, "pinhole") == 0;
    assert_true(has_camera);
}

static void the_same_source_replaces_its_own(void **state)
{
    (void)state;
    assert_int_equal(run_job("in/a", "1", "out", "one", false, NULL), PX_OK);
    assert_int_equal(run_job("in/a", "1", "out", "again", false, NULL), PX_OK);
    assert_int_equal(run_job("in/a", "2", "out", "two", false, NULL), PX_OK);
    assert_holds(place->target, "out", "two");
}

static void an_older_run_never_overwrites_a_newer_one(void **state)
{
    (void)state;
    assert_int_equal(run_job("in/a", "2", "out", "two", false, NULL), PX_OK);
    assert_int_equal(put_output("in/a", "out", "one", owner_of("in/a", "1", 99), false, NULL), PX_SUPERSEDED);
    assert_int_equal(put_output("in/a", "out", "one", owner_of("in/a", "2", 0), false, NULL), PX_SUPERSEDED);
    assert_holds(place->target, "out", "two");
}

static void a_name_that_is_taken_is_told_with_whose_it_is(void **state)
{
    (void)state;
    px_error err = { "" };
    place->put(place, place->target, "theirs", "mine!");
    assert_int_equal(run_job("in/a", "1", "theirs", "x", false, &err), PX_OUTPUT_NAME_TAKEN);
    assert_non_null(strstr(err.message, "theirs"));
    assert_holds(place->target, "theirs", "mine!");
    assert_int_equal(run_job("in/a", "1", "out", "a", false, NULL), PX_OK);
    assert_int_equal(run_job("in/b", "1", "out", "b", false, &err), PX_OUTPUT_NAME_TAKEN);
    assert_true(strstr(err.message, image_of("in/a")) || strstr(err.message, owner_of("in/a", "1", 1).source));
    assert_holds(place->target, "out", "a");
    assert_int_equal(run_job("in/b", "1", "out", "b", true, NULL), PX_OK); /* overwrite: any */
    assert_holds(place->target, "out", "b");
}

static void removes_only_its_own(void **state)
{
    (void)state;
    px_record record;
    px_object object;
    assert_int_equal(run_job("in/a", "1", "old", "a", false, NULL), PX_OK);
    assert_int_equal(run_job("in/b", "1", "other", "b", false, NULL), PX_OK);
    place->put(place, place->target, "theirs", "mine!");
    assert_int_equal(claim("in/a", "2", &record), PX_OK);
    px_owner owner = owner_of("in/a", "2", record.token);
    px_remove removes[] = { { place->target, "old", owner }, { place->target, "other", owner },
                            { place->target, "theirs", owner }, { place->target, "none", owner } };
    px_set set = { .removes = removes, .remove_count = 4 };
    assert_int_equal(place->store->put_set(place->store, record.image_id, &set, NULL), PX_OK);
    assert_int_equal(finish(&record, "2", PX_RECORD_DONE), PX_OK);
    assert_int_equal(object_of(place->target, "old", &object), PX_NO_SUCH_KEY);
    assert_holds(place->target, "other", "b");
    assert_holds(place->target, "theirs", "mine!");
}

static void an_abandoned_set_is_never_seen(void **state)
{
    (void)state;
    px_record record;
    px_object object;
    if (!place->shared)
        skip();
    assert_int_equal(claim("in/a", "1", &record), PX_OK);
    assert_int_equal(put_output("in/a", "out", "one", owner_of("in/a", "1", record.token), false, NULL), PX_OK);
    place->store->abandon(place->store, record.image_id);
    assert_int_equal(finish(&record, "1", PX_RECORD_FAILED), PX_OK);
    assert_int_equal(object_of(place->target, "out", &object), PX_NO_SUCH_KEY);
}

static void a_name_taken_at_the_last_moment_changes_nothing(void **state)
{
    (void)state;
    px_record record, other;
    px_object object;
    px_error err = { "" };
    if (!place->shared)
        skip();
    assert_int_equal(claim("in/a", "1", &record), PX_OK);
    assert_int_equal(put_output("in/a", "out", "one", owner_of("in/a", "1", record.token), false, NULL), PX_OK);
    place->put(place, place->target, "out", "mine!");
    record.status = PX_RECORD_DONE;
    assert_int_equal(place->table->finish(place->table, &record, NULL, &err), PX_OUTPUT_NAME_TAKEN);
    assert_holds(place->target, "out", "mine!");
    assert_int_equal(place->table->find(place->table, record.image_id, &arena, &other, NULL), PX_NO_SUCH_KEY);
    assert_int_equal(claim("in/a", "1", &other), PX_CLAIMED); /* the lease is still held, to say so */
    place->store->abandon(place->store, record.image_id);
    record.error = PX_OUTPUT_NAME_TAKEN;
    assert_int_equal(finish(&record, "1", PX_RECORD_FAILED), PX_OK);
    assert_int_equal(object_of(place->target, "out", &object), PX_OK);
    assert_int_equal(claim("in/a", "1", &other), PX_OK);
    assert_int_equal(other.status, PX_RECORD_FAILED);
}

static size_t list_page(const char *prefix, const char *after, px_object **ret, bool *ret_more)
{
    size_t count = 0;
    px_error err = { "" };
    assert_int_equal(place->store->list(place->store, place->source, prefix, after, &arena, ret, &count, ret_more, &err), PX_OK);
    return count;
}

static void lists_keys_of_every_kind_in_order(void **state)
{
    static const char *const keys[] = { "a b+c.jpg", "dir/%41.jpg", "dir/\xc3\xbc.jpg", "z&<x>\"q\".jpg" };
    px_object *objects;
    bool more = true;
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        place->put(place, place->source, keys[i], i ? "12345" : "1");
    assert_int_equal(list_page("", "", &objects, &more), 4);
    assert_false(more);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        px_object object;
        assert_string_equal(objects[i].key, keys[i]);
        assert_int_equal(object_of(place->source, keys[i], &object), PX_OK);
        assert_string_equal(objects[i].etag, object.etag);
        assert_int_equal(objects[i].bytes, i ? 5 : 1);
        assert_true(objects[i].modified_ms > px_now_ms() - 3600000 && objects[i].modified_ms < px_now_ms() + 3600000);
    }
    assert_int_equal(list_page("dir/", "", &objects, &more), 2);
    assert_string_equal(objects[1].key, keys[2]);
    assert_int_equal(list_page("dir/", keys[1], &objects, &more), 1);
    assert_int_equal(list_page("nothing", "", &objects, &more), 0);
    assert_int_equal(place->store->list(place->store, "no-such-bucket-here", "", "", &arena, &objects, &count, &more, NULL), PX_NO_SUCH_BUCKET);
}

int px_store_contract(const px_place_factory *factory)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(finds_and_opens_what_is_there),
        KIT_TEST(a_set_is_seen_with_its_record),
        KIT_TEST(the_same_source_replaces_its_own),
        KIT_TEST(an_older_run_never_overwrites_a_newer_one),
        KIT_TEST(a_name_that_is_taken_is_told_with_whose_it_is),
        KIT_TEST(removes_only_its_own),
        KIT_TEST(an_abandoned_set_is_never_seen),
        KIT_TEST(a_name_taken_at_the_last_moment_changes_nothing),
        KIT_TEST(lists_keys_of_every_kind_in_order),
    };
    factory_now = factory;
    return cmocka_run_group_tests_name("store contract", tests, NULL, NULL);
}
