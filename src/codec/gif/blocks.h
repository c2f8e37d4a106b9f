/* blocks.h - a GIF's blocks, one after the other: what is said of each frame, and where its pixels lie. Private to
 * src/codec/gif.
 *
 * Nothing is decoded and nothing kept but where we are: the same walk counts the frames before the first pixel, and finds
 * them again later. Section numbers are those of GIF89a. */
#ifndef PX_CODEC_GIF_BLOCKS_H
#define PX_CODEC_GIF_BLOCKS_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"
#include "codec/canvas.h"

enum { PX_GIF_HEAD = 13 }; /* bytes of signature and screen descriptor */

typedef struct px_gif_colours {
    const uint8_t *table; /* borrowed; RGB; NULL without one */
    int count;
} px_gif_colours;

typedef struct px_gif_frame {
    px_rectangle place;
    bool interlaced;
    int transparent;         /* the pixel that leaves what is there; -1: none */
    int milliseconds;        /* that it is shown */
    px_disposal disposal;
    px_gif_colours colours;  /* its own, or the file's */
    size_t data;             /* where its compressed pixels begin */
} px_gif_frame;

typedef struct px_gif_blocks {
    px_bytes bytes;          /* borrowed; the whole file */
    size_t at;
    int width, height;       /* of the screen, as the file says */
    px_gif_colours global;
    int loops;               /* as in px_header: 1 unless a block before said otherwise */
    px_bytes profile;        /* of ICC, still in sub-blocks; empty without one */
    size_t metadata_bytes;   /* of extensions that are not needed, so far */
    bool accepts;            /* set it: a frame whose pixels the file's end cuts off is one too */
    bool cut;                /* the file ended within a block, and that was accepted */
} px_gif_blocks;

/* The head has been recognised. */
PX_CHECKED px_status px_gif_blocks_init(px_gif_blocks *self, px_bytes bytes, px_error *err);

/* Goes on to the next frame; *ret_found is false at the file's end, which may lack its mark. PX_TRUNCATED_IMAGE where the file ends
 * within a block. */
PX_CHECKED px_status px_gif_blocks_next(px_gif_blocks *self, px_gif_frame *ret, bool *ret_found, px_error *err);

/* Copies what sub-blocks hold, at most `room` bytes; returns how many there are. For sub-blocks that were walked over. */
size_t px_gif_gather(px_bytes blocks, uint8_t *target, size_t room);

#endif
