/* One pass of expat over all of the document, which counts.
 *
 * What draws it later parses it again, and would follow entities and nesting as far as they go: here everything that it will meet is met
 * first, entities expanded, and given up at a bound. So it also works where nothing can draw. */
#include "codec/svg/head.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/libexpat.h"
#include "codec/formats.h"
#include "codec/svg/embedded.h"

enum { PIECE = 1 << 16, ENTITY_BYTES_MAX = 4096 };

typedef struct reading {
    XML_Parser parser;
    const px_limits *limits;
    px_svg_head head;
    int depth;
    uint64_t grown, most; /* bytes of names, attributes and text in UTF-8, entities expanded; how many there may be */
    px_status status;     /* our own verdict; expat has its own */
    px_error *err;
} reading;

static void refuse(reading *self, px_status status, const char *message)
{
    if (self->status == PX_OK)
        self->status = px_fail(self->err, status, "SVG: %s", message);
    XML_StopParser(self->parser, XML_FALSE);
}

/* ---- sizes ---- */

static const struct {
    char name[4];
    double pixels;
} units[] = { { "", 1 }, { "px", 1 }, { "pt", 96 / 72.0 }, { "pc", 16 }, { "mm", 96 / 25.4 }, { "cm", 96 / 2.54 }, { "q", 96 / 101.6 }, { "in", 96 },
              { "em", 16 }, { "rem", 16 }, { "ex", 8 } };

/* A length in pixels; NAN for one that is relative to what we do not know, or is none. */
static double length_of(const char *text)
{
    char unit[4] = "", *end;
    double value = strtod(text, &end);
    if (end == text)
        return NAN;
    for (size_t i = 0; i < sizeof unit - 1 && isalpha((unsigned char)end[i]); i++)
        unit[i] = (char)tolower((unsigned char)end[i]);
    const char *rest = end + strlen(unit);
    while (isspace((unsigned char)*rest))
        rest++;
    for (size_t i = 0; !*rest && i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].name) == 0)
            return value * units[i].pixels;
    return NAN;
}

/* The last two of a viewBox's four numbers; false if they are not there. */
static bool view_of(const char *text, double *ret_width, double *ret_height)
{
    double numbers[4];
    for (int i = 0; i < 4; i++) {
        char *end;
        while (isspace((unsigned char)*text) || *text == ',')
            text++;
        numbers[i] = strtod(text, &end);
        if (end == text || !isfinite(numbers[i]))
            return false;
        text = end;
    }
    *ret_width = numbers[2];
    *ret_height = numbers[3];
    return numbers[2] > 0 && numbers[3] > 0;
}

static double sensible(double side) { return side > 0 ? side : 0; }

static void read_size(px_svg_head *head, const XML_Char **attributes)
{
    double width = NAN, height = NAN, view_width = 300, view_height = 150;
    bool view = false;
    for (; attributes[0]; attributes += 2) {
        if (strcmp(attributes[0], "width") == 0)
            width = length_of(attributes[1]);
        else if (strcmp(attributes[0], "height") == 0)
            height = length_of(attributes[1]);
        else if (strcmp(attributes[0], "viewBox") == 0 && !view_of(attributes[1], &view_width, &view_height)) {
            view_width = 300;
            view_height = 150;
        } else if (strcmp(attributes[0], "viewBox") == 0)
            view = true;
    }
    bool no_width = isnan(width), no_height = isnan(height);
    if (no_width)
        width = view && !no_height ? height * view_width / view_height : view_width;
    if (no_height)
        height = view && !no_width ? width * view_height / view_width : view_height;
    head->width = sensible(width);
    head->height = sensible(height);
}

/* ---- what expat tells ---- */

static bool is_svg_name(const char *name)
{
    const char *colon = strrchr(name, ':');
    return strcmp(colon ? colon + 1 : name, "svg") == 0;
}

static void grow(reading *self, size_t bytes)
{
    self->grown += bytes;
    if (self->grown > self->most)
        refuse(self, PX_UNSUPPORTED_FORMAT, "its entities make it grow without end");
}

static bool is_reference(const char *name) { return strcmp(name, "href") == 0 || strcmp(name, "xlink:href") == 0; }

static void start_element(void *context, const XML_Char *name, const XML_Char **attributes)
{
    reading *self = context;
    if (self->head.elements == 0) {
        if (!is_svg_name(name)) {
            refuse(self, PX_UNSUPPORTED_FORMAT, "it is XML, but not an SVG");
            return;
        }
        read_size(&self->head, attributes);
    }
    if (++self->head.elements > PX_SVG_ELEMENTS_MAX)
        refuse(self, PX_UNSUPPORTED_FORMAT, "it has more than 200000 elements");
    if (++self->depth > PX_SVG_DEPTH_MAX)
        refuse(self, PX_UNSUPPORTED_FORMAT, "its elements are nested more than 200 deep");
    grow(self, strlen(name));
    for (; attributes[0] && self->status == PX_OK; attributes += 2) {
        grow(self, strlen(attributes[0]) + strlen(attributes[1]));
        if (is_reference(attributes[0]) && self->status == PX_OK) {
            self->status = px_svg_judge_embedded(attributes[1], self->limits, self->err);
            if (self->status != PX_OK)
                XML_StopParser(self->parser, XML_FALSE);
        }
    }
}

static void end_element(void *context, const XML_Char *name)
{
    (void)name;
    ((reading *)context)->depth--;
}

static void add_text(void *context, const XML_Char *text, int count)
{
    (void)text;
    grow(context, (size_t)count);
}

/* Design tools name their namespaces by entities. Such a one is short, and made of no other. */
static void declare_entity(void *context, const XML_Char *name, int is_parameter, const XML_Char *value, int count, const XML_Char *base,
                           const XML_Char *system_id, const XML_Char *public_id, const XML_Char *notation)
{
    (void)name, (void)base, (void)system_id, (void)public_id, (void)notation;
    if (is_parameter || !value)
        refuse(context, PX_UNSUPPORTED_FORMAT, "it has entities that are other files, which are never read");
    else if (count > ENTITY_BYTES_MAX || memchr(value, '&', (size_t)count))
        refuse(context, PX_UNSUPPORTED_FORMAT, "it has entities that are made of others, or are very long");
}

static px_status judge(const reading *self, px_error *err)
{
    enum XML_Error code = XML_GetErrorCode(self->parser);
    bool cut = code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN || code == XML_ERROR_PARTIAL_CHAR || code == XML_ERROR_UNCLOSED_CDATA_SECTION;
    if (code == XML_ERROR_NO_MEMORY)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room to read an SVG");
    if (code == XML_ERROR_AMPLIFICATION_LIMIT_BREACH)
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "SVG: its entities make it grow without end");
    return px_fail(err, cut ? PX_TRUNCATED_IMAGE : PX_CORRUPT_IMAGE, "SVG: line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(self->parser),
                   cut ? "it ends before its last element does" : XML_ErrorString(code));
}

static void reading_done(reading *self)
{
    if (self->parser)
        XML_ParserFree(self->parser);
}

px_status px_svg_read_head(px_bytes file, const px_limits *limits, px_svg_head *ret, px_error *err)
{
    if (file.count > PX_SVG_BYTES_MAX)
        return px_fail(err, PX_TOO_MANY_BYTES, "SVG: it has more than %d MiB", PX_SVG_BYTES_MAX >> 20);
    PX_TRY(px_expat_load(err));
    PX_AUTO(reading_done) reading self = { .parser = XML_ParserCreate(NULL), .limits = limits, .err = err, .most = (uint64_t)file.count * 2 + PX_SVG_GROWTH_MAX };
    if (!self.parser)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room to read an SVG");
    XML_SetUserData(self.parser, &self);
    XML_SetElementHandler(self.parser, start_element, end_element);
    XML_SetCharacterDataHandler(self.parser, add_text);
    XML_SetEntityDeclHandler(self.parser, declare_entity);
    for (size_t at = 0, count; at <= file.count; at += count) {
        count = file.count - at < PIECE ? file.count - at : PIECE;
        bool last = at + count == file.count;
        enum XML_Status good = XML_Parse(self.parser, (const char *)file.data + at, (int)count, last);
        PX_TRY(self.status);
        if (good != XML_STATUS_OK)
            return judge(&self, err);
        if (last)
            break;
    }
    *ret = self.head;
    return PX_OK;
}

/* ---- recognition: the first bytes ---- */

/* Behind `end`, or where the bytes end. */
static const char *behind(const char *at, const char *stop, const char *end)
{
    const char *found = memmem(at, (size_t)(stop - at), end, strlen(end));
    return found ? found + strlen(end) : stop;
}

static bool begins(const char *at, const char *stop, const char *with)
{
    return (size_t)(stop - at) >= strlen(with) && memcmp(at, with, strlen(with)) == 0;
}

/* An element of that name, with a prefix or without. Where a comment or a declaration goes on to the end of the first bytes, it may be one:
 * reading it says. */
bool px_svg_is(px_bytes first)
{
    const char *at = (const char *)first.data, *stop = at + first.count;
    if (begins(at, stop, "\xef\xbb\xbf"))
        at += 3;
    while (at < stop && isspace((unsigned char)*at))
        at++;
    if (at == stop || *at != '<')
        return false;
    while (at < stop) {
        if (isspace((unsigned char)*at))
            at++;
        else if (begins(at, stop, "<!DOCTYPE"))
            return begins(at, stop, "<!DOCTYPE svg");
        else if (begins(at, stop, "<!--"))
            at = behind(at, stop, "-->");
        else if (begins(at, stop, "<?xml"))
            at = behind(at, stop, "?>");
        else
            break;
    }
    if (at == stop)
        return first.count >= PX_FORMAT_FIRST_BYTES;
    const char *name = at + 1, *end = name;
    while (end < stop && (isalnum((unsigned char)*end) || *end == ':' || *end == '_' || *end == '-'))
        end++;
    return *at == '<' && end - name >= 3 && memcmp(end - 3, "svg", 3) == 0 && (end - name == 3 || end[-4] == ':') && (end == stop || !isalnum((unsigned char)*end));
}
