/* WebP out, by libwebp. The library wants a whole picture, as four bytes a pixel or as planes: rows are written straight into it.
 *
 * A still is one call at the end; an animation's frames go to the library's animation encoder one by one, which keeps them
 * encoded. Profile and orientation are put around what came out, as chunks. */
#include <assert.h>
#include <stdlib.h>

#include "base/file.h"
#include "codec/exif.h"
#include "codec/formats.h"
#include "codec/webp/library.h"

/* How hard libwebp tries. Without loss its "quality" is effort too; with 100 and method 6 it tries everything, which
 * gains 2 to 4 % for ten times the time (11 s a megapixel): a big picture would run into the limit. */
static const struct { int method; float lossless; } efforts[PX_EFFORT_COUNT] = {
    [PX_EFFORT_LOW] = { 2, 25 }, [PX_EFFORT_NORMAL] = { 4, 75 }, [PX_EFFORT_HIGH] = { 6, 99 },
};

enum { LOOPS_MAX = 65535 };

typedef struct webp_encoder {
    px_encoder base;
    px_encoder_spec spec;
    int fd;
    WebPConfig config;
    WebPPicture picture;      /* its pixels are owned */
    int pushed;               /* rows of this frame; of planes, lines of Y */
    WebPAnimEncoder *animation; /* owned; NULL for a still */
    bool framed;              /* `picture` holds a frame that was not yet added */
    int timestamp_ms, duration_ms; /* of that frame: when it begins, and how long it is shown */
} webp_encoder;

static px_status fail_as(WebPEncodingError code, px_error *err)
{
    if (code == VP8_ENC_ERROR_OUT_OF_MEMORY || code == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY)
        return px_fail(err, PX_OUT_OF_MEMORY, "WebP: no room for the encoder's work");
    return px_fail(err, PX_INTERNAL, "WebP: the picture could not be encoded (%d)", (int)code);
}

/* Adds the frame that is complete, if there is one. */
static px_status add_frame(webp_encoder *self, px_error *err)
{
    if (!self->framed)
        return PX_OK;
    if (!WebPAnimEncoderAdd(self->animation, &self->picture, self->timestamp_ms, &self->config))
        return fail_as(self->picture.error_code, err);
    self->timestamp_ms += self->duration_ms;
    self->framed = false;
    return PX_OK;
}

static px_status encoder_next(px_encoder *base, int milliseconds, px_error *err)
{
    webp_encoder *self = (webp_encoder *)base;
    PX_TRY(add_frame(self, err));
    int most = INT32_MAX - self->timestamp_ms;
    self->duration_ms = milliseconds < 0 ? 0 : milliseconds < most ? milliseconds : most;
    self->pushed = 0;
    self->framed = true;
    return PX_OK;
}

static void copy_lines(const px_plane *from, uint8_t *to, int stride)
{
    for (int i = 0; i < from->height; i++)
        memcpy(to + (ptrdiff_t)i * stride, from->samples + (size_t)i * from->stride, (size_t)from->width);
}

static void push_planes(webp_encoder *self, const px_row *row)
{
    WebPPicture *to = &self->picture;
    assert(row->model == PX_YCC && row->narrow && self->pushed + row->planes[0].height <= self->spec.height);
    copy_lines(&row->planes[0], to->y + (ptrdiff_t)self->pushed * to->y_stride, to->y_stride);
    copy_lines(&row->planes[1], to->u + (ptrdiff_t)(self->pushed / 2) * to->uv_stride, to->uv_stride);
    copy_lines(&row->planes[2], to->v + (ptrdiff_t)(self->pushed / 2) * to->uv_stride, to->uv_stride);
    self->pushed += row->planes[0].height;
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    (void)err;
    webp_encoder *self = (webp_encoder *)base;
    if (self->spec.model == PX_YCC) {
        push_planes(self, row);
        return PX_OK;
    }
    const uint8_t *from = row->planes[0].samples;
    uint32_t *to = self->picture.argb + (size_t)self->pushed++ * (size_t)self->picture.argb_stride;
    int channels = row->planes[0].channels, green = row->model == PX_GREY ? 0 : 1, blue = 2 * green;
    for (int x = 0; x < self->spec.width; x++, from += channels) {
        uint32_t alpha = row->alpha == PX_OPAQUE ? 255 : from[channels - 1];
        to[x] = alpha << 24 | (uint32_t)from[0] << 16 | (uint32_t)from[green] << 8 | from[blue];
    }
    return PX_OK;
}

/* The encoded frames; free with WebPDataClear. */
static px_status assemble_animation(webp_encoder *self, WebPData *ret, px_error *err)
{
    PX_TRY(add_frame(self, err));
    if (!WebPAnimEncoderAdd(self->animation, NULL, self->timestamp_ms, NULL) || !WebPAnimEncoderAssemble(self->animation, ret))
        return px_fail(err, PX_INTERNAL, "WebP: the animation could not be put together (%s)", WebPAnimEncoderGetError(self->animation));
    return PX_OK;
}

/* The encoded still. The first partition of a big picture full of detail can be too much for the format: then it is tried with less. */
static px_status encode_still(webp_encoder *self, WebPData *ret, px_error *err)
{
    for (;;) {
        WebPMemoryWriter writer;
        WebPMemoryWriterInit(&writer);
        self->picture.writer = WebPMemoryWrite;
        self->picture.custom_ptr = &writer;
        if (WebPEncode(&self->config, &self->picture)) {
            *ret = (WebPData){ writer.mem, writer.size };
            return PX_OK;
        }
        WebPMemoryWriterClear(&writer);
        if (self->picture.error_code != VP8_ENC_ERROR_PARTITION0_OVERFLOW || self->config.partition_limit == 100)
            return fail_as(self->picture.error_code, err);
        self->config.partition_limit = 100;
    }
}

static void delete_mux(WebPMux **mux) { WebPMuxDelete(*mux); }

/* Puts profile and metadata into a file. */
static px_status add_chunks(const px_encoder_spec *spec, WebPData *file, px_error *err)
{
    uint8_t block[PX_EXIF_BYTES];
    px_bytes tiff = px_exif_of(spec, block);
    WebPData exif = { tiff.data, tiff.count }, xmp = { spec->xmp.data, spec->xmp.count }, profile = { spec->profile.data, spec->profile.count }, made;
    PX_AUTO(delete_mux) WebPMux *mux = WebPMuxCreate(file, 0);
    bool sound = mux && (!profile.size || WebPMuxSetChunk(mux, "ICCP", &profile, 0) == WEBP_MUX_OK) &&
                 (!exif.size || WebPMuxSetChunk(mux, "EXIF", &exif, 0) == WEBP_MUX_OK) &&
                 (!xmp.size || WebPMuxSetChunk(mux, "XMP ", &xmp, 0) == WEBP_MUX_OK) &&
                 WebPMuxAssemble(mux, &made) == WEBP_MUX_OK;
    if (!sound)
        return px_fail(err, PX_OUT_OF_MEMORY, "WebP: no room for the profile and the metadata");
    WebPDataClear(file);
    *file = made;
    return PX_OK;
}

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    webp_encoder *self = (webp_encoder *)base;
    PX_AUTO(WebPDataClear) WebPData file = { 0 };
    PX_TRY(self->animation ? assemble_animation(self, &file, err) : encode_still(self, &file, err));
    if (self->spec.profile.count || self->spec.orientation > 1 || self->spec.exif.count || self->spec.xmp.count)
        PX_TRY(add_chunks(&self->spec, &file, err));
    PX_TRY(px_write_all(self->fd, file.bytes, file.size, "the output", err));
    *ret_bytes = file.size;
    return PX_OK;
}

static void encoder_close(px_encoder *base)
{
    webp_encoder *self = (webp_encoder *)base;
    WebPPictureFree(&self->picture);
    WebPAnimEncoderDelete(self->animation);
    free(self);
}

static bool configure(webp_encoder *self)
{
    const px_encoder_spec *spec = &self->spec;
    WebPConfig *config = &self->config;
    if (!WebPConfigInit(config))
        return false;
    config->lossless = spec->lossless;
    config->quality = spec->lossless ? efforts[spec->effort].lossless : (float)spec->quality;
    config->method = efforts[spec->effort].method;
    return WebPValidateConfig(config);
}

static bool make_room(webp_encoder *self)
{
    const px_encoder_spec *spec = &self->spec;
    WebPAnimEncoderOptions options;
    if (!WebPPictureInit(&self->picture) || !WebPAnimEncoderOptionsInit(&options))
        return false;
    self->picture.use_argb = spec->model != PX_YCC;
    self->picture.width = spec->width;
    self->picture.height = spec->height;
    options.anim_params.loop_count = spec->loops < 0 ? 0 : spec->loops < LOOPS_MAX ? spec->loops : LOOPS_MAX;
    if (spec->frames > 1)
        self->animation = WebPAnimEncoderNew(spec->width, spec->height, &options);
    return WebPPictureAlloc(&self->picture) && (spec->frames <= 1 || self->animation);
}

px_status px_webp_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    webp_encoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a WebP encoder");
    self->spec = *spec;
    self->fd = fd;
    self->base = (px_encoder){ .next = encoder_next, .push = encoder_push, .finish = encoder_finish, .close = encoder_close };
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    if (!configure(self))
        return px_fail(err, PX_INTERNAL, "WebP: quality %d and effort %d are not for libwebp", spec->quality, (int)spec->effort);
    if (!make_room(self))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", spec->width, spec->height);
    *ret = held;
    held = NULL;
    return PX_OK;
}

/* As VP8 stores them: a lossy still without alpha (px_format_takes_planes asks for no other). */
void px_webp_planes(px_encoder_spec *spec)
{
    spec->model = spec->lossless ? PX_RGB : PX_YCC;
    spec->chroma = PX_CHROMA_HALVED;
    spec->narrow = true;
}

/* Bytes a pixel, as the peak of the process grew for a noisy picture of 1600x1200 (16, 46, 37; three frames 57 to 61), rounded up. The
 * picture is four, which planes leave out; alpha is always packed without loss, which takes chains of what was seen; an animation keeps canvases, and
 * its frames may have alpha even where it has none, for what did not change. */
uint64_t px_webp_encoder_memory(const px_encoder_spec *spec)
{
    uint64_t pixels = (uint64_t)spec->width * (uint64_t)spec->height;
    bool alpha = spec->alpha != PX_OPAQUE || spec->frames > 1;
    uint64_t each = (spec->lossless ? 40 : alpha ? 48 : spec->model == PX_YCC ? 14 : 18) + (spec->frames > 1 ? 20 : 0);
    return sizeof(webp_encoder) + pixels * each + (4u << 20);
}
