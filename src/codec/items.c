/* Three boxes tell of the items: iinf names them, iloc says where they lie, pitm which is the picture. Every number is read through a
 * cursor that gives 0 behind the end of its box and remembers that it did: a table that lies ends there. Items and extents are counted
 * by 16 and 32 bits, so both are bound. */
#include "codec/items.h"

#include <stdlib.h>

#include "codec/big_endian.h"
#include "codec/boxes.h"
#include "codec/formats.h"

enum { ITEMS_MAX = 4096, EXTENTS_MAX = 8192 };

/* What is left of a box. */
typedef struct cursor {
    px_bytes left;
    bool over; /* more was asked for than there is */
} cursor;

static uint64_t take(cursor *self, unsigned bytes)
{
    uint64_t value = 0;
    if (self->left.count < bytes) {
        self->over = true;
        self->left.count = 0;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | *self->left.data++;
    self->left.count -= bytes;
    return value;
}

/* A text that ends with a NUL; behind it the cursor goes on. */
static const char *take_text(cursor *self)
{
    size_t length = strnlen((const char *)self->left.data, self->left.count);
    if (length == self->left.count) {
        self->over = true;
        return "";
    }
    const char *text = (const char *)self->left.data;
    self->left = (px_bytes){ self->left.data + length + 1, self->left.count - length - 1 };
    return text;
}

static px_bytes content_of(px_bytes file, const px_box *b) { return (px_bytes){ file.data + b->from, (size_t)(b->to - b->from) }; }

/* 8.11.6, version 2 or 3. */
static void read_entry(px_items *self, px_bytes content)
{
    cursor c = { .left = content };
    unsigned version = (unsigned)take(&c, 1), flags = (unsigned)take(&c, 3);
    px_item *item = &self->items[self->item_count];
    *item = (px_item){ .hidden = flags & 1 };
    if (version < 2 || version > 3 || self->item_count == ITEMS_MAX) {
        self->odd = true;
        return;
    }
    item->id = (uint32_t)take(&c, version == 2 ? 2 : 4);
    self->odd |= take(&c, 2) != 0; /* protected */
    if (c.left.count >= 4)
        memcpy(item->type, c.left.data, 4);
    take(&c, 4);
    take_text(&c); /* its name */
    if (memcmp(item->type, "mime", 4) == 0) {
        bool packet = strcmp(take_text(&c), "application/rdf+xml") == 0;
        item->xmp = packet && !c.over && (c.left.count == 0 || *c.left.data == 0); /* and not compressed */
    }
    self->item_count++;
}

static void read_entries(px_items *self, px_bytes file, const px_box *iinf)
{
    uint64_t head = iinf->to > iinf->from && file.data[iinf->from] ? 8 : 6, at = iinf->from + head;
    px_box b;
    bool cut = false;
    if (self->items || !(self->items = calloc(ITEMS_MAX + 1, sizeof *self->items))) {
        self->odd = true; /* two tables, or no room */
        return;
    }
    for (; at <= iinf->to && px_box_at(file, at, iinf->to, &b, &cut) && !cut; at = b.to)
        if (px_box_is(&b, "infe"))
            read_entry(self, content_of(file, &b));
    self->odd |= cut;
}

/* One piece, `from` the file or the idat box. */
static void add_extent(px_items *self, uint32_t item, px_bytes from, uint64_t at, uint64_t count)
{
    if (count == 0 || at > from.count || count > from.count - at || self->extent_count == EXTENTS_MAX) {
        self->odd = true;
        return;
    }
    self->extents[self->extent_count++] = (px_extent){ item, { from.data + at, (size_t)count } };
}

/* 8.11.3. */
static void read_places(px_items *self, px_bytes file, px_bytes idat, px_bytes content)
{
    cursor c = { .left = content };
    unsigned version = (unsigned)take(&c, 1);
    take(&c, 3);
    unsigned sizes = (unsigned)take(&c, 2), wide = version == 2 ? 4 : 2;
    unsigned offset = sizes >> 12, length = sizes >> 8 & 15, base_size = sizes >> 4 & 15, index = version ? sizes & 15 : 0;
    self->odd |= version > 2 || offset > 8 || length > 8 || base_size > 8 || index > 8 || self->extents;
    if (self->odd || !(self->extents = calloc(EXTENTS_MAX, sizeof *self->extents))) {
        self->odd = true;
        return;
    }
    uint64_t count = take(&c, wide);
    for (uint64_t i = 0; i < count && !c.over && !self->odd; i++) {
        uint32_t id = (uint32_t)take(&c, wide);
        unsigned method = version ? (unsigned)take(&c, 2) & 15 : 0;
        self->odd |= method > 1;
        self->odd |= take(&c, 2) != 0; /* in another file */
        uint64_t base = take(&c, base_size), pieces = take(&c, 2);
        for (uint64_t k = 0; k < pieces && !c.over && !self->odd; k++) {
            take(&c, index);
            uint64_t at = take(&c, offset), bytes = take(&c, length);
            add_extent(self, id, method == 1 ? idat : file, at > UINT64_MAX - base ? UINT64_MAX : base + at, bytes);
        }
    }
    self->odd |= c.over;
}

static void count_extents(px_items *self)
{
    for (int i = 0; i < self->item_count; i++)
        for (int k = 0; k < self->extent_count; k++)
            self->items[i].extents += self->extents[k].item == self->items[i].id;
}

static void read_meta(px_items *self, px_bytes file, const px_box *meta)
{
    px_bytes idat = { 0 }, places = { 0 };
    px_box b;
    bool cut = false;
    for (uint64_t at = meta->from + 4; at <= meta->to && px_box_at(file, at, meta->to, &b, &cut) && !cut; at = b.to) {
        px_bytes content = content_of(file, &b);
        cursor c = { .left = content };
        if (px_box_is(&b, "pitm") && content.count)
            self->primary = (uint32_t)(take(&c, 4) >> 24 ? take(&c, 4) : take(&c, 2));
        else if (px_box_is(&b, "iinf"))
            read_entries(self, file, &b);
        else if (px_box_is(&b, "iloc"))
            places = content;
        else if (px_box_is(&b, "idat"))
            idat = content;
        else if (px_box_is(&b, "iref"))
            self->references = content;
        else if (px_box_is(&b, "iprp"))
            self->properties = content;
    }
    self->odd |= cut;
    if (places.count)
        read_places(self, file, idat, places);
    count_extents(self);
}

px_items px_items_read(px_bytes file)
{
    px_items self = { 0 };
    px_box b;
    bool cut = false, met = false;
    for (uint64_t at = 0; px_box_at(file, at, file.count, &b, &cut) && !cut; at = b.to) {
        self.sequence |= px_box_is(&b, "moov");
        if (px_box_is(&b, "meta") && !met)
            read_meta(&self, file, &b);
        met |= px_box_is(&b, "meta");
    }
    self.odd |= cut || !met;
    return self;
}

void px_items_done(px_items *items)
{
    free(items->items);
    free(items->extents);
    items->items = NULL;
    items->extents = NULL;
}

/* The bytes of an item that come in one piece; none of another. */
static px_bytes whole_of(const px_items *self, const px_item *item)
{
    for (int i = 0; i < self->extent_count && item->extents == 1; i++)
        if (self->extents[i].item == item->id)
            return self->extents[i].bytes;
    return (px_bytes){ 0 };
}

/* 23008-12 A.2.1: in front of the TIFF block the offset to it. */
static px_bytes tiff_of(px_bytes exif)
{
    uint64_t skip = exif.count >= 4 ? UINT64_C(4) + px_get_32(exif.data) : UINT64_MAX;
    return skip < exif.count && exif.count - skip <= PX_EXIF_BYTES_MAX ? (px_bytes){ exif.data + skip, exif.count - (size_t)skip } : (px_bytes){ 0 };
}

void px_items_metadata(px_bytes file, px_header *header)
{
    PX_AUTO(px_items_done) px_items items = px_items_read(file);
    for (int i = 0; i < items.item_count; i++) {
        px_bytes bytes = whole_of(&items, &items.items[i]);
        if (strcmp(items.items[i].type, "Exif") == 0 && !header->exif.count)
            header->exif = tiff_of(bytes);
        if (items.items[i].xmp && !header->xmp.count && bytes.count <= PX_EXIF_BYTES_MAX)
            header->xmp = bytes;
    }
}

bool px_items_are_tracks_only(px_bytes file)
{
    PX_AUTO(px_items_done) px_items items = px_items_read(file);
    return items.sequence && items.item_count == 0;
}

bool px_items_primary_is(px_bytes file, const char *types)
{
    PX_AUTO(px_items_done) px_items items = px_items_read(file);
    for (int i = 0; i < items.item_count; i++)
        for (const char *type = types; items.items[i].id == items.primary && *type; type += 4)
            if (memcmp(items.items[i].type, type, 4) == 0)
                return true;
    return false;
}
