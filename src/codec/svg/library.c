/* The table that px_module fills, and drawing by it.
 *
 * What opens files happens in px_svg_prepare, before a process is confined: text is set in the one font that it is given, by a
 * fontconfig that knows no other, and one document with text and a picture inside is drawn, so that all is open that will be looked
 * for. It starts threads (Pango's), so it is not for a process that forks later. A document has no address of its own, so that librsvg
 * resolves no reference to other files; data: it does. */
#include "codec/svg/library.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/libexpat.h"
#include "base/module.h"
#include "codec/formats.h"

struct px_svg px_svg;

#define SYMBOL(name) { #name, &px_svg.name },
static const px_symbol symbols[] = { PX_SVG_LIST(SYMBOL) };
static px_module module = { PX_SVG_SONAME, "librsvg2-2", symbols, sizeof symbols / sizeof *symbols, false };

static void say_nothing(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer context)
{
    (void)domain, (void)level, (void)message, (void)context;
}

/* Filters would use all processors. */
static void start(void)
{
    setenv("RAYON_NUM_THREADS", "1", 1);
    px_svg.g_log_set_default_handler(say_nothing, NULL);
}

px_status px_svg_load(px_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    PX_TRY(px_expat_load(err)); /* which reads it first */
    PX_TRY(px_module_load(&module, err));
    pthread_once(&once, start);
    return PX_OK;
}

/* ---- what opens files ---- */

/* The one font is made bold and slanted by stretching, as fontconfig's own rules do it. */
static const char rules[] =
    "<fontconfig>"
    "<match target='font'><test name='slant'><const>roman</const></test><test target='pattern' name='slant' compare='not_eq'><const>roman</const></test>"
    "<edit name='matrix' mode='assign'><times><name>matrix</name><matrix><double>1</double><double>0.2</double><double>0</double><double>1</double></matrix></times></edit>"
    "<edit name='slant' mode='assign'><const>oblique</const></edit></match>"
    "<match target='font'><test name='weight' compare='less_eq'><const>medium</const></test><test target='pattern' name='weight' compare='more_eq'><const>bold</const></test>"
    "<edit name='embolden' mode='assign'><bool>true</bool></edit><edit name='weight' mode='assign'><const>bold</const></edit></match>"
    "</fontconfig>";

static const char first_document[] =
    "<svg xmlns='http://www.w3.org/2000/svg' width='40' height='40'><text y='9' font-size='9'>a<tspan font-weight='bold'>b</tspan>"
    "<tspan font-style='italic'>c</tspan></text><image width='1' height='1' href='data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='/></svg>";

/* A file without a name that holds the font; it stays open. */
static bool write_font(px_bytes font, char path[64])
{
    int fd = memfd_create("font", MFD_CLOEXEC);
    if (fd < 0)
        return false;
    for (size_t at = 0; at < font.count;) {
        ssize_t written = write(fd, font.data + at, font.count - at);
        if (written <= 0)
            return false;
        at += (size_t)written;
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return true;
}

static px_status set_font(px_bytes font, px_error *err)
{
    char path[64];
    FcConfig *config = px_svg.FcConfigCreate();
    bool good = config && write_font(font, path) && px_svg.FcConfigParseAndLoadFromMemory(config, (const FcChar8 *)rules, FcTrue) &&
                px_svg.FcConfigAppFontAddFile(config, (const FcChar8 *)path) && px_svg.FcConfigSetCurrent(config);
    if (config)
        px_svg.FcConfigDestroy(config);
    return good ? PX_OK : px_fail(err, PX_INTERNAL, "SVG: the font for its text cannot be set up");
}

px_status px_svg_prepare(px_bytes font, px_error *err)
{
    static bool prepared; /* of this process alone: those that it forks are not asked again */
    uint8_t pixels[40 * 40 * 4] = { 0 };
    PX_TRY(px_svg_load(err));
    if (prepared)
        return PX_OK;
    mallopt(M_ARENA_MAX, 1); /* each thread's own would count as memory of the picture */
    PX_TRY(set_font(font, err));
    PX_TRY(px_svg_draw((px_bytes){ (const uint8_t *)first_document, sizeof first_document - 1 }, 40, 40, 40, 40, pixels, err));
    prepared = true;
    return PX_OK;
}

/* ---- drawing ---- */

typedef struct drawing {
    RsvgHandle *handle;       /* owned, like the others */
    cairo_surface_t *surface;
    cairo_t *pen;
    GError *error;
} drawing;

static void drawing_done(drawing *self)
{
    if (self->pen)
        px_svg.cairo_destroy(self->pen);
    if (self->surface)
        px_svg.cairo_surface_destroy(self->surface);
    if (self->handle)
        px_svg.g_object_unref(self->handle);
    if (self->error)
        px_svg.g_error_free(self->error);
}

static px_status fail(const drawing *self, px_error *err)
{
    const char *message = self->error ? self->error->message : "it cannot be drawn";
    bool no_room = self->pen && px_svg.cairo_status(self->pen) == CAIRO_STATUS_NO_MEMORY;
    if (no_room || strstr(message, "NoMemory") || strstr(message, "out of memory")) /* librsvg says it in words alone */
        return px_fail(err, PX_OUT_OF_MEMORY, "SVG: no room to draw it (limits.memory)");
    return px_fail(err, PX_CORRUPT_IMAGE, "SVG: %s", message);
}

px_status px_svg_draw(px_bytes file, double document_width, double document_height, int width, int height, uint8_t *pixels, px_error *err)
{
    PX_AUTO(drawing_done) drawing self = { 0 };
    self.handle = px_svg.rsvg_handle_new_from_data(file.data, file.count, &self.error);
    if (!self.handle)
        return fail(&self, err);
    px_svg.rsvg_handle_set_dpi(self.handle, 96);
    self.surface = px_svg.cairo_image_surface_create_for_data(pixels, CAIRO_FORMAT_ARGB32, width, height, width * 4);
    self.pen = px_svg.cairo_create(self.surface);
    px_svg.cairo_scale(self.pen, width / document_width, height / document_height);
    RsvgRectangle all = { 0, 0, document_width, document_height };
    if (!px_svg.rsvg_handle_render_document(self.handle, self.pen, &all, &self.error) || px_svg.cairo_status(self.pen) != CAIRO_STATUS_SUCCESS)
        return fail(&self, err);
    px_svg.cairo_surface_flush(self.surface);
    return PX_OK;
}
