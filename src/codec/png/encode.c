#include "codec/formats.h"
px_status px_png_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    (void)spec; (void)fd; (void)ret;
    return px_fail(err, PX_UNSUPPORTED_FORMAT, "PNG is not written yet");
}
uint64_t px_png_encoder_memory(const px_encoder_spec *spec) { (void)spec; return 0; }
