/* Any bytes as a picture, through the whole engine, into two outputs: one scaled JPEG, one of its own size and format.
 * The limits are small, so that what is slow is a finding. */
#include <sys/mman.h>
#include <unistd.h>

#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.pixels = 1 << 20;
    limits.scans = 20;
    limits.metadata_bytes = 1 << 20;
    limits.memory_bytes = 64 << 20;
    limits.truncated = count % 2;
    px_output_spec specs[2] = { PX_OUTPUT_SPEC_DEFAULT, PX_OUTPUT_SPEC_DEFAULT };
    specs[0].width = specs[0].height = 32;
    specs[0].fit = PX_FIT_COVER;
    specs[1].width = 0;
    specs[1].format = PX_FORMAT_KEEP;
    specs[1].colour = count % 4 < 2 ? PX_COLOUR_KEEP : PX_COLOUR_SRGB;
    specs[0].strip = PX_STRIP_GPS;
    specs[1].strip = PX_STRIP_NONE;
    int fds[2] = { memfd_create("jpeg", MFD_CLOEXEC), memfd_create("png", MFD_CLOEXEC) };
    px_source source;
    px_transform_report report;
    if (px_source_create(&source, NULL) == PX_OK) {
        if (count == 0 || px_source_push(&source, data, count, NULL) == PX_OK) {
            px_source_finish(&source);
            px_status status = px_transform(&source, &limits, specs, fds, 2, &report, NULL);
            if (status == PX_INTERNAL)
                __builtin_trap();
        }
        px_source_close(&source);
    }
    close(fds[0]);
    close(fds[1]);
    return 0;
}
