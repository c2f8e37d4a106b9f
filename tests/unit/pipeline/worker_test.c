/* Threads that take and handle. Goal: what is in the queue is done, a stop lets running jobs end, and a queue that fails costs
 * a pause and a line in the log, not the worker. Method: one worker over the fakes, fed by a queue of its own here. */
#include <pthread.h>
#include <string.h>

#include "fakes.h"
#include "test.h"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const char *bodies[8];
    int count, taken, failures; /* takes that fail first */
    int empty;                  /* takes that find nothing, first */
    int waits_ms[16], wait_count;
    bool stopped;
} waiting = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static px_status take(px_queue *queue, int wait_ms, px_arena *arena, px_delivery *ret, bool *ret_taken, px_error *err)
{
    (void)queue, (void)arena;
    px_status status = PX_OK;
    pthread_mutex_lock(&waiting.lock);
    if (waiting.wait_count < (int)(sizeof waiting.waits_ms / sizeof *waiting.waits_ms))
        waiting.waits_ms[waiting.wait_count++] = wait_ms;
    pthread_cond_broadcast(&waiting.changed);
    if (waiting.empty > 0)
        waiting.empty--;
    else if (waiting.failures > 0) {
        waiting.failures--;
        status = px_fail(err, PX_INTERNAL, "the queue is broken");
    } else {
        while (waiting.taken == waiting.count && !waiting.stopped)
            pthread_cond_wait(&waiting.changed, &waiting.lock);
        *ret_taken = waiting.taken < waiting.count;
        if (*ret_taken)
            *ret = (px_delivery){ .id = "1", .body = waiting.bodies[waiting.taken++], .attempts = 1, .trace_id = "" };
        pthread_cond_broadcast(&waiting.changed);
    }
    pthread_mutex_unlock(&waiting.lock);
    return status;
}

static void stop(px_queue *queue)
{
    (void)queue;
    pthread_mutex_lock(&waiting.lock);
    waiting.stopped = true;
    pthread_cond_broadcast(&waiting.changed);
    pthread_mutex_unlock(&waiting.lock);
}

static void wait_until_taken(int count)
{
    pthread_mutex_lock(&waiting.lock);
    while (waiting.taken < count)
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
}

static fakes *open_fed(void)
{
    fakes *all = fakes_open();
    all->queue.take = take;
    all->queue.stop = stop;
    waiting.count = waiting.taken = waiting.failures = waiting.empty = waiting.wait_count = 0;
    waiting.stopped = false;
    return all;
}

static void feed(fakes *all, const char *key)
{
    fakes_put(all, "source", key, "miau");
    waiting.bodies[waiting.count++] = fakes_event(all, "ObjectCreated:Put", key, "01");
}

static void what_waits_is_done_and_a_stop_lets_it_end(void **state)
{
    (void)state;
    px_error err = { "" };
    px_workers *workers = NULL;
    fakes *all = open_fed();
    feed(all, "a.png");
    feed(all, "b.png");
    assert_ok(px_workers_start(&all->pipeline, 1, &workers, &err));
    wait_until_taken(2);
    px_workers_stop(workers); /* the second may be running: it ends first */
    assert_int_equal(all->settlements, 2);
    assert_int_equal(fakes_record(all, "source/b.png")->status, PX_RECORD_DONE);
    fakes_close(all);
}

static void a_queue_that_fails_is_told_and_tried_again(void **state)
{
    (void)state;
    px_error err = { "" };
    px_workers *workers = NULL;
    fakes *all = open_fed();
    waiting.failures = 1;
    feed(all, "a.png");
    assert_ok(px_workers_start(&all->pipeline, 1, &workers, &err));
    wait_until_taken(1);
    px_workers_stop(workers);
    assert_non_null(strstr(fakes_log(all), "the queue is broken"));
    assert_int_equal(all->settled.verdict, PX_ACKNOWLEDGE);
    fakes_close(all);
}

static void the_longer_nothing_comes_the_longer_is_a_wait(void **state)
{
    static const int waits_ms[] = { 1000, 2000, 4000, 8000, 16000, 20000, 20000, 1000 };
    (void)state;
    px_error err = { "" };
    px_workers *workers = NULL;
    fakes *all = open_fed();
    waiting.empty = 6;
    feed(all, "a.png"); /* after which they are short again */
    assert_ok(px_workers_start(&all->pipeline, 1, &workers, &err));
    wait_until_taken(1);
    pthread_mutex_lock(&waiting.lock);
    while (waiting.wait_count < 8)
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
    px_workers_stop(workers);
    assert_memory_equal(waiting.waits_ms, waits_ms, sizeof waits_ms);
    fakes_close(all);
}

static void none_started_is_none_to_stop(void **state)
{
    (void)state;
    px_workers_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_done_and_a_stop_lets_it_end),
        cmocka_unit_test(a_queue_that_fails_is_told_and_tried_again),
        cmocka_unit_test(the_longer_nothing_comes_the_longer_is_a_wait),
        cmocka_unit_test(none_started_is_none_to_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
