/* serve: the whole pipeline on one machine.
 *
 * Starts from the bottom up: sandbox (before there are threads), log, folder, buckets, access key, server, workers; then
 * waits for a signal and takes it all down in the order that loses nothing: no new connections, running requests end,
 * running jobs end. What is left waits in the folder for the next start, so a second signal may end it at once.
 *
 * stdout carries the log; with --ephemeral exactly one line, for the program that started us, and the log goes to
 * stderr. What people should read at the start goes to stderr in both. */
#include "command/command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "command/drain.h"
#include "command/observe.h"
#include "local/local.h"
#include "pipeline/pipeline.h"
#include "server/server.h"

enum { DRAIN_S = 30, REQUESTS_MS = 10000 };

struct choices {
    bool ephemeral, behind_proxy, allow_plain_http;
};

/* Everything that runs, in the order it was started. */
struct service {
    px_config config;
    px_sandbox *sandbox;
    px_marks *marks;
    px_log *log;
    px_local *local;
    px_server *server;
    px_workers *workers;
    px_pipeline pipeline;
    px_access_key key;     /* the one to show */
    bool key_is_new;       /* its secret has not been shown before */
    char folder[PATH_MAX]; /* of --ephemeral, to be removed; "" otherwise */
};

/* ---- where to listen ---- */

/* The host of "HOST:PORT" or "[HOST]:PORT"; all of it if there is no port. */
static void host_of(const char *listen, char *host, size_t capacity)
{
    const char *colon = strrchr(listen, ':');
    size_t count = colon ? (size_t)(colon - listen) : strlen(listen);
    if (count >= 2 && listen[0] == '[' && listen[count - 1] == ']') {
        listen++;
        count -= 2;
    }
    snprintf(host, capacity, "%.*s", (int)count, listen);
}

static bool is_loopback(const char *listen)
{
    char host[256];
    struct in_addr v4;
    struct in6_addr v6;
    host_of(listen, host, sizeof host);
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(host, "localhost") == 0;
}

/* Secrets and pictures would cross the network readable: that has to be somebody's decision. */
static px_status check_listen(const char *listen, const struct choices *choices, px_error *err)
{
    if (is_loopback(listen) || choices->behind_proxy || choices->allow_plain_http)
        return PX_OK;
    return px_fail(err, PX_BAD_CONFIG,
                   "will not listen on %s: the endpoint speaks plain HTTP, and beyond this machine everybody on the way "
                   "could read the pictures. Say --behind-proxy if a proxy adds TLS in front of it, or --allow-plain-http",
                   listen);
}

/* "http://HOST:PORT" as a client on this machine would use it. */
static void format_endpoint(const char *address, char *text, size_t capacity)
{
    char host[256];
    host_of(address, host, sizeof host);
    const char *port = strrchr(address, ':');
    if (!strcmp(host, "0.0.0.0"))
        snprintf(text, capacity, "http://127.0.0.1%s", port ? port : "");
    else if (!strcmp(host, "::"))
        snprintf(text, capacity, "http://[::1]%s", port ? port : "");
    else
        snprintf(text, capacity, "http://%s", address);
}

/* ---- the temporary folder ---- */

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind, (void)where;
    remove(path);
    return 0;
}

static px_status make_temporary(struct service *service, px_error *err)
{
    const char *parent = getenv("TMPDIR");
    char path[PATH_MAX];
    int count = snprintf(path, sizeof path, "%s/pixmill-XXXXXX", parent && *parent ? parent : "/tmp");
    if (count < 0 || (size_t)count >= sizeof path)
        return px_fail(err, PX_BAD_CONFIG, "TMPDIR is too long");
    if (!mkdtemp(path))
        return px_fail_errno(err, errno, "cannot make a temporary folder %s", path);
    memcpy(service->folder, path, sizeof path);
    return PX_OK;
}

/* ---- start ---- */

static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* if not, the present limit serves */
    }
}

static px_status open_log(struct service *service, const struct choices *choices, px_error *err)
{
    const px_config *config = &service->config;
    char path[PATH_MAX];
    int count = snprintf(path, sizeof path, "%s/log", config->data);
    if (count < 0 || (size_t)count + sizeof "/pixmill.jsonl" > sizeof path)
        return px_fail(err, PX_BAD_CONFIG, "the data folder's name is too long");
    PX_TRY(px_folder_make(path, err));
    strcat(path, "/pixmill.jsonl");
    px_log_options options = {
        .text = config->log_text, .level = config->log_level, .fd = choices->ephemeral ? 2 : 1, .path = path,
    };
    return px_log_create(&options, &service->log, err);
}

static px_status ensure_bucket(px_local *local, const char *name, px_error *err)
{
    px_status status = px_local_bucket_create(local, name, err);
    return status == PX_ALREADY_EXISTS ? PX_OK : status;
}

/* The key of the environment is put at each start; without one the first start makes one. */
static px_status ensure_key(struct service *service, px_error *err)
{
    const char *id = getenv("PIXMILL_ACCESS_KEY_ID"), *secret = getenv("PIXMILL_SECRET_ACCESS_KEY");
    bool has_id = id && *id, has_secret = secret && *secret;
    px_access_key key = { .enabled = true, .created_ms = px_now_ms() };
    if (has_id != has_secret)
        return px_fail(err, PX_BAD_CONFIG, "%s is set but %s is not: both or neither",
                       has_id ? "PIXMILL_ACCESS_KEY_ID" : "PIXMILL_SECRET_ACCESS_KEY",
                       has_id ? "PIXMILL_SECRET_ACCESS_KEY" : "PIXMILL_ACCESS_KEY_ID");
    if (has_id) {
        if (strlen(id) >= sizeof key.id || strlen(secret) >= sizeof key.secret)
            return px_fail(err, PX_BAD_CONFIG, "PIXMILL_ACCESS_KEY_ID or PIXMILL_SECRET_ACCESS_KEY is longer than 128 characters");
        strcpy(key.id, id);
        strcpy(key.secret, secret);
        service->key = key;
        return px_local_key_put(service->local, &key, err);
    }

    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_access_key *keys = NULL;
    int count = 0;
    PX_TRY(px_arena_open(64u << 20, &arena, err));
    PX_TRY(px_local_key_list(service->local, &arena, &keys, &count, err));
    if (count == 0) {
        px_access_key_generate(&key);
        key.enabled = true;
        PX_TRY(px_local_key_put(service->local, &key, err));
        service->key = key;
        service->key_is_new = true;
        return PX_OK;
    }
    for (int i = count - 1; i >= 0; i--) /* the last one that is enabled is the first one */
        if (keys[i].enabled)
            service->key = keys[i];
    return PX_OK;
}

static px_status start(struct service *service, const struct choices *choices, px_error *err)
{
    const px_config *config = &service->config;
    PX_TRY(open_log(service, choices, err));
    px_local_options local = {
        .folder = config->data, .region = config->region,
        .source = config->source, .source_prefix = config->source_prefix,
    };
    PX_TRY(px_local_open(&local, &service->local, err));
    PX_TRY(ensure_bucket(service->local, config->source, err));
    PX_TRY(ensure_bucket(service->local, config->destination, err));
    PX_TRY(ensure_key(service, err));
    PX_TRY(px_marks_open(&service->marks, err));

    px_server_options server = { .listen = config->listen, .region = config->region, .config = config, .version = PX_VERSION };
    PX_TRY(px_server_open(&server, service->local, service->log, &service->server, err));
    service->pipeline = (px_pipeline){
        .config = config,
        .store = px_local_store(service->local),
        .table = px_local_table(service->local),
        .queue = px_local_queue(service->local),
        .sandbox = service->sandbox,
        .marks = service->marks,
        .log = service->log,
    };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int count = config->workers > 0 ? config->workers : cores > 0 ? (int)cores : 1;
    px_log_write(service->log, PX_INFO, NULL, "listening",
                 json_pack("{s:s, s:s, s:s, s:s, s:i}", "address", px_server_address(service->server), "data", config->data,
                           "source", config->source, "destination", config->destination, "workers", count));
    /* Only now: jobs of before the last stop write to the log at once, and this line is the first. */
    PX_TRY(px_workers_start(&service->pipeline, count, &service->workers, err));
    return PX_OK;
}

/* ---- what is said at the start ---- */

static void print_ready(const struct service *service)
{
    const char *address = px_server_address(service->server);
    char endpoint[300];
    format_endpoint(address, endpoint, sizeof endpoint);
    json_t *line = json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ready", 1, "address", address, "endpoint",
                             endpoint, "accessKeyId", service->key.id, "secretAccessKey", service->key.secret,
                             "region", service->config.region, "sourceBucket", service->config.source,
                             "destinationBucket", service->config.destination, "data", service->config.data);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static void print_hints(const struct service *service)
{
    const px_config *config = &service->config;
    char endpoint[300];
    format_endpoint(px_server_address(service->server), endpoint, sizeof endpoint);
    fprintf(stderr, "pixmill listens on %s; its data folder is %s\n", endpoint, config->data);
    if (!service->key.id[0])
        fprintf(stderr, "Every access key is disabled: `pixmill keys add` makes a new one.\n");
    else if (service->key_is_new)
        fprintf(stderr, "This access key was made just now; its secret is not shown again:\n\n");
    else
        fprintf(stderr, "The secret of this key was shown at the first start; `pixmill keys add` makes another:\n\n");
    fprintf(stderr, "  export AWS_ENDPOINT_URL=%s AWS_DEFAULT_REGION=%s\n", endpoint, config->region);
    if (service->key.id[0])
        fprintf(stderr, "  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s\n", service->key.id,
                service->key_is_new ? service->key.secret : "...");
    fprintf(stderr, "  aws s3 cp photo.jpg s3://%s/%s\n  aws s3 ls s3://%s/%s\n\n", config->source, config->source_prefix,
            config->destination, config->destination_prefix);
}

/* ---- stop ---- */

static void service_done(struct service *service)
{
    px_server_close(service->server, REQUESTS_MS);
    px_workers_stop(service->workers);
    px_local_close(service->local);
    px_sandbox_close(service->sandbox);
    px_marks_close(service->marks);
    px_log_destroy(service->log);
    if (service->folder[0])
        nftw(service->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static px_status serve(struct service *service, const struct choices *choices, px_error *err)
{
    PX_TRY(check_listen(service->config.listen, choices, err));
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    PX_TRY(px_sandbox_open(&service->sandbox, err)); /* before there are threads, and with no signal blocked */

    px_drain_prepare();
    px_status status = start(service, choices, err);
    if (status == PX_OK) {
        if (choices->ephemeral)
            print_ready(service);
        else
            print_hints(service);
        px_drain_wait(service->log);
    }
    px_drain_begin(DRAIN_S, "pixmill: running jobs did not end within 30 s; they start again at the next start\n");
    px_server_close(service->server, REQUESTS_MS);
    service->server = NULL;
    px_workers_stop(service->workers);
    service->workers = NULL;
    if (status == PX_OK)
        px_log_write(service->log, PX_INFO, NULL, "stopped", NULL);
    return status;
}

/* Everything up to a running service; what fails here is told on one line. */
static px_status prepare(struct service *service, const struct choices *choices, const px_options *options,
                         px_arena *arena, px_error *err)
{
    px_setting extra[2];
    int count = 0;
    if (choices->ephemeral && px_option_is_on(options, "data"))
        return px_fail(err, PX_BAD_REQUEST, "--ephemeral makes its own data folder: leave out --data");
    if (choices->ephemeral) {
        PX_TRY(make_temporary(service, err));
        extra[count++] = (px_setting){ "data", service->folder };
        if (!px_option_is_on(options, "listen"))
            extra[count++] = (px_setting){ "listen", "127.0.0.1:0" };
    }
    return px_command_config(options, extra, count, arena, &service->config, err);
}

static int run(const px_options *options)
{
    struct choices choices = {
        .ephemeral = px_option_is_on(options, "ephemeral"),
        .behind_proxy = px_option_is_on(options, "behind-proxy"),
        .allow_plain_http = px_option_is_on(options, "allow-plain-http"),
    };
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    PX_AUTO(service_done) struct service service = { 0 };
    px_error err = { 0 };
    px_status status = px_arena_open(16u << 20, &arena, &err);
    if (status == PX_OK)
        status = prepare(&service, &choices, options, &arena, &err);
    if (status == PX_OK)
        status = serve(&service, &choices, &err);
    return status == PX_OK ? PX_EXIT_OK : px_options_fail(options, status, &err);
}

static const px_flag flags[] = {
    { "listen", 'l', "ADDRESS:PORT", "where to listen; port 0 takes a free one (127.0.0.1:9000)", "listen" },
    PX_FLAG_DATA,
    PX_FLAG_CONFIG,
    { "ephemeral", 0, NULL, "a temporary data folder, a free port, and one line of JSON on stdout when ready", NULL },
    { "behind-proxy", 0, NULL, "listen beyond this machine: a proxy in front adds TLS", NULL },
    { "allow-plain-http", 0, NULL, "listen beyond this machine although nothing is encrypted", NULL },
    { "log-format", 0, "FORMAT", "json or text", "log_format" },
    { "width", 'w', "PIXELS", "width of outputs", "width" },
    { "height", 0, "PIXELS", "height of outputs", "height" },
    { "fit", 0, "FIT", "inside, cover, contain, fill or outside, when both are given", "fit" },
    { "format", 'f', "FORMAT", "format of outputs, such as jpeg, webp, keep or auto", "format" },
    { "quality", 'q', "NUMBER", "1 to 100, or auto", "quality" },
    { "name", 0, "TEMPLATE", "name of outputs, such as {dir}processed-{stem}.jpg", "name" },
    { NULL, 0, NULL, NULL, NULL },
};

const px_command px_command_serve = {
    .name = "serve", .arguments = "", .summary = "Run the whole pipeline on this machine: S3 endpoint, queue, workers, records",
    .flags = flags, .run = run,
};
