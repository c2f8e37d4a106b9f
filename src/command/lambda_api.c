/* Event → request → response → answer, with S3 and DynamoDB behind the API. */
#include "command/lambda_api.h"

#include "command/command.h"
#include "command/observe.h"

px_status px_lambda_api_check(const px_config *config, px_error *err)
{
    if (!*config->source)
        return px_fail(err, PX_BAD_CONFIG, "PIXMILL_SOURCE is not set: it names the bucket that uploads go to");
    return PX_OK;
}

static px_status presign(void *context, const px_api_put *put, px_arena *arena, const char **ret_url, int64_t *ret_until_ms, px_error *err)
{
    return px_aws_presign(context, "PUT", put->bucket, put->key, put->headers, put->header_count, put->seconds, arena, ret_url, ret_until_ms, err);
}

static void remove_first(const px_api *api, const px_api_request *request, px_arena *arena, px_api_response *response)
{
    px_error err = { "" };
    px_status status = response->removes ? px_aws_object_delete(api->context, api->config->source, response->removes, &err) : PX_OK;
    if (status != PX_OK)
        px_api_refuse(api, request, status, &err, arena, response);
}

static px_status answer(const px_lambda_api *self, px_aws_ports *ports, const px_lambda_invocation *invocation, px_arena *arena,
                        px_api_response *response, px_error *err)
{
    px_api api = { .config = self->config, .store = px_aws_store(ports), .table = px_aws_table(ports), .version = PX_VERSION, .presign = presign,
                   .context = ports };
    px_api_request request = { .method = "" };
    px_error why = { "" };
    const char *trace_id = *invocation->trace_id ? invocation->trace_id : invocation->request_id;
    px_status status = px_lambda_request_parse(invocation->event, trace_id, arena, &request, &why);
    if (status == PX_BAD_EVENT)
        return px_fail(err, status, "%s", why.message);
    if (status != PX_OK) {
        px_api_refuse(&api, &request, status, &why, arena, response);
    } else {
        px_api_handle(&api, &request, arena, response);
        remove_first(&api, &request, arena, response);
    }
    px_log_write(self->log, response->http >= 500 ? PX_ERROR : PX_INFO, invocation->request_id, "request",
                 json_pack("{s:s, s:s, s:i, s:s, s:s}", "method", request.method, "path", request.path, "http", response->http, "code",
                           px_status_code(response->status), "traceId", request.trace_id));
    return PX_OK;
}

px_status px_lambda_api_answer(const px_lambda_api *self, const px_lambda_invocation *invocation, px_arena *arena, char **ret_answer, px_error *err)
{
    px_aws_options options = px_command_aws_options(self->config);
    px_aws_ports *ports;
    px_api_response response = { .body = "" };
    options.queue = "";
    PX_TRY(px_aws_ports_create(self->aws, &options, &ports, err));
    px_aws_ports_begin(ports, invocation->deadline_ms, invocation->request_id);
    px_status status = answer(self, ports, invocation, arena, &response, err);
    px_aws_ports_destroy(ports);
    PX_TRY(status);
    *ret_answer = px_lambda_response_format(&response);
    return *ret_answer ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for the answer");
}
