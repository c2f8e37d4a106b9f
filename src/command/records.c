/* records: what became of the pictures, read from the table beside a running service or without one.
 *
 * A record is two or more lines for people (the source, then each output), one line as JSON for programs. --follow asks
 * the table for what changed since its cursor; nothing is missed, and a record that changed twice is shown twice or as
 * it is at last. With --table the records are DynamoDB's. */
#include "command/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/observe.h"

enum { FOLLOW_MS = 300 };

static bool print_json(void *context, const px_record *record)
{
    (void)context;
    json_t *item = px_record_format(record);
    if (item) {
        json_dumpf(item, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(item);
    }
    return !ferror(stdout);
}

static void print_output(const px_record *record, const px_record_output *output)
{
    char size[PX_SIZE_TEXT], dimensions[32] = "", saving[32] = "";
    px_size_format(output->bytes, size);
    if (output->width)
        snprintf(dimensions, sizeof dimensions, "%dx%d", output->width, output->height);
    if (record->bytes && output->width)
        snprintf(saving, sizeof saving, "%+.0f %%",
                 100.0 * ((double)output->bytes - (double)record->bytes) / (double)record->bytes);
    printf("%12s  %-44s %12s %9s %8s\n", "->", output->key, dimensions, size, saving);
}

static bool print_text(void *context, const px_record *record)
{
    (void)context;
    char size[PX_SIZE_TEXT] = "", dimensions[32] = "", duration[32] = "";
    if (record->bytes)
        px_size_format(record->bytes, size);
    if (record->width)
        snprintf(dimensions, sizeof dimensions, "%dx%d", record->width, record->height);
    if (record->milliseconds)
        snprintf(duration, sizeof duration, "%lld ms", (long long)record->milliseconds);
    printf("%-10s  %-46s %12s %9s %8s %9s\n", px_record_status_name(record->status), record->image_id, dimensions, size, record->colour,
           duration);
    for (size_t i = 0; i < record->output_count; i++)
        print_output(record, &record->outputs[i]);
    if (record->error != PX_OK)
        printf("%12s  %s: %s\n", "", px_status_code(record->error), record->error_message);
    return !ferror(stdout);
}

static px_status follow(px_table *table, px_record_filter filter, bool (*print)(void *, const px_record *), int64_t cursor,
                        px_error *err)
{
    filter.limit = 0;
    while (!ferror(stdout)) {
        usleep(FOLLOW_MS * 1000);
        filter.after_change = cursor;
        PX_TRY(table->list(table, &filter, print, NULL, &cursor, err));
        fflush(stdout);
    }
    return PX_OK;
}

/* One filter from the flags. */
static px_status parse_filter(const px_options *options, px_record_filter *ret, px_error *err)
{
    px_record_filter filter = { .status = PX_RECORD_STATUS_COUNT };
    const char *status = px_option_text(options, "status", NULL);
    if (status && (filter.status = px_record_status_find(status)) == PX_RECORD_STATUS_COUNT)
        return px_fail(err, PX_BAD_REQUEST, "--status %s: wanted queued, processing, done, failed, skipped or deleted", status);
    filter.code = px_option_text(options, "code", NULL);
    if (filter.code && px_status_find(filter.code) == PX_STATUS_COUNT)
        return px_fail(err, PX_BAD_REQUEST, "--code %s: there is no such error code", filter.code);
    filter.key = px_option_text(options, "key", NULL);
    PX_TRY(px_moment_parse(px_option_text(options, "since", NULL), "--since", &filter.since_ms, err));
    PX_TRY(px_moment_parse(px_option_text(options, "until", NULL), "--until", &filter.until_ms, err));
    PX_TRY(px_option_number(options, "limit", 0, INT64_MAX, 0, &filter.limit, err));
    *ret = filter;
    return PX_OK;
}

static px_status show_records(const px_options *options, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(px_observed_close) px_observed observed = { 0 };
    px_config config;
    px_record_filter filter;
    bool on_aws = px_option_is_on(options, "table");
    PX_TRY(parse_filter(options, &filter, err));
    if (on_aws && px_option_is_on(options, "follow"))
        return px_fail(err, PX_BAD_REQUEST, "--follow would read all of the table again and again; on AWS the function's log tells of every record");
    PX_TRY(px_observe_start(options, on_aws, &arena, &config, &observed, err));
    if (!on_aws)
        filter.key = px_image_pattern(filter.key, config.source, &arena);
    px_table *table = observed.table;
    if (!table)
        return px_fail(err, PX_BAD_REQUEST, "--table wants a name");

    bool (*print)(void *, const px_record *) = px_option_is_on(options, "json") ? print_json : print_text;
    int64_t cursor = 0;
    PX_TRY(table->list(table, &filter, print, NULL, &cursor, err));
    fflush(stdout);
    return px_option_is_on(options, "follow") ? follow(table, filter, print, cursor, err) : PX_OK;
}

static int run(const px_options *options)
{
    px_error err = { 0 };
    px_status status = show_records(options, &err);
    return status == PX_OK ? PX_EXIT_OK : px_options_fail(options, status, &err);
}

static const px_flag flags[] = {
    { "status", 0, "STATUS", "only queued, processing, done, failed, skipped or deleted", NULL },
    { "code", 0, "CODE", "only this error code, such as corrupt-image", NULL },
    { "key", 'k', "KEY", "only this source key, or BUCKET/KEY; KEY* for all that start so", NULL },
    { "since", 0, "TIME", "10m, 2h, 1d (ago), 2026-11-24 or 2026-11-24T07:05:03Z", NULL },
    { "until", 0, "TIME", "likewise", NULL },
    { "limit", 'n', "COUNT", "at most so many, newest first", NULL },
    { "follow", 0, NULL, "go on with what changes", NULL },
    { "json", 0, NULL, "one record a line", NULL },
    { "table", 0, "NAME", "this table of DynamoDB instead of the data folder's; --key is BUCKET/KEY then", "table" },
    PX_FLAG_DATA,
    PX_FLAG_CONFIG,
    { NULL, 0, NULL, NULL, NULL },
};

const px_command px_command_records = {
    .name = "records", .arguments = "", .summary = "Show what became of the pictures", .flags = flags, .run = run,
};
