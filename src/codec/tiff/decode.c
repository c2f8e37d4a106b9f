/* TIFF in, by libtiff, which reads the mapped source: the first page.
 *
 * The library undoes the compression, we make rows of 8 bits of what is left (or of 16 that are there, if asked): any depth up to 16 bits, grey, RGB, palettes and inks, planes
 * together or apart. Strips come row by row; tiles, and strips of planes apart, as a band of blocks that is held. Only
 * YCbCr without JPEG, whose samples may lie in clumps, the library turns into RGB itself; what it makes of Lab is too far off. Before any of it the directory is judged by us
 * (head.h), and every strip must lie within the file: what fails afterwards is damage, not a cut. Where a cut is accepted, the strips and tiles that
 * are wholly there come out: the library gives no part of one. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "codec/formats.h"
#include "codec/tiff/clean.h"
#include "codec/tiff/head.h"
#include "codec/tiff/library.h"

enum { SAMPLES_MAX = 8, SLACK = 4 /* bytes that sample_at may read beyond a block */ };

typedef enum way { BY_ROWS, BY_BLOCKS, BY_LIBRARY } way;

typedef struct tiff_decoder {
    px_decoder base;
    const px_limits *limits;
    px_bytes file;         /* owned mapping */
    uint64_t position;     /* where the library reads */
    TIFF *tiff;            /* owned */
    char damage[160];      /* what the library complained of first, since it was last asked for something */

    way way;
    uint16_t depth, samples, photometric, compression;
    int colours;           /* samples of a pixel that are not extra: 1, 3, 4 */
    int alpha_at;          /* which sample is alpha; -1: none */
    bool associated;       /* the colours are multiplied by it */
    bool apart;            /* planes */
    bool tiled;
    uint8_t palette[256][3];

    uint32_t block_width, block_height; /* pixels; of a tile or strip */
    uint64_t block_stride, block_bytes;
    uint32_t across;       /* blocks of a band */
    uint32_t planes;       /* that a block of pixels comes in */
    bool *missing;         /* owned; of each block across the band, whether the file ends before it does */
    int band;              /* that `blocks` holds, from 0; -1: none yet */
    uint8_t *blocks;       /* owned; one band: blocks across, for each plane. BY_ROWS: one row */
    uint8_t *row;          /* owned; finished */
    uint8_t *scale;        /* owned; 8 bits for each value of a sample */
    int pulled;
} tiff_decoder;

/* ---- what the library reads, and what it says ---- */

static tmsize_t on_read(thandle_t handle, void *target, tmsize_t count)
{
    tiff_decoder *self = (tiff_decoder *)handle;
    uint64_t left = self->position < self->file.count ? self->file.count - self->position : 0;
    uint64_t some = (uint64_t)count < left ? (uint64_t)count : left;
    if (some)
        memcpy(target, self->file.data + self->position, (size_t)some);
    self->position += some;
    return (tmsize_t)some;
}

static tmsize_t on_write(thandle_t handle, void *from, tmsize_t count)
{
    (void)handle, (void)from, (void)count;
    return 0;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence)
{
    tiff_decoder *self = (tiff_decoder *)handle;
    uint64_t from = whence == SEEK_CUR ? self->position : whence == SEEK_END ? self->file.count : 0;
    return self->position = from + offset;
}

static int on_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t on_size(thandle_t handle) { return ((tiff_decoder *)handle)->file.count; }

static int on_map(thandle_t handle, void **base, toff_t *size)
{
    tiff_decoder *self = (tiff_decoder *)handle;
    *base = (void *)(uintptr_t)self->file.data;
    *size = self->file.count;
    return 1;
}

static void on_unmap(thandle_t handle, void *base, toff_t size) { (void)handle, (void)base, (void)size; }

__attribute__((format(printf, 4, 0)))
static int on_error(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments)
{
    (void)tiff, (void)module;
    tiff_decoder *self = user;
    if (!self->damage[0])
        vsnprintf(self->damage, sizeof self->damage, format, arguments);
    return 1; /* heard: nothing is printed */
}

/* Most are harmless in the field; these, of the JPEG in it, mean that pixels are invented. */
__attribute__((format(printf, 4, 0)))
static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list arguments)
{
    (void)tiff;
    tiff_decoder *self = user;
    char text[160];
    vsnprintf(text, sizeof text, format, arguments);
    bool serious = module && strcmp(module, "JPEGLib") == 0 &&
                   (strcasestr(text, "premature end") || strcasestr(text, "bad huffman") || strcasestr(text, "bad arithmetic"));
    if (serious && !self->damage[0])
        memcpy(self->damage, text, sizeof text);
    return 1;
}

static px_status damaged(const tiff_decoder *self, px_error *err)
{
    return px_fail(err, PX_CORRUPT_IMAGE, "TIFF: %s", self->damage[0] ? self->damage : "the picture's data is damaged");
}

static px_status open_library(tiff_decoder *self, px_error *err)
{
    TIFFOpenOptions *options = px_tiff.OpenOptionsAlloc();
    if (!options)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a TIFF decoder");
    /* It maps the source; what it takes is values of the directory, a strip with its bits reversed, a block on its way to RGB. */
    const px_header *header = &self->base.header;
    uint64_t most = (16u << 20) + 2 * (uint64_t)self->file.count + 8 * (uint64_t)header->width * (uint64_t)header->height;
    px_tiff.OpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)most);
    px_tiff.OpenOptionsSetErrorHandlerExtR(options, on_error, self);
    px_tiff.OpenOptionsSetWarningHandlerExtR(options, on_warning, self);
    self->tiff = px_tiff.ClientOpenExt("the source", "r", self, on_read, on_write, on_seek, on_close, on_size, on_map, on_unmap, options);
    px_tiff.OpenOptionsFree(options);
    return self->tiff ? PX_OK : damaged(self, err);
}

/* ---- the header ---- */

static uint16_t field(const tiff_decoder *self, uint32_t tag)
{
    uint16_t value = 0;
    px_tiff.GetFieldDefaulted(self->tiff, tag, &value);
    return value;
}

static bool is_compression(uint16_t compression)
{
    static const uint16_t known[] = { COMPRESSION_NONE, COMPRESSION_CCITTRLE, COMPRESSION_CCITTRLEW, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
                                      COMPRESSION_LZW, COMPRESSION_JPEG, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE, COMPRESSION_PACKBITS };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (compression == known[i])
            return true;
    return false;
}

/* Which sample is alpha. Without a word about it, one sample too many is taken for it, as most do. */
static void find_alpha(tiff_decoder *self)
{
    uint16_t count = 0, *kinds = NULL;
    self->alpha_at = -1;
    if (self->way == BY_LIBRARY || self->colours == 4 || self->samples <= self->colours)
        return;
    if (!px_tiff.GetField(self->tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) || count == 0) {
        self->alpha_at = self->samples == self->colours + 1 ? self->colours : -1;
        return;
    }
    for (int i = 0; i < count && self->alpha_at < 0 && self->colours + i < self->samples; i++)
        if (kinds[i] == EXTRASAMPLE_ASSOCALPHA || kinds[i] == EXTRASAMPLE_UNASSALPHA) {
            self->alpha_at = self->colours + i;
            self->associated = kinds[i] == EXTRASAMPLE_ASSOCALPHA;
        }
}

/* 16 bits a colour; but some writers put 8 there. */
static px_status read_palette(tiff_decoder *self, px_error *err)
{
    uint16_t *map[3];
    if (!px_tiff.GetField(self->tiff, TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]))
        return px_fail(err, PX_CORRUPT_IMAGE, "TIFF: the palette is missing");
    int count = 1 << self->depth, shift = 0;
    for (int i = 0; i < 3 * count; i++)
        shift = map[i % 3][i / 3] > 255 ? 8 : shift;
    bool grey = true;
    for (int i = 0; i < count; i++) {
        for (int c = 0; c < 3; c++)
            self->palette[i][c] = (uint8_t)(map[c][i] >> shift);
        grey = grey && self->palette[i][0] == self->palette[i][1] && self->palette[i][1] == self->palette[i][2];
    }
    self->base.header.model = grey ? PX_GREY : PX_RGB;
    return PX_OK;
}

/* What the colours are, and who makes rows of them. */
static px_status read_photometric(tiff_decoder *self, px_error *err)
{
    px_header *header = &self->base.header;
    self->way = self->tiled || self->apart ? BY_BLOCKS : BY_ROWS;
    self->colours = 3;
    header->model = PX_RGB;
    switch (self->photometric) {
    case PHOTOMETRIC_MINISWHITE: case PHOTOMETRIC_MINISBLACK:
        self->colours = 1;
        header->model = PX_GREY;
        return PX_OK;
    case PHOTOMETRIC_RGB:
        return PX_OK;
    case PHOTOMETRIC_PALETTE:
        self->colours = 1;
        if (self->depth > 8)
            return px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: a palette of %d bits (8 are the most)", self->depth);
        return read_palette(self, err);
    case PHOTOMETRIC_SEPARATED:
        self->colours = 4;
        header->inks = true;
        return field(self, TIFFTAG_INKSET) == INKSET_CMYK ? PX_OK
             : px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: inks other than CMYK");
    case PHOTOMETRIC_YCBCR:
        if (self->compression == COMPRESSION_JPEG)
            return px_tiff.SetField(self->tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB) ? PX_OK : damaged(self, err);
        self->way = BY_LIBRARY;
        return PX_OK;
    case PHOTOMETRIC_CIELAB: case PHOTOMETRIC_ICCLAB: case PHOTOMETRIC_ITULAB:
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: colours in L*a*b* (photometric interpretation %d) are not supported; save it as RGB", self->photometric);
    default:
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: photometric interpretation %d is not supported", self->photometric);
    }
}

static px_status judge_samples(const tiff_decoder *self, px_error *err)
{
    uint16_t sign = field(self, TIFFTAG_SAMPLEFORMAT);
    uint32_t deep = 1, tile_deep = 1;
    px_tiff.GetFieldDefaulted(self->tiff, TIFFTAG_IMAGEDEPTH, &deep);
    px_tiff.GetFieldDefaulted(self->tiff, TIFFTAG_TILEDEPTH, &tile_deep);
    if (!is_compression(self->compression))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: compression %d is not supported", self->compression);
    if (self->depth < 1 || self->depth > 16 || (sign != SAMPLEFORMAT_UINT && sign != SAMPLEFORMAT_VOID))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: samples of %d bits%s (whole numbers of 1 to 16 bits are supported)", self->depth,
                       sign == SAMPLEFORMAT_IEEEFP ? ", floating point" : sign == SAMPLEFORMAT_INT ? ", with a sign" : "");
    if (self->compression == COMPRESSION_JPEG && self->depth != 8)
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: JPEG of %d bits", self->depth);
    if (self->samples < 1 || self->samples > SAMPLES_MAX || deep > 1 || tile_deep > 1)
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: %d samples a pixel, %u layers", self->samples, deep);
    return PX_OK;
}

/* Tiles or strips: their size, and that the library's idea of it is ours. */
static px_status read_blocks(tiff_decoder *self, px_error *err)
{
    const px_header *header = &self->base.header;
    uint32_t width = (uint32_t)header->width, height = (uint32_t)header->height, rows = 0;
    if (self->tiled) {
        px_tiff.GetField(self->tiff, TIFFTAG_TILEWIDTH, &self->block_width);
        px_tiff.GetField(self->tiff, TIFFTAG_TILELENGTH, &self->block_height);
    } else {
        px_tiff.GetFieldDefaulted(self->tiff, TIFFTAG_ROWSPERSTRIP, &rows);
        self->block_width = width;
        self->block_height = self->way == BY_ROWS ? 1 : rows < height ? rows : height;
    }
    if (self->block_width == 0 || self->block_height == 0)
        return px_fail(err, PX_CORRUPT_IMAGE, "TIFF: tiles or strips of no pixels");
    if ((uint64_t)self->block_width * self->block_height > self->limits->pixels)
        return px_fail(err, PX_TOO_MANY_PIXELS, "TIFF: a tile of %ux%u pixels is over %llu (limits.pixels)", self->block_width, self->block_height,
                       (unsigned long long)self->limits->pixels);
    self->across = (width + self->block_width - 1) / self->block_width;
    self->planes = self->apart && self->way == BY_BLOCKS ? self->samples : 1;
    uint64_t bits = (uint64_t)self->block_width * self->depth * (self->planes > 1 || self->apart ? 1 : self->samples);
    self->block_stride = self->way == BY_LIBRARY ? 4 * (uint64_t)self->block_width : (bits + 7) / 8;
    self->block_bytes = self->block_stride * self->block_height;
    if (self->way == BY_LIBRARY)
        return PX_OK;
    uint64_t theirs = self->tiled ? px_tiff.TileRowSize64(self->tiff) : px_tiff.ScanlineSize64(self->tiff);
    return theirs == self->block_stride ? PX_OK : px_fail(err, PX_CORRUPT_IMAGE, "TIFF: the size of its rows is contradictory");
}

static px_status judge_head(const px_tiff_head *head, const px_limits *limits, px_error *err)
{
    if (head->negative || ((head->subfile & 1) && head->subdirectories))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: a camera's raw file; have its maker's program develop it");
    return px_judge_size(limits, head->width, head->height, err);
}

static void read_profile(tiff_decoder *self)
{
    uint32_t count = 0;
    void *profile = NULL;
    if (px_tiff.GetField(self->tiff, TIFFTAG_ICCPROFILE, &count, &profile) && profile && count <= PX_PROFILE_BYTES_MAX)
        self->base.header.profile = (px_bytes){ profile, count };
}

/* The directory is one of EXIF, with entries of its own; in the file's place, since values lie all over it. BigTIFF has another form. */
static void read_metadata(tiff_decoder *self, const px_tiff_head *head)
{
    px_header *header = &self->base.header;
    if (self->file.data[2] + self->file.data[3] == 42)
        header->exif = self->file;
    header->uncleanable = !px_tiff_is_cleanable(self->file);
    header->xmp = head->xmp.count <= PX_EXIF_BYTES_MAX ? head->xmp : header->xmp;
}

static px_status read_header(tiff_decoder *self, px_error *err)
{
    px_header *header = &self->base.header;
    px_tiff_head head;
    uint32_t width = 0, height = 0;
    PX_TRY(px_tiff_head_read(self->file, self->limits, &head, err));
    PX_TRY(judge_head(&head, self->limits, err));
    header->width = (int)head.width;
    header->height = (int)head.height;
    PX_TRY(open_library(self, err));
    px_tiff.GetField(self->tiff, TIFFTAG_IMAGEWIDTH, &width);
    px_tiff.GetField(self->tiff, TIFFTAG_IMAGELENGTH, &height);
    if (width != head.width || height != head.height)
        return px_fail(err, PX_CORRUPT_IMAGE, "TIFF: the size is said twice");
    self->depth = field(self, TIFFTAG_BITSPERSAMPLE);
    self->samples = field(self, TIFFTAG_SAMPLESPERPIXEL);
    self->compression = field(self, TIFFTAG_COMPRESSION);
    self->apart = field(self, TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE && self->samples > 1;
    self->tiled = px_tiff.IsTiled(self->tiff);
    if (!px_tiff.GetField(self->tiff, TIFFTAG_PHOTOMETRIC, &self->photometric))
        return px_fail(err, PX_CORRUPT_IMAGE, "TIFF: it does not say what its colours are");
    PX_TRY(judge_samples(self, err));
    PX_TRY(read_photometric(self, err));
    if (self->samples < self->colours)
        return px_fail(err, PX_CORRUPT_IMAGE, "TIFF: %d samples a pixel are too few for its colours", self->samples);
    find_alpha(self);
    header->alpha = self->alpha_at >= 0 ? PX_STRAIGHT : PX_OPAQUE;
    header->deep = self->depth == 16 && self->way != BY_LIBRARY && !self->associated &&
                   (self->photometric == PHOTOMETRIC_RGB || self->photometric == PHOTOMETRIC_MINISBLACK);
    uint16_t orientation = field(self, TIFFTAG_ORIENTATION);
    header->orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
    read_profile(self);
    read_metadata(self, &head);
    return read_blocks(self, err);
}

/* ---- pixels ---- */

static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const tiff_decoder *self = (const tiff_decoder *)base;
    /* The library's own: the values of the directory and a row or block while it is undone. */
    uint64_t band = self->block_bytes * self->across * self->planes;
    return sizeof *self + band + (uint64_t)base->header.width * (base->header.deep ? 8 : 4) + (1u << 16) + 2 * self->block_bytes + base->header.profile.count + (2u << 20);
}

static bool is_there(const tiff_decoder *self, uint32_t i)
{
    uint64_t at = px_tiff.GetStrileOffset(self->tiff, i), bytes = px_tiff.GetStrileByteCount(self->tiff, i);
    return at <= self->file.count && bytes <= self->file.count - at;
}

/* Do all strips or tiles lie within the file? */
static px_status judge_places(tiff_decoder *self, px_error *err)
{
    uint32_t count = self->tiled ? px_tiff.NumberOfTiles(self->tiff) : px_tiff.NumberOfStrips(self->tiff);
    for (uint32_t i = 0; i < count; i++) {
        if (is_there(self, i))
            continue;
        if (!self->limits->truncated || !is_there(self, 0))
            return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends before %s does", self->limits->truncated ? "the first strip or tile" : "the picture");
        self->base.header.truncated = true;
        return PX_OK;
    }
    return PX_OK;
}

/* Of each block across, in any plane: is it missing? */
static void find_missing(tiff_decoder *self, int y)
{
    uint32_t row = (uint32_t)y - (uint32_t)y % self->block_height;
    for (uint32_t i = 0; i < self->across; i++) {
        self->missing[i] = false;
        for (uint32_t plane = 0; plane < self->planes; plane++)
            self->missing[i] |= !is_there(self, self->tiled ? px_tiff.ComputeTile(self->tiff, i * self->block_width, row, 0, (uint16_t)plane)
                                                            : px_tiff.ComputeStrip(self->tiff, row, (uint16_t)plane));
    }
}

static px_status start_library(tiff_decoder *self, px_error *err)
{
    char why[1024] = "";
    px_tiff.SetField(self->tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT); /* or it would turn some of them */
    return px_tiff.RGBAImageOK(self->tiff, why) ? PX_OK : px_fail(err, PX_UNSUPPORTED_FORMAT, "TIFF: %.300s", why);
}

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    tiff_decoder *self = (tiff_decoder *)base;
    PX_TRY(judge_places(self, err));
    if (self->way == BY_LIBRARY)
        PX_TRY(start_library(self, err));
    uint32_t values = 1u << self->depth, most = values - 1;
    self->blocks = calloc(1, self->block_bytes * self->across * self->planes + SLACK);
    self->row = malloc((size_t)base->header.width * (base->wants_deep ? 8 : 4));
    self->scale = malloc(values);
    self->missing = calloc(self->across, sizeof *self->missing);
    if (!self->blocks || !self->row || !self->scale || !self->missing)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for rows of %d pixels", base->header.width);
    for (uint32_t v = 0; v < values; v++)
        self->scale[v] = (uint8_t)((v * 255 + most / 2) / most);
    *ret_width = base->header.width;
    *ret_height = base->header.height;
    return PX_OK;
}

/* One block of the band that begins at row `y`. */
static bool read_block(tiff_decoder *self, uint32_t x, uint32_t y, uint32_t plane, uint8_t *target)
{
    if (self->way == BY_LIBRARY && self->tiled)
        return px_tiff.ReadRGBATileExt(self->tiff, x, y, (uint32_t *)(void *)target, 1);
    if (self->way == BY_LIBRARY)
        return px_tiff.ReadRGBAStripExt(self->tiff, y, (uint32_t *)(void *)target, 1);
    tmsize_t bytes = (tmsize_t)self->block_bytes;
    if (self->tiled)
        return px_tiff.ReadEncodedTile(self->tiff, px_tiff.ComputeTile(self->tiff, x, y, 0, (uint16_t)plane), target, bytes) >= 0;
    return px_tiff.ReadEncodedStrip(self->tiff, px_tiff.ComputeStrip(self->tiff, y, (uint16_t)plane), target, bytes) >= 0;
}

/* Makes `blocks` hold row `y`. */
static px_status read_band(tiff_decoder *self, int y, px_error *err)
{
    self->damage[0] = 0;
    if (self->base.header.truncated)
        find_missing(self, y);
    if (self->way == BY_ROWS && self->missing[0])
        return PX_OK;
    if (self->way == BY_ROWS)
        return px_tiff.ReadScanline(self->tiff, self->blocks, (uint32_t)y, 0) == 1 && !self->damage[0] ? PX_OK : damaged(self, err);
    int band = y / (int)self->block_height;
    if (band == self->band)
        return PX_OK;
    uint8_t *target = self->blocks;
    for (uint32_t plane = 0; plane < self->planes; plane++)
        for (uint32_t i = 0; i < self->across; i++, target += self->block_bytes)
            if (!self->missing[i] && !read_block(self, i * self->block_width, (uint32_t)band * self->block_height, plane, target))
                return damaged(self, err);
    if (self->damage[0])
        return damaged(self, err);
    self->band = band;
    return PX_OK;
}

/* Samples lie in bits from the most significant; those of 16 in the machine's order. */
static inline unsigned sample_at(const uint8_t *row, size_t index, unsigned depth)
{
    if (depth == 8)
        return row[index];
    if (depth == 16) {
        uint16_t value;
        memcpy(&value, row + 2 * index, 2);
        return value;
    }
    size_t bit = index * depth;
    const uint8_t *at = row + bit / 8;
    unsigned word = (unsigned)at[0] << 16 | (unsigned)at[1] << 8 | at[2];
    return word >> (24 - depth - bit % 8) & ((1u << depth) - 1);
}

/* A row of a block: one pointer for all samples, or one for each. */
typedef struct samples {
    const uint8_t *planes[SAMPLES_MAX];
    size_t step; /* samples from pixel to pixel */
} samples;

static inline unsigned value_of(const tiff_decoder *self, const samples *from, size_t x, int c)
{
    return self->planes > 1 ? sample_at(from->planes[c], x, self->depth) : sample_at(from->planes[0], x * from->step + (size_t)c, self->depth);
}

/* 8 bits of a colour. Where it was multiplied by alpha, that is undone with all the bits that are there. */
static inline uint8_t colour_of(const tiff_decoder *self, unsigned value, unsigned alpha)
{
    uint8_t flip = self->photometric == PHOTOMETRIC_MINISWHITE ? 255 : 0;
    if (!self->associated)
        return self->scale[value] ^ flip;
    if (alpha == 0)
        return 0;
    return (uint8_t)((value >= alpha ? 255 : (value * 255 + alpha / 2) / alpha) ^ flip);
}

static void convert_palette(const tiff_decoder *self, const samples *from, int count, uint8_t *to)
{
    int colours = px_channels(self->base.header.model, PX_OPAQUE);
    for (int x = 0; x < count; x++) {
        memcpy(to, self->palette[value_of(self, from, (size_t)x, 0)], (size_t)colours);
        to += colours;
        if (self->alpha_at >= 0)
            *to++ = self->scale[value_of(self, from, (size_t)x, self->alpha_at)];
    }
}

static void convert_deep(const tiff_decoder *self, const samples *from, int count, uint8_t *to)
{
    for (int x = 0; x < count; x++)
        for (int c = 0; c < self->colours + (self->alpha_at >= 0); c++, to += 2) {
            uint16_t value = (uint16_t)value_of(self, from, (size_t)x, c < self->colours ? c : self->alpha_at);
            memcpy(to, &value, 2);
        }
}

static void convert(const tiff_decoder *self, const samples *from, int count, uint8_t *to)
{
    bool plain = self->depth == 8 && self->planes == 1 && self->samples == self->colours && self->photometric != PHOTOMETRIC_MINISWHITE;
    if (self->base.wants_deep) {
        convert_deep(self, from, count, to);
    } else if (self->photometric == PHOTOMETRIC_PALETTE) {
        convert_palette(self, from, count, to);
    } else if (plain) {
        memcpy(to, from->planes[0], (size_t)count * (size_t)self->colours);
    } else {
        for (int x = 0; x < count; x++) {
            unsigned alpha = self->alpha_at < 0 ? 0 : value_of(self, from, (size_t)x, self->alpha_at);
            for (int c = 0; c < self->colours; c++)
                *to++ = colour_of(self, value_of(self, from, (size_t)x, c), alpha);
            if (self->alpha_at >= 0)
                *to++ = self->scale[alpha];
        }
    }
}

/* The library's own RGB: its rows go up. */
static void convert_library(const tiff_decoder *self, const uint8_t *block, int row, int count, uint8_t *to)
{
    int rows = (int)self->block_height;
    if (!self->tiled && (self->band + 1) * rows > self->base.header.height)
        rows = self->base.header.height - self->band * rows;
    const uint8_t *from = block + (uint64_t)(rows - 1 - row) * self->block_stride;
    for (int x = 0; x < count; x++, from += 4) {
        uint32_t pixel;
        memcpy(&pixel, from, sizeof pixel);
        *to++ = (uint8_t)TIFFGetR(pixel);
        *to++ = (uint8_t)TIFFGetG(pixel);
        *to++ = (uint8_t)TIFFGetB(pixel);
    }
}

/* Ink to light, in place: as JPEG's are, for pictures without a profile. */
static void inks_to_rgb(uint8_t *row, int width)
{
    for (int x = 0; x < width; x++) {
        unsigned light = 255u - row[4 * x + 3];
        for (int c = 0; c < 3; c++)
            row[3 * x + c] = (uint8_t)(((255u - row[4 * x + c]) * light + 127) / 255);
    }
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    tiff_decoder *self = (tiff_decoder *)base;
    int width = base->header.width, y = self->pulled++;
    assert(y < base->header.height);
    PX_TRY(read_band(self, y, err));
    int row = y % (int)self->block_height;
    int channels = (base->header.inks ? 4 : px_channels(base->header.model, base->header.alpha)) * (base->wants_deep ? 2 : 1); /* bytes */
    for (uint32_t i = 0; i < self->across; i++) {
        int x = (int)(i * self->block_width), count = width - x < (int)self->block_width ? width - x : (int)self->block_width;
        const uint8_t *block = self->blocks + i * self->block_bytes;
        samples from = { .step = self->samples };
        for (uint32_t p = 0; p < self->planes; p++)
            from.planes[p] = block + (uint64_t)p * self->across * self->block_bytes + (uint64_t)row * self->block_stride;
        if (self->missing[i])
            px_fill_missing(self->row + (size_t)x * (size_t)channels, (size_t)count * (size_t)channels, base->header.alpha);
        else if (self->way == BY_LIBRARY)
            convert_library(self, block, row, count, self->row + (size_t)x * (size_t)channels);
        else
            convert(self, &from, count, self->row + (size_t)x * (size_t)channels);
    }
    bool inks = base->header.inks && base->wants_inks;
    if (base->header.inks && !inks)
        inks_to_rgb(self->row, width);
    *ret = px_row_of_depth(self->row, width, inks ? PX_CMYK : base->header.model, base->header.alpha, base->wants_deep);
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    tiff_decoder *self = (tiff_decoder *)base;
    if (self->tiff)
        px_tiff.Close(self->tiff);
    free(self->blocks);
    free(self->row);
    free(self->scale);
    free(self->missing);
    px_source_unmap(self->file);
    free(self);
}

bool px_tiff_is(px_bytes first)
{
    bool tiff = px_has_bytes(first, 0, "II*\0", 4) || px_has_bytes(first, 0, "MM\0*", 4) || px_has_bytes(first, 0, "II+\0", 4) || px_has_bytes(first, 0, "MM\0+", 4);
    return tiff && !px_has_bytes(first, 8, "CR", 2); /* Canon's raw files say so there */
}

px_status px_tiff_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    tiff_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a TIFF decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_TIFF, .orientation = 1, .frames = 1 }, .memory = decoder_memory,
                               .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    self->limits = limits;
    self->band = -1;
    PX_TRY(px_source_map(source, limits->input_bytes, &self->file, err));
    PX_TRY(read_header(self, err));
    *ret = held;
    held = NULL;
    return PX_OK;
}
