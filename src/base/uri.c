/* One pass each; nothing is decoded twice. */
#include "base/uri.h"

#include <string.h>

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

void px_uri_encode(px_buffer *buffer, const char *text, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (is_unreserved(*at) || (keep_slash && *at == '/'))
            px_buffer_push(buffer, at, 1);
        else
            px_buffer_push(buffer, (char[]){ '%', digits[*at >> 4], digits[*at & 15] }, 3);
    }
}

static int hex_value(unsigned char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *px_uri_decode(px_arena *arena, px_bytes text, bool plus_is_space)
{
    char *decoded = px_new(arena, char, text.count + 1), *out = decoded;
    for (size_t i = 0; decoded && i < text.count; i++) {
        unsigned char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.count ? hex_value(text.data[i + 1]) : -1;
            int low = i + 2 < text.count ? hex_value(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return NULL;
            c = (unsigned char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space)
            c = ' ';
        if (c == 0)
            return NULL;
        *out++ = (char)c;
    }
    return decoded;
}

int px_query_parse(px_arena *arena, const char *text, px_query *queries, int capacity)
{
    int count = 0;
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, "&"), name = strcspn(at, "=&");
        if (length > 0) {
            if (count == capacity)
                return PX_QUERIES_TOO_MANY;
            size_t value = name < length ? name + 1 : length;
            queries[count].name = px_uri_decode(arena, (px_bytes){ (const uint8_t *)at, name }, true);
            queries[count].value = px_uri_decode(arena, (px_bytes){ (const uint8_t *)at + value, length - value }, true);
            if (!queries[count].name || !queries[count].value)
                return PX_QUERIES_MALFORMED;
            count++;
        }
        at += length;
        at += *at == '&';
    }
    return count;
}

const char *px_query_find(const px_query *queries, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(queries[i].name, name) == 0)
            return queries[i].value;
    return NULL;
}

const char *px_uri_split_s3(const char *address, char bucket[PX_LIMIT_BUCKET_BYTES + 1])
{
    static const char scheme[] = "s3://";
    const char *name = address + sizeof scheme - 1, *slash = strncmp(address, scheme, sizeof scheme - 1) == 0 ? strchr(name, '/') : NULL;
    size_t count = slash ? (size_t)(slash - name) : 0;
    if (count == 0 || count > PX_LIMIT_BUCKET_BYTES || !slash[1] || strlen(slash + 1) > PX_LIMIT_KEY_BYTES)
        return NULL;
    memcpy(bucket, name, count);
    bucket[count] = '\0';
    return slash + 1;
}
