/* inside.h - what the parts of the local store share: the folder, the writer, its operations.
 *
 * Changes are operations. They queue for the one writer thread, which takes all that wait as a group: their files are
 * made durable, each operation runs in a savepoint of one transaction, the transaction is committed, and only then
 * each operation's `end` is called. Reads go beside it, on a pool of connections. */
#ifndef PX_LOCAL_INSIDE_H
#define PX_LOCAL_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "local/db.h"
#include "local/local.h"

enum { PX_BLOB_NAME = 33 }; /* 32 hex digits and a NUL */

struct px_upload {
    px_local *local; /* borrowed */
    int fd;          /* owned */
    char blob[PX_BLOB_NAME];
    uint64_t bytes;
    px_hash md5;
    bool hashed;     /* `etag` is known; nothing may be pushed any more */
    char etag[33];
};

typedef struct px_op px_op;
struct px_op {
    px_op *next;
    px_status (*run)(px_local *local, px_op *op, px_error *err); /* inside the transaction */
    void (*end)(px_local *local, px_op *op);                      /* after it; may free the operation */
    px_upload **files; /* borrowed: to be on disk before the commit */
    size_t file_count;
    px_status status;  /* set to a failure beforehand, run is skipped */
    px_error error;
    bool unsure;       /* the commit failed in a way that may show after a crash: keep the files */
};

/* A lease of the table, in memory. */
typedef struct px_lease {
    struct px_lease *next;
    char *image_id;   /* owned */
    int64_t token, until_ms;
    bool held;        /* false: given up after a take-over; the number stays, so that it is never given twice */
    bool taken_over;
} px_lease;

/* A put_set that waits for its finish. */
typedef struct px_staged {
    struct px_staged *next;
    char *image_id;      /* owned */
    px_arena arena;      /* holds all below but the uploads */
    px_put *puts;
    px_upload **uploads; /* one for each put, owned */
    size_t put_count;
    px_remove *removes;
    size_t remove_count;
} px_staged;

/* An event that a worker has. */
typedef struct px_running {
    struct px_running *next;
    int64_t id;
    int64_t until_ms; /* 0 while it runs; else it may be taken again after that */
    char *image_id;   /* owned */
} px_running;

struct px_local {
    px_store store;
    px_table table;
    px_queue queue;

    char *folder, *region, *source, *source_prefix; /* owned */
    char *database;                                 /* path, owned */
    bool observe;
    int lock_fd, blobs_fd;
    atomic_uint blob_count;

    pthread_mutex_t readers_lock;
    px_db *readers; /* those not in use */

    /* The writer's own; under observe guarded by ops_lock. */
    px_db *db;
    px_arena scratch;
    uint64_t sequencer;      /* the last one given */
    bool sequencer_moved, events_added;
    char (*doomed)[PX_BLOB_NAME];
    size_t doomed_count, doomed_capacity;

    pthread_mutex_t ops_lock;
    pthread_cond_t ops_cond;
    px_op *ops_first, **ops_last;
    bool stopping, writer_started;
    pthread_t writer;

    pthread_mutex_t joiner_lock; /* multipart uploads that are put together */
    pthread_cond_t joiner_cond;
    struct px_join *joins_first, **joins_last;
    bool joiner_stopping, joiner_started;
    pthread_t joiner;

    pthread_mutex_t table_lock;
    px_lease *leases;
    px_staged *staged;

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_cond;
    px_running *running;
    bool queue_stopped;
};

/* ---- writer.c ---- */
PX_CHECKED px_status px_writer_start(px_local *local, px_error *err);
void px_writer_stop(px_local *local);                    /* finishes what waits */
void px_writer_submit(px_local *local, px_op *op);
PX_CHECKED px_status px_writer_wait(px_local *local, px_op *op, px_error *err); /* submits; end is ours */
/* Inside an operation: */
void px_doom(px_local *local, const char *blob);         /* unlink it after the commit, unless a row still names it */
void px_sequencer_next(px_local *local, char text[17]);

/* ---- local.c ---- */
PX_CHECKED px_status px_reader_take(px_local *local, px_db **ret, px_error *err);
void px_reader_give(px_local *local, px_db *db);

/* A reader for a scope. */
typedef struct px_reading {
    px_local *local;
    px_db *db;
} px_reading;
static inline void px_reading_done(px_reading *reading)
{
    if (reading->db)
        px_reader_give(reading->local, reading->db);
}

/* ---- upload.c ---- */
void px_upload_finish(px_upload *upload); /* after the last push: its etag; idempotent */
void px_upload_keep(px_upload *upload);   /* closes it, leaves the file */
void px_blob_path(const char *blob, char path[PX_BLOB_NAME + 3]);        /* relative to blobs_fd */

/* ---- object.c ---- */
PX_CHECKED px_status px_bucket_check(px_db *db, const char *bucket, px_error *err); /* PX_NO_SUCH_BUCKET */
PX_CHECKED px_status px_name_check(const char *bucket, const char *key, px_error *err);
/* `blob` may be NULL. Absent: *ret_found is false and *ret untouched. */
PX_CHECKED px_status px_object_find(px_db *db, const char *bucket, const char *key, px_arena *arena, px_object *ret,
                                    char *blob, bool *ret_found, px_error *err);
PX_CHECKED px_status px_condition_check(const px_object *present, px_condition condition, px_error *err);
/* Inside an operation. Fills object->sequencer (in the arena) and ->modified_ms. `event` NULL: none. */
PX_CHECKED px_status px_object_write(px_local *local, px_object *object, const char *blob, const char *event, px_arena *arena,
                                     px_error *err);
PX_CHECKED px_status px_object_remove(px_local *local, const px_object *present, const char *blob, bool event, px_error *err);
px_status px_object_copy(px_arena *arena, const px_object *object, px_object *ret, px_error *err); /* deep */
/* content_* and meta as one run of bytes, and back. */
PX_CHECKED px_status px_head_format(const px_object *object, px_arena *arena, px_bytes *ret, px_error *err);
PX_CHECKED px_status px_head_parse(px_bytes bytes, px_arena *arena, px_object *ret, px_error *err);

/* ---- event.c ---- */
/* Inserts the event row of a change; event "ObjectCreated:Put", "ObjectRemoved:Delete", …. */
PX_CHECKED px_status px_event_write(px_local *local, const px_object *object, const char *event, px_error *err);

/* ---- queue.c ---- */
void px_queue_init(px_local *local);
void px_queue_notify(px_local *local);
PX_CHECKED px_status px_settlement_run(px_local *local, const px_settlement *settlement, px_error *err); /* in an operation */
void px_settlement_end(px_local *local, const px_settlement *settlement); /* after its commit */
/* It did not reach the disk: unless it is settled otherwise first, the event comes again in some seconds. */
void px_settlement_hold(px_local *local, const px_settlement *settlement);
void px_queue_forget(px_local *local); /* frees what is in memory */

/* ---- table.c ---- */
void px_table_init(px_local *local);
void px_table_forget(px_local *local);

/* ---- store.c ---- */
void px_store_init(px_local *local);
PX_CHECKED px_status px_staged_apply(px_local *local, px_staged *staged, px_error *err); /* in an operation */
px_staged *px_staged_take(px_local *local, const char *image_id); /* under table_lock; NULL if none */
void px_staged_destroy(px_staged *staged, bool stored, bool unsure);

/* ---- multipart.c ---- */
void px_joiner_stop(px_local *local);

#endif
