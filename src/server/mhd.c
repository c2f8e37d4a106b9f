/* The table that px_module fills. */
#include "server/mhd.h"

#include "base/module.h"

struct px_mhd px_mhd;

#define SYMBOL(name) { "MHD_" #name, &px_mhd.name },
static const px_symbol symbols[] = { PX_MHD_LIST(SYMBOL) };
static px_module module = { PX_MICROHTTPD_SONAME, "libmicrohttpd12", symbols, sizeof symbols / sizeof *symbols, false };

px_status px_mhd_load(px_error *err) { return px_module_load(&module, err); }
