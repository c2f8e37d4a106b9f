/* inside.h - what the files of src/aws share: one way to call AWS. Private to src/aws. */
#ifndef PX_AWS_INSIDE_H
#define PX_AWS_INSIDE_H

#include <jansson.h>

#include "aws/aws.h"
#include "aws/credentials.h"
#include "base/uri.h"

enum { PX_AWS_HEADERS_MAX = 40 };

typedef struct px_aws_request {
    const char *service;      /* of endpoint and signature: "s3", "dynamodb", "sqs", "sts" … */
    const char *action;       /* "GetObject", for log and messages */
    const char *target;       /* what it is about, likewise: "bucket/key", a table */
    const char *method;
    const char *bucket;       /* S3; NULL elsewhere */
    const char *path;         /* decoded; of S3 without the bucket: "/a b.jpg" */
    const char *url;          /* the endpoint to use instead of the service's: SQS queue URLs name theirs. NULL for none */
    const px_query *queries;  /* decoded */
    int query_count;
    const px_http_header *headers; /* names in lower case; all are signed. "" leaves a header out */
    int header_count;
    px_bytes body;            /* or, with has_fd, body_bytes from body_offset of fd */
    bool has_fd;
    int fd;
    uint64_t body_offset, body_bytes;
    const char *payload_hash; /* hex SHA-256 of the body; NULL: computed */
    const px_http_sink *sink; /* takes the body of a 200 or 206 of S3's GetObject */
    bool patient;             /* a long poll: the peer may stay silent */
    px_s3_style s3_style;
    bool requester_pays;
    const char *region;       /* of what it is about; NULL or "": the bucket's, or ours */
} px_aws_request;

typedef struct px_aws_reply {
    px_http_response http;
    const char *code;         /* AWS's own error code: "NoSuchKey", "ConditionalCheckFailedException"; "" if it worked */
    px_credentials *signer;   /* those that signed it, in the arena */
    const char *region;       /* that it was signed for */
} px_aws_reply;

struct px_aws_ports {
    px_store store;           /* functions filled by px_aws_store_init … */
    px_table table;
    px_queue queue;
    px_aws *aws;
    px_aws_options options;
    int64_t deadline_ms;
    const char *request_id;
    void *queue_state;        /* sqs.c's; NULL without a queue */
};

void px_aws_store_init(px_aws_ports *ports);
void px_aws_table_init(px_aws_ports *ports);
PX_CHECKED px_status px_aws_queue_init(px_aws_ports *ports, px_error *err);
void px_aws_queue_done(px_aws_ports *ports);

#define PX_PORTS_OF(self, member) ((px_aws_ports *)(void *)((char *)(self) - offsetof(px_aws_ports, member)))

/* Signs, sends, tries again while that may help and the deadline allows, and logs the call. PX_OK for 2xx and 304. Otherwise
 * AWS's error as one of our codes, with `ret` filled all the same (its code is "" when no answer came). */
PX_CHECKED px_status px_aws_call(px_aws_ports *ports, const px_aws_request *request, px_arena *arena, px_aws_reply *ret,
                                 px_error *err);

/* A call of a JSON service: POST with X-Amz-Target ("DynamoDB_20120810.PutItem"). `about` has its service and target, and may have
 * url, region and patient. *ret_answer is a new reference (or NULL for an empty body), also of an error; `ret_code` may be NULL.
 * `body` is borrowed. */
PX_CHECKED px_status px_aws_call_json(px_aws_ports *ports, const px_aws_request *about, const char *target_header, const json_t *body,
                                      px_arena *arena, json_t **ret_answer, const char **ret_code, px_error *err);

/* A call of SQS about one queue; `body` gets its QueueUrl. */
PX_CHECKED px_status px_aws_sqs_call(px_aws_ports *ports, const char *queue_url, const char *action, json_t *body, bool patient,
                                     px_arena *arena, json_t **ret_answer, px_error *err);

/* SHA-256 of `bytes` of a file from `offset` on; `name` is for the message. */
PX_CHECKED px_status px_aws_hash_part(int fd, uint64_t offset, uint64_t bytes, const char *name, uint8_t digest[32], px_error *err);

/* One HTTP request, signed at our time plus `skew_ms` and ready to be sent; texts in the arena. For what goes on alone after a break,
 * and for asking for credentials. */
PX_CHECKED px_status px_aws_prepare(int64_t skew_ms, const px_aws_request *request, const px_credentials *signer, const char *region,
                                    px_arena *arena, px_http_request *ret, px_error *err);

/* The address as it goes out, and its path and host as they are signed: an endpoint may have a path of its own. */
PX_CHECKED px_status px_aws_format_url(const px_aws_request *request, const char *region, px_arena *arena, const char **ret_url,
                                       const char **ret_path, const char **ret_host, px_error *err);

/* "20130524T000000Z" of AWS's time. */
void px_aws_format_date(int64_t skew_ms, char date[17]);

/* Exponential with full jitter: how long to wait before try number `attempt` (2 is the first repeat). */
int px_aws_backoff_ms(int attempt);

static inline void px_json_free(json_t **json) { json_decref(*json); }

#endif
