/* One event of S3's, in any of its spellings, into jobs (AWS: "Event message structure" and "EventBridge events", S3 user
 * guide; S3 Batch Operations). What wraps such events is envelope.c's. Unknown fields are ignored. An event only says which
 * key to look at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "pipeline/event.h"
#include "pipeline/inside.h"

enum { RECORDS_MAX = 10000 };

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* application/x-www-form-urlencoded, as S3 writes keys: '+' is a space, then %XX. NULL if it is not that. */
static char *form_decode(const char *text, px_arena *arena)
{
    char *decoded = px_new(arena, char, strlen(text) + 1), *out = decoded;
    for (const char *at = text; out && *at; at++) {
        if (*at != '%') {
            *out++ = *at == '+' ? ' ' : *at;
            continue;
        }
        int high = hex_value(at[1]), low = high < 0 ? -1 : hex_value(at[2]);
        if (low < 0 || (high == 0 && low == 0))
            return NULL;
        *out++ = (char)(high << 4 | low);
        at += 2;
    }
    return decoded;
}

const char *px_event_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* NULL for none, or without memory. */
static const char *pad(const char *sequencer, px_arena *arena)
{
    char *padded = *sequencer ? px_new(arena, char, 33) : NULL;
    if (padded)
        px_sequencer_pad(sequencer, padded);
    return padded;
}

/* Why an event of a kind that is none of ours is passed over; NULL without memory. */
static const char *passed_over(const char *name, px_arena *arena)
{
    char *reason = px_arena_format(arena, "'%.60s' changes no picture", name);
    if (reason)
        px_utf8_mend(reason); /* the cut may have halved a character */
    return reason;
}

static px_status judge_name(const char *bucket, const char *key, px_error *err)
{
    if (!*bucket || strlen(bucket) > 255)
        return px_fail(err, PX_BAD_EVENT, "the event names no bucket, or one of more than 255 bytes");
    if (!*key || strlen(key) > PX_LIMIT_KEY_BYTES)
        return px_fail(err, PX_BAD_EVENT, "the event's key has %zu bytes; a key has 1 to %d", strlen(key), PX_LIMIT_KEY_BYTES);
    return PX_OK;
}

static px_status read_record(const json_t *record, px_arena *arena, px_job *ret, px_error *err)
{
    const json_t *s3 = json_object_get(record, "s3"), *object = json_object_get(s3, "object");
    const char *name = px_event_text(record, "eventName"), *encoded = px_event_text(object, "key");
    if (!json_is_object(object))
        return px_fail(err, PX_BAD_EVENT, "a record without s3.object (eventSource '%.60s')", px_event_text(record, "eventSource"));
    const char *key = form_decode(encoded, arena);
    if (!key)
        return px_fail(err, PX_BAD_EVENT, "the key '%.100s' is not form-encoded", encoded);
    if (!px_is_utf8(key))
        return px_fail(err, PX_BAD_EVENT, "the key '%.100s' is not UTF-8, as S3's keys are", encoded);
    const char *bucket = px_event_text(json_object_get(s3, "bucket"), "name");
    PX_TRY(judge_name(bucket, key, err));
    px_job job = { .bucket = px_arena_copy_text(arena, bucket), .key = key, .reason = "", .item = -1,
                   .bytes = (uint64_t)json_integer_value(json_object_get(object, "size")) };
    if (strncmp(name, "s3:", 3) == 0)
        name += 3;
    if (strncmp(name, "ObjectCreated:", 14) == 0)
        job.kind = PX_JOB_UPDATE;
    else if (strncmp(name, "ObjectRemoved:", 14) == 0 || strncmp(name, "LifecycleExpiration:", 20) == 0)
        job.kind = PX_JOB_REMOVE;
    else {
        job.kind = PX_JOB_IGNORE;
        job.reason = passed_over(name, arena);
    }
    const char *sequencer = px_event_text(object, "sequencer");
    job.sequencer = pad(sequencer, arena);
    (void)px_time_parse(px_event_text(record, "eventTime"), &job.event_ms);
    if (!job.bucket || !job.reason || (*sequencer && !job.sequencer))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
    *ret = job;
    return PX_OK;
}

static px_status read_records(const json_t *records, struct px_event_jobs *into, px_error *err)
{
    size_t count = json_array_size(records);
    if (count < 1 || count > RECORDS_MAX)
        return px_fail(err, PX_BAD_EVENT, "an event with %zu Records; 1 to %d are understood", count, RECORDS_MAX);
    for (size_t i = 0; i < count; i++) {
        px_job job;
        PX_TRY(read_record(json_array_get(records, i), into->arena, &job, err));
        PX_TRY(px_event_add(into, &job, err));
    }
    return PX_OK;
}

static px_status read_test(const json_t *event, struct px_event_jobs *into, px_error *err)
{
    px_job job = { .kind = PX_JOB_IGNORE, .bucket = px_arena_copy_text(into->arena, px_event_text(event, "Bucket")), .key = "", .item = -1,
                   .reason = "s3:TestEvent: S3 tells that notifications are set up" };
    return job.bucket ? px_event_add(into, &job, err) : px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
}

static px_status read_plain(const json_t *event, struct px_event_jobs *into, px_error *err)
{
    PX_TRY(judge_name(px_event_text(event, "bucket"), px_event_text(event, "key"), err));
    px_job job = { .kind = PX_JOB_UPDATE, .bucket = px_arena_copy_text(into->arena, px_event_text(event, "bucket")),
                   .key = px_arena_copy_text(into->arena, px_event_text(event, "key")), .reason = "", .item = -1,
                   .sequencer = pad(px_event_text(event, "sequencer"), into->arena) };
    return job.bucket && job.key ? px_event_add(into, &job, err) : px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
}

/* EventBridge spells keys plainly, not form-encoded. */
static px_status read_bridge(const json_t *event, struct px_event_jobs *into, px_error *err)
{
    const json_t *detail = json_object_get(event, "detail"), *object = json_object_get(detail, "object");
    const char *type = px_event_text(event, "detail-type"), *bucket = px_event_text(json_object_get(detail, "bucket"), "name");
    const char *key = px_event_text(object, "key");
    px_job job = { .kind = PX_JOB_IGNORE, .item = -1, .reason = "", .bytes = (uint64_t)json_integer_value(json_object_get(object, "size")),
                   .bucket = px_arena_copy_text(into->arena, bucket), .key = px_arena_copy_text(into->arena, key),
                   .sequencer = pad(px_event_text(object, "sequencer"), into->arena) };
    if (strcmp(type, "Object Created") == 0)
        job.kind = PX_JOB_UPDATE;
    else if (strcmp(type, "Object Deleted") == 0)
        job.kind = PX_JOB_REMOVE;
    else
        job.reason = passed_over(type, into->arena);
    if (job.kind != PX_JOB_IGNORE)
        PX_TRY(judge_name(bucket, key, err));
    (void)px_time_parse(px_event_text(event, "time"), &job.event_ms);
    return job.bucket && job.key && job.reason ? px_event_add(into, &job, err) : px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
}

/* A task of S3 Batch Operations: version 1.0 names the bucket's ARN, 2.0 its name; the key is URL-encoded. */
px_status px_event_read_task(const json_t *task, struct px_event_jobs *into, px_error *err)
{
    const char *arn = px_event_text(task, "s3BucketArn"), *name = px_event_text(task, "s3Bucket"), *colon = strrchr(arn, ':');
    char *key = form_decode(px_event_text(task, "s3Key"), into->arena);
    px_job job = { .kind = PX_JOB_UPDATE, .item = -1, .reason = "", .key = key,
                   .bucket = px_arena_copy_text(into->arena, *name ? name : colon ? colon + 1 : arn) };
    if (!key || !px_is_utf8(key))
        return px_fail(err, PX_BAD_EVENT, "the task's key '%.100s' is not URL-encoded UTF-8", px_event_text(task, "s3Key"));
    if (!job.bucket)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
    PX_TRY(judge_name(job.bucket, job.key, err));
    return px_event_add(into, &job, err);
}

px_event_shape px_event_single(const json_t *event)
{
    if (json_is_array(json_object_get(event, "Records")))
        return PX_EVENT_S3; /* or something else's: the record is told then */
    if (strcmp(px_event_text(event, "Event"), "s3:TestEvent") == 0)
        return PX_EVENT_TEST;
    if (*px_event_text(event, "detail-type") && json_is_object(json_object_get(event, "detail")))
        return PX_EVENT_BRIDGE;
    return json_is_string(json_object_get(event, "bucket")) ? PX_EVENT_PLAIN : PX_EVENT_SHAPE_COUNT;
}

px_status px_event_read_single(const json_t *event, px_event_shape shape, struct px_event_jobs *into, px_error *err)
{
    switch (shape) {
    case PX_EVENT_S3: return read_records(json_object_get(event, "Records"), into, err);
    case PX_EVENT_TEST: return read_test(event, into, err);
    case PX_EVENT_BRIDGE: return read_bridge(event, into, err);
    default: return read_plain(event, into, err);
    }
}
