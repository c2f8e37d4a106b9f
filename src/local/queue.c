/* The queue: rows of `events`, and in memory which of them a worker has.
 *
 * A take looks for the oldest due row that nobody has and whose key nobody works on, so that two events of one key
 * never run at once. What runs is only in memory: after a crash every row is ready again. The table is looked
 * at whenever the writer has added to it, and twice a second, because another process may replay. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "local/inside.h"

enum { LOOK_EVERY_MS = 500, UNSETTLED_MS = 5000 };

static px_local *local_of(px_queue *queue) { return (px_local *)((char *)queue - offsetof(px_local, queue)); }

/* Under queue_lock. */
static bool is_running(px_local *local, int64_t id, const char *image_id)
{
    int64_t now = px_now_ms();

    for (px_running **at = &local->running; *at;) {
        px_running *running = *at;
        if (running->until_ms && running->until_ms <= now) {
            *at = running->next;
            free(running->image_id);
            free(running);
            continue;
        }
        if (running->id == id || (*image_id && running->until_ms == 0 && strcmp(running->image_id, image_id) == 0))
            return true;
        at = &running->next;
    }
    return false;
}

/* Under queue_lock: the read begins after it was taken, so a row whose worker has just settled is gone or free. */
static px_status take_one(px_local *local, px_db *db, px_arena *arena, px_delivery *ret, bool *ret_taken, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };

    PX_TRY(px_db_query(db, &query, err,
                       "SELECT id, image_id, body, attempts, sent_ms, trace_id FROM events WHERE not_before_ms<=?1 ORDER BY id",
                       "i", px_now_ms()));
    for (bool row = true;;) {
        PX_TRY(px_query_step(&query, &row, err));
        if (!row)
            return PX_OK;
        int64_t id = sqlite3_column_int64(query.statement, 0);
        const char *image_id = (const char *)sqlite3_column_text(query.statement, 1);
        if (is_running(local, id, image_id ? image_id : ""))
            continue;
        px_delivery delivery = { .id = px_arena_format(arena, "%" PRId64, id), .body = px_query_text(&query, 2, arena),
                                 .attempts = sqlite3_column_int(query.statement, 3) + 1,
                                 .sent_ms = sqlite3_column_int64(query.statement, 4),
                                 .trace_id = px_query_text(&query, 5, arena) };
        px_running *running = calloc(1, sizeof *running);
        char *owned = strdup(image_id ? image_id : "");
        if (!running || !owned || !delivery.id || !delivery.body || !delivery.trace_id) {
            free(running);
            free(owned);
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory to take an event");
        }
        *running = (px_running){ .next = local->running, .id = id, .image_id = owned };
        local->running = running;
        *ret = delivery;
        *ret_taken = true;
        return PX_OK;
    }
}

static px_status queue_take(px_queue *self, int wait_ms, px_arena *arena, px_delivery *ret, bool *ret_taken, px_error *err)
{
    px_local *local = local_of(self);
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    int64_t until_us = px_monotonic_us() + (int64_t)wait_ms * 1000;
    bool taken = false;

    PX_TRY(px_reader_take(local, &reading.db, err));
    pthread_mutex_lock(&local->queue_lock);
    px_status status = PX_OK;
    while (!local->queue_stopped) {
        status = take_one(local, reading.db, arena, ret, &taken, err);
        int64_t left_ms = (until_us - px_monotonic_us()) / 1000;
        if (status != PX_OK || taken || left_ms <= 0)
            break;
        struct timespec when;
        clock_gettime(CLOCK_MONOTONIC, &when);
        int64_t pause_ms = left_ms < LOOK_EVERY_MS ? left_ms : LOOK_EVERY_MS;
        int64_t nanoseconds = when.tv_nsec + pause_ms * 1000000;
        when.tv_sec += (time_t)(nanoseconds / 1000000000);
        when.tv_nsec = (long)(nanoseconds % 1000000000);
        (void)pthread_cond_timedwait(&local->queue_cond, &local->queue_lock, &when);
    }
    pthread_mutex_unlock(&local->queue_lock);
    PX_TRY(status);
    *ret_taken = taken;
    return PX_OK;
}

px_status px_settlement_run(px_local *local, const px_settlement *settlement, px_error *err)
{
    int64_t id = strtoll(settlement->delivery->id, NULL, 10), now = px_now_ms();
    int64_t attempts = settlement->delivery->attempts;

    if (settlement->verdict == PX_RETRY)
        return px_db_run(local->db, err, "UPDATE events SET attempts=?2, not_before_ms=?3 WHERE id=?1", "iii", id, attempts,
                         now + settlement->delay_ms);
    if (settlement->verdict == PX_DEAD)
        PX_TRY(px_db_run(local->db, err,
                         "INSERT INTO dead(body, image_id, code, message, died_ms, attempts, trace_id)"
                         " SELECT body, CASE ?2 WHEN '' THEN image_id ELSE ?2 END, ?3, ?4, ?5, ?6, trace_id FROM events WHERE id=?1",
                         "itttii", id, settlement->image_id ? settlement->image_id : "", px_status_code(settlement->status),
                         settlement->message ? settlement->message : "", now, attempts));
    return px_db_run(local->db, err, "DELETE FROM events WHERE id=?1", "i", id);
}

void px_settlement_end(px_local *local, const px_settlement *settlement)
{
    int64_t id = strtoll(settlement->delivery->id, NULL, 10);

    pthread_mutex_lock(&local->queue_lock);
    for (px_running **at = &local->running; *at; at = &(*at)->next) {
        px_running *running = *at;
        if (running->id != id)
            continue;
        *at = running->next;
        free(running->image_id);
        free(running);
        break;
    }
    pthread_cond_broadcast(&local->queue_cond); /* the key is free again */
    pthread_mutex_unlock(&local->queue_lock);
}

void px_settlement_hold(px_local *local, const px_settlement *settlement)
{
    int64_t id = strtoll(settlement->delivery->id, NULL, 10);

    pthread_mutex_lock(&local->queue_lock);
    for (px_running *running = local->running; running; running = running->next)
        if (running->id == id)
            running->until_ms = px_now_ms() + UNSETTLED_MS;
    pthread_mutex_unlock(&local->queue_lock);
}

struct settling {
    px_op op;
    const px_settlement *settlement;
};

static px_status settle_run(px_local *local, px_op *op, px_error *err)
{
    return px_settlement_run(local, ((struct settling *)op)->settlement, err);
}

static px_status queue_settle(px_queue *self, const px_settlement *settlement, px_error *err)
{
    px_local *local = local_of(self);
    struct settling settling = { { .run = settle_run }, settlement };
    px_status status = px_writer_wait(local, &settling.op, err);

    if (status == PX_OK)
        px_settlement_end(local, settlement);
    else
        px_settlement_hold(local, settlement);
    return status;
}

/* ---- dead letters ---- */

struct replaying {
    px_op op;
    const px_dead_filter *filter;
    int64_t count;
};

#define DEAD_WHERE                                                                     \
    " FROM dead WHERE (?1='' OR image_id=?1 OR (?2!='' AND substr(image_id, 1, length(?2))=?2)) AND (?3='' OR code=?3)" \
    " AND (?4=0 OR died_ms>=?4) AND (?5=0 OR died_ms<=?5)"

static px_status replay_run(px_local *local, px_op *op, px_error *err)
{
    struct replaying *replaying = (struct replaying *)op;
    const px_dead_filter *filter = replaying->filter;
    const char *key = filter->key ? filter->key : "", *code = filter->code ? filter->code : "";
    px_arena scratch = local->scratch;
    const char *prefix = "";

    if (strcmp(key, "*") == 0) {
        key = "";
    } else if (*key && key[strlen(key) - 1] == '*') {
        prefix = px_arena_copy(&scratch, (px_bytes){ (const uint8_t *)key, strlen(key) - 1 });
        if (!prefix)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory to replay");
    }
    PX_TRY(px_db_run(local->db, err,
                     "INSERT INTO events(body, image_id, attempts, not_before_ms, sent_ms, trace_id)"
                     " SELECT body, image_id, 0, 0, ?6, trace_id" DEAD_WHERE " ORDER BY id",
                     "tttiii", key, prefix, code, filter->since_ms, filter->until_ms, px_now_ms()));
    replaying->count = sqlite3_changes64(local->db->handle);
    PX_TRY(px_db_run(local->db, err, "DELETE" DEAD_WHERE, "tttii", key, prefix, code, filter->since_ms, filter->until_ms));
    local->events_added = true;
    return PX_OK;
}

static px_status queue_replay(px_queue *self, const px_dead_filter *filter, int64_t *ret_count, px_error *err)
{
    struct replaying replaying = { { .run = replay_run }, filter, 0 };
    PX_TRY(px_writer_wait(local_of(self), &replaying.op, err));
    *ret_count = replaying.count;
    return PX_OK;
}

/* ---- adding and ending ---- */

struct adding {
    px_op op;
    const char *body, *image_id, *trace_id;
};

static px_status add_run(px_local *local, px_op *op, px_error *err)
{
    struct adding *adding = (struct adding *)op;
    local->events_added = true;
    return px_db_run(local->db, err,
                     "INSERT INTO events(body, image_id, attempts, not_before_ms, sent_ms, trace_id) VALUES(?1, ?2, 0, 0, ?3, ?4)",
                     "ttit", adding->body, adding->image_id, px_now_ms(), adding->trace_id);
}

px_status px_local_event_add(px_local *local, const char *body, const char *image_id, const char *trace_id, px_error *err)
{
    struct adding adding = { { .run = add_run }, body, image_id ? image_id : "", trace_id ? trace_id : "" };
    return px_writer_wait(local, &adding.op, err);
}

void px_queue_notify(px_local *local)
{
    pthread_mutex_lock(&local->queue_lock);
    pthread_cond_broadcast(&local->queue_cond);
    pthread_mutex_unlock(&local->queue_lock);
}

static void queue_stop(px_queue *self)
{
    px_local *local = local_of(self);
    pthread_mutex_lock(&local->queue_lock);
    local->queue_stopped = true;
    pthread_cond_broadcast(&local->queue_cond);
    pthread_mutex_unlock(&local->queue_lock);
}

void px_queue_forget(px_local *local)
{
    for (px_running *running = local->running, *next; running; running = next) {
        next = running->next;
        free(running->image_id);
        free(running);
    }
    local->running = NULL;
}

void px_queue_init(px_local *local)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&local->queue_lock, NULL);
    pthread_cond_init(&local->queue_cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
    local->queue = (px_queue){ .name = "local", .take = queue_take, .settle = queue_settle, .replay = queue_replay,
                               .stop = queue_stop };
}
