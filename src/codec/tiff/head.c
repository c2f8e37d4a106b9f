/* TIFF 6.0, section 2, and BigTIFF: bytes of order, 42 or 43, the offset of the first directory; there entries of tag, type,
 * count, and the value or its offset. libtiff takes memory for values before anybody can judge them, and ignores those it cannot
 * read: so all are measured here. */
#include "codec/tiff/head.h"

typedef struct reader {
    px_bytes file;
    bool little, big;
} reader;

static uint64_t number(const reader *self, uint64_t at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | self->file.data[at + (unsigned)(self->little ? bytes - 1 - i : i)];
    return value;
}

static bool is_there(const reader *self, uint64_t at, uint64_t count) { return at <= self->file.count && count <= self->file.count - at; }

/* Bytes of a value of each type; 0: unknown. */
static const uint8_t type_bytes[19] = { 0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8 };

enum { SUBFILE = 254, WIDTH = 256, HEIGHT = 257, STRIP_OFFSETS = 273, STRIP_BYTES = 279, TILE_OFFSETS = 324, TILE_BYTES = 325, SUBDIRECTORIES = 330,
       XMP = 700, DNG_VERSION = 50706 };

static void take(px_tiff_head *head, unsigned tag, uint64_t value)
{
    uint32_t small = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    if (tag == SUBFILE)
        head->subfile = small;
    if (tag == WIDTH)
        head->width = small;
    if (tag == HEIGHT)
        head->height = small;
    head->subdirectories |= tag == SUBDIRECTORIES;
    head->negative |= tag == DNG_VERSION;
}

static px_status read_entry(const reader *self, uint64_t at, px_tiff_head *head, uint64_t *metadata, px_error *err)
{
    unsigned tag = (unsigned)number(self, at, 2), type = (unsigned)number(self, at + 2, 2);
    uint64_t count = number(self, at + 4, self->big ? 8 : 4), inside = self->big ? 8 : 4, value_at = at + 4 + inside;
    uint64_t each = type < sizeof type_bytes ? type_bytes[type] : 0;
    if (count > self->file.count && each)
        return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends before a value of its directory (tag %u)", tag);
    uint64_t bytes = count * each;
    if (bytes > inside)
        value_at = number(self, value_at, (int)inside);
    if (!is_there(self, value_at, bytes))
        return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends before a value of its directory (tag %u)", tag);
    bool place = tag == STRIP_OFFSETS || tag == STRIP_BYTES || tag == TILE_OFFSETS || tag == TILE_BYTES;
    *metadata += place ? 0 : bytes;
    if (tag == XMP && bytes)
        head->xmp = (px_bytes){ self->file.data + value_at, (size_t)bytes };
    if (count)
        take(head, tag, each && each <= 8 && type != 5 && type != 10 ? number(self, value_at, (int)each) : 0);
    return PX_OK;
}

px_status px_tiff_head_read(px_bytes file, const px_limits *limits, px_tiff_head *ret, px_error *err)
{
    reader self = { .file = file, .little = file.count > 0 && file.data[0] == 'I' };
    self.big = file.count >= 4 && number(&self, 2, 2) == 43;
    px_tiff_head head = { 0 };
    uint64_t entry_bytes = self.big ? 20 : 12, count_bytes = self.big ? 8 : 2, metadata = 0;
    if (file.count < (self.big ? 16 : 8))
        return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends in its head");
    uint64_t at = number(&self, self.big ? 8 : 4, self.big ? 8 : 4);
    if (!is_there(&self, at, count_bytes))
        return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends before its directory");
    uint64_t count = number(&self, at, (int)count_bytes);
    at += count_bytes;
    if (count > file.count / entry_bytes || !is_there(&self, at, count * entry_bytes))
        return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends in its directory");
    for (uint64_t i = 0; i < count; i++)
        PX_TRY(read_entry(&self, at + i * entry_bytes, &head, &metadata, err));
    if (metadata > limits->metadata_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "TIFF: more than %llu bytes of metadata (limits.metadata_bytes)",
                       (unsigned long long)limits->metadata_bytes);
    *ret = head;
    return PX_OK;
}
