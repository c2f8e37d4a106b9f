/* TIFF: files of every layout, made here by the book and without compression, decode to the samples they hold: depths, byte orders,
 * strips, tiles, planes, kinds of colour and of alpha. What we write says what it was told to. Cuts are cuts, claims are judged
 * before the library sees them. The compressions, against Pillow: tests/e2e/test_tiff.py. */
#include "picture.h"

#include <string.h>

enum { WIDTH = 21, HEIGHT = 19, TILE = 16, ENTRIES = 24 };

/* A file being made: its pixels first, then the directory. */
struct file {
    uint8_t data[1 << 16];
    size_t count;
    bool big_endian;
};

struct layout {
    int photometric, depth, colours;
    int extra; /* -1: none; otherwise what ExtraSamples says of one more; 9: one more, of which nothing is said */
    bool tiled, apart, big_endian, big;
};

static int samples_of(const struct layout *l) { return l->colours + (l->extra >= 0); }

static void put(const struct file *f, uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[f->big_endian ? bytes - 1 - i : i] = (uint8_t)(value >> (8 * i));
}

static unsigned stored(const struct layout *l, int x, int y, int c)
{
    uint32_t random = (uint32_t)(1 + x + 31 * y + 997 * c);
    for (int i = 0; i < 4; i++)
        next_random(&random);
    unsigned value = random >> 7 & ((1u << l->depth) - 1);
    if (l->extra == 1 && c < l->colours) { /* multiplied by alpha */
        struct layout plain = *l;
        plain.extra = 2;
        unsigned alpha = stored(&plain, x, y, l->colours);
        value = value < alpha ? value : alpha;
    }
    return value;
}

/* One sample, most significant bit first; 16 bits in the file's order. */
static void put_sample(const struct file *f, uint8_t *row, size_t index, int depth, unsigned value)
{
    if (depth == 16)
        put(f, row + 2 * index, value, 2);
    else
        for (int b = 0; b < depth; b++)
            if (value >> (depth - 1 - b) & 1)
                row[(index * (size_t)depth + (size_t)b) / 8] |= (uint8_t)(0x80 >> ((index * (size_t)depth + (size_t)b) % 8));
}

/* One strip or tile, of one plane (or -1: all). */
static size_t put_block(struct file *f, const struct layout *l, int x0, int y0, int width, int height, int plane)
{
    size_t samples = plane < 0 ? (size_t)samples_of(l) : 1, stride = ((size_t)width * samples * (size_t)l->depth + 7) / 8, start = f->count;
    for (int y = y0; y < y0 + height; y++, f->count += stride)
        for (int x = x0; x < x0 + width && x < WIDTH && y < HEIGHT; x++)
            for (size_t s = 0; s < samples; s++)
                put_sample(f, f->data + f->count, (size_t)(x - x0) * samples + s, l->depth, stored(l, x, y, plane < 0 ? (int)s : plane));
    assert_true(f->count < sizeof f->data);
    return f->count - start;
}

/* An entry of the directory at `*at`; its values, if they do not fit, go to the end of the file, which must be there already. */
static void entry(struct file *f, const struct layout *l, size_t *at, unsigned tag, int type, const uint32_t *values, unsigned count)
{
    int each = type == 3 ? 2 : 4, inside = l->big ? 8 : 4;
    uint8_t *e = f->data + *at;
    put(f, e, tag, 2);
    put(f, e + 2, (unsigned)type, 2);
    put(f, e + 4, count, inside);
    uint8_t *value = e + 4 + inside;
    if (count * (unsigned)each > (unsigned)inside) {
        put(f, value, f->count, inside);
        value = f->data + f->count;
        f->count += count * (unsigned)each;
    }
    for (unsigned i = 0; i < count; i++)
        put(f, value + i * (unsigned)each, values[i], each);
    *at += l->big ? 20 : 12;
}

static void number(struct file *f, const struct layout *l, size_t *at, unsigned tag, uint32_t value) { entry(f, l, at, tag, 4, &value, 1); }

static uint32_t colour_map(int i) { return (uint32_t)(i * 2654435761u) >> 16; }

static void make(struct file *f, const struct layout *l)
{
    memset(f, 0, sizeof *f);
    f->big_endian = l->big_endian;
    memcpy(f->data, l->big_endian ? "MM" : "II", 2);
    put(f, f->data + 2, l->big ? 43 : 42, 2);
    if (l->big)
        put(f, f->data + 4, 8, 2);
    f->count = 16;
    uint32_t offsets[64], counts[64], bits[8], map[3 << 8], extra = (uint32_t)l->extra;
    unsigned blocks = 0, planes = l->apart ? (unsigned)samples_of(l) : 1, rows = 5;
    for (unsigned p = 0; p < planes; p++)
        for (int y = 0; y < HEIGHT; y += l->tiled ? TILE : (int)rows)
            for (int x = 0; x < WIDTH; x += l->tiled ? TILE : WIDTH, blocks++) {
                int height = l->tiled ? TILE : HEIGHT - y < (int)rows ? HEIGHT - y : (int)rows;
                offsets[blocks] = (uint32_t)f->count;
                counts[blocks] = (uint32_t)put_block(f, l, x, y, l->tiled ? TILE : WIDTH, height, l->apart ? (int)p : -1);
            }
    for (int i = 0; i < 8; i++)
        bits[i] = (uint32_t)l->depth;
    for (int i = 0; i < 3 << l->depth && l->depth <= 8; i++)
        map[i] = colour_map(i);
    size_t directory = (f->count + 1) & ~(size_t)1, at = directory + (l->big ? 8 : 2), entries;
    f->count = directory + 8 + ENTRIES * 20;
    put(f, f->data + (l->big ? 8 : 4), directory, l->big ? 8 : 4);
    entries = at;
    number(f, l, &at, 256, WIDTH);
    number(f, l, &at, 257, HEIGHT);
    entry(f, l, &at, 258, 3, bits, (unsigned)samples_of(l));
    entry(f, l, &at, 259, 3, (uint32_t[]){ 1 }, 1);
    entry(f, l, &at, 262, 3, (uint32_t[]){ (uint32_t)l->photometric }, 1);
    if (!l->tiled)
        entry(f, l, &at, 273, 4, offsets, blocks);
    entry(f, l, &at, 277, 3, (uint32_t[]){ (uint32_t)samples_of(l) }, 1);
    if (!l->tiled) {
        number(f, l, &at, 278, rows);
        entry(f, l, &at, 279, 4, counts, blocks);
    }
    entry(f, l, &at, 284, 3, (uint32_t[]){ l->apart ? 2 : 1 }, 1);
    if (l->photometric == 3)
        entry(f, l, &at, 320, 3, map, 3u << l->depth);
    if (l->tiled) {
        number(f, l, &at, 322, TILE);
        number(f, l, &at, 323, TILE);
        entry(f, l, &at, 324, 4, offsets, blocks);
        entry(f, l, &at, 325, 4, counts, blocks);
    }
    if (l->extra >= 0 && l->extra != 9)
        entry(f, l, &at, 338, 3, &extra, 1);
    put(f, f->data + directory, (at - entries) / (l->big ? 20 : 12), l->big ? 8 : 2);
}

static int to_8(double value, double most) { return (int)(value * 255.0 / most + 0.5); }

/* What sample `c` of the decoded pixel has to be. */
static int expected(const struct layout *l, int x, int y, int c)
{
    double most = (1u << l->depth) - 1;
    int out = l->photometric == 3 ? 3 : l->photometric == 5 ? 3 : l->colours;
    if (c == out)
        return to_8(stored(l, x, y, l->colours), most);
    if (l->photometric == 3)
        return (int)colour_map((c << l->depth) + (int)stored(l, x, y, 0)) >> 8;
    if (l->photometric == 5)
        return (int)((255 - to_8(stored(l, x, y, c), most)) * (255 - to_8(stored(l, x, y, 3), most)) / 255.0 + 0.5);
    double value = stored(l, x, y, c);
    if (l->extra == 1) {
        double alpha = stored(l, x, y, l->colours);
        return alpha == 0 ? 0 : to_8(value, alpha);
    }
    return l->photometric == 0 ? 255 - to_8(value, most) : to_8(value, most);
}

static void check(const struct layout *l)
{
    static struct file f;
    make(&f, l);
    px_header h = { 0 };
    uint8_t *back = NULL;
    assert_int_equal(decode(f.data, f.count, &h, &back), PX_OK);
    bool alpha = l->extra > 0 && l->photometric != 5;
    assert_int_equal(h.width, WIDTH);
    assert_int_equal(h.height, HEIGHT);
    assert_int_equal(h.alpha, alpha ? PX_STRAIGHT : PX_OPAQUE);
    assert_int_equal(h.model, l->photometric <= 1 ? PX_GREY : PX_RGB);
    assert_int_equal(h.inks, l->photometric == 5);
    int channels = px_channels(h.model, h.alpha);
    for (int y = 0, i = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < channels; c++, i++)
                if (back[i] != expected(l, x, y, c))
                    fail_msg("photometric %d, %d bits, extra %d, tiled %d, apart %d, %s: sample %d of %d, %d is %d, not %d", l->photometric, l->depth,
                             l->extra, l->tiled, l->apart, l->big_endian ? "MM" : "II", c, x, y, back[i], expected(l, x, y, c));
    free(back);
}

static void every_layout_decodes(void **state)
{
    (void)state;
    static const struct { int photometric, colours; } kinds[] = { { 0, 1 }, { 1, 1 }, { 2, 3 }, { 3, 1 }, { 5, 4 } };
    static const int extras[] = { -1, 0, 1, 2, 9 };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int depth = 1; depth <= 16; depth++)
            for (int e = 0; e < 5; e++)
                for (int variant = 0; variant < 16; variant++) {
                    struct layout l = { kinds[k].photometric, depth, kinds[k].colours, extras[e], variant & 1, variant & 2, variant & 4, variant & 8 };
                    bool sound = (l.photometric != 3 || (depth <= 8 && l.extra < 0)) && (l.photometric != 0 || l.extra != 1);
                    bool soon = depth == 8 || depth == 16 || variant == depth % 16; /* the rest in one variant each */
                    if (sound && soon)
                        check(&l);
                }
}

static void inks_are_given_when_asked_for(void **state)
{
    (void)state;
    for (int depth = 8; depth <= 16; depth += 8) {
        struct layout l = { 5, depth, 4, -1, false, false, false, false };
        static struct file f;
        make(&f, &l);
        px_limits limits = PX_LIMITS_DEFAULT;
        px_source source = source_of(f.data, f.count);
        px_decoder *decoder = NULL;
        int width, height;
        assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
        decoder->wants_inks = true;
        assert_int_equal(decoder->start(decoder, 8, &width, &height, NULL), PX_OK);
        for (int y = 0; y < height; y++) {
            px_row row;
            assert_int_equal(decoder->pull(decoder, &row, NULL), PX_OK);
            assert_int_equal(row.model, PX_CMYK);
            for (int i = 0; i < 4 * width; i++)
                assert_int_equal(row.planes[0].samples[i], to_8(stored(&l, i / 4, y, i % 4), (1u << depth) - 1));
        }
        px_decoder_close(&decoder);
        px_source_close(&source);
    }
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    static uint8_t profile[777] = "a profile";
    for (int kind = 0; kind < 12; kind++) {
        int width = kind < 4 ? 1 : kind < 8 ? 333 : 100000, height = kind < 8 ? 300 : 5;
        px_encoder_spec spec = { .format = PX_FORMAT_TIFF, .width = width, .height = height, .model = kind & 1 ? PX_RGB : PX_GREY,
                                 .alpha = kind & 2 ? PX_STRAIGHT : PX_OPAQUE, .orientation = kind % 9, .profile = { profile, kind & 1 ? sizeof profile : 0 } };
        size_t bytes = (size_t)(width * height * px_channels(spec.model, spec.alpha)), count;
        uint8_t *samples = malloc(bytes), *back = NULL;
        for (size_t i = 0; i < bytes; i++)
            samples[i] = (uint8_t)(i * i >> 7 ^ i);
        uint8_t *data = encode(spec, samples, &count);
        px_header h = { 0 };
        px_limits limits = PX_LIMITS_DEFAULT;
        limits.side = 100000;
        px_source source = source_of(data, count);
        px_decoder *decoder = NULL;
        int w, rows;
        assert_int_equal(px_decoder_open(&source, &limits, &decoder, NULL), PX_OK);
        h = decoder->header;
        assert_int_equal(h.model, spec.model);
        assert_int_equal(h.alpha, spec.alpha);
        assert_int_equal(h.orientation, spec.orientation ? spec.orientation : 1);
        assert_true(px_bytes_equal(h.profile, spec.profile));
        assert_int_equal(decoder->start(decoder, 8, &w, &rows, NULL), PX_OK);
        for (int y = 0; y < height; y++) {
            px_row row;
            assert_int_equal(decoder->pull(decoder, &row, NULL), PX_OK);
            assert_memory_equal(row.planes[0].samples, samples + (size_t)y * row.planes[0].stride, row.planes[0].stride);
        }
        px_decoder_close(&decoder);
        px_source_close(&source);
        free(back);
        free(data);
        free(samples);
    }
}

static void a_cut_is_truncated_wherever_it_falls(void **state)
{
    (void)state;
    for (int variant = 0; variant < 3; variant++) {
        struct layout l = { 2, 8, 3, 2, variant == 1, variant == 1, variant == 1, variant == 2 };
        static struct file f; /* its directory is behind the pixels */
        make(&f, &l);
        px_header h;
        uint8_t *back = NULL;
        for (size_t n = 0; n < f.count; n += n < 40 || n > f.count - 900 ? 1 : 7)
            assert_int_equal(decode(f.data, n, &h, &back), n < 4 ? PX_UNSUPPORTED_FORMAT : PX_TRUNCATED_IMAGE);
    }
    uint8_t *samples = picture(20, 15, 4), *back = NULL; /* here it is in front of them */
    size_t count;
    uint8_t *data = encode((px_encoder_spec){ .format = PX_FORMAT_TIFF, .width = 20, .height = 15, .model = PX_RGB, .alpha = PX_STRAIGHT }, samples, &count);
    px_header h;
    for (size_t n = 0; n < count; n++)
        assert_int_equal(decode(data, n, &h, &back), n < 4 ? PX_UNSUPPORTED_FORMAT : PX_TRUNCATED_IMAGE);
    free(data);
    free(samples);
}

static void a_flipped_byte_never_crashes(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        struct layout l = { variant == 3 ? 3 : 2, 8, variant == 3 ? 1 : 3, -1, variant & 1, variant == 1, variant == 1, variant == 2 };
        static struct file f;
        make(&f, &l);
        for (size_t n = 0; n < f.count; n += n < 16 || n > f.count - 700 ? 1 : 37)
            for (int way = 0; way < 3; way++) {
                px_header h;
                uint8_t *back = NULL, was = f.data[n];
                f.data[n] = (uint8_t)(was ^ (way == 0 ? 0xff : way == 1 ? 0x21 : 1));
                if (decode(f.data, f.count, &h, &back) == PX_OK)
                    free(back);
                f.data[n] = was;
            }
    }
}

/* The entry of the directory with this tag. */
static uint8_t *entry_of(struct file *f, unsigned tag)
{
    size_t at = f->data[4] | (size_t)f->data[5] << 8, count = f->data[at];
    for (size_t i = 0; i < count; i++) {
        uint8_t *e = f->data + at + 2 + 12 * i;
        if (e[0] == (tag & 255) && e[1] == tag >> 8)
            return e;
    }
    fail_msg("no tag %u", tag);
    return NULL;
}

static void claims_and_contradictions_are_refused(void **state)
{
    (void)state;
    static const struct { unsigned tag, type; uint32_t value; px_status status; } cases[] = {
        { 256, 4, 1000000, PX_TOO_MANY_PIXELS },    { 257, 4, 0xffffffff, PX_TOO_MANY_PIXELS }, { 257, 4, 0, PX_CORRUPT_IMAGE },
        { 259, 3, 34676, PX_UNSUPPORTED_FORMAT },   { 259, 3, 6, PX_UNSUPPORTED_FORMAT },       { 262, 3, 8, PX_UNSUPPORTED_FORMAT },
        { 262, 3, 5, PX_CORRUPT_IMAGE },            { 322, 4, 16000000, PX_CORRUPT_IMAGE },
        { 322, 4, 17 << 20, PX_TOO_MANY_PIXELS },   { 284, 3, 7, PX_CORRUPT_IMAGE },
    };
    struct layout l = { 2, 8, 3, -1, true, false, false, false };
    static struct file f;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        make(&f, &l);
        uint8_t *e = entry_of(&f, cases[k].tag);
        put(&f, e + 2, cases[k].type, 2);
        put(&f, e + 8, cases[k].value, 4);
        px_header h;
        uint8_t *back = NULL;
        px_status status = decode(f.data, f.count, &h, &back);
        if (status != cases[k].status)
            fail_msg("tag %u, %u: %s, not %s", cases[k].tag, cases[k].value, px_status_code(status), px_status_code(cases[k].status));
    }
}

static void too_much_metadata_is_refused(void **state)
{
    (void)state;
    struct layout l = { 1, 8, 1, -1, false, false, false, false };
    static struct file f;
    make(&f, &l);
    size_t count = 17 << 20;
    uint8_t *fat = calloc(1, count + f.count), *back = NULL;
    assert_non_null(fat);
    uint8_t *e = entry_of(&f, 284); /* becomes a long text behind the end */
    put(&f, e, 285, 2);
    put(&f, e + 2, 2, 2);
    put(&f, e + 4, count, 4);
    put(&f, e + 8, f.count, 4);
    memcpy(fat, f.data, f.count);
    px_header h;
    assert_int_equal(decode(fat, f.count + count, &h, &back), PX_TOO_MANY_BYTES);
    free(fat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_decodes),
        cmocka_unit_test(inks_are_given_when_asked_for),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_cut_is_truncated_wherever_it_falls),
        cmocka_unit_test(a_flipped_byte_never_crashes),
        cmocka_unit_test(claims_and_contradictions_are_refused),
        cmocka_unit_test(too_much_metadata_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
