/* Planes on their way: whatever the sizes and however the decoder cuts them into rows, each comes out as the resampler makes it of the
 * whole plane; kept sizes go through untouched; ranges and RGB are as BT.601 says. */
#include "picture.h"

#include <string.h>

#include "image/planes.h"
#include "image/resample.h"

typedef struct planar {
    px_plane_size sizes[3];
    uint8_t *samples[3];
} planar;

static px_header header_of(int width, int height, int across, int down)
{
    return (px_header){ .width = width, .height = height, .planes = true, .chroma_across = across, .chroma_down = down };
}

static planar planar_of(const px_header *header, int eighths, px_chroma chroma)
{
    planar made;
    px_plane_sizes(header, eighths, chroma, made.sizes);
    for (int p = 0; p < 3; p++)
        made.samples[p] = picture(made.sizes[p].width, made.sizes[p].height, 1);
    return made;
}

static void planar_done(planar *self)
{
    for (int p = 0; p < 3; p++)
        free(self->samples[p]);
}

static px_planes_spec whole(const px_header *header, const planar *from, int width, int height, px_chroma chroma)
{
    return (px_planes_spec){ .header = header, .sizes = { from->sizes[0], from->sizes[1], from->sizes[2] },
                             .window_width = header->width, .window_height = header->height,
                             .part_width = header->width, .part_height = header->height,
                             .target_width = width, .target_height = height, .chroma = chroma };
}

/* Feeds rows of `band` lines of Y, and as many of the others as belong to them; returns the planes that come out, one behind the other. */
static uint8_t *run(const px_planes_spec *spec, const planar *from, int band, size_t *ret_bytes)
{
    px_planes *self = NULL;
    px_row out;
    int across = spec->chroma == PX_CHROMA_HALVED ? (spec->target_width + 1) / 2 : spec->target_width;
    int down = spec->chroma == PX_CHROMA_HALVED ? (spec->target_height + 1) / 2 : spec->target_height;
    size_t starts[3] = { 0, (size_t)spec->target_width * (size_t)spec->target_height };
    starts[2] = starts[1] + (size_t)across * (size_t)down;
    *ret_bytes = starts[2] + (size_t)across * (size_t)down;
    uint8_t *target = malloc(*ret_bytes);
    int given[3] = { 0 }, height = from->sizes[0].height;
    assert_int_equal(px_planes_create(spec, &self, NULL), PX_OK);
    for (int y = 0; y < height; y += band) {
        px_row row = { .plane_count = 3, .depth = 8, .model = PX_YCC };
        for (int p = 0; p < 3; p++) {
            const px_plane_size *size = &from->sizes[p];
            int end = y + band >= height ? size->height : (int)((int64_t)(y + band) * size->height / height);
            row.planes[p] = (px_plane){ from->samples[p] + given[p] * size->width, size->width, end - given[p], (size_t)size->width, 1 };
            given[p] = end;
        }
        px_planes_take(self, &row);
        while (px_planes_pull(self, &out))
            for (int p = 0; p < 3; p++)
                for (int l = 0; l < out.planes[p].height; l++) {
                    memcpy(target + starts[p], out.planes[p].samples + (size_t)l * out.planes[p].stride, (size_t)out.planes[p].width);
                    starts[p] += (size_t)out.planes[p].width;
                }
    }
    assert_int_equal(starts[2], *ret_bytes);
    px_planes_destroy(self);
    return target;
}

/* A plane scaled by itself; of an odd target, chroma hangs over. */
static void scale_alone(const px_planes_spec *spec, const planar *from, int p, uint8_t *target, int width, int height)
{
    const px_plane_size *size = &from->sizes[p];
    double over_x = p && spec->chroma == PX_CHROMA_HALVED ? 2.0 * width / spec->target_width : 1.0;
    double over_y = p && spec->chroma == PX_CHROMA_HALVED ? 2.0 * height / spec->target_height : 1.0;
    px_resample_spec scaling = { .source_width = size->width, .source_height = size->height, .width = spec->part_width * size->across * over_x,
                                 .height = spec->part_height * size->down * over_y, .target_width = width, .target_height = height, .channels = 1 };
    px_resample *alone = NULL;
    int pulled = 0;
    assert_int_equal(px_resample_create(&scaling, &alone, NULL), PX_OK);
    for (int y = 0; y < size->height; y++) {
        px_resample_push(alone, from->samples[p] + y * size->width);
        while (pulled < height && px_resample_pull(alone, target + pulled * width))
            pulled++;
    }
    assert_int_equal(pulled, height);
    px_resample_destroy(alone);
}

static void check(int width, int height, int across, int down, int eighths, int target_width, int target_height, px_chroma chroma, int band)
{
    px_header header = header_of(width, height, across, down);
    planar from = planar_of(&header, eighths, chroma);
    px_planes_spec spec = whole(&header, &from, target_width, target_height, chroma);
    size_t bytes, at = 0;
    uint8_t *made = run(&spec, &from, band, &bytes), *alone = malloc(bytes);
    for (int p = 0; p < 3; p++) {
        bool halved = p && chroma == PX_CHROMA_HALVED;
        int w = halved ? (target_width + 1) / 2 : target_width, h = halved ? (target_height + 1) / 2 : target_height;
        scale_alone(&spec, &from, p, alone + at, w, h);
        at += (size_t)w * (size_t)h;
    }
    assert_memory_equal(made, alone, bytes);
    free(made);
    free(alone);
    planar_done(&from);
}

static void every_plane_comes_out_as_if_scaled_alone(void **state)
{
    (void)state;
    static const int kinds[][2] = { { 1, 1 }, { 2, 1 }, { 2, 2 }, { 1, 2 }, { 4, 1 } };
    static const int targets[][2] = { { 80, 60 }, { 31, 23 }, { 33, 100 }, { 400, 301 }, { 1, 1 } };
    for (size_t k = 0; k < 5; k++)
        for (size_t t = 0; t < 5; t++)
            for (int eighths = 1; eighths <= 8; eighths += 3)
                for (int chroma = 0; chroma < 2; chroma++)
                    for (int band = 1; band <= 32; band = band * 3 + 5)
                        check(203, 151, kinds[k][0], kinds[k][1], eighths, targets[t][0], targets[t][1], (px_chroma)chroma, band);
}

static void a_plane_that_keeps_its_size_is_not_touched(void **state)
{
    (void)state;
    px_header header = header_of(101, 57, 2, 2);
    planar from = planar_of(&header, 8, PX_CHROMA_HALVED);
    px_planes_spec spec = whole(&header, &from, 101, 57, PX_CHROMA_HALVED);
    size_t bytes;
    uint8_t *made = run(&spec, &from, 16, &bytes);
    assert_int_equal(bytes, 101 * 57 + 2 * 51 * 29);
    assert_memory_equal(made, from.samples[0], 101 * 57);
    assert_memory_equal(made + 101 * 57, from.samples[1], 51 * 29);
    assert_memory_equal(made + 101 * 57 + 51 * 29, from.samples[2], 51 * 29);
    free(made);
    planar_done(&from);
}

static void ranges_are_changed_where_they_differ(void **state)
{
    (void)state;
    px_header header = header_of(32, 8, 1, 1);
    planar from = planar_of(&header, 8, PX_CHROMA_WHOLE);
    px_planes_spec spec = whole(&header, &from, 32, 8, PX_CHROMA_WHOLE);
    size_t bytes;
    spec.narrow = true;
    memset(from.samples[0], 255, 32 * 8);
    memset(from.samples[1], 0, 32 * 8);
    memset(from.samples[2], 128, 32 * 8);
    uint8_t *made = run(&spec, &from, 8, &bytes);
    assert_int_equal(made[0], 235);
    assert_int_equal(made[32 * 8], 16);
    assert_int_equal(made[2 * 32 * 8], 128);
    free(made);
    planar_done(&from);
}

static void rgb_is_what_bt601_says(void **state)
{
    (void)state;
    uint8_t samples[3], rgb[3];
    px_row row = { .plane_count = 3, .depth = 8, .model = PX_YCC };
    for (int p = 0; p < 3; p++)
        row.planes[p] = (px_plane){ &samples[p], 1, 1, 1, 1 };
    for (int narrow = 0; narrow < 2; narrow++)
        for (int i = 0; i < 256 * 256; i += 7) {
            samples[0] = (uint8_t)i;
            samples[1] = (uint8_t)(i >> 8);
            samples[2] = (uint8_t)(i * 31);
            row.narrow = narrow;
            px_planes_to_rgb(&row, rgb);
            double y = narrow ? (samples[0] - 16) * 255.0 / 219 : samples[0], scale = narrow ? 255.0 / 224 : 1;
            double b = (samples[1] - 128) * scale, r = (samples[2] - 128) * scale;
            double exact[3] = { y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b };
            for (int c = 0; c < 3; c++)
                assert_true(fabs(fmin(fmax(exact[c], 0), 255) - rgb[c]) <= 0.51);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plane_comes_out_as_if_scaled_alone),
        cmocka_unit_test(a_plane_that_keeps_its_size_is_not_touched),
        cmocka_unit_test(ranges_are_changed_where_they_differ),
        cmocka_unit_test(rgb_is_what_bt601_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
