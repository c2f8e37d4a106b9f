/* Results in, answers out: each shape has its own way to say what is to come again. */
#include <stdlib.h>
#include <string.h>

#include "lambda/lambda.h"
#include "test.h"

enum { JOBS = 10 };

static px_job jobs[JOBS];
static px_event_item items[JOBS];
static px_job_result results[JOBS];
static char ids[JOBS][4];

/* Ten items with a job each, all done. */
static px_event event_of(px_event_shape shape)
{
    for (int i = 0; i < JOBS; i++) {
        snprintf(ids[i], sizeof ids[i], "m%d", i);
        jobs[i] = (px_job){ .bucket = "b", .key = "k", .item = i };
        items[i] = (px_event_item){ ids[i], 1, "", "" };
        results[i] = (px_job_result){ PX_ACKNOWLEDGE, PX_OK, "", "b/k", true };
    }
    return (px_event){ .shape = shape, .jobs = jobs, .job_count = JOBS, .items = items, .item_count = JOBS, .invocation_id = "i", .schema = "1.0" };
}

static void assert_answers(const px_event *event, const char *expected)
{
    char *answer = px_lambda_answer(event, results);
    assert_string_equal(answer, expected);
    free(answer);
}

static void a_batch_lists_exactly_what_is_to_come_again(void **state)
{
    (void)state;
    px_event event = event_of(PX_EVENT_SQS);
    assert_answers(&event, "{\"batchItemFailures\":[]}");
    results[1].verdict = results[4].verdict = PX_RETRY;
    results[9].verdict = PX_DEAD;
    assert_answers(&event, "{\"batchItemFailures\":[{\"itemIdentifier\":\"m1\"},{\"itemIdentifier\":\"m4\"},{\"itemIdentifier\":\"m9\"}]}");
}

static void a_fifo_batch_comes_again_from_its_first_failure_on(void **state)
{
    (void)state;
    px_event event = event_of(PX_EVENT_SQS);
    event.fifo = true;
    results[8].verdict = PX_RETRY;
    assert_answers(&event, "{\"batchItemFailures\":[{\"itemIdentifier\":\"m8\"},{\"itemIdentifier\":\"m9\"}]}");
}

static void tasks_are_answered_one_by_one(void **state)
{
    (void)state;
    px_event event = event_of(PX_EVENT_BATCH);
    event.job_count = event.item_count = 3;
    results[1] = (px_job_result){ PX_RETRY, PX_THROTTLED, "slow", "", false };
    results[2] = (px_job_result){ PX_DEAD, PX_CORRUPT_IMAGE, "bad", "", true };
    assert_answers(&event, "{\"invocationSchemaVersion\":\"1.0\",\"treatMissingKeysAs\":\"PermanentFailure\",\"invocationId\":\"i\",\"results\":["
                           "{\"taskId\":\"m0\",\"resultCode\":\"Succeeded\",\"resultString\":\"done\"},"
                           "{\"taskId\":\"m1\",\"resultCode\":\"TemporaryFailure\",\"resultString\":\"throttled: slow\"},"
                           "{\"taskId\":\"m2\",\"resultCode\":\"PermanentFailure\",\"resultString\":\"corrupt-image: bad\"}]}");
}

static void a_request_gets_the_status_of_its_failure(void **state)
{
    (void)state;
    px_event event = event_of(PX_EVENT_HTTP);
    event.job_count = 1;
    assert_answers(&event, "{\"statusCode\":200,\"headers\":{\"content-type\":\"application/json\"},\"isBase64Encoded\":false,"
                           "\"body\":\"{\\\"jobs\\\":1,\\\"done\\\":1,\\\"failed\\\":[]}\"}");
    results[0] = (px_job_result){ PX_DEAD, PX_NO_SUCH_KEY, "gone", "b/k", true };
    char *answer = px_lambda_answer(&event, results);
    assert_non_null(strstr(answer, "\"statusCode\":404"));
    assert_non_null(strstr(answer, "no-such-key"));
    free(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_lists_exactly_what_is_to_come_again),
        cmocka_unit_test(a_fifo_batch_comes_again_from_its_first_failure_on),
        cmocka_unit_test(tasks_are_answered_one_by_one),
        cmocka_unit_test(a_request_gets_the_status_of_its_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
