/* PNG in: the header and all chunks in front of the picture. */
#include <stdlib.h>

#include <libdeflate.h>

#include "codec/big_endian.h"
#include "codec/exif.h"
#include "codec/formats.h"
#include "codec/png/read.h"

static bool is_depth(int colour_type, int depth)
{
    switch (colour_type) {
    case PX_PNG_GREY: return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
    case PX_PNG_PALETTE: return depth == 1 || depth == 2 || depth == 4 || depth == 8;
    case PX_PNG_COLOUR: case PX_PNG_GREY_ALPHA: case PX_PNG_COLOUR_ALPHA: return depth == 8 || depth == 16;
    default: return false;
    }
}

static px_status read_header(px_png_decoder *self, px_error *err)
{
    static const uint8_t channels[7] = { [PX_PNG_GREY] = 1, [PX_PNG_COLOUR] = 3, [PX_PNG_PALETTE] = 1, [PX_PNG_GREY_ALPHA] = 2, [PX_PNG_COLOUR_ALPHA] = 4 };
    uint8_t h[13];
    PX_TRY(px_png_read(self, NULL, 8, err)); /* the signature: px_format_detect has seen it */
    PX_TRY(px_png_chunk_begin(self, err));
    if (memcmp(self->type, "IHDR", 4) != 0 || self->chunk_left != sizeof h)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: it does not begin with its header");
    PX_TRY(px_png_chunk_take(self, h, sizeof h, err));
    PX_TRY(px_png_chunk_end(self, err));
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

static px_status read_palette(px_png_decoder *self, px_error *err)
{
    if (self->chunk_left % 3 != 0 || self->chunk_left > 768 || self->chunk_left == 0 || self->has_palette)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a palette of %u bytes", self->chunk_left);
    for (int i = 0; self->chunk_left > 0; i++)
        PX_TRY(px_png_chunk_take(self, self->palette[i], 3, err));
    self->has_palette = true;
    return PX_OK;
}

/* 11.3.1.1 */
static px_status read_transparency(px_png_decoder *self, px_error *err)
{
    if (self->colour_type == PX_PNG_PALETTE) {
        if (self->chunk_left > 256)
            return px_fail(err, PX_CORRUPT_IMAGE, "PNG: transparency for %u colours", self->chunk_left);
        for (int i = 0; self->chunk_left > 0; i++)
            PX_TRY(px_png_chunk_take(self, &self->palette[i][3], 1, err));
        self->has_key = true;
    } else if (self->colour_type == PX_PNG_GREY || self->colour_type == PX_PNG_COLOUR) {
        for (int c = 0; c < self->file_channels; c++) {
            uint8_t value[2];
            PX_TRY(px_png_chunk_take(self, value, 2, err));
            self->key[c] = (uint16_t)(value[0] << 8 | value[1]);
        }
        self->has_key = true;
    }
    return PX_OK;
}

static void free_bytes(uint8_t **bytes) { free(*bytes); }

/* All of the chunk. */
static px_status take_chunk(px_png_decoder *self, uint8_t **ret, px_error *err)
{
    size_t count = self->chunk_left;
    *ret = malloc(count + 1);
    if (!*ret)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a chunk of %zu bytes", count);
    return px_png_chunk_take(self, *ret, count, err);
}

static px_status read_exif(px_png_decoder *self, px_error *err)
{
    PX_AUTO(free_bytes) uint8_t *chunk = NULL;
    size_t count = self->chunk_left;
    if (count > PX_EXIF_BYTES_MAX || self->exif.count)
        return PX_OK;
    PX_TRY(take_chunk(self, &chunk, err));
    px_buffer_push(&self->exif, chunk, count);
    self->base.header.exif = px_buffer_bytes(&self->exif);
    self->base.header.orientation = px_exif_orientation(self->base.header.exif);
    return px_buffer_failed(&self->exif) ? px_fail(err, PX_OUT_OF_MEMORY, "no room for EXIF") : PX_OK;
}

/* A text chunk, kept as it is; the one that holds XMP, if it is not compressed, as that (11.3.3). */
static px_status read_text(px_png_decoder *self, px_error *err)
{
    PX_AUTO(free_bytes) uint8_t *chunk = NULL;
    size_t count = self->chunk_left;
    if (count + 12 > PX_EXIF_BYTES_MAX - self->text.count)
        return PX_OK;
    uint8_t head[8], sum[4];
    px_put_32(head, (uint32_t)count);
    memcpy(head + 4, self->type, 4);
    PX_TRY(take_chunk(self, &chunk, err));
    px_put_32(sum, self->crc);
    if (count > sizeof PX_PNG_XMP && memcmp(chunk, PX_PNG_XMP, sizeof PX_PNG_XMP) == 0 && !self->xmp.count) {
        px_buffer_push(&self->xmp, chunk + sizeof PX_PNG_XMP, count - sizeof PX_PNG_XMP);
    } else {
        px_buffer_push(&self->text, head, sizeof head);
        px_buffer_push(&self->text, chunk, count);
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
static px_status read_profile(px_png_decoder *self, px_error *err)
{
    PX_AUTO(free_bytes) uint8_t *chunk = NULL;
    size_t count = self->chunk_left;
    if (self->profile || count > PX_PROFILE_BYTES_MAX)
        return PX_OK;
    PX_TRY(take_chunk(self, &chunk, err));
    const uint8_t *name_end = memchr(chunk, 0, count < 80 ? count : 80);
    size_t head = name_end ? (size_t)(name_end - chunk) + 2 : 0, bytes = 0;
    if (name_end && head < count && name_end[1] == 0)
        self->profile = inflate_profile(chunk + head, count - head, &bytes);
    self->base.header.profile = (px_bytes){ self->profile, self->profile ? bytes : 0 };
    return PX_OK;
}

/* gAMA and cHRM, in hundred thousandths (11.3.2.1, 11.3.2.2); what cannot be meant is passed over. */
static px_status read_gamma(px_png_decoder *self, px_error *err)
{
    uint8_t value[4];
    if (self->chunk_left != sizeof value)
        return PX_OK;
    PX_TRY(px_png_chunk_take(self, value, sizeof value, err));
    double gamma = 100000.0 / (px_get_32(value) + 1e-9);
    if (gamma < 0.1 || gamma > 10 || self->has_cicp)
        return PX_OK;
    self->has_gamma = true;
    self->space.curve = PX_CURVE_GAMMA;
    self->space.gamma = gamma;
    return PX_OK;
}

static px_status read_chromaticities(px_png_decoder *self, px_error *err)
{
    px_space *space = &self->space;
    px_point *const points[] = { &space->white, &space->red, &space->green, &space->blue };
    uint8_t values[32];
    if (self->chunk_left != sizeof values)
        return PX_OK;
    PX_TRY(px_png_chunk_take(self, values, sizeof values, err));
    for (int i = 0; i < 4 && !self->has_cicp; i++)
        *points[i] = (px_point){ px_get_32(values + 8 * i) / 100000.0, px_get_32(values + 8 * i + 4) / 100000.0 };
    return PX_OK;
}

/* 11.3.2.6: code points. What is HDR, or in no colours that we know, is as if nothing was said. */
static px_status read_cicp(px_png_decoder *self, px_error *err)
{
    uint8_t codes[4];
    if (self->chunk_left != sizeof codes)
        return PX_OK;
    PX_TRY(px_png_chunk_take(self, codes, sizeof codes, err));
    self->has_cicp = codes[2] == 0 && codes[3] == 1 && px_space_of_cicp(codes[0], codes[1], &self->space);
    return PX_OK;
}

/* cICP, iCCP, sRGB, gAMA with cHRM: the first that is there counts (12.3, table 9). A gamma alone is that of sRGB's primaries. What is
 * said in numbers becomes a profile, unless it is sRGB. */
static px_status judge_colours(px_png_decoder *self, px_error *err)
{
    px_header *header = &self->base.header;
    bool grey = self->colour_type == PX_PNG_GREY || self->colour_type == PX_PNG_GREY_ALPHA;
    header->model = grey ? PX_GREY : PX_RGB;
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

static px_status read_chunks(px_png_decoder *self, px_error *err)
{
    for (;;) {
        PX_TRY(px_png_chunk_begin(self, err));
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
            PX_TRY(px_png_chunk_take(self, self->control, PX_PNG_CONTROL_BYTES, err));
        self->has_animation |= memcmp(self->type, "acTL", 4) == 0;
        PX_TRY(px_png_chunk_end(self, err));
    }
    if (self->colour_type == PX_PNG_PALETTE && !self->has_palette)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: the palette is missing");
    return PX_OK;
}

px_status px_png_read_head(px_png_decoder *self, px_error *err)
{
    PX_TRY(read_header(self, err));
    PX_TRY(read_chunks(self, err));
    return judge_colours(self, err);
}
