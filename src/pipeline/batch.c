/* The jobs of one event, side by side: while one picture is computed the next are fetched. Jobs of one key run one after
 * the other, in the event's order, so that they do not stand in each other's way. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/inside.h"

enum { THREADS_MAX = 16, JOB_ARENA_BYTES = 32 << 20 };

/* Jobs of one key: `count` places of `order`, from `first` on. */
struct group {
    int first, count;
    uint64_t bytes;
};

struct batch {
    px_pipeline pipeline; /* without its queue */
    const px_event *event;
    const px_invocation *invocation;
    px_job_result *results;
    int *order;           /* indices of jobs, by key */
    struct group *groups;
    int group_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int next;             /* group; under the lock, like all below */
    uint64_t bytes;       /* of the sources in work */
    int working;
    px_arena *arena;      /* the results' texts */
};

/* The texts outlive the job's own arena. */
static void keep_result(struct batch *batch, int job, px_status status, const px_settlement *settlement, const px_error *why)
{
    px_job_result *result = &batch->results[job];
    *result = (px_job_result){ settlement->verdict, settlement->status, settlement->message, settlement->image_id,
                               settlement->recorded };
    if (status != PX_OK) /* it could not be ended: it comes again */
        *result = (px_job_result){ PX_RETRY, status, why->message, settlement->image_id, false };
    pthread_mutex_lock(&batch->lock);
    result->message = px_arena_copy_text(batch->arena, result->message ? result->message : "");
    result->image_id = px_arena_copy_text(batch->arena, result->image_id ? result->image_id : "");
    pthread_mutex_unlock(&batch->lock);
    result->message = result->message ? result->message : "";
    result->image_id = result->image_id ? result->image_id : "";
}

static void run_one(struct batch *batch, int index, px_arena *arena)
{
    const px_job *job = &batch->event->jobs[index];
    const px_event_item *item = job->item >= 0 ? &batch->event->items[job->item] : NULL;
    px_delivery delivery = { .id = item ? item->id : "", .body = item ? item->body : "",
                             .attempts = item && item->attempts ? item->attempts : batch->invocation->attempts,
                             .trace_id = item && *item->trace_id ? item->trace_id : batch->invocation->trace_id };
    px_settlement settlement = { .verdict = PX_RETRY, .message = "", .image_id = "" };
    px_error why = { "" };
    px_arena_reset(arena);
    px_status status = px_run_job(&batch->pipeline, &delivery, job, batch->invocation->request_id, batch->invocation->deadline_ms, arena,
                                  &settlement, &why);
    keep_result(batch, index, status, &settlement, &why);
}

/* Waits until there is room for the next group's bytes; NULL when there are no more. */
static const struct group *take_group(struct batch *batch)
{
    const struct group *group = NULL;
    pthread_mutex_lock(&batch->lock);
    while (batch->next < batch->group_count) {
        const struct group *next = &batch->groups[batch->next];
        if (!batch->working || !batch->invocation->bytes || batch->bytes + next->bytes <= batch->invocation->bytes) {
            group = next;
            batch->next++;
            batch->working++;
            batch->bytes += next->bytes;
            break;
        }
        pthread_cond_wait(&batch->changed, &batch->lock);
    }
    pthread_mutex_unlock(&batch->lock);
    return group;
}

static void give_back(struct batch *batch, const struct group *group)
{
    pthread_mutex_lock(&batch->lock);
    batch->working--;
    batch->bytes -= group->bytes;
    pthread_cond_broadcast(&batch->changed);
    pthread_mutex_unlock(&batch->lock);
}

static void *work(void *context)
{
    struct batch *batch = context;
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    if (px_arena_open(JOB_ARENA_BYTES, &arena, NULL) != PX_OK)
        return NULL; /* the others do it; the caller's own thread at the least */
    for (const struct group *group; (group = take_group(batch)) != NULL; give_back(batch, group))
        for (int i = 0; i < group->count; i++)
            run_one(batch, batch->order[group->first + i], &arena);
    return NULL;
}

/* ---- groups ---- */

static int by_key(const void *a, const void *b, void *context)
{
    const px_job *jobs = context;
    int i = *(const int *)a, k = *(const int *)b;
    int order = strcmp(jobs[i].bucket, jobs[k].bucket);
    order = order ? order : strcmp(jobs[i].key, jobs[k].key);
    return order ? order : i - k;
}

static int by_first(const void *a, const void *b, void *context)
{
    const int *order = context;
    return order[((const struct group *)a)->first] - order[((const struct group *)b)->first];
}

static void make_groups(struct batch *batch)
{
    px_job *jobs = batch->event->jobs;
    int count = batch->event->job_count;
    for (int i = 0; i < count; i++)
        batch->order[i] = i;
    qsort_r(batch->order, (size_t)count, sizeof *batch->order, by_key, jobs);
    for (int i = 0; i < count; i++) {
        const px_job *job = &jobs[batch->order[i]], *before = i ? &jobs[batch->order[i - 1]] : NULL;
        bool same = before && strcmp(job->key, before->key) == 0 && strcmp(job->bucket, before->bucket) == 0;
        if (!same)
            batch->groups[batch->group_count++] = (struct group){ .first = i };
        struct group *group = &batch->groups[batch->group_count - 1];
        group->count++;
        group->bytes = job->bytes > group->bytes ? job->bytes : group->bytes;
    }
    qsort_r(batch->groups, (size_t)batch->group_count, sizeof *batch->groups, by_first, batch->order);
}

px_status px_pipeline_run(px_pipeline *pipeline, const px_event *event, const px_invocation *invocation, px_arena *arena,
                          px_job_result *results, px_error *err)
{
    size_t count = (size_t)event->job_count;
    struct batch batch = { .pipeline = *pipeline, .event = event, .invocation = invocation, .results = results, .arena = arena,
                           .order = px_new(arena, int, count + 1), .groups = px_new(arena, struct group, count + 1) };
    pthread_t threads[THREADS_MAX];
    int started = 0;
    if (!batch.order || !batch.groups)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %zu jobs", count);
    batch.pipeline.queue = NULL;
    for (size_t i = 0; i < count; i++)
        results[i] = (px_job_result){ PX_RETRY, PX_OUT_OF_MEMORY, "no thread had room for the job", "", false };
    make_groups(&batch);
    pthread_mutex_init(&batch.lock, NULL);
    pthread_cond_init(&batch.changed, NULL);
    while (started < THREADS_MAX && started < batch.group_count - 1 && pthread_create(&threads[started], NULL, work, &batch) == 0)
        started++;
    work(&batch);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&batch.changed);
    pthread_mutex_destroy(&batch.lock);
    return PX_OK;
}
