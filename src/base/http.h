/* http.h - an HTTP/1.1 client that many threads share (libcurl, loaded when the client opens).
 *
 * One network thread drives all transfers and keeps the connections; callers wait for theirs. Nothing is followed,
 * retried or signed here: that is the caller's. HTTPS is verified against the CA bundle that AWS_CA_BUNDLE or SSL_CERT_FILE names, else
 * the first that exists of the systems' usual places and lib/ca-bundle.crt beside the program. */
#ifndef PX_BASE_HTTP_H
#define PX_BASE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

typedef struct px_http px_http;

typedef struct px_http_header {
    const char *name, *value;
} px_http_header;

typedef struct px_http_request {
    const char *method;   /* "GET" */
    const char *url;      /* sent as it is: encoded by the caller */
    const px_http_header *headers;
    int header_count;
    px_bytes body;        /* borrowed; or, with has_fd, body_bytes of fd from body_offset on */
    bool has_fd;
    int fd;               /* borrowed */
    uint64_t body_offset, body_bytes;
    int64_t deadline_ms;  /* since 1970; then it is given up. 0: none */
    int connect_ms;       /* 0: 3000 */
    bool patient;         /* the peer may stay silent: no limit between two bytes (else 20 s) */
    bool direct;          /* never through a proxy: a neighbour on this machine */
} px_http_request;

typedef struct px_http_response {
    int status;
    const px_http_header *headers; /* names in lower case */
    int header_count;
    px_bytes body;        /* empty where a sink took it */
} px_http_response;

/* Takes the body of a 200 or 206 (or of `status` alone, if not 0) while it arrives. Called on the network thread: must not wait. */
typedef struct px_http_sink {
    bool (*head)(void *context, const px_http_response *response); /* first; borrowed. NULL: nobody asks */
    bool (*push)(void *context, px_bytes bytes);           /* false gives the transfer up */
    void (*end)(void *context, px_status status, const char *reason); /* once, last; PX_OK: the body is whole */
    void *context;
    int status;
} px_http_sink;

enum { PX_HTTP_BODY_MAX = 16 << 20 }; /* of a response without a sink */

PX_CHECKED px_status px_http_open(px_http **ret, px_error *err);
void px_http_close(px_http *http); /* gives up what still runs: sinks get their end. NULL is accepted */

/* Sends and waits for the whole response, whose texts live in the arena. A peer that does not answer, or hangs up:
 * PX_NETWORK; one whose certificate is not trusted: PX_BAD_CONFIG; over the deadline: PX_OUT_OF_TIME. Any HTTP status is PX_OK. */
PX_CHECKED px_status px_http_send(px_http *http, const px_http_request *request, px_arena *arena, px_http_response *ret,
                                  px_error *err);

/* Returns when the head of a 200 or 206 is there, with the body going to `sink` from then on. Any other response is read
 * whole, and the sink is not used;
 * so it is on failure. The request must have no body. */
PX_CHECKED px_status px_http_stream(px_http *http, const px_http_request *request, const px_http_sink *sink, px_arena *arena,
                                    px_http_response *ret, px_error *err);

/* As px_http_stream, but returns at once, starts not before `delay_ms` from now, and every end goes to the sink (a status
 * other than 200 and 206 is PX_NETWORK). For a sink that goes on after a broken transfer: may be called on the network thread. */
PX_CHECKED px_status px_http_start(px_http *http, const px_http_request *request, const px_http_sink *sink, int delay_ms,
                                   px_error *err);

/* The value of a header (name in lower case); "" if it is not there. */
const char *px_http_header_find(const px_http_response *response, const char *name);

#endif
