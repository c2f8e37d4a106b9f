/* A GIF without what is not the picture: comments, plain text (which nobody draws) and what applications left, but for how often
 * it plays and its ICC profile. A control block waits for what it controls, and goes with it. */
#include "codec/copy.h"
#include "codec/formats.h"

enum { EXTENSION = 0x21, IMAGE = 0x2c, PLAIN_TEXT = 0x01, CONTROL = 0xf9, APPLICATION = 0xff };

/* The next byte, which has to be there. */
static px_status take(px_copy *copy, int *ret, px_error *err)
{
    PX_TRY(px_copy_next(copy, ret, err));
    return *ret < 0 ? px_fail(err, PX_TRUNCATED_IMAGE, "GIF: the file ends within a block") : PX_OK;
}

/* Sub-blocks from here to the empty one. */
static px_status pass_blocks(px_copy *copy, bool keep, px_error *err)
{
    for (int length = 1; length;) {
        PX_TRY(take(copy, &length, err));
        uint8_t byte = (uint8_t)length;
        if (keep)
            PX_TRY(px_copy_write(copy, &byte, 1, err));
        PX_TRY(px_copy_pass(copy, (uint64_t)length, keep, err));
    }
    return PX_OK;
}

/* A palette, if the flags say that there is one. */
static px_status pass_colours(px_copy *copy, int flags, px_error *err)
{
    return flags & 0x80 ? px_copy_pass(copy, 3u * (2u << (flags & 7)), true, err) : PX_OK;
}

/* Takes `count` bytes and writes them too. */
static px_status pass_head(px_copy *copy, uint8_t *head, int count, px_error *err)
{
    for (int i = 0; i < count; i++) {
        int byte;
        PX_TRY(take(copy, &byte, err));
        head[i] = (uint8_t)byte;
    }
    return px_copy_write(copy, head, (size_t)count, err);
}

static px_status clean_application(px_copy *copy, px_error *err)
{
    static const char *const kept[] = { "NETSCAPE2.0", "ANIMEXTS1.0", "ICCRGBG1012" };
    uint8_t head[14] = { EXTENSION, APPLICATION };
    int length, byte;
    PX_TRY(take(copy, &length, err));
    head[2] = (uint8_t)length;
    if (length != 11) {
        PX_TRY(px_copy_pass(copy, (uint64_t)length, false, err));
        return length ? pass_blocks(copy, false, err) : PX_OK;
    }
    for (int i = 0; i < 11; i++) {
        PX_TRY(take(copy, &byte, err));
        head[3 + i] = (uint8_t)byte;
    }
    bool keep = false;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        keep |= memcmp(head + 3, kept[i], 11) == 0;
    if (keep)
        PX_TRY(px_copy_write(copy, head, sizeof head, err));
    return pass_blocks(copy, keep, err);
}

/* A control block, without what may be behind its first sub-block. */
static px_status take_control(px_copy *copy, uint8_t control[8], bool *ret_held, px_error *err)
{
    int length, byte;
    PX_TRY(take(copy, &length, err));
    *ret_held = length >= 4;
    for (int i = 0; i < length; i++) {
        PX_TRY(take(copy, &byte, err));
        if (i < 4)
            control[3 + i] = (uint8_t)byte;
    }
    return length ? pass_blocks(copy, false, err) : PX_OK;
}

static px_status clean_image(px_copy *copy, const uint8_t control[8], bool held, px_error *err)
{
    uint8_t head[9], bits;
    if (held)
        PX_TRY(px_copy_write(copy, control, 8, err));
    PX_TRY(px_copy_write(copy, &(uint8_t){ IMAGE }, 1, err));
    PX_TRY(pass_head(copy, head, 9, err));
    PX_TRY(pass_colours(copy, head[8], err));
    PX_TRY(pass_head(copy, &bits, 1, err));
    return pass_blocks(copy, true, err);
}

static px_status clean(px_copy *copy, const px_encoder_spec *spec, px_error *err)
{
    (void)spec; /* GIF can say nothing of what it might keep */
    uint8_t head[13], control[8] = { EXTENSION, CONTROL, 4 };
    bool held = false;
    PX_TRY(pass_head(copy, head, 13, err));
    PX_TRY(pass_colours(copy, head[10], err));
    for (int kind, label;;) {
        PX_TRY(px_copy_next(copy, &kind, err));
        if (kind == IMAGE) {
            PX_TRY(clean_image(copy, control, held, err));
            held = false;
        } else if (kind == EXTENSION) {
            PX_TRY(take(copy, &label, err));
            if (label == CONTROL)
                PX_TRY(take_control(copy, control, &held, err));
            else if (label == APPLICATION)
                PX_TRY(clean_application(copy, err));
            else
                PX_TRY(pass_blocks(copy, false, err));
            held &= label != PLAIN_TEXT;
        } else if (kind != 0) /* the end, marked or not */
            return px_copy_write(copy, ";", 1, err);
    }
}

px_status px_gif_clean(const px_encoder_spec *spec, const px_source *source, int fd, uint64_t *ret_bytes, px_error *err)
{
    return px_copy_run(spec, source, fd, clean, ret_bytes, err);
}
