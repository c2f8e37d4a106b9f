/* The route table, and what every request meets on its way to a row's handler: method, queries, body; and the answer's way back:
 * JSON, errors, what a browser wants to know of origins (Fetch standard, "CORS protocol"). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/inside.h"

#define QUERIES(...) (const px_api_field[]) { __VA_ARGS__, { 0 } }
#define NO_QUERIES (const px_api_field[]) { { 0 } }
#define IMAGE_ID { "id", PX_API_TEXT, true, .min = 1, .max = 1088, .pattern = "^[^\\u0000]+$", .meaning = "The ImageId: BUCKET/KEY of the original." }
#define KEY_PART .kind = PX_API_TEXT, .min = 0, .max = 1024, .pattern = "^[^\\u0000]*$"

const px_api_route px_api_routes[] = {
    { "POST", "/uploads", "createUpload", "Ask for an upload address",
      "The address takes one PUT of exactly this type and size. Nothing is stored yet, and a picture that arrives is processed by itself.",
      NO_QUERIES, "UploadRequest", 201, "Upload", { PX_BAD_REQUEST, PX_TOO_MANY_BYTES, PX_UNSUPPORTED_FORMAT, PX_OK }, px_api_create_upload },
    { "GET", "/images", "listImages", "List images",
      "The originals under the upload prefix, in the byte order of their keys, a page at a time, each with the status of its record.",
      QUERIES({ "prefix", KEY_PART, .meaning = "Only keys that begin so; it begins with the upload prefix itself." },
              { "after", KEY_PART, .meaning = "Only keys behind this one: `next` of the page before." },
              { "limit", PX_API_NUMBER, .min = 1, .max = 100, .meaning = "At most so many; 20 unless said." }),
      NULL, 200, "ImagePage", { PX_BAD_REQUEST, PX_NO_SUCH_BUCKET, PX_OK }, px_api_list_images },
    { "GET", "/image", "getImage", "Ask for the status of an image",
      "Its record. An original that is there without a record yet is queued.",
      QUERIES(IMAGE_ID), NULL, 200, "Image", { PX_BAD_REQUEST, PX_NO_SUCH_KEY, PX_NO_SUCH_TABLE, PX_OK }, px_api_get_image },
    { "DELETE", "/image", "deleteImage", "Delete an image",
      "Deletes the original; its outputs follow unless `on_delete: keep` is set. What is not there is deleted too.",
      QUERIES(IMAGE_ID), NULL, 204, NULL, { PX_BAD_REQUEST, PX_NO_SUCH_BUCKET, PX_OK }, px_api_delete_image },
    { "GET", "/openapi.json", "getOpenapi", "This description",
      "OpenAPI 3.0.3 of the API as it is configured here.",
      NO_QUERIES, NULL, 200, "", { PX_BAD_REQUEST, PX_OK }, px_api_get_openapi },
    { 0 },
};

const px_status px_api_common_codes[] = { PX_UNAUTHENTICATED, PX_ACCESS_DENIED, PX_EXPIRED_TOKEN, PX_INTERNAL, PX_NETWORK, PX_OUT_OF_MEMORY, PX_THROTTLED, PX_OK };

/* ---- answers ---- */

static void add_header(px_api_response *response, const char *name, const char *value)
{
    if (response->header_count < PX_API_HEADERS)
        response->headers[response->header_count++] = (px_http_header){ name, value };
}

const char *px_api_allowed_origin(const px_config *config, const char *origin)
{
    size_t length = strlen(origin);
    for (const char *at = config->api.origins; length && *at;) {
        at += strspn(at, ", ");
        size_t count = strcspn(at, ", ");
        if (count == 1 && *at == '*')
            return "*"; /* what came is not repeated */
        if (count == length && strncmp(at, origin, count) == 0)
            return origin;
        at += count;
    }
    return NULL;
}

static void add_common_headers(const px_api *api, const px_api_request *request, px_api_response *response)
{
    const char *origin = px_api_allowed_origin(api->config, request->origin);
    if (*response->body)
        add_header(response, "Content-Type", "application/json");
    add_header(response, "Cache-Control", "no-store");
    add_header(response, "X-Content-Type-Options", "nosniff");
    if (*api->config->api.origins)
        add_header(response, "Vary", "Origin");
    if (origin)
        add_header(response, "Access-Control-Allow-Origin", origin);
}

/* A message without bytes that are no text: it may quote what came. */
static json_t *json_text(const char *text)
{
    json_t *string = json_string(text);
    return string ? string : json_string("what came is not UTF-8");
}

void px_api_refuse(const px_api *api, const px_api_request *request, px_status status, const px_error *err, px_arena *arena, px_api_response *ret)
{
    px_api_response response = { .http = px_status_http(status), .status = status, .body = "{\"code\":\"out-of-memory\",\"message\":\"\",\"traceId\":\"\"}" };
    PX_AUTO(px_api_json_free) json_t *problem = json_pack("{s:s, s:o, s:o}", "code", px_status_code(status), "message",
                                                          json_text(err && *err->message ? err->message : px_status_meaning(status)),
                                                          "traceId", json_text(request->trace_id));
    char *text = problem ? json_dumps(problem, JSON_COMPACT) : NULL, *copy = px_arena_copy_text(arena, text);
    if (copy)
        response.body = copy;
    free(text);
    add_common_headers(api, request, &response);
    if (status == PX_UNAUTHENTICATED)
        add_header(&response, "WWW-Authenticate", "AWS4-HMAC-SHA256");
    *ret = response;
}

/* "GET, POST, OPTIONS": what the path knows. */
static const char *methods_of(const char *path, px_arena *arena)
{
    const char *list = NULL;
    for (const px_api_route *route = px_api_routes; route->path; route++)
        if (strcmp(route->path, path) == 0)
            list = list ? px_arena_format(arena, "%s, %s", list, route->method) : route->method;
    list = list ? px_arena_format(arena, "%s, OPTIONS", list) : NULL;
    return list ? list : "OPTIONS";
}

/* ---- the way in ---- */

/* `ret` is NULL where the path is known with other methods only. */
static px_status find_route(const px_api_request *request, const px_api_route **ret, px_error *err)
{
    bool known = false;
    *ret = NULL;
    for (const px_api_route *route = px_api_routes; route->path && !*ret; route++)
        if (strcmp(route->path, request->path) == 0) {
            known = true;
            *ret = strcmp(route->method, request->method) == 0 ? route : NULL;
        }
    if (!known)
        return px_fail(err, PX_NO_SUCH_KEY, "the API has no address %.80s; openapi.json describes those that there are", request->path);
    return *ret ? PX_OK : px_fail(err, PX_BAD_METHOD, "%.80s knows no %.20s", request->path, request->method);
}

/* "application/json; charset=utf-8" too. A form could be sent by any page, without being asked. */
static bool is_json(const char *type)
{
    size_t count = strcspn(type, "; ");
    return count == 16 && strncasecmp(type, "application/json", count) == 0;
}

static px_status read_body(const px_api_request *request, json_t **ret, px_error *err)
{
    json_error_t where;
    if (!is_json(request->content_type))
        return px_fail(err, PX_BAD_REQUEST, "the body wants the Content-Type application/json");
    if (request->body.count > PX_API_BODY_BYTES)
        return px_fail(err, PX_TOO_MANY_BYTES, "the body has %zu bytes; it may have %d", request->body.count, PX_API_BODY_BYTES);
    *ret = json_loadb((const char *)request->body.data, request->body.count, JSON_REJECT_DUPLICATES, &where);
    return *ret ? PX_OK : px_fail(err, PX_BAD_REQUEST, "the body is not JSON: line %d: %.100s", where.line, where.text);
}

static px_status run(px_api_call *call, const px_api_route *route, px_error *err)
{
    const px_api_request *request = call->request;
    PX_AUTO(px_api_json_free) json_t *body = NULL;
    if (request->query_count > PX_API_QUERIES)
        return px_fail(err, PX_BAD_REQUEST, "the address has more than %d queries", PX_API_QUERIES);
    PX_TRY(px_api_judge_queries(route->queries, request->queries, request->query_count, err));
    if (route->body) {
        PX_TRY(read_body(request, &body, err));
        PX_TRY(px_api_judge_body(call->api->config, px_api_schema_find(route->body), body, err));
        call->body = body;
    }
    return route->handle(call, err);
}

static px_status finish(px_api_call *call, const px_api_route *route, px_api_response *ret, px_error *err)
{
    px_api_response response = { .http = route->http, .body = "", .removes = call->removes };
    char *text = call->answer ? json_dumps(call->answer, JSON_COMPACT) : NULL;
    if (route->answer)
        response.body = call->text ? call->text : px_arena_copy_text(call->arena, text);
    free(text);
    if (!response.body)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the answer");
    add_common_headers(call->api, call->request, &response);
    *ret = response;
    return PX_OK;
}

/* A browser asks before it asks. Who has no right to know is told nothing. */
static void answer_preflight(const px_api *api, const px_api_request *request, px_arena *arena, px_api_response *ret)
{
    px_error err = { "no page of this origin may use the API (api.origins)" };
    if (!px_api_allowed_origin(api->config, request->origin)) {
        px_api_refuse(api, request, PX_ACCESS_DENIED, &err, arena, ret);
        return;
    }
    px_api_response response = { .http = 204, .body = "" };
    add_common_headers(api, request, &response);
    add_header(&response, "Access-Control-Allow-Methods", methods_of(request->path, arena));
    add_header(&response, "Access-Control-Allow-Headers", "authorization, content-type, x-amz-content-sha256, x-amz-date, x-amz-security-token, x-api-key");
    add_header(&response, "Access-Control-Max-Age", "600");
    *ret = response;
}

void px_api_handle(const px_api *api, const px_api_request *request, px_arena *arena, px_api_response *ret)
{
    px_api_call call = { .api = api, .request = request, .arena = arena };
    const px_api_route *route;
    px_error err = { "" };
    px_status status = find_route(request, &route, &err);
    if (status != PX_NO_SUCH_KEY && strcmp(request->method, "OPTIONS") == 0) {
        answer_preflight(api, request, arena, ret);
        return;
    }
    bool knows_path = status == PX_BAD_METHOD;
    if (status == PX_OK)
        status = run(&call, route, &err);
    if (status == PX_OK)
        status = finish(&call, route, ret, &err);
    if (status != PX_OK)
        px_api_refuse(api, request, status, &err, arena, ret);
    if (knows_path)
        add_header(ret, "Allow", methods_of(request->path, arena));
    json_decref(call.answer);
}

/* ---- shared by the handlers ---- */

const char *px_api_query(const px_api_call *call, const char *name)
{
    const char *value = px_query_find(call->request->queries, call->request->query_count, name);
    return value ? value : "";
}

const char *px_api_prefix(const px_config *config, px_arena *arena)
{
    return px_arena_format(arena, "%s%s", config->source_prefix, config->api.prefix);
}

px_status px_api_judge_key(const px_api_call *call, const char *key, px_error *err)
{
    const px_config *config = call->api->config;
    const char *prefix = px_api_prefix(config, call->arena);
    if (!prefix)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a key");
    if (strncmp(key, prefix, strlen(prefix)) != 0)
        return px_fail(err, PX_ACCESS_DENIED, "the API's keys begin with '%.200s' (api.prefix)", prefix);
    return PX_OK;
}
