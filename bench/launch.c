/* launch: runs a command and tells what it and everything that it started took, as one line of JSON on descriptor 3.
 *
 * It is small because the kernel counts what a process had before exec into its peak: a child of a big program looks as big as that.
 * It adopts what its child leaves behind (PR_SET_CHILD_SUBREAPER) and waits for it too, so that nothing goes uncounted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double ms(struct timeval t) { return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3; }

static void run(char **command)
{
    close(3);
    execvp(*command, command);
    fprintf(stderr, "launch: cannot run %s: %s\n", *command, strerror(errno));
    _exit(127);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: launch COMMAND [ARGUMENT...] 3>figures\n");
        return 2;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    double start = now_ms(), wall = 0, user = 0, system = 0;
    pid_t child = fork();
    if (child == 0)
        run(argv + 1);
    if (child < 0)
        return perror("launch: fork"), 1;
    int code = 1, status;
    long peak = 0; /* kB, of the biggest process */
    struct rusage spent;
    for (pid_t pid; (pid = wait4(-1, &status, 0, &spent)) > 0 || (pid < 0 && errno == EINTR);) {
        if (pid < 0)
            continue;
        user += ms(spent.ru_utime);
        system += ms(spent.ru_stime);
        peak = spent.ru_maxrss > peak ? spent.ru_maxrss : peak;
        if (pid == child) {
            wall = now_ms() - start;
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
    dprintf(3, "{\"wall_ms\": %.3f, \"user_ms\": %.3f, \"system_ms\": %.3f, \"rss_kb\": %ld}\n", wall, user, system, peak);
    return code;
}
