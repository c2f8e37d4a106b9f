/* Objects: rows that name blobs. Put, copy, delete as operations of the writer; head, get, list as reads beside it.
 *
 * A copy is one more row for the same blob; a blob goes when the last row that names it has gone. What HTTP
 * headers an object carries is one column: texts with a NUL behind each, six of S3's own, then name and value
 * of each x-amz-meta- header. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "local/inside.h"

enum { HEAD_TEXTS = 6, OPERATION_ARENA = 1 << 18 };

static const char *or_empty(const char *text) { return text ? text : ""; }

/* ---- names ---- */

/* S3's rules for bucket names, for buckets made here. */
static bool is_bucket_name(const char *name)
{
    size_t count = strlen(name);

    if (count < 3 || count > PX_LIMIT_BUCKET_BYTES || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") != count)
        return false;
    if (strchr(".-", name[0]) || strchr(".-", name[count - 1]) || strstr(name, ".."))
        return false;
    return strspn(name, "0123456789.") != count || !strchr(name, '.'); /* not an IPv4 address */
}

px_status px_name_check(const char *bucket, const char *key, px_error *err)
{
    if (!is_bucket_name(bucket))
        return px_fail(err, PX_BAD_REQUEST, "a bucket name has 3 to 63 characters: lower-case letters, digits, dots and"
                       " hyphens; \"%.80s\" does not fit", bucket);
    if (key && (!*key || strlen(key) > PX_LIMIT_KEY_BYTES || !px_is_utf8(key)))
        return px_fail(err, PX_BAD_REQUEST, "a key is 1 to 1024 bytes of UTF-8");
    return PX_OK;
}

px_status px_bucket_check(px_db *db, const char *bucket, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool found = false;
    PX_TRY(px_db_query(db, &query, err, "SELECT 1 FROM buckets WHERE name=?1", "t", bucket));
    PX_TRY(px_query_step(&query, &found, err));
    return found ? PX_OK : px_fail(err, PX_NO_SUCH_BUCKET, "there is no bucket %.80s", bucket);
}

/* ---- rows ---- */

px_status px_head_format(const px_object *object, px_arena *arena, px_bytes *ret, px_error *err)
{
    px_buffer head = { 0 };
    const char *texts[HEAD_TEXTS] = { object->content_type, object->cache_control, object->content_disposition,
                                      object->content_encoding, object->content_language, object->expires };

    for (int i = 0; i < HEAD_TEXTS; i++)
        px_buffer_push(&head, or_empty(texts[i]), strlen(or_empty(texts[i])) + 1);
    for (size_t i = 0; i < object->meta_count; i++) {
        px_buffer_push(&head, object->meta[i].name, strlen(object->meta[i].name) + 1);
        px_buffer_push(&head, object->meta[i].value, strlen(object->meta[i].value) + 1);
    }
    char *copy = px_buffer_failed(&head) ? NULL : px_arena_copy(arena, px_buffer_bytes(&head));
    size_t count = head.count;
    px_buffer_done(&head);
    if (!copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an object's headers");
    *ret = (px_bytes){ (const uint8_t *)copy, count };
    return PX_OK;
}

px_status px_head_parse(px_bytes bytes, px_arena *arena, px_object *ret, px_error *err)
{
    const char *head = px_arena_copy(arena, bytes);
    size_t count = 0;

    if (!head)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an object's headers");
    for (size_t i = 0; i < bytes.count; i++)
        count += head[i] == '\0';
    if (count < HEAD_TEXTS || (count - HEAD_TEXTS) % 2 != 0 || head[bytes.count - 1] != '\0')
        return px_fail(err, PX_INTERNAL, "the headers of an object are damaged in the database");
    const char **texts = px_new(arena, const char *, count);
    px_meta *meta = px_new(arena, px_meta, (count - HEAD_TEXTS) / 2 + 1);
    if (!texts || !meta)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an object's headers");
    for (size_t i = 0; i < count; i++, head += strlen(head) + 1)
        texts[i] = head;
    ret->content_type = texts[0];
    ret->cache_control = texts[1];
    ret->content_disposition = texts[2];
    ret->content_encoding = texts[3];
    ret->content_language = texts[4];
    ret->expires = texts[5];
    ret->meta_count = (count - HEAD_TEXTS) / 2;
    for (size_t i = 0; i < ret->meta_count; i++)
        meta[i] = (px_meta){ texts[HEAD_TEXTS + 2 * i], texts[HEAD_TEXTS + 2 * i + 1] };
    ret->meta = meta;
    return PX_OK;
}

px_status px_object_copy(px_arena *arena, const px_object *object, px_object *ret, px_error *err)
{
    px_object copy = *object;
    px_bytes head;

    PX_TRY(px_head_format(object, arena, &head, err));
    PX_TRY(px_head_parse(head, arena, &copy, err));
    copy.bucket = px_arena_copy_text(arena, or_empty(object->bucket));
    copy.key = px_arena_copy_text(arena, or_empty(object->key));
    copy.etag = px_arena_copy_text(arena, or_empty(object->etag));
    copy.sequencer = px_arena_copy_text(arena, or_empty(object->sequencer));
    copy.version_id = "";
    if (!copy.bucket || !copy.key || !copy.etag || !copy.sequencer)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an object");
    *ret = copy;
    return PX_OK;
}

px_status px_object_find(px_db *db, const char *bucket, const char *key, px_arena *arena, px_object *ret, char *blob,
                         bool *ret_found, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool found = false;

    PX_TRY(px_db_query(db, &query, err,
                       "SELECT bytes, etag, sequencer, modified_ms, head, blob FROM objects WHERE bucket=?1 AND key=?2", "tt",
                       bucket, key));
    PX_TRY(px_query_step(&query, &found, err));
    if (!found) {
        *ret_found = false;
        return PX_OK;
    }
    sqlite3_stmt *row = query.statement;
    px_object object = { .bucket = px_arena_copy_text(arena, bucket), .key = px_arena_copy_text(arena, key),
                         .bytes = (uint64_t)sqlite3_column_int64(row, 0), .etag = px_query_text(&query, 1, arena),
                         .version_id = "", .sequencer = px_query_text(&query, 2, arena),
                         .modified_ms = sqlite3_column_int64(row, 3) };
    if (!object.bucket || !object.key || !object.etag || !object.sequencer)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an object");
    const void *head = sqlite3_column_blob(row, 4);
    PX_TRY(px_head_parse((px_bytes){ head, (size_t)sqlite3_column_bytes(row, 4) }, arena, &object, err));
    if (blob) {
        const char *name = (const char *)sqlite3_column_text(row, 5);
        if (!name || strlen(name) != PX_BLOB_NAME - 1)
            return px_fail(err, PX_INTERNAL, "the blob name of %s/%s is damaged in the database", bucket, key);
        memcpy(blob, name, PX_BLOB_NAME);
    }
    *ret = object;
    *ret_found = true;
    return PX_OK;
}

px_status px_condition_check(const px_object *present, px_condition condition, px_error *err)
{
    const char *match = condition.if_match;

    if (condition.if_none_match && present)
        return px_fail(err, PX_CONFLICT, "%s/%s is already there", present->bucket, present->key);
    if (!match || !*match)
        return PX_OK;
    if (!present)
        return px_fail(err, PX_NO_SUCH_KEY, "there is no object to match the ETag %.40s", match);
    if (strcmp(match, "*") != 0 && strcmp(match, present->etag) != 0)
        return px_fail(err, PX_CONFLICT, "%s/%s has the ETag %s by now", present->bucket, present->key, present->etag);
    return PX_OK;
}

px_status px_object_write(px_local *local, px_object *object, const char *blob, const char *event, px_arena *arena,
                          px_error *err)
{
    px_object present;
    char old[PX_BLOB_NAME], sequencer[17];
    bool found = false;
    px_bytes head;

    px_sequencer_next(local, sequencer);
    object->sequencer = px_arena_copy_text(arena, sequencer);
    px_arena scratch = *arena;
    PX_TRY(px_object_find(local->db, object->bucket, object->key, &scratch, &present, old, &found, err));
    object->version_id = "";
    object->modified_ms = px_now_ms();
    if (!object->sequencer)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an object");
    PX_TRY(px_head_format(object, &scratch, &head, err));
    PX_TRY(px_db_run(local->db, err,
                     "INSERT OR REPLACE INTO objects(bucket, key, bytes, etag, sequencer, modified_ms, head, blob)"
                     " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", "ttittibt", object->bucket, object->key,
                     (int64_t)object->bytes, object->etag, object->sequencer, object->modified_ms, head, blob));
    if (found && strcmp(old, blob) != 0)
        px_doom(local, old);
    return event ? px_event_write(local, object, event, err) : PX_OK;
}

px_status px_object_remove(px_local *local, const px_object *present, const char *blob, bool event, px_error *err)
{
    PX_TRY(px_db_run(local->db, err, "DELETE FROM objects WHERE bucket=?1 AND key=?2", "tt", present->bucket, present->key));
    px_doom(local, blob);
    if (!event)
        return PX_OK;
    px_object gone = *present;
    char sequencer[17];
    px_sequencer_next(local, sequencer);
    gone.sequencer = sequencer;
    gone.modified_ms = px_now_ms();
    return px_event_write(local, &gone, "ObjectRemoved:Delete", err);
}

/* ---- put, copy, delete ---- */

/* One change by a client. Lives in its own arena. */
struct change {
    px_op op;
    px_arena arena;
    px_upload *upload;         /* put: owned */
    px_object object;          /* what is to be, then what is */
    const char *from_bucket, *from_key; /* copy */
    bool replace;              /* copy: the headers are `object`'s */
    const char *event;
    px_condition condition;
    px_local_done *done;
    void *context;
};

static px_status find_checked(px_local *local, struct change *change, char *blob, px_object *present, bool *ret_found,
                              px_error *err)
{
    PX_TRY(px_bucket_check(local->db, change->object.bucket, err));
    PX_TRY(px_object_find(local->db, change->object.bucket, change->object.key, &change->arena, present, blob, ret_found, err));
    return px_condition_check(*ret_found ? present : NULL, change->condition, err);
}

static px_status put_run(px_local *local, px_op *op, px_error *err)
{
    struct change *change = (struct change *)op;
    px_object present;
    bool found = false;

    PX_TRY(find_checked(local, change, NULL, &present, &found, err));
    return px_object_write(local, &change->object, change->upload->blob, change->event, &change->arena, err);
}

static px_status copy_run(px_local *local, px_op *op, px_error *err)
{
    struct change *change = (struct change *)op;
    px_object present, from;
    bool found = false;
    char blob[PX_BLOB_NAME];

    PX_TRY(find_checked(local, change, NULL, &present, &found, err));
    PX_TRY(px_bucket_check(local->db, change->from_bucket, err));
    PX_TRY(px_object_find(local->db, change->from_bucket, change->from_key, &change->arena, &from, blob, &found, err));
    if (!found)
        return px_fail(err, PX_NO_SUCH_KEY, "there is no object %s/%s to copy", change->from_bucket, change->from_key);
    if (!change->replace) {
        const char *bucket = change->object.bucket, *key = change->object.key;
        change->object = from;
        change->object.bucket = bucket;
        change->object.key = key;
    }
    change->object.bytes = from.bytes;
    change->object.etag = from.etag;
    return px_object_write(local, &change->object, blob, change->event, &change->arena, err);
}

static px_status delete_run(px_local *local, px_op *op, px_error *err)
{
    struct change *change = (struct change *)op;
    px_object present;
    bool found = false;
    char blob[PX_BLOB_NAME];

    PX_TRY(find_checked(local, change, blob, &present, &found, err));
    return found ? px_object_remove(local, &present, blob, true, err) : PX_OK;
}

static void change_end(px_local *local, px_op *op)
{
    struct change *change = (struct change *)op;
    px_arena arena = change->arena;

    (void)local;
    if (op->status == PX_OK || op->unsure)
        px_upload_keep(change->upload);
    else
        px_upload_abandon(change->upload);
    change->done(change->context, op->status, &op->error, &change->object);
    px_arena_close(&arena);
}

/* NULL when there is no memory for it; then `done` was told. Takes the upload over. */
static struct change *change_create(px_upload *upload, const px_object *head, px_condition condition,
                                    px_local_done *done, void *context)
{
    px_arena arena;
    px_error error = { "" };
    px_object object = { 0 };
    px_status status = px_arena_open(OPERATION_ARENA, &arena, &error);

    if (status == PX_OK) {
        struct change *change = px_new(&arena, struct change, 1);
        const char *match = condition.if_match ? px_arena_copy_text(&arena, condition.if_match) : NULL;
        px_status copied = px_object_copy(&arena, head, &object, &error);
        if (change && copied == PX_OK && (match || !condition.if_match)) {
            condition.if_match = match;
            *change = (struct change){ .op = { .end = change_end }, .arena = arena, .upload = upload, .object = object,
                                       .condition = condition, .done = done, .context = context };
            change->op.status = px_name_check(object.bucket, object.key, &change->op.error);
            return change;
        }
        px_arena_close(&arena);
        status = px_fail(&error, PX_OUT_OF_MEMORY, "no memory for a change");
    }
    px_upload_abandon(upload);
    done(context, status, &error, &object);
    return NULL;
}

void px_local_put(px_local *local, px_upload *upload, const px_object *head, const char *event, px_condition condition,
                  px_local_done *done, void *context)
{
    struct change *change = change_create(upload, head, condition, done, context);
    if (!change)
        return;
    px_upload_finish(upload);
    change->op.run = put_run;
    change->op.files = &change->upload;
    change->op.file_count = 1;
    change->object.bytes = upload->bytes;
    change->object.etag = px_arena_copy_text(&change->arena, upload->etag);
    change->event = px_arena_copy_text(&change->arena, event);
    if (!change->object.etag || !change->event)
        change->op.status = px_fail(&change->op.error, PX_OUT_OF_MEMORY, "no memory for a change");
    px_writer_submit(local, &change->op);
}

void px_local_copy(px_local *local, const char *bucket, const char *key, const px_object *head, bool replace,
                   px_condition condition, px_local_done *done, void *context)
{
    struct change *change = change_create(NULL, head, condition, done, context);
    if (!change)
        return;
    change->op.run = copy_run;
    change->replace = replace;
    change->event = "ObjectCreated:Copy";
    change->from_bucket = px_arena_copy_text(&change->arena, bucket);
    change->from_key = px_arena_copy_text(&change->arena, key);
    if (!change->from_bucket || !change->from_key)
        change->op.status = px_fail(&change->op.error, PX_OUT_OF_MEMORY, "no memory for a change");
    px_writer_submit(local, &change->op);
}

void px_local_delete(px_local *local, const char *bucket, const char *key, px_condition condition, px_local_done *done,
                     void *context)
{
    px_object head = { .bucket = bucket, .key = key };
    struct change *change = change_create(NULL, &head, condition, done, context);
    if (!change)
        return;
    change->op.run = delete_run;
    px_writer_submit(local, &change->op);
}

/* ---- reading ---- */

static px_status find_object(px_local *local, const char *bucket, const char *key, px_arena *arena, px_object *ret,
                             char *blob, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    bool found = false;

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(px_object_find(reading.db, bucket, key, arena, ret, blob, &found, err));
    if (found)
        return PX_OK;
    PX_TRY(px_bucket_check(reading.db, bucket, err));
    return px_fail(err, PX_NO_SUCH_KEY, "there is no object %s/%s", bucket, key);
}

px_status px_local_head(px_local *local, const char *bucket, const char *key, px_arena *arena, px_object *ret, px_error *err)
{
    return find_object(local, bucket, key, arena, ret, NULL, err);
}

px_status px_local_get(px_local *local, const char *bucket, const char *key, px_arena *arena, px_object *ret, int *ret_fd,
                       px_error *err)
{
    /* Between the row and the file the object may have been replaced and its blob be gone: then the row is new. */
    for (int tries = 0; tries < 8; tries++) {
        char blob[PX_BLOB_NAME], path[PX_BLOB_NAME + 3];
        px_object object;
        PX_TRY(find_object(local, bucket, key, arena, &object, blob, err));
        px_blob_path(blob, path);
        int fd = openat(local->blobs_fd, path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            *ret = object;
            *ret_fd = fd;
            return PX_OK;
        }
        if (errno != ENOENT)
            return px_fail_errno(err, errno, "opening blobs/%s in %s", path, local->folder);
    }
    return px_fail(err, PX_INTERNAL, "the bytes of %s/%s are missing in %s/blobs", bucket, key, local->folder);
}

/* ---- listing ---- */

/* The smallest text above all that begin with `text`, in place: its last byte plus one. */
static void successor(char *text, size_t count)
{
    if (count)
        text[count - 1] = (char)(text[count - 1] + 1);
}

px_status px_local_list(px_local *local, const px_listing_query *query, px_arena *arena, px_listing *ret, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    const char *prefix = or_empty(query->prefix), *delimiter = or_empty(query->delimiter);
    const char *after = or_empty(query->start_after);
    size_t prefix_bytes = strlen(prefix), max = query->max_keys < 0 ? 0 : query->max_keys > 1000 ? 1000 : (size_t)query->max_keys;
    px_listing listing = { .next = "" };

    PX_TRY(px_reader_take(local, &reading.db, err));
    PX_TRY(px_bucket_check(reading.db, query->bucket, err));
    listing.objects = px_new(arena, px_object, max + 1);
    listing.prefixes = px_new(arena, const char *, max + 1);
    if (!listing.objects || !listing.prefixes)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a listing");

    /* Where to go on: a key is wanted if it is >= these bytes. "key > X" is "key >= X and a NUL". */
    px_bytes from = px_bytes_of(prefix);
    if (*after && strcmp(after, prefix) >= 0)
        from = (px_bytes){ (const uint8_t *)after, strlen(after) + 1 };
    for (bool more = max > 0; more;) {
        PX_AUTO(px_query_done) px_query rows = { 0 };
        bool again = false;
        PX_TRY(px_db_query(reading.db, &rows, err,
                           "SELECT key, bytes, etag, modified_ms FROM objects WHERE bucket=?1 AND key>=?2 ORDER BY key", "tx",
                           query->bucket, from));
        while (!again) {
            PX_TRY(px_query_step(&rows, &more, err));
            const char *key = more ? (const char *)sqlite3_column_text(rows.statement, 0) : NULL;
            if (!key || strncmp(key, prefix, prefix_bytes) != 0) {
                more = false;
                break;
            }
            const char *cut = *delimiter ? strstr(key + prefix_bytes, delimiter) : NULL;
            size_t kept = cut ? (size_t)(cut - key) + strlen(delimiter) : strlen(key);
            char *name = px_arena_copy(arena, (px_bytes){ (const uint8_t *)key, kept });
            if (!name)
                return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a listing");
            bool wanted = !cut || strcmp(name, after) > 0;
            if (wanted && (size_t)(listing.object_count + listing.prefix_count) == max) {
                listing.truncated = true;
                more = false;
                break;
            }
            if (wanted)
                listing.next = name;
            if (cut) { /* one row stands for all under it: step over them */
                if (wanted)
                    listing.prefixes[listing.prefix_count++] = name;
                char *beyond = px_arena_copy(arena, (px_bytes){ (const uint8_t *)name, kept });
                if (!beyond)
                    return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a listing");
                successor(beyond, kept);
                from = (px_bytes){ (const uint8_t *)beyond, kept };
                again = true;
                continue;
            }
            px_object *object = &listing.objects[listing.object_count++];
            *object = (px_object){ .bucket = query->bucket, .key = name, .version_id = "", .sequencer = "",
                                   .bytes = (uint64_t)sqlite3_column_int64(rows.statement, 1),
                                   .etag = px_query_text(&rows, 2, arena),
                                   .modified_ms = sqlite3_column_int64(rows.statement, 3), .content_type = "",
                                   .cache_control = "", .content_disposition = "", .content_encoding = "",
                                   .content_language = "", .expires = "" };
            if (!object->etag)
                return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a listing");
        }
    }
    if (!listing.truncated)
        listing.next = "";
    *ret = listing;
    return PX_OK;
}
