/* HeadObject and GetObject. A download lives on the network thread: it fills the source while the caller decodes, and when
 * the transfer breaks it asks for the rest of the same object (Range, If-Match) with the credentials that are at hand. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/s3.h"
#include "base/clock.h"
#include "base/hash.h"

enum { BREAKS_MAX = 5, DOWNLOAD_ARENA = 256 << 10, META_MAX = 64 };

static const char *header_of(const px_http_response *response, const char *name) { return px_http_header_find(response, name); }

px_bytes px_aws_s3_etag(const char *quoted)
{
    size_t count = strlen(quoted);
    bool has = count >= 2 && quoted[0] == '"' && quoted[count - 1] == '"';
    return (px_bytes){ (const uint8_t *)quoted + has, count - 2 * has };
}

px_status px_aws_s3_object_read(const px_http_response *response, const char *bucket, const char *key, px_arena *arena, px_object *ret,
                            px_error *err)
{
    static const char prefix[] = "x-amz-meta-";
    px_meta *meta = px_new(arena, px_meta, META_MAX);
    px_object object = {
        .bucket = px_arena_copy_text(arena, bucket), .key = px_arena_copy_text(arena, key),
        .bytes = strtoull(header_of(response, "content-length"), NULL, 10), .etag = px_arena_copy(arena, px_aws_s3_etag(header_of(response, "etag"))),
        .version_id = header_of(response, "x-amz-version-id"), .sequencer = "", .content_type = header_of(response, "content-type"),
        .cache_control = header_of(response, "cache-control"), .content_disposition = header_of(response, "content-disposition"),
        .content_encoding = header_of(response, "content-encoding"), .content_language = header_of(response, "content-language"),
        .expires = header_of(response, "expires"), .meta = meta,
    };
    if (!meta || !object.bucket || !object.key || !object.etag)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for what S3 says of %s/%s", bucket, key);
    if (strcmp(object.version_id, "null") == 0)
        object.version_id = ""; /* of the time before the bucket kept versions */
    (void)px_http_time_parse(header_of(response, "last-modified"), &object.modified_ms);
    for (int i = 0; i < response->header_count && object.meta_count < META_MAX; i++)
        if (strncmp(response->headers[i].name, prefix, sizeof prefix - 1) == 0)
            meta[object.meta_count++] = (px_meta){ response->headers[i].name + sizeof prefix - 1, response->headers[i].value };
    *ret = object;
    return PX_OK;
}

px_aws_request px_aws_s3_request(const px_aws_ports *ports, const char *method, const char *action, const char *bucket, const char *key, px_arena *arena)
{
    return (px_aws_request){ .service = "s3", .action = action, .method = method, .bucket = bucket,
                             .target = px_arena_format(arena, "%s/%s", bucket, key), .path = px_arena_format(arena, "/%s", key),
                             .s3_style = ports->options.s3_style, .requester_pays = ports->options.requester_pays };
}

px_status px_aws_s3_head(px_aws_ports *ports, const char *bucket, const char *key, px_arena *arena, px_object *ret, px_error *err)
{
    px_aws_request request = px_aws_s3_request(ports, "HEAD", "HeadObject", bucket, key, arena);
    px_aws_reply reply;
    if (!request.target || !request.path)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    PX_TRY(px_aws_call(ports, &request, arena, &reply, err));
    return px_aws_s3_object_read(&reply.http, bucket, key, arena, ret, err);
}

/* ---- a download ---- */

struct download {
    px_aws *aws;
    char bucket[256], key[1040], etag[256]; /* key with its '/' before; etag quoted, as it came */
    px_s3_style style;
    bool requester_pays;
    char request_id[64];      /* "" outside of an invocation */
    int64_t deadline_ms;      /* since 1970; 0: none */
    px_source target;         /* the writer's own handle */
    uint64_t got, total;      /* bytes */
    int breaks;
    bool checked;             /* `hash` runs and `expected` is what it must come to */
    px_hash hash;
    char expected[64];        /* base 64 */
    px_arena arena;
};

static void download_destroy(struct download *self)
{
    px_source_close(&self->target);
    px_hash_done(&self->hash);
    px_arena_close(&self->arena);
    free(self);
}

static bool take_bytes(void *context, px_bytes bytes)
{
    struct download *self = context;
    if (bytes.count > self->total - self->got || px_source_push(&self->target, bytes.data, bytes.count, NULL) != PX_OK)
        return false;
    if (self->checked)
        px_hash_push(&self->hash, bytes.data, bytes.count);
    self->got += bytes.count;
    return true;
}

static bool is_sound(struct download *self)
{
    if (!self->checked)
        return true;
    uint8_t digest[PX_HASH_MAX];
    char text[64];
    px_base64_format(digest, px_hash_finish(&self->hash, digest), text);
    return strcmp(text, self->expected) == 0;
}

static void end_transfer(void *context, px_status status, const char *reason);

/* Asks for what is missing; false if that cannot be. */
static bool go_on(struct download *self)
{
    char range[64];
    if (++self->breaks > BREAKS_MAX || (self->deadline_ms && px_now_ms() > self->deadline_ms))
        return false;
    px_arena_reset(&self->arena);
    snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)self->got);
    px_http_header headers[] = { { "range", range }, { "if-match", self->etag } };
    px_aws_request request = { .service = "s3", .action = "GetObject", .target = self->key, .method = "GET", .bucket = self->bucket,
                               .path = self->key, .headers = headers, .header_count = 2, .s3_style = self->style, .requester_pays = self->requester_pays };
    px_http_sink sink = { .push = take_bytes, .end = end_transfer, .context = self, .status = 206 };
    px_http_request http;
    px_credentials *signer = px_new(&self->arena, px_credentials, 1);
    char region[64];
    px_aws_region_of(self->aws, self->bucket, region);
    return signer && px_credentials_peek(self->aws->chain, signer) &&
           px_aws_prepare(atomic_load(&self->aws->skew_ms), &request, signer, *region ? region : "us-east-1", &self->arena, &http, NULL) == PX_OK &&
           px_http_start(self->aws->http, &http, &sink, px_aws_backoff_ms(self->breaks + 1), NULL) == PX_OK;
}

static void end_transfer(void *context, px_status status, const char *reason)
{
    struct download *self = context;
    bool whole = self->got == self->total;
    if (!whole && self->got < self->total && go_on(self)) {
        px_log_write(self->aws->log, PX_WARN, *self->request_id ? self->request_id : NULL, "a download broke and goes on",
                     json_pack("{s:s, s:s, s:I, s:s}", "bucket", self->bucket, "key", self->key + 1, "bytes", (json_int_t)self->got, "reason",
                               status == PX_OK ? "the answer was short" : reason));
        return;
    }
    if (whole && is_sound(self))
        px_source_finish(&self->target);
    else {
        px_log_write(self->aws->log, PX_WARN, *self->request_id ? self->request_id : NULL, "a download failed",
                     json_pack("{s:s, s:s, s:I, s:s}", "bucket", self->bucket, "key", self->key + 1, "bytes", (json_int_t)self->got, "reason",
                               whole ? "the bytes do not have the checksum that came with them" : reason));
        px_source_fail(&self->target);
    }
    download_destroy(self);
}

/* What S3 promises about the whole object, if it is something that we compute cheaply. */
static void expect_checksum(struct download *self, const px_http_response *response)
{
    static const struct {
        const char *header;
        px_hash_kind kind;
    } kinds[] = { { "x-amz-checksum-crc64nvme", PX_HASH_CRC64NVME }, { "x-amz-checksum-crc32c", PX_HASH_CRC32C },
                  { "x-amz-checksum-crc32", PX_HASH_CRC32 }, { "x-amz-checksum-sha256", PX_HASH_SHA256 } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *value = header_of(response, kinds[i].header);
        /* That of a multipart upload may be a checksum of checksums: "…-3". */
        if (!*value || strchr(value, '-') || strlen(value) >= sizeof self->expected ||
            strcmp(header_of(response, "x-amz-checksum-type"), "COMPOSITE") == 0)
            continue;
        self->checked = true;
        strcpy(self->expected, value);
        px_hash_init(&self->hash, kinds[i].kind);
        return;
    }
}

static bool take_first_head(void *context, const px_http_response *response)
{
    struct download *self = context;
    const char *length = header_of(response, "content-length"), *etag = header_of(response, "etag");
    if (!*length || strlen(etag) >= sizeof self->etag)
        return false;
    self->total = strtoull(length, NULL, 10);
    strcpy(self->etag, etag);
    expect_checksum(self, response);
    return true;
}

static px_status download_create(px_aws_ports *ports, const char *bucket, const char *key, struct download **ret, px_source *ret_source,
                                 px_error *err)
{
    struct download *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a download");
    self->aws = ports->aws;
    self->style = ports->options.s3_style;
    self->deadline_ms = ports->deadline_ms;
    snprintf(self->request_id, sizeof self->request_id, "%s", ports->request_id ? ports->request_id : "");
    self->requester_pays = ports->options.requester_pays;
    self->target = PX_SOURCE_NONE;
    snprintf(self->bucket, sizeof self->bucket, "%s", bucket);
    snprintf(self->key, sizeof self->key, "/%s", key);
    self->total = UINT64_MAX;
    px_source source = PX_SOURCE_NONE;
    px_status status = px_arena_open(DOWNLOAD_ARENA, &self->arena, err);
    if (status == PX_OK)
        status = px_source_create(&source, err);
    if (status == PX_OK) {
        int fd = fcntl(source.fd, F_DUPFD_CLOEXEC, 0), state_fd = fcntl(source.state_fd, F_DUPFD_CLOEXEC, 0);
        status = fd < 0 || state_fd < 0 ? px_fail_errno(err, errno, "no descriptor left for a download")
                                        : px_source_join(fd, state_fd, &self->target, err);
    }
    if (status != PX_OK) {
        px_source_close(&source);
        download_destroy(self);
        return status;
    }
    *ret = self;
    *ret_source = source;
    return PX_OK;
}

px_status px_aws_s3_open(px_aws_ports *ports, const char *bucket, const char *key, const char *etag, px_arena *arena, px_source *ret_source,
                     px_object *ret, px_error *err)
{
    struct download *download = NULL;
    px_source source = PX_SOURCE_NONE;
    const char *quoted = etag ? px_arena_format(arena, "\"%s\"", etag) : "";
    px_http_header headers[] = { { "x-amz-checksum-mode", "ENABLED" }, { "if-match", quoted ? quoted : "" } };
    px_aws_request request = px_aws_s3_request(ports, "GET", "GetObject", bucket, key, arena);
    if (!request.target || !request.path || !quoted)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    PX_TRY(download_create(ports, bucket, key, &download, &source, err));
    px_http_sink sink = { .head = take_first_head, .push = take_bytes, .end = end_transfer, .context = download };
    request.headers = headers;
    request.header_count = 2;
    request.sink = &sink;
    px_aws_reply reply;
    px_status status = px_aws_call(ports, &request, arena, &reply, err);
    if (status == PX_OK)
        status = px_aws_s3_object_read(&reply.http, bucket, key, arena, ret, err);
    if (status != PX_OK) {
        px_source_close(&source);
        download_destroy(download);
        return status;
    }
    *ret_source = source;
    return PX_OK;
}
