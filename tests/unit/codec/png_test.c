/* PNG: what is written is what is read, whatever the model; files of every colour type, depth and interlacing, made here
 * by the book, decode to the samples they hold; damage and cuts are told apart. */
#include "picture.h"

#include <string.h>

#include <libdeflate.h>

#include "codec/png/filter.h"

/* A file being made. */
struct file {
    uint8_t data[1 << 16];
    size_t count;
};

static void put_32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void chunk(struct file *f, const char *type, const void *data, size_t count)
{
    uint8_t *at = f->data + f->count;
    assert_true(f->count + count + 12 <= sizeof f->data);
    put_32(at, (uint32_t)count);
    memcpy(at + 4, type, 4);
    if (count)
        memcpy(at + 8, data, count);
    put_32(at + 8 + count, libdeflate_crc32(0, at + 4, count + 4));
    f->count += count + 12;
}

static void header(struct file *f, uint32_t width, uint32_t height, int depth, int colour_type, int interlace)
{
    uint8_t h[13] = { [8] = (uint8_t)depth, [9] = (uint8_t)colour_type, [12] = (uint8_t)interlace };
    put_32(h, width);
    put_32(h + 4, height);
    memcpy(f->data, "\x89PNG\r\n\x1a\n", 8);
    f->count = 8;
    chunk(f, "IHDR", h, sizeof h);
}

/* Deflates raw rows into IDATs of at most `piece` bytes, and ends the file. */
static void image(struct file *f, const uint8_t *raw, size_t count, size_t piece)
{
    uint8_t packed[1 << 15];
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    size_t bytes = libdeflate_zlib_compress(c, raw, count, packed, sizeof packed);
    libdeflate_free_compressor(c);
    assert_true(bytes > 0);
    for (size_t at = 0; at < bytes; at += piece)
        chunk(f, "IDAT", packed + at, bytes - at < piece ? bytes - at : piece);
    chunk(f, "IEND", NULL, 0);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++)
        for (int width = 1; width <= 130; width += 43) {
            px_encoder_spec spec = { .format = PX_FORMAT_PNG, .width = width, .height = 61,
                                     .model = kind & 1 ? PX_RGB : PX_GREY,
                                     .alpha = kind & 2 ? PX_STRAIGHT : PX_OPAQUE, .orientation = 6 };
            size_t samples_count = (size_t)(width * 61 * px_channels(spec.model, spec.alpha)), count;
            uint8_t *samples = picture(width, 61, px_channels(spec.model, spec.alpha)), *back = NULL;
            uint32_t random = 7;
            for (size_t i = 0; i < samples_count; i += 3)
                samples[i] = (uint8_t)next_random(&random);
            uint8_t *data = encode(spec, samples, &count);
            px_header h;
            assert_int_equal(decode(data, count, &h, &back), PX_OK);
            assert_int_equal(h.width, width);
            assert_int_equal(h.model, spec.model);
            assert_int_equal(h.alpha, spec.alpha);
            assert_int_equal(h.orientation, 6);
            assert_memory_equal(back, samples, samples_count);
            free(back);
            free(data);
            free(samples);
        }
}

/* One bit at a time, most significant first: how PNG packs rows, here without a thought for speed. */
static void put_sample(uint8_t *row, size_t index, int depth, unsigned value)
{
    for (int b = 0; b < depth; b++)
        if (value >> (depth - 1 - b) & 1)
            row[(index * (size_t)depth + (size_t)b) / 8] |= (uint8_t)(0x80 >> ((index * (size_t)depth + (size_t)b) % 8));
}

enum { WIDTH = 13, HEIGHT = 11 };

static unsigned stored(int x, int y, int c, int depth)
{
    uint32_t random = (uint32_t)(1 + x + 31 * y + 997 * c);
    for (int i = 0; i < 4; i++)
        next_random(&random);
    return random >> 7 & ((1u << depth) - 1);
}

static size_t put_rows(uint8_t *raw, int x0, int y0, int dx, int dy, int channels, int depth)
{
    size_t at = 0;
    int across = (WIDTH - x0 + dx - 1) / dx;
    if (x0 >= WIDTH)
        return 0;
    for (int y = y0; y < HEIGHT; y += dy) {
        at++; /* filter 0 */
        for (int x = x0, i = 0; x < WIDTH; x += dx)
            for (int c = 0; c < channels; c++, i++)
                put_sample(raw + at, (size_t)i, depth, stored(x, y, c, depth));
        at += (size_t)((across * channels * depth + 7) / 8);
    }
    return at;
}

static void every_colour_type_depth_and_interlacing_decodes(void **state)
{
    (void)state;
    static const struct { int type, channels, depths; } types[] = {
        { 0, 1, 1 | 2 | 4 | 8 | 16 }, { 2, 3, 8 | 16 }, { 3, 1, 1 | 2 | 4 | 8 }, { 4, 2, 8 | 16 }, { 6, 4, 8 | 16 },
    };
    static const int adam[7][4] = { { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 }, { 0, 2, 2, 4 },
                                    { 1, 0, 2, 2 }, { 0, 1, 1, 2 } };
    uint8_t palette[768], *back = NULL;
    for (int i = 0; i < 768; i++)
        palette[i] = (uint8_t)(i * 7);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int depth = 1; depth <= 16; depth *= 2)
            for (int variant = 0; variant < 4; variant++) {
                bool interlaced = variant & 1, key = variant & 2;
                int type = types[t].type, channels = types[t].channels;
                if (!(types[t].depths & depth) || (key && type >= 4))
                    continue;
                struct file f;
                uint8_t raw[4096] = { 0 };
                size_t count = 0;
                if (interlaced)
                    for (int p = 0; p < 7; p++)
                        count += put_rows(raw + count, adam[p][0], adam[p][1], adam[p][2], adam[p][3], channels, depth);
                else
                    count = put_rows(raw, 0, 0, 1, 1, channels, depth);
                header(&f, WIDTH, HEIGHT, depth, type, interlaced);
                if (type == 3)
                    chunk(&f, "PLTE", palette, (size_t)3 << depth);
                uint8_t transparent[6] = { 0 };
                for (int c = 0; c < channels && type < 3; c++) {
                    transparent[2 * c] = (uint8_t)(stored(5, 5, c, depth) >> 8);
                    transparent[2 * c + 1] = (uint8_t)stored(5, 5, c, depth);
                }
                if (key)
                    chunk(&f, "tRNS", transparent, type == 3 ? 2 : 2 * (size_t)channels);
                image(&f, raw, count, 11);

                px_header h = { 0 };
                assert_int_equal(decode(f.data, f.count, &h, &back), PX_OK);
                int out = px_channels(h.model, h.alpha);
                assert_int_equal(out, (type == 3 ? 3 : channels) + key);
                for (int y = 0; y < HEIGHT; y++)
                    for (int x = 0; x < WIDTH; x++) {
                        const uint8_t *pixel = back + (y * WIDTH + x) * out;
                        unsigned index = stored(x, y, 0, depth);
                        bool is_key = true;
                        for (int c = 0; c < (type == 3 ? 3 : channels); c++) {
                            unsigned value = stored(x, y, c, depth);
                            is_key = is_key && value == stored(5, 5, c, depth);
                            unsigned expected = type == 3 ? palette[3 * index + (unsigned)c]
                                                          : (unsigned)(value * 255.0 / ((1 << depth) - 1) + 0.5);
                            assert_int_equal(pixel[c], expected);
                        }
                        if (key)
                            assert_int_equal(pixel[out - 1], (type == 3 ? index < 2 : is_key) ? 0 : 255);
                    }
                free(back);
            }
}

/* The colour type that a file says. */
static int written_type(px_encoder_spec spec, const uint8_t *samples)
{
    size_t count;
    uint8_t *data = encode(spec, samples, &count);
    int type = data[25];
    free(data);
    return type;
}

/* Alpha that is opaque everywhere goes, and so do colours that are grey; where a single pixel differs, nothing does. The rest is read back. */
static void channels_that_say_nothing_are_left_out(void **state)
{
    (void)state;
    enum { ACROSS = 40, DOWN = 30, PIXELS = ACROSS * DOWN };
    for (int effort = PX_EFFORT_LOW; effort < PX_EFFORT_COUNT; effort++)
        for (int kind = 0; kind < 8; kind++) { /* bits: grey; opaque; but for one pixel */
            bool grey = kind & 1, opaque = kind & 2, but_one = kind & 4;
            px_encoder_spec spec = { .format = PX_FORMAT_PNG, .width = ACROSS, .height = DOWN, .model = PX_RGB, .alpha = PX_STRAIGHT,
                                     .effort = (px_effort)effort };
            uint8_t samples[PIXELS][4], *back = NULL;
            uint32_t random = 5;
            for (int i = 0; i < PIXELS; i++) {
                samples[i][0] = (uint8_t)next_random(&random);
                samples[i][1] = grey ? samples[i][0] : (uint8_t)next_random(&random);
                samples[i][2] = grey ? samples[i][0] : (uint8_t)next_random(&random);
                samples[i][3] = opaque ? 255 : (uint8_t)(i % 200);
            }
            if (but_one) {
                samples[PIXELS - 1][3] = 254;
                samples[PIXELS - 2][2] ^= 1;
            }
            int expected = (grey && !but_one ? 0 : 2) + (opaque && !but_one ? 0 : 4);
            int type = written_type(spec, samples[0]);
            assert_true(type == expected || (type == 3 && grey && opaque)); /* 256 greys are a palette as well */
            size_t count;
            uint8_t *data = encode(spec, samples[0], &count);
            px_header h = { 0 };
            assert_int_equal(decode(data, count, &h, &back), PX_OK);
            int channels = px_channels(h.model, h.alpha);
            for (int i = 0; i < PIXELS; i++) {
                const uint8_t *pixel = back + i * channels;
                int green = h.model == PX_GREY ? 0 : 1;
                assert_int_equal(pixel[0], samples[i][0]);
                assert_int_equal(pixel[green], samples[i][1]);
                assert_int_equal(pixel[2 * green], samples[i][2]);
                assert_int_equal(h.alpha == PX_OPAQUE ? 255 : pixel[channels - 1], samples[i][3]);
            }
            free(back);
            free(data);
        }
}

/* A profile of colours has to stay with colours. */
static void what_has_a_profile_keeps_its_colours(void **state)
{
    (void)state;
    static const uint8_t profile[200] = { 1 };
    uint8_t samples[64 * 64 * 3];
    uint32_t random = 5;
    for (size_t i = 0; i < sizeof samples; i += 3)
        memset(samples + i, (int)(next_random(&random) & 255), 3);
    px_encoder_spec spec = { .format = PX_FORMAT_PNG, .width = 64, .height = 64, .model = PX_RGB, .effort = PX_EFFORT_LOW };
    assert_int_equal(written_type(spec, samples), 0);
    spec.profile = (px_bytes){ profile, sizeof profile };
    assert_int_equal(written_type(spec, samples), 2);
}

/* Kinds of pictures that want different filters: a gradient, pieces of one pattern, noise on a slope. More than 256 colours each. */
static void paint(int kind, int width, int height, uint8_t *samples)
{
    uint32_t random = 9;
    uint8_t pattern[300];
    for (int i = 0; i < 300; i++)
        pattern[i] = (uint8_t)next_random(&random);
    for (int y = 0; y < height; y++) {
        int shift = (int)(next_random(&random) % 50);
        for (int x = 0; x < width; x++, samples += 3)
            for (int c = 0; c < 3; c++)
                samples[c] = (uint8_t)(kind == 0 ? (x * (c + 1) + y) / 2
                                     : kind == 1 ? pattern[(x + shift) % 97 * 3 + c] : x / 2 + y / 3 + (int)(next_random(&random) % 9));
    }
}

static size_t fixed_size(int filter, const uint8_t *samples, int width, int height, int level)
{
    size_t count = (size_t)width * 3, bytes = (count + 1) * (size_t)height;
    uint8_t *raw = malloc(bytes), *packed = malloc(bytes * 2), *zeros = calloc(count, 1);
    for (int y = 0; y < height; y++)
        px_png_filter((px_png_strategy)filter, samples + (size_t)y * count, y ? samples + (size_t)(y - 1) * count : zeros, count, 3, NULL,
                      raw + (size_t)y * (count + 1));
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    size_t got = libdeflate_zlib_compress(c, raw, bytes, packed, bytes * 2);
    libdeflate_free_compressor(c);
    free(raw);
    free(packed);
    free(zeros);
    return got;
}

/* docs/quality.md: at most 1 % more than the best of the five filters alone, at the same level. */
static void no_filter_alone_would_have_done_better(void **state)
{
    (void)state;
    enum { ACROSS = 300, DOWN = 200 };
    static const int levels[PX_EFFORT_COUNT] = { 2, 6, 12 };
    static uint8_t samples[ACROSS * DOWN * 3];
    for (int effort = 0; effort < PX_EFFORT_COUNT; effort++)
        for (int kind = 0; kind < 3; kind++) {
            size_t count, least = SIZE_MAX;
            paint(kind, ACROSS, DOWN, samples);
            free(encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = ACROSS, .height = DOWN, .model = PX_RGB, .effort = (px_effort)effort },
                        samples, &count));
            for (int filter = 0; filter < PX_PNG_FILTERS; filter++) {
                size_t size = fixed_size(filter, samples, ACROSS, DOWN, levels[effort]);
                least = size < least ? size : least;
            }
            if (count > least + least / 100 + 57) /* what is around the data */
                fail_msg("effort %d, picture %d: %zu bytes, and %zu by one filter", effort, kind, count, least);
        }
}

static void a_cut_is_truncated_wherever_it_falls(void **state)
{
    (void)state;
    uint8_t *samples = picture(40, 30, 3), *back = NULL;
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = 40, .height = 30, .model = PX_RGB },
                           samples, &count);
    px_header h;
    for (size_t n = 0; n < count - 12; n++)
        assert_int_equal(decode(data, n, &h, &back), n < 8 ? PX_UNSUPPORTED_FORMAT : PX_TRUNCATED_IMAGE);
    assert_int_equal(decode(data, count - 12, &h, &back), PX_OK); /* only IEND is missing */
    free(back);
    free(data);
    free(samples);
}

/* Rows are worked on in groups, but come out up to the very row that cannot. */
static void rows_in_front_of_damage_come_first(void **state)
{
    (void)state;
    enum { SIDE = 21, DAMAGED = 13, RAW = SIDE + 1 };
    for (int kind = 0; kind < 2; kind++) { /* cut; a filter that is none */
        struct file f;
        uint8_t packed[1024], raw[RAW * SIDE] = { 0 };
        for (int y = 0; y < SIDE; y++)
            memset(raw + y * RAW + 1, y, SIDE);
        raw[DAMAGED * RAW] = kind ? 9 : 0;
        header(&f, SIDE, SIDE, 8, 0, 0);
        struct libdeflate_compressor *c = libdeflate_alloc_compressor(0); /* stored: rows lie in the file as they are */
        size_t bytes = libdeflate_zlib_compress(c, raw, sizeof raw, packed, sizeof packed), start = f.count + 8;
        libdeflate_free_compressor(c);
        chunk(&f, "IDAT", packed, bytes);
        px_source source = source_of(f.data, kind ? f.count : start + 2 + 5 + DAMAGED * RAW + 3);
        px_limits limits = PX_LIMITS_DEFAULT;
        px_decoder *decoder = NULL;
        px_row row;
        int width, height;
        assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
        assert_int_equal(decoder->start(decoder, 8, &width, &height, NULL), PX_OK);
        for (int y = 0; y < DAMAGED; y++) {
            assert_int_equal(decoder->pull(decoder, &row, NULL), PX_OK);
            assert_int_equal(row.planes[0].samples[SIDE - 1], y);
        }
        px_error err;
        assert_int_equal(decoder->pull(decoder, &row, &err), kind ? PX_CORRUPT_IMAGE : PX_TRUNCATED_IMAGE);
        assert_string_equal(err.message, kind ? "PNG: a row has filter 9" : "PNG: the file ends before the picture does");
        px_decoder_close(&decoder);
        px_source_close(&source);
    }
}

/* All of them: the rounding is done without a division. */
static void every_value_of_16_bits_is_rounded_to_the_nearest(void **state)
{
    (void)state;
    static struct file f;
    static uint8_t raw[256 * 513];
    uint8_t *back = NULL;
    for (int y = 0; y < 256; y++) {
        uint8_t *row = raw + y * 513;
        row[0] = y ? 2 : 0;
        for (int x = 0; x < 256; x++) {
            row[1 + 2 * x] = y ? 1 : 0; /* one more than above */
            row[2 + 2 * x] = (uint8_t)(y ? 0 : x);
        }
    }
    header(&f, 256, 256, 16, 0, 0);
    image(&f, raw, sizeof raw, 10000);
    px_header h = { 0 };
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_OK);
    for (int value = 0; value < 65536; value++)
        assert_int_equal(back[value], (value * 255 + 32767) / 65535);
    free(back);
}

static void a_flipped_bit_is_noticed(void **state)
{
    (void)state;
    uint8_t *samples = picture(20, 16, 3), *back = NULL;
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = 20, .height = 16, .model = PX_RGB },
                           samples, &count);
    px_header h;
    for (size_t n = 8; n < count - 12; n++) {
        data[n] ^= 0x10;
        px_status status = decode(data, count, &h, &back);
        assert_true(status == PX_CORRUPT_IMAGE || status == PX_TRUNCATED_IMAGE || status == PX_TOO_MANY_BYTES);
        data[n] ^= 0x10;
    }
    free(data);
    free(samples);
}

static void a_claim_of_too_many_pixels_is_refused_by_its_header(void **state)
{
    (void)state;
    struct file f;
    header(&f, 60000, 60000, 8, 2, 1);
    px_header h;
    uint8_t *back;
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_TOO_MANY_PIXELS);
    header(&f, 65536, 1, 8, 2, 0);
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_TOO_MANY_PIXELS);
    header(&f, 0xffffffff, 0xffffffff, 8, 2, 0);
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_TOO_MANY_PIXELS);
    header(&f, 0, 10, 8, 2, 0);
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_CORRUPT_IMAGE);
}

static void rows_that_contradict_the_format_are_refused(void **state)
{
    (void)state;
    struct file f;
    uint8_t raw[64] = { 5 }, *back; /* there is no filter 5 */
    px_header h;
    header(&f, 4, 4, 8, 2, 0);
    image(&f, raw, 52, 1000);
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_CORRUPT_IMAGE);
    raw[0] = 0;
    header(&f, 4, 4, 8, 2, 0);
    image(&f, raw, 51, 1000); /* a byte is missing */
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_CORRUPT_IMAGE);
    header(&f, 4, 4, 8, 3, 0);
    image(&f, raw, 20, 1000); /* no palette */
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_CORRUPT_IMAGE);
    header(&f, 4, 4, 3, 2, 0);
    image(&f, raw, 52, 1000);
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_CORRUPT_IMAGE);
}

/* Cleaned, an animation still plays. */
static void cleaning_keeps_the_chunks_of_an_animation(void **state)
{
    (void)state;
    static const char *const kept[] = { "acTL", "fcTL", "IDAT", "fdAT" };
    struct file f;
    uint8_t body[26] = { 0 }, row[4] = { 0 };
    header(&f, 1, 1, 8, 2, 0);
    chunk(&f, "acTL", body, 8);
    chunk(&f, "fcTL", body, 26);
    chunk(&f, "tEXt", "Where\0GPS", 9);
    chunk(&f, "fdAT", body, 12);
    image(&f, row, sizeof row, 100);
    px_source source = source_of(f.data, f.count);
    int fd = empty_fd();
    uint64_t bytes;
    size_t count;
    assert_int_equal(px_format_clean(&(px_encoder_spec){ .format = PX_FORMAT_PNG, .orientation = 1 }, &source, fd, &bytes, NULL), PX_OK);
    uint8_t *out = bytes_of(fd, &count);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        assert_non_null(memmem(out, count, kept[i], 4));
    assert_null(memmem(out, count, "GPS", 3));
    assert_int_equal(count, f.count - 12 - 9);
    free(out);
    close(fd);
    px_source_close(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(every_colour_type_depth_and_interlacing_decodes),
        cmocka_unit_test(channels_that_say_nothing_are_left_out),
        cmocka_unit_test(what_has_a_profile_keeps_its_colours),
        cmocka_unit_test(no_filter_alone_would_have_done_better),
        cmocka_unit_test(a_cut_is_truncated_wherever_it_falls),
        cmocka_unit_test(rows_in_front_of_damage_come_first),
        cmocka_unit_test(every_value_of_16_bits_is_rounded_to_the_nearest),
        cmocka_unit_test(a_flipped_bit_is_noticed),
        cmocka_unit_test(a_claim_of_too_many_pixels_is_refused_by_its_header),
        cmocka_unit_test(rows_that_contradict_the_format_are_refused),
        cmocka_unit_test(cleaning_keeps_the_chunks_of_an_animation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
