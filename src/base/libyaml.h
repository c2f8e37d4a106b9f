/* libyaml.h - libyaml, loaded at the first configuration or profile. For base/tree.c alone.
 *
 * Its calls keep their names. */
#ifndef PX_BASE_LIBYAML_H
#define PX_BASE_LIBYAML_H

#include <yaml.h>

#include "base/status.h"

#define PX_YAML_LIST(X) \
    X(event_delete) X(parser_delete) X(parser_initialize) X(parser_parse) X(parser_set_input_string)

/* px_yaml.NAME is yaml_NAME. */
#define PX_YAML_MEMBER(name) __typeof__(&yaml_##name) name;
extern struct px_yaml { PX_YAML_LIST(PX_YAML_MEMBER) } px_yaml;
#undef PX_YAML_MEMBER

PX_CHECKED px_status px_yaml_load(px_error *err);

#define yaml_event_delete px_yaml.event_delete
#define yaml_parser_delete px_yaml.parser_delete
#define yaml_parser_initialize px_yaml.parser_initialize
#define yaml_parser_parse px_yaml.parser_parse
#define yaml_parser_set_input_string px_yaml.parser_set_input_string

#endif
