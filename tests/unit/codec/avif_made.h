/* avif_made.h - files of AVIF that libavif is made to write in tests, with what ours never have. */
#ifndef PX_TESTS_CODEC_AVIF_MADE_H
#define PX_TESTS_CODEC_AVIF_MADE_H

#include "picture.h"

#include <string.h>

#include "codec/avif/library.h"

/* Has libavif write what `change` makes of a grey-blue picture of 64x48. */
static inline uint8_t *made_by_library(uint32_t depth, avifPixelFormat format, void (*change)(avifImage *image), size_t *ret_count)
{
    assert_int_equal(px_format_load(PX_FORMAT_AVIF, NULL), PX_OK);
    avifImage *image = px_avif.ImageCreate(64, 48, depth, format);
    uint8_t *pixels = picture(64, 48, 3);
    avifRGBImage rgb;
    px_avif.RGBImageSetDefaults(&rgb, image);
    rgb.depth = 8;
    rgb.format = AVIF_RGB_FORMAT_RGB;
    rgb.pixels = pixels;
    rgb.rowBytes = 64 * 3;
    image->yuvRange = AVIF_RANGE_FULL;
    image->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_BT601;
    if (change)
        change(image);
    assert_int_equal(px_avif.ImageRGBToYUV(image, &rgb), AVIF_RESULT_OK);
    avifEncoder *encoder = px_avif.EncoderCreate();
    encoder->speed = 9;
    encoder->minQuantizer = encoder->maxQuantizer = 4;
    avifRWData file = { NULL, 0 };
    assert_int_equal(px_avif.EncoderAddImage(encoder, image, 1, AVIF_ADD_IMAGE_FLAG_SINGLE), AVIF_RESULT_OK);
    assert_int_equal(px_avif.EncoderFinish(encoder, &file), AVIF_RESULT_OK);
    uint8_t *copy = malloc(file.size);
    assert_non_null(copy);
    memcpy(copy, file.data, file.size);
    *ret_count = file.size;
    px_avif.RWDataFree(&file);
    px_avif.EncoderDestroy(encoder);
    px_avif.ImageDestroy(image);
    free(pixels);
    return copy;
}

#endif
