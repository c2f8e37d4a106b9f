/* JPEG in: the header by libjpeg-turbo, then the planes and grey rows by our own decoder (scaled.h) where that takes the picture, all else by it.
 *
 * Its source manager reads a px_source, its error manager jumps back into the call that entered the library and
 * never further: each of open, start and pull has its own setjmp. Rows come out as grey or RGB; CMYK and YCCK are
 * turned into RGB here (Adobe stores them inverted). Application markers are counted and skipped by us, so that
 * a header of megabytes costs no memory; only the first EXIF block and the ICC profile are kept. Where the source ends early the library is told
 * "end of image", and whether something was missing is judged from the warning that follows. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>

#include "codec/exif.h"
#include "codec/formats.h"
#include "codec/jpeg/scaled.h"

enum { INPUT_BYTES = 64 << 10, MARKER_BYTES = 65536, PARTS_MAX = 256, PART_HEAD = 14, HEAD_BYTES = 6 };

typedef struct jpeg_decoder {
    px_decoder base;
    struct jpeg_decompress_struct library;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr input;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;        /* of the call that is inside the library now */
    px_status status;    /* why it jumped */
    px_error *err;       /* of that call; may be NULL */
    const px_source *source;
    const px_limits *limits;
    uint64_t offset;     /* of the next byte to read from the source */
    uint64_t metadata_bytes;
    uint64_t end;        /* where the source is taken to end, if not 0: in front of a marker that is cut */
    bool ended;          /* the source had no more bytes when the library wanted some */
    bool inverted;       /* CMYK as Adobe writes it */
    uint8_t *row;        /* owned; one row as the library gives it */
    bool can_scale;      /* `frame` is what our own decoder takes */
    px_jpeg_frame frame;
    px_jpeg_scaled *scaled; /* owned; NULL where the library decodes */
    px_bytes parts[PARTS_MAX]; /* owned; of the ICC profile, by number */
    int part_count;            /* that the profile says it has; 0: none was seen */
    size_t profile_bytes;      /* of the parts so far */
    uint8_t *profile;          /* owned; the parts joined */
    size_t exif_count, xmp_count;
    uint8_t exif[MARKER_BYTES];
    uint8_t *xmp;              /* owned; the packet alone, or NULL */
    uint8_t bytes[INPUT_BYTES];
} jpeg_decoder;

static jpeg_decoder *decoder_of(j_common_ptr library) { return (jpeg_decoder *)library->client_data; }

__attribute__((noreturn)) static void give_up(jpeg_decoder *self, px_status status)
{
    self->status = status;
    longjmp(self->jump, 1);
}

/* The library found a fatal error. */
static void on_error(j_common_ptr library)
{
    jpeg_decoder *self = decoder_of(library);
    char text[JMSG_LENGTH_MAX];
    library->err->format_message(library, text);
    px_status status = library->err->msg_code == JERR_OUT_OF_MEMORY ? PX_OUT_OF_MEMORY
                     : library->err->msg_code == JERR_IMAGE_TOO_BIG ? PX_TOO_MANY_PIXELS
                     : self->ended ? PX_TRUNCATED_IMAGE
                     : library->err->msg_code == JERR_BAD_PRECISION || library->err->msg_code == JERR_SOF_UNSUPPORTED
                         ? PX_UNSUPPORTED_FORMAT
                         : PX_CORRUPT_IMAGE;
    px_fail(self->err, status, "JPEG: %s", text);
    give_up(self, status);
}

/* Warnings: most are harmless in the field; these mean that pixels are missing or invented. */
static void on_message(j_common_ptr library, int level)
{
    if (level >= 0)
        return;
    jpeg_decoder *self = decoder_of(library);
    int code = library->err->msg_code;
    if (code != JWRN_HIT_MARKER && code != JWRN_HUFF_BAD_CODE && code != JWRN_MUST_RESYNC &&
        code != JWRN_ARITH_BAD_CODE)
        return;
    if (self->ended && self->limits->truncated) {
        self->base.header.truncated = true; /* the library makes what is missing grey */
        return;
    }
    if (self->ended)
        px_fail(self->err, PX_TRUNCATED_IMAGE, "JPEG: the file ends in the middle of the picture");
    else
        px_fail(self->err, PX_CORRUPT_IMAGE, "JPEG: %s",
                code == JWRN_HIT_MARKER ? "the picture's data ends before the picture does" : "the picture's data is damaged");
    give_up(self, self->ended ? PX_TRUNCATED_IMAGE : PX_CORRUPT_IMAGE);
}

static void on_output(j_common_ptr library) { (void)library; }

static void on_progress(j_common_ptr library)
{
    jpeg_decoder *self = decoder_of(library);
    if (self->library.input_scan_number > 0 && (uint32_t)self->library.input_scan_number > self->limits->scans) {
        px_fail(self->err, PX_TOO_MANY_FRAMES, "JPEG: more than %u scans (limits.scans)", self->limits->scans);
        give_up(self, PX_TOO_MANY_FRAMES);
    }
}

static void input_nothing(j_decompress_ptr library) { (void)library; }

static boolean input_fill(j_decompress_ptr library)
{
    static const JOCTET end_of_image[2] = { 0xff, JPEG_EOI };
    jpeg_decoder *self = (jpeg_decoder *)library->client_data;
    size_t count = 0;
    px_status status = px_source_read_at(self->source, self->offset, self->bytes, INPUT_BYTES, &count, self->err);
    if (status != PX_OK)
        give_up(self, status);
    if (self->end && count > self->end - self->offset)
        count = (size_t)(self->end - self->offset);
    self->offset += count;
    if (self->offset > self->limits->input_bytes) {
        px_fail(self->err, PX_TOO_MANY_BYTES, "the source is over %llu bytes (limits.input_bytes)",
                (unsigned long long)self->limits->input_bytes);
        give_up(self, PX_TOO_MANY_BYTES);
    }
    self->ended = count == 0;
    self->input.next_input_byte = count ? self->bytes : end_of_image;
    self->input.bytes_in_buffer = count ? count : sizeof end_of_image;
    return TRUE;
}

static void input_skip(j_decompress_ptr library, long count)
{
    jpeg_decoder *self = (jpeg_decoder *)library->client_data;
    if (count <= 0)
        return;
    if ((size_t)count <= self->input.bytes_in_buffer) {
        self->input.next_input_byte += count;
        self->input.bytes_in_buffer -= (size_t)count;
        return;
    }
    self->offset += (size_t)count - self->input.bytes_in_buffer;
    if (self->end && self->offset > self->end)
        self->offset = self->end;
    self->input.bytes_in_buffer = 0;
}

static int next_byte(jpeg_decoder *self)
{
    if (self->input.bytes_in_buffer == 0)
        input_fill(&self->library);
    self->input.bytes_in_buffer--;
    return *self->input.next_input_byte++;
}

/* A part of the ICC profile (ICC.1:2022 B.4): "ICC_PROFILE\0", its number from 1, how many there are, bytes. *length is what is left of
 * the marker. A part that does not fit the others is passed over, and the profile then is not whole. */
static void take_part(jpeg_decoder *self, int *length)
{
    uint8_t head[PART_HEAD];
    for (int i = 0; i < PART_HEAD; i++)
        head[i] = (uint8_t)next_byte(self);
    *length -= PART_HEAD;
    int number = head[12], count = head[13];
    if (memcmp(head, "ICC_PROFILE", 12) != 0 || number < 1 || number > count || (self->part_count && self->part_count != count) ||
        self->parts[number].data || *length == 0 || self->profile_bytes + (size_t)*length > PX_PROFILE_BYTES_MAX)
        return;
    uint8_t *bytes = malloc((size_t)*length);
    if (!bytes)
        return;
    self->part_count = count;
    self->parts[number] = (px_bytes){ bytes, (size_t)*length };
    self->profile_bytes += (size_t)*length;
    for (; *length > 0; --*length)
        *bytes++ = (uint8_t)next_byte(self);
}

/* Empty if a part is missing. */
static px_bytes join_profile(jpeg_decoder *self)
{
    size_t count = 0;
    for (int i = 1; i <= self->part_count; i++)
        if (!self->parts[i].data)
            return (px_bytes){ 0 };
    self->profile = self->part_count ? malloc(self->profile_bytes) : NULL;
    for (int i = 1; self->profile && i <= self->part_count; i++) {
        memcpy(self->profile + count, self->parts[i].data, self->parts[i].count);
        count += self->parts[i].count;
    }
    return (px_bytes){ self->profile, count };
}

/* APP1: EXIF or XMP, the first of each; whatever else is read past. */
static void take_named(jpeg_decoder *self, int length)
{
    uint8_t head[HEAD_BYTES];
    for (int i = 0; i < HEAD_BYTES; i++)
        head[i] = (uint8_t)next_byte(self);
    length -= HEAD_BYTES;
    if (self->exif_count == 0 && memcmp(head, "Exif\0", 5) == 0) {
        for (int i = 0; i < length; i++)
            self->exif[i] = (uint8_t)next_byte(self);
        self->exif_count = (size_t)length;
        return;
    }
    enum { REST = sizeof PX_JPEG_XMP - HEAD_BYTES };
    uint8_t rest[REST];
    bool xmp = !self->xmp && length > REST && memcmp(head, PX_JPEG_XMP, HEAD_BYTES) == 0;
    for (int i = 0; xmp && i < REST; i++, length--)
        rest[i] = (uint8_t)next_byte(self);
    if (xmp && memcmp(rest, PX_JPEG_XMP + HEAD_BYTES, REST) == 0 && (self->xmp = malloc((size_t)length)))
        for (; length > 0; length--)
            self->xmp[self->xmp_count++] = (uint8_t)next_byte(self);
    input_skip(&self->library, length);
}

/* An application or comment marker: counted; EXIF and XMP are kept (T.81 B.2.4.6: two bytes of length, itself included). */
static boolean on_marker(j_decompress_ptr library)
{
    jpeg_decoder *self = (jpeg_decoder *)library->client_data;
    int length = next_byte(self) << 8;
    length |= next_byte(self);
    if (length < 2) {
        px_fail(self->err, PX_CORRUPT_IMAGE, "JPEG: a marker has a length of %d", length);
        give_up(self, PX_CORRUPT_IMAGE);
    }
    length -= 2;
    self->metadata_bytes += (unsigned)length;
    if (self->metadata_bytes > self->limits->metadata_bytes) {
        px_fail(self->err, PX_TOO_MANY_BYTES, "JPEG: more than %llu bytes of metadata (limits.metadata_bytes)",
                (unsigned long long)self->limits->metadata_bytes);
        give_up(self, PX_TOO_MANY_BYTES);
    }
    if (library->unread_marker == JPEG_APP0 + 1 && length > HEAD_BYTES) {
        take_named(self, length);
    } else {
        if (library->unread_marker == JPEG_APP0 + 2 && length > PART_HEAD)
            take_part(self, &length);
        input_skip(library, length);
    }
    return TRUE;
}

/* The planes of our own decoder; of grey there is one. */
static void sizes_of(const px_decoder *base, int eighths, px_plane_size ret[3])
{
    px_header header = base->header;
    if (!header.planes)
        header.chroma_across = header.chroma_down = 1;
    px_plane_sizes(&header, eighths, base->wants_chroma, ret);
}

/* Does our own decoder decode what is wanted? Of colours it gives planes alone. */
static bool is_scaled(const jpeg_decoder *self)
{
    return self->can_scale && (self->base.wants_planes || self->base.header.model == PX_GREY);
}

/* Bytes of memory: a progressive picture's coefficients are held whole, whatever the scale. */
static uint64_t decoder_memory(const px_decoder *base, int eighths)
{
    const jpeg_decoder *self = (const jpeg_decoder *)base;
    uint64_t width = (uint64_t)base->header.width, height = (uint64_t)base->header.height;
    px_plane_size sizes[3];
    sizes_of(base, eighths, sizes);
    if (is_scaled(self))
        return sizeof *self + px_jpeg_scaled_memory(&self->frame, sizes);
    uint64_t bytes = sizeof *self + width * 4 * 64 * (unsigned)eighths / 8; /* rows inside the library */
    if (self->library.progressive_mode || self->library.comps_in_scan < self->library.num_components)
        for (int i = 0; i < self->library.num_components; i++) {
            const jpeg_component_info *c = &self->library.comp_info[i];
            uint64_t across = (width * (unsigned)c->h_samp_factor / (unsigned)self->library.max_h_samp_factor + 16 + 7) / 8;
            uint64_t down = (height * (unsigned)c->v_samp_factor / (unsigned)self->library.max_v_samp_factor + 16 + 7) / 8;
            bytes += across * down * DCTSIZE2 * sizeof(JCOEF);
        }
    return bytes;
}

static px_status read_header(jpeg_decoder *self, px_error *err)
{
    self->err = err;
    if (setjmp(self->jump))
        return self->status;

    jpeg_create_decompress(&self->library);
    self->library.client_data = self;
    self->library.src = &self->input;
    self->library.progress = &self->progress;
    for (int marker = JPEG_APP0 + 1; marker <= JPEG_APP0 + 15; marker++)
        if (marker != JPEG_APP0 + 14)
            jpeg_set_marker_processor(&self->library, marker, on_marker);
    jpeg_set_marker_processor(&self->library, JPEG_COM, on_marker);
    if (jpeg_read_header(&self->library, TRUE) != JPEG_HEADER_OK)
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: no picture in the header");
    return PX_OK;
}

static px_status start_library(jpeg_decoder *self, int eighths, px_error *err)
{
    self->err = err;
    if (setjmp(self->jump))
        return self->status;

    self->library.scale_num = (unsigned)eighths;
    self->library.scale_denom = 8;
    self->library.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&self->library);
    if (jpeg_has_multiple_scans(&self->library) && self->ended && self->limits->truncated)
        self->base.header.truncated = true;
    else if (jpeg_has_multiple_scans(&self->library) && self->ended)
        return px_fail(err, PX_TRUNCATED_IMAGE, "JPEG: the file ends before its last scan");
    return PX_OK;
}

/* Where the last marker begins that is no restart; 0 if none is near the end. */
static uint64_t last_marker(const jpeg_decoder *self)
{
    uint8_t tail[2 * MARKER_BYTES];
    uint64_t total = px_source_bytes(self->source, NULL), from = total > sizeof tail ? total - sizeof tail : 0;
    size_t count = 0;
    if (px_source_read_at(self->source, from, tail, sizeof tail, &count, NULL) != PX_OK)
        return 0;
    for (size_t at = count; at-- > 1;)
        if (tail[at - 1] == 0xff && tail[at] >= 0xc0 && tail[at] != 0xff && (tail[at] < 0xd0 || tail[at] > 0xd9))
            return from + at - 1;
    return 0;
}

/* The source ends inside a marker between two scans, from where the library finds no way on: read it again, as if it ended in front. */
static px_status start_again(jpeg_decoder *self, int eighths, px_error *err)
{
    J_COLOR_SPACE space = self->library.out_color_space;
    self->end = last_marker(self);
    if (self->end == 0)
        return px_fail(err, PX_TRUNCATED_IMAGE, "JPEG: the file ends before its first scan does");
    jpeg_destroy_decompress(&self->library);
    self->offset = self->metadata_bytes = 0;
    self->ended = false;
    self->input.bytes_in_buffer = 0;
    PX_TRY(read_header(self, err));
    self->library.out_color_space = space;
    PX_TRY(start_library(self, eighths, err));
    self->base.header.truncated = true;
    return PX_OK;
}

static px_status start_scaled(jpeg_decoder *self, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    px_plane_size sizes[3];
    sizes_of(&self->base, eighths, sizes);
    *ret_width = sizes[0].width;
    *ret_height = sizes[0].height;
    return px_jpeg_scaled_create(&self->frame, sizes, self->source, self->limits, &self->scaled, err);
}

static px_status decoder_start(px_decoder *base, int eighths, int *ret_width, int *ret_height, px_error *err)
{
    jpeg_decoder *self = (jpeg_decoder *)base;
    if (is_scaled(self))
        return start_scaled(self, eighths, ret_width, ret_height, err);
    px_status status = start_library(self, eighths, err);
    if (status == PX_TRUNCATED_IMAGE && self->limits->truncated)
        status = start_again(self, eighths, err);
    PX_TRY(status);
    self->row = malloc((size_t)self->library.output_width * 4);
    if (!self->row)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a row of %u pixels", self->library.output_width);
    *ret_width = (int)self->library.output_width;
    *ret_height = (int)self->library.output_height;
    return PX_OK;
}

/* In place, 255 for full ink. */
static void straighten_inks(uint8_t *row, int width, bool inverted)
{
    for (int i = 0; inverted && i < 4 * width; i++)
        row[i] ^= 255;
}

/* Ink to light, in place. Rough, but stable: for pictures without a profile. */
static void cmyk_to_rgb(uint8_t *row, int width, bool inverted)
{
    uint8_t flip = inverted ? 0 : 255;
    for (int x = 0; x < width; x++) {
        unsigned k = row[4 * x + 3] ^ flip;
        for (int c = 0; c < 3; c++)
            row[3 * x + c] = (uint8_t)(((row[4 * x + c] ^ flip) * k + 127) / 255);
    }
}

static px_status decoder_pull(px_decoder *base, px_row *ret, px_error *err)
{
    jpeg_decoder *self = (jpeg_decoder *)base;
    if (self->scaled) {
        PX_TRY(px_jpeg_scaled_pull(self->scaled, ret, err));
        base->header.truncated = px_jpeg_scaled_truncated(self->scaled);
        return PX_OK;
    }
    self->err = err;
    if (setjmp(self->jump))
        return self->status;

    JSAMPROW rows[1] = { self->row };
    if (jpeg_read_scanlines(&self->library, rows, 1) != 1)
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: a row did not come");
    int width = (int)self->library.output_width;
    bool inks = self->library.out_color_space == JCS_CMYK && base->wants_inks;
    if (inks)
        straighten_inks(self->row, width, self->inverted);
    else if (self->library.out_color_space == JCS_CMYK)
        cmyk_to_rgb(self->row, width, self->inverted);
    *ret = px_row_of(self->row, width, inks ? PX_CMYK : base->header.model, PX_OPAQUE);
    return PX_OK;
}

static void decoder_close(px_decoder *base)
{
    jpeg_decoder *self = (jpeg_decoder *)base;
    jpeg_destroy_decompress(&self->library);
    for (int i = 0; i < PARTS_MAX; i++)
        free((uint8_t *)(uintptr_t)self->parts[i].data);
    free(self->profile);
    px_jpeg_scaled_destroy(self->scaled);
    free(self->xmp);
    free(self->row);
    free(self);
}

static px_jpeg_codes codes_of(const JHUFF_TBL *table)
{
    px_jpeg_codes ret = { .there = table != NULL };
    if (table) {
        memcpy(ret.counts, table->bits, sizeof ret.counts);
        memcpy(ret.values, table->huffval, sizeof ret.values);
    }
    return ret;
}

/* Are there tables of all the numbers that are named? If not, the library says so. */
static bool names_tables(const struct jpeg_decompress_struct *l)
{
    int all = 0;
    for (int c = 0; c < l->num_components; c++)
        all |= l->comp_info[c].quant_tbl_no;
    for (int i = 0; i < l->comps_in_scan; i++)
        all |= l->cur_comp_info[i]->dc_tbl_no | l->cur_comp_info[i]->ac_tbl_no;
    return (all & ~3) == 0;
}

/* What the library read up to the first scan's data, for our own decoder. False if it is of a kind that the decoder does not take. */
static bool take_frame(jpeg_decoder *self)
{
    const struct jpeg_decompress_struct *l = &self->library;
    px_jpeg_frame *f = &self->frame;
    if (self->ended || !names_tables(l) || l->arith_code || l->data_precision != 8 || l->num_components > PX_JPEG_COMPONENTS ||
        (l->jpeg_color_space != JCS_GRAYSCALE && l->jpeg_color_space != JCS_YCbCr))
        return false;
    *f = (px_jpeg_frame){ .width = (int)l->image_width, .height = (int)l->image_height, .progressive = l->progressive_mode,
                          .count = l->num_components, .restart = (int)l->restart_interval,
                          .offset = self->offset - self->input.bytes_in_buffer, .metadata_bytes = self->metadata_bytes };
    for (int c = 0; c < f->count; c++) {
        f->across[c] = l->comp_info[c].h_samp_factor;
        f->down[c] = l->comp_info[c].v_samp_factor;
        f->ids[c] = l->comp_info[c].component_id;
        f->quant[c] = l->comp_info[c].quant_tbl_no;
    }
    for (int i = 0; i < 4; i++) {
        const JQUANT_TBL *quant = l->quant_tbl_ptrs[i];
        f->has_steps[i] = quant != NULL;
        for (int k = 0; k < 64 && quant; k++)
            f->steps[i][k] = quant->quantval[k];
        f->dc[i] = codes_of(l->dc_huff_tbl_ptrs[i]);
        f->ac[i] = codes_of(l->ac_huff_tbl_ptrs[i]);
    }
    f->scan = (px_jpeg_scan){ l->comps_in_scan, .first = l->Ss, .last = l->Se, .high = l->Ah, .low = l->Al };
    for (int i = 0; i < l->comps_in_scan; i++) {
        f->scan.components[i] = l->cur_comp_info[i]->component_index;
        f->scan.dc[i] = l->cur_comp_info[i]->dc_tbl_no;
        f->scan.ac[i] = l->cur_comp_info[i]->ac_tbl_no;
    }
    return px_jpeg_scaled_can(f);
}

bool px_jpeg_is(px_bytes first) { return px_has_bytes(first, 0, "\xff\xd8\xff", 3); }

px_status px_jpeg_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    jpeg_decoder *self = calloc(1, sizeof *self);
    if (!self)
        return px_fail(err, PX_OUT_OF_MEMORY, "no room for a JPEG decoder");
    PX_AUTO(px_decoder_close) px_decoder *held = &self->base;
    self->base = (px_decoder){ .memory = decoder_memory, .start = decoder_start, .pull = decoder_pull,
                               .close = decoder_close };
    self->source = source;
    self->limits = limits;
    self->library.err = jpeg_std_error(&self->errors);
    self->errors.error_exit = on_error;
    self->errors.emit_message = on_message;
    self->errors.output_message = on_output;
    self->library.client_data = self;
    self->input = (struct jpeg_source_mgr){ .init_source = input_nothing, .fill_input_buffer = input_fill,
                                            .skip_input_data = input_skip, .resync_to_restart = jpeg_resync_to_restart,
                                            .term_source = input_nothing };
    self->progress.progress_monitor = on_progress;
    PX_TRY(read_header(self, err));
    PX_TRY(px_judge_size(limits, self->library.image_width, self->library.image_height, err));

    bool inks = self->library.num_components == 4;
    bool grey = self->library.jpeg_color_space == JCS_GRAYSCALE;
    if (self->library.data_precision != 8)
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "JPEG: %d bits a sample; pixmill reads 8", self->library.data_precision);
    if (self->library.num_components != 1 && self->library.num_components != 3 && !inks)
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "JPEG: %d colour components", self->library.num_components);
    self->library.out_color_space = inks ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    self->inverted = inks && self->library.saw_Adobe_marker;

    self->can_scale = take_frame(self);
    bool planes = self->can_scale && !grey;

    px_bytes exif = { self->exif, self->exif_count };
    self->base.header = (px_header){
        .format = PX_FORMAT_JPEG,
        .width = (int)self->library.image_width,
        .height = (int)self->library.image_height,
        .model = grey ? PX_GREY : PX_RGB,
        .inks = inks,
        .alpha = PX_OPAQUE,
        .orientation = px_exif_orientation(exif),
        .exif = exif,
        .xmp = { self->xmp, self->xmp_count },
        .scalable = true,
        .profile = join_profile(self),
        .frames = 1,
        .planes = planes,
        .chroma_across = planes ? self->frame.across[0] / self->frame.across[1] : 0,
        .chroma_down = planes ? self->frame.down[0] / self->frame.down[1] : 0,
        .siting = PX_CENTRED,
    };
    *ret = held;
    held = NULL;
    return PX_OK;
}
