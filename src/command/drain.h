/* drain.h - how the commands that keep running are stopped: a first signal begins the drain, a second one ends it at once. */
#ifndef PX_COMMAND_DRAIN_H
#define PX_COMMAND_DRAIN_H

#include "base/log.h"

/* Keeps SIGTERM and SIGINT for px_drain_wait, in this thread and in those that it starts from now on. */
void px_drain_prepare(void);

/* Until one of them comes; it is logged. */
void px_drain_wait(px_log *log);

/* From here on a second signal ends the process, and so do `seconds`: with exit code 1 and `message` (a whole line; borrowed for
 * good) on the standard error. */
void px_drain_begin(int seconds, const char *message);

#endif
