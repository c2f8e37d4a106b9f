/* Any bytes as an XML body. Paths and texts stay within their bounds, and what is written of them reads back the same. */
#include <stdlib.h>
#include <string.h>

#include "base/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

static bool compare(void *context, const char *path, const char *text)
{
    if (strcmp(path, "T") != 0 || strcmp(text, context) != 0)
        abort();
    return true;
}

static bool judge(void *context, const char *path, const char *text)
{
    (void)context;
    if (!*path || strlen(path) > 255 || strlen(text) > 4096)
        abort();
    px_buffer out = { 0 };
    px_xml_text(&out, "T", text);
    if (px_xml_read(px_buffer_bytes(&out), compare, (void *)(uintptr_t)text, NULL) != PX_OK)
        abort();
    px_buffer_done(&out);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    char *copy = malloc(count + !count);
    memcpy(copy, data, count);
    (void)!px_xml_read((px_bytes){ (const uint8_t *)copy, count }, judge, NULL, NULL);
    free(copy);
    return 0;
}
