/* Events in, jobs out. Goal: each shape becomes the right job with the key as it really is, and what is no event is told
 * with what was seen. Method: texts as S3 writes them. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "pipeline/pipeline.h"
#include "test.h"

static px_arena arena;

static int open_arena(void **state) { return px_arena_open(64 << 20, &arena, NULL) != PX_OK && state; }

static int close_arena(void **state)
{
    px_arena_close(&arena);
    return state == NULL;
}

static px_job *parse(const char *text, int expected)
{
    px_error err = { "" };
    px_event event = { 0 };
    assert_ok(px_event_parse(px_bytes_of(text), &arena, &event, &err));
    assert_int_equal(event.job_count, expected);
    return event.jobs;
}

static void assert_refused(const char *text, const char *says)
{
    px_error err = { "" };
    px_event event = { .job_count = -1 };
    assert_status(px_event_parse(px_bytes_of(text), &arena, &event, &err), PX_BAD_EVENT);
    assert_int_equal(event.job_count, -1);
    if (!strstr(err.message, says))
        fail_msg("'%s' does not say '%s'", err.message, says);
}

static const char *s3(const char *name, const char *key, const char *sequencer)
{
    return px_arena_format(&arena, "{\"Records\":[{\"eventSource\":\"aws:s3\",\"eventTime\":\"1970-01-01T00:00:01.000Z\",\"eventName\":\"%s\",\"s3\":"
                           "{\"bucket\":{\"name\":\"photos\"},\"object\":{\"key\":\"%s\",\"sequencer\":\"%s\"}}}]}", name, key, sequencer);
}

static void names_of_events_become_kinds_of_jobs(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        px_job_kind kind;
    } rows[] = {
        { "ObjectCreated:Put", PX_JOB_UPDATE }, { "s3:ObjectCreated:CompleteMultipartUpload", PX_JOB_UPDATE },
        { "ObjectRemoved:Delete", PX_JOB_REMOVE }, { "ObjectRemoved:DeleteMarkerCreated", PX_JOB_REMOVE },
        { "LifecycleExpiration:Delete", PX_JOB_REMOVE }, { "ObjectTagging:Put", PX_JOB_IGNORE }, { "", PX_JOB_IGNORE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        px_job *job = parse(s3(rows[i].name, "a.jpg", "0A"), 1);
        assert_int_equal(job->kind, rows[i].kind);
        assert_string_equal(job->bucket, "photos");
        assert_int_equal(job->event_ms, 1000);
    }
    assert_non_null(strstr(parse(s3("ObjectTagging:Put", "a", ""), 1)->reason, "ObjectTagging:Put"));
}

static void keys_are_decoded_as_s3_encodes_them(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "a/b.jpg", "a/b.jpg" }, { "with+space.jpg", "with space.jpg" }, { "plus%2Bpercent%25.jpg", "plus+percent%.jpg" },
        { "%C3%BCml%c3%a4ut.jpg", "ümläut.jpg" }, { "a%2Fb", "a/b" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(parse(s3("ObjectCreated:Put", rows[i][0], "1"), 1)->key, rows[i][1]);
    assert_refused(s3("ObjectCreated:Put", "a%", "1"), "not form-encoded");
    assert_refused(s3("ObjectCreated:Put", "a%2", "1"), "not form-encoded");
    assert_refused(s3("ObjectCreated:Put", "a%zz", "1"), "not form-encoded");
    assert_refused(s3("ObjectCreated:Put", "a%00b", "1"), "not form-encoded");
    assert_refused(s3("ObjectCreated:Put", "a%FFb", "1"), "'a%FFb' is not UTF-8");
    assert_refused(s3("ObjectCreated:Put", "%ED%A0%80", "1"), "not UTF-8");
}

static void sequencers_are_padded_and_may_be_missing(void **state)
{
    (void)state;
    assert_string_equal(parse(s3("ObjectCreated:Put", "a", "0055AED6DCD90281E5"), 1)->sequencer, "0055aed6dcd90281e500000000000000");
    assert_null(parse(s3("ObjectCreated:Put", "a", ""), 1)->sequencer);
}

static void one_job_a_record_in_their_order(void **state)
{
    (void)state;
    px_job *jobs = parse("{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"1\"}}},"
                         "{\"eventName\":\"ObjectRemoved:Delete\",\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"2\"}}}]}", 2);
    assert_string_equal(jobs[0].key, "1");
    assert_string_equal(jobs[1].key, "2");
    assert_int_equal(jobs[1].kind, PX_JOB_REMOVE);
}

static void short_shape_and_test_event_are_known(void **state)
{
    (void)state;
    px_job *job = parse("{\"bucket\": \"b\", \"key\": \"a+b%20.jpg\"}", 1);
    assert_int_equal(job->kind, PX_JOB_UPDATE);
    assert_string_equal(job->key, "a+b%20.jpg"); /* a person wrote it: not encoded */
    assert_null(job->sequencer);
    job = parse("{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\",\"Bucket\":\"b\"}", 1);
    assert_int_equal(job->kind, PX_JOB_IGNORE);
    assert_non_null(strstr(job->reason, "TestEvent"));
}

static void a_reason_stays_utf8_where_a_long_name_is_cut(void **state)
{
    (void)state;
    char name[100] = "a"; /* with it, the 60th byte lies inside a character of two */
    for (int i = 0; i < 40; i++)
        strcat(name, "\u00e9");
    px_job *job = parse(s3(name, "a.jpg", "0A"), 1);
    assert_int_equal(job->kind, PX_JOB_IGNORE);
    assert_true(px_is_utf8(job->reason));
    job = parse(px_arena_format(&arena, "{\"detail-type\":\"%s\",\"detail\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"k\"}}}", name), 1);
    assert_true(px_is_utf8(job->reason));
}

static void what_is_no_event_is_told_with_what_was_seen(void **state)
{
    (void)state;
    assert_refused("", "not JSON");
    assert_refused("{\"a\":1,\"a\":2}", "not JSON");
    assert_refused("[1,2]", "[1,2]");
    assert_refused("{\"hello\":\"world\"}", "{\"hello\":\"world\"}");
    assert_refused("{\"Records\":[]}", "0 Records");
    assert_refused("{\"Records\":[{\"eventSource\":\"aws:sns\"}]}", "aws:sns");
    assert_refused("{\"Records\":[5]}", "without s3.object");
    assert_refused("{\"bucket\":\"b\"}", "0 bytes");
    assert_refused("{\"bucket\":\"\",\"key\":\"k\"}", "no bucket");
}

static void keys_longer_than_s3_allows_are_refused(void **state)
{
    (void)state;
    char key[PX_LIMIT_KEY_BYTES + 2];
    memset(key, 'k', PX_LIMIT_KEY_BYTES + 1);
    key[PX_LIMIT_KEY_BYTES + 1] = '\0';
    assert_refused(s3("ObjectCreated:Put", key, ""), "1025 bytes");
    key[PX_LIMIT_KEY_BYTES] = '\0';
    assert_string_equal(parse(s3("ObjectCreated:Put", key, ""), 1)->key, key);
}

static px_event parse_event(const char *text)
{
    px_error err = { "" };
    px_event event = { 0 };
    assert_ok(px_event_parse(px_bytes_of(text), &arena, &event, &err));
    return event;
}

/* As a JSON string. */
static const char *quoted(const char *text)
{
    json_t *string = json_string(text);
    char *dumped = json_dumps(string, JSON_ENCODE_ANY);
    const char *copy = px_arena_copy_text(&arena, dumped);
    free(dumped);
    json_decref(string);
    return copy;
}

static void an_eventbridge_key_is_not_decoded(void **state)
{
    (void)state;
    px_event event = parse_event("{\"version\":\"0\",\"detail-type\":\"Object Created\",\"source\":\"aws.s3\",\"time\":\"1970-01-01T00:00:01Z\","
                                 "\"detail\":{\"bucket\":{\"name\":\"photos\"},\"object\":{\"key\":\"a+b %41.jpg\",\"size\":7,\"sequencer\":\"0A\"}}}");
    assert_int_equal(event.shape, PX_EVENT_BRIDGE);
    assert_string_equal(event.jobs[0].key, "a+b %41.jpg");
    assert_string_equal(event.jobs[0].bucket, "photos");
    assert_int_equal(event.jobs[0].bytes, 7);
    assert_int_equal(event.jobs[0].event_ms, 1000);
    assert_int_equal(event.jobs[0].item, -1);
    assert_int_equal(parse("{\"detail-type\":\"Object Deleted\",\"detail\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"k\"}}}", 1)->kind, PX_JOB_REMOVE);
    assert_int_equal(parse("{\"detail-type\":\"Object Tags Added\",\"detail\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"k\"}}}", 1)->kind, PX_JOB_IGNORE);
}

static void messages_of_a_batch_fail_alone(void **state)
{
    (void)state;
    const char *good = quoted(s3("ObjectCreated:Put", "red+flower.jpg", "0A")), *test = quoted("{\"Event\":\"s3:TestEvent\",\"Bucket\":\"photos\"}");
    const char *sns = quoted(px_arena_format(&arena, "{\"Type\":\"Notification\",\"Message\":%s}", good));
    px_event event = parse_event(px_arena_format(&arena, "{\"Records\":["
        "{\"messageId\":\"m0\",\"body\":%s,\"eventSource\":\"aws:sqs\",\"eventSourceARN\":\"arn:aws:sqs:r:1:q.fifo\",\"attributes\":{\"ApproximateReceiveCount\":\"3\",\"AWSTraceHeader\":\"Root=1\"}},"
        "{\"messageId\":\"m1\",\"body\":\"no JSON\",\"eventSource\":\"aws:sqs\"},"
        "{\"messageId\":\"m2\",\"body\":%s,\"eventSource\":\"aws:sqs\"},"
        "{\"messageId\":\"m3\",\"body\":%s,\"eventSource\":\"aws:sqs\"}]}", good, test, sns));
    assert_int_equal(event.shape, PX_EVENT_SQS);
    assert_true(event.fifo);
    assert_int_equal(event.item_count, 4);
    assert_int_equal(event.job_count, 4);
    assert_string_equal(event.items[0].id, "m0");
    assert_int_equal(event.items[0].attempts, 3);
    assert_string_equal(event.items[0].trace_id, "Root=1");
    assert_string_equal(event.jobs[0].key, "red flower.jpg");
    assert_int_equal(event.jobs[1].kind, PX_JOB_BAD);
    assert_int_equal(event.jobs[1].item, 1);
    assert_non_null(strstr(event.jobs[1].reason, "not JSON"));
    assert_string_equal(event.items[1].body, "no JSON");
    assert_int_equal(event.jobs[2].kind, PX_JOB_IGNORE);
    assert_string_equal(event.jobs[3].key, "red flower.jpg");
    assert_int_equal(event.jobs[3].item, 3);
}

static void sns_is_unwrapped_but_not_for_ever(void **state)
{
    (void)state;
    const char *inner = s3("ObjectCreated:Put", "a.jpg", "0A");
    px_event event = parse_event(px_arena_format(&arena, "{\"Records\":[{\"EventSource\":\"aws:sns\",\"Sns\":{\"Message\":%s}}]}", quoted(inner)));
    assert_int_equal(event.shape, PX_EVENT_SNS);
    assert_string_equal(event.jobs[0].key, "a.jpg");
    for (int i = 0; i < 5; i++)
        inner = px_arena_format(&arena, "{\"Type\":\"Notification\",\"Message\":%s}", quoted(inner));
    assert_refused(inner, "not an event");
}

static void tasks_of_batch_operations_become_jobs(void **state)
{
    (void)state;
    px_event event = parse_event("{\"invocationSchemaVersion\":\"1.0\",\"invocationId\":\"i1\",\"job\":{\"id\":\"j\"},\"tasks\":["
                                 "{\"taskId\":\"t0\",\"s3Key\":\"a%20b%2Bc.jpg\",\"s3VersionId\":null,\"s3BucketArn\":\"arn:aws:s3:::photos\"},"
                                 "{\"taskId\":\"t1\",\"s3Key\":\"%zz\",\"s3Bucket\":\"photos\"}]}");
    assert_int_equal(event.shape, PX_EVENT_BATCH);
    assert_string_equal(event.invocation_id, "i1");
    assert_string_equal(event.schema, "1.0");
    assert_string_equal(event.jobs[0].bucket, "photos");
    assert_string_equal(event.jobs[0].key, "a b+c.jpg");
    assert_null(event.jobs[0].sequencer);
    assert_int_equal(event.jobs[1].kind, PX_JOB_BAD);
    assert_string_equal(event.items[1].id, "t1");
}

static void a_request_carries_an_event_in_its_body(void **state)
{
    (void)state;
    px_event event = parse_event("{\"httpMethod\":\"POST\",\"requestContext\":{\"stage\":\"x\"},\"body\":\"{\\\"bucket\\\":\\\"b\\\",\\\"key\\\":\\\"k\\\"}\"}");
    assert_int_equal(event.shape, PX_EVENT_REST);
    assert_string_equal(event.jobs[0].key, "k");
    event = parse_event("{\"version\":\"2.0\",\"requestContext\":{\"http\":{\"method\":\"POST\"}},\"isBase64Encoded\":true,\"body\":\"eyJidWNrZXQiOiJiIiwia2V5IjoiayJ9\"}");
    assert_int_equal(event.shape, PX_EVENT_HTTP);
    assert_string_equal(event.jobs[0].bucket, "b");
    assert_refused("{\"requestContext\":{},\"isBase64Encoded\":true,\"body\":\"!\"}", "base 64");
    assert_refused("{\"requestContext\":{},\"body\":null}", "not JSON");
}

static void the_console_s_test_events_are_named(void **state)
{
    (void)state;
    assert_refused("{\"key1\":\"value1\",\"key2\":\"value2\",\"key3\":\"value3\"}", "hello-world");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_eventbridge_key_is_not_decoded),
        cmocka_unit_test(messages_of_a_batch_fail_alone),
        cmocka_unit_test(sns_is_unwrapped_but_not_for_ever),
        cmocka_unit_test(tasks_of_batch_operations_become_jobs),
        cmocka_unit_test(a_request_carries_an_event_in_its_body),
        cmocka_unit_test(the_console_s_test_events_are_named),
        cmocka_unit_test(names_of_events_become_kinds_of_jobs),
        cmocka_unit_test(keys_are_decoded_as_s3_encodes_them),
        cmocka_unit_test(sequencers_are_padded_and_may_be_missing),
        cmocka_unit_test(one_job_a_record_in_their_order),
        cmocka_unit_test(short_shape_and_test_event_are_known),
        cmocka_unit_test(a_reason_stays_utf8_where_a_long_name_is_cut),
        cmocka_unit_test(what_is_no_event_is_told_with_what_was_seen),
        cmocka_unit_test(keys_longer_than_s3_allows_are_refused),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
