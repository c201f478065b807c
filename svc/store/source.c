#include "store/source.h"

#include "store/store_priv.h"

static const struct store_sql search_get = { STORE_SOURCE, "search_get",
    "SELECT cookie, digest, " AS_UNIX("complete_at") ", listed_count FROM source_search"
    " WHERE source = $1 AND search = $2" };
static const struct store_sql search_put = { STORE_SOURCE, "search_write",
    "INSERT INTO source_search (source, search, cookie, digest, complete_at, listed_count)"
    " VALUES ($1, $2, $3, $4, " AS_TIME("$5") ", $6) ON CONFLICT (source, search) DO UPDATE SET"
    " cookie = excluded.cookie, digest = excluded.digest, complete_at = excluded.complete_at,"
    " listed_count = excluded.listed_count" };
static const struct store_sql verdict_get = { STORE_SOURCE, "verdict_get",
    "SELECT verdict, " AS_UNIX("since") " FROM source_verdict WHERE source = $1" };
static const struct store_sql verdict_put = { STORE_SOURCE, "verdict_write",
    "INSERT INTO source_verdict AS v (source, verdict, reason, since) VALUES ($1, $2, $3, "
    AS_TIME("$4") ") ON CONFLICT (source) DO UPDATE SET verdict = excluded.verdict,"
    " reason = excluded.reason, since = CASE WHEN v.verdict = excluded.verdict THEN v.since"
    " ELSE excluded.since END" };
static const struct store_sql quarantine_put = { STORE_SOURCE, "quarantine_write",
    "INSERT INTO quarantine (source, entry, reason, since) VALUES ($1, $2, $3, " AS_TIME("$4") ")"
    " ON CONFLICT (source, entry) DO UPDATE SET reason = excluded.reason" };
static const struct store_sql quarantine_drop = { STORE_SOURCE, "quarantine_drop",
    "DELETE FROM quarantine WHERE source = $1 AND entry = $2" };
static const struct store_sql sync_ask = { STORE_SOURCE, "sync_ask",
    "INSERT INTO sync_request AS r (source, asked_at) VALUES ($1, to_timestamp($2::bigint"
    " / 1000.0)) ON CONFLICT (source) DO UPDATE SET asked_at = greatest(r.asked_at,"
    " excluded.asked_at)" };
static const struct store_sql sync_asked = { STORE_SOURCE, "sync_asked",
    "SELECT (extract(epoch FROM asked_at) * 1000)::bigint FROM sync_request WHERE source = $1" };
static const struct store_sql lease_take = { STORE_SOURCE | STORE_QUEUE | STORE_TREE, "lease_take",
    "INSERT INTO lease AS l (name, holder, fence, expires_at)"
    " VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3::bigint))"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at,"
    " fence = l.fence + CASE WHEN l.holder = excluded.holder THEN 0 ELSE 1 END"
    " WHERE l.holder = excluded.holder OR l.expires_at <= clock_timestamp() RETURNING fence" };

const struct store_sql *const store_source_sql[] = { &search_get, &search_put, &verdict_get,
    &verdict_put, &quarantine_put, &quarantine_drop, &sync_ask, &sync_asked, &lease_take, NULL };

void
store_search_clear(struct store_search *x)
{
	mu_buf_clear(&x->cookie);
}

enum mu_rc
store_search_get(struct store *s, const char *source, const char *search,
    struct store_search *out_search, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_search x = { .complete_at_s = 0 };

	arg_text(&args, source);
	arg_text(&args, search);
	if (store_ask(s, &search_get, &args, &rows, err) != MU_OK)
		return err->rc;
	if (PQntuples(rows) == 0)
		return mu_fail(err, MU_EABSENT, "source %s: %s were never read", source, search);
	row_buf(rows, 0, 0, &x.cookie);
	(void)row_bytes(rows, 0, 1, x.digest, sizeof(x.digest));
	x.complete_at_s = row_int(rows, 0, 2);
	x.listed_count = row_int(rows, 0, 3);
	*out_search = x;
	return MU_OK;
}

void
store_search_write(struct store *s, const char *source, const char *search,
    const struct store_search *x)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	arg_text(&args, search);
	arg_bytes(&args, mu_buf_text(&x->cookie), x->cookie.size_bytes);
	arg_bytes(&args, x->digest, sizeof(x->digest));
	arg_int(&args, x->complete_at_s);
	arg_int(&args, x->listed_count);
	store_put(s, &search_put, &args, true);
}

enum mu_rc
store_verdict_get(struct store *s, const char *source, enum verdict *out_verdict,
    int64_t *out_since_s, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, source);
	if (store_ask(s, &verdict_get, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_verdict = VERDICT_NONE;
	*out_since_s = 0;
	if (PQntuples(rows) == 0)
		return MU_OK;
	if (!verdict_parse(row_text(rows, 0, 0), out_verdict))
		return mu_fail(err, MU_EBROKEN, "source %s: verdict %.40s is none of ours", source,
		    row_text(rows, 0, 0));
	*out_since_s = row_int(rows, 0, 1);
	return MU_OK;
}

void
store_verdict_write(struct store *s, const char *source, enum verdict verdict, const char *text,
    int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	arg_text(&args, verdict_name(verdict));
	arg_text(&args, text);
	arg_int(&args, now_s);
	store_put(s, &verdict_put, &args, true);
}

void
store_quarantine_write(struct store *s, const char *source, const char *entry, const char *reason,
    int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	arg_text(&args, entry);
	arg_text(&args, reason);
	arg_int(&args, now_s);
	store_put(s, &quarantine_put, &args, true);
}

void
store_quarantine_drop(struct store *s, const char *source, const char *entry)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	arg_text(&args, entry);
	store_put(s, &quarantine_drop, &args, false);
}

void
store_sync_ask(struct store *s, const char *source, int64_t now_ms)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, source);
	arg_int(&args, now_ms);
	store_put(s, &sync_ask, &args, true);
}

enum mu_rc
store_sync_asked(struct store *s, const char *source, int64_t *out_at_ms, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, source);
	if (store_ask(s, &sync_asked, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_at_ms = PQntuples(rows) == 0 ? 0 : row_int(rows, 0, 0);
	return MU_OK;
}

enum mu_rc
store_lease_take(struct store *s, const char *name, const char *holder, int64_t seconds,
    int64_t *out_fence, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, name);
	arg_text(&args, holder);
	arg_int(&args, seconds);
	if (store_ask(s, &lease_take, &args, &rows, err) != MU_OK)
		return err->rc;
	if (PQntuples(rows) == 0)
		return mu_fail(err, MU_EDENIED, "lease %s: another holds it", name);
	*out_fence = row_int(rows, 0, 0);
	return MU_OK;
}
