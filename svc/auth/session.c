#include "auth/auth_priv.h"

#include "base/log.h"

static enum mu_rc
none(struct mu_err *err)
{
	return mu_fail(err, MU_EDENIED, "No session has this certificate, or it has ended: log in "
	    "with muster login.");
}

/* A row was changed past muster: recorded, and as if it were not there. */
static enum mu_rc
tampered_refuse(const struct auth_host *h, const struct auth_wrong *tampered,
    const struct mu_uuid *person_id, int64_t now_s, struct mu_err *err)
{
	struct mu_err lost = MU_ERR_INIT;

	if (store_begin(h->store, &lost) == MU_OK) {
		auth_wrong_record(h, tampered, person_id, now_s * 1000);
		if (store_commit(h->store, &lost) == MU_OK)
			return none(err);
	}
	mu_log_err(&lost, "auth.not_recorded", "table", tampered->table, NULL);
	return none(err);
}

enum mu_rc
auth_session_find(const struct auth_host *h, const unsigned char fingerprint[32], int64_t now_s,
    struct auth_who *out_who, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	MU_AUTO(store_session_clear) struct store_session x = { .address = NULL };
	struct auth_wrong tampered;
	const char *conflict;
	enum mu_rc rc;

	rc = store_session_find(h->store, fingerprint, &x, err);
	if (rc == MU_OK && x.expires_at_s <= now_s)
		return none(err);
	if (rc == MU_OK)
		rc = store_administrator_get(h->store, &x.person_id, false, &a, err);
	if (rc == MU_EABSENT)
		return none(err);
	if (rc != MU_OK || auth_rows_check(h, &a, &x, &tampered, err) != MU_OK)
		return err->rc;
	if (tampered.table != NULL)
		return tampered_refuse(h, &tampered, &x.person_id, now_s, err);
	if (!a.active || a.state != PERSON_ACTIVE || a.blocked)
		return mu_fail(err, MU_EDENIED, "You are no administrator any more: your person is"
		    " %s.", a.blocked ? "revoked" : a.state != PERSON_ACTIVE ?
		    person_state_name(a.state) : "to be enrolled anew");
	if (!auth_source_administers(h, a.source))
		return mu_fail(err, MU_EDENIED, "You are no administrator any more: people of the "
		    "source %s are none.", a.source);
	conflict = auth_conflict(h, &a);
	*out_who = (struct auth_who){ a.person_id, x.session_id, MU_TAKE(a.role), MU_TAKE(a.uid),
		MU_TAKE(a.display_name), x.expires_at_s, mu_strdup(conflict) };
	return MU_OK;
}

enum mu_rc
auth_conflict_fail(const char *admin_role, const char *held, struct mu_err *err)
{
	return mu_fail(err, MU_EDENIED, "Your role %s of administrators conflicts with the role %s,"
	    " which you hold, so it does not work: another administrator ends one of the two.",
	    admin_role, held);
}

enum mu_rc
auth_logout(const struct auth_host *h, const struct auth_who *who, int64_t now_ms,
    struct mu_err *err)
{
	char person[MU_UUID_TEXT_BYTES], session[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("actor", mu_uuid_format(&who->person_id, person)),
		AUDIT_TEXT("session", mu_uuid_format(&who->session_id, session)),
	};

	if (store_begin(h->store, err) != MU_OK)
		return err->rc;
	store_session_drop(h->store, &who->session_id);
	audit_record(h->store, AUDIT_AUTH_LOGOUT, now_ms, fields, MU_COUNT(fields), NULL);
	return store_commit(h->store, err);
}
