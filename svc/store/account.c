#include "store/person.h"

#include "store/store_priv.h"

static const struct store_sql account_insert = { STORE_ACCOUNT, "account_insert",
    "INSERT INTO account (" ACCOUNT_COLUMNS("") ", settled_version, urgent, debt_since,"
    " next_attempt_at, attempts, parked, owned, observed_state, observed_rights, observed_id,"
    " last_outcome, last_text) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::bigint, $10,"
    " $9::bigint - 1, $11::boolean, CASE WHEN $11::boolean THEN " AS_TIME("$12") " END, "
    AS_TIME("$12") ", 0, false, false, 'absent', '', '', '', '')" };
/* $1 to $8 as above; person, platform and subject never change. */
static const struct store_sql account_update = { STORE_ACCOUNT, "account_update",
    "UPDATE account SET name = $4, wanted_state = $6, roles = $7, entitlements = $8,"
    " version = $9::bigint, mac = $10, urgent = urgent OR $11::boolean,"
    " debt_since = CASE WHEN $11::boolean THEN coalesce(debt_since, " AS_TIME("$12")
    ") ELSE debt_since END, next_attempt_at = " AS_TIME("$12") ", attempts = 0, parked = false"
    " WHERE account_id = $1 AND person_id = $2 AND platform = $3 AND subject = $5"
    " AND version = $9::bigint - 1" };
static const struct store_sql credential_drop = { STORE_ACCOUNT, "account_credential_drop",
    "DELETE FROM credential WHERE account_id = $1" };
static const struct store_sql holder = { STORE_ACCOUNT | STORE_PERSON, "account_holder",
    "SELECT person_id FROM account WHERE platform = $1 AND name = $2" };

static const struct store_sql names_held = { STORE_ACCOUNT | STORE_PERSON, "account_names_held",
    "SELECT n.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n (platform, name, place)"
    EACH("SELECT 1 FROM account WHERE platform = n.platform AND name = n.name") "AS a" };

const struct store_sql *const store_account_sql[] = { &account_insert, &account_update,
    &credential_drop, &holder, &names_held, NULL };

void
store_account_write(struct store *s, const struct store_account *a, bool urgent, int64_t now_s)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT, key = STORE_ARGS_INIT;

	arg_uuid(&args, &a->want.account_id);
	arg_uuid(&args, &a->want.person_id);
	arg_text(&args, a->want.platform);
	arg_text(&args, a->want.name);
	arg_bytes(&args, a->want.subject, sizeof(a->want.subject));
	arg_text(&args, account_state_name(a->want.state));
	arg_strings(&args, &a->want.roles);
	arg_entitlements(&args, &a->want.entitlements);
	arg_int(&args, a->want.version);
	arg_bytes(&args, a->mac, sizeof(a->mac));
	arg_bool(&args, urgent);
	arg_int(&args, now_s);
	store_put(s, a->fresh ? &account_insert : &account_update, &args, true);
	if (a->fresh || a->want.state == ACCOUNT_ENABLED)
		return;
	arg_uuid(&key, &a->want.account_id);
	store_put(s, &credential_drop, &key, false);
}

enum mu_rc
store_account_holder(struct store *s, const char *platform, const char *name,
    struct mu_uuid *out_person_id, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_text(&args, platform);
	arg_text(&args, name);
	if (store_ask(s, &holder, &args, &rows, err) != MU_OK)
		return err->rc;
	if (PQntuples(rows) == 0)
		return mu_fail(err, MU_EABSENT, "%s: no account named %s", platform, name);
	row_uuid(rows, 0, 0, out_person_id);
	return MU_OK;
}

enum mu_rc
store_account_held(struct store *s, const char *const *platforms, const char *const *names,
    size_t count, bool *out_held, struct mu_err *err)
{
	MU_AUTO(store_args_clear) struct store_args args = STORE_ARGS_INIT;
	MU_AUTO(store_rows_clear) PGresult *rows = NULL;

	arg_texts(&args, platforms, count);
	arg_texts(&args, names, count);
	if (store_ask(s, &names_held, &args, &rows, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < count; i++)
		out_held[i] = false;
	for (int i = 0; i < PQntuples(rows); i++) {
		int64_t place = row_int(rows, i, 0);

		if (place >= 1 && (uint64_t)place <= count)
			out_held[place - 1] = true;
	}
	return MU_OK;
}
