/* Multipart uploads of the S3 dialect. The parts are the local store's; here is only the XML around them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "server/request.h"

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
    px_buffer_text(&body, PX_XML_HEAD "<InitiateMultipartUploadResult" PX_XMLNS ">");
    push_names(request, &body, id);
    px_buffer_text(&body, "</InitiateMultipartUploadResult>");
    px_answer(request, 200, "application/xml", &body, NULL, 0);
    px_buffer_done(&body);
}

/* 0 when it has answered with an error. */
static int part_number(px_request *request)
{
    const char *text = px_request_query(request, "partNumber");
    char *end;
    long number = strtol(text, &end, 10);
    if (!*end && number >= 1 && number <= PARTS_MAX)
        return (int)number;
    px_answer_error(request, 400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive");
    return 0;
}

void px_multipart_put(px_request *request)
{
    int number = part_number(request);
    if (!number)
        return;
    px_upload *upload = request->upload;
    request->upload = NULL;
    px_wait(request, px_s3_respond_put);
    px_local_part_put(request->server->local, upload, request->bucket, request->key, upload_id(request), number, px_wake, request);
}

/* ---- a part that is a piece of an object ---- */

/* Copying may take seconds, so it has a thread of its own; everything lies in the request's arena. */
struct piece {
    px_request *request;
    int fd, number; /* fd is owned */
    uint64_t first, count;
    px_upload *upload;
};

static void respond_copy(px_request *request)
{
    if (request->status != PX_OK) {
        px_answer_status(request, request->status, &request->error);
        return;
    }
    char time[PX_TIME_TEXT];
    px_time_format(request->object.modified_ms, time);
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<CopyPartResult" PX_XMLNS ">");
    px_xml_text(&body, "LastModified", time);
    px_xml_text(&body, "ETag", px_s3_etag(request, request->object.etag));
    px_buffer_text(&body, "</CopyPartResult>");
    px_answer(request, 200, "application/xml", &body, NULL, 0);
    px_buffer_done(&body);
}

static px_status copy_bytes(const struct piece *piece, px_error *err)
{
    uint8_t data[1 << 16];
    for (uint64_t done = 0; done < piece->count;) {
        uint64_t left = piece->count - done;
        size_t count = 0;
        PX_TRY(px_pread_all(piece->fd, data, left < sizeof data ? (size_t)left : sizeof data, piece->first + done, &count, "the copy's source", err));
        if (count == 0)
            return px_fail(err, PX_INTERNAL, "the copy's source is shorter than it was");
        PX_TRY(px_upload_push(piece->upload, data, count, err));
        done += count;
    }
    return PX_OK;
}

static void *copy_piece(void *context)
{
    struct piece *piece = context;
    px_request *request = piece->request;
    px_error err = { "" };
    px_status status = copy_bytes(piece, &err);
    px_fd_close(&piece->fd);
    if (status == PX_OK) {
        px_local_part_put(request->server->local, piece->upload, request->bucket, request->key, upload_id(request), piece->number,
                          px_wake, request);
        return NULL;
    }
    px_upload_abandon(piece->upload);
    px_wake(request, status, &err, NULL);
    return NULL;
}

static void start_copy(struct piece *piece)
{
    pthread_t thread;
    pthread_attr_t attributes;
    px_wait(piece->request, respond_copy);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    int number = pthread_create(&thread, &attributes, copy_piece, piece);
    pthread_attr_destroy(&attributes);
    if (number != 0) {
        px_error err = { "" };
        px_fd_close(&piece->fd);
        px_upload_abandon(piece->upload);
        px_wake(piece->request, px_fail(&err, PX_THROTTLED, "no thread for a copy"), &err, NULL);
    }
}

/* "bytes=FIRST-LAST", both needed and inside the source; NULL is all of it. */
static bool read_piece(const char *range, uint64_t bytes, struct piece *piece)
{
    piece->first = 0;
    piece->count = bytes;
    if (!range)
        return true;
    const char *dash = strncmp(range, "bytes=", 6) == 0 ? strchr(range, '-') : NULL;
    if (!dash || dash == range + 6 || !dash[1] || strspn(range + 6, "0123456789") != (size_t)(dash - range - 6) ||
        strspn(dash + 1, "0123456789") != strlen(dash + 1))
        return false;
    uint64_t last = strtoull(dash + 1, NULL, 10);
    piece->first = strtoull(range + 6, NULL, 10);
    piece->count = last - piece->first + 1;
    return piece->first <= last && last < bytes;
}

void px_multipart_copy(px_request *request)
{
    px_object source, object;
    px_error err = { "" };
    struct piece *piece = px_new(&request->arena, struct piece, 1);
    int number = part_number(request);
    if (!number || !px_s3_copy_source(request, &source))
        return;
    int fd = -1;
    px_status status = piece ? px_local_get(request->server->local, source.bucket, source.key, &request->arena, &object, &fd, &err)
                             : px_fail(&err, PX_OUT_OF_MEMORY, "no memory for a copy");
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return;
    }
    *piece = (struct piece){ .request = request, .fd = fd, .number = number };
    if (!read_piece(px_request_header(request, "x-amz-copy-source-range"), object.bytes, piece)) {
        px_fd_close(&piece->fd);
        px_answer_error(request, 400, "InvalidArgument", "The x-amz-copy-source-range must be bytes=first-last, inside the source object");
        return;
    }
    status = px_upload_begin(request->server->local, &piece->upload, &err);
    if (status == PX_OK) {
        start_copy(piece);
        return;
    }
    px_fd_close(&piece->fd);
    px_answer_status(request, status, &err);
}

/* ---- complete ---- */

struct completion {
    px_request *request;
    px_part *parts;
    int count;
    px_part part; /* the one being read */
};

static bool read_element(void *context, const char *path, const char *text)
{
    struct completion *completion = context;
    px_part *part = &completion->part;
    if (strcmp(path, "CompleteMultipartUpload/Part/PartNumber") == 0) {
        bool number = *text && strlen(text) <= 5 && strspn(text, "0123456789") == strlen(text);
        part->number = number ? atoi(text) : 0;
        return part->number >= 1 && part->number <= PARTS_MAX;
    }
    if (strcmp(path, "CompleteMultipartUpload/Part/ETag") == 0) {
        size_t length = strlen(text);
        bool quoted = length >= 2 && text[0] == '"' && text[length - 1] == '"';
        part->etag = px_arena_copy(&completion->request->arena, (px_bytes){ (const uint8_t *)text + quoted, length - 2 * (size_t)quoted });
        return part->etag != NULL;
    }
    if (strcmp(path, "CompleteMultipartUpload/Part") != 0)
        return true;
    if (!part->number || !part->etag || completion->count == PARTS_MAX)
        return false;
    completion->parts[completion->count++] = *part;
    *part = (px_part){ 0 };
    return true;
}

static bool read_completion(struct completion *completion)
{
    completion->parts = px_new(&completion->request->arena, px_part, PARTS_MAX);
    return completion->parts &&
           px_xml_read(px_buffer_bytes(&completion->request->text), read_element, completion, NULL) == PX_OK && completion->count > 0;
}

static void respond_complete(px_request *request)
{
    if (request->status != PX_OK) {
        px_answer_status(request, request->status, &request->error);
        return;
    }
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<CompleteMultipartUploadResult" PX_XMLNS ">");
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
    for (int i = 1; i < completion.count; i++)
        if (completion.parts[i].number <= completion.parts[i - 1].number) {
            px_answer_error(request, 400, "InvalidPartOrder", "The list of parts was not in ascending order.");
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
    px_buffer_text(&body, PX_XML_HEAD "<ListPartsResult" PX_XMLNS ">");
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
    px_buffer_text(&body, PX_XML_HEAD "<ListMultipartUploadsResult" PX_XMLNS ">");
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
