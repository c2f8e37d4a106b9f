/* AVIF as planes: what the decoder gives is the RGB that it gives otherwise, before it was made, and only where row.h can say it; what the
 * encoder takes it stores as it is, so that the same planes are the same bytes as RGB that libavif turned into them. */
#include "avif_made.h"
#include "in_planes.h"

/* What the next file is to say; `settle` gives it to made_by_library. */
static avifRange range;
static int matrix, position, clap_x;

static void settle(avifImage *image)
{
    image->yuvRange = range;
    image->matrixCoefficients = (avifMatrixCoefficients)matrix;
    image->yuvChromaSamplePosition = (avifChromaSamplePosition)position;
    if (!clap_x)
        return;
    image->transformFlags |= AVIF_TRANSFORM_CLAP; /* its corner lies at clap_x, 4 */
    image->clap = (avifCleanApertureBox){ .widthN = 21, .widthD = 1, .heightN = 19, .heightD = 1, .horizOffN = (uint32_t)(2 * clap_x - 43), .horizOffD = 2,
                                          .vertOffN = (uint32_t)(2 * 4 - 29), .vertOffD = 2 };
}

static uint8_t *made(uint32_t depth, avifPixelFormat format, size_t *ret_count) { return made_by_library(depth, format, settle, ret_count); }

static void plain(void)
{
    range = AVIF_RANGE_FULL;
    matrix = AVIF_MATRIX_COEFFICIENTS_BT601;
    position = clap_x = 0;
}

static px_header header_of(const uint8_t *data, size_t count)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(data, count);
    px_decoder *decoder = NULL;
    assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
    px_header header = decoder->header;
    px_decoder_close(&decoder);
    px_source_close(&source);
    return header;
}

/* Both ways from one file. Edges of colour may differ a little more: libavif's own straight line between samples is rounded twice. */
static void assert_alike(const uint8_t *data, size_t count)
{
    px_header h = { 0 };
    planes p;
    uint8_t *back = NULL;
    assert_int_equal(decode_planes(data, count, &h, &p), PX_OK);
    assert_int_equal(decode(data, count, &h, &back), PX_OK);
    uint8_t *rgb = rgb_of(&p);
    assert_in_range(furthest(rgb, back, (size_t)h.width * (size_t)h.height * 3), 0, 3);
    free(rgb);
    free(back);
    planes_done(&p);
}

static void planes_mean_what_rgb_says(void **state)
{
    (void)state;
    static const struct {
        avifPixelFormat format;
        int across, down;
    } rows[] = { { AVIF_PIXEL_FORMAT_YUV444, 1, 1 }, { AVIF_PIXEL_FORMAT_YUV422, 2, 1 }, { AVIF_PIXEL_FORMAT_YUV420, 2, 2 } };
    static const int matrices[] = { AVIF_MATRIX_COEFFICIENTS_BT601, AVIF_MATRIX_COEFFICIENTS_BT470BG, AVIF_MATRIX_COEFFICIENTS_UNSPECIFIED };
    plain();
    for (int i = 0; i < 9; i++) {
        matrix = matrices[i % 3];
        range = i == 1 || i == 5 || i == 6 ? AVIF_RANGE_LIMITED : AVIF_RANGE_FULL;
        size_t count;
        uint8_t *data = made(8, rows[i / 3].format, &count);
        px_header h = header_of(data, count);
        assert_int_equal(h.chroma_across, rows[i / 3].across);
        assert_int_equal(h.chroma_down, rows[i / 3].down);
        assert_int_equal(h.narrow, range == AVIF_RANGE_LIMITED);
        assert_int_equal(h.siting, PX_CENTRED);
        assert_alike(data, count);
        free(data);
    }
}

static void a_clean_aperture_is_cut_out_of_planes(void **state)
{
    (void)state;
    plain();
    clap_x = 6;
    size_t count;
    uint8_t *data = made(8, AVIF_PIXEL_FORMAT_YUV444, &count);
    assert_int_equal(header_of(data, count).width, 21);
    assert_alike(data, count);
    free(data);
    clap_x = 5; /* between two samples of chroma */
    data = made(8, AVIF_PIXEL_FORMAT_YUV420, &count);
    assert_int_equal(header_of(data, count).width, 21);
    assert_false(header_of(data, count).planes);
    free(data);
    clap_x = 6;
    data = made(8, AVIF_PIXEL_FORMAT_YUV420, &count);
    px_header h = { 0 };
    planes whole, part;
    assert_int_equal(decode_planes(data, count, &h, &part), PX_OK);
    free(data);
    clap_x = 0;
    data = made(8, AVIF_PIXEL_FORMAT_YUV420, &count);
    assert_int_equal(decode_planes(data, count, &h, &whole), PX_OK);
    for (int i = 0; i < 3; i++)
        for (int y = 0; y < part.height[i]; y++)
            assert_memory_equal(part.samples[i] + y * part.width[i], whole.samples[i] + (y + (i ? 2 : 4)) * whole.width[i] + (i ? 3 : 6), (size_t)part.width[i]);
    planes_done(&whole);
    planes_done(&part);
    free(data);
}

static void where_chroma_lies_is_heard(void **state)
{
    (void)state;
    size_t count;
    plain();
    position = AVIF_CHROMA_SAMPLE_POSITION_VERTICAL;
    uint8_t *data = made(8, AVIF_PIXEL_FORMAT_YUV420, &count);
    assert_true(header_of(data, count).planes);
    assert_int_equal(header_of(data, count).siting, PX_COSITED);
    free(data);
    position = AVIF_CHROMA_SAMPLE_POSITION_COLOCATED;
    data = made(8, AVIF_PIXEL_FORMAT_YUV420, &count);
    assert_false(header_of(data, count).planes);
    free(data);
}

static void what_row_h_cannot_say_is_not_given_as_planes(void **state)
{
    (void)state;
    size_t count;
    uint8_t *data, *pixels = picture(64, 48, 4);
    plain();
    data = made(10, AVIF_PIXEL_FORMAT_YUV420, &count);
    assert_false(header_of(data, count).planes);
    free(data);
    matrix = AVIF_MATRIX_COEFFICIENTS_BT709;
    data = made(8, AVIF_PIXEL_FORMAT_YUV420, &count);
    assert_false(header_of(data, count).planes);
    free(data);
    for (int kind = 0; kind < 3; kind++) { /* RGB itself, alpha, grey */
        px_encoder_spec spec = { .format = PX_FORMAT_AVIF, .width = 64, .height = 48, .model = kind == 2 ? PX_GREY : PX_RGB, .alpha = kind == 1 ? PX_STRAIGHT : PX_OPAQUE,
                                 .quality = 90, .lossless = kind == 0 }, with;
        data = encode(spec, pixels, &count);
        assert_false(header_of(data, count).planes);
        assert_false(px_format_takes_planes(&spec, &with));
        free(data);
    }
    free(pixels);
}

static void the_same_planes_are_the_same_bytes(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 64, 48 }, { 37, 23 }, { 1, 1 }, { 33, 2 } };
    assert_int_equal(px_format_load(PX_FORMAT_AVIF, NULL), PX_OK);
    for (int i = 0; i < 4; i++) {
        px_encoder_spec spec = { .format = PX_FORMAT_AVIF, .width = sizes[i][0], .height = sizes[i][1], .model = PX_RGB, .quality = 80, .orientation = 1 + i };
        uint8_t *pixels = picture(spec.width, spec.height, 3);
        avifImage *image = px_avif.ImageCreate((uint32_t)spec.width, (uint32_t)spec.height, 8, AVIF_PIXEL_FORMAT_YUV420);
        image->yuvRange = AVIF_RANGE_FULL;
        image->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_BT601;
        avifRGBImage rgb;
        px_avif.RGBImageSetDefaults(&rgb, image);
        rgb.depth = 8;
        rgb.format = AVIF_RGB_FORMAT_RGB;
        rgb.pixels = pixels;
        rgb.rowBytes = (uint32_t)spec.width * 3;
        assert_int_equal(px_avif.ImageRGBToYUV(image, &rgb), AVIF_RESULT_OK);
        planes p = planes_create(spec.width, spec.height, 2, 2, false);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < p.height[c]; y++)
                memcpy(p.samples[c] + y * p.width[c], image->yuvPlanes[c] + (size_t)y * image->yuvRowBytes[c], (size_t)p.width[c]);
        size_t count, planes_count;
        uint8_t *from_rgb = encode(spec, pixels, &count), *from_planes = encode_planes(spec, &p, &planes_count);
        assert_int_equal(count, planes_count);
        assert_memory_equal(from_rgb, from_planes, count);
        px_avif.ImageDestroy(image);
        planes_done(&p);
        free(from_rgb);
        free(from_planes);
        free(pixels);
    }
}

static void planes_come_back_and_lie_where_they_lay(void **state)
{
    (void)state;
    for (int siting = PX_CENTRED; siting <= PX_COSITED; siting++) {
        px_encoder_spec spec = { .format = PX_FORMAT_AVIF, .width = 131, .height = 33, .model = PX_RGB, .quality = 98 };
        uint8_t *pixels = picture(spec.width, spec.height, 3);
        planes p = planes_of(pixels, spec.width, spec.height, false), back;
        p.siting = (px_siting)siting;
        size_t count;
        px_header h = { 0 };
        uint8_t *data = encode_planes(spec, &p, &count);
        assert_int_equal(decode_planes(data, count, &h, &back), PX_OK);
        assert_int_equal(h.siting, siting);
        assert_false(h.narrow);
        for (int c = 0; c < 3; c++)
            assert_true(psnr(p.samples[c], back.samples[c], (size_t)p.width[c] * (size_t)p.height[c]) > 44);
        planes_done(&back);
        planes_done(&p);
        free(data);
        free(pixels);
    }
}

/* A header that says another sampling or range than the picture has: whatever comes, planes are never shorter than they were said to be. */
static void a_lying_header_is_refused(void **state)
{
    (void)state;
    plain();
    size_t count;
    px_header h = { 0 };
    planes p;
    uint8_t *data = made(8, AVIF_PIXEL_FORMAT_YUV420, &count), *av1c = memmem(data, count, "av1C", 4);
    av1c[6] ^= 0x0c; /* 4:4:4, it says */
    px_status status = decode_planes(data, count, &h, &p);
    assert_true(status == PX_CORRUPT_IMAGE);
    av1c[6] ^= 0x0c;
    size_t boxes = (size_t)((uint8_t *)memmem(data, count, "mdat", 4) - data);
    for (size_t n = 0; n < boxes; n++) {
        uint8_t was = data[n];
        data[n] ^= 0x21;
        px_limits limits = PX_LIMITS_DEFAULT;
        px_source source = source_of(data, count);
        px_decoder *decoder = NULL;
        bool given = px_decoder_open(&source, &limits, &decoder, NULL) == PX_OK && decoder->header.planes && decoder->header.width < 500 && decoder->header.height < 500;
        px_decoder_close(&decoder);
        px_source_close(&source);
        if (given && decode_planes(data, count, &h, &p) == PX_OK)
            planes_done(&p);
        data[n] = was;
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_mean_what_rgb_says),
        cmocka_unit_test(a_clean_aperture_is_cut_out_of_planes),
        cmocka_unit_test(where_chroma_lies_is_heard),
        cmocka_unit_test(what_row_h_cannot_say_is_not_given_as_planes),
        cmocka_unit_test(the_same_planes_are_the_same_bytes),
        cmocka_unit_test(planes_come_back_and_lie_where_they_lay),
        cmocka_unit_test(a_lying_header_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
