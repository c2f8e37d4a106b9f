/* BMP: files of every header, depth and coding, made here by the book, decode to the samples they hold; what contradicts itself is
 * refused; a cut is a cut. Against Pillow: tests/e2e/test_webp.py. */
#include "picture.h"

#include <string.h>

enum { WIDTH = 13, HEIGHT = 7, V4 = 108, V5 = 124 };

/* A file being made. */
struct file {
    uint8_t data[4096];
    size_t count;
};

static void put(struct file *f, size_t at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        f->data[at + (size_t)i] = (uint8_t)(value >> (8 * i));
}

static void header(struct file *f, uint32_t bytes, int width, int height, int depth, int compression)
{
    memset(f, 0, sizeof *f);
    memcpy(f->data, "BM", 2);
    put(f, 14, bytes, 4);
    put(f, 18, (uint32_t)width, bytes == 12 ? 2 : 4);
    put(f, bytes == 12 ? 20 : 22, (uint32_t)height, bytes == 12 ? 2 : 4);
    put(f, bytes == 12 ? 22 : 26, 1, 2);
    put(f, bytes == 12 ? 24 : 28, (uint32_t)depth, 2);
    if (bytes > 12)
        put(f, 30, (uint32_t)compression, 4);
    f->count = 14 + bytes;
}

static void palette(struct file *f, int colours, bool grey)
{
    for (int i = 0; i < colours; i++) {
        for (int c = 0; c < 3; c++)
            f->data[f->count++] = (uint8_t)(grey ? 255 - i : i * 37 + c * 90);
        if (f->data[14] != 12)
            f->count++;
    }
}

static void append(struct file *f, const void *data, size_t count)
{
    memcpy(f->data + f->count, data, count);
    f->count += count;
}

static uint32_t stored(int x, int y, int depth)
{
    uint32_t random = (uint32_t)(1 + x + 31 * y);
    for (int i = 0; i < 6; i++)
        next_random(&random);
    return depth == 32 ? random : random & ((1u << depth) - 1);
}

/* Rows of such pixels, padded to four bytes, the last first unless top-down. */
static void rows(struct file *f, int depth, bool top_down)
{
    put(f, 10, (uint32_t)f->count, 4);
    for (int i = 0; i < HEIGHT; i++) {
        size_t start = f->count, bytes = (size_t)((WIDTH * depth + 31) / 32 * 4);
        for (int x = 0; x < WIDTH; x++) {
            uint32_t value = stored(x, top_down ? i : HEIGHT - 1 - i, depth);
            if (depth >= 8)
                put(f, start + (size_t)(x * depth / 8), value, depth / 8);
            else
                f->data[start + (size_t)(x * depth / 8)] |= (uint8_t)(value << (8 - depth - x * depth % 8));
        }
        f->count += bytes;
    }
}

static void every_depth_of_every_header_decodes(void **state)
{
    (void)state;
    static const uint8_t headers[] = { 12, 40, 52, 56, 64, V4, V5 };
    static const int depths[] = { 1, 2, 4, 8, 24, 16, 32 };
    for (size_t h = 0; h < sizeof headers; h++)
        for (int d = 0; d < (headers[h] == 12 ? 5 : 7); d++)
            for (int top_down = 0; top_down < (headers[h] == 12 ? 1 : 2); top_down++)
                for (int grey = 0; grey < 2; grey++) {
                    struct file f;
                    int depth = depths[d];
                    header(&f, headers[h], WIDTH, top_down ? -HEIGHT : HEIGHT, depth, 0);
                    if (depth <= 8)
                        palette(&f, 1 << depth, grey);
                    rows(&f, depth, top_down);
                    px_header got = { 0 };
                    uint8_t *back = NULL;
                    assert_int_equal(decode(f.data, f.count, &got, &back), PX_OK);
                    assert_int_equal(got.width, WIDTH);
                    assert_int_equal(got.height, HEIGHT);
                    assert_int_equal(got.alpha, PX_OPAQUE);
                    assert_int_equal(got.model, depth <= 8 && grey ? PX_GREY : PX_RGB);
                    for (int y = 0, i = 0; y < HEIGHT; y++)
                        for (int x = 0; x < WIDTH; x++)
                            for (int c = 0; c < px_channels(got.model, PX_OPAQUE); c++, i++) {
                                uint32_t v = stored(x, y, depth);
                                int expected = depth == 16 ? (int)((v >> (10 - 5 * c) & 31) * 255 / 31.0 + 0.5)
                                             : depth > 8   ? (int)(v >> (16 - 8 * c) & 255)
                                             : grey        ? 255 - (int)v
                                                           : (uint8_t)(v * 37 + (uint32_t)(2 - c) * 90);
                                assert_int_equal(back[i], expected);
                            }
                    free(back);
                }
}

static void masks_tell_where_the_colours_are(void **state)
{
    (void)state;
    static const struct { uint32_t masks[4]; int depth, header, compression; bool alpha; } cases[] = {
        { { 0xf800, 0x7e0, 0x1f, 0 }, 16, 40, 3, false },
        { { 0xf00, 0xf0, 0xf, 0xf000 }, 16, V4, 3, true },
        { { 0x7c00, 0x3e0, 0x1f, 0x8000 }, 16, 56, 3, true },
        { { 0xff0000, 0xff00, 0xff, 0xff000000 }, 32, V5, 3, true },
        { { 0xff, 0xff00, 0xff0000, 0xff000000 }, 32, 40, 6, true },
        { { 0x3ff00000, 0xffc00, 0x3ff, 0xc0000000 }, 32, V4, 3, true }, /* 10, 10, 10, 2 */
        { { 0xff000000, 0xff0000, 0xff00, 0 }, 32, 52, 3, false },
        { { 0xffffffff, 0, 1, 0 }, 32, V4, 3, false },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct file f;
        header(&f, (uint32_t)cases[k].header, WIDTH, HEIGHT, cases[k].depth, cases[k].compression);
        for (int c = 0; c < (cases[k].compression == 6 || cases[k].header >= 56 ? 4 : 3); c++)
            put(&f, 54 + 4 * (size_t)c, cases[k].masks[c], 4);
        f.count = cases[k].header > 40 ? f.count : f.count + (cases[k].compression == 6 ? 16 : 12);
        rows(&f, cases[k].depth, false);
        px_header got = { 0 };
        uint8_t *back = NULL;
        assert_int_equal(decode(f.data, f.count, &got, &back), PX_OK);
        assert_int_equal(got.alpha, cases[k].alpha ? PX_STRAIGHT : PX_OPAQUE);
        int channels = cases[k].alpha ? 4 : 3;
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                for (int c = 0; c < channels; c++) {
                    uint32_t mask = cases[k].masks[c], low = mask & (0u - mask);
                    uint32_t value = mask ? (stored(x, y, cases[k].depth) & mask) / low : 0, most = mask ? mask / low : 1;
                    assert_int_equal(back[(y * WIDTH + x) * channels + c], (int)(value * 255.0 / most + 0.5));
                }
        free(back);
    }
}

static void run_lengths_are_undone(void **state)
{
    (void)state;
    /* 6 x 4; each row is told in another way: a run and its end, literals with padding, a jump, nothing. The last row comes first. */
    static const uint8_t rle8[] = { 6, 7, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 0, 2, 3, 0, 2, 9, 0, 1 };
    static const uint8_t rle4[] = { 6, 0x75, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 0, 0, 0, 2, 3, 0, 2, 0x99, 0, 1 };
    static const uint8_t expected[2][4][6] = { { { 0 }, { 0, 0, 0, 9, 9, 0 }, { 1, 2, 3, 4, 5, 0 }, { 7, 7, 7, 7, 7, 7 } },
                                               { { 0 }, { 0, 0, 0, 9, 9, 0 }, { 1, 2, 3, 4, 5, 0 }, { 7, 5, 7, 5, 7, 5 } } };
    for (int four = 0; four < 2; four++)
        for (int pass = 0; pass < 2; pass++) {
            struct file f;
            header(&f, 40, 6, 4, four ? 4 : 8, four ? 2 : 1);
            palette(&f, four ? 16 : 256, true);
            put(&f, 10, (uint32_t)f.count, 4);
            append(&f, four ? rle4 : rle8, four ? sizeof rle4 : sizeof rle8);
            size_t whole = f.count;
            px_header got = { 0 };
            uint8_t *back = NULL;
            assert_int_equal(decode(f.data, f.count, &got, &back), PX_OK);
            for (int i = 0; i < 24; i++)
                assert_int_equal(back[i], 255 - expected[four][i / 6][i % 6]);
            free(back);
            for (f.count = whole - 1; f.count > 18; f.count--)
                assert_int_equal(decode(f.data, f.count, &got, &back), PX_TRUNCATED_IMAGE);
        }
}

static void runs_that_leave_the_picture_are_refused(void **state)
{
    (void)state;
    static const uint8_t wrong[][8] = { { 7, 1 }, { 6, 1, 1, 1 }, { 0, 7, 1, 1, 1, 1, 1, 1 }, { 0, 2, 7, 0 }, { 0, 2, 0, 5 },
                                        { 0, 2, 0, 4, 1, 1 }, { 0, 2, 255, 255 } };
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        struct file f;
        header(&f, 40, 6, 4, 8, 1);
        palette(&f, 256, true);
        put(&f, 10, (uint32_t)f.count, 4);
        append(&f, wrong[k], 8);
        f.count += 20;
        px_header got = { 0 };
        uint8_t *back = NULL;
        assert_int_equal(decode(f.data, f.count, &got, &back), PX_CORRUPT_IMAGE);
    }
}

static void a_profile_inside_is_found(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct file f;
        header(&f, V5, WIDTH, HEIGHT, 24, 0);
        put(&f, 14 + 56, kind == 1 ? 0x4c494e4b : 0x4d424544, 4); /* one is only linked */
        rows(&f, 24, false);
        put(&f, 14 + 112, (uint32_t)f.count - 14, 4);
        put(&f, 14 + 116, kind == 2 ? 1000 : 9, 4); /* one is not all there */
        append(&f, "a profile", 9);
        px_limits limits = PX_LIMITS_DEFAULT;
        px_source source = source_of(f.data, f.count);
        px_decoder *decoder = NULL;
        assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
        assert_true(px_bytes_equal(decoder->header.profile, px_bytes_of(kind == 0 ? "a profile" : "")));
        px_decoder_close(&decoder);
        px_source_close(&source);
    }
}

static void cuts_and_contradictions_are_told_apart(void **state)
{
    (void)state;
    struct file f;
    px_header got = { 0 };
    uint8_t *back = NULL;
    header(&f, 40, WIDTH, HEIGHT, 8, 0);
    palette(&f, 256, false);
    rows(&f, 8, false);
    for (size_t n = 0; n < f.count; n++)
        assert_int_equal(decode(f.data, n, &got, &back), n < 18 ? PX_UNSUPPORTED_FORMAT : PX_TRUNCATED_IMAGE);
    static const struct { int header, width, height, depth, compression; px_status status; } cases[] = {
        { 40, 0, 5, 24, 0, PX_CORRUPT_IMAGE },       { 40, -5, 5, 24, 0, PX_TOO_MANY_PIXELS },     { 40, 5, INT32_MIN, 24, 0, PX_TOO_MANY_PIXELS },
        { 40, 60000, 60000, 24, 0, PX_TOO_MANY_PIXELS }, { 40, 5, 5, 3, 0, PX_CORRUPT_IMAGE },     { 40, 5, 5, 0, 0, PX_CORRUPT_IMAGE },
        { 40, 5, 5, 24, 1, PX_CORRUPT_IMAGE },       { 40, 5, 5, 4, 1, PX_CORRUPT_IMAGE },         { 40, 5, 5, 8, 3, PX_CORRUPT_IMAGE },
        { 40, 5, 5, 0, 4, PX_UNSUPPORTED_FORMAT },   { 40, 5, 5, 0, 5, PX_UNSUPPORTED_FORMAT },    { 64, 5, 5, 1, 3, PX_UNSUPPORTED_FORMAT },
        { 41, 5, 5, 24, 0, PX_UNSUPPORTED_FORMAT },  { 12, 5, 5, 7, 0, PX_CORRUPT_IMAGE },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        header(&f, (uint32_t)cases[k].header, cases[k].width, cases[k].height, cases[k].depth, cases[k].compression);
        f.count = sizeof f.data;
        assert_int_equal(decode(f.data, f.count, &got, &back), cases[k].status);
    }
    header(&f, 40, 5, 5, 16, 3);
    put(&f, 54, 0x5000, 4); /* scattered */
    f.count = sizeof f.data;
    assert_int_equal(decode(f.data, f.count, &got, &back), PX_CORRUPT_IMAGE);
    header(&f, 40, 5, 5, 24, 0);
    put(&f, 10, 20, 4); /* pixels in the header */
    assert_int_equal(decode(f.data, f.count, &got, &back), PX_CORRUPT_IMAGE);
}

static void a_flipped_byte_never_crashes(void **state)
{
    (void)state;
    struct file f;
    header(&f, V5, WIDTH, HEIGHT, 8, 1);
    palette(&f, 256, false);
    rows(&f, 8, false);
    for (size_t n = 0; n < f.count; n++)
        for (int bit = 0; bit < 8; bit++) {
            px_header got = { 0 };
            uint8_t *back = NULL;
            f.data[n] ^= (uint8_t)(1 << bit);
            if (decode(f.data, f.count, &got, &back) == PX_OK)
                free(back);
            f.data[n] ^= (uint8_t)(1 << bit);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_depth_of_every_header_decodes),
        cmocka_unit_test(masks_tell_where_the_colours_are),
        cmocka_unit_test(run_lengths_are_undone),
        cmocka_unit_test(runs_that_leave_the_picture_are_refused),
        cmocka_unit_test(a_profile_inside_is_found),
        cmocka_unit_test(cuts_and_contradictions_are_told_apart),
        cmocka_unit_test(a_flipped_byte_never_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
