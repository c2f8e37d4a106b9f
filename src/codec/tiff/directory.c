/* TIFF 6.0, section 2. All room is taken first; nothing is moved afterwards. */
#include "codec/tiff/directory.h"

#include <assert.h>
#include <stdlib.h>

enum { HEAD = PX_TIFF_HEAD_BYTES, ENTRY = PX_TIFF_ENTRY_BYTES };

void px_tiff_put(const px_tiff_directory *self, uint8_t *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[self->big_endian ? bytes - 1 - i : i] = (uint8_t)(value >> (8 * i));
}

static uint32_t number_at(bool big_endian, const uint8_t *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[big_endian ? i : bytes - 1 - i];
    return value;
}

/* Is there a block as px_exif_rewrite makes them? Then its order of bytes and its entries are taken over. */
static bool begin_with(px_tiff_directory *self, px_bytes exif, int order)
{
    bool little = exif.count >= HEAD + 2 && memcmp(exif.data, "II*\0\x08\0\0\0", HEAD) == 0;
    bool big = exif.count >= HEAD + 2 && memcmp(exif.data, "MM\0*\0\0\0\x08", HEAD) == 0;
    size_t count = little || big ? number_at(big, exif.data + HEAD, 2) : 0;
    self->big_endian = order > 0;
    if (count == 0 || count * ENTRY > exif.count - HEAD - 2 || (order >= 0 && big != (order > 0)))
        return false;
    self->big_endian = big;
    self->carried = (px_bytes){ exif.data + HEAD + 2, count * ENTRY };
    return true;
}

px_status px_tiff_directory_init(px_tiff_directory *self, px_bytes exif, int big_endian, int entries, size_t value_bytes, px_error *err)
{
    *self = (px_tiff_directory){ .at = HEAD };
    bool begins = begin_with(self, exif, big_endian);
    if (begins)
        self->at = (exif.count + 1) & ~(size_t)1;
    self->entry_at = self->at + 2;
    self->value_at = self->entry_at + (size_t)entries * ENTRY + self->carried.count + 4;
    self->count = self->value_at + value_bytes;
    self->bytes = calloc(self->count, 1);
    if (!self->bytes)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a directory of %zu bytes", self->count);
    memcpy(self->bytes, begins ? exif.data : (const uint8_t *)(self->big_endian ? "MM\0*" : "II*\0"), begins ? exif.count : 4);
    px_tiff_put(self, self->bytes + 4, (uint32_t)self->at, 4);
    return PX_OK;
}

void px_tiff_directory_done(px_tiff_directory *self)
{
    free(self->bytes);
    self->bytes = NULL;
}

/* The entries of the block up to that tag; one of the same is left out: the picture knows better. */
static void carry(px_tiff_directory *self, unsigned tag)
{
    for (; self->carried.count; self->carried = (px_bytes){ self->carried.data + ENTRY, self->carried.count - ENTRY }) {
        unsigned next = number_at(self->big_endian, self->carried.data, 2);
        if (next > tag)
            return;
        if (next < tag) {
            memcpy(self->bytes + self->entry_at, self->carried.data, ENTRY);
            self->entry_at += ENTRY;
        }
    }
}

uint8_t *px_tiff_add(px_tiff_directory *self, unsigned tag, unsigned type, uint32_t count, size_t each)
{
    carry(self, tag);
    uint8_t *entry = self->bytes + self->entry_at;
    size_t bytes = (size_t)count * each;
    self->entry_at += ENTRY;
    px_tiff_put(self, entry, tag, 2);
    px_tiff_put(self, entry + 2, type, 2);
    px_tiff_put(self, entry + 4, count, 4);
    if (bytes <= 4)
        return entry + 8;
    px_tiff_put(self, entry + 8, (uint32_t)self->value_at, 4);
    uint8_t *value = self->bytes + self->value_at;
    self->value_at += (bytes + 1) & ~(size_t)1;
    assert(self->value_at <= self->count);
    return value;
}

void px_tiff_add_number(px_tiff_directory *self, unsigned tag, unsigned type, uint32_t value)
{
    int bytes = type == PX_TIFF_SHORT ? 2 : 4;
    px_tiff_put(self, px_tiff_add(self, tag, type, 1, (size_t)bytes), value, bytes);
}

void px_tiff_add_bytes(px_tiff_directory *self, unsigned tag, unsigned type, px_bytes value)
{
    if (value.count)
        memcpy(px_tiff_add(self, tag, type, (uint32_t)value.count, 1), value.data, value.count);
}

void px_tiff_directory_finish(px_tiff_directory *self)
{
    carry(self, UINT16_MAX + 1);
    px_tiff_put(self, self->bytes + self->at, (uint32_t)((self->entry_at - self->at - 2) / ENTRY), 2);
}
