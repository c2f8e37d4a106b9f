/* Opening a data folder to look at it, and the small words of the commands that do. A folder is checked for before it is
 * opened, since opening would make one, and an empty table tells nobody that the path was wrong. */
#include "command/observe.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"

enum { ARENA_BYTES = 64 << 20, EXTRA_MAX = 4 };

px_status px_command_config(const px_options *options, const px_setting *extra, int extra_count, px_arena *arena,
                            px_config *ret, px_error *err)
{
    px_setting settings[PX_GIVEN_MAX + EXTRA_MAX];
    assert(extra_count <= EXTRA_MAX);
    int count = px_options_settings(options, settings);
    for (int i = 0; i < extra_count; i++)
        settings[count++] = extra[i];
    return px_config_load(px_option_text(options, "config", NULL), settings, count, arena, ret, err);
}

px_aws_options px_command_aws_options(const px_config *config)
{
    return (px_aws_options){ .table = config->table, .ttl_days = config->record_days, .queue = config->queue, .visibility_s = config->visibility,
                             .dead_letters = config->dead_letters, .s3_style = (px_s3_style)config->s3.style,
                             .requester_pays = config->s3.requester_pays, .multipart_bytes = config->s3.multipart_bytes };
}

static px_status open_folder(const px_config *config, px_observed *ret, px_error *err)
{
    struct stat about;
    if (stat(config->data, &about) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return px_fail(err, PX_NO_SUCH_KEY,
                           "there is no data folder %s: name another with --data DIR, or start `pixmill serve` first",
                           config->data);
        return px_fail_errno(err, errno, "cannot look into the data folder %s", config->data);
    }
    if (!S_ISDIR(about.st_mode))
        return px_fail(err, PX_BAD_CONFIG, "the data folder %s is not a folder", config->data);
    px_local_options options = {
        .folder = config->data, .region = config->region,
        .source = config->source, .source_prefix = config->source_prefix, .observe = true,
    };
    PX_TRY(px_local_open(&options, &ret->local, err));
    ret->table = px_local_table(ret->local);
    ret->queue = px_local_queue(ret->local);
    return PX_OK;
}

static px_status open_aws(const px_config *config, px_observed *ret, px_error *err)
{
    px_aws_options options = px_command_aws_options(config);
    PX_TRY(px_aws_open(NULL, &ret->aws, err));
    PX_TRY(px_aws_ports_create(ret->aws, &options, &ret->ports, err));
    ret->table = px_aws_table(ret->ports);
    ret->queue = px_aws_queue(ret->ports);
    return PX_OK;
}

px_status px_observe_start(const px_options *options, bool on_aws, px_arena *arena, px_config *config, px_observed *ret, px_error *err)
{
    PX_TRY(px_arena_open(ARENA_BYTES, arena, err));
    PX_TRY(px_command_config(options, NULL, 0, arena, config, err));
    return on_aws ? open_aws(config, ret, err) : open_folder(config, ret, err);
}

void px_observed_close(px_observed *observed)
{
    px_local_close(observed->local);
    px_aws_ports_destroy(observed->ports);
    px_aws_close(observed->aws);
    *observed = (px_observed){ 0 };
}

/* Milliseconds of a unit; 0 if there is no such unit. */
static int64_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].name, unit) == 0)
            return units[i].ms;
    return 0;
}

px_status px_moment_parse(const char *text, const char *option, int64_t *ret_ms, px_error *err)
{
    if (!text) {
        *ret_ms = 0;
        return PX_OK;
    }
    char *end = NULL;
    errno = 0;
    long long count = strtoll(text, &end, 10);
    int64_t ms = end != text && text[0] >= '0' && text[0] <= '9' && errno == 0 ? unit_ms(end) : 0;
    if (ms && count <= 100000000 / (ms / 1000) * 1000) {
        *ret_ms = px_now_ms() - count * ms;
        return PX_OK;
    }
    char midnight[32];
    if (px_time_parse(text, ret_ms))
        return PX_OK;
    if (strlen(text) == 10) {
        snprintf(midnight, sizeof midnight, "%sT00:00:00Z", text);
        if (px_time_parse(midnight, ret_ms))
            return PX_OK;
    }
    return px_fail(err, PX_BAD_REQUEST,
                   "%s: \"%.60s\" is not a time; write 90s, 10m, 2h or 1d (ago), 2026-11-24 or 2026-11-24T07:05:03Z",
                   option, text);
}

void px_size_format(uint64_t bytes, char text[PX_SIZE_TEXT])
{
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
    if (bytes < 1000) {
        snprintf(text, PX_SIZE_TEXT, "%" PRIu64 " B", bytes);
        return;
    }
    double value = (double)bytes / 1000;
    int unit = 0;
    for (; value >= 999.5; unit++)
        value /= 1000;
    snprintf(text, PX_SIZE_TEXT, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

const char *px_image_pattern(const char *key, const char *bucket, px_arena *arena)
{
    size_t count = strlen(bucket);
    if (!key || (strncmp(key, bucket, count) == 0 && key[count] == '/'))
        return key;
    return px_arena_format(arena, "%s/%s", bucket, key);
}
