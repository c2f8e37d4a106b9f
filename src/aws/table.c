/* The table port on DynamoDB: one item a source object, one request a step.
 *
 * The lease is compare-and-swap on its token. A claim first tries to make the item (the new picture's case: one request); if
 * it is there the refusal brings it along, we judge it, and take the lease only if its token is still the one we judged.
 * Failed records carry `Failure`, by which the sparse index "failures" lists them without reading the others. */
#include <stdlib.h>
#include <string.h>

#include "aws/attribute.h"
#include "aws/shared.h"
#include "base/clock.h"

enum { CALL_ARENA = 8 << 20, SWAPS_MAX = 6, DELETED_DAYS = 30 };
static const char index_name[] = "failures";

static px_status call(px_aws_ports *ports, const char *action, json_t *body, px_arena *arena, json_t **ret_answer, const char **ret_code,
                      px_error *err)
{
    const char *target = px_arena_format(arena, "DynamoDB_20120810.%s", action);
    if (!body || !target || json_object_set_new(body, "TableName", json_string(ports->options.table)) != 0)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    return px_aws_call_json(ports, "dynamodb", NULL, target, ports->options.table, body, false, arena, ret_answer, ret_code, err);
}

/* An item that others changed beyond recognition is told, not guessed at. */
static px_status parse_item(const json_t *attributes, px_arena *arena, px_record *ret, int64_t *ret_until_ms, px_error *err)
{
    PX_AUTO(px_json_free) json_t *item = px_attributes_parse(attributes);
    if (!item)
        return px_fail(err, PX_BAD_REQUEST, "an item of the table is no record");
    *ret_until_ms = json_integer_value(json_object_get(json_object_get(item, "Lease"), "Until"));
    return px_record_parse(item, arena, ret, err);
}

static px_status table_find(px_table *self, const char *image_id, px_arena *arena, px_record *ret, px_error *err)
{
    px_aws_ports *ports = PX_PORTS_OF(self, table);
    PX_AUTO(px_arena_close) px_arena scratch = { 0 };
    PX_AUTO(px_json_free) json_t *answer = NULL;
    PX_AUTO(px_json_free) json_t *body = json_pack("{s:{s:{s:s}}, s:b}", "Key", "ImageId", "S", image_id, "ConsistentRead", 1);
    int64_t until_ms;
    PX_TRY(px_arena_open(CALL_ARENA, &scratch, err));
    PX_TRY(call(ports, "GetItem", body, &scratch, &answer, NULL, err));
    const json_t *item = json_object_get(answer, "Item");
    return item ? parse_item(item, arena, ret, &until_ms, err) : px_fail(err, PX_NO_SUCH_KEY, "there is no record of %.200s", image_id);
}

/* ---- claim ---- */

/* Sets the lease under a condition; a record that was not there becomes one that is being processed. */
static json_t *lease_request(const px_claim *claim, int64_t token, const char *condition, int64_t known)
{
    json_t *plain = json_pack("{s:{s:s, s:I, s:I}, s:s}", ":lease", "Owner", claim->owner, "Until", (json_int_t)claim->until_ms, "Token",
                              (json_int_t)token, ":processing", "processing");
    if (plain && known >= 0)
        json_object_set_new(plain, ":known", json_integer(known));
    json_t *values = plain ? px_attributes_format(plain) : NULL;
    json_decref(plain);
    json_t *names = json_pack("{s:s, s:s}", "#lease", "Lease", "#status", "Status");
    if (known >= 0)
        json_object_set_new(names, "#token", json_string("Token"));
    return json_pack("{s:{s:{s:s}}, s:s, s:s, s:o, s:o, s:s}", "Key", "ImageId", "S", claim->image_id, "UpdateExpression",
                     "SET #lease = :lease, #status = if_not_exists(#status, :processing)", "ConditionExpression", condition,
                     "ExpressionAttributeNames", names, "ExpressionAttributeValues", values, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
}

/* May we have what is there? *ret is it. */
static px_status judge(const px_claim *claim, const json_t *item, px_arena *arena, px_record *ret, px_error *err)
{
    int64_t until_ms;
    px_record record;
    PX_TRY(parse_item(item, arena, &record, &until_ms, err));
    if (until_ms > px_now_ms())
        return px_fail(err, PX_CLAIMED, "somebody else works on %.200s now", claim->image_id);
    char theirs[33], ours[33];
    px_sequencer_pad(record.sequencer, theirs);
    px_sequencer_pad(claim->sequencer ? claim->sequencer : theirs, ours);
    *ret = record;
    if (strcmp(theirs, ours) > 0)
        return px_fail(err, PX_SUPERSEDED, "the record of %.200s is of a newer event", claim->image_id);
    return PX_OK;
}

static px_status try_claim(px_aws_ports *ports, const px_claim *claim, const px_record *known, px_arena *scratch, json_t **ret_answer, px_error *err)
{
    const char *condition = !known ? "attribute_not_exists(ImageId)" : known->token ? "#lease.#token = :known" : "attribute_not_exists(#lease.#token) OR #lease.#token = :known";
    PX_AUTO(px_json_free) json_t *body = lease_request(claim, (known ? known->token : 0) + 1, condition, known ? known->token : -1);
    return call(ports, "UpdateItem", body, scratch, ret_answer, NULL, err);
}

static px_status table_claim(px_table *self, const px_claim *claim, px_arena *arena, px_record *ret, px_error *err)
{
    px_aws_ports *ports = PX_PORTS_OF(self, table);
    PX_AUTO(px_arena_close) px_arena scratch = { 0 };
    px_record record = px_record_empty();
    bool known = false;
    PX_TRY(px_arena_open(CALL_ARENA, &scratch, err));
    record.image_id = px_arena_copy_text(arena, claim->image_id);
    if (!record.image_id)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a claim");
    for (int swap = 1;; swap++) {
        PX_AUTO(px_json_free) json_t *answer = NULL;
        px_arena_reset(&scratch);
        px_status status = try_claim(ports, claim, known ? &record : NULL, &scratch, &answer, err);
        if (status == PX_OK)
            break;
        const json_t *item = json_object_get(answer, "Item");
        if (status != PX_CONFLICT)
            return status;
        if (swap == SWAPS_MAX || !item)
            return px_fail(err, PX_CLAIMED, "others claim %.200s at the same time", claim->image_id);
        px_record seen;
        px_status judged = judge(claim, item, arena, &seen, err);
        if (judged == PX_SUPERSEDED)
            *ret = seen;
        PX_TRY(judged);
        record = seen;
        known = true;
    }
    record.token++;
    *ret = record;
    return PX_OK;
}

/* ---- finish and release ---- */

static json_t *item_of(const px_aws_ports *ports, const px_record *record)
{
    json_t *item = px_record_format(record);
    if (!item)
        return NULL;
    json_t *lease = json_object_get(item, "Lease");
    json_object_set_new(lease, "Owner", json_string(""));
    json_object_set_new(lease, "Until", json_integer(0));
    int days = record->status == PX_RECORD_DELETED ? DELETED_DAYS : ports->options.ttl_days;
    if (days > 0)
        json_object_set_new(item, "ExpiresAt", json_integer(px_now_ms() / 1000 + (json_int_t)days * 86400));
    if (!record->processed_ms)
        json_object_del(item, "ProcessedAt"); /* the index takes no empty text */
    if (record->status == PX_RECORD_FAILED)
        json_object_set_new(item, "Failure", json_string(px_status_code(record->error)));
    json_t *attributes = px_attributes_format(item);
    json_decref(item);
    return attributes;
}

static px_status table_finish(px_table *self, const px_record *record, const px_settlement *settlement, px_error *err)
{
    px_aws_ports *ports = PX_PORTS_OF(self, table);
    PX_AUTO(px_arena_close) px_arena scratch = { 0 };
    PX_AUTO(px_json_free) json_t *answer = NULL;
    PX_TRY(px_arena_open(CALL_ARENA, &scratch, err));
    char *token = px_arena_format(&scratch, "%lld", (long long)record->token);
    PX_AUTO(px_json_free) json_t *body = json_pack("{s:o, s:s, s:{s:s, s:s, s:s}, s:{s:{s:s}, s:{s:s}}}", "Item", item_of(ports, record),
                                                   "ConditionExpression", "#lease.#token = :token AND #lease.#until > :zero",
                                                   "ExpressionAttributeNames", "#lease", "Lease", "#token", "Token", "#until", "Until",
                                                   "ExpressionAttributeValues", ":token", "N", token ? token : "", ":zero", "N", "0");
    px_status status = call(ports, "PutItem", body, &scratch, &answer, NULL, err);
    if (status == PX_CONFLICT)
        return px_fail(err, PX_SUPERSEDED, "the claim of %.200s was lost to another run", record->image_id);
    PX_TRY(status);
    return settlement && ports->queue.settle ? ports->queue.settle(&ports->queue, settlement, err) : PX_OK;
}

static void table_release(px_table *self, const char *image_id, int64_t token)
{
    px_aws_ports *ports = PX_PORTS_OF(self, table);
    PX_AUTO(px_arena_close) px_arena scratch = { 0 };
    PX_AUTO(px_json_free) json_t *answer = NULL;
    if (px_arena_open(CALL_ARENA, &scratch, NULL) != PX_OK)
        return;
    char *text = px_arena_format(&scratch, "%lld", (long long)token);
    PX_AUTO(px_json_free) json_t *body = json_pack("{s:{s:{s:s}}, s:s, s:s, s:{s:s, s:s, s:s}, s:{s:{s:s}, s:{s:s}}}", "Key", "ImageId", "S", image_id,
                                                   "UpdateExpression", "SET #lease.#until = :zero", "ConditionExpression", "#lease.#token = :token",
                                                   "ExpressionAttributeNames", "#lease", "Lease", "#token", "Token", "#until", "Until",
                                                   "ExpressionAttributeValues", ":token", "N", text ? text : "", ":zero", "N", "0");
    (void)!call(ports, "UpdateItem", body, &scratch, &answer, NULL, NULL); /* if not, the lease runs out by itself */
}

/* ---- lists ---- */

/* The matches of a list, until they are sorted. Texts live in the arena. */
struct matches {
    const px_record_filter *filter;
    px_arena *arena;
    px_record *records; /* owned */
    size_t count, capacity;
};

static bool key_matches(const char *pattern, const char *image_id)
{
    size_t count = strlen(pattern);
    return count && pattern[count - 1] == '*' ? strncmp(pattern, image_id, count - 1) == 0 : strcmp(pattern, image_id) == 0;
}

static bool is_match(const px_record_filter *filter, const px_record *record)
{
    return (filter->status == PX_RECORD_STATUS_COUNT || record->status == filter->status) &&
           (!filter->code || (record->error != PX_OK && strcmp(px_status_code(record->error), filter->code) == 0)) &&
           (!filter->key || key_matches(filter->key, record->image_id)) &&
           (!filter->since_ms || record->processed_ms >= filter->since_ms) && (!filter->until_ms || record->processed_ms <= filter->until_ms) &&
           (!filter->after_change || record->processed_ms > filter->after_change);
}

static px_status take_items(struct matches *matches, const json_t *items, px_error *err)
{
    size_t index;
    json_t *item;
    json_array_foreach(items, index, item) {
        px_record record;
        int64_t until_ms;
        PX_TRY(parse_item(item, matches->arena, &record, &until_ms, err));
        if (!is_match(matches->filter, &record))
            continue;
        if (matches->count == matches->capacity) {
            size_t capacity = matches->capacity ? matches->capacity * 2 : 64;
            px_record *more = realloc(matches->records, capacity * sizeof *more);
            if (!more)
                return px_fail(err, PX_OUT_OF_MEMORY, "no memory for %zu records", capacity);
            matches->records = more;
            matches->capacity = capacity;
        }
        matches->records[matches->count++] = record;
    }
    return PX_OK;
}

static px_status scan(px_aws_ports *ports, const char *index, struct matches *matches, const char **ret_code, px_error *err)
{
    PX_AUTO(px_json_free) json_t *start = NULL;
    PX_AUTO(px_arena_close) px_arena scratch = { 0 };
    PX_TRY(px_arena_open(64 << 20, &scratch, err));
    do {
        PX_AUTO(px_json_free) json_t *answer = NULL;
        PX_AUTO(px_json_free) json_t *body = json_object();
        px_arena_reset(&scratch);
        if (index)
            json_object_set_new(body, "IndexName", json_string(index));
        if (start)
            json_object_set(body, "ExclusiveStartKey", start);
        PX_TRY(call(ports, "Scan", body, &scratch, &answer, ret_code, err));
        PX_TRY(take_items(matches, json_object_get(answer, "Items"), err));
        json_decref(start);
        start = json_incref(json_object_get(answer, "LastEvaluatedKey"));
    } while (start);
    return PX_OK;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const px_record *)a)->processed_ms, y = ((const px_record *)b)->processed_ms;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void deliver(struct matches *matches, bool (*each)(void *context, const px_record *record), void *context, int64_t *ret_cursor)
{
    const px_record_filter *filter = matches->filter;
    size_t count = filter->limit > 0 && (size_t)filter->limit < matches->count ? (size_t)filter->limit : matches->count;
    if (matches->count)
        qsort(matches->records, matches->count, sizeof *matches->records, by_time);
    if (ret_cursor) /* the time of the newest stands in for a change number */
        *ret_cursor = matches->count ? matches->records[0].processed_ms : filter->after_change;
    for (size_t i = 0; i < count; i++)
        if (!each(context, &matches->records[filter->after_change ? matches->count - 1 - i : i]))
            return;
}

static px_status table_list(px_table *self, const px_record_filter *filter, bool (*each)(void *context, const px_record *record), void *context,
                            int64_t *ret_cursor, px_error *err)
{
    px_aws_ports *ports = PX_PORTS_OF(self, table);
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    struct matches matches = { .filter = filter, .arena = &arena };
    const char *code = "";
    bool sparse = filter->status == PX_RECORD_FAILED;
    PX_TRY(px_arena_open((size_t)1 << 30, &arena, err));
    px_status status = scan(ports, sparse ? index_name : NULL, &matches, &code, err);
    if (status != PX_OK && sparse && strcmp(code, "ValidationException") == 0) /* a table without the index */
        status = scan(ports, NULL, &matches, &code, err);
    if (status == PX_OK)
        deliver(&matches, each, context, ret_cursor);
    free(matches.records);
    return status;
}

void px_aws_table_init(px_aws_ports *ports)
{
    ports->table = (px_table){ .name = "dynamodb", .find = table_find, .claim = table_claim, .finish = table_finish, .release = table_release,
                               .list = table_list };
}
