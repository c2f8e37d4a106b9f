/* api.h - the upload API's door: request struct → response struct, and the OpenAPI document; both read one route table.
 *
 * Ask for an upload address, ask for the status of an image, list, delete. It neither speaks HTTP nor knows who asks: a transport
 * (src/server, src/lambda) lets in who may, fills a px_api_request, carries out what the response asks for, and sends it.
 * Whatever it touches lies in the source bucket under the upload prefix (`source_prefix` with `api.prefix` behind it).
 *
 * An image's id stands in the query, not in the path: keys may hold "//", ".." and "%2F", which gateways, proxies and browsers
 * rewrite in a path. */
#ifndef PX_API_API_H
#define PX_API_API_H

#include "base/http.h"
#include "base/uri.h"
#include "pipeline/pipeline.h"

/* Where a transport of our own has it: "/_/api/uploads". */
#define PX_API_ROOT "/_/api"

enum { PX_API_BODY_BYTES = 16384, PX_API_QUERIES = 16, PX_API_HEADERS = 12 };

typedef struct px_api_request {
    const char *method, *path;    /* path below the API's root, decoded: "/uploads" */
    const char *root;             /* that root as the client sees it, for OpenAPI's servers: "/_/api", "/prod", "" */
    const px_query *queries;      /* decoded; X-Amz-… are the transport's own */
    int query_count;              /* more than PX_API_QUERIES is refused */
    const char *content_type, *origin; /* "" if absent */
    px_bytes body;
    const char *trace_id;
} px_api_request;

/* The one request that an upload address is good for; names of headers in lower case, as they are signed. */
typedef struct px_api_put {
    const char *bucket, *key;
    const px_http_header *headers;
    int header_count;
    int64_t seconds;
} px_api_put;

/* What the API stands on; all borrowed. */
typedef struct px_api {
    const px_config *config;
    px_store *store;
    px_table *table;      /* NULL: there are no records */
    const char *version;  /* of the program, for OpenAPI */
    /* Makes the address. *ret_until_ms: until when it works, since 1970. */
    px_status (*presign)(void *context, const px_api_put *put, px_arena *arena, const char **ret_url, int64_t *ret_until_ms, px_error *err);
    void *context;
} px_api;

typedef struct px_api_response {
    int http;
    px_http_header headers[PX_API_HEADERS];
    int header_count;
    const char *body;       /* JSON, or "" */
    px_status status;       /* why it is an error; PX_OK if it is none */
    const char *removes;    /* a key of the source that the transport deletes first (absent is no failure); NULL: none. If that
                             * fails the answer is px_api_refuse's instead */
} px_api_response;

/* Answers a request, whatever it holds. Texts live in the arena (or are constant), or are the request's. */
void px_api_handle(const px_api *api, const px_api_request *request, px_arena *arena, px_api_response *ret);

/* An error in the API's words: {"code","message","traceId"}. */
void px_api_refuse(const px_api *api, const px_api_request *request, px_status status, const px_error *err, px_arena *arena, px_api_response *ret);

/* What a page of this origin ("https://example.com") is told in Access-Control-Allow-Origin; NULL: it may not use the API and its
 * upload addresses. */
const char *px_api_allowed_origin(const px_config *config, const char *origin);

/* The document, OpenAPI 3.0.3. */
typedef struct px_api_openapi {
    const char *version;  /* of the program */
    const char *root;     /* where it is served; "" for the host's own */
    bool gateway;         /* in Amazon API Gateway's dialect: a function behind each route, IAM in front of it */
    const char *function; /* of that, its ARN; NULL: CloudFormation puts in that of the resource ApiFunction */
} px_api_openapi;
PX_CHECKED px_status px_api_describe(const px_config *config, const px_api_openapi *options, px_arena *arena, const char **ret, px_error *err);

#endif
