/* Any bytes as AVIF. What lies in the library is judged by its makers; here our side of it is. */
#include "decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count) { return fuzz_decoder(PX_FORMAT_AVIF, px_avif_decoder_open, data, count); }
