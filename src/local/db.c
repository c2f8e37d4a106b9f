/* SQLite's calls, bound by a format string and stepped to our statuses.
 *
 * Statements are prepared once and kept for the life of the connection: preparing costs several times what most of
 * ours take to run. */
#include "local/db.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

px_status px_db_fail(px_db *db, int code, px_error *err)
{
    const char *text = db && db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);

    switch (code & 0xff) {
    case SQLITE_FULL: return px_fail(err, PX_DISK_FULL, "no room left for the database: %s", text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return px_fail(err, PX_THROTTLED, "the database is held by another process: %s", text);
    case SQLITE_NOMEM: return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the database");
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN: return px_fail(err, PX_ACCESS_DENIED, "the database cannot be opened for writing: %s", text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return px_fail(err, PX_INTERNAL, "the database is damaged, restore a backup: %s", text);
    default: return px_fail(err, PX_INTERNAL, "the database failed: %s", text);
    }
}

px_status px_db_open(const char *path, bool write, px_db **ret, px_error *err)
{
    PX_TRY(px_sqlite_load(err));
    px_db *db = calloc(1, sizeof *db);
    if (!db)
        return px_fail(err, PX_OUT_OF_MEMORY, "no memory for the database");

    int code = sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        px_status status = px_db_fail(db, code, err);
        px_db_close(db);
        return status;
    }
    sqlite3_busy_timeout(db->handle, 10000);
    px_status status = px_db_script(db, write ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY"
                                              : "PRAGMA query_only=ON; PRAGMA temp_store=MEMORY", err);
    if (status != PX_OK) {
        px_db_close(db);
        return status;
    }
    *ret = db;
    return PX_OK;
}

void px_db_close(px_db *db)
{
    if (!db)
        return;
    for (int i = 0; i < db->kept_count; i++)
        sqlite3_finalize(db->kept[i].statement);
    sqlite3_close(db->handle);
    free(db);
}

static px_status prepare(px_db *db, const char *sql, sqlite3_stmt **ret, px_error *err)
{
    for (int i = 0; i < db->kept_count; i++)
        if (db->kept[i].sql == sql) {
            assert(!sqlite3_stmt_busy(db->kept[i].statement));
            *ret = db->kept[i].statement;
            return PX_OK;
        }
    assert(db->kept_count < PX_DB_STATEMENTS);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code != SQLITE_OK)
        return px_db_fail(db, code, err);
    db->kept[db->kept_count].sql = sql;
    db->kept[db->kept_count++].statement = statement;
    *ret = statement;
    return PX_OK;
}

static int bind(sqlite3_stmt *statement, const char *types, va_list *values)
{
    int code = SQLITE_OK;

    for (int i = 0; types[i] && code == SQLITE_OK; i++) {
        if (types[i] == 'i') {
            code = sqlite3_bind_int64(statement, i + 1, va_arg(*values, int64_t));
        } else if (types[i] == 't') {
            const char *text = va_arg(*values, const char *);
            code = sqlite3_bind_text(statement, i + 1, text, -1, SQLITE_TRANSIENT);
        } else {
            px_bytes bytes = va_arg(*values, px_bytes);
            code = types[i] == 'b'
                ? sqlite3_bind_blob64(statement, i + 1, bytes.data ? (const void *)bytes.data : "", bytes.count, SQLITE_TRANSIENT)
                : sqlite3_bind_text64(statement, i + 1, (const char *)bytes.data, bytes.count, SQLITE_TRANSIENT, SQLITE_UTF8);
        }
    }
    return code;
}

static px_status query(px_db *db, px_query *ret, px_error *err, const char *sql, const char *types, va_list *values)
{
    px_query made = { db, NULL };
    PX_TRY(prepare(db, sql, &made.statement, err));
    int code = bind(made.statement, types, values);
    if (code != SQLITE_OK) {
        px_query_done(&made);
        return px_db_fail(db, code, err);
    }
    *ret = made;
    return PX_OK;
}

px_status px_db_query(px_db *db, px_query *ret, px_error *err, const char *sql, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    px_status status = query(db, ret, err, sql, types, &values);
    va_end(values);
    return status;
}

px_status px_query_step(px_query *made, bool *ret_row, px_error *err)
{
    int code = sqlite3_step(made->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return px_db_fail(made->db, code, err);
    *ret_row = code == SQLITE_ROW;
    return PX_OK;
}

void px_query_done(px_query *made)
{
    if (!made->statement)
        return;
    sqlite3_reset(made->statement);
    sqlite3_clear_bindings(made->statement);
    made->statement = NULL;
}

px_status px_db_run(px_db *db, px_error *err, const char *sql, const char *types, ...)
{
    PX_AUTO(px_query_done) px_query made = { db, NULL };
    bool row = true;
    va_list values;

    va_start(values, types);
    px_status status = query(db, &made, err, sql, types, &values);
    va_end(values);
    while (status == PX_OK && row)
        status = px_query_step(&made, &row, err);
    return status;
}

px_status px_db_script(px_db *db, const char *sql, px_error *err)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? PX_OK : px_db_fail(db, code, err);
}

const char *px_query_text(const px_query *made, int column, px_arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(made->statement, column);
    return px_arena_copy(arena, (px_bytes){ (const uint8_t *)(text ? text : ""),
                                            (size_t)sqlite3_column_bytes(made->statement, column) });
}
