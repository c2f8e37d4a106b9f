/* Any bytes as JPEG XL. What lies in the library is judged by its makers; here our side of it is. */
#include "decoder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count) { return fuzz_decoder(PX_FORMAT_JXL, px_jxl_decoder_open, data, count); }
