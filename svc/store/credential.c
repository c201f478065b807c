#include "store/credential.h"

#include "store/store_priv.h"

#include <string.h>

/* The lock on the account makes this wait for whoever is disabling it, and then find nothing. */
static const struct store_sql drop_old = { STORE_CREDENTIAL, "credential_drop",
    "DELETE FROM credential WHERE account_id = $1" };
static const struct store_sql credential_insert = { STORE_CREDENTIAL, "credential_write",
    "WITH a AS MATERIALIZED (SELECT account_id FROM account WHERE account_id = $2"
    " AND version = $3::bigint AND wanted_state = 'enabled' FOR UPDATE)"
    " INSERT INTO credential (account_id, credential_id, sealed, made_at, expires_at)"
    " SELECT account_id, $1, $4, " AS_TIME("$5") ", " AS_TIME("$6") " FROM a" };
static const struct store_sql credential_set = { STORE_CREDENTIAL, "credential_set",
    "UPDATE credential SET set_at = " AS_TIME("$3") " WHERE credential_id = $1"
    " AND account_id = $2" };
static const struct store_sql expire = { STORE_CREDENTIAL, "credential_expire",
    "WITH gone AS (DELETE FROM credential WHERE expires_at <= " AS_TIME("$1")
    " RETURNING account_id) UPDATE account a SET settled_version = least(a.settled_version,"
    " a.version - 1), next_attempt_at = " AS_TIME("$1") ", attempts = 0, parked = false FROM gone"
    " WHERE a.account_id = gone.account_id" };
static const struct store_sql renew = { STORE_CREDENTIAL, "credential_renew",
    "UPDATE account SET claimed_at = NULL, settled_version = least(settled_version, version - 1),"
    " next_attempt_at = " AS_TIME("$2") ", attempts = 0, parked = false WHERE account_id = $1" };
static const struct store_sql claim_find = { STORE_CREDENTIAL, "claim_find",
    "SELECT p.person_id, p.source, p.dn, p.uid, p.state, p.blocked, p.identified, a.account_id,"
    " a.platform, a.name, a.wanted_state, CASE WHEN c.account_id IS NULL THEN CASE"
    " WHEN a.claimed_at IS NULL THEN 0 ELSE 3 END WHEN c.expires_at <= " AS_TIME("$2")
    " OR a.wanted_state <> 'enabled' THEN 0 WHEN c.set_at IS NULL THEN 1 ELSE 2 END,"
    " a.claimed_at IS NOT NULL FROM person p LEFT JOIN account a ON a.person_id = p.person_id"
    " LEFT JOIN credential c ON c.account_id = a.account_id"
    " WHERE lower(p.uid) = lower($1) AND p.uid <> '' ORDER BY p.person_id, a.platform" };
static const struct store_sql claimable = { STORE_CREDENTIAL, "claim_lock",
    "SELECT a.account_id, c.credential_id, a.platform, a.name, c.sealed, a.claimed_at IS NOT NULL"
    " FROM account a JOIN credential c ON c.account_id = a.account_id JOIN person p ON p.person_id"
    " = a.person_id WHERE a.person_id = $1 AND p.state = 'active' AND NOT p.blocked"
    " AND a.wanted_state = 'enabled' AND c.set_at IS NOT NULL AND c.expires_at > " AS_TIME("$2")
    " ORDER BY a.platform FOR UPDATE OF a" };
static const struct store_sql claimed = { STORE_CREDENTIAL, "claimed",
    "WITH gone AS (DELETE FROM credential WHERE credential_id = $1 AND account_id = $2"
    " RETURNING account_id) UPDATE account a SET claimed_at = " AS_TIME("$3") " FROM gone"
    " WHERE a.account_id = gone.account_id" };

const struct store_sql *const store_credential_sql[] = { &drop_old, &credential_insert,
    &credential_set, &expire, &renew, &claim_find, &claimable, &claimed, NULL };

void
store_credential_write(struct store *s, const struct mu_uuid *credential_id,
    const struct account_want *want, const struct mu_secret *sealed, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args old = STORE_ARGS_INIT, args = STORE_ARGS_INIT;

	arg_uuid(&old, &want->account_id);
	store_put(s, &drop_old, &old, false);
	arg_uuid(&args, credential_id);
	arg_uuid(&args, &want->account_id);
	arg_int(&args, want->version);
	arg_bytes(&args, sealed->bytes, sealed->size_bytes);
	arg_int(&args, now_s);
	arg_int(&args, now_s + CREDENTIAL_KEEP_S);
	store_put(s, &credential_insert, &args, true);
}

void
store_credential_set(struct store *s, const struct mu_uuid *credential_id,
    const struct mu_uuid *account_id, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, credential_id);
	arg_uuid(&args, account_id);
	arg_int(&args, now_s);
	store_put(s, &credential_set, &args, true);
}

void
store_credential_expire(struct store *s, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_int(&args, now_s);
	store_put(s, &expire, &args, false);
}

/* The account first: its lock makes this wait for whoever is writing a credential of it. */
void
store_credential_renew(struct store *s, const struct mu_uuid *account_id, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args old = STORE_ARGS_INIT, args = STORE_ARGS_INIT;

	arg_uuid(&args, account_id);
	arg_int(&args, now_s);
	store_put(s, &renew, &args, true);
	arg_uuid(&old, account_id);
	store_put(s, &drop_old, &old, false);
}

static void
claim_person_clear(struct store_claim_person *p)
{
	mu_free(p->source);
	mu_free(p->dn);
	mu_free(p->uid);
	mu_free(p->identified);
	for (size_t i = 0; i < p->account_count; i++) {
		mu_free(p->accounts[i].platform);
		mu_free(p->accounts[i].name);
	}
	mu_free(p->accounts);
}

void
store_claim_people_clear(struct store_claim_people *p)
{
	for (size_t i = 0; i < p->count; i++)
		claim_person_clear(&p->list[i]);
	mu_free(p->list);
	*p = (struct store_claim_people){ .count = 0 };
}

static enum mu_rc
row_claim_person(const PGresult *rows, int row, struct store_claim_person *p, struct mu_err *err)
{
	row_uuid(rows, row, 0, &p->person_id);
	p->source = row_text_copy(rows, row, 1);
	p->dn = row_text_copy(rows, row, 2);
	p->uid = row_text_copy(rows, row, 3);
	p->blocked = row_bool(rows, row, 5);
	p->identified = row_text_copy(rows, row, 6);
	if (!person_state_parse(row_text(rows, row, 4), &p->state))
		return store_row_fail(err, "person", &p->person_id);
	return MU_OK;
}

static enum mu_rc
row_claim_account(const PGresult *rows, int row, struct store_claim_person *p, struct mu_err *err)
{
	struct store_claim_account *a;

	if (PQgetisnull(rows, row, 7) != 0)
		return MU_OK;
	p->accounts = mu_alloc_again(p->accounts, p->account_count + 1, sizeof(*p->accounts));
	a = &p->accounts[p->account_count++];
	*a = (struct store_claim_account){ .claimed_before = row_bool(rows, row, 12) };
	row_uuid(rows, row, 7, &a->account_id);
	a->platform = row_text_copy(rows, row, 8);
	a->name = row_text_copy(rows, row, 9);
	a->credential = (enum store_credential_state)row_int(rows, row, 11);
	if (!account_state_parse(row_text(rows, row, 10), &a->wanted))
		return store_row_fail(err, "account", &a->account_id);
	return MU_OK;
}

enum mu_rc
store_claim_find(struct store *s, const char *uid, int64_t now_s,
    struct store_claim_people *out_people, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	MU_AUTO(store_claim_people_clear) struct store_claim_people people = { .count = 0 };

	arg_text(&args, uid);
	arg_int(&args, now_s);
	if (store_ask(s, &claim_find, &args, &rows, err) != MU_OK)
		return err->rc;
	people.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*people.list));
	for (int i = 0; i < PQntuples(rows); i++) {
		struct mu_uuid person_id;

		row_uuid(rows, i, 0, &person_id);
		if ((people.count == 0 || !mu_uuid_equal(&people.list[people.count - 1].person_id,
		    &person_id)) && row_claim_person(rows, i, &people.list[people.count++],
		    err) != MU_OK)
			return err->rc;
		if (row_claim_account(rows, i, &people.list[people.count - 1], err) != MU_OK)
			return err->rc;
	}
	*out_people = people;
	people = (struct store_claim_people){ .count = 0 };
	return MU_OK;
}

void
store_claimables_clear(struct store_claimables *c)
{
	for (size_t i = 0; i < c->count; i++) {
		mu_free(c->list[i].platform);
		mu_free(c->list[i].name);
		mu_secret_clear(&c->list[i].sealed);
	}
	mu_free(c->list);
	*c = (struct store_claimables){ .count = 0 };
}

enum mu_rc
store_credential_claimable(struct store *s, const struct mu_uuid *person_id, int64_t now_s,
    struct store_claimables *out_claimables, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;
	struct store_claimables c = { .count = 0 };

	arg_uuid(&args, person_id);
	arg_int(&args, now_s);
	if (store_ask(s, &claimable, &args, &rows, err) != MU_OK)
		return err->rc;
	c.list = mu_alloc_zero((size_t)PQntuples(rows) + 1, sizeof(*c.list));
	for (int i = 0; i < PQntuples(rows); i++) {
		struct store_claimable *one = &c.list[c.count++];

		row_uuid(rows, i, 0, &one->account_id);
		row_uuid(rows, i, 1, &one->credential_id);
		one->platform = row_text_copy(rows, i, 2);
		one->name = row_text_copy(rows, i, 3);
		row_secret(rows, i, 4, &one->sealed);
		one->claimed_before = row_bool(rows, i, 5);
	}
	*out_claimables = c;
	return MU_OK;
}

void
store_credential_claimed(struct store *s, const struct mu_uuid *credential_id,
    const struct mu_uuid *account_id, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;

	arg_uuid(&args, credential_id);
	arg_uuid(&args, account_id);
	arg_int(&args, now_s);
	store_put(s, &claimed, &args, true);
}
