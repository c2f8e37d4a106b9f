/* The client against a peer of ours on loopback that plays one canned answer a connection: what came, what did not come, and
 * what arrives while it is still being sent. */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"

/* Serves `answers` one after the other, a connection each; keeps what it was sent. */
struct peer {
    int socket;
    char url[64];
    const char *answers[4];
    int pause_ms;           /* after the head of each answer */
    px_buffer seen;
    pthread_t thread;
};

static void *play(void *context)
{
    struct peer *peer = context;
    for (int i = 0; peer->answers[i]; i++) {
        int fd = accept(peer->socket, NULL, NULL);
        char data[65536];
        size_t got = 0;
        for (;;) {
            ssize_t count = read(fd, data + got, sizeof data - 1 - got);
            if (count <= 0)
                break;
            got += (size_t)count;
            data[got] = 0;
            const char *head = strstr(data, "\r\n\r\n"), *length = strstr(data, "Content-Length: ");
            if (head && got >= (size_t)(head + 4 - data) + (length ? strtoul(length + 16, NULL, 10) : 0))
                break;
        }
        px_buffer_push(&peer->seen, data, got);
        const char *answer = peer->answers[i], *body = strstr(answer, "\r\n\r\n");
        size_t head = body ? (size_t)(body + 4 - answer) : strlen(answer);
        (void)!write(fd, answer, head);
        if (peer->pause_ms)
            usleep((useconds_t)peer->pause_ms * 1000);
        (void)!write(fd, answer + head, strlen(answer + head));
        close(fd);
    }
    return NULL;
}

static void peer_start(struct peer *peer)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof address;
    peer->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->socket, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(peer->socket, 4), 0);
    assert_int_equal(getsockname(peer->socket, (struct sockaddr *)&address, &size), 0);
    snprintf(peer->url, sizeof peer->url, "http://127.0.0.1:%d/a%%2Fb/../c?x=%%20", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&peer->thread, NULL, play, peer), 0);
}

static void peer_end(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    close(peer->socket);
    px_buffer_done(&peer->seen);
}

static px_http *http;
static px_arena arena;
static px_error err;

static int open_client(void **state)
{
    (void)state;
    return px_http_open(&http, NULL) == PX_OK && px_arena_open(8 << 20, &arena, NULL) == PX_OK ? 0 : -1;
}

static int close_client(void **state)
{
    (void)state;
    px_http_close(http);
    px_arena_close(&arena);
    return 0;
}

static void a_request_goes_out_as_it_is_and_its_answer_comes_back(void **state)
{
    (void)state;
    struct peer peer = { .answers = { "HTTP/1.1 404 Not Found\r\nX-Thing:  two words \r\nContent-Length: 4\r\n\r\ngone" } };
    peer_start(&peer);
    const px_http_header headers[] = { { "x-one", "1" }, { "x-empty", "" } };
    px_http_request request = { .method = "POST", .url = peer.url, .headers = headers, .header_count = 2,
                                .body = px_bytes_of("hello"), .direct = true };
    px_http_response response;
    assert_ok(px_http_send(http, &request, &arena, &response, &err));
    assert_int_equal(response.status, 404);
    assert_string_equal((const char *)response.body.data, "gone");
    assert_string_equal(px_http_header_find(&response, "x-thing"), "two words");
    assert_string_equal(px_http_header_find(&response, "x-other"), "");
    assert_non_null(strstr(peer.seen.data, "POST /a%2Fb/../c?x=%20 HTTP/1.1\r\n"));
    assert_non_null(strstr(peer.seen.data, "x-one: 1\r\n"));
    assert_non_null(strstr(peer.seen.data, "x-empty:\r\n"));
    assert_non_null(strstr(peer.seen.data, "\r\n\r\nhello"));
    assert_null(strstr(peer.seen.data, "Expect"));
    peer_end(&peer);
}

static void a_body_comes_from_a_part_of_a_file(void **state)
{
    (void)state;
    struct peer peer = { .answers = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } };
    peer_start(&peer);
    PX_AUTO(px_fd_close) int fd = memfd_create("body", MFD_CLOEXEC);
    assert_ok(px_write_all(fd, "0123456789", 10, "body", &err));
    px_http_request request = { .method = "PUT", .url = peer.url, .has_fd = true, .fd = fd, .body_offset = 3, .body_bytes = 4, .direct = true };
    px_http_response response;
    assert_ok(px_http_send(http, &request, &arena, &response, &err));
    assert_non_null(strstr(peer.seen.data, "Content-Length: 4\r\n"));
    assert_non_null(strstr(peer.seen.data, "\r\n\r\n3456"));
    peer_end(&peer);
}

struct sunk {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    px_buffer bytes;
    atomic_bool ended;
    px_status status;
};

static bool sink_push(void *context, px_bytes bytes)
{
    struct sunk *sunk = context;
    px_buffer_push(&sunk->bytes, bytes.data, bytes.count);
    return true;
}

static void sink_end(void *context, px_status status, const char *reason)
{
    struct sunk *sunk = context;
    (void)reason;
    sunk->status = status;
    atomic_store(&sunk->ended, true);
}

static void wait_end(struct sunk *sunk)
{
    for (int i = 0; i < 500 && !atomic_load(&sunk->ended); i++)
        usleep(10000);
    assert_true(atomic_load(&sunk->ended));
}

static void the_head_is_there_before_the_body(void **state)
{
    (void)state;
    struct peer peer = { .answers = { "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 4\r\n\r\nlate" }, .pause_ms = 200 };
    struct sunk sunk = { 0 };
    px_http_sink sink = { .push = sink_push, .end = sink_end, .context = &sunk };
    peer_start(&peer);
    px_http_request request = { .method = "GET", .url = peer.url, .direct = true };
    px_http_response response;
    assert_ok(px_http_stream(http, &request, &sink, &arena, &response, &err));
    assert_false(atomic_load(&sunk.ended));
    assert_string_equal(px_http_header_find(&response, "etag"), "\"x\"");
    wait_end(&sunk);
    assert_int_equal(sunk.status, PX_OK);
    assert_string_equal(sunk.bytes.data, "late");
    px_buffer_done(&sunk.bytes);
    peer_end(&peer);
}

static void a_refusal_is_read_whole_and_not_sunk(void **state)
{
    (void)state;
    struct peer peer = { .answers = { "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno" } };
    struct sunk sunk = { 0 };
    px_http_sink sink = { .push = sink_push, .end = sink_end, .context = &sunk };
    peer_start(&peer);
    px_http_request request = { .method = "GET", .url = peer.url, .direct = true };
    px_http_response response;
    assert_ok(px_http_stream(http, &request, &sink, &arena, &response, &err));
    assert_int_equal(response.status, 403);
    assert_string_equal((const char *)response.body.data, "no");
    peer_end(&peer);
    assert_false(atomic_load(&sunk.ended));
}

static void a_cut_body_ends_the_sink_with_a_failure(void **state)
{
    (void)state;
    struct peer peer = { .answers = { "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nhalf", "HTTP/1.1 206 Partial\r\nContent-Length: 5\r\n\r\n rest",
                                      "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n" } };
    struct sunk sunk = { 0 };
    px_http_sink sink = { .push = sink_push, .end = sink_end, .context = &sunk };
    peer_start(&peer);
    px_http_request request = { .method = "GET", .url = peer.url, .direct = true };
    px_http_response response;
    assert_ok(px_http_stream(http, &request, &sink, &arena, &response, &err));
    wait_end(&sunk);
    assert_int_equal(sunk.status, PX_NETWORK);
    atomic_store(&sunk.ended, false);
    assert_ok(px_http_start(http, &request, &sink, 30, NULL)); /* goes on where it was cut */
    wait_end(&sunk);
    assert_int_equal(sunk.status, PX_OK);
    assert_string_equal(sunk.bytes.data, "half rest");
    atomic_store(&sunk.ended, false);
    assert_ok(px_http_start(http, &request, &sink, 0, &err));
    wait_end(&sunk);
    assert_int_equal(sunk.status, PX_NETWORK);
    px_buffer_done(&sunk.bytes);
    peer_end(&peer);
}

static void a_silent_peer_costs_no_more_than_the_deadline(void **state)
{
    (void)state;
    struct peer peer = { .answers = { "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate" }, .pause_ms = 400 };
    peer_start(&peer);
    px_http_request request = { .method = "GET", .url = peer.url, .direct = true, .deadline_ms = px_now_ms() + 100 };
    px_http_response response;

    assert_int_equal(px_http_send(http, &request, &arena, &response, &err), PX_OUT_OF_TIME);
    peer_end(&peer);
}

static void nobody_there_is_a_network_failure(void **state)
{
    (void)state;
    px_http_request request = { .method = "GET", .url = "http://127.0.0.1:1/", .direct = true };
    px_http_response response;

    assert_int_equal(px_http_send(http, &request, &arena, &response, &err), PX_NETWORK);
    assert_true(err.message[0] != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_out_as_it_is_and_its_answer_comes_back),
        cmocka_unit_test(a_body_comes_from_a_part_of_a_file),
        cmocka_unit_test(the_head_is_there_before_the_body),
        cmocka_unit_test(a_refusal_is_read_whole_and_not_sunk),
        cmocka_unit_test(a_cut_body_ends_the_sink_with_a_failure),
        cmocka_unit_test(a_silent_peer_costs_no_more_than_the_deadline),
        cmocka_unit_test(nobody_there_is_a_network_failure),
    };
    return cmocka_run_group_tests(tests, open_client, close_client);
}
