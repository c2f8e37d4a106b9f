/* attribute.h - JSON as DynamoDB spells it, each value with its type ("AttributeValue", DynamoDB API reference). Private to src/aws. */
#ifndef PX_AWS_ATTRIBUTE_H
#define PX_AWS_ATTRIBUTE_H

#include <jansson.h>

/* {"a": 1} → {"a": {"N": "1"}}, for the attributes of an item; a new reference, NULL without memory. */
json_t *px_attributes_format(const json_t *item);

/* And back; a new reference. What is no text, number, boolean, list or map (sets, binaries) becomes null. NULL if it is
 * no item at all, or nested deeper than 32. */
json_t *px_attributes_parse(const json_t *attributes);

#endif
