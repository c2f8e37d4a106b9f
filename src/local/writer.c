/* The writer: many changes, one commit.
 *
 * While one group is being committed the next one gathers, so the more callers there are, the more changes share the
 * cost of reaching the disk. Order on disk: the files' bytes, then their folders, then the transaction that names
 * them; unlinking comes last. A crash anywhere leaves at worst files that nothing names. */
#include "local/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

void px_doom(px_local *local, const char *blob)
{
    if (local->doomed_count == local->doomed_capacity) {
        size_t capacity = local->doomed_capacity ? 2 * local->doomed_capacity : 64;
        char(*doomed)[PX_BLOB_NAME] = realloc(local->doomed, capacity * sizeof *doomed);
        if (!doomed)
            return; /* the next start sweeps it */
        local->doomed = doomed;
        local->doomed_capacity = capacity;
    }
    memcpy(local->doomed[local->doomed_count++], blob, PX_BLOB_NAME);
}

void px_sequencer_next(px_local *local, char text[17])
{
    /* The time in µs, but never the same or less: the last one is kept in the database. */
    uint64_t now = (uint64_t)px_now_ms() * 1000;
    local->sequencer = now > local->sequencer ? now : local->sequencer + 1;
    local->sequencer_moved = true;
    snprintf(text, 17, "%016" PRIX64, local->sequencer);
}

static void refuse(px_op *op, px_status status, const px_error *error)
{
    if (op->status != PX_OK)
        return;
    op->status = status;
    op->error = *error;
}

/* The files of a group, then each folder they lie in once. */
static void sync_files(px_local *local, px_op *group)
{
    bool touched[256] = { false };
    px_error error = { "" };
    px_status status = PX_OK;

    for (px_op *op = group; op; op = op->next) /* all start at once … */
        for (size_t i = 0; op->status == PX_OK && i < op->file_count; i++)
            (void)sync_file_range(op->files[i]->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    for (px_op *op = group; op; op = op->next) /* … and are waited for one by one */
        for (size_t i = 0; op->status == PX_OK && i < op->file_count; i++) {
            unsigned folder = 0;
            if (fdatasync(op->files[i]->fd) != 0)
                op->status = px_fail_errno(&op->error, errno, "writing %s to disk", op->files[i]->blob);
            if (sscanf(op->files[i]->blob, "%2x", &folder) == 1)
                touched[folder & 255] = true;
        }
    for (unsigned i = 0; status == PX_OK && i < 256; i++) {
        if (!touched[i])
            continue;
        char name[3];
        snprintf(name, sizeof name, "%02x", i);
        PX_AUTO(px_fd_close) int fd = openat(local->blobs_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) != 0)
            status = px_fail_errno(&error, errno, "writing the folder blobs/%s to disk", name);
    }
    for (px_op *op = group; status != PX_OK && op; op = op->next)
        if (op->file_count)
            refuse(op, status, &error);
}

/* Runs one operation in its own savepoint, so that its failure leaves the others alone. */
static px_status run_one(px_local *local, px_op *op)
{
    px_error error = { "" };
    size_t mark = local->doomed_count;

    if (op->status != PX_OK)
        return PX_OK;
    px_arena_reset(&local->scratch);
    px_status status = px_db_run(local->db, &error, "SAVEPOINT one", "");
    if (status == PX_OK)
        status = op->run(local, op, &op->error);
    if (status == PX_OK)
        return px_db_run(local->db, &error, "RELEASE one", "");
    op->status = status;
    local->doomed_count = mark;
    if (sqlite3_get_autocommit(local->db->handle))
        return status; /* SQLite gave up the whole transaction */
    PX_TRY(px_db_run(local->db, &error, "ROLLBACK TO one", ""));
    return px_db_run(local->db, &error, "RELEASE one", "");
}

/* Leaves in `doomed` only what no row names any more. */
static px_status spare_named(px_local *local, px_error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < local->doomed_count; i++) {
        PX_AUTO(px_query_done) px_query query = { 0 };
        bool named = true;
        PX_TRY(px_db_query(local->db, &query, err,
                           "SELECT 1 FROM objects WHERE blob=?1 UNION ALL SELECT 1 FROM parts WHERE blob=?1 LIMIT 1", "t",
                           local->doomed[i]));
        PX_TRY(px_query_step(&query, &named, err));
        if (!named && kept++ != i)
            memcpy(local->doomed[kept - 1], local->doomed[i], PX_BLOB_NAME);
    }
    local->doomed_count = kept;
    return PX_OK;
}

static px_status transact(px_local *local, px_op *group, bool *ret_unsure, px_error *err)
{
    PX_TRY(px_db_run(local->db, err, "BEGIN IMMEDIATE", ""));
    for (px_op *op = group; op; op = op->next) {
        px_status status = run_one(local, op);
        if (status != PX_OK)
            return px_fail(err, status, "%s", op->error.message[0] ? op->error.message : "the database gave up");
    }
    if (local->sequencer_moved)
        PX_TRY(px_db_run(local->db, err, "INSERT OR REPLACE INTO state(name, value) VALUES('sequencer', ?1)", "i",
                         (int64_t)local->sequencer));
    PX_TRY(spare_named(local, err));
    px_status status = px_db_run(local->db, err, "COMMIT", "");
    *ret_unsure = status != PX_OK && status != PX_DISK_FULL;
    return status;
}

static void run_group(px_local *local, px_op *group)
{
    px_error error = { "" };
    bool unsure = false;

    local->doomed_count = 0;
    local->events_added = local->sequencer_moved = false;
    sync_files(local, group);
    px_status status = transact(local, group, &unsure, &error);
    if (status != PX_OK) {
        if (!sqlite3_get_autocommit(local->db->handle))
            (void)sqlite3_exec(local->db->handle, "ROLLBACK", NULL, NULL, NULL);
        for (px_op *op = group; op; op = op->next) {
            refuse(op, status, &error);
            op->unsure = unsure;
        }
        local->doomed_count = 0;
    }
    for (size_t i = 0; i < local->doomed_count; i++) {
        char path[PX_BLOB_NAME + 3];
        px_blob_path(local->doomed[i], path);
        (void)unlinkat(local->blobs_fd, path, 0);
    }
    bool notify = status == PX_OK && local->events_added;
    for (px_op *op = group, *next; op; op = next) {
        next = op->next; /* `end` may free the operation */
        op->end(local, op);
    }
    if (notify)
        px_queue_notify(local);
}

static void *write_loop(void *context)
{
    px_local *local = context;

    pthread_mutex_lock(&local->ops_lock);
    for (;;) {
        while (!local->ops_first && !local->stopping)
            pthread_cond_wait(&local->ops_cond, &local->ops_lock);
        px_op *group = local->ops_first;
        if (!group)
            break;
        local->ops_first = NULL;
        local->ops_last = &local->ops_first;
        pthread_mutex_unlock(&local->ops_lock);
        run_group(local, group);
        pthread_mutex_lock(&local->ops_lock);
    }
    pthread_mutex_unlock(&local->ops_lock);
    return NULL;
}

px_status px_writer_start(px_local *local, px_error *err)
{
    local->ops_last = &local->ops_first;
    if (local->observe)
        return PX_OK;
    int number = pthread_create(&local->writer, NULL, write_loop, local);
    if (number != 0)
        return px_fail_errno(err, number, "starting the writer thread");
    local->writer_started = true;
    return PX_OK;
}

void px_writer_stop(px_local *local)
{
    if (!local->writer_started)
        return;
    pthread_mutex_lock(&local->ops_lock);
    local->stopping = true;
    pthread_cond_signal(&local->ops_cond);
    pthread_mutex_unlock(&local->ops_lock);
    pthread_join(local->writer, NULL);
    local->writer_started = false;
}

void px_writer_submit(px_local *local, px_op *op)
{
    op->next = NULL;
    pthread_mutex_lock(&local->ops_lock);
    if (local->observe) {
        run_group(local, op);
    } else {
        *local->ops_last = op;
        local->ops_last = &op->next;
        pthread_cond_signal(&local->ops_cond);
    }
    pthread_mutex_unlock(&local->ops_lock);
}

/* An operation whose caller waits: the caller's own `end`, then the signal. */
struct waiting {
    px_op op;
    px_op *inner;
    sem_t done;
};

static px_status waiting_run(px_local *local, px_op *op, px_error *err)
{
    struct waiting *waiting = (struct waiting *)op;
    return waiting->inner->run(local, waiting->inner, err);
}

static void waiting_end(px_local *local, px_op *op)
{
    struct waiting *waiting = (struct waiting *)op;
    waiting->inner->status = op->status;
    waiting->inner->unsure = op->unsure;
    if (waiting->inner->end)
        waiting->inner->end(local, waiting->inner);
    sem_post(&waiting->done);
}

px_status px_writer_wait(px_local *local, px_op *op, px_error *err)
{
    struct waiting waiting = { .op = { .run = waiting_run, .end = waiting_end, .files = op->files,
                                       .file_count = op->file_count },
                               .inner = op };
    sem_init(&waiting.done, 0, 0);
    px_writer_submit(local, &waiting.op);
    while (sem_wait(&waiting.done) != 0)
        ; /* a signal's handler ran */
    sem_destroy(&waiting.done);
    if (waiting.op.status != PX_OK)
        return px_fail(err, waiting.op.status, "%s", waiting.op.error.message);
    return PX_OK;
}
