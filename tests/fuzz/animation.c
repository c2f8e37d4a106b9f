/* Any bytes as an animation, through the whole engine: every frame to a scaled GIF and to a PNG of its own size, one to a PNG with a palette,
 * and cleaned where that is possible. The targets gif and apng differ in their corpus. The limits are small, so that what is slow is a finding. */
#include <sys/mman.h>
#include <unistd.h>

#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

static const px_output_spec outputs[] = {
    { .format = PX_FORMAT_GIF, .width = 16, .height = 16, .fit = PX_FIT_COVER, .quality = 80, .animated = true },
    { .format = PX_FORMAT_PNG, .quality = 80, .colour = PX_COLOUR_KEEP, .animated = true },
    { .format = PX_FORMAT_PNG, .quality = 80, .palette = true },
};
enum { OUTPUTS = sizeof outputs / sizeof *outputs };

static void clean(const px_source *source, px_format format)
{
    int fd = memfd_create("clean", MFD_CLOEXEC);
    uint64_t bytes;
    if (px_format_is_cleaned(format))
        (void)!px_format_clean(&(px_encoder_spec){ .format = format, .orientation = 1 }, source, fd, &bytes, NULL);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.pixels = 1 << 16;
    limits.frames = 50;
    limits.metadata_bytes = 1 << 20;
    limits.memory_bytes = 64 << 20;
    int fds[OUTPUTS];
    for (int i = 0; i < OUTPUTS; i++)
        fds[i] = memfd_create("output", MFD_CLOEXEC);
    px_source source;
    px_transform_report report;
    if (px_source_create(&source, NULL) == PX_OK) {
        if (count == 0 || px_source_push(&source, data, count, NULL) == PX_OK) {
            px_source_finish(&source);
            px_status status = px_transform(&source, &limits, outputs, fds, OUTPUTS, &report, NULL);
            if (status == PX_INTERNAL)
                __builtin_trap();
            if (status == PX_OK)
                clean(&source, report.format);
        }
        px_source_close(&source);
    }
    for (int i = 0; i < OUTPUTS; i++)
        close(fds[i]);
    return 0;
}
