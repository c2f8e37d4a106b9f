/* The table that px_module fills. */
#include "base/libexpat.h"

#include "base/module.h"

struct px_expat px_expat;

#define SYMBOL(name) { "XML_" #name, &px_expat.name },
static const px_symbol symbols[] = { PX_EXPAT_LIST(SYMBOL) };
static px_module module = { PX_EXPAT_SONAME, "libexpat1", symbols, sizeof symbols / sizeof *symbols, false };

px_status px_expat_load(px_error *err) { return px_module_load(&module, err); }
