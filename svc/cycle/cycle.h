/*
 * cycle/cycle.h - from a change in the directory to what every platform is to have
 *
 * Read cycle.c top to bottom: a slice of the directory comes in, is decided, passes the brake, and
 * is written with its audit records and its cookie in one transaction. One struct cycle is one
 * source.
 */
#ifndef CYCLE_CYCLE_H
#define CYCLE_CYCLE_H

#include "base/loop.h"
#include "cycle/decide.h"
#include "directory/directory.h"
#include "store/hint.h"

struct cycle;

/* Asks keys for one MAC of each of count byte strings. */
typedef enum mu_rc cycle_mac_fn(void *ctx, const struct mu_buf *bytes, size_t count,
    unsigned char (*out_macs)[MAC_BYTES], struct mu_err *err);

/* Has keys check each MAC; out_right has count elements. */
typedef enum mu_rc cycle_mac_check_fn(void *ctx, const struct mu_buf *bytes,
    const unsigned char (*macs)[MAC_BYTES], size_t count, bool *out_right, struct mu_err *err);

/* What a cycle is given for its whole life; all borrowed. */
struct cycle_host {
	struct mu_loop *loop;
	struct store *store;
	const struct directory_source *source;
	const char *uid_name;		/* the mapped attribute people log in by */
	/* at the start; newer policies are read as they come into force */
	struct cycle_rules rules;
	policy_attr_fn *attr_known;	/* for those */
	const void *attr_ctx;
	const char *holder;		/* names this process in the lease */
	bool is_first;			/* of all sources: decides everyone by a new policy */
	struct store_hint *hint;	/* NULL: it polls alone */
	cycle_mac_fn *mac;
	cycle_mac_check_fn *mac_check;
	void *mac_ctx;
};

/* Starts to follow the source; whatever is away (store, keys, directory) is waited for. */
struct cycle *cycle_open(const struct cycle_host *host);
void cycle_close(struct cycle *c);

/* --- The policy in force (inforce.c): the newest version in the store ----------------------- */

/*
 * Reads, verifies and parses it, in a transaction of its own. An empty store is seeded with these
 * files first, for which alone mac is asked; none (seed_count 0): it is not. mac_check NULL: the caller
 * has no channel to keys and only looks, so it is not verified. out_version may be NULL.
 *
 * MU_EABSENT  the store has none, and nothing to seed it with was given
 * MU_EBROKEN  its MAC is not one of keys': somebody wrote it past muster
 * MU_ECONFIG  it has faults
 */
MU_CHECKED enum mu_rc cycle_policy_in_force(struct store *s, const struct policy_file *seed,
    size_t seed_count, cycle_mac_fn *mac, cycle_mac_check_fn *mac_check, void *mac_ctx,
    policy_attr_fn *attr_known, const void *attr_ctx, struct policy **out_policy,
    int64_t *out_version, struct mu_err *err);

/*
 * The same in the open transaction, never seeding: for whoever keeps a parsed one and has seen that
 * store_policy_version is another.
 */
MU_CHECKED enum mu_rc cycle_policy_current(struct store *s, cycle_mac_check_fn *mac_check,
    void *mac_ctx, policy_attr_fn *attr_known, const void *attr_ctx, struct policy **out_policy,
    int64_t *out_version, struct mu_err *err);

/* --- Deciding people anew because an action changed their facts (again.c) ------------------- */

/* What an action's decision changed for one person. */
struct cycle_effect {
	struct mu_uuid person_id;
	char *uid, *display_name;
	enum person_state from, to;
	struct strings gained, lost;		/* roles, granted ones included */
	/* "xmpp: enabled -> disabled", "xmpp: gains room ops moderator", "... loses ..." */
	struct strings accounts;
	/* an account that could not be wanted, and why; NULL: none */
	char *refused;
};
struct cycle_effects {
	struct cycle_effect *list;
	size_t count;
};
void cycle_effects_clear(struct cycle_effects *e);

struct cycle_again_host {
	struct store *store;		/* PERSON, ACCOUNT, SOURCE, POLICY, AUDIT, GRANT */
	const struct cycle_rules *rules;
	cycle_mac_fn *mac;
	cycle_mac_check_fn *mac_check;
	void *mac_ctx;
	bool silent;			/* to be rolled back: nothing of it is news for the log */
};

/*
 * Locks these people, decides on their rows as they stand in the open transaction, and writes what
 * differs with its audit records. No brake: an action has passed its gates. Revocations are urgent.
 * Grants and identifications whose MAC is wrong count for nothing and are recorded
 * (AUDIT_ROW_TAMPERED). Everyone of the list has an effect, also who does not change. Whose removal
 * the brake holds keeps what it holds. A preview is this and a rollback.
 *
 * MU_EABSENT  there is no such person
 * MU_ERETRY   keys are away, or another policy than rules->version is in force: commit nothing
 */
MU_CHECKED enum mu_rc cycle_again(const struct cycle_again_host *host,
    const struct mu_uuid *person_ids, size_t count, int64_t now_ms,
    struct cycle_effects *out_effects, struct mu_err *err);

/* --- Writing a policy (inforce.c): apply ---------------------------------------------------- */

/*
 * Makes these files the version after base, in the open transaction: parsed, MACed, written,
 * audited.
 * MU_EINPUT     the files have faults, all of them in faults
 * MU_ECONFLICT  the version in force is not base any more: plan again
 */
MU_CHECKED enum mu_rc cycle_policy_apply(struct store *s, const struct policy_file *files,
    size_t file_count, int64_t base, const char *applied_by, cycle_mac_fn *mac, void *mac_ctx,
    policy_attr_fn *attr_known, const void *attr_ctx, struct config_faults *faults,
    int64_t *out_version, struct mu_err *err);

#endif
