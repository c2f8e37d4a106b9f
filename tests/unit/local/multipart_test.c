/* Multipart uploads: parts become one object, wrong ones are refused, and nothing of them is left. */
#include "fixture.h"

#include "base/file.h"
#include "base/hash.h"

enum { PART = 5 << 20 };

static char folder[32];
static px_local *local;
static px_arena arena;
static const char *id;

static int set_up(void **state)
{
    (void)state;
    px_object head = { .bucket = "target", .key = "big", .content_type = "image/png" };
    local = fresh_local(folder);
    if (px_arena_open(64 << 20, &arena, NULL) != PX_OK)
        return -1;
    return px_local_multipart_create(local, &head, &arena, &id, NULL) == PX_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    px_local_close(local);
    px_arena_close(&arena);
    remove_folder(folder);
    return 0;
}

static struct result put_part(int number, char fill, size_t count)
{
    struct result result = { .status = PX_OK };
    char *bytes = malloc(count);
    memset(bytes, fill, count);
    sem_init(&result.done, 0, 0);
    px_local_part_put(local, uploaded(local, bytes, count), "target", "big", id, number, tell, &result);
    sem_wait(&result.done);
    free(bytes);
    return result;
}

static struct result complete(const px_part *parts, int count)
{
    struct result result = { .status = PX_OK };
    sem_init(&result.done, 0, 0);
    px_local_multipart_complete(local, "target", "big", id, parts, count, (px_condition){ 0 }, tell, &result);
    sem_wait(&result.done);
    return result;
}

static void parts_become_one_object(void **state)
{
    (void)state;
    struct result a = put_part(3, 'a', PART), gone = put_part(7, 'x', 10), b = put_part(7, 'b', 3);
    assert_int_equal(gone.status, PX_OK);
    px_part parts[] = { { .number = 3, .etag = a.etag }, { .number = 7, .etag = b.etag } };
    struct result whole = complete(parts, 2);
    assert_int_equal(whole.status, PX_OK);

    uint8_t digests[32], digest[PX_HASH_MAX];
    char hex[40], expected[48];
    for (int i = 0; i < 32; i++) {
        unsigned byte;
        assert_int_equal(sscanf((i < 16 ? a.etag : b.etag) + 2 * (i % 16), "%2x", &byte), 1);
        digests[i] = (uint8_t)byte;
    }
    px_hash_of(PX_HASH_MD5, (px_bytes){ digests, 32 }, digest);
    px_hex(digest, 16, hex);
    snprintf(expected, sizeof expected, "%s-2", hex);
    assert_string_equal(whole.etag, expected);

    px_object object;
    int fd = -1;
    char bytes[4] = "";
    assert_int_equal(px_local_get(local, "target", "big", &arena, &object, &fd, NULL), PX_OK);
    assert_int_equal(object.bytes, PART + 3);
    assert_string_equal(object.content_type, "image/png");
    assert_int_equal(pread(fd, bytes, 4, PART - 1), 4);
    assert_memory_equal(bytes, "abbb", 4);
    px_fd_close(&fd);
    assert_int_equal(count_files(folder), 1);
    assert_int_equal(complete(parts, 2).status, PX_NO_SUCH_UPLOAD);
}

static void one_part_is_enough(void **state)
{
    (void)state;
    struct result a = put_part(1, 'a', 3);
    px_part part = { .number = 1, .etag = a.etag };
    assert_int_equal(complete(&part, 1).status, PX_OK);
    px_object object;
    assert_int_equal(px_local_head(local, "target", "big", &arena, &object, NULL), PX_OK);
    assert_int_equal(object.bytes, 3);
    assert_int_equal(count_files(folder), 1);
}

static void wrong_parts_are_refused_and_stay(void **state)
{
    (void)state;
    struct result a = put_part(1, 'a', 3), b = put_part(2, 'b', 3);
    px_part small[] = { { .number = 1, .etag = a.etag }, { .number = 2, .etag = b.etag } };
    px_part swapped[] = { { .number = 2, .etag = b.etag }, { .number = 1, .etag = a.etag } };
    px_part wrong = { .number = 1, .etag = b.etag }, absent = { .number = 9, .etag = a.etag };
    assert_int_equal(complete(small, 2).status, PX_PART_TOO_SMALL);
    assert_int_equal(complete(swapped, 2).status, PX_BAD_PART);
    assert_int_equal(complete(&wrong, 1).status, PX_BAD_PART);
    assert_int_equal(complete(&absent, 1).status, PX_BAD_PART);
    assert_int_equal(complete(small, 0).status, PX_BAD_REQUEST);
    assert_int_equal(put_part(0, 'c', 3).status, PX_BAD_REQUEST);
    assert_int_equal(put_part(10001, 'c', 3).status, PX_BAD_REQUEST);

    px_part *parts;
    int count;
    bool truncated;
    assert_int_equal(px_local_part_list(local, "target", "big", id, 0, 1, &arena, &parts, &count, &truncated, NULL), PX_OK);
    assert_int_equal(count, 1);
    assert_true(truncated);
    assert_int_equal(px_local_part_list(local, "target", "big", id, 1, 1, &arena, &parts, &count, &truncated, NULL), PX_OK);
    assert_int_equal(parts[0].number, 2);
    assert_false(truncated);
    px_multipart *uploads;
    assert_int_equal(px_local_multipart_list(local, "target", "b", 10, &arena, &uploads, &count, NULL), PX_OK);
    assert_int_equal(count, 1);
    assert_string_equal(uploads[0].id, id);
    assert_int_equal(px_local_multipart_list(local, "target", "c", 10, &arena, &uploads, &count, NULL), PX_OK);
    assert_int_equal(count, 0);
}

static void an_aborted_upload_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(put_part(1, 'a', 3).status, PX_OK);
    assert_int_equal(px_local_multipart_abort(local, "target", "other", id, NULL), PX_NO_SUCH_UPLOAD);
    assert_int_equal(px_local_multipart_abort(local, "target", "big", id, NULL), PX_OK);
    assert_int_equal(count_files(folder), 0);
    assert_int_equal(put_part(1, 'a', 3).status, PX_NO_SUCH_UPLOAD);
    assert_int_equal(count_files(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_become_one_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_part_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_parts_are_refused_and_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_aborted_upload_leaves_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
