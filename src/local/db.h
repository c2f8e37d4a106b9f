/* db.h - one SQLite connection, with its statements kept and its errors in our words.
 *
 * A connection belongs to one thread at a time. Statements are found again by the address of their SQL, so
 * that must be a literal; a statement may not be in use twice at once. */
#ifndef PX_LOCAL_DB_H
#define PX_LOCAL_DB_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "local/sqlite.h"

enum { PX_DB_STATEMENTS = 128 };

typedef struct px_db {
    sqlite3 *handle;
    struct { const char *sql; sqlite3_stmt *statement; } kept[PX_DB_STATEMENTS];
    int kept_count;
    struct px_db *next; /* in a pool */
} px_db;

typedef struct px_query {
    px_db *db;
    sqlite3_stmt *statement; /* NULL: nothing to give back */
} px_query;

PX_CHECKED px_status px_db_open(const char *path, bool write, px_db **ret, px_error *err);
void px_db_close(px_db *db);

/* One letter an argument: t const char * (NULL is NULL), b px_bytes as BLOB, x px_bytes as TEXT, i int64_t. All are
 * copied. A query is given back by px_query_done (PX_AUTO). */
PX_CHECKED px_status px_db_query(px_db *db, px_query *ret, px_error *err, const char *sql, const char *types, ...);
PX_CHECKED px_status px_query_step(px_query *query, bool *ret_row, px_error *err);
void px_query_done(px_query *query);

/* For statements whose rows nobody reads. */
PX_CHECKED px_status px_db_run(px_db *db, px_error *err, const char *sql, const char *types, ...);

/* Several statements without arguments. */
PX_CHECKED px_status px_db_script(px_db *db, const char *sql, px_error *err);

/* A column's text, copied; NULL only if the arena is full. */
const char *px_query_text(const px_query *query, int column, px_arena *arena);

px_status px_db_fail(px_db *db, int code, px_error *err);

#endif
