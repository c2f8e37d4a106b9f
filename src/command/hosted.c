/* Fetch if need be, then load as from a file. */
#include "command/hosted.h"

#include <string.h>

bool px_hosted_is_remote(const char *address) { return address && (strncmp(address, "s3://", 5) == 0 || strncmp(address, "ssm:", 4) == 0); }

static px_status fetch(px_aws *aws, const char *address, int64_t deadline_ms, const char **version, px_arena *arena, px_bytes *ret,
                       bool *ret_changed, px_error *err)
{
    px_aws_ports *ports = NULL;
    PX_TRY(px_aws_ports_create(aws, &(px_aws_options){ 0 }, &ports, err));
    px_aws_ports_begin(ports, deadline_ms, NULL);
    px_status status = px_aws_fetch(ports, address, arena, version, ret, ret_changed, err);
    px_aws_ports_destroy(ports);
    return status;
}

static px_status fetch_alone(const char *address, int64_t deadline_ms, const char **version, px_arena *arena, px_bytes *ret, bool *ret_changed,
                             px_error *err)
{
    px_aws *aws = NULL;
    PX_TRY(px_aws_open(NULL, &aws, err));
    px_status status = fetch(aws, address, deadline_ms, version, arena, ret, ret_changed, err);
    px_aws_close(aws);
    return status;
}

px_status px_hosted_load(px_aws *aws, const char *address, int64_t deadline_ms, const px_setting *flags, int flag_count, const char **version,
                         px_arena *arena, px_config *ret, bool *ret_changed, px_error *err)
{
    px_bytes text = { 0 };
    *ret_changed = true;
    if (!px_hosted_is_remote(address))
        return px_config_load_hosted(address && *address ? address : NULL, NULL, flags, flag_count, arena, ret, err);
    PX_TRY(aws ? fetch(aws, address, deadline_ms, version, arena, &text, ret_changed, err)
               : fetch_alone(address, deadline_ms, version, arena, &text, ret_changed, err));
    return *ret_changed ? px_config_load_hosted(address, &text, flags, flag_count, arena, ret, err) : PX_OK;
}
