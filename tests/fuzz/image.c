/* Any bytes as a picture, through the whole engine, into four outputs: one scaled JPEG, one of its own size and format,
 * one whose geometry the last bytes choose, one whose
 * quality and format are found by trying.
 * The limits are small, so that what is slow is a finding. */
#include <sys/mman.h>
#include <unistd.h>

#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

/* A crop in percent, so that there always is one. */
static px_output_spec geometry(const uint8_t *data, size_t count)
{
    uint8_t last[8] = { 0 };
    for (size_t i = 0; i < sizeof last && i < count; i++)
        last[i] = data[count - 1 - i];
    px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
    spec.format = last[0] % 2 ? PX_FORMAT_PNG : PX_FORMAT_JPEG;
    spec.fit = (px_fit)(last[0] / 2 % PX_FIT_COUNT);
    spec.position = (px_position)(last[1] % PX_POSITION_COUNT);
    spec.rotate = (px_rotate)(last[2] % PX_ROTATE_COUNT);
    spec.width = last[3];
    spec.height = last[4];
    spec.sharpen = last[5] % 101;
    spec.enlarge = last[5] > 127;
    spec.background[3] = last[6];
    spec.crop = (px_crop){ last[6] % 100, last[7] % 100, 1 + last[6] / 3, 1 + last[7] / 3, true };
    return spec;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.pixels = 1 << 20;
    limits.scans = 20;
    limits.metadata_bytes = 1 << 20;
    limits.memory_bytes = 64 << 20;
    limits.truncated = count % 2;
    px_output_spec specs[4] = { PX_OUTPUT_SPEC_DEFAULT, PX_OUTPUT_SPEC_DEFAULT, geometry(data, count), PX_OUTPUT_SPEC_DEFAULT };
    specs[0].width = specs[0].height = 32;
    specs[0].fit = PX_FIT_COVER;
    specs[1].width = 0;
    specs[1].format = PX_FORMAT_KEEP;
    specs[1].colour = count % 4 < 2 ? PX_COLOUR_KEEP : PX_COLOUR_SRGB;
    specs[0].strip = PX_STRIP_GPS;
    specs[1].strip = PX_STRIP_NONE;
    specs[3].width = specs[3].height = 24;
    specs[3].format = PX_FORMAT_AUTO;
    specs[3].quality = 0;
    int fds[4] = { memfd_create("jpeg", MFD_CLOEXEC), memfd_create("png", MFD_CLOEXEC), memfd_create("geometry", MFD_CLOEXEC),
                   memfd_create("auto", MFD_CLOEXEC) };
    px_source source;
    px_transform_report report;
    if (px_source_create(&source, NULL) == PX_OK) {
        if (count == 0 || px_source_push(&source, data, count, NULL) == PX_OK) {
            px_source_finish(&source);
            px_status status = px_transform(&source, &limits, specs, fds, 4, &report, NULL);
            if (status == PX_INTERNAL)
                __builtin_trap();
        }
        px_source_close(&source);
    }
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    return 0;
}
