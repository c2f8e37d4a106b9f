/* YAML and JSON become one tree with line numbers. Goal: what a configuration may be made of is read exactly, and all that
 * bombs are made of is refused with the line it stands in. Method: small texts, by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/tree.h"
#include "test.h"

static px_arena arena;

static int open_arena(void **state) { return px_arena_open(32 << 20, &arena, NULL) != PX_OK && state; }

static int close_arena(void **state)
{
    px_arena_close(&arena);
    return state == NULL;
}

static const px_tree *parse(const char *text)
{
    px_error err = { "" };
    px_tree *tree = NULL;
    assert_ok(px_tree_parse(px_bytes_of(text), "test.yaml", &arena, &tree, &err));
    return tree;
}

/* Refused, with `says` in the message. */
static void assert_refused(px_bytes text, const char *says)
{
    px_error err = { "" };
    px_tree *tree = NULL;
    assert_status(px_tree_parse(text, "test.yaml", &arena, &tree, &err), PX_BAD_CONFIG);
    assert_null(tree);
    if (!strstr(err.message, says))
        fail_msg("'%s' does not say '%s'", err.message, says);
}

static void yaml_and_json_are_one_tree(void **state)
{
    (void)state;
    static const char *const texts[] = { "a: x\nb:\n  - 1\n  - 2\nc:\n  d: y\n", "{\"a\": \"x\",\n\"b\": [1,\n 2],\n\"c\":\n{\"d\": \"y\"}}" };
    for (int i = 0; i < 2; i++) {
        const px_tree *tree = parse(texts[i]), *list = px_tree_find(tree, "b"), *map = px_tree_find(tree, "c");
        assert_string_equal(px_tree_find(tree, "a")->text, "x");
        assert_int_equal(list->kind, PX_TREE_LIST);
        assert_string_equal(list->first->next->text, "2");
        assert_null(list->first->next->next);
        assert_string_equal(px_tree_find(map, "d")->text, "y");
        assert_null(px_tree_find(tree, "z"));
    }
}

static void every_node_knows_its_line(void **state)
{
    (void)state;
    const px_tree *tree = parse("# comment\na: x\n\nb:\n  - one\n  - two\n");
    assert_int_equal(px_tree_find(tree, "a")->line, 2);
    assert_int_equal(px_tree_find(tree, "b")->first->line, 5);
    assert_int_equal(px_tree_find(tree, "b")->first->next->line, 6);
}

static void nothing_is_an_empty_map(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "\n", "# only a comment\n", "---\n" };
    for (int i = 0; i < 4; i++) {
        assert_int_equal(parse(texts[i])->kind, PX_TREE_MAP);
        assert_null(parse(texts[i])->first);
    }
}

static void a_name_given_twice_is_told_with_both_lines(void **state)
{
    (void)state;
    assert_refused(px_bytes_of("a: 1\nb: 2\na: 3\n"), "test.yaml:3: 'a' is there twice, first in line 1");
}

static void what_cannot_be_read_is_told_with_its_line(void **state)
{
    (void)state;
    assert_refused(px_bytes_of("a: 1\nb: [1, 2\n"), "test.yaml:");
    assert_refused(px_bytes_of("a: 1\n---\nb: 2\n"), "a second document");
    assert_refused(px_bytes_of("? [a, b]\n: 1\n"), "must be plain text");
    assert_refused(px_bytes_of("[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]"), "nested too deeply");
}

static void anchors_aliases_and_tags_are_refused_wherever_they_stand(void **state)
{
    (void)state;
    static const char *const texts[] = { "a: &x 1\n", "a: &x [1]\n", "a: &x {b: 1}\n", "a: *x\n", "a: !!int 1\n", "a: !x [1]\n",
                                         "a: !!map {b: 1}\n", "&x a: 1\n", "!!str a: 1\n", "- &x\n", "!!map {}\n" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_refused(px_bytes_of(texts[i]), "not understood");
}

static void nul_in_a_text_is_refused(void **state)
{
    (void)state;
    assert_refused(px_bytes_of("a: \"x\\0y\"\n"), "NUL");
    assert_refused(px_bytes_of("\"a\\0b\": x\n"), "NUL"); /* else it would pass for 'a' */
}

static void what_would_take_long_is_refused(void **state)
{
    (void)state;
    static char text[PX_LIMIT_CONFIG_BYTES + 2];
    size_t count = 0;
    for (int i = 0; i < 256; i++)
        count += (size_t)snprintf(text + count, sizeof text - count, "k%d: 1\n", i);
    assert_non_null(px_tree_find(parse(text), "k255"));
    snprintf(text + count, sizeof text - count, "k256: 1\n");
    assert_refused(px_bytes_of(text), "test.yaml:257: more than 256 entries");
    memset(text, ' ', sizeof text - 1);
    assert_refused((px_bytes){ (const uint8_t *)text, PX_LIMIT_CONFIG_BYTES + 1 }, "1048577 bytes");
    assert_int_equal(parse(text + 1)->kind, PX_TREE_MAP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_and_json_are_one_tree),
        cmocka_unit_test(every_node_knows_its_line),
        cmocka_unit_test(nothing_is_an_empty_map),
        cmocka_unit_test(a_name_given_twice_is_told_with_both_lines),
        cmocka_unit_test(what_cannot_be_read_is_told_with_its_line),
        cmocka_unit_test(anchors_aliases_and_tags_are_refused_wherever_they_stand),
        cmocka_unit_test(nul_in_a_text_is_refused),
        cmocka_unit_test(what_would_take_long_is_refused),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
