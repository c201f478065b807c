/*
 * store/action.h - actions from their proposal to their end, and who approved them (STORE_ACTION)
 *
 * The key is the digest of the canonical document (action/document.h). Writes inside a transaction.
 */
#ifndef STORE_ACTION_H
#define STORE_ACTION_H

#include "model/account.h"
#include "model/action.h"
#include "store/store.h"

#define ACTION_DIGEST_BYTES 32

enum action_state {
	ACTION_PREPARED,	/* previewed; its code has not come */
	ACTION_PENDING,		/* the asker's code has come; waits for others */
	ACTION_EXECUTED,
	ACTION_DENIED,
	ACTION_LAPSED,
};
const char *action_state_name(enum action_state state);		/* "prepared", ... */
bool action_state_parse(const char *name, enum action_state *out_state);

struct store_action {
	unsigned char digest[ACTION_DIGEST_BYTES];
	enum action_kind kind;
	char *document;			/* canonical JSON, the bytes that were hashed */
	struct mu_uuid requester;
	int64_t requested_at_s, lapses_at_s;
	enum action_state state;
	int64_t target_count;
	int64_t approvals_needed;	/* as last reckoned */
	int64_t ended_at_s;		/* 0: not ended */
	char *result;			/* canonical JSON object, "" until it ended; never a secret */
	unsigned char mac[MAC_BYTES];	/* over digest, kind, requester, requested_at, lapses_at */
};
void store_action_clear(struct store_action *a);

struct store_actions {
	struct store_action *list;
	size_t count;
};
void store_actions_clear(struct store_actions *l);

void store_action_insert(struct store *s, const struct store_action *a);
/* state, approvals_needed, ended_at_s, result */
void store_action_moved(struct store *s, const struct store_action *a);
/* lock: until the end of the transaction. MU_EABSENT. */
MU_CHECKED enum mu_rc store_action_get(struct store *s, const unsigned char digest[ACTION_DIGEST_BYTES],
    bool lock, struct store_action *out_action, struct mu_err *err);
/* PENDING ones that have not lapsed, oldest first. */
MU_CHECKED enum mu_rc store_action_pending(struct store *s, int64_t now_s,
    struct store_actions *out_actions, struct mu_err *err);
/*
 * Ends what lapsed: PREPARED rows go, PENDING ones become LAPSED; out_actions are the latter, for
 * their audit records.
 */
MU_CHECKED enum mu_rc store_action_lapse(struct store *s, int64_t now_s,
    struct store_actions *out_actions, struct mu_err *err);

struct store_approval {
	unsigned char digest[ACTION_DIGEST_BYTES];
	struct mu_uuid person_id;
	bool approved;			/* false: denied */
	char *reason;
	int64_t made_at_s;
	unsigned char mac[MAC_BYTES];
};
struct store_approvals {
	struct store_approval *list;
	size_t count;
};
void store_approvals_clear(struct store_approvals *l);

/* One a person, which stays: MU_ECONFLICT at commit when there is one. */
void store_approval_write(struct store *s, const struct store_approval *a);
MU_CHECKED enum mu_rc store_approval_list(struct store *s,
    const unsigned char digest[ACTION_DIGEST_BYTES], struct store_approvals *out_approvals,
    struct mu_err *err);

#endif
