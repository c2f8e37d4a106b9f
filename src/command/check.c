/* check: the doctor. Loads the configuration, then tries what serve will need: a writable data folder and a sandbox that
 * starts. Also prints the tables that the documentation is made from, so that pages and program cannot drift apart. */
#include "command/command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "command/observe.h"
#include "sandbox/sandbox.h"

/* ---- the tables for docs/ ---- */

/* A cell: '|' would end it. */
static void print_cell(const char *text)
{
    for (; *text; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
}

/* "limits.pixels" → "PIXMILL_LIMITS_PIXELS"; of an output's option only the last word counts. */
static void print_variable(const char *path)
{
    static const char output[] = "recipe.outputs[].";
    if (strncmp(path, output, sizeof output - 1) == 0)
        path += sizeof output - 1;
    printf("`PIXMILL_");
    for (; *path; path++)
        putchar(*path == '.' ? '_' : *path >= 'a' && *path <= 'z' ? *path - 'a' + 'A' : *path);
    printf("`");
}

static void print_option(void *context, const char *path, const char *type, const char *fallback, const char *meaning)
{
    (void)context;
    printf("| `%s` | ", path);
    print_variable(path);
    printf(" | ");
    print_cell(type);
    if (fallback && *fallback) {
        printf(" | `");
        print_cell(fallback);
        printf("` | ");
    } else {
        printf(" | | ");
    }
    print_cell(meaning);
    printf(" |\n");
}

static void print_options(void)
{
    puts("| key | environment variable | value | default | meaning |\n|---|---|---|---|---|");
    px_options_each(print_option, NULL);
}

static void print_errors(void)
{
    puts("| code | meaning | HTTP | exit | tried again |\n|---|---|---|---|---|");
    for (int i = PX_OK + 1; i < PX_STATUS_COUNT; i++)
        printf("| `%s` | %s | %d | %d | %s |\n", px_status_code((px_status)i), px_status_meaning((px_status)i),
               px_status_http((px_status)i), px_status_exit((px_status)i), px_status_is_transient((px_status)i) ? "yes" : "no");
}

/* ---- the API's description ---- */

static px_status print_openapi(const px_options *options, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_config config;
    const char *form = px_option_text(options, "openapi", ""), *text = NULL;
    px_api_openapi wanted = { .version = PX_VERSION, .root = PX_API_ROOT, .gateway = strcmp(form, "gateway") == 0,
                              .function = px_option_text(options, "function", NULL) };
    if (!wanted.gateway && strcmp(form, "plain") != 0)
        return px_fail(err, PX_BAD_REQUEST, "--openapi %.40s: wanted plain or gateway", form);
    PX_TRY(px_arena_open(16u << 20, &arena, err));
    PX_TRY(px_command_config(options, NULL, 0, &arena, &config, err));
    PX_TRY(px_api_describe(&config, &wanted, &arena, &text, err));
    puts(text);
    return PX_OK;
}

/* ---- the checks ---- */

/* The nearest folder that exists: it is there or can be made when this is writable. */
static px_status check_folder(const char *folder, px_error *err)
{
    char path[PATH_MAX];
    int count = snprintf(path, sizeof path, "%s", folder);
    if (count < 0 || (size_t)count >= sizeof path)
        return px_fail(err, PX_BAD_CONFIG, "the data folder's name is too long");
    while (access(path, W_OK | X_OK) != 0) {
        if (errno != ENOENT)
            return px_fail_errno(err, errno, "the data folder %s cannot be written (%s)", folder, path);
        char *slash = strrchr(path, '/');
        if (!slash)
            strcpy(path, ".");
        else if (slash == path)
            strcpy(path, "/");
        else
            *slash = 0;
    }
    return PX_OK;
}

static void sandbox_done(px_sandbox **sandbox)
{
    if (*sandbox)
        px_sandbox_close(*sandbox);
}

static px_status check(const px_config *config, px_error *err)
{
    printf("ok  configuration: %s/%s -> %s/%s, %d output%s\n", config->source, config->source_prefix, config->destination,
           config->destination_prefix, config->recipe.output_count, config->recipe.output_count == 1 ? "" : "s");
    PX_TRY(check_folder(config->data, err));
    printf("ok  data folder: %s\n", config->data);
    PX_AUTO(sandbox_done) px_sandbox *sandbox = NULL;
    PX_TRY(px_sandbox_open(&sandbox, err));
    printf("ok  sandbox: the process that transforms pictures starts\n");
    return PX_OK;
}

static px_status examine(const px_options *options, px_error *err)
{
    PX_AUTO(px_arena_close) px_arena arena = { 0 };
    px_config config;
    PX_TRY(px_arena_open(16u << 20, &arena, err));
    if (px_option_is_on(options, "show")) {
        px_setting settings[PX_GIVEN_MAX];
        int count = px_options_settings(options, settings);
        const char *text = NULL;
        PX_TRY(px_config_show(px_option_text(options, "config", NULL), settings, count, &arena, &text, err));
        fputs(text, stdout);
        return PX_OK;
    }
    PX_TRY(px_command_config(options, NULL, 0, &arena, &config, err));
    return check(&config, err);
}

static int run(const px_options *options)
{
    px_error err = { 0 };
    if (px_option_is_on(options, "options-markdown")) {
        print_options();
        return PX_EXIT_OK;
    }
    if (px_option_is_on(options, "errors-markdown")) {
        print_errors();
        return PX_EXIT_OK;
    }
    px_status status = px_option_text(options, "openapi", NULL) ? print_openapi(options, &err) : examine(options, &err);
    return status == PX_OK ? PX_EXIT_OK : px_options_fail(options, status, &err);
}

static const px_flag flags[] = {
    { "show", 0, NULL, "print what is in force and where each value came from", NULL },
    { "openapi", 0, "FORM", "print the upload API's OpenAPI: plain, or gateway for Amazon API Gateway", NULL },
    { "function", 0, "ARN", "of --openapi gateway: the function that answers (else CloudFormation's ApiFunction)", NULL },
    { "options-markdown", 0, NULL, "print the table of docs/configure.md", NULL },
    { "errors-markdown", 0, NULL, "print the table of docs/errors.md", NULL },
    PX_FLAG_DATA,
    PX_FLAG_CONFIG,
    { NULL, 0, NULL, NULL, NULL },
};

const px_command px_command_check = {
    .name = "check", .arguments = "", .summary = "Check the configuration, the data folder and the sandbox",
    .flags = flags, .run = run,
};
