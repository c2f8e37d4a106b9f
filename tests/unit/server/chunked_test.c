/* aws-chunked bodies in whole and in single bytes; every cut and every wrong byte is refused. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "server/chunked.h"

static const px_sigv4_scope scope = { "20130524T000000Z", "us-east-1", "s3" };
#define SEED "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"

static px_status collect(void *context, const char *data, size_t count, px_error *err)
{
    (void)err;
    px_buffer_push(context, data, count);
    return PX_OK;
}

/* Feeds `count` bytes in pieces of `step`; the payload lands in `out`. */
static px_status feed(const char *body, size_t count, size_t step, bool is_signed, bool has_trailer, px_buffer *out, char checksum[64])
{
    px_chunked *chunked = calloc(1, sizeof *chunked);
    assert_non_null(chunked);
    chunked->is_signed = is_signed;
    chunked->has_trailer = has_trailer;
    chunked->scope = scope;
    px_sigv4_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &scope, chunked->key);
    strcpy(chunked->previous, SEED);
    px_buffer_clear(out);
    px_status status = PX_OK;
    for (size_t at = 0; at < count && status == PX_OK; at += step)
        status = px_chunked_push(chunked, body + at, count - at < step ? count - at : step, collect, out, NULL);
    if (status == PX_OK)
        status = px_chunked_finish(chunked, NULL);
    if (status == PX_OK && checksum && !px_chunked_trailer(chunked, "x-amz-checksum-crc32c", checksum, 64))
        checksum[0] = '\0';
    px_chunked_done(chunked);
    free(chunked);
    return status;
}

/* The reference's example with a trailer: 65536 and 1024 times 'a'. */
static void example(px_buffer *body)
{
    static char letters[65536];
    memset(letters, 'a', sizeof letters);
    px_buffer_text(body, "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n");
    px_buffer_push(body, letters, 65536);
    px_buffer_text(body, "\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n");
    px_buffer_push(body, letters, 1024);
    px_buffer_text(body, "\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
                         "x-amz-checksum-crc32c:sOO8/Q==\r\n"
                         "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n");
}

static void the_signed_example_passes_in_any_pieces(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer body = { 0 }, out = { 0 };
    char checksum[64];
    example(&body);
    static const size_t steps[] = { 1, 7, 4096, 1 << 20 };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(feed(body.data, body.count, steps[i], true, true, &out, checksum), PX_OK);
        assert_int_equal(out.count, 66560);
        assert_string_equal(checksum, "sOO8/Q==");
    }
}

static void a_changed_byte_is_never_let_through(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer body = { 0 }, out = { 0 };
    example(&body);
    for (size_t at = 0; at < body.count; at += at > 200 && at < body.count - 700 ? 5003 : 1) {
        char old = body.data[at];
        body.data[at] = (char)(old ^ 1);
        px_status status = feed(body.data, body.count, 4096, true, true, &out, NULL);
        if (status == PX_OK)
            fail_msg("byte %zu", at);
        body.data[at] = old;
    }
}

static void a_cut_body_is_refused(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer body = { 0 }, out = { 0 };
    example(&body);
    for (size_t cut = 1; cut < 400; cut++)
        assert_int_not_equal(feed(body.data, body.count - cut, 1 << 20, true, true, &out, NULL), PX_OK);
    assert_int_not_equal(feed(body.data, 0, 1, true, true, &out, NULL), PX_OK);
}

static void unsigned_bodies_pass_with_their_trailer(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer out = { 0 };
    char checksum[64];
    static const char body[] = "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Amz-Checksum-CRC32C: aaaa\r\n\r\n";
    for (size_t step = 1; step < sizeof body; step++) {
        assert_int_equal(feed(body, sizeof body - 1, step, false, true, &out, checksum), PX_OK);
        assert_memory_equal(out.data, "abcde", 6);
        assert_string_equal(checksum, "aaaa");
    }
}

static void malformed_bodies_are_refused(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer out = { 0 };
    static const char *const bad[] = {
        "g\r\n", "\r\n", "-1\r\na\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nab\r\n0\r\n\r\n", "ffffffffffffffff\r\na",
        "1 \r\na\r\n0\r\n\r\n", "0\r\nno colon\r\n\r\n", "0\r\n\r\nmore", "1\r\na\r\n", "0x1\r\na\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (feed(bad[i], strlen(bad[i]), 1, false, true, &out, NULL) == PX_OK)
            fail_msg("%s", bad[i]);
}

static void a_trailer_that_was_not_announced_is_refused(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer out = { 0 };
    static const char body[] = "1\r\na\r\n0\r\nx-amz-meta-a: b\r\n\r\n";
    assert_int_not_equal(feed(body, sizeof body - 1, 1, false, false, &out, NULL), PX_OK);
}

static void endless_lines_and_trailers_are_refused(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer body = { 0 }, out = { 0 };
    px_buffer_text(&body, "1;");
    for (int i = 0; i < 100000; i++)
        px_buffer_text(&body, "x");
    assert_int_not_equal(feed(body.data, body.count, 1000, false, true, &out, NULL), PX_OK);
    px_buffer_clear(&body);
    px_buffer_text(&body, "0\r\n");
    for (int i = 0; i < 10000; i++)
        px_buffer_text(&body, "a:b\r\n");
    px_buffer_text(&body, "\r\n");
    assert_int_not_equal(feed(body.data, body.count, 1000, false, true, &out, NULL), PX_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signed_example_passes_in_any_pieces),
        cmocka_unit_test(a_changed_byte_is_never_let_through),
        cmocka_unit_test(a_cut_body_is_refused),
        cmocka_unit_test(unsigned_bodies_pass_with_their_trailer),
        cmocka_unit_test(malformed_bodies_are_refused),
        cmocka_unit_test(a_trailer_that_was_not_announced_is_refused),
        cmocka_unit_test(endless_lines_and_trailers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
