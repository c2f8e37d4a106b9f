/* The gate: SigV4 in the Authorization header or in the query, judged before any route. Whoever passes may do everything;
 * policies will be asked in `may`, and nowhere else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "server/request.h"

/* What a request claims. */
struct claim {
    char key_id[129], day[9], region[65], service[17], signed_headers[1024], signature[65];
    px_sigv4_scope scope;
    const char *payload;
    bool presigned;
};

/* To the API, which is no S3, credentials that cannot be read are as good as none. */
static bool refuse(px_request *request, int http, const char *code, const char *message)
{
    if (px_server_is_api(request) && http == 400)
        http = 401;
    px_answer_error(request, http, code, message);
    return false;
}

static bool copy_to(char *target, size_t capacity, const char *start, size_t count)
{
    if (count == 0 || count >= capacity)
        return false;
    memcpy(target, start, count);
    target[count] = '\0';
    return true;
}

/* KEY/20130524/us-east-1/s3/aws4_request */
static bool read_credential(struct claim *claim, const char *text, size_t length)
{
    const char *end = text + length, *at = end;
    const char *slashes[4];
    for (int i = 3; i >= 0; i--) {
        do
            at--;
        while (at >= text && *at != '/');
        if (at < text)
            return false;
        slashes[i] = at;
    }
    return copy_to(claim->key_id, sizeof claim->key_id, text, (size_t)(slashes[0] - text)) &&
           copy_to(claim->day, sizeof claim->day, slashes[0] + 1, (size_t)(slashes[1] - slashes[0] - 1)) &&
           copy_to(claim->region, sizeof claim->region, slashes[1] + 1, (size_t)(slashes[2] - slashes[1] - 1)) &&
           copy_to(claim->service, sizeof claim->service, slashes[2] + 1, (size_t)(slashes[3] - slashes[2] - 1)) &&
           end - slashes[3] == 13 && memcmp(slashes[3], "/aws4_request", 13) == 0;
}

static bool find_field(const char *text, const char *name, const char **start, size_t *length)
{
    const char *at = strstr(text, name);
    if (!at)
        return false;
    *start = at + strlen(name);
    *length = strcspn(*start, ", ");
    return true;
}

static bool read_header(px_request *request, struct claim *claim, const char *text)
{
    const char *start;
    size_t length;
    if (strncmp(text, "AWS4-HMAC-SHA256 ", 17) != 0)
        return refuse(request, 400, "InvalidArgument", "Unsupported Authorization type: only AWS4-HMAC-SHA256 is understood");
    if (!find_field(text, "Credential=", &start, &length) || !read_credential(claim, start, length) ||
        !find_field(text, "SignedHeaders=", &start, &length) ||
        !copy_to(claim->signed_headers, sizeof claim->signed_headers, start, length) ||
        !find_field(text, "Signature=", &start, &length) || !copy_to(claim->signature, sizeof claim->signature, start, length))
        return refuse(request, 400, "AuthorizationHeaderMalformed", "The authorization header is malformed");
    const char *date = px_request_header(request, "x-amz-date");
    int64_t when = 0;
    if (!date && (date = px_request_header(request, "Date")) && px_http_time_parse(date, &when)) {
        char iso[PX_TIME_TEXT];
        px_time_format(when, iso);
        date = px_arena_format(&request->arena, "%.4s%.2s%.2sT%.2s%.2s%.2sZ", iso, iso + 5, iso + 8, iso + 11, iso + 14, iso + 17);
    }
    if (!date || strlen(date) != 16)
        return refuse(request, 403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
    memcpy(claim->scope.date, date, 17);
    claim->payload = px_request_header(request, "x-amz-content-sha256");
    claim->payload = claim->payload ? claim->payload : request->found_payload;
    if (!claim->payload)
        return refuse(request, 400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
    return true;
}

static bool read_query(px_request *request, struct claim *claim)
{
    const char *credential = px_request_query(request, "X-Amz-Credential"), *date = px_request_query(request, "X-Amz-Date");
    const char *expires = px_request_query(request, "X-Amz-Expires"), *headers = px_request_query(request, "X-Amz-SignedHeaders");
    const char *signature = px_request_query(request, "X-Amz-Signature");
    const char *algorithm = px_request_query(request, "X-Amz-Algorithm");
    if (!algorithm || strcmp(algorithm, "AWS4-HMAC-SHA256") != 0 || !credential || !date || strlen(date) != 16 || !expires || !headers ||
        !signature || !read_credential(claim, credential, strlen(credential)) ||
        !copy_to(claim->signed_headers, sizeof claim->signed_headers, headers, strlen(headers)) ||
        !copy_to(claim->signature, sizeof claim->signature, signature, strlen(signature)))
        return refuse(request, 400, "AuthorizationQueryParametersError", "The signature's query parameters are not whole");
    memcpy(claim->scope.date, date, 17);
    claim->presigned = true;
    claim->payload = px_request_header(request, "x-amz-content-sha256");
    if (!claim->payload)
        claim->payload = "UNSIGNED-PAYLOAD";
    return true;
}

static bool date_ms(const char *date, int64_t *ret)
{
    char iso[32];
    snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", date, date + 4, date + 6, date + 9, date + 11, date + 13);
    return date[8] == 'T' && date[15] == 'Z' && px_time_parse(iso, ret);
}

static bool judge_time(px_request *request, const struct claim *claim)
{
    int64_t when = 0, now = px_now_ms();
    if (!date_ms(claim->scope.date, &when))
        return refuse(request, 403, "AccessDenied", "The request's date is not readable");
    if (!claim->presigned)
        return (when - now <= PX_SKEW_MS && now - when <= PX_SKEW_MS) ||
               refuse(request, 403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.");
    char *end;
    long long seconds = strtoll(px_request_query(request, "X-Amz-Expires"), &end, 10);
    if (*end || seconds < 1 || seconds > 604800)
        return refuse(request, 400, "AuthorizationQueryParametersError", "X-Amz-Expires must be between 1 and 604800 seconds");
    if (when - now > PX_SKEW_MS)
        return refuse(request, 403, "AccessDenied", "Request is not valid yet");
    if (now > when + seconds * 1000)
        return refuse(request, 403, "AccessDenied", "Request has expired");
    return true;
}

struct unsigned_search {
    const char *signed_headers;
    const char *name; /* counted */
    int count;
    bool found;
};

static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; *at; at += strcspn(at, ";"), at += *at == ';')
        if (strcspn(at, ";") == length && strncasecmp(at, name, length) == 0)
            return true;
    return false;
}

static enum MHD_Result look_for_unsigned(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind, (void)value;
    struct unsigned_search *search = context;
    if (strncasecmp(name, "x-amz-", 6) == 0 && strcasecmp(name, "x-amz-content-sha256") != 0 && !is_listed(search->signed_headers, name))
        search->found = true;
    return MHD_YES;
}

static enum MHD_Result count_name(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind, (void)value;
    struct unsigned_search *search = context;
    search->count += strcasecmp(name, search->name) == 0;
    return MHD_YES;
}

/* A signed header that came twice: which of the two was signed could not be told. */
static bool is_repeated(px_request *request, const char *name)
{
    struct unsigned_search search = { .name = name };
    px_mhd.get_connection_values(request->connection, MHD_HEADER_KIND, count_name, &search);
    return search.count > 1;
}

static bool judge_signature(px_request *request, struct claim *claim, const char *secret)
{
    px_sigv4_header headers[PX_SIGV4_HEADERS_MAX];
    int count = 0;
    if (!is_listed(claim->signed_headers, "host"))
        return refuse(request, 403, "AccessDenied", "The host header must be signed");
    struct unsigned_search search = { .signed_headers = claim->signed_headers };
    px_mhd.get_connection_values(request->connection, MHD_HEADER_KIND, look_for_unsigned, &search);
    if (search.found)
        return refuse(request, 403, "AccessDenied", "There were headers present in the request which were not signed");
    char *list = px_arena_copy_text(&request->arena, claim->signed_headers);
    for (char *save = NULL, *name = list ? strtok_r(list, ";", &save) : NULL; name; name = strtok_r(NULL, ";", &save)) {
        const char *value = px_request_header(request, name);
        if (count == PX_SIGV4_HEADERS_MAX || !value || is_repeated(request, name))
            return refuse(request, 403, "AccessDenied", "A signed header is missing from the request, or came twice");
        headers[count++] = (px_sigv4_header){ name, value };
    }
    px_sigv4_request signed_request = { request->method, request->path, request->queries, request->query_count, headers, count,
                                        claim->payload };
    char expected[65];
    px_error err = { "" };
    px_sigv4_key(secret, &claim->scope, request->chunked.key);
    px_status status = px_sigv4_sign(&signed_request, &claim->scope, request->chunked.key, expected, &err);
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return false;
    }
    if (!px_equal_secret(px_bytes_of(expected), px_bytes_of(claim->signature)))
        return refuse(request, 403, "SignatureDoesNotMatch",
                      "The request signature we calculated does not match the signature you provided. Check your key and signing method.");
    memcpy(request->chunked.previous, expected, sizeof expected);
    return true;
}

/* May this key do this? Every enabled key may do everything so far. */
static bool may(px_request *request, const px_access_key *key)
{
    return key->enabled || refuse(request, 403, "InvalidAccessKeyId", "The AWS Access Key Id you provided is disabled.");
}

/* The service that a signature is for; NULL: none of ours. The API's clients may sign as they do for API Gateway. */
static const char *service_of(px_request *request, const char *service)
{
    return strcmp(service, "s3") == 0 ? "s3" : strcmp(service, "execute-api") == 0 && px_server_is_api(request) ? "execute-api" : NULL;
}

bool px_gate(px_request *request)
{
    struct claim claim = { .scope.region = "" };
    const char *authorization = px_request_header(request, "Authorization");
    bool in_query = px_request_query(request, "X-Amz-Signature") || px_request_query(request, "X-Amz-Credential");
    if (!authorization && !in_query)
        return refuse(request, px_server_is_api(request) ? 401 : 403, "AccessDenied", "Access Denied: the request is not signed");
    if (authorization && in_query)
        return refuse(request, 400, "InvalidArgument", "Only one auth mechanism allowed");
    if (authorization ? !read_header(request, &claim, authorization) : !read_query(request, &claim))
        return false;
    if (strncmp(claim.day, claim.scope.date, 8) != 0 || !service_of(request, claim.service) || strcmp(claim.region, request->server->region) != 0) {
        const char *message = px_arena_format(&request->arena, "The credential's scope is wrong: it is for '%s/%s/%s'; the region here is '%s', the service 's3'",
                                              claim.day, claim.region, claim.service, request->server->region);
        return refuse(request, 400, "AuthorizationHeaderMalformed", message ? message : "The credential's scope is wrong");
    }
    if (!judge_time(request, &claim))
        return false;
    px_access_key key;
    px_error err = { "" };
    px_status status = px_local_key_find(request->server->local, claim.key_id, &key, &err);
    if (status == PX_NO_SUCH_KEY)
        return refuse(request, 403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.");
    if (status != PX_OK) {
        px_answer_status(request, status, &err);
        return false;
    }
    claim.scope.region = request->server->region;
    claim.scope.service = service_of(request, claim.service);
    request->payload = claim.payload;
    request->chunked.scope = claim.scope;
    if (!may(request, &key) || !judge_signature(request, &claim, key.secret))
        return false;
    request->access = key;
    return true;
}
