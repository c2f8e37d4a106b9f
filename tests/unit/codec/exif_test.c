/* EXIF: what a policy leaves of a block, in both byte orders; a lying block is rewritten to a sound one, or to nothing. */
#include "picture.h"

#include <string.h>

#include "codec/exif.h"

enum { BYTE = 1, ASCII = 2, SHORT = 3, LONG = 4, RATIONAL = 5, UNDEFINED = 7 };

/* A block being made: directories at fixed places, values behind them. */
struct maker {
    uint8_t data[8192];
    size_t end, entry;
    bool little;
};

static void put(struct maker *m, size_t at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        m->data[at + (size_t)(m->little ? i : bytes - 1 - i)] = (uint8_t)(value >> (8 * i));
}

static void begin(struct maker *m, bool little)
{
    *m = (struct maker){ .end = 1024, .little = little };
    memcpy(m->data, little ? "II" : "MM", 2);
    put(m, 2, 42, 2);
    put(m, 4, 8, 4);
}

static void directory(struct maker *m, size_t at, int count)
{
    put(m, at, (uint32_t)count, 2);
    m->entry = at + 2;
}

static void entry(struct maker *m, uint32_t tag, uint32_t type, uint32_t count, const void *value, size_t bytes)
{
    put(m, m->entry, tag, 2);
    put(m, m->entry + 2, type, 2);
    put(m, m->entry + 4, count, 4);
    if (bytes <= 4) {
        memcpy(m->data + m->entry + 8, value, bytes);
    } else {
        put(m, m->entry + 8, (uint32_t)m->end, 4);
        memcpy(m->data + m->end, value, bytes);
        m->end += bytes;
    }
    m->entry += 12;
}

static void text(struct maker *m, uint32_t tag, const char *value) { entry(m, tag, ASCII, (uint32_t)strlen(value) + 1, value, strlen(value) + 1); }

static void number(struct maker *m, uint32_t tag, uint32_t type, uint32_t value)
{
    put(m, m->entry + 8, value, type == SHORT ? 2 : 4);
    uint8_t bytes[4];
    memcpy(bytes, m->data + m->entry + 8, 4);
    entry(m, tag, type, 1, bytes, 4);
}

/* What a phone writes, and more: IFD0, Exif, GPS, and a thumbnail in IFD1. */
static px_bytes phone(struct maker *m, bool little)
{
    begin(m, little);
    directory(m, 8, 9);
    text(m, 0x010f, "A maker of cameras");
    text(m, 0x0110, "Model 7");
    number(m, 0x0112, SHORT, 6);
    text(m, 0x0132, "2026:01:02 03:04:05");
    text(m, 0x013b, "Ada Artist");
    text(m, 0x8298, "(c) Ada 2026");
    number(m, 0x8769, LONG, 200);
    number(m, 0x8825, LONG, 500);
    text(m, 0xc62f, "SERIAL-DNG");
    put(m, m->entry, 700, 4); /* IFD1 */
    directory(m, 200, 8);
    text(m, 0x9003, "2026:01:02 03:04:05");
    text(m, 0x927c, "MAKERNOTE with SERIAL-NOTE");
    text(m, 0x9286, "COMMENT of somebody");
    number(m, 0xa002, LONG, 4000);
    text(m, 0xa420, "SERIAL-IMAGE");
    text(m, 0xa430, "OWNER");
    text(m, 0xa431, "SERIAL-BODY");
    text(m, 0xa434, "Lens 50mm");
    directory(m, 500, 2);
    text(m, 0x0001, "N");
    entry(m, 0x0002, RATIONAL, 3, "LATITUDE-LATITUDE-LATITU", 24);
    directory(m, 700, 2);
    number(m, 0x0201, LONG, (uint32_t)m->end);
    number(m, 0x0202, LONG, 9);
    memcpy(m->data + m->end, "THUMBNAIL", 9);
    m->end += 9;
    return (px_bytes){ m->data, m->end };
}

static bool holds(const uint8_t *block, size_t count, const char *what) { return memmem(block, count, what, strlen(what)) != NULL; }

static void gps_leaves_the_camera_dates_and_rights_and_nothing_that_tells_of_place_or_owner(void **state)
{
    (void)state;
    static const char *const stays[] = { "A maker of cameras", "Model 7", "2026:01:02", "Ada Artist", "(c) Ada 2026", "Lens 50mm" };
    static const char *const goes[] = { "LATITUDE", "SERIAL", "MAKERNOTE", "COMMENT", "OWNER", "THUMBNAIL" };
    static uint8_t target[PX_EXIF_BYTES_MAX];
    for (int little = 0; little < 2; little++) {
        struct maker m;
        px_bytes block = phone(&m, little);
        size_t count = px_exif_rewrite(block, PX_STRIP_GPS, 1, target);
        for (size_t i = 0; i < sizeof stays / sizeof *stays; i++)
            assert_true(holds(target, count, stays[i]));
        for (size_t i = 0; i < sizeof goes / sizeof *goes; i++)
            assert_false(holds(target, count, goes[i]));
        assert_int_equal(px_exif_orientation((px_bytes){ target, count }), 1);
        count = px_exif_rewrite(block, PX_STRIP_GPS, 8, target);
        assert_int_equal(px_exif_orientation((px_bytes){ target, count }), 8);
    }
}

static void none_leaves_all_but_the_thumbnail_and_the_old_orientation(void **state)
{
    (void)state;
    static const char *const stays[] = { "Ada Artist", "LATITUDE-LATITUDE-LATITU", "SERIAL-DNG", "SERIAL-BODY", "SERIAL-NOTE", "COMMENT", "OWNER" };
    static uint8_t target[PX_EXIF_BYTES_MAX];
    struct maker m;
    size_t count = px_exif_rewrite(phone(&m, true), PX_STRIP_NONE, 1, target);
    for (size_t i = 0; i < sizeof stays / sizeof *stays; i++)
        assert_true(holds(target, count, stays[i]));
    assert_false(holds(target, count, "THUMBNAIL"));
    assert_int_equal(px_exif_orientation((px_bytes){ target, count }), 1);
}

static void all_leaves_the_orientation_alone(void **state)
{
    (void)state;
    static uint8_t target[PX_EXIF_BYTES_MAX];
    struct maker m;
    px_bytes block = phone(&m, false);
    assert_int_equal(px_exif_rewrite(block, PX_STRIP_ALL, 1, target), 0);
    assert_int_equal(px_exif_rewrite(block, PX_STRIP_ALL, 5, target), PX_EXIF_BYTES);
    assert_int_equal(px_exif_orientation((px_bytes){ target, PX_EXIF_BYTES }), 5);
}

/* Thousands of entries that all mean the same bytes must not become more than a marker holds. */
static void entries_that_share_their_bytes_do_not_multiply(void **state)
{
    (void)state;
    static uint8_t target[PX_EXIF_BYTES_MAX], big[PX_EXIF_BYTES_MAX];
    struct maker m;
    begin(&m, true);
    memcpy(big, m.data, 8);
    big[8] = 250;
    for (uint32_t i = 0; i < 250; i++) {
        m.entry = 0;
        m.end = 4096;
        entry(&m, 0xc000 + i, UNDEFINED, 60000, "overwritten", 11);
        memcpy(big + 10 + i * 12, m.data, 12);
    }
    size_t count = px_exif_rewrite((px_bytes){ big, sizeof big }, PX_STRIP_NONE, 6, target);
    assert_true(count > 60000 && count <= PX_EXIF_BYTES_MAX);
    assert_int_equal(px_exif_orientation((px_bytes){ target, count }), 6);
}

/* Two bytes at a time are falsified, and the block is cut: what comes out says the orientation, and is itself rewritten as it is. */
static void a_lying_block_becomes_a_sound_one(void **state)
{
    (void)state;
    static uint8_t first[PX_EXIF_BYTES_MAX], second[PX_EXIF_BYTES_MAX];
    struct maker m;
    px_bytes block = phone(&m, true);
    uint32_t random = 5;
    for (int i = 0; i < 20000; i++) {
        size_t count = i % 2 ? block.count : next_random(&random) % block.count;
        uint8_t *mad = malloc(count + 1); /* its end is the sanitizer's */
        memcpy(mad, block.data, count);
        for (int k = 0; k < 2 && count > 8; k++)
            mad[next_random(&random) % (count < 720 ? count : 720)] = (uint8_t)next_random(&random);
        px_strip strip = i % 4 < 2 ? PX_STRIP_GPS : PX_STRIP_NONE;
        size_t bytes = px_exif_rewrite((px_bytes){ mad, count }, strip, 3, first);
        free(mad);
        assert_in_range(bytes, PX_EXIF_BYTES, PX_EXIF_BYTES_MAX);
        assert_int_equal(px_exif_orientation((px_bytes){ first, bytes }), 3);
        assert_int_equal(px_exif_rewrite((px_bytes){ first, bytes }, strip, 3, second), bytes);
        assert_memory_equal(first, second, bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gps_leaves_the_camera_dates_and_rights_and_nothing_that_tells_of_place_or_owner),
        cmocka_unit_test(none_leaves_all_but_the_thumbnail_and_the_old_orientation),
        cmocka_unit_test(all_leaves_the_orientation_alone),
        cmocka_unit_test(entries_that_share_their_bytes_do_not_multiply),
        cmocka_unit_test(a_lying_block_becomes_a_sound_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
