/* Any bytes as pixmill.yaml. What is taken keeps its bounds and names a picture without breaking, and what `check --show`
 * prints of it is taken again and means the same. What is refused says so in one line, with the file's name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"
#include "pipeline/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

static px_arena arena;

/* Loads from memory, by way of a file that has no place on the disk. */
static px_status load(px_bytes text, px_config *ret, const char **ret_shown, px_error *err)
{
    char path[40];
    int fd = memfd_create("config", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd < 0 || px_write_all(fd, text.data, text.count, path, NULL) != PX_OK)
        abort();
    px_status status = px_config_load(path, NULL, 0, &arena, ret, err);
    if (status == PX_OK && px_config_show(path, NULL, 0, &arena, ret_shown, err) != PX_OK)
        abort();
    close(fd);
    return status;
}

static void judge(const px_config *config)
{
    px_error err = { "" };
    if (!*config->source || !*config->destination || config->limits.pixels < 1 || config->limits.side > 65535 || config->max_attempts < 1)
        abort();
    if (config->recipe.output_count < 1 || config->recipe.output_count > PX_LIMIT_OUTPUTS)
        abort();
    for (int i = 0; i < config->recipe.output_count; i++) {
        const px_output *output = &config->recipe.outputs[i];
        const char *name = NULL;
        px_status status = px_output_name(output, "a/b/cat.png", "etag", PX_FORMAT_PNG, 80, 60, &arena, &name, &err);
        if (status == PX_OK ? !name || !*name || strlen(name) > PX_LIMIT_KEY_BYTES : status != PX_BAD_RECIPE || name)
            abort();
        if (output->spec.width < 0 || output->spec.width > PX_LIMIT_OUTPUT_SIDE || output->spec.quality < 1 || output->spec.quality > 100)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    px_error err = { "" };
    px_config config, again;
    const char *shown = NULL, *shown_again = NULL;
    if (count > 1 << 16)
        return 0;
    if (!arena.start && px_arena_open(256 << 20, &arena, NULL) != PX_OK)
        abort();
    px_arena_reset(&arena);
    if (load((px_bytes){ data, count }, &config, &shown, &err) != PX_OK) {
        if (!*err.message || !px_is_utf8(err.message) || strchr(err.message, '\n'))
            abort();
        return 0;
    }
    judge(&config);
    if (load(px_bytes_of(shown), &again, &shown_again, &err) != PX_OK) {
        fprintf(stderr, "%s\n%s\n", shown, err.message);
        abort();
    }
    if (strcmp(config.source, again.source) != 0 || strcmp(config.cache_control, again.cache_control) != 0 ||
        config.limits.pixels != again.limits.pixels || config.limits.input_bytes != again.limits.input_bytes ||
        config.limits.memory_bytes != again.limits.memory_bytes || config.limits.seconds != again.limits.seconds || config.recipe.output_count != again.recipe.output_count)
        abort();
    for (int i = 0; i < config.recipe.output_count; i++)
        if (strcmp(config.recipe.outputs[i].fingerprint, again.recipe.outputs[i].fingerprint) != 0 ||
            strcmp(config.recipe.outputs[i].name, again.recipe.outputs[i].name) != 0)
            abort();
    return 0;
}
