/* formats.h - what each format's folder gives to the table in format.c. Private to src/codec. */
#ifndef PX_CODEC_FORMATS_H
#define PX_CODEC_FORMATS_H

#include "codec/codec.h"

PX_CHECKED px_status px_jpeg_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                          px_error *err);
PX_CHECKED px_status px_jpeg_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err);
uint64_t px_jpeg_encoder_memory(const px_encoder_spec *spec);
void px_jpeg_planes(px_encoder_spec *spec);
PX_CHECKED px_status px_jpeg_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err);

PX_CHECKED px_status px_png_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                         px_error *err);
PX_CHECKED px_status px_png_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err);
uint64_t px_png_encoder_memory(const px_encoder_spec *spec);
PX_CHECKED px_status px_png_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err);

/* How markers of JPEG that hold EXIF and XMP begin; with the NUL at their end. */
#define PX_JPEG_EXIF "Exif\0"
#define PX_JPEG_XMP "http://ns.adobe.com/xap/1.0/"

/* How PNG's iTXt begins that holds XMP: its name, not compressed, no language, no translation; with the NUL at the end. */
#define PX_PNG_XMP "XML:com.adobe.xmp\0\0\0\0"

PX_CHECKED px_status px_webp_load(px_error *err);
PX_CHECKED px_status px_webp_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                          px_error *err);
PX_CHECKED px_status px_webp_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err);
uint64_t px_webp_encoder_memory(const px_encoder_spec *spec);
void px_webp_planes(px_encoder_spec *spec);
PX_CHECKED px_status px_webp_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err);

PX_CHECKED px_status px_bmp_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                         px_error *err);

PX_CHECKED px_status px_tiff_load(px_error *err);
PX_CHECKED px_status px_tiff_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                          px_error *err);
PX_CHECKED px_status px_tiff_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err);
uint64_t px_tiff_encoder_memory(const px_encoder_spec *spec);
PX_CHECKED px_status px_tiff_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err);

PX_CHECKED px_status px_avif_load(px_error *err);
PX_CHECKED px_status px_avif_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                          px_error *err);
PX_CHECKED px_status px_avif_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err);
uint64_t px_avif_encoder_memory(const px_encoder_spec *spec);
void px_avif_planes(px_encoder_spec *spec);
PX_CHECKED px_status px_avif_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err);

PX_CHECKED px_status px_heif_load(px_error *err);
PX_CHECKED px_status px_heif_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                          px_error *err);

PX_CHECKED px_status px_jxl_load(px_error *err);
PX_CHECKED px_status px_jxl_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                         px_error *err);
PX_CHECKED px_status px_jxl_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err);
uint64_t px_jxl_encoder_memory(const px_encoder_spec *spec);
PX_CHECKED px_status px_jxl_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err);

bool px_svg_is(px_bytes first); /* also where it cannot be drawn */
#if PX_HAVE_SVG
PX_CHECKED px_status px_svg_load(px_error *err);
PX_CHECKED px_status px_svg_prepare(px_bytes font, px_error *err);
PX_CHECKED px_status px_svg_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                         px_error *err);
#endif

bool px_avif_is(px_bytes first);
bool px_heif_is(px_bytes first);
bool px_jxl_is(px_bytes first);
bool px_jpeg_is(px_bytes first);
bool px_png_is(px_bytes first);
bool px_webp_is(px_bytes first);
bool px_bmp_is(px_bytes first);
bool px_tiff_is(px_bytes first);
PX_CHECKED px_status px_gif_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret,
                                         px_error *err);
PX_CHECKED px_status px_gif_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err);
uint64_t px_gif_encoder_memory(const px_encoder_spec *spec);
PX_CHECKED px_status px_gif_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err);

bool px_gif_is(px_bytes first);

/* Does a file that begins so begin with these bytes, from `at`? */
static inline bool px_has_bytes(px_bytes first, size_t at, const char *bytes, size_t count)
{
    return first.count >= at + count && memcmp(first.data + at, bytes, count) == 0;
}

/* Whatever the limits say: four channels of a row must be countable in an int. */
enum { PX_LARGEST_SIDE = 1 << 28 };

/* Judges a header's size against the limits: PX_TOO_MANY_PIXELS, or PX_CORRUPT_IMAGE for an empty picture. */
PX_CHECKED px_status px_judge_size(const px_limits *limits, uint32_t width, uint32_t height, px_error *err);

#endif
