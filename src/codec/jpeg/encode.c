/* JPEG out, by libjpeg-turbo: baseline (progressive with high effort), Huffman tables made for the picture; chroma of half
 * the width and height (4:2:0) below quality 90, of all pixels (4:4:4) from there on, where its loss is what would be seen first.
 *
 * Rows are RGB or grey, or planes of Y, Cb and Cr as they will be stored, which are kept until a row of blocks is full.
 *
 * Those tables cost the picture's coefficients in memory, at output size, and save 3 to 8 per cent of bytes. Bytes go
 * out in large writes. As in decode.c, the library's jump never leaves the call that entered it. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/file.h"
#include "codec/exif.h"
#include "codec/formats.h"

enum { OUTPUT_BYTES = 256 << 10, QUALITY_OF_WHOLE_CHROMA = 90 };

typedef struct jpeg_encoder {
    px_encoder base;
    struct jpeg_compress_struct library;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr output;
    jmp_buf jump;
    px_status status;
    px_error *err;
    int fd;
    uint64_t written;
    uint8_t *block_rows; /* owned; with planes: one row of blocks of each, lines as wide as whole blocks */
    size_t strides[3];
    int full[3], held[3]; /* lines in such a row, and how many are there */
    JOCTET bytes[OUTPUT_BYTES];
} jpeg_encoder;

static void on_error(j_common_ptr library)
{
    jpeg_encoder *self = (jpeg_encoder *)library->client_data;
    char text[JMSG_LENGTH_MAX];
    library->err->format_message(library, text);
    self->status = library->err->msg_code == JERR_OUT_OF_MEMORY ? PX_OUT_OF_MEMORY : PX_INTERNAL;
    px_fail(self->err, self->status, "writing JPEG: %s", text);
    longjmp(self->jump, 1);
}

static void on_message(j_common_ptr library, int level)
{
    (void)library;
    (void)level;
}

static void write_out(jpeg_encoder *self, size_t count)
{
    self->status = px_write_all(self->fd, self->bytes, count, "the output", self->err);
    if (self->status != PX_OK)
        longjmp(self->jump, 1);
    self->written += count;
    self->output.next_output_byte = self->bytes;
    self->output.free_in_buffer = OUTPUT_BYTES;
}

static void output_init(j_compress_ptr library)
{
    jpeg_encoder *self = (jpeg_encoder *)library->client_data;
    self->output.next_output_byte = self->bytes;
    self->output.free_in_buffer = OUTPUT_BYTES;
}

static boolean output_empty(j_compress_ptr library)
{
    write_out((jpeg_encoder *)library->client_data, OUTPUT_BYTES);
    return TRUE;
}

static void output_term(j_compress_ptr library)
{
    jpeg_encoder *self = (jpeg_encoder *)library->client_data;
    write_out(self, OUTPUT_BYTES - self->output.free_in_buffer);
}

static uint8_t *line_of(jpeg_encoder *self, int plane, int y)
{
    uint8_t *first = self->block_rows;
    for (int p = 0; p < plane; p++)
        first += self->strides[p] * (size_t)self->full[p];
    return first + self->strides[plane] * (size_t)y;
}

/* The last sample and the last line are repeated to the ends of their blocks. */
static void hold_lines(jpeg_encoder *self, int plane, const px_plane *from)
{
    size_t width = (size_t)from->width;
    for (int y = 0; y < from->height; y++) {
        uint8_t *line = line_of(self, plane, self->held[plane]++);
        memcpy(line, from->samples + (size_t)y * from->stride, width);
        memset(line + width, line[width - 1], self->strides[plane] - width);
    }
}

static void write_block_rows(jpeg_encoder *self)
{
    JSAMPROW lines[3][2 * DCTSIZE];
    JSAMPARRAY planes[3] = { lines[0], lines[1], lines[2] };
    for (int p = 0; p < 3; p++) {
        for (int y = 0; y < self->full[p]; y++)
            lines[p][y] = line_of(self, p, y < self->held[p] ? y : self->held[p] - 1);
        self->held[p] = 0;
    }
    jpeg_write_raw_data(&self->library, planes, (JDIMENSION)self->full[0]);
}

static void push_planes(jpeg_encoder *self, const px_row *row)
{
    for (int p = 0; p < 3; p++)
        hold_lines(self, p, &row->planes[p]);
    if (self->held[0] == self->full[0])
        write_block_rows(self);
}

static px_status encoder_push(px_encoder *base, const px_row *row, px_error *err)
{
    jpeg_encoder *self = (jpeg_encoder *)base;
    self->err = err;
    if (setjmp(self->jump))
        return self->status;
    if (self->block_rows) {
        push_planes(self, row);
        return PX_OK;
    }
    JSAMPROW rows[1] = { row->planes[0].samples };
    jpeg_write_scanlines(&self->library, rows, 1);
    return PX_OK;
}

static px_status encoder_finish(px_encoder *base, uint64_t *ret_bytes, px_error *err)
{
    jpeg_encoder *self = (jpeg_encoder *)base;
    self->err = err;
    if (setjmp(self->jump))
        return self->status;
    if (self->held[0])
        write_block_rows(self);
    jpeg_finish_compress(&self->library);
    *ret_bytes = self->written;
    return PX_OK;
}

static void encoder_close(px_encoder *base)
{
    jpeg_encoder *self = (jpeg_encoder *)base;
    jpeg_destroy_compress(&self->library);
    free(self->block_rows);
    free(self);
}

/* An APP1 marker: a name, NUL included, and the bytes. What does not fit into one is left out. */
static void write_named(jpeg_encoder *self, const char *name, size_t name_bytes, px_bytes bytes)
{
    if (bytes.count == 0 || bytes.count > 65533 - name_bytes)
        return;
    jpeg_write_m_header(&self->library, JPEG_APP0 + 1, (unsigned)(name_bytes + bytes.count));
    for (size_t i = 0; i < name_bytes; i++)
        jpeg_write_m_byte(&self->library, name[i]);
    for (size_t i = 0; i < bytes.count; i++)
        jpeg_write_m_byte(&self->library, bytes.data[i]);
}

static bool has_whole_chroma(const px_encoder_spec *spec) { return spec->model != PX_GREY && spec->quality >= QUALITY_OF_WHOLE_CHROMA; }

/* The lines that planes are held in, once the sampling is settled. */
static bool hold_planes(jpeg_encoder *self, const px_encoder_spec *spec)
{
    size_t bytes = 0;
    for (int p = 0; p < 3; p++) {
        int part = p && !has_whole_chroma(spec) ? 2 : 1;
        self->strides[p] = ((size_t)(spec->width + part - 1) / (size_t)part + DCTSIZE - 1) / DCTSIZE * DCTSIZE;
        self->full[p] = DCTSIZE * self->library.comp_info[p].v_samp_factor;
        bytes += self->strides[p] * (size_t)self->full[p];
    }
    self->block_rows = malloc(bytes);
    self->library.raw_data_in = TRUE;
    return self->block_rows;
}

static px_status start(jpeg_encoder *self, const px_encoder_spec *spec, px_error *err)
{
    self->err = err;
    if (setjmp(self->jump))
        return self->status;
    jpeg_create_compress(&self->library);
    self->library.client_data = self;
    self->library.dest = &self->output;
    self->library.image_width = (unsigned)spec->width;
    self->library.image_height = (unsigned)spec->height;
    self->library.input_components = spec->model == PX_GREY ? 1 : 3;
    self->library.in_color_space = spec->model == PX_GREY ? JCS_GRAYSCALE : spec->model == PX_YCC ? JCS_YCbCr : JCS_RGB;
    jpeg_set_defaults(&self->library); /* 4:2:0 */
    if (has_whole_chroma(spec))
        self->library.comp_info[0].h_samp_factor = self->library.comp_info[0].v_samp_factor = 1;
    jpeg_set_quality(&self->library, spec->quality, TRUE);
    self->library.optimize_coding = TRUE;
    self->library.dct_method = JDCT_ISLOW;
    if (spec->effort == PX_EFFORT_HIGH)
        jpeg_simple_progression(&self->library); /* some per cent fewer bytes, for twice the time */
    if (spec->model == PX_YCC && !hold_planes(self, spec))
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG encoder");
    jpeg_start_compress(&self->library, TRUE);
    uint8_t minimal[PX_EXIF_BYTES];
    write_named(self, PX_JPEG_EXIF, sizeof PX_JPEG_EXIF, px_exif_of(spec, minimal));
    write_named(self, PX_JPEG_XMP, sizeof PX_JPEG_XMP, spec->xmp);
    if (spec->profile.count)
        jpeg_write_icc_profile(&self->library, spec->profile.data, (unsigned)spec->profile.count);
    return PX_OK;
}

px_status px_jpeg_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    jpeg_encoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG encoder");
    PX_AUTO(px_encoder_close) px_encoder *held = &self->base;
    self->base = (px_encoder){ .push = encoder_push, .finish = encoder_finish, .close = encoder_close };
    self->fd = fd;
    self->library.err = jpeg_std_error(&self->errors);
    self->errors.error_exit = on_error;
    self->errors.emit_message = on_message;
    self->library.client_data = self;
    self->output = (struct jpeg_destination_mgr){ .init_destination = output_init, .empty_output_buffer = output_empty,
                                                  .term_destination = output_term };
    PX_TRY(start(self, spec, err));
    *ret = held;
    held = NULL;
    return PX_OK;
}

void px_jpeg_planes(px_encoder_spec *spec)
{
    spec->chroma = has_whole_chroma(spec) ? PX_CHROMA_WHOLE : PX_CHROMA_HALVED;
    spec->narrow = false;
}

uint64_t px_jpeg_encoder_memory(const px_encoder_spec *spec)
{
    uint64_t pixels = ((uint64_t)spec->width + 32) * ((uint64_t)spec->height + 32);
    return sizeof(jpeg_encoder) + pixels * (spec->model == PX_GREY ? 2 : has_whole_chroma(spec) ? 6 : 3) + (uint64_t)spec->width * (spec->model == PX_YCC ? 64 + 24 : 64);
}
