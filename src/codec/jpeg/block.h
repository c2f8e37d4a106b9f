/* block.h - the inner loops that read codes: a coefficient, a block, and over what nobody wants. The bits that are next are a caller's variable whose
 * address goes nowhere, so that they stay in registers. Private to our own JPEG decoder. */
#ifndef PX_CODEC_JPEG_BLOCK_H
#define PX_CODEC_JPEG_BLOCK_H

#include "codec/jpeg/inside.h"

#define PX_JPEG_INLINE static inline __attribute__((always_inline))

/* Coefficients one by one to the end of a sequential block, for what skip's entries cannot say. */
bool px_jpeg_skip_slowly(const px_jpeg_huffman *h, px_jpeg_bits *bits, int far);

/* The entry of the next code, 0 if there is none. Takes nothing of a code that the table knows, and of others all but the amplitude. */
PX_JPEG_INLINE uint32_t px_jpeg_look(const px_jpeg_huffman *h, px_jpeg_use use, px_jpeg_bits *b)
{
    uint32_t entry = h->code[b->bits >> (64 - PX_JPEG_CODE_BITS)];
    if (__builtin_expect(entry == 0, 0)) {
        px_jpeg_bits slow = *b;
        entry = px_jpeg_long_code(h, use, &slow);
        *b = slow;
    }
    return entry;
}

/* The amplitude of an entry that was looked up and is not taken yet (T.81 F.2.2.1). */
PX_JPEG_INLINE int px_jpeg_amplitude(const px_jpeg_bits *b, uint32_t entry)
{
    int size = (int)(entry >> 24), one = 1 << size;
    int value = (int)(b->bits >> (-entry & 63)) & (one - 1);
    return value < one >> 1 ? value - one + 1 : value;
}

/* How far an entry goes. */
PX_JPEG_INLINE int px_jpeg_far(uint32_t entry) { return (int)(entry >> 8 & 255); }

/* Did reading end at the last coefficient or with a block's end in front of it? */
PX_JPEG_INLINE bool px_jpeg_ends_well(int far, int end) { return far == end || (far >= PX_JPEG_BLOCK_ENDS && far < PX_JPEG_BLOCK_ENDS + end); }

/* To the end of a sequential block, from coefficient `far`. An entry that leads further holds codes of the next block, or errors. */
PX_JPEG_INLINE bool px_jpeg_skip(const px_jpeg_huffman *h, px_jpeg_bits *b, int far)
{
    uint64_t was;
    int count, came;
    do {
        px_jpeg_refill(b);
        for (int i = 0; i < 2; i++) { /* two for each refill */
            was = b->bits;
            count = b->count;
            came = far;
            uint32_t entry = h->skip[was >> (64 - PX_JPEG_SKIP_BITS)];
            px_jpeg_drop(b, entry);
            far += (int)(entry >> 8);
            if (far >= 64)
                break;
        }
    } while (far < 64);
    if (__builtin_expect(px_jpeg_ends_well(far, 64), 1))
        return true;
    px_jpeg_bits slow = { was, count, b->at };
    bool good = px_jpeg_skip_slowly(h, &slow, came);
    *b = slow;
    return good;
}

/* One coefficient to its place; false if it has no code. */
PX_JPEG_INLINE bool px_jpeg_take(px_jpeg_plane *p, px_jpeg_bits *b, int16_t *to, int *far)
{
    uint32_t entry = px_jpeg_look(p->ac, PX_JPEG_AC, b);
    int value = px_jpeg_amplitude(b, entry);
    px_jpeg_drop(b, entry);
    *far += px_jpeg_far(entry);
    to[p->place_of[*far]] = (int16_t)value;
    return entry != 0;
}

/* One block of a sequential scan (T.81 F.2.2). `to` is its lane in the group. */
PX_JPEG_INLINE bool px_jpeg_take_block(px_jpeg_plane *p, px_jpeg_bits *b, int16_t *to)
{
    px_jpeg_refill(b);
    uint32_t entry = px_jpeg_look(p->dc, PX_JPEG_DC, b);
    if (entry == 0)
        return false;
    p->before = (int)((unsigned)p->before + (unsigned)px_jpeg_amplitude(b, entry));
    px_jpeg_drop(b, entry);
    to[0] = (int16_t)p->before;
    int far = 1, last = p->last;
    while (far <= last) {
        if (!px_jpeg_take(p, b, to, &far))
            return false;
        if (far > last)
            break;
        px_jpeg_refill(b);
        if (!px_jpeg_take(p, b, to, &far))
            return false;
    }
    return far < 64 ? px_jpeg_skip(p->ac, b, far) : px_jpeg_ends_well(far, 64);
}

#endif
