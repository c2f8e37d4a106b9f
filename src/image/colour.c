/* Relative colorimetric with black point compensation, as photographs want it: what sRGB can show stays as it is.
 *
 * Many pictures carry a profile that is sRGB under some name. Converting them would cost time and a level of rounding for
 * nothing, so a transform that moves no colour of a coarse grid by more than one level is none. */
#include "image/colour.h"

#include <stdlib.h>
#include <string.h>

#include <lcms2.h>

struct px_colour {
    cmsContext context; /* its own: nothing is shared, and nothing printed */
    cmsHTRANSFORM transform;
};

enum { STEPS = 9, SLACK = 1 };

static cmsHPROFILE open_grey(cmsContext context)
{
    static const cmsFloat64Number curve[] = { 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045 }; /* IEC 61966-2-1 */
    cmsToneCurve *tone = cmsBuildParametricToneCurve(context, 4, curve);
    cmsHPROFILE grey = tone ? cmsCreateGrayProfileTHR(context, cmsD50_xyY(), tone) : NULL;
    cmsFreeToneCurve(tone);
    return grey;
}

/* What lcms calls the models; `row` with and without alpha. */
static const struct {
    cmsColorSpaceSignature space;
    cmsUInt32Number row[2];
} models[] = { [PX_GREY] = { cmsSigGrayData, { TYPE_GRAY_8, TYPE_GRAYA_8 } },
               [PX_RGB] = { cmsSigRgbData, { TYPE_RGB_8, TYPE_RGBA_8 } },
               [PX_CMYK] = { cmsSigCmykData, { TYPE_CMYK_8, TYPE_CMYK_8 } } };

/* Is it about such rows, and about a device at all? (Links and named colours are profiles too.) */
static bool fits(cmsHPROFILE profile, px_model model)
{
    cmsProfileClassSignature class = cmsGetDeviceClass(profile);
    bool device = class == cmsSigInputClass || class == cmsSigDisplayClass || class == cmsSigOutputClass || class == cmsSigColorSpaceClass;
    return device && cmsGetColorSpace(profile) == models[model].space;
}

/* NULL if lcms cannot. */
static cmsHTRANSFORM link_to_srgb(cmsContext context, px_bytes bytes, px_model model, bool alpha)
{
    cmsHPROFILE from = cmsOpenProfileFromMemTHR(context, bytes.data, (cmsUInt32Number)bytes.count);
    cmsHPROFILE to = model == PX_GREY ? open_grey(context) : cmsCreate_sRGBProfileTHR(context);
    cmsHTRANSFORM transform = NULL;
    if (from && to && fits(from, model))
        transform = cmsCreateTransformTHR(context, from, models[model].row[alpha], to, models[model == PX_CMYK ? PX_RGB : model].row[alpha], INTENT_RELATIVE_COLORIMETRIC,
                                          cmsFLAGS_BLACKPOINTCOMPENSATION | (alpha ? cmsFLAGS_COPY_ALPHA : 0));
    if (from)
        cmsCloseProfile(from);
    if (to)
        cmsCloseProfile(to);
    return transform;
}

/* Does it leave a grid of colours where they are? */
static bool is_identity(const px_colour *colour, int colours, int channels)
{
    int count = colours == 1 ? STEPS : STEPS * STEPS * STEPS;
    uint8_t before[STEPS * STEPS * STEPS * 4], after[sizeof before];
    for (int i = 0; i < count; i++) {
        const int at[] = { i % STEPS, i / STEPS % STEPS, i / STEPS / STEPS, STEPS - 1 };
        for (int c = 0; c < channels; c++)
            before[i * channels + c] = (uint8_t)((c < colours ? at[c] : STEPS - 1) * 255 / (STEPS - 1));
    }
    px_colour_convert(colour, before, count, after);
    for (int i = 0; i < count * channels; i++)
        if (abs(before[i] - after[i]) > SLACK)
            return false;
    return true;
}

px_status px_colour_create(px_bytes profile, px_model model, bool alpha, px_colour **ret, px_error *err)
{
    *ret = NULL;
    if (!profile.count)
        return PX_OK;
    px_colour *colour = calloc(1, sizeof *colour);
    if (!colour || !(colour->context = cmsCreateContext(NULL, NULL))) {
        free(colour);
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a colour transform");
    }
    int colours = model == PX_GREY ? 1 : 3;
    colour->transform = link_to_srgb(colour->context, profile, model, alpha);
    if (!colour->transform || (model != PX_CMYK && is_identity(colour, colours, colours + alpha))) {
        px_colour_destroy(colour);
        return PX_OK;
    }
    *ret = colour;
    return PX_OK;
}

void px_colour_destroy(px_colour *colour)
{
    if (!colour)
        return;
    if (colour->transform)
        cmsDeleteTransform(colour->transform);
    cmsDeleteContext(colour->context);
    free(colour);
}

void px_colour_convert(const px_colour *colour, const uint8_t *row, int width, uint8_t *target)
{
    cmsDoTransform(colour->transform, row, target, (cmsUInt32Number)width);
}
