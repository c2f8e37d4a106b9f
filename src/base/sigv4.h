/* sigv4.h - AWS Signature Version 4 for S3 ("Authenticating Requests", S3 API reference): the arithmetic, for signing and
 * for verifying. S3's rules: the path is encoded once and not normalised. */
#ifndef PX_BASE_SIGV4_H
#define PX_BASE_SIGV4_H

#include "base/arena.h"
#include "base/uri.h"

typedef struct px_sigv4_header {
    const char *name, *value; /* name in lower case */
} px_sigv4_header;

typedef struct px_sigv4_request {
    const char *method;
    const char *path;                 /* decoded */
    const px_query *queries;          /* decoded; X-Amz-Signature is left out by us */
    int query_count;
    const px_sigv4_header *headers;   /* the signed ones, sorted by name */
    int header_count;
    const char *payload;              /* x-amz-content-sha256, or UNSIGNED-PAYLOAD */
} px_sigv4_request;

typedef struct px_sigv4_scope {
    char date[17];                    /* 20130524T000000Z */
    const char *region, *service;
} px_sigv4_scope;

/* The key of a day, region and service. */
void px_sigv4_key(const char *secret, const px_sigv4_scope *scope, uint8_t key[32]);

/* 64 hex digits. False without memory. */
bool px_sigv4_sign(const px_sigv4_request *request, const px_sigv4_scope *scope, const uint8_t key[32], char signature[65]);

/* Of one aws-chunked chunk (trailer false: `hash` is its data's SHA-256 in hex) or of the trailer (its lines'). */
void px_sigv4_chunk(const px_sigv4_scope *scope, const uint8_t key[32], const char *previous, const char *hash, bool trailer,
                    char signature[65]);

#endif
