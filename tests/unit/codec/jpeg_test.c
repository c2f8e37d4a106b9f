/* JPEG: near enough to what was written; a cut file is told from a damaged one; EXIF tells which way is up, and a lying
 * EXIF costs nothing. */
#include "in_planes.h"

#include <string.h>

#include "codec/exif.h"

static uint8_t *sample_file(px_model model, int orientation, size_t *ret_count)
{
    uint8_t *samples = picture(72, 56, px_channels(model, PX_OPAQUE));
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_JPEG, .width = 72, .height = 56, .model = model,
                                              .quality = 95, .orientation = orientation }, samples, ret_count);
    free(samples);
    return data;
}

static void what_is_read_is_near_what_was_written(void **state)
{
    (void)state;
    uint8_t *grey = picture(72, 56, 1), *back = NULL;
    size_t count;
    uint8_t *data = sample_file(PX_GREY, 1, &count);
    px_header h;
    assert_int_equal(decode(data, count, &h, &back), PX_OK);
    assert_int_equal(h.model, PX_GREY);
    assert_int_equal(h.orientation, 1);
    assert_true(psnr(grey, back, 72 * 56) > 38);
    free(grey);
    free(back);
    free(data);
}

static void orientation_is_said_and_heard(void **state)
{
    (void)state;
    for (int o = 1; o <= 8; o++) {
        size_t count;
        uint8_t *data = sample_file(PX_RGB, o, &count), *back = NULL;
        px_header h;
        assert_int_equal(decode(data, count, &h, &back), PX_OK);
        assert_int_equal(h.orientation, o);
        free(back);
        free(data);
    }
}

static void a_lying_exif_is_upright(void **state)
{
    (void)state;
    uint8_t tiff[PX_EXIF_BYTES];
    size_t count = px_exif_format(6, tiff);
    assert_int_equal(px_exif_orientation((px_bytes){ tiff, count }), 6);
    for (size_t n = 0; n < 20; n++)
        assert_int_equal(px_exif_orientation((px_bytes){ tiff, n }), 1);
    uint32_t random = 3;
    for (int i = 0; i < 20000; i++) {
        uint8_t mad[PX_EXIF_BYTES];
        memcpy(mad, tiff, sizeof mad);
        mad[4 + next_random(&random) % 22] = (uint8_t)next_random(&random);
        mad[4 + next_random(&random) % 22] = (uint8_t)next_random(&random);
        int o = px_exif_orientation((px_bytes){ mad, sizeof mad });
        assert_true(o >= 1 && o <= 8);
    }
}

static void a_cut_is_truncated_wherever_it_falls(void **state)
{
    (void)state;
    size_t count;
    uint8_t *data = sample_file(PX_RGB, 1, &count), *back = NULL;
    px_header h;
    for (size_t n = 3; n < count; n++) {
        px_status status = decode(data, n, &h, &back);
        if (status == PX_OK) {
            assert_true(n >= count - 4); /* all rows are there, the end marker is not */
            free(back);
        } else {
            assert_int_equal(status, PX_TRUNCATED_IMAGE);
        }
    }
    free(data);
}

static void a_flipped_byte_never_crashes(void **state)
{
    (void)state;
    size_t count;
    uint8_t *data = sample_file(PX_RGB, 3, &count);
    for (size_t n = 0; n < count; n++) {
        uint8_t *back = NULL, was = data[n];
        px_header h;
        data[n] = (uint8_t)(was ^ (n % 3 == 0 ? 0xff : 0x21));
        if (decode(data, count, &h, &back) == PX_OK)
            free(back);
        data[n] = was;
    }
    free(data);
}

static void too_much_metadata_is_refused(void **state)
{
    (void)state;
    size_t count;
    uint8_t *data = sample_file(PX_RGB, 1, &count);
    size_t extra = 300;
    uint8_t *fat = malloc(count + extra * 65537);
    size_t at = 2;
    memcpy(fat, data, 2);
    for (size_t i = 0; i < extra; i++, at += 65537) {
        memset(fat + at, 0, 65537);
        memcpy(fat + at, "\xff\xe1\xff\xff", 4);
    }
    memcpy(fat + at, data + 2, count - 2);
    px_header h;
    uint8_t *back = NULL;
    assert_int_equal(decode(fat, at + count - 2, &h, &back), PX_TOO_MANY_BYTES);
    free(fat);
    free(data);
}

/* The sampling factors of the first component (T.81 B.2.2): 0x11 if chroma has a sample at every pixel, 0x22 if at every fourth. */
static int sampling_of(px_encoder_spec spec, const uint8_t *samples, size_t *ret_count)
{
    uint8_t *bytes = encode(spec, samples, ret_count);
    int found = 0;
    for (size_t at = 2; at + 11 < *ret_count && !found; at += 2u + (unsigned)(bytes[at + 2] << 8 | bytes[at + 3]))
        if (bytes[at + 1] == 0xc0 || bytes[at + 1] == 0xc2)
            found = bytes[at + 11];
    free(bytes);
    return found;
}

static void chroma_is_whole_from_quality_90_on(void **state)
{
    (void)state;
    uint8_t *samples = picture(40, 30, 3);
    size_t count;
    px_encoder_spec spec = { .format = PX_FORMAT_JPEG, .width = 40, .height = 30, .model = PX_RGB };
    for (int effort = 0; effort < PX_EFFORT_COUNT; effort++)
        for (spec.quality = 1; spec.quality <= 100; spec.quality++) {
            spec.effort = (px_effort)effort;
            assert_int_equal(sampling_of(spec, samples, &count), spec.quality >= 90 ? 0x11 : 0x22);
        }
    px_encoder_spec fine = spec;
    fine.width = spec.width = fine.height = spec.height = 400;
    spec.quality = 80;
    fine.quality = 95;
    assert_true(px_encoder_memory(&fine) > px_encoder_memory(&spec));
    spec.width = 40;
    spec.height = 30;
    spec.model = PX_GREY; /* has no chroma; its one component is never halved */
    spec.quality = 95;
    assert_int_equal(sampling_of(spec, samples, &count), 0x11);
    free(samples);
}

/* RGB as planes: in the numbers of BT.601 that JPEG uses; halved chroma is the mean of four pixels, rounded once, and the picture's edge
 * is repeated. */
static uint8_t sample_at(const uint8_t *pixels, int width, int height, int x, int y, int plane, int part)
{
    static const int weights[3][3] = { { 19595, 38470, 7471 }, { -11059, -21709, 32768 }, { 32768, -27439, -5329 } };
    int pixels_of = part * part, sum = (plane ? 128 << 16 : 0) * pixels_of + (32768 * pixels_of) - (plane != 0);
    for (int i = 0; i < pixels_of; i++) {
        int column = x * part + i % part, line = y * part + i / part;
        column = column < width ? column : width - 1;
        line = line < height ? line : height - 1;
        for (int c = 0; c < 3; c++)
            sum += weights[plane][c] * pixels[(line * width + column) * 3 + c];
    }
    return (uint8_t)(sum / pixels_of >> 16);
}

static planes stored_planes_of(const uint8_t *pixels, int width, int height, px_chroma chroma)
{
    int part = chroma == PX_CHROMA_HALVED ? 2 : 1;
    planes made = planes_create(width, height, part, part, false);
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < made.height[p]; y++)
            for (int x = 0; x < made.width[p]; x++)
                made.samples[p][y * made.width[p] + x] = sample_at(pixels, width, height, x, y, p, p ? part : 1);
    return made;
}

/* Of RGB and of the same as planes. */
static void assert_planes_make_the_same_file(int width, int height, int quality, px_effort effort)
{
    px_encoder_spec spec = { .format = PX_FORMAT_JPEG, .width = width, .height = height, .model = PX_RGB, .quality = quality, .effort = effort };
    uint8_t *pixels = picture(width, height, 3);
    size_t count, other;
    planes parts = stored_planes_of(pixels, width, height, quality >= 90 ? PX_CHROMA_WHOLE : PX_CHROMA_HALVED);
    uint8_t *data = encode(spec, pixels, &count), *same = encode_planes(spec, &parts, &other);
    if (count != other || memcmp(data, same, count) != 0)
        fail_msg("%dx%d at quality %d: %zu bytes of RGB, %zu of planes", width, height, quality, count, other);
    planes_done(&parts);
    free(pixels);
    free(data);
    free(same);
}

static void planes_make_the_same_file_as_rgb(void **state)
{
    (void)state;
    for (int width = 1; width <= 35; width++)
        for (int height = 1; height <= 35; height++) {
            px_effort effort = height % 5 ? PX_EFFORT_NORMAL : PX_EFFORT_HIGH;
            assert_planes_make_the_same_file(width, height, 90, effort);
            assert_planes_make_the_same_file(width, height, 80, effort);
        }
    assert_planes_make_the_same_file(335, 77, 50, PX_EFFORT_NORMAL);
    assert_planes_make_the_same_file(334, 78, 95, PX_EFFORT_NORMAL);
}

static void assert_planes_come_back_near(int width, int height, int quality, double least)
{
    uint8_t *pixels = picture(width, height, 3), *back = NULL;
    planes parts = stored_planes_of(pixels, width, height, quality >= 90 ? PX_CHROMA_WHOLE : PX_CHROMA_HALVED);
    px_encoder_spec spec = { .format = PX_FORMAT_JPEG, .width = width, .height = height, .model = PX_RGB, .quality = quality };
    size_t count;
    uint8_t *data = encode_planes(spec, &parts, &count);
    px_header h;
    assert_int_equal(decode(data, count, &h, &back), PX_OK);
    assert_int_equal(h.width, width);
    assert_int_equal(h.height, height);
    double near = psnr(pixels, back, (size_t)width * (size_t)height * 3);
    if (near < least)
        fail_msg("%dx%d at quality %d: %.1f dB", width, height, quality, near);
    planes_done(&parts);
    free(pixels);
    free(back);
    free(data);
}

static void planes_come_back_near(void **state)
{
    (void)state;
    for (int width = 1; width <= 35; width++)
        for (int height = 1; height <= 35; height++) {
            assert_planes_come_back_near(width, height, 97, 38);
            assert_planes_come_back_near(width, height, 85, 26);
        }
}

static void only_planes_of_colour_that_hides_nothing_are_taken(void **state)
{
    (void)state;
    px_encoder_spec spec = { .format = PX_FORMAT_JPEG, .width = 8, .height = 8, .model = PX_GREY, .quality = 80 }, with = { 0 };
    assert_false(px_format_takes_planes(&spec, &with));
    assert_int_equal(with.width, 0); /* untouched */
    spec.model = PX_RGB;
    for (spec.quality = 1; spec.quality <= 100; spec.quality++) {
        assert_true(px_format_takes_planes(&spec, &with));
        assert_int_equal(with.model, PX_YCC);
        assert_int_equal(with.chroma, spec.quality >= 90 ? PX_CHROMA_WHOLE : PX_CHROMA_HALVED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_near_what_was_written),
        cmocka_unit_test(orientation_is_said_and_heard),
        cmocka_unit_test(a_lying_exif_is_upright),
        cmocka_unit_test(a_cut_is_truncated_wherever_it_falls),
        cmocka_unit_test(a_flipped_byte_never_crashes),
        cmocka_unit_test(too_much_metadata_is_refused),
        cmocka_unit_test(chroma_is_whole_from_quality_90_on),
        cmocka_unit_test(planes_make_the_same_file_as_rgb),
        cmocka_unit_test(planes_come_back_near),
        cmocka_unit_test(only_planes_of_colour_that_hides_nothing_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
