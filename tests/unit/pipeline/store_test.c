/* The fakes keep the promises of a store, both ways (seen with the record, and seen at once), so that job_test.c proves
 * something about the real ones. */
#include "../ports/contract.h"
#include "fakes.h"
#include "test.h"

static struct {
    px_place place;
    fakes *fakes;
} opened;

static void put(px_place *place, const char *bucket, const char *key, const char *text)
{
    (void)place;
    fakes_put(opened.fakes, bucket, key, text);
}

static px_place *open_shared(void)
{
    opened.fakes = fakes_open();
    opened.place = (px_place){ .store = &opened.fakes->store, .table = &opened.fakes->table, .source = "source", .target = "target",
                               .shared = true, .put = put };
    return &opened.place;
}

static px_place *open_alone(void)
{
    px_place *place = open_shared();
    opened.fakes->shared = place->shared = false;
    return place;
}

static void close_any(px_place *place)
{
    (void)place;
    fakes_close(opened.fakes);
}

int main(void)
{
    return px_store_contract(&(px_place_factory){ open_shared, close_any }) + px_store_contract(&(px_place_factory){ open_alone, close_any });
}
