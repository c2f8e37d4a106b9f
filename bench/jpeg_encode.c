/* What encoding a JPEG costs: libjpeg-turbo, with its usual Huffman codes and with codes made for the picture, beside pixmill's encoder, of
 * RGB and of planes. CPU time of each in turn, in one process, many rounds; the least and the median, and ratios of those to
 * libjpeg-turbo with codes made for the picture.
 *
 *   bench-jpeg-encode PHOTO.jpg [QUALITY [ROUNDS [WIDTHxHEIGHT]]]     (what is left of the photo's upper corner, if a size is given) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <jpeglib.h>

#include "codec/codec.h"

typedef struct picture {
    int width, height;
    uint8_t *rgb, *planes[3];
    px_chroma chroma;
} picture;

static void die(const char *what)
{
    fprintf(stderr, "bench-jpeg-encode: %s\n", what);
    exit(1);
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static picture read_picture(const char *path, int width, int height)
{
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "rb");
    if (!file)
        die("cannot open the photo");
    d.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&d);
    jpeg_stdio_src(&d, file);
    jpeg_read_header(&d, TRUE);
    d.out_color_space = JCS_RGB;
    jpeg_start_decompress(&d);
    picture p = { .width = width && width < (int)d.output_width ? width : (int)d.output_width,
                  .height = height && height < (int)d.output_height ? height : (int)d.output_height };
    uint8_t *line = malloc((size_t)d.output_width * 3);
    p.rgb = malloc((size_t)p.width * (size_t)p.height * 3);
    for (int y = 0; y < p.height; y++) {
        jpeg_read_scanlines(&d, &line, 1);
        memcpy(p.rgb + (size_t)y * (size_t)p.width * 3, line, (size_t)p.width * 3);
    }
    free(line);
    jpeg_abort_decompress(&d);
    jpeg_destroy_decompress(&d);
    fclose(file);
    return p;
}

static void make_planes(picture *p, int quality)
{
    p->chroma = quality < 90 ? PX_CHROMA_HALVED : PX_CHROMA_WHOLE;
    int part = p->chroma == PX_CHROMA_HALVED ? 2 : 1;
    for (int c = 0; c < 3; c++) {
        int step = c ? part : 1, width = (p->width + step - 1) / step, height = (p->height + step - 1) / step;
        p->planes[c] = malloc((size_t)width * (size_t)height);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                const uint8_t *pixel = p->rgb + ((size_t)(y * step) * (size_t)p->width + (size_t)(x * step)) * 3;
                double r = pixel[0], g = pixel[1], b = pixel[2], luma = 0.299 * r + 0.587 * g + 0.114 * b;
                p->planes[c][y * width + x] = (uint8_t)(c == 0 ? luma + 0.5 : c == 1 ? (b - luma) / 1.772 + 128 : (r - luma) / 1.402 + 128);
            }
    }
}

static unsigned long by_library(const picture *p, int quality, int optimised, int progressive)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long count = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &bytes, &count);
    c.image_width = (unsigned)p->width;
    c.image_height = (unsigned)p->height;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    if (quality >= 90)
        c.comp_info[0].h_samp_factor = c.comp_info[0].v_samp_factor = 1;
    jpeg_set_quality(&c, quality, TRUE);
    c.optimize_coding = optimised;
    if (progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = p->rgb + (size_t)c.next_scanline * (size_t)p->width * 3;
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    free(bytes);
    return count;
}

static unsigned long usual(const picture *p, int quality) { return by_library(p, quality, 0, 0); }
static unsigned long made(const picture *p, int quality) { return by_library(p, quality, 1, 0); }
static unsigned long scans(const picture *p, int quality) { return by_library(p, quality, 1, 1); }

static px_status push_planes(px_encoder *encoder, const picture *p)
{
    int lines = p->chroma == PX_CHROMA_HALVED ? 2 : 1;
    for (int y = 0; y * lines < p->height; y++) {
        px_row row = { .plane_count = 3, .depth = 8, .model = PX_YCC };
        for (int c = 0; c < 3; c++) {
            int width = c && lines == 2 ? (p->width + 1) / 2 : p->width, first = c ? y : y * lines;
            row.planes[c] = (px_plane){ p->planes[c] + (size_t)first * (size_t)width, width, c || p->height - first < lines ? 1 : lines,
                                        (size_t)width, 1 };
        }
        PX_TRY(encoder->push(encoder, &row, NULL));
    }
    return PX_OK;
}

static px_status push_rows(px_encoder *encoder, const picture *p)
{
    for (int y = 0; y < p->height; y++) {
        px_row row = px_row_of(p->rgb + (size_t)y * (size_t)p->width * 3, p->width, PX_RGB, PX_OPAQUE);
        PX_TRY(encoder->push(encoder, &row, NULL));
    }
    return PX_OK;
}

static int out_fd;

static unsigned long by_pixmill(const picture *p, int quality, int planes, px_effort effort)
{
    px_encoder_spec spec = { .format = PX_FORMAT_JPEG, .width = p->width, .height = p->height, .model = PX_RGB, .quality = quality,
                             .effort = effort };
    px_encoder *encoder = NULL;
    uint64_t bytes = 0;
    if (lseek(out_fd, 0, SEEK_SET) != 0 || (planes && !px_format_takes_planes(&spec, &spec)) ||
        px_encoder_open(&spec, out_fd, &encoder, NULL) != PX_OK || (planes ? push_planes : push_rows)(encoder, p) != PX_OK ||
        encoder->finish(encoder, &bytes, NULL) != PX_OK)
        die("the encoder failed");
    px_encoder_close(&encoder);
    return (unsigned long)bytes;
}

static unsigned long of_rgb(const picture *p, int quality) { return by_pixmill(p, quality, 0, PX_EFFORT_NORMAL); }
static unsigned long of_planes(const picture *p, int quality) { return by_pixmill(p, quality, 1, PX_EFFORT_NORMAL); }
static unsigned long high(const picture *p, int quality) { return by_pixmill(p, quality, 0, PX_EFFORT_HIGH); }

enum { CONTESTANTS = 6, ROUNDS_MAX = 1000 };

static const struct {
    const char *name;
    unsigned long (*encode)(const picture *, int quality);
} contestants[CONTESTANTS] = {
    { "libjpeg-turbo, codes made", made }, { "libjpeg-turbo, usual codes", usual }, { "libjpeg-turbo, progressive", scans },
    { "pixmill, RGB", of_rgb },            { "pixmill, planes", of_planes },         { "pixmill, effort high", high },
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        die("which photo?");
    int quality = argc > 2 ? atoi(argv[2]) : 80, rounds = argc > 3 ? atoi(argv[3]) : 40, width = 0, height = 0;
    if (argc > 4 && sscanf(argv[4], "%dx%d", &width, &height) != 2)
        die("a size is WIDTHxHEIGHT");
    rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
    picture p = read_picture(argv[1], width, height);
    make_planes(&p, quality);
    out_fd = memfd_create("bench", MFD_CLOEXEC);
    static double ms[CONTESTANTS][ROUNDS_MAX];
    unsigned long bytes[CONTESTANTS] = { 0 };
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < CONTESTANTS; i++) {
            double start = cpu_ms();
            bytes[i] = contestants[i].encode(&p, quality);
            ms[i][round] = cpu_ms() - start;
        }
    for (int i = 0; i < CONTESTANTS; i++)
        qsort(ms[i], (size_t)rounds, sizeof(double), ascending);
    printf("%dx%d, quality %d, %d rounds\n%-28s %9s %9s %7s %7s %9s\n", p.width, p.height, quality, rounds, "", "least ms", "median", "ratio",
           "ratio", "bytes");
    for (int i = 0; i < CONTESTANTS; i++)
        printf("%-28s %9.2f %9.2f %7.2f %7.2f %9lu\n", contestants[i].name, ms[i][0], ms[i][rounds / 2], ms[i][0] / ms[0][0],
               ms[i][rounds / 2] / ms[0][rounds / 2], bytes[i]);
    return 0;
}
