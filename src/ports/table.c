/* The record as JSON, in the spelling of DESIGN.md section 6: what DynamoDB, SQLite, the API and `records --json` share.
 *
 * Parsing is lenient about what is absent (an older pixmill wrote it) and strict about what is there with the
 * wrong type. Texts that are not UTF-8 (they come from strangers' keys) are written as "". */
#include "ports/table.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"

static const char *const status_names[PX_RECORD_STATUS_COUNT] = {
    [PX_RECORD_QUEUED] = "queued", [PX_RECORD_PROCESSING] = "processing", [PX_RECORD_DONE] = "done",
    [PX_RECORD_FAILED] = "failed", [PX_RECORD_SKIPPED] = "skipped",       [PX_RECORD_DELETED] = "deleted",
};

const char *px_record_status_name(px_record_status status)
{
    return status < PX_RECORD_STATUS_COUNT ? status_names[status] : "";
}

px_record_status px_record_status_find(const char *name)
{
    for (int i = 0; i < PX_RECORD_STATUS_COUNT; i++)
        if (strcmp(name, status_names[i]) == 0)
            return (px_record_status)i;
    return PX_RECORD_STATUS_COUNT;
}

bool px_key_matches(const char *pattern, const char *image_id)
{
    size_t count = strlen(pattern);
    return count && pattern[count - 1] == '*' ? strncmp(pattern, image_id, count - 1) == 0 : strcmp(pattern, image_id) == 0;
}

px_record px_record_empty(void)
{
    return (px_record){ .image_id = "", .filename = "", .format = "", .etag = "", .version_id = "", .sequencer = "", .placeholder = "", .colour = "",
                        .status = PX_RECORD_QUEUED, .error = PX_OK, .error_message = "", .trace_id = "" };
}

static json_t *text(const char *value)
{
    json_t *string = json_string(value ? value : "");
    return string ? string : json_string("");
}

static json_t *number(int64_t value) { return json_integer((json_int_t)value); }

static json_t *output_format(const px_record_output *output)
{
    json_t *item = json_pack("{s:o, s:o, s:o, s:o, s:i, s:i, s:o, s:o, s:i, s:o}", "Id", text(output->id), "Bucket",
                     text(output->bucket), "Key", text(output->key), "Format", text(output->format), "Width",
                     output->width, "Height", output->height, "Bytes", number((int64_t)output->bytes), "ETag",
                     text(output->etag), "Quality", output->quality, "Recipe", text(output->recipe));
    if (item && output->reason && *output->reason && json_object_set_new(item, "Reason", text(output->reason)) != 0) {
        json_decref(item);
        return NULL;
    }
    return item;
}

json_t *px_record_format(const px_record *record)
{
    char time[PX_TIME_TEXT] = "";
    json_t *outputs = json_array();

    for (size_t i = 0; outputs && i < record->output_count; i++)
        if (json_array_append_new(outputs, output_format(&record->outputs[i])) != 0) {
            json_decref(outputs);
            outputs = NULL;
        }
    if (record->processed_ms)
        px_time_format(record->processed_ms, time);
    json_t *item = json_pack("{s:o, s:o, s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:{s:o}, s:o, s:i, s:o, s:o, s:s}",
                             "ImageId", text(record->image_id), "Filename", text(record->filename), "Format",
                             text(record->format), "Width", record->width, "Height", record->height, "Bytes",
                             number((int64_t)record->bytes), "ETag", text(record->etag), "VersionId",
                             text(record->version_id), "Placeholder", text(record->placeholder), "Colour", text(record->colour), "Sequencer", text(record->sequencer), "Status",
                             px_record_status_name(record->status), "Lease", "Token", number(record->token),
                             "Outputs", outputs, "Attempts", record->attempts, "Milliseconds",
                             number(record->milliseconds), "TraceId", text(record->trace_id), "ProcessedAt", time);
    if (item && record->truncated && json_object_set_new(item, "Truncated", json_true()) != 0) {
        json_decref(item);
        return NULL;
    }
    if (item && record->error != PX_OK) {
        json_t *error = json_pack("{s:s, s:o, s:b}", "Code", px_status_code(record->error), "Message",
                                  text(record->error_message), "Transient", px_status_is_transient(record->error));
        if (json_object_set_new(item, "Error", error) != 0) {
            json_decref(item);
            return NULL;
        }
    }
    return item;
}

/* Reads the members of one object, and remembers what went wrong first. */
struct reader {
    const json_t *object;
    px_arena *arena;
    px_status status;
    px_error *err;
};

static const char *read_text(struct reader *reader, const char *name)
{
    const json_t *value = json_object_get(reader->object, name);

    if (!value || json_is_null(value))
        return "";
    if (!json_is_string(value)) {
        if (reader->status == PX_OK)
            reader->status = px_fail(reader->err, PX_BAD_REQUEST, "the record's %s is not a text", name);
        return "";
    }
    const char *copy = px_arena_copy_text(reader->arena, json_string_value(value));
    if (!copy && reader->status == PX_OK)
        reader->status = px_fail(reader->err, PX_OUT_OF_MEMORY, "no memory for a record");
    return copy ? copy : "";
}

static int64_t read_number(struct reader *reader, const char *name, int64_t maximum)
{
    const json_t *value = json_object_get(reader->object, name);

    if (!value || json_is_null(value))
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > maximum) {
        if (reader->status == PX_OK)
            reader->status = px_fail(reader->err, PX_BAD_REQUEST, "the record's %s is not a number it can have", name);
        return 0;
    }
    return json_integer_value(value);
}

static px_record_output read_output(struct reader *reader)
{
    return (px_record_output){
        .id = read_text(reader, "Id"), .bucket = read_text(reader, "Bucket"), .key = read_text(reader, "Key"),
        .format = read_text(reader, "Format"), .etag = read_text(reader, "ETag"), .recipe = read_text(reader, "Recipe"),
        .reason = read_text(reader, "Reason"),
        .width = (int)read_number(reader, "Width", INT_MAX), .height = (int)read_number(reader, "Height", INT_MAX),
        .quality = (int)read_number(reader, "Quality", INT_MAX),
        .bytes = (uint64_t)read_number(reader, "Bytes", INT64_MAX),
    };
}

px_status px_record_parse(const json_t *item, px_arena *arena, px_record *ret, px_error *err)
{
    struct reader reader = { item, arena, PX_OK, err };
    px_record record = px_record_empty();

    if (!json_is_object(item))
        return px_fail(err, PX_BAD_REQUEST, "a record is a JSON object");
    record.image_id = read_text(&reader, "ImageId");
    record.filename = read_text(&reader, "Filename");
    record.format = read_text(&reader, "Format");
    record.width = (int)read_number(&reader, "Width", INT_MAX);
    record.height = (int)read_number(&reader, "Height", INT_MAX);
    record.bytes = (uint64_t)read_number(&reader, "Bytes", INT64_MAX);
    record.truncated = json_is_true(json_object_get(item, "Truncated"));
    record.etag = read_text(&reader, "ETag");
    record.version_id = read_text(&reader, "VersionId");
    record.placeholder = read_text(&reader, "Placeholder");
    record.colour = read_text(&reader, "Colour");
    record.sequencer = read_text(&reader, "Sequencer");
    record.attempts = (int)read_number(&reader, "Attempts", INT_MAX);
    record.milliseconds = read_number(&reader, "Milliseconds", INT64_MAX);
    record.trace_id = read_text(&reader, "TraceId");
    const char *time = read_text(&reader, "ProcessedAt");
    if (*time && !px_time_parse(time, &record.processed_ms) && reader.status == PX_OK)
        reader.status = px_fail(err, PX_BAD_REQUEST, "the record's ProcessedAt is not a time");
    record.status = px_record_status_find(read_text(&reader, "Status"));
    if (record.status == PX_RECORD_STATUS_COUNT && reader.status == PX_OK)
        reader.status = px_fail(err, PX_BAD_REQUEST, "the record's Status is none that pixmill knows");

    reader.object = json_object_get(item, "Lease");
    record.token = read_number(&reader, "Token", INT64_MAX);
    reader.object = json_object_get(item, "Error");
    if (json_is_object(reader.object)) {
        record.error = px_status_find(read_text(&reader, "Code"));
        if (record.error == PX_STATUS_COUNT)
            record.error = PX_INTERNAL; /* a newer pixmill's code */
        record.error_message = read_text(&reader, "Message");
    }

    const json_t *outputs = json_object_get(item, "Outputs");
    size_t count = json_array_size(outputs); /* 0 if it is no array */
    px_record_output *list = px_new(arena, px_record_output, count ? count : 1);
    if (!list)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a record");
    for (size_t i = 0; i < count; i++) {
        reader.object = json_array_get(outputs, i);
        list[i] = read_output(&reader);
    }
    record.outputs = list;
    record.output_count = count;
    PX_TRY(reader.status);
    *ret = record;
    return PX_OK;
}
