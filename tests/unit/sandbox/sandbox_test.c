/* A picture costs its own job and nothing else.
 *
 * This program is its own zygote: started with PX_ZYGOTE_ARGUMENT it serves a transform that copies its source, and
 * misbehaves in the way that the source names. */
#include "../test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "sandbox/protocol.h"

/* What the child may still spend, and what it has open: the answer is a failure that names the first thing amiss. */
static px_status look_at_limits(px_error *err)
{
    static const struct {
        int resource;
        rlim_t most;
        const char *name;
    } limits[] = { { RLIMIT_CPU, 30, "CPU time" }, { RLIMIT_FSIZE, (rlim_t)4 << 30, "file size" }, { RLIMIT_CORE, 0, "core" } };
    struct rlimit limit;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) != 0 || limit.rlim_cur > limits[i].most)
            return px_fail(err, PX_INTERNAL, "no limit on %s", limits[i].name);
    int open_fds = 0;
    for (int fd = 0; fd < 1024; fd++)
        open_fds += fcntl(fd, F_GETFD) >= 0;
    /* the source and its state, one output, the pipe of the answer; with a sanitizer, the standard three */
    return open_fds <= 4 + 3 * PX_SANITIZED ? PX_OK : px_fail(err, PX_INTERNAL, "%d descriptors are open", open_fds);
}

static px_status misbehave(const px_source *source, const char *how, int output, px_transform_report *report, px_error *err)
{
    if (strcmp(how, "crash") == 0)
        raise(SIGSEGV);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "exit") == 0)
        _exit(0);
    if (strcmp(how, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(how, "spin") == 0)
        for (volatile unsigned i = 0;; i = i + 1)
            ;
    if (strcmp(how, "memory") == 0) {
        for (int i = 0; i < 64; i++) { /* 4 GiB that are kept */
            void *block = mmap(NULL, (size_t)64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (block == MAP_FAILED)
                return px_fail(err, PX_OUT_OF_MEMORY, "no memory after %d blocks", i);
        }
    }
    if (strcmp(how, "bytes") == 0)
        return ftruncate(output, (off_t)1 << 40) == 0 ? PX_OK : PX_DISK_FULL;
    if (strcmp(how, "limits") == 0)
        return look_at_limits(err);
    if (strcmp(how, "open") == 0)
        return open("/etc/passwd", O_RDONLY) < 0 ? px_fail(err, PX_ACCESS_DENIED, "refused") : PX_OK;
    if (strcmp(how, "shrink") == 0) /* would be a SIGBUS for the service */
        return ftruncate(source->state_fd, 0) != 0 ? px_fail(err, PX_ACCESS_DENIED, "refused") : PX_OK;
    if (strcmp(how, "lie") == 0)
        report->output_count = 1 << 30;
    if (strcmp(how, "shout") == 0) /* no end, and codes of a terminal */
        memset(report->outputs[0].reason, '\x1b', sizeof report->outputs[0].reason);
    if (strcmp(how, "refuse") == 0)
        return px_fail(err, PX_CORRUPT_IMAGE, "not a picture\x1b[31m");
    return PX_OK;
}

/* What is attached to an output, behind what was copied into it: picture, then font. */
static px_status copy_attached(const px_mark_spec *mark, int output, px_error *err)
{
    const int fds[2] = { mark->image, mark->font };
    for (int i = 0; i < 2; i++) {
        char text[32];
        size_t got = 0;
        if (fds[i])
            PX_TRY(px_pread_all(fds[i], text, sizeof text, 0, &got, "attachment", err));
        PX_TRY(px_write_all(output, text, got, "output", err));
    }
    return PX_OK;
}

static px_status copy(const px_source *source, const px_limits *limits, const px_output_spec *specs,
                      const int *output_fds, int count, px_transform_report *ret, px_error *err)
{
    (void)limits;
    char text[64] = { 0 };
    size_t got = 0;
    PX_TRY(px_source_read_at(source, 0, text, sizeof text - 1, &got, err));
    px_transform_report report = { .format = PX_FORMAT_PNG, .width = 3, .height = 2, .orientation = 1,
                                   .output_count = count };
    for (int i = 0; i < count; i++) {
        PX_TRY(px_write_all(output_fds[i], text, got, "output", err));
        PX_TRY(copy_attached(&specs[i].mark, output_fds[i], err));
        report.outputs[i] = (px_output_report){ .format = PX_FORMAT_JPEG, .width = specs[i].width, .height = 1, .bytes = 99,
                                                 .quality = 80, .frames = 1 };
    }
    PX_TRY(misbehave(source, text, output_fds[0], &report, err));
    *ret = report;
    return PX_OK;
}

/* One picture through the sandbox; what was written comes back in `written`. */
static px_status run(px_sandbox *sandbox, const char *text, uint32_t seconds, char written[64],
                     px_transform_report *ret, px_error *err)
{
    PX_AUTO(px_source_close) px_source source = PX_SOURCE_NONE;
    PX_TRY(px_source_create(&source, err));
    PX_TRY(px_source_push(&source, text, strlen(text), err));
    px_source_finish(&source);
    PX_AUTO(px_fd_close) int output = memfd_create("output", MFD_CLOEXEC);
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.seconds = seconds;
    limits.memory_bytes = (uint64_t)256 << 20;
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    px_sandbox_task task = { &source, &limits, &spec, &output, 1 };
    px_sandbox_usage usage = { 0 };
    PX_TRY(px_sandbox_run(sandbox, &task, ret, &usage, err));
    assert_true(usage.wall_us > 0 && usage.peak_bytes > 0);
    size_t got = 0;
    PX_TRY(px_pread_all(output, written, 63, 0, &got, "output", err));
    written[got] = '\0';
    return PX_OK;
}

static px_sandbox *opened(void)
{
    px_sandbox *sandbox = NULL;
    px_error err = { 0 };
    assert_ok(px_sandbox_open(&sandbox, &err));
    return sandbox;
}

static void check_works(px_sandbox *sandbox)
{
    px_error err = { 0 };
    px_transform_report report;
    char written[64];
    assert_ok(run(sandbox, "picture", 5, written, &report, &err));
    assert_string_equal(written, "picture");
    assert_int_equal(report.outputs[0].width, 800);
    assert_int_equal(report.outputs[0].bytes, 7); /* from the file, not from the child */
}

static void a_picture_comes_through(void **state)
{
    (void)state;
    px_sandbox *sandbox = opened();
    check_works(sandbox);
    px_sandbox_close(sandbox);
}

/* Each way to misbehave has its code, and the next picture works. */
static void misbehaviour_costs_one_job_and_has_a_code(void **state)
{
    (void)state;
    static const struct {
        const char *how;
        px_status status;
        bool needs_limits; /* which sanitizer builds do not set */
    } cases[] = {
        { "crash", PX_DECODER_CRASHED, false },  { "abort", PX_DECODER_CRASHED, false },
        { "exit", PX_DECODER_CRASHED, false },   { "lie", PX_DECODER_CRASHED, false },
        { "hang", PX_OUT_OF_TIME, false },       { "spin", PX_OUT_OF_TIME, false },
        { "memory", PX_OUT_OF_MEMORY, true },    { "bytes", PX_TOO_MANY_BYTES, false },
        { "open", PX_ACCESS_DENIED, true },      { "shrink", PX_ACCESS_DENIED, false },
        { "refuse", PX_CORRUPT_IMAGE, false },
    };
    px_sandbox *sandbox = opened();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (PX_SANITIZED && (cases[i].needs_limits || i == 0))
            continue;
        px_error err = { 0 };
        px_transform_report report;
        char written[64];
        px_status status = run(sandbox, cases[i].how, 1, written, &report, &err);
        if (status != cases[i].status)
            fail_msg("%s: %s (%s)", cases[i].how, px_status_code(status), err.message);
        assert_null(strchr(err.message, '\x1b')); /* no terminal codes from a stranger */
        check_works(sandbox);
    }
    px_sandbox_close(sandbox);
}

static void a_reason_is_a_text_whatever_the_child_says(void **state)
{
    (void)state;
    px_sandbox *sandbox = opened();
    px_transform_report report;
    px_error err = { 0 };
    char written[64];
    assert_ok(run(sandbox, "shout", 1, written, &report, &err));
    assert_int_equal(strlen(report.outputs[0].reason), PX_REASON_BYTES - 1);
    assert_int_equal(strspn(report.outputs[0].reason, "?"), PX_REASON_BYTES - 1);
    px_sandbox_close(sandbox);
}

static void *run_many(void *sandbox)
{
    for (int i = 0; i < 20; i++)
        check_works(sandbox);
    return NULL;
}

static void sixteen_threads_at_once(void **state)
{
    (void)state;
    px_sandbox *sandbox = opened();
    pthread_t threads[16];
    for (int i = 0; i < 16; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, sandbox), 0);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    px_sandbox_close(sandbox);
}

/* The pids of our children that run, at most `most`. */
static int children(pid_t *pids, int most)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "r");
    int count = 0;
    if (!file)
        return 0;
    for (int pid; count < most && fscanf(file, "%d", &pid) == 1;)
        pids[count++] = pid;
    fclose(file);
    return count;
}

static void a_killed_zygote_is_started_again(void **state)
{
    (void)state;
    px_sandbox *sandbox = opened();
    check_works(sandbox);
    pid_t zygote = 0;
    if (children(&zygote, 1) == 1) {
        kill(zygote, SIGKILL);
        check_works(sandbox);
        check_works(sandbox);
    }
    px_sandbox_close(sandbox);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left, dead or alive */
}

static void a_source_that_grows_is_read_to_its_end(void **state)
{
    (void)state;
    px_error err = { 0 };
    px_sandbox *sandbox = opened();
    PX_AUTO(px_source_close) px_source source = PX_SOURCE_NONE;
    assert_ok(px_source_create(&source, &err));
    pid_t sender = fork();
    if (sender == 0) {
        usleep(50000);
        _exit(px_source_push(&source, "later", 5, NULL) == PX_OK ? (px_source_finish(&source), 0) : 1);
    }
    PX_AUTO(px_fd_close) int output = memfd_create("output", MFD_CLOEXEC);
    px_limits limits = PX_LIMITS_DEFAULT;
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    px_sandbox_task task = { &source, &limits, &spec, &output, 1 };
    px_transform_report report;
    assert_ok(px_sandbox_run(sandbox, &task, &report, NULL, &err));
    assert_int_equal(report.outputs[0].bytes, 5);
    waitpid(sender, NULL, 0);
    px_sandbox_close(sandbox);
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count;
}

static void nothing_stays_open(void **state)
{
    (void)state;
    int before = open_descriptors();
    px_sandbox *sandbox = opened();
    int running = open_descriptors();
    for (int i = 0; i < 5; i++)
        check_works(sandbox);
    px_error err = { 0 };
    px_transform_report report;
    char written[64];
    assert_status(run(sandbox, "abort", 1, written, &report, &err), PX_DECODER_CRASHED);
    assert_status(run(sandbox, "hang", 1, written, &report, &err), PX_OUT_OF_TIME);
    assert_int_equal(open_descriptors(), running);
    px_sandbox_close(sandbox);
    assert_int_equal(open_descriptors(), before);
}

static void a_child_has_limits_and_nothing_open_but_its_own(void **state)
{
    (void)state;
    px_error err = { 0 };
    px_transform_report report;
    char written[64];
    int strangers[20]; /* of the service, which must not be inherited */
    for (int i = 0; i < 20; i++)
        strangers[i] = open("/dev/null", O_RDONLY);
    px_sandbox *sandbox = opened();
    assert_ok(run(sandbox, "limits", 5, written, &report, &err));
    px_sandbox_close(sandbox);
    for (int i = 0; i < 20; i++)
        close(strangers[i]);
}

static int file_of(const char *text)
{
    int fd = memfd_create("attached", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static void what_outputs_have_attached_is_there_in_the_child(void **state)
{
    (void)state;
    enum { COUNT = PX_LIMIT_OUTPUTS };
    px_sandbox *sandbox = opened();
    px_source source;
    assert_int_equal(px_source_create(&source, NULL), PX_OK);
    assert_int_equal(px_source_push(&source, "a ", 2, NULL), PX_OK);
    px_source_finish(&source);
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.seconds = 5;
    px_output_spec specs[COUNT];
    int outputs[COUNT], logo = file_of("logo"), fonts[COUNT];
    for (int i = 0; i < COUNT; i++) { /* the first has nothing, the others share a picture, all but two have a font of their own */
        char name[16];
        snprintf(name, sizeof name, " font %d", i);
        specs[i] = PX_OUTPUT_SPEC_DEFAULT;
        outputs[i] = file_of("");
        fonts[i] = file_of(name);
        specs[i].mark.image = i > 0 ? logo : 0;
        specs[i].mark.font = i > 1 ? fonts[i] : 0;
    }
    px_sandbox_task task = { &source, &limits, specs, outputs, COUNT };
    px_transform_report report;
    px_error err = { "" };
    assert_ok(px_sandbox_run(sandbox, &task, &report, NULL, &err));
    for (int i = 0; i < COUNT; i++) {
        char written[64] = { 0 }, wanted[64];
        size_t got;
        assert_int_equal(px_pread_all(outputs[i], written, 63, 0, &got, "output", NULL), PX_OK);
        snprintf(wanted, sizeof wanted, i > 1 ? "a logo font %d" : i > 0 ? "a logo" : "a ", i);
        assert_string_equal(written, wanted);
        close(outputs[i]);
        close(fonts[i]);
    }
    close(logo);
    px_source_close(&source);
    px_sandbox_close(sandbox);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], PX_ZYGOTE_ARGUMENT) == 0)
        return px_zygote_serve(PX_ZYGOTE_SOCKET, copy);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_comes_through),
        cmocka_unit_test(misbehaviour_costs_one_job_and_has_a_code),
        cmocka_unit_test(a_child_has_limits_and_nothing_open_but_its_own),
        cmocka_unit_test(what_outputs_have_attached_is_there_in_the_child),
        cmocka_unit_test(a_reason_is_a_text_whatever_the_child_says),
        cmocka_unit_test(sixteen_threads_at_once),
        cmocka_unit_test(a_killed_zygote_is_started_again),
        cmocka_unit_test(a_source_that_grows_is_read_to_its_end),
        cmocka_unit_test(nothing_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
