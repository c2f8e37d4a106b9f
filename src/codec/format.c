/* The table of formats: one row says all that the rest of the program knows of one.
 *
 * A new format is one folder and one row here. Detection goes by content only; names and extensions are for what
 * people write in recipes and keys. */
#include <assert.h>
#include <stdlib.h>
#include <strings.h>

#include "codec/formats.h"

typedef struct px_codec {
    const char *name, *extensions[4], *media_type;
    bool (*is)(px_bytes first);        /* by content */
    px_status (*load)(px_error *err);  /* NULL: linked */
    bool alpha, animated;              /* what the encoder can write */
    int side;                          /* pixels, the most it can say */
    px_format kept;                    /* what `keep` makes of it */
    px_status (*open_decoder)(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err);
    px_status (*open_encoder)(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err); /* NULL: read only */
    uint64_t (*encoder_memory)(const px_encoder_spec *spec);
    px_status (*clean)(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err); /* NULL: not possible */
    bool lossy;                        /* the encoder heeds a quality */
    void (*planes)(px_encoder_spec *spec); /* sets chroma and narrow, or leaves the model RGB; NULL: takes no planes */
    px_status (*prepare)(px_bytes font, px_error *err); /* NULL: load does it all */
} px_codec;

static const px_codec codecs[PX_FORMAT_COUNT] = {
    [PX_FORMAT_KEEP] = { .name = "keep", .extensions = { "" }, .media_type = "application/octet-stream" },
    [PX_FORMAT_JPEG] = { "jpeg", { "jpg", "jpeg", "jpe", "jfif" }, "image/jpeg", px_jpeg_is, NULL, false, false, 65500, PX_FORMAT_JPEG,
                         px_jpeg_decoder_open, px_jpeg_encoder_open, px_jpeg_encoder_memory, px_jpeg_clean, .lossy = true, .planes = px_jpeg_planes },
    [PX_FORMAT_PNG] = { "png", { "png" }, "image/png", px_png_is, NULL, true, true, 0x7fffffff, PX_FORMAT_PNG,
                        px_png_decoder_open, px_png_encoder_open, px_png_encoder_memory, px_png_clean },
    [PX_FORMAT_WEBP] = { "webp", { "webp" }, "image/webp", px_webp_is, px_webp_load, true, true, 16383, PX_FORMAT_WEBP,
                         px_webp_decoder_open, px_webp_encoder_open, px_webp_encoder_memory, px_webp_clean, .lossy = true, .planes = px_webp_planes },
    [PX_FORMAT_BMP] = { "bmp", { "bmp", "dib" }, "image/bmp", px_bmp_is, NULL, false, false, 0, PX_FORMAT_PNG,
                        px_bmp_decoder_open, NULL, NULL, NULL },
    [PX_FORMAT_TIFF] = { "tiff", { "tif", "tiff" }, "image/tiff", px_tiff_is, px_tiff_load, true, false, 0x7fffffff, PX_FORMAT_TIFF,
                         px_tiff_decoder_open, px_tiff_encoder_open, px_tiff_encoder_memory, px_tiff_clean },
    [PX_FORMAT_AVIF] = { "avif", { "avif", "avifs" }, "image/avif", px_avif_is, px_avif_load, true, true, 65535, PX_FORMAT_AVIF,
                         px_avif_decoder_open, px_avif_encoder_open, px_avif_encoder_memory, px_avif_clean, .lossy = true, .planes = px_avif_planes },
    [PX_FORMAT_HEIF] = { "heif", { "heic", "heif", "hif", "heics" }, "image/heic", px_heif_is, px_heif_load, false, false, 0, PX_FORMAT_JPEG,
                         px_heif_decoder_open, NULL, NULL, NULL },
    [PX_FORMAT_JXL] = { "jxl", { "jxl" }, "image/jxl", px_jxl_is, px_jxl_load, true, true, 0x3fffffff, PX_FORMAT_JXL,
                        px_jxl_decoder_open, px_jxl_encoder_open, px_jxl_encoder_memory, px_jxl_clean, .lossy = true },
    [PX_FORMAT_GIF] = { "gif", { "gif" }, "image/gif", px_gif_is, NULL, true, true, 65535, PX_FORMAT_GIF,
                        px_gif_decoder_open, px_gif_encoder_open, px_gif_encoder_memory, px_gif_clean },
#if PX_HAVE_SVG
    [PX_FORMAT_SVG] = { "svg", { "svg" }, "image/svg+xml", px_svg_is, px_svg_load, false, false, 0, PX_FORMAT_PNG,
                        px_svg_decoder_open, NULL, NULL, NULL, .prepare = px_svg_prepare },
#endif
};

static const px_codec *codec_of(px_format format)
{
    assert(format >= PX_FORMAT_KEEP && format < PX_FORMAT_COUNT);
    return &codecs[format];
}

const char *px_format_name(px_format format) { return format == PX_FORMAT_AUTO ? "auto" : codec_of(format)->name; }
const char *px_format_extension(px_format format) { return codec_of(format)->extensions[0]; }
const char *px_format_media_type(px_format format) { return codec_of(format)->media_type; }
px_format px_format_kept(px_format format) { return codec_of(format)->kept; }
bool px_format_is_written(px_format format) { return codec_of(format)->open_encoder; }
bool px_format_is_cleaned(px_format format) { return codec_of(format)->clean; }
bool px_format_has_alpha(px_format format) { return codec_of(format)->alpha; }
bool px_format_is_lossy(px_format format) { return codec_of(format)->lossy; }
bool px_format_is_animated(px_format format) { return codec_of(format)->animated; }
int px_format_side(px_format format) { return codec_of(format)->side; }

px_status px_format_load(px_format format, px_error *err)
{
    const px_codec *codec = codec_of(format);
    return codec->load ? codec->load(err) : PX_OK;
}

px_status px_format_prepare(px_format format, px_bytes font, px_error *err)
{
    const px_codec *codec = codec_of(format);
    return codec->prepare ? codec->prepare(font, err) : px_format_load(format, err);
}

px_format px_format_of_extension(const char *extension)
{
    for (int f = PX_FORMAT_KEEP + 1; f < PX_FORMAT_COUNT; f++)
        for (int i = 0; i < 4 && codecs[f].extensions[i]; i++)
            if (strcasecmp(extension, codecs[f].extensions[i]) == 0)
                return (px_format)f;
    return PX_FORMAT_COUNT;
}

px_format px_format_find(const char *name)
{
    for (int f = PX_FORMAT_KEEP; f < PX_FORMAT_COUNT; f++)
        if (strcmp(name, codecs[f].name) == 0)
            return (px_format)f;
    return strcmp(name, "jpg") == 0 ? PX_FORMAT_JPEG : strcmp(name, "auto") == 0 ? PX_FORMAT_AUTO : PX_FORMAT_COUNT;
}

px_format px_format_detect(px_bytes first)
{
    for (int f = PX_FORMAT_KEEP + 1; f < PX_FORMAT_COUNT; f++)
        if (codecs[f].is(first))
            return (px_format)f;
    return PX_FORMAT_COUNT;
}

px_status px_judge_size(const px_limits *limits, uint32_t width, uint32_t height, px_error *err)
{
    if (width == 0 || height == 0)
        return px_fail(err, PX_CORRUPT_IMAGE, "the header says %ux%u pixels", width, height);
    if (width > limits->side || height > limits->side || width > PX_LARGEST_SIDE || height > PX_LARGEST_SIDE)
        return px_fail(err, PX_TOO_MANY_PIXELS, "%ux%u pixels; no side may be over %u (limits.side)", width, height,
                       limits->side);
    if ((uint64_t)width * height > limits->pixels)
        return px_fail(err, PX_TOO_MANY_PIXELS, "%ux%u pixels are more than %llu (limits.pixels)", width, height,
                       (unsigned long long)limits->pixels);
    return PX_OK;
}

/* What is none of our formats, by its first bytes. */
static px_status refuse_unknown(px_bytes first, px_error *err)
{
    if (first.count == 0)
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "the source is empty");
    if (px_has_bytes(first, 0, "\x1f\x8b", 2))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "the bytes are packed with gzip, as an .svgz is: unpack them first");
    if (px_svg_is(first))
        return px_fail(err, PX_UNSUPPORTED_FORMAT, "this pixmill is built without SVG: build it with `meson setup -Dsvg=enabled` (docs/formats.md)");
    return px_fail(err, PX_UNSUPPORTED_FORMAT, "the bytes are not a picture that pixmill reads (docs/formats.md)");
}

px_status px_decoder_open(const px_source *source, const px_limits *limits, px_decoder **ret, px_error *err)
{
    uint8_t first[PX_FORMAT_FIRST_BYTES];
    size_t count;
    PX_TRY(px_source_read_at(source, 0, first, sizeof first, &count, err));
    px_format format = px_format_detect((px_bytes){ first, count });
    if (format == PX_FORMAT_COUNT)
        return refuse_unknown((px_bytes){ first, count }, err);
    PX_TRY(px_format_load(format, err));
    return codecs[format].open_decoder(source, limits, ret, err);
}

/* A plane that has one sample for `step` of Y at full scale, when Y is decoded at `eighths`/8. */
static int chroma_eighths(int eighths, int step, px_chroma wanted)
{
    int needed = (eighths * step + wanted) / (wanted == PX_CHROMA_HALVED ? 2 : 1);
    return needed > 8 ? 8 : needed;
}

void px_plane_sizes(const px_header *header, int eighths, px_chroma wanted, px_plane_size ret[3])
{
    int across = header->chroma_across, down = header->chroma_down, step = across > down ? across : down;
    for (int p = 0; p < 3; p++) {
        int a = p ? across : 1, d = p ? down : 1, n = p ? chroma_eighths(eighths, step, wanted) : eighths;
        int stored_width = (header->width + a - 1) / a, stored_height = (header->height + d - 1) / d;
        ret[p] = (px_plane_size){ (int)(((int64_t)stored_width * n + 7) / 8), (int)(((int64_t)stored_height * n + 7) / 8), n,
                                  n / 8.0 / a, n / 8.0 / d };
    }
}

void px_decoder_close(px_decoder **decoder)
{
    if (*decoder)
        (*decoder)->close(*decoder);
    *decoder = NULL;
}

px_status px_encoder_open(const px_encoder_spec *spec, int fd, px_encoder **ret, px_error *err)
{
    assert(spec->format < PX_FORMAT_COUNT && px_format_is_written(spec->format));
    int side = codecs[spec->format].side;
    if (spec->width < 1 || spec->height < 1 || spec->width > side || spec->height > side)
        return px_fail(err, PX_BAD_RECIPE, "%s cannot hold %dx%d pixels", codecs[spec->format].name, spec->width,
                       spec->height);
    PX_TRY(px_format_load(spec->format, err));
    return codecs[spec->format].open_encoder(spec, fd, ret, err);
}

void px_encoder_close(px_encoder **encoder)
{
    if (*encoder)
        (*encoder)->close(*encoder);
    *encoder = NULL;
}

bool px_format_takes_planes(const px_encoder_spec *spec, px_encoder_spec *ret)
{
    px_encoder_spec with = *spec;
    if (!codec_of(spec->format)->planes || spec->model != PX_RGB || spec->alpha != PX_OPAQUE || spec->frames > 1)
        return false;
    with.model = PX_YCC;
    codec_of(spec->format)->planes(&with);
    if (with.model != PX_YCC)
        return false;
    *ret = with;
    return true;
}

uint64_t px_encoder_memory(const px_encoder_spec *spec) { return codec_of(spec->format)->encoder_memory(spec); }

px_status px_format_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err)
{
    return codec_of(spec->format)->clean(spec, source, fd, ret_bytes, err);
}
