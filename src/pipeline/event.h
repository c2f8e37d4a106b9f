/* event.h - one event of S3's and what wraps it; event.c and envelope.c share it. Private to src/pipeline. */
#ifndef PX_PIPELINE_EVENT_H
#define PX_PIPELINE_EVENT_H

#include "pipeline/pipeline.h"

/* The jobs read so far; grows in the arena. */
struct px_event_jobs {
    px_arena *arena;
    px_job *jobs;
    int count, capacity;
};

PX_CHECKED px_status px_event_add(struct px_event_jobs *into, const px_job *job, px_error *err);

/* The shape of an event that nothing wraps; PX_EVENT_SHAPE_COUNT if it is none of them. */
px_event_shape px_event_single(const json_t *event);
PX_CHECKED px_status px_event_read_single(const json_t *event, px_event_shape shape, struct px_event_jobs *into, px_error *err);
PX_CHECKED px_status px_event_read_task(const json_t *task, struct px_event_jobs *into, px_error *err);

const char *px_event_text(const json_t *object, const char *name); /* "" if there is none */

#endif
