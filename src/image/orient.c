/* Turning and mirroring. Every orientation is a walk over the stored pixels: where an upright row starts and by how many
 * pixels it goes on, so one loop serves all eight (EXIF 2.32, 4.6.4 A, tag 274). */
#include "image/orient.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

void px_orient_row(const uint8_t *stored, int width, int height, int channels, int orientation, int y,
                   uint8_t *upright)
{
    assert(orientation >= 1 && orientation <= 8);
    ptrdiff_t w = width, last = w * height - 1, right = w - 1, bottom = w * (height - 1);
    const struct {
        ptrdiff_t start, step;
    } walks[9] = {
        [1] = { 0, 1 },                  [2] = { right, -1 },
        [3] = { last - y * w, -1 },      [4] = { bottom - y * w, 1 },
        [5] = { y, w },                  [6] = { bottom + y, -w },
        [7] = { last - y, -w },          [8] = { right - y, w },
    };
    ptrdiff_t at = walks[orientation].start, step = walks[orientation].step;
    int count = px_orientation_turns(orientation) ? height : width;
    size_t pixel = (size_t)channels;
    if (step == 1) {
        memcpy(upright, stored + at * channels, (size_t)count * pixel);
        return;
    }
    for (int x = 0; x < count; x++, at += step)
        for (size_t c = 0; c < pixel; c++)
            upright[(size_t)x * pixel + c] = stored[at * channels + (ptrdiff_t)c];
}
