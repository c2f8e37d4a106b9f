/* Pure: event in, px_api_request out.
 *
 * The gateway has decoded payload 1.0's path and queries already; of payload 2.0 the query is raw, and its path begins with the stage
 * unless that is $default. A client's bytes reach us inside JSON, so a NUL of theirs is a "\u0000": it is no reason to fail the
 * invocation, only the request. */
#include "lambda/lambda.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base/hash.h"
#include "lambda/request.h"

static void free_json(json_t **json) { json_decref(*json); }

struct reader {
    const json_t *event, *context; /* context: requestContext */
    bool http;                     /* payload 2.0 */
    px_arena *arena;
};

/* A text's copy; "" if it is absent or no text. NULL: it holds a NUL, or there is no memory. */
static const char *copy_text(const json_t *value, px_arena *arena)
{
    if (!json_is_string(value))
        return "";
    size_t length = json_string_length(value);
    if (strlen(json_string_value(value)) != length)
        return NULL;
    return px_arena_copy_text(arena, json_string_value(value));
}

static const char *text_of(const struct reader *reader, const json_t *object, const char *name)
{
    return copy_text(json_object_get(object, name), reader->arena);
}

static const char *header_of(const struct reader *reader, const char *name)
{
    const char *each;
    json_t *value;
    json_object_foreach(json_object_get(reader->event, "headers"), each, value)
        if (strcasecmp(each, name) == 0) {
            const char *text = copy_text(value, reader->arena);
            return text ? text : "";
        }
    return "";
}

/* ---- path ---- */

static bool cut_end(char *text, const char *end)
{
    size_t count = strlen(text), tail = strlen(end);
    if (tail > count || strcmp(text + count - tail, end) != 0)
        return false;
    text[count - tail] = '\0';
    return true;
}

/* Past "/_/api", which stands in front where a distribution hands our own addresses on. */
static const char *below_root(const char *path)
{
    size_t count = sizeof PX_API_ROOT - 1;
    return strncmp(path, PX_API_ROOT, count) == 0 && path[count] == '/' ? path + count : path;
}

/* Payload 1.0: `path` lacks the stage, the context's has it. */
static px_status read_rest_path(const struct reader *reader, px_api_request *ret, px_error *err)
{
    const char *path = text_of(reader, reader->event, "path"), *whole = text_of(reader, reader->context, "path");
    char *root = px_arena_copy_text(reader->arena, whole);
    if (!path || !root)
        return px_fail(err, PX_BAD_REQUEST, "the address cannot be read");
    ret->path = below_root(path);
    ret->root = cut_end(root, ret->path) ? root : "";
    return PX_OK;
}

static px_status read_http_path(const struct reader *reader, px_api_request *ret, px_error *err)
{
    const char *raw = text_of(reader, reader->event, "rawPath"), *stage = text_of(reader, reader->context, "stage");
    const char *path = raw ? px_uri_decode(reader->arena, px_bytes_of(raw), false) : NULL;
    if (!path || !stage)
        return px_fail(err, PX_BAD_REQUEST, "the address cannot be read");
    size_t count = strlen(stage);
    bool staged = count && strcmp(stage, "$default") != 0 && path[0] == '/' && strncmp(path + 1, stage, count) == 0 && path[1 + count] == '/';
    ret->path = below_root(staged ? path + 1 + count : path);
    ret->root = px_arena_copy(reader->arena, (px_bytes){ (const uint8_t *)path, (size_t)(ret->path - path) });
    return ret->root ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
}

/* ---- queries ---- */

static px_status add_query(const struct reader *reader, const char *name, const json_t *value, px_query *queries, int *count, px_error *err)
{
    if (*count == PX_API_QUERIES)
        return px_fail(err, PX_BAD_REQUEST, "the address has more than %d queries", PX_API_QUERIES);
    queries[*count] = (px_query){ px_arena_copy_text(reader->arena, name), copy_text(value, reader->arena) };
    if (!queries[*count].name || !queries[*count].value)
        return px_fail(err, PX_BAD_REQUEST, "the query %.60s cannot be read", name);
    ++*count;
    return PX_OK;
}

static px_status read_rest_queries(const struct reader *reader, px_query *queries, int *count, px_error *err)
{
    const json_t *many = json_object_get(reader->event, "multiValueQueryStringParameters");
    const char *name;
    json_t *value, *each;
    size_t index;
    if (!json_is_object(many)) {
        json_object_foreach(json_object_get(reader->event, "queryStringParameters"), name, value)
            PX_TRY(add_query(reader, name, value, queries, count, err));
        return PX_OK;
    }
    json_object_foreach((json_t *)(uintptr_t)many, name, value)
        json_array_foreach(value, index, each)
            PX_TRY(add_query(reader, name, each, queries, count, err));
    return PX_OK;
}

static px_status read_http_queries(const struct reader *reader, px_query *queries, int *count, px_error *err)
{
    const char *raw = text_of(reader, reader->event, "rawQueryString");
    int found = raw ? px_query_parse(reader->arena, raw, queries, PX_API_QUERIES) : PX_QUERIES_MALFORMED;
    if (found < 0)
        return px_fail(err, PX_BAD_REQUEST, found == PX_QUERIES_TOO_MANY ? "the address has more than %d queries" : "the address cannot be read: %d queries at most",
                       PX_API_QUERIES);
    *count = found;
    return PX_OK;
}

/* ---- body ---- */

static px_status read_body(const struct reader *reader, px_api_request *ret, px_error *err)
{
    const json_t *body = json_object_get(reader->event, "body");
    px_bytes text = { (const uint8_t *)json_string_value(body), json_string_length(body) };
    uint8_t *copy = px_new(reader->arena, uint8_t, text.count + 1);
    if (!copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    long count = (long)text.count;
    if (json_is_true(json_object_get(reader->event, "isBase64Encoded")))
        count = px_base64_parse(text, copy, text.count);
    else if (text.count)
        memcpy(copy, text.data, text.count);
    if (count < 0)
        return px_fail(err, PX_BAD_REQUEST, "the body is not base 64, though the event says so");
    ret->body = (px_bytes){ copy, (size_t)count };
    return PX_OK;
}

/* ---- the whole ---- */

static px_status read_request(const struct reader *reader, px_api_request *ret, px_error *err)
{
    px_query *queries = px_new(reader->arena, px_query, PX_API_QUERIES);
    if (!queries)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    ret->queries = queries;
    ret->content_type = header_of(reader, "content-type");
    PX_TRY(reader->http ? read_http_path(reader, ret, err) : read_rest_path(reader, ret, err));
    PX_TRY(reader->http ? read_http_queries(reader, queries, &ret->query_count, err) : read_rest_queries(reader, queries, &ret->query_count, err));
    return read_body(reader, ret, err);
}

px_status px_lambda_request_parse(px_bytes event, const char *trace_id, px_arena *arena, px_api_request *ret, px_error *err)
{
    json_error_t where;
    if (event.count > PX_LIMIT_EVENT_BYTES)
        return px_fail(err, PX_BAD_EVENT, "an event of %zu bytes; at most %d are read", event.count, PX_LIMIT_EVENT_BYTES);
    PX_AUTO(free_json) json_t *json = json_loadb((const char *)event.data, event.count, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    struct reader reader = { .event = json, .context = json_object_get(json, "requestContext"), .arena = arena };
    const json_t *http = json_object_get(reader.context, "http");
    reader.http = json_is_object(http);
    const char *method = reader.http ? text_of(&reader, http, "method") : text_of(&reader, json, "httpMethod");
    if (!json || !json_is_object(reader.context) || !method || !*method)
        return px_fail(err, PX_BAD_EVENT, "not a request of API Gateway or a function URL; this function (handler `api`) answers nothing else");
    const char *own = header_of(&reader, "x-amzn-trace-id");
    *ret = (px_api_request){ .method = method, .path = "/", .root = "", .content_type = "", .origin = header_of(&reader, "origin"),
                             .trace_id = *own ? own : px_arena_copy_text(arena, trace_id) };
    if (!ret->trace_id)
        ret->trace_id = "";
    return read_request(&reader, ret, err);
}

char *px_lambda_response_format(const px_api_response *response)
{
    json_t *headers = json_object();
    bool whole = headers;
    for (int i = 0; i < response->header_count; i++)
        whole &= json_object_set_new(headers, response->headers[i].name, json_string(response->headers[i].value)) == 0;
    json_t *answer = json_pack("{s:i, s:o, s:b, s:s}", "statusCode", response->http, "headers", headers, "isBase64Encoded", 0, "body", response->body);
    char *text = whole && answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    return text;
}
