/* The S3 dialect: buckets and objects ("Amazon S3 API Reference"). One table of routes: method, where, and the query name
 * that singles a row out; the first row that fits is taken. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/request.h"

static void answer_xml(px_request *request, px_buffer *body)
{
    px_answer(request, 200, "application/xml", body, NULL, 0);
    px_buffer_done(body);
}

const char *px_s3_etag(px_request *request, const char *etag)
{
    const char *quoted = px_arena_format(&request->arena, "\"%s\"", etag);
    return quoted ? quoted : "";
}

/* ---- what requests say of an object ---- */

struct meta_reader {
    px_request *request;
    px_meta *meta;
    size_t count, bytes;
};

static enum MHD_Result read_meta(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct meta_reader *reader = context;
    if (strncasecmp(name, "x-amz-meta-", 11) != 0 || reader->count == PX_HEADERS_MAX)
        return MHD_YES;
    char *lower = px_arena_copy_text(&reader->request->arena, name + 11);
    char *copy = px_arena_copy_text(&reader->request->arena, value ? value : "");
    if (!lower || !copy)
        return MHD_NO;
    for (char *at = lower; *at; at++)
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at + 32 : *at);
    reader->meta[reader->count++] = (px_meta){ lower, copy };
    reader->bytes += strlen(lower) + strlen(copy);
    return MHD_YES;
}

static const char *header_or(px_request *request, const char *name)
{
    const char *value = px_request_header(request, name);
    return value ? value : "";
}

/* Content-Encoding without the aws-chunked that was only for the way. */
static const char *content_encoding(px_request *request)
{
    char *text = px_arena_copy_text(&request->arena, header_or(request, "Content-Encoding"));
    char *at = text ? strstr(text, "aws-chunked") : NULL;
    if (!at)
        return text ? text : "";
    char *rest = at + strlen("aws-chunked");
    rest += strspn(rest, ", ");
    memmove(at, rest, strlen(rest) + 1);
    for (size_t length = strlen(text); length > 0 && (text[length - 1] == ',' || text[length - 1] == ' '); length--)
        text[length - 1] = '\0';
    return text;
}

bool px_s3_head(px_request *request, px_object *head)
{
    struct meta_reader reader = { .request = request, .meta = px_new(&request->arena, px_meta, PX_HEADERS_MAX) };
    if (reader.meta)
        px_mhd.get_connection_values(request->connection, MHD_HEADER_KIND, read_meta, &reader);
    if (reader.bytes > PX_LIMIT_META_BYTES) {
        px_answer_error(request, 400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size");
        return false;
    }
    const char *type = header_or(request, "Content-Type");
    *head = (px_object){
        .bucket = request->bucket, .key = request->key, .etag = "", .version_id = "", .sequencer = "",
        .content_type = *type ? type : "binary/octet-stream", .cache_control = header_or(request, "Cache-Control"),
        .content_disposition = header_or(request, "Content-Disposition"), .content_encoding = content_encoding(request),
        .content_language = header_or(request, "Content-Language"), .expires = header_or(request, "Expires"),
        .meta = reader.meta, .meta_count = reader.count,
    };
    return true;
}

/* Without the quotes that clients put around an ETag. */
static const char *unquoted(px_request *request, const char *text)
{
    if (!text)
        return NULL;
    size_t length = strlen(text);
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"')
        return px_arena_copy(&request->arena, (px_bytes){ (const uint8_t *)text + 1, length - 2 });
    return text;
}

px_condition px_s3_condition(px_request *request)
{
    const char *none = px_request_header(request, "If-None-Match");
    return (px_condition){ .if_match = unquoted(request, px_request_header(request, "If-Match")),
                           .if_none_match = none && strcmp(none, "*") == 0 };
}

void px_s3_checksum_headers(px_request *request, const char **headers, int *count)
{
    if (request->checksum < 0 || !*request->checksum_found)
        return;
    headers[(*count)++] = px_arena_format(&request->arena, "x-amz-checksum-%s", px_checksum_names[request->checksum]);
    headers[(*count)++] = request->checksum_found;
}

/* ---- buckets ---- */

static void list_buckets(px_request *request)
{
    px_bucket *buckets;
    int count;
    px_error err = { "" };
    px_status status = px_local_bucket_list(request->server->local, &request->arena, &buckets, &count, &err);
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return;
    }
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<ListAllMyBucketsResult" PX_XMLNS "><Owner><ID>pixmill</ID><DisplayName>pixmill</DisplayName></Owner><Buckets>");
    for (int i = 0; i < count; i++) {
        char time[PX_TIME_TEXT];
        px_time_format(buckets[i].created_ms, time);
        px_buffer_text(&body, "<Bucket>");
        px_xml_text(&body, "Name", buckets[i].name);
        px_xml_text(&body, "CreationDate", time);
        px_buffer_text(&body, "</Bucket>");
    }
    px_buffer_text(&body, "</Buckets></ListAllMyBucketsResult>");
    answer_xml(request, &body);
}

static void create_bucket(px_request *request)
{
    px_error err = { "" };
    px_status status = px_local_bucket_create(request->server->local, request->bucket, &err);
    if (status == PX_BAD_REQUEST)
        px_answer_error(request, 400, "InvalidBucketName", err.message);
    else if (status != PX_OK)
        px_answer_status(request, status, &err);
    else {
        const char *headers[] = { "Location", px_arena_format(&request->arena, "/%s", request->bucket) };
        px_answer(request, 200, NULL, NULL, headers, 2);
    }
}

static void delete_bucket(px_request *request)
{
    px_error err = { "" };
    px_status status = px_local_bucket_delete(request->server->local, request->bucket, &err);
    if (status != PX_OK)
        px_answer_status(request, status, &err);
    else
        px_answer(request, 204, NULL, NULL, NULL, 0);
}

/* False, with the answer given, if the bucket is not there. */
static bool has_bucket(px_request *request)
{
    px_bucket bucket;
    px_error err = { "" };
    px_status status = px_local_bucket_find(request->server->local, request->bucket, &request->arena, &bucket, &err);
    if (status != PX_OK)
        px_answer_status(request, status, &err);
    return status == PX_OK;
}

static void head_bucket(px_request *request)
{
    const char *headers[] = { "x-amz-bucket-region", request->server->region };
    if (has_bucket(request))
        px_answer(request, 200, NULL, NULL, headers, 2);
}

static void bucket_location(px_request *request)
{
    if (!has_bucket(request))
        return;
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<LocationConstraint" PX_XMLNS ">");
    if (strcmp(request->server->region, "us-east-1") != 0)
        px_xml_escape(&body, request->server->region);
    px_buffer_text(&body, "</LocationConstraint>");
    answer_xml(request, &body);
}

static void bucket_versioning(px_request *request)
{
    if (!has_bucket(request))
        return;
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<VersioningConfiguration" PX_XMLNS "/>");
    answer_xml(request, &body);
}

/* ---- listing ---- */

static void push_key(px_buffer *body, const char *name, const char *key, bool encoded)
{
    if (!encoded) {
        px_xml_text(body, name, key);
        return;
    }
    px_buffer_format(body, "<%s>", name);
    px_uri_encode(body, key, true);
    px_buffer_format(body, "</%s>", name);
}

static void list_objects(px_request *request)
{
    const char *type = px_request_query(request, "list-type"), *max = px_request_query(request, "max-keys");
    const char *prefix = px_request_query(request, "prefix"), *delimiter = px_request_query(request, "delimiter");
    const char *encoding = px_request_query(request, "encoding-type");
    bool v2 = type && strcmp(type, "2") == 0, encoded = encoding && strcmp(encoding, "url") == 0;
    const char *token = px_request_query(request, v2 ? "continuation-token" : "marker");
    const char *start = v2 ? px_request_query(request, "start-after") : NULL, *after = token;
    char *end = NULL;
    long count = max && *max ? strtol(max, &end, 10) : 1000;
    if ((end && *end) || count < 0) {
        px_answer_error(request, 400, "InvalidArgument", "max-keys must be a number from 0");
        return;
    }
    if (v2 && token) {
        uint8_t *plain = px_new(&request->arena, uint8_t, strlen(token) + 1);
        long length = plain ? px_base64_parse(px_bytes_of(token), plain, strlen(token)) : -1;
        if (length < 1) {
            px_answer_error(request, 400, "InvalidArgument", "The continuation token provided is incorrect");
            return;
        }
        after = (const char *)plain;
    } else if (v2)
        after = start;
    px_listing_query query = { request->bucket, prefix ? prefix : "", delimiter ? delimiter : "", after ? after : "", count > 1000 ? 1000 : (int)count };
    px_listing listing = { 0 };
    px_error err = { "" };
    px_status status = px_local_list(request->server->local, &query, &request->arena, &listing, &err);
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return;
    }
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<ListBucketResult" PX_XMLNS ">");
    px_xml_text(&body, "Name", request->bucket);
    push_key(&body, "Prefix", query.prefix, encoded);
    if (delimiter)
        push_key(&body, "Delimiter", delimiter, encoded);
    px_buffer_format(&body, "<MaxKeys>%d</MaxKeys><IsTruncated>%s</IsTruncated>", query.max_keys, listing.truncated ? "true" : "false");
    if (encoded)
        px_xml_text(&body, "EncodingType", "url");
    if (v2) {
        px_buffer_format(&body, "<KeyCount>%d</KeyCount>", listing.object_count + listing.prefix_count);
        if (token)
            px_xml_text(&body, "ContinuationToken", token);
        if (start)
            push_key(&body, "StartAfter", start, encoded);
        char *next = listing.truncated ? px_new(&request->arena, char, strlen(listing.next) * 4 / 3 + 8) : NULL;
        if (next) {
            px_base64_format((const uint8_t *)listing.next, strlen(listing.next), next);
            px_xml_text(&body, "NextContinuationToken", next);
        }
    } else {
        push_key(&body, "Marker", token ? token : "", encoded);
        if (listing.truncated)
            push_key(&body, "NextMarker", listing.next, encoded);
    }
    bool owner = !v2 || (px_request_query(request, "fetch-owner") && strcmp(px_request_query(request, "fetch-owner"), "true") == 0);
    for (int i = 0; i < listing.object_count; i++) {
        const px_object *object = &listing.objects[i];
        char time[PX_TIME_TEXT];
        px_time_format(object->modified_ms, time);
        px_buffer_text(&body, "<Contents>");
        push_key(&body, "Key", object->key, encoded);
        px_xml_text(&body, "LastModified", time);
        px_xml_text(&body, "ETag", px_s3_etag(request, object->etag));
        px_buffer_format(&body, "<Size>%llu</Size><StorageClass>STANDARD</StorageClass>", (unsigned long long)object->bytes);
        if (owner)
            px_buffer_text(&body, "<Owner><ID>pixmill</ID><DisplayName>pixmill</DisplayName></Owner>");
        px_buffer_text(&body, "</Contents>");
    }
    for (int i = 0; i < listing.prefix_count; i++) {
        px_buffer_text(&body, "<CommonPrefixes>");
        push_key(&body, "Prefix", listing.prefixes[i], encoded);
        px_buffer_text(&body, "</CommonPrefixes>");
    }
    px_buffer_text(&body, "</ListBucketResult>");
    answer_xml(request, &body);
}

/* ---- writing objects ---- */

static void respond_put(px_request *request)
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

static void put_object(px_request *request)
{
    px_object head;
    if (!px_s3_head(request, &head))
        return;
    px_upload *upload = request->upload;
    request->upload = NULL;
    px_wait(request, respond_put);
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
    const char *match = unquoted(request, values[0]), *none = unquoted(request, values[2]);
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
    answer_xml(request, &body);
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

static void copy_object(px_request *request)
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

static void delete_object(px_request *request)
{
    px_wait(request, respond_delete);
    px_local_delete(request->server->local, request->bucket, request->key, px_s3_condition(request), px_wake, request);
}

/* ---- DeleteObjects ---- */

enum { DELETE_MAX = 1000 };

struct deletion {
    px_request *request;
    const char **keys;
    px_status *results;
    int count;
    atomic_int waiting; /* keys whose callback is still to come */
    bool quiet;
};

static bool read_element(void *context, const char *path, const char *text)
{
    struct deletion *deletion = context;
    if (strcmp(path, "Delete/Quiet") == 0)
        deletion->quiet = strcmp(text, "true") == 0;
    if (strcmp(path, "Delete/Object/Key") != 0)
        return true;
    if (deletion->count == DELETE_MAX || !*text || strlen(text) > PX_LIMIT_KEY_BYTES)
        return false;
    deletion->keys[deletion->count] = px_arena_copy_text(&deletion->request->arena, text);
    return deletion->keys[deletion->count++] != NULL;
}

static bool read_deletion(struct deletion *deletion)
{
    return px_xml_read(px_buffer_bytes(&deletion->request->text), read_element, deletion, NULL) == PX_OK && deletion->count > 0;
}

static void answer_deletion(px_request *request, struct deletion *deletion)
{
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<DeleteResult" PX_XMLNS ">");
    for (int i = 0; i < deletion->count; i++) {
        if (deletion->results[i] == PX_OK && deletion->quiet)
            continue;
        px_buffer_text(&body, deletion->results[i] == PX_OK ? "<Deleted>" : "<Error>");
        px_xml_text(&body, "Key", deletion->keys[i]);
        if (deletion->results[i] != PX_OK) {
            px_xml_text(&body, "Code", "InternalError");
            px_xml_text(&body, "Message", px_status_meaning(deletion->results[i]));
        }
        px_buffer_text(&body, deletion->results[i] == PX_OK ? "</Deleted>" : "</Error>");
    }
    px_buffer_text(&body, "</DeleteResult>");
    answer_xml(request, &body);
}

static void respond_deletion(px_request *request)
{
    struct deletion *deletion = request->work;
    bool no_bucket = deletion->results[0] == PX_NO_SUCH_BUCKET;
    if (no_bucket)
        px_answer_error(request, 404, "NoSuchBucket", px_status_meaning(PX_NO_SUCH_BUCKET));
    else
        answer_deletion(request, deletion);
}

/* One key of a deletion, for its callback. */
struct deleted {
    struct deletion *deletion;
    int index;
};

static void deleted_one(void *context, px_status status, const px_error *err, const px_object *object)
{
    (void)err, (void)object;
    struct deleted *deleted = context;
    struct deletion *deletion = deleted->deletion;
    deletion->results[deleted->index] = status;
    if (atomic_fetch_sub(&deletion->waiting, 1) == 1)
        px_wake(deletion->request, PX_OK, NULL, NULL);
}

static void delete_objects(px_request *request)
{
    struct deletion *deletion = px_new(&request->arena, struct deletion, 1);
    if (deletion) {
        deletion->request = request;
        deletion->keys = px_new(&request->arena, const char *, DELETE_MAX);
        deletion->results = px_new(&request->arena, px_status, DELETE_MAX);
    }
    if (!deletion || !deletion->keys || !deletion->results || !read_deletion(deletion)) {
        px_answer_error(request, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate: a Delete with 1 to 1000 keys is wanted");
        return;
    }
    int count = deletion->count; /* the last callback may end the request while we are still here */
    struct deleted *each = px_new(&request->arena, struct deleted, (size_t)count);
    if (!each) {
        px_answer_error(request, 503, "SlowDown", "No memory for so many keys");
        return;
    }
    px_local *local = request->server->local;
    const char *bucket = request->bucket;
    request->work = deletion;
    atomic_init(&deletion->waiting, count);
    px_wait(request, respond_deletion);
    for (int i = 0; i < count; i++) { /* all at once: the writer commits them together */
        each[i] = (struct deleted){ deletion, i };
        px_local_delete(local, bucket, deletion->keys[i], (px_condition){ 0 }, deleted_one, &each[i]);
    }
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

static void get_object(px_request *request)
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

static void not_implemented(px_request *request)
{
    px_answer_error(request, 501, "NotImplemented", "A header or query you provided implies functionality that is not implemented");
}

static void method_not_allowed(px_request *request)
{
    px_answer_error(request, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
}

/* ---- routes ---- */

enum place { SERVICE, BUCKET, OBJECT };
enum { UPLOAD = 1, XML = 2 }; /* where the body goes */

static const struct route {
    const char *method;
    enum place place;
    const char *query;   /* NULL: any */
    const char *header;  /* NULL: any */
    px_handler *handler;
    int body;
} routes[] = {
    { "GET", SERVICE, NULL, NULL, list_buckets, 0 },
    { "GET", BUCKET, "location", NULL, bucket_location, 0 },
    { "GET", BUCKET, "versioning", NULL, bucket_versioning, 0 },
    { "GET", BUCKET, "uploads", NULL, px_multipart_list, 0 },
    { "POST", BUCKET, "delete", NULL, delete_objects, XML },
    { "PUT", OBJECT, "partNumber", "x-amz-copy-source", px_multipart_copy, 0 },
    { "PUT", OBJECT, "partNumber", NULL, px_multipart_put, UPLOAD },
    { "GET", OBJECT, "uploadId", NULL, px_multipart_parts, 0 },
    { "POST", OBJECT, "uploads", NULL, px_multipart_create, 0 },
    { "POST", OBJECT, "uploadId", NULL, px_multipart_complete, XML },
    { "DELETE", OBJECT, "uploadId", NULL, px_multipart_abort, 0 },
    { "HEAD", BUCKET, NULL, NULL, head_bucket, 0 },
    { "GET", BUCKET, NULL, NULL, list_objects, 0 },
    { "PUT", BUCKET, NULL, NULL, create_bucket, XML },
    { "DELETE", BUCKET, NULL, NULL, delete_bucket, 0 },
    { "PUT", OBJECT, NULL, "x-amz-copy-source", copy_object, 0 },
    { "PUT", OBJECT, NULL, NULL, put_object, UPLOAD },
    { "GET", OBJECT, NULL, NULL, get_object, 0 },
    { "HEAD", OBJECT, NULL, NULL, get_object, 0 },
    { "DELETE", OBJECT, NULL, NULL, delete_object, 0 },
    { NULL, SERVICE, NULL, NULL, method_not_allowed, XML },
    { NULL, BUCKET, NULL, NULL, method_not_allowed, XML },
    { NULL, OBJECT, NULL, NULL, method_not_allowed, XML },
};

/* S3's other sub-resources. Without this list `DELETE /bucket?website` would delete the bucket. */
static const char *const foreign[] = {
    "accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering", "inventory", "legal-hold",
    "lifecycle", "logging", "metadataTable", "metrics", "notification", "object-lock", "ownershipControls", "partNumber", "policy",
    "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore", "retention", "select",
    "session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
};

/* A sub-resource that none of the rows for it names. */
static bool is_foreign(px_request *request)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (px_request_query(request, foreign[i]))
            return true;
    const char *version = px_request_query(request, "versionId");
    return version && *version && strcmp(version, "null") != 0;
}

bool px_s3_route(px_request *request)
{
    enum place place = !*request->bucket ? SERVICE : *request->key ? OBJECT : BUCKET;
    for (const struct route *route = routes;; route++) {
        if (route->place != place || (route->method && strcmp(route->method, request->method) != 0) ||
            (route->query && !px_request_query(request, route->query)) || (route->header && !px_request_header(request, route->header)))
            continue;
        if (!route->query && is_foreign(request)) {
            not_implemented(request);
            return false;
        }
        request->handler = route->handler;
        request->takes_upload = route->body == UPLOAD;
        if (route->body == UPLOAD && !request->expects_body) {
            px_answer_error(request, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
            return false;
        }
        return route->body != UPLOAD || has_bucket(request); /* said before the bytes are sent, not after */
    }
}
