/* The table that px_module fills. libheif keeps its decoders in plugins where the distribution wants it so; heif_init loads them, and
 * has to while files can still be opened. */
#include "codec/heif/library.h"

#include <pthread.h>

#include "base/module.h"
#include "codec/formats.h"

struct px_heif px_heif;

#define SYMBOL(name) { "heif_" #name, &px_heif.name },
static const px_symbol symbols[] = { PX_HEIF_LIST(SYMBOL) };
static px_module module = { PX_HEIF_SONAME, "libheif1", symbols, sizeof symbols / sizeof *symbols, false };

static void start(void) { px_heif.init(NULL); }

px_status px_heif_load(px_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    PX_TRY(px_module_load(&module, err));
    pthread_once(&once, start);
    return PX_OK;
}
