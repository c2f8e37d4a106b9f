/* Tables are made from the codes once for each scan. */
#include "codec/jpeg/huffman.h"

/* Codes of one length follow each other, shorter ones are in front; none is all ones. */
static bool place_codes(const px_jpeg_codes *codes, px_jpeg_use use, px_jpeg_huffman *h)
{
    unsigned code = 0, count = 0;
    for (int length = 1; length <= 16; length++, code <<= 1) {
        h->first[length] = (int)count - (int)code;
        code += codes->counts[length];
        count += codes->counts[length];
        if (count > 256 || code >= 1u << length)
            return false;
        h->ends[length] = code << (16 - length);
    }
    memcpy(h->values, codes->values, sizeof h->values);
    for (unsigned i = 0; i < count && use == PX_JPEG_DC; i++)
        if (h->values[i] > 15)
            return false;
    return true;
}

/* The length and symbol of the code at the top of 16 bits; 0 if there is none within `most` bits. */
static int find_code(const px_jpeg_huffman *h, unsigned top, int most, int *ret_symbol)
{
    for (int length = 1; length <= most; length++)
        if (top < h->ends[length]) {
            *ret_symbol = h->values[(int)(top >> (16 - length)) + h->first[length]];
            return length;
        }
    return 0;
}

/* A symbol of DC is the length of the difference; others hold a run in the upper four bits, and the amplitude's length. */
static uint32_t entry_of(int length, int symbol, px_jpeg_use use)
{
    int size = symbol & 15, far = use == PX_JPEG_DC ? 1 : (symbol >> 4) + 1;
    if (use != PX_JPEG_DC && size == 0 && symbol != 0xf0) {
        far = PX_JPEG_BLOCK_ENDS;
        size = use == PX_JPEG_BAND ? symbol >> 4 : 0;
    }
    if (length + size > PX_JPEG_STEP_BITS)
        return 0;
    return (uint32_t)(length + size) | (uint32_t)far << 8 | (uint32_t)length << 16 | (uint32_t)size << 24;
}

/* Each code that the table looks at, in all places that begin with it. */
static void fill_codes(px_jpeg_huffman *h, const px_jpeg_codes *codes, px_jpeg_use use)
{
    const uint8_t *value = codes->values;
    memset(h->code, 0, sizeof h->code);
    for (unsigned length = 1, at = 0; length <= PX_JPEG_CODE_BITS; length++)
        for (int i = 0; i < codes->counts[length]; i++, value++) {
            uint32_t entry = entry_of((int)length, *value, use);
            for (unsigned end = at + (1u << (PX_JPEG_CODE_BITS - length)); at < end; at++)
                h->code[at] = entry;
        }
}

/* The entry of the code at the top of 16 bits, if it has no more than `most`; else 0. */
static uint32_t entry_at(const px_jpeg_huffman *h, px_jpeg_use use, unsigned top, int most)
{
    int symbol, length;
    uint32_t entry = h->code[top >> (16 - PX_JPEG_CODE_BITS)];
    if (entry == 0 && (length = find_code(h, top, most, &symbol)) != 0)
        entry = entry_of(length, symbol, use);
    return (int)(entry >> 16 & 31) <= most ? entry : 0;
}

static uint16_t skip_of(const px_jpeg_huffman *h, px_jpeg_use use, unsigned top)
{
    int taken = 0, far = 0;
    while (taken < PX_JPEG_SKIP_BITS && far < PX_JPEG_BLOCK_ENDS) {
        uint32_t entry = entry_at(h, use, top << taken & 0xffff, PX_JPEG_SKIP_BITS - taken);
        int next_far = far + (int)(entry >> 8 & 255);
        bool ends_many = next_far >= PX_JPEG_BLOCK_ENDS && entry >> 24;
        if (!entry || ends_many || taken + (int)(entry & 63) > PX_JPEG_STEP_BITS || (next_far & (PX_JPEG_BLOCK_ENDS - 1)) > 64)
            break;
        taken += (int)(entry & 63);
        far = next_far;
    }
    return (uint16_t)(taken ? taken | far << 8 : PX_JPEG_NOWHERE << 8);
}

bool px_jpeg_huffman_make(const px_jpeg_codes *codes, px_jpeg_use use, px_jpeg_huffman *h)
{
    if (!codes->there || !place_codes(codes, use, h))
        return false;
    fill_codes(h, codes, use);
    for (unsigned i = 0; i < 1u << PX_JPEG_SKIP_BITS && use != PX_JPEG_DC; i++)
        h->skip[i] = skip_of(h, use, i << (16 - PX_JPEG_SKIP_BITS));
    return true;
}

uint32_t px_jpeg_long_code(const px_jpeg_huffman *h, px_jpeg_use use, px_jpeg_bits *bits)
{
    int symbol = 0, length = find_code(h, (unsigned)(bits->bits >> 48), 16, &symbol);
    px_jpeg_drop(bits, (unsigned)length);
    px_jpeg_refill(bits);
    return length ? entry_of(0, symbol, use) : 0;
}
