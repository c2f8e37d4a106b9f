/* library.h - libavif, loaded at the first AVIF. For codec/avif alone. */
#ifndef PX_CODEC_AVIF_LIBRARY_H
#define PX_CODEC_AVIF_LIBRARY_H

#include <avif/avif.h>

#include "base/status.h"

#define PX_AVIF_LIST(X)                                                                                              \
    X(Alloc) X(RWDataFree) X(ResultToString) X(CodecName) X(ImageCreate) X(ImageDestroy) X(ImageAllocatePlanes)      \
    X(ImageRGBToYUV) X(ImageYUVToRGB) X(RGBImageSetDefaults) X(DecoderCreate) X(DecoderDestroy) X(DecoderSetIOMemory) \
    X(DecoderParse) X(DecoderNextImage) X(DecoderNthImageMaxExtent) X(DecoderDecodedRowCount) X(EncoderCreate)       \
    X(EncoderDestroy) X(EncoderAddImage) X(EncoderFinish) X(EncoderSetCodecSpecificOption)

/* px_avif.NAME is avifNAME. */
#define PX_AVIF_MEMBER(name) __typeof__(&avif##name) name;
extern struct px_avif { PX_AVIF_LIST(PX_AVIF_MEMBER) } px_avif;
#undef PX_AVIF_MEMBER

/* What version 1.0 renamed. */
#if AVIF_VERSION_MAJOR >= 1
#define PX_AVIF_MIRROR(image) ((image)->imir.axis)
#else
#define PX_AVIF_MIRROR(image) ((image)->imir.mode)
#endif

#endif
