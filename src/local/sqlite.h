/* sqlite.h - SQLite, loaded when a database opens: what resizes files never needs it. For src/local alone.
 *
 * Its calls keep their names, as they do in sqlite3ext.h. */
#ifndef PX_LOCAL_SQLITE_H
#define PX_LOCAL_SQLITE_H

#include <sqlite3.h>

#include "base/status.h"

#define PX_SQLITE_LIST(X) \
    X(bind_blob64) X(bind_int64) X(bind_text) X(bind_text64) X(busy_timeout) X(changes) X(changes64)                 \
    X(clear_bindings) X(close) X(column_blob) X(column_bytes) X(column_int) X(column_int64) X(column_text) X(errmsg) \
    X(errstr) X(exec) X(finalize) X(get_autocommit) X(open_v2) X(prepare_v3) X(reset) X(step) X(stmt_busy)

/* px_sqlite.NAME is sqlite3_NAME. */
#define PX_SQLITE_MEMBER(name) __typeof__(&sqlite3_##name) name;
extern struct px_sqlite { PX_SQLITE_LIST(PX_SQLITE_MEMBER) } px_sqlite;
#undef PX_SQLITE_MEMBER

PX_CHECKED px_status px_sqlite_load(px_error *err);

#define sqlite3_bind_blob64 px_sqlite.bind_blob64
#define sqlite3_bind_int64 px_sqlite.bind_int64
#define sqlite3_bind_text px_sqlite.bind_text
#define sqlite3_bind_text64 px_sqlite.bind_text64
#define sqlite3_busy_timeout px_sqlite.busy_timeout
#define sqlite3_changes px_sqlite.changes
#define sqlite3_changes64 px_sqlite.changes64
#define sqlite3_clear_bindings px_sqlite.clear_bindings
#define sqlite3_close px_sqlite.close
#define sqlite3_column_blob px_sqlite.column_blob
#define sqlite3_column_bytes px_sqlite.column_bytes
#define sqlite3_column_int px_sqlite.column_int
#define sqlite3_column_int64 px_sqlite.column_int64
#define sqlite3_column_text px_sqlite.column_text
#define sqlite3_errmsg px_sqlite.errmsg
#define sqlite3_errstr px_sqlite.errstr
#define sqlite3_exec px_sqlite.exec
#define sqlite3_finalize px_sqlite.finalize
#define sqlite3_get_autocommit px_sqlite.get_autocommit
#define sqlite3_open_v2 px_sqlite.open_v2
#define sqlite3_prepare_v3 px_sqlite.prepare_v3
#define sqlite3_reset px_sqlite.reset
#define sqlite3_step px_sqlite.step
#define sqlite3_stmt_busy px_sqlite.stmt_busy

#endif
