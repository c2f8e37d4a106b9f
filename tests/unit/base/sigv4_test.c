/* The examples of the S3 API reference ("Signature Calculations"), byte for byte. */
#include "test.h"

#include <string.h>

#include "base/hash.h"
#include "base/sigv4.h"

#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HOST { "host", "examplebucket.s3.amazonaws.com" }
#define DATE { "x-amz-date", "20130524T000000Z" }
#define EMPTY { "x-amz-content-sha256", NOTHING }

static const px_sigv4_scope scope = { "20130524T000000Z", "us-east-1", "s3" };
static uint8_t key[32];

static int prepare(void **state)
{
    (void)state;
    px_sigv4_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &scope, key);
    return 0;
}

static void expect(const px_sigv4_request *request, const char *expected)
{
    char signature[65];
    px_error err = { "" };
    assert_ok(px_sigv4_sign(request, &scope, key, signature, &err));
    assert_string_equal(signature, expected);
}

static void the_example_of_GET_object_gets_its_signature(void **state)
{
    (void)state;
    static const px_sigv4_header headers[] = { HOST, { "range", "bytes=0-9" }, EMPTY, DATE };
    expect(&(px_sigv4_request){ "GET", "/test.txt", NULL, 0, headers, 4, NOTHING },
           "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void the_example_of_PUT_object_gets_its_signature(void **state)
{
    (void)state;
    static const px_sigv4_header headers[] = {
        { "date", "Fri, 24 May 2013 00:00:00 GMT" }, HOST,
        { "x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" }, DATE,
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
    };
    expect(&(px_sigv4_request){ "PUT", "/test$file.text", NULL, 0, headers, 5, headers[2].value },
           "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void queries_are_signed_in_order(void **state)
{
    (void)state;
    static const px_sigv4_header headers[] = { HOST, EMPTY, DATE };
    static const px_query lifecycle = { "lifecycle", "" }, list[] = { { "prefix", "J" }, { "max-keys", "2" } };
    expect(&(px_sigv4_request){ "GET", "/", &lifecycle, 1, headers, 3, NOTHING },
           "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    expect(&(px_sigv4_request){ "GET", "/", list, 2, headers, 3, NOTHING },
           "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void the_example_of_a_presigned_address_gets_its_signature(void **state)
{
    (void)state;
    static const px_sigv4_header headers[] = { HOST };
    static const px_query queries[] = {
        { "X-Amz-Algorithm", "AWS4-HMAC-SHA256" }, { "X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request" },
        { "X-Amz-Date", "20130524T000000Z" }, { "X-Amz-Expires", "86400" }, { "X-Amz-SignedHeaders", "host" },
        { "X-Amz-Signature", "left out of its own sum" },
    };
    expect(&(px_sigv4_request){ "GET", "/test.txt", queries, 6, headers, 1, "UNSIGNED-PAYLOAD" },
           "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

static void hash_of_letters(size_t count, char hex[65])
{
    px_hash hash;
    uint8_t digest[PX_HASH_MAX];
    px_hash_init(&hash, PX_HASH_SHA256);
    for (size_t i = 0; i < count; i++)
        px_hash_push(&hash, "a", 1);
    px_hex(digest, px_hash_finish(&hash, digest), hex);
}

static void the_example_in_chunks_gets_its_signatures(void **state)
{
    (void)state;
    static const px_sigv4_header headers[] = {
        { "content-encoding", "aws-chunked" }, { "content-length", "66824" }, { "host", "s3.amazonaws.com" },
        { "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" }, DATE, { "x-amz-decoded-content-length", "66560" },
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
    };
    static const char seed[] = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    char hash[65], first[65], second[65], last[65];
    expect(&(px_sigv4_request){ "PUT", "/examplebucket/chunkObject.txt", NULL, 0, headers, 7, headers[3].value }, seed);
    hash_of_letters(65536, hash);
    px_sigv4_chunk(&scope, key, seed, hash, false, first);
    assert_string_equal(first, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
    hash_of_letters(1024, hash);
    px_sigv4_chunk(&scope, key, first, hash, false, second);
    assert_string_equal(second, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
    px_sigv4_chunk(&scope, key, second, NOTHING, false, last);
    assert_string_equal(last, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
}

/* The AWS example with trailing checksums: "x-amz-checksum-crc32c:sOO8/Q==" behind the chunks of the example above. */
static void the_example_with_a_trailer_gets_its_signatures(void **state)
{
    (void)state;
    static const px_sigv4_header headers[] = {
        { "content-encoding", "aws-chunked" }, { "host", "s3.amazonaws.com" },
        { "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" }, DATE, { "x-amz-decoded-content-length", "66560" },
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" }, { "x-amz-trailer", "x-amz-checksum-crc32c" },
    };
    static const char seed[] = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    char hash[65], signature[65];
    uint8_t digest[PX_HASH_MAX];
    expect(&(px_sigv4_request){ "PUT", "/examplebucket/chunkObject.txt", NULL, 0, headers, 7, headers[2].value }, seed);
    hash_of_letters(65536, hash);
    px_sigv4_chunk(&scope, key, seed, hash, false, signature);
    assert_string_equal(signature, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
    hash_of_letters(1024, hash);
    px_sigv4_chunk(&scope, key, signature, hash, false, signature);
    assert_string_equal(signature, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
    px_sigv4_chunk(&scope, key, signature, NOTHING, false, signature);
    assert_string_equal(signature, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
    px_hash_of(PX_HASH_SHA256, px_bytes_of("x-amz-checksum-crc32c:sOO8/Q==\n"), digest);
    px_hex(digest, 32, hash);
    px_sigv4_chunk(&scope, key, signature, hash, true, signature);
    assert_string_equal(signature, "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
}

static void values_are_trimmed_and_folded(void **state)
{
    (void)state;
    static const px_sigv4_header wild = { "x-amz-meta-a", "  one \t  two  " }, tame = { "x-amz-meta-a", "one two" };
    char first[65], second[65];
    px_error err = { "" };
    assert_ok(px_sigv4_sign(&(px_sigv4_request){ "GET", "/", NULL, 0, &wild, 1, NOTHING }, &scope, key, first, &err));
    assert_ok(px_sigv4_sign(&(px_sigv4_request){ "GET", "/", NULL, 0, &tame, 1, NOTHING }, &scope, key, second, &err));
    assert_string_equal(first, second);
}

static void paths_of_S3_are_not_normalised(void **state)
{
    (void)state;
    static const char *const paths[] = { "/b/a//b", "/b/a/b", "/b/../a/b", "/b/./a/b", "/b/a/b/" };
    char signatures[5][65];
    px_error err = { "" };
    for (int i = 0; i < 5; i++) {
        assert_ok(px_sigv4_sign(&(px_sigv4_request){ "GET", paths[i], NULL, 0, NULL, 0, NOTHING }, &scope, key, signatures[i], &err));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(signatures[i], signatures[k]);
    }
}

/* The examples again, from the other end. */
static const px_sigv4_credentials credentials = { "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "" };

static void a_request_gets_its_whole_header_whatever_the_order_of_its_headers(void **state)
{
    (void)state;
    static const px_sigv4_header headers[] = { DATE, { "range", "bytes=0-9" }, HOST, EMPTY };
    PX_AUTO(px_buffer_done) px_buffer text = { 0 };
    px_error err = { "" };
    assert_ok(px_sigv4_authorize(&(px_sigv4_request){ "GET", "/test.txt", NULL, 0, headers, 4, NOTHING }, &scope, &credentials, &text, &err));
    assert_string_equal(text.data, "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                                   "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                                   "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void an_address_gets_its_whole_query(void **state)
{
    (void)state;
    static const px_sigv4_header headers[] = { HOST };
    PX_AUTO(px_buffer_done) px_buffer text = { 0 };
    px_error err = { "" };
    px_sigv4_request request = { "GET", "/test.txt", NULL, 0, headers, 1, "UNSIGNED-PAYLOAD" };
    assert_ok(px_sigv4_presign(&request, &scope, &credentials, 86400, &text, &err));
    assert_string_equal(text.data, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
                                   "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                                   "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

static void more_queries_than_the_limit_are_neither_signed_nor_checked(void **state)
{
    (void)state;
    static px_query queries[PX_SIGV4_QUERIES_MAX + 1];
    static const px_sigv4_header headers[] = { HOST };
    PX_AUTO(px_buffer_done) px_buffer text = { 0 };
    char signature[65] = "none";
    px_error err = { "" };
    for (int i = 0; i <= PX_SIGV4_QUERIES_MAX; i++)
        queries[i] = (px_query){ "a", "" };
    px_sigv4_request request = { "GET", "/", queries, PX_SIGV4_QUERIES_MAX + 1, headers, 1, NOTHING };
    assert_status(px_sigv4_sign(&request, &scope, key, signature, &err), PX_BAD_REQUEST);
    assert_status(px_sigv4_authorize(&request, &scope, &credentials, &text, &err), PX_BAD_REQUEST);
    assert_status(px_sigv4_presign(&request, &scope, &credentials, 60, &text, &err), PX_BAD_REQUEST);
    assert_string_equal(signature, "none");
    assert_int_equal(text.count, 0);
    request.query_count--;
    assert_ok(px_sigv4_sign(&request, &scope, key, signature, &err));
    assert_status(px_sigv4_presign(&request, &scope, &credentials, 60, &text, &err), PX_BAD_REQUEST);
    request.query_count -= 6; /* the algorithm, the credential, the date, the time, the headers, the signature */
    assert_ok(px_sigv4_presign(&request, &scope, &credentials, 60, &text, &err));
}

static void other_services_paths_are_normalised(void **state)
{
    (void)state;
    static const char *const same[][2] = { { "/a//b/./c/../d/", "/a/b/d/" }, { "/..", "/" }, { "", "/" }, { "/a/../..", "/" }, { "/./.x", "/.x" } };
    const px_sigv4_scope sqs = { "20130524T000000Z", "us-east-1", "sqs" };
    char first[65], second[65];
    px_error err = { "" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_ok(px_sigv4_sign(&(px_sigv4_request){ "GET", same[i][0], NULL, 0, NULL, 0, NOTHING }, &sqs, key, first, &err));
        assert_ok(px_sigv4_sign(&(px_sigv4_request){ "GET", same[i][1], NULL, 0, NULL, 0, NOTHING }, &sqs, key, second, &err));
        assert_string_equal(first, second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_GET_object_gets_its_signature),
        cmocka_unit_test(the_example_of_PUT_object_gets_its_signature),
        cmocka_unit_test(queries_are_signed_in_order),
        cmocka_unit_test(the_example_of_a_presigned_address_gets_its_signature),
        cmocka_unit_test(the_example_in_chunks_gets_its_signatures),
        cmocka_unit_test(the_example_with_a_trailer_gets_its_signatures),
        cmocka_unit_test(values_are_trimmed_and_folded),
        cmocka_unit_test(paths_of_S3_are_not_normalised),
        cmocka_unit_test(other_services_paths_are_normalised),
        cmocka_unit_test(a_request_gets_its_whole_header_whatever_the_order_of_its_headers),
        cmocka_unit_test(an_address_gets_its_whole_query),
        cmocka_unit_test(more_queries_than_the_limit_are_neither_signed_nor_checked),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
