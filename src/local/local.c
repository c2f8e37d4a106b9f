/* The data folder: its lock, its database, its blobs; opening sweeps what a crash left, closing finishes what waits.
 *
 *   lock           held by the one process that serves the folder; its number is written in it
 *   pixmill.db     SQLite: what there is
 *   blobs/xx/NAME  bytes; a file that no row names is rubbish */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "local/inside.h"

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS state(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS buckets(name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS objects(bucket TEXT NOT NULL, key TEXT NOT NULL, bytes INTEGER NOT NULL, etag TEXT NOT NULL,"
    " sequencer TEXT NOT NULL, modified_ms INTEGER NOT NULL, head BLOB NOT NULL, blob TEXT NOT NULL,"
    " PRIMARY KEY(bucket, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS objects_blob ON objects(blob);"
    "CREATE TABLE IF NOT EXISTS uploads(id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, head BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS uploads_key ON uploads(bucket, key);"
    "CREATE TABLE IF NOT EXISTS parts(upload TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, modified_ms INTEGER NOT NULL, blob TEXT NOT NULL, PRIMARY KEY(upload, number)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS parts_blob ON parts(blob);"
    "CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, image_id TEXT NOT NULL,"
    " attempts INTEGER NOT NULL, not_before_ms INTEGER NOT NULL, sent_ms INTEGER NOT NULL, trace_id TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS dead(id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, image_id TEXT NOT NULL,"
    " code TEXT NOT NULL, message TEXT NOT NULL, died_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, trace_id TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS records(image_id TEXT PRIMARY KEY, source_id TEXT NOT NULL, status TEXT NOT NULL,"
    " code TEXT NOT NULL, processed_ms INTEGER NOT NULL, change INTEGER NOT NULL, document TEXT NOT NULL) STRICT;"
    "CREATE INDEX IF NOT EXISTS records_source ON records(source_id);"
    "CREATE INDEX IF NOT EXISTS records_processed ON records(processed_ms);"
    "CREATE INDEX IF NOT EXISTS records_change ON records(change);"
    "CREATE TABLE IF NOT EXISTS access_keys(id TEXT PRIMARY KEY, secret TEXT NOT NULL, enabled INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "COMMIT;";

static px_status take_lock(px_local *local, px_error *err)
{
    px_buffer path = { 0 };
    char text[24] = "";

    px_buffer_format(&path, "%s/lock", local->folder);
    if (px_buffer_failed(&path))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to open %s", local->folder);
    local->lock_fd = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int number = errno;
    px_buffer_done(&path);
    if (local->lock_fd < 0)
        return px_fail_errno(err, number, "opening the lock file in %s", local->folder);
    if (flock(local->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return px_fail_errno(err, errno, "locking the data folder %s", local->folder);
        ssize_t count = pread(local->lock_fd, text, sizeof text - 1, 0);
        text[count > 0 ? strspn(text, "0123456789") : 0] = '\0';
        return px_fail(err, PX_ALREADY_EXISTS, "another pixmill (process %s) already serves the data folder %s: stop it, or"
                       " give another folder with --data", *text ? text : "unknown", local->folder);
    }
    snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(local->lock_fd, 0) != 0 || pwrite(local->lock_fd, text, strlen(text), 0) < 0)
        return px_fail_errno(err, errno, "writing the lock file in %s", local->folder);
    return PX_OK;
}

/* The 256 folders of blobs, and their names on disk. */
static px_status make_folders(px_local *local, px_error *err)
{
    for (unsigned i = 0; i < 256; i++) {
        char name[3];
        snprintf(name, sizeof name, "%02x", i);
        if (mkdirat(local->blobs_fd, name, 0700) != 0 && errno != EEXIST)
            return px_fail_errno(err, errno, "creating blobs/%s in %s", name, local->folder);
    }
    PX_AUTO(px_fd_close) int top = open(local->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fsync(local->blobs_fd) != 0 || top < 0 || fsync(top) != 0)
        return px_fail_errno(err, errno, "writing the folder %s to disk", local->folder);
    return PX_OK;
}

static px_status is_named(px_local *local, const char *blob, bool *ret, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    PX_TRY(px_db_query(local->db, &query, err,
                       "SELECT 1 FROM objects WHERE blob=?1 UNION ALL SELECT 1 FROM parts WHERE blob=?1 LIMIT 1", "t", blob));
    return px_query_step(&query, ret, err);
}

static void close_folder(DIR **folder)
{
    if (*folder)
        closedir(*folder);
}

/* Unlinks what no row names: uploads that were given up by a crash, and blobs whose rows went just before one. */
static px_status sweep(px_local *local, px_error *err)
{
    for (unsigned i = 0; i < 256; i++) {
        char name[3];
        snprintf(name, sizeof name, "%02x", i);
        int fd = openat(local->blobs_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        PX_AUTO(close_folder) DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
        if (!folder) {
            int number = errno;
            px_fd_close(&fd);
            return px_fail_errno(err, number, "reading blobs/%s in %s", name, local->folder);
        }
        for (struct dirent *entry; (entry = readdir(folder));) {
            bool named = true;
            if (strlen(entry->d_name) != PX_BLOB_NAME - 1)
                continue; /* not one of ours */
            PX_TRY(is_named(local, entry->d_name, &named, err));
            if (!named)
                (void)unlinkat(fd, entry->d_name, 0);
        }
    }
    return PX_OK;
}

static px_status read_sequencer(px_local *local, px_error *err)
{
    PX_AUTO(px_query_done) px_query query = { 0 };
    bool found = false;
    PX_TRY(px_db_query(local->db, &query, err, "SELECT value FROM state WHERE name='sequencer'", ""));
    PX_TRY(px_query_step(&query, &found, err));
    if (found)
        local->sequencer = (uint64_t)sqlite3_column_int64(query.statement, 0);
    return PX_OK;
}

static px_status open_inside(px_local *local, px_error *err)
{
    px_buffer path = { 0 };

    if (local->observe && access(local->folder, F_OK) != 0)
        return px_fail_errno(err, errno, "opening the data folder %s", local->folder);
    if (!local->observe) {
        PX_TRY(px_folder_make(local->folder, err));
        PX_TRY(take_lock(local, err));
    }
    px_buffer_format(&path, "%s/blobs", local->folder);
    px_status status = px_buffer_failed(&path) ? px_fail(err, PX_OUT_OF_MEMORY, "no memory to open %s", local->folder)
                                               : px_folder_make(path.data, err);
    if (status == PX_OK) {
        local->blobs_fd = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (local->blobs_fd < 0)
            status = px_fail_errno(err, errno, "opening %s", path.data);
    }
    px_buffer_done(&path);
    PX_TRY(status);
    PX_TRY(px_arena_open(32u << 20, &local->scratch, err));
    PX_TRY(px_db_open(local->database, true, &local->db, err));
    PX_TRY(px_db_script(local->db, schema, err));
    PX_TRY(read_sequencer(local, err));
    if (!local->observe) {
        PX_TRY(make_folders(local, err));
        PX_TRY(sweep(local, err));
    }
    return px_writer_start(local, err);
}

static char *joined(const char *folder, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

px_status px_local_open(const px_local_options *options, px_local **ret, px_error *err)
{
    px_local *local = calloc(1, sizeof *local);
    uint8_t start;

    if (!local)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to open %s", options->folder);
    local->lock_fd = local->blobs_fd = -1;
    local->observe = options->observe;
    px_random(&start, 1);
    atomic_init(&local->blob_count, (unsigned)start << 8);
    local->folder = strdup(options->folder);
    local->database = joined(options->folder, "pixmill.db");
    local->region = strdup(options->region ? options->region : "us-east-1");
    local->source = strdup(options->source ? options->source : "");
    local->source_prefix = strdup(options->source_prefix ? options->source_prefix : "");
    pthread_mutex_init(&local->readers_lock, NULL);
    pthread_mutex_init(&local->ops_lock, NULL);
    pthread_cond_init(&local->ops_cond, NULL);
    pthread_mutex_init(&local->joiner_lock, NULL);
    pthread_cond_init(&local->joiner_cond, NULL);
    local->joins_last = &local->joins_first;
    px_store_init(local);
    px_table_init(local);
    px_queue_init(local);
    px_status status = local->folder && local->database && local->region && local->source && local->source_prefix
        ? open_inside(local, err)
        : px_fail(err, PX_OUT_OF_MEMORY, "no memory to open %s", options->folder);
    if (status != PX_OK) {
        px_local_close(local);
        return status;
    }
    *ret = local;
    return PX_OK;
}

void px_local_close(px_local *local)
{
    if (!local)
        return;
    local->queue.stop(&local->queue);
    px_joiner_stop(local);
    px_writer_stop(local);
    px_table_forget(local);
    px_queue_forget(local);
    for (px_db *db = local->readers, *next; db; db = next) {
        next = db->next;
        px_db_close(db);
    }
    px_db_close(local->db);
    px_arena_close(&local->scratch);
    px_fd_close(&local->blobs_fd);
    px_fd_close(&local->lock_fd);
    pthread_mutex_destroy(&local->readers_lock);
    pthread_mutex_destroy(&local->ops_lock);
    pthread_cond_destroy(&local->ops_cond);
    pthread_mutex_destroy(&local->joiner_lock);
    pthread_cond_destroy(&local->joiner_cond);
    pthread_mutex_destroy(&local->table_lock);
    pthread_mutex_destroy(&local->queue_lock);
    pthread_cond_destroy(&local->queue_cond);
    free(local->doomed);
    free(local->folder);
    free(local->database);
    free(local->region);
    free(local->source);
    free(local->source_prefix);
    free(local);
}

px_store *px_local_store(px_local *local) { return &local->store; }
px_table *px_local_table(px_local *local) { return &local->table; }
px_queue *px_local_queue(px_local *local) { return &local->queue; }

px_status px_reader_take(px_local *local, px_db **ret, px_error *err)
{
    pthread_mutex_lock(&local->readers_lock);
    px_db *db = local->readers;
    if (db)
        local->readers = db->next;
    pthread_mutex_unlock(&local->readers_lock);
    if (!db)
        return px_db_open(local->database, false, ret, err);
    *ret = db;
    return PX_OK;
}

void px_reader_give(px_local *local, px_db *db)
{
    pthread_mutex_lock(&local->readers_lock);
    db->next = local->readers;
    local->readers = db;
    pthread_mutex_unlock(&local->readers_lock);
}
