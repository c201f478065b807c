#include "cycle/brake_priv.h"

#include "base/log.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* --- The sheet: pure but for the question --------------------------------------------------- */

void
brake_sheet_clear(struct brake_sheet *s)
{
	for (size_t i = 0; i < s->count; i++)
		mu_free(s->list[i].name);
	mu_free(s->list);
	*s = (struct brake_sheet){ .count = 0 };
}

static void
line_want(struct brake_sheet *s, const struct policy_brake *row, const char *name)
{
	size_t at = 0;

	while (at < s->count && (s->list[at].row != row || strcmp(s->list[at].name, name) != 0))
		at++;
	if (at == s->count) {
		s->list = mu_alloc_again(s->list, s->count + 1, sizeof(*s->list));
		s->list[s->count++] = (struct brake_line){ .row = row, .name = mu_strdup(name) };
	}
	s->list[at].wanted++;
}

void
brake_sheet_want(struct brake_sheet *s, const struct policy *p, const struct brake_effect *e)
{
	size_t count;
	const struct policy_brake *rows = policy_brakes(p, &count);

	for (size_t i = 0; i < count; i++) {
		if (rows[i].kind != e->kind)
			continue;
		switch (rows[i].scope) {
		case BRAKE_SOURCE:
			line_want(s, &rows[i], e->source);
			break;
		case BRAKE_PLATFORM:
			for (size_t k = 0; k < e->platform_count; k++)
				line_want(s, &rows[i], e->platforms[k]);
			break;
		case BRAKE_GLOBAL:
			line_want(s, &rows[i], "");
			break;
		}
	}
}

static enum mu_rc
sheet_read(struct store *store, struct brake_sheet *s, int64_t now_s, bool in_earnest,
    struct mu_err *err)
{
	MU_AUTO(mu_freep) struct store_brake_count *counts = mu_alloc_zero(s->count,
	    sizeof(*counts));

	for (size_t i = 0; i < s->count; i++)
		counts[i] = (struct store_brake_count){ .kind = s->list[i].row->kind,
			.scope = s->list[i].row->scope, .name = s->list[i].name,
			.since_s = now_s - s->list[i].row->within_s };
	if (s->count > 0 && (in_earnest ? store_brake_counts_lock(store, counts, s->count, err) :
	    store_brake_counts(store, counts, s->count, err)) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < s->count; i++) {
		s->list[i].used = counts[i].used;
		s->list[i].people_then = counts[i].people_then;
		s->list[i].people_now = counts[i].people_now;
	}
	return MU_OK;
}

enum mu_rc
brake_sheet_read(struct store *store, struct brake_sheet *s, int64_t now_s, struct mu_err *err)
{
	return sheet_read(store, s, now_s, false, err);
}

void
brake_sheet_judge(struct brake_sheet *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct brake_line *l = &s->list[i];
		bool fewer_then = l->people_then > 0 && l->people_then < l->people_now;

		l->limit = policy_brake_limit(l->row, fewer_then ? l->people_then : l->people_now);
		l->trips = l->used + l->wanted > l->limit;
	}
}

void
brake_line_tell(const struct brake_line *l, struct mu_buf *out)
{
	static const char *const words[] = { [BRAKE_REMOVAL] = "removals",
		[BRAKE_POWER] = "gains of power", [BRAKE_JOIN] = "joins" };

	mu_buf_format(out, "the brake would hold the %lld %s of %s%s%s until two people release"
	    " them: it lets %lld pass within %lld s, and %lld have passed", (long long)l->wanted,
	    words[l->row->kind], l->row->scope == BRAKE_GLOBAL ? "all" :
	    brake_scope_name(l->row->scope), l->name[0] == '\0' ? "" : " ", l->name,
	    (long long)l->limit, (long long)l->row->within_s, (long long)l->used);
}

static bool
line_has(const struct brake_line *l, const struct brake_effect *e)
{
	if (l->row->kind != e->kind)
		return false;
	switch (l->row->scope) {
	case BRAKE_SOURCE:
		return strcmp(l->name, e->source) == 0;
	case BRAKE_PLATFORM:
		for (size_t i = 0; i < e->platform_count; i++)
			if (strcmp(l->name, e->platforms[i]) == 0)
				return true;
		return false;
	case BRAKE_GLOBAL:
		return true;
	}
	return false;
}

bool
brake_sheet_holds(const struct brake_sheet *s, const struct brake_effect *e)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].trips && line_has(&s->list[i], e))
			return true;
	return false;
}

/* --- A batch in earnest --------------------------------------------------------------------- */

static void
hold(struct cycle_apply *a, struct decided *d)
{
	d->skip = d->holds = true;
	if (d->hold[BRAKE_REMOVAL] == BATCH_HELD)
		return;
	a->held++;
	store_brake_hold_add(a->host->store, d->person.source, &d->person.person_id, BRAKE_REMOVAL,
	    d->change.reason, a->now_ms / 1000);
}

static void
defer(struct cycle_apply *a, struct decided *d)
{
	d->skip = true;
	if (d->entry != NULL && a->deferred->people_count < a->deferred_keep) {
		slice_person_copy(a->deferred, d->entry);
	} else if (d->entry != NULL) {
		a->deferred_over = true;
		hold(a, d);
	} else if (d->heard) {
		uuids_add(&a->deferred->removed_people, &d->person.entry_uuid);
	} else {
		uuids_add(&a->deferred->redecide, &d->person.person_id);
	}
}

/* Does the change as decided do that? */
static bool
does(const struct decided *d, enum brake_kind kind)
{
	if (d->skip)
		return false;
	switch (kind) {
	case BRAKE_REMOVAL:
		return d->change.removal && !d->kept;
	case BRAKE_POWER:
		return d->change.power.count > 0 && d->withhold == POLICY_GIVE_ALL;
	case BRAKE_JOIN:
		return d->change.joins && d->withhold != POLICY_NOTHING_NEW;
	}
	return false;
}

/*
 * Removals that are held stay so until they are released, or the entry is back. What is not sure
 * yet waits for the end of the refresh or pass, and is judged together there.
 */
static void
wait_or_hold(struct cycle_apply *a, struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct decided *d = &b->list[i];
		bool waits = d->heard ? a->defer_news : a->defer_rows;
		bool unsure = a->rows_unsure && d->entry == NULL && !d->heard;
		bool gains = !d->heard && does(d, BRAKE_POWER) &&
		    d->hold[BRAKE_POWER] == BATCH_FREE;
		enum batch_hold removal = d->hold[BRAKE_REMOVAL];

		if (d->skip || d->kept || (!d->change.removal && !unsure && !gains))
			continue;
		if (removal == BATCH_HELD && d->change.removal)	/* until released or back */
			hold(a, d);
		else if (waits && (removal == BATCH_FREE || d->entry == NULL))
			defer(a, d);
	}
}

/* An effect that nobody has held or let pass before. */
struct judged {
	struct decided *by;
	struct brake_effect effect;
	struct strings platforms;
	bool confirmed;			/* a removal that HR stands for */
	bool held;
};
struct judgement {
	struct judged *list;
	size_t count;
};

static void
judgement_clear(struct judgement *j)
{
	for (size_t i = 0; i < j->count; i++)
		strings_clear(&j->list[i].platforms);
	mu_free(j->list);
	*j = (struct judgement){ .count = 0 };
}

/* Whose entry is gone has nobody who confirms that. */
static bool
is_confirmed(const struct cycle_apply *a, const struct decided *d, enum brake_kind kind)
{
	struct facts facts = { &d->person.attrs, &d->person.groups, d->person.source, NULL };

	return kind == BRAKE_REMOVAL && (d->entry != NULL || !d->heard) &&
	    policy_is_confirmed(a->host->rules.policy, &facts);
}

static void
judged_add(struct judgement *j, const struct cycle_apply *a, struct decided *d,
    enum brake_kind kind)
{
	struct judged *one;

	j->list = mu_alloc_again(j->list, j->count + 1, sizeof(*j->list));
	one = &j->list[j->count++];
	*one = (struct judged){ .by = d, .confirmed = is_confirmed(a, d, kind) };
	batch_platforms(&d->person, &d->change, kind, &one->platforms);
	one->effect = (struct brake_effect){ .kind = kind, .source = d->person.source,
		.platforms = (const char *const *)one->platforms.list,
		.platform_count = one->platforms.count };
}

static bool
policy_brakes_kind(const struct policy *policy, enum brake_kind kind)
{
	size_t count;
	const struct policy_brake *rows = policy_brakes(policy, &count);

	for (size_t i = 0; i < count; i++)
		if (rows[i].kind == kind)
			return true;
	return false;
}

/*
 * What a source gives when it is read for the first time is what it is trusted with from then on:
 * it is neither judged nor counted. Each source is asked about once.
 */
struct settled {
	struct strings yes, no;
};

static enum mu_rc
settled_check(const struct cycle_apply *a, const char *source, struct settled *s, bool *out_settled,
    struct mu_err *err)
{
	if (!strings_has(&s->yes, source) && !strings_has(&s->no, source)) {
		bool settled;

		if (store_brake_is_settled(a->host->store, source, &settled, err) != MU_OK)
			return err->rc;
		strings_add(settled ? &s->yes : &s->no, source);
	}
	*out_settled = strings_has(&s->yes, source);
	return MU_OK;
}

static enum mu_rc
kind_collect(struct cycle_apply *a, struct batch *b, enum brake_kind kind, struct settled *s,
    struct judgement *j, struct mu_err *err)
{
	for (size_t i = 0; i < b->count; i++) {
		struct decided *d = &b->list[i];
		bool settled = true;

		if (d->counts[kind] || !does(d, kind))
			continue;
		if (kind != BRAKE_REMOVAL &&
		    settled_check(a, d->person.source, s, &settled, err) != MU_OK)
			return err->rc;
		if (!settled)
			continue;
		d->counts[kind] = true;			/* unless it is held below */
		if (d->hold[kind] == BATCH_FREE)
			judged_add(j, a, d, kind);
	}
	return MU_OK;
}

static enum mu_rc
judged_collect(struct cycle_apply *a, struct batch *b, struct judgement *j, struct mu_err *err)
{
	struct settled s = { STRINGS_INIT, STRINGS_INIT };
	enum mu_rc rc = MU_OK;

	for (int i = 0; i < BRAKE_KIND_COUNT && rc == MU_OK; i++)
		if (policy_brakes_kind(a->host->rules.policy, (enum brake_kind)i))
			rc = kind_collect(a, b, (enum brake_kind)i, &s, j, err);
	strings_clear(&s.yes);
	strings_clear(&s.no);
	return rc;
}

/* Lays these effects out, all or the confirmed ones alone, and judges them together. */
static enum mu_rc
sheet_make(const struct cycle_apply *a, const struct judgement *j, bool confirmed,
    struct brake_sheet *s, struct mu_err *err)
{
	for (size_t i = 0; i < j->count; i++)
		if (!confirmed || j->list[i].confirmed)
			brake_sheet_want(s, a->host->rules.policy, &j->list[i].effect);
	if (sheet_read(a->host->store, s, a->now_ms / 1000, true, err) != MU_OK)
		return err->rc;
	brake_sheet_judge(s);
	for (size_t i = 0; a->force_hold && i < s->count; i++)
		s->list[i].trips = true;
	return MU_OK;
}

static void
line_tell(const struct cycle_apply *a, const struct judgement *j, const struct brake_line *l)
{
	const char *source = l->row->scope == BRAKE_SOURCE ? l->name : a->host->source->name;
	const char *scope = brake_scope_name(l->row->scope), *kind = brake_kind_name(l->row->kind);
	struct audit_field fields[8];
	char wanted[24], limit[24], within[24];
	int64_t held = 0;

	for (size_t i = 0; i < j->count; i++)
		if (j->list[i].held && line_has(l, &j->list[i].effect))
			held++;
	(void)snprintf(wanted, sizeof(wanted), "%lld", (long long)(l->used + l->wanted));
	(void)snprintf(limit, sizeof(limit), "%lld", (long long)l->limit);
	(void)snprintf(within, sizeof(within), "%lld", (long long)l->row->within_s);
	mu_log("brake.tripped", "source", source, "scope", scope, "of", l->name, "effect", kind,
	    "wanted", wanted, "limit", limit, "within_s", within, "remedy",
	    "look at the directory; two administrators release the brake", NULL);
	fields[0] = (struct audit_field)AUDIT_TEXT("source", source);
	fields[1] = (struct audit_field)AUDIT_TEXT("scope", scope);
	fields[2] = (struct audit_field)AUDIT_TEXT("of", l->name);
	fields[3] = (struct audit_field)AUDIT_TEXT("effect", kind);
	fields[4] = (struct audit_field)AUDIT_NUMBER("wanted", l->used + l->wanted);
	fields[5] = (struct audit_field)AUDIT_NUMBER("limit", l->limit);
	fields[6] = (struct audit_field)AUDIT_NUMBER("within_s", l->row->within_s);
	fields[7] = (struct audit_field)AUDIT_NUMBER("held", held);
	audit_record(a->host->store, AUDIT_BRAKE_TRIPPED, a->now_ms, fields, MU_COUNT(fields),
	    NULL);
}

/* A removal is not written; a gain is left out when the others have been. */
static void
judged_hold(struct cycle_apply *a, struct judged *x)
{
	struct decided *d = x->by;

	x->held = true;
	d->counts[x->effect.kind] = false;
	if (x->effect.kind == BRAKE_REMOVAL) {
		hold(a, d);
		return;
	}
	if (!d->skip)
		d->skip = d->again = true;
	a->held++;
	uuids_add(&a->withheld[x->effect.kind], &d->person.entry_uuid);
	uuids_sort(&a->withheld[x->effect.kind]);
}

/*
 * A leaver whom HR confirms passes beside a crowd that is held; a crowd of the confirmed is one,
 * too.
 */
static enum mu_rc
judgement_pass(struct cycle_apply *a, struct judgement *j, struct mu_err *err)
{
	MU_AUTO(brake_sheet_clear) struct brake_sheet all = { .count = 0 };
	MU_AUTO(brake_sheet_clear) struct brake_sheet confirmed = { .count = 0 };
	bool trips = false;

	if (sheet_make(a, j, false, &all, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < all.count; i++)
		trips = trips || all.list[i].trips;
	if (!trips)
		return MU_OK;
	if (sheet_make(a, j, true, &confirmed, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < j->count; i++) {
		struct judged *x = &j->list[i];

		if (brake_sheet_holds(x->confirmed ? &confirmed : &all, &x->effect))
			judged_hold(a, x);
	}
	for (size_t i = 0; i < all.count; i++)
		if (all.list[i].trips)
			line_tell(a, j, &all.list[i]);
	return MU_OK;
}

enum mu_rc
brake_batch(struct cycle_apply *a, struct batch *b, struct mu_err *err)
{
	MU_AUTO(judgement_clear) struct judgement j = { .count = 0 };

	wait_or_hold(a, b);
	if (judged_collect(a, b, &j, err) != MU_OK)
		return err->rc;
	return j.count == 0 ? MU_OK : judgement_pass(a, &j, err);
}

/* --- What is written ------------------------------------------------------------------------ */

void
brake_effects_add(const struct cycle_again_host *host, const struct decided *d, int64_t now_ms)
{
	for (int i = 0; i < BRAKE_KIND_COUNT; i++) {
		enum brake_kind kind = (enum brake_kind)i;
		MU_AUTO(strings_clear) struct strings platforms = STRINGS_INIT;

		if (!d->counts[kind])
			continue;
		batch_platforms(&d->person, &d->change, kind, &platforms);
		store_brake_effect_add(host->store, kind, BRAKE_SOURCE, d->person.source,
		    &d->person.person_id, now_ms);
		for (size_t k = 0; k < platforms.count; k++)
			store_brake_effect_add(host->store, kind, BRAKE_PLATFORM, platforms.list[k],
			    &d->person.person_id, now_ms);
		store_brake_effect_add(host->store, kind, BRAKE_GLOBAL, "", &d->person.person_id,
		    now_ms);
	}
}

void
brake_holds_write(const struct cycle_again_host *host, const struct decided *d, int64_t now_s)
{
	static const struct {
		enum brake_kind kind;
		enum policy_withhold withhold;
		const char *reason;
	} gains[] = {
		{ BRAKE_POWER, POLICY_NO_POWER, "gains power" },
		{ BRAKE_JOIN, POLICY_NOTHING_NEW, "joins" },
	};
	const char *source = d->person.source;
	const struct mu_uuid *id = &d->person.person_id;

	if (d->hold[BRAKE_REMOVAL] != BATCH_FREE && (d->heard ||
	    (d->hold[BRAKE_REMOVAL] == BATCH_RELEASED && d->change.removal)))
		store_brake_hold_drop(host->store, source, id, BRAKE_REMOVAL);
	for (size_t i = 0; i < MU_COUNT(gains); i++) {
		enum batch_hold hold = d->hold[gains[i].kind];
		bool here = d->withhold == gains[i].withhold;

		if (hold == BATCH_FREE && here && d->change.withheld)
			store_brake_hold_add(host->store, source, id, gains[i].kind,
			    gains[i].reason, now_s);
		else if (hold == BATCH_RELEASED ||
		    (hold == BATCH_HELD && here && !d->change.withheld))
			store_brake_hold_drop(host->store, source, id, gains[i].kind);
	}
}

static void
tally_add(struct brake_tallies *t, enum brake_scope scope, const char *name, int64_t people)
{
	size_t at = 0;

	while (at < t->count && (t->list[at].scope != scope || strcmp(t->list[at].name, name) != 0))
		at++;
	if (at == t->count) {
		t->list = mu_alloc_again(t->list, t->count + 1, sizeof(*t->list));
		t->list[t->count++] = (struct brake_tally){ scope, name, 0 };
	}
	t->list[at].people += people;
}

static bool
is_there(enum person_state state)
{
	return state != PERSON_LEAVER && state != PERSON_ERASED;
}

void
brake_person_tally(struct brake_tallies *t, const struct decided *d)
{
	const struct cycle_change *ch = &d->change;
	int64_t more = (is_there(d->person.state) ? 1 : 0) -
	    (d->person.version > 0 && is_there(ch->from) ? 1 : 0);

	if (more != 0) {
		tally_add(t, BRAKE_SOURCE, d->person.source, more);
		tally_add(t, BRAKE_GLOBAL, "", more);
	}
	for (size_t i = 0; i < ch->account_count; i++) {
		const struct account_want *w = &d->person.accounts[ch->accounts[i].index].want;

		more = (w->state == ACCOUNT_ENABLED ? 1 : 0) -
		    (ch->accounts[i].was == ACCOUNT_ENABLED ? 1 : 0);
		if (more != 0)
			tally_add(t, BRAKE_PLATFORM, w->platform, more);
	}
}

void
brake_tallies_write(const struct cycle_again_host *host, struct brake_tallies *t, int64_t now_s)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->list[i].people != 0)
			store_brake_people_add(host->store, t->list[i].scope, t->list[i].name,
			    t->list[i].people, now_s);
	mu_free(t->list);
}
