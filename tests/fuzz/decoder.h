/* decoder.h - any bytes through one format's decoder alone: opened, judged, every row of every frame. The limits are small, so that what
 * is slow is a finding. Each row's bytes are read: memory that nobody filled is one too (under MSan). */
#ifndef PX_TESTS_FUZZ_DECODER_H
#define PX_TESTS_FUZZ_DECODER_H

#include <sys/mman.h>
#include <unistd.h>

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

/* Every line of every plane, however they come. */
static inline px_status pull_planes(px_decoder *decoder)
{
    static volatile unsigned sum;
    px_plane_size sizes[3];
    int left = 0;
    px_plane_sizes(&decoder->header, 8, decoder->wants_chroma, sizes);
    for (int p = 0; p < 3; p++)
        left += sizes[p].height;
    while (left > 0) {
        px_row row;
        PX_TRY(decoder->pull(decoder, &row, NULL));
        for (int p = 0; p < 3; p++) {
            const px_plane *plane = &row.planes[p];
            left -= plane->height;
            for (int y = 0; y < plane->height; y++)
                for (int x = 0; x < sizes[p].width; x++)
                    sum += plane->samples[(size_t)y * plane->stride + (size_t)x];
        }
    }
    return PX_OK;
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

/* Once more without what it tells, or with all of it: that works, if the decoder did not say otherwise. */
static inline void clean_decoded(const px_decoder *decoder, const px_source *source, px_strip strip)
{
    const px_header *header = &decoder->header;
    px_encoder_spec spec = { .format = header->format, .width = header->width, .height = header->height, .orientation = header->orientation };
    px_metadata metadata = { 0 };
    uint64_t bytes;
    int fd = memfd_create("clean", MFD_CLOEXEC);
    px_status status = px_metadata_choose(header, strip, &spec, &metadata, NULL);
    if (fd >= 0 && status == PX_OK)
        status = px_format_clean(&spec, source, fd, &bytes, NULL);
    if (status == PX_INTERNAL || (status == PX_OK && (uint64_t)lseek(fd, 0, SEEK_END) != bytes))
        __builtin_trap();
    if (status == PX_CORRUPT_IMAGE && (header->format == PX_FORMAT_AVIF || header->format == PX_FORMAT_TIFF || header->format == PX_FORMAT_JXL))
        __builtin_trap();
    px_metadata_done(&metadata);
    close(fd);
}

/* Is it such a picture, then decodes it; the CMYK of every second one as inks, the planes of every second one as such. */
static inline void decode_any(const uint8_t *data, size_t count, px_format format)
{
    if (px_format_detect((px_bytes){ data, count < PX_FORMAT_FIRST_BYTES ? count : PX_FORMAT_FIRST_BYTES }) != format)
        return;
    px_limits limits = small_limits();
    limits.truncated = count / 2 % 2;
    px_source source;
    if (px_source_create(&source, NULL) != PX_OK)
        return;
    px_decoder *decoder = NULL;
    int width, height;
    px_status status = px_source_push(&source, data, count, NULL);
    px_source_finish(&source);
    if (status == PX_OK && px_decoder_open(&source, &limits, &decoder, NULL) == PX_OK && decoder->memory(decoder, 8) < 64 << 20) {
        decoder->wants_inks = decoder->header.inks && count % 2;
        decoder->wants_planes = decoder->header.planes && count % 2;
        decoder->wants_chroma = count % 4 == 1 ? PX_CHROMA_HALVED : PX_CHROMA_WHOLE;
        decoder->wants_deep = decoder->header.deep && count % 2;
        status = decoder->start(decoder, 8, &width, &height, NULL);
        if (status == PX_OK)
            status = decoder->wants_planes ? pull_planes(decoder) : pull_frames(decoder, height);
        if (status == PX_INTERNAL)
            __builtin_trap();
        if (status == PX_OK && px_format_is_cleaned(format) && !decoder->header.uncleanable && !decoder->header.truncated)
            clean_decoded(decoder, &source, (px_strip)(count % PX_STRIP_COUNT));
    }
    px_decoder_close(&decoder);
    px_source_close(&source);
}

#endif
