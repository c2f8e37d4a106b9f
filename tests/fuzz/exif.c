/* Any bytes as an EXIF block, rewritten under each policy: first byte the orientation. What comes out is within its bounds, says
 * that orientation, holds nothing of a place unless everything was to be kept, and rewritten again is the same. */
#include <stdlib.h>
#include <string.h>

#include "codec/exif.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

/* Is there an entry of this tag in the first directory? (Our own blocks are sound: big or little endian, IFD0 at 8.) */
static int has_tag(const uint8_t *block, size_t count, unsigned tag)
{
    if (count < 10)
        return 0;
    int little = block[0] == 'I';
    unsigned entries = little ? block[8] | block[9] << 8 : block[8] << 8 | block[9];
    if (10 + entries * 12 + 4 > count)
        abort();
    for (unsigned i = 0; i < entries; i++) {
        const uint8_t *at = block + 10 + 12 * i;
        if ((unsigned)(little ? at[0] | at[1] << 8 : at[0] << 8 | at[1]) == tag)
            return 1;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    if (count < 1 || count > PX_EXIF_BYTES_MAX)
        return 0;
    int orientation = data[0] % 8 + 1;
    uint8_t *copy = malloc(count - 1 + (count == 1)), *first = malloc(PX_EXIF_BYTES_MAX), *second = malloc(PX_EXIF_BYTES_MAX);
    memcpy(copy, data + 1, count - 1); /* so that the sanitizer sees a step too far */
    for (int strip = 0; strip < PX_STRIP_COUNT; strip++) {
        size_t bytes = px_exif_rewrite((px_bytes){ copy, count - 1 }, (px_strip)strip, orientation, first);
        if (bytes > PX_EXIF_BYTES_MAX || (bytes && px_exif_orientation((px_bytes){ first, bytes }) != orientation))
            abort();
        if (strip != PX_STRIP_NONE && has_tag(first, bytes, 0x8825))
            abort();
        size_t again = px_exif_rewrite((px_bytes){ first, bytes }, (px_strip)strip, orientation, second);
        if (again != bytes || memcmp(first, second, bytes) != 0)
            abort();
    }
    free(copy);
    free(first);
    free(second);
    return 0;
}
