/* The table that px_module fills. */
#include "codec/avif/library.h"

#include "base/module.h"
#include "codec/formats.h"

struct px_avif px_avif;

#define SYMBOL(name) { "avif" #name, &px_avif.name },
static const px_symbol symbols[] = { PX_AVIF_LIST(SYMBOL) };
static px_module module = { PX_AVIF_SONAME, "libavif", symbols, sizeof symbols / sizeof *symbols, false };

px_status px_avif_load(px_error *err) { return px_module_load(&module, err); }
