/* A machine of five states over bytes; lines are gathered, data passes through. */
#include "server/chunked.h"

#include <ctype.h>
#include <string.h>

static px_status malformed(px_error *err, const char *what) { return px_fail(err, PX_BAD_REQUEST, "the aws-chunked body is malformed: %s", what); }

static px_status judge_signature(px_chunked *chunked, const char *claimed, const uint8_t *digest, bool trailer, px_error *err)
{
    char hash[65], expected[65];
    px_hex(digest, 32, hash);
    px_sigv4_chunk(&chunked->scope, chunked->key, chunked->previous, hash, trailer, expected);
    if (!px_equal_secret(px_bytes_of(expected), px_bytes_of(claimed)))
        return px_fail(err, PX_ACCESS_DENIED, "the signature of a chunk does not match");
    memcpy(chunked->previous, expected, sizeof expected);
    return PX_OK;
}

/* All of `text` as a signature; "" if it is not the length of one. */
static void take_signature(char signature[65], const char *text)
{
    size_t length = strlen(text);
    memcpy(signature, text, length == 64 ? 64 : 0);
    signature[length == 64 ? 64 : 0] = '\0';
}

/* "1f40;chunk-signature=…" */
static px_status read_head(px_chunked *chunked, px_error *err)
{
    const char *at = chunked->line;
    uint64_t size = 0;
    int digits = 0;
    for (; isxdigit((unsigned char)*at); at++, digits++)
        size = size << 4 | (uint64_t)(isdigit((unsigned char)*at) ? *at - '0' : (tolower((unsigned char)*at) - 'a' + 10));
    if (digits < 1 || digits > 10 || (*at && *at != ';'))
        return malformed(err, "a chunk's size is not a hexadecimal number");
    chunked->signature[0] = '\0';
    static const char name[] = ";chunk-signature=";
    if (strncmp(at, name, sizeof name - 1) == 0)
        take_signature(chunked->signature, at + sizeof name - 1);
    if (chunked->is_signed && !*chunked->signature)
        return px_fail(err, PX_ACCESS_DENIED, "a chunk without its signature");
    chunked->left = size;
    if (chunked->is_signed)
        px_hash_init(&chunked->hash, PX_HASH_SHA256);
    if (size > 0) {
        chunked->state = PX_CHUNK_DATA;
        return PX_OK;
    }
    chunked->state = PX_CHUNK_TRAILER;
    uint8_t digest[PX_HASH_MAX];
    if (!chunked->is_signed)
        return PX_OK;
    px_hash_finish(&chunked->hash, digest);
    return judge_signature(chunked, chunked->signature, digest, false, err);
}

static px_status read_trailer(px_chunked *chunked, px_error *err)
{
    static const char name[] = "x-amz-trailer-signature:";
    if (!*chunked->line) {
        chunked->state = PX_CHUNK_END;
        if (!chunked->is_signed || !chunked->has_trailer)
            return PX_OK;
        uint8_t digest[PX_HASH_MAX];
        px_hash_of(PX_HASH_SHA256, (px_bytes){ (const uint8_t *)chunked->trailers, chunked->trailer_count }, digest);
        return judge_signature(chunked, chunked->trailer_signature, digest, true, err);
    }
    char *colon = strchr(chunked->line, ':');
    if (!colon || !chunked->has_trailer)
        return malformed(err, colon ? "a trailer that was not announced" : "a trailer without a colon");
    for (char *at = chunked->line; at < colon; at++)
        *at = (char)tolower((unsigned char)*at);
    if (strncmp(chunked->line, name, sizeof name - 1) == 0) {
        take_signature(chunked->trailer_signature, chunked->line + sizeof name - 1);
        return PX_OK;
    }
    size_t length = strlen(chunked->line);
    if (chunked->trailer_count + length + 2 > sizeof chunked->trailers)
        return malformed(err, "too many trailers");
    memcpy(chunked->trailers + chunked->trailer_count, chunked->line, length);
    chunked->trailer_count += length;
    chunked->trailers[chunked->trailer_count++] = '\n';
    chunked->trailers[chunked->trailer_count] = '\0';
    return PX_OK;
}

/* Takes bytes up to the end of a line; *ret_line says whether it is whole (without CR LF). */
static px_status gather_line(px_chunked *chunked, const char **data, size_t *count, bool *ret_line, px_error *err)
{
    *ret_line = false;
    while (*count > 0) {
        char c = *(*data)++;
        (*count)--;
        if (c == '\n') {
            if (chunked->line_count == 0 || chunked->line[chunked->line_count - 1] != '\r')
                return malformed(err, "a line does not end with CR LF");
            chunked->line[chunked->line_count - 1] = '\0';
            chunked->line_count = 0;
            *ret_line = true;
            return PX_OK;
        }
        if (c == '\0' || chunked->line_count + 1 == sizeof chunked->line)
            return malformed(err, "a line is too long");
        chunked->line[chunked->line_count++] = c;
    }
    return PX_OK;
}

static px_status end_data(px_chunked *chunked, px_error *err)
{
    if (*chunked->line)
        return malformed(err, "a chunk is longer than its size");
    chunked->state = PX_CHUNK_HEAD;
    if (!chunked->is_signed)
        return PX_OK;
    uint8_t digest[PX_HASH_MAX];
    px_hash_finish(&chunked->hash, digest);
    return judge_signature(chunked, chunked->signature, digest, false, err);
}

px_status px_chunked_push(px_chunked *chunked, const char *data, size_t count,
                          px_status (*sink)(void *context, const char *data, size_t count, px_error *err), void *context, px_error *err)
{
    while (count > 0) {
        if (chunked->state == PX_CHUNK_END)
            return malformed(err, "bytes behind its end");
        if (chunked->state == PX_CHUNK_DATA) {
            size_t piece = count < chunked->left ? count : (size_t)chunked->left;
            if (chunked->is_signed)
                px_hash_push(&chunked->hash, data, piece);
            PX_TRY(sink(context, data, piece, err));
            data += piece;
            count -= piece;
            chunked->left -= piece;
            if (chunked->left == 0)
                chunked->state = PX_CHUNK_DATA_END;
            continue;
        }
        bool has_line;
        PX_TRY(gather_line(chunked, &data, &count, &has_line, err));
        if (!has_line)
            return PX_OK;
        PX_TRY(chunked->state == PX_CHUNK_HEAD ? read_head(chunked, err) : chunked->state == PX_CHUNK_DATA_END
                   ? end_data(chunked, err) : read_trailer(chunked, err));
    }
    return PX_OK;
}

px_status px_chunked_finish(px_chunked *chunked, px_error *err)
{
    /* The last CR LF is left out by some clients when there is no trailer. */
    bool whole = chunked->state == PX_CHUNK_END || (chunked->state == PX_CHUNK_TRAILER && !chunked->has_trailer && !chunked->line_count);
    return whole ? PX_OK : malformed(err, "it ends too early");
}

void px_chunked_done(px_chunked *chunked) { px_hash_done(&chunked->hash); }

bool px_chunked_trailer(const px_chunked *chunked, const char *name, char *value, size_t capacity)
{
    size_t length = strlen(name);
    for (const char *at = chunked->trailers; *at; at += strcspn(at, "\n") + 1) {
        if (strncmp(at, name, length) != 0 || at[length] != ':')
            continue;
        const char *start = at + length + 1;
        start += strspn(start, " ");
        size_t count = strcspn(start, "\n");
        if (count >= capacity)
            return false;
        memcpy(value, start, count);
        value[count] = '\0';
        return true;
    }
    return false;
}
