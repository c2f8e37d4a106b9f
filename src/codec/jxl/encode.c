/* JPEG XL out, by libjxl: grey or RGB, with or without alpha, lossy (in XYB) or exact; animations frame by frame.
 *
 * A frame's rows are collected and given to libjxl when the last has come; what it makes of them is written at once. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "codec/formats.h"
#include "codec/jxl/library.h"

enum { TICKS_PER_SECOND = 1000, OUTPUT_BYTES = 64 << 10 };

static const int efforts[PX_EFFORT_COUNT] = { [PX_EFFORT_LOW] = 3, [PX_EFFORT_NORMAL] = 5, [PX_EFFORT_HIGH] = 7 };

typedef struct jxl_encoder {
    px_encoder base;
    px_encoder_spec spec;
    int fd;
    uint64_t written;
    JxlEncoder *library;               /* owned */
    JxlEncoderFrameSettings *settings; /* the library's */
    uint8_t *picture;                  /* owned; rows as they came */
    int pushed, frame;
    int milliseconds;                  /* of the frame that is being collected */
    uint8_t output[OUTPUT_BYTES];
} jxl_encoder;

static px_status check(JxlEncoderStatus status, const char *what, px_error *err)
{
    return status == JXL_ENC_SUCCESS ? PX_OK : px_fail(err, PX_INTERNAL, "JPEG XL: cannot encode: %s", what);
}

/* As libjxl's own tools count: the distance at which a JPEG of that quality lies. */
static float distance_of(int quality)
{
    float q = (float)quality;
    return quality >= 100 ? 0.05f : quality >= 30 ? 0.1f + (100 - q) * 0.09f : 53 / 3000.0f * q * q - 23 / 20.0f * q + 25;
}

static px_status write_ready(jxl_encoder *self, px_error *err)
{
    JxlEncoderStatus status = JXL_ENC_NEED_MORE_OUTPUT;
    while (status == JXL_ENC_NEED_MORE_OUTPUT) {
        uint8_t *next = self->output;
        size_t room = OUTPUT_BYTES;
        status = px_jxl.EncoderProcessOutput(self->library, &next, &room);
        size_t count = OUTPUT_BYTES - room;
        PX_TRY(px_write_all(self->fd, self->output, count, "the output", err));
        self->written += count;
    }
    return check(status, "a frame", err);
}

static px_status set_duration(jxl_encoder *self, px_error *err)
{
    JxlFrameHeader header;
    px_jxl.EncoderInitFrameHeader(&header);
    header.duration = self->milliseconds > 0 ? (uint32_t)self->milliseconds : 0;
    return check(px_jxl.EncoderSetFrameHeader(self->settings, &header), "the frame's duration", err);
}

static px_status encode_picture(jxl_encoder *self, px_error *err)
{
    const px_encoder_spec *spec = &self->spec;
    JxlPixelFormat format = { .num_channels = (uint32_t)px_channels(spec->model, spec->alpha), .data_type = JXL_TYPE_UINT8, .endianness = JXL_NATIVE_ENDIAN };
    if (spec->frames > 1)
        PX_TRY(set_duration(self, err));
    size_t bytes = (size_t)spec->width * format.num_channels * (size_t)spec->height;
    PX_TRY(check(px_jxl.EncoderAddImageFrame(self->settings, &format, self->picture, bytes), "the picture", err));
    if (++self->frame >= spec->frames)
        px_jxl.EncoderCloseInput(self->library); /* before the last frame is written: it says that it is the last */
    return write_ready(self, err);
}

static px_status encoder_next(px_encoder *base, int milliseconds, px_error *err)
{
    (void)err;
    jxl_encoder *self = (jxl_encoder *)base;
    self->pushed = 0;
    self->milliseconds = milliseconds;
    return PX_OK;
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    jxl_encoder *self = (jxl_encoder *)base;
    size_t bytes = row->planes[0].stride;
    memcpy(self->picture + (size_t)self->pushed++ * bytes, row->planes[0].samples, bytes);
    return self->pushed == self->spec.height ? encode_picture(self, err) : PX_OK;
}

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    (void)err;
    *ret_bytes = ((jxl_encoder *)base)->written;
    return PX_OK;
}

static void encoder_close(px_encoder *base)
{
    jxl_encoder *self = (jxl_encoder *)base;
    if (self->library)
        px_jxl.EncoderDestroy(self->library);
    free(self->picture);
    free(self);
}

static px_status set_colours(jxl_encoder *self, px_error *err)
{
    px_bytes profile = self->spec.profile;
    JxlColorEncoding srgb;
    /* A profile that libjxl cannot read is no reason to have no picture. */
    if (profile.count && px_jxl.EncoderSetICCProfile(self->library, profile.data, profile.count) == JXL_ENC_SUCCESS)
        return PX_OK;
    px_jxl.ColorEncodingSetToSRGB(&srgb, self->spec.model == PX_GREY);
    return check(px_jxl.EncoderSetColorEncoding(self->library, &srgb), "the colours", err);
}

static px_status set_header(jxl_encoder *self, px_error *err)
{
    const px_encoder_spec *spec = &self->spec;
    JxlBasicInfo info;
    px_jxl.EncoderInitBasicInfo(&info);
    info.xsize = (uint32_t)spec->width;
    info.ysize = (uint32_t)spec->height;
    info.bits_per_sample = 8;
    info.num_color_channels = spec->model == PX_GREY ? 1 : 3;
    info.num_extra_channels = spec->alpha != PX_OPAQUE;
    info.alpha_bits = spec->alpha != PX_OPAQUE ? 8 : 0;
    info.uses_original_profile = spec->lossless;
    if (spec->orientation >= 1 && spec->orientation <= 8)
        info.orientation = (JxlOrientation)spec->orientation;
    if (spec->frames > 1) {
        info.have_animation = JXL_TRUE;
        info.animation.tps_numerator = TICKS_PER_SECOND;
        info.animation.tps_denominator = 1;
        info.animation.num_loops = spec->loops > 0 ? (uint32_t)spec->loops : 0;
    }
    PX_TRY(check(px_jxl.EncoderSetBasicInfo(self->library, &info), "the header", err));
    return set_colours(self, err);
}

/* Boxes around the codestream, which says the orientation itself; in front of EXIF stands the offset to it (18181-2, 9.4). */
static px_status add_metadata(jxl_encoder *self, px_error *err)
{
    px_bytes exif = self->spec.exif, xmp = self->spec.xmp;
    if (exif.count + xmp.count == 0)
        return PX_OK;
    PX_TRY(check(px_jxl.EncoderUseBoxes(self->library), "metadata", err));
    if (exif.count) {
        uint8_t *content = calloc(exif.count + 4, 1);
        if (!content)
            return px_fail(err, PX_OUT_OF_MEMORY, "no room for EXIF");
        memcpy(content + 4, exif.data, exif.count);
        JxlEncoderStatus status = px_jxl.EncoderAddBox(self->library, "Exif", content, exif.count + 4, JXL_FALSE);
        free(content);
        PX_TRY(check(status, "EXIF", err));
    }
    return xmp.count ? check(px_jxl.EncoderAddBox(self->library, "xml ", xmp.data, xmp.count, JXL_FALSE), "XMP", err) : PX_OK;
}

static px_status configure(jxl_encoder *self, px_error *err)
{
    const px_encoder_spec *spec = &self->spec;
    self->settings = px_jxl.EncoderFrameSettingsCreate(self->library, NULL);
    if (!self->settings)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG XL encoder");
    PX_TRY(check(px_jxl.EncoderFrameSettingsSetOption(self->settings, JXL_ENC_FRAME_SETTING_EFFORT, efforts[spec->effort]), "the effort", err));
    if (spec->lossless)
        return check(px_jxl.EncoderSetFrameLossless(self->settings, JXL_TRUE), "lossless", err);
    return check(px_jxl.EncoderSetFrameDistance(self->settings, distance_of(spec->quality)), "the quality", err);
}

px_status px_jxl_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    jxl_encoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG XL encoder");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .next = encoder_next, .push = encoder_push, .finish = encoder_finish, .close = encoder_close };
    self->spec = *spec;
    self->fd = fd;
    self->picture = malloc((size_t)spec->width * (size_t)px_channels(spec->model, spec->alpha) * (size_t)spec->height);
    self->library = px_jxl.EncoderCreate(NULL);
    if (!self->picture || !self->library)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", spec->width, spec->height);
    PX_TRY(set_header(self, err));
    PX_TRY(add_metadata(self, err));
    PX_TRY(configure(self, err));
    *ret = held;
    held = NULL;
    return PX_OK;
}

/* What libjxl was seen to take. */
uint64_t px_jxl_encoder_memory(const px_encoder_spec *spec)
{
    uint64_t pixels = (uint64_t)spec->width * (uint64_t)spec->height;
    return sizeof(jxl_encoder) + pixels * (spec->lossless || spec->effort == PX_EFFORT_HIGH ? 100 : 50) + (UINT64_C(32) << 20);
}
