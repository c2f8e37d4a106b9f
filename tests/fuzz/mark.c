/* Any bytes as a watermark: as its picture, through the whole engine; or, after an odd first byte, as changes (three bytes of place, one of
 * value) to the bundled font, whose text is drawn then. HarfBuzz and FreeType do not tell the fuzzer where they are, but crash like others. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/font/font.h"
#include "image/image.h"
#include "image/letters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

static void draw_in(px_bytes font)
{
    static const char *const texts[] = { "fi Ω", "سلام", "Й" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint8_t plane[64 * 16] = { 0 };
        px_letters *letters = NULL;
        if (px_letters_open(texts[i], font, &letters, NULL) == PX_OK)
            (void)!px_letters_draw(letters, 64, 16, plane, NULL);
        px_letters_close(letters);
    }
}

static void try_font(const uint8_t *data, size_t count)
{
    px_bytes whole = px_font_bundled();
    uint8_t *copy = malloc(whole.count);
    memcpy(copy, whole.data, whole.count);
    for (; count >= 4; data += 4, count -= 4)
        copy[((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % whole.count] = data[3];
    draw_in((px_bytes){ copy, whole.count });
    free(copy);
}

/* The picture that is marked: a grey PNG of 8 x 8, made once. */
static px_status open_canvas(px_source *ret)
{
    px_encoder *encoder = NULL;
    uint64_t bytes;
    uint8_t samples[8] = { 0 };
    px_row row = px_row_of(samples, 8, PX_GREY, PX_OPAQUE);
    px_encoder_spec spec = { .format = PX_FORMAT_PNG, .width = 8, .height = 8, .model = PX_GREY };
    int fd = memfd_create("canvas", MFD_CLOEXEC);
    px_status status = px_encoder_open(&spec, fd, &encoder, NULL);
    for (int y = 0; y < 8 && status == PX_OK; y++)
        status = encoder->push(encoder, &row, NULL);
    if (status == PX_OK)
        status = encoder->finish(encoder, &bytes, NULL);
    px_encoder_close(&encoder);
    return status == PX_OK ? px_source_open(fd, ret, NULL) : status;
}

static void try_picture(const uint8_t *data, size_t count)
{
    static px_source canvas;
    if (!canvas.bytes && open_canvas(&canvas) != PX_OK)
        __builtin_trap();
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.pixels = 1 << 20;
    limits.metadata_bytes = 1 << 20;
    limits.memory_bytes = 64 << 20;
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    px_transform_report report;
    int fd = memfd_create("out", MFD_CLOEXEC);
    spec.format = PX_FORMAT_PNG;
    spec.mark.image = memfd_create("mark", MFD_CLOEXEC);
    spec.mark.tiled = true;
    if (write(spec.mark.image, data, count) == (ssize_t)count && px_transform(&canvas, &limits, &spec, &fd, 1, &report, NULL) == PX_INTERNAL)
        __builtin_trap();
    close(spec.mark.image);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    if (count && data[0] % 2)
        try_font(data + 1, count - 1);
    else if (count)
        try_picture(data + 1, count - 1);
    return 0;
}
