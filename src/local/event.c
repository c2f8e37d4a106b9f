/* The event that a change writes: an S3 notification, byte for byte as S3 would send it.
 *
 * So the worker reads it with the same code as on AWS. Keys are form-urlencoded with '/' left plain, as AWS
 * does. It goes into the queue's table inside the transaction of the change itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "local/inside.h"

static void form_encode(px_buffer *buffer, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if ((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr("-_.*/", *c))
            px_buffer_push(buffer, c, 1);
        else if (*c == ' ')
            px_buffer_push(buffer, "+", 1);
        else
            px_buffer_push(buffer, (char[]){ '%', hex[*c >> 4], hex[*c & 15] }, 3);
    }
}

static char *body_format(px_local *local, const px_object *object, const char *event, const char *key)
{
    char time[PX_TIME_TEXT], request[17], arn[128];
    uint8_t random[8];

    px_random(random, sizeof random);
    px_hex(random, sizeof random, request);
    for (char *c = request; *c; c++)
        if (*c >= 'a')
            *c = (char)(*c - 'a' + 'A');
    px_time_format(object->modified_ms, time);
    snprintf(arn, sizeof arn, "arn:aws:s3:::%s", object->bucket);
    json_t *thing = json_pack("{s:s, s:s}", "key", key, "sequencer", object->sequencer);
    if (thing && strncmp(event, "ObjectRemoved", 13) != 0) {
        (void)json_object_set_new(thing, "size", json_integer((json_int_t)object->bytes));
        (void)json_object_set_new(thing, "eTag", json_string(object->etag));
    }
    json_t *body = json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:{s:s}, s:{s:s}, s:{s:s, s:s},"
                             " s:{s:s, s:s, s:{s:s, s:{s:s}, s:s}, s:o}}]}",
                             "Records", "eventVersion", "2.1", "eventSource", "aws:s3", "awsRegion", local->region,
                             "eventTime", time, "eventName", event, "userIdentity", "principalId", "pixmill",
                             "requestParameters", "sourceIPAddress", "127.0.0.1", "responseElements",
                             "x-amz-request-id", request, "x-amz-id-2", request, "s3", "s3SchemaVersion", "1.0",
                             "configurationId", "pixmill", "bucket", "name", object->bucket, "ownerIdentity",
                             "principalId", "pixmill", "arn", arn, "object", thing);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

/* X-Ray's shape: 1-<seconds, 8 hex>-<24 hex>. */
static void trace_make(char trace[36])
{
    uint8_t random[12];
    char hex[25];

    px_random(random, sizeof random);
    px_hex(random, sizeof random, hex);
    snprintf(trace, 36, "1-%08x-%s", (unsigned)(px_now_ms() / 1000), hex);
}

px_status px_event_write(px_local *local, const px_object *object, const char *event, px_error *err)
{
    px_owner owner;
    px_buffer key = { 0 };
    char trace[36];
    px_arena scratch = local->scratch;

    if (strcmp(object->bucket, local->source) != 0
        || strncmp(object->key, local->source_prefix, strlen(local->source_prefix)) != 0 || px_owner_of(object, &owner))
        return PX_OK;
    form_encode(&key, object->key);
    char *body = px_buffer_failed(&key) ? NULL : body_format(local, object, event, key.data);
    px_buffer_done(&key);
    const char *image_id = px_arena_format(&scratch, "%s/%s", object->bucket, object->key);
    px_status status = PX_OK;
    trace_make(trace);
    if (!body || !image_id)
        status = px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
    else
        status = px_db_run(local->db, err,
                           "INSERT INTO events(body, image_id, attempts, not_before_ms, sent_ms, trace_id)"
                           " VALUES(?1, ?2, 0, 0, ?3, ?4)", "ttit", body, image_id, object->modified_ms, trace);
    free(body);
    local->events_added = true;
    return status;
}
