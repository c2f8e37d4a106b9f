/* The JPEG encoder against libjpeg-turbo, which reads what it wrote without a complaint, and writes the same coefficients of the same
 * samples; and its inner loops against plain C. */
#include "picture.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include "codec/jpeg/forward.h"
#include "codec/jpeg/whole.h"

/* ---- inner loops ---- */

static const px_jpeg_forward *sets[2];

static int find_sets(void **state)
{
    (void)state;
    sets[0] = &px_jpeg_forward_baseline;
    sets[1] = px_jpeg_forward_best();
    return 0;
}

enum { WIDTH_MAX = 200, SPARE = 8 };

static void fill(uint8_t *samples, size_t count, uint32_t *random, int kind)
{
    for (size_t i = 0; i < count; i++)
        samples[i] = (uint8_t)(kind == 0 ? next_random(random) : kind == 1 ? (next_random(random) % 2 ? 255 : 0) : kind == 2 ? 255 : 0);
}

static void colours_are_as_plain_c_has_them(void **state)
{
    (void)state;
    const px_jpeg_forward *plain = &px_jpeg_forward_plain;
    uint8_t rgb[2][3 * WIDTH_MAX], want[5][WIDTH_MAX + SPARE], got[5][WIDTH_MAX + SPARE];
    uint32_t random = 7;
    for (int width = 1; width <= WIDTH_MAX; width++) {
        fill(rgb[0], sizeof rgb[0], &random, width % 4);
        fill(rgb[1], sizeof rgb[1], &random, width / 4 % 4);
        for (int i = 0; i < 2; i++) {
            memset(want, 77, sizeof want);
            memset(got, 77, sizeof got); /* nothing is written behind the end */
            plain->luma(rgb[0], width, want[0]);
            plain->whole(rgb[0], width, want[1], want[2]);
            plain->halved(rgb[0], rgb[1], width, want[3], want[4]);
            sets[i]->luma(rgb[0], width, got[0]);
            sets[i]->whole(rgb[0], width, got[1], got[2]);
            sets[i]->halved(rgb[0], rgb[1], width, got[3], got[4]);
            if (memcmp(want, got, sizeof want) != 0)
                fail_msg("%s, %d pixels", sets[i]->name, width);
        }
    }
}

static void coefficients_are_as_plain_c_has_them(void **state)
{
    (void)state;
    uint8_t samples[8 * PX_JPEG_GROUP + 1];
    uint32_t random = 11;
    for (int round = 0; round < 600; round++) {
        px_jpeg_divisors divisors;
        px_jpeg_group want, got;
        fill(samples, sizeof samples, &random, round % 4);
        for (int i = 0; i < 64; i++) {
            int step = round < 300 ? 1 + (int)(next_random(&random) % 255) : 1 + round % 3;
            divisors.half[i] = (float)(step * 4) + 0.5f;
            divisors.part[i] = 1.0f / (float)(step * 8);
        }
        px_jpeg_forward_plain.transform(samples + round % 2, PX_JPEG_GROUP, &divisors, &want);
        for (int i = 0; i < 2; i++) {
            sets[i]->transform(samples + round % 2, PX_JPEG_GROUP, &divisors, &got);
            if (memcmp(&want, &got, sizeof want) != 0)
                fail_msg("%s, round %d", sets[i]->name, round);
        }
    }
}

/* Counts of which each is the sum of the two before would have codes of every length. */
static void codes_are_no_longer_than_16_bits(void **state)
{
    (void)state;
    for (int symbols = 1; symbols <= 80; symbols++) {
        uint64_t counts[256] = { 0 }, room = 0;
        px_jpeg_code code;
        for (int s = 0; s < symbols; s++)
            counts[3 * s] = s < 2 ? 1 : counts[3 * s - 3] + counts[3 * s - 6];
        px_jpeg_code_make(counts, &code);
        assert_int_equal(code.count, symbols);
        for (int s = 0; s < 256; s++) {
            uint32_t length = code.words[s] & 31;
            assert_int_equal(length > 0, counts[s] > 0);
            assert_in_range(length, 0, 16);
            room += length ? 1u << (16 - length) : 0;
        }
        assert_in_range(room, 1, (1 << 16) - 1); /* one is left: that of ones */
    }
}

/* ---- libjpeg-turbo ---- */

static void on_message(j_common_ptr library, int level)
{
    if (level < 0)
        library->err->num_warnings++;
}

/* The library on a file, its header read. */
static void open_library(struct jpeg_decompress_struct *d, struct jpeg_error_mgr *errors, const uint8_t *data, size_t count)
{
    d->err = jpeg_std_error(errors);
    errors->emit_message = on_message;
    jpeg_create_decompress(d);
    jpeg_mem_src(d, data, count);
    jpeg_read_header(d, TRUE);
}

typedef struct planes {
    int count, width[3], height[3];
    uint8_t *samples[3]; /* owned */
} planes;

static void planes_done(planes *p)
{
    for (int i = 0; i < p->count; i++)
        free(p->samples[i]);
}

/* Detail everywhere, so that coefficients of all sizes occur; or noise. */
static planes planes_of(int width, int height, int count, int part, uint32_t seed)
{
    planes made = { .count = count };
    for (int p = 0; p < count; p++) {
        made.width[p] = p ? (width + part - 1) / part : width;
        made.height[p] = p ? (height + part - 1) / part : height;
        made.samples[p] = malloc((size_t)made.width[p] * (size_t)made.height[p]);
        for (int y = 0, i = 0; y < made.height[p]; y++)
            for (int x = 0; x < made.width[p]; x++)
                made.samples[p][i++] = seed ? (uint8_t)(next_random(&seed) % 3 ? next_random(&seed) : 255) : picture_sample(x, y, p);
    }
    return made;
}

/* The planes as the library stores them, edges repeated to whole units. */
static uint8_t *by_library(const planes *from, int quality, size_t *ret_count)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long count = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &bytes, &count);
    c.image_width = (unsigned)from->width[0];
    c.image_height = (unsigned)from->height[0];
    c.input_components = from->count;
    c.in_color_space = from->count == 1 ? JCS_GRAYSCALE : JCS_YCbCr;
    jpeg_set_defaults(&c);
    if (quality >= 90)
        c.comp_info[0].h_samp_factor = c.comp_info[0].v_samp_factor = 1;
    jpeg_set_quality(&c, quality, TRUE);
    c.optimize_coding = TRUE;
    c.raw_data_in = TRUE;
    jpeg_start_compress(&c, TRUE);
    int unit = c.comp_info[0].v_samp_factor;
    for (int first = 0; first < from->height[0]; first += 8 * unit) {
        static uint8_t room[3][16][1024];
        JSAMPROW rows[3][16];
        JSAMPARRAY all[3] = { rows[0], rows[1], rows[2] };
        for (int p = 0; p < from->count; p++)
            for (int y = 0; y < 16; y++) {
                int line = (p ? first / unit : first) + y, last = from->width[p] - 1;
                line = line < from->height[p] ? line : from->height[p] - 1;
                for (int x = 0; x < 1024; x++)
                    room[p][y][x] = from->samples[p][line * from->width[p] + (x < last ? x : last)];
                rows[p][y] = room[p][y];
            }
        jpeg_write_raw_data(&c, all, (JDIMENSION)(8 * unit));
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    *ret_count = count;
    return bytes;
}

static px_status push_planes(px_encoder *encoder, const planes *from)
{
    int lines = from->count == 3 && from->height[1] < from->height[0] ? 2 : from->count == 3 && from->width[1] < from->width[0] ? 2 : 1;
    for (int y = 0; y * lines < from->height[0]; y++) {
        px_row row = { .plane_count = from->count, .depth = 8, .model = from->count == 1 ? PX_GREY : PX_YCC };
        for (int p = 0; p < from->count; p++) {
            int first = p ? y : y * lines, left = from->height[p] - first;
            row.planes[p] = (px_plane){ from->samples[p] + first * from->width[p], from->width[p], p || left < lines ? 1 : lines,
                                        (size_t)from->width[p], 1 };
        }
        PX_TRY(encoder->push(encoder, &row, NULL));
    }
    return PX_OK;
}

static px_encoder_spec spec_of(const planes *from, int quality)
{
    px_encoder_spec spec = { .format = PX_FORMAT_JPEG, .width = from->width[0], .height = from->height[0],
                             .model = from->count == 1 ? PX_GREY : PX_RGB, .quality = quality };
    if (from->count > 1)
        assert_true(px_format_takes_planes(&spec, &spec));
    return spec;
}

static uint8_t *by_us(const planes *from, int quality, px_effort effort, size_t *ret_count)
{
    px_encoder_spec spec = spec_of(from, quality);
    spec.effort = effort;
    int fd = empty_fd();
    px_encoder *encoder = NULL;
    assert_int_equal(px_encoder_open(&spec, fd, &encoder, NULL), PX_OK);
    assert_int_equal(push_planes(encoder, from), PX_OK);
    return finish_encoding(encoder, fd, ret_count);
}

/* How many coefficients differ; files have to be alike in all that surrounds them. */
static int differing(const uint8_t *a, size_t a_count, const uint8_t *b, size_t b_count)
{
    struct jpeg_decompress_struct d[2];
    struct jpeg_error_mgr errors[2];
    jvirt_barray_ptr *arrays[2];
    const uint8_t *data[2] = { a, b };
    size_t counts[2] = { a_count, b_count };
    int found = 0;
    for (int i = 0; i < 2; i++) {
        open_library(&d[i], &errors[i], data[i], counts[i]);
        arrays[i] = jpeg_read_coefficients(&d[i]);
        assert_int_equal(errors[i].num_warnings, 0);
    }
    assert_int_equal(d[0].num_components, d[1].num_components);
    for (int c = 0; c < d[0].num_components; c++) {
        jpeg_component_info *one = &d[0].comp_info[c], *other = &d[1].comp_info[c];
        assert_int_equal(one->width_in_blocks, other->width_in_blocks);
        assert_int_equal(one->height_in_blocks, other->height_in_blocks);
        assert_memory_equal(one->quant_table->quantval, other->quant_table->quantval, sizeof one->quant_table->quantval);
        for (JDIMENSION y = 0; y < one->height_in_blocks; y++) {
            JBLOCKROW left = d[0].mem->access_virt_barray((j_common_ptr)&d[0], arrays[0][c], y, 1, FALSE)[0];
            JBLOCKROW right = d[1].mem->access_virt_barray((j_common_ptr)&d[1], arrays[1][c], y, 1, FALSE)[0];
            for (JDIMENSION x = 0; x < one->width_in_blocks; x++)
                for (int k = 0; k < 64; k++)
                    found += left[x][k] != right[x][k];
        }
    }
    for (int i = 0; i < 2; i++) {
        jpeg_finish_decompress(&d[i]);
        assert_int_equal(errors[i].num_warnings, 0);
        jpeg_destroy_decompress(&d[i]);
    }
    return found;
}

static void assert_as_the_library(int width, int height, int count, int quality, uint32_t seed)
{
    planes from = planes_of(width, height, count, quality < 90 ? 2 : 1, seed);
    size_t ours, theirs;
    uint8_t *a = by_us(&from, quality, PX_EFFORT_NORMAL, &ours), *b = by_library(&from, quality, &theirs);
    int found = differing(a, ours, b, theirs);
    if (found || ours * 1000 > theirs * 1001)
        fail_msg("%dx%d, %d planes, quality %d: %d coefficients differ, %zu bytes for %zu", width, height, count, quality, found, ours, theirs);
    planes_done(&from);
    free(a);
    free(b);
}

static void coefficients_are_those_of_libjpeg_at_every_size(void **state)
{
    (void)state;
    for (int width = 1; width <= 40; width++)
        for (int height = 1; height <= 40; height++) {
            int kind = (width + height) % 3;
            assert_as_the_library(width, height, kind == 0 ? 1 : 3, kind == 1 ? 92 : 75, 0);
        }
    assert_as_the_library(129, 67, 3, 80, 0);
    assert_as_the_library(1000, 35, 3, 80, 0);
    assert_as_the_library(515, 130, 3, 95, 0);
    assert_as_the_library(700, 33, 1, 85, 0);
}

static void coefficients_are_those_of_libjpeg_at_every_quality(void **state)
{
    (void)state;
    for (int quality = 1; quality <= 100; quality++) {
        assert_as_the_library(90, 41, 3, quality, 0);
        assert_as_the_library(70, 50, quality % 2 ? 1 : 3, quality, (uint32_t)quality);
    }
    assert_as_the_library(400, 300, 3, 100, 5); /* the most tokens there can be, in several chunks */
}

/* ---- effort high ---- */

/* Coefficients that get smaller and rarer from the first to the last, as pictures' do: `most` times as big as a random number that is mostly
 * far below 1. Some blocks have none. Below 0: all are big. */
static void fill_whole(px_jpeg_whole *whole, uint32_t *random, double most)
{
    for (int p = 0; p < whole->frame->planes; p++)
        for (size_t i = 0; i < px_jpeg_block_count(whole->frame, p); i++) {
            double busy = next_random(random) % 4 ? most : 0;
            whole->nonzero[p][i] = 0;
            for (int k = 0; k < 64; k++) {
                double part = (next_random(random) % 1000 + 1) / 1000.0, size = -log(part) * busy * exp(-k / 12.0);
                int value = size > 1000 ? 1000 : most < 0 ? 500 : (int)size;
                whole->blocks[p][i][k] = (int16_t)(next_random(random) % 2 ? -value : value);
                whole->nonzero[p][i] |= (uint64_t)(k && value) << k;
            }
        }
}

/* What the library reads of a file, against what was to be written. */
static void assert_is_read_as(const uint8_t *data, size_t count, const px_jpeg_whole *whole)
{
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    open_library(&d, &errors, data, count);
    jvirt_barray_ptr *arrays = jpeg_read_coefficients(&d);
    assert_int_equal(errors.num_warnings, 0);
    for (int p = 0; p < d.num_components; p++)
        for (JDIMENSION y = 0; y < d.comp_info[p].height_in_blocks; y++) {
            JBLOCKROW row = d.mem->access_virt_barray((j_common_ptr)&d, arrays[p], y, 1, FALSE)[0];
            for (int x = 0; x < whole->frame->across[p]; x++)
                for (int k = 0; k < 64; k++)
                    if (row[x][px_jpeg_zigzag[k]] != whole->blocks[p][(int)y * whole->frame->across[p] + x][k])
                        fail_msg("%dx%d: plane %d, row %u, block %d, coefficient %d", whole->frame->width, whole->frame->height, p, y, x, k);
        }
    assert_int_equal(d.progressive_mode, whole->frame->progressive);
    jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
}

static void assert_scans_are_read(px_encoder_spec spec, const px_jpeg_plan *plan, uint32_t *random, double most)
{
    static px_jpeg_out out;
    px_jpeg_frame frame = px_jpeg_frame_of(&spec);
    px_jpeg_whole whole;
    px_error err;
    int fd = empty_fd();
    size_t count;
    assert_int_equal(px_jpeg_whole_create(&frame, &whole, &err), PX_OK);
    fill_whole(&whole, random, most);
    px_jpeg_plan chosen = plan ? *plan : px_jpeg_scans_plan(&whole);
    frame.progressive = chosen.progressive;
    px_jpeg_out_init(&out, fd);
    assert_int_equal(px_jpeg_head_write(&frame, &spec, &out, &err), PX_OK);
    assert_int_equal(px_jpeg_scans_write(&whole, &chosen, &out, &err), PX_OK);
    assert_int_equal(px_jpeg_out_bytes(&out, "\xff\xd9", 2, &err), PX_OK);
    assert_int_equal(px_jpeg_out_finish(&out, &err), PX_OK);
    uint8_t *data = bytes_of(fd, &count);
    assert_is_read_as(data, count, &whole);
    px_jpeg_whole_destroy(&whole);
    free(data);
    close(fd);
}

static void scans_hold_what_they_were_given(void **state)
{
    (void)state;
    static const double most[] = { 0.2, 1, 3, 10, 40, 300 };
    static const int splits[] = { 63, 2, 5, 8, 12, 18 };
    uint32_t random = 99;
    for (int i = 0; i < 300; i++) {
        px_encoder_spec spec = { .width = 1 + (int)(next_random(&random) % 150), .height = 1 + (int)(next_random(&random) % 150),
                                 .model = i % 4 ? PX_RGB : PX_GREY, .quality = i % 2 ? 80 : 95 };
        px_jpeg_plan plan = { .progressive = i % 10 != 0, .dc_low = i / 6 % 2 };
        for (int p = 0; p < 3; p++) {
            plan.low[p] = (int)(next_random(&random) % (PX_JPEG_LOW_MAX + 1));
            plan.split[p] = splits[next_random(&random) % 6];
        }
        assert_scans_are_read(spec, i % 7 ? &plan : NULL, &random, most[i % 6]);
    }
    px_jpeg_plan late = { .progressive = true, .dc_low = 1, .low = { 2 }, .split = { 5 } };
    px_encoder_spec empty = { .width = 1504, .height = 1504, .model = PX_GREY, .quality = 80 }; /* a run of more blocks than one symbol can say */
    assert_scans_are_read(empty, &late, &random, 0);
    px_encoder_spec full = { .width = 160, .height = 160, .model = PX_GREY, .quality = 80 }; /* many bits that wait for the next symbol */
    assert_scans_are_read(full, &late, &random, -1);
    px_encoder_spec big = { .width = 600, .height = 600, .model = PX_RGB, .quality = 95 }; /* planned by part of it */
    assert_scans_are_read(big, NULL, &random, 5);
}

/* The luma of a decoded JPEG. */
static double luma_psnr(const uint8_t *data, size_t count, const planes *from)
{
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    open_library(&d, &errors, data, count);
    d.out_color_space = JCS_GRAYSCALE;
    jpeg_start_decompress(&d);
    uint8_t *luma = malloc((size_t)d.output_width * d.output_height);
    while (d.output_scanline < d.output_height) {
        JSAMPROW row = luma + (size_t)d.output_scanline * d.output_width;
        jpeg_read_scanlines(&d, &row, 1);
    }
    double near = psnr(luma, from->samples[0], (size_t)d.output_width * d.output_height);
    assert_int_equal(errors.num_warnings, 0);
    jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
    free(luma);
    return near;
}

/* A decibel is worth about an eighth of the bytes. */
static void effort_high_saves_more_bytes_than_it_loses(void **state)
{
    (void)state;
    for (int quality = 20; quality <= 100; quality += 8) {
        planes from = planes_of(500, 300, 1, 1, 0);
        size_t usual, high, again;
        uint8_t *a = by_us(&from, quality, PX_EFFORT_NORMAL, &usual), *b = by_us(&from, quality, PX_EFFORT_HIGH, &high);
        uint8_t *c = by_us(&from, quality, PX_EFFORT_HIGH, &again);
        double near = luma_psnr(a, usual, &from), still = luma_psnr(b, high, &from);
        assert_int_equal(high, again);
        assert_memory_equal(b, c, high);
        double gain = log((double)usual / (double)high) + (still - near) * 0.12;
        if (gain < 0.03 || still < near - 3)
            fail_msg("quality %d: %zu bytes for %zu, %.1f dB for %.1f", quality, high, usual, still, near);
        planes_done(&from);
        free(a);
        free(b);
        free(c);
    }
}

static void effort_high_takes_every_size(void **state)
{
    (void)state;
    for (int width = 1; width <= 40; width++)
        for (int height = 1; height <= 40; height += 3) {
            int quality = (width + height) % 2 ? 80 : 92;
            planes from = planes_of(width, height, width % 5 ? 3 : 1, quality < 90 ? 2 : 1, 0);
            size_t count;
            uint8_t *data = by_us(&from, quality, PX_EFFORT_HIGH, &count);
            assert_true(luma_psnr(data, count, &from) > 27);
            planes_done(&from);
            free(data);
        }
}

/* ---- what may go wrong ---- */

static void memory_is_not_more_than_was_said(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        int quality = kind % 3 == 0 ? 100 : 80;
        planes from = planes_of(700, 500, kind % 3 == 2 ? 1 : 3, quality < 90 ? 2 : 1, 9);
        px_encoder_spec spec = spec_of(&from, quality);
        spec.effort = kind < 3 ? PX_EFFORT_NORMAL : PX_EFFORT_HIGH;
        int fd = empty_fd();
        px_encoder *encoder = NULL;
        struct mallinfo2 before = mallinfo2();
        assert_int_equal(px_encoder_open(&spec, fd, &encoder, NULL), PX_OK);
        assert_int_equal(push_planes(encoder, &from), PX_OK);
        struct mallinfo2 after = mallinfo2();
        size_t taken = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
        if (!PX_SANITIZED)
            assert_in_range(taken, 1000, px_encoder_memory(&spec));
        px_encoder_close(&encoder);
        close(fd);
        planes_done(&from);
    }
}

static void a_full_disk_is_said(void **state)
{
    (void)state;
    for (int effort = 0; effort < PX_EFFORT_COUNT; effort++) {
        planes from = planes_of(400, 300, 3, 2, 3);
        px_encoder_spec spec = spec_of(&from, 80);
        spec.effort = (px_effort)effort;
        int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
        px_encoder *encoder = NULL;
        uint64_t bytes = 1234;
        assert_true(fd >= 0);
        assert_int_equal(px_encoder_open(&spec, fd, &encoder, NULL), PX_OK);
        assert_int_equal(push_planes(encoder, &from), PX_OK);
        assert_int_equal(encoder->finish(encoder, &bytes, NULL), PX_DISK_FULL);
        assert_int_equal(bytes, 1234);
        px_encoder_close(&encoder);
        close(fd);
        planes_done(&from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours_are_as_plain_c_has_them),
        cmocka_unit_test(coefficients_are_as_plain_c_has_them),
        cmocka_unit_test(codes_are_no_longer_than_16_bits),
        cmocka_unit_test(coefficients_are_those_of_libjpeg_at_every_size),
        cmocka_unit_test(coefficients_are_those_of_libjpeg_at_every_quality),
        cmocka_unit_test(scans_hold_what_they_were_given),
        cmocka_unit_test(effort_high_saves_more_bytes_than_it_loses),
        cmocka_unit_test(effort_high_takes_every_size),
        cmocka_unit_test(memory_is_not_more_than_was_said),
        cmocka_unit_test(a_full_disk_is_said),
    };
    return cmocka_run_group_tests(tests, find_sets, NULL);
}
