/* command.h - what a command is: a row for the table in main.c.
 *
 * A command is one file that defines one px_command: its name, its options, and the function that runs with them
 * parsed. Help is made from these rows. To add one: write the file, name it in meson.build, declare it below, and
 * give it a row in main.c. Errors are one line on stderr; exit codes are those of DESIGN.md section 4. */
#ifndef PX_COMMAND_COMMAND_H
#define PX_COMMAND_COMMAND_H

#include "base/status.h"
#include "command/options.h"

typedef struct px_command {
    const char *name;
    const char *arguments; /* "IN… OUT", for the help; "" for none */
    const char *summary;   /* one line */
    const px_flag *flags;  /* up to a row without name; NULL for none. --help is always there */
    int least, most;       /* how many arguments; most -1: any number */
    int (*run)(const px_options *options); /* exit code */
} px_command;

enum { PX_EXIT_OK = 0, PX_EXIT_FAILED = 1, PX_EXIT_USE = 2, PX_EXIT_PARTLY = 3 };

#define PX_VERSION "0.1.0"

extern const px_command px_command_resize, px_command_serve, px_command_records, px_command_logs, px_command_replay,
    px_command_explain, px_command_check, px_command_keys, px_command_lambda, px_command_worker,
    px_command_sign;

#endif
