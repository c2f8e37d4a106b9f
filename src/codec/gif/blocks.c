/* A control block (23) says how the next frame is shown. Durations are played as browsers do: what is too short to be meant
 * becomes a tenth of a second. Plain text (25), which nobody draws, takes the control block before it along. */
#include "codec/gif/blocks.h"

#include <string.h>

enum { EXTENSION = 0x21, IMAGE = 0x2c, TRAILER = 0x3b };
enum { PLAIN_TEXT = 0x01, CONTROL = 0xf9, COMMENT = 0xfe, APPLICATION = 0xff };

static px_status cut(px_error *err)
{
    return px_fail(err, PX_TRUNCATED_IMAGE, "GIF: the file ends before the picture does");
}

static int little_endian(const uint8_t *at) { return at[0] | at[1] << 8; }

/* The next `count` bytes; NULL at the end of the file. */
static const uint8_t *take(px_gif_blocks *self, size_t count)
{
    if (self->bytes.count - self->at < count)
        return NULL;
    const uint8_t *bytes = self->bytes.data + self->at;
    self->at += count;
    return bytes;
}

static px_status take_colours(px_gif_blocks *self, int flags, px_gif_colours *ret, px_error *err)
{
    if (!(flags & 0x80))
        return PX_OK;
    int count = 2 << (flags & 7);
    const uint8_t *table = take(self, (size_t)count * 3);
    if (!table)
        return cut(err);
    *ret = (px_gif_colours){ table, count };
    return PX_OK;
}

/* Walks over sub-blocks, the empty one that ends them included. */
static px_status skip_blocks(px_gif_blocks *self, px_error *err)
{
    for (;;) {
        const uint8_t *length = take(self, 1);
        if (!length || !take(self, *length))
            return cut(err);
        if (*length == 0)
            return PX_OK;
    }
}

px_status px_gif_blocks_init(px_gif_blocks *self, px_bytes bytes, px_error *err)
{
    *self = (px_gif_blocks){ .bytes = bytes, .loops = 1 };
    const uint8_t *head = take(self, PX_GIF_HEAD);
    if (!head)
        return cut(err);
    self->width = little_endian(head + 6);
    self->height = little_endian(head + 8);
    return take_colours(self, head[10], &self->global, err);
}

static px_status read_control(px_gif_blocks *self, px_gif_frame *frame, px_error *err)
{
    /* 4 is what some wrote for 3. */
    static const px_disposal disposals[8] = { [2] = PX_DISPOSE_CLEAR, [3] = PX_DISPOSE_RESTORE, [4] = PX_DISPOSE_RESTORE };
    size_t begin = self->at;
    PX_TRY(skip_blocks(self, err));
    const uint8_t *block = self->bytes.data + begin;
    if (block[0] < 4)
        return PX_OK;
    int hundredths = little_endian(block + 2);
    frame->disposal = disposals[block[1] >> 2 & 7];
    frame->milliseconds = hundredths < 2 ? 100 : hundredths * 10;
    frame->transparent = block[1] & 1 ? block[4] : -1;
    return PX_OK;
}

/* 26. NETSCAPE2.0 holds how often an animation is repeated after it was played; 0: for ever. */
static px_status read_application(px_gif_blocks *self, px_error *err)
{
    size_t begin = self->at;
    PX_TRY(skip_blocks(self, err));
    const uint8_t *block = self->bytes.data + begin;
    size_t count = self->at - begin;
    bool is_named = block[0] == 11 && count >= 13;
    if (is_named && (memcmp(block + 1, "NETSCAPE2.0", 11) == 0 || memcmp(block + 1, "ANIMEXTS1.0", 11) == 0)) {
        if (count >= 17 && block[12] >= 3 && (block[13] & 7) == 1) {
            int repeats = little_endian(block + 14);
            self->loops = repeats == 0 ? 0 : repeats + 1;
        }
    } else if (is_named && memcmp(block + 1, "ICCRGBG1012", 11) == 0 && self->profile.count == 0) {
        self->profile = (px_bytes){ block + 12, count - 12 };
    } else {
        self->metadata_bytes += count;
    }
    return PX_OK;
}

static px_status read_extension(px_gif_blocks *self, px_gif_frame *frame, px_error *err)
{
    const uint8_t *label = take(self, 1);
    size_t begin = self->at;
    if (!label)
        return cut(err);
    if (*label == CONTROL)
        return read_control(self, frame, err);
    if (*label == APPLICATION)
        return read_application(self, err);
    PX_TRY(skip_blocks(self, err));
    self->metadata_bytes += self->at - begin;
    if (*label == PLAIN_TEXT)
        *frame = (px_gif_frame){ .transparent = -1, .milliseconds = 100 };
    return PX_OK;
}

static px_status read_image(px_gif_blocks *self, px_gif_frame *frame, px_error *err)
{
    const uint8_t *image = take(self, 9);
    if (!image)
        return cut(err);
    frame->place = (px_rectangle){ little_endian(image), little_endian(image + 2), little_endian(image + 4), little_endian(image + 6) };
    frame->interlaced = image[8] & 0x40;
    frame->colours = self->global;
    PX_TRY(take_colours(self, image[8], &frame->colours, err));
    frame->data = self->at;
    if (!take(self, 1))
        return cut(err);
    px_status status = skip_blocks(self, err);
    if (status != PX_TRUNCATED_IMAGE || !self->accepts)
        return status;
    self->cut = true;
    self->at = self->bytes.count;
    return PX_OK;
}

static px_status next_frame(px_gif_blocks *self, px_gif_frame *ret, bool *ret_found, px_error *err)
{
    px_gif_frame frame = { .transparent = -1, .milliseconds = 100 };
    for (const uint8_t *kind; (kind = take(self, 1)) && *kind != TRAILER;) {
        if (*kind == IMAGE) {
            PX_TRY(read_image(self, &frame, err));
            *ret = frame;
            *ret_found = true;
            return PX_OK;
        }
        if (*kind == EXTENSION)
            PX_TRY(read_extension(self, &frame, err));
        else if (*kind != 0) /* one empty block too many is common */
            return px_fail(err, PX_CORRUPT_IMAGE, "GIF: there is no block of kind %u", *kind);
    }
    *ret_found = false;
    return PX_OK;
}

px_status px_gif_blocks_next(px_gif_blocks *self, px_gif_frame *ret, bool *ret_found, px_error *err)
{
    px_status status = next_frame(self, ret, ret_found, err);
    if (status != PX_TRUNCATED_IMAGE || !self->accepts)
        return status;
    self->cut = true;
    self->at = self->bytes.count;
    *ret_found = false;
    return PX_OK;
}

size_t px_gif_gather(px_bytes blocks, uint8_t *target, size_t room)
{
    size_t count = 0;
    for (size_t at = 0; at < blocks.count && blocks.data[at]; at += (size_t)blocks.data[at] + 1) {
        size_t length = blocks.data[at];
        if (count + length <= room)
            memcpy(target + count, blocks.data + at + 1, length);
        count += length;
    }
    return count;
}
