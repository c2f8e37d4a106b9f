/* What the heads of S3's requests and answers say of an object: its metadata and standard headers, conditions, ETags and
 * checksums. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/request.h"

const char *px_s3_etag(px_request *request, const char *etag)
{
    const char *quoted = px_arena_format(&request->arena, "\"%s\"", etag);
    return quoted ? quoted : "";
}

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
const char *px_s3_unquoted(px_request *request, const char *text)
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
    return (px_condition){ .if_match = px_s3_unquoted(request, px_request_header(request, "If-Match")),
                           .if_none_match = none && strcmp(none, "*") == 0 };
}

void px_s3_checksum_headers(px_request *request, const char **headers, int *count)
{
    if (request->checksum < 0 || !*request->checksum_found)
        return;
    headers[(*count)++] = px_arena_format(&request->arena, "x-amz-checksum-%s", px_checksum_names[request->checksum]);
    headers[(*count)++] = request->checksum_found;
}
