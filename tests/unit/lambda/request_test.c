/* Events of API Gateway and function URLs in, requests out. That real ones are answered right is tests/e2e/test_api.py's. */
#include <stdlib.h>
#include <string.h>

#include "lambda/lambda.h"
#include "test.h"

static px_arena arena;
static px_api_request request;
static px_error err;

static int setup(void **state)
{
    (void)state;
    px_arena_close(&arena);
    request = (px_api_request){ 0 };
    err = (px_error){ "" };
    return px_arena_open(16 << 20, &arena, NULL) == PX_OK ? 0 : -1;
}

static px_status parse(const char *event) { return px_lambda_request_parse(px_bytes_of(event), "invocation", &arena, &request, &err); }

static void assert_body(const char *expected) { assert_true(px_bytes_equal(request.body, px_bytes_of(expected))); }

static void a_rest_request_is_read(void **state)
{
    (void)state;
    assert_ok(parse("{\"httpMethod\":\"POST\",\"path\":\"/uploads\",\"headers\":{\"CONTENT-type\":\"application/json\",\"origin\":\"https://a\","
                    "\"X-Amzn-Trace-Id\":\"Root=1\"},\"multiValueQueryStringParameters\":{\"id\":[\"a b+c\",\"d\"],\"x\":[\"\"]},"
                    "\"queryStringParameters\":{\"id\":\"d\"},\"requestContext\":{\"path\":\"/prod/uploads\",\"stage\":\"prod\"},\"body\":\"{}\","
                    "\"isBase64Encoded\":false}"));
    assert_string_equal(request.method, "POST");
    assert_string_equal(request.path, "/uploads");
    assert_string_equal(request.root, "/prod");
    assert_string_equal(request.content_type, "application/json");
    assert_string_equal(request.origin, "https://a");
    assert_string_equal(request.trace_id, "Root=1");
    assert_int_equal(request.query_count, 3);
    assert_string_equal(request.queries[0].value, "a b+c");
    assert_string_equal(request.queries[1].value, "d");
    assert_body("{}");
}

static void a_rest_request_without_anything_is_read(void **state)
{
    (void)state;
    assert_ok(parse("{\"httpMethod\":\"GET\",\"path\":\"/images\",\"headers\":null,\"multiValueQueryStringParameters\":null,"
                    "\"queryStringParameters\":null,\"requestContext\":{},\"body\":null}"));
    assert_int_equal(request.query_count, 0);
    assert_string_equal(request.root, "");
    assert_string_equal(request.trace_id, "invocation");
    assert_body("");
}

static void an_http_request_is_read(void **state)
{
    (void)state;
    assert_ok(parse("{\"version\":\"2.0\",\"rawPath\":\"/prod/image\",\"rawQueryString\":\"id=a%2Fb+c%2B\",\"headers\":{\"origin\":\"https://a\"},"
                    "\"requestContext\":{\"stage\":\"prod\",\"http\":{\"method\":\"GET\",\"path\":\"/prod/image\"}},\"body\":\"e30=\",\"isBase64Encoded\":true}"));
    assert_string_equal(request.path, "/image");
    assert_string_equal(request.root, "/prod");
    assert_string_equal(request.queries[0].value, "a/b c+");
    assert_body("{}");
}

/* A path may begin as the stage does. */
static void only_a_whole_stage_is_taken_away(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *stage, *path, *root;
    } rows[] = { { "/images", "$default", "/images", "" }, { "/images", "image", "/images", "" }, { "/image/image", "image", "/image", "/image" },
                 { "/_/api/images", "$default", "/images", "/_/api" }, { "/prod/_/api/images", "prod", "/images", "/prod/_/api" },
                 { "/$default/images", "$default", "/$default/images", "" }, { "/_/apis", "$default", "/_/apis", "" }, { "", "prod", "", "" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char event[300];
        snprintf(event, sizeof event, "{\"rawPath\":\"%s\",\"requestContext\":{\"stage\":\"%s\",\"http\":{\"method\":\"GET\"}}}", rows[i].raw, rows[i].stage);
        assert_ok(parse(event));
        assert_string_equal(request.path, rows[i].path);
        assert_string_equal(request.root, rows[i].root);
    }
}

/* A client decides over these: they are its errors, not the function's. */
static void what_a_client_spoils_is_a_bad_request(void **state)
{
    (void)state;
    static const char *const events[] = {
        "{\"httpMethod\":\"GET\",\"path\":\"/a\\u0000b\",\"requestContext\":{}}",
        "{\"httpMethod\":\"GET\",\"path\":\"/a\",\"queryStringParameters\":{\"id\":\"\\u0000\"},\"requestContext\":{}}",
        "{\"rawPath\":\"/a%\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}}",
        "{\"rawPath\":\"/a%00\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}}",
        "{\"rawPath\":\"/a\",\"rawQueryString\":\"id=%00\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}}",
        "{\"rawPath\":\"/a\",\"rawQueryString\":\"a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q\",\"requestContext\":{\"http\":{\"method\":\"GET\"}}}",
        "{\"rawPath\":\"/a\",\"body\":\"*\",\"isBase64Encoded\":true,\"requestContext\":{\"http\":{\"method\":\"GET\"}}}",
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        request = (px_api_request){ 0 };
        assert_status(parse(events[i]), PX_BAD_REQUEST);
        assert_non_null(request.origin);
        assert_non_null(request.trace_id);
    }
}

static void a_body_may_hold_a_nul(void **state)
{
    (void)state;
    assert_ok(parse("{\"httpMethod\":\"POST\",\"path\":\"/uploads\",\"requestContext\":{},\"body\":\"a\\u0000b\"}"));
    assert_true(px_bytes_equal(request.body, (px_bytes){ (const uint8_t *)"a\0b", 3 }));
}

static void what_is_no_request_fails_the_invocation(void **state)
{
    (void)state;
    static const char *const events[] = { "", "{", "[]", "3", "null", "{}", "{\"Records\":[]}", "{\"httpMethod\":\"GET\",\"path\":\"/\"}",
                                          "{\"requestContext\":{\"http\":{}}}", "{\"requestContext\":{},\"httpMethod\":3}" };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        assert_status(parse(events[i]), PX_BAD_EVENT);
}

static void an_answer_has_status_headers_and_body(void **state)
{
    (void)state;
    px_api_response response = { .http = 201, .headers = { { "A", "1" }, { "B", "2" } }, .header_count = 2, .body = "{\"x\":\"ä\"}" };
    char *answer = px_lambda_response_format(&response);
    assert_string_equal(answer, "{\"statusCode\":201,\"headers\":{\"A\":\"1\",\"B\":\"2\"},\"isBase64Encoded\":false,\"body\":\"{\\\"x\\\":\\\"ä\\\"}\"}");
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_rest_request_is_read, setup),
        cmocka_unit_test_setup(a_rest_request_without_anything_is_read, setup),
        cmocka_unit_test_setup(an_http_request_is_read, setup),
        cmocka_unit_test_setup(only_a_whole_stage_is_taken_away, setup),
        cmocka_unit_test_setup(what_a_client_spoils_is_a_bad_request, setup),
        cmocka_unit_test_setup(a_body_may_hold_a_nul, setup),
        cmocka_unit_test_setup(what_is_no_request_fails_the_invocation, setup),
        cmocka_unit_test_setup(an_answer_has_status_headers_and_body, setup),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    px_arena_close(&arena);
    return failed;
}
