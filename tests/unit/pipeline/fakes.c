/* Everything lies in one arena and a few arrays; one thread. What is stored is copied by way of JSON or texts, so that
 * nothing borrowed from a run survives it. */
#include "fakes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "pipeline/inside.h"
#include "test.h"

static fakes *of_store(px_store *store) { return (fakes *)((char *)store - offsetof(fakes, store)); }
static fakes *of_table(px_table *table) { return (fakes *)((char *)table - offsetof(fakes, table)); }
static fakes *of_queue(px_queue *queue) { return (fakes *)((char *)queue - offsetof(fakes, queue)); }
static fakes *now; /* for transform, which is handed no context */

static px_status fails(fake_failure *failure, const char *what, px_error *err)
{
    if (failure->after > 0) {
        failure->after--;
        return PX_OK;
    }
    if (failure->times < 1)
        return PX_OK;
    failure->times--;
    return px_fail(err, failure->status, "the fake %s was told to fail", what);
}

/* ---- store ---- */

static fake_object *find(fakes *self, const char *bucket, const char *key)
{
    for (int i = 0; i < FAKES_MAX; i++) {
        fake_object *each = &self->objects[i];
        if (each->object.bucket && strcmp(each->object.bucket, bucket) == 0 && strcmp(each->object.key, key) == 0)
            return each;
    }
    return NULL;
}

static fake_object *place_for(fakes *self, const char *bucket, const char *key)
{
    fake_object *object = find(self, bucket, key);
    for (int i = 0; !object && i < FAKES_MAX; i++)
        if (!self->objects[i].object.bucket)
            object = &self->objects[i];
    assert_non_null(object);
    return object;
}

static bool has_bucket(const fakes *self, const char *bucket)
{
    for (int i = 0; i < 4; i++)
        if (self->buckets[i] && strcmp(self->buckets[i], bucket) == 0)
            return true;
    return false;
}

static void md5_of(const char *text, char *hex)
{
    uint8_t digest[PX_HASH_MAX];
    size_t bytes = px_hash_of(PX_HASH_MD5, px_bytes_of(text), digest);
    px_hex(digest, bytes, hex);
}

static px_object object_of(fakes *self, const char *bucket, const char *key, const char *text)
{
    char etag[2 * PX_HASH_MAX + 1];
    md5_of(text, etag);
    return (px_object){ .bucket = px_arena_copy_text(&self->arena, bucket), .key = px_arena_copy_text(&self->arena, key),
                        .bytes = strlen(text), .etag = px_arena_copy_text(&self->arena, etag), .version_id = "", .sequencer = "",
                        .modified_ms = px_now_ms(), .content_type = "", .cache_control = "", .content_disposition = "",
                        .content_encoding = "", .content_language = "", .expires = "" };
}

static px_status store_head(px_store *store, const char *bucket, const char *key, px_arena *arena, px_object *ret, px_error *err)
{
    fakes *self = of_store(store);
    (void)arena;
    if (!has_bucket(self, bucket))
        return px_fail(err, PX_NO_SUCH_BUCKET, "there is no bucket %s", bucket);
    const fake_object *object = find(self, bucket, key);
    if (!object)
        return px_fail(err, PX_NO_SUCH_KEY, "there is no %s/%s", bucket, key);
    *ret = object->object;
    return PX_OK;
}

static int by_key(const void *a, const void *b) { return strcmp(((const px_object *)a)->key, ((const px_object *)b)->key); }

static px_status store_list(px_store *store, const char *bucket, const char *prefix, const char *after, px_arena *arena, px_object **ret,
                            size_t *ret_count, bool *ret_more, px_error *err)
{
    fakes *self = of_store(store);
    if (!has_bucket(self, bucket))
        return px_fail(err, PX_NO_SUCH_BUCKET, "there is no bucket %s", bucket);
    size_t places = sizeof self->objects / sizeof *self->objects, count = 0;
    px_object *list = px_new(arena, px_object, places);
    for (size_t i = 0; list && i < places; i++) {
        const px_object *each = &self->objects[i].object;
        if (each->bucket && strcmp(each->bucket, bucket) == 0 && strncmp(each->key, prefix, strlen(prefix)) == 0 && strcmp(each->key, after) > 0)
            list[count++] = *each;
    }
    qsort(list, count, sizeof *list, by_key);
    *ret = list;
    *ret_count = count;
    *ret_more = false;
    return PX_OK;
}

static px_status store_open(px_store *store, const char *bucket, const char *key, const char *etag, px_arena *arena,
                            px_source *ret_source, px_object *ret, px_error *err)
{
    px_object object;
    PX_TRY(fails(&of_store(store)->open_fails, "store", err));
    PX_TRY(store_head(store, bucket, key, arena, &object, err));
    if (etag && strcmp(etag, object.etag) != 0)
        return px_fail(err, PX_CONFLICT, "another object by now");
    const char *text = find(of_store(store), bucket, key)->text;
    int fd = memfd_create("fake", MFD_CLOEXEC);
    PX_TRY(px_write_all(fd, text, strlen(text), "memfd", err));
    PX_TRY(px_source_open(fd, ret_source, err));
    *ret = object;
    return PX_OK;
}

static px_status judge(fakes *self, const px_put *put, px_error *err)
{
    px_owner theirs;
    if (!has_bucket(self, put->bucket))
        return px_fail(err, PX_NO_SUCH_BUCKET, "there is no bucket %s", put->bucket);
    const fake_object *present = find(self, put->bucket, put->key);
    px_owner_verdict verdict = present ? px_owner_judge(&present->object, &put->owner) : PX_OWNER_WRITE;
    if (verdict == PX_OWNER_SUPERSEDED)
        return px_fail(err, PX_SUPERSEDED, "%s is of a newer version of the source", put->key);
    if (verdict == PX_OWNER_WRITE || put->overwrite_any)
        return PX_OK;
    for (int i = 0; px_owner_of(&present->object, &theirs) && i < self->record_count; i++) {
        char id[33];
        const char *slash = strchr(self->records[i].image_id, '/');
        px_source_id(px_arena_copy(&self->arena, (px_bytes){ (const uint8_t *)self->records[i].image_id,
                                                             (size_t)(slash - self->records[i].image_id) }), slash + 1, id);
        if (strcmp(id, theirs.source) == 0)
            return px_fail(err, PX_OUTPUT_NAME_TAKEN, "%s/%s is the output of %s", put->bucket, put->key, self->records[i].image_id);
    }
    return px_fail(err, PX_OUTPUT_NAME_TAKEN, "%s/%s is there and pixmill did not make it", put->bucket, put->key);
}

static px_status apply(fakes *self, const px_set *set, px_error *err)
{
    for (size_t i = 0; i < set->put_count; i++)
        PX_TRY(judge(self, &set->puts[i], err));
    for (size_t i = 0; i < set->remove_count; i++) {
        const px_remove *remove = &set->removes[i];
        fake_object *present = find(self, remove->bucket, remove->key);
        if (present && px_owner_judge(&present->object, &remove->owner) == PX_OWNER_WRITE)
            present->object.bucket = NULL;
    }
    for (size_t i = 0; i < set->put_count; i++) {
        const px_put *put = &set->puts[i];
        char *text = px_new(&self->arena, char, put->bytes + 1);
        assert_int_equal(pread(put->fd, text, put->bytes, 0), put->bytes);
        px_object object = object_of(self, put->bucket, put->key, text);
        px_meta *meta = px_new(&self->arena, px_meta, put->meta_count + 5);
        object.meta = meta;
        for (size_t k = 0; k < put->meta_count; k++)
            meta[object.meta_count++] = (px_meta){ px_arena_copy_text(&self->arena, put->meta[k].name),
                                                   px_arena_copy_text(&self->arena, put->meta[k].value) };
        const char *const owner[5][2] = {
            { "source", put->owner.source }, { "sequencer", put->owner.sequencer }, { "recipe", put->owner.recipe },
            { "etag", put->owner.etag }, { "token", px_arena_format(&self->arena, "%lld", (long long)put->owner.token) } };
        for (int k = 0; k < 5; k++)
            meta[object.meta_count++] = (px_meta){ px_arena_format(&self->arena, PX_OWNER_META_PREFIX "%s", owner[k][0]),
                                                   px_arena_copy_text(&self->arena, owner[k][1]) };
        object.content_type = px_arena_copy_text(&self->arena, put->content_type);
        *place_for(self, put->bucket, put->key) = (fake_object){ object, text };
        self->puts++;
    }
    return PX_OK;
}

static void drop_staged(fakes *self)
{
    for (size_t i = 0; i < self->staged.put_count; i++)
        close(self->staged.puts[i].fd);
    self->staged = (px_set){ 0 };
    self->staged_id = NULL;
}

static void stage(fakes *self, const char *image_id, const px_set *set)
{
    drop_staged(self);
    px_put *puts = px_new(&self->arena, px_put, set->put_count + 1);
    px_remove *removes = px_new(&self->arena, px_remove, set->remove_count + 1);
    if (set->put_count)
        memcpy(puts, set->puts, set->put_count * sizeof *puts);
    if (set->remove_count)
        memcpy(removes, set->removes, set->remove_count * sizeof *removes);
    for (size_t i = 0; i < set->put_count; i++) {
        puts[i].bucket = px_arena_copy_text(&self->arena, puts[i].bucket);
        puts[i].key = px_arena_copy_text(&self->arena, puts[i].key);
        puts[i].content_type = px_arena_copy_text(&self->arena, puts[i].content_type);
        puts[i].fd = dup(puts[i].fd);
        px_meta *meta = px_new(&self->arena, px_meta, puts[i].meta_count + 1);
        for (size_t k = 0; k < puts[i].meta_count; k++)
            meta[k] = (px_meta){ px_arena_copy_text(&self->arena, puts[i].meta[k].name),
                                 px_arena_copy_text(&self->arena, puts[i].meta[k].value) };
        puts[i].meta = meta;
    }
    for (size_t i = 0; i < set->remove_count; i++) {
        removes[i].bucket = px_arena_copy_text(&self->arena, removes[i].bucket);
        removes[i].key = px_arena_copy_text(&self->arena, removes[i].key);
    }
    self->staged = (px_set){ puts, set->put_count, removes, set->remove_count };
    self->staged_id = px_arena_copy_text(&self->arena, image_id);
}

static px_status store_put_set(px_store *store, const char *image_id, px_set *set, px_error *err)
{
    fakes *self = of_store(store);
    PX_TRY(fails(&self->put_set_fails, "store", err));
    for (size_t i = 0; i < set->put_count; i++) {
        PX_TRY(judge(self, &set->puts[i], err));
        char *text = px_new(&self->arena, char, set->puts[i].bytes + 1);
        assert_int_equal(pread(set->puts[i].fd, text, set->puts[i].bytes, 0), set->puts[i].bytes);
        md5_of(text, set->puts[i].etag);
    }
    if (!self->shared)
        return apply(self, set, err);
    stage(self, image_id, set);
    return PX_OK;
}

static void store_abandon(px_store *store, const char *image_id)
{
    fakes *self = of_store(store);
    if (self->staged_id && strcmp(self->staged_id, image_id) == 0)
        drop_staged(self);
}

/* ---- table ---- */

static px_record *record_find(fakes *self, const char *image_id)
{
    for (int i = 0; i < self->record_count; i++)
        if (strcmp(self->records[i].image_id, image_id) == 0)
            return &self->records[i];
    return NULL;
}

static px_record copy_record(fakes *self, const px_record *record)
{
    px_record copy;
    json_t *item = px_record_format(record);
    assert_int_equal(px_record_parse(item, &self->arena, &copy, NULL), PX_OK);
    json_decref(item);
    return copy;
}

static fake_lease *lease_of(fakes *self, const char *image_id)
{
    for (int i = 0; i < FAKES_MAX; i++) {
        fake_lease *lease = &self->leases[i];
        if (!lease->image_id)
            lease->image_id = px_arena_copy_text(&self->arena, image_id);
        if (strcmp(lease->image_id, image_id) == 0)
            return lease;
    }
    fail_msg("too many leases");
    return NULL;
}

static px_status table_find(px_table *table, const char *image_id, px_arena *arena, px_record *ret, px_error *err)
{
    (void)arena;
    const px_record *record = record_find(of_table(table), image_id);
    if (!record)
        return px_fail(err, PX_NO_SUCH_KEY, "there is no record of %s", image_id);
    *ret = *record;
    return PX_OK;
}

static px_status table_claim(px_table *table, const px_claim *claim, px_arena *arena, px_record *ret, px_error *err)
{
    fakes *self = of_table(table);
    fake_lease *lease = lease_of(self, claim->image_id);
    px_record record = px_record_empty();
    if (lease->held)
        return px_fail(err, PX_CLAIMED, "somebody else works on %s", claim->image_id);
    if (table_find(table, claim->image_id, arena, &record, NULL) != PX_OK)
        record.image_id = px_arena_copy_text(&self->arena, claim->image_id);
    char theirs[33], ours[33];
    px_sequencer_pad(record.sequencer, theirs);
    px_sequencer_pad(claim->sequencer ? claim->sequencer : theirs, ours);
    if (strcmp(theirs, ours) > 0) {
        *ret = record;
        return px_fail(err, PX_SUPERSEDED, "the record of %s is of a newer event", claim->image_id);
    }
    lease->token = (lease->token > record.token ? lease->token : record.token) + 1;
    lease->held = true;
    record.token = lease->token;
    *ret = record;
    return PX_OK;
}

static px_status queue_settle(px_queue *queue, const px_settlement *settlement, px_error *err)
{
    (void)err;
    fakes *self = of_queue(queue);
    self->settled = *settlement;
    self->settled.message = px_arena_copy_text(&self->arena, settlement->message ? settlement->message : "");
    self->settled.image_id = px_arena_copy_text(&self->arena, settlement->image_id ? settlement->image_id : "");
    self->settlements++;
    return PX_OK;
}

static px_status table_finish(px_table *table, const px_record *record, const px_settlement *settlement, px_error *err)
{
    fakes *self = of_table(table);
    fake_lease *lease = lease_of(self, record->image_id);
    px_status status = fails(&self->finish_fails, "table", err);
    if (status == PX_OK && (!lease->held || lease->token != record->token))
        status = px_fail(err, PX_SUPERSEDED, "the claim of %s was lost", record->image_id);
    if (status == PX_OK && self->staged_id && strcmp(self->staged_id, record->image_id) == 0)
        status = apply(self, &self->staged, err);
    PX_TRY(status); /* what is staged stays so: the next finish takes it along, unless it is abandoned */
    store_abandon(&self->store, record->image_id);
    self->finishes++;
    px_record *place = record_find(self, record->image_id);
    if (!place) {
        assert_true(self->record_count < FAKES_MAX);
        place = &self->records[self->record_count++];
    }
    *place = copy_record(self, record);
    lease->held = false;
    return settlement ? queue_settle(&self->queue, settlement, err) : PX_OK;
}

static void table_release(px_table *table, const char *image_id, int64_t token)
{
    fake_lease *lease = lease_of(of_table(table), image_id);
    if (lease->token == token)
        lease->held = false;
}

/* ---- transform ---- */

static px_status transform(px_sandbox *sandbox, const px_sandbox_task *task, px_transform_report *ret, px_sandbox_usage *ret_usage,
                           px_error *err)
{
    char text[64] = "", made[96];
    size_t count = 0;
    (void)sandbox;
    now->transforms++;
    PX_TRY(fails(&now->transform_fails, "transform", err));
    PX_TRY(px_source_read_at(task->source, 0, text, sizeof text - 1, &count, err));
    if (strncmp(text, "fails:", 6) == 0)
        return px_fail(err, px_status_find(text + 6), "a picture that %s", text);
    px_transform_report report = { .format = PX_FORMAT_JPEG, .width = now->width, .height = now->height, .orientation = 1, .thumbhash_bytes = 5,
                                   .output_count = task->count };
    for (int i = 0; i < task->count; i++) {
        px_output_report *output = &report.outputs[i];
        *output = (px_output_report){ .format = PX_FORMAT_JPEG, .quality = task->specs[i].quality };
        px_output_size(&task->specs[i], now->width, now->height, &output->width, &output->height);
        int length = snprintf(made, sizeof made, "%d of %s", task->specs[i].width, text);
        output->bytes = (uint64_t)length;
        PX_TRY(px_write_all(task->output_fds[i], made, (size_t)length, "memfd", err));
    }
    *ret = report;
    *ret_usage = (px_sandbox_usage){ .cpu_us = 1, .wall_us = 1, .peak_bytes = 1 << 20 };
    return PX_OK;
}

/* ---- for tests ---- */

fakes *fakes_open(void)
{
    fakes *self = calloc(1, sizeof *self);
    assert_non_null(self);
    assert_int_equal(px_arena_open(64 << 20, &self->arena, NULL), PX_OK);
    self->log_fd = memfd_create("log", MFD_CLOEXEC);
    px_log_options log = { .level = PX_TRACE, .fd = self->log_fd };
    self->store = (px_store){ "fake", store_head, store_open, store_put_set, store_abandon, store_list };
    self->table = (px_table){ .name = "fake", .find = table_find, .claim = table_claim, .finish = table_finish, .release = table_release };
    self->queue = (px_queue){ .name = "fake", .settle = queue_settle };
    self->buckets[0] = "source";
    self->buckets[1] = "target";
    self->shared = true;
    self->width = 1600;
    self->height = 1200;
    self->config = (px_config){ .source = "source", .destination = "target", .source_prefix = "", .destination_prefix = "",
                                .table = "images", .delete_follows = true, .cache_control = "", .max_attempts = 3,
                                .limits = PX_LIMITS_DEFAULT };
    self->pipeline = (px_pipeline){ .config = &self->config, .store = &self->store, .table = &self->table, .queue = &self->queue,
                                    .transform = transform };
    assert_int_equal(px_log_create(&log, &self->pipeline.log, NULL), PX_OK);
    fakes_recipe(self, &(fake_output){ "web", "{dir}processed-{stem}.jpg", 800 }, 1);
    now = self;
    return self;
}

void fakes_close(fakes *self)
{
    drop_staged(self);
    px_log_destroy(self->pipeline.log);
    close(self->log_fd);
    px_arena_close(&self->arena);
    free(self);
}

void fakes_recipe(fakes *self, const fake_output *outputs, int count)
{
    self->config.recipe.output_count = count;
    for (int i = 0; i < count; i++) {
        px_output *output = &self->config.recipe.outputs[i];
        *output = (px_output){ .id = outputs[i].id, .name = outputs[i].name, .spec = PX_OUTPUT_SPEC_DEFAULT };
        output->spec.width = outputs[i].width;
        px_output_fingerprint(output);
    }
}

void fakes_put(fakes *self, const char *bucket, const char *key, const char *text)
{
    *place_for(self, bucket, key) = (fake_object){ object_of(self, bucket, key, text), px_arena_copy_text(&self->arena, text) };
}

void fakes_remove(fakes *self, const char *bucket, const char *key)
{
    fake_object *object = find(self, bucket, key);
    assert_non_null(object);
    object->object.bucket = NULL;
}

const char *fakes_text(fakes *self, const char *bucket, const char *key)
{
    const fake_object *object = find(self, bucket, key);
    return object ? object->text : NULL;
}

const px_record *fakes_record(fakes *self, const char *image_id) { return record_find(self, image_id); }

int fakes_count(fakes *self, const char *bucket)
{
    int count = 0;
    for (int i = 0; i < FAKES_MAX; i++)
        count += self->objects[i].object.bucket && strcmp(self->objects[i].object.bucket, bucket) == 0;
    return count;
}

int fakes_held(fakes *self)
{
    int count = 0;
    for (int i = 0; i < FAKES_MAX; i++)
        count += self->leases[i].held;
    return count;
}

const char *fakes_log(fakes *self)
{
    off_t bytes = lseek(self->log_fd, 0, SEEK_END);
    char *text = px_new(&self->arena, char, (size_t)bytes + 1);
    assert_int_equal(pread(self->log_fd, text, (size_t)bytes, 0), bytes);
    return text;
}

px_verdict fakes_handle(fakes *self, const char *body, int attempts)
{
    px_error err = { "" };
    int before = self->settlements;
    px_delivery delivery = { .id = "1", .body = body, .attempts = attempts, .sent_ms = px_now_ms(), .trace_id = "1-trace" };
    assert_ok(px_pipeline_handle(&self->pipeline, &delivery, &err));
    assert_int_equal(self->settlements - before, 1);
    return self->settled.verdict;
}

const char *fakes_event_record(fakes *self, const char *name, const char *bucket, const char *key, const char *sequencer)
{
    return px_arena_format(&self->arena, "{\"eventName\":\"%s\",\"s3\":{\"bucket\":{\"name\":\"%s\"},\"object\":{\"key\":\"%s\","
                           "\"sequencer\":\"%s\"}}}", name, bucket, key, sequencer);
}

const char *fakes_event(fakes *self, const char *name, const char *key, const char *sequencer)
{
    return px_arena_format(&self->arena, "{\"Records\":[%s]}", fakes_event_record(self, name, "source", key, sequencer));
}
