/*
 * Administrators for tests: a real store, a real vault behind a function that answers what keys would,
 * and an authenticator for each person. The clock is clock_s: the vault's and ours.
 */
#ifndef UNIT_AUTH_RIG_H
#define UNIT_AUTH_RIG_H

#include "unit/store/people.h"

#include "audit/record.h"
#include "auth/administrator.h"
#include "base/clock.h"
#include "base/text.h"
#include "crypto/csr.h"
#include "vault/vault.h"

#include <assert.h>
#include <liboath/oath.h>
#include <stdatomic.h>
#include <threads.h>

#define ADMIN_PARTS	(STORE_ADMIN | STORE_AUDIT | STORE_PERSON)
#define STEP_S		30
#define ADDRESS		"192.0.2.7"

#define DENIED(call) assert_int_equal(MU_EDENIED, (call))

static int64_t clock_s = NOW_S;
static struct vault *vault;
static mtx_t vault_lock;
static struct auth_host host;			/* its store is the one that tests look through */
static struct mu_secret csr;
static atomic_int codes_asked;			/* how often keys was asked for a code */
static bool keys_away;
static int keys_leave_after = -1;		/* so many answers; -1: they stay */

static inline int64_t
now_ms(void)
{
	return clock_s * 1000;
}

/* --- What the process keys answers ------------------------------------------------------------------- */

static inline enum mu_rc
answer_mac(struct ipc_reader *r, struct mu_buf *out)
{
	MU_AUTO(msg_list_clear) struct msg_list rows = { NULL, 0 }, macs = { NULL, 0 };
	unsigned char mac[MAC_BYTES];

	assert(msg_list_decode(r, &rows));
	for (size_t i = 0; i < rows.count; i++) {
		vault_mac(vault, rows.list[i].bytes, rows.list[i].size_bytes, mac);
		msg_list_add(&macs, mac, sizeof(mac));
	}
	msg_list_encode(&macs, out);
	return MU_OK;
}

static inline enum mu_rc
answer_mac_check(struct ipc_reader *r, struct mu_buf *out)
{
	MU_AUTO(msg_list_clear) struct msg_list m = { NULL, 0 };
	MU_AUTO(mu_buf_clear) struct mu_buf right = MU_BUF_INIT;

	assert(msg_list_decode(r, &m) && m.count % 2 == 0);
	for (size_t i = 0; i < m.count; i += 2)
		mu_buf_char_add(&right, m.list[i + 1].size_bytes == MAC_BYTES && vault_mac_verify(vault,
		    m.list[i].bytes, m.list[i].size_bytes, m.list[i + 1].bytes) ? 1 : 0);
	ipc_put_bytes(out, right.data, right.size_bytes);
	return MU_OK;
}

static inline enum mu_rc
answer_seed_new(struct ipc_reader *r, struct mu_buf *out, struct mu_err *err)
{
	MU_AUTO(msg_list_clear) struct msg_list made = { NULL, 0 };
	MU_AUTO(mu_secret_clear) struct mu_secret base32 = MU_SECRET_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf sealed = MU_BUF_INIT;
	MU_AUTO(msg_code_clear) struct msg_code m = { .last_step = 0 };

	assert(msg_code_decode(r, &m));
	if (vault_seed_new(vault, &m.seed_id, &m.person_id, &sealed, &base32, err) != MU_OK)
		return err->rc;
	msg_list_add(&made, sealed.data, sealed.size_bytes);
	msg_list_add(&made, base32.bytes, base32.size_bytes);
	msg_list_encode(&made, out);
	return MU_OK;
}

static inline enum mu_rc
answer_code_check(struct ipc_reader *r, struct mu_buf *out, struct mu_err *err)
{
	MU_AUTO(msg_code_clear) struct msg_code m = { .last_step = 0 };
	int64_t step;

	assert(msg_code_decode(r, &m));
	(void)atomic_fetch_add(&codes_asked, 1);
	if (vault_code_check(vault, &m.seed_id, &m.person_id, &m.sealed, &m.code, m.last_step, clock_s, &step,
	    err) != MU_OK)
		return err->rc;
	ipc_put_i64(out, step);
	return MU_OK;
}

static inline enum mu_rc
answer_admin_issue(struct ipc_reader *r, struct mu_buf *out, struct mu_err *err)
{
	MU_AUTO(vault_client_clear) struct vault_client c = { .certificate = NULL };
	MU_AUTO(msg_named_clear) struct msg_named m = { .name = NULL };
	struct msg_issued issued;
	struct mu_uuid session;

	assert(msg_named_decode(r, &m) && mu_uuid_parse(m.name, &session));
	if (vault_admin_issue(vault, &session, mu_secret_text(&m.bytes), m.bytes.size_bytes, clock_s, &c,
	    err) != MU_OK)
		return err->rc;
	issued = (struct msg_issued){ .certificate = c.certificate, .not_after_s = c.not_after_s };
	(void)memcpy(issued.fingerprint, c.fingerprint, sizeof(issued.fingerprint));
	msg_issued_encode(&issued, out);
	return MU_OK;
}

static inline enum mu_rc
answer(uint16_t op, struct ipc_reader *r, struct mu_buf *out, struct mu_err *err)
{
	switch (op) {
	case OP_MAC:		return answer_mac(r, out);
	case OP_MAC_CHECK:	return answer_mac_check(r, out);
	case OP_SEED_NEW:	return answer_seed_new(r, out, err);
	case OP_CODE_CHECK:	return answer_code_check(r, out, err);
	case OP_ADMIN_ISSUE:	return answer_admin_issue(r, out, err);
	default:		return mu_fail(err, MU_EBROKEN, "keys knows no operation %u", op);
	}
}

/* One at a time, as the process is. */
static inline enum mu_rc
ask(void *ctx, uint16_t op, const struct mu_buf *body, struct mu_buf *out, struct mu_err *err)
{
	struct ipc_reader r;
	enum mu_rc rc;

	(void)ctx;
	if (keys_away || keys_leave_after == 0)
		return mu_fail(err, MU_ERETRY, "keys is away");
	if (keys_leave_after > 0)
		keys_leave_after--;
	ipc_reader_init(&r, body);
	(void)mtx_lock(&vault_lock);
	rc = answer(op, &r, out, err);
	(void)mtx_unlock(&vault_lock);
	return rc;
}

/* --- The house ---------------------------------------------------------------------------------------- */

static inline int
house_up(void **state)
{
	MU_AUTO(crypto_key_freep) struct crypto_key *key = NULL;
	MU_AUTO(mu_buf_clear) struct mu_buf pem = MU_BUF_INIT;
	struct mu_err err = MU_ERR_INIT;
	struct vault_config config;
	char dir[80];

	if (rig_up(state) != 0)
		return 1;
	(void)snprintf(dir, sizeof(dir), "%s/keys", rig.dir);
	config = (struct vault_config){ dir, "https://muster.example.org:8443" };
	MUST(vault_open(&config, clock_s, &vault, &err));
	(void)mtx_init(&vault_lock, mtx_plain);
	key = crypto_key_new(CRYPTO_ES256);
	MUST(crypto_csr_make(key, "any name", &pem, &err));
	mu_secret_set(&csr, pem.data, pem.size_bytes);
	host = (struct auth_host){ rig_open(STORE_ROLE_ADMIN, ADMIN_PARTS), ask, NULL, NULL, NULL };
	return 0;
}

static inline int
house_down(void **state)
{
	store_close(host.store);
	vault_close(vault);
	mu_secret_clear(&csr);
	mtx_destroy(&vault_lock);
	return rig_down(state);
}

/* Nobody is there any more, nothing was recorded, and an hour has passed. */
static inline int
house_empty(void **state)
{
	(void)state;
	free(rig_sql("SET client_min_messages = warning; TRUNCATE administrator, totp_seed, enrolment,"
	    " admin_session, audit_record, audit_pending, audit_leaf, account, person CASCADE"));
	clock_s += 3600;
	keys_away = false;
	atomic_store(&codes_asked, 0);
	return 0;
}

static inline void
recorded(int want, const char *kind)
{
	char sql[200], count[16];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit_record WHERE kind = '%s'", kind);
	(void)snprintf(count, sizeof(count), "%d", want);
	rig_sql_is(count, sql);
}

/* The newest record of a kind says this, "reason", "locked". */
static inline void
recorded_as(const char *kind, const char *member, const char *want)
{
	char sql[300];

	(void)snprintf(sql, sizeof(sql), "SELECT body::jsonb ->> '%s' FROM audit_record WHERE kind = '%s'"
	    " ORDER BY record_id DESC LIMIT 1", member, kind);
	rig_sql_is(want, sql);
}

/* --- People with an authenticator --------------------------------------------------------------------- */

struct someone {
	struct mu_uuid id;
	char uid[40], seed[40];
	size_t seed_bytes;
};

static inline struct someone
someone_of(const char *uid, const char *source)
{
	MU_AUTO(store_person_clear) struct store_person p;
	struct store *s = rig_open(STORE_ROLE_CYCLE, PEOPLE_PARTS);
	static const char *const nowhere[] = { NULL };
	struct someone one = { .seed_bytes = 0 };

	person_make(&p, uid);
	mu_free(p.source);
	p.source = mu_strdup(source);
	person_store(s, &p, NULL, nowhere);
	store_close(s);
	one.id = p.person_id;
	(void)snprintf(one.uid, sizeof(one.uid), "%s", uid);
	return one;
}

static inline struct someone
someone(const char *uid)
{
	return someone_of(uid, "corp");
}

/* Scans the code in the picture. */
static inline void
scan(struct someone *one, const struct mu_secret *uri)
{
	const char *secret = strstr(mu_secret_text(uri), "secret="), *end;
	size_t count;
	char *seed;

	assert_non_null(secret);
	secret += 7;
	end = strchr(secret, '&');
	assert_non_null(end);
	assert_int_equal(OATH_OK, oath_base32_decode(secret, (size_t)(end - secret), &seed, &count));
	assert_int_equal(20, count);
	(void)memcpy(one->seed, seed, count);
	one->seed_bytes = count;
	free(seed);
}

/* What their authenticator showed at that time. */
static inline struct mu_secret
code_of(const struct someone *one, int64_t at_s)
{
	struct mu_secret code = MU_SECRET_INIT;
	char text[7];

	assert_int_equal(OATH_OK, oath_totp_generate(one->seed, one->seed_bytes, (time_t)at_s, STEP_S, 0, 6,
	    text));
	mu_secret_set(&code, text, 6);
	return code;
}

/* Six digits that are no code of now or of the step before. */
static inline struct mu_secret
wrong_code_of(const struct someone *one)
{
	struct mu_secret now = code_of(one, clock_s), before = code_of(one, clock_s - STEP_S);
	struct mu_secret wrong = MU_SECRET_INIT;
	char text[7];
	int digits = 0;

	do
		(void)snprintf(text, sizeof(text), "%06d", digits++);
	while (strcmp(text, mu_secret_text(&now)) == 0 || strcmp(text, mu_secret_text(&before)) == 0);
	mu_secret_set(&wrong, text, 6);
	mu_secret_clear(&now);
	mu_secret_clear(&before);
	return wrong;
}

/* An action's code, and the action commits; its effect is a record "job.run". Ends the code. */
static inline enum mu_rc
use(const struct auth_host *h, const struct someone *one, struct mu_secret code, struct mu_err *err)
{
	static const struct audit_field fields[] = { AUDIT_TEXT("job", "test") };
	enum mu_rc rc = store_begin(h->store, err);

	if (rc == MU_OK)
		rc = auth_code_use(h, &one->id, &code, ADDRESS, now_ms(), err);
	mu_secret_clear(&code);
	if (rc != MU_OK)
		return rc;
	audit_record(h->store, AUDIT_JOB_RUN, now_ms(), fields, 1, NULL);
	return store_commit(h->store, err);
}

static inline enum mu_rc
use_now(const struct someone *one, struct mu_err *err)
{
	return use(&host, one, code_of(one, clock_s), err);
}

static inline void
bootstrap(struct someone *one)
{
	MU_AUTO(mu_secret_clear) struct mu_secret uri = MU_SECRET_INIT;
	struct mu_err err = MU_ERR_INIT;

	MUST(auth_bootstrap(&host, &one->id, "security", 1000, now_ms(), &uri, &err));
	scan(one, &uri);
}

static inline enum mu_rc
confirm(const struct someone *one, struct mu_err *err)
{
	MU_AUTO(mu_secret_clear) struct mu_secret code = code_of(one, clock_s);

	return auth_bootstrap_confirm(&host, &one->id, &code, now_ms(), err);
}

/* An administrator who works; their next code is a fresh one. */
static inline struct someone
administrator(const char *uid)
{
	struct someone one = someone(uid);
	struct mu_err err = MU_ERR_INIT;

	bootstrap(&one);
	MUST(confirm(&one, &err));
	clock_s += STEP_S;
	return one;
}

static inline enum mu_rc
login_begin(const char *uid, struct auth_candidate *out, struct mu_err *err)
{
	return auth_login_begin(&host, uid, ADDRESS, now_ms(), out, err);
}

/* The password was right, and this is the code. */
static inline enum mu_rc
login_with(const struct someone *one, struct mu_secret code, const char *request, struct auth_login *out,
    struct mu_err *err)
{
	MU_AUTO(auth_candidate_clear) struct auth_candidate c = { .active = false };
	enum mu_rc rc = login_begin(one->uid, &c, err);

	if (rc == MU_OK)
		rc = auth_login_finish(&host, &c, &code, request, ADDRESS, now_ms(), out, err);
	mu_secret_clear(&code);
	return rc;
}

static inline enum mu_rc
login(const struct someone *one, struct auth_login *out, struct mu_err *err)
{
	return login_with(one, code_of(one, clock_s), mu_secret_text(&csr), out, err);
}

#endif
