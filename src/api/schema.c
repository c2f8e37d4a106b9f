/* The fields of bodies and answers, and what a request's have to be like. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/inside.h"
#include "base/utf8.h"

/* Texts that came from outside and end in a key, or look for one: anything but NUL, which no key can hold. */
#define NO_NUL "^[^\\u0000]+$"
#define FIELDS(...) .fields = (const px_api_field[]) { __VA_ARGS__, { 0 } }

const px_api_schema px_api_schemas[] = {
    { "UploadRequest", "A picture that is to be uploaded.", FIELDS(
        { "type", PX_API_MEDIA, true, .meaning = "The Content-Type that the upload will have." },
        { "bytes", PX_API_NUMBER, true, .min = 1, .meaning = "The exact size of the upload." },
        { "filename", PX_API_TEXT, .min = 1, .max = 255, .pattern = NO_NUL, .meaning = "Becomes the end of the key, with '-' for what is neither letter, digit, '.', '_' nor '-'." },
        { "key", PX_API_TEXT, .min = 1, .max = 256, .pattern = NO_NUL, .meaning = "The whole key, under the upload prefix, instead of one that is chosen here." },
        { "replace", PX_API_FLAG, .meaning = "May an object of that key be replaced? Otherwise the address works only where there is none, so only once." }), .is_request = true },
    { "Upload", "One request that stores the picture: send it with exactly these headers and the picture as its body.", FIELDS(
        { "imageId", PX_API_TEXT, true, .meaning = "What to ask for afterwards." },
        { "bucket", PX_API_TEXT, true, .meaning = "Where it will lie." },
        { "key", PX_API_TEXT, true, .meaning = "Likewise." },
        { "method", PX_API_TEXT, true, .meaning = "PUT." },
        { "url", PX_API_TEXT, true, .meaning = "The signed address; whoever has it may use it." },
        { "headers", PX_API_MAP, true, .meaning = "What the signature binds. A browser sends Content-Length by itself." },
        { "expiresAt", PX_API_TIME, true, .meaning = "Until when the address works." }) },
    { "Image", "The record of an image.", FIELDS(
        { "ImageId", PX_API_TEXT, true, .meaning = "BUCKET/KEY of the original." },
        { "Status", PX_API_STATE, true, .meaning = "queued: it is there, and nothing is known of it yet." },
        { "Filename", PX_API_TEXT, .meaning = "The key's last part." },
        { "Format", PX_API_TEXT, .meaning = "As its bytes say." },
        { "Width", PX_API_NUMBER, .meaning = "As people see it; 0: not known." },
        { "Height", PX_API_NUMBER, .meaning = "Likewise." },
        { "Bytes", PX_API_NUMBER, .meaning = "Of the original." },
        { "ETag", PX_API_TEXT, .meaning = "Of the original." },
        { "VersionId", PX_API_TEXT, .meaning = "Of the original; empty in a bucket without versions." },
        { "Placeholder", PX_API_TEXT, .meaning = "Its ThumbHash, base 64." },
        { "Colour", PX_API_TEXT, .meaning = "The dominant one, #rrggbb." },
        { "Sequencer", PX_API_TEXT, .meaning = "The order of the original's events." },
        { "Lease", PX_API_OBJECT, .schema = "Lease", .meaning = "Who works on it." },
        { "Outputs", PX_API_LIST, .schema = "Output", .meaning = "What was made of it." },
        { "Attempts", PX_API_NUMBER, .meaning = "Tries so far." },
        { "Milliseconds", PX_API_NUMBER, .meaning = "Of the last." },
        { "TraceId", PX_API_TEXT, .meaning = "Joins log lines, record and outputs." },
        { "ProcessedAt", PX_API_TIME, .meaning = "When it came into this state; empty: not yet." },
        { "Truncated", PX_API_FLAG, .meaning = "It ended early, and the outputs have what is there." },
        { "Error", PX_API_OBJECT, .schema = "Failure", .meaning = "Why it failed, was skipped or waits for another try." }) },
    { "Output", "A picture that was made of an image.", FIELDS(
        { "Id", PX_API_TEXT, true, .meaning = "The recipe's name for it." },
        { "Bucket", PX_API_TEXT, true, .meaning = "Where it lies." },
        { "Key", PX_API_TEXT, true, .meaning = "Likewise." },
        { "Format", PX_API_TEXT, .meaning = "Of the output." },
        { "Width", PX_API_NUMBER, .meaning = "In pixels." },
        { "Height", PX_API_NUMBER, .meaning = "In pixels." },
        { "Bytes", PX_API_NUMBER, .meaning = "Its size." },
        { "ETag", PX_API_TEXT, .meaning = "Of the object." },
        { "Quality", PX_API_NUMBER, .meaning = "1 to 100; 0: the format has none." },
        { "Recipe", PX_API_TEXT, .meaning = "The fingerprint of the options that it was made with." },
        { "Reason", PX_API_TEXT, .meaning = "Why this format and quality, where the recipe left that open." }) },
    { "Lease", "Who works on an image.", FIELDS({ "Token", PX_API_NUMBER, .meaning = "Grows with each run." }) },
    { "Failure", "What went wrong with an image.", FIELDS(
        { "Code", PX_API_CODE, true, .meaning = "For programs." },
        { "Message", PX_API_TEXT, true, .meaning = "For people." },
        { "Transient", PX_API_FLAG, true, .meaning = "May another try go well?" }) },
    { "ImagePage", "Images in the byte order of their keys.", FIELDS(
        { "images", PX_API_LIST, true, .schema = "ListedImage", .meaning = "At most as many as were asked for." },
        { "next", PX_API_TEXT, .meaning = "What to ask `after` for the next page; absent on the last one." }) },
    { "ListedImage", "An original that is there.", FIELDS(
        { "ImageId", PX_API_TEXT, true, .meaning = "BUCKET/KEY." },
        { "Bytes", PX_API_NUMBER, true, .meaning = "Its size." },
        { "ETag", PX_API_TEXT, true, .meaning = "Of the object." },
        { "ModifiedAt", PX_API_TIME, true, .meaning = "When it was uploaded." },
        { "Status", PX_API_STATE, .meaning = "Of its record; absent where there is no table." }) },
    { "Problem", "Why there is no better answer.", FIELDS(
        { "code", PX_API_CODE, true, .meaning = "For programs; docs/errors.md has them all." },
        { "message", PX_API_TEXT, true, .meaning = "For people." },
        { "traceId", PX_API_TEXT, true, .meaning = "Finds the request in the log." }) },
    { 0 },
};

const px_api_schema *px_api_schema_find(const char *name)
{
    const px_api_schema *schema = px_api_schemas;
    while (schema->name && strcmp(schema->name, name) != 0)
        schema++;
    return schema->name ? schema : NULL;
}

uint64_t px_api_bytes(const px_config *config)
{
    return config->api.bytes < config->limits.input_bytes ? config->api.bytes : config->limits.input_bytes;
}

px_format px_api_format_of(const char *type)
{
    int format = PX_FORMAT_KEEP + 1;
    while (format < PX_FORMAT_COUNT && strcmp(type, px_format_media_type((px_format)format)) != 0)
        format++;
    return (px_format)format;
}

static const px_api_field *find_field(const px_api_field *fields, const char *name)
{
    while (fields->name && strcmp(fields->name, name) != 0)
        fields++;
    return fields->name ? fields : NULL;
}

/* In characters, as a schema counts. Of UTF-8. */
static int64_t count_characters(const char *text)
{
    int64_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static px_status judge_text(const px_api_field *field, const char *text, px_error *err)
{
    int64_t count = count_characters(text);
    if (field->max && (count < field->min || count > field->max))
        return px_fail(err, PX_BAD_REQUEST, "%s has %lld characters; it may have %lld to %lld", field->name, (long long)count, (long long)field->min,
                       (long long)field->max);
    return PX_OK;
}

static px_status judge_media(const px_api_field *field, const char *type, px_error *err)
{
    if (px_api_format_of(type) != PX_FORMAT_COUNT)
        return PX_OK;
    char known[256] = "";
    for (int format = PX_FORMAT_KEEP + 1; format < PX_FORMAT_COUNT; format++) {
        strncat(known, *known ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, px_format_media_type((px_format)format), sizeof known - strlen(known) - 1);
    }
    return px_fail(err, PX_UNSUPPORTED_FORMAT, "%s '%.60s' is none that pixmill reads: it wants %s", field->name, type, known);
}

/* 5.0 is an integer to JSON Schema. */
static bool whole_number(const json_t *value, int64_t *ret)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || (json_is_real(value) && (number != floor(number) || fabs(number) > 9e15)))
        return false;
    *ret = json_is_real(value) ? (int64_t)number : json_integer_value(value);
    return true;
}

static px_status judge_value(const px_config *config, const px_api_field *field, const json_t *value, px_error *err)
{
    int64_t number = 0;
    switch (field->kind) {
    case PX_API_NUMBER:
        if (!whole_number(value, &number))
            return px_fail(err, PX_BAD_REQUEST, "%s wants a whole number", field->name);
        if (number < field->min)
            return px_fail(err, PX_BAD_REQUEST, "%s is at least %lld", field->name, (long long)field->min);
        if ((uint64_t)number > px_api_bytes(config)) /* the one number that a body has */
            return px_fail(err, PX_TOO_MANY_BYTES, "%s is at most %llu (api.bytes, limits.input_bytes)", field->name,
                           (unsigned long long)px_api_bytes(config));
        return PX_OK;
    case PX_API_FLAG:
        return json_is_boolean(value) ? PX_OK : px_fail(err, PX_BAD_REQUEST, "%s wants true or false", field->name);
    default:
        if (!json_is_string(value))
            return px_fail(err, PX_BAD_REQUEST, "%s wants a text", field->name);
        return field->kind == PX_API_MEDIA ? judge_media(field, json_string_value(value), err) : judge_text(field, json_string_value(value), err);
    }
}

px_status px_api_judge_body(const px_config *config, const px_api_schema *schema, const json_t *body, px_error *err)
{
    const char *name;
    json_t *value;
    if (!json_is_object(body))
        return px_fail(err, PX_BAD_REQUEST, "the body wants to be a JSON object");
    for (const px_api_field *field = schema->fields; field->name; field++)
        if (field->required && !json_object_get(body, field->name))
            return px_fail(err, PX_BAD_REQUEST, "%s is missing", field->name);
    json_object_foreach((json_t *)(uintptr_t)body, name, value) {
        const px_api_field *field = find_field(schema->fields, name);
        if (!field)
            return px_fail(err, PX_BAD_REQUEST, "there is no field '%.60s'; the address of the API's description is openapi.json", name);
        PX_TRY(judge_value(config, field, value, err));
    }
    return PX_OK;
}

static px_status judge_query(const px_api_field *field, const char *value, px_error *err)
{
    char *end;
    if (field->kind == PX_API_TEXT)
        return judge_text(field, value, err);
    long long number = strtoll(value, &end, 10);
    if (!*value || strspn(value, "0123456789") != strlen(value) || strlen(value) > 18 || number < field->min || number > field->max)
        return px_fail(err, PX_BAD_REQUEST, "%s wants a number from %lld to %lld", field->name, (long long)field->min, (long long)field->max);
    return PX_OK;
}

px_status px_api_judge_queries(const px_api_field *fields, const px_query *queries, int count, px_error *err)
{
    for (const px_api_field *field = fields; field->name; field++)
        if (field->required && !px_query_find(queries, count, field->name))
            return px_fail(err, PX_BAD_REQUEST, "the query %s is missing", field->name);
    for (int i = 0; i < count; i++) {
        const px_api_field *field = find_field(fields, queries[i].name);
        if (strncmp(queries[i].name, "X-Amz-", 6) == 0)
            continue; /* a presigned request's own */
        if (!field)
            return px_fail(err, PX_BAD_REQUEST, "there is no query '%.60s' here", queries[i].name);
        if (!px_is_utf8(queries[i].value))
            return px_fail(err, PX_BAD_REQUEST, "the query %s is not UTF-8", field->name);
        if (px_query_find(queries, i, field->name))
            return px_fail(err, PX_BAD_REQUEST, "the query %s comes twice", field->name);
        PX_TRY(judge_query(field, queries[i].value, err));
    }
    return PX_OK;
}
