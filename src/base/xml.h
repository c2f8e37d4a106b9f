/* xml.h - the small XML bodies that S3 and its kin speak, read element by element, and texts written into them. */
#ifndef PX_BASE_XML_H
#define PX_BASE_XML_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/status.h"

#define PX_XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define PX_XMLNS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

/* An element has ended: "Delete/Object/Key", and the text right before its end. Both are borrowed. False refuses the body. */
typedef bool px_xml_element(void *context, const char *path, const char *text);

/* A DOCTYPE (and so every entity of its own), depth over 8, a text over 4 kB or what is not well-formed: PX_BAD_REQUEST. */
PX_CHECKED px_status px_xml_read(px_bytes body, px_xml_element *element, void *context, px_error *err);

void px_xml_text(px_buffer *buffer, const char *name, const char *text); /* <name>escaped</name> */
void px_xml_escape(px_buffer *buffer, const char *text);

#endif
