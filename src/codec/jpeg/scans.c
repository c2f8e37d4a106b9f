/* Pictures in several scans: progressive ones (T.81 annex G), and sequential ones whose components come one after the other.
 *
 * Of each block only the coefficients of the scale are held, and a mask that tells which of all 64 are not zero: in scans that refine,
 * each of those has a bit, so who wants any coefficient of a block has to know about all. What a scan brings is read as far as that needs it;
 * a scan that neither brings a coefficient of the scale nor says anything that later ones could refer to is passed over. */
#include "codec/big_endian.h"
#include "codec/jpeg/inside.h"

static uint64_t below(int k) { return k > 63 ? UINT64_MAX : (UINT64_C(1) << k) - 1; }

/* Nothing that is wanted, and nothing to refer to? */
static bool is_unwanted(const px_jpeg_scaled *self)
{
    const px_jpeg_scan *scan = &self->frame.scan;
    int last = self->planes[scan->components[0]].last;
    return self->frame.progressive && scan->first > last && (scan->low == 0 || last == 0);
}

/* Is the scan one that can be (G.1.1.1.1)? In what order scans come, libjpeg does not mind, and neither do we, as long as what one refers to
 * is known: of coefficients that nobody wants, the last bits are not. */
static px_status judge_scan(px_jpeg_scaled *self, px_error *err)
{
    const px_jpeg_scan *scan = &self->frame.scan;
    px_jpeg_plane *p = &self->planes[scan->components[0]];
    uint64_t band = below(scan->last + 1) & ~below(scan->first);
    if (!self->frame.progressive)
        return PX_OK;
    bool good = scan->first == 0 ? scan->last == 0 : scan->first <= scan->last && scan->last < 64 && scan->count == 1;
    good = good && scan->low <= 13 && (scan->high == 0 || scan->low == scan->high - 1);
    if (!good || (scan->high && band & p->unknown && !is_unwanted(self)))
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: its scans contradict each other");
    if (scan->low == 0)
        p->unknown |= band & ~below(p->last + 1);
    return PX_OK;
}

/* To the marker behind the scan. */
static px_status leave_scan(px_jpeg_scaled *self, px_error *err)
{
    px_jpeg_input *input = &self->input;
    do {
        PX_TRY(px_jpeg_leave(input, err));
        if (input->marker < PX_JPEG_RESTART || input->marker > PX_JPEG_RESTART + 7)
            return PX_OK;
        input->marker = 0;
    } while (true);
}

static px_status read_scan(px_jpeg_scaled *self, px_error *err)
{
    px_jpeg_input *input = &self->input;
    if (++self->scans > input->limits->scans)
        return px_fail(err, PX_TOO_MANY_FRAMES, "JPEG: more than %u scans (limits.scans)", input->limits->scans);
    PX_TRY(judge_scan(self, err));
    if (is_unwanted(self))
        return PX_OK;
    PX_TRY(px_jpeg_begin_scan(self, err));
    return self->readers->scan(self, err);
}

enum { SEGMENT_BYTES = 4096 }; /* all tables that there can be take half of it */

/* A segment of a marker, without its length. */
typedef struct segment {
    uint8_t bytes[SEGMENT_BYTES];
    size_t at, count;
} segment;

static px_status bad_segment(px_error *err) { return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: a marker between scans contradicts itself"); }

static px_status read_length(px_jpeg_scaled *self, size_t *ret, px_error *err)
{
    int high, low;
    PX_TRY(px_jpeg_byte(&self->input, &high, err));
    PX_TRY(px_jpeg_byte(&self->input, &low, err));
    if (high == 0 && low < 2)
        return bad_segment(err);
    *ret = (size_t)(high << 8 | low) - 2;
    return PX_OK;
}

static px_status read_segment(px_jpeg_scaled *self, segment *ret, px_error *err)
{
    ret->at = 0;
    PX_TRY(read_length(self, &ret->count, err));
    if (ret->count > SEGMENT_BYTES)
        return bad_segment(err);
    for (size_t i = 0; i < ret->count; i++) {
        int byte;
        PX_TRY(px_jpeg_byte(&self->input, &byte, err));
        ret->bytes[i] = (uint8_t)byte;
    }
    return PX_OK;
}

/* Codes (B.2.4.2). */
static px_status take_codes(px_jpeg_scaled *self, segment *s, px_error *err)
{
    while (s->at < s->count) {
        const uint8_t *head = s->bytes + s->at;
        int place = head[0];
        size_t values = 0;
        if (s->count - s->at < 17 || (place & 0xef) > 3)
            return bad_segment(err);
        px_jpeg_codes *codes = place & 0x10 ? &self->frame.ac[place & 3] : &self->frame.dc[place & 3];
        *codes = (px_jpeg_codes){ .there = true, .number = ++self->tables };
        for (int i = 1; i <= 16; i++)
            values += codes->counts[i] = head[i];
        s->at += 17;
        if (values > 256 || values > s->count - s->at)
            return bad_segment(err);
        memcpy(codes->values, s->bytes + s->at, values);
        s->at += values;
    }
    return PX_OK;
}

/* Steps of quantisation (B.2.4.1). */
static px_status take_steps(px_jpeg_scaled *self, segment *s, px_error *err)
{
    while (s->at < s->count) {
        int place = s->bytes[s->at] & 15, wide = s->bytes[s->at] >> 4 != 0;
        const uint8_t *at = s->bytes + s->at + 1;
        s->at += (size_t)(1 + 64 * (1 + wide));
        if (place > 3 || s->at > s->count)
            return bad_segment(err);
        for (int k = 0; k < 64; k++)
            self->frame.steps[place][px_jpeg_zigzag[k]] = (uint16_t)(wide ? px_get_16(at + 2 * k) : at[k]);
        self->frame.has_steps[place] = true;
    }
    return PX_OK;
}

static px_status take_restart(px_jpeg_scaled *self, segment *s, px_error *err)
{
    if (s->count != 2)
        return bad_segment(err);
    self->frame.restart = (int)px_get_16(s->bytes);
    return PX_OK;
}

/* The head of a scan (B.2.3). */
static px_status take_scan(px_jpeg_scaled *self, segment *s, px_error *err)
{
    px_jpeg_frame *f = &self->frame;
    px_jpeg_scan scan = { .count = s->count ? s->bytes[0] : 0 };
    if (scan.count < 1 || scan.count > f->count || s->count != (size_t)(4 + 2 * scan.count))
        return bad_segment(err);
    for (int i = 0; i < scan.count; i++) {
        const uint8_t *at = s->bytes + 1 + 2 * i;
        int c = 0;
        while (c < f->count && f->ids[c] != at[0])
            c++;
        if (c == f->count || (i && c == scan.components[i - 1]) || (i > 1 && c == scan.components[0]) || (at[1] & 0xcc))
            return bad_segment(err);
        scan.components[i] = c;
        scan.dc[i] = at[1] >> 4;
        scan.ac[i] = at[1] & 15;
    }
    const uint8_t *band = s->bytes + 1 + 2 * scan.count;
    scan.first = band[0];
    scan.last = band[1];
    scan.high = band[2] >> 4;
    scan.low = band[2] & 15;
    f->scan = scan;
    return read_scan(self, err);
}

static const struct {
    uint8_t marker;
    px_status (*take)(px_jpeg_scaled *self, segment *s, px_error *err);
} segments[] = { { 0xc4, take_codes }, { 0xdb, take_steps }, { 0xdd, take_restart }, { 0xda, take_scan } };

/* What stands at a marker between scans. Comments, what applications left there and what has no meaning here are passed over. */
static px_status read_marker(px_jpeg_scaled *self, int marker, px_error *err)
{
    px_jpeg_input *input = &self->input;
    segment s;
    for (size_t i = 0; i < sizeof segments / sizeof *segments; i++)
        if (marker == segments[i].marker) {
            PX_TRY(read_segment(self, &s, err));
            return segments[i].take(self, &s, err);
        }
    if (marker < 0xdc || marker == 0xdf || (marker > 0xef && marker != 0xfe))
        return px_fail(err, PX_CORRUPT_IMAGE, "JPEG: a marker that cannot be between scans: %02x", (unsigned)marker);
    PX_TRY(read_length(self, &s.count, err));
    self->frame.metadata_bytes += s.count;
    if (self->frame.metadata_bytes > input->limits->metadata_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "JPEG: more than %llu bytes of metadata (limits.metadata_bytes)",
                       (unsigned long long)input->limits->metadata_bytes);
    return px_jpeg_pass(input, s.count, err);
}

static px_status read_all(px_jpeg_scaled *self, px_error *err)
{
    px_jpeg_input *input = &self->input;
    PX_TRY(read_scan(self, err));
    for (;;) {
        PX_TRY(leave_scan(self, err));
        int marker = input->marker;
        if (marker == PX_JPEG_END)
            return input->ended ? px_jpeg_judge_truncated(self, err) : PX_OK;
        input->marker = 0;
        PX_TRY(read_marker(self, marker, err));
    }
}

px_status px_jpeg_read_scans(px_jpeg_scaled *self, px_error *err)
{
    px_status status = read_all(self, err);
    bool accepted = status == PX_TRUNCATED_IMAGE && self->input.limits->truncated;
    self->truncated = self->truncated || accepted;
    return accepted ? PX_OK : status;
}
