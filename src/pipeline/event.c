/* Event shapes in, jobs out (AWS: "Event message structure", S3 user guide). A shape is recognised by what it has, not by
 * where it came from; unknown fields are ignored. An event only says which key to look at. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "pipeline/inside.h"

enum { RECORDS_MAX = 10000 };

static void free_json(json_t **json) { json_decref(*json); }

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

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
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
    const char *name = text_of(record, "eventName"), *encoded = text_of(object, "key");
    if (!json_is_object(object))
        return px_fail(err, PX_BAD_EVENT, "a record without s3.object (eventSource '%.60s')", text_of(record, "eventSource"));
    const char *key = form_decode(encoded, arena);
    if (!key)
        return px_fail(err, PX_BAD_EVENT, "the key '%.100s' is not form-encoded", encoded);
    if (!px_is_utf8(key))
        return px_fail(err, PX_BAD_EVENT, "the key '%.100s' is not UTF-8, as S3's keys are", encoded);
    const char *bucket = text_of(json_object_get(s3, "bucket"), "name");
    PX_TRY(judge_name(bucket, key, err));
    px_job job = { .bucket = px_arena_copy_text(arena, bucket), .key = key, .reason = "" };
    if (strncmp(name, "s3:", 3) == 0)
        name += 3;
    if (strncmp(name, "ObjectCreated:", 14) == 0)
        job.kind = PX_JOB_UPDATE;
    else if (strncmp(name, "ObjectRemoved:", 14) == 0 || strncmp(name, "LifecycleExpiration:", 20) == 0)
        job.kind = PX_JOB_REMOVE;
    else {
        job.kind = PX_JOB_IGNORE;
        job.reason = px_arena_format(arena, "'%.60s' changes no picture", name);
    }
    const char *sequencer = text_of(object, "sequencer");
    if (*sequencer) {
        char *padded = px_new(arena, char, 33);
        if (padded)
            px_sequencer_pad(sequencer, padded);
        job.sequencer = padded;
    }
    (void)px_time_parse(text_of(record, "eventTime"), &job.event_ms);
    if (!job.bucket || !job.reason || (*sequencer && !job.sequencer))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
    *ret = job;
    return PX_OK;
}

static px_status read_records(const json_t *records, px_arena *arena, px_job **ret_jobs, int *ret_count, px_error *err)
{
    size_t count = json_array_size(records);
    if (count < 1 || count > RECORDS_MAX)
        return px_fail(err, PX_BAD_EVENT, "an event with %zu Records; 1 to %d are understood", count, RECORDS_MAX);
    px_job *jobs = px_new(arena, px_job, count);
    if (!jobs)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %zu records", count);
    for (size_t i = 0; i < count; i++)
        PX_TRY(read_record(json_array_get(records, i), arena, &jobs[i], err));
    *ret_jobs = jobs;
    *ret_count = (int)count;
    return PX_OK;
}

static px_status read_single(const json_t *event, px_arena *arena, px_job **ret_jobs, int *ret_count, px_error *err)
{
    px_job *job = px_new(arena, px_job, 1);
    if (!job)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
    if (strcmp(text_of(event, "Event"), "s3:TestEvent") == 0)
        *job = (px_job){ .kind = PX_JOB_IGNORE, .bucket = px_arena_copy_text(arena, text_of(event, "Bucket")), .key = "",
                         .reason = "s3:TestEvent: S3 tells that notifications are set up" };
    else {
        PX_TRY(judge_name(text_of(event, "bucket"), text_of(event, "key"), err));
        *job = (px_job){ .kind = PX_JOB_UPDATE, .bucket = px_arena_copy_text(arena, text_of(event, "bucket")),
                         .key = px_arena_copy_text(arena, text_of(event, "key")), .reason = "" };
    }
    if (!job->bucket || !job->key)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
    *ret_jobs = job;
    *ret_count = 1;
    return PX_OK;
}

px_status px_event_parse(px_bytes body, px_arena *arena, px_job **ret_jobs, int *ret_count, px_error *err)
{
    if (body.count > PX_LIMIT_EVENT_BYTES)
        return px_fail(err, PX_BAD_EVENT, "an event of %zu bytes; at most %d are read", body.count, PX_LIMIT_EVENT_BYTES);
    json_error_t where;
    PX_AUTO(free_json) json_t *event = json_loadb((const char *)body.data, body.count, JSON_REJECT_DUPLICATES, &where);
    if (!event)
        return px_fail(err, PX_BAD_EVENT, "the event is not JSON: line %d: %.100s", where.line, where.text);
    const json_t *records = json_object_get(event, "Records");
    if (json_is_array(records))
        return read_records(records, arena, ret_jobs, ret_count, err);
    if (json_is_string(json_object_get(event, "Event")) || json_is_string(json_object_get(event, "bucket")))
        return read_single(event, arena, ret_jobs, ret_count, err);
    char *seen = json_dumps(event, JSON_COMPACT | JSON_ENCODE_ANY);
    px_status status = px_fail(err, PX_BAD_EVENT, "not an event that pixmill knows (S3 notification, s3:TestEvent, "
                               "{\"bucket\":…,\"key\":…}): %.120s", seen ? seen : "");
    free(seen);
    return status;
}
