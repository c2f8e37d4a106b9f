/* Canonical request → string to sign → signature; each a text in a buffer. */
#include "base/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static void hmac_text(const uint8_t *key, size_t key_bytes, const char *text, uint8_t digest[32])
{
    px_hmac_sha256((px_bytes){ key, key_bytes }, px_bytes_of(text), digest);
}

void px_sigv4_key(const char *secret, const px_sigv4_scope *scope, uint8_t key[32])
{
    char first[4 + PX_SIGV4_SECRET_MAX + 1], day[9];
    snprintf(first, sizeof first, "AWS4%.*s", PX_SIGV4_SECRET_MAX, secret);
    snprintf(day, sizeof day, "%.8s", scope->date);
    uint8_t step[32];
    hmac_text((const uint8_t *)first, strlen(first), day, step);
    hmac_text(step, 32, scope->region, key);
    hmac_text(key, 32, scope->service, step);
    hmac_text(step, 32, "aws4_request", key);
    explicit_bzero(first, sizeof first);
}

/* Without "", "." and "..", which services other than S3 drop before they check (RFC 3986 section 5.2.4). */
static void push_normalised(px_buffer *text, const char *path)
{
    px_buffer kept = { 0 };
    for (const char *at = path; *at;) {
        at += strspn(at, "/");
        size_t count = strcspn(at, "/");
        if (count == 2 && strncmp(at, "..", 2) == 0) {
            while (kept.count && kept.data[--kept.count] != '/')
                ;
        } else if (count && !(count == 1 && *at == '.')) {
            px_buffer_push(&kept, "/", 1);
            px_buffer_push(&kept, at, count);
        }
        at += count;
    }
    size_t length = strlen(path);
    if (!kept.count || (length && path[length - 1] == '/'))
        px_buffer_push(&kept, "/", 1);
    text->failed |= kept.failed;
    px_buffer_push(text, kept.data, kept.count);
    px_buffer_done(&kept);
}

static void push_path(px_buffer *text, const px_sigv4_request *request, const px_sigv4_scope *scope)
{
    if (strcmp(scope->service, "s3") == 0) {
        px_uri_encode(text, request->path, true);
        return;
    }
    px_buffer normalised = { 0 }, once = { 0 };
    push_normalised(&normalised, request->path);
    if (!normalised.failed)
        px_uri_encode(&once, normalised.data, true);
    if (once.data && !once.failed)
        px_uri_encode(text, once.data, true);
    text->failed |= normalised.failed || once.failed;
    px_buffer_done(&normalised);
    px_buffer_done(&once);
}

static int compare_encoded(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    int names = strcmp(x[0], y[0]);
    return names ? names : strcmp(x[1], y[1]);
}

static px_status push_queries(px_buffer *text, const px_sigv4_request *request, px_error *err)
{
    px_buffer parts[PX_SIGV4_QUERIES_MAX][2];
    const char *order[PX_SIGV4_QUERIES_MAX][2];
    int count = 0;
    if (request->query_count > PX_SIGV4_QUERIES_MAX)
        return px_fail(err, PX_BAD_REQUEST, "the request has %d queries: more than %d cannot be signed", request->query_count, PX_SIGV4_QUERIES_MAX);
    for (int i = 0; i < request->query_count; i++) {
        if (strcmp(request->queries[i].name, "X-Amz-Signature") == 0)
            continue;
        memset(parts[count], 0, sizeof parts[count]);
        px_uri_encode(&parts[count][0], request->queries[i].name, false);
        px_uri_encode(&parts[count][1], request->queries[i].value, false);
        order[count][0] = parts[count][0].data ? parts[count][0].data : "";
        order[count][1] = parts[count][1].data ? parts[count][1].data : "";
        count++;
    }
    qsort(order, (size_t)count, sizeof *order, compare_encoded);
    for (int i = 0; i < count; i++)
        px_buffer_format(text, "%s%s=%s", i ? "&" : "", order[i][0], order[i][1]);
    for (int i = 0; i < count; i++) {
        text->failed |= parts[i][0].failed || parts[i][1].failed;
        px_buffer_done(&parts[i][0]);
        px_buffer_done(&parts[i][1]);
    }
    return PX_OK;
}

/* Trimmed, runs of spaces as one. */
static void push_value(px_buffer *text, const char *value)
{
    while (*value == ' ' || *value == '\t')
        value++;
    bool space = false;
    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            space = true;
            continue;
        }
        if (space)
            px_buffer_push(text, " ", 1);
        space = false;
        px_buffer_push(text, value, 1);
    }
}

/* "host;x-amz-date" */
static void push_names(px_buffer *text, const px_sigv4_request *request)
{
    for (int i = 0; i < request->header_count; i++)
        px_buffer_format(text, "%s%s", i ? ";" : "", request->headers[i].name);
}

static void sha256_hex(px_bytes bytes, char hex[65])
{
    uint8_t digest[PX_HASH_MAX];
    px_hash_of(PX_HASH_SHA256, bytes, digest);
    px_hex(digest, 32, hex);
}

static void finish(const uint8_t key[32], const char *text, char signature[65])
{
    uint8_t digest[32];
    hmac_text(key, 32, text, digest);
    px_hex(digest, 32, signature);
}

px_status px_sigv4_sign(const px_sigv4_request *request, const px_sigv4_scope *scope, const uint8_t key[32], char signature[65],
                        px_error *err)
{
    PX_AUTO(px_buffer_done) px_buffer text = { 0 };
    PX_AUTO(px_buffer_done) px_buffer to_sign = { 0 };
    px_buffer_format(&text, "%s\n", request->method);
    push_path(&text, request, scope);
    px_buffer_text(&text, "\n");
    PX_TRY(push_queries(&text, request, err));
    px_buffer_text(&text, "\n");
    for (int i = 0; i < request->header_count; i++) {
        px_buffer_format(&text, "%s:", request->headers[i].name);
        push_value(&text, request->headers[i].value);
        px_buffer_text(&text, "\n");
    }
    px_buffer_text(&text, "\n");
    push_names(&text, request);
    px_buffer_format(&text, "\n%s", request->payload);
    char hash[65];
    sha256_hex(px_buffer_bytes(&text), hash);
    px_buffer_format(&to_sign, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", scope->date, scope->date, scope->region, scope->service, hash);
    if (px_buffer_failed(&text) || px_buffer_failed(&to_sign))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to sign a request");
    finish(key, to_sign.data, signature);
    return PX_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const px_sigv4_header *)a)->name, ((const px_sigv4_header *)b)->name);
}

/* The request with its headers sorted, in the caller's array. */
static px_status sort_headers(const px_sigv4_request *request, px_sigv4_header headers[PX_SIGV4_HEADERS_MAX], px_sigv4_request *ret,
                              px_error *err)
{
    if (request->header_count > PX_SIGV4_HEADERS_MAX)
        return px_fail(err, PX_BAD_REQUEST, "the request has %d headers: more than %d cannot be signed", request->header_count, PX_SIGV4_HEADERS_MAX);
    for (int i = 0; i < request->header_count; i++)
        headers[i] = request->headers[i];
    qsort(headers, (size_t)request->header_count, sizeof *headers, compare_names);
    *ret = *request;
    ret->headers = headers;
    return PX_OK;
}

static px_status sign_with_secret(const px_sigv4_request *request, const px_sigv4_scope *scope, const char *secret, char signature[65],
                                  px_error *err)
{
    uint8_t key[32];
    if (strlen(secret) > PX_SIGV4_SECRET_MAX)
        return px_fail(err, PX_BAD_CONFIG, "the secret access key is longer than %d characters", PX_SIGV4_SECRET_MAX);
    px_sigv4_key(secret, scope, key);
    px_status status = px_sigv4_sign(request, scope, key, signature, err);
    explicit_bzero(key, sizeof key);
    return status;
}

px_status px_sigv4_authorize(const px_sigv4_request *request, const px_sigv4_scope *scope, const px_sigv4_credentials *credentials,
                             px_buffer *authorization, px_error *err)
{
    px_sigv4_header headers[PX_SIGV4_HEADERS_MAX];
    px_sigv4_request sorted;
    char signature[65];
    PX_TRY(sort_headers(request, headers, &sorted, err));
    PX_TRY(sign_with_secret(&sorted, scope, credentials->secret, signature, err));
    px_buffer_format(authorization, "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=", credentials->access_key_id,
                     scope->date, scope->region, scope->service);
    push_names(authorization, &sorted);
    px_buffer_format(authorization, ", Signature=%s", signature);
    return px_buffer_failed(authorization) ? px_fail(err, PX_OUT_OF_MEMORY, "no memory for a signature") : PX_OK;
}

px_status px_sigv4_presign(const px_sigv4_request *request, const px_sigv4_scope *scope, const px_sigv4_credentials *credentials,
                           int64_t expires_s, px_buffer *query, px_error *err)
{
    enum { OURS = 6 };
    px_sigv4_header headers[PX_SIGV4_HEADERS_MAX];
    px_query queries[PX_SIGV4_QUERIES_MAX];
    px_sigv4_request whole;
    PX_AUTO(px_buffer_done) px_buffer credential = { 0 };
    PX_AUTO(px_buffer_done) px_buffer names = { 0 };
    char expires[24], signature[65];
    int count = *credentials->token ? OURS : OURS - 1, all = request->query_count + count + 1; /* the signature counts where it is checked */
    if (all > PX_SIGV4_QUERIES_MAX)
        return px_fail(err, PX_BAD_REQUEST, "the address has %d queries with its signature's: more than %d cannot be signed", all,
                       PX_SIGV4_QUERIES_MAX);
    PX_TRY(sort_headers(request, headers, &whole, err));
    px_buffer_format(&credential, "%s/%.8s/%s/%s/aws4_request", credentials->access_key_id, scope->date, scope->region, scope->service);
    px_buffer_text(&names, "");
    push_names(&names, &whole);
    snprintf(expires, sizeof expires, "%lld", (long long)expires_s);
    if (px_buffer_failed(&credential) || px_buffer_failed(&names))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a signed address");
    const px_query ours[OURS] = { { "X-Amz-Algorithm", "AWS4-HMAC-SHA256" }, { "X-Amz-Credential", credential.data }, { "X-Amz-Date", scope->date },
                                  { "X-Amz-Expires", expires }, { "X-Amz-SignedHeaders", names.data },
                                  { "X-Amz-Security-Token", credentials->token } };
    for (int i = 0; i < request->query_count; i++)
        queries[i] = request->queries[i];
    memcpy(queries + request->query_count, ours, (size_t)count * sizeof *ours);
    whole.queries = queries;
    whole.query_count = request->query_count + count;
    PX_TRY(sign_with_secret(&whole, scope, credentials->secret, signature, err));
    for (int i = 0; i < count; i++) {
        px_buffer_format(query, "%s%s=", query->count ? "&" : "", ours[i].name);
        px_uri_encode(query, ours[i].value, false);
    }
    px_buffer_format(query, "&X-Amz-Signature=%s", signature);
    return px_buffer_failed(query) ? px_fail(err, PX_OUT_OF_MEMORY, "no memory for a signed address") : PX_OK;
}

void px_sigv4_chunk(const px_sigv4_scope *scope, const uint8_t key[32], const char *previous, const char *hash, bool trailer,
                    char signature[65])
{
    char empty[65], to_sign[640];
    sha256_hex((px_bytes){ 0 }, empty);
    snprintf(to_sign, sizeof to_sign, "AWS4-HMAC-SHA256-%s\n%s\n%.8s/%s/%s/aws4_request\n%s\n%s%s%s", trailer ? "TRAILER" : "PAYLOAD",
             scope->date, scope->date, scope->region, scope->service, previous, trailer ? "" : empty, trailer ? "" : "\n", hash);
    finish(key, to_sign, signature);
}
