/*
 * store/credential.h - sealed first passwords: made by provision, collected once at claim
 * (STORE_CREDENTIAL)
 *
 * At most one per account, and only while the account is to be enabled: store_account_write drops
 * it when the account is not. What is sealed here only `keys` can open. Inside a transaction.
 */
#ifndef STORE_CREDENTIAL_H
#define STORE_CREDENTIAL_H

#include "base/secret.h"
#include "model/names.h"
#include "store/queue.h"
#include "store/store.h"

#define CREDENTIAL_KEEP_S (30 * 86400)	/* then it is destroyed unclaimed and made anew */

/* --- Provision ------------------------------------------------------------------------ */

/*
 * Keeps a fresh sealed password instead of whatever the account had. MU_ECONFLICT at commit when
 * the account is no longer to be enabled at this version.
 */
void store_credential_write(struct store *s, const struct mu_uuid *credential_id,
    const struct account_want *want, const struct mu_secret *sealed, int64_t now_s);

/* The platform has taken it: the person may collect it. */
void store_credential_set(struct store *s, const struct mu_uuid *credential_id,
    const struct mu_uuid *account_id, int64_t now_s);

/* Drops what nobody collected in time; those accounts become unsettled, so that it is made anew. */
void store_credential_expire(struct store *s, int64_t now_s);

/* --- Admin ---------------------------------------------------------------------------- */

/*
 * Whatever the account's credential was, a new one is made: the account becomes unsettled. The old
 * password ends when the platform has taken the new one.
 */
void store_credential_renew(struct store *s, const struct mu_uuid *account_id, int64_t now_s);

/* --- Claim ---------------------------------------------------------------------------- */

struct store_claim_account {
	struct mu_uuid account_id;
	char *platform, *name;
	enum account_state wanted;
	/* CLAIMABLE: not expired, and the account is to be enabled */
	enum store_credential_state credential;
	bool claimed_before;
};

struct store_claim_person {
	struct mu_uuid person_id;
	char *source, *dn, *uid;
	enum person_state state;
	bool blocked;
	char *identified;		/* level, "" when not identified */
	struct store_claim_account *accounts;
	size_t account_count;
};

struct store_claim_people {
	struct store_claim_person *list;
	size_t count;
};
void store_claim_people_clear(struct store_claim_people *p);

/*
 * Everyone with this login name, compared without case, whatever their state; nobody and several
 * (one in each of two sources) are both MU_OK. Takes no lock.
 */
MU_CHECKED enum mu_rc store_claim_find(struct store *s, const char *uid, int64_t now_s,
    struct store_claim_people *out_people, struct mu_err *err);

struct store_claimable {
	struct mu_uuid account_id, credential_id;
	char *platform, *name;
	struct mu_secret sealed;
	bool claimed_before;
};

struct store_claimables {
	struct store_claimable *list;
	size_t count;
};
void store_claimables_clear(struct store_claimables *c);

/*
 * What an active, unblocked person may collect now; locks those accounts until the end of the
 * transaction.
 */
MU_CHECKED enum mu_rc store_credential_claimable(struct store *s, const struct mu_uuid *person_id,
    int64_t now_s, struct store_claimables *out_claimables, struct mu_err *err);

/* Collected: the credential is gone and the account remembers. Show it only after the commit. */
void store_credential_claimed(struct store *s, const struct mu_uuid *credential_id,
    const struct mu_uuid *account_id, int64_t now_s);

#endif
