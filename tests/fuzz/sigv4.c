/* Any bytes as "path?query\nname: value\n…", decoded and signed. What was decoded, encoded and decoded again must be the
 * same, and a signature must not depend on how its address was encoded. */
#include <stdlib.h>
#include <string.h>

#include "base/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

enum { QUERIES = 32, HEADERS = 16 };

static bool sign(px_arena *arena, const char *path, const px_query *queries, int query_count, char *lines, char signature[65])
{
    px_sigv4_header headers[HEADERS];
    int header_count = 0;
    char *save = NULL;
    char *copy = px_arena_copy_text(arena, lines);
    for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line && header_count < HEADERS; line = strtok_r(NULL, "\n", &save)) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = '\0';
        headers[header_count++] = (px_sigv4_header){ line, colon + 1 };
    }
    px_sigv4_scope scope = { "20130524T000000Z", "us-east-1", "s3" };
    px_sigv4_request request = { "GET", path, queries, query_count, headers, header_count, "UNSIGNED-PAYLOAD" };
    uint8_t key[32];
    px_sigv4_key("secret", &scope, key);
    return px_sigv4_sign(&request, &scope, key, signature, NULL) == PX_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    px_arena arena;
    if (count > 1 << 14 || px_arena_open(1 << 20, &arena, NULL) != PX_OK)
        return 0;
    char *text = px_arena_copy(&arena, (px_bytes){ data, count });
    char *lines = text + strcspn(text, "\n");
    if (*lines)
        *lines++ = '\0';
    char *mark = strchr(text, '?');
    size_t length = mark ? (size_t)(mark - text) : strlen(text);
    px_query queries[QUERIES], again[QUERIES];
    const char *path = px_uri_decode(&arena, (px_bytes){ (const uint8_t *)text, length }, false);
    int query_count = px_query_parse(&arena, mark ? mark + 1 : "", queries, QUERIES);
    char first[65], second[65];
    if (path && query_count >= 0 && sign(&arena, path, queries, query_count, lines, first)) {
        px_buffer encoded = { 0 };
        px_uri_encode(&encoded, path, true);
        const char *back = px_uri_decode(&arena, px_buffer_bytes(&encoded), false);
        px_buffer_clear(&encoded);
        px_buffer_text(&encoded, "");
        for (int i = 0; i < query_count; i++) {
            px_buffer_text(&encoded, "&");
            px_uri_encode(&encoded, queries[i].name, false);
            px_buffer_text(&encoded, "=");
            px_uri_encode(&encoded, queries[i].value, false);
        }
        int again_count = px_query_parse(&arena, encoded.data, again, QUERIES);
        if (back && (strcmp(back, path) != 0 || again_count != query_count))
            abort();
        if (back && sign(&arena, back, again, again_count, lines, second) && strcmp(first, second) != 0)
            abort();
        px_buffer_done(&encoded);
    }
    px_arena_close(&arena);
    return 0;
}
