/* The tables that px_module fills. */
#include "codec/webp/library.h"

#include "base/module.h"
#include "codec/formats.h"

struct px_webp px_webp;

#define SYMBOL(name) { "WebP" #name, &px_webp.name },
static const px_symbol codec_symbols[] = { PX_WEBP_CODEC_LIST(SYMBOL) }, mux_symbols[] = { PX_WEBP_MUX_LIST(SYMBOL) },
                       demux_symbols[] = { PX_WEBP_DEMUX_LIST(SYMBOL) };
static px_module modules[] = {
    { PX_WEBP_SONAME, "libwebp7", codec_symbols, sizeof codec_symbols / sizeof *codec_symbols, false },
    { PX_WEBPMUX_SONAME, "libwebpmux3", mux_symbols, sizeof mux_symbols / sizeof *mux_symbols, false },
    { PX_WEBPDEMUX_SONAME, "libwebpdemux2", demux_symbols, sizeof demux_symbols / sizeof *demux_symbols, false },
};

px_status px_webp_load(px_error *err)
{
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        PX_TRY(px_module_load(&modules[i], err));
    return PX_OK;
}
