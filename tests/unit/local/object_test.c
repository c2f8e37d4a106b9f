/* Objects of the local store: what was put is read back, conditions hold, blobs go with their last row, lists page. */
#include "fixture.h"

#include <pthread.h>

#include "base/arena.h"
#include "base/file.h"

static char folder[32];
static px_local *local;
static px_arena arena;

static int set_up(void **state)
{
    (void)state;
    local = fresh_local(folder);
    return px_arena_open(8 << 20, &arena, NULL) == PX_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    px_local_close(local);
    px_arena_close(&arena);
    remove_folder(folder);
    return 0;
}

static void assert_reads(const char *bucket, const char *key, const char *text)
{
    px_object object;
    int fd = -1;
    char bytes[64] = "";
    assert_int_equal(px_local_get(local, bucket, key, &arena, &object, &fd, NULL), PX_OK);
    assert_int_equal(object.bytes, strlen(text));
    assert_int_equal(pread(fd, bytes, sizeof bytes - 1, 0), (ssize_t)strlen(text));
    assert_string_equal(bytes, text);
    px_fd_close(&fd);
}

static void what_was_put_is_read_back(void **state)
{
    (void)state;
    px_object object;
    struct result result = put_if(local, "target", "a b/ü+%2F", "hello", (px_condition){ 0 });
    assert_int_equal(result.status, PX_OK);
    assert_string_equal(result.etag, "5d41402abc4b2a76b9719d911017c592");
    assert_reads("target", "a b/ü+%2F", "hello");
    assert_int_equal(px_local_head(local, "target", "a b/ü+%2F", &arena, &object, NULL), PX_OK);
    assert_string_equal(object.content_type, "text/plain");
    assert_string_equal(object.cache_control, "");
    assert_int_equal(object.meta_count, 1);
    assert_string_equal(object.meta[0].name, "colour");
    assert_string_equal(object.meta[0].value, "red");
    assert_int_equal(put(local, "target", "empty", ""), PX_OK);
    assert_reads("target", "empty", "");
}

static void a_replaced_or_deleted_blob_goes_when_no_copy_needs_it(void **state)
{
    (void)state;
    struct result result = { .status = PX_OK };
    px_object head = { .bucket = "target", .key = "copy" };
    assert_int_equal(put(local, "target", "a", "one"), PX_OK);
    sem_init(&result.done, 0, 0);
    px_local_copy(local, "target", "a", &head, false, (px_condition){ 0 }, tell, &result);
    sem_wait(&result.done);
    assert_int_equal(result.status, PX_OK);
    assert_int_equal(count_files(folder), 1);
    assert_int_equal(put(local, "target", "a", "two"), PX_OK);
    assert_int_equal(count_files(folder), 2);
    assert_reads("target", "copy", "one");
    assert_int_equal(delete_one(local, "target", "copy"), PX_OK);
    assert_int_equal(count_files(folder), 1);
    assert_reads("target", "a", "two");
    assert_int_equal(delete_one(local, "target", "a"), PX_OK);
    assert_int_equal(delete_one(local, "target", "a"), PX_OK); /* absent is no failure */
    assert_int_equal(count_files(folder), 0);
}

static void conditions_hold(void **state)
{
    (void)state;
    px_condition none = { .if_none_match = true }, wrong = { .if_match = "0123" };
    assert_int_equal(put_if(local, "target", "k", "x", wrong).status, PX_NO_SUCH_KEY);
    struct result first = put_if(local, "target", "k", "one", none);
    assert_int_equal(first.status, PX_OK);
    assert_int_equal(put_if(local, "target", "k", "two", none).status, PX_CONFLICT);
    assert_int_equal(put_if(local, "target", "k", "two", wrong).status, PX_CONFLICT);
    assert_int_equal(put_if(local, "target", "k", "two", (px_condition){ .if_match = first.etag }).status, PX_OK);
    assert_reads("target", "k", "two");
    assert_int_equal(count_files(folder), 1); /* refused uploads leave nothing */
}

static void refuses_names_and_places_that_are_not(void **state)
{
    (void)state;
    char key[1026];
    px_object object;
    memset(key, 'k', sizeof key);
    key[1025] = '\0';
    assert_int_equal(put(local, "target", key, "x"), PX_BAD_REQUEST);
    key[1024] = '\0';
    assert_int_equal(put(local, "target", key, "x"), PX_OK);
    assert_int_equal(put(local, "target", "", "x"), PX_BAD_REQUEST);
    assert_int_equal(put(local, "target", "\xff", "x"), PX_BAD_REQUEST);
    assert_int_equal(put(local, "nowhere", "k", "x"), PX_NO_SUCH_BUCKET);
    assert_int_equal(px_local_head(local, "nowhere", "k", &arena, &object, NULL), PX_NO_SUCH_BUCKET);
    assert_int_equal(px_local_head(local, "target", "k", &arena, &object, NULL), PX_NO_SUCH_KEY);
    static const char *const bad[] = { "ab", "Abc", "a_b", "-ab", "ab-", "a..b", "1.2.3.4", "a/b" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(px_local_bucket_create(local, bad[i], NULL), PX_BAD_REQUEST);
    assert_int_equal(px_local_bucket_create(local, "target", NULL), PX_ALREADY_EXISTS);
    assert_int_equal(px_local_bucket_delete(local, "target", NULL), PX_NOT_EMPTY);
    assert_int_equal(px_local_bucket_delete(local, "source", NULL), PX_OK);
}

static px_listing list(const char *prefix, const char *delimiter, const char *after, int max)
{
    px_listing listing;
    px_listing_query query = { "target", prefix, delimiter, after, max };
    assert_int_equal(px_local_list(local, &query, &arena, &listing, NULL), PX_OK);
    return listing;
}

static void lists_page_in_byte_order_with_common_prefixes(void **state)
{
    (void)state;
    static const char *const keys[] = { "a", "b/1", "b/2", "b/c/3", "b0", "c/x", "d", "é" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(put(local, "target", keys[i], "x"), PX_OK);
    px_listing all = list("", "", "", 1000);
    assert_int_equal(all.object_count, 8);
    assert_false(all.truncated);
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(all.objects[i].key, keys[i]);

    px_listing top = list("", "/", "", 1000);
    assert_int_equal(top.object_count, 4);
    assert_int_equal(top.prefix_count, 2);
    assert_string_equal(top.prefixes[0], "b/");
    assert_string_equal(top.prefixes[1], "c/");

    /* Page by page of one, each is seen once and in order. */
    static const char *const expected[] = { "a", "b/", "b0", "c/", "d", "é" };
    const char *after = "";
    for (size_t i = 0; i < 6; i++) {
        px_listing page = list("", "/", after, 1);
        assert_int_equal(page.object_count + page.prefix_count, 1);
        assert_string_equal(page.object_count ? page.objects[0].key : page.prefixes[0], expected[i]);
        assert_int_equal(page.truncated, i < 5);
        after = page.next;
    }
    px_listing inner = list("b/", "/", "", 1000);
    assert_int_equal(inner.object_count, 2);
    assert_string_equal(inner.prefixes[0], "b/c/");
    assert_int_equal(list("b", "", "b/2", 1000).object_count, 2);
    assert_int_equal(list("", "", "", 0).object_count, 0);
    assert_false(list("", "", "", 0).truncated);
}

static void *put_many(void *context)
{
    char key[32];
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%s/%03d", (const char *)context, i);
        if (put(local, "target", key, key) != PX_OK)
            return context;
    }
    return NULL;
}

static void eight_threads_put_and_all_is_there(void **state)
{
    (void)state;
    static char names[8][2] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, put_many, names[i]);
    for (int i = 0; i < 8; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 200; k++) {
            char key[32];
            snprintf(key, sizeof key, "%s/%03d", names[i], k);
            px_arena_reset(&arena);
            assert_reads("target", key, key);
        }
}

static void reopening_sweeps_what_was_not_finished(void **state)
{
    (void)state;
    char path[100];
    assert_int_equal(put(local, "target", "whole", "whole"), PX_OK);
    px_local_close(local);
    snprintf(path, sizeof path, "%s/blobs/a7/a70123456789abcdef0123456789abcd", folder); /* as a crash leaves it */
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(count_files(folder), 2);
    local = open_local(folder);
    assert_int_equal(count_files(folder), 1);
    assert_reads("target", "whole", "whole");
}

static void a_folder_has_one_server(void **state)
{
    (void)state;
    px_local *second = NULL;
    px_error err = { "" };
    px_local_options options = { .folder = folder };
    assert_int_equal(px_local_open(&options, &second, &err), PX_ALREADY_EXISTS);
    assert_non_null(strstr(err.message, folder));
    options.observe = true;
    assert_int_equal(px_local_open(&options, &second, &err), PX_OK);
    px_access_key key, found;
    px_access_key_generate(&key);
    assert_int_equal(px_local_key_put(second, &key, NULL), PX_OK);
    assert_int_equal(px_local_key_find(local, key.id, &found, NULL), PX_OK);
    assert_string_equal(found.secret, key.secret);
    assert_true(found.enabled);
    assert_int_equal(px_local_key_find(local, "nobody", &found, NULL), PX_NO_SUCH_KEY);
    px_local_close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replaced_or_deleted_blob_goes_when_no_copy_needs_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(conditions_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_names_and_places_that_are_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_page_in_byte_order_with_common_prefixes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(eight_threads_put_and_all_is_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reopening_sweeps_what_was_not_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_has_one_server, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
