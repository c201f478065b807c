/*
 * store/look.h - what administrators look at: people, accounts, receipts, audit records (STORE_LOOK)
 *
 * Reads alone, in pages by key. Nothing is locked.
 */
#ifndef STORE_LOOK_H
#define STORE_LOOK_H

#include "base/buf.h"
#include "store/person.h"
#include "store/queue.h"
#include "store/store.h"

/*
 * person_ids of who is meant by text: a person_id, else a login name, else a mail address or display
 * name, each compared whole and without case; the first kind that fits anybody decides. Erased people
 * are found by person_id alone. At most max; nobody is MU_OK with 0. mail: the mapped name of mail
 * addresses ("mail"), "" for none.
 */
MU_CHECKED enum mu_rc store_look_who(struct store *s, const char *text, const char *mail,
    struct mu_uuid *out_ids, size_t max, size_t *out_count, struct mu_err *err);

/*
 * The same for many texts, in the time of one or two: each has max places in out_ids and one in
 * out_counts. An address that holds a ':' is not found.
 */
MU_CHECKED enum mu_rc store_look_who_many(struct store *s, const char *const *texts,
    size_t text_count, const char *mail, struct mu_uuid *out_ids, size_t max, size_t *out_counts,
    struct mu_err *err);

/* A page of person_ids behind after (all zeros first), of one state or of all (state NULL). */
MU_CHECKED enum mu_rc store_look_people(struct store *s, const enum person_state *state,
    const struct mu_uuid *after, struct mu_uuid *out_ids, size_t max, size_t *out_count,
    struct mu_err *err);

/* An account with how far it has come. */
struct store_look_account {
	struct account_want want;
	int64_t settled_version, debt_since_s, next_attempt_s, attempts, observed_at_s, claimed_at_s;
	bool parked, urgent;
	enum account_state observed;
	enum store_credential_state credential;
	char *last_outcome, *last_text, *uid, *display_name;
};
struct store_look_accounts {
	struct store_look_account *list;
	size_t count;
};
void store_look_accounts_clear(struct store_look_accounts *l);

/* person_id or platform may be NULL: not asked for. only_unsettled: version above settled_version. */
MU_CHECKED enum mu_rc store_look_accounts(struct store *s, const struct mu_uuid *person_id,
    const char *platform, bool only_unsettled, const struct mu_uuid *after, size_t max,
    struct store_look_accounts *out_accounts, struct mu_err *err);

struct store_look_receipt {
	struct mu_uuid receipt_id, account_id, person_id;
	char *platform, *name, *step, *outcome, *text, *signature;	/* name: of the account */
	int64_t version, sessions_ended, sessions_left, made_at_ms;
};
struct store_look_receipts {
	struct store_look_receipt *list;
	size_t count;
};
void store_look_receipts_clear(struct store_look_receipts *l);

/*
 * Receipts of these people's accounts made at or after since_s and with a receipt_id above after, in
 * order of receipt_id; and how many of their accounts are not settled.
 */
MU_CHECKED enum mu_rc store_look_receipts(struct store *s, const struct mu_uuid *person_ids,
    size_t count, int64_t since_s, const struct mu_uuid *after, size_t max,
    struct store_look_receipts *out_receipts, int64_t *out_unsettled, struct mu_err *err);

/* Audit records, newest first; each filter NULL or 0: not asked for. before: record_id, zeros: newest. */
struct store_look_audit {
	const char *kind;			/* "person.left", or a prefix that ends in '.': "person." */
	const struct mu_uuid *person_id;	/* named as "person" or as "actor" in the record */
	int64_t since_s, until_s;
	struct mu_uuid before;
};
typedef void store_look_record_fn(void *ctx, const struct mu_uuid *record_id, const char *body,
    int64_t leaf_index);	/* body: canonical JSON; leaf_index -1: not numbered yet */
#define STORE_LOOK_RECORDS	5000	/* that one call goes through, whatever it finds */
/*
 * At most max of them, of the next STORE_LOOK_RECORDS there are. out_next: the before of the next
 * call, zeros when nothing is behind.
 */
MU_CHECKED enum mu_rc store_look_audit(struct store *s, const struct store_look_audit *ask,
    size_t max, store_look_record_fn *each, void *ctx, struct mu_uuid *out_next, struct mu_err *err);

/* Requested grants as reviews see them, soonest due first. */
#define STORE_LOOK_NEVER_S	253402300799	/* due_at_s of a grant whose role is not reviewed */
#define STORE_LOOK_NEVER_TEXT	"253402300799"
struct store_look_reviews {
	/* the roles that are reviewed, and every how many seconds */
	const char *const *roles, *const *every;
	size_t role_count;
	/* else those alone that are due before they end, and by due_by_s */
	bool all;
	int64_t due_by_s;
	/* the last one of the page before; zeros first */
	int64_t after_due_s;
	struct mu_uuid after;
};
struct store_look_review {
	struct mu_uuid grant_id, person_id;
	int64_t due_at_s;
};
MU_CHECKED enum mu_rc store_look_reviews(struct store *s, const struct store_look_reviews *ask,
    struct store_look_review *out_list, size_t max, size_t *out_count, struct mu_err *err);

/* Who is quarantined. */
typedef void store_look_quarantine_fn(void *ctx, const char *source, const char *entry,
    const char *reason, int64_t since_s);
MU_CHECKED enum mu_rc store_look_quarantine(struct store *s, store_look_quarantine_fn *each, void *ctx,
    struct mu_err *err);

#endif
