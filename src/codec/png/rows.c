/* PNG in: the chunks of pixels are one zlib stream, which libisal inflates as rows are asked for; filters are undone here. */
#include <stdlib.h>

#include "codec/big_endian.h"
#include "codec/png/read.h"

void px_png_begin_rows(px_png_decoder *self)
{
    isal_inflate_init(&self->inflate);
    self->inflate.crc_flag = ISAL_ZLIB;
    self->inflated_at = self->inflated_count = 0;
}

px_status px_png_check_sequence(px_png_decoder *self, uint32_t sequence, px_error *err)
{
    if (sequence != self->sequence)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the animation's part %u is where %u should be", sequence, self->sequence);
    self->sequence++;
    return PX_OK;
}

px_status px_png_begin_data(px_png_decoder *self, px_error *err)
{
    uint8_t sequence[4];
    if (memcmp(self->type, self->data_type, 4) != 0)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the picture's data ends before the picture does");
    if (self->type[0] == 'I')
        return PX_OK;
    PX_TRY(px_png_chunk_take(self, sequence, 4, err));
    return px_png_check_sequence(self, px_get_32(sequence), err);
}

/* Hands libisal more of the zlib stream; chunks are walked over as they end. */
static px_status feed(px_png_decoder *self, px_error *err)
{
    while (self->chunk_left == 0) {
        PX_TRY(px_png_chunk_end(self, err));
        PX_TRY(px_png_chunk_begin(self, err));
        PX_TRY(px_png_begin_data(self, err));
    }
    if (self->input_at == self->input_count)
        PX_TRY(px_png_refill(self, err));
    size_t some = self->input_count - self->input_at;
    some = some < self->chunk_left ? some : self->chunk_left;
    self->inflate.next_in = self->input + self->input_at;
    self->inflate.avail_in = (uint32_t)some;
    return px_png_chunk_take(self, NULL, some, err); /* stays in `input` until the next refill, which comes after its use */
}

/* libisal leaves the upper halves of the vector registers in use, which makes SSE code (our encoders', lcms2's, libm's) up to three
 * times slower until somebody says that they are not. */
#ifdef __x86_64__
static void clean_registers(void)
{
    if (__builtin_cpu_supports("avx"))
        __asm__ volatile("vzeroupper" ::: "memory");
}
#else
static void clean_registers(void) {}
#endif

/* Inflates some more into `inflated`; perhaps nothing yet. */
static px_status inflate_more(px_png_decoder *self, px_error *err)
{
    if (self->inflate.block_state == ISAL_BLOCK_FINISH)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the picture's data ends before the picture does");
    if (self->inflate.avail_in == 0)
        PX_TRY(feed(self, err));
    self->inflate.next_out = self->inflated;
    self->inflate.avail_out = PX_PNG_INFLATED_BYTES;
    int result = isal_inflate(&self->inflate);
    clean_registers();
    if (result < 0 || result == ISAL_NEED_DICT)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the compressed data is damaged (%d)", result);
    self->inflated_at = 0;
    self->inflated_count = PX_PNG_INFLATED_BYTES - self->inflate.avail_out;
    return PX_OK;
}

static px_status inflate_bytes(px_png_decoder *self, uint8_t *target, size_t count, px_error *err)
{
    while (count > 0) {
        if (self->inflated_at == self->inflated_count) {
            PX_TRY(inflate_more(self, err));
            continue;
        }
        size_t some = self->inflated_count - self->inflated_at;
        some = some < count ? some : count;
        memcpy(target, self->inflated + self->inflated_at, some);
        self->inflated_at += some;
        target += some;
        count -= some;
    }
    return PX_OK;
}

/* After the last row: the end of the zlib stream and of its chunk, with their checksums. More rows than the picture
 * has are nobody's loss. */
px_status px_png_end_rows(px_png_decoder *self, px_error *err)
{
    while (self->inflated_at == self->inflated_count && self->inflate.block_state != ISAL_BLOCK_FINISH)
        PX_TRY(inflate_more(self, err));
    return px_png_chunk_end(self, err);
}

/* 9.4. The nearest of left, above and their estimate. */
static inline uint8_t paeth(int a, int b, int c)
{
    int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);
    return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* 9.2. `step`: bytes of a pixel, at least 1. Inlined once for each step, so that the compiler knows it. */
static inline __attribute__((always_inline)) void unfilter_step(int filter, uint8_t *row, const uint8_t *above,
                                                                size_t count, size_t step)
{
    switch (filter) {
    case 1:
        for (size_t i = step; i < count; i++)
            row[i] = (uint8_t)(row[i] + row[i - step]);
        break;
    case 2:
        for (size_t i = 0; i < count; i++)
            row[i] = (uint8_t)(row[i] + above[i]);
        break;
    case 3:
        for (size_t i = 0; i < step; i++)
            row[i] = (uint8_t)(row[i] + above[i] / 2);
        for (size_t i = step; i < count; i++)
            row[i] = (uint8_t)(row[i] + (row[i - step] + above[i]) / 2);
        break;
    case 4:
        for (size_t i = 0; i < step; i++)
            row[i] = (uint8_t)(row[i] + above[i]);
        for (size_t i = step; i < count; i++)
            row[i] = (uint8_t)(row[i] + paeth(row[i - step], above[i], above[i - step]));
        break;
    default:
        break;
    }
}

static void unfilter(int filter, uint8_t *row, const uint8_t *above, size_t count, size_t step)
{
    switch (step) {
    case 1: unfilter_step(filter, row, above, count, 1); break;
    case 2: unfilter_step(filter, row, above, count, 2); break;
    case 3: unfilter_step(filter, row, above, count, 3); break;
    case 4: unfilter_step(filter, row, above, count, 4); break;
    case 6: unfilter_step(filter, row, above, count, 6); break;
    default: unfilter_step(filter, row, above, count, 8); break;
    }
}

size_t px_png_row_bytes(const px_png_decoder *self, size_t width)
{
    return (width * (size_t)(self->file_channels * self->depth) + 7) / 8;
}

/* A narrow row has count <= step. */
px_status px_png_next_raw(px_png_decoder *self, int width, px_error *err)
{
    size_t count = px_png_row_bytes(self, (size_t)width), bits = (size_t)(self->file_channels * self->depth);
    PX_TRY(inflate_bytes(self, self->current, count + 1, err));
    if (self->current[0] > 4)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a row has filter %d", self->current[0]);
    unfilter(self->current[0], self->current + 1, self->previous + 1, count, bits < 8 ? 1 : bits / 8);
    uint8_t *row = self->current;
    self->current = self->previous;
    self->previous = row;
    return PX_OK;
}
