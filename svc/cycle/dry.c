#include "cycle/dry.h"

#include "base/clock.h"
#include "base/text.h"
#include "cycle/batch_priv.h"
#include "cycle/brake.h"
#include "cycle/narrow_priv.h"
#include "cycle/report.h"
#include "cycle/slice.h"
#include "store/source.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 500

/* One membership: whose it is, as the hash of their dn, and in which group. */
struct membership {
	uint64_t member;
	uint32_t group;
};

/* A decision that waits to be judged with others, and who it is about. */
struct waiting {
	struct mu_uuid person_id;	/* zeros: not in the store */
	char *uid, *name;
	struct outcome *outcome;
	enum batch_hold hold[BRAKE_KIND_COUNT];
	const struct slice_person *entry;	/* what it was made by, as long as the slice lasts */
	bool news;			/* by an entry or its absence; else by the row and its groups */
	bool confirmed;			/* the brake asks HR's word for some removals */
	/* judged: */
	bool held;			/* the removal is; else what it would gain, as far as */
	enum policy_withhold withhold;
};
struct batch_waiting {
	struct waiting *list;
	size_t count;
};

struct listing {
	bool refreshed;
	enum verdict verdict;
	enum directory_how how;
	size_t listed_count;
};

struct cycle_dry {
	struct cycle_dry_host host;
	struct cycle_rules rules;	/* the host's, with the names of others */
	struct directory *directory;
	struct mu_timer *begin, *end;
	int64_t now_s;
	struct report *report;
	struct listing listings[DIRECTORY_SEARCH_COUNT];
	struct slice slice;
	struct mu_buf scratch;		/* of the content's hash, as hash */
	struct crypto_hash *hash;
	struct uuids seen, bad;		/* entries of people: listed, and of these those at fault */
	char **group_names;
	struct membership *memberships;	/* in order of member from the end of the groups on */
	size_t group_count, membership_count, membership_room;
	bool every_entry;		/* a real run decides on the unchanged ones, too */
	bool settled;			/* read whole before: what it gives is judged */
	struct batch_waiting now, late;	/* judged with this slice, and at the end of the read */
	struct brake_sheet passed;	/* what this run has let pass */
	struct strings tripped;		/* lines of the brake, told once */
	enum policy_withhold withhold;	/* of who is decided on again */
	/* "platform name", and with the entry whose it is: accounts that this run would add */
	struct strings claimed;
	struct mu_uuid deciding;	/* the entry of who is decided on */
	enum verdict verdict;
	struct mu_buf verdict_text;
	int64_t missing;
	struct mu_err fault;		/* the store's: the run has failed */
};

/* --- Groups, as the directory has them now ------------------------------------------------------ */

/* Of a dn: a prefix of its SHA-256, so that nobody makes another's by choosing theirs. */
static uint64_t
member_hash(const char *dn)
{
	unsigned char digest[CRYPTO_SHA256_BYTES];
	uint64_t hash;

	crypto_sha256(dn, strlen(dn), digest);
	(void)memcpy(&hash, digest, sizeof(hash));
	return hash;
}

static void
group_take(struct cycle_dry *d, const struct directory_entry *e)
{
	d->group_names = mu_alloc_again(d->group_names, d->group_count + 1, sizeof(char *));
	d->group_names[d->group_count] = mu_strdup(e->group_name);
	for (size_t i = 0; i < e->member_count; i++) {
		if (d->membership_count == d->membership_room) {
			d->membership_room = d->membership_room == 0 ? 256 : 2 * d->membership_room;
			d->memberships = mu_alloc_again(d->memberships, d->membership_room,
			    sizeof(*d->memberships));
		}
		d->memberships[d->membership_count++] = (struct membership){
			member_hash(e->members[i]), (uint32_t)d->group_count };
	}
	d->group_count++;
}

static void
groups_drop(struct cycle_dry *d)
{
	for (size_t i = 0; i < d->group_count; i++)
		mu_free(d->group_names[i]);
	mu_free(d->group_names);
	mu_free(d->memberships);
	d->group_names = NULL;
	d->memberships = NULL;
	d->group_count = d->membership_count = d->membership_room = 0;
}

static int
by_member(const void *x, const void *y)
{
	const struct membership *a = x, *b = y;

	return (a->member > b->member) - (a->member < b->member);
}

static bool
is_listed_group(const struct cycle_dry *d, const char *name)
{
	for (size_t i = 0; i < d->group_count; i++)
		if (strcmp(d->group_names[i], name) == 0)
			return true;
	return false;
}

/* Adds the groups that list this dn; where the listing proves nothing, stored ones it lacks stand. */
static void
groups_of(const struct cycle_dry *d, const char *dn, const struct strings *stored,
    struct strings *out)
{
	const struct listing *l = &d->listings[DIRECTORY_GROUPS];
	uint64_t member = member_hash(dn);
	size_t low = 0, high = d->membership_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (d->memberships[middle].member < member)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < d->membership_count && d->memberships[low].member == member; low++)
		strings_add(out, d->group_names[d->memberships[low].group]);
	if (l->refreshed && l->verdict == VERDICT_COMPLETE)
		return;
	for (size_t i = 0; i < stored->count; i++)
		if (!is_listed_group(d, stored->list[i]))
			strings_add(out, stored->list[i]);
}

/* --- One decision ------------------------------------------------------------------------------- */

/* Does another person hold the name, or would this run have given it to one? */
static bool
name_taken(const void *ctx, const char *platform, const char *name)
{
	struct cycle_dry *d = (struct cycle_dry *)(uintptr_t)ctx;
	MU_AUTO(mu_buf_clear) struct mu_buf both = MU_BUF_INIT, own = MU_BUF_INIT;
	char entry[MU_UUID_TEXT_BYTES];
	struct mu_err err = MU_ERR_INIT;
	struct mu_uuid holder;
	enum mu_rc rc;

	mu_buf_format(&both, "%s %s", platform, name);
	mu_buf_format(&own, "%s %s", both.data, mu_uuid_format(&d->deciding, entry));
	if (strings_has(&d->claimed, both.data))
		return !strings_has(&d->claimed, own.data);
	rc = store_account_holder(d->host.store, platform, name, &holder, &err);
	if (rc != MU_OK && rc != MU_EABSENT)
		d->fault = err;
	if (rc == MU_EABSENT) {
		strings_add(&d->claimed, both.data);
		strings_add(&d->claimed, own.data);
	}
	return rc == MU_OK;
}

static void
waiting_add(struct batch_waiting *b, const struct waiting *w)
{
	b->list = mu_alloc_again(b->list, b->count + 1, sizeof(*b->list));
	b->list[b->count++] = *w;
}

static void
waiting_drop(struct batch_waiting *b)
{
	for (size_t i = 0; i < b->count; i++) {
		mu_free(b->list[i].uid);
		mu_free(b->list[i].name);
		outcome_drop(b->list[i].outcome);
	}
	mu_free(b->list);
	*b = (struct batch_waiting){ .count = 0 };
}

static void
notes_add(struct cycle_dry *d, const struct outcome *o, const struct report_who *who)
{
	if (o->fault != NULL)
		report_note(d->report, who, "keeps the dates they had: %s", o->fault);
	if (o->refused != NULL)
		report_note(d->report, who, "%s", o->refused);
}

/*
 * Decides on a row as it would be decided on in earnest; the row is changed. What comes of it waits
 * for the others of the slice, or for the end: what takes something away, and what no entry says.
 */
static enum mu_rc
decide(struct cycle_dry *d, struct store_person *p, struct cycle_news *news,
    const struct store_holds *holds, const struct slice_person *entry, struct mu_err *err)
{
	MU_AUTO(cycle_change_clear) struct cycle_change ch = { .write = false };
	MU_AUTO(mu_freep) char *uid = mu_strdup(p->uid), *name = mu_strdup(store_person_name(p));
	const struct facts facts = { &p->attrs, &p->groups, p->source, NULL };
	struct report_who who = { &p->person_id, uid, name };
	struct decided as = { .person = *p };
	struct waiting w = { .person_id = p->person_id, .entry = entry, .news = news->heard };
	enum mu_rc rc;

	batch_holds_of(holds, &as);
	news->held = !news->heard && as.hold[BRAKE_REMOVAL] == BATCH_HELD;
	news->withhold = batch_withhold(&as);
	if (d->withhold > news->withhold)
		news->withhold = d->withhold;
	d->deciding = p->entry_uuid;
	rc = cycle_decide(&d->rules, NULL, p, news, d->now_s, &ch, err);
	if (d->fault.rc != MU_OK) {
		*err = d->fault;
		return err->rc;
	}
	if (p->uid[0] != '\0')		/* who is erased just now is told by who they were */
		who = (struct report_who){ &p->person_id, p->uid, store_person_name(p) };
	if (rc == MU_EINPUT) {
		report_note(d->report, &who, "cannot be used as it is: %s", err->text);
		*err = (struct mu_err)MU_ERR_INIT;
		return MU_OK;
	}
	if (rc != MU_OK)
		return rc;
	(void)memcpy(w.hold, as.hold, sizeof(w.hold));
	w.outcome = report_outcome(d->report, p, &ch);
	notes_add(d, w.outcome, &who);
	if (!w.outcome->changes) {
		outcome_drop(w.outcome);
		return MU_OK;
	}
	w.confirmed = (entry != NULL || !news->heard) &&
	    policy_is_confirmed(d->rules.policy, &facts);
	w.uid = mu_strdup(who.uid);
	w.name = mu_strdup(who.name);
	waiting_add(w.outcome->brakes[BRAKE_REMOVAL] || !news->heard ? &d->late : &d->now, &w);
	return MU_OK;
}

/* --- A slice of people -------------------------------------------------------------------------- */

/* People by their ids, in order of entry, with who of them the brake holds. */
static enum mu_rc
rows_read(struct cycle_dry *d, const struct mu_uuid *ids, size_t count,
    struct store_people *out_rows, struct store_holds *out_holds, struct mu_err *err)
{
	const struct cycle_again_host host = { .store = d->host.store };

	if (count == 0)
		return MU_OK;
	if (store_person_read_ids(d->host.store, ids, count, out_rows, err) != MU_OK ||
	    batch_holds_read(&host, ids, count, out_holds, err) != MU_OK)
		return err->rc;
	batch_rows_sort(out_rows);
	return MU_OK;
}

static void
person_new(struct store_person *p, const struct cycle_dry *d, const struct mu_uuid *entry_uuid)
{
	*p = (struct store_person){ .entry_uuid = *entry_uuid,
		.source = mu_strdup(d->host.source->name), .dn = mu_strdup(""),
		.uid = mu_strdup(""), .state = PERSON_STAGED, .state_since_s = d->now_s,
		.identified = mu_strdup(""), .evidence = mu_strdup("") };
}

/*
 * An entry that differs from the row is news; of one that does not, only other groups may change
 * something, and the row is decided on with these.
 */
static enum mu_rc
entry_decide(struct cycle_dry *d, const struct slice_person *e, struct store_person *row,
    const struct strings *groups, const struct store_holds *holds, struct mu_err *err)
{
	const char *given = attrs_first(&e->attrs, d->host.uid_name);
	bool is_news = row == NULL || d->every_entry ||
	    memcmp(row->content_hash, e->content_hash, sizeof(e->content_hash)) != 0;
	MU_AUTO(mu_buf_clear) struct mu_buf uid = MU_BUF_INIT;
	struct cycle_news news = { .groups = groups };
	struct store_person fresh = { .version = 0 };
	enum mu_rc rc;

	if (row == NULL) {
		person_new(&fresh, d, &e->entry_uuid);
		row = &fresh;
	}
	cycle_name_format(cycle_source_find(&d->rules, d->host.source->name),
	    given == NULL ? "" : given, &uid);
	if (is_news)
		news = (struct cycle_news){ .heard = true, .present = true, .dn = e->dn,
			.uid = mu_buf_text(&uid), .attrs = &e->attrs,
			.content_hash = e->content_hash, .groups = groups };
	rc = decide(d, row, &news, holds, e, err);
	store_person_clear(&fresh);
	return rc;
}

/* Whose entry or groups are not what the store has; their person_ids where there are such rows. */
static enum mu_rc
changed_find(struct cycle_dry *d, struct strings *groups, bool *out_changed, struct mu_uuid *out_ids,
    size_t *out_count, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people known = { NULL, 0 };
	const struct slice *s = &d->slice;
	MU_AUTO(mu_freep) struct mu_uuid *uuids = mu_alloc_zero(s->people_count, sizeof(*uuids));
	MU_AUTO(mu_freep) const char **dns = mu_alloc_zero(s->people_count, sizeof(*dns));
	struct strings *stored = mu_alloc_zero(s->people_count, sizeof(*stored));
	enum mu_rc rc;

	for (size_t i = 0; i < s->people_count; i++) {
		uuids[i] = s->people[i].entry_uuid;
		dns[i] = s->people[i].dn;
	}
	rc = store_person_hashes(d->host.store, d->host.source->name, uuids, s->people_count,
	    &known, err);
	if (rc == MU_OK)
		rc = store_person_groups(d->host.store, d->host.source->name, dns, s->people_count,
		    stored, err);
	if (rc == MU_OK)
		batch_rows_sort(&known);
	for (size_t i = 0; i < s->people_count && rc == MU_OK; i++) {
		const struct store_person *row = batch_row_find(&known, &uuids[i]);

		groups_of(d, dns[i], &stored[i], &groups[i]);
		out_changed[i] = d->every_entry || row == NULL ||
		    memcmp(row->content_hash, s->people[i].content_hash,
		    sizeof(row->content_hash)) != 0 || !strings_equal(&groups[i], &stored[i]);
		if (out_changed[i] && row != NULL)
			out_ids[(*out_count)++] = row->person_id;
	}
	for (size_t i = 0; i < s->people_count; i++)
		strings_clear(&stored[i]);
	mu_free(stored);
	return rc;
}

static int
by_uuid(const void *x, const void *y)
{
	return memcmp(x, y, sizeof(struct mu_uuid));
}

static enum mu_rc
people_decide(struct cycle_dry *d, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people rows = { NULL, 0 };
	MU_AUTO(store_holds_clear) struct store_holds holds = { .count = 0 };
	size_t people = d->slice.people_count, count = 0;
	MU_AUTO(mu_freep) struct mu_uuid *ids = mu_alloc_zero(people, sizeof(*ids));
	MU_AUTO(mu_freep) bool *changed = mu_alloc_zero(people, sizeof(*changed));
	struct strings *groups = mu_alloc_zero(people, sizeof(*groups));
	enum mu_rc rc = changed_find(d, groups, changed, ids, &count, err);

	if (count > 0)
		qsort(ids, count, sizeof(*ids), by_uuid);
	if (rc == MU_OK)
		rc = rows_read(d, ids, count, &rows, &holds, err);
	for (size_t i = 0; i < people && rc == MU_OK; i++)
		if (changed[i])
			rc = entry_decide(d, &d->slice.people[i],
			    batch_row_find(&rows, &d->slice.people[i].entry_uuid), &groups[i], &holds,
			    err);
	for (size_t i = 0; i < people; i++)
		strings_clear(&groups[i]);
	mu_free(groups);
	return rc;
}

/* --- The brake ---------------------------------------------------------------------------------- */

static struct brake_effect
effect_of(const struct cycle_dry *d, const struct waiting *w, enum brake_kind kind)
{
	const struct strings *platforms = &w->outcome->braked[kind];

	return (struct brake_effect){ .kind = kind, .source = d->host.source->name,
		.platforms = (const char *const *)platforms->list,
		.platform_count = platforms->count };
}

/* Does the brake judge this, which nobody has held or let pass before? */
static bool
is_judged(const struct cycle_dry *d, const struct waiting *w, enum brake_kind kind)
{
	return w->outcome->brakes[kind] && w->hold[kind] == BATCH_FREE &&
	    (kind == BRAKE_REMOVAL || d->settled);
}

/* What has passed so far, and what is wanted now: of all, or of whom HR confirms. */
static enum mu_rc
sheet_make(const struct cycle_dry *d, const struct batch_waiting *b, bool confirmed,
    struct brake_sheet *out, struct mu_err *err)
{
	out->list = mu_alloc_zero(d->passed.count, sizeof(*out->list));
	for (; out->count < d->passed.count; out->count++) {
		out->list[out->count] = d->passed.list[out->count];
		out->list[out->count].name = mu_strdup(d->passed.list[out->count].name);
	}
	for (size_t i = 0; i < b->count; i++)
		for (int k = 0; k < BRAKE_KIND_COUNT; k++) {
			const struct brake_effect e = effect_of(d, &b->list[i], (enum brake_kind)k);

			if (is_judged(d, &b->list[i], (enum brake_kind)k) &&
			    (!confirmed || b->list[i].confirmed))
				brake_sheet_want(out, d->rules.policy, &e);
		}
	if (brake_sheet_read(d->host.store, out, d->now_s, err) != MU_OK)
		return err->rc;
	brake_sheet_judge(out);
	return MU_OK;
}

static void
trips_note(struct cycle_dry *d, const struct brake_sheet *s)
{
	for (size_t i = 0; i < s->count; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;

		if (!s->list[i].trips)
			continue;
		brake_line_tell(&s->list[i], &line);
		if (!strings_has(&d->tripped, line.data))
			report_note(d->report, NULL, "%s", line.data);
		strings_add(&d->tripped, line.data);
	}
}

static void
one_judge(struct cycle_dry *d, struct waiting *w, const struct brake_sheet *sheet)
{
	for (int k = 0; k < BRAKE_KIND_COUNT; k++) {
		enum brake_kind kind = (enum brake_kind)k;
		const struct brake_effect e = effect_of(d, w, kind);

		if (!is_judged(d, w, kind))
			continue;
		if (!brake_sheet_holds(sheet, &e))
			brake_sheet_want(&d->passed, d->rules.policy, &e);
		else if (kind == BRAKE_REMOVAL)
			w->held = true;
		else if (kind == BRAKE_JOIN || w->withhold == POLICY_GIVE_ALL)
			w->withhold = kind == BRAKE_JOIN ? POLICY_NOTHING_NEW : POLICY_NO_POWER;
	}
}

/* Judges a batch together, as it would be before its first effect. */
static enum mu_rc
judge(struct cycle_dry *d, struct batch_waiting *b, struct mu_err *err)
{
	MU_AUTO(brake_sheet_clear) struct brake_sheet all = { .count = 0 };
	MU_AUTO(brake_sheet_clear) struct brake_sheet confirmed = { .count = 0 };

	if (sheet_make(d, b, false, &all, err) != MU_OK ||
	    sheet_make(d, b, true, &confirmed, err) != MU_OK)
		return err->rc;
	trips_note(d, &all);
	for (size_t i = 0; i < b->count; i++) {
		struct waiting *w = &b->list[i];

		one_judge(d, w, w->confirmed ? &confirmed : &all);
		w->held = w->held || (w->outcome->brakes[BRAKE_REMOVAL] &&
		    w->hold[BRAKE_REMOVAL] == BATCH_HELD);
	}
	return MU_OK;
}

/* Decides on somebody again, without what the brake holds of it. */
static enum mu_rc
again_decide(struct cycle_dry *d, const struct waiting *w, struct mu_err *err)
{
	static const struct mu_uuid none;
	static const struct strings nothing = STRINGS_INIT;
	MU_AUTO(store_people_clear) struct store_people rows = { NULL, 0 };
	MU_AUTO(store_holds_clear) struct store_holds holds = { .count = 0 };
	MU_AUTO(strings_clear) struct strings groups = STRINGS_INIT;
	bool is_new = mu_uuid_equal(&w->person_id, &none);
	struct cycle_news news = { .groups = &groups };
	enum mu_rc rc = MU_OK;

	if (!is_new)
		rc = rows_read(d, &w->person_id, 1, &rows, &holds, err);
	if (rc != MU_OK || (!is_new && rows.count == 0))
		return rc;
	groups_of(d, w->entry != NULL ? w->entry->dn : rows.list[0].dn,
	    is_new ? &nothing : &rows.list[0].groups, &groups);
	d->withhold = w->withhold;
	if (w->entry != NULL)
		rc = entry_decide(d, w->entry, is_new ? NULL : rows.list, &groups, &holds, err);
	else
		rc = decide(d, rows.list, &news, &holds, NULL, err);
	d->withhold = POLICY_GIVE_ALL;
	return rc;
}

/* Tells a batch that was judged, and empties it; then those who are decided on again. */
static enum mu_rc
batch_tell(struct cycle_dry *d, struct batch_waiting *b, struct mu_err *err)
{
	struct batch_waiting judged = *b;
	enum mu_rc rc = MU_OK;

	*b = (struct batch_waiting){ .count = 0 };
	for (size_t i = 0; i < judged.count && rc == MU_OK; i++) {
		const struct waiting *w = &judged.list[i];
		const struct report_who who = { &w->person_id, w->uid, w->name };

		if (w->held || w->withhold != POLICY_GIVE_ALL)
			report_add_held(d->report, w->outcome, &who);
		else
			report_add(d->report, w->outcome, &who);
		if (!w->held && w->withhold != POLICY_GIVE_ALL && (w->entry != NULL || !w->news))
			rc = again_decide(d, w, err);
	}
	waiting_drop(&judged);
	for (size_t i = 0; i < b->count; i++) {		/* as decided on again */
		const struct report_who who = { &b->list[i].person_id, b->list[i].uid,
			b->list[i].name };

		report_add(d->report, b->list[i].outcome, &who);
	}
	waiting_drop(b);
	return rc;
}

/* --- What the directory reports ------------------------------------------------------------------ */

static void
over(struct cycle_dry *d)
{
	if (!mu_timer_is_set(d->end))
		mu_timer_set(d->end, 0);
}

/* The directory begins anew by itself: what was told of the read before counts no more. */
static enum mu_rc
on_began(void *ctx, enum directory_search search, bool full, struct mu_err *err)
{
	struct cycle_dry *d = ctx;

	(void)full;
	(void)err;
	d->listings[search] = (struct listing){ .refreshed = false };
	if (search == DIRECTORY_GROUPS)
		groups_drop(d);
	return MU_OK;
}

static enum mu_rc
on_entry(void *ctx, enum directory_search search, struct directory_entry *entry, struct mu_err *err)
{
	struct cycle_dry *d = ctx;
	unsigned char hash[CRYPTO_SHA256_BYTES];

	(void)err;
	if (d->listings[search].refreshed)	/* a change after what was to be read */
		return MU_OK;
	if (search == DIRECTORY_GROUPS) {
		group_take(d, entry);
		return MU_OK;
	}
	for (size_t i = 0; i < d->slice.people_count; i++)	/* only the newest of it counts */
		if (mu_uuid_equal(&d->slice.people[i].entry_uuid, &entry->entry_uuid)) {
			slice_person_clear(&d->slice.people[i]);
			d->slice.people[i] = d->slice.people[--d->slice.people_count];
			break;
		}
	uuids_add(&d->seen, &entry->entry_uuid);
	slice_content_hash(entry, &d->scratch, d->hash, hash);
	slice_person_add(&d->slice, entry, hash, false);
	return MU_OK;
}

static enum mu_rc
on_present(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid,
    struct mu_err *err)
{
	struct cycle_dry *d = ctx;

	(void)err;
	if (search == DIRECTORY_PEOPLE)
		uuids_add(&d->seen, entry_uuid);
	return MU_OK;
}

static enum mu_rc
on_removed(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid,
    struct mu_err *err)
{
	(void)ctx;
	(void)search;
	(void)entry_uuid;
	(void)err;
	return MU_OK;
}

static enum mu_rc
on_quarantined(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid,
    const char *dn, const char *reason, struct mu_err *err)
{
	struct cycle_dry *d = ctx;
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	char entry[MU_UUID_TEXT_BYTES];

	(void)err;
	mu_field_format(&name, entry_uuid == NULL ? dn : mu_uuid_format(entry_uuid, entry));
	report_note(d->report, NULL, "the entry %s of a %s cannot be used: %s", mu_buf_text(&name),
	    search == DIRECTORY_PEOPLE ? "person" : "group", reason);
	if (entry_uuid != NULL && search == DIRECTORY_PEOPLE) {
		uuids_add(&d->seen, entry_uuid);
		uuids_add(&d->bad, entry_uuid);
	}
	return MU_OK;
}

static enum mu_rc
on_refreshed(void *ctx, enum directory_search search, enum verdict verdict, enum directory_how how,
    size_t listed_count, struct mu_err *err)
{
	struct cycle_dry *d = ctx;

	(void)err;
	d->listings[search] = (struct listing){ true, search == DIRECTORY_GROUPS &&
		verdict == VERDICT_EMPTY ? VERDICT_COMPLETE : verdict, how, listed_count };
	if (search == DIRECTORY_GROUPS && d->membership_count > 0)
		qsort(d->memberships, d->membership_count, sizeof(*d->memberships), by_member);
	return MU_OK;
}

static enum mu_rc
on_cookie(void *ctx, enum directory_search search, const void *bytes, size_t bytes_count,
    struct mu_err *err)
{
	(void)ctx;
	(void)search;
	(void)bytes;
	(void)bytes_count;
	(void)err;
	return MU_OK;
}

static void
count_each(void *ctx, const struct mu_uuid *entry_uuid)
{
	int64_t *count = ctx;

	(void)entry_uuid;
	(*count)++;
}

/* An empty listing of groups is believed only where there were none. */
static enum mu_rc
groups_judge(struct cycle_dry *d, struct mu_err *err)
{
	const struct listing *l = &d->listings[DIRECTORY_GROUPS];
	int64_t known = 0;

	if (!l->refreshed || l->verdict != VERDICT_COMPLETE || l->listed_count > 0)
		return MU_OK;
	if (store_group_each(d->host.store, d->host.source->name, count_each, &known, err) != MU_OK)
		return err->rc;
	if (known == 0)
		return MU_OK;
	d->verdict = VERDICT_NONE;
	mu_buf_reset(&d->verdict_text);
	mu_buf_format(&d->verdict_text, "no group is shown where %lld were: is the access right"
	    " gone? A real run waits until groups are shown again", (long long)known);
	over(d);
	return MU_OK;
}

static enum mu_rc
on_slice_end(void *ctx, struct mu_err *err)
{
	struct cycle_dry *d = ctx;
	enum mu_rc rc = MU_OK;

	if (mu_timer_is_set(d->end)) {
		slice_clear(&d->slice);
		return MU_OK;
	}
	rc = groups_judge(d, err);
	if (rc == MU_OK && d->slice.people_count > 0 && !mu_timer_is_set(d->end))
		rc = people_decide(d, err);
	if (rc == MU_OK)
		rc = judge(d, &d->now, err);
	if (rc == MU_OK)
		rc = batch_tell(d, &d->now, err);
	for (size_t i = 0; i < d->late.count; i++)
		d->late.list[i].entry = NULL;
	slice_clear(&d->slice);
	if (rc != MU_OK) {
		d->fault = *err;
		over(d);
	}
	return rc;
}

static void
on_verdict(void *ctx, enum verdict verdict, const char *text)
{
	struct cycle_dry *d = ctx;

	if (mu_timer_is_set(d->end))
		return;
	d->verdict = verdict;
	mu_buf_reset(&d->verdict_text);
	mu_buf_text_add(&d->verdict_text, text);
	over(d);
}

static const struct directory_events events = {
	.began = on_began,
	.entry = on_entry,
	.present = on_present,
	.removed = on_removed,
	.quarantined = on_quarantined,
	.refreshed = on_refreshed,
	.cookie = on_cookie,
	.slice_end = on_slice_end,
	.verdict = on_verdict,
};

/* --- The end: who is missing, what the brake holds ------------------------------------------------ */

struct missing {
	const struct uuids *seen;
	struct uuids out;
	int64_t known;
};

static void
missing_each(void *ctx, const struct mu_uuid *entry_uuid)
{
	struct missing *m = ctx;

	m->known++;
	if (!uuids_has(m->seen, entry_uuid))
		uuids_add(&m->out, entry_uuid);
}

/* Decides on those of a page of entries that the store has, as gone or by their rows alone. */
static enum mu_rc
entries_decide(struct cycle_dry *d, const struct mu_uuid *uuids, size_t count, bool gone,
    struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people rows = { NULL, 0 };
	MU_AUTO(store_holds_clear) struct store_holds holds = { .count = 0 };
	struct mu_uuid ids[PAGE];
	size_t found = 0;

	if (store_person_ids_by_entry(d->host.store, d->host.source->name, uuids, count, ids,
	    &found, err) != MU_OK)
		return err->rc;
	if (found > 0)
		qsort(ids, found, sizeof(*ids), by_uuid);
	if (rows_read(d, ids, found, &rows, &holds, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < rows.count; i++) {
		MU_AUTO(strings_clear) struct strings groups = STRINGS_INIT;
		struct store_person *p = &rows.list[i];
		struct cycle_news news = { .heard = gone };

		groups_of(d, p->dn, &p->groups, &groups);
		news.groups = &groups;
		if (!gone && strings_equal(&groups, &p->groups))
			continue;
		if (decide(d, p, &news, &holds, NULL, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

static enum mu_rc
all_decide(struct cycle_dry *d, const struct uuids *uuids, bool gone, struct mu_err *err)
{
	for (size_t at = 0; at < uuids->count; at += PAGE)
		if (entries_decide(d, uuids->list + at, uuids->count - at < PAGE ?
		    uuids->count - at : PAGE, gone, err) != MU_OK)
			return err->rc;
	return MU_OK;
}

/* Judges what waited for the end; narrowed: all of it is held. */
static enum mu_rc
late_judge(struct cycle_dry *d, bool narrowed, struct mu_err *err)
{
	if (!narrowed && judge(d, &d->late, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < d->late.count; i++)
		d->late.list[i].held = d->late.list[i].held || narrowed;
	return batch_tell(d, &d->late, err);
}

/* What a full listing says of those whom it does not list. */
static enum mu_rc
people_finish(struct cycle_dry *d, struct mu_err *err)
{
	const struct listing *l = &d->listings[DIRECTORY_PEOPLE];
	struct missing m = { &d->seen, { .count = 0 }, 0 };
	struct narrow narrow = { .narrowed = false };
	bool believed = l->refreshed && l->verdict != VERDICT_EMPTY;
	enum mu_rc rc = MU_OK;

	uuids_sort(&d->seen);
	uuids_sort(&d->bad);
	if (believed && l->verdict == VERDICT_COMPLETE && l->how != DIRECTORY_DELTA) {
		rc = store_person_each_entry(d->host.store, d->host.source->name, missing_each, &m,
		    err);
		if (rc == MU_OK)
			rc = narrow_look(d->host.store, d->host.source->name, &m.out, m.known,
			    &narrow, err);
		d->missing = (int64_t)m.out.count;
	}
	if (narrow.narrowed || !believed)	/* it is read again, and not believed now */
		waiting_drop(&d->late);
	if (narrow.narrowed) {
		d->verdict = VERDICT_NARROWED;
		mu_buf_reset(&d->verdict_text);
		mu_buf_format(&d->verdict_text, "it lists %lld people, there were %lld: who is"
		    " missing is held", (long long)(narrow.people - narrow.missing),
		    (long long)narrow.people);
	}
	if (rc == MU_OK)
		rc = all_decide(d, &m.out, true, err);
	if (rc == MU_OK && believed && !narrow.narrowed)
		rc = all_decide(d, &d->bad, false, err);
	if (rc == MU_OK)
		rc = late_judge(d, narrow.narrowed, err);
	uuids_clear(&m.out);
	return rc;
}

static void
on_end(void *ctx)
{
	struct cycle_dry *d = ctx;
	MU_AUTO(cycle_told_clear) struct cycle_told told = { .lines = MU_BUF_INIT };
	struct mu_err err = d->fault;
	struct report_read read = { .source = d->host.source->name };

	directory_close(d->directory);
	d->directory = NULL;
	if (err.rc == MU_OK && people_finish(d, &err) == MU_OK) {
		read.verdict = d->verdict;
		read.text = mu_buf_text(&d->verdict_text);
		read.people = (int64_t)d->seen.count;
		read.groups = (int64_t)d->group_count;
		read.missing = d->missing;
		report_people_count(d->report, read.people);
		report_end(d->report, -1, &read, &told.lines, &told.json);
	}
	d->host.ended(d->host.ctx, err.rc, &told, &err);
}

/* --- Beginning ---------------------------------------------------------------------------------- */

/* Is something left to be done, so that a real run decides on every entry? */
static enum mu_rc
left_look(struct cycle_dry *d, struct mu_err *err)
{
	static const char *const searches[] = { "people", "groups" };
	static const unsigned char none[SOURCE_DIGEST_BYTES];
	const char *source = d->host.source->name;
	int64_t held = 0;

	if (store_brake_hold_count(d->host.store, source, &held, err) != MU_OK ||
	    store_brake_is_settled(d->host.store, source, &d->settled, err) != MU_OK)
		return err->rc;
	d->every_entry = held > 0;
	for (size_t i = 0; i < MU_COUNT(searches); i++) {
		MU_AUTO(store_search_clear) struct store_search row = { .listed_count = 0 };
		enum mu_rc rc = store_search_get(d->host.store, source, searches[i], &row, err);

		if (rc != MU_OK && rc != MU_EABSENT)
			return rc;
		d->every_entry = d->every_entry ||
		    (rc == MU_OK && memcmp(none, row.digest, sizeof(none)) == 0);
		*err = (struct mu_err)MU_ERR_INIT;
	}
	return MU_OK;
}

static void
on_begin(void *ctx)
{
	struct cycle_dry *d = ctx;
	const struct directory_resume resume = { { { NULL, 0 } } };

	if (left_look(d, &d->fault) != MU_OK || directory_open(d->host.loop, d->host.source,
	    &resume, &events, d, &d->directory, &d->fault) != MU_OK)
		over(d);
}

struct cycle_dry *
cycle_dry_open(const struct cycle_dry_host *host)
{
	struct cycle_dry *d = mu_alloc_zero(1, sizeof(*d));

	d->host = *host;
	d->rules = *host->rules;
	d->rules.name_taken = name_taken;
	d->rules.name_ctx = d;
	d->now_s = mu_now_s();
	d->report = report_new(host->as_json);
	d->hash = crypto_hash_new();
	d->begin = mu_loop_timer(host->loop, on_begin, d);
	d->end = mu_loop_timer(host->loop, on_end, d);
	mu_timer_set(d->begin, 0);
	return d;
}

void
cycle_dry_close(struct cycle_dry *d)
{
	if (d == NULL)
		return;
	directory_close(d->directory);
	mu_timer_free(d->begin);
	mu_timer_free(d->end);
	waiting_drop(&d->now);
	waiting_drop(&d->late);
	brake_sheet_clear(&d->passed);
	strings_clear(&d->tripped);
	groups_drop(d);
	slice_clear(&d->slice);
	mu_buf_clear(&d->scratch);
	crypto_hash_free(d->hash);
	uuids_clear(&d->seen);
	uuids_clear(&d->bad);
	strings_clear(&d->claimed);
	mu_buf_clear(&d->verdict_text);
	report_free(d->report);
	mu_free(d);
}
