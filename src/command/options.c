/* One loop over argv. Arguments are gathered at the front of argv itself, which always has the room, so nothing is
 * allocated and nothing needs to be freed. Help is printed from the same rows that the loop looks up. */
#include "command/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"

static const px_flag help_flag = { "help", 'h', NULL, "print this and end", NULL };

static const px_flag *find_flag(const px_command *command, const char *name, size_t length, char letter)
{
    for (const px_flag *flag = command->flags; flag && flag->name; flag++)
        if (letter ? flag->letter == letter : strlen(flag->name) == length && memcmp(flag->name, name, length) == 0)
            return flag;
    if (letter ? letter == 'h' : length == 4 && memcmp(name, "help", 4) == 0)
        return &help_flag;
    return NULL;
}

/* Takes the option at argv[*index], and the value behind it if it needs one. */
static px_status take_option(px_options *options, int argc, char **argv, int *index, px_error *err)
{
    const char *text = argv[*index];
    bool is_long = text[1] == '-';
    const char *name = text + (is_long ? 2 : 1);
    size_t length = is_long ? strcspn(name, "=") : 1;
    const char *value = name[length] == '\0' ? NULL : name + length + (is_long || name[length] == '=' ? 1 : 0);

    const px_flag *flag = find_flag(options->command, name, length, is_long ? '\0' : name[0]);
    if (!flag)
        return px_fail(err, PX_BAD_REQUEST, "unknown option %s; see pixmill %s --help", text,
                       options->command->name);
    if (!flag->argument && value)
        return px_fail(err, PX_BAD_REQUEST, "--%s takes no value", flag->name);
    if (flag->argument && !value) {
        if (*index + 1 >= argc)
            return px_fail(err, PX_BAD_REQUEST, "--%s needs a value: %s", flag->name, flag->argument);
        value = argv[++*index];
    }
    if (options->given_count == PX_GIVEN_MAX)
        return px_fail(err, PX_BAD_REQUEST, "more than %d options", PX_GIVEN_MAX);
    options->given[options->given_count].flag = flag;
    options->given[options->given_count++].value = value ? value : "true";
    return PX_OK;
}

px_status px_options_parse(const px_command *command, int argc, char **argv, px_options *ret, bool *ret_help,
                           px_error *err)
{
    px_options options = { .command = command, .arguments = argv };
    bool only_arguments = false;
    for (int i = 0; i < argc; i++) {
        if (only_arguments || argv[i][0] != '-' || argv[i][1] == '\0')
            argv[options.argument_count++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            only_arguments = true;
        else
            PX_TRY(take_option(&options, argc, argv, &i, err));
    }
    bool help = px_option_is_on(&options, "help");
    if (!help && options.argument_count < command->least)
        return px_fail(err, PX_BAD_REQUEST, "too few arguments; usage: pixmill %s [OPTIONS] %s", command->name,
                       command->arguments);
    if (!help && command->most >= 0 && options.argument_count > command->most)
        return px_fail(err, PX_BAD_REQUEST, "unexpected argument %s; see pixmill %s --help",
                       argv[command->most], command->name);
    *ret = options;
    *ret_help = help;
    return PX_OK;
}

const char *px_option_text(const px_options *options, const char *name, const char *fallback)
{
    for (int i = options->given_count - 1; i >= 0; i--)
        if (strcmp(options->given[i].flag->name, name) == 0)
            return options->given[i].value;
    return fallback;
}

bool px_option_is_on(const px_options *options, const char *name)
{
    return px_option_text(options, name, NULL) != NULL;
}

px_status px_option_number(const px_options *options, const char *name, int64_t low, int64_t high, int64_t fallback,
                           int64_t *ret, px_error *err)
{
    const char *text = px_option_text(options, name, NULL);
    if (!text) {
        *ret = fallback;
        return PX_OK;
    }
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end != '\0' || number < low || number > high)
        return px_fail(err, PX_BAD_REQUEST, "--%s %s: wanted a number from %" PRId64 " to %" PRId64, name, text,
                       low, high);
    *ret = number;
    return PX_OK;
}

int px_options_settings(const px_options *options, px_setting settings[PX_GIVEN_MAX])
{
    int count = 0;
    for (int i = 0; i < options->given_count; i++)
        if (options->given[i].flag->setting)
            settings[count++] = (px_setting){ options->given[i].flag->setting, options->given[i].value };
    return count;
}

static void print_flag(const px_flag *flag)
{
    char letter[8] = "    ";
    if (flag->letter)
        snprintf(letter, sizeof letter, "-%c, ", flag->letter);
    char left[64];
    snprintf(left, sizeof left, "%s--%s%s%s", letter, flag->name, flag->argument ? " " : "",
             flag->argument ? flag->argument : "");
    printf("  %-32s %s\n", left, flag->help);
}

void px_options_help(const px_command *command)
{
    printf("Usage: pixmill %s [OPTIONS]%s%s\n\n%s.\n\nOptions:\n", command->name, *command->arguments ? " " : "",
           command->arguments, command->summary);
    for (const px_flag *flag = command->flags; flag && flag->name; flag++)
        print_flag(flag);
    print_flag(&help_flag);
}

int px_options_fail(const px_options *options, px_status status, const px_error *err)
{
    fprintf(stderr, "pixmill %s: %s\n", options->command->name,
            err && err->message[0] ? err->message : px_status_meaning(status));
    return px_status_exit(status);
}
