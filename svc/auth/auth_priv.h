/*
 * auth/auth_priv.h - what the files about administrators share
 */
#ifndef AUTH_AUTH_PRIV_H
#define AUTH_AUTH_PRIV_H

#include "audit/record.h"
#include "auth/administrator.h"

#define AUTH_AT_CONSOLE	"console"	/* in place of an address */

/* --- Records (record.c) ----------------------------------------------------------------------------- */

/* Who tries something, from where and when: it stands in every record of it. Borrowed. */
struct auth_try {
	const struct auth_host *host;
	const struct mu_uuid *person_id;	/* NULL: not known */
	const char *address;
	int64_t now_ms;
};

/* Queues a record of a failure in the open transaction; failures below 0: not of a code. */
void auth_failed_record(const struct auth_try *t, const char *reason, int64_t failures);

/*
 * err is set to what the caller is told: records the failure in the open transaction and commits, so that
 * none is open. Returns err->rc, or what the commit failed with.
 */
enum mu_rc auth_refuse(const struct auth_try *t, const char *reason, struct mu_err *err);
/* The same after all that the transaction did has been rolled back. */
enum mu_rc auth_refuse_alone(const struct auth_try *t, const char *reason, struct mu_err *err);

/* --- Rows and their MACs (row.c) ---------------------------------------------------------------------- */

/* One row whose MAC is wrong. table NULL: there is none. */
struct auth_wrong {
	const char *table;
	struct mu_uuid row;
};

bool auth_seed_exists(const struct store_seed *seed);

/* Checks the administrator, their seed if there is one, and a session if it is not NULL. */
MU_CHECKED enum mu_rc auth_rows_check(const struct auth_host *h, const struct store_administrator *a,
    const struct store_session *session, struct auth_wrong *out_wrong, struct mu_err *err);
/* Queues AUDIT_ROW_TAMPERED in the open transaction, and tells the log. */
void auth_wrong_record(const struct auth_host *h, const struct auth_wrong *wrong,
    const struct mu_uuid *person_id, int64_t now_ms);

/* Makes the MACs of the administrator and, if there is one, of their seed. */
MU_CHECKED enum mu_rc auth_rows_mac(const struct auth_host *h, struct store_administrator *a,
    struct mu_err *err);

/* --- Codes (code.c) ------------------------------------------------------------------------------------ */

enum auth_purpose {
	AUTH_FOR_ACTION,		/* an active administrator's code */
	AUTH_FOR_LOGIN,			/* or the first code of a new one */
	AUTH_FOR_CONSOLE,		/* the first code of one who was bootstrapped, and no other */
};

/* auth_code_use for any purpose; out_administrator is the row as locked, with the step moved. */
MU_CHECKED enum mu_rc auth_code_take(const struct auth_try *t, enum auth_purpose purpose,
    const struct mu_secret *code, struct store_administrator *out_administrator, struct mu_err *err);

/* --- New administrators (fresh.c) ----------------------------------------------------------------------- */

/*
 * In the open transaction: the person's row as that of an administrator who does not work yet; a seed, an
 * enrolment and sessions are gone. Not written and without MACs: auth_fresh_write does that. by NULL: on
 * the console.
 * MU_EDENIED  the person is not active, or blocked; or on the console: an administrator already
 * MU_EABSENT  no such person
 */
MU_CHECKED enum mu_rc auth_fresh_make(const struct auth_host *h, const struct mu_uuid *person_id,
    const char *role, const struct mu_uuid *by, int64_t now_ms, struct store_administrator *out_fresh,
    struct mu_err *err);
MU_CHECKED enum mu_rc auth_fresh_write(const struct auth_host *h, struct store_administrator *a,
    struct mu_err *err);

/* A new seed for the administrator, not written; out_uri is what their authenticator takes. */
MU_CHECKED enum mu_rc auth_seed_make(const struct auth_host *h, struct store_administrator *a,
    struct mu_secret *out_uri, struct mu_err *err);

/*
 * The first code has been taken: confirms the seed and activates the administrator, in the open
 * transaction. MU_EDENIED: the console's door has closed since; recorded, and no transaction is open.
 */
MU_CHECKED enum mu_rc auth_activate(const struct auth_try *t, struct store_administrator *a,
    struct mu_err *err);

/* Two administrators are active: sets err. */
enum mu_rc auth_door_closed(int64_t active, struct mu_err *err);

#endif
