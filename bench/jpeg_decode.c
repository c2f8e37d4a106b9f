/* jpeg_decode.c - what our own JPEG decoder costs beside libjpeg-turbo's scaled decode, in turn in one process.
 *
 *     bench-jpeg-decode [--rounds N] [--eighths LIST] FILE...
 *
 * Both give planes (libjpeg-turbo as raw data), Cb and Cr at the scale that the decoder's door plans for 4:2:0. Prints CPU time,
 * least and median of the rounds, and the medians' ratio. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h>

#include "codec/codec.h"

enum { ROUNDS_MAX = 1000, LINES_MAX = 64 };

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void stop(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static double ours(const char *path, int eighths)
{
    double began = cpu_ms();
    px_error err = { "" };
    px_limits limits = PX_LIMITS_DEFAULT;
    px_source source;
    if (px_source_open(open(path, O_RDONLY | O_CLOEXEC), &source, &err) != PX_OK)
        stop(path, err.message);
    PX_AUTO(px_decoder_close) px_decoder *d = NULL;
    int width, height, lines = 0;
    if (px_decoder_open(&source, &limits, &d, &err) != PX_OK)
        stop(path, err.message);
    if (!d->header.planes && d->header.model != PX_GREY)
        stop(path, "our own decoder does not take it");
    d->wants_planes = d->header.planes;
    d->wants_chroma = PX_CHROMA_HALVED;
    if (d->start(d, eighths, &width, &height, &err) != PX_OK)
        stop(path, err.message);
    while (lines < height) {
        px_row row;
        if (d->pull(d, &row, &err) != PX_OK)
            stop(path, err.message);
        lines += row.planes[0].height;
    }
    px_decoder_close(&d);
    px_source_close(&source);
    return cpu_ms() - began;
}

static double theirs(const char *path, int eighths)
{
    double began = cpu_ms();
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "rb");
    if (!file)
        stop(path, "cannot be read");
    d.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&d);
    jpeg_stdio_src(&d, file);
    jpeg_read_header(&d, TRUE);
    d.scale_num = (unsigned)eighths;
    d.scale_denom = 8;
    d.raw_data_out = TRUE;
    jpeg_start_decompress(&d);
    JSAMPROW lines[3][LINES_MAX];
    JSAMPARRAY planes[3];
    uint8_t *room[3];
    for (int c = 0; c < d.num_components; c++) {
        size_t stride = (size_t)d.comp_info[c].width_in_blocks * 8 + 64;
        room[c] = malloc(stride * LINES_MAX);
        for (int y = 0; y < LINES_MAX; y++)
            lines[c][y] = room[c] + (size_t)y * stride;
        planes[c] = lines[c];
    }
    while (d.output_scanline < d.output_height)
        jpeg_read_raw_data(&d, planes, (JDIMENSION)(d.max_v_samp_factor * d.min_DCT_scaled_size));
    for (int c = 0; c < d.num_components; c++)
        free(room[c]);
    jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
    fclose(file);
    return cpu_ms() - began;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *path, int eighths, int rounds)
{
    static double a[ROUNDS_MAX], b[ROUNDS_MAX];
    for (int i = 0; i < rounds; i++) {
        a[i] = ours(path, eighths);
        b[i] = theirs(path, eighths);
    }
    qsort(a, (size_t)rounds, sizeof *a, compare);
    qsort(b, (size_t)rounds, sizeof *b, compare);
    printf("%s %d/8: ours %.2f (%.2f), libjpeg-turbo %.2f (%.2f) ms; ratio %.3f (%.3f)\n", path, eighths, a[0], a[rounds / 2], b[0], b[rounds / 2],
           a[0] / b[0], a[rounds / 2] / b[rounds / 2]);
}

int main(int count, char **arguments)
{
    int rounds = 15;
    const char *list = "1248";
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--rounds") == 0 && i + 1 < count) {
            rounds = atoi(arguments[++i]);
            rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
        } else if (strcmp(arguments[i], "--eighths") == 0 && i + 1 < count)
            list = arguments[++i];
        else
            for (const char *at = list; *at; at++)
                if (*at >= '1' && *at <= '8')
                    measure(arguments[i], *at - '0', rounds);
    }
    return 0;
}
