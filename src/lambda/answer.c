/* Pure: event and results in, JSON out. */
#include "lambda/answer.h"

#include <stdlib.h>
#include <string.h>

const px_job_result *px_lambda_failure(const px_event *event, const px_job_result *results, int item)
{
    const px_job_result *worst = NULL;
    for (int i = 0; i < event->job_count; i++)
        if (event->jobs[i].item == item && results[i].verdict != PX_ACKNOWLEDGE && (!worst || results[i].verdict == PX_RETRY))
            worst = &results[i];
    return worst;
}

static json_t *answer_sqs(const px_event *event, const px_job_result *results)
{
    json_t *failures = json_array();
    for (int item = 0; item < event->item_count; item++)
        if (px_lambda_failure(event, results, item) || (event->fifo && json_array_size(failures)))
            json_array_append_new(failures, json_pack("{s:s}", "itemIdentifier", event->items[item].id));
    return json_pack("{s:o}", "batchItemFailures", failures);
}

static json_t *answer_batch(const px_event *event, const px_job_result *results)
{
    json_t *list = json_array();
    for (int item = 0; item < event->item_count; item++) {
        const px_job_result *failure = px_lambda_failure(event, results, item);
        const char *code = !failure ? "Succeeded" : failure->verdict == PX_RETRY ? "TemporaryFailure" : "PermanentFailure";
        json_t *text = failure ? json_sprintf("%s: %.900s", px_status_code(failure->status), failure->message) : json_string("done");
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "taskId", event->items[item].id, "resultCode", code, "resultString",
                                              text ? text : json_string(px_status_code(failure ? failure->status : PX_OK))));
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "invocationSchemaVersion", event->schema, "treatMissingKeysAs", "PermanentFailure",
                     "invocationId", event->invocation_id, "results", list);
}

static json_t *summarize(const px_event *event, const px_job_result *results)
{
    json_t *failed = json_array();
    for (int i = 0; i < event->job_count; i++)
        if (results[i].status != PX_OK)
            json_array_append_new(failed, json_pack("{s:s, s:s, s:s}", "imageId", results[i].image_id, "code",
                                                    px_status_code(results[i].status), "message", results[i].message));
    json_int_t count = (json_int_t)json_array_size(failed);
    return json_pack("{s:i, s:I, s:o}", "jobs", event->job_count, "done", event->job_count - count, "failed", failed);
}

static json_t *answer_request(const px_event *event, const px_job_result *results)
{
    int status = 200;
    for (int i = 0; i < event->job_count; i++)
        if (results[i].status != PX_OK)
            status = px_status_http(results[i].status);
    json_t *summary = summarize(event, results);
    char *body = summary ? json_dumps(summary, JSON_COMPACT) : NULL;
    json_t *answer = json_pack("{s:i, s:{s:s}, s:b, s:s}", "statusCode", status, "headers", "content-type", "application/json",
                               "isBase64Encoded", 0, "body", body ? body : "");
    free(body);
    json_decref(summary);
    return answer;
}

char *px_lambda_answer(const px_event *event, const px_job_result *results)
{
    json_t *answer;
    switch (event->shape) {
    case PX_EVENT_SQS: answer = answer_sqs(event, results); break;
    case PX_EVENT_BATCH: answer = answer_batch(event, results); break;
    case PX_EVENT_REST:
    case PX_EVENT_HTTP: answer = answer_request(event, results); break;
    default: answer = summarize(event, results);
    }
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    return text;
}
