/* write.h - what PNG's encoders of stills (encode.c) and of animations (animate.c) share. Private to src/codec/png. */
#ifndef PX_CODEC_PNG_WRITE_H
#define PX_CODEC_PNG_WRITE_H

#include "codec/codec.h"
#include "codec/png/colour_type.h"

struct libdeflate_compressor;

typedef struct px_png_out {
    int fd;                                /* borrowed */
    uint64_t written;                      /* bytes */
    struct libdeflate_compressor *deflate; /* owned by the encoder */
} px_png_out;

PX_CHECKED px_status px_png_chunk(px_png_out *out, const char *type, const uint8_t *data, size_t count, px_error *err);

/* The signature and all that stands before PLTE and acTL. `depth` and `colour_type` as in 11.2.1. */
PX_CHECKED px_status px_png_start(px_png_out *out, const px_encoder_spec *spec, int depth, int colour_type, px_error *err);
int px_png_colour_type(const px_encoder_spec *spec);
struct libdeflate_compressor *px_png_deflate(px_effort effort);

/* Animations: px_png_encoder_open for more than one frame. */
PX_CHECKED px_status px_png_animation_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err);
uint64_t px_png_animation_memory(const px_encoder_spec *spec);

#endif
