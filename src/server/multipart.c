/* Multipart uploads of the S3 dialect. The parts are the local store's; here is only the XML around them. */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/request.h"

#define XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

enum { PARTS_MAX = 10000 };

static const char *upload_id(px_request *request)
{
    const char *id = px_request_query(request, "uploadId");
    return id ? id : "";
}

static void push_names(px_request *request, px_buffer *body, const char *id)
{
    px_xml_text(body, "Bucket", request->bucket);
    px_xml_text(body, "Key", request->key);
    px_xml_text(body, "UploadId", id);
}

void px_multipart_create(px_request *request)
{
    px_object head;
    const char *id;
    px_error err = { "" };
    if (!px_s3_head(request, &head))
        return;
    px_status status = px_local_multipart_create(request->server->local, &head, &request->arena, &id, &err);
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return;
    }
    px_buffer body = { 0 };
    px_buffer_text(&body, XML_HEAD "<InitiateMultipartUploadResult" XMLNS ">");
    push_names(request, &body, id);
    px_buffer_text(&body, "</InitiateMultipartUploadResult>");
    px_answer(request, 200, "application/xml", &body, NULL, 0);
    px_buffer_done(&body);
}

static void respond_part(px_request *request)
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

void px_multipart_put(px_request *request)
{
    const char *text = px_request_query(request, "partNumber");
    char *end;
    long number = strtol(text, &end, 10);
    if (*end || number < 1 || number > PARTS_MAX) {
        px_answer_error(request, 400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
        return;
    }
    px_upload *upload = request->upload;
    request->upload = NULL;
    px_wait(request, respond_part);
    px_local_part_put(request->server->local, upload, request->bucket, request->key, upload_id(request), (int)number, px_wake, request);
}

/* ---- complete ---- */

struct completion {
    px_request *request;
    px_part *parts;
    int count;
    bool refused, has_number, has_etag;
    px_buffer text;
};

static void xml_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    struct completion *completion = context;
    px_buffer_clear(&completion->text);
    if (strcmp(name, "Part") != 0)
        return;
    completion->has_number = completion->has_etag = false;
    if (completion->count == PARTS_MAX)
        completion->refused = true;
}

static void xml_text(void *context, const XML_Char *text, int length)
{
    struct completion *completion = context;
    if (completion->text.count + (size_t)length < 1024)
        px_buffer_push(&completion->text, text, (size_t)length);
}

static void xml_end(void *context, const XML_Char *name)
{
    struct completion *completion = context;
    const char *text = completion->text.data && completion->text.count ? completion->text.data : "";
    if (completion->refused)
        return;
    px_part *part = &completion->parts[completion->count];
    if (strcmp(name, "PartNumber") == 0) {
        part->number = atoi(text);
        completion->has_number = part->number >= 1 && part->number <= PARTS_MAX;
    } else if (strcmp(name, "ETag") == 0) {
        size_t length = strlen(text);
        bool quoted = length >= 2 && text[0] == '"' && text[length - 1] == '"';
        part->etag = px_arena_copy(&completion->request->arena, (px_bytes){ (const uint8_t *)text + quoted, length - 2 * (size_t)quoted });
        completion->has_etag = part->etag != NULL;
    } else if (strcmp(name, "Part") == 0) {
        if (completion->has_number && completion->has_etag)
            completion->count++;
        else
            completion->refused = true;
    }
    px_buffer_clear(&completion->text);
}

static void refuse_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public_id, int internal)
{
    (void)name, (void)system, (void)public_id, (void)internal;
    ((struct completion *)context)->refused = true;
}

static bool read_completion(struct completion *completion)
{
    const px_buffer *body = &completion->request->text;
    completion->parts = px_new(&completion->request->arena, px_part, PARTS_MAX + 1);
    XML_Parser parser = completion->parts ? XML_ParserCreate("UTF-8") : NULL;
    if (!parser)
        return false;
    XML_SetUserData(parser, completion);
    XML_SetElementHandler(parser, xml_start, xml_end);
    XML_SetCharacterDataHandler(parser, xml_text);
    XML_SetStartDoctypeDeclHandler(parser, refuse_doctype);
    bool good = body->count > 0 && XML_Parse(parser, body->data, (int)body->count, 1) == XML_STATUS_OK;
    XML_ParserFree(parser);
    px_buffer_done(&completion->text);
    return good && !completion->refused && completion->count > 0;
}

static void respond_complete(px_request *request)
{
    if (request->status == PX_BAD_PART) {
        bool small = strstr(request->error.message, "small") != NULL, order = strstr(request->error.message, "order") != NULL;
        px_answer_error(request, 400, small ? "EntityTooSmall" : order ? "InvalidPartOrder" : "InvalidPart", request->error.message);
        return;
    }
    if (request->status != PX_OK) {
        px_answer_status(request, request->status, &request->error);
        return;
    }
    px_buffer body = { 0 };
    px_buffer_text(&body, XML_HEAD "<CompleteMultipartUploadResult" XMLNS ">");
    px_xml_text(&body, "Bucket", request->bucket);
    px_xml_text(&body, "Key", request->key);
    px_xml_text(&body, "ETag", px_s3_etag(request, request->object.etag));
    px_buffer_text(&body, "</CompleteMultipartUploadResult>");
    px_answer(request, 200, "application/xml", &body, NULL, 0);
    px_buffer_done(&body);
}

void px_multipart_complete(px_request *request)
{
    struct completion completion = { .request = request };
    if (!read_completion(&completion)) {
        px_answer_error(request, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate: a list of parts is wanted");
        return;
    }
    px_wait(request, respond_complete);
    px_local_multipart_complete(request->server->local, request->bucket, request->key, upload_id(request), completion.parts,
                                completion.count, px_s3_condition(request), px_wake, request);
}

void px_multipart_abort(px_request *request)
{
    px_error err = { "" };
    px_status status = px_local_multipart_abort(request->server->local, request->bucket, request->key, upload_id(request), &err);
    if (status != PX_OK)
        px_answer_status(request, status, &err);
    else
        px_answer(request, 204, NULL, NULL, NULL, 0);
}

static int number_of(px_request *request, const char *name, int fallback)
{
    const char *text = px_request_query(request, name);
    int number = text ? atoi(text) : fallback;
    return number < 0 ? 0 : number > PARTS_MAX ? PARTS_MAX : number;
}

void px_multipart_parts(px_request *request)
{
    px_part *parts;
    int count, max = number_of(request, "max-parts", 1000), after = number_of(request, "part-number-marker", 0);
    bool truncated;
    px_error err = { "" };
    px_status status = px_local_part_list(request->server->local, request->bucket, request->key, upload_id(request), after,
                                          max > 1000 ? 1000 : max, &request->arena, &parts, &count, &truncated, &err);
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return;
    }
    px_buffer body = { 0 };
    px_buffer_text(&body, XML_HEAD "<ListPartsResult" XMLNS ">");
    push_names(request, &body, upload_id(request));
    px_buffer_format(&body, "<PartNumberMarker>%d</PartNumberMarker><MaxParts>%d</MaxParts><IsTruncated>%s</IsTruncated>", after, max,
                     truncated ? "true" : "false");
    if (truncated && count)
        px_buffer_format(&body, "<NextPartNumberMarker>%d</NextPartNumberMarker>", parts[count - 1].number);
    for (int i = 0; i < count; i++) {
        char time[PX_TIME_TEXT];
        px_time_format(parts[i].modified_ms, time);
        px_buffer_format(&body, "<Part><PartNumber>%d</PartNumber>", parts[i].number);
        px_xml_text(&body, "LastModified", time);
        px_xml_text(&body, "ETag", px_s3_etag(request, parts[i].etag));
        px_buffer_format(&body, "<Size>%llu</Size></Part>", (unsigned long long)parts[i].bytes);
    }
    px_buffer_text(&body, "</ListPartsResult>");
    px_answer(request, 200, "application/xml", &body, NULL, 0);
    px_buffer_done(&body);
}

void px_multipart_list(px_request *request)
{
    px_multipart *uploads;
    int count;
    const char *prefix = px_request_query(request, "prefix");
    px_error err = { "" };
    px_status status = px_local_multipart_list(request->server->local, request->bucket, prefix ? prefix : "", 1000, &request->arena,
                                               &uploads, &count, &err);
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return;
    }
    px_buffer body = { 0 };
    px_buffer_text(&body, XML_HEAD "<ListMultipartUploadsResult" XMLNS ">");
    px_xml_text(&body, "Bucket", request->bucket);
    px_buffer_text(&body, "<MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated>");
    for (int i = 0; i < count; i++) {
        char time[PX_TIME_TEXT];
        px_time_format(uploads[i].created_ms, time);
        px_buffer_text(&body, "<Upload>");
        px_xml_text(&body, "Key", uploads[i].key);
        px_xml_text(&body, "UploadId", uploads[i].id);
        px_xml_text(&body, "Initiated", time);
        px_buffer_text(&body, "</Upload>");
    }
    px_buffer_text(&body, "</ListMultipartUploadsResult>");
    px_answer(request, 200, "application/xml", &body, NULL, 0);
    px_buffer_done(&body);
}
