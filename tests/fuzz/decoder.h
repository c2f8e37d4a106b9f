/* decoder.h - any bytes through one format's decoder alone: opened, judged, every row of every frame. The limits are small, so that what
 * is slow is a finding. Each row's bytes are read: memory that nobody filled is one too (under MSan). */
#ifndef PX_TESTS_FUZZ_DECODER_H
#define PX_TESTS_FUZZ_DECODER_H

#include "codec/codec.h"

static inline px_limits small_limits(void)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.pixels = 1 << 18;
    limits.frames = 20;
    limits.scans = 20;
    limits.metadata_bytes = 1 << 18;
    return limits;
}

static inline px_status pull_frames(px_decoder *decoder, int height)
{
    static volatile unsigned sum;
    const px_header *header = &decoder->header;
    int frames = header->frames < 20 ? header->frames : 20, milliseconds;
    for (int f = 0; f < frames; f++) {
        if (decoder->next)
            PX_TRY(decoder->next(decoder, &milliseconds, NULL));
        for (int y = 0; y < height; y++) {
            px_row row;
            PX_TRY(decoder->pull(decoder, &row, NULL));
            for (size_t i = 0; i < row.planes[0].stride; i++)
                sum += row.planes[0].samples[i];
        }
        if (!decoder->next)
            break;
    }
    return PX_OK;
}

/* Is it such a picture, then decodes it; the CMYK of every second one as inks. */
static inline void decode_any(const uint8_t *data, size_t count, px_format format)
{
    if (px_format_detect((px_bytes){ data, count < PX_FORMAT_FIRST_BYTES ? count : PX_FORMAT_FIRST_BYTES }) != format)
        return;
    px_limits limits = small_limits();
    px_source source;
    if (px_source_create(&source, NULL) != PX_OK)
        return;
    px_decoder *decoder = NULL;
    int width, height;
    px_status status = px_source_push(&source, data, count, NULL);
    px_source_finish(&source);
    if (status == PX_OK && px_decoder_open(&source, &limits, &decoder, NULL) == PX_OK && decoder->memory(decoder, 8) < 64 << 20) {
        decoder->wants_inks = decoder->header.inks && count % 2;
        status = decoder->start(decoder, 8, &width, &height, NULL);
        if (status == PX_OK)
            status = pull_frames(decoder, height);
        if (status == PX_INTERNAL)
            __builtin_trap();
    }
    px_decoder_close(&decoder);
    px_source_close(&source);
}

#endif
