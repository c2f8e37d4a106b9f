/* JPEG XL: lossless is exact, lossy near; alpha, orientation, profile, frames, durations and loops come back; a container is read
 * like a bare codestream; cuts, damage and claims are refused by name. */
#include "held.h"

#include <lcms2.h>

static px_encoder_spec spec_of(int width, int height, px_model model, px_alpha alpha)
{
    return (px_encoder_spec){ .format = PX_FORMAT_JXL, .width = width, .height = height, .model = model, .alpha = alpha, .quality = 90,
                              .effort = PX_EFFORT_LOW, .frames = 1 };
}

static void lossless_is_exact_and_lossy_is_near(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        for (int size = 1; size <= 301; size += 75) {
            px_encoder_spec spec = spec_of(size, size / 2 + 1, kinds[i].model, kinds[i].alpha);
            spec.lossless = true;
            assert_true(round_trip(spec) == 99);
            spec.lossless = false;
            double near = round_trip(spec);
            assert_true(near > 30 && (size == 1 || near < 99));
        }
}

static void quality_costs_bytes(void **state)
{
    (void)state;
    uint8_t *pixels = picture(200, 150, 3);
    size_t before = 0, count;
    for (int quality = 1; quality <= 100; quality += 33) {
        px_encoder_spec spec = spec_of(200, 150, PX_RGB, PX_OPAQUE);
        spec.quality = quality;
        free(encode(spec, pixels, &count));
        assert_true(count > before);
        before = count;
    }
    free(pixels);
}

/* A real one: libjxl reads it. Linear light, so that it is not sRGB. */
static px_bytes profile_of(uint8_t *room, cmsUInt32Number count)
{
    cmsCIExyY white = { 0.3127, 0.3290, 1 };
    cmsCIExyYTRIPLE primaries = { { 0.68, 0.32, 1 }, { 0.265, 0.69, 1 }, { 0.15, 0.06, 1 } };
    cmsToneCurve *curve = cmsBuildGamma(NULL, 1.8), *curves[3] = { curve, curve, curve };
    cmsHPROFILE profile = cmsCreateRGBProfile(&white, &primaries, curves);
    assert_true(cmsSaveProfileToMem(profile, room, &count));
    cmsCloseProfile(profile);
    cmsFreeToneCurve(curve);
    return (px_bytes){ room, count };
}

static void orientation_and_profile_come_back(void **state)
{
    (void)state;
    static uint8_t room[4096];
    uint8_t *pixels = picture(16, 8, 3);
    for (int orientation = 0; orientation <= 8; orientation++) {
        px_encoder_spec spec = spec_of(16, 8, PX_RGB, PX_OPAQUE);
        spec.orientation = orientation;
        spec.lossless = true;
        spec.profile = profile_of(room, sizeof room);
        size_t count;
        uint8_t *data = encode(spec, pixels, &count);
        px_limits limits = PX_LIMITS_DEFAULT;
        px_source source = source_of(data, count);
        px_decoder *decoder = NULL;
        assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
        assert_int_equal(decoder->header.orientation, orientation ? orientation : 1);
        assert_int_equal(decoder->header.width, 16);
        assert_int_equal(decoder->header.profile.count, spec.profile.count);
        assert_memory_equal(decoder->header.profile.data, spec.profile.data, spec.profile.count);
        px_decoder_close(&decoder);
        px_source_close(&source);
        free(data);
    }
    px_encoder_spec spec = spec_of(16, 8, PX_RGB, PX_OPAQUE);
    spec.lossless = true;
    spec.profile = any_profile(); /* nothing that libjxl reads: a picture all the same */
    size_t count;
    px_header h = { 0 };
    uint8_t *data = encode(spec, pixels, &count), *back = NULL;
    assert_int_equal(decode(data, count, &h, &back), PX_OK);
    free(back);
    free(data);
    free(pixels);
}

static void an_animation_keeps_its_frames_and_their_time(void **state)
{
    (void)state;
    static const uint8_t values[] = { 10, 120, 240 };
    static const int ms[] = { 40, 1000, 70 };
    uint8_t back[FRAMES_MAX];
    int times[FRAMES_MAX];
    px_header h = { 0 };
    size_t count;
    for (int loops = 0; loops <= 5; loops += 5) {
        px_encoder_spec spec = spec_of(24, 16, PX_RGB, PX_STRAIGHT);
        spec.frames = 3;
        spec.loops = loops;
        spec.lossless = loops > 0;
        uint8_t *data = encode_frames(spec, values, ms, &count);
        assert_int_equal(decode_frames(data, count, &h, back, times), PX_OK);
        assert_int_equal(h.frames, 3);
        assert_int_equal(h.loops, loops);
        for (int f = 0; f < 3; f++) {
            assert_true(abs(back[f] - values[f]) <= 3);
            assert_int_equal(times[f], ms[f]);
        }
        free(data);
    }
}

static void a_container_is_read_like_a_bare_codestream(void **state)
{
    (void)state;
    static const uint8_t head[] = "\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14" "ftypjxl \0\0\0\0jxl ";
    size_t count;
    uint8_t *pixels = picture(30, 20, 3), *bare = encode(spec_of(30, 20, PX_RGB, PX_OPAQUE), pixels, &count), *a = NULL, *b = NULL;
    size_t begin = sizeof head - 1, whole = begin + 8 + count;
    uint8_t *data = malloc(whole);
    assert_non_null(data);
    memcpy(data, head, begin);
    put_32(data + begin, (uint32_t)count + 8);
    memcpy(data + begin + 4, "jxlc", 4);
    memcpy(data + begin + 8, bare, count);
    px_header h = { 0 };
    assert_int_equal(decode(data, whole, &h, &a), PX_OK);
    assert_int_equal(decode(bare, count, &h, &b), PX_OK);
    assert_memory_equal(a, b, 30 * 20 * 3);
    free(a);
    free(b);
    assert_cuts_are_truncated(data, whole, 12, 1);
    assert_cuts_are_truncated(bare, count, 2, 1);
    free(data);
    free(bare);
    free(pixels);
}

static void put_bits(uint8_t *data, int *at, uint32_t value, int count)
{
    for (int i = 0; i < count; i++, ++*at)
        data[*at / 8] |= (uint8_t)((value >> i & 1) << *at % 8);
}

static void a_claim_of_too_many_pixels_is_refused_by_its_header(void **state)
{
    (void)state;
    for (uint32_t side = 100; side <= 60000; side += 59900) {
        uint8_t data[256] = { 0xff, 0x0a };
        int at = 16;
        put_bits(data, &at, 0, 1); /* not small */
        for (int i = 0; i < 2; i++) {
            put_bits(data, &at, 2, 2); /* 18 bits follow: the height; then no ratio, and the width likewise */
            put_bits(data, &at, side - 1, 18);
            if (i == 0)
                put_bits(data, &at, 0, 3);
        }
        put_bits(data, &at, 1, 1); /* all else as usual */
        px_header h = { 0 };
        uint8_t *back = NULL;
        px_status status = decode(data, sizeof data, &h, &back);
        assert_int_equal(status == PX_TOO_MANY_PIXELS, side == 60000);
        assert_true(status == PX_TOO_MANY_PIXELS || status == PX_CORRUPT_IMAGE || status == PX_TRUNCATED_IMAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lossless_is_exact_and_lossy_is_near),
        cmocka_unit_test(quality_costs_bytes),
        cmocka_unit_test(orientation_and_profile_come_back),
        cmocka_unit_test(an_animation_keeps_its_frames_and_their_time),
        cmocka_unit_test(a_container_is_read_like_a_bare_codestream),
        cmocka_unit_test(a_claim_of_too_many_pixels_is_refused_by_its_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
