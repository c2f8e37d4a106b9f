/* Any bytes as AWS's answer to what went wrong: JSON or XML. A code is always a text, and always becomes one of ours. */
#include <stdlib.h>
#include <string.h>

/* Private to src/aws, and pure: tested from inside. */
#include "aws/shared.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    static px_arena arena;
    static const int statuses[] = { 400, 403, 404, 409, 412, 429, 500, 503 };
    const char *code = NULL, *message = NULL;
    if (!arena.start && px_arena_open(64 << 20, &arena, NULL) != PX_OK)
        abort();
    px_arena_reset(&arena);
    uint8_t *copy = malloc(count + !count); /* so that a byte too far is seen */
    memcpy(copy, data, count);
    px_http_response response = { .status = statuses[count % 8], .body = { copy, count } };
    px_aws_error_read(&response, &arena, &code, &message);
    free(copy);
    if (!code || !message)
        abort();
    px_status status = px_aws_error_status(count & 1 ? "dynamodb" : "s3", response.status, code);
    if (status == PX_OK || status >= PX_STATUS_COUNT)
        abort();
    (void)px_aws_error_may_pass(response.status, code);
    return 0;
}
