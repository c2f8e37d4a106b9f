#include "codec/formats.h"
px_status px_png_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    (void)source; (void)limits; (void)ret;
    return px_fail(err, PX_UNSUPPORTED_FORMAT, "PNG is not read yet");
}
