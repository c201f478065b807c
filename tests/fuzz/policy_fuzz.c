/*
 * Any bytes as one file of a policy, the first byte saying which, beside others that are right: a policy or
 * faults, never both. A policy that is taken holds what no file may change: gates never ask less than the
 * floor, whoever is blocked holds nothing, and a grant is never more than what was granted.
 */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *name, *content;
} right[] = {
	{ "identification.yaml", "- {level: hr, when: (checked=TRUE), evidence: ref}\n- {level: in-person}\n" },
	{ "roles.yaml",
	    "- role: chat\n  gives: [{platform: xmpp, account: true, groups: [all]}]\n  birthright: (type=staff)\n"
	    "- role: ops\n  gives: [{platform: xmpp, rooms: [ops], level: moderator}]\n  requestable: (type=staff)\n"
	    "  longest: 8h\n  identified: hr\n  conflicts: [audit]\n"
	    "- role: audit\n  gives: [{platform: sip, account: true}]\n  birthright: (group=audit)\n"
	    "  requestable: (type=staff)\n  longest: 1h\n" },
	{ "states.yaml", "{suspended: (status=away), starts: start, ends: end}\n" },
	{ "brake.yaml", "- {per: source, removals: {at_least: 5, share: 2%, within: 1h}}\n" },
	{ "gates.yaml", "- {actions: [revoke], code: required}\n" },
	{ "administrators.yaml", "- {role: desk, may: [revoke], scope: (type=staff)}\n" },
	{ "cases/x.yaml",
	    "- {name: a, person: {type: staff}, granted: [ops], expect: {roles: [chat], accounts: {xmpp: enabled}}}\n" },
};
#define CASES (MU_COUNT(right) - 1)

static size_t
lines_count(const struct mu_buf *b)
{
	size_t count = 0;

	for (size_t i = 0; i < b->size_bytes; i++)
		count += b->data[i] == '\n';
	return count;
}

/* Every fault is one line that can be printed. */
static void
faults_check(const struct config_faults *faults, bool good)
{
	MU_AUTO(mu_buf_clear) struct mu_buf said = MU_BUF_INIT;

	config_faults_format(faults, &said);
	if (good != (faults->count == 0) || lines_count(&said) != faults->count + (faults->more_count > 0) ||
	    !mu_utf8_valid(mu_buf_text(&said), said.size_bytes))
		abort();
}

static void
gates_check(const struct policy *p)
{
	for (unsigned int i = 0; i < ACTION_KIND_COUNT; i++) {
		struct action_floor floor = action_floor((enum action_kind)i);

		for (int64_t targets = 0; targets < 100; targets += 33) {
			struct policy_needs needs = policy_gate(p, (enum action_kind)i, targets);

			if ((floor.code && !needs.code) || needs.approvals < floor.approvals)
				abort();
		}
	}
	if (policy_admin_may(p, "desk", "*") || policy_admin_may(p, "", "revoke"))
		abort();
}

static void
person_check(const struct policy *p, const char *identified, bool blocked)
{
	MU_AUTO(attrs_clear) struct attrs attrs = ATTRS_INIT;
	MU_AUTO(strings_clear) struct strings groups = STRINGS_INIT;
	MU_AUTO(strings_clear) struct strings granted = STRINGS_INIT;
	MU_AUTO(policy_decision_clear) struct policy_decision d = { .identified = "" };
	MU_AUTO(mu_buf_clear) struct mu_buf lines = MU_BUF_INIT;
	const struct policy_subject s = { .facts = { &attrs, &groups, NULL, NULL }, .state = PERSON_ACTIVE,
		.blocked = blocked, .identified = identified, .granted = &granted };
	static const char *const roles[] = { "chat", "ops", "audit" };
	struct policy_request request;
	struct mu_err err = MU_ERR_INIT;

	attrs_add(&attrs, "type", "staff");
	strings_add(&groups, "night");
	strings_add(&granted, "audit");
	strings_add(&granted, "ops");
	policy_decide(p, &s, &d);
	if (blocked && d.roles.count + d.granted.count + d.waiting.count + d.account_count > 0)
		abort();
	for (size_t i = 0; i < d.granted.count; i++)
		if (!strings_has(&granted, d.granted.list[i]) || strings_has(&d.roles, d.granted.list[i]) ||
		    !policy_is_requestable(p, d.granted.list[i], &s.facts))
			abort();
	if (policy_explain(p, &s, NULL, &lines, &err) != MU_OK || lines.size_bytes == 0)
		abort();
	for (size_t i = 0; i < MU_COUNT(roles); i++) {
		enum mu_rc rc = policy_explain(p, &s, roles[i], &lines, &err);

		if (rc != MU_OK && rc != MU_EABSENT)
			abort();
		if (policy_request_check(p, &s, roles[i], &request, &err) == MU_OK &&
		    (blocked || request.longest_s <= 0))
			abort();
	}
}

static void
cases_check(const struct policy *p, const char *text)
{
	struct policy_file file = { mu_strdup(right[CASES].name), mu_strdup(text) };
	struct config_faults faults = CONFIG_FAULTS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf out = MU_BUF_INIT;
	struct policy_cases_result result = { 0, 0 };
	struct mu_err err = MU_ERR_INIT;
	bool good = policy_cases_run(p, &file, 1800000000, &faults, &out, &result, &err) == MU_OK;

	faults_check(&faults, good);
	if (lines_count(&out) != result.passed + result.failed)
		abort();
	config_faults_clear(&faults);
	mu_free(file.name);
	mu_free(file.content);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MU_AUTO(mu_freep) char *text = NULL;
	struct policy_file files[CASES];
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct policy *p = NULL;
	struct mu_err err = MU_ERR_INIT;
	size_t which;
	bool good;

	if (size == 0)
		return 0;
	which = data[0] % MU_COUNT(right);
	text = mu_strndup((const char *)data + 1, size - 1);
	for (size_t i = 0; i < CASES; i++)
		files[i] = (struct policy_file){ mu_strdup(right[i].name),
			mu_strdup(i == which ? text : right[i].content) };
	good = policy_parse(files, CASES, NULL, NULL, &faults, &p, &err) == MU_OK;
	if (good != (p != NULL))
		abort();
	faults_check(&faults, good);
	if (good) {
		gates_check(p);
		person_check(p, "", false);
		person_check(p, "in-person", false);
		person_check(p, "in-person", true);
		cases_check(p, which == CASES ? text : right[CASES].content);
	}
	policy_free(p);
	config_faults_clear(&faults);
	for (size_t i = 0; i < CASES; i++) {
		mu_free(files[i].name);
		mu_free(files[i].content);
	}
	return 0;
}
