/* Answers: S3's XML, its errors, and the one table from our statuses to its codes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/request.h"

static const struct {
    px_status status;
    px_s3_error error;
} codes[] = {
    { PX_NO_SUCH_BUCKET, { 404, "NoSuchBucket" } },       { PX_NO_SUCH_KEY, { 404, "NoSuchKey" } },
    { PX_NO_SUCH_UPLOAD, { 404, "NoSuchUpload" } },       { PX_ALREADY_EXISTS, { 409, "BucketAlreadyOwnedByYou" } },
    { PX_NOT_EMPTY, { 409, "BucketNotEmpty" } },          { PX_CONFLICT, { 412, "PreconditionFailed" } },
    { PX_BAD_PART, { 400, "InvalidPart" } },              { PX_BAD_RANGE, { 416, "InvalidRange" } },
    { PX_PART_TOO_SMALL, { 400, "EntityTooSmall" } },
    { PX_ACCESS_DENIED, { 403, "AccessDenied" } },        { PX_CHECKSUM_MISMATCH, { 400, "BadDigest" } },
    { PX_TOO_MANY_BYTES, { 400, "EntityTooLarge" } },     { PX_DISK_FULL, { 507, "InsufficientStorage" } },
    { PX_BAD_REQUEST, { 400, "InvalidArgument" } },       { PX_THROTTLED, { 503, "SlowDown" } },
    { PX_OUT_OF_MEMORY, { 503, "SlowDown" } },
};

const char *px_request_header(px_request *request, const char *name)
{
    return px_mhd.lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *px_request_query(px_request *request, const char *name)
{
    return px_query_find(request->queries, request->query_count, name);
}

void px_answer_response(px_request *request, int http, struct MHD_Response *response)
{
    if (!response)
        return;
    px_mhd.add_response_header(response, "Server", "pixmill");
    if (request->last)
        px_mhd.add_response_header(response, "Connection", "close");
    px_mhd.add_response_header(response, "x-amz-request-id", request->id);
    px_mhd.add_response_header(response, "x-amz-id-2", request->id);
    px_cors_headers(request, response);
    request->responded = true;
    if (request->holds) {
        request->held = response;
        request->held_http = http;
        return;
    }
    px_mhd.queue_response(request->connection, (unsigned)http, response);
    px_mhd.destroy_response(response);
}

void px_answer(px_request *request, int http, const char *type, px_buffer *body, const char *const *headers, int header_count)
{
    struct MHD_Response *response;
    if (body && body->failed)
        http = 500;
    if (body && body->count && !body->failed) {
        response = px_mhd.create_response_from_buffer(body->count, body->data, MHD_RESPMEM_MUST_FREE);
        *body = (px_buffer){ 0 }; /* the response owns the bytes now */
    } else {
        response = px_mhd.create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
    }
    if (response && type)
        px_mhd.add_response_header(response, "Content-Type", type);
    for (int i = 0; response && i + 1 < header_count; i += 2)
        px_mhd.add_response_header(response, headers[i], headers[i + 1]);
    px_answer_response(request, http, response);
}

/* The API's errors have codes of our own: the first of the list with this meaning. */
static px_status status_of_http(int http)
{
    return http == 401 ? PX_UNAUTHENTICATED : http == 403 ? PX_ACCESS_DENIED : http == 404 ? PX_NO_SUCH_KEY : http == 413 ? PX_TOO_MANY_BYTES : http == 503 ? PX_THROTTLED
           : http < 500 ? PX_BAD_REQUEST : PX_INTERNAL;
}

void px_answer_error(px_request *request, int http, const char *code, const char *message)
{
    px_log_write(request->server->log, http >= 500 ? PX_ERROR : PX_DEBUG, request->id, "request refused",
                 json_pack("{s:s, s:s, s:i, s:s}", "method", request->method, "code", code, "http", http, "reason", message));
    if (px_server_is_api(request)) {
        px_server_api_refuse(request, status_of_http(http), message);
        return;
    }
    px_buffer body = { 0 };
    if (strcmp(request->method, "HEAD") != 0) {
        px_buffer_text(&body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        px_xml_text(&body, "Code", code);
        px_xml_text(&body, "Message", message);
        px_xml_text(&body, "Resource", request->path ? request->path : "/");
        px_xml_text(&body, "RequestId", request->id);
        px_buffer_text(&body, "</Error>");
    }
    px_answer(request, http, "application/xml", &body, NULL, 0);
    px_buffer_done(&body);
}

void px_answer_status(px_request *request, px_status status, const px_error *err)
{
    if (px_server_is_api(request)) {
        px_server_api_refuse(request, status, err->message);
        return;
    }
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].status == status) {
            px_answer_error(request, codes[i].error.http, codes[i].error.code, err->message);
            return;
        }
    px_answer_error(request, 500, "InternalError", err->message);
}

void px_wait(px_request *request, px_handler *respond)
{
    request->respond = respond;
    request->waits = true;
    atomic_fetch_add(&request->server->waiting, 1);
    px_mhd.suspend_connection(request->connection);
}

void px_wake(void *context, px_status status, const px_error *err, const px_object *object)
{
    px_request *request = context;
    request->status = status;
    if (err)
        request->error = *err;
    if (status == PX_OK && object) {
        request->object = *object;
        request->object.etag = px_arena_copy_text(&request->arena, object->etag ? object->etag : "");
        request->object.version_id = "";
    }
    px_server *server = request->server; /* the request may be over as soon as it is resumed */
    request->waits = false;
    px_mhd.resume_connection(request->connection);
    atomic_fetch_sub(&server->waiting, 1);
}

void px_answer_xml(px_request *request, px_buffer *body)
{
    px_answer(request, 200, "application/xml", body, NULL, 0);
    px_buffer_done(body);
}
