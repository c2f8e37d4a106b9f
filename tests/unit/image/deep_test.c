/* Pictures of more than 8 bits in wide colours: what is smooth in AVIF, JPEG XL and TIFF stays smooth in sRGB. A gradient is written by the
 * libraries themselves, and no step of what comes out may leave a level out; of 8 bits, which is the twin, some have to. */
#include "picture.h"

#include "codec/avif/library.h"
#include "codec/jxl/library.h"
#include "codec/nclx.h"
#include "image/image.h"

enum { WIDTH = 2048, HEIGHT = 4 };

/* As seen by the eye: in Display P3, near its edge in the dark. */
static void gradient(uint16_t *row, bool alpha, bool last)
{
    for (int x = 0; x < WIDTH; x++) {
        double t = x / (WIDTH - 1.0), colours[3] = { 0.1 + 0.6 * t, 0.2 + 0.5 * t, 0.1 + 0.6 * t };
        for (int c = 0; c < 3; c++)
            *row++ = (uint16_t)(colours[c] * 65535 + 0.5);
        if (alpha)
            *row++ = last ? 30000 : 65535; /* or it would not be written */
    }
}

static uint16_t *picture_of(bool alpha)
{
    uint16_t *samples = malloc(sizeof *samples * WIDTH * HEIGHT * 4);
    assert_non_null(samples);
    for (int y = 0; y < HEIGHT; y++)
        gradient(samples + (size_t)y * WIDTH * (alpha ? 4 : 3), alpha, y == HEIGHT - 1);
    return samples;
}

static px_source avif_of(int depth, bool alpha)
{
    assert_int_equal(px_format_load(PX_FORMAT_AVIF, NULL), PX_OK);
    avifImage *image = px_avif.ImageCreate(WIDTH, HEIGHT, (uint32_t)depth, AVIF_PIXEL_FORMAT_YUV444);
    uint16_t *samples = picture_of(alpha);
    image->yuvRange = AVIF_RANGE_FULL;
    image->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_IDENTITY;
    image->colorPrimaries = 12;
    image->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
    avifRGBImage rgb;
    px_avif.RGBImageSetDefaults(&rgb, image);
    rgb.depth = 16;
    rgb.format = alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
    rgb.pixels = (uint8_t *)samples;
    rgb.rowBytes = (uint32_t)sizeof *samples * WIDTH * (alpha ? 4 : 3);
    assert_int_equal(px_avif.ImageRGBToYUV(image, &rgb), AVIF_RESULT_OK);
    avifEncoder *encoder = px_avif.EncoderCreate();
    encoder->speed = 9;
    encoder->minQuantizer = encoder->maxQuantizer = encoder->minQuantizerAlpha = encoder->maxQuantizerAlpha = 0;
    avifRWData file = { NULL, 0 };
    assert_int_equal(px_avif.EncoderAddImage(encoder, image, 1, AVIF_ADD_IMAGE_FLAG_SINGLE), AVIF_RESULT_OK);
    assert_int_equal(px_avif.EncoderFinish(encoder, &file), AVIF_RESULT_OK);
    px_source source = source_of(file.data, file.size);
    px_avif.RWDataFree(&file);
    px_avif.EncoderDestroy(encoder);
    px_avif.ImageDestroy(image);
    free(samples);
    return source;
}

static px_source jxl_of(int depth, bool alpha)
{
    assert_int_equal(px_format_load(PX_FORMAT_JXL, NULL), PX_OK);
    static uint8_t data[1 << 18];
    JxlEncoder *encoder = px_jxl.EncoderCreate(NULL);
    JxlBasicInfo info;
    JxlColorEncoding colours;
    uint16_t *samples = picture_of(alpha);
    uint8_t *next = data;
    size_t room = sizeof data, count = WIDTH * HEIGHT * (alpha ? 4 : 3);
    px_jxl.EncoderInitBasicInfo(&info);
    info.xsize = WIDTH;
    info.ysize = HEIGHT;
    info.bits_per_sample = (uint32_t)depth;
    info.alpha_bits = alpha ? (uint32_t)depth : 0;
    info.num_extra_channels = alpha;
    info.uses_original_profile = JXL_TRUE;
    assert_int_equal(px_jxl.EncoderSetBasicInfo(encoder, &info), JXL_ENC_SUCCESS);
    px_jxl.ColorEncodingSetToSRGB(&colours, JXL_FALSE);
    colours.primaries = JXL_PRIMARIES_P3;
    assert_int_equal(px_jxl.EncoderSetColorEncoding(encoder, &colours), JXL_ENC_SUCCESS);
    JxlEncoderFrameSettings *settings = px_jxl.EncoderFrameSettingsCreate(encoder, NULL);
    assert_int_equal(px_jxl.EncoderSetFrameLossless(settings, JXL_TRUE), JXL_ENC_SUCCESS);
    JxlPixelFormat format = { .num_channels = alpha ? 4 : 3, .data_type = JXL_TYPE_UINT16, .endianness = JXL_NATIVE_ENDIAN };
    assert_int_equal(px_jxl.EncoderAddImageFrame(settings, &format, samples, count * sizeof *samples), JXL_ENC_SUCCESS);
    px_jxl.EncoderCloseInput(encoder);
    assert_int_equal(px_jxl.EncoderProcessOutput(encoder, &next, &room), JXL_ENC_SUCCESS);
    px_jxl.EncoderDestroy(encoder);
    free(samples);
    return source_of(data, sizeof data - room);
}

/* Not compressed, with the profile of such colours, all in the machine's order; `apart`: in planes. */
static px_source tiff_of(bool alpha, bool apart)
{
    px_bytes profile = px_nclx_profile(12, 13, false);
    unsigned channels = alpha ? 4 : 3, count = 13, at = 8 + 2 + 12 * count + 4, strips = apart ? channels : 1, each = WIDTH * HEIGHT * 2 * channels / strips;
    unsigned pixels = at + 64 + (unsigned)profile.count + (profile.count & 1);
    const uint32_t entries[][4] = {
        { 256, 4, 1, WIDTH }, { 257, 4, 1, HEIGHT }, { 258, 3, channels, at }, { 259, 3, 1, 1 }, { 262, 3, 1, 2 }, { 273, 4, strips, strips > 1 ? at + 16 : pixels },
        { 274, 3, 1, 1 }, { 277, 3, 1, channels }, { 278, 4, 1, HEIGHT }, { 279, 4, strips, strips > 1 ? at + 32 : each }, { 284, 3, 1, apart ? 2 : 1 },
        { alpha ? 338 : 296, 3, 1, alpha ? 2 : 1 }, { 34675, 7, (uint32_t)profile.count, at + 64 },
    };
    uint8_t *data = calloc(pixels + strips * each, 1);
    uint16_t *samples = picture_of(alpha);
    assert_non_null(data);
    const uint32_t head[] = { 0x002a4949, 8 };
    memcpy(data, head, 8);
    memcpy(data + 8, &(uint16_t){ (uint16_t)count }, 2);
    for (unsigned i = 0; i < count; i++) {
        memcpy(data + 10 + 12 * i, &(uint16_t){ (uint16_t)entries[i][0] }, 2);
        memcpy(data + 12 + 12 * i, &(uint16_t){ (uint16_t)entries[i][1] }, 2);
        memcpy(data + 14 + 12 * i, &entries[i][2], 8);
    }
    for (unsigned c = 0; c < channels; c++) {
        memcpy(data + at + 2 * c, &(uint16_t){ 16 }, 2);
        memcpy(data + at + 16 + 4 * c, &(uint32_t){ pixels + c * each }, 4);
        memcpy(data + at + 32 + 4 * c, &(uint32_t){ each }, 4);
    }
    memcpy(data + at + 64, profile.data, profile.count);
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        for (unsigned c = 0; c < channels; c++)
            memcpy(data + pixels + (apart ? c * each + 2 * i : 2 * (i * channels + c)), &samples[i * channels + c], 2);
    px_source source = source_of(data, pixels + strips * each);
    free((void *)(uintptr_t)profile.data);
    free(data);
    free(samples);
    return source;
}

/* The largest step between neighbours in sRGB. */
static int largest_step(px_source source, bool alpha)
{
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    spec.format = PX_FORMAT_PNG;
    spec.width = 0;
    px_limits limits = PX_LIMITS_DEFAULT;
    px_transform_report report;
    px_header header = { 0 };
    int fd = empty_fd(), largest = 0, channels = alpha ? 4 : 3;
    uint8_t *samples = NULL;
    size_t count;
    px_error err = { "" };
    if (px_transform(&source, &limits, &spec, &fd, 1, &report, &err) != PX_OK)
        fail_msg("%s", err.message);
    uint8_t *data = bytes_of(fd, &count);
    assert_int_equal(decode(data, count, &header, &samples), PX_OK);
    assert_int_equal(header.alpha, alpha ? PX_STRAIGHT : PX_OPAQUE);
    for (int i = channels; i < WIDTH * channels; i++)
        if (abs(samples[i] - samples[i - channels]) > largest)
            largest = abs(samples[i] - samples[i - channels]);
    free(samples);
    free(data);
    close(fd);
    px_source_close(&source);
    return largest;
}

static void a_wide_gradient_of_more_than_8_bits_has_no_bands_in_avif(void **state)
{
    (void)state;
    for (int alpha = 0; alpha < 2; alpha++) {
        assert_int_equal(largest_step(avif_of(12, alpha), alpha), 1);
        assert_true(largest_step(avif_of(8, alpha), alpha) > 1);
    }
}

static void a_wide_gradient_of_more_than_8_bits_has_no_bands_in_jpeg_xl(void **state)
{
    (void)state;
    for (int alpha = 0; alpha < 2; alpha++) {
        assert_int_equal(largest_step(jxl_of(16, alpha), alpha), 1);
        assert_int_equal(largest_step(jxl_of(12, alpha), alpha), 1);
        assert_true(largest_step(jxl_of(8, alpha), alpha) > 1);
    }
}

static void a_wide_gradient_of_16_bits_has_no_bands_in_tiff(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(largest_step(tiff_of(i % 2, i / 2), i % 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wide_gradient_of_more_than_8_bits_has_no_bands_in_avif),
        cmocka_unit_test(a_wide_gradient_of_more_than_8_bits_has_no_bands_in_jpeg_xl),
        cmocka_unit_test(a_wide_gradient_of_16_bits_has_no_bands_in_tiff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
