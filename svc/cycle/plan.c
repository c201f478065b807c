#include "cycle/cycle.h"

#define PLAN_PAGE 500

struct plan_counts {
	int64_t people, changed, gaining, losing;
};

static void
words_add(struct mu_buf *out, const char *verb, const struct strings *words)
{
	if (words->count == 0)
		return;
	mu_buf_format(out, " %s", verb);
	for (size_t i = 0; i < words->count; i++)
		mu_buf_format(out, "%s%s", i == 0 ? " " : ",", words->list[i]);
}

static enum mu_rc
person_plan(const struct cycle_rules *rules, struct store_person *p, int64_t now_s, struct mu_buf *out,
    struct plan_counts *counts, struct mu_err *err)
{
	static const struct cycle_news again = { .heard = false };
	MU_AUTO(cycle_change_clear) struct cycle_change ch = { .write = false };
	char person[MU_UUID_TEXT_BYTES];
	enum person_state from = p->state;
	enum mu_rc rc = cycle_decide(rules, NULL, p, &again, now_s, &ch, err);

	counts->people++;
	(void)mu_uuid_format(&p->person_id, person);
	if (rc == MU_OK && ch.fault != NULL)
		mu_buf_format(out, "%s: %s\n", person, ch.fault);
	if (rc != MU_OK || (!ch.transition && ch.account_count == 0))
		return rc;
	counts->changed++;
	counts->gaining += ch.gained.count > 0;
	counts->losing += ch.lost.count > 0;
	mu_buf_format(out, "%s %s", person, person_state_name(from));
	if (p->state != from)
		mu_buf_format(out, " becomes %s", person_state_name(p->state));
	words_add(out, "loses", &ch.lost);
	words_add(out, "gains", &ch.gained);
	mu_buf_char_add(out, '\n');
	return MU_OK;
}

static enum mu_rc
page_plan(struct store *s, const struct cycle_rules *rules, const struct mu_uuid *ids, size_t count,
    int64_t now_s, struct mu_buf *out, struct plan_counts *counts, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people people = { NULL, 0 };

	if (store_person_read_ids(s, ids, count, &people, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < people.count; i++)
		if (person_plan(rules, &people.list[i], now_s, out, counts, err) != MU_OK)
			return err->rc;
	return MU_OK;
}

enum mu_rc
cycle_plan(struct store *s, const struct cycle_rules *rules, int64_t now_s, struct mu_buf *out,
    struct mu_err *err)
{
	struct mu_uuid ids[PLAN_PAGE], after = { { 0 } };
	struct plan_counts counts = { .people = 0 };
	size_t count = PLAN_PAGE;

	if (store_begin(s, err) != MU_OK)
		return err->rc;
	while (count == PLAN_PAGE) {
		if (store_person_page(s, &after, ids, PLAN_PAGE, &count, err) != MU_OK ||
		    (count > 0 && page_plan(s, rules, ids, count, now_s, out, &counts, err) != MU_OK)) {
			store_rollback(s);
			return err->rc;
		}
		if (count > 0)
			after = ids[count - 1];
	}
	store_rollback(s);
	mu_buf_format(out, "%lld people, %lld would change: %lld lose, %lld gain\n", (long long)counts.people,
	    (long long)counts.changed, (long long)counts.losing, (long long)counts.gaining);
	return MU_OK;
}
