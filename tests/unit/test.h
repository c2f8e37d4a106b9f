/* test.h - cmocka with what it needs, and checks that say px_error's message when they fail. */
#ifndef PX_TESTS_UNIT_TEST_H
#define PX_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"

/* The call must succeed; on failure its message is printed. Needs a px_error named `err` in scope. */
#define assert_ok(call)                                                                     \
    do {                                                                                    \
        px_status status_ = (call);                                                         \
        if (status_ != PX_OK)                                                               \
            fail_msg("%s: %s (%s)", #call, err.message, px_status_code(status_));           \
    } while (0)

/* The call must fail in just this way. */
#define assert_status(call, expected)                                                       \
    do {                                                                                    \
        px_status status_ = (call);                                                         \
        if (status_ != (expected))                                                          \
            fail_msg("%s: %s, not %s", #call, px_status_code(status_), px_status_code(expected)); \
    } while (0)

#endif
