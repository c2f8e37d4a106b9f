/* lambda.h - the Lambda's door: the Runtime API loop (AWS: "Using the Lambda runtime API for custom runtimes"). */
#ifndef PX_LAMBDA_LAMBDA_H
#define PX_LAMBDA_LAMBDA_H

#include "base/http.h"
#include "base/log.h"

typedef struct px_lambda_invocation {
    const char *request_id, *trace_id; /* "" if none */
    int64_t deadline_ms;               /* since 1970 */
    px_bytes event;
} px_lambda_invocation;

/* Handles one; may be called on several threads at once. *ret_answer (malloc'ed) goes to the runtime. A failure is the
 * invocation's: Lambda, or what sent the event, tries again. */
typedef px_status px_lambda_handler(void *context, const px_lambda_invocation *invocation, char **ret_answer, px_error *err);

typedef struct px_lambda_options {
    const char *api;   /* AWS_LAMBDA_RUNTIME_API: "127.0.0.1:9001" */
    int concurrency;   /* invocations at once, 1 or AWS_LAMBDA_MAX_CONCURRENCY */
    px_lambda_handler *handle;
    void *context;
    px_log *log;
} px_lambda_options;

/* Runs until the runtime says that it cannot go on; that is how it ends: PX_INTERNAL or PX_NETWORK. */
PX_CHECKED px_status px_lambda_run(px_http *http, const px_lambda_options *options, px_error *err);

/* Tells the runtime that the function cannot start, and why. */
void px_lambda_fail_init(px_http *http, const char *api, px_status status, const px_error *why);

/* How an event's jobs are answered: lambda/answer.h; requests of the upload API: lambda/request.h. */
#include "lambda/answer.h"
#include "lambda/request.h"

#endif
