/* planes.h - Y, Cb and Cr on their way: each plane is scaled at its own size, and comes out as an encoder stores it.
 *
 * Take a row of a decoder, then pull until nothing is ready. What is pulled is a row of PX_YCC: one line of each plane, or with
 * PX_CHROMA_HALVED two of Y (of an odd height, the last has one). Of an output that wants RGB, pull whole chroma and convert it:
 * then, too, chroma was scaled at its own size. Private to src/image. */
#ifndef PX_IMAGE_PLANES_H
#define PX_IMAGE_PLANES_H

#include "codec/codec.h"

typedef struct px_planes_spec {
    const px_header *header;                                /* borrowed during create and memory */
    px_plane_size sizes[3];                                 /* as the decoder gives them */
    int window_x, window_y, window_width, window_height;    /* pixels of the source that may be looked at */
    double part_x, part_y, part_width, part_height;         /* pixels of the source that become the target */
    int target_width, target_height;
    px_chroma chroma;                                       /* of what is pulled */
    bool narrow;                                            /* likewise */
} px_planes_spec;

typedef struct px_planes px_planes;

PX_CHECKED px_status px_planes_create(const px_planes_spec *spec, px_planes **ret, px_error *err);
void px_planes_destroy(px_planes *self);              /* NULL is accepted */
uint64_t px_planes_memory(const px_planes_spec *spec); /* bytes that create will take */

/* The decoder's next row, in its order. Borrowed until the pull that says no. */
void px_planes_take(px_planes *self, const px_row *row);

/* The next row that is ready, valid until the next pull. */
bool px_planes_pull(px_planes *self, px_row *ret);

/* A pulled row with whole chroma as interleaved RGB (BT.601: JFIF 1.02 section 3, or as video has it). */
void px_planes_to_rgb(const px_row *row, uint8_t *target);

#endif
