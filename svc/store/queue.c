#include "store/queue.h"

#include "store/store_priv.h"

#include <string.h>

/*
 * "The wanted part has not moved since it was taken": what settles, retries or parks is what is
 * wanted still.
 */
#define UNMOVED	"version = $3::bigint"
#define MINE	" WHERE account_id = $1 AND lease_holder = $2"
#define UNLEASE	"lease_holder = NULL, lease_until = NULL"

static const struct store_sql take = { STORE_QUEUE, "queue_take",
    "WITH due AS MATERIALIZED (SELECT account_id FROM account WHERE platform = $1"
    " AND version > settled_version AND NOT parked AND next_attempt_at <= " AS_TIME("$3")
    " AND (lease_until IS NULL OR lease_until <= " AS_TIME("$3") " OR lease_holder = $2)"
    " ORDER BY urgent DESC, next_attempt_at LIMIT $5::bigint FOR UPDATE SKIP LOCKED),"
    " taken AS (UPDATE account a SET lease_holder = $2, lease_until = " AS_TIME("$4")
    " FROM due WHERE a.account_id = due.account_id RETURNING a.*)"
    " SELECT " ACCOUNT_COLUMNS("t.") ", t.settled_version, t.attempts, t.urgent,"
    " t.create_begun_at IS NOT NULL, t.owned, t.observed_state, t.observed_rights, t.observed_id, "
    AS_UNIX("t.observed_at") ", CASE WHEN c.account_id IS NULL THEN CASE WHEN t.claimed_at IS NULL"
    " THEN 'none' ELSE 'claimed' END WHEN c.set_at IS NULL THEN 'sealed' ELSE 'claimable' END,"
    " c.credential_id, c.sealed, p.display_name FROM taken t JOIN person p ON p.person_id"
    " = t.person_id LEFT JOIN credential c ON c.account_id = t.account_id ORDER BY t.urgent DESC,"
    " t.next_attempt_at" };
static const struct store_sql next_due = { STORE_QUEUE, "queue_next_due",
    "SELECT " AS_UNIX("min(greatest(next_attempt_at, lease_until))") " FROM account"
    " WHERE platform = $1 AND version > settled_version AND NOT parked" };
static const struct store_sql create_begun = { STORE_QUEUE, "queue_create_begun",
    "UPDATE account SET create_begun_at = coalesce(create_begun_at, " AS_TIME("$3") ")" MINE };
static const struct store_sql create_undone = { STORE_QUEUE, "queue_create_undone",
    "UPDATE account SET create_begun_at = NULL" MINE " AND NOT owned" };
static const struct store_sql giving = { STORE_QUEUE, "queue_giving", "UPDATE account"
    " SET observed_rights = $3" MINE };
static const struct store_sql owned = { STORE_QUEUE, "queue_owned", "UPDATE account"
    " SET owned = true" MINE };
static const struct store_sql settle = { STORE_QUEUE, "queue_settle",
    "UPDATE account SET settled_version = greatest(settled_version, $3::bigint),"
    " observed_state = $4, observed_rights = $5, observed_id = $6, observed_at = " AS_TIME("$7")
    ", last_outcome = 'done', last_text = '', owned = owned AND $4 <> 'absent',"
    " create_begun_at = CASE WHEN $4 <> 'absent' THEN create_begun_at END, attempts = CASE WHEN "
    UNMOVED " THEN 0 ELSE attempts END, urgent = urgent AND NOT " UNMOVED ", debt_since = CASE"
    " WHEN " UNMOVED " THEN NULL ELSE debt_since END, " UNLEASE MINE " AND version >= $3::bigint" };
static const struct store_sql retry = { STORE_QUEUE, "queue_retry",
    "UPDATE account SET attempts = attempts + CASE WHEN " UNMOVED " THEN 1 ELSE 0 END,"
    " next_attempt_at = CASE WHEN " UNMOVED " THEN " AS_TIME("$4") " ELSE next_attempt_at END,"
    " last_outcome = $5, last_text = $6, " UNLEASE MINE };
static const struct store_sql park = { STORE_QUEUE, "queue_park",
    "UPDATE account SET parked = " UNMOVED ", last_outcome = $4, last_text = $5, " UNLEASE MINE };
static const struct store_sql unpark = { STORE_QUEUE, "queue_unpark",
    "UPDATE account SET parked = false, attempts = 0, next_attempt_at = " AS_TIME("$2")
    " WHERE platform = $1 AND parked" };
static const struct store_sql release = { STORE_QUEUE, "queue_release", "UPDATE account SET "
    UNLEASE MINE };
static const struct store_sql receipt_insert = { STORE_QUEUE, "receipt_write",
    "INSERT INTO receipt (receipt_id, account_id, version, step, outcome, sessions_ended,"
    " sessions_left, made_at, body, signature) VALUES ($1, $2, $3, $4, $5, $6, $7,"
    " to_timestamp($8::bigint / 1000.0), $9, $10)" };
static const struct store_sql counts = { STORE_QUEUE, "queue_counts",
    "SELECT count(*), count(*) FILTER (WHERE version > settled_version),"
    " count(*) FILTER (WHERE parked), " AS_UNIX("min(debt_since)") " FROM account"
    " WHERE platform = $1" };

const struct store_sql *const store_queue_sql[] = { &take, &next_due, &create_begun, &create_undone,
    &giving, &owned, &settle, &retry, &park, &unpark, &release, &receipt_insert, &counts, NULL };

static const char *const credential_states[] = {
	[CREDENTIAL_NONE] = "none", [CREDENTIAL_SEALED] = "sealed",
	    [CREDENTIAL_CLAIMABLE] = "claimable",
	[CREDENTIAL_CLAIMED] = "claimed",
};

const char *
store_credential_state_name(enum store_credential_state state)
{
	return credential_states[state];
}

void
store_work_clear(struct store_work *w)
{
	account_want_clear(&w->want);
	observed_clear(&w->seen);
	mu_secret_clear(&w->sealed);
	mu_free(w->display_name);
	*w = (struct store_work){ .settled_version = 0 };
}

void
store_works_clear(struct store_works *w)
{
	for (size_t i = 0; i < w->count; i++)
		store_work_clear(&w->list[i]);
	mu_free(w->list);
	*w = (struct store_works){ .count = 0 };
}

static enum mu_rc
row_work(const PGresult *rows, int row, struct store_work *w, struct mu_err *err)
{
	int c = ACCOUNT_COLUMN_COUNT;
	size_t state = 0;

	if (row_account(rows, row, 0, &w->want, w->mac, err) != MU_OK)
		return err->rc;
	w->settled_version = row_int(rows, row, c);
	w->attempts = row_int(rows, row, c + 1);
	w->urgent = row_bool(rows, row, c + 2);
	w->create_begun = row_bool(rows, row, c + 3);
	w->owned = row_bool(rows, row, c + 4);
	w->seen.external_id = row_text_copy(rows, row, c + 7);
	w->seen_at_s = row_int(rows, row, c + 8);
	row_uuid(rows, row, c + 10, &w->credential_id);
	row_secret(rows, row, c + 11, &w->sealed);
	w->display_name = row_text_copy(rows, row, c + 12);
	while (state < MU_COUNT(credential_states) && strcmp(credential_states[state],
	    row_text(rows, row, c + 9)) != 0)
		state++;
	w->credential = (enum store_credential_state)state;
	if (!account_state_parse(row_text(rows, row, c + 5), &w->seen.state) ||
	    !entitlements_parse(row_text(rows, row, c + 6), &w->seen.rights))
		return store_row_fail(err, "account", &w->want.account_id);
	return MU_OK;
}

enum mu_rc
store_queue_take(struct store *s, const char *platform, const char *holder, int64_t now_s,
    int64_t lease_s, size_t max, struct store_works *out_works, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	MU_AUTO(store_works_clear) struct store_works works = { .count = 0 };

	arg_text(&args, platform);
	arg_text(&args, holder);
	arg_int(&args, now_s);
	arg_int(&args, now_s + lease_s);
	arg_int(&args, (int64_t)max);
	if (store_ask(s, &take, &args, &rows, err) != MU_OK)
		return err->rc;
	works.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*works.list));
	for (int i = 0; i < PQntuples(rows); i++)
		if (row_work(rows, i, &works.list[works.count++], err) != MU_OK)
			return err->rc;
	*out_works = works;
	works = (struct store_works){ .count = 0 };
	return MU_OK;
}

enum mu_rc
store_queue_next_due(struct store *s, const char *platform, int64_t *out_at_s, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, platform);
	if (store_ask(s, &next_due, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_at_s = row_int(rows, 0, 0);
	return MU_OK;
}

/* account and holder: what every record of work begins with. */
static void
args_begin(struct store_args *args, const struct store_work *w, const char *holder)
{
	arg_uuid(args, &w->want.account_id);
	arg_text(args, holder);
}

void
store_queue_create_begun(struct store *s, const struct store_work *w, const char *holder,
    int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	args_begin(&args, w, holder);
	arg_int(&args, now_s);
	store_put(s, &create_begun, &args, true);
}

void
store_queue_create_undone(struct store *s, const struct store_work *w, const char *holder)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	args_begin(&args, w, holder);
	store_put(s, &create_undone, &args, true);
}

void
store_queue_giving(struct store *s, const struct store_work *w, const char *holder,
    const struct entitlements *rights)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	args_begin(&args, w, holder);
	arg_entitlements(&args, rights);
	store_put(s, &giving, &args, true);
}

void
store_queue_owned(struct store *s, const struct store_work *w, const char *holder)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	args_begin(&args, w, holder);
	store_put(s, &owned, &args, true);
}

void
store_queue_settle(struct store *s, const struct store_work *w, const char *holder,
    const struct observed *seen, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	args_begin(&args, w, holder);
	arg_int(&args, w->want.version);
	arg_text(&args, account_state_name(seen->state));
	arg_entitlements(&args, &seen->rights);
	arg_text(&args, seen->external_id == NULL ? "" : seen->external_id);
	arg_int(&args, now_s);
	store_put(s, &settle, &args, true);
}

void
store_queue_retry(struct store *s, const struct store_work *w, const char *holder,
    int64_t next_attempt_s, const char *outcome, const char *text)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	args_begin(&args, w, holder);
	arg_int(&args, w->want.version);
	arg_int(&args, next_attempt_s);
	arg_text(&args, outcome);
	arg_text(&args, text);
	store_put(s, &retry, &args, true);
}

void
store_queue_park(struct store *s, const struct store_work *w, const char *holder,
    const char *outcome, const char *text)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	args_begin(&args, w, holder);
	arg_int(&args, w->want.version);
	arg_text(&args, outcome);
	arg_text(&args, text);
	store_put(s, &park, &args, true);
}

void
store_queue_unpark(struct store *s, const char *platform, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_text(&args, platform);
	arg_int(&args, now_s);
	store_put(s, &unpark, &args, false);
}

void
store_queue_release(struct store *s, const struct store_work *w, const char *holder)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	args_begin(&args, w, holder);
	store_put(s, &release, &args, true);
}

void
store_receipt_write(struct store *s, const struct store_receipt *r)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, &r->receipt_id);
	arg_uuid(&args, &r->account_id);
	arg_int(&args, r->version);
	arg_text(&args, step_kind_name(r->step));
	arg_text(&args, r->outcome);
	arg_int(&args, r->sessions_ended);
	arg_int(&args, r->sessions_left);
	arg_int(&args, r->made_at_ms);
	arg_text(&args, r->text == NULL ? "" : r->text);
	arg_bytes(&args, r->signature, r->signature_bytes);
	store_put(s, &receipt_insert, &args, true);
}

enum mu_rc
store_queue_counts(struct store *s, const char *platform, struct store_queue_counts *out_counts,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, platform);
	if (store_ask(s, &counts, &args, &rows, err) != MU_OK)
		return err->rc;
	out_counts->accounts = row_int(rows, 0, 0);
	out_counts->unsettled = row_int(rows, 0, 1);
	out_counts->parked = row_int(rows, 0, 2);
	out_counts->oldest_debt_s = row_int(rows, 0, 3);
	return MU_OK;
}
