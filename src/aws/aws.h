/* aws.h - the ports on S3, DynamoDB and SQS, and the few other calls that the commands need.
 *
 * A px_aws holds what all threads share: connections, credentials, what is known of buckets' regions. Ports are light and
 * made per thread, or per invocation: they carry a deadline and the words that join log lines. */
#ifndef PX_AWS_AWS_H
#define PX_AWS_AWS_H

#include "base/http.h"
#include "base/log.h"
#include "ports/queue.h"
#include "ports/store.h"
#include "ports/table.h"

typedef struct px_aws px_aws;

/* The region comes from AWS_REGION, AWS_DEFAULT_REGION or the profile; endpoints from AWS_ENDPOINT_URL_… and
 * AWS_ENDPOINT_URL; credentials as credentials.h says, at the first call. `log` is borrowed. */
PX_CHECKED px_status px_aws_open(px_log *log, px_aws **ret, px_error *err);
void px_aws_close(px_aws *aws); /* NULL is accepted; no ports may be in use */
px_http *px_aws_http(px_aws *aws);

/* Where the bucket stands in an address of S3. AUTO: in the host on AWS, in the path of an endpoint of one's own. */
typedef enum px_s3_style { PX_S3_AUTO, PX_S3_PATH, PX_S3_VIRTUAL } px_s3_style;

typedef struct px_aws_options {
    const char *table;        /* DynamoDB; NULL or "" for none */
    int ttl_days;             /* of records; 0: they stay (those of deleted originals go after 30 days) */
    const char *queue;        /* SQS, its URL; NULL or "" for none */
    int visibility_s;         /* of a message that is worked on; 0: 120 */
    const char *dead_letters; /* SQS, its URL; NULL or "": the queue's own redrive */
    px_s3_style s3_style;
    bool requester_pays;      /* who asks for an object pays, not the bucket's owner */
    uint64_t multipart_bytes; /* from which an output is uploaded in parts; 0: 64 MiB */
} px_aws_options;

typedef struct px_aws_ports px_aws_ports;

/* Texts of `options` are borrowed as long as the ports live. */
PX_CHECKED px_status px_aws_ports_create(px_aws *aws, const px_aws_options *options, px_aws_ports **ret, px_error *err);
void px_aws_ports_destroy(px_aws_ports *ports);
px_store *px_aws_store(px_aws_ports *ports);
px_table *px_aws_table(px_aws_ports *ports); /* NULL without a table */
px_queue *px_aws_queue(px_aws_ports *ports); /* NULL without a queue */

/* From now on calls end before `deadline_ms` (since 1970; 0: none) and are logged with this request id (borrowed). */
void px_aws_ports_begin(px_aws_ports *ports, int64_t deadline_ms, const char *request_id);

/* Makes an address that does `method` ("PUT", "GET") on the object for whoever has it, for `seconds` from now, or as long as the credentials
 * that sign it live: *ret_until_ms. Who uses it has to send these headers (names in lower case), and no others that S3 heeds. */
PX_CHECKED px_status px_aws_presign(px_aws_ports *ports, const char *method, const char *bucket, const char *key, const px_http_header *headers,
                                    int header_count, int64_t seconds, px_arena *arena, const char **ret_url, int64_t *ret_until_ms,
                                    px_error *err);

/* Deletes an object, whoever made it; absent is no failure. */
PX_CHECKED px_status px_aws_object_delete(px_aws_ports *ports, const char *bucket, const char *key, px_error *err);

/* Puts a message into an SQS queue; `attributes` are strings, at most ten. */
PX_CHECKED px_status px_aws_queue_send(px_aws_ports *ports, const char *queue_url, const char *body, const px_meta *attributes,
                                       int attribute_count, px_error *err);

/* The text at s3://BUCKET/KEY or ssm:NAME. *version is an arena text that changes when the text does; when it is not NULL on
 * entry and still holds, *ret_changed is false and nothing is read. */
PX_CHECKED px_status px_aws_fetch(px_aws_ports *ports, const char *address, px_arena *arena, const char **version, px_bytes *ret,
                                  bool *ret_changed, px_error *err);

/* Tells SNS (arn:aws:sns:…) or EventBridge (the name or ARN of a bus) of `detail`, a JSON text. */
PX_CHECKED px_status px_aws_notify(px_aws_ports *ports, const char *target, const char *subject, const char *detail, px_error *err);

#endif
