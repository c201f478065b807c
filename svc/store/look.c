#include "store/look.h"

#include "base/text.h"
#include "store/store_priv.h"

#include <string.h>

static const struct store_sql who_id = { STORE_LOOK, "look_who_id",
    "SELECT person_id FROM person WHERE person_id = $1::uuid" };
static const struct store_sql who_uid = { STORE_LOOK, "look_who_uid",
    "SELECT person_id FROM person WHERE lower(uid) = lower($1) AND uid <> '' AND state <> 'erased'"
    " ORDER BY person_id" };
/*
 * $2, a mail address with its length before it as in attrs, or '', only narrows: whose it is, is
 * for C to see.
 */
static const struct store_sql who_name = { STORE_LOOK, "look_who_name",
    "SELECT person_id, named, CASE WHEN named THEN '' ELSE attrs END FROM (SELECT person_id, attrs,"
    " state, lower(display_name) = lower($1) AS named FROM person) AS p WHERE (named OR ($2 <> ''"
    " AND strpos(lower(attrs COLLATE \"C\"), lower($2 COLLATE \"C\")) > 0)) AND state <> 'erased'"
    " ORDER BY person_id" };
/*
 * The same for many at once, in one pass over everybody. An address in attrs stands between a ':' and
 * the digits of the length that follows it, so neither side's last digits are compared: C sees to them.
 */
#define NO_DIGITS(text)	"rtrim(" text ", '0123456789')"
static const struct store_sql names_many = { STORE_LOOK, "look_names_many",
    "SELECT t.at - 1, p.person_id FROM unnest($1::text[]) WITH ORDINALITY AS t (text, at)"
    " JOIN person p ON lower(p.display_name) = lower(t.text) WHERE p.state <> 'erased'"
    " ORDER BY t.at, p.person_id" };
static const struct store_sql mails_many = { STORE_LOOK, "look_mails_many",
    "SELECT t.at - 1, p.person_id, p.attrs FROM unnest($1::text[]) WITH ORDINALITY AS t (text, at)"
    " JOIN (SELECT person_id, attrs, string_to_table(lower(attrs COLLATE \"C\"), ':') AS word"
    " FROM person WHERE state <> 'erased') AS p ON " NO_DIGITS("p.word") " = "
    NO_DIGITS("lower(t.text COLLATE \"C\")") " WHERE strpos(p.word, '@') > 0"
    " ORDER BY t.at, p.person_id" };
static const struct store_sql people_all = { STORE_LOOK, "look_people",
    "SELECT person_id FROM person WHERE person_id > $1::uuid ORDER BY person_id LIMIT $2::bigint" };
static const struct store_sql people_state = { STORE_LOOK, "look_people_state",
    "SELECT person_id FROM person WHERE person_id > $1::uuid AND state = $3 ORDER BY person_id"
    " LIMIT $2::bigint" };

/*
 * A page of accounts behind $1, at most $2, of platform $3 or of all (''). A person's are few:
 * their index is the one to use, not the order's.
 */
#define OF_PERSON	"(SELECT * FROM account WHERE person_id = $4 OFFSET 0) AS o"
#define ACCOUNTS(from, also) \
	"SELECT " ACCOUNT_COLUMNS("a.") ", a.settled_version, " AS_UNIX("a.debt_since") ", " \
	AS_UNIX("a.next_attempt_at") ", a.attempts, " AS_UNIX("a.observed_at") ", " \
	AS_UNIX("a.claimed_at") ", a.parked, a.urgent, a.observed_state, coalesce((SELECT CASE" \
	" WHEN c.set_at IS NULL THEN 1 ELSE 2 END FROM credential c WHERE c.account_id" \
	" = a.account_id), CASE WHEN a.claimed_at IS NULL THEN 0 ELSE 3 END), a.last_outcome," \
	" a.last_text, p.uid, p.display_name FROM (SELECT * FROM " from " WHERE account_id" \
	" > $1::uuid AND ($3 = '' OR platform = $3) " also " ORDER BY account_id" \
	" LIMIT $2::bigint) AS a" EACH("SELECT uid, display_name FROM person" \
	    " WHERE person_id = a.person_id") "AS p ORDER BY a.account_id"

static const struct store_sql accounts_all = { STORE_LOOK, "look_accounts",
    ACCOUNTS("account", "") };
static const struct store_sql accounts_unsettled = { STORE_LOOK, "look_accounts_unsettled",
    ACCOUNTS("account", "AND version > settled_version") };
static const struct store_sql accounts_of = { STORE_LOOK, "look_accounts_of",
    ACCOUNTS(OF_PERSON, "") };
static const struct store_sql accounts_of_unsettled = { STORE_LOOK, "look_accounts_of_unsettled",
    ACCOUNTS(OF_PERSON, "AND version > settled_version") };

static const struct store_sql unsettled = { STORE_LOOK, "look_unsettled",
    "SELECT count(*) FROM " IDS EACH("SELECT 1 FROM account WHERE person_id = i.id"
    " AND version > settled_version") "AS a" };
static const struct store_sql receipts = { STORE_LOOK, "look_receipts",
    "SELECT r.receipt_id, a.account_id, a.person_id, a.platform, a.name, r.step, r.outcome, r.body,"
    " r.signature, r.version, r.sessions_ended, r.sessions_left, (extract(epoch FROM r.made_at)"
    " * 1000)::bigint FROM " IDS EACH("SELECT account_id, person_id, platform, name FROM account"
    " WHERE person_id = i.id") "AS a" EACH("SELECT * FROM receipt WHERE account_id = a.account_id"
    " AND made_at >= to_timestamp($2::bigint) AND receipt_id > $3::uuid") "AS r"
    " ORDER BY r.receipt_id LIMIT $4::bigint" };

/*
 * Records hold no blanks and escape every quote in a text, so a member is found by its bytes. No index
 * knows them: a window of records is gone through, and the last row says where it ends.
 */
static const struct store_sql audit = { STORE_LOOK, "look_audit",
    "WITH w AS MATERIALIZED (SELECT record_id, kind, body, happened_at FROM audit_record"
    " WHERE record_id < $1::uuid ORDER BY record_id DESC LIMIT $7::bigint)"
    " SELECT record_id, body, leaf, false AS is_end FROM (SELECT w.record_id, w.body, coalesce((SELECT"
    " l.leaf_index FROM audit_leaf l WHERE l.record_id = w.record_id), -1) AS leaf FROM w WHERE"
    " ($2 = '' OR w.kind = $2 OR (right($2, 1) = '.' AND starts_with(w.kind, $2)))"
    " AND ($3 = '' OR strpos(w.body, '\"person\":\"' || $3 || '\"') > 0"
    " OR strpos(w.body, '\"actor\":\"' || $3 || '\"') > 0)"
    " AND ($4::bigint = 0 OR w.happened_at >= to_timestamp($4::bigint))"
    " AND ($5::bigint = 0 OR w.happened_at < to_timestamp($5::bigint))"
    " ORDER BY w.record_id DESC LIMIT $6::bigint) AS found"
    " UNION ALL SELECT record_id, '', count, true FROM (SELECT record_id, (SELECT count(*) FROM w)"
    " FROM w ORDER BY record_id LIMIT 1) AS last ORDER BY is_end, record_id DESC" };
static const struct store_sql quarantined = { STORE_LOOK, "look_quarantine",
    "SELECT source, entry, reason, " AS_UNIX("since") " FROM quarantine ORDER BY source, entry" };


/*
 * Requested grants by when they lapse unless confirmed, and those of roles that are not reviewed
 * last. $1, $2: the roles that are, and every how many seconds; $3: all, else those alone that are
 * due before they end, and by $4; a page behind $5, $6, at most $7.
 */
static const struct store_sql reviews = { STORE_LOOK, "look_reviews",
    "SELECT grant_id, person_id, due FROM (SELECT q.grant_id, q.person_id, "
    AS_UNIX("q.ends_at") " AS ends, coalesce(" AS_UNIX("coalesce(q.reviewed_at, q.starts_at)")
    " + r.every, " STORE_LOOK_NEVER_TEXT ") AS due FROM requested_grant q LEFT JOIN"
    " unnest($1::text[], $2::text[]::bigint[]) AS r (role, every) ON r.role = q.role) AS g"
    " WHERE ($3::boolean OR (due < ends AND due <= $4::bigint))"
    " AND (due, grant_id) > ($5::bigint, $6::uuid) ORDER BY due, grant_id LIMIT $7::bigint" };

const struct store_sql *const store_look_sql[] = { &who_id, &who_uid, &who_name, &names_many,
    &mails_many, &people_all,
    &people_state, &accounts_all, &accounts_unsettled, &accounts_of, &accounts_of_unsettled,
    &unsettled, &receipts, &audit, &quarantined, &reviews, NULL };

/* --- Who is meant ------------------------------------------------------------------ */

static bool
has_mail(const char *encoded, const char *mail, const char *address)
{
	MU_AUTO(attrs_clear) struct attrs attrs = ATTRS_INIT;
	const struct attr *one;

	if (!attrs_decode(encoded, &attrs))
		return false;
	one = attrs_find(&attrs, mail);
	for (size_t i = 0; one != NULL && i < one->value_count; i++)
		if (mu_text_equal_fold(one->values[i], address))
			return true;
	return false;
}

static enum mu_rc
name_ask(struct store *s, const char *text, const char *mail, struct mu_uuid *out_ids, size_t max,
    size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf pair = MU_BUF_INIT;

	if (mail[0] != '\0' && strchr(text, '@') != NULL)
		mu_buf_column_add(&pair, text, strlen(text));
	arg_text(&args, text);
	arg_text(&args, mu_buf_text(&pair));
	if (store_ask(s, &who_name, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_count = 0;
	for (int i = 0; i < PQntuples(rows) && *out_count < max; i++)
		if (row_bool(rows, i, 1) || has_mail(row_text(rows, i, 2), mail, text))
			row_uuid(rows, i, 0, &out_ids[(*out_count)++]);
	return MU_OK;
}

/* By id, else by login name: an index knows. */
static enum mu_rc
key_ask(struct store *s, const char *text, struct mu_uuid *out_ids, size_t max, size_t *out_count,
    struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	struct mu_uuid id;
	enum mu_rc rc;

	*out_count = 0;
	if (mu_uuid_parse(text, &id)) {
		MU_AUTO(store_args_clear) struct store_args key = STORE_ARGS_INIT;

		arg_uuid(&key, &id);
		rc = store_ids_ask(s, &who_id, &key, out_ids, max, out_count, err);
		if (rc != MU_OK || *out_count > 0)
			return rc;
	}
	arg_text(&args, text);
	return store_ids_ask(s, &who_uid, &args, out_ids, max, out_count, err);
}

static bool
is_text(const char *text)
{
	return text[0] != '\0' && mu_utf8_valid(text, strlen(text));
}

enum mu_rc
store_look_who(struct store *s, const char *text, const char *mail, struct mu_uuid *out_ids,
    size_t max, size_t *out_count, struct mu_err *err)
{
	*out_count = 0;
	if (!is_text(text))
		return MU_OK;
	if (key_ask(s, text, out_ids, max, out_count, err) != MU_OK)
		return err->rc;
	return *out_count > 0 ? MU_OK : name_ask(s, text, mail, out_ids, max, out_count, err);
}

/* Texts that no index knows, and where the answers to each go. */
struct strangers {
	const char **texts;
	size_t *at;			/* of each in what was asked for */
	size_t count, max;
	const char *mail;
	struct mu_uuid *ids;
	size_t *counts;
};

static void
stranger_found(struct strangers *x, size_t at, const struct mu_uuid *id)
{
	struct mu_uuid *ids = x->ids + at * x->max;

	for (size_t i = 0; i < x->counts[at]; i++)
		if (mu_uuid_equal(&ids[i], id))
			return;
	if (x->counts[at] < x->max)
		ids[x->counts[at]++] = *id;
}

static enum mu_rc
strangers_ask(struct store *s, const struct store_sql *sql, struct strangers *x, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_texts(&args, x->texts, x->count);
	if (store_ask(s, sql, &args, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++) {
		size_t k = (size_t)row_int(rows, i, 0);
		struct mu_uuid id;

		row_uuid(rows, i, 1, &id);
		if (sql == &names_many || has_mail(row_text(rows, i, 2), x->mail, x->texts[k]))
			stranger_found(x, x->at[k], &id);
	}
	return MU_OK;
}

enum mu_rc
store_look_who_many(struct store *s, const char *const *texts, size_t text_count, const char *mail,
    struct mu_uuid *out_ids, size_t max, size_t *out_counts, struct mu_err *err)
{
	MU_AUTO(mu_freep) const char **left = mu_alloc_zero(text_count + 1, sizeof(*left));
	MU_AUTO(mu_freep) size_t *at = mu_alloc_zero(text_count + 1, sizeof(*at));
	struct strangers x = { left, at, 0, max, mail, out_ids, out_counts };
	bool has_address = false;

	for (size_t i = 0; i < text_count; i++) {
		out_counts[i] = 0;
		if (!is_text(texts[i]))
			continue;
		if (key_ask(s, texts[i], out_ids + i * max, max, &out_counts[i], err) != MU_OK)
			return err->rc;
		if (out_counts[i] > 0)
			continue;
		has_address = has_address || strchr(texts[i], '@') != NULL;
		left[x.count] = texts[i];
		at[x.count++] = i;
	}
	if (x.count > 0 && strangers_ask(s, &names_many, &x, err) != MU_OK)
		return err->rc;
	if (has_address && mail[0] != '\0' && strangers_ask(s, &mails_many, &x, err) != MU_OK)
		return err->rc;
	return MU_OK;
}

enum mu_rc
store_look_people(struct store *s, const enum person_state *state, const struct mu_uuid *after,
    struct mu_uuid *out_ids, size_t max, size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, after);
	arg_int(&args, (int64_t)max);
	if (state != NULL)
		arg_text(&args, person_state_name(*state));
	return store_ids_ask(s, state == NULL ? &people_all : &people_state, &args, out_ids, max,
	    out_count, err);
}

/* --- Accounts ---------------------------------------------------------------------- */

void
store_look_accounts_clear(struct store_look_accounts *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct store_look_account *a = &l->list[i];

		account_want_clear(&a->want);
		mu_free(a->last_outcome);
		mu_free(a->last_text);
		mu_free(a->uid);
		mu_free(a->display_name);
	}
	mu_free(l->list);
	*l = (struct store_look_accounts){ .count = 0 };
}

static enum mu_rc
row_look_account(const PGresult *rows, int row, struct store_look_account *a, struct mu_err *err)
{
	unsigned char mac[MAC_BYTES];
	int c = ACCOUNT_COLUMN_COUNT;

	if (row_account(rows, row, 0, &a->want, mac, err) != MU_OK)
		return err->rc;
	a->settled_version = row_int(rows, row, c);
	a->debt_since_s = row_int(rows, row, c + 1);
	a->next_attempt_s = row_int(rows, row, c + 2);
	a->attempts = row_int(rows, row, c + 3);
	a->observed_at_s = row_int(rows, row, c + 4);
	a->claimed_at_s = row_int(rows, row, c + 5);
	a->parked = row_bool(rows, row, c + 6);
	a->urgent = row_bool(rows, row, c + 7);
	a->credential = (enum store_credential_state)row_int(rows, row, c + 9);
	a->last_outcome = row_text_copy(rows, row, c + 10);
	a->last_text = row_text_copy(rows, row, c + 11);
	a->uid = row_text_copy(rows, row, c + 12);
	a->display_name = row_text_copy(rows, row, c + 13);
	if (!account_state_parse(row_text(rows, row, c + 8), &a->observed))
		return store_row_fail(err, "account", &a->want.account_id);
	return MU_OK;
}

enum mu_rc
store_look_accounts(struct store *s, const struct mu_uuid *person_id, const char *platform,
    bool only_unsettled, const struct mu_uuid *after, size_t max,
    struct store_look_accounts *out_accounts, struct mu_err *err)
{
	MU_AUTO(store_look_accounts_clear) struct store_look_accounts got = { .count = 0 };
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	const struct store_sql *sql = only_unsettled ? &accounts_unsettled : &accounts_all;

	arg_uuid(&args, after);
	arg_int(&args, (int64_t)max);
	arg_text(&args, platform == NULL ? "" : platform);
	if (person_id != NULL) {
		arg_uuid(&args, person_id);
		sql = only_unsettled ? &accounts_of_unsettled : &accounts_of;
	}
	if (store_ask(s, sql, &args, &rows, err) != MU_OK)
		return err->rc;
	got.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*got.list));
	for (int i = 0; i < PQntuples(rows); i++)
		if (row_look_account(rows, i, &got.list[got.count++], err) != MU_OK)
			return err->rc;
	*out_accounts = got;
	got = (struct store_look_accounts){ .count = 0 };
	return MU_OK;
}

/* --- Receipts ---------------------------------------------------------------------- */

void
store_look_receipts_clear(struct store_look_receipts *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct store_look_receipt *r = &l->list[i];

		mu_free(r->platform);
		mu_free(r->name);
		mu_free(r->step);
		mu_free(r->outcome);
		mu_free(r->text);
		mu_free(r->signature);
	}
	mu_free(l->list);
	*l = (struct store_look_receipts){ .count = 0 };
}

static void
row_receipt(const PGresult *rows, int row, struct store_look_receipt *r)
{
	MU_AUTO(mu_buf_clear) struct mu_buf signature = MU_BUF_INIT;

	row_uuid(rows, row, 0, &r->receipt_id);
	row_uuid(rows, row, 1, &r->account_id);
	row_uuid(rows, row, 2, &r->person_id);
	r->platform = row_text_copy(rows, row, 3);
	r->name = row_text_copy(rows, row, 4);
	r->step = row_text_copy(rows, row, 5);
	r->outcome = row_text_copy(rows, row, 6);
	r->text = row_text_copy(rows, row, 7);
	row_buf(rows, row, 8, &signature);
	r->signature = mu_strdup(mu_buf_text(&signature));
	r->version = row_int(rows, row, 9);
	r->sessions_ended = row_int(rows, row, 10);
	r->sessions_left = row_int(rows, row, 11);
	r->made_at_ms = row_int(rows, row, 12);
}

/*
 * Counts first: what settles in between has its receipts among those read, never the other way
 * round.
 */
enum mu_rc
store_look_receipts(struct store *s, const struct mu_uuid *person_ids, size_t count,
    int64_t since_s, const struct mu_uuid *after, size_t max,
    struct store_look_receipts *out_receipts, int64_t *out_unsettled, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args ids = STORE_ARGS_INIT, args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *left = NULL, *rows = NULL;
	struct store_look_receipts got = { .count = 0 };

	arg_uuids(&ids, person_ids, count);
	arg_uuids(&args, person_ids, count);
	arg_int(&args, since_s);
	arg_uuid(&args, after);
	arg_int(&args, (int64_t)max);
	if (store_ask(s, &unsettled, &ids, &left, err) != MU_OK ||
	    store_ask(s, &receipts, &args, &rows, err) != MU_OK)
		return err->rc;
	got.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*got.list));
	for (int i = 0; i < PQntuples(rows); i++)
		row_receipt(rows, i, &got.list[got.count++]);
	*out_receipts = got;
	*out_unsettled = row_int(left, 0, 0);
	return MU_OK;
}

/* --- Audit records and quarantine -------------------------------------------------- */

enum mu_rc
store_look_audit(struct store *s, const struct store_look_audit *ask, size_t max,
    store_look_record_fn *each, void *ctx, struct mu_uuid *out_next, struct mu_err *err)
{
	static const struct mu_uuid none = { .bytes = { 0 } };
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	char person[MU_UUID_TEXT_BYTES] = "";
	struct mu_uuid before = ask->before, record_id;
	int count;

	if (mu_uuid_equal(&before, &none))
		(void)memset(before.bytes, 0xff, sizeof(before.bytes));
	if (ask->person_id != NULL)
		(void)mu_uuid_format(ask->person_id, person);
	arg_uuid(&args, &before);
	arg_text(&args, ask->kind == NULL ? "" : ask->kind);
	arg_text(&args, person);
	arg_int(&args, ask->since_s);
	arg_int(&args, ask->until_s);
	arg_int(&args, (int64_t)max);
	arg_int(&args, STORE_LOOK_RECORDS);
	if (store_ask(s, &audit, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_next = none;
	count = PQntuples(rows) - 1;		/* the last row is no record */
	for (int i = 0; i < count; i++) {
		row_uuid(rows, i, 0, &record_id);
		each(ctx, &record_id, row_text(rows, i, 1), row_int(rows, i, 2));
	}
	if (count > 0 && count == (int)max)
		*out_next = record_id;
	else if (count >= 0 && row_int(rows, count, 2) == STORE_LOOK_RECORDS)
		row_uuid(rows, count, 0, out_next);
	return MU_OK;
}

enum mu_rc
store_look_quarantine(struct store *s, store_look_quarantine_fn *each, void *ctx,
    struct mu_err *err)
{
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	if (store_ask(s, &quarantined, NULL, &rows, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < PQntuples(rows); i++)
		each(ctx, row_text(rows, i, 0), row_text(rows, i, 1), row_text(rows, i, 2),
		    row_int(rows, i, 3));
	return MU_OK;
}

/* --- Access reviews ---------------------------------------------------------------- */

enum mu_rc
store_look_reviews(struct store *s, const struct store_look_reviews *ask,
    struct store_look_review *out_list, size_t max, size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_texts(&args, ask->roles, ask->role_count);
	arg_texts(&args, ask->every, ask->role_count);
	arg_bool(&args, ask->all);
	arg_int(&args, ask->due_by_s);
	arg_int(&args, ask->after_due_s);
	arg_uuid(&args, &ask->after);
	arg_int(&args, (int64_t)max);
	if (store_ask(s, &reviews, &args, &rows, err) != MU_OK)
		return err->rc;
	*out_count = (size_t)PQntuples(rows);
	for (int i = 0; i < PQntuples(rows); i++) {
		row_uuid(rows, i, 0, &out_list[i].grant_id);
		row_uuid(rows, i, 1, &out_list[i].person_id);
		out_list[i].due_at_s = row_int(rows, i, 2);
	}
	return MU_OK;
}
