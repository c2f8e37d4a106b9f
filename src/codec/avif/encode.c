/* AVIF out, by libavif and libaom: 8 bits, 4:2:0, or 4:4:4 in RGB itself where it is lossless; grey without chroma.
 *
 * Rows are collected into a picture, which is encoded when its last row has come: AV1 has no way of doing it row by row. Grey, and Y, Cb
 * and Cr, are written where libavif wants them; RGB is turned into those at the end. Orientation is said by irot and imir, not by EXIF,
 * which is there only if it has more to say. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "codec/avif/library.h"
#include "codec/formats.h"

enum { TICKS_PER_SECOND = 1000, QUANTIZER_MAX = 63 };

/* libaom's speed, and how much coarser its quantizer may be than the table says, so that effort saves bytes instead of adding quality.
 * `bytes` of memory is what a pixel was seen to take.
 *
 * What libaom takes for screen content it searches for blocks that repeat (intrabc) and for palettes. Flat photos are taken for it too: there
 * the first costs ten times the rest, which only repeating drawings are worth; the second, at speed 8 of libaom 3.6, can double the
 * bytes. docs/formats.md has the figures, bench/effort.py makes them. */
static const struct {
    int speed, coarser, bytes;
    const char *off[2];
} efforts[PX_EFFORT_COUNT] = {
    [PX_EFFORT_LOW] = { 8, -3, 24, { "enable-intrabc", "enable-palette" } },
    [PX_EFFORT_NORMAL] = { 6, 0, 24, { "enable-intrabc" } },
    [PX_EFFORT_HIGH] = { 4, 1, 40, { NULL } },
};

enum { LOSSLESS_BYTES = 40, AHEAD_BYTES = 340 }; /* likewise; the second where it looks at frames ahead */

/* libaom's quantizer at which a picture has the SSIM of our JPEG of that quality (docs/formats.md); straight in between. */
static const struct {
    int quality, quantizer;
} scale[] = { { 1, 63 }, { 20, 47 }, { 40, 38 }, { 60, 32 }, { 70, 28 }, { 80, 23 }, { 90, 11 }, { 95, 5 }, { 100, 1 } };

typedef struct avif_encoder {
    px_encoder base;
    px_encoder_spec spec;
    int fd;
    avifEncoder *library;    /* owned */
    avifImage *image;        /* owned; the frame that is being collected, from its first row on */
    uint8_t *picture;        /* owned; its rows of RGB; NULL where they go into the image at once */
    int pushed;              /* of planes, lines of Y */
    int milliseconds;        /* of the frame that is being collected */
} avif_encoder;

static int quantizer_of(const px_encoder_spec *spec)
{
    size_t i = 1;
    while (scale[i].quality < spec->quality)
        i++;
    int from = scale[i - 1].quality, span = scale[i].quality - from;
    int quantizer = scale[i - 1].quantizer + ((spec->quality - from) * (scale[i].quantizer - scale[i - 1].quantizer) - span / 2) / span;
    quantizer += efforts[spec->effort].coarser;
    return spec->lossless ? 0 : quantizer < 1 ? 1 : quantizer > QUANTIZER_MAX ? QUANTIZER_MAX : quantizer;
}

static px_status judge(const avif_encoder *self, avifResult result, px_error *err)
{
    if (result == AVIF_RESULT_OK)
        return PX_OK;
    const char *more = self->library->diag.error;
    return px_fail(err, result == AVIF_RESULT_OUT_OF_MEMORY ? PX_OUT_OF_MEMORY : PX_INTERNAL, "AVIF: cannot encode: %s%s%s",
                   px_avif.ResultToString(result), *more ? ": " : "", more);
}

static void drop_image(avif_encoder *self)
{
    if (self->image)
        px_avif.ImageDestroy(self->image);
    self->image = NULL;
}

/* ---- rows into the image ---- */

static void push_grey(avif_encoder *self, const px_row *row)
{
    avifImage *image = self->image;
    int alpha = self->spec.alpha != PX_OPAQUE;
    const uint8_t *from = row->planes[0].samples;
    size_t y = (size_t)self->pushed++;
    for (int x = 0; x < self->spec.width; x++) {
        image->yuvPlanes[AVIF_CHAN_Y][y * image->yuvRowBytes[AVIF_CHAN_Y] + (size_t)x] = *from++;
        if (alpha)
            image->alphaPlane[y * image->alphaRowBytes + (size_t)x] = *from++;
    }
}

static void push_planes(avif_encoder *self, const px_row *row)
{
    avifImage *image = self->image;
    assert(row->model == PX_YCC && !row->narrow && self->pushed + row->planes[0].height <= self->spec.height);
    if (row->siting == PX_COSITED)
        image->yuvChromaSamplePosition = AVIF_CHROMA_SAMPLE_POSITION_VERTICAL;
    for (int p = 0; p < 3; p++) {
        const px_plane *from = &row->planes[p];
        size_t stride = image->yuvRowBytes[p], first = (size_t)(p && self->spec.chroma == PX_CHROMA_HALVED ? self->pushed / 2 : self->pushed);
        for (size_t y = 0; y < (size_t)from->height; y++)
            memcpy(image->yuvPlanes[p] + (first + y) * stride, from->samples + y * from->stride, (size_t)from->width);
    }
    self->pushed += row->planes[0].height;
}

static void push_rgb(avif_encoder *self, const px_row *row)
{
    size_t bytes = (size_t)self->spec.width * (size_t)px_channels(self->spec.model, self->spec.alpha);
    memcpy(self->picture + (size_t)self->pushed++ * bytes, row->planes[0].samples, bytes);
}

/* ---- the image ---- */

static px_status copy_in(avifRWData *target, px_bytes bytes, px_error *err)
{
    if (bytes.count == 0)
        return PX_OK;
    target->data = px_avif.Alloc(bytes.count);
    if (!target->data)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for metadata of %zu bytes", bytes.count);
    memcpy(target->data, bytes.data, bytes.count);
    target->size = bytes.count;
    return PX_OK;
}

/* Past libavif's own functions: newer ones would turn the picture by what EXIF says. */
static px_status set_metadata(const avif_encoder *self, avifImage *image, px_error *err)
{
    PX_TRY(copy_in(&image->icc, self->spec.profile, err));
    PX_TRY(copy_in(&image->exif, self->spec.exif, err));
    return copy_in(&image->xmp, self->spec.xmp, err);
}

static void set_colours(const avif_encoder *self, avifImage *image)
{
    bool exact = self->spec.lossless && self->spec.model == PX_RGB; /* planes are lossy (px_avif_planes) */
    image->yuvRange = AVIF_RANGE_FULL;
    image->matrixCoefficients = exact ? AVIF_MATRIX_COEFFICIENTS_IDENTITY : AVIF_MATRIX_COEFFICIENTS_BT601;
    if (!self->spec.profile.count) {
        image->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
        image->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
    }
}

/* Quarters against the clock, and then mirrored: 1 top to bottom, 2 left to right. For EXIF's 1 to 8. */
static void set_orientation(const avif_encoder *self, avifImage *image)
{
    static const uint8_t turns[9][2] = { [2] = { 0, 2 }, [3] = { 2, 0 }, [4] = { 0, 1 }, [5] = { 1, 1 }, [6] = { 3, 0 }, [7] = { 1, 2 }, [8] = { 1, 0 } };
    int orientation = self->spec.orientation > 8 ? 1 : self->spec.orientation;
    if (turns[orientation][0]) {
        image->transformFlags |= AVIF_TRANSFORM_IROT;
        image->irot.angle = turns[orientation][0];
    }
    if (turns[orientation][1]) {
        image->transformFlags |= AVIF_TRANSFORM_IMIR;
        PX_AVIF_MIRROR(image) = turns[orientation][1] - 1;
    }
}

static avifPixelFormat format_of(const px_encoder_spec *spec)
{
    if (spec->model == PX_GREY)
        return AVIF_PIXEL_FORMAT_YUV400;
    bool whole = spec->lossless || (spec->model == PX_YCC && spec->chroma == PX_CHROMA_WHOLE);
    return whole ? AVIF_PIXEL_FORMAT_YUV444 : AVIF_PIXEL_FORMAT_YUV420;
}

static px_status begin_image(avif_encoder *self, px_error *err)
{
    const px_encoder_spec *spec = &self->spec;
    avifImage *image = self->image = px_avif.ImageCreate((uint32_t)spec->width, (uint32_t)spec->height, 8, format_of(spec));
    if (image && !self->picture)
        (void)!px_avif.ImageAllocatePlanes(image, spec->alpha == PX_OPAQUE ? AVIF_PLANES_YUV : AVIF_PLANES_ALL);
    bool planes = self->picture || (image && image->yuvPlanes[AVIF_CHAN_Y] && (spec->model == PX_GREY || image->yuvPlanes[AVIF_CHAN_V]) &&
                                    (spec->alpha == PX_OPAQUE || image->alphaPlane));
    if (!image || !planes)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", spec->width, spec->height);
    set_colours(self, image);
    PX_TRY(set_metadata(self, image, err));
    set_orientation(self, image);
    return PX_OK;
}

static px_status planes_of_rgb(avif_encoder *self, px_error *err)
{
    avifRGBImage rgb;
    px_avif.RGBImageSetDefaults(&rgb, self->image);
    rgb.depth = 8;
    rgb.format = self->spec.alpha == PX_OPAQUE ? AVIF_RGB_FORMAT_RGB : AVIF_RGB_FORMAT_RGBA;
    rgb.pixels = self->picture;
    rgb.rowBytes = (uint32_t)self->spec.width * (self->spec.alpha == PX_OPAQUE ? 3 : 4);
    return judge(self, px_avif.ImageRGBToYUV(self->image, &rgb), err);
}

static px_status encode_image(avif_encoder *self, px_error *err)
{
    bool still = self->spec.frames <= 1;
    if (self->picture)
        PX_TRY(planes_of_rgb(self, err));
    px_status status = judge(self, px_avif.EncoderAddImage(self->library, self->image, still || self->milliseconds < 1 ? 1 : (uint64_t)self->milliseconds,
                                                           still ? AVIF_ADD_IMAGE_FLAG_SINGLE : AVIF_ADD_IMAGE_FLAG_NONE), err);
    drop_image(self);
    return status;
}

static px_status encoder_next(px_encoder *base, int milliseconds, px_error *err)
{
    (void)err;
    avif_encoder *self = (avif_encoder *)base;
    self->pushed = 0;
    self->milliseconds = milliseconds;
    return PX_OK;
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    avif_encoder *self = (avif_encoder *)base;
    if (!self->image)
        PX_TRY(begin_image(self, err));
    if (self->picture)
        push_rgb(self, row);
    else if (self->spec.model == PX_GREY)
        push_grey(self, row);
    else
        push_planes(self, row);
    return self->pushed == self->spec.height ? encode_image(self, err) : PX_OK;
}

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    avif_encoder *self = (avif_encoder *)base;
    avifRWData file = { NULL, 0 };
    px_status status = judge(self, px_avif.EncoderFinish(self->library, &file), err);
    if (status == PX_OK)
        status = px_write_all(self->fd, file.data, file.size, "the output", err);
    *ret_bytes = file.size;
    px_avif.RWDataFree(&file);
    return status;
}

static void encoder_close(px_encoder *base)
{
    avif_encoder *self = (avif_encoder *)base;
    drop_image(self);
    if (self->library)
        px_avif.EncoderDestroy(self->library);
    free(self->picture);
    free(self);
}

static void configure(avif_encoder *self)
{
    avifEncoder *library = self->library;
    int quantizer = quantizer_of(&self->spec);
    library->maxThreads = 1;
    library->timescale = TICKS_PER_SECOND;
    library->speed = efforts[self->spec.effort].speed;
    library->minQuantizer = library->maxQuantizer = quantizer;
    library->minQuantizerAlpha = library->maxQuantizerAlpha = quantizer / 2; /* edges show more than shades */
#if AVIF_VERSION_MAJOR >= 1
    library->repetitionCount = self->spec.loops ? self->spec.loops - 1 : AVIF_REPETITION_COUNT_INFINITE;
#endif
    if (!px_avif.CodecName(AVIF_CODEC_CHOICE_AOM, AVIF_CODEC_FLAG_CAN_ENCODE))
        return;
    library->codecChoice = AVIF_CODEC_CHOICE_AOM;
    for (int i = 0; i < 2 && efforts[self->spec.effort].off[i] && !self->spec.lossless; i++)
        (void)px_avif.EncoderSetCodecSpecificOption(library, efforts[self->spec.effort].off[i], "0");
}

px_status px_avif_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    avif_encoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for an AVIF encoder");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .next = encoder_next, .push = encoder_push, .finish = encoder_finish, .close = encoder_close };
    self->spec = *spec;
    self->fd = fd;
    if (spec->model == PX_RGB)
        self->picture = malloc((size_t)spec->width * (size_t)px_channels(spec->model, spec->alpha) * (size_t)spec->height);
    self->library = px_avif.EncoderCreate();
    if ((spec->model == PX_RGB && !self->picture) || !self->library)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", spec->width, spec->height);
    configure(self);
    *ret = held;
    held = NULL;
    return PX_OK;
}

/* As we make them of RGB. Without loss the picture stays RGB. */
void px_avif_planes(px_encoder_spec *spec)
{
    spec->model = spec->lossless ? PX_RGB : PX_YCC;
    spec->chroma = PX_CHROMA_HALVED;
    spec->narrow = false;
}

/* Our picture and its planes, and what libaom was seen to take; alpha is encoded by a second one. */
uint64_t px_avif_encoder_memory(const px_encoder_spec *spec)
{
    uint64_t pixels = (uint64_t)spec->width * (uint64_t)spec->height;
    unsigned bytes = (unsigned)(spec->lossless ? LOSSLESS_BYTES : efforts[spec->effort].bytes);
    if (spec->frames > 1 && spec->effort == PX_EFFORT_HIGH)
        bytes = AHEAD_BYTES;
    if (spec->alpha != PX_OPAQUE)
        bytes += bytes / 2;
    return pixels * bytes + (UINT64_C(32) << 20);
}
