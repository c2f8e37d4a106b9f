/* Telling others: a message into an SQS queue, to an SNS topic, to an EventBridge bus. */
#include <stdio.h>
#include <string.h>

#include "aws/shared.h"
#include "base/buffer.h"
#include "base/hash.h"

/* "https://sqs.eu-west-1.amazonaws.com" of a queue's URL; NULL when the environment names an endpoint, which goes first. */
static const char *queue_host(const char *queue_url, px_arena *arena)
{
    const char *configured;
    bool path_style;
    px_error err;
    if (px_aws_endpoint("sqs", NULL, PX_S3_AUTO, "", arena, &configured, &path_style, &err) == PX_OK)
        return configured;
    const char *host = strstr(queue_url, "://"), *slash = host ? strchr(host + 3, '/') : NULL;
    return px_arena_format(arena, "%.*s", (int)(slash ? slash - queue_url : (long)strlen(queue_url)), queue_url);
}

static void take_label(const char *from, char region[64]) { snprintf(region, 64, "%.*s", (int)strcspn(from, "."), from); }

/* sqs.REGION.amazonaws.com, sqs-fips.REGION.…, VPCE.sqs.REGION.vpce.…; the old names are REGION.queue.… and queue.…, of us-east-1 */
void px_aws_queue_region(const char *queue_url, char region[64])
{
    char host[256] = "";
    const char *start = strstr(queue_url, "://");
    if (start)
        snprintf(host, sizeof host, ".%.*s", (int)strcspn(start + 3, ":/"), start + 3);
    bool is_aws = strstr(host, ".amazonaws.com") || strstr(host, ".api.aws") || strstr(host, ".api.amazonwebservices.com");
    const char *now = is_aws ? strstr(host, ".sqs.") : NULL, *fips = is_aws ? strstr(host, ".sqs-fips.") : NULL;
    const char *old = is_aws ? strstr(host, ".queue.") : NULL;
    *region = 0;
    if (now)
        take_label(now + strlen(".sqs."), region);
    else if (fips)
        take_label(fips + strlen(".sqs-fips."), region);
    else if (old == host && old)
        strcpy(region, "us-east-1");
    else if (old)
        take_label(host + 1, region);
}

/* The fourth field of arn:PARTITION:SERVICE:REGION:…; "" if it is no ARN. */
static void arn_region(const char *arn, char region[64])
{
    const char *field = strncmp(arn, "arn:", 4) == 0 ? arn : NULL;
    for (int i = 0; field && i < 3; i++) {
        field = strchr(field, ':');
        field += field != NULL;
    }
    snprintf(region, 64, "%.*s", field ? (int)strcspn(field, ":") : 0, field ? field : "");
}

/* SQS takes what XML 1.0 does (SendMessage, SQS API reference): a key may hold more than that. */
char *px_aws_sqs_text(const char *text, px_arena *arena)
{
    char *copy = px_arena_copy_text(arena, text);
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c < 0x20 && !strchr("\t\n\r", *c))
            *c = '?';
        else if (strncmp(c, "\xef\xbf\xbe", 3) == 0 || strncmp(c, "\xef\xbf\xbf", 3) == 0)
            c[2] = (char)0xbd; /* U+FFFE and U+FFFF become U+FFFD */
    return copy;
}

px_status px_aws_sqs_call(px_aws_ports *ports, const char *queue_url, const char *action, json_t *body, bool patient, px_arena *arena,
                          json_t **ret_answer, px_error *err)
{
    const char *target = px_arena_format(arena, "AmazonSQS.%s", action);
    char region[64];
    px_aws_request about = { .service = "sqs", .target = queue_url, .url = queue_host(queue_url, arena), .region = region, .patient = patient };
    px_aws_queue_region(queue_url, region);
    if (!about.url || !target || !body || json_object_set_new(body, "QueueUrl", json_string(queue_url)) != 0)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a message");
    return px_aws_call_json(ports, &about, target, body, arena, ret_answer, NULL, err);
}

/* A FIFO queue wants to know what has an order (each message is alone here: sequencers order the events) and what is the same
 * (a repeat of this call is; the same event sent another time is not). */
static void add_fifo(json_t *request, const char *queue_url)
{
    size_t count = strlen(queue_url);
    uint8_t random[16];
    char hex[33];
    if (count < 5 || strcmp(queue_url + count - 5, ".fifo") != 0)
        return;
    px_random(random, sizeof random);
    px_hex(random, sizeof random, hex);
    json_object_set_new(request, "MessageGroupId", json_string(hex));
    json_object_set_new(request, "MessageDeduplicationId", json_string(hex));
}

px_status px_aws_queue_send(px_aws_ports *ports, const char *queue_url, const char *body, const px_meta *attributes, int attribute_count,
                            px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(px_json_free) json_t *answer = NULL;
    PX_TRY(px_arena_open(16 << 20, &arena, err));
    const char *text = px_aws_sqs_text(body, &arena);
    PX_AUTO(px_json_free) json_t *request = text ? json_pack("{s:s, s:{}}", "MessageBody", text, "MessageAttributes") : NULL;
    if (!request)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a message");
    json_t *list = json_object_get(request, "MessageAttributes");
    for (int i = 0; i < attribute_count; i++) {
        const char *value = px_aws_sqs_text(attributes[i].value, &arena);
        json_object_set_new(list, attributes[i].name, json_pack("{s:s, s:s}", "DataType", "String", "StringValue", value ? value : "-"));
    }
    add_fifo(request, queue_url);
    return px_aws_sqs_call(ports, queue_url, "SendMessage", request, false, &arena, &answer, err);
}

/* SNS speaks the query protocol: a form out, XML back. */
static px_status publish(px_aws_ports *ports, const char *topic, const char *subject, const char *detail, px_arena *arena, px_error *err)
{
    PX_AUTO(px_buffer_done) px_buffer form = { 0 };
    const char *const pairs[][2] = { { "Action", "Publish" }, { "Version", "2010-03-31" }, { "TopicArn", topic }, { "Subject", subject }, { "Message", detail } };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        px_buffer_format(&form, "%s%s=", i ? "&" : "", pairs[i][0]);
        px_uri_encode(&form, pairs[i][1], false);
    }
    if (px_buffer_failed(&form))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a message");
    px_http_header header = { "content-type", "application/x-www-form-urlencoded; charset=utf-8" };
    char region[64];
    px_aws_request request = { .service = "sns", .action = "Publish", .target = topic, .method = "POST", .path = "/", .headers = &header,
                               .header_count = 1, .body = px_buffer_bytes(&form), .region = region };
    arn_region(topic, region);
    px_aws_reply reply;
    return px_aws_call(ports, &request, arena, &reply, err);
}

static px_status put_event(px_aws_ports *ports, const char *bus, const char *subject, const char *detail, px_arena *arena, px_error *err)
{
    PX_AUTO(px_json_free) json_t *answer = NULL;
    PX_AUTO(px_json_free) json_t *request = json_pack("{s:[{s:s, s:s, s:s, s:s}]}", "Entries", "Source", "pixmill", "DetailType", subject,
                                                      "Detail", detail, "EventBusName", bus);
    if (!request)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an event");
    char region[64];
    px_aws_request about = { .service = "events", .target = bus, .region = region };
    arn_region(bus, region);
    PX_TRY(px_aws_call_json(ports, &about, "AWSEvents.PutEvents", request, arena, &answer, NULL, err));
    if (json_integer_value(json_object_get(answer, "FailedEntryCount")) == 0)
        return PX_OK;
    const json_t *entry = json_array_get(json_object_get(answer, "Entries"), 0);
    const char *why = json_string_value(json_object_get(entry, "ErrorCode"));
    return px_fail(err, PX_NETWORK, "PutEvents to %.120s: %s", bus, why ? why : "the event was not taken");
}

px_status px_aws_notify(px_aws_ports *ports, const char *target, const char *subject, const char *detail, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_TRY(px_arena_open(4 << 20, &arena, err));
    const char *service = strncmp(target, "arn:", 4) == 0 ? strchr(target + 4, ':') : NULL;
    return service && strncmp(service, ":sns:", 5) == 0 ? publish(ports, target, subject, detail, &arena, err)
                                                        : put_event(ports, target, subject, detail, &arena, err);
}
