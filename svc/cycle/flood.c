#include "cycle/flood.h"

#include "cycle/brake_priv.h"

#include <string.h>

/* --- Deciding -------------------------------------------------------------------------------- */

/* Decides on someone new; whoever is not plain is not fresh any more, and left out. */
static void
person_decide(const struct cycle_host *host, struct batch *b, struct slice_person *entry,
    const struct memberships *m, struct crypto_hash *h, int64_t now_s)
{
	MU_AUTO(strings_clear) struct strings groups = STRINGS_INIT;
	MU_AUTO(mu_buf_clear) struct mu_buf uid = MU_BUF_INIT;
	struct mu_err why = MU_ERR_INIT;
	struct store_person fresh;
	struct cycle_news news;
	struct decided *d;

	memberships_of(m, entry->dn, h, &groups);
	apply_person_new(&fresh, host->source->name, entry, now_s);
	apply_news_init(host, entry, &groups, &uid, &news);
	d = batch_add(b, &fresh);
	d->entry = entry;
	d->heard = true;
	if (cycle_decide(&host->rules, NULL, &d->person, &news, now_s, &d->change, &why) == MU_OK &&
	    d->change.refused_platform == NULL && !d->change.removal && d->change.write)
		return;
	d->skip = true;
}

/* --- Doubt: asking after all ------------------------------------------------------------------ */

static enum mu_rc
rows_doubt(const struct cycle_host *host, struct slice *s, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people known = { NULL, 0 };
	MU_AUTO(mu_freep) struct mu_uuid *uuids = mu_alloc_zero(s->people_count, sizeof(*uuids));
	MU_AUTO(known_clear) struct known there = { .count = 0 };

	for (size_t i = 0; i < s->people_count; i++)
		uuids[i] = s->people[i].entry_uuid;
	if (store_person_hashes(host->store, host->source->name, uuids, s->people_count, &known,
	    err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < known.count; i++)
		(void)known_add(&there, &known.list[i].entry_uuid);
	for (size_t i = 0; i < s->people_count; i++)
		if (known_find(&there, &s->people[i].entry_uuid) != KNOWN_NONE)
			s->people[i].fresh = false;
	return MU_OK;
}

static enum mu_rc
names_doubt(const struct cycle_host *host, struct batch *b, struct mu_err *err)
{
	MU_AUTO(mu_freep) const char **platforms = NULL, **names = NULL;
	MU_AUTO(mu_freep) struct decided **by = NULL;
	MU_AUTO(mu_freep) bool *held = NULL;
	size_t count = 0, at = 0;

	for (size_t i = 0; i < b->count; i++)
		count += b->list[i].person.account_count;
	platforms = mu_alloc_zero(count, sizeof(*platforms));
	names = mu_alloc_zero(count, sizeof(*names));
	by = mu_alloc_zero(count, sizeof(struct decided *));
	held = mu_alloc_zero(count, sizeof(*held));
	for (size_t i = 0; i < b->count; i++)
		for (size_t k = 0; k < b->list[i].person.account_count; k++) {
			platforms[at] = b->list[i].person.accounts[k].want.platform;
			names[at] = b->list[i].person.accounts[k].want.name;
			by[at++] = &b->list[i];
		}
	if (count > 0 &&
	    store_account_held(host->store, platforms, names, count, held, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < count; i++)
		by[i]->skip = by[i]->skip || held[i];
	return MU_OK;
}

/* --- Rows --------------------------------------------------------------------------------------- */

static void
person_put(struct store_flood *rows, const struct decided *d, int64_t now_ms, struct flood *f)
{
	const struct cycle_change *ch = &d->change;

	store_flood_person(rows, &d->person);
	for (size_t k = 0; k < ch->account_count; k++)
		store_flood_account(rows, &d->person.accounts[ch->accounts[k].index],
		    now_ms / 1000);
	batch_person_record(rows, d, now_ms);
	f->people++;
	f->accounts_changed = f->accounts_changed || ch->account_count > 0;
}

/* What is in the rows goes to the flood, the rest closes up. */
static void
slice_split(struct slice *from, struct slice *held)
{
	size_t people = 0, groups = 0;

	for (size_t i = 0; i < from->people_count; i++)
		if (from->people[i].fresh)
			slice_person_move(held, &from->people[i]);
		else
			from->people[people++] = from->people[i];
	from->people_count = people;
	for (size_t i = 0; i < from->group_count; i++)
		if (from->groups[i].fresh)
			slice_group_move(held, &from->groups[i]);
		else
			from->groups[groups++] = from->groups[i];
	from->group_count = groups;
}

enum mu_rc
flood_prepare(const struct cycle_host *host, struct slice *from, const struct memberships *m,
    struct crypto_hash *h, bool doubt, int64_t now_ms, struct flood *f,
    struct store_flood **out_rows, struct mu_err *err)
{
	const struct cycle_again_host again = { .store = host->store, .rules = &host->rules,
		.mac = host->mac, .mac_check = host->mac_check, .mac_ctx = host->mac_ctx };
	struct batch *b = &f->batch;
	struct store_flood *rows;

	*out_rows = NULL;
	if (doubt && rows_doubt(host, from, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < from->people_count; i++)
		if (from->people[i].fresh)
			person_decide(host, b, &from->people[i], m, h, now_ms / 1000);
	batch_claims_settle(b);
	if ((doubt && names_doubt(host, b, err) != MU_OK) ||
	    batch_accounts_mac(&again, b, err) != MU_OK) {
		batch_clear(b);
		return err->rc;
	}
	rows = store_flood_new();
	for (size_t i = 0; i < b->count; i++) {
		struct slice_person *entry = &from->people[b->list[i].entry - from->people];

		if (b->list[i].skip)
			entry->fresh = false;
		else
			person_put(rows, &b->list[i], now_ms, f);
	}
	for (size_t i = 0; i < from->group_count; i++) {
		const struct slice_group *g = &from->groups[i];

		if (g->fresh)
			store_flood_group(rows, host->source->name, &g->entry_uuid, g->name,
			    (const char *const *)g->members, g->member_count, g->content_hash);
	}
	slice_split(from, &f->held);
	*out_rows = rows;
	return MU_OK;
}

void
flood_count(const struct cycle_host *host, struct flood *f, int64_t now_s)
{
	const struct cycle_again_host again = { .store = host->store };
	struct brake_tallies t = { .count = 0 };

	for (size_t i = 0; i < f->batch.count; i++)
		if (!f->batch.list[i].skip)
			brake_person_tally(&t, &f->batch.list[i]);
	brake_tallies_write(&again, &t, now_s);
	batch_clear(&f->batch);
}

void
flood_undo(struct flood *f, struct slice *to, bool fresh)
{
	MU_AUTO(known_clear) struct known newer = { .count = 0 };
	size_t people = to->people_count;

	for (size_t i = 0; i < people; i++)
		(void)known_add(&newer, &to->people[i].entry_uuid);
	for (size_t i = 0; i < to->removed_people.count; i++)
		(void)known_add(&newer, &to->removed_people.list[i]);
	for (size_t i = 0; i < f->held.people_count; i++) {
		if (known_find(&newer, &f->held.people[i].entry_uuid) != KNOWN_NONE)
			continue;
		f->held.people[i].fresh = fresh;
		slice_person_move(to, &f->held.people[i]);
	}
	/* in front of what came later: of a group the last news stands */
	for (size_t i = 0; i < to->group_count; i++)
		slice_group_move(&f->held, &to->groups[i]);
	to->group_count = 0;
	for (size_t i = 0; i < f->held.group_count; i++) {
		f->held.groups[i].fresh = false;
		slice_group_move(to, &f->held.groups[i]);
	}
	f->held.group_count = 0;
	flood_clear(f);
}

void
flood_clear(struct flood *f)
{
	slice_clear(&f->held);
	batch_clear(&f->batch);
	*f = (struct flood){ .people = 0 };
}
