#include "store/read.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/link_priv.h"
#include "store/store_priv.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_WAIT_MS	5000
#define LOOK_EACH_MS	1000	/* how often ANSWER_WAIT_MS is looked at */
#define GATHER_MS	100	/* pulls of one minute become one row the longer they wait */
#define WAITING_MAX	20000	/* writes not yet in the store: above, lookups are refused */

static const struct store_sql grant = { STORE_ANY, "grant",
    "SELECT c.client_id, c.name, c.platform, c.version, c.mac, " AS_UNIX("c.not_after") ", "
    ACCOUNT_COLUMNS("a.") " FROM token_client c LEFT JOIN account a ON a.platform = c.platform"
    " AND a.name = $2 WHERE c.fingerprint = $1" };
#define GRANT_ACCOUNT 6		/* where the account's columns begin */
static const struct store_sql pull = { STORE_ANY, "pull",
    "INSERT INTO pull_count AS p (client_id, account_id, minute, pulls)"
    " VALUES ($1, $2, to_timestamp($3::bigint), $4::bigint) ON CONFLICT (client_id, account_id,"
    " minute) DO UPDATE SET pulls = p.pulls + excluded.pulls" };
/* Sent again after a broken connection: the record may be there already. */
static const struct store_sql record = { STORE_ANY, "record",
    "WITH r AS (INSERT INTO audit_record (record_id, happened_at, kind, body)"
    " VALUES ($1, to_timestamp($2::bigint / 1000.0), $3, $4) ON CONFLICT DO NOTHING"
    " RETURNING record_id) INSERT INTO audit_pending (record_id) SELECT record_id FROM r" };
static const struct store_sql session = { STORE_ANY, "session",
    "SELECT set_config('search_path', 'public', false), set_config('bytea_output', 'hex', false),"
    " set_config('statement_timeout', '5s', false)" };

/* What is sent and not answered, in order: a growing ring would save little. */
struct asked {
	store_grant_fn *fn;		/* NULL: a Sync, or a statement being prepared */
	void *ctx;
	bool is_sync;
	int64_t at_ms;
};

struct asked_list {
	struct asked *list;
	size_t first, count, room;
};

struct pull_key {
	struct mu_uuid client_id, account_id;
	int64_t minute_s, pulls;
};

struct pull_list {
	struct pull_key *list;
	size_t count, room;
};

struct record_key {
	struct mu_uuid record_id;
	int64_t happened_at_ms;
	char *kind, *body;
};

struct record_list {
	struct record_key *list;
	size_t count, room;
};

struct store_read {
	struct mu_loop *loop;
	struct store_link *reader, *writer;
	struct mu_timer *look, *gather, *turn;
	struct asked_list asked, refused;
	bool reader_ready, writer_ready;	/* prepared */
	bool dirty;				/* lookups without a Sync behind them */
	struct pull_list pulls, pulls_sent;
	struct record_list records, records_sent;
	/* results still to come, the Sync's among them; 0: nothing in flight */
	size_t writer_answers;
	int64_t writer_sent_ms;
	bool writer_faulty, writer_told;	/* told: said so once since a batch was taken */
	bool pulls_due;				/* gathered long enough */
};

/* --- Lists ---------------------------------------------------------------------------- */

static void
asked_add(struct asked_list *a, const struct asked *one)
{
	if (a->first > 0 && a->first + a->count == a->room) {
		(void)memmove(a->list, a->list + a->first, a->count * sizeof(*a->list));
		a->first = 0;
	}
	if (a->first + a->count == a->room) {
		a->room = a->room == 0 ? 64 : a->room * 2;
		a->list = mu_alloc_again(a->list, a->room, sizeof(*a->list));
	}
	a->list[a->first + a->count++] = *one;
}

static struct asked
asked_take(struct asked_list *a)
{
	struct asked one = a->list[a->first++];

	if (--a->count == 0)
		a->first = 0;
	return one;
}

static void
records_clear(struct record_list *r)
{
	for (size_t i = 0; i < r->count; i++) {
		mu_free(r->list[i].kind);
		mu_free(r->list[i].body);
	}
	r->count = 0;
}

static void
pull_append(struct pull_list *p, const struct pull_key *one)
{
	if (p->count == p->room) {
		p->room = p->room == 0 ? 64 : p->room * 2;
		p->list = mu_alloc_again(p->list, p->room, sizeof(*p->list));
	}
	p->list[p->count++] = *one;
}

static void
record_append(struct record_list *r, const struct record_key *one)
{
	if (r->count == r->room) {
		r->room = r->room == 0 ? 64 : r->room * 2;
		r->list = mu_alloc_again(r->list, r->room, sizeof(*r->list));
	}
	r->list[r->count++] = *one;
}

static int
pull_order(const void *a, const void *b)
{
	return memcmp(a, b, offsetof(struct pull_key, pulls));
}

/*
 * One row per key, in one order for all token processes, so that they never wait for each other
 * in a circle.
 */
static void
pulls_merge(struct pull_list *p)
{
	size_t kept = 0;

	if (p->count == 0)
		return;
	qsort(p->list, p->count, sizeof(*p->list), pull_order);
	for (size_t i = 1; i < p->count; i++) {
		if (pull_order(&p->list[kept], &p->list[i]) == 0)
			p->list[kept].pulls += p->list[i].pulls;
		else
			p->list[++kept] = p->list[i];
	}
	p->count = kept + 1;
}

/* --- The reader ----------------------------------------------------------------------- */

static void
refuse_later(struct store_read *r, store_grant_fn *fn, void *ctx)
{
	asked_add(&r->refused, &(struct asked){ .fn = fn, .ctx = ctx });
	mu_timer_set(r->turn, 0);
}

static bool
grant_read(const PGresult *rows, struct store_grant *g, struct mu_err *err)
{
	*g = (struct store_grant){ .has_client = PQntuples(rows) == 1 };
	if (!g->has_client)
		return true;
	row_uuid(rows, 0, 0, &g->client.client_id);
	g->client.name = row_text_copy(rows, 0, 1);
	g->client.platform = row_text_copy(rows, 0, 2);
	g->client.version = row_int(rows, 0, 3);
	g->client.not_after_s = row_int(rows, 0, 5);
	g->has_account = PQgetisnull(rows, 0, GRANT_ACCOUNT) == 0;
	return row_bytes(rows, 0, 4, g->client.mac, sizeof(g->client.mac)) &&
	    (!g->has_account || row_account(rows, 0, GRANT_ACCOUNT, &g->account, g->mac,
	    err) == MU_OK);
}

static void
answer(const struct asked *one, const PGresult *rows)
{
	struct mu_err err = MU_ERR_INIT;
	struct store_grant g;

	if (PQresultStatus(rows) != PGRES_TUPLES_OK) {
		one->fn(one->ctx, MU_ERETRY, NULL);
		return;
	}
	if (grant_read(rows, &g, &err)) {
		one->fn(one->ctx, MU_OK, &g);
	} else {
		mu_log_err(&err, "store.grant", NULL);
		one->fn(one->ctx, MU_ERETRY, NULL);
	}
	store_client_clear(&g.client);
	account_want_clear(&g.account);
}

static bool
send_query(PGconn *conn, const struct store_sql *sql, const struct store_args *args)
{
	const char *values[STORE_ARGS_MAX];

	store_args_values(args, values);
	return PQsendQueryPrepared(conn, sql->name, args->count, values, NULL, NULL, 0) == 1;
}

static void
reader_up(void *ctx, PGconn *conn)
{
	struct store_read *r = ctx;
	struct asked one = { .fn = NULL, .at_ms = mu_tick_ms() };

	if (PQsendQueryParams(conn, session.text, 0, NULL, NULL, NULL, NULL, 0) != 1 ||
	    PQsendPrepare(conn, grant.name, grant.text, 0, NULL) != 1 || PQpipelineSync(conn) != 1)
		return;		/* the link notices at its next flush */
	asked_add(&r->asked, &one);
	asked_add(&r->asked, &one);
	one.is_sync = true;
	asked_add(&r->asked, &one);
}

static void
sync_answered(struct store_read *r)
{
	if (!r->reader_ready)
		store_link_good(r->reader);
	r->reader_ready = true;
}

static void
reader_readable(void *ctx, PGconn *conn)
{
	struct store_read *r = ctx;

	while (r->asked.count > 0 && PQisBusy(conn) == 0) {
		PGresult *result = PQgetResult(conn);
		struct asked one;

		if (result == NULL) {
			if (PQstatus(conn) != CONNECTION_OK)
				return;
			continue;	/* the end of one statement's results */
		}
		one = asked_take(&r->asked);
		if (one.fn != NULL)
			answer(&one, result);
		else if (one.is_sync)
			sync_answered(r);
		else if (PQresultStatus(result) != PGRES_TUPLES_OK &&
		    PQresultStatus(result) != PGRES_COMMAND_OK) {
			struct mu_err err = MU_ERR_INIT;

			(void)store_fail(&err, result, "preparing lookups");
			mu_log_err(&err, "store.prepare", NULL);
			PQclear(result);
			store_link_break(r->reader, "preparing lookups failed");
			return;
		}
		PQclear(result);
		if (store_link_conn(r->reader) != conn)
			return;
	}
}

static void
reader_down(void *ctx)
{
	struct store_read *r = ctx;

	r->reader_ready = false;
	r->dirty = false;
	while (r->asked.count > 0) {
		struct asked one = asked_take(&r->asked);

		if (one.fn != NULL)
			refuse_later(r, one.fn, one.ctx);
	}
}

static const struct store_link_ops reader_ops = { reader_up, reader_readable, reader_down };

static size_t
waiting(const struct store_read *r)
{
	return r->pulls.count + r->pulls_sent.count + r->records.count + r->records_sent.count;
}

void
store_read_grant(struct store_read *r, const unsigned char fingerprint[FINGERPRINT_BYTES],
    const char *account_name, store_grant_fn *fn, void *ctx)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	PGconn *conn = store_link_conn(r->reader);

	if (conn == NULL || !r->reader_ready || waiting(r) >= WAITING_MAX) {
		refuse_later(r, fn, ctx);
		return;
	}
	arg_bytes(&args, fingerprint, FINGERPRINT_BYTES);
	arg_text(&args, account_name);
	if (!send_query(conn, &grant, &args)) {
		refuse_later(r, fn, ctx);
		store_link_break(r->reader, "lookup could not be sent");
		return;
	}
	asked_add(&r->asked, &(struct asked){ .fn = fn, .ctx = ctx, .at_ms = mu_tick_ms() });
	if (!r->dirty)
		mu_timer_set(r->turn, 0);
	r->dirty = true;
}

/* --- The writer ----------------------------------------------------------------------- */

static void
writer_up(void *ctx, PGconn *conn)
{
	struct store_read *r = ctx;

	r->writer_faulty = false;
	r->writer_answers = 0;
	if (PQsendQueryParams(conn, session.text, 0, NULL, NULL, NULL, NULL, 0) != 1 ||
	    PQsendPrepare(conn, pull.name, pull.text, 0, NULL) != 1 ||
	    PQsendPrepare(conn, record.name, record.text, 0, NULL) != 1 ||
	    PQpipelineSync(conn) != 1)
		return;
	r->writer_answers = 4;
	r->writer_sent_ms = mu_tick_ms();
}

/* What was sent is sent again, behind what came meanwhile: order does not matter to it. */
static void
batch_take_back(struct store_read *r)
{
	for (size_t i = 0; i < r->pulls_sent.count; i++)
		pull_append(&r->pulls, &r->pulls_sent.list[i]);
	r->pulls_sent.count = 0;
	for (size_t i = 0; i < r->records_sent.count; i++)
		record_append(&r->records, &r->records_sent.list[i]);
	r->records_sent.count = 0;
}

static void
batch_end(struct store_read *r)
{
	if (r->writer_faulty) {
		store_link_break(r->writer, "a batch of records was refused");
		return;
	}
	r->writer_ready = true;
	if (r->pulls_sent.count + r->records_sent.count > 0) {
		store_link_good(r->writer);
		r->writer_told = false;
	}
	r->pulls_sent.count = 0;
	records_clear(&r->records_sent);
	if (r->pulls_due || r->records.count > 0)
		mu_timer_set(r->turn, 0);
}

static void
writer_readable(void *ctx, PGconn *conn)
{
	struct store_read *r = ctx;

	while (r->writer_answers > 0 && PQisBusy(conn) == 0) {
		PGresult *result = PQgetResult(conn);
		ExecStatusType status = PQresultStatus(result);

		if (result == NULL) {
			if (PQstatus(conn) != CONNECTION_OK)
				return;
			continue;
		}
		if (status == PGRES_FATAL_ERROR && !r->writer_faulty) {
			struct mu_err err = MU_ERR_INIT;

			(void)store_fail(&err, result, "recording");
			if (!r->writer_told)
				mu_log_err(&err, "store.record", NULL);
			r->writer_told = true;
			r->writer_faulty = true;
		}
		PQclear(result);
		if (--r->writer_answers == 0)
			batch_end(r);
		if (store_link_conn(r->writer) != conn)
			return;
	}
}

static void
writer_down(void *ctx)
{
	struct store_read *r = ctx;

	r->writer_ready = false;
	r->writer_answers = 0;
	batch_take_back(r);
}

static const struct store_link_ops writer_ops = { writer_up, writer_readable, writer_down };

static bool
pull_send(PGconn *conn, const struct pull_key *p)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, &p->client_id);
	arg_uuid(&args, &p->account_id);
	arg_int(&args, p->minute_s);
	arg_int(&args, p->pulls);
	return send_query(conn, &pull, &args);
}

static bool
record_send(PGconn *conn, const struct record_key *k)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, &k->record_id);
	arg_int(&args, k->happened_at_ms);
	arg_text(&args, k->kind);
	arg_text(&args, k->body);
	return send_query(conn, &record, &args);
}

/* Everything that waits goes as one transaction, one batch at a time: the disk sets the pace. */
static void
batch_send(struct store_read *r)
{
	PGconn *conn = store_link_conn(r->writer);
	struct pull_list pulls = r->pulls;
	struct record_list records = r->records;
	bool sent = true;

	if (conn == NULL || !r->writer_ready || r->writer_answers > 0 || (!r->pulls_due &&
	    records.count == 0))
		return;
	r->pulls = r->pulls_sent;
	r->pulls_sent = pulls;
	r->records = r->records_sent;
	r->records_sent = records;
	r->pulls_due = false;
	mu_timer_stop(r->gather);
	pulls_merge(&r->pulls_sent);
	for (size_t i = 0; i < r->pulls_sent.count && sent; i++)
		sent = pull_send(conn, &r->pulls_sent.list[i]);
	for (size_t i = 0; i < r->records_sent.count && sent; i++)
		sent = record_send(conn, &r->records_sent.list[i]);
	if (!sent || PQpipelineSync(conn) != 1) {
		store_link_break(r->writer, "records could not be sent");
		return;
	}
	r->writer_answers = r->pulls_sent.count + r->records_sent.count + 1;
	r->writer_sent_ms = mu_tick_ms();
	store_link_flush(r->writer);
}

static void
on_gather(void *ctx)
{
	struct store_read *r = ctx;

	r->pulls_due = true;
}

void
store_read_pull_add(struct store_read *r, const struct mu_uuid *client_id,
    const struct mu_uuid *account_id, int64_t now_s)
{
	pull_append(&r->pulls, &(struct pull_key){ *client_id, *account_id, now_s - now_s % 60,
	    1 });
	if (!mu_timer_is_set(r->gather) && !r->pulls_due)
		mu_timer_set(r->gather, GATHER_MS);
}

void
store_read_audit_add(struct store_read *r, const struct mu_uuid *record_id, int64_t happened_at_ms,
    const char *kind, const char *body)
{
	record_append(&r->records, &(struct record_key){ *record_id, happened_at_ms,
	    mu_strdup(kind), mu_strdup(body) });
	mu_timer_set(r->turn, 0);
}

/* --- The turn ------------------------------------------------------------------------- */

/* Refusals that handlers ask for meanwhile wait for the next turn. */
static void
refused_answer(struct store_read *r)
{
	for (size_t left = r->refused.count; left > 0; left--) {
		struct asked one = asked_take(&r->refused);

		one.fn(one.ctx, MU_ERETRY, NULL);
	}
}

static void
on_turn_end(void *ctx)
{
	struct store_read *r = ctx;
	PGconn *conn = store_link_conn(r->reader);

	if (r->dirty && conn != NULL) {
		r->dirty = false;
		asked_add(&r->asked, &(struct asked){ .is_sync = true, .at_ms = mu_tick_ms() });
		if (PQpipelineSync(conn) != 1)
			store_link_break(r->reader, "lookups could not be sent");
		else
			store_link_flush(r->reader);
	}
	batch_send(r);
	refused_answer(r);
}

/* Makes the loop turn once more at once: the work is done at the turn's end. */
static void
on_turn(void *ctx)
{
	(void)ctx;
}

/* A server that holds still is as good as none. */
static void
on_look(void *ctx)
{
	struct store_read *r = ctx;

	if (r->asked.count > 0 &&
	    r->asked.list[r->asked.first].at_ms + ANSWER_WAIT_MS < mu_tick_ms())
		store_link_break(r->reader, "no answer for 5 s");
	if (r->writer_answers > 0 && r->writer_sent_ms + ANSWER_WAIT_MS < mu_tick_ms())
		store_link_break(r->writer, "no answer for 5 s");
	mu_timer_set(r->look, LOOK_EACH_MS);
}

struct store_read *
store_read_open(struct mu_loop *loop, const char *conninfo)
{
	struct store_read *r = mu_alloc_zero(1, sizeof(*r));

	r->loop = loop;
	r->reader = store_link_open(loop, conninfo, "read", true, &reader_ops, r);
	r->writer = store_link_open(loop, conninfo, "record", true, &writer_ops, r);
	r->look = mu_loop_timer(loop, on_look, r);
	r->gather = mu_loop_timer(loop, on_gather, r);
	r->turn = mu_loop_timer(loop, on_turn, r);
	mu_timer_set(r->look, LOOK_EACH_MS);
	mu_loop_each_turn(loop, on_turn_end, r);
	return r;
}

void
store_read_close(struct store_read *r)
{
	if (r == NULL)
		return;
	store_link_close(r->reader);
	store_link_close(r->writer);
	mu_timer_free(r->look);
	mu_timer_free(r->gather);
	mu_timer_free(r->turn);
	records_clear(&r->records);
	records_clear(&r->records_sent);
	mu_free(r->records.list);
	mu_free(r->records_sent.list);
	mu_free(r->pulls.list);
	mu_free(r->pulls_sent.list);
	mu_free(r->asked.list);
	mu_free(r->refused.list);
	mu_free(r);
}

bool
store_read_is_up(const struct store_read *r)
{
	return r->reader_ready;
}
