/* The table that px_module fills. libtiff would print what it does not like; here it says so to who asked. */
#include "codec/tiff/library.h"

#include "base/module.h"

struct px_tiff px_tiff;

#define SYMBOL(name) { "TIFF" #name, &px_tiff.name },
static const px_symbol symbols[] = { PX_TIFF_LIST(SYMBOL) };
static px_module module = { PX_TIFF_SONAME, "libtiff6", symbols, sizeof symbols / sizeof *symbols, false };

px_status px_tiff_load(px_error *err)
{
    static atomic_flag silenced = ATOMIC_FLAG_INIT;
    PX_TRY(px_module_load(&module, err));
    if (!atomic_flag_test_and_set(&silenced)) { /* for the few complaints that are about no file */
        px_tiff.SetErrorHandler(NULL);
        px_tiff.SetWarningHandler(NULL);
    }
    return PX_OK;
}
