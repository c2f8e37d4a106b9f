/* Primaries, white point and tone curve go into a matrix profile by lcms2, so that everything behind the decoder knows one kind of
 * colour: the ICC profile. Video's curves (BT.709, BT.601, BT.2020) are taken for sRGB's, as browsers do: pictures with these
 * numbers were seen on sRGB screens. */
#include "codec/nclx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lcms2.h>

#include "codec/space.h"

enum { BT709 = 1, GAMMA_22 = 4, GAMMA_28 = 5, LINEAR = 8, PQ = 16, DCI = 17, HLG = 18 };
enum { CURVE_POINTS = 1024 };

bool px_nclx_is_hdr(int transfer) { return transfer == PQ || transfer == HLG; }

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

static cmsToneCurve *curve_of(cmsContext context, int transfer)
{
    static const cmsFloat64Number srgb[] = { 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045 };
    if (px_nclx_is_hdr(transfer)) {
        cmsUInt16Number points[CURVE_POINTS];
        for (int i = 0; i < CURVE_POINTS; i++) {
            double value = i / (CURVE_POINTS - 1.0);
            points[i] = (cmsUInt16Number)lround(65535 * tone(transfer == PQ ? pq_light(value) : hlg_light(value)));
        }
        return cmsBuildTabulatedToneCurve16(context, CURVE_POINTS, points);
    }
    double gamma = transfer == GAMMA_22 ? 2.2 : transfer == GAMMA_28 ? 2.8 : transfer == DCI ? 2.6 : transfer == LINEAR ? 1.0 : 0;
    return gamma > 0 ? cmsBuildGamma(context, gamma) : cmsBuildParametricToneCurve(context, 4, srgb);
}

static cmsHPROFILE make(cmsContext context, int primaries, int transfer, bool grey)
{
    cmsToneCurve *curve = curve_of(context, transfer);
    cmsHPROFILE profile = NULL;
    px_space space;
    if (curve && px_space_of_primaries(primaries, &space)) {
        cmsCIExyY white = { space.white.x, space.white.y, 1 };
        cmsCIExyYTRIPLE points = { { space.red.x, space.red.y, 1 }, { space.green.x, space.green.y, 1 }, { space.blue.x, space.blue.y, 1 } };
        cmsToneCurve *curves[3] = { curve, curve, curve };
        profile = grey ? cmsCreateGrayProfileTHR(context, cmsD50_xyY(), curve)
                       : cmsCreateRGBProfileTHR(context, &white, &points, curves);
    }
    cmsFreeToneCurve(curve);
    return profile;
}

/* In a profile's header (ICC.1:2022 7.2.8): when it was made. A fixed one, since the same picture shall give the same bytes. */
static void fix_date(uint8_t *profile, size_t count)
{
    static const uint8_t date[12] = { 2000 >> 8, 2000 & 255, 0, 1, 0, 1 };
    if (count >= 128)
        memcpy(profile + 24, date, sizeof date);
}

px_bytes px_nclx_profile(int primaries, int transfer, bool grey)
{
    bool plain_curve = transfer != GAMMA_22 && transfer != GAMMA_28 && transfer != LINEAR && transfer != DCI && !px_nclx_is_hdr(transfer);
    px_space known;
    if (!px_space_of_primaries(primaries, &known))
        primaries = BT709;
    if (plain_curve && (primaries == BT709 || grey))
        return (px_bytes){ NULL, 0 };
    cmsContext context = cmsCreateContext(NULL, NULL);
    cmsHPROFILE profile = context ? make(context, primaries, transfer, grey) : NULL;
    cmsUInt32Number count = 0;
    uint8_t *data = NULL;
    if (profile && cmsSaveProfileToMem(profile, NULL, &count) && (data = malloc(count)) && !cmsSaveProfileToMem(profile, data, &count)) {
        free(data);
        data = NULL;
    }
    if (data)
        fix_date(data, count);
    if (profile)
        cmsCloseProfile(profile);
    if (context)
        cmsDeleteContext(context);
    return (px_bytes){ data, data ? count : 0 };
}
