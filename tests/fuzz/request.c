/* Any bytes as an event of API Gateway or a function URL, and the request that comes out through the upload API. Each ends in an answer
 * that HTTP can carry and JSON can hold: a status of the list, headers without line ends, a body in UTF-8; and nothing outside the
 * upload prefix is touched. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/utf8.h"
#include "lambda/lambda.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

static void must(bool good)
{
    if (!good)
        abort();
}

static bool is_ours(const char *key) { return strncmp(key, "up/", 3) == 0; }

static px_status list(px_store *self, const char *bucket, const char *prefix, const char *after, px_arena *arena, px_object **ret, size_t *ret_count,
                      bool *ret_more, px_error *err)
{
    (void)self, (void)after, (void)err;
    must(strcmp(bucket, "source") == 0 && is_ours(prefix) && px_is_utf8(prefix) && px_is_utf8(after));
    px_object *object = px_new(arena, px_object, 1);
    must(object);
    *object = (px_object){ .bucket = "source", .key = prefix, .bytes = 7, .etag = "e" };
    *ret = object;
    *ret_count = 1;
    *ret_more = true;
    return PX_OK;
}

static px_status find(px_table *self, const char *image_id, px_arena *arena, px_record *ret, px_error *err)
{
    (void)self, (void)arena, (void)ret;
    must(strncmp(image_id, "source/up/", 10) == 0 && px_is_utf8(image_id));
    return px_fail(err, PX_NO_SUCH_KEY, "there is no record");
}

static px_status presign(void *context, const px_api_put *put, px_arena *arena, const char **ret_url, int64_t *ret_until_ms, px_error *err)
{
    (void)context, (void)arena, (void)err;
    must(is_ours(put->key) && strlen(put->key) <= PX_LIMIT_KEY_BYTES && px_is_utf8(put->key));
    for (int i = 0; i < put->header_count; i++)
        must(!strpbrk(put->headers[i].value, "\r\n"));
    *ret_url = "https://example.com/";
    *ret_until_ms = 0;
    return PX_OK;
}

static void judge(const px_api_response *response)
{
    must(response->http == px_status_http(response->status) || (response->status == PX_OK && response->http / 100 == 2));
    must(!response->removes || is_ours(response->removes));
    for (int i = 0; i < response->header_count; i++)
        must(!strpbrk(response->headers[i].value, "\r\n"));
    json_t *body = *response->body ? json_loads(response->body, JSON_REJECT_DUPLICATES, NULL) : NULL;
    must(!*response->body || json_is_object(body));
    json_decref(body);
    char *answer = px_lambda_response_format(response);
    must(answer);
    free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    static px_arena arena;
    static px_store store = { .name = "any", .list = list };
    static px_table table = { .name = "none", .find = find };
    const px_config config = { .source = "source", .source_prefix = "", .limits = PX_LIMITS_DEFAULT,
                               .api = { .prefix = "up/", .origins = "*", .bytes = 1 << 20, .seconds = 60 } };
    const px_api api = { .config = &config, .store = &store, .table = &table, .version = "1", .presign = presign };
    px_api_request request = { 0 };
    px_api_response response;
    px_error err = { "" };
    if (!arena.start && px_arena_open(64 << 20, &arena, NULL) != PX_OK)
        abort();
    px_arena_reset(&arena);
    char *copy = malloc(count + !count); /* so that a byte too far is seen */
    memcpy(copy, data, count);
    px_status status = px_lambda_request_parse((px_bytes){ (const uint8_t *)copy, count }, "trace", &arena, &request, &err);
    free(copy); /* the request must not point into it */
    if (status == PX_BAD_EVENT)
        return 0;
    if (status == PX_OK)
        px_api_handle(&api, &request, &arena, &response);
    else
        px_api_refuse(&api, &request, status, &err, &arena, &response);
    judge(&response);
    return 0;
}
