/* Buckets in the S3 dialect: list, create, delete, look. */
#include <string.h>

#include "base/clock.h"
#include "server/request.h"
#include "base/xml.h"

void px_s3_list_buckets(px_request *request)
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
    px_answer_xml(request, &body);
}

void px_s3_create_bucket(px_request *request)
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

void px_s3_delete_bucket(px_request *request)
{
    px_error err = { "" };
    px_status status = px_local_bucket_delete(request->server->local, request->bucket, &err);
    if (status != PX_OK)
        px_answer_status(request, status, &err);
    else
        px_answer(request, 204, NULL, NULL, NULL, 0);
}

/* False, with the answer given, if the bucket is not there. */
bool px_s3_has_bucket(px_request *request)
{
    px_bucket bucket;
    px_error err = { "" };
    px_status status = px_local_bucket_find(request->server->local, request->bucket, &request->arena, &bucket, &err);
    if (status != PX_OK)
        px_answer_status(request, status, &err);
    return status == PX_OK;
}

void px_s3_head_bucket(px_request *request)
{
    const char *headers[] = { "x-amz-bucket-region", request->server->region };
    if (px_s3_has_bucket(request))
        px_answer(request, 200, NULL, NULL, headers, 2);
}

void px_s3_bucket_location(px_request *request)
{
    if (!px_s3_has_bucket(request))
        return;
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<LocationConstraint" PX_XMLNS ">");
    if (strcmp(request->server->region, "us-east-1") != 0)
        px_xml_escape(&body, request->server->region);
    px_buffer_text(&body, "</LocationConstraint>");
    px_answer_xml(request, &body);
}

void px_s3_bucket_versioning(px_request *request)
{
    if (!px_s3_has_bucket(request))
        return;
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<VersioningConfiguration" PX_XMLNS "/>");
    px_answer_xml(request, &body);
}
