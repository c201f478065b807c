/*
 * policy/policy_priv.h - a parsed policy, inside the room
 */
#ifndef POLICY_POLICY_PRIV_H
#define POLICY_POLICY_PRIV_H

#include "filter/filter.h"
#include "policy/policy.h"

#define POLICY_LEVEL_NONE ((size_t)-1)

struct policy_give {
	char *platform;
	bool account;
	struct strings groups, rooms;
	char *level;			/* in the rooms: "member" unless given */
};

struct policy_role {
	char *name;
	struct policy_give *gives;
	size_t give_count;
	struct filter *birthright, *requestable;	/* NULL: not so */
	int64_t longest_s, approvals;	/* of a requested grant */
	size_t level;			/* index of the identification needed, POLICY_LEVEL_NONE: none */
	struct strings conflicts;
};

struct policy_level {
	char *name;
	struct filter *when;		/* NULL: only by an identify action */
	char *evidence;			/* attribute, "" */
};

struct policy_gate {
	struct strings actions;
	bool code;
	int64_t approvals, targets_over;	/* targets_over: -1 when it always applies */
};

struct policy_brake {
	int64_t removals_at_least, removals_per_10000, removals_within_s;
};

struct policy {
	struct policy_role *roles;
	size_t role_count;
	struct policy_level *levels;	/* weakest first */
	size_t level_count;
	struct filter *suspended;	/* NULL: nobody */
	char *starts, *ends;		/* attributes, "" */
	struct policy_brake brake;
	struct policy_gate *gates;
	size_t gate_count;
};

#endif
