#include "cycle/decide.h"

#include "base/text.h"
#include "lifecycle/lifecycle.h"

#include <string.h>

#define STAGED_LOOK_S	3600	/* when the clock looks again at someone held who was to start */

void
cycle_change_clear(struct cycle_change *ch)
{
	strings_clear(&ch->gained);
	strings_clear(&ch->lost);
	strings_clear(&ch->power);
	for (size_t i = 0; i < ch->account_count; i++)
		entitlements_clear(&ch->accounts[i].was_rights);
	for (size_t i = 0; i < ch->end_count; i++)
		mu_free(ch->ends[i].role);
	mu_free(ch->accounts);
	mu_free(ch->ends);
	mu_free(ch->refused_platform);
	mu_free(ch->refused_reason);
	mu_free(ch->fault);
	*ch = (struct cycle_change){ .write = false };
}

static void
text_replace(char **at, const char *text)
{
	char *fresh = mu_strdup(text);

	mu_free(*at);
	*at = fresh;
}

/* Is the entry there, as far as the row knows? */
static bool
entry_is_there(const struct store_person *p)
{
	static const unsigned char none[CONTENT_HASH_BYTES];

	return memcmp(p->content_hash, none, sizeof(none)) != 0;
}

/* The row takes over what the directory said. Of a removed entry it forgets the hash alone. */
static void
news_take(struct store_person *p, const struct cycle_news *n, struct cycle_change *ch)
{
	if (n->groups != NULL) {
		struct strings copy = STRINGS_INIT;

		for (size_t i = 0; i < n->groups->count; i++)
			strings_add(&copy, n->groups->list[i]);
		strings_clear(&p->groups);
		p->groups = copy;
	}
	if (!n->heard)
		return;
	if (!n->present) {
		ch->write = ch->write || entry_is_there(p);
		(void)memset(p->content_hash, 0, sizeof(p->content_hash));
		return;
	}
	if (p->state != PERSON_ERASED) {
		if (memcmp(p->content_hash, n->content_hash, sizeof(p->content_hash)) == 0 &&
		    p->version != 0 && strcmp(p->uid, n->uid) == 0)
			return;
		ch->write = true;
	}
	text_replace(&p->dn, n->dn);
	text_replace(&p->uid, n->uid);
	attrs_clear(&p->attrs);
	attrs_copy(&p->attrs, n->attrs);
	(void)memcpy(p->content_hash, n->content_hash, sizeof(p->content_hash));
}

/* An administrator's suspension that has run out is over. */
static void
pause_take(struct store_person *p, int64_t now_s, struct cycle_change *ch)
{
	if (!p->suspended || p->resume_at_s == 0 || p->resume_at_s > now_s)
		return;
	p->suspended = false;
	p->resume_at_s = 0;
	ch->write = true;
}

/* --- Sources: whose names, and what they may give ------------------------------------------- */

const struct cycle_source *
cycle_source_find(const struct cycle_rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->source_count; i++)
		if (strcmp(rules->sources[i].name, name) == 0)
			return &rules->sources[i];
	return NULL;
}

void
cycle_name_format(const struct cycle_source *source, const char *given, struct mu_buf *b)
{
	mu_buf_text_add(b, given);
	if (source != NULL && given[0] != '\0')
		mu_buf_text_add(b, source->name_suffix);
}

void
cycle_source_shape(const struct cycle_rules *rules, const char *name, struct mu_buf *b)
{
	const struct cycle_source *source = cycle_source_find(rules, name);

	if (source == NULL)
		return;
	for (size_t i = 0; i < rules->source_count; i++)
		if (rules->sources[i].name_suffix[0] != '\0')
			mu_buf_format(b, "\n%s suffix %s", &rules->sources[i] == source ? "own" :
			    "other", rules->sources[i].name_suffix);
	if (source->authority_all)
		return;
	mu_buf_text_add(b, "\nroles");
	for (size_t i = 0; i < source->authority.roles.count; i++)
		mu_buf_format(b, " %s", source->authority.roles.list[i]);
	mu_buf_text_add(b, "\nlevels");
	for (size_t i = 0; i < source->authority.levels.count; i++)
		mu_buf_format(b, " %s", source->authority.levels.list[i]);
}

/* Whoever's name ends in another source's suffix would pass for one of its people. */
static enum mu_rc
name_check(const struct cycle_rules *rules, const struct cycle_source *own, const char *name,
    struct mu_err *err)
{
	for (size_t i = 0; name != NULL && i < rules->source_count; i++) {
		const char *suffix = rules->sources[i].name_suffix;
		size_t length = strlen(name), suffix_length = strlen(suffix);
		MU_AUTO(mu_freep) char *end = NULL;

		if (&rules->sources[i] == own || suffix_length == 0 || length < suffix_length)
			continue;
		end = mu_strdup(name + length - suffix_length);
		mu_text_lower(end);
		if (strcmp(end, suffix) == 0)
			return mu_fail(err, MU_EINPUT, "the name %.64s ends in %s, as names of "
			    "source %s do: it cannot be used here", name, suffix,
			    rules->sources[i].name);
	}
	return MU_OK;
}

/* Login and account names of an entry; those of a source with a suffix end in that alone. */
static enum mu_rc
names_check(const struct cycle_rules *rules, const char *source, const struct cycle_news *news,
    struct mu_err *err)
{
	const struct cycle_source *own = cycle_source_find(rules, source);

	if (!news->heard || !news->present || own == NULL || own->name_suffix[0] != '\0')
		return MU_OK;
	if (name_check(rules, own, news->uid, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < rules->platform_count; i++)
		if (name_check(rules, own, attrs_first(news->attrs,
		    rules->platforms[i].account_attr), err) != MU_OK)
			return err->rc;
	return MU_OK;
}

/*
 * Is the source none of the configuration any more? Nobody vouches for more than they have; unlisted is
 * what they hold.
 */
static bool
is_orphan(const struct cycle_rules *rules, const struct store_person *p)
{
	return rules->source_count > 0 && cycle_source_find(rules, p->source) == NULL;
}

/* Borrows of p and rules; *held_now is what an orphan's source may give: what they hold. */
static struct facts
facts_of(const struct cycle_rules *rules, const struct store_person *p, struct authority *held_now)
{
	const struct cycle_source *source = cycle_source_find(rules, p->source);
	struct facts facts = { &p->attrs, &p->groups, p->source, NULL };

	if (source != NULL && !source->authority_all)
		facts.authority = &source->authority;
	if (!is_orphan(rules, p))
		return facts;
	for (size_t i = 0; i < p->roles.count; i++)
		strings_add(&held_now->roles, p->roles.list[i]);
	if (p->identified[0] != '\0')
		strings_add(&held_now->levels, p->identified);
	facts.authority = held_now;
	return facts;
}

static void
authority_clear(struct authority *a)
{
	strings_clear(&a->roles);
	strings_clear(&a->levels);
}

static enum audit_kind
transition_kind(bool is_new, enum person_state from, enum person_state to)
{
	if (is_new)
		return AUDIT_PERSON_JOINED;
	switch (to) {
	case PERSON_STAGED:
		return from == PERSON_LEAVER || from == PERSON_ERASED ? AUDIT_PERSON_RETURNED :
		    AUDIT_PERSON_SUSPENDED;
	case PERSON_ACTIVE:
		return from == PERSON_LEAVER || from == PERSON_ERASED ? AUDIT_PERSON_RETURNED :
		    AUDIT_PERSON_RESUMED;
	case PERSON_SUSPENDED:
		return AUDIT_PERSON_SUSPENDED;
	case PERSON_LEAVER:
		return AUDIT_PERSON_LEFT;
	case PERSON_ERASED:
		return AUDIT_PERSON_ERASED;
	}
	return AUDIT_PERSON_CHANGED;
}

/* --- Grants: what an action gave, until its end --------------------------------------------- */

static const char grant_ended[] = "ended", grant_unreviewed[] = "not reviewed";

/* Why the grant goes, NULL: it stays. */
static const char *
grant_end_reason(const struct policy *policy, const struct store_person *p,
    const struct facts *facts, const struct grant *g, enum person_state state, bool held,
    int64_t now_s)
{
	int64_t review_s = policy_review_due(policy, g);

	if (state == PERSON_LEAVER || state == PERSON_ERASED)
		return "left";
	if (p->blocked)
		return "revoked";
	if (g->ends_at_s <= now_s)
		return grant_ended;
	if (review_s != 0 && review_s <= now_s)
		return grant_unreviewed;
	if (!held && !policy_is_requestable(policy, g->role, facts))
		return "no longer requestable";
	return NULL;
}

/*
 * Grants that end leave the row and stand in ch; of those that stay, the ones that run now are in
 * out_granted. The next start, end or review of one joins *due_at_s.
 */
static void
grants_take(const struct policy *policy, struct store_person *p, const struct facts *facts,
    enum person_state state, bool held, int64_t now_s, struct cycle_change *ch,
    struct strings *out_granted, int64_t *due_at_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->grant_count; i++) {
		struct grant *g = &p->grants[i];
		const char *reason = grant_end_reason(policy, p, facts, g, state, held,
		    now_s);

		if (reason != NULL) {
			ch->ends = mu_alloc_again(ch->ends, ch->end_count + 1, sizeof(*ch->ends));
			ch->ends[ch->end_count++] = (struct cycle_grant_end){ g->grant_id,
				MU_TAKE(g->role), reason };
			ch->write = true;
			grant_clear(g);
			continue;
		}
		if (g->starts_at_s <= now_s)
			strings_add(out_granted, g->role);
		*due_at_s = lifecycle_sooner(*due_at_s,
		    g->starts_at_s > now_s ? g->starts_at_s : g->ends_at_s);
		*due_at_s = lifecycle_sooner(*due_at_s, policy_review_due(policy, g));
		p->grants[kept++] = *g;
	}
	p->grant_count = kept;
}

static bool
has_ended(const struct cycle_change *ch, const char *role, const char *reason)
{
	for (size_t i = 0; i < ch->end_count; i++)
		if (strcmp(ch->ends[i].role, role) == 0 &&
		    (reason == NULL || ch->ends[i].reason == reason))
			return true;
	return false;
}

/* Every grant ends, and nobody holds that up: what is lost by time alone is no removal. */
static bool
lost_by_time(const struct cycle_change *ch)
{
	for (size_t i = 0; i < ch->lost.count; i++)
		if (!has_ended(ch, ch->lost.list[i], grant_ended) &&
		    !has_ended(ch, ch->lost.list[i], grant_unreviewed))
			return false;
	return ch->lost.count > 0;
}

/* --- State and roles ------------------------------------------------------------------------ */

static void
state_take(struct store_person *p, const struct lifecycle_step *step, bool is_overdue,
    const struct policy_opinion *o, struct cycle_change *ch)
{
	bool is_new = p->version == 0;

	ch->from = p->state;
	ch->reason = step->reason;
	if (is_new || step->moved) {
		ch->write = ch->transition = true;
		ch->kind = transition_kind(is_new, p->state, step->to);
		ch->removal = !is_new && lifecycle_takes_away(p->state, step->to);
	} else if (is_overdue) {
		ch->write = ch->transition = true;
		ch->kind = AUDIT_PERSON_OVERDUE;
	}
	if (p->due_at_s != step->due_at_s || (step->to != PERSON_ERASED &&
	    (p->starts_at_s != o->starts_at_s || p->ends_at_s != o->ends_at_s)))
		ch->write = true;
	p->state = step->to;
	p->state_since_s = step->since_s;
	p->due_at_s = step->due_at_s;
	p->starts_at_s = o->starts_at_s;
	p->ends_at_s = o->ends_at_s;
}

/*
 * Nobody is stored who need not be: also not when the directory still has their entry, which is
 * therefore new whenever it is heard.
 */
static void
erased_forget(struct store_person *p)
{
	if (p->state != PERSON_ERASED)
		return;
	attrs_clear(&p->attrs);
	(void)memset(p->content_hash, 0, sizeof(p->content_hash));
	p->starts_at_s = p->ends_at_s = 0;
	text_replace(&p->dn, "");
	text_replace(&p->uid, "");
}

static void
roles_take(struct store_person *p, const struct policy_decision *d, struct cycle_change *ch)
{
	struct strings roles = STRINGS_INIT;

	ch->joins = p->roles.count == 0 && d->roles.count > 0 && ch->from != PERSON_SUSPENDED;
	for (size_t i = 0; i < d->roles.count; i++)
		strings_add(&roles, d->roles.list[i]);
	for (size_t i = 0; i < d->granted.count; i++)
		strings_add(&roles, d->granted.list[i]);
	for (size_t i = 0; i < roles.count; i++)
		if (!strings_has(&p->roles, roles.list[i]))
			strings_add(&ch->gained, roles.list[i]);
	for (size_t i = 0; i < p->roles.count; i++)
		if (!strings_has(&roles, p->roles.list[i]))
			strings_add(&ch->lost, p->roles.list[i]);
	if (ch->gained.count + ch->lost.count > 0) {
		ch->write = true;
		if (!ch->transition) {
			ch->transition = true;
			ch->kind = AUDIT_PERSON_CHANGED;
		}
		if (ch->lost.count > 0 && ch->gained.count == 0)
			ch->removal = true;
	}
	strings_clear(&p->roles);
	p->roles = roles;
	if (!mu_text_equal(p->identified, d->identified) ||
	    !mu_text_equal(p->evidence, d->evidence)) {
		ch->write = true;
		ch->identified = !mu_text_equal(p->identified, d->identified);
		text_replace(&p->identified, d->identified);
		text_replace(&p->evidence, d->evidence);
	}
}

/* --- Accounts ------------------------------------------------------------------------------- */

static bool
rights_shrink(const struct entitlements *was, const struct entitlements *is)
{
	for (size_t i = 0; i < was->count; i++) {
		const struct entitlement *e = &was->list[i];
		const struct entitlement *now = entitlements_find(is, e->kind, e->name);

		if (now == NULL || strcmp(now->level, e->level) != 0)
			return true;
	}
	return false;
}

/* Brings the wanted account to state, roles and rights; counts the change when there is one. */
static void
account_take(struct store_person *p, size_t index, enum account_state state,
    const struct strings *roles, const struct entitlements *rights, struct cycle_change *ch)
{
	struct account_want *w = &p->accounts[index].want;
	struct strings roles_copy = STRINGS_INIT;
	struct entitlements rights_copy = ENTITLEMENTS_INIT;
	bool urgent = state < w->state || rights_shrink(&w->entitlements, rights);

	if (!p->accounts[index].fresh && state == w->state && strings_equal(roles, &w->roles) &&
	    entitlements_equal(rights, &w->entitlements))
		return;
	if (w->state == ACCOUNT_ENABLED && state != ACCOUNT_ENABLED)
		ch->removal = true;
	for (size_t i = 0; i < roles->count; i++)
		strings_add(&roles_copy, roles->list[i]);
	for (size_t i = 0; i < rights->count; i++)
		entitlements_add(&rights_copy, rights->list[i].kind, rights->list[i].name,
		    rights->list[i].level);
	ch->accounts = mu_alloc_again(ch->accounts, ch->account_count + 1, sizeof(*ch->accounts));
	ch->accounts[ch->account_count++] = (struct cycle_account_change){ index, urgent, w->state,
		w->entitlements };
	ch->write = true;
	strings_clear(&w->roles);
	w->state = state;
	w->roles = roles_copy;
	w->entitlements = rights_copy;
	w->version++;
}

static size_t
account_find(const struct store_person *p, const char *platform)
{
	size_t at = 0;

	while (at < p->account_count && strcmp(p->accounts[at].want.platform, platform) != 0)
		at++;
	return at;
}

static void
refuse(struct cycle_change *ch, const char *platform, const char *reason)
{
	if (ch->refused_platform != NULL)
		return;
	ch->refused_platform = mu_strdup(platform);
	ch->refused_reason = mu_strdup(reason);
}

enum mu_rc
cycle_account_name(const struct cycle_rules *rules, const struct cycle_platform *platform,
    const char *source_name, const struct attrs *attrs, struct mu_buf *out_name,
    struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf made = MU_BUF_INIT;
	const struct cycle_source *source = cycle_source_find(rules, source_name);
	const char *given = attrs_first(attrs, platform->account_attr);

	if (given == NULL)
		return mu_fail(err, MU_EABSENT,
		    "the entry has no attribute that names the account");
	cycle_name_format(source, given, &made);
	if (platform->ops->normalise(mu_buf_text(&made), out_name, err) != MU_OK ||
	    (source != NULL && source->name_suffix[0] == '\0' &&
	    name_check(rules, source, out_name->data, err) != MU_OK))
		return err->rc = MU_EINPUT;
	return MU_OK;
}

/*
 * Adds a fresh account row for the platform. False (with the refusal in ch) when there is no name
 * for it or another person holds that name: rights never pass from one person to another by a name.
 */
static bool
account_add(const struct cycle_rules *rules, struct store *store,
    const struct cycle_platform *platform, struct store_person *p, struct cycle_change *ch,
    bool *out_added, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	struct mu_err why = MU_ERR_INIT;
	struct mu_uuid holder;
	struct store_account *a;
	enum mu_rc rc = MU_EABSENT;

	*out_added = false;
	if (cycle_account_name(rules, platform, p->source, &p->attrs, &name, &why) != MU_OK) {
		refuse(ch, platform->name, why.text);
		return true;
	}
	if (store != NULL)
		rc = store_account_holder(store, platform->name, name.data, &holder, err);
	else if (rules->name_taken != NULL &&
	    rules->name_taken(rules->name_ctx, platform->name, name.data))
		rc = MU_OK;
	if (rc == MU_OK) {
		refuse(ch, platform->name,
		    "another person holds that name, or held it and is not erased yet");
		return true;
	}
	if (rc != MU_EABSENT)
		return false;
	p->accounts = mu_alloc_again(p->accounts, p->account_count + 1, sizeof(*p->accounts));
	a = &p->accounts[p->account_count++];
	*a = (struct store_account){ .fresh = true };
	mu_uuid_new(&a->want.account_id);
	a->want.person_id = p->person_id;
	a->want.platform = mu_strdup(platform->name);
	a->want.name = mu_strdup(name.data);
	mu_random_public(a->want.subject);
	*out_added = true;
	return true;
}

static enum mu_rc
accounts_take(const struct cycle_rules *rules, struct store *store, struct store_person *p,
    const struct policy_decision *d, struct cycle_change *ch, struct mu_err *err)
{
	static const struct strings no_roles = STRINGS_INIT;
	static const struct entitlements no_rights = ENTITLEMENTS_INIT;

	for (size_t i = 0; i < p->account_count; i++) {
		size_t k = 0;

		while (k < d->account_count &&
		    strcmp(d->accounts[k].platform, p->accounts[i].want.platform) != 0)
			k++;
		if (k == d->account_count)
			account_take(p, i,
			    p->state == PERSON_ERASED ? ACCOUNT_ABSENT : ACCOUNT_DISABLED,
			    &no_roles, &no_rights, ch);
	}
	for (size_t i = 0; i < rules->platform_count; i++) {
		const struct cycle_platform *platform = &rules->platforms[i];
		size_t k = 0, at = account_find(p, platform->name);
		bool added = true;

		while (k < d->account_count && strcmp(d->accounts[k].platform, platform->name) != 0)
			k++;
		if (k == d->account_count)
			continue;
		if (at == p->account_count && !account_add(rules, store, platform, p, ch,
		    &added, err))
			return err->rc;
		if (added)
			account_take(p, at, d->accounts[k].state, &d->accounts[k].roles,
			    &d->accounts[k].entitlements, ch);
	}
	return MU_OK;
}

/*
 * What the policy makes of the facts. A fault of the entry is one when the entry is heard; who goes
 * in any case, and whose row alone is decided on, keeps the times they had.
 */
static enum mu_rc
opinion_take(const struct policy *policy, const struct store_person *p, bool heard,
    struct policy_opinion *out_opinion, struct cycle_change *ch, struct mu_err *err)
{
	struct facts facts = { &p->attrs, &p->groups, p->source, NULL };
	struct mu_err why = MU_ERR_INIT;

	if (policy_opine(policy, &facts, out_opinion, &why) == MU_OK)
		return MU_OK;
	if (heard && !p->blocked && !p->suspended && !out_opinion->left && !out_opinion->suspended) {
		*err = why;
		return err->rc;
	}
	ch->fault = mu_strdup(why.text);
	out_opinion->starts_at_s = p->starts_at_s;
	out_opinion->ends_at_s = p->ends_at_s;
	return MU_OK;
}

/* Who is held stays as they are: neither suspended nor staged by what holds them, nor let in. */
static struct lifecycle_facts
lifecycle_facts(const struct store_person *p, bool present, bool held,
    const struct policy_opinion *o, int64_t now_s)
{
	struct lifecycle_facts facts = { .present = present, .paused = p->suspended,
		.resumes_at_s = p->resume_at_s, .grace_s = o->grace_s };

	if (held) {
		facts.suspended = p->state == PERSON_SUSPENDED && o->suspended;
		if (p->state == PERSON_STAGED)
			facts.starts_at_s = now_s + STAGED_LOOK_S;
		return facts;
	}
	facts.left = o->left;
	facts.suspended = o->suspended;
	facts.starts_at_s = o->starts_at_s;
	facts.ends_at_s = o->ends_at_s;
	facts.returns_at_s = o->returns_at_s;
	return facts;
}

/* What someone held keeps: all they have but what only a grant gives. */
static void
kept_take(const struct policy *policy, const struct store_person *p, const struct cycle_change *ch,
    struct strings *out_kept)
{
	for (size_t i = 0; i < p->roles.count; i++)
		if (!has_ended(ch, p->roles.list[i], NULL) &&
		    !policy_is_granted_only(policy, p->roles.list[i]))
			strings_add(out_kept, p->roles.list[i]);
}

/* Did an action or time take what someone held has lost, and not a policy without their roles? */
static bool
lost_lawfully(const struct policy *policy, const struct store_person *p,
    const struct cycle_change *ch)
{
	if (p->blocked || p->suspended)
		return true;
	for (size_t i = 0; i < ch->lost.count; i++)
		if (!has_ended(ch, ch->lost.list[i], NULL) &&
		    !policy_is_granted_only(policy, ch->lost.list[i]))
			return false;
	return ch->lost.count > 0;
}

/*
 * Decides; whose gain of power is withheld keeps all they have meanwhile. What they have is borrowed
 * from the person.
 */
static void
rights_decide(const struct policy *policy, const struct store_person *p,
    bool keeps, enum policy_withhold withhold, struct policy_subject *subject,
    struct cycle_change *ch, struct strings *kept, struct policy_decision *out_decision)
{
	MU_AUTO(mu_freep) struct policy_account *had = mu_alloc_zero(p->account_count,
	    sizeof(*had));

	for (size_t i = 0; i < p->account_count; i++)
		if (p->accounts[i].want.state == ACCOUNT_ENABLED)
			had[subject->had_count++] = (struct policy_account){
				.platform = p->accounts[i].want.platform,
				.entitlements = p->accounts[i].want.entitlements };
	subject->had = had;
	subject->has = &p->roles;
	subject->withhold = withhold;
	if (keeps)
		kept_take(policy, p, ch, kept);
	policy_decide(policy, subject, out_decision);
	if (out_decision->withheld && !keeps) {
		policy_decision_clear(out_decision);
		kept_take(policy, p, ch, kept);
		policy_decide(policy, subject, out_decision);
	}
	ch->withheld = out_decision->withheld;
	ch->power = out_decision->power;
	out_decision->power = (struct strings)STRINGS_INIT;
}

enum mu_rc
cycle_decide(const struct cycle_rules *rules, struct store *store, struct store_person *person,
    const struct cycle_news *news, int64_t now_s, struct cycle_change *out_change,
    struct mu_err *err)
{
	MU_AUTO(strings_clear) struct strings granted = STRINGS_INIT, kept = STRINGS_INIT;
	MU_AUTO(policy_decision_clear) struct policy_decision d = { .identified = "" };
	MU_AUTO(cycle_change_clear) struct cycle_change ch = { .kind = AUDIT_PERSON_CHANGED };
	struct policy_opinion opinion;
	MU_AUTO(authority_clear) struct authority held_now = { STRINGS_INIT, STRINGS_INIT };
	struct lifecycle_facts facts;
	struct lifecycle_step step;
	struct policy_subject subject;
	bool orphan = is_orphan(rules, person);
	bool present = news->heard ? news->present : entry_is_there(person);

	if (names_check(rules, person->source, news, err) != MU_OK)
		return err->rc;
	news_take(person, news, &ch);
	pause_take(person, now_s, &ch);
	if (opinion_take(rules->policy, person, news->heard && present, &opinion, &ch,
	    err) != MU_OK)
		return err->rc;
	facts = lifecycle_facts(person, present, news->held, &opinion, now_s);
	if (lifecycle_next(person->state, person->state_since_s, &facts, now_s, &step,
	    err) != MU_OK)
		return err->rc;
	subject = (struct policy_subject){ .facts = facts_of(rules, person, &held_now),
		.blocked = person->blocked,
		.identified = person->vouched.level == NULL ? "" : person->vouched.level,
		.granted = &granted, .kept = &kept };
	grants_take(rules->policy, person, &subject.facts, step.to, news->held || orphan, now_s, &ch,
	    &granted, &step.due_at_s);
	state_take(person, &step, lifecycle_is_overdue(&facts, person->due_at_s, now_s), &opinion,
	    &ch);
	erased_forget(person);
	subject.state = person->state;
	rights_decide(rules->policy, person, news->held || orphan, news->withhold, &subject, &ch,
	    &kept, &d);
	roles_take(person, &d, &ch);
	if (accounts_take(rules, store, person, &d, &ch, err) != MU_OK)
		return err->rc;
	if (lost_by_time(&ch) && !lifecycle_takes_away(ch.from, person->state))
		ch.removal = false;
	ch.stays = news->held && ch.removal && !lost_lawfully(rules->policy, person, &ch);
	/* Nobody is stored who need not be: who had left when first heard of never had anything. */
	if (person->version == 0 && person->state == PERSON_LEAVER)
		ch.write = ch.transition = false;
	*out_change = ch;
	ch = (struct cycle_change){ .write = false };
	return MU_OK;
}
