/* How the planes of a picture lie over it, at every scale. By hand for the usual kinds, and for all of them: no plane has fewer samples
 * than were wanted, unless more are not stored. */
#include "codec/codec.h"

#include "../test.h"

static px_header header_of(int width, int height, int across, int down)
{
    return (px_header){ .width = width, .height = height, .planes = true, .chroma_across = across, .chroma_down = down };
}

static void gives_chroma_at_the_scale_of_luma_when_both_are_halved(void **state)
{
    (void)state;
    px_header header = header_of(4032, 3025, 2, 2);
    px_plane_size sizes[3];
    px_plane_sizes(&header, 2, PX_CHROMA_HALVED, sizes);
    assert_int_equal(sizes[0].width, 1008);
    assert_int_equal(sizes[0].height, 757);
    assert_int_equal(sizes[1].eighths, 2);
    assert_int_equal(sizes[1].width, 504);
    assert_int_equal(sizes[2].height, 379);
    assert_true(sizes[1].across == 0.125);
}

static void gives_whole_chroma_from_twice_the_scale(void **state)
{
    (void)state;
    px_header header = header_of(4032, 3024, 2, 2);
    px_plane_size sizes[3];
    px_plane_sizes(&header, 3, PX_CHROMA_WHOLE, sizes);
    assert_int_equal(sizes[1].eighths, 6);
    assert_int_equal(sizes[1].width, 1512);
    px_plane_sizes(&header, 8, PX_CHROMA_WHOLE, sizes);
    assert_int_equal(sizes[1].eighths, 8);
    assert_int_equal(sizes[1].width, 2016);
}

static void never_gives_fewer_samples_than_are_wanted_and_stored(void **state)
{
    (void)state;
    for (int across = 1; across <= 4; across++)
        for (int down = 1; down <= 4; down++)
            for (int eighths = 1; eighths <= 8; eighths++)
                for (int wanted = PX_CHROMA_WHOLE; wanted <= PX_CHROMA_HALVED; wanted++) {
                    px_header header = header_of(8000, 8000, across, down);
                    px_plane_size sizes[3];
                    px_plane_sizes(&header, eighths, (px_chroma)wanted, sizes);
                    int part = wanted == PX_CHROMA_HALVED ? 2 : 1;
                    assert_true(sizes[1].width * part >= sizes[0].width || sizes[1].eighths == 8);
                    assert_true(sizes[2].height * part >= sizes[0].height || sizes[2].eighths == 8);
                    assert_in_range(sizes[1].eighths, 1, 8);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_chroma_at_the_scale_of_luma_when_both_are_halved),
        cmocka_unit_test(gives_whole_chroma_from_twice_the_scale),
        cmocka_unit_test(never_gives_fewer_samples_than_are_wanted_and_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
