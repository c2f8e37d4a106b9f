/* sigv4.h - AWS Signature Version 4 ("Authenticating Requests", S3 API reference; "Signing AWS API requests", IAM user
 * guide), for signing and for verifying.
 *
 * The scope's service decides how a path is signed: S3's is encoded once and never normalised, for a key may hold "//" and
 * dots; any other is freed of dot segments and empty ones, and encoded twice. */
#ifndef PX_BASE_SIGV4_H
#define PX_BASE_SIGV4_H

#include "base/arena.h"
#include "base/status.h"
#include "base/uri.h"

typedef struct px_sigv4_header {
    const char *name, *value; /* name in lower case */
} px_sigv4_header;

typedef struct px_sigv4_request {
    const char *method;
    const char *path;                 /* decoded */
    const px_query *queries;          /* decoded; X-Amz-Signature is left out by us */
    int query_count;
    const px_sigv4_header *headers;   /* the signed ones, each name once; px_sigv4_sign takes them as they are: sorted by name */
    int header_count;
    const char *payload;              /* x-amz-content-sha256, or UNSIGNED-PAYLOAD */
} px_sigv4_request;

typedef struct px_sigv4_scope {
    char date[17];                    /* 20130524T000000Z */
    const char *region, *service;
} px_sigv4_scope;

typedef struct px_sigv4_credentials {
    const char *access_key_id, *secret, *token; /* token "" if none */
} px_sigv4_credentials;

/* More is refused with PX_BAD_REQUEST, for what is left out would not be signed. The queries of a presigned address count. */
enum { PX_SIGV4_HEADERS_MAX = 64, PX_SIGV4_QUERIES_MAX = 128, PX_SIGV4_SECRET_MAX = 290 };

/* The key of a day, region and service; of a secret not longer than PX_SIGV4_SECRET_MAX. */
void px_sigv4_key(const char *secret, const px_sigv4_scope *scope, uint8_t key[32]);

/* 64 hex digits: what the signature is, for whoever sends a request and whoever checks one. */
PX_CHECKED px_status px_sigv4_sign(const px_sigv4_request *request, const px_sigv4_scope *scope, const uint8_t key[32], char signature[65],
                                   px_error *err);

/* Signs a request that is about to be sent: writes the Authorization header's value. The headers, in any order, hold host and
 * the x-amz- ones (the token's among them); not authorization. */
PX_CHECKED px_status px_sigv4_authorize(const px_sigv4_request *request, const px_sigv4_scope *scope,
                                        const px_sigv4_credentials *credentials, px_buffer *authorization, px_error *err);

/* Signs an address that works for `expires_s` seconds: appends "X-Amz-Algorithm=…&X-Amz-Signature=…" to `query`, after an '&'
 * if that holds something: the request's own queries, which are signed too, are the caller's to write. The headers, in any
 * order, are what whoever uses the address must send: host, mostly. */
PX_CHECKED px_status px_sigv4_presign(const px_sigv4_request *request, const px_sigv4_scope *scope, const px_sigv4_credentials *credentials,
                                      int64_t expires_s, px_buffer *query, px_error *err);

/* Of one aws-chunked chunk (trailer false: `hash` is its data's SHA-256 in hex) or of the trailer (its lines'). */
void px_sigv4_chunk(const px_sigv4_scope *scope, const uint8_t key[32], const char *previous, const char *hash, bool trailer,
                    char signature[65]);

#endif
