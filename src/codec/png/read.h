/* read.h - what the parts of PNG's decoder share, in the order in which a picture passes them: chunks.c, head.c, rows.c, expand.c, decode.c.
 * Private to src/codec/png. */
#ifndef PX_CODEC_PNG_READ_H
#define PX_CODEC_PNG_READ_H

#include <isa-l/igzip_lib.h>

#include "base/buffer.h"
#include "codec/codec.h"
#include "codec/png/colour_type.h"
#include "codec/png/frames.h"
#include "codec/png/unfilter.h"
#include "codec/space.h"

enum { PX_PNG_INPUT_BYTES = 64 << 10, PX_PNG_INFLATED_BYTES = 256 << 10 };

typedef struct px_png_decoder px_png_decoder;

/* A raw row of so many pixels to one of the header's model and alpha. */
typedef void (*px_png_expansion)(const px_png_decoder *self, const uint8_t *raw, size_t width, uint8_t *row);

struct px_png_decoder {
    px_decoder base;
    const px_source *source;
    const px_limits *limits;

    uint64_t offset;            /* of the next byte to read from the source */
    size_t input_at, input_count;
    char type[5];               /* of the chunk we are in */
    uint32_t chunk_left;        /* its bytes not yet taken */
    uint32_t crc;               /* of what was taken of it */
    uint64_t metadata_bytes;

    int depth, colour_type, file_channels;
    bool has_srgb, has_cicp, has_gamma; /* chunks, by which the one that counts is told (11.3.2) */
    bool interlaced, has_palette, has_key;
    uint8_t palette[256][4];    /* RGBA; entries that are not in the file are opaque black */
    uint16_t key[3];            /* the colour that is transparent, as stored */

    struct inflate_state inflate;
    px_status failure;           /* met while inflating: told when the rows in front of it are taken */
    px_error failed;
    uint8_t *window;             /* owned; of the inflated stream */
    size_t window_count, inflated_at, inflated_count; /* its bytes; those that are rows to come */
    const px_unfilter *unfilter;
    uint8_t *rows;               /* owned; the row above, and `group` rows whose filters are undone */
    size_t group, row_count;     /* row_count: bytes of one, in this pass */
    size_t rows_left, rows_ready, rows_taken; /* of this pass: still in the stream; of the group: there, and given */

    px_png_expansion expand;     /* NULL: finished rows are as those in the file */
    uint8_t *unpacked;           /* owned; a row of samples of less than 8 bits, a byte each */
    uint8_t *row;                /* owned; one finished row */
    uint8_t *held;               /* owned; the finished picture, if interlaced */
    uint8_t *profile;            /* owned; the ICC profile, inflated or made of what is said in numbers; or NULL */
    px_space space;              /* which they say */
    px_buffer exif, xmp, text;   /* as the header has them */
    int pulled;

    bool has_animation;         /* an acTL; what it says is in `facts` */
    px_png_animation_facts facts;
    uint8_t control[PX_PNG_CONTROL_BYTES]; /* of the first frame, if that is the still */
    const char *data_type;      /* of the chunks that hold the pixels: IDAT, fdAT */
    uint32_t sequence;          /* that the next fcTL or fdAT has */
    int frame;                  /* frames drawn; 0: still before the first */
    px_canvas canvas;           /* owned; empty for a still */

    uint8_t input[PX_PNG_INPUT_BYTES];
};

/* ---- chunks.c ---- */

/* Bytes of the source, counted in the chunk's checksum; NULL skips them. */
PX_CHECKED px_status px_png_read(px_png_decoder *self, void *target, size_t count, px_error *err);
PX_CHECKED px_status px_png_refill(px_png_decoder *self, px_error *err); /* when `input` is used up */

PX_CHECKED px_status px_png_chunk_begin(px_png_decoder *self, px_error *err);

/* Takes `count` bytes of the chunk; NULL skips them. */
PX_CHECKED px_status px_png_chunk_take(px_png_decoder *self, void *target, size_t count, px_error *err);

/* Skips what is left of the chunk and checks it. */
PX_CHECKED px_status px_png_chunk_end(px_png_decoder *self, px_error *err);

/* ---- head.c ---- */

/* All chunks in front of the first IDAT, whose data comes next; all that they say of the picture is in `base.header` then, but its alpha
 * and its frames. */
PX_CHECKED px_status px_png_read_head(px_png_decoder *self, px_error *err);

/* ---- rows.c ---- */

/* At the beginning of an fcTL's or fdAT's data: the numbers count on over both. */
PX_CHECKED px_status px_png_check_sequence(px_png_decoder *self, uint32_t sequence, px_error *err);

/* Behind the head of a chunk of pixels. */
PX_CHECKED px_status px_png_begin_data(px_png_decoder *self, px_error *err);

PX_CHECKED px_status px_png_rows_create(px_png_decoder *self, px_error *err);
uint64_t px_png_rows_memory(const px_png_decoder *self);

/* Before the first row of a picture or frame. */
void px_png_begin_rows(px_png_decoder *self);

/* Before the first row of each of its passes; of one that is not interlaced there is one. */
void px_png_begin_pass(px_png_decoder *self, int width, int height);

/* The next raw row, without its filter; valid until the next call. */
PX_CHECKED px_status px_png_next_raw(px_png_decoder *self, uint8_t **ret, px_error *err);

/* After the last row. */
PX_CHECKED px_status px_png_end_rows(px_png_decoder *self, px_error *err);

size_t px_png_row_bytes(const px_png_decoder *self, size_t width); /* of a raw row, its filter excluded */

/* ---- expand.c ---- */

int px_png_channels(const px_png_decoder *self);       /* of finished rows */
size_t px_png_pixel_bytes(const px_png_decoder *self); /* likewise */
px_png_expansion px_png_choose_expansion(const px_png_decoder *self);
enum { PX_PNG_EXPANSION_SLACK = 8 }; /* bytes behind a row that it may write */

#endif
