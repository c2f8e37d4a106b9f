/* picture.h - pictures for tests: made of arithmetic, so that nothing binary lies in the tree. */
#ifndef PX_TESTS_PICTURE_H
#define PX_TESTS_PICTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/source.h"
#include "codec/codec.h"

/* Detail at every scale, in every channel its own; 0 to 255. */
static inline uint8_t picture_sample(int x, int y, int c)
{
    double v = 128 + 50 * sin(x * 0.013 * (c + 1) + y * 0.021) + 40 * sin(x * 0.35 + c) * cos(y * 0.29)
             + 25 * sin((x * x + y * y) * 0.0007);
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static inline uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static inline px_source source_of(const void *data, size_t count)
{
    px_source source;
    assert_int_equal(px_source_create(&source, NULL), PX_OK);
    if (count)
        assert_int_equal(px_source_push(&source, data, count, NULL), PX_OK);
    px_source_finish(&source);
    return source;
}

static inline int empty_fd(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* The bytes of `fd`; the caller frees them. */
static inline uint8_t *bytes_of(int fd, size_t *ret_count)
{
    *ret_count = (size_t)lseek(fd, 0, SEEK_END);
    uint8_t *data = malloc(*ret_count + 1);
    assert_non_null(data);
    assert_int_equal(pread(fd, data, *ret_count, 0), (ssize_t)*ret_count);
    return data;
}

/* Ends an encoder that has all rows, and closes both; the caller frees the bytes. */
static inline uint8_t *finish_encoding(px_encoder *encoder, int fd, size_t *ret_count)
{
    uint64_t bytes = 0;
    assert_int_equal(encoder->finish(encoder, &bytes, NULL), PX_OK);
    px_encoder_close(&encoder);
    uint8_t *data = bytes_of(fd, ret_count);
    assert_int_equal(bytes, *ret_count);
    close(fd);
    return data;
}

/* Encodes interleaved samples; the caller frees the bytes. */
static inline uint8_t *encode(px_encoder_spec spec, const uint8_t *samples, size_t *ret_count)
{
    int fd = empty_fd();
    px_encoder *encoder = NULL;
    assert_int_equal(px_encoder_open(&spec, fd, &encoder, NULL), PX_OK);
    size_t stride = (size_t)spec.width * (size_t)px_channels(spec.model, spec.alpha);
    for (int y = 0; y < spec.height; y++) {
        px_row row = px_row_of((uint8_t *)(uintptr_t)(samples + (size_t)y * stride), spec.width, spec.model, spec.alpha);
        assert_int_equal(encoder->push(encoder, &row, NULL), PX_OK);
    }
    return finish_encoding(encoder, fd, ret_count);
}

/* Decodes the whole; samples (the caller frees them) only if it worked. */
static inline px_status decode(const void *data, size_t count, px_header *ret_header, uint8_t **ret_samples)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(data, count);
    px_decoder *decoder = NULL;
    int width = 0, height = 0;
    uint8_t *samples = NULL;
    px_status status = px_decoder_open(&source, &limits, &decoder, NULL);
    if (status == PX_OK)
        status = decoder->start(decoder, 8, &width, &height, NULL);
    if (status == PX_OK) {
        *ret_header = decoder->header;
        size_t stride = (size_t)width * (size_t)px_channels(decoder->header.model, decoder->header.alpha);
        samples = malloc(stride * (size_t)height);
        assert_non_null(samples);
        for (int y = 0; y < height && status == PX_OK; y++) {
            px_row row;
            status = decoder->pull(decoder, &row, NULL);
            if (status == PX_OK)
                memcpy(samples + (size_t)y * stride, row.planes[0].samples, stride);
        }
    }
    px_decoder_close(&decoder);
    px_source_close(&source);
    if (status == PX_OK)
        *ret_samples = samples;
    else
        free(samples);
    return status;
}

static inline uint8_t *picture(int width, int height, int channels)
{
    uint8_t *samples = malloc((size_t)width * (size_t)height * (size_t)channels);
    assert_non_null(samples);
    for (int y = 0, i = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                samples[i++] = picture_sample(x, y, c);
    return samples;
}

static inline double psnr(const uint8_t *a, const uint8_t *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (a[i] - b[i]) * (double)(a[i] - b[i]);
    return sum == 0 ? 99 : 10 * log10(255.0 * 255.0 * (double)count / sum);
}

#endif
