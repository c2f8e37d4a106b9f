/* fixture.h - a local store in a folder of its own, and writing to it as if it were blocking. */
#ifndef PX_TEST_LOCAL_FIXTURE_H
#define PX_TEST_LOCAL_FIXTURE_H

#include <semaphore.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "local/local.h"

#define BLOCKING_ETAG 129
struct result {
    sem_t done;
    px_status status;
    char message[400], etag[BLOCKING_ETAG], sequencer[40];
};

static void __attribute__((unused)) tell(void *context, px_status status, const px_error *err, const px_object *object)
{
    struct result *result = context;
    result->status = status;
    snprintf(result->message, sizeof result->message, "%s", status == PX_OK ? "" : err->message);
    if (status == PX_OK && object->etag)
        snprintf(result->etag, sizeof result->etag, "%s", object->etag);
    if (status == PX_OK && object->sequencer)
        snprintf(result->sequencer, sizeof result->sequencer, "%s", object->sequencer);
    sem_post(&result->done);
}

static px_upload *uploaded(px_local *local, const void *bytes, size_t count)
{
    px_upload *upload = NULL;
    assert_int_equal(px_upload_begin(local, &upload, NULL), PX_OK);
    assert_int_equal(px_upload_push(upload, bytes, count, NULL), PX_OK);
    return upload;
}

static struct result __attribute__((unused)) put_if(px_local *local, const char *bucket, const char *key, const char *text, px_condition condition)
{
    struct result result = { .status = PX_OK };
    px_meta meta = { "colour", "red" };
    px_object head = { .bucket = bucket, .key = key, .content_type = "text/plain", .meta = &meta, .meta_count = 1 };
    sem_init(&result.done, 0, 0);
    px_local_put(local, uploaded(local, text, strlen(text)), &head, "ObjectCreated:Put", condition, tell, &result);
    sem_wait(&result.done);
    return result;
}

static px_status __attribute__((unused)) put(px_local *local, const char *bucket, const char *key, const char *text)
{
    return put_if(local, bucket, key, text, (px_condition){ 0 }).status;
}

static px_status __attribute__((unused)) delete_one(px_local *local, const char *bucket, const char *key)
{
    struct result result = { .status = PX_OK };
    sem_init(&result.done, 0, 0);
    px_local_delete(local, bucket, key, (px_condition){ 0 }, tell, &result);
    sem_wait(&result.done);
    return result.status;
}

static px_local *__attribute__((unused)) open_local(const char *folder)
{
    px_local *local = NULL;
    px_error err = { "" };
    px_local_options options = { .folder = folder, .region = "eu-central-1", .source = "source", .source_prefix = "in/" };
    if (px_local_open(&options, &local, &err) != PX_OK)
        fail_msg("%s", err.message);
    return local;
}

/* A new folder with the buckets "source" and "target". */
static px_local *__attribute__((unused)) fresh_local(char folder[32])
{
    strcpy(folder, "/tmp/px-local-XXXXXX");
    assert_non_null(mkdtemp(folder));
    px_local *local = open_local(folder);
    assert_int_equal(px_local_bucket_create(local, "source", NULL), PX_OK);
    assert_int_equal(px_local_bucket_create(local, "target", NULL), PX_OK);
    return local;
}

static void __attribute__((unused)) remove_folder(const char *folder)
{
    char command[80];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

static int __attribute__((unused)) count_files(const char *folder)
{
    char command[100];
    int count = -1;
    snprintf(command, sizeof command, "find %s/blobs -type f | wc -l", folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

#endif
