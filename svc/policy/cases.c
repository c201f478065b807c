#include "policy/policy.h"
#include "policy/policy_priv.h"

#include "base/text.h"

#include <string.h>

#define CASES_MAX		5000
#define CASE_NAME_MAX_BYTES	200
#define VALUE_MAX_BYTES		1000
#define NOT_IDENTIFIED		"none"

struct expected_account {
	char *platform;
	enum account_state state;
	bool rights_said;
	struct entitlements rights;
};

struct policy_case {
	char *name;
	struct attrs attrs;
	struct strings groups, granted;
	char *source;			/* NULL: not said */
	bool bounded;			/* by authority, else the source may give all */
	struct authority authority;
	bool blocked;
	char *identified;		/* by an action, "" */
	enum person_state state;

	/* what is expected */
	struct strings roles, waiting, working, refused;
	struct expected_account *accounts;
	size_t account_count;
	char *level;			/* NULL: not said; "": none */
	bool state_said;
	enum person_state state_wanted;
};

/* What the readers below share. */
struct reading {
	const struct policy *policy;
	struct config_faults *faults;
	int64_t now_s;
	struct policy_case *cases;
	size_t count;
};

static void
case_clear(struct policy_case *c)
{
	mu_free(c->name);
	attrs_clear(&c->attrs);
	strings_clear(&c->groups);
	strings_clear(&c->granted);
	mu_free(c->source);
	strings_clear(&c->authority.roles);
	strings_clear(&c->authority.levels);
	mu_free(c->identified);
	strings_clear(&c->roles);
	strings_clear(&c->waiting);
	strings_clear(&c->working);
	strings_clear(&c->refused);
	for (size_t i = 0; i < c->account_count; i++) {
		mu_free(c->accounts[i].platform);
		entitlements_clear(&c->accounts[i].rights);
	}
	mu_free(c->accounts);
	mu_free(c->level);
}

static void
reading_clear(struct reading *r)
{
	for (size_t i = 0; i < r->count; i++)
		case_clear(&r->cases[i]);
	mu_free(r->cases);
}

/* --- Facts ------------------------------------------------------------------------------------------- */

static void
attribute_read(struct reading *r, const char *name, const struct config_node *n, struct attrs *out)
{
	MU_AUTO(mu_freep) const char **list = NULL;
	const char *text;
	size_t count = 0;

	if (config_node_kind(n) != CONFIG_LIST) {
		if (config_read_text(r->faults, n, VALUE_MAX_BYTES, &text))
			attrs_add(out, name, text);
		return;
	}
	if (!config_read_texts(r->faults, n, POLICY_LIST_MAX, VALUE_MAX_BYTES, &list, &count))
		return;
	for (size_t i = 0; i < count; i++)
		attrs_add(out, name, list[i]);
}

static void
person_read(struct reading *r, const struct config_node *n, struct attrs *out)
{
	if (n == NULL || !config_read_map(r->faults, n))
		return;
	for (size_t i = 0; i < config_map_count(n); i++) {
		const struct config_node *key = config_map_key_at(n, i);
		const char *name;

		if (!config_read_text(r->faults, key, POLICY_NAME_MAX_BYTES, &name))
			continue;
		if (mu_text_equal_fold(name, FACTS_GROUP_ATTR))
			config_fault(r->faults, key, "groups stand beside the person, as groups: [a, b]");
		else if (mu_text_equal_fold(name, FACTS_SOURCE_ATTR))
			config_fault(r->faults, key, "the source stands beside the person, as source: NAME");
		else
			attribute_read(r, name, config_map_at(n, i), out);
	}
}

/* Groups are named as the directory names them: blanks may be in them. */
static void
groups_read(struct reading *r, const struct config_node *n, struct strings *out)
{
	MU_AUTO(mu_freep) const char **list = NULL;
	size_t count = 0;

	if (!config_read_texts(r->faults, n, POLICY_LIST_MAX, VALUE_MAX_BYTES, &list, &count))
		return;
	for (size_t i = 0; i < count; i++)
		strings_add(out, list[i]);
}

/* A role that the policy does not have would be refused to everyone: a slip of the pen passes no test. */
static void
role_names_read(struct reading *r, const struct config_node *n, struct strings *out)
{
	policy_names_read(r->faults, n, out);
	for (size_t i = 0; i < config_list_count(n); i++) {
		const char *name = config_scalar_text(config_list_at(n, i));

		if (name != NULL && policy_role_find(r->policy, name) == NULL)
			config_fault(r->faults, config_list_at(n, i), "no role \"%s\" in roles.yaml", name);
	}
}

/* Fresh; fallback when it is not there or at fault. */
static char *
level_read(struct reading *r, const struct config_node *n, const char *fallback)
{
	const char *name;

	if (!config_read_text(r->faults, n, POLICY_NAME_MAX_BYTES, &name))
		return mu_strdup(fallback);
	if (policy_level_exists(r->policy, name))
		return mu_strdup(name);
	if (strcmp(name, NOT_IDENTIFIED) != 0)
		config_fault(r->faults, n, "no level \"%s\" in identification.yaml", name);
	return mu_strdup("");
}

/* As musterd.yaml bounds what a source may give: {roles: [...], levels: [...]}. */
static void
authority_read(struct reading *r, const struct config_node *n, struct policy_case *c)
{
	static const struct config_field fields[] = {
		{ "roles", true }, { "levels", false }, { NULL, false },
	};
	const struct config_node *levels = config_map_find(n, "levels");

	if (n == NULL || !policy_map_read(r->faults, n, fields))
		return;
	c->bounded = true;
	role_names_read(r, config_map_find(n, "roles"), &c->authority.roles);
	policy_names_read(r->faults, levels, &c->authority.levels);
	for (size_t i = 0; i < config_list_count(levels); i++) {
		const char *name = config_scalar_text(config_list_at(levels, i));

		if (name != NULL && !policy_level_exists(r->policy, name))
			config_fault(r->faults, config_list_at(levels, i),
			    "no level \"%s\" in identification.yaml", name);
	}
}

static struct facts
case_facts(const struct policy_case *c)
{
	return (struct facts){ &c->attrs, &c->groups, c->source, c->bounded ? &c->authority : NULL };
}

static bool
state_read(struct reading *r, const struct config_node *n, enum person_state *out_state)
{
	static const struct config_name states[] = {
		{ "staged", PERSON_STAGED }, { "active", PERSON_ACTIVE }, { "suspended", PERSON_SUSPENDED },
		{ "leaver", PERSON_LEAVER }, { NULL, 0 },
	};
	int state;

	if (!config_read_name(r->faults, n, states, &state))
		return false;
	*out_state = (enum person_state)state;
	return true;
}

/* The state that the directory's facts give someone new, in the order of the lifecycle. */
static enum person_state
state_reckon(struct reading *r, const struct config_node *person, const struct facts *facts)
{
	struct policy_opinion o;
	struct mu_err err = MU_ERR_INIT;

	if (policy_opine(r->policy, facts, &o, &err) != MU_OK) {
		config_fault(r->faults, person, "%s", err.text);
		return PERSON_ACTIVE;
	}
	if (o.left || (o.ends_at_s != 0 && o.ends_at_s <= r->now_s))
		return PERSON_LEAVER;
	if (o.suspended)
		return PERSON_SUSPENDED;
	return o.starts_at_s > r->now_s ? PERSON_STAGED : PERSON_ACTIVE;
}

/* --- Expectations ----------------------------------------------------------------------------------- */

static bool
platform_exists(const struct policy *p, const char *platform)
{
	for (size_t i = 0; i < p->role_count; i++)
		for (size_t k = 0; k < p->roles[i].give_count; k++)
			if (strcmp(p->roles[i].gives[k].platform, platform) == 0)
				return true;
	return false;
}

static struct expected_account *
expected_find(const struct policy_case *c, const char *platform)
{
	for (size_t i = 0; i < c->account_count; i++)
		if (strcmp(c->accounts[i].platform, platform) == 0)
			return &c->accounts[i];
	return NULL;
}

static void
accounts_read(struct reading *r, const struct config_node *n, struct policy_case *c)
{
	static const struct config_name states[] = {
		{ "absent", ACCOUNT_ABSENT }, { "disabled", ACCOUNT_DISABLED }, { "enabled", ACCOUNT_ENABLED },
		{ NULL, 0 },
	};

	if (n == NULL || !config_read_map(r->faults, n))
		return;
	for (size_t i = 0; i < config_map_count(n); i++) {
		const struct config_node *key = config_map_key_at(n, i);
		const char *platform;
		int state;

		if (!config_read_text(r->faults, key, POLICY_NAME_MAX_BYTES, &platform) ||
		    !config_read_name(r->faults, config_map_at(n, i), states, &state))
			continue;
		if (!platform_exists(r->policy, platform))
			config_fault(r->faults, key, "no role gives anything on a platform \"%s\"", platform);
		c->accounts = mu_alloc_again(c->accounts, c->account_count + 1, sizeof(*c->accounts));
		c->accounts[c->account_count++] = (struct expected_account){
			.platform = mu_strdup(platform), .state = (enum account_state)state,
		};
	}
}

static void
right_read(struct reading *r, const struct config_node *n, const char *text, struct entitlements *out)
{
	MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;
	MU_AUTO(entitlements_clear) struct entitlements one = ENTITLEMENTS_INIT;

	mu_buf_format(&line, "%s\n", text);
	if (!entitlements_parse(line.data, &one)) {
		config_fault(r->faults, n, "\"%s\" is no right: write group NAME, or room NAME LEVEL", text);
		return;
	}
	if (entitlements_find(out, one.list[0].kind, one.list[0].name) != NULL)
		config_fault(r->faults, n, "\"%s\" stands at two levels: one is held", text);
	entitlements_add(out, one.list[0].kind, one.list[0].name, one.list[0].level);
}

static void
rights_read(struct reading *r, const struct config_node *n, struct policy_case *c)
{
	if (n == NULL || !config_read_map(r->faults, n))
		return;
	for (size_t i = 0; i < config_map_count(n); i++) {
		const struct config_node *key = config_map_key_at(n, i), *at = config_map_at(n, i);
		MU_AUTO(mu_freep) const char **list = NULL;
		struct expected_account *a;
		const char *platform;
		size_t count = 0;

		if (!config_read_text(r->faults, key, POLICY_NAME_MAX_BYTES, &platform) ||
		    !config_read_texts(r->faults, at, POLICY_LIST_MAX, VALUE_MAX_BYTES, &list, &count))
			continue;
		a = expected_find(c, platform);
		if (a == NULL) {
			config_fault(r->faults, key,
			    "accounts says nothing of %s: say what becomes of it there", platform);
			continue;
		}
		a->rights_said = true;
		for (size_t k = 0; k < count; k++)
			right_read(r, config_list_at(at, k), list[k], &a->rights);
	}
}

static void
expect_read(struct reading *r, const struct config_node *n, struct policy_case *c)
{
	static const struct config_field fields[] = {
		{ "roles", true }, { "accounts", true }, { "waiting", false }, { "granted", false },
		{ "rights", false }, { "identified", false }, { "refused", false }, { "state", false },
		{ NULL, false },
	};

	if (n == NULL || !policy_map_read(r->faults, n, fields))
		return;
	role_names_read(r, config_map_find(n, "roles"), &c->roles);
	role_names_read(r, config_map_find(n, "waiting"), &c->waiting);
	role_names_read(r, config_map_find(n, "granted"), &c->working);
	role_names_read(r, config_map_find(n, "refused"), &c->refused);
	accounts_read(r, config_map_find(n, "accounts"), c);
	rights_read(r, config_map_find(n, "rights"), c);
	c->level = level_read(r, config_map_find(n, "identified"), NULL);
	c->state_said = state_read(r, config_map_find(n, "state"), &c->state_wanted);
}

static void
case_read(struct reading *r, const struct config_node *n)
{
	static const struct config_field fields[] = {
		{ "name", true }, { "person", true }, { "groups", false }, { "source", false },
		{ "authority", false }, { "state", false }, { "blocked", false }, { "identified", false }, { "granted", false }, { "expect", true },
		{ NULL, false },
	};
	struct policy_case *c;
	const struct config_node *source = config_map_find(n, "source");
	struct facts facts;
	const char *name, *text;

	if (!policy_map_read(r->faults, n, fields) ||
	    !config_read_text(r->faults, config_map_find(n, "name"), CASE_NAME_MAX_BYTES, &name))
		return;
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->cases[i].name, name) == 0)
			config_fault(r->faults, n, "the case \"%s\" stands here a second time", name);
	r->cases = mu_alloc_again(r->cases, r->count + 1, sizeof(*r->cases));
	c = &r->cases[r->count++];
	*c = (struct policy_case){ .name = mu_strdup(name) };
	if (source != NULL && config_read_text(r->faults, source, POLICY_NAME_MAX_BYTES, &text))
		c->source = mu_strdup(text);
	authority_read(r, config_map_find(n, "authority"), c);
	facts = case_facts(c);
	person_read(r, config_map_find(n, "person"), &c->attrs);
	groups_read(r, config_map_find(n, "groups"), &c->groups);
	role_names_read(r, config_map_find(n, "granted"), &c->granted);
	(void)config_read_bool(r->faults, config_map_find(n, "blocked"), &c->blocked);
	c->identified = level_read(r, config_map_find(n, "identified"), "");
	if (!state_read(r, config_map_find(n, "state"), &c->state))
		c->state = state_reckon(r, n, &facts);
	expect_read(r, config_map_find(n, "expect"), c);
}

static void
cases_read(struct reading *r, const struct config_node *n)
{
	if (!config_read_list(r->faults, n))
		return;
	if (config_list_count(n) > CASES_MAX)
		config_fault(r->faults, n, "%zu cases are too many for one file: %d at most",
		    config_list_count(n), CASES_MAX);
	else
		for (size_t i = 0; i < config_list_count(n); i++)
			case_read(r, config_list_at(n, i));
}

/* --- Verdicts --------------------------------------------------------------------------------------- */

static void
names_add(struct mu_buf *b, const struct strings *s)
{
	mu_buf_char_add(b, '[');
	for (size_t i = 0; i < s->count; i++)
		mu_buf_format(b, "%s%s", i == 0 ? "" : ", ", s->list[i]);
	mu_buf_char_add(b, ']');
}

static void
rights_add(struct mu_buf *b, const struct entitlements *e)
{
	MU_AUTO(mu_buf_clear) struct mu_buf lines = MU_BUF_INIT;

	entitlements_format(e, &lines);
	mu_buf_char_add(b, '[');
	for (size_t i = 0; i + 1 < lines.size_bytes; i++)
		if (lines.data[i] == '\n')
			mu_buf_text_add(b, ", ");
		else
			mu_buf_char_add(b, lines.data[i]);
	mu_buf_char_add(b, ']');
}

static void
separate(struct mu_buf *b)
{
	if (b->size_bytes > 0)
		mu_buf_text_add(b, "; ");
}

static void
names_compare(struct mu_buf *b, const char *what, const struct strings *want, const struct strings *have)
{
	if (strings_equal(want, have))
		return;
	separate(b);
	mu_buf_format(b, "expected %s ", what);
	names_add(b, want);
	mu_buf_text_add(b, ", have ");
	names_add(b, have);
}

static void
texts_compare(struct mu_buf *b, const char *what, const char *want, const char *have)
{
	if (strcmp(want, have) == 0)
		return;
	separate(b);
	mu_buf_format(b, "expected %s %s, have %s", what, want, have);
}

static void
accounts_compare(struct mu_buf *b, const struct policy_case *c, const struct policy_decision *d)
{
	static const struct entitlements no_rights = ENTITLEMENTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf what = MU_BUF_INIT;

	for (size_t i = 0; i < d->account_count; i++)
		if (expected_find(c, d->accounts[i].platform) == NULL) {
			separate(b);
			mu_buf_format(b, "expected no account on %s, have %s", d->accounts[i].platform,
			    account_state_name(d->accounts[i].state));
		}
	for (size_t i = 0; i < c->account_count; i++) {
		const struct expected_account *want = &c->accounts[i];
		const struct policy_account *have = NULL;
		const struct entitlements *rights;

		for (size_t k = 0; k < d->account_count; k++)
			if (strcmp(d->accounts[k].platform, want->platform) == 0)
				have = &d->accounts[k];
		mu_buf_reset(&what);
		mu_buf_format(&what, "account on %s", want->platform);
		texts_compare(b, what.data, account_state_name(want->state),
		    account_state_name(have == NULL ? ACCOUNT_ABSENT : have->state));
		rights = have == NULL ? &no_rights : &have->entitlements;
		if (!want->rights_said || entitlements_equal(&want->rights, rights))
			continue;
		separate(b);
		mu_buf_format(b, "expected rights on %s ", want->platform);
		rights_add(b, &want->rights);
		mu_buf_text_add(b, ", have ");
		rights_add(b, rights);
	}
}

static bool
case_run(const struct policy *p, const struct policy_case *c, struct mu_buf *out)
{
	MU_AUTO(policy_decision_clear) struct policy_decision d = { .identified = "" };
	MU_AUTO(mu_buf_clear) struct mu_buf wrong = MU_BUF_INIT;
	const struct policy_subject subject = {
		.facts = case_facts(c), .state = c->state, .blocked = c->blocked,
		.identified = c->identified, .granted = &c->granted,
	};

	policy_decide(p, &subject, &d);
	names_compare(&wrong, "roles", &c->roles, &d.roles);
	names_compare(&wrong, "waiting", &c->waiting, &d.waiting);
	names_compare(&wrong, "granted", &c->working, &d.granted);
	for (size_t i = 0; i < c->refused.count; i++)
		if (strings_has(&d.roles, c->refused.list[i]) ||
		    strings_has(&d.granted, c->refused.list[i])) {
			separate(&wrong);
			mu_buf_format(&wrong, "expected role %s to be refused, have it", c->refused.list[i]);
		}
	accounts_compare(&wrong, c, &d);
	if (c->level != NULL)
		texts_compare(&wrong, "identification", c->level[0] == '\0' ? NOT_IDENTIFIED : c->level,
		    d.identified[0] == '\0' ? NOT_IDENTIFIED : d.identified);
	if (c->state_said)
		texts_compare(&wrong, "state", person_state_name(c->state_wanted),
		    person_state_name(c->state));
	if (wrong.size_bytes == 0)
		mu_buf_format(out, "ok %s\n", c->name);
	else
		mu_buf_format(out, "not ok %s: %s\n", c->name, wrong.data);
	return wrong.size_bytes == 0;
}

enum mu_rc
policy_cases_run(const struct policy *p, const struct policy_file *cases, int64_t now_s,
    struct config_faults *faults, struct mu_buf *out, struct policy_cases_result *out_result,
    struct mu_err *err)
{
	MU_AUTO(reading_clear) struct reading r = { .policy = p, .faults = faults, .now_s = now_s };
	MU_AUTO(config_doc_freep) struct config_doc *doc = NULL;
	struct policy_cases_result result = { 0, 0 };
	size_t before = faults->count + faults->more_count;

	if (config_doc_parse(cases->content, strlen(cases->content), cases->name, faults, &doc))
		cases_read(&r, config_doc_root(doc));
	if (faults->count + faults->more_count > before)
		return mu_fail(err, MU_EINPUT, "%s has faults", cases->name);
	for (size_t i = 0; i < r.count; i++)
		if (case_run(p, &r.cases[i], out))
			result.passed++;
		else
			result.failed++;
	*out_result = result;
	return MU_OK;
}
