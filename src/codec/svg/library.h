/* library.h - librsvg, loaded at the first SVG, with what it brings along: cairo, GLib, fontconfig. For codec/svg alone. */
#ifndef PX_CODEC_SVG_LIBRARY_H
#define PX_CODEC_SVG_LIBRARY_H

#include <cairo.h>
#include <fontconfig/fontconfig.h>
#include <librsvg/rsvg.h>

#include "base/bytes.h"
#include "base/status.h"

/* librsvg, which they are found through, depends on all of them. */
#define PX_SVG_LIST(X)                                                                                                      \
    X(rsvg_handle_new_from_data) X(rsvg_handle_set_dpi) X(rsvg_handle_render_document) X(g_object_unref) X(g_error_free)      \
    X(g_log_set_default_handler) X(cairo_image_surface_create_for_data) X(cairo_surface_destroy) X(cairo_surface_flush)       \
    X(cairo_create) X(cairo_destroy) X(cairo_scale) X(cairo_status) X(FcConfigCreate) X(FcConfigDestroy)                       \
    X(FcConfigSetCurrent) X(FcConfigAppFontAddFile) X(FcConfigParseAndLoadFromMemory)

/* px_svg.NAME is NAME. */
#define PX_SVG_MEMBER(name) __typeof__(&name) name;
extern struct px_svg { PX_SVG_LIST(PX_SVG_MEMBER) } px_svg;
#undef PX_SVG_MEMBER

/* Draws a document of document_width x document_height pixels of CSS, stretched to width x height real ones: premultiplied ARGB in the
 * machine's order, over zeros. PX_CORRUPT_IMAGE, PX_OUT_OF_MEMORY. */
PX_CHECKED px_status px_svg_draw(px_bytes file, double document_width, double document_height, int width, int height, uint8_t *pixels, px_error *err);

#endif
