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
    bool is_table, alpha;  /* of grey with 8 bits, which is looked up */
    uint8_t table[256];
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
    cmsUInt32Number row[2], deep[2];
} models[] = { [PX_GREY] = { cmsSigGrayData, { TYPE_GRAY_8, TYPE_GRAYA_8 }, { TYPE_GRAY_16, TYPE_GRAYA_16 } },
               [PX_RGB] = { cmsSigRgbData, { TYPE_RGB_8, TYPE_RGBA_8 }, { TYPE_RGB_16, TYPE_RGBA_16 } },
               [PX_CMYK] = { cmsSigCmykData, { TYPE_CMYK_8, TYPE_CMYK_8 }, { 0, 0 } } };

/* Is it about such rows, and about a device at all? (Links and named colours are profiles too.) */
static bool fits(cmsHPROFILE profile, px_model model)
{
    cmsProfileClassSignature class = cmsGetDeviceClass(profile);
    bool device = class == cmsSigInputClass || class == cmsSigDisplayClass || class == cmsSigOutputClass || class == cmsSigColorSpaceClass;
    return device && cmsGetColorSpace(profile) == models[model].space;
}

/* NULL if lcms cannot. */
static cmsHTRANSFORM link_to_srgb(cmsContext context, px_bytes bytes, px_model model, bool alpha, bool deep)
{
    /* lcms may make a grid of what it is to do, and take straight lines between its points: 33 of grey are too few, and 33 each of RGB are for
     * 16 bits, where the finer grid has no visible error (tests/e2e/test_colour_chunks.py) and takes a sixth of the time of none. */
    cmsUInt32Number care = model == PX_GREY ? cmsFLAGS_NOOPTIMIZE : deep ? cmsFLAGS_HIGHRESPRECALC : 0;
    cmsHPROFILE from = cmsOpenProfileFromMemTHR(context, bytes.data, (cmsUInt32Number)bytes.count);
    cmsHPROFILE to = model == PX_GREY ? open_grey(context) : cmsCreate_sRGBProfileTHR(context);
    cmsHTRANSFORM transform = NULL;
    if (from && to && fits(from, model))
        transform = cmsCreateTransformTHR(context, from, deep ? models[model].deep[alpha] : models[model].row[alpha], to, models[model == PX_CMYK ? PX_RGB : model].row[alpha], INTENT_RELATIVE_COLORIMETRIC,
                                          cmsFLAGS_BLACKPOINTCOMPENSATION | (alpha ? cmsFLAGS_COPY_ALPHA : 0) | care);
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

static void fill_table(px_colour *colour, bool alpha)
{
    uint8_t before[256][2], after[256][2];
    for (int i = 0; i < 256; i++) {
        before[i][alpha] = 255;
        before[i][0] = (uint8_t)i;
    }
    for (int i = 0; i < 256; i++) {
        cmsDoTransform(colour->transform, before[i], after[i], 1);
        colour->table[i] = after[i][0];
    }
    colour->alpha = alpha;
    colour->is_table = true;
}

static px_status create(px_bytes profile, px_model model, bool alpha, bool deep, px_colour **ret, px_error *err)
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
    colour->transform = link_to_srgb(colour->context, profile, model, alpha, deep);
    if (colour->transform && model == PX_GREY && !deep)
        fill_table(colour, alpha);
    if (!colour->transform || (model != PX_CMYK && !deep && is_identity(colour, colours, colours + alpha))) {
        px_colour_destroy(colour);
        return PX_OK;
    }
    *ret = colour;
    return PX_OK;
}

px_status px_colour_create(px_bytes profile, px_model model, bool alpha, px_colour **ret, px_error *err)
{
    return create(profile, model, alpha, false, ret, err);
}

px_status px_colour_create_deep(px_bytes profile, px_model model, bool alpha, px_colour **ret, px_error *err)
{
    return create(profile, model, alpha, true, ret, err);
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
    if (!colour->is_table) {
        cmsDoTransform(colour->transform, row, target, (cmsUInt32Number)width);
        return;
    }
    for (int i = 0, step = 1 + colour->alpha; i < width * step; i += step) {
        target[i] = colour->table[row[i]];
        if (colour->alpha)
            target[i + 1] = row[i + 1];
    }
}
