/* Signals are waited for, not handled: only the alarm that ends a drain has a handler. */
#include "command/drain.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

static const char *last_words = "";

static sigset_t stopping(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

void px_drain_prepare(void)
{
    sigset_t signals = stopping();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

void px_drain_wait(px_log *log)
{
    sigset_t signals = stopping();
    int number = 0;
    while (sigwait(&signals, &number) != 0) {
    }
    px_log_write(log, PX_INFO, NULL, "stopping", json_pack("{s:s}", "signal", strsignal(number)));
}

static void give_up(int number)
{
    (void)number;
    (void)!write(2, last_words, strlen(last_words));
    _exit(1);
}

void px_drain_begin(int seconds, const char *message)
{
    struct sigaction action = { .sa_handler = give_up };
    sigset_t signals = stopping();
    last_words = message;
    sigaction(SIGALRM, &action, NULL);
    alarm((unsigned)seconds);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}
