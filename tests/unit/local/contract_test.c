/* The contracts of the three ports, kept by the local store. */
#include "fixture.h"

#include "../ports/contract.h"

struct local_place {
    px_place place;
    px_local *local;
    char folder[32];
};

static void place_put(px_place *place, const char *bucket, const char *key, const char *text)
{
    assert_int_equal(put(((struct local_place *)place)->local, bucket, key, text), PX_OK);
}

static void place_remove(px_place *place, const char *bucket, const char *key)
{
    assert_int_equal(delete_one(((struct local_place *)place)->local, bucket, key), PX_OK);
}

static px_place *place_open(void)
{
    struct local_place *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->local = fresh_local(made->folder);
    made->place = (px_place){ .store = px_local_store(made->local), .table = px_local_table(made->local),
                              .queue = px_local_queue(made->local), .source = "source", .target = "target", .shared = true,
                              .put = place_put, .remove = place_remove };
    return &made->place;
}

static void place_close(px_place *place)
{
    struct local_place *made = (struct local_place *)place;
    px_local_close(made->local);
    assert_int_equal(count_files(made->folder) >= 0, 1);
    remove_folder(made->folder);
    free(made);
}

int main(void)
{
    const px_place_factory factory = { place_open, place_close };
    return px_store_contract(&factory) + px_table_contract(&factory) + px_queue_contract(&factory);
}
