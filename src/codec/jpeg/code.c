/* T.81 K.2 as it stands there: join the two rarest until one is left, then cut lengths to 16. Only symbols that occur are looked at, with
 * one more that takes the code of ones only. */
#include "codec/jpeg/code.h"

#include <stdbool.h>

#include "base/file.h"

enum { LENGTHS = 257 /* of codes, before they are cut */, LIMIT = 16 };

/* The tree: who was joined with whom, as chains. */
typedef struct forest {
    uint64_t counts[257];
    int symbols[257], lengths[257], chained[257]; /* -1: the chain ends */
    int count;
} forest;

static void plant(const uint64_t counts[256], forest *f)
{
    f->count = 0;
    for (int s = 0; s <= 256; s++)
        if (s == 256 || counts[s]) {
            f->symbols[f->count] = s;
            f->counts[f->count] = s == 256 ? 1 : counts[s];
            f->lengths[f->count] = 0;
            f->chained[f->count++] = -1;
        }
}

/* The two rarest that are left, of equals the last; 0 if there is only one. */
static int find_rarest(const forest *f, int *ret_first, int *ret_second)
{
    uint64_t least = UINT64_MAX, next = UINT64_MAX;
    int first = -1, second = -1;
    for (int i = 0; i < f->count; i++) {
        uint64_t count = f->counts[i];
        if (count == 0)
            continue;
        if (count <= least) {
            next = least;
            second = first;
            least = count;
            first = i;
        } else if (count <= next) {
            next = count;
            second = i;
        }
    }
    *ret_first = first;
    *ret_second = second;
    return second >= 0;
}

static void deepen(forest *f, int chain, int *ret_end)
{
    f->lengths[chain]++;
    while (f->chained[chain] >= 0) {
        chain = f->chained[chain];
        f->lengths[chain]++;
    }
    *ret_end = chain;
}

static void grow(forest *f)
{
    int first, second, end, other;
    while (find_rarest(f, &first, &second)) {
        f->counts[first] += f->counts[second];
        f->counts[second] = 0;
        deepen(f, first, &end);
        f->chained[end] = second;
        deepen(f, second, &other);
    }
}

/* Figure K.3: a pair that is too long becomes one, and a shorter one moves down to make room. */
static void limit(int tally[LENGTHS])
{
    for (int i = LENGTHS - 1; i > LIMIT; i--)
        while (tally[i] > 0) {
            int j = i - 2;
            while (tally[j] == 0)
                j--;
            tally[i] -= 2;
            tally[i - 1]++;
            tally[j + 1] += 2;
            tally[j]--;
        }
    int longest = LIMIT;
    while (tally[longest] == 0)
        longest--;
    tally[longest]--; /* the code of ones */
}

/* Symbols by length, those of one length by their numbers (figures K.4 and C.1 to C.3). */
static void number(const forest *f, px_jpeg_code *ret)
{
    ret->count = 0;
    for (int length = 1; length < LENGTHS; length++)
        for (int i = 0; i < f->count - 1; i++)
            if (f->lengths[i] == length)
                ret->symbols[ret->count++] = (uint8_t)f->symbols[i];
    uint32_t code = 0;
    for (int length = 1, i = 0; length <= LIMIT; length++, code <<= 1)
        for (int n = 0; n < ret->lengths[length]; n++)
            ret->words[ret->symbols[i++]] = code++ << 5 | (uint32_t)length;
}

void px_jpeg_code_make(const uint64_t counts[256], px_jpeg_code *ret)
{
    forest f;
    int tally[LENGTHS] = { 0 };
    memset(ret, 0, sizeof *ret);
    plant(counts, &f);
    if (f.count == 1)
        return;
    grow(&f);
    for (int i = 0; i < f.count; i++)
        tally[f.lengths[i]]++;
    limit(tally);
    for (int i = 1; i <= LIMIT; i++)
        ret->lengths[i] = (uint8_t)tally[i];
    number(&f, ret);
}

uint64_t px_jpeg_code_bits(const px_jpeg_code *code, const uint64_t counts[256])
{
    uint64_t bits = 0;
    for (int s = 0; s < 256; s++)
        bits += counts[s] * (code->words[s] & 31);
    return bits;
}

void px_jpeg_out_init(px_jpeg_out *out, int fd)
{
    out->fd = fd;
    out->written = 0;
    out->count = 0;
    out->bits = (px_jpeg_bits){ .at = out->scan };
}

px_status px_jpeg_out_finish(px_jpeg_out *out, px_error *err)
{
    PX_TRY(px_write_all(out->fd, out->bytes, out->count, "the output", err));
    out->written += out->count;
    out->count = 0;
    return PX_OK;
}

px_status px_jpeg_out_bytes(px_jpeg_out *out, const void *data, size_t count, px_error *err)
{
    for (const uint8_t *from = data; count;) {
        size_t room = PX_JPEG_OUT_BYTES - out->count, part = count < room ? count : room;
        memcpy(out->bytes + out->count, from, part);
        out->count += part;
        from += part;
        count -= part;
        if (out->count == PX_JPEG_OUT_BYTES)
            PX_TRY(px_jpeg_out_finish(out, err));
    }
    return PX_OK;
}

static bool has_ones(uint64_t eight)
{
    return (~eight - UINT64_C(0x0101010101010101)) & eight & UINT64_C(0x8080808080808080);
}

/* Copies `count` bytes with a 0 behind every 0xff, and returns where it ends. There is room for twice as many, and eight can be read behind them. */
static uint8_t *stuff(const uint8_t *from, size_t count, uint8_t *to)
{
    for (size_t i = 0; i < count;) {
        uint64_t eight;
        memcpy(&eight, from + i, sizeof eight);
        if (i + 8 <= count && !has_ones(eight)) {
            memcpy(to, &eight, sizeof eight);
            to += 8;
            i += 8;
            continue;
        }
        for (size_t end = i + 8 < count ? i + 8 : count; i < end; i++) {
            *to++ = from[i];
            if (from[i] == 0xff)
                *to++ = 0;
        }
    }
    return to;
}

px_status px_jpeg_out_move(px_jpeg_out *out, px_error *err)
{
    size_t count = (size_t)(out->bits.at - out->scan);
    if (out->count + 2 * count > PX_JPEG_OUT_BYTES)
        PX_TRY(px_jpeg_out_finish(out, err));
    out->count = (size_t)(stuff(out->scan, count, out->bytes + out->count) - out->bytes);
    out->bits.at = out->scan;
    return PX_OK;
}

px_status px_jpeg_out_pad(px_jpeg_out *out, px_error *err)
{
    int rest = -out->bits.count & 7;
    px_jpeg_bits_put(&out->bits, (1u << rest) - 1, rest);
    return px_jpeg_out_move(out, err);
}

px_status px_jpeg_out_code(px_jpeg_out *out, int kind, int number_of, const px_jpeg_code *code, px_error *err)
{
    int count = 19 + code->count;
    uint8_t head[5] = { 0xff, 0xc4, (uint8_t)(count >> 8), (uint8_t)count, (uint8_t)(kind << 4 | number_of) };
    PX_TRY(px_jpeg_out_bytes(out, head, sizeof head, err));
    PX_TRY(px_jpeg_out_bytes(out, code->lengths + 1, 16, err));
    return px_jpeg_out_bytes(out, code->symbols, (size_t)code->count, err);
}
