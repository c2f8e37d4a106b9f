/* answer.h - what Lambda is answered for an event: each shape has its own. Part of lambda.h. */
#ifndef PX_LAMBDA_ANSWER_H
#define PX_LAMBDA_ANSWER_H

#include "pipeline/pipeline.h"

/* The response's body, for who frees it; results[i] is of event->jobs[i]. NULL without memory.
 *
 * SQS: the messages that are to come again (AWS: "Reporting batch item failures"); of a FIFO queue all from the first of them
 * on. S3 Batch Operations: a result a task. API Gateway and function URLs: an HTTP answer. Others: a summary. */
char *px_lambda_answer(const px_event *event, const px_job_result *results);

/* The worst of the jobs that came with this item (-1: with none): one to try again before one that failed for good. NULL if all
 * went well. */
const px_job_result *px_lambda_failure(const px_event *event, const px_job_result *results, int item);

#endif
