/* The table port on DynamoDB: one item a source object, one request a step.
 *
 * The lease is compare-and-swap on its token. A claim first tries to make the item (the new picture's case: one request); if
 * it is there the refusal brings it along, we judge it, and take the lease only if its token is still the one we judged.
 * An answer can be lost after the write: the repeat is then refused because of ourselves. So every claim's owner is unlike any
 * other, and a refused finish that finds what it wanted to write has written it.
 * Failed records carry `Failure`, by which the sparse index "failures" lists them without reading the others. */
#include <stdlib.h>
#include <string.h>

#include "aws/attribute.h"
#include "aws/shared.h"
#include "base/clock.h"
#include "base/hash.h"

enum { CALL_ARENA = 8 << 20, SWAPS_MAX = 6, DELETED_DAYS = 30 };
static const char index_name[] = "failures";

static px_status call(px_aws_ports *ports, const char *action, json_t *body, px_arena *arena, json_t **ret_answer, const char **ret_code,
                      px_error *err)
{
    const char *target = px_arena_format(arena, "DynamoDB_20120810.%s", action);
    if (!body || !target || json_object_set_new(body, "TableName", json_string(ports->options.table)) != 0)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    px_aws_request about = { .service = "dynamodb", .target = ports->options.table };
    return px_aws_call_json(ports, &about, target, body, arena, ret_answer, ret_code, err);
}

struct lease {
    int64_t until_ms;  /* 0 if nobody has it */
    const char *owner; /* borrowed from the arena */
};

/* An item that others changed beyond recognition is told, not guessed at: a lease that cannot be read might be held. */
static px_status parse_item(const json_t *attributes, px_arena *arena, px_record *ret, struct lease *ret_lease, px_error *err)
{
    PX_AUTO(px_json_free) json_t *item = px_attributes_parse(attributes);
    const json_t *lease = json_object_get(item, "Lease"), *until = json_object_get(lease, "Until");
    const char *owner = json_string_value(json_object_get(lease, "Owner"));
    if (!item || (lease && !json_is_integer(until)))
        return px_fail(err, PX_BAD_REQUEST, "an item of the table is no record: %s", item ? "its Lease has no Until" : "its attributes");
    *ret_lease = (struct lease){ json_integer_value(until), px_arena_copy_text(arena, owner ? owner : "") };
    return ret_lease->owner ? px_record_parse(item, arena, ret, err) : px_fail(err, PX_OUT_OF_MEMORY, "no memory for a record");
}

static px_status table_find(px_table *self, const char *image_id, px_arena *arena, px_record *ret, px_error *err)
{
    px_aws_ports *ports = PX_PORTS_OF(self, table);
    PX_AUTO(px_arena_close) px_arena scratch = { 0 };
    PX_AUTO(px_json_free) json_t *answer = NULL;
    PX_AUTO(px_json_free) json_t *body = json_pack("{s:{s:{s:s}}, s:b}", "Key", "ImageId", "S", image_id, "ConsistentRead", 1);
    struct lease lease;
    PX_TRY(px_arena_open(CALL_ARENA, &scratch, err));
    PX_TRY(call(ports, "GetItem", body, &scratch, &answer, NULL, err));
    const json_t *item = json_object_get(answer, "Item");
    return item ? parse_item(item, arena, ret, &lease, err) : px_fail(err, PX_NO_SUCH_KEY, "there is no record of %.200s", image_id);
}

/* ---- claim ---- */

static int64_t expiry(int days) { return px_now_ms() / 1000 + (int64_t)days * 86400; }

/* Sets the lease under a condition; a record that was not there becomes one that is being processed, and expires even if nobody
 * ever finishes it. `known` is the token that was seen; -1 for none. */
static json_t *lease_request(const px_claim *claim, const char *owner, int ttl_days, const char *condition, int64_t known)
{
    bool expires = ttl_days > 0;
    PX_AUTO(px_json_free) json_t *plain = json_pack("{s:{s:s, s:I, s:I}, s:s}", ":lease", "Owner", owner, "Until", (json_int_t)claim->until_ms,
                                                    "Token", (json_int_t)((known > 0 ? known : 0) + 1), ":processing", "processing");
    if (plain && known >= 0)
        json_object_set_new(plain, ":known", json_integer(known));
    if (plain && expires)
        json_object_set_new(plain, ":expiry", json_integer(expiry(ttl_days)));
    PX_AUTO(px_json_free) json_t *values = plain ? px_attributes_format(plain) : NULL;
    PX_AUTO(px_json_free) json_t *names = json_pack("{s:s, s:s}", "#lease", "Lease", "#status", "Status");
    if (names && known >= 0)
        json_object_set_new(names, "#token", json_string("Token"));
    const char *update = expires ? "SET #lease = :lease, #status = if_not_exists(#status, :processing), ExpiresAt = if_not_exists(ExpiresAt, :expiry)"
                                 : "SET #lease = :lease, #status = if_not_exists(#status, :processing)";
    return json_pack("{s:{s:{s:s}}, s:s, s:s, s:O, s:O, s:s}", "Key", "ImageId", "S", claim->image_id, "UpdateExpression", update,
                     "ConditionExpression", condition, "ExpressionAttributeNames", names, "ExpressionAttributeValues", values,
                     "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
}

/* May we have what is there? *ret is it; *ret_ours: we have it, the answer was lost. */
static px_status judge(const px_claim *claim, const char *owner, const json_t *item, px_arena *arena, px_record *ret, bool *ret_ours, px_error *err)
{
    struct lease lease;
    px_record record;
    PX_TRY(parse_item(item, arena, &record, &lease, err));
    *ret_ours = strcmp(lease.owner, owner) == 0;
    if (!*ret_ours && lease.until_ms > px_now_ms()) {
        ret->until_ms = lease.until_ms;
        return px_fail(err, PX_CLAIMED, "somebody else works on %.200s now", claim->image_id);
    }
    char theirs[33], ours[33];
    px_sequencer_pad(record.sequencer, theirs);
    px_sequencer_pad(claim->sequencer ? claim->sequencer : theirs, ours);
    *ret = record;
    if (strcmp(theirs, ours) > 0)
        return px_fail(err, PX_SUPERSEDED, "the record of %.200s is of a newer event", claim->image_id);
    return PX_OK;
}

static px_status try_claim(px_aws_ports *ports, const px_claim *claim, const char *owner, const px_record *known, px_arena *scratch,
                           json_t **ret_answer, px_error *err)
{
    const char *condition = !known ? "attribute_not_exists(ImageId)" : known->token ? "#lease.#token = :known" : "attribute_not_exists(#lease.#token) OR #lease.#token = :known";
    PX_AUTO(px_json_free) json_t *body = lease_request(claim, owner, ports->options.ttl_days, condition, known ? known->token : -1);
    return call(ports, "UpdateItem", body, scratch, ret_answer, NULL, err);
}

/* Unlike the owner of any other claim: "ip-10-0-0-1:7:2 5f0c…". */
static const char *owner_of(const px_claim *claim, px_arena *arena)
{
    uint8_t random[8];
    char hex[17];
    px_random(random, sizeof random);
    px_hex(random, sizeof random, hex);
    return px_arena_format(arena, "%s %s", claim->owner, hex);
}

static px_status table_claim(px_table *self, const px_claim *claim, px_arena *arena, px_record *ret, px_error *err)
{
    px_aws_ports *ports = PX_PORTS_OF(self, table);
    PX_AUTO(px_arena_close) px_arena scratch = { 0 };
    const char *owner = owner_of(claim, arena);
    px_record record = px_record_empty();
    bool known = false, ours = false;
    PX_TRY(px_arena_open(CALL_ARENA, &scratch, err));
    record.image_id = px_arena_copy_text(arena, claim->image_id);
    if (!record.image_id || !owner)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a claim");
    for (int swap = 1; !ours; swap++) {
        PX_AUTO(px_json_free) json_t *answer = NULL;
        px_arena_reset(&scratch);
        px_status status = try_claim(ports, claim, owner, known ? &record : NULL, &scratch, &answer, err);
        if (status == PX_OK)
            break;
        const json_t *item = json_object_get(answer, "Item");
        if (status != PX_CONFLICT)
            return status;
        if (swap == SWAPS_MAX || !item)
            return px_fail(err, PX_CLAIMED, "others claim %.200s at the same time", claim->image_id);
        px_record seen = px_record_empty();
        px_status judged = judge(claim, owner, item, arena, &seen, &ours, err);
        if (judged == PX_SUPERSEDED || judged == PX_CLAIMED)
            *ret = seen;
        PX_TRY(judged);
        record = seen;
        known = true;
    }
    *ret = record;
    ret->token += ours ? 0 : 1;
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
        json_object_set_new(item, "ExpiresAt", json_integer(expiry(days)));
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
    PX_AUTO(px_json_free) json_t *answer = NULL, *item = item_of(ports, record);
    PX_TRY(px_arena_open(CALL_ARENA, &scratch, err));
    char *token = px_arena_format(&scratch, "%lld", (long long)record->token);
    PX_AUTO(px_json_free) json_t *body = json_pack("{s:O, s:s, s:{s:s, s:s, s:s}, s:{s:{s:s}, s:{s:s}}, s:s}", "Item", item,
                                                   "ConditionExpression", "#lease.#token = :token AND #lease.#until > :zero",
                                                   "ExpressionAttributeNames", "#lease", "Lease", "#token", "Token", "#until", "Until",
                                                   "ExpressionAttributeValues", ":token", "N", token ? token : "", ":zero", "N", "0",
                                                   "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
    px_status status = call(ports, "PutItem", body, &scratch, &answer, NULL, err);
    if (status == PX_CONFLICT && !json_equal(json_object_get(answer, "Item"), item))
        return px_fail(err, PX_SUPERSEDED, "the claim of %.200s was lost to another run", record->image_id);
    if (status != PX_CONFLICT) /* otherwise it was written, and the answer lost */
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

static bool is_match(const px_record_filter *filter, const px_record *record)
{
    return (filter->status == PX_RECORD_STATUS_COUNT || record->status == filter->status) &&
           (!filter->code || (record->error != PX_OK && strcmp(px_status_code(record->error), filter->code) == 0)) &&
           (!filter->key || px_key_matches(filter->key, record->image_id)) &&
           (!filter->since_ms || record->processed_ms >= filter->since_ms) && (!filter->until_ms || record->processed_ms <= filter->until_ms) &&
           (!filter->after_change || record->processed_ms > filter->after_change);
}

static px_status take_items(struct matches *matches, const json_t *items, px_error *err)
{
    size_t index;
    json_t *item;
    json_array_foreach(items, index, item) {
        px_record record;
        struct lease lease;
        PX_TRY(parse_item(item, matches->arena, &record, &lease, err));
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

/* Where a list is read: a part of the sparse index (the failures of one code), all of it, or all of the table. */
static json_t *list_request(const char *index, const char *code)
{
    if (code)
        return json_pack("{s:s, s:s, s:{s:{s:s}}}", "IndexName", index, "KeyConditionExpression", "Failure = :code", "ExpressionAttributeValues",
                         ":code", "S", code);
    return index ? json_pack("{s:s}", "IndexName", index) : json_object();
}

/* AWS says it for a scan and for a query alike; others (and moto) as ResourceNotFoundException too. */
static bool is_about_index(const char *aws_code)
{
    return strcmp(aws_code, "ValidationException") == 0 || strcmp(aws_code, "ResourceNotFoundException") == 0;
}

static px_status read_all(px_aws_ports *ports, const char *index, const char *code, struct matches *matches, bool *ret_no_index, px_error *err)
{
    PX_AUTO(px_json_free) json_t *start = NULL;
    PX_AUTO(px_arena_close) px_arena scratch = { 0 };
    PX_TRY(px_arena_open(64 << 20, &scratch, err));
    do {
        PX_AUTO(px_json_free) json_t *answer = NULL;
        PX_AUTO(px_json_free) json_t *body = list_request(index, code);
        px_arena_reset(&scratch);
        if (start)
            json_object_set(body, "ExclusiveStartKey", start);
        const char *aws_code = "";
        px_status status = call(ports, code ? "Query" : "Scan", body, &scratch, &answer, &aws_code, err);
        *ret_no_index = index && status != PX_OK && is_about_index(aws_code);
        PX_TRY(status);
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

/* Newest first; changes after a cursor oldest first, so that the next call goes on behind the last. The time a record was
 * processed stands in for a change number: two of the same millisecond that do not come together, and the second is missed. */
static void deliver(struct matches *matches, bool (*each)(void *context, const px_record *record), void *context, int64_t *ret_cursor)
{
    const px_record_filter *filter = matches->filter;
    size_t count = filter->limit > 0 && (size_t)filter->limit < matches->count ? (size_t)filter->limit : matches->count;
    size_t newest = filter->after_change ? matches->count - count : 0;
    if (matches->count)
        qsort(matches->records, matches->count, sizeof *matches->records, by_time);
    if (ret_cursor)
        *ret_cursor = matches->count ? matches->records[newest].processed_ms : filter->after_change;
    for (size_t i = 0; i < count; i++)
        if (!each(context, &matches->records[filter->after_change ? matches->count - 1 - i : i]))
            return;
}

static px_status list_one(px_table *self, const px_record_filter *filter, px_arena *arena, struct matches *matches, px_error *err)
{
    matches->records = malloc(sizeof *matches->records);
    if (!matches->records)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a record");
    px_status status = table_find(self, filter->key, arena, matches->records, err);
    matches->count = status == PX_OK && is_match(filter, matches->records);
    return status == PX_NO_SUCH_KEY ? PX_OK : status;
}

static px_status list_many(px_aws_ports *ports, struct matches *matches, px_error *err)
{
    bool sparse = matches->filter->status == PX_RECORD_FAILED, no_index = false;
    px_status status = read_all(ports, sparse ? index_name : NULL, sparse ? matches->filter->code : NULL, matches, &no_index, err);
    return no_index ? read_all(ports, NULL, NULL, matches, &no_index, err) : status;
}

static px_status table_list(px_table *self, const px_record_filter *filter, bool (*each)(void *context, const px_record *record), void *context,
                            int64_t *ret_cursor, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    struct matches matches = { .filter = filter, .arena = &arena };
    bool is_one = filter->key && *filter->key && filter->key[strlen(filter->key) - 1] != '*';
    PX_TRY(px_arena_open((size_t)1 << 30, &arena, err));
    px_status status = is_one ? list_one(self, filter, &arena, &matches, err) : list_many(PX_PORTS_OF(self, table), &matches, err);
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
