/* keys: the access keys of a data folder: add, list, disable. A running service sees a change with its next request. */
#include "command/command.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "command/observe.h"

static void print_key(const px_access_key *key, bool json, bool with_secret)
{
    char created[PX_TIME_TEXT];
    px_time_format(key->created_ms, created);
    if (json) {
        json_t *line = json_pack("{s:s, s:s*, s:b, s:s}", "accessKeyId", key->id, "secretAccessKey",
                                 with_secret ? key->secret : NULL, "enabled", key->enabled, "createdAt", created);
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
    } else if (with_secret) {
        printf("export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s\n", key->id, key->secret);
    } else {
        printf("%-24s  %-8s  %s\n", key->id, key->enabled ? "enabled" : "disabled", created);
    }
}

static px_status add(px_local *local, bool json, px_error *err)
{
    px_access_key key = { 0 };
    px_access_key_generate(&key);
    key.enabled = true;
    if (!key.created_ms)
        key.created_ms = px_now_ms();
    PX_TRY(px_local_key_put(local, &key, err));
    print_key(&key, json, true);
    return PX_OK;
}

static px_status list(px_local *local, bool json, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_access_key *keys = NULL;
    int count = 0;
    PX_TRY(px_arena_open(64u << 20, &arena, err));
    PX_TRY(px_local_key_list(local, &arena, &keys, &count, err));
    for (int i = 0; i < count; i++)
        print_key(&keys[i], json, false);
    return PX_OK;
}

static px_status disable(px_local *local, const char *id, px_error *err)
{
    px_access_key key;
    px_status status = px_local_key_find(local, id, &key, NULL);
    if (status == PX_NO_SUCH_KEY)
        return px_fail(err, status, "there is no access key %.128s; `pixmill keys list` shows them", id);
    PX_TRY(px_local_key_find(local, id, &key, err));
    key.enabled = false;
    return px_local_key_put(local, &key, err);
}

static px_status manage(const px_options *options, px_error *err)
{
    const char *verb = options->argument_count > 0 ? options->arguments[0] : "list";
    bool json = px_option_is_on(options, "json"), disables = strcmp(verb, "disable") == 0;
    if (!disables && strcmp(verb, "add") != 0 && strcmp(verb, "list") != 0)
        return px_fail(err, PX_BAD_REQUEST, "%.40s is not add, list or disable", verb);
    if (options->argument_count != (disables ? 2 : options->argument_count > 0))
        return px_fail(err, PX_BAD_REQUEST, "%s %s", verb, disables ? "needs the id of one key" : "takes no argument");

    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(px_observed_close) px_observed observed = { 0 };
    px_config config;
    PX_TRY(px_observe_start(options, false, &arena, &config, &observed, err));
    if (disables)
        return disable(observed.local, options->arguments[1], err);
    return strcmp(verb, "add") == 0 ? add(observed.local, json, err) : list(observed.local, json, err);
}

static int run(const px_options *options)
{
    px_error err = { 0 };
    px_status status = manage(options, &err);
    return status == PX_OK ? PX_EXIT_OK : px_options_fail(options, status, &err);
}

static const px_flag flags[] = {
    { "json", 0, NULL, "one key a line", NULL },
    PX_FLAG_DATA,
    PX_FLAG_CONFIG,
    { NULL, 0, NULL, NULL, NULL },
};

const px_command px_command_keys = {
    .name = "keys", .arguments = "add|list|disable [ID]", .summary = "Add, list and disable access keys",
    .flags = flags, .least = 0, .most = 2, .run = run,
};
