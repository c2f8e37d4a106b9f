/* EXIF is a TIFF block: a header, and directories of entries (tag, type, count, value or its offset; TIFF 6.0 section 2).
 *
 * Every offset and count is a stranger's: each read goes through `number`, which gives 0 outside the block, so a lying block
 * costs at most one pass over its own bytes. A block is never edited but built anew, from the entries of the three directories
 * that matter (IFD0, Exif, GPS): what nobody points at - thumbnails, previews, padding - is left behind. */
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

/* ---- rewriting ---- */

enum { EXIF_DIRECTORY = 0x8769, GPS_DIRECTORY = 0x8825, ORIENTATION = 0x0112, ENTRIES = 256, OWN_ENTRIES = 3, ENTRY_BYTES = 12 };
enum { IFD0, EXIF, GPS, DIRECTORIES };

typedef struct entry {
    uint32_t tag, type, count;
    const uint8_t *value; /* in the source's block */
    size_t bytes;
} entry;

typedef struct directory {
    entry entries[ENTRIES + OWN_ENTRIES]; /* by tag */
    int count;
} directory;

typedef struct block {
    px_bytes tiff;
    bool little;
    px_strip strip;
    size_t room; /* bytes of the new block that are not yet spoken for */
    directory directories[DIRECTORIES];
} block;

typedef struct range {
    uint16_t first, last;
} range;

/* What PX_STRIP_GPS leaves. A list of what may stay, since makers invent tags: the camera and its settings, dates, artist and
 * copyright. Not in it are serial numbers, owners, notes of the maker, comments and all that tells of the place. */
static const range kept[] = {
    { 0x010e, 0x0110 }, /* description, make, model */
    { 0x011a, 0x011b }, { 0x0128, 0x0128 }, /* resolution */
    { 0x0131, 0x0132 }, { 0x013b, 0x013b }, { 0x8298, 0x8298 }, /* software, date, artist, copyright */
    { 0x829a, 0x829d }, { 0x8822, 0x8822 }, { 0x8824, 0x8824 }, { 0x8827, 0x8828 }, { 0x8830, 0x8835 }, /* exposure */
    { 0x9000, 0x9004 }, { 0x9010, 0x9012 }, { 0x9101, 0x9102 }, /* version, dates */
    { 0x9201, 0x920a }, { 0x9214, 0x9214 }, { 0x9290, 0x9292 }, /* how it was taken */
    { 0x9c9d, 0x9c9d }, /* artist, as Windows writes it */
    { 0xa000, 0xa000 }, { 0xa20b, 0xa20c }, { 0xa20e, 0xa210 }, { 0xa214, 0xa217 }, { 0xa300, 0xa302 },
    { 0xa401, 0xa40a }, { 0xa40c, 0xa40c }, { 0xa432, 0xa434 }, { 0xa437, 0xa437 }, /* the lens, the photographer */
};

/* What no output has: it tells where pixels, thumbnails or other directories lie, or of sizes, colours, pages
 * and layers that are no more. */
static const range gone[] = {
    { 0x00fe, 0x0103 }, { 0x0106, 0x010a }, { 0x0111, 0x0112 }, { 0x0115, 0x0119 }, { 0x011c, 0x011c }, { 0x0122, 0x0125 }, { 0x0129, 0x0129 },
    { 0x012d, 0x012d }, { 0x013d, 0x0145 }, { 0x014a, 0x014a }, { 0x014c, 0x0156 }, { 0x015b, 0x015b }, { 0x0200, 0x0214 }, { 0x02bc, 0x02bc },
    { 0x80e3, 0x80e6 }, { 0x83bb, 0x83bb }, { 0x8649, 0x8649 }, { 0x8769, 0x8769 }, { 0x8773, 0x8773 }, { 0x8825, 0x8825 }, { 0x935c, 0x935c },
    { 0xa001, 0xa003 }, { 0xa005, 0xa005 }, { 0xa500, 0xa500 },
};

static bool is_in(const range *ranges, size_t count, uint32_t tag)
{
    for (size_t i = 0; i < count; i++)
        if (tag >= ranges[i].first && tag <= ranges[i].last)
            return true;
    return false;
}

static bool is_wanted(const block *self, int which, uint32_t tag)
{
    if (which == GPS)
        return self->strip == PX_STRIP_NONE;
    if (is_in(gone, sizeof gone / sizeof *gone, tag))
        return false;
    return self->strip == PX_STRIP_NONE || is_in(kept, sizeof kept / sizeof *kept, tag);
}

/* Puts an entry into its place, if it is the first of its tag and there is room for it. */
static void add_entry(block *self, directory *to, const entry *one)
{
    size_t cost = ENTRY_BYTES + (one->bytes > 4 ? one->bytes + one->bytes % 2 : 0);
    int at = to->count;
    while (at > 0 && to->entries[at - 1].tag > one->tag)
        at--;
    if (to->count == ENTRIES + OWN_ENTRIES || cost > self->room || (at > 0 && to->entries[at - 1].tag == one->tag))
        return;
    memmove(to->entries + at + 1, to->entries + at, (size_t)(to->count - at) * sizeof *one);
    to->entries[at] = *one;
    to->count++;
    self->room -= cost;
}

/* Reads one directory; what points beyond the block, or is of no known type, is passed over. */
static void collect(block *self, int which, uint64_t offset)
{
    static const uint8_t sizes[] = { 0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8 };
    px_bytes tiff = self->tiff;
    uint32_t count = offset ? number(tiff, self->little, offset, 2) : 0;
    for (uint32_t i = 0; i < count && i < ENTRIES; i++) {
        uint64_t at = offset + 2 + ENTRY_BYTES * (uint64_t)i;
        entry one = { number(tiff, self->little, at, 2), number(tiff, self->little, at + 2, 2), number(tiff, self->little, at + 4, 4), NULL, 0 };
        if (at + ENTRY_BYTES > tiff.count)
            return;
        uint64_t size = one.type < sizeof sizes ? sizes[one.type] : one.type == 129 ? 1 : 0; /* 129: UTF-8, EXIF 3.0 */
        uint64_t bytes = size * one.count, value = bytes > 4 ? number(tiff, self->little, at + 8, 4) : at + 8;
        if (bytes == 0 || bytes > tiff.count || value > tiff.count - bytes || !is_wanted(self, which, one.tag))
            continue;
        one.value = tiff.data + value;
        one.bytes = (size_t)bytes;
        add_entry(self, &self->directories[which], &one);
    }
}

/* Where a directory of IFD0 lies; 0 without one. */
static uint64_t find_directory(const block *self, uint64_t ifd0, uint32_t tag)
{
    uint32_t count = number(self->tiff, self->little, ifd0, 2);
    for (uint32_t i = 0; i < count && i < ENTRIES; i++) {
        uint64_t at = ifd0 + 2 + ENTRY_BYTES * (uint64_t)i;
        if (number(self->tiff, self->little, at, 2) == tag)
            return number(self->tiff, self->little, at + 8, 4);
    }
    return 0;
}

static void put(const block *self, uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[self->little ? i : bytes - 1 - i] = (uint8_t)(value >> (8 * i));
}

static size_t directory_bytes(const directory *d)
{
    size_t bytes = 2 + ENTRY_BYTES * (size_t)d->count + 4;
    for (int i = 0; i < d->count; i++)
        bytes += d->entries[i].bytes > 4 ? d->entries[i].bytes + d->entries[i].bytes % 2 : 0;
    return bytes;
}

/* Writes a directory and behind it its values; returns where they end. */
static size_t write_directory(const block *self, const directory *d, size_t at, uint8_t *target)
{
    size_t values = at + 2 + ENTRY_BYTES * (size_t)d->count + 4;
    put(self, target + at, (unsigned)d->count, 2);
    for (int i = 0; i < d->count; i++) {
        const entry *one = &d->entries[i];
        uint8_t *to = target + at + 2 + ENTRY_BYTES * (size_t)i;
        put(self, to, one->tag, 2);
        put(self, to + 2, one->type, 2);
        put(self, to + 4, one->count, 4);
        put(self, to + 8, 0, 4);
        if (one->bytes <= 4) {
            memcpy(to + 8, one->value, one->bytes);
            continue;
        }
        put(self, to + 8, values, 4);
        memcpy(target + values, one->value, one->bytes);
        values += one->bytes;
        if (values % 2)
            target[values++] = 0;
    }
    put(self, target + at + 2 + ENTRY_BYTES * (size_t)d->count, 0, 4); /* no directory follows */
    return values;
}

static size_t minimal(int orientation, uint8_t *target) { return orientation > 1 ? px_exif_format(orientation, target) : 0; }

/* The three directories, one behind the other. IFD0 gets entries of ours: the orientation, and where the others begin. */
static size_t write_block(block *self, int orientation, uint8_t *target)
{
    directory *ifd0 = &self->directories[IFD0];
    uint8_t turn[2], exif_at[4], gps_at[4];
    put(self, turn, (unsigned)orientation, 2);
    if (orientation > 1)
        add_entry(self, ifd0, &(entry){ ORIENTATION, 3, 1, turn, 2 });
    if (self->directories[EXIF].count)
        add_entry(self, ifd0, &(entry){ EXIF_DIRECTORY, 4, 1, exif_at, 4 });
    if (self->directories[GPS].count)
        add_entry(self, ifd0, &(entry){ GPS_DIRECTORY, 4, 1, gps_at, 4 });
    size_t at = 8 + directory_bytes(ifd0);
    put(self, exif_at, at, 4);
    put(self, gps_at, at + (self->directories[EXIF].count ? directory_bytes(&self->directories[EXIF]) : 0), 4);

    memcpy(target, self->little ? "II" : "MM", 2);
    put(self, target + 2, 42, 2);
    put(self, target + 4, 8, 4);
    at = write_directory(self, ifd0, 8, target);
    for (int i = EXIF; i < DIRECTORIES; i++)
        if (self->directories[i].count)
            at = write_directory(self, &self->directories[i], at, target);
    return at;
}

size_t px_exif_rewrite(px_bytes tiff, px_strip strip, int orientation, uint8_t target[PX_EXIF_BYTES_MAX])
{
    enum { OURS = 8 + 3 * 6 + 3 * ENTRY_BYTES }; /* the header, what each directory has besides entries, and our entries */
    bool little = tiff.count >= 8 && memcmp(tiff.data, "II", 2) == 0;
    if (strip == PX_STRIP_ALL || tiff.count < 8 || (!little && memcmp(tiff.data, "MM", 2) != 0) || number(tiff, little, 2, 2) != 42)
        return minimal(orientation, target);
    block self = { .tiff = tiff, .little = little, .strip = strip, .room = PX_EXIF_BYTES_MAX - OURS };
    uint64_t ifd0 = number(tiff, little, 4, 4);
    collect(&self, IFD0, ifd0);
    collect(&self, EXIF, find_directory(&self, ifd0, EXIF_DIRECTORY));
    collect(&self, GPS, find_directory(&self, ifd0, GPS_DIRECTORY));
    if (!self.directories[IFD0].count && !self.directories[EXIF].count && !self.directories[GPS].count)
        return minimal(orientation, target);
    self.room = 3 * ENTRY_BYTES; /* our own */
    return write_block(&self, orientation, target);
}

px_bytes px_exif_of(const px_encoder_spec *spec, uint8_t room[PX_EXIF_BYTES])
{
    if (spec->exif.count)
        return spec->exif;
    return (px_bytes){ room, minimal(spec->orientation, room) };
}
