/* The records: one JSON document a row, with the columns that lists are filtered by beside it. Leases are in memory.
 *
 * A lease number is stored only by the finish it belongs to, and with it the outputs that carry it. So after a
 * crash a number may be given again: nothing of the first holder is anywhere. Within the process a number that was
 * taken over is remembered, so that its old holder can never pass for the new one. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "local/inside.h"

enum { RECORD_ARENA = 8 << 20 };

static px_local *local_of(px_table *table) { return (px_local *)((char *)table - offsetof(px_local, table)); }

static px_status parse_document(const char *document, px_arena *arena, px_record *ret, px_error *err)
{
    json_t *item = json_loads(document ? document : "", 0, NULL);
    px_status status = item ? px_record_parse(item, arena, ret, err)
                            : px_fail(err, PX_INTERNAL, "a record is damaged in the database");
    json_decref(item);
    return status;
}

static px_status find_record(px_db *db, const char *image_id, px_arena *arena, px_record *ret, bool *ret_found, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    PX_TRY(px_db_query(db, &query, err, "SELECT document FROM records WHERE image_id=?1", "t", image_id));
    bool found = false;
    PX_TRY(px_query_step(&query, &found, err));
    if (found)
        PX_TRY(parse_document((const char *)sqlite3_column_text(query.statement, 0), arena, ret, err));
    *ret_found = found;
    return PX_OK;
}

static px_status table_find(px_table *self, const char *image_id, px_arena *arena, px_record *ret, px_error *err)
{
    px_local *local = local_of(self);
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    bool found = false;

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(find_record(reading.db, image_id, arena, ret, &found, err));
    return found ? PX_OK : px_fail(err, PX_NO_SUCH_KEY, "there is no record of %.200s", image_id);
}

/* ---- leases; all under table_lock ---- */

static px_lease *lease_find(px_local *local, const char *image_id)
{
    for (px_lease *lease = local->leases; lease; lease = lease->next)
        if (strcmp(lease->image_id, image_id) == 0)
            return lease;
    return NULL;
}

static void lease_give_up(px_local *local, px_lease *lease)
{
    lease->held = false;
    if (lease->taken_over)
        return;
    for (px_lease **at = &local->leases; *at; at = &(*at)->next)
        if (*at == lease) {
            *at = lease->next;
            free(lease->image_id);
            free(lease);
            return;
        }
}

static px_status claim_locked(px_local *local, px_db *db, const px_claim *claim, px_arena *arena, px_record *ret, px_error *err)
{
    px_lease *lease = lease_find(local, claim->image_id);
    px_record record = px_record_empty();
    bool found = false;

    if (lease && lease->held && lease->until_ms > px_now_ms())
        return px_fail(err, PX_CLAIMED, "somebody else works on %.200s now", claim->image_id);
    PX_TRY(find_record(db, claim->image_id, arena, &record, &found, err));
    if (!found) {
        record.image_id = px_arena_copy_text(arena, claim->image_id);
        if (!record.image_id)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a claim");
    }
    char theirs[33], ours[33];
    px_sequencer_pad(record.sequencer, theirs);
    px_sequencer_pad(claim->sequencer ? claim->sequencer : theirs, ours);
    if (strcmp(theirs, ours) > 0) {
        *ret = record;
        return px_fail(err, PX_SUPERSEDED, "the record of %.200s is of a newer event", claim->image_id);
    }
    int64_t token = record.token;
    if (!lease) {
        lease = calloc(1, sizeof *lease);
        if (!lease || !(lease->image_id = strdup(claim->image_id))) {
            free(lease);
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a claim");
        }
        lease->next = local->leases;
        local->leases = lease;
    } else {
        lease->taken_over |= lease->held;
        token = lease->token > token ? lease->token : token;
    }
    lease->token = token + 1;
    lease->until_ms = claim->until_ms;
    lease->held = true;
    record.token = lease->token;
    *ret = record;
    return PX_OK;
}

static px_status table_claim(px_table *self, const px_claim *claim, px_arena *arena, px_record *ret, px_error *err)
{
    px_local *local = local_of(self);
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };

    PX_TRY(px_reader_take(local, &reading.db, err));
    pthread_mutex_lock(&local->table_lock);
    px_status status = claim_locked(local, reading.db, claim, arena, ret, err);
    pthread_mutex_unlock(&local->table_lock);
    return status;
}

static void table_release(px_table *self, const char *image_id, int64_t token)
{
    px_local *local = local_of(self);

    pthread_mutex_lock(&local->table_lock);
    px_lease *lease = lease_find(local, image_id);
    if (lease && lease->held && lease->token == token)
        lease_give_up(local, lease);
    pthread_mutex_unlock(&local->table_lock);
}

/* ---- finish ---- */

struct finishing {
    px_op op;
    const px_record *record;
    const px_settlement *settlement;
    px_staged *staged;
};

static px_status write_record(px_local *local, const px_record *record, px_error *err)
{
    json_t *item = px_record_format(record);
    char *document = item ? json_dumps(item, JSON_COMPACT) : NULL;
    char source_id[33] = "";
    const char *slash = strchr(record->image_id, '/');
    px_arena scratch = local->scratch;
    char *bucket = slash ? px_arena_copy(&scratch, (px_bytes){ (const uint8_t *)record->image_id,
                                                               (size_t)(slash - record->image_id) }) : NULL;

    json_decref(item);
    if (bucket)
        px_source_id(bucket, slash + 1, source_id);
    px_status status = document
        ? px_db_run(local->db, err,
                    "INSERT OR REPLACE INTO records(image_id, source_id, status, code, processed_ms, change, document)"
                    " VALUES(?1, ?2, ?3, ?4, ?5, (SELECT coalesce(max(change), 0) + 1 FROM records), ?6)", "ttttit",
                    record->image_id, source_id, px_record_status_name(record->status),
                    record->error == PX_OK ? "" : px_status_code(record->error), record->processed_ms, document)
        : px_fail(err, PX_OUT_OF_MEMORY, "no memory for a record");
    free(document);
    return status;
}

static px_status finish_run(px_local *local, px_op *op, px_error *err)
{
    struct finishing *finishing = (struct finishing *)op;
    const px_record *record = finishing->record;

    pthread_mutex_lock(&local->table_lock);
    px_lease *lease = lease_find(local, record->image_id);
    bool ours = lease && lease->held && lease->token == record->token;
    pthread_mutex_unlock(&local->table_lock);
    if (!ours)
        return px_fail(err, PX_SUPERSEDED, "the claim of %.200s was lost to another run", record->image_id);
    if (finishing->staged)
        PX_TRY(px_staged_apply(local, finishing->staged, err));
    PX_TRY(write_record(local, record, err));
    return finishing->settlement ? px_settlement_run(local, finishing->settlement, err) : PX_OK;
}

static px_status table_finish(px_table *self, const px_record *record, const px_settlement *settlement, px_error *err)
{
    px_local *local = local_of(self);
    struct finishing finishing = { .op = { .run = finish_run }, .record = record, .settlement = settlement };

    pthread_mutex_lock(&local->table_lock);
    finishing.staged = px_staged_take(local, record->image_id);
    /* The puts of a run that lost its claim must not ride on the next one's finish. */
    bool foreign = finishing.staged && finishing.staged->put_count && finishing.staged->puts[0].owner.token != record->token;
    pthread_mutex_unlock(&local->table_lock);
    if (foreign) {
        px_staged_destroy(finishing.staged, false, false);
        finishing.staged = NULL;
    }
    if (finishing.staged) {
        finishing.op.files = finishing.staged->uploads;
        finishing.op.file_count = finishing.staged->put_count;
    }
    px_status status = px_writer_wait(local, &finishing.op, err);
    px_staged_destroy(finishing.staged, status == PX_OK, finishing.op.unsure);
    if (status != PX_OK && settlement)
        px_settlement_hold(local, settlement);
    PX_TRY(status);
    table_release(self, record->image_id, record->token);
    if (settlement)
        px_settlement_end(local, settlement);
    return PX_OK;
}

/* ---- lists ---- */

static px_status each_row(px_query *query, px_arena *arena, bool (*each)(void *context, const px_record *record),
                          void *context, int64_t *cursor, px_error *err)
{
    for (bool row = true;;) {
        px_record record;
        PX_TRY(px_query_step(query, &row, err));
        if (!row)
            return PX_OK;
        px_arena_reset(arena);
        PX_TRY(parse_document((const char *)sqlite3_column_text(query->statement, 0), arena, &record, err));
        int64_t change = sqlite3_column_int64(query->statement, 1);
        *cursor = change > *cursor ? change : *cursor;
        if (!each(context, &record))
            return PX_OK;
    }
}

static px_status last_change(px_db *db, int64_t *ret, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool row = false;
    PX_TRY(px_db_query(db, &query, err, "SELECT coalesce(max(change), 0) FROM records", ""));
    PX_TRY(px_query_step(&query, &row, err));
    *ret = sqlite3_column_int64(query.statement, 0);
    return PX_OK;
}

#define RECORD_WHERE                                                                                                  \
    "SELECT document, change FROM records WHERE (?1='' OR status=?1) AND (?2='' OR code=?2)"                         \
    " AND (?3='' OR (image_id>=?3 AND image_id<?4)) AND (?5=0 OR processed_ms>=?5) AND (?6=0 OR processed_ms<=?6)"

static px_status table_list(px_table *self, const px_record_filter *filter, bool (*each)(void *context, const px_record *record),
                            void *context, int64_t *ret_cursor, px_error *err)
{
    px_local *local = local_of(self);
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(px_query_done) px_query query = { 0 };
    const char *status = filter->status < PX_RECORD_STATUS_COUNT ? px_record_status_name(filter->status) : "";
    const char *key = filter->key ? filter->key : "";
    int64_t limit = filter->limit > 0 ? filter->limit : -1, cursor = filter->after_change;
    size_t count = strlen(key);

    PX_TRY(px_arena_open(RECORD_ARENA, &arena, err));
    PX_TRY(px_reader_take(local, &reading.db, err));

    /* Keys from `low` on and before `high`: one key, or all with a prefix. */
    char *bounds = calloc(2, count + 2);
    if (!bounds)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a list");
    char *low = bounds, *high = bounds + count + 2;
    size_t low_bytes = count, high_bytes = count + 1; /* the key and a NUL is the next text above it */
    memcpy(low, key, count);
    memcpy(high, key, count);
    if (count && key[count - 1] == '*') {
        low_bytes = high_bytes = count - 1;
        if (count > 1)
            high[count - 2] = (char)(high[count - 2] + 1);
    }
    px_bytes from = { (const uint8_t *)low, low_bytes }, to = { (const uint8_t *)high, high_bytes };
    const char *code = filter->code ? filter->code : "";
    px_status made = PX_OK;
    if (filter->after_change > 0) {
        made = px_db_query(reading.db, &query, err, RECORD_WHERE " AND change>?7 ORDER BY change LIMIT ?8", "ttxxiiii", status,
                           code, from, to, filter->since_ms, filter->until_ms, filter->after_change, limit);
    } else {
        made = last_change(reading.db, &cursor, err);
        if (made == PX_OK)
            made = px_db_query(reading.db, &query, err, RECORD_WHERE " ORDER BY processed_ms DESC, change DESC LIMIT ?7",
                               "ttxxiii", status, code, from, to, filter->since_ms, filter->until_ms, limit);
    }
    free(bounds);
    PX_TRY(made);
    PX_TRY(each_row(&query, &arena, each, context, &cursor, err));
    if (ret_cursor)
        *ret_cursor = cursor;
    return PX_OK;
}

void px_table_forget(px_local *local)
{
    for (px_lease *lease = local->leases, *next; lease; lease = next) {
        next = lease->next;
        free(lease->image_id);
        free(lease);
    }
    local->leases = NULL;
    while (local->staged)
        px_staged_destroy(px_staged_take(local, local->staged->image_id), false, false);
}

void px_table_init(px_local *local)
{
    pthread_mutex_init(&local->table_lock, NULL);
    local->table = (px_table){ .name = "local", .find = table_find, .claim = table_claim, .finish = table_finish,
                               .release = table_release, .list = table_list };
}
