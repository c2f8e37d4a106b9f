/* The manifest: one JSON object a source that names its outputs, for who writes <img srcset>.
 *
 * In the record it is one output more, the last, with the id "manifest" and the format "json". So everything that outputs are
 * promised holds for it: it is stored and removed with them, by compare-and-swap, and never over somebody else's object. Its
 * fingerprint is made of what it holds: the outputs' ids and fingerprints. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "pipeline/inside.h"

bool px_has_manifest(const px_recipe *recipe) { return recipe->manifest.name && *recipe->manifest.name; }

static void fill_fingerprint(px_recipe *recipe)
{
    px_hash sum;
    uint8_t digest[PX_HASH_MAX];
    px_hash_init(&sum, PX_HASH_SHA256);
    for (int i = 0; i < recipe->output_count; i++) {
        px_hash_push(&sum, recipe->outputs[i].id, strlen(recipe->outputs[i].id) + 1);
        px_hash_push(&sum, recipe->outputs[i].fingerprint, strlen(recipe->outputs[i].fingerprint) + 1);
    }
    px_hash_finish(&sum, digest);
    px_hex(digest, 8, recipe->manifest.fingerprint);
}

px_status px_manifest_init(px_recipe *recipe, const char *name, const char *where, px_error *err)
{
    static const char *const others[] = { "{width}", "{height}", "{format}" };
    recipe->manifest = (px_output){ .id = PX_MANIFEST_ID, .name = name, .spec = { .format = PX_FORMAT_JPEG } };
    if (!px_has_manifest(recipe))
        return PX_OK;
    PX_TRY(px_template_check(name, where, err));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strstr(name, others[i]))
            return px_fail(err, PX_BAD_RECIPE, "%s: a manifest is of all outputs, so its name has no %s", where, others[i]);
    for (int i = 0; i < recipe->output_count; i++) {
        if (strcmp(recipe->outputs[i].id, PX_MANIFEST_ID) == 0)
            return px_fail(err, PX_BAD_RECIPE, "%s: with a manifest, no output can have the id '%s'", where, PX_MANIFEST_ID);
        if (strcmp(recipe->outputs[i].name, name) == 0)
            return px_fail(err, PX_BAD_RECIPE, "%s: output '%s' and the manifest have one name, %s", where, recipe->outputs[i].id, name);
    }
    fill_fingerprint(recipe);
    return PX_OK;
}

static json_t *describe(const px_record_output *output)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:s, s:I}", "id", output->id, "key", output->key, "width", output->width, "height", output->height,
                     "type", px_format_media_type(px_format_find(output->format)), "bytes", (json_int_t)output->bytes);
}

px_status px_manifest_write(const px_record *record, const px_record_output *outputs, int count, int fd, uint64_t *ret_bytes, px_error *err)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, describe(&outputs[i]));
    json_t *manifest = json_pack("{s:i, s:i, s:s*, s:s*, s:o}", "width", record->width, "height", record->height, "placeholder",
                                 *record->placeholder ? record->placeholder : NULL, "colour", *record->colour ? record->colour : NULL, "outputs", list);
    char *text = manifest && json_array_size(list) == (size_t)count ? json_dumps(manifest, JSON_COMPACT) : NULL;
    px_status status = text ? px_write_all(fd, text, strlen(text), "the manifest", err) : px_fail(err, PX_OUT_OF_MEMORY, "no memory for a manifest");
    if (status == PX_OK)
        *ret_bytes = strlen(text);
    free(text);
    json_decref(manifest);
    return status;
}
