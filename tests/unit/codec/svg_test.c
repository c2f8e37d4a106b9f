/* SVG before it is drawn: told from other XML, sized as browsers size it, and refused by name where it grows, nests, or refers to files.
 * This part is in every build. Each refusal has a twin within the bound. */
#include "picture.h"

#include <stdio.h>
#include <string.h>

#include "codec/formats.h"
#include "codec/svg/embedded.h"
#include "codec/svg/head.h"

static bool is_svg(const char *text, size_t room)
{
    size_t count = strlen(text);
    char *first = calloc(1, room > count ? room : count + 1);
    memcpy(first, text, count);
    memset(first + count, ' ', room > count ? room - count : 0);
    bool is = px_svg_is((px_bytes){ (uint8_t *)first, room > count ? room : count });
    free(first);
    return is;
}

static void it_is_told_by_its_first_element(void **state)
{
    (void)state;
    static const char *const right[] = {
        "<svg>", "<svg", "<svg/>", "<svg xmlns='http://www.w3.org/2000/svg'>", "\xef\xbb\xbf<svg>", " \r\n\t<svg>", "<?xml version='1.0'?>\n<svg>", "<svg:svg>",
        "<!-- a > b --><!--\n--><svg>", "<?xml version='1.0'?><!DOCTYPE svg PUBLIC 'x' 'y'><svg>", "<!DOCTYPE svg [<!ENTITY a 'b'>]>", "<?xml-stylesheet href='a'?><svg>",
    };
    static const char *const wrong[] = {
        "", "<", "<sv", "svg", "<?xml version='1.0'?>", "<?xml version='1.0'?><rss>", "<html><svg>", "<!DOCTYPE html><svg>", "<svgs>", "<my-svg>", "< svg>", "a<svg>",
        "<!-- <svg> -->", "<!-- <svg>", "<a:svg2>", "{\"svg\":1}",
    };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (!is_svg(right[i], 0) || (*right[i] == '<' && is_svg(right[i] + 1, 0)))
            fail_msg("%s", right[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (is_svg(wrong[i], 0))
            fail_msg("%s", wrong[i]);
    char long_comment[PX_FORMAT_FIRST_BYTES + 1] = "<!-- ";
    memset(long_comment + 5, 'a', sizeof long_comment - 6);
    assert_true(is_svg(long_comment, 0)); /* it goes on behind what is looked at */
}

static px_status head_of(const char *text, px_svg_head *ret)
{
    px_limits limits = PX_LIMITS_DEFAULT;
    return px_svg_read_head((px_bytes){ (const uint8_t *)text, strlen(text) }, &limits, ret, NULL);
}

static void its_size_is_what_browsers_make_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *attributes;
        double width, height;
    } rows[] = {
        { "width='20' height='10'", 20, 10 }, { "width=' 20px ' height='10.5'", 20, 10.5 }, { "width='1in' height='2.54cm'", 96, 96 },
        { "width='72pt' height='6pc'", 96, 96 }, { "width='25.4mm' height='101.6Q'", 96, 96 }, { "width='2em' height='2rem'", 32, 32 },
        { "viewBox='0 0 40 30'", 40, 30 }, { "viewBox='-5,-5 , 40 30'", 40, 30 }, { "width='100%' height='100%' viewBox='0 0 40 30'", 40, 30 },
        { "width='80' viewBox='0 0 40 30'", 80, 60 }, { "height='60' viewBox='0 0 40 30'", 80, 60 }, { "width='80'", 80, 150 }, { "", 300, 150 },
        { "viewBox='0 0 0 30'", 300, 150 }, { "viewBox='0 0 40'", 300, 150 }, { "width='wide' height='10'", 300, 10 }, { "width='5furlongs' height='10'", 300, 10 },
        { "width='0' height='10'", 0, 10 }, { "width='-4' height='10'", 0, 10 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        px_svg_head head;
        snprintf(text, sizeof text, "<svg %s><svg width='7' height='7'/></svg>", rows[i].attributes);
        assert_int_equal(head_of(text, &head), PX_OK);
        if (fabs(head.width - rows[i].width) > 1e-6 || fabs(head.height - rows[i].height) > 1e-6)
            fail_msg("%s: %gx%g", rows[i].attributes, head.width, head.height);
        assert_int_equal(head.elements, 2);
    }
}

/* `before`, `count` times `piece`, `after`. */
static char *repeated(const char *before, const char *piece, int count, const char *after)
{
    char *text = malloc(strlen(before) + strlen(piece) * (size_t)count + strlen(after) + 1), *at = stpcpy(text, before);
    for (int i = 0; i < count; i++)
        at = stpcpy(at, piece);
    strcpy(at, after);
    return text;
}

static void assert_head(char *owned, px_status expected)
{
    px_svg_head head;
    px_status status = head_of(owned, &head);
    if (status != expected)
        fail_msg("%s, not %s: %.80s", px_status_code(status), px_status_code(expected), owned);
    free(owned);
}

static void it_may_nest_and_grow_within_bounds(void **state)
{
    (void)state;
    assert_head(repeated("<svg>", "<g><g/></g>", PX_SVG_ELEMENTS_MAX / 2 - 1, "</svg>"), PX_OK);
    assert_head(repeated("<svg>", "<g><g/></g>", PX_SVG_ELEMENTS_MAX / 2, "</svg>"), PX_UNSUPPORTED_FORMAT);
    char *inside = repeated("", "</g>", PX_SVG_DEPTH_MAX - 1, "</svg>");
    assert_head(repeated("<svg>", "<g>", PX_SVG_DEPTH_MAX - 1, inside), PX_OK);
    assert_head(repeated("<svg>", "<g>", PX_SVG_DEPTH_MAX, inside), PX_UNSUPPORTED_FORMAT);
    free(inside);

    char *value = repeated("<!DOCTYPE svg [<!ENTITY a '", "x", 4000, "'>]><svg>");
    assert_head(repeated(value, "&a;", 250, "</svg>"), PX_OK);
    assert_head(repeated(value, "&a;", 280, "</svg>"), PX_UNSUPPORTED_FORMAT);
    value[strlen(value) - 1] = ' ';
    assert_head(repeated(value, " ", 1, "a='&a;'/>"), PX_OK);
    char *attribute = repeated("a='", "&a;", 280, "'/>");
    assert_head(repeated(value, " ", 1, attribute), PX_UNSUPPORTED_FORMAT);
    free(attribute);
    free(value);
    assert_head(repeated("<!DOCTYPE svg [<!ENTITY a '", "x", 5000, "'>]><svg/>"), PX_UNSUPPORTED_FORMAT);
}

static void assert_text(const char *text, px_status expected) { assert_head(strdup(text), expected); }

static void entities_are_short_and_of_this_file(void **state)
{
    (void)state;
    assert_text("<!DOCTYPE svg [<!ENTITY ns 'http://www.w3.org/2000/svg'>]><svg xmlns='&ns;'/>", PX_OK);
    assert_text("<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd'><svg/>", PX_OK);
    assert_text("<!DOCTYPE svg [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><svg>&b;</svg>", PX_UNSUPPORTED_FORMAT);
    assert_text("<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><svg>&a;</svg>", PX_UNSUPPORTED_FORMAT);
    assert_text("<!DOCTYPE svg [<!ENTITY % a SYSTEM 'http://localhost/'>%a;]><svg/>", PX_UNSUPPORTED_FORMAT);
    assert_text("<!DOCTYPE svg [<!ENTITY % a 'b'>]><svg/>", PX_UNSUPPORTED_FORMAT);
}

static void damage_has_names(void **state)
{
    (void)state;
    static const char whole[] = "<?xml version='1.0'?><svg width='4'><g id='a'>\xc3\xa4</g></svg>";
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        char *text = strdup(whole);
        text[cut] = 0;
        assert_head(text, PX_TRUNCATED_IMAGE);
    }
    assert_text(whole, PX_OK);
    assert_text("<svg><g></svg>", PX_CORRUPT_IMAGE);
    assert_text("<svg width=4/>", PX_CORRUPT_IMAGE);
    assert_text("<svg>&b;</svg>", PX_CORRUPT_IMAGE);
    assert_text("<svg/><svg/>", PX_CORRUPT_IMAGE);
    assert_text("<rss><svg/></rss>", PX_UNSUPPORTED_FORMAT);
}

/* A PNG of 40x30, and a JPEG of 30x40 whose frame comes behind another marker. */
static const char png[] = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAACgAAAAe";
static const char jpeg[] = "data:image/jpeg;base64,/9j/4AAEAAD/wAALCAAoAB4BAREAAAAAAAAAAAAAAAAA";

static void pictures_inside_are_judged_too(void **state)
{
    (void)state;
    px_limits limits = PX_LIMITS_DEFAULT;
    limits.pixels = 1200;
    assert_int_equal(px_svg_judge_embedded(png, &limits, NULL), PX_OK);
    assert_int_equal(px_svg_judge_embedded(jpeg, &limits, NULL), PX_OK);
    limits.pixels = 1199;
    assert_int_equal(px_svg_judge_embedded(png, &limits, NULL), PX_TOO_MANY_PIXELS);
    assert_int_equal(px_svg_judge_embedded(jpeg, &limits, NULL), PX_TOO_MANY_PIXELS);
    static const char *const others[] = { "#a", "", "data:", "data:,", "a.png", "data:image/png;base64,iVBO", "data:image/jpeg;base64,/9j/4AAQ", "data:image/jpeg;base64,/9j/4P///////////////////////w==" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(px_svg_judge_embedded(others[i], &limits, NULL), PX_OK);
    char text[400];
    px_svg_head head;
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "<svg><image %s='%.22s\n %s'/></svg>", i ? "href" : "xlink:href", png, png + 22);
        assert_int_equal(px_svg_read_head((px_bytes){ (uint8_t *)text, strlen(text) }, &limits, &head, NULL), PX_TOO_MANY_PIXELS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_by_its_first_element),
        cmocka_unit_test(its_size_is_what_browsers_make_of_it),
        cmocka_unit_test(it_may_nest_and_grow_within_bounds),
        cmocka_unit_test(entities_are_short_and_of_this_file),
        cmocka_unit_test(damage_has_names),
        cmocka_unit_test(pictures_inside_are_judged_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
