/* embedded.h - pictures inside of an SVG, as data: addresses. Private to src/codec. */
#ifndef PX_CODEC_SVG_EMBEDDED_H
#define PX_CODEC_SVG_EMBEDDED_H

#include "base/limits.h"
#include "base/status.h"

/* Judges the size that a PNG or JPEG claims, since what draws it would take that memory. Any other address is passed over. */
PX_CHECKED px_status px_svg_judge_embedded(const char *address, const px_limits *limits, px_error *err);

#endif
