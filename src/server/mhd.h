/* mhd.h - libmicrohttpd, loaded when the server opens: the other commands start without it. Private to src/server. */
#ifndef PX_SERVER_MHD_H
#define PX_SERVER_MHD_H

#include <microhttpd.h>

#include "base/status.h"

#define PX_MHD_LIST(X)                                                                                        \
    X(start_daemon) X(quiesce_daemon) X(stop_daemon) X(get_connection_info) X(get_connection_values)          \
    X(lookup_connection_value) X(suspend_connection) X(resume_connection) X(queue_response)                   \
    X(create_response_from_buffer) X(create_response_from_fd_at_offset64) X(add_response_header) X(destroy_response)

/* px_mhd.NAME is MHD_NAME. */
#define PX_MHD_MEMBER(name) __typeof__(&MHD_##name) name;
extern struct px_mhd { PX_MHD_LIST(PX_MHD_MEMBER) } px_mhd;
#undef PX_MHD_MEMBER

PX_CHECKED px_status px_mhd_load(px_error *err);

#endif
