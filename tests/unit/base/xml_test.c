/* Elements arrive with their path and text; what could be a bomb is refused. */
#include "test.h"

#include <string.h>

#include "base/xml.h"

static bool note(void *context, const char *path, const char *text)
{
    px_buffer_format(context, "%s=%s;", path, text);
    return strcmp(text, "refuse me") != 0;
}

static px_status read(const char *body, px_buffer *out)
{
    px_buffer_clear(out);
    return px_xml_read(px_bytes_of(body), note, out, NULL);
}

static void elements_arrive_with_path_and_text(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer out = { 0 };
    assert_int_equal(read("<?xml version=\"1.0\"?><D xmlns=\"x\"><O><K>a&amp;&#x263A;<![CDATA[<b>]]></K><V/></O></D>", &out), PX_OK);
    assert_string_equal(out.data, "D/O/K=a&\xe2\x98\xba<b>;D/O/V=;D/O=;D=;");
}

static void a_reader_may_refuse(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer out = { 0 };
    assert_int_equal(read("<D><K>refuse me</K><K>not read</K></D>", &out), PX_BAD_REQUEST);
    assert_string_equal(out.data, "D/K=refuse me;");
}

static void entities_depth_length_and_damage_are_refused(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer out = { 0 }, body = { 0 };
    static const char *const bad[] = {
        "", " ", "<D>", "<D></E>", "<D>&a;</D>", "<!DOCTYPE D><D/>", "<!DOCTYPE D [<!ENTITY a \"b\">]><D>&a;</D>",
        "<!DOCTYPE D SYSTEM \"file:///etc/passwd\"><D/>", "<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>",
        "<D/><D/>", "<D>\x01</D>", "<D>\xff</D>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read(bad[i], &out) != PX_BAD_REQUEST)
            fail_msg("%s", bad[i]);
    px_buffer_text(&body, "<D>");
    for (int i = 0; i < 5000; i++)
        px_buffer_text(&body, "x");
    px_buffer_text(&body, "</D>");
    assert_int_equal(read(body.data, &out), PX_BAD_REQUEST);
}

static void written_text_cannot_become_an_element(void **state)
{
    (void)state;
    PX_AUTO(px_buffer_done) px_buffer out = { 0 };
    px_xml_text(&out, "Key", "<a>&\"\r\n]]>");
    assert_string_equal(out.data, "<Key>&lt;a&gt;&amp;&quot;&#13;&#10;]]&gt;</Key>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_arrive_with_path_and_text),
        cmocka_unit_test(a_reader_may_refuse),
        cmocka_unit_test(entities_depth_length_and_damage_are_refused),
        cmocka_unit_test(written_text_cannot_become_an_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
