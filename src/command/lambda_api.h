/* lambda_api.h - the upload API as a function of its own, with a role of its own: it touches no picture. */
#ifndef PX_COMMAND_LAMBDA_API_H
#define PX_COMMAND_LAMBDA_API_H

#include "aws/aws.h"
#include "lambda/lambda.h"
#include "pipeline/pipeline.h"

typedef struct px_lambda_api {
    px_aws *aws;             /* all borrowed */
    const px_config *config;
    px_log *log;
} px_lambda_api;

/* Has it what it needs? */
PX_CHECKED px_status px_lambda_api_check(const px_config *config, px_error *err);

/* Answers one invocation. Only an event that is no request fails it: all else is an HTTP status. */
PX_CHECKED px_status px_lambda_api_answer(const px_lambda_api *self, const px_lambda_invocation *invocation, px_arena *arena, char **ret_answer,
                                          px_error *err);

#endif
