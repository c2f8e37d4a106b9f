/* lane.h - one output on its way: what happens to rows between the decoder and an encoder. Private to src/image.
 *
 * crop → resampler → sharpening → orientation → colour → alpha, canvas → encoder. Plan first, from the header alone; then open, which takes
 * all memory; then every decoded row of each frame; then finish. */
#ifndef PX_IMAGE_LANE_H
#define PX_IMAGE_LANE_H

#include "image/choose.h"
#include "image/colour.h"
#include "image/image.h"
#include "image/planes.h"
#include "image/resample.h"
#include "image/sharpen.h"
#include "image/size.h"
#include "image/watermark.h"

typedef struct px_lane {
    const px_output_spec *spec;
    const px_header *header;   /* borrowed, of the source */
    px_layout layout;          /* as the encoder sees it: upright if the picture is turned, as stored if not */
    int turn;                  /* orientation to apply, 1 to 8 */
    px_layout stored;          /* in the coordinates of decoded rows, at full scale */
    int stored_width, stored_height; /* of the scaled picture, before it is turned; with attention, of all from which it is chosen */
    bool attention;            /* the part that is shown is chosen when all of it is scaled */
    int first_column, first_row; /* of the decoded picture, that are used at all */
    px_encoder_spec encoding;
    px_metadata metadata;      /* owned; what `encoding` tells of the source */
    px_resample_spec scaling;
    bool scaled;               /* false: rows keep their size and go by untouched */
    px_model model;            /* of rows in front of `finish_row` */
    px_alpha alpha;            /* of rows in front of `finish_row` */
    int channels;              /* likewise */
    int decoded;               /* rows of this frame, taken */
    int rows;                  /* of this frame, passed on by the resampler */
    int chosen_x, chosen_y;    /* with attention: where the part begins; chosen in the first frame, for all */
    bool chosen;
    bool chooses;              /* held until format or quality are found: choose.h */
    bool animated;             /* every frame of the source becomes one of the output */

    struct px_lane *feeder;    /* borrowed; the larger lane whose scaled rows this one gets, or NULL: the decoder's */
    struct px_lane *fed, *next_fed; /* borrowed; who gets this one's: a list */
    px_header feed;            /* of the feeder's rows, as if they were a source's */
    px_chroma chroma;          /* that the encoder can make use of */
    bool planar;               /* rows come as planes */
    bool direct;               /* and go to the encoder so */
    px_planes_spec plan;       /* of planes */
    px_planes *planes;         /* owned, or NULL */

    px_resample *resample;     /* owned, or NULL */
    px_encoder *encoder;       /* owned */
    px_sharpen *sharpen;       /* owned, or NULL */
    uint8_t *row;              /* owned; one row of the scaled picture */
    uint8_t *turned;           /* owned; one turned row */
    uint8_t *held;             /* owned; the scaled picture, if its orientation cannot stream, or with attention; or NULL */
    uint8_t *canvas;           /* owned; one row of the output */
    uint8_t background[4];     /* as it is laid under pixels: opaque unless the output has alpha */
    const px_colour *colour;   /* borrowed; NULL if the colours stay */
    uint8_t *converted;        /* owned; one row in sRGB, alpha straight */
    px_watermark *mark;        /* owned; NULL without one */
    int finished;              /* rows of this frame that the encoder has */
} px_lane;


/* What one output will be; nothing is allocated yet. `spec` and `header` are borrowed until done. */
PX_CHECKED px_status px_lane_plan(px_lane *lane, const px_output_spec *spec, const px_header *header, px_error *err);

/* Opens the watermark, if the output has one. */
PX_CHECKED px_status px_lane_plan_mark(px_lane *lane, const px_limits *limits, px_error *err);

/* Of a source that can come as planes, when `colour` is known: can the lane pass them on, and if it cannot, is it good to have them?
 * *ret is how much chroma it needs. */
bool px_lane_likes_planes(px_lane *lane, px_chroma *ret);

/* Lets smaller lanes that show the same part of the source get their rows from larger ones, where what those have is twice what they need:
 * five widths cost little more than two then, and nobody could see it (photos: 49 dB and more; docs/performance.md). Before the second half of the plan. */
void px_lane_plan_ladder(px_lane *lanes, int count);

/* Decoded pixels by the header's, as fractions. */
typedef struct px_scale {
    int across, across_of, down, down_of;
} px_scale;

/* The second half of the plan, when the decoder's scale is known, and whether rows come as planes: NULL, or their sizes. First of a
 * feeder, then of whom it feeds. */
void px_lane_plan_scaling(px_lane *lane, px_scale scale, const px_plane_size *sizes);

uint64_t px_lane_memory(const px_lane *lane); /* bytes */

/* Between the two halves of this (lane_plan.c, lane.c): is the scaled picture held, and of how many bytes; and what is to be found by trying. */
bool px_lane_is_held(const px_lane *lane);
uint64_t px_lane_picture_bytes(const px_lane *lane);
px_choose_spec px_lane_choosing(const px_lane *lane);

PX_CHECKED px_status px_lane_open(px_lane *lane, int fd, px_error *err);

/* Before each frame of an animated lane. */
PX_CHECKED px_status px_lane_next(px_lane *lane, int milliseconds, px_error *err);

/* A decoded row, twice: with straight alpha, and premultiplied where the source has alpha. */
PX_CHECKED px_status px_lane_push(px_lane *lane, uint8_t *straight, uint8_t *premultiplied, px_error *err);

/* A decoded row of planes. */
PX_CHECKED px_status px_lane_push_planes(px_lane *lane, const px_row *row, px_error *err);

/* Ends an output; where it became bigger than the source for nothing, the source's bytes replace it. */
PX_CHECKED px_status px_lane_finish(px_lane *lane, const px_source *source, int fd, px_output_report *ret, px_error *err);
void px_lane_done(px_lane *lane);

#endif
