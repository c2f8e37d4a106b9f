/* The table that px_module fills. */
#include "base/libyaml.h"

#include "base/module.h"

struct px_yaml px_yaml;

#define SYMBOL(name) { "yaml_" #name, &px_yaml.name },
static const px_symbol symbols[] = { PX_YAML_LIST(SYMBOL) };
static px_module module = { PX_YAML_SONAME, "libyaml-0-2", symbols, sizeof symbols / sizeof *symbols, false };

px_status px_yaml_load(px_error *err) { return px_module_load(&module, err); }
