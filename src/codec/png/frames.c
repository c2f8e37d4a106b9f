/* Frames lie within the picture; one that does not is damage. What acTL claims is believed only when that many fcTL were seen. */
#include "codec/png/frames.h"

#include <limits.h>
#include <string.h>

#include "codec/big_endian.h"

px_status px_png_frame_parse(const uint8_t control[PX_PNG_CONTROL_BYTES], const px_header *header, bool is_first,
                             px_png_frame *ret, px_error *err)
{
    static const px_disposal disposals[3] = { PX_DISPOSE_NONE, PX_DISPOSE_CLEAR, PX_DISPOSE_RESTORE };
    uint64_t width = px_get_32(control + 4), height = px_get_32(control + 8), x = px_get_32(control + 12), y = px_get_32(control + 16);
    uint32_t count = px_get_16(control + 20), parts = px_get_16(control + 22);
    if (width == 0 || height == 0 || x + width > (uint64_t)header->width || y + height > (uint64_t)header->height)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a frame of %llux%llu at %llu, %llu in a picture of %dx%d", (unsigned long long)width,
                       (unsigned long long)height, (unsigned long long)x, (unsigned long long)y, header->width, header->height);
    if (control[24] > 2 || control[25] > 1)
        return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a frame is disposed of by %d and blended by %d", control[24], control[25]);
    parts = parts ? parts : 100;
    *ret = (px_png_frame){ .sequence = px_get_32(control), .place = { (int)x, (int)y, (int)width, (int)height },
                           .milliseconds = (int)((count * 1000 + parts / 2) / parts), .over = control[25] == 1,
                           .disposal = is_first && control[24] == 2 ? PX_DISPOSE_CLEAR : disposals[control[24]] };
    return PX_OK;
}

/* What a frame adds to the facts. */
static void note_frame(px_png_animation_facts *facts, const px_png_frame *frame, const px_header *header, px_disposal before)
{
    bool covers = frame->place.width == header->width && frame->place.height == header->height;
    facts->holes |= (facts->frames == 0 && !covers) || before == PX_DISPOSE_CLEAR;
    facts->restores |= frame->disposal == PX_DISPOSE_RESTORE;
    facts->frames++;
}

static px_status walk(px_bytes file, const px_header *header, px_png_animation_facts *facts, px_error *err)
{
    bool seen_picture = false;
    uint32_t claimed = 0;
    px_disposal before = PX_DISPOSE_NONE;
    for (size_t at = 8; claimed == 0 || (uint32_t)facts->frames < claimed;) {
        if (file.count - at < 12 || at > file.count)
            return px_fail(err, PX_TRUNCATED_IMAGE, "PNG: the file ends before the picture does");
        const uint8_t *chunk = file.data + at;
        uint64_t count = px_get_32(chunk);
        if (file.count - at - 12 < count)
            return px_fail(err, PX_TRUNCATED_IMAGE, "PNG: the file ends before the picture does");
        if (memcmp(chunk + 4, "acTL", 4) == 0 && claimed == 0) {
            claimed = count == 8 ? px_get_32(chunk + 8) : 0;
            if (claimed == 0 || claimed > INT_MAX)
                return px_fail(err, PX_CORRUPT_IMAGE, "PNG: an animation without frames");
            uint32_t plays = px_get_32(chunk + 12);
            facts->loops = plays > INT_MAX ? 0 : (int)plays;
        } else if (memcmp(chunk + 4, "fcTL", 4) == 0) {
            px_png_frame frame;
            if (count != PX_PNG_CONTROL_BYTES)
                return px_fail(err, PX_CORRUPT_IMAGE, "PNG: a frame's control has %llu bytes", (unsigned long long)count);
            PX_TRY(px_png_frame_parse(chunk + 8, header, facts->frames == 0, &frame, err));
            facts->still_is_first |= !seen_picture;
            note_frame(facts, &frame, header, before);
            before = frame.disposal;
        } else if (memcmp(chunk + 4, "IEND", 4) == 0) {
            return px_fail(err, PX_CORRUPT_IMAGE, "PNG: %u frames are claimed, and %d are there", claimed, facts->frames);
        }
        seen_picture |= memcmp(chunk + 4, "IDAT", 4) == 0;
        at += (size_t)count + 12;
    }
    return PX_OK;
}

px_status px_png_frames_walk(const px_source *source, const px_limits *limits, const px_header *header,
                             px_png_animation_facts *ret, px_error *err)
{
    px_bytes file;
    px_png_animation_facts facts = { .frames = 0 };
    PX_TRY(px_source_map(source, limits->input_bytes, &file, err));
    px_status status = walk(file, header, &facts, err);
    if (status == PX_TRUNCATED_IMAGE && limits->truncated) { /* of what was seen all but the last frame is whole */
        facts.cut = true;
        status = PX_OK;
    }
    px_source_unmap(file);
    if (status == PX_OK)
        *ret = facts;
    return status;
}

/* 4.9.2, over: what both show, weighed by how much of each is seen. */
static void blend(uint8_t *target, const uint8_t *rgba)
{
    unsigned upper = rgba[3] * 255u, lower = (255u - rgba[3]) * target[3], both = upper + lower;
    if (rgba[3] == 255 || target[3] == 0) {
        memcpy(target, rgba, 4);
        return;
    }
    for (int c = 0; c < 3; c++)
        target[c] = (uint8_t)((rgba[c] * upper + target[c] * lower + both / 2) / both);
    target[3] = (uint8_t)((both + 127) / 255);
}

void px_png_frame_draw(const px_canvas *canvas, const px_png_frame *frame, int y, const uint8_t *row, px_model model, px_alpha alpha)
{
    int channels = px_channels(model, alpha), green = model == PX_GREY ? 0 : 1;
    uint8_t *target = px_canvas_at(canvas, frame->place.x, frame->place.y + y);
    for (int x = 0; x < frame->place.width; x++, row += channels, target += 4) {
        uint8_t rgba[4] = { row[0], row[green], row[2 * green], alpha == PX_OPAQUE ? 255 : row[channels - 1] };
        if (!frame->over)
            memcpy(target, rgba, 4);
        else if (rgba[3])
            blend(target, rgba);
    }
}
