/* The upload API without a transport: what its answers rest on, how it fails, and that its description holds.
 *
 * What each request is answered stands in tests/e2e/test_api.py, for every transport. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "api/api.h"
#include "base/utf8.h"
#include "test.h"

/* A store and a table that know one image, or fail. */
static px_status store_fails, table_fails, presign_fails;
static px_arena arena;
static px_config config;
static char signed_headers[256], signed_key[PX_LIMIT_KEY_BYTES + 1];

static px_status list(px_store *self, const char *bucket, const char *prefix, const char *after, px_arena *into, px_object **ret, size_t *ret_count,
                      bool *ret_more, px_error *err)
{
    (void)self, (void)after;
    if (store_fails != PX_OK)
        return px_fail(err, store_fails, "the store fails");
    assert_string_equal(bucket, "source");
    px_object *object = px_new(into, px_object, 1);
    if (!object)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory");
    *object = (px_object){ .bucket = "source", .key = "in/uploads/a.jpg", .bytes = 7, .etag = "e" };
    *ret = object;
    *ret_count = strncmp(object->key, prefix, strlen(prefix)) == 0;
    *ret_more = false;
    return PX_OK;
}

static px_status find(px_table *self, const char *image_id, px_arena *into, px_record *ret, px_error *err)
{
    (void)self, (void)into;
    if (table_fails != PX_OK)
        return px_fail(err, table_fails, "the table fails");
    *ret = px_record_empty();
    ret->image_id = image_id;
    ret->status = PX_RECORD_DONE;
    return PX_OK;
}

static px_status presign(void *context, const px_api_put *put, px_arena *into, const char **ret_url, int64_t *ret_until_ms, px_error *err)
{
    (void)context;
    if (presign_fails != PX_OK)
        return px_fail(err, presign_fails, "nobody signs");
    *signed_headers = '\0';
    for (int i = 0; i < put->header_count; i++) {
        strcat(signed_headers, put->headers[i].name);
        strcat(signed_headers, "=");
        strcat(signed_headers, put->headers[i].value);
        strcat(signed_headers, ";");
    }
    strcpy(signed_key, put->key);
    *ret_url = px_arena_copy_text(into, "https://example.com/?signed");
    if (!*ret_url)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory");
    *ret_until_ms = 1000 * put->seconds;
    return PX_OK;
}

static px_store store = { .name = "one", .list = list };
static px_table table = { .name = "one", .find = find };
static px_api api = { .config = &config, .store = &store, .table = &table, .version = "1", .presign = presign };

static int setup(void **state)
{
    (void)state;
    store_fails = table_fails = presign_fails = PX_OK;
    config = (px_config){ .source = "source", .source_prefix = "in/", .limits = PX_LIMITS_DEFAULT,
                          .api = { .prefix = "uploads/", .origins = "", .bytes = 1000, .seconds = 60 } };
    api.table = &table;
    px_arena_close(&arena);
    return px_arena_open(8 << 20, &arena, NULL) == PX_OK ? 0 : -1;
}

static px_api_response ask(const char *method, const char *path, const char *id, const char *body)
{
    px_query queries[] = { { "id", id } };
    px_api_request request = { .method = method, .path = path, .root = "/_/api", .queries = queries, .query_count = id != NULL,
                               .content_type = body ? "application/json" : "", .origin = "", .body = px_bytes_of(body), .trace_id = "trace" };
    px_api_response response;
    px_api_handle(&api, &request, &arena, &response);
    return response;
}

static void assert_problem(px_api_response response, px_status status)
{
    json_t *problem = json_loads(response.body, 0, NULL);
    assert_int_equal(response.http, px_status_http(status));
    assert_int_equal(response.status, status);
    assert_string_equal(json_string_value(json_object_get(problem, "code")), px_status_code(status));
    assert_string_equal(json_string_value(json_object_get(problem, "traceId")), "trace");
    json_decref(problem);
}

/* ---- uploads ---- */

static void an_address_binds_type_size_and_that_nothing_is_there(void **state)
{
    (void)state;
    assert_int_equal(ask("POST", "/uploads", NULL, "{\"type\":\"image/png\",\"bytes\":12}").http, 201);
    assert_string_equal(signed_headers, "content-type=image/png;content-length=12;if-none-match=*;");
    assert_int_equal(ask("POST", "/uploads", NULL, "{\"type\":\"image/png\",\"bytes\":12,\"replace\":true}").http, 201);
    assert_string_equal(signed_headers, "content-type=image/png;content-length=12;");
}

static void a_chosen_key_is_under_the_prefix_and_new_each_time(void **state)
{
    (void)state;
    char first[sizeof signed_key];
    ask("POST", "/uploads", NULL, "{\"type\":\"image/png\",\"bytes\":12,\"filename\":\"x.png\"}");
    strcpy(first, signed_key);
    assert_int_equal(strncmp(first, "in/uploads/", 11), 0);
    ask("POST", "/uploads", NULL, "{\"type\":\"image/png\",\"bytes\":12,\"filename\":\"x.png\"}");
    assert_string_not_equal(first, signed_key);
}

static void a_long_name_keeps_its_end(void **state)
{
    (void)state;
    char body[400], name[256];
    memset(name, 'n', sizeof name);
    strcpy(name + 250, ".jpg");
    snprintf(body, sizeof body, "{\"type\":\"image/jpeg\",\"bytes\":1,\"filename\":\"%s\"}", name);
    assert_int_equal(ask("POST", "/uploads", NULL, body).http, 201);
    assert_int_equal(strlen(signed_key), strlen("in/uploads/") + 32 + 1 + 100);
    assert_string_equal(signed_key + strlen(signed_key) - 5, "n.jpg");
}

static void the_smaller_limit_counts(void **state)
{
    (void)state;
    config.limits.input_bytes = 11;
    assert_problem(ask("POST", "/uploads", NULL, "{\"type\":\"image/png\",\"bytes\":12}"), PX_TOO_MANY_BYTES);
    assert_int_equal(ask("POST", "/uploads", NULL, "{\"type\":\"image/png\",\"bytes\":11}").http, 201);
}

static void a_number_that_no_machine_holds_is_refused(void **state)
{
    (void)state;
    static const char *const numbers[] = { "1e300", "9223372036854775808", "-9223372036854775809", "1e-300", "9e15", "0.1", "true", "null" };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char body[80];
        snprintf(body, sizeof body, "{\"type\":\"image/png\",\"bytes\":%s}", numbers[i]);
        int http = ask("POST", "/uploads", NULL, body).http;
        assert_true(http == 400 || http == 413);
    }
}

/* ---- whose fault it is ---- */

static void what_fails_behind_the_api_is_told_in_its_words(void **state)
{
    (void)state;
    presign_fails = PX_NETWORK;
    assert_problem(ask("POST", "/uploads", NULL, "{\"type\":\"image/png\",\"bytes\":12}"), PX_NETWORK);
    table_fails = PX_THROTTLED;
    assert_problem(ask("GET", "/image", "source/in/uploads/a.jpg", NULL), PX_THROTTLED);
    assert_problem(ask("GET", "/images", NULL, NULL), PX_THROTTLED);
    table_fails = PX_NO_SUCH_KEY;
    store_fails = PX_ACCESS_DENIED;
    assert_problem(ask("GET", "/image", "source/in/uploads/a.jpg", NULL), PX_ACCESS_DENIED);
}

static void a_table_that_makes_no_sense_is_not_the_client_s_doing(void **state)
{
    (void)state;
    table_fails = PX_BAD_REQUEST;
    assert_problem(ask("GET", "/image", "source/in/uploads/a.jpg", NULL), PX_INTERNAL);
    assert_problem(ask("GET", "/images", NULL, NULL), PX_INTERNAL);
}

static void without_a_record_an_original_is_queued(void **state)
{
    (void)state;
    table_fails = PX_NO_SUCH_KEY;
    assert_non_null(strstr(ask("GET", "/image", "source/in/uploads/a.jpg", NULL).body, "\"Status\":\"queued\""));
    assert_non_null(strstr(ask("GET", "/images", NULL, NULL).body, "\"Status\":\"queued\""));
    assert_problem(ask("GET", "/image", "source/in/uploads/a", NULL), PX_NO_SUCH_KEY);
}

static void without_a_table_there_are_uploads_and_lists(void **state)
{
    (void)state;
    api.table = NULL;
    assert_problem(ask("GET", "/image", "source/in/uploads/a.jpg", NULL), PX_NO_SUCH_TABLE);
    assert_null(strstr(ask("GET", "/images", NULL, NULL).body, "Status"));
    assert_int_equal(ask("POST", "/uploads", NULL, "{\"type\":\"image/png\",\"bytes\":12}").http, 201);
}

static void a_deletion_is_the_transport_s_to_carry_out(void **state)
{
    (void)state;
    px_api_response response = ask("DELETE", "/image", "source/in/uploads/a.jpg", NULL);
    assert_int_equal(response.http, 204);
    assert_string_equal(response.removes, "in/uploads/a.jpg");
    assert_string_equal(response.body, "");
    assert_null(ask("DELETE", "/image", "source/in/other/a.jpg", NULL).removes);
}

/* Every answer fits: an arena that is full at any point ends in an error, or in a whole answer. */
static void too_little_memory_is_an_error_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *id, *body;
    } requests[] = { { "GET", "/image", "source/in/uploads/a.jpg", NULL }, { "GET", "/images", NULL, NULL }, { "GET", "/openapi.json", NULL, NULL },
                     { "POST", "/uploads", NULL, "{\"type\":\"image/png\",\"bytes\":12}" }, { "DELETE", "/image", "source/in/uploads/a.jpg", NULL } };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        for (size_t room = 0; room < 4096; room += 32) {
            px_arena whole = arena;
            arena.end = arena.next + room;
            px_api_response response = ask(requests[i].method, requests[i].path, requests[i].id, requests[i].body);
            assert_true(response.http < 300 || response.status == PX_OUT_OF_MEMORY);
            arena = whole;
        }
}

/* ---- the description ---- */

static json_t *describe(const char *function, bool gateway)
{
    px_error err = { "" };
    const char *text = NULL;
    px_api_openapi options = { .version = "1", .root = "/_/api", .gateway = gateway, .function = function };
    assert_ok(px_api_describe(&config, &options, &arena, &text, &err));
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    return document;
}

static const json_t *schema_of(const json_t *document, const char *name)
{
    return json_object_get(json_object_get(json_object_get(json_object_get(document, "components"), "schemas"), name), "properties");
}

/* `value`'s members are all in the schema. */
static void assert_described(const json_t *document, const char *schema, json_t *value)
{
    const char *name;
    json_t *member;
    json_object_foreach(value, name, member)
        if (!json_object_get(schema_of(document, schema), name))
            fail_msg("%s has no %s in the description", schema, name);
    assert_true(json_object_size(value) == json_object_size(schema_of(document, schema)));
}

static void all_that_a_record_can_hold_is_described(void **state)
{
    (void)state;
    json_t *document = describe(NULL, false);
    px_record_output output = { .id = "web", .bucket = "b", .key = "k", .format = "jpeg", .etag = "e", .recipe = "r", .reason = "why" };
    px_record record = px_record_empty();
    record.truncated = true;
    record.status = PX_RECORD_FAILED;
    record.error = PX_CORRUPT_IMAGE;
    record.outputs = &output;
    record.output_count = 1;
    json_t *item = px_record_format(&record);
    assert_described(document, "Image", item);
    assert_described(document, "Output", json_array_get(json_object_get(item, "Outputs"), 0));
    assert_described(document, "Lease", json_object_get(item, "Lease"));
    assert_described(document, "Failure", json_object_get(item, "Error"));
    json_decref(item);
    json_decref(document);
}

static void the_limits_in_force_are_described(void **state)
{
    (void)state;
    json_t *document = describe(NULL, false);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(schema_of(document, "UploadRequest"), "bytes"), "maximum")), 1000);
    json_decref(document);
}

/* In the gateway's dialect nothing is open but a browser's question, and everything goes to the function. */
static void the_gateway_asks_for_a_signature_everywhere(void **state)
{
    (void)state;
    json_t *document = describe("arn:aws-cn:lambda:cn-north-1:123456789012:function:api", true);
    const char *path, *method;
    json_t *methods, *route;
    int count = 0;
    json_object_foreach(json_object_get(document, "paths"), path, methods)
        json_object_foreach(methods, method, route) {
            const json_t *security = json_object_get(route, "security"), *uri = json_object_get(json_object_get(route, "x-amazon-apigateway-integration"), "uri");
            assert_int_equal(json_array_size(security), strcmp(method, "options") != 0);
            assert_string_equal(json_string_value(uri), "arn:aws-cn:apigateway:cn-north-1:lambda:path/2015-03-31/functions/"
                                                        "arn:aws-cn:lambda:cn-north-1:123456789012:function:api/invocations");
            count++;
        }
    assert_int_equal(count, 5 + 4);
    json_decref(document);
}

/* ---- origins ---- */

static void an_origin_is_the_whole_of_one(void **state)
{
    (void)state;
    config.api.origins = "https://a.example, https://b.example:8443";
    assert_string_equal(px_api_allowed_origin(&config, "https://a.example"), "https://a.example");
    assert_string_equal(px_api_allowed_origin(&config, "https://b.example:8443"), "https://b.example:8443");
    static const char *const others[] = { "", "https://a.example.evil", "https://a.exampl", "http://a.example", "https://b.example", "null", "*", "," };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(px_api_allowed_origin(&config, others[i]));
    config.api.origins = "*";
    assert_string_equal(px_api_allowed_origin(&config, "https://any.example\r\nSet-Cookie: a"), "*");
    config.api.origins = "";
    assert_null(px_api_allowed_origin(&config, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_address_binds_type_size_and_that_nothing_is_there, setup),
        cmocka_unit_test_setup(a_chosen_key_is_under_the_prefix_and_new_each_time, setup),
        cmocka_unit_test_setup(a_long_name_keeps_its_end, setup),
        cmocka_unit_test_setup(the_smaller_limit_counts, setup),
        cmocka_unit_test_setup(a_number_that_no_machine_holds_is_refused, setup),
        cmocka_unit_test_setup(what_fails_behind_the_api_is_told_in_its_words, setup),
        cmocka_unit_test_setup(a_table_that_makes_no_sense_is_not_the_client_s_doing, setup),
        cmocka_unit_test_setup(without_a_record_an_original_is_queued, setup),
        cmocka_unit_test_setup(without_a_table_there_are_uploads_and_lists, setup),
        cmocka_unit_test_setup(a_deletion_is_the_transport_s_to_carry_out, setup),
        cmocka_unit_test_setup(too_little_memory_is_an_error_of_its_own, setup),
        cmocka_unit_test_setup(all_that_a_record_can_hold_is_described, setup),
        cmocka_unit_test_setup(the_limits_in_force_are_described, setup),
        cmocka_unit_test_setup(the_gateway_asks_for_a_signature_everywhere, setup),
        cmocka_unit_test_setup(an_origin_is_the_whole_of_one, setup),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    px_arena_close(&arena);
    return failed;
}
