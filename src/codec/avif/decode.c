/* AVIF in, by libavif: stills, grids and sequences, 8 to 12 bits (rounded to 8, or stretched to 16), alpha, and colours by profile or by numbers.
 *
 * The sizes in the file are judged by us first (codec/boxes.h). libavif decodes a picture whole; it is turned into rows of RGB whole
 * too, since chroma between two strips needs both. Whoever wants planes gets the library's own. Rotation and mirroring are given on as an
 * orientation, a clean aperture is cut out. Of a file that ends early, if that is accepted, the frames of a sequence that are there come out,
 * and of a grid the rows of tiles; a still that is one piece has no part that AV1 could show. EXIF and XMP are found by us (codec/items.h);
 * they do not turn pictures of this family (ISO/IEC 23008-12 A.2). libavif's strictness is off: files of
 * older writers lack properties that nobody needs. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/avif/clean.h"
#include "codec/avif/library.h"
#include "codec/boxes.h"
#include "codec/formats.h"
#include "codec/items.h"
#include "codec/nclx.h"

enum { FRAMES_PARSED = 65536, MILLISECONDS_MAX = 60000 };
enum { LINES_AT_ONCE = 16 }; /* of Y, in a row of planes */

typedef struct avif_decoder {
    px_decoder base;
    px_bytes file;           /* owned: the mapped source */
    avifDecoder *library;    /* owned */
    uint8_t *profile;        /* owned; or NULL */
    px_boxes boxes;
    int x, y;                /* of the clean aperture in the picture */
    int full_width, full_height; /* of what is decoded */
    uint8_t *picture;        /* owned; rows of RGB or RGBA; NULL when planes are wanted */
    uint8_t *row;            /* owned; of a grey picture */
    bool partial;            /* the file is cut, and that is accepted */
    bool parsed;             /* the head; from now on what is not there is waited for */
    int pulled;
} avif_decoder;

static const struct {
    avifResult result;
    px_status status;
} results[] = {
    { AVIF_RESULT_TRUNCATED_DATA, PX_TRUNCATED_IMAGE },    { AVIF_RESULT_OUT_OF_MEMORY, PX_OUT_OF_MEMORY },
    { AVIF_RESULT_UNSUPPORTED_DEPTH, PX_UNSUPPORTED_FORMAT }, { AVIF_RESULT_NOT_IMPLEMENTED, PX_UNSUPPORTED_FORMAT },
    { AVIF_RESULT_NO_CODEC_AVAILABLE, PX_UNSUPPORTED_FORMAT }, { AVIF_RESULT_NO_IMAGES_REMAINING, PX_TRUNCATED_IMAGE },
};

/* What versions before 1.0 do not know of pictures that are right. */
static bool is_beyond(const avif_decoder *self)
{
    return AVIF_VERSION_MAJOR < 1 && (self->boxes.endless || self->boxes.sizeless);
}

static px_status judge(const avif_decoder *self, avifResult result, px_error *err)
{
    if (result == AVIF_RESULT_OK)
        return PX_OK;
    if (result == AVIF_RESULT_WAITING_ON_IO) /* only where a cut is accepted */
        return px_fail(err, PX_TRUNCATED_IMAGE, "AVIF: the file ends before there is anything to show");
    px_status status = self->boxes.cut ? PX_TRUNCATED_IMAGE : is_beyond(self) ? PX_UNSUPPORTED_FORMAT : PX_CORRUPT_IMAGE;
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i].result == result)
            status = results[i].status;
    const char *more = self->library->diag.error;
    return px_fail(err, status, "AVIF: %s%s%s%s", px_avif.ResultToString(result), *more ? ": " : "", more,
                   status == PX_UNSUPPORTED_FORMAT && is_beyond(self) ? "; libavif 1.0 may read it" : "");
}

/* Of the picture that rows are taken from: RGB or RGBA. */
static size_t pixel_bytes(const avif_decoder *self) { return (self->base.header.alpha == PX_OPAQUE ? 3 : 4) * (self->base.wants_deep ? 2 : 1); }

/* Decoder's planes, its reference frames in a sequence, a copy where tiles are put together, and our rows. */
static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const avif_decoder *self = (const avif_decoder *)base;
    const avifImage *image = self->library->image;
    uint64_t pixels = ((uint64_t)self->full_width + 127) * ((uint64_t)self->full_height + 127);
    uint64_t planes = image->yuvFormat == AVIF_PIXEL_FORMAT_YUV444 ? 6 : image->yuvFormat == AVIF_PIXEL_FORMAT_YUV400 ? 2 : 4; /* halves */
    planes += self->library->alphaPresent ? 2 : 0;
    planes *= image->depth > 8 ? 2 : 1;
    uint64_t copies = base->header.frames > 1 ? 10 : 2;
    return sizeof *self + self->file.count + pixels * planes / 2 * copies + (base->wants_planes ? 0 : pixels * (base->header.deep ? 8 : 4)) + (UINT64_C(24) << 20);
}

/* What `image` is stored as, in header's words. The matrices of BT.601, and none, which libavif takes for it. Y, Cb and Cr with the chroma
 * on the left upper sample, of more bits, or cut out between two samples, are not ours to say. */
static void take_planes(const avif_decoder *self, const avifImage *image, px_header *header)
{
    avifPixelFormat format = image->yuvFormat;
    int matrix = image->matrixCoefficients;
    bool on_top = format == AVIF_PIXEL_FORMAT_YUV420 && image->yuvChromaSamplePosition == AVIF_CHROMA_SAMPLE_POSITION_COLOCATED;
    header->chroma_across = format == AVIF_PIXEL_FORMAT_YUV444 ? 1 : 2;
    header->chroma_down = format == AVIF_PIXEL_FORMAT_YUV420 ? 2 : 1;
    header->narrow = image->yuvRange == AVIF_RANGE_LIMITED;
    header->siting = header->chroma_across == 2 && image->yuvChromaSamplePosition != AVIF_CHROMA_SAMPLE_POSITION_UNKNOWN ? PX_COSITED : PX_CENTRED;
    header->planes = image->depth == 8 && format != AVIF_PIXEL_FORMAT_YUV400 && header->alpha == PX_OPAQUE && header->frames == 1 && !self->partial && !on_top &&
                     (matrix == AVIF_MATRIX_COEFFICIENTS_UNSPECIFIED || matrix == AVIF_MATRIX_COEFFICIENTS_BT470BG || matrix == AVIF_MATRIX_COEFFICIENTS_BT601) &&
                     self->x % header->chroma_across == 0 && self->y % header->chroma_down == 0;
}

/* The planes are the library's. They have to be what the header was read to say: sizes were planned by it. */
static px_status check_planes(const avif_decoder *self, px_error *err)
{
    px_header now = self->base.header;
    const px_header *then = &self->base.header;
    take_planes(self, self->library->image, &now);
    if (!now.planes || now.chroma_across != then->chroma_across || now.chroma_down != then->chroma_down || now.narrow != then->narrow)
        return px_fail(err, PX_CORRUPT_IMAGE, "AVIF: the picture is stored otherwise than its header says");
    return PX_OK;
}

/* What libavif reads of a file that is cut: where it ends, decoding stops with what there is. */
static avifResult on_read(avifIO *io, uint32_t flags, uint64_t offset, size_t size, avifROData *out)
{
    (void)flags;
    const avif_decoder *self = io->data;
    if (offset > self->file.count)
        return self->parsed ? AVIF_RESULT_WAITING_ON_IO : AVIF_RESULT_IO_ERROR;
    size_t left = self->file.count - (size_t)offset;
    if (size > left && self->parsed)
        return AVIF_RESULT_WAITING_ON_IO;
    *out = (avifROData){ self->file.data + offset, size < left ? size : left };
    return AVIF_RESULT_OK;
}

static void accept_cut(avif_decoder *self)
{
    self->partial = self->base.header.truncated = true;
    self->library->allowIncremental = AVIF_TRUE;
    self->library->io->data = self;
    self->library->io->read = on_read;
    self->library->io->sizeHint = 0; /* or it would judge the whole by it */
}

/* The next picture, and how many of its rows are there. */
static px_status next_picture(avif_decoder *self, uint32_t *ret_rows, px_error *err)
{
    avifResult result = px_avif.DecoderNextImage(self->library);
    *ret_rows = (uint32_t)self->full_height;
    if (self->partial && result == AVIF_RESULT_WAITING_ON_IO && (*ret_rows = px_avif.DecoderDecodedRowCount(self->library)) > 0)
        return PX_OK;
    return judge(self, result, err);
}

/* The next picture of the file, as RGB or RGBA, or as it is. */
static px_status decode_picture(avif_decoder *self, px_error *err)
{
    uint32_t rows = 0;
    PX_TRY(next_picture(self, &rows, err));
    avifImage there = *self->library->image;
    const avifImage *image = &there;
    if (image->width != (uint32_t)self->full_width || image->height != (uint32_t)self->full_height)
        return px_fail(err, PX_CORRUPT_IMAGE, "AVIF: the picture is %ux%u, its header says %dx%d", image->width, image->height,
                       self->full_width, self->full_height);
    if (self->base.wants_planes)
        return check_planes(self, err);
    avifRGBImage rgb;
    px_avif.RGBImageSetDefaults(&rgb, image);
    rgb.depth = self->base.wants_deep ? 16 : 8;
    rgb.format = self->base.header.alpha == PX_OPAQUE ? AVIF_RGB_FORMAT_RGB : AVIF_RGB_FORMAT_RGBA;
    rgb.avoidLibYUV = image->depth > 8; /* it cuts bits off; libavif rounds */
    rgb.pixels = self->picture;
    rgb.rowBytes = (uint32_t)((size_t)self->full_width * pixel_bytes(self));
    self->pulled = 0;
    there.height = rgb.height = rows;
    if (self->partial)
        px_fill_missing(self->picture, (size_t)rgb.rowBytes * (size_t)self->full_height, self->base.header.alpha);
    return judge(self, px_avif.ImageYUVToRGB(image, &rgb), err);
}

static px_status decoder_next(px_decoder *base, int *ret_ms, px_error *err)
{
    avif_decoder *self = (avif_decoder *)base;
    PX_TRY(decode_picture(self, err));
    double ms = self->library->imageTiming.duration * 1000 + 0.5;
    *ret_ms = ms > 0 ? (int)(ms < MILLISECONDS_MAX ? ms : MILLISECONDS_MAX) : 0;
    return PX_OK;
}

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    avif_decoder *self = (avif_decoder *)base;
    if (!base->wants_planes)
        self->picture = calloc((size_t)self->full_width * pixel_bytes(self), (size_t)self->full_height);
    self->row = malloc((size_t)base->header.width * 4);
    if ((!self->picture && !base->wants_planes) || !self->row)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", self->full_width, self->full_height);
    if (!base->next)
        PX_TRY(decode_picture(self, err));
    *ret_width = base->header.width;
    *ret_height = base->header.height;
    return PX_OK;
}

/* The next lines of Y, with those of Cb and Cr that lie under them. */
static px_row planes_row(avif_decoder *self)
{
    const px_header *header = &self->base.header;
    const avifImage *image = self->library->image;
    int left = header->height - self->pulled, lines = left < LINES_AT_ONCE ? left : LINES_AT_ONCE;
    px_row row = { .plane_count = 3, .depth = 8, .model = PX_YCC, .siting = header->siting, .narrow = header->narrow };
    for (int p = 0; p < 3; p++) {
        int across = p ? header->chroma_across : 1, down = p ? header->chroma_down : 1;
        size_t stride = image->yuvRowBytes[p];
        row.planes[p] = (px_plane){ image->yuvPlanes[p] + (size_t)((self->y + self->pulled) / down) * stride + self->x / across,
                                    (header->width + across - 1) / across, (lines + down - 1) / down, stride, 1 };
    }
    self->pulled += lines;
    return row;
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    (void)err;
    avif_decoder *self = (avif_decoder *)base;
    assert(self->pulled < base->header.height);
    if (base->wants_planes) {
        *ret = planes_row(self);
        return PX_OK;
    }
    int alpha = base->header.alpha != PX_OPAQUE, width = base->header.width;
    uint8_t *row = self->picture + ((size_t)(self->y + self->pulled++) * (size_t)self->full_width + (size_t)self->x) * pixel_bytes(self);
    if (base->header.model == PX_GREY) {
        px_grey_of(row, width, 3 + alpha, base->wants_deep, self->row);
        row = self->row;
    }
    *ret = px_row_of_depth(row, width, base->header.model, base->header.alpha, base->wants_deep);
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    avif_decoder *self = (avif_decoder *)base;
    if (self->library)
        px_avif.DecoderDestroy(self->library);
    px_source_unmap(self->file);
    free(self->profile);
    free(self->picture);
    free(self->row);
    free(self);
}

/* First turned by quarters against the clock, then mirrored (23008-12 6.5.10, 6.5.12). Rows: quarters; columns: not mirrored, top
 * to bottom, left to right. */
static int orientation_of(const avifImage *image)
{
    static const uint8_t orientations[4][3] = { { 1, 4, 2 }, { 8, 5, 7 }, { 3, 2, 4 }, { 6, 7, 5 } };
    int quarters = image->transformFlags & AVIF_TRANSFORM_IROT ? image->irot.angle & 3 : 0;
    int mirrored = image->transformFlags & AVIF_TRANSFORM_IMIR ? 1 + (PX_AVIF_MIRROR(image) & 1) : 0;
    return orientations[quarters][mirrored];
}

/* A clean aperture of whole pixels inside the picture (14496-12 12.1.4); any other is passed over. */
static void cut_out(avif_decoder *self)
{
    const avifImage *image = self->library->image;
    const avifCleanApertureBox *c = &image->clap;
    if (!(image->transformFlags & AVIF_TRANSFORM_CLAP) || !c->widthD || !c->heightD || !c->horizOffD || !c->vertOffD)
        return;
    int64_t width = c->widthN / c->widthD, height = c->heightN / c->heightD;
    double x = (self->full_width - (double)width) / 2 + (double)(int32_t)c->horizOffN / (int32_t)c->horizOffD;
    double y = (self->full_height - (double)height) / 2 + (double)(int32_t)c->vertOffN / (int32_t)c->vertOffD;
    if (width < 1 || height < 1 || !(x >= 0 && x + (double)width <= self->full_width && y >= 0 && y + (double)height <= self->full_height))
        return;
    self->x = (int)x;
    self->y = (int)y;
    self->base.header.width = (int)width;
    self->base.header.height = (int)height;
}

static px_status read_profile(avif_decoder *self, px_error *err)
{
    const avifImage *image = self->library->image;
    px_header *header = &self->base.header;
    if (image->icc.size > PX_PROFILE_BYTES_MAX)
        return PX_OK;
    if (image->icc.size) {
        self->profile = malloc(image->icc.size);
        if (!self->profile)
            return px_fail(err, PX_OUT_OF_MEMORY, "no room for a profile of %zu bytes", image->icc.size);
        memcpy(self->profile, image->icc.data, image->icc.size);
        header->profile = (px_bytes){ self->profile, image->icc.size };
        return PX_OK;
    }
    header->profile = px_nclx_profile(image->colorPrimaries, image->transferCharacteristics, header->model == PX_GREY);
    self->profile = (uint8_t *)(uintptr_t)header->profile.data;
    return PX_OK;
}

/* Versions before 1.0 take whatever lies beside a track for its alpha, put tiles together by their numbers, and do not see alpha of single
 * tiles: an output that is wrong in silence. */
static px_status judge_parts(avif_decoder *self, px_error *err)
{
    static const char *const names[] = { "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1" };
    bool alpha = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !alpha; i++)
        alpha = memmem(self->file.data, self->file.count, names[i], strlen(names[i])) != NULL;
    if (!alpha)
        self->base.header.alpha = PX_OPAQUE;
    if (AVIF_VERSION_MAJOR < 1 && (self->boxes.disordered || (self->boxes.tile_alpha && alpha && self->base.header.alpha == PX_OPAQUE)))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "AVIF: its tiles %s, which takes libavif 1.0 or newer",
                       self->boxes.disordered ? "are out of order" : "have alpha of their own");
    return PX_OK;
}

/* Of a sequence that is cut: the frames in front of the first that is not wholly there. */
static px_status count_whole(avif_decoder *self, px_error *err)
{
    px_header *header = &self->base.header;
    int whole = 0;
    avifExtent extent;
    for (; whole < header->frames && px_avif.DecoderNthImageMaxExtent(self->library, (uint32_t)whole, &extent) == AVIF_RESULT_OK; whole++)
        if (extent.offset > self->file.count || extent.size > self->file.count - extent.offset)
            break;
    if (whole == 0)
        return px_fail(err, PX_TRUNCATED_IMAGE, "AVIF: the file ends before the first frame does");
    header->frames = whole;
    return PX_OK;
}

static px_status read_header(avif_decoder *self, const px_limits *limits, px_error *err)
{
    PX_TRY(judge(self, px_avif.DecoderParse(self->library), err));
    const avifImage *image = self->library->image;
    px_header *header = &self->base.header;
    PX_TRY(px_judge_size(limits, image->width, image->height, err));
    header->width = self->full_width = (int)image->width;
    header->height = self->full_height = (int)image->height;
    header->model = image->yuvFormat == AVIF_PIXEL_FORMAT_YUV400 ? PX_GREY : PX_RGB;
    header->alpha = self->library->alphaPresent ? PX_STRAIGHT : PX_OPAQUE;
    header->deep = image->depth > 8;
    header->orientation = orientation_of(image);
    header->frames = self->library->imageCount > 1 ? self->library->imageCount : 1;
    header->loops = self->boxes.plays;
    if (self->partial && header->frames > 1)
        PX_TRY(count_whole(self, err));
    self->base.next = header->frames > 1 ? decoder_next : NULL;
    cut_out(self);
    PX_TRY(judge_parts(self, err));
    take_planes(self, image, header);
    px_items_metadata(self->file, header);
    header->uncleanable = !px_avif_is_cleanable(self->file);
    return read_profile(self, err);
}

bool px_avif_is(px_bytes first)
{
    return px_boxes_have_brand(first, "avifavis", false) && !px_boxes_have_brand(first, "heicheixheimheishevchevx", true);
}

px_status px_avif_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    avif_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for an AVIF decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_AVIF, .orientation = 1, .frames = 1 }, .memory = decoder_memory,
                               .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    PX_TRY(px_source_map(source, limits->input_bytes, &self->file, err));
    PX_TRY(px_boxes_judge(self->file, limits, &self->boxes, err));
    self->library = px_avif.DecoderCreate();
    if (!self->library)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for an AVIF decoder");
    self->library->maxThreads = 1;
    self->library->strictFlags = AVIF_STRICT_DISABLED;
    self->library->ignoreExif = self->library->ignoreXMP = AVIF_TRUE;
    self->library->imageCountLimit = limits->frames > FRAMES_PARSED ? limits->frames : FRAMES_PARSED;
    self->library->imageSizeLimit = (uint32_t)(limits->pixels < AVIF_DEFAULT_IMAGE_SIZE_LIMIT ? limits->pixels : AVIF_DEFAULT_IMAGE_SIZE_LIMIT);
    PX_TRY(judge(self, px_avif.DecoderSetIOMemory(self->library, self->file.data, self->file.count), err));
    if (self->boxes.cut && limits->truncated)
        accept_cut(self);
    PX_TRY(read_header(self, limits, err));
    self->parsed = true;
    *ret = held;
    held = NULL;
    return PX_OK;
}
