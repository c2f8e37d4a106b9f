/* Our own JPEG decoder: at every scale its planes are, within ±1, what the lowest frequencies that libjpeg reads say; where libjpeg-turbo
 * scales by the same frequencies, within ±2 of its samples. Every sampling, restart markers, odd sizes, sets of scans. */
#include "picture.h"

#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sampling_at_every_scale),
        cmocka_unit_test(every_quality),
        cmocka_unit_test(every_set_of_scans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
