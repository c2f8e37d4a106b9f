/* Any bytes as an SVG, up to where librsvg would draw it: recognised, read, its pictures judged. What it lets pass is within its bounds.
 * (librsvg itself is fuzzed where it is made.) */
#include <stdlib.h>

#include "codec/formats.h"
#include "codec/svg/embedded.h"
#include "codec/svg/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    px_svg_head head;
    (void)px_svg_is((px_bytes){ data, count < PX_FORMAT_FIRST_BYTES ? count : PX_FORMAT_FIRST_BYTES });
    if (px_svg_read_head((px_bytes){ data, count }, &limits, &head, NULL) == PX_OK &&
        (!(head.width >= 0) || !(head.height >= 0) || head.elements < 1 || head.elements > PX_SVG_ELEMENTS_MAX))
        abort();
    return 0;
}
