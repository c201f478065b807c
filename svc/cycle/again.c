#include "cycle/batch_priv.h"

#include "base/clock.h"

#include <string.h>

void
cycle_effects_clear(struct cycle_effects *e)
{
	for (size_t i = 0; i < e->count; i++) {
		struct cycle_effect *x = &e->list[i];

		mu_free(x->uid);
		mu_free(x->display_name);
		mu_free(x->refused);
		strings_clear(&x->gained);
		strings_clear(&x->lost);
		strings_clear(&x->accounts);
	}
	mu_free(e->list);
	*e = (struct cycle_effects){ .count = 0 };
}

/* --- What was changed, for people to read --------------------------------------------------- */

static void
strings_copy(struct strings *to, const struct strings *from)
{
	for (size_t i = 0; i < from->count; i++)
		strings_add(to, from->list[i]);
}

static void
effect_add(struct cycle_effects *effects, const struct decided *d)
{
	static const struct cycle_change none = { .write = false };
	const struct cycle_change *ch = d->change.stays ? &none : &d->change;
	struct cycle_effect *x;

	effects->list = mu_alloc_again(effects->list, effects->count + 1, sizeof(*effects->list));
	x = &effects->list[effects->count++];
	*x = (struct cycle_effect){ .person_id = d->person.person_id,
		.uid = mu_strdup(d->person.uid),
		.display_name = mu_strdup(store_person_name(&d->person)), .from = d->change.from,
		.to = d->change.stays ? d->change.from : d->person.state };
	strings_copy(&x->gained, &ch->gained);
	strings_copy(&x->lost, &ch->lost);
	batch_accounts_tell(&d->person, ch, &x->accounts);
	if (d->change.stays)
		x->refused = mu_strdup("the brake holds them: their loss waits for two people");
	if (ch->refused_platform != NULL) {
		MU_AUTO(mu_buf_clear) struct mu_buf refused = MU_BUF_INIT;

		mu_buf_format(&refused, "%s: %s", ch->refused_platform, ch->refused_reason);
		x->refused = mu_strdup(refused.data);
	}
}

/* --- Deciding ------------------------------------------------------------------------------- */

static enum mu_rc
batch_decide(const struct cycle_again_host *host, const struct uuids *ids, int64_t now_ms,
    struct uuids *told, struct batch *b, struct mu_err *err)
{
	MU_AUTO(store_people_clear) struct store_people rows = { NULL, 0 };
	MU_AUTO(store_holds_clear) struct store_holds holds = { .count = 0 };
	struct store_people *const lists[] = { &rows };
	char person[MU_UUID_TEXT_BYTES];

	if (store_person_lock_ids(host->store, ids->list, ids->count, &rows, err) != MU_OK)
		return err->rc;
	if (rows.count != ids->count)
		return mu_fail(err, MU_EABSENT, "%zu of %zu people are not there any more",
		    ids->count - rows.count, ids->count);
	if (batch_holds_read(host, ids->list, ids->count, &holds, err) != MU_OK ||
	    batch_rows_check(host, lists, 1, now_ms, told, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < rows.count; i++) {
		struct decided *d = batch_add(b, &rows.list[i]);
		struct cycle_news again;

		batch_holds_of(&holds, d);
		d->withhold = batch_withhold(d);
		again = (struct cycle_news){ .held = d->hold[BRAKE_REMOVAL] == BATCH_HELD,
			.withhold = d->withhold };
		if (cycle_decide(host->rules, host->store, &d->person, &again, now_ms / 1000,
		    &d->change, err) != MU_OK)
			return mu_wrap(err, "person %s", mu_uuid_format(&d->person.person_id,
			    person));
		d->skip = d->change.stays;
	}
	return MU_OK;
}

/* Decides on these and writes; ids are then those who had to wait for an account name. */
static enum mu_rc
some_decide(const struct cycle_again_host *host, struct uuids *ids, int64_t now_ms,
    struct uuids *told, struct cycle_effects *effects, struct mu_err *err)
{
	MU_AUTO(batch_clear) struct batch b = { .count = 0 };
	struct batch_written written = { .people = 0 };

	if (batch_decide(host, ids, now_ms, told, &b, err) != MU_OK)
		return err->rc;
	batch_claims_settle(&b);
	if (batch_write(host, &b, now_ms, &written, err) != MU_OK)
		return err->rc;
	ids->count = 0;
	for (size_t i = 0; i < b.count; i++) {
		if (b.list[i].again)
			uuids_add(ids, &b.list[i].person.person_id);
		else
			effect_add(effects, &b.list[i]);
	}
	return MU_OK;
}

enum mu_rc
cycle_again(const struct cycle_again_host *host, const struct mu_uuid *person_ids, size_t count,
    int64_t now_ms, struct cycle_effects *out_effects, struct mu_err *err)
{
	MU_AUTO(cycle_effects_clear) struct cycle_effects effects = { .count = 0 };
	MU_AUTO(uuids_clear) struct uuids ids = { .count = 0 }, told = { .count = 0 };

	for (size_t i = 0; i < count; i++)
		uuids_add(&ids, &person_ids[i]);
	uuids_sort(&ids);
	while (ids.count > 0)
		if (some_decide(host, &ids, now_ms, &told, &effects, err) != MU_OK)
			return err->rc;
	*out_effects = effects;
	effects = (struct cycle_effects){ .count = 0 };
	return MU_OK;
}
