/* server.h - the HTTP transport's door: one gate (who are you, may you), then the S3 dialect at /, ours under /_/:
 * health, metrics, and the upload API at /_/api. */
#ifndef PX_SERVER_SERVER_H
#define PX_SERVER_SERVER_H

#include "base/log.h"
#include "local/local.h"
#include "pipeline/pipeline.h"

typedef struct px_server px_server;

typedef struct px_server_options {
    const char *listen;  /* "ADDRESS:PORT"; port 0: a free one */
    const char *region;
    int threads;         /* 0: as many as cores */
    const px_config *config; /* of the API; borrowed until close */
    const char *version;     /* of the program */
} px_server_options;

/* Starts listening. The local and the log are borrowed until close. */
PX_CHECKED px_status px_server_open(const px_server_options *options, px_local *local, px_log *log,
                                    px_server **ret, px_error *err);
const char *px_server_address(const px_server *server); /* "127.0.0.1:9000" */

/* Takes no new connections, lets running requests end (at most `drain_ms`), closes. */
void px_server_close(px_server *server, int drain_ms);

#endif
