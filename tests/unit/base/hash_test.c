/* Published vectors, each also fed in odd pieces; base 64 and hex with their refusals. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static const struct {
    px_hash_kind kind;
    const char *text, *hex;
} vectors[] = {
    { PX_HASH_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72" },                       /* RFC 1321 A.5 */
    { PX_HASH_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },               /* FIPS 180 */
    { PX_HASH_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { PX_HASH_CRC32, "123456789", "cbf43926" },                                        /* the catalogue's check values */
    { PX_HASH_CRC32C, "123456789", "e3069283" },
    { PX_HASH_CRC64NVME, "123456789", "ae8b14860a799888" },
    { PX_HASH_MD5, "", "d41d8cd98f00b204e9800998ecf8427e" },
    { PX_HASH_CRC32, "", "00000000" },
    { PX_HASH_CRC32C, "", "00000000" },
    { PX_HASH_CRC64NVME, "", "0000000000000000" },
};

static void published_vectors_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t digest[PX_HASH_MAX];
        char hex[2 * PX_HASH_MAX + 1];
        px_hex(digest, px_hash_of(vectors[i].kind, px_bytes_of(vectors[i].text), digest), hex);
        assert_string_equal(hex, vectors[i].hex);
    }
}

static void pieces_do_not_matter(void **state)
{
    (void)state;
    enum { SIZE = 100003 };
    uint8_t *data = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    for (int kind = 0; kind < PX_HASH_COUNT; kind++) {
        uint8_t whole[PX_HASH_MAX], pieced[PX_HASH_MAX];
        size_t size = px_hash_of((px_hash_kind)kind, (px_bytes){ data, SIZE }, whole);
        px_hash hash;
        px_hash_init(&hash, (px_hash_kind)kind);
        for (size_t at = 0, step = 1; at < SIZE; at += step, step = step * 3 % 1009 + 1)
            px_hash_push(&hash, data + at, at + step < SIZE ? step : SIZE - at);
        assert_int_equal(px_hash_finish(&hash, pieced), size);
        assert_memory_equal(whole, pieced, size);
    }
    free(data);
}

static void base64_goes_both_ways_and_refuses_the_rest(void **state)
{
    (void)state;
    static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
                                            { "foobar", "Zm9vYmFy" } };
    for (size_t i = 0; i < 5; i++) {
        char text[32];
        uint8_t data[16];
        px_base64_format((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), text);
        assert_string_equal(text, pairs[i][1]);
        long count = px_base64_parse(px_bytes_of(text), data, sizeof data);
        assert_int_equal(count, strlen(pairs[i][0]));
        assert_memory_equal(data, pairs[i][0], (size_t)count);
    }
    uint8_t data[3];
    static const char *const refused[] = { "Zg=", "Z===", "Zm9!", "Zg==Zg==", "Zm9vYmFy" };
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(px_base64_parse(px_bytes_of(refused[i]), data, sizeof data), -1);
}

static void secrets_compare_by_content(void **state)
{
    (void)state;
    assert_true(px_equal_secret(px_bytes_of("abc"), px_bytes_of("abc")));
    assert_false(px_equal_secret(px_bytes_of("abc"), px_bytes_of("abd")));
    assert_false(px_equal_secret(px_bytes_of("abc"), px_bytes_of("ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_hold),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(base64_goes_both_ways_and_refuses_the_rest),
        cmocka_unit_test(secrets_compare_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
