/* The picture is kept as rows came; each try writes it to the output's file from the start again, since the process can open no
 * other, and reads it back from there. What lies in the file is remembered, so that the last try is not made twice.
 *
 * A format is chosen by content first (content.h): a clear photo is a JPEG, at once. Otherwise both are made and weighed. JPEG
 * at any usual quality leaves a halo about letters and lines, so of what is drawn PNG may take some times as many bytes. */
#include "image/choose.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/content.h"
#include "image/search.h"
#include "image/ssim.h"

enum { QUALITY_USUAL = 80, DECODER_BYTES_A_PIXEL = 8 };

static const double photo_flat = 0.02, drawn_flat = 0.25; /* at most, at least: content.h */
static const double drawn_worth = 4;                      /* times JPEG's bytes */

/* SSIM of `quality: auto`. */
static const double targets[PX_TARGET_COUNT] = { [PX_TARGET_FAIR] = 0.90, [PX_TARGET_GOOD] = 0.93, [PX_TARGET_FINE] = 0.96 };

typedef struct chooser {
    px_encoder base;
    px_choose_spec spec;
    px_encoder_spec trying;  /* what the next encode is to be */
    px_encoder_spec made;    /* what lies in the file; width 0: nothing that counts */
    uint64_t made_bytes;
    int fd;
    size_t row_bytes;        /* of held rows */
    int channels;
    int frames, frame, row;  /* `frame` and `row` are where the next row goes */
    bool bounded;            /* the quality is lower than asked for, because of max_bytes */
    bool opaque;             /* so far no pixel was seen through */
    uint8_t *held;           /* owned; the frames, one under the other */
    int *milliseconds;       /* owned; of each frame */
    uint8_t *stripped;       /* owned; a row without its alpha */
    uint8_t *luma, *decoded; /* owned; one frame each */
    void *scratch;           /* owned; px_ssim's */
    px_choice choice;
} chooser;

/* ---- the plan ---- */

px_format px_choose_format(const px_output_spec *spec, const px_header *header)
{
    if (spec->format == PX_FORMAT_KEEP)
        return px_format_kept(header->format);
    if (spec->format != PX_FORMAT_AUTO)
        return spec->format;
    return spec->animated && header->frames > 1 ? PX_FORMAT_GIF /* what every mail program plays */ : PX_FORMAT_PNG;
}

bool px_choose_is_needed(const px_output_spec *spec, px_format format, bool animated)
{
    bool lossy = px_format_is_lossy(format) && !spec->lossless;
    return spec->max_bytes || (lossy && spec->quality == 0) || (spec->format == PX_FORMAT_AUTO && !animated);
}

static int frames_of(const px_encoder_spec *spec) { return spec->frames > 1 ? spec->frames : 1; }

uint64_t px_choose_memory(const px_choose_spec *spec)
{
    px_encoder_spec most = spec->encoding;
    if (most.quality == 0)
        most.quality = PX_QUALITY_MOST;
    const px_encoder_spec *e = &most;
    uint64_t pixels = (uint64_t)e->width * (uint64_t)e->height;
    uint64_t held = pixels * (unsigned)px_channels(e->model, e->alpha) * (unsigned)frames_of(e);
    uint64_t encoder = px_encoder_memory(e), decoder = pixels * DECODER_BYTES_A_PIXEL;
    if (spec->any_format) {
        most.format = PX_FORMAT_JPEG;
        uint64_t other = px_encoder_memory(e);
        encoder = other > encoder ? other : encoder;
    }
    return held + (encoder > decoder ? encoder : decoder) + pixels * 2 + (uint64_t)e->width * 3 + px_ssim_scratch(e->width);
}

/* ---- taking the picture ---- */

static px_status chooser_next(px_encoder *base, int milliseconds, px_error *err)
{
    (void)err;
    chooser *self = (chooser *)base;
    self->frame += self->row > 0;
    self->row = 0;
    self->milliseconds[self->frame] = milliseconds;
    return PX_OK;
}

static px_status chooser_push(px_encoder *base, const px_row *row, px_error *err)
{
    (void)err;
    chooser *self = (chooser *)base;
    const uint8_t *samples = row->planes[0].samples;
    size_t at = (size_t)self->frame * (size_t)self->spec.encoding.height + (size_t)self->row++;
    memcpy(self->held + at * self->row_bytes, samples, self->row_bytes);
    if (row->alpha != PX_OPAQUE)
        for (size_t i = (size_t)self->channels - 1; i < self->row_bytes && self->opaque; i += (size_t)self->channels)
            self->opaque = samples[i] == 255;
    return PX_OK;
}

/* ---- one try ---- */

/* The held row `y` of all frames' as it is to be encoded. */
static px_row row_at(chooser *self, int y)
{
    const px_encoder_spec *e = &self->spec.encoding;
    uint8_t *samples = self->held + (size_t)y * self->row_bytes;
    if (self->trying.alpha != e->alpha) {
        int colours = self->channels - 1;
        for (int x = 0; x < e->width; x++)
            memcpy(self->stripped + x * colours, samples + x * self->channels, (size_t)colours);
        samples = self->stripped;
    }
    return px_row_of(samples, e->width, e->model, self->trying.alpha);
}

static px_status write_frames(chooser *self, px_encoder *encoder, px_error *err)
{
    int height = self->spec.encoding.height;
    for (int y = 0; y < height * self->frames; y++) {
        if (self->frames > 1 && y % height == 0)
            PX_TRY(encoder->next(encoder, self->milliseconds[y / height], err));
        px_row row = row_at(self, y);
        PX_TRY(encoder->push(encoder, &row, err));
    }
    return PX_OK;
}

static bool is_made(const chooser *self)
{
    const px_encoder_spec *made = &self->made, *want = &self->trying;
    return made->width && made->format == want->format && made->alpha == want->alpha && (made->quality == want->quality || !px_format_is_lossy(made->format));
}

/* Makes the file what `trying` says. */
static px_status encode(chooser *self, px_error *err)
{
    if (is_made(self))
        return PX_OK;
    self->made.width = 0;
    if (ftruncate(self->fd, 0) != 0 || lseek(self->fd, 0, SEEK_SET) != 0)
        return px_fail(err, PX_INTERNAL, "the output cannot be written twice: it is not a file");
    PX_AUTO(px_encoder_close) px_encoder *encoder = NULL;
    PX_TRY(px_encoder_open(&self->trying, self->fd, &encoder, err));
    PX_TRY(write_frames(self, encoder, err));
    PX_TRY(encoder->finish(encoder, &self->made_bytes, err));
    self->made = self->trying;
    self->choice.encodes++;
    return PX_OK;
}

static px_status measure_frame(chooser *self, px_decoder *decoder, int frame, double *ret, px_error *err)
{
    const px_encoder_spec *e = &self->spec.encoding;
    for (int y = 0; y < e->height; y++) {
        size_t at = (size_t)y * (size_t)e->width;
        px_row row = row_at(self, frame * e->height + y);
        px_luma_row(&row, self->luma + at);
        PX_TRY(decoder->pull(decoder, &row, err));
        px_luma_row(&row, self->decoded + at);
    }
    *ret = px_ssim(self->luma, self->decoded, e->width, e->height, self->scratch);
    return PX_OK;
}

/* How much what lies in the file looks like what is held. Of an animation whose encoder made one frame of several that are alike,
 * the first has to speak for all. */
static px_status measure(chooser *self, double *ret, px_error *err)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.input_bytes = UINT64_MAX; /* our own bytes */
    limits.pixels = UINT64_MAX;
    limits.metadata_bytes = UINT64_MAX;
    px_source source = { .fd = self->fd, .state_fd = -1, .bytes = self->made_bytes };
    PX_AUTO(px_decoder_close) px_decoder *decoder = NULL;
    int width = 0, height = 0, ms = 0;
    PX_TRY(px_decoder_open(&source, &limits, &decoder, err));
    PX_TRY(decoder->start(decoder, 8, &width, &height, err));
    if (width != self->spec.encoding.width || height != self->spec.encoding.height)
        return px_fail(err, PX_INTERNAL, "%s wrote %dx%d pixels and read %dx%d", px_format_name(self->made.format),
                       self->spec.encoding.width, self->spec.encoding.height, width, height);
    int frames = decoder->header.frames == self->frames ? self->frames : 1;
    double sum = 0;
    for (int i = 0; i < frames; i++) {
        double one = 0;
        if (decoder->next)
            PX_TRY(decoder->next(decoder, &ms, err));
        PX_TRY(measure_frame(self, decoder, i, &one, err));
        sum += one;
    }
    *ret = sum / frames;
    return PX_OK;
}

/* ---- qualities ---- */

static px_status try_bytes(void *context, int quality, px_trial *ret, px_error *err)
{
    chooser *self = context;
    self->trying.quality = quality;
    PX_TRY(encode(self, err));
    *ret = (px_trial){ .quality = quality, .bytes = self->made_bytes };
    return PX_OK;
}

static px_status try_likeness(void *context, int quality, px_trial *ret, px_error *err)
{
    chooser *self = context;
    PX_TRY(try_bytes(self, quality, ret, err));
    return measure(self, &ret->likeness, err);
}

/* Adds to the reason; what does not fit is left away. */
__attribute__((format(printf, 2, 3)))
static void explain(chooser *self, const char *format, ...)
{
    char *reason = self->choice.reason;
    size_t used = strlen(reason);
    va_list values;
    va_start(values, format);
    if (used && used + 2 < PX_REASON_BYTES)
        used += (size_t)snprintf(reason + used, PX_REASON_BYTES - used, "; ");
    vsnprintf(reason + used, PX_REASON_BYTES - used, format, values);
    va_end(values);
}

static px_status fit_lossless(chooser *self, px_error *err)
{
    PX_TRY(encode(self, err));
    if (self->spec.max_bytes && self->made_bytes > self->spec.max_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "%llu bytes, losslessly as %s, are over max_bytes (%llu): allow more, ask for fewer pixels, or "
                       "for a format with a quality", (unsigned long long)self->made_bytes, px_format_name(self->trying.format),
                       (unsigned long long)self->spec.max_bytes);
    return PX_OK;
}

/* The quality that is asked for, or reaches the target. */
static px_status reach_target(chooser *self, px_error *err)
{
    px_trial best = { 0 }, last;
    px_trier trier = { try_likeness, self };
    if (self->spec.encoding.quality) {
        self->trying.quality = self->spec.encoding.quality;
        return PX_OK;
    }
    PX_TRY(px_search_likeness(&trier, targets[self->spec.target], &best, &last, err));
    self->trying.quality = best.quality;
    self->choice.likeness = best.likeness;
    return PX_OK;
}

static px_status fit_bytes(chooser *self, px_error *err)
{
    px_trial best = { 0 }, last;
    px_trier trier = { try_bytes, self };
    int most = self->trying.quality;
    PX_TRY(px_search_bytes(&trier, self->spec.max_bytes, most, &best, &last, err));
    if (best.bytes > self->spec.max_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "%llu bytes, as %s with the lowest quality, are over max_bytes (%llu): allow more, or ask for "
                       "fewer pixels", (unsigned long long)best.bytes, px_format_name(self->trying.format),
                       (unsigned long long)self->spec.max_bytes);
    self->trying.quality = best.quality;
    self->bounded = best.quality != most;
    return PX_OK;
}

static px_status settle_quality(chooser *self, px_error *err)
{
    if (!px_format_is_lossy(self->trying.format) || self->spec.encoding.lossless) {
        self->trying.quality = self->spec.encoding.quality ? self->spec.encoding.quality : 100;
        return fit_lossless(self, err);
    }
    PX_TRY(reach_target(self, err));
    if (self->spec.max_bytes)
        PX_TRY(fit_bytes(self, err));
    return encode(self, err);
}

/* ---- the format ---- */

static void take_format(chooser *self, px_format format, const char *why)
{
    self->trying.format = format;
    explain(self, "%s", why);
}

/* PNG or JPEG, by their bytes. */
static px_status weigh(chooser *self, double worth, px_error *err)
{
    self->trying.format = PX_FORMAT_JPEG;
    self->trying.quality = self->spec.encoding.quality ? self->spec.encoding.quality : QUALITY_USUAL;
    PX_TRY(encode(self, err));
    uint64_t jpeg = self->made_bytes;
    self->trying.format = PX_FORMAT_PNG;
    PX_TRY(encode(self, err));
    uint64_t png = self->made_bytes;
    bool fits = self->spec.max_bytes == 0 || png <= self->spec.max_bytes;
    bool is_png = fits && (double)png <= worth * (double)jpeg;
    take_format(self, is_png ? PX_FORMAT_PNG : PX_FORMAT_JPEG, is_png ? (worth > 1 ? "drawn" : "small as png") : "a photo");
    explain(self, "png %llu, jpeg %llu", (unsigned long long)png, (unsigned long long)jpeg);
    return PX_OK;
}

static px_status choose_format(chooser *self, px_error *err)
{
    const px_encoder_spec *e = &self->spec.encoding;
    if (!self->opaque) {
        take_format(self, PX_FORMAT_PNG, "transparent");
        return PX_OK;
    }
    self->trying.alpha = PX_OPAQUE;
    if (e->lossless) {
        take_format(self, PX_FORMAT_PNG, "lossless");
        return PX_OK;
    }
    double flat = px_content_flat(self->held, e->width, e->height, self->channels);
    if (flat > photo_flat)
        return weigh(self, flat >= drawn_flat ? drawn_worth : 1, err);
    take_format(self, PX_FORMAT_JPEG, "a photo");
    return PX_OK;
}

/* ---- the encoder ---- */

static px_status chooser_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    chooser *self = (chooser *)base;
    self->trying = self->spec.encoding;
    if (self->spec.any_format)
        PX_TRY(choose_format(self, err));
    PX_TRY(settle_quality(self, err));
    if (self->bounded)
        explain(self, "max_bytes, %d encodes", self->choice.encodes);
    else if (self->choice.likeness > 0)
        explain(self, "SSIM %.4f, %d encodes", self->choice.likeness, self->choice.encodes);
    self->choice.format = self->trying.format;
    self->choice.quality = self->trying.quality;
    *ret_bytes = self->made_bytes;
    return PX_OK;
}

const px_choice *px_choose_result(const px_encoder *encoder) { return &((const chooser *)encoder)->choice; }

static void chooser_close(px_encoder *base)
{
    chooser *self = (chooser *)base;
    free(self->held);
    free(self->milliseconds);
    free(self->stripped);
    free(self->luma);
    free(self->decoded);
    free(self->scratch);
    free(self);
}

px_status px_choose_open(const px_choose_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    const px_encoder_spec *e = &spec->encoding;
    chooser *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room to hold an output");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .next = frames_of(e) > 1 ? chooser_next : NULL, .push = chooser_push, .finish = chooser_finish, .close = chooser_close };
    self->spec = *spec;
    self->fd = fd;
    self->frames = frames_of(e);
    self->channels = px_channels(e->model, e->alpha);
    self->row_bytes = (size_t)e->width * (size_t)self->channels;
    self->opaque = true;
    size_t pixels = (size_t)e->width * (size_t)e->height;
    self->held = malloc(self->row_bytes * (size_t)e->height * (size_t)self->frames);
    self->milliseconds = calloc((size_t)self->frames, sizeof(int));
    self->stripped = malloc((size_t)e->width * 3);
    self->luma = malloc(pixels);
    self->decoded = malloc(pixels);
    self->scratch = malloc(px_ssim_scratch(e->width));
    if (!self->held || !self->milliseconds || !self->stripped || !self->luma || !self->decoded || !self->scratch)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room to hold an output of %dx%d", e->width, e->height);
    *ret = held;
    held = NULL;
    return PX_OK;
}
