/* Which pictures are too heavy for a function with little memory and time, and how they are handed on. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/uri.h"
#include "codec/codec.h"
#include "pipeline/inside.h"

bool px_is_handed_over(const px_pipeline *pipeline) { return pipeline->hand_over && *pipeline->config->heavy.queue; }

/* Is `name` one of "png,tiff"? */
static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; *at;) {
        at += strspn(at, ", ");
        size_t count = strcspn(at, ", ");
        if (count == length && strncmp(at, name, count) == 0)
            return true;
        at += count;
    }
    return false;
}

static px_format format_of(const px_source *source)
{
    uint8_t first[PX_FORMAT_FIRST_BYTES];
    size_t count = 0;
    if (px_source_read_at(source, 0, first, sizeof first, &count, NULL) != PX_OK)
        return PX_FORMAT_COUNT;
    return px_format_detect((px_bytes){ first, count });
}

const char *px_heavy_because(const px_pipeline *pipeline, const px_object *object, const px_source *source, int64_t deadline_ms,
                             px_arena *arena)
{
    const px_config *config = pipeline->config;
    if (!px_is_handed_over(pipeline) || object->bytes > config->limits.input_bytes)
        return NULL; /* what is over the limits is refused there too */
    if (object->bytes > config->heavy.bytes)
        return px_arena_format(arena, "%llu bytes, more than heavy.bytes", (unsigned long long)object->bytes);
    if (deadline_ms && deadline_ms - px_now_ms() < (int64_t)config->heavy.seconds * 1000)
        return px_arena_format(arena, "%lld ms left, less than heavy.seconds", (long long)(deadline_ms - px_now_ms()));
    if (*config->heavy.formats) {
        px_format format = format_of(source);
        if (format != PX_FORMAT_COUNT && is_listed(config->heavy.formats, px_format_name(format)))
            return px_arena_format(arena, "%s is among heavy.formats", px_format_name(format));
    }
    return NULL;
}

const char *px_heavy_event(const px_job *job, const char *sequencer, px_arena *arena)
{
    PX_AUTO(px_buffer_done) px_buffer key = { 0 };
    px_uri_encode(&key, job->key, true);
    if (px_buffer_failed(&key))
        return NULL;
    return px_arena_format(arena, "{\"Records\":[{\"eventVersion\":\"2.1\",\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":"
                           "{\"bucket\":{\"name\":\"%s\"},\"object\":{\"key\":\"%s\",\"sequencer\":\"%s\"}}}]}", job->bucket, key.data,
                           job->sequencer ? job->sequencer : sequencer);
}
