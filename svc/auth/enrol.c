#include "auth/auth_priv.h"

#include "crypto/digest.h"
#include "crypto/password.h"

#include <string.h>

/* As it was made: lower case, without what people type in between. */
static void
code_digest(const struct mu_secret *code, unsigned char out[CRYPTO_SHA256_BYTES])
{
	MU_AUTO(mu_secret_clear) struct mu_secret plain = MU_SECRET_INIT;
	size_t count = 0;

	mu_secret_set(&plain, code->bytes, code->size_bytes);
	for (size_t i = 0; i < plain.size_bytes; i++) {
		unsigned char c = plain.bytes[i];

		if (c != ' ' && c != '\t' && c != '-')
			plain.bytes[count++] = c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
	}
	crypto_sha256(plain.bytes, count, out);
}

enum mu_rc
auth_enrol(const struct auth_host *h, const struct mu_uuid *person_id, const char *role,
    const struct mu_uuid *by, int64_t now_ms, struct mu_secret *out_code, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	MU_AUTO(mu_secret_clear) struct mu_secret code = MU_SECRET_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	struct store_enrolment e = { .expires_at_s = now_ms / 1000 + AUTH_ENROLMENT_S };
	char person[MU_UUID_TEXT_BYTES], actor[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("person", mu_uuid_format(person_id, person)), AUDIT_TEXT("role", role),
		AUDIT_TEXT("actor", mu_uuid_format(by, actor)),
	};
	unsigned char digest[CRYPTO_SHA256_BYTES], macs[1][MAC_BYTES];

	if (mu_uuid_equal(person_id, by))
		return mu_fail(err, MU_EDENIED, "Nobody enrols themselves: ask another administrator.");
	if (auth_fresh_make(h, person_id, role, by, now_ms, &a, err) != MU_OK ||
	    auth_fresh_write(h, &a, err) != MU_OK)
		return err->rc;
	crypto_password_new(&code);
	code_digest(&code, digest);
	auth_enrolment_encode(person_id, digest, e.expires_at_s, &bytes);
	if (auth_mac((void *)(uintptr_t)h, &bytes, 1, macs, err) != MU_OK)
		return err->rc;
	(void)memcpy(e.code_digest, macs[0], sizeof(e.code_digest));
	store_enrolment_write(h->store, person_id, &e);
	audit_record(h->store, AUDIT_ADMIN_ENROLLED, now_ms, fields, MU_COUNT(fields), NULL);
	mu_secret_move(out_code, &code);
	return MU_OK;
}

/*
 * The rows of somebody who may collect a seed, locked. out_reason is NULL, or why they may not and err
 * is what they are told.
 */
static enum mu_rc
waiting_read(const struct auth_try *t, struct store_administrator *a, struct store_enrolment *e,
    const char **out_reason, struct mu_err *err)
{
	struct auth_wrong tampered = { .table = NULL };
	const char *reason = NULL;
	enum mu_rc rc = store_administrator_get(t->host->store, t->person_id, true, a, err);

	if (rc == MU_OK)
		rc = auth_rows_check(t->host, a, NULL, &tampered, err);
	if (rc == MU_OK && tampered.table == NULL)
		rc = store_enrolment_get(t->host->store, t->person_id, e, err);
	if (rc != MU_OK && rc != MU_EABSENT)
		return rc;
	if (tampered.table != NULL) {
		auth_wrong_record(t->host, &tampered, t->person_id, t->now_ms);
		reason = "row tampered";
	} else if (rc == MU_EABSENT || a->active) {
		reason = "no enrolment waits";
	} else if (a->state != PERSON_ACTIVE || a->blocked) {
		reason = a->blocked ? "revoked" : "not active in the directory";
	} else if (e->expires_at_s <= t->now_ms / 1000 || e->failures >= AUTH_FAILURES_MAX) {
		reason = "enrolment code expired";
	}
	if (reason != NULL)
		(void)mu_fail(err, MU_EDENIED, "The one-time code is wrong, was used, or holds no more: have "
		    "another administrator enrol you anew (muster admin enrol).");
	*out_reason = reason;
	return MU_OK;
}

static enum mu_rc
enrolment_wrong(const struct auth_try *t, struct store_enrolment *e, struct mu_err *err)
{
	struct store *s = t->host->store;
	struct mu_err lost = MU_ERR_INIT;

	e->failures++;
	if (e->failures < AUTH_FAILURES_MAX)
		store_enrolment_write(s, t->person_id, e);
	else
		store_enrolment_drop(s, t->person_id);
	auth_failed_record(t, "enrolment code", e->failures);
	if (store_commit(s, &lost) != MU_OK) {
		*err = lost;
		return err->rc;
	}
	if (e->failures < AUTH_FAILURES_MAX)
		return mu_fail(err, MU_EDENIED, "The one-time code was refused: check what you typed. Tries "
		    "left: %d.", (int)(AUTH_FAILURES_MAX - e->failures));
	return mu_fail(err, MU_EDENIED, "The one-time code is void after five wrong ones: have another "
	    "administrator enrol you anew (muster admin enrol).");
}

static enum mu_rc
undecided(const struct auth_host *h, struct mu_err *err)
{
	store_rollback(h->store);
	return err->rc;
}

enum mu_rc
auth_enrolment_use(const struct auth_host *h, const struct auth_candidate *c, const struct mu_secret *code,
    const char *address, int64_t now_ms, struct mu_secret *out_uri, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	const struct auth_try t = { h, &c->person_id, address, now_ms };
	struct store_enrolment e = { .failures = 0 };
	char person[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("actor", mu_uuid_format(&c->person_id, person)),
		AUDIT_TEXT("address", address == NULL ? "" : address),
	};
	unsigned char digest[CRYPTO_SHA256_BYTES];
	const char *reason;
	bool right;

	if (store_begin(h->store, err) != MU_OK)
		return err->rc;
	if (waiting_read(&t, &a, &e, &reason, err) != MU_OK)
		return undecided(h, err);
	if (reason != NULL)
		return auth_refuse(&t, reason, err);
	code_digest(code, digest);
	auth_enrolment_encode(&c->person_id, digest, e.expires_at_s, &bytes);
	if (auth_mac_check((void *)(uintptr_t)h, &bytes,
	    (const unsigned char (*)[MAC_BYTES])(const void *)e.code_digest, 1, &right, err) != MU_OK)
		return undecided(h, err);
	if (!right)
		return enrolment_wrong(&t, &e, err);
	if (auth_seed_make(h, &a, &uri, err) != MU_OK || auth_rows_mac(h, &a, err) != MU_OK)
		return undecided(h, err);
	store_enrolment_drop(h->store, &c->person_id);
	store_seed_write(h->store, &c->person_id, &a.seed);
	audit_record(h->store, AUDIT_ADMIN_COLLECTED, now_ms, fields, MU_COUNT(fields), NULL);
	if (store_commit(h->store, err) != MU_OK)
		return err->rc;
	mu_secret_move(out_uri, &uri);
	return MU_OK;
}

/* --- What else becomes of them ------------------------------------------------------------------- */

enum mu_rc
auth_unlock(const struct auth_host *h, const struct mu_uuid *person_id, const struct mu_uuid *by,
    int64_t now_ms, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	char person[MU_UUID_TEXT_BYTES], actor[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("person", mu_uuid_format(person_id, person)),
		AUDIT_TEXT("actor", mu_uuid_format(by, actor)),
	};

	if (mu_uuid_equal(person_id, by))
		return mu_fail(err, MU_EDENIED, "Nobody unlocks themselves: ask another administrator.");
	if (store_administrator_get(h->store, person_id, true, &a, err) != MU_OK)
		return err->rc;
	if (!auth_seed_exists(&a.seed) || a.seed.locked_at_s == 0)
		return mu_fail(err, MU_ECONFLICT, "%s is not locked.", a.uid);
	a.seed.failures = 0;
	a.seed.locked_at_s = 0;
	store_seed_moved(h->store, person_id, &a.seed);
	audit_record(h->store, AUDIT_ADMIN_UNLOCKED, now_ms, fields, MU_COUNT(fields), NULL);
	return MU_OK;
}

enum mu_rc
auth_remove(const struct auth_host *h, const struct mu_uuid *person_id, const struct mu_uuid *by,
    int64_t now_ms, struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	char person[MU_UUID_TEXT_BYTES], actor[MU_UUID_TEXT_BYTES];
	struct audit_field fields[3];

	if (store_administrator_get(h->store, person_id, true, &a, err) != MU_OK)
		return err->rc;
	fields[0] = (struct audit_field)AUDIT_TEXT("person", mu_uuid_format(person_id, person));
	fields[1] = (struct audit_field)AUDIT_TEXT("role", a.role);
	fields[2] = (struct audit_field)AUDIT_TEXT("actor", mu_uuid_format(by, actor));
	store_administrator_remove(h->store, person_id);
	audit_record(h->store, AUDIT_ADMIN_REMOVED, now_ms, fields, MU_COUNT(fields), NULL);
	return MU_OK;
}
