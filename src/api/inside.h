/* inside.h - the API's two tables, of routes and of the fields that bodies and answers have. Private to src/api.
 *
 * Checking a request, answering it and describing it (OpenAPI) read the same rows. */
#ifndef PX_API_INSIDE_H
#define PX_API_INSIDE_H

#include <jansson.h>

#include "api/api.h"

/* ---- fields (schema.c) ---- */

typedef enum px_api_kind {
    PX_API_TEXT, PX_API_NUMBER, PX_API_FLAG,
    PX_API_MEDIA,  /* the media type of a format that pixmill reads */
    PX_API_STATE,  /* a record's Status */
    PX_API_CODE,   /* an error's code */
    PX_API_TIME,   /* ISO 8601; "" for none */
    PX_API_OBJECT, PX_API_LIST, /* of `schema` */
    PX_API_MAP,    /* of texts */
} px_api_kind;

typedef struct px_api_field {
    const char *name;
    px_api_kind kind;
    bool required;
    int64_t min, max;      /* of a NUMBER, or a TEXT's characters; both 0: not bounded */
    const char *pattern;   /* of a TEXT; for the description alone, and never more than what is checked */
    const char *schema;    /* OBJECT, LIST */
    const char *meaning;
} px_api_field;

/* Fields up to one without a name. */
typedef struct px_api_schema {
    const char *name, *meaning;
    const px_api_field *fields;
    bool is_request;       /* nothing else may come */
} px_api_schema;

extern const px_api_schema px_api_schemas[]; /* up to one without a name */
const px_api_schema *px_api_schema_find(const char *name);

/* Is it an object of this schema? PX_BAD_REQUEST, PX_TOO_MANY_BYTES or PX_UNSUPPORTED_FORMAT say which field is not right, and why. */
PX_CHECKED px_status px_api_judge_body(const px_config *config, const px_api_schema *schema, const json_t *body, px_error *err);

/* The same for queries; each at most once, and none that is not in `fields`. */
PX_CHECKED px_status px_api_judge_queries(const px_api_field *fields, const px_query *queries, int count, px_error *err);

/* The most that an upload may have, in bytes. */
uint64_t px_api_bytes(const px_config *config);

/* The format that we read with this media type; PX_FORMAT_COUNT if there is none. */
px_format px_api_format_of(const char *type);

/* ---- routes (routes.c) ---- */

typedef struct px_api_call {
    const px_api *api;
    const px_api_request *request;
    const json_t *body;    /* judged; NULL if the route takes none */
    px_arena *arena;
    json_t *answer;        /* a new reference, taken over; NULL: the answer has no body */
    const char *text;      /* the answer as a text in the arena, instead; NULL: `answer` it is */
    const char *removes;   /* px_api_response's */
} px_api_call;

enum { PX_API_CODES = 8 };

typedef struct px_api_route {
    const char *method, *path, *id, *summary, *meaning;
    const px_api_field *queries; /* up to one without a name */
    const char *body;            /* schema; NULL: it takes none */
    int http;                    /* of success */
    const char *answer;          /* schema; NULL: no body; "": an object of any kind */
    px_status codes[PX_API_CODES]; /* what else it may answer, besides what every route may; up to PX_OK */
    px_status (*handle)(px_api_call *call, px_error *err);
} px_api_route;

extern const px_api_route px_api_routes[]; /* up to one without a path */
extern const px_status px_api_common_codes[]; /* what every route may answer; up to PX_OK */

px_status px_api_create_upload(px_api_call *call, px_error *err);
px_status px_api_get_image(px_api_call *call, px_error *err);
px_status px_api_list_images(px_api_call *call, px_error *err);
px_status px_api_delete_image(px_api_call *call, px_error *err);
px_status px_api_get_openapi(px_api_call *call, px_error *err);

/* ---- shared by the handlers ---- */

const char *px_api_query(const px_api_call *call, const char *name); /* "" if it is not there */

/* `source_prefix` and `api.prefix` as one; NULL without memory. */
const char *px_api_prefix(const px_config *config, px_arena *arena);

/* Does the key lie under the upload prefix? PX_ACCESS_DENIED says where it would have to. */
PX_CHECKED px_status px_api_judge_key(const px_api_call *call, const char *key, px_error *err);

static inline void px_api_json_free(json_t **json) { json_decref(*json); }

#endif
