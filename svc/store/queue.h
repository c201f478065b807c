/*
 * store/queue.h - accounts that are not as wanted: taken, worked on, settled (STORE_QUEUE)
 *
 * Level, not edge: an account is unsettled while its version is above settled_version. A worker
 * takes it under a lease, compares, repairs, and settles the version it worked on; if the wanted
 * part moved meanwhile the account is due again at once. Every call belongs inside a transaction;
 * the records of work need the lease: MU_ECONFLICT at commit when it expired and another took it.
 */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "base/secret.h"
#include "model/account.h"
#include "model/step.h"
#include "store/store.h"

#define STORE_CHANNEL_ACCOUNTS "muster_accounts"	/* hint: an account became due */

enum store_credential_state {
	/* never made, expired, or taken back when the account was disabled */
	CREDENTIAL_NONE,
	CREDENTIAL_SEALED,	/* made, not yet on the platform */
	CREDENTIAL_CLAIMABLE,	/* on the platform, waits for its person */
	CREDENTIAL_CLAIMED,	/* collected, and no newer one made */
};
const char *store_credential_state_name(enum store_credential_state state);

struct store_work {
	struct account_want want;
	unsigned char mac[MAC_BYTES];
	int64_t settled_version;
	int64_t attempts;		/* without settling, since the wanted part last moved */
	bool urgent;
	bool create_begun;		/* a create may have reached the platform */
	/* the account there is ours, not one that was there before */
	bool owned;
	/* as last written by store_queue_settle; absent before that */
	struct observed seen;
	int64_t seen_at_s;		/* 0: never */
	enum store_credential_state credential;
	struct mu_uuid credential_id;	/* SEALED and CLAIMABLE */
	struct mu_secret sealed;	/* SEALED and CLAIMABLE */
	char *display_name;		/* "" when not known */
};
void store_work_clear(struct store_work *w);

struct store_works {
	struct store_work *list;
	size_t count;
};
void store_works_clear(struct store_works *w);

/*
 * Takes at most max due accounts of the platform for holder, until now_s + lease_s: urgent ones
 * first, then those that are due longest. What holder has taken before and not ended is given
 * again: a worker that was killed does not wait for its own lease. Rows another worker is taking
 * are passed over.
 */
MU_CHECKED enum mu_rc store_queue_take(struct store *s, const char *platform, const char *holder,
    int64_t now_s, int64_t lease_s, size_t max, struct store_works *out_works, struct mu_err *err);

/*
 * When the next account of the platform is due, at or before now_s when one is already; 0 for
 * none.
 */
MU_CHECKED enum mu_rc store_queue_next_due(struct store *s, const char *platform, int64_t *out_at_s,
    struct mu_err *err);

/* The records of work. Commit create_begun on its own before the create is sent. */
void store_queue_create_begun(struct store *s, const struct store_work *w, const char *holder,
    int64_t now_s);
/* The name had been taken by somebody else in between: there is no account of ours. */
void store_queue_create_undone(struct store *s, const struct store_work *w, const char *holder);
void store_queue_owned(struct store *s, const struct store_work *w, const char *holder);

/*
 * Remembers all that the account may hold from now on, what it held before included, as seen.rights
 * of the next take: so a right that was given just before a crash is found, and taken, after it.
 * Commit on its own before the first of them is given. The state seen is left as it is.
 */
void store_queue_giving(struct store *s, const struct store_work *w, const char *holder,
    const struct entitlements *rights);

/*
 * The platform is as w->want says: remembers what was seen, ends the lease, and clears urgency and
 * debt unless the wanted part moved meanwhile. Where no account is left, none of ours is either.
 */
void store_queue_settle(struct store *s, const struct store_work *w, const char *holder,
    const struct observed *seen, int64_t now_s);

/* Not settled: again at next_attempt_s. outcome: adapter_outcome_name(); text for people. */
void store_queue_retry(struct store *s, const struct store_work *w, const char *holder,
    int64_t next_attempt_s, const char *outcome, const char *text);

/*
 * Not settled and pointless to repeat: stays an aging debt until the wanted part moves or
 * store_queue_unpark.
 */
void store_queue_park(struct store *s, const struct store_work *w, const char *holder,
    const char *outcome, const char *text);

/* Everything parked on the platform is due again: its administrators mended something. */
void store_queue_unpark(struct store *s, const char *platform, int64_t now_s);

/* Gives back what was not worked on, as if never taken. */
void store_queue_release(struct store *s, const struct store_work *w, const char *holder);

/* A platform's answer to one step, as it stands in the leaver's document. */
struct store_receipt {
	struct mu_uuid receipt_id, account_id;
	int64_t version;		/* of the wanted part that was worked on */
	enum step_kind step;
	/* adapter_outcome_name(); borrowed like text and signature */
	const char *outcome;
	const char *text;
	int64_t sessions_ended, sessions_left;
	int64_t made_at_ms;
	const void *signature;
	size_t signature_bytes;
};
void store_receipt_write(struct store *s, const struct store_receipt *r);

struct store_queue_counts {
	int64_t accounts, unsettled, parked;
	/* since when something that was taken away is not confirmed, 0: nothing */
	int64_t oldest_debt_s;
};
MU_CHECKED enum mu_rc store_queue_counts(struct store *s, const char *platform,
    struct store_queue_counts *out_counts, struct mu_err *err);

#endif
