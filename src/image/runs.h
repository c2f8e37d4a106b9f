/* runs.h - a line of text cut where its direction changes, in the order in which people see the pieces. Private to src/image.
 *
 * The Unicode bidirectional algorithm (UAX #9) as far as a label needs it: letters from the left and from the right, numbers, and what is
 * neutral between them. No embeddings or isolates, and of numbers and marks the common ones. */
#ifndef PX_IMAGE_RUNS_H
#define PX_IMAGE_RUNS_H

#include <stdbool.h>

#include "image/mark.h"

typedef struct px_run {
    int start, count;   /* bytes of the text */
    bool from_right;
} px_run;

/* `text` is UTF-8 of at most PX_MARK_TEXT_MAX bytes. Fills `runs` from left to right as seen; returns how many there are. */
int px_runs_of(const char *text, px_run runs[PX_MARK_TEXT_MAX]);

unsigned px_character_at(const char *text, int *ret_bytes); /* `ret_bytes` may be NULL */

#endif
