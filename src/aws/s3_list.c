/* ListObjectsV2 (S3 API reference), a page at a time. Keys come form-encoded, since XML cannot carry all of them. */
#include <stdlib.h>
#include <string.h>

#include "aws/s3.h"
#include "base/clock.h"
#include "base/xml.h"

enum { PAGE = 1000 };

struct page {
    px_arena *arena;
    px_object *objects; /* PAGE of them, in the arena */
    size_t count;
    px_object now;      /* what has been said of the next one */
    bool more, failed;
};

static bool is_at(const char *path, const char *end)
{
    size_t count = strlen(path), tail = strlen(end);
    return count >= tail && strcmp(path + count - tail, end) == 0;
}

static bool take(void *context, const char *path, const char *text)
{
    struct page *page = context;
    if (is_at(path, "/Contents/Key"))
        page->now.key = px_uri_decode(page->arena, px_bytes_of(text), true);
    else if (is_at(path, "/Contents/Size"))
        page->now.bytes = strtoull(text, NULL, 10);
    else if (is_at(path, "/Contents/ETag"))
        page->now.etag = px_arena_copy(page->arena, px_aws_s3_etag(text));
    else if (is_at(path, "/Contents/LastModified"))
        (void)px_time_parse(text, &page->now.modified_ms);
    else if (is_at(path, "/IsTruncated"))
        page->more = strcmp(text, "true") == 0;
    else if (is_at(path, "/Contents")) {
        page->failed |= !page->now.key || !page->now.etag || page->count == PAGE;
        if (!page->failed)
            page->objects[page->count++] = page->now;
        page->now = (px_object){ .etag = "" };
    }
    return !page->failed;
}

px_status px_aws_s3_list(px_aws_ports *ports, const char *bucket, const char *prefix, const char *after, px_arena *arena, px_object **ret,
                         size_t *ret_count, bool *ret_more, px_error *err)
{
    struct page page = { .arena = arena, .objects = px_new(arena, px_object, PAGE), .now = { .etag = "" } };
    const px_query queries[] = { { "list-type", "2" }, { "encoding-type", "url" }, { "max-keys", "1000" }, { "prefix", prefix }, { "start-after", after } };
    px_aws_request request = px_aws_s3_request(ports, "GET", "ListObjectsV2", bucket, prefix, arena);
    px_aws_reply reply;
    request.path = "/";
    request.queries = queries;
    request.query_count = 5;
    if (!request.target || !page.objects)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a list of %.64s", bucket);
    PX_TRY(px_aws_call(ports, &request, arena, &reply, err));
    if (px_xml_read(reply.http.body, take, &page, NULL) != PX_OK)
        return px_fail(err, PX_NETWORK, "ListObjectsV2 of %.64s: the answer cannot be read", bucket);
    *ret = page.objects;
    *ret_count = page.count;
    *ret_more = page.more && page.count > 0;
    return PX_OK;
}
