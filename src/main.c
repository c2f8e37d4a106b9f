/* The table of commands, and the few words that are none: --help, --version, the name bootstrap, and the argument with which the sandbox
 * starts this same program as its zygote. Everything else happens in src/command. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "sandbox/sandbox.h"

static const px_command *const commands[] = {
    &px_command_resize, &px_command_serve,   &px_command_records, &px_command_logs,  &px_command_replay,
    &px_command_explain, &px_command_check,  &px_command_keys,   &px_command_lambda,
    &px_command_worker, &px_command_sign,
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static int print_help(void)
{
    printf("Usage: pixmill COMMAND [OPTIONS]\n\nResizes pictures: from file to file, or as a service between two "
           "places.\n\nCommands:\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    printf("\npixmill COMMAND --help tells more; pixmill --version prints the version.\n");
    return PX_EXIT_OK;
}

static int run_command(const px_command *command, int argc, char **argv)
{
    px_options options = { .command = command };
    px_error err = { 0 };
    bool help = false;
    px_status status = px_options_parse(command, argc, argv, &options, &help, &err);
    if (status != PX_OK) {
        options.command = command;
        (void)px_options_fail(&options, status, &err);
        return PX_EXIT_USE;
    }
    if (help) {
        px_options_help(command);
        return PX_EXIT_OK;
    }
    return command->run(&options);
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "--help";
    if (strcmp(word, PX_ZYGOTE_ARGUMENT) == 0)
        return px_zygote_main();
    if (argc == 1 && strcmp(basename(argv[0]), "bootstrap") == 0)
        word = "lambda"; /* the name under which Lambda starts a function */
    signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is a failed write, not our end */

    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(word, commands[i]->name) == 0)
            return run_command(commands[i], argc > 2 ? argc - 2 : 0, argv + (argc > 2 ? 2 : argc));
    if (strcmp(word, "--version") == 0) {
        puts("pixmill " PX_VERSION);
        return PX_EXIT_OK;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        int code = print_help();
        return argc > 1 ? code : PX_EXIT_USE;
    }
    fprintf(stderr, "pixmill: unknown command %s; see pixmill --help\n", word);
    return PX_EXIT_USE;
}
