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
/* How much smaller than the source a decoder may make a picture before the resampler gets it, where it can do that for less: docs/performance.md. */
typedef enum px_resampling { PX_RESAMPLING_FAST, PX_RESAMPLING_BEST, PX_RESAMPLING_COUNT } px_resampling;
/* How much alike `quality: auto` makes an output: docs/quality.md. */
typedef enum px_target { PX_TARGET_FAIR, PX_TARGET_GOOD, PX_TARGET_FINE, PX_TARGET_COUNT } px_target;
typedef enum px_position {
    PX_POSITION_CENTRE, PX_POSITION_TOP, PX_POSITION_BOTTOM, PX_POSITION_LEFT, PX_POSITION_RIGHT, PX_POSITION_TOP_LEFT, PX_POSITION_TOP_RIGHT,
    PX_POSITION_BOTTOM_LEFT, PX_POSITION_BOTTOM_RIGHT,
    PX_POSITION_ATTENTION, /* where the detail is; for PX_FIT_COVER alone, else the centre */
    PX_POSITION_COUNT
} px_position;

/* NONE: the rows stay as stored, and the output says the orientation. The others turn clockwise, after the picture is upright. */
typedef enum px_rotate { PX_ROTATE_NONE, PX_ROTATE_AUTO, PX_ROTATE_90, PX_ROTATE_180, PX_ROTATE_270, PX_ROTATE_COUNT } px_rotate;

/* A part of the upright source: in pixels, or in percent of its sides. Width 0: all of it. */
typedef struct px_crop {
    double x, y, width, height;
    bool percent;
} px_crop;

/* One output as the engine sees it: everything that changes its pixels or bytes, nothing else. */
typedef struct px_output_spec {
    px_format format;      /* PX_FORMAT_KEEP: the source's own; PX_FORMAT_AUTO: what suits the picture */
    px_crop crop;          /* first of all; what of it lies outside the source is left out */
    px_rotate rotate;      /* then */
    int width, height;     /* pixels of the picture as people see it; 0: follows from the other. Both 0: the source's size */
    px_fit fit;            /* what to do when both are given */
    px_position position;  /* of the part that PX_FIT_COVER shows, and of the picture on the canvas of PX_FIT_CONTAIN; as people see it */
    bool enlarge;          /* otherwise never above the source's size */
    int quality;           /* 1 to 100; 0: what reaches the target */
    px_target target;
    uint64_t max_bytes;    /* of the output: the best quality up to `quality` that fits; 0: no bound */
    px_effort effort;
    bool lossless;         /* where the format has both ways */
    bool palette;          /* at most 256 colours, where the format has that as a choice */
    px_resampling resampling;
    int sharpen;           /* 0 to 100 */
    uint8_t background[4]; /* sRGB, where alpha is lost, and for contain; its alpha counts where the format has alpha, else it lies on white */
    px_colour_mode colour; /* convert to sRGB, or keep the source's colours and embed its profile */
    bool animated;         /* keep every frame where the format can; otherwise the first */
    px_strip strip;        /* what metadata the output has */
    px_mark_spec mark;     /* laid over the finished picture */
} px_output_spec;

#define PX_OUTPUT_SPEC_DEFAULT ((px_output_spec){                                                \
    .format = PX_FORMAT_JPEG, .width = 800, .fit = PX_FIT_INSIDE, .quality = 80, .target = PX_TARGET_GOOD, .effort = PX_EFFORT_NORMAL, \
    .background = { 255, 255, 255, 255 }, .rotate = PX_ROTATE_AUTO, .animated = true, .mark = PX_MARK_SPEC_DEFAULT })

enum { PX_REASON_BYTES = 80 };

typedef struct px_output_report {
    px_format format;
    int width, height; /* pixels */
    uint64_t bytes;
    int quality;
    int frames;        /* 1 for a still */
    bool passed_through; /* the source's own bytes, cleaned losslessly (DESIGN.md section 3, promise 7) */
    char reason[PX_REASON_BYTES]; /* why this format and quality, in ASCII; "" where the recipe said them */
} px_output_report;

typedef struct px_transform_report {
    px_format format;       /* of the source */
    int width, height;      /* of the source, as people see it: after orientation */
    int orientation;        /* EXIF, 1 to 8 */
    bool alpha;             /* the source has transparency */
    int frames;             /* of the source; 1 for a still */
    bool truncated;         /* the source ended early; what it has came out (limits.truncated) */
    uint8_t thumbhash[25];  /* of the source, upright, in sRGB: its placeholder */
    int thumbhash_bytes;    /* 5 to 25; 0: none was asked for, and no colour either */
    uint8_t colour[3];      /* the dominant one of that, sRGB */
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
 * no more than the first bytes. What cannot be loaded is told by the transform. With a source it may start threads: not for a process that
 * forks. */
void px_transform_prepare(const px_source *source, const px_output_spec *specs, int count);

/* The size, as people see it, that `spec` makes of a source of width x height (upright). Pure; also used by `plan`. */
void px_output_size(const px_output_spec *spec, int width, int height, int *ret_width, int *ret_height);

px_colour_mode px_colour_mode_find(const char *name); /* "srgb", "keep"; PX_COLOUR_MODE_COUNT if there is none */
const char *px_colour_mode_name(px_colour_mode mode);
px_fit px_fit_find(const char *name); /* PX_FIT_COUNT if there is none */
const char *px_fit_name(px_fit fit);

/* The source's placeholder as records spell it: base 64 of the ThumbHash, and #rrggbb; "" for both if none was asked for. */
enum { PX_PLACEHOLDER_TEXT = 40, PX_COLOUR_TEXT = 8 };
void px_placeholder_format(const px_transform_report *report, char placeholder[PX_PLACEHOLDER_TEXT], char colour[PX_COLOUR_TEXT]);
const char *px_position_name(px_position position); /* "top-left" */

#endif
