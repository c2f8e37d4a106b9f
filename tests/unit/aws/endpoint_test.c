/* Where a service answers: AWS's own names, those of its other partitions, and what the environment says. */
#include "test.h"

#include <stdlib.h>

#include "aws/shared.h"

static px_arena arena;

static const char *endpoint(const char *service, const char *bucket, px_s3_style style, const char *region, bool *ret_path_style)
{
    const char *url = "";
    px_error err = { "" };
    assert_ok(px_aws_endpoint(service, bucket, style, region, &arena, &url, ret_path_style, &err));
    return url;
}

static int forget(void **state)
{
    static const char *const names[] = { "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_SQS", "AWS_USE_DUALSTACK_ENDPOINT",
                                         "AWS_USE_FIPS_ENDPOINT", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    px_arena_close(&arena);
    return px_arena_open(1 << 20, &arena, NULL) == PX_OK ? 0 : -1;
}

static void on_aws_the_bucket_stands_in_the_host(void **state)
{
    bool path_style;
    (void)state;
    assert_string_equal(endpoint("s3", "photos", PX_S3_AUTO, "eu-west-1", &path_style), "https://photos.s3.eu-west-1.amazonaws.com");
    assert_false(path_style);
    assert_string_equal(endpoint("s3", "photos", PX_S3_PATH, "eu-west-1", &path_style), "https://s3.eu-west-1.amazonaws.com");
    assert_true(path_style);
    /* One that no certificate covers, or no host may be called. */
    assert_string_equal(endpoint("s3", "my.photos", PX_S3_VIRTUAL, "eu-west-1", &path_style), "https://s3.eu-west-1.amazonaws.com");
    assert_true(path_style);
    assert_string_equal(endpoint("s3", "Photos_1", PX_S3_AUTO, "us-east-1", &path_style), "https://s3.us-east-1.amazonaws.com");
    assert_true(path_style);
    assert_string_equal(endpoint("dynamodb", NULL, PX_S3_AUTO, "eu-west-1", &path_style), "https://dynamodb.eu-west-1.amazonaws.com");
    assert_false(path_style);
}

static void partitions_have_their_own_names(void **state)
{
    bool path_style;
    (void)state;
    assert_string_equal(endpoint("s3", "photos", PX_S3_AUTO, "cn-north-1", &path_style), "https://photos.s3.cn-north-1.amazonaws.com.cn");
    assert_string_equal(endpoint("sqs", NULL, PX_S3_AUTO, "us-gov-west-1", &path_style), "https://sqs.us-gov-west-1.amazonaws.com");
    setenv("AWS_USE_DUALSTACK_ENDPOINT", "true", 1);
    assert_string_equal(endpoint("s3", "photos", PX_S3_AUTO, "eu-west-1", &path_style), "https://photos.s3.dualstack.eu-west-1.amazonaws.com");
    assert_string_equal(endpoint("sqs", NULL, PX_S3_AUTO, "eu-west-1", &path_style), "https://sqs.eu-west-1.api.aws");
    assert_string_equal(endpoint("s3", "photos", PX_S3_AUTO, "cn-north-1", &path_style), "https://photos.s3.dualstack.cn-north-1.amazonaws.com.cn");
    setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
    assert_string_equal(endpoint("s3", "photos", PX_S3_AUTO, "us-east-1", &path_style), "https://photos.s3-fips.dualstack.us-east-1.amazonaws.com");
    unsetenv("AWS_USE_DUALSTACK_ENDPOINT");
    assert_string_equal(endpoint("dynamodb", NULL, PX_S3_AUTO, "us-east-1", &path_style), "https://dynamodb-fips.us-east-1.amazonaws.com");
}

static void an_endpoint_of_one_s_own_goes_first(void **state)
{
    bool path_style;
    (void)state;
    setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/", 1);
    setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000", 1);
    assert_string_equal(endpoint("s3", "photos", PX_S3_AUTO, "", &path_style), "http://127.0.0.1:9000");
    assert_true(path_style);
    assert_string_equal(endpoint("s3", "photos", PX_S3_VIRTUAL, "", &path_style), "http://photos.127.0.0.1:9000");
    assert_false(path_style);
    assert_string_equal(endpoint("sqs", NULL, PX_S3_AUTO, "", &path_style), "http://127.0.0.1:4566");
    setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
    assert_string_equal(endpoint("sqs", NULL, PX_S3_AUTO, "us-west-2", &path_style), "https://sqs.us-west-2.amazonaws.com");
}

static void without_region_or_with_nonsense_it_says_so(void **state)
{
    const char *url;
    bool path_style;
    px_error err = { "" };
    (void)state;
    assert_int_equal(px_aws_endpoint("s3", "photos", PX_S3_AUTO, "", &arena, &url, &path_style, &err), PX_BAD_CONFIG);
    assert_non_null(strstr(err.message, "AWS_REGION"));
    setenv("AWS_ENDPOINT_URL", "localhost:4566", 1);
    assert_int_equal(px_aws_endpoint("s3", "photos", PX_S3_AUTO, "x", &arena, &url, &path_style, &err), PX_BAD_CONFIG);
    assert_non_null(strstr(err.message, "localhost:4566"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(on_aws_the_bucket_stands_in_the_host, forget),
        cmocka_unit_test_setup(partitions_have_their_own_names, forget),
        cmocka_unit_test_setup(an_endpoint_of_one_s_own_goes_first, forget),
        cmocka_unit_test_setup(without_region_or_with_nonsense_it_says_so, forget),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    px_arena_close(&arena);
    return failed;
}
