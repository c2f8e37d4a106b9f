/* decoder.h - any bytes through one decoder, every frame of it, its rows read to the last sample. The limits are small, so that what
 * is slow is a finding. */
#ifndef PX_TESTS_FUZZ_DECODER_H
#define PX_TESTS_FUZZ_DECODER_H

#include "codec/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

typedef px_status fuzz_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err);

static inline px_status fuzz_rows(px_decoder *decoder, int width, int height)
{
    const px_header *h = &decoder->header;
    unsigned sum = 0;
    int ms;
    for (int f = 0; f < h->frames && f < 20; f++) {
        if (decoder->next)
            PX_TRY(decoder->next(decoder, &ms, NULL));
        for (int y = 0; y < height; y++) {
            px_row row;
            PX_TRY(decoder->pull(decoder, &row, NULL));
            for (int i = 0; i < width * px_channels(h->model, h->alpha); i++)
                sum += row.planes[0].samples[i];
        }
    }
    for (size_t i = 0; i < h->profile.count; i++)
        sum += h->profile.data[i];
    return sum == 1 ? PX_CORRUPT_IMAGE : PX_OK; /* all samples count */
}

static inline int fuzz_decoder(px_format format, fuzz_open *open, const uint8_t *data, size_t count)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.pixels = 1 << 20;
    limits.side = 4096;
    px_source source;
    px_decoder *decoder = NULL;
    int width, height;
    if (px_format_load(format, NULL) != PX_OK || px_source_create(&source, NULL) != PX_OK)
        return 0;
    if (count == 0 || px_source_push(&source, data, count, NULL) == PX_OK) {
        px_source_finish(&source);
        px_status status = open(&source, &limits, &decoder, NULL);
        if (status == PX_OK && (decoder->header.width > 4096 || (uint64_t)decoder->header.width * (uint64_t)decoder->header.height > limits.pixels))
            __builtin_trap();
        if (status == PX_OK && decoder->memory(decoder, 8) < (256u << 20) && (status = decoder->start(decoder, 8, &width, &height, NULL)) == PX_OK)
            status = fuzz_rows(decoder, width, height);
        if (status == PX_INTERNAL)
            __builtin_trap();
        px_decoder_close(&decoder);
    }
    px_source_close(&source);
    return 0;
}

#endif
