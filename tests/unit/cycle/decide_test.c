/*
 * decide_test.c - what a change in the directory makes of a person's row: joiner, mover, leaver
 */
#include "cycle/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/yaml.h"

#define NOW 1000000000

static const char roles_yaml[] =
    "- role: chat\n"
    "  gives: [{platform: mem, account: true, groups: [all]}]\n"
    "  birthright: (employeeType=staff)\n"
    "  identified: known\n"
    "- role: sales\n"
    "  gives: [{platform: mem, groups: [sales]}]\n"
    "  birthright: (department=Sales)\n"
    "- role: ops\n"
    "  gives: [{platform: mem, groups: [ops]}]\n"
    "  birthright: (department=Ops)\n"
    "- role: helper\n"
    "  gives: [{platform: mem, groups: [help]}]\n"
    "  requestable: (!(department=Ops))\n"
    "  longest: 8h\n"
    "  approvals: 1\n"
    "- role: guard\n"
    "  gives: [{platform: mem, groups: [guard]}]\n"
    "  birthright: (employeeType=staff)\n"
    "  identified: seen\n";

static struct policy *policy;
static struct cycle_platform platform = { "mem", "uid", NULL };
static struct cycle_rules rules;

static bool
attr_known(const void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return true;
}

static int
setup(void **state)
{
	struct policy_file files[] = {
		{ mu_strdup("identification.yaml"),
		    mu_strdup("- {level: known, when: (checked=TRUE)}\n- {level: seen}\n") },
		{ mu_strdup("roles.yaml"), mu_strdup(roles_yaml) },
		{ mu_strdup("states.yaml"),
		    mu_strdup("starts: startDate\nends: endDate\nsuspended: (status=away)\n"
		    "left: (status=gone)\nreturns: backDate\ngrace: 7d\n") },
	};
	struct config_faults faults = CONFIG_FAULTS_INIT;
	struct mu_err err = MU_ERR_INIT;

	(void)state;
	assert_int_equal(MU_OK, policy_parse(files, MU_COUNT(files), attr_known, NULL, &faults,
	    &policy, &err));
	for (size_t i = 0; i < MU_COUNT(files); i++) {
		mu_free(files[i].name);
		mu_free(files[i].content);
	}
	platform.ops = adapter_find("memory");
	assert_non_null(platform.ops);
	rules = (struct cycle_rules){ .policy = policy, .platforms = &platform,
		.platform_count = 1 };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	policy_free(policy);
	return 0;
}

/* --- A person of a test, told news one after another ---------------------------------------- */

struct told {
	struct store_person p;
	struct cycle_change ch;
	struct mu_err err;
	bool unchanged;			/* the entry is told again as it was */
};

static void
person_init(struct told *t)
{
	(void)memset(t, 0, sizeof(*t));
	t->p = (struct store_person){ .source = mu_strdup("main"), .dn = mu_strdup(""),
		.uid = mu_strdup(""), .identified = mu_strdup(""), .evidence = mu_strdup(""),
		.state = PERSON_STAGED, .state_since_s = NOW };
	mu_uuid_new(&t->p.person_id);
}

/* attributes as "a=1 b=2"; NULL: the entry is gone */
static enum mu_rc
tell(struct told *t, const char *attributes, int64_t now_s)
{
	static unsigned char hash = 1;
	unsigned char content_hash[CONTENT_HASH_BYTES] = { 0 };
	struct attrs attrs = ATTRS_INIT;
	struct strings groups = STRINGS_INIT;
	struct cycle_news news = { .heard = true, .present = attributes != NULL, .dn = "uid=a",
		.uid = "a", .attrs = &attrs, .content_hash = content_hash,
		.groups = attributes == NULL ? NULL : &groups };
	MU_AUTO(mu_freep) char *copy = mu_strdup(attributes == NULL ? "" : attributes);
	char *save = NULL;
	enum mu_rc rc;

	content_hash[0] = hash++;
	if (attributes != NULL && t->unchanged)
		(void)memcpy(content_hash, t->p.content_hash, sizeof(content_hash));
	for (char *word = strtok_r(copy, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '=');

		*value++ = '\0';
		attrs_add(&attrs, word, value);
	}
	cycle_change_clear(&t->ch);
	rc = cycle_decide(&rules, NULL, &t->p, &news, now_s, &t->ch, &t->err);
	attrs_clear(&attrs);
	if (rc == MU_OK) {
		t->p.version++;		/* as the writer and a new read would */
		for (size_t i = 0; i < t->p.account_count; i++)
			t->p.accounts[i].fresh = false;
	}
	return rc;
}

static void
person_end(struct told *t)
{
	cycle_change_clear(&t->ch);
	store_person_clear(&t->p);
}

static void
wants(const struct told *t, enum account_state state, const char *rights)
{
	MU_AUTO(mu_buf_clear) struct mu_buf got = MU_BUF_INIT;

	assert_int_equal(1, t->p.account_count);
	assert_int_equal(state, t->p.accounts[0].want.state);
	entitlements_format(&t->p.accounts[0].want.entitlements, &got);
	assert_string_equal(rights, mu_buf_text(&got));
}

#define STAFF "uid=Ann employeeType=staff checked=TRUE "

static void
P5_2_a_joiner_gets_an_account_with_a_normalised_name(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF "department=Sales", NOW));
	wants(&t, ACCOUNT_ENABLED, "group all\ngroup sales\n");
	assert_string_equal("ann", t.p.accounts[0].want.name);
	assert_int_equal(AUDIT_PERSON_JOINED, t.ch.kind);
	assert_int_equal(PERSON_ACTIVE, t.p.state);
	assert_false(t.ch.removal);
	assert_int_equal(1, t.p.accounts[0].want.version);
	person_end(&t);
}

static void
P5_15_not_identified_is_disabled_and_without_rights(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, "uid=ann employeeType=staff", NOW));
	wants(&t, ACCOUNT_DISABLED, "");
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW + 1));
	wants(&t, ACCOUNT_ENABLED, "group all\n");
	assert_true(t.ch.identified);
	person_end(&t);
}

static void
P5_4_a_mover_keeps_nothing_from_before(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF "department=Sales", NOW));
	assert_int_equal(MU_OK, tell(&t, STAFF "department=Ops", NOW + 1));
	wants(&t, ACCOUNT_ENABLED, "group all\ngroup ops\n");
	assert_true(strings_has(&t.ch.lost, "sales") && strings_has(&t.ch.gained, "ops"));
	assert_false(t.ch.removal);	/* a swap is not what the brake counts */
	assert_int_equal(1, t.ch.account_count);
	assert_true(t.ch.accounts[0].urgent);	/* a right is taken away */
	person_end(&t);
}

static void
P5_3_a_leaver_loses_everything_at_once(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF "department=Sales", NOW));
	assert_int_equal(MU_OK, tell(&t, NULL, NOW + 1));
	wants(&t, ACCOUNT_DISABLED, "");
	assert_int_equal(PERSON_LEAVER, t.p.state);
	assert_int_equal(AUDIT_PERSON_LEFT, t.ch.kind);
	assert_true(t.ch.removal);
	assert_true(t.ch.accounts[0].urgent);
	assert_int_equal(0, t.p.roles.count);
	person_end(&t);
}

static void
a_leaver_who_comes_back_is_the_same_person(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	assert_int_equal(MU_OK, tell(&t, NULL, NOW + 1));
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW + 2));
	wants(&t, ACCOUNT_ENABLED, "group all\n");
	assert_int_equal(AUDIT_PERSON_RETURNED, t.ch.kind);
	assert_int_equal(3, t.p.accounts[0].want.version);
	person_end(&t);
}

static void
P5_10_losing_roles_without_gaining_counts_as_a_removal(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF "department=Sales", NOW));
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW + 1));	/* the attribute was hidden */
	assert_true(t.ch.removal);
	person_end(&t);
}

static void
a_block_outlasts_any_news_of_the_directory(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	t.p.blocked = true;
	assert_int_equal(MU_OK, tell(&t, STAFF "department=Ops", NOW + 1));
	wants(&t, ACCOUNT_DISABLED, "");
	person_end(&t);
}

static void
a_malformed_date_is_the_entrys_fault(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_EINPUT, tell(&t, STAFF "startDate=tomorrow", NOW));
	assert_non_null(strstr(t.err.text, "startDate"));
	person_end(&t);
}

static void
a_name_the_platform_refuses_leaves_the_person_in(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, "employeeType=staff checked=TRUE", NOW));
	assert_int_equal(0, t.p.account_count);
	assert_string_equal("mem", t.ch.refused_platform);
	assert_int_equal(PERSON_ACTIVE, t.p.state);
	person_end(&t);
}

static void
nothing_new_writes_nothing(void **state)
{
	static const struct cycle_news again = { .heard = false };
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	cycle_change_clear(&t.ch);
	assert_int_equal(MU_OK, cycle_decide(&rules, NULL, &t.p, &again, NOW + 5, &t.ch, &t.err));
	assert_false(t.ch.write);
	assert_int_equal(0, t.ch.account_count);
	person_end(&t);
}

static void
a_grace_period_that_ends_erases(void **state)
{
	static const struct cycle_news again = { .heard = false };
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	assert_int_equal(MU_OK, tell(&t, NULL, NOW + 1));
	cycle_change_clear(&t.ch);
	assert_int_equal(MU_OK, cycle_decide(&rules, NULL, &t.p, &again, t.p.due_at_s, &t.ch,
	    &t.err));
	assert_int_equal(PERSON_ERASED, t.p.state);
	assert_int_equal(0, t.p.attrs.count);
	assert_string_equal("", t.p.dn);
	wants(&t, ACCOUNT_ABSENT, "");
	assert_false(t.ch.removal);
	person_end(&t);
}

static void
the_erased_whose_entry_is_still_there_stay_erased(void **state)
{
	static const struct cycle_news again = { .heard = false };
	static const char ended[] = STAFF "endDate=20010909014641Z";	/* NOW + 1 */
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, ended, NOW));
	cycle_change_clear(&t.ch);
	assert_int_equal(MU_OK, cycle_decide(&rules, NULL, &t.p, &again, NOW + 1, &t.ch, &t.err));
	assert_int_equal(PERSON_LEAVER, t.p.state);
	cycle_change_clear(&t.ch);
	assert_int_equal(MU_OK, cycle_decide(&rules, NULL, &t.p, &again, t.p.due_at_s, &t.ch,
	    &t.err));
	assert_int_equal(PERSON_ERASED, t.p.state);
	t.unchanged = true;
	assert_int_equal(MU_OK, tell(&t, ended, NOW + 40 * MU_DAY_S));
	assert_int_equal(PERSON_ERASED, t.p.state);
	assert_false(t.ch.write);
	t.unchanged = false;
	assert_int_equal(MU_OK, tell(&t, STAFF "endDate=20010909014642Z", NOW + 40 * MU_DAY_S));
	assert_int_equal(PERSON_ERASED, t.p.state);
	assert_int_equal(0, t.p.attrs.count);
	assert_string_equal("", t.p.dn);
	wants(&t, ACCOUNT_ABSENT, "");
	person_end(&t);
}

static void
who_is_gone_goes_whatever_their_last_entry_said(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	attrs_add(&t.p.attrs, "endDate", "soon");	/* taken when the policy did not read it */
	assert_int_equal(MU_OK, tell(&t, NULL, NOW + 1));
	assert_int_equal(PERSON_LEAVER, t.p.state);
	wants(&t, ACCOUNT_DISABLED, "");
	person_end(&t);
}

/* --- Entries of who has left, and planned returns ---------------------------------------------- */

static void
P5_2_who_has_left_is_a_leaver_though_the_entry_is_there(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	assert_int_equal(MU_OK, tell(&t, STAFF "status=gone endDate=soon", NOW + 1));
	assert_int_equal(PERSON_LEAVER, t.p.state);
	assert_int_equal(AUDIT_PERSON_LEFT, t.ch.kind);
	assert_string_equal("a state rule says that they have left", t.ch.reason);
	assert_true(t.ch.removal);		/* the brake judges it as any other */
	assert_true(t.ch.accounts[0].urgent);
	assert_int_equal(NOW + 1 + 7 * MU_DAY_S, t.p.due_at_s);
	wants(&t, ACCOUNT_DISABLED, "");
	person_end(&t);
}

static void
who_had_left_when_first_heard_of_is_not_stored(void **state)
{
	static const char *const news[] = { STAFF "status=gone", STAFF "endDate=20010909014640Z" };

	(void)state;
	for (size_t i = 0; i < MU_COUNT(news); i++) {
		struct told t;

		person_init(&t);
		assert_int_equal(MU_OK, tell(&t, news[i], NOW));
		assert_int_equal(PERSON_LEAVER, t.p.state);
		assert_false(t.ch.write || t.ch.transition || t.ch.account_count > 0);
		person_end(&t);
	}
}

/* Decides by the row alone, as the clock, a policy and a group do. */
static void
look(struct told *t, bool held, int64_t now_s)
{
	const struct cycle_news again = { .held = held };

	cycle_change_clear(&t->ch);
	assert_int_equal(MU_OK, cycle_decide(&rules, NULL, &t->p, &again, now_s, &t->ch, &t->err));
}

static void
who_left_by_a_rule_is_back_by_the_row_alone_while_the_entry_is_there(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	assert_int_equal(MU_OK, tell(&t, STAFF "status=gone", NOW + 1));
	attrs_clear(&t.p.attrs);	/* as a policy that does not say so any more */
	attrs_add(&t.p.attrs, "uid", "Ann");
	look(&t, false, NOW + 2);
	assert_int_equal(PERSON_ACTIVE, t.p.state);
	assert_int_equal(AUDIT_PERSON_RETURNED, t.ch.kind);
	assert_int_equal(MU_OK, tell(&t, STAFF "status=gone", NOW + 3));
	assert_int_equal(MU_OK, tell(&t, NULL, NOW + 4));
	assert_true(t.ch.write);		/* for this alone: */
	assert_false(t.ch.transition);
	attrs_clear(&t.p.attrs);
	look(&t, false, NOW + 5);
	assert_int_equal(PERSON_LEAVER, t.p.state);
	person_end(&t);
}

static void
who_is_erased_and_comes_back_is_the_same_person_with_nothing_from_before(void **state)
{
	struct told t;
	struct mu_uuid id;

	(void)state;
	person_init(&t);
	id = t.p.person_id;
	assert_int_equal(MU_OK, tell(&t, STAFF "department=Sales", NOW));
	t.p.blocked = true;
	assert_int_equal(MU_OK, tell(&t, NULL, NOW + 1));
	look(&t, false, t.p.due_at_s);
	assert_int_equal(PERSON_ERASED, t.p.state);
	look(&t, false, NOW + 100 * MU_DAY_S);
	assert_int_equal(PERSON_ERASED, t.p.state);
	assert_int_equal(MU_OK, tell(&t, STAFF "startDate=20300101000000Z", NOW + 101 * MU_DAY_S));
	assert_int_equal(PERSON_STAGED, t.p.state);
	assert_int_equal(AUDIT_PERSON_RETURNED, t.ch.kind);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW + 102 * MU_DAY_S));
	assert_int_equal(PERSON_ACTIVE, t.p.state);
	wants(&t, ACCOUNT_DISABLED, "");	/* the block stands */
	t.p.blocked = false;
	look(&t, false, NOW + 103 * MU_DAY_S);
	wants(&t, ACCOUNT_ENABLED, "group all\n");
	assert_memory_equal(&id, &t.p.person_id, sizeof(id));
	person_end(&t);
}

static void
a_planned_return_that_is_none_is_told_once(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	/* NOW + 10 */
	assert_int_equal(MU_OK, tell(&t, STAFF "status=away backDate=20010909014650Z", NOW));
	assert_int_equal(PERSON_SUSPENDED, t.p.state);
	assert_int_equal(NOW + 10, t.p.due_at_s);
	look(&t, false, NOW + 9);
	assert_false(t.ch.write);
	look(&t, false, NOW + 10);
	assert_true(t.ch.write && t.ch.transition);
	assert_int_equal(AUDIT_PERSON_OVERDUE, t.ch.kind);
	assert_int_equal(PERSON_SUSPENDED, t.p.state);
	assert_int_equal(0, t.p.due_at_s);
	assert_false(t.ch.removal);
	look(&t, false, NOW + 11);
	assert_false(t.ch.write);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW + 12));
	assert_int_equal(PERSON_ACTIVE, t.p.state);
	assert_int_equal(AUDIT_PERSON_RESUMED, t.ch.kind);
	person_end(&t);
}

static void
a_malformed_date_keeps_nobody_in_who_is_suspended(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF "endDate=20300101000000Z", NOW));
	assert_int_equal(MU_OK, tell(&t, STAFF "status=away endDate=then backDate=later", NOW + 1));
	assert_int_equal(PERSON_SUSPENDED, t.p.state);
	assert_int_equal(1893456000, t.p.ends_at_s);	/* as it was */
	wants(&t, ACCOUNT_DISABLED, "");
	look(&t, false, NOW + 2);			/* nor who is, by a policy's new dates */
	assert_int_equal(PERSON_SUSPENDED, t.p.state);
	person_end(&t);
}

/* --- What actions gave ---------------------------------------------------------------------- */

static void
grant_add(struct told *t, const char *role, int64_t starts_at_s, int64_t ends_at_s)
{
	struct store_person *p = &t->p;

	p->grants = mu_alloc_again(p->grants, p->grant_count + 1, sizeof(*p->grants));
	p->grants[p->grant_count] = (struct grant){ .person_id = p->person_id,
		.role = mu_strdup(role), .reason = mu_strdup(""), .starts_at_s = starts_at_s,
		.ends_at_s = ends_at_s };
	mu_uuid_new(&p->grants[p->grant_count++].grant_id);
}

static void
grant_runs_from_its_start_to_its_end(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	grant_add(&t, "helper", NOW + 10, NOW + 20);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	wants(&t, ACCOUNT_ENABLED, "group all\n");
	assert_int_equal(NOW + 10, t.p.due_at_s);
	look(&t, false, NOW + 9);
	assert_false(t.ch.write);
	look(&t, false, NOW + 10);
	wants(&t, ACCOUNT_ENABLED, "group all\ngroup help\n");
	assert_true(strings_has(&t.ch.gained, "helper"));
	assert_int_equal(NOW + 20, t.p.due_at_s);
	look(&t, false, NOW + 20);
	wants(&t, ACCOUNT_ENABLED, "group all\n");
	assert_true(strings_has(&t.ch.lost, "helper"));
	/* every grant ends: nothing that the brake judges */
	assert_false(t.ch.removal);
	assert_true(t.ch.accounts[0].urgent);
	assert_int_equal(1, t.ch.end_count);
	assert_string_equal("ended", t.ch.ends[0].reason);
	assert_string_equal("helper", t.ch.ends[0].role);
	assert_int_equal(0, t.p.grant_count);
	assert_int_equal(0, t.p.due_at_s);
	person_end(&t);
}

static struct end_row {
	const char *name, *news;	/* NULL: the entry is gone */
	bool blocked, suspended;
	const char *want;		/* NULL: the grant stays */
} end_rows[] = {
	{ "a grant outlasts a change that has nothing to do with it", STAFF "title=x", false, false,
	    NULL },
	{ "P5_3_a_leavers_grant_goes", NULL, false, false, "left" },
	{ "P5_3_a_revoked_persons_grant_goes", STAFF, true, false, "revoked" },
	{ "P5_4_a_mover_loses_a_grant_that_is_not_for_them_any_more", STAFF "department=Ops",
	    false, false, "no longer requestable" },
	{ "who is suspended by an administrator has their grant later", STAFF, false, true, NULL },
	{ "who is suspended by the directory has it later, too", STAFF "status=away", false, false,
	    NULL },
	{ "who is past their end date has left", STAFF "endDate=20010909014640Z", false, false,
	    "left" },
};

static void
end_row_holds(void **state)
{
	const struct end_row *r = *state;
	struct told t;

	person_init(&t);
	grant_add(&t, "helper", NOW - 10, NOW + 20);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	assert_true(strings_has(&t.p.roles, "helper"));
	t.p.blocked = r->blocked;
	t.p.suspended = r->suspended;
	assert_int_equal(MU_OK, tell(&t, r->news, NOW + 1));
	assert_int_equal(r->want == NULL ? 1 : 0, t.p.grant_count);
	assert_int_equal(r->want == NULL ? 0 : 1, t.ch.end_count);
	if (r->want != NULL) {
		assert_string_equal(r->want, t.ch.ends[0].reason);
		assert_false(strings_has(&t.p.roles, "helper"));
	}
	person_end(&t);
}

static void
a_role_unknown_to_the_policy_gives_nothing(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	grant_add(&t, "emperor", NOW - 10, NOW + 20);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	wants(&t, ACCOUNT_ENABLED, "group all\n");
	assert_int_equal(0, t.p.grant_count);
	person_end(&t);
}

static void
P5_15_an_action_vouches_where_the_directory_does_not(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, "uid=ann employeeType=staff", NOW));
	wants(&t, ACCOUNT_DISABLED, "");
	t.p.vouched.level = mu_strdup("seen");
	look(&t, false, NOW + 1);
	wants(&t, ACCOUNT_ENABLED, "group all\ngroup guard\n");
	assert_string_equal("seen", t.p.identified);
	assert_true(t.ch.identified);
	person_end(&t);
}

static void
P5_3_nobody_suspended_gets_in_until_they_are_to_return(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	t.p.suspended = true;
	t.p.resume_at_s = NOW + 100;
	look(&t, false, NOW + 1);
	wants(&t, ACCOUNT_DISABLED, "");
	assert_int_equal(PERSON_SUSPENDED, t.p.state);
	assert_int_equal(AUDIT_PERSON_SUSPENDED, t.ch.kind);
	assert_int_equal(NOW + 100, t.p.due_at_s);
	assert_int_equal(MU_OK, tell(&t, STAFF "title=x", NOW + 2));
	assert_int_equal(PERSON_SUSPENDED, t.p.state);
	look(&t, false, NOW + 99);
	assert_false(t.ch.write);
	look(&t, false, NOW + 100);
	wants(&t, ACCOUNT_ENABLED, "group all\n");
	assert_int_equal(AUDIT_PERSON_RESUMED, t.ch.kind);
	assert_false(t.p.suspended);
	assert_int_equal(0, t.p.resume_at_s);
	person_end(&t);
}

static void
who_must_go_goes_whatever_their_row_says(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF, NOW));
	attrs_add(&t.p.attrs, "endDate", "soon");	/* taken when the policy did not read it */
	t.p.blocked = true;
	look(&t, false, NOW + 1);
	wants(&t, ACCOUNT_DISABLED, "");
	assert_non_null(strstr(t.ch.fault, "endDate"));
	person_end(&t);
}

static void
P5_10_held_keep_all_but_what_time_and_actions_take(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	grant_add(&t, "helper", NOW - 10, NOW + 20);
	/* NOW + 5 */
	assert_int_equal(MU_OK, tell(&t, STAFF "endDate=20010909014645Z", NOW));
	look(&t, true, NOW + 10);
	wants(&t, ACCOUNT_ENABLED, "group all\ngroup help\n");
	assert_int_equal(PERSON_ACTIVE, t.p.state);
	assert_int_equal(NOW + 20, t.p.due_at_s);	/* not what is held */
	look(&t, true, NOW + 20);
	wants(&t, ACCOUNT_ENABLED, "group all\n");
	assert_false(t.ch.stays);
	t.p.blocked = true;
	look(&t, true, NOW + 21);
	wants(&t, ACCOUNT_DISABLED, "");
	assert_false(t.ch.stays);
	t.p.blocked = false;
	look(&t, false, NOW + 22);
	assert_int_equal(PERSON_LEAVER, t.p.state);
	person_end(&t);
}

static void
P5_10_held_keep_roles_that_the_facts_no_longer_give(void **state)
{
	struct told t;

	(void)state;
	person_init(&t);
	assert_int_equal(MU_OK, tell(&t, STAFF "department=Sales", NOW));
	/* as a group that is gone, or another policy */
	attrs_clear(&t.p.attrs);
	attrs_add(&t.p.attrs, "uid", "ann");
	look(&t, true, NOW + 1);
	wants(&t, ACCOUNT_ENABLED, "group all\ngroup sales\n");
	assert_false(t.ch.stays);
	strings_add(&t.p.roles, "forgotten");		/* the policy knows it no more */
	look(&t, true, NOW + 2);
	assert_true(t.ch.stays);
	person_end(&t);
}

int
main(void)
{
#define END(i) { end_rows[i].name, end_row_holds, NULL, NULL, &end_rows[i] }
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(P5_2_a_joiner_gets_an_account_with_a_normalised_name),
		cmocka_unit_test(P5_15_not_identified_is_disabled_and_without_rights),
		cmocka_unit_test(P5_4_a_mover_keeps_nothing_from_before),
		cmocka_unit_test(P5_3_a_leaver_loses_everything_at_once),
		cmocka_unit_test(a_leaver_who_comes_back_is_the_same_person),
		cmocka_unit_test(P5_10_losing_roles_without_gaining_counts_as_a_removal),
		cmocka_unit_test(a_block_outlasts_any_news_of_the_directory),
		cmocka_unit_test(a_malformed_date_is_the_entrys_fault),
		cmocka_unit_test(a_name_the_platform_refuses_leaves_the_person_in),
		cmocka_unit_test(nothing_new_writes_nothing),
		cmocka_unit_test(a_grace_period_that_ends_erases),
		cmocka_unit_test(the_erased_whose_entry_is_still_there_stay_erased),
		cmocka_unit_test(who_is_gone_goes_whatever_their_last_entry_said),
		cmocka_unit_test(P5_2_who_has_left_is_a_leaver_though_the_entry_is_there),
		cmocka_unit_test(who_had_left_when_first_heard_of_is_not_stored),
		cmocka_unit_test(
		    who_left_by_a_rule_is_back_by_the_row_alone_while_the_entry_is_there),
		cmocka_unit_test(
		    who_is_erased_and_comes_back_is_the_same_person_with_nothing_from_before),
		cmocka_unit_test(a_planned_return_that_is_none_is_told_once),
		cmocka_unit_test(a_malformed_date_keeps_nobody_in_who_is_suspended),
		cmocka_unit_test(grant_runs_from_its_start_to_its_end),
		cmocka_unit_test(a_role_unknown_to_the_policy_gives_nothing),
		cmocka_unit_test(P5_15_an_action_vouches_where_the_directory_does_not),
		cmocka_unit_test(P5_3_nobody_suspended_gets_in_until_they_are_to_return),
		cmocka_unit_test(who_must_go_goes_whatever_their_row_says),
		cmocka_unit_test(P5_10_held_keep_all_but_what_time_and_actions_take),
		cmocka_unit_test(P5_10_held_keep_roles_that_the_facts_no_longer_give),
		END(0), END(1), END(2), END(3), END(4), END(5), END(6),
	};

	return cmocka_run_group_tests_name("decide", tests, setup, teardown);
}
