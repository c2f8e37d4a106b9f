/* libyaml's events become nodes; one function a kind of node, as deep as DEPTH_MAX. */
#include "base/tree.h"

#include <string.h>

#include "base/limits.h"
#include "base/libyaml.h"

/* Names are compared with all before them in their map: a bound on entries keeps that short. */
enum { DEPTH_MAX = 16, ENTRIES_MAX = 256 };

struct reader {
    yaml_parser_t parser;
    const char *name;
    px_arena *arena;
    px_error *err;
};

static px_status next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return PX_OK;
    const yaml_parser_t *parser = &reader->parser;
    return px_fail(reader->err, PX_BAD_CONFIG, "%s:%zu: %s", reader->name, parser->problem_mark.line + 1,
                   parser->problem ? parser->problem : "not readable as YAML or JSON");
}

static px_status read_node(struct reader *reader, const yaml_event_t *event, int depth, px_tree **ret);

static px_status refuse(struct reader *reader, const yaml_event_t *event, const char *what)
{
    return px_fail(reader->err, PX_BAD_CONFIG, "%s:%zu: %s", reader->name, event->start_mark.line + 1, what);
}

/* A text without anchor, tag or NUL. */
static px_status read_text(struct reader *reader, const yaml_event_t *event, const char **ret)
{
    if (event->data.scalar.anchor || event->data.scalar.tag)
        return refuse(reader, event, "anchors and tags are not understood");
    if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
        return refuse(reader, event, "a NUL character in a text");
    const char *text = px_arena_copy_text(reader->arena, (const char *)event->data.scalar.value);
    if (!text)
        return px_fail(reader->err, PX_OUT_OF_MEMORY, "no memory for %s", reader->name);
    *ret = text;
    return PX_OK;
}

static px_status add_child(px_tree *parent, px_tree ***end, px_tree *child, struct reader *reader)
{
    int count = 0;
    for (const px_tree *each = parent->first; child->name && each; each = each->next) {
        if (strcmp(each->name, child->name) == 0)
            return px_fail(reader->err, PX_BAD_CONFIG, "%s:%d: '%s' is there twice, first in line %d", reader->name,
                           child->line, child->name, each->line);
        if (++count == ENTRIES_MAX)
            return px_fail(reader->err, PX_BAD_CONFIG, "%s:%d: more than %d entries", reader->name, child->line, ENTRIES_MAX);
    }
    **end = child;
    *end = &child->next;
    return PX_OK;
}

/* Reads the children of a list or map up to its end. */
static px_status read_children(struct reader *reader, px_tree *parent, int depth)
{
    px_tree **end = &parent->first;
    for (;;) {
        yaml_event_t event;
        const char *name = NULL;
        PX_TRY(next_event(reader, &event));
        bool ends = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        px_status status = PX_OK;
        if (!ends && parent->kind == PX_TREE_MAP) {
            status = event.type == YAML_SCALAR_EVENT ? read_text(reader, &event, &name)
                                                     : refuse(reader, &event, "the name of an entry must be plain text");
            yaml_event_delete(&event);
            PX_TRY(status);
            PX_TRY(next_event(reader, &event));
        }
        px_tree *child = NULL;
        if (!ends)
            status = read_node(reader, &event, depth, &child);
        yaml_event_delete(&event);
        PX_TRY(status);
        if (ends)
            return PX_OK;
        child->name = name;
        PX_TRY(add_child(parent, &end, child, reader));
    }
}

static px_status read_node(struct reader *reader, const yaml_event_t *event, int depth, px_tree **ret)
{
    if (depth > DEPTH_MAX)
        return refuse(reader, event, "nested too deeply");
    px_tree *node = px_new(reader->arena, px_tree, 1);
    if (!node)
        return px_fail(reader->err, PX_OUT_OF_MEMORY, "no memory for %s", reader->name);
    node->line = (int)event->start_mark.line + 1;
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        node->kind = PX_TREE_SCALAR;
        PX_TRY(read_text(reader, event, &node->text));
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: {
        bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
        if (is_list ? event->data.sequence_start.anchor || event->data.sequence_start.tag
                    : event->data.mapping_start.anchor || event->data.mapping_start.tag)
            return refuse(reader, event, "anchors and tags are not understood");
        node->kind = is_list ? PX_TREE_LIST : PX_TREE_MAP;
        PX_TRY(read_children(reader, node, depth + 1));
        break;
    }
    default:
        return refuse(reader, event, "anchors and aliases are not understood");
    }
    *ret = node;
    return PX_OK;
}

static px_status read_document(struct reader *reader, px_tree **ret)
{
    px_tree *root = NULL;
    bool has_document = false;
    for (;;) {
        yaml_event_t event;
        PX_TRY(next_event(reader, &event));
        px_status status = PX_OK;
        yaml_event_type_t type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && has_document)
            status = refuse(reader, &event, "a second document");
        else if (type == YAML_DOCUMENT_START_EVENT)
            has_document = true;
        else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT && type != YAML_DOCUMENT_END_EVENT)
            status = read_node(reader, &event, 0, &root);
        yaml_event_delete(&event);
        PX_TRY(status);
        if (type == YAML_STREAM_END_EVENT)
            break;
    }
    if (!root || (root->kind == PX_TREE_SCALAR && !*root->text)) {
        root = px_new(reader->arena, px_tree, 1);
        if (!root)
            return px_fail(reader->err, PX_OUT_OF_MEMORY, "no memory for %s", reader->name);
        *root = (px_tree){ .kind = PX_TREE_MAP, .line = 1 };
    }
    *ret = root;
    return PX_OK;
}

px_status px_tree_parse(px_bytes text, const char *name, px_arena *arena, px_tree **ret, px_error *err)
{
    struct reader reader = { .name = name, .arena = arena, .err = err };
    if (text.count > PX_LIMIT_CONFIG_BYTES)
        return px_fail(err, PX_BAD_CONFIG, "%s has %zu bytes; at most %d are read", name, text.count, PX_LIMIT_CONFIG_BYTES);
    PX_TRY(px_yaml_load(err));
    if (!yaml_parser_initialize(&reader.parser))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory to read %s", name);
    static const uint8_t nothing = 0;
    yaml_parser_set_input_string(&reader.parser, text.data ? text.data : &nothing, text.count);
    px_status status = read_document(&reader, ret);
    yaml_parser_delete(&reader.parser);
    return status;
}

const px_tree *px_tree_find(const px_tree *map, const char *name)
{
    for (const px_tree *each = map->first; each; each = each->next)
        if (each->name && strcmp(each->name, name) == 0)
            return each;
    return NULL;
}
