#include "cycle/plan.h"

#include "base/text.h"
#include "cycle/brake.h"
#include "cycle/report.h"
#include "store/scan.h"
#include "store/source.h"

#include <stdlib.h>
#include <string.h>

#define PAGE		1000	/* people who change, kept until the names they need are looked up */
#define MEMO_SLOTS	16384	/* a power of two */
#define CLAIMS_FIRST	1024

/* A decision that stands for everyone with these facts. */
struct memo {
	uint64_t hash;
	char *key;
	size_t key_bytes;
	struct outcome *outcome;
};

/* One who changes, until the end of the page. */
struct waiting {
	struct mu_uuid person_id;
	char *uid, *name;
	struct outcome *outcome;
	enum store_scan_hold holds[BRAKE_KIND_COUNT];
	size_t source;
	struct store_person person;	/* as read, of those alone who need a fresh account's name */
};

struct plan {
	const struct cycle_plan_host *host;
	struct cycle_rules rules;	/* the host's, with the names of others */
	int64_t now_s, people;
	struct store_scan *scan;
	struct report *report;
	struct strings attrs;		/* that rules ask for, and platforms */
	struct attrs_view view;
	struct mu_buf key;
	struct memo *memos;
	struct waiting page[PAGE];
	size_t page_count;
	/* names that accounts of this plan take: hashes, 0 for none; a power of two of slots */
	uint64_t *claims;
	size_t claim_count, claim_slots;
	struct strings taken;		/* "platform name" that the person decided on cannot have */
	char **sources;
	size_t source_count;
	struct brake_sheet sheet;
};

void
cycle_told_clear(struct cycle_told *t)
{
	mu_buf_clear(&t->lines);
	mu_buf_clear(&t->json);
}

/* --- One decision ----------------------------------------------------------------------------- */

static void
name_format(const char *platform, const char *name, struct mu_buf *out)
{
	mu_buf_format(out, "%s %s", platform, name);
}

static bool
name_taken(const void *ctx, const char *platform, const char *name)
{
	const struct plan *plan = ctx;
	MU_AUTO(mu_buf_clear) struct mu_buf both = MU_BUF_INIT;

	if (plan->taken.count == 0)
		return false;
	name_format(platform, name, &both);
	return strings_has(&plan->taken, both.data);
}

/* Decides as in earnest, on the row alone. *person is changed. */
static enum mu_rc
decide(struct plan *plan, struct store_person *person, const enum store_scan_hold *holds,
    struct outcome **out_outcome, struct mu_err *err)
{
	const struct cycle_news again = { .held = holds[BRAKE_REMOVAL] == SCAN_HELD,
		.withhold = holds[BRAKE_JOIN] == SCAN_HELD ? POLICY_NOTHING_NEW :
		    holds[BRAKE_POWER] == SCAN_HELD ? POLICY_NO_POWER : POLICY_GIVE_ALL };
	MU_AUTO(cycle_change_clear) struct cycle_change ch = { .write = false };

	if (cycle_decide(&plan->rules, NULL, person, &again, plan->now_s, &ch, err) != MU_OK)
		return err->rc;
	*out_outcome = report_outcome(plan->report, person, &ch);
	return MU_OK;
}

static enum mu_rc
row_decide(struct plan *plan, const struct store_scan_person *row, struct outcome **out_outcome,
    struct mu_err *err)
{
	struct store_person person = { .version = 0 };
	enum mu_rc rc = store_scan_person_copy(row, &person, err);

	if (rc == MU_OK)
		rc = decide(plan, &person, row->holds, out_outcome, err);
	store_person_clear(&person);
	return rc;
}

/* --- Who is alike ----------------------------------------------------------------------------- */

/*
 * A person's decision depends on their row, the rules and the time. The key of a person holds all of
 * the row but what no decision can see: ids, names and logins; attributes that no rule asks for;
 * evidence, version and the content hash beyond whether there is an entry, which are written and
 * change nothing that is told; since when they are in a state and when they are due, which count
 * for the left and the suspended, who have no key; and dates, in place of which stands what they
 * come to now. Who differs in any other way from most people has no key either.
 */
static void
key_add(struct mu_buf *key, const char *text)
{
	size_t bytes = strlen(text);

	mu_buf_add(key, &bytes, sizeof(bytes));
	mu_buf_add(key, text, bytes);
}

static void
key_number(struct mu_buf *key, size_t number)
{
	mu_buf_add(key, &number, sizeof(number));
}

static void
key_attrs(struct plan *plan)
{
	for (size_t i = 0; i < plan->attrs.count; i++) {
		const struct attr *one = attrs_find(&plan->view.attrs, plan->attrs.list[i]);

		key_number(&plan->key, one == NULL ? 0 : one->value_count);
		for (size_t k = 0; one != NULL && k < one->value_count; k++)
			key_add(&plan->key, one->values[k]);
	}
}

/* What a fresh account on a platform would come to: no name, one that will not do, or one. */
static char
fresh_kind(const struct plan *plan, const struct store_scan_person *row,
    const struct cycle_platform *platform)
{
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	struct mu_err why = MU_ERR_INIT;

	switch (cycle_account_name(&plan->rules, platform, row->source, &plan->view.attrs, &name,
	    &why)) {
	case MU_OK:
		return 'y';
	case MU_EABSENT:
		return 'n';
	case MU_EINPUT: case MU_EDENIED: case MU_ECONFLICT: case MU_ERETRY: case MU_ECONFIG:
	case MU_EBROKEN:
		break;
	}
	return 'b';
}

static void
key_accounts(struct plan *plan, const struct store_scan_person *row)
{
	for (size_t i = 0; i < row->account_count; i++) {
		const struct store_scan_account *a = &row->accounts[i];

		key_add(&plan->key, a->platform);
		key_add(&plan->key, a->state);
		key_add(&plan->key, a->roles);
		key_add(&plan->key, a->entitlements);
	}
	for (size_t i = 0; i < plan->rules.platform_count; i++) {
		const struct cycle_platform *platform = &plan->rules.platforms[i];
		size_t at = 0;

		while (at < row->account_count &&
		    strcmp(row->accounts[at].platform, platform->name) != 0)
			at++;
		if (at == row->account_count)
			mu_buf_char_add(&plan->key, fresh_kind(plan, row, platform));
	}
}

static char
moment_kind(int64_t at_s, int64_t now_s)
{
	return at_s == 0 ? '0' : at_s <= now_s ? 'p' : 'f';
}

/* Behind attrs_view_decode. False: this one is decided on alone. */
static bool
key_make(struct plan *plan, const struct store_scan_person *row)
{
	struct strings groups = { row->groups, row->group_count };
	const struct facts facts = { &plan->view.attrs, &groups, row->source, NULL };
	static const unsigned char no_entry[CONTENT_HASH_BYTES];
	struct policy_opinion o;
	struct mu_err why = MU_ERR_INIT;
	char moments[] = "    ";

	if (row->grant_count > 0 || row->vouched.level != NULL || row->is_held ||
	    row->suspended || row->resume_at_s != 0 || strcmp(row->state, "active") != 0 ||
	    policy_opine(plan->rules.policy, &facts, &o, &why) != MU_OK || o.left || o.suspended)
		return false;
	mu_buf_reset(&plan->key);
	moments[0] = row->blocked ? 'b' : '-';
	moments[1] = memcmp(row->content_hash, no_entry, sizeof(no_entry)) == 0 ? 'n' : 'e';
	moments[2] = moment_kind(o.starts_at_s, plan->now_s);
	moments[3] = moment_kind(o.ends_at_s, plan->now_s);
	key_add(&plan->key, moments);
	key_add(&plan->key, row->source);
	key_add(&plan->key, row->roles);
	key_add(&plan->key, row->identified);
	key_number(&plan->key, row->group_count);
	for (size_t i = 0; i < row->group_count; i++)
		key_add(&plan->key, row->groups[i]);
	key_attrs(plan);
	key_number(&plan->key, row->account_count);
	key_accounts(plan, row);
	return true;
}

/* Mixes eight bytes at a time; equal keys are told apart from others by their bytes, not by this. */
static uint64_t
hash_of(const char *bytes, size_t count)
{
	uint64_t hash = 0x9e3779b97f4a7c15u ^ count, word;

	for (; count >= sizeof(word); bytes += sizeof(word), count -= sizeof(word)) {
		(void)memcpy(&word, bytes, sizeof(word));
		hash = (hash ^ word) * 0xff51afd7ed558ccdu;
		hash ^= hash >> 32;
	}
	word = 0;
	(void)memcpy(&word, bytes, count);
	hash = (hash ^ word) * 0xff51afd7ed558ccdu;
	return hash ^ (hash >> 29);
}

static enum mu_rc
outcome_find(struct plan *plan, const struct store_scan_person *row, struct outcome **out_outcome,
    struct mu_err *err)
{
	const struct mu_buf *key = &plan->key;
	uint64_t hash = hash_of(key->data, key->size_bytes);
	struct memo *m = &plan->memos[hash & (MEMO_SLOTS - 1)];

	if (m->outcome == NULL || m->hash != hash || m->key_bytes != key->size_bytes ||
	    memcmp(m->key, key->data, key->size_bytes) != 0) {
		struct outcome *fresh;

		if (row_decide(plan, row, &fresh, err) != MU_OK)
			return err->rc;
		mu_free(m->key);
		outcome_drop(m->outcome);
		*m = (struct memo){ hash, mu_alloc(key->size_bytes), key->size_bytes, fresh };
		(void)memcpy(m->key, key->data, key->size_bytes);
	}
	m->outcome->uses++;
	*out_outcome = m->outcome;
	return MU_OK;
}

/* --- Names of fresh accounts: each is one person's ---------------------------------------------- */

static void
claim_put(uint64_t *slots, size_t slot_count, uint64_t hash)
{
	size_t at = hash & (slot_count - 1);

	while (slots[at] != 0)
		at = (at + 1) & (slot_count - 1);
	slots[at] = hash;
}

/* Claims a name; false: somebody of this plan has it. */
static bool
claim(struct plan *plan, const char *both)
{
	uint64_t hash = hash_of(both, strlen(both)) | 1;

	if (plan->claim_count * 2 >= plan->claim_slots) {
		size_t slots = plan->claim_slots == 0 ? CLAIMS_FIRST : 2 * plan->claim_slots;
		uint64_t *fresh = mu_alloc_zero(slots, sizeof(*fresh));

		for (size_t i = 0; i < plan->claim_slots; i++)
			if (plan->claims[i] != 0)
				claim_put(fresh, slots, plan->claims[i]);
		mu_free(plan->claims);
		plan->claims = fresh;
		plan->claim_slots = slots;
	}
	for (size_t at = hash & (plan->claim_slots - 1); plan->claims[at] != 0;
	     at = (at + 1) & (plan->claim_slots - 1))
		if (plan->claims[at] == hash)
			return false;
	claim_put(plan->claims, plan->claim_slots, hash);
	plan->claim_count++;
	return true;
}

static const struct cycle_platform *
platform_find(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->rules.platform_count; i++)
		if (strcmp(plan->rules.platforms[i].name, name) == 0)
			return &plan->rules.platforms[i];
	return NULL;
}

/* The names that this person's fresh accounts are to have; fresh strings. */
static size_t
names_collect(const struct plan *plan, const struct waiting *w, struct store_scan_name *out)
{
	size_t count = 0;

	for (size_t i = 0; i < w->outcome->fresh.count; i++) {
		const struct cycle_platform *platform = platform_find(plan,
		    w->outcome->fresh.list[i]);
		MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
		struct mu_err why = MU_ERR_INIT;

		if (platform != NULL && cycle_account_name(&plan->rules, platform,
		    w->person.source, &w->person.attrs, &name, &why) == MU_OK)
			out[count++] = (struct store_scan_name){ platform->name,
				mu_strdup(name.data), false };
	}
	return count;
}

/* Decides again where a name is another's, until no other name is found to be taken. */
static enum mu_rc
names_settle(struct plan *plan, struct waiting *w, const struct store_scan_name *names,
    size_t count, struct mu_err *err)
{
	strings_clear(&plan->taken);
	for (size_t i = 0; i < count; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf both = MU_BUF_INIT;

		name_format(names[i].platform, names[i].name, &both);
		if (names[i].held || !claim(plan, both.data))
			strings_add(&plan->taken, both.data);
	}
	if (plan->taken.count == 0)
		return MU_OK;
	outcome_drop(w->outcome);
	w->outcome = NULL;
	return decide(plan, &w->person, w->holds, &w->outcome, err);
}

static enum mu_rc
page_names(struct plan *plan, struct mu_err *err)
{
	MU_AUTO(mu_freep) struct store_scan_name *names = NULL;
	size_t most = PAGE * plan->rules.platform_count, count = 0, at = 0;
	enum mu_rc rc = MU_OK;

	for (size_t i = 0; i < plan->page_count; i++)
		count += plan->page[i].outcome->fresh.count;
	if (count == 0)
		return MU_OK;
	names = mu_alloc_zero(most, sizeof(*names));
	count = 0;
	for (size_t i = 0; i < plan->page_count; i++)
		count += names_collect(plan, &plan->page[i], names + count);
	rc = store_scan_names_look(plan->scan, names, count, err);
	for (size_t i = 0; i < plan->page_count && rc == MU_OK; i++) {
		size_t own = plan->page[i].outcome->fresh.count;

		if (own > 0)
			rc = names_settle(plan, &plan->page[i], names + at, own, err);
		at += own;
	}
	for (size_t i = 0; i < count; i++)
		mu_free((char *)(uintptr_t)names[i].name);
	return rc;
}

/* --- Pages ------------------------------------------------------------------------------------ */

static void
waiting_clear(struct waiting *w)
{
	mu_free(w->uid);
	mu_free(w->name);
	outcome_drop(w->outcome);
	store_person_clear(&w->person);
	*w = (struct waiting){ .uid = NULL };
}

static void
page_drop(struct plan *plan)
{
	for (size_t i = 0; i < plan->page_count; i++)
		waiting_clear(&plan->page[i]);
	plan->page_count = 0;
}

static void
brake_want(struct plan *plan, const struct waiting *w)
{
	for (int i = 0; i < BRAKE_KIND_COUNT; i++) {
		const struct strings *platforms = &w->outcome->braked[i];
		struct brake_effect effect = { .kind = (enum brake_kind)i,
			.source = plan->sources[w->source],
			.platforms = (const char *const *)platforms->list,
			.platform_count = platforms->count };

		if (w->outcome->brakes[i])
			brake_sheet_want(&plan->sheet, plan->rules.policy, &effect);
	}
}

static enum mu_rc
page_flush(struct plan *plan, struct mu_err *err)
{
	if (page_names(plan, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < plan->page_count; i++) {
		const struct waiting *w = &plan->page[i];
		const struct report_who who = { &w->person_id, w->uid, w->name };

		if (w->outcome->fault != NULL)
			report_note(plan->report, &who, "keeps the dates they had: %s",
			    w->outcome->fault);
		if (w->outcome->refused != NULL)
			report_note(plan->report, &who, "%s", w->outcome->refused);
		if (!w->outcome->changes)
			continue;
		report_add(plan->report, w->outcome, &who);
		brake_want(plan, w);
	}
	page_drop(plan);
	return MU_OK;
}

/* Takes the outcome over. */
static enum mu_rc
page_add(struct plan *plan, const struct store_scan_person *row, size_t source,
    struct outcome *outcome, struct mu_err *err)
{
	struct waiting *w = &plan->page[plan->page_count++];

	*w = (struct waiting){ .person_id = row->person_id, .uid = mu_strdup(row->uid),
		.outcome = outcome, .source = source };
	(void)memcpy(w->holds, row->holds, sizeof(w->holds));
	w->name = mu_strdup(store_name_of(&plan->view.attrs, row->uid));
	if (outcome->fresh.count > 0 && store_scan_person_copy(row, &w->person, err) != MU_OK)
		return err->rc;
	return plan->page_count == PAGE ? page_flush(plan, err) : MU_OK;
}

/* --- Everybody -------------------------------------------------------------------------------- */

static size_t
source_find(struct plan *plan, const char *source)
{
	for (size_t i = 0; i < plan->source_count; i++)
		if (strcmp(plan->sources[i], source) == 0)
			return i;
	plan->sources = mu_alloc_again(plan->sources, plan->source_count + 1, sizeof(char *));
	plan->sources[plan->source_count] = mu_strdup(source);
	return plan->source_count++;
}

static enum mu_rc
person_plan(struct plan *plan, const struct store_scan_person *row, struct mu_err *err)
{
	size_t source = source_find(plan, row->source);
	struct outcome *o;

	plan->people++;
	if (!attrs_view_decode(&plan->view, row->attrs))
		return mu_fail(err, MU_EBROKEN, "store: the attributes of the person with the login"
		    " %.64s are not what musterd writes: restore their row", row->uid);
	if ((key_make(plan, row) ? outcome_find(plan, row, &o, err) :
	    row_decide(plan, row, &o, err)) != MU_OK)
		return err->rc;
	if (o->changes || o->fault != NULL || o->refused != NULL)
		return page_add(plan, row, source, o, err);
	outcome_drop(o);
	return MU_OK;
}

/* --- The brake -------------------------------------------------------------------------------- */

static enum mu_rc
brake_note(struct plan *plan, struct mu_err *err)
{
	if (brake_sheet_read(plan->host->store, &plan->sheet, plan->now_s, err) != MU_OK)
		return err->rc;
	brake_sheet_judge(&plan->sheet);
	for (size_t i = 0; i < plan->sheet.count; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;

		if (!plan->sheet.list[i].trips)
			continue;
		brake_line_tell(&plan->sheet.list[i], &line);
		report_note(plan->report, NULL, "%s", line.data);
	}
	return MU_OK;
}

/* --- The whole -------------------------------------------------------------------------------- */

static void
attr_note(void *ctx, const char *attr)
{
	struct plan *plan = ctx;

	if (!mu_text_equal_fold(attr, FACTS_GROUP_ATTR) &&
	    !mu_text_equal_fold(attr, FACTS_SOURCE_ATTR))
		strings_add(&plan->attrs, attr);
}

static bool
group_matters(const void *ctx, const char *name)
{
	return policy_asks_group(ctx, name);
}

static struct plan *
plan_new(const struct cycle_plan_host *host, int64_t now_s)
{
	struct plan *plan = mu_alloc_zero(1, sizeof(*plan));

	plan->host = host;
	plan->rules = *host->rules;
	plan->rules.name_taken = name_taken;
	plan->rules.name_ctx = plan;
	plan->now_s = now_s;
	plan->report = report_new(host->as_json);
	plan->memos = mu_alloc_zero(MEMO_SLOTS, sizeof(*plan->memos));
	policy_each_attr(plan->rules.policy, attr_note, plan);
	return plan;
}

static void
plan_free(struct plan *plan)
{
	page_drop(plan);
	for (size_t i = 0; i < MEMO_SLOTS; i++) {
		mu_free(plan->memos[i].key);
		outcome_drop(plan->memos[i].outcome);
	}
	for (size_t i = 0; i < plan->source_count; i++)
		mu_free(plan->sources[i]);
	brake_sheet_clear(&plan->sheet);
	store_scan_close(plan->scan);
	report_free(plan->report);
	strings_clear(&plan->attrs);
	strings_clear(&plan->taken);
	attrs_view_clear(&plan->view);
	mu_buf_clear(&plan->key);
	mu_free(plan->memos);
	mu_free(plan->claims);
	mu_free(plan->sources);
	mu_free(plan);
}

static enum mu_rc
plan_run(struct plan *plan, struct cycle_told *out_told, struct mu_err *err)
{
	const struct store_scan_person *row;
	int64_t base;

	if (store_scan_open(plan->host->conninfo, group_matters, plan->rules.policy, &plan->scan,
	    &base, err) != MU_OK)
		return err->rc;
	for (;;) {
		if (store_scan_next(plan->scan, &row, err) != MU_OK)
			return err->rc;
		if (row == NULL)
			break;
		if (person_plan(plan, row, err) != MU_OK)
			return err->rc;
	}
	if (page_flush(plan, err) != MU_OK || brake_note(plan, err) != MU_OK)
		return err->rc;
	report_people_count(plan->report, plan->people);
	report_end(plan->report, base, NULL, &out_told->lines, &out_told->json);
	return MU_OK;
}

enum mu_rc
cycle_plan(const struct cycle_plan_host *host, int64_t now_s, struct cycle_told *out_told,
    struct mu_err *err)
{
	struct plan *plan = plan_new(host, now_s);
	enum mu_rc rc = plan_run(plan, out_told, err);

	plan_free(plan);
	return rc;
}

void
cycle_policy_digest(const struct policy_file *files, size_t file_count,
    unsigned char out_digest[CRYPTO_SHA256_BYTES])
{
	MU_AUTO(mu_buf_clear) struct mu_buf b = MU_BUF_INIT;

	for (size_t i = 0; i < file_count; i++) {
		mu_buf_column_add(&b, files[i].name, strlen(files[i].name));
		mu_buf_column_add(&b, files[i].content, strlen(files[i].content));
	}
	crypto_sha256(mu_buf_text(&b), b.size_bytes, out_digest);
}
