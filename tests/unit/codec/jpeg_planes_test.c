/* Our own JPEG decoder: at every scale its planes are, within ±1, what the lowest frequencies that libjpeg reads say; where libjpeg-turbo
 * scales by the same frequencies, within ±2 of its samples. Every sampling, restart markers, odd sizes, sets of scans. */
#include "picture.h"

#include <pthread.h>
#include <string.h>

#include "codec/jpeg/inside.h"
#include "coefficients.h"
#include "../test.h"

enum { ROOM = 1 << 20 };

typedef struct kind {
    int count, across, down; /* components; samples of Y for one of Cb */
    int restart;             /* MCUs */
    int script;              /* set of scans, from `scripts`; 0: one scan */
    int quality;
} kind;

enum { SCANS_MAX = 20 };

/* Sets of scans, ended by an empty one. A scan of -1 is one of every component, together where it is DC. */
typedef struct scan {
    int components, first, last, high, low; /* components: -1 all, or one of them */
} scan;

static const scan scripts[][SCANS_MAX] = {
    { { 0 } },
    { { 0 } }, /* libjpeg's own */
    { { -1, 0, 0, 0, 0 }, { -1, 1, 63, 0, 0 } },
    { { -1, 0, 0, 0, 3 }, { -1, 1, 5, 0, 3 }, { -1, 6, 63, 0, 3 }, { -1, 0, 0, 3, 2 }, { -1, 1, 63, 3, 2 }, { -1, 1, 63, 2, 1 }, { -1, 0, 0, 2, 1 },
      { -1, 0, 0, 1, 0 }, { -1, 1, 63, 1, 0 } },
    { { -1, 0, 0, 0, 1 }, { -1, 1, 2, 0, 0 }, { -1, 3, 20, 0, 1 }, { -1, 21, 63, 0, 2 }, { -1, 21, 63, 2, 1 }, { -1, 3, 63, 1, 0 }, { -1, 0, 0, 1, 0 } },
    { { -1, 0, 0, 0, 0 }, { -1, 1, 1, 0, 0 }, { -1, 2, 2, 0, 1 }, { -1, 3, 63, 0, 0 }, { -1, 2, 2, 1, 0 } },
    { { -1, 0, 0, 0, 0 } }, /* nothing but DC */
    { { -2, 0, 63, 0, 0 } }, /* sequential, each component alone */
};

static int fill_scans(const scan *set, int components, jpeg_scan_info *ret)
{
    int count = 0;
    for (; set->last || set->components; set++) {
        bool together = set->components == -1 && set->last == 0;
        for (int c = 0; c < (together ? 1 : components); c++) {
            ret[count] = (jpeg_scan_info){ together ? components : 1, { c }, set->first, set->last, set->high, set->low };
            for (int i = 1; together && i < components; i++)
                ret[count].component_index[i] = i;
            count++;
        }
    }
    return count;
}

static size_t write_kind(const kind *k, int width, int height, uint8_t *ret)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *data = ret;
    unsigned long count = ROOM;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, &count);
    c.image_width = (JDIMENSION)width;
    c.image_height = (JDIMENSION)height;
    c.input_components = k->count;
    c.in_color_space = k->count == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, k->quality, TRUE);
    c.comp_info[0].h_samp_factor = k->across;
    c.comp_info[0].v_samp_factor = k->down;
    c.restart_interval = (unsigned)k->restart;
    jpeg_scan_info scans[3 * SCANS_MAX];
    if (k->script == 1)
        jpeg_simple_progression(&c);
    else if (k->script) {
        c.num_scans = fill_scans(scripts[k->script], k->count, scans);
        c.scan_info = scans;
    }
    jpeg_start_compress(&c, TRUE);
    uint8_t *samples = picture(width, height, k->count);
    uint32_t random = 77;
    for (int i = 0; i < width * height * k->count; i++) /* noise, so that there are coefficients up to the last one */
        samples[i] = (uint8_t)(i / (width * k->count) % 32 < 16 ? samples[i] : next_random(&random));
    for (int y = 0; y < height; y++) {
        JSAMPROW row = samples + (size_t)y * (size_t)(width * k->count);
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    free(samples);
    assert_ptr_equal(data, ret);
    return count;
}

/* Every scale of one file. */
static void check(const kind *k, int width, int height)
{
    static uint8_t data[ROOM];
    size_t count = write_kind(k, width, height, data);
    px_source source = source_of(data, count);
    px_limits limits = PX_LIMITS_DEFAULT;
    coefficients c;
    assert_true(coefficients_read(&c, data, count));
    for (int eighths = 1; eighths <= 8; eighths++)
        for (int wanted = PX_CHROMA_WHOLE; wanted <= PX_CHROMA_HALVED; wanted++) {
            planes p = { 0 };
            px_error err = { "" };
            assert_ok(planes_read(&source, &limits, eighths, (px_chroma)wanted, &p, &err));
            assert_int_equal(p.count, k->count);
            int worst = planes_differ(&p, &c);
            if (worst < 0 || worst > 1)
                fail_msg("%d components, %dx%d, restart %d, script %d, %dx%d pixels at %d/8: a sample is %d off", k->count, k->across, k->down,
                         k->restart, k->script, width, height, eighths, worst);
            planes_done(&p);
        }
    coefficients_done(&c);
    px_source_close(&source);
}

static const int samplings[][2] = { { 1, 1 }, { 2, 1 }, { 1, 2 }, { 2, 2 }, { 4, 1 }, { 1, 4 }, { 4, 2 }, { 2, 4 }, { 3, 1 }, { 1, 3 } };
static const int sides[][2] = { { 1, 1 }, { 7, 9 }, { 131, 97 }, { 272, 33 } };

static void every_sampling_at_every_scale(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof samplings / sizeof *samplings; s++)
        for (size_t i = 0; i < sizeof sides / sizeof *sides; i++)
            for (int restart = 0; restart <= 5; restart += 1 + 4 * (restart == 1)) {
                kind colour = { 3, samplings[s][0], samplings[s][1], restart, 0, 92 };
                kind grey = { 1, samplings[s][0], samplings[s][1], restart, 0, 75 };
                check(&colour, sides[i][0], sides[i][1]);
                if (s == 0 || s == 3)
                    check(&grey, sides[i][0], sides[i][1]);
            }
}

static void every_quality(void **state)
{
    (void)state;
    for (int quality = 1; quality <= 100; quality += 9) {
        kind k = { 3, 2, 2, 0, 0, quality };
        check(&k, 72, 56);
    }
}

static void every_set_of_scans(void **state)
{
    (void)state;
    for (int script = 1; script < (int)(sizeof scripts / sizeof *scripts); script++)
        for (int restart = 0; restart <= 5; restart += 5)
            for (int quality = 40; quality <= 100; quality += 30) {
                kind colour = { 3, 2, 2, restart, script, quality }, other = { 3, 2, 1, restart, script, quality };
                kind grey = { 1, 1, 1, restart, script, quality };
                check(&colour, 131, 97);
                check(&colour, 7, 9);
                check(&other, 67, 83);
                check(&grey, 72, 50);
            }
}

/* As libjpeg-turbo scales where it does so by the lowest frequencies: not at 2/8 and 4/8, where it averages samples. */
static void grey_is_as_libjpeg_turbo_scales_it(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    static const int scales[] = { 1, 3, 5, 6, 7, 8 };
    kind k = { 1, 1, 1, 0, 0, 85 };
    size_t count = write_kind(&k, 131, 97, data);
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        struct jpeg_decompress_struct d;
        struct jpeg_error_mgr errors;
        d.err = jpeg_std_error(&errors);
        jpeg_create_decompress(&d);
        jpeg_mem_src(&d, data, count);
        jpeg_read_header(&d, TRUE);
        d.scale_num = (unsigned)scales[i];
        d.scale_denom = 8;
        jpeg_start_decompress(&d);
        planes p = { 0 };
        px_error err = { "" };
        px_source source = source_of(data, count);
        px_limits limits = PX_LIMITS_DEFAULT;
        assert_ok(planes_read(&source, &limits, scales[i], PX_CHROMA_WHOLE, &p, &err));
        assert_int_equal(p.sizes[0].width, d.output_width);
        for (int y = 0; y < p.sizes[0].height; y++) {
            uint8_t line[131];
            JSAMPROW row = line;
            jpeg_read_scanlines(&d, &row, 1);
            for (int x = 0; x < p.sizes[0].width; x++)
                assert_in_range(line[x] - p.samples[0][y * p.sizes[0].width + x] + 2, 0, 4);
        }
        planes_done(&p);
        px_source_close(&source);
        jpeg_destroy_decompress(&d);
    }
}

static px_status read_at(const uint8_t *data, size_t count, int eighths, bool accept, planes *ret)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.truncated = accept;
    px_source source = source_of(data, count);
    *ret = (planes){ 0 };
    px_status status = planes_read(&source, &limits, eighths, PX_CHROMA_HALVED, ret, NULL);
    px_source_close(&source);
    return status;
}

static bool planes_equal(const planes *a, const planes *b)
{
    bool equal = a->count == b->count;
    for (int i = 0; i < a->count && equal; i++)
        equal = memcmp(a->samples[i], b->samples[i], (size_t)a->sizes[i].width * (size_t)a->sizes[i].height) == 0;
    return equal;
}

static const kind few[] = { { 3, 2, 2, 0, 0, 80 }, { 1, 1, 1, 3, 0, 80 }, { 3, 2, 1, 2, 1, 60 }, { 3, 1, 1, 0, 3, 70 }, { 3, 2, 2, 0, 7, 60 } };
enum { FEW = sizeof few / sizeof *few };

/* The first byte of the first scan's data. */
static size_t data_of(const uint8_t *data)
{
    size_t at = 2;
    while (data[at + 1] != 0xda)
        at += 2u + (unsigned)(data[at + 2] << 8 | data[at + 3]);
    return at + 2 + data[at + 3];
}

static void a_cut_is_truncated_wherever_it_falls(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    for (int i = 0; i < FEW; i++) {
        size_t count = write_kind(&few[i], 40, 35, data), from = data_of(data);
        for (size_t n = from; n < count; n += 1 + (n < count - 20) * n % 3) {
            planes p;
            int eighths = 1 + (int)(n % 8);
            px_status status = read_at(data, n, eighths, false, &p);
            if (few[i].script || n < count - 4) /* without the end's marker, one scan is whole */
                assert_int_equal(status, PX_TRUNCATED_IMAGE);
            planes_done(&p);
            assert_int_equal(read_at(data, n, eighths, true, &p), PX_OK);
            assert_true(p.truncated || status == PX_OK);
            if (n < count / 2 && !few[i].script)
                assert_int_equal(p.samples[0][p.sizes[0].width * p.sizes[0].height - 1], 128);
            planes_done(&p);
        }
    }
}

static void flipped_bytes_never_crash(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    int refused = 0;
    for (int i = 0; i < FEW; i++) {
        size_t count = write_kind(&few[i], 40, 35, data);
        for (size_t n = 2; n < count; n++) {
            planes p;
            uint8_t was = data[n];
            data[n] = (uint8_t)(was ^ (n % 3 == 0 ? 0xff : 0x21));
            refused += read_at(data, count, 1 + (int)(n % 8), n % 2, &p) != PX_OK;
            planes_done(&p);
            data[n] = was;
        }
    }
    assert_true(refused > 100);
}

/* Where restart marker `number` is, from 0. */
static size_t restart_of(const uint8_t *data, size_t count, int number)
{
    for (size_t at = data_of(data); at + 1 < count; at++)
        if (data[at] == 0xff && data[at + 1] >= 0xd0 && data[at + 1] <= 0xd7 && number-- == 0)
            return at;
    fail();
    return 0;
}

static void restart_markers_come_in_order(void **state)
{
    (void)state;
    static uint8_t data[ROOM], changed[ROOM + 8];
    size_t count = write_kind(&few[1], 40, 35, data), at = restart_of(data, count, 2);
    planes whole, p;
    assert_int_equal(read_at(data, count, 4, false, &whole), PX_OK);
    memcpy(changed, data, at);
    memcpy(changed + at, "\x12\x34\xff\xff", 4); /* rubbish, and a marker may be filled up in front */
    memcpy(changed + at + 4, data + at, count - at);
    assert_int_equal(read_at(changed, count + 4, 4, false, &p), PX_OK);
    assert_true(planes_equal(&p, &whole));
    planes_done(&p);
    memcpy(changed, data, count);
    changed[at + 1] ^= 1; /* out of order */
    assert_int_equal(read_at(changed, count, 4, false, &p), PX_CORRUPT_IMAGE);
    memcpy(changed + at, data + at + 2, count - at - 2); /* missing */
    assert_int_equal(read_at(changed, count - 2, 4, false, &p), PX_CORRUPT_IMAGE);
    assert_int_equal(read_at(changed, count - 2, 4, true, &p), PX_CORRUPT_IMAGE);
    planes_done(&whole);
}

/* Copies `data` with `bytes` put in at `at`. */
static size_t put_in(const uint8_t *data, size_t count, size_t at, const uint8_t *bytes, size_t bytes_count, uint8_t *ret)
{
    memcpy(ret, data, at);
    memcpy(ret + at, bytes, bytes_count);
    memcpy(ret + at + bytes_count, data + at, count - at);
    return count + bytes_count;
}

/* No standard has more than one 0xff in front of a stuffed 0, but libjpeg has always read it as one, on purpose. */
static void a_stuffed_byte_may_be_filled_up(void **state)
{
    (void)state;
    static uint8_t data[ROOM], changed[ROOM + 40000], fill[40000];
    memset(fill, 0xff, sizeof fill);
    for (int i = 0; i < FEW; i++) {
        kind k = few[i];
        k.quality = 95;
        size_t count = write_kind(&k, 131, 97, data), found = 0;
        for (size_t at = data_of(data); at + 1 < count; at++) {
            if (data[at] != 0xff || data[at + 1] != 0)
                continue;
            planes whole, p;
            coefficients c;
            size_t much = found % 8 == 7 ? sizeof fill : 1 + found % 5; /* now and then more than is read at once */
            int eighths = 1 + (int)(found++ % 8);
            size_t grown = put_in(data, count, at, fill, much, changed);
            assert_int_equal(read_at(data, count, eighths, false, &whole), PX_OK);
            assert_int_equal(read_at(changed, grown, eighths, false, &p), PX_OK);
            assert_true(planes_equal(&p, &whole));
            planes_done(&whole);
            assert_true(coefficients_read(&c, changed, grown));
            assert_int_equal(c.warnings, 0);
            assert_in_range(planes_differ(&p, &c), 0, 1);
            coefficients_done(&c);
            planes_done(&p);
            changed[at + much + 1] = 0xfe; /* a marker, on the other hand, ends the data */
            if (i == 0)
                assert_int_equal(read_at(changed, grown, eighths, false, &p), PX_CORRUPT_IMAGE);
        }
        assert_true(found >= 8);
    }
}

/* Nothing but ones is never a code; tables that pass over several codes at once must not pass over that. */
static void codes_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static uint8_t data[ROOM], changed[ROOM + 16];
    static const uint8_t ones[] = { 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0 };
    for (int i = 0; i < FEW; i++) {
        size_t count = write_kind(&few[i], 40, 35, data), from = data_of(data);
        if (few[i].restart) /* bits behind a segment's last block are nobody's */
            continue;
        for (size_t at = from; at < from + 200 && at < from + (few[i].script ? 20 : (count - from) / 2); at++) {
            if (data[at - 1] == 0xff)
                continue;
            planes p;
            size_t grown = put_in(data, count, at, ones, sizeof ones, changed);
            assert_int_equal(read_at(changed, grown, 1 + (int)(at % 8), false, &p), PX_CORRUPT_IMAGE);
        }
    }
}

static void tables_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    size_t count = write_kind(&few[1], 40, 35, data), frame = 2, codes = data_of(data) - 4;
    planes p;
    while (data[frame + 1] != 0xc0)
        frame += 2u + (unsigned)(data[frame + 2] << 8 | data[frame + 3]);
    data[frame + 12]++; /* there is no second table of quantisation */
    assert_int_equal(read_at(data, count, 4, false, &p), PX_CORRUPT_IMAGE);
    data[frame + 12] += 4;
    assert_int_equal(read_at(data, count, 4, false, &p), PX_CORRUPT_IMAGE);
    data[frame + 12] = 0;
    assert_int_equal(data[codes], 0);
    data[codes] = 0x44;
    assert_int_equal(read_at(data, count, 4, false, &p), PX_CORRUPT_IMAGE);
    data[codes] = 0;
    assert_int_equal(read_at(data, count, 4, false, &p), PX_OK);
    planes_done(&p);
}

static void scans_and_what_lies_between_them_are_counted(void **state)
{
    (void)state;
    static uint8_t data[ROOM], fat[ROOM];
    size_t count = write_kind(&few[2], 40, 35, data), at = data_of(data);
    while (data[at] != 0xff || data[at + 1] != 0xc4)
        at++;
    memcpy(fat, data, at);
    memcpy(fat + at, "\xff\xfe\x10\x00", 4);
    memset(fat + at + 4, 0xff, 0xffe);
    memcpy(fat + at + 2 + 0x1000, data + at, count - at);
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source = source_of(fat, count + 0x1002);
    planes p = { 0 }, whole;
    assert_int_equal(planes_read(&source, &limits, 3, PX_CHROMA_HALVED, &p, NULL), PX_OK);
    assert_int_equal(read_at(data, count, 3, false, &whole), PX_OK);
    assert_true(planes_equal(&p, &whole));
    planes_done(&p);
    planes_done(&whole);
    limits.metadata_bytes = 0x800;
    assert_int_equal(planes_read(&source, &limits, 3, PX_CHROMA_HALVED, &p, NULL), PX_TOO_MANY_BYTES);
    limits = PX_LIMITS_DEFAULT;
    limits.scans = 9;
    assert_int_equal(planes_read(&source, &limits, 3, PX_CHROMA_HALVED, &p, NULL), PX_TOO_MANY_FRAMES);
    limits.scans = 10; /* as many as there are */
    assert_int_equal(planes_read(&source, &limits, 3, PX_CHROMA_HALVED, &p, NULL), PX_OK);
    planes_done(&p);
    px_source_close(&source);
}

/* What a scale does not need is not looked at: damage there goes unseen. */
static void scans_of_no_use_are_passed_over(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    kind k = { 3, 2, 2, 0, 2, 90 };
    size_t count = write_kind(&k, 64, 64, data), at = count - 60;
    planes whole, p;
    assert_int_equal(read_at(data, count, 1, false, &whole), PX_OK);
    memset(data + at, 0xfe, 40);
    assert_int_equal(read_at(data, count, 8, false, &p), PX_CORRUPT_IMAGE);
    assert_int_equal(read_at(data, count, 1, false, &p), PX_OK);
    assert_true(planes_equal(&p, &whole));
    planes_done(&p);
    planes_done(&whole);
}

typedef struct arrival {
    px_source *source;
    const uint8_t *data;
    size_t count;
} arrival;

static void *arrive(void *argument)
{
    arrival *a = argument;
    for (size_t at = 0, piece = 1; at < a->count; at += piece, piece = piece * 2 % 997) {
        piece = piece < a->count - at ? piece : a->count - at;
        (void)!px_source_push(a->source, a->data + at, piece, NULL);
    }
    px_source_finish(a->source);
    return NULL;
}

static void bytes_may_still_arrive(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    for (int i = 0; i < FEW; i++) {
        size_t count = write_kind(&few[i], 200, 150, data);
        planes whole, p = { 0 };
        assert_int_equal(read_at(data, count, 5, false, &whole), PX_OK);
        px_source source;
        px_limits limits = PX_LIMITS_DEFAULT;
        pthread_t thread;
        assert_int_equal(px_source_create(&source, NULL), PX_OK);
        arrival a = { &source, data, count };
        assert_int_equal(pthread_create(&thread, NULL, arrive, &a), 0);
        assert_int_equal(planes_read(&source, &limits, 5, PX_CHROMA_HALVED, &p, NULL), PX_OK);
        pthread_join(thread, NULL);
        assert_true(planes_equal(&p, &whole));
        planes_done(&p);
        planes_done(&whole);
        px_source_close(&source);
    }
}

static void every_cpu_gives_the_same_samples(void **state)
{
    (void)state;
    static const px_jpeg_idct *const sets[] = { &px_jpeg_idct_plain, &px_jpeg_idct_baseline,
#if PX_HAVE_AVX2
                                                &px_jpeg_idct_avx2
#endif
    };
    uint32_t random = 5;
    for (int n = 1; n <= 8; n++)
        for (int round = 0; round < 200; round++) {
            int16_t group[64 * PX_JPEG_GROUP];
            float steps[64];
            uint8_t samples[3][8 * (64 + 8)] = { { 0 } };
            uint16_t table[64];
            for (int i = 0; i < 64; i++)
                table[i] = (uint16_t)(1 + next_random(&random) % (round % 10 ? 40 : 65535));
            px_jpeg_steps(table, n, steps);
            for (int i = 0; i < 64 * PX_JPEG_GROUP; i++)
                group[i] = (int16_t)(round % 10 ? (int)(next_random(&random) % 64) - 32 : (int)next_random(&random));
            for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
#if PX_HAVE_AVX2
                if (s == 2 && !__builtin_cpu_supports("avx2"))
                    continue;
#endif
                sets[s]->run[n](group, steps, samples[s], 72);
                for (int y = 0; y < n; y++)
                    assert_memory_equal(samples[s] + 72 * y, samples[0] + 72 * y, (size_t)(8 * n));
            }
        }
}

static void every_cpu_reads_the_same(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    for (int i = 0; i < FEW; i++)
        for (int eighths = 1; eighths <= 8; eighths++) {
            size_t count = write_kind(&few[i], 131, 97, data);
            planes best, any;
            assert_int_equal(read_at(data, count, eighths, false, &best), PX_OK);
            px_jpeg_any_cpu = true;
            assert_int_equal(read_at(data, count, eighths, false, &any), PX_OK);
            px_jpeg_any_cpu = false;
            assert_true(planes_equal(&best, &any));
            planes_done(&best);
            planes_done(&any);
        }
}

/* The coefficients of the scale alone are held, and of one scan only a row of MCUs. */
static void memory_is_what_the_scale_takes(void **state)
{
    (void)state;
    static uint8_t data[ROOM];
    uint64_t bytes[2][9];
    for (int script = 0; script <= 1; script++) {
        kind k = { 3, 2, 2, 0, script, 10 };
        size_t count = write_kind(&k, 1024, 1024, data);
        px_source source = source_of(data, count);
        px_limits limits = PX_LIMITS_DEFAULT;
        px_decoder *d = NULL;
        assert_int_equal(px_decoder_open(&source, &limits, &d, NULL), PX_OK);
        d->wants_planes = true;
        d->wants_chroma = PX_CHROMA_HALVED;
        for (int n = 1; n <= 8; n++)
            bytes[script][n] = d->memory(d, n) - d->memory(d, 1);
        px_decoder_close(&d);
        px_source_close(&source);
    }
    assert_true(bytes[0][8] < 1024 * 64);
    assert_in_range(bytes[1][2], 1024 * 1024 / 64 * 3 / 2 * 12, 1024 * 1024 / 64 * 3 / 2 * 20);
    assert_true(bytes[1][8] > 1024 * 1024 * 3 && bytes[1][4] < bytes[1][8] / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sampling_at_every_scale),
        cmocka_unit_test(every_quality),
        cmocka_unit_test(every_set_of_scans),
        cmocka_unit_test(grey_is_as_libjpeg_turbo_scales_it),
        cmocka_unit_test(a_cut_is_truncated_wherever_it_falls),
        cmocka_unit_test(flipped_bytes_never_crash),
        cmocka_unit_test(restart_markers_come_in_order),
        cmocka_unit_test(a_stuffed_byte_may_be_filled_up),
        cmocka_unit_test(codes_that_do_not_exist_are_refused),
        cmocka_unit_test(tables_that_cannot_be_are_refused),
        cmocka_unit_test(scans_and_what_lies_between_them_are_counted),
        cmocka_unit_test(scans_of_no_use_are_passed_over),
        cmocka_unit_test(bytes_may_still_arrive),
        cmocka_unit_test(every_cpu_gives_the_same_samples),
        cmocka_unit_test(every_cpu_reads_the_same),
        cmocka_unit_test(memory_is_what_the_scale_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
