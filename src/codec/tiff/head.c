/* TIFF 6.0, section 2, and BigTIFF: bytes of order, 42 or 43, the offset of the first directory; there entries of tag, type,
 * count, and the value or its offset. libtiff takes memory for values before anybody can judge them, and ignores those it cannot
 * read: so all are measured here. */
#include "codec/tiff/head.h"

uint64_t px_tiff_number(const px_tiff_table *table, const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[table->little ? bytes - 1 - i : i];
    return value;
}

static bool is_there(px_bytes file, uint64_t at, uint64_t count) { return at <= file.count && count <= file.count - at; }

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

px_status px_tiff_table_find(px_bytes file, px_tiff_table *ret, px_error *err)
{
    px_tiff_table self = { .file = file, .little = file.count > 0 && file.data[0] == 'I' };
    self.big = file.count >= 4 && px_tiff_number(&self, file.data + 2, 2) == 43;
    unsigned entry_bytes = self.big ? 20 : 12, count_bytes = self.big ? 8 : 2;
    if (file.count < (self.big ? 16 : 8))
        return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends in its head");
    uint64_t at = px_tiff_number(&self, file.data + (self.big ? 8 : 4), self.big ? 8 : 4);
    if (!is_there(file, at, count_bytes))
        return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends before its directory");
    self.count = px_tiff_number(&self, file.data + at, count_bytes);
    self.at = at + count_bytes;
    if (self.count > file.count / entry_bytes || !is_there(file, self.at, self.count * entry_bytes))
        return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends in its directory");
    *ret = self;
    return PX_OK;
}

px_status px_tiff_table_entry(const px_tiff_table *table, uint64_t index, px_tiff_entry *ret, px_error *err)
{
    px_bytes file = table->file;
    uint64_t at = table->at + index * (table->big ? 20 : 12);
    unsigned inside = table->big ? 8 : 4;
    px_tiff_entry entry = { .tag = (unsigned)px_tiff_number(table, file.data + at, 2), .type = (unsigned)px_tiff_number(table, file.data + at + 2, 2),
                            .count = px_tiff_number(table, file.data + at + 4, inside) };
    entry.each = entry.type < sizeof type_bytes ? type_bytes[entry.type] : 0;
    uint64_t value_at = at + 4 + inside, bytes = entry.each && entry.count > file.count ? UINT64_MAX : entry.count * entry.each;
    if (bytes > inside && bytes != UINT64_MAX)
        value_at = px_tiff_number(table, file.data + value_at, inside);
    if (!is_there(file, value_at, bytes))
        return px_fail(err, PX_TRUNCATED_IMAGE, "TIFF: the file ends before a value of its directory (tag %u)", entry.tag);
    entry.value = (px_bytes){ file.data + value_at, (size_t)bytes };
    *ret = entry;
    return PX_OK;
}

static bool is_place(unsigned tag) { return tag == STRIP_OFFSETS || tag == STRIP_BYTES || tag == TILE_OFFSETS || tag == TILE_BYTES; }

px_status px_tiff_head_read(px_bytes file, const px_limits *limits, px_tiff_head *ret, px_error *err)
{
    px_tiff_table table;
    px_tiff_head head = { 0 };
    uint64_t metadata = 0;
    PX_TRY(px_tiff_table_find(file, &table, err));
    for (uint64_t i = 0; i < table.count; i++) {
        px_tiff_entry e;
        PX_TRY(px_tiff_table_entry(&table, i, &e, err));
        metadata += is_place(e.tag) ? 0 : e.value.count;
        bool number = e.each && e.each <= 8 && e.type != 5 && e.type != 10;
        if (e.tag == XMP)
            head.xmp = e.value;
        if (e.count)
            take(&head, e.tag, number ? px_tiff_number(&table, e.value.data, e.each) : 0);
    }
    if (metadata > limits->metadata_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "TIFF: more than %llu bytes of metadata (limits.metadata_bytes)",
                       (unsigned long long)limits->metadata_bytes);
    *ret = head;
    return PX_OK;
}
