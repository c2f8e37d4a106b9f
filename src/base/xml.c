/* expat, with the path of open elements as one text, so that a reader is a few comparisons. */
#include "base/xml.h"

#include <string.h>

#include "base/libexpat.h"

enum { PATH_MAX_BYTES = 256, DEPTH_MAX = 8, TEXT_MAX = 4096 };

struct reading {
    XML_Parser parser;
    px_xml_element *element;
    void *context;
    char path[PATH_MAX_BYTES];
    size_t starts[DEPTH_MAX]; /* where each open element begins in the path, its '/' included */
    int depth;
    px_buffer text;           /* since the last start or end */
    bool refused;
};

static void refuse(struct reading *reading)
{
    reading->refused = true;
    XML_StopParser(reading->parser, XML_FALSE);
}

static void start_element(void *context, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    struct reading *reading = context;
    size_t used = strlen(reading->path), more = strlen(name) + 1;
    px_buffer_clear(&reading->text);
    if (reading->depth == DEPTH_MAX || used + more + 1 > PATH_MAX_BYTES) {
        refuse(reading);
        return;
    }
    reading->starts[reading->depth++] = used;
    if (used > 0)
        reading->path[used++] = '/';
    memcpy(reading->path + used, name, more);
}

static void end_element(void *context, const XML_Char *name)
{
    (void)name;
    struct reading *reading = context;
    if (reading->refused) /* expat ends an empty element also after a stop */
        return;
    bool good = !reading->text.failed &&
                reading->element(reading->context, reading->path, reading->text.count ? reading->text.data : "");
    reading->path[reading->starts[--reading->depth]] = '\0';
    px_buffer_clear(&reading->text);
    if (!good)
        refuse(reading);
}

static void add_text(void *context, const XML_Char *text, int count)
{
    struct reading *reading = context;
    if (reading->text.count + (size_t)count > TEXT_MAX)
        refuse(reading);
    else
        px_buffer_push(&reading->text, text, (size_t)count);
}

static void refuse_doctype(void *context, const XML_Char *name, const XML_Char *system, const XML_Char *public_id, int internal)
{
    (void)name, (void)system, (void)public_id, (void)internal;
    refuse(context);
}

px_status px_xml_read(px_bytes body, px_xml_element *element, void *context, px_error *err)
{
    PX_TRY(px_expat_load(err));
    struct reading reading = { .parser = XML_ParserCreate("UTF-8"), .element = element, .context = context };
    if (!reading.parser)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to read XML");
    XML_SetUserData(reading.parser, &reading);
    XML_SetElementHandler(reading.parser, start_element, end_element);
    XML_SetCharacterDataHandler(reading.parser, add_text);
    XML_SetStartDoctypeDeclHandler(reading.parser, refuse_doctype);
    bool good = body.count > 0 && body.count <= 1 << 26 &&
                XML_Parse(reading.parser, (const char *)body.data, (int)body.count, 1) == XML_STATUS_OK && !reading.refused;
    XML_ParserFree(reading.parser);
    px_buffer_done(&reading.text);
    return good ? PX_OK : px_fail(err, PX_BAD_REQUEST, "The XML you provided was not well-formed or did not validate against our published schema");
}

void px_xml_escape(px_buffer *buffer, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': px_buffer_text(buffer, "&amp;"); break;
        case '<': px_buffer_text(buffer, "&lt;"); break;
        case '>': px_buffer_text(buffer, "&gt;"); break;
        case '"': px_buffer_text(buffer, "&quot;"); break;
        default:
            if ((unsigned char)*text < ' ') /* not XML 1.0, but as S3 has it; encoding-type=url avoids it */
                px_buffer_format(buffer, "&#%d;", *text);
            else
                px_buffer_push(buffer, text, 1);
        }
    }
}

void px_xml_text(px_buffer *buffer, const char *name, const char *text)
{
    px_buffer_format(buffer, "<%s>", name);
    px_xml_escape(buffer, text);
    px_buffer_format(buffer, "</%s>", name);
}
