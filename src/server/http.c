/* The transport: libmicrohttpd with event threads, raw targets, bodies streamed into an upload.
 *
 * The first call of a request has its head: the rules that the library leaves open, then the gate, then the route. Nothing
 * here waits for the disk: a handler suspends its connection, and the writer's callback resumes it.
 *
 * The threads poll rather than epoll: with its edge-triggered epoll libmicrohttpd 0.9.75 misses the end of a stream that comes
 * in one event with data, and such connections stay until the idle timeout. For 2000 connections poll is fast enough. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "server/request.h"

enum { ARENA_BYTES = 32 << 20, CONNECTIONS = 2000, IDLE_SECONDS = 30, STACK_BYTES = 256 << 10, THROWN_BYTES = 64 << 20 };

/* ---- the head ---- */

struct head_count {
    int fields, hosts, lengths;
    size_t bytes;
    bool coded;
};

static enum MHD_Result count_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct head_count *count = context;
    count->fields++;
    count->bytes += strlen(name) + (value ? strlen(value) : 0) + 4;
    count->hosts += strcasecmp(name, "Host") == 0;
    count->lengths += strcasecmp(name, "Content-Length") == 0;
    count->coded |= strcasecmp(name, "Transfer-Encoding") == 0;
    return MHD_YES;
}

/* Where a request ends is in doubt, so nothing may follow it on this connection. */
static bool refuse_head(px_request *request, const char *message)
{
    request->last = true;
    px_answer_error(request, 400, "InvalidRequest", message);
    return false;
}

static bool judge_head(px_request *request)
{
    struct head_count count = { 0 };
    px_mhd.get_connection_values(request->connection, MHD_HEADER_KIND, count_header, &count);
    if (count.fields > PX_HEADERS_MAX || count.bytes > PX_HEAD_BYTES) {
        return refuse_head(request, "The request's head has too many or too long fields");
    }
    if (count.hosts != 1 || count.lengths > 1 || (count.lengths && count.coded)) {
        return refuse_head(request, "The request's head is ambiguous: one Host, and one of Content-Length and Transfer-Encoding");
    }
    request->expects_body = count.lengths || count.coded;
    return true;
}

/* "/bucket/key?query", raw, into its parts. */
static bool read_target(px_request *request)
{
    char *mark = strchr(request->raw, '?');
    size_t length = mark ? (size_t)(mark - request->raw) : strlen(request->raw);
    request->path = px_uri_decode(&request->arena, (px_bytes){ (const uint8_t *)request->raw, length }, false);
    request->query_count = px_query_parse(&request->arena, mark ? mark + 1 : "", request->queries, PX_SIGV4_QUERIES_MAX);
    if (!request->path || request->path[0] != '/' || request->query_count < 0) {
        bool too_many = request->query_count == PX_QUERIES_TOO_MANY;
        request->query_count = 0;
        request->path = "/";
        const char *many = px_arena_format(&request->arena, "The request's address has more than %d queries", PX_SIGV4_QUERIES_MAX);
        px_answer_error(request, 400, "InvalidURI", too_many && many ? many : "The request's address cannot be read");
        return false;
    }
    size_t bucket = strcspn(request->path + 1, "/");
    request->bucket = px_arena_copy(&request->arena, (px_bytes){ (const uint8_t *)request->path + 1, bucket });
    request->key = request->path[1 + bucket] ? request->path + 2 + bucket : "";
    if (!request->bucket)
        return false;
    if (strlen(request->key) > PX_LIMIT_KEY_BYTES) {
        px_answer_error(request, 400, "KeyTooLongError", "Your key is too long");
        return false;
    }
    return true;
}

/* ---- what is ours, under /_/ ---- */

/* From this machine, and not through a proxy on it. */
static bool is_local_peer(px_request *request)
{
    const union MHD_ConnectionInfo *info = px_mhd.get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || px_request_header(request, "X-Forwarded-For") || px_request_header(request, "Forwarded"))
        return false;
    if (info->client_addr->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr.s_addr) >> 24 == 127;
    const struct sockaddr_in6 *v6 = (const void *)info->client_addr;
    return info->client_addr->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static void answer_own(px_request *request)
{
    px_buffer body = { 0 };
    px_local_counts counts = { 0 };
    px_error err = { "" };
    px_status status = px_local_count(request->server->local, &counts, &err);
    bool health = strcmp(request->path, "/_/health") == 0, metrics = strcmp(request->path, "/_/metrics") == 0;
    if (!health && !metrics) {
        px_buffer_text(&body, "{\"error\":\"no-such-key\",\"message\":\"there is /_/health, /_/metrics and /_/api/…\"}\n");
        px_answer(request, 404, "application/json", &body, NULL, 0);
    } else if (health) {
        px_buffer_format(&body, "{\"status\":\"%s\",\"waiting\":%lld,\"running\":%lld,\"deadLetters\":%lld}\n", status == PX_OK ? "ok" : px_status_code(status),
                         (long long)counts.events_waiting, (long long)counts.events_running, (long long)counts.dead_letters);
        px_answer(request, status == PX_OK ? 200 : 503, "application/json", &body, NULL, 0);
    } else {
        px_buffer_format(&body, "# TYPE pixmill_objects gauge\npixmill_objects %lld\n# TYPE pixmill_events_waiting gauge\npixmill_events_waiting %lld\n"
                         "# TYPE pixmill_events_running gauge\npixmill_events_running %lld\n# TYPE pixmill_dead_letters gauge\npixmill_dead_letters %lld\n"
                         "# TYPE pixmill_requests_running gauge\npixmill_requests_running %d\n",
                         (long long)counts.objects, (long long)counts.events_waiting, (long long)counts.events_running, (long long)counts.dead_letters, atomic_load(&request->server->running));
        px_answer(request, 200, "text/plain; version=0.0.4", &body, NULL, 0);
    }
    px_buffer_done(&body);
}

/* ---- libmicrohttpd's calls ---- */

/* Target, gate and route. False if there is no memory even for an answer. */
static bool begin_route(px_request *request)
{
    if (!read_target(request))
        return request->responded;
    if (px_server_is_api(request)) {
        if (px_server_api_route(request))
            px_body_prepare(request);
        return true;
    }
    if (strncmp(request->path, "/_/", 3) == 0 || strcmp(request->path, "/_") == 0) {
        request->handler = answer_own;
        bool open = strcmp(request->path, "/_/metrics") != 0 || is_local_peer(request);
        if (!open && !px_gate(request))
            return true;
        request->payload = "UNSIGNED-PAYLOAD";
        request->decoded_length = UINT64_MAX;
        return true;
    }
    if (!px_cors_preflight(request) && px_gate(request) && px_s3_route(request))
        px_body_prepare(request);
    return true;
}

/* A client that sends its whole body before it reads would lose an early answer when the connection closes on it: so
 * unless it waits for 100-continue, the answer waits for the body's end. */
static enum MHD_Result begin(px_request *request)
{
    request->began = true;
    if (!judge_head(request))
        return request->responded ? MHD_YES : MHD_NO;
    const char *length = px_request_header(request, "Content-Length");
    request->holds = request->expects_body && !px_request_header(request, "Expect") && (!length || strtoull(length, NULL, 10) <= THROWN_BYTES);
    bool good = begin_route(request);
    request->holds = false;
    return good || request->responded ? MHD_YES : MHD_NO;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                              const char *data, size_t *count, void **state)
{
    (void)context, (void)url, (void)version;
    px_request *request = *state;
    if (!request)
        return MHD_NO;
    request->connection = connection;
    request->method = method;
    if (!request->began)
        return begin(request);
    if (*count > 0) {
        if (!request->responded)
            px_body_push(request, data, *count);
        bool wasted = request->responded || request->body_status != PX_OK;
        request->thrown_bytes += wasted ? *count : 0;
        *count = 0;
        return request->thrown_bytes <= THROWN_BYTES ? MHD_YES : MHD_NO;
    }
    if (request->held) {
        enum MHD_Result queued = px_mhd.queue_response(connection, (unsigned)request->held_http, request->held);
        px_mhd.destroy_response(request->held);
        request->held = NULL;
        return queued;
    }
    if (request->responded || request->waits)
        return MHD_YES;
    if (request->respond) {
        px_handler *respond = request->respond;
        request->respond = NULL;
        respond(request);
    } else {
        if (px_body_finish(request))
            request->handler(request);
    }
    return request->responded || request->respond ? MHD_YES : MHD_NO;
}

/* Called with the raw target before anything else: this is where a request begins. */
static void *target_came(void *context, const char *target, struct MHD_Connection *connection)
{
    px_server *server = context;
    px_request *request = calloc(1, sizeof *request);
    if (!request || px_arena_open(ARENA_BYTES, &request->arena, NULL) != PX_OK || !(request->raw = strdup(target))) {
        if (request)
            px_arena_close(&request->arena);
        free(request);
        return NULL; /* no memory: `handle` hangs up */
    }
    atomic_fetch_add(&server->running, 1);
    request->server = server;
    request->connection = connection;
    request->method = "";
    request->checksum = -1;
    uint8_t id[8];
    px_random(id, sizeof id);
    px_hex(id, sizeof id, request->id);
    return request;
}

static void completed(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    (void)connection, (void)code;
    px_request *request = *state;
    if (!request)
        return;
    px_upload_abandon(request->upload);
    if (request->held)
        px_mhd.destroy_response(request->held);
    px_buffer_done(&request->text);
    px_chunked_done(&request->chunked);
    px_hash_done(&request->sha256);
    px_hash_done(&request->checksum_hash);
    explicit_bzero(&request->access, sizeof request->access);
    px_arena_close(&request->arena);
    free(request->raw);
    free(request);
    *state = NULL;
    atomic_fetch_sub(&((px_server *)context)->running, 1);
}

static size_t leave_raw(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

static void log_library(void *context, const char *format, va_list arguments)
{
    char text[256];
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    px_log_write(((px_server *)context)->log, PX_DEBUG, NULL, "http", json_pack("{s:s}", "reason", text));
}

/* ---- open and close ---- */

static px_status resolve(const char *listen, struct sockaddr_storage *ret, px_error *err)
{
    char host[128];
    const char *colon = strrchr(listen, ':');
    if (!colon || (size_t)(colon - listen) >= sizeof host)
        return px_fail(err, PX_BAD_CONFIG, "cannot listen on '%s': write ADDRESS:PORT, such as 127.0.0.1:9000", listen);
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
    char *name = host;
    if (*name == '[' && name[strlen(name) - 1] == ']') {
        name[strlen(name) - 1] = '\0';
        name++;
    }
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found = NULL;
    int number = getaddrinfo(*name ? name : NULL, colon + 1, &hints, &found);
    if (number != 0)
        return px_fail(err, PX_BAD_CONFIG, "cannot listen on '%s': %s", listen, gai_strerror(number));
    memcpy(ret, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return PX_OK;
}

static void name_address(px_server *server, int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";
    getsockname(fd, (struct sockaddr *)&address, &size);
    if (address.ss_family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(server->address, sizeof server->address, "[%s]:%d", host, ntohs(v6->sin6_port));
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(server->address, sizeof server->address, "%s:%d", host, ntohs(v4->sin_port));
    }
}

/* A socket of our own, so that "in use" is told from other failures. */
static px_status open_socket(const char *listen_on, int *ret, px_error *err)
{
    struct sockaddr_storage address = { 0 };
    PX_TRY(resolve(listen_on, &address, err));
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0)
        return px_fail_errno(err, errno, "cannot make a socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    socklen_t size = address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 511) != 0) {
        int number = errno;
        close(fd);
        if (number == EADDRINUSE)
            return px_fail(err, PX_ALREADY_EXISTS, "cannot listen on %s: another program does; stop it, or name another port with --listen", listen_on);
        return px_fail_errno(err, number, "cannot listen on %s", listen_on);
    }
    *ret = fd;
    return PX_OK;
}

px_status px_server_open(const px_server_options *options, px_local *local, px_log *log, px_server **ret, px_error *err)
{
    PX_TRY(px_mhd_load(err));
    px_server *server = calloc(1, sizeof *server);
    if (!server)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the server");
    server->local = local;
    server->log = log;
    server->api = (px_api){ .config = options->config, .store = px_local_store(local), .table = px_local_table(local), .version = options->version };
    snprintf(server->region, sizeof server->region, "%s", options->region);
    int fd = -1;
    px_status status = open_socket(options->listen, &fd, err);
    if (status != PX_OK) {
        free(server);
        return status;
    }
    name_address(server, fd);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = options->threads > 0 ? (unsigned)options->threads : cores > 1 ? (unsigned)cores : 2;
    server->daemon = px_mhd.start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, server,
        MHD_OPTION_EXTERNAL_LOGGER, log_library, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, threads,
        MHD_OPTION_URI_LOG_CALLBACK, target_came, server, MHD_OPTION_NOTIFY_COMPLETED, completed, server,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_raw, server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(64 << 10),
        MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!server->daemon) {
        close(fd);
        free(server);
        return px_fail(err, PX_INTERNAL, "cannot start the HTTP server on %s", options->listen);
    }
    *ret = server;
    return PX_OK;
}

const char *px_server_address(const px_server *server) { return server->address; }

void px_server_close(px_server *server, int drain_ms)
{
    if (!server)
        return;
    int fd = px_mhd.quiesce_daemon(server->daemon);
    if (fd >= 0)
        close(fd);
    for (int waited = 0; waited < drain_ms && atomic_load(&server->running) > 0; waited += 10)
        usleep(10000);
    while (atomic_load(&server->waiting) > 0) /* the writer still has to tell them; the library may not stop before */
        usleep(1000);
    px_mhd.stop_daemon(server->daemon);
    free(server);
}
