/* progress.h - a bar on a terminal while many things are done; nothing elsewhere. Threads may share it. */
#ifndef PX_COMMAND_PROGRESS_H
#define PX_COMMAND_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>

typedef struct px_progress {
    pthread_mutex_t lock;
    int total, finished;
    bool drawn; /* a bar is on the screen */
    bool shown; /* stderr is a terminal and a bar is wanted */
} px_progress;

void px_progress_init(px_progress *progress, int total, bool wanted);
void px_progress_done(px_progress *progress); /* takes the bar away */

/* Brackets a line that somebody else prints, so that the bar does not run into it. */
void px_progress_hide(px_progress *progress); /* locks */
void px_progress_show(px_progress *progress, int more_finished); /* unlocks */

#endif
