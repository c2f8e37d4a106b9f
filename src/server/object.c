/* Objects in the S3 dialect: put, copy, delete, get. What changes the disk suspends its request until the writer's callback. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/request.h"
#include "base/xml.h"

/* ---- writing objects ---- */

void px_s3_respond_put(px_request *request)
{
    if (request->status != PX_OK) {
        px_answer_status(request, request->status, &request->error);
        return;
    }
    const char *headers[4] = { "ETag", px_s3_etag(request, request->object.etag) };
    int count = 2;
    px_s3_checksum_headers(request, headers, &count);
    px_answer(request, 200, NULL, NULL, headers, count);
}

void px_s3_put_object(px_request *request)
{
    px_object head;
    if (!px_s3_head(request, &head))
        return;
    px_upload *upload = request->upload;
    request->upload = NULL;
    px_wait(request, px_s3_respond_put);
    px_local_put(request->server->local, upload, &head, "ObjectCreated:Put", px_s3_condition(request), px_wake, request);
}

/* The preconditions of a read ("") or of a copy's source ("x-amz-copy-source-"), in S3's order: If-Match,
 * If-Unmodified-Since, If-None-Match, If-Modified-Since (RFC 9110 section 13.2.2). 0: go on; 304 or 412. */
static int judge_conditions(px_request *request, const char *prefix, const px_object *object)
{
    static const char *const names[] = { "If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since" };
    const char *values[4];
    char name[64];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        values[i] = px_request_header(request, name);
    }
    const char *match = px_s3_unquoted(request, values[0]), *none = px_s3_unquoted(request, values[2]);
    int64_t when, second_ms = object->modified_ms / 1000 * 1000;
    if (match && strcmp(match, "*") != 0 && strcmp(match, object->etag) != 0)
        return 412;
    if (!match && values[1] && px_http_time_parse(values[1], &when) && second_ms > when)
        return 412;
    if (none && (strcmp(none, "*") == 0 || strcmp(none, object->etag) == 0))
        return 304;
    if (!none && values[3] && px_http_time_parse(values[3], &when) && second_ms <= when)
        return 304;
    return 0;
}

static void refuse_condition(px_request *request)
{
    px_answer_error(request, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
}

static void respond_copy(px_request *request)
{
    if (request->status != PX_OK) {
        px_answer_status(request, request->status, &request->error);
        return;
    }
    char time[PX_TIME_TEXT];
    px_time_format(request->object.modified_ms ? request->object.modified_ms : px_now_ms(), time);
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<CopyObjectResult" PX_XMLNS ">");
    px_xml_text(&body, "LastModified", time);
    px_xml_text(&body, "ETag", px_s3_etag(request, request->object.etag));
    px_buffer_text(&body, "</CopyObjectResult>");
    px_answer_xml(request, &body);
}

bool px_s3_copy_source(px_request *request, px_object *ret)
{
    const char *from = px_request_header(request, "x-amz-copy-source");
    px_error err = { "" };
    char *path = px_uri_decode(&request->arena, (px_bytes){ (const uint8_t *)from, strcspn(from, "?") }, false);
    path = path && *path == '/' ? path + 1 : path;
    char *slash = path ? strchr(path, '/') : NULL;
    if (!slash || !slash[1]) {
        px_answer_error(request, 400, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
        return false;
    }
    *slash = '\0';
    px_status status = px_local_head(request->server->local, path, slash + 1, &request->arena, ret, &err);
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return false;
    }
    if (judge_conditions(request, "x-amz-copy-source-", ret) == 0)
        return true;
    refuse_condition(request);
    return false;
}

void px_s3_copy_object(px_request *request)
{
    const char *directive = px_request_header(request, "x-amz-metadata-directive");
    bool replace = directive && strcasecmp(directive, "REPLACE") == 0;
    px_object head, source;
    if (!px_s3_copy_source(request, &source) || !px_s3_head(request, &head))
        return;
    if (!replace && strcmp(source.bucket, request->bucket) == 0 && strcmp(source.key, request->key) == 0) {
        px_answer_error(request, 400, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata");
        return;
    }
    px_wait(request, respond_copy);
    px_local_copy(request->server->local, source.bucket, source.key, &head, replace, px_s3_condition(request), px_wake, request);
}

static void respond_delete(px_request *request)
{
    if (request->status != PX_OK)
        px_answer_status(request, request->status, &request->error);
    else
        px_answer(request, 204, NULL, NULL, NULL, 0);
}

void px_s3_delete_object(px_request *request)
{
    px_wait(request, respond_delete);
    px_local_delete(request->server->local, request->bucket, request->key, px_s3_condition(request), px_wake, request);
}

/* ---- reading objects ---- */

/* "bytes=0-99", "bytes=-5", "bytes=7-": 0 for no range (also one that is not understood), 1 for one, -1 for one outside. */
static int read_range(const char *text, uint64_t bytes, uint64_t *first, uint64_t *count)
{
    if (!text || strncmp(text, "bytes=", 6) != 0 || strspn(text + 6, "0123456789-") != strlen(text + 6))
        return 0; /* also several ranges: S3 answers with the whole object */
    const char *dash = strchr(text + 6, '-');
    char *end;
    if (!dash || (dash == text + 6 && !dash[1]))
        return 0;
    if (dash == text + 6) {
        uint64_t suffix = strtoull(dash + 1, &end, 10);
        if (*end)
            return 0;
        if (suffix == 0 || bytes == 0)
            return -1;
        *count = suffix < bytes ? suffix : bytes;
        *first = bytes - *count;
        return 1;
    }
    uint64_t from = strtoull(text + 6, &end, 10);
    if (end != dash)
        return 0;
    uint64_t last = dash[1] ? strtoull(dash + 1, &end, 10) : UINT64_MAX;
    if ((dash[1] && *end) || last < from)
        return 0;
    if (from >= bytes)
        return -1;
    *first = from;
    *count = (last < bytes - 1 ? last : bytes - 1) - from + 1;
    return 1;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (value && *value)
        px_mhd.add_response_header(response, name, value);
}

static void add_object_headers(px_request *request, struct MHD_Response *response, const px_object *object)
{
    static const char *const names[][2] = {
        { "Content-Type", "response-content-type" }, { "Cache-Control", "response-cache-control" },
        { "Content-Disposition", "response-content-disposition" }, { "Content-Encoding", "response-content-encoding" },
        { "Content-Language", "response-content-language" }, { "Expires", "response-expires" },
    };
    const char *values[] = { object->content_type, object->cache_control, object->content_disposition, object->content_encoding,
                             object->content_language, object->expires };
    char time[PX_HTTP_TIME_TEXT], name[300];
    px_http_time_format(object->modified_ms, time);
    add_header(response, "Last-Modified", time);
    add_header(response, "ETag", px_s3_etag(request, object->etag));
    add_header(response, "Accept-Ranges", "bytes");
    for (int i = 0; i < 6; i++) {
        const char *instead = px_request_query(request, names[i][1]);
        add_header(response, names[i][0], instead ? instead : values[i]);
    }
    for (size_t i = 0; i < object->meta_count; i++) {
        snprintf(name, sizeof name, "x-amz-meta-%s", object->meta[i].name);
        add_header(response, name, object->meta[i].value);
    }
}

void px_s3_get_object(px_request *request)
{
    px_object object;
    int fd = -1;
    px_error err = { "" };
    px_status status = px_local_get(request->server->local, request->bucket, request->key, &request->arena, &object, &fd, &err);
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return;
    }
    int http = judge_conditions(request, "", &object);
    uint64_t first = 0, count = object.bytes;
    int ranged = http ? 0 : read_range(px_request_header(request, "Range"), object.bytes, &first, &count);
    if (http == 412 || ranged < 0) {
        close(fd);
        if (http)
            refuse_condition(request);
        else
            px_answer_error(request, 416, "InvalidRange", "The requested range is not satisfiable");
        return;
    }
    struct MHD_Response *response;
    if (http == 304 || count == 0) {
        close(fd);
        response = px_mhd.create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
    } else {
        /* libmicrohttpd closes the descriptor; for HEAD it takes only the length from it. */
        response = px_mhd.create_response_from_fd_at_offset64(count, fd, first);
    }
    if (!response) {
        px_answer_error(request, 500, "InternalError", "No memory for the answer");
        return;
    }
    add_object_headers(request, response, &object);
    if (ranged) {
        char range[96];
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)first, (unsigned long long)(first + count - 1),
                 (unsigned long long)object.bytes);
        add_header(response, "Content-Range", range);
    }
    px_answer_response(request, http ? http : ranged ? 206 : 200, response);
}
