/* The bar is one line on stderr that is drawn over itself. It is hidden while lines are printed, and the lock that
 * hides it also keeps lines of different threads apart. */
#include "command/progress.h"

#include <stdio.h>
#include <unistd.h>

enum { CELLS = 40 };

void px_progress_init(px_progress *progress, int total, bool wanted)
{
    *progress = (px_progress){ .total = total, .shown = wanted && total > 1 && isatty(STDERR_FILENO) };
    pthread_mutex_init(&progress->lock, NULL);
}

void px_progress_hide(px_progress *progress)
{
    pthread_mutex_lock(&progress->lock);
    if (progress->drawn)
        fputs("\r\x1b[K", stderr);
    progress->drawn = false;
}

void px_progress_show(px_progress *progress, int more_finished)
{
    progress->finished += more_finished;
    if (progress->shown) {
        int cells = (int)((long)CELLS * progress->finished / progress->total);
        char bar[CELLS + 1];
        for (int i = 0; i < CELLS; i++)
            bar[i] = i < cells ? '#' : '.';
        bar[CELLS] = '\0';
        fprintf(stderr, "\r[%s] %d/%d", bar, progress->finished, progress->total);
        progress->drawn = true;
    }
    pthread_mutex_unlock(&progress->lock);
}

void px_progress_done(px_progress *progress)
{
    px_progress_hide(progress);
    pthread_mutex_unlock(&progress->lock);
    pthread_mutex_destroy(&progress->lock);
}
