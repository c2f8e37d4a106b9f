/* Where a service answers: what the environment says, or AWS's own names (AWS General Reference, "Service endpoints"). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/shared.h"

static bool is_on(const char *name)
{
    const char *value = getenv(name);
    return value && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

/* AWS_ENDPOINT_URL_S3, then AWS_ENDPOINT_URL; NULL if neither is set or they are to be ignored. */
static const char *configured(const char *service)
{
    static const struct {
        const char *service, *name;
    } names[] = { { "s3", "S3" },   { "dynamodb", "DYNAMODB" }, { "sqs", "SQS" },           { "sts", "STS" },
                  { "ssm", "SSM" }, { "sns", "SNS" },           { "events", "EVENTBRIDGE" } };
    if (is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
        return NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char variable[64];
        snprintf(variable, sizeof variable, "AWS_ENDPOINT_URL_%s", names[i].name);
        const char *value = strcmp(names[i].service, service) == 0 ? getenv(variable) : NULL;
        if (value && *value)
            return value;
    }
    const char *value = getenv("AWS_ENDPOINT_URL");
    return value && *value ? value : NULL;
}

/* May the name stand in front of a host that a certificate *.s3.REGION covers, and is DNS happy with it? */
static bool is_host_label(const char *bucket)
{
    size_t count = strlen(bucket);
    return count >= 3 && count <= 63 && strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == count && bucket[0] != '-' &&
           bucket[count - 1] != '-';
}

px_status px_aws_endpoint(const char *service, const char *bucket, px_s3_style style, const char *region, px_arena *arena, const char **ret,
                          bool *ret_path_style, px_error *err)
{
    const char *base = configured(service), *url;
    bool label = bucket && is_host_label(bucket);
    bool path_style = bucket && (!label || style == PX_S3_PATH || (style == PX_S3_AUTO && base));
    if (!base && !*region)
        return px_fail(err, PX_BAD_CONFIG, "no region: set AWS_REGION");
    if (base) {
        size_t count = strlen(base);
        while (count && base[count - 1] == '/')
            count--;
        const char *host = strstr(base, "://");
        if (!host)
            return px_fail(err, PX_BAD_CONFIG, "the endpoint '%.100s' is not an address such as https://HOST", base);
        host += 3;
        url = bucket && !path_style ? px_arena_format(arena, "%.*s%s.%.*s", (int)(host - base), base, bucket, (int)(count - (size_t)(host - base)), host)
                                    : px_arena_format(arena, "%.*s", (int)count, base);
    } else {
        bool dual = is_on("AWS_USE_DUALSTACK_ENDPOINT"), fips = is_on("AWS_USE_FIPS_ENDPOINT"), china = strncmp(region, "cn-", 3) == 0;
        const char *dot = bucket && !path_style ? "." : "", *name = bucket && !path_style ? bucket : "";
        bool is_s3 = strcmp(service, "s3") == 0;
        const char *suffix = china ? (dual && !is_s3 ? "api.amazonwebservices.com.cn" : "amazonaws.com.cn") : dual && !is_s3 ? "api.aws" : "amazonaws.com";
        url = px_arena_format(arena, "https://%s%s%s%s%s.%s.%s", name, dot, service, fips ? "-fips" : "", dual && is_s3 ? ".dualstack" : "",
                              region, suffix);
    }
    if (!url)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an endpoint");
    *ret = url;
    *ret_path_style = path_style;
    return PX_OK;
}
