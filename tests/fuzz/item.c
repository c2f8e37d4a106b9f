/* Any bytes as an item of DynamoDB. What becomes a record becomes the same record again; what does not has a message. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* Private to src/aws, and pure: tested from inside. */
#include "aws/attribute.h"
#include "base/utf8.h"
#include "ports/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

static px_arena arena;

static void judge(const px_record *record)
{
    px_record again;
    px_error err = { "" };
    json_t *item = px_record_format(record), *attributes = item ? px_attributes_format(item) : NULL;
    json_t *back = attributes ? px_attributes_parse(attributes) : NULL;
    if (!back || !json_equal(item, back) || px_record_parse(back, &arena, &again, &err) != PX_OK)
        abort();
    json_t *twice = px_record_format(&again);
    if (!json_equal(item, twice))
        abort();
    json_decref(twice);
    json_decref(back);
    json_decref(attributes);
    json_decref(item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    px_record record;
    px_error err = { "" };
    if (!arena.start && px_arena_open(64 << 20, &arena, NULL) != PX_OK)
        abort();
    px_arena_reset(&arena);
    json_t *attributes = json_loadb((const char *)data, count, 0, NULL), *item = attributes ? px_attributes_parse(attributes) : NULL;
    if (item && px_record_parse(item, &arena, &record, &err) == PX_OK)
        judge(&record);
    else if (item && (!*err.message || !px_is_utf8(err.message)))
        abort();
    json_decref(item);
    json_decref(attributes);
    return 0;
}
