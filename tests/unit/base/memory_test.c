/* What arenas and buffers promise: zeroed, aligned, bounded; scratch by value; failure remembered. */
#include "test.h"

#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"

static void arena_memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    px_error err;
    px_arena arena;
    assert_ok(px_arena_open(1 << 16, &arena, &err));
    px_arena scratch = arena;
    memset(px_new(&scratch, char, 1000), 0xee, 1000);
    assert_non_null(px_new(&arena, char, 3));
    uint64_t *words = px_new(&arena, uint64_t, 100);
    assert_int_equal((uintptr_t)words % 16, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(words[i], 0);
    px_arena_close(&arena);
}

static void full_arena_gives_null_not_overflow(void **state)
{
    (void)state;
    px_error err;
    px_arena arena;
    assert_ok(px_arena_open(4096, &arena, &err));
    assert_null(px_new(&arena, char, 4097));
    assert_null(px_new(&arena, uint64_t, SIZE_MAX / 4));
    assert_non_null(px_new(&arena, char, 4096));
    assert_null(px_new(&arena, char, 1));
    px_arena_reset(&arena);
    assert_non_null(px_new(&arena, char, 4096));
    px_arena_close(&arena);
    px_arena_close(&arena);
}

static void reset_arena_holds_nothing_of_before(void **state)
{
    (void)state;
    px_error err;
    px_arena arena;
    size_t large = 3u << 20;
    assert_ok(px_arena_open(4u << 20, &arena, &err));
    memset(px_new(&arena, char, large), 0xee, large);
    px_arena_reset(&arena);
    const char *again = px_new(&arena, char, large);
    for (size_t i = 0; i < large; i += 511)
        assert_int_equal(again[i], 0);
    px_arena_close(&arena);
}

static void buffer_grows_and_ends_with_nul(void **state)
{
    (void)state;
    px_buffer buffer = { 0 };
    for (int i = 0; i < 1000; i++)
        px_buffer_format(&buffer, "%d,", i);
    assert_false(px_buffer_failed(&buffer));
    assert_int_equal(strlen(buffer.data), buffer.count);
    assert_memory_equal(buffer.data, "0,1,2,3,", 8);
    px_buffer_clear(&buffer);
    px_buffer_text(&buffer, "x");
    assert_string_equal(buffer.data, "x");
    px_buffer_done(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_memory_is_zeroed_and_aligned),
        cmocka_unit_test(full_arena_gives_null_not_overflow),
        cmocka_unit_test(reset_arena_holds_nothing_of_before),
        cmocka_unit_test(buffer_grows_and_ends_with_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
