/* pipeline.h - the pipeline's door: configuration and recipe, event → jobs, job → outputs + record, workers.
 *
 * The same code in every setting; what stands behind store, table and queue differs (DESIGN.md section 1). */
#ifndef PX_PIPELINE_PIPELINE_H
#define PX_PIPELINE_PIPELINE_H

#include <semaphore.h>
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
    const char *mark_image, *mark_text, *mark_font; /* the watermark's; "" for none. Text is in the spec too */
    char mark_digest[17]; /* 16 hex over the bytes of its picture and font, once px_marks_take has them; "" before */
    char fingerprint[17]; /* 16 hex over the effective options without name, and the engine number */
} px_output;

typedef struct px_recipe {
    px_output outputs[PX_LIMIT_OUTPUTS];
    int output_count;
    px_output manifest;  /* of them all; its name is NULL or "" if there is none */
} px_recipe;

/* ---- configuration; texts live in the arena given to px_config_load ---- */

typedef struct px_config {
    const char *source, *destination;               /* buckets */
    const char *source_prefix, *destination_prefix; /* "" for the whole bucket */
    const char *table;
    bool delete_follows;   /* on_delete: follow | keep */
    bool overwrite_any;    /* overwrite: own | any */
    const char *manifest;      /* its name's template; "" for none */
    const char *cache_control; /* of outputs */
    bool keep_metadata;    /* carry user metadata of the source over */
    int max_attempts;      /* then a transient failure becomes a dead letter */
    int workers;           /* 0: as many as cores */
    px_limits limits;
    px_recipe recipe;
    struct {
        const char *queue; /* URL; "" for none */
        uint64_t bytes, pixels;
        const char *formats; /* "png,tiff"; "" for none */
        uint32_t seconds;  /* left of the invocation, at least */
    } heavy;               /* what is handed to another worker */
    const char *queue, *dead_letters, *notify; /* URLs, ARN; "" for none */
    int visibility;        /* seconds */
    int record_days;       /* 0: for ever */
    struct {
        int style;         /* 0 auto, 1 path, 2 virtual host */
        uint64_t multipart_bytes;
        bool requester_pays;
    } s3;
    struct {
        const char *prefix;  /* behind source_prefix */
        const char *origins; /* "https://a.example,https://b.example"; "" for none */
        uint64_t bytes;
        int seconds;
    } api;
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

/* As px_config_load, for a function or worker: no source unless named (the event's bucket is), no table unless named, and a
 * destination that has to be. `text` (may be NULL) was fetched and stands for the file that `path` names. */
PX_CHECKED px_status px_config_load_hosted(const char *path, const px_bytes *text, const px_setting *flags, int flag_count, px_arena *arena,
                                           px_config *ret, px_error *err);

/* What is in force and where each value came from, as `check --show` prints it (YAML with comments). */
PX_CHECKED px_status px_config_show(const char *path, const px_setting *flags, int flag_count, px_arena *arena,
                                    const char **ret_text, px_error *err);

/* One output from settings alone, the others at their defaults: for who has no configuration. Texts are borrowed; there is
 * no fingerprint. */
PX_CHECKED px_status px_output_parse(const px_setting *settings, int count, px_arena *arena, px_output *ret, px_error *err);

/* One row a key for --help and docs/configure.md: calls `each` for every option in order. */
void px_options_each(void (*each)(void *context, const char *path, const char *type, const char *fallback,
                                  const char *meaning), void *context);

/* Fills an output's name template for a source key. Dimensions are the output's; `etag` the source's. */
PX_CHECKED px_status px_output_name(const px_output *output, const char *source_key, const char *etag,
                                    px_format format, int width, int height, px_arena *arena, const char **ret,
                                    px_error *err);

/* ---- watermarks: the bytes that recipes name ---- */

/* Pictures and fonts, kept between jobs: read once, and again when they have changed. Any thread may take. */
typedef struct px_marks px_marks;
PX_CHECKED px_status px_marks_open(px_marks **ret, px_error *err);
void px_marks_close(px_marks *marks); /* NULL is accepted */

/* Fills the outputs' spec.mark with descriptors of what they name, and their fingerprints with its content. `store` answers for s3://
 * addresses (NULL: nobody does). PX_BAD_RECIPE: it is not there, or cannot be one. To be given back, also on failure. */
PX_CHECKED px_status px_marks_take(px_marks *marks, px_store *store, px_output *outputs, int count, px_error *err);
void px_marks_give_back(px_output *outputs, int count);

/* ---- running ---- */

typedef struct px_pipeline {
    const px_config *config;
    px_store *store;
    px_table *table;
    px_queue *queue;     /* NULL: the caller settles */
    bool hosted;         /* START, END and REPORT lines are the host's */
    bool metrics;        /* a line of CloudWatch's embedded metric format per picture */
    const char *service; /* the metrics' dimension; NULL: "pixmill" */
    sem_t *slots;        /* how many pictures are transformed at a time; NULL: as many as come */
    /* Hands a picture that is too heavy for here to whom it is not; NULL: there is nobody. `event` is JSON. */
    px_status (*hand_over)(void *context, const char *event, px_error *err);
    /* Tells of a record that has ended (JSON); NULL: nobody wants to know. A failure is logged, no more. */
    px_status (*notify)(void *context, const char *record, px_error *err);
    void *context;       /* of both */
    px_sandbox *sandbox;
    px_marks *marks;     /* NULL: recipes have no watermarks that need any */
    px_log *log;
    /* How pictures are transformed; NULL: by px_sandbox_run. Tests put theirs here. */
    px_status (*transform)(px_sandbox *sandbox, const px_sandbox_task *task, px_transform_report *ret,
                           px_sandbox_usage *ret_usage, px_error *err);
} px_pipeline;

/* ---- events ---- */

/* What an event asks for; `explain` prints it. */
typedef enum px_job_kind {
    PX_JOB_UPDATE, PX_JOB_REMOVE, PX_JOB_IGNORE,
    PX_JOB_BAD, /* a message of a batch that could not be read */
} px_job_kind;
typedef struct px_job {
    px_job_kind kind;
    const char *bucket, *key;  /* decoded; "" of PX_JOB_BAD */
    const char *sequencer;     /* padded; NULL if the event has none */
    const char *reason;        /* PX_JOB_IGNORE, PX_JOB_BAD: why */
    int64_t event_ms;          /* when it happened, 0 if unknown */
    uint64_t bytes;            /* of the object, as the event says; 0 if unknown */
    int item;                  /* of px_event.items; -1 if the event has none */
} px_job;

typedef enum px_event_shape {
    PX_EVENT_S3, PX_EVENT_TEST, PX_EVENT_BRIDGE, PX_EVENT_SQS, PX_EVENT_SNS, PX_EVENT_BATCH, PX_EVENT_REST, PX_EVENT_HTTP, PX_EVENT_PLAIN,
    PX_EVENT_SHAPE_COUNT
} px_event_shape;

/* A message of an SQS batch, or a task of S3 Batch Operations: answered one by one. */
typedef struct px_event_item {
    const char *id;       /* messageId, taskId */
    int attempts;         /* ApproximateReceiveCount; 0 if unknown */
    const char *trace_id; /* AWSTraceHeader; "" if none */
    const char *body;     /* as it came, for a dead letter; "" of a task */
} px_event_item;

typedef struct px_event {
    px_event_shape shape;
    px_job *jobs;
    int job_count;
    px_event_item *items;
    int item_count;
    const char *invocation_id; /* S3 Batch Operations */
    const char *schema;        /* its invocationSchemaVersion */
    bool fifo;                 /* an SQS FIFO queue */
} px_event;

/* Turns an event's JSON into jobs: S3 notifications, s3:TestEvent, EventBridge, SQS batches and SNS around them, S3 Batch
 * Operations, API Gateway (REST, HTTP) and function URLs with one of these as the body, {"bucket","key"}. Recognised by shape.
 * PX_BAD_EVENT says what was seen. */
PX_CHECKED px_status px_event_parse(px_bytes body, px_arena *arena, px_event *ret, px_error *err);

const char *px_event_shape_name(px_event_shape shape); /* "SQS batch" */

/* Why nothing will be done for a job under this configuration (another bucket, another prefix); NULL if it will. A
 * configuration without a source takes any bucket's events. */
const char *px_job_ignored_because(const px_config *config, const px_job *job, px_arena *arena);

/* Brings one delivery to its end as DESIGN.md section 3 says: parse, claim, transform, store, finish, settle, log.
 * Failures of the picture are not failures of the call: those end in record, dead letter and log. */
PX_CHECKED px_status px_pipeline_handle(px_pipeline *pipeline, const px_delivery *delivery, px_error *err);

/* How a job ended, for who settles it: queue, Lambda's answer. Texts live in the arena of the call. */
typedef struct px_job_result {
    px_verdict verdict;
    px_status status;      /* PX_OK if it was done, or nothing was to do */
    const char *message;
    const char *image_id;
    bool recorded;         /* the table holds it */
} px_job_result;

/* What comes with an event from its host. */
typedef struct px_invocation {
    const char *request_id, *trace_id; /* trace_id "" if none */
    int64_t deadline_ms;   /* since 1970; then the host ends the work. 0: none */
    int attempts;          /* of jobs without an item of their own */
    uint64_t bytes;        /* of sources at a time, about; 0: no bound */
} px_invocation;

/* Runs the jobs of an event side by side, those of one key one after the other; results[i] is how jobs[i] ended. The
 * pipeline has no queue: the caller settles. A job that fails does so alone. */
PX_CHECKED px_status px_pipeline_run(px_pipeline *pipeline, const px_event *event, const px_invocation *invocation, px_arena *arena,
                                     px_job_result *results, px_error *err);

/* The first invocation of a function's process, and how long its start took, as CloudWatch metrics. */
void px_metrics_cold_start(px_log *log, const char *service, const char *request_id, double init_ms);

/* A table for who has none: what the outputs' metadata says of their sources (pipeline/bare.c). Config, store and queue
 * (may be NULL) are borrowed. */
PX_CHECKED px_status px_bare_table_create(const px_config *config, px_store *store, px_queue *queue, px_table **ret, px_error *err);
void px_bare_table_destroy(px_table *table);

/* Threads that take from the queue and handle. `stop` drains: running jobs end first. */
typedef struct px_workers px_workers;
PX_CHECKED px_status px_workers_start(px_pipeline *pipeline, int count, px_workers **ret, px_error *err);
void px_workers_stop(px_workers *workers); /* also frees; NULL is accepted. Calls queue->stop */

#endif
