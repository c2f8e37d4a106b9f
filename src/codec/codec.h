/* codec.h - the codecs' door: bytes ↔ rows, and the table of formats. */
#ifndef PX_CODEC_CODEC_H
#define PX_CODEC_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/source.h"
#include "base/status.h"
#include "codec/alpha.h"
#include "codec/row.h"

/* PX_FORMAT_KEEP is for recipes only: the source's own. So is PX_FORMAT_AUTO, the one that suits the picture; it has no row in
 * the table of formats, and stands behind their count so that nothing that goes through them meets it. */
typedef enum px_format { PX_FORMAT_KEEP, PX_FORMAT_JPEG, PX_FORMAT_PNG, PX_FORMAT_WEBP, PX_FORMAT_BMP, PX_FORMAT_TIFF, PX_FORMAT_AVIF, PX_FORMAT_HEIF, PX_FORMAT_JXL, PX_FORMAT_GIF,
#if PX_HAVE_SVG
    PX_FORMAT_SVG,
#endif
    PX_FORMAT_COUNT, PX_FORMAT_AUTO } px_format;

enum { PX_FORMAT_FIRST_BYTES = 1024 }; /* of a file, that tell its format: an SVG begins behind declarations and comments */

/* What the table of formats (codec/format.c) says of one. */
const char *px_format_name(px_format format);       /* "jpeg"; "keep", "auto" */
const char *px_format_extension(px_format format);  /* "jpg" */
const char *px_format_media_type(px_format format); /* "image/jpeg" */
px_format px_format_find(const char *name);         /* "jpg" and "jpeg" alike; PX_FORMAT_COUNT if there is none */
px_format px_format_of_extension(const char *extension); /* without the dot, any case; PX_FORMAT_COUNT if none */
px_format px_format_detect(px_bytes first);         /* by content; PX_FORMAT_COUNT if it is not one we read */
px_format px_format_kept(px_format format);         /* what a source of this format becomes when it is to keep it: itself, if we write it */
bool px_format_is_written(px_format format);
bool px_format_has_alpha(px_format format);
bool px_format_is_lossy(px_format format);          /* does a quality say how much is lost? */
bool px_format_is_animated(px_format format);       /* can we write more than one frame of it? */
int px_format_side(px_format format);               /* the widest and highest picture that it holds */

/* Loads the library behind a format, if it is not linked. For who will not be able to open files later; opening a decoder or
 * encoder does it too. PX_BAD_CONFIG names what to install. */
PX_CHECKED px_status px_format_load(px_format format, px_error *err);

/* The same, and opens all other files that decoding such a source may need; its text, where a format has some, is set in `font`. It may
 * start threads: not for a process that is going to fork. */
PX_CHECKED px_status px_format_prepare(px_format format, px_bytes font, px_error *err);

/* What of a source's metadata goes with its outputs: nothing but what shows the picture right; what does not tell where it was
 * taken, with which piece of equipment, or more of the maker's; or everything that still holds. docs/privacy.md. */
typedef enum px_strip { PX_STRIP_ALL, PX_STRIP_GPS, PX_STRIP_NONE, PX_STRIP_COUNT } px_strip;

enum { PX_EXIF_BYTES_MAX = 65527 }; /* as much as a marker of JPEG holds; the same bound for XMP and PNG's text */

/* What a picture's header says, before a pixel is decoded. */
typedef struct px_header {
    px_format format;
    int width, height; /* pixels as stored: before orientation */
    px_model model;    /* of the rows that pull gives */
    bool inks;         /* stored as CMYK: the decoder makes RGB of it, roughly, unless it is asked for the inks */
    px_alpha alpha;
    int orientation;   /* EXIF, 1 to 8 */
    bool scalable;     /* the decoder can decode at N/8 */
    bool vector;       /* it has no pixels of its own: the decoder draws as many as are wanted */
    px_bytes profile;  /* ICC, as embedded; empty without one. The decoder's, until close */
    bool deep;         /* 16 bits a sample are stored: the decoder rounds them, unless it is asked for them */
    int frames;        /* 1 for a still */
    int loops;         /* how often an animation plays; 0: for ever */
    px_bytes exif;     /* a TIFF block, as stored; empty without one or over PX_EXIF_BYTES_MAX; of a TIFF the file. The decoder's, like the next two */
    px_bytes xmp;      /* the packet, likewise */
    px_bytes text;     /* of PNG: its text chunks as they are, one behind the other */
    bool uncleanable;  /* what it tells besides its pixels cannot be taken out of its bytes: px_format_clean is not for this source. Known with the last row */
    bool truncated;    /* the source ended early, and the limits accept that: known with the last row */
    bool planes;       /* stored as Y, Cb, Cr: the decoder makes RGB of them, unless it is asked for the planes */
    int chroma_across, chroma_down; /* with planes: samples of Y for one of Cb and Cr, 1 to 4 */
    px_siting siting;  /* likewise */
    bool narrow;       /* likewise: row.h */
} px_header;

/* A plane as a decoder gives it, and how it lies over the source. */
typedef struct px_plane_size {
    int width, height;   /* samples */
    int eighths;         /* of the scale at which it is decoded */
    double across, down; /* samples for one pixel of the source: the plane's edge is the picture's, the last sample may hang over */
} px_plane_size;

/* The planes of a header that has them, decoded at `eighths`/8: Cb and Cr at the smallest scale that gives as many samples as `wanted`
 * has for the Y of that scale, or as many as are stored, if that is fewer. Decoders and whoever uses their rows plan by this. Pure. */
void px_plane_sizes(const px_header *header, int eighths, px_chroma wanted, px_plane_size ret[3]);

enum { PX_PROFILE_BYTES_MAX = 4 << 20 }; /* a bigger one is passed over */

/* A decoder, from open to close: look at the header, start once, pull every row from the top. Of an animation: next, then every
 * row, for each frame that is wanted, from the first; each is a whole canvas of the header's size. */
typedef struct px_decoder px_decoder;
struct px_decoder {
    px_header header;
    bool wants_inks; /* set it before start, where header.inks: rows are PX_CMYK then, 255 for full ink */
    bool wants_deep; /* likewise, where header.deep: rows have a depth of 16 then */
    bool wants_planes; /* likewise, where header.planes, and before memory too: rows are PX_YCC then, of px_plane_sizes(eighths, wants_chroma).
                          A row holds the lines of each plane that came ready: pull until each has had all of its own */
    px_chroma wants_chroma; /* then */
    bool wants_still; /* set it before memory and start: nobody wants more than one frame, so it may be the still that a format has beside
                         its frames. next, if there is one, is still called once */

    int wants_width, wants_height; /* where header.vector, set them before memory and start: rows are of that size then; 0: the header's */

    /* Bytes of memory that decoding at `eighths`/8 takes. Pure. */
    uint64_t (*memory)(const px_decoder *self, int eighths);

    /* Takes that memory. `eighths` is 8, or less if scalable; rows are then ceil(width * eighths / 8) wide. */
    PX_CHECKED px_status (*start)(px_decoder *self, int eighths, int *ret_width, int *ret_height, px_error *err);

    /* Goes on to the next frame; *ret_ms is how long it is shown. NULL: stills only. */
    PX_CHECKED px_status (*next)(px_decoder *self, int *ret_ms, px_error *err);

    /* The next row; its samples are valid until the next call, and not to be changed: a decoder may need them for the row after. */
    PX_CHECKED px_status (*pull)(px_decoder *self, px_row *ret, px_error *err);

    void (*close)(px_decoder *self);
};

/* Finds the format by content, reads the header and judges it against `limits`. Both are borrowed until close. */
PX_CHECKED px_status px_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                     px_error *err);
void px_decoder_close(px_decoder **decoder); /* for PX_AUTO */

/* How long an encoder may think, for fewer bytes of the same quality. */
typedef enum px_effort { PX_EFFORT_LOW, PX_EFFORT_NORMAL, PX_EFFORT_HIGH, PX_EFFORT_COUNT } px_effort;

/* What an encoder is to write. */
typedef struct px_encoder_spec {
    px_format format;
    int width, height;
    px_model model; /* PX_GREY or PX_RGB; or PX_YCC, where px_format_takes_planes */
    px_chroma chroma; /* of PX_YCC */
    bool narrow;      /* likewise */
    px_alpha alpha; /* PX_OPAQUE or, where px_format_has_alpha, PX_STRAIGHT */
    int quality;    /* 1 to 100; lossless formats ignore it */
    px_effort effort;
    bool lossless;  /* where the format has both ways */
    bool palette;   /* a still in at most 256 colours, where the format has it as a choice */
    int orientation; /* 2 to 8: said in a minimal EXIF, for rows that are not upright; otherwise 1 or 0 */
    px_bytes profile; /* ICC, to be embedded; empty for none. Borrowed until finish */
    int frames;       /* more than 1 only where px_format_is_animated; 0 and 1: a still */
    int loops;        /* of an animation; 0: for ever */
    px_bytes exif;    /* a TIFF block to be embedded as it is; it says the orientation too. px_exif_of (exif.h) gives an encoder this one or
                       * the minimal one: whoever adds a format writes that, xmp where the format holds it, and nothing else */
    px_bytes xmp;     /* a packet to be embedded as it is */
    px_bytes text;    /* PNG's text chunks, likewise; others ignore it */
} px_encoder_spec;

/* From what a source says of itself to what an output may say: fills spec's exif, xmp and text from the header's, as `strip` and spec's
 * orientation have it. They live in *ret, until done. */
typedef struct px_metadata {
    uint8_t *exif, *xmp, *text; /* owned */
} px_metadata;
PX_CHECKED px_status px_metadata_choose(const px_header *header, px_strip strip, px_encoder_spec *spec, px_metadata *ret, px_error *err);
void px_metadata_done(px_metadata *metadata);

typedef struct px_encoder px_encoder;
struct px_encoder {
    /* Before the first row of each frame, if there are several. NULL where a format has stills only. */
    PX_CHECKED px_status (*next)(px_encoder *self, int milliseconds, px_error *err);

    /* One row; of PX_YCC with PX_CHROMA_HALVED two lines of Y and one of Cb and Cr (of an odd height, the last has one of Y). */
    PX_CHECKED px_status (*push)(px_encoder *self, const px_row *row, px_error *err);
    PX_CHECKED px_status (*finish)(px_encoder *self, uint64_t *ret_bytes, px_error *err);
    void (*close)(px_encoder *self);
};

/* Can the encoder that `spec` (PX_RGB, opaque) describes take Y, Cb, Cr instead, as it would store them? Fills in *ret (PX_YCC, chroma,
 * narrow), with which it then has to be opened. Animations cannot. */
bool px_format_takes_planes(const px_encoder_spec *spec, px_encoder_spec *ret);

/* `fd` is borrowed until close. */
PX_CHECKED px_status px_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err);
void px_encoder_close(px_encoder **encoder); /* for PX_AUTO */
uint64_t px_encoder_memory(const px_encoder_spec *spec); /* bytes */

/* Writes the source's own bytes to `fd` without what is neither pixels nor their colour, but with spec's exif (as px_exif_of says), xmp
 * and text. For a source that was decoded to its end. Only where px_format_is_cleaned and
 * not header.uncleanable. */
bool px_format_is_cleaned(px_format format);
PX_CHECKED px_status px_format_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err);

#endif
