/* What the upload API asks of S3: addresses that are signed beforehand, and deleting what others put there.
 *
 * An address lives no longer than the credentials that signed it, a role's session mostly: S3 refuses it then, whatever the
 * address says (S3 user guide, "Presigned URLs"). So it never promises more. */
#include <string.h>

#include "aws/s3.h"
#include "base/clock.h"
#include "base/sigv4.h"

enum { DELETE_ARENA = 1 << 20, PRESIGN_HEADERS_MAX = 16 };

/* All that is signed: host, and what the caller wants to hold. */
static px_status sign_query(const px_aws_request *request, const char *path, const char *host, const char *region, int64_t skew_ms, int64_t seconds,
                            const px_credentials *signer, px_buffer *query, px_error *err)
{
    px_sigv4_header headers[PRESIGN_HEADERS_MAX];
    int count = 0;
    if (request->header_count >= PRESIGN_HEADERS_MAX)
        return px_fail(err, PX_BAD_REQUEST, "an address can bind at most %d headers", PRESIGN_HEADERS_MAX - 1);
    headers[count++] = (px_sigv4_header){ "host", host };
    for (int i = 0; i < request->header_count; i++)
        headers[count++] = (px_sigv4_header){ request->headers[i].name, request->headers[i].value };
    px_sigv4_request to_sign = { .method = request->method, .path = path, .headers = headers, .header_count = count, .payload = "UNSIGNED-PAYLOAD" };
    px_sigv4_scope scope = { .region = region, .service = "s3" };
    px_sigv4_credentials credentials = { signer->access_key_id, signer->secret, signer->token };
    px_aws_format_date(skew_ms, scope.date);
    return px_sigv4_presign(&to_sign, &scope, &credentials, seconds, query, err);
}

px_status px_aws_presign(px_aws_ports *ports, const char *method, const char *bucket, const char *key, const px_http_header *headers, int header_count,
                         int64_t seconds, px_arena *arena, const char **ret_url, int64_t *ret_until_ms, px_error *err)
{
    px_aws_request request = px_aws_s3_request(ports, method, "presign", bucket, key, arena);
    px_credentials signer;
    char region[64];
    const char *url, *path, *host;
    PX_AUTO(px_buffer_done) px_buffer query = { 0 };
    request.headers = headers;
    request.header_count = header_count;
    if (!request.path)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an address");
    PX_TRY(px_credentials_now(ports->aws->chain, &signer, err));
    px_aws_region_of(ports->aws, bucket, region);
    if (!*region)
        strcpy(region, "us-east-1"); /* a configured endpoint mostly does not care */
    int64_t now = px_now_ms(), left = signer.expires_ms ? (signer.expires_ms - now) / 1000 : seconds;
    seconds = left < 1 ? 1 : left < seconds ? left : seconds;
    PX_TRY(px_aws_format_url(&request, region, arena, &url, &path, &host, err));
    PX_TRY(sign_query(&request, path, host, region, atomic_load(&ports->aws->skew_ms), seconds, &signer, &query, err));
    const char *whole = px_arena_format(arena, "%s?%s", url, query.data);
    if (!whole)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an address");
    *ret_url = whole;
    *ret_until_ms = now + seconds * 1000;
    return PX_OK;
}

px_status px_aws_object_delete(px_aws_ports *ports, const char *bucket, const char *key, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_TRY(px_arena_open(DELETE_ARENA, &arena, err));
    px_status status = px_aws_s3_delete(ports, bucket, key, NULL, &arena, err);
    return status == PX_NO_SUCH_KEY ? PX_OK : status;
}
