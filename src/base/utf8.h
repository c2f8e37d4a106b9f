/* utf8.h - is a stranger's text UTF-8 (RFC 3629), and what to do if it is not. */
#ifndef PX_BASE_UTF8_H
#define PX_BASE_UTF8_H

#include <stdbool.h>

bool px_is_utf8(const char *text);

/* Makes each byte that belongs to no character a '?', in place: also the half of one that a cut has left. */
void px_utf8_mend(char *text);

#endif
