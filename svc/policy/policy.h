/*
 * policy/policy.h - from what a person is to what they are to have, and why
 *
 * A policy is the text of the files in policies/ (roles, identification, states, brake, gates), parsed
 * once and constant after. Deciding is pure: facts and a state in, wanted accounts out, the same in a
 * plan, in a test and in earnest. Only load.c reads files. Default deny: what no role gives, nobody has.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/err.h"
#include "model/entitlement.h"
#include "model/names.h"
#include "model/person.h"

#include <stdbool.h>

struct policy;
struct config_faults;

#define POLICY_FILE_MAX_BYTES 65000	/* one file: it travels in one message between processes */

struct policy_file {
	char *name;			/* "roles.yaml" */
	char *content;
};

/* May this name stand in a filter: the attribute maps of all sources, and "group". */
typedef bool policy_attr_fn(const void *ctx, const char *name);

/*
 * Parses all files; every fault of all of them is added to faults with file, line and column.
 * MU_EINPUT  there were faults
 */
MU_CHECKED enum mu_rc policy_parse(const struct policy_file *files, size_t file_count, policy_attr_fn *attr_known,
    const void *ctx, struct config_faults *faults, struct policy **out_policy, struct mu_err *err);
void policy_free(struct policy *p);

/* --- What the directory says of a state ------------------------------------------------------- */

struct policy_opinion {
	bool suspended;
	int64_t starts_at_s, ends_at_s;		/* 0: none */
};

/* MU_EINPUT  a date is not a GeneralizedTime: the entry is at fault */
MU_CHECKED enum mu_rc policy_opine(const struct policy *p, const struct facts *facts, struct policy_opinion *out_opinion,
    struct mu_err *err);

/* --- What a person is to have --------------------------------------------------------------------- */

struct policy_subject {
	struct facts facts;
	enum person_state state;
	bool blocked;			/* an emergency revocation stands */
	const char *identified;		/* a level recorded by an action, "" for none */
};

struct policy_account {
	char *platform;
	enum account_state state;	/* disabled: exists, but nobody gets in */
	struct strings roles;
	struct entitlements entitlements;
};

struct policy_decision {
	struct strings roles;		/* birthrights held now */
	struct strings waiting;		/* birthrights that wait for a better identification */
	const char *identified;		/* level reached, "" for none; borrowed from the policy */
	char *evidence;			/* reference for it, "" when an action vouches */
	struct policy_account *accounts;	/* those that roles give, in order of platform */
	size_t account_count;
};

void policy_decide(const struct policy *p, const struct policy_subject *subject, struct policy_decision *out_decision);
void policy_decision_clear(struct policy_decision *d);

/* --- Brake ------------------------------------------------------------------------------------------ */

/* How many removals may happen to a source of that many people, and in which window. */
int64_t policy_removals_limit(const struct policy *p, int64_t people_count);
int64_t policy_removals_within_s(const struct policy *p);

/* --- Files (load.c): MU_ECONFIG when the folder cannot be read --------------------------------------- */

struct policy_folder {
	struct policy_file *files;	/* the *.yaml of the folder, by name; all strings owned */
	size_t file_count;
};
MU_CHECKED enum mu_rc policy_folder_read(const char *path, struct policy_folder *out_folder, struct mu_err *err);
void policy_folder_clear(struct policy_folder *f);

#endif
