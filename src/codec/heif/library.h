/* library.h - libheif, loaded at the first HEIC. For codec/heif alone. */
#ifndef PX_CODEC_HEIF_LIBRARY_H
#define PX_CODEC_HEIF_LIBRARY_H

#include <libheif/heif.h>

#include "base/status.h"

#define PX_HEIF_LIST(X)                                                                                                          \
    X(init) X(have_decoder_for_format) X(context_alloc) X(context_free) X(context_set_max_decoding_threads)                      \
    X(context_set_maximum_image_size_limit) X(context_read_from_memory_without_copy) X(context_get_primary_image_handle)         \
    X(image_handle_release) X(image_handle_get_width) X(image_handle_get_height) X(image_handle_get_ispe_width)                   \
    X(image_handle_get_ispe_height) X(image_handle_has_alpha_channel) X(image_handle_is_premultiplied_alpha)                      \
    X(image_handle_get_luma_bits_per_pixel) X(image_handle_get_raw_color_profile_size) X(image_handle_get_raw_color_profile)      \
    X(image_handle_get_nclx_color_profile) X(nclx_color_profile_free) X(decoding_options_alloc) X(decoding_options_free)          \
    X(decode_image) X(image_release) X(image_get_width) X(image_get_height) X(image_get_plane_readonly) X(image_get_bits_per_pixel_range)

/* px_heif.NAME is heif_NAME. */
#define PX_HEIF_MEMBER(name) __typeof__(&heif_##name) name;
extern struct px_heif { PX_HEIF_LIST(PX_HEIF_MEMBER) } px_heif;
#undef PX_HEIF_MEMBER

#endif
