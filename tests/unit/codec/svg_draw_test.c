/* SVG drawn: at the size that is asked for, with alpha, by nothing but its own bytes. Only where SVG is built in. */
#include "picture.h"

#include <stdio.h>
#include <string.h>

#include "codec/formats.h"

#define SVG "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='10' height='20'>"

/* The drawing at width x height (0: its own size) as RGBA; the caller frees it. */
static px_status draw(const char *text, int width, int height, uint8_t **ret)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(text, strlen(text));
    px_decoder *decoder = NULL;
    int got_width = 0, got_height = 0;
    px_status status = px_decoder_open(&source, &limits, &decoder, NULL);
    if (status == PX_OK) {
        assert_true(decoder->header.vector && decoder->header.format == PX_FORMAT_SVG && decoder->header.alpha == PX_STRAIGHT);
        decoder->wants_width = width;
        decoder->wants_height = height;
        status = decoder->start(decoder, 8, &got_width, &got_height, NULL);
    }
    if (status == PX_OK) {
        assert_int_equal(got_width, width ? width : decoder->header.width);
        assert_int_equal(got_height, height ? height : decoder->header.height);
        *ret = malloc((size_t)got_width * (size_t)got_height * 4);
        for (int y = 0; y < got_height; y++) {
            px_row row;
            assert_int_equal(decoder->pull(decoder, &row, NULL), PX_OK);
            memcpy(*ret + (size_t)y * (size_t)got_width * 4, row.planes[0].samples, (size_t)got_width * 4);
        }
    }
    px_decoder_close(&decoder);
    px_source_close(&source);
    return status;
}

static void assert_pixel(const uint8_t *samples, int index, uint32_t rgba)
{
    const uint8_t *p = samples + (size_t)index * 4;
    assert_int_equal((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3], rgba);
}

static void edges_are_sharp_at_every_size(void **state)
{
    (void)state;
    static const char half[] = SVG "<rect width='5' height='20' fill='#f00'/><rect x='5' width='5' height='20' fill='#00f' fill-opacity='.5'/></svg>";
    static const int sizes[][2] = { { 0, 0 }, { 2, 4 }, { 400, 800 }, { 10, 4 }, { 300, 20 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t *samples = NULL;
        int width = sizes[i][0] ? sizes[i][0] : 10, height = sizes[i][1] ? sizes[i][1] : 20;
        assert_int_equal(draw(half, sizes[i][0], sizes[i][1], &samples), PX_OK);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                assert_pixel(samples, y * width + x, x < width / 2 ? 0xff0000ff : 0x0000ff80);
        free(samples);
    }
}

static bool is_blank(const char *text)
{
    uint8_t *samples = NULL;
    assert_int_equal(draw(text, 0, 0, &samples), PX_OK);
    bool blank = true;
    for (int i = 0; i < 10 * 20 * 4; i++)
        blank = blank && samples[i] == 0;
    free(samples);
    return blank;
}

static void it_reads_no_other_file(void **state)
{
    (void)state;
    char path[] = "/tmp/px-svg-XXXXXX", text[600];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char red[] = SVG "<rect width='10' height='20' fill='red'/></svg>";
    assert_int_equal(write(fd, red, sizeof red - 1), sizeof red - 1);
    static const char *const ways[] = {
        SVG "<image width='10' height='20' xlink:href='file://%s'/></svg>", SVG "<image width='10' height='20' href='%s'/></svg>",
        SVG "<use href='file://%s#a'/></svg>", SVG "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file://%s'/></svg>",
        SVG "<style>@import url('file://%s');</style></svg>",
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        snprintf(text, sizeof text, ways[i], path);
        assert_true(is_blank(text));
    }
    assert_false(is_blank(red));
    assert_false(is_blank(SVG "<image width='10' height='20' href='data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='/></svg>"));
    close(fd);
    unlink(path);
}

static void what_refers_to_itself_shows_nothing(void **state)
{
    (void)state;
    assert_true(is_blank(SVG "<g id='a'><use xlink:href='#b'/></g><g id='b'><use xlink:href='#a'/></g></svg>"));
    assert_false(is_blank(SVG "<g id='a'><use xlink:href='#b'/></g><g id='b'><rect width='9' height='9'/></g></svg>"));
}

static void sizes_are_judged_before_anything_is_drawn(void **state)
{
    (void)state;
    uint8_t *samples = NULL;
    assert_int_equal(draw("<svg xmlns='http://www.w3.org/2000/svg' width='99999' height='9'/>", 0, 0, &samples), PX_TOO_MANY_PIXELS);
    assert_int_equal(draw("<svg xmlns='http://www.w3.org/2000/svg' width='1e300' height='1e999'/>", 0, 0, &samples), PX_TOO_MANY_PIXELS);
    assert_int_equal(draw("<svg xmlns='http://www.w3.org/2000/svg' width='0' height='9'/>", 0, 0, &samples), PX_CORRUPT_IMAGE);
    assert_int_equal(draw(SVG "</svg>", 40000, 1, &samples), PX_TOO_MANY_PIXELS);
    assert_int_equal(draw(SVG "</svg>", 20000, 20000, &samples), PX_TOO_MANY_PIXELS);
    assert_int_equal(draw("<svg xmlns='http://www.w3.org/2000/svg' width='.01' height='.3'/>", 0, 0, &samples), PX_OK);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_are_sharp_at_every_size),
        cmocka_unit_test(it_reads_no_other_file),
        cmocka_unit_test(what_refers_to_itself_shows_nothing),
        cmocka_unit_test(sizes_are_judged_before_anything_is_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
