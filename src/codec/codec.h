/* codec.h - the codecs' door: bytes ↔ rows, and the table of formats. */
#ifndef PX_CODEC_CODEC_H
#define PX_CODEC_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

typedef enum px_format { PX_FORMAT_KEEP, PX_FORMAT_JPEG, PX_FORMAT_PNG, PX_FORMAT_COUNT } px_format;

/* What the table of formats (codec/format.c) says of one. */
const char *px_format_name(px_format format);       /* "jpeg"; "keep" */
const char *px_format_extension(px_format format);  /* "jpg" */
const char *px_format_media_type(px_format format); /* "image/jpeg" */
px_format px_format_find(const char *name);         /* "jpg" and "jpeg" alike; PX_FORMAT_COUNT if there is none */
px_format px_format_of_extension(const char *extension); /* without the dot, any case; PX_FORMAT_COUNT if none */
px_format px_format_detect(px_bytes first);         /* by content; PX_FORMAT_COUNT if it is not one we read */

#endif
