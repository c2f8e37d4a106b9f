/* What is acknowledged is there after kill -9, event and object together; a full disk leaves nothing half-done.
 * A child process writes and tells each acknowledgement through a pipe; it is killed at a random moment. */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <jansson.h>

#include "base/file.h"

static char folder[32];

static int64_t query_number(const char *sql)
{
    char path[64];
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof path, "%s/pixmill.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

struct writer {
    px_local *local;
    int pipe, number;
};

static void *write_and_tell(void *context)
{
    struct writer *writer = context;
    for (int i = 0;; i++) {
        char key[16] = "";
        snprintf(key, sizeof key, "in/%d-%07d", writer->number, i);
        if (put(writer->local, "source", key, key) != PX_OK || write(writer->pipe, key, sizeof key) != sizeof key)
            _exit(1);
    }
}

static void kill_loses_nothing_acknowledged(void **state)
{
    (void)state;
    px_local_close(fresh_local(folder));
    int acknowledged = 0;
    for (int round = 0; round < 5; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        if (child == 0) {
            struct writer writers[4];
            pthread_t thread;
            px_local *local = open_local(folder);
            for (int i = 0; i < 4; i++) {
                writers[i] = (struct writer){ local, pipes[1], round * 4 + i };
                pthread_create(&thread, NULL, write_and_tell, &writers[i]);
            }
            pause();
            _exit(0);
        }
        close(pipes[1]);
        usleep((useconds_t)(60000 + round * 37000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);

        px_local *local = open_local(folder);
        px_arena arena;
        assert_int_equal(px_arena_open(1 << 20, &arena, NULL), PX_OK);
        char key[16];
        while (read(pipes[0], key, sizeof key) == sizeof key) {
            px_object object;
            int fd = -1;
            char bytes[16] = "";
            px_arena_reset(&arena);
            assert_int_equal(px_local_get(local, "source", key, &arena, &object, &fd, NULL), PX_OK);
            assert_int_equal(pread(fd, bytes, sizeof bytes, 0), (ssize_t)strlen(key));
            assert_string_equal(bytes, key);
            px_fd_close(&fd);
            acknowledged++;
        }
        close(pipes[0]);
        px_arena_close(&arena);
        px_local_close(local);
        assert_int_equal(query_number("SELECT count(*) FROM objects"), query_number("SELECT count(*) FROM events"));
        assert_int_equal(query_number("SELECT count(*) FROM objects"), count_files(folder));
    }
    assert_true(acknowledged > 0);
    remove_folder(folder);
}

static void an_event_is_what_s3_would_send(void **state)
{
    (void)state;
    px_local *local = fresh_local(folder);
    px_arena arena;
    px_delivery delivery;
    bool taken = false;
    assert_int_equal(px_arena_open(1 << 20, &arena, NULL), PX_OK);
    assert_int_equal(put(local, "source", "out/ignored", "x"), PX_OK); /* not under source_prefix */
    assert_int_equal(put(local, "target", "in/ignored", "x"), PX_OK);
    struct result first = put_if(local, "source", "in/a b+c.jpg", "hello", (px_condition){ 0 });
    assert_int_equal(query_number("SELECT count(*) FROM events"), 1);
    px_queue *queue = px_local_queue(local);
    assert_int_equal(queue->take(queue, 0, &arena, &delivery, &taken, NULL), PX_OK);
    assert_true(taken);

    json_t *body = json_loads(delivery.body, 0, NULL);
    const char *version, *region, *name, *bucket, *key, *etag, *sequencer, *time;
    json_int_t size;
    assert_int_equal(json_unpack(body, "{s:[{s:s, s:s, s:s, s:s, s:{s:{s:s}, s:{s:s, s:s, s:s, s:I}}}]}", "Records", "eventVersion",
                                 &version, "awsRegion", &region, "eventName", &name, "eventTime", &time, "s3", "bucket", "name",
                                 &bucket, "object", "key", &key, "eTag", &etag, "sequencer", &sequencer, "size", &size), 0);
    assert_string_equal(version, "2.1");
    assert_string_equal(region, "eu-central-1");
    assert_string_equal(name, "ObjectCreated:Put");
    assert_string_equal(bucket, "source");
    assert_string_equal(key, "in/a+b%2Bc.jpg");
    assert_string_equal(etag, first.etag);
    assert_string_equal(sequencer, first.sequencer);
    assert_int_equal(strlen(sequencer), 16);
    assert_int_equal(size, 5);
    struct result second = put_if(local, "source", "in/a b+c.jpg", "hello", (px_condition){ 0 });
    assert_true(strcmp(second.sequencer, first.sequencer) > 0);
    json_decref(body);
    px_arena_close(&arena);
    px_local_close(local);
    remove_folder(folder);
}

static void what_pixmill_made_makes_no_event(void **state)
{
    (void)state;
    px_local *local = fresh_local(folder);
    px_meta meta = { "pixmill-source", "0123456789abcdef0123456789abcdef" };
    px_object head = { .bucket = "source", .key = "in/processed.jpg", .meta = &meta, .meta_count = 1 };
    struct result result = { .status = PX_OK };
    sem_init(&result.done, 0, 0);
    px_local_put(local, uploaded(local, "x", 1), &head, "ObjectCreated:Put", (px_condition){ 0 }, tell, &result);
    sem_wait(&result.done);
    assert_int_equal(result.status, PX_OK);
    assert_int_equal(delete_one(local, "source", "in/processed.jpg"), PX_OK);
    assert_int_equal(query_number("SELECT count(*) FROM events"), 0);
    px_local_close(local);
    remove_folder(folder);
}

static void a_file_that_cannot_grow_leaves_nothing(void **state)
{
    (void)state;
    px_local *local = fresh_local(folder);
    struct rlimit old, tight;
    getrlimit(RLIMIT_FSIZE, &old);
    tight = (struct rlimit){ 1 << 20, old.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    px_upload *upload = NULL;
    assert_int_equal(px_upload_begin(local, &upload, NULL), PX_OK);
    char *bytes = calloc(1, 2 << 20);
    setrlimit(RLIMIT_FSIZE, &tight);
    px_status status = px_upload_push(upload, bytes, 2 << 20, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    free(bytes);
    assert_int_not_equal(status, PX_OK);
    px_upload_abandon(upload);
    assert_int_equal(count_files(folder), 0);
    assert_int_equal(put(local, "source", "in/a", "x"), PX_OK); /* and goes on */
    px_local_close(local);
    remove_folder(folder);
}

static void one_refused_change_does_not_spoil_its_group(void **state)
{
    (void)state;
    px_local *local = fresh_local(folder);
    struct result results[40];
    char keys[40][16];
    for (int i = 0; i < 40; i++) {
        results[i] = (struct result){ .status = PX_OK };
        sem_init(&results[i].done, 0, 0);
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        px_object head = { .bucket = i % 2 ? "target" : "nowhere", .key = keys[i] };
        px_local_put(local, uploaded(local, "x", 1), &head, "ObjectCreated:Put", (px_condition){ 0 }, tell, &results[i]);
    }
    px_local_close(local); /* finishes what waits */
    for (int i = 0; i < 40; i++) {
        sem_wait(&results[i].done);
        assert_int_equal(results[i].status, i % 2 ? PX_OK : PX_NO_SUCH_BUCKET);
    }
    assert_int_equal(query_number("SELECT count(*) FROM objects"), 20);
    assert_int_equal(count_files(folder), 20);
    remove_folder(folder);
}

static void replay_works_beside_a_serving_process(void **state)
{
    (void)state;
    px_local *local = fresh_local(folder), *beside = NULL;
    px_arena arena;
    px_delivery delivery;
    bool taken = false;
    int64_t count = 0;
    px_queue *queue = px_local_queue(local);
    assert_int_equal(px_arena_open(1 << 20, &arena, NULL), PX_OK);
    assert_int_equal(put(local, "source", "in/a", "x"), PX_OK);
    assert_int_equal(queue->take(queue, 0, &arena, &delivery, &taken, NULL), PX_OK);
    px_settlement dead = { .delivery = &delivery, .verdict = PX_DEAD, .status = PX_OUT_OF_TIME, .message = "slow", .image_id = "" };
    assert_int_equal(queue->settle(queue, &dead, NULL), PX_OK);
    px_local_counts counts;
    assert_int_equal(px_local_count(local, &counts, NULL), PX_OK);
    assert_int_equal(counts.dead_letters, 1);
    assert_int_equal(counts.events_running, 0);

    px_local_options options = { .folder = folder, .observe = true };
    assert_int_equal(px_local_open(&options, &beside, NULL), PX_OK);
    px_queue *other = px_local_queue(beside);
    assert_int_equal(other->replay(other, &(px_dead_filter){ .code = "out-of-time" }, &count, NULL), PX_OK);
    assert_int_equal(count, 1);
    px_local_close(beside);
    taken = false;
    assert_int_equal(queue->take(queue, 2000, &arena, &delivery, &taken, NULL), PX_OK);
    assert_true(taken);
    px_arena_close(&arena);
    px_local_close(local);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_loses_nothing_acknowledged),
        cmocka_unit_test(an_event_is_what_s3_would_send),
        cmocka_unit_test(what_pixmill_made_makes_no_event),
        cmocka_unit_test(a_file_that_cannot_grow_leaves_nothing),
        cmocka_unit_test(one_refused_change_does_not_spoil_its_group),
        cmocka_unit_test(replay_works_beside_a_serving_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
