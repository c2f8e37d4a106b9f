/* typeset.h - HarfBuzz and FreeType, loaded when a text is to be drawn. For image/letters.c alone. */
#ifndef PX_IMAGE_TYPESET_H
#define PX_IMAGE_TYPESET_H

#include <ft2build.h>
#include FT_FREETYPE_H
#include FT_OUTLINE_H
#include <hb.h>

#include "base/status.h"

#define PX_HB_LIST(X)                                                                                    \
    X(blob_create) X(blob_destroy) X(face_create) X(face_destroy) X(face_get_upem) X(face_get_glyph_count) \
    X(font_create) X(font_destroy) X(font_get_glyph_extents) X(buffer_create) X(buffer_destroy)          \
    X(buffer_add_utf8) X(buffer_set_direction) X(buffer_guess_segment_properties) X(shape) X(buffer_get_glyph_infos) \
    X(buffer_get_glyph_positions) X(buffer_allocation_successful)

#define PX_FT_LIST(X)                                                                                     \
    X(Init_FreeType) X(Done_FreeType) X(New_Memory_Face) X(Done_Face) X(Load_Glyph) X(Outline_Transform) \
    X(Outline_Translate) X(Outline_Render)

/* px_hb.NAME is hb_NAME, px_ft.NAME is FT_NAME. */
#define PX_HB_MEMBER(name) __typeof__(&hb_##name) name;
#define PX_FT_MEMBER(name) __typeof__(&FT_##name) name;
extern struct px_hb { PX_HB_LIST(PX_HB_MEMBER) } px_hb;
extern struct px_ft { PX_FT_LIST(PX_FT_MEMBER) } px_ft;
#undef PX_HB_MEMBER
#undef PX_FT_MEMBER

PX_CHECKED px_status px_typeset_load(px_error *err);

#endif
