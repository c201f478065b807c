/*
 * store/store_priv.h - what the aggregates share: statements, their arguments, their rows
 *
 * A statement is a static const struct store_sql beside the function that reads its rows, and
 * stands in its file's list, which store.c walks at connect. Arguments and rows travel as text.
 */
#ifndef STORE_STORE_PRIV_H
#define STORE_STORE_PRIV_H

#include "base/buf.h"
#include "base/secret.h"
#include "model/entitlement.h"
#include "model/strings.h"
#include "store/store.h"

#include <libpq-fe.h>
#include <stdbool.h>

struct store_sql {
	unsigned int parts;	/* prepared when the process uses any of these enum store_part */
	const char *name;
	const char *text;
};

#define STORE_ANY (~0u)

/* Ended by NULL. */
extern const struct store_sql *const store_person_sql[], *const store_group_sql[],
    *const store_account_sql[], *const store_source_sql[], *const store_policy_sql[],
    *const store_audit_sql[], *const store_queue_sql[], *const store_client_sql[],
    *const store_credential_sql[], *const store_status_sql[], *const store_administrator_sql[],
    *const store_session_sql[], *const store_action_sql[], *const store_grant_sql[],
    *const store_look_sql[], *const store_brake_sql[];

/* Times are bigint seconds of Unix time outside, timestamptz inside; 0 is NULL. */
#define AS_TIME(arg)	"to_timestamp(nullif(" arg "::bigint, 0))"
#define AS_UNIX(column)	"coalesce(extract(epoch FROM " column ")::bigint, 0)"

/*
 * A key at a time, in order of the key: EACH makes it so whatever the planner believes. Statements
 * are planned while tables are empty, and a plan for an empty table reads a full one from end to
 * end.
 */
#define EACH(query)	" CROSS JOIN LATERAL (" query " OFFSET 0) "
#define IDS		"(SELECT id FROM unnest($1::uuid[]) AS u (id) ORDER BY id) AS i"

/* --- Arguments of one execution, in order --------------------------------------------- */

#define STORE_ARGS_MAX 24

struct store_args {
	struct mu_buf bytes;
	size_t at[STORE_ARGS_MAX];
	int count;
};
#define STORE_ARGS_INIT { .count = 0 }

void store_args_clear(struct store_args *a);	/* wipes */
void arg_text(struct store_args *a, const char *text);
void arg_int(struct store_args *a, int64_t value);
void arg_bool(struct store_args *a, bool value);
void arg_uuid(struct store_args *a, const struct mu_uuid *uuid);
void arg_bytes(struct store_args *a, const void *bytes, size_t bytes_count);
void arg_uuids(struct store_args *a, const struct mu_uuid *uuids, size_t count);
void arg_texts(struct store_args *a, const char *const *texts, size_t count);
void arg_strings(struct store_args *a, const struct strings *s);
void arg_entitlements(struct store_args *a, const struct entitlements *e);

/* values has room for STORE_ARGS_MAX; borrowed from a. */
void store_args_values(const struct store_args *a, const char **values);

/* --- Execution ------------------------------------------------------------------------ */

/* Queues a write; must_change: exactly one row, else MU_ECONFLICT. In a transaction. */
void store_put(struct store *s, const struct store_sql *sql, const struct store_args *args,
    bool must_change);

/*
 * Asks and waits, inside a transaction or on its own. out_rows: PQclear, or
 * MU_AUTO(store_rows_clear).
 */
MU_CHECKED enum mu_rc store_ask(struct store *s, const struct store_sql *sql,
    const struct store_args *args, PGresult **out_rows, struct mu_err *err);
void store_rows_clear(PGresult **rows);

/* libpq's notices go nowhere: they are on standard error otherwise, between log lines. */
void store_quiet(PGconn *conn);

/* Sets err from what PostgreSQL said; its primary message alone, which holds no values of ours. */
enum mu_rc store_fail(struct mu_err *err, const PGresult *result, const char *place);

/* --- The connection outside of its pipeline: store/flood.c -------------------------------------- */

struct store_stream;

/*
 * In the open transaction: waits for all that was queued and leaves the pipeline. On failure the
 * transaction stays open, to be rolled back.
 */
MU_CHECKED enum mu_rc store_stream_begin(struct store *s, struct mu_err *err);
PGconn *store_stream_conn(struct store *s);
/* The transaction is over, and the pipeline is back; not sound: the connection is dropped. */
void store_stream_end(struct store *s, bool sound);
struct store_stream *store_stream(const struct store *s);
void store_stream_set(struct store *s, struct store_stream *stream);

/* --- One field of a row; a field that cannot be what it should is zero or empty ------- */

const char *row_text(const PGresult *rows, int row, int column);	/* "" for NULL; borrowed */
char *row_text_copy(const PGresult *rows, int row, int column);
int64_t row_int(const PGresult *rows, int row, int column);
bool row_bool(const PGresult *rows, int row, int column);
void row_uuid(const PGresult *rows, int row, int column, struct mu_uuid *out_uuid);
bool row_bytes(const PGresult *rows, int row, int column, void *out_bytes, size_t bytes_count);
void row_buf(const PGresult *rows, int row, int column, struct mu_buf *out_buf);
void row_secret(const PGresult *rows, int row, int column, struct mu_secret *out_secret);

/* The wanted part and its MAC in ACCOUNT_COLUMNS from column on. MU_EBROKEN: not what we write. */
struct account_want;
#define ACCOUNT_COLUMNS(a) \
	a "account_id, " a "person_id, " a "platform, " a "name, " a "subject, " \
	a "wanted_state, " a "roles, " a "entitlements, " a "version, " a "mac"
#define ACCOUNT_COLUMN_COUNT 10
MU_CHECKED enum mu_rc row_account(const PGresult *rows, int row, int column,
    struct account_want *out_want, unsigned char *out_mac, struct mu_err *err);

/* At most max ids: the first column of the rows. */
MU_CHECKED enum mu_rc store_ids_ask(struct store *s, const struct store_sql *sql,
    const struct store_args *args, struct mu_uuid *out_ids, size_t max, size_t *out_count,
    struct mu_err *err);

/* Calls back for each entry UUID of a source, in pages: sql is asked with source, the last UUID and a limit. */
enum mu_rc store_entries_each(struct store *s, const struct store_sql *sql, const char *source,
    void (*each)(void *ctx, const struct mu_uuid *entry_uuid), void *ctx, struct mu_err *err);

/* A malformed row, named by what it is of. */
enum mu_rc store_row_fail(struct mu_err *err, const char *what, const struct mu_uuid *id);

#endif
