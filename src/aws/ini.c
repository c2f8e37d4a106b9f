/* Line by line, nothing kept: a file of this kind is read a few times in a process's life. */
#include "aws/ini.h"

#include <string.h>

static px_bytes trim(px_bytes text)
{
    while (text.count && strchr(" \t\r", text.data[0]) && text.data[0]) {
        text.data++;
        text.count--;
    }
    while (text.count && text.data[text.count - 1] && strchr(" \t\r", text.data[text.count - 1]))
        text.count--;
    return text;
}

static px_bytes next_line(px_bytes *rest)
{
    const uint8_t *end = memchr(rest->data, '\n', rest->count);
    px_bytes line = { rest->data, end ? (size_t)(end - rest->data) : rest->count };
    size_t taken = line.count + (end ? 1 : 0);
    rest->data += taken;
    rest->count -= taken;
    return line;
}

/* "[profile  x]" is the section "profile x". */
static bool is_section(px_bytes line, const char *section)
{
    px_bytes name = trim((px_bytes){ line.data + 1, line.count - 1 });
    const uint8_t *end = memchr(name.data, ']', name.count);
    if (!end)
        return false;
    name = trim((px_bytes){ name.data, (size_t)(end - name.data) });
    return px_bytes_equal(name, px_bytes_of(section));
}

/* Without a comment behind it. */
static px_bytes value_of(px_bytes text)
{
    for (size_t i = 1; i < text.count; i++)
        if ((text.data[i] == '#' || text.data[i] == ';') && (text.data[i - 1] == ' ' || text.data[i - 1] == '\t'))
            text.count = i;
    return trim(text);
}

const char *px_ini_find(px_bytes text, const char *section, const char *key, px_arena *arena)
{
    bool inside = false;
    px_bytes found = { 0 };
    bool has = false;
    while (text.count) {
        px_bytes line = next_line(&text);
        bool nested = line.count && (line.data[0] == ' ' || line.data[0] == '\t');
        if (nested || !line.count || line.data[0] == '#' || line.data[0] == ';' || memchr(line.data, 0, line.count))
            continue; /* a NUL is in no text that somebody wrote */
        if (line.data[0] == '[') {
            inside = is_section(line, section);
            continue;
        }
        const uint8_t *equals = inside ? memchr(line.data, '=', line.count) : NULL;
        if (!equals || !px_bytes_equal(trim((px_bytes){ line.data, (size_t)(equals - line.data) }), px_bytes_of(key)))
            continue;
        size_t before = (size_t)(equals + 1 - line.data);
        found = value_of((px_bytes){ line.data + before, line.count - before });
        has = true;
    }
    return has ? px_arena_copy(arena, found) : NULL;
}
