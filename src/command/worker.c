/* worker: the pipeline behind an SQS queue, for pictures that are too heavy for the Lambda and for whoever has no Lambda. Takes
 * as many messages at a time as there are cores, and drains on SIGTERM: what is not settled by then comes again. */
#include "command/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/aws.h"
#include "command/drain.h"
#include "command/hosted.h"
#include "command/observe.h"
#include "pipeline/pipeline.h"

enum { DRAIN_S = 29 };

struct worker {
    px_config config;
    px_log *log;
    px_sandbox *sandbox;
    px_marks *marks;
    px_aws *aws;
    px_aws_ports *ports;
    px_table *bare;
    px_workers *workers;
    px_pipeline pipeline;
};

static void worker_done(struct worker *worker)
{
    px_workers_stop(worker->workers);
    px_bare_table_destroy(worker->bare);
    px_aws_ports_destroy(worker->ports);
    px_aws_close(worker->aws);
    px_sandbox_close(worker->sandbox);
    px_marks_close(worker->marks);
    px_log_destroy(worker->log);
}

static px_status notify(void *context, const char *record, px_error *err)
{
    struct worker *worker = context;
    return px_aws_notify(worker->ports, worker->config.notify, "pixmill record", record, err);
}

static px_status start(struct worker *worker, px_error *err)
{
    const px_config *config = &worker->config;
    px_aws_options options = px_command_aws_options(config);
    if (!*options.queue)
        options.queue = config->heavy.queue;
    if (!*options.queue)
        return px_fail(err, PX_BAD_CONFIG, "no queue to take from: set queue (PIXMILL_QUEUE, --queue) or heavy.queue to an SQS queue's URL");
    PX_TRY(px_marks_open(&worker->marks, err));
    PX_TRY(px_aws_open(worker->log, &worker->aws, err));
    PX_TRY(px_aws_ports_create(worker->aws, &options, &worker->ports, err));
    px_store *store = px_aws_store(worker->ports);
    px_table *table = px_aws_table(worker->ports);
    px_queue *queue = px_aws_queue(worker->ports);
    if (!table)
        PX_TRY(px_bare_table_create(config, store, queue, &worker->bare, err));
    worker->pipeline = (px_pipeline){ .config = config, .store = store, .table = table ? table : worker->bare, .queue = queue,
                                      .sandbox = worker->sandbox, .marks = worker->marks, .log = worker->log, .metrics = true, .service = "worker", .context = worker,
                                      .notify = *config->notify ? notify : NULL };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int count = config->workers > 0 ? config->workers : cores > 0 ? (int)cores : 1;
    px_log_write(worker->log, PX_INFO, NULL, "taking jobs", json_pack("{s:s, s:s, s:i}", "queue", options.queue, "destination", config->destination, "workers", count));
    return px_workers_start(&worker->pipeline, count, &worker->workers, err);
}

static px_status work(struct worker *worker, px_error *err)
{
    px_log_options log = { .text = worker->config.log_text, .level = worker->config.log_level, .fd = 1 };
    PX_TRY(px_log_create(&log, &worker->log, err));
    PX_TRY(px_sandbox_open(&worker->sandbox, err)); /* before there are threads, and with no signal blocked */
    px_drain_prepare();
    PX_TRY(start(worker, err));
    px_drain_wait(worker->log);
    px_drain_begin(DRAIN_S, "pixmill: running jobs did not end within 29 s; their messages come again\n");
    px_workers_stop(worker->workers);
    worker->workers = NULL;
    px_log_write(worker->log, PX_INFO, NULL, "stopped", NULL);
    return PX_OK;
}

static px_status prepare(struct worker *worker, const px_options *options, px_arena *arena, px_error *err)
{
    px_setting settings[PX_GIVEN_MAX];
    int count = px_options_settings(options, settings);
    const char *version = NULL;
    bool changed;
    return px_hosted_load(NULL, px_option_text(options, "config", getenv("PIXMILL_CONFIG")), 0, settings, count, &version, arena, &worker->config,
                          &changed, err);
}

static int run(const px_options *options)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(worker_done) struct worker worker = { 0 };
    px_error err = { "" };
    px_status status = px_arena_open(16u << 20, &arena, &err);
    if (status == PX_OK)
        status = prepare(&worker, options, &arena, &err);
    if (status == PX_OK)
        status = work(&worker, &err);
    return status == PX_OK ? PX_EXIT_OK : px_options_fail(options, status, &err);
}

static const px_flag flags[] = {
    { "queue", 'q', "URL", "the SQS queue to take from (queue, or heavy.queue)", "queue" },
    PX_FLAG_CONFIG,
    { NULL, 0, NULL, NULL, NULL },
};

const px_command px_command_worker = {
    .name = "worker", .arguments = "", .summary = "Take jobs from an SQS queue, for pictures too heavy for the Lambda",
    .flags = flags, .run = run,
};
