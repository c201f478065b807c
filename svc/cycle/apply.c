#include "cycle/apply.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One person of the slice: the row as it is to be, and what differs. */
struct decided {
	struct store_person person;
	struct cycle_change change;
	const struct slice_person *entry;	/* NULL: removed, or decided on again */
	bool heard;				/* by an entry or its removal; else by the row alone */
	bool skip;				/* deferred, held or quarantined */
	bool braked;				/* has passed the brake, or is held by it */
};

struct batch {
	struct decided *list;
	size_t count;
};

static void
batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		store_person_clear(&b->list[i].person);
		cycle_change_clear(&b->list[i].change);
	}
	mu_free(b->list);
	*b = (struct batch){ .count = 0 };
}

static struct decided *
batch_add(struct batch *b)
{
	b->list = mu_alloc_again(b->list, b->count + 1, sizeof(*b->list));
	(void)memset(&b->list[b->count], 0, sizeof(*b->list));
	return &b->list[b->count++];
}

/* --- Groups: whoever's groups changed is decided on again -------------------------------------------- */

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
			rc = store_group_write(store, source, &s->groups[i].entry_uuid, s->groups[i].name,
			    (const char *const *)s->groups[i].members, s->groups[i].member_count, &changed,
			    &changed_count, err);
		else
			rc = store_group_remove(store, source, &s->removed_groups.list[i - s->group_count],
			    &changed, &changed_count, err);
		if (rc != MU_OK)
			return rc;
		for (size_t k = 0; k < changed_count; k++)
			uuids_add(&s->redecide, &changed[k]);
	}
	uuids_sort(&s->redecide);
	return MU_OK;
}

/* --- People: only what differs is read whole ------------------------------------------------------------ */

static int
by_entry(const void *x, const void *y)
{
	const struct store_person *a = x, *b = y;

	return memcmp(&a->entry_uuid, &b->entry_uuid, sizeof(a->entry_uuid));
}

static struct store_person *
row_find(const struct store_people *rows, const struct mu_uuid *entry_uuid)
{
	struct store_person key = { .entry_uuid = *entry_uuid };

	return rows->count == 0 ? NULL :
	    bsearch(&key, rows->list, rows->count, sizeof(*rows->list), by_entry);
}

/*
 * Entries whose content is what the row already holds are left out: a full read touches no row. While
 * the brake holds somebody all are kept: who is back as they were is held no longer.
 */
static enum mu_rc
entries_changed(struct cycle_apply *a, const struct slice_person ***out_list, size_t *out_count,
    struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people known = { NULL, 0 };
	MU_AUTO(mu_freep) struct mu_uuid *uuids = mu_alloc_zero(a->slice->people_count, sizeof(*uuids));
	const struct slice_person **list = mu_alloc_zero(a->slice->people_count, sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < a->slice->people_count; i++)
		uuids[i] = a->slice->people[i].entry_uuid;
	if (a->slice->people_count > 0 && store_person_hashes(a->host->store, a->host->source->name,
	    uuids, a->slice->people_count, &known, err) != MU_OK) {
		mu_free(list);
		return err->rc;
	}
	if (known.count > 0)
		qsort(known.list, known.count, sizeof(*known.list), by_entry);
	for (size_t i = 0; i < a->slice->people_count; i++) {
		const struct slice_person *p = &a->slice->people[i];
		const struct store_person *row = row_find(&known, &p->entry_uuid);

		if (a->drop_holds || row == NULL || memcmp(row->content_hash, p->content_hash,
		    sizeof(p->content_hash)) != 0)
			list[count++] = p;
	}
	*out_list = list;
	*out_count = count;
	return MU_OK;
}

static void
person_new(struct store_person *p, const char *source, const struct slice_person *entry, int64_t now_s)
{
	*p = (struct store_person){ .entry_uuid = entry->entry_uuid, .source = mu_strdup(source),
		.dn = mu_strdup(""), .uid = mu_strdup(""), .state = PERSON_STAGED,
		.state_since_s = now_s, .identified = mu_strdup(""), .evidence = mu_strdup("") };
	mu_uuid_new(&p->person_id);
}

/* Moves the row out of rows, so that it is freed once. */
static void
row_take(struct store_person *from, struct store_person *to)
{
	struct mu_uuid entry_uuid = from->entry_uuid;

	*to = *from;
	*from = (struct store_person){ .entry_uuid = entry_uuid };
}

/* Decides; a person whose entry is at fault is quarantined and left as they were. */
static enum mu_rc
decide_one(struct cycle_apply *a, struct decided *d, const struct cycle_news *news, struct mu_err *err)
{
	char entry[MU_UUID_TEXT_BYTES];
	struct audit_field fields[3];
	enum mu_rc rc = cycle_decide(&a->host->rules, a->host->store, &d->person, news,
	    a->now_ms / 1000, &d->change, err);

	d->heard = news->heard;
	if (rc != MU_EINPUT)
		return rc;
	d->skip = true;
	(void)mu_uuid_format(&d->person.entry_uuid, entry);
	store_quarantine_write(a->host->store, a->host->source->name, entry, err->text, a->now_ms / 1000);
	fields[0] = (struct audit_field)AUDIT_TEXT("source", a->host->source->name);
	fields[1] = (struct audit_field)AUDIT_TEXT("entry", entry);
	fields[2] = (struct audit_field)AUDIT_TEXT("reason", err->text);
	audit_record(a->host->store, AUDIT_ENTRY_QUARANTINED, a->now_ms, fields, 3, NULL);
	mu_log_err(err, "entry.quarantined", "source", a->host->source->name, "entry", entry, NULL);
	return MU_OK;
}

/* Groups of people who are new, or whose dn changed, are looked up by the dn they have now. */
static enum mu_rc
entries_decide(struct cycle_apply *a, struct batch *b, const struct slice_person **entries, size_t count,
    struct store_people *rows, struct mu_err *err)
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
		struct store_person *row = row_find(rows, &entries[i]->entry_uuid);
		struct decided *d = batch_add(b);
		const char *uid = attrs_first(&entries[i]->attrs, a->host->uid_name);
		struct cycle_news news = { .heard = true, .present = true, .dn = entries[i]->dn,
			.uid = uid == NULL ? "" : uid, .attrs = &entries[i]->attrs,
			.content_hash = entries[i]->content_hash, .groups = &groups[i] };

		d->entry = entries[i];
		if (row != NULL && row->source != NULL)
			row_take(row, &d->person);
		else
			person_new(&d->person, source, entries[i], a->now_ms / 1000);
		rc = decide_one(a, d, &news, err);
	}
	for (size_t i = 0; i < count; i++)
		strings_clear(&groups[i]);
	mu_free(groups);
	return rc;
}

static enum mu_rc
rows_decide(struct cycle_apply *a, struct batch *b, struct store_people *rows, const struct cycle_news *news,
    struct mu_err *err)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct decided *d;

		if (rows->list[i].source == NULL)	/* was an entry of this slice */
			continue;
		d = batch_add(b);
		row_take(&rows->list[i], &d->person);
		if (decide_one(a, d, news, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

static bool
batch_has(const struct batch *b, const struct mu_uuid *person_id)
{
	for (size_t i = 0; i < b->count; i++)
		if (mu_uuid_equal(&b->list[i].person.person_id, person_id))
			return true;
	return false;
}

/* --- Names: of two who are to get the same one, the second is decided on when the first has it ---------- */

struct claim {
	const struct account_want *want;
	struct decided *by;
};

static int
by_name(const void *x, const void *y)
{
	const struct claim *a = x, *b = y;
	int order = strcmp(a->want->platform, b->want->platform);

	if (order == 0)
		order = strcmp(a->want->name, b->want->name);
	return order != 0 ? order : (a->by > b->by) - (a->by < b->by);
}

static void
claims_settle(struct batch *b, struct slice *out_again)
{
	struct claim *claims = NULL;
	size_t count = 0;

	for (size_t i = 0; i < b->count; i++)
		for (size_t k = 0; !b->list[i].skip && k < b->list[i].person.account_count; k++)
			if (b->list[i].person.accounts[k].fresh) {
				claims = mu_alloc_again(claims, count + 1, sizeof(*claims));
				claims[count++] = (struct claim){ &b->list[i].person.accounts[k].want,
					&b->list[i] };
			}
	if (count > 1)
		qsort(claims, count, sizeof(*claims), by_name);
	for (size_t i = 1; i < count; i++) {
		struct decided *d = claims[i].by;

		if (d->skip || strcmp(claims[i].want->platform, claims[i - 1].want->platform) != 0 ||
		    strcmp(claims[i].want->name, claims[i - 1].want->name) != 0)
			continue;
		d->skip = true;
		if (d->entry != NULL)
			slice_person_copy(out_again, d->entry);
		else
			uuids_add(&out_again->redecide, &d->person.person_id);
	}
	mu_free(claims);
}

static enum mu_rc
people_decide(struct cycle_apply *a, struct batch *b, struct mu_err *err)
{
	static const struct cycle_news gone = { .heard = true }, again = { .heard = false };
	MU_AUTO(store_people_clear) struct store_people rows = { NULL, 0 }, others = { NULL, 0 };
	MU_AUTO(mu_freep) const struct slice_person **entries = NULL;
	MU_AUTO(uuids_clear) struct uuids wanted = { .count = 0 }, ids = { .count = 0 };
	size_t count = 0;

	if (entries_changed(a, &entries, &count, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < count; i++)
		uuids_add(&wanted, &entries[i]->entry_uuid);
	for (size_t i = 0; i < a->slice->removed_people.count; i++)
		uuids_add(&wanted, &a->slice->removed_people.list[i]);
	uuids_sort(&wanted);		/* nobody is decided on twice */
	if (wanted.count > 0 && store_person_lock_entries(a->host->store, a->host->source->name,
	    wanted.list, wanted.count, &rows, err) != MU_OK)
		return err->rc;
	if (rows.count > 0)
		qsort(rows.list, rows.count, sizeof(*rows.list), by_entry);
	if (entries_decide(a, b, entries, count, &rows, err) != MU_OK ||
	    rows_decide(a, b, &rows, &gone, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < a->slice->redecide.count; i++)
		if (!batch_has(b, &a->slice->redecide.list[i]))
			uuids_add(&ids, &a->slice->redecide.list[i]);
	if (ids.count > 0 && store_person_lock_ids(a->host->store, ids.list, ids.count, &others, err) != MU_OK)
		return err->rc;
	return rows_decide(a, b, &others, &again, err);
}

/* --- Brake --------------------------------------------------------------------------------------------- */

static void
hold(struct cycle_apply *a, struct decided *d)
{
	d->skip = true;
	a->held++;
	store_brake_hold_add(a->host->store, d->person.source, &d->person.person_id, d->change.reason,
	    a->now_ms / 1000);
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

static enum mu_rc
brake_limit(struct cycle_apply *a, const char *source, int64_t *out_limit, int64_t *out_used, struct mu_err *err)
{
	const struct policy *policy = a->host->rules.policy;
	int64_t people;

	if (store_person_count(a->host->store, source, &people, err) != MU_OK ||
	    store_brake_effect_count(a->host->store, source, "removal",
	    a->now_ms / 1000 - policy_removals_within_s(policy), out_used, err) != MU_OK)
		return err->rc;
	*out_limit = policy_removals_limit(policy, people);
	return MU_OK;
}

static bool
is_removal_of(const struct decided *d, const char *source)
{
	return !d->skip && d->change.removal && strcmp(d->person.source, source) == 0;
}

/* Counts a source's removals; those over the limit are held together, before the first takes effect. */
static enum mu_rc
brake_source(struct cycle_apply *a, struct batch *b, const char *source, struct mu_err *err)
{
	int64_t removals = 0, limit, used;
	char wanted_text[24], limit_text[24];
	struct audit_field fields[4];

	if (brake_limit(a, source, &limit, &used, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < b->count; i++)
		if (is_removal_of(&b->list[i], source)) {
			b->list[i].braked = true;
			removals++;
		}
	if (used + removals <= limit && !a->force_hold)
		return MU_OK;
	for (size_t i = 0; i < b->count; i++)
		if (is_removal_of(&b->list[i], source))
			hold(a, &b->list[i]);
	(void)snprintf(wanted_text, sizeof(wanted_text), "%lld", (long long)(used + removals));
	(void)snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
	mu_log("brake.tripped", "source", source, "kind", "removal", "wanted", wanted_text,
	    "limit", limit_text, "remedy", "look at the directory; two administrators release the brake", NULL);
	fields[0] = (struct audit_field)AUDIT_TEXT("source", source);
	fields[1] = (struct audit_field)AUDIT_NUMBER("wanted", used + removals);
	fields[2] = (struct audit_field)AUDIT_NUMBER("limit", limit);
	fields[3] = (struct audit_field)AUDIT_NUMBER("held", removals);
	audit_record(a->host->store, AUDIT_BRAKE_TRIPPED, a->now_ms, fields, 4, NULL);
	return MU_OK;
}

/* Defers what has to wait; of the rest each source is counted on its own: the clock brings several. */
static enum mu_rc
brake(struct cycle_apply *a, struct batch *b, struct mu_err *err)
{
	for (size_t i = 0; i < b->count; i++) {
		struct decided *d = &b->list[i];

		if (d->skip || d->braked || !d->change.removal)
			continue;
		if (d->heard ? a->defer_news : a->defer_rows)
			defer(a, d);
	}
	for (size_t i = 0; i < b->count; i++) {
		const struct decided *d = &b->list[i];

		if (!d->skip && !d->braked && d->change.removal &&
		    brake_source(a, b, d->person.source, err) != MU_OK)
			return err->rc;
	}
	return MU_OK;
}

/* --- Writing -------------------------------------------------------------------------------------------- */

static void
words_format(const struct strings *s, struct mu_buf *b)
{
	for (size_t i = 0; i < s->count; i++)
		mu_buf_format(b, "%s%s", i == 0 ? "" : " ", s->list[i]);
}

static void
person_audit(struct cycle_apply *a, const struct decided *d)
{
	MU_AUTO(mu_buf_clear) struct mu_buf gained = MU_BUF_INIT, lost = MU_BUF_INIT;
	const struct cycle_change *ch = &d->change;
	struct audit_field fields[6];
	char person[MU_UUID_TEXT_BYTES];

	(void)mu_uuid_format(&d->person.person_id, person);
	fields[0] = (struct audit_field)AUDIT_TEXT("person", person);
	if (ch->transition) {
		words_format(&ch->gained, &gained);
		words_format(&ch->lost, &lost);
		fields[1] = (struct audit_field)AUDIT_TEXT("source", d->person.source);
		fields[2] = (struct audit_field)AUDIT_TEXT("state", person_state_name(d->person.state));
		fields[3] = (struct audit_field)AUDIT_TEXT("reason", ch->reason);
		fields[4] = (struct audit_field)AUDIT_TEXT("gained", mu_buf_text(&gained));
		fields[5] = (struct audit_field)AUDIT_TEXT("lost", mu_buf_text(&lost));
		audit_record(a->host->store, ch->kind, a->now_ms, fields, 6, NULL);
		mu_log(audit_kind_name(ch->kind), "person", person, "state",
		    person_state_name(d->person.state), "gained", mu_buf_text(&gained), "lost",
		    mu_buf_text(&lost), NULL);
	}
	if (ch->identified) {
		fields[1] = (struct audit_field)AUDIT_TEXT("level", d->person.identified);
		fields[2] = (struct audit_field)AUDIT_TEXT("evidence", d->person.evidence);
		audit_record(a->host->store, AUDIT_PERSON_IDENTIFIED, a->now_ms, fields, 3, NULL);
	}
	if (ch->refused_platform != NULL) {
		fields[1] = (struct audit_field)AUDIT_TEXT("platform", ch->refused_platform);
		fields[2] = (struct audit_field)AUDIT_TEXT("reason", ch->refused_reason);
		audit_record(a->host->store, AUDIT_ACCOUNT_REFUSED, a->now_ms, fields, 3, NULL);
		mu_log("account.refused", "person", person, "platform", ch->refused_platform, "reason",
		    ch->refused_reason, NULL);
	}
}

/* One question to keys for all account rows of the batch. */
static enum mu_rc
accounts_mac(struct cycle_apply *a, struct batch *b, struct mu_err *err)
{
	struct store_account **accounts = NULL;
	struct mu_buf *bytes;
	unsigned char (*macs)[MAC_BYTES];
	size_t count = 0;
	enum mu_rc rc = MU_OK;

	for (size_t i = 0; i < b->count; i++) {
		struct decided *d = &b->list[i];

		for (size_t k = 0; !d->skip && k < d->change.account_count; k++) {
			accounts = mu_alloc_again(accounts, count + 1, sizeof(struct store_account *));
			accounts[count++] = &d->person.accounts[d->change.accounts[k].index];
		}
	}
	if (count == 0)
		return MU_OK;
	bytes = mu_alloc_zero(count, sizeof(*bytes));
	macs = mu_alloc_zero(count, sizeof(*macs));
	for (size_t i = 0; i < count; i++)
		account_want_encode(&accounts[i]->want, &bytes[i]);
	rc = a->host->mac(a->host->mac_ctx, bytes, count, macs, err);
	for (size_t i = 0; i < count; i++) {
		if (rc == MU_OK)
			(void)memcpy(accounts[i]->mac, macs[i], MAC_BYTES);
		mu_buf_clear(&bytes[i]);
	}
	mu_free(bytes);
	mu_free(macs);
	mu_free(accounts);
	return rc;
}

static void
person_write(struct cycle_apply *a, struct decided *d)
{
	struct store *store = a->host->store;
	const struct cycle_change *ch = &d->change;
	int64_t now_s = a->now_ms / 1000;

	store_person_write(store, &d->person);
	for (size_t k = 0; k < ch->account_count; k++)
		store_account_write(store, &d->person.accounts[ch->accounts[k].index],
		    ch->accounts[k].urgent, now_s);
	person_audit(a, d);
	if (ch->removal) {
		store_brake_effect_add(store, d->person.source, "removal", &d->person.person_id, now_s);
		a->removals++;
	}
	if (d->entry != NULL) {
		char entry[MU_UUID_TEXT_BYTES];

		store_quarantine_drop(store, d->person.source,
		    mu_uuid_format(&d->person.entry_uuid, entry));
	}
	a->written++;
	a->accounts_changed = a->accounts_changed || ch->account_count > 0;
	if (d->person.due_at_s != 0 && (a->soonest_due_s == 0 || d->person.due_at_s < a->soonest_due_s))
		a->soonest_due_s = d->person.due_at_s;
}

static enum mu_rc
batch_write(struct cycle_apply *a, struct batch *b, struct mu_err *err)
{
	if (accounts_mac(a, b, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < b->count; i++) {
		struct decided *d = &b->list[i];

		if (d->skip)
			continue;
		if (d->change.write)
			person_write(a, d);
		else if (d->change.refused_platform != NULL)
			person_audit(a, d);
		/* The row alone does not know of an entry that is gone, its removal held. */
		if (a->drop_holds && (d->heard || d->change.removal) && d->person.version != 0)
			store_brake_hold_drop(a->host->store, d->person.source, &d->person.person_id);
	}
	return MU_OK;
}

static void
bad_write(struct cycle_apply *a)
{
	for (size_t i = 0; i < a->slice->bad_count; i++) {
		const struct slice_bad *bad = &a->slice->bad[i];
		struct audit_field fields[3] = {
			AUDIT_TEXT("source", a->host->source->name), AUDIT_TEXT("entry", bad->entry),
			AUDIT_TEXT("reason", bad->reason),
		};

		store_quarantine_write(a->host->store, a->host->source->name, bad->entry, bad->reason,
		    a->now_ms / 1000);
		audit_record(a->host->store, AUDIT_ENTRY_QUARANTINED, a->now_ms, fields, 3, NULL);
		mu_log("entry.quarantined", "source", a->host->source->name, "entry", bad->entry, "reason",
		    bad->reason, NULL);
	}
}

enum mu_rc
cycle_apply(struct cycle_apply *a, struct mu_err *err)
{
	MU_AUTO(batch_clear) struct batch b = { .count = 0 };
	MU_AUTO(slice_clear) struct slice again = { .people_count = 0 };
	struct slice *slice = a->slice;
	enum mu_rc rc;

	bad_write(a);
	if (groups_write(a, err) != MU_OK || people_decide(a, &b, err) != MU_OK)
		return err->rc;
	claims_settle(&b, &again);
	if (brake(a, &b, err) != MU_OK || batch_write(a, &b, err) != MU_OK)
		return err->rc;
	if (slice_is_empty(&again))
		return MU_OK;
	a->slice = &again;
	rc = cycle_apply(a, err);
	a->slice = slice;
	return rc;
}
