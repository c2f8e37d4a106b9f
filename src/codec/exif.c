/* The orientation from an EXIF block: header, first directory, tag 0x0112.
 *
 * Every offset and count is a stranger's: each read goes through `number`, which gives 0 outside the block, so a
 * lying block costs at most one pass over its own bytes. */
#include "codec/exif.h"

#include <stdbool.h>

static uint32_t number(px_bytes tiff, bool little, uint64_t at, int bytes)
{
    if (at + (unsigned)bytes > tiff.count)
        return 0;
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | tiff.data[at + (unsigned)(little ? bytes - 1 - i : i)];
    return value;
}

int px_exif_orientation(px_bytes tiff)
{
    if (tiff.count < 8)
        return 1;
    bool little = tiff.data[0] == 'I' && tiff.data[1] == 'I';
    if ((!little && (tiff.data[0] != 'M' || tiff.data[1] != 'M')) || number(tiff, little, 2, 2) != 42)
        return 1;

    uint64_t directory = number(tiff, little, 4, 4);
    uint32_t count = number(tiff, little, directory, 2);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t entry = directory + 2 + 12u * (uint64_t)i;
        if (number(tiff, little, entry, 2) != 0x0112)
            continue;
        uint32_t type = number(tiff, little, entry + 2, 2);
        uint32_t value = number(tiff, little, entry + 8, type == 4 ? 4 : 2);
        bool sound = (type == 3 || type == 4) && number(tiff, little, entry + 4, 4) == 1;
        return sound && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

size_t px_exif_format(int orientation, uint8_t tiff[PX_EXIF_BYTES])
{
    static const uint8_t block[PX_EXIF_BYTES] = { 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                                                  0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0 };
    memcpy(tiff, block, sizeof block);
    tiff[19] = (uint8_t)orientation;
    return PX_EXIF_BYTES;
}
