/*
 * auth/administrator.h - administrators: codes, login, sessions, enrolment, bootstrap
 *
 * DESIGN: an administrator is a person of the directory, enrolled by another (the first two on the
 * console), who works only once their first code has been verified. They are one as long as their person
 * is active and not blocked, asked at every request. Codes are RFC 6238; one opens one request. Rows whose
 * MAC is wrong are as if they were not there, and recorded (AUDIT_ROW_TAMPERED).
 */
#ifndef AUTH_ADMINISTRATOR_H
#define AUTH_ADMINISTRATOR_H

#include "auth/keys.h"

#define AUTH_CODE_DIGITS	6
#define AUTH_FAILURES_MAX	5		/* wrong codes in a row lock: a second administrator unlocks */
#define AUTH_ENROLMENT_S	(24 * 3600)	/* the one-time code of a new administrator */
#define AUTH_BOOTSTRAP_COUNT	2		/* then the console's door is closed */

/* The bytes that keys MACs: table name, then each column with its length before it. */
void auth_administrator_encode(const struct store_administrator *a, struct mu_buf *b);	/* "administrator:" */
void auth_seed_encode(const struct mu_uuid *person_id, const struct store_seed *seed,
    struct mu_buf *b);		/* "totp_seed:" */
void auth_session_encode(const struct store_session *x, struct mu_buf *b);	/* "session:" */
/* "enrolment:", the code's SHA-256 and until when it holds: code_digest is the MAC over that, so that who
 * writes to the store past muster makes no code that opens. */
void auth_enrolment_encode(const struct mu_uuid *person_id, const unsigned char sha256[32],
    int64_t expires_at_s, struct mu_buf *b);

/* Who asks. */
struct auth_who {
	struct mu_uuid person_id, session_id;	/* session_id zeros: a login and action in one request */
	char *role, *uid, *display_name;
	int64_t expires_at_s;			/* of the session, 0: none */
	/* the role that they hold and that excludes theirs, NULL: none. With both they do nothing. */
	char *conflict;
};
/* Sets err to what whoever has such a conflict is told; MU_EDENIED. */
enum mu_rc auth_conflict_fail(const char *admin_role, const char *held, struct mu_err *err);
void auth_who_clear(struct auth_who *w);

/* --- Codes ---------------------------------------------------------------------------------------- */

/*
 * Uses one code, directly after store_begin and before any other write. Locks the administrator's rows
 * first, so that of many parallel uses one succeeds.
 *
 * MU_OK       the step has moved forward in the open transaction, which the caller commits with the action:
 *             both or neither
 * MU_EDENIED  wrong, used, locked, or no administrator any more: the failure has been recorded and
 *             COMMITTED; no transaction is open. Five in a row have locked the administrator.
 * MU_EINPUT   not six digits: nothing was evaluated or counted; recorded and committed, none is open
 * MU_ERETRY   store or keys away: rolled back. With retry_after_ms: keys evaluates no more for this seed until
 *             then, and the text says so; recorded and committed, nothing counts
 */
MU_CHECKED enum mu_rc auth_code_use(const struct auth_host *h, const struct mu_uuid *person_id,
    const struct mu_secret *code, const char *address, int64_t now_ms, struct mu_err *err);

/*
 * Would the code open something now? Outside a transaction. It opens nothing and stays unused, so
 * it is good for the request that it came with: until then all that is told is that it is wrong.
 * ERRORS as auth_code_use; a wrong code counts.
 */
MU_CHECKED enum mu_rc auth_code_look(const struct auth_host *h, const struct mu_uuid *person_id,
    const struct mu_secret *code, const char *address, int64_t now_ms, struct mu_err *err);

/* --- Login ------------------------------------------------------------------------------------------ */

/* Who wants to log in, before the password is checked: where to bind, and what they would be. */
struct auth_candidate {
	struct mu_uuid person_id;
	char *source, *dn, *uid, *display_name, *role;
	bool active;			/* else they still have to collect their seed */
};
void auth_candidate_clear(struct auth_candidate *c);

/*
 * MU_EDENIED  nobody of that login name may (unknown, no administrator, not active in the directory,
 *             blocked, locked); recorded. The text is for the log: callers answer all of these alike.
 */
MU_CHECKED enum mu_rc auth_login_begin(const struct auth_host *h, const char *uid, const char *address,
    int64_t now_ms, struct auth_candidate *out_candidate, struct mu_err *err);

/* The password was wrong: recorded, counts for nothing else. */
void auth_login_failed(const struct auth_host *h, const struct auth_candidate *c, const char *address,
    int64_t now_ms);

struct auth_login {
	struct auth_who who;
	char *certificate;		/* PEM */
	int64_t expires_at_s;
};
void auth_login_clear(struct auth_login *l);

/*
 * The password was right: uses the code, certifies the key, opens a session; commits. A seed that waits
 * for its first code is confirmed by it, and the administrator is active from then on.
 * MU_EDENIED, MU_EINPUT (bad request or not six digits), MU_ERETRY: as auth_code_use
 */
MU_CHECKED enum mu_rc auth_login_finish(const struct auth_host *h, const struct auth_candidate *c,
    const struct mu_secret *code, const char *csr_pem, const char *address, int64_t now_ms,
    struct auth_login *out_login, struct mu_err *err);

/*
 * The session of a client certificate, outside a transaction. Nothing is recorded but a row whose MAC is
 * wrong. Who is locked can still read: it is their codes that open nothing.
 * MU_EDENIED  none, run out, or its administrator is one no more. Who has a conflict is found.
 */
MU_CHECKED enum mu_rc auth_session_find(const struct auth_host *h, const unsigned char fingerprint[32],
    int64_t now_s, struct auth_who *out_who, struct mu_err *err);

/* Twice is as once. */
MU_CHECKED enum mu_rc auth_logout(const struct auth_host *h, const struct auth_who *who, int64_t now_ms,
    struct mu_err *err);

/* --- Enrolment --------------------------------------------------------------------------------------- */

/*
 * In the open transaction of an action: makes the person an administrator who does not work yet, and a
 * one-time code (130 bit, crypto/password.h) to be handed over in person. Who is one already gets a new
 * code and loses seed and sessions: recovery takes the same road.
 * MU_EDENIED  the person is not active, or blocked, or holds a role that conflicts
 */
MU_CHECKED enum mu_rc auth_enrol(const struct auth_host *h, const struct mu_uuid *person_id,
    const char *role, const struct mu_uuid *by, int64_t now_ms, struct mu_secret *out_code,
    struct mu_err *err);

/*
 * The new administrator's password was right and this is the one-time code (letter case, blanks and dashes
 * as they were typed): spends it, makes a seed that waits for its first code; commits. out_uri:
 * otpauth://totp/... (Key Uri Format: secret, issuer, algorithm, digits, period).
 * MU_EDENIED  wrong, expired, spent: recorded; five failures spend it
 */
MU_CHECKED enum mu_rc auth_enrolment_use(const struct auth_host *h, const struct auth_candidate *c,
    const struct mu_secret *code, const char *address, int64_t now_ms, struct mu_secret *out_uri,
    struct mu_err *err);

/*
 * In the open transaction of an action.
 * MU_EABSENT    no administrator
 * MU_EDENIED    unlock: they are that administrator themselves
 * MU_ECONFLICT  unlock: not locked
 */
MU_CHECKED enum mu_rc auth_unlock(const struct auth_host *h, const struct mu_uuid *person_id,
    const struct mu_uuid *by, int64_t now_ms, struct mu_err *err);
MU_CHECKED enum mu_rc auth_remove(const struct auth_host *h, const struct mu_uuid *person_id,
    const struct mu_uuid *by, int64_t now_ms, struct mu_err *err);

/* --- The console's door ------------------------------------------------------------------------------- */

/*
 * Makes the person an administrator with a seed that waits for its first code; commits. Repeating it for
 * the same person makes a new seed as long as the first has not been confirmed.
 * MU_EDENIED   two administrators are active: the door is closed; or the person is not active, or one already
 */
MU_CHECKED enum mu_rc auth_bootstrap(const struct auth_host *h, const struct mu_uuid *person_id,
    const char *role, int64_t console_uid, int64_t now_ms, struct mu_secret *out_uri, struct mu_err *err);
/*
 * The first code: the administrator works from now on; commits. So does the first login, and both only as
 * long as the door is open. MU_EDENIED: wrong (counted as any other), nothing waits for one, or closed.
 */
MU_CHECKED enum mu_rc auth_bootstrap_confirm(const struct auth_host *h, const struct mu_uuid *person_id,
    const struct mu_secret *code, int64_t now_ms, struct mu_err *err);

#endif
