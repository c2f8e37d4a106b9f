/* The zygote forks one child per picture and reports how it ended.
 *
 * It has one thread, holds no secret and reads no picture. Its loop waits for a request or for the death of a child,
 * nothing else. The child moves its descriptors to a place of their own, closes all others, confines itself, and
 * only then looks at the picture. It answers on a pipe and is gone; when the zygote dies, the kernel ends it. */
#include "sandbox/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_MAX = 256 };

typedef struct zygote {
    int socket, deaths; /* the service; a signalfd of SIGCHLD */
    px_transform_function transform;
    pid_t pid;
    struct {
        pid_t pid;
        int fd; /* owned: the job's socket */
    } jobs[JOBS_MAX];
    int job_count;
} zygote;

typedef struct request {
    px_sandbox_request body;
    int fds[PX_REQUEST_FDS_MAX]; /* job, result, source, [state], outputs, attachments */
    int fd_count;
} request;

static uint64_t address_space_bytes(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file) {
        if (fscanf(file, "%lu", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : (uint64_t)64 << 20;
}

/* ---- the child ---- */

static void limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit old;
    if (getrlimit((__rlimit_resource_t)resource, &old) != 0)
        _exit(PX_CHILD_SETUP_FAILED);
    struct rlimit new = { soft < old.rlim_max ? soft : old.rlim_max, hard < old.rlim_max ? hard : old.rlim_max };
    if (setrlimit((__rlimit_resource_t)resource, &new) != 0)
        _exit(PX_CHILD_SETUP_FAILED);
}

/* The last thing before the picture is looked at: from here on the process can do little but compute.
 * Here belong the seccomp filter and Landlock. */
static void confine(const px_limits *limits)
{
    uint64_t own_bytes = address_space_bytes(); /* with the libraries that this picture needs */
    uint64_t file_bytes = limits->pixels * 4 + ((uint64_t)64 << 20); /* a PNG that does not compress */
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_CPU, limits->seconds, (uint64_t)limits->seconds + 1);
    limit(RLIMIT_FSIZE, file_bytes, file_bytes);
    if (!PX_SANITIZED) { /* a sanitizer's shadow is terabytes, and its report opens files */
        limit(RLIMIT_AS, own_bytes + limits->memory_bytes, own_bytes + limits->memory_bytes);
        limit(RLIMIT_NOFILE, 0, 0);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(PX_CHILD_SETUP_FAILED);
}

static void close_range_of(unsigned first, unsigned last)
{
    if (syscall(SYS_close_range, first, last, 0) == 0)
        return;
    struct rlimit files = { 0 }; /* kernels before 5.9 */
    getrlimit(RLIMIT_NOFILE, &files);
    for (unsigned fd = first; fd <= last && fd < files.rlim_cur && fd < 65536; fd++)
        close((int)fd);
}

/* Moves the descriptors of `from` above all that are open, to the number returned and up, and closes all others. */
static int keep_only(const int *from, int count)
{
    int first = 100;
    for (int i = 0; i < count; i++)
        first = from[i] >= first ? from[i] + 1 : first;
    for (int i = 0; i < count; i++)
        if (dup3(from[i], first + i, O_CLOEXEC) < 0)
            _exit(PX_CHILD_SETUP_FAILED);
    close_range_of(PX_SANITIZED ? 3 : 0, (unsigned)first - 1);
    close_range_of((unsigned)(first + count), ~0u);
    return first;
}

/* The specs, with the child's own descriptors for what is attached, the first of which is `first`. */
static void take_attachments(const px_sandbox_request *body, int first, px_output_spec *specs)
{
    memcpy(specs, body->specs, sizeof body->specs);
    for (int i = 0; i < body->count; i++) {
        px_mark_spec *mark = &specs[i].mark;
        mark->image = mark->image ? first + mark->image - 1 : 0;
        mark->font = mark->font ? first + mark->font - 1 : 0;
    }
}

_Noreturn static void run_child(const zygote *self, const request *asked)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self->pid) /* the zygote died before the line above */
        _exit(PX_CHILD_SETUP_FAILED);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    int next = keep_only(asked->fds + 1, asked->fd_count - 1); /* not the job's socket: the zygote's voice */
    const px_sandbox_request *body = &asked->body;
    int result_fd = next++;
    int source_fd = next++;
    int state_fd = body->has_state ? next++ : -1;
    int outputs[PX_LIMIT_OUTPUTS];
    for (int i = 0; i < body->count; i++)
        outputs[i] = next++;
    px_output_spec specs[PX_LIMIT_OUTPUTS];
    take_attachments(body, next, specs);

    px_sandbox_result result;
    memset(&result, 0, sizeof result);
    px_source source = PX_SOURCE_NONE;
    px_status status = px_source_join(source_fd, state_fd, &source, &result.error);
    if (status == PX_OK) {
        px_transform_prepare(&source, specs, body->count);
        confine(&body->limits);
        status = self->transform(&source, &body->limits, specs, outputs, body->count, &result.report, &result.error);
    }
    result.status = (uint32_t)status;
    ssize_t written = write(result_fd, &result, sizeof result);
    _exit(written == (ssize_t)sizeof result ? 0 : PX_CHILD_SETUP_FAILED);
}

/* ---- the zygote ---- */

/* Says something on a job's socket, with a descriptor unless `fd` is -1. Nobody listening is no failure of ours. */
static void tell(int job, const px_sandbox_news *news, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = { (void *)news, sizeof *news };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.room;
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    while (sendmsg(job, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR)
        ;
}

/* Takes the next request off the socket; false: there is none that makes sense. *ret_over: the service hung up. */
static bool take_request(int socket, request *ret, bool *ret_over)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * PX_REQUEST_FDS_MAX)];
    } control;
    struct iovec part = { &ret->body, sizeof ret->body };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = sizeof control.room };
    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (got <= 0) {
        *ret_over = true;
        return false;
    }
    ret->fd_count = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head))
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            ret->fd_count = (int)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(ret->fds, CMSG_DATA(head), (size_t)ret->fd_count * sizeof(int));
        }
    bool whole = got == (ssize_t)sizeof ret->body && !(message.msg_flags & (MSG_CTRUNC | MSG_TRUNC));
    if (whole && ret->body.count >= 0 && ret->body.count <= PX_LIMIT_OUTPUTS &&
        ret->body.attached >= 0 && ret->body.attached <= PX_ATTACHMENTS_MAX &&
        ret->fd_count == 3 + (ret->body.has_state ? 1 : 0) + ret->body.count + ret->body.attached)
        return true;
    for (int i = 0; i < ret->fd_count; i++)
        close(ret->fds[i]);
    return false;
}

/* Loads what its recipes and the sources so far have used, so that every child finds it loaded. No picture is looked at. */
static void load_codecs(const px_sandbox_request *body)
{
    px_transform_prepare(NULL, body->specs, body->count);
    for (int f = PX_FORMAT_KEEP + 1; f < PX_FORMAT_COUNT; f++)
        if (body->formats >> f & 1)
            (void)!px_format_load((px_format)f, NULL);
}

static void start_job(zygote *self, const request *asked)
{
    load_codecs(&asked->body);
    int job = asked->fds[0];
    pid_t pid = fork();
    if (pid == 0)
        run_child(self, asked);

    for (int i = 1; i < asked->fd_count; i++)
        close(asked->fds[i]);
    px_sandbox_news news = { .kind = pid < 0 ? PX_NEWS_NOT_STARTED : PX_NEWS_STARTED, .pid = pid, .number = errno };
    int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
    tell(job, &news, pidfd);
    if (pidfd >= 0)
        close(pidfd);
    if (pid < 0) {
        close(job);
        return;
    }
    self->jobs[self->job_count].pid = pid;
    self->jobs[self->job_count++].fd = job;
}

static int64_t microseconds(struct timeval time) { return (int64_t)time.tv_sec * 1000000 + time.tv_usec; }

static void reap(zygote *self)
{
    struct signalfd_siginfo about;
    while (read(self->deaths, &about, sizeof about) > 0)
        ;
    int status;
    struct rusage used;
    for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &used)) > 0;) {
        int i = 0;
        while (i < self->job_count && self->jobs[i].pid != pid)
            i++;
        if (i == self->job_count)
            continue;
        px_sandbox_news news = { .kind = PX_NEWS_ENDED, .pid = pid, .number = status,
                                 .cpu_us = microseconds(used.ru_utime) + microseconds(used.ru_stime),
                                 .peak_bytes = (uint64_t)used.ru_maxrss * 1024 };
        tell(self->jobs[i].fd, &news, -1);
        close(self->jobs[i].fd);
        self->jobs[i] = self->jobs[--self->job_count];
    }
}

int px_zygote_serve(int socket, px_transform_function transform)
{
    static zygote self;
    static request asked;
    self = (zygote){ .socket = socket, .transform = transform, .pid = getpid() };
    sigset_t deaths;
    sigemptyset(&deaths);
    sigaddset(&deaths, SIGCHLD);
    sigprocmask(SIG_SETMASK, &deaths, NULL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    self.deaths = signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK);
    if (self.deaths < 0)
        return 1;

    for (bool over = false; !over;) {
        struct pollfd waits[2] = { { self.deaths, POLLIN, 0 },
                                   { self.job_count < JOBS_MAX ? self.socket : -1, POLLIN, 0 } };
        if (poll(waits, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (waits[0].revents)
            reap(&self);
        if (waits[1].revents && take_request(self.socket, &asked, &over))
            start_job(&self, &asked);
    }
    return 0;
}

int px_zygote_main(void) { return px_zygote_serve(PX_ZYGOTE_SOCKET, px_transform); }
