#include "cycle/brake_priv.h"

#include "base/log.h"
#include "lifecycle/lifecycle.h"
#include "store/grant.h"
#include "store/policy.h"
#include "store/source.h"

#include <stdlib.h>
#include <string.h>

void
batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		store_person_clear(&b->list[i].person);
		cycle_change_clear(&b->list[i].change);
	}
	mu_free(b->list);
	*b = (struct batch){ .count = 0 };
}

struct decided *
batch_add(struct batch *b, struct store_person *row)
{
	struct decided *d;

	if (b->count == b->room) {
		b->room = b->room == 0 ? 16 : 2 * b->room;
		b->list = mu_alloc_again(b->list, b->room, sizeof(*b->list));
	}
	d = &b->list[b->count++];
	*d = (struct decided){ .person = *row, .was_due_at_s = row->due_at_s };
	*row = (struct store_person){ .entry_uuid = row->entry_uuid };
	return d;
}

/* --- Rows by their entries ------------------------------------------------------------------ */

static int
by_entry(const void *x, const void *y)
{
	const struct store_person *a = x, *b = y;

	return memcmp(&a->entry_uuid, &b->entry_uuid, sizeof(a->entry_uuid));
}

void
batch_rows_sort(struct store_people *rows)
{
	if (rows->count > 0)
		qsort(rows->list, rows->count, sizeof(*rows->list), by_entry);
}

struct store_person *
batch_row_find(const struct store_people *rows, const struct mu_uuid *entry_uuid)
{
	struct store_person key = { .entry_uuid = *entry_uuid };

	return rows->count == 0 ? NULL :
	    bsearch(&key, rows->list, rows->count, sizeof(*rows->list), by_entry);
}

/* --- Rows that give power: only what keys made counts --------------------------------------- */

static const struct mu_uuid *
row_id(const struct store_person *p, size_t index)
{
	return index < p->grant_count ? &p->grants[index].grant_id : &p->person_id;
}

static bool
is_vouched(const struct store_person *p)
{
	return p->vouched.level != NULL && p->vouched.level[0] != '\0';
}

/* Grants, then the identification if there is one. */
static size_t
row_count(const struct store_person *p)
{
	return p->grant_count + (is_vouched(p) ? 1 : 0);
}

static void
row_tell(const struct cycle_again_host *host, const struct store_person *p, size_t index,
    int64_t now_ms, struct uuids *told)
{
	const char *table = index < p->grant_count ? "requested_grant" : "identification";
	char row[MU_UUID_TEXT_BYTES], person[MU_UUID_TEXT_BYTES];
	struct audit_field fields[3];

	if (uuids_has(told, row_id(p, index)))
		return;
	uuids_add(told, row_id(p, index));
	uuids_sort(told);
	(void)mu_uuid_format(row_id(p, index), row);
	(void)mu_uuid_format(&p->person_id, person);
	fields[0] = (struct audit_field)AUDIT_TEXT("table", table);
	fields[1] = (struct audit_field)AUDIT_TEXT("row", row);
	fields[2] = (struct audit_field)AUDIT_TEXT("person", person);
	audit_record(host->store, AUDIT_ROW_TAMPERED, now_ms, fields, 3, NULL);
	mu_log("row.tampered", "table", table, "row", row, "person", person, "remedy",
	    "somebody wrote it past muster: it counts for nothing; find out who", NULL);
}

/* Takes out what is wrong; right has an element for each row of the person. */
static void
person_rows_judge(const struct cycle_again_host *host, struct store_person *p, const bool *right,
    int64_t now_ms, struct uuids *told)
{
	size_t count = row_count(p), kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!right[i])
			row_tell(host, p, i, now_ms, told);
	if (is_vouched(p) && !right[p->grant_count])
		identification_clear(&p->vouched);
	for (size_t i = 0; i < p->grant_count; i++) {
		if (right[i])
			p->grants[kept++] = p->grants[i];
		else
			grant_clear(&p->grants[i]);
	}
	p->grant_count = kept;
}

static size_t
person_rows_encode(const struct store_person *p, struct mu_buf *bytes,
    unsigned char (*macs)[MAC_BYTES])
{
	size_t count = row_count(p);

	for (size_t i = 0; i < count; i++) {
		if (i < p->grant_count)
			grant_encode(&p->grants[i], &bytes[i]);
		else
			identification_encode(&p->vouched, &bytes[i]);
		(void)memcpy(macs[i], i < p->grant_count ? p->grants[i].mac : p->vouched.mac,
		    MAC_BYTES);
	}
	return count;
}

enum mu_rc
batch_rows_check(const struct cycle_again_host *host, struct store_people *const *lists,
    size_t list_count, int64_t now_ms, struct uuids *told, struct mu_err *err)
{
	MU_AUTO(mu_freep) struct mu_buf *bytes = NULL;
	MU_AUTO(mu_freep) unsigned char (*macs)[MAC_BYTES] = NULL;
	MU_AUTO(mu_freep) bool *right = NULL;
	size_t count = 0, at = 0;
	enum mu_rc rc;

	for (size_t l = 0; l < list_count; l++)
		for (size_t i = 0; i < lists[l]->count; i++)
			count += row_count(&lists[l]->list[i]);
	if (count == 0)
		return MU_OK;
	bytes = mu_alloc_zero(count, sizeof(*bytes));
	macs = mu_alloc_zero(count, sizeof(*macs));
	right = mu_alloc_zero(count, sizeof(*right));
	for (size_t l = 0; l < list_count; l++)
		for (size_t i = 0; i < lists[l]->count; i++)
			at += person_rows_encode(&lists[l]->list[i], bytes + at, macs + at);
	rc = host->mac_check(host->mac_ctx, bytes, (const unsigned char (*)[MAC_BYTES])macs, count,
	    right, err);
	for (size_t i = 0; i < count; i++)
		mu_buf_clear(&bytes[i]);
	at = 0;
	for (size_t l = 0; rc == MU_OK && l < list_count; l++)
		for (size_t i = 0; i < lists[l]->count; i++) {
			size_t rows = row_count(&lists[l]->list[i]);

			person_rows_judge(host, &lists[l]->list[i], right + at, now_ms, told);
			at += rows;
		}
	return rc;
}

/* --- Holds of the brake --------------------------------------------------------------------- */

static int
by_person(const void *x, const void *y)
{
	const struct store_hold *a = x, *b = y;

	return memcmp(&a->person_id, &b->person_id, sizeof(a->person_id));
}

enum mu_rc
batch_holds_read(const struct cycle_again_host *host, const struct mu_uuid *person_ids,
    size_t count, struct store_holds *out_holds, struct mu_err *err)
{
	if (count == 0)
		return MU_OK;
	if (store_brake_hold_find(host->store, person_ids, count, out_holds, err) != MU_OK)
		return err->rc;
	if (out_holds->count > 0)
		qsort(out_holds->list, out_holds->count, sizeof(*out_holds->list), by_person);
	return MU_OK;
}

void
batch_holds_of(const struct store_holds *holds, struct decided *d)
{
	struct store_hold key = { .person_id = d->person.person_id };
	const struct store_hold *end = holds->list + holds->count;
	const struct store_hold *hold = holds->count == 0 ? NULL :
	    bsearch(&key, holds->list, holds->count, sizeof(*holds->list), by_person);

	if (hold == NULL)
		return;
	while (hold > holds->list && by_person(&hold[-1], &key) == 0)
		hold--;
	for (; hold < end && by_person(hold, &key) == 0; hold++)
		d->hold[hold->kind] = hold->released ? BATCH_RELEASED : BATCH_HELD;
}

enum policy_withhold
batch_withhold(const struct decided *d)
{
	if (d->hold[BRAKE_JOIN] == BATCH_HELD)
		return POLICY_NOTHING_NEW;
	return d->hold[BRAKE_POWER] == BATCH_HELD ? POLICY_NO_POWER : POLICY_GIVE_ALL;
}

void
batch_platforms(const struct store_person *p, const struct cycle_change *ch, enum brake_kind kind,
    struct strings *out_platforms)
{
	for (size_t i = 0; kind == BRAKE_POWER && i < ch->power.count; i++)
		strings_add(out_platforms, ch->power.list[i]);
	for (size_t i = 0; kind != BRAKE_POWER && i < ch->account_count; i++) {
		const struct account_want *w = &p->accounts[ch->accounts[i].index].want;
		bool was = ch->accounts[i].was == ACCOUNT_ENABLED;
		bool is = w->state == ACCOUNT_ENABLED;

		if (was != is && was == (kind == BRAKE_REMOVAL))
			strings_add(out_platforms, w->platform);
	}
}

/* --- Names: of two who are to get the same one, the second waits until the first has it ----- */

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

void
batch_claims_settle(struct batch *b)
{
	struct claim *claims = NULL;
	size_t count = 0, room = 0;

	for (size_t i = 0; i < b->count; i++)
		room += b->list[i].person.account_count;
	claims = mu_alloc_zero(room, sizeof(*claims));
	for (size_t i = 0; i < b->count; i++)
		for (size_t k = 0; !b->list[i].skip && k < b->list[i].person.account_count; k++)
			if (b->list[i].person.accounts[k].fresh)
				claims[count++] = (struct claim){
					&b->list[i].person.accounts[k].want, &b->list[i] };
	if (count > 1)
		qsort(claims, count, sizeof(*claims), by_name);
	for (size_t i = 1; i < count; i++) {
		struct decided *d = claims[i].by;

		if (d->skip ||
		    strcmp(claims[i].want->platform, claims[i - 1].want->platform) != 0 ||
		    strcmp(claims[i].want->name, claims[i - 1].want->name) != 0)
			continue;
		d->skip = d->again = true;
	}
	mu_free(claims);
}

/* --- What changes, for people to read ------------------------------------------------------- */

/* "xmpp: gains room ops moderator" for each right that from has and is does not. */
static void
rights_tell(const char *platform, const char *verb, const struct entitlements *from,
    const struct entitlements *is, struct strings *out)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct entitlement *e = &from->list[i];
		const struct entitlement *held = entitlements_find(is, e->kind, e->name);
		MU_AUTO(mu_buf_clear) struct mu_buf right = MU_BUF_INIT;
		MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;
		struct entitlements one = { (struct entitlement *)e, 1 };

		if (held != NULL && strcmp(held->level, e->level) == 0)
			continue;
		entitlements_format(&one, &right);
		mu_buf_format(&line, "%s: %s %.*s", platform, verb,
		    (int)strcspn(mu_buf_text(&right), "\n"), mu_buf_text(&right));
		strings_add(out, line.data);
	}
}

static void
account_tell(const struct cycle_account_change *change, const struct account_want *want,
    struct strings *out)
{
	MU_AUTO(mu_buf_clear) struct mu_buf line = MU_BUF_INIT;

	mu_buf_format(&line, "%s: %s -> %s", want->platform, account_state_name(change->was),
	    account_state_name(want->state));
	if (change->was != want->state)
		strings_add(out, line.data);
	/* Of an account that nobody gets into, rights are none. */
	if (want->state != ACCOUNT_ENABLED)
		return;
	rights_tell(want->platform, "loses", &change->was_rights, &want->entitlements, out);
	rights_tell(want->platform, "gains", &want->entitlements, &change->was_rights, out);
}

void
batch_accounts_tell(const struct store_person *p, const struct cycle_change *ch,
    struct strings *out_lines)
{
	for (size_t i = 0; i < ch->account_count; i++)
		account_tell(&ch->accounts[i], &p->accounts[ch->accounts[i].index].want, out_lines);
}

/* --- Writing -------------------------------------------------------------------------------- */

static void
words_format(const struct strings *s, struct mu_buf *b)
{
	for (size_t i = 0; i < s->count; i++)
		mu_buf_format(b, "%s%s", i == 0 ? "" : " ", s->list[i]);
}

#define TRANSITION_FIELDS_MAX 8

/* Behind the first, which names the person; who is identified by the same news is so in one record. */
static size_t
transition_fields(const struct decided *d, struct mu_buf *gained, struct mu_buf *lost,
    struct audit_field fields[TRANSITION_FIELDS_MAX])
{
	const struct cycle_change *ch = &d->change;

	words_format(&ch->gained, gained);
	words_format(&ch->lost, lost);
	fields[1] = (struct audit_field)AUDIT_TEXT("source", d->person.source);
	fields[2] = (struct audit_field)AUDIT_TEXT("state", person_state_name(d->person.state));
	fields[3] = (struct audit_field)AUDIT_TEXT("reason", ch->reason);
	fields[4] = (struct audit_field)AUDIT_TEXT("gained", mu_buf_text(gained));
	fields[5] = (struct audit_field)AUDIT_TEXT("lost", mu_buf_text(lost));
	if (!ch->identified)
		return 6;
	fields[6] = (struct audit_field)AUDIT_TEXT("level", d->person.identified);
	fields[7] = (struct audit_field)AUDIT_TEXT("evidence", d->person.evidence);
	return 8;
}

void
batch_person_record(struct store_flood *rows, const struct decided *d, int64_t now_ms)
{
	MU_AUTO(mu_buf_clear) struct mu_buf gained = MU_BUF_INIT, lost = MU_BUF_INIT;
	struct audit_field fields[TRANSITION_FIELDS_MAX];
	char person[MU_UUID_TEXT_BYTES];

	(void)mu_uuid_format(&d->person.person_id, person);
	fields[0] = (struct audit_field)AUDIT_TEXT("person", person);
	audit_record_flood(rows, d->change.kind, now_ms, fields,
	    transition_fields(d, &gained, &lost, fields));
}

static void
person_audit(const struct cycle_again_host *host, const struct decided *d, int64_t now_ms)
{
	MU_AUTO(mu_buf_clear) struct mu_buf gained = MU_BUF_INIT, lost = MU_BUF_INIT;
	const struct cycle_change *ch = &d->change;
	struct audit_field fields[TRANSITION_FIELDS_MAX];
	char person[MU_UUID_TEXT_BYTES];

	(void)mu_uuid_format(&d->person.person_id, person);
	fields[0] = (struct audit_field)AUDIT_TEXT("person", person);
	if (ch->transition) {
		size_t count = transition_fields(d, &gained, &lost, fields);

		audit_record(host->store, ch->kind, now_ms, fields, count, NULL);
		if (!host->silent)
			mu_log(audit_kind_name(ch->kind), "person", person, "state",
			    person_state_name(d->person.state), "gained", mu_buf_text(&gained),
			    "lost", mu_buf_text(&lost), NULL);
	}
	if (ch->identified && !ch->transition) {
		fields[1] = (struct audit_field)AUDIT_TEXT("level", d->person.identified);
		fields[2] = (struct audit_field)AUDIT_TEXT("evidence", d->person.evidence);
		audit_record(host->store, AUDIT_PERSON_IDENTIFIED, now_ms, fields, 3, NULL);
	}
	if (ch->refused_platform != NULL) {
		fields[1] = (struct audit_field)AUDIT_TEXT("platform", ch->refused_platform);
		fields[2] = (struct audit_field)AUDIT_TEXT("reason", ch->refused_reason);
		audit_record(host->store, AUDIT_ACCOUNT_REFUSED, now_ms, fields, 3, NULL);
		if (!host->silent)
			mu_log("account.refused", "person", person, "platform", ch->refused_platform,
			    "reason", ch->refused_reason, NULL);
	}
}

static void
grants_drop(const struct cycle_again_host *host, const struct decided *d, int64_t now_ms)
{
	char person[MU_UUID_TEXT_BYTES];

	(void)mu_uuid_format(&d->person.person_id, person);
	for (size_t i = 0; i < d->change.end_count; i++) {
		const struct cycle_grant_end *end = &d->change.ends[i];
		struct audit_field fields[3] = {
			AUDIT_TEXT("person", person), AUDIT_TEXT("role", end->role),
			AUDIT_TEXT("reason", end->reason),
		};

		store_grant_drop(host->store, &end->grant_id);
		audit_record(host->store, AUDIT_GRANT_ENDED, now_ms, fields, 3, NULL);
		if (!host->silent)
			mu_log("grant.ended", "person", person, "role", end->role, "reason",
			    end->reason, NULL);
	}
}

enum mu_rc
batch_accounts_mac(const struct cycle_again_host *host, struct batch *b, struct mu_err *err)
{
	MU_AUTO(mu_freep) struct store_account **accounts = NULL;
	struct mu_buf *bytes;
	unsigned char (*macs)[MAC_BYTES];
	size_t count = 0, room = 0;
	enum mu_rc rc = MU_OK;

	for (size_t i = 0; i < b->count; i++)
		room += b->list[i].change.account_count;
	accounts = mu_alloc_zero(room, sizeof(struct store_account *));
	for (size_t i = 0; i < b->count; i++) {
		struct decided *d = &b->list[i];

		for (size_t k = 0; !d->skip && k < d->change.account_count; k++)
			accounts[count++] = &d->person.accounts[d->change.accounts[k].index];
	}
	if (count == 0)
		return MU_OK;
	bytes = mu_alloc_zero(count, sizeof(*bytes));
	macs = mu_alloc_zero(count, sizeof(*macs));
	for (size_t i = 0; i < count; i++)
		account_want_encode(&accounts[i]->want, &bytes[i]);
	rc = host->mac(host->mac_ctx, bytes, count, macs, err);
	for (size_t i = 0; i < count; i++) {
		if (rc == MU_OK)
			(void)memcpy(accounts[i]->mac, macs[i], MAC_BYTES);
		mu_buf_clear(&bytes[i]);
	}
	mu_free(bytes);
	mu_free(macs);
	return rc;
}

static bool
is_gone(enum person_state state)
{
	return state == PERSON_LEAVER || state == PERSON_ERASED;
}

static void
person_write(const struct cycle_again_host *host, struct decided *d, int64_t now_ms,
    struct batch_written *w)
{
	struct store *store = host->store;
	const struct cycle_change *ch = &d->change;
	int64_t now_s = now_ms / 1000;

	store_person_write(store, &d->person);
	for (size_t k = 0; k < ch->account_count; k++)
		store_account_write(store, &d->person.accounts[ch->accounts[k].index],
		    ch->accounts[k].urgent, now_s);
	grants_drop(host, d, now_ms);
	person_audit(host, d, now_ms);
	brake_effects_add(host, d, now_ms);
	w->people++;
	if (!is_gone(d->person.state) && (d->person.version == 0 || is_gone(ch->from)))
		w->joined++;
	w->accounts_changed = w->accounts_changed || ch->account_count > 0;
}

/*
 * Asked when the people are locked: either nobody has begun to decide everyone by a newer policy,
 * and will then find these people as they are written here, or this batch is not written.
 */
enum mu_rc
batch_policy_check(const struct cycle_again_host *host, struct mu_err *err)
{
	int64_t version;

	if (host->rules->version == 0)
		return MU_OK;
	if (store_policy_version(host->store, &version, err) != MU_OK)
		return err->rc;
	if (version != host->rules->version)
		return mu_fail(err, MU_ERETRY,
		    "policy version %lld came into force meanwhile: try again", (long long)version);
	return MU_OK;
}

enum mu_rc
batch_write(const struct cycle_again_host *host, struct batch *b, int64_t now_ms,
    struct batch_written *out_written, struct mu_err *err)
{
	struct brake_tallies tallies = { .count = 0 };

	if (b->count == 0)
		return MU_OK;
	if (batch_policy_check(host, err) != MU_OK || batch_accounts_mac(host, b, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < b->count; i++) {
		struct decided *d = &b->list[i];
		char entry[MU_UUID_TEXT_BYTES];

		if (d->skip)
			continue;
		if (d->entry != NULL)
			store_quarantine_drop(host->store, d->person.source,
			    mu_uuid_format(&d->person.entry_uuid, entry));
		if (d->change.write) {
			brake_person_tally(&tallies, d);
			person_write(host, d, now_ms, out_written);
		} else if (d->change.refused_platform != NULL) {
			person_audit(host, d, now_ms);
		}
		brake_holds_write(host, d, now_ms / 1000);
	}
	brake_tallies_write(host, &tallies, now_ms / 1000);
	return MU_OK;
}
