/* DeleteObjects: up to a thousand keys, handed to the writer at once so that they are one commit. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "server/request.h"
#include "base/xml.h"

enum { DELETE_MAX = 1000 };

struct deletion {
    px_request *request;
    const char **keys;
    px_status *results;
    int count;
    atomic_int waiting; /* keys whose callback is still to come */
    bool quiet;
};

static bool read_element(void *context, const char *path, const char *text)
{
    struct deletion *deletion = context;
    if (strcmp(path, "Delete/Quiet") == 0)
        deletion->quiet = strcmp(text, "true") == 0;
    if (strcmp(path, "Delete/Object/Key") != 0)
        return true;
    if (deletion->count == DELETE_MAX || !*text || strlen(text) > PX_LIMIT_KEY_BYTES)
        return false;
    deletion->keys[deletion->count] = px_arena_copy_text(&deletion->request->arena, text);
    return deletion->keys[deletion->count++] != NULL;
}

static bool read_deletion(struct deletion *deletion)
{
    return px_xml_read(px_buffer_bytes(&deletion->request->text), read_element, deletion, NULL) == PX_OK && deletion->count > 0;
}

static void answer_deletion(px_request *request, struct deletion *deletion)
{
    px_buffer body = { 0 };
    px_buffer_text(&body, PX_XML_HEAD "<DeleteResult" PX_XMLNS ">");
    for (int i = 0; i < deletion->count; i++) {
        if (deletion->results[i] == PX_OK && deletion->quiet)
            continue;
        px_buffer_text(&body, deletion->results[i] == PX_OK ? "<Deleted>" : "<Error>");
        px_xml_text(&body, "Key", deletion->keys[i]);
        if (deletion->results[i] != PX_OK) {
            px_xml_text(&body, "Code", "InternalError");
            px_xml_text(&body, "Message", px_status_meaning(deletion->results[i]));
        }
        px_buffer_text(&body, deletion->results[i] == PX_OK ? "</Deleted>" : "</Error>");
    }
    px_buffer_text(&body, "</DeleteResult>");
    px_answer_xml(request, &body);
}

static void respond_deletion(px_request *request)
{
    struct deletion *deletion = request->work;
    bool no_bucket = deletion->results[0] == PX_NO_SUCH_BUCKET;
    if (no_bucket)
        px_answer_error(request, 404, "NoSuchBucket", px_status_meaning(PX_NO_SUCH_BUCKET));
    else
        answer_deletion(request, deletion);
}

/* One key of a deletion, for its callback. */
struct deleted {
    struct deletion *deletion;
    int index;
};

static void deleted_one(void *context, px_status status, const px_error *err, const px_object *object)
{
    (void)err, (void)object;
    struct deleted *deleted = context;
    struct deletion *deletion = deleted->deletion;
    deletion->results[deleted->index] = status;
    if (atomic_fetch_sub(&deletion->waiting, 1) == 1)
        px_wake(deletion->request, PX_OK, NULL, NULL);
}

void px_s3_delete_objects(px_request *request)
{
    struct deletion *deletion = px_new(&request->arena, struct deletion, 1);
    if (deletion) {
        deletion->request = request;
        deletion->keys = px_new(&request->arena, const char *, DELETE_MAX);
        deletion->results = px_new(&request->arena, px_status, DELETE_MAX);
    }
    if (!deletion || !deletion->keys || !deletion->results || !read_deletion(deletion)) {
        px_answer_error(request, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate: a Delete with 1 to 1000 keys is wanted");
        return;
    }
    int count = deletion->count; /* the last callback may end the request while we are still here */
    struct deleted *each = px_new(&request->arena, struct deleted, (size_t)count);
    if (!each) {
        px_answer_error(request, 503, "SlowDown", "No memory for so many keys");
        return;
    }
    px_local *local = request->server->local;
    const char *bucket = request->bucket;
    request->work = deletion;
    atomic_init(&deletion->waiting, count);
    px_wait(request, respond_deletion);
    for (int i = 0; i < count; i++) { /* all at once: the writer commits them together */
        each[i] = (struct deleted){ deletion, i };
        px_local_delete(local, bucket, deletion->keys[i], (px_condition){ 0 }, deleted_one, &each[i]);
    }
}
