/* GIF: what is written is what is read; the odd things that files in the world do; cuts, damage and claims are told apart. */
#include "picture.h"

#include <string.h>

#include "codec/gif/lzw.h"

/* A file being made. */
struct file {
    uint8_t data[4096];
    size_t count;
};

static void put(struct file *f, const void *data, size_t count)
{
    assert_true(f->count + count <= sizeof f->data);
    memcpy(f->data + f->count, data, count);
    f->count += count;
}

static void put_16(struct file *f, int value) { put(f, (uint8_t[]){ (uint8_t)value, (uint8_t)(value >> 8) }, 2); }

/* Black, white, red, green. */
static void head(struct file *f, int width, int height, bool colours)
{
    f->count = 0;
    put(f, "GIF89a", 6);
    put_16(f, width);
    put_16(f, height);
    put(f, (uint8_t[]){ colours ? 0x81 : 0, 0, 0 }, 3);
    if (colours)
        put(f, "\0\0\0\xff\xff\xff\xff\0\0\0\xff\0", 12);
}

static void control(struct file *f, int disposal, int hundredths, int transparent)
{
    put(f, (uint8_t[]){ 0x21, 0xf9, 4, (uint8_t)(disposal << 2 | (transparent >= 0)) }, 4);
    put_16(f, hundredths);
    put(f, (uint8_t[]){ (uint8_t)(transparent >= 0 ? transparent : 0), 0 }, 2);
}

/* A frame whose pixels are given in the order of the file. */
static void frame(struct file *f, int x, int y, int width, int height, bool interlaced, const char *pixels)
{
    static uint32_t table[PX_LZW_TABLE];
    px_buffer packed = { 0 };
    uint8_t indices[256];
    put(f, ",", 1);
    put_16(f, x);
    put_16(f, y);
    put_16(f, width);
    put_16(f, height);
    put(f, (uint8_t[]){ interlaced ? 0x40 : 0 }, 1);
    for (size_t i = 0; i < strlen(pixels); i++)
        indices[i] = (uint8_t)(pixels[i] - '0');
    px_lzw_write(&packed, indices, strlen(pixels), 2, table);
    put(f, packed.data, packed.count);
    px_buffer_done(&packed);
}

static void end(struct file *f) { put(f, ";", 1); }

/* Plays the whole: a line of pixels as letters for each frame (. is transparent), and milliseconds. */
static px_status play(const struct file *f, px_header *ret, char text[][64], int *ms)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(f->data, f->count);
    px_decoder *decoder = NULL;
    int width, height;
    px_status status = px_decoder_open(&source, &limits, &decoder, NULL);
    if (status == PX_OK)
        status = decoder->start(decoder, 8, &width, &height, NULL);
    for (int i = 0; status == PX_OK && i < decoder->header.frames; i++) {
        *ret = decoder->header;
        if (decoder->next)
            status = decoder->next(decoder, &ms[i], NULL);
        size_t at = 0;
        for (int y = 0; y < height && status == PX_OK; y++) {
            px_row row;
            status = decoder->pull(decoder, &row, NULL);
            int channels = px_channels(decoder->header.model, decoder->header.alpha);
            for (int x = 0; x < width && status == PX_OK; x++) {
                const uint8_t *p = row.planes[0].samples + x * channels;
                text[i][at++] = channels == 4 && p[3] == 0 ? '.' : p[0] && p[1] ? 'w' : p[0] ? 'r' : p[1] ? 'g' : 'b';
            }
        }
        text[i][at] = '\0';
    }
    px_decoder_close(&decoder);
    px_source_close(&source);
    return status;
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    static uint32_t table[PX_LZW_TABLE];
    static uint8_t pixels[100000], back[100000];
    static px_unlzw reader;
    for (int bits = 1; bits <= 8; bits++)
        for (int kind = 0; kind < 3; kind++)
            for (size_t count = 1; count <= sizeof pixels; count = count < 40 ? count + 1 : count * 3 - 1) {
                uint32_t random = 5;
                px_buffer packed = { 0 };
                for (size_t i = 0; i < count; i++)
                    pixels[i] = (uint8_t)((kind == 0 ? 0 : kind == 1 ? next_random(&random) >> 7 : i / 97) & ((1u << bits) - 1));
                px_lzw_write(&packed, pixels, count, bits, table);
                assert_int_equal(px_unlzw_init(&reader, px_buffer_bytes(&packed), 0, NULL), PX_OK);
                for (size_t at = 0; at < count; at += 977)
                    assert_int_equal(px_unlzw_pull(&reader, back + at, count - at < 977 ? count - at : 977, NULL), PX_OK);
                assert_memory_equal(back, pixels, count);
                uint8_t one;
                assert_int_equal(px_unlzw_pull(&reader, &one, 1, NULL), PX_CORRUPT_IMAGE);
                px_buffer_done(&packed);
            }
}

static void every_disposal_leaves_what_it_should(void **state)
{
    (void)state;
    static const struct {
        int disposal;
        const char *third;
    } cases[] = { { 0, "wrgw" }, { 1, "wrgw" }, { 2, "w.gw" }, { 3, "wwgw" }, { 4, "wwgw" }, { 7, "wrgw" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct file f;
        head(&f, 4, 1, true);
        control(&f, 0, 7, -1);
        frame(&f, 0, 0, 4, 1, false, "1111");
        control(&f, cases[i].disposal, 0, 3);
        frame(&f, 1, 0, 2, 1, false, "23");
        control(&f, 0, 1, -1);
        frame(&f, 2, 0, 1, 1, false, "3");
        end(&f);
        px_header header;
        char text[3][64];
        int ms[3];
        assert_int_equal(play(&f, &header, text, ms), PX_OK);
        assert_string_equal(text[0], "wwww");
        assert_string_equal(text[1], "wrww");
        assert_string_equal(text[2], cases[i].third);
        assert_int_equal(header.alpha, cases[i].disposal == 2 ? PX_STRAIGHT : PX_OPAQUE);
        assert_int_equal(ms[0], 70);
        assert_int_equal(ms[1], 100); /* as browsers play 0 and 1 */
        assert_int_equal(ms[2], 100);
        assert_int_equal(header.loops, 1);
    }
}

static void odd_files_come_out_as_in_browsers(void **state)
{
    (void)state;
    px_header header;
    char text[3][64];
    int ms[3];
    struct file f;
    head(&f, 2, 2, true); /* a first frame larger than the screen enlarges it; a later one is cut */
    frame(&f, 1, 0, 2, 3, false, "111111");
    frame(&f, 2, 2, 3, 9, false, "222222222222222222222222222");
    frame(&f, 9, 9, 1, 1, false, "2");
    end(&f);
    assert_int_equal(play(&f, &header, text, ms), PX_OK);
    assert_int_equal(header.width, 3);
    assert_string_equal(text[0], ".ww.ww.ww");
    assert_string_equal(text[1], ".ww.ww.wr");
    assert_string_equal(text[2], ".ww.ww.wr");
    head(&f, 1, 10, true); /* rows in the order 0, 8, 4, 2, 6, 1, 3, 5, 7, 9; the end is not marked */
    frame(&f, 0, 0, 1, 10, true, "1230012333");
    assert_int_equal(play(&f, &header, text, ms), PX_OK);
    assert_string_equal(text[0], "wwbrggbgrg");
    head(&f, 2, 1, false); /* no colours at all: greys */
    frame(&f, 0, 0, 2, 1, false, "03");
    end(&f);
    assert_int_equal(play(&f, &header, text, ms), PX_OK);
    assert_string_equal(text[0], "bw");
    head(&f, 3, 1, true);
    control(&f, 3, 5, -1); /* nothing to go back to */
    frame(&f, 0, 0, 3, 1, false, "111");
    put(&f, "\0\0", 2);
    frame(&f, 0, 0, 1, 1, false, "2");
    put(&f, "\x21\xff\x0bNETSCAPE2.0\x03\x01\x05\x00\x00;", 20); /* where nobody looks for it; 5 repeats */
    assert_int_equal(play(&f, &header, text, ms), PX_OK);
    assert_string_equal(text[1], "r..");
    assert_int_equal(header.loops, 6);
}

static void cuts_damage_and_claims_are_told_apart(void **state)
{
    (void)state;
    px_header header;
    char text[3][64];
    int ms[3];
    struct file f;
    head(&f, 4, 1, true);
    size_t first = f.count;
    control(&f, 2, 5, 0);
    frame(&f, 0, 0, 4, 1, false, "1231");
    size_t whole = f.count;
    for (size_t count = 6; count < whole; count++) {
        struct file cut = f;
        cut.count = count;
        px_status wanted = count == first || count == first + 8 ? PX_CORRUPT_IMAGE : PX_TRUNCATED_IMAGE; /* no picture in it */
        assert_int_equal(play(&cut, &header, text, ms), wanted);
    }
    end(&f);
    assert_int_equal(play(&f, &header, text, ms), PX_OK);
    f.data[whole] = '?';
    assert_int_equal(play(&f, &header, text, ms), PX_CORRUPT_IMAGE);
    head(&f, 4, 1, true); /* too few pixels, too many bits, a string that is not there */
    frame(&f, 0, 0, 4, 1, false, "123");
    end(&f);
    assert_int_equal(play(&f, &header, text, ms), PX_CORRUPT_IMAGE);
    head(&f, 4, 1, true);
    frame(&f, 0, 0, 4, 1, false, "1231");
    f.data[first + 10] = 9;
    assert_int_equal(play(&f, &header, text, ms), PX_CORRUPT_IMAGE);
    f.data[first + 10] = 2;
    f.data[first + 12] = 0x3c; /* clear, then 7 */
    assert_int_equal(play(&f, &header, text, ms), PX_CORRUPT_IMAGE);
    head(&f, 1, 1, true); /* frames with far more pixels than the picture */
    frame(&f, 0, 0, 1, 1, false, "1");
    frame(&f, 0, 0, 65535, 65535, false, "1");
    end(&f);
    assert_int_equal(play(&f, &header, text, ms), PX_TOO_MANY_PIXELS);
}

/* What nobody sees goes, with the control block of a text; what decides how it looks or plays stays, byte by byte. */
static void cleaning_leaves_what_is_seen(void **state)
{
    (void)state;
    struct file dirty, wanted;
    head(&dirty, 4, 1, true);
    wanted = dirty;
    for (int i = 0; i < 2; i++) {
        struct file *f = i ? &wanted : &dirty;
        put(f, "\x21\xff\x0bNETSCAPE2.0\x03\x01\x05\x00\x00", 19);
        if (f == &dirty) {
            put(f, "\x21\xfe\x04GPS!\x00", 8);
            put(f, "\x21\xff\x0bXMP DataXMP\x02no\x00", 18);
            control(f, 2, 9, 1);
            put(f, "\x21\x01\x0c............\x02hi\x00", 19);
        }
        put(f, "\x21\xff\x0bICCRGBG1012\x02yy\x00", 18);
        frame(f, 0, 0, 4, 1, false, "1231");
        control(f, 1, 5, -1);
        frame(f, 0, 0, 4, 1, false, "1111");
        end(f);
    }
    put(&dirty, "behind the end", 14);
    px_source source = source_of(dirty.data, dirty.count);
    int fd = empty_fd();
    uint64_t bytes;
    size_t count;
    assert_int_equal(px_format_clean(&(px_encoder_spec){ .format = PX_FORMAT_GIF, .orientation = 1 }, &source, fd, &bytes, NULL), PX_OK);
    uint8_t *out = bytes_of(fd, &count);
    assert_int_equal(count, wanted.count);
    assert_int_equal(bytes, count);
    assert_memory_equal(out, wanted.data, count);
    free(out);
    close(fd);
    px_source_close(&source);
}

static void a_profile_comes_through(void **state)
{
    (void)state;
    uint8_t profile[700], *back = NULL, *samples = picture(8, 8, 3);
    size_t count;
    for (size_t i = 0; i < sizeof profile; i++)
        profile[i] = (uint8_t)(i * 7);
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_GIF, .width = 8, .height = 8, .model = PX_RGB,
                                              .profile = { profile, sizeof profile } }, samples, &count);
    px_source source = source_of(data, count);
    px_limits limits = PX_LIMITS_DEFAULT;
    px_decoder *decoder = NULL;
    assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
    assert_int_equal(decoder->header.profile.count, sizeof profile);
    assert_memory_equal(decoder->header.profile.data, profile, sizeof profile);
    px_decoder_close(&decoder);
    px_source_close(&source);
    px_header header;
    assert_int_equal(decode(data, count, &header, &back), PX_OK);
    assert_memory_equal(back, samples, 8 * 8 * 3); /* 64 colours: as they were */
    free(back);
    free(data);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(every_disposal_leaves_what_it_should),
        cmocka_unit_test(odd_files_come_out_as_in_browsers),
        cmocka_unit_test(cuts_damage_and_claims_are_told_apart),
        cmocka_unit_test(cleaning_leaves_what_is_seen),
        cmocka_unit_test(a_profile_comes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
