/* coefficients.h - what a JPEG's planes must be, by libjpeg's coefficients and sums of cosines in double precision: the lowest N×N
 * frequencies of each block, as N×N samples. For tests of our own decoder. */
#ifndef PX_TESTS_CODEC_COEFFICIENTS_H
#define PX_TESTS_CODEC_COEFFICIENTS_H

#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "codec/codec.h"

typedef struct coefficients {
    struct jpeg_decompress_struct library;
    struct jpeg_error_mgr errors;
    jmp_buf jump;
    size_t behind; /* bytes that libjpeg was not given yet */
    boolean (*ended)(j_decompress_ptr library);
    int warnings;
    bool bare; /* the first scan names tables that there are none of: libjpeg takes its own, and our decoder leaves the picture to it */
    jvirt_barray_ptr *blocks;
} coefficients;

__attribute__((noreturn)) static void coefficients_give_up(j_common_ptr library)
{
    longjmp(((coefficients *)library->client_data)->jump, 1);
}

static void coefficients_count(j_common_ptr library, int level) { ((coefficients *)library->client_data)->warnings += level < 0; }

/* libjpeg-turbo's quick way over a sequential scan says nothing of codes that do not exist. Where 0xff comes several times in front of a stuffed
 * 0, which its slow way takes for one 0xff, the quick one finds a marker, and what it has decoded of zeros behind that stays where the slow one,
 * to which it then leaves the block, finds no coefficient. So it gets fewer bytes at a time than the quick way wants for any block. */
enum { COEFFICIENTS_PIECE = 64 * 8 - 1 };

static boolean coefficients_give_more(j_decompress_ptr library)
{
    coefficients *c = library->client_data;
    struct jpeg_source_mgr *from = library->src;
    from->next_input_byte += from->bytes_in_buffer;
    from->bytes_in_buffer = c->behind < COEFFICIENTS_PIECE ? c->behind : COEFFICIENTS_PIECE;
    c->behind -= from->bytes_in_buffer;
    return from->bytes_in_buffer ? TRUE : c->ended(library);
}

static inline void coefficients_from(coefficients *c, const uint8_t *data, size_t count)
{
    jpeg_mem_src(&c->library, data, count);
    c->behind = count;
    c->ended = c->library.src->fill_input_buffer;
    c->library.src->fill_input_buffer = coefficients_give_more;
    c->library.src->bytes_in_buffer = 0;
}

static inline void coefficients_done(coefficients *c) { jpeg_destroy_decompress(&c->library); }

/* False if libjpeg refuses it; how often it warned is in `warnings`. */
static inline bool coefficients_read(coefficients *c, const uint8_t *data, size_t count)
{
    *c = (coefficients){ .warnings = 0 };
    c->library.err = jpeg_std_error(&c->errors);
    c->library.client_data = c;
    c->errors.error_exit = coefficients_give_up;
    c->errors.emit_message = coefficients_count;
    jpeg_create_decompress(&c->library);
    c->library.client_data = c;
    if (setjmp(c->jump))
        return false;
    coefficients_from(c, data, count);
    if (jpeg_read_header(&c->library, TRUE) != JPEG_HEADER_OK)
        return false;
    for (int i = 0; i < c->library.comps_in_scan && !c->library.progressive_mode; i++) {
        const jpeg_component_info *component = c->library.cur_comp_info[i];
        int dc = component->dc_tbl_no, ac = component->ac_tbl_no;
        c->bare |= dc >= NUM_HUFF_TBLS || ac >= NUM_HUFF_TBLS || !c->library.dc_huff_tbl_ptrs[dc] || !c->library.ac_huff_tbl_ptrs[ac];
    }
    c->blocks = jpeg_read_coefficients(&c->library);
    return c->blocks != NULL;
}

/* √2 cos for the frequency u, sample x of n; 1 for u 0. */
static inline double coefficients_wave(int n, int u, int x)
{
    static double waves[9][8][8];
    if (waves[1][0][0] == 0)
        for (int m = 1; m <= 8; m++)
            for (int f = 0; f < m; f++)
                for (int at = 0; at < m; at++)
                    waves[m][f][at] = f ? sqrt(2) * cos((2 * at + 1) * f * M_PI / (2 * m)) : 1;
    return waves[n][u][x];
}

/* The samples of one component, n*n for a block; *ret_stride to a line. The caller frees them. `ret_largest` is the largest of the
 * dequantised coefficients. NULL if libjpeg gives up. */
static inline uint8_t *coefficients_plane(coefficients *c, int component, int n, size_t *ret_stride, double *ret_largest)
{
    const jpeg_component_info *info = &c->library.comp_info[component];
    const JQUANT_TBL *table = info->quant_table;
    size_t stride = (size_t)info->width_in_blocks * (size_t)n;
    uint8_t *volatile samples = malloc(stride * (size_t)n * info->height_in_blocks + 1);
    if (setjmp(c->jump)) {
        free(samples);
        return NULL;
    }
    for (JDIMENSION y = 0; y < info->height_in_blocks; y++) {
        JBLOCKARRAY row = c->library.mem->access_virt_barray((j_common_ptr)&c->library, c->blocks[component], y, 1, FALSE);
        for (JDIMENSION x = 0; x < info->width_in_blocks; x++) {
            double columns[8][8];
            for (int v = 0; v < n; v++)
                for (int at = 0; at < n; at++) {
                    columns[v][at] = 0;
                    for (int u = 0; u < n; u++) {
                        double value = (double)row[0][x][v * 8 + u] * (table ? table->quantval[v * 8 + u] : 0);
                        if (fabs(value) > *ret_largest)
                            *ret_largest = fabs(value);
                        columns[v][at] += value * coefficients_wave(n, u, at) / 8;
                    }
                }
            for (int down = 0; down < n; down++)
                for (int at = 0; at < n; at++) {
                    double value = 128.5;
                    for (int v = 0; v < n; v++)
                        value += columns[v][at] * coefficients_wave(n, v, down);
                    samples[((size_t)y * (size_t)n + (size_t)down) * stride + x * (size_t)n + (size_t)at] =
                        (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
                }
        }
    }
    *ret_stride = stride;
    return samples;
}

/* Our own decoder's planes, whole. */
typedef struct planes {
    int count;
    px_plane_size sizes[3];
    uint8_t *samples[3]; /* owned; lines of the plane's width */
    bool truncated;
} planes;

static inline void planes_done(planes *p)
{
    for (int i = 0; i < 3; i++)
        free(p->samples[i]);
    *p = (planes){ 0 };
}

/* PX_UNSUPPORTED_FORMAT if our own decoder does not take it. On failure there is nothing to be freed. */
static inline px_status planes_read(const px_source *source, const px_limits *limits, int eighths, px_chroma wanted, planes *ret, px_error *err)
{
    PX_AUTO(px_decoder_close) px_decoder *d = NULL;
    int width, height, lines[3] = { 0 };
    px_status status = px_decoder_open(source, limits, &d, err);
    if (status != PX_OK)
        return status;
    px_header header = d->header;
    if (!header.planes && header.model != PX_GREY)
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "no planes");
    if (!header.planes)
        header.chroma_across = header.chroma_down = 1;
    d->wants_planes = header.planes;
    d->wants_chroma = wanted;
    px_plane_sizes(&header, eighths, wanted, ret->sizes);
    ret->count = header.planes ? 3 : 1;
    (void)d->memory(d, eighths);
    status = d->start(d, eighths, &width, &height, err);
    if (status == PX_OK && (width != ret->sizes[0].width || height != ret->sizes[0].height))
        status = px_fail(err, PX_INTERNAL, "%dx%d is not the plan", width, height);
    for (int i = 0; i < ret->count; i++)
        ret->samples[i] = calloc((size_t)ret->sizes[i].width, (size_t)ret->sizes[i].height);
    while (status == PX_OK && lines[0] < height) {
        px_row row;
        status = d->pull(d, &row, err);
        for (int i = 0; i < ret->count && status == PX_OK; i++) {
            const px_plane *p = &row.planes[i];
            if (p->width != ret->sizes[i].width || lines[i] + p->height > ret->sizes[i].height)
                status = px_fail(err, PX_INTERNAL, "plane %d: more than was planned", i);
            for (int y = 0; y < p->height && status == PX_OK; y++)
                for (int x = 0; x < p->width; x++)
                    ret->samples[i][(size_t)(lines[i] + y) * (size_t)p->width + (size_t)x] = p->samples[(size_t)y * p->stride + (size_t)x];
            lines[i] += p->height;
        }
    }
    for (int i = 0; i < ret->count && status == PX_OK; i++)
        if (lines[i] != ret->sizes[i].height)
            status = px_fail(err, PX_INTERNAL, "plane %d: %d lines of %d", i, lines[i], ret->sizes[i].height);
    ret->truncated = d->header.truncated;
    if (status != PX_OK)
        planes_done(ret);
    return status;
}

/* The largest difference to libjpeg's coefficients; -1 if some are so large that decoders may differ. */
static inline int planes_differ(const planes *p, coefficients *c)
{
    int worst = 0;
    for (int i = 0; i < p->count; i++) {
        size_t stride = 0;
        double largest = 0;
        uint8_t *wanted = coefficients_plane(c, i, p->sizes[i].eighths, &stride, &largest);
        if (!wanted || largest > 1 << 15) {
            free(wanted);
            return -1;
        }
        for (int y = 0; y < p->sizes[i].height; y++)
            for (int x = 0; x < p->sizes[i].width; x++) {
                int d = abs(p->samples[i][(size_t)y * (size_t)p->sizes[i].width + (size_t)x] - wanted[(size_t)y * stride + (size_t)x]);
                worst = d > worst ? d : worst;
            }
        free(wanted);
    }
    return worst;
}

#endif
