/* JSON becomes DynamoDB's attributes and comes back the same; what a stranger wrote is harmless. */
#include <stdlib.h>
#include <string.h>

#include "test.h"

/* Private to src/aws, and pure: tested from inside. */
#include "aws/attribute.h"

static void an_item_comes_back_as_it_went(void **state)
{
    (void)state;
    json_t *item = json_loads("{\"t\":\"\\u00fc\",\"n\":-7,\"big\":9007199254740993,\"yes\":true,\"no\":false,\"nil\":null,"
                              "\"list\":[1,\"a\",{\"x\":[]}],\"map\":{\"k\":{}}}", 0, NULL);
    json_t *attributes = px_attributes_format(item), *back = px_attributes_parse(attributes);
    assert_string_equal(json_string_value(json_object_get(json_object_get(attributes, "n"), "N")), "-7");
    assert_string_equal(json_string_value(json_object_get(json_object_get(attributes, "t"), "S")), "\xc3\xbc");
    assert_true(json_object_get(json_object_get(attributes, "nil"), "NULL") != NULL);
    json_t *wanted = json_deep_copy(item);
    assert_true(json_equal(back, wanted));
    json_decref(item);
    json_decref(attributes);
    json_decref(back);
    json_decref(wanted);
}

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL), *item = px_attributes_parse(json);
    json_decref(json);
    return item;
}

static void what_a_stranger_wrote_is_harmless(void **state)
{
    (void)state;
    assert_null(parse("5"));
    assert_null(parse("{\"a\":{\"M\":7}}"));
    json_t *item = parse("{\"set\":{\"SS\":[\"a\"]},\"s\":{\"S\":5},\"n\":{\"N\":\"1.5\"},\"l\":{\"L\":5},\"e\":5}");
    assert_true(json_is_null(json_object_get(item, "set")));
    assert_true(json_is_null(json_object_get(item, "s")));
    assert_true(json_is_null(json_object_get(item, "l")));
    assert_true(json_is_null(json_object_get(item, "e")));
    assert_string_equal(json_string_value(json_object_get(item, "n")), "1.5");
    json_decref(item);
}

static void nesting_has_an_end(void **state)
{
    (void)state;
    char text[2048] = "{\"a\":";
    for (int i = 0; i < 100; i++)
        strcat(text, "{\"L\":[");
    for (int i = 0; i < 100; i++)
        strcat(text, "]}");
    strcat(text, "}");
    assert_null(parse(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_comes_back_as_it_went),
        cmocka_unit_test(what_a_stranger_wrote_is_harmless),
        cmocka_unit_test(nesting_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
