/* One delivery to its end, as DESIGN.md section 3 says it.
 *
 * The object that is there now decides; the event only says where to look, and its sequencer orders. A run ends in one
 * of a few ways, each one `finish`: done, skipped, deleted, failed (a dead letter), or another try later. What changes
 * outside is decided by the ports: outputs, record and settlement become visible together or not at all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "pipeline/inside.h"

enum { PUTS_MAX = PX_LIMIT_OUTPUTS + 1 /* and a manifest */, ARENA_BYTES = 32 << 20, BACKOFF_MS = 1000, BACKOFF_MAX_MS = 60000, LEASE_SLACK_MS = 2000, DEADLINE_MARGIN_MS = 1500 };

/* All that one run knows. Texts live in the arena. */
struct run {
    px_pipeline *pipeline;
    const px_delivery *delivery;
    const px_job *job;
    px_arena *arena;
    const char *request_id, *image_id;
    px_record record;            /* claimed; becomes what is stored */
    px_object object;            /* the source */
    px_source source;
    const px_recipe *recipe;     /* the configuration's, or `own` */
    px_recipe *own;              /* a copy with its watermarks filled in, if it has any */
    px_status marked;            /* how that went, */
    px_error mark_error;         /* and why not */
    int fds[PUTS_MAX];           /* the outputs' bytes */
    px_put puts[PUTS_MAX];
    px_record_output made[PUTS_MAX]; /* what `puts` stores */
    int made_count;
    const px_record_output *old; /* what the record named when it was claimed */
    size_t old_count;
    bool touched;                /* put_set was called: the store may hold other outputs by now */
    px_transform_report report;
    char placeholder[PX_PLACEHOLDER_TEXT], colour[PX_COLOUR_TEXT]; /* of the source */
    px_sandbox_usage usage;
    int64_t start_us;
    double stage_ms[PX_STAGE_COUNT];
    bool settled;
    bool failed;                 /* the picture did, not the call */
    bool heavy;                  /* too much for here: to be handed over */
    bool cut;                    /* by the host's deadline: another try may have more time */
    int64_t deadline_ms;         /* of the host; 0: none */
    px_settlement settlement;    /* how the delivery is to end, as far as this job goes */
};

static void free_fds(struct run *run)
{
    for (int i = 0; i < PUTS_MAX; i++)
        px_fd_close(&run->fds[i]);
    px_source_close(&run->source);
    if (run->own)
        px_marks_give_back(run->own->outputs, run->own->output_count);
}

static double since_ms(int64_t start_us) { return (double)(px_monotonic_us() - start_us) / 1000.0; }

/* A line of this job, with the trace that joins upload, event and outputs. Consumes `fields`. */
static void say(const struct run *run, px_level level, const char *message, json_t *fields)
{
    const char *trace_id = run->delivery->trace_id;
    if (fields && trace_id && *trace_id)
        json_object_set_new(fields, "traceId", json_string(trace_id));
    px_log_write(run->pipeline->log, level, run->request_id, message, fields);
}

/* One store or table action, with its duration and how it ended; the stage's time grows by it. */
static void log_action(struct run *run, px_stage stage, const char *what, const char *target, int64_t start_us, px_status status,
                       const px_error *err)
{
    double ms = since_ms(start_us);
    json_t *fields = json_pack("{s:s, s:f, s:s}", "target", target, "durationMs", ms, "result", px_status_code(status));
    run->stage_ms[stage] += ms;
    if (fields && status != PX_OK && err)
        json_object_set_new(fields, "reason", json_string(err->message));
    say(run, status == PX_OK ? PX_INFO : PX_WARN, what, fields);
}

/* ---- the ends of a run ---- */

/* Whoever wants to know hears of the record; that they could not be told harms nobody else. */
static void tell(const struct run *run)
{
    px_pipeline *pipeline = run->pipeline;
    px_error why = { "" };
    if (!pipeline->notify)
        return;
    json_t *item = px_record_format(&run->record);
    char *text = item ? json_dumps(item, JSON_COMPACT) : NULL;
    px_status status = text ? pipeline->notify(pipeline->context, text, &why) : PX_OUT_OF_MEMORY;
    if (status != PX_OK)
        say(run, PX_WARN, "nobody could be told", json_pack("{s:s, s:s, s:s}", "key", run->image_id, "code", px_status_code(status), "reason", why.message));
    free(text);
    json_decref(item);
}

/* Stores the record and settles the delivery as one unit. */
static px_status finish(struct run *run, px_record_status status, px_status error, const char *message, px_verdict verdict,
                        int64_t delay_ms, px_error *err)
{
    px_record *record = &run->record;
    record->status = status;
    record->error = error;
    record->error_message = message;
    record->milliseconds = (px_monotonic_us() - run->start_us) / 1000;
    record->processed_ms = px_now_ms();
    record->attempts = run->delivery->attempts;
    record->trace_id = run->delivery->trace_id;
    px_settlement settlement = { .delivery = run->delivery, .verdict = verdict, .delay_ms = delay_ms, .status = error,
                                 .message = message, .image_id = run->image_id };
    run->settlement = settlement;
    run->settlement.message = px_arena_copy_text(run->arena, message); /* the caller's frame will be gone */
    int64_t start_us = px_monotonic_us();
    px_status finished = run->pipeline->table->finish(run->pipeline->table, record,
                                                      run->pipeline->queue ? &settlement : NULL, err);
    log_action(run, PX_STAGE_TABLE, "table.finish", run->image_id, start_us, finished, err);
    run->settled = run->settlement.recorded = finished == PX_OK;
    if (run->settled && verdict != PX_RETRY)
        tell(run);
    return finished;
}

static void tell_failure(const struct run *run, px_status status, const char *reason)
{
    say(run, status == PX_UNSUPPORTED_FORMAT || status == PX_RECURSIVE ? PX_WARN : PX_ERROR, "not processed",
        json_pack("{s:s, s:s, s:s, s:i}", "key", run->image_id ? run->image_id : "", "code", px_status_code(status), "reason", reason, "attempt",
                  run->delivery->attempts));
}

/* Settles a delivery that leaves no record. */
static px_status settle(struct run *run, px_verdict verdict, int64_t delay_ms, px_status status, const char *message,
                        px_error *err)
{
    px_settlement settlement = { .delivery = run->delivery, .verdict = verdict, .delay_ms = delay_ms, .status = status,
                                 .message = message, .image_id = run->image_id ? run->image_id : "" };
    if (verdict == PX_DEAD) {
        run->failed = true;
        tell_failure(run, status, message);
    }
    run->settled = true;
    run->settlement = settlement;
    run->settlement.message = px_arena_copy_text(run->arena, message); /* the caller's frame will be gone */
    return run->pipeline->queue ? run->pipeline->queue->settle(run->pipeline->queue, &settlement, err) : PX_OK;
}

/* Exponential with full jitter, so that what failed together does not return together. */
static int64_t backoff_ms(int attempts)
{
    int64_t ceiling = BACKOFF_MS;
    for (int i = 1; i < attempts && ceiling < BACKOFF_MAX_MS; i++)
        ceiling *= 2;
    if (ceiling > BACKOFF_MAX_MS)
        ceiling = BACKOFF_MAX_MS;
    uint32_t random;
    px_random(&random, sizeof random);
    return (int64_t)(random % (uint64_t)ceiling) + 1;
}

/* Is it in the store, as we made it? When the store does not answer: it may be. */
static bool is_there(const struct run *run, const px_record_output *output)
{
    px_object object;
    px_owner owner;
    char source[33];
    if (!*output->etag)
        return false;
    px_status status = run->pipeline->store->head(run->pipeline->store, output->bucket, output->key, run->arena, &object, NULL);
    if (status != PX_OK)
        return status != PX_NO_SUCH_KEY && status != PX_NO_SUCH_BUCKET;
    px_source_id(run->job->bucket, run->job->key, source);
    return strcmp(object.etag, output->etag) == 0 && px_owner_of(&object, &owner) && strcmp(owner.source, source) == 0;
}

/* After a set that was perhaps applied, wholly or in part: the record is to name what is in the store, so that a later run
 * or delete finds it. */
static void recall_outputs(struct run *run)
{
    px_record_output *present = px_new(run->arena, px_record_output, run->old_count + (size_t)run->made_count + 1);
    size_t count = 0, made_count;
    run->record.outputs = run->old;
    run->record.output_count = run->old_count;
    if (!present)
        return;
    for (int i = 0; i < run->made_count; i++)
        if (is_there(run, &run->made[i]))
            present[count++] = run->made[i];
    made_count = count;
    for (size_t i = 0; i < run->old_count; i++) {
        bool again = false;
        for (size_t k = 0; k < made_count; k++)
            again |= strcmp(present[k].key, run->old[i].key) == 0 && strcmp(present[k].bucket, run->old[i].bucket) == 0;
        if (!again && is_there(run, &run->old[i]))
            present[count++] = run->old[i];
    }
    run->record.outputs = present;
    run->record.output_count = count;
}

/* The record and settlement of a failure. If even those cannot be written the lease goes, so that the delivery, which comes
 * again, can have it. */
static px_status finish_failed(struct run *run, px_record_status status, px_status error, const char *message, px_verdict verdict,
                               px_error *err)
{
    int64_t delay_ms = verdict == PX_RETRY ? backoff_ms(run->delivery->attempts) : 0;
    px_status finished = finish(run, status, error, message, verdict, delay_ms, err);
    if (finished != PX_OK)
        run->pipeline->table->release(run->pipeline->table, run->image_id, run->record.token);
    return finished;
}

/* Ends a run that holds the lease and failed with `status`. */
static px_status fail_run(struct run *run, px_status status, const px_error *why, px_error *err)
{
    run->pipeline->store->abandon(run->pipeline->store, run->image_id);
    run->failed = true;
    tell_failure(run, status, why->message);
    if (status == PX_SUPERSEDED) {
        run->pipeline->table->release(run->pipeline->table, run->image_id, run->record.token);
        return settle(run, PX_ACKNOWLEDGE, 0, PX_OK, "", err);
    }
    if (run->touched)
        recall_outputs(run);
    if (status == PX_UNSUPPORTED_FORMAT || status == PX_RECURSIVE)
        return finish_failed(run, PX_RECORD_SKIPPED, status, why->message, PX_ACKNOWLEDGE, err);
    if ((run->cut || px_status_is_transient(status)) && run->delivery->attempts < run->pipeline->config->max_attempts)
        return finish_failed(run, PX_RECORD_QUEUED, status, why->message, PX_RETRY, err);
    return finish_failed(run, PX_RECORD_FAILED, status, why->message, PX_DEAD, err);
}

/* ---- an original that is gone ---- */

static px_owner owner_of(const struct run *run, const char *fingerprint)
{
    px_owner owner = { .token = run->record.token };
    px_source_id(run->job->bucket, run->job->key, owner.source);
    snprintf(owner.sequencer, sizeof owner.sequencer, "%s", run->record.sequencer);
    snprintf(owner.recipe, sizeof owner.recipe, "%s", fingerprint);
    snprintf(owner.etag, sizeof owner.etag, "%s", run->object.etag ? run->object.etag : "");
    return owner;
}

/* Removes for the record's outputs that are not among the `kept` puts. */
static px_status plan_removes(struct run *run, const px_put *kept, int kept_count, px_set *set, px_error *err)
{
    px_remove *removes = px_new(run->arena, px_remove, run->record.output_count + 1);
    if (!removes)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %zu outputs", run->record.output_count);
    for (size_t i = 0; i < run->record.output_count; i++) {
        const px_record_output *old = &run->record.outputs[i];
        bool stays = false;
        for (int k = 0; k < kept_count; k++)
            stays |= strcmp(kept[k].key, old->key) == 0 && strcmp(kept[k].bucket, old->bucket) == 0;
        if (!stays)
            removes[set->remove_count++] = (px_remove){ old->bucket, old->key, owner_of(run, old->recipe) };
    }
    set->removes = removes;
    return PX_OK;
}

/* Says also how names are kept apart: the store knows only whose the taken one is. */
static px_status tell_taken(const struct run *run, px_error *err)
{
    px_error taken = *err;
    return px_fail(err, PX_OUTPUT_NAME_TAKEN, "%.180s; %.90s would overwrite it: {filename} in the output's name, such as "
                   "{dir}processed-{filename}.jpg, keeps them apart", taken.message, run->image_id);
}

static px_status put_set(struct run *run, px_set *set, px_error *err)
{
    int64_t start_us = px_monotonic_us();
    run->touched = true;
    px_status status = run->pipeline->store->put_set(run->pipeline->store, run->image_id, set, err);
    char target[96];
    snprintf(target, sizeof target, "%zu stored, %zu removed", set->put_count, set->remove_count);
    log_action(run, PX_STAGE_STORE, "store.put_set", target, start_us, status, err);
    return status == PX_OUTPUT_NAME_TAKEN ? tell_taken(run, err) : status;
}

/* The original is gone: its outputs follow, if they are to, and the record says so. */
static px_status remove_outputs(struct run *run, px_error *err)
{
    px_error why = { "" };
    if (run->record.status == PX_RECORD_DELETED || !*run->record.image_id) {
        run->pipeline->table->release(run->pipeline->table, run->image_id, run->record.token);
        return settle(run, PX_ACKNOWLEDGE, 0, PX_OK, "", err);
    }
    if (run->pipeline->config->delete_follows) {
        px_set set = { 0 };
        px_status status = plan_removes(run, NULL, 0, &set, &why);
        if (status == PX_OK)
            status = put_set(run, &set, &why);
        if (status != PX_OK)
            return fail_run(run, status, &why, err);
        run->record.outputs = NULL;
        run->record.output_count = 0;
    }
    say(run, PX_INFO, "original deleted",
                 json_pack("{s:s, s:b}", "key", run->image_id, "outputsFollow", run->pipeline->config->delete_follows));
    px_status finished = finish(run, PX_RECORD_DELETED, PX_OK, "", PX_ACKNOWLEDGE, 0, &why);
    return finished == PX_OK ? PX_OK : fail_run(run, finished, &why, err);
}

/* ---- an original that is there ---- */

/* The key of an output, as the recipe names it now. */
static px_status output_key(const struct run *run, const px_output *output, const char *etag, px_format format, int width, int height,
                            const char **ret, px_error *err)
{
    const char *name;
    PX_TRY(px_output_name(output, run->job->key, etag, format, width, height, run->arena, &name, err));
    name = px_arena_format(run->arena, "%s%s", run->pipeline->config->destination_prefix, name);
    if (!name)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an output's name");
    if (strlen(name) > PX_LIMIT_KEY_BYTES)
        return px_fail(err, PX_BAD_RECIPE, "output %s would be named with %zu bytes; a key has 1 to %d", output->id, strlen(name),
                       PX_LIMIT_KEY_BYTES);
    *ret = name;
    return PX_OK;
}

/* Made as the recipe says, and lying where it says? */
static bool is_output_current(const struct run *run, const px_record_output *made, const px_output *output, const char *etag)
{
    const char *key;
    px_format format = px_format_find(made->format);
    return strcmp(made->recipe, output->fingerprint) == 0 && strcmp(made->bucket, run->pipeline->config->destination) == 0 &&
           format != PX_FORMAT_COUNT && output_key(run, output, etag, format, made->width, made->height, &key, NULL) == PX_OK &&
           strcmp(made->key, key) == 0;
}

/* The watermarks as they are now: they count among what an output is made from. */
static void take_marks(struct run *run)
{
    const px_recipe *recipe = run->recipe;
    bool needed = false;
    for (int i = 0; i < recipe->output_count; i++)
        needed |= px_output_needs_marks(&recipe->outputs[i]);
    if (!needed)
        return;
    run->own = run->pipeline->marks ? px_new(run->arena, px_recipe, 1) : NULL;
    if (!run->own) {
        run->marked = px_fail(&run->mark_error, PX_OUT_OF_MEMORY, "no memory for watermarks");
        return;
    }
    *run->own = *recipe;
    run->recipe = run->own;
    run->marked = px_marks_take(run->pipeline->marks, run->pipeline->store, run->own->outputs, run->own->output_count, &run->mark_error);
}

static bool is_manifest_current(const struct run *run, const px_record_output *made, const char *etag)
{
    const char *key;
    const px_output *manifest = &run->recipe->manifest;
    return strcmp(made->recipe, manifest->fingerprint) == 0 && strcmp(made->bucket, run->pipeline->config->destination) == 0 &&
           output_key(run, manifest, etag, PX_FORMAT_JPEG, 0, 0, &key, NULL) == PX_OK && strcmp(made->key, key) == 0;
}

static bool is_up_to_date(const struct run *run, const px_record *record, const px_object *object)
{
    const px_recipe *recipe = run->recipe;
    if (run->marked != PX_OK || record->status != PX_RECORD_DONE || strcmp(record->etag, object->etag) != 0 ||
        record->output_count != (size_t)(recipe->output_count + px_has_manifest(recipe)))
        return false;
    if (run->job->sequencer && strcmp(record->sequencer, run->job->sequencer) < 0)
        return false;
    for (int i = 0; i < recipe->output_count; i++)
        if (!is_output_current(run, &record->outputs[i], &recipe->outputs[i], object->etag))
            return false;
    return !px_has_manifest(recipe) || is_manifest_current(run, &record->outputs[recipe->output_count], object->etag);
}

/* Has another delivery brought this very object to its end already? */
static bool is_done(struct run *run)
{
    px_table *table = run->pipeline->table;
    px_record present;
    int64_t start_us = px_monotonic_us();
    px_status status = table->find(table, run->image_id, run->arena, &present, NULL);
    run->stage_ms[PX_STAGE_TABLE] += since_ms(start_us);
    return status == PX_OK && is_up_to_date(run, &present, &run->object);
}

/* The time that the host leaves, and the size from which on a picture is somebody else's. */
static px_status fit_limits(struct run *run, px_limits *limits, px_error *err)
{
    const px_config *config = run->pipeline->config;
    if (px_is_handed_over(run->pipeline) && config->heavy.pixels < limits->pixels)
        limits->pixels = config->heavy.pixels; /* the child judges it by the header */
    if (!run->deadline_ms)
        return PX_OK;
    int64_t left = (run->deadline_ms - px_now_ms() - DEADLINE_MARGIN_MS) / 1000;
    run->cut = left < 1;
    if (run->cut)
        return px_fail(err, PX_OUT_OF_TIME, "%s was not begun: the invocation has too little time left", run->image_id);
    if (left < limits->seconds)
        limits->seconds = (uint32_t)left;
    return PX_OK;
}

/* Would it have been done where there is more room and time? */
static bool is_heavy_failure(const struct run *run, const px_limits *limits, px_status status)
{
    return px_is_handed_over(run->pipeline) &&
           ((status == PX_TOO_MANY_PIXELS && limits->pixels < run->pipeline->config->limits.pixels) || (status == PX_OUT_OF_TIME && run->cut));
}

/* A picture may come early to its end, or to a mistake, while its last bytes are still on the way. Only a whole transfer knows
 * its checksum, so outputs and a final verdict wait for it. */
static px_status judge_transfer(struct run *run, px_status status, px_error *err)
{
    px_error why = { "" };
    if (status != PX_OK && status != PX_CORRUPT_IMAGE && status != PX_TRUNCATED_IMAGE)
        return status;
    int64_t start_us = px_monotonic_us();
    px_status ended = px_source_wait(&run->source, run->deadline_ms ? run->deadline_ms - DEADLINE_MARGIN_MS : 0, &why);
    run->stage_ms[PX_STAGE_FETCH] += since_ms(start_us);
    run->cut |= ended == PX_OUT_OF_TIME;
    return ended == PX_OK ? status : px_fail(err, ended, "%s: %s", run->image_id, why.message);
}

/* Waits for a core, but not beyond the time in which something could still be done with it. */
static px_status take_slot(struct run *run, px_error *err)
{
    int64_t until_ms = run->deadline_ms - DEADLINE_MARGIN_MS;
    struct timespec until = { .tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000 };
    if (!run->pipeline->slots)
        return PX_OK;
    while ((run->deadline_ms ? sem_timedwait(run->pipeline->slots, &until) : sem_wait(run->pipeline->slots)) != 0)
        if (errno != EINTR) {
            run->cut = true;
            return px_fail(err, PX_OUT_OF_TIME, "%s was not begun: no core was free before the invocation's end", run->image_id);
        }
    return PX_OK;
}

/* The limits are fitted here, when there is a core: the wait for it may have taken most of the time. */
static px_status compute(struct run *run, const px_output_spec *specs, int count, px_error *err)
{
    px_limits limits = run->pipeline->config->limits;
    PX_TRY(fit_limits(run, &limits, err));
    px_sandbox_task task = { &run->source, &limits, specs, run->fds, count };
    px_status status = run->pipeline->transform
                           ? run->pipeline->transform(run->pipeline->sandbox, &task, &run->report, &run->usage, err)
                           : px_sandbox_run(run->pipeline->sandbox, &task, &run->report, &run->usage, err);
    run->cut = status == PX_OUT_OF_TIME && limits.seconds < run->pipeline->config->limits.seconds;
    run->heavy = is_heavy_failure(run, &limits, status);
    return status;
}

/* The file that holds an output until it is stored. */
static px_status make_room(struct run *run, int index, px_error *err)
{
    run->fds[index] = memfd_create("pixmill-output", MFD_CLOEXEC);
    return run->fds[index] >= 0 ? PX_OK : px_fail(err, PX_INTERNAL, "no descriptor left for an output: too many pictures at once, or raise `ulimit -n`");
}

static px_status transform(struct run *run, px_error *err)
{
    px_output_spec specs[PX_LIMIT_OUTPUTS];
    int count = run->recipe->output_count;
    if (run->marked != PX_OK)
        return px_fail(err, run->marked, "%s", run->mark_error.message);
    for (int i = 0; i < count; i++) {
        specs[i] = run->recipe->outputs[i].spec;
        PX_TRY(make_room(run, i, err));
    }
    PX_TRY(take_slot(run, err));
    px_status status = compute(run, specs, count, err);
    if (run->pipeline->slots)
        sem_post(run->pipeline->slots);
    PX_TRY(judge_transfer(run, status, err));
    px_placeholder_format(&run->report, run->placeholder, run->colour);
    json_t *fields = json_pack("{s:s, s:s, s:i, s:i, s:s*, s:s*, s:I}", "key", run->image_id, "format", px_format_name(run->report.format), "width",
                               run->report.width, "height", run->report.height, "placeholder", *run->placeholder ? run->placeholder : NULL, "colour",
                               *run->colour ? run->colour : NULL, "bytes",
                               (json_int_t)run->object.bytes);
    if (fields && run->report.truncated)
        json_object_set_new(fields, "truncated", json_true());
    say(run, PX_INFO, "source", fields);
    return PX_OK;
}

/* Do none of the first `count` outputs have this one's name? */
static px_status judge_name(const struct run *run, int count, const char *id, const char *name, px_error *err)
{
    for (int k = 0; k < count; k++)
        if (strcmp(run->puts[k].key, name) == 0)
            return px_fail(err, PX_BAD_RECIPE, "outputs %s and %s would both be named %s", run->recipe->outputs[k].id, id, name);
    return PX_OK;
}

/* Names, headers and owners of the outputs that now lie in run->fds. */
static px_status plan_puts(struct run *run, px_error *err)
{
    const px_config *config = run->pipeline->config;
    for (int i = 0; i < run->recipe->output_count; i++) {
        const px_output *output = &run->recipe->outputs[i];
        const px_output_report *made = &run->report.outputs[i];
        const char *name;
        PX_TRY(output_key(run, output, run->object.etag, made->format, made->width, made->height, &name, err));
        PX_TRY(judge_name(run, i, output->id, name, err));
        run->puts[i] = (px_put){
            .bucket = config->destination, .key = name, .fd = run->fds[i], .bytes = made->bytes,
            .content_type = px_format_media_type(made->format), .cache_control = config->cache_control,
            .content_disposition = run->object.content_disposition, .owner = owner_of(run, output->fingerprint),
            .meta = config->keep_metadata ? run->object.meta : NULL,
            .meta_count = config->keep_metadata ? run->object.meta_count : 0, .overwrite_any = config->overwrite_any,
        };
        json_t *fields = json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:i}", "id", output->id, "key", name, "format",
                                   px_format_name(made->format), "width", made->width, "height", made->height, "bytes",
                                   (json_int_t)made->bytes, "quality", made->quality);
        if (fields && *made->reason)
            json_object_set_new(fields, "reason", json_string(made->reason));
        say(run, PX_INFO, "output", fields);
    }
    return PX_OK;
}

/* The outputs as the record will name them; their ETags come with put_set. */
static void describe(struct run *run)
{
    run->made_count = run->recipe->output_count;
    for (int i = 0; i < run->made_count; i++) {
        const px_output_report *made = &run->report.outputs[i];
        const px_output *output = &run->recipe->outputs[i];
        run->made[i] = (px_record_output){ .id = output->id, .bucket = run->puts[i].bucket, .key = run->puts[i].key,
                                           .format = px_format_name(made->format), .etag = run->puts[i].etag, .recipe = output->fingerprint,
                                           .reason = made->reason, .width = made->width, .height = made->height,
                                           .quality = made->quality, .bytes = made->bytes };
    }
}

/* The manifest of what was made: one output more, if it is wanted. */
static px_status add_manifest(struct run *run, px_error *err)
{
    const px_config *config = run->pipeline->config;
    const px_output *manifest = &run->recipe->manifest;
    const char *name;
    uint64_t bytes = 0;
    int index = run->made_count;
    if (!px_has_manifest(run->recipe))
        return PX_OK;
    PX_TRY(output_key(run, manifest, run->object.etag, PX_FORMAT_JPEG, 0, 0, &name, err));
    PX_TRY(judge_name(run, index, manifest->id, name, err));
    PX_TRY(make_room(run, index, err));
    PX_TRY(px_manifest_write(&run->record, run->made, run->made_count, run->fds[index], &bytes, err));
    run->puts[index] = (px_put){ .bucket = config->destination, .key = name, .fd = run->fds[index], .bytes = bytes, .content_type = "application/json",
                                 .cache_control = config->cache_control, .content_disposition = "",
                                 .owner = owner_of(run, manifest->fingerprint), .overwrite_any = config->overwrite_any };
    run->made[index] = (px_record_output){ .id = manifest->id, .bucket = config->destination, .key = name, .format = "json",
                                           .etag = run->puts[index].etag, .recipe = manifest->fingerprint, .bytes = bytes };
    run->made_count++;
    say(run, PX_INFO, "output", json_pack("{s:s, s:s, s:s, s:I}", "id", manifest->id, "key", name, "format", "json", "bytes", (json_int_t)bytes));
    return PX_OK;
}

/* What can be wrong with a source before a byte of it is decoded. */
static px_status judge_source(const struct run *run, px_error *err)
{
    px_owner owner;
    if (px_owner_of(&run->object, &owner))
        return px_fail(err, PX_RECURSIVE, "%s was made by pixmill and is not taken as input again", run->image_id);
    uint64_t most = run->pipeline->config->limits.input_bytes;
    if (run->object.bytes > most)
        return px_fail(err, PX_TOO_MANY_BYTES, "%s has %llu bytes, more than limits.input_bytes (%llu)", run->image_id,
                       (unsigned long long)run->object.bytes, (unsigned long long)most);
    return PX_OK;
}

static px_status make_outputs(struct run *run, px_error *err)
{
    px_set set = { .puts = run->puts };
    PX_TRY(judge_source(run, err));
    PX_TRY(transform(run, err));
    run->record.format = px_format_name(run->report.format);
    run->record.width = run->report.width;
    run->record.height = run->report.height;
    run->record.truncated = run->report.truncated;
    run->record.placeholder = run->placeholder;
    run->record.colour = run->colour;
    PX_TRY(plan_puts(run, err));
    describe(run);
    PX_TRY(add_manifest(run, err));
    set.put_count = (size_t)run->made_count;
    PX_TRY(plan_removes(run, run->puts, run->made_count, &set, err));
    return put_set(run, &set, err);
}

static void log_done(const struct run *run)
{
    json_t *fields = json_pack("{s:s, s:i, s:I, s:I, s:I, s:f}", "key", run->image_id, "outputs",
                               (int)run->record.output_count, "engineUs", (json_int_t)run->report.cpu_us, "cpuUs",
                               (json_int_t)run->usage.cpu_us, "peakBytes", (json_int_t)run->usage.peak_bytes, "durationMs", since_ms(run->start_us));
    if (fields && run->job->event_ms)
        json_object_set_new(fields, "sinceEventMs", json_integer(px_now_ms() - run->job->event_ms));
    say(run, PX_INFO, "done", fields);
}

/* Gives the job to the heavy queue; the record says that it waits there. */
static px_status hand_over(struct run *run, const char *reason, px_error *err)
{
    px_error why = { "" };
    int64_t start_us = px_monotonic_us();
    const char *event = px_heavy_event(run->job, run->record.sequencer, run->arena);
    px_status status = event ? run->pipeline->hand_over(run->pipeline->context, event, &why) : px_fail(&why, PX_OUT_OF_MEMORY, "no memory for an event");
    log_action(run, PX_STAGE_STORE, "queue.send", run->pipeline->config->heavy.queue, start_us, status, &why);
    if (status != PX_OK)
        return fail_run(run, status, &why, err);
    say(run, PX_INFO, "handed to the heavy queue", json_pack("{s:s, s:s}", "key", run->image_id, "reason", reason));
    run->record.outputs = run->old;
    run->record.output_count = run->old_count;
    px_status finished = finish(run, PX_RECORD_QUEUED, PX_OK, "", PX_ACKNOWLEDGE, 0, &why);
    return finished == PX_OK ? PX_OK : fail_run(run, finished, &why, err);
}

static px_status update(struct run *run, px_error *err)
{
    px_record *record = &run->record;
    record->image_id = run->image_id;
    record->filename = px_key_filename(run->job->key);
    record->bytes = run->object.bytes;
    record->etag = run->object.etag;
    record->version_id = run->object.version_id;
    record->format = record->placeholder = record->colour = ""; /* of what was there before */
    record->width = record->height = 0;
    px_error why = { "" };
    const char *reason = px_heavy_because(run->pipeline, &run->object, &run->source, run->deadline_ms, run->arena);
    if (reason)
        return hand_over(run, reason, err);
    px_status status = make_outputs(run, &why);
    if (status != PX_OK && run->heavy)
        return hand_over(run, why.message, err);
    if (status == PX_OK) {
        record->outputs = run->made;
        record->output_count = (size_t)run->made_count;
        status = finish(run, PX_RECORD_DONE, PX_OK, "", PX_ACKNOWLEDGE, 0, &why);
        if (status == PX_OUTPUT_NAME_TAKEN)
            status = tell_taken(run, &why);
    }
    if (status != PX_OK)
        return fail_run(run, status, &why, err);
    log_done(run);
    return PX_OK;
}

/* ---- one job ---- */

static px_status claim(struct run *run, px_error *err)
{
    char owner[64];
    snprintf(owner, sizeof owner, "pid-%d", (int)getpid());
    int64_t until_ms = run->deadline_ms ? run->deadline_ms : px_now_ms() + (int64_t)run->pipeline->config->limits.seconds * 1000;
    px_claim wish = { run->image_id, owner, until_ms + LEASE_SLACK_MS, run->job->sequencer };
    int64_t start_us = px_monotonic_us();
    px_status status = run->pipeline->table->claim(run->pipeline->table, &wish, run->arena, &run->record, err);
    log_action(run, PX_STAGE_TABLE, "table.claim", run->image_id, start_us, status, err);
    if (status == PX_OK && run->job->sequencer)
        run->record.sequencer = run->job->sequencer;
    run->old = run->record.outputs;
    run->old_count = run->record.output_count;
    return status;
}

/* Only the object itself: a missing bucket is a mistake in the configuration, no reason to remove outputs. */
static bool is_gone(px_status status) { return status == PX_NO_SUCH_KEY; }

static px_status run_job(struct run *run, px_error *err)
{
    px_pipeline *pipeline = run->pipeline;
    px_error why = { "" };
    int64_t start_us = px_monotonic_us();
    px_status found = pipeline->store->open(pipeline->store, run->job->bucket, run->job->key, NULL, run->arena, &run->source,
                                            &run->object, &why);
    log_action(run, PX_STAGE_FETCH, "store.open", run->image_id, start_us, found, &why);
    if (found == PX_OK)
        take_marks(run);
    if (found == PX_OK && is_done(run)) {
        say(run, PX_INFO, "already done", json_pack("{s:s}", "key", run->image_id));
        return settle(run, PX_ACKNOWLEDGE, 0, PX_OK, "", err);
    }
    px_error claim_error = { "" };
    px_status claimed = claim(run, &claim_error);
    if (claimed == PX_SUPERSEDED)
        return settle(run, PX_ACKNOWLEDGE, 0, PX_OK, "", err);
    if (claimed != PX_OK) {
        int64_t left_ms = claimed == PX_CLAIMED ? run->record.until_ms - px_now_ms() : 0, delay_ms = backoff_ms(run->delivery->attempts);
        if (run->delivery->attempts > 1 && left_ms > delay_ms)
            delay_ms = left_ms; /* its holder may have died: to ask more often would use up the queue's deliveries */
        bool again = px_status_is_transient(claimed) && (claimed == PX_CLAIMED || run->delivery->attempts < pipeline->config->max_attempts);
        return settle(run, again ? PX_RETRY : PX_DEAD, delay_ms, claimed, claim_error.message, err);
    }
    if (is_gone(found))
        return remove_outputs(run, err);
    if (found != PX_OK) {
        run->record.image_id = run->image_id;
        run->record.filename = px_key_filename(run->job->key);
        return fail_run(run, found, &why, err);
    }
    return update(run, err);
}

const char *px_job_ignored_because(const px_config *config, const px_job *job, px_arena *arena)
{
    if (job->kind == PX_JOB_IGNORE)
        return job->reason;
    const char *reason = NULL;
    if (*config->source && strcmp(job->bucket, config->source) != 0)
        reason = px_arena_format(arena, "the event is about the bucket %s; the source is the bucket %s", job->bucket, config->source);
    else if (!*config->source && px_is_loop(config, job->bucket)) /* of a named one the configuration has judged it */
        reason = px_arena_format(arena, "%s is the destination too: without source_prefix and destination_prefix that keep them apart, "
                                 "outputs would be processed again", job->bucket);
    else if (strncmp(job->key, config->source_prefix, strlen(config->source_prefix)) != 0)
        reason = px_arena_format(arena, "the key does not begin with source_prefix (%s)", config->source_prefix);
    else
        return NULL;
    return reason ? reason : "not from the source";
}

/* ---- START, END, REPORT ---- */

static void log_start(const struct run *run)
{
    char time[PX_TIME_TEXT], text[96];
    if (run->pipeline->hosted)
        return;
    px_time_format(px_now_ms(), time);
    snprintf(text, sizeof text, "START RequestId: %s", run->request_id);
    px_log_object(run->pipeline->log, PX_INFO,
                  json_pack("{s:s, s:s, s:{s:s, s:s}}", "time", time, "type", "platform.start", "record", "requestId",
                            run->request_id, "version", "$LATEST"), text);
}

static void log_report(const struct run *run, px_status status)
{
    char time[PX_TIME_TEXT], text[320];
    if (run->pipeline->hosted)
        return;
    px_time_format(px_now_ms(), time);
    double ms = since_ms(run->start_us);
    long billed = (long)ms + 1;
    long memory = (long)(px_sandbox_memory(&run->pipeline->config->limits) >> 20), peak = (long)(run->usage.peak_bytes >> 20);
    snprintf(text, sizeof text,
             "END RequestId: %s\nREPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %ld ms\tMemory Size: %ld MB\tMax Memory Used: %ld MB",
             run->request_id, run->request_id, ms, billed, memory, peak);
    px_log_object(run->pipeline->log, PX_INFO,
                  json_pack("{s:s, s:s, s:{s:s, s:s, s:{s:f, s:I, s:I, s:I}}}", "time", time, "type", "platform.report", "record",
                            "requestId", run->request_id, "status", status == PX_OK && !run->failed ? "success" : "error", "metrics",
                            "durationMs", ms, "billedDurationMs", (json_int_t)billed, "memorySizeMB", (json_int_t)memory,
                            "maxMemoryUsedMB", (json_int_t)peak), text);
}

/* A random UUID (RFC 9562, version 4). */
static void make_request_id(char text[37])
{
    uint8_t id[16];
    char hex[33];
    px_random(id, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    px_hex(id, sizeof id, hex);
    snprintf(text, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* One line for CloudWatch's metrics, and for whoever reads it. */
static void log_metrics(const struct run *run, px_status status)
{
    px_metrics metrics = { .failure = status != PX_OK ? status : run->failed ? run->settlement.status : PX_OK,
                           .total_ms = since_ms(run->start_us), .bytes_in = run->object.bytes, .made = run->made,
                           .made_count = run->settled && run->made_count ? run->recipe->output_count : 0 };
    memcpy(metrics.stage_ms, run->stage_ms, sizeof metrics.stage_ms);
    metrics.stage_ms[PX_STAGE_ENGINE] = (double)run->usage.wall_us / 1000.0;
    if (run->pipeline->metrics)
        px_metrics_write(run->pipeline, run->request_id, run->image_id ? run->image_id : "", &metrics);
}

px_status px_run_job(px_pipeline *pipeline, const px_delivery *delivery, const px_job *job, const char *request_id, int64_t deadline_ms,
                     px_arena *arena, px_settlement *ret_settlement, px_error *err)
{
    struct run run = { .pipeline = pipeline, .delivery = delivery, .job = job, .arena = arena, .request_id = request_id,
                       .record = px_record_empty(), .source = PX_SOURCE_NONE, .start_us = px_monotonic_us(), .deadline_ms = deadline_ms,
                       .recipe = &pipeline->config->recipe };
    memset(run.fds, -1, sizeof run.fds);
    run.image_id = px_arena_format(arena, "%s/%s", job->bucket, job->key);
    if (!run.image_id)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a job");
    log_start(&run);
    px_status status;
    const char *reason = job->kind == PX_JOB_BAD ? NULL : px_job_ignored_because(pipeline->config, job, arena);
    if (job->kind == PX_JOB_BAD) {
        status = settle(&run, PX_DEAD, 0, PX_BAD_EVENT, job->reason, err);
        log_metrics(&run, status);
    } else if (reason) {
        say(&run, PX_INFO, "event ignored", json_pack("{s:s, s:s}", "key", run.image_id, "reason", reason));
        status = settle(&run, PX_ACKNOWLEDGE, 0, PX_OK, "", err);
    } else {
        status = run_job(&run, err);
        log_metrics(&run, status);
    }
    log_report(&run, status);
    *ret_settlement = run.settlement;
    ret_settlement->image_id = run.image_id;
    free_fds(&run);
    return status;
}

/* Several jobs share one delivery, which ends once, by the worst of them: another try if any wants one (those that are done
 * find themselves done then), a dead letter if any is hopeless. */
static px_status handle_batch(px_pipeline *pipeline, const px_delivery *delivery, const px_job *jobs, int count,
                              const char *request_id, px_arena *arena, px_error *err)
{
    static const int rank[] = { [PX_ACKNOWLEDGE] = 0, [PX_DEAD] = 1, [PX_RETRY] = 2 };
    px_settlement worst = { .delivery = delivery, .verdict = PX_ACKNOWLEDGE, .message = "", .image_id = "" };
    px_pipeline unsettled = *pipeline;
    unsettled.queue = NULL;
    for (int i = 0; i < count; i++) {
        px_settlement settlement = { .verdict = PX_ACKNOWLEDGE };
        PX_TRY(px_run_job(&unsettled, delivery, &jobs[i], request_id, 0, arena, &settlement, err));
        if (rank[settlement.verdict] > rank[worst.verdict])
            worst = settlement;
    }
    if (!worst.message)
        worst.message = "";
    return pipeline->queue ? pipeline->queue->settle(pipeline->queue, &worst, err) : PX_OK;
}

static px_status handle_bad_event(px_pipeline *pipeline, const px_delivery *delivery, const char *request_id, px_arena *arena,
                                  px_status status, const px_error *why, px_error *err)
{
    struct run run = { .pipeline = pipeline, .delivery = delivery, .arena = arena, .request_id = request_id,
                       .start_us = px_monotonic_us(), .failed = true };
    log_start(&run);
    px_status settled = pipeline->queue ? settle(&run, PX_DEAD, 0, status, why->message, err) : px_fail(err, status, "%s", why->message);
    log_metrics(&run, settled);
    log_report(&run, settled);
    return settled;
}

px_status px_pipeline_handle(px_pipeline *pipeline, const px_delivery *delivery, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_TRY(px_arena_open(ARENA_BYTES, &arena, err));
    char request_id[37];
    make_request_id(request_id);
    px_event event;
    px_error why = { "" };
    px_status status = px_event_parse(px_bytes_of(delivery->body), &arena, &event, &why);
    if (status != PX_OK)
        return handle_bad_event(pipeline, delivery, request_id, &arena, status, &why, err);
    if (event.job_count == 1) {
        px_settlement settlement;
        return px_run_job(pipeline, delivery, &event.jobs[0], request_id, 0, &arena, &settlement, err);
    }
    return handle_batch(pipeline, delivery, event.jobs, event.job_count, request_id, &arena, err);
}
