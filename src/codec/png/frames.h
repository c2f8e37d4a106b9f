/* frames.h - what APNG says of its frames (PNG specification, third edition, 11.3.6), before and while they are decoded. Private to
 * src/codec/png. */
#ifndef PX_CODEC_PNG_FRAMES_H
#define PX_CODEC_PNG_FRAMES_H

#include "codec/canvas.h"
#include "codec/codec.h"

enum { PX_PNG_CONTROL_BYTES = 26 };

typedef struct px_png_frame {
    uint32_t sequence;      /* number of its fcTL */
    px_rectangle place;     /* within the picture */
    int milliseconds;       /* that it is shown */
    px_disposal disposal;
    bool over;              /* laid over what is there, by its alpha; otherwise in its place */
} px_png_frame;

typedef struct px_png_animation_facts {
    int frames, loops;      /* as in px_header */
    bool still_is_first;    /* the picture that readers without animation show is the first frame */
    bool holes;             /* something may show through even if no pixel is transparent */
    bool restores;          /* a frame is PX_DISPOSE_RESTORE */
    bool cut;               /* the file ends before the last frame's control, which is accepted */
} px_png_animation_facts;

/* Reads an fcTL of a picture of the header's size. The first frame has nothing to restore. */
PX_CHECKED px_status px_png_frame_parse(const uint8_t control[PX_PNG_CONTROL_BYTES], const px_header *header, bool is_first,
                                        px_png_frame *ret, px_error *err);

/* Walks over all chunks up to the last frame's control, without decoding; waits until the source is whole. For a file with acTL. */
PX_CHECKED px_status px_png_frames_walk(const px_source *source, const px_limits *limits, const px_header *header,
                                        px_png_animation_facts *ret, px_error *err);

/* Draws row `y` of a frame; it has the model and alpha that are said. */
void px_png_frame_draw(const px_canvas *canvas, const px_png_frame *frame, int y, const uint8_t *row, px_model model, px_alpha alpha);

#endif
