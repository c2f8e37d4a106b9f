/* The tables of H.273 that pictures use; and a matrix profile made of numbers by lcms2, so that everything behind the decoders knows
 * one kind of colour: the ICC profile. */
#include "codec/space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lcms2.h>

enum { CURVE_POINTS = 1024 };

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

/* ---- profiles ---- */

/* Light relative to diffuse white, bent into 0 to 1. */
static double tone(double light)
{
    const double knee = 0.5, most = 1000.0 / 203.0;
    if (light <= knee)
        return light;
    double t = (light < most ? light : most) - knee, span = most - knee, room = 1 - knee;
    double curve = span / room - 1; /* of x * (1 + c) / (1 + c * x): slope 1 where it begins, 1 where it ends */
    double x = t / span;
    return knee + room * x * (1 + curve) / (1 + curve * x);
}

static double pq_light(double value)
{
    const double m1 = 0.1593017578125, m2 = 78.84375, c1 = 0.8359375, c2 = 18.8515625, c3 = 18.6875; /* SMPTE ST 2084 */
    double p = pow(value, 1 / m2), top = p - c1;
    return 10000.0 / 203.0 * pow((top > 0 ? top : 0) / (c2 - c3 * p), 1 / m1);
}

static double hlg_light(double value)
{
    const double a = 0.17883277, b = 0.28466892, c = 0.55991073; /* BT.2100 */
    double scene = value <= 0.5 ? value * value / 3 : (exp((value - c) / a) + b) / 12;
    return 1000.0 / 203.0 * pow(scene, 1.2);
}

static cmsToneCurve *build_hdr(cmsContext context, double (*light)(double value))
{
    cmsUInt16Number points[CURVE_POINTS];
    for (int i = 0; i < CURVE_POINTS; i++)
        points[i] = (cmsUInt16Number)lround(65535 * tone(light(i / (CURVE_POINTS - 1.0))));
    return cmsBuildTabulatedToneCurve16(context, CURVE_POINTS, points);
}

/* NULL if lcms cannot. */
static cmsToneCurve *curve_of(cmsContext context, const px_space *space)
{
    static const cmsFloat64Number srgb[] = { 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045 };       /* IEC 61966-2-1 */
    static const cmsFloat64Number bt709[] = { 1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081 };     /* BT.709 1.2, turned round */
    switch (space->curve) {
    case PX_CURVE_GAMMA: return cmsBuildGamma(context, space->gamma);
    case PX_CURVE_PQ: return build_hdr(context, pq_light);
    case PX_CURVE_HLG: return build_hdr(context, hlg_light);
    case PX_CURVE_BT709: return cmsBuildParametricToneCurve(context, 4, bt709);
    default: return cmsBuildParametricToneCurve(context, 4, srgb);
    }
}

static cmsHPROFILE describe(cmsContext context, const px_space *s, bool grey)
{
    const cmsCIExyY white = { s->white.x, s->white.y, 1 };
    const cmsCIExyYTRIPLE primaries = { { s->red.x, s->red.y, 1 }, { s->green.x, s->green.y, 1 }, { s->blue.x, s->blue.y, 1 } };
    cmsToneCurve *curve = curve_of(context, s), *channels[] = { curve, curve, curve };
    cmsHPROFILE profile = !curve ? NULL : grey ? cmsCreateGrayProfileTHR(context, cmsD50_xyY(), curve)
                                               : cmsCreateRGBProfileTHR(context, &white, &primaries, channels);
    cmsFreeToneCurve(curve);
    return profile;
}

/* Can they be told apart, and be inverted? lcms divides by them. */
static bool is_sound(const px_space *s)
{
    double area = (s->green.x - s->red.x) * (s->blue.y - s->red.y) - (s->blue.x - s->red.x) * (s->green.y - s->red.y);
    return (area > 1e-3 || area < -1e-3) && s->white.y > 1e-3 && s->red.y > 0 && s->green.y > 1e-3 && s->blue.y > 0 && s->white.x > 0;
}

/* In a profile's header (ICC.1:2022 7.2.8): when it was made. A fixed one, since the same picture shall give the same bytes. */
static void fix_date(uint8_t *profile, size_t count)
{
    static const uint8_t date[12] = { 2000 >> 8, 2000 & 255, 0, 1, 0, 1 };
    if (count >= 128)
        memcpy(profile + 24, date, sizeof date);
}

px_status px_space_profile(const px_space *space, bool grey, px_bytes *ret, px_error *err)
{
    *ret = (px_bytes){ 0 };
    if (!is_sound(space))
        return PX_OK;
    cmsContext context = cmsCreateContext(NULL, NULL);
    cmsHPROFILE profile = context ? describe(context, space, grey) : NULL;
    cmsUInt32Number count = 0;
    uint8_t *bytes = NULL;
    px_status status = PX_OK;
    if (profile && cmsSaveProfileToMem(profile, NULL, &count)) {
        bytes = malloc(count);
        if (bytes && cmsSaveProfileToMem(profile, bytes, &count)) {
            fix_date(bytes, count);
            *ret = (px_bytes){ bytes, count };
        } else
            status = px_fail(err, PX_OUT_OF_MEMORY, "no memory for a colour profile");
    }
    if (status != PX_OK)
        free(bytes);
    if (profile)
        cmsCloseProfile(profile);
    if (context)
        cmsDeleteContext(context);
    return status;
}
