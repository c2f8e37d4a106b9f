/* space.h - colours said in numbers: where red, green, blue and white lie (CIE x, y), and how samples rise to light. Private to
 * src/codec: what leaves a decoder is an ICC profile. */
#ifndef PX_CODEC_SPACE_H
#define PX_CODEC_SPACE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"

typedef enum px_curve { PX_CURVE_NONE, PX_CURVE_SRGB, PX_CURVE_BT709, PX_CURVE_GAMMA, PX_CURVE_PQ, PX_CURVE_HLG } px_curve;

typedef struct px_point {
    double x, y;
} px_point;

typedef struct px_space {
    px_curve curve; /* PX_CURVE_NONE: nothing is said, which means sRGB */
    double gamma;   /* of PX_CURVE_GAMMA: light is sample^gamma */
    px_point white, red, green, blue;
} px_space;

extern const px_space px_space_srgb;

/* The space of code points for primaries and transfer (ITU-T H.273, 8.1 and 8.2), for what is made for screens: sRGB, Display P3,
 * BT.601, BT.709, BT.2020 and film. False: unknown, or HDR (PQ, HLG), and *ret is untouched. */
bool px_space_of_cicp(int primaries, int transfer, px_space *ret);

/* Their points alone; no curve is said. False: unknown. */
bool px_space_of_primaries(int primaries, px_space *ret);

/* Would converting from it to sRGB be for nothing? So it is with sRGB's primaries and its curve, or the gamma that stands for it. */
bool px_space_is_srgb(const px_space *space);

/* An ICC profile that says the same, of RGB or grey: owned (free its data), and the same bytes each time. Empty where points cannot be told
 * apart. PQ and HLG are toned down in its curve: as they are up to about half of diffuse white (203 cd/m2), then bent so that 1000
 * cd/m2 is the brightest. */
PX_CHECKED px_status px_space_profile(const px_space *space, bool grey, px_bytes *ret, px_error *err);

#endif
