/* Bytes go from the source into `raw`, and from there, eight at a time, into the window. */
#include "codec/jpeg/bits.h"

void px_jpeg_input_start(px_jpeg_input *input, const px_source *source, const px_limits *limits, uint64_t offset)
{
    input->source = source;
    input->limits = limits;
    input->offset = offset;
    input->raw_at = input->raw_count = 0;
    input->ended = false;
    input->marker = 0;
}

/* Reads on; what is not used of `raw` moves to its front. */
static px_status read_raw(px_jpeg_input *input, px_error *err)
{
    size_t left = input->raw_count - input->raw_at, count = 0;
    memmove(input->raw, input->raw + input->raw_at, left);
    input->offset += input->raw_at;
    input->raw_at = 0;
    input->raw_count = left;
    PX_TRY(px_source_read_at(input->source, input->offset + left, input->raw + left, sizeof input->raw - left, &count, err));
    input->raw_count += count;
    input->ended = count == 0;
    if (input->offset + input->raw_count > input->limits->input_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "the source is over %llu bytes (limits.input_bytes)",
                       (unsigned long long)input->limits->input_bytes);
    return PX_OK;
}

static bool has_marker_byte(uint64_t eight)
{
    return ((~eight - UINT64_C(0x0101010101010101)) & eight & UINT64_C(0x8080808080808080)) != 0;
}

/* 0xff at raw[raw_at]: a stuffed byte, a fill byte, or the marker that ends the segment (T.81 B.1.1.2, B.1.1.5, F.1.2.3). */
static px_status take_marker_byte(px_jpeg_input *input, uint8_t **to, px_error *err)
{
    if (input->raw_count - input->raw_at < 2) {
        PX_TRY(read_raw(input, err));
        if (input->ended) {
            input->marker = PX_JPEG_END;
            return PX_OK;
        }
    }
    uint8_t next = input->raw[input->raw_at + 1];
    if (next == 0xff) {
        input->raw_at++;
        return PX_OK;
    }
    input->raw_at += 2;
    if (next == 0)
        *(*to)++ = 0xff;
    else
        input->marker = next;
    return PX_OK;
}

/* Copies from `raw` to `to`, up to `end` or the end of the segment. */
static px_status unstuff(px_jpeg_input *input, uint8_t **to, const uint8_t *end, px_error *err)
{
    while (*to < end && !input->marker) {
        const uint8_t *from = input->raw + input->raw_at, *last = input->raw + input->raw_count;
        uint8_t *out = *to;
        uint64_t eight;
        for (; last - from >= 8 && end - out >= 8; from += 8, out += 8) {
            memcpy(&eight, from, 8);
            if (has_marker_byte(eight))
                break;
            memcpy(out, &eight, 8);
        }
        while (from < last && out < end && *from != 0xff)
            *out++ = *from++;
        *to = out;
        input->raw_at = (size_t)(from - input->raw);
        if (from == last) {
            PX_TRY(read_raw(input, err));
            if (input->ended)
                input->marker = PX_JPEG_END;
        } else if (*from == 0xff && out < end)
            PX_TRY(take_marker_byte(input, to, err));
    }
    return PX_OK;
}

px_status px_jpeg_more(px_jpeg_input *input, px_error *err)
{
    if (input->marker) /* all of it is there: zeros follow, and no block begins behind them */
        return PX_OK;
    ptrdiff_t left = input->end - input->bits.at;
    memmove(input->window, input->bits.at, (size_t)left);
    input->bits.at = input->window;
    uint8_t *to = input->window + left;
    PX_TRY(unstuff(input, &to, input->window + PX_JPEG_WINDOW_BYTES, err));
    input->end = to;
    input->safe = to - PX_JPEG_ROOM;
    if (input->marker)
        memset(to, 0, 2 * PX_JPEG_ROOM);
    return PX_OK;
}

px_status px_jpeg_segment(px_jpeg_input *input, px_error *err)
{
    input->marker = 0;
    input->bits = (px_jpeg_bits){ .at = input->window };
    input->end = input->window;
    return px_jpeg_more(input, err);
}

px_status px_jpeg_byte(px_jpeg_input *input, int *ret, px_error *err)
{
    if (input->raw_at == input->raw_count)
        PX_TRY(read_raw(input, err));
    if (input->raw_at == input->raw_count)
        return px_fail(err, PX_TRUNCATED_IMAGE, "JPEG: the file ends between two scans");
    *ret = input->raw[input->raw_at++];
    return PX_OK;
}

px_status px_jpeg_pass(px_jpeg_input *input, size_t count, px_error *err)
{
    size_t left = input->raw_count - input->raw_at, here = count < left ? count : left;
    input->raw_at += here;
    if (here == count)
        return PX_OK;
    input->offset += input->raw_count + (count - here);
    input->raw_at = input->raw_count = 0;
    return read_raw(input, err);
}

px_status px_jpeg_leave(px_jpeg_input *input, px_error *err)
{
    while (!input->marker) {
        const uint8_t *from = input->raw + input->raw_at;
        const uint8_t *found = memchr(from, 0xff, input->raw_count - input->raw_at);
        uint8_t *nowhere = input->window;
        input->raw_at = found ? (size_t)(found - input->raw) : input->raw_count;
        if (found) {
            PX_TRY(take_marker_byte(input, &nowhere, err));
            continue;
        }
        PX_TRY(read_raw(input, err));
        if (input->ended)
            input->marker = PX_JPEG_END;
    }
    return PX_OK;
}
