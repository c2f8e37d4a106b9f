/* options.h - the command line, parsed by a table.
 *
 * --name value, --name=value, -n value, and -- before arguments that start with a dash; "-" alone is an argument. An
 * option given twice counts as given last. Flags may name the configuration option that they set. */
#ifndef PX_COMMAND_OPTIONS_H
#define PX_COMMAND_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "pipeline/pipeline.h"

struct px_command;

typedef struct px_flag {
    const char *name;     /* "width"; NULL ends a table */
    char letter;          /* 'w', or 0 */
    const char *argument; /* "PIXELS"; NULL: a switch */
    const char *help;
    const char *setting;  /* the configuration option that it sets, or NULL; a switch sets it to "true" */
} px_flag;

enum { PX_GIVEN_MAX = 64 };

typedef struct px_options {
    const struct px_command *command;
    char **arguments; /* borrowed from argv, which parsing reorders */
    int argument_count;
    struct {
        const px_flag *flag;
        const char *value; /* "true" for a switch */
    } given[PX_GIVEN_MAX];
    int given_count;
} px_options;

/* Parses what follows the command's name. PX_BAD_REQUEST: unknown option, missing value, too few or many arguments. */
PX_CHECKED px_status px_options_parse(const struct px_command *command, int argc, char **argv, px_options *ret,
                                      bool *ret_help, px_error *err);

/* The value of an option, or `fallback`. */
const char *px_option_text(const px_options *options, const char *name, const char *fallback);
bool px_option_is_on(const px_options *options, const char *name);

/* A whole number between `low` and `high`; `fallback` if the option was not given. PX_BAD_REQUEST otherwise. */
PX_CHECKED px_status px_option_number(const px_options *options, const char *name, int64_t low, int64_t high,
                                      int64_t fallback, int64_t *ret, px_error *err);

/* The flags that set configuration options, for px_config_load; returns how many (at most PX_GIVEN_MAX). */
int px_options_settings(const px_options *options, px_setting settings[PX_GIVEN_MAX]);

/* Prints `pixmill COMMAND --help`. */
void px_options_help(const struct px_command *command);

/* Prints "pixmill COMMAND: message" on stderr and returns the exit code of `status`. */
int px_options_fail(const px_options *options, px_status status, const px_error *err);

#endif
