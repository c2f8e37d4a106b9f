/* module.h - libraries that only some runs need, loaded at first need.
 *
 * A px_module is a static table: the soname (found by the build) and the symbols with the pointers they fill. Loaded
 * once, never unloaded; any thread may ask. */
#ifndef PX_BASE_MODULE_H
#define PX_BASE_MODULE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct px_symbol {
    const char *name;
    void *target; /* the function pointer to fill */
} px_symbol;

typedef struct px_module {
    const char *soname;
    const char *package; /* for the message: what to install */
    const px_symbol *symbols;
    size_t symbol_count;
    atomic_bool loaded;
} px_module;

/* A library or symbol that is not there: PX_BAD_CONFIG, with what to install. Then nothing is filled. */
PX_CHECKED px_status px_module_load(px_module *module, px_error *err);

#endif
