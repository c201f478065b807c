/*
 * policy/policy_priv.h - a parsed policy, inside the room
 */
#ifndef POLICY_POLICY_PRIV_H
#define POLICY_POLICY_PRIV_H

#include "config/yaml.h"
#include "filter/filter.h"
#include "policy/policy.h"

#define POLICY_LEVEL_NONE	((size_t)-1)
#define POLICY_ANY_ACTION	"*"
#define POLICY_NAME_MAX_BYTES	64
#define POLICY_LIST_MAX		1000

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
	int64_t review_every_s;		/* 0: not reviewed */
	struct strings review_by;	/* roles of administrators */
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

struct policy_admin {
	char *name;
	struct strings may;		/* permissions */
	struct filter *scope;		/* NULL: everyone */
	struct strings conflicts;	/* with roles of roles.yaml */
};

struct policy {
	struct policy_role *roles;
	size_t role_count;
	struct policy_level *levels;	/* weakest first */
	size_t level_count;
	struct filter *left, *suspended;	/* NULL: nobody */
	char *starts, *ends, *returns;	/* attributes, "" */
	int64_t grace_s;
	struct policy_brake *brakes;	/* the built-in ones first */
	size_t brake_count;
	struct filter *confirmed;	/* NULL: nobody's leaving */
	struct policy_gate *gates;
	size_t gate_count;
	struct policy_admin *admins;
	size_t admin_count;
};

/* NULL, POLICY_LEVEL_NONE: there is none. */
const struct policy_role *policy_role_find(const struct policy *p, const char *name);
size_t policy_level_find(const struct policy *p, const char *name);

/* --- What a decision is made of (decide.c); explain.c says the same in words ------------------ */

/* The best level that the directory or a recorded action vouches for. */
size_t policy_level_reached(const struct policy *p, const struct policy_subject *s, bool *out_by_directory);
bool policy_level_suffices(size_t have, size_t need);
bool policy_matches(const struct filter *f, const struct facts *facts);	/* f NULL: no */
/* May the person's source give them that role? */
bool policy_source_gives(const struct policy_role *r, const struct facts *facts);
/* The name of a role in held that excludes r or is excluded by it, NULL if none does. */
const char *policy_conflict_find(const struct policy *p, const struct policy_role *r,
    const struct strings *held);

/* False when there is none, or it is at fault. */
typedef bool policy_filter_fn(void *ctx, const struct config_node *n, struct filter **out_filter);

/* brake.yaml (brake.c): before any file, what is built in; then what the file adds. */
void policy_brakes_build(struct policy *p);
void policy_brakes_read(struct policy *p, struct config_faults *f, const struct config_node *n,
    policy_filter_fn *filter_read, void *ctx);

/* --- Readers that parse.c and cases.c share ----------------------------------------------------- */

/* Faults wrong keys; false only if n is no map, so that all else in it is read and faulted as well. */
bool policy_map_read(struct config_faults *f, const struct config_node *n, const struct config_field *fields);
/* A name as roles and levels have it; fresh, NULL (and a fault) when it is none. */
char *policy_name_read(struct config_faults *f, const struct config_node *n);
void policy_names_read(struct config_faults *f, const struct config_node *n, struct strings *out);

#endif
