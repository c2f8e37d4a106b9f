/* The store port: objects for the pipeline, and sets of outputs that become visible with their record.
 *
 * put_set writes the bytes and remembers the rest under the image id; the table's finish applies it inside its own
 * transaction. It judges early too: a name that is taken now is told before anything is written. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "local/inside.h"

enum { STAGED_ARENA = 4 << 20 };

static px_local *local_of(px_store *store) { return (px_local *)((char *)store - offsetof(px_local, store)); }

static px_status store_head(px_store *self, const char *bucket, const char *key, px_arena *arena, px_object *ret, px_error *err)
{
    return px_local_head(local_of(self), bucket, key, arena, ret, err);
}

static px_status store_open(px_store *self, const char *bucket, const char *key, const char *etag, px_arena *arena,
                            px_source *ret_source, px_object *ret, px_error *err)
{
    px_object object;
    int fd = -1;

    PX_TRY(px_local_get(local_of(self), bucket, key, arena, &object, &fd, err));
    if (etag && strcmp(etag, object.etag) != 0) {
        px_fd_close(&fd);
        return px_fail(err, PX_CONFLICT, "%s/%s has the ETag %s by now", bucket, key, object.etag);
    }
    PX_TRY(px_source_open(fd, ret_source, err));
    *ret = object;
    return PX_OK;
}

/* Whose an object is, in words: the record that made it, if there is one. */
static px_status taken(px_db *db, const px_object *present, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    px_owner owner;
    bool found = false;

    if (!px_owner_of(present, &owner))
        return px_fail(err, PX_OUTPUT_NAME_TAKEN, "%s/%s is there and pixmill did not make it: give outputs another name, or"
                       " set overwrite: any", present->bucket, present->key);
    if (px_db_query(db, &query, err, "SELECT image_id FROM records WHERE source_id=?1", "t", owner.source) == PX_OK
        && px_query_step(&query, &found, err) == PX_OK && found)
        return px_fail(err, PX_OUTPUT_NAME_TAKEN, "%s/%s is the output of %s", present->bucket, present->key,
                       (const char *)sqlite3_column_text(query.statement, 0));
    return px_fail(err, PX_OUTPUT_NAME_TAKEN, "%s/%s is the output of another source (%s)", present->bucket, present->key,
                   owner.source);
}

/* May this put replace what is there? */
static px_status judge(px_db *db, const px_put *put, px_arena *arena, px_error *err)
{
    px_object present;
    bool found = false;

    PX_TRY(px_object_find(db, put->bucket, put->key, arena, &present, NULL, &found, err));
    if (!found)
        return PX_OK;
    px_owner_verdict verdict = px_owner_judge(&present, &put->owner);
    if (verdict == PX_OWNER_SUPERSEDED)
        return px_fail(err, PX_SUPERSEDED, "%s/%s is of a newer version of the source", put->bucket, put->key);
    if (verdict == PX_OWNER_TAKEN && !put->overwrite_any)
        return taken(db, &present, err);
    return PX_OK;
}

static px_status judge_early(px_local *local, const px_set *set, px_error *err)
{
    PX_AUTO(px_reading_done) px_reading reading = { local, NULL };
    PX_AUTO(px_arena_close) px_arena arena = { 0 };

    PX_TRY(px_arena_open(1 << 20, &arena, err));
    PX_TRY(px_reader_take(local, &reading.db, err));
    for (size_t i = 0; i < set->put_count; i++) {
        PX_TRY(px_name_check(set->puts[i].bucket, set->puts[i].key, err));
        PX_TRY(px_bucket_check(reading.db, set->puts[i].bucket, err));
        PX_TRY(judge(reading.db, &set->puts[i], &arena, err));
        px_arena_reset(&arena);
    }
    return PX_OK;
}

/* ---- staging ---- */

px_staged *px_staged_take(px_local *local, const char *image_id)
{
    for (px_staged **at = &local->staged; *at; at = &(*at)->next)
        if (strcmp((*at)->image_id, image_id) == 0) {
            px_staged *staged = *at;
            *at = staged->next;
            staged->next = NULL;
            return staged;
        }
    return NULL;
}

void px_staged_destroy(px_staged *staged, bool stored, bool unsure)
{
    if (!staged)
        return;
    for (size_t i = 0; i < staged->put_count; i++) {
        if (stored || unsure)
            px_upload_keep(staged->uploads[i]);
        else
            px_upload_abandon(staged->uploads[i]);
    }
    px_arena_close(&staged->arena);
    free(staged->image_id);
    free(staged);
}

static px_status copy_bytes(px_local *local, px_put *put, px_upload **ret, px_error *err)
{
    enum { PIECE = 1 << 18 };
    px_upload *upload = NULL;
    uint64_t at = 0;

    uint8_t *piece = malloc(PIECE);
    px_status status = piece ? px_upload_begin(local, &upload, err) : px_fail(err, PX_OUT_OF_MEMORY, "no memory to store %s", put->key);
    while (status == PX_OK && at < put->bytes) {
        size_t want = put->bytes - at < PIECE ? (size_t)(put->bytes - at) : PIECE, count = 0;
        status = px_pread_all(put->fd, piece, want, at, &count, put->key, err);
        if (status == PX_OK && count != want)
            status = px_fail(err, PX_INTERNAL, "the output %s/%s is shorter than it should be", put->bucket, put->key);
        if (status == PX_OK)
            status = px_upload_push(upload, piece, count, err);
        at += count;
    }
    free(piece);
    if (status != PX_OK) {
        px_upload_abandon(upload);
        return status;
    }
    px_upload_md5(upload, put->etag);
    *ret = upload;
    return PX_OK;
}

/* A put's texts, into the arena, with the owner among the metadata. */
static px_status copy_put(px_arena *arena, const px_put *put, px_put *ret, px_error *err)
{
    px_put copy = *put;
    PX_TRY(px_put_meta(put, arena, &copy.meta, &copy.meta_count, err));
    copy.bucket = px_arena_copy_text(arena, put->bucket);
    copy.key = px_arena_copy_text(arena, put->key);
    copy.content_type = px_arena_copy_text(arena, put->content_type ? put->content_type : "");
    copy.cache_control = px_arena_copy_text(arena, put->cache_control ? put->cache_control : "");
    copy.content_disposition = px_arena_copy_text(arena, put->content_disposition ? put->content_disposition : "");
    if (!copy.bucket || !copy.key || !copy.content_type || !copy.cache_control || !copy.content_disposition)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to store %s", put->key);
    *ret = copy;
    return PX_OK;
}

static px_status stage(px_local *local, px_staged *staged, const char *image_id, px_set *set, px_error *err)
{
    PX_TRY(px_arena_open(STAGED_ARENA, &staged->arena, err));
    staged->image_id = strdup(image_id);
    staged->puts = px_new(&staged->arena, px_put, set->put_count + 1);
    staged->uploads = px_new(&staged->arena, px_upload *, set->put_count + 1);
    staged->removes = px_new(&staged->arena, px_remove, set->remove_count + 1);
    if (!staged->image_id || !staged->puts || !staged->uploads || !staged->removes)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to store outputs");
    for (size_t i = 0; i < set->put_count; i++) {
        PX_TRY(copy_put(&staged->arena, &set->puts[i], &staged->puts[i], err));
        PX_TRY(copy_bytes(local, &set->puts[i], &staged->uploads[i], err));
        memcpy(staged->puts[i].etag, set->puts[i].etag, sizeof set->puts[i].etag);
        staged->put_count++;
    }
    for (size_t i = 0; i < set->remove_count; i++) {
        px_remove *remove = &staged->removes[staged->remove_count++];
        *remove = (px_remove){ px_arena_copy_text(&staged->arena, set->removes[i].bucket),
                               px_arena_copy_text(&staged->arena, set->removes[i].key), set->removes[i].owner };
        if (!remove->bucket || !remove->key)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory to remove outputs");
    }
    return PX_OK;
}

static px_status store_put_set(px_store *self, const char *image_id, px_set *set, px_error *err)
{
    px_local *local = local_of(self);

    PX_TRY(judge_early(local, set, err));
    px_staged *staged = calloc(1, sizeof *staged);
    px_status status = staged ? stage(local, staged, image_id, set, err) : px_fail(err, PX_OUT_OF_MEMORY, "no memory to store outputs");
    if (status != PX_OK) {
        px_staged_destroy(staged, false, false);
        return status;
    }
    pthread_mutex_lock(&local->table_lock);
    px_staged *old = px_staged_take(local, image_id);
    staged->next = local->staged;
    local->staged = staged;
    pthread_mutex_unlock(&local->table_lock);
    px_staged_destroy(old, false, false);
    return PX_OK;
}

static void store_abandon(px_store *self, const char *image_id)
{
    px_local *local = local_of(self);

    pthread_mutex_lock(&local->table_lock);
    px_staged *staged = px_staged_take(local, image_id);
    pthread_mutex_unlock(&local->table_lock);
    px_staged_destroy(staged, false, false);
}

static px_status apply_put(px_local *local, const px_put *put, const px_upload *upload, px_error *err)
{
    px_arena scratch = local->scratch;
    px_object object = { .bucket = put->bucket, .key = put->key, .bytes = upload->bytes, .etag = put->etag,
                         .content_type = put->content_type, .cache_control = put->cache_control,
                         .content_disposition = put->content_disposition, .meta = put->meta,
                         .meta_count = put->meta_count };

    PX_TRY(px_bucket_check(local->db, put->bucket, err));
    PX_TRY(judge(local->db, put, &scratch, err));
    return px_object_write(local, &object, upload->blob, NULL, &scratch, err);
}

/* An output that is somebody else's by now, or newer, or gone, is no failure: there is nothing of ours to remove. */
static px_status apply_remove(px_local *local, const px_remove *remove, px_error *err)
{
    px_arena scratch = local->scratch;
    px_object present;
    char blob[PX_BLOB_NAME];
    bool found = false;

    PX_TRY(px_object_find(local->db, remove->bucket, remove->key, &scratch, &present, blob, &found, err));
    if (!found || px_owner_judge(&present, &remove->owner) != PX_OWNER_WRITE)
        return PX_OK;
    return px_object_remove(local, &present, blob, false, err);
}

px_status px_staged_apply(px_local *local, px_staged *staged, px_error *err)
{
    for (size_t i = 0; i < staged->remove_count; i++)
        PX_TRY(apply_remove(local, &staged->removes[i], err));
    for (size_t i = 0; i < staged->put_count; i++)
        PX_TRY(apply_put(local, &staged->puts[i], staged->uploads[i], err));
    return PX_OK;
}

static px_status store_list(px_store *self, const char *bucket, const char *prefix, const char *after, px_arena *arena, px_object **ret,
                            size_t *ret_count, bool *ret_more, px_error *err)
{
    px_listing listing;
    px_listing_query query = { .bucket = bucket, .prefix = prefix, .delimiter = "", .start_after = after, .max_keys = 1000 };
    PX_TRY(px_local_list(local_of(self), &query, arena, &listing, err));
    *ret = listing.objects;
    *ret_count = (size_t)listing.object_count;
    *ret_more = listing.truncated;
    return PX_OK;
}

void px_store_init(px_local *local)
{
    local->store = (px_store){ .name = "local", .head = store_head, .open = store_open, .put_set = store_put_set,
                               .abandon = store_abandon, .list = store_list };
}
