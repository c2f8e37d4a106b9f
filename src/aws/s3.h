/* s3.h - objects of S3 as the store port wants them; the files s3_get.c, s3_list.c, s3_put.c and store.c share it. Private to src/aws. */
#ifndef PX_AWS_S3_H
#define PX_AWS_S3_H

#include "aws/shared.h"

/* The start of a request about an object; without memory its target or path is NULL. */
px_aws_request px_aws_s3_request(const px_aws_ports *ports, const char *method, const char *action, const char *bucket, const char *key, px_arena *arena);

/* "abc" of "\"abc\"": an ETag without its quotes. Borrowed from the text. */
px_bytes px_aws_s3_etag(const char *quoted);

/* The object that a response's headers tell of; texts in the arena. */
PX_CHECKED px_status px_aws_s3_object_read(const px_http_response *response, const char *bucket, const char *key, px_arena *arena,
                                       px_object *ret, px_error *err);

PX_CHECKED px_status px_aws_s3_head(px_aws_ports *ports, const char *bucket, const char *key, px_arena *arena, px_object *ret, px_error *err);

/* Returns when the head is there; the bytes come while *ret_source is read, and a broken transfer goes on where it broke. */
PX_CHECKED px_status px_aws_s3_open(px_aws_ports *ports, const char *bucket, const char *key, const char *etag, px_arena *arena,
                                px_source *ret_source, px_object *ret, px_error *err);

/* Replace the object with this ETag (If-Match), or write only where there is none (NULL: If-None-Match). PX_CONFLICT when that
 * does not hold (412), *ret_again also when somebody writes at the same time (409). On success put->etag is filled. */
PX_CHECKED px_status px_aws_s3_put(px_aws_ports *ports, px_put *put, const char *replaces, px_arena *arena, bool *ret_again, px_error *err);

/* px_store.list. */
PX_CHECKED px_status px_aws_s3_list(px_aws_ports *ports, const char *bucket, const char *prefix, const char *after, px_arena *arena,
                                    px_object **ret, size_t *ret_count, bool *ret_more, px_error *err);

/* `etag` NULL: whatever is there. */
PX_CHECKED px_status px_aws_s3_delete(px_aws_ports *ports, const char *bucket, const char *key, const char *etag, px_arena *arena, px_error *err);

#endif
