/* orient.h - the eight EXIF orientations: from rows as stored to rows as people see them. */
#ifndef PX_IMAGE_ORIENT_H
#define PX_IMAGE_ORIENT_H

#include <stdbool.h>
#include <stdint.h>

/* Do width and height change places? */
static inline bool px_orientation_turns(int orientation) { return orientation >= 5; }

/* Can rows pass one by one? Otherwise the picture must be held. */
static inline bool px_orientation_streams(int orientation) { return orientation <= 2; }

/* Writes row `y` of the upright picture. `stored` holds the whole picture as stored, `width` x `height` pixels of
 * `channels` bytes; for orientations that stream, the one row as stored (then y and height do not matter). */
void px_orient_row(const uint8_t *stored, int width, int height, int channels, int orientation, int y,
                   uint8_t *upright);

#endif
