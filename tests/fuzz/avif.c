/* Any bytes as AVIF. What lies in the library is judged by its makers; here our side of it is. */
#include "decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    decode_any(data, count, PX_FORMAT_AVIF);
    return 0;
}
