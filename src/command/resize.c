/* resize: pictures from file to file, many at once, each in a process of its own.
 *
 * Arguments become a list of items (folders are walked); worker threads take them one by one. An output is made in
 * memory, then written beside its final name and renamed, so nothing half-made is ever seen; its name is known only
 * then, since it may hold the format and the size. Inputs are remembered by device and inode: none is overwritten. */
#include "command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <libgen.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "command/progress.h"
#include "pipeline/pipeline.h"
#include "sandbox/sandbox.h"

enum { ARENA_BYTES = 1 << 20 };

static const char *const default_name = "{dir}processed-{stem}.{ext}";

typedef struct item {
    char *path;   /* owned; "-" is standard input */
    char *folder; /* owned; below the folder that was given: "" or "a/b/" */
    dev_t device;
    ino_t inode;
} item;

typedef enum target_kind { TO_STDOUT, TO_FILE, TO_FOLDER } target_kind;

typedef struct work {
    const px_options *options;
    px_sandbox *sandbox;
    px_limits limits;
    px_arena arena;
    px_output output;    /* its name and id are not used: `name` is */
    px_output_spec spec;
    px_marks *marks;     /* the watermark's bytes */
    target_kind kind;
    const char *target, *name;
    bool json;
    item *items; /* owned */
    int count, capacity;
    char **taken; /* owned; names of this run, under progress.lock */
    mode_t mask;  /* of file modes */
    _Atomic int next, failed;
    px_progress progress;
} work;

/* ---- options ---- */

/* The flags, as the recipe that they are. With a height alone, the width follows from it. */
static px_status parse_recipe(work *self, px_error *err)
{
    px_setting settings[PX_GIVEN_MAX + 2];
    int count = px_options_settings(self->options, settings + 2), first = 1;
    settings[1] = (px_setting){ "name", default_name }; /* what of it is said is judged by `format_name` */
    if (px_option_is_on(self->options, "height"))
        settings[--first] = (px_setting){ "width", "0" }; /* in front, so that what was said of it counts */
    PX_TRY(px_output_parse(settings + first, count + 2 - first, &self->arena, &self->output, err));
    PX_TRY(px_marks_open(&self->marks, err));
    PX_TRY(px_marks_take(self->marks, NULL, &self->output, 1, err));
    self->spec = self->output.spec;
    return PX_OK;
}

/* ---- what goes in ---- */

static px_status add_item(work *self, const char *path, const char *folder, size_t folder_length,
                          const struct stat *about, px_error *err)
{
    if (self->count == self->capacity) {
        int capacity = self->capacity ? self->capacity * 2 : 64;
        item *more = realloc(self->items, (size_t)capacity * sizeof *more);
        if (!more)
            return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the list of pictures");
        self->items = more;
        self->capacity = capacity;
    }
    item one = { strdup(path), strndup(folder, folder_length), about->st_dev, about->st_ino };
    self->items[self->count++] = one;
    return one.path && one.folder ? PX_OK : px_fail(err, PX_OUT_OF_MEMORY, "no memory for the list of pictures");
}

static bool is_picture_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && px_format_of_extension(dot + 1) != PX_FORMAT_COUNT;
}

/* Adds the pictures in a folder, told by their extensions, but never those of the target folder below it, nor what an
 * earlier run left in the same folder. */
static px_status walk(work *self, const char *root, px_error *err)
{
    struct stat target = { 0 };
    bool has_target = stat(self->target, &target) == 0;
    char *roots[] = { (char *)root, NULL };
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!tree)
        return px_fail_errno(err, errno, "cannot read %s", root);
    px_status status = PX_OK;
    size_t skip = strlen(root);
    for (FTSENT *entry; status == PX_OK && (entry = fts_read(tree));) {
        bool is_target = has_target && entry->fts_info == FTS_D && entry->fts_statp->st_ino == target.st_ino &&
                         entry->fts_statp->st_dev == target.st_dev;
        if (is_target && entry->fts_level > 0)
            fts_set(tree, entry, FTS_SKIP);
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
            status = px_fail_errno(err, entry->fts_errno, "cannot read %s", entry->fts_path);
        if (entry->fts_info != FTS_F || !is_picture_name(entry->fts_name))
            continue;
        if (self->name == default_name && strncmp(entry->fts_name, "processed-", 10) == 0)
            continue;
        const char *below = entry->fts_path + skip;
        below += strspn(below, "/");
        const char *slash = strrchr(below, '/');
        status = add_item(self, entry->fts_path, below, slash ? (size_t)(slash - below) + 1 : 0,
                          entry->fts_statp, err);
    }
    fts_close(tree);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static px_status gather(work *self, px_error *err)
{
    const px_options *options = self->options;
    int inputs = options->argument_count - 1;
    bool many = inputs > 1;
    for (int i = 0; i < inputs; i++)
        many |= is_folder(options->arguments[i]);
    self->target = options->arguments[inputs];
    size_t length = strlen(self->target);
    if (strcmp(self->target, "-") == 0)
        self->kind = TO_STDOUT;
    else if (many || is_folder(self->target) || (length && self->target[length - 1] == '/'))
        self->kind = TO_FOLDER;
    else
        self->kind = TO_FILE;
    if (self->kind == TO_STDOUT && many)
        return px_fail(err, PX_BAD_REQUEST, "standard output takes one picture; name a folder for many");
    if (self->kind == TO_FOLDER && !is_folder(self->target) && access(self->target, F_OK) == 0)
        return px_fail(err, PX_BAD_REQUEST, "%s is a file; many pictures need a folder", self->target);

    for (int i = 0; i < inputs; i++) {
        const char *path = options->arguments[i];
        struct stat about = { 0 };
        if (strcmp(path, "-") != 0 && is_folder(path))
            PX_TRY(walk(self, path, err));
        else {
            (void)(strcmp(path, "-") == 0 ? 0 : stat(path, &about)); /* absent: its own failure, later */
            PX_TRY(add_item(self, path, "", 0, &about, err));
        }
    }
    return self->count ? PX_OK : px_fail(err, PX_BAD_REQUEST, "no pictures found");
}

/* ---- names ---- */

/* Fills the template. With a NULL report only its words are judged. */
static px_status format_name(const char *template, const item *from, const px_output_report *report, px_buffer *out,
                             px_error *err)
{
    const char *slash = strrchr(from->path, '/');
    const char *file = strcmp(from->path, "-") == 0 ? "stdin" : slash ? slash + 1 : from->path;
    const char *dot = strrchr(file, '.');
    size_t stem = dot && dot != file ? (size_t)(dot - file) : strlen(file);
    px_output_report any = { .format = PX_FORMAT_JPEG };
    const px_output_report *of = report ? report : &any;

    for (const char *c = template; *c;) {
        size_t plain = strcspn(c, "{");
        px_buffer_push(out, c, plain);
        c += plain;
        if (!*c)
            break;
        size_t length = strcspn(c, "}") + 1;
        char word[16] = "";
        if (length > 2 && length - 2 < sizeof word && c[length - 1] == '}')
            memcpy(word, c + 1, length - 2);
        if (strcmp(word, "dir") == 0)
            px_buffer_text(out, from->folder);
        else if (strcmp(word, "stem") == 0)
            px_buffer_push(out, file, stem);
        else if (strcmp(word, "filename") == 0)
            px_buffer_text(out, file);
        else if (strcmp(word, "ext") == 0)
            px_buffer_text(out, px_format_extension(of->format));
        else if (strcmp(word, "format") == 0)
            px_buffer_text(out, px_format_name(of->format));
        else if (strcmp(word, "width") == 0)
            px_buffer_format(out, "%d", of->width);
        else if (strcmp(word, "height") == 0)
            px_buffer_format(out, "%d", of->height);
        else
            return px_fail(err, PX_BAD_REQUEST,
                           "--name %s: its words are {dir} {stem} {ext} {filename} {format} {width} {height}", template);
        c += length;
    }
    return px_buffer_failed(out) ? px_fail(err, PX_OUT_OF_MEMORY, "no memory for a name") : PX_OK;
}

/* Takes an output name for this run; false: another picture has it. */
static bool take_name(work *self, int index, const char *path)
{
    bool free_to_use = true;
    pthread_mutex_lock(&self->progress.lock);
    for (int i = 0; i < self->count && free_to_use; i++)
        free_to_use = !self->taken[i] || strcmp(self->taken[i], path) != 0;
    if (free_to_use)
        self->taken[index] = strdup(path);
    pthread_mutex_unlock(&self->progress.lock);
    return free_to_use;
}

/* ---- one picture ---- */

static px_status copy_all(int from, uint64_t bytes, int to, const char *name, px_error *err)
{
    uint8_t block[65536];
    for (uint64_t offset = 0; offset < bytes;) {
        size_t got = 0;
        PX_TRY(px_pread_all(from, block, sizeof block, offset, &got, name, err));
        if (got == 0)
            return px_fail(err, PX_INTERNAL, "the output of %s ended early", name);
        PX_TRY(px_write_all(to, block, got, name, err));
        offset += got;
    }
    return PX_OK;
}

static px_status make_parents(const char *path, px_error *err)
{
    char *copy = strdup(path);
    if (!copy)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a name");
    px_status status = PX_OK;
    for (char *c = copy + 1; *copy && *c && status == PX_OK; c++)
        if (*c == '/') {
            *c = '\0';
            if (mkdir(copy, 0777) != 0 && errno != EEXIST)
                status = px_fail_errno(err, errno, "cannot make the folder %s", copy);
            *c = '/';
        }
    free(copy);
    return status;
}

/* Writes the output beside `path` and renames it. */
static px_status store(const work *self, const char *path, int output, uint64_t bytes, px_error *err)
{
    struct stat about;
    if (stat(path, &about) == 0)
        for (int i = 0; i < self->count; i++)
            if (self->items[i].inode == about.st_ino && self->items[i].device == about.st_dev)
                return px_fail(err, PX_RECURSIVE, "%s is an input; it is not overwritten", path);
    PX_TRY(make_parents(path, err));
    PX_AUTO(px_buffer_done) px_buffer beside = { 0 };
    px_buffer_format(&beside, "%s.XXXXXX", path);
    if (px_buffer_failed(&beside))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a name");
    PX_AUTO(px_fd_close) int fd = mkostemp(beside.data, O_CLOEXEC);
    if (fd < 0)
        return px_fail_errno(err, errno, "cannot write %s", path);
    px_status status = copy_all(output, bytes, fd, path, err);
    if (status == PX_OK && (fchmod(fd, 0666 & ~self->mask) != 0 || rename(beside.data, path) != 0))
        status = px_fail_errno(err, errno, "cannot write %s", path);
    if (status != PX_OK)
        unlink(beside.data);
    return status;
}

/* Feeds what cannot be read at an offset (standard input, a pipe) into a growing source. */
typedef struct feeder {
    int fd;
    uint64_t limit;
    px_source *source;
    _Atomic bool too_much;
} feeder;

static void *feed(void *context)
{
    feeder *self = context;
    uint8_t block[65536];
    uint64_t total = 0;
    for (;;) {
        ssize_t got = read(self->fd, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0) {
            px_source_finish(self->source);
            return NULL;
        }
        total += got > 0 ? (uint64_t)got : 0;
        self->too_much = total > self->limit;
        if (got < 0 || self->too_much || px_source_push(self->source, block, (size_t)got, NULL) != PX_OK) {
            px_source_fail(self->source);
            return NULL;
        }
    }
}

static px_status transform(work *self, const px_source *source, int output, px_transform_report *ret,
                           px_sandbox_usage *ret_usage, px_error *err)
{
    px_sandbox_task task = { source, &self->limits, &self->spec, &output, 1 };
    return px_sandbox_run(self->sandbox, &task, ret, ret_usage, err);
}

static px_status transform_stream(work *self, int fd, int output, px_transform_report *ret,
                                  px_sandbox_usage *ret_usage, px_error *err)
{
    PX_AUTO(px_source_close) px_source source = PX_SOURCE_NONE;
    PX_TRY(px_source_create(&source, err));
    feeder feeding = { .fd = fd, .limit = self->limits.input_bytes, .source = &source };
    pthread_t thread;
    if (pthread_create(&thread, NULL, feed, &feeding) != 0)
        return px_fail(err, PX_OUT_OF_MEMORY, "cannot start a thread");
    px_status status = transform(self, &source, output, ret, ret_usage, err);
    pthread_cancel(thread); /* it may still wait for a sender; read is where it can be cancelled */
    pthread_join(thread, NULL);
    if (feeding.too_much)
        return px_fail(err, PX_TOO_MANY_BYTES, "more than %llu bytes", (unsigned long long)feeding.limit);
    return status;
}

static px_status transform_item(work *self, const item *from, int output, px_transform_report *ret,
                                px_sandbox_usage *ret_usage, px_error *err)
{
    if (strcmp(from->path, "-") == 0)
        return transform_stream(self, STDIN_FILENO, output, ret, ret_usage, err);
    PX_AUTO(px_fd_close) int fd = open(from->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0)
        return errno == ENOENT ? px_fail(err, PX_NO_SUCH_KEY, "there is no such file")
                               : px_fail_errno(err, errno, "cannot be read");
    if (!S_ISREG(about.st_mode))
        return transform_stream(self, fd, output, ret, ret_usage, err);
    if ((uint64_t)about.st_size > self->limits.input_bytes)
        return px_fail(err, PX_TOO_MANY_BYTES, "%lld bytes, the limit is %llu", (long long)about.st_size,
                       (unsigned long long)self->limits.input_bytes);
    PX_AUTO(px_source_close) px_source source = PX_SOURCE_NONE;
    int given = fd;
    fd = -1;
    PX_TRY(px_source_open(given, &source, err));
    return transform(self, &source, output, ret, ret_usage, err);
}

/* From reading to the final name, which is left in `path`. */
static px_status make(work *self, int index, px_buffer *path, px_transform_report *ret, px_sandbox_usage *ret_usage,
                      px_error *err)
{
    const item *from = &self->items[index];
    PX_AUTO(px_fd_close) int output = memfd_create("output", MFD_CLOEXEC);
    if (output < 0)
        return px_fail_errno(err, errno, "cannot make room for an output");
    PX_TRY(transform_item(self, from, output, ret, ret_usage, err));
    const px_output_report *report = &ret->outputs[0];
    if (self->kind == TO_STDOUT) {
        px_buffer_text(path, "-");
        return copy_all(output, report->bytes, STDOUT_FILENO, "standard output", err);
    }
    px_buffer_text(path, self->target);
    if (self->kind == TO_FOLDER) {
        if (path->data && path->count && path->data[path->count - 1] != '/')
            px_buffer_text(path, "/");
        PX_TRY(format_name(self->name, from, report, path, err));
    }
    if (px_buffer_failed(path))
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for a name");
    if (!take_name(self, index, path->data))
        return px_fail(err, PX_OUTPUT_NAME_TAKEN, "%s is the output of another picture; use {dir} or {filename} in --name",
                       path->data);
    return store(self, path->data, output, report->bytes, err);
}

/* ---- telling ---- */

static void tell_json(FILE *stream, const item *from, const char *path, px_status status,
                      const px_transform_report *report, const px_sandbox_usage *usage, int64_t ms,
                      const px_error *err)
{
    const px_output_report *output = &report->outputs[0];
    char placeholder[PX_PLACEHOLDER_TEXT], colour[PX_COLOUR_TEXT];
    px_placeholder_format(report, placeholder, colour);
    json_t *object = status == PX_OK
        ? json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:s, s:i, s:i, s:s*, s:s*, s:I, s:I, s:I}", "source", from->path, "output", path,
                    "format", px_format_name(output->format), "width", output->width, "height", output->height,
                    "bytes", (json_int_t)output->bytes, "source_format", px_format_name(report->format),
                    "source_width", report->width, "source_height", report->height,
                    "placeholder", *placeholder ? placeholder : NULL, "colour", *colour ? colour : NULL, "ms", (json_int_t)ms,
                    "cpu_ms", (json_int_t)(usage->cpu_us / 1000), "peak_bytes", (json_int_t)usage->peak_bytes)
        : json_pack("{s:s, s:{s:s, s:s}, s:I}", "source", from->path, "error", "code", px_status_code(status),
                    "message", err->message, "ms", (json_int_t)ms);
    if (object && status == PX_OK && report->truncated)
        json_object_set_new(object, "truncated", json_true());
    if (object && status == PX_OK) {
        json_object_set_new(object, "quality", json_integer(output->quality));
        if (*output->reason)
            json_object_set_new(object, "reason", json_string(output->reason));
    }
    if (object) { /* NULL: a name that is not UTF-8 */
        json_dumpf(object, stream, JSON_COMPACT);
        fputc('\n', stream);
    }
    json_decref(object);
}

static void tell(work *self, const item *from, const char *path, px_status status, const px_transform_report *report,
                 const px_sandbox_usage *usage, int64_t ms, const px_error *err)
{
    FILE *stream = self->kind == TO_STDOUT ? stderr : stdout;
    px_progress_hide(&self->progress);
    if (self->json)
        tell_json(stream, from, path, status, report, usage, ms, err);
    if (status != PX_OK)
        fprintf(stderr, "pixmill resize: %s: %s (%s)\n", from->path, err->message, px_status_code(status));
    else if (report->truncated && !self->json)
        fprintf(stderr, "pixmill resize: %s: the file ends early; the output has what is there\n", from->path);
    if (status == PX_OK && !self->json && !self->progress.shown && self->kind != TO_STDOUT)
        fprintf(stream, "%s -> %s  %dx%d  %llu bytes  %lld ms\n", from->path, path, report->outputs[0].width,
                report->outputs[0].height, (unsigned long long)report->outputs[0].bytes, (long long)ms);
    fflush(stream);
    px_progress_show(&self->progress, 1);
}

static void *run_worker(void *context)
{
    work *self = context;
    for (int index; (index = atomic_fetch_add(&self->next, 1)) < self->count;) {
        px_error err = { 0 };
        px_transform_report report = { 0 };
        px_sandbox_usage usage = { 0 };
        PX_AUTO(px_buffer_done) px_buffer path = { 0 };
        int64_t began = px_monotonic_us();
        px_status status = make(self, index, &path, &report, &usage, &err);
        if (status != PX_OK)
            atomic_fetch_add(&self->failed, 1);
        tell(self, &self->items[index], path.data ? path.data : "", status, &report, &usage,
             (px_monotonic_us() - began) / 1000, &err);
    }
    return NULL;
}

static void run_workers(work *self, int64_t jobs)
{
    pthread_t threads[64];
    int count = 0;
    while (count < jobs - 1 && count < self->count - 1 && count < 64 &&
           pthread_create(&threads[count], NULL, run_worker, self) == 0)
        count++;
    run_worker(self); /* this thread works too */
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* ---- the command ---- */

static void work_done(work *self)
{
    px_sandbox_close(self->sandbox);
    px_marks_give_back(&self->output, 1);
    px_marks_close(self->marks);
    for (int i = 0; i < self->count; i++) {
        free(self->items[i].path);
        free(self->items[i].folder);
        if (self->taken)
            free(self->taken[i]);
    }
    free(self->items);
    free(self->taken);
    px_arena_close(&self->arena);
}

/* Of `--format auto` no name may say the format beforehand. */
static px_status judge_name_of_auto(const work *self, px_error *err)
{
    if (self->kind == TO_FILE)
        return px_fail(err, PX_BAD_RECIPE, "%s says a format, and --format auto another, perhaps: name a folder, or - for standard output",
                       self->target);
    if (self->kind == TO_FOLDER && !strstr(self->name, "{ext}") && !strstr(self->name, "{format}"))
        return px_fail(err, PX_BAD_RECIPE, "--name %s: with --format auto it needs {ext} or {format}", self->name);
    return PX_OK;
}

static px_status prepare(work *self, int64_t *ret_jobs, px_error *err)
{
    const px_options *options = self->options;
    PX_TRY(px_arena_open(ARENA_BYTES, &self->arena, err));
    PX_TRY(parse_recipe(self, err));
    int64_t seconds;
    PX_TRY(px_option_number(options, "seconds", 1, 86400, self->limits.seconds, &seconds, err));
    self->limits.seconds = (uint32_t)seconds;
    const char *truncated = px_option_text(options, "truncated", "refuse");
    self->limits.truncated = strcmp(truncated, "accept") == 0;
    if (!self->limits.truncated && strcmp(truncated, "refuse") != 0)
        return px_fail(err, PX_BAD_REQUEST, "--truncated is refuse or accept, not '%s'", truncated);
    const char *placeholder = px_option_text(options, "placeholder", "true");
    self->limits.placeholder = strcmp(placeholder, "true") == 0;
    if (!self->limits.placeholder && strcmp(placeholder, "false") != 0)
        return px_fail(err, PX_BAD_REQUEST, "--placeholder is true or false, not '%s'", placeholder);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    PX_TRY(px_option_number(options, "jobs", 1, 64, cores < 1 ? 1 : cores > 64 ? 64 : cores, ret_jobs, err));
    self->json = px_option_is_on(options, "json");
    self->name = px_option_text(options, "name", default_name);
    PX_AUTO(px_buffer_done) px_buffer scratch = { 0 };
    PX_TRY(format_name(self->name, &(item){ .path = (char *)"a.jpg", .folder = (char *)"" }, NULL, &scratch, err));
    PX_TRY(gather(self, err));

    const char *slash = strrchr(self->target, '/');
    const char *dot = strrchr(slash ? slash : self->target, '.');
    if (self->kind == TO_FILE && !px_option_is_on(options, "format")) {
        self->spec.format = dot ? px_format_of_extension(dot + 1) : PX_FORMAT_COUNT;
        if (self->spec.format == PX_FORMAT_COUNT)
            return px_fail(err, PX_BAD_REQUEST, "%s: the extension names no format; use .jpg, .png, .webp … or --format",
                           self->target);
        if (!px_format_is_written(self->spec.format))
            return px_fail(err, PX_BAD_REQUEST, "%s: %s is read, but not written; use .jpg, .png, .webp … or --format", self->target,
                           px_format_name(self->spec.format));
    }
    if (self->spec.format == PX_FORMAT_AUTO)
        PX_TRY(judge_name_of_auto(self, err));
    self->taken = calloc((size_t)self->count, sizeof *self->taken);
    if (!self->taken)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the list of pictures");
    return px_sandbox_open(&self->sandbox, err);
}

static int run(const px_options *options)
{
    PX_AUTO(work_done) work self = { .options = options, .limits = PX_LIMITS_DEFAULT };
    px_error err = { 0 };
    int64_t jobs = 1;
    self.mask = umask(022); /* the only way to ask */
    umask(self.mask);
    px_status status = prepare(&self, &jobs, &err);
    if (status != PX_OK)
        return px_options_fail(options, status, &err);
    px_progress_init(&self.progress, self.count, !self.json);
    run_workers(&self, jobs);
    px_progress_done(&self.progress);
    int failed = self.failed;
    return failed == 0 ? PX_EXIT_OK : failed == self.count ? PX_EXIT_FAILED : PX_EXIT_PARTLY;
}

static const px_flag flags[] = {
    { "width", 'w', "PIXELS", "at most this wide (800 if no size is given); 0: as the height or the source has it", "width" },
    { "height", 0, "PIXELS", "at most this high", "height" },
    { "fit", 0, "FIT", "inside, cover, contain, fill or outside", "fit" },
    { "position", 0, "POSITION", "centre, top, bottom-left … or attention: what cover shows, where contain lays", "position" },
    { "crop", 0, "X,Y,W,H", "first take this part, in pixels or percent (10%,10%,80%,80%)", "crop" },
    { "rotate", 0, "DEGREES", "auto (upright), 90, 180 or 270 beyond that, or none", "rotate" },
    { "resampling", 0, "WAY", "fast, or best: JPEGs are scaled less while they are decoded (fast)", "resampling" },
    { "sharpen", 0, "0-100", "percent of a small unsharp mask (0)", "sharpen" },
    { "enlarge", 0, NULL, "also make small pictures bigger", "enlarge" },
    { "format", 'f', "FORMAT", "such as jpeg, webp, keep or auto; otherwise OUT's extension tells", "format" },
    { "quality", 'q', "1-100", "of formats that have one (80); auto: the lowest that reaches --target", "quality" },
    { "target", 0, "TARGET", "of --quality auto: fair, good or fine likeness (good)", "target" },
    { "max-bytes", 0, "SIZE", "of the output, such as 100kB: the best quality that fits", "max_bytes" },
    { "colour", 0, "MODE", "srgb (convert as the ICC profile says) or keep (and embed the profile)", "colour" },
    { "effort", 0, "EFFORT", "low, normal or high: time for fewer bytes; high: progressive JPEG", "effort" },
    { "lossless", 0, NULL, "without loss, where the format has both ways", "lossless" },
    { "palette", 0, NULL, "PNG in at most 256 colours", "palette" },
    { "strip", 0, "WHAT", "metadata that goes: all (default), gps (place, owner, serials) or none (the thumbnail alone)", "strip" },
    { "animated", 0, "true|false", "keep every frame where the format can (true)", "animated" },
    { "background", 0, "#RRGGBB", "where transparency is lost, and around contain (#ffffff); or transparent", "background" },
    { "watermark-image", 0, "FILE", "a picture to lay over the output, with alpha", "watermark.image" },
    { "watermark-text", 0, "TEXT", "a line of text to lay over it", "watermark.text" },
    { "watermark-font", 0, "FILE", "the text's font (DejaVu Sans)", "watermark.font" },
    { "watermark-colour", 0, "#RRGGBB", "of the text (#ffffff)", "watermark.colour" },
    { "watermark-position", 0, "WHERE", "top-left, top, top-right, left, centre, right, bottom-left, bottom or bottom-right (which it is)", "watermark.position" },
    { "watermark-margin", 0, "PERCENT", "from the edges, of the shorter side (3)", "watermark.margin" },
    { "watermark-opacity", 0, "1-100", "percent (100)", "watermark.opacity" },
    { "watermark-scale", 0, "1-100", "its width, in percent of the output's (25)", "watermark.scale" },
    { "watermark-tiled", 0, NULL, "all over the picture", "watermark.tiled" },
    { "name", 'n', "TEMPLATE", "of outputs in a folder ({dir}processed-{stem}.{ext})", NULL },
    { "jobs", 'j', "COUNT", "pictures at once (as many as cores)", NULL },
    { "truncated", 0, "refuse|accept", "a picture that ends early: an error (default), or what is there", NULL },
    { "placeholder", 0, "true|false", "tell a ThumbHash and the dominant colour with --json (true)", NULL },
    { "seconds", 0, "SECONDS", "one picture may take (60)", NULL },
    { "json", 0, NULL, "one JSON object a picture", NULL },
    { 0 },
};

const px_command px_command_resize = {
    "resize", "IN… OUT", "Resize pictures: files, folders, or - for standard input and output", flags, 2, -1, run,
};
