/* The loops that read a scan's data. Meson compiles this file once for each CPU level, with PX_JPEG_READERS as the name of the set: shifts by a
 * variable and the counting of bits are what nearly all of it is, and what levels differ in. All sets do the same. */
#include "codec/jpeg/block.h"

static uint64_t below(int k) { return k > 63 ? UINT64_MAX : (UINT64_C(1) << k) - 1; }

/* Where block x, y of a component is held. */
static inline int16_t *block_at(const px_jpeg_plane *p, int x, int y)
{
    return p->groups + ((size_t)y * (size_t)p->groups_across + (size_t)(x / PX_JPEG_GROUP)) * px_jpeg_group_count(p) + x % PX_JPEG_GROUP;
}

static inline uint64_t *mask_at(const px_jpeg_plane *p, int x, int y)
{
    return p->masks + ((size_t)y * (size_t)p->groups_across * PX_JPEG_GROUP + (size_t)x);
}

/* What a kind of scan does to one block. */
typedef bool block_reader(px_jpeg_scaled *self, px_jpeg_plane *p, px_jpeg_bits *b, int x, int y);

PX_JPEG_INLINE bool read_sequential(px_jpeg_scaled *self, px_jpeg_plane *p, px_jpeg_bits *b, int x, int y)
{
    (void)self;
    return px_jpeg_take_block(p, b, block_at(p, x, y));
}

PX_JPEG_INLINE bool read_dc(px_jpeg_scaled *self, px_jpeg_plane *p, px_jpeg_bits *b, int x, int y)
{
    px_jpeg_refill(b);
    uint32_t entry = px_jpeg_look(p->dc, PX_JPEG_DC, b);
    p->before = (int)((unsigned)p->before + (unsigned)px_jpeg_amplitude(b, entry));
    px_jpeg_drop(b, entry);
    *block_at(p, x, y) = (int16_t)((unsigned)p->before << self->frame.scan.low);
    return entry != 0;
}

PX_JPEG_INLINE bool refine_dc(px_jpeg_scaled *self, px_jpeg_plane *p, px_jpeg_bits *b, int x, int y)
{
    px_jpeg_refill(b);
    int16_t *to = block_at(p, x, y);
    *to = (int16_t)(*to | (int)(b->bits >> 63) << self->frame.scan.low);
    px_jpeg_drop(b, 1);
    return true;
}

/* A code for the end of this block and some more: how many. */
PX_JPEG_INLINE int run_of(const px_jpeg_bits *b, uint32_t entry)
{
    uint64_t rest = b->bits << (entry >> 16 & 31);
    int size = (int)(entry >> 24);
    return (int)(rest >> 1 >> (63 - size)) + (1 << size);
}

/* To the end of a block's band, from coefficient `far`; `run` is then how many more blocks end with it. */
PX_JPEG_INLINE bool skip_band(px_jpeg_scaled *self, px_jpeg_plane *p, px_jpeg_bits *b, int far, int end)
{
    while (far < end) {
        px_jpeg_refill(b);
        uint32_t entry = p->ac->skip[b->bits >> (64 - PX_JPEG_SKIP_BITS)];
        int came = far + px_jpeg_far(entry);
        if (!(came <= end || (came >= PX_JPEG_BLOCK_ENDS && came < PX_JPEG_BLOCK_ENDS + end))) {
            entry = px_jpeg_look(p->ac, PX_JPEG_BAND, b);
            came = far + px_jpeg_far(entry);
            if (came >= PX_JPEG_BLOCK_ENDS)
                self->run = run_of(b, entry) - 1;
            if (!entry)
                return false;
        }
        px_jpeg_drop(b, entry);
        far = came;
    }
    return px_jpeg_ends_well(far, end);
}

/* The first bits of a band (G.1.2.2). */
PX_JPEG_INLINE bool read_band(px_jpeg_scaled *self, px_jpeg_plane *p, px_jpeg_bits *b, int x, int y)
{
    const px_jpeg_scan *scan = &self->frame.scan;
    int far = scan->first, end = scan->last + 1, last = p->last, low = scan->low;
    if (self->run) {
        self->run--;
        return true;
    }
    int16_t *to = block_at(p, x, y);
    uint64_t mask = 0;
    while (far < end && (low || far <= last)) {
        px_jpeg_refill(b);
        uint32_t entry = px_jpeg_look(p->ac, PX_JPEG_BAND, b);
        far += px_jpeg_far(entry);
        if (far >= PX_JPEG_BLOCK_ENDS || !entry) {
            self->run = run_of(b, entry) - 1;
            px_jpeg_drop(b, entry);
            *mask_at(p, x, y) |= mask;
            return entry != 0;
        }
        int value = px_jpeg_amplitude(b, entry);
        px_jpeg_drop(b, entry);
        if (entry >> 24 == 0) /* sixteen zeros */
            continue;
        to[p->place_of[far]] = (int16_t)((unsigned)value << low);
        mask |= UINT64_C(1) << ((far - 1) & 63);
    }
    *mask_at(p, x, y) |= mask;
    return far < end ? skip_band(self, p, b, far, end) : px_jpeg_ends_well(far, end);
}

/* A bit for each coefficient of `which`, which are not 0: those that are held take it (G.1.2.3). */
PX_JPEG_INLINE void refine_these(px_jpeg_plane *p, px_jpeg_bits *b, int16_t *to, uint64_t which, int low)
{
    int count = __builtin_popcountll(which);
    px_jpeg_refill(b);
    uint64_t bits = b->bits, held = which & p->kept;
    if (__builtin_expect(count > 32, 0)) { /* more than are sure to be there */
        px_jpeg_drop(b, 32);
        px_jpeg_refill(b);
        bits = (bits >> 32 << 32) | b->bits >> 32;
        count -= 32;
    }
    px_jpeg_drop(b, (unsigned)count);
    for (; held; held &= held - 1) {
        int k = __builtin_ctzll(held), at = __builtin_popcountll(which & below(k));
        int16_t *value = to + p->place_of[k + 1];
        int one = (int)(bits << at >> 63) << low, sign = *value >> 15;
        if (__builtin_expect((*value >> low & 1) == 0, 1)) /* the bit itself is never guessed */
            *value = (int16_t)(*value + ((one ^ sign) - sign));
    }
}

/* `bits` without the lowest `count` of those that are set. */
PX_JPEG_INLINE uint64_t without_lowest(uint64_t bits, int count)
{
    for (; __builtin_expect(count > 3, 0); count -= 3)
        for (int i = 0; i < 3; i++)
            bits &= bits - 1;
    uint64_t one = bits & (bits - 1), two = one & (one - 1), three = two & (two - 1);
    bits = count > 0 ? one : bits;
    bits = count > 1 ? two : bits;
    return count > 2 ? three : bits;
}

/* A block that is being refined. */
typedef struct refined {
    int16_t *to;
    uint64_t *mask; /* what is not 0 now */
    uint64_t old;   /* what was not 0 before the scan */
    uint64_t left;  /* what reading has not come to */
} refined;

/* One new coefficient, and a bit for all that it steps over and that are not 0. False at the block's end, where `run` is set, or if there is no
 * such code, where it is not. */
PX_JPEG_INLINE bool refine_step(px_jpeg_scaled *self, px_jpeg_plane *p, px_jpeg_bits *b, refined *r, bool held)
{
    px_jpeg_refill(b);
    uint32_t entry = px_jpeg_look(p->ac, PX_JPEG_BAND, b);
    int far = px_jpeg_far(entry), size = (int)(entry >> 24);
    if (far >= PX_JPEG_BLOCK_ENDS || !entry) {
        self->run = entry ? run_of(b, entry) : 0;
        px_jpeg_drop(b, entry);
        return false;
    }
    int value = px_jpeg_amplitude(b, entry);
    px_jpeg_drop(b, entry);
    uint64_t zeros = without_lowest(r->left & ~r->old, far - 1), place = zeros & -zeros; /* 0: there are not so many */
    uint64_t over = r->old & r->left & (place - 1);
    int count = __builtin_popcountll(over);
    r->left &= place ? ~(place | (place - 1)) : 0;
    if ((held && over & p->kept) || __builtin_expect(count > 24, 0))
        refine_these(p, b, r->to, over, self->frame.scan.low);
    else
        px_jpeg_drop(b, (unsigned)count);
    if (__builtin_expect(size != 1 || !place, 0))
        return size == 0; /* sixteen zeros */
    *r->mask |= place;
    if (held && place & p->kept)
        r->to[p->place_of[__builtin_ctzll(place) + 1]] = (int16_t)(value * (1 << self->frame.scan.low));
    return true;
}

/* One more bit of a band: first as far as there are coefficients that are held. In the last scan the rest goes several codes at once, where nothing
 * lies between them. */
PX_JPEG_INLINE bool refine_band(px_jpeg_scaled *self, px_jpeg_plane *p, px_jpeg_bits *b, int x, int y)
{
    const px_jpeg_scan *scan = &self->frame.scan;
    uint64_t *mask = mask_at(p, x, y), band = below(scan->last + 1) & ~below(scan->first);
    refined r = { block_at(p, x, y), mask, *mask & band, band };
    bool good = true, last = scan->low == 0;
    if (!self->run) {
        while (good && r.left & p->kept)
            good = refine_step(self, p, b, &r, true);
        while (good && r.left && !(last && !(r.old & r.left)))
            good = refine_step(self, p, b, &r, false);
        if (good && r.left) {
            int far = __builtin_ctzll(r.left);
            good = skip_band(self, p, b, far, scan->last + 1);
            r.left = 0;
            self->run += good && self->run;
        }
    }
    if (self->run) {
        self->run--;
        if (r.old & r.left)
            refine_these(p, b, r.to, r.old & r.left, scan->low);
        return true;
    }
    return good;
}

/* One component alone: its blocks, row by row. */
PX_JPEG_INLINE px_status read_alone(px_jpeg_scaled *self, px_jpeg_plane *p, block_reader *read, px_error *err)
{
    for (int y = 0; y < p->blocks_down; y++)
        for (int x = 0; x < p->blocks_across; x++) {
            PX_TRY(px_jpeg_before_mcu(self, err));
            if (self->lost)
                return PX_OK;
            PX_TRY(px_jpeg_room(&self->input, err));
            px_jpeg_bits bits = self->input.bits;
            bool good = read(self, p, &bits, x, y);
            self->input.bits = bits;
            if (!good || px_jpeg_overran(&self->input))
                PX_TRY(px_jpeg_judge_end(self, err));
        }
    return PX_OK;
}

static px_status read_mcu(px_jpeg_scaled *self, block_reader *read, int column, int row, px_error *err)
{
    const px_jpeg_scan *scan = &self->frame.scan;
    for (int i = 0; i < scan->count; i++) {
        px_jpeg_plane *p = &self->planes[scan->components[i]];
        for (int block = 0; block < p->across * p->down; block++) {
            PX_TRY(px_jpeg_room(&self->input, err));
            px_jpeg_bits bits = self->input.bits;
            bool good = read(self, p, &bits, column * p->across + block % p->across, row * p->down + block / p->across);
            self->input.bits = bits;
            if (!good || px_jpeg_overran(&self->input))
                return px_jpeg_judge_end(self, err);
        }
    }
    return PX_OK;
}

PX_JPEG_INLINE px_status read_together(px_jpeg_scaled *self, block_reader *read, px_error *err)
{
    for (int row = 0; row < self->mcus_down; row++)
        for (int column = 0; column < self->mcus_across; column++) {
            PX_TRY(px_jpeg_before_mcu(self, err));
            if (self->lost)
                return PX_OK;
            PX_TRY(read_mcu(self, read, column, row, err));
        }
    return PX_OK;
}

PX_JPEG_INLINE px_status read_by(px_jpeg_scaled *self, block_reader *read, px_error *err)
{
    const px_jpeg_scan *scan = &self->frame.scan;
    return scan->count == 1 ? read_alone(self, &self->planes[scan->components[0]], read, err) : read_together(self, read, err);
}

static px_status read_scan(px_jpeg_scaled *self, px_error *err)
{
    const px_jpeg_scan *scan = &self->frame.scan;
    if (!self->frame.progressive)
        return read_by(self, read_sequential, err);
    if (scan->first == 0)
        return scan->high == 0 ? read_by(self, read_dc, err) : read_by(self, refine_dc, err);
    px_jpeg_plane *p = &self->planes[scan->components[0]];
    return scan->high == 0 ? read_alone(self, p, read_band, err) : read_alone(self, p, refine_band, err);
}

/* The blocks of some MCUs of a streamed picture, into the chunk. */
static px_status read_chunk(px_jpeg_scaled *self, int count, px_error *err)
{
    px_jpeg_input *input = &self->input;
    px_jpeg_bits bits = input->bits;
    for (int m = 0; m < count && !self->lost; m++) {
        if (self->frame.restart && self->left-- == 0) {
            input->bits = bits;
            PX_TRY(px_jpeg_restart(self, err));
            bits = input->bits;
            if (self->lost)
                break;
        }
        for (int i = 0; i < self->block_count; i++) {
            const px_jpeg_block *block = &self->blocks[i];
            bool good = true;
            if (__builtin_expect(bits.at > input->safe, 0)) {
                input->bits = bits;
                PX_TRY(px_jpeg_more(input, err));
                bits = input->bits;
                good = !px_jpeg_overran(input);
            }
            good = good && px_jpeg_take_block(block->plane, &bits, block->to[m]);
            if (__builtin_expect(!good, 0)) {
                input->bits = bits;
                return px_jpeg_judge_end(self, err);
            }
        }
    }
    input->bits = bits;
    return self->lost || !px_jpeg_overran(input) ? PX_OK : px_jpeg_judge_end(self, err);
}

const px_jpeg_readers PX_JPEG_READERS = { PX_JPEG_READERS_NAME, read_chunk, read_scan };
