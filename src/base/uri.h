/* uri.h - percent-encoding (RFC 3986 section 2.1) and query strings, as SigV4 and S3 want them. */
#ifndef PX_BASE_URI_H
#define PX_BASE_URI_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/limits.h"

/* Writes `text` with all but A-Z a-z 0-9 - . _ ~ (and '/', if kept) as %XX, upper case. */
void px_uri_encode(px_buffer *buffer, const char *text, bool keep_slash);

/* Decodes %XX once; `plus_is_space` for form data. NULL for a bad or NUL escape, or without room. */
char *px_uri_decode(px_arena *arena, px_bytes text, bool plus_is_space);

/* The bucket of s3://BUCKET/KEY into `bucket`; the key, in `address`, or NULL if it is no such address. */
const char *px_uri_split_s3(const char *address, char bucket[PX_LIMIT_BUCKET_BYTES + 1]);

typedef struct px_query {
    const char *name, *value; /* decoded; value "" without '=' */
} px_query;

enum { PX_QUERIES_MALFORMED = -1, PX_QUERIES_TOO_MANY = -2 };

/* Splits "a=1&b" into `capacity` entries at most. Returns how many, or one of the two above: never only some of them. */
int px_query_parse(px_arena *arena, const char *text, px_query *queries, int capacity);

/* The value of a name; NULL if it is not there. */
const char *px_query_find(const px_query *queries, int count, const char *name);

#endif
