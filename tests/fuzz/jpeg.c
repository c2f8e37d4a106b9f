/* Our own JPEG decoder against libjpeg-turbo: where both read a file, and libjpeg has nothing to warn of, the planes are what its coefficients
 * say. How many bytes there are chooses the scale, the chroma and whether a cut file is accepted.
 *
 * Either may refuse what the other reads: libjpeg reads on behind the picture's end, and all scans; we refuse codes that do not exist, where
 * libjpeg warns, and blocks of more than 64 coefficients, where it makes something of them in silence. Of libjpeg-turbo's two ways over a
 * sequential scan the comparison is with the slow one: the quick one differs from it in silence (coefficients.h). */
#include "../unit/codec/coefficients.h"
#include "decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

static void compare(const planes *p, const uint8_t *data, size_t count)
{
    coefficients c;
    if (coefficients_read(&c, data, count) && c.warnings == 0 && !c.bare && (c.library.progressive_mode || c.library.input_scan_number == 1) && planes_differ(p, &c) > 1)
        __builtin_trap();
    coefficients_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    px_limits limits = small_limits();
    limits.pixels = 1 << 14;
    limits.truncated = count / 16 % 2;
    px_source source;
    planes p = { 0 };
    if (count < 2 || data[0] != 0xff || data[1] != 0xd8) /* other formats have targets of their own */
        return 0;
    if (px_source_create(&source, NULL) != PX_OK)
        return 0;
    px_status status = px_source_push(&source, data, count, NULL);
    px_source_finish(&source);
    if (status == PX_OK)
        status = planes_read(&source, &limits, 1 + (int)(count % 8), (px_chroma)(count / 8 % 2), &p, NULL);
    if (status == PX_INTERNAL)
        __builtin_trap();
    if (status == PX_OK && !p.truncated)
        compare(&p, data, count);
    planes_done(&p);
    px_source_close(&source);
    return 0;
}
