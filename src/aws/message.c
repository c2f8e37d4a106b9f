/* Telling others: a message into an SQS queue, to an SNS topic, to an EventBridge bus. */
#include <stdio.h>
#include <string.h>

#include "aws/shared.h"
#include "base/buffer.h"

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

px_status px_aws_sqs_call(px_aws_ports *ports, const char *queue_url, const char *action, json_t *body, bool patient, px_arena *arena,
                          json_t **ret_answer, px_error *err)
{
    const char *host = queue_host(queue_url, arena), *target = px_arena_format(arena, "AmazonSQS.%s", action);
    const char *code;
    if (!host || !target || !body || json_object_set_new(body, "QueueUrl", json_string(queue_url)) != 0)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a message");
    return px_aws_call_json(ports, "sqs", host, target, queue_url, body, patient, arena, ret_answer, &code, err);
}

px_status px_aws_queue_send(px_aws_ports *ports, const char *queue_url, const char *body, const px_meta *attributes, int attribute_count,
                            px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(px_json_free) json_t *answer = NULL;
    PX_TRY(px_arena_open(4 << 20, &arena, err));
    PX_AUTO(px_json_free) json_t *request = json_pack("{s:s, s:{}}", "MessageBody", body, "MessageAttributes");
    json_t *list = json_object_get(request, "MessageAttributes");
    for (int i = 0; i < attribute_count; i++)
        json_object_set_new(list, attributes[i].name, json_pack("{s:s, s:s}", "DataType", "String", "StringValue", attributes[i].value));
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
    px_aws_request request = { .service = "sns", .action = "Publish", .target = topic, .method = "POST", .path = "/", .headers = &header,
                               .header_count = 1, .body = px_buffer_bytes(&form) };
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
    PX_TRY(px_aws_call_json(ports, "events", NULL, "AWSEvents.PutEvents", bus, request, false, arena, &answer, NULL, err));
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
