/* option.h - the one table of options: what there is, what values each takes, and where its value lies. Private to src/pipeline.
 *
 * File, environment, flags, `check --show`, docs/configure.md, `resize` and fingerprints all read these rows; a new option is one row. */
#ifndef PX_PIPELINE_OPTION_H
#define PX_PIPELINE_OPTION_H

#include "base/buffer.h"
#include "pipeline/pipeline.h"

typedef enum px_config_type {
    PX_TYPE_TEXT, PX_TYPE_COUNT, PX_TYPE_SIZE, PX_TYPE_CHOICE, PX_TYPE_FLAG, PX_TYPE_COLOUR,
    PX_TYPE_CROP,
    PX_TYPE_FORMAT, /* the formats that are written, keep and auto */
} px_config_type;

enum { PX_OPTION_OUTPUT = 1, PX_OPTION_REQUIRED = 2 }; /* flags of a row */

typedef struct px_config_option {
    const char *path;
    px_config_type type;
    const char *fallback;
    double min, max;        /* COUNT, SIZE */
    const char *choices;    /* CHOICE: "a|b"; FLAG: "no-value|yes-value", the second meaning true; COUNT, SIZE: a word for 0, or NULL */
    int flags;
    size_t offset;          /* in px_config, or px_output for PX_OPTION_OUTPUT */
    int width;              /* bytes of the field */
    const char *meaning;
    const char *older;      /* CHOICE: "a|b", words that the first choices once had; still taken, and what fingerprints are made of */
} px_config_option;

enum { PX_OPTION_COUNT_MAX = 96, PX_OPTION_WANTED = 160 };
extern const px_config_option px_config_options[];
extern const int px_config_option_count;

const px_config_option *px_config_option_find(const char *path); /* NULL if there is none */

/* Reads `text` into the field of `target`. False: it is not what the row wants; `wanted` then says what is. */
bool px_config_option_store(const px_config_option *row, const char *text, void *target, char wanted[PX_OPTION_WANTED]);

/* The field's value, as `store` would take it. */
void px_config_option_format(const px_config_option *row, const void *source, px_buffer *text);

/* The same as fingerprints spell it: in the words that it had when the option was new. */
void px_config_option_fingerprint(const px_config_option *row, const void *source, px_buffer *text);

/* "a|b", "1 to 100": for tables and messages. */
void px_config_option_values(const px_config_option *row, char text[PX_OPTION_WANTED]);

#endif
