/* Crop, rotation, fit and position, as a pure function of what was asked and the upright source size. All of it in double, rounded
 * once: exact for any side that a limit lets through. A crop is rounded to whole pixels of the source, and a picture that keeps its
 * scale is cut at whole pixels, so that nothing is resampled that need not be. */
#include "image/size.h"

#include <math.h>
#include <string.h>

#include "image/orient.h"

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

int px_rotate_quarters(px_rotate rotate) { return rotate > PX_ROTATE_AUTO ? (int)rotate - PX_ROTATE_AUTO : 0; }

int px_orientation_turned(int orientation, int quarters)
{
    static const int next[9] = { 0, 6, 7, 8, 5, 2, 3, 4, 1 };
    for (; quarters > 0; quarters--)
        orientation = next[orientation];
    return orientation;
}

typedef struct rectangle {
    double x, y, width, height;
} rectangle;

/* Where a rectangle of a picture, width x height as people see it, lies in the rows that `orientation` turns into that. */
static rectangle stored_place(rectangle r, double width, double height, int orientation)
{
    double right = width - r.x - r.width, below = height - r.y - r.height;
    double x = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7 ? right : r.x;
    double y = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8 ? below : r.y;
    return px_orientation_turns(orientation) ? (rectangle){ y, x, r.height, r.width } : (rectangle){ x, y, r.width, r.height };
}

px_layout px_layout_as_stored(const px_layout *seen, int orientation)
{
    bool turns = px_orientation_turns(orientation);
    const px_layout *s = seen;
    rectangle picture = stored_place((rectangle){ s->left, s->above, s->picture_width, s->picture_height }, s->width, s->height, orientation);
    rectangle window = stored_place((rectangle){ s->window_x, s->window_y, s->window_width, s->window_height }, s->source_width,
                                    s->source_height, orientation);
    rectangle part = stored_place((rectangle){ s->part_x, s->part_y, s->part_width, s->part_height }, s->source_width, s->source_height,
                                  orientation);
    return (px_layout){
        .width = turns ? s->height : s->width, .height = turns ? s->width : s->height,
        .left = (int)picture.x, .above = (int)picture.y, .picture_width = (int)picture.width, .picture_height = (int)picture.height,
        .source_width = turns ? s->source_height : s->source_width, .source_height = turns ? s->source_width : s->source_height,
        .window_x = (int)window.x, .window_y = (int)window.y, .window_width = (int)window.width, .window_height = (int)window.height,
        .part_x = part.x, .part_y = part.y, .part_width = part.width, .part_height = part.height, .outside = s->outside,
    };
}

/* From the first to the last whole pixel of [from, from + side), of `source`; false if there is none. */
static bool clip(double from, double side, double unit, int source, int *ret_from, int *ret_side)
{
    double low = fmin(fmax(floor(from * unit + 0.5), 0.0), source), high = fmin(fmax(floor((from + side) * unit + 0.5), 0.0), source);
    if (high <= low && from * unit < source && (from + side) * unit > 0.0) { /* less than a pixel */
        low = fmin(fmax(floor(from * unit), 0.0), source - 1.0);
        high = low + 1.0;
    }
    *ret_from = (int)low;
    *ret_side = (int)(high - low);
    return high > low;
}

/* The source as people see it, and the window that the crop leaves of it. */
static px_layout place_window(const px_output_spec *spec, int width, int height)
{
    const px_crop *crop = &spec->crop;
    px_layout upright = { .width = width, .height = height, .picture_width = width, .picture_height = height, .source_width = width,
                          .source_height = height, .window_width = width, .window_height = height };
    if (crop->width > 0.0) {
        double across = crop->percent ? width / 100.0 : 1.0, down = crop->percent ? height / 100.0 : 1.0;
        bool there = clip(crop->x, crop->width, across, width, &upright.window_x, &upright.window_width);
        there &= clip(crop->y, crop->height, down, height, &upright.window_y, &upright.window_height);
        if (!there) {
            upright.window_x = upright.window_y = 0;
            upright.window_width = width;
            upright.window_height = height;
            upright.outside = true;
        }
    }
    /* An upright picture is what the opposite turn stores of it. */
    return px_layout_as_stored(&upright, px_orientation_turned(1, (4 - px_rotate_quarters(spec->rotate)) % 4));
}

/* Which share of what is left over lies before a part or picture, across and down. */
static const struct {
    const char *name;
    double across, down;
} positions[PX_POSITION_COUNT] = {
    [PX_POSITION_CENTRE] = { "centre", 0.5, 0.5 },         [PX_POSITION_TOP] = { "top", 0.5, 0.0 },
    [PX_POSITION_BOTTOM] = { "bottom", 0.5, 1.0 },         [PX_POSITION_LEFT] = { "left", 0.0, 0.5 },
    [PX_POSITION_RIGHT] = { "right", 1.0, 0.5 },           [PX_POSITION_TOP_LEFT] = { "top-left", 0.0, 0.0 },
    [PX_POSITION_TOP_RIGHT] = { "top-right", 1.0, 0.0 },   [PX_POSITION_BOTTOM_LEFT] = { "bottom-left", 0.0, 1.0 },
    [PX_POSITION_BOTTOM_RIGHT] = { "bottom-right", 1.0, 1.0 }, [PX_POSITION_ATTENTION] = { "attention", 0.5, 0.5 },
};

const char *px_position_name(px_position position) { return positions[position].name; }

/* Where a part begins; on a whole pixel if nothing is resampled. */
static double begin_part(double from, double side, double part, double share, bool whole_pixels)
{
    double before = (side - part) * share;
    return from + (whole_pixels ? floor(before) : before);
}

static void place_part(px_layout *layout, px_position position)
{
    bool same = layout->part_width == layout->picture_width && layout->part_height == layout->picture_height;
    layout->part_x = begin_part(layout->window_x, layout->window_width, layout->part_width, positions[position].across, same);
    layout->part_y = begin_part(layout->window_y, layout->window_height, layout->part_height, positions[position].down, same);
    layout->left = (int)((layout->width - layout->picture_width) * positions[position].across);
    layout->above = (int)((layout->height - layout->picture_height) * positions[position].down);
}

px_layout px_layout_of(const px_output_spec *spec, int source_width, int source_height)
{
    px_layout layout = place_window(spec, source_width, source_height);
    int width = layout.window_width, height = layout.window_height;
    double w = width, h = height, across = spec->width / w, down = spec->height / h;
    layout.part_width = w;
    layout.part_height = h;
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
    place_part(&layout, spec->position);
    return layout;
}

void px_output_size(const px_output_spec *spec, int width, int height, int *ret_width, int *ret_height)
{
    px_layout layout = px_layout_of(spec, width, height);
    *ret_width = layout.width;
    *ret_height = layout.height;
}

/* How many eighths of the source an output needs, which is `shrink` times smaller. What a decoder leaves out is lost, and close to the
 * output's own size that shows: so it leaves some work to the resampler. `best` leaves half of it, beyond which hardly anything is won;
 * `fast` leaves what libvips does, which takes powers of two, and at least a fifth. */
double px_eighths_for(double shrink, px_resampling resampling)
{
    if (resampling == PX_RESAMPLING_BEST)
        return 8.0 * 2.0 / shrink;
    double vips = shrink >= 8.0 ? 1.0 : shrink >= 4.0 ? 2.0 : shrink >= 2.0 ? 4.0 : 8.0;
    return fmax(vips, 8.0 * 1.2 / shrink);
}

void px_side_decoded(int source, int window, int window_side, double scale, int decoded, int *ret_first, int *ret_count)
{
    int first = (int)ceil(window * scale - 1e-9), end = (int)floor((window + window_side) * scale + 1e-9);
    if (window + window_side == source)
        end = decoded;
    if (end <= first) { /* less than one */
        first = (int)(window * scale) < decoded - 1 ? (int)(window * scale) : decoded - 1;
        end = first + 1;
    }
    *ret_first = first;
    *ret_count = end - first;
}
