/* library.h - libjxl, loaded at the first JPEG XL. For codec/jxl alone. */
#ifndef PX_CODEC_JXL_LIBRARY_H
#define PX_CODEC_JXL_LIBRARY_H

#include <jxl/decode.h>
#include <jxl/encode.h>
#include <jxl/version.h>

#include "base/status.h"

#define PX_JXL_LIST(X)                                                                                                      \
    X(DecoderCreate) X(DecoderDestroy) X(DecoderSubscribeEvents) X(DecoderSetKeepOrientation) X(DecoderSetUnpremultiplyAlpha) \
    X(DecoderSetInput) X(DecoderProcessInput) X(DecoderGetBasicInfo) X(DecoderGetExtraChannelInfo)      \
    X(DecoderGetColorAsEncodedProfile) X(DecoderGetICCProfileSize) X(DecoderGetColorAsICCProfile)                            \
    X(DecoderSetPreferredColorProfile) X(DecoderGetFrameHeader) X(DecoderImageOutBufferSize) X(DecoderSetImageOutBuffer)     \
    X(EncoderCreate) X(EncoderDestroy) X(EncoderInitBasicInfo) X(EncoderSetBasicInfo) X(EncoderSetICCProfile)                \
    X(EncoderSetColorEncoding) X(ColorEncodingSetToSRGB) X(EncoderFrameSettingsCreate) X(EncoderFrameSettingsSetOption)      \
    X(EncoderSetFrameLossless) X(EncoderSetFrameDistance) X(EncoderInitFrameHeader) X(EncoderSetFrameHeader)                 \
    X(EncoderAddImageFrame) X(EncoderCloseInput) X(EncoderProcessOutput) X(EncoderUseBoxes) X(EncoderAddBox)                 \
    X(DecoderSetDecompressBoxes) X(DecoderGetBoxType) X(DecoderSetBoxBuffer) X(DecoderReleaseBoxBuffer) X(DecoderReleaseInput) X(DecoderFlushImage) X(DecoderSetExtraChannelBuffer)

/* px_jxl.NAME is JxlNAME. */
#define PX_JXL_MEMBER(name) __typeof__(&Jxl##name) name;
extern struct px_jxl { PX_JXL_LIST(PX_JXL_MEMBER) } px_jxl;
#undef PX_JXL_MEMBER

/* What version 0.9 took a parameter from. */
#if JPEGXL_NUMERIC_VERSION >= JPEGXL_COMPUTE_NUMERIC_VERSION(0, 9, 0)
#define PX_JXL_UNUSED_FORMAT
#else
#define PX_JXL_UNUSED_FORMAT NULL,
#endif

#endif
