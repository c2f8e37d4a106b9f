/* The upload API over HTTP: what came becomes a px_api_request, and its response what goes out.
 *
 * An upload address is signed with the access key that asked for it, so it ends when that key is disabled; it names the host that the
 * client itself used. A deletion is the writer's: the request waits for it as the S3 dialect's do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/request.h"

static const size_t ROOT = sizeof PX_API_ROOT - 1;

bool px_server_is_api(const px_request *request)
{
    return strncmp(request->raw, PX_API_ROOT, ROOT) == 0 && strchr("/?", request->raw[ROOT]); /* or its end */
}

static const char *header_or(px_request *request, const char *name)
{
    const char *value = px_request_header(request, name);
    return value ? value : "";
}

/* ---- upload addresses ---- */

/* "http://HOST/BUCKET/KEY" as the client would write it; a proxy in front may speak TLS. */
static void format_address(px_request *request, const px_api_put *put, px_buffer *url)
{
    bool tls = strcmp(header_or(request, "X-Forwarded-Proto"), "https") == 0;
    px_buffer_format(url, "http%s://%s/%s/", tls ? "s" : "", header_or(request, "Host"), put->bucket);
    px_uri_encode(url, put->key, true);
}

static px_status sign_query(px_request *request, const px_api_put *put, int64_t now_ms, px_buffer *query, px_error *err)
{
    enum { HEADERS_MAX = 8 };
    px_sigv4_header headers[HEADERS_MAX] = { { "host", header_or(request, "Host") } };
    char now[PX_TIME_TEXT];
    int count = 1;
    for (int i = 0; i < put->header_count && count < HEADERS_MAX; i++)
        headers[count++] = (px_sigv4_header){ put->headers[i].name, put->headers[i].value };
    const char *path = px_arena_format(&request->arena, "/%s/%s", put->bucket, put->key);
    if (!path)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an address");
    px_sigv4_request to_sign = { .method = "PUT", .path = path, .headers = headers, .header_count = count, .payload = "UNSIGNED-PAYLOAD" };
    px_sigv4_scope scope = { .region = request->server->region, .service = "s3" };
    px_sigv4_credentials credentials = { request->access.id, request->access.secret, "" };
    px_time_format(now_ms, now);
    snprintf(scope.date, sizeof scope.date, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", now, now + 5, now + 8, now + 11, now + 14, now + 17);
    return px_sigv4_presign(&to_sign, &scope, &credentials, put->seconds, query, err);
}

static px_status presign(void *context, const px_api_put *put, px_arena *arena, const char **ret_url, int64_t *ret_until_ms, px_error *err)
{
    px_request *request = context;
    PX_AUTO(px_buffer_done) px_buffer url = { 0 };
    PX_AUTO(px_buffer_done) px_buffer query = { 0 };
    int64_t now_ms = px_now_ms() / 1000 * 1000;
    format_address(request, put, &url);
    PX_TRY(sign_query(request, put, now_ms, &query, err));
    px_buffer_format(&url, "?%s", query.data);
    const char *copy = px_buffer_failed(&url) ? NULL : px_arena_copy(arena, px_buffer_bytes(&url));
    if (!copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an address");
    *ret_url = copy;
    *ret_until_ms = now_ms + put->seconds * 1000;
    return PX_OK;
}

/* ---- request and response ---- */

static px_api_request request_of(px_request *request)
{
    const char *path = request->path && strncmp(request->path, PX_API_ROOT, ROOT) == 0 ? request->path + ROOT : "/";
    return (px_api_request){
        .method = request->method, .path = path, .root = PX_API_ROOT, .queries = request->queries, .query_count = request->query_count,
        .content_type = header_or(request, "Content-Type"), .origin = header_or(request, "Origin"), .body = px_buffer_bytes(&request->text),
        .trace_id = request->id,
    };
}

static void send_response(px_request *request, const px_api_response *response)
{
    const char *headers[2 * PX_API_HEADERS];
    px_buffer body = { 0 };
    int count = 0;
    for (int i = 0; i < response->header_count; i++) {
        headers[count++] = response->headers[i].name;
        headers[count++] = response->headers[i].value;
    }
    px_buffer_text(&body, response->body);
    px_answer(request, response->http, NULL, &body, headers, count);
    px_buffer_done(&body);
}

void px_server_api_refuse(px_request *request, px_status status, const char *message)
{
    px_api_request asked = request_of(request);
    px_api_response response;
    px_error err;
    snprintf(err.message, sizeof err.message, "%s", message);
    px_api_refuse(&request->server->api, &asked, status, &err, &request->arena, &response);
    send_response(request, &response);
}

static void respond_deletion(px_request *request)
{
    if (request->status == PX_OK || request->status == PX_NO_SUCH_KEY)
        send_response(request, request->work);
    else
        px_server_api_refuse(request, request->status, request->error.message);
}

static void answer(px_request *request)
{
    px_api api = request->server->api;
    px_api_request asked = request_of(request);
    px_api_response *response = px_new(&request->arena, px_api_response, 1);
    if (!response) {
        px_server_api_refuse(request, PX_OUT_OF_MEMORY, "no memory for the answer");
        return;
    }
    api.presign = presign;
    api.context = request;
    px_api_handle(&api, &asked, &request->arena, response);
    if (response->status != PX_OK)
        px_log_write(request->server->log, response->http >= 500 ? PX_ERROR : PX_DEBUG, request->id, "request refused",
                     json_pack("{s:s, s:s, s:i, s:s}", "method", request->method, "code", px_status_code(response->status), "http", response->http,
                               "path", request->path));
    if (!response->removes) {
        send_response(request, response);
        return;
    }
    request->work = response;
    px_wait(request, respond_deletion);
    px_local_delete(request->server->local, api.config->source, response->removes, (px_condition){ 0 }, px_wake, request);
}

static const char *hash_text(px_request *request)
{
    uint8_t digest[PX_HASH_MAX];
    char hex[65];
    px_hash_of(PX_HASH_SHA256, px_buffer_bytes(&request->text), digest);
    px_hex(digest, 32, hex);
    return px_arena_copy_text(&request->arena, hex);
}

static void answer_behind_gate(px_request *request)
{
    request->found_payload = hash_text(request);
    if (px_gate(request))
        answer(request);
}

/* Signers for other services than S3 sign the body's hash without sending it: then the body comes first, a small one. False: the gate
 * can judge by the head. */
static bool must_read_first(px_request *request)
{
    const char *length = px_request_header(request, "Content-Length");
    return px_request_header(request, "Authorization") && !px_request_header(request, "x-amz-content-sha256") && length && strlen(length) < 6 &&
           strtol(length, NULL, 10) <= PX_API_BODY_BYTES;
}

bool px_server_api_route(px_request *request)
{
    bool asks = strcmp(request->method, "OPTIONS") == 0; /* a browser's question carries no signature, and its answer no secret */
    request->takes_text = true;
    if (!request->expects_body)
        request->found_payload = hash_text(request);
    if (asks && request->expects_body && strcmp(header_or(request, "Content-Length"), "0") != 0) { /* nobody knows who sends it */
        px_server_api_refuse(request, PX_BAD_REQUEST, "OPTIONS takes no body");
        return false;
    }
    if (!asks && must_read_first(request)) {
        request->handler = answer_behind_gate;
        return true;
    }
    request->handler = answer;
    return asks || px_gate(request);
}
