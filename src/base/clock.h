/* clock.h - what time it is, and how long something took. */
#ifndef PX_BASE_CLOCK_H
#define PX_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t px_now_ms(void);       /* since 1970, UTC */
int64_t px_monotonic_us(void); /* for durations */

/* "2026-11-24T07:05:03.250Z" (ISO 8601, 24 characters) and back; `parse` also takes no fraction. */
enum { PX_TIME_TEXT = 25 };
void px_time_format(int64_t ms, char text[PX_TIME_TEXT]);
bool px_time_parse(const char *text, int64_t *ret_ms);

/* "Tue, 24 Nov 2026 07:05:03 GMT" (RFC 9110 IMF-fixdate) and back. */
enum { PX_HTTP_TIME_TEXT = 30 };
void px_http_time_format(int64_t ms, char text[PX_HTTP_TIME_TEXT]);
bool px_http_time_parse(const char *text, int64_t *ret_ms);

#endif
