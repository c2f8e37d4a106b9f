/* request.h - one HTTP request on its way: head, who asks, body, answer. Private to src/server. */
#ifndef PX_SERVER_REQUEST_H
#define PX_SERVER_REQUEST_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "base/hash.h"
#include "base/sigv4.h"
#include "local/local.h"
#include "server/chunked.h"
#include "server/mhd.h"
#include "server/server.h"
#include "api/api.h"
#include "base/xml.h"

enum { PX_HEADERS_MAX = 100, PX_HEAD_BYTES = 16384, PX_XML_BODY = 2 << 20, PX_SKEW_MS = 15 * 60 * 1000 };

struct px_server {
    struct MHD_Daemon *daemon;
    px_local *local;
    px_log *log;
    px_api api;                  /* presign is filled in with each request */
    char address[128], region[64];
    atomic_int running, waiting; /* requests; those of them that are suspended */
};

/* An answer that is an error of S3's. */
typedef struct px_s3_error {
    int http;
    const char *code;
} px_s3_error;

typedef struct px_request px_request;
typedef void px_handler(px_request *request);

typedef struct px_request {
    px_server *server;
    struct MHD_Connection *connection;
    px_arena arena;
    char *raw;                      /* owned: the request line's target, as it came */
    const char *method, *path;      /* path decoded */
    const char *bucket, *key;       /* of the path; "" if absent */
    px_query queries[PX_SIGV4_QUERIES_MAX]; /* all of them: each is signed */
    int query_count;
    px_access_key access;           /* who asks, once the gate has let it in */
    char id[17];                    /* x-amz-request-id */
    bool last;                      /* the connection ends with this answer */
    bool holds;                     /* an answer has to wait until the body was read and thrown away */
    struct MHD_Response *held;      /* owned: that answer */
    int held_http;
    uint64_t thrown_bytes;
    bool began, responded, waits;   /* waits: suspended until a done callback */
    px_handler *handler;            /* runs when the body is there */
    px_handler *respond;            /* runs after `waits` */
    void *work;                     /* arena: what a handler left for `respond` */

    /* the body */
    bool takes_upload, takes_text, expects_body;
    px_upload *upload;              /* owned until handed on */
    px_buffer text;                 /* owned */
    bool chunked_body;
    px_chunked chunked;
    uint64_t decoded_bytes, decoded_length; /* x-amz-decoded-content-length; UINT64_MAX if absent */
    const char *payload;            /* x-amz-content-sha256 */
    const char *found_payload;      /* of the whole body, for the gate when the head does not say it (the API's alone); else NULL */
    px_hash sha256;                 /* of the payload when it is declared */
    bool sha256_runs;
    int checksum;                   /* px_hash_kind of x-amz-checksum-…, -1 for none */
    px_hash checksum_hash;
    bool checksum_runs, checksum_in_trailer;
    char checksum_declared[64], checksum_found[64];
    px_status body_status;
    px_error body_error;
    const char *body_code;          /* S3's code of the failure; NULL: by body_status */

    /* the answer of a done callback */
    px_status status;
    px_error error;
    px_object object;               /* texts in the arena */
} px_request;

/* ---- gate.c: who are you, may you. One function before any route. ---- */
/* False when it has answered with an error. */
bool px_gate(px_request *request);

/* ---- answer.c ---- */
const char *px_request_header(px_request *request, const char *name); /* NULL if absent */
const char *px_request_query(px_request *request, const char *name);  /* NULL if absent */
void px_answer(px_request *request, int http, const char *type, px_buffer *body, const char *const *headers, int header_count);
void px_answer_error(px_request *request, int http, const char *code, const char *message);
void px_answer_status(px_request *request, px_status status, const px_error *err);
void px_answer_xml(px_request *request, px_buffer *body); /* 200; takes the body over */
void px_answer_response(px_request *request, int http, struct MHD_Response *response); /* takes it over */

/* Suspends the request until px_wake; `respond` runs then. px_wake keeps what a done callback was told. */
void px_wait(px_request *request, px_handler *respond);
void px_wake(void *request, px_status status, const px_error *err, const px_object *object);

/* ---- api.c: the upload API ---- */
bool px_server_is_api(const px_request *request);
/* Takes the request to the API; false when it has answered with an error. */
bool px_server_api_route(px_request *request);
/* An error in the API's words. */
void px_server_api_refuse(px_request *request, px_status status, const char *message);

/* ---- cors.c: pages of other origins, at the upload addresses that the API has made ---- */
/* True when it was a browser's question, and is answered. */
bool px_cors_preflight(px_request *request);
void px_cors_headers(px_request *request, struct MHD_Response *response);

/* ---- body.c ---- */
bool px_body_prepare(px_request *request);  /* after the route; false when it has answered with an error */
void px_body_push(px_request *request, const char *data, size_t count);
bool px_body_finish(px_request *request);   /* likewise */
extern const char *const px_checksum_names[PX_HASH_COUNT]; /* "crc32"; NULL if S3 has none */

/* ---- routes.c ---- */
/* Chooses the handler by method, path and query; false when it has answered with an error. */
bool px_s3_route(px_request *request);

/* ---- handlers: bucket.c, listing.c, object.c, deletion.c, multipart.c ---- */
void px_s3_list_buckets(px_request *request);
void px_s3_create_bucket(px_request *request);
void px_s3_delete_bucket(px_request *request);
void px_s3_head_bucket(px_request *request);
void px_s3_bucket_location(px_request *request);
void px_s3_bucket_versioning(px_request *request);
void px_s3_list_objects(px_request *request);
void px_s3_put_object(px_request *request);
void px_s3_copy_object(px_request *request);
void px_s3_delete_object(px_request *request);
void px_s3_delete_objects(px_request *request);
void px_s3_get_object(px_request *request);
void px_multipart_create(px_request *request);
void px_multipart_put(px_request *request);
void px_multipart_copy(px_request *request);
void px_multipart_complete(px_request *request);
void px_multipart_abort(px_request *request);
void px_multipart_parts(px_request *request);
void px_multipart_list(px_request *request);

/* ---- heads.c and what handlers share ---- */
/* Fills head from the request's headers (content_*, x-amz-meta-*). False when it has answered with an error. */
bool px_s3_head(px_request *request, px_object *head);
px_condition px_s3_condition(px_request *request);
/* The object that x-amz-copy-source names, its conditions judged. False when it has answered with an error. */
bool px_s3_copy_source(px_request *request, px_object *ret);
void px_s3_respond_put(px_request *request); /* after the writer: ETag and checksum of an object or part */
bool px_s3_has_bucket(px_request *request); /* false when it has answered that there is none */
const char *px_s3_unquoted(px_request *request, const char *text); /* an ETag as headers write it; NULL stays NULL */
const char *px_s3_etag(px_request *request, const char *etag); /* quoted */
void px_s3_checksum_headers(px_request *request, const char **headers, int *count);

#endif
