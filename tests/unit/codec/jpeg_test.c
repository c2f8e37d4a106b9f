/* JPEG: near enough to what was written; a cut file is told from a damaged one; EXIF tells which way is up, and a lying
 * EXIF costs nothing. */
#include "picture.h"

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
    spec.quality = 80;
    fine.quality = 95;
    assert_true(px_encoder_memory(&fine) > px_encoder_memory(&spec));
    spec.model = PX_GREY; /* has no chroma; its one component is never halved */
    spec.quality = 95;
    assert_int_equal(sampling_of(spec, samples, &count), 0x11);
    free(samples);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
