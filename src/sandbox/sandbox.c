/* The service's side: one zygote for all threads, one socket and one pipe per job.
 *
 * The thread that runs a job listens on the job's socket, where only the zygote speaks, and kills the child through
 * its pidfd when wall time is over. The child's own answer is read when the child is gone, and believed in nothing:
 * numbers are checked, sizes come from the files. A socket that closes without `ended` says that the zygote died: it
 * is started again, and the job gets a second try. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "sandbox/protocol.h"

static const int64_t grace_us = 5000000; /* for a killed child to be reaped; then the zygote hangs */

struct px_sandbox {
    pthread_mutex_t lock;
    int socket;            /* owned; -1 when there is no zygote */
    pid_t zygote;
    unsigned generation;   /* of the zygote: counts starts */
    _Atomic uint32_t formats; /* that sources had so far, a bit each */
};

typedef struct job {
    int socket;  /* owned: news of the zygote */
    int result;  /* owned: the child's pipe */
    int pidfd;   /* owned, or -1 */
    pid_t pid;
    bool killed; /* by us: out of time */
} job;

static void job_close(job *self)
{
    px_fd_close(&self->socket);
    px_fd_close(&self->result);
    px_fd_close(&self->pidfd);
}

/* ---- the zygote's life ---- */

/* Between fork and exec of a program with threads: only calls that are safe in a signal handler. */
_Noreturn static void become_zygote(int socket)
{
    char *arguments[] = { (char *)"pixmill", (char *)PX_ZYGOTE_ARGUMENT, NULL };
    char *environment[] = { NULL };
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid(); /* an interrupt from the terminal is the service's to handle */

    int kept = fcntl(socket, F_DUPFD, 10); /* out of the way of 0 to 3 */
    int nothing = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < (PX_SANITIZED ? 2 : 3); fd++)
        if (dup2(nothing, fd) < 0)
            _exit(127);
    if (dup2(kept, PX_ZYGOTE_SOCKET) < 0)
        _exit(127);
    if (syscall(SYS_close_range, PX_ZYGOTE_SOCKET + 1u, ~0u, 0) != 0)
        for (int fd = PX_ZYGOTE_SOCKET + 1; fd < 65536; fd++)
            close(fd);
    execve("/proc/self/exe", arguments, environment);
    _exit(127);
}

static px_status start_zygote(px_sandbox *self, px_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return px_fail_errno(err, errno, "cannot make a socket for the sandbox");
    PX_AUTO(px_fd_close) int ours = pair[0];
    PX_AUTO(px_fd_close) int theirs = pair[1];
    pid_t pid = fork();
    if (pid == 0)
        become_zygote(theirs);
    if (pid < 0)
        return px_fail_errno(err, errno, "cannot start the sandbox");
    self->zygote = pid;
    self->socket = ours;
    self->generation++;
    ours = -1;
    return PX_OK;
}

static void end_zygote(px_sandbox *self, bool kill_it)
{
    px_fd_close(&self->socket);
    if (self->zygote > 0) {
        if (kill_it)
            kill(self->zygote, SIGKILL);
        while (waitpid(self->zygote, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    self->zygote = 0;
}

static uint64_t machine_share(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE), cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t least = (uint64_t)512 << 20;
    if (pages <= 0 || page <= 0 || cores <= 0)
        return least;
    uint64_t share = (uint64_t)pages * (uint64_t)page / 4 * 3 / (uint64_t)cores;
    return share > least ? share : least;
}

uint64_t px_sandbox_memory(const px_limits *limits) { return limits->memory_bytes ? limits->memory_bytes : machine_share(); }

px_status px_sandbox_open(px_sandbox **ret, px_error *err)
{
    px_sandbox *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the sandbox");
    pthread_mutex_init(&self->lock, NULL);
    self->socket = -1;
    px_status status = start_zygote(self, err);
    if (status != PX_OK) {
        px_sandbox_close(self);
        return status;
    }
    *ret = self;
    return PX_OK;
}

void px_sandbox_close(px_sandbox *self)
{
    if (!self)
        return;
    end_zygote(self, false);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* ---- one job ---- */

static bool send_request(int socket, const px_sandbox_request *body, const int *fds, int count)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int) * PX_REQUEST_FDS_MAX)];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = { (void *)body, sizeof *body };
    size_t bytes = (size_t)count * sizeof(int);
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                              .msg_controllen = CMSG_SPACE(bytes) };
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(&control.head), fds, bytes);
    ssize_t sent;
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof *body;
}

/* The place, from 1, of a descriptor among the attachments; 0 for none. Outputs share theirs. */
static int attach(int fd, int *attachments, int32_t *count)
{
    if (!fd)
        return 0;
    for (int i = 0; i < *count; i++)
        if (attachments[i] == fd)
            return i + 1;
    attachments[(*count)++] = fd;
    return *count;
}

static void attach_marks(px_sandbox_request *body, int *attachments)
{
    for (int i = 0; i < body->count; i++) {
        px_mark_spec *mark = &body->specs[i].mark;
        mark->image = attach(mark->image, attachments, &body->attached);
        mark->font = attach(mark->font, attachments, &body->attached);
    }
}

/* Hands the job to the zygote, starting one if there is none; *ret_sent is false if it turned out to be dead. */
static px_status submit(px_sandbox *self, const px_sandbox_task *task, job *ret, unsigned *ret_generation,
                        bool *ret_sent, px_error *err)
{
    px_sandbox_request body;
    memset(&body, 0, sizeof body);
    body.count = task->count;
    body.has_state = task->source->state_fd >= 0;
    body.formats = self->formats;
    body.limits = *task->limits;
    body.limits.memory_bytes = px_sandbox_memory(task->limits);
    if (body.limits.seconds == 0)
        body.limits.seconds = 1;
    memcpy(body.specs, task->specs, (size_t)task->count * sizeof *task->specs);

    int pair[2], ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return px_fail_errno(err, errno, "cannot make a socket for a picture");
    ret->socket = pair[0];
    PX_AUTO(px_fd_close) int their_socket = pair[1];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return px_fail_errno(err, errno, "cannot make a pipe for a picture");
    ret->result = ends[0];
    PX_AUTO(px_fd_close) int their_result = ends[1];

    int fds[PX_REQUEST_FDS_MAX], count = 0;
    fds[count++] = their_socket;
    fds[count++] = their_result;
    fds[count++] = task->source->fd;
    if (body.has_state)
        fds[count++] = task->source->state_fd;
    for (int i = 0; i < task->count; i++)
        fds[count++] = task->output_fds[i];
    attach_marks(&body, fds + count);
    count += body.attached;

    pthread_mutex_lock(&self->lock);
    px_status status = self->socket >= 0 ? PX_OK : start_zygote(self, err);
    *ret_generation = self->generation;
    *ret_sent = status == PX_OK && send_request(self->socket, &body, fds, count);
    pthread_mutex_unlock(&self->lock);
    return status;
}

/* The next news of the zygote, by `deadline_us`: 1 if there is one, 0 if time ran out, -1 if the zygote is gone. */
static int hear(job *self, int64_t deadline_us, px_sandbox_news *ret)
{
    for (;;) {
        int64_t left_us = deadline_us - px_monotonic_us();
        struct pollfd wait = { self->socket, POLLIN, 0 };
        int ready = poll(&wait, 1, left_us <= 0 ? 0 : (int)(left_us / 1000 + 1));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0 && left_us > 0)
            continue;
        if (ready <= 0)
            return 0;

        union {
            struct cmsghdr head;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = { ret, sizeof *ret };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                                  .msg_controllen = sizeof control.room };
        ssize_t got = recvmsg(self->socket, &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof *ret)
            return -1;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        if (head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int)) && self->pidfd < 0)
            memcpy(&self->pidfd, CMSG_DATA(head), sizeof(int));
        return 1;
    }
}

static void kill_child(job *self)
{
    if (self->pidfd >= 0)
        syscall(SYS_pidfd_send_signal, self->pidfd, SIGKILL, NULL, 0);
    else if (self->pid > 0) /* kernels before 5.3; the zygote has not reaped it as far as we heard */
        kill(self->pid, SIGKILL);
}

/* Listens until the child has ended; false: the zygote is gone, or hangs. */
static bool await_end(job *self, int64_t deadline_us, px_sandbox_news *ret)
{
    for (;;) {
        int heard = hear(self, deadline_us, ret);
        if (heard < 0)
            return false;
        if (heard == 0) {
            if (self->killed || self->pid == 0)
                return false;
            kill_child(self);
            self->killed = true;
            deadline_us = px_monotonic_us() + grace_us;
        } else if (ret->kind == PX_NEWS_STARTED) {
            self->pid = ret->pid;
        } else {
            return true;
        }
    }
}

/* ---- the child's answer ---- */

static bool truth_of(const bool *flag)
{
    unsigned char byte; /* a bool that somebody else wrote may be neither */
    memcpy(&byte, flag, 1);
    return byte != 0;
}

static bool is_side(int side) { return side >= 1 && side <= 1 << 20; }
static bool is_format(px_format format) { return (unsigned)format > PX_FORMAT_KEEP && (unsigned)format < PX_FORMAT_COUNT; }

/* A text of the child's: ended, and of printable ASCII. */
static void clean_text(char *text, size_t capacity)
{
    text[capacity - 1] = '\0';
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

static bool check_report(const px_sandbox_task *task, px_transform_report *report)
{
    report->alpha = truth_of(&report->alpha);
    bool good = report->output_count == task->count && is_format(report->format) && is_side(report->width) &&
                is_side(report->height) && report->orientation >= 1 && report->orientation <= 8 && report->frames >= 0 &&
                report->thumbhash_bytes >= 0 && report->thumbhash_bytes <= (int)sizeof report->thumbhash;
    for (int i = 0; good && i < task->count; i++) {
        px_output_report *output = &report->outputs[i];
        struct stat about;
        output->passed_through = truth_of(&output->passed_through);
        clean_text(output->reason, sizeof output->reason);
        good = is_format(output->format) && is_side(output->width) && is_side(output->height) &&
               output->quality >= 0 && output->quality <= 100 && output->frames >= 0 && fstat(task->output_fds[i], &about) == 0 &&
               about.st_size > 0;
        if (good)
            output->bytes = (uint64_t)about.st_size;
    }
    return good;
}

static px_status judge_result(const job *self, const px_sandbox_task *task, px_transform_report *ret, px_error *err)
{
    px_sandbox_result result;
    ssize_t got = read(self->result, &result, sizeof result);
    result.error.message[sizeof result.error.message - 1] = '\0';
    if (got == (ssize_t)sizeof result && result.status != PX_OK && result.status < PX_STATUS_COUNT) {
        for (char *c = result.error.message; *c; c++)
            if ((unsigned char)*c < ' ' || *c == 0x7f)
                *c = '?';
        return px_fail(err, (px_status)result.status, "%s",
                       result.error.message[0] ? result.error.message : px_status_meaning((px_status)result.status));
    }
    if (got != (ssize_t)sizeof result || result.status != PX_OK || !check_report(task, &result.report))
        return px_fail(err, PX_DECODER_CRASHED, "the picture's process gave no sensible answer");
    *ret = result.report;
    return PX_OK;
}

/* What became of a child, from how it ended. */
static px_status judge(const job *self, const px_sandbox_task *task, const px_sandbox_news *news,
                       px_transform_report *ret, px_error *err)
{
    if (news->kind == PX_NEWS_NOT_STARTED)
        return px_fail_errno(err, news->number, "cannot start a process for a picture");
    int signal_number = WIFSIGNALED(news->number) ? WTERMSIG(news->number) : 0;
    if (signal_number == SIGXCPU || (signal_number == SIGKILL && self->killed))
        return px_fail(err, PX_OUT_OF_TIME, "the picture took longer than %u s", task->limits->seconds);
    if (signal_number == SIGXFSZ)
        return px_fail(err, PX_TOO_MANY_BYTES, "an output grew over the limit");
    if (signal_number == SIGKILL)
        return px_fail(err, PX_OUT_OF_MEMORY, "the picture's process was killed: the machine is short of memory");
    if (signal_number)
        return px_fail(err, PX_DECODER_CRASHED, "the picture's process died of signal %d (%s)", signal_number,
                       strsignal(signal_number));
    int code = WEXITSTATUS(news->number);
    if (code == PX_CHILD_SETUP_FAILED)
        return px_fail(err, PX_INTERNAL, "the picture's process could not be set up");
    if (code != 0)
        return px_fail(err, PX_DECODER_CRASHED, "the picture's process ended with code %d", code);
    return judge_result(self, task, ret, err);
}

/* After the zygote died: sees to it that the child writes no more, and that outputs are empty again. */
static void clear_away(px_sandbox *self, unsigned generation, job *lost, const px_sandbox_task *task)
{
    pthread_mutex_lock(&self->lock);
    if (self->generation == generation)
        end_zygote(self, true);
    pthread_mutex_unlock(&self->lock);

    if (lost->pidfd >= 0) {
        kill_child(lost);
        struct pollfd gone = { lost->pidfd, POLLIN, 0 };
        (void)poll(&gone, 1, 1000);
    }
    for (int i = 0; i < task->count; i++)
        if (ftruncate(task->output_fds[i], 0) == 0)
            (void)lseek(task->output_fds[i], 0, SEEK_SET);
}

px_status px_sandbox_run(px_sandbox *self, const px_sandbox_task *task, px_transform_report *ret,
                         px_sandbox_usage *ret_usage, px_error *err)
{
    if (task->count < 0 || task->count > PX_LIMIT_OUTPUTS)
        return px_fail(err, PX_BAD_REQUEST, "%d outputs; at most %d", task->count, PX_LIMIT_OUTPUTS);
    for (int attempt = 0; attempt < 2; attempt++) {
        PX_AUTO(job_close) job one = { .socket = -1, .result = -1, .pidfd = -1 };
        unsigned generation = 0;
        bool sent = false;
        int64_t start_us = px_monotonic_us();
        PX_TRY(submit(self, task, &one, &generation, &sent, err));
        px_sandbox_news news = { 0 };
        int64_t seconds = task->limits->seconds ? task->limits->seconds : 1;
        if (sent && await_end(&one, start_us + seconds * 1000000, &news)) {
            if (ret_usage && news.kind == PX_NEWS_ENDED)
                *ret_usage = (px_sandbox_usage){ news.cpu_us, px_monotonic_us() - start_us, news.peak_bytes };
            PX_TRY(judge(&one, task, &news, ret, err));
            self->formats |= UINT32_C(1) << ret->format;
            return PX_OK;
        }
        bool killed = one.killed;
        clear_away(self, generation, &one, task);
        if (killed)
            return px_fail(err, PX_OUT_OF_TIME, "the picture took longer than %u s", task->limits->seconds);
    }
    return px_fail(err, PX_INTERNAL, "the sandbox died twice under this picture");
}
