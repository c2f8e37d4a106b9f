/* fakes.h - store, table, queue and transform in memory, for tests of the pipeline.
 *
 * They keep the ports' promises (store_test.c runs the store's contract on them) and fail when told to. A picture is a short
 * text, and an output of it is "WIDTH of TEXT". A picture that reads "fails:CODE" fails to transform with that code. */
#ifndef PX_TEST_PIPELINE_FAKES_H
#define PX_TEST_PIPELINE_FAKES_H

#include "pipeline/pipeline.h"

enum { FAKES_MAX = 64 };

typedef struct fake_object {
    px_object object; /* bucket NULL: a free place */
    const char *text;
} fake_object;

typedef struct fake_lease {
    const char *image_id;
    int64_t token;
    bool held;
} fake_lease;

/* The next `times` calls fail with `status`, after `after` that do not. */
typedef struct fake_failure {
    px_status status;
    int after, times;
} fake_failure;

typedef struct fakes {
    px_store store;
    px_table table;
    px_queue queue;
    px_pipeline pipeline;
    px_config config;
    px_arena arena;           /* of everything here */
    const char *buckets[4];
    fake_object objects[FAKES_MAX];
    px_record records[FAKES_MAX];
    int record_count;
    fake_lease leases[FAKES_MAX];
    bool shared;              /* put_set becomes visible with finish (as on disk), or at once (as on S3) */
    px_set staged;            /* of staged_id */
    const char *staged_id;    /* NULL: none */
    int width, height;        /* of every picture */
    int transforms, settlements, puts, finishes;
    px_settlement settled;    /* the last */
    fake_failure open_fails, put_set_fails, finish_fails, transform_fails;
    int log_fd;
} fakes;

/* Buckets "source" and "target", a recipe of one output "web", {dir}processed-{stem}.jpg, 800 wide. */
fakes *fakes_open(void);
void fakes_close(fakes *self);

/* As a stranger would. */
void fakes_put(fakes *self, const char *bucket, const char *key, const char *text);
void fakes_remove(fakes *self, const char *bucket, const char *key);

const char *fakes_text(fakes *self, const char *bucket, const char *key); /* NULL: there is no such object */
const px_record *fakes_record(fakes *self, const char *image_id);         /* NULL: there is none */
int fakes_count(fakes *self, const char *bucket);
int fakes_held(fakes *self);                                              /* leases */

/* Replaces the recipe: `outputs` are id, name and width each. */
typedef struct fake_output {
    const char *id, *name;
    int width;
} fake_output;
void fakes_recipe(fakes *self, const fake_output *outputs, int count);

/* All log lines so far. */
const char *fakes_log(fakes *self);

/* Runs a delivery that must be settled exactly once; how is in self->settled. */
px_verdict fakes_handle(fakes *self, const char *body, int attempts);

/* A record of S3's for an event ("ObjectCreated:Put"), and an event of one such record. */
const char *fakes_event_record(fakes *self, const char *name, const char *bucket, const char *key, const char *sequencer);
const char *fakes_event(fakes *self, const char *name, const char *key, const char *sequencer);

#endif
