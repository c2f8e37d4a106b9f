/* outputs: several outputs of one decode, through the sandbox as the service does it: what bench/compare's row of five widths runs.
 *
 * outputs COUNT PICTURE WIDTH QUALITY FILE [WIDTH QUALITY FILE]...: makes them COUNT times; a file's extension names its format. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/source.h"
#include "sandbox/sandbox.h"

typedef struct work {
    const char *picture;
    const char **files; /* of the outputs */
    px_output_spec specs[PX_LIMIT_OUTPUTS];
    int count;
} work;

static int usage(void)
{
    fprintf(stderr, "usage: outputs COUNT PICTURE WIDTH QUALITY FILE [WIDTH QUALITY FILE]...\n");
    return 2;
}

static px_status run_task(px_sandbox *sandbox, const work *self, const px_source *source, const int *fds, px_error *err)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    px_transform_report report;
    px_sandbox_task task = { .source = source, .limits = &limits, .specs = self->specs, .output_fds = fds, .count = self->count };
    return px_sandbox_run(sandbox, &task, &report, NULL, err);
}

static px_status make(px_sandbox *sandbox, const work *self, px_error *err)
{
    px_source source = PX_SOURCE_NONE;
    int fd = open(self->picture, O_RDONLY | O_CLOEXEC), fds[PX_LIMIT_OUTPUTS];
    if (fd < 0)
        return px_fail_errno(err, errno, "cannot read %s", self->picture);
    PX_TRY(px_source_open(fd, &source, err));
    px_status status = PX_OK;
    int opened = 0;
    for (; status == PX_OK && opened < self->count; opened++)
        if ((fds[opened] = open(self->files[opened], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) < 0)
            status = px_fail_errno(err, errno, "cannot write %s", self->files[opened]);
    if (status == PX_OK)
        status = run_task(sandbox, self, &source, fds, err);
    for (int i = 0; i < opened; i++)
        close(fds[i]);
    px_source_close(&source);
    return status;
}

static px_status make_all(const work *self, int times, px_error *err)
{
    px_sandbox *sandbox = NULL;
    PX_TRY(px_sandbox_open(&sandbox, err));
    px_status status = PX_OK;
    for (int i = 0; i < times && status == PX_OK; i++)
        status = make(sandbox, self, err);
    px_sandbox_close(sandbox);
    return status;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], PX_ZYGOTE_ARGUMENT) == 0)
        return px_zygote_main(); /* the sandbox starts this program again */
    const char *files[PX_LIMIT_OUTPUTS];
    work self = { .files = files };
    if (argc < 6 || argc % 3 || (argc - 3) / 3 > PX_LIMIT_OUTPUTS)
        return usage();
    self.picture = argv[2];
    for (int i = 3; i < argc; i += 3) {
        const char *dot = strrchr(argv[i + 2], '.');
        px_output_spec spec = PX_OUTPUT_SPEC_DEFAULT;
        spec.width = atoi(argv[i]);
        spec.quality = atoi(argv[i + 1]);
        spec.format = px_format_of_extension(dot ? dot + 1 : "");
        if (spec.format == PX_FORMAT_COUNT || spec.quality < 0 || spec.quality > 100 || spec.width < 1)
            return usage();
        self.specs[self.count] = spec;
        files[self.count++] = argv[i + 2];
    }
    px_error err = { 0 };
    if (make_all(&self, atoi(argv[1]), &err) == PX_OK)
        return 0;
    fprintf(stderr, "outputs: %s\n", err.message);
    return 1;
}
