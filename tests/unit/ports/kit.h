/* kit.h - what the contract tests share: the place of the running test, and short words for records and outputs. */
#ifndef PX_TEST_PORTS_KIT_H
#define PX_TEST_PORTS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "contract.h"

#define UNUSED __attribute__((unused))

static const px_place_factory *factory_now;
static px_place *place;
static px_arena arena;

static int kit_open(void **state)
{
    (void)state;
    place = factory_now->open();
    return place && px_arena_open(16 << 20, &arena, NULL) == PX_OK ? 0 : -1;
}

static int kit_close(void **state)
{
    (void)state;
    factory_now->close(place);
    px_arena_close(&arena);
    return 0;
}

#define KIT_TEST(name) cmocka_unit_test_setup_teardown(name, kit_open, kit_close)

static UNUSED px_owner owner_of(const char *key, const char *sequencer, int64_t token)
{
    px_owner owner = { .token = token, .recipe = "0123456789abcdef", .etag = "abc" };
    px_source_id(place->source, key, owner.source);
    px_sequencer_pad(sequencer, owner.sequencer);
    return owner;
}

static UNUSED const char *image_of(const char *key) { return px_arena_format(&arena, "%s/%s", place->source, key); }

static UNUSED px_status claim(const char *key, const char *sequencer, px_record *ret)
{
    char padded[33];
    px_sequencer_pad(sequencer ? sequencer : "", padded);
    px_claim wish = { .image_id = image_of(key), .owner = "test", .until_ms = px_now_ms() + 60000,
                      .sequencer = sequencer ? padded : NULL };
    px_error err = { "" };
    return place->table->claim(place->table, &wish, &arena, ret, &err);
}

/* put_set of one output with the bytes `text`. */
static UNUSED px_status put_output(const char *source_key, const char *key, const char *text, px_owner owner, bool any,
                                   px_error *err)
{
    PX_AUTO(px_fd_close) int fd = memfd_create("output", MFD_CLOEXEC);
    px_meta meta = { "camera", "pinhole" };
    px_put put = { .bucket = place->target, .key = key, .fd = fd, .bytes = strlen(text), .content_type = "image/jpeg",
                   .cache_control = "", .content_disposition = "", .meta = &meta, .meta_count = 1, .owner = owner,
                   .overwrite_any = any };
    px_set set = { .puts = &put, .put_count = 1 };
    assert_int_equal(px_write_all(fd, text, strlen(text), "memfd", NULL), PX_OK);
    return place->store->put_set(place->store, image_of(source_key), &set, err);
}

static UNUSED px_status finish(px_record *record, const char *sequencer, px_record_status status)
{
    char padded[33];
    px_sequencer_pad(sequencer, padded);
    record->status = status;
    record->sequencer = px_arena_copy_text(&arena, padded);
    record->processed_ms = px_now_ms();
    return place->table->finish(place->table, record, NULL, NULL);
}

/* A whole run of a job. */
static UNUSED px_status run_job(const char *source_key, const char *sequencer, const char *key, const char *text, bool any,
                                px_error *err)
{
    px_record record;
    PX_TRY(claim(source_key, sequencer, &record));
    px_status status = put_output(source_key, key, text, owner_of(source_key, sequencer, record.token), any, err);
    if (status == PX_OK) {
        char padded[33];
        px_sequencer_pad(sequencer, padded);
        record.status = PX_RECORD_DONE;
        record.sequencer = px_arena_copy_text(&arena, padded);
        status = place->table->finish(place->table, &record, NULL, err);
    }
    if (status != PX_OK) {
        place->store->abandon(place->store, record.image_id);
        place->table->release(place->table, record.image_id, record.token);
    }
    return status;
}

static UNUSED px_status object_of(const char *bucket, const char *key, px_object *ret)
{
    return place->store->head(place->store, bucket, key, &arena, ret, NULL);
}

static UNUSED void assert_holds(const char *bucket, const char *key, const char *text)
{
    px_object object;
    PX_AUTO(px_source_close) px_source source = PX_SOURCE_NONE;
    char bytes[64] = "";
    size_t count = 0;
    assert_int_equal(place->store->open(place->store, bucket, key, NULL, &arena, &source, &object, NULL), PX_OK);
    assert_int_equal(px_source_read_at(&source, 0, bytes, sizeof bytes - 1, &count, NULL), PX_OK);
    assert_string_equal(bytes, text);
    assert_int_equal(object.bytes, strlen(text));
}

#endif
