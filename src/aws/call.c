/* One way to call AWS: sign, send, and try again while that may help.
 *
 * A repeat is signed anew, with new credentials when the old ones have expired and with AWS's time when our clock is wrong.
 * Waits grow with full jitter; what does not fit before the deadline is not tried. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "aws/operations.h"
#include "aws/shared.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/sigv4.h"

enum { TRIES_MAX = 6, WAIT_MS = 50, WAIT_MAX_MS = 5000, RETRY_AFTER_MAX_S = 20, POLL_MAX_MS = 60000 /* the peer may be gone without a word */, SKEW_WORTH_MS = 120000, MARGIN_MS = 200, END_MS = 1500 /* for record and answer after a fetch that stalls */ };

int px_aws_backoff_ms(int attempt)
{
    int ceiling = WAIT_MS;
    for (int i = 2; i < attempt && ceiling < WAIT_MAX_MS; i++)
        ceiling *= 2;
    uint32_t random;
    px_random(&random, sizeof random);
    return (int)(random % (uint32_t)(ceiling < WAIT_MAX_MS ? ceiling : WAIT_MAX_MS)) + 1;
}

/* ---- one signed request ---- */

void px_aws_format_date(int64_t skew_ms, char date[17])
{
    time_t now = (time_t)((px_now_ms() + skew_ms) / 1000);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(date, 17, "%Y%m%dT%H%M%SZ", &parts);
}

px_status px_aws_hash_part(int fd, uint64_t offset, uint64_t bytes, const char *name, uint8_t digest[32], px_error *err)
{
    uint8_t data[65536];
    px_hash hash;
    px_hash_init(&hash, PX_HASH_SHA256);
    for (uint64_t done = 0; done < bytes;) {
        uint64_t left = bytes - done;
        ssize_t got = pread(fd, data, left < sizeof data ? (size_t)left : sizeof data, (off_t)(offset + done));
        if (got <= 0) {
            px_hash_done(&hash);
            return px_fail_errno(err, got ? errno : EIO, "cannot read the bytes of %.200s", name);
        }
        px_hash_push(&hash, data, (size_t)got);
        done += (uint64_t)got;
    }
    px_hash_finish(&hash, digest);
    return PX_OK;
}

static px_status hash_payload(const px_aws_request *request, char hex[65], px_error *err)
{
    uint8_t digest[PX_HASH_MAX];
    if (request->has_fd)
        PX_TRY(px_aws_hash_part(request->fd, request->body_offset, request->body_bytes, request->target, digest, err));
    else
        px_hash_of(PX_HASH_SHA256, request->body, digest);
    px_hex(digest, 32, hex);
    return PX_OK;
}

px_status px_aws_format_url(const px_aws_request *request, const char *region, px_arena *arena, const char **ret_url,
                            const char **ret_path, const char **ret_host, px_error *err)
{
    const char *base = request->url, *path = request->path;
    bool path_style = false;
    if (!base)
        PX_TRY(px_aws_endpoint(request->service, request->bucket, request->s3_style, region, arena, &base, &path_style, err));
    const char *host = strstr(base, "://");
    if (!host)
        return px_fail(err, PX_BAD_CONFIG, "'%.100s' is not an address", base);
    host += 3;
    size_t host_bytes = strcspn(host, "/");
    char *before = px_uri_decode(arena, px_bytes_of(host + host_bytes), false);
    if (!before)
        return px_fail(err, PX_BAD_CONFIG, "'%.100s' is not an address", base);
    if (path) /* NULL: no memory for it; never the address of the whole bucket instead */
        path = path_style ? px_arena_format(arena, "%s/%s%s", before, request->bucket, path) : px_arena_format(arena, "%s%s", before, path);
    PX_AUTO(px_buffer_done) px_buffer url = { 0 };
    px_buffer_push(&url, base, (size_t)(host - base) + host_bytes);
    px_uri_encode(&url, path ? path : "", true);
    for (int i = 0; i < request->query_count; i++) {
        px_buffer_text(&url, i ? "&" : "?");
        px_uri_encode(&url, request->queries[i].name, false);
        px_buffer_text(&url, "=");
        px_uri_encode(&url, request->queries[i].value, false);
    }
    *ret_url = px_buffer_failed(&url) || !path ? NULL : px_arena_copy(arena, px_buffer_bytes(&url));
    *ret_host = px_arena_copy(arena, (px_bytes){ (const uint8_t *)host, host_bytes });
    *ret_path = path && *path ? path : "/";
    return *ret_url && *ret_host ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for an address");
}

px_status px_aws_prepare(int64_t skew_ms, const px_aws_request *request, const px_credentials *signer, const char *region, px_arena *arena,
                         px_http_request *ret, px_error *err)
{
    const char *url = NULL, *path = "", *host = "", *payload = request->payload_hash;
    char hash[65];
    px_sigv4_scope scope = { .region = region, .service = request->service };
    px_sigv4_header headers[PX_AWS_HEADERS_MAX];
    px_http_header *out = px_new(arena, px_http_header, PX_AWS_HEADERS_MAX);
    int count = 0;
    PX_TRY(px_aws_format_url(request, region, arena, &url, &path, &host, err));
    if (!payload) {
        PX_TRY(hash_payload(request, hash, err));
        payload = px_arena_copy_text(arena, hash);
    }
    px_aws_format_date(skew_ms, scope.date);
    const char *date = px_arena_copy_text(arena, scope.date);
    if (!date || !out || !payload)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    headers[count++] = (px_sigv4_header){ "host", host };
    headers[count++] = (px_sigv4_header){ "x-amz-date", date };
    headers[count++] = (px_sigv4_header){ "x-amz-content-sha256", payload };
    if (*signer->token)
        headers[count++] = (px_sigv4_header){ "x-amz-security-token", signer->token };
    if (request->requester_pays)
        headers[count++] = (px_sigv4_header){ "x-amz-request-payer", "requester" };
    if (count + request->header_count + 1 > PX_AWS_HEADERS_MAX)
        return px_fail(err, PX_BAD_REQUEST, "%s of %.120s has more than %d headers", request->action, request->target, PX_AWS_HEADERS_MAX);
    for (int i = 0; i < request->header_count; i++)
        if (*request->headers[i].value)
            headers[count++] = (px_sigv4_header){ request->headers[i].name, request->headers[i].value };

    px_sigv4_request to_sign = { .method = request->method, .path = path, .queries = request->queries, .query_count = request->query_count,
                                 .headers = headers, .header_count = count, .payload = payload };
    px_sigv4_credentials credentials = { signer->access_key_id, signer->secret, signer->token };
    PX_AUTO(px_buffer_done) px_buffer authorization = { 0 };
    PX_TRY(px_sigv4_authorize(&to_sign, &scope, &credentials, &authorization, err));
    char *value = px_arena_copy(arena, px_buffer_bytes(&authorization));
    if (!value)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a signature");
    for (int i = 0; i < count; i++)
        out[i] = (px_http_header){ headers[i].name, headers[i].value };
    out[count++] = (px_http_header){ "authorization", value };
    *ret = (px_http_request){ .method = request->method, .url = url, .headers = out, .header_count = count, .body = request->body,
                              .has_fd = request->has_fd, .fd = request->fd, .body_offset = request->body_offset,
                              .body_bytes = request->body_bytes, .patient = request->patient };
    return PX_OK;
}

/* ---- and its repeats ---- */

struct attempt {
    px_status status;
    const char *code, *message; /* AWS's; "" if there was no answer */
    bool again;                 /* may a repeat do better? */
    int wait_ms;                /* at least; of Retry-After */
};

/* AWS's Date against ours, when it said that ours is wrong. */
static void correct_clock(px_aws *aws, const px_http_response *response)
{
    int64_t theirs;
    if (px_http_time_parse(px_http_header_find(response, "date"), &theirs) && llabs(theirs - px_now_ms()) > SKEW_WORTH_MS)
        atomic_store(&aws->skew_ms, theirs - px_now_ms());
}

static bool learn_region(px_aws *aws, const px_aws_request *request, const px_aws_reply *reply, px_arena *arena)
{
    const char *right = request->bucket ? px_aws_error_region(&reply->http, arena) : "";
    if (!*right || strcmp(right, reply->region) == 0 || strlen(right) >= 64)
        return false;
    px_aws_region_learn(aws, request->bucket, right);
    return true;
}

static bool is_about_time(const char *code)
{
    return strcmp(code, "RequestTimeTooSkewed") == 0 || strcmp(code, "RequestExpired") == 0 || strcmp(code, "InvalidSignatureException") == 0 ||
           strcmp(code, "SignatureDoesNotMatch") == 0;
}

static void judge(px_aws_ports *ports, const px_aws_request *request, const px_aws_reply *reply, px_arena *arena, struct attempt *ret)
{
    const px_http_response *response = &reply->http;
    px_aws_error_read(response, arena, &ret->code, &ret->message);
    ret->status = px_aws_error_status(request->service, response->status, ret->code);
    ret->again = px_aws_error_may_pass(response->status, ret->code);
    long after_s = strtol(px_http_header_find(response, "retry-after"), NULL, 10);
    if (after_s > RETRY_AFTER_MAX_S)
        ret->again = false; /* it is not worth to hold the job up for that: whoever gave it gives it again */
    else if (after_s > 0)
        ret->wait_ms = (int)after_s * 1000;
    if (ret->status == PX_EXPIRED_TOKEN)
        px_credentials_expire(ports->aws->chain, reply->signer);
    if (is_about_time(ret->code)) {
        long long before = atomic_load(&ports->aws->skew_ms);
        correct_clock(ports->aws, response);
        ret->again = before != atomic_load(&ports->aws->skew_ms);
    }
    if (learn_region(ports->aws, request, reply, arena)) {
        ret->again = true;
        ret->wait_ms = 0;
    }
}

static px_status try_once(px_aws_ports *ports, const px_aws_request *request, px_arena *arena, px_aws_reply *ret, struct attempt *attempt,
                          px_error *err)
{
    px_aws *aws = ports->aws;
    px_http_request http;
    char *region = px_new(arena, char, 64);
    ret->signer = px_new(arena, px_credentials, 1);
    *attempt = (struct attempt){ .code = "", .message = "" };
    if (!region || !ret->signer)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    px_status status = px_credentials_now(aws->chain, ret->signer, err);
    attempt->again = status == PX_NETWORK || status == PX_THROTTLED;
    PX_TRY(status);
    attempt->again = false;
    px_aws_region_of(aws, request->bucket, region);
    if (request->region && *request->region)
        snprintf(region, 64, "%s", request->region);
    if (!*region)
        strcpy(region, "us-east-1"); /* a configured endpoint mostly does not care */
    ret->region = region;
    PX_TRY(px_aws_prepare(atomic_load(&aws->skew_ms), request, ret->signer, region, arena, &http, err));
    http.deadline_ms = ports->deadline_ms && request->sink ? ports->deadline_ms - END_MS : ports->deadline_ms;
    if (request->patient && !http.deadline_ms)
        http.deadline_ms = px_now_ms() + POLL_MAX_MS;
    status = request->sink ? px_http_stream(aws->http, &http, request->sink, arena, &ret->http, err)
                           : px_http_send(aws->http, &http, arena, &ret->http, err);
    if (status != PX_OK) {
        attempt->again = status == PX_NETWORK;
        return status;
    }
    if ((ret->http.status >= 200 && ret->http.status < 300) || ret->http.status == 304)
        return PX_OK;
    judge(ports, request, ret, arena, attempt);
    ret->code = attempt->code;
    return px_fail(err, attempt->status, "%s of %.120s: %s%s%.160s", request->action, request->target,
                   *attempt->code ? attempt->code : "HTTP ", *attempt->message ? ": " : "",
                   *attempt->message ? attempt->message : *attempt->code ? "" : px_arena_format(arena, "%d", ret->http.status));
}

static bool wait_for_next(const px_aws_ports *ports, int attempt, int at_least_ms)
{
    int wait = px_aws_backoff_ms(attempt + 1);
    if (wait < at_least_ms)
        wait = at_least_ms;
    if (attempt == TRIES_MAX || (ports->deadline_ms && px_now_ms() + wait + MARGIN_MS > ports->deadline_ms))
        return false;
    usleep((useconds_t)wait * 1000);
    return true;
}

static void log_call(const px_aws_ports *ports, const px_aws_request *request, const px_aws_reply *reply, int tries, int64_t start_us,
                     px_status status, const px_error *why)
{
    char message[64];
    snprintf(message, sizeof message, "%s.%s", request->service, request->action);
    json_t *fields = json_pack("{s:s, s:f, s:s, s:i, s:i}", "target", request->target, "durationMs",
                               (double)(px_monotonic_us() - start_us) / 1000.0, "result", px_status_code(status), "httpStatus",
                               reply->http.status, "tries", tries);
    const char *id = px_http_header_find(&reply->http, "x-amz-request-id");
    if (!*id)
        id = px_http_header_find(&reply->http, "x-amzn-requestid");
    if (fields && *id)
        json_object_set_new(fields, "awsRequestId", json_string(id));
    if (fields && status != PX_OK)
        json_object_set_new(fields, "reason", json_string(why->message));
    bool expected = status == PX_OK || status == PX_CONFLICT || status == PX_NO_SUCH_KEY;
    px_log_write(ports->aws->log, request->patient ? PX_DEBUG : expected ? PX_INFO : PX_WARN, ports->request_id, message, fields);
}

/* Roles are made from the table of operations: what it lacks would be denied on AWS. */
static bool is_in_table(const px_aws_request *request)
{
#define PX_AWS_NAMES(service, operation, who, grants, why) { service, operation },
    static const char *const rows[][2] = { PX_AWS_OPERATIONS(PX_AWS_NAMES) };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i][0], request->service) == 0 && strcmp(rows[i][1], request->action) == 0)
            return true;
    return false;
}

px_status px_aws_call(px_aws_ports *ports, const px_aws_request *request, px_arena *arena, px_aws_reply *ret, px_error *err)
{
    assert(is_in_table(request));
    int64_t start_us = px_monotonic_us();
    struct attempt attempt;
    px_error why = { "" };
    px_status status;
    int tries = 1;
    for (;; tries++) {
        *ret = (px_aws_reply){ .code = "" };
        status = try_once(ports, request, arena, ret, &attempt, &why);
        if (status == PX_OK || !attempt.again || !wait_for_next(ports, tries, attempt.wait_ms))
            break;
    }
    if (status == PX_CHECKSUM_MISMATCH)
        status = PX_NETWORK; /* on the way to AWS: the bytes here are as they were */
    if (status == PX_BAD_CONFIG && !*ret->code)
        status = PX_NETWORK; /* a certificate that is not trusted: no repeat helps now, but the picture is not to blame */
    if (status == PX_OUT_OF_TIME)
        status = PX_NETWORK; /* the invocation's time was up, not the picture's */
    log_call(ports, request, ret, tries, start_us, status, &why);
    if (status != PX_OK && err)
        *err = why;
    return status;
}

px_status px_aws_call_json(px_aws_ports *ports, const px_aws_request *about, const char *target_header, const json_t *body, px_arena *arena,
                           json_t **ret_answer, const char **ret_code, px_error *err)
{
    const char *action = strrchr(target_header, '.');
    char *text = json_dumps(body, JSON_COMPACT);
    px_http_header headers[] = { { "content-type", strcmp(about->service, "dynamodb") == 0 || strcmp(about->service, "sqs") == 0
                                                       ? "application/x-amz-json-1.0" : "application/x-amz-json-1.1" },
                                 { "x-amz-target", target_header } };
    px_aws_request request = *about;
    px_aws_reply reply = { .code = "" };
    if (!text)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    request.action = action ? action + 1 : target_header;
    request.method = "POST";
    request.path = about->url ? "" : "/";
    request.headers = headers;
    request.header_count = 2;
    request.body = px_bytes_of(text);
    px_status status = px_aws_call(ports, &request, arena, &reply, err);
    free(text);
    if (ret_code)
        *ret_code = reply.code;
    json_t *answer = reply.http.body.count ? json_loadb((const char *)reply.http.body.data, reply.http.body.count, 0, NULL) : NULL;
    if (status == PX_OK && reply.http.body.count && !answer)
        return px_fail(err, PX_NETWORK, "%s of %.120s: the answer is not JSON", request.action, about->target);
    *ret_answer = answer;
    return status;
}
