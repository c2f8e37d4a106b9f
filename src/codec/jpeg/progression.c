/* A scan is gone through twice: to count its symbols, which gives its codes, and to write it. Which scans there are is found by counting
 * alone: for each plane the bits that are left for later (none, one, two) and where its band of coefficients is split; the fewest bytes win.
 * What a scan's symbols mean stands in T.81 G.1.2. */
#include "codec/jpeg/whole.h"

#include <stdlib.h>

enum { CODES = 4, AC = 2, HELD_BITS = 1000, RUN_MAX = 0x7fff, FEW = 4, FEW_BLOCKS = 4000, SCANS_MAX = 24, SCAN_HEAD_BYTES = 35 };

/* ---- storage ---- */

uint64_t px_jpeg_whole_memory(const px_jpeg_frame *frame)
{
    uint64_t blocks = 0;
    for (int p = 0; p < frame->planes; p++)
        blocks += px_jpeg_block_count(frame, p);
    return blocks * (64 * sizeof(int16_t) + sizeof(uint64_t));
}

px_status px_jpeg_whole_create(const px_jpeg_frame *frame, px_jpeg_whole *ret, px_error *err)
{
    size_t blocks = 0;
    for (int p = 0; p < frame->planes; p++)
        blocks += px_jpeg_block_count(frame, p);
    px_jpeg_whole made = { .frame = frame, .blocks = { malloc(blocks * 64 * sizeof(int16_t)) }, .nonzero = { malloc(blocks * sizeof(uint64_t)) } };
    if (!made.blocks[0] || !made.nonzero[0]) {
        px_jpeg_whole_destroy(&made);
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for the coefficients of a JPEG");
    }
    for (int p = 1; p < frame->planes; p++) {
        made.blocks[p] = made.blocks[p - 1] + px_jpeg_block_count(frame, p - 1);
        made.nonzero[p] = made.nonzero[p - 1] + px_jpeg_block_count(frame, p - 1);
    }
    *ret = made;
    return PX_OK;
}

void px_jpeg_whole_destroy(px_jpeg_whole *whole)
{
    free(whole->blocks[0]);
    free(whole->nonzero[0]);
}

/* ---- symbols: counted, or written ---- */

typedef struct sink {
    uint64_t counts[CODES][256]; /* by code: DC of Y, of Cb and Cr, then AC of both */
    uint64_t extra;              /* bits beside the symbols */
    px_jpeg_code codes[CODES];
    px_jpeg_out *out;            /* NULL: counts */
    px_jpeg_bits bits;           /* while it writes */
    bool few;                    /* counts one row of blocks of FEW */
    unsigned run;                /* blocks that ended, T.81's EOBRUN */
    int held_count, held_before; /* bits of refinement that wait: those of the run, and of the block after them */
    uint8_t held[HELD_BITS];
} sink;

static inline void put_bits(sink *to, uint32_t bits, int count)
{
    if (count == 0)
        return;
    if (to->out)
        px_jpeg_bits_put(&to->bits, bits, count);
    else
        to->extra += (unsigned)count;
}

static inline void put_symbol(sink *to, int code, int symbol)
{
    if (to->out)
        px_jpeg_bits_put(&to->bits, to->codes[code].words[symbol] >> 5, (int)(to->codes[code].words[symbol] & 31));
    else
        to->counts[code][symbol]++;
}

/* What was put for one block or unit. */
static px_status settle(sink *to, px_error *err)
{
    if (!to->out)
        return PX_OK;
    to->out->bits = to->bits;
    PX_TRY(px_jpeg_out_flush(to->out, err));
    to->bits = to->out->bits;
    return PX_OK;
}

static void put_held(sink *to, int from, int end)
{
    for (int i = from; i < end; i++)
        put_bits(to, to->held[i], 1);
}

static void put_run(sink *to, int code)
{
    if (to->run == 0)
        return;
    int size = 31 - __builtin_clz(to->run);
    put_symbol(to, code, size << 4);
    put_bits(to, to->run & ((1u << size) - 1), size);
    to->run = 0;
    put_held(to, 0, to->held_before);
    memmove(to->held, to->held + to->held_before, (size_t)(to->held_count - to->held_before));
    to->held_count -= to->held_before;
    to->held_before = 0;
}

/* ---- scans ---- */

typedef struct scan {
    int first, count;   /* planes */
    int from, to;       /* coefficients */
    int high, low;      /* bits that are there already, and that are left: T.81's Ah and Al; high 0: the first of them */
} scan;

static int shifted(int value, int low) { return value < 0 ? -(-value >> low) : value >> low; }

static void put_first_band(sink *to, const scan *s, int code, const int16_t block[64], uint64_t nonzero)
{
    int last = s->from - 1;
    nonzero &= ~UINT64_C(0) << s->from & ~UINT64_C(0) >> (63 - s->to);
    for (; nonzero; nonzero &= nonzero - 1) {
        int k = __builtin_ctzll(nonzero), value = shifted(block[k], s->low), run = k - last - 1;
        if (value == 0)
            continue;
        put_run(to, code);
        for (; run > 15; run -= 16)
            put_symbol(to, code, 0xf0);
        int size = px_jpeg_size(value);
        put_symbol(to, code, run << 4 | size);
        put_bits(to, px_jpeg_extra(value, size), size);
        last = k;
    }
    if (last < s->to && ++to->run == RUN_MAX)
        put_run(to, code);
}

/* T.81 figure G.7. */
static void put_refined_band(sink *to, const scan *s, int code, const int16_t block[64], uint64_t nonzero)
{
    int last = s->from - 1, run = 0, end = 0;
    nonzero &= ~UINT64_C(0) << s->from & ~UINT64_C(0) >> (63 - s->to);
    for (uint64_t left = nonzero; left; left &= left - 1) {
        int k = __builtin_ctzll(left);
        if (abs(block[k]) >> s->low == 1)
            end = k;
    }
    for (uint64_t left = nonzero; left; left &= left - 1) {
        int k = __builtin_ctzll(left), magnitude = abs(block[k]) >> s->low;
        if (magnitude == 0)
            continue;
        run += k - last - 1;
        last = k;
        for (; run > 15 && k <= end; run -= 16) {
            put_run(to, code);
            put_symbol(to, code, 0xf0);
            put_held(to, 0, to->held_count);
            to->held_count = 0;
        }
        if (magnitude > 1) {
            to->held[to->held_count++] = magnitude & 1;
            continue;
        }
        put_run(to, code);
        put_symbol(to, code, run << 4 | 1);
        put_bits(to, block[k] > 0, 1);
        put_held(to, 0, to->held_count);
        to->held_count = 0;
        run = 0;
    }
    if (last < s->to || run || to->held_count > to->held_before) {
        to->run++;
        to->held_before = to->held_count;
        if (to->run == RUN_MAX || to->held_count > HELD_BITS - 64)
            put_run(to, code);
    }
}

static px_status put_band(sink *to, const px_jpeg_whole *whole, const scan *s, px_error *err)
{
    int plane = s->first, code = AC + (plane > 0);
    size_t count = px_jpeg_block_count(whole->frame, plane), row = (size_t)whole->frame->across[plane];
    for (size_t i = 0; i < count; i++) {
        if (to->few && i / row % FEW) {
            i += row - 1;
            continue;
        }
        (s->high ? put_refined_band : put_first_band)(to, s, code, whole->blocks[plane][i], whole->nonzero[plane][i]);
        PX_TRY(settle(to, err));
    }
    put_run(to, code);
    return settle(to, err);
}

/* All of AC, as a baseline JPEG has it. */
static void put_ac(sink *to, int code, const int16_t block[64], uint64_t nonzero)
{
    int last = 0;
    for (; nonzero; nonzero &= nonzero - 1) {
        int k = __builtin_ctzll(nonzero), run = k - last - 1, size = px_jpeg_size(block[k]);
        for (; run > 15; run -= 16)
            put_symbol(to, code, 0xf0);
        put_symbol(to, code, run << 4 | size);
        put_bits(to, px_jpeg_extra(block[k], size), size);
        last = k;
    }
    if (last < 63)
        put_symbol(to, code, 0);
}

/* The DC of a unit's blocks, in a baseline JPEG all of them; `x` and `y` are where it stands. Blocks behind the picture's end have the DC of
 * the one before. */
static void put_unit(sink *to, const px_jpeg_whole *whole, const scan *s, int x, int y, int dc[3])
{
    const px_jpeg_frame *frame = whole->frame;
    for (int p = 0; p < frame->planes; p++) {
        int unit = px_jpeg_unit_of(frame, p);
        for (int i = 0; i < unit * unit; i++) {
            int column = x * unit + i % unit, row = y * unit + i / unit;
            bool there = column < frame->across[p] && row < frame->down[p];
            size_t block = (size_t)row * (size_t)frame->across[p] + (size_t)column;
            int value = there ? whole->blocks[p][block][0] : dc[p];
            if (s->high) {
                put_bits(to, (uint32_t)value >> s->low & 1, 1);
            } else {
                int difference = (value >> s->low) - (dc[p] >> s->low), size = px_jpeg_size(difference);
                put_symbol(to, p > 0, size);
                put_bits(to, px_jpeg_extra(difference, size), size);
            }
            if (s->to)
                put_ac(to, AC + (p > 0), there ? whole->blocks[p][block] : NULL, there ? whole->nonzero[p][block] : 0);
            dc[p] = value;
        }
    }
}

static px_status put_units(sink *to, const px_jpeg_whole *whole, const scan *s, px_error *err)
{
    int dc[3] = { 0 };
    for (int y = 0; y < whole->frame->units_down; y++)
        for (int x = 0; x < whole->frame->units_across; x++) {
            put_unit(to, whole, s, x, y, dc);
            PX_TRY(settle(to, err));
        }
    return PX_OK;
}

static px_status put_scan(sink *to, const px_jpeg_whole *whole, const scan *s, px_error *err)
{
    return (s->from ? put_band : put_units)(to, whole, s, err);
}

/* Makes a scan's codes, and says how many bytes it takes, about; `few`: of part of the blocks. */
static uint64_t weigh(sink *to, const px_jpeg_whole *whole, const scan *s, bool few)
{
    memset(to, 0, offsetof(sink, held));
    to->few = few;
    px_status counted = put_scan(to, whole, s, NULL);
    (void)counted; /* cannot fail: nothing is written */
    uint64_t bits = to->extra, bytes = SCAN_HEAD_BYTES;
    for (int code = 0; code < CODES; code++) {
        px_jpeg_code_make(to->counts[code], &to->codes[code]);
        bits += px_jpeg_code_bits(&to->codes[code], to->counts[code]);
        bytes += to->codes[code].count ? 21 + (unsigned)to->codes[code].count : 0;
    }
    return bytes + bits / 8 * (few ? FEW : 1);
}

/* ---- which scans ---- */

/* Sets the plane's part of the plan, and returns its bytes. Of a big plane some rows are enough to see it. */
static uint64_t plan_plane(sink *to, const px_jpeg_whole *whole, int plane, px_jpeg_plan *plan)
{
    static const int splits[] = { 63, 2, 5, 8, 12, 18 };
    uint64_t least = UINT64_MAX, later = 0;
    bool few = px_jpeg_block_count(whole->frame, plane) >= FEW_BLOCKS;
    for (int low = 0; low <= PX_JPEG_LOW_MAX; low++) {
        if (low)
            later += weigh(to, whole, &(scan){ plane, 1, 1, 63, low, low - 1 }, few);
        for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
            uint64_t bytes = later + weigh(to, whole, &(scan){ plane, 1, 1, splits[i], 0, low }, few);
            if (splits[i] < 63)
                bytes += weigh(to, whole, &(scan){ plane, 1, splits[i] + 1, 63, 0, low }, few);
            if (bytes < least) {
                least = bytes;
                plan->low[plane] = low;
                plan->split[plane] = splits[i];
            }
        }
    }
    return least;
}

px_jpeg_plan px_jpeg_scans_plan(const px_jpeg_whole *whole)
{
    sink to;
    px_jpeg_plan plan = { 0 };
    uint64_t bytes = 0;
    int planes = whole->frame->planes;
    for (int p = 0; p < planes; p++)
        bytes += plan_plane(&to, whole, p, &plan);
    uint64_t at_once = weigh(&to, whole, &(scan){ 0, planes, 0, 0, 0, 0 }, false);
    uint64_t in_two = weigh(&to, whole, &(scan){ 0, planes, 0, 0, 0, 1 }, false) + weigh(&to, whole, &(scan){ 0, planes, 0, 0, 1, 0 }, false);
    plan.dc_low = in_two < at_once;
    bytes += plan.dc_low ? in_two : at_once;
    plan.progressive = bytes < weigh(&to, whole, &(scan){ 0, planes, 0, 63, 0, 0 }, false);
    return plan;
}

/* What shows most comes first: DC, low bands, high bands, then the bits that were left. */
static int list_scans(int planes, const px_jpeg_plan *plan, scan scans[SCANS_MAX])
{
    static const int order[2][3] = { { 0 }, { 0, 2, 1 } };
    int count = 0;
    if (!plan->progressive) {
        scans[0] = (scan){ 0, planes, 0, 63, 0, 0 };
        return 1;
    }
    scans[count++] = (scan){ 0, planes, 0, 0, 0, plan->dc_low };
    for (int i = 0; i < planes; i++) {
        int p = order[planes > 1][i];
        scans[count++] = (scan){ p, 1, 1, plan->split[p], 0, plan->low[p] };
    }
    for (int p = 0; p < planes; p++)
        if (plan->split[p] < 63)
            scans[count++] = (scan){ p, 1, plan->split[p] + 1, 63, 0, plan->low[p] };
    for (int low = PX_JPEG_LOW_MAX; low > 0; low--) {
        if (low == plan->dc_low)
            scans[count++] = (scan){ 0, planes, 0, 0, low, low - 1 };
        for (int p = planes - 1; p >= 0; p--)
            if (plan->low[p] >= low)
                scans[count++] = (scan){ p, 1, 1, 63, low, low - 1 };
    }
    return count;
}

static px_status write_scan(sink *to, const px_jpeg_whole *whole, const scan *s, px_jpeg_out *out, px_error *err)
{
    weigh(to, whole, s, false);
    for (int code = 0; code < CODES; code++)
        if (to->codes[code].count)
            PX_TRY(px_jpeg_out_code(out, code / AC, code % AC, &to->codes[code], err));
    PX_TRY(px_jpeg_scan_write(s->first, s->count, s->from, s->to, s->high, s->low, out, err));
    to->out = out;
    to->bits = out->bits;
    PX_TRY(put_scan(to, whole, s, err));
    out->bits = to->bits;
    return px_jpeg_out_pad(out, err);
}

px_status px_jpeg_scans_write(const px_jpeg_whole *whole, const px_jpeg_plan *plan, px_jpeg_out *out, px_error *err)
{
    sink to;
    scan scans[SCANS_MAX];
    int count = list_scans(whole->frame->planes, plan, scans);
    for (int i = 0; i < count; i++)
        PX_TRY(write_scan(&to, whole, &scans[i], out, err));
    return PX_OK;
}
