/* The body of a request: its encoding (plain or aws-chunked), where it goes (an upload, or memory for XML), and what must hold
 * of it: length, SHA-256, Content-MD5, one of S3's checksums in a header or the trailer. What fails is remembered while the
 * rest is read and thrown away, so that the client gets to hear of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/request.h"

static const uint64_t OBJECT_BYTES = 5ull << 30; /* S3's limit of one PUT */

const char *const px_checksum_names[PX_HASH_COUNT] = {
    [PX_HASH_SHA1] = "sha1", [PX_HASH_SHA256] = "sha256", [PX_HASH_CRC32] = "crc32", [PX_HASH_CRC32C] = "crc32c",
    [PX_HASH_CRC64NVME] = "crc64nvme",
};

static px_status take_payload(void *context, const char *data, size_t count, px_error *err)
{
    px_request *request = context;
    request->decoded_bytes += count;
    if (request->sha256_runs)
        px_hash_push(&request->sha256, data, count);
    if (request->checksum_runs)
        px_hash_push(&request->checksum_hash, data, count);
    if (request->upload && request->decoded_bytes > OBJECT_BYTES)
        return px_fail(err, PX_TOO_MANY_BYTES, "an object that is put at once has at most 5 GiB");
    if (request->upload)
        return px_upload_push(request->upload, data, count, err);
    if (request->text.count + count > PX_XML_BODY)
        return px_fail(err, PX_TOO_MANY_BYTES, "the request's body has more than %d bytes", PX_XML_BODY);
    px_buffer_push(&request->text, data, count);
    return PX_OK;
}

static bool refuse(px_request *request, int http, const char *code, const char *message)
{
    px_answer_error(request, http, code, message);
    return false;
}

static int checksum_find(const char *name)
{
    for (int kind = 0; kind < PX_HASH_COUNT; kind++)
        if (px_checksum_names[kind] && strcasecmp(px_checksum_names[kind], name) == 0)
            return kind;
    return -1;
}

/* Finds out which checksum comes along, in a header or in the trailer. */
static bool find_checksum(px_request *request)
{
    request->checksum = -1;
    for (int kind = 0; kind < PX_HASH_COUNT; kind++) {
        char name[40];
        snprintf(name, sizeof name, "x-amz-checksum-%s", px_checksum_names[kind] ? px_checksum_names[kind] : "none");
        const char *value = px_request_header(request, name);
        if (!value)
            continue;
        if (request->checksum >= 0 || strlen(value) >= sizeof request->checksum_declared)
            return refuse(request, 400, "InvalidRequest", "Expecting a single x-amz-checksum- header");
        request->checksum = kind;
        strcpy(request->checksum_declared, value);
    }
    const char *trailer = px_request_header(request, "x-amz-trailer");
    if (trailer && strncasecmp(trailer, "x-amz-checksum-", 15) == 0) {
        request->checksum = checksum_find(trailer + 15);
        request->checksum_in_trailer = true;
        if (request->checksum < 0)
            return refuse(request, 400, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported");
    }
    if (request->checksum >= 0) {
        px_hash_init(&request->checksum_hash, (px_hash_kind)request->checksum);
        request->checksum_runs = true;
    }
    return true;
}

bool px_body_prepare(px_request *request)
{
    const char *payload = request->payload ? request->payload : "UNSIGNED-PAYLOAD";
    request->decoded_length = UINT64_MAX;
    if (strncmp(payload, "STREAMING-", 10) == 0) {
        const char *length = px_request_header(request, "x-amz-decoded-content-length");
        char *end = NULL;
        request->chunked_body = true;
        request->chunked.is_signed = strncmp(payload, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 34) == 0;
        request->chunked.has_trailer = strlen(payload) > 8 && strcmp(payload + strlen(payload) - 8, "-TRAILER") == 0;
        if (!request->chunked.is_signed && strcmp(payload, "STREAMING-UNSIGNED-PAYLOAD-TRAILER") != 0)
            return refuse(request, 400, "InvalidArgument", "x-amz-content-sha256 names an unknown streaming payload");
        if (!length)
            return refuse(request, 411, "MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.");
        errno = 0;
        request->decoded_length = strtoull(length, &end, 10);
        if (errno || *end || *length < '0' || *length > '9')
            return refuse(request, 400, "InvalidArgument", "x-amz-decoded-content-length is not a number");
    } else if (strlen(payload) == 64) {
        px_hash_init(&request->sha256, PX_HASH_SHA256);
        request->sha256_runs = true;
    } else if (strcmp(payload, "UNSIGNED-PAYLOAD") != 0)
        return refuse(request, 400, "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-…, or a SHA-256");
    if (!find_checksum(request))
        return false;
    if (request->takes_upload) {
        px_error err = { "" };
        px_status status = px_upload_begin(request->server->local, &request->upload, &err);
        if (status != PX_OK) {
            px_answer_status(request, status, &err);
            return false;
        }
    }
    return true;
}

void px_body_push(px_request *request, const char *data, size_t count)
{
    if (request->body_status != PX_OK)
        return; /* the rest is read and thrown away: the client hears of it at the end */
    request->body_status = request->chunked_body
        ? px_chunked_push(&request->chunked, data, count, take_payload, request, &request->body_error)
        : take_payload(request, data, count, &request->body_error);
}

/* A failure with a code of its own in S3; `message` NULL: what is there already. */
static px_status coded(px_request *request, const char *code, px_status status, const char *message)
{
    request->body_code = code;
    return message ? px_fail(&request->body_error, status, "%s", message) : status;
}

static px_status judge_md5(px_request *request)
{
    const char *declared = px_request_header(request, "Content-MD5");
    uint8_t wanted[PX_HASH_MAX];
    char hex[33], found[33];
    if (!declared)
        return PX_OK;
    if (px_base64_parse(px_bytes_of(declared), wanted, sizeof wanted) != 16)
        return coded(request, "InvalidDigest", PX_BAD_REQUEST, "the Content-MD5 you specified is not valid");
    px_hex(wanted, 16, hex);
    if (request->upload)
        px_upload_md5(request->upload, found);
    else {
        uint8_t digest[PX_HASH_MAX];
        px_hash_of(PX_HASH_MD5, px_buffer_bytes(&request->text), digest);
        px_hex(digest, 16, found);
    }
    return strcmp(hex, found) == 0 ? PX_OK : px_fail(&request->body_error, PX_CHECKSUM_MISMATCH, "the Content-MD5 you specified did not match what we received");
}

static px_status judge(px_request *request)
{
    px_error *err = &request->body_error;
    PX_TRY(request->body_status);
    if (request->chunked_body && px_chunked_finish(&request->chunked, err) != PX_OK)
        return coded(request, "IncompleteBody", PX_BAD_REQUEST, NULL);
    if (request->decoded_length != UINT64_MAX && request->decoded_length != request->decoded_bytes)
        return coded(request, "IncompleteBody", PX_BAD_REQUEST, "the body does not have x-amz-decoded-content-length bytes");
    uint8_t digest[PX_HASH_MAX];
    if (request->sha256_runs) {
        char hex[65];
        px_hash_finish(&request->sha256, digest);
        request->sha256_runs = false;
        px_hex(digest, 32, hex);
        if (strcasecmp(hex, request->payload) != 0)
            return coded(request, "XAmzContentSHA256Mismatch", PX_CHECKSUM_MISMATCH,
                         "the x-amz-content-sha256 you specified did not match what we received");
    }
    if (request->checksum_runs) {
        size_t size = px_hash_finish(&request->checksum_hash, digest);
        request->checksum_runs = false;
        px_base64_format(digest, size, request->checksum_found);
        char name[40];
        snprintf(name, sizeof name, "x-amz-checksum-%s", px_checksum_names[request->checksum]);
        if (request->checksum_in_trailer && !px_chunked_trailer(&request->chunked, name, request->checksum_declared, sizeof request->checksum_declared))
            return px_fail(err, PX_BAD_REQUEST, "the trailer %s did not come", name);
        if (strcmp(request->checksum_found, request->checksum_declared) != 0)
            return px_fail(err, PX_CHECKSUM_MISMATCH, "the %s you specified did not match the calculated checksum", name);
    }
    return judge_md5(request);
}

bool px_body_finish(px_request *request)
{
    px_status status = judge(request);
    if (status == PX_OK)
        return true;
    if (status == PX_ACCESS_DENIED) /* of a chunk or the trailer */
        request->body_code = "SignatureDoesNotMatch";
    if (request->body_code && !px_server_is_api(request)) /* which has codes of its own */
        px_answer_error(request, px_status_http(status), request->body_code, request->body_error.message);
    else
        px_answer_status(request, status, &request->body_error);
    return false;
}
