/* library.h - libwebp, libwebpmux and libwebpdemux, loaded at the first WebP. For codec/webp alone.
 *
 * Their calls keep their names; those that the headers write out inline, with the version that was built against, are written out here. */
#ifndef PX_CODEC_WEBP_LIBRARY_H
#define PX_CODEC_WEBP_LIBRARY_H

#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

#define PX_WEBP_CODEC_LIST(X)                                                                                               \
    X(ConfigInitInternal) X(Decode) X(Encode) X(Free) X(FreeDecBuffer) X(GetFeaturesInternal) X(InitDecoderConfigInternal)  \
    X(IDecGetRGB) X(IDecGetYUVA) X(IDecode) X(IDelete) X(INewYUVA) X(IUpdate)                                               \
    X(MemoryWrite) X(MemoryWriterClear) X(MemoryWriterInit) X(PictureAlloc) X(PictureFree) X(PictureInitInternal)           \
    X(ValidateConfig)
#define PX_WEBP_MUX_LIST(X)                                                                                                 \
    X(AnimEncoderAdd) X(AnimEncoderAssemble) X(AnimEncoderDelete) X(AnimEncoderGetError) X(AnimEncoderNewInternal)          \
    X(AnimEncoderOptionsInitInternal) X(MuxAssemble) X(MuxCreateInternal) X(MuxDelete) X(MuxSetChunk)
#define PX_WEBP_DEMUX_LIST(X)                                                                                               \
    X(AnimDecoderDelete) X(AnimDecoderGetNext) X(AnimDecoderNewInternal) X(AnimDecoderOptionsInitInternal) X(DemuxDelete)   \
    X(DemuxGetFrame) X(DemuxGetI) X(DemuxInternal) X(DemuxNextFrame) X(DemuxReleaseIterator)

/* px_webp.NAME is WebPNAME. */
#define PX_WEBP_MEMBER(name) __typeof__(&WebP##name) name;
extern struct px_webp { PX_WEBP_CODEC_LIST(PX_WEBP_MEMBER) PX_WEBP_MUX_LIST(PX_WEBP_MEMBER) PX_WEBP_DEMUX_LIST(PX_WEBP_MEMBER) } px_webp;
#undef PX_WEBP_MEMBER

#define WebPDecode px_webp.Decode
#define WebPEncode px_webp.Encode
#define WebPFree px_webp.Free
#define WebPFreeDecBuffer px_webp.FreeDecBuffer
#define WebPIDecGetRGB px_webp.IDecGetRGB
#define WebPIDecGetYUVA px_webp.IDecGetYUVA
#define WebPIDecode px_webp.IDecode
#define WebPIDelete px_webp.IDelete
#define WebPINewYUVA px_webp.INewYUVA
#define WebPIUpdate px_webp.IUpdate
#define WebPMemoryWrite px_webp.MemoryWrite
#define WebPMemoryWriterClear px_webp.MemoryWriterClear
#define WebPMemoryWriterInit px_webp.MemoryWriterInit
#define WebPPictureAlloc px_webp.PictureAlloc
#define WebPPictureFree px_webp.PictureFree
#define WebPValidateConfig px_webp.ValidateConfig
#define WebPAnimEncoderAdd px_webp.AnimEncoderAdd
#define WebPAnimEncoderAssemble px_webp.AnimEncoderAssemble
#define WebPAnimEncoderDelete px_webp.AnimEncoderDelete
#define WebPAnimEncoderGetError px_webp.AnimEncoderGetError
#define WebPMuxAssemble px_webp.MuxAssemble
#define WebPMuxDelete px_webp.MuxDelete
#define WebPMuxSetChunk px_webp.MuxSetChunk
#define WebPAnimDecoderDelete px_webp.AnimDecoderDelete
#define WebPAnimDecoderGetNext px_webp.AnimDecoderGetNext
#define WebPDemuxDelete px_webp.DemuxDelete
#define WebPDemuxGetFrame px_webp.DemuxGetFrame
#define WebPDemuxGetI px_webp.DemuxGetI
#define WebPDemuxNextFrame px_webp.DemuxNextFrame
#define WebPDemuxReleaseIterator px_webp.DemuxReleaseIterator
#define WebPConfigInit(config) px_webp.ConfigInitInternal(config, WEBP_PRESET_DEFAULT, 75.0f, WEBP_ENCODER_ABI_VERSION)
#define WebPPictureInit(picture) px_webp.PictureInitInternal(picture, WEBP_ENCODER_ABI_VERSION)
#define WebPInitDecoderConfig(config) px_webp.InitDecoderConfigInternal(config, WEBP_DECODER_ABI_VERSION)
#define WebPGetFeatures(data, count, features) px_webp.GetFeaturesInternal(data, count, features, WEBP_DECODER_ABI_VERSION)
#define WebPAnimEncoderOptionsInit(options) px_webp.AnimEncoderOptionsInitInternal(options, WEBP_MUX_ABI_VERSION)
#define WebPAnimEncoderNew(width, height, options) px_webp.AnimEncoderNewInternal(width, height, options, WEBP_MUX_ABI_VERSION)
#define WebPMuxCreate(data, copy) px_webp.MuxCreateInternal(data, copy, WEBP_MUX_ABI_VERSION)
#define WebPAnimDecoderOptionsInit(options) px_webp.AnimDecoderOptionsInitInternal(options, WEBP_DEMUX_ABI_VERSION)
#define WebPAnimDecoderNew(data, options) px_webp.AnimDecoderNewInternal(data, options, WEBP_DEMUX_ABI_VERSION)
#define WebPDemuxPartial(data, state) px_webp.DemuxInternal(data, 1, state, WEBP_DEMUX_ABI_VERSION)
#define WebPDataClear px_webp_clear

/* Of a WebPData that libwebp allocated; the header's own would call what is not linked. */
static inline void px_webp_clear(WebPData *data)
{
    px_webp.Free((void *)(uintptr_t)data->bytes);
    *data = (WebPData){ NULL, 0 };
}

#endif
