/* inside.h - what the files of the pipeline share. Private to src/pipeline. */
#ifndef PX_PIPELINE_INSIDE_H
#define PX_PIPELINE_INSIDE_H

#include "pipeline/pipeline.h"

/* Raised only when pictures visibly change: it is part of every fingerprint. */
enum { PX_ENGINE_NUMBER = 1 };

/* Refuses unknown words and unbalanced braces. `where` is for the message ("pixmill.yaml:7"). */
PX_CHECKED px_status px_template_check(const char *name, const char *where, px_error *err);

/* Refuses a name that says a format before it is known: of `format: auto`. */
PX_CHECKED px_status px_template_check_format(const px_output *output, const char *where, px_error *err);

/* Fills output->fingerprint from its spec. */
void px_output_fingerprint(px_output *output);

/* Right after the last slash; "" if there is none before. */
const char *px_key_filename(const char *key);

/* One job to its end. *ret_settlement is how it is to be settled, or was if the pipeline has a queue; texts in the arena. */
PX_CHECKED px_status px_run_job(px_pipeline *pipeline, const px_delivery *delivery, const px_job *job, const char *request_id,
                                int64_t deadline_ms, px_arena *arena, px_settlement *ret_settlement, px_error *err);

/* Would the outputs of this source bucket come back as its events? */
bool px_is_loop(const px_config *config, const char *bucket);

/* ---- marks.c ---- */

/* Refuses, before any picture comes, what can be known by then: a file that is not there or cannot be one, an address that is none.
 * `where` is for the message ("pixmill.yaml:7"). Texts "" are fine. */
PX_CHECKED px_status px_mark_check(const char *name, bool is_font, const char *where, px_error *err);

bool px_output_needs_marks(const px_output *output);

/* ---- manifest.c ---- */

#define PX_MANIFEST_ID "manifest" /* as an output of a record */
bool px_has_manifest(const px_recipe *recipe);

/* Completes a recipe whose outputs are known. `name` is borrowed; "" for no manifest. */
PX_CHECKED px_status px_manifest_init(px_recipe *recipe, const char *name, const char *where, px_error *err);

/* The JSON of a source's outputs, to an empty file. */
PX_CHECKED px_status px_manifest_write(const px_record *record, const px_record_output *outputs, int count, int fd, uint64_t *ret_bytes,
                                       px_error *err);

/* ---- heavy.c ---- */

bool px_is_handed_over(const px_pipeline *pipeline); /* is there somebody to hand heavy pictures to? */

/* Why a picture is not for here, before it is decoded; NULL if it is. */
const char *px_heavy_because(const px_pipeline *pipeline, const px_object *object, const px_source *source, int64_t deadline_ms,
                             px_arena *arena);

/* The job as an S3 notification; NULL without memory. */
const char *px_heavy_event(const px_job *job, const char *sequencer, px_arena *arena);

/* ---- metrics.c ---- */

/* Where the time of a picture goes. A download goes on while the engine decodes: what it then waits for is the engine's time. */
typedef enum px_stage {
    PX_STAGE_FETCH,  /* until the source's first bytes, and from the engine's end until its last */
    PX_STAGE_ENGINE,
    PX_STAGE_STORE,  /* outputs put and removed, or the picture handed on */
    PX_STAGE_TABLE,
    PX_STAGE_COUNT
} px_stage;

typedef struct px_metrics {
    px_status failure;      /* PX_OK: it went well */
    double total_ms, stage_ms[PX_STAGE_COUNT];
    uint64_t bytes_in;
    const px_record_output *made;
    int made_count;
} px_metrics;

/* A line of the embedded metric format (CloudWatch user guide, "Specification: Embedded metric format"). */
void px_metrics_write(px_pipeline *pipeline, const char *request_id, const char *image_id, const px_metrics *metrics);

#endif
