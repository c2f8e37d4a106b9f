/* pipeline.h - the pipeline's door: configuration and recipe, event → jobs, job → outputs + record, workers.
 *
 * The same code in every setting; what stands behind store, table and queue differs (DESIGN.md section 1). */
#ifndef PX_PIPELINE_PIPELINE_H
#define PX_PIPELINE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/log.h"
#include "image/image.h"
#include "ports/queue.h"
#include "ports/store.h"
#include "ports/table.h"
#include "sandbox/sandbox.h"

/* ---- recipe ---- */

typedef struct px_output {
    const char *id;      /* "web" */
    const char *name;    /* template: "{dir}processed-{stem}.jpg" */
    px_output_spec spec;
    char fingerprint[17]; /* 16 hex over the effective options without name, and the engine number */
} px_output;

typedef struct px_recipe {
    px_output outputs[PX_LIMIT_OUTPUTS];
    int output_count;
} px_recipe;

/* ---- configuration; texts live in the arena given to px_config_load ---- */

typedef struct px_config {
    const char *source, *destination;               /* buckets */
    const char *source_prefix, *destination_prefix; /* "" for the whole bucket */
    const char *table;
    bool delete_follows;   /* on_delete: follow | keep */
    bool overwrite_any;    /* overwrite: own | any */
    const char *cache_control; /* of outputs */
    bool keep_metadata;    /* carry user metadata of the source over */
    int max_attempts;      /* then a transient failure becomes a dead letter */
    int workers;           /* 0: as many as cores */
    px_limits limits;
    px_recipe recipe;
    const char *listen;    /* "127.0.0.1:9000" */
    const char *data;      /* folder */
    const char *region;    /* "us-east-1" */
    bool log_text;
    px_level log_level;
} px_config;

/* A flag that sets an option: --width 1200 is { "width", "1200" }. */
typedef struct px_setting {
    const char *path, *value;
} px_setting;

/* defaults < file < environment < flags. `path`: --config, or NULL for PIXMILL_CONFIG and then ./pixmill.yaml if it
 * exists. PX_BAD_CONFIG and PX_BAD_RECIPE name file, line and what would be right. */
PX_CHECKED px_status px_config_load(const char *path, const px_setting *flags, int flag_count, px_arena *arena,
                                    px_config *ret, px_error *err);

/* What is in force and where each value came from, as `check --show` prints it (YAML with comments). */
PX_CHECKED px_status px_config_show(const char *path, const px_setting *flags, int flag_count, px_arena *arena,
                                    const char **ret_text, px_error *err);

/* One row a key for --help and docs/configure.md: calls `each` for every option in order. */
void px_options_each(void (*each)(void *context, const char *path, const char *type, const char *fallback,
                                  const char *meaning), void *context);

/* Fills an output's name template for a source key. Dimensions are the output's; `etag` the source's. */
PX_CHECKED px_status px_output_name(const px_output *output, const char *source_key, const char *etag,
                                    px_format format, int width, int height, px_arena *arena, const char **ret,
                                    px_error *err);

/* ---- running ---- */

typedef struct px_pipeline {
    const px_config *config;
    px_store *store;
    px_table *table;
    px_queue *queue;     /* NULL: the caller settles */
    px_sandbox *sandbox;
    px_log *log;
    /* How pictures are transformed; NULL: by px_sandbox_run. Tests put theirs here. */
    px_status (*transform)(px_sandbox *sandbox, const px_sandbox_task *task, px_transform_report *ret,
                           px_sandbox_usage *ret_usage, px_error *err);
} px_pipeline;

/* What an event asks for; `explain` prints it. */
typedef enum px_job_kind { PX_JOB_UPDATE, PX_JOB_REMOVE, PX_JOB_IGNORE } px_job_kind;
typedef struct px_job {
    px_job_kind kind;
    const char *bucket, *key;  /* decoded */
    const char *sequencer;     /* padded; NULL if the event has none */
    const char *reason;        /* PX_JOB_IGNORE: why */
    int64_t event_ms;          /* when it happened, 0 if unknown */
} px_job;

/* Turns an event's JSON (S3 notification, s3:TestEvent, {"bucket","key"}) into jobs. PX_BAD_EVENT says what was seen. */
PX_CHECKED px_status px_event_parse(px_bytes body, px_arena *arena, px_job **ret_jobs, int *ret_count, px_error *err);

/* Why nothing will be done for a job under this configuration (another bucket, another prefix); NULL if it will. */
const char *px_job_ignored_because(const px_config *config, const px_job *job, px_arena *arena);

/* Brings one delivery to its end as DESIGN.md section 3 says: parse, claim, transform, store, finish, settle, log.
 * Failures of the picture are not failures of the call: those end in record, dead letter and log. */
PX_CHECKED px_status px_pipeline_handle(px_pipeline *pipeline, const px_delivery *delivery, px_error *err);

/* Threads that take from the queue and handle. `stop` drains: running jobs end first. */
typedef struct px_workers px_workers;
PX_CHECKED px_status px_workers_start(px_pipeline *pipeline, int count, px_workers **ret, px_error *err);
void px_workers_stop(px_workers *workers); /* also frees; NULL is accepted. Calls queue->stop */

#endif
