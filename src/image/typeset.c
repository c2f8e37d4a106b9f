/* The tables that px_module fills. */
#include "image/typeset.h"

#include "base/module.h"

struct px_hb px_hb;
struct px_ft px_ft;

#define HB_SYMBOL(name) { "hb_" #name, &px_hb.name },
#define FT_SYMBOL(name) { "FT_" #name, &px_ft.name },
static const px_symbol hb_symbols[] = { PX_HB_LIST(HB_SYMBOL) };
static const px_symbol ft_symbols[] = { PX_FT_LIST(FT_SYMBOL) };
static px_module harfbuzz = { PX_HARFBUZZ_SONAME, "libharfbuzz0b", hb_symbols, sizeof hb_symbols / sizeof *hb_symbols, false };
static px_module freetype = { PX_FREETYPE_SONAME, "libfreetype6", ft_symbols, sizeof ft_symbols / sizeof *ft_symbols, false };

px_status px_typeset_load(px_error *err)
{
    PX_TRY(px_module_load(&harfbuzz, err));
    return px_module_load(&freetype, err);
}
