/* Any bytes as an event. A job that comes out can be done as it stands: names within their bounds, texts in UTF-8, a padded
 * sequencer or none, a reason where nothing is to be done. Else there is a message, and nothing was returned. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "pipeline/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

static void judge(const px_job *job)
{
    if (!job->bucket || !job->key || !job->reason || strlen(job->key) > PX_LIMIT_KEY_BYTES)
        abort();
    if (!px_is_utf8(job->bucket) || !px_is_utf8(job->key) || !px_is_utf8(job->reason))
        abort();
    if (job->kind == PX_JOB_IGNORE ? !*job->reason : !*job->bucket || !*job->key)
        abort();
    if (job->sequencer && (strlen(job->sequencer) != 32 || strspn(job->sequencer, "0123456789abcdef") != 32))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    static px_arena arena;
    px_error err = { "" };
    px_event event = { 0 };
    if (!arena.start && px_arena_open(256 << 20, &arena, NULL) != PX_OK)
        abort();
    px_arena_reset(&arena);
    char *copy = malloc(count + !count); /* so that a byte too far is seen */
    memcpy(copy, data, count);
    px_status status = px_event_parse((px_bytes){ (const uint8_t *)copy, count }, &arena, &event, &err);
    free(copy); /* jobs must not point into it */
    if (status == PX_OK ? event.job_count < 1 : status != PX_BAD_EVENT || event.jobs || !*err.message || !px_is_utf8(err.message))
        abort();
    for (int i = 0; i < event.job_count; i++)
        judge(&event.jobs[i]);
    return 0;
}
