/* Images that are there: their records, pages of them, and their end.
 *
 * That an object is there is asked by listing it, which needs no right to read it. */
#include <stdlib.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"

enum { PAGE_USUAL = 20 };

/* The key of an id that the API may touch. */
static px_status judge_id(const px_api_call *call, const char *id, const char **ret_key, px_error *err)
{
    const char *source = call->api->config->source;
    size_t count = strlen(source);
    if (strncmp(id, source, count) != 0 || id[count] != '/')
        return px_fail(err, PX_ACCESS_DENIED, "the API's images lie in %.64s: an id is BUCKET/KEY", source);
    PX_TRY(px_api_judge_key(call, id + count + 1, err));
    *ret_key = id + count + 1;
    return PX_OK;
}

static px_status no_such(const char *id, px_error *err) { return px_fail(err, PX_NO_SUCH_KEY, "there is no image %.200s", id); }

/* What a store or table finds wrong is not the client's doing. */
static px_status ours(px_status status) { return status == PX_BAD_REQUEST || status == PX_BAD_CONFIG ? PX_INTERNAL : status; }

/* Can there be an object of this key at all? */
static bool is_key(const char *key) { return *key && strlen(key) <= PX_LIMIT_KEY_BYTES; }

static px_status find_object(const px_api_call *call, const char *id, const char *key, px_object *ret, px_error *err)
{
    px_store *store = call->api->store;
    px_object *objects = NULL;
    size_t count = 0;
    bool more = false;
    PX_TRY(ours(store->list(store, call->api->config->source, key, "", call->arena, &objects, &count, &more, err)));
    if (!count || strcmp(objects[0].key, key) != 0)
        return no_such(id, err);
    *ret = objects[0];
    return PX_OK;
}

/* An original that has no record yet. */
static px_status find_queued(const px_api_call *call, const char *id, const char *key, px_record *ret, px_error *err)
{
    px_object object = { .etag = "" };
    const char *slash = strrchr(key, '/');
    PX_TRY(find_object(call, id, key, &object, err));
    px_record record = px_record_empty();
    record.image_id = id;
    record.filename = slash ? slash + 1 : key;
    record.bytes = object.bytes;
    record.etag = object.etag;
    *ret = record;
    return PX_OK;
}

px_status px_api_get_image(px_api_call *call, px_error *err)
{
    const char *id = px_api_query(call, "id"), *key = "";
    px_table *table = call->api->table;
    px_record record = px_record_empty();
    PX_TRY(judge_id(call, id, &key, err));
    if (!is_key(key))
        return no_such(id, err);
    if (!table)
        return px_fail(err, PX_NO_SUCH_TABLE, "there are no records: the option `table` names none");
    px_status status = ours(table->find(table, id, call->arena, &record, err));
    PX_TRY(status == PX_NO_SUCH_KEY ? find_queued(call, id, key, &record, err) : status);
    call->answer = px_record_format(&record);
    return call->answer ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for the record");
}

static px_status format_listed(const px_api_call *call, const px_object *object, json_t *images, px_error *err)
{
    px_table *table = call->api->table;
    char modified[PX_TIME_TEXT];
    const char *id = px_arena_format(call->arena, "%s/%s", call->api->config->source, object->key);
    if (!id)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a page of images");
    px_time_format(object->modified_ms, modified);
    json_t *image = json_pack("{s:s, s:I, s:s, s:s}", "ImageId", id, "Bytes", (json_int_t)object->bytes, "ETag", object->etag, "ModifiedAt", modified);
    bool whole = image && json_array_append_new(images, image) == 0;
    if (whole && table) {
        px_record record;
        px_status status = ours(table->find(table, id, call->arena, &record, err));
        if (status != PX_NO_SUCH_KEY)
            PX_TRY(status);
        whole = json_object_set_new(image, "Status", json_string(px_record_status_name(status == PX_OK ? record.status : PX_RECORD_QUEUED))) == 0;
    }
    return whole ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for a page of images");
}

px_status px_api_list_images(px_api_call *call, px_error *err)
{
    px_store *store = call->api->store;
    const char *prefix = px_api_query(call, "prefix"), *after = px_api_query(call, "after"), *limit = px_api_query(call, "limit");
    px_object *objects = NULL;
    size_t count = 0, wanted = *limit ? strtoul(limit, NULL, 10) : PAGE_USUAL;
    bool more = false;
    if (!*prefix)
        prefix = px_api_prefix(call->api->config, call->arena);
    if (!prefix)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a page of images");
    PX_TRY(px_api_judge_key(call, prefix, err));
    if (strlen(prefix) > PX_LIMIT_KEY_BYTES || strlen(after) > PX_LIMIT_KEY_BYTES)
        return px_fail(err, PX_BAD_REQUEST, "prefix and after have at most %d bytes, as keys do", PX_LIMIT_KEY_BYTES);
    PX_TRY(ours(store->list(store, call->api->config->source, prefix, after, call->arena, &objects, &count, &more, err)));
    more |= count > wanted;
    count = count < wanted ? count : wanted;
    PX_AUTO(px_api_json_free) json_t *images = json_array();
    for (size_t i = 0; i < count; i++)
        PX_TRY(format_listed(call, &objects[i], images, err));
    call->answer = json_pack("{s:O}", "images", images);
    if (!call->answer || (more && count && json_object_set_new(call->answer, "next", json_string(objects[count - 1].key)) != 0))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a page of images");
    return PX_OK;
}

px_status px_api_delete_image(px_api_call *call, px_error *err)
{
    const char *key = "";
    PX_TRY(judge_id(call, px_api_query(call, "id"), &key, err));
    call->removes = is_key(key) ? key : NULL;
    return PX_OK;
}
