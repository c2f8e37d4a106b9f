/* status.h - how a pixmill call says that it failed.
 *
 * A call that can fail returns px_status: what went wrong, for programs.
 * Its last parameter, px_error, tells people; NULL says nobody asks.
 * The first failure fills it; callers pass both up unchanged.
 *
 * The list below is the only one: logs, records, S3 answers, exit codes and
 * docs/errors.md read it. "transient" means that trying again may help. */
#ifndef PX_BASE_STATUS_H
#define PX_BASE_STATUS_H

#include <stdbool.h>

/*    status                  code                  HTTP  exit  transient  what it means, for docs/errors.md */
#define PX_STATUS_LIST(X)                                                                                              \
    X(PX_OK,                  "ok",                  200,  0,   false, "It worked.")                                   \
    X(PX_UNSUPPORTED_FORMAT,  "unsupported-format",  415,  1,   false, "The bytes are not a picture that pixmill reads.") \
    X(PX_CORRUPT_IMAGE,       "corrupt-image",       422,  1,   false, "The picture contradicts itself or its format.") \
    X(PX_TRUNCATED_IMAGE,     "truncated-image",     422,  1,   false, "The picture ends before its last row.")        \
    X(PX_TOO_MANY_PIXELS,     "too-many-pixels",     413,  1,   false, "Width, height or their product is over the limit.") \
    X(PX_TOO_MANY_BYTES,      "too-many-bytes",      413,  1,   false, "The input, its metadata or an output is over the limit.") \
    X(PX_TOO_MANY_FRAMES,     "too-many-frames",     413,  1,   false, "More frames or scans than the limit.")         \
    X(PX_OUT_OF_TIME,         "out-of-time",         504,  1,   false, "The picture took longer than the limit.")      \
    X(PX_OUT_OF_MEMORY,       "out-of-memory",       503,  1,   true,  "The memory budget did not hold the work.")     \
    X(PX_DECODER_CRASHED,     "decoder-crashed",     422,  1,   false, "The process that transformed the picture died.") \
    X(PX_OUTPUT_NAME_TAKEN,   "output-name-taken",   409,  1,   false, "The output's key holds an object of another source.") \
    X(PX_RECURSIVE,           "recursive",           409,  2,   false, "The input is an output, or would become one.") \
    X(PX_SUPERSEDED,          "superseded",          409,  1,   false, "A newer version of the source was already done.") \
    X(PX_CLAIMED,             "claimed",             409,  1,   true,  "Somebody else works on this key now.")         \
    X(PX_CONFLICT,            "conflict",            412,  1,   false, "A condition on the object did not hold.")      \
    X(PX_NO_SUCH_BUCKET,      "no-such-bucket",      404,  1,   false, "The bucket does not exist.")                   \
    X(PX_NO_SUCH_KEY,         "no-such-key",         404,  1,   false, "There is no object (or record) of that key.")  \
    X(PX_NO_SUCH_UPLOAD,      "no-such-upload",      404,  1,   false, "There is no multipart upload of that id.")     \
    X(PX_NO_SUCH_TABLE,       "no-such-table",       404,  1,   false, "The table does not exist.")                    \
    X(PX_ALREADY_EXISTS,      "already-exists",      409,  1,   false, "A bucket, key or file of that name is there.") \
    X(PX_NOT_EMPTY,           "not-empty",           409,  1,   false, "The bucket still holds objects.")              \
    X(PX_BAD_REQUEST,         "bad-request",         400,  2,   false, "A request or an argument does not make sense.") \
    X(PX_BAD_METHOD,          "bad-method",          405,  2,   false, "The address knows no request of this method.")    \
    X(PX_BAD_PART,            "bad-part",            400,  1,   false, "A part of a multipart upload is missing or out of order.") \
    X(PX_PART_TOO_SMALL,      "part-too-small",      400,  1,   false, "A part of a multipart upload, but the last, has less than 5 MiB.") \
    X(PX_BAD_RANGE,           "bad-range",           416,  1,   false, "The range asked for lies outside the object.") \
    X(PX_UNAUTHENTICATED,     "unauthenticated",     401,  1,   false, "The request does not say who asks.")              \
    X(PX_ACCESS_DENIED,       "access-denied",       403,  1,   false, "The credentials or file modes do not allow it.") \
    X(PX_EXPIRED_TOKEN,       "expired-token",       403,  1,   true,  "The credentials have expired.")                \
    X(PX_THROTTLED,           "throttled",           503,  1,   true,  "Too much at once; try again later.")           \
    X(PX_NETWORK,             "network",             502,  1,   true,  "A peer did not answer, or hung up.")           \
    X(PX_CHECKSUM_MISMATCH,   "checksum-mismatch",   400,  1,   false, "Bytes do not have the checksum that came with them.") \
    X(PX_DISK_FULL,           "disk-full",           507,  1,   true,  "No room left on the disk.")                    \
    X(PX_BAD_EVENT,           "bad-event",           400,  1,   false, "An event of a shape that pixmill does not know.") \
    X(PX_BAD_RECIPE,          "bad-recipe",          400,  2,   false, "The recipe asks for something impossible.")    \
    X(PX_BAD_CONFIG,          "bad-config",          400,  2,   false, "The configuration or a flag is wrong.")        \
    X(PX_INTERNAL,            "internal",            500,  1,   true,  "Something failed that should not: a disk error, a full table of descriptors, a fault of ours.")

#define PX_STATUS_NAME(name, code, http, exit, transient, meaning) name,
typedef enum px_status { PX_STATUS_LIST(PX_STATUS_NAME) PX_STATUS_COUNT } px_status;
#undef PX_STATUS_NAME

/* For people: what failed, on what, and what to do. */
typedef struct px_error {
    char message[400];
} px_error;

#define PX_CHECKED __attribute__((warn_unused_result))

/* Hands a failure up. For calls that own nothing yet, or whose locals clean themselves. */
#define PX_TRY(call)                    \
    do {                                \
        px_status status_ = (call);     \
        if (status_ != PX_OK)           \
            return status_;             \
    } while (0)

/* Runs `cleanup(&variable)` when the variable leaves its scope; the function accepts the empty value. */
#define PX_AUTO(function) __attribute__((cleanup(function)))

/* Fills `err`, if any, and returns `status`, so that a failure is one line. */
__attribute__((format(printf, 3, 4)))
px_status px_fail(px_error *err, px_status status, const char *format, ...);

/* As px_fail, with ": " and the text of `number` (an errno) behind the message. ENOSPC and EDQUOT become
 * PX_DISK_FULL, EACCES and EPERM PX_ACCESS_DENIED, ENOMEM PX_OUT_OF_MEMORY, all others PX_INTERNAL. */
__attribute__((format(printf, 3, 4)))
px_status px_fail_errno(px_error *err, int number, const char *format, ...);

const char *px_status_code(px_status status);      /* "corrupt-image" */
const char *px_status_meaning(px_status status);   /* a sentence */
int px_status_http(px_status status);
int px_status_exit(px_status status);
bool px_status_is_transient(px_status status);

/* Finds the status of a code; PX_STATUS_COUNT if there is none. */
px_status px_status_find(const char *code);

#endif
