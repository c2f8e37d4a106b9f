/* PNG in: chunks, filters, palettes and interlacing by us, inflated by libisal.
 *
 * open reads chunks up to the first IDAT; from there the IDATs are one zlib stream that is inflated as rows are asked for.
 * Rows come out as grey or RGB with 8 bits, with straight alpha if the file has any; 16 bits are rounded. An
 * interlaced picture is held whole, since its last pass touches every second row. Every chunk's CRC is checked.
 * An animation's frames (frames.h) are read likewise, one after the other, and drawn on a canvas, which is what is pulled.
 * Section numbers are those of the PNG specification, third edition. */
#include <assert.h>
#include <stdlib.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include "base/buffer.h"
#include "codec/big_endian.h"
#include "codec/exif.h"
#include "codec/formats.h"
#include "codec/png/frames.h"
#include "codec/space.h"

enum { INPUT_BYTES = 64 << 10, INFLATED_BYTES = 256 << 10 };
_Static_assert((int)INFLATED_BYTES >= (int)PX_EXIF_BYTES_MAX, "chunks of metadata are read into `inflated`");

enum { GREY = 0, COLOUR = 2, PALETTE = 3, GREY_ALPHA = 4, COLOUR_ALPHA = 6 }; /* 11.2.1 */

typedef struct png_decoder {
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
    size_t inflated_at, inflated_count;
    uint8_t *current, *previous; /* owned; raw rows, one filter byte before the samples */
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

    uint8_t input[INPUT_BYTES];
    uint8_t inflated[INFLATED_BYTES];
} png_decoder;

static px_status refill(png_decoder *self, px_error *err)
{
    size_t count;
    PX_TRY(px_source_read_at(self->source, self->offset, self->input, INPUT_BYTES, &count, err));
    if (count == 0)
        return px_fail(err, PX_TRUNCATED_IMAGE, "PNG: the file ends before the picture does");
    self->offset += count;
    if (self->offset > self->limits->input_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "the source is over %llu bytes (limits.input_bytes)",
                       (unsigned long long)self->limits->input_bytes);
    self->input_at = 0;
    self->input_count = count;
    return PX_OK;
}

static px_status read_bytes(png_decoder *self, void *target, size_t count, px_error *err)
{
    uint8_t *to = target;
    while (count > 0) {
        if (self->input_at == self->input_count)
            PX_TRY(refill(self, err));
        size_t some = self->input_count - self->input_at;
        some = some < count ? some : count;
        if (to) {
            memcpy(to, self->input + self->input_at, some);
            to += some;
        }
        self->crc = crc32_gzip_refl(self->crc, self->input + self->input_at, some);
        self->input_at += some;
        count -= some;
    }
    return PX_OK;
}

static px_status chunk_begin(png_decoder *self, px_error *err)
{
    uint8_t length[4];
    PX_TRY(read_bytes(self, length, sizeof length, err));
    self->chunk_left = px_get_32(length);
    if (self->chunk_left > 0x7fffffff)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a chunk of %u bytes", self->chunk_left);
    self->crc = 0;
    return read_bytes(self, self->type, 4, err);
}

/* Takes `count` bytes of the chunk; NULL skips them. */
static px_status chunk_take(png_decoder *self, void *target, size_t count, px_error *err)
{
    if (count > self->chunk_left)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the chunk %.4s is too short", self->type);
    self->chunk_left -= (uint32_t)count;
    return read_bytes(self, target, count, err);
}

/* A fuzzer cannot guess checksums: where they count, it never comes beyond them. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
enum { CHECKSUMS_MATTER = 0 };
#else
enum { CHECKSUMS_MATTER = 1 };
#endif

/* Skips what is left of the chunk and checks it. */
static px_status chunk_end(png_decoder *self, px_error *err)
{
    PX_TRY(chunk_take(self, NULL, self->chunk_left, err));
    uint32_t computed = self->crc;
    uint8_t stored[4];
    PX_TRY(read_bytes(self, stored, sizeof stored, err));
    if (CHECKSUMS_MATTER && px_get_32(stored) != computed)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the chunk %.4s does not have its checksum", self->type);
    return PX_OK;
}

static bool is_depth(int colour_type, int depth)
{
    switch (colour_type) {
    case GREY: return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case PALETTE: return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case COLOUR: case GREY_ALPHA: case COLOUR_ALPHA: return depth == 8 || depth == 16;
    default: return false;
    }
}

static px_status read_header(png_decoder *self, px_error *err)
{
    static const uint8_t channels[7] = { [GREY] = 1, [COLOUR] = 3, [PALETTE] = 1, [GREY_ALPHA] = 2, [COLOUR_ALPHA] = 4 };
    uint8_t h[13];
    PX_TRY(read_bytes(self, NULL, 8, err)); /* the signature: px_format_detect has seen it */
    PX_TRY(chunk_begin(self, err));
    if (memcmp(self->type, "IHDR", 4) != 0 || self->chunk_left != sizeof h)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: it does not begin with its header");
    PX_TRY(chunk_take(self, h, sizeof h, err));
    PX_TRY(chunk_end(self, err));
    PX_TRY(px_judge_size(self->limits, px_get_32(h), px_get_32(h + 4), err));
    self->base.header.width = (int)px_get_32(h);
    self->base.header.height = (int)px_get_32(h + 4);
    self->depth = h[8];
    self->colour_type = h[9];
    if (!is_depth(self->colour_type, self->depth) || h[10] != 0 || h[11] != 0 || h[12] > 1)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: depth %d, colour type %d, methods %d, %d, %d", h[8], h[9], h[10],
                       h[11], h[12]);
    self->interlaced = h[12] == 1;
    self->file_channels = channels[self->colour_type];
    return PX_OK;
}

static px_status read_palette(png_decoder *self, px_error *err)
{
    if (self->chunk_left % 3 != 0 || self->chunk_left > 768 || self->chunk_left == 0 || self->has_palette)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a palette of %u bytes", self->chunk_left);
    for (int i = 0; self->chunk_left > 0; i++)
        PX_TRY(chunk_take(self, self->palette[i], 3, err));
    self->has_palette = true;
    return PX_OK;
}

/* 11.3.1.1 */
static px_status read_transparency(png_decoder *self, px_error *err)
{
    if (self->colour_type == PALETTE) {
        if (self->chunk_left > 256)
            return px_fail(err, PX_CORRUPT_IMAGE, "PNG: transparency for %u colours", self->chunk_left);
        for (int i = 0; self->chunk_left > 0; i++)
            PX_TRY(chunk_take(self, &self->palette[i][3], 1, err));
        self->has_key = true;
    } else if (self->colour_type == GREY || self->colour_type == COLOUR) {
        for (int c = 0; c < self->file_channels; c++) {
            uint8_t value[2];
            PX_TRY(chunk_take(self, value, 2, err));
            self->key[c] = (uint16_t)(value[0] << 8 | value[1]);
        }
        self->has_key = true;
    }
    return PX_OK;
}

static px_status read_exif(png_decoder *self, px_error *err)
{
    if (self->chunk_left > PX_EXIF_BYTES_MAX || self->exif.count)
        return PX_OK;
    size_t count = self->chunk_left;
    PX_TRY(chunk_take(self, self->inflated, count, err)); /* free until the first IDAT */
    px_buffer_push(&self->exif, self->inflated, count);
    self->base.header.exif = px_buffer_bytes(&self->exif);
    self->base.header.orientation = px_exif_orientation(self->base.header.exif);
    return px_buffer_failed(&self->exif) ? px_fail(err, PX_OUT_OF_MEMORY, "no room for EXIF") : PX_OK;
}

/* A text chunk, kept as it is; the one that holds XMP, if it is not compressed, as that (11.3.3). */
static px_status read_text(png_decoder *self, px_error *err)
{
    size_t count = self->chunk_left;
    if (count + 12 > PX_EXIF_BYTES_MAX - self->text.count)
        return PX_OK;
    uint8_t head[8], sum[4];
    px_put_32(head, (uint32_t)count);
    memcpy(head + 4, self->type, 4);
    PX_TRY(chunk_take(self, self->inflated, count, err));
    px_put_32(sum, self->crc);
    if (count > sizeof PX_PNG_XMP && memcmp(self->inflated, PX_PNG_XMP, sizeof PX_PNG_XMP) == 0 && !self->xmp.count) {
        px_buffer_push(&self->xmp, self->inflated + sizeof PX_PNG_XMP, count - sizeof PX_PNG_XMP);
    } else {
        px_buffer_push(&self->text, head, sizeof head);
        px_buffer_push(&self->text, self->inflated, count);
        px_buffer_push(&self->text, sum, sizeof sum);
    }
    self->base.header.text = px_buffer_bytes(&self->text);
    self->base.header.xmp = px_buffer_bytes(&self->xmp);
    return px_buffer_failed(&self->text) || px_buffer_failed(&self->xmp) ? px_fail(err, PX_OUT_OF_MEMORY, "no room for text") : PX_OK;
}

/* Inflated, or NULL. Its first four bytes say how long it is (ICC.1:2022 7.2.2). */
static uint8_t *inflate_profile(const uint8_t *packed, size_t count, size_t *ret_count)
{
    struct libdeflate_decompressor *inflate = libdeflate_alloc_decompressor();
    uint8_t *profile = NULL;
    for (size_t room = 16 << 10; inflate && !profile && room <= PX_PROFILE_BYTES_MAX; room *= 4) {
        profile = malloc(room);
        if (!profile)
            break;
        enum libdeflate_result result = libdeflate_zlib_decompress(inflate, packed, count, profile, room, ret_count);
        if (result == LIBDEFLATE_SUCCESS)
            break;
        free(profile);
        profile = NULL;
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            break;
    }
    libdeflate_free_decompressor(inflate);
    return profile;
}

/* PNG 11.3.2.3: a name, 0, the method 0, zlib. One that is not as it should be is passed over, like every ancillary chunk. */
static px_status read_profile(png_decoder *self, px_error *err)
{
    size_t count = self->chunk_left;
    if (self->profile || count > PX_PROFILE_BYTES_MAX)
        return PX_OK;
    uint8_t *chunk = malloc(count + 1);
    if (!chunk)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a profile of %zu bytes", count);
    px_status status = chunk_take(self, chunk, count, err);
    const uint8_t *name_end = status == PX_OK ? memchr(chunk, 0, count < 80 ? count : 80) : NULL;
    size_t head = name_end ? (size_t)(name_end - chunk) + 2 : 0, bytes = 0;
    if (name_end && head < count && name_end[1] == 0)
        self->profile = inflate_profile(chunk + head, count - head, &bytes);
    self->base.header.profile = (px_bytes){ self->profile, self->profile ? bytes : 0 };
    free(chunk);
    return status;
}

/* gAMA and cHRM, in hundred thousandths (11.3.2.1, 11.3.2.2); what cannot be meant is passed over. */
static px_status read_gamma(png_decoder *self, px_error *err)
{
    uint8_t value[4];
    if (self->chunk_left != sizeof value)
        return PX_OK;
    PX_TRY(chunk_take(self, value, sizeof value, err));
    double gamma = 100000.0 / (px_get_32(value) + 1e-9);
    if (gamma < 0.1 || gamma > 10 || self->has_cicp)
        return PX_OK;
    self->has_gamma = true;
    self->space.curve = PX_CURVE_GAMMA;
    self->space.gamma = gamma;
    return PX_OK;
}

static px_status read_chromaticities(png_decoder *self, px_error *err)
{
    px_space *space = &self->space;
    px_point *const points[] = { &space->white, &space->red, &space->green, &space->blue };
    uint8_t values[32];
    if (self->chunk_left != sizeof values)
        return PX_OK;
    PX_TRY(chunk_take(self, values, sizeof values, err));
    for (int i = 0; i < 4 && !self->has_cicp; i++)
        *points[i] = (px_point){ px_get_32(values + 8 * i) / 100000.0, px_get_32(values + 8 * i + 4) / 100000.0 };
    return PX_OK;
}

/* 11.3.2.6: code points. What is HDR, or in no colours that we know, is as if nothing was said. */
static px_status read_cicp(png_decoder *self, px_error *err)
{
    uint8_t codes[4];
    if (self->chunk_left != sizeof codes)
        return PX_OK;
    PX_TRY(chunk_take(self, codes, sizeof codes, err));
    self->has_cicp = codes[2] == 0 && codes[3] == 1 && px_space_of_cicp(codes[0], codes[1], &self->space);
    return PX_OK;
}

/* cICP, iCCP, sRGB, gAMA with cHRM: the first that is there counts (12.3, table 9). A gamma alone is that of sRGB's primaries. What is
 * said in numbers becomes a profile, unless it is sRGB. */
static px_status judge_colours(png_decoder *self, bool grey, px_error *err)
{
    px_header *header = &self->base.header;
    if (!self->has_cicp && (header->profile.count || self->has_srgb || !self->has_gamma))
        return PX_OK;
    if (!self->has_cicp && self->space.white.y <= 0) {
        self->space.white = px_space_srgb.white;
        self->space.red = px_space_srgb.red;
        self->space.green = px_space_srgb.green;
        self->space.blue = px_space_srgb.blue;
    }
    free(self->profile);
    self->profile = NULL;
    header->profile = (px_bytes){ 0 };
    if (px_space_is_srgb(&self->space))
        return PX_OK;
    PX_TRY(px_space_profile(&self->space, grey, &header->profile, err));
    self->profile = (uint8_t *)(uintptr_t)header->profile.data;
    return PX_OK;
}

/* All chunks in front of the first IDAT, whose data comes next. */
static px_status read_chunks(png_decoder *self, px_error *err)
{
    for (;;) {
        PX_TRY(chunk_begin(self, err));
        if (memcmp(self->type, "IDAT", 4) == 0)
            break;
        bool known = memcmp(self->type, "PLTE", 4) == 0;
        if (!known && !(self->type[0] & 0x20)) /* 5.4: critical */
            return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a chunk %.4s before the picture",
                           self->type[0] >= 'A' && self->type[0] <= 'Z' ? self->type : "????");
        self->metadata_bytes += self->chunk_left;
        if (self->metadata_bytes > self->limits->metadata_bytes)
            return px_fail(err, PX_TOO_MANY_BYTES, "PNG: more than %llu bytes of metadata (limits.metadata_bytes)",
                           (unsigned long long)self->limits->metadata_bytes);
        if (known)
            PX_TRY(read_palette(self, err));
        else if (memcmp(self->type, "tRNS", 4) == 0)
            PX_TRY(read_transparency(self, err));
        else if (memcmp(self->type, "eXIf", 4) == 0)
            PX_TRY(read_exif(self, err));
        else if (memcmp(self->type, "tEXt", 4) == 0 || memcmp(self->type, "zTXt", 4) == 0 || memcmp(self->type, "iTXt", 4) == 0)
            PX_TRY(read_text(self, err));
        else if (memcmp(self->type, "sRGB", 4) == 0)
            self->has_srgb = true;
        else if (memcmp(self->type, "gAMA", 4) == 0)
            PX_TRY(read_gamma(self, err));
        else if (memcmp(self->type, "cHRM", 4) == 0)
            PX_TRY(read_chromaticities(self, err));
        else if (memcmp(self->type, "cICP", 4) == 0)
            PX_TRY(read_cicp(self, err));
        else if (memcmp(self->type, "iCCP", 4) == 0)
            PX_TRY(read_profile(self, err));
        else if (memcmp(self->type, "fcTL", 4) == 0 && self->chunk_left == PX_PNG_CONTROL_BYTES)
            PX_TRY(chunk_take(self, self->control, PX_PNG_CONTROL_BYTES, err));
        self->has_animation |= memcmp(self->type, "acTL", 4) == 0;
        PX_TRY(chunk_end(self, err));
    }
    if (self->colour_type == PALETTE && !self->has_palette)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the palette is missing");
    return PX_OK;
}

/* At the beginning of an fcTL's or fdAT's data: the numbers count on over both. */
static px_status check_sequence(png_decoder *self, uint32_t sequence, px_error *err)
{
    if (sequence != self->sequence)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the animation's part %u is where %u should be", sequence, self->sequence);
    self->sequence++;
    return PX_OK;
}

/* Behind the head of a chunk of pixels. */
static px_status begin_data(png_decoder *self, px_error *err)
{
    uint8_t sequence[4];
    if (memcmp(self->type, self->data_type, 4) != 0)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the picture's data ends before the picture does");
    if (self->type[0] == 'I')
        return PX_OK;
    PX_TRY(chunk_take(self, sequence, 4, err));
    return check_sequence(self, px_get_32(sequence), err);
}

/* Hands libisal more of the zlib stream; chunks are walked over as they end. */
static px_status feed(png_decoder *self, px_error *err)
{
    while (self->chunk_left == 0) {
        PX_TRY(chunk_end(self, err));
        PX_TRY(chunk_begin(self, err));
        PX_TRY(begin_data(self, err));
    }
    if (self->input_at == self->input_count)
        PX_TRY(refill(self, err));
    size_t some = self->input_count - self->input_at;
    some = some < self->chunk_left ? some : self->chunk_left;
    self->inflate.next_in = self->input + self->input_at;
    self->inflate.avail_in = (uint32_t)some;
    return chunk_take(self, NULL, some, err); /* stays in `input` until the next refill, which comes after its use */
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
static px_status inflate_more(png_decoder *self, px_error *err)
{
    if (self->inflate.block_state == ISAL_BLOCK_FINISH)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the picture's data ends before the picture does");
    if (self->inflate.avail_in == 0)
        PX_TRY(feed(self, err));
    self->inflate.next_out = self->inflated;
    self->inflate.avail_out = INFLATED_BYTES;
    int result = isal_inflate(&self->inflate);
    clean_registers();
    if (result < 0 || result == ISAL_NEED_DICT)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the compressed data is damaged (%d)", result);
    self->inflated_at = 0;
    self->inflated_count = INFLATED_BYTES - self->inflate.avail_out;
    return PX_OK;
}

static px_status inflate_bytes(png_decoder *self, uint8_t *target, size_t count, px_error *err)
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
static px_status read_end(png_decoder *self, px_error *err)
{
    while (self->inflated_at == self->inflated_count && self->inflate.block_state != ISAL_BLOCK_FINISH)
        PX_TRY(inflate_more(self, err));
    return chunk_end(self, err);
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

static size_t row_bytes(const png_decoder *self, size_t width)
{
    return (width * (size_t)(self->file_channels * self->depth) + 7) / 8;
}

/* Leaves the next raw row in `previous` + 1, which is `above` for the one after it. A narrow row has count <= step. */
static px_status next_raw(png_decoder *self, int width, px_error *err)
{
    size_t count = row_bytes(self, (size_t)width), bits = (size_t)(self->file_channels * self->depth);
    PX_TRY(inflate_bytes(self, self->current, count + 1, err));
    if (self->current[0] > 4)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a row has filter %d", self->current[0]);
    unfilter(self->current[0], self->current + 1, self->previous + 1, count, bits < 8 ? 1 : bits / 8);
    uint8_t *row = self->current;
    self->current = self->previous;
    self->previous = row;
    return PX_OK;
}

static unsigned sample_of(const png_decoder *self, const uint8_t *raw, size_t index)
{
    if (self->depth == 8)
        return raw[index];
    if (self->depth == 16)
        return (unsigned)(raw[2 * index] << 8 | raw[2 * index + 1]);
    unsigned bit = (unsigned)index * (unsigned)self->depth;
    return (unsigned)(raw[index * (size_t)self->depth / 8] >> (8 - (unsigned)self->depth - bit % 8)) &
           ((1u << self->depth) - 1);
}

static int out_channels(const png_decoder *self)
{
    return px_channels(self->base.header.model, self->base.header.alpha);
}

static size_t pixel_bytes(const png_decoder *self) { return (size_t)out_channels(self) * (self->base.wants_deep ? 2 : 1); }

/* As expand_pixel, with 16 bits in the machine's order. Such a file has no palette. */
static void expand_deep(const png_decoder *self, const uint8_t *raw, size_t x, uint8_t *pixel)
{
    uint16_t samples[4];
    int channels = self->file_channels;
    bool is_key = self->has_key;
    for (int c = 0; c < channels; c++) {
        samples[c] = (uint16_t)sample_of(self, raw, x * (size_t)channels + (size_t)c);
        is_key = is_key && samples[c] == self->key[c];
    }
    if (self->has_key)
        samples[channels] = is_key ? 0 : 0xffff;
    memcpy(pixel, samples, pixel_bytes(self));
}

static uint8_t to_8_bits(unsigned value, int depth)
{
    unsigned most = (1u << depth) - 1;
    return (uint8_t)((value * 255 + most / 2) / most);
}

/* One raw pixel to one of the header's model and alpha. */
static void expand_pixel(const png_decoder *self, const uint8_t *raw, size_t x, uint8_t *pixel)
{
    if (self->base.wants_deep) {
        expand_deep(self, raw, x, pixel);
        return;
    }
    if (self->colour_type == PALETTE) {
        memcpy(pixel, self->palette[sample_of(self, raw, x)], self->base.header.alpha == PX_OPAQUE ? 3 : 4);
        return;
    }
    bool is_key = self->has_key;
    int channels = self->file_channels;
    for (int c = 0; c < channels; c++) {
        unsigned value = sample_of(self, raw, x * (size_t)channels + (size_t)c);
        is_key = is_key && value == self->key[c];
        pixel[c] = to_8_bits(value, self->depth);
    }
    if (self->base.header.alpha != PX_OPAQUE && channels % 2) /* which the file's pixels have not */
        pixel[channels] = is_key ? 0 : 255;
}

/* 8.1: the seven passes of Adam7, and what each pixel stands for as long as the next passes are missing. */
static const struct {
    int x, y, step_x, step_y, width, height;
} passes[7] = { { 0, 0, 8, 8, 8, 8 }, { 4, 0, 8, 8, 4, 8 }, { 0, 4, 4, 8, 4, 4 }, { 2, 0, 4, 4, 2, 4 }, { 0, 2, 2, 4, 2, 2 },
                { 1, 0, 2, 2, 1, 2 }, { 0, 1, 1, 2, 1, 1 } };

/* Is this the end of a source that is accepted as it is, with something to show for it? */
static bool accepts_end(png_decoder *self, px_status status, bool anything)
{
    if (status != PX_TRUNCATED_IMAGE || !self->limits->truncated || !anything)
        return false;
    self->base.header.truncated = true;
    return true;
}

/* What is missing: grey, or nothing where the picture has alpha. */
static void fill_missing(const png_decoder *self, uint8_t *pixels, size_t count)
{
    memset(pixels, self->base.header.alpha == PX_OPAQUE ? 128 : 0, count * pixel_bytes(self));
}

/* Writes a pixel over all that it stands for: what later passes know better, they overwrite. */
static void spread_pixel(png_decoder *self, int pass, int x, int y, int width, int height)
{
    size_t channels = pixel_bytes(self);
    const uint8_t *pixel = self->held + ((size_t)y * (size_t)width + (size_t)x) * channels;
    for (int j = y; j < y + passes[pass].height && j < height; j++)
        for (int i = x; i < x + passes[pass].width && i < width; i++)
            if (i != x || j != y)
                memcpy(self->held + ((size_t)j * (size_t)width + (size_t)i) * channels, pixel, channels);
}

static px_status read_interlaced(png_decoder *self, int width, int height, px_error *err)
{
    size_t channels = pixel_bytes(self);
    for (int p = 0; p < 7; p++) {
        int across = (width - passes[p].x + passes[p].step_x - 1) / passes[p].step_x;
        if (width <= passes[p].x)
            continue;
        memset(self->previous, 0, row_bytes(self, (size_t)width) + 1);
        for (int64_t y = passes[p].y; y < height; y += passes[p].step_y) {
            px_status status = next_raw(self, across, err);
            if (accepts_end(self, status, p > 0 || y > 0))
                return PX_OK;
            PX_TRY(status);
            uint8_t *row = self->held + (size_t)y * (size_t)width * channels;
            for (int x = 0; x < across; x++) {
                expand_pixel(self, self->previous + 1, (size_t)x,
                             row + (size_t)(passes[p].x + x * passes[p].step_x) * channels);
                if (self->limits->truncated)
                    spread_pixel(self, p, passes[p].x + x * passes[p].step_x, (int)y, width, height);
            }
        }
    }
    px_status status = read_end(self, err);
    return accepts_end(self, status, true) ? PX_OK : status;
}

/* Are frames wanted, and there? */
static bool is_played(const png_decoder *self) { return self->base.header.frames > 1 && !self->base.wants_still; }

static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const png_decoder *self = (const png_decoder *)base;
    uint64_t width = (uint64_t)base->header.width, channels = (uint64_t)out_channels(self) * (base->header.deep ? 2 : 1);
    uint64_t held = self->interlaced ? width * (uint64_t)base->header.height * channels : 0;
    if (is_played(self))
        held += px_canvas_memory(base->header.width, base->header.height, self->facts.restores) + width * 4;
    return sizeof *self + 2 * (row_bytes(self, (size_t)width) + 1) + width * channels + held;
}

static void begin_inflate(png_decoder *self)
{
    isal_inflate_init(&self->inflate);
    self->inflate.crc_flag = ISAL_ZLIB;
    self->inflated_at = self->inflated_count = 0;
}

/* ---- animation ---- */

/* Goes on behind the next fcTL, and to the first byte of its pixels. What lies between is not of interest. */
static px_status find_frame(png_decoder *self, px_error *err)
{
    self->data_type = "fdAT";
    for (bool controlled = false;;) {
        PX_TRY(chunk_begin(self, err));
        if (memcmp(self->type, "IEND", 4) == 0)
            return px_fail(err, PX_CORRUPT_IMAGE, "PNG: there is no further frame");
        if (memcmp(self->type, "fcTL", 4) == 0) {
            PX_TRY(chunk_take(self, self->control, PX_PNG_CONTROL_BYTES, err));
            PX_TRY(check_sequence(self, px_get_32(self->control), err));
            controlled = true;
        } else if (memcmp(self->type, "fdAT", 4) == 0) {
            PX_TRY(begin_data(self, err));
            if (controlled)
                return PX_OK;
        }
        PX_TRY(chunk_end(self, err));
    }
}

/* To the next frame's pixels, from wherever the one before left off. */
static px_status seek_frame(png_decoder *self, px_error *err)
{
    if (self->frame > 0)
        return find_frame(self, err);
    if (self->facts.still_is_first)
        return check_sequence(self, px_get_32(self->control), err);
    PX_TRY(chunk_end(self, err));
    return find_frame(self, err);
}

static px_status draw_frame(png_decoder *self, const px_png_frame *frame, px_error *err)
{
    const px_header *header = &self->base.header;
    int width = frame->place.width, height = frame->place.height;
    size_t channels = (size_t)out_channels(self);
    begin_inflate(self);
    memset(self->previous, 0, row_bytes(self, (size_t)width) + 1);
    px_canvas_begin(&self->canvas, frame->place, frame->disposal);
    if (self->interlaced && self->limits->truncated)
        fill_missing(self, self->held, (size_t)width * (size_t)height);
    if (self->interlaced)
        PX_TRY(read_interlaced(self, width, height, err));
    for (int y = 0; y < height; y++) {
        uint8_t *row = self->interlaced ? self->held + (size_t)y * (size_t)width * channels : self->row;
        if (!self->interlaced) {
            PX_TRY(next_raw(self, width, err));
            for (size_t x = 0; x < (size_t)width; x++)
                expand_pixel(self, self->previous + 1, x, row + x * channels);
        }
        px_png_frame_draw(&self->canvas, frame, y, row, header->model, header->alpha);
    }
    return self->interlaced ? PX_OK : read_end(self, err);
}

/* Where the still is all that is wanted, it stands for the first frame. */
static px_status decoder_next(px_decoder *base, int *ret_ms, px_error *err)
{
    png_decoder *self = (png_decoder *)base;
    px_png_frame frame;
    *ret_ms = 0;
    if (!is_played(self))
        return PX_OK;
    px_status status = seek_frame(self, err);
    self->pulled = 0;
    if (status == PX_OK) {
        PX_TRY(px_png_frame_parse(self->control, &base->header, self->frame == 0, &frame, err));
        *ret_ms = frame.milliseconds;
        status = draw_frame(self, &frame, err);
    }
    if (!accepts_end(self, status, self->frame > 0)) /* where the last frame is cut, what is there of it lies over the one before */
        PX_TRY(status);
    self->frame++;
    return PX_OK;
}

static px_status pull_canvas(png_decoder *self, px_row *ret, px_error *err)
{
    const px_header *header = &self->base.header;
    int milliseconds;
    if (self->frame == 0)
        PX_TRY(decoder_next(&self->base, &milliseconds, err));
    assert(self->pulled < header->height);
    px_canvas_row(&self->canvas, self->pulled++, header->model, header->alpha, self->row);
    *ret = px_row_of(self->row, header->width, header->model, header->alpha);
    return PX_OK;
}

/* ---- the decoder ---- */

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    png_decoder *self = (png_decoder *)base;
    size_t width = (size_t)base->header.width, channels = pixel_bytes(self);
    self->current = calloc(row_bytes(self, width) + 1, 1);
    self->previous = calloc(row_bytes(self, width) + 1, 1);
    self->row = malloc(width * channels);
    if (self->interlaced)
        self->held = calloc(width * channels, (size_t)base->header.height);
    if (!self->current || !self->previous || !self->row || (self->interlaced && !self->held))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for rows of %d pixels", base->header.width);
    begin_inflate(self);
    if (is_played(self))
        PX_TRY(px_canvas_init(&self->canvas, base->header.width, base->header.height, self->facts.restores, err));
    else if (self->interlaced) {
        fill_missing(self, self->held, width * (size_t)base->header.height);
        PX_TRY(read_interlaced(self, base->header.width, base->header.height, err));
    }
    *ret_width = base->header.width;
    *ret_height = base->header.height;
    return PX_OK;
}

/* The next row of a picture that is not interlaced. */
static px_status pull_streamed(png_decoder *self, uint8_t **row, px_error *err)
{
    size_t width = (size_t)self->base.header.width;
    px_status status = self->base.header.truncated ? PX_TRUNCATED_IMAGE : next_raw(self, (int)width, err);
    if (accepts_end(self, status, self->pulled > 0)) {
        fill_missing(self, self->row, width);
        return PX_OK;
    }
    PX_TRY(status);
    if (self->depth == 8 && self->colour_type != PALETTE && self->file_channels == out_channels(self))
        *row = self->previous + 1;
    else
        for (size_t x = 0, step = pixel_bytes(self); x < width; x++)
            expand_pixel(self, self->previous + 1, x, self->row + x * step);
    if (self->pulled < self->base.header.height - 1)
        return PX_OK;
    status = read_end(self, err);
    return accepts_end(self, status, true) ? PX_OK : status;
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    png_decoder *self = (png_decoder *)base;
    if (is_played(self))
        return pull_canvas(self, ret, err);
    assert(self->pulled < base->header.height);
    int width = base->header.width;
    uint8_t *row = self->row;
    if (self->interlaced) {
        row = self->held + (size_t)self->pulled * (size_t)width * pixel_bytes(self);
    } else {
        PX_TRY(pull_streamed(self, &row, err));
    }
    base->header.truncated |= ++self->pulled == base->header.height && self->facts.cut; /* behind this picture */
    *ret = px_row_of(row, width, base->header.model, base->header.alpha);
    if (base->wants_deep) {
        ret->depth = 16;
        ret->planes[0].stride *= 2;
    }
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    png_decoder *self = (png_decoder *)base;
    free(self->current);
    free(self->previous);
    free(self->row);
    free(self->held);
    free(self->profile);
    px_buffer_done(&self->exif);
    px_buffer_done(&self->xmp);
    px_buffer_done(&self->text);
    px_canvas_done(&self->canvas);
    free(self);
}

bool px_png_is(px_bytes first) { return px_has_bytes(first, 0, "\x89PNG\r\n\x1a\n", 8); }

px_status px_png_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    png_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a PNG decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_PNG, .orientation = 1, .frames = 1 }, .memory = decoder_memory,
                               .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    self->source = source;
    self->limits = limits;
    self->data_type = "IDAT";
    for (int i = 0; i < 256; i++)
        self->palette[i][3] = 255;
    PX_TRY(read_header(self, err));
    PX_TRY(read_chunks(self, err));

    bool grey = self->colour_type == GREY || self->colour_type == GREY_ALPHA;
    PX_TRY(judge_colours(self, grey, err));
    bool alpha = self->colour_type == GREY_ALPHA || self->colour_type == COLOUR_ALPHA || self->has_key;
    self->base.header.model = grey ? PX_GREY : PX_RGB;
    if (self->has_animation)
        PX_TRY(px_png_frames_walk(source, limits, &self->base.header, &self->facts, err));
    if (self->facts.frames > 1) {
        self->base.header.frames = self->facts.frames;
        self->base.header.loops = self->facts.loops;
        self->base.next = decoder_next;
        alpha |= self->facts.holes;
    }
    self->base.header.deep = self->depth == 16 && self->base.header.frames == 1; /* canvases have 8 bits */
    self->base.header.alpha = alpha ? PX_STRAIGHT : PX_OPAQUE;
    *ret = held;
    held = NULL;
    return PX_OK;
}
