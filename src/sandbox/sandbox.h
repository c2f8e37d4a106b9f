/* sandbox.h - transforms a picture in a process of its own.
 *
 * px_sandbox_open starts the zygote: our own program again, with a clean environment and one socket. It forks
 * once per picture; the child holds the source, the outputs and a socket for its answer, nothing else, under
 * limits of memory, CPU time and file size, and enforced wall time. Crash, hang and overuse become statuses:
 * PX_DECODER_CRASHED, PX_OUT_OF_TIME, PX_OUT_OF_MEMORY. A zygote that dies is started again.
 *
 * One sandbox serves any number of threads at once. */
#ifndef PX_SANDBOX_SANDBOX_H
#define PX_SANDBOX_SANDBOX_H

#include "image/image.h"

typedef struct px_sandbox px_sandbox;

typedef struct px_sandbox_task {
    const px_source *source;     /* borrowed; may still be growing */
    const px_limits *limits;     /* borrowed */
    const px_output_spec *specs; /* borrowed; `count` of them */
    const int *output_fds;       /* borrowed; `count` empty files, at their start */
    int count;
} px_sandbox_task;

/* How a picture's process went, for REPORT lines. */
typedef struct px_sandbox_usage {
    int64_t cpu_us;       /* user + system of the child */
    int64_t wall_us;
    uint64_t peak_bytes;  /* maximum resident set of the child */
} px_sandbox_usage;

PX_CHECKED px_status px_sandbox_open(px_sandbox **ret, px_error *err);
void px_sandbox_close(px_sandbox *sandbox); /* ends the zygote; no task may be running */

/* Runs px_transform on `task` in a child. *ret_usage is filled whenever the child could be started, also on failure
 * (NULL: nobody asks). After a failure the outputs' contents are to be thrown away. */
PX_CHECKED px_status px_sandbox_run(px_sandbox *sandbox, const px_sandbox_task *task, px_transform_report *ret,
                                    px_sandbox_usage *ret_usage, px_error *err);

/* The memory that a picture's process gets under `limits`: theirs, or this machine's share where they leave it to us. */
uint64_t px_sandbox_memory(const px_limits *limits);

/* What main calls when the program was started as the zygote (first argument PX_ZYGOTE_ARGUMENT); exit code. */
#define PX_ZYGOTE_ARGUMENT "--pixmill-zygote"
int px_zygote_main(void);

#endif
