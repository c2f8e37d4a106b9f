/* A walk over nested boxes, without recursion: a table says which boxes hold others, and how many bytes of their own come first.
 *
 * The libraries allocate by sizes that files claim, and each has limits of its own with messages of its own. Here ours are applied
 * first, to every claim: whole pictures, tiles and thumbnails alike, since each of them may be decoded. */
#include "codec/boxes.h"

#include <stdlib.h>
#include <string.h>

#include "codec/big_endian.h"
#include "codec/formats.h"

enum { DEPTH_MAX = 8, BOXES_MAX = 100000, LINKS_MAX = 4096 };

/* Type and how many bytes lie in front of the boxes inside. */
static const struct {
    char type[5];
    int skip;
} parents[] = { { "meta", 4 }, { "iprp", 0 }, { "ipco", 0 }, { "moov", 0 }, { "trak", 0 }, { "edts", 0 } };

/* To decode one item, another has to be decoded. */
struct link {
    uint32_t from, to;
    bool made_of; /* a tile of it; else what lies beside it, such as its alpha */
};

typedef struct walk {
    px_bytes file;
    const px_limits *limits;
    uint64_t track_ticks; /* of the track we are in */
    bool hevc, coloured;    /* there is a picture in HEVC; and one with colours */
    bool described, filled; /* there is a box of items or of tracks; one of data */
    struct link *links;     /* owned; LINKS_MAX of them, or NULL as long as there is none */
    int link_count;
    uint32_t primary;       /* number of the item that is to be shown */
    uint64_t items, items_end; /* of the box of items' descriptions, where there is one */
    px_boxes found;
} walk;

bool px_box_at(px_bytes file, uint64_t at, uint64_t end, px_box *ret, bool *ret_cut)
{
    if (end - at < 8)
        return false;
    const uint8_t *head = file.data + at;
    uint64_t size = px_get_32(head), skip = 8;
    if (size == 1) {
        if (end - at < 16)
            return false;
        size = px_get_64(head + 8);
        skip = 16;
    } else if (size == 0)
        size = end - at;
    if (size < skip)
        return false;
    if (size > end - at) {
        *ret_cut = true;
        size = end - at;
    }
    *ret = (px_box){ (const char *)head + 4, at + skip, at + size };
    return true;
}

static px_status judge_claim(const walk *self, uint32_t width, uint32_t height, px_error *err)
{
    return width && height ? px_judge_size(self->limits, width, height, err) : PX_OK; /* tracks of sound have none */
}

/* 14496-12 8.3.2: the track's duration and, at its end, its size in 16.16. */
static px_status see_track_header(walk *self, const uint8_t *data, uint64_t count, px_error *err)
{
    bool wide = count && data[0] == 1;
    if (count < (wide ? 96u : 84u))
        return PX_OK;
    self->track_ticks = wide ? px_get_64(data + 28) : px_get_32(data + 20);
    if (self->track_ticks == (wide ? UINT64_MAX : UINT32_MAX))
        self->track_ticks = UINT64_MAX;
    const uint8_t *size = data + (wide ? 88 : 76);
    self->found.sizeless |= !px_get_32(size) || !px_get_32(size + 4);
    return judge_claim(self, px_get_32(size) >> 16, px_get_32(size + 4) >> 16, err);
}

/* 14496-12 8.6.6, as 23008-12 7.5.1 uses it: with the flag, the one edit is repeated until the track's duration is over. */
static void see_edit_list(walk *self, const uint8_t *data, uint64_t count)
{
    bool wide = count && data[0] == 1;
    if (count < (wide ? 16u : 12u) || !(data[3] & 1) || px_get_32(data + 4) != 1)
        return;
    uint64_t ticks = wide ? px_get_64(data + 8) : px_get_32(data + 8);
    uint64_t plays = ticks && self->track_ticks != UINT64_MAX ? (self->track_ticks + ticks - 1) / ticks : 0;
    self->found.plays = plays > 65535 ? 0 : (int)plays;
}

/* 14496-12 8.11.12: boxes of references inside, each from one item to several; items are counted by 16 or 32 bits. */
static px_status see_references(walk *self, const px_box *b, px_error *err)
{
    const uint8_t *data = self->file.data;
    uint64_t size = b->to - b->from >= 4 && data[b->from] ? 4 : 2, at = b->from + 4;
    px_box inner;
    bool cut;
    for (; at <= b->to && px_box_at(self->file, at, b->to, &inner, &cut); at = inner.to) {
        bool made_of = px_box_is(&inner, "dimg"), alpha_of = px_box_is(&inner, "auxl");
        if ((!made_of && !alpha_of) || inner.to - inner.from < size + 2)
            continue;
        if (!self->links && !(self->links = calloc(LINKS_MAX, sizeof *self->links)))
            return px_fail(err, PX_OUT_OF_MEMORY, "no room for the references of a picture");
        uint32_t from = size == 4 ? px_get_32(data + inner.from) : px_get_16(data + inner.from), before = 0;
        for (uint64_t i = inner.from + size + 2; i + size <= inner.to; i += size) {
            uint32_t to = size == 4 ? px_get_32(data + i) : px_get_16(data + i);
            if (self->link_count == LINKS_MAX)
                return px_fail(err, PX_UNSUPPORTED_FORMAT, "the picture is made of more than %d others", LINKS_MAX);
            self->links[self->link_count++] = made_of ? (struct link){ from, to, true } : (struct link){ to, from, false };
            self->found.disordered |= made_of && to < before;
            before = to;
        }
    }
    return PX_OK;
}

/* 14496-12 8.11.6.2: the primary item's description, with its type; they are counted by 16 or 32 bits. */
static void find_coding(walk *self)
{
    const uint8_t *data = self->file.data;
    px_box inner;
    bool cut;
    for (uint64_t at = self->items; at < self->items_end && px_box_at(self->file, at, self->items_end, &inner, &cut); at = inner.to) {
        bool wide = inner.to - inner.from >= 14 && data[inner.from] == 3;
        if (inner.to - inner.from < 12 || data[inner.from] < 2 || !px_box_is(&inner, "infe"))
            continue;
        if ((wide ? px_get_32(data + inner.from + 4) : px_get_16(data + inner.from + 4)) == self->primary)
            for (int i = 0; i < 4; i++) { /* for people to read */
                char letter = (char)data[inner.from + (uint64_t)((wide ? 10 : 8) + i)];
                self->found.coding[i] = (char)(letter > ' ' && letter <= '~' ? letter : '?');
            }
    }
}

/* Takes away the links to items that need none themselves, until none is left; a circle stays. */
static px_status judge_references(walk *self, px_error *err)
{
    for (int depth = 0; self->link_count > 0; depth++) {
        int kept = 0;
        for (int i = 0; i < self->link_count; i++) {
            bool needs = false;
            for (int k = 0; k < self->link_count && !needs; k++) {
                needs = self->links[k].from == self->links[i].to;
                self->found.tile_alpha |= needs && self->links[i].made_of && !self->links[k].made_of;
            }
            if (needs)
                self->links[kept++] = self->links[i];
        }
        if (kept == self->link_count || depth == DEPTH_MAX)
            return px_fail(err, PX_CORRUPT_IMAGE, "the picture is made of itself");
        self->link_count = kept;
    }
    return PX_OK;
}

static px_status see(walk *self, const px_box *b, px_error *err)
{
    const uint8_t *data = self->file.data + b->from;
    uint64_t count = b->to - b->from;
    if (px_box_is(b, "ispe") && count >= 12)
        return judge_claim(self, px_get_32(data + 4), px_get_32(data + 8), err);
    if (px_box_is(b, "tkhd"))
        return see_track_header(self, data, count, err);
    if (px_box_is(b, "iref"))
        return see_references(self, b, err);
    if (px_box_is(b, "elst"))
        see_edit_list(self, data, count);
    if (px_box_is(b, "pitm") && count >= (data[0] ? 8u : 6u))
        self->primary = data[0] ? px_get_32(data + 4) : px_get_16(data + 4);
    if (px_box_is(b, "iinf") && count >= 8) {
        self->items = b->from + (data[0] ? 8 : 6);
        self->items_end = b->to;
    }
    if (px_box_is(b, "hvcC") && count >= 17) { /* 14496-15 8.3.3.1: its chroma format */
        self->hevc = true;
        self->coloured |= data[16] & 3;
    }
    self->described |= px_box_is(b, "meta") || px_box_is(b, "moov");
    self->filled |= px_box_is(b, "mdat") || px_box_is(b, "idat");
    return PX_OK;
}

/* Bytes in front of the boxes inside; -1: it holds none that matter. */
static int parent_skip(const px_box *b)
{
    for (size_t i = 0; i < sizeof parents / sizeof *parents; i++)
        if (px_box_is(b, parents[i].type))
            return parents[i].skip;
    return -1;
}

static px_status see_all(walk *self, px_error *err)
{
    uint64_t at = 0, ends[DEPTH_MAX] = { self->file.count };
    int depth = 0;
    for (int i = 0; i < BOXES_MAX; i++) {
        px_box b;
        bool inner = false, there = px_box_at(self->file, at, ends[depth], &b, depth == 0 ? &self->found.cut : &inner);
        if (!there && depth == 0)
            break;
        if (!there) {
            at = ends[depth--];
            continue;
        }
        self->found.endless |= px_get_32(self->file.data + at) == 0;
        PX_TRY(see(self, &b, err));
        int skip = parent_skip(&b);
        at = b.to;
        if (skip >= 0 && depth + 1 < DEPTH_MAX && (uint64_t)skip <= b.to - b.from) {
            ends[++depth] = b.to;
            at = b.from + (uint64_t)skip;
        }
    }
    return PX_OK;
}

static void walk_done(walk *self) { free(self->links); }

px_status px_boxes_judge(px_bytes file, const px_limits *limits, px_boxes *ret, px_error *err)
{
    PX_AUTO(walk_done) walk self = { .file = file, .limits = limits };
    PX_TRY(see_all(&self, err));
    find_coding(&self);
    PX_TRY(judge_references(&self, err));
    self.found.cut |= !self.described || !self.filled;
    self.found.grey = self.hevc && !self.coloured;
    *ret = self.found;
    return PX_OK;
}

bool px_boxes_have_brand(px_bytes first, const char *brands, bool major_only)
{
    if (!px_has_bytes(first, 4, "ftyp", 4) || first.count < 12)
        return false;
    size_t end = px_get_32(first.data);
    end = end < first.count ? end : first.count;
    end = major_only && end > 12 ? 12 : end;
    for (size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) /* between them the minor version */
        for (const char *brand = brands; *brand; brand += 4)
            if (memcmp(first.data + at, brand, 4) == 0)
                return true;
    return false;
}
