/* The tables of H.273 that pictures use. */
#include "codec/space.h"

#include <math.h>
#include <stddef.h>

#define D65 { 0.3127, 0.3290 }

const px_space px_space_srgb = { PX_CURVE_SRGB, 0, D65, { 0.64, 0.33 }, { 0.30, 0.60 }, { 0.15, 0.06 } };

static const struct {
    int code;
    px_point white, red, green, blue;
} primaries_of[] = {
    { 1, D65, { 0.640, 0.330 }, { 0.300, 0.600 }, { 0.150, 0.060 } },                  /* sRGB, BT.709 */
    { 4, { 0.310, 0.316 }, { 0.670, 0.330 }, { 0.210, 0.710 }, { 0.140, 0.080 } },     /* NTSC of 1953 */
    { 5, D65, { 0.640, 0.330 }, { 0.290, 0.600 }, { 0.150, 0.060 } },                  /* BT.601, 625 lines */
    { 6, D65, { 0.630, 0.340 }, { 0.310, 0.595 }, { 0.155, 0.070 } },                  /* BT.601, 525 lines */
    { 7, D65, { 0.630, 0.340 }, { 0.310, 0.595 }, { 0.155, 0.070 } },                  /* SMPTE 240M */
    { 8, { 0.310, 0.316 }, { 0.681, 0.319 }, { 0.243, 0.692 }, { 0.145, 0.049 } },     /* film */
    { 9, D65, { 0.708, 0.292 }, { 0.170, 0.797 }, { 0.131, 0.046 } },                  /* BT.2020 */
    { 11, { 0.314, 0.351 }, { 0.680, 0.320 }, { 0.265, 0.690 }, { 0.150, 0.060 } },    /* DCI-P3 */
    { 12, D65, { 0.680, 0.320 }, { 0.265, 0.690 }, { 0.150, 0.060 } },                 /* Display P3 */
    { 22, D65, { 0.630, 0.340 }, { 0.295, 0.605 }, { 0.155, 0.077 } },                 /* EBU 3213 */
};

static const struct {
    int code;
    px_curve curve;
    double gamma;
} curves[] = {
    { 1, PX_CURVE_BT709, 0 }, { 6, PX_CURVE_BT709, 0 }, { 14, PX_CURVE_BT709, 0 }, { 15, PX_CURVE_BT709, 0 }, { 13, PX_CURVE_SRGB, 0 },
    { 4, PX_CURVE_GAMMA, 2.2 }, { 5, PX_CURVE_GAMMA, 2.8 }, { 8, PX_CURVE_GAMMA, 1.0 },
};

bool px_space_of_primaries(int primaries, px_space *ret)
{
    for (size_t p = 0; p < sizeof primaries_of / sizeof *primaries_of; p++)
        if (primaries_of[p].code == primaries) {
            *ret = (px_space){ .white = primaries_of[p].white, .red = primaries_of[p].red, .green = primaries_of[p].green, .blue = primaries_of[p].blue };
            return true;
        }
    return false;
}

bool px_space_of_cicp(int primaries, int transfer, px_space *ret)
{
    px_space space;
    for (size_t c = 0; c < sizeof curves / sizeof *curves; c++)
        if (curves[c].code == transfer && px_space_of_primaries(primaries, &space)) {
            space.curve = curves[c].curve;
            space.gamma = curves[c].gamma;
            *ret = space;
            return true;
        }
    return false;
}

static bool near(px_point a, px_point b) { return fabs(a.x - b.x) < 0.003 && fabs(a.y - b.y) < 0.003; }

bool px_space_is_srgb(const px_space *space)
{
    const px_space *s = &px_space_srgb;
    bool curve = space->curve == PX_CURVE_NONE || space->curve == PX_CURVE_SRGB ||
                 (space->curve == PX_CURVE_GAMMA && fabs(space->gamma - 2.2) < 0.03);
    return curve && (space->curve == PX_CURVE_NONE || (near(space->white, s->white) && near(space->red, s->red) &&
                                                       near(space->green, s->green) && near(space->blue, s->blue)));
}
