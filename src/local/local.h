/* local.h - everything on one disk: buckets, objects, events, records, dead letters, keys.
 *
 * The ports for the pipeline, and what an S3 endpoint needs beyond them. Object bytes are files under a random name;
 * one SQLite database names them. What is acknowledged is on disk: a writer thread gathers concurrent changes and
 * commits them together (WAL, synchronous=FULL), object row and event row in one transaction.
 * A folder belongs to one serving process (a lock file says so); other processes may open it with `observe` for
 * records, replay and keys. All calls may come from any thread. */
#ifndef PX_LOCAL_LOCAL_H
#define PX_LOCAL_LOCAL_H

#include "base/arena.h"
#include "ports/queue.h"
#include "ports/store.h"
#include "ports/table.h"

typedef struct px_local px_local;

typedef struct px_local_options {
    const char *folder;
    const char *region;          /* for the events' awsRegion */
    const char *source;          /* bucket whose changes write events … */
    const char *source_prefix;   /* … under this prefix; "" for all */
    bool observe;                /* beside a serving process: no writer thread, no sweep, no lock */
} px_local_options;

/* Opens or creates the folder. Another server there: PX_ALREADY_EXISTS. */
PX_CHECKED px_status px_local_open(const px_local_options *options, px_local **ret, px_error *err);
void px_local_close(px_local *local);

px_store *px_local_store(px_local *local); /* borrowed, as long as the local is open */
px_table *px_local_table(px_local *local);
px_queue *px_local_queue(px_local *local);

/* Puts an event of any shape into the queue: backfill, the API. Waits until it is on disk. `image_id` (bucket/key) keeps
 * two events of one key from running at once; "" if not known. */
PX_CHECKED px_status px_local_event_add(px_local *local, const char *body, const char *image_id, const char *trace_id,
                                        px_error *err);

/* ---- access keys ---- */
typedef struct px_access_key {
    char id[129], secret[129];
    bool enabled;
    int64_t created_ms;
} px_access_key;
PX_CHECKED px_status px_local_key_find(px_local *local, const char *id, px_access_key *ret, px_error *err); /* PX_NO_SUCH_KEY */
PX_CHECKED px_status px_local_key_put(px_local *local, const px_access_key *key, px_error *err);            /* adds or replaces */
PX_CHECKED px_status px_local_key_list(px_local *local, px_arena *arena, px_access_key **ret, int *ret_count, px_error *err);
void px_access_key_generate(px_access_key *ret);

/* ---- buckets ---- */
typedef struct px_bucket {
    const char *name;
    int64_t created_ms;
} px_bucket;
PX_CHECKED px_status px_local_bucket_create(px_local *local, const char *name, px_error *err); /* PX_ALREADY_EXISTS */
PX_CHECKED px_status px_local_bucket_delete(px_local *local, const char *name, px_error *err); /* PX_NOT_EMPTY */
PX_CHECKED px_status px_local_bucket_find(px_local *local, const char *name, px_arena *arena, px_bucket *ret, px_error *err);
PX_CHECKED px_status px_local_bucket_list(px_local *local, px_arena *arena, px_bucket **ret, int *ret_count, px_error *err);

/* ---- writing an object: begin, push bytes, then put (or part_put); or abandon ---- */
typedef struct px_upload px_upload;
PX_CHECKED px_status px_upload_begin(px_local *local, px_upload **ret, px_error *err);
PX_CHECKED px_status px_upload_push(px_upload *upload, const void *data, size_t count, px_error *err);
uint64_t px_upload_bytes(const px_upload *upload);
void px_upload_md5(px_upload *upload, char hex[33]); /* of all bytes; after the last push */
void px_upload_abandon(px_upload *upload);           /* NULL is accepted */

/* What must hold of the present object for a write: NULL or "" for no condition. */
typedef struct px_condition {
    const char *if_match;      /* etag, without quotes */
    bool if_none_match;        /* "*": there must be none */
} px_condition;

/* Ends on the writer's thread after the change is on disk, or has failed; `object` is borrowed for the call. */
typedef void px_local_done(void *context, px_status status, const px_error *err, const px_object *object);

/* Makes the uploaded bytes the object `head->bucket/key` with head's content_* and meta. Takes the upload over, copies
 * head, returns at once; `done` is called exactly once. event: "ObjectCreated:Put", ":Copy", …. */
void px_local_put(px_local *local, px_upload *upload, const px_object *head, const char *event, px_condition condition,
                  px_local_done *done, void *context);

/* Copies without copying bytes. head->meta and content_* replace the source's if `replace`. */
void px_local_copy(px_local *local, const char *bucket, const char *key, const px_object *head, bool replace,
                   px_condition condition, px_local_done *done, void *context);

/* Removes an object; absent is no failure. */
void px_local_delete(px_local *local, const char *bucket, const char *key, px_condition condition,
                     px_local_done *done, void *context);

/* ---- reading ---- */
PX_CHECKED px_status px_local_head(px_local *local, const char *bucket, const char *key, px_arena *arena,
                                   px_object *ret, px_error *err);
/* Also opens the bytes; *ret_fd is the caller's. */
PX_CHECKED px_status px_local_get(px_local *local, const char *bucket, const char *key, px_arena *arena,
                                  px_object *ret, int *ret_fd, px_error *err);

typedef struct px_listing_query {
    const char *bucket, *prefix, *delimiter, *start_after; /* "" for none; start_after: keys (and common prefixes) beyond it */
    int max_keys;                                          /* 0 to 1000 */
} px_listing_query;
typedef struct px_listing {
    px_object *objects;      /* key, bytes, etag, modified_ms are filled */
    int object_count;
    const char **prefixes;   /* common prefixes, delimiter included */
    int prefix_count;
    bool truncated;
    const char *next;        /* the start_after of the next page, "" if not truncated */
} px_listing;
PX_CHECKED px_status px_local_list(px_local *local, const px_listing_query *query, px_arena *arena,
                                   px_listing *ret, px_error *err);

/* ---- multipart ---- */
typedef struct px_part {
    int number;              /* 1 to 10000 */
    const char *etag;        /* without quotes */
    uint64_t bytes;
    int64_t modified_ms;
} px_part;
typedef struct px_multipart {
    const char *id, *bucket, *key;
    int64_t created_ms;
} px_multipart;
PX_CHECKED px_status px_local_multipart_create(px_local *local, const px_object *head, px_arena *arena,
                                               const char **ret_id, px_error *err);
void px_local_part_put(px_local *local, px_upload *upload, const char *bucket, const char *key, const char *id,
                       int number, px_local_done *done, void *context); /* object->etag is the part's */
void px_local_multipart_complete(px_local *local, const char *bucket, const char *key, const char *id,
                                 const px_part *parts, int part_count, px_condition condition,
                                 px_local_done *done, void *context);
PX_CHECKED px_status px_local_multipart_abort(px_local *local, const char *bucket, const char *key, const char *id,
                                              px_error *err);
PX_CHECKED px_status px_local_part_list(px_local *local, const char *bucket, const char *key, const char *id, int after,
                                        int max, px_arena *arena, px_part **ret, int *ret_count, bool *ret_truncated,
                                        px_error *err);
PX_CHECKED px_status px_local_multipart_list(px_local *local, const char *bucket, const char *prefix, int max,
                                             px_arena *arena, px_multipart **ret, int *ret_count, px_error *err);

/* ---- how full it is, for /_/health and REPORT ---- */
typedef struct px_local_counts {
    int64_t objects, events_waiting, events_running, dead_letters;
} px_local_counts;
PX_CHECKED px_status px_local_count(px_local *local, px_local_counts *ret, px_error *err);

#endif
