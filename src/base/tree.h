/* tree.h - YAML and JSON as one small tree that knows its line numbers.
 *
 * JSON is read as the YAML that it is. No anchors, aliases or tags: a configuration does not need them, and bombs are
 * made of them. Nodes live in the arena. */
#ifndef PX_BASE_TREE_H
#define PX_BASE_TREE_H

#include <stdbool.h>

#include "base/arena.h"

typedef enum px_tree_kind { PX_TREE_SCALAR, PX_TREE_LIST, PX_TREE_MAP } px_tree_kind;

typedef struct px_tree px_tree;
struct px_tree {
    px_tree_kind kind;
    const char *name;     /* in a map; NULL elsewhere */
    const char *text;     /* of a scalar; NULL elsewhere */
    int line;             /* from 1 */
    px_tree *first;       /* of a list or map */
    px_tree *next;        /* in the same list or map */
};

/* `name` is for messages ("pixmill.yaml"). At most PX_LIMIT_CONFIG_BYTES are read. An empty text is an empty map. PX_BAD_CONFIG names the line. */
PX_CHECKED px_status px_tree_parse(px_bytes text, const char *name, px_arena *arena, px_tree **ret, px_error *err);

/* The child of that name; NULL if there is none. */
const px_tree *px_tree_find(const px_tree *map, const char *name);

#endif
