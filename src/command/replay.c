/* replay: puts dead letters back into the queue; a running service takes them up at once, a stopped one at its start.
 * It wants to be told which: putting all of them back has to be said, with --all. The queues are SQS's with --dead-letters. */
#include "command/command.h"

#include <stdio.h>
#include <string.h>

#include "command/observe.h"

static px_status replay(const px_options *options, int64_t *ret_count, px_error *err)
{
    px_dead_filter filter = { .code = px_option_text(options, "code", NULL) };
    const char *key = px_option_text(options, "key", NULL);
    bool is_narrow = key || filter.code || px_option_is_on(options, "since") || px_option_is_on(options, "until");
    if (is_narrow == px_option_is_on(options, "all"))
        return px_fail(err, PX_BAD_REQUEST, "%s", is_narrow ? "--all and a filter contradict each other"
                                                            : "say which: --key, --code, --since, --until, or --all");
    if (filter.code && px_status_find(filter.code) == PX_STATUS_COUNT)
        return px_fail(err, PX_BAD_REQUEST, "--code %s: there is no such error code", filter.code);
    PX_TRY(px_moment_parse(px_option_text(options, "since", NULL), "--since", &filter.since_ms, err));
    PX_TRY(px_moment_parse(px_option_text(options, "until", NULL), "--until", &filter.until_ms, err));

    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(px_observed_close) px_observed observed = { 0 };
    px_config config;
    bool on_aws = px_option_is_on(options, "dead-letters");
    if (on_aws != px_option_is_on(options, "queue"))
        return px_fail(err, PX_BAD_REQUEST, "on AWS both are wanted: --dead-letters URL (from where) and --queue URL (to where)");
    PX_TRY(px_observe_start(options, on_aws, &arena, &config, &observed, err));
    filter.key = on_aws ? key : px_image_pattern(key, config.source, &arena);
    if (!observed.queue)
        return px_fail(err, PX_BAD_REQUEST, "--queue wants an address");
    return observed.queue->replay(observed.queue, &filter, ret_count, err);
}

static int run(const px_options *options)
{
    px_error err = { 0 };
    int64_t count = 0;
    px_status status = replay(options, &count, &err);
    if (status != PX_OK)
        return px_options_fail(options, status, &err);
    if (px_option_is_on(options, "json"))
        printf("{\"replayed\":%lld}\n", (long long)count);
    else
        printf("%lld back in the queue\n", (long long)count);
    return PX_EXIT_OK;
}

static const px_flag flags[] = {
    { "all", 0, NULL, "all of them", NULL },
    { "key", 'k', "KEY", "only this source key, or BUCKET/KEY; KEY* for all that start so", NULL },
    { "code", 0, "CODE", "only this error code, such as corrupt-image", NULL },
    { "since", 0, "TIME", "10m, 2h, 1d (ago), 2026-11-24 or 2026-11-24T07:05:03Z", NULL },
    { "until", 0, "TIME", "likewise", NULL },
    { "json", 0, NULL, "the count as JSON", NULL },
    { "dead-letters", 0, "URL", "the dead letters of this SQS queue instead of the data folder's; --key is BUCKET/KEY then", "dead_letters" },
    { "queue", 'q', "URL", "and the SQS queue that they go back to", "queue" },
    PX_FLAG_DATA,
    PX_FLAG_CONFIG,
    { NULL, 0, NULL, NULL, NULL },
};

const px_command px_command_replay = {
    .name = "replay", .arguments = "", .summary = "Put dead letters back into the queue", .flags = flags, .run = run,
};
