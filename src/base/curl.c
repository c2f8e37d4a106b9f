/* The table that px_module fills. */
#include "base/curl.h"

#include "base/module.h"

struct px_curl px_curl;

#define SYMBOL(name) { "curl_" #name, &px_curl.name },
static const px_symbol symbols[] = { PX_CURL_LIST(SYMBOL) };
static px_module module = { PX_CURL_SONAME, "libcurl4", symbols, sizeof symbols / sizeof *symbols, false };

px_status px_curl_load(px_error *err) { return px_module_load(&module, err); }
