/* held.h - what the tests of AVIF, HEIF and JPEG XL share: frames in and out, files that lie, files that end too early. */
#ifndef PX_TESTS_CODEC_HELD_H
#define PX_TESTS_CODEC_HELD_H

#include "picture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FRAMES_MAX = 8 };

/* Encodes frames that each hold one value of grey everywhere, `values[i]` shown for `ms[i]`. */
static inline uint8_t *encode_frames(px_encoder_spec spec, const uint8_t *values, const int *ms, size_t *ret_count)
{
    int fd = empty_fd();
    px_encoder *encoder = NULL;
    assert_int_equal(px_encoder_open(&spec, fd, &encoder, NULL), PX_OK);
    size_t bytes = (size_t)spec.width * (size_t)px_channels(spec.model, spec.alpha);
    uint8_t *samples = malloc(bytes);
    assert_non_null(samples);
    for (int f = 0; f < spec.frames; f++) {
        assert_int_equal(encoder->next(encoder, ms[f], NULL), PX_OK);
        memset(samples, values[f], bytes);
        px_row row = px_row_of(samples, spec.width, spec.model, spec.alpha);
        for (int y = 0; y < spec.height; y++)
            assert_int_equal(encoder->push(encoder, &row, NULL), PX_OK);
    }
    uint64_t written = 0;
    assert_int_equal(encoder->finish(encoder, &written, NULL), PX_OK);
    px_encoder_close(&encoder);
    free(samples);
    uint8_t *data = bytes_of(fd, ret_count);
    assert_int_equal(written, *ret_count);
    close(fd);
    return data;
}

/* Decodes every frame; the middle sample of each and its duration. */
static inline px_status decode_frames(const void *data, size_t count, px_header *ret_header, uint8_t *values, int *ms)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(data, count);
    px_decoder *decoder = NULL;
    int width, height;
    px_status status = px_decoder_open(&source, &limits, &decoder, NULL);
    if (status == PX_OK) {
        *ret_header = decoder->header;
        assert_true(decoder->header.frames <= FRAMES_MAX);
        status = decoder->start(decoder, 8, &width, &height, NULL);
    }
    for (int f = 0; status == PX_OK && f < decoder->header.frames; f++) {
        if (decoder->next)
            status = decoder->next(decoder, &ms[f], NULL);
        for (int y = 0; status == PX_OK && y < height; y++) {
            px_row row;
            status = decoder->pull(decoder, &row, NULL);
            if (status == PX_OK && y == height / 2)
                values[f] = row.planes[0].samples[width / 2 * row.planes[0].channels];
        }
    }
    px_decoder_close(&decoder);
    px_source_close(&source);
    return status;
}

/* Of a round trip; 99 if it is exact. */
static inline double round_trip(px_encoder_spec spec)
{
    size_t count, samples = (size_t)spec.width * (size_t)spec.height * (size_t)px_channels(spec.model, spec.alpha);
    uint8_t *pixels = picture(spec.width, spec.height, px_channels(spec.model, spec.alpha)), *back = NULL;
    uint8_t *data = encode(spec, pixels, &count);
    px_header h = { 0 };
    assert_int_equal(decode(data, count, &h, &back), PX_OK);
    assert_int_equal(h.format, spec.format);
    assert_int_equal(h.width, spec.width);
    assert_int_equal(h.height, spec.height);
    assert_int_equal(h.model, spec.model);
    assert_int_equal(h.alpha, spec.alpha);
    assert_int_equal(h.profile.count, 0);
    double near = psnr(pixels, back, samples);
    free(pixels);
    free(data);
    free(back);
    return near;
}

static const struct {
    px_model model;
    px_alpha alpha;
} kinds[] = { { PX_GREY, PX_OPAQUE }, { PX_GREY, PX_STRAIGHT }, { PX_RGB, PX_OPAQUE }, { PX_RGB, PX_STRAIGHT } };

/* Every beginning of the file is truncated; one too short to be recognised is no picture. `whole` bytes are enough. */
static inline void assert_cuts_are_truncated(const uint8_t *data, size_t whole, size_t recognised, size_t step)
{
    for (size_t cut = 0; cut < whole; cut += cut < 700 ? 1 : step) {
        px_header header;
        uint8_t *samples = NULL;
        px_status status = decode(data, cut, &header, &samples);
        free(status == PX_OK ? samples : NULL);
        if (status != (cut < recognised ? PX_UNSUPPORTED_FORMAT : PX_TRUNCATED_IMAGE))
            fail_msg("cut after %zu of %zu bytes: %s", cut, whole, px_status_code(status));
    }
}

/* Where the n-th `type` begins, behind its four letters; fails if it is not there. */
static inline uint8_t *find_box(uint8_t *data, size_t count, const char *type)
{
    uint8_t *at = memmem(data, count, type, 4);
    if (!at)
        fail_msg("there is no %s", type);
    return at + 4;
}

static inline void put_32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Some profile, as one that comes with a picture: nobody looks inside. */
static inline px_bytes any_profile(void)
{
    static uint8_t bytes[600];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    return (px_bytes){ bytes, sizeof bytes };
}

#endif
