/* The store port on S3: sets of outputs by compare-and-swap, one object after the other.
 *
 * Each output is written only where nothing is (If-None-Match); if something is there, its owner is judged and it is
 * replaced only as it was seen (If-Match). Against an endpoint of another make, which may not know conditions, the object is
 * looked at first in any case. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws/s3.h"

enum { SET_ARENA = 8 << 20, SWAPS_MAX = 8 };

static px_status store_head(px_store *self, const char *bucket, const char *key, px_arena *arena, px_object *ret, px_error *err)
{
    return px_aws_s3_head(PX_PORTS_OF(self, store), bucket, key, arena, ret, err);
}

static px_status store_open(px_store *self, const char *bucket, const char *key, const char *etag, px_arena *arena, px_source *ret_source,
                            px_object *ret, px_error *err)
{
    return px_aws_s3_open(PX_PORTS_OF(self, store), bucket, key, etag, arena, ret_source, ret, err);
}

/* Is it AWS itself, whose conditions hold? */
static bool is_aws(void) { return !getenv("AWS_ENDPOINT_URL") && !getenv("AWS_ENDPOINT_URL_S3"); }

/* What is there, if anything; and may `owner` change it? *ret_etag is NULL where nothing is; *ret_theirs is whose it is, its
 * source "" if pixmill did not make it. */
static px_status look(px_aws_ports *ports, const char *bucket, const char *key, const px_owner *owner, px_arena *arena,
                      const char **ret_etag, px_owner_verdict *ret_verdict, px_owner *ret_theirs, px_error *err)
{
    px_object present;
    px_status status = px_aws_s3_head(ports, bucket, key, arena, &present, err);
    *ret_etag = NULL;
    *ret_verdict = PX_OWNER_WRITE;
    *ret_theirs = (px_owner){ .token = 0 };
    if (status == PX_NO_SUCH_KEY)
        return PX_OK;
    PX_TRY(status);
    *ret_etag = present.etag;
    *ret_verdict = px_owner_judge(&present, owner);
    (void)px_owner_of(&present, ret_theirs);
    return PX_OK;
}

/* As it says on the way in, and when the condition did not hold: what to replace now, or why not. */
static px_status look_to_put(px_aws_ports *ports, const px_put *put, px_arena *arena, const char **ret_etag, px_error *err)
{
    px_owner_verdict verdict;
    px_owner theirs;
    PX_TRY(look(ports, put->bucket, put->key, &put->owner, arena, ret_etag, &verdict, &theirs, err));
    if (verdict == PX_OWNER_SUPERSEDED)
        return px_fail(err, PX_SUPERSEDED, "%s/%s is of a newer version of the source", put->bucket, put->key);
    if (verdict == PX_OWNER_TAKEN && !put->overwrite_any)
        return *theirs.source ? px_fail(err, PX_OUTPUT_NAME_TAKEN, "%s/%s is the output of another source (%s)", put->bucket, put->key, theirs.source)
                              : px_fail(err, PX_OUTPUT_NAME_TAKEN, "%s/%s is there and pixmill did not make it: give outputs another name, or"
                                        " set overwrite: any", put->bucket, put->key);
    return PX_OK;
}

static px_status put_one(px_aws_ports *ports, px_put *put, px_arena *arena, px_error *err)
{
    const char *replaces = NULL;
    if (!is_aws())
        PX_TRY(look_to_put(ports, put, arena, &replaces, err));
    for (int swap = 1;; swap++) {
        bool again;
        px_status status = px_aws_s3_put(ports, put, replaces, arena, &again, err);
        if ((status != PX_CONFLICT && status != PX_NO_SUCH_KEY) || swap == SWAPS_MAX || (status == PX_NO_SUCH_KEY && !replaces))
            return status == PX_CONFLICT ? px_fail(err, PX_THROTTLED, "%s/%s is being written by others all the time", put->bucket, put->key) : status;
        if (again)
            usleep((useconds_t)px_aws_backoff_ms(swap + 1) * 1000);
        PX_TRY(look_to_put(ports, put, arena, &replaces, err));
    }
}

/* Gone, or somebody else's by now: nothing to do. */
static px_status remove_one(px_aws_ports *ports, const px_remove *remove, px_arena *arena, px_error *err)
{
    for (int swap = 1;; swap++) {
        const char *etag;
        px_owner_verdict verdict;
        px_owner theirs;
        PX_TRY(look(ports, remove->bucket, remove->key, &remove->owner, arena, &etag, &verdict, &theirs, err));
        if (!etag || verdict != PX_OWNER_WRITE)
            return PX_OK;
        px_status status = px_aws_s3_delete(ports, remove->bucket, remove->key, etag, arena, err);
        if (status != PX_CONFLICT || swap == SWAPS_MAX)
            return status == PX_NO_SUCH_KEY ? PX_OK : status;
    }
}

static px_status store_put_set(px_store *self, const char *image_id, px_set *set, px_error *err)
{
    px_aws_ports *ports = PX_PORTS_OF(self, store);
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    (void)image_id;
    PX_TRY(px_arena_open(SET_ARENA, &arena, err));
    for (size_t i = 0; i < set->put_count; i++) {
        px_arena_reset(&arena);
        PX_TRY(put_one(ports, &set->puts[i], &arena, err));
    }
    for (size_t i = 0; i < set->remove_count; i++) {
        px_arena_reset(&arena);
        PX_TRY(remove_one(ports, &set->removes[i], &arena, err));
    }
    return PX_OK;
}

static void store_abandon(px_store *self, const char *image_id) { (void)self, (void)image_id; }

static px_status store_list(px_store *self, const char *bucket, const char *prefix, const char *after, px_arena *arena, px_object **ret,
                            size_t *ret_count, bool *ret_more, px_error *err)
{
    return px_aws_s3_list(PX_PORTS_OF(self, store), bucket, prefix, after, arena, ret, ret_count, ret_more, err);
}

void px_aws_store_init(px_aws_ports *ports)
{
    ports->store = (px_store){ .name = "s3", .head = store_head, .open = store_open, .put_set = store_put_set, .abandon = store_abandon,
                               .list = store_list };
}
