/* Any bytes as an aws-chunked body: first byte the form, second the size of the pieces. The payload must be the same
 * whatever the pieces, and never longer than the body. */
#include <stdlib.h>
#include <string.h>

#include "server/chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

struct sum {
    size_t bytes;
    px_hash hash;
};

static px_status add(void *context, const char *data, size_t count, px_error *err)
{
    (void)err;
    struct sum *sum = context;
    sum->bytes += count;
    px_hash_push(&sum->hash, data, count);
    return PX_OK;
}

static px_status feed(const char *body, size_t count, size_t step, int form, struct sum *sum, uint8_t digest[PX_HASH_MAX])
{
    px_chunked *chunked = calloc(1, sizeof *chunked);
    if (!chunked)
        abort();
    chunked->is_signed = form & 1;
    chunked->has_trailer = form & 2;
    chunked->scope = (px_sigv4_scope){ "20130524T000000Z", "us-east-1", "s3" };
    *sum = (struct sum){ 0 };
    px_hash_init(&sum->hash, PX_HASH_CRC64NVME);
    px_status status = PX_OK;
    for (size_t at = 0; at < count && status == PX_OK; at += step) {
        size_t piece = count - at < step ? count - at : step;
        char *copy = malloc(piece); /* so that the sanitizer sees a step too far */
        memcpy(copy, body + at, piece);
        status = px_chunked_push(chunked, copy, piece, add, sum, NULL);
        free(copy);
    }
    if (status == PX_OK)
        status = px_chunked_finish(chunked, NULL);
    char value[64];
    (void)px_chunked_trailer(chunked, "x-amz-checksum-crc32", value, sizeof value);
    px_chunked_done(chunked);
    free(chunked);
    px_hash_finish(&sum->hash, digest);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    if (count < 2)
        return 0;
    struct sum whole, pieces;
    uint8_t first[PX_HASH_MAX] = { 0 }, second[PX_HASH_MAX] = { 0 };
    const char *body = (const char *)data + 2;
    px_status one = feed(body, count - 2, count, data[0], &whole, first);
    px_status two = feed(body, count - 2, (size_t)data[1] + 1, data[0], &pieces, second);
    if (one != two || whole.bytes > count || (one == PX_OK && (whole.bytes != pieces.bytes || memcmp(first, second, sizeof first) != 0)))
        abort();
    return 0;
}
