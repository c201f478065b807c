/*
 * cycle/cycle.h - from a change in the directory to what every platform is to have
 *
 * Read cycle.c top to bottom: a slice of the directory comes in, is decided, passes the brake, and is
 * written with its audit records and its cookie in one transaction. One struct cycle is one source.
 */
#ifndef CYCLE_CYCLE_H
#define CYCLE_CYCLE_H

#include "base/loop.h"
#include "cycle/decide.h"
#include "directory/directory.h"

struct cycle;

/* Asks keys for one MAC of each of count byte strings. */
typedef enum mu_rc cycle_mac_fn(void *ctx, const struct mu_buf *bytes, size_t count, unsigned char (*out_macs)[MAC_BYTES],
    struct mu_err *err);

/* What a cycle is given for its whole life; all borrowed. */
struct cycle_host {
	struct mu_loop *loop;
	struct store *store;
	const struct directory_source *source;
	const char *uid_name;		/* the mapped attribute people log in by */
	struct cycle_rules rules;
	const char *holder;		/* names this process in the lease */
	bool has_clock;			/* the first cycle also runs the clock of everyone */
	cycle_mac_fn *mac;
	void *mac_ctx;
};

/* Starts to follow the source; whatever is away (store, keys, directory) is waited for. */
struct cycle *cycle_open(const struct cycle_host *host);
void cycle_close(struct cycle *c);

/* --- The policy in force (inforce.c): the newest version in the store -------------------------------- */

/*
 * Reads, verifies and parses it. An empty store is seeded with these files first; none (file_count 0):
 * it is not. mac NULL: the caller has no channel to keys and only looks, so it is not verified.
 *
 * MU_EABSENT  the store has none, and nothing to seed it with was given
 * MU_EBROKEN  its MAC is not one of keys': somebody wrote it past muster
 * MU_ECONFIG  it has faults
 */
MU_CHECKED enum mu_rc cycle_policy_in_force(struct store *s, const struct policy_file *seed, size_t seed_count,
    cycle_mac_fn *mac, void *mac_ctx, policy_attr_fn *attr_known, const void *attr_ctx, struct policy **out_policy,
    struct mu_err *err);

/*
 * What deciding everyone anew would change now: a line each on out, "PERSON gains ROLE..., loses ROLE...",
 * and a last line with the counts. Reads alone.
 */
MU_CHECKED enum mu_rc cycle_plan(struct store *s, const struct cycle_rules *rules, int64_t now_s, struct mu_buf *out,
    struct mu_err *err);

#endif
