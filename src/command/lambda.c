/* lambda: the pipeline behind Lambda's Runtime API, or the upload API where the function's handler is called `api`. Everything that outlives an invocation (connections, credentials, the
 * sandbox's zygote, the configuration) is made once; ports are made per invocation, since they carry its deadline.
 *
 * How an invocation ends: what may pass fails it, so that Lambda or the queue tries again. What failed for good is recorded
 * and does not; where nothing would record it (no table), it goes to the dead letters, or fails the invocation. */
#include "command/command.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/aws.h"
#include "base/clock.h"
#include "command/hosted.h"
#include "command/lambda_api.h"
#include "command/observe.h"
#include "lambda/lambda.h"
#include "pipeline/pipeline.h"

enum { CONFIG_ARENA_BYTES = 16 << 20, HANDLE_ARENA_BYTES = 128 << 20, RELOAD_MS = 5000, RELOAD_PATIENCE_MS = 3000,
       START_PATIENCE_MS = 8000 /* Lambda ends a start after 10 s without a word of why */, SHARE_OF_MEMORY = 4 };

struct function {
    px_log *log;
    px_aws *aws;
    px_sandbox *sandbox;
    px_marks *marks;
    const char *api, *name;
    bool is_api;          /* handler `api`: it answers the upload API, and nothing else */
    int64_t memory_bytes; /* of the function; 0 if unknown */
    sem_t slots;
    pthread_mutex_t lock; /* over the configuration */
    struct settings *settings;
    int64_t checked_ms;   /* when the configuration was last looked at */
    atomic_bool warm;     /* it has had an invocation */
    double init_ms;       /* of its own start */
};

/* One reading of the configuration; replaced as a whole, freed when the last invocation that uses it has ended. */
struct settings {
    px_arena arena;
    px_config config;
    const char *version;
    int users;
};

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

/* ---- configuration ---- */

static void settings_release(struct settings *settings)
{
    if (settings && --settings->users == 0) {
        px_arena_close(&settings->arena);
        free(settings);
    }
}

/* *ret stays as it is when nothing has changed. */
static px_status load_settings(struct function *function, const char *known, int64_t deadline_ms, struct settings **ret, px_error *err)
{
    struct settings *settings = calloc(1, sizeof *settings);
    bool changed = false;
    if (!settings)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the configuration");
    settings->users = 1;
    settings->version = known;
    px_status status = px_arena_open(CONFIG_ARENA_BYTES, &settings->arena, err);
    if (status == PX_OK)
        status = px_hosted_load(function->aws, getenv("PIXMILL_CONFIG"), deadline_ms, NULL, 0, &settings->version, &settings->arena,
                                &settings->config, &changed, err);
    if (status != PX_OK || !changed) {
        settings_release(settings);
        settings = NULL;
    }
    PX_TRY(status);
    *ret = settings;
    return PX_OK;
}

/* A configuration that cannot be read any more is told, and the one that is there stays: the invocation's time is its pictures'. */
static void reload(struct function *function)
{
    struct settings *fresh = NULL;
    px_error why = { "" };
    px_status status = load_settings(function, function->settings->version, px_now_ms() + RELOAD_PATIENCE_MS, &fresh, &why);
    function->checked_ms = px_now_ms();
    if (status != PX_OK)
        px_log_write(function->log, PX_ERROR, NULL, "the configuration cannot be read again; the last one stays",
                     json_pack("{s:s, s:s}", "code", px_status_code(status), "reason", why.message));
    else if (fresh) {
        settings_release(function->settings);
        function->settings = fresh;
        px_log_write(function->log, PX_INFO, NULL, "the configuration has changed", json_pack("{s:s}", "from", variable("PIXMILL_CONFIG")));
    }
}

static struct settings *settings_now(struct function *function)
{
    pthread_mutex_lock(&function->lock);
    if (px_hosted_is_remote(getenv("PIXMILL_CONFIG")) && px_now_ms() - function->checked_ms > RELOAD_MS)
        reload(function);
    struct settings *settings = function->settings;
    settings->users++;
    pthread_mutex_unlock(&function->lock);
    return settings;
}

static void settings_give_back(struct function *function, struct settings *settings)
{
    pthread_mutex_lock(&function->lock);
    settings_release(settings);
    pthread_mutex_unlock(&function->lock);
}

/* ---- one invocation ---- */

struct work {
    struct function *function;
    const px_config *config;
    px_aws_ports *ports;
    bool cold; /* the process's first */
};

static px_status hand_over(void *context, const char *event, px_error *err)
{
    struct work *work = context;
    return px_aws_queue_send(work->ports, work->config->heavy.queue, event, NULL, 0, err);
}

static px_status notify(void *context, const char *record, px_error *err)
{
    struct work *work = context;
    return px_aws_notify(work->ports, work->config->notify, "pixmill record", record, err);
}

/* A job that failed for good: recorded by the table, or put among the dead letters; else the invocation has to tell. */
static void settle_dead(struct work *work, const px_lambda_invocation *invocation, const px_event *event, int index, px_job_result *result)
{
    const px_job *job = &event->jobs[index];
    bool recorded = *work->config->table && result->recorded;
    if (*work->config->dead_letters) {
        const px_meta attributes[] = { { "Code", px_status_code(result->status) }, { "Reason", *result->message ? result->message : "-" },
                                       { "ImageId", *result->image_id ? result->image_id : "-" } };
        const char *body = job->item >= 0 && *event->items[job->item].body ? event->items[job->item].body : NULL;
        char *copy = body ? strdup(body) : strndup((const char *)invocation->event.data, invocation->event.count);
        px_error why = { "" };
        px_status status = copy ? px_aws_queue_send(work->ports, work->config->dead_letters, copy, attributes, 3, &why) : PX_OUT_OF_MEMORY;
        free(copy);
        recorded |= status == PX_OK;
        if (status != PX_OK)
            px_log_write(work->function->log, PX_ERROR, invocation->request_id, "a dead letter could not be sent",
                         json_pack("{s:s, s:s}", "code", px_status_code(status), "reason", why.message));
    }
    if (recorded)
        result->verdict = PX_ACKNOWLEDGE;
}

/* Shapes that are answered item by item, or by an HTTP status, need no failed invocation. */
static bool has_own_answer(px_event_shape shape)
{
    return shape == PX_EVENT_SQS || shape == PX_EVENT_BATCH || shape == PX_EVENT_REST || shape == PX_EVENT_HTTP;
}

static px_status judge(const px_event *event, const px_job_result *results, px_error *err)
{
    if (has_own_answer(event->shape))
        return PX_OK;
    const px_job_result *worst = px_lambda_failure(event, results, -1);
    if (!worst)
        return PX_OK;
    return px_fail(err, worst->status == PX_OK ? PX_INTERNAL : worst->status, "%s", worst->message);
}

static px_status run_event(struct work *work, const px_lambda_invocation *invocation, const px_event *event, px_arena *arena, char **ret_answer,
                           px_error *err)
{
    struct function *function = work->function;
    px_job_result *results = px_new(arena, px_job_result, (size_t)event->job_count + 1);
    px_store *store = px_aws_store(work->ports);
    px_table *table = px_aws_table(work->ports), *bare = NULL;
    if (!results)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the results of %d jobs", event->job_count);
    if (!table)
        PX_TRY(px_bare_table_create(work->config, store, NULL, &bare, err));
    px_pipeline pipeline = {
        .config = work->config, .store = store, .table = table ? table : bare, .sandbox = function->sandbox, .marks = function->marks, .log = function->log,
        .hosted = true, .metrics = true, .service = function->name, .slots = &function->slots, .context = work,
        .hand_over = hand_over, .notify = *work->config->notify ? notify : NULL,
    };
    px_invocation about = { invocation->request_id, invocation->trace_id, invocation->deadline_ms, 1, (uint64_t)function->memory_bytes / SHARE_OF_MEMORY };
    px_status status = px_pipeline_run(&pipeline, event, &about, arena, results, err);
    px_bare_table_destroy(bare);
    PX_TRY(status);
    for (int i = 0; i < event->job_count; i++)
        if (results[i].verdict == PX_DEAD)
            settle_dead(work, invocation, event, i, &results[i]);
    PX_TRY(judge(event, results, err));
    *ret_answer = px_lambda_answer(event, results);
    return PX_OK;
}

static px_status handle_with(struct work *work, const px_lambda_invocation *invocation, px_arena *arena, char **ret_answer, px_error *err)
{
    px_event event;
    px_aws_options options = px_command_aws_options(work->config);
    options.queue = ""; /* events come to a function by themselves */
    PX_TRY(px_event_parse(invocation->event, arena, &event, err));
    PX_TRY(px_aws_ports_create(work->function->aws, &options, &work->ports, err));
    px_aws_ports_begin(work->ports, invocation->deadline_ms, invocation->request_id);
    px_log_write(work->function->log, PX_INFO, invocation->request_id, "event",
                 json_pack("{s:s, s:i, s:s, s:b}", "shape", px_event_shape_name(event.shape), "jobs", event.job_count, "traceId",
                           invocation->trace_id, "coldStart", work->cold));
    px_status status = run_event(work, invocation, &event, arena, ret_answer, err);
    px_aws_ports_destroy(work->ports);
    return status;
}

static px_status handle(void *context, const px_lambda_invocation *invocation, char **ret_answer, px_error *err)
{
    struct function *function = context;
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_TRY(px_arena_open(HANDLE_ARENA_BYTES, &arena, err));
    struct settings *settings = settings_now(function);
    struct work work = { .function = function, .config = &settings->config, .cold = !atomic_exchange(&function->warm, true) };
    if (work.cold)
        px_metrics_cold_start(function->log, function->name, invocation->request_id, function->init_ms);
    px_status status = function->is_api
        ? px_lambda_api_answer(&(px_lambda_api){ function->aws, work.config, function->log }, invocation, &arena, ret_answer, err)
        : handle_with(&work, invocation, &arena, ret_answer, err);
    settings_give_back(function, settings);
    return status;
}

/* ---- start ---- */

/* Lambda's own words for its log's format and level. */
static px_status open_log(px_log **ret, px_error *err)
{
    px_level level = px_level_find(variable("AWS_LAMBDA_LOG_LEVEL"));
    px_log_options options = { .text = strcmp(variable("AWS_LAMBDA_LOG_FORMAT"), "Text") == 0, .level = level == PX_LEVEL_COUNT ? PX_INFO : level, .fd = 1 };
    return px_log_create(&options, ret, err);
}

static px_status start(struct function *function, px_error *err)
{
    PX_TRY(load_settings(function, NULL, px_now_ms() + START_PATIENCE_MS, &function->settings, err));
    function->checked_ms = px_now_ms();
    if (function->is_api)
        return px_lambda_api_check(&function->settings->config, err);
    PX_TRY(px_marks_open(&function->marks, err));
    return px_sandbox_open(&function->sandbox, err);
}

static void function_done(struct function *function)
{
    px_sandbox_close(function->sandbox);
    px_marks_close(function->marks);
    settings_release(function->settings);
    px_aws_close(function->aws);
    px_log_destroy(function->log);
}

static px_status serve(struct function *function, px_error *err)
{
    int64_t start_us = px_monotonic_us();
    int concurrency = atoi(variable("AWS_LAMBDA_MAX_CONCURRENCY"));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    function->api = variable("AWS_LAMBDA_RUNTIME_API");
    function->is_api = strcmp(variable("_HANDLER"), "api") == 0;
    function->name = *variable("AWS_LAMBDA_FUNCTION_NAME") ? variable("AWS_LAMBDA_FUNCTION_NAME") : "pixmill";
    function->memory_bytes = (int64_t)atoi(variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")) << 20;
    if (!*function->api)
        return px_fail(err, PX_BAD_CONFIG, "AWS_LAMBDA_RUNTIME_API is not set: this command runs inside AWS Lambda; `pixmill serve` runs anywhere");
    PX_TRY(open_log(&function->log, err));
    PX_TRY(px_aws_open(function->log, &function->aws, err));
    pthread_mutex_init(&function->lock, NULL);
    sem_init(&function->slots, 0, cores > 1 ? (unsigned)cores : 1);
    px_status status = start(function, err);
    if (status != PX_OK) {
        px_log_write(function->log, PX_FATAL, NULL, "the function cannot start",
                     json_pack("{s:s, s:s}", "code", px_status_code(status), "reason", err->message));
        px_lambda_fail_init(px_aws_http(function->aws), function->api, status, err);
        return status;
    }
    function->init_ms = (double)(px_monotonic_us() - start_us) / 1000.0;
    px_lambda_options options = { function->api, concurrency > 1 ? concurrency : 1, handle, function, function->log };
    return px_lambda_run(px_aws_http(function->aws), &options, err);
}

static int run(const px_options *options)
{
    PX_AUTO(function_done) struct function function = { 0 };
    px_error err = { "" };
    px_status status = serve(&function, &err);
    return status == PX_OK ? PX_EXIT_OK : px_options_fail(options, status, &err);
}

static const px_flag flags[] = { { NULL, 0, NULL, NULL, NULL } };

const px_command px_command_lambda = {
    .name = "lambda", .arguments = "", .summary = "Run inside AWS Lambda: the Runtime API loop (also under the name bootstrap)",
    .flags = flags, .run = run,
};
