#include "auth/auth_priv.h"

#include "base/log.h"

#include <string.h>

#define LOCKED "Five wrong codes in a row have locked you: a second administrator unlocks you " \
    "with muster admin unlock."

static bool
is_code(const struct mu_secret *code)
{
	return code->size_bytes == AUTH_CODE_DIGITS &&
	    strspn(mu_secret_text(code), "0123456789") == AUTH_CODE_DIGITS;
}

/* Why no code of this administrator opens anything now: what is recorded, and in err what they are told. */
static const char *
standing(const struct auth_host *h, const struct store_administrator *a, enum auth_purpose purpose,
    struct mu_err *err)
{
	static const struct mu_uuid console = { { 0 } };
	bool works = a->active && a->seed.confirmed;
	bool waits = !a->active && auth_seed_exists(&a->seed) && !a->seed.confirmed;

	if (a->state != PERSON_ACTIVE) {
		(void)mu_fail(err, MU_EDENIED, "You are not active in the directory (%s): no administrator "
		    "any more.", person_state_name(a->state));
		return "not active in the directory";
	}
	if (a->blocked) {
		(void)mu_fail(err, MU_EDENIED, "You were revoked: another administrator reinstates you.");
		return "revoked";
	}
	if (!auth_source_administers(h, a->source)) {
		(void)mu_fail(err, MU_EDENIED, "You are no administrator any more: people of the source %s "
		    "are none.", a->source);
		return "of a source without administrators";
	}
	if (auth_conflict(h, a) != NULL) {
		(void)auth_conflict_fail(a->role, auth_conflict(h, a), err);
		return "conflicting role";
	}
	if (a->seed.locked_at_s != 0) {
		(void)mu_fail(err, MU_EDENIED, "%s", LOCKED);
		return "locked";
	}
	if (purpose == AUTH_FOR_CONSOLE && !(waits && mu_uuid_equal(&a->enrolled_by, &console))) {
		(void)mu_fail(err, MU_EDENIED, "Nothing waits for a first code of this person: run muster "
		    "bootstrap first.");
		return "nothing waits for a first code";
	}
	if (works || (waits && purpose != AUTH_FOR_ACTION))
		return NULL;
	(void)mu_fail(err, MU_EDENIED, waits ? "Your first code has not been verified yet: log in with it." :
	    "You have not set up an authenticator yet: log in with the one-time code you were given.");
	return "not activated";
}

/* A wrong code, or a used one: counts, and stands whatever becomes of the request. */
static enum mu_rc
wrong(const struct auth_try *t, struct store_administrator *a, struct mu_err *err)
{
	struct store *s = t->host->store;
	struct mu_err lost = MU_ERR_INIT;
	char person[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = { AUDIT_TEXT("actor", mu_uuid_format(t->person_id, person)) };

	if (a->seed.failures < AUTH_FAILURES_MAX)
		a->seed.failures++;
	if (a->seed.failures >= AUTH_FAILURES_MAX)
		a->seed.locked_at_s = t->now_ms / 1000;
	store_seed_moved(s, t->person_id, &a->seed);
	auth_failed_record(t, "code", a->seed.failures);
	if (a->seed.locked_at_s != 0)
		audit_record(s, AUDIT_AUTH_LOCKED, t->now_ms, fields, MU_COUNT(fields), NULL);
	if (store_commit(s, &lost) != MU_OK) {
		*err = lost;
		return err->rc;
	}
	if (a->seed.locked_at_s == 0)
		return mu_fail(err, MU_EDENIED, "The code was refused: wait for the next one that your "
		    "authenticator shows. Tries left: %d.", (int)(AUTH_FAILURES_MAX - a->seed.failures));
	mu_log("auth.locked", "person", person, "address", t->address == NULL ? "" : t->address, NULL);
	return mu_fail(err, MU_EDENIED, "%s", LOCKED);
}

/* keys could not say: nothing is decided, nothing stays. */
static enum mu_rc
undecided(const struct auth_try *t, struct mu_err *err)
{
	char person[MU_UUID_TEXT_BYTES];

	store_rollback(t->host->store);
	mu_log_err(err, "auth.undecided", "person", mu_uuid_format(t->person_id, person), NULL);
	return err->rc;
}

/* keys looks at no more codes of this seed for a while, right or wrong: nothing is decided, nothing counts. */
static enum mu_rc
resting(const struct auth_try *t, struct mu_err *err)
{
	(void)mu_fail(err, MU_ERETRY, "There were too many wrong codes: none of yours is looked at for %lld s.",
	    (long long)((err->retry_after_ms + 999) / 1000));
	return auth_refuse(t, "too many wrong codes", err);
}

enum mu_rc
auth_code_take(const struct auth_try *t, enum auth_purpose purpose, const struct mu_secret *code,
    struct store_administrator *out_administrator, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	const struct auth_host *h = t->host;
	struct auth_wrong tampered;
	const char *reason;
	enum mu_rc rc;
	int64_t step;

	if (!is_code(code)) {
		(void)mu_fail(err, MU_EINPUT, "A code has %d digits.", AUTH_CODE_DIGITS);
		return auth_refuse(t, "malformed code", err);
	}
	rc = store_administrator_get(h->store, t->person_id, true, &a, err);
	if (rc == MU_EABSENT) {
		(void)mu_fail(err, MU_EDENIED, "You are no administrator.");
		return auth_refuse(t, "no administrator", err);
	}
	if (rc != MU_OK || auth_rows_check(h, &a, NULL, &tampered, err) != MU_OK)
		return undecided(t, err);
	if (tampered.table != NULL) {
		auth_wrong_record(h, &tampered, t->person_id, t->now_ms);
		(void)mu_fail(err, MU_EDENIED, "You are no administrator: your row was changed past muster. "
		    "Another administrator enrols you anew.");
		return auth_refuse(t, "row tampered", err);
	}
	reason = standing(t->host, &a, purpose, err);
	if (reason != NULL)
		return auth_refuse(t, reason, err);
	rc = auth_code_check(h, t->person_id, &a.seed, code, &step, err);
	if (rc == MU_EDENIED)
		return wrong(t, &a, err);
	if (rc == MU_ERETRY && err->retry_after_ms > 0)
		return resting(t, err);
	if (rc != MU_OK)
		return undecided(t, err);
	a.seed.last_step = step;
	a.seed.failures = 0;
	store_seed_moved(h->store, t->person_id, &a.seed);
	*out_administrator = a;
	a = (struct store_administrator){ .version = 0 };
	return MU_OK;
}

enum mu_rc
auth_code_use(const struct auth_host *h, const struct mu_uuid *person_id, const struct mu_secret *code,
    const char *address, int64_t now_ms, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	const struct auth_try t = { h, person_id, address, now_ms };

	return auth_code_take(&t, AUTH_FOR_ACTION, code, &a, err);
}

enum mu_rc
auth_code_look(const struct auth_host *h, const struct mu_uuid *person_id, const struct mu_secret *code,
    const char *address, int64_t now_ms, struct mu_err *err)
{
	if (store_begin(h->store, err) != MU_OK ||
	    auth_code_use(h, person_id, code, address, now_ms, err) != MU_OK)
		return err->rc;
	store_rollback(h->store);
	return MU_OK;
}
