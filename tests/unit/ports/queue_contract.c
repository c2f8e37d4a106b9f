/* What every queue promises: an event comes until it is settled, retries wait, the dead can be called back. */
#include "kit.h"

static bool take(int wait_ms, px_delivery *ret)
{
    bool taken = false;
    assert_int_equal(place->queue->take(place->queue, wait_ms, &arena, ret, &taken, NULL), PX_OK);
    return taken;
}

static px_status settle(const px_delivery *delivery, px_verdict verdict, int64_t delay_ms)
{
    px_settlement settlement = { .delivery = delivery, .verdict = verdict, .delay_ms = delay_ms, .status = PX_CORRUPT_IMAGE,
                                 .message = "why", .image_id = image_of("in/a") };
    return place->queue->settle(place->queue, &settlement, NULL);
}

static void a_change_is_delivered_until_acknowledged(void **state)
{
    (void)state;
    px_delivery delivery, none;
    assert_false(take(0, &none));
    place->put(place, place->source, "in/a b+ü.jpg", "x");
    assert_true(take(1000, &delivery));
    assert_int_equal(delivery.attempts, 1);
    assert_non_null(strstr(delivery.body, "in/a+b%2B%C3%BC.jpg"));
    assert_non_null(strstr(delivery.body, "ObjectCreated:Put"));
    assert_true(delivery.sent_ms > 0);
    assert_false(take(0, &none));
    assert_int_equal(settle(&delivery, PX_ACKNOWLEDGE, 0), PX_OK);
    assert_false(take(0, &none));
}

static void a_removal_is_delivered(void **state)
{
    (void)state;
    px_delivery delivery;
    place->put(place, place->source, "in/a", "x");
    assert_true(take(1000, &delivery));
    assert_int_equal(settle(&delivery, PX_ACKNOWLEDGE, 0), PX_OK);
    place->remove(place, place->source, "in/a");
    assert_true(take(1000, &delivery));
    assert_non_null(strstr(delivery.body, "ObjectRemoved:Delete"));
}

static void a_retry_waits_and_counts(void **state)
{
    (void)state;
    px_delivery delivery, none;
    place->put(place, place->source, "in/a", "x");
    assert_true(take(1000, &delivery));
    assert_int_equal(settle(&delivery, PX_RETRY, 300), PX_OK);
    int64_t start = px_monotonic_us();
    assert_false(take(50, &none));
    assert_true(take(3000, &delivery));
    assert_true(px_monotonic_us() - start > 250000);
    assert_int_equal(delivery.attempts, 2);
}

static void two_events_of_one_key_never_run_at_once(void **state)
{
    (void)state;
    px_delivery first, second, other, none;
    if (!place->shared)
        skip();
    place->put(place, place->source, "in/a", "1");
    place->put(place, place->source, "in/a", "2");
    place->put(place, place->source, "in/b", "3");
    assert_true(take(1000, &first));
    assert_true(take(1000, &other));
    assert_non_null(strstr(other.body, "in/b"));
    assert_false(take(0, &none));
    assert_int_equal(settle(&first, PX_ACKNOWLEDGE, 0), PX_OK);
    assert_true(take(1000, &second));
    assert_non_null(strstr(second.body, "in/a"));
}

static void the_dead_are_found_and_replayed(void **state)
{
    (void)state;
    px_delivery delivery;
    int64_t count = -1;
    place->put(place, place->source, "in/a", "x");
    assert_true(take(1000, &delivery));
    assert_int_equal(settle(&delivery, PX_DEAD, 0), PX_OK);
    assert_false(take(0, &delivery));
    const px_dead_filter filters[] = { { .code = "out-of-time" }, { .key = "elsewhere/*" }, { .key = image_of("in") },
                                       { .since_ms = px_now_ms() + 60000 }, { .until_ms = 1 } };
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        assert_int_equal(place->queue->replay(place->queue, &filters[i], &count, NULL), PX_OK);
        assert_int_equal(count, 0);
    }
    px_dead_filter match = { .key = image_of("in/*"), .code = "corrupt-image" };
    assert_int_equal(place->queue->replay(place->queue, &match, &count, NULL), PX_OK);
    assert_int_equal(count, 1);
    assert_true(take(1000, &delivery));
    assert_int_equal(delivery.attempts, 1);
    assert_non_null(strstr(delivery.body, "in/a"));
    assert_int_equal(settle(&delivery, PX_DEAD, 0), PX_OK);
    assert_int_equal(place->queue->replay(place->queue, &(px_dead_filter){ 0 }, &count, NULL), PX_OK);
    assert_int_equal(count, 1);
}

static void finish_settles_with_the_record(void **state)
{
    (void)state;
    px_delivery delivery, none;
    px_record record;
    place->put(place, place->source, "in/a", "x");
    assert_true(take(1000, &delivery));
    assert_int_equal(claim("in/a", NULL, &record), PX_OK);
    px_settlement settlement = { .delivery = &delivery, .verdict = PX_RETRY, .delay_ms = 0, .image_id = "" };
    record.status = PX_RECORD_QUEUED;
    assert_int_equal(place->table->finish(place->table, &record, &settlement, NULL), PX_OK);
    assert_true(take(1000, &delivery));
    assert_int_equal(claim("in/a", NULL, &record), PX_OK);
    settlement.verdict = PX_ACKNOWLEDGE;
    record.status = PX_RECORD_DONE;
    assert_int_equal(place->table->finish(place->table, &record, &settlement, NULL), PX_OK);
    assert_false(take(0, &none));
}

static void stop_ends_the_waiting(void **state)
{
    (void)state;
    px_delivery none;
    int64_t start = px_monotonic_us();
    place->queue->stop(place->queue);
    assert_false(take(5000, &none));
    assert_true(px_monotonic_us() - start < 1000000);
}

int px_queue_contract(const px_place_factory *factory)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(a_change_is_delivered_until_acknowledged),
        KIT_TEST(a_removal_is_delivered),
        KIT_TEST(a_retry_waits_and_counts),
        KIT_TEST(two_events_of_one_key_never_run_at_once),
        KIT_TEST(the_dead_are_found_and_replayed),
        KIT_TEST(finish_settles_with_the_record),
        KIT_TEST(stop_ends_the_waiting),
    };
    factory_now = factory;
    return cmocka_run_group_tests_name("queue contract", tests, NULL, NULL);
}
