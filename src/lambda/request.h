/* request.h - the upload API behind API Gateway and function URLs: their events in, their answers out. Part of lambda.h.
 *
 * Payload 1.0 (REST API) and 2.0 (HTTP API, function URL), told apart by shape (API Gateway developer guide, "AWS Lambda proxy
 * integrations"). Who may ask was judged by the gateway. */
#ifndef PX_LAMBDA_REQUEST_H
#define PX_LAMBDA_REQUEST_H

#include "api/api.h"

/* Texts live in the arena. PX_BAD_EVENT: not an HTTP request at all. PX_BAD_REQUEST: one that cannot be read, and is to be refused;
 * then `ret` is good for px_api_refuse. PX_OUT_OF_MEMORY. `trace_id` is the invocation's ("" if none), for requests that bring none. */
PX_CHECKED px_status px_lambda_request_parse(px_bytes event, const char *trace_id, px_arena *arena, px_api_request *ret, px_error *err);

/* What Lambda is answered, for who frees it; both payloads understand it. NULL without memory. */
char *px_lambda_response_format(const px_api_response *response);

#endif
