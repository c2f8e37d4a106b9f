/* What SQS is told: by which region a queue's address is signed, and which characters a message may hold. */
#include "test.h"

#include "aws/shared.h"

static void a_queue_s_address_names_its_region(void **state)
{
    static const struct {
        const char *url, *region;
    } rows[] = {
        { "https://sqs.eu-west-1.amazonaws.com/123456789012/heavy", "eu-west-1" },
        { "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/heavy", "cn-north-1" },
        { "https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/heavy", "us-gov-west-1" },
        { "https://sqs.eu-west-1.api.aws/123456789012/heavy", "eu-west-1" },
        { "https://vpce-0a1b-2c3d.sqs.us-east-2.vpce.amazonaws.com/123456789012/heavy", "us-east-2" },
        { "https://ap-south-1.queue.amazonaws.com/123456789012/heavy", "ap-south-1" },
        { "https://queue.amazonaws.com/123456789012/heavy", "us-east-1" },
        /* of an endpoint of one's own there is nothing to read, whatever the path says */
        { "http://127.0.0.1:4566/123456789012/heavy", "" },
        { "http://sqs.internal.example:9324/queue/heavy", "" },
        { "http://localhost/sqs.eu-west-1.amazonaws.com/heavy", "" },
        { "heavy", "" },
        { "", "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char region[64] = "?";
        px_aws_queue_region(rows[i].url, region);
        assert_string_equal(region, rows[i].region);
    }
}

static void what_sqs_refuses_has_a_stand_in(void **state)
{
    px_arena arena = { 0 };
    px_error err = { "" };
    (void)state;
    assert_ok(px_arena_open(1 << 16, &arena, &err));
    assert_string_equal(px_aws_sqs_text("a\tb\n\r c.jpg", &arena), "a\tb\n\r c.jpg");
    assert_string_equal(px_aws_sqs_text("a\x01" "b\x1f.jpg", &arena), "a?b?.jpg");
    assert_string_equal(px_aws_sqs_text("\xc3\xbc\xf0\x9f\x90\xb1\x7f", &arena), "\xc3\xbc\xf0\x9f\x90\xb1\x7f");
    assert_string_equal(px_aws_sqs_text("\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd\xef\xbf", &arena), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf");
    px_arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_s_address_names_its_region),
        cmocka_unit_test(what_sqs_refuses_has_a_stand_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
