/* WebP: what is written without loss is what is read, frame by frame; what else a file carries is judged before the library sees
 * it, and is gone when it is cleaned; cuts and damage are told apart. Against Pillow: tests/e2e/test_webp.py. */
#include "picture.h"

#include <string.h>

enum { WIDTH = 37, HEIGHT = 23, FRAMES = 4 };

static const char *const secret = "SECRET";

static px_encoder_spec spec_of(px_model model, px_alpha alpha)
{
    return (px_encoder_spec){ .format = PX_FORMAT_WEBP, .width = WIDTH, .height = HEIGHT, .model = model, .alpha = alpha, .quality = 80,
                              .lossless = true };
}

static uint8_t *sample_file(px_encoder_spec spec, size_t *ret_count)
{
    uint8_t *samples = picture(spec.width, spec.height, px_channels(spec.model, spec.alpha));
    uint8_t *data = encode(spec, samples, ret_count);
    free(samples);
    return data;
}

static void what_is_written_without_loss_is_read_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < 12; kind++) {
        px_encoder_spec spec = spec_of(kind & 1 ? PX_RGB : PX_GREY, kind & 2 ? PX_STRAIGHT : PX_OPAQUE);
        spec.effort = (px_effort)(kind / 4);
        int from = px_channels(spec.model, spec.alpha), to = px_channels(PX_RGB, spec.alpha);
        uint8_t *samples = picture(WIDTH, HEIGHT, from), *back = NULL;
        for (int i = 0; i < WIDTH && spec.alpha != PX_OPAQUE; i++)
            samples[from * i + from - 1] = i & 1 ? 255 : 0;
        size_t count;
        uint8_t *data = encode(spec, samples, &count);
        px_header h;
        assert_int_equal(decode(data, count, &h, &back), PX_OK);
        assert_int_equal(h.width, WIDTH);
        assert_int_equal(h.height, HEIGHT);
        assert_int_equal(h.model, PX_RGB); /* WebP has no grey */
        assert_int_equal(h.alpha, spec.alpha);
        assert_int_equal(h.frames, 1);
        for (int i = 0; i < WIDTH * HEIGHT; i++) {
            const uint8_t *a = samples + from * i, *b = back + to * i;
            if (spec.alpha != PX_OPAQUE)
                assert_int_equal(b[3], a[from - 1]);
            for (int c = 0; c < 3 && (spec.alpha == PX_OPAQUE || b[3]); c++) /* what nobody sees may change */
                assert_int_equal(b[c], a[kind & 1 ? c : 0]);
        }
        free(back);
        free(data);
        free(samples);
    }
}

static void quality_and_effort_are_heard(void **state)
{
    (void)state;
    uint8_t *samples = picture(200, 150, 3), *back = NULL;
    size_t sizes[3], efforts[3];
    double near[3];
    for (int i = 0; i < 3; i++) {
        px_encoder_spec spec = { .format = PX_FORMAT_WEBP, .width = 200, .height = 150, .model = PX_RGB, .quality = 20 + 35 * i, .effort = PX_EFFORT_NORMAL };
        uint8_t *data = encode(spec, samples, &sizes[i]);
        px_header h;
        assert_int_equal(decode(data, sizes[i], &h, &back), PX_OK);
        near[i] = psnr(samples, back, 200 * 150 * 3);
        free(back);
        free(data);
        spec.quality = 80;
        spec.effort = (px_effort)i;
        free(encode(spec, samples, &efforts[i]));
    }
    assert_true(sizes[0] < sizes[1] && sizes[1] < sizes[2] && near[0] < near[1] && near[1] < near[2] && near[0] > 20);
    assert_true(efforts[2] < efforts[0]);
    free(samples);
}

static void orientation_and_profile_are_said_and_heard(void **state)
{
    (void)state;
    static uint8_t profile[1001] = "a profile";
    for (int orientation = 0; orientation <= 8; orientation++) {
        px_encoder_spec spec = spec_of(PX_RGB, orientation & 1 ? PX_STRAIGHT : PX_OPAQUE);
        spec.orientation = orientation;
        spec.profile = (px_bytes){ profile, orientation & 2 ? sizeof profile : 0 };
        size_t count;
        uint8_t *data = sample_file(spec, &count);
        px_limits limits = PX_LIMITS_DEFAULT;
        px_source source = source_of(data, count);
        px_decoder *decoder = NULL;
        assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
        assert_int_equal(decoder->header.orientation, orientation ? orientation : 1);
        assert_true(px_bytes_equal(decoder->header.profile, spec.profile));
        px_decoder_close(&decoder);
        px_source_close(&source);
        free(data);
    }
}

/* ---- animations ---- */

static uint8_t frame_sample(int frame, int x, int y, int c) { return c == 3 ? (x + frame) % 5 ? 255 : 0 : picture_sample(x + 9 * frame, y, c); }

/* `channels` 3 or 4; frame i is shown for 40 + 10 i ms. */
static uint8_t *animation(int channels, int orientation, px_bytes profile, size_t *ret_count)
{
    px_encoder_spec spec = spec_of(PX_RGB, channels == 4 ? PX_STRAIGHT : PX_OPAQUE);
    spec.frames = FRAMES;
    spec.loops = 3;
    spec.orientation = orientation;
    spec.profile = profile;
    int fd = empty_fd();
    px_encoder *encoder = NULL;
    assert_int_equal(px_encoder_open(&spec, fd, &encoder, NULL), PX_OK);
    for (int f = 0; f < FRAMES; f++) {
        assert_int_equal(encoder->next(encoder, 40 + 10 * f, NULL), PX_OK);
        for (int y = 0; y < HEIGHT; y++) {
            uint8_t samples[WIDTH * 4];
            for (int i = 0; i < WIDTH * channels; i++)
                samples[i] = frame_sample(f, i / channels, y, i % channels);
            px_row row = px_row_of(samples, WIDTH, spec.model, spec.alpha);
            assert_int_equal(encoder->push(encoder, &row, NULL), PX_OK);
        }
    }
    return finish_encoding(encoder, fd, ret_count);
}

/* Every frame; their pixels are compared if `exact`. */
static px_status decode_frames(const uint8_t *data, size_t count, bool exact, px_header *ret)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(data, count);
    px_decoder *decoder = NULL;
    int width, height, ms;
    px_status status = px_decoder_open(&source, &limits, &decoder, NULL);
    if (status == PX_OK) {
        *ret = decoder->header;
        ret->profile = (px_bytes){ 0 };
        status = decoder->start(decoder, 8, &width, &height, NULL);
    }
    for (int f = 0; status == PX_OK && f < ret->frames; f++) {
        if (decoder->next)
            status = decoder->next(decoder, &ms, NULL);
        if (status == PX_OK && exact)
            assert_int_equal(ms, 40 + 10 * f);
        for (int y = 0; y < height && status == PX_OK; y++) {
            px_row row;
            status = decoder->pull(decoder, &row, NULL);
            int channels = row.planes[0].channels;
            for (int i = 0; status == PX_OK && exact && i < WIDTH * channels; i++) {
                int x = i / channels, c = i % channels;
                bool seen = channels == 3 || frame_sample(f, x, y, 3) || c == 3;
                if (seen)
                    assert_int_equal(row.planes[0].samples[i], frame_sample(f, x, y, c));
            }
        }
    }
    px_decoder_close(&decoder);
    px_source_close(&source);
    return status;
}

static void an_animation_comes_back_frame_by_frame(void **state)
{
    (void)state;
    static uint8_t profile[300] = "a profile";
    size_t count;
    px_header h;
    uint8_t *data = animation(4, 6, (px_bytes){ profile, sizeof profile }, &count);
    assert_int_equal(decode_frames(data, count, true, &h), PX_OK);
    assert_int_equal(h.frames, FRAMES);
    assert_int_equal(h.loops, 3);
    assert_int_equal(h.orientation, 6);
    assert_int_equal(h.alpha, PX_STRAIGHT);
    free(data);
}

static void an_animation_s_first_frame_needs_no_next(void **state)
{
    (void)state;
    size_t count;
    uint8_t *data = animation(4, 1, (px_bytes){ 0 }, &count), *back = NULL;
    px_header h;
    assert_int_equal(decode(data, count, &h, &back), PX_OK);
    for (int i = 0; i < WIDTH; i++)
        assert_int_equal(back[4 * i + 3], frame_sample(0, i, 0, 3));
    free(back);
    free(data);
}

/* ---- damage ---- */

static void a_cut_is_truncated_wherever_it_falls(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        px_encoder_spec spec = spec_of(PX_RGB, kind & 1 ? PX_STRAIGHT : PX_OPAQUE);
        spec.lossless = kind < 2;
        spec.orientation = 3;
        size_t count;
        uint8_t *data = kind == 3 ? animation(4, 3, (px_bytes){ 0 }, &count) : sample_file(spec, &count), *back = NULL;
        px_header h;
        for (size_t n = 0; n < count; n++)
            assert_int_equal(kind == 3 ? decode_frames(data, n, false, &h) : decode(data, n, &h, &back), n < 12 ? PX_UNSUPPORTED_FORMAT : PX_TRUNCATED_IMAGE);
        free(data);
    }
}

static void a_flipped_byte_never_crashes(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        px_encoder_spec spec = spec_of(PX_RGB, PX_STRAIGHT);
        spec.lossless = kind == 0;
        size_t count;
        uint8_t *data = kind == 2 ? animation(4, 1, (px_bytes){ 0 }, &count) : sample_file(spec, &count);
        size_t step = 1 + count / 700;
        for (size_t n = 0; n < count; n += n < 100 ? 1 : step) {
            uint8_t was = data[n];
            px_header h;
            data[n] = (uint8_t)(was ^ (n % 3 == 0 ? 0xff : 0x21));
            px_status status = decode_frames(data, count, false, &h);
            assert_true(status != PX_INTERNAL && status != PX_OUT_OF_MEMORY);
            data[n] = was;
        }
        free(data);
    }
}

/* ---- files by hand ---- */

struct file {
    uint8_t *data;
    size_t count;
};

static void put_32(uint8_t *at, size_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void begin(struct file *f)
{
    f->data = calloc(1, 40 << 20);
    assert_non_null(f->data);
    memcpy(f->data, "RIFF\0\0\0\0WEBP", 12);
    f->count = 12;
}

static void chunk(struct file *f, const char *type, const void *data, size_t count)
{
    memcpy(f->data + f->count, type, 4);
    put_32(f->data + f->count + 4, count);
    if (data && count)
        memcpy(f->data + f->count + 8, data, count);
    f->count += 8 + count + (count & 1);
    put_32(f->data + 4, f->count - 8);
}

static void extended(struct file *f, uint8_t flags, unsigned width, unsigned height)
{
    uint8_t body[10] = { flags };
    put_32(body + 4, width - 1);
    body[7] = (uint8_t)(height - 1);
    body[8] = (uint8_t)((height - 1) >> 8);
    body[9] = (uint8_t)((height - 1) >> 16);
    chunk(f, "VP8X", body, sizeof body);
}

static px_status judged(const struct file *f)
{
    px_header h;
    uint8_t *back = NULL;
    px_status status = decode(f->data, f->count, &h, &back);
    if (status == PX_OK)
        free(back);
    return status;
}

static void a_claim_of_too_much_is_refused_by_its_header(void **state)
{
    (void)state;
    struct file f;
    begin(&f);
    extended(&f, 2, 1 << 24, 200);
    assert_int_equal(judged(&f), PX_TOO_MANY_PIXELS);
    f.count = 12;
    extended(&f, 2, 60000, 60000);
    assert_int_equal(judged(&f), PX_TOO_MANY_PIXELS);
    f.count = 12;
    extended(&f, 2, 100, 100); /* an animation of no frames */
    assert_int_equal(judged(&f), PX_CORRUPT_IMAGE);
    f.count = 12;
    extended(&f, 0, 100, 100); /* no picture */
    assert_int_equal(judged(&f), PX_CORRUPT_IMAGE);
    f.count = 12;
    extended(&f, 4, 100, 100);
    chunk(&f, "XMP ", NULL, 17 << 20);
    assert_int_equal(judged(&f), PX_TOO_MANY_BYTES);
    f.count = 12;
    extended(&f, 0, 100, 100);
    for (int i = 0; i < 17000; i++)
        chunk(&f, "ABCD", NULL, 0);
    assert_int_equal(judged(&f), PX_TOO_MANY_FRAMES);
    f.count = 12;
    chunk(&f, "VP8 ", "no picture at all", 17);
    assert_int_equal(judged(&f), PX_CORRUPT_IMAGE);
    put_32(f.data + 16, 40); /* the chunk says more than the file has */
    assert_int_equal(judged(&f), PX_CORRUPT_IMAGE);
    free(f.data);
}

/* ---- cleaning ---- */

static uint8_t *cleaned(const uint8_t *data, size_t count, int orientation, size_t *ret_count)
{
    int fd = empty_fd();
    uint64_t bytes = 0;
    px_source source = source_of(data, count);
    assert_int_equal(px_format_clean(&(px_encoder_spec){ .format = PX_FORMAT_WEBP, .orientation = orientation }, &source, fd, &bytes, NULL), PX_OK);
    px_source_close(&source);
    uint8_t *clean = bytes_of(fd, ret_count);
    assert_int_equal(bytes, *ret_count);
    close(fd);
    return clean;
}

static size_t frame_with_secret(uint8_t *target, const uint8_t *body, size_t count)
{
    memcpy(target, body, count);
    memcpy(target + count, "WXYZ\6\0\0\0SECRET", 14);
    return count + 14;
}

/* The file with secrets in every place that is not picture: EXIF, XMP, a second profile and picture, unknown chunks, behind the end. */
static struct file spoiled(const uint8_t *data, size_t count)
{
    struct file f;
    begin(&f);
    static uint8_t frame[1 << 16];
    for (size_t at = 12; at + 8 <= count;) {
        size_t size = data[at + 4] | (size_t)data[at + 5] << 8 | (size_t)data[at + 6] << 16;
        if (memcmp(data + at, "EXIF", 4) != 0) {
            bool animated = memcmp(data + at, "ANMF", 4) == 0;
            size_t made = animated ? frame_with_secret(frame, data + at + 8, size) : size;
            char type[5] = { 0 };
            memcpy(type, data + at, 4);
            chunk(&f, type, animated ? frame : data + at + 8, made);
            if (memcmp(type, "VP8X", 4) == 0) {
                f.data[20] |= 0x0c;
                chunk(&f, "ICCP", "profile", 7);
                f.data[20] |= 0x20;
                chunk(&f, "ICCP", secret, 6);
            }
        }
        at += 8 + size + (size & 1);
    }
    chunk(&f, "EXIF", "MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0\0SECRET", 32);
    chunk(&f, "XMP ", secret, 6);
    chunk(&f, "SECR", secret, 6);
    memcpy(f.data + f.count, "SECRET", 6);
    f.count += 6;
    return f;
}

static void cleaning_leaves_the_picture_and_nothing_else(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++)
        for (int orientation = 1; orientation <= 6; orientation += 5) {
            px_encoder_spec spec = spec_of(PX_RGB, PX_STRAIGHT);
            spec.lossless = kind == 0;
            spec.orientation = 6;
            size_t count, clean_count;
            uint8_t *data = kind == 2 ? animation(4, 6, (px_bytes){ 0 }, &count) : sample_file(spec, &count);
            struct file f = spoiled(data, count);
            uint8_t *clean = cleaned(f.data, f.count, orientation, &clean_count), *before = NULL, *after = NULL;
            assert_null(memmem(clean, clean_count, secret, 6));
            assert_null(memmem(clean, clean_count, "XMP ", 4));
            assert_non_null(memmem(clean, clean_count, "ICCP\7\0\0\0profile", 15));
            assert_int_equal((memmem(clean, clean_count, "EXIF", 4) != NULL), orientation > 1);
            assert_int_equal(clean[20] & 0x2c, orientation > 1 ? 0x28 : 0x20);
            px_header h;
            assert_int_equal(decode(f.data, f.count, &h, &before), PX_OK);
            assert_int_equal(h.orientation, 6);
            assert_int_equal(decode(clean, clean_count, &h, &after), PX_OK);
            assert_int_equal(h.orientation, orientation);
            assert_memory_equal(before, after, WIDTH * HEIGHT * 4);
            assert_int_equal(decode_frames(clean, clean_count, kind == 2, &h), PX_OK);
            assert_int_equal(h.frames, kind == 2 ? FRAMES : 1);
            free(before);
            free(after);
            free(clean);
            free(f.data);
            free(data);
        }
}

static void a_simple_file_is_clean_already(void **state)
{
    (void)state;
    size_t count, clean_count;
    uint8_t *data = sample_file(spec_of(PX_RGB, PX_OPAQUE), &count), *clean = cleaned(data, count, 1, &clean_count);
    assert_int_equal(count, clean_count);
    assert_memory_equal(data, clean, count);
    free(clean);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_without_loss_is_read_back),
        cmocka_unit_test(quality_and_effort_are_heard),
        cmocka_unit_test(orientation_and_profile_are_said_and_heard),
        cmocka_unit_test(an_animation_comes_back_frame_by_frame),
        cmocka_unit_test(an_animation_s_first_frame_needs_no_next),
        cmocka_unit_test(a_cut_is_truncated_wherever_it_falls),
        cmocka_unit_test(a_flipped_byte_never_crashes),
        cmocka_unit_test(a_claim_of_too_much_is_refused_by_its_header),
        cmocka_unit_test(cleaning_leaves_the_picture_and_nothing_else),
        cmocka_unit_test(a_simple_file_is_clean_already),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
