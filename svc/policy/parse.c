#include "policy/policy.h"
#include "policy/policy_priv.h"

#include "base/clock.h"
#include "base/text.h"
#include "config/yaml.h"

#include <string.h>

#define REVIEW_SHORTEST_S 10
#define GRANT_LONGEST_S	(365 * (int64_t)MU_DAY_S)
#define GRACE_S		(30 * (int64_t)MU_DAY_S)	/* where states.yaml does not say */
#define GRACE_LONGEST_S	(3650 * (int64_t)MU_DAY_S)

/* What the readers below share. */
struct reading {
	struct policy *policy;
	struct config_faults *faults;
	policy_attr_fn *attr_known;
	const void *ctx;
};

static bool
attr_allowed(const struct reading *r, const char *name)
{
	return r->attr_known == NULL || r->attr_known(r->ctx, name);
}

static bool
filter_attr_known(void *reading, const char *name)
{
	return attr_allowed(reading, name);
}

static bool
filter_read(struct reading *r, const struct config_node *n, struct filter **out)
{
	const char *text;
	struct mu_err err = MU_ERR_INIT;

	if (n == NULL || !config_read_text(r->faults, n, FILTER_MAX_BYTES, &text))
		return false;
	if (filter_parse(text, filter_attr_known, r, out, &err) != MU_OK) {
		config_fault(r->faults, n, "%s", err.text);
		return false;
	}
	/* Nobody, in so many words, is meant. */
	if (strcmp(text, "(|)") != 0 && filter_never((const struct filter *const *)out, 1))
		config_fault(r->faults, n, "this filter never holds, whoever it is: mend it, or"
		    " write (|) for nobody");
	return true;
}

bool
policy_map_read(struct config_faults *f, const struct config_node *n, const struct config_field *fields)
{
	return config_map_keys(f, n, fields) || (n != NULL && config_node_kind(n) == CONFIG_MAP);
}

char *
policy_name_read(struct config_faults *f, const struct config_node *n)
{
	const char *text;

	if (!config_read_text(f, n, POLICY_NAME_MAX_BYTES, &text))
		return NULL;
	if (!entitlement_name_valid(text)) {
		config_fault(f, n, "\"%s\" holds a blank or control character: names do not", text);
		return NULL;
	}
	return mu_strdup(text);
}

void
policy_names_read(struct config_faults *f, const struct config_node *n, struct strings *out)
{
	MU_AUTO(mu_freep) const char **list = NULL;
	size_t count = 0;

	if (n == NULL || !config_read_texts(f, n, POLICY_LIST_MAX, ENTITLEMENT_NAME_MAX_BYTES, &list, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		if (entitlement_name_valid(list[i]))
			strings_add(out, list[i]);
		else
			config_fault(f, config_list_at(n, i),
			    "\"%s\" holds a blank or control character: names do not", list[i]);
	}
}

/* --- roles.yaml ---------------------------------------------------------------------------------- */

static const struct config_field give_fields[] = {
	{ "platform", true }, { "account", false }, { "groups", false }, { "rooms", false },
	{ "level", false }, { NULL, false },
};

static void
give_read(struct reading *r, const struct config_node *n, struct policy_role *role)
{
	static const struct config_name levels[] = {
		{ "member", 0 }, { "moderator", 1 }, { "admin", 2 }, { "owner", 3 }, { NULL, 0 },
	};
	const struct config_node *level = config_map_find(n, "level");
	struct policy_give *g;
	int rank = 0;

	if (!policy_map_read(r->faults, n, give_fields))
		return;
	role->gives = mu_alloc_again(role->gives, role->give_count + 1, sizeof(*role->gives));
	g = &role->gives[role->give_count++];
	*g = (struct policy_give){ .platform = policy_name_read(r->faults, config_map_find(n, "platform")) };
	(void)config_read_bool(r->faults, config_map_find(n, "account"), &g->account);
	policy_names_read(r->faults, config_map_find(n, "groups"), &g->groups);
	policy_names_read(r->faults, config_map_find(n, "rooms"), &g->rooms);
	if (level != NULL && config_read_name(r->faults, level, levels, &rank) && g->rooms.count == 0)
		config_fault(r->faults, level, "a level is held in rooms: name the rooms, or drop it");
	g->level = mu_strdup(levels[rank].name);
	if (config_map_find(n, "account") == NULL && g->groups.count == 0 && g->rooms.count == 0)
		config_fault(r->faults, n, "this gives nothing: say account: true, groups or rooms");
}

static const struct config_field role_fields[] = {
	{ "role", true }, { "gives", true }, { "birthright", false }, { "requestable", false },
	{ "longest", false }, { "approvals", false }, { "identified", false }, { "conflicts", false },
	{ "review", false }, { NULL, false },
};

static void
review_read(struct reading *r, const struct config_node *n, struct policy_role *role)
{
	static const struct config_field fields[] = {
		{ "every", true }, { "by", true }, { NULL, false },
	};
	const struct config_node *by = config_map_find(n, "by");

	if (n == NULL || !policy_map_read(r->faults, n, fields))
		return;
	(void)config_read_duration(r->faults, config_map_find(n, "every"), REVIEW_SHORTEST_S,
	    GRANT_LONGEST_S, &role->review_every_s);
	policy_names_read(r->faults, by, &role->review_by);
	if (by != NULL && config_node_kind(by) == CONFIG_LIST && config_list_count(by) == 0)
		config_fault(r->faults, by, "nobody reviews these grants: name roles of"
		    " administrators.yaml");
}

static void
role_level_read(struct reading *r, const struct config_node *n, struct policy_role *role)
{
	const char *name;

	role->level = POLICY_LEVEL_NONE;
	if (n == NULL || !config_read_text(r->faults, n, POLICY_NAME_MAX_BYTES, &name))
		return;
	role->level = policy_level_find(r->policy, name);
	if (role->level == POLICY_LEVEL_NONE)
		config_fault(r->faults, n, "no level \"%s\" in identification.yaml: add it there", name);
}

/* What is said of requested grants, of a role that is requested and of one that is not. */
static void
requests_check(struct reading *r, const struct config_node *n, const struct policy_role *role)
{
	static const char *const only[] = { "longest", "approvals", "review" };

	if (config_map_find(n, "requestable") == NULL) {
		for (size_t i = 0; i < MU_COUNT(only); i++)
			if (config_map_find(n, only[i]) != NULL)
				config_fault(r->faults, config_map_find(n, only[i]),
				    "%s is for granted roles, and this one cannot be: give it"
				    " requestable, or drop this", only[i]);
		return;
	}
	if (role->longest_s == 0)
		config_fault(r->faults, n, "every requested grant ends: say how long it lasts, as"
		    " longest: 8h");
	else if (role->review_every_s >= role->longest_s)
		config_fault(r->faults, config_map_find(n, "review"), "a grant of this role ends"
		    " before its first review: review it more often, or drop the review");
}

static void
role_read(struct reading *r, const struct config_node *n)
{
	struct policy *p = r->policy;
	struct policy_role *role;
	const struct config_node *gives = config_map_find(n, "gives");

	if (!policy_map_read(r->faults, n, role_fields))
		return;
	p->roles = mu_alloc_again(p->roles, p->role_count + 1, sizeof(*p->roles));
	role = &p->roles[p->role_count++];
	*role = (struct policy_role){ .name = policy_name_read(r->faults, config_map_find(n, "role")) };
	for (size_t i = 0; role->name != NULL && i + 1 < p->role_count; i++)
		if (mu_text_equal(p->roles[i].name, role->name))
			config_fault(r->faults, n, "role %s stands here a second time", role->name);
	if (config_read_list(r->faults, gives))
		for (size_t i = 0; i < config_list_count(gives); i++)
			give_read(r, config_list_at(gives, i), role);
	(void)filter_read(r, config_map_find(n, "birthright"), &role->birthright);
	(void)filter_read(r, config_map_find(n, "requestable"), &role->requestable);
	(void)config_read_duration(r->faults, config_map_find(n, "longest"), 60, GRANT_LONGEST_S,
	    &role->longest_s);
	(void)config_read_int(r->faults, config_map_find(n, "approvals"), 0, 10, "approvals",
	    &role->approvals);
	role_level_read(r, config_map_find(n, "identified"), role);
	policy_names_read(r->faults, config_map_find(n, "conflicts"), &role->conflicts);
	review_read(r, config_map_find(n, "review"), role);
	if (config_map_find(n, "birthright") == NULL && config_map_find(n, "requestable") == NULL)
		config_fault(r->faults, n, "nobody can have this role: give it birthright or requestable");
	requests_check(r, n, role);
}

/*
 * A conflict with a role that does not exist would keep nobody from anything, nor would one of two
 * birthrights that the same person may have: own NULL for a role of administrators.
 */
static void
conflicts_check(struct reading *r, const struct config_node *n, const struct policy_role *own)
{
	for (size_t i = 0; i < config_list_count(n); i++) {
		const struct config_node *at = config_list_at(n, i);
		const char *name = config_scalar_text(at);
		const struct policy_role *with = name == NULL ? NULL : policy_role_find(r->policy,
		    name);

		if (name != NULL && with == NULL)
			config_fault(r->faults, at, "no role \"%s\" in roles.yaml to conflict with",
			    name);
		else if (with != NULL && with == own)
			config_fault(r->faults, at, "role %s cannot conflict with itself: drop"
			    " this", name);
		else if (with != NULL && own != NULL && with->birthright != NULL &&
		    own->birthright != NULL &&
		    !filter_never((const struct filter *const[]){ own->birthright,
		    with->birthright }, 2))
			config_fault(r->faults, at, "one person may have both %s and %s by"
			    " birthright: let one of the filters exclude the other, as with"
			    " (!(department=Sales)); an attribute may hold several values",
			    own->name, name);
	}
}

/* Does a role open an account there? One that tries and has a fault counts, too. */
static bool
is_opened(const struct config_node *roles, const char *platform)
{
	for (size_t i = 0; i < config_list_count(roles); i++) {
		const struct config_node *gives = config_map_find(config_list_at(roles, i),
		    "gives");

		for (size_t k = 0; k < config_list_count(gives); k++) {
			const struct config_node *give = config_list_at(gives, k);
			const char *there = config_scalar_text(config_map_find(give, "platform"));
			const struct config_node *account = config_map_find(give, "account");

			if (account != NULL && mu_text_equal(there, platform) &&
			    !mu_text_equal(config_scalar_text(account), "false"))
				return true;
		}
	}
	return false;
}

/* Rights on a platform where no role opens an account are nobody's. */
static void
gives_check(struct reading *r, const struct config_node *roles)
{
	for (size_t i = 0; i < config_list_count(roles); i++) {
		const struct config_node *gives = config_map_find(config_list_at(roles, i),
		    "gives");

		for (size_t k = 0; k < config_list_count(gives); k++) {
			const struct config_node *give = config_list_at(gives, k);
			const struct config_node *at = config_map_find(give, "platform");
			const char *platform = config_scalar_text(at);

			if ((config_map_find(give, "groups") == NULL &&
			    config_map_find(give, "rooms") == NULL) || platform == NULL ||
			    is_opened(roles, platform))
				continue;
			config_fault(r->faults, at, "no role opens an account on %s: one has to say"
			    " account: true there", platform);
		}
	}
}

static void
roles_read(struct reading *r, const struct config_node *n)
{
	if (!config_read_list(r->faults, n))
		return;
	for (size_t i = 0; i < config_list_count(n); i++)
		role_read(r, config_list_at(n, i));
	for (size_t i = 0; i < config_list_count(n); i++) {
		const struct config_node *at = config_list_at(n, i);
		const char *name = config_scalar_text(config_map_find(at, "role"));

		conflicts_check(r, config_map_find(at, "conflicts"), name == NULL ? NULL :
		    policy_role_find(r->policy, name));
	}
	gives_check(r, n);
}

/* --- The smaller files ------------------------------------------------------------------------------ */

static const struct config_field level_fields[] = {
	{ "level", true }, { "when", false }, { "evidence", false }, { NULL, false },
};

static void
identification_read(struct reading *r, const struct config_node *n)
{
	struct policy *p = r->policy;

	if (!config_read_list(r->faults, n))
		return;
	for (size_t i = 0; i < config_list_count(n); i++) {
		const struct config_node *at = config_list_at(n, i);
		const struct config_node *evidence_at = config_map_find(at, "evidence");
		struct policy_level level = { .name = NULL };
		const char *evidence = "";

		if (!policy_map_read(r->faults, at, level_fields))
			continue;
		level.name = policy_name_read(r->faults, config_map_find(at, "level"));
		if (level.name == NULL)
			continue;
		if (policy_level_find(p, level.name) != POLICY_LEVEL_NONE)
			config_fault(r->faults, at, "level %s stands here a second time", level.name);
		(void)filter_read(r, config_map_find(at, "when"), &level.when);
		if (config_read_text(r->faults, evidence_at, POLICY_NAME_MAX_BYTES, &evidence) &&
		    !attr_allowed(r, evidence))
			config_fault(r->faults, evidence_at, "no attribute %s in the map of any source", evidence);
		level.evidence = mu_strdup(evidence);
		p->levels = mu_alloc_again(p->levels, p->level_count + 1, sizeof(*p->levels));
		p->levels[p->level_count++] = level;
	}
}

static void
date_attr_read(struct reading *r, const struct config_node *n, char **name_at)
{
	const char *name = "";

	if (config_read_text(r->faults, n, POLICY_NAME_MAX_BYTES, &name) && !attr_allowed(r, name))
		config_fault(r->faults, n, "no attribute %s in the map of any source", name);
	mu_free(*name_at);
	*name_at = mu_strdup(name);
}

static void
states_read(struct reading *r, const struct config_node *n)
{
	static const struct config_field fields[] = {
		{ "left", false }, { "suspended", false }, { "returns", false }, { "starts", false },
		{ "ends", false }, { "grace", false }, { NULL, false },
	};
	const struct config_node *returns = config_map_find(n, "returns");
	struct policy *p = r->policy;

	if (!policy_map_read(r->faults, n, fields))
		return;
	(void)filter_read(r, config_map_find(n, "left"), &p->left);
	(void)filter_read(r, config_map_find(n, "suspended"), &p->suspended);
	date_attr_read(r, config_map_find(n, "starts"), &p->starts);
	date_attr_read(r, config_map_find(n, "ends"), &p->ends);
	date_attr_read(r, returns, &p->returns);
	(void)config_read_duration(r->faults, config_map_find(n, "grace"), 0, GRACE_LONGEST_S,
	    &p->grace_s);
	if (returns != NULL && config_map_find(n, "suspended") == NULL)
		config_fault(r->faults, returns,
		    "this is when a suspension ends: say who is suspended, as suspended: FILTER");
}

static bool
brake_filter_read(void *reading, const struct config_node *n, struct filter **out_filter)
{
	return filter_read(reading, n, out_filter);
}

static void
brake_read(struct reading *r, const struct config_node *n)
{
	policy_brakes_read(r->policy, r->faults, n, brake_filter_read, r);
}

/* --- gates.yaml ---------------------------------------------------------------------------------- */

static void
action_unknown_fault(struct reading *r, const struct config_node *n, const char *name)
{
	MU_AUTO(mu_buf_clear) struct mu_buf all = MU_BUF_INIT;

	for (unsigned int i = 0; i < ACTION_KIND_COUNT; i++)
		mu_buf_format(&all, "%s, ", action_kind_name((enum action_kind)i));
	config_fault(r->faults, n, "no action is called \"%s\": there are %sand \"*\" for all", name, all.data);
}

/* P5-11: who writes gates.yaml cannot take the gates of those who decide away. */
static void
gate_floor_check(struct reading *r, const struct config_node *n, enum action_kind kind,
    const struct policy_gate *g)
{
	struct action_floor floor = action_floor(kind);

	if ((g->code || !floor.code) && g->approvals >= floor.approvals)
		return;
	if (floor.approvals == 0)
		config_fault(r->faults, n, "weakens the gate of %s: it needs a code", action_kind_name(kind));
	else
		config_fault(r->faults, n, "weakens the gate of %s: it needs a code and at least %d approval%s",
		    action_kind_name(kind), floor.approvals, floor.approvals == 1 ? "" : "s");
}

static void
gate_actions_check(struct reading *r, const struct config_node *n, const struct policy_gate *g, bool needs_read)
{
	if (n != NULL && config_node_kind(n) == CONFIG_LIST && config_list_count(n) == 0)
		config_fault(r->faults, n, "this row is for no action: name some, or \"*\" for all");
	for (size_t i = 0; i < config_list_count(n); i++) {
		const struct config_node *at = config_list_at(n, i);
		const char *name = config_scalar_text(at);
		enum action_kind kind;

		if (name == NULL || strcmp(name, POLICY_ANY_ACTION) == 0)
			continue;
		if (!action_kind_parse(name, &kind))
			action_unknown_fault(r, at, name);
		else if (needs_read)
			gate_floor_check(r, at, kind, g);
	}
}

static void
gate_read(struct reading *r, const struct config_node *n)
{
	static const struct config_field fields[] = {
		{ "actions", true }, { "code", false }, { "approvals", false }, { "when", false }, { NULL, false },
	}, when_fields[] = {
		{ "targets_over", true }, { NULL, false },
	};
	static const struct config_name codes[] = { { "required", 1 }, { "none", 0 }, { NULL, 0 } };
	const struct config_node *code_at = config_map_find(n, "code");
	const struct config_node *approvals_at = config_map_find(n, "approvals");
	const struct config_node *when = config_map_find(n, "when");
	struct policy *p = r->policy;
	struct policy_gate g = { .targets_over = -1 };
	bool needs_read = true;
	int code = 0;

	if (!policy_map_read(r->faults, n, fields))
		return;
	policy_names_read(r->faults, config_map_find(n, "actions"), &g.actions);
	if (!config_read_name(r->faults, code_at, codes, &code))
		needs_read = code_at == NULL;
	g.code = code == 1;
	if (!config_read_int(r->faults, approvals_at, 0, 10, "approvals", &g.approvals))
		needs_read = needs_read && approvals_at == NULL;
	if (when != NULL && policy_map_read(r->faults, when, when_fields))
		(void)config_read_int(r->faults, config_map_find(when, "targets_over"), 0, 1000000, "people",
		    &g.targets_over);
	gate_actions_check(r, config_map_find(n, "actions"), &g, needs_read);
	p->gates = mu_alloc_again(p->gates, p->gate_count + 1, sizeof(*p->gates));
	p->gates[p->gate_count++] = g;
}

static void
gates_read(struct reading *r, const struct config_node *n)
{
	if (!config_read_list(r->faults, n))
		return;
	for (size_t i = 0; i < config_list_count(n); i++)
		gate_read(r, config_list_at(n, i));
}

/* --- administrators.yaml -------------------------------------------------------------------------- */

static void
permissions_check(struct reading *r, const struct config_node *n)
{
	if (n != NULL && config_node_kind(n) == CONFIG_LIST && config_list_count(n) == 0)
		config_fault(r->faults, n, "this role may do nothing: name its permissions, or drop it");
	for (size_t i = 0; i < config_list_count(n); i++) {
		const struct config_node *at = config_list_at(n, i);
		const char *name = config_scalar_text(at);
		MU_AUTO(mu_buf_clear) struct mu_buf all = MU_BUF_INIT;

		if (name == NULL || permission_valid(name))
			continue;
		for (size_t k = 0; permission_at(k) != NULL; k++)
			mu_buf_format(&all, "%s%s", k == 0 ? "" : ", ", permission_at(k));
		config_fault(r->faults, at,
		    "no permission is called \"%s\": list each that the role needs, of %s", name, all.data);
	}
}

static void
administrators_read(struct reading *r, const struct config_node *n)
{
	static const struct config_field fields[] = {
		{ "role", true }, { "may", true }, { "scope", false }, { "conflicts", false },
		{ NULL, false },
	};
	struct policy *p = r->policy;

	if (!config_read_list(r->faults, n))
		return;
	for (size_t i = 0; i < config_list_count(n); i++) {
		const struct config_node *at = config_list_at(n, i);
		struct policy_admin admin = { .name = NULL };

		if (!policy_map_read(r->faults, at, fields))
			continue;
		admin.name = policy_name_read(r->faults, config_map_find(at, "role"));
		if (admin.name == NULL)
			continue;
		if (policy_admin_exists(p, admin.name))
			config_fault(r->faults, at, "role %s stands here a second time", admin.name);
		policy_names_read(r->faults, config_map_find(at, "may"), &admin.may);
		permissions_check(r, config_map_find(at, "may"));
		(void)filter_read(r, config_map_find(at, "scope"), &admin.scope);
		policy_names_read(r->faults, config_map_find(at, "conflicts"), &admin.conflicts);
		p->admins = mu_alloc_again(p->admins, p->admin_count + 1, sizeof(*p->admins));
		p->admins[p->admin_count++] = admin;
	}
}

/* --- What one file says of another: when all have been read --------------------------------- */

/* A reviewer who may not confirm would let every grant lapse. */
static void
review_check(struct reading *r, const struct config_node *role)
{
	const struct config_node *by = config_map_find(config_map_find(role, "review"), "by");
	const char *confirm = action_kind_name(ACTION_REVIEW_CONFIRM);

	for (size_t i = 0; i < config_list_count(by); i++) {
		const struct config_node *at = config_list_at(by, i);
		const char *name = config_scalar_text(at);

		if (name == NULL)
			continue;
		if (!policy_admin_exists(r->policy, name))
			config_fault(r->faults, at, "no role \"%s\" in administrators.yaml to"
			    " review it", name);
		else if (!policy_admin_may(r->policy, name, confirm))
			config_fault(r->faults, at, "administrators with the role %s may not %s:"
			    " add it in administrators.yaml, or name others", name, confirm);
	}
}

static void
roles_cross(struct reading *r, const struct config_node *roles)
{
	for (size_t i = 0; i < config_list_count(roles); i++)
		review_check(r, config_list_at(roles, i));
}

static void
administrators_cross(struct reading *r, const struct config_node *admins)
{
	for (size_t i = 0; i < config_list_count(admins); i++)
		conflicts_check(r, config_map_find(config_list_at(admins, i), "conflicts"), NULL);
}

/* --- All files, identification first: roles name its levels --------------------------------------------- */

static const struct file_row {
	const char *name;
	bool required;
	void (*read)(struct reading *r, const struct config_node *root);
	/* when all have been read */
	void (*cross)(struct reading *r, const struct config_node *root);
} file_rows[] = {
	{ "identification.yaml", true, identification_read, NULL },
	{ "roles.yaml", true, roles_read, roles_cross },
	{ "states.yaml", false, states_read, NULL },
	{ "brake.yaml", false, brake_read, NULL },
	{ "gates.yaml", false, gates_read, NULL },
	{ "administrators.yaml", false, administrators_read, administrators_cross },
};

static const struct policy_file *
file_find(const struct policy_file *files, size_t file_count, const char *name)
{
	for (size_t i = 0; i < file_count; i++)
		if (strcmp(files[i].name, name) == 0)
			return &files[i];
	return NULL;
}

static void
unknown_files_fault(const struct policy_file *files, size_t file_count, struct config_faults *faults)
{
	for (size_t i = 0; i < file_count; i++) {
		struct config_near near;
		size_t k = 0;

		config_near_init(&near, files[i].name);
		while (k < MU_COUNT(file_rows) && strcmp(file_rows[k].name, files[i].name) != 0)
			config_near_offer(&near, file_rows[k++].name);
		if (k < MU_COUNT(file_rows))
			continue;
		if (near.best != NULL)
			config_fault_file(faults, files[i].name, "unknown policy file: did you mean %s?", near.best);
		else
			config_fault_file(faults, files[i].name,
			    "unknown policy file: there are identification, roles, states, brake, gates and "
			    "administrators");
	}
}

enum mu_rc
policy_parse(const struct policy_file *files, size_t file_count, policy_attr_fn *attr_known, const void *ctx,
    struct config_faults *faults, struct policy **out_policy, struct mu_err *err)
{
	struct policy *p = mu_alloc_zero(1, sizeof(*p));
	struct reading r = { .policy = p, .faults = faults, .attr_known = attr_known, .ctx = ctx };
	struct config_doc *docs[MU_COUNT(file_rows)] = { NULL };

	/* P5-10: the brake is there even where no file speaks of it. */
	policy_brakes_build(p);
	p->starts = mu_strdup("");
	p->ends = mu_strdup("");
	p->returns = mu_strdup("");
	p->grace_s = GRACE_S;
	unknown_files_fault(files, file_count, faults);
	for (size_t i = 0; i < MU_COUNT(file_rows); i++) {
		const struct policy_file *file = file_find(files, file_count, file_rows[i].name);

		if (file == NULL) {
			if (file_rows[i].required)
				config_fault_file(faults, file_rows[i].name,
				    "the policy needs this file: start from the one that is shipped");
			continue;
		}
		if (config_doc_parse(file->content, strlen(file->content), file->name, faults,
		    &docs[i]))
			file_rows[i].read(&r, config_doc_root(docs[i]));
	}
	for (size_t i = 0; i < MU_COUNT(file_rows); i++) {
		if (docs[i] != NULL && file_rows[i].cross != NULL)
			file_rows[i].cross(&r, config_doc_root(docs[i]));
		config_doc_free(docs[i]);
	}
	if (faults->count > 0) {
		policy_free(p);
		return mu_fail(err, MU_EINPUT, "the policy has faults: musterd check names them all");
	}
	*out_policy = p;
	return MU_OK;
}
