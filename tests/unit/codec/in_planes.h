/* in_planes.h - pictures in and out of codecs as planes of Y, Cb and Cr, and what RGB they mean, in floating point (BT.601). */
#ifndef PX_TESTS_CODEC_IN_PLANES_H
#define PX_TESTS_CODEC_IN_PLANES_H

#include "picture.h"

#include <string.h>

typedef struct planes {
    uint8_t *samples[3]; /* owned */
    int width[3], height[3];
    int across, down; /* samples of Y for one of Cb and Cr */
    bool narrow;
    px_siting siting;
} planes;

static inline planes planes_create(int width, int height, int across, int down, bool narrow)
{
    planes p = { .across = across, .down = down, .narrow = narrow };
    for (int i = 0; i < 3; i++) {
        p.width[i] = i ? (width + across - 1) / across : width;
        p.height[i] = i ? (height + down - 1) / down : height;
        p.samples[i] = calloc((size_t)p.width[i], (size_t)p.height[i]);
        assert_non_null(p.samples[i]);
    }
    return p;
}

static inline void planes_done(planes *p)
{
    for (int i = 0; i < 3; i++)
        free(p->samples[i]);
}

static inline uint8_t rounded(double value) { return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5); }

/* Cb and Cr are halved: the mean of four, so they lie between (PX_CENTRED). */
static inline planes planes_of(const uint8_t *rgb, int width, int height, bool narrow)
{
    planes p = planes_create(width, height, 2, 2, narrow);
    double luma = narrow ? 219 / 255.0 : 1, colour = narrow ? 224 / 255.0 : 1;
    for (int i = 0; i < 3; i++)
        for (int y = 0; y < p.height[i]; y++)
            for (int x = 0; x < p.width[i]; x++) {
                int part = i ? 2 : 1, count = 0;
                double sum = 0;
                for (int v = y * part; v < y * part + part && v < height; v++)
                    for (int u = x * part; u < x * part + part && u < width; u++, count++) {
                        const uint8_t *c = rgb + 3 * ((size_t)v * (size_t)width + (size_t)u);
                        double l = 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2];
                        sum += i == 0 ? l : i == 1 ? (c[2] - l) / 1.772 : (c[0] - l) / 1.402;
                    }
                sum /= count;
                p.samples[i][y * p.width[i] + x] = rounded(i ? 128 + sum * colour : (narrow ? 16 : 0) + sum * luma);
            }
    return p;
}

/* A plane's value where pixel x, y of the picture is: straight between samples. */
static inline double plane_at(const planes *p, int i, int x, int y)
{
    int w = p->width[i], h = p->height[i], across = i ? p->across : 1, down = i ? p->down : 1;
    double off = p->siting == PX_CENTRED ? 0.5 : 0, u = (x + off) / across - off, v = (y + 0.5) / down - 0.5;
    u = u < 0 ? 0 : u > w - 1 ? w - 1 : u;
    v = v < 0 ? 0 : v > h - 1 ? h - 1 : v;
    int x0 = (int)u, y0 = (int)v, x1 = x0 + 1 < w ? x0 + 1 : x0, y1 = y0 + 1 < h ? y0 + 1 : y0;
    const uint8_t *s = p->samples[i];
    double top = s[y0 * w + x0] + (u - x0) * (s[y0 * w + x1] - s[y0 * w + x0]), low = s[y1 * w + x0] + (u - x0) * (s[y1 * w + x1] - s[y1 * w + x0]);
    return top + (v - y0) * (low - top);
}

static inline uint8_t *rgb_of(const planes *p)
{
    uint8_t *rgb = malloc((size_t)p->width[0] * (size_t)p->height[0] * 3), *to = rgb;
    assert_non_null(rgb);
    double luma = p->narrow ? 255 / 219.0 : 1, colour = p->narrow ? 255 / 224.0 : 1;
    for (int y = 0; y < p->height[0]; y++)
        for (int x = 0; x < p->width[0]; x++) {
            double l = (plane_at(p, 0, x, y) - (p->narrow ? 16 : 0)) * luma;
            double cb = (plane_at(p, 1, x, y) - 128) * colour, cr = (plane_at(p, 2, x, y) - 128) * colour;
            *to++ = rounded(l + 1.402 * cr);
            *to++ = rounded(l - 0.344136 * cb - 0.714136 * cr);
            *to++ = rounded(l + 1.772 * cb);
        }
    return rgb;
}

/* Decodes to planes, each pulled to its end and no further; they are the caller's. */
static inline px_status decode_planes(const void *data, size_t count, px_header *ret_header, planes *ret)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(data, count);
    px_decoder *decoder = NULL;
    int width = 0, height = 0, done[3] = { 0 };
    px_status status = px_decoder_open(&source, &limits, &decoder, NULL);
    if (status == PX_OK) {
        *ret_header = decoder->header;
        assert_true(decoder->header.planes);
        uint64_t as_rgb = decoder->memory(decoder, 8);
        decoder->wants_planes = true;
        decoder->wants_chroma = decoder->header.chroma_across == 2 ? PX_CHROMA_HALVED : PX_CHROMA_WHOLE;
        assert_true(decoder->memory(decoder, 8) < as_rgb || decoder->header.width == 1);
        status = decoder->start(decoder, 8, &width, &height, NULL);
    }
    if (status == PX_OK) {
        px_plane_size sizes[3];
        px_plane_sizes(&decoder->header, 8, decoder->wants_chroma, sizes);
        *ret = planes_create(width, height, decoder->header.chroma_across, decoder->header.chroma_down, decoder->header.narrow);
        ret->siting = decoder->header.siting;
        while (status == PX_OK && (done[0] < sizes[0].height || done[1] < sizes[1].height || done[2] < sizes[2].height)) {
            px_row row;
            status = decoder->pull(decoder, &row, NULL);
            if (status != PX_OK)
                break;
            assert_int_equal(row.model, PX_YCC);
            assert_int_equal(row.plane_count, 3);
            assert_int_equal(row.narrow, decoder->header.narrow);
            assert_int_equal(row.siting, decoder->header.siting);
            for (int i = 0; i < 3; i++) {
                const px_plane *plane = &row.planes[i];
                assert_int_equal(plane->width, sizes[i].width);
                assert_int_equal(ret->width[i], sizes[i].width);
                assert_true(done[i] + plane->height <= sizes[i].height);
                for (int y = 0; y < plane->height; y++)
                    memcpy(ret->samples[i] + (size_t)done[i]++ * (size_t)plane->width, plane->samples + (size_t)y * plane->stride, (size_t)plane->width);
            }
        }
        if (status != PX_OK)
            planes_done(ret);
    }
    px_decoder_close(&decoder);
    px_source_close(&source);
    return status;
}

/* Encodes planes as px_format_takes_planes wants them; the caller frees the bytes. */
static inline uint8_t *encode_planes(px_encoder_spec spec, const planes *p, size_t *ret_count)
{
    px_encoder_spec with;
    int fd = empty_fd(), step = p->down;
    px_encoder *encoder = NULL;
    assert_true(px_format_takes_planes(&spec, &with));
    assert_int_equal(with.chroma, step == 2 ? PX_CHROMA_HALVED : PX_CHROMA_WHOLE);
    assert_int_equal(with.narrow, p->narrow);
    assert_true(px_encoder_memory(&with) <= px_encoder_memory(&spec));
    assert_int_equal(px_encoder_open(&with, fd, &encoder, NULL), PX_OK);
    for (int y = 0; y < spec.height; y += step) {
        px_row row = { .plane_count = 3, .depth = 8, .model = PX_YCC, .narrow = p->narrow, .siting = p->siting };
        for (int i = 0; i < 3; i++) {
            int line = i ? y / step : y, lines = i == 0 && y + 1 < spec.height ? step : 1;
            row.planes[i] = (px_plane){ p->samples[i] + line * p->width[i], p->width[i], lines, (size_t)p->width[i], 1 };
        }
        assert_int_equal(encoder->push(encoder, &row, NULL), PX_OK);
    }
    return finish_encoding(encoder, fd, ret_count);
}

/* The greatest difference between two pictures. */
static inline int furthest(const uint8_t *a, const uint8_t *b, size_t count)
{
    int most = 0;
    for (size_t i = 0; i < count; i++)
        most = abs(a[i] - b[i]) > most ? abs(a[i] - b[i]) : most;
    return most;
}

#endif
