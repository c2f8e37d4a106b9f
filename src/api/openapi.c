/* OpenAPI 3.0.3 from the route table and the fields. 3.0.3, and of that only what Amazon API Gateway takes (API Gateway developer guide,
 * "Amazon API Gateway important notes for REST APIs"): no 3.1, no `default` answers, no `nullable`.
 *
 * JSON is built without a check at each step; a NULL that is set into an object makes that fail, and `whole` remembers it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/inside.h"

struct writer {
    const px_config *config;
    const px_api_openapi *options;
    bool whole;
};

static void set(struct writer *writer, json_t *object, const char *name, json_t *value)
{
    writer->whole &= json_object_set_new(object, name, value) == 0;
}

static void add(struct writer *writer, json_t *list, json_t *value) { writer->whole &= json_array_append_new(list, value) == 0; }

static json_t *reference(const char *schema) { return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", schema)); }

/* ---- fields ---- */

static json_t *choices(struct writer *writer, px_api_kind kind)
{
    json_t *list = json_array();
    if (kind == PX_API_MEDIA)
        for (int format = PX_FORMAT_KEEP + 1; format < PX_FORMAT_COUNT; format++)
            add(writer, list, json_string(px_format_media_type((px_format)format)));
    else
        for (int state = 0; state < PX_RECORD_STATUS_COUNT; state++)
            add(writer, list, json_string(px_record_status_name((px_record_status)state)));
    return json_pack("{s:s, s:o}", "type", "string", "enum", list);
}

static json_t *text_type(struct writer *writer, const px_api_field *field)
{
    json_t *type = json_pack("{s:s}", "type", "string");
    if (field->max) {
        set(writer, type, "minLength", json_integer(field->min));
        set(writer, type, "maxLength", json_integer(field->max));
    }
    if (field->pattern)
        set(writer, type, "pattern", json_string(field->pattern));
    return type;
}

static json_t *number_type(struct writer *writer, const px_api_field *field, bool is_request)
{
    json_t *type = json_pack("{s:s, s:s, s:I}", "type", "integer", "format", "int64", "minimum", (json_int_t)field->min);
    json_int_t most = field->max ? field->max : is_request ? (json_int_t)px_api_bytes(writer->config) : 0;
    if (most)
        set(writer, type, "maximum", json_integer(most));
    return type;
}

static json_t *type_of(struct writer *writer, const px_api_field *field, bool is_request)
{
    switch (field->kind) {
    case PX_API_NUMBER: return number_type(writer, field, is_request);
    case PX_API_FLAG: return json_pack("{s:s}", "type", "boolean");
    case PX_API_MEDIA:
    case PX_API_STATE: return choices(writer, field->kind);
    case PX_API_OBJECT: return reference(field->schema);
    case PX_API_LIST: return json_pack("{s:s, s:o}", "type", "array", "items", reference(field->schema));
    case PX_API_MAP: return json_pack("{s:s, s:{s:s}}", "type", "object", "additionalProperties", "type", "string");
    default: return text_type(writer, field);
    }
}

static json_t *describe_schema(struct writer *writer, const px_api_schema *schema)
{
    json_t *properties = json_object(), *required = json_array();
    for (const px_api_field *field = schema->fields; field->name; field++) {
        json_t *type = type_of(writer, field, schema->is_request);
        if (field->kind != PX_API_OBJECT) /* beside a $ref nothing counts */
            set(writer, type, "description", json_string(field->meaning));
        set(writer, properties, field->name, type);
        if (field->required)
            add(writer, required, json_string(field->name));
    }
    json_t *described = json_pack("{s:s, s:s, s:o}", "type", "object", "description", schema->meaning, "properties", properties);
    if (json_array_size(required))
        set(writer, described, "required", required);
    else
        json_decref(required);
    if (schema->is_request)
        set(writer, described, "additionalProperties", json_false());
    return described;
}

/* ---- routes ---- */

static json_t *describe_queries(struct writer *writer, const px_api_field *fields)
{
    json_t *list = json_array();
    for (const px_api_field *field = fields; field->name; field++)
        add(writer, list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", field->name, "in", "query", "required", field->required, "description",
                                    field->meaning, "schema", type_of(writer, field, false)));
    return list;
}

static json_t *json_content(json_t *schema) { return json_pack("{s:{s:o}}", "application/json", "schema", schema); }

/* One answer for each HTTP status, which names all codes that have it. */
static void describe_codes(struct writer *writer, json_t *answers, const px_status *codes)
{
    for (; *codes != PX_OK; codes++) {
        char http[8];
        snprintf(http, sizeof http, "%d", px_status_http(*codes));
        json_t *known = json_object_get(answers, http);
        const char *before = json_string_value(json_object_get(known, "description"));
        json_t *text = json_sprintf("%s%s`%s`: %s", before ? before : "", before ? " " : "", px_status_code(*codes), px_status_meaning(*codes));
        if (known)
            set(writer, known, "description", text);
        else
            set(writer, answers, http, json_pack("{s:o, s:o}", "description", text, "content", json_content(reference("Problem"))));
    }
}

static json_t *describe_answers(struct writer *writer, const px_api_route *route)
{
    char http[8];
    json_t *answers = json_object();
    snprintf(http, sizeof http, "%d", route->http);
    json_t *good = json_pack("{s:s}", "description", route->summary);
    if (route->answer)
        set(writer, good, "content", json_content(*route->answer ? reference(route->answer) : json_pack("{s:s}", "type", "object")));
    set(writer, answers, http, good);
    describe_codes(writer, answers, route->codes);
    describe_codes(writer, answers, px_api_common_codes);
    return answers;
}

/* ---- Amazon API Gateway's dialect ---- */

/* The function is called by its ARN, in the region that stands in there. */
static json_t *function_address(struct writer *writer)
{
    const char *arn = writer->options->function;
    if (!arn)
        return json_pack("{s:s}", "Fn::Sub", "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${ApiFunction.Arn}/invocations");
    const char *fields[4] = { "", "", "", "" };
    int counts[4] = { 0 };
    for (int i = 0; i < 4; i++) { /* arn:aws:lambda:eu-west-1:… */
        fields[i] = arn;
        counts[i] = (int)strcspn(arn, ":");
        arn += counts[i] + (arn[counts[i]] == ':');
    }
    return json_sprintf("arn:%.*s:apigateway:%.*s:lambda:path/2015-03-31/functions/%s/invocations", counts[1], fields[1], counts[3], fields[3],
                        writer->options->function);
}

static json_t *integration(struct writer *writer)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:o}", "type", "aws_proxy", "httpMethod", "POST", "payloadFormatVersion", "1.0", "passthroughBehavior",
                     "when_no_match", "timeoutInMillis", 29000, "uri", function_address(writer));
}

/* A browser's question before its request carries no signature. */
static json_t *preflight(struct writer *writer)
{
    json_t *described = json_pack("{s:s, s:[], s:{s:{s:s}, s:{s:s}}}", "summary", "What a browser asks first (CORS)", "security", "responses", "204",
                                  "description", "This page may", "403", "description", "No page of this origin may");
    set(writer, described, "x-amazon-apigateway-integration", integration(writer));
    return described;
}

/* The gateway's own refusals, in the API's words. */
static void set_gateway_answers(struct writer *writer, json_t *document)
{
    static const struct {
        const char *kind, *code;
    } kinds[] = { { "DEFAULT_4XX", "bad-request" }, { "ACCESS_DENIED", "access-denied" }, { "UNAUTHORIZED", "unauthenticated" },
                  { "MISSING_AUTHENTICATION_TOKEN", "access-denied" }, { "INVALID_SIGNATURE", "access-denied" }, { "EXPIRED_TOKEN", "expired-token" },
                  { "INVALID_API_KEY", "access-denied" }, { "WAF_FILTERED", "access-denied" }, { "THROTTLED", "throttled" },
                  { "QUOTA_EXCEEDED", "throttled" }, { "REQUEST_TOO_LARGE", "too-many-bytes" }, { "DEFAULT_5XX", "internal" } };
    json_t *answers = json_object();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        set(writer, answers, kinds[i].kind,
            json_pack("{s:{s:o}}", "responseTemplates", "application/json",
                      json_sprintf("{\"code\":\"%s\",\"message\":$context.error.messageString,\"traceId\":\"$context.requestId\"}", kinds[i].code)));
    set(writer, document, "x-amazon-apigateway-gateway-responses", answers);
}

/* ---- the whole ---- */

static json_t *describe_route(struct writer *writer, const px_api_route *route)
{
    json_t *described = json_pack("{s:s, s:s, s:s, s:o, s:o, s:[{s:[]}]}", "operationId", route->id, "summary", route->summary, "description",
                                  route->meaning, "parameters", describe_queries(writer, route->queries), "responses", describe_answers(writer, route),
                                  "security", "sigv4");
    if (route->body)
        set(writer, described, "requestBody", json_pack("{s:b, s:o}", "required", 1, "content", json_content(reference(route->body))));
    if (writer->options->gateway)
        set(writer, described, "x-amazon-apigateway-integration", integration(writer));
    return described;
}

static json_t *describe_paths(struct writer *writer)
{
    json_t *paths = json_object();
    for (const px_api_route *route = px_api_routes; route->path; route++) {
        char method[16] = "";
        for (size_t i = 0; route->method[i] && i + 1 < sizeof method; i++)
            method[i] = (char)(route->method[i] + 32);
        if (!json_object_get(paths, route->path)) {
            set(writer, paths, route->path, json_object());
            if (writer->options->gateway)
                set(writer, json_object_get(paths, route->path), "options", preflight(writer));
        }
        set(writer, json_object_get(paths, route->path), method, describe_route(writer, route));
    }
    return paths;
}

static json_t *describe(struct writer *writer)
{
    json_t *schemas = json_object();
    for (const px_api_schema *schema = px_api_schemas; schema->name; schema++)
        set(writer, schemas, schema->name, describe_schema(writer, schema));
    json_t *signature = json_pack("{s:s, s:s, s:s, s:s}", "type", "apiKey", "name", "Authorization", "in", "header", "description",
                                  "AWS Signature Version 4, in the header or the query.");
    if (writer->options->gateway)
        set(writer, signature, "x-amazon-apigateway-authtype", json_string("awsSigv4"));
    json_t *document = json_pack("{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}}", "openapi", "3.0.3", "info", "title", "pixmill uploads", "description",
                                 "Ask where to upload pictures, what became of them, which there are; delete them.", "version", writer->options->version,
                                 "license", "name", "Apache-2.0", "url", "https://www.apache.org/licenses/LICENSE-2.0");
    if (writer->options->gateway)
        set_gateway_answers(writer, document);
    else
        set(writer, document, "servers", json_pack("[{s:s}]", "url", *writer->options->root ? writer->options->root : "/"));
    set(writer, document, "paths", describe_paths(writer));
    set(writer, document, "components", json_pack("{s:o, s:{s:o}}", "schemas", schemas, "securitySchemes", "sigv4", signature));
    return document;
}

px_status px_api_describe(const px_config *config, const px_api_openapi *options, px_arena *arena, const char **ret, px_error *err)
{
    struct writer writer = { .config = config, .options = options, .whole = true };
    json_t *document = describe(&writer);
    char *text = writer.whole && document ? json_dumps(document, JSON_INDENT(1)) : NULL;
    const char *copy = px_arena_copy_text(arena, text);
    free(text);
    json_decref(document);
    if (!copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the API's description");
    *ret = copy;
    return PX_OK;
}

px_status px_api_get_openapi(px_api_call *call, px_error *err)
{
    px_api_openapi options = { .version = call->api->version, .root = call->request->root };
    return px_api_describe(call->api->config, &options, call->arena, &call->text, err);
}
