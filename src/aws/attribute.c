/* Two recursions over a handful of types. Numbers beyond 64 bits and fractions are left as texts: the record has none. */
#include "aws/attribute.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 32 };

static json_t *format_value(const json_t *value)
{
    char number[32];
    switch (json_typeof(value)) {
    case JSON_OBJECT: return json_pack("{s:o}", "M", px_attributes_format(value));
    case JSON_STRING: return json_pack("{s:s%}", "S", json_string_value(value), json_string_length(value));
    case JSON_INTEGER: snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); return json_pack("{s:s}", "N", number);
    case JSON_REAL: snprintf(number, sizeof number, "%.17g", json_real_value(value)); return json_pack("{s:s}", "N", number);
    case JSON_TRUE: return json_pack("{s:b}", "BOOL", 1);
    case JSON_FALSE: return json_pack("{s:b}", "BOOL", 0);
    case JSON_NULL: return json_pack("{s:b}", "NULL", 1);
    case JSON_ARRAY: break;
    }
    json_t *list = json_array();
    for (size_t i = 0; list && i < json_array_size(value); i++)
        json_array_append_new(list, format_value(json_array_get(value, i)));
    return json_pack("{s:o}", "L", list);
}

json_t *px_attributes_format(const json_t *item)
{
    json_t *attributes = json_object();
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)item, name, value)
        if (json_object_set_new(attributes, name, format_value(value)) != 0) {
            json_decref(attributes);
            return NULL;
        }
    return attributes;
}

static json_t *parse_item(const json_t *attributes, int depth);

static json_t *parse_number(const char *text)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    return *text && !*end && errno == 0 ? json_integer(number) : json_string(text);
}

static json_t *parse_value(const json_t *value, int depth)
{
    const json_t *found;
    if (depth > DEPTH_MAX)
        return NULL;
    if ((found = json_object_get(value, "S")) != NULL)
        return json_is_string(found) ? json_copy((json_t *)(uintptr_t)found) : json_null();
    if ((found = json_object_get(value, "N")) != NULL)
        return json_is_string(found) ? parse_number(json_string_value(found)) : json_null();
    if ((found = json_object_get(value, "BOOL")) != NULL)
        return json_boolean(json_is_true(found));
    if ((found = json_object_get(value, "M")) != NULL)
        return parse_item(found, depth + 1);
    found = json_object_get(value, "L");
    if (!json_is_array(found))
        return json_null();
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(found); i++)
        if (json_array_append_new(list, parse_value(json_array_get(found, i), depth + 1)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *parse_item(const json_t *attributes, int depth)
{
    if (!json_is_object(attributes) || depth > DEPTH_MAX)
        return NULL;
    json_t *item = json_object();
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)attributes, name, value)
        if (json_object_set_new(item, name, parse_value(value, depth)) != 0) {
            json_decref(item);
            return NULL;
        }
    return item;
}

json_t *px_attributes_parse(const json_t *attributes) { return parse_item(attributes, 0); }
