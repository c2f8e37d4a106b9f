/* Any bytes as ~/.aws/config. The first two lines are section and key, the rest the file. A value is one line of the file, without
 * white space around it. */
#include <stdlib.h>
#include <string.h>

/* Private to src/aws, and pure: tested from inside. */
#include "aws/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count);

static char *line_of(const uint8_t **data, size_t *count)
{
    const uint8_t *end = memchr(*data, '\n', *count);
    size_t length = end ? (size_t)(end - *data) : *count;
    char *line = calloc(1, length + 1);
    memcpy(line, *data, length);
    *data += length + (end != NULL);
    *count -= length + (end != NULL);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count)
{
    static px_arena arena;
    if (!arena.start && px_arena_open(64 << 20, &arena, NULL) != PX_OK)
        abort();
    if (!count)
        return 0;
    px_arena_reset(&arena);
    char *section = line_of(&data, &count), *key = line_of(&data, &count);
    uint8_t *copy = malloc(count + !count); /* so that a byte too far is seen */
    memcpy(copy, data, count);
    const char *value = px_ini_find((px_bytes){ copy, count }, section, key, &arena);
    if (value && (strlen(value) > count || strchr(value, '\n') || *value == ' ' || (*value && value[strlen(value) - 1] == ' ')))
        abort();
    if (value && *value && !memmem(copy, count, value, strlen(value)))
        abort();
    free(copy);
    free(section);
    free(key);
    return 0;
}
