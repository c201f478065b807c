/*
 * store/scan.h - everyone there is, with all that a decision looks at, as one stream
 *
 * For what is computed about everybody (plans): people in order of person_id, each with accounts,
 * groups, grants, identification and hold of the brake, read by one COPY per kind of row, each on a
 * connection of its own, all from one snapshot that is read only. A scan holds one person at a
 * time, however many there are. It needs the role muster_work, or more.
 */
#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include "store/person.h"

struct store_scan;

/* Texts lie in the scan's own memory, until the next person. */
struct store_scan_account {
	char *platform, *name, *state, *roles, *entitlements;
};

enum store_scan_hold { SCAN_FREE, SCAN_HELD, SCAN_RELEASED };

/* One person as the rows have it; texts in the canonical forms of model/. */
struct store_scan_person {
	struct mu_uuid person_id;
	char *source, *dn, *uid, *state, *attrs, *roles, *identified, *evidence;
	int64_t version, state_since_s, starts_at_s, ends_at_s, due_at_s, resume_at_s;
	bool blocked, suspended;
	unsigned char content_hash[CONTENT_HASH_BYTES];
	struct store_scan_account *accounts;	/* in order of platform */
	size_t account_count;
	char **groups;				/* names, of those groups that matter, in order */
	size_t group_count;
	struct grant *grants;			/* in order of role; MACs unchecked */
	size_t grant_count;
	struct identification vouched;		/* level NULL: nobody has vouched */
	enum store_scan_hold holds[BRAKE_KIND_COUNT];
	bool is_held;				/* one of these is not SCAN_FREE */
};

/* Is a group of this name of interest? Of the others nobody's membership is read. */
typedef bool store_scan_group_fn(const void *ctx, const char *name);

/*
 * Opens the snapshot and begins to read. *out_version is the version of the policy in force in it.
 * MU_ERETRY, MU_ECONFIG as store/store.h says
 */
MU_CHECKED enum mu_rc store_scan_open(const char *conninfo, store_scan_group_fn *matters,
    const void *ctx, struct store_scan **out_scan, int64_t *out_version, struct mu_err *err);
void store_scan_close(struct store_scan *s);		/* NULL is fine */

/* The next person, borrowed until the next call; NULL after the last. */
MU_CHECKED enum mu_rc store_scan_next(struct store_scan *s,
    const struct store_scan_person **out_person, struct mu_err *err);

/* The same as store_person_read_ids would give them, but for what no decision looks at: entry_uuid,
 * of accounts ids, subject and MAC, of grants who gave and reviewed them. MU_EBROKEN: not what musterd writes. */
MU_CHECKED enum mu_rc store_scan_person_copy(const struct store_scan_person *from,
    struct store_person *out_person, struct mu_err *err);

/* An account's name on a platform. */
struct store_scan_name {
	const char *platform, *name;
	bool held;
};
/* Sets held of each that an account in the snapshot has. */
MU_CHECKED enum mu_rc store_scan_names_look(struct store_scan *s, struct store_scan_name *names,
    size_t count, struct mu_err *err);

#endif
