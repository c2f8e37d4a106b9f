/* The line is cut into runs of one direction (runs.h), and HarfBuzz says of each which glyphs and where, in the font's units; the ink's box follows from that. FreeType gives each glyph's
 * outline, in the same units; scaled and moved by us to its place, it is drawn into the plane span by span, the most ink
 * winning where two glyphs touch. So no size is rounded to a whole pixel, and there is no bitmap of a glyph in between. */
#include "image/letters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/runs.h"
#include "image/typeset.h"

struct px_letters {
    hb_blob_t *blob;
    hb_face_t *face;
    hb_font_t *font;
    hb_buffer_t *runs[PX_MARK_TEXT_MAX]; /* from left to right */
    int run_count;
    FT_Library library;
    FT_Face outlines;
    double left, bottom, right, top; /* of the ink, in the font's units; the line begins at 0, 0 */
};

void px_letters_close(px_letters *self)
{
    if (!self)
        return;
    if (self->outlines)
        px_ft.Done_Face(self->outlines);
    if (self->library)
        px_ft.Done_FreeType(self->library);
    for (int i = 0; i < self->run_count; i++)
        px_hb.buffer_destroy(self->runs[i]);
    px_hb.font_destroy(self->font);
    px_hb.face_destroy(self->face);
    px_hb.blob_destroy(self->blob);
    free(self);
}

static void letters_done(px_letters **self) { px_letters_close(*self); }

static px_status open_font(px_letters *self, px_bytes font, px_error *err)
{
    if (font.count > UINT32_MAX)
        return px_fail(err, PX_BAD_RECIPE, "the watermark's font is too big");
    self->blob = px_hb.blob_create((const char *)font.data, (unsigned)font.count, HB_MEMORY_MODE_READONLY, NULL, NULL);
    self->face = px_hb.face_create(self->blob, 0);
    self->font = px_hb.font_create(self->face);
    if (px_ft.Init_FreeType(&self->library) != 0)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a font");
    if (px_hb.face_get_glyph_count(self->face) == 0 ||
        px_ft.New_Memory_Face(self->library, font.data, (FT_Long)font.count, 0, &self->outlines) != 0 || !FT_IS_SCALABLE(self->outlines))
        return px_fail(err, PX_BAD_RECIPE, "the watermark's font cannot be read; it has to be TrueType or OpenType, with outlines");
    return PX_OK;
}

/* Glyphs of a run, and where the pen is. */
struct pen {
    double x, y;
};

static void move(struct pen *pen, const hb_glyph_position_t *place)
{
    pen->x += place->x_advance;
    pen->y += place->y_advance;
}

/* Where a run's glyphs leave ink; refuses a character that the font has no glyph for. */
static px_status measure(px_letters *self, hb_buffer_t *run, const char *text, struct pen *pen, px_error *err)
{
    unsigned count = 0;
    const hb_glyph_info_t *glyphs = px_hb.buffer_get_glyph_infos(run, &count);
    const hb_glyph_position_t *places = px_hb.buffer_get_glyph_positions(run, &count);
    for (unsigned i = 0; i < count; i++) {
        hb_glyph_extents_t ink;
        if (glyphs[i].codepoint == 0)
            return px_fail(err, PX_BAD_RECIPE, "the watermark's font has no glyph for U+%04X: name one that has with watermark.font",
                           px_character_at(text + glyphs[i].cluster, NULL));
        if (px_hb.font_get_glyph_extents(self->font, glyphs[i].codepoint, &ink) && ink.width != 0 && ink.height != 0) {
            double left = pen->x + places[i].x_offset + ink.x_bearing, top = pen->y + places[i].y_offset + ink.y_bearing;
            self->left = fmin(self->left, left);
            self->right = fmax(self->right, left + ink.width);
            self->top = fmax(self->top, top);
            self->bottom = fmin(self->bottom, top + ink.height);
        }
        move(pen, &places[i]);
    }
    return PX_OK;
}

/* All of the text is given with each run, so that letters join across. */
static px_status shape(px_letters *self, const char *text, px_error *err)
{
    px_run runs[PX_MARK_TEXT_MAX];
    int count = px_runs_of(text, runs);
    struct pen pen = { 0, 0 };
    self->left = self->bottom = INFINITY;
    self->right = self->top = -INFINITY;
    for (int i = 0; i < count; i++) {
        hb_buffer_t *run = self->runs[self->run_count++] = px_hb.buffer_create();
        px_hb.buffer_add_utf8(run, text, -1, (unsigned)runs[i].start, runs[i].count);
        px_hb.buffer_set_direction(run, runs[i].from_right ? HB_DIRECTION_RTL : HB_DIRECTION_LTR);
        px_hb.buffer_guess_segment_properties(run); /* script and language */
        px_hb.shape(self->font, run, NULL, 0);
        if (!px_hb.buffer_allocation_successful(run))
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a text");
        PX_TRY(measure(self, run, text, &pen, err));
    }
    if (!(self->right > self->left && self->top > self->bottom))
        return px_fail(err, PX_BAD_RECIPE, "the watermark's text leaves no ink in this font");
    return PX_OK;
}

px_status px_letters_open(const char *text, px_bytes font, px_letters **ret, px_error *err)
{
    PX_TRY(px_typeset_load(err));
    PX_AUTO(letters_done) px_letters *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a text");
    PX_TRY(open_font(self, font, err));
    PX_TRY(shape(self, text, err));
    *ret = self;
    self = NULL;
    return PX_OK;
}

void px_letters_prepare(void) { (void)!px_typeset_load(NULL); }

double px_letters_aspect(const px_letters *self) { return (self->top - self->bottom) / (self->right - self->left); }

/* ---- drawing ---- */

struct plane {
    int width, height;
    uint8_t *coverage;
};

/* FreeType's rows count from below. */
static void draw_spans(int y, int count, const FT_Span *spans, void *user)
{
    struct plane *plane = user;
    if (y < 0 || y >= plane->height)
        return;
    uint8_t *row = plane->coverage + (size_t)(plane->height - 1 - y) * (size_t)plane->width;
    for (int i = 0; i < count; i++)
        for (int x = spans[i].x < 0 ? 0 : spans[i].x; x < spans[i].x + spans[i].len && x < plane->width; x++)
            row[x] = spans[i].coverage > row[x] ? spans[i].coverage : row[x];
}

static bool draw_glyph(px_letters *self, unsigned glyph, double x, double y, double across, double up, struct plane *plane)
{
    if (px_ft.Load_Glyph(self->outlines, glyph, FT_LOAD_NO_SCALE | FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP) != 0)
        return false;
    if (self->outlines->glyph->format != FT_GLYPH_FORMAT_OUTLINE)
        return true;
    FT_Outline *outline = &self->outlines->glyph->outline;
    FT_Matrix scale = { lround(across * 64 * 65536), 0, 0, lround(up * 64 * 65536) }; /* to 1/64 pixel, as 16.16 */
    px_ft.Outline_Transform(outline, &scale);
    px_ft.Outline_Translate(outline, lround(x * across * 64), lround(y * up * 64));
    FT_Raster_Params how = { .flags = FT_RASTER_FLAG_AA | FT_RASTER_FLAG_DIRECT | FT_RASTER_FLAG_CLIP, .gray_spans = draw_spans,
                             .user = plane, .clip_box = { 0, 0, plane->width, plane->height } };
    return px_ft.Outline_Render(self->library, outline, &how) == 0;
}

static px_status draw_run(px_letters *self, hb_buffer_t *run, struct pen *pen, struct plane *plane, px_error *err)
{
    double across = plane->width / (self->right - self->left), up = plane->height / (self->top - self->bottom);
    unsigned count = 0;
    const hb_glyph_info_t *glyphs = px_hb.buffer_get_glyph_infos(run, &count);
    const hb_glyph_position_t *places = px_hb.buffer_get_glyph_positions(run, &count);
    for (unsigned i = 0; i < count; i++) {
        if (!draw_glyph(self, glyphs[i].codepoint, pen->x + places[i].x_offset, pen->y + places[i].y_offset, across, up, plane))
            return px_fail(err, PX_BAD_RECIPE, "the watermark's font has a glyph (%u) that cannot be drawn", glyphs[i].codepoint);
        move(pen, &places[i]);
    }
    return PX_OK;
}

px_status px_letters_draw(px_letters *self, int width, int height, uint8_t *coverage, px_error *err)
{
    struct plane plane = { width, height, coverage };
    struct pen pen = { -self->left, -self->bottom };
    for (int i = 0; i < self->run_count; i++)
        PX_TRY(draw_run(self, self->runs[i], &pen, &plane, err));
    return PX_OK;
}
