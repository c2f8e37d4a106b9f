/* explain: which jobs an event becomes under the configuration, and why, without doing them. The parser and the judgement
 * are the service's own. */
#include "command/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "command/hosted.h"
#include "command/observe.h"
#include "pipeline/pipeline.h"

static px_status read_event(const char *path, px_arena *arena, px_bytes *ret, px_error *err)
{
    if (strcmp(path, "-") != 0) {
        px_status status = px_file_read(path, PX_LIMIT_EVENT_BYTES, arena, ret, err);
        return status == PX_NO_SUCH_KEY ? px_fail(err, status, "there is no file %s", path) : status;
    }
    uint8_t *data = px_arena_take(arena, 1, PX_LIMIT_EVENT_BYTES + 1);
    if (!data)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the event");
    size_t count = fread(data, 1, PX_LIMIT_EVENT_BYTES + 1, stdin);
    if (ferror(stdin))
        return px_fail(err, PX_INTERNAL, "cannot read the event from standard input");
    if (count > PX_LIMIT_EVENT_BYTES)
        return px_fail(err, PX_TOO_MANY_BYTES, "the event is longer than %d bytes", PX_LIMIT_EVENT_BYTES);
    *ret = (px_bytes){ data, count };
    return PX_OK;
}

/* For people and programs: what the job is and why. */
static const struct {
    const char *name, *reason;
} kinds[] = {
    [PX_JOB_UPDATE] = { "update", "the object was written: its outputs are brought up to date" },
    [PX_JOB_REMOVE] = { "remove", "the object was deleted: its outputs go too, unless it is there again" },
    [PX_JOB_IGNORE] = { "ignore", "" },
    [PX_JOB_BAD] = { "bad", "" },
};

static void print_json(const px_job *job, px_event_shape shape, const char *reason)
{
    char time[PX_TIME_TEXT] = "";
    if (job->event_ms)
        px_time_format(job->event_ms, time);
    json_t *line = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s}", "event", px_event_shape_name(shape), "job", kinds[job->kind].name, "bucket", job->bucket,
                             "key", job->key, "sequencer", job->sequencer, "eventTime", *time ? time : NULL, "reason", reason);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

static void print_job(const px_job *job, px_event_shape shape, bool json)
{
    const char *reason = job->reason && *job->reason ? job->reason : kinds[job->kind].reason;
    if (json) {
        print_json(job, shape, reason);
        return;
    }
    const char *bucket = job->bucket ? job->bucket : "", *key = job->key ? job->key : "";
    printf("%-6s  %s%s%s\n        %s\n", kinds[job->kind].name, bucket, *key ? "/" : "", key, reason);
    if (job->kind == PX_JOB_UPDATE || job->kind == PX_JOB_REMOVE)
        printf("        %s%s\n", job->sequencer ? "sequencer " : "no sequencer: the record's own is taken",
               job->sequencer ? job->sequencer : "");
}

/* The function's and the worker's differs in what nobody says: they take the events of any bucket. */
static px_status load(const px_options *options, px_arena *arena, px_config *ret, px_error *err)
{
    px_setting settings[PX_GIVEN_MAX];
    const char *version = NULL;
    bool changed;
    if (!px_option_is_on(options, "aws"))
        return px_command_config(options, NULL, 0, arena, ret, err);
    int count = px_options_settings(options, settings);
    return px_hosted_load(NULL, px_option_text(options, "config", getenv("PIXMILL_CONFIG")), 0, settings, count, &version, arena, ret, &changed, err);
}

static px_status explain(const px_options *options, bool json, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_bytes body;
    px_event event;
    px_config config;
    PX_TRY(px_arena_open(256u << 20, &arena, err));
    PX_TRY(load(options, &arena, &config, err));
    PX_TRY(read_event(options->arguments[0], &arena, &body, err));
    PX_TRY(px_event_parse(body, &arena, &event, err));
    if (!json)
        printf("%s\n", px_event_shape_name(event.shape));
    for (int i = 0; i < event.job_count; i++) {
        px_job *job = &event.jobs[i];
        const char *ignored = job->kind == PX_JOB_BAD ? NULL : px_job_ignored_because(&config, job, &arena);
        if (ignored) {
            job->kind = PX_JOB_IGNORE;
            job->reason = ignored;
        }
        print_job(job, event.shape, json);
    }
    if (event.job_count == 0 && !json)
        puts("no jobs: the event names no object");
    return PX_OK;
}

static int run(const px_options *options)
{
    px_error err = { 0 };
    px_status status = explain(options, px_option_is_on(options, "json"), &err);
    return status == PX_OK ? PX_EXIT_OK : px_options_fail(options, status, &err);
}

static const px_flag flags[] = {
    PX_FLAG_CONFIG,
    { "aws", 0, NULL, "as `lambda` and `worker` take it: of any bucket, unless a source is named", NULL },
    { "json", 0, NULL, "one job a line", NULL },
    { NULL, 0, NULL, NULL, NULL },
};

const px_command px_command_explain = {
    .name = "explain", .arguments = "EVENT.json", .summary = "Say which jobs an event becomes, without doing them (- is stdin)",
    .flags = flags, .least = 1, .most = 1, .run = run,
};
