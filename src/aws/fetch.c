/* A text from S3 or from the Parameter Store, and whether it has changed: a configuration that needs no new package. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/s3.h"
#include "base/limits.h"
#include "base/uri.h"

static px_status fetch_object(px_aws_ports *ports, const char *address, px_arena *arena, const char **version, px_bytes *ret,
                              bool *ret_changed, px_error *err)
{
    char bucket[PX_LIMIT_BUCKET_BYTES + 1];
    const char *key = px_uri_split_s3(address, bucket);
    px_object object;
    PX_AUTO(px_source_close) px_source source = PX_SOURCE_NONE;
    if (!key)
        return px_fail(err, PX_BAD_CONFIG, "'%.200s' is not s3://BUCKET/KEY", address);
    if (*version) {
        PX_TRY(px_aws_s3_head(ports, bucket, key, arena, &object, err));
        *ret_changed = strcmp(*version, object.etag) != 0;
        if (!*ret_changed)
            return PX_OK;
    }
    PX_TRY(px_aws_s3_open(ports, bucket, key, NULL, arena, &source, &object, err));
    if (object.bytes > PX_LIMIT_CONFIG_BYTES)
        return px_fail(err, PX_BAD_CONFIG, "%.200s has %llu bytes; a configuration has at most %d", address, (unsigned long long)object.bytes,
                       PX_LIMIT_CONFIG_BYTES);
    uint8_t *data = px_arena_take(arena, 1, (size_t)object.bytes + 1);
    size_t count = 0;
    if (!data)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %s", address);
    PX_TRY(px_source_read_at(&source, 0, data, (size_t)object.bytes, &count, err));
    *ret = (px_bytes){ data, count };
    *version = object.etag;
    *ret_changed = true;
    return PX_OK;
}

static px_status fetch_parameter(px_aws_ports *ports, const char *name, px_arena *arena, const char **version, px_bytes *ret,
                                 bool *ret_changed, px_error *err)
{
    PX_AUTO(px_json_free) json_t *answer = NULL;
    PX_AUTO(px_json_free) json_t *request = json_pack("{s:s, s:b}", "Name", name, "WithDecryption", 1);
    if (!request)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    px_aws_request about = { .service = "ssm", .target = name };
    PX_TRY(px_aws_call_json(ports, &about, "AmazonSSM.GetParameter", request, arena, &answer, NULL, err));
    const json_t *parameter = json_object_get(answer, "Parameter");
    const char *value = json_string_value(json_object_get(parameter, "Value"));
    if (!value)
        return px_fail(err, PX_NETWORK, "the parameter %.200s came without a value", name);
    const char *now = px_arena_format(arena, "%lld", (long long)json_integer_value(json_object_get(parameter, "Version")));
    char *copy = px_arena_copy_text(arena, value);
    if (!now || !copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %s", name);
    *ret_changed = !*version || strcmp(*version, now) != 0;
    *version = now;
    *ret = px_bytes_of(copy);
    return PX_OK;
}

px_status px_aws_fetch(px_aws_ports *ports, const char *address, px_arena *arena, const char **version, px_bytes *ret, bool *ret_changed,
                       px_error *err)
{
    if (strncmp(address, "s3://", 5) == 0)
        return fetch_object(ports, address, arena, version, ret, ret_changed, err);
    return fetch_parameter(ports, address + strlen("ssm:"), arena, version, ret, ret_changed, err);
}
