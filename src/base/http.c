/* A transfer goes from its caller to the network thread through the list of the waiting, then belongs to curl until it ends.
 *
 * Its caller sleeps until the head is there (if a sink takes the body) or the end, and then copies what it needs. Caller and
 * network thread both let go of a transfer; who comes second frees it. */
#include "base/http.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/curl.h"

enum { HEAD_BYTES_MAX = 16 << 10, HEADERS_MAX = 100, CONNECT_MS = 3000, IDLE_S = 20, POLL_MS = 1000 };

typedef enum transfer_state { WAITING, HEAD, ENDED } transfer_state;

typedef struct transfer transfer;
struct transfer {
    transfer *next;           /* in the list of the waiting, or of the running */
    px_http *http;
    CURL *easy;               /* owned */
    struct curl_slist *lines; /* owned: request headers */
    const px_http_request *request; /* borrowed while the caller waits */
    uint64_t sent;            /* of the body */
    px_http_sink sink;
    bool has_sink;
    bool detached;            /* nobody waits any more: the network thread frees it */
    bool ended;               /* the network thread is through with it: its caller frees it */
    int64_t deadline_ms;
    int64_t start_us;         /* px_monotonic_us; not before */
    transfer_state state;
    int status;
    px_buffer head, body;     /* owned; lines of the last head; the body that no sink takes */
    px_status result;
    char reason[512];
    char error[CURL_ERROR_SIZE];
};

struct px_http {
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    transfer *waiting;  /* newest first; under the lock */
    transfer *running;  /* the network thread's */
    bool stopping;      /* under the lock */
    char bundle[512];   /* "" if curl is to use its own */
};

/* ---- curl's callbacks, on the network thread ---- */

static bool wants_sink(const transfer *self)
{
    return self->has_sink && (self->sink.status ? self->status == self->sink.status : self->status == 200 || self->status == 206);
}

/* Splits the head's lines into room taken before; names become lower case. */
static void copy_head(const transfer *self, char *text, px_http_response *ret)
{
    char *rest = NULL;
    memcpy(text, self->head.data, self->head.count);
    text[self->head.count] = 0;
    ret->status = self->status;
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        char *colon = strchr(line, ':');
        if (!colon || ret->header_count == HEADERS_MAX)
            continue;
        *colon++ = 0;
        for (char *c = line; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        colon += strspn(colon, " \t");
        for (size_t count = strlen(colon); count && (colon[count - 1] == ' ' || colon[count - 1] == '\t');)
            colon[--count] = 0;
        ((px_http_header *)(uintptr_t)ret->headers)[ret->header_count++] = (px_http_header){ line, colon };
    }
}

/* The sink hears of the head before a byte of the body. */
static bool tell_head(transfer *self)
{
    px_http_header headers[HEADERS_MAX];
    px_http_response response = { .headers = headers };
    char text[HEAD_BYTES_MAX + 1];
    if (!wants_sink(self) || !self->sink.head)
        return true;
    copy_head(self, text, &response);
    return self->sink.head(self->sink.context, &response);
}

static size_t take_head(char *data, size_t size, size_t count, void *context)
{
    transfer *self = context;
    size_t bytes = size * count;
    if (bytes >= 5 && memcmp(data, "HTTP/", 5) == 0)
        px_buffer_clear(&self->head); /* an interim response came before */
    if (self->head.count + bytes > HEAD_BYTES_MAX)
        return 0;
    px_buffer_push(&self->head, data, bytes);
    if (bytes > 2)
        return bytes;
    long status = 0;
    px_curl.easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return bytes;
    self->status = (int)status;
    if (!tell_head(self))
        return 0;
    pthread_mutex_lock(&self->http->lock);
    if (wants_sink(self) && !self->detached) {
        self->state = HEAD;
        pthread_cond_broadcast(&self->http->changed);
    }
    pthread_mutex_unlock(&self->http->lock);
    return bytes;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    transfer *self = context;
    size_t bytes = size * count;
    if (wants_sink(self))
        return self->sink.push(self->sink.context, (px_bytes){ (const uint8_t *)data, bytes }) ? bytes : 0;
    if (self->body.count + bytes > PX_HTTP_BODY_MAX)
        return 0;
    px_buffer_push(&self->body, data, bytes);
    return self->body.failed ? 0 : bytes;
}

static uint64_t body_bytes(const px_http_request *request) { return request->has_fd ? request->body_bytes : request->body.count; }

static size_t give_body(char *data, size_t size, size_t count, void *context)
{
    transfer *self = context;
    const px_http_request *request = self->request;
    uint64_t left = body_bytes(request) - self->sent;
    size_t bytes = size * count < left ? size * count : (size_t)left;
    if (request->has_fd) {
        ssize_t got = bytes ? pread(request->fd, data, bytes, (off_t)(request->body_offset + self->sent)) : 0;
        if (got < 0 || (bytes && got == 0))
            return CURL_READFUNC_ABORT;
        bytes = (size_t)got;
    } else if (bytes)
        memcpy(data, request->body.data + self->sent, bytes);
    self->sent += bytes;
    return bytes;
}

/* Curl sends again what it began on a connection that proved dead. */
static int rewind_body(void *context, curl_off_t offset, int origin)
{
    transfer *self = context;
    if (origin != SEEK_SET || offset < 0)
        return CURL_SEEKFUNC_CANTSEEK;
    self->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- the network thread ---- */

static void transfer_destroy(transfer *self)
{
    if (self->easy)
        px_curl.easy_cleanup(self->easy);
    px_curl.slist_free_all(self->lines);
    px_buffer_done(&self->head);
    px_buffer_done(&self->body);
    free(self);
}

static void judge(transfer *self, CURLcode code)
{
    if (code == CURLE_OK && !(self->detached && !wants_sink(self)))
        return;
    self->result = code == CURLE_OPERATION_TIMEDOUT && self->deadline_ms &&
                   px_now_ms() >= self->deadline_ms ? PX_OUT_OF_TIME : PX_NETWORK;
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) { /* the next try would meet the same */
        const char *bundle = self->http->bundle;
        self->result = PX_BAD_CONFIG;
        snprintf(self->reason, sizeof self->reason, "%.180s; look at the clock and at the endpoint's name; trusted is what %.180s holds: AWS_CA_BUNDLE or SSL_CERT_FILE name another",
                 self->error[0] ? self->error : px_curl.easy_strerror(code), *bundle ? bundle : "no CA bundle, since none was found,");
    } else if (code == CURLE_OK)
        snprintf(self->reason, sizeof self->reason, "HTTP %d", self->status);
    else
        snprintf(self->reason, sizeof self->reason, "%s", self->error[0] ? self->error : px_curl.easy_strerror(code));
}

/* The body is whole or never will be. */
static void end(transfer *self, CURLcode code)
{
    px_http *http = self->http;
    for (transfer **at = &http->running; *at; at = &(*at)->next)
        if (*at == self) {
            *at = self->next;
            break;
        }
    judge(self, code);
    if (self->detached || self->state == HEAD) /* states change on this thread alone */
        self->sink.end(self->sink.context, self->result, self->reason);
    pthread_mutex_lock(&http->lock);
    if (self->state == WAITING)
        self->state = ENDED;
    self->ended = true;
    bool alone = self->detached;
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
    if (alone)
        transfer_destroy(self);
}

static void begin_waiting(px_http *http, int *wait_ms)
{
    int64_t now = px_monotonic_us();
    pthread_mutex_lock(&http->lock);
    for (transfer **at = &http->waiting; *at;) {
        transfer *self = *at;
        if (self->start_us > now) {
            int64_t left = (self->start_us - now) / 1000 + 1;
            *wait_ms = left < *wait_ms ? (int)left : *wait_ms;
            at = &self->next;
            continue;
        }
        *at = self->next;
        self->next = http->running;
        http->running = self;
        px_curl.multi_add_handle(http->multi, self->easy);
    }
    pthread_mutex_unlock(&http->lock);
}

static void end_finished(px_http *http)
{
    int left;
    for (CURLMsg *message; (message = px_curl.multi_info_read(http->multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        char *self = NULL;
        px_curl.easy_getinfo(easy, CURLINFO_PRIVATE, &self);
        px_curl.multi_remove_handle(http->multi, easy);
        end((transfer *)(void *)self, code);
    }
}

static void give_all_up(px_http *http)
{
    pthread_mutex_lock(&http->lock);
    while (http->waiting) {
        transfer *self = http->waiting;
        http->waiting = self->next;
        self->next = http->running;
        http->running = self;
    }
    pthread_mutex_unlock(&http->lock);
    while (http->running) {
        transfer *self = http->running;
        px_curl.multi_remove_handle(http->multi, self->easy);
        snprintf(self->error, sizeof self->error, "the client is closing");
        end(self, CURLE_ABORTED_BY_CALLBACK);
    }
}

static void *drive(void *context)
{
    px_http *http = context;
    for (;;) {
        int wait_ms = POLL_MS, busy = 0;
        begin_waiting(http, &wait_ms);
        px_curl.multi_perform(http->multi, &busy);
        end_finished(http);
        pthread_mutex_lock(&http->lock);
        bool stopping = http->stopping;
        pthread_mutex_unlock(&http->lock);
        if (stopping)
            break;
        px_curl.multi_poll(http->multi, NULL, 0, wait_ms, NULL);
    }
    give_all_up(http);
    return NULL;
}

/* ---- opening and closing ---- */

static void find_bundle(char *path, size_t capacity)
{
    static const char *const places[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                          "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem" };
    static const char *const names[] = { "AWS_CA_BUNDLE", "SSL_CERT_FILE" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) {
            snprintf(path, capacity, "%s", value);
            return;
        }
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], R_OK) == 0) {
            snprintf(path, capacity, "%s", places[i]);
            return;
        }
    char program[400];
    ssize_t count = readlink("/proc/self/exe", program, sizeof program - 1);
    program[count > 0 ? count : 0] = 0;
    char *slash = strrchr(program, '/');
    if (slash)
        snprintf(path, capacity, "%.*s/lib/ca-bundle.crt", (int)(slash - program), program);
    if (access(path, R_OK) != 0)
        *path = 0;
}

px_status px_http_open(px_http **ret, px_error *err)
{
    PX_TRY(px_curl_load(err));
    px_http *http = calloc(1, sizeof *http);
    if (!http || px_curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(http->multi = px_curl.multi_init())) {
        free(http);
        return px_fail(err, PX_OUT_OF_MEMORY, "cannot start the HTTP client");
    }
    pthread_mutex_init(&http->lock, NULL);
    pthread_cond_init(&http->changed, NULL);
    find_bundle(http->bundle, sizeof http->bundle);
    px_curl.multi_setopt(http->multi, CURLMOPT_PIPELINING, 0L);
    int number = pthread_create(&http->thread, NULL, drive, http);
    if (number != 0) {
        px_curl.multi_cleanup(http->multi);
        free(http);
        return px_fail_errno(err, number, "cannot start the network thread");
    }
    *ret = http;
    return PX_OK;
}

void px_http_close(px_http *http)
{
    if (!http)
        return;
    pthread_mutex_lock(&http->lock);
    http->stopping = true;
    pthread_mutex_unlock(&http->lock);
    px_curl.multi_wakeup(http->multi);
    pthread_join(http->thread, NULL);
    px_curl.multi_cleanup(http->multi);
    pthread_cond_destroy(&http->changed);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

/* ---- one request ---- */

static bool add_line(transfer *self, const char *name, const char *value)
{
    PX_AUTO(px_buffer_done) px_buffer line = { 0 };
    px_buffer_format(&line, *value ? "%s: %s" : "%s;", name, value);
    struct curl_slist *longer = line.failed ? NULL : px_curl.slist_append(self->lines, line.data);
    if (longer)
        self->lines = longer;
    return longer != NULL;
}

static void set_up(transfer *self, const px_http_request *request)
{
    CURL *easy = self->easy;
    int64_t left = request->deadline_ms ? request->deadline_ms - px_now_ms() : 0;
    px_curl.easy_setopt(easy, CURLOPT_URL, request->url);
    px_curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    px_curl.easy_setopt(easy, CURLOPT_HTTPHEADER, self->lines);
    px_curl.easy_setopt(easy, CURLOPT_PRIVATE, (char *)self);
    px_curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, self->error);
    px_curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    px_curl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    px_curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    px_curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    px_curl.easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L << 10);
    px_curl.easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    px_curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(request->connect_ms ? request->connect_ms : CONNECT_MS));
    if (!request->patient) {
        px_curl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        px_curl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)IDLE_S);
    }
    if (request->deadline_ms)
        px_curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(left > 1 ? left : 1));
    if (request->direct)
        px_curl.easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (self->http->bundle[0])
        px_curl.easy_setopt(easy, CURLOPT_CAINFO, self->http->bundle);
    px_curl.easy_setopt(easy, CURLOPT_CAPATH, NULL); /* a folder that libcurl was built with would be trusted beside it */
    px_curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
    px_curl.easy_setopt(easy, CURLOPT_HEADERDATA, self);
    px_curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    px_curl.easy_setopt(easy, CURLOPT_WRITEDATA, self);
    if (strcmp(request->method, "HEAD") == 0)
        px_curl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0) {
        px_curl.easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        px_curl.easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_bytes(request));
        px_curl.easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
        px_curl.easy_setopt(easy, CURLOPT_READDATA, self);
        px_curl.easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body);
        px_curl.easy_setopt(easy, CURLOPT_SEEKDATA, self);
    }
}

/* Hands a transfer to the network thread. */
static px_status enqueue(px_http *http, const px_http_request *request, const px_http_sink *sink, bool detached, int delay_ms,
                         transfer **ret, px_error *err)
{
    transfer *self = calloc(1, sizeof *self);
    if (!self || !(self->easy = px_curl.easy_init())) {
        free(self);
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request");
    }
    self->http = http;
    self->request = request;
    self->has_sink = sink != NULL;
    self->sink = sink ? *sink : (px_http_sink){ 0 };
    self->detached = detached;
    self->start_us = px_monotonic_us() + (int64_t)delay_ms * 1000;
    self->deadline_ms = request->deadline_ms;
    self->lines = px_curl.slist_append(NULL, "Expect:"); /* none: it would cost a round trip */
    bool good = self->lines != NULL;
    for (int i = 0; i < request->header_count; i++)
        good &= add_line(self, request->headers[i].name, request->headers[i].value);
    if (!good) {
        transfer_destroy(self);
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a request's headers");
    }
    set_up(self, request);
    if (detached)
        self->request = NULL; /* it has no body, and its caller goes on */
    pthread_mutex_lock(&http->lock);
    bool stopping = http->stopping;
    if (!stopping) {
        self->next = http->waiting;
        http->waiting = self;
    }
    pthread_mutex_unlock(&http->lock);
    if (stopping) {
        transfer_destroy(self);
        return px_fail(err, PX_NETWORK, "the client is closing");
    }
    px_curl.multi_wakeup(http->multi);
    *ret = self;
    return PX_OK;
}

/* The whole response, when no sink took it. */
static px_status copy_end(const transfer *self, char *text, px_arena *arena, px_http_response *ret, px_error *err)
{
    if (self->result != PX_OK)
        return px_fail(err, self->result, "%s", self->reason);
    char *body = px_arena_copy(arena, px_buffer_bytes(&self->body));
    if (!body || self->body.failed || self->head.failed)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a response of %zu bytes", self->body.count);
    copy_head(self, text, ret);
    ret->body = (px_bytes){ (const uint8_t *)body, self->body.count };
    return PX_OK;
}

static px_status run(px_http *http, const px_http_request *request, const px_http_sink *sink, px_arena *arena,
                     px_http_response *ret, px_error *err)
{
    transfer *self;
    char *text = px_new(arena, char, HEAD_BYTES_MAX + 1);
    px_http_response response = { .headers = px_new(arena, px_http_header, HEADERS_MAX) };
    if (!text || !response.headers)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a response");
    PX_TRY(enqueue(http, request, sink, false, 0, &self, err));
    pthread_mutex_lock(&http->lock);
    while (self->state == WAITING)
        pthread_cond_wait(&http->changed, &http->lock);
    px_status status = PX_OK;
    if (self->state == HEAD)
        copy_head(self, text, &response);
    else
        status = copy_end(self, text, arena, &response, err);
    self->detached = true;
    bool last = self->ended;
    pthread_mutex_unlock(&http->lock);
    if (last)
        transfer_destroy(self);
    if (status == PX_OK)
        *ret = response;
    return status;
}

px_status px_http_send(px_http *http, const px_http_request *request, px_arena *arena, px_http_response *ret, px_error *err)
{
    return run(http, request, NULL, arena, ret, err);
}

px_status px_http_stream(px_http *http, const px_http_request *request, const px_http_sink *sink, px_arena *arena,
                         px_http_response *ret, px_error *err)
{
    return run(http, request, sink, arena, ret, err);
}

px_status px_http_start(px_http *http, const px_http_request *request, const px_http_sink *sink, int delay_ms, px_error *err)
{
    transfer *self;
    return enqueue(http, request, sink, true, delay_ms, &self, err);
}

const char *px_http_header_find(const px_http_response *response, const char *name)
{
    for (int i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return "";
}
