/* stages: what each part of the way from a JPEG or PNG to a JPEG costs, alone and in memory, beside what memory would allow.
 *
 * stages [--json] [--rounds N] [--width W] [--eighths N] [--only STAGE] PICTURE
 *
 * Every stage runs once a round, in turn, on one thread, and its least CPU time (CLOCK_THREAD_CPUTIME_ID) counts. Some can only be
 * run together with what is in front of them; their row's `less` names what is taken off. Rows `beside` are no part of the way: they are
 * there to be compared with. The limit is the time in which this machine's memory, as two small loops find it, takes in and gives out
 * the bytes that a stage reads and writes; what it has in caches may beat that. Stages take the shortest way: what a picture needs
 * besides (other colours, alpha's premultiplication) is in the rest.
 * A new stage is a function that does it once and says what it moved, and a row in `stages`. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <jpeglib.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include "codec/codec.h"
#include "image/image.h"
#include "image/planes.h"
#include "image/resample.h"
#include "image/size.h"

enum { LOOP_BYTES = 192 << 20, CHUNK_BYTES = 256 << 10 };

typedef struct subject {
    const char *path;
    const char *only;     /* the one stage to run, for a profiler; or NULL */
    px_bytes file;        /* mapped */
    px_source source;
    px_limits limits;
    px_format format;
    px_header header;     /* what it points to is gone */
    int channels;         /* of rows; 1 of planes */
    int eighths;
    int target_width, target_height;
    px_encoder_spec encoding; /* of planes, if the decoder gives those */
    px_plane_size sizes[3];   /* then; of rows the first one */
    int together[3];      /* lines that a row of the decoder has */
    uint8_t *decoded[3];  /* owned; every line at that scale */
    uint8_t *scaled[3];   /* owned */
} subject;

/* Bytes that a stage read and wrote, at least. */
typedef struct moved {
    double in, out;
} moved;

static void stop(const char *what, const px_error *err)
{
    fprintf(stderr, "stages: %s%s%s\n", what, err ? ": " : "", err ? err->message : "");
    exit(1);
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* What is computed for its own sake, so that the compiler does it. */
static void keep_result(uint64_t value) { __asm__ volatile("" : : "r"(value)); }

static size_t row_bytes(const subject *self, int width) { return (size_t)width * (size_t)self->channels; }

static bool is_planar(const subject *self) { return self->encoding.model == PX_YCC; }
static int plane_count(const subject *self) { return is_planar(self) ? 3 : 1; }

/* The target's, of a plane. */
static int part_of(const subject *self, int side, int p) { return p && self->encoding.chroma == PX_CHROMA_HALVED ? (side + 1) / 2 : side; }

/* ---- JPEG by libjpeg-turbo, beside ours ---- */

#if JPEG_LIB_VERSION >= 70
#define SCALED_SIZE(component) ((component)->DCT_v_scaled_size)
#define SCALED_WIDTH(component) ((component)->DCT_h_scaled_size)
#define LEAST_SIZE(library) ((library)->min_DCT_v_scaled_size)
#else
#define SCALED_SIZE(component) ((component)->DCT_scaled_size)
#define SCALED_WIDTH(component) ((component)->DCT_scaled_size)
#define LEAST_SIZE(library) ((library)->min_DCT_scaled_size)
#endif

/* Up to the planes of each component: no upsampling, no colour. */
static moved run_library(subject *self)
{
    struct jpeg_decompress_struct library;
    struct jpeg_error_mgr errors;
    library.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&library);
    jpeg_mem_src(&library, self->file.data, self->file.count);
    jpeg_read_header(&library, TRUE);
    library.raw_data_out = TRUE;
    library.do_fancy_upsampling = FALSE;
    library.scale_num = (unsigned)self->eighths;
    library.scale_denom = 8;
    jpeg_start_decompress(&library);
    moved told = { (double)self->file.count, 0 };
    JSAMPROW rows[MAX_COMPONENTS][4 * 16];
    JSAMPARRAY planes[MAX_COMPONENTS];
    uint8_t *memory[MAX_COMPONENTS];
    for (int c = 0; c < library.num_components; c++) {
        const jpeg_component_info *component = &library.comp_info[c];
        size_t stride = (size_t)component->width_in_blocks * (size_t)SCALED_WIDTH(component);
        int lines = component->v_samp_factor * SCALED_SIZE(component);
        memory[c] = malloc(stride * (size_t)lines);
        for (int y = 0; y < lines; y++)
            rows[c][y] = memory[c] + stride * (size_t)y;
        planes[c] = rows[c];
        told.out += (double)component->downsampled_width * component->downsampled_height;
    }
    unsigned lines = (unsigned)(library.max_v_samp_factor * LEAST_SIZE(&library));
    while (library.output_scanline < library.output_height)
        jpeg_read_raw_data(&library, planes, lines);
    for (int c = 0; c < library.num_components; c++)
        free(memory[c]);
    jpeg_destroy_decompress(&library);
    return told;
}

/* ---- PNG ---- */

static uint32_t get_32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

/* The chunk at *at: its type and data; false at the end of the file. */
static bool next_chunk(px_bytes file, size_t *at, const uint8_t **ret_type, px_bytes *ret_data)
{
    if (file.count < *at + 12 || file.count - *at - 12 < get_32(file.data + *at))
        return false;
    *ret_type = file.data + *at + 4;
    *ret_data = (px_bytes){ file.data + *at + 8, get_32(file.data + *at) };
    *at += 12 + ret_data->count;
    return true;
}

static moved run_crc(subject *self)
{
    uint32_t sum = 0;
    const uint8_t *type;
    px_bytes data;
    for (size_t at = 8; next_chunk(self->file, &at, &type, &data);)
        sum ^= crc32_gzip_refl(0, type, data.count + 4);
    keep_result(sum);
    return (moved){ (double)self->file.count, 0 };
}

static moved run_inflate(subject *self)
{
    static struct inflate_state state;
    static uint8_t out[CHUNK_BYTES];
    isal_inflate_init(&state);
    state.crc_flag = ISAL_ZLIB;
    moved told = { 0, 0 };
    const uint8_t *type;
    px_bytes data;
    for (size_t at = 8; next_chunk(self->file, &at, &type, &data);) {
        if (memcmp(type, "IDAT", 4) != 0)
            continue;
        told.in += (double)data.count;
        state.next_in = (uint8_t *)data.data;
        state.avail_in = (uint32_t)data.count;
        do {
            state.next_out = out;
            state.avail_out = sizeof out;
            if (isal_inflate(&state) != ISAL_DECOMP_OK)
                stop("isal_inflate fails", NULL);
            told.out += (double)(sizeof out - state.avail_out);
        } while (state.avail_in > 0 || state.avail_out == 0);
    }
    return told;
}

/* ---- both ---- */

static px_decoder *start_decoder(const subject *self, int eighths)
{
    px_error err = { 0 };
    px_decoder *decoder = NULL;
    int width, height, milliseconds;
    if (px_decoder_open(&self->source, &self->limits, &decoder, &err) != PX_OK)
        stop(self->path, &err);
    decoder->wants_planes = is_planar(self);
    decoder->wants_chroma = self->encoding.chroma;
    if (decoder->start(decoder, eighths, &width, &height, &err) != PX_OK || (decoder->next && decoder->next(decoder, &milliseconds, &err) != PX_OK))
        stop(self->path, &err);
    return decoder;
}

/* Rows of one plane, or planes, as the decoder gives them: at this scale; into `self->decoded`, if `keep`. */
static moved decode(subject *self, int eighths, bool keep)
{
    px_error err = { 0 };
    px_decoder *decoder = start_decoder(self, eighths);
    px_plane_size sizes[3] = { { .width = (self->header.width * eighths + 7) / 8, .height = (self->header.height * eighths + 7) / 8 } };
    int done[3] = { 0 };
    moved told = { (double)self->file.count, 0 };
    if (is_planar(self))
        px_plane_sizes(&self->header, eighths, self->encoding.chroma, sizes);
    while (done[0] < sizes[0].height || done[1] < sizes[1].height || done[2] < sizes[2].height) {
        px_row row;
        if (decoder->pull(decoder, &row, &err) != PX_OK)
            stop(self->path, &err);
        for (int p = 0; p < plane_count(self); p++) {
            const px_plane *from = &row.planes[p];
            size_t bytes = row_bytes(self, from->width);
            self->together[p] = keep && done[p] == 0 ? from->height : self->together[p];
            for (int y = 0; keep && y < from->height; y++)
                memcpy(self->decoded[p] + bytes * (size_t)(done[p] + y), from->samples + from->stride * (size_t)y, bytes);
            done[p] += from->height;
            told.out += (double)bytes * from->height;
        }
    }
    px_decoder_close(&decoder);
    return told;
}

static moved run_decode(subject *self) { return decode(self, self->eighths, false); }

/* Every code is read (of a progressive picture those of the scans with DC), and one coefficient of a block kept: what any scale costs. */
static moved run_eighth(subject *self) { return decode(self, 1, false); }

static moved run_unfilter(subject *self)
{
    moved told = decode(self, 8, false);
    told.in = 0;
    return told;
}

static void resample_rows(subject *self)
{
    const px_plane_size *size = &self->sizes[0];
    px_resample_spec spec = { .source_width = size->width, .source_height = size->height,
                              .width = self->header.width * self->eighths / 8.0, .height = self->header.height * self->eighths / 8.0,
                              .target_width = self->target_width, .target_height = self->target_height, .channels = self->channels };
    px_resample *resample = NULL;
    px_error err = { 0 };
    if (px_resample_create(&spec, &resample, &err) != PX_OK)
        stop("resample", &err);
    size_t in = row_bytes(self, size->width), out = row_bytes(self, self->target_width);
    int made = 0;
    for (int y = 0; y < size->height; y++) {
        px_resample_push(resample, self->decoded[0] + in * (size_t)y);
        while (made < self->target_height && px_resample_pull(resample, self->scaled[0] + out * (size_t)made))
            made++;
    }
    px_resample_destroy(resample);
}

/* The decoder's row of planes once more: the lines from `done` on. */
static px_row decoded_row(const subject *self, int done[3])
{
    px_row row = { .plane_count = 3, .depth = 8, .model = PX_YCC, .siting = self->header.siting, .narrow = self->header.narrow };
    for (int p = 0; p < 3; p++) {
        const px_plane_size *size = &self->sizes[p];
        int left = size->height - done[p], lines = left < self->together[p] ? left : self->together[p];
        row.planes[p] = (px_plane){ self->decoded[p] + (size_t)size->width * (size_t)done[p], size->width, lines, (size_t)size->width, 1 };
        done[p] += lines;
    }
    return row;
}

static void keep_lines(subject *self, const px_row *row, int done[3])
{
    for (int p = 0; p < 3; p++) {
        const px_plane *from = &row->planes[p];
        for (int y = 0; y < from->height; y++)
            memcpy(self->scaled[p] + (size_t)from->width * (size_t)done[p]++, from->samples + from->stride * (size_t)y, (size_t)from->width);
    }
}

/* Into `self->scaled`, if `keep`: the engine's encoder takes each row as it comes. */
static void resample_planes(subject *self, bool keep)
{
    px_planes_spec spec = { .header = &self->header, .window_width = self->header.width, .window_height = self->header.height,
                            .part_width = self->header.width, .part_height = self->header.height, .target_width = self->target_width,
                            .target_height = self->target_height, .chroma = self->encoding.chroma, .narrow = self->encoding.narrow };
    memcpy(spec.sizes, self->sizes, sizeof spec.sizes);
    px_planes *planes = NULL;
    px_error err = { 0 };
    if (px_planes_create(&spec, &planes, &err) != PX_OK)
        stop("resample", &err);
    int taken[3] = { 0 }, made[3] = { 0 };
    while (taken[0] < self->sizes[0].height || taken[1] < self->sizes[1].height || taken[2] < self->sizes[2].height) {
        px_row row = decoded_row(self, taken), ready;
        px_planes_take(planes, &row);
        while (px_planes_pull(planes, &ready))
            if (keep)
                keep_lines(self, &ready, made);
    }
    px_planes_destroy(planes);
}

static moved run_resample(subject *self)
{
    moved told = { 0, 0 };
    if (is_planar(self))
        resample_planes(self, false);
    else
        resample_rows(self);
    for (int p = 0; p < plane_count(self); p++) {
        told.in += (double)row_bytes(self, self->sizes[p].width) * self->sizes[p].height;
        told.out += (double)row_bytes(self, part_of(self, self->target_width, p)) * part_of(self, self->target_height, p);
    }
    return told;
}

/* The output's lines from y on, as the encoder takes them. Alpha's samples are taken for colours: as long, as rich. */
static px_row scaled_row(const subject *self, int y)
{
    int lines = self->encoding.chroma == PX_CHROMA_HALVED ? 2 : 1;
    if (!is_planar(self))
        return px_row_of(self->scaled[0] + (size_t)self->target_width * (size_t)px_channels(self->header.model, PX_OPAQUE) * (size_t)y,
                         self->target_width, self->header.model, PX_OPAQUE);
    px_row row = { .plane_count = 3, .depth = 8, .model = PX_YCC, .narrow = self->encoding.narrow };
    for (int p = 0; p < 3; p++) {
        int width = part_of(self, self->target_width, p), left = self->target_height - y;
        row.planes[p] = (px_plane){ self->scaled[p] + (size_t)width * (size_t)(p ? y / lines : y), width, p || left < lines ? 1 : lines,
                                    (size_t)width, 1 };
    }
    return row;
}

static moved run_encode(subject *self)
{
    int fd = memfd_create("stages", MFD_CLOEXEC);
    px_encoder *encoder = NULL;
    px_error err = { 0 };
    moved told = { 0, 0 };
    if (fd < 0 || px_encoder_open(&self->encoding, fd, &encoder, &err) != PX_OK)
        stop("encode", &err);
    for (int y = 0; y < self->target_height;) {
        px_row row = scaled_row(self, y);
        if (encoder->push(encoder, &row, &err) != PX_OK)
            stop("encode", &err);
        y += row.planes[0].height;
        for (int p = 0; p < row.plane_count; p++)
            told.in += (double)row.planes[p].width * row.planes[p].channels * row.planes[p].height;
    }
    uint64_t written = 0;
    if (encoder->finish(encoder, &written, &err) != PX_OK)
        stop("encode", &err);
    px_encoder_close(&encoder);
    close(fd);
    told.out = (double)written;
    return told;
}

/* As the service does it, but in this process. */
static moved run_all(subject *self)
{
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    spec.width = self->target_width;
    spec.rotate = PX_ROTATE_NONE;
    px_transform_report report;
    px_error err = { 0 };
    int fd = memfd_create("stages", MFD_CLOEXEC);
    if (fd < 0 || px_transform(&self->source, &self->limits, &spec, &fd, 1, &report, &err) != PX_OK)
        stop(self->path, &err);
    close(fd);
    return (moved){ (double)self->file.count, (double)report.outputs[0].bytes };
}

enum { ANY = PX_FORMAT_COUNT };

static const struct stage {
    const char *name;
    int format;          /* of sources that it is for */
    moved (*run)(subject *self);
    const char *less[2]; /* rows whose work this one does too */
    bool beside;         /* no part of the way */
    const char *counted; /* what it is that remains */
} stages[] = {
    { "decode",          PX_FORMAT_JPEG, run_decode,   { NULL }, false, "our decoder: codes and IDCT, to planes at this scale" },
    { "decode at 1/8",   PX_FORMAT_JPEG, run_eighth,   { NULL }, true, "beside: one coefficient of a block: nearly codes alone (progressive: of the scans that have it)" },
    { "libjpeg-turbo",   PX_FORMAT_JPEG, run_library,  { NULL }, true, "beside: its scaled decode to planes, Cb and Cr as many as it gives" },
    { "CRC",             PX_FORMAT_PNG,  run_crc,      { NULL }, false, "of every chunk" },
    { "inflate",         PX_FORMAT_PNG,  run_inflate,  { NULL }, false, "by libisal, in a stream" },
    { "unfilter, rows",  PX_FORMAT_PNG,  run_unfilter, { "CRC", "inflate" }, false, "by our decoder" },
    { "resample",        ANY,            run_resample, { NULL }, false, "Lanczos-3 from the decoded to the output's size" },
    { "encode",          ANY,            run_encode,   { NULL }, false, "JPEG, quality 80" },
    { "all",             ANY,            run_all,      { NULL }, false, "px_transform: all of these, and what is between them" },
};
enum { STAGES = sizeof stages / sizeof *stages };

typedef struct figure {
    double ms; /* the least, with what `less` names */
    moved moved;
} figure;

static bool applies(const struct stage *stage, const subject *self)
{
    return (stage->format == ANY || stage->format == (int)self->header.format) && (!self->only || strcmp(self->only, stage->name) == 0);
}

static double net_ms(const figure *figures, int which)
{
    double ms = figures[which].ms;
    for (int k = 0; k < 2 && stages[which].less[k]; k++)
        for (int i = 0; i < STAGES; i++)
            if (strcmp(stages[i].name, stages[which].less[k]) == 0)
                ms -= figures[i].ms;
    return ms;
}

/* ---- what memory allows ---- */

typedef struct memory {
    double read, write; /* bytes a millisecond */
} memory;

static memory measure_memory(int rounds)
{
    uint64_t *block = mmap(NULL, LOOP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (block == MAP_FAILED)
        stop("no memory for the memory's loop", NULL);
    memory best = { 0, 0 };
    for (int r = 0; r < rounds; r++) {
        double begin = cpu_ms();
        memset(block, r, LOOP_BYTES);
        double middle = cpu_ms();
        uint64_t sums[8] = { 0 };
        for (size_t i = 0; i < LOOP_BYTES / sizeof *block; i += 8)
            for (int k = 0; k < 8; k++)
                sums[k] += block[i + (size_t)k];
        double end = cpu_ms();
        keep_result(sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7]);
        best.write = fmax(best.write, LOOP_BYTES / (middle - begin));
        best.read = fmax(best.read, LOOP_BYTES / (end - middle));
    }
    munmap(block, LOOP_BYTES);
    return best;
}

/* ---- */

/* As px_transform does it for one output that is shown as stored. */
static void choose_scale(subject *self, int eighths)
{
    double across = (double)self->header.width / self->target_width, down = (double)self->header.height / self->target_height;
    double needed = px_eighths_for(fmin(across, down), self->header.orientation > 1 ? PX_RESAMPLING_BEST : PX_RESAMPLING_FAST);
    self->eighths = 1;
    while (self->eighths < 8 && (!self->header.scalable || self->eighths < needed))
        self->eighths = is_planar(self) ? self->eighths + 1 : self->eighths * 2;
    if (eighths && self->header.scalable)
        self->eighths = eighths;
}

static void plan_planes(subject *self)
{
    px_encoder_spec planar;
    self->encoding = (px_encoder_spec){ .format = PX_FORMAT_JPEG, .width = self->target_width, .height = self->target_height,
                                        .model = self->header.model, .quality = 80, .effort = PX_EFFORT_NORMAL };
    if (self->header.planes && px_format_takes_planes(&self->encoding, &planar))
        self->encoding = planar;
    self->channels = is_planar(self) ? 1 : px_channels(self->header.model, self->header.alpha);
}

static void plan_sizes(subject *self)
{
    self->sizes[0].width = (self->header.width * self->eighths + 7) / 8;
    self->sizes[0].height = (self->header.height * self->eighths + 7) / 8;
    if (is_planar(self))
        px_plane_sizes(&self->header, self->eighths, self->encoding.chroma, self->sizes);
}

static void open_subject(subject *self, int width, int eighths)
{
    px_error err = { 0 };
    px_decoder *decoder = NULL;
    int fd = open(self->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        stop(self->path, NULL);
    self->limits = PX_LIMITS_DEFAULT;
    if (px_source_open(fd, &self->source, &err) != PX_OK || px_source_map(&self->source, UINT64_C(1) << 40, &self->file, &err) != PX_OK ||
        px_decoder_open(&self->source, &self->limits, &decoder, &err) != PX_OK)
        stop(self->path, &err);
    const px_header *header = &decoder->header;
    if ((header->format != PX_FORMAT_JPEG && header->format != PX_FORMAT_PNG) || header->inks)
        stop("only JPEG (not CMYK) and PNG have stages here", NULL);
    self->header = *header;
    self->target_width = width < header->width ? width : header->width;
    self->target_height = (int)fmax(1, floor((double)header->height * self->target_width / header->width + 0.5));
    plan_planes(self);
    choose_scale(self, eighths);
    plan_sizes(self);
    px_decoder_close(&decoder);
}

/* What the stages behind the decoder begin with. A profile of one stage holds no more than it needs. */
static void prepare_lines(subject *self)
{
    if (self->only && strcmp(self->only, "resample") != 0 && strcmp(self->only, "encode") != 0)
        return;
    for (int p = 0; p < plane_count(self); p++) {
        self->decoded[p] = malloc(row_bytes(self, self->sizes[p].width) * (size_t)self->sizes[p].height);
        self->scaled[p] = malloc(row_bytes(self, part_of(self, self->target_width, p)) * (size_t)part_of(self, self->target_height, p));
        if (!self->decoded[p] || !self->scaled[p])
            stop("no memory", NULL);
    }
    decode(self, self->eighths, true);
    if (is_planar(self))
        resample_planes(self, true);
    else
        resample_rows(self);
}

static void print_text(const subject *self, const figure *figures, memory limit)
{
    double pixels = (double)self->header.width * self->header.height, parts = 0;
    printf("%s: %dx%d %s, decoded at %d/8 to %dx%d, output %dx%d; memory reads %.1f and writes %.1f GB/s\n", self->path, self->header.width, self->header.height,
           px_format_name(self->header.format), self->eighths, self->sizes[0].width, self->sizes[0].height, self->target_width, self->target_height,
           limit.read / 1e6, limit.write / 1e6);
    printf("%-16s %9s %8s %8s %9s %10s %9s  %s\n", "stage", "CPU ms", "MB in", "MB out", "MB/s", "Mpixel/s", "limit ms", "what it is");
    for (int i = 0; i < STAGES; i++) {
        if (!applies(&stages[i], self))
            continue;
        double ms = net_ms(figures, i), in = figures[i].moved.in, out = figures[i].moved.out;
        parts += stages[i].beside ? 0 : strcmp(stages[i].name, "all") ? ms : -ms;
        printf("%-16s %9.2f %8.2f %8.2f %9.0f %10.0f %9.2f  %s\n", stages[i].name, ms, in / 1e6, out / 1e6, (in + out) / 1e3 / ms, pixels / 1e3 / ms,
               in / limit.read + out / limit.write, stages[i].counted);
    }
    printf("%-16s %9.2f %57s %s\n", "the rest", -parts, "", " placeholder, alpha, opening and closing: all, less the stages");
}

static void print_json(const subject *self, const figure *figures, memory limit)
{
    printf("{\"width\": %d, \"height\": %d, \"format\": \"%s\", \"eighths\": %d, \"decoded_width\": %d, \"decoded_height\": %d, \"target_width\": %d, "
           "\"target_height\": %d, \"read_gb_s\": %.2f, \"write_gb_s\": %.2f, \"stages\": [", self->header.width, self->header.height, px_format_name(self->header.format),
           self->eighths, self->sizes[0].width, self->sizes[0].height, self->target_width, self->target_height, limit.read / 1e6, limit.write / 1e6);
    const char *comma = "";
    for (int i = 0; i < STAGES; i++) {
        if (!applies(&stages[i], self))
            continue;
        double in = figures[i].moved.in, out = figures[i].moved.out;
        printf("%s{\"name\": \"%s\", \"cpu_ms\": %.4f, \"bytes_in\": %.0f, \"bytes_out\": %.0f, \"limit_ms\": %.4f, \"beside\": %s, \"about\": \"%s\"}", comma, stages[i].name,
               net_ms(figures, i), in, out, in / limit.read + out / limit.write, stages[i].beside ? "true" : "false", stages[i].counted);
        comma = ", ";
    }
    printf("]}\n");
}

static int usage(void)
{
    fprintf(stderr, "usage: stages [--json] [--rounds N] [--width W] [--eighths N] [--only STAGE] PICTURE\n");
    return 2;
}

int main(int argc, char **argv)
{
    int rounds = 9, width = 800, eighths = 0;
    bool json = false;
    subject self = { .source = PX_SOURCE_NONE };
    for (int i = 1; i < argc; i++) {
        int *number = strcmp(argv[i], "--rounds") == 0 ? &rounds : strcmp(argv[i], "--width") == 0 ? &width
                    : strcmp(argv[i], "--eighths") == 0 ? &eighths : NULL;
        if (number && i + 1 < argc)
            *number = atoi(argv[++i]);
        else if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            self.only = argv[++i];
        else if (argv[i][0] == '-' || self.path)
            return usage();
        else
            self.path = argv[i];
    }
    if (!self.path || rounds < 1 || width < 1 || eighths < 0 || eighths > 8)
        return usage();
    open_subject(&self, width, eighths);
    prepare_lines(&self);

    figure figures[STAGES] = { 0 };
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < STAGES; i++) {
            if (!applies(&stages[i], &self))
                continue;
            double begin = cpu_ms();
            figures[i].moved = stages[i].run(&self);
            double ms = cpu_ms() - begin;
            figures[i].ms = r == 0 || ms < figures[i].ms ? ms : figures[i].ms;
        }
    if (!self.only)
        (json ? print_json : print_text)(&self, figures, measure_memory(rounds));
    else
        for (int i = 0; i < STAGES; i++)
            if (applies(&stages[i], &self))
                printf("%s: %.2f ms\n", stages[i].name, figures[i].ms);
    for (int p = 0; p < 3; p++) {
        free(self.decoded[p]);
        free(self.scaled[p]);
    }
    px_source_unmap(self.file);
    px_source_close(&self.source);
    return 0;
}
