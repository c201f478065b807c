#include "cycle/apply.h"

#include "base/clock.h"
#include "base/log.h"
#include "cycle/brake_priv.h"
#include "store/source.h"

#include <string.h>

#define STAYS_LOOK_S	3600	/* when the clock looks again at someone held who keeps all */

static struct cycle_again_host
batch_host(const struct cycle_apply *a)
{
	const struct cycle_host *h = a->host;

	return (struct cycle_again_host){ h->store, &h->rules, h->mac, h->mac_check, h->mac_ctx,
		false };
}

/* --- Groups: whoever's groups changed is decided on again ----------------------------------- */

static enum mu_rc
groups_write(struct cycle_apply *a, struct mu_err *err)
{
	struct store *store = a->host->store;
	const char *source = a->host->source->name;
	struct slice *s = a->slice;

	for (size_t i = 0; i < s->group_count + s->removed_groups.count; i++) {
		MU_AUTO(mu_freep) struct mu_uuid *changed = NULL;
		size_t changed_count = 0;
		enum mu_rc rc;

		if (i < s->group_count)
			rc = store_group_write(store, source, &s->groups[i].entry_uuid,
			    s->groups[i].name, (const char *const *)s->groups[i].members,
			    s->groups[i].member_count, s->groups[i].content_hash, &changed,
			    &changed_count, err);
		else
			rc = store_group_remove(store, source,
			    &s->removed_groups.list[i - s->group_count], &changed, &changed_count,
			    err);
		if (rc != MU_OK)
			return rc;
		for (size_t k = 0; k < changed_count; k++)
			uuids_add(&s->redecide, &changed[k]);
	}
	uuids_sort(&s->redecide);
	return MU_OK;
}

/* --- People: only what differs is read whole ------------------------------------------------ */

/*
 * Entries whose content is what the row already holds are left out: a full read touches no row.
 * While the brake holds somebody all are kept: who is back as they were is held no longer.
 */
static enum mu_rc
entries_changed(struct cycle_apply *a, const struct slice_person ***out_list, size_t *out_count,
    struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people known = { NULL, 0 };
	MU_AUTO(mu_freep) struct mu_uuid *uuids = mu_alloc_zero(a->slice->people_count,
	    sizeof(*uuids));
	const struct slice_person **list = mu_alloc_zero(a->slice->people_count, sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < a->slice->people_count; i++)
		uuids[i] = a->slice->people[i].entry_uuid;
	if (a->slice->people_count > 0 && store_person_hashes(a->host->store, a->host->source->name,
	    uuids, a->slice->people_count, &known, err) != MU_OK) {
		mu_free(list);
		return err->rc;
	}
	batch_rows_sort(&known);
	for (size_t i = 0; i < a->slice->people_count; i++) {
		const struct slice_person *p = &a->slice->people[i];
		const struct store_person *row = batch_row_find(&known, &p->entry_uuid);

		if (a->every_entry || row == NULL || memcmp(row->content_hash, p->content_hash,
		    sizeof(p->content_hash)) != 0)
			list[count++] = p;
	}
	*out_list = list;
	*out_count = count;
	return MU_OK;
}

void
apply_person_new(struct store_person *p, const char *source, const struct slice_person *entry,
    int64_t now_s)
{
	*p = (struct store_person){ .entry_uuid = entry->entry_uuid, .source = mu_strdup(source),
		.dn = mu_strdup(""), .uid = mu_strdup(""), .state = PERSON_STAGED,
		.state_since_s = now_s, .identified = mu_strdup(""), .evidence = mu_strdup("") };
	mu_uuid_new(&p->person_id);
}

void
apply_news_init(const struct cycle_host *host, const struct slice_person *entry,
    const struct strings *groups, struct mu_buf *uid, struct cycle_news *out_news)
{
	const char *given = attrs_first(&entry->attrs, host->uid_name);

	cycle_name_format(cycle_source_find(&host->rules, host->source->name),
	    given == NULL ? "" : given, uid);
	*out_news = (struct cycle_news){ .heard = true, .present = true, .dn = entry->dn,
		.uid = mu_buf_text(uid), .attrs = &entry->attrs,
		.content_hash = entry->content_hash, .groups = groups };
}

/* What is withheld of what they would gain: by a hold, or because this very batch trips. */
static enum policy_withhold
withhold_of(const struct cycle_apply *a, const struct decided *d)
{
	enum policy_withhold by_hold = batch_withhold(d);

	if (by_hold == POLICY_NOTHING_NEW ||
	    uuids_has(&a->withheld[BRAKE_JOIN], &d->person.entry_uuid))
		return POLICY_NOTHING_NEW;
	if (by_hold == POLICY_NO_POWER ||
	    uuids_has(&a->withheld[BRAKE_POWER], &d->person.entry_uuid))
		return POLICY_NO_POWER;
	return POLICY_GIVE_ALL;
}

/* Decides; a person whose entry is at fault is quarantined and left as they were. */
static enum mu_rc
decide_one(struct cycle_apply *a, struct decided *d, struct cycle_news *news, struct mu_err *err)
{
	char entry[MU_UUID_TEXT_BYTES];
	struct audit_field fields[3];
	enum mu_rc rc;

	news->withhold = d->withhold = withhold_of(a, d);
	rc = cycle_decide(&a->host->rules, a->host->store, &d->person, news, a->now_ms / 1000,
	    &d->change, err);
	d->heard = news->heard;
	d->kept = news->held;
	if (rc == MU_OK)
		d->skip = d->change.stays;
	if (rc != MU_EINPUT)
		return rc;
	d->skip = d->at_fault = true;
	(void)mu_uuid_format(&d->person.entry_uuid, entry);
	store_quarantine_write(a->host->store, a->host->source->name, entry, err->text,
	    a->now_ms / 1000);
	fields[0] = (struct audit_field)AUDIT_TEXT("source", a->host->source->name);
	fields[1] = (struct audit_field)AUDIT_TEXT("entry", entry);
	fields[2] = (struct audit_field)AUDIT_TEXT("reason", err->text);
	audit_record(a->host->store, AUDIT_ENTRY_QUARANTINED, a->now_ms, fields, 3, NULL);
	mu_log_err(err, "entry.quarantined", "source", a->host->source->name, "entry", entry, NULL);
	return MU_OK;
}

/* Groups of people who are new, or whose dn changed, are looked up by the dn they have now. */
static enum mu_rc
entries_decide(struct cycle_apply *a, struct batch *b, const struct slice_person **entries,
    size_t count, struct store_people *rows, const struct store_holds *holds, struct mu_err *err)
{
	MU_AUTO(mu_freep) const char **dns = mu_alloc_zero(count, sizeof(*dns));
	struct strings *groups = mu_alloc_zero(count, sizeof(*groups));
	const char *source = a->host->source->name;
	enum mu_rc rc = MU_OK;

	for (size_t i = 0; i < count; i++)
		dns[i] = entries[i]->dn;
	if (count > 0)
		rc = store_person_groups(a->host->store, source, dns, count, groups, err);
	for (size_t i = 0; i < count && rc == MU_OK; i++) {
		struct store_person *row = batch_row_find(rows, &entries[i]->entry_uuid), fresh;
		struct decided *d;
		MU_AUTO(mu_buf_clear) struct mu_buf uid = MU_BUF_INIT;
		struct cycle_news news;

		apply_news_init(a->host, entries[i], &groups[i], &uid, &news);
		if (row == NULL || row->source == NULL) {
			apply_person_new(&fresh, source, entries[i], a->now_ms / 1000);
			row = &fresh;
		}
		d = batch_add(b, row);
		d->entry = entries[i];
		batch_holds_of(holds, d);
		rc = decide_one(a, d, &news, err);
	}
	for (size_t i = 0; i < count; i++)
		strings_clear(&groups[i]);
	mu_free(groups);
	return rc;
}

static enum mu_rc
rows_decide(struct cycle_apply *a, struct batch *b, struct store_people *rows,
    const struct store_holds *holds, bool gone, struct mu_err *err)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct cycle_news news = { .heard = gone };
		struct decided *d;

		if (rows->list[i].source == NULL)	/* was an entry of this slice */
			continue;
		d = batch_add(b, &rows->list[i]);
		batch_holds_of(holds, d);
		news.held = !gone && d->hold[BRAKE_REMOVAL] == BATCH_HELD;
		if (decide_one(a, d, &news, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

/* The rows of the slice's entries and removals, and of those to be decided again; nobody twice. */
static enum mu_rc
rows_lock(struct cycle_apply *a, const struct slice_person *const *entries, size_t count,
    struct store_people *rows, struct store_people *others, struct uuids *out_ids,
    struct mu_err *err)
{
	MU_AUTO(uuids_clear) struct uuids wanted = { .count = 0 }, ids = { .count = 0 };
	struct store *store = a->host->store;

	for (size_t i = 0; i < count; i++)
		uuids_add(&wanted, &entries[i]->entry_uuid);
	for (size_t i = 0; i < a->slice->removed_people.count; i++)
		uuids_add(&wanted, &a->slice->removed_people.list[i]);
	uuids_sort(&wanted);
	if (wanted.count > 0 && store_person_lock_entries(store, a->host->source->name, wanted.list,
	    wanted.count, rows, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < rows->count; i++)
		uuids_add(out_ids, &rows->list[i].person_id);
	uuids_sort(out_ids);
	for (size_t i = 0; i < a->slice->redecide.count; i++)
		if (!uuids_has(out_ids, &a->slice->redecide.list[i]))
			uuids_add(&ids, &a->slice->redecide.list[i]);
	uuids_sort(&ids);
	for (size_t i = 0; i < ids.count; i++)
		uuids_add(out_ids, &ids.list[i]);
	if (ids.count > 0 &&
	    store_person_lock_ids(store, ids.list, ids.count, others, err) != MU_OK)
		return err->rc;
	batch_rows_sort(rows);
	return MU_OK;
}

static enum mu_rc
people_decide(struct cycle_apply *a, struct batch *b, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people rows = { NULL, 0 }, others = { NULL, 0 };
	MU_AUTO(mu_freep) const struct slice_person **entries = NULL;
	MU_AUTO(uuids_clear) struct uuids ids = { .count = 0 };
	MU_AUTO(store_holds_clear) struct store_holds holds = { .count = 0 };
	struct store_people *const lists[] = { &rows, &others };
	const struct cycle_again_host host = batch_host(a);
	size_t count = 0;

	if (entries_changed(a, &entries, &count, err) != MU_OK ||
	    rows_lock(a, entries, count, &rows, &others, &ids, err) != MU_OK ||
	    batch_holds_read(&host, ids.list, ids.count, &holds, err) != MU_OK ||
	    batch_rows_check(&host, lists, MU_COUNT(lists), a->now_ms, a->told, err) != MU_OK ||
	    entries_decide(a, b, entries, count, &rows, &holds, err) != MU_OK ||
	    rows_decide(a, b, &rows, &holds, true, err) != MU_OK)
		return err->rc;
	return rows_decide(a, b, &others, &holds, false, err);
}

/* --- Held ----------------------------------------------------------------------------------- */

/* Every grant ends: who is held and has something to be looked at is decided by the row alone. */
static enum mu_rc
held_decide(struct cycle_apply *a, struct batch *b, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people rows = { NULL, 0 };
	MU_AUTO(store_holds_clear) struct store_holds holds = { .count = 0 };
	MU_AUTO(uuids_clear) struct uuids ids = { .count = 0 };
	struct store_people *const lists[] = { &rows };
	const struct cycle_again_host host = batch_host(a);

	for (size_t i = 0; i < b->count; i++) {
		const struct decided *d = &b->list[i];

		if (d->holds && d->was_due_at_s != 0)
			uuids_add(&ids, &d->person.person_id);
	}
	if (ids.count == 0)
		return MU_OK;
	uuids_sort(&ids);
	if (store_person_lock_ids(a->host->store, ids.list, ids.count, &rows, err) != MU_OK ||
	    batch_holds_read(&host, ids.list, ids.count, &holds, err) != MU_OK ||
	    batch_rows_check(&host, lists, 1, a->now_ms, a->told, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < rows.count; i++) {
		struct decided *d = batch_add(b, &rows.list[i]);
		struct cycle_news held = { .held = true };

		batch_holds_of(&holds, d);
		d->hold[BRAKE_REMOVAL] = BATCH_HELD;
		if (decide_one(a, d, &held, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

static void
bad_write(struct cycle_apply *a)
{
	for (size_t i = 0; i < a->slice->bad_count; i++) {
		const struct slice_bad *bad = &a->slice->bad[i];
		struct audit_field fields[3] = {
			AUDIT_TEXT("source", a->host->source->name),
			AUDIT_TEXT("entry", bad->entry),
			AUDIT_TEXT("reason", bad->reason),
		};

		store_quarantine_write(a->host->store, a->host->source->name, bad->entry,
		    bad->reason, a->now_ms / 1000);
		audit_record(a->host->store, AUDIT_ENTRY_QUARANTINED, a->now_ms, fields, 3, NULL);
		mu_log("entry.quarantined", "source", a->host->source->name, "entry", bad->entry,
		    "reason", bad->reason, NULL);
	}
}

/* Who is due, but stays as they are while they are held, is not due all the time. */
static enum mu_rc
stays_postpone(struct cycle_apply *a, const struct batch *b, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people rows = { NULL, 0 };
	MU_AUTO(uuids_clear) struct uuids ids = { .count = 0 };
	int64_t now_s = a->now_ms / 1000;

	for (size_t i = 0; i < b->count; i++)
		if (b->list[i].change.stays && b->list[i].was_due_at_s != 0 &&
		    b->list[i].was_due_at_s <= now_s)
			uuids_add(&ids, &b->list[i].person.person_id);
	if (ids.count == 0)
		return MU_OK;
	uuids_sort(&ids);
	if (store_person_lock_ids(a->host->store, ids.list, ids.count, &rows, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < rows.count; i++) {
		rows.list[i].due_at_s = now_s + STAYS_LOOK_S;
		store_person_write(a->host->store, &rows.list[i]);
	}
	return MU_OK;
}

/*
 * Whoever waits for an account name that another gets is decided on when that is written; whose
 * gain is held, without it; whose entry is at fault while their groups changed, by the row alone: a
 * bad date keeps nobody in.
 */
static void
again_collect(const struct cycle_apply *a, const struct batch *b, struct slice *out_again)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct decided *d = &b->list[i];

		if (d->at_fault && uuids_has(&a->slice->redecide, &d->person.person_id))
			uuids_add(&out_again->redecide, &d->person.person_id);
		else if (d->again && d->entry != NULL)
			slice_person_copy(out_again, d->entry);
		else if (d->again)
			uuids_add(&out_again->redecide, &d->person.person_id);
	}
}

void
cycle_apply_clear(struct cycle_apply *a)
{
	for (size_t i = 0; i < MU_COUNT(a->withheld); i++)
		uuids_clear(&a->withheld[i]);
}

enum mu_rc
cycle_apply(struct cycle_apply *a, struct mu_err *err)
{
	MU_AUTO(batch_clear) struct batch b = { .count = 0 };
	MU_AUTO(slice_clear) struct slice again = { .people_count = 0 };
	const struct cycle_again_host host = batch_host(a);
	struct slice *slice = a->slice;
	enum mu_rc rc;

	bad_write(a);
	if (groups_write(a, err) != MU_OK || people_decide(a, &b, err) != MU_OK)
		return err->rc;
	batch_claims_settle(&b);
	if (brake_batch(a, &b, err) != MU_OK || held_decide(a, &b, err) != MU_OK)
		return err->rc;
	batch_claims_settle(&b);
	if (batch_write(&host, &b, a->now_ms, &a->written, err) != MU_OK ||
	    stays_postpone(a, &b, err) != MU_OK)
		return err->rc;
	again_collect(a, &b, &again);
	if (slice_is_empty(&again))
		return MU_OK;
	a->slice = &again;
	rc = cycle_apply(a, err);
	a->slice = slice;
	return rc;
}
