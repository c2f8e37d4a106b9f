/* Buckets, access keys and counts: the small tables. Their changes wait until they are on disk. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "local/inside.h"

struct naming {
    px_op op;
    const char *name;
};

static px_status create_run(px_local *local, px_op *op, px_error *err)
{
    const char *name = ((struct naming *)op)->name;

    PX_TRY(px_db_run(local->db, err, "INSERT OR IGNORE INTO buckets(name, created_ms) VALUES(?1, ?2)", "ti", name, px_now_ms()));
    if (sqlite3_changes(local->db->handle) == 0)
        return px_fail(err, PX_ALREADY_EXISTS, "there is already a bucket %s", name);
    return PX_OK;
}

px_status px_local_bucket_create(px_local *local, const char *name, px_error *err)
{
    struct naming naming = { { .run = create_run }, name };
    PX_TRY(px_name_check(name, NULL, err));
    return px_writer_wait(local, &naming.op, err);
}

static px_status delete_run(px_local *local, px_op *op, px_error *err)
{
    const char *name = ((struct naming *)op)->name;
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool full = false;

    PX_TRY(px_bucket_check(local->db, name, err));
    PX_TRY(px_db_query(local->db, &query, err, "SELECT 1 FROM objects WHERE bucket=?1 LIMIT 1", "t", name));
    PX_TRY(px_query_step(&query, &full, err));
    px_query_done(&query);
    if (full)
        return px_fail(err, PX_NOT_EMPTY, "the bucket %s still holds objects", name);
    /* Multipart uploads into it end with it; their parts are swept at the next start. */
    PX_TRY(px_db_run(local->db, err, "DELETE FROM parts WHERE upload IN (SELECT id FROM uploads WHERE bucket=?1)", "t", name));
    PX_TRY(px_db_run(local->db, err, "DELETE FROM uploads WHERE bucket=?1", "t", name));
    return px_db_run(local->db, err, "DELETE FROM buckets WHERE name=?1", "t", name);
}

px_status px_local_bucket_delete(px_local *local, const char *name, px_error *err)
{
    struct naming naming = { { .run = delete_run }, name };
    return px_writer_wait(local, &naming.op, err);
}

px_status px_local_bucket_find(px_local *local, const char *name, px_arena *arena, px_bucket *ret, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool found = false;

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(px_db_query(reading.db, &query, err, "SELECT created_ms FROM buckets WHERE name=?1", "t", name));
    PX_TRY(px_query_step(&query, &found, err));
    if (!found)
        return px_fail(err, PX_NO_SUCH_BUCKET, "there is no bucket %.80s", name);
    px_bucket bucket = { px_arena_copy_text(arena, name), sqlite3_column_int64(query.statement, 0) };
    if (!bucket.name)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a bucket");
    *ret = bucket;
    return PX_OK;
}

/* How many rows a table has, to size a list by; the SQL is a literal. */
static px_status count_rows(px_db *db, const char *sql, int64_t *ret, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool row = false;
    PX_TRY(px_db_query(db, &query, err, sql, ""));
    PX_TRY(px_query_step(&query, &row, err));
    *ret = sqlite3_column_int64(query.statement, 0);
    return PX_OK;
}

px_status px_local_bucket_list(px_local *local, px_arena *arena, px_bucket **ret, int *ret_count, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    PX_AUTO(px_query_done) px_query query = { 0 };
    int64_t capacity = 0;
    int count = 0;

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(count_rows(reading.db, "SELECT count(*) FROM buckets", &capacity, err));
    px_bucket *list = px_new(arena, px_bucket, (size_t)capacity + 1);
    if (!list)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the buckets");
    PX_TRY(px_db_query(reading.db, &query, err, "SELECT name, created_ms FROM buckets ORDER BY name LIMIT ?1", "i", capacity));
    for (bool row = true;;) {
        PX_TRY(px_query_step(&query, &row, err));
        if (!row)
            break;
        list[count] = (px_bucket){ px_query_text(&query, 0, arena), sqlite3_column_int64(query.statement, 1) };
        if (!list[count++].name)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the buckets");
    }
    *ret = list;
    *ret_count = count;
    return PX_OK;
}

/* ---- access keys ---- */

static bool read_key(const px_query *query, px_access_key *ret)
{
    px_access_key key = { .enabled = sqlite3_column_int(query->statement, 2) != 0,
                          .created_ms = sqlite3_column_int64(query->statement, 3) };
    const char *id = (const char *)sqlite3_column_text(query->statement, 0);
    const char *secret = (const char *)sqlite3_column_text(query->statement, 1);

    if (!id || !secret || strlen(id) >= sizeof key.id || strlen(secret) >= sizeof key.secret)
        return false;
    memcpy(key.id, id, strlen(id) + 1);
    memcpy(key.secret, secret, strlen(secret) + 1);
    *ret = key;
    return true;
}

px_status px_local_key_find(px_local *local, const char *id, px_access_key *ret, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool found = false;

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(px_db_query(reading.db, &query, err, "SELECT id, secret, enabled, created_ms FROM access_keys WHERE id=?1", "t", id));
    PX_TRY(px_query_step(&query, &found, err));
    if (!found || !read_key(&query, ret))
        return px_fail(err, PX_NO_SUCH_KEY, "there is no access key %.128s", id);
    return PX_OK;
}

struct key_put {
    px_op op;
    const px_access_key *key;
};

static px_status key_run(px_local *local, px_op *op, px_error *err)
{
    const px_access_key *key = ((struct key_put *)op)->key;
    return px_db_run(local->db, err, "INSERT OR REPLACE INTO access_keys(id, secret, enabled, created_ms) VALUES(?1, ?2, ?3, ?4)",
                     "ttii", key->id, key->secret, (int64_t)key->enabled, key->created_ms);
}

px_status px_local_key_put(px_local *local, const px_access_key *key, px_error *err)
{
    struct key_put put = { { .run = key_run }, key };
    if (!key->id[0] || !key->secret[0])
        return px_fail(err, PX_BAD_REQUEST, "an access key needs an id and a secret");
    return px_writer_wait(local, &put.op, err);
}

px_status px_local_key_list(px_local *local, px_arena *arena, px_access_key **ret, int *ret_count, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    PX_AUTO(px_query_done) px_query query = { 0 };
    int64_t capacity = 0;
    int count = 0;

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(count_rows(reading.db, "SELECT count(*) FROM access_keys", &capacity, err));
    px_access_key *list = px_new(arena, px_access_key, (size_t)capacity + 1);
    if (!list)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the access keys");
    PX_TRY(px_db_query(reading.db, &query, err,
                       "SELECT id, secret, enabled, created_ms FROM access_keys ORDER BY created_ms, id LIMIT ?1", "i", capacity));
    for (bool row = true;;) {
        PX_TRY(px_query_step(&query, &row, err));
        if (!row)
            break;
        count += read_key(&query, &list[count]);
    }
    *ret = list;
    *ret_count = count;
    return PX_OK;
}

void px_access_key_generate(px_access_key *ret)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t random[46];
    px_access_key key = { .id = "PXKI", .enabled = true, .created_ms = px_now_ms() };

    px_random(random, sizeof random);
    for (int i = 0; i < 16; i++)
        key.id[4 + i] = letters[random[i] & 31];
    px_base64_format(random + 16, 30, key.secret); /* 40 characters */
    for (char *c = key.secret; *c; c++)
        if (*c == '/' || *c == '+') /* plain in shells and addresses */
            *c = letters[(unsigned char)random[(c - key.secret) % 16] & 31];
    *ret = key;
}

/* ---- counts ---- */

px_status px_local_count(px_local *local, px_local_counts *ret, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    px_local_counts counts = { 0 };

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(count_rows(reading.db, "SELECT count(*) FROM objects", &counts.objects, err));
    PX_TRY(count_rows(reading.db, "SELECT count(*) FROM events", &counts.events_waiting, err));
    PX_TRY(count_rows(reading.db, "SELECT count(*) FROM dead", &counts.dead_letters, err));
    pthread_mutex_lock(&local->queue_lock);
    for (const px_running *running = local->running; running; running = running->next)
        counts.events_running += running->until_ms == 0;
    pthread_mutex_unlock(&local->queue_lock);
    counts.events_waiting = counts.events_waiting > counts.events_running ? counts.events_waiting - counts.events_running : 0;
    *ret = counts;
    return PX_OK;
}
