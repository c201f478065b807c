/*
 * lattice_test.c - does any way lead one person alone from what they may to more?
 *
 * The search controls one administrator and whatever others it manages to make; it tries every kind of
 * action that the gates let it do with these alone, from every role. It is an enemy's: whom it enrols
 * does as it says.
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "given.h"

#define ROLES_MAX	8
#define HELD_MAX	2		/* administrators of one role: more of the same may no more */
#define STATES_MAX	6561		/* (HELD_MAX + 1) ^ ROLES_MAX */

typedef struct policy_needs needs_fn(const struct policy *p, enum action_kind kind, int64_t targets);
typedef bool covers_fn(const struct policy *p, const struct strings *by, const char *role, struct mu_buf *missing);

struct search {
	const struct policy *policy;
	needs_fn *needs;
	covers_fn *covers;
	char *names;			/* of the roles, cut at the commas */
	const char *roles[ROLES_MAX];
	size_t role_count, start;
	bool seen[STATES_MAX];
	struct mu_buf path;		/* the first way that leads up; "" for none */
};

struct state {
	int held[ROLES_MAX];		/* how many administrators of each role are theirs */
};

static void
search_init(struct search *s, const struct policy *p, needs_fn *needs, covers_fn *covers)
{
	MU_AUTO(mu_buf_clear) struct mu_buf names = MU_BUF_INIT;
	char *save = NULL;

	*s = (struct search){ .policy = p, .needs = needs, .covers = covers };
	policy_admin_names(p, &names);
	s->names = mu_strdup(names.data);
	for (char *name = strtok_r(s->names, ", ", &save); name != NULL; name = strtok_r(NULL, ", ", &save)) {
		assert_true(s->role_count < ROLES_MAX);
		s->roles[s->role_count++] = name;
	}
}

static size_t
state_number(const struct search *s, const struct state *st)
{
	size_t number = 0;

	for (size_t i = 0; i < s->role_count; i++)
		number = number * (HELD_MAX + 1) + (size_t)st->held[i];
	return number;
}

/* A permission that none of the administrators they began with has; NULL: none. */
static const char *
gained(const struct search *s, const struct state *st)
{
	for (size_t i = 0; i < s->role_count; i++)
		for (size_t k = 0; st->held[i] > 0 && permission_at(k) != NULL; k++)
			if (policy_admin_may(s->policy, s->roles[i], permission_at(k)) &&
			    !policy_admin_may(s->policy, s->roles[s->start], permission_at(k)))
				return permission_at(k);
	return NULL;
}

/* Can an administrator of that role get this through with the approvals of others of theirs? */
static bool
gets_through(const struct search *s, const struct state *st, size_t asker, enum action_kind kind,
    struct strings *out_agreed)
{
	int64_t approvers = 0;

	if (!policy_admin_may(s->policy, s->roles[asker], action_kind_name(kind)))
		return false;
	strings_add(out_agreed, s->roles[asker]);
	for (size_t i = 0; i < s->role_count; i++) {
		int others = st->held[i] - (i == asker);

		if (others <= 0 || !policy_admin_may(s->policy, s->roles[i], "approve"))
			continue;
		approvers += others;
		strings_add(out_agreed, s->roles[i]);
	}
	return approvers >= s->needs(s->policy, kind, 1).approvals;
}

static void explore(struct search *s, const struct state *st, const char *so_far);

static void
step(struct search *s, const struct state *st, size_t asker, enum action_kind kind, const struct strings *agreed,
    const char *so_far)
{
	MU_AUTO(mu_buf_clear) struct mu_buf path = MU_BUF_INIT, missing = MU_BUF_INIT;

	switch (kind) {
	case ACTION_POLICY_APPLY:	/* whoever writes administrators.yaml alone may anything */
		mu_buf_format(&s->path, "%s; %s: %s", so_far, s->roles[asker], action_kind_name(kind));
		return;
	case ACTION_ADMIN_ENROL:
		for (size_t i = 0; i < s->role_count && s->path.size_bytes == 0; i++) {
			struct state next = *st;

			mu_buf_reset(&missing);
			if (st->held[i] == HELD_MAX || !s->covers(s->policy, agreed, s->roles[i], &missing))
				continue;
			next.held[i]++;
			mu_buf_reset(&path);
			mu_buf_format(&path, "%s; %s: enrols a %s", so_far, s->roles[asker], s->roles[i]);
			explore(s, &next, path.data);
		}
		return;
	/* These change people and what they have on platforms, brakes, clients and reads: no permission is among it. */
	case ACTION_REVOKE: case ACTION_SUSPEND: case ACTION_RESUME: case ACTION_REINSTATE: case ACTION_IDENTIFY:
	case ACTION_GRANT: case ACTION_UNGRANT: case ACTION_CREDENTIAL_ISSUE: case ACTION_BRAKE_RELEASE:
	case ACTION_CLIENT_ADD: case ACTION_CLIENT_RENEW: case ACTION_CLIENT_REMOVE: case ACTION_SYNC_RUN:
	case ACTION_REVIEW_CONFIRM: case ACTION_REVIEW_DROP:
	/* These take from administrators, or give back what was theirs. */
	case ACTION_ADMIN_UNLOCK: case ACTION_ADMIN_REMOVE:
		return;
	}
}

static void
explore(struct search *s, const struct state *st, const char *so_far)
{
	const char *more = gained(s, st);

	if (more != NULL)
		mu_buf_format(&s->path, "%s; now may %s", so_far, more);
	if (s->path.size_bytes > 0 || s->seen[state_number(s, st)])
		return;
	s->seen[state_number(s, st)] = true;
	for (size_t asker = 0; asker < s->role_count; asker++)
		for (unsigned int k = 0; st->held[asker] > 0 && k < ACTION_KIND_COUNT && s->path.size_bytes == 0; k++) {
			MU_AUTO(strings_clear) struct strings agreed = STRINGS_INIT;

			if (gets_through(s, st, asker, (enum action_kind)k, &agreed))
				step(s, st, asker, (enum action_kind)k, &agreed, so_far);
		}
}

/* The first way up from any role, in path; "" for none. */
static void
search_all(struct search *s)
{
	for (s->start = 0; s->start < s->role_count && s->path.size_bytes == 0; s->start++) {
		struct state st = { { 0 } };

		(void)memset(s->seen, 0, sizeof(s->seen));
		st.held[s->start] = 1;
		explore(s, &st, s->roles[s->start]);
	}
}

static void
search_clear(struct search *s)
{
	mu_free(s->names);
	mu_buf_clear(&s->path);
}

/* --- The controls, and each of them taken out --------------------------------------------------------------- */

static struct policy_needs
no_approval(const struct policy *p, enum action_kind kind, int64_t targets)
{
	(void)p;
	(void)kind;
	(void)targets;
	return (struct policy_needs){ true, 0 };
}

static struct policy_needs
enrolling_alone(const struct policy *p, enum action_kind kind, int64_t targets)
{
	struct policy_needs needs = policy_gate(p, kind, targets);

	return kind == ACTION_ADMIN_ENROL ? (struct policy_needs){ true, 0 } : needs;
}

static bool
anything(const struct policy *p, const struct strings *by, const char *role, struct mu_buf *missing)
{
	(void)p;
	(void)by;
	(void)role;
	(void)missing;
	return true;
}

static const char delegated[] =
    "- {role: root, may: [admin.enrol, policy.apply, revoke, approve]}\n"
    "- {role: enroller, may: [admin.enrol, approve, revoke]}\n"
    "- {role: desk, may: [revoke, approve]}\n";

static struct row {
	const char *name, *administrators;	/* NULL: the shipped policy */
	needs_fn *needs;
	covers_fn *covers;
	const char *want;			/* how the way up begins; "" for none */
} rows[] = {
	{ "P5_11_in_the_shipped_policy_no_way_leads_one_person_up", NULL, policy_gate, policy_admin_covers, "" },
	{ "P5_11_nor_where_enrolling_is_delegated", delegated, policy_gate, policy_admin_covers, "" },
	{ "who could enrol alone would approve their own policy", delegated, enrolling_alone, policy_admin_covers,
	    "root; root: enrols a root" },
	{ "without gates the search finds the way", NULL, no_approval, policy_admin_covers,
	    "administrator; administrator: policy.apply" },
	{ "without the rule on enrolling it finds the way of one who may enrol alone",
	    "- {role: enroller, may: [admin.enrol]}\n- {role: desk, may: [revoke]}\n", enrolling_alone, anything,
	    "enroller; enroller: enrols a enroller; enroller: enrols a desk; now may revoke" },
	{ "P5_11_with_it_there_is_none", "- {role: enroller, may: [admin.enrol]}\n- {role: desk, may: [revoke]}\n",
	    enrolling_alone, policy_admin_covers, "" },
};

static void
lattice_row(void **state)
{
	const struct row *r = *state;
	struct policy *p = r->administrators == NULL ? given_shipped() :
	    given_policy("[]\n", "administrators.yaml", r->administrators);
	static struct search s;

	search_init(&s, p, r->needs, r->covers);
	assert_true(s.role_count >= 2);
	search_all(&s);
	if (strncmp(mu_buf_text(&s.path), r->want, strlen(r->want)) != 0 ||
	    (r->want[0] == '\0' && s.path.size_bytes > 0))
		fail_msg("%s", mu_buf_text(&s.path));
	search_clear(&s);
	policy_free(p);
}

int
main(void)
{
	struct CMUnitTest tests[MU_COUNT(rows)];

	for (size_t i = 0; i < MU_COUNT(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, lattice_row, NULL, NULL, &rows[i] };
	return cmocka_run_group_tests_name("who gets further alone", tests, NULL, NULL);
}
