/* protocol.h - what service, zygote and child say to each other. Private to src/sandbox (and its tests).
 *
 * One program on both sides, so the messages are plain structs.
 *   service → zygote  on the one socket: a request, with descriptors: job, result, source, [state], outputs, attachments
 *   zygote → service  on the job's socket: `started` with a pidfd, then `ended`
 *   child → service   on the job's pipe: one result. The child is a stranger: all of it is checked. */
#ifndef PX_SANDBOX_PROTOCOL_H
#define PX_SANDBOX_PROTOCOL_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/sandbox.h"

enum {
    PX_ZYGOTE_SOCKET = 3,                          /* its descriptor in the zygote */
    PX_ATTACHMENTS_MAX = 2 * PX_LIMIT_OUTPUTS,     /* a watermark's picture and font */
    PX_REQUEST_FDS_MAX = 4 + PX_LIMIT_OUTPUTS + PX_ATTACHMENTS_MAX,
    PX_CHILD_SETUP_FAILED = 77,                    /* exit code of a child that could not begin */
};

typedef struct px_sandbox_request {
    int32_t count;     /* of specs and outputs */
    int32_t has_state; /* the source is growing */
    int32_t attached;  /* how many attachments; specs name them by their place, from 1 */
    uint32_t formats;  /* of sources seen so far, a bit each: worth loading before the fork */
    px_limits limits;  /* memory_bytes is resolved: never 0 */
    px_output_spec specs[PX_LIMIT_OUTPUTS];
} px_sandbox_request;

typedef enum px_news_kind { PX_NEWS_STARTED = 1, PX_NEWS_ENDED, PX_NEWS_NOT_STARTED } px_news_kind;

typedef struct px_sandbox_news {
    px_news_kind kind;
    pid_t pid;
    int number;          /* ended: status of wait; not started: errno */
    int64_t cpu_us;
    uint64_t peak_bytes;
} px_sandbox_news;

typedef struct px_sandbox_result {
    uint32_t status;
    px_error error;
    px_transform_report report;
} px_sandbox_result;
_Static_assert(sizeof(px_sandbox_result) <= PIPE_BUF, "a result is written to the pipe in one piece");

typedef px_status (*px_transform_function)(const px_source *source, const px_limits *limits,
                                           const px_output_spec *specs, const int *output_fds, int count,
                                           px_transform_report *ret, px_error *err);

/* The zygote's loop, until the service hangs up; exit code. Tests bring a transform of their own. */
int px_zygote_serve(int socket, px_transform_function transform);

#endif
