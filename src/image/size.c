/* Fit, as a pure function of what was asked and the upright source size. All of it in double, rounded once: exact for
 * any side that a limit lets through. */
#include "image/size.h"

#include <math.h>
#include <string.h>

static const char *const fit_names[PX_FIT_COUNT] = {
    [PX_FIT_INSIDE] = "inside", [PX_FIT_COVER] = "cover", [PX_FIT_CONTAIN] = "contain",
    [PX_FIT_FILL] = "fill",     [PX_FIT_OUTSIDE] = "outside",
};

static const char *const colour_names[PX_COLOUR_MODE_COUNT] = { "srgb", "keep" };

static int find(const char *const *names, int count, const char *name)
{
    int index = 0;
    while (index < count && strcmp(name, names[index]) != 0)
        index++;
    return index;
}

px_colour_mode px_colour_mode_find(const char *name) { return (px_colour_mode)find(colour_names, PX_COLOUR_MODE_COUNT, name); }
const char *px_colour_mode_name(px_colour_mode mode) { return colour_names[mode]; }

px_fit px_fit_find(const char *name) { return (px_fit)find(fit_names, PX_FIT_COUNT, name); }
const char *px_fit_name(px_fit fit) { return fit_names[fit]; }

static int whole(double side) { return (int)fmin(fmax(floor(side + 0.5), 1.0), 2147483647.0); }

static int least(int a, int b) { return a < b ? a : b; }

px_layout px_layout_of(const px_output_spec *spec, int width, int height)
{
    double w = width, h = height, across = spec->width / w, down = spec->height / h;
    px_layout layout = { .part_width = w, .part_height = h };
    bool both = spec->width > 0 && spec->height > 0;

    if (both && spec->fit == PX_FIT_FILL) {
        layout.picture_width = spec->enlarge ? spec->width : least(spec->width, width);
        layout.picture_height = spec->enlarge ? spec->height : least(spec->height, height);
    } else if (both && spec->fit == PX_FIT_COVER) {
        layout.picture_width = spec->enlarge ? spec->width : least(spec->width, width);
        layout.picture_height = spec->enlarge ? spec->height : least(spec->height, height);
        double scale = fmax(layout.picture_width / w, layout.picture_height / h);
        layout.part_width = fmin(layout.picture_width / scale, w);
        layout.part_height = fmin(layout.picture_height / scale, h);
    } else {
        double scale = !both ? (spec->width > 0 ? across : spec->height > 0 ? down : 1.0)
                     : spec->fit == PX_FIT_OUTSIDE ? fmax(across, down) : fmin(across, down);
        if (!spec->enlarge)
            scale = fmin(scale, 1.0);
        layout.picture_width = whole(w * scale);
        layout.picture_height = whole(h * scale);
    }
    bool canvas = both && spec->fit == PX_FIT_CONTAIN;
    layout.width = canvas ? spec->width : layout.picture_width;
    layout.height = canvas ? spec->height : layout.picture_height;
    return layout;
}

void px_output_size(const px_output_spec *spec, int width, int height, int *ret_width, int *ret_height)
{
    px_layout layout = px_layout_of(spec, width, height);
    *ret_width = layout.width;
    *ret_height = layout.height;
}
