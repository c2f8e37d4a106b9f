/* Signs what it is told to: a JSON object a line in, the Authorization header's value or the signed address's query a line out.
 * Not a test of its own: tests/e2e/test_sigv4.py compares what it says with another signer.
 *
 * {"method", "path", "queries": [[name, value]], "headers": [[name, value]], "payload", "date", "region", "service", "id",
 * "secret", "token", and "expires" for an address}; what is refused comes out as "refused: why". */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sigv4.h"

enum { LINE_BYTES = 1 << 20, PAIRS = 1000 };

static const char *text_of(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));
    return text ? text : "";
}

static int read_pairs(const json_t *list, px_query pairs[PAIRS])
{
    size_t i;
    json_t *pair;
    json_array_foreach(list, i, pair) {
        if (i == PAIRS)
            break;
        pairs[i] = (px_query){ json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1)) };
    }
    return (int)(i < PAIRS ? i : PAIRS);
}

static px_status sign(const json_t *line, px_buffer *out, px_error *err)
{
    static px_query queries[PAIRS], pairs[PAIRS];
    static px_sigv4_header headers[PAIRS];
    int query_count = read_pairs(json_object_get(line, "queries"), queries), header_count = read_pairs(json_object_get(line, "headers"), pairs);
    for (int i = 0; i < header_count; i++)
        headers[i] = (px_sigv4_header){ pairs[i].name, pairs[i].value };
    px_sigv4_request request = { text_of(line, "method"), text_of(line, "path"), queries, query_count, headers, header_count,
                                 text_of(line, "payload") };
    px_sigv4_scope scope = { .region = text_of(line, "region"), .service = text_of(line, "service") };
    snprintf(scope.date, sizeof scope.date, "%s", text_of(line, "date"));
    px_sigv4_credentials credentials = { text_of(line, "id"), text_of(line, "secret"), text_of(line, "token") };
    const json_t *expires = json_object_get(line, "expires");
    if (!expires)
        return px_sigv4_authorize(&request, &scope, &credentials, out, err);
    for (int i = 0; i < query_count; i++) {
        px_buffer_text(out, i ? "&" : "");
        px_uri_encode(out, queries[i].name, false);
        px_buffer_text(out, "=");
        px_uri_encode(out, queries[i].value, false);
    }
    return px_sigv4_presign(&request, &scope, &credentials, json_integer_value(expires), out, err);
}

int main(void)
{
    static char text[LINE_BYTES];
    while (fgets(text, sizeof text, stdin)) {
        json_error_t error;
        px_error err = { "" };
        px_buffer out = { 0 };
        json_t *line = json_loads(text, 0, &error);
        if (!line) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
        if (sign(line, &out, &err) == PX_OK)
            puts(out.data);
        else
            printf("refused: %s\n", err.message);
        fflush(stdout);
        px_buffer_done(&out);
        json_decref(line);
    }
    return 0;
}
