#include "auth/auth_priv.h"

/* Nothing of it stands; what was refused is recorded. */
static enum mu_rc
refuse(const struct auth_try *t, struct mu_err *err)
{
	if (err->rc == MU_EDENIED)
		return auth_refuse_alone(t, "bootstrap", err);
	store_rollback(t->host->store);
	return err->rc;
}

enum mu_rc
auth_bootstrap(const struct auth_host *h, const struct mu_uuid *person_id, const char *role,
    int64_t console_uid, int64_t now_ms, struct mu_secret *out_uri, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	const struct auth_try t = { h, person_id, AUTH_AT_CONSOLE, now_ms };
	char person[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("person", mu_uuid_format(person_id, person)), AUDIT_TEXT("role", role),
		AUDIT_NUMBER("uid", console_uid),
	};
	int64_t active;

	if (store_begin(h->store, err) != MU_OK)
		return err->rc;
	if (auth_standing_count_lock(h, &active, err) != MU_OK ||
	    (active >= AUTH_BOOTSTRAP_COUNT && auth_door_closed(active, err) != MU_OK) ||
	    auth_fresh_make(h, person_id, role, NULL, now_ms, &a, err) != MU_OK ||
	    auth_seed_make(h, &a, &uri, err) != MU_OK || auth_fresh_write(h, &a, err) != MU_OK)
		return refuse(&t, err);
	audit_record(h->store, AUDIT_ADMIN_BOOTSTRAPPED, now_ms, fields, MU_COUNT(fields), NULL);
	if (store_commit(h->store, err) != MU_OK)
		return err->rc;
	mu_secret_move(out_uri, &uri);
	return MU_OK;
}

enum mu_rc
auth_bootstrap_confirm(const struct auth_host *h, const struct mu_uuid *person_id,
    const struct mu_secret *code, int64_t now_ms, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	const struct auth_try t = { h, person_id, AUTH_AT_CONSOLE, now_ms };

	if (store_begin(h->store, err) != MU_OK)
		return err->rc;
	if (auth_code_take(&t, AUTH_FOR_CONSOLE, code, &a, err) != MU_OK ||
	    auth_activate(&t, &a, err) != MU_OK)
		return err->rc;
	return store_commit(h->store, err);
}
