/* The table, and the eight types that its rows have: text to value and back. */
#include "pipeline/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define AT(field) .offset = offsetof(px_config, field), .width = sizeof(((px_config *)0)->field)
#define OUT(field) .flags = PX_OPTION_OUTPUT, .offset = offsetof(px_output, field), .width = sizeof(((px_output *)0)->field)

const px_config_option px_config_options[] = {
    { "source", PX_TYPE_TEXT, "source-bucket", .flags = PX_OPTION_REQUIRED, AT(source), .meaning = "the bucket whose pictures are processed" },
    { "source_prefix", PX_TYPE_TEXT, "", AT(source_prefix), .meaning = "only keys that begin so" },
    { "destination", PX_TYPE_TEXT, "processed-bucket", .flags = PX_OPTION_REQUIRED, AT(destination), .meaning = "the bucket that gets the outputs" },
    { "destination_prefix", PX_TYPE_TEXT, "", AT(destination_prefix), .meaning = "put before every output's name" },
    { "table", PX_TYPE_TEXT, "images", .flags = PX_OPTION_REQUIRED, AT(table), .meaning = "the name of the table of records" },
    { "on_delete", PX_TYPE_FLAG, "follow", .choices = "keep|follow", AT(delete_follows),
      .meaning = "whether the outputs of a deleted original go too (`follow`) or stay (`keep`)" },
    { "overwrite", PX_TYPE_FLAG, "own", .choices = "own|any", AT(overwrite_any),
      .meaning = "what an output may replace: only outputs of the same source (`own`), or anything" },
    { "manifest", PX_TYPE_TEXT, "", AT(manifest),
      .meaning = "the key of a JSON object that names every output of a source, such as {dir}{stem}.json; empty: none" },
    { "placeholder", PX_TYPE_FLAG, "true", .choices = "false|true", AT(limits.placeholder),
      .meaning = "tell a ThumbHash and the dominant colour of each source: in its record, the log and the manifest" },
    { "cache_control", PX_TYPE_TEXT, "public, max-age=31536000", AT(cache_control), .meaning = "the outputs' Cache-Control; empty for none" },
    { "keep_metadata", PX_TYPE_FLAG, "false", .choices = "false|true", AT(keep_metadata),
      .meaning = "carry the original's user metadata (x-amz-meta-…) over to the outputs" },
    { "max_attempts", PX_TYPE_COUNT, "5", 1, 100, AT(max_attempts), .meaning = "tries of a job that fails for a passing reason, before it is a dead letter" },
    { "workers", PX_TYPE_COUNT, "0", 0, 256, AT(workers), .meaning = "pictures at the same time; 0: as many as cores" },
    { "listen", PX_TYPE_TEXT, "127.0.0.1:9000", .flags = PX_OPTION_REQUIRED, AT(listen), .meaning = "address and port of the endpoint; port 0: a free one" },
    { "data", PX_TYPE_TEXT, "./pixmill-data", .flags = PX_OPTION_REQUIRED, AT(data), .meaning = "the folder that holds objects, records and logs" },
    { "region", PX_TYPE_TEXT, "us-east-1", .flags = PX_OPTION_REQUIRED, AT(region), .meaning = "the region that clients sign for" },
    { "log_format", PX_TYPE_FLAG, "json", .choices = "json|text", AT(log_text), .meaning = "how log lines look on the standard output" },
    { "log_level", PX_TYPE_CHOICE, "info", .choices = "trace|debug|info|warn|error|fatal", AT(log_level), .meaning = "the least level that is logged" },
    { "limits.input_bytes", PX_TYPE_SIZE, "200MiB", 1, 5e12, AT(limits.input_bytes), .meaning = "of a source object" },
    { "limits.pixels", PX_TYPE_COUNT, "268435456", 1, 4294836225.0, AT(limits.pixels), .meaning = "width times height of a source" },
    { "limits.side", PX_TYPE_COUNT, "65535", 1, 65535, AT(limits.side), .meaning = "width or height of a source" },
    { "limits.frames", PX_TYPE_COUNT, "1000", 1, 1e6, AT(limits.frames), .meaning = "of an animation" },
    { "limits.scans", PX_TYPE_COUNT, "200", 1, 1e5, AT(limits.scans), .meaning = "of a progressive JPEG" },
    { "limits.metadata_bytes", PX_TYPE_SIZE, "16MiB", 1, 1e9, AT(limits.metadata_bytes), .meaning = "EXIF, profile and text chunks together" },
    { "limits.memory", PX_TYPE_SIZE, "auto", 64 << 20, 1e12, .choices = "auto", AT(limits.memory_bytes), .meaning = "of the process that transforms a picture; auto: judged from the machine" },
    { "limits.truncated", PX_TYPE_FLAG, "refuse", .choices = "refuse|accept", AT(limits.truncated), .meaning = "a source that ends early: `truncated-image`, or an output of what is there" },
    { "limits.seconds", PX_TYPE_COUNT, "60", 1, 3600, AT(limits.seconds), .meaning = "wall time, and CPU time, of one picture" },
    { "heavy.queue", PX_TYPE_TEXT, "", AT(heavy.queue), .meaning = "the SQS queue (URL) that gets what is too heavy for the Lambda; empty: nothing is" },
    { "heavy.bytes", PX_TYPE_SIZE, "50MiB", 1, 5e12, AT(heavy.bytes), .meaning = "of a source from which on it is" },
    { "heavy.pixels", PX_TYPE_COUNT, "100000000", 1, 4294836225.0, AT(heavy.pixels), .meaning = "likewise" },
    { "heavy.formats", PX_TYPE_TEXT, "", AT(heavy.formats), .meaning = "formats that always are, such as png,tiff" },
    { "heavy.seconds", PX_TYPE_COUNT, "20", 0, 900, AT(heavy.seconds), .meaning = "with less time left than this, a picture is handed over rather than begun" },
    { "queue", PX_TYPE_TEXT, "", AT(queue), .meaning = "the SQS queue (URL) that `worker` takes from" },
    { "dead_letters", PX_TYPE_TEXT, "", AT(dead_letters), .meaning = "the SQS queue (URL) for events that failed for good" },
    { "visibility", PX_TYPE_COUNT, "120", 1, 43200, AT(visibility), .meaning = "seconds that a taken message stays out of sight; `worker` renews it while it works" },
    { "record_days", PX_TYPE_COUNT, "0", 0, 36500, AT(record_days), .meaning = "days after which a record in DynamoDB expires (its attribute `ExpiresAt`); 0: never" },
    { "s3.style", PX_TYPE_CHOICE, "auto", .choices = "auto|path|virtual", AT(s3.style), .meaning = "where the bucket stands in S3's addresses; auto: in the host on AWS, in the path elsewhere" },
    { "s3.multipart", PX_TYPE_SIZE, "64MiB", 1, 5e9, AT(s3.multipart_bytes), .meaning = "of an output from which on it is uploaded to S3 in parts" },
    { "s3.payer", PX_TYPE_FLAG, "owner", .choices = "owner|requester", AT(s3.requester_pays), .meaning = "who pays for requests to S3" },
    { "api.prefix", PX_TYPE_TEXT, "uploads/", AT(api.prefix), .meaning = "where uploads through the API go, and the only keys that it shows and deletes; put behind `source_prefix`" },
    { "api.seconds", PX_TYPE_COUNT, "900", 1, 604800, AT(api.seconds), .meaning = "how long an upload address works" },
    { "api.bytes", PX_TYPE_SIZE, "50MiB", 1, 5e9, AT(api.bytes), .meaning = "of an upload through the API, at most; `limits.input_bytes` counts too" },
    { "api.origins", PX_TYPE_TEXT, "", AT(api.origins), .meaning = "web pages that may use the API and its upload addresses (CORS): https://example.com, with commas between; * for all; empty: none" },
    { "notify", PX_TYPE_TEXT, "", AT(notify), .meaning = "who is told of every record that has ended: an SNS topic (ARN) or an EventBridge bus" },
    { "id", PX_TYPE_TEXT, "web", OUT(id), .meaning = "the output's name in records and addresses" },
    { "name", PX_TYPE_TEXT, "{dir}processed-{stem}.jpg", OUT(name), .meaning = "the output's key: {dir} {stem} {ext} {filename} {format} {width} {height} {id} {hash}" },
    { "width", PX_TYPE_COUNT, "800", 0, PX_LIMIT_OUTPUT_SIDE, OUT(spec.width), .meaning = "pixels at most; 0: follows from the height" },
    { "height", PX_TYPE_COUNT, "0", 0, PX_LIMIT_OUTPUT_SIDE, OUT(spec.height), .meaning = "pixels at most; 0: follows from the width" },
    { "fit", PX_TYPE_CHOICE, "inside", .choices = "inside|cover|contain|fill|outside", OUT(spec.fit), .meaning = "what to do when width and height are both given" },
    { "position", PX_TYPE_CHOICE, "centre", .choices = "centre|top|bottom|left|right|top-left|top-right|bottom-left|bottom-right|attention", OUT(spec.position),
      .meaning = "which part `cover` shows (`attention`: the one with the most detail), and where the picture lies on the canvas of `contain`" },
    { "crop", PX_TYPE_CROP, "", OUT(spec.crop),
      .meaning = "the part of the upright source to begin with: x,y,width,height in pixels or percent, such as 10%,10%,80%,80%; what lies outside is left out; empty: all" },
    { "enlarge", PX_TYPE_FLAG, "false", .choices = "false|true", OUT(spec.enlarge), .meaning = "also make small pictures larger" },
    { "format", PX_TYPE_FORMAT, "jpeg", OUT(spec.format), .meaning = "of the output; keep: the source's; auto: jpeg or png, whichever suits the picture (docs/quality.md)" },
    { "quality", PX_TYPE_COUNT, "80", 1, 100, .choices = "auto", OUT(spec.quality), .meaning = "of formats that have one; auto: the lowest that reaches `target` (docs/quality.md)" },
    { "target", PX_TYPE_CHOICE, "good", .choices = "fair|good|fine", OUT(spec.target), .meaning = "how much `quality: auto` makes the output look like the picture" },
    { "max_bytes", PX_TYPE_SIZE, "none", 1, 1e12, .choices = "none", OUT(spec.max_bytes), .meaning = "of the output: the best quality, up to `quality`, that fits; if none does, an error" },
    { "effort", PX_TYPE_CHOICE, "normal", .choices = "low|normal|high", OUT(spec.effort), .meaning = "how long an encoder may think, for fewer bytes of the same quality; high: JPEG is progressive" },
    { "lossless", PX_TYPE_FLAG, "false", .choices = "false|true", OUT(spec.lossless), .meaning = "no loss, where the format has both ways" },
    { "palette", PX_TYPE_FLAG, "false", .choices = "false|true", OUT(spec.palette), .meaning = "PNG stills in at most 256 colours, dithered; those that have no more lose nothing" },
    { "background", PX_TYPE_COLOUR, "#ffffff", OUT(spec.background), .meaning = "where transparency is lost, and around a picture that `contain` makes smaller than its canvas; transparent, or as #rrggbbaa, where the format has alpha" },
    { "colour", PX_TYPE_CHOICE, "srgb", .choices = "srgb|keep", OUT(spec.colour), .meaning = "convert to sRGB as the source's ICC profile says, or keep its colours and embed the profile" },
    { "strip", PX_TYPE_CHOICE, "all", .choices = "all|gps|none", OUT(spec.strip), .meaning = "metadata that goes: all; what tells of place, owner and serial numbers (`gps`); or none but the thumbnail" },
    { "animated", PX_TYPE_FLAG, "true", .choices = "false|true", OUT(spec.animated), .meaning = "keep every frame where the format can; otherwise the first alone" },
    { "rotate", PX_TYPE_CHOICE, "auto", .choices = "none|auto|90|180|270", .older = "false|true", OUT(spec.rotate),
      .meaning = "auto: turn the picture upright as its EXIF orientation says; degrees: and then further, clockwise; none: leave the rows, and say the orientation" },
    { "resampling", PX_TYPE_CHOICE, "fast", .choices = "fast|best", OUT(spec.resampling),
      .meaning = "how far a JPEG is scaled while it is decoded: as far as others do it (`fast`), or only half as far (`best`: docs/recipes.md)" },
    { "sharpen", PX_TYPE_COUNT, "0", 0, 100, OUT(spec.sharpen), .meaning = "percent of a small unsharp mask on the scaled picture" },
    { "watermark.image", PX_TYPE_TEXT, "", OUT(mark_image), .meaning = "a picture laid over the output, best PNG or WebP with alpha: a file, or s3://BUCKET/KEY (docs/watermark.md)" },
    { "watermark.text", PX_TYPE_TEXT, "", OUT(mark_text), .meaning = "a line of text, at most 512 bytes; below the picture if there are both" },
    { "watermark.font", PX_TYPE_TEXT, "", OUT(mark_font), .meaning = "the text's font (TrueType, OpenType): a file, or s3://BUCKET/KEY; empty: DejaVu Sans, which is built in" },
    { "watermark.colour", PX_TYPE_COLOUR, "#ffffff", OUT(spec.mark.colour), .meaning = "of the text" },
    { "watermark.position", PX_TYPE_CHOICE, "bottom-right", .choices = "top-left|top|top-right|left|centre|right|bottom-left|bottom|bottom-right",
      OUT(spec.mark.position), .meaning = "where the watermark lies" },
    { "watermark.margin", PX_TYPE_COUNT, "3", 0, 50, OUT(spec.mark.margin), .meaning = "from the output's edges, and between tiles: percent of its shorter side" },
    { "watermark.opacity", PX_TYPE_COUNT, "100", 1, 100, OUT(spec.mark.opacity), .meaning = "percent" },
    { "watermark.scale", PX_TYPE_COUNT, "25", 1, 100, OUT(spec.mark.scale), .meaning = "how wide the watermark is: percent of the output's width" },
    { "watermark.tiled", PX_TYPE_FLAG, "false", .choices = "false|true", OUT(spec.mark.tiled), .meaning = "repeat the watermark in all directions" },
};
const int px_config_option_count = sizeof px_config_options / sizeof *px_config_options;
_Static_assert(sizeof px_config_options / sizeof *px_config_options <= PX_OPTION_COUNT_MAX, "PX_OPTION_COUNT_MAX is too small");

/* ---- text to value ---- */

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

static bool store_number(const px_config_option *row, const char *text, void *field)
{
    double number = 0;
    bool is_word = row->choices && strcmp(text, row->choices) == 0;
    if (!is_word && (!parse_number(text, row->type == PX_TYPE_SIZE, &number) || number < row->min || number > row->max || number != (double)(uint64_t)number))
        return false;
    uint64_t whole = (uint64_t)number;
    uint32_t narrow = (uint32_t)whole;
    if (row->width == sizeof whole)
        memcpy(field, &whole, sizeof whole);
    else
        memcpy(field, &narrow, sizeof narrow);
    return true;
}

/* Into three bytes, or four where the option has alpha. */
static bool parse_colour(const char *text, uint8_t *colour, int width)
{
    if (width == 4 && strcmp(text, "transparent") == 0)
        text = "#ffffff00";
    size_t digits = strlen(text) - (*text != '\0');
    if (text[0] != '#' || (digits != 6 && (digits != 8 || width != 4)) || strspn(text + 1, "0123456789abcdefABCDEF") != digits)
        return false;
    unsigned long bits = strtoul(text + 1, NULL, 16);
    if (digits == 6)
        bits = bits << 8 | 0xff;
    for (int i = 0; i < width; i++)
        colour[i] = (uint8_t)(bits >> (24 - 8 * i));
    return true;
}

/* "x,y,width,height", all in pixels or all with a percent sign; "" for none. */
static bool parse_crop(const char *text, void *field)
{
    double values[4];
    int percents = 0;
    px_crop crop = { 0 };
    for (int i = 0; i < 4 && *text; i++) {
        char number[32];
        size_t length = strspn(text, "0123456789.");
        snprintf(number, sizeof number, "%.*s", (int)length, text);
        if (length >= sizeof number || !parse_number(number, false, &values[i]))
            return false;
        text += length;
        bool percent = *text == '%';
        percents += percent;
        text += percent;
        if (*text != (i < 3 ? ',' : '\0'))
            return false;
        text += i < 3;
        if (i == 3)
            crop = (px_crop){ values[0], values[1], values[2], values[3], percents == 4 };
        else if (!*text)
            return false;
    }
    bool none = crop.width == 0.0 && crop.height == 0.0 && percents == 0;
    for (int i = 0; i < 4 && !none; i++)
        if (values[i] > (crop.percent ? 100.0 : 65535.0) || (!crop.percent && values[i] != (double)(int)values[i]))
            return false;
    if (!none && (crop.width <= 0.0 || crop.height <= 0.0 || percents % 4 != 0))
        return false;
    memcpy(field, &crop, sizeof crop);
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

static bool store_text(const px_config_option *row, const char *text, void *field)
{
    if ((row->flags & PX_OPTION_REQUIRED && !*text) || !is_plain(text))
        return false;
    memcpy(field, &text, sizeof text);
    return true;
}

static bool store_choice(const px_config_option *row, const char *text, void *field)
{
    int index = choice_of(row->choices, text);
    if (index < 0 && row->older)
        index = choice_of(row->older, text);
    if (index < 0)
        return false;
    if (row->type == PX_TYPE_FLAG)
        *(bool *)field = index == 1;
    else
        memcpy(field, &index, sizeof index);
    return true;
}

static bool store_format(const char *text, void *field)
{
    px_format format = px_format_find(text);
    bool is_word = format == PX_FORMAT_KEEP || format == PX_FORMAT_AUTO;
    if (format == PX_FORMAT_COUNT || (!is_word && !px_format_is_written(format)))
        return false;
    memcpy(field, &format, sizeof format);
    return true;
}

static bool store(const px_config_option *row, const char *text, void *field)
{
    switch (row->type) {
    case PX_TYPE_TEXT: return store_text(row, text, field);
    case PX_TYPE_COUNT:
    case PX_TYPE_SIZE: return store_number(row, text, field);
    case PX_TYPE_COLOUR: return parse_colour(text, field, row->width);
    case PX_TYPE_CROP: return parse_crop(text, field);
    case PX_TYPE_FORMAT: return store_format(text, field);
    case PX_TYPE_CHOICE:
    case PX_TYPE_FLAG: return store_choice(row, text, field);
    }
    return false;
}

bool px_config_option_store(const px_config_option *row, const char *text, void *target, char wanted[PX_OPTION_WANTED])
{
    static const char *const forms[] = { [PX_TYPE_COUNT] = "a whole number from ", [PX_TYPE_SIZE] = "bytes such as 200MiB, ",
                                         [PX_TYPE_COLOUR] = "a colour such as #ffffff", [PX_TYPE_CROP] = "x,y,width,height, "
                                         "all in pixels or all in percent, such as 10%,10%,80%,80%", [PX_TYPE_FORMAT] = "" };
    if (store(row, text, (char *)target + row->offset))
        return true;
    char values[PX_OPTION_WANTED];
    px_config_option_values(row, values);
    const char *form = row->type == PX_TYPE_TEXT ? (*text ? "one line of UTF-8 without control characters" : "some text")
                     : (size_t)row->type < sizeof forms / sizeof *forms && forms[row->type] ? forms[row->type] : "";
    const char *range = values + (row->type == PX_TYPE_SIZE ? strlen("bytes, ") : 0);
    snprintf(wanted, PX_OPTION_WANTED, "%s%.100s", form, row->type == PX_TYPE_TEXT || row->type == PX_TYPE_COLOUR || row->type == PX_TYPE_CROP ? "" : range);
    return false;
}

/* ---- values to text ---- */

void px_config_option_values(const px_config_option *row, char text[PX_OPTION_WANTED])
{
    size_t used = 0;
    switch (row->type) {
    case PX_TYPE_TEXT: snprintf(text, PX_OPTION_WANTED, "text"); break;
    case PX_TYPE_COLOUR: snprintf(text, PX_OPTION_WANTED, row->width == 4 ? "#rrggbb|#rrggbbaa|transparent" : "#rrggbb"); break;
    case PX_TYPE_CROP: snprintf(text, PX_OPTION_WANTED, "x,y,width,height"); break;
    case PX_TYPE_COUNT:
    case PX_TYPE_SIZE:
        snprintf(text, PX_OPTION_WANTED, "%s%.0f to %.0f%s%s", row->type == PX_TYPE_SIZE ? "bytes, " : "", row->min, row->max, row->choices ? ", or " : "", row->choices ? row->choices : "");
        break;
    case PX_TYPE_FORMAT:
        for (int f = 0; f < PX_FORMAT_COUNT && used < PX_OPTION_WANTED; f++)
            if (f == PX_FORMAT_KEEP || px_format_is_written((px_format)f))
                used += (size_t)snprintf(text + used, PX_OPTION_WANTED - used, "%s%s", used ? "|" : "", px_format_name((px_format)f));
        if (used < PX_OPTION_WANTED)
            snprintf(text + used, PX_OPTION_WANTED - used, "|%s", px_format_name(PX_FORMAT_AUTO));
        break;
    case PX_TYPE_CHOICE:
    case PX_TYPE_FLAG: snprintf(text, PX_OPTION_WANTED, "%s", row->choices); break;
    }
}

/* The `index`th of "a|b|c". */
static void format_choice(const char *choices, int index, px_buffer *text)
{
    for (; index > 0; index--)
        choices += strcspn(choices, "|") + 1;
    px_buffer_push(text, choices, strcspn(choices, "|"));
}

static void format_number(const px_config_option *row, const char *field, px_buffer *text)
{
    uint64_t whole = 0;
    uint32_t narrow = 0;
    if (row->width == sizeof whole)
        memcpy(&whole, field, sizeof whole);
    else
        memcpy(&narrow, field, sizeof narrow);
    whole += narrow;
    if (whole == 0 && row->choices)
        px_buffer_text(text, row->choices);
    else
        px_buffer_format(text, "%llu", (unsigned long long)whole);
}

static void format_crop(const char *field, px_buffer *text)
{
    px_crop crop;
    memcpy(&crop, field, sizeof crop);
    const char *unit = crop.percent ? "%" : "";
    if (crop.width > 0.0)
        px_buffer_format(text, "%.12g%s,%.12g%s,%.12g%s,%.12g%s", crop.x, unit, crop.y, unit, crop.width, unit, crop.height, unit);
}

void px_config_option_format(const px_config_option *row, const void *source, px_buffer *text)
{
    const char *field = (const char *)source + row->offset;
    const uint8_t *colour = (const uint8_t *)field;
    const char *line = "";
    int index = 0;
    switch (row->type) {
    case PX_TYPE_TEXT:
        memcpy(&line, field, sizeof line);
        px_buffer_text(text, line ? line : "");
        break;
    case PX_TYPE_COUNT:
    case PX_TYPE_SIZE: format_number(row, field, text); break;
    case PX_TYPE_COLOUR:
        px_buffer_format(text, "#%02x%02x%02x", colour[0], colour[1], colour[2]);
        if (row->width == 4 && colour[3] != 255)
            px_buffer_format(text, "%02x", colour[3]);
        break;
    case PX_TYPE_CROP: format_crop(field, text); break;
    case PX_TYPE_FLAG: format_choice(row->choices, *(const bool *)field, text); break;
    case PX_TYPE_CHOICE:
    case PX_TYPE_FORMAT:
        memcpy(&index, field, sizeof index);
        if (row->type == PX_TYPE_FORMAT)
            px_buffer_text(text, px_format_name((px_format)index));
        else
            format_choice(row->choices, index, text);
        break;
    }
}

void px_config_option_fingerprint(const px_config_option *row, const void *source, px_buffer *text)
{
    int index = 0, count = 1;
    for (const char *at = row->older; at && (at = strchr(at, '|')); at++)
        count++;
    if (row->older)
        memcpy(&index, (const char *)source + row->offset, sizeof index);
    if (row->older && index < count)
        format_choice(row->older, index, text);
    else
        px_config_option_format(row, source, text);
}

const px_config_option *px_config_option_find(const char *path)
{
    for (int i = 0; i < px_config_option_count; i++)
        if (strcmp(px_config_options[i].path, path) == 0)
            return &px_config_options[i];
    return NULL;
}
