/* bits.h - the bits of a JPEG's scans, out of a source that may still arrive.
 *
 * An entropy-coded segment is what lies between two markers. Its bytes are copied into a window without what was stuffed in (the 0
 * behind each 0xff), and behind its end lie zeros: so a block can be read without asking whether there are bits, if px_jpeg_room was
 * asked before it. Private to src/codec/jpeg. */
#ifndef PX_CODEC_JPEG_BITS_H
#define PX_CODEC_JPEG_BITS_H

#include <endian.h>
#include <string.h>

#include "codec/codec.h"

enum {
    PX_JPEG_RAW_BYTES = 32 << 10,
    PX_JPEG_ROOM = 272,           /* bytes: no block has more, with 31 bits for each of 64 coefficients and what is read ahead */
    PX_JPEG_WINDOW_BYTES = 16 << 10,
    PX_JPEG_RESTART = 0xd0,       /* the first of eight markers */
    PX_JPEG_END = 0xd9,           /* the marker "end of image"; also where the source ends without one */
};

/* Where in the window reading is. `bits` are the next ones, the first one highest; `count` of them are sure to be right, those
 * below are right or 0. */
typedef struct px_jpeg_bits {
    uint64_t bits;
    int count;
    const uint8_t *at; /* of the byte behind the `count` bits */
} px_jpeg_bits;

typedef struct px_jpeg_input {
    const px_source *source;
    const px_limits *limits;
    uint64_t offset;           /* in the source, of raw[0] */
    size_t raw_at, raw_count;
    bool ended;                /* the source has no more bytes than raw holds */
    int marker;                /* where the segment ends, once that is known; 0 before */
    const uint8_t *safe;       /* a block that begins here or before has all its bits in the window */
    const uint8_t *end;        /* of the segment's bytes in the window */
    px_jpeg_bits bits;
    uint8_t raw[PX_JPEG_RAW_BYTES];
    uint8_t window[PX_JPEG_WINDOW_BYTES + 2 * PX_JPEG_ROOM];
} px_jpeg_input;

/* Begins to read at `offset` of the source. Both are borrowed. */
void px_jpeg_input_start(px_jpeg_input *input, const px_source *source, const px_limits *limits, uint64_t offset);

/* A segment begins at the next byte. */
PX_CHECKED px_status px_jpeg_segment(px_jpeg_input *input, px_error *err);

/* Leaves the segment: passes over what is left of it, and over anything else up to the next marker, which is in `marker` then. */
PX_CHECKED px_status px_jpeg_leave(px_jpeg_input *input, px_error *err);

/* One byte from between segments, and passing over some. At the end of the source: PX_TRUNCATED_IMAGE. */
PX_CHECKED px_status px_jpeg_byte(px_jpeg_input *input, int *ret, px_error *err);
PX_CHECKED px_status px_jpeg_pass(px_jpeg_input *input, size_t count, px_error *err);

PX_CHECKED px_status px_jpeg_more(px_jpeg_input *input, px_error *err);

/* Asked before each block: makes sure that all of its bits are in the window, or zeros where the segment ends before. */
static inline px_status px_jpeg_room(px_jpeg_input *input, px_error *err)
{
    return __builtin_expect(input->bits.at <= input->safe, 1) ? PX_OK : px_jpeg_more(input, err);
}

/* Were bits taken that the segment does not have? */
static inline bool px_jpeg_overran(const px_jpeg_input *input)
{
    return (input->bits.at - input->end) * 8 > input->bits.count;
}

/* At least 56 bits. */
static inline void px_jpeg_refill(px_jpeg_bits *b)
{
    uint64_t next;
    memcpy(&next, b->at, sizeof next);
    b->bits |= be64toh(next) >> b->count;
    b->at += (63 - b->count) >> 3;
    b->count |= 56;
}

static inline void px_jpeg_drop(px_jpeg_bits *b, unsigned count)
{
    b->bits <<= count & 63;
    b->count -= (int)(count & 63);
}

#endif
