/* Ask for the next invocation, handle it, answer, and again. Several threads do so where the runtime wants that.
 *
 * The wait for the next invocation has no limit, since the process may be frozen meanwhile. What the runtime does not take is
 * told as the invocation's failure; only a runtime that cannot go on ends the loop. */
#include "lambda/lambda.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buffer.h"

enum { LOOP_ARENA_BYTES = 32 << 20, THREADS_MAX = 64, ANSWER_MAX = 6 << 20 };

struct loop {
    px_http *http;
    const px_lambda_options *options;
    pthread_mutex_t lock;
    px_status status;   /* the first loop's that ended; under the lock */
    px_error why;
};

static void format_url(const char *api, const char *rest, char url[512]) { snprintf(url, 512, "http://%s/2018-06-01/runtime/%s", api, rest); }

/* {"errorMessage","errorType","stackTrace"}, and the type as a header: Pixmill.corrupt-image. */
static px_status post_error(px_http *http, const char *api, const char *rest, px_status status, const px_error *why, px_arena *arena,
                            px_http_response *ret, px_error *err)
{
    char url[512], type[80];
    format_url(api, rest, url);
    snprintf(type, sizeof type, "Pixmill.%s", px_status_code(status));
    json_t *body = json_pack("{s:s, s:s, s:[]}", "errorMessage", why->message, "errorType", type, "stackTrace");
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    px_http_header headers[] = { { "Lambda-Runtime-Function-Error-Type", type }, { "Content-Type", "application/vnd.aws.lambda.error+json" } };
    px_http_request request = { .method = "POST", .url = url, .headers = headers, .header_count = 2, .body = px_bytes_of(text ? text : "{}"),
                                .patient = true, .direct = true };
    px_status sent = px_http_send(http, &request, arena, ret, err);
    free(text);
    json_decref(body);
    return sent;
}

static px_status post_answer(struct loop *loop, const char *request_id, const char *answer, px_arena *arena, px_http_response *ret, px_error *err)
{
    char url[512], rest[300];
    snprintf(rest, sizeof rest, "invocation/%.200s/response", request_id);
    format_url(loop->options->api, rest, url);
    px_http_header header = { "Content-Type", "application/json" };
    px_http_request request = { .method = "POST", .url = url, .headers = &header, .header_count = 1, .body = px_bytes_of(answer),
                                .patient = true, .direct = true };
    return px_http_send(loop->http, &request, arena, ret, err);
}

static px_status next(struct loop *loop, px_arena *arena, px_http_response *ret, px_error *err)
{
    char url[512];
    format_url(loop->options->api, "invocation/next", url);
    px_http_request request = { .method = "GET", .url = url, .patient = true, .direct = true };
    PX_TRY(px_http_send(loop->http, &request, arena, ret, err));
    if (ret->status != 200 || !*px_http_header_find(ret, "lambda-runtime-aws-request-id"))
        return px_fail(err, PX_INTERNAL, "the runtime API answered %d to the question for the next invocation", ret->status);
    return PX_OK;
}

/* A 500 of the runtime means that it cannot go on. */
static px_status tell(struct loop *loop, const char *request_id, px_status status, const char *answer, const px_error *why, px_arena *arena,
                      px_error *err)
{
    px_http_response response;
    char rest[300];
    if (status == PX_OK && strlen(answer) <= ANSWER_MAX) {
        PX_TRY(post_answer(loop, request_id, answer, arena, &response, err));
        if (response.status < 300)
            return PX_OK;
        if (response.status == 500)
            return px_fail(err, PX_INTERNAL, "the runtime API cannot go on");
    }
    px_error reason = *why;
    if (status == PX_OK)
        status = px_fail(&reason, PX_TOO_MANY_BYTES, "the runtime did not take the answer of %zu bytes", strlen(answer));
    snprintf(rest, sizeof rest, "invocation/%.200s/error", request_id);
    PX_TRY(post_error(loop->http, loop->options->api, rest, status, &reason, arena, &response, err));
    return response.status == 500 ? px_fail(err, PX_INTERNAL, "the runtime API cannot go on") : PX_OK;
}

static px_status serve_one(struct loop *loop, px_arena *arena, px_error *err)
{
    px_http_response response;
    PX_TRY(next(loop, arena, &response, err));
    px_lambda_invocation invocation = {
        .request_id = px_http_header_find(&response, "lambda-runtime-aws-request-id"),
        .trace_id = px_http_header_find(&response, "lambda-runtime-trace-id"),
        .deadline_ms = strtoll(px_http_header_find(&response, "lambda-runtime-deadline-ms"), NULL, 10), .event = response.body,
    };
    char *answer = NULL;
    px_error why = { "" };
    px_status status = loop->options->handle(loop->options->context, &invocation, &answer, &why);
    if (status == PX_OK && !answer)
        status = px_fail(&why, PX_OUT_OF_MEMORY, "no memory for the answer");
    if (status != PX_OK)
        px_log_write(loop->options->log, PX_ERROR, invocation.request_id, "the invocation failed",
                     json_pack("{s:s, s:s}", "code", px_status_code(status), "reason", why.message));
    px_status told = tell(loop, invocation.request_id, status, answer ? answer : "", &why, arena, err);
    free(answer);
    return told;
}

static void *work(void *context)
{
    struct loop *loop = context;
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_error err = { "" };
    px_status status = px_arena_open(LOOP_ARENA_BYTES, &arena, &err);
    while (status == PX_OK) {
        px_arena_reset(&arena);
        status = serve_one(loop, &arena, &err);
    }
    pthread_mutex_lock(&loop->lock);
    if (loop->status == PX_OK) {
        loop->status = status;
        loop->why = err;
    }
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

px_status px_lambda_run(px_http *http, const px_lambda_options *options, px_error *err)
{
    struct loop loop = { .http = http, .options = options };
    pthread_t threads[THREADS_MAX];
    int started = 0, wanted = options->concurrency > THREADS_MAX ? THREADS_MAX : options->concurrency;
    pthread_mutex_init(&loop.lock, NULL);
    while (started < wanted - 1 && pthread_create(&threads[started], NULL, work, &loop) == 0)
        started++;
    work(&loop);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&loop.lock);
    return px_fail(err, loop.status, "%s", loop.why.message);
}

void px_lambda_fail_init(px_http *http, const char *api, px_status status, const px_error *why)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_http_response response;
    if (px_arena_open(1 << 20, &arena, NULL) == PX_OK)
        (void)!post_error(http, api, "init/error", status, why, &arena, &response, NULL); /* the exit code says it too */
}
