/* An AVIF without what is not the picture. Nothing is cut out of the file: a new one is made around the coded pixels, which are copied.
 *
 * From the primary item on, what it is made of (dimg) and its alpha (auxl) are kept, with those of their properties that are known and
 * that any of them uses; everything else - EXIF, XMP, thumbnails, depth, gain maps, names, what nobody points at - is left behind. What is
 * to stay of EXIF and XMP comes in as items of its own. Places of properties stay as they are: one that is gone becomes a free box.
 * A file that is not understood to its last item is not cleaned, but encoded again. */
#include "codec/avif/clean.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/file.h"
#include "codec/big_endian.h"
#include "codec/boxes.h"
#include "codec/copy.h"
#include "codec/formats.h"
#include "codec/items.h"

enum { PROPERTIES_MAX = 1024, USES_MAX = 16384, PASSES = 8, PLACES_MAX = 4096 + 2, SIZE_MAX_32 = 1 << 30 };

/* 23008-12 6.5: that an item has a property. */
typedef struct use {
    uint32_t item;
    int property; /* counted from 1 */
    bool essential;
} use;

/* A box inside of iref: from one item to several. */
typedef struct reference {
    char type[4];
    uint32_t from;
    px_bytes to;
    int each; /* bytes of an id */
} reference;

typedef struct cleaner {
    px_bytes file;
    px_items items;                  /* owned */
    bool *kept;                      /* owned; of each item */
    px_bytes properties[PROPERTIES_MAX]; /* whole boxes */
    bool used[PROPERTIES_MAX];
    int property_count, use_count;
    use *uses;                       /* owned */
    px_bytes exif, xmp;              /* to be added */
    px_buffer head;                  /* owned; all in front of the pixels */
    size_t places[PLACES_MAX];       /* in `head`: where an offset of iloc is to be put */
    int place_count;
} cleaner;

static void cleaner_destroy(cleaner **self)
{
    if (!*self)
        return;
    px_items_done(&(*self)->items);
    free((*self)->kept);
    free((*self)->uses);
    px_buffer_done(&(*self)->head);
    free(*self);
}

/* ---- what is there ---- */

static bool read_properties(cleaner *self, const px_box *ipco)
{
    px_box b;
    bool cut = false;
    for (uint64_t at = ipco->from; at <= ipco->to && px_box_at(self->file, at, ipco->to, &b, &cut); at = b.to) {
        if (cut || self->property_count == PROPERTIES_MAX)
            return false;
        self->properties[self->property_count++] = (px_bytes){ self->file.data + at, (size_t)(b.to - at) };
    }
    return true;
}

/* 23008-12 9.3.2. */
static bool read_uses(cleaner *self, const px_box *ipma)
{
    const uint8_t *at = self->file.data + ipma->from, *end = self->file.data + ipma->to;
    if (self->uses || end - at < 8 || !(self->uses = calloc(USES_MAX, sizeof *self->uses)))
        return false; /* two tables */
    int id_bytes = at[0] ? 4 : 2, index_bytes = at[3] & 1 ? 2 : 1;
    uint32_t count = px_get_32(at + 4);
    at += 8;
    for (uint32_t i = 0; i < count; i++) {
        if (end - at < id_bytes + 1)
            return false;
        uint32_t item = id_bytes == 4 ? px_get_32(at) : px_get_16(at);
        at += id_bytes;
        for (int left = *at++; left > 0; left--, at += index_bytes) {
            if (end - at < index_bytes || self->use_count == USES_MAX)
                return false;
            unsigned value = index_bytes == 2 ? px_get_16(at) : *at, top = index_bytes == 2 ? 0x8000 : 0x80;
            if ((value & (top - 1)) > (unsigned)self->property_count)
                return false;
            if (value & (top - 1)) /* 0: none */
                self->uses[self->use_count++] = (use){ item, (int)(value & (top - 1)), value & top };
        }
    }
    return true;
}

static bool read_iprp(cleaner *self)
{
    px_bytes content = self->items.properties;
    uint64_t from = content.count ? (uint64_t)(content.data - self->file.data) : 0, end = from + content.count;
    px_box b, uses = { 0 };
    bool cut = false, sound = true;
    int lists = 0, tables = 0;
    for (uint64_t at = from; at <= end && px_box_at(self->file, at, end, &b, &cut) && !cut; at = b.to) {
        if (px_box_is(&b, "ipco") && lists++ == 0)
            sound = read_properties(self, &b);
        if (px_box_is(&b, "ipma") && tables++ == 0)
            uses = b;
    }
    return sound && !cut && lists == 1 && tables == 1 && read_uses(self, &uses);
}

/* The reference at *at of iref's content; moves *at behind it. */
static bool next_reference(const cleaner *self, uint64_t *at, reference *ret)
{
    px_bytes content = self->items.references;
    px_box b;
    bool cut = false;
    if (content.count < 4 || *at > content.count || !px_box_at(content, *at, content.count, &b, &cut) || cut)
        return false;
    int each = content.data[0] ? 4 : 2;
    const uint8_t *data = content.data + b.from;
    uint64_t count = b.to - b.from;
    *at = b.to;
    *ret = (reference){ .each = each };
    memcpy(ret->type, b.type, 4);
    if (count < (unsigned)each + 2)
        return true;
    ret->from = each == 4 ? px_get_32(data) : px_get_16(data);
    ret->to = (px_bytes){ data + each + 2, (size_t)((count - (unsigned)each - 2) / (unsigned)each * (unsigned)each) };
    return true;
}

static uint32_t id_at(const reference *r, size_t i) { return r->each == 4 ? px_get_32(r->to.data + i) : px_get_16(r->to.data + i); }

/* The index of an item; -1: there is none. */
static int find_item(const cleaner *self, uint32_t id)
{
    for (int i = 0; i < self->items.item_count; i++)
        if (self->items.items[i].id == id)
            return i;
    return -1;
}

static bool is_kept(const cleaner *self, uint32_t id)
{
    int i = find_item(self, id);
    return i >= 0 && self->kept[i];
}

static bool is_box(px_bytes box, const char *type) { return box.count >= 8 && memcmp(box.data + 4, type, 4) == 0; }

/* Is the item alpha, by what it says of itself (AV1-AVIF 4)? */
static bool is_alpha(const cleaner *self, uint32_t id)
{
    static const char urn[] = "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha";
    for (int i = 0; i < self->use_count; i++) {
        px_bytes box = self->properties[self->uses[i].property - 1];
        if (self->uses[i].item == id && is_box(box, "auxC") && box.count >= 12 + sizeof urn && memcmp(box.data + 12, urn, sizeof urn) == 0)
            return true;
    }
    return false;
}

static bool keep(cleaner *self, uint32_t id)
{
    int i = find_item(self, id);
    if (i >= 0)
        self->kept[i] = true;
    return i >= 0;
}

/* Follows the references from the primary item, as deep as they go (codec/boxes.c has refused circles). */
static bool keep_all(cleaner *self)
{
    bool sound = keep(self, self->items.primary);
    reference r;
    for (int pass = 0; pass < PASSES && sound; pass++)
        for (uint64_t at = 4; sound && next_reference(self, &at, &r);) {
            if (memcmp(r.type, "auxl", 4) == 0 && r.to.count && is_kept(self, id_at(&r, 0)) && is_alpha(self, r.from))
                sound = keep(self, r.from);
            for (size_t i = 0; i < r.to.count && memcmp(r.type, "dimg", 4) == 0 && is_kept(self, r.from) && sound; i += (size_t)r.each)
                sound = keep(self, id_at(&r, i));
        }
    return sound;
}

/* ---- what of it is understood ---- */

static bool is_known(px_bytes box)
{
    static const char known[] = "ispepixiav1Ccolrirotimirclappaspa1opa1lxlselcllimdcv";
    for (const char *type = known; *type; type += 4)
        if (is_box(box, type))
            return true;
    return is_box(box, "auxC");
}

static bool are_items_known(const cleaner *self)
{
    uint64_t bytes = 0;
    for (int i = 0; i < self->items.item_count; i++) {
        const px_item *item = &self->items.items[i];
        if (self->kept[i] && (item->id > 0xfff0 || !item->extents || (strcmp(item->type, "av01") != 0 && strcmp(item->type, "grid") != 0)))
            return false;
    }
    for (int i = 0; i < self->items.extent_count; i++)
        bytes += self->items.extents[i].bytes.count;
    return bytes <= self->file.count && bytes < SIZE_MAX_32; /* no piece is there twice */
}

/* Marks the properties that go along; an essential one that is unknown cannot be left behind. */
static bool use_properties(cleaner *self)
{
    for (int i = 0; i < self->use_count; i++) {
        const use *u = &self->uses[i];
        bool known = is_known(self->properties[u->property - 1]);
        if (is_kept(self, u->item) && u->essential && !known)
            return false;
        self->used[u->property - 1] |= is_kept(self, u->item) && known;
    }
    return true;
}

static bool understand(cleaner *self)
{
    self->items = px_items_read(self->file);
    if (self->items.odd || self->items.sequence || !(self->kept = calloc((size_t)self->items.item_count + 1, sizeof *self->kept)))
        return false;
    return read_iprp(self) && keep_all(self) && are_items_known(self) && use_properties(self);
}

/* ---- the new file ---- */

static void put(cleaner *self, uint32_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        px_buffer_push(&self->head, &(uint8_t){ (uint8_t)(value >> (8 * i)) }, 1);
}

/* Begins a box; a full one with its version and flags. Returns what `end` wants. */
static size_t begin(cleaner *self, const char *type)
{
    size_t at = self->head.count;
    put(self, 0, 4);
    px_buffer_push(&self->head, type, 4);
    return at;
}

static size_t begin_full(cleaner *self, const char *type, uint32_t version_and_flags)
{
    size_t at = begin(self, type);
    put(self, version_and_flags, 4);
    return at;
}

static void end(cleaner *self, size_t at)
{
    if (!px_buffer_failed(&self->head))
        px_put_32((uint8_t *)self->head.data + at, (uint32_t)(self->head.count - at));
}

static void put_entry(cleaner *self, uint32_t id, const char *type, bool hidden)
{
    size_t at = begin_full(self, "infe", 2u << 24 | hidden);
    put(self, id, 2);
    put(self, 0, 2);
    px_buffer_push(&self->head, type, 4);
    put(self, 0, 1); /* no name */
    if (strcmp(type, "mime") == 0)
        px_buffer_push(&self->head, "application/rdf+xml", 20);
    end(self, at);
}

static void put_place(cleaner *self, uint32_t id, size_t count)
{
    put(self, id, 2);
    put(self, 0, 2);
    put(self, 1, 2);
    self->places[self->place_count++] = self->head.count;
    put(self, 0, 4);
    put(self, (uint32_t)count, 4);
}

static size_t item_bytes(const cleaner *self, uint32_t id)
{
    size_t bytes = 0;
    for (int i = 0; i < self->items.extent_count; i++)
        bytes += self->items.extents[i].item == id ? self->items.extents[i].bytes.count : 0;
    return bytes;
}

/* The items that are there, and those that are added, by ids behind the others. */
typedef struct listed {
    int count;
    uint32_t exif, xmp; /* 0: none */
} listed;

static listed list_items(const cleaner *self)
{
    listed l = { 0 };
    uint32_t last = 0;
    for (int i = 0; i < self->items.item_count; i++)
        if (self->kept[i]) {
            l.count++;
            last = self->items.items[i].id > last ? self->items.items[i].id : last;
        }
    l.exif = self->exif.count ? ++last : 0;
    l.xmp = self->xmp.count ? ++last : 0;
    l.count += (l.exif != 0) + (l.xmp != 0);
    return l;
}

static void put_items(cleaner *self, const listed *l)
{
    const px_item *items = self->items.items;
    size_t at = begin_full(self, "iloc", 0);
    put(self, 0x4400, 2); /* offsets and lengths of four bytes */
    put(self, (uint32_t)l->count, 2);
    for (int i = 0; i < self->items.item_count; i++)
        if (self->kept[i])
            put_place(self, items[i].id, item_bytes(self, items[i].id));
    if (l->exif)
        put_place(self, l->exif, self->exif.count + 4);
    if (l->xmp)
        put_place(self, l->xmp, self->xmp.count);
    end(self, at);
    at = begin_full(self, "iinf", 0);
    put(self, (uint32_t)l->count, 2);
    for (int i = 0; i < self->items.item_count; i++)
        if (self->kept[i])
            put_entry(self, items[i].id, items[i].type, items[i].hidden);
    if (l->exif)
        put_entry(self, l->exif, "Exif", false);
    if (l->xmp)
        put_entry(self, l->xmp, "mime", false);
    end(self, at);
}

static bool is_reference_kept(const cleaner *self, const reference *r)
{
    bool kept = r->to.count && is_kept(self, r->from) && (memcmp(r->type, "dimg", 4) == 0 || memcmp(r->type, "auxl", 4) == 0 || memcmp(r->type, "prem", 4) == 0);
    for (size_t i = 0; i < r->to.count && kept; i += (size_t)r->each)
        kept = is_kept(self, id_at(r, i));
    return kept;
}

static void put_reference(cleaner *self, const char *type, uint32_t from, const reference *to)
{
    size_t at = self->head.count;
    put(self, 0, 4);
    px_buffer_push(&self->head, type, 4);
    put(self, from, 2);
    put(self, to ? (uint32_t)(to->to.count / (unsigned)to->each) : 1, 2);
    if (!to)
        put(self, self->items.primary, 2);
    for (size_t i = 0; to && i < to->to.count; i += (size_t)to->each)
        put(self, id_at(to, i), 2);
    end(self, at);
}

static void put_references(cleaner *self, const listed *l)
{
    size_t at = begin_full(self, "iref", 0), empty = self->head.count;
    reference r;
    for (uint64_t from = 4; next_reference(self, &from, &r);)
        if (is_reference_kept(self, &r))
            put_reference(self, r.type, r.from, &r);
    if (l->exif)
        put_reference(self, "cdsc", l->exif, NULL);
    if (l->xmp)
        put_reference(self, "cdsc", l->xmp, NULL);
    end(self, at);
    if (self->head.count == empty)
        self->head.count = at; /* none */
}

static void put_uses(cleaner *self, const px_item *item, int bytes)
{
    int count = 0;
    for (int i = 0; i < self->use_count; i++)
        count += self->uses[i].item == item->id && self->used[self->uses[i].property - 1] && count < 255;
    put(self, item->id, 2);
    put(self, (uint32_t)count, 1);
    for (int i = 0; i < self->use_count && count > 0; i++) {
        const use *u = &self->uses[i];
        if (u->item != item->id || !self->used[u->property - 1])
            continue;
        put(self, (u->essential ? 1u << (8 * bytes - 1) : 0) | (uint32_t)u->property, bytes);
        count--;
    }
}

static void put_properties(cleaner *self, int kept)
{
    size_t iprp = begin(self, "iprp"), at = begin(self, "ipco");
    for (int i = 0; i < self->property_count; i++)
        if (self->used[i])
            px_buffer_push(&self->head, self->properties[i].data, self->properties[i].count);
        else
            end(self, begin(self, "free"));
    end(self, at);
    int bytes = self->property_count > 127 ? 2 : 1;
    at = begin_full(self, "ipma", bytes == 2);
    put(self, (uint32_t)kept, 4);
    for (int i = 0; i < self->items.item_count; i++)
        if (self->kept[i])
            put_uses(self, &self->items.items[i], bytes);
    end(self, at);
    end(self, iprp);
}

static void put_brands(cleaner *self)
{
    size_t at = begin(self, "ftyp");
    px_buffer_push(&self->head, "avif\0\0\0\0avifmif1miaf", 20);
    for (const char *brand = "MA1BMA1A"; *brand; brand += 4)
        if (px_boxes_have_brand(self->file, (char[]){ brand[0], brand[1], brand[2], brand[3], 0 }, false))
            px_buffer_push(&self->head, brand, 4);
    end(self, at);
}

static void put_handler(cleaner *self)
{
    size_t at = begin_full(self, "hdlr", 0);
    px_buffer_push(&self->head, "\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0", 21);
    end(self, at);
}

/* The head of the box that holds the pixels, and where in it each item begins, now that the size of all in front is known. */
static void put_data_head(cleaner *self)
{
    uint32_t offset = (uint32_t)self->head.count + 8, from = offset;
    for (int i = 0; i < self->place_count && !px_buffer_failed(&self->head); i++) {
        uint8_t *place = (uint8_t *)self->head.data + self->places[i];
        px_put_32(place, offset);
        offset += px_get_32(place + 4);
    }
    put(self, offset - from + 8, 4);
    px_buffer_push(&self->head, "mdat", 4);
}

static bool build_head(cleaner *self)
{
    listed l = list_items(self);
    put_brands(self);
    size_t meta = begin_full(self, "meta", 0);
    put_handler(self);
    size_t at = begin_full(self, "pitm", 0);
    put(self, self->items.primary, 2);
    end(self, at);
    put_items(self, &l);
    put_references(self, &l);
    put_properties(self, l.count - (l.exif != 0) - (l.xmp != 0));
    end(self, meta);
    put_data_head(self);
    return !px_buffer_failed(&self->head);
}

static px_status write_data(const cleaner *self, int fd, px_error *err)
{
    for (int i = 0; i < self->items.item_count; i++)
        for (int k = 0; k < self->items.extent_count && self->kept[i]; k++)
            if (self->items.extents[k].item == self->items.items[i].id)
                PX_TRY(px_write_all(fd, self->items.extents[k].bytes.data, self->items.extents[k].bytes.count, "the output", err));
    if (self->exif.count) {
        PX_TRY(px_write_all(fd, "\0\0\0\0", 4, "the output", err)); /* the TIFF block begins at once */
        PX_TRY(px_write_all(fd, self->exif.data, self->exif.count, "the output", err));
    }
    return px_write_all(fd, self->xmp.data, self->xmp.count, "the output", err);
}

bool px_avif_is_cleanable(px_bytes file)
{
    PX_AUTO(cleaner_destroy) cleaner *self = calloc(1, sizeof *self);
    if (self)
        self->file = file;
    return self && understand(self);
}

static px_status clean(px_bytes file, const px_encoder_spec *spec, int fd, uint64_t *ret_bytes, px_error *err)
{
    PX_AUTO(cleaner_destroy) cleaner *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for the places of a picture's items");
    self->file = file;
    self->exif = spec->exif;
    self->xmp = spec->xmp;
    if (!understand(self))
        return px_fail(err, PX_CORRUPT_IMAGE, "AVIF: the file is not laid out as the decoder saw it");
    if (!build_head(self))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for the head of a picture");
    PX_TRY(px_write_all(fd, self->head.data, self->head.count, "the output", err));
    PX_TRY(write_data(self, fd, err));
    *ret_bytes = self->head.count + px_get_32((const uint8_t *)self->head.data + self->head.count - 8) - 8;
    return PX_OK;
}

px_status px_avif_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err)
{
    return px_copy_run_whole(spec, source, fd, clean, ret_bytes, err);
}
