/* A TIFF without what is not the picture: a new file of its first page, in the source's order of bytes, with the tags that decide the
 * pixels or their colour, and the strips or tiles as they are. What is to stay of EXIF and XMP comes in as when a picture is encoded.
 * BigTIFF becomes TIFF.
 *
 * The tags are a list of what stays, since anybody may invent some. Strips of JPEG are looked into: they may have markers of their own
 * with EXIF or comments, and then the picture is encoded again; so it is where a table is not as expected, or
 * strips overlap. */
#include "codec/tiff/clean.h"

#include "base/file.h"
#include "codec/copy.h"
#include "codec/formats.h"
#include "codec/tiff/directory.h"
#include "codec/tiff/head.h"

enum { COMPRESSION = 259, STRIP_OFFSETS = 273, ORIENTATION = 274, STRIP_BYTES = 279, TILE_OFFSETS = 324, TILE_BYTES = 325, JPEG_TABLES = 347, XMP = 700,
       JPEG = 7, OURS = 2 /* tags */ };

/* Sizes, samples, how they are packed, and their colours; in ascending order. ORIENTATION and XMP are ours. */
static const uint16_t kept[] = { 256, 257, 258, COMPRESSION, 262, 266, STRIP_OFFSETS, ORIENTATION, 277, 278, STRIP_BYTES, 284, 292, 293, 301, 317, 318, 319, 320,
                                 322, 323, TILE_OFFSETS, TILE_BYTES, 332, 334, 336, 338, 339, 340, 341, 342, JPEG_TABLES, 529, 530, 531, 532, XMP,
                                 32995, 32996, 34675 };
enum { KEPT = sizeof kept / sizeof *kept };

typedef struct cleaner {
    px_tiff_table table;
    px_tiff_entry entries[KEPT];     /* of each kept tag; count 0: it is not there */
    const px_tiff_entry *places, *sizes; /* of strips or tiles */
    int count;                       /* of the kept that are there */
    size_t value_bytes;
} cleaner;

static int index_of(unsigned tag)
{
    for (int i = 0; i < KEPT; i++)
        if (kept[i] == tag)
            return i;
    return -1;
}

static px_bytes piece_at(const cleaner *self, uint64_t i)
{
    uint64_t at = px_tiff_number(&self->table, self->places->value.data + i * self->places->each, self->places->each);
    uint64_t count = px_tiff_number(&self->table, self->sizes->value.data + i * self->sizes->each, self->sizes->each);
    px_bytes file = self->table.file;
    return at <= file.count && count <= file.count - at ? (px_bytes){ file.data + at, (size_t)count } : (px_bytes){ 0 };
}

/* Are there no markers but those of the picture, up to its first scan? */
static bool is_plain_jpeg(px_bytes data)
{
    size_t at = 2;
    while (at + 4 <= data.count && data.data[at] == 0xff && data.data[at + 1] != 0xda && data.data[at + 1] != 0xd9) {
        unsigned marker = data.data[at + 1], length = (unsigned)data.data[at + 2] << 8 | data.data[at + 3];
        bool jfif = marker == 0xe0 && length == 16, adobe = marker == 0xee && length == 14;
        if (length < 2 || marker == 0xfe || (marker >= 0xe0 && marker <= 0xef && !jfif && !adobe))
            return false;
        at += 2 + length;
    }
    return at + 1 < data.count && data.data[at] == 0xff && (data.data[at + 1] == 0xda || data.data[at + 1] == 0xd9);
}

static bool are_pieces_plain(const cleaner *self)
{
    const px_tiff_entry *compression = &self->entries[index_of(COMPRESSION)], *tables = &self->entries[index_of(JPEG_TABLES)];
    uint64_t all = 0;
    bool jpeg = compression->count && px_tiff_number(&self->table, compression->value.data, compression->each) == JPEG;
    if (tables->count && !(jpeg && is_plain_jpeg(tables->value)))
        return false;
    for (uint64_t i = 0; i < self->places->count; i++) {
        px_bytes piece = piece_at(self, i);
        all += piece.count;
        if (piece.count == 0 || all > self->table.file.count || (jpeg && !is_plain_jpeg(piece)))
            return false;
    }
    return true;
}

static bool is_number(const px_tiff_entry *e) { return e->type == 3 || e->type == 4 || e->type == 16; }

static bool understand(cleaner *self, px_bytes file)
{
    if (px_tiff_table_find(file, &self->table, NULL) != PX_OK)
        return false;
    for (uint64_t i = 0; i < self->table.count; i++) {
        px_tiff_entry e;
        if (px_tiff_table_entry(&self->table, i, &e, NULL) != PX_OK)
            return false;
        int known = index_of(e.tag);
        if (known < 0 || e.tag == ORIENTATION || e.tag == XMP || e.count == 0)
            continue;
        bool place = e.tag == STRIP_OFFSETS || e.tag == STRIP_BYTES || e.tag == TILE_OFFSETS || e.tag == TILE_BYTES;
        if (e.each == 0 || (place ? !is_number(&e) : e.type > 12) || self->entries[known].count || e.count > UINT32_MAX / 8)
            return false;
        self->entries[known] = e;
        self->count++;
        self->value_bytes += place ? 4 * (size_t)e.count : (e.value.count + 1) & ~(size_t)1;
    }
    bool tiled = self->entries[index_of(TILE_OFFSETS)].count;
    self->places = &self->entries[index_of(tiled ? TILE_OFFSETS : STRIP_OFFSETS)];
    self->sizes = &self->entries[index_of(tiled ? TILE_BYTES : STRIP_BYTES)];
    bool twice = tiled && self->entries[index_of(STRIP_OFFSETS)].count;
    return !twice && self->places->count && self->places->count == self->sizes->count && are_pieces_plain(self);
}

bool px_tiff_is_cleanable(px_bytes file)
{
    cleaner self = { 0 };
    return understand(&self, file);
}

static void fill(const cleaner *self, px_tiff_directory *d, const px_encoder_spec *spec)
{
    uint8_t *places = NULL, *sizes = NULL;
    uint32_t pieces = (uint32_t)self->places->count, from = (uint32_t)d->count;
    for (int i = 0; i < KEPT; i++) {
        const px_tiff_entry *e = &self->entries[i];
        if (kept[i] == ORIENTATION)
            px_tiff_add_number(d, ORIENTATION, PX_TIFF_SHORT, spec->orientation > 1 ? (uint32_t)spec->orientation : 1);
        else if (kept[i] == XMP)
            px_tiff_add_bytes(d, XMP, PX_TIFF_BYTE, spec->xmp);
        else if (e == self->places)
            places = px_tiff_add(d, e->tag, PX_TIFF_LONG, pieces, 4);
        else if (e == self->sizes)
            sizes = px_tiff_add(d, e->tag, PX_TIFF_LONG, pieces, 4);
        else if (e->count)
            memcpy(px_tiff_add(d, e->tag, e->type, (uint32_t)e->count, e->each), e->value.data, e->value.count);
    }
    px_tiff_directory_finish(d);
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t count = (uint32_t)piece_at(self, i).count;
        px_tiff_put(d, places + 4 * i, from, 4);
        px_tiff_put(d, sizes + 4 * i, count, 4);
        from += count;
    }
}

static px_status clean(px_bytes file, const px_encoder_spec *spec, int fd, uint64_t *ret_bytes, px_error *err)
{
    cleaner self = { 0 };
    PX_AUTO(px_tiff_directory_done) px_tiff_directory d = { 0 };
    if (!understand(&self, file))
        return px_fail(err, PX_CORRUPT_IMAGE, "TIFF: the file is not laid out as the decoder saw it");
    PX_TRY(px_tiff_directory_init(&d, spec->exif, !self.table.little, self.count + OURS, self.value_bytes + spec->xmp.count + 1, err));
    fill(&self, &d, spec);
    PX_TRY(px_write_all(fd, d.bytes, d.count, "the output", err));
    uint64_t written = d.count;
    for (uint64_t i = 0; i < self.places->count; i++) {
        px_bytes piece = piece_at(&self, i);
        PX_TRY(px_write_all(fd, piece.data, piece.count, "the output", err));
        written += piece.count;
    }
    *ret_bytes = written;
    return PX_OK;
}

px_status px_tiff_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err)
{
    return px_copy_run_whole(spec, source, fd, clean, ret_bytes, err);
}
