#include "store/store_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/flood.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_WAIT_S	"10"
#define ANSWER_WAIT_MS	40000	/* above the server's own limits below: it normally answers first */
#define QUEUED_MAX	256	/* writes without an answer, before we wait for them */

/*
 * Of every session: one answer is never waited for longer than this, and nobody who went away
 * keeps locks.
 */
static const char session_sql[] =
    "SELECT set_config('search_path', 'public', false), set_config('bytea_output', 'hex', false),"
    " set_config('lock_timeout', '20s', false), set_config('statement_timeout', '30s', false),"
    " set_config('idle_in_transaction_session_timeout', '60s', false),"
    " set_config('default_transaction_isolation', 'read committed', false)";

/*
 * The administrators' process serves everybody in turn: who waits for one person's row keeps all waiting,
 * also those who revoke somebody else.
 */
static const char admin_session_sql[] = "SELECT set_config('lock_timeout', '3s', false)";

/*
 * Whoever numbers takes records in batches by their keys, from tables that are empty when the
 * statements are planned and large when they run.
 */
static const char tree_session_sql[] = "SELECT set_config('enable_seqscan', 'off', false)";

static const struct store_sql tx_begin = { STORE_ANY, "begin", "BEGIN" };
static const struct store_sql tx_commit = { STORE_ANY, "commit", "COMMIT" };
static const struct store_sql tx_rollback = { STORE_ANY, "rollback", "ROLLBACK" };
static const struct store_sql notify = { STORE_ANY, "notify", "SELECT pg_notify($1, '')" };
static const struct store_sql *const store_sql[] = { &tx_begin, &tx_commit, &tx_rollback, &notify,
    NULL };

static const struct store_sql *const *const all_sql[] = {
	store_sql, store_person_sql, store_group_sql, store_account_sql, store_source_sql,
	    store_policy_sql,
	store_audit_sql, store_queue_sql, store_client_sql, store_credential_sql, store_status_sql,
	store_administrator_sql, store_session_sql, store_action_sql, store_grant_sql, store_look_sql,
	store_brake_sql,
};

struct queued {
	const struct store_sql *sql;	/* NULL: a Sync */
	bool must_change;
};

struct store {
	PGconn *conn;			/* NULL: lost, or not connected yet */
	char *conninfo;
	unsigned int parts;
	bool in_tx;
	struct mu_err fault;		/* the first of this transaction, or of this connection */
	struct queued queue[QUEUED_MAX + 8];	/* sent and not answered, in order */
	size_t queue_count;
	struct store_stream *stream;	/* a flood is under way: store/flood.c */
};

enum mu_rc
store_fail(struct mu_err *err, const PGresult *result, const char *place)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	static const struct { const char *prefix; enum mu_rc rc; } rows[] = {
		{ "40001", MU_ERETRY },		/* serialization failure */
		{ "40P01", MU_ERETRY },		/* deadlock */
		{ "55P03", MU_ERETRY },		/* lock_timeout */
		{ "57", MU_ERETRY },		/* statement_timeout, shutdown, starting up */
		{ "25P03", MU_ERETRY },		/* idle_in_transaction_session_timeout */
		{ "53", MU_ERETRY },		/* disk full, too many connections */
		{ "08", MU_ERETRY },		/* connection */
		{ "23505", MU_ECONFLICT },	/* unique_violation: somebody was here first */
		{ "42", MU_ECONFIG },		/* schema or grants are not this program's */
		{ "28", MU_ECONFIG },		/* password or role refused */
		{ "3D000", MU_ECONFIG },	/* no such database */
	};
	enum mu_rc rc = MU_EBROKEN;

	if (state == NULL)
		return mu_fail(err, MU_ERETRY, "store: %s: connection lost", place);
	for (size_t i = 0; i < MU_COUNT(rows); i++)
		if (strncmp(state, rows[i].prefix, strlen(rows[i].prefix)) == 0) {
			rc = rows[i].rc;
			break;
		}
	return mu_fail(err, rc, "store: %s: %.300s (%s)%s", place, text == NULL ? "refused" : text,
	    state, rc == MU_ECONFIG ? ": run musterd migrate, or mend the grants of this role" :
	    "");
}

static void
notice_drop(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

void
store_quiet(PGconn *conn)
{
	(void)PQsetNoticeProcessor(conn, notice_drop, NULL);
}

void
store_rows_clear(PGresult **rows)
{
	PQclear(*rows);
	*rows = NULL;
}

/* Keeps the first fault; later ones follow from it. */
static void
fault_keep(struct store *s, const struct mu_err *err)
{
	if (s->fault.rc == MU_OK)
		s->fault = *err;
}

static void
drop(struct store *s, const char *why)
{
	struct mu_err err = MU_ERR_INIT;

	(void)mu_fail(&err, MU_ERETRY, "store: %s", why);
	fault_keep(s, &err);
	PQfinish(s->conn);
	s->conn = NULL;
	s->queue_count = 0;
}

static void
drop_lost(struct store *s)
{
	char text[200];

	(void)snprintf(text, sizeof(text), "connection lost: %s", PQerrorMessage(s->conn));
	text[strcspn(text, "\n")] = '\0';
	drop(s, text);
}

/* Waits until the next result can be had without waiting; false when the connection was dropped. */
static bool
answer_wait(struct store *s)
{
	int64_t until_ms = mu_tick_ms() + ANSWER_WAIT_MS;

	for (;;) {
		struct pollfd p = { .fd = PQsocket(s->conn), .events = POLLIN };
		int flushed = PQflush(s->conn);
		int64_t left_ms = until_ms - mu_tick_ms();

		if (flushed < 0)
			goto lost;
		if (PQisBusy(s->conn) == 0)
			return true;
		if (left_ms <= 0) {
			drop(s, "no answer for 40 s");
			return false;
		}
		if (flushed == 1)
			p.events |= POLLOUT;
		if (poll(&p, 1, (int)left_ms) < 0 && errno != EINTR)
			goto lost;
		if ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && PQconsumeInput(s->conn) == 0)
			goto lost;
	}
lost:
	drop_lost(s);
	return false;
}

/* The result at the front of the queue; NULL when the connection was dropped. */
static PGresult *
answer_next(struct store *s)
{
	PGresult *result = NULL;

	/* A NULL ends each statement's results; the loop passes over those of the ones before. */
	while (result == NULL) {
		if (!answer_wait(s))
			return NULL;
		result = PQgetResult(s->conn);
		if (result == NULL && PQstatus(s->conn) != CONNECTION_OK) {
			drop_lost(s);
			return NULL;
		}
	}
	s->queue_count--;
	(void)memmove(s->queue, s->queue + 1, s->queue_count * sizeof(s->queue[0]));
	return result;
}

/* What is wrong with the answer to q, if anything. */
static void
answer_check(struct store *s, const struct queued *q, const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	struct mu_err err = MU_ERR_INIT;

	if (q->sql == NULL || status == PGRES_PIPELINE_ABORTED)
		return;
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		(void)store_fail(&err, result, q->sql->name);
	else if (q->must_change && strcmp(PQcmdTuples((PGresult *)(uintptr_t)result), "1") != 0)
		(void)mu_fail(&err, MU_ECONFLICT, "store: %s: the row has moved on", q->sql->name);
	else
		return;
	fault_keep(s, &err);
}

/* Collects answers until left are outstanding; the last one's rows when the caller wants them. */
static void
collect(struct store *s, size_t left, PGresult **out_last)
{
	while (s->conn != NULL && s->queue_count > left) {
		struct queued q = s->queue[0];
		PGresult *result = answer_next(s);

		if (result == NULL)
			return;
		answer_check(s, &q, result);
		if (out_last != NULL && s->queue_count == left)
			*out_last = result;
		else
			PQclear(result);
	}
}

static void
queue_add(struct store *s, const struct store_sql *sql, bool must_change)
{
	assert(s->queue_count < MU_COUNT(s->queue));
	s->queue[s->queue_count++] = (struct queued){ sql, must_change };
}

static void
send_sync(struct store *s)
{
	if (s->conn == NULL)
		return;
	if (PQpipelineSync(s->conn) != 1) {
		drop_lost(s);
		return;
	}
	queue_add(s, NULL, false);
}

static void
send_query(struct store *s, const struct store_sql *sql, const struct store_args *args,
    bool must_change)
{
	const char *values[STORE_ARGS_MAX];

	if (s->conn == NULL)
		return;
	assert((sql->parts & s->parts) != 0);
	if (args != NULL)
		store_args_values(args, values);
	if (PQsendQueryPrepared(s->conn, sql->name, args == NULL ? 0 : args->count, values, NULL,
	    NULL, 0) != 1) {
		drop_lost(s);
		return;
	}
	queue_add(s, sql, must_change);
}

static enum mu_rc
prepare(struct store *s, struct mu_err *err)
{
	for (size_t i = 0; i < MU_COUNT(all_sql); i++) {
		for (size_t k = 0; all_sql[i][k] != NULL; k++) {
			const struct store_sql *sql = all_sql[i][k];

			if ((sql->parts & s->parts) == 0 || s->conn == NULL)
				continue;
			if (PQsendPrepare(s->conn, sql->name, sql->text, 0, NULL) != 1)
				drop_lost(s);
			else
				queue_add(s, sql, false);
		}
	}
	send_sync(s);
	collect(s, 0, NULL);
	if (s->fault.rc == MU_OK)
		return MU_OK;
	*err = s->fault;
	return mu_wrap(err, "preparing statements");
}

/* A fresh connection with everything prepared. */
static enum mu_rc
connect_now(struct store *s, struct mu_err *err)
{
	const char *keys[] = { "connect_timeout", "dbname", "fallback_application_name", NULL };
	const char *values[] = { CONNECT_WAIT_S, s->conninfo, "musterd", NULL };
	PGresult *result;

	s->fault = (struct mu_err)MU_ERR_INIT;
	s->queue_count = 0;
	s->conn = PQconnectdbParams(keys, values, 1);
	store_quiet(s->conn);
	if (PQstatus(s->conn) != CONNECTION_OK) {
		drop_lost(s);
		*err = s->fault;
		return mu_wrap(err, "connecting");
	}
	result = PQexec(s->conn, session_sql);
	if (PQresultStatus(result) == PGRES_TUPLES_OK && (s->parts & STORE_ADMIN) != 0) {
		PQclear(result);
		result = PQexec(s->conn, admin_session_sql);
	}
	if (PQresultStatus(result) == PGRES_TUPLES_OK && (s->parts & STORE_TREE) != 0) {
		PQclear(result);
		result = PQexec(s->conn, tree_session_sql);
	}
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQsetnonblocking(s->conn, 1) != 0 ||
	    PQenterPipelineMode(s->conn) != 1)
		drop_lost(s);
	PQclear(result);
	if (s->conn == NULL || prepare(s, err) != MU_OK) {
		*err = s->fault;
		PQfinish(s->conn);
		s->conn = NULL;
		return err->rc;
	}
	return MU_OK;
}

static enum mu_rc
connect_if_lost(struct store *s, struct mu_err *err)
{
	s->fault = (struct mu_err)MU_ERR_INIT;
	return s->conn != NULL ? MU_OK : connect_now(s, err);
}

enum mu_rc
store_open(const char *conninfo, unsigned int parts, struct store **out_store, struct mu_err *err)
{
	struct store *s = mu_alloc_zero(1, sizeof(*s));

	s->conninfo = mu_strdup(conninfo);
	s->parts = parts;
	if (connect_now(s, err) != MU_OK) {
		store_close(s);
		return err->rc;
	}
	*out_store = s;
	return MU_OK;
}

void
store_close(struct store *s)
{
	struct mu_err err = MU_ERR_INIT;

	if (s == NULL)
		return;
	if (store_flood_end(s, &err) != MU_OK)
		mu_log_err(&err, "store.flood_lost", NULL);
	PQfinish(s->conn);
	explicit_bzero(s->conninfo, strlen(s->conninfo));
	mu_free(s->conninfo);
	mu_free(s);
}

enum mu_rc
store_begin(struct store *s, struct mu_err *err)
{
	assert(!s->in_tx && s->stream == NULL);
	if (connect_if_lost(s, err) != MU_OK)
		return err->rc;
	s->in_tx = true;
	send_query(s, &tx_begin, NULL, false);
	return MU_OK;
}

void
store_put(struct store *s, const struct store_sql *sql, const struct store_args *args,
    bool must_change)
{
	assert(s->in_tx);
	if (s->fault.rc != MU_OK)
		return;
	if (s->queue_count >= QUEUED_MAX) {
		if (PQsendFlushRequest(s->conn) != 1)
			drop_lost(s);
		collect(s, 0, NULL);
	}
	if (s->fault.rc == MU_OK)
		send_query(s, sql, args, must_change);
}

enum mu_rc
store_ask(struct store *s, const struct store_sql *sql, const struct store_args *args,
    PGresult **out_rows, struct mu_err *err)
{
	PGresult *rows = NULL;

	assert(s->stream == NULL);
	if (!s->in_tx && connect_if_lost(s, err) != MU_OK)
		return err->rc;
	if (s->fault.rc == MU_OK)
		send_query(s, sql, args, false);
	if (s->in_tx) {
		if (s->fault.rc == MU_OK && PQsendFlushRequest(s->conn) != 1)
			drop_lost(s);
		if (s->fault.rc == MU_OK)
			collect(s, 0, &rows);
	} else {
		send_sync(s);
		collect(s, 1, &rows);
		collect(s, 0, NULL);
	}
	if (s->fault.rc != MU_OK) {
		PQclear(rows);
		*err = s->fault;
		return err->rc;
	}
	*out_rows = rows;
	return MU_OK;
}

void
store_rollback(struct store *s)
{
	if (!s->in_tx || s->stream != NULL)
		return;
	s->in_tx = false;
	send_sync(s);		/* ends the pipeline's abort, if there is one */
	send_query(s, &tx_rollback, NULL, false);
	send_sync(s);
	s->fault = (struct mu_err)MU_ERR_INIT;
	collect(s, 2, NULL);
	s->fault = (struct mu_err)MU_ERR_INIT;
	collect(s, 0, NULL);
	if (s->conn != NULL && s->fault.rc != MU_OK)
		drop(s, "rollback refused");
}

enum mu_rc
store_commit(struct store *s, struct mu_err *err)
{
	PGresult *result = NULL;

	assert(s->in_tx);
	if (s->fault.rc == MU_OK) {
		if (PQsendFlushRequest(s->conn) != 1)
			drop_lost(s);
		collect(s, 0, NULL);
	}
	if (s->fault.rc != MU_OK) {
		*err = s->fault;
		store_rollback(s);
		return err->rc;
	}
	send_query(s, &tx_commit, NULL, false);
	send_sync(s);
	collect(s, 1, &result);
	collect(s, 0, NULL);
	if (s->fault.rc == MU_OK && (result == NULL || strcmp(PQcmdStatus(result),
	    "COMMIT") != 0)) {
		struct mu_err lost = MU_ERR_INIT;

		(void)mu_fail(&lost, MU_EBROKEN, "store: commit was answered by a rollback");
		fault_keep(s, &lost);
	}
	PQclear(result);
	s->in_tx = false;
	if (s->fault.rc != MU_OK)
		*err = s->fault;
	return s->fault.rc;
}

/* --- Outside of the pipeline ------------------------------------------------------------------- */

enum mu_rc
store_stream_begin(struct store *s, struct mu_err *err)
{
	assert(s->in_tx && s->stream == NULL);
	if (s->fault.rc == MU_OK) {
		if (PQsendFlushRequest(s->conn) != 1)
			drop_lost(s);
		collect(s, 0, NULL);
	}
	/* the NULL that ends the last statement's results is still to be taken */
	if (s->fault.rc == MU_OK && answer_wait(s) && PQgetResult(s->conn) != NULL)
		drop(s, "an answer that nobody asked for");
	if (s->fault.rc == MU_OK && PQexitPipelineMode(s->conn) != 1)
		drop_lost(s);
	if (s->fault.rc != MU_OK)
		*err = s->fault;
	return s->fault.rc;
}

PGconn *
store_stream_conn(struct store *s)
{
	return s->conn;
}

void
store_stream_end(struct store *s, bool sound)
{
	s->in_tx = false;
	s->fault = (struct mu_err)MU_ERR_INIT;
	if (!sound || PQenterPipelineMode(s->conn) != 1)
		drop_lost(s);
}

struct store_stream *
store_stream(const struct store *s)
{
	return s->stream;
}

void
store_stream_set(struct store *s, struct store_stream *stream)
{
	s->stream = stream;
}

void
store_hint(struct store *s, const char *channel)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct mu_err err = MU_ERR_INIT;

	assert(!s->in_tx);
	arg_text(&args, channel);
	(void)!store_ask(s, &notify, &args, &rows, &err);
}
