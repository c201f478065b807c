#include "auth/auth_priv.h"

#include <string.h>

#include "base/log.h"

void
auth_who_clear(struct auth_who *w)
{
	mu_free(w->role);
	mu_free(w->uid);
	mu_free(w->display_name);
	mu_free(w->conflict);
	*w = (struct auth_who){ .expires_at_s = 0 };
}

void
auth_candidate_clear(struct auth_candidate *c)
{
	mu_free(c->source);
	mu_free(c->dn);
	mu_free(c->uid);
	mu_free(c->display_name);
	mu_free(c->role);
	*c = (struct auth_candidate){ .active = false };
}

void
auth_login_clear(struct auth_login *l)
{
	auth_who_clear(&l->who);
	mu_free(l->certificate);
	*l = (struct auth_login){ .certificate = NULL };
}

/*
 * Of the administrators with one login name the one who may log in, NULL for none; out_reason says why.
 * Rows whose MAC is wrong are recorded and count for nothing, nor do people who are not active.
 */
static enum mu_rc
candidate_choose(const struct auth_try *t, const struct store_administrators *l,
    const struct store_administrator **out_one, const char **out_reason, struct mu_err *err)
{
	const struct store_administrator *one = NULL;
	const char *reason = "no administrator";
	struct auth_wrong tampered;
	size_t count = 0;

	for (size_t i = 0; i < l->count; i++) {
		const struct store_administrator *a = &l->list[i];

		if (auth_rows_check(t->host, a, NULL, &tampered, err) != MU_OK)
			return err->rc;
		if (tampered.table != NULL) {
			auth_wrong_record(t->host, &tampered, &a->person_id, t->now_ms);
			reason = "row tampered";
		} else if (a->state != PERSON_ACTIVE) {
			reason = "not active in the directory";
		} else if (a->blocked) {
			reason = "revoked";
		} else if (!auth_source_administers(t->host, a->source)) {
			reason = "of a source without administrators";
		} else if (auth_conflict(t->host, a) != NULL) {
			reason = "conflicting role";
		} else {
			one = a;
			count++;
		}
	}
	if (count > 1)
		reason = "several administrators of one login name";
	else if (count == 1 && one->seed.locked_at_s != 0)
		reason = "locked";
	else if (count == 1)
		reason = NULL;
	*out_one = reason == NULL ? one : NULL;
	*out_reason = reason;
	return MU_OK;
}

static void
candidate_copy(const struct store_administrator *a, struct auth_candidate *c)
{
	*c = (struct auth_candidate){ .person_id = a->person_id, .source = mu_strdup(a->source),
		.dn = mu_strdup(a->dn), .uid = mu_strdup(a->uid), .display_name = mu_strdup(a->display_name),
		.role = mu_strdup(a->role), .active = a->active };
}

static enum mu_rc
undecided(const struct auth_try *t, struct mu_err *err)
{
	store_rollback(t->host->store);
	return err->rc;
}

enum mu_rc
auth_login_begin(const struct auth_host *h, const char *uid, const char *address, int64_t now_ms,
    struct auth_candidate *out_candidate, struct mu_err *err)
{
	MU_AUTO(store_administrators_clear) struct store_administrators list = { NULL, 0 };
	const struct store_administrator *one = NULL;
	struct auth_try t = { h, NULL, address, now_ms };
	const char *reason = NULL;

	if (store_begin(h->store, err) != MU_OK)
		return err->rc;
	if (store_administrator_find(h->store, uid, &list, err) != MU_OK ||
	    candidate_choose(&t, &list, &one, &reason, err) != MU_OK)
		return undecided(&t, err);
	if (one == NULL) {
		if (list.count == 1)
			t.person_id = &list.list[0].person_id;
		(void)mu_fail(err, MU_EDENIED, "login refused: %s", reason);
		return auth_refuse(&t, reason, err);
	}
	if (store_commit(h->store, err) != MU_OK)
		return err->rc;
	candidate_copy(one, out_candidate);
	return MU_OK;
}

void
auth_login_failed(const struct auth_host *h, const struct auth_candidate *c, const char *address,
    int64_t now_ms)
{
	const struct auth_try t = { h, &c->person_id, address, now_ms };
	struct mu_err err = MU_ERR_INIT;
	char person[MU_UUID_TEXT_BYTES];

	(void)mu_fail(&err, MU_EDENIED, "the password was refused");
	if (auth_refuse_alone(&t, "password", &err) != MU_EDENIED)
		mu_log_err(&err, "auth.not_recorded", "person", mu_uuid_format(&c->person_id, person), NULL);
}

/* In the transaction that took the code: a certificate, and the session that it opens. */
static enum mu_rc
session_open(const struct auth_try *t, const char *csr_pem, char **out_certificate,
    struct store_session *out_session, struct mu_err *err)
{
	MU_AUTO(msg_issued_clear) struct msg_issued issued = { .certificate = NULL };
	MU_AUTO(store_session_clear) struct store_session x = { .person_id = *t->person_id,
		.issued_at_s = t->now_ms / 1000 };
	MU_AUTO(mu_buf_clear) struct mu_buf bytes = MU_BUF_INIT;
	unsigned char macs[1][MAC_BYTES];

	mu_uuid_new(&x.session_id);
	if (auth_session_issue(t->host, &x.session_id, csr_pem, &issued, err) != MU_OK)
		return err->rc;
	x.address = mu_strdup(t->address == NULL ? "" : t->address);
	x.expires_at_s = issued.not_after_s;
	(void)memcpy(x.fingerprint, issued.fingerprint, sizeof(x.fingerprint));
	auth_session_encode(&x, &bytes);
	if (auth_mac((void *)(uintptr_t)t->host, &bytes, 1, macs, err) != MU_OK)
		return err->rc;
	(void)memcpy(x.mac, macs[0], sizeof(x.mac));
	store_session_write(t->host->store, &x);
	*out_certificate = MU_TAKE(issued.certificate);
	*out_session = x;
	x.address = NULL;
	return MU_OK;
}

static void
login_record(const struct auth_try *t, const struct store_session *x)
{
	char person[MU_UUID_TEXT_BYTES], session[MU_UUID_TEXT_BYTES];
	const struct audit_field fields[] = {
		AUDIT_TEXT("actor", mu_uuid_format(&x->person_id, person)),
		AUDIT_TEXT("session", mu_uuid_format(&x->session_id, session)),
		AUDIT_TEXT("address", x->address),
	};

	audit_record(t->host->store, AUDIT_AUTH_LOGIN, t->now_ms, fields, MU_COUNT(fields), NULL);
}

enum mu_rc
auth_login_finish(const struct auth_host *h, const struct auth_candidate *c, const struct mu_secret *code,
    const char *csr_pem, const char *address, int64_t now_ms, struct auth_login *out_login,
    struct mu_err *err)
{
	MU_AUTO(store_administrator_clear) struct store_administrator a = { .version = 0 };
	MU_AUTO(store_session_clear) struct store_session session = { .address = NULL };
	MU_AUTO(mu_freep) char *certificate = NULL;
	const struct auth_try t = { h, &c->person_id, address, now_ms };
	enum mu_rc rc;

	if (store_begin(h->store, err) != MU_OK)
		return err->rc;
	if (auth_code_take(&t, AUTH_FOR_LOGIN, code, &a, err) != MU_OK)
		return err->rc;
	if (!a.active && auth_activate(&t, &a, err) != MU_OK)
		return err->rc;
	rc = session_open(&t, csr_pem, &certificate, &session, err);
	if (rc == MU_EINPUT)	/* neither code nor activation stands */
		return auth_refuse_alone(&t, "bad certificate request", err);
	if (rc != MU_OK)
		return undecided(&t, err);
	login_record(&t, &session);
	store_session_sweep(h->store, now_ms / 1000);
	if (store_commit(h->store, err) != MU_OK)
		return err->rc;
	*out_login = (struct auth_login){ .who = { a.person_id, session.session_id, MU_TAKE(a.role),
		MU_TAKE(a.uid), MU_TAKE(a.display_name), session.expires_at_s, NULL },
		.certificate = MU_TAKE(certificate), .expires_at_s = session.expires_at_s };
	return MU_OK;
}
