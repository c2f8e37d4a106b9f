/* Text is made and read by hand where the C library would ask the locale. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const weekdays[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

int64_t px_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t px_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct tm broken_down(int64_t ms)
{
    int64_t seconds = ms / 1000 - (ms % 1000 < 0);
    time_t time = (time_t)seconds;
    struct tm tm = { 0 };
    gmtime_r(&time, &tm);
    return tm;
}

void px_time_format(int64_t ms, char text[PX_TIME_TEXT])
{
    struct tm tm = broken_down(ms);
    unsigned year = (unsigned)(tm.tm_year + 1900) % 10000u, fraction = (unsigned)(((ms % 1000) + 1000) % 1000);
    char whole[96]; /* wide enough for what the compiler must assume of the numbers */
    snprintf(whole, sizeof whole, "%04u-%02d-%02dT%02d:%02d:%02d.%03uZ", year, tm.tm_mon + 1, tm.tm_mday,
             tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
    memcpy(text, whole, PX_TIME_TEXT - 1);
    text[PX_TIME_TEXT - 1] = '\0';
}

/* Refuses what timegm would silently carry over (31 February, hour 25). */
static bool to_ms(struct tm tm, int64_t *ret_ms)
{
    struct tm carried = tm;
    time_t seconds = timegm(&carried);
    if (carried.tm_mon != tm.tm_mon || carried.tm_mday != tm.tm_mday || carried.tm_hour != tm.tm_hour ||
        carried.tm_min != tm.tm_min || carried.tm_sec != tm.tm_sec)
        return false;
    *ret_ms = (int64_t)seconds * 1000;
    return true;
}

bool px_time_parse(const char *text, int64_t *ret_ms)
{
    struct tm tm = { 0 };
    int used = 0, fraction = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &tm.tm_sec, &used) != 6)
        return false;
    const char *rest = text + used;
    if (*rest == '.') {
        int scale = 100;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
            fraction += (*rest - '0') * scale;
    }
    if (strcmp(rest, "Z") != 0)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t ms;
    if (!to_ms(tm, &ms))
        return false;
    *ret_ms = ms + fraction;
    return true;
}

void px_http_time_format(int64_t ms, char text[PX_HTTP_TIME_TEXT])
{
    struct tm tm = broken_down(ms);
    char whole[96];
    snprintf(whole, sizeof whole, "%s, %02d %s %04u %02d:%02d:%02d GMT", weekdays[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], (unsigned)(tm.tm_year + 1900) % 10000u, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(text, whole, PX_HTTP_TIME_TEXT - 1);
    text[PX_HTTP_TIME_TEXT - 1] = '\0';
}

bool px_http_time_parse(const char *text, int64_t *ret_ms)
{
    struct tm tm = { 0 };
    char month[4];
    int used = 0;
    if (sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month, &tm.tm_year, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &used) != 6 || !used || text[used])
        return false;
    tm.tm_mon = -1;
    for (int i = 0; i < 12; i++)
        if (strcmp(months[i], month) == 0)
            tm.tm_mon = i;
    tm.tm_year -= 1900;
    return tm.tm_mon >= 0 && to_ms(tm, ret_ms);
}
