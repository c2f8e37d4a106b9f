/* Multipart uploads: each part is a blob of its own; completing makes one blob of them.
 *
 * Joining may take seconds, so a thread of its own does it, with copy_file_range (which file systems that share
 * extents do without moving a byte); then the writer puts the object in place of the parts in one transaction, if
 * they are still the parts that were joined. One part alone is not copied: its blob becomes the object's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "local/inside.h"

enum { PART_MAX = 10000, PART_MIN_BYTES = 5 << 20, JOIN_ARENA = 16 << 20, PART_ARENA = 1 << 16, UPLOAD_ID = 33 };

static px_status no_upload(const char *id, px_error *err)
{
    return px_fail(err, PX_NO_SUCH_UPLOAD, "there is no multipart upload %.64s of that key", id);
}

/* The upload's headers into *ret, which may be NULL. PX_NO_SUCH_UPLOAD also if it is of another key. */
static px_status upload_find(px_db *db, const char *bucket, const char *key, const char *id, px_arena *arena, px_object *ret,
                             px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool found = false;

    PX_TRY(px_db_query(db, &query, err, "SELECT head FROM uploads WHERE id=?1 AND bucket=?2 AND key=?3", "ttt", id, bucket, key));
    PX_TRY(px_query_step(&query, &found, err));
    if (!found)
        return no_upload(id, err);
    if (!ret)
        return PX_OK;
    const void *head = sqlite3_column_blob(query.statement, 0);
    return px_head_parse((px_bytes){ head, (size_t)sqlite3_column_bytes(query.statement, 0) }, arena, ret, err);
}

/* Dooms the parts' blobs and forgets the upload. */
static px_status upload_remove(px_local *local, const char *id, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };

    PX_TRY(px_db_query(local->db, &query, err, "SELECT blob FROM parts WHERE upload=?1", "t", id));
    for (bool row = true;;) {
        PX_TRY(px_query_step(&query, &row, err));
        if (!row)
            break;
        const char *blob = (const char *)sqlite3_column_text(query.statement, 0);
        if (blob && strlen(blob) == PX_BLOB_NAME - 1)
            px_doom(local, blob);
    }
    px_query_done(&query);
    PX_TRY(px_db_run(local->db, err, "DELETE FROM parts WHERE upload=?1", "t", id));
    return px_db_run(local->db, err, "DELETE FROM uploads WHERE id=?1", "t", id);
}

/* ---- create and abort ---- */

struct upload_change {
    px_op op;
    const px_object *head;
    const char *bucket, *key, *id;
};

static px_status create_run(px_local *local, px_op *op, px_error *err)
{
    struct upload_change *change = (struct upload_change *)op;
    px_arena scratch = local->scratch;
    px_bytes head;

    PX_TRY(px_bucket_check(local->db, change->bucket, err));
    PX_TRY(px_head_format(change->head, &scratch, &head, err));
    return px_db_run(local->db, err, "INSERT INTO uploads(id, bucket, key, created_ms, head) VALUES(?1, ?2, ?3, ?4, ?5)", "tttib",
                     change->id, change->bucket, change->key, px_now_ms(), head);
}

px_status px_local_multipart_create(px_local *local, const px_object *head, px_arena *arena, const char **ret_id, px_error *err)
{
    uint8_t random[16];
    char id[UPLOAD_ID];

    PX_TRY(px_name_check(head->bucket, head->key, err));
    px_random(random, sizeof random);
    px_hex(random, sizeof random, id);
    const char *copy = px_arena_copy_text(arena, id);
    if (!copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a multipart upload");
    struct upload_change change = { { .run = create_run }, head, head->bucket, head->key, id };
    PX_TRY(px_writer_wait(local, &change.op, err));
    *ret_id = copy;
    return PX_OK;
}

static px_status abort_run(px_local *local, px_op *op, px_error *err)
{
    struct upload_change *change = (struct upload_change *)op;
    PX_TRY(upload_find(local->db, change->bucket, change->key, change->id, NULL, NULL, err));
    return upload_remove(local, change->id, err);
}

px_status px_local_multipart_abort(px_local *local, const char *bucket, const char *key, const char *id, px_error *err)
{
    struct upload_change change = { { .run = abort_run }, NULL, bucket, key, id };
    return px_writer_wait(local, &change.op, err);
}

/* ---- parts ---- */

struct part_put {
    px_op op;
    px_arena arena; /* holds this struct */
    px_upload *upload;
    const char *id;
    int number;
    px_object object;
    px_local_done *done;
    void *context;
};

static px_status part_run(px_local *local, px_op *op, px_error *err)
{
    struct part_put *part = (struct part_put *)op;

    PX_TRY(upload_find(local->db, part->object.bucket, part->object.key, part->id, NULL, NULL, err));
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool found = false;
    PX_TRY(px_db_query(local->db, &query, err, "SELECT blob FROM parts WHERE upload=?1 AND number=?2", "ti", part->id,
                       (int64_t)part->number));
    PX_TRY(px_query_step(&query, &found, err));
    const char *old = found ? (const char *)sqlite3_column_text(query.statement, 0) : NULL;
    if (old && strlen(old) == PX_BLOB_NAME - 1)
        px_doom(local, old);
    px_query_done(&query);
    part->object.modified_ms = px_now_ms();
    return px_db_run(local->db, err,
                     "INSERT OR REPLACE INTO parts(upload, number, etag, bytes, modified_ms, blob) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                     "titiit", part->id, (int64_t)part->number, part->object.etag, (int64_t)part->object.bytes,
                     part->object.modified_ms, part->upload->blob);
}

static void part_end(px_local *local, px_op *op)
{
    struct part_put *part = (struct part_put *)op;
    px_arena arena = part->arena;

    (void)local;
    if (op->status == PX_OK || op->unsure)
        px_upload_keep(part->upload);
    else
        px_upload_abandon(part->upload);
    part->done(part->context, op->status, &op->error, &part->object);
    px_arena_close(&arena);
}

void px_local_part_put(px_local *local, px_upload *upload, const char *bucket, const char *key, const char *id, int number,
                       px_local_done *done, void *context)
{
    px_arena arena;
    px_error error = { "" };
    px_object object = { .bucket = bucket, .key = key };
    px_status status = px_arena_open(PART_ARENA, &arena, &error);

    if (status == PX_OK) {
        struct part_put *part = px_new(&arena, struct part_put, 1);
        px_upload_finish(upload);
        object.etag = upload->etag;
        object.bytes = upload->bytes;
        const char *copy = px_arena_copy_text(&arena, id);
        status = px_object_copy(&arena, &object, &object, &error);
        if (part && copy && status == PX_OK) {
            *part = (struct part_put){ .op = { .run = part_run, .end = part_end, .file_count = 1 }, .arena = arena,
                                       .upload = upload, .id = copy, .number = number, .object = object, .done = done,
                                       .context = context };
            part->op.files = &part->upload;
            part->op.status = px_name_check(bucket, key, &part->op.error);
            if (number < 1 || number > PART_MAX)
                part->op.status = px_fail(&part->op.error, PX_BAD_REQUEST, "a part number is 1 to %d", PART_MAX);
            px_writer_submit(local, &part->op);
            return;
        }
        px_arena_close(&arena);
        status = px_fail(&error, PX_OUT_OF_MEMORY, "no memory for a part");
    }
    px_upload_abandon(upload);
    done(context, status, &error, &(px_object){ 0 });
}

/* ---- complete ---- */

struct px_join {
    px_op op;
    struct px_join *next;
    px_arena arena; /* holds this struct and all texts */
    const char *id;
    px_part *parts;
    char (*blobs)[PX_BLOB_NAME]; /* of the parts */
    int part_count;
    px_upload *whole;            /* the joined bytes, owned; NULL if one part is all */
    px_object object;
    px_condition condition;
    px_local_done *done;
    void *context;
};

/* Finds part `i` as it was uploaded, and judges it. */
static px_status part_check(px_db *db, struct px_join *join, int i, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    px_part *part = &join->parts[i];
    bool found = false;

    PX_TRY(px_db_query(db, &query, err, "SELECT etag, bytes, blob FROM parts WHERE upload=?1 AND number=?2", "ti", join->id,
                       (int64_t)part->number));
    PX_TRY(px_query_step(&query, &found, err));
    const char *etag = found ? (const char *)sqlite3_column_text(query.statement, 0) : NULL;
    const char *blob = found ? (const char *)sqlite3_column_text(query.statement, 2) : NULL;
    if (!etag || !blob || strlen(etag) != 32 || strlen(blob) != PX_BLOB_NAME - 1 || strcmp(etag, part->etag) != 0)
        return px_fail(err, PX_BAD_PART, "part %d was not uploaded, or has another ETag", part->number);
    part->bytes = (uint64_t)sqlite3_column_int64(query.statement, 1);
    memcpy(join->blobs[i], blob, PX_BLOB_NAME);
    if (part->bytes < PART_MIN_BYTES && i < join->part_count - 1)
        return px_fail(err, PX_PART_TOO_SMALL, "part %d is too small: all but the last have at least 5 MiB", part->number);
    return PX_OK;
}

static px_status append_file(px_upload *whole, int fd, uint64_t bytes, px_error *err)
{
    enum { PIECE = 1 << 16 };
    uint8_t piece[PIECE];
    uint64_t at = 0;

    while (at < bytes) {
        off_t offset = (off_t)at;
        size_t left = bytes - at < (1u << 30) ? (size_t)(bytes - at) : (size_t)1 << 30;
        ssize_t moved = copy_file_range(fd, &offset, whole->fd, NULL, left, 0);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
            return px_fail_errno(err, errno, "joining the parts");
        if (moved <= 0) { /* a file system that cannot */
            size_t count = 0;
            PX_TRY(px_pread_all(fd, piece, left < PIECE ? left : PIECE, at, &count, "a part", err));
            if (count == 0)
                return px_fail(err, PX_INTERNAL, "a part is shorter than it was");
            PX_TRY(px_write_all(whole->fd, piece, count, "the joined parts", err));
            moved = (ssize_t)count;
        }
        at += (uint64_t)moved;
    }
    whole->bytes += bytes;
    return PX_OK;
}

static px_status join_files(px_local *local, struct px_join *join, px_error *err)
{
    if (join->part_count == 1)
        return PX_OK;
    PX_TRY(px_upload_begin(local, &join->whole, err));
    for (int i = 0; i < join->part_count; i++) {
        char path[PX_BLOB_NAME + 3];
        px_blob_path(join->blobs[i], path);
        PX_AUTO(px_fd_close) int fd = openat(local->blobs_fd, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) /* aborted, or replaced, meanwhile */
            return px_fail(err, PX_BAD_PART, "part %d was replaced or removed meanwhile", join->parts[i].number);
        if (fd < 0)
            return px_fail_errno(err, errno, "opening part %d", join->parts[i].number);
        PX_TRY(append_file(join->whole, fd, join->parts[i].bytes, err));
    }
    return PX_OK;
}

static unsigned nibble(char c) { return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10; }

/* S3's ETag of many parts: the MD5 of their MD5s, and how many. */
static const char *etag_of_parts(struct px_join *join)
{
    px_hash hash;
    uint8_t digest[PX_HASH_MAX];
    char hex[2 * PX_HASH_MAX + 1];

    px_hash_init(&hash, PX_HASH_MD5);
    for (int i = 0; i < join->part_count; i++) {
        uint8_t md5[16];
        for (int k = 0; k < 16; k++)
            md5[k] = (uint8_t)(nibble(join->parts[i].etag[2 * k]) << 4 | nibble(join->parts[i].etag[2 * k + 1]));
        px_hash_push(&hash, md5, sizeof md5);
    }
    px_hex(digest, px_hash_finish(&hash, digest), hex);
    return px_arena_format(&join->arena, "%s-%d", hex, join->part_count);
}

static px_status join_prepare(px_local *local, struct px_join *join, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(upload_find(reading.db, join->object.bucket, join->object.key, join->id, &join->arena, &join->object, err));
    for (int i = 1; i < join->part_count; i++)
        if (join->parts[i].number <= join->parts[i - 1].number)
            return px_fail(err, PX_BAD_PART, "part %d is out of order", join->parts[i].number);
    for (int i = 0; i < join->part_count; i++) {
        PX_TRY(part_check(reading.db, join, i, err));
        join->object.bytes += join->parts[i].bytes;
    }
    join->object.etag = etag_of_parts(join);
    if (!join->object.etag)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to complete an upload");
    return join_files(local, join, err);
}

static px_status join_run(px_local *local, px_op *op, px_error *err)
{
    struct px_join *join = (struct px_join *)op;
    px_object present;
    bool found = false;

    PX_TRY(upload_find(local->db, join->object.bucket, join->object.key, join->id, NULL, NULL, err));
    for (int i = 0; i < join->part_count; i++) {
        PX_AUTO(px_query_done) px_query query = { 0 };
        PX_TRY(px_db_query(local->db, &query, err, "SELECT 1 FROM parts WHERE upload=?1 AND number=?2 AND blob=?3", "tit", join->id,
                           (int64_t)join->parts[i].number, join->blobs[i]));
        PX_TRY(px_query_step(&query, &found, err));
        if (!found)
            return px_fail(err, PX_BAD_PART, "part %d was replaced meanwhile", join->parts[i].number);
    }
    px_arena scratch = local->scratch;
    PX_TRY(px_object_find(local->db, join->object.bucket, join->object.key, &scratch, &present, NULL, &found, err));
    PX_TRY(px_condition_check(found ? &present : NULL, join->condition, err));
    PX_TRY(px_object_write(local, &join->object, join->whole ? join->whole->blob : join->blobs[0],
                           "ObjectCreated:CompleteMultipartUpload", &join->arena, err));
    return upload_remove(local, join->id, err);
}

static void join_end(px_local *local, px_op *op)
{
    struct px_join *join = (struct px_join *)op;
    px_arena arena = join->arena;

    (void)local;
    if (op->status == PX_OK || op->unsure)
        px_upload_keep(join->whole);
    else
        px_upload_abandon(join->whole);
    join->done(join->context, op->status, &op->error, &join->object);
    px_arena_close(&arena);
}

static void *join_loop(void *context)
{
    px_local *local = context;

    pthread_mutex_lock(&local->joiner_lock);
    for (;;) {
        while (!local->joins_first && !local->joiner_stopping)
            pthread_cond_wait(&local->joiner_cond, &local->joiner_lock);
        struct px_join *join = local->joins_first;
        if (!join)
            break;
        local->joins_first = join->next;
        if (!local->joins_first)
            local->joins_last = &local->joins_first;
        pthread_mutex_unlock(&local->joiner_lock);
        join->op.status = join_prepare(local, join, &join->op.error);
        join->op.files = &join->whole;
        join->op.file_count = join->whole ? 1 : 0;
        px_writer_submit(local, &join->op);
        pthread_mutex_lock(&local->joiner_lock);
    }
    pthread_mutex_unlock(&local->joiner_lock);
    return NULL;
}

/* NULL if there is no memory for it. */
static struct px_join *join_create(const char *bucket, const char *key, const char *id, const px_part *parts, int part_count,
                                   px_condition condition)
{
    px_arena arena;
    px_object object = { .bucket = bucket, .key = key };
    const char *match = condition.if_match;
    bool whole = true;

    if (px_arena_open(JOIN_ARENA, &arena, NULL) != PX_OK)
        return NULL;
    struct px_join *join = px_new(&arena, struct px_join, 1);
    px_part *list = px_new(&arena, px_part, (size_t)part_count + 1);
    char(*blobs)[PX_BLOB_NAME] = px_arena_take(&arena, PX_BLOB_NAME, (size_t)part_count + 1);
    const char *copy = px_arena_copy_text(&arena, id);
    condition.if_match = match ? px_arena_copy_text(&arena, match) : NULL;
    whole = join && list && blobs && copy && (!match || condition.if_match)
        && px_object_copy(&arena, &object, &object, NULL) == PX_OK;
    for (int i = 0; whole && i < part_count; i++) {
        list[i] = (px_part){ .number = parts[i].number, .etag = px_arena_copy_text(&arena, parts[i].etag ? parts[i].etag : "") };
        whole = list[i].etag != NULL;
    }
    if (!whole) {
        px_arena_close(&arena);
        return NULL;
    }
    *join = (struct px_join){ .op = { .run = join_run, .end = join_end }, .arena = arena, .id = copy, .parts = list,
                              .blobs = blobs, .part_count = part_count, .object = object, .condition = condition };
    return join;
}

void px_local_multipart_complete(px_local *local, const char *bucket, const char *key, const char *id, const px_part *parts,
                                 int part_count, px_condition condition, px_local_done *done, void *context)
{
    px_error error = { "" };
    px_status status = px_name_check(bucket, key, &error);
    int count = part_count >= 1 && part_count <= PART_MAX ? part_count : 0;
    struct px_join *join = join_create(bucket, key, id, parts, count, condition);

    if (!join) {
        status = px_fail(&error, PX_OUT_OF_MEMORY, "no memory to complete an upload");
        done(context, status, &error, &(px_object){ 0 });
        return;
    }
    join->done = done;
    join->context = context;
    if (count == 0)
        status = px_fail(&error, PX_BAD_REQUEST, "an upload is completed with 1 to %d parts", PART_MAX);
    pthread_mutex_lock(&local->joiner_lock);
    if (status == PX_OK && !local->joiner_started) {
        int number = pthread_create(&local->joiner, NULL, join_loop, local);
        local->joiner_started = number == 0;
        if (number != 0)
            status = px_fail_errno(&error, number, "starting the thread that joins parts");
    }
    if (status == PX_OK) {
        *local->joins_last = join;
        local->joins_last = &join->next;
        pthread_cond_signal(&local->joiner_cond);
    }
    pthread_mutex_unlock(&local->joiner_lock);
    if (status != PX_OK) { /* the writer tells it, as all else */
        join->op.status = status;
        join->op.error = error;
        px_writer_submit(local, &join->op);
    }
}

void px_joiner_stop(px_local *local)
{
    if (!local->joiner_started)
        return;
    pthread_mutex_lock(&local->joiner_lock);
    local->joiner_stopping = true;
    pthread_cond_signal(&local->joiner_cond);
    pthread_mutex_unlock(&local->joiner_lock);
    pthread_join(local->joiner, NULL);
    local->joiner_started = false;
}

/* ---- lists ---- */

px_status px_local_part_list(px_local *local, const char *bucket, const char *key, const char *id, int after, int max,
                             px_arena *arena, px_part **ret, int *ret_count, bool *ret_truncated, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    PX_AUTO(px_query_done) px_query query = { 0 };
    int count = 0, most = max < 0 ? 0 : max > PART_MAX ? PART_MAX : max;
    bool row = true;

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(upload_find(reading.db, bucket, key, id, NULL, NULL, err));
    px_part *list = px_new(arena, px_part, (size_t)most + 1);
    if (!list)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the parts");
    PX_TRY(px_db_query(reading.db, &query, err,
                       "SELECT number, etag, bytes, modified_ms FROM parts WHERE upload=?1 AND number>?2 ORDER BY number LIMIT ?3",
                       "tii", id, (int64_t)after, (int64_t)most + 1));
    for (;;) {
        PX_TRY(px_query_step(&query, &row, err));
        if (!row || count == most)
            break;
        list[count] = (px_part){ sqlite3_column_int(query.statement, 0), px_query_text(&query, 1, arena),
                                 (uint64_t)sqlite3_column_int64(query.statement, 2), sqlite3_column_int64(query.statement, 3) };
        if (!list[count++].etag)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the parts");
    }
    *ret = list;
    *ret_count = count;
    *ret_truncated = row;
    return PX_OK;
}

px_status px_local_multipart_list(px_local *local, const char *bucket, const char *prefix, int max, px_arena *arena,
                                  px_multipart **ret, int *ret_count, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    PX_AUTO(px_query_done) px_query query = { 0 };
    const char *start = prefix ? prefix : "";
    int count = 0, most = max < 0 ? 0 : max > 1000 ? 1000 : max;

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(px_bucket_check(reading.db, bucket, err));
    px_multipart *list = px_new(arena, px_multipart, (size_t)most + 1);
    if (!list)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the uploads");
    PX_TRY(px_db_query(reading.db, &query, err,
                       "SELECT id, key, created_ms FROM uploads WHERE bucket=?1 AND key>=?2 ORDER BY key, created_ms, id", "tt",
                       bucket, start));
    for (bool row = true; count < most;) {
        PX_TRY(px_query_step(&query, &row, err));
        const char *key = row ? (const char *)sqlite3_column_text(query.statement, 1) : NULL;
        if (!key || strncmp(key, start, strlen(start)) != 0)
            break;
        list[count] = (px_multipart){ px_query_text(&query, 0, arena), bucket, px_query_text(&query, 1, arena),
                                      sqlite3_column_int64(query.statement, 2) };
        if (!list[count].id || !list[count].key)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the uploads");
        count++;
    }
    *ret = list;
    *ret_count = count;
    return PX_OK;
}
