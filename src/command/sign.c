/* sign: an address that does one thing with one object of S3 for whoever has it, without a key. Made with the credentials that are at
 * hand, for AWS or (AWS_ENDPOINT_URL) any S3, `pixmill serve` among them; nothing is sent for it. */
#include "command/command.h"

#include <stdio.h>
#include <string.h>

#include "aws/aws.h"
#include "base/clock.h"

enum { ARENA_BYTES = 1 << 20, SECONDS = 900, SECONDS_MAX = 604800, BINDINGS = 3 };

/* What the address is good for. */
struct wanted {
    const char *method, *bucket, *key;
    int64_t seconds;
    px_http_header headers[BINDINGS]; /* that it binds */
    int header_count;
};

/* s3://BUCKET/KEY or BUCKET/KEY; the key is taken as it is. */
static px_status read_place(const char *place, px_arena *arena, struct wanted *ret, px_error *err)
{
    const char *start = strncmp(place, "s3://", 5) == 0 ? place + 5 : place, *slash = strchr(start, '/');
    if (!slash || slash == start || !slash[1])
        return px_fail(err, PX_BAD_REQUEST, "%.100s is not BUCKET/KEY or s3://BUCKET/KEY", place);
    ret->key = slash + 1;
    ret->bucket = px_arena_copy(arena, (px_bytes){ (const uint8_t *)start, (size_t)(slash - start) });
    return ret->bucket ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for an address");
}

static px_status read_wanted(const px_options *options, px_arena *arena, struct wanted *ret, px_error *err)
{
    static const char *const methods[] = { "GET", "PUT", "HEAD", "DELETE" };
    const char *method = px_option_text(options, "method", "GET"), *type = px_option_text(options, "type", NULL);
    struct wanted wanted = { 0 };
    int64_t bytes;
    PX_TRY(read_place(options->arguments[0], arena, &wanted, err));
    PX_TRY(px_option_number(options, "seconds", 1, SECONDS_MAX, SECONDS, &wanted.seconds, err));
    PX_TRY(px_option_number(options, "bytes", 0, INT64_MAX, -1, &bytes, err));
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        wanted.method = strcmp(methods[i], method) == 0 ? methods[i] : wanted.method;
    if (!wanted.method)
        return px_fail(err, PX_BAD_REQUEST, "--method %.20s: wanted GET, PUT, HEAD or DELETE", method);
    if (type)
        wanted.headers[wanted.header_count++] = (px_http_header){ "content-type", type };
    if (bytes >= 0)
        wanted.headers[wanted.header_count++] = (px_http_header){ "content-length", px_arena_format(arena, "%lld", (long long)bytes) };
    if (px_option_is_on(options, "once"))
        wanted.headers[wanted.header_count++] = (px_http_header){ "if-none-match", "*" };
    if (wanted.header_count && strcmp(wanted.method, "PUT") != 0)
        return px_fail(err, PX_BAD_REQUEST, "--type, --bytes and --once are for --method PUT");
    *ret = wanted;
    return PX_OK;
}

static px_status print_json(const struct wanted *wanted, const char *url, int64_t until_ms, px_error *err)
{
    char until[PX_TIME_TEXT];
    px_time_format(until_ms, until);
    json_t *headers = json_object();
    for (int i = 0; i < wanted->header_count; i++)
        json_object_set_new(headers, wanted->headers[i].name, json_string(wanted->headers[i].value));
    json_t *line = json_pack("{s:s, s:s, s:o, s:s}", "url", url, "method", wanted->method, "headers", headers, "expiresAt", until);
    bool good = line && json_dumpf(line, stdout, JSON_COMPACT) == 0;
    json_decref(line);
    puts("");
    return good ? PX_OK : px_fail(err, PX_BAD_REQUEST, "a name or header that is not UTF-8 cannot be told in JSON");
}

static px_status sign(const px_options *options, px_aws *aws, px_aws_ports **ports, px_arena *arena, px_error *err)
{
    struct wanted wanted = { 0 };
    const char *url = "";
    int64_t until_ms = 0;
    PX_TRY(read_wanted(options, arena, &wanted, err));
    PX_TRY(px_aws_ports_create(aws, &(px_aws_options){ 0 }, ports, err));
    PX_TRY(px_aws_presign(*ports, wanted.method, wanted.bucket, wanted.key, wanted.headers, wanted.header_count, wanted.seconds, arena, &url,
                          &until_ms, err));
    if (px_option_is_on(options, "json"))
        return print_json(&wanted, url, until_ms, err);
    puts(url);
    return PX_OK;
}

static int run(const px_options *options)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_aws_ports *ports = NULL;
    px_aws *aws = NULL;
    px_error err = { "" };
    px_status status = px_arena_open(ARENA_BYTES, &arena, &err);
    if (status == PX_OK)
        status = px_aws_open(NULL, &aws, &err);
    if (status == PX_OK)
        status = sign(options, aws, &ports, &arena, &err);
    px_aws_ports_destroy(ports);
    px_aws_close(aws);
    return status == PX_OK ? PX_EXIT_OK : px_options_fail(options, status, &err);
}

static const px_flag flags[] = {
    { "method", 'X', "METHOD", "GET, PUT, HEAD or DELETE (GET)", NULL },
    { "seconds", 0, "COUNT", "how long the address works, at most 604800 (900)", NULL },
    { "type", 0, "TYPE", "of PUT: bind the Content-Type", NULL },
    { "bytes", 0, "COUNT", "of PUT: bind the Content-Length", NULL },
    { "once", 0, NULL, "of PUT: bind If-None-Match: *, so that it works only where there is no object", NULL },
    { "json", 0, NULL, "one object: url, method, headers that have to be sent, expiresAt", NULL },
    { NULL, 0, NULL, NULL, NULL },
};

const px_command px_command_sign = {
    .name = "sign", .arguments = "BUCKET/KEY", .summary = "Make an address that reads or writes one object for whoever has it",
    .flags = flags, .least = 1, .most = 1, .run = run,
};
