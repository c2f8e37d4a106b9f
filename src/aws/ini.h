/* ini.h - ~/.aws/config and ~/.aws/credentials ("Configuration and credential file settings", AWS CLI user guide). Private to src/aws. */
#ifndef PX_AWS_INI_H
#define PX_AWS_INI_H

#include "base/arena.h"

/* The value of `key` in [section]; NULL if there is none, or without memory. The last one counts. Nested lines are skipped. */
const char *px_ini_find(px_bytes text, const char *section, const char *key, px_arena *arena);

#endif
