/* One table out of the one list; everything else reads it. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static const struct {
    const char *code;
    int http, exit;
    bool transient;
    const char *meaning;
} rows[PX_STATUS_COUNT] = {
#define PX_STATUS_ROW(name, code, http, exit, transient, meaning) [name] = { code, http, exit, transient, meaning },
    PX_STATUS_LIST(PX_STATUS_ROW)
#undef PX_STATUS_ROW
};

/* Messages go into JSON, which takes no broken text (a stranger's, or a character that did not fit whole), and onto
 * terminals, which must not obey what a stranger wrote. */
static void tidy(char *message)
{
    px_utf8_mend(message);
    for (char *at = message; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
}

px_status px_fail(px_error *err, px_status status, const char *format, ...)
{
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(err->message, sizeof err->message, format, arguments);
        va_end(arguments);
        tidy(err->message);
    }
    return status;
}

static px_status status_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT: return PX_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS:  return PX_ACCESS_DENIED;
    case ENOMEM: return PX_OUT_OF_MEMORY;
    default:     return PX_INTERNAL;
    }
}

px_status px_fail_errno(px_error *err, int number, const char *format, ...)
{
    if (err) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(err->message, sizeof err->message, format, arguments);
        va_end(arguments);
        size_t used = strlen(err->message);
        char text[96];
        snprintf(err->message + used, sizeof err->message - used, ": %s", strerror_r(number, text, sizeof text));
        tidy(err->message);
    }
    return status_of_errno(number);
}

const char *px_status_code(px_status status) { return rows[status].code; }
const char *px_status_meaning(px_status status) { return rows[status].meaning; }
int px_status_http(px_status status) { return rows[status].http; }
int px_status_exit(px_status status) { return rows[status].exit; }
bool px_status_is_transient(px_status status) { return rows[status].transient; }

px_status px_status_find(const char *code)
{
    for (int i = 0; i < PX_STATUS_COUNT; i++)
        if (strcmp(rows[i].code, code) == 0)
            return (px_status)i;
    return PX_STATUS_COUNT;
}
