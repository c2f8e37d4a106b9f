/* WebP as planes: what the decoder gives is the RGB that it gives otherwise, before it was made; what the encoder takes it stores as it
 * is, so that the same planes are the same bytes as RGB that libwebp turned into them. Odd sizes, since planes end within pixels. */
#include "in_planes.h"

#include <webp/encode.h>

static const struct {
    int width, height;
} sizes[] = { { 64, 48 }, { 37, 23 }, { 1, 1 }, { 2, 33 }, { 131, 16 }, { 700, 500 } };

enum { SIZES = sizeof sizes / sizeof *sizes };

static px_encoder_spec spec_of(int i)
{
    return (px_encoder_spec){ .format = PX_FORMAT_WEBP, .width = sizes[i].width, .height = sizes[i].height, .model = PX_RGB, .quality = 85,
                              .effort = PX_EFFORT_NORMAL };
}

static void planes_mean_what_rgb_says(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        px_encoder_spec spec = spec_of(i);
        uint8_t *pixels = picture(spec.width, spec.height, 3), *back = NULL;
        size_t count;
        uint8_t *data = encode(spec, pixels, &count);
        px_header h = { 0 };
        planes p;
        assert_int_equal(decode(data, count, &h, &back), PX_OK);
        assert_int_equal(decode_planes(data, count, &h, &p), PX_OK);
        assert_true(h.narrow);
        assert_int_equal(h.siting, PX_CENTRED);
        assert_int_equal(h.chroma_across, 2);
        assert_int_equal(h.chroma_down, 2);
        uint8_t *made = rgb_of(&p);
        assert_in_range(furthest(made, back, (size_t)spec.width * (size_t)spec.height * 3), 0, 2);
        free(made);
        planes_done(&p);
        free(back);
        free(data);
        free(pixels);
    }
}

/* Without loss nothing is stored as planes, and alpha would go with none. */
static void what_is_not_stored_as_planes_is_not_given_as_such(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        px_encoder_spec spec = spec_of(1), with = { 0 };
        spec.lossless = kind != 1;
        spec.alpha = kind ? PX_STRAIGHT : PX_OPAQUE;
        uint8_t *pixels = picture(spec.width, spec.height, px_channels(spec.model, spec.alpha)), *back = NULL;
        size_t count;
        uint8_t *data = encode(spec, pixels, &count);
        px_header h = { .planes = true };
        assert_int_equal(decode(data, count, &h, &back), PX_OK);
        assert_false(h.planes);
        assert_false(px_format_takes_planes(&spec, &with));
        assert_int_equal(with.width, 0);
        free(back);
        free(data);
        free(pixels);
    }
    px_encoder_spec animation = spec_of(1), with;
    animation.frames = 2;
    assert_false(px_format_takes_planes(&animation, &with));
}

static void the_same_planes_are_the_same_bytes(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        px_encoder_spec spec = spec_of(i);
        spec.orientation = i;
        uint8_t *pixels = picture(spec.width, spec.height, 3);
        WebPPicture made; /* libwebp's own planes of it */
        assert_true(WebPPictureInit(&made));
        made.width = spec.width;
        made.height = spec.height;
        assert_true(WebPPictureImportRGB(&made, pixels, spec.width * 3));
        planes p = planes_create(spec.width, spec.height, 2, 2, true);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < p.height[c]; y++)
                memcpy(p.samples[c] + y * p.width[c], (c == 0 ? made.y : c == 1 ? made.u : made.v) + y * (c ? made.uv_stride : made.y_stride), (size_t)p.width[c]);
        size_t count, planes_count;
        uint8_t *from_rgb = encode(spec, pixels, &count), *from_planes = encode_planes(spec, &p, &planes_count);
        assert_int_equal(count, planes_count);
        assert_memory_equal(from_rgb, from_planes, count);
        WebPPictureFree(&made);
        planes_done(&p);
        free(from_rgb);
        free(from_planes);
        free(pixels);
    }
}

/* Planes in, planes out: at the best quality nothing is off by more than quantising can do. */
static void planes_come_back(void **state)
{
    (void)state;
    px_encoder_spec spec = spec_of(4);
    spec.quality = 100;
    uint8_t *pixels = picture(spec.width, spec.height, 3);
    planes p = planes_of(pixels, spec.width, spec.height, true), back;
    size_t count;
    px_header h = { 0 };
    uint8_t *data = encode_planes(spec, &p, &count);
    assert_int_equal(decode_planes(data, count, &h, &back), PX_OK);
    for (int c = 0; c < 3; c++)
        assert_true(psnr(p.samples[c], back.samples[c], (size_t)p.width[c] * (size_t)p.height[c]) > 44);
    planes_done(&back);
    planes_done(&p);
    free(data);
    free(pixels);
}

/* Pages of `bytes` that are in memory. */
static size_t resident(const uint8_t *bytes, size_t count)
{
    static unsigned char pages[1 << 16];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)bytes & ~(page - 1);
    size_t length = (uintptr_t)bytes + count - from, in = 0;
    assert_true(length / page < sizeof pages);
    assert_int_equal(mincore((void *)from, length, pages), 0);
    for (size_t i = 0; i < (length + page - 1) / page; i++)
        in += pages[i] & 1;
    return in * page;
}

/* Big enough that the file is shown to the library in several parts. */
static void lines_that_were_pulled_take_no_memory(void **state)
{
    (void)state;
    enum { WIDTH = 1500, HEIGHT = 1000 };
    px_encoder_spec spec = { .format = PX_FORMAT_WEBP, .width = WIDTH, .height = HEIGHT, .model = PX_RGB, .quality = 90, .effort = PX_EFFORT_LOW };
    uint8_t *pixels = picture(WIDTH, HEIGHT, 3), *first = NULL;
    size_t count;
    uint8_t *data = encode(spec, pixels, &count);
    assert_true(count > 100000);
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(data, count);
    px_decoder *decoder = NULL;
    int width, height, lines = 0;
    assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
    decoder->wants_planes = true;
    decoder->wants_chroma = PX_CHROMA_HALVED;
    assert_int_equal(decoder->start(decoder, 8, &width, &height, NULL), PX_OK);
    for (px_row row; lines < HEIGHT; lines += row.planes[0].height) {
        assert_int_equal(decoder->pull(decoder, &row, NULL), PX_OK);
        first = first ? first : row.planes[0].samples;
        assert_in_range(resident(first, WIDTH * HEIGHT), 1, WIDTH * HEIGHT / 4);
    }
    px_decoder_close(&decoder);
    px_source_close(&source);
    free(data);
    free(pixels);
}

static void damage_in_planes_is_told_apart(void **state)
{
    (void)state;
    px_encoder_spec spec = spec_of(0);
    uint8_t *pixels = picture(spec.width, spec.height, 3);
    size_t count;
    uint8_t *data = encode(spec, pixels, &count);
    px_header h = { 0 };
    planes p;
    assert_int_equal(decode_planes(data, count - 1, &h, &p), PX_TRUNCATED_IMAGE);
    for (size_t n = 30; n < count; n += 1 + count / 300) {
        uint8_t was = data[n];
        data[n] ^= 0x21;
        px_status status = decode_planes(data, count, &h, &p);
        if (status == PX_OK)
            planes_done(&p);
        else
            assert_int_equal(status, PX_CORRUPT_IMAGE);
        data[n] = was;
    }
    free(data);
    free(pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_mean_what_rgb_says),
        cmocka_unit_test(what_is_not_stored_as_planes_is_not_given_as_such),
        cmocka_unit_test(the_same_planes_are_the_same_bytes),
        cmocka_unit_test(planes_come_back),
        cmocka_unit_test(lines_that_were_pulled_take_no_memory),
        cmocka_unit_test(damage_in_planes_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
