/* Whose an output is, and what may be done to it: pure functions that every store shares.
 *
 * An output carries its owner in five x-amz-meta-pixmill- headers, so any store that keeps user metadata can tell
 * pixmill's work from other people's, and a newer run from an older one, without a table. */
#include "ports/store.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static const char *meta_find(const px_object *object, const char *name)
{
    for (size_t i = 0; i < object->meta_count; i++)
        if (strncmp(object->meta[i].name, PX_OWNER_META_PREFIX, sizeof PX_OWNER_META_PREFIX - 1) == 0
            && strcmp(object->meta[i].name + sizeof PX_OWNER_META_PREFIX - 1, name) == 0)
            return object->meta[i].value;
    return NULL;
}

static bool is_hex(const char *text, size_t count)
{
    return strlen(text) == count && strspn(text, "0123456789abcdef") == count;
}

bool px_owner_of(const px_object *object, px_owner *ret)
{
    const char *source = meta_find(object, "source"), *sequencer = meta_find(object, "sequencer");
    const char *token = meta_find(object, "token"), *recipe = meta_find(object, "recipe");
    const char *etag = meta_find(object, "etag");
    px_owner owner = { .token = 0 };

    if (!source || !is_hex(source, 32))
        return false;
    memcpy(owner.source, source, 33);
    px_sequencer_pad(sequencer ? sequencer : "", owner.sequencer);
    if (token) {
        char *end = NULL;
        errno = 0;
        long long value = strtoll(token, &end, 10);
        if (errno == 0 && end != token && *end == '\0' && value > 0)
            owner.token = value;
    }
    if (recipe && is_hex(recipe, 16))
        memcpy(owner.recipe, recipe, 17);
    if (etag && strlen(etag) < sizeof owner.etag)
        memcpy(owner.etag, etag, strlen(etag) + 1);
    *ret = owner;
    return true;
}

px_owner_verdict px_owner_judge(const px_object *present, const px_owner *ours)
{
    px_owner theirs;

    if (!px_owner_of(present, &theirs) || strcmp(theirs.source, ours->source) != 0)
        return PX_OWNER_TAKEN;
    char padded[33];
    px_sequencer_pad(ours->sequencer, padded);
    int order = strcmp(theirs.sequencer, padded);
    if (order > 0 || (order == 0 && theirs.token > ours->token))
        return PX_OWNER_SUPERSEDED;
    return PX_OWNER_WRITE;
}

px_status px_put_meta(const px_put *put, px_arena *arena, const px_meta **ret, size_t *ret_count, px_error *err)
{
    enum { OWNER_METAS = 5 };
    char padded[33];
    px_sequencer_pad(put->owner.sequencer, padded);
    const char *names[OWNER_METAS] = { "source", "sequencer", "token", "recipe", "etag" };
    const char *values[OWNER_METAS] = { put->owner.source, padded, px_arena_format(arena, "%lld", (long long)put->owner.token),
                                        put->owner.recipe, put->owner.etag };
    px_meta *meta = px_new(arena, px_meta, put->meta_count + OWNER_METAS);
    bool whole = meta != NULL;
    size_t count = 0;
    for (size_t i = 0; whole && i < put->meta_count; i++) {
        if (strncmp(put->meta[i].name, PX_OWNER_META_PREFIX, sizeof PX_OWNER_META_PREFIX - 1) == 0)
            continue; /* of the picture that this one was made of */
        meta[count] = (px_meta){ px_arena_copy_text(arena, put->meta[i].name), px_arena_copy_text(arena, put->meta[i].value) };
        whole = meta[count].name && meta[count].value;
        count++;
    }
    for (int i = 0; whole && i < OWNER_METAS; i++) {
        meta[count] = (px_meta){ px_arena_format(arena, PX_OWNER_META_PREFIX "%s", names[i]), px_arena_copy_text(arena, values[i]) };
        whole = meta[count].name && meta[count].value;
        count++;
    }
    if (!whole)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the metadata of %s", put->key);
    *ret = meta;
    *ret_count = count;
    return PX_OK;
}

void px_sequencer_pad(const char *sequencer, char padded[33])
{
    char text[33];
    size_t count = 0;

    /* What is no hex digit ends it: the number came from outside. */
    while (count < 32 && isxdigit((unsigned char)sequencer[count])) {
        text[count] = (char)tolower((unsigned char)sequencer[count]);
        count++;
    }
    memset(text + count, '0', 32 - count);
    text[32] = '\0';
    memcpy(padded, text, sizeof text);
}

void px_source_id(const char *bucket, const char *key, char id[33])
{
    px_hash hash;
    uint8_t digest[PX_HASH_MAX];

    px_hash_init(&hash, PX_HASH_SHA256);
    px_hash_push(&hash, bucket, strlen(bucket));
    px_hash_push(&hash, "/", 1);
    px_hash_push(&hash, key, strlen(key));
    (void)px_hash_finish(&hash, digest);
    px_hex(digest, 16, id);
}
