/* PutObject, multipart uploads for what is big, and DeleteObject: each under a condition, each with a checksum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/xml.h"

enum { PART_BYTES = 16 << 20, MULTIPART_FROM = 64 << 20, PARTS_MAX = 10000, HEADERS_OF_PUT = 8 };

static uint64_t multipart_from(const px_aws_ports *ports)
{
    return ports->options.multipart_bytes ? ports->options.multipart_bytes : MULTIPART_FROM;
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
            return false;
    return true;
}

/* What describes the object: type, caching, metadata. Metadata that no header can carry stays behind. */
static px_status object_headers(const px_put *put, px_arena *arena, px_http_header **ret, int *ret_count, px_error *err)
{
    const px_meta *meta;
    size_t meta_count;
    PX_TRY(px_put_meta(put, arena, &meta, &meta_count, err));
    px_http_header *headers = px_new(arena, px_http_header, PX_AWS_HEADERS_MAX);
    int count = 0;
    if (!headers)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for headers");
    headers[count++] = (px_http_header){ "content-type", put->content_type ? put->content_type : "" };
    headers[count++] = (px_http_header){ "cache-control", put->cache_control ? put->cache_control : "" };
    headers[count++] = (px_http_header){ "content-disposition", put->content_disposition && is_printable(put->content_disposition) ? put->content_disposition : "" };
    /* The owner's five are last, and must not be the ones that find no room. */
    size_t room = PX_AWS_HEADERS_MAX - HEADERS_OF_PUT - 8, first = meta_count > room ? meta_count - room : 0;
    for (size_t i = first; i < meta_count; i++)
        if (is_printable(meta[i].name) && is_printable(meta[i].value))
            headers[count++] = (px_http_header){ px_arena_format(arena, "x-amz-meta-%s", meta[i].name), meta[i].value };
    *ret = headers;
    *ret_count = count;
    return PX_OK;
}

static void add_condition(px_http_header *headers, int *count, const char *replaces, px_arena *arena)
{
    headers[(*count)++] = replaces ? (px_http_header){ "if-match", px_arena_format(arena, "\"%s\"", replaces) }
                                   : (px_http_header){ "if-none-match", "*" };
}

/* SHA-256 of a part of an output, as the signature wants it and as the checksum header does. */
static px_status hash_part(const px_put *put, uint64_t offset, uint64_t bytes, char hex[65], char base64[64], px_error *err)
{
    uint8_t digest[PX_HASH_MAX];
    PX_TRY(px_aws_hash_part(put->fd, offset, bytes, put->key, digest, err));
    px_hex(digest, 32, hex);
    px_base64_format(digest, 32, base64);
    return PX_OK;
}

static void keep_etag(char etag[129], const char *quoted)
{
    px_bytes bare = px_aws_s3_etag(quoted);
    snprintf(etag, 129, "%.*s", (int)bare.count, (const char *)bare.data);
}

static px_status put_whole(px_aws_ports *ports, px_put *put, const char *replaces, px_arena *arena, px_aws_reply *reply, px_error *err)
{
    char hex[65], checksum[64];
    px_http_header *headers;
    int count;
    PX_TRY(object_headers(put, arena, &headers, &count, err));
    PX_TRY(hash_part(put, 0, put->bytes, hex, checksum, err));
    add_condition(headers, &count, replaces, arena);
    headers[count++] = (px_http_header){ "x-amz-checksum-sha256", checksum };
    px_aws_request request = px_aws_s3_request(ports, "PUT", "PutObject", put->bucket, put->key, arena);
    request.headers = headers;
    request.header_count = count;
    request.has_fd = true;
    request.fd = put->fd;
    request.body_bytes = put->bytes;
    request.payload_hash = hex;
    PX_TRY(px_aws_call(ports, &request, arena, reply, err));
    keep_etag(put->etag, px_http_header_find(&reply->http, "etag"));
    return PX_OK;
}

/* ---- multipart ---- */

struct found {
    const char *element; /* the last name of its path */
    char *text;
    size_t capacity;
};

static bool find_element(void *context, const char *path, const char *text)
{
    struct found *found = context;
    const char *slash = strrchr(path, '/');
    if (strcmp(slash ? slash + 1 : path, found->element) == 0)
        snprintf(found->text, found->capacity, "%s", text);
    return true;
}

static px_status begin_parts(px_aws_ports *ports, const px_put *put, px_arena *arena, char upload_id[1024], px_error *err)
{
    px_http_header *headers;
    int count;
    px_query query = { "uploads", "" };
    px_aws_reply reply;
    struct found found = { "UploadId", upload_id, 1024 };
    PX_TRY(object_headers(put, arena, &headers, &count, err));
    headers[count++] = (px_http_header){ "x-amz-checksum-algorithm", "SHA256" };
    px_aws_request request = px_aws_s3_request(ports, "POST", "CreateMultipartUpload", put->bucket, put->key, arena);
    request.headers = headers;
    request.header_count = count;
    request.queries = &query;
    request.query_count = 1;
    PX_TRY(px_aws_call(ports, &request, arena, &reply, err));
    *upload_id = 0;
    PX_TRY(px_xml_read(reply.http.body, find_element, &found, err));
    return *upload_id ? PX_OK : px_fail(err, PX_NETWORK, "CreateMultipartUpload of %.200s: the answer names no upload", put->key);
}

static px_status put_part(px_aws_ports *ports, const px_put *put, const char *upload_id, int number, uint64_t offset, uint64_t bytes,
                          px_arena arena, px_buffer *list, px_error *err)
{
    char text[16], hex[65], checksum[64];
    snprintf(text, sizeof text, "%d", number);
    px_query queries[] = { { "partNumber", text }, { "uploadId", upload_id } };
    px_aws_reply reply;
    PX_TRY(hash_part(put, offset, bytes, hex, checksum, err));
    px_http_header header = { "x-amz-checksum-sha256", checksum };
    px_aws_request request = px_aws_s3_request(ports, "PUT", "UploadPart", put->bucket, put->key, &arena);
    request.headers = &header;
    request.header_count = 1;
    request.queries = queries;
    request.query_count = 2;
    request.has_fd = true;
    request.fd = put->fd;
    request.body_offset = offset;
    request.body_bytes = bytes;
    request.payload_hash = hex;
    PX_TRY(px_aws_call(ports, &request, &arena, &reply, err));
    px_buffer_text(list, "<Part>");
    px_xml_text(list, "PartNumber", text);
    px_xml_text(list, "ETag", px_http_header_find(&reply.http, "etag"));
    px_xml_text(list, "ChecksumSHA256", checksum);
    px_buffer_text(list, "</Part>");
    return PX_OK;
}

static px_status put_parts(px_aws_ports *ports, px_put *put, const char *upload_id, const char *replaces, px_arena *arena, px_aws_reply *reply,
                           px_error *err)
{
    PX_AUTO(px_buffer_done) px_buffer list = { 0 };
    px_buffer_text(&list, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    uint64_t size = PART_BYTES;
    while (put->bytes / size >= PARTS_MAX)
        size *= 2;
    int number = 1;
    for (uint64_t offset = 0; offset < put->bytes; offset += size, number++)
        PX_TRY(put_part(ports, put, upload_id, number, offset, put->bytes - offset < size ? put->bytes - offset : size, *arena, &list, err));
    px_buffer_text(&list, "</CompleteMultipartUpload>");
    if (px_buffer_failed(&list))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %d parts", number);
    px_http_header headers[2];
    int count = 0;
    add_condition(headers, &count, replaces, arena);
    px_query query = { "uploadId", upload_id };
    px_aws_request request = px_aws_s3_request(ports, "POST", "CompleteMultipartUpload", put->bucket, put->key, arena);
    request.headers = headers;
    request.header_count = count;
    request.queries = &query;
    request.query_count = 1;
    request.body = px_buffer_bytes(&list);
    PX_TRY(px_aws_call(ports, &request, arena, reply, err));
    char etag[1024] = "", code[128] = "";
    struct found found = { "ETag", etag, sizeof etag }, failed = { "Code", code, sizeof code };
    PX_TRY(px_xml_read(reply->http.body, find_element, &found, err));
    (void)!px_xml_read(reply->http.body, find_element, &failed, NULL);
    if (*code || !*etag) /* S3 may answer 200 and then find that it cannot */
        return px_fail(err, PX_NETWORK, "CompleteMultipartUpload of %.200s: %s", put->key, *code ? code : "the answer has no ETag");
    keep_etag(put->etag, etag);
    return PX_OK;
}

static void abort_parts(px_aws_ports *ports, const px_put *put, const char *upload_id, px_arena *arena)
{
    px_query query = { "uploadId", upload_id };
    px_aws_request request = px_aws_s3_request(ports, "DELETE", "AbortMultipartUpload", put->bucket, put->key, arena);
    px_aws_reply reply;
    request.queries = &query;
    request.query_count = 1;
    (void)!px_aws_call(ports, &request, arena, &reply, NULL); /* if not, the bucket's lifecycle rule takes it */
}

px_status px_aws_s3_put(px_aws_ports *ports, px_put *put, const char *replaces, px_arena *arena, bool *ret_again, px_error *err)
{
    px_aws_reply reply = { .code = "" };
    px_status status;
    if (put->bytes < multipart_from(ports))
        status = put_whole(ports, put, replaces, arena, &reply, err);
    else {
        char upload_id[1024];
        PX_TRY(begin_parts(ports, put, arena, upload_id, err));
        status = put_parts(ports, put, upload_id, replaces, arena, &reply, err);
        if (status != PX_OK)
            abort_parts(ports, put, upload_id, arena);
    }
    *ret_again = status == PX_CONFLICT && reply.http.status == 409;
    return status;
}

px_status px_aws_s3_delete(px_aws_ports *ports, const char *bucket, const char *key, const char *etag, px_arena *arena, px_error *err)
{
    px_aws_request request = px_aws_s3_request(ports, "DELETE", "DeleteObject", bucket, key, arena);
    px_http_header header = { "if-match", etag ? px_arena_format(arena, "\"%s\"", etag) : "" };
    px_aws_reply reply;
    request.headers = &header;
    request.header_count = 1;
    if (!header.value)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    return px_aws_call(ports, &request, arena, &reply, err);
}
