/* items.h - what lies in the meta box of AVIF and HEIF (ISO/IEC 14496-12 8.11, 23008-12): items, which are pictures or metadata, and
 * where in the file the bytes of each are. Private to src/codec. */
#ifndef PX_CODEC_ITEMS_H
#define PX_CODEC_ITEMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "codec/codec.h"

typedef struct px_item {
    uint32_t id;
    char type[5];          /* "av01", "grid", "Exif", "mime"; "" if it has an old form that names none */
    bool hidden, xmp;
    int extents;           /* how many pieces its bytes come in */
} px_item;

/* A piece of an item's bytes. Of one item they stand in their order. */
typedef struct px_extent {
    uint32_t item; /* its id */
    px_bytes bytes; /* of the file */
} px_extent;

/* All borrow the file. */
typedef struct px_items {
    px_item *items;      /* owned */
    px_extent *extents;  /* owned */
    int item_count, extent_count;
    uint32_t primary;    /* an id */
    px_bytes references, properties; /* what iref and iprp hold; empty without them */
    bool sequence;       /* there are tracks too */
    bool odd;            /* there is something that is not understood, or that lies beside the file: what is here is not all */
} px_items;

/* Never fails: what cannot be read is `odd`, and not there. Give it back with done. */
px_items px_items_read(px_bytes file);
void px_items_done(px_items *items); /* for PX_AUTO */

/* Fills exif and xmp of `header`, where the file has them in one piece each. */
void px_items_metadata(px_bytes file, px_header *header);

/* Are there tracks, and no still beside them? */
bool px_items_are_tracks_only(px_bytes file);

/* Is the primary item of one of these types (four letters each, one after the other)? */
bool px_items_primary_is(px_bytes file, const char *types);

#endif
