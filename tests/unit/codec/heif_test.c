/* HEIC: small files made by tools (tests/fuzz/corpus/heif: 96x64 or a grid of 120x60; red, green, blue and white quarters) decode
 * to what people see, whichever way they are turned; cuts and claims are refused by name. */
#include "held.h"

#include <limits.h>

struct file {
    uint8_t data[4096];
    size_t count;
};

/* Read from the source tree, which this program is built two folders below. */
static struct file file_of(const char *name)
{
    char path[PATH_MAX] = "", whole[PATH_MAX + 64];
    assert_true(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    for (int i = 0; i < 4; i++)
        *strrchr(path, '/') = 0;
    snprintf(whole, sizeof whole, "%s/tests/fuzz/corpus/heif/%s", path, name);
    struct file file = { .count = 0 };
    FILE *from = fopen(whole, "rb");
    assert_non_null(from);
    file.count = fread(file.data, 1, sizeof file.data, from);
    fclose(from);
    return file;
}

/* 'r', 'g', 'b', 'w' for each quarter, in reading order. */
static void quarters_of(const px_header *h, const uint8_t *samples, char letters[5])
{
    int channels = px_channels(h->model, h->alpha);
    for (int i = 0; i < 4; i++) {
        int x = i % 2 ? h->width * 3 / 4 : h->width / 4, y = i / 2 ? h->height * 3 / 4 : h->height / 4;
        const uint8_t *p = samples + (y * h->width + x) * channels;
        letters[i] = p[0] > 150 ? (p[1] > 150 ? 'w' : 'r') : p[1] > 120 ? 'g' : 'b';
    }
    letters[4] = 0;
}

static void assert_quarters(const struct file *file, const char *wanted, int width, int height)
{
    px_header h = { 0 };
    uint8_t *samples = NULL;
    char letters[5];
    assert_int_equal(decode(file->data, file->count, &h, &samples), PX_OK);
    assert_int_equal(h.format, PX_FORMAT_HEIF);
    assert_int_equal(h.orientation, 1);
    assert_int_equal(h.width, width);
    assert_int_equal(h.height, height);
    quarters_of(&h, samples, letters);
    assert_string_equal(letters, wanted);
    free(samples);
}

static void every_turn_and_mirror_is_applied(void **state)
{
    (void)state;
    /* Quarters against the clock; then not mirrored, top and bottom exchanged, left and right exchanged. */
    static const char *const wanted[4][3] = { { "rgbw", "bwrg", "grwb" }, { "gwrb", "rbgw", "wgbr" }, { "wbgr", "grwb", "bwrg" }, { "brwg", "wgbr", "rbgw" } };
    for (int quarters = 0; quarters < 4; quarters++)
        for (int mirror = 0; mirror < 3; mirror++) {
            struct file file = file_of("turned.heic");
            *find_box(file.data, file.count, "irot") = (uint8_t)quarters;
            uint8_t *axis = find_box(file.data, file.count, "imir");
            if (mirror)
                *axis = (uint8_t)(mirror - 1);
            else
                memcpy(axis - 4, "skip", 4);
            assert_quarters(&file, wanted[quarters][mirror], quarters % 2 ? 64 : 96, quarters % 2 ? 96 : 64);
        }
}

static void a_grid_is_one_picture(void **state)
{
    (void)state;
    struct file file = file_of("grid.heic");
    assert_quarters(&file, "rgbw", 120, 60);
}

static void a_coding_that_the_library_does_not_read_is_not_called_damage(void **state)
{
    (void)state;
    static const char codings[][5] = { "unci", "j2k1", "vvc1" };
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        struct file file = file_of("turned.heic");
        uint8_t *item = find_box(file.data, file.count, "infe");
        assert_memory_equal(item + 8, "hvc1", 4);
        memcpy(item + 8, codings[i], 4);
        px_header h;
        uint8_t *samples;
        assert_int_equal(decode(file.data, file.count, &h, &samples), PX_UNSUPPORTED_FORMAT);
    }
}

static void alpha_and_colours_by_number_are_seen(void **state)
{
    (void)state;
    struct file file = file_of("alpha.heic");
    px_header h = { 0 };
    uint8_t *samples = NULL;
    assert_int_equal(decode(file.data, file.count, &h, &samples), PX_OK);
    assert_int_equal(h.alpha, PX_STRAIGHT);
    assert_int_equal(h.profile.count, 0);
    assert_true(samples[3] < 20 && samples[(size_t)h.width * 4 - 1] > 235); /* it grows from left to right */
    free(samples);
    file = file_of("turned.heic");
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(file.data, file.count);
    px_decoder *decoder = NULL;
    assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
    assert_int_equal(decoder->header.alpha, PX_OPAQUE);
    assert_true(decoder->header.profile.count > 128); /* Display P3 */
    px_decoder_close(&decoder);
    px_source_close(&source);
}

/* Its colours are not multiplied, but it says they are: so they come out divided by alpha, as far as that goes. */
static void premultiplied_alpha_is_made_straight(void **state)
{
    (void)state;
    struct file file = file_of("premultiplied.heic");
    px_header h = { 0 };
    uint8_t *samples = NULL;
    assert_int_equal(decode(file.data, file.count, &h, &samples), PX_OK);
    assert_int_equal(h.alpha, PX_STRAIGHT);
    for (int x = 8; x < 40; x += 8) { /* red: 200, 30, 30 */
        const uint8_t *p = samples + (16 * h.width + x) * 4;
        int wanted = 30 * 255 / p[3];
        assert_int_equal(p[0], 255);
        assert_true(abs(p[1] - (wanted > 255 ? 255 : wanted)) <= 12 + wanted / 10);
    }
    free(samples);
}

static void a_cut_is_truncated_wherever_it_falls(void **state)
{
    (void)state;
    static const char *const names[] = { "turned.heic", "grid.heic", "alpha.heic" };
    for (int i = 0; i < 3; i++) {
        struct file file = file_of(names[i]);
        assert_cuts_are_truncated(file.data, file.count, 12, 1);
    }
}

static void a_claim_of_too_many_pixels_is_refused_by_its_header(void **state)
{
    (void)state;
    struct file file = file_of("turned.heic");
    px_header h = { 0 };
    uint8_t *samples = NULL, *ispe = find_box(file.data, file.count, "ispe");
    put_32(ispe + 4, 60000);
    put_32(ispe + 8, 60000);
    assert_int_equal(decode(file.data, file.count, &h, &samples), PX_TOO_MANY_PIXELS);
    put_32(ispe + 4, 97);
    put_32(ispe + 8, 64);
    assert_int_equal(decode(file.data, file.count, &h, &samples), PX_CORRUPT_IMAGE);
    file = file_of("grid.heic"); /* one that only the grid claims: 0, 0, rows, columns, width, height in 16 bits */
    uint8_t *grid = find_box(file.data, file.count, "idat");
    memset(grid + 4, 0xea, 4);
    px_status status = decode(file.data, file.count, &h, &samples);
    assert_true(status == PX_TOO_MANY_PIXELS || status == PX_CORRUPT_IMAGE);
}

/* libheif would call itself until the stack is full. */
static void a_picture_made_of_itself_is_refused(void **state)
{
    (void)state;
    struct file file = file_of("grid.heic");
    uint8_t *parts = find_box(file.data, file.count, "dimg"); /* from item 3, 2 parts: items 1 and 2 */
    px_header h = { 0 };
    uint8_t *samples = NULL;
    assert_int_equal(parts[7], 2);
    parts[7] = 3;
    assert_int_equal(decode(file.data, file.count, &h, &samples), PX_CORRUPT_IMAGE);
}

static void numbers_that_mean_nothing_are_passed_over(void **state)
{
    (void)state;
    struct file file = file_of("turned.heic");
    px_header h = { 0 };
    uint8_t *samples = NULL;
    find_box(file.data, file.count, "nclx")[1] = 250;
    assert_int_equal(decode(file.data, file.count, &h, &samples), PX_OK);
    assert_int_equal(h.profile.count, 0);
    free(samples);
}

static void it_is_read_and_not_written(void **state)
{
    (void)state;
    assert_false(px_format_is_written(PX_FORMAT_HEIF));
    assert_int_equal(px_format_kept(PX_FORMAT_HEIF), PX_FORMAT_JPEG);
    assert_int_equal(px_format_of_extension("HEIC"), PX_FORMAT_HEIF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_turn_and_mirror_is_applied),
        cmocka_unit_test(a_grid_is_one_picture),
        cmocka_unit_test(a_coding_that_the_library_does_not_read_is_not_called_damage),
        cmocka_unit_test(alpha_and_colours_by_number_are_seen),
        cmocka_unit_test(premultiplied_alpha_is_made_straight),
        cmocka_unit_test(a_cut_is_truncated_wherever_it_falls),
        cmocka_unit_test(a_claim_of_too_many_pixels_is_refused_by_its_header),
        cmocka_unit_test(a_picture_made_of_itself_is_refused),
        cmocka_unit_test(numbers_that_mean_nothing_are_passed_over),
        cmocka_unit_test(it_is_read_and_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
