/* JPEG XL in, by libjxl: bare codestreams and containers, grey, RGB and CMYK, alpha, animations; 8 bits, or of more 16 as well.
 *
 * libjxl is fed the whole file and asked what comes next: the basic header, the colours, then frame after frame, each into a picture of
 * ours. How many frames an animation has is not in its header: they are counted first, by a second decoder that decodes none. It is told
 * to leave orientation to us, and to straighten alpha. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec/formats.h"
#include "codec/jxl/clean.h"
#include "codec/jxl/library.h"
#include "codec/jxl/metadata.h"
#include "codec/nclx.h"

enum { FRAMES_COUNTED = 65536, MILLISECONDS_MAX = 60000, EVENTS = JXL_DEC_BASIC_INFO | JXL_DEC_COLOR_ENCODING | JXL_DEC_FRAME | JXL_DEC_FULL_IMAGE };

typedef struct jxl_decoder {
    px_decoder base;
    px_bytes file;           /* owned: the mapped source */
    JxlDecoder *library;     /* owned */
    JxlBasicInfo info;
    uint8_t *profile;        /* owned; or NULL */
    uint8_t *exif, *xmp;     /* owned; likewise */
    uint8_t *picture;        /* owned; the frame's rows */
    int black;               /* which extra channel is the fourth ink; -1: none */
    uint8_t *blacks, *row;   /* owned; its samples, and a finished row of inks; NULL without it */
    bool accepts;            /* a file that ends early */
    int decoded;             /* frames */
    int pulled;
} jxl_decoder;

static px_status broken(px_error *err) { return px_fail(err, PX_CORRUPT_IMAGE, "JPEG XL: the picture is damaged, or not one that this libjxl reads"); }

static JxlPixelFormat pixels_of(const jxl_decoder *self)
{
    return (JxlPixelFormat){ .num_channels = (uint32_t)px_channels(self->base.header.model, self->base.header.alpha), .data_type = self->base.wants_deep ? JXL_TYPE_UINT16 : JXL_TYPE_UINT8,
                             .endianness = JXL_NATIVE_ENDIAN };
}

static size_t row_bytes(const jxl_decoder *self)
{
    return (size_t)self->base.header.width * (size_t)px_channels(self->base.header.model, self->base.header.alpha) * (self->base.wants_deep ? 2 : 1);
}

/* Goes on until `wanted` happens. */
static px_status advance(jxl_decoder *self, JxlDecoderStatus wanted, px_error *err)
{
    JxlDecoderStatus event = px_jxl.DecoderProcessInput(self->library);
    if (event == wanted)
        return PX_OK;
    if (event == JXL_DEC_NEED_MORE_INPUT)
        return px_fail(err, PX_TRUNCATED_IMAGE, "JPEG XL: the file ends before the picture does");
    return broken(err);
}

static JxlDecoder *create(px_bytes file, int events)
{
    JxlDecoder *library = px_jxl.DecoderCreate(NULL);
    if (!library)
        return NULL;
    if (px_jxl.DecoderSubscribeEvents(library, events) != JXL_DEC_SUCCESS || px_jxl.DecoderSetKeepOrientation(library, JXL_TRUE) != JXL_DEC_SUCCESS ||
        px_jxl.DecoderSetUnpremultiplyAlpha(library, JXL_TRUE) != JXL_DEC_SUCCESS ||
        px_jxl.DecoderSetInput(library, file.data, file.count) != JXL_DEC_SUCCESS) {
        px_jxl.DecoderDestroy(library);
        return NULL;
    }
    return library; /* the input is not closed: where it ends too early, that is asked for more, and is no damage */
}

/* A file that is cut has the frames that can be seen; decoding then says so. */
static int count_frames(px_bytes file, uint32_t most)
{
    JxlDecoder *library = create(file, JXL_DEC_FRAME);
    uint32_t frames = 0;
    while (library && frames <= most && px_jxl.DecoderProcessInput(library) == JXL_DEC_FRAME)
        frames++;
    if (library)
        px_jxl.DecoderDestroy(library);
    return frames ? (int)frames : 1;
}

/* What libjxl was seen to take: floats of all channels, several times. */
static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const jxl_decoder *self = (const jxl_decoder *)base;
    uint64_t pixels = (uint64_t)base->header.width * (uint64_t)base->header.height, channels = pixels_of(self).num_channels;
    uint64_t extra = self->info.num_extra_channels > 16 ? 16 : self->info.num_extra_channels;
    return sizeof *self + 2 * self->file.count + pixels * (channels + base->header.inks) * (base->header.deep ? 2 : 1) + pixels * (3 + extra) * 8 + 4 * PX_EXIF_BYTES_MAX + (UINT64_C(32) << 20);
}

/* After the last frame: is there something behind it? */
static void look_behind(jxl_decoder *self)
{
    bool ends = px_jxl.DecoderProcessInput(self->library) == JXL_DEC_SUCCESS;
    self->base.header.uncleanable |= !ends || !px_jxl_ends_at(self->file, self->file.count - px_jxl.DecoderReleaseInput(self->library));
}

/* The rest of the frame, into our picture. Of one that is cut what libjxl has of it, which is all of its area with less detail, or of a
 * later one than the first the frame before. */
static px_status finish_frame(jxl_decoder *self, px_error *err)
{
    px_status status = advance(self, JXL_DEC_FULL_IMAGE, err);
    if (status != PX_TRUNCATED_IMAGE || !self->accepts)
        return status;
    bool some = px_jxl.DecoderFlushImage(self->library) == JXL_DEC_SUCCESS;
    if (!some && self->decoded == 0)
        return px_fail(err, PX_TRUNCATED_IMAGE, "JPEG XL: the file ends before anything of the picture can be shown");
    self->base.header.truncated = true;
    return PX_OK;
}

/* The next frame into our picture. */
static px_status decode_frame(jxl_decoder *self, int *ret_ms, px_error *err)
{
    JxlFrameHeader frame;
    JxlPixelFormat format = pixels_of(self);
    size_t bytes = 0, own = row_bytes(self) * (size_t)self->base.header.height;
    PX_TRY(advance(self, JXL_DEC_FRAME, err));
    if (px_jxl.DecoderGetFrameHeader(self->library, &frame) != JXL_DEC_SUCCESS)
        return broken(err);
    const JxlAnimationHeader *animation = &self->info.animation;
    double ms = animation->tps_numerator ? 1000.0 * frame.duration * animation->tps_denominator / animation->tps_numerator + 0.5 : 0;
    *ret_ms = ms < MILLISECONDS_MAX ? (int)ms : MILLISECONDS_MAX;
    px_status status = advance(self, JXL_DEC_NEED_IMAGE_OUT_BUFFER, err);
    self->pulled = 0;
    if (status == PX_TRUNCATED_IMAGE && self->accepts && self->decoded > 0) {
        self->base.header.truncated = true;
        return PX_OK;
    }
    PX_TRY(status);
    if (px_jxl.DecoderImageOutBufferSize(self->library, &format, &bytes) != JXL_DEC_SUCCESS || bytes != own ||
        px_jxl.DecoderSetImageOutBuffer(self->library, &format, self->picture, bytes) != JXL_DEC_SUCCESS)
        return broken(err);
    format.num_channels = 1;
    if (self->black >= 0 && px_jxl.DecoderSetExtraChannelBuffer(self->library, &format, self->blacks, bytes / 3, (uint32_t)self->black) != JXL_DEC_SUCCESS)
        return broken(err);
    PX_TRY(finish_frame(self, err));
    self->decoded++;
    if (frame.is_last && !self->base.header.truncated)
        look_behind(self);
    return PX_OK;
}

static px_status decoder_next(px_decoder *base, int *ret_ms, px_error *err) { return decode_frame((jxl_decoder *)base, ret_ms, err); }

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    jxl_decoder *self = (jxl_decoder *)base;
    int ignored;
    self->picture = calloc(row_bytes(self), (size_t)base->header.height);
    if (base->header.inks) {
        self->blacks = malloc((size_t)base->header.width * (size_t)base->header.height);
        self->row = malloc((size_t)base->header.width * 4);
    }
    if (!self->picture || (base->header.inks && (!self->blacks || !self->row)))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", base->header.width, base->header.height);
    if (base->header.inks)
        memset(self->blacks, 255, (size_t)base->header.width * (size_t)base->header.height);
    px_fill_missing(self->picture, self->accepts ? row_bytes(self) * (size_t)base->header.height : 0, base->header.alpha);
    if (!base->next)
        PX_TRY(decode_frame(self, &ignored, err));
    *ret_width = base->header.width;
    *ret_height = base->header.height;
    return PX_OK;
}

/* 0 is full ink here. Without a profile the light that is left is what is seen, as with JPEG. */
static void finish_inks(const jxl_decoder *self, const uint8_t *colours, const uint8_t *black)
{
    uint8_t *to = self->row;
    for (int x = 0; x < self->base.header.width; x++, colours += 3, black++) {
        for (int c = 0; c < 3; c++)
            *to++ = self->base.wants_inks ? 255 - colours[c] : (uint8_t)px_over_255((unsigned)colours[c] * *black);
        if (self->base.wants_inks)
            *to++ = 255 - *black;
    }
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    (void)err;
    jxl_decoder *self = (jxl_decoder *)base;
    assert(self->pulled < base->header.height);
    if (base->header.inks) {
        size_t y = (size_t)self->pulled++, width = (size_t)base->header.width;
        finish_inks(self, self->picture + y * row_bytes(self), self->blacks + y * width);
        *ret = px_row_of(self->row, base->header.width, base->wants_inks ? PX_CMYK : PX_RGB, PX_OPAQUE);
        return PX_OK;
    }
    *ret = px_row_of_depth(self->picture + (size_t)self->pulled++ * row_bytes(self), base->header.width, base->header.model, base->header.alpha, base->wants_deep);
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    jxl_decoder *self = (jxl_decoder *)base;
    if (self->library)
        px_jxl.DecoderDestroy(self->library);
    px_source_unmap(self->file);
    free(self->profile);
    free(self->exif);
    free(self->xmp);
    free(self->picture);
    free(self->blacks);
    free(self->row);
    free(self);
}

/* Of inks three are the colours, and the fourth is one more channel. */
static px_status find_black(jxl_decoder *self, px_error *err)
{
    self->black = -1;
    for (uint32_t i = 0; i < self->info.num_extra_channels; i++) {
        JxlExtraChannelInfo extra;
        if (px_jxl.DecoderGetExtraChannelInfo(self->library, i, &extra) != JXL_DEC_SUCCESS)
            return broken(err);
        if (extra.type == JXL_CHANNEL_BLACK && self->black < 0)
            self->black = (int)i;
    }
    if (self->black >= 0 && (self->info.num_color_channels != 3 || self->info.have_animation))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "JPEG XL: black ink for %s", self->info.have_animation ? "an animation" : "a grey picture");
    self->base.header.inks = self->black >= 0;
    return PX_OK;
}

/* The colours of the pixels that will come, as numbers. False: they are in a profile. */
static bool get_numbers(const jxl_decoder *self, JxlColorEncoding *ret)
{
    return px_jxl.DecoderGetColorAsEncodedProfile(self->library, PX_JXL_UNUSED_FORMAT JXL_COLOR_PROFILE_TARGET_DATA, ret) == JXL_DEC_SUCCESS;
}

/* libjxl's numbers are H.273's where both have a name. */
static void read_numbers(jxl_decoder *self, JxlColorEncoding numbers)
{
    px_header *header = &self->base.header;
    if (!self->info.uses_original_profile && px_nclx_is_hdr((int)numbers.transfer_function)) {
        JxlColorEncoding wide = numbers; /* decoded into what 8 bits can hold */
        wide.transfer_function = JXL_TRANSFER_FUNCTION_SRGB;
        if (px_jxl.DecoderSetPreferredColorProfile(self->library, &wide) == JXL_DEC_SUCCESS)
            numbers = wide;
    }
    int primaries = numbers.primaries == JXL_PRIMARIES_P3 ? 12 : (int)numbers.primaries;
    header->profile = px_nclx_profile(primaries, (int)numbers.transfer_function, header->model == PX_GREY);
    self->profile = (uint8_t *)(uintptr_t)header->profile.data;
}

static bool is_named(const JxlColorEncoding *c, bool grey)
{
    bool space = grey || ((c->primaries == JXL_PRIMARIES_SRGB || c->primaries == JXL_PRIMARIES_2100 || c->primaries == JXL_PRIMARIES_P3) &&
                          c->white_point == JXL_WHITE_POINT_D65);
    return space && c->transfer_function != JXL_TRANSFER_FUNCTION_GAMMA && c->transfer_function != JXL_TRANSFER_FUNCTION_UNKNOWN;
}

static px_status read_profile(jxl_decoder *self, px_error *err)
{
    JxlColorEncoding numbers;
    size_t count = 0;
    if (get_numbers(self, &numbers) && is_named(&numbers, self->base.header.model == PX_GREY)) {
        read_numbers(self, numbers);
        return PX_OK;
    }
    if (px_jxl.DecoderGetICCProfileSize(self->library, PX_JXL_UNUSED_FORMAT JXL_COLOR_PROFILE_TARGET_DATA, &count) != JXL_DEC_SUCCESS || count == 0 ||
        count > PX_PROFILE_BYTES_MAX)
        return PX_OK;
    self->profile = malloc(count);
    if (!self->profile)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a profile of %zu bytes", count);
    if (px_jxl.DecoderGetColorAsICCProfile(self->library, PX_JXL_UNUSED_FORMAT JXL_COLOR_PROFILE_TARGET_DATA, self->profile, count) == JXL_DEC_SUCCESS)
        self->base.header.profile = (px_bytes){ self->profile, count };
    return PX_OK;
}

static px_status read_header(jxl_decoder *self, const px_limits *limits, px_error *err)
{
    px_header *header = &self->base.header;
    PX_TRY(advance(self, JXL_DEC_BASIC_INFO, err));
    if (px_jxl.DecoderGetBasicInfo(self->library, &self->info) != JXL_DEC_SUCCESS)
        return broken(err);
    PX_TRY(px_judge_size(limits, self->info.xsize, self->info.ysize, err));
    PX_TRY(find_black(self, err));
    header->width = (int)self->info.xsize;
    header->height = (int)self->info.ysize;
    header->model = self->info.num_color_channels == 1 ? PX_GREY : PX_RGB;
    header->deep = self->info.bits_per_sample > 8 && !header->inks;
    header->alpha = self->info.alpha_bits && !header->inks ? PX_STRAIGHT : PX_OPAQUE;
    header->orientation = self->info.orientation >= 1 && (int)self->info.orientation <= 8 ? (int)self->info.orientation : 1;
    header->uncleanable = self->info.have_preview; /* inside of the codestream */
    PX_TRY(advance(self, JXL_DEC_COLOR_ENCODING, err));
    PX_TRY(read_profile(self, err));
    px_jxl_metadata(self->file, header, &self->exif, &self->xmp);
    if (self->info.have_animation) {
        header->frames = count_frames(self->file, limits->frames > FRAMES_COUNTED ? limits->frames : FRAMES_COUNTED);
        header->loops = self->info.animation.num_loops <= 65535 ? (int)self->info.animation.num_loops : 0;
        self->base.next = header->frames > 1 ? decoder_next : NULL;
    }
    return PX_OK;
}

bool px_jxl_is(px_bytes first) { return px_has_bytes(first, 0, "\xff\x0a", 2) || px_has_bytes(first, 0, "\0\0\0\x0cJXL \r\n\x87\n", 12); }

px_status px_jxl_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    jxl_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG XL decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_JXL, .orientation = 1, .frames = 1 }, .memory = decoder_memory,
                               .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    PX_TRY(px_source_map(source, limits->input_bytes, &self->file, err));
    self->accepts = limits->truncated;
    self->library = create(self->file, EVENTS);
    if (!self->library)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG XL decoder");
    PX_TRY(read_header(self, limits, err));
    *ret = held;
    held = NULL;
    return PX_OK;
}
