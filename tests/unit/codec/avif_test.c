/* AVIF: lossless is exact, lossy near, alpha, orientation, profile and frames come back; files that libavif is made to write here
 * have what ours never have: more bits, a clean aperture, colours by number. Damage, cuts and claims are refused by name. */
#include <time.h>

#include "avif_made.h"
#include "codec/boxes.h"
#include "codec/nclx.h"
#include "held.h"

static px_encoder_spec spec_of(int width, int height, px_model model, px_alpha alpha)
{
    return (px_encoder_spec){ .format = PX_FORMAT_AVIF, .width = width, .height = height, .model = model, .alpha = alpha, .quality = 90,
                              .effort = PX_EFFORT_LOW, .frames = 1 };
}

static void lossless_is_exact_and_lossy_is_not(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        for (int size = 1; size <= 90; size += 44) {
            px_encoder_spec spec = spec_of(size, size / 2 + 1, kinds[i].model, kinds[i].alpha);
            spec.lossless = true;
            assert_true(round_trip(spec) == 99);
            spec.lossless = false;
            if (size > 1)
                assert_true(round_trip(spec) < 99);
        }
}

static void lossy_is_near(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        for (int size = 5; size <= 133; size += 64)
            assert_true(round_trip(spec_of(size, size + 2, kinds[i].model, kinds[i].alpha)) > 30);
}

static void quality_costs_bytes_and_effort_saves_them(void **state)
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
    before = SIZE_MAX;
    for (px_effort effort = PX_EFFORT_LOW; effort <= PX_EFFORT_HIGH; effort++) {
        px_encoder_spec spec = spec_of(200, 150, PX_RGB, PX_OPAQUE);
        spec.effort = effort;
        free(encode(spec, pixels, &count));
        assert_true(count < before);
        before = count;
    }
    free(pixels);
}

static double cpu_of(px_encoder_spec spec, const uint8_t *pixels)
{
    struct timespec from, to;
    size_t count;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    free(encode(spec, pixels, &count));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* A sky in the evening has few colours in each block, as screens have: libaom would look for repetitions in it, for longer than a
 * picture full of detail takes. */
static void a_flat_picture_takes_no_longer_than_one_full_of_detail(void **state)
{
    (void)state;
    enum { WIDTH = 320, HEIGHT = 240 };
    uint8_t *detail = picture(WIDTH, HEIGHT, 3), *flat = malloc(WIDTH * HEIGHT * 3);
    assert_non_null(flat);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        int x = i % WIDTH, y = i / WIDTH;
        for (int c = 0; c < 3; c++)
            flat[3 * i + c] = (uint8_t)(8 + 3 * sin(x * 0.05 * (c + 1)) + 3 * sin(y * 0.04));
    }
    for (px_effort effort = PX_EFFORT_LOW; effort <= PX_EFFORT_NORMAL; effort++) {
        px_encoder_spec spec = spec_of(WIDTH, HEIGHT, PX_RGB, PX_OPAQUE);
        spec.effort = effort;
        assert_true(cpu_of(spec, flat) < cpu_of(spec, detail));
    }
    free(flat);
    free(detail);
}

static void orientation_and_profile_come_back(void **state)
{
    (void)state;
    uint8_t *pixels = picture(16, 8, 3);
    for (int orientation = 0; orientation <= 8; orientation++) {
        px_encoder_spec spec = spec_of(16, 8, PX_RGB, PX_OPAQUE);
        spec.orientation = orientation;
        spec.profile = any_profile();
        size_t count;
        uint8_t *data = encode(spec, pixels, &count);
        px_limits limits = PX_LIMITS_DEFAULT;
        px_source source = source_of(data, count);
        px_decoder *decoder = NULL;
        assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
        assert_int_equal(decoder->header.orientation, orientation ? orientation : 1);
        assert_int_equal(decoder->header.width, 16);
        assert_int_equal(decoder->header.profile.count, any_profile().count);
        assert_memory_equal(decoder->header.profile.data, any_profile().data, any_profile().count);
        px_decoder_close(&decoder);
        px_source_close(&source);
        free(data);
    }
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
    px_encoder_spec spec = spec_of(24, 16, PX_RGB, PX_STRAIGHT);
    spec.frames = 3;
    uint8_t *data = encode_frames(spec, values, ms, &count);
    assert_int_equal(decode_frames(data, count, &h, back, times), PX_OK);
    assert_int_equal(h.frames, 3);
    assert_int_equal(h.alpha, PX_STRAIGHT);
    for (int f = 0; f < 3; f++) {
        assert_true(abs(back[f] - values[f]) <= 3);
        assert_int_equal(times[f], ms[f]);
    }
    assert_int_equal(decode_frames(data, count - 20, &h, back, times), PX_TRUNCATED_IMAGE);
    free(data);
}

static void more_bits_are_rounded(void **state)
{
    (void)state;
    for (uint32_t depth = 8; depth <= 12; depth += 2) {
        size_t count;
        uint8_t *data = made_by_library(depth, AVIF_PIXEL_FORMAT_YUV444, NULL, &count), *back = NULL, *pixels = picture(64, 48, 3);
        px_header h = { 0 };
        assert_int_equal(decode(data, count, &h, &back), PX_OK);
        assert_true(psnr(pixels, back, 64 * 48 * 3) > 38);
        double sum = 0; /* cutting bits off instead would darken everything by half a level */
        for (int i = 0; i < 64 * 48 * 3; i++)
            sum += back[i] - pixels[i];
        assert_true(fabs(sum / (64 * 48 * 3)) < 0.25);
        free(pixels);
        free(data);
        free(back);
    }
}

static void cut(avifImage *image)
{
    image->transformFlags |= AVIF_TRANSFORM_CLAP;
    image->clap = (avifCleanApertureBox){ .widthN = 32, .widthD = 1, .heightN = 20, .heightD = 1, .horizOffN = 4, .horizOffD = 1,
                                          .vertOffN = (uint32_t)-2, .vertOffD = 1 };
}

static void a_clean_aperture_is_cut_out(void **state)
{
    (void)state;
    size_t count;
    uint8_t *data = made_by_library(8, AVIF_PIXEL_FORMAT_YUV444, cut, &count), *back = NULL, *pixels = picture(64, 48, 3);
    px_header h = { 0 };
    assert_int_equal(decode(data, count, &h, &back), PX_OK);
    assert_int_equal(h.width, 32);
    assert_int_equal(h.height, 20);
    for (int y = 0; y < 20; y++) /* (64 - 32) / 2 + 4, (48 - 20) / 2 - 2 */
        assert_true(psnr(back + y * 32 * 3, pixels + ((y + 12) * 64 + 20) * 3, 32 * 3) > 35);
    free(back);
    put_32(find_box(data, count, "clap"), 100); /* wider than the picture: passed over */
    assert_int_equal(decode(data, count, &h, &back), PX_OK);
    assert_int_equal(h.width, 64);
    free(back);
    free(data);
    free(pixels);
}

static void colours_by_number_become_a_profile_where_they_are_not_srgb(void **state)
{
    (void)state;
    static const struct {
        int primaries, transfer;
        bool profile;
    } rows[] = { { 1, 13, false }, { 2, 2, false }, { 1, 1, false }, { 12, 13, true }, { 9, 14, true }, { 9, 16, true }, { 9, 18, true }, { 1, 8, true }, { 250, 13, false } };
    size_t count;
    uint8_t *pixels = picture(16, 8, 3), *data = encode(spec_of(16, 8, PX_RGB, PX_OPAQUE), pixels, &count), *nclx = find_box(data, count, "nclx");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        px_limits limits = PX_LIMITS_DEFAULT;
        nclx[1] = (uint8_t)rows[i].primaries;
        nclx[3] = (uint8_t)rows[i].transfer;
        px_source source = source_of(data, count);
        px_decoder *decoder = NULL;
        assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
        assert_int_equal(decoder->header.profile.count > 0, rows[i].profile);
        px_decoder_close(&decoder);
        px_source_close(&source);
    }
    free(data);
    free(pixels);
    px_bytes first = px_nclx_profile(12, 13, false), second = px_nclx_profile(12, 13, false);
    assert_int_equal(first.count, second.count); /* the same bytes, whenever */
    assert_memory_equal(first.data, second.data, first.count);
    assert_int_equal(first.data[24 + 1] | first.data[24] << 8, 2000);
    free((void *)(uintptr_t)first.data);
    free((void *)(uintptr_t)second.data);
}

static void a_cut_is_truncated_wherever_it_falls(void **state)
{
    (void)state;
    size_t count;
    uint8_t *pixels = picture(40, 30, 3), *data = encode(spec_of(40, 30, PX_RGB, PX_OPAQUE), pixels, &count);
    assert_cuts_are_truncated(data, count, 12, 37);
    free(data);
    free(pixels);
}

static void a_claim_of_too_many_pixels_is_refused_by_its_header(void **state)
{
    (void)state;
    size_t count;
    px_header h = { 0 };
    uint8_t *pixels = picture(16, 8, 3), *data = encode(spec_of(16, 8, PX_RGB, PX_OPAQUE), pixels, &count), *back = NULL, *ispe = find_box(data, count, "ispe");
    put_32(ispe + 4, 60000);
    put_32(ispe + 8, 60000);
    assert_int_equal(decode(data, count, &h, &back), PX_TOO_MANY_PIXELS);
    put_32(ispe + 4, 70000);
    put_32(ispe + 8, 1);
    assert_int_equal(decode(data, count, &h, &back), PX_TOO_MANY_PIXELS);
    free(data);
    free(pixels);
}

static void brands_tell_the_formats_apart(void **state)
{
    (void)state;
    static const struct {
        const char *brands; /* major, minor version, compatible */
        px_format format;
    } rows[] = { { "avif....mif1miaf", PX_FORMAT_AVIF }, { "avis....msf1miaf", PX_FORMAT_AVIF }, { "mif1....mif1avif", PX_FORMAT_AVIF }, { "mif1....miafheic", PX_FORMAT_HEIF },
                 { "heic....mif1avif", PX_FORMAT_HEIF }, { "heix....mif1", PX_FORMAT_HEIF }, { "msf1....hevc", PX_FORMAT_HEIF }, { "mif1....", PX_FORMAT_HEIF },
                 { "isom....mp42", PX_FORMAT_COUNT }, { "qt  ....avi ", PX_FORMAT_COUNT }, { "isomavif", PX_FORMAT_COUNT } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t first[64] = { 0 };
        size_t count = 8 + strlen(rows[i].brands);
        put_32(first, (uint32_t)count);
        memcpy(first + 4, "ftyp", 4);
        memcpy(first + 8, rows[i].brands, count - 8);
        assert_int_equal(px_format_detect((px_bytes){ first, sizeof first }), rows[i].format);
        first[4] = 'F';
        assert_int_equal(px_format_detect((px_bytes){ first, sizeof first }), PX_FORMAT_COUNT);
    }
}

/* A box around `inner`, at the end of `to`; returns the new count. */
static size_t box(uint8_t *to, size_t at, const char *type, const void *inner, size_t count)
{
    uint8_t copy[512];
    memcpy(copy, inner, count);
    put_32(to + at, (uint32_t)count + 8);
    memcpy(to + at + 4, type, 4);
    memcpy(to + at + 8, copy, count);
    return at + count + 8;
}

static void an_edit_list_says_how_often_a_sequence_plays(void **state)
{
    (void)state;
    static const struct {
        uint32_t track, edit, flags;
        int plays;
    } rows[] = { { 300, 100, 1, 3 }, { 100, 100, 1, 1 }, { UINT32_MAX, 100, 1, 0 }, { 300, 100, 0, 0 }, { 300, 0, 1, 0 }, { 250, 100, 1, 3 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        px_limits limits = PX_LIMITS_DEFAULT;
        uint8_t head[84] = { 0 }, list[20] = { 0 }, edits[64], track[256], file[512];
        px_boxes found;
        put_32(head + 20, rows[i].track);
        put_32(head + 76, 100 << 16);
        put_32(head + 80, 50 << 16);
        list[3] = (uint8_t)rows[i].flags;
        put_32(list + 4, 1);
        put_32(list + 8, rows[i].edit);
        size_t edit_count = box(edits, 0, "elst", list, sizeof list), count = box(track, 0, "tkhd", head, sizeof head);
        count = box(track, count, "edts", edits, edit_count);
        count = box(file, 0, "trak", track, count);
        count = box(file, 0, "moov", file, count);
        count = box(file, count, "mdat", file, 1);
        assert_int_equal(px_boxes_judge((px_bytes){ file, count }, &limits, &found, NULL), PX_OK);
        assert_int_equal(found.plays, rows[i].plays);
        assert_false(found.cut);
        assert_false(found.sizeless);
        assert_int_equal(px_boxes_judge((px_bytes){ file, count - 1 }, &limits, &found, NULL), PX_OK);
        assert_true(found.cut);
        limits.side = 99;
        assert_int_equal(px_boxes_judge((px_bytes){ file, count }, &limits, &found, NULL), PX_TOO_MANY_PIXELS);
    }
}

/* pitm, iinf and iref by hand: item 1 is a grid of 2 and 3, and 4 lies beside `base` as its alpha. */
static px_boxes found_in(const char *type, bool wide, const uint8_t tiles[2], uint8_t base, uint32_t last_size)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    uint8_t item[20] = { 2, 0, 0, 0, 0, 1, 0, 0 }, items[256] = { 0 }, other[13] = { 2, 0, 0, 0, 0, 2, 0, 0, 'a', 'v', '0', '1' }, refs[128] = { 0 };
    uint8_t primary[8] = { 0, 0, 0, 0, 0, 1 }, meta[512] = { 0 }, file[768];
    uint8_t made_of[8] = { 0, 1, 0, 2, 0, tiles[0], 0, tiles[1] }, alpha_of[6] = { 0, 4, 0, 1, 0, base };
    px_boxes found;
    memcpy(item + 8, type, 4);
    if (wide) {
        memcpy(item, (uint8_t[]){ 3, 0, 0, 0, 0, 0, 0, 1, 0, 0 }, 10);
        memcpy(item + 10, type, 4);
        memcpy(primary, (uint8_t[]){ 1, 0, 0, 0, 0, 0, 0, 1 }, 8);
    }
    items[5] = 2;
    size_t count = box(items, 6, "infe", other, sizeof other);
    count = box(items, count, "infe", item, sizeof item);
    size_t ref_count = box(refs, 4, "dimg", made_of, sizeof made_of);
    ref_count = box(refs, ref_count, "auxl", alpha_of, sizeof alpha_of);
    size_t meta_count = box(meta, 4, "pitm", primary, wide ? 8 : 6);
    meta_count = box(meta, meta_count, "iinf", items, count);
    meta_count = box(meta, meta_count, "iref", refs, ref_count);
    count = box(file, 0, "meta", meta, meta_count);
    put_32(file + count, last_size);
    memcpy(file + count + 4, "mdat\1\2\3\4", 8);
    assert_int_equal(px_boxes_judge((px_bytes){ file, count + 12 }, &limits, &found, NULL), PX_OK);
    assert_false(found.cut);
    return found;
}

static void the_boxes_say_what_a_picture_takes(void **state)
{
    (void)state;
    static const uint8_t in_order[2] = { 2, 3 }, swapped[2] = { 3, 2 };
    assert_string_equal(found_in("grid", false, in_order, 1, 12).coding, "grid");
    assert_string_equal(found_in("unci", true, in_order, 1, 12).coding, "unci");
    assert_string_equal(found_in("a\x1bz\x80", false, in_order, 1, 12).coding, "a?z?");
    assert_false(found_in("grid", false, in_order, 1, 12).disordered);
    assert_true(found_in("grid", false, swapped, 1, 12).disordered);
    assert_false(found_in("grid", false, in_order, 1, 12).tile_alpha);
    assert_true(found_in("grid", false, in_order, 3, 12).tile_alpha);
    assert_false(found_in("grid", false, in_order, 1, 12).endless);
    assert_true(found_in("grid", false, in_order, 1, 0).endless);
}

static bool is_mapped(const char *name)
{
    char line[4096];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        found |= strstr(line, name) != NULL;
    fclose(maps);
    return found;
}

/* First of all tests in this program: nothing has been loaded. */
static void only_who_needs_a_library_loads_it(void **state)
{
    (void)state;
    px_encoder_spec spec = spec_of(8, 8, PX_RGB, PX_OPAQUE);
    uint8_t *pixels = picture(8, 8, 3);
    size_t count;
    spec.format = PX_FORMAT_PNG;
    free(encode(spec, pixels, &count));
    assert_false(is_mapped("/libavif") || is_mapped("/libheif") || is_mapped("/libjxl"));
    spec.format = PX_FORMAT_AVIF;
    free(encode(spec, pixels, &count));
    assert_true(is_mapped("/libavif"));
    assert_false(is_mapped("/libheif") || is_mapped("/libjxl"));
    free(pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_who_needs_a_library_loads_it),
        cmocka_unit_test(lossless_is_exact_and_lossy_is_not),
        cmocka_unit_test(lossy_is_near),
        cmocka_unit_test(quality_costs_bytes_and_effort_saves_them),
        cmocka_unit_test(a_flat_picture_takes_no_longer_than_one_full_of_detail),
        cmocka_unit_test(orientation_and_profile_come_back),
        cmocka_unit_test(an_animation_keeps_its_frames_and_their_time),
        cmocka_unit_test(more_bits_are_rounded),
        cmocka_unit_test(a_clean_aperture_is_cut_out),
        cmocka_unit_test(colours_by_number_become_a_profile_where_they_are_not_srgb),
        cmocka_unit_test(a_cut_is_truncated_wherever_it_falls),
        cmocka_unit_test(a_claim_of_too_many_pixels_is_refused_by_its_header),
        cmocka_unit_test(brands_tell_the_formats_apart),
        cmocka_unit_test(an_edit_list_says_how_often_a_sequence_plays),
        cmocka_unit_test(the_boxes_say_what_a_picture_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
