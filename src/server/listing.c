/* ListObjects and ListObjectsV2: the same walk, two ways to name the next page. A continuation token is the key after which it
 * goes on, in base 64. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/request.h"
#include "base/xml.h"

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

void px_s3_list_objects(px_request *request)
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
    px_answer_xml(request, &body);
}
