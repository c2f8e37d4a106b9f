/* table.h - the port to the records: one item per source object (DESIGN.md section 6).
 *
 * Claim, work, finish. Contract: tests/unit/ports/table_contract.c. */
#ifndef PX_PORTS_TABLE_H
#define PX_PORTS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/status.h"
#include "ports/queue.h"

typedef enum px_record_status {
    PX_RECORD_QUEUED, PX_RECORD_PROCESSING, PX_RECORD_DONE, PX_RECORD_FAILED, PX_RECORD_SKIPPED, PX_RECORD_DELETED,
    PX_RECORD_STATUS_COUNT
} px_record_status;

typedef struct px_record_output {
    const char *id, *bucket, *key, *format, *etag, *recipe;
    const char *reason;         /* why this format and quality; NULL or "": the recipe said them */
    int width, height, quality; /* pixels; 1 to 100 */
    uint64_t bytes;
} px_record_output;

/* All texts are never NULL ("" if unknown) and live in the arena of the call that filled the record. */
typedef struct px_record {
    const char *image_id; /* bucket/key */
    const char *filename, *format;
    int width, height;    /* as people see it; 0 if unknown */
    bool truncated;       /* it ended early, and the outputs have what is there */
    uint64_t bytes;
    const char *etag, *version_id;
    const char *placeholder; /* its ThumbHash, in base 64 */
    const char *colour;      /* the dominant one, #rrggbb */
    const char *sequencer; /* padded */
    px_record_status status;
    px_status error;       /* PX_OK unless failed, skipped or waiting for another try */
    const char *error_message;
    int64_t token;         /* of the last lease */
    int64_t until_ms;      /* of a claim that somebody else holds: how long at most; 0 if the table cannot tell */
    const px_record_output *outputs;
    size_t output_count;
    int attempts;
    int64_t milliseconds;  /* the run that ended in this state */
    const char *trace_id;
    int64_t processed_ms;  /* since 1970 */
} px_record;

typedef struct px_claim {
    const char *image_id;
    const char *owner;      /* who: host, process, thread; for people */
    int64_t until_ms;       /* the owner's deadline plus 2 s */
    const char *sequencer;  /* padded; NULL: take the record's own (an event without one) */
} px_claim;

typedef struct px_record_filter {
    px_record_status status;     /* PX_RECORD_STATUS_COUNT for all */
    const char *code;            /* NULL for all */
    const char *key;             /* image id, exact or ending in '*'; NULL for all */
    int64_t since_ms, until_ms;  /* processed; 0 for open */
    int64_t limit;               /* at most this many, newest first; 0 for all */
    int64_t after_change;        /* only changes after this cursor (for --follow, oldest first); 0 for none */
} px_record_filter;

typedef struct px_table px_table;
struct px_table {
    const char *name;

    /* PX_NO_SUCH_KEY if there is no record. */
    PX_CHECKED px_status (*find)(px_table *self, const char *image_id, px_arena *arena, px_record *ret, px_error *err);

    /* Takes the lease. *ret is the record as it is now (an empty one if absent), its token already ours. Somebody else
     * holds it: PX_CLAIMED, and ret->until_ms is filled. The record is of a newer sequencer: PX_SUPERSEDED, and *ret is filled. */
    PX_CHECKED px_status (*claim)(px_table *self, const px_claim *claim, px_arena *arena, px_record *ret, px_error *err);

    /* Puts the record if record->token still holds the lease, gives the lease up, and settles the delivery (if
     * any). Where store, table and queue share a database, that and the put_set of the same image id are one
     * transaction, and PX_OUTPUT_NAME_TAKEN or PX_SUPERSEDED may come only now: then nothing was changed and the lease
     * is still held. Token lost: PX_SUPERSEDED. */
    PX_CHECKED px_status (*finish)(px_table *self, const px_record *record, const px_settlement *settlement,
                                   px_error *err);

    /* Gives the lease up without touching the record. */
    void (*release)(px_table *self, const char *image_id, int64_t token);

    /* Calls `each` with every match until it returns false; *ret_cursor (may be NULL) is for after_change. */
    PX_CHECKED px_status (*list)(px_table *self, const px_record_filter *filter,
                                 bool (*each)(void *context, const px_record *record), void *context,
                                 int64_t *ret_cursor, px_error *err);
};

const char *px_record_status_name(px_record_status status);  /* "done" */
px_record_status px_record_status_find(const char *name);    /* PX_RECORD_STATUS_COUNT if there is none */

/* Does a filter's key (exact, or ending in '*') mean this image id? */
bool px_key_matches(const char *pattern, const char *image_id);

/* The record as DESIGN.md section 6 spells it, and back. `format` gives a new reference, NULL without memory. */
json_t *px_record_format(const px_record *record);
PX_CHECKED px_status px_record_parse(const json_t *item, px_arena *arena, px_record *ret, px_error *err);

/* A record with every text "". */
px_record px_record_empty(void);

#endif
