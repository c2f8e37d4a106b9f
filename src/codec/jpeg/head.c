/* Segments are put together in small pieces of their own. What does not fit into one is left out, of EXIF and XMP; a profile has several. */
#include "codec/jpeg/head.h"

#include "codec/exif.h"
#include "codec/formats.h"
#include "codec/jpeg/forward.h"

enum { SOF0 = 0xc0, SOF2 = 0xc2, EOI = 0xd9, SOS = 0xda, DQT = 0xdb, APP0 = 0xe0, SEGMENT_BYTES = 65533, QUALITY_OF_WHOLE_CHROMA = 90 };

static const uint8_t steps_usual[2][64] = {
    { 16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
      18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99 },
    { 17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
      99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99 },
};

/* Of effort high, for all planes: 16 * exp(r * r) * (1 - 0.3 * exp(-(r / 0.3)^2)), where r is how far a coefficient is from DC, 1 at seven
 * along an edge. Flatter than annex K, which was made for rounding: the trellis drops by itself what costs more than it shows. It was chosen by
 * bytes at equal SSIM (docs/quality.md). */
static const uint8_t steps_high[64] = {
    11, 12, 15, 18, 22, 27, 33, 43, 12, 13, 16, 19, 22, 27, 34, 44,
    15, 16, 18, 21, 24, 29, 36, 47, 18, 19, 21, 23, 27, 32, 40, 52,
    22, 22, 24, 27, 31, 37, 46, 60, 27, 27, 29, 32, 37, 44, 56, 72,
    33, 34, 36, 40, 46, 56, 70, 91, 43, 44, 47, 52, 60, 72, 91, 118,
};

static bool has_whole_chroma(const px_encoder_spec *spec) { return spec->quality >= QUALITY_OF_WHOLE_CHROMA; }

void px_jpeg_planes(px_encoder_spec *spec)
{
    spec->chroma = has_whole_chroma(spec) ? PX_CHROMA_WHOLE : PX_CHROMA_HALVED;
    spec->narrow = false;
}

/* In effort high the same quality is to look the same, by SSIM: its tables are scaled so. */
static int percent_of(int quality, bool high)
{
    int percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
    int steep = percent * 5 / 4, flat = percent * 7 / 10 + 28;
    return !high ? percent : steep < flat ? steep : flat;
}

/* Chroma that has all its pixels is divided by more in effort high: there is four times as much of it, and it shows less. */
static void scale_steps(int quality, bool high, px_jpeg_frame *frame)
{
    for (int i = 0; i < 128; i++) {
        int percent = percent_of(quality, high);
        if (high && i >= 64 && frame->unit == 1)
            percent = percent * 7 / 5;
        int usual = high ? steps_high[i % 64] : steps_usual[i / 64][i % 64], step = (usual * percent + 50) / 100;
        frame->steps[i / 64][i % 64] = (uint8_t)(step < 1 ? 1 : step > 255 ? 255 : step);
    }
}

static int parts(int whole, int part) { return (whole + part - 1) / part; }

px_jpeg_frame px_jpeg_frame_of(const px_encoder_spec *spec)
{
    int unit = spec->model == PX_GREY || has_whole_chroma(spec) ? 1 : 2;
    px_jpeg_frame frame = { .width = spec->width, .height = spec->height, .planes = spec->model == PX_GREY ? 1 : 3, .unit = unit,
                            .units_across = parts(spec->width, 8 * unit), .units_down = parts(spec->height, 8 * unit) };
    for (int p = 0; p < 3; p++) {
        int part = p ? unit : 1;
        frame.across[p] = parts(parts(spec->width, part), 8);
        frame.down[p] = parts(parts(spec->height, part), 8);
    }
    scale_steps(spec->quality < 1 ? 1 : spec->quality > 100 ? 100 : spec->quality, spec->effort == PX_EFFORT_HIGH, &frame);
    return frame;
}

static px_status segment(px_jpeg_out *out, int marker, const void *first, size_t first_count, px_bytes rest, px_error *err)
{
    size_t count = 2 + first_count + rest.count;
    PX_TRY(px_jpeg_out_bytes(out, (uint8_t[]){ 0xff, (uint8_t)marker, (uint8_t)(count >> 8), (uint8_t)count }, 4, err));
    PX_TRY(px_jpeg_out_bytes(out, first, first_count, err));
    return px_jpeg_out_bytes(out, rest.data, rest.count, err);
}

/* APP1: a name, NUL included, and the bytes. */
static px_status write_named(px_jpeg_out *out, const char *name, size_t name_count, px_bytes bytes, px_error *err)
{
    if (bytes.count == 0 || bytes.count > SEGMENT_BYTES - name_count)
        return PX_OK;
    return segment(out, APP0 + 1, name, name_count, bytes, err);
}

/* ICC.1 annex B.4: parts, numbered from 1. */
static px_status write_profile(px_jpeg_out *out, px_bytes profile, px_error *err)
{
    enum { PART = SEGMENT_BYTES - 14 };
    uint8_t name[14] = "ICC_PROFILE";
    size_t count = (profile.count + PART - 1) / PART;
    if (count > 255)
        return px_fail(err, PX_TOO_MANY_BYTES, "JPEG: a colour profile of %zu bytes does not fit", profile.count);
    name[13] = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        size_t at = i * PART, left = profile.count - at;
        name[12] = (uint8_t)(i + 1);
        PX_TRY(segment(out, APP0 + 2, name, sizeof name, (px_bytes){ profile.data + at, left < PART ? left : PART }, err));
    }
    return PX_OK;
}

static px_status write_steps(px_jpeg_out *out, int table, const uint8_t steps[64], px_error *err)
{
    uint8_t bytes[65] = { (uint8_t)table };
    for (int k = 0; k < 64; k++)
        bytes[1 + k] = steps[px_jpeg_zigzag[k]];
    return segment(out, DQT, bytes, sizeof bytes, (px_bytes){ 0 }, err);
}

static px_status write_frame(px_jpeg_out *out, const px_jpeg_frame *frame, px_error *err)
{
    uint8_t bytes[15] = { 8, (uint8_t)(frame->height >> 8), (uint8_t)frame->height, (uint8_t)(frame->width >> 8), (uint8_t)frame->width,
                          (uint8_t)frame->planes };
    for (int p = 0; p < frame->planes; p++) {
        int factor = px_jpeg_unit_of(frame, p);
        memcpy(bytes + 6 + 3 * p, (uint8_t[]){ (uint8_t)(p + 1), (uint8_t)(factor << 4 | factor), p > 0 }, 3);
    }
    return segment(out, frame->progressive ? SOF2 : SOF0, bytes, 6 + 3 * (size_t)frame->planes, (px_bytes){ 0 }, err);
}

px_status px_jpeg_head_write(const px_jpeg_frame *frame, const px_encoder_spec *spec, px_jpeg_out *out, px_error *err)
{
    static const uint8_t jfif[14] = { 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0 };
    uint8_t minimal[PX_EXIF_BYTES];
    PX_TRY(px_jpeg_out_bytes(out, "\xff\xd8", 2, err));
    PX_TRY(segment(out, APP0, jfif, sizeof jfif, (px_bytes){ 0 }, err));
    PX_TRY(write_named(out, PX_JPEG_EXIF, sizeof PX_JPEG_EXIF, px_exif_of(spec, minimal), err));
    PX_TRY(write_named(out, PX_JPEG_XMP, sizeof PX_JPEG_XMP, spec->xmp, err));
    PX_TRY(write_profile(out, spec->profile, err));
    for (int table = 0; table < (frame->planes > 1 ? 2 : 1); table++)
        PX_TRY(write_steps(out, table, frame->steps[table], err));
    return write_frame(out, frame, err);
}

px_status px_jpeg_scan_write(int first, int count, int from, int to, int high, int low, px_jpeg_out *out, px_error *err)
{
    uint8_t bytes[10] = { (uint8_t)count };
    for (int i = 0; i < count; i++) {
        bytes[1 + 2 * i] = (uint8_t)(first + i + 1);
        bytes[2 + 2 * i] = (uint8_t)(first + i ? (from || high ? 0 : 0x10) | (to ? 1 : 0) : 0); /* codes that are not used: 0 */
    }
    memcpy(bytes + 1 + 2 * count, (uint8_t[]){ (uint8_t)from, (uint8_t)to, (uint8_t)(high << 4 | low) }, 3);
    return segment(out, SOS, bytes, 4 + 2 * (size_t)count, (px_bytes){ 0 }, err);
}
