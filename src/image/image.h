/* image.h - the engine's door: one picture in, N pictures out, one decode.
 *
 * decoder → resampler → colour → orientation → encoder, row by row. What an output needs is plain data, so that
 * it crosses to the child process as it is. Everything is decided ("planned") from the header, limits included,
 * before the first pixel: dimensions, scale, which outputs stream and which are held, and the memory of it all. */
#ifndef PX_IMAGE_IMAGE_H
#define PX_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/source.h"
#include "base/status.h"
#include "codec/codec.h"
#include "image/mark.h"

typedef enum px_fit { PX_FIT_INSIDE, PX_FIT_COVER, PX_FIT_CONTAIN, PX_FIT_FILL, PX_FIT_OUTSIDE, PX_FIT_COUNT } px_fit;
typedef enum px_colour_mode { PX_COLOUR_SRGB, PX_COLOUR_KEEP, PX_COLOUR_MODE_COUNT } px_colour_mode;

/* One output as the engine sees it: everything that changes its pixels or bytes, nothing else. */
typedef struct px_output_spec {
    px_format format;      /* PX_FORMAT_KEEP: the source's own */
    int width, height;     /* pixels of the upright picture; 0: follows from the other. Both 0: the source's size */
    px_fit fit;            /* what to do when both are given */
    bool enlarge;          /* otherwise never above the source's size */
    int quality;           /* 1 to 100 */
    px_effort effort;
    bool lossless;         /* where the format has both ways */
    uint8_t background[3]; /* sRGB, where alpha is lost, and for contain */
    bool rotate;           /* apply the EXIF orientation */
    px_colour_mode colour; /* convert to sRGB, or keep the source's colours and embed its profile */
    bool animated;         /* keep every frame where the format can; otherwise the first */
    px_strip strip;        /* what metadata the output has */
    px_mark_spec mark;     /* laid over the finished picture */
} px_output_spec;

#define PX_OUTPUT_SPEC_DEFAULT ((px_output_spec){                                                \
    .format = PX_FORMAT_JPEG, .width = 800, .fit = PX_FIT_INSIDE, .quality = 80, .effort = PX_EFFORT_NORMAL, \
    .background = { 255, 255, 255 }, .rotate = true, .animated = true, .mark = PX_MARK_SPEC_DEFAULT })

typedef struct px_output_report {
    px_format format;
    int width, height; /* pixels */
    uint64_t bytes;
    int quality;
    int frames;        /* 1 for a still */
    bool passed_through; /* the source's own bytes, cleaned losslessly (DESIGN.md section 3, promise 7) */
} px_output_report;

typedef struct px_transform_report {
    px_format format;       /* of the source */
    int width, height;      /* of the source, as people see it: after orientation */
    int orientation;        /* EXIF, 1 to 8 */
    bool alpha;             /* the source has transparency */
    int frames;             /* of the source; 1 for a still */
    bool truncated;         /* the source ended early; what it has came out (limits.truncated) */
    int output_count;
    px_output_report outputs[PX_LIMIT_OUTPUTS];
    int64_t cpu_us;         /* of the transform */
    uint64_t memory_bytes;  /* planned for rows and held pictures */
} px_transform_report;

/* Transforms `source` into `count` outputs, one file descriptor each (borrowed, at their start, empty).
 * On failure what was written to them is to be thrown away. Blocks while the source grows.
 * PX_UNSUPPORTED_FORMAT, _CORRUPT_IMAGE, _TRUNCATED_IMAGE, _TOO_MANY_*, _OUT_OF_MEMORY, _DISK_FULL, _NETWORK. */
PX_CHECKED px_status px_transform(const px_source *source, const px_limits *limits, const px_output_spec *specs,
                                  const int *output_fds, int count, px_transform_report *ret, px_error *err);

/* Loads what a transform of `source` (NULL: any) into such outputs will use, for a process that will not be able to open files later. Reads
 * no more than the first bytes. What cannot be loaded is told by the transform. */
void px_transform_prepare(const px_source *source, const px_output_spec *specs, int count);

/* The upright size that `spec` makes of a source of width x height (upright). Pure; also used by `plan`. */
void px_output_size(const px_output_spec *spec, int width, int height, int *ret_width, int *ret_height);

px_colour_mode px_colour_mode_find(const char *name); /* "srgb", "keep"; PX_COLOUR_MODE_COUNT if there is none */
const char *px_colour_mode_name(px_colour_mode mode);
px_fit px_fit_find(const char *name); /* PX_FIT_COUNT if there is none */
const char *px_fit_name(px_fit fit);

#endif
