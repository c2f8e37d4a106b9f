/* WebP in, by libwebp.
 *
 * The library wants the whole file, so the source is mapped. Its chunks are walked first: that the file is whole, and how much of it
 * is not picture, is known before libwebp takes memory. A still is decoded at start, straight into the rows that pull
 * gives; of an animation the library composes one whole canvas after the other. Of a file that ends early, if that is accepted, a still's
 * rows are those that the library's incremental decoder has, and an animation's frames those that are whole: the library gets a copy that
 * ends behind them. Section numbers are those of RFC 9649.
 *
 * Planes are decoded as they are pulled, from as many of the file's bytes as they need. The library wants room for all of them, but who
 * has been given lines does not come back to them, nor does it: their pages are let go, so that a process holds a part of the picture. */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codec/exif.h"
#include "codec/formats.h"
#include "codec/webp/library.h"
#include "codec/webp/riff.h"

/* The library keeps a record of each chunk, and walks from the first to find one: more are not a picture. */
enum { CHUNKS_MAX = 1 << 14, CHUNK_RECORD_BYTES = 128 };

/* Of planes: lines of Y in a row, bytes of the file that the library gets to see more of at once, lines of Y that are let go of together. */
enum { LINES_AT_ONCE = 16, FEED_BYTES = 16 << 10, LINES_LEFT = 64 };

typedef struct webp_decoder {
    px_decoder base;
    const px_limits *limits;
    px_bytes file;              /* owned mapping */
    px_bytes data;              /* what the library gets: the file, or `repaired` */
    uint8_t *repaired;          /* owned; or NULL */
    bool cut;                   /* the file ends early, which is accepted */
    bool animated, lossless;
    int chunks;
    uint8_t *picture;           /* owned; a still's rows, from start on */
    uint8_t *planes;            /* owned mapping, likewise: Y, Cb and Cr one after the other */
    WebPIDecoder *stream;       /* owned; of planes, from start on */
    size_t fed;                 /* bytes of the file that it saw */
    int ready;                  /* lines of Y that it is done with */
    WebPAnimDecoder *animation; /* owned; from start on */
    const uint8_t *canvas;      /* borrowed from it: RGBA */
    uint8_t *row;               /* owned; of an animation */
    int timestamp_ms;           /* when the frame ends */
    int pulled;                 /* rows of this frame */
} webp_decoder;

/* libwebp 1.3 and newer call alpha that they cannot read a lack of memory. There is enough: it was planned. */
static px_status fail_as(const webp_decoder *self, VP8StatusCode code, px_error *err)
{
    bool alpha_apart = !self->lossless && self->base.header.alpha != PX_OPAQUE;
    if (code == VP8_STATUS_OUT_OF_MEMORY && !alpha_apart)
        return px_fail(err, PX_OUT_OF_MEMORY, "WebP: no room for the picture");
    if (code == VP8_STATUS_NOT_ENOUGH_DATA && self->cut)
        return px_fail(err, PX_TRUNCATED_IMAGE, "WebP: the file ends before the picture's first row");
    if (code == VP8_STATUS_UNSUPPORTED_FEATURE)
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "WebP: a feature that libwebp does not know");
    return px_fail(err, PX_CORRUPT_IMAGE, "WebP: the picture's data is damaged (%d)", (int)code);
}

/* 2.7.1.5. Some writers put JPEG's prefix in front. */
static px_bytes tiff_of(px_bytes exif)
{
    size_t prefix = px_has_bytes(exif, 0, "Exif\0\0", 6) ? 6 : 0;
    return (px_bytes){ exif.data + prefix, exif.count - prefix };
}

/* What a chunk of metadata says. The first of its kind counts. */
static void take_metadata(webp_decoder *self, const px_riff_chunk *chunk, bool *had_exif)
{
    px_header *header = &self->base.header;
    if (px_riff_is(chunk, "ICCP") && !header->profile.count && chunk->body.count <= PX_PROFILE_BYTES_MAX) {
        header->profile = chunk->body;
    } else if (px_riff_is(chunk, "EXIF") && !*had_exif) {
        px_bytes tiff = tiff_of(chunk->body);
        header->orientation = px_exif_orientation(tiff);
        header->exif = tiff.count <= PX_EXIF_BYTES_MAX ? tiff : header->exif;
        *had_exif = true;
    } else if (px_riff_is(chunk, "XMP ") && !header->xmp.count) {
        header->xmp = chunk->body;
    }
}

/* The chunks of the file, or what there is of them. */
static px_status open_chunks(webp_decoder *self, px_riff *ret, px_error *err)
{
    px_status status = px_riff_open(self->file, ret, err);
    if (status != PX_TRUNCATED_IMAGE || !self->limits->truncated || self->file.count < PX_WEBP_HEAD)
        return status;
    self->cut = self->base.header.truncated = true;
    *ret = (px_riff){ { self->file.data + PX_WEBP_HEAD, self->file.count - PX_WEBP_HEAD } };
    return PX_OK;
}

/* A whole file of the chunks in front of `end`, if one of them is a frame. */
static px_status repair(webp_decoder *self, size_t end, bool any_frame, px_error *err)
{
    if (!any_frame)
        return PX_OK; /* a still */
    self->repaired = malloc(end);
    if (!self->repaired)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for %zu bytes of a WebP", end);
    memcpy(self->repaired, self->file.data, end);
    for (int i = 0; i < 4; i++)
        self->repaired[4 + i] = (uint8_t)((end - PX_RIFF_HEAD) >> (8 * i));
    self->data = (px_bytes){ self->repaired, end };
    return PX_OK;
}

static px_status walk_chunks(webp_decoder *self, px_error *err)
{
    px_riff riff;
    px_riff_chunk chunk;
    uint64_t metadata = 0;
    bool any, had_exif = false, any_frame = false;
    PX_TRY(open_chunks(self, &riff, err));
    self->data = self->file;
    for (;;) {
        size_t end = self->file.count - riff.left.count;
        px_status status = px_riff_next(&riff, &chunk, &any, err);
        if (self->cut && (status != PX_OK || !any))
            return repair(self, end, any_frame, err);
        PX_TRY(status);
        if (!any)
            return PX_OK;
        any_frame |= px_riff_is(&chunk, "ANMF");
        if (++self->chunks > CHUNKS_MAX)
            return px_fail(err, PX_TOO_MANY_FRAMES, "WebP: more than %d chunks", CHUNKS_MAX);
        bool image = px_riff_is(&chunk, "VP8 ") || px_riff_is(&chunk, "VP8L") || px_riff_is(&chunk, "ALPH") || px_riff_is(&chunk, "ANMF");
        metadata += image ? 0 : chunk.body.count;
        if (metadata > self->limits->metadata_bytes)
            return px_fail(err, PX_TOO_MANY_BYTES, "WebP: more than %llu bytes of metadata (limits.metadata_bytes)",
                           (unsigned long long)self->limits->metadata_bytes);
        take_metadata(self, &chunk, &had_exif);
    }
}

/* Can a pixel of any frame's canvas be transparent? Frames lie on nothing, and may leave nothing behind (2.7.1.1). */
static bool is_transparent(const WebPDemuxer *demuxer)
{
    int width = (int)WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH), height = (int)WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    bool alpha = WebPDemuxGetI(demuxer, WEBP_FF_FORMAT_FLAGS) & ALPHA_FLAG, blank = true;
    WebPIterator frame = { 0 };
    if (!alpha && WebPDemuxGetFrame(demuxer, 1, &frame))
        do {
            bool covers = frame.x_offset == 0 && frame.y_offset == 0 && frame.width == width && frame.height == height;
            alpha = alpha || frame.has_alpha || (blank && !covers);
            blank = frame.dispose_method == WEBP_MUX_DISPOSE_BACKGROUND;
        } while (!alpha && WebPDemuxNextFrame(&frame));
    WebPDemuxReleaseIterator(&frame);
    return alpha;
}

static px_status read_animation(webp_decoder *self, px_error *err)
{
    WebPData data = { self->data.data, self->data.count };
    WebPDemuxState state;
    WebPDemuxer *demuxer = WebPDemuxPartial(&data, &state);
    px_header *header = &self->base.header;
    bool whole = demuxer && state == WEBP_DEMUX_DONE;
    if (self->cut && !self->repaired) {
        WebPDemuxDelete(demuxer);
        return px_fail(err, PX_TRUNCATED_IMAGE, "WebP: the file ends before the first frame does");
    }
    if (whole) {
        header->frames = (int)WebPDemuxGetI(demuxer, WEBP_FF_FRAME_COUNT);
        header->loops = (int)WebPDemuxGetI(demuxer, WEBP_FF_LOOP_COUNT);
        /* Of too many frames only the first can be of use, and finding each takes the library a walk over all. */
        bool many = (uint32_t)header->frames > self->limits->frames;
        header->alpha = many || is_transparent(demuxer) ? PX_STRAIGHT : PX_OPAQUE;
    }
    WebPDemuxDelete(demuxer);
    if (!whole || header->frames < 1)
        return px_fail(err, PX_CORRUPT_IMAGE, "WebP: the animation's chunks contradict each other");
    return PX_OK;
}

static px_status read_header(webp_decoder *self, px_error *err)
{
    WebPBitstreamFeatures features;
    VP8StatusCode code = WebPGetFeatures(self->data.data, self->data.count, &features);
    if (code != VP8_STATUS_OK)
        return fail_as(self, code, err);
    PX_TRY(px_judge_size(self->limits, (uint32_t)features.width, (uint32_t)features.height, err));
    px_header *header = &self->base.header;
    header->width = features.width;
    header->height = features.height;
    header->alpha = features.has_alpha ? PX_STRAIGHT : PX_OPAQUE;
    self->animated = features.has_animation;
    self->lossless = features.format != 1;
    header->planes = features.format == 1 && !self->cut && !features.has_alpha && !features.has_animation;
    header->chroma_across = header->chroma_down = 2;
    header->siting = PX_CENTRED; /* as libwebp makes and reads them; RFC 6386 is silent */
    header->narrow = true;
    return self->animated ? read_animation(self, err) : PX_OK;
}

static size_t halved(int samples) { return ((size_t)samples + 1) / 2; }

static size_t planes_bytes(const px_header *header)
{
    return (size_t)header->width * (size_t)header->height + 2 * halved(header->width) * halved(header->height);
}

/* Beside the rows, as the peak of the process grew for 2000x1500 pixels (bytes a pixel 4, 6, 0; 13 of animations), rounded up: libwebp
 * holds a lossless picture once more, a lossy one's alpha likewise, and of an animation two canvases and a frame. */
static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    (void)eighths;
    const webp_decoder *self = (const webp_decoder *)base;
    uint64_t pixels = (uint64_t)base->header.width * (uint64_t)base->header.height;
    uint64_t inside = self->animated ? 12 : self->lossless ? 5 : base->header.alpha == PX_OPAQUE ? 0 : 6;
    uint64_t rows = base->wants_planes ? planes_bytes(&base->header) : pixels * (unsigned)px_channels(PX_RGB, base->header.alpha);
    return sizeof *self + pixels * inside + rows + (uint64_t)base->header.width * 64 + (uint64_t)self->chunks * CHUNK_RECORD_BYTES +
           (self->repaired ? self->data.count : 0) + (1u << 20);
}

static WebPYUVABuffer planes_of(uint8_t *planes, const px_header *header)
{
    size_t stride = (size_t)header->width, y = stride * (size_t)header->height;
    size_t half = halved(header->width), c = half * halved(header->height);
    return (WebPYUVABuffer){ .y = planes, .y_stride = (int)stride, .y_size = y, .u = planes + y, .u_stride = (int)half, .u_size = c,
                             .v = planes + y + c, .v_stride = (int)half, .v_size = c };
}

static px_status start_planes(webp_decoder *self, px_error *err)
{
    const px_header *header = &self->base.header;
    void *mapped = mmap(NULL, planes_bytes(header), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped != MAP_FAILED) {
        self->planes = mapped;
        WebPYUVABuffer p = planes_of(self->planes, header);
        self->stream = WebPINewYUVA(p.y, p.y_size, p.y_stride, p.u, p.u_size, p.u_stride, p.v, p.v_size, p.v_stride, NULL, 0, 0);
    }
    if (!self->stream)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", header->width, header->height);
    return PX_OK;
}

/* The rows that are there; the others stay as they are. */
static VP8StatusCode decode_part(const webp_decoder *self, WebPDecoderConfig *config)
{
    int rows = 0;
    WebPIDecoder *part = WebPIDecode(NULL, 0, config);
    if (!part)
        return VP8_STATUS_OUT_OF_MEMORY;
    VP8StatusCode code = WebPIUpdate(part, self->data.data, self->data.count);
    (void)!WebPIDecGetRGB(part, &rows, NULL, NULL, NULL);
    WebPIDelete(part);
    if (code == VP8_STATUS_SUSPENDED)
        code = rows > 0 ? VP8_STATUS_OK : VP8_STATUS_NOT_ENOUGH_DATA;
    return code;
}

static px_status start_still(webp_decoder *self, px_error *err)
{
    if (self->base.wants_planes)
        return start_planes(self, err);
    const px_header *header = &self->base.header;
    size_t stride = (size_t)header->width * (size_t)px_channels(PX_RGB, header->alpha), count = stride * (size_t)header->height;
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config) || !(self->picture = malloc(count)))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a picture of %dx%d", header->width, header->height);
    config.output.colorspace = header->alpha == PX_OPAQUE ? MODE_RGB : MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = (WebPRGBABuffer){ .rgba = self->picture, .stride = (int)stride, .size = count };
    if (self->cut)
        px_fill_missing(self->picture, count, header->alpha);
    VP8StatusCode code = stride > INT32_MAX ? VP8_STATUS_INVALID_PARAM
                       : self->cut          ? decode_part(self, &config)
                                            : WebPDecode(self->data.data, self->data.count, &config);
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK ? PX_OK : fail_as(self, code, err);
}

static px_status start_animation(webp_decoder *self, px_error *err)
{
    WebPAnimDecoderOptions options;
    WebPData data = { self->data.data, self->data.count };
    self->row = malloc((size_t)self->base.header.width * 4);
    if (self->row && WebPAnimDecoderOptionsInit(&options)) {
        options.color_mode = MODE_RGBA;
        options.use_threads = 0;
        self->animation = WebPAnimDecoderNew(&data, &options);
    }
    if (!self->animation)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for frames of %dx%d", self->base.header.width, self->base.header.height);
    return PX_OK;
}

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    assert(eighths == 8);
    (void)eighths;
    webp_decoder *self = (webp_decoder *)base;
    PX_TRY(self->animated ? start_animation(self, err) : start_still(self, err));
    *ret_width = base->header.width;
    *ret_height = base->header.height;
    return PX_OK;
}

static px_status decoder_next(px_decoder *base, int *ret_ms, px_error *err)
{
    webp_decoder *self = (webp_decoder *)base;
    uint8_t *canvas;
    int timestamp_ms;
    if (!WebPAnimDecoderGetNext(self->animation, &canvas, &timestamp_ms))
        return px_fail(err, PX_CORRUPT_IMAGE, "WebP: a frame's data is damaged");
    *ret_ms = timestamp_ms - self->timestamp_ms;
    self->timestamp_ms = timestamp_ms;
    self->canvas = canvas;
    self->pulled = 0;
    return PX_OK;
}

/* The next row of the canvas, which is the library's and stays as it is: the next frame builds on it. */
static px_status pull_canvas(webp_decoder *self, px_row *ret, px_error *err)
{
    int width = self->base.header.width, ms;
    if (!self->canvas)
        PX_TRY(decoder_next(&self->base, &ms, err));
    const uint8_t *from = self->canvas + (size_t)self->pulled++ * (size_t)width * 4;
    int channels = px_channels(PX_RGB, self->base.header.alpha);
    if (channels == 4)
        memcpy(self->row, from, (size_t)width * 4);
    for (int x = 0; channels == 3 && x < width; x++)
        memcpy(self->row + 3 * x, from + 4 * x, 3);
    *ret = px_row_of(self->row, width, PX_RGB, self->base.header.alpha);
    return PX_OK;
}

/* Shows the library more of the file until `lines` of Y are there, or fails. */
static px_status feed(webp_decoder *self, int lines, px_error *err)
{
    while (self->ready < lines) {
        size_t left = self->file.count - self->fed;
        self->fed += left < FEED_BYTES ? left : FEED_BYTES;
        VP8StatusCode code = WebPIUpdate(self->stream, self->file.data, self->fed);
        if (code != VP8_STATUS_OK && code != VP8_STATUS_SUSPENDED)
            return fail_as(self, code, err);
        (void)WebPIDecGetYUVA(self->stream, &self->ready, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        if (self->ready < lines && left == 0)
            return px_fail(err, PX_CORRUPT_IMAGE, "WebP: the picture's data ends after %d of its %d lines", self->ready, self->base.header.height);
    }
    return PX_OK;
}

/* Lets go of the whole pages in `count` bytes. */
static void let_go(uint8_t *bytes, size_t count)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)bytes + page - 1) & ~(page - 1), to = ((uintptr_t)bytes + count) & ~(page - 1);
    if (from < to)
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
}

static void let_go_of_lines(const WebPYUVABuffer *p, size_t from, size_t to)
{
    let_go(p->y + from * (size_t)p->y_stride, (to - from) * (size_t)p->y_stride);
    let_go(p->u + from / 2 * (size_t)p->u_stride, (to - from) / 2 * (size_t)p->u_stride);
    let_go(p->v + from / 2 * (size_t)p->v_stride, (to - from) / 2 * (size_t)p->v_stride);
}

/* The next lines of Y, with those of Cb and Cr that lie under them. */
static px_status pull_planes(webp_decoder *self, px_row *ret, px_error *err)
{
    const px_header *header = &self->base.header;
    WebPYUVABuffer p = planes_of(self->planes, header);
    int from = self->pulled, left = header->height - from, lines = left < LINES_AT_ONCE ? left : LINES_AT_ONCE;
    int chroma = (lines + 1) / 2, half = (int)halved(header->width);
    size_t at = (size_t)from, under = at / 2;
    PX_TRY(feed(self, from + lines, err));
    if (from % LINES_LEFT == 0 && from >= 2 * LINES_LEFT)
        let_go_of_lines(&p, at - 2 * LINES_LEFT, at); /* with the page that the last time ended in */
    self->pulled += lines;
    *ret = (px_row){ .planes = { { p.y + at * (size_t)p.y_stride, header->width, lines, (size_t)p.y_stride, 1 },
                                 { p.u + under * (size_t)p.u_stride, half, chroma, (size_t)p.u_stride, 1 },
                                 { p.v + under * (size_t)p.v_stride, half, chroma, (size_t)p.v_stride, 1 } },
                     .plane_count = 3, .depth = 8, .model = PX_YCC, .siting = header->siting, .narrow = header->narrow };
    return PX_OK;
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    webp_decoder *self = (webp_decoder *)base;
    assert(!self->canvas || self->pulled < base->header.height);
    if (self->animated)
        return pull_canvas(self, ret, err);
    if (base->wants_planes) {
        assert(self->pulled < base->header.height);
        return pull_planes(self, ret, err);
    }
    size_t stride = (size_t)base->header.width * (size_t)px_channels(PX_RGB, base->header.alpha);
    *ret = px_row_of(self->picture + (size_t)self->pulled++ * stride, base->header.width, PX_RGB, base->header.alpha);
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    webp_decoder *self = (webp_decoder *)base;
    WebPAnimDecoderDelete(self->animation);
    WebPIDelete(self->stream);
    if (self->planes)
        munmap(self->planes, planes_bytes(&base->header));
    free(self->picture);
    free(self->row);
    free(self->repaired);
    px_source_unmap(self->file);
    free(self);
}

bool px_webp_is(px_bytes first) { return px_has_bytes(first, 0, "RIFF", 4) && px_has_bytes(first, 8, "WEBP", 4); }

px_status px_webp_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    webp_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a WebP decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .header = { .format = PX_FORMAT_WEBP, .model = PX_RGB, .orientation = 1, .frames = 1 },
                               .memory = decoder_memory, .start = decoder_start, .pull = decoder_pull, .close = decoder_close };
    self->limits = limits;
    PX_TRY(px_source_map(source, limits->input_bytes, &self->file, err));
    PX_TRY(walk_chunks(self, err));
    PX_TRY(read_header(self, err));
    if (self->animated)
        self->base.next = decoder_next;
    *ret = held;
    held = NULL;
    return PX_OK;
}
