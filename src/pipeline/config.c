/* One table of options stands behind file, environment, flags, `check --show` and docs/configure.md.
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

typedef enum option_type { TEXT, COUNT, SIZE, CHOICE, FLAG, COLOUR } option_type;

enum { OUTPUT = 1, REQUIRED = 2 }; /* flags of a row */

typedef struct option {
    const char *path;
    option_type type;
    const char *fallback;
    double min, max;        /* COUNT, SIZE */
    const char *choices;    /* CHOICE: "a|b"; FLAG: "no-value|yes-value", the second meaning true */
    int flags;
    size_t offset;          /* in px_config, or px_output for OUTPUT */
    int width;              /* bytes of the field */
    const char *meaning;
} option;

#define AT(field) .offset = offsetof(px_config, field), .width = sizeof(((px_config *)0)->field)
#define OUT(field) .flags = OUTPUT, .offset = offsetof(px_output, field), .width = sizeof(((px_output *)0)->field)

static const option options[] = {
    { "source", TEXT, "source-bucket", .flags = REQUIRED, AT(source), .meaning = "the bucket whose pictures are processed" },
    { "source_prefix", TEXT, "", AT(source_prefix), .meaning = "only keys that begin so" },
    { "destination", TEXT, "processed-bucket", .flags = REQUIRED, AT(destination), .meaning = "the bucket that gets the outputs" },
    { "destination_prefix", TEXT, "", AT(destination_prefix), .meaning = "put before every output's name" },
    { "table", TEXT, "images", .flags = REQUIRED, AT(table), .meaning = "the name of the table of records" },
    { "on_delete", FLAG, "follow", .choices = "keep|follow", AT(delete_follows),
      .meaning = "whether the outputs of a deleted original go too (`follow`) or stay (`keep`)" },
    { "overwrite", FLAG, "own", .choices = "own|any", AT(overwrite_any),
      .meaning = "what an output may replace: only outputs of the same source (`own`), or anything" },
    { "cache_control", TEXT, "public, max-age=31536000", AT(cache_control), .meaning = "the outputs' Cache-Control; empty for none" },
    { "keep_metadata", FLAG, "false", .choices = "false|true", AT(keep_metadata),
      .meaning = "carry the original's user metadata (x-amz-meta-…) over to the outputs" },
    { "max_attempts", COUNT, "5", 1, 100, AT(max_attempts), .meaning = "tries of a job that fails for a passing reason, before it is a dead letter" },
    { "workers", COUNT, "0", 0, 256, AT(workers), .meaning = "pictures at the same time; 0: as many as cores" },
    { "listen", TEXT, "127.0.0.1:9000", .flags = REQUIRED, AT(listen), .meaning = "address and port of the endpoint; port 0: a free one" },
    { "data", TEXT, "./pixmill-data", .flags = REQUIRED, AT(data), .meaning = "the folder that holds objects, records and logs" },
    { "region", TEXT, "us-east-1", .flags = REQUIRED, AT(region), .meaning = "the region that clients sign for" },
    { "log_format", FLAG, "json", .choices = "json|text", AT(log_text), .meaning = "how log lines look on the standard output" },
    { "log_level", CHOICE, "info", .choices = "trace|debug|info|warn|error|fatal", AT(log_level), .meaning = "the least level that is logged" },
    { "limits.input_bytes", SIZE, "200MiB", 1, 5e12, AT(limits.input_bytes), .meaning = "of a source object" },
    { "limits.pixels", COUNT, "268435456", 1, 4294836225.0, AT(limits.pixels), .meaning = "width times height of a source" },
    { "limits.side", COUNT, "65535", 1, 65535, AT(limits.side), .meaning = "width or height of a source" },
    { "limits.frames", COUNT, "1000", 1, 1e6, AT(limits.frames), .meaning = "of an animation" },
    { "limits.scans", COUNT, "200", 1, 1e5, AT(limits.scans), .meaning = "of a progressive JPEG" },
    { "limits.metadata_bytes", SIZE, "16MiB", 1, 1e9, AT(limits.metadata_bytes), .meaning = "EXIF, profile and text chunks together" },
    { "limits.memory", SIZE, "auto", 64 << 20, 1e12, AT(limits.memory_bytes), .meaning = "of the process that transforms a picture; auto: judged from the machine" },
    { "limits.seconds", COUNT, "60", 1, 3600, AT(limits.seconds), .meaning = "wall time, and CPU time, of one picture" },
    { "heavy.queue", TEXT, "", AT(heavy.queue), .meaning = "the SQS queue (URL) that gets what is too heavy for the Lambda; empty: nothing is" },
    { "heavy.bytes", SIZE, "50MiB", 1, 5e12, AT(heavy.bytes), .meaning = "of a source from which on it is" },
    { "heavy.pixels", COUNT, "100000000", 1, 4294836225.0, AT(heavy.pixels), .meaning = "likewise" },
    { "heavy.formats", TEXT, "", AT(heavy.formats), .meaning = "formats that always are, such as png,tiff" },
    { "heavy.seconds", COUNT, "20", 0, 900, AT(heavy.seconds), .meaning = "with less time left than this, a picture is handed over rather than begun" },
    { "queue", TEXT, "", AT(queue), .meaning = "the SQS queue (URL) that `worker` takes from" },
    { "dead_letters", TEXT, "", AT(dead_letters), .meaning = "the SQS queue (URL) for events that failed for good" },
    { "visibility", COUNT, "120", 1, 43200, AT(visibility), .meaning = "seconds that a taken message stays out of sight; `worker` renews it while it works" },
    { "record_days", COUNT, "0", 0, 36500, AT(record_days), .meaning = "days after which a record in DynamoDB expires (its attribute `ExpiresAt`); 0: never" },
    { "s3.style", CHOICE, "auto", .choices = "auto|path|virtual", AT(s3.style), .meaning = "where the bucket stands in S3's addresses; auto: in the host on AWS, in the path elsewhere" },
    { "s3.multipart", SIZE, "64MiB", 1, 5e9, AT(s3.multipart_bytes), .meaning = "of an output from which on it is uploaded to S3 in parts" },
    { "s3.payer", FLAG, "owner", .choices = "owner|requester", AT(s3.requester_pays), .meaning = "who pays for requests to S3" },
    { "notify", TEXT, "", AT(notify), .meaning = "who is told of every record that has ended: an SNS topic (ARN) or an EventBridge bus" },
    { "id", TEXT, "web", OUT(id), .meaning = "the output's name in records and addresses" },
    { "name", TEXT, "{dir}processed-{stem}.jpg", OUT(name), .meaning = "the output's key: {dir} {stem} {ext} {filename} {format} {width} {height} {id} {hash}" },
    { "width", COUNT, "800", 0, PX_LIMIT_OUTPUT_SIDE, OUT(spec.width), .meaning = "pixels at most; 0: follows from the height" },
    { "height", COUNT, "0", 0, PX_LIMIT_OUTPUT_SIDE, OUT(spec.height), .meaning = "pixels at most; 0: follows from the width" },
    { "fit", CHOICE, "inside", .choices = "inside|cover|contain|fill|outside", OUT(spec.fit), .meaning = "what to do when width and height are both given" },
    { "enlarge", FLAG, "false", .choices = "false|true", OUT(spec.enlarge), .meaning = "also make small pictures larger" },
    { "format", CHOICE, "jpeg", .choices = "keep|jpeg|png", OUT(spec.format), .meaning = "of the output; keep: the source's" },
    { "quality", COUNT, "80", 1, 100, OUT(spec.quality), .meaning = "of JPEG" },
    { "background", COLOUR, "#ffffff", OUT(spec.background), .meaning = "where transparency is lost" },
    { "colour", CHOICE, "srgb", .choices = "srgb|keep", OUT(spec.colour), .meaning = "convert to sRGB as the source's ICC profile says, or keep its colours and embed the profile" },
    { "rotate", FLAG, "true", .choices = "false|true", OUT(spec.rotate), .meaning = "turn the picture upright as its EXIF orientation says" },
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

/* Keys that DESIGN.md names and this version does not know yet: to say so is kinder than "unknown". */
static const char *const later[] = { "watermark", "position", "effort", "lossless", "max_bytes", "sharpen",
                                     "strip", "animated", "crop" };

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
    value values[OPTION_COUNT];
    const px_tree *outputs;    /* recipe.outputs; NULL for the default one */
    const char *outputs_name;  /* file or variable that they stand in */
};

/* ---- reading one text ---- */

static px_status wrong(const struct loader *loader, const option *row, const value *from, const char *wanted)
{
    return px_fail(loader->err, row->flags & OUTPUT ? PX_BAD_RECIPE : PX_BAD_CONFIG, "%s: %s cannot be '%.60s': it wants %s",
                   from->origin, row->path, from->text, wanted);
}

static bool parse_number(const char *text, bool is_size, double *ret)
{
    /* strtod alone would also take 0x10, 1e3 and what the locale says. */
    size_t whole = strspn(text, "0123456789"), fraction = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    const char *end = text + whole + (fraction ? fraction + 1 : 0);
    static const struct {
        const char *name;
        double factor;
    } units[] = { { "", 1 }, { "B", 1 }, { "KiB", 1024 }, { "MiB", 1048576 }, { "GiB", 1073741824 },
                  { "kB", 1e3 }, { "MB", 1e6 }, { "GB", 1e9 } };
    if (whole == 0 || whole > 18 || fraction > 9)
        return false;
    char digits[32];
    snprintf(digits, sizeof digits, "%.*s", (int)(end - text), text);
    double number = strtod(digits, NULL);
    for (size_t i = 0; i < (is_size ? sizeof units / sizeof *units : 1); i++)
        if (strcmp(end, units[i].name) == 0) {
            *ret = number * units[i].factor;
            return true;
        }
    return false;
}

/* The place of `text` among "a|b|c"; -1 if it is not there. */
static int choice_of(const char *choices, const char *text)
{
    int index = 0;
    if (strcmp(text, "jpg") == 0)
        text = "jpeg"; /* the one choice that people know by two names */
    size_t length = strlen(text);
    for (const char *at = choices;; at++, index++) {
        size_t count = strcspn(at, "|");
        if (count == length && memcmp(at, text, count) == 0)
            return index;
        at += count;
        if (!*at)
            return -1;
    }
}

static px_status store_number(const struct loader *loader, const option *row, const value *from, void *field)
{
    char wanted[96];
    double number = 0;
    bool is_auto = row->type == SIZE && strcmp(row->fallback, "auto") == 0 && strcmp(from->text, "auto") == 0;
    bool readable = is_auto || parse_number(from->text, row->type == SIZE, &number);
    if (!is_auto && (!readable || number < row->min || number > row->max || number != (double)(uint64_t)number)) {
        snprintf(wanted, sizeof wanted, row->type == SIZE ? "bytes such as 200MiB, %.0f to %.0f" : "a whole number from %.0f to %.0f",
                 row->min, row->max);
        return wrong(loader, row, from, wanted);
    }
    uint64_t whole = (uint64_t)number;
    uint32_t narrow = (uint32_t)whole;
    if (row->width == sizeof whole)
        memcpy(field, &whole, sizeof whole);
    else
        memcpy(field, &narrow, sizeof narrow);
    return PX_OK;
}

static bool parse_colour(const char *text, uint8_t colour[3])
{
    if (text[0] != '#' || strlen(text) != 7 || strspn(text + 1, "0123456789abcdefABCDEF") != 6)
        return false;
    unsigned long bits = strtoul(text + 1, NULL, 16);
    for (int i = 0; i < 3; i++)
        colour[i] = (uint8_t)(bits >> (16 - 8 * i));
    return true;
}

/* One line that a header, a key and YAML can carry: UTF-8 without control characters, line breaks of any kind, and marks that
 * are no characters. */
static bool is_plain(const char *text)
{
    static const char *const odd[] = { "\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf" };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (strstr(text, odd[i]))
            return false;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
            return false;
    return px_is_utf8(text);
}

static px_status store(const struct loader *loader, const option *row, const value *from, void *target)
{
    char *field = (char *)target + row->offset;
    switch (row->type) {
    case TEXT:
        if (row->flags & REQUIRED && !*from->text && !loader->hosted)
            return wrong(loader, row, from, "some text");
        if (!is_plain(from->text))
            return wrong(loader, row, from, "one line of UTF-8 without control characters");
        memcpy(field, &from->text, sizeof from->text);
        return PX_OK;
    case COUNT:
    case SIZE:
        return store_number(loader, row, from, field);
    case COLOUR:
        return parse_colour(from->text, (uint8_t *)field) ? PX_OK : wrong(loader, row, from, "a colour such as #ffffff");
    case CHOICE:
    case FLAG: {
        int index = choice_of(row->choices, from->text);
        if (index < 0)
            return wrong(loader, row, from, row->choices);
        if (row->type == FLAG)
            *(bool *)field = index == 1;
        else
            memcpy(field, &index, sizeof index);
        return PX_OK;
    }
    }
    return PX_OK;
}

/* ---- gathering the texts ---- */

static int find_option(const char *path)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strcmp(options[i].path, path) == 0)
            return i;
    return -1;
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
    const char *last = strrchr(path, '.');
    last = last ? last + 1 : path;
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (strcmp(later[i], last) == 0 || strcmp(later[i], path) == 0)
            return px_fail(loader->err, status, "%s: '%s' is not supported by this version of pixmill", origin, path);
    const char *nearest = NULL;
    int nearest_distance = 4;
    for (int i = 0; i < OPTION_COUNT; i++) {
        int far = distance(path, options[i].path);
        if ((options[i].flags & OUTPUT) == (in_output ? OUTPUT : 0) && far < nearest_distance) {
            nearest = options[i].path;
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
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strncmp(options[i].path, path, count) == 0 && options[i].path[count] == '.')
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
        if (options[index].flags & OUTPUT)
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
    for (int i = 0; i < OPTION_COUNT; i++) {
        char variable[64];
        variable_of(options[i].path, variable, sizeof variable);
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

static px_status read_output(struct loader *loader, const px_tree *node, const char *source_name, px_output *output)
{
    value own[OPTION_COUNT];
    memcpy(own, loader->values, sizeof own);
    if (node && node->kind != PX_TREE_MAP)
        return px_fail(loader->err, PX_BAD_RECIPE, "%s:%d: an output is made of 'name: value' entries", source_name, node->line);
    for (const px_tree *each = node ? node->first : NULL; each; each = each->next) {
        const char *origin = origin_of(loader, source_name, each->line);
        int index = find_option(each->name);
        if (index < 0 || !(options[index].flags & OUTPUT))
            return unknown(loader, origin, each->name, true);
        if (each->kind != PX_TREE_SCALAR)
            return px_fail(loader->err, PX_BAD_RECIPE, "%s: %s wants one value", origin, each->name);
        own[index] = (value){ each->text, origin };
    }
    for (int i = 0; i < OPTION_COUNT; i++)
        if (options[i].flags & OUTPUT)
            PX_TRY(store(loader, &options[i], &own[i], output));
    const value *id = &own[find_option("id")], *name = &own[find_option("name")];
    if (!*output->id || strlen(output->id) > 64 || strspn(output->id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != strlen(output->id))
        return px_fail(loader->err, PX_BAD_RECIPE, "%s: an id is 1 to 64 letters, digits, '-' and '_', not '%.60s'", id->origin, output->id);
    PX_TRY(px_template_check(output->name, name->origin, loader->err));
    px_output_fingerprint(output);
    return PX_OK;
}

/* Two outputs with one template: does one of its words keep the names apart, as far as the recipe can tell? A picture may
 * still bring them together (neither is enlarged); the job tells then. */
static bool names_may_differ(const px_output *a, const px_output *b)
{
    const px_output_spec *one = &a->spec, *two = &b->spec;
    bool sizes = one->width != two->width || one->height != two->height || one->fit != two->fit || one->enlarge != two->enlarge ||
                 one->rotate != two->rotate;
    return strcmp(a->name, b->name) != 0 || strstr(a->name, "{id}") ||
           (strstr(a->name, "{hash}") && strcmp(a->fingerprint, b->fingerprint) != 0) ||
           (sizes && (strstr(a->name, "{width}") || strstr(a->name, "{height}"))) ||
           (one->format != two->format && strstr(a->name, "{format}"));
}

static px_status read_outputs(struct loader *loader, px_recipe *recipe)
{
    if (!loader->outputs) {
        recipe->output_count = 1;
        return read_output(loader, NULL, "default", &recipe->outputs[0]);
    }
    for (const px_tree *each = loader->outputs->first; each; each = each->next) {
        if (recipe->output_count == PX_LIMIT_OUTPUTS)
            return px_fail(loader->err, PX_BAD_RECIPE, "%s:%d: more than %d outputs", loader->outputs_name, each->line, PX_LIMIT_OUTPUTS);
        px_output *output = &recipe->outputs[recipe->output_count];
        PX_TRY(read_output(loader, each, loader->outputs_name, output));
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
    for (int i = 0; i < OPTION_COUNT; i++)
        loader->values[i] = (value){ options[i].fallback, "default" };
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
    for (int i = 0; i < OPTION_COUNT; i++)
        if (!(options[i].flags & OUTPUT))
            PX_TRY(store(loader, &options[i], &loader->values[i], config));
    PX_TRY(read_outputs(loader, &config->recipe));
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

static void show_outputs(struct loader *loader, px_buffer *text)
{
    px_buffer_text(text, "recipe:\n  outputs:\n");
    const px_tree *node = loader->outputs ? loader->outputs->first : NULL;
    do {
        const char *indent = "    - ";
        for (int i = 0; i < OPTION_COUNT; i++) {
            if (!(options[i].flags & OUTPUT))
                continue;
            const px_tree *own = node ? px_tree_find(node, options[i].path) : NULL;
            value from = own ? (value){ own->text, origin_of(loader, loader->outputs_name, own->line) } : loader->values[i];
            show_line(text, indent, options[i].path, &from);
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
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (options[i].flags & OUTPUT)
            continue;
        const char *dot = strchr(options[i].path, '.');
        size_t count = dot ? (size_t)(dot - options[i].path) + 1 : 0;
        if (count && (strlen(group) < count || strncmp(group, options[i].path, count) != 0))
            px_buffer_format(&text, "%.*s:\n", (int)count - 1, options[i].path);
        group = count ? options[i].path : "";
        show_line(&text, count ? "  " : "", options[i].path + count, &loader.values[i]);
    }
    show_outputs(&loader, &text);
    const char *copy = px_buffer_failed(&text) ? NULL : px_arena_copy(arena, px_buffer_bytes(&text));
    if (!copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to show the configuration");
    *ret_text = copy;
    return PX_OK;
}

void px_options_each(void (*each)(void *context, const char *path, const char *type, const char *fallback, const char *meaning),
                     void *context)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const option *row = &options[i];
        char type[96], path[64];
        if (row->type == TEXT)
            snprintf(type, sizeof type, "text");
        else if (row->type == COLOUR)
            snprintf(type, sizeof type, "#rrggbb");
        else if (row->choices)
            snprintf(type, sizeof type, "%s", row->choices);
        else
            snprintf(type, sizeof type, row->type == SIZE ? "bytes, %.0f to %.0f" : "%.0f to %.0f", row->min, row->max);
        snprintf(path, sizeof path, "%s%s", row->flags & OUTPUT ? "recipe.outputs[]." : "", row->path);
        each(context, path, type, row->fallback, row->meaning);
    }
}
