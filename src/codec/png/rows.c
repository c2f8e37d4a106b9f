/* PNG in: the chunks of pixels are one zlib stream, which libisal inflates as rows are asked for, into a window where some are always whole;
 * from there their filters are undone, a group at a time (unfilter.h). */
#include <stdlib.h>
#include <string.h>

#include "codec/big_endian.h"
#include "codec/png/read.h"

enum { GROUP_BYTES = 1 << 20 }; /* of raw rows, at most, unless a single one is longer */

static size_t raw_bytes(const px_png_decoder *self) { return self->row_count + 1; }

size_t px_png_row_bytes(const px_png_decoder *self, size_t width)
{
    return (width * (size_t)(self->file_channels * self->depth) + 7) / 8;
}

/* How many rows are undone together: fewer where they are very long, so that memory stays bounded. */
static size_t group_of(size_t count)
{
    size_t group = GROUP_BYTES / (count + 1);
    return group < 1 ? 1 : group > PX_UNFILTER_ROWS ? PX_UNFILTER_ROWS : group;
}

static size_t stride_of(size_t count) { return count + PX_UNFILTER_SLACK; }

static size_t window_bytes(size_t count) { return PX_PNG_INFLATED_BYTES + group_of(count) * (count + 1) + PX_UNFILTER_SLACK; }

uint64_t px_png_rows_memory(const px_png_decoder *self)
{
    size_t count = px_png_row_bytes(self, (size_t)self->base.header.width);
    return window_bytes(count) + (group_of(count) + 1) * stride_of(count);
}

px_status px_png_rows_create(px_png_decoder *self, px_error *err)
{
    size_t count = px_png_row_bytes(self, (size_t)self->base.header.width);
    self->group = group_of(count);
    self->window_count = window_bytes(count);
    self->window = malloc(self->window_count);
    self->rows = calloc(self->group + 1, stride_of(count));
    self->unfilter = px_unfilter_best();
    return self->window && self->rows ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no room for rows of %d pixels", self->base.header.width);
}

void px_png_begin_rows(px_png_decoder *self)
{
    isal_inflate_init(&self->inflate);
    self->inflate.crc_flag = ISAL_ZLIB;
    self->inflated_at = self->inflated_count = 0;
    self->failure = PX_OK;
}

void px_png_begin_pass(px_png_decoder *self, int width, int height)
{
    self->row_count = px_png_row_bytes(self, (size_t)width);
    self->rows_left = (size_t)height;
    self->rows_ready = self->rows_taken = 0;
    memset(self->rows, 0, stride_of(self->row_count)); /* above the first one */
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

/* Inflates some more behind what is in the window; perhaps nothing yet. */
static px_status inflate_more(px_png_decoder *self, px_error *err)
{
    if (self->inflate.block_state == ISAL_BLOCK_FINISH)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the picture's data ends before the picture does");
    if (self->inflate.avail_in == 0)
        PX_TRY(feed(self, err));
    if (self->inflated_at > 0) { /* less than a group of rows */
        self->inflated_count -= self->inflated_at;
        memmove(self->window, self->window + self->inflated_at, self->inflated_count);
        self->inflated_at = 0;
    }
    size_t room = self->window_count - PX_UNFILTER_SLACK - self->inflated_count;
    self->inflate.next_out = self->window + self->inflated_count;
    self->inflate.avail_out = (uint32_t)room;
    int result = isal_inflate(&self->inflate);
    clean_registers();
    if (result < 0 || result == ISAL_NEED_DICT)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the compressed data is damaged (%d)", result);
    self->inflated_count += room - self->inflate.avail_out;
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

/* Inflates until a group of rows is there, and says how many are. Those in front of a failure come first. */
static px_status fill_window(px_png_decoder *self, size_t *ret_rows, px_error *err)
{
    size_t wanted = self->rows_left < self->group ? self->rows_left : self->group, raw = raw_bytes(self);
    while (self->failure == PX_OK && self->inflated_count - self->inflated_at < wanted * raw)
        self->failure = inflate_more(self, &self->failed);
    size_t rows = (self->inflated_count - self->inflated_at) / raw;
    *ret_rows = rows < wanted ? rows : wanted;
    return *ret_rows ? PX_OK : px_fail(err, self->failure, "%s", self->failed.message);
}

/* Finishes the next group. */
static px_status finish_group(px_png_decoder *self, px_error *err)
{
    size_t rows, sound = 0, count = self->row_count, stride = stride_of(count), bits = (size_t)(self->file_channels * self->depth);
    PX_TRY(fill_window(self, &rows, err));
    const uint8_t *raw = self->window + self->inflated_at;
    while (sound < rows && raw[sound * raw_bytes(self)] < PX_UNFILTER_COUNT)
        sound++;
    if (sound == 0)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a row has filter %d", raw[0]);
    if (self->rows_ready)
        memcpy(self->rows, self->rows + self->rows_ready * stride, count);
    self->unfilter->rows(raw, (int)sound, count, bits < 8 ? 1 : bits / 8, self->rows + stride, stride);
    self->inflated_at += sound * raw_bytes(self);
    self->rows_left -= sound;
    self->rows_ready = sound;
    self->rows_taken = 0;
    return PX_OK;
}

px_status px_png_next_raw(px_png_decoder *self, uint8_t **ret, px_error *err)
{
    if (self->rows_taken == self->rows_ready)
        PX_TRY(finish_group(self, err));
    *ret = self->rows + ++self->rows_taken * stride_of(self->row_count);
    return PX_OK;
}
