/* log.h - one JSON object a line, in the shape of Lambda's own JSON log format (DESIGN.md section 7).
 *
 *   {"timestamp":"…","level":"INFO","requestId":"…","message":"stored output","key":"…","ms":3}
 *
 * Only shells create a log; everyone else writes to the one that was handed down. Threads may share it:
 * a line is written whole. Text format is for people; the file sink always gets JSON. */
#ifndef PX_BASE_LOG_H
#define PX_BASE_LOG_H

#include <stdbool.h>

#include <jansson.h>

#include "base/status.h"

typedef enum px_level { PX_TRACE, PX_DEBUG, PX_INFO, PX_WARN, PX_ERROR, PX_FATAL, PX_LEVEL_COUNT } px_level;

typedef struct px_log px_log;

typedef struct px_log_options {
    bool text;         /* on `fd`: text for people instead of JSON */
    px_level level;    /* lines below it are dropped */
    int fd;            /* usually 1; -1 for none */
    const char *path;  /* also append JSON lines here, NULL for none; rotated to PATH.1 … at 16 MiB, four kept */
} px_log_options;

PX_CHECKED px_status px_log_create(const px_log_options *options, px_log **ret, px_error *err);
void px_log_destroy(px_log *log);

/* Writes a line. `request_id` may be NULL; `fields` is an object or NULL, and is consumed (json_pack fits).
 * A NULL log drops the line. */
void px_log_write(px_log *log, px_level level, const char *request_id, const char *message, json_t *fields);

/* Writes an object of the caller's as it is (platform.start, platform.report, EMF); in text format `text`
 * instead, if not NULL. Consumes `object`. */
void px_log_object(px_log *log, px_level level, json_t *object, const char *text);

const char *px_level_name(px_level level); /* "INFO" */
px_level px_level_find(const char *name);  /* case does not matter; PX_LEVEL_COUNT if there is none */

#endif
