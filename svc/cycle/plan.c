#include "cycle/batch_priv.h"

#include "base/text.h"
#include "store/policy.h"

#define PLAN_PAGE 500

/* How bad it is for the person: lines of the worst come first. */
enum severity { PLAN_SHUT_OUT, PLAN_LOSES, PLAN_CHANGES, PLAN_GAINS, PLAN_FAULTS };
#define PLAN_SEVERITY_COUNT (PLAN_FAULTS + 1)

struct plan {
	struct mu_buf lines[PLAN_SEVERITY_COUNT];
	int64_t people, changed, gaining, losing;
};

static void
plan_clear(struct plan *plan)
{
	for (int i = 0; i < PLAN_SEVERITY_COUNT; i++)
		mu_buf_clear(&plan->lines[i]);
}

static void
words_add(struct mu_buf *out, const char *verb, const struct strings *words)
{
	if (words->count == 0)
		return;
	mu_buf_format(out, " %s", verb);
	for (size_t i = 0; i < words->count; i++)
		mu_buf_format(out, "%s%s", i == 0 ? " " : ",", words->list[i]);
}

/* Is somebody who gets in somewhere shut out there? */
static bool
is_shut_out(const struct store_person *p, const struct cycle_change *ch)
{
	for (size_t i = 0; i < ch->account_count; i++)
		if (ch->accounts[i].was == ACCOUNT_ENABLED &&
		    p->accounts[ch->accounts[i].index].want.state != ACCOUNT_ENABLED)
			return true;
	return false;
}

static enum severity
severity(const struct store_person *p, const struct cycle_change *ch)
{
	bool urgent = false;

	for (size_t i = 0; i < ch->account_count; i++)
		urgent = urgent || ch->accounts[i].urgent;
	if (is_shut_out(p, ch))
		return PLAN_SHUT_OUT;
	if (ch->lost.count > 0 || urgent)
		return ch->gained.count == 0 ? PLAN_LOSES : PLAN_CHANGES;
	return PLAN_GAINS;
}

/* As they stand in logs: what the directory wrote there moves no terminal. */
static void
person_name(const struct store_person *p, struct mu_buf *out)
{
	char person[MU_UUID_TEXT_BYTES];

	mu_field_format(out, p->uid);
	mu_buf_char_add(out, ' ');
	mu_field_format(out, store_person_name(p));
	mu_buf_format(out, " %s", mu_uuid_format(&p->person_id, person));
}

static void
change_add(struct plan *plan, const struct store_person *p, const struct cycle_change *ch)
{
	MU_AUTO(strings_clear) struct strings accounts = STRINGS_INIT;
	struct mu_buf *out = &plan->lines[severity(p, ch)];

	plan->changed++;
	plan->gaining += ch->gained.count > 0;
	plan->losing += ch->lost.count > 0;
	person_name(p, out);
	mu_buf_format(out, " %s", person_state_name(ch->from));
	if (p->state != ch->from)
		mu_buf_format(out, " becomes %s", person_state_name(p->state));
	words_add(out, "loses", &ch->lost);
	words_add(out, "gains", &ch->gained);
	batch_accounts_tell(p, ch, &accounts);
	for (size_t i = 0; i < accounts.count; i++)
		mu_buf_format(out, "%s%s", i == 0 ? "; " : ", ", accounts.list[i]);
	mu_buf_char_add(out, '\n');
}

static enum mu_rc
person_plan(const struct cycle_rules *rules, struct store_person *p, int64_t now_s,
    struct plan *plan, struct mu_err *err)
{
	static const struct cycle_news again = { .heard = false };
	MU_AUTO(cycle_change_clear) struct cycle_change ch = { .write = false };

	plan->people++;
	if (cycle_decide(rules, NULL, p, &again, now_s, &ch, err) != MU_OK)
		return err->rc;
	if (ch.fault != NULL) {
		person_name(p, &plan->lines[PLAN_FAULTS]);
		mu_buf_format(&plan->lines[PLAN_FAULTS], " keeps the dates they had: %s\n",
		    ch.fault);
	}
	if (ch.transition || ch.account_count > 0)
		change_add(plan, p, &ch);
	return MU_OK;
}

static enum mu_rc
page_plan(struct store *s, const struct cycle_rules *rules, const struct mu_uuid *ids, size_t count,
    int64_t now_s, struct plan *plan, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };

	if (store_person_read_ids(s, ids, count, &people, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < people.count; i++)
		if (person_plan(rules, &people.list[i], now_s, plan, err) != MU_OK)
			return err->rc;
	return MU_OK;
}

static enum mu_rc
everyone_plan(struct store *s, const struct cycle_rules *rules, int64_t now_s, struct plan *plan,
    struct mu_err *err)
{
	struct mu_uuid ids[PLAN_PAGE], after = { { 0 } };
	size_t count = PLAN_PAGE;

	while (count == PLAN_PAGE) {
		if (store_person_page(s, &after, ids, PLAN_PAGE, &count, err) != MU_OK ||
		    (count > 0 && page_plan(s, rules, ids, count, now_s, plan, err) != MU_OK))
			return err->rc;
		if (count > 0)
			after = ids[count - 1];
	}
	return MU_OK;
}

enum mu_rc
cycle_plan(struct store *s, const struct cycle_rules *rules, int64_t now_s, struct mu_buf *out,
    struct mu_err *err)
{
	MU_AUTO(plan_clear) struct plan plan = { .people = 0 };
	int64_t base = 0;
	enum mu_rc rc;

	if (store_begin(s, err) != MU_OK)
		return err->rc;
	rc = store_policy_version(s, &base, err);
	if (rc == MU_OK)
		rc = everyone_plan(s, rules, now_s, &plan, err);
	store_rollback(s);
	if (rc != MU_OK)
		return rc;
	mu_buf_format(out, "base %lld\n", (long long)base);
	for (int i = 0; i < PLAN_SEVERITY_COUNT; i++)
		mu_buf_add(out, mu_buf_text(&plan.lines[i]), plan.lines[i].size_bytes);
	mu_buf_format(out, "%lld people, %lld would change: %lld lose, %lld gain\n",
	    (long long)plan.people, (long long)plan.changed, (long long)plan.losing,
	    (long long)plan.gaining);
	return MU_OK;
}
