/* HEIC and its relatives in, by libheif: what phones take. Stills and grids of tiles; of a burst or a sequence the primary picture.
 *
 * libheif itself turns, mirrors and cuts the picture as the file says, so it is upright here and as large as people see it: orientation
 * is always 1. Thumbnails and depth are not looked at; EXIF and XMP are found by us (codec/items.h). The sizes in the file are judged by us first (codec/boxes.h). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/boxes.h"
#include "codec/formats.h"
#include "codec/heif/library.h"
#include "codec/items.h"
#include "codec/nclx.h"

enum { TILE_SIDE_MAX = 4096 };

typedef struct heif_decoder {
    px_decoder base;
    px_bytes file;                     /* owned: the mapped source */
    px_boxes boxes;
    struct heif_context *context;      /* owned */
    struct heif_image_handle *handle;  /* owned */
    struct heif_image *image;          /* owned; decoded */
    uint8_t *profile;                  /* owned; or NULL */
    uint8_t *row, *grey;               /* owned */
    uint16_t *stretched;               /* owned; 16 bits for each value of a deep sample */
    bool premultiplied, accepts; /* the latter: a file that ends early, if libheif makes something of it */
    int pulled;
} heif_decoder;

/* What phones write, and what pictures are made up of. Others (JPEG, JPEG 2000, AVC, VVC, none at all) some versions of libheif read, and
 * what the rest say of them is that the file is damaged. */
static bool is_common(const char *coding)
{
    static const char common[][5] = { "", "hvc1", "hev1", "av01", "grid", "iden", "iovl" };
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (strcmp(coding, common[i]) == 0)
            return true;
    return false;
}

static px_status judge(const heif_decoder *self, struct heif_error error, px_error *err)
{
    px_status status = self->boxes.cut || error.subcode == heif_suberror_End_of_data ? PX_TRUNCATED_IMAGE : PX_CORRUPT_IMAGE;
    if (error.code != heif_error_Ok && !is_common(self->boxes.coding))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "HEIF: the picture is coded as '%s', which this libheif does not read", self->boxes.coding);
    switch (error.code) {
    case heif_error_Ok:
        return PX_OK;
    case heif_error_Unsupported_filetype: case heif_error_Unsupported_feature:
        if (error.subcode == heif_suberror_Unsupported_codec && !px_heif.have_decoder_for_format(heif_compression_HEVC))
            return px_fail(err, PX_UNSUPPORTED_FORMAT, "HEIF: there is no decoder for HEVC; install libheif-plugin-libde265");
        status = PX_UNSUPPORTED_FORMAT;
        break;
    case heif_error_Memory_allocation_error:
        status = error.subcode == heif_suberror_Security_limit_exceeded ? PX_TOO_MANY_PIXELS : PX_OUT_OF_MEMORY;
        break;
    default:
        break;
    }
    if (status == PX_TRUNCATED_IMAGE && self->accepts)
        return px_fail(err, status, "HEIF: the file ends before the picture does, and libheif gives no part of it");
    return px_fail(err, status, "HEIF: %s", error.message ? error.message : "it cannot be decoded");
}

/* Planes of a tile and of the picture, once more where they are turned or converted, and RGB. */
static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const heif_decoder *self = (const heif_decoder *)base;
    uint64_t pixels = (uint64_t)base->header.width * (uint64_t)base->header.height;
    uint64_t depth = px_heif.image_handle_get_luma_bits_per_pixel(self->handle) > 8 ? 2 : 1;
    return sizeof *self + self->file.count * 2 + pixels * 14 * depth + (base->header.deep ? sizeof(uint16_t) << 16 : 0) + (UINT64_C(96) << 20);
}

/* What each value of a sample is with 16 bits. */
static px_status stretch(heif_decoder *self, px_error *err)
{
    int bits = px_heif.image_get_bits_per_pixel_range(self->image, heif_channel_interleaved);
    uint32_t most = bits >= 8 && bits <= 16 ? (1u << bits) - 1 : 0;
    self->stretched = malloc(sizeof *self->stretched << 16);
    if (!most)
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "HEIF: samples of %d bits", bits);
    if (!self->stretched)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a table of samples");
    for (uint32_t v = 0; v <= UINT16_MAX; v++)
        self->stretched[v] = (uint16_t)(v >= most ? UINT16_MAX : (v * (uint64_t)UINT16_MAX + most / 2) / most);
    return PX_OK;
}

static px_status decode_picture(heif_decoder *self, px_error *err)
{
    const px_header *header = &self->base.header;
    struct heif_decoding_options *options = px_heif.decoding_options_alloc();
    if (!options)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a HEIF decoder");
    bool opaque = header->alpha == PX_OPAQUE;
    options->convert_hdr_to_8bit = !self->base.wants_deep;
    enum heif_chroma chroma = opaque ? heif_chroma_interleaved_RGB : heif_chroma_interleaved_RGBA;
    if (self->base.wants_deep)
        chroma = opaque ? heif_chroma_interleaved_RRGGBB_LE : heif_chroma_interleaved_RRGGBBAA_LE;
    struct heif_error error = px_heif.decode_image(self->handle, &self->image, heif_colorspace_RGB, chroma, options);
    px_heif.decoding_options_free(options);
    PX_TRY(judge(self, error, err));
    self->base.header.truncated = self->boxes.cut;
    if (self->boxes.cut && !self->accepts) /* newer libraries make something of what is there, and do not say so */
        return px_fail(err, PX_TRUNCATED_IMAGE, "HEIF: the file ends before the picture does");
    int width = px_heif.image_get_width(self->image, heif_channel_interleaved);
    int height = px_heif.image_get_height(self->image, heif_channel_interleaved);
    if (width != header->width || height != header->height)
        return px_fail(err, PX_CORRUPT_IMAGE, "HEIF: the picture is %dx%d, its header says %dx%d", width, height, header->width, header->height);
    return self->base.wants_deep ? stretch(self, err) : PX_OK;
}

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    heif_decoder *self = (heif_decoder *)base;
    self->row = malloc((size_t)base->header.width * 8);
    self->grey = malloc((size_t)base->header.width * 4);
    if (!self->row || !self->grey)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a row of %d pixels", base->header.width);
    PX_TRY(decode_picture(self, err));
    *ret_width = base->header.width;
    *ret_height = base->header.height;
    return PX_OK;
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    heif_decoder *self = (heif_decoder *)base;
    assert(self->pulled < base->header.height);
    int stride = 0, width = base->header.width;
    const uint8_t *plane = px_heif.image_get_plane_readonly(self->image, heif_channel_interleaved, &stride);
    int channels = base->header.alpha == PX_OPAQUE ? 3 : 4;
    size_t bytes = (size_t)width * (size_t)channels * (base->wants_deep ? 2 : 1);
    if (!plane || stride < 0 || (size_t)stride < bytes)
        return px_fail(err, PX_CORRUPT_IMAGE, "HEIF: the picture has no rows");
    memcpy(self->row, plane + (size_t)self->pulled++ * (size_t)stride, bytes);
    for (size_t i = 0; i < bytes && base->wants_deep; i += 2) {
        uint16_t value = self->stretched[self->row[i] | self->row[i + 1] << 8];
        memcpy(self->row + i, &value, 2);
    }
    if (self->premultiplied)
        px_straighten(self->row, width, channels, self->row);
    if (base->header.model == PX_GREY)
        px_grey_of(self->row, width, channels, base->wants_deep, self->grey);
    *ret = px_row_of_depth(base->header.model == PX_GREY ? self->grey : self->row, width, base->header.model, base->header.alpha, base->wants_deep);
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    heif_decoder *self = (heif_decoder *)base;
    if (self->image)
        px_heif.image_release(self->image);
    if (self->handle)
        px_heif.image_handle_release(self->handle);
    if (self->context)
        px_heif.context_free(self->context);
    px_source_unmap(self->file);
    free(self->profile);
    free(self->row);
    free(self->grey);
    free(self->stretched);
    free(self);
}

/* A profile that cannot be had is none. */
static void read_profile(heif_decoder *self)
{
    px_header *header = &self->base.header;
    size_t count = px_heif.image_handle_get_raw_color_profile_size(self->handle);
    if (count > 0 && count <= PX_PROFILE_BYTES_MAX && (self->profile = malloc(count))) {
        if (px_heif.image_handle_get_raw_color_profile(self->handle, self->profile).code == heif_error_Ok)
            header->profile = (px_bytes){ self->profile, count };
        if (header->profile.count > 20 && memcmp(self->profile + 16, "GRAY", 4) != 0)
            header->model = PX_RGB; /* what a profile of colours says of grey counts too */
        return;
    }
    struct heif_color_profile_nclx *numbers = NULL;
    struct heif_error error = px_heif.image_handle_get_nclx_color_profile(self->handle, &numbers);
    if (error.code == heif_error_Ok) {
        header->profile = px_nclx_profile((int)numbers->color_primaries, (int)numbers->transfer_characteristics, header->model == PX_GREY);
        self->profile = (uint8_t *)(uintptr_t)header->profile.data;
    }
    if (numbers) /* also left behind on failure, before version 1.16 */
        px_heif.nclx_color_profile_free(numbers);
}

/* libheif puts grids together by a size that is not the header's: it may be no larger. */
static void bind_size(const heif_decoder *self)
{
    int sides[] = { self->base.header.width, self->base.header.height, px_heif.image_handle_get_ispe_width(self->handle),
                    px_heif.image_handle_get_ispe_height(self->handle) };
    int most = TILE_SIDE_MAX;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
        most = sides[i] > most ? sides[i] : most;
    px_heif.context_set_maximum_image_size_limit(self->context, most);
}

static px_status read_header(heif_decoder *self, const px_limits *limits, px_error *err)
{
    px_heif.context_set_max_decoding_threads(self->context, 0);
    px_heif.context_set_maximum_image_size_limit(self->context, (int)(limits->side < PX_LARGEST_SIDE ? limits->side : PX_LARGEST_SIDE));
    PX_TRY(judge(self, px_heif.context_read_from_memory_without_copy(self->context, self->file.data, self->file.count, NULL), err));
    PX_TRY(judge(self, px_heif.context_get_primary_image_handle(self->context, &self->handle), err));
    int width = px_heif.image_handle_get_width(self->handle), height = px_heif.image_handle_get_height(self->handle);
    PX_TRY(px_judge_size(limits, width > 0 ? (uint32_t)width : 0, height > 0 ? (uint32_t)height : 0, err));
    px_header *header = &self->base.header;
    header->width = width;
    header->height = height;
    header->model = self->boxes.grey && px_items_primary_is(self->file, "hvc1grid") ? PX_GREY : PX_RGB;
    header->alpha = px_heif.image_handle_has_alpha_channel(self->handle) ? PX_STRAIGHT : PX_OPAQUE;
    self->premultiplied = header->alpha != PX_OPAQUE && px_heif.image_handle_is_premultiplied_alpha(self->handle);
    header->deep = px_heif.image_handle_get_luma_bits_per_pixel(self->handle) > 8 && !self->premultiplied; /* which is straightened with 8 */
    bind_size(self);
    read_profile(self);
    px_items_metadata(self->file, header);
    return PX_OK;
}

bool px_heif_is(px_bytes first) { return px_boxes_have_brand(first, "heicheixheimheishevchevxmif1msf1", false) && !px_avif_is(first); }

px_status px_heif_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    heif_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a HEIF decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_HEIF, .orientation = 1, .frames = 1 }, .memory = decoder_memory,
                               .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    PX_TRY(px_source_map(source, limits->input_bytes, &self->file, err));
    self->accepts = limits->truncated;
    PX_TRY(px_boxes_judge(self->file, limits, &self->boxes, err));
    if (!self->boxes.cut && px_items_are_tracks_only(self->file))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "HEIF: an image sequence without a still; sequences are read as AVIF, not as HEVC");
    self->context = px_heif.context_alloc();
    if (!self->context)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a HEIF decoder");
    PX_TRY(read_header(self, limits, err));
    *ret = held;
    held = NULL;
    return PX_OK;
}
