/* Values of the table of options (option.h), gathered and read.
 *
 * First every option gets its text and where that came from (defaults < file < environment < flags); then each text is
 * read once, by its type, into px_config or, for the options of an output, into every output that has no text of its own.
 * So an error always knows the file and line, the variable or the flag. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/tree.h"
#include "base/utf8.h"
#include "pipeline/inside.h"
#include "pipeline/option.h"

/* The text of an option and where it came from ("pixmill.yaml:3", "PIXMILL_WIDTH", "--width", "default"). */
typedef struct value {
    const char *text, *origin;
} value;

struct loader {
    px_arena *arena;
    px_error *err;
    const char *file;          /* its name; NULL without one */
    bool hosted;               /* px_config_load_hosted: no source, destination or table unless somebody says one */
    const px_bytes *text;      /* of the file, when it was fetched; NULL: it is read */
    value values[PX_OPTION_COUNT_MAX];
    const px_tree *outputs;    /* recipe.outputs; NULL for the default one */
    const char *outputs_name;  /* file or variable that they stand in */
};

/* ---- reading one text ---- */

static px_status wrong(const struct loader *loader, const px_config_option *row, const value *from, const char *wanted)
{
    return px_fail(loader->err, row->flags & PX_OPTION_OUTPUT ? PX_BAD_RECIPE : PX_BAD_CONFIG, "%s: %s cannot be '%.60s': it wants %s",
                   from->origin, row->path, from->text, wanted);
}

static px_status store(const struct loader *loader, const px_config_option *row, const value *from, void *target)
{
    char wanted[PX_OPTION_WANTED];
    bool may_lack = loader->hosted && row->type == PX_TYPE_TEXT && !*from->text;
    if (may_lack) {
        memcpy((char *)target + row->offset, &from->text, sizeof from->text);
        return PX_OK;
    }
    return px_config_option_store(row, from->text, target, wanted) ? PX_OK : wrong(loader, row, from, wanted);
}

/* ---- gathering the texts ---- */

/* Its place in the table; -1 if there is none. */
static int find_option(const char *path)
{
    const px_config_option *row = px_config_option_find(path);
    return row ? (int)(row - px_config_options) : -1;
}

/* Edit distance, capped: for "did you mean". */
static int distance(const char *a, const char *b)
{
    enum { MAX = 40 };
    int row[MAX + 1];
    size_t na = strlen(a), nb = strlen(b);
    if (na > MAX || nb > MAX)
        return MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int corner = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int best = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb];
}

static px_status unknown(const struct loader *loader, const char *origin, const char *path, bool in_output)
{
    px_status status = in_output ? PX_BAD_RECIPE : PX_BAD_CONFIG;
    const char *nearest = NULL;
    int nearest_distance = 4;
    for (int i = 0; i < px_config_option_count; i++) {
        int far = distance(path, px_config_options[i].path);
        if ((px_config_options[i].flags & PX_OPTION_OUTPUT) == (in_output ? PX_OPTION_OUTPUT : 0) && far < nearest_distance) {
            nearest = px_config_options[i].path;
            nearest_distance = far;
        }
    }
    return px_fail(loader->err, status, "%s: there is no option '%s'%s%s%s; docs/configure.md lists them", origin, path,
                   nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static const char *origin_of(struct loader *loader, const char *name, int line)
{
    const char *text = px_arena_format(loader->arena, "%s:%d", name, line);
    return text ? text : name;
}

static px_status read_recipe(struct loader *loader, const px_tree *recipe, const char *name)
{
    if (recipe->kind != PX_TREE_MAP)
        return px_fail(loader->err, PX_BAD_RECIPE, "%s:%d: recipe wants 'outputs: [...]'", name, recipe->line);
    for (const px_tree *each = recipe->first; each; each = each->next) {
        if (strcmp(each->name, "outputs") != 0)
            return px_fail(loader->err, PX_BAD_RECIPE, "%s:%d: a recipe has 'outputs', not '%s'", name, each->line, each->name);
        if (each->kind != PX_TREE_LIST || !each->first)
            return px_fail(loader->err, PX_BAD_RECIPE, "%s:%d: outputs wants a list with at least one output", name, each->line);
        loader->outputs = each;
        loader->outputs_name = name;
    }
    return PX_OK;
}

/* Do options begin with "limits."? */
static bool is_section(const char *path)
{
    size_t count = strlen(path);
    for (int i = 0; i < px_config_option_count; i++)
        if (strncmp(px_config_options[i].path, path, count) == 0 && px_config_options[i].path[count] == '.')
            return true;
    return false;
}

static px_status read_map(struct loader *loader, const px_tree *map, const char *prefix)
{
    for (const px_tree *each = map->first; each; each = each->next) {
        const char *path = px_arena_format(loader->arena, "%s%s", prefix, each->name);
        const char *origin = origin_of(loader, loader->file, each->line);
        if (!path)
            return px_fail(loader->err, PX_OUT_OF_MEMORY, "no memory for the configuration");
        if (strcmp(path, "recipe") == 0) {
            PX_TRY(read_recipe(loader, each, loader->file));
            continue;
        }
        if (each->kind == PX_TREE_MAP && is_section(path)) {
            PX_TRY(read_map(loader, each, px_arena_format(loader->arena, "%s.", path)));
            continue;
        }
        int index = find_option(path);
        if (index < 0)
            return unknown(loader, origin, path, false);
        if (px_config_options[index].flags & PX_OPTION_OUTPUT)
            return px_fail(loader->err, PX_BAD_CONFIG, "%s: '%s' belongs to an output: write it under recipe: outputs:", origin, path);
        if (each->kind != PX_TREE_SCALAR)
            return px_fail(loader->err, PX_BAD_CONFIG, "%s: %s wants one value", origin, path);
        loader->values[index] = (value){ each->text, origin };
    }
    return PX_OK;
}

/* PIXMILL_LIMITS_PIXELS of limits.pixels. */
static void variable_of(const char *path, char *variable, size_t capacity)
{
    int length = snprintf(variable, capacity, "PIXMILL_%s", path);
    for (int i = 8; i < length && (size_t)i < capacity; i++)
        variable[i] = path[i - 8] == '.' ? '_' : (char)toupper((unsigned char)path[i - 8]);
}

static px_status read_environment(struct loader *loader)
{
    for (int i = 0; i < px_config_option_count; i++) {
        char variable[64];
        variable_of(px_config_options[i].path, variable, sizeof variable);
        const char *text = getenv(variable);
        if (text)
            loader->values[i] = (value){ text, px_arena_copy_text(loader->arena, variable) };
    }
    const char *recipe = getenv("PIXMILL_RECIPE");
    if (recipe && *recipe) {
        px_tree *tree;
        PX_TRY(px_tree_parse(px_bytes_of(recipe), "PIXMILL_RECIPE", loader->arena, &tree, loader->err));
        PX_TRY(read_recipe(loader, tree, "PIXMILL_RECIPE"));
    }
    return PX_OK;
}

static px_status read_text(struct loader *loader, px_bytes text, const char *name)
{
    px_tree *tree;
    loader->file = name;
    PX_TRY(px_tree_parse(text, name, loader->arena, &tree, loader->err));
    if (tree->kind != PX_TREE_MAP)
        return px_fail(loader->err, PX_BAD_CONFIG, "%s:%d: a configuration is made of 'name: value' lines", name, tree->line);
    return read_map(loader, tree, "");
}

static px_status read_file(struct loader *loader, const char *path)
{
    if (loader->text)
        return read_text(loader, *loader->text, path);
    const char *named = path ? path : getenv("PIXMILL_CONFIG");
    if (!named || !*named) {
        if (access("pixmill.yaml", F_OK) != 0)
            return PX_OK;
        named = "pixmill.yaml";
    }
    px_bytes text;
    px_status status = px_file_read(named, PX_LIMIT_CONFIG_BYTES, loader->arena, &text, loader->err);
    if (status == PX_NO_SUCH_KEY)
        return px_fail(loader->err, PX_BAD_CONFIG, "there is no configuration %s", named);
    PX_TRY(status);
    return read_text(loader, text, named);
}

/* ---- outputs ---- */

/* What an output says for itself, into `own`; "watermark:" has entries below it. */
static px_status read_entries(struct loader *loader, const px_tree *map, const char *prefix, const char *source_name, value *own)
{
    for (const px_tree *each = map->first; each; each = each->next) {
        const char *origin = origin_of(loader, source_name, each->line), *path = px_arena_format(loader->arena, "%s%s", prefix, each->name);
        if (!path)
            return px_fail(loader->err, PX_OUT_OF_MEMORY, "no memory for the configuration");
        if (each->kind == PX_TREE_MAP && is_section(path)) {
            PX_TRY(read_entries(loader, each, px_arena_format(loader->arena, "%s.", path), source_name, own));
            continue;
        }
        int index = find_option(path);
        if (index < 0 && is_section(path))
            return px_fail(loader->err, PX_BAD_RECIPE, "%s: %s has entries of its own, such as '%s: { text: \"© us\" }'", origin, path, path);
        if (index < 0 || !(px_config_options[index].flags & PX_OPTION_OUTPUT))
            return unknown(loader, origin, path, true);
        if (each->kind != PX_TREE_SCALAR)
            return px_fail(loader->err, PX_BAD_RECIPE, "%s: %s wants one value", origin, path);
        own[index] = (value){ each->text, origin };
    }
    return PX_OK;
}

/* Where something that is not the default is said of a watermark by the output itself; NULL: nowhere. */
static const char *find_mark_word(const struct loader *loader, const value *own, bool is_inherited)
{
    for (int i = 0; i < px_config_option_count; i++)
        if (strncmp(px_config_options[i].path, "watermark.", 10) == 0 && strcmp(own[i].text, px_config_options[i].fallback) != 0 &&
            (is_inherited || own[i].origin != loader->values[i].origin))
            return own[i].origin;
    return NULL;
}

/* The watermark's texts, and files that are named: what can be known of them now. */
static px_status check_mark(const struct loader *loader, const value *own, bool is_inherited, px_output *output)
{
    const value *text = &own[find_option("watermark.text")], *image = &own[find_option("watermark.image")], *font = &own[find_option("watermark.font")];
    if (strlen(output->mark_text) > PX_MARK_TEXT_MAX)
        return px_fail(loader->err, PX_BAD_RECIPE, "%s: watermark.text has %zu bytes; at most %d", text->origin, strlen(output->mark_text), PX_MARK_TEXT_MAX);
    strcpy(output->spec.mark.text, output->mark_text);
    if (!*output->mark_image && !*output->mark_text) {
        const char *origin = find_mark_word(loader, own, is_inherited);
        return origin ? px_fail(loader->err, PX_BAD_RECIPE, "%s: a watermark needs an image or a text", origin) : PX_OK;
    }
    PX_TRY(px_mark_check(output->mark_image, false, image->origin, loader->err));
    return *output->mark_text ? px_mark_check(output->mark_font, true, font->origin, loader->err) : PX_OK;
}

static px_status read_output(struct loader *loader, const px_tree *node, const char *source_name, px_output *output)
{
    value own[PX_OPTION_COUNT_MAX];
    memcpy(own, loader->values, sizeof own);
    if (node && node->kind != PX_TREE_MAP)
        return px_fail(loader->err, PX_BAD_RECIPE, "%s:%d: an output is made of 'name: value' entries", source_name, node->line);
    if (node)
        PX_TRY(read_entries(loader, node, "", source_name, own));
    for (int i = 0; i < px_config_option_count; i++)
        if (px_config_options[i].flags & PX_OPTION_OUTPUT)
            PX_TRY(store(loader, &px_config_options[i], &own[i], output));
    const value *id = &own[find_option("id")], *name = &own[find_option("name")];
    if (!*output->id || strlen(output->id) > 64 || strspn(output->id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != strlen(output->id))
        return px_fail(loader->err, PX_BAD_RECIPE, "%s: an id is 1 to 64 letters, digits, '-' and '_', not '%.60s'", id->origin, output->id);
    PX_TRY(px_template_check(output->name, name->origin, loader->err));
    PX_TRY(check_mark(loader, own, node == NULL, output));
    return px_template_check_format(output, name->origin, loader->err);
}

/* Two outputs with one template: does one of its words keep the names apart, as far as the recipe can tell? A picture may
 * still bring them together (neither is enlarged); the job tells then. */
static bool names_may_differ(const px_output *a, const px_output *b)
{
    const px_output_spec *one = &a->spec, *two = &b->spec;
    bool sizes = one->width != two->width || one->height != two->height || one->fit != two->fit || one->enlarge != two->enlarge ||
                 one->rotate != two->rotate || one->crop.width != two->crop.width || one->crop.height != two->crop.height;
    return strcmp(a->name, b->name) != 0 || strstr(a->name, "{id}") ||
           (strstr(a->name, "{hash}") && strcmp(a->fingerprint, b->fingerprint) != 0) ||
           (sizes && (strstr(a->name, "{width}") || strstr(a->name, "{height}"))) ||
           (one->format != two->format && strstr(a->name, "{format}"));
}

static px_status read_outputs(struct loader *loader, px_recipe *recipe)
{
    if (!loader->outputs) {
        recipe->output_count = 1;
        PX_TRY(read_output(loader, NULL, "default", &recipe->outputs[0]));
        px_output_fingerprint(&recipe->outputs[0]);
        return PX_OK;
    }
    for (const px_tree *each = loader->outputs->first; each; each = each->next) {
        if (recipe->output_count == PX_LIMIT_OUTPUTS)
            return px_fail(loader->err, PX_BAD_RECIPE, "%s:%d: more than %d outputs", loader->outputs_name, each->line, PX_LIMIT_OUTPUTS);
        px_output *output = &recipe->outputs[recipe->output_count];
        PX_TRY(read_output(loader, each, loader->outputs_name, output));
        px_output_fingerprint(output);
        for (int i = 0; i < recipe->output_count; i++) {
            const px_output *other = &recipe->outputs[i];
            if (strcmp(other->id, output->id) == 0)
                return px_fail(loader->err, PX_BAD_RECIPE, "%s:%d: there are two outputs with the id '%s'", loader->outputs_name, each->line, output->id);
            if (!names_may_differ(other, output))
                return px_fail(loader->err, PX_BAD_RECIPE, "%s:%d: outputs '%s' and '%s' have one name, %s: put {id} into it",
                               loader->outputs_name, each->line, other->id, output->id, output->name);
        }
        recipe->output_count++;
    }
    return PX_OK;
}

/* ---- all of it ---- */

static bool starts_with(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

bool px_is_loop(const px_config *config, const char *bucket)
{
    const char *from = config->source_prefix, *to = config->destination_prefix;
    return strcmp(bucket, config->destination) == 0 && (!*from || !*to || starts_with(from, to) || starts_with(to, from));
}

static px_status check_places(const px_config *config, px_error *err)
{
    if (!*config->destination) /* only a function's may be empty by default */
        return px_fail(err, PX_BAD_CONFIG, "PIXMILL_DESTINATION is not set: it names the bucket that gets the outputs");
    if (!px_is_loop(config, config->source))
        return PX_OK;
    return px_fail(err, PX_RECURSIVE,
                   "source and destination are both the bucket %s: outputs would be processed again; name another destination, or give "
                   "source_prefix and destination_prefix that do not begin with each other", config->source);
}

static px_status gather(struct loader *loader, const char *path, const px_setting *flags, int flag_count)
{
    for (int i = 0; i < px_config_option_count; i++)
        loader->values[i] = (value){ px_config_options[i].fallback, "default" };
    static const char *const places[] = { "source", "destination", "table" };
    for (size_t i = 0; loader->hosted && i < sizeof places / sizeof *places; i++)
        loader->values[find_option(places[i])] = (value){ "", "default" };
    PX_TRY(read_file(loader, path));
    PX_TRY(read_environment(loader));
    for (int i = 0; i < flag_count; i++) {
        int index = find_option(flags[i].path);
        if (index < 0)
            return unknown(loader, "a flag", flags[i].path, false);
        loader->values[index] = (value){ flags[i].value, px_arena_format(loader->arena, "--%s", flags[i].path) };
    }
    return PX_OK;
}

static px_status load(struct loader *loader, const char *path, const px_setting *flags, int flag_count, px_config *config)
{
    PX_TRY(gather(loader, path, flags, flag_count));
    for (int i = 0; i < px_config_option_count; i++)
        if (!(px_config_options[i].flags & PX_OPTION_OUTPUT))
            PX_TRY(store(loader, &px_config_options[i], &loader->values[i], config));
    PX_TRY(read_outputs(loader, &config->recipe));
    PX_TRY(px_manifest_init(&config->recipe, config->manifest, loader->values[find_option("manifest")].origin, loader->err));
    return check_places(config, loader->err);
}

px_status px_config_load(const char *path, const px_setting *flags, int flag_count, px_arena *arena, px_config *ret,
                         px_error *err)
{
    struct loader loader = { .arena = arena, .err = err };
    px_config config = { 0 };
    PX_TRY(load(&loader, path, flags, flag_count, &config));
    *ret = config;
    return PX_OK;
}

px_status px_config_load_hosted(const char *path, const px_bytes *text, const px_setting *flags, int flag_count, px_arena *arena,
                                px_config *ret, px_error *err)
{
    struct loader loader = { .arena = arena, .err = err, .hosted = true, .text = text };
    px_config config = { 0 };
    PX_TRY(load(&loader, path, flags, flag_count, &config));
    *ret = config;
    return PX_OK;
}

static void show_line(px_buffer *text, const char *indent, const char *name, const value *from)
{
    px_buffer_format(text, "%s%s: ", indent, name);
    bool plain = *from->text && *from->text != '-' /* which begins a list */ && strspn(from->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") == strlen(from->text);
    if (plain)
        px_buffer_text(text, from->text);
    else {
        px_buffer_text(text, "\"");
        for (const char *at = from->text; *at; at++)
            px_buffer_format(text, *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
        px_buffer_text(text, "\"");
    }
    px_buffer_format(text, "  # %s\n", from->origin);
}

/* An output's own entry: "watermark.text" may stand as that, or below "watermark". */
static const px_tree *find_own(const px_tree *node, const char *path)
{
    const px_tree *found = px_tree_find(node, path), *section;
    const char *dot = strchr(path, '.');
    char name[32];
    if (found || !dot || (size_t)(dot - path) >= sizeof name)
        return found;
    snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
    section = px_tree_find(node, name);
    return section && section->kind == PX_TREE_MAP ? px_tree_find(section, dot + 1) : NULL;
}

static void show_outputs(struct loader *loader, px_buffer *text)
{
    px_buffer_text(text, "recipe:\n  outputs:\n");
    const px_tree *node = loader->outputs ? loader->outputs->first : NULL;
    do {
        const char *indent = "    - ";
        for (int i = 0; i < px_config_option_count; i++) {
            if (!(px_config_options[i].flags & PX_OPTION_OUTPUT))
                continue;
            const px_tree *own = node ? find_own(node, px_config_options[i].path) : NULL;
            value from = own ? (value){ own->text, origin_of(loader, loader->outputs_name, own->line) } : loader->values[i];
            show_line(text, indent, px_config_options[i].path, &from);
            indent = "      ";
        }
        node = node ? node->next : NULL;
    } while (node);
}

px_status px_config_show(const char *path, const px_setting *flags, int flag_count, px_arena *arena, const char **ret_text,
                         px_error *err)
{
    struct loader loader = { .arena = arena, .err = err };
    px_config config = { 0 };
    PX_TRY(load(&loader, path, flags, flag_count, &config));
    PX_AUTO(px_buffer_done) px_buffer text = { 0 };
    const char *group = ""; /* "limits." while its lines are written */
    for (int i = 0; i < px_config_option_count; i++) {
        if (px_config_options[i].flags & PX_OPTION_OUTPUT)
            continue;
        const char *dot = strchr(px_config_options[i].path, '.');
        size_t count = dot ? (size_t)(dot - px_config_options[i].path) + 1 : 0;
        if (count && (strlen(group) < count || strncmp(group, px_config_options[i].path, count) != 0))
            px_buffer_format(&text, "%.*s:\n", (int)count - 1, px_config_options[i].path);
        group = count ? px_config_options[i].path : "";
        show_line(&text, count ? "  " : "", px_config_options[i].path + count, &loader.values[i]);
    }
    show_outputs(&loader, &text);
    const char *copy = px_buffer_failed(&text) ? NULL : px_arena_copy(arena, px_buffer_bytes(&text));
    if (!copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to show the configuration");
    *ret_text = copy;
    return PX_OK;
}

px_status px_output_parse(const px_setting *settings, int count, px_arena *arena, px_output *ret, px_error *err)
{
    struct loader loader = { .arena = arena, .err = err };
    px_output output = { 0 };
    for (int i = 0; i < px_config_option_count; i++)
        loader.values[i] = (value){ px_config_options[i].fallback, "default" };
    for (int i = 0; i < count; i++) {
        int index = find_option(settings[i].path);
        if (index < 0 || !(px_config_options[index].flags & PX_OPTION_OUTPUT))
            return unknown(&loader, "a flag", settings[i].path, true);
        loader.values[index] = (value){ settings[i].value, px_arena_format(arena, "--%s", settings[i].path) };
    }
    PX_TRY(read_output(&loader, NULL, "a flag", &output));
    *ret = output;
    return PX_OK;
}

void px_options_each(void (*each)(void *context, const char *path, const char *type, const char *fallback, const char *meaning),
                     void *context)
{
    for (int i = 0; i < px_config_option_count; i++) {
        const px_config_option *row = &px_config_options[i];
        char type[PX_OPTION_WANTED], path[64];
        px_config_option_values(row, type);
        snprintf(path, sizeof path, "%s%s", row->flags & PX_OPTION_OUTPUT ? "recipe.outputs[]." : "", row->path);
        each(context, path, type, row->fallback, row->meaning);
    }
}
