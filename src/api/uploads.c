/* POST /uploads: one address for one PUT.
 *
 * The signature binds type and size, so whoever replays the address with another of either is refused by the store itself; and it binds
 * If-None-Match, unless a replacement is wanted, so that it works once. A key that is chosen here holds 128 random bits: nobody
 * guesses it, and no two uploads meet. */
#include <stdio.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/hash.h"

enum { FILENAME_BYTES = 100, RANDOM_BYTES = 16, BOUND = 3 };

/* What the signature binds, as people write it. */
static const char *const spellings[BOUND] = { "Content-Type", "Content-Length", "If-None-Match" };

/* The last part of the name, in characters that every file system, address and shell takes; dots do not begin it. */
static void clean_filename(const char *filename, char clean[FILENAME_BYTES + 1])
{
    const char *slash = strrchr(filename, '/'), *at = slash ? slash + 1 : filename;
    size_t length = strlen(at), count = 0;
    if (length > FILENAME_BYTES)
        at += length - FILENAME_BYTES; /* its end says the format */
    at += strspn(at, ".");
    for (bool gap = false; *at; at++) {
        bool good = (*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') || *at == '_' || *at == '-' || *at == '.';
        if (good || !gap)
            clean[count++] = good ? *at : '-';
        gap = !good;
    }
    clean[count] = '\0';
}

static const char *choose_key(const px_api_call *call, const char *filename, const char *type)
{
    uint8_t random[RANDOM_BYTES];
    char hex[2 * RANDOM_BYTES + 1], clean[FILENAME_BYTES + 1];
    px_random(random, sizeof random);
    px_hex(random, sizeof random, hex);
    clean_filename(filename, clean);
    const char *prefix = px_api_prefix(call->api->config, call->arena);
    if (!*clean)
        snprintf(clean, sizeof clean, "image.%s", px_format_extension(px_api_format_of(type)));
    return prefix ? px_arena_format(call->arena, "%s%s/%s", prefix, hex, clean) : NULL;
}

static const char *text_of(const json_t *body, const char *name)
{
    const char *text = json_string_value(json_object_get(body, name));
    return text ? text : "";
}

static px_status make_key(const px_api_call *call, const char **ret, px_error *err)
{
    const char *wanted = text_of(call->body, "key");
    const char *key = *wanted ? wanted : choose_key(call, text_of(call->body, "filename"), text_of(call->body, "type"));
    if (!key)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a key");
    PX_TRY(px_api_judge_key(call, key, err));
    if (strlen(key) > PX_LIMIT_KEY_BYTES)
        return px_fail(err, PX_BAD_REQUEST, "the key has %zu bytes; it may have %d", strlen(key), PX_LIMIT_KEY_BYTES);
    *ret = key;
    return PX_OK;
}

static json_t *format_upload(const px_api_put *put, const char *url, int64_t until_ms)
{
    char until[PX_TIME_TEXT];
    px_time_format(until_ms, until);
    json_t *headers = json_object();
    for (int i = 0; i < put->header_count; i++)
        if (json_object_set_new(headers, spellings[i], json_string(put->headers[i].value)) != 0) {
            json_decref(headers);
            headers = NULL;
        }
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:s}", "imageId", json_sprintf("%s/%s", put->bucket, put->key), "bucket", put->bucket, "key",
                     put->key, "method", "PUT", "url", url, "headers", headers, "expiresAt", until);
}

px_status px_api_create_upload(px_api_call *call, px_error *err)
{
    const px_config *config = call->api->config;
    char bytes[24];
    const json_t *number = json_object_get(call->body, "bytes");
    snprintf(bytes, sizeof bytes, "%.0f", json_number_value(number));
    px_http_header headers[BOUND] = { { "content-type", text_of(call->body, "type") }, { "content-length", bytes }, { "if-none-match", "*" } };
    px_api_put put = { .bucket = config->source, .headers = headers, .seconds = config->api.seconds,
                       .header_count = json_is_true(json_object_get(call->body, "replace")) ? BOUND - 1 : BOUND };
    const char *url = NULL;
    int64_t until_ms = 0;
    PX_TRY(make_key(call, &put.key, err));
    PX_TRY(call->api->presign(call->api->context, &put, call->arena, &url, &until_ms, err));
    call->answer = format_upload(&put, url, until_ms);
    return call->answer ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for the answer");
}
