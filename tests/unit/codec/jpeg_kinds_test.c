/* Every kind of JPEG that cameras, phones and presses write, made here with libjpeg: at full scale our rows are within ±2 of
 * libjpeg-turbo's own full decode (with the same chroma upsampling), inks as Adobe inverts them or not; what is not read says why. */
#include "picture.h"

#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

enum { WIDTH = 131, HEIGHT = 97, ROOM = 1 << 20 };

typedef struct kind {
    const char *name;
    J_COLOR_SPACE stored;
    int across[4], down[4]; /* sampling factors by component */
    bool progressive, arithmetic;
    int restart;            /* MCUs between restart markers; 0: none */
    bool no_adobe;
} kind;

static const kind kinds[] = {
    { .name = "grey", .stored = JCS_GRAYSCALE, { 1 }, { 1 } },
    { .name = "grey, sampled 2x2", .stored = JCS_GRAYSCALE, { 2 }, { 2 } },
    { .name = "4:4:4", .stored = JCS_YCbCr, { 1, 1, 1 }, { 1, 1, 1 } },
    { .name = "4:2:2", .stored = JCS_YCbCr, { 2, 1, 1 }, { 1, 1, 1 } },
    { .name = "4:4:0", .stored = JCS_YCbCr, { 1, 1, 1 }, { 2, 1, 1 } },
    { .name = "4:2:0", .stored = JCS_YCbCr, { 2, 1, 1 }, { 2, 1, 1 } },
    { .name = "4:1:1", .stored = JCS_YCbCr, { 4, 1, 1 }, { 1, 1, 1 } },
    { .name = "4:1:0", .stored = JCS_YCbCr, { 4, 1, 1 }, { 2, 1, 1 } },
    { .name = "a third across", .stored = JCS_YCbCr, { 3, 1, 1 }, { 1, 1, 1 } },
    { .name = "a third down", .stored = JCS_YCbCr, { 1, 1, 1 }, { 3, 1, 1 } },
    { .name = "chroma unlike each other", .stored = JCS_YCbCr, { 2, 2, 1 }, { 2, 1, 2 } },
    { .name = "chroma finer than luma", .stored = JCS_YCbCr, { 1, 2, 2 }, { 1, 1, 1 } },
    { .name = "RGB", .stored = JCS_RGB, { 1, 1, 1 }, { 1, 1, 1 } },
    { .name = "progressive 4:2:0", .stored = JCS_YCbCr, { 2, 1, 1 }, { 2, 1, 1 }, .progressive = true },
    { .name = "progressive 4:1:1", .stored = JCS_YCbCr, { 4, 1, 1 }, { 1, 1, 1 }, .progressive = true },
    { .name = "progressive grey", .stored = JCS_GRAYSCALE, { 1 }, { 1 }, .progressive = true },
    { .name = "arithmetic", .stored = JCS_YCbCr, { 2, 1, 1 }, { 2, 1, 1 }, .arithmetic = true },
    { .name = "arithmetic, progressive", .stored = JCS_YCbCr, { 2, 1, 1 }, { 2, 1, 1 }, .progressive = true, .arithmetic = true },
    { .name = "restart markers", .stored = JCS_YCbCr, { 2, 1, 1 }, { 2, 1, 1 }, .restart = 1 },
    { .name = "restart markers, progressive", .stored = JCS_YCbCr, { 2, 1, 1 }, { 1, 1, 1 }, .progressive = true, .restart = 3 },
    { .name = "CMYK", .stored = JCS_CMYK, { 1, 1, 1, 1 }, { 1, 1, 1, 1 } },
    { .name = "CMYK without Adobe's marker", .stored = JCS_CMYK, { 1, 1, 1, 1 }, { 1, 1, 1, 1 }, .no_adobe = true },
    { .name = "YCCK", .stored = JCS_YCCK, { 1, 1, 1, 1 }, { 1, 1, 1, 1 } },
    { .name = "YCCK 4:2:0, progressive", .stored = JCS_YCCK, { 2, 1, 1, 2 }, { 2, 1, 1, 2 }, .progressive = true },
};

static int components(const kind *k) { return k->stored == JCS_GRAYSCALE ? 1 : k->stored == JCS_CMYK || k->stored == JCS_YCCK ? 4 : 3; }

static size_t write_kind(const kind *k, const uint8_t *samples, uint8_t *ret)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *data = ret;
    unsigned long count = ROOM;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, &count);
    c.image_width = WIDTH;
    c.image_height = HEIGHT;
    c.input_components = components(k);
    c.in_color_space = c.input_components == 1 ? JCS_GRAYSCALE : c.input_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, k->stored);
    jpeg_set_quality(&c, 92, TRUE);
    for (int i = 0; i < c.num_components; i++) {
        c.comp_info[i].h_samp_factor = k->across[i];
        c.comp_info[i].v_samp_factor = k->down[i];
    }
    c.arith_code = k->arithmetic;
    c.restart_interval = (unsigned)k->restart;
    if (k->no_adobe)
        c.write_Adobe_marker = FALSE;
    if (k->progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < HEIGHT; y++) {
        JSAMPROW row = (uint8_t *)(uintptr_t)(samples + (size_t)y * WIDTH * (size_t)c.input_components);
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    assert_ptr_equal(data, ret);
    return count;
}

/* libjpeg-turbo's own decode; four components stay inks, as stored. */
static uint8_t *read_plainly(const uint8_t *data, size_t count)
{
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    d.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, data, count);
    jpeg_read_header(&d, TRUE);
    d.out_color_space = d.num_components == 1 ? JCS_GRAYSCALE : d.num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&d);
    uint8_t *samples = malloc((size_t)WIDTH * HEIGHT * 4);
    for (int y = 0; y < HEIGHT; y++) {
        JSAMPROW row = samples + (size_t)y * WIDTH * (size_t)d.num_components;
        jpeg_read_scanlines(&d, &row, 1);
    }
    jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
    return samples;
}

/* Light through inks; Adobe stores them inverted: 255 is none. */
static void inks_to_light(uint8_t *samples, bool adobe)
{
    for (int i = 0; i < WIDTH * HEIGHT; i++)
        for (int c = 0; c < 3; c++) {
            double ink = adobe ? samples[4 * i + c] : 255 - samples[4 * i + c], black = adobe ? samples[4 * i + 3] : 255 - samples[4 * i + 3];
            samples[3 * i + c] = (uint8_t)(ink * black / 255 + 0.5);
        }
}

static void every_kind_is_as_libjpeg_turbo_has_it(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const kind *k = &kinds[i];
        uint8_t *samples = picture(WIDTH, HEIGHT, components(k)), *back = NULL;
        size_t count = write_kind(k, samples, data);
        uint8_t *wanted = read_plainly(data, count);
        if (components(k) == 4)
            inks_to_light(wanted, !k->no_adobe);
        px_header header = { 0 };
        px_status status = decode(data, count, &header, &back);
        if (status != PX_OK)
            fail_msg("%s: %s", k->name, px_status_code(status));
        int channels = components(k) == 1 ? 1 : 3, worst = 0;
        assert_int_equal(px_channels(header.model, header.alpha), channels);
        assert_int_equal(header.inks, components(k) == 4);
        for (int n = 0; n < WIDTH * HEIGHT * channels; n++)
            worst = abs(back[n] - wanted[n]) > worst ? abs(back[n] - wanted[n]) : worst;
        if (worst > 2)
            fail_msg("%s: a sample is %d off", k->name, worst);
        if (channels == components(k) && k->across[0] * k->down[0] == 1) /* where nothing is subsampled, near the original too */
            assert_true(psnr(back, samples, (size_t)(WIDTH * HEIGHT * channels)) > 34);
        free(samples);
        free(wanted);
        free(back);
    }
}

/* The frame header of a JPEG that was just written (SOF0 to SOF2). */
static uint8_t *frame_of(uint8_t *data, size_t count)
{
    for (size_t at = 2; at + 9 < count; at += 2 + (size_t)(data[at + 2] << 8 | data[at + 3]))
        if (data[at + 1] >= 0xc0 && data[at + 1] <= 0xc2)
            return data + at;
    fail();
    return NULL;
}

static void what_is_not_read_says_why(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    static const struct {
        int marker, precision;
        const char *says;
    } rows[] = { { 0xc1, 12, "12" }, { 0xc5, 8, "SOF" }, { 0xc0, 12, "12" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t *samples = picture(WIDTH, HEIGHT, 3);
        size_t count = write_kind(&kinds[2], samples, data);
        free(samples);
        uint8_t *frame = frame_of(data, count);
        frame[1] = (uint8_t)rows[i].marker;
        frame[4] = (uint8_t)rows[i].precision;
        px_limits limits = PX_LIMITS_DEFAULT;
        px_source source = source_of(data, count);
        px_decoder *decoder = NULL;
        px_error err = { "" };
        assert_int_equal(px_decoder_open(&source, &limits, &decoder, &err), PX_UNSUPPORTED_FORMAT);
        assert_non_null(strstr(err.message, rows[i].says));
        px_source_close(&source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_as_libjpeg_turbo_has_it),
        cmocka_unit_test(what_is_not_read_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
