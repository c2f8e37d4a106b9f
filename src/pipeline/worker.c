/* Threads that take and handle until they are told to stop. The longer nothing comes, the longer they wait for it: each wait may be
 * a request that is paid for, and one that has begun is waited for when they stop, so the first are short. A failure to take or to settle is not the picture's: it is
 * logged, and the thread waits a little so that a broken disk does not become a busy loop. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "pipeline/pipeline.h"

enum { TAKE_WAIT_MS = 1000, TAKE_WAIT_MAX_MS = 20000, TAKE_ARENA_BYTES = 16 << 20, PAUSE_MS = 500 };

struct px_workers {
    px_pipeline *pipeline;
    pthread_t *threads; /* owned */
    int count;
    atomic_bool stopping;
};

static void pause_ms(int ms)
{
    struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&time, NULL);
}

static void *work(void *argument)
{
    px_workers *workers = argument;
    px_pipeline *pipeline = workers->pipeline;
    px_arena arena = { 0 };
    px_error err = { "" };
    if (px_arena_open(TAKE_ARENA_BYTES, &arena, &err) != PX_OK) {
        px_log_write(pipeline->log, PX_FATAL, NULL, "a worker cannot start", json_pack("{s:s}", "reason", err.message));
        return NULL;
    }
    for (int wait_ms = TAKE_WAIT_MS; !atomic_load(&workers->stopping);) {
        px_delivery delivery;
        bool taken = false;
        px_arena_reset(&arena);
        px_status status = pipeline->queue->take(pipeline->queue, wait_ms, &arena, &delivery, &taken, &err);
        wait_ms = taken ? TAKE_WAIT_MS : wait_ms * 2 < TAKE_WAIT_MAX_MS ? wait_ms * 2 : TAKE_WAIT_MAX_MS;
        if (status == PX_OK && taken)
            status = px_pipeline_handle(pipeline, &delivery, &err);
        if (status != PX_OK) {
            px_log_write(pipeline->log, PX_ERROR, NULL, "a delivery could not be ended",
                         json_pack("{s:s, s:s}", "code", px_status_code(status), "reason", err.message));
            pause_ms(PAUSE_MS);
        }
    }
    px_arena_close(&arena);
    return NULL;
}

px_status px_workers_start(px_pipeline *pipeline, int count, px_workers **ret, px_error *err)
{
    px_workers *workers = calloc(1, sizeof *workers);
    if (workers)
        workers->threads = calloc((size_t)count, sizeof *workers->threads);
    if (!workers || !workers->threads) {
        free(workers);
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %d workers", count);
    }
    workers->pipeline = pipeline;
    for (; workers->count < count; workers->count++) {
        int number = pthread_create(&workers->threads[workers->count], NULL, work, workers);
        if (number != 0) {
            px_status status = px_fail_errno(err, number, "cannot start worker %d of %d", workers->count + 1, count);
            px_workers_stop(workers);
            return status;
        }
    }
    *ret = workers;
    return PX_OK;
}

void px_workers_stop(px_workers *workers)
{
    if (!workers)
        return;
    atomic_store(&workers->stopping, true);
    workers->pipeline->queue->stop(workers->pipeline->queue);
    for (int i = 0; i < workers->count; i++)
        pthread_join(workers->threads[i], NULL);
    free(workers->threads);
    free(workers);
}
