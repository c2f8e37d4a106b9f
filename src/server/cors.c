/* Pages of other origins that put pictures to the addresses which the API has made (Fetch standard, "CORS protocol"). Only PUT, and
 * only for the origins of `api.origins`; what may be done is the signature's to say, as ever. */
#include <string.h>

#include "server/request.h"

static const char *allowed_origin(px_request *request)
{
    const char *origin = px_request_header(request, "Origin");
    return origin ? px_api_allowed_origin(request->server->api.config, origin) : NULL;
}

bool px_cors_preflight(px_request *request)
{
    const char *wanted = px_request_header(request, "Access-Control-Request-Method");
    if (strcmp(request->method, "OPTIONS") != 0 || !wanted || strcmp(wanted, "PUT") != 0 || !allowed_origin(request))
        return false;
    const char *headers[] = { "Access-Control-Allow-Methods", "PUT", "Access-Control-Allow-Headers", "content-type, if-none-match",
                              "Access-Control-Max-Age", "600" };
    request->decoded_length = UINT64_MAX;
    px_answer(request, 204, NULL, NULL, headers, 6);
    return true;
}

void px_cors_headers(px_request *request, struct MHD_Response *response)
{
    bool asks = strcmp(request->method, "OPTIONS") == 0 || strcmp(request->method, "PUT") == 0;
    const char *origin = asks && !px_server_is_api(request) ? allowed_origin(request) : NULL;
    if (!origin)
        return;
    px_mhd.add_response_header(response, "Access-Control-Allow-Origin", origin);
    px_mhd.add_response_header(response, "Access-Control-Expose-Headers", "ETag");
    px_mhd.add_response_header(response, "Vary", "Origin");
}
