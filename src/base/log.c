/* A line is built in memory, then written with one write(2) under a lock. Log lines that cannot be written
 * are lost on purpose: a full disk must not stop the pipeline. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"

enum { ROTATE_BYTES = 16 << 20, ROTATED_KEPT = 4 };

struct px_log {
    px_log_options options;
    char path[PATH_MAX];
    int file;           /* -1 without a path */
    off_t file_bytes;
    pthread_mutex_t lock; /* over file, file_bytes and the order of lines */
};

static const char *const names[PX_LEVEL_COUNT] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL" };

const char *px_level_name(px_level level) { return names[level]; }

px_level px_level_find(const char *name)
{
    for (int i = 0; i < PX_LEVEL_COUNT; i++)
        if (strcasecmp(names[i], name) == 0)
            return (px_level)i;
    return PX_LEVEL_COUNT;
}

static int open_file(const char *path, off_t *ret_bytes)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct stat about;
    *ret_bytes = fd >= 0 && fstat(fd, &about) == 0 ? about.st_size : 0;
    return fd;
}

px_status px_log_create(const px_log_options *options, px_log **ret, px_error *err)
{
    px_log *log = calloc(1, sizeof *log);
    if (!log)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the log");
    log->options = *options;
    log->file = -1;
    if (options->path) {
        snprintf(log->path, sizeof log->path, "%s", options->path);
        log->file = open_file(log->path, &log->file_bytes);
        if (log->file < 0) {
            px_status status = px_fail_errno(err, errno, "cannot write the log %s", log->path);
            free(log);
            return status;
        }
    }
    pthread_mutex_init(&log->lock, NULL);
    *ret = log;
    return PX_OK;
}

void px_log_destroy(px_log *log)
{
    if (!log)
        return;
    px_fd_close(&log->file);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

/* PATH.3 → PATH.4, …, PATH → PATH.1. Under the lock. */
static void rotate(px_log *log)
{
    char from[PATH_MAX + 8], to[PATH_MAX + 8];
    for (int i = ROTATED_KEPT - 1; i >= 0; i--) {
        snprintf(from, sizeof from, i ? "%s.%d" : "%s", log->path, i);
        snprintf(to, sizeof to, "%s.%d", log->path, i + 1);
        rename(from, to);
    }
    px_fd_close(&log->file);
    log->file = open_file(log->path, &log->file_bytes);
}

static void emit(px_log *log, const px_buffer *json, const px_buffer *text)
{
    if (json->failed || text->failed)
        return;
    pthread_mutex_lock(&log->lock);
    if (log->options.fd >= 0) {
        const px_buffer *line = log->options.text ? text : json;
        if (line->count && px_write_all(log->options.fd, line->data, line->count, "the log", NULL) != PX_OK)
            log->options.fd = -1; /* a closed pipe stays closed */
    }
    if (log->file >= 0 && json->count) {
        if (log->file_bytes + (off_t)json->count > ROTATE_BYTES)
            rotate(log);
        if (log->file >= 0 && px_write_all(log->file, json->data, json->count, "the log", NULL) == PX_OK)
            log->file_bytes += (off_t)json->count;
    }
    pthread_mutex_unlock(&log->lock);
}

static int push_json(const char *data, size_t count, void *buffer)
{
    px_buffer_push(buffer, data, count);
    return 0;
}

static void format_json(px_buffer *line, const json_t *object)
{
    json_dump_callback(object, push_json, line, JSON_COMPACT | JSON_REAL_PRECISION(9));
    px_buffer_text(line, "\n");
}

/* "07:05:03.250 INFO  stored output key=a/b.jpg ms=3" */
static void format_text(px_buffer *line, const char *time, px_level level, const char *message, json_t *fields)
{
    px_buffer_format(line, "%.12s %-5s %s", time + 11, names[level], message);
    const char *name;
    json_t *value;
    json_object_foreach(fields, name, value) {
        px_buffer_format(line, " %s=", name);
        if (json_is_string(value))
            px_buffer_text(line, json_string_value(value));
        else
            json_dump_callback(value, push_json, line, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    }
    px_buffer_text(line, "\n");
}

void px_log_write(px_log *log, px_level level, const char *request_id, const char *message, json_t *fields)
{
    if (!log || level < log->options.level) {
        json_decref(fields);
        return;
    }
    char time[PX_TIME_TEXT];
    px_time_format(px_now_ms(), time);
    PX_AUTO(px_buffer_done) px_buffer json = { 0 };
    PX_AUTO(px_buffer_done) px_buffer text = { 0 };
    json_t *object = json_pack("{s:s, s:s, s:s*, s:s}", "timestamp", time, "level", names[level], "requestId",
                               request_id, "message", message);
    if (object) {
        if (fields)
            json_object_update_missing(object, fields);
        format_json(&json, object);
    }
    if (log->options.text)
        format_text(&text, time, level, message, fields);
    json_decref(object);
    json_decref(fields);
    emit(log, &json, &text);
}

void px_log_object(px_log *log, px_level level, json_t *object, const char *text)
{
    if (!log || level < log->options.level) {
        json_decref(object);
        return;
    }
    PX_AUTO(px_buffer_done) px_buffer json = { 0 };
    PX_AUTO(px_buffer_done) px_buffer line = { 0 };
    format_json(&json, object);
    json_decref(object);
    if (text)
        px_buffer_format(&line, "%s\n", text);
    emit(log, &json, text ? &line : &json);
}
