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
    char first[300], day[9];
    snprintf(first, sizeof first, "AWS4%.290s", secret);
    snprintf(day, sizeof day, "%.8s", scope->date);
    uint8_t step[32];
    hmac_text((const uint8_t *)first, strlen(first), day, step);
    hmac_text(step, 32, scope->region, key);
    hmac_text(key, 32, scope->service, step);
    hmac_text(step, 32, "aws4_request", key);
}

static int compare_encoded(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    int names = strcmp(x[0], y[0]);
    return names ? names : strcmp(x[1], y[1]);
}

static void push_queries(px_buffer *text, const px_sigv4_request *request)
{
    enum { MAX = 128 };
    px_buffer parts[MAX][2];
    const char *order[MAX][2];
    int count = 0;
    for (int i = 0; i < request->query_count && count < MAX; i++) {
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

bool px_sigv4_sign(const px_sigv4_request *request, const px_sigv4_scope *scope, const uint8_t key[32], char signature[65])
{
    PX_AUTO(px_buffer_done) px_buffer text = { 0 };
    px_buffer_format(&text, "%s\n", request->method);
    px_uri_encode(&text, request->path, true);
    px_buffer_text(&text, "\n");
    push_queries(&text, request);
    px_buffer_text(&text, "\n");
    for (int i = 0; i < request->header_count; i++) {
        px_buffer_format(&text, "%s:", request->headers[i].name);
        push_value(&text, request->headers[i].value);
        px_buffer_text(&text, "\n");
    }
    px_buffer_text(&text, "\n");
    for (int i = 0; i < request->header_count; i++)
        px_buffer_format(&text, "%s%s", i ? ";" : "", request->headers[i].name);
    px_buffer_format(&text, "\n%s", request->payload);
    if (px_buffer_failed(&text))
        return false;
    char hash[65], to_sign[512];
    sha256_hex(px_buffer_bytes(&text), hash);
    snprintf(to_sign, sizeof to_sign, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", scope->date, scope->date, scope->region,
             scope->service, hash);
    finish(key, to_sign, signature);
    return true;
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
