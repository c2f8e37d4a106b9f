/* Outputs that are held: quality, bytes and format found by trying. Goal: what the report says is what lies in the file, targets and
 * budgets hold, and what cannot be is refused with the reason. Method: pictures of arithmetic through px_transform. */
#include "picture.h"

#include <stdio.h>
#include <string.h>

#include "image/choose.h"
#include "image/ssim.h"

enum { W = 240, H = 160 };

/* The picture as a PNG, through the engine at its own size; the caller frees *ret_bytes. */
static px_status made(const uint8_t *samples, px_model model, px_alpha alpha, px_output_spec spec, px_transform_report *ret, uint8_t **ret_bytes, px_error *err)
{
    size_t count;
    px_limits limits = PX_LIMITS_DEFAULT;
    uint8_t *png = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = W, .height = H, .model = model, .alpha = alpha, .effort = PX_EFFORT_LOW }, samples, &count);
    px_source source = source_of(png, count);
    int fd = empty_fd();
    px_status status = px_transform(&source, &limits, &spec, &fd, 1, ret, err);
    if (status == PX_OK) {
        *ret_bytes = bytes_of(fd, &count);
        assert_int_equal(count, ret->outputs[0].bytes);
        assert_int_equal(px_format_detect((px_bytes){ *ret_bytes, count }), ret->outputs[0].format);
    }
    close(fd);
    px_source_close(&source);
    free(png);
    return status;
}

static px_output_spec spec_of(px_format format, int quality, uint64_t max_bytes)
{
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    spec.format = format;
    spec.width = 0;
    spec.quality = quality;
    spec.max_bytes = max_bytes;
    return spec;
}

static px_transform_report choose(const uint8_t *samples, px_model model, px_alpha alpha, px_output_spec spec)
{
    px_transform_report report = { 0 };
    uint8_t *bytes = NULL;
    px_error err = { "" };
    assert_int_equal(made(samples, model, alpha, spec, &report, &bytes, &err), PX_OK);
    free(bytes);
    return report;
}

/* With a sensor's grain. */
static uint8_t *photo(int channels)
{
    uint8_t *samples = picture(W, H, channels);
    uint32_t state = 5;
    for (int i = 0; i < W * H * channels; i++) {
        int value = samples[i] + (int)(next_random(&state) % 41) - 20;
        samples[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    return samples;
}

/* Boxes on white. */
static uint8_t *drawing(int channels)
{
    uint8_t *samples = malloc((size_t)(W * H * channels));
    assert_non_null(samples);
    for (int i = 0; i < W * H * channels; i++) {
        int x = i / channels % W, y = i / channels / W;
        samples[i] = x / 16 % 2 && y / 20 % 2 ? (uint8_t)(x / 32 * 30 + i % channels * 50) : 255;
    }
    return samples;
}

static double likeness(const uint8_t *samples, const uint8_t *bytes, size_t count)
{
    px_header header = { 0 };
    uint8_t *back = NULL, *a = malloc(W * H), *b = malloc(W * H);
    void *scratch = malloc(px_ssim_scratch(W));
    assert_int_equal(decode(bytes, count, &header, &back), PX_OK);
    for (int y = 0; y < H; y++) {
        px_row from = px_row_of((uint8_t *)(uintptr_t)samples + y * W * 3, W, PX_RGB, PX_OPAQUE), to = px_row_of(back + y * W * 3, W, PX_RGB, PX_OPAQUE);
        px_luma_row(&from, a + y * W);
        px_luma_row(&to, b + y * W);
    }
    double found = px_ssim(a, b, W, H, scratch);
    free(back);
    free(a);
    free(b);
    free(scratch);
    return found;
}

static void quality_auto_reaches_its_target_and_says_so(void **state)
{
    (void)state;
    static const double wanted[] = { [PX_TARGET_FAIR] = 0.90, [PX_TARGET_GOOD] = 0.93, [PX_TARGET_FINE] = 0.96 };
    uint8_t *samples = photo(3);
    for (int target = 0; target < PX_TARGET_COUNT; target++) {
        px_output_spec spec = spec_of(PX_FORMAT_JPEG, 0, 0);
        spec.target = (px_target)target;
        px_transform_report report;
        uint8_t *bytes = NULL;
        assert_int_equal(made(samples, PX_RGB, PX_OPAQUE, spec, &report, &bytes, NULL), PX_OK);
        double said = 0, found = likeness(samples, bytes, report.outputs[0].bytes);
        int encodes = 0;
        assert_int_equal(sscanf(report.outputs[0].reason, "SSIM %lf, %d encodes", &said, &encodes), 2);
        assert_in_range(encodes, 1, 5);
        assert_true(fabs(found - said) < 0.0001 && fabs(found / wanted[target] - 1) <= 0.005);

        spec.quality = report.outputs[0].quality; /* said, it makes the same file */
        px_transform_report again = choose(samples, PX_RGB, PX_OPAQUE, spec);
        assert_int_equal(again.outputs[0].bytes, report.outputs[0].bytes);
        assert_string_equal(again.outputs[0].reason, "");
        assert_true(report.memory_bytes >= again.memory_bytes + W * H * 3); /* it was held, and counted */
        free(bytes);
    }
    free(samples);
}

static void a_budget_holds_and_is_used(void **state)
{
    (void)state;
    uint8_t *samples = photo(3);
    uint64_t whole = choose(samples, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_JPEG, 100, 0)).outputs[0].bytes;
    for (uint64_t budget = whole / 12; budget < whole; budget += whole / 9) {
        px_transform_report report = choose(samples, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_JPEG, 100, budget));
        uint64_t next = choose(samples, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_JPEG, report.outputs[0].quality + 1, 0)).outputs[0].bytes;
        assert_true(report.outputs[0].bytes <= budget);
        assert_true(next > budget || (double)report.outputs[0].bytes >= 0.9 * (double)budget);
        assert_non_null(strstr(report.outputs[0].reason, "max_bytes"));
    }
    assert_int_equal(choose(samples, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_JPEG, 70, whole)).outputs[0].quality, 70); /* never above it */
    px_transform_report automatic = choose(samples, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_JPEG, 0, whole));
    px_transform_report both = choose(samples, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_JPEG, 0, automatic.outputs[0].bytes / 2));
    assert_true(automatic.outputs[0].quality < 100 && both.outputs[0].quality < automatic.outputs[0].quality);
    assert_true(both.outputs[0].bytes <= automatic.outputs[0].bytes / 2);
    free(samples);
}

static void a_budget_that_cannot_hold_is_refused(void **state)
{
    (void)state;
    uint8_t *samples = photo(3), *bytes = NULL;
    px_transform_report report;
    px_error err = { "" };
    assert_int_equal(made(samples, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_JPEG, 80, 600), &report, &bytes, &err), PX_TOO_MANY_BYTES);
    assert_non_null(strstr(err.message, "lowest quality"));
    px_output_spec spec = spec_of(PX_FORMAT_PNG, 80, 20000);
    spec.width = W - 1; /* otherwise the source's own bytes might do */
    assert_int_equal(made(samples, PX_RGB, PX_OPAQUE, spec, &report, &bytes, &err), PX_TOO_MANY_BYTES);
    assert_non_null(strstr(err.message, "losslessly"));
    spec.max_bytes = 1 << 20;
    choose(samples, PX_RGB, PX_OPAQUE, spec);
    free(samples);
}

static void the_source_s_own_bytes_keep_a_budget_too(void **state)
{
    (void)state;
    enum { SIDE = 64 };
    uint8_t *samples = photo(3);
    size_t count;
    px_limits limits = PX_LIMITS_DEFAULT;
    px_transform_report report;
    /* With more effort than the output may have. */
    uint8_t *png = encode((px_encoder_spec){ .format = PX_FORMAT_PNG, .width = W, .height = H, .model = PX_RGB, .effort = PX_EFFORT_HIGH }, samples, &count);
    px_source source = source_of(png, count);
    px_output_spec spec = spec_of(PX_FORMAT_PNG, 80, count);
    spec.effort = PX_EFFORT_LOW;
    int fd = empty_fd();
    assert_int_equal(px_transform(&source, &limits, &spec, &fd, 1, &report, NULL), PX_OK);
    assert_true(report.outputs[0].passed_through && report.outputs[0].bytes <= count);
    spec.max_bytes = count / 2;
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(px_transform(&source, &limits, &spec, &fd, 1, &report, NULL), PX_TOO_MANY_BYTES);
    close(fd);
    px_source_close(&source);
    free(png);
    free(samples);
}

static void see_through(uint8_t *samples, uint8_t alpha)
{
    for (int i = 0; i < W * H; i++)
        samples[i * 4 + 3] = i == W * H / 2 ? alpha : 255;
}

static void a_format_is_chosen_by_what_is_seen(void **state)
{
    (void)state;
    uint8_t *a = photo(3), *b = drawing(3), *c = photo(4), *d = photo(1), *e = drawing(1);
    assert_int_equal(choose(a, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_AUTO, 80, 0)).outputs[0].format, PX_FORMAT_JPEG);
    assert_int_equal(choose(b, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_AUTO, 80, 0)).outputs[0].format, PX_FORMAT_PNG);
    assert_int_equal(choose(d, PX_GREY, PX_OPAQUE, spec_of(PX_FORMAT_AUTO, 0, 0)).outputs[0].format, PX_FORMAT_JPEG);
    assert_int_equal(choose(e, PX_GREY, PX_OPAQUE, spec_of(PX_FORMAT_AUTO, 0, 0)).outputs[0].format, PX_FORMAT_PNG);
    see_through(c, 254); /* one pixel is enough */
    px_transform_report report = choose(c, PX_RGB, PX_STRAIGHT, spec_of(PX_FORMAT_AUTO, 80, 0));
    assert_int_equal(report.outputs[0].format, PX_FORMAT_PNG);
    assert_non_null(strstr(report.outputs[0].reason, "transparent"));
    see_through(c, 255); /* alpha that hides nothing */
    report = choose(c, PX_RGB, PX_STRAIGHT, spec_of(PX_FORMAT_AUTO, 80, 0));
    assert_int_equal(report.outputs[0].format, PX_FORMAT_JPEG);
    assert_non_null(strstr(report.outputs[0].reason, "photo"));
    px_output_spec spec = spec_of(PX_FORMAT_AUTO, 80, 0);
    spec.lossless = true;
    assert_int_equal(choose(a, PX_RGB, PX_OPAQUE, spec).outputs[0].format, PX_FORMAT_PNG);
    uint64_t png = choose(b, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_PNG, 80, 0)).outputs[0].bytes;
    uint64_t jpeg = choose(b, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_JPEG, 30, 0)).outputs[0].bytes;
    if (jpeg < png) /* a budget that only a JPEG keeps */
        assert_int_equal(choose(b, PX_RGB, PX_OPAQUE, spec_of(PX_FORMAT_AUTO, 80, png - 1)).outputs[0].format, PX_FORMAT_JPEG);
    free(a);
    free(b);
    free(c);
    free(d);
    free(e);
}

/* The picture that hides nothing is written without its alpha: colours as they were. */
static void a_chosen_file_holds_the_same_pixels(void **state)
{
    (void)state;
    uint8_t *samples = drawing(4), *bytes = NULL, *back = NULL;
    px_transform_report report;
    px_header header = { 0 };
    see_through(samples, 255);
    assert_int_equal(made(samples, PX_RGB, PX_STRAIGHT, spec_of(PX_FORMAT_AUTO, 80, 0), &report, &bytes, NULL), PX_OK);
    assert_int_equal(decode(bytes, report.outputs[0].bytes, &header, &back), PX_OK);
    int step = px_channels(header.model, header.alpha);
    for (int i = 0; i < W * H; i++)
        assert_memory_equal(back + i * step, samples + i * 4, 3);
    free(back);
    free(bytes);
    free(samples);

    samples = photo(4);
    see_through(samples, 255);
    assert_int_equal(made(samples, PX_RGB, PX_STRAIGHT, spec_of(PX_FORMAT_AUTO, 95, 0), &report, &bytes, NULL), PX_OK);
    assert_int_equal(report.outputs[0].format, PX_FORMAT_JPEG);
    assert_int_equal(decode(bytes, report.outputs[0].bytes, &header, &back), PX_OK);
    for (int i = 0; i < W * H; i++)
        memmove(samples + i * 3, samples + i * 4, 3);
    assert_true(psnr(back, samples, W * H * 3) > 30);
    free(back);
    free(bytes);
    free(samples);
}

/* A format's row says `lossy` exactly if its encoder heeds a quality. */
static void lossy_formats_are_those_whose_bytes_follow_the_quality(void **state)
{
    (void)state;
    uint8_t *samples = photo(3);
    for (int f = PX_FORMAT_KEEP + 1; f < PX_FORMAT_COUNT; f++) {
        if (!px_format_is_written((px_format)f))
            continue;
        size_t low, high;
        px_encoder_spec spec = { .format = (px_format)f, .width = W, .height = H, .model = PX_RGB, .quality = 20, .effort = PX_EFFORT_LOW };
        free(encode(spec, samples, &low));
        spec.quality = 90;
        free(encode(spec, samples, &high));
        assert_int_equal(px_format_is_lossy((px_format)f), low != high);
    }
    free(samples);
}

/* Every lossy format meets target and budget: what is added later comes here by itself. */
static void every_lossy_format_meets_target_and_budget(void **state)
{
    (void)state;
    uint8_t *samples = photo(3);
    for (int f = PX_FORMAT_KEEP + 1; f < PX_FORMAT_COUNT; f++) {
        if (!px_format_is_written((px_format)f) || !px_format_is_lossy((px_format)f))
            continue;
        px_output_report one = choose(samples, PX_RGB, PX_OPAQUE, spec_of((px_format)f, 0, 0)).outputs[0];
        double said = 0;
        int encodes = 0;
        assert_int_equal(sscanf(one.reason, "SSIM %lf, %d encodes", &said, &encodes), 2);
        print_message("%s: quality %d, %llu bytes, %s\n", px_format_name((px_format)f), one.quality, (unsigned long long)one.bytes, one.reason);
        assert_true(encodes <= 5 && fabs(said / 0.93 - 1) <= 0.005);
        px_output_report two = choose(samples, PX_RGB, PX_OPAQUE, spec_of((px_format)f, 80, one.bytes / 2)).outputs[0];
        assert_true(two.bytes <= one.bytes / 2 && two.quality < one.quality);
    }
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quality_auto_reaches_its_target_and_says_so),
        cmocka_unit_test(a_budget_holds_and_is_used),
        cmocka_unit_test(a_budget_that_cannot_hold_is_refused),
        cmocka_unit_test(the_source_s_own_bytes_keep_a_budget_too),
        cmocka_unit_test(a_format_is_chosen_by_what_is_seen),
        cmocka_unit_test(a_chosen_file_holds_the_same_pixels),
        cmocka_unit_test(lossy_formats_are_those_whose_bytes_follow_the_quality),
        cmocka_unit_test(every_lossy_format_meets_target_and_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
