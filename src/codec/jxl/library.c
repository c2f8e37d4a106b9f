/* The table that px_module fills. */
#include "codec/jxl/library.h"

#include "base/module.h"
#include "codec/formats.h"

struct px_jxl px_jxl;

#define SYMBOL(name) { "Jxl" #name, &px_jxl.name },
static const px_symbol symbols[] = { PX_JXL_LIST(SYMBOL) };
static px_module module = { PX_JXL_SONAME, "libjxl", symbols, sizeof symbols / sizeof *symbols, false };

px_status px_jxl_load(px_error *err) { return px_module_load(&module, err); }
