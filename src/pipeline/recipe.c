/* Name templates and fingerprints. One table of words serves the check at load and the filling. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "pipeline/inside.h"
#include "pipeline/option.h"

/* What the words of a template stand for. */
struct naming {
    const char *dir, *stem, *ext, *filename, *format, *id;
    char width[16], height[16], hash[17];
};

static const struct {
    const char *word;
    size_t offset;
    bool is_array;
} words[] = {
    { "dir", offsetof(struct naming, dir), false },           { "stem", offsetof(struct naming, stem), false },
    { "ext", offsetof(struct naming, ext), false },           { "filename", offsetof(struct naming, filename), false },
    { "format", offsetof(struct naming, format), false },     { "id", offsetof(struct naming, id), false },
    { "width", offsetof(struct naming, width), true },        { "height", offsetof(struct naming, height), true },
    { "hash", offsetof(struct naming, hash), true },
};
enum { WORD_COUNT = sizeof words / sizeof *words };

static int find_word(const char *text, size_t length)
{
    for (int i = 0; i < WORD_COUNT; i++)
        if (strlen(words[i].word) == length && memcmp(words[i].word, text, length) == 0)
            return i;
    return -1;
}

/* Calls for each run of plain text (word -1) and each word. Returns the place of the first mistake, or NULL. */
static const char *walk(const char *name, void (*each)(void *context, const char *text, size_t length, int word),
                        void *context)
{
    for (const char *at = name; *at;) {
        size_t plain = strcspn(at, "{}");
        if (plain)
            each(context, at, plain, -1);
        at += plain;
        if (!*at)
            break;
        const char *end = strchr(at, '}');
        int word = *at == '{' && end ? find_word(at + 1, (size_t)(end - at - 1)) : -1;
        if (word < 0)
            return at;
        each(context, at + 1, (size_t)(end - at - 1), word);
        at = end + 1;
    }
    return NULL;
}

static void ignore(void *context, const char *text, size_t length, int word)
{
    (void)context, (void)text, (void)length, (void)word;
}

px_status px_template_check(const char *name, const char *where, px_error *err)
{
    if (!*name)
        return px_fail(err, PX_BAD_RECIPE, "%s: a name must not be empty", where);
    const char *mistake = walk(name, ignore, NULL);
    if (mistake)
        return px_fail(err, PX_BAD_RECIPE,
                       "%s: '%.40s' is not a word of a name; there are {dir} {stem} {ext} {filename} {format} {width} {height} "
                       "{id} {hash}", where, mistake);
    return PX_OK;
}

px_status px_template_check_format(const px_output *output, const char *where, px_error *err)
{
    if (output->spec.format != PX_FORMAT_AUTO || strstr(output->name, "{format}") || strstr(output->name, "{ext}"))
        return PX_OK;
    return px_fail(err, PX_BAD_RECIPE, "%s: output %s is of `format: auto`, so its name needs {ext} or {format}, such as "
                   "{dir}processed-{stem}.{ext}, not '%.60s'", where, output->id, output->name);
}

static void push_quoted(px_buffer *json, px_bytes text)
{
    px_buffer_text(json, "\"");
    for (size_t i = 0; i < text.count; i++)
        px_buffer_format(json, text.data[i] == '"' || text.data[i] == '\\' ? "\\%c" : "%c", text.data[i]);
    px_buffer_text(json, "\"");
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const px_config_option *const *)a)->path, (*(const px_config_option *const *)b)->path);
}

/* Canonical JSON: names sorted, no spaces, every value a text. An option at its default is left out, so that a new option makes no
 * old output stale; a default that changes raises the engine number. */
static void push_options(px_buffer *json, const px_output *output)
{
    const px_config_option *rows[PX_OPTION_COUNT_MAX];
    size_t count = 0;
    for (int i = 0; i < px_config_option_count; i++)
        if (px_config_options[i].flags & PX_OPTION_OUTPUT && strcmp(px_config_options[i].path, "id") != 0 && strcmp(px_config_options[i].path, "name") != 0)
            rows[count++] = &px_config_options[i];
    qsort(rows, count, sizeof *rows, by_path);
    px_buffer_format(json, "{\"engine\":\"%d\"", PX_ENGINE_NUMBER);
    for (size_t i = 0; i < count; i++) {
        PX_AUTO(px_buffer_done) px_buffer text = { 0 };
        px_config_option_format(rows[i], output, &text);
        px_bytes value = px_buffer_bytes(&text);
        if (value.count == strlen(rows[i]->fallback) && (value.count == 0 || memcmp(value.data, rows[i]->fallback, value.count) == 0))
            continue;
        PX_AUTO(px_buffer_done) px_buffer spelt = { 0 };
        px_config_option_fingerprint(rows[i], output, &spelt);
        px_buffer_format(json, ",\"%s\":", rows[i]->path);
        push_quoted(json, px_buffer_bytes(&spelt));
    }
    if (output->mark_digest[0])
        px_buffer_format(json, ",\"watermark.content\":\"%s\"", output->mark_digest);
    px_buffer_text(json, "}");
}

void px_output_fingerprint(px_output *output)
{
    PX_AUTO(px_buffer_done) px_buffer json = { 0 };
    uint8_t digest[PX_HASH_MAX];
    push_options(&json, output);
    px_hash_of(PX_HASH_SHA256, px_buffer_bytes(&json), digest);
    px_hex(digest, 8, output->fingerprint);
}

const char *px_key_filename(const char *key)
{
    const char *slash = strrchr(key, '/');
    return slash ? slash + 1 : key;
}

struct filling {
    px_buffer buffer;
    const struct naming *naming;
};

static void fill(void *context, const char *text, size_t length, int word)
{
    struct filling *filling = context;
    if (word < 0) {
        px_buffer_push(&filling->buffer, text, length);
        return;
    }
    const char *place = (const char *)filling->naming + words[word].offset;
    const char *value = place;
    if (!words[word].is_array)
        memcpy(&value, place, sizeof value);
    px_buffer_text(&filling->buffer, value);
}

/* 16 hex of SHA-256(source ETag, the output's recipe). */
static void hash_of(const px_output *output, const char *etag, char hash[17])
{
    px_hash sum;
    uint8_t digest[PX_HASH_MAX];
    px_hash_init(&sum, PX_HASH_SHA256);
    px_hash_push(&sum, etag, strlen(etag) + 1);
    px_hash_push(&sum, output->fingerprint, strlen(output->fingerprint));
    px_hash_finish(&sum, digest);
    px_hex(digest, 8, hash);
}

/* {ext}: the source's, since a recipe with one format says the extension itself. Where the picture decides the format, it is
 * that format's, in the source's spelling if that names it. */
static const char *extension_of(const px_output *output, const char *dot, px_format format)
{
    const char *own = dot ? dot + 1 : "";
    px_format named = px_format_of_extension(own);
    bool is_other = named != PX_FORMAT_COUNT && named != format;
    if (output->spec.format == PX_FORMAT_AUTO ? named != format : output->spec.format == PX_FORMAT_KEEP && is_other)
        return px_format_extension(format);
    return own;
}

px_status px_output_name(const px_output *output, const char *source_key, const char *etag, px_format format, int width,
                         int height, px_arena *arena, const char **ret, px_error *err)
{
    const char *filename = px_key_filename(source_key);
    /* ".jpg" is a name, not an extension; "a." has an empty one. */
    const char *dot = strrchr(filename, '.');
    if (dot == filename)
        dot = NULL;
    struct naming naming = {
        .dir = px_arena_copy(arena, (px_bytes){ (const uint8_t *)source_key, (size_t)(filename - source_key) }),
        .stem = px_arena_copy(arena, (px_bytes){ (const uint8_t *)filename, dot ? (size_t)(dot - filename) : strlen(filename) }),
        .ext = extension_of(output, dot, format), .filename = filename, .format = px_format_name(format), .id = output->id,
    };
    if (!naming.dir || !naming.stem)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for an output's name");
    snprintf(naming.width, sizeof naming.width, "%d", width);
    snprintf(naming.height, sizeof naming.height, "%d", height);
    hash_of(output, etag, naming.hash);

    struct filling filling = { .naming = &naming };
    const char *mistake = walk(output->name, fill, &filling);
    const char *text = NULL;
    px_status status = PX_OK;
    if (mistake || filling.buffer.failed)
        status = px_fail(err, PX_BAD_RECIPE, "the name '%s' of output %s cannot be filled", output->name, output->id);
    else if (filling.buffer.count < 1 || filling.buffer.count > PX_LIMIT_KEY_BYTES)
        status = px_fail(err, PX_BAD_RECIPE, "output %s would be named with %zu bytes; a key has 1 to %d", output->id,
                         filling.buffer.count, PX_LIMIT_KEY_BYTES);
    else if (!(text = px_arena_copy(arena, px_buffer_bytes(&filling.buffer))))
        status = px_fail(err, PX_OUT_OF_MEMORY, "no memory for an output's name");
    px_buffer_done(&filling.buffer);
    PX_TRY(status);
    *ret = text;
    return PX_OK;
}
