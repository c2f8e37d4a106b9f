/* The table that px_module fills. */
#include "local/sqlite.h"

#include "base/module.h"

struct px_sqlite px_sqlite;

#define SYMBOL(name) { "sqlite3_" #name, &px_sqlite.name },
static const px_symbol symbols[] = { PX_SQLITE_LIST(SYMBOL) };
static px_module module = { PX_SQLITE_SONAME, "libsqlite3-0", symbols, sizeof symbols / sizeof *symbols, false };

px_status px_sqlite_load(px_error *err) { return px_module_load(&module, err); }
