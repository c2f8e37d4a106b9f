/* The rare way over a block's rest. */
#include "codec/jpeg/block.h"

bool px_jpeg_skip_slowly(const px_jpeg_huffman *h, px_jpeg_bits *bits, int far)
{
    px_jpeg_bits b = *bits;
    uint32_t entry = 1;
    while (far < 64 && entry) {
        px_jpeg_refill(&b);
        entry = px_jpeg_look(h, PX_JPEG_AC, &b);
        px_jpeg_drop(&b, entry);
        far += px_jpeg_far(entry);
    }
    *bits = b;
    return entry && px_jpeg_ends_well(far, 64);
}
