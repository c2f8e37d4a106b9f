/* Percent-encoding there and back, queries in parts, and what is refused. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/uri.h"

static px_arena arena;

static void every_byte_but_NUL_survives_there_and_back(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer out = { 0 };
    char all[256] = "";
    for (unsigned i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    px_uri_encode(&out, all, false);
    const char *back = px_uri_decode(&arena, px_buffer_bytes(&out), false);
    assert_non_null(back);
    assert_string_equal(back, all);
    assert_null(strchr(out.data, '/'));
}

static void only_unreserved_characters_stay_plain(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer out = { 0 };
    px_uri_encode(&out, "a/b c+Ü~-._*'()", true);
    assert_string_equal(out.data, "a/b%20c%2B%C3%9C~-._%2A%27%28%29");
}

static void a_plus_is_a_space_only_where_asked(void **state)
{
    (void)state;
    assert_string_equal(px_uri_decode(&arena, px_bytes_of("a+b%2bc"), true), "a b+c");
    assert_string_equal(px_uri_decode(&arena, px_bytes_of("a+b%2Bc"), false), "a+b+c");
}

static void what_is_encoded_twice_is_decoded_once(void **state)
{
    (void)state;
    assert_string_equal(px_uri_decode(&arena, px_bytes_of("a%252Fb"), false), "a%2Fb");
}

static void broken_codes_and_NUL_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "%", "a%", "%4", "%4x", "%xx", "a%00b", "%%41" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_null(px_uri_decode(&arena, px_bytes_of(bad[i]), false));
    assert_null(px_uri_decode(&arena, (px_bytes){ (const uint8_t *)"a\0b", 3 }, false));
}

static void a_query_comes_apart_into_names_and_values(void **state)
{
    (void)state;
    px_query found[8];
    assert_int_equal(px_query_parse(&arena, "a=1&b&&c=x%3Dy=z&d=", found, 8), 4);
    assert_string_equal(px_query_find(found, 4, "a"), "1");
    assert_string_equal(px_query_find(found, 4, "b"), "");
    assert_string_equal(px_query_find(found, 4, "c"), "x=y=z");
    assert_string_equal(px_query_find(found, 4, "d"), "");
    assert_null(px_query_find(found, 4, "e"));
    assert_int_equal(px_query_parse(&arena, "", found, 8), 0);
}

static void a_query_that_is_broken_or_too_long_is_refused(void **state)
{
    (void)state;
    px_query found[2];
    assert_int_equal(px_query_parse(&arena, "a=%", found, 2), PX_QUERIES_MALFORMED);
    assert_int_equal(px_query_parse(&arena, "%zz=1", found, 2), PX_QUERIES_MALFORMED);
    assert_int_equal(px_query_parse(&arena, "a&b&c", found, 2), PX_QUERIES_TOO_MANY);
}

static void an_address_in_s3_comes_apart_or_is_none(void **state)
{
    (void)state;
    char bucket[PX_LIMIT_BUCKET_BYTES + 1] = "", long_name[100];
    assert_string_equal(px_uri_split_s3("s3://assets/brand/logo.png", bucket), "brand/logo.png");
    assert_string_equal(bucket, "assets");
    for (const char *const *none = (const char *const[]){ "s3://assets", "s3://assets/", "s3:///key", "s3:/a/b", "http://a/b", "", NULL }; *none; none++)
        assert_null(px_uri_split_s3(*none, bucket));
    snprintf(long_name, sizeof long_name, "s3://%064d/key", 0);
    assert_null(px_uri_split_s3(long_name, bucket));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_but_NUL_survives_there_and_back),
        cmocka_unit_test(only_unreserved_characters_stay_plain),
        cmocka_unit_test(a_plus_is_a_space_only_where_asked),
        cmocka_unit_test(what_is_encoded_twice_is_decoded_once),
        cmocka_unit_test(broken_codes_and_NUL_are_refused),
        cmocka_unit_test(a_query_comes_apart_into_names_and_values),
        cmocka_unit_test(an_address_in_s3_comes_apart_or_is_none),
        cmocka_unit_test(a_query_that_is_broken_or_too_long_is_refused),
    };
    if (px_arena_open(1 << 20, &arena, NULL) != PX_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    px_arena_close(&arena);
    return failed;
}
