/* What a coefficient costs depends on the zeros before it, so a block's are chosen together: of each that rounds to something, the rounded
 * value, one less, or 0. For each the cheapest way to be the last so far is found from those before it; the cheapest last one wins.
 *
 * The cost is bits and, weighed, squares of what is lost in steps of quantisation. Where much is going on in a block its loss weighs less,
 * as eyes and SSIM have it. Bits are those of codes that would suit the picture (by entropy), divided once by rounding to count symbols, and
 * once by these costs to count again. */
#include "codec/jpeg/whole.h"

#include <stdlib.h>

static const float loss_weight = 19.0f;     /* bits for a step's square, where nothing goes on */
static const float busy = 92682.0f;         /* mean square of a block's AC (eight times as big) at which it is half of that */

typedef struct divider {
    float parts[64]; /* 1 / eight times the step, in zigzag order */
    float bits[256]; /* of a symbol, and of what follows it */
} divider;

/* ---- bits of symbols ---- */

/* 256 * log2(value), by squaring; no library's logarithm, so that all machines write the same. */
static int log2_of(uint64_t value)
{
    int whole = 63 - __builtin_clzll(value), result = whole << 8;
    uint64_t x = whole > 31 ? value >> (whole - 31) : value << (31 - whole); /* from 1 << 31 to 2 << 31 */
    for (int bit = 7; bit >= 0; bit--) {
        x = x * x >> 31;
        if (x >> 32) {
            x >>= 1;
            result |= 1 << bit;
        }
    }
    return result;
}

static void price(const uint64_t counts[256], float bits[256])
{
    uint64_t all = 0;
    for (int s = 0; s < 256; s++)
        all += counts[s] + 1;
    for (int s = 0; s < 256; s++) {
        int parts = log2_of(all) - log2_of(counts[s] + 1);
        bits[s] = (float)(parts < 256 ? 256 : parts) / 256 + (float)(s & 15);
    }
}

/* ---- one block ---- */

/* A coefficient that may be other than 0: its place in zigzag order, what it is divided, the two magnitudes it may have (`lower` may be 0:
 * none), and, found by reach, the block's cost so far if it is the last that is not 0. Which magnitude it has does not matter to
 * those behind it. */
typedef struct step {
    int place, upper, lower;
    float loss[2];      /* of upper and lower */
    float cost;
    int value, before;  /* chosen: its magnitude, and the step before it */
} step;

static float square(float x) { return x * x; }

/* What is lost if all coefficients up to each are 0. Returns the weight of a square. */
static float weigh_zeros(const int16_t raw[64], const divider *by, float zeros[64])
{
    int64_t energy = 0;
    for (int k = 1; k < 64; k++)
        energy += raw[k] * raw[k];
    float weight = loss_weight / (1 + (float)energy / (63 * busy));
    zeros[0] = 0;
    for (int k = 1; k < 64; k++)
        zeros[k] = zeros[k - 1] + weight * square((float)raw[k] * by->parts[k]);
    return weight;
}

/* The coefficients that round to something. */
static int find_steps(const int16_t raw[64], const divider *by, float weight, step steps[64])
{
    int count = 1;
    steps[0] = (step){ 0 };
    for (int k = 1; k < 64; k++) {
        float exact = (float)(raw[k] < 0 ? -raw[k] : raw[k]) * by->parts[k];
        int upper = (int)(exact + 0.5f);
        if (upper)
            steps[count++] = (step){ .place = k, .upper = upper, .lower = upper - 1,
                                     .loss = { weight * square(exact - (float)upper), weight * square(exact - (float)(upper - 1)) } };
    }
    return count;
}

/* The cheapest way to have `at` as the last so far: from which step, with which magnitude. Of two that take as many bits the nearer one. */
static void reach(step *steps, int at, const divider *by, const float zeros[64])
{
    step *now = &steps[at];
    int upper = px_jpeg_size(now->upper), lower = now->lower ? px_jpeg_size(now->lower) : upper;
    float less = now->loss[1] - now->loss[0], least = 1e30f;
    for (int i = at - 1; i >= 0; i--) {
        int run = now->place - steps[i].place - 1;
        float way = steps[i].cost + (zeros[now->place - 1] - zeros[steps[i].place]) + (float)(run >> 4) * by->bits[0xf0] + now->loss[0];
        const float *bits = &by->bits[(run & 15) << 4];
        float cost = way + bits[upper];
        if (cost < least) {
            least = cost;
            now->before = i;
            now->value = now->upper;
        }
        if (lower != upper && way + bits[lower] + less < least) {
            least = way + bits[lower] + less;
            now->before = i;
            now->value = now->lower;
        }
    }
    now->cost = least;
}

/* Divides the AC of a block into `target`, which may be `raw`, and says which are not 0. */
static uint64_t divide_block(const int16_t raw[64], const divider *by, int16_t target[64])
{
    float zeros[64], least = 1e30f;
    step steps[64];
    float weight = weigh_zeros(raw, by, zeros);
    int count = find_steps(raw, by, weight, steps), best = 0;
    for (int i = 0; i < count; i++) {
        if (i)
            reach(steps, i, by, zeros);
        float cost = steps[i].cost + (zeros[63] - zeros[steps[i].place]) + (steps[i].place < 63 ? by->bits[0] : 0);
        if (cost < least) {
            least = cost;
            best = i;
        }
    }
    uint64_t nonzero = 0;
    for (int i = best; i; i = steps[i].before) {
        nonzero |= UINT64_C(1) << steps[i].place;
        steps[i].value = raw[steps[i].place] < 0 ? -steps[i].value : steps[i].value;
    }
    memset(target + 1, 0, 63 * sizeof *target);
    for (int i = best; i; i = steps[i].before)
        target[steps[i].place] = (int16_t)steps[i].value;
    return nonzero;
}

/* ---- the picture ---- */

static int round_off(int value, int by) { return value < 0 ? -((by / 2 - value) / by) : (value + by / 2) / by; }

static void count_symbols(const int16_t block[64], uint64_t nonzero, uint64_t counts[256])
{
    int last = 0;
    for (; nonzero; nonzero &= nonzero - 1) {
        int k = __builtin_ctzll(nonzero), run = k - last - 1;
        counts[0xf0] += (unsigned)run >> 4;
        counts[(run & 15) << 4 | px_jpeg_size(block[k])]++;
        last = k;
    }
    counts[0] += last < 63;
}

static divider divider_of(const uint8_t steps[64])
{
    divider by;
    for (int k = 0; k < 64; k++)
        by.parts[k] = 1 / (float)(8 * steps[px_jpeg_zigzag[k]]);
    return by;
}

/* Rounded, for the first count. */
static uint64_t round_block(const int16_t raw[64], const divider *by, int16_t target[64])
{
    uint64_t nonzero = 0;
    for (int k = 1; k < 64; k++) {
        float exact = (float)raw[k] * by->parts[k];
        target[k] = (int16_t)(exact < 0 ? exact - 0.5f : exact + 0.5f);
        nonzero |= (uint64_t)(target[k] != 0) << k;
    }
    return nonzero;
}

/* Counts what a way to divide makes of every fourth block, and sets the bits of symbols. */
static void price_planes(const px_jpeg_whole *whole, int first, int end, divider *by,
                         uint64_t (*divide)(const int16_t raw[64], const divider *by, int16_t target[64]))
{
    uint64_t counts[256] = { 0 };
    for (int p = first; p < end; p++)
        for (size_t i = 0; i < px_jpeg_block_count(whole->frame, p); i += 4) {
            int16_t block[64];
            uint64_t nonzero = divide(whole->blocks[p][i], by, block);
            count_symbols(block, nonzero, counts);
        }
    price(counts, by->bits);
}

void px_jpeg_trellis(px_jpeg_whole *whole)
{
    const px_jpeg_frame *frame = whole->frame;
    for (int table = 0; table < (frame->planes > 1 ? 2 : 1); table++) {
        int first = table, end = table ? 3 : 1;
        divider by = divider_of(frame->steps[table]);
        price_planes(whole, first, end, &by, round_block);
        price_planes(whole, first, end, &by, divide_block);
        for (int p = first; p < end; p++)
            for (size_t i = 0; i < px_jpeg_block_count(frame, p); i++) {
                int16_t *block = whole->blocks[p][i];
                whole->nonzero[p][i] = divide_block(block, &by, block);
                block[0] = (int16_t)round_off(block[0], 8 * frame->steps[table][0]);
            }
    }
}
