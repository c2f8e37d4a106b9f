/* queue.h - the port to where events wait. At least once, in no promised order.
 *
 * A delivery is taken, and then settled exactly once: by px_table.finish together with the record, or by
 * `settle` here when there is none. Contract: tests/unit/ports/queue_contract.c. */
#ifndef PX_PORTS_QUEUE_H
#define PX_PORTS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef struct px_delivery {
    const char *id;          /* the queue's own handle */
    const char *body;        /* the event, JSON of any shape that pipeline/event.c knows */
    int attempts;            /* this one included: 1 on the first */
    int64_t sent_ms;         /* when it was put in */
    const char *trace_id;    /* "" if none */
} px_delivery;

typedef enum px_verdict { PX_ACKNOWLEDGE, PX_RETRY, PX_DEAD } px_verdict;

/* How a delivery ends. */
typedef struct px_settlement {
    const px_delivery *delivery;
    px_verdict verdict;
    int64_t delay_ms;     /* PX_RETRY: not before */
    px_status status;     /* PX_RETRY, PX_DEAD: why */
    const char *message;  /* likewise, for people */
    const char *image_id; /* PX_DEAD: what to find it by; may be "" */
    bool recorded;        /* the table holds how it ended */
} px_settlement;

typedef struct px_dead_filter {
    const char *key;   /* image id, exact or ending in '*'; NULL for all */
    const char *code;  /* "corrupt-image"; NULL for all */
    int64_t since_ms, until_ms; /* when it died; 0 for open */
} px_dead_filter;

typedef struct px_queue px_queue;
struct px_queue {
    const char *name;

    /* Waits up to `wait_ms` for a delivery; *ret_taken says whether one came. Texts live in the arena. */
    PX_CHECKED px_status (*take)(px_queue *self, int wait_ms, px_arena *arena, px_delivery *ret, bool *ret_taken,
                                 px_error *err);

    PX_CHECKED px_status (*settle)(px_queue *self, const px_settlement *settlement, px_error *err);

    /* Puts dead letters back, as new deliveries with their old body; how many is *ret_count. */
    PX_CHECKED px_status (*replay)(px_queue *self, const px_dead_filter *filter, int64_t *ret_count, px_error *err);

    /* No take gives anything any more: the service is to stop. Those that wait return "none", at once where the queue is our own,
     * else when the request that they wait for ends. */
    void (*stop)(px_queue *self);
};

#endif
