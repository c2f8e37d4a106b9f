/* library.h - libtiff, loaded when a TIFF comes. For src/codec/tiff alone. */
#ifndef PX_CODEC_TIFF_LIBRARY_H
#define PX_CODEC_TIFF_LIBRARY_H

#include <tiffio.h>

#include "base/status.h"

#define PX_TIFF_LIST(X)                                                                                             \
    X(ClientOpenExt) X(Close) X(GetField) X(GetFieldDefaulted) X(SetField) X(IsTiled) X(ScanlineSize64) X(StripSize64)     \
    X(TileSize64) X(TileRowSize64) X(ReadScanline) X(ReadEncodedStrip) X(ReadEncodedTile) X(ComputeStrip) X(ComputeTile) \
    X(NumberOfStrips) X(NumberOfTiles) X(GetStrileOffset) X(GetStrileByteCount) X(ReadRGBAStripExt)                  \
    X(ReadRGBATileExt) X(RGBAImageOK) X(OpenOptionsAlloc) X(OpenOptionsFree) X(OpenOptionsSetMaxSingleMemAlloc)      \
    X(OpenOptionsSetErrorHandlerExtR) X(OpenOptionsSetWarningHandlerExtR) X(SetErrorHandler) X(SetWarningHandler)

/* px_tiff.NAME is TIFFNAME. */
#define PX_TIFF_MEMBER(name) __typeof__(&TIFF##name) name;
extern struct px_tiff { PX_TIFF_LIST(PX_TIFF_MEMBER) } px_tiff;
#undef PX_TIFF_MEMBER

PX_CHECKED px_status px_tiff_load(px_error *err);

#endif
