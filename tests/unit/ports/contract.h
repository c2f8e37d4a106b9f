/* contract.h - what every implementation of the ports promises, as functions over a place to try it in.
 *
 * A suite makes a fresh place for each test (its factory) and runs px_*_contract on it. What the ports themselves do not
 * offer - a stranger's object, an event from outside - the place does. */
#ifndef PX_TEST_PORTS_CONTRACT_H
#define PX_TEST_PORTS_CONTRACT_H

#include "ports/queue.h"
#include "ports/store.h"
#include "ports/table.h"

typedef struct px_place px_place;
struct px_place {
    px_store *store;
    px_table *table;
    px_queue *queue;
    const char *source, *target; /* two empty buckets; a change in `source` becomes an event */
    bool shared;                 /* put_set becomes visible with finish */
    void (*put)(px_place *place, const char *bucket, const char *key, const char *text); /* as a client would */
    void (*remove)(px_place *place, const char *bucket, const char *key);
};

typedef struct px_place_factory {
    px_place *(*open)(void);
    void (*close)(px_place *place);
} px_place_factory;

int px_store_contract(const px_place_factory *factory); /* the number of tests that failed */
int px_table_contract(const px_place_factory *factory);
int px_queue_contract(const px_place_factory *factory);

#endif
