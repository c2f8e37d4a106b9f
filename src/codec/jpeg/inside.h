/* inside.h - our own JPEG decoder's parts, as its files share them. Private to them. */
#ifndef PX_CODEC_JPEG_INSIDE_H
#define PX_CODEC_JPEG_INSIDE_H

#include "codec/jpeg/idct.h"
#include "codec/jpeg/scaled.h"
#include "codec/jpeg/zigzag.h"

/* A component on its way from codes to samples. */
typedef struct px_jpeg_plane {
    px_plane_size size;
    int across, down;       /* blocks in an MCU */
    int places;             /* coefficients that are kept of a block; each group has one more, for those that are not */
    int last;               /* of those, in zigzag order */
    uint64_t kept;          /* likewise, a bit for each */
    uint16_t place_of[256]; /* by how far reading came: of the coefficient before, times PX_JPEG_GROUP */
    float steps[64];
    bool has_steps;
    const px_jpeg_huffman *dc, *ac; /* of this scan */
    int before;             /* DC of the block before */
    int16_t *group;         /* of the chunk's first one */
    uint8_t *samples;       /* owned; the lines of a row of MCUs */
    size_t stride;
    int given;              /* lines */

    /* Where the picture comes in several scans: */
    int blocks_across, blocks_down; /* of the component alone; groups and masks are as many as the frame's MCUs have */
    int groups_across;
    int16_t *groups;        /* owned; those of the whole picture, row by row, or NULL */
    uint64_t *masks;        /* owned; by block, which of the coefficients are not 0; NULL where scans do not refine */
    uint64_t unknown;       /* coefficients of which the masks do not tell, since nobody wants them and they are said to be whole */
} px_jpeg_plane;

/* A block of an MCU, in the order of the scan. */
typedef struct px_jpeg_block {
    px_jpeg_plane *plane;
    int16_t *to[PX_JPEG_GROUP]; /* its lane in the chunk, by the MCU's place there */
} px_jpeg_block;

/* What reads the data of scans: one set for each CPU level. */
typedef struct px_jpeg_readers {
    const char *name;
    px_status (*chunk)(px_jpeg_scaled *self, int count, px_error *err); /* so many MCUs of the one scan, into the chunk */
    px_status (*scan)(px_jpeg_scaled *self, px_error *err);             /* one of several, into the groups of the whole picture */
} px_jpeg_readers;

const px_jpeg_readers *px_jpeg_readers_best(void); /* for this CPU */
extern bool px_jpeg_any_cpu; /* for tests: what is best is then what every CPU can do */
extern const px_jpeg_readers px_jpeg_readers_baseline;
extern const px_jpeg_readers px_jpeg_readers_avx2; /* only where PX_HAVE_AVX2; AVX2 comes with BMI2 */

struct px_jpeg_scaled {
    px_jpeg_frame frame;
    const px_jpeg_idct *idct;
    const px_jpeg_readers *readers;
    px_jpeg_plane planes[PX_JPEG_COMPONENTS];
    bool whole;                 /* all scans are read before the first sample is made */
    int mcus_across, mcus_down; /* of the picture */
    px_jpeg_block blocks[PX_JPEG_MCU_BLOCKS]; /* of the scan's MCU */
    int block_count;
    int row;                    /* of MCUs, the next one */
    uint32_t scans;             /* so far */
    uint32_t tables;            /* of codes, so far */
    int left;                   /* MCUs to the next restart marker */
    int restarts;               /* markers so far, in this scan */
    int run;                    /* blocks from here that are all at the end of their band */
    bool lost;                  /* the segment's bits have ended: the rest of it is grey */
    bool truncated;
    int16_t *chunk;             /* owned; the chunk's coefficients */
    size_t chunk_bytes;
    int line;                   /* of grey: the next one in the row of MCUs */
    px_jpeg_huffman dc[4], ac[4]; /* tables that the scan uses are made */
    px_jpeg_input input;
};

static inline size_t px_jpeg_group_count(const px_jpeg_plane *p) { return (size_t)(p->places + 1) * PX_JPEG_GROUP; }

/* A scan begins at the next byte: its codes, its first segment. */
PX_CHECKED px_status px_jpeg_begin_scan(px_jpeg_scaled *self, px_error *err);

/* Before each MCU: passes the restart marker that may be due. */
PX_CHECKED px_status px_jpeg_restart(px_jpeg_scaled *self, px_error *err);
static inline px_status px_jpeg_before_mcu(px_jpeg_scaled *self, px_error *err)
{
    return self->frame.restart && self->left-- == 0 ? px_jpeg_restart(self, err) : PX_OK;
}

/* What it means that the segment has no more bits than were taken, or that there is no such code. */
PX_CHECKED px_status px_jpeg_judge_end(px_jpeg_scaled *self, px_error *err);

/* Where it is accepted that the source ends early, that is no failure. */
PX_CHECKED px_status px_jpeg_judge_truncated(px_jpeg_scaled *self, px_error *err);

/* Reads all scans into `groups`. */
PX_CHECKED px_status px_jpeg_read_scans(px_jpeg_scaled *self, px_error *err);

#endif
