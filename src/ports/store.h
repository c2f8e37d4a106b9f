/* store.h - the port to where objects lie: what the pipeline asks of S3, or of the disk.
 *
 * An implementation embeds a px_store at its head and fills in the functions. All of them may be called from
 * several threads. Texts in results live in the arena that was passed in. Contract: tests/unit/ports/store_contract.c. */
#ifndef PX_PORTS_STORE_H
#define PX_PORTS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/source.h"
#include "base/status.h"

/* One x-amz-meta- header: name in lower case, without the prefix. */
typedef struct px_meta {
    const char *name, *value;
} px_meta;

typedef struct px_object {
    const char *bucket, *key;
    uint64_t bytes;
    const char *etag;       /* without quotes */
    const char *version_id; /* "" in an unversioned bucket */
    const char *sequencer;  /* hex, "" if the store does not tell (S3's HEAD) */
    int64_t modified_ms;    /* since 1970 */
    const char *content_type, *cache_control, *content_disposition, *content_encoding, *content_language, *expires; /* "" if not set */
    const px_meta *meta;
    size_t meta_count;
} px_object;

/* Whose an output is; stored as its metadata (x-amz-meta-pixmill-source, -sequencer, -token, -recipe, -etag). */
typedef struct px_owner {
    char source[33];    /* 32 hex of SHA-256(bucket/key) of the source */
    char sequencer[33]; /* padded, px_sequencer_pad; of the source's event */
    int64_t token;      /* the lease's */
    char recipe[17];    /* the output's fingerprint */
    char etag[129];     /* the source's */
} px_owner;

#define PX_OWNER_META_PREFIX "pixmill-"

/* One output to be stored. */
typedef struct px_put {
    const char *bucket, *key;
    int fd;                /* borrowed; all its bytes, from offset 0 */
    uint64_t bytes;
    const char *content_type, *cache_control, *content_disposition; /* "" for none */
    const px_meta *meta;   /* carried over from the source; the owner's are added by the store */
    size_t meta_count;
    px_owner owner;
    bool overwrite_any;    /* `overwrite: any`: also what others made */
    char etag[129];        /* out: the stored object's */
} px_put;

/* An output to be taken away; only if it is this owner's source's and not of a newer sequencer or token. */
typedef struct px_remove {
    const char *bucket, *key;
    px_owner owner;
} px_remove;

/* All that one run of a job changes in the store. */
typedef struct px_set {
    px_put *puts;
    size_t put_count;
    const px_remove *removes;
    size_t remove_count;
} px_set;

typedef struct px_store px_store;
struct px_store {
    const char *name; /* for the log: "local", "s3" */

    /* PX_NO_SUCH_KEY, PX_NO_SUCH_BUCKET, PX_ACCESS_DENIED, or a transient status. S3's HEAD has no words for which of the
     * two is missing: there it is always PX_NO_SUCH_KEY, and `open` knows. */
    PX_CHECKED px_status (*head)(px_store *self, const char *bucket, const char *key, px_arena *arena,
                                 px_object *ret, px_error *err);

    /* As head, and opens the bytes; *ret_source is owned by the caller. If `etag` is not NULL and the object has
     * another by now: PX_CONFLICT. */
    PX_CHECKED px_status (*open)(px_store *self, const char *bucket, const char *key, const char *etag,
                                 px_arena *arena, px_source *ret_source, px_object *ret, px_error *err);

    /* Stores and removes as one unit, by compare-and-swap against what is there (px_owner_judge). A store that shares
     * its transaction with the table makes it visible in px_table.finish of the same image id and token (the
     * caller always calls it next, or `abandon`); others now. PX_OUTPUT_NAME_TAKEN names key and owner
     * (without records beside it, the owner's id); PX_SUPERSEDED
     * when a newer run's output is there. */
    PX_CHECKED px_status (*put_set)(px_store *self, const char *image_id, px_set *set, px_error *err);

    /* Forgets a put_set that will not be finished. May do nothing. */
    void (*abandon)(px_store *self, const char *image_id);

    /* A page of a bucket's objects in the byte order of their keys: those with `prefix` after the key `after` ("" at first), a
     * thousand at most. Only key, bytes, etag and modified_ms are filled. *ret_more: ask again after the last one. */
    PX_CHECKED px_status (*list)(px_store *self, const char *bucket, const char *prefix, const char *after, px_arena *arena,
                                 px_object **ret, size_t *ret_count, bool *ret_more, px_error *err);
};

typedef enum px_owner_verdict {
    PX_OWNER_WRITE,      /* ours, and not newer: replace it */
    PX_OWNER_TAKEN,      /* somebody else's */
    PX_OWNER_SUPERSEDED, /* ours, but of a newer sequencer or token */
} px_owner_verdict;

/* Reads an object's owner from its metadata; false if pixmill did not make it. Pure. */
bool px_owner_of(const px_object *object, px_owner *ret);

/* What may happen to `present` when `ours` comes along. Pure: this is promise 3 of DESIGN.md. */
px_owner_verdict px_owner_judge(const px_object *present, const px_owner *ours);

/* All user metadata that a put stores: what it carries over, and its owner's five. Copies in the arena. */
PX_CHECKED px_status px_put_meta(const px_put *put, px_arena *arena, const px_meta **ret, size_t *ret_count, px_error *err);

/* Right-pads a sequencer with zeros to 32 hex digits, lower case; "" becomes all zeros. The one place that does. */
void px_sequencer_pad(const char *sequencer, char padded[33]);

/* 32 hex of SHA-256(bucket/key). */
void px_source_id(const char *bucket, const char *key, char id[33]);

#endif
