/*
 * policy/policy.h - from what a person is to what they are to have, and why
 *
 * A policy is the text of the files in policies/ (roles, identification, states, brake, gates,
 * administrators), parsed once and constant after. Deciding is pure: facts and a state in, wanted
 * accounts out, the same in a plan, in a test and in earnest. Only load.c reads files. Default deny: what
 * no role gives, nobody has.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/err.h"
#include "base/buf.h"
#include "model/action.h"
#include "model/entitlement.h"
#include "model/grant.h"
#include "model/names.h"
#include "model/person.h"

#include <stdbool.h>

struct policy;
struct config_faults;

#define POLICY_FILES_MAX	64
#define POLICY_FILES_MAX_BYTES	(1u << 20)	/* of all together, names not counted */
#define POLICY_PIECE_BYTES	32768		/* of a file in one message between processes */

struct policy_file {
	char *name;			/* "roles.yaml" */
	char *content;
};

/* May this name stand in a filter: the attribute maps of all sources, and "group". NULL: any name may,
 * for who checks a policy without knowing the sources. */
typedef bool policy_attr_fn(const void *ctx, const char *name);

/*
 * Parses all files; every fault of all of them is added to faults with file, line and column.
 * MU_EINPUT  there were faults
 */
MU_CHECKED enum mu_rc policy_parse(const struct policy_file *files, size_t file_count, policy_attr_fn *attr_known,
    const void *ctx, struct config_faults *faults, struct policy **out_policy, struct mu_err *err);
void policy_free(struct policy *p);

/*
 * Adds a fault for each platform on which a role gives something and that the configuration lacks;
 * what does not parse is policy_parse's to tell.
 */
typedef bool policy_platform_fn(const void *ctx, const char *name);
void policy_platforms_check(const struct policy_file *files, size_t file_count,
    policy_platform_fn *known, const void *ctx, struct config_faults *faults);

/* --- What the directory says of a state ------------------------------------------------------- */

struct policy_opinion {
	bool left;				/* the entry is there, the person is not */
	bool suspended;
	int64_t starts_at_s, ends_at_s;		/* 0: none */
	int64_t returns_at_s;			/* planned, of a suspension; 0: none */
	int64_t grace_s;			/* of leavers: the same for everybody */
};

/*
 * MU_EINPUT  a date is not a GeneralizedTime: the entry is at fault. out_opinion is written all the
 *            same, without dates: who has left or is suspended is so whatever else their entry says.
 */
MU_CHECKED enum mu_rc policy_opine(const struct policy *p, const struct facts *facts, struct policy_opinion *out_opinion,
    struct mu_err *err);

/* --- What a person is to have --------------------------------------------------------------------- */

enum policy_withhold {
	POLICY_GIVE_ALL,
	POLICY_NO_POWER,		/* no level above member where they have none as high */
	POLICY_NOTHING_NEW,		/* no role that they do not have */
};

struct policy_account;

struct policy_subject {
	struct facts facts;
	enum person_state state;
	bool blocked;			/* an emergency revocation stands */
	const char *identified;		/* a level recorded by an action, "" for none */
	/* facts.authority bounds roles, by birthright or by grant, and levels that the directory vouches for. */
	/* Roles of requested grants that run now and whose MACs are right; NULL: none. A role that the
	 * policy does not have (any more) gives nothing. */
	const struct strings *granted;
	/* Roles kept as if they were birthrights, whatever facts and identification say: the brake holds their
	 * loss, or their source is not configured any more; NULL: none. */
	const struct strings *kept;
	bool sourceless;		/* the latter: for policy_explain alone */
	/* What is withheld of birthrights: grants have gates of their own. */
	enum policy_withhold withhold;
	const struct strings *has;	/* roles held now; NULL: none */
	/* accounts enabled now: platform and entitlements */
	const struct policy_account *had;
	size_t had_count;
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
	/*
	 * Granted roles that work now. One does not while the person no longer matches "requestable", is
	 * not identified well enough, or holds a role that conflicts (either names the other).
	 */
	struct strings granted;
	const char *identified;		/* level reached, "" for none; borrowed from the policy */
	char *evidence;			/* reference for it, "" when an action vouches */
	/* Those that roles give, in order of platform. A grant that does not work opens none. */
	struct policy_account *accounts;
	size_t account_count;
	/* Platforms where a birthright gives a level above member in a room, and they had none as high. */
	struct strings power;
	bool withheld;			/* as the subject said, from birthrights */
};

void policy_decide(const struct policy *p, const struct policy_subject *subject, struct policy_decision *out_decision);
void policy_decision_clear(struct policy_decision *d);

/*
 * Why the person has what they have, a line for each right; then roles that wait, grants that do not work,
 * and roles whose platform no role opens. With role (else NULL): why or why not that role, with every
 * reason. Lines read
 *
 *	xmpp room ops moderator: role ops-moderator, granted
 *	xmpp group sales: role sales, birthright (department=Sales); role desk, kept by the brake
 *	role sales: no, (department=Sales) does not hold
 *	role sales: waits, identification hr-verified is needed and none is reached
 *	role sales: no, source partner may not give it
 *
 * MU_EABSENT  the policy has no such role
 */
MU_CHECKED enum mu_rc policy_explain(const struct policy *p, const struct policy_subject *subject, const char *role,
    struct mu_buf *out_lines, struct mu_err *err);

/* --- What decisions look at (mention.c): all else of a person changes nothing of what they have --- */

/* Calls back for each attribute that a rule on roles or identification asks for, perhaps repeatedly.
 * Attributes of policy_opine, and those that only serve as evidence, are not among them. */
typedef void policy_mention_fn(void *ctx, const char *attr);
void policy_each_attr(const struct policy *p, policy_mention_fn *fn, void *ctx);
/* Does any rule on people (states, roles, identification) ask for a group of this name? */
bool policy_asks_group(const struct policy *p, const char *group);

/* --- Requested grants --------------------------------------------------------------------------- */

struct policy_request {
	int64_t longest_s;		/* the grant may last */
	int64_t approvals;		/* that the role asks for, beside the gate's */
};
/*
 * May the person be granted the role, as far as they themselves go? birthrights held are reckoned anew.
 * MU_EABSENT  no such role
 * MU_EDENIED  not requestable, not for them or their source, conflicts with what is theirs, or is theirs by birthright; or
 *             they are not active, or blocked. Identification is not asked for: the grant waits for it.
 */
MU_CHECKED enum mu_rc policy_request_check(const struct policy *p, const struct policy_subject *subject,
    const char *role, struct policy_request *out_request, struct mu_err *err);

/*
 * Does the role exist, is it requestable for these facts, and may their source give it: what a grant
 * needs to be kept.
 */
bool policy_is_requestable(const struct policy *p, const char *role, const struct facts *facts);
/* Does the role exist, and can nobody have it but by a grant? */
bool policy_is_granted_only(const struct policy *p, const char *role);

bool policy_role_exists(const struct policy *p, const char *role);

/* --- Access reviews (review.c) -------------------------------------------------------------- */

struct policy_review {
	int64_t every_s;		/* since it was granted or last confirmed */
	const struct strings *by;	/* roles of administrators; borrowed from the policy */
};
/* How grants of this role are reviewed; false: they are not, they just end. */
bool policy_review_find(const struct policy *p, const char *role, struct policy_review *out_review);
/* The index-th role whose grants are reviewed, NULL past the end. */
const char *policy_review_at(const struct policy *p, size_t index,
    struct policy_review *out_review);
/* When this grant lapses unless it is confirmed before; 0: its role is not reviewed. P5-21 */
int64_t policy_review_due(const struct policy *p, const struct grant *g);
/*
 * Appends a line on a grant that a person has: "grant ops-moderator: until TIME", "grant editor: until
 * TIME, to be confirmed by TIME (by administrator, user-admin)", "grant editor: lapsed at TIME, nobody
 * confirmed it".
 */
void policy_grant_explain(const struct policy *p, const struct grant *g, int64_t now_s,
    struct mu_buf *out_lines);
/* Has it started, and neither ended nor lapsed? */
bool policy_grant_runs(const struct policy *p, const struct grant *g, int64_t now_s);

/* Is it a level of identification.yaml that an action may record? All are. */
bool policy_level_exists(const struct policy *p, const char *level);

/* --- Gates and administrators -------------------------------------------------------------------- */

struct policy_needs {
	bool code;
	int64_t approvals;		/* of others than the one who asks */
};
/* All rows that match apply, the strictest need wins, never below action_floor. An action that no such
 * row names (a "*" row names none) needs a code and two approvals. */
struct policy_needs policy_gate(const struct policy *p, enum action_kind kind, int64_t target_count);

/* Roles of administrators.yaml: default deny. */
bool policy_admin_exists(const struct policy *p, const char *admin_role);
bool policy_admin_may(const struct policy *p, const char *admin_role, const char *permission);
/* Are these facts within the role's scope? A role without "scope" reaches everyone. */
bool policy_admin_reaches(const struct policy *p, const char *admin_role, const struct facts *facts);
/* Has the role a scope? Then what is about everybody is not for it. */
bool policy_admin_is_scoped(const struct policy *p, const char *admin_role);
/* The first of these roles of roles.yaml that whoever administers so may not hold; NULL: none. */
const char *policy_admin_conflict(const struct policy *p, const char *admin_role,
    const struct strings *held);
/* The same of all that a person holds, waits for, or was granted. */
const char *policy_admin_conflict_of(const struct policy *p, const char *admin_role,
    const struct policy_subject *subject);
/*
 * P5-11: has each permission of the role at least one of those who agree, by their roles? Appends
 * those that none of them has, separated by ", ".
 */
bool policy_admin_covers(const struct policy *p, const struct strings *by, const char *admin_role,
    struct mu_buf *out_missing);
/* Appends the names of the roles, separated by ", ", for errors. */
void policy_admin_names(const struct policy *p, struct mu_buf *b);

/* --- Cases: facts in, expected grants and refusals out (cases.c) ---------------------------------- */

/*
 * Runs the cases of one file of cases/ against the policy. Faults of the file itself go to faults; a line
 * for each case goes to out: "ok NAME" or "not ok NAME: expected ..., have ...; expected ...".
 *
 *	- name: an operator who was identified in person moderates the room     # unique in the file
 *	  person: {employeeType: staff, department: Operations, mail: [a@example.org, b@example.org]}
 *	  groups: [duty-managers]
 *	  source: partner              # for filters on the source: none unless said
 *	  authority: {roles: [staff-chat], levels: [hr-verified]}   # all that it may give, as in musterd.yaml
 *	  state: active                # unless said, what states.yaml makes of the person at now_s
 *	  blocked: true                # an emergency revocation stands
 *	  identified: in-person        # by an action
 *	  granted: [ops-moderator]     # grants that run
 *	  expect:
 *	    roles: [operations, staff-chat]            # birthrights held: these and no others
 *	    accounts: {xmpp: enabled}                  # or disabled, absent; none on other platforms
 *	    waiting: []                                # birthrights that wait: none unless said
 *	    granted: [ops-moderator]                   # grants that work: none unless said
 *	    rights: {xmpp: ["group all-staff", "room ops moderator"]}   # there, these and no others
 *	    identified: in-person                      # level reached, or none
 *	    state: active
 *	    refused: [finance]                         # held neither by birthright nor by grant
 *
 * name, person, expect, roles and accounts must be there; rights, identified, state and refused are not
 * looked at unless said. Roles, levels and platforms that the policy does not have are faults.
 *
 * MU_EINPUT  the file has faults: no case was run
 */
struct policy_cases_result { size_t passed, failed; };
MU_CHECKED enum mu_rc policy_cases_run(const struct policy *p, const struct policy_file *cases, int64_t now_s,
    struct config_faults *faults, struct mu_buf *out, struct policy_cases_result *out_result, struct mu_err *err);

/* --- Brake ------------------------------------------------------------------------------------------ */

#define POLICY_BRAKE_WITHIN_MAX_S	86400	/* no window is longer: what is older counts nowhere */

/* A row of brake.yaml, or a built-in one: within any within_s, no more than its limit pass. */
struct policy_brake {
	enum brake_scope scope;		/* each source, each platform, or all of them together */
	enum brake_kind kind;
	int64_t at_least, per_10000, within_s;
};

/*
 * Every row counts, in the order of the files; borrowed. Those of removals per source that are built in are
 * always among them: max(5, 2 %) within 1 h and max(5, 10 %) within 24 h. A file can only add to them.
 */
const struct policy_brake *policy_brakes(const struct policy *p, size_t *out_count);

/* What passes: max(at_least, the share of that many people). */
int64_t policy_brake_limit(const struct policy_brake *row, int64_t people_count);

/* More removals than this of a source of that many people pass together in no case. */
int64_t policy_removals_limit(const struct policy *p, int64_t people_count);

/* Do these facts say that HR has confirmed the leaving (brake.yaml, "confirmed")? */
bool policy_is_confirmed(const struct policy *p, const struct facts *facts);

/* --- Files (load.c): MU_ECONFIG when the folder cannot be read --------------------------------------- */

struct policy_folder {
	struct policy_file *files;	/* the *.yaml of the folder, by name; all strings owned */
	size_t file_count;
};
MU_CHECKED enum mu_rc policy_folder_read(const char *path, struct policy_folder *out_folder, struct mu_err *err);
/* The same of the folder "cases" in it, named "cases/x.yaml"; where there is no such folder, no files. They
 * are for policy_cases_run and no part of what is in force. */
MU_CHECKED enum mu_rc policy_cases_read(const char *path, struct policy_folder *out_folder, struct mu_err *err);
void policy_folder_clear(struct policy_folder *f);

#endif
