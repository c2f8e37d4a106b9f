/* logs: the service's log files, oldest line first: DATA/log/pixmill.jsonl.4 … .1, then pixmill.jsonl.
 *
 * Each line is one JSON object; what does not parse (a line that a power cut left half) is shown as it is unless
 * something is filtered for. --follow keeps reading at the end of the present file, and goes over to the new one when
 * the service has moved the old one aside. */
#include "command/command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "command/observe.h"

enum { FOLLOW_MS = 300, ROTATED_KEPT = 4 };

struct view {
    px_level level;           /* at least; PX_TRACE for all */
    const char *key, *request; /* NULL for all */
    int64_t since_ms;
    bool json;
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* Platform objects carry their fields in "record" and their time in "time". */
static const json_t *fields_of(const json_t *line)
{
    const json_t *record = json_object_get(line, "record");
    return json_is_object(record) ? record : line;
}

/* Is the key, with or without its bucket, among the places where a line names one? */
static bool names_key(const json_t *fields, const char *pattern)
{
    static const char *const names[] = { "key", "imageId", "target" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = text_of(fields, names[i]);
        const char *slash = strchr(value, '/');
        if (*value && (px_key_matches(pattern, value) || (slash && px_key_matches(pattern, slash + 1))))
            return true;
    }
    return false;
}

static bool is_wanted(const struct view *view, const json_t *line)
{
    const json_t *fields = fields_of(line);
    const char *level = text_of(line, "level");
    px_level found = *level ? px_level_find(level) : PX_INFO;
    if (found != PX_LEVEL_COUNT && found < view->level)
        return false;
    if (view->request && strcmp(text_of(fields, "requestId"), view->request) != 0)
        return false;
    if (view->key && !names_key(fields, view->key))
        return false;
    int64_t ms = 0;
    const char *time = text_of(line, *text_of(line, "timestamp") ? "timestamp" : "time");
    return !view->since_ms || (px_time_parse(time, &ms) && ms >= view->since_ms);
}

static void print_value(const char *name, const json_t *value)
{
    if (json_is_string(value)) {
        printf(" %s=%s", name, json_string_value(value));
        return;
    }
    printf(" %s=", name);
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
}

static void print_text(const json_t *line)
{
    static const char *const shown[] = { "timestamp", "time", "level", "message", "type", "record" };
    const char *time = text_of(line, *text_of(line, "timestamp") ? "timestamp" : "time");
    const char *level = text_of(line, "level");
    printf("%-24s %-5s %s", time, *level ? level : "INFO", text_of(line, *text_of(line, "message") ? "message" : "type"));
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)fields_of(line), name, value) {
        bool done = false;
        for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
            done = done || strcmp(shown[i], name) == 0;
        if (!done)
            print_value(name, value);
    }
    putchar('\n');
}

static void show(const struct view *view, const char *text, size_t count)
{
    json_t *line = json_loadb(text, count, JSON_REJECT_DUPLICATES, NULL);
    bool is_open = view->level == PX_TRACE && !view->key && !view->request && !view->since_ms;
    if (!json_is_object(line) ? is_open : is_wanted(view, line)) {
        if (view->json || !json_is_object(line))
            fwrite(text, 1, count, stdout);
        else
            print_text(line);
    }
    json_decref(line);
}

static void close_file(FILE **file)
{
    if (*file)
        fclose(*file);
    *file = NULL;
}

static void free_text(char **text) { free(*text); }

/* Shows the whole lines from here on; a line that is still being written is left for the next time. */
static void show_rest(const struct view *view, FILE *file)
{
    PX_AUTO(free_text) char *text = NULL;
    size_t capacity = 0;
    ssize_t count;
    while ((count = getline(&text, &capacity, file)) > 0 && !ferror(stdout)) {
        if (text[count - 1] != '\n') {
            fseeko(file, -(off_t)count, SEEK_CUR);
            break;
        }
        show(view, text, (size_t)count);
    }
    clearerr(file);
    fflush(stdout);
}

/* Was the file moved aside, or made anew, since it was opened? */
static bool was_rotated(const char *path, FILE *file)
{
    struct stat there, here;
    if (stat(path, &there) != 0 || fstat(fileno(file), &here) != 0)
        return false;
    return there.st_ino != here.st_ino || there.st_dev != here.st_dev;
}

static void follow(const struct view *view, const char *path, FILE **file)
{
    while (!ferror(stdout)) {
        usleep(FOLLOW_MS * 1000);
        if (*file) {
            bool rotated = was_rotated(path, *file); /* asked first: what was written before is read below */
            show_rest(view, *file);
            if (rotated)
                close_file(file);
        }
        if (!*file && (*file = fopen(path, "re")))
            show_rest(view, *file);
    }
}

static px_status show_logs(const px_config *config, const struct view *view, bool follows, px_error *err)
{
    char path[PATH_MAX], rotated[PATH_MAX + 8];
    int count = snprintf(path, sizeof path, "%s/log/pixmill.jsonl", config->data);
    if (count < 0 || (size_t)count >= sizeof path)
        return px_fail(err, PX_BAD_CONFIG, "the data folder's name is too long");
    for (int i = ROTATED_KEPT; i >= 1; i--) {
        snprintf(rotated, sizeof rotated, "%s.%d", path, i);
        PX_AUTO(close_file) FILE *old = fopen(rotated, "re");
        if (old)
            show_rest(view, old);
    }
    PX_AUTO(close_file) FILE *file = fopen(path, "re");
    if (!file && errno == ENOENT && !follows)
        return px_fail(err, PX_NO_SUCH_KEY,
                       "there is no log %s: name another data folder with --data DIR, or start `pixmill serve` first", path);
    if (!file && errno != ENOENT)
        return px_fail_errno(err, errno, "cannot read %s", path);
    if (file)
        show_rest(view, file);
    if (follows)
        follow(view, path, &file);
    return PX_OK;
}

static px_status look(const px_options *options, px_error *err)
{
    struct view view = {
        .key = px_option_text(options, "key", NULL), .request = px_option_text(options, "request", NULL),
        .json = px_option_is_on(options, "json"),
    };
    const char *level = px_option_text(options, "level", "trace");
    if ((view.level = px_level_find(level)) == PX_LEVEL_COUNT)
        return px_fail(err, PX_BAD_REQUEST, "--level %s: wanted trace, debug, info, warn, error or fatal", level);
    PX_TRY(px_moment_parse(px_option_text(options, "since", NULL), "--since", &view.since_ms, err));

    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_config config;
    PX_TRY(px_arena_open(16u << 20, &arena, err));
    PX_TRY(px_command_config(options, NULL, 0, &arena, &config, err));
    return show_logs(&config, &view, px_option_is_on(options, "follow"), err);
}

static int run(const px_options *options)
{
    px_error err = { 0 };
    px_status status = look(options, &err);
    return status == PX_OK ? PX_EXIT_OK : px_options_fail(options, status, &err);
}

static const px_flag flags[] = {
    { "level", 0, "LEVEL", "this level and above: trace, debug, info, warn, error, fatal", NULL },
    { "key", 'k', "KEY", "only lines about this key, with or without its bucket; KEY* for all that start so", NULL },
    { "request", 'r', "ID", "only lines of this request", NULL },
    { "since", 0, "TIME", "10m, 2h, 1d (ago), 2026-11-24 or 2026-11-24T07:05:03Z", NULL },
    { "follow", 0, NULL, "go on with what comes", NULL },
    { "json", 0, NULL, "the lines as they are stored", NULL },
    PX_FLAG_DATA,
    PX_FLAG_CONFIG,
    { NULL, 0, NULL, NULL, NULL },
};

const px_command px_command_logs = {
    .name = "logs", .arguments = "", .summary = "Show the service's log", .flags = flags, .run = run,
};
