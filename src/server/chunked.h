/* chunked.h - the aws-chunked body encoding: sized chunks, each perhaps signed, and trailers (S3 API reference,
 * "Signature Calculations: Transferring Payload in Multiple Chunks" and "… with trailing headers"). */
#ifndef PX_SERVER_CHUNKED_H
#define PX_SERVER_CHUNKED_H

#include "base/hash.h"
#include "base/sigv4.h"
#include "base/status.h"

enum { PX_CHUNK_LINE = 512, PX_CHUNK_TRAILERS = 4096 };

typedef struct px_chunked {
    bool is_signed;                 /* every chunk, and the trailer */
    bool has_trailer;
    px_sigv4_scope scope;           /* when signed */
    uint8_t key[32];
    char previous[65];              /* signature of the chunk before; starts as the request's */
    enum { PX_CHUNK_HEAD, PX_CHUNK_DATA, PX_CHUNK_DATA_END, PX_CHUNK_TRAILER, PX_CHUNK_END } state;
    uint64_t left;                  /* bytes of the chunk still to come */
    char signature[65];             /* what this chunk claims */
    char line[PX_CHUNK_LINE];
    size_t line_count;
    px_hash hash;                   /* of the chunk's data */
    char trailers[PX_CHUNK_TRAILERS]; /* "name:value\n" as signed, names in lower case */
    size_t trailer_count;
    char trailer_signature[65];
} px_chunked;

/* Feeds raw bytes; `sink` gets the payload. PX_BAD_REQUEST for a malformed body, PX_ACCESS_DENIED for a wrong signature, or
 * the sink's failure. */
PX_CHECKED px_status px_chunked_push(px_chunked *chunked, const char *data, size_t count,
                                     px_status (*sink)(void *context, const char *data, size_t count, px_error *err), void *context,
                                     px_error *err);

/* The body is over. PX_BAD_REQUEST if it was cut. */
PX_CHECKED px_status px_chunked_finish(px_chunked *chunked, px_error *err);
void px_chunked_done(px_chunked *chunked);

/* A trailer's value, copied; false if it is not there. */
bool px_chunked_trailer(const px_chunked *chunked, const char *name, char *value, size_t capacity);

#endif
