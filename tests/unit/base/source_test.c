/* A source can be read while it grows, from another process too; readers wait, and are told when the sender gives up. */
#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/source.h"

static void *push_slowly(void *argument)
{
    px_source *source = argument;
    for (int i = 0; i < 50; i++) {
        char piece[100];
        memset(piece, 'a' + i % 26, sizeof piece);
        if (px_source_push(source, piece, sizeof piece, NULL) != PX_OK)
            return NULL;
        usleep(500);
    }
    px_source_finish(source);
    return NULL;
}

static void waiting_ends_with_the_source_or_the_deadline(void **state)
{
    (void)state;
    px_error err;
    px_source source;
    pthread_t thread;
    assert_ok(px_source_create(&source, &err));
    assert_int_equal(px_source_wait(&source, px_now_ms() + 20, &err), PX_OUT_OF_TIME);
    assert_int_equal(pthread_create(&thread, NULL, push_slowly, &source), 0);
    assert_ok(px_source_wait(&source, 0, &err));
    assert_int_equal(px_source_bytes(&source, NULL), 5000);
    pthread_join(thread, NULL);
    px_source_close(&source);
    assert_ok(px_source_create(&source, &err));
    px_source_fail(&source);
    assert_int_equal(px_source_wait(&source, 0, &err), PX_NETWORK);
    px_source_close(&source);
}

static void reader_in_another_process_gets_every_byte(void **state)
{
    (void)state;
    px_error err;
    px_source source;
    assert_ok(px_source_create(&source, &err));
    pid_t child = fork();
    if (child == 0) {
        px_source joined;
        char data[6000];
        size_t count = 0;
        if (px_source_join(dup(source.fd), dup(source.state_fd), &joined, NULL) != PX_OK ||
            px_source_read_at(&joined, 0, data, sizeof data, &count, NULL) != PX_OK)
            _exit(1);
        _exit(count == 5000 && data[0] == 'a' && data[4999] == 'a' + 49 % 26 ? 0 : 2);
    }
    pthread_t writer;
    pthread_create(&writer, NULL, push_slowly, &source);
    int status = -1;
    waitpid(child, &status, 0);
    pthread_join(writer, NULL);
    assert_int_equal(status, 0);
    bool whole = false;
    assert_int_equal(px_source_bytes(&source, &whole), 5000);
    assert_true(whole);
    px_source_close(&source);
    px_source_close(&source);
}

static void sender_that_gives_up_is_a_network_failure(void **state)
{
    (void)state;
    px_error err;
    px_source source;
    assert_ok(px_source_create(&source, &err));
    assert_ok(px_source_push(&source, "abc", 3, &err));
    px_source_fail(&source);
    char data[8];
    size_t count = 99;
    assert_ok(px_source_read_at(&source, 0, data, 3, &count, &err));
    assert_int_equal(count, 3);
    assert_status(px_source_read_at(&source, 0, data, 4, &count, &err), PX_NETWORK);
    px_source_close(&source);
}

static void whole_file_reads_to_its_end(void **state)
{
    (void)state;
    px_error err;
    px_source source;
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    assert_ok(px_source_open(fd, &source, &err));
    char data[8];
    size_t count;
    assert_ok(px_source_read_at(&source, 7, data, sizeof data, &count, &err));
    assert_int_equal(count, 3);
    assert_ok(px_source_read_at(&source, 70, data, sizeof data, &count, &err));
    assert_int_equal(count, 0);
    px_source_close(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_ends_with_the_source_or_the_deadline),
        cmocka_unit_test(reader_in_another_process_gets_every_byte),
        cmocka_unit_test(sender_that_gives_up_is_a_network_failure),
        cmocka_unit_test(whole_file_reads_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
