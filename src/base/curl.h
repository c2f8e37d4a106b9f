/* curl.h - libcurl, loaded when a client opens: the other commands start without it. For base/http.c alone. */
#ifndef PX_BASE_CURL_H
#define PX_BASE_CURL_H

#include <curl/curl.h>

#include "base/status.h"

#define PX_CURL_LIST(X)                                                                                       \
    X(global_init) X(slist_append) X(slist_free_all) X(easy_init) X(easy_setopt) X(easy_getinfo)              \
    X(easy_cleanup) X(easy_strerror) X(multi_init) X(multi_cleanup) X(multi_add_handle) X(multi_remove_handle) \
    X(multi_perform) X(multi_poll) X(multi_wakeup) X(multi_info_read) X(multi_setopt)

/* px_curl.NAME is curl_NAME. */
#define PX_CURL_MEMBER(name) __typeof__(&curl_##name) name;
extern struct px_curl { PX_CURL_LIST(PX_CURL_MEMBER) } px_curl;
#undef PX_CURL_MEMBER

PX_CHECKED px_status px_curl_load(px_error *err);

#endif
