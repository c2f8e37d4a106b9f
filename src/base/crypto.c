/* The table that px_module fills. */
#include "base/crypto.h"

#include "base/module.h"

struct px_crypto px_crypto;

#define SYMBOL(name) { #name, &px_crypto.name },
static const px_symbol symbols[] = { PX_CRYPTO_LIST(SYMBOL) };
static px_module module = { PX_CRYPTO_SONAME, "libssl3", symbols, sizeof symbols / sizeof *symbols, false };

px_status px_crypto_load(px_error *err) { return px_module_load(&module, err); }
