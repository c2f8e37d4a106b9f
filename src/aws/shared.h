/* shared.h - what px_aws holds for all threads, and the pure parts of a call: endpoints and errors. Private to src/aws. */
#ifndef PX_AWS_SHARED_H
#define PX_AWS_SHARED_H

#include <pthread.h>
#include <stdatomic.h>

#include "aws/inside.h"

enum { PX_AWS_REGIONS_KEPT = 16 };

struct px_aws {
    px_http *http;                /* owned */
    px_credential_chain *chain;   /* owned */
    px_log *log;                  /* borrowed */
    char region[64];              /* "" if nobody says */
    atomic_llong skew_ms;         /* AWS's clock less ours */
    pthread_mutex_t lock;
    struct {                      /* under the lock: buckets that answered from elsewhere */
        char bucket[256], region[64];
    } regions[PX_AWS_REGIONS_KEPT];
    int region_count;
};

/* The region that a bucket is known to be in; ours otherwise. */
void px_aws_region_of(px_aws *aws, const char *bucket, char region[64]);
void px_aws_region_learn(px_aws *aws, const char *bucket, const char *region);

/* "https://bucket.s3.eu-west-1.amazonaws.com", with *ret_path_style saying that the bucket belongs into the path. */
PX_CHECKED px_status px_aws_endpoint(const char *service, const char *bucket, px_s3_style style, const char *region, px_arena *arena,
                                     const char **ret, bool *ret_path_style, px_error *err);

/* The region in an SQS queue's address; "" if there is none. */
void px_aws_queue_region(const char *queue_url, char region[64]);

/* What SQS takes of a text, with a stand-in for each character that it does not; in the arena, NULL without memory. */
char *px_aws_sqs_text(const char *text, px_arena *arena);

/* AWS's error of a response: its code and message (texts in the arena, "" if there are none). XML and JSON. */
void px_aws_error_read(const px_http_response *response, px_arena *arena, const char **ret_code, const char **ret_message);

/* The region where S3 says that the bucket is, in a header or (with AuthorizationHeaderMalformed) in the error itself; "" if it does
 * not say. */
const char *px_aws_error_region(const px_http_response *response, px_arena *arena);

/* One of our codes for it. */
px_status px_aws_error_status(const char *service, int http_status, const char *code);

/* May the same request do better in a moment? */
bool px_aws_error_may_pass(int http_status, const char *code);

#endif
