/* A table for those who keep none: what the outputs' metadata says of their source.
 *
 * Every output carries its source, that source's ETag and sequencer, and the recipe's fingerprint. So what a record would
 * tell can be read from the outputs themselves, as long as their names follow from the key alone: a name with {width},
 * {height}, {hash} or the format of the source in it cannot be looked for, and such outputs are made anew at each event. There
 * are no leases: that two runs do not harm each other is the store's compare-and-swap. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/inside.h"

struct bare {
    px_table table; /* first: px_table * is struct bare * */
    const px_config *config;
    px_store *store;
    px_queue *queue; /* NULL: the caller settles */
};

static bool is_named_by_key(const px_output *output)
{
    static const char *const words[] = { "{width}", "{height}", "{hash}" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(output->name, words[i]))
            return false;
    bool is_known = output->spec.format != PX_FORMAT_KEEP && output->spec.format != PX_FORMAT_AUTO;
    return is_known || (!strstr(output->name, "{format}") && !strstr(output->name, "{ext}"));
}

/* Reads one output's record from its metadata; false if it is not there, or not of this source. */
static bool read_output(struct bare *self, const px_output *output, const char *key, const char *source, px_arena *arena,
                        px_record_output *ret, px_owner *ret_owner, px_status *ret_status, px_error *err)
{
    const char *name;
    px_object object;
    px_format format = output->spec.format < PX_FORMAT_COUNT && output->spec.format != PX_FORMAT_KEEP ? output->spec.format : PX_FORMAT_JPEG;
    *ret_status = PX_OK;
    if (!is_named_by_key(output) || px_output_name(output, key, "", format, 0, 0, arena, &name, NULL) != PX_OK)
        return false;
    name = px_arena_format(arena, "%s%s", self->config->destination_prefix, name);
    if (!name)
        return false;
    px_status status = self->store->head(self->store, self->config->destination, name, arena, &object, err);
    if (status != PX_OK) {
        *ret_status = status == PX_NO_SUCH_KEY ? PX_OK : status;
        return false;
    }
    if (!px_owner_of(&object, ret_owner) || strcmp(ret_owner->source, source) != 0)
        return false;
    *ret = (px_record_output){ .id = output->id, .bucket = self->config->destination, .key = name, .format = px_format_name(format),
                               .etag = object.etag, .recipe = px_arena_copy_text(arena, ret_owner->recipe), .bytes = object.bytes };
    if (output == &self->config->recipe.manifest)
        ret->format = "json";
    return ret->recipe != NULL;
}

/* What is known of a source: PX_NO_SUCH_KEY if no output of it is there. */
static px_status recall(struct bare *self, const char *image_id, px_arena *arena, px_record *ret, px_error *err)
{
    const px_recipe *recipe = &self->config->recipe;
    const char *slash = strchr(image_id, '/');
    px_record record = px_record_empty();
    px_record_output *outputs = px_new(arena, px_record_output, PX_LIMIT_OUTPUTS + 1);
    char source[33], *bucket = slash ? px_arena_copy(arena, (px_bytes){ (const uint8_t *)image_id, (size_t)(slash - image_id) }) : NULL;
    record.image_id = px_arena_copy_text(arena, image_id);
    if (!outputs || !bucket || !record.image_id)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a record");
    px_source_id(bucket, slash + 1, source);
    for (int i = 0; i < recipe->output_count + px_has_manifest(recipe); i++) {
        const px_output *output = i < recipe->output_count ? &recipe->outputs[i] : &recipe->manifest;
        px_owner owner;
        px_status status;
        if (!read_output(self, output, slash + 1, source, arena, &outputs[record.output_count], &owner, &status, err)) {
            PX_TRY(status);
            continue;
        }
        if (record.output_count++ == 0 || strcmp(owner.sequencer, record.sequencer) < 0)
            record.sequencer = px_arena_copy_text(arena, owner.sequencer); /* the set is as old as its oldest */
        record.etag = record.output_count == 1 || strcmp(record.etag, owner.etag) == 0 ? px_arena_copy_text(arena, owner.etag) : "";
        if (!record.sequencer || !record.etag)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a record");
    }
    if (record.output_count == 0)
        return px_fail(err, PX_NO_SUCH_KEY, "no outputs of %s", image_id);
    record.outputs = outputs;
    record.status = PX_RECORD_DONE;
    *ret = record;
    return PX_OK;
}

static px_status bare_find(px_table *self, const char *image_id, px_arena *arena, px_record *ret, px_error *err)
{
    return recall((struct bare *)self, image_id, arena, ret, err);
}

static px_status bare_claim(px_table *self, const px_claim *claim, px_arena *arena, px_record *ret, px_error *err)
{
    px_record record;
    px_status status = recall((struct bare *)self, claim->image_id, arena, &record, err);
    if (status == PX_NO_SUCH_KEY) {
        record = px_record_empty();
        record.sequencer = "00000000000000000000000000000000";
    } else if (status != PX_OK)
        return status;
    *ret = record;
    if (claim->sequencer && strcmp(record.sequencer, claim->sequencer) > 0)
        return px_fail(err, PX_SUPERSEDED, "the outputs of %s are of a newer version", claim->image_id);
    return PX_OK;
}

static px_status bare_finish(px_table *self, const px_record *record, const px_settlement *settlement, px_error *err)
{
    px_queue *queue = ((struct bare *)self)->queue;
    (void)record;
    return settlement && queue ? queue->settle(queue, settlement, err) : PX_OK;
}

static void bare_release(px_table *self, const char *image_id, int64_t token) { (void)self, (void)image_id, (void)token; }

static px_status bare_list(px_table *self, const px_record_filter *filter, bool (*each)(void *context, const px_record *record),
                           void *context, int64_t *ret_cursor, px_error *err)
{
    (void)self, (void)filter, (void)each, (void)context, (void)ret_cursor;
    return px_fail(err, PX_NO_SUCH_TABLE, "no table is configured, so there are no records to list: set table (PIXMILL_TABLE)");
}

px_status px_bare_table_create(const px_config *config, px_store *store, px_queue *queue, px_table **ret, px_error *err)
{
    struct bare *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a table");
    *self = (struct bare){ .table = { .name = "none", .find = bare_find, .claim = bare_claim, .finish = bare_finish,
                                      .release = bare_release, .list = bare_list }, .config = config, .store = store, .queue = queue };
    *ret = &self->table;
    return PX_OK;
}

void px_bare_table_destroy(px_table *table) { free(table); }
