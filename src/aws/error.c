/* AWS's errors, read from XML (S3, STS, SNS) or JSON (DynamoDB, SQS, SSM), and what they are here. One table. */
#include <stdlib.h>
#include <string.h>

#include "aws/shared.h"
#include "base/xml.h"

static const struct {
    const char *code;
    px_status status;
    bool may_pass; /* a repeat may do better */
} errors[] = {
    { "NoSuchKey", PX_NO_SUCH_KEY, false },
    { "NoSuchVersion", PX_NO_SUCH_KEY, false },
    { "NoSuchBucket", PX_NO_SUCH_BUCKET, false },
    { "NoSuchUpload", PX_NO_SUCH_UPLOAD, false },
    { "AccessDenied", PX_ACCESS_DENIED, false },
    { "AccessDeniedException", PX_ACCESS_DENIED, false },
    { "AllAccessDisabled", PX_ACCESS_DENIED, false },
    { "InvalidAccessKeyId", PX_ACCESS_DENIED, false },
    { "InvalidClientTokenId", PX_ACCESS_DENIED, false },
    { "UnrecognizedClientException", PX_ACCESS_DENIED, false },
    { "SignatureDoesNotMatch", PX_ACCESS_DENIED, false },
    { "InvalidSignatureException", PX_ACCESS_DENIED, false },
    { "MissingAuthenticationTokenException", PX_ACCESS_DENIED, false },
    { "KMS.DisabledException", PX_ACCESS_DENIED, false },
    { "KMS.NotFoundException", PX_ACCESS_DENIED, false },
    { "KMS.KMSInvalidStateException", PX_ACCESS_DENIED, false },
    { "KMSDisabled", PX_ACCESS_DENIED, false },
    { "KMSAccessDenied", PX_ACCESS_DENIED, false },
    { "KMSNotFound", PX_ACCESS_DENIED, false },
    { "KmsDisabled", PX_ACCESS_DENIED, false },
    { "KmsAccessDenied", PX_ACCESS_DENIED, false },
    { "KmsNotFound", PX_ACCESS_DENIED, false },
    { "ExpiredToken", PX_EXPIRED_TOKEN, true },
    { "ExpiredTokenException", PX_EXPIRED_TOKEN, true },
    { "TokenRefreshRequired", PX_EXPIRED_TOKEN, true },
    { "RequestTimeTooSkewed", PX_EXPIRED_TOKEN, true },
    { "RequestExpired", PX_EXPIRED_TOKEN, true },
    { "PreconditionFailed", PX_CONFLICT, false },
    { "ConditionalRequestConflict", PX_CONFLICT, false },
    { "ConditionalCheckFailedException", PX_CONFLICT, false },
    { "OperationAborted", PX_THROTTLED, true },
    { "TransactionConflictException", PX_THROTTLED, true },
    { "SlowDown", PX_THROTTLED, true },
    { "Throttling", PX_THROTTLED, true },
    { "Throttled", PX_THROTTLED, true },
    { "KMS.ThrottlingException", PX_THROTTLED, true },
    { "KMSThrottling", PX_THROTTLED, true },
    { "KmsThrottled", PX_THROTTLED, true },
    { "OverLimit", PX_THROTTLED, true },
    { "PriorRequestNotComplete", PX_THROTTLED, true },
    { "IDPCommunicationError", PX_NETWORK, true },
    { "ThrottlingException", PX_THROTTLED, true },
    { "ThrottledException", PX_THROTTLED, true },
    { "RequestThrottled", PX_THROTTLED, true },
    { "RequestThrottledException", PX_THROTTLED, true },
    { "TooManyRequestsException", PX_THROTTLED, true },
    { "ProvisionedThroughputExceededException", PX_THROTTLED, true },
    { "RequestLimitExceeded", PX_THROTTLED, true },
    { "BandwidthLimitExceeded", PX_THROTTLED, true },
    { "LimitExceededException", PX_THROTTLED, true },
    { "BadDigest", PX_CHECKSUM_MISMATCH, true },
    { "XAmzContentSHA256Mismatch", PX_CHECKSUM_MISMATCH, true },
    { "XAmzContentChecksumMismatch", PX_CHECKSUM_MISMATCH, true },
    { "IncompleteBody", PX_NETWORK, true },
    { "RequestTimeout", PX_NETWORK, true },
    { "RequestTimeoutException", PX_NETWORK, true },
    { "InternalError", PX_NETWORK, true },
    { "InternalFailure", PX_NETWORK, true },
    { "InternalServerError", PX_NETWORK, true },
    { "ServiceUnavailable", PX_NETWORK, true },
    { "ResourceNotFoundException", PX_NO_SUCH_TABLE, false },
    { "InvalidRange", PX_BAD_RANGE, false },
    { "EntityTooSmall", PX_PART_TOO_SMALL, false },
    { "ItemCollectionSizeLimitExceededException", PX_TOO_MANY_BYTES, false },
};
enum { ERROR_COUNT = sizeof errors / sizeof *errors };

struct reading {
    px_arena *arena;
    const char *code, *message, *region;
};

/* S3 answers <Error><Code>, the query services <ErrorResponse><Error><Code>. */
static bool take(void *context, const char *path, const char *text)
{
    struct reading *reading = context;
    size_t count = strlen(path);
    if (count >= 10 && strcmp(path + count - 10, "Error/Code") == 0)
        reading->code = px_arena_copy_text(reading->arena, text);
    else if (count >= 13 && strcmp(path + count - 13, "Error/Message") == 0)
        reading->message = px_arena_copy_text(reading->arena, text);
    else if (count >= 12 && strcmp(path + count - 12, "Error/Region") == 0)
        reading->region = px_arena_copy_text(reading->arena, text);
    return true;
}

static void read_json(const json_t *answer, struct reading *reading)
{
    const char *type = json_string_value(json_object_get(answer, "__type"));
    const char *code = type ? type : json_string_value(json_object_get(answer, "code"));
    const char *message = json_string_value(json_object_get(answer, "message"));
    const char *hash = code ? strchr(code, '#') : NULL; /* com.amazonaws.dynamodb.v20120810#ResourceNotFoundException */
    reading->code = px_arena_copy_text(reading->arena, hash ? hash + 1 : code);
    reading->message = px_arena_copy_text(reading->arena, message ? message : json_string_value(json_object_get(answer, "Message")));
}

void px_aws_error_read(const px_http_response *response, px_arena *arena, const char **ret_code, const char **ret_message)
{
    struct reading reading = { .arena = arena };
    if (response->body.count && response->body.data[0] == '{') {
        PX_AUTO(px_json_free) json_t *answer = json_loadb((const char *)response->body.data, response->body.count, 0, NULL);
        read_json(answer, &reading);
    } else if (response->body.count && px_xml_read(response->body, take, &reading, NULL) != PX_OK)
        reading.message = "";
    *ret_code = reading.code ? reading.code : "";
    *ret_message = reading.message ? reading.message : "";
}

const char *px_aws_error_region(const px_http_response *response, px_arena *arena)
{
    const char *named = px_http_header_find(response, "x-amz-bucket-region");
    struct reading reading = { .arena = arena };
    if (*named || !response->body.count || px_xml_read(response->body, take, &reading, NULL) != PX_OK)
        return named;
    return reading.region ? reading.region : "";
}

static int find(const char *code)
{
    /* SQS puts its old name behind: "AWS.SimpleQueueService.NonExistentQueue;Sender" */
    size_t count = strcspn(code, ";:");
    for (int i = 0; i < ERROR_COUNT; i++)
        if (strlen(errors[i].code) == count && strncmp(errors[i].code, code, count) == 0)
            return i;
    return -1;
}

px_status px_aws_error_status(const char *service, int http_status, const char *code)
{
    int index = find(code);
    if (index >= 0)
        return strcmp(service, "dynamodb") != 0 && errors[index].status == PX_NO_SUCH_TABLE ? PX_NO_SUCH_KEY : errors[index].status;
    switch (http_status) {
    case 404: return PX_NO_SUCH_KEY; /* a HEAD has no body to say more */
    case 401:
    case 403: return PX_ACCESS_DENIED;
    case 409:
    case 412: return PX_CONFLICT;
    case 416: return PX_BAD_RANGE;
    case 429: return PX_THROTTLED;
    case 503: return PX_THROTTLED;
    default: return http_status >= 500 ? PX_NETWORK : PX_BAD_REQUEST;
    }
}

bool px_aws_error_may_pass(int http_status, const char *code)
{
    int index = find(code);
    return index >= 0 ? errors[index].may_pass : http_status >= 500 || http_status == 429;
}
