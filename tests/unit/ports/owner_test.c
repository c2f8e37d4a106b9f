/* Sequencers compare as S3 means them, and only a source's own, older output may be replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ports/store.h"

static void sequencers_are_padded_on_the_right(void **state)
{
    (void)state;
    char padded[33];
    px_sequencer_pad("0055AED6DCD90281E5", padded);
    assert_string_equal(padded, "0055aed6dcd90281e500000000000000");
    px_sequencer_pad("", padded);
    assert_string_equal(padded, "00000000000000000000000000000000");
    px_sequencer_pad("0123456789abcdef0123456789abcdef99", padded);
    assert_string_equal(padded, "0123456789abcdef0123456789abcdef");
    px_sequencer_pad("1x2", padded); /* from outside: what is no digit ends it */
    assert_string_equal(padded, "10000000000000000000000000000000");
}

static void only_ones_own_and_older_is_replaced(void **state)
{
    (void)state;
    px_owner ours = { .token = 2 };
    px_meta meta[] = { { "pixmill-source", ours.source }, { "pixmill-sequencer", "20" }, { "pixmill-token", "2" } };
    px_object present = { .meta = meta, .meta_count = 3 };
    px_source_id("source", "a/b", ours.source);
    assert_int_equal(strlen(ours.source), 32);
    px_sequencer_pad("20", ours.sequencer);
    assert_int_equal(px_owner_judge(&present, &ours), PX_OWNER_WRITE);
    meta[2].value = "3";
    assert_int_equal(px_owner_judge(&present, &ours), PX_OWNER_SUPERSEDED);
    px_sequencer_pad("21", ours.sequencer);
    assert_int_equal(px_owner_judge(&present, &ours), PX_OWNER_WRITE);
    px_sequencer_pad("1", ours.sequencer);
    assert_int_equal(px_owner_judge(&present, &ours), PX_OWNER_SUPERSEDED);
    meta[0].value = "0123456789abcdef0123456789abcdef";
    assert_int_equal(px_owner_judge(&present, &ours), PX_OWNER_TAKEN);
    meta[0].value = "not hex";
    assert_int_equal(px_owner_judge(&present, &ours), PX_OWNER_TAKEN);
    present.meta_count = 0;
    assert_int_equal(px_owner_judge(&present, &ours), PX_OWNER_TAKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequencers_are_padded_on_the_right),
        cmocka_unit_test(only_ones_own_and_older_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
