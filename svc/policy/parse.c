#include "policy/policy.h"
#include "policy/policy_priv.h"

#include "base/clock.h"
#include "base/text.h"
#include "config/yaml.h"

#include <string.h>

#define NAME_MAX_BYTES	64
#define LIST_MAX	1000
#define GRANT_LONGEST_S	(365 * (int64_t)MU_DAY_S)

/* What the readers below share. */
struct reading {
	struct policy *policy;
	struct config_faults *faults;
	policy_attr_fn *attr_known;
	const void *ctx;
	const struct config_node *levels_at;	/* roles that name a level are checked at the end */
};

static bool
filter_attr_known(void *reading, const char *name)
{
	const struct reading *r = reading;

	return r->attr_known(r->ctx, name);
}

static bool
filter_read(struct reading *r, const struct config_node *n, struct filter **out)
{
	const char *text;
	struct mu_err err = MU_ERR_INIT;

	if (n == NULL || !config_read_text(r->faults, n, FILTER_MAX_BYTES, &text))
		return false;
	if (filter_parse(text, filter_attr_known, r, out, &err) == MU_OK)
		return true;
	config_fault(r->faults, n, "%s", err.text);
	return false;
}

/* Faults wrong keys; false only if n is no map, so that all else in it is read and faulted as well. */
static bool
map_read(struct reading *r, const struct config_node *n, const struct config_field *fields)
{
	return config_map_keys(r->faults, n, fields) ||
	    (n != NULL && config_node_kind(n) == CONFIG_MAP);
}

/* A name as roles and levels have it; fresh, NULL (and a fault) when it is none. */
static char *
name_read(struct reading *r, const struct config_node *n)
{
	const char *text;

	if (!config_read_text(r->faults, n, NAME_MAX_BYTES, &text))
		return NULL;
	if (!entitlement_name_valid(text)) {
		config_fault(r->faults, n, "\"%s\" holds a blank or control character: names do not", text);
		return NULL;
	}
	return mu_strdup(text);
}

static void
names_read(struct reading *r, const struct config_node *n, struct strings *out)
{
	MU_AUTO(mu_freep) const char **list = NULL;
	size_t count = 0;

	if (n == NULL || !config_read_texts(r->faults, n, LIST_MAX, ENTITLEMENT_NAME_MAX_BYTES, &list, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		if (entitlement_name_valid(list[i]))
			strings_add(out, list[i]);
		else
			config_fault(r->faults, config_list_at(n, i),
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

	if (!map_read(r, n, give_fields))
		return;
	role->gives = mu_alloc_again(role->gives, role->give_count + 1, sizeof(*role->gives));
	g = &role->gives[role->give_count++];
	*g = (struct policy_give){ .platform = name_read(r, config_map_find(n, "platform")) };
	(void)config_read_bool(r->faults, config_map_find(n, "account"), &g->account);
	names_read(r, config_map_find(n, "groups"), &g->groups);
	names_read(r, config_map_find(n, "rooms"), &g->rooms);
	if (level != NULL && config_read_name(r->faults, level, levels, &rank) && g->rooms.count == 0)
		config_fault(r->faults, level, "a level is held in rooms: name the rooms, or drop it");
	g->level = mu_strdup(levels[rank].name);
	if (config_map_find(n, "account") == NULL && g->groups.count == 0 && g->rooms.count == 0)
		config_fault(r->faults, n, "this gives nothing: say account: true, groups or rooms");
}

static const struct config_field role_fields[] = {
	{ "role", true }, { "gives", true }, { "birthright", false }, { "requestable", false },
	{ "longest", false }, { "approvals", false }, { "identified", false }, { "conflicts", false },
	{ NULL, false },
};

static size_t
level_find(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->level_count; i++)
		if (strcmp(p->levels[i].name, name) == 0)
			return i;
	return POLICY_LEVEL_NONE;
}

static void
role_level_read(struct reading *r, const struct config_node *n, struct policy_role *role)
{
	const char *name;

	role->level = POLICY_LEVEL_NONE;
	if (n == NULL || !config_read_text(r->faults, n, NAME_MAX_BYTES, &name))
		return;
	role->level = level_find(r->policy, name);
	if (role->level == POLICY_LEVEL_NONE)
		config_fault(r->faults, n, "no level \"%s\" in identification.yaml: add it there", name);
}

static void
role_read(struct reading *r, const struct config_node *n)
{
	struct policy *p = r->policy;
	struct policy_role *role;
	const struct config_node *gives = config_map_find(n, "gives");

	if (!map_read(r, n, role_fields))
		return;
	p->roles = mu_alloc_again(p->roles, p->role_count + 1, sizeof(*p->roles));
	role = &p->roles[p->role_count++];
	*role = (struct policy_role){ .name = name_read(r, config_map_find(n, "role")) };
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
	names_read(r, config_map_find(n, "conflicts"), &role->conflicts);
	if (config_map_find(n, "birthright") == NULL && config_map_find(n, "requestable") == NULL)
		config_fault(r->faults, n, "nobody can have this role: give it birthright or requestable");
	if (config_map_find(n, "requestable") != NULL && role->longest_s == 0)
		config_fault(r->faults, n, "every requested grant ends: say how long it lasts, as longest: 8h");
}

static void
roles_read(struct reading *r, const struct config_node *n)
{
	if (!config_read_list(r->faults, n))
		return;
	for (size_t i = 0; i < config_list_count(n); i++)
		role_read(r, config_list_at(n, i));
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

		if (!map_read(r, at, level_fields))
			continue;
		level.name = name_read(r, config_map_find(at, "level"));
		if (level.name == NULL)
			continue;
		if (level_find(p, level.name) != POLICY_LEVEL_NONE)
			config_fault(r->faults, at, "level %s stands here a second time", level.name);
		(void)filter_read(r, config_map_find(at, "when"), &level.when);
		if (config_read_text(r->faults, evidence_at, NAME_MAX_BYTES, &evidence) &&
		    !r->attr_known(r->ctx, evidence))
			config_fault(r->faults, evidence_at, "no attribute %s in the map of any source", evidence);
		level.evidence = mu_strdup(evidence);
		p->levels = mu_alloc_again(p->levels, p->level_count + 1, sizeof(*p->levels));
		p->levels[p->level_count++] = level;
	}
}

static char *
date_attr_read(struct reading *r, const struct config_node *n)
{
	const char *name = "";

	if (config_read_text(r->faults, n, NAME_MAX_BYTES, &name) && !r->attr_known(r->ctx, name))
		config_fault(r->faults, n, "no attribute %s in the map of any source", name);
	return mu_strdup(name);
}

static void
states_read(struct reading *r, const struct config_node *n)
{
	static const struct config_field fields[] = {
		{ "suspended", false }, { "starts", false }, { "ends", false }, { NULL, false },
	};

	if (!map_read(r, n, fields))
		return;
	(void)filter_read(r, config_map_find(n, "suspended"), &r->policy->suspended);
	mu_free(r->policy->starts);
	mu_free(r->policy->ends);
	r->policy->starts = date_attr_read(r, config_map_find(n, "starts"));
	r->policy->ends = date_attr_read(r, config_map_find(n, "ends"));
}

static void
brake_read(struct reading *r, const struct config_node *n)
{
	static const struct config_field rule_fields[] = {
		{ "per", true }, { "removals", true }, { NULL, false },
	}, removal_fields[] = {
		{ "at_least", true }, { "share", true }, { "within", true }, { NULL, false },
	};
	static const struct config_name pers[] = { { "source", 0 }, { NULL, 0 } };
	struct policy_brake *b = &r->policy->brake;
	int per;

	if (!config_read_list(r->faults, n))
		return;
	if (config_list_count(n) != 1)
		config_fault(r->faults, n, "there is one brake, per: source");
	for (size_t i = 0; i < config_list_count(n); i++) {
		const struct config_node *at = config_list_at(n, i);
		const struct config_node *removals = config_map_find(at, "removals");

		if (!map_read(r, at, rule_fields) ||
		    !map_read(r, removals, removal_fields))
			continue;
		(void)config_read_name(r->faults, config_map_find(at, "per"), pers, &per);
		(void)config_read_int(r->faults, config_map_find(removals, "at_least"), 0, 1000, "people",
		    &b->removals_at_least);
		(void)config_read_percent(r->faults, config_map_find(removals, "share"),
		    &b->removals_per_10000);
		(void)config_read_duration(r->faults, config_map_find(removals, "within"), 60, MU_DAY_S,
		    &b->removals_within_s);
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
	static const struct config_name codes[] = { { "required", 1 }, { NULL, 0 } };
	const struct config_node *when = config_map_find(n, "when");
	struct policy *p = r->policy;
	struct policy_gate g = { .targets_over = -1 };
	int code = 0;

	if (!map_read(r, n, fields))
		return;
	names_read(r, config_map_find(n, "actions"), &g.actions);
	if (config_read_name(r->faults, config_map_find(n, "code"), codes, &code))
		g.code = code == 1;
	(void)config_read_int(r->faults, config_map_find(n, "approvals"), 0, 10, "approvals", &g.approvals);
	if (when != NULL && map_read(r, when, when_fields))
		(void)config_read_int(r->faults, config_map_find(when, "targets_over"), 0, 1000000, "people",
		    &g.targets_over);
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

/* --- All files, identification first: roles name its levels --------------------------------------------- */

static const struct file_row {
	const char *name;
	bool required;
	void (*read)(struct reading *r, const struct config_node *root);
} file_rows[] = {
	{ "identification.yaml", true, identification_read },
	{ "roles.yaml", true, roles_read },
	{ "states.yaml", false, states_read },
	{ "brake.yaml", false, brake_read },
	{ "gates.yaml", false, gates_read },
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
			    "unknown policy file: there are identification, roles, states, brake and gates");
	}
}

enum mu_rc
policy_parse(const struct policy_file *files, size_t file_count, policy_attr_fn *attr_known, const void *ctx,
    struct config_faults *faults, struct policy **out_policy, struct mu_err *err)
{
	struct policy *p = mu_alloc_zero(1, sizeof(*p));
	struct reading r = { .policy = p, .faults = faults, .attr_known = attr_known, .ctx = ctx };

	/* P5-10: the brake is there even where no file speaks of it. */
	p->brake = (struct policy_brake){ 5, 200, 3600 };
	p->starts = mu_strdup("");
	p->ends = mu_strdup("");
	unknown_files_fault(files, file_count, faults);
	for (size_t i = 0; i < MU_COUNT(file_rows); i++) {
		const struct policy_file *file = file_find(files, file_count, file_rows[i].name);
		MU_AUTO(config_doc_freep) struct config_doc *doc = NULL;

		if (file == NULL) {
			if (file_rows[i].required)
				config_fault_file(faults, file_rows[i].name,
				    "the policy needs this file: start from the one that is shipped");
			continue;
		}
		if (config_doc_parse(file->content, strlen(file->content), file->name, faults, &doc))
			file_rows[i].read(&r, config_doc_root(doc));
	}
	if (faults->count > 0) {
		policy_free(p);
		return mu_fail(err, MU_EINPUT, "the policy has faults: musterd check names them all");
	}
	*out_policy = p;
	return MU_OK;
}
