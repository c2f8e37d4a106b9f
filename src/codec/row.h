/* row.h - pixels on their way through the engine.
 *
 * One struct for all of them: grey, RGB(A) and CMYK, interleaved in one plane; Y, Cb, Cr (BT.601) in a plane each, with 8 bits,
 * which may come several lines at a time and not all at once. A row borrows its samples from whoever made it. */
#ifndef PX_CODEC_ROW_H
#define PX_CODEC_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum px_model { PX_GREY, PX_RGB, PX_YCC, PX_CMYK } px_model;
typedef enum px_alpha { PX_OPAQUE, PX_STRAIGHT, PX_PREMULTIPLIED } px_alpha;

/* Whether chroma samples lie between luma samples (JPEG) or on the left one of them. Only for YCC planes. */
typedef enum px_siting { PX_CENTRED, PX_COSITED } px_siting;

/* How many samples Cb and Cr have: as many as Y (4:4:4), or half as many across and down (4:2:0). */
typedef enum px_chroma { PX_CHROMA_WHOLE, PX_CHROMA_HALVED } px_chroma;

enum { PX_ROW_PLANES = 4 };

typedef struct px_plane {
    uint8_t *samples;  /* borrowed */
    int width, height; /* samples; height is how many lines of this plane the row holds: 1, but of YCC any number, 0 too */
    size_t stride;     /* bytes from line to line */
    int channels;      /* interleaved in this plane, alpha included */
} px_plane;

typedef struct px_row {
    px_plane planes[PX_ROW_PLANES];
    int plane_count;
    int depth; /* bits of a sample: 8, or 16 in the machine's order */
    px_model model;
    px_alpha alpha;
    px_siting siting;
    bool narrow; /* of YCC: Y from 16 to 235, Cb and Cr from 16 to 240 (WebP, video) instead of 0 to 255 */
} px_row;

/* Channels of an interleaved pixel. */
static inline int px_channels(px_model model, px_alpha alpha)
{
    int colours = model == PX_GREY ? 1 : model == PX_CMYK ? 4 : 3;
    return colours + (alpha != PX_OPAQUE);
}

/* Grey of a row of RGB or RGBA (3 or 4 channels, of one or two bytes) that has no colours: its red, and its alpha. */
static inline void px_grey_of(const uint8_t *row, int width, int channels, bool deep, uint8_t *target)
{
    size_t bytes = deep ? 2 : 1, pixel = (size_t)channels * bytes;
    for (int x = 0; x < width; x++, row += pixel) {
        memcpy(target, row, bytes);
        target += bytes;
        if (channels == 4) {
            memcpy(target, row + 3 * bytes, bytes);
            target += bytes;
        }
    }
}

/* What is missing of a source that ends early and is accepted: grey, or nothing where there is alpha. */
static inline void px_fill_missing(uint8_t *samples, size_t bytes, px_alpha alpha) { memset(samples, alpha == PX_OPAQUE ? 128 : 0, bytes); }

/* One line of interleaved 8-bit samples. */
static inline px_row px_row_of(uint8_t *samples, int width, px_model model, px_alpha alpha)
{
    int channels = px_channels(model, alpha);
    return (px_row){ .planes = { { samples, width, 1, (size_t)width * (size_t)channels, channels } },
                     .plane_count = 1, .depth = 8, .model = model, .alpha = alpha };
}

/* Or of 16 bits each. */
static inline px_row px_row_of_depth(uint8_t *samples, int width, px_model model, px_alpha alpha, bool deep)
{
    px_row row = px_row_of(samples, width, model, alpha);
    row.depth = deep ? 16 : 8;
    row.planes[0].stride *= deep ? 2 : 1;
    return row;
}

#endif
