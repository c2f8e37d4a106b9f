/* What events come wrapped in: SQS batches, SNS, both, API Gateway and function URLs; and which shape an event has at all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "pipeline/event.h"

enum { ITEMS_MAX = 10000, DEPTH_MAX = 3 };

static void free_json(json_t **json) { json_decref(*json); }

px_status px_event_add(struct px_event_jobs *into, const px_job *job, px_error *err)
{
    if (into->count == into->capacity) {
        int capacity = into->capacity ? into->capacity * 2 : 4;
        px_job *jobs = px_new(into->arena, px_job, (size_t)capacity);
        if (!jobs)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %d jobs", capacity);
        if (into->count)
            memcpy(jobs, into->jobs, (size_t)into->count * sizeof *jobs);
        into->jobs = jobs;
        into->capacity = capacity;
    }
    into->jobs[into->count++] = *job;
    return PX_OK;
}

/* ---- what an event is ---- */

static const json_t *first_record(const json_t *event) { return json_array_get(json_object_get(event, "Records"), 0); }

static bool is_sns(const json_t *record) { return strcmp(px_event_text(record, "EventSource"), "aws:sns") == 0; }

/* An SNS message as it lies in an SQS queue, unless delivery is raw. */
static bool is_sns_body(const json_t *event)
{
    return strcmp(px_event_text(event, "Type"), "Notification") == 0 && json_is_string(json_object_get(event, "Message"));
}

static px_event_shape shape_of(const json_t *event)
{
    const json_t *record = first_record(event), *context = json_object_get(event, "requestContext");
    if (strcmp(px_event_text(record, "eventSource"), "aws:sqs") == 0)
        return PX_EVENT_SQS;
    if (is_sns(record) || is_sns_body(event))
        return PX_EVENT_SNS;
    if (*px_event_text(event, "invocationSchemaVersion") && json_is_array(json_object_get(event, "tasks")))
        return PX_EVENT_BATCH;
    if (json_is_object(context))
        return json_is_object(json_object_get(context, "http")) ? PX_EVENT_HTTP : PX_EVENT_REST;
    return px_event_single(event);
}

const char *px_event_shape_name(px_event_shape shape)
{
    static const char *const names[] = {
        [PX_EVENT_S3] = "S3 notification", [PX_EVENT_TEST] = "s3:TestEvent", [PX_EVENT_BRIDGE] = "EventBridge event", [PX_EVENT_SQS] = "SQS batch",
        [PX_EVENT_SNS] = "SNS message", [PX_EVENT_BATCH] = "S3 Batch Operations", [PX_EVENT_REST] = "API Gateway REST request",
        [PX_EVENT_HTTP] = "HTTP API or function URL request", [PX_EVENT_PLAIN] = "bucket and key", [PX_EVENT_SHAPE_COUNT] = "unknown",
    };
    return names[shape];
}

static px_status refuse(const json_t *event, px_error *err)
{
    if (*px_event_text(event, "key1") && *px_event_text(event, "key2"))
        return px_fail(err, PX_BAD_EVENT, "this is the console's \"hello-world\" test event ({\"key1\":…}): choose the template s3-put, with a bucket and "
                       "key of yours, or send {\"bucket\":\"…\",\"key\":\"…\"}");
    char *seen = json_dumps(event, JSON_COMPACT | JSON_ENCODE_ANY);
    px_status status = px_fail(err, PX_BAD_EVENT, "not an event that pixmill knows (S3 notification, EventBridge, SQS, SNS, S3 Batch Operations, "
                               "API Gateway, {\"bucket\":…,\"key\":…}): %.120s", seen ? seen : "");
    free(seen);
    return status;
}

/* ---- unwrapping ---- */

static px_status read_text(const char *text, int depth, struct px_event_jobs *into, px_error *err);

static px_status read_sns(const json_t *event, int depth, struct px_event_jobs *into, px_error *err)
{
    if (is_sns_body(event))
        return read_text(px_event_text(event, "Message"), depth + 1, into, err);
    size_t index;
    json_t *record;
    json_array_foreach(json_object_get(event, "Records"), index, record)
        PX_TRY(read_text(px_event_text(json_object_get(record, "Sns"), "Message"), depth + 1, into, err));
    return PX_OK;
}

static px_status read_wrapped(const json_t *event, int depth, struct px_event_jobs *into, px_error *err)
{
    px_event_shape shape = shape_of(event);
    if (depth < DEPTH_MAX && shape == PX_EVENT_SNS)
        return read_sns(event, depth, into, err);
    shape = px_event_single(event);
    return shape == PX_EVENT_SHAPE_COUNT ? refuse(event, err) : px_event_read_single(event, shape, into, err);
}

static px_status read_text(const char *text, int depth, struct px_event_jobs *into, px_error *err)
{
    json_error_t where;
    PX_AUTO(free_json) json_t *event = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    if (!event)
        return px_fail(err, PX_BAD_EVENT, "the message is not JSON: line %d: %.100s", where.line, where.text);
    return read_wrapped(event, depth, into, err);
}

/* ---- what is answered item by item ---- */

/* The jobs that an item brought; one that cannot be read is a job too, and fails alone. */
static px_status close_item(struct px_event_jobs *into, int first, int item, px_status status, const px_error *why, px_error *err)
{
    if (status == PX_OUT_OF_MEMORY)
        return px_fail(err, status, "%s", why->message);
    if (status != PX_OK) {
        into->count = first;
        px_job bad = { .kind = PX_JOB_BAD, .bucket = "", .key = "", .reason = px_arena_copy_text(into->arena, why->message) };
        PX_TRY(px_event_add(into, &bad, err));
    }
    for (int i = first; i < into->count; i++)
        into->jobs[i].item = item;
    return PX_OK;
}

static px_status items_create(const json_t *list, px_arena *arena, px_event *event, px_error *err)
{
    size_t count = json_array_size(list);
    if (count < 1 || count > ITEMS_MAX)
        return px_fail(err, PX_BAD_EVENT, "an event with %zu messages or tasks; 1 to %d are understood", count, ITEMS_MAX);
    event->item_count = (int)count;
    event->items = px_new(arena, px_event_item, count);
    return event->items ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for %zu messages", count);
}

static px_status read_sqs(const json_t *records, struct px_event_jobs *into, px_event *event, px_error *err)
{
    size_t index;
    json_t *record;
    PX_TRY(items_create(records, into->arena, event, err));
    json_array_foreach(records, index, record) {
        const json_t *attributes = json_object_get(record, "attributes");
        px_event_item *item = &event->items[index];
        *item = (px_event_item){ px_arena_copy_text(into->arena, px_event_text(record, "messageId")),
                                 atoi(px_event_text(attributes, "ApproximateReceiveCount")),
                                 px_arena_copy_text(into->arena, px_event_text(attributes, "AWSTraceHeader")),
                                 px_arena_copy_text(into->arena, px_event_text(record, "body")) };
        if (!item->id || !item->trace_id || !item->body)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a message");
        const char *arn = px_event_text(record, "eventSourceARN");
        event->fifo |= strlen(arn) > 5 && strcmp(arn + strlen(arn) - 5, ".fifo") == 0;
        int first = into->count;
        px_error why = { "" };
        px_status status = read_text(item->body, 1, into, &why);
        PX_TRY(close_item(into, first, (int)index, status, &why, err));
    }
    return PX_OK;
}

static px_status read_batch(const json_t *body, struct px_event_jobs *into, px_event *event, px_error *err)
{
    size_t index;
    json_t *task, *tasks = json_object_get(body, "tasks");
    PX_TRY(items_create(tasks, into->arena, event, err));
    event->invocation_id = px_arena_copy_text(into->arena, px_event_text(body, "invocationId"));
    event->schema = px_arena_copy_text(into->arena, px_event_text(body, "invocationSchemaVersion"));
    json_array_foreach(tasks, index, task) {
        int first = into->count;
        px_error why = { "" };
        event->items[index] = (px_event_item){ px_arena_copy_text(into->arena, px_event_text(task, "taskId")), 0, "", "" };
        if (!event->items[index].id)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a task");
        px_status status = px_event_read_task(task, into, &why);
        PX_TRY(close_item(into, first, (int)index, status, &why, err));
    }
    return event->invocation_id && event->schema ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
}

/* The body of a request is an event. */
static px_status read_request(const json_t *request, struct px_event_jobs *into, px_error *err)
{
    const char *body = px_event_text(request, "body");
    if (!json_is_true(json_object_get(request, "isBase64Encoded")))
        return read_text(body, 1, into, err);
    char *text = px_new(into->arena, char, strlen(body) + 1);
    long count = text ? px_base64_parse(px_bytes_of(body), (uint8_t *)text, strlen(body)) : -1;
    if (count < 0)
        return px_fail(err, PX_BAD_EVENT, "the request's body is not base 64, though it says so");
    text[count] = 0;
    return read_text(text, 1, into, err);
}

static px_status read_event(const json_t *body, struct px_event_jobs *into, px_event *event, px_error *err)
{
    switch (event->shape) {
    case PX_EVENT_SQS: return read_sqs(json_object_get(body, "Records"), into, event, err);
    case PX_EVENT_BATCH: return read_batch(body, into, event, err);
    case PX_EVENT_REST:
    case PX_EVENT_HTTP: return read_request(body, into, err);
    default: return read_wrapped(body, 0, into, err);
    }
}

px_status px_event_parse(px_bytes body, px_arena *arena, px_event *ret, px_error *err)
{
    if (body.count > PX_LIMIT_EVENT_BYTES)
        return px_fail(err, PX_BAD_EVENT, "an event of %zu bytes; at most %d are read", body.count, PX_LIMIT_EVENT_BYTES);
    json_error_t where;
    PX_AUTO(free_json) json_t *json = json_loadb((const char *)body.data, body.count, JSON_REJECT_DUPLICATES, &where);
    if (!json)
        return px_fail(err, PX_BAD_EVENT, "the event is not JSON: line %d: %.100s", where.line, where.text);
    struct px_event_jobs into = { .arena = arena };
    px_event event = { .shape = shape_of(json), .invocation_id = "", .schema = "" };
    PX_TRY(read_event(json, &into, &event, err));
    event.jobs = into.jobs;
    event.job_count = into.count;
    *ret = event;
    return PX_OK;
}
