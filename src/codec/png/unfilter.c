/* Undoing filters in GCC vector extensions. Meson compiles this file once for each CPU level, with PX_UNFILTER as the name of the set; no
 * intrinsics, so that every level and machine runs the same arithmetic.
 *
 * A group of rows goes as a wave: in step t, row k does its pixel t - k. A vector holds one pixel of each of its rows in lanes of 4 bytes (of
 * 8, for pixels of 16 bits), and two vectors make a group, so that the one's latency is spent on the other. The few pixels at a group's
 * beginning and end where not all of its rows take part are done in plain C. */
#include "codec/png/unfilter.h"

#include <stdbool.h>
#include <string.h>

#include "codec/png/predict.h"

typedef px_u8x16 u8x16;
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));

/* One pixel of each row of a vector, `stride` apart. Reads and writes whole lanes: what lies behind a pixel comes after it. */
PX_INLINE u8x16 gather(const uint8_t *at, size_t stride, size_t lane)
{
    if (lane == 4) {
        uint32_t pixels[4];
        for (size_t k = 0; k < 4; k++)
            memcpy(&pixels[k], at + k * stride, 4);
        return (u8x16)(u32x4){ pixels[0], pixels[1], pixels[2], pixels[3] };
    }
    uint64_t pixels[2];
    for (size_t k = 0; k < 2; k++)
        memcpy(&pixels[k], at + k * stride, 8);
    return (u8x16)(u64x2){ pixels[0], pixels[1] };
}

PX_INLINE void scatter(u8x16 pixels, uint8_t *at, size_t stride, size_t lane)
{
    for (size_t k = 0; k < 16 / lane; k++) {
        if (lane == 4)
            memcpy(at + k * stride, &(uint32_t){ ((u32x4)pixels)[k] }, 4);
        else
            memcpy(at + k * stride, &(uint64_t){ ((u64x2)pixels)[k] }, 8);
    }
}

/* What is above each row's pixel: the row before has just done it; above the first one is the last lane of `top`. */
PX_INLINE u8x16 above_of(u8x16 rows, u8x16 top, size_t lane)
{
    return lane == 4 ? (u8x16)__builtin_shufflevector((u32x4)top, (u32x4)rows, 3, 4, 5, 6)
                     : (u8x16)__builtin_shufflevector((u64x2)top, (u64x2)rows, 1, 2);
}

PX_INLINE u8x16 last_lane(const uint8_t *at, size_t lane)
{
    uint64_t pixel = 0;
    memcpy(&pixel, at, lane);
    return lane == 4 ? (u8x16)(u32x4){ 0, 0, 0, (uint32_t)pixel } : (u8x16)(u64x2){ 0, pixel };
}

/* Which of its neighbours a row's filter looks at: all ones where it does. */
typedef struct masks {
    u8x16 left, above, corner, average;
} masks;

PX_INLINE masks masks_of(const uint8_t *raw, size_t stride, size_t lane)
{
    masks m = { 0 };
    for (size_t i = 0; i < 16; i++) {
        int filter = raw[i / lane * stride];
        m.left[i] = filter == PX_UNFILTER_SUB || filter == PX_UNFILTER_PAETH ? 255 : 0;
        m.above[i] = filter == PX_UNFILTER_UP || filter == PX_UNFILTER_PAETH ? 255 : 0;
        m.corner[i] = filter == PX_UNFILTER_PAETH ? 255 : 0;
        m.average[i] = filter == PX_UNFILTER_AVERAGE ? 255 : 0;
    }
    return m;
}

/* Of nothing but what is left, or above, Paeth's predictor is that. */
PX_INLINE u8x16 predict(u8x16 a, u8x16 b, u8x16 c, const masks *m)
{
    return m ? px_paeth(a & m->left, b & m->above, c & m->corner) + (px_average(a, b) & m->average) : px_paeth(a, b, c);
}

/* 32 / lane rows together. `mixed`: not all of them are Paeth's. */
PX_INLINE void wave(const uint8_t *raw, size_t count, size_t step, uint8_t *out, size_t stride, size_t lane, bool mixed)
{
    size_t half = 16 / lane, rows = 2 * half, raw_stride = count + 1;
    for (size_t k = 0; k < rows; k++) {
        const uint8_t *row = raw + k * raw_stride;
        px_unfilter_part(row[0], row + 1, out + k * stride - stride, out + k * stride, 0, (rows - k) * step, step);
    }
    masks upper, lower;
    if (mixed) {
        upper = masks_of(raw, raw_stride, lane);
        lower = masks_of(raw + half * raw_stride, raw_stride, lane);
    }
    const uint8_t *from = raw + 1, *top = out - stride;
    size_t from_next = raw_stride - step, next = stride - step; /* from a row's pixel to that of the row below, which is one behind */
    size_t t = rows * step;
    u8x16 a1 = gather(out + t - step, next, lane), a2 = gather(out + half * next + t - step, next, lane);
    u8x16 c1 = gather(top + t - step, next, lane), c2 = gather(top + half * next + t - step, next, lane);
    for (; t < count; t += step) {
        u8x16 b1 = above_of(a1, last_lane(top + t, lane), lane), b2 = above_of(a2, a1, lane);
        a1 = gather(from + t, from_next, lane) + predict(a1, b1, c1, mixed ? &upper : NULL);
        a2 = gather(from + half * from_next + t, from_next, lane) + predict(a2, b2, c2, mixed ? &lower : NULL);
        c1 = b1;
        c2 = b2;
        scatter(a1, out + t, next, lane);
        scatter(a2, out + half * next + t, next, lane);
    }
    for (size_t k = 1; k < rows; k++) {
        const uint8_t *row = raw + k * raw_stride;
        px_unfilter_part(row[0], row + 1, out + k * stride - stride, out + k * stride, count - k * step, count, step);
    }
}

PX_INLINE void wave_of(const uint8_t *raw, size_t count, size_t step, uint8_t *out, size_t stride, size_t lane)
{
    bool mixed = false;
    for (size_t k = 0; k < 32 / lane; k++)
        mixed |= raw[k * (count + 1)] != PX_UNFILTER_PAETH;
    if (mixed)
        wave(raw, count, step, out, stride, lane, true);
    else
        wave(raw, count, step, out, stride, lane, false);
}

/* A sum that runs along the row, in a register. */
PX_INLINE void sub_row(const uint8_t *raw, uint8_t *row, size_t count, size_t step, size_t lane)
{
    u8x16 sum = { 0 };
    for (size_t i = 0; i < count; i += step) {
        sum += last_lane(raw + i, lane);
        if (lane == 4)
            memcpy(row + i, &(uint32_t){ ((u32x4)sum)[3] }, 4);
        else
            memcpy(row + i, &(uint64_t){ ((u64x2)sum)[1] }, 8);
    }
}

/* Do so many of these rows go along pixel by pixel that it pays to let them go together? */
static bool is_slow(const uint8_t *raw, size_t rows, size_t raw_stride)
{
    size_t slow = 0;
    for (size_t k = 0; k < rows; k++)
        slow += raw[k * raw_stride] >= PX_UNFILTER_AVERAGE;
    return slow >= 2;
}

PX_INLINE void undo(const uint8_t *raw, int rows, size_t count, size_t step, uint8_t *out, size_t stride, size_t lane)
{
    size_t group = 32 / lane, raw_stride = count + 1;
    for (size_t left = (size_t)rows; left > 0;) {
        bool together = left >= group && count >= 2 * group * step && is_slow(raw, group, raw_stride);
        size_t done = together ? group : 1;
        if (together)
            wave_of(raw, count, step, out, stride, lane);
        else if (raw[0] == PX_UNFILTER_SUB)
            sub_row(raw + 1, out, count, step, lane);
        else
            px_unfilter_part(raw[0], raw + 1, out - stride, out, 0, count, step);
        left -= done;
        raw += done * raw_stride;
        out += done * stride;
    }
}

static void undo_rows(const uint8_t *raw, int rows, size_t count, size_t step, uint8_t *out, size_t stride)
{
    switch (step) {
    case 1: undo(raw, rows, count, 1, out, stride, 4); break;
    case 2: undo(raw, rows, count, 2, out, stride, 4); break;
    case 3: undo(raw, rows, count, 3, out, stride, 4); break;
    case 4: undo(raw, rows, count, 4, out, stride, 4); break;
    case 6: undo(raw, rows, count, 6, out, stride, 8); break;
    default: undo(raw, rows, count, 8, out, stride, 8); break;
    }
}

const px_unfilter PX_UNFILTER = { PX_UNFILTER_NAME, undo_rows };
