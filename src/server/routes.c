/* The routes of the S3 dialect ("Amazon S3 API Reference"), one table: method, where, and the query name or header that
 * singles a row out; the first row that fits is taken. */
#include <string.h>

#include "server/request.h"

static void not_implemented(px_request *request)
{
    px_answer_error(request, 501, "NotImplemented", "A header or query you provided implies functionality that is not implemented");
}

static void method_not_allowed(px_request *request)
{
    px_answer_error(request, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
}

enum place { SERVICE, BUCKET, OBJECT };
enum { UPLOAD = 1, XML = 2 }; /* where the body goes */

static const struct route {
    const char *method;
    enum place place;
    const char *query;   /* NULL: any */
    const char *header;  /* NULL: any */
    px_handler *handler;
    int body;
} routes[] = {
    { "GET", SERVICE, NULL, NULL, px_s3_list_buckets, 0 },
    { "GET", BUCKET, "location", NULL, px_s3_bucket_location, 0 },
    { "GET", BUCKET, "versioning", NULL, px_s3_bucket_versioning, 0 },
    { "GET", BUCKET, "uploads", NULL, px_multipart_list, 0 },
    { "POST", BUCKET, "delete", NULL, px_s3_delete_objects, XML },
    { "PUT", OBJECT, "partNumber", "x-amz-copy-source", px_multipart_copy, 0 },
    { "PUT", OBJECT, "partNumber", NULL, px_multipart_put, UPLOAD },
    { "GET", OBJECT, "uploadId", NULL, px_multipart_parts, 0 },
    { "POST", OBJECT, "uploads", NULL, px_multipart_create, 0 },
    { "POST", OBJECT, "uploadId", NULL, px_multipart_complete, XML },
    { "DELETE", OBJECT, "uploadId", NULL, px_multipart_abort, 0 },
    { "HEAD", BUCKET, NULL, NULL, px_s3_head_bucket, 0 },
    { "GET", BUCKET, NULL, NULL, px_s3_list_objects, 0 },
    { "PUT", BUCKET, NULL, NULL, px_s3_create_bucket, XML },
    { "DELETE", BUCKET, NULL, NULL, px_s3_delete_bucket, 0 },
    { "PUT", OBJECT, NULL, "x-amz-copy-source", px_s3_copy_object, 0 },
    { "PUT", OBJECT, NULL, NULL, px_s3_put_object, UPLOAD },
    { "GET", OBJECT, NULL, NULL, px_s3_get_object, 0 },
    { "HEAD", OBJECT, NULL, NULL, px_s3_get_object, 0 },
    { "DELETE", OBJECT, NULL, NULL, px_s3_delete_object, 0 },
    { NULL, SERVICE, NULL, NULL, method_not_allowed, XML },
    { NULL, BUCKET, NULL, NULL, method_not_allowed, XML },
    { NULL, OBJECT, NULL, NULL, method_not_allowed, XML },
};

/* S3's other sub-resources. Without this list `DELETE /bucket?website` would delete the bucket. */
static const char *const foreign[] = {
    "accelerate", "acl", "analytics", "attributes", "cors", "encryption", "intelligent-tiering", "inventory", "legal-hold",
    "lifecycle", "logging", "metadataTable", "metrics", "notification", "object-lock", "ownershipControls", "partNumber", "policy",
    "policyStatus", "publicAccessBlock", "renameObject", "replication", "requestPayment", "restore", "retention", "select",
    "session", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions", "website",
};

/* A sub-resource that none of the rows for it names. */
static bool is_foreign(px_request *request)
{
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (px_request_query(request, foreign[i]))
            return true;
    const char *version = px_request_query(request, "versionId");
    return version && *version && strcmp(version, "null") != 0;
}

bool px_s3_route(px_request *request)
{
    enum place place = !*request->bucket ? SERVICE : *request->key ? OBJECT : BUCKET;
    for (const struct route *route = routes;; route++) {
        if (route->place != place || (route->method && strcmp(route->method, request->method) != 0) ||
            (route->query && !px_request_query(request, route->query)) || (route->header && !px_request_header(request, route->header)))
            continue;
        if (!route->query && is_foreign(request)) {
            not_implemented(request);
            return false;
        }
        request->handler = route->handler;
        request->takes_upload = route->body == UPLOAD;
        if (route->body == UPLOAD && !request->expects_body) {
            px_answer_error(request, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
            return false;
        }
        return route->body != UPLOAD || px_s3_has_bucket(request); /* said before the bytes are sent, not after */
    }
}
