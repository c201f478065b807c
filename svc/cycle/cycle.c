#include "cycle/cycle.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cycle/apply.h"
#include "cycle/clock.h"
#include "cycle/flood.h"
#include "cycle/narrow_priv.h"
#include "cycle/rows.h"
#include "store/brake.h"
#include "store/policy.h"
#include "store/queue.h"
#include "store/source.h"

#include <stdio.h>
#include <string.h>

#define LEASE_S		30
#define STORE_RETRY_MS	1000
#define POLL_MS		10000		/* what hints announce, when they are lost */
#define AGAIN_MIN_MS	5000		/* what is not believed is read again, */
#define AGAIN_MAX_MS	600000		/* with growing pauses */
#define PASS_RETRY_MS	5000
#define KNOWN_LOAD_AT	256		/* a refresh with so many entries may be of everybody */
#define FLOOD_MIN	64		/* so many new ones at least are written by COPY, ... */
#define FLOOD_PEOPLE	2048		/* and so many at once, in about 50 ms */
#define FLOOD_MEMBERS	32768
#define WAIT_MAX	256		/* in a refresh so many others wait for a commit */
#define PUSH_EACH	64		/* entries, between which a flood goes on */

/* One search of the source: what its row in the store holds, and the refresh under way. */
struct search {
	struct store_search row;	/* as the slice at hand will leave it, */
	struct store_search stored;	/* and as it is in the store */
	bool began, refreshing, refreshed;	/* refreshed: its end is in the slice at hand */
	bool full;				/* everybody is going to be listed */
	struct known known;			/* who came in this refresh, and who was there */
	bool changed;				/* this refresh has brought anything new */
	bool told;				/* its end was logged since we opened */
	bool noted;				/* this refresh: its row is in the store */
	enum verdict verdict;
	enum directory_how how;
	size_t listed_count;
	size_t joined;			/* by this refresh so far, */
	size_t joined_known;		/* and before known was loaded */
};

/* Everyone is decided by a new policy, a page a turn; what it takes away is judged at the end. */
struct pass {
	bool runs, listed;		/* listed: only the removals are left */
	bool deferred_over;		/* too many: the rest is held, too */
	struct mu_uuid after;
	struct slice deferred;
};

struct cycle {
	struct cycle_host host;
	struct directory *directory;
	struct search searches[DIRECTORY_SEARCH_COUNT];
	struct slice slice;		/* what came since the last commit */
	bool waits;			/* and began to come before the last slice_end */
	size_t fresh_people, fresh_members;	/* of it */
	bool cookie_came;		/* it covers a cookie */
	/* what is new is written while more is read */
	struct flood flood;
	bool flood_doubt;		/* in this refresh a hint was wrong: ask before */
	struct mu_err flood_err;	/* of a flood whose failure nobody was told yet */
	bool nobody;			/* when groups began to be read the source had no people */
	bool first;			/* nor had everybody ever been read when people were */
	struct memberships memberships;
	struct crypto_hash *hash;
	struct mu_buf scratch;
	size_t entries;
	/* removals found by refreshes under way: see deferred_apply */
	struct slice deferred;
	size_t deferred_keep;
	bool deferred_over;
	/* While one of these stands cookies are not kept: whoever starts anew reads everything. */
	bool held;			/* the brake holds somebody */
	/* the last listing lacked most of the people there were */
	struct narrow narrow;
	int64_t again_ms;		/* the last pause before such a one is read again */
	/* something was left undecided: everyone has to be decided on again */
	bool anew;
	/* and by another host: so everybody has to be read again */
	bool inherited;
	/* of the lease: with our last commit, and in the transaction at hand */
	int64_t fence, fence_now;
	enum verdict verdict;
	struct mu_buf verdict_text;
	bool verdict_due;		/* not in the store yet */
	/* read since the start; NULL: the host's is still in force */
	struct policy *policy;
	int64_t full_begun_ms;		/* the last read without cookies */
	bool full_due;			/* the next read is to be one */
	struct pass pass;
	struct cycle_clock *clock;
	struct mu_timer *open_timer, *verdict_timer, *poll_timer, *pass_timer, *again_timer,
	    *flood_timer;
};

static const char *
search_name(enum directory_search search)
{
	return search == DIRECTORY_PEOPLE ? "people" : "groups";
}

static void
number_format(char out[24], int64_t number)
{
	(void)snprintf(out, 24, "%lld", (long long)number);
}

/* --- Transactions --------------------------------------------------------------------------- */

static void flood_settle(struct cycle *c);
static void searches_write(struct cycle *c, bool keep_cookies);

/* Nothing is begun before a flood under way is committed. */
static enum mu_rc
begin_any(struct cycle *c, struct mu_err *err)
{
	flood_settle(c);
	return store_begin(c->host.store, err);
}

/*
 * Somebody else wrote since our last commit, or since the start: what they left undecided, and no
 * directory reports twice, would never be decided on by what we know.
 */
static enum mu_rc
lease_look(struct cycle *c, struct mu_err *err)
{
	static const unsigned char none[SOURCE_DIGEST_BYTES];

	for (int i = 0; i < DIRECTORY_SEARCH_COUNT && !c->anew; i++) {
		struct store_search row = { .listed_count = 0 };
		enum mu_rc rc = store_search_get(c->host.store, c->host.source->name,
		    search_name((enum directory_search)i), &row, err);

		if (rc != MU_OK && rc != MU_EABSENT)
			return rc;
		if (rc == MU_OK && memcmp(row.digest, none, sizeof(none)) == 0)
			c->anew = c->inherited = true;
		store_search_clear(&row);
	}
	*err = (struct mu_err)MU_ERR_INIT;
	return MU_OK;
}

/* Whoever does not hold the lease any more writes nothing. */
static enum mu_rc
begin(struct cycle *c, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	enum mu_rc rc;

	mu_buf_format(&name, "cycle/%s", c->host.source->name);
	if (begin_any(c, err) != MU_OK)
		return err->rc;
	rc = store_lease_take(c->host.store, name.data, c->host.holder, LEASE_S,
	    &c->fence_now, err);
	if (rc == MU_EDENIED)
		rc = mu_fail(err, MU_ERETRY, "another host follows source %s",
		    c->host.source->name);
	if (rc == MU_OK && c->fence_now != c->fence)
		rc = lease_look(c, err);
	return rc;
}

static void
after_commit(struct cycle *c, const struct cycle_apply *a)
{
	c->fence = c->fence_now;
	c->held = c->held || a->held > 0;
	if (a->written.accounts_changed)
		store_hint(c->host.store, STORE_CHANNEL_ACCOUNTS);
}

/* --- Floods: many who are new are written while more is read -------------------------------- */

static void
slice_drop(struct cycle *c)
{
	slice_clear(&c->slice);
	c->waits = c->cookie_came = false;
	c->fresh_people = c->fresh_members = 0;
}

static void
fresh_count(struct cycle *c)
{
	c->fresh_people = c->fresh_members = 0;
	for (size_t i = 0; i < c->slice.people_count; i++)
		c->fresh_people += c->slice.people[i].fresh ? 1 : 0;
	for (size_t i = 0; i < c->slice.group_count; i++)
		if (c->slice.groups[i].fresh)
			c->fresh_members += c->slice.groups[i].member_count + 1;
}

/*
 * Waits until the flood is committed. Was a hint wrong, its people are in the slice again; any other
 * failure is told at the end of the slice at hand, and all is read again.
 */
static void
flood_settle(struct cycle *c)
{
	struct mu_err err = MU_ERR_INIT;
	char people[24];

	if (!store_flood_runs(c->host.store))
		return;
	mu_timer_stop(c->flood_timer);
	switch (store_flood_end(c->host.store, &err)) {
	case MU_OK:
		c->fence = c->fence_now;
		number_format(people, (int64_t)c->flood.people);
		if (c->flood.people > 0)
			mu_log("people.joined", "source", c->host.source->name, "people", people, NULL);
		if (c->flood.accounts_changed)
			store_hint(c->host.store, STORE_CHANNEL_ACCOUNTS);
		c->searches[DIRECTORY_PEOPLE].joined += c->flood.people;
		flood_clear(&c->flood);
		break;
	case MU_ECONFLICT:
		mu_log_err(&err, "flood.again", "source", c->host.source->name, NULL);
		flood_undo(&c->flood, &c->slice, !c->flood_doubt);
		fresh_count(c);
		c->flood_doubt = true;
		for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
			c->searches[i].noted = false;
		break;
	case MU_EINPUT: case MU_EDENIED: case MU_EABSENT: case MU_ERETRY: case MU_ECONFIG:
	case MU_EBROKEN:
		flood_clear(&c->flood);
		c->flood_err = err;
		break;
	}
}

/* Somebody else is going to ask the store something. */
static void
on_settle(void *ctx)
{
	flood_settle(ctx);
}

/* Goes on also while the directory says nothing. */
static void
on_flood(void *ctx)
{
	struct cycle *c = ctx;

	if (!store_flood_push(c->host.store))
		mu_timer_set(c->flood_timer, 1);
}

static enum mu_rc
flood_failed(struct cycle *c, struct mu_err *err)
{
	if (c->flood_err.rc == MU_OK)
		return MU_OK;
	*err = c->flood_err;
	c->flood_err = (struct mu_err)MU_ERR_INIT;
	return err->rc;
}

/*
 * Before anybody of a refresh is written the store knows how they are read: see resume_read. A cookie
 * that came with the slice at hand covers what is left in it, too, and is kept with that alone.
 */
static void
searches_note(struct cycle *c)
{
	const struct slice *d = &c->deferred;
	bool noted = true;

	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		if (c->searches[i].began && !c->searches[i].noted)
			c->searches[i].noted = !(noted = false);
	if (!noted)
		searches_write(c, !c->cookie_came && !c->held && !c->narrow.narrowed && !c->anew &&
		    d->redecide.count + d->removed_groups.count == 0);
}

static enum mu_rc
memberships_need(struct cycle *c, struct mu_err *err)
{
	if (c->memberships.loaded || c->fresh_people == 0)
		return MU_OK;
	flood_settle(c);
	return memberships_load(&c->memberships, c->host.store, c->host.source->name, c->hash, err);
}

/* What is fresh in the slice goes to the store. */
static enum mu_rc
flood_begin(struct cycle *c, struct mu_err *err)
{
	const struct cycle_again_host again = { .store = c->host.store, .rules = &c->host.rules };
	struct flood next = { .people = 0 };
	struct store_flood *rows = NULL;
	enum mu_rc rc;

	if (c->flood_doubt)
		flood_settle(c);
	if (memberships_need(c, err) != MU_OK || flood_prepare(&c->host, &c->slice, &c->memberships,
	    c->hash, c->flood_doubt, mu_now_ms(), &next, &rows, err) != MU_OK)
		return err->rc;
	rc = begin(c, err);		/* the one before is committed, or back in the slice */
	if (rc == MU_OK)
		rc = flood_failed(c, err);
	if (rc == MU_OK)
		rc = batch_policy_check(&again, err);
	if (rc == MU_OK)
		searches_note(c);
	if (rc == MU_OK)
		flood_count(&c->host, &next, mu_now_s());
	if (rc == MU_OK)
		rc = store_flood_start(c->host.store, MU_TAKE(rows), err);
	store_flood_free(rows);
	fresh_count(c);
	if (rc != MU_OK) {
		store_rollback(c->host.store);
		flood_clear(&next);
		return rc;
	}
	c->flood = next;
	mu_timer_set(c->flood_timer, 1);
	return MU_OK;
}

/* People and groups of a refresh under way, and nothing that a commit has to go with. */
static bool
slice_may_wait(const struct cycle *c)
{
	const struct slice *s = &c->slice;
	bool refreshing = false;

	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		const struct known *k = &c->searches[i].known;

		if (c->searches[i].refreshed || (k->count > 0 && !k->loaded))
			return false;
		refreshing = refreshing || (c->searches[i].refreshing && k->loaded);
	}
	/* nobody is decided on before their groups are known */
	return refreshing && (s->people_count == 0 || s->group_count == 0) && !c->cookie_came &&
	    s->bad_count == 0 && s->redecide.count == 0 && s->removed_people.count == 0 &&
	    s->removed_groups.count == 0;
}

/*
 * True when the slice is not to be committed now: it waits for more, or what was fresh in it goes to
 * the store by itself. False: it is to be, and nothing is under way any more.
 */
static enum mu_rc
slice_wait(struct cycle *c, bool *out_waits, struct mu_err *err)
{
	bool may = slice_may_wait(c), pure = c->fresh_people == 0 || c->slice.group_count == 0;
	size_t others;

	*out_waits = false;
	if (c->fresh_people >= FLOOD_PEOPLE || c->fresh_members >= FLOOD_MEMBERS)
		if (pure && flood_begin(c, err) != MU_OK)
			return err->rc;
	/* a second time when a hint was wrong; a third none is fresh any more */
	for (int i = 0; i < 2 && !may; i++) {
		flood_settle(c);
		if (pure && c->fresh_people + c->fresh_members >= FLOOD_MIN &&
		    flood_begin(c, err) != MU_OK)
			return err->rc;
	}
	if (!may)
		flood_settle(c);
	if (flood_failed(c, err) != MU_OK)
		return err->rc;
	others = c->slice.people_count - c->fresh_people;
	for (size_t i = 0; i < c->slice.group_count; i++)
		others += c->slice.groups[i].fresh ? 0 : 1;
	*out_waits = c->waits = may && others < WAIT_MAX;
	return MU_OK;
}

/* --- The end of a refresh: who is missing --------------------------------------------------- */

struct missing {
	const struct known *seen;
	struct uuids *out;
	int64_t known;			/* missing or not */
};

static void
missing_each(void *ctx, const struct mu_uuid *entry_uuid)
{
	struct missing *m = ctx;

	m->known++;
	if (!known_has(m->seen, entry_uuid, KNOWN_SEEN))
		uuids_add(m->out, entry_uuid);
}

/*
 * Who was there and did not come, by what was read at the beginning, else by asking now. out_before:
 * how many were there, without those that the refresh brought.
 */
static enum mu_rc
missing_find(struct cycle *c, enum directory_search which, struct uuids *out, int64_t *out_before,
    struct mu_err *err)
{
	const struct search *s = &c->searches[which];
	struct missing m = { &s->known, out, 0 };
	const char *source = c->host.source->name;

	if (!s->known.loaded && (which == DIRECTORY_PEOPLE ?
	    store_person_each_entry(c->host.store, source, missing_each, &m, err) :
	    store_group_each(c->host.store, source, missing_each, &m, err)) != MU_OK)
		return err->rc;
	for (size_t i = 0; s->known.loaded && i < s->known.count; i++) {
		m.known += (s->known.flags[i] & KNOWN_HERE) != 0;
		if ((s->known.flags[i] & (KNOWN_HERE | KNOWN_SEEN)) == KNOWN_HERE)
			uuids_add(out, &s->known.list[i].entry_uuid);
	}
	*out_before = m.known - (int64_t)(s->known.loaded ? s->joined_known : s->joined);
	return MU_OK;
}

static void
uuids_copy(struct uuids *to, const struct uuids *from)
{
	for (size_t i = 0; i < from->count; i++)
		uuids_add(to, &from->list[i]);
}

/* The end of a complete listing: who is missing joins the removals deferred on the way. */
static enum mu_rc
listing_finish(struct cycle *c, enum directory_search which, int64_t now_ms, struct mu_err *err)
{
	struct search *s = &c->searches[which];
	MU_AUTO(uuids_clear) struct uuids missing = { .count = 0 };
	int64_t before;

	if (s->how == DIRECTORY_DELTA || s->verdict != VERDICT_COMPLETE)
		return MU_OK;
	if (missing_find(c, which, &missing, &before, err) != MU_OK)
		return err->rc;
	s->changed = s->changed || missing.count > 0;
	if (which == DIRECTORY_GROUPS && s->listed_count == 0 && missing.count > 0)
		return mu_fail(err, MU_ERETRY,
		    "no group is shown where %zu were: is the access right gone?", missing.count);
	if (which == DIRECTORY_PEOPLE && narrow_judge(c->host.store,
	    c->host.source->name, &missing, before, now_ms / 1000, &c->narrow, err) != MU_OK)
		return err->rc;
	if (which == DIRECTORY_PEOPLE && c->narrow.narrowed)
		return MU_OK;
	uuids_copy(which == DIRECTORY_PEOPLE ? &c->deferred.removed_people :
	    &c->deferred.removed_groups, &missing);
	s->row.complete_at_s = now_ms / 1000;
	s->row.listed_count = (int64_t)s->listed_count;
	return MU_OK;
}

/*
 * What was deferred passes the brake together: news of people when their refresh ends, unless its
 * listing is not believed (then they are read again); and, when no refresh is left under way
 * (rows), groups that are missing and people whose groups changed. These are kept until they are
 * committed, whatever becomes of connections: no directory reports them twice.
 */
static enum mu_rc
deferred_apply(struct cycle *c, bool rows, struct cycle_apply *a, struct mu_err *err)
{
	struct search *people = &c->searches[DIRECTORY_PEOPLE];
	struct uuids *removed = &c->deferred.removed_people;
	MU_AUTO(slice_clear) struct slice due = { .people_count = 0 };

	if (people->refreshed && people->verdict != VERDICT_EMPTY &&
	    (people->how == DIRECTORY_DELTA || !c->narrow.narrowed)) {
		due.people = c->deferred.people;
		due.people_count = c->deferred.people_count;
		c->deferred.people = NULL;
		c->deferred.people_count = 0;
		/* who came back after that is seen */
		for (size_t i = 0; i < removed->count; i++)
			if (!known_has(&people->known, &removed->list[i], KNOWN_SEEN))
				uuids_add(&due.removed_people, &removed->list[i]);
	}
	if (rows) {
		uuids_copy(&due.removed_groups, &c->deferred.removed_groups);
		uuids_copy(&due.redecide, &c->deferred.redecide);
	}
	a->slice = &due;
	return slice_is_empty(&due) ? MU_OK : cycle_apply(a, err);
}

/* --- Slices: apply, finish refreshes, keep the cookie, commit ------------------------------- */

static void
search_copy(struct store_search *to, const struct store_search *from)
{
	struct mu_buf cookie = to->cookie;

	mu_buf_reset(&cookie);
	mu_buf_add(&cookie, from->cookie.data, from->cookie.size_bytes);
	*to = *from;
	to->cookie = cookie;
}

/* Without a cookie the digest is none either: resume_read then knows that something was to do. */
static void
searches_write(struct cycle *c, bool keep_cookies)
{
	static const struct store_search none = { .listed_count = 0 };

	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct search *s = &c->searches[i];
		struct store_search row = s->row;

		if (!s->began)
			continue;
		if (!keep_cookies) {
			row.cookie = none.cookie;
			(void)memcpy(row.digest, none.digest, sizeof(row.digest));
		}
		store_search_write(c->host.store, c->host.source->name,
		    search_name((enum directory_search)i), &row);
	}
}

/*
 * No directory says that an access right is back. While its listing is not believed, or somebody is
 * held, it is read again now and then, whatever the connection does; and once for what another host
 * left.
 */
static void
again_plan(struct cycle *c)
{
	uint16_t dice;

	if (!c->narrow.narrowed && !c->held && !c->inherited) {
		c->again_ms = 0;
		mu_timer_stop(c->again_timer);
	} else if (!mu_timer_is_set(c->again_timer)) {
		c->again_ms = c->again_ms == 0 ? AGAIN_MIN_MS : c->again_ms * 2;
		if (c->again_ms > AGAIN_MAX_MS)
			c->again_ms = AGAIN_MAX_MS;
		mu_random(&dice, sizeof(dice));
		mu_timer_set(c->again_timer, c->again_ms + c->again_ms * dice / UINT16_MAX / 4);
	}
}

/* After this slice, is that search still being refreshed? */
static bool
goes_on(const struct search *s)
{
	return s->refreshing && !s->refreshed;
}

/* News of people that were deferred are judged, or are going to be read again. */
static void
people_undefer(struct cycle *c)
{
	for (size_t i = 0; i < c->deferred.people_count; i++)
		slice_person_clear(&c->deferred.people[i]);
	c->deferred.people_count = 0;
	uuids_clear(&c->deferred.removed_people);
	c->deferred_over = false;
}

static void
search_committed(struct cycle *c, enum directory_search search)
{
	struct search *s = &c->searches[search];
	char listed[24];

	if (s->began)
		search_copy(&s->stored, &s->row);
	if (!s->refreshed)
		return;
	number_format(listed, (int64_t)s->listed_count);
	/* where everybody is read again and again, that nothing is new is no news */
	if (s->changed || !s->told)
		mu_log("source.refreshed", "source", c->host.source->name, "search",
		    search_name(search), "verdict", verdict_name(s->verdict), "listed", listed, NULL);
	s->told = s->verdict == VERDICT_COMPLETE;
	s->refreshing = s->verdict == VERDICT_EMPTY;	/* as good as not read */
	s->refreshed = false;
	known_clear(&s->known);
	memberships_clear(&c->memberships);
	mu_alloc_trim();
}

static enum mu_rc
slice_commit(struct cycle *c, struct mu_err *err)
{
	MU_AUTO(uuids_clear) struct uuids told = { .count = 0 };
	struct search *people = &c->searches[DIRECTORY_PEOPLE],
	    *groups = &c->searches[DIRECTORY_GROUPS];
	MU_AUTO(cycle_apply_clear) struct cycle_apply a = { .host = &c->host, .slice = &c->slice,
		.now_ms = mu_now_ms(),
		.defer_news = people->refreshing,
		.defer_rows = people->refreshing || groups->refreshing,
		.rows_unsure = people->refreshing || groups->refreshing, .deferred = &c->deferred,
		.deferred_keep = c->deferred_keep, .force_hold = c->deferred_over,
		.every_entry = c->held || c->anew, .told = &told };
	MU_AUTO(cycle_apply_clear) struct cycle_apply late = { .host = &c->host, .now_ms = a.now_ms,
	    .every_entry = a.every_entry, .told = &told };
	struct slice *d = &c->deferred;
	bool believed, rows, waits, anew;
	int64_t held = 0;

	if (begin(c, err) != MU_OK || cycle_apply(&a, err) != MU_OK)
		return err->rc;
	people->joined += a.written.joined;
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		if (c->searches[i].refreshed &&
		    listing_finish(c, (enum directory_search)i, a.now_ms, err) != MU_OK)
			return err->rc;
	believed = !c->narrow.narrowed && !(people->refreshed && people->verdict == VERDICT_EMPTY);
	rows = believed && !goes_on(people) && !goes_on(groups);
	late.force_hold = c->deferred_over || a.deferred_over;
	if (deferred_apply(c, rows, &late, err) != MU_OK)
		return err->rc;
	a.held += late.held;
	a.written.accounts_changed = a.written.accounts_changed || late.written.accounts_changed;
	waits = !rows && d->redecide.count + d->removed_groups.count > 0;
	anew = c->inherited || (c->anew && !(believed && people->refreshed &&
	    people->how == DIRECTORY_FULL_LISTED));
	if ((c->held || a.held > 0 || c->narrow.narrowed) &&
	    store_brake_hold_count(c->host.store, c->host.source->name, &held, err) != MU_OK)
		return err->rc;
	searches_write(c, held == 0 && !c->narrow.narrowed && !anew && !waits);
	if (store_commit(c->host.store, err) != MU_OK) {
		c->held = c->held || a.held > 0;	/* perhaps it was committed */
		return err->rc;
	}
	c->held = held > 0;
	c->deferred_over = late.force_hold;
	c->anew = anew || (c->narrow.narrowed && d->removed_groups.count > 0);
	if (people->refreshed)
		people_undefer(c);
	if (rows)
		uuids_clear(&d->redecide);
	/* what is missing from a narrowed directory is not believed */
	if (rows || c->narrow.narrowed)
		uuids_clear(&d->removed_groups);
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		search_committed(c, (enum directory_search)i);
	after_commit(c, &a);
	again_plan(c);
	return MU_OK;
}

/* --- What the directory reports ------------------------------------------------------------- */

static enum mu_rc
on_began(void *ctx, enum directory_search search, bool full, struct mu_err *err)
{
	struct cycle *c = ctx;
	struct search *s = &c->searches[search];

	(void)err;
	if (c->waits)			/* of a refresh that did not end: it comes again */
		slice_drop(c);
	s->began = s->refreshing = true;
	s->refreshed = s->changed = s->noted = false;
	s->full = full;
	s->joined = 0;
	known_clear(&s->known);
	c->flood_doubt = false;
	if (search == DIRECTORY_PEOPLE) {
		people_undefer(c);
		c->deferred_keep = (size_t)policy_removals_limit(c->host.rules.policy,
		    s->row.listed_count);
	} else {
		/* Theirs follows: who was renamed is in no group until their new name is known, too. */
		c->searches[DIRECTORY_PEOPLE].refreshing = true;
	}
	return MU_OK;
}

/* Of an entry only the newest news counts: what came before in this slice or refresh is dropped. */
static void
person_forget(struct slice *s, const struct mu_uuid *entry_uuid)
{
	/* those who wait are few, or have not come before in their refresh */
	for (size_t i = 0; i < s->people_count; i++)
		if (mu_uuid_equal(&s->people[i].entry_uuid, entry_uuid)) {
			slice_person_clear(&s->people[i]);
			s->people[i] = s->people[--s->people_count];
			return;
		}
}

static void
uuid_forget(struct uuids *u, const struct mu_uuid *uuid)
{
	for (size_t i = 0; i < u->count; i++)
		if (mu_uuid_equal(&u->list[i], uuid))
			u->list[i--] = u->list[--u->count];
}

static void
known_each(void *ctx, const struct mu_uuid *entry_uuid, const unsigned char *content_hash, bool here)
{
	struct known *k = ctx;
	size_t at = known_add(k, entry_uuid);

	(void)memcpy(k->list[at].hash, content_hash, KNOWN_HASH_BYTES);
	k->flags[at] |= (unsigned char)(here ? KNOWN_ROW | KNOWN_HERE : KNOWN_ROW);
}

/* Who is known is read before the first of everybody is compared. */
static enum mu_rc
known_load(struct cycle *c, enum directory_search search, struct mu_err *err)
{
	struct search *s = &c->searches[search];
	int64_t people = 0;
	bool settled = true;

	if (s->known.loaded || (!s->full && s->known.count < KNOWN_LOAD_AT))
		return MU_OK;
	flood_settle(c);
	if ((search == DIRECTORY_PEOPLE ?
	    store_person_known(c->host.store, c->host.source->name, known_each, &s->known, err) :
	    store_group_known(c->host.store, c->host.source->name, known_each, &s->known, err)) !=
	    MU_OK)
		return err->rc;
	s->known.loaded = true;
	s->joined_known = s->joined;
	if (search == DIRECTORY_PEOPLE) {
		if (store_brake_is_settled(c->host.store, c->host.source->name, &settled, err) !=
		    MU_OK)
			return err->rc;
		c->first = !settled;
		return MU_OK;
	}
	if (store_person_any(c->host.store, c->host.source->name, &people, err) != MU_OK)
		return err->rc;
	c->nobody = people == 0;
	return MU_OK;
}

static void
seen(struct search *s, const struct mu_uuid *entry_uuid)
{
	size_t at = known_add(&s->known, entry_uuid);

	s->known.flags[at] |= KNOWN_SEEN;
}

/*
 * An entry of a refresh. False: it is as its row is, and nothing is to be done, but while somebody
 * is held or was left undecided: then everyone is decided on. out_fresh: it had no row.
 */
static bool
entry_is_news(struct cycle *c, struct search *s, const struct mu_uuid *entry_uuid,
    const unsigned char *content_hash, bool *out_fresh, bool *out_again)
{
	struct known *k = &s->known;
	size_t at = known_add(k, entry_uuid);
	unsigned char was = k->flags[at];

	k->flags[at] |= KNOWN_SEEN;
	if ((was & (KNOWN_ROW | KNOWN_TAKEN)) == KNOWN_ROW && !c->held && !c->anew &&
	    memcmp(k->list[at].hash, content_hash, KNOWN_HASH_BYTES) == 0)
		return false;
	k->flags[at] |= KNOWN_TAKEN;
	*out_fresh = k->loaded && (was & (KNOWN_ROW | KNOWN_SEEN | KNOWN_TAKEN)) == 0;
	*out_again = (was & (KNOWN_SEEN | KNOWN_TAKEN)) != 0;
	s->changed = true;
	return true;
}

static void
person_take(struct cycle *c, struct directory_entry *entry, const unsigned char *content_hash,
    bool fresh, bool again)
{
	if (again) {
		person_forget(&c->slice, &entry->entry_uuid);
		person_forget(&c->deferred, &entry->entry_uuid);
		uuid_forget(&c->slice.removed_people, &entry->entry_uuid);
		fresh_count(c);
	}
	slice_person_add(&c->slice, entry, content_hash, fresh);
	c->fresh_people += fresh ? 1 : 0;
}

static void
group_take(struct cycle *c, const struct directory_entry *entry, const unsigned char *content_hash,
    bool fresh)
{
	uuid_forget(&c->slice.removed_groups, &entry->entry_uuid);
	uuid_forget(&c->deferred.removed_groups, &entry->entry_uuid);
	slice_group_add(&c->slice, entry, content_hash, fresh);
	c->fresh_members += fresh ? entry->member_count + 1 : 0;
	memberships_clear(&c->memberships);
}

static enum mu_rc
on_entry(void *ctx, enum directory_search search, struct directory_entry *entry, struct mu_err *err)
{
	struct cycle *c = ctx;
	struct search *s = &c->searches[search];
	unsigned char hash[CRYPTO_SHA256_BYTES];
	bool fresh = false, again = true;

	if (++c->entries % PUSH_EACH == 0)
		(void)store_flood_push(c->host.store);
	slice_content_hash(entry, &c->scratch, c->hash, hash);
	if (s->refreshing && s->began) {
		if (known_load(c, search, err) != MU_OK)
			return err->rc;
		if (!entry_is_news(c, s, &entry->entry_uuid, hash, &fresh, &again)) {
			if (search == DIRECTORY_GROUPS)
				uuid_forget(&c->deferred.removed_groups, &entry->entry_uuid);
			return MU_OK;
		}
	}
	if (search == DIRECTORY_PEOPLE)
		person_take(c, entry, hash, fresh && c->first, again);
	else
		group_take(c, entry, hash, fresh && c->nobody);
	return MU_OK;
}

static enum mu_rc
on_present(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid,
    struct mu_err *err)
{
	struct cycle *c = ctx;

	(void)err;
	seen(&c->searches[search], entry_uuid);
	if (search == DIRECTORY_GROUPS)
		uuid_forget(&c->deferred.removed_groups, entry_uuid);
	return MU_OK;
}

static enum mu_rc
on_removed(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid,
    struct mu_err *err)
{
	struct cycle *c = ctx;
	struct search *s = &c->searches[search];
	size_t at;

	(void)err;
	s->changed = true;
	if (search == DIRECTORY_PEOPLE) {
		person_forget(&c->slice, entry_uuid);
		person_forget(&c->deferred, entry_uuid);
		fresh_count(c);
		uuids_add(&c->slice.removed_people, entry_uuid);
	} else {
		uuids_add(&c->slice.removed_groups, entry_uuid);
	}
	if (!s->refreshing)
		return MU_OK;
	/* whoever comes back is looked at in any case */
	at = known_add(&s->known, entry_uuid);
	s->known.flags[at] |= KNOWN_TAKEN;
	if (search == DIRECTORY_PEOPLE)
		s->known.flags[at] &= (unsigned char)~KNOWN_SEEN;
	return MU_OK;
}

static enum mu_rc
on_quarantined(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid,
    const char *dn, const char *reason, struct mu_err *err)
{
	struct cycle *c = ctx;
	char entry[MU_UUID_TEXT_BYTES];

	(void)err;
	if (entry_uuid != NULL && c->searches[search].refreshing)
		seen(&c->searches[search], entry_uuid);
	c->searches[search].changed = true;
	slice_bad_add(&c->slice, entry_uuid == NULL ? dn : mu_uuid_format(entry_uuid, entry),
	    reason);
	return MU_OK;
}

static enum mu_rc
on_refreshed(void *ctx, enum directory_search search, enum verdict verdict, enum directory_how how,
    size_t listed_count, struct mu_err *err)
{
	struct cycle *c = ctx;
	struct search *s = &c->searches[search];

	(void)err;
	s->refreshed = true;
	s->verdict = search == DIRECTORY_GROUPS && verdict == VERDICT_EMPTY ? VERDICT_COMPLETE :
	    verdict;
	s->how = how;
	s->listed_count = listed_count;
	return MU_OK;
}

static enum mu_rc
on_cookie(void *ctx, enum directory_search search, const void *bytes, size_t bytes_count,
    struct mu_err *err)
{
	struct cycle *c = ctx;

	(void)err;
	c->searches[search].began = true;	/* or was to begin, and got no further */
	mu_buf_reset(&c->searches[search].row.cookie);
	mu_buf_add(&c->searches[search].row.cookie, bytes, bytes_count);
	c->cookie_came = true;
	return MU_OK;
}

static enum mu_rc
on_slice_end(void *ctx, struct mu_err *err)
{
	struct cycle *c = ctx;
	size_t missing_before = c->deferred.removed_groups.count;
	bool waits;
	enum mu_rc rc = slice_wait(c, &waits, err);

	if (rc == MU_OK && waits)
		return MU_OK;
	if (rc == MU_OK)
		rc = slice_commit(c, err);
	slice_drop(c);
	if (rc != MU_OK) {
		store_rollback(c->host.store);
		c->deferred.removed_groups.count = missing_before;
		for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
			search_copy(&c->searches[i].row, &c->searches[i].stored);
			c->searches[i].refreshed = false;
		}
		mu_log_err(err, "slice.failed", "source", c->host.source->name, NULL);
		mu_timer_set(c->poll_timer, 0);		/* perhaps for a new policy */
	}
	return rc;
}

/* --- Verdicts ------------------------------------------------------------------------------- */

static void
verdict_store(void *ctx)
{
	struct cycle *c = ctx;
	struct mu_err err = MU_ERR_INIT;
	int64_t now_ms = mu_now_ms();
	struct audit_field fields[] = {
		AUDIT_TEXT("source", c->host.source->name),
		AUDIT_TEXT("verdict", verdict_name(c->verdict)),
		AUDIT_TEXT("text", mu_buf_text(&c->verdict_text)),
	};

	if (!c->verdict_due)
		return;
	if (begin_any(c, &err) == MU_OK) {
		store_verdict_write(c->host.store, c->host.source->name, c->verdict,
		    mu_buf_text(&c->verdict_text), now_ms / 1000);
		audit_record(c->host.store, AUDIT_SOURCE_VERDICT, now_ms, fields, MU_COUNT(fields),
		    NULL);
		c->verdict_due = store_commit(c->host.store, &err) != MU_OK;
	}
	if (c->verdict_due) {
		store_rollback(c->host.store);
		mu_timer_set(c->verdict_timer, STORE_RETRY_MS);
	}
}

static void
on_verdict(void *ctx, enum verdict verdict, const char *text)
{
	MU_AUTO(mu_buf_clear) struct mu_buf narrowed = MU_BUF_INIT;
	struct cycle *c = ctx;

	if (verdict == VERDICT_COMPLETE && c->narrow.narrowed) {
		verdict = VERDICT_NARROWED;
		mu_buf_format(&narrowed, "the directory lists %lld where %lld people were: nobody is "
		    "removed; look at its access rules, base and filter. If the others have left, "
		    "administrators let them go: muster brake release %s",
		    (long long)(c->narrow.people - c->narrow.missing),
		    (long long)c->narrow.people, c->host.source->name);
		text = narrowed.data;
	}
	if (verdict == c->verdict && strcmp(text, mu_buf_text(&c->verdict_text)) == 0)
		return;
	mu_log("source.verdict", "source", c->host.source->name, "verdict", verdict_name(verdict),
	    "text", text, NULL);
	c->verdict = verdict;
	mu_buf_reset(&c->verdict_text);
	mu_buf_text_add(&c->verdict_text, text);
	c->verdict_due = true;
	verdict_store(c);
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

/* --- A new policy: everyone is decided on by it --------------------------------------------- */

static void
pass_start(struct cycle *c)
{
	char version[24];

	number_format(version, c->host.rules.version);
	mu_log("policy.pass", "version", version, NULL);
	slice_clear(&c->pass.deferred);
	c->pass = (struct pass){ .runs = true };
	mu_timer_set(c->pass_timer, 0);
}

/* A page of everyone: what the policy gives is given, what it takes away waits for the end. */
static enum mu_rc
pass_page(struct cycle *c, struct cycle_apply *a, struct mu_err *err)
{
	struct mu_uuid ids[ROWS_PAGE], after = c->pass.after;
	size_t count = 0;

	if (begin(c, err) != MU_OK ||
	    store_person_page(c->host.store, &after, ids, ROWS_PAGE, &count, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < count; i++)
		uuids_add(&a->slice->redecide, &ids[i]);
	a->defer_rows = true;
	a->deferred = &c->pass.deferred;
	if ((count > 0 && cycle_apply(a, err) != MU_OK) ||
	    store_commit(c->host.store, err) != MU_OK)
		return err->rc;
	if (count > 0)
		c->pass.after = ids[count - 1];
	c->pass.listed = count < ROWS_PAGE;
	return MU_OK;
}

/* The last page says that everyone has been decided on. */
static enum mu_rc
pass_removals(struct cycle *c, struct cycle_apply *a, struct mu_err *err)
{
	struct uuids *left = &c->pass.deferred.redecide;
	size_t page;

	a->force_hold = c->pass.deferred_over;
	if (begin(c, err) != MU_OK || rows_removals_apply(a, left, &page, err) != MU_OK)
		return err->rc;
	if (page == left->count)
		store_policy_decided_write(c->host.store, c->host.rules.version, a->now_ms / 1000);
	if (store_commit(c->host.store, err) != MU_OK)
		return err->rc;
	c->pass.deferred_over = a->force_hold;
	left->count -= page;
	c->pass.runs = left->count > 0;
	return MU_OK;
}

static void
on_pass(void *ctx)
{
	struct cycle *c = ctx;
	MU_AUTO(slice_clear) struct slice s = { .people_count = 0 };
	MU_AUTO(uuids_clear) struct uuids told = { .count = 0 };
	MU_AUTO(cycle_apply_clear) struct cycle_apply a = { .host = &c->host, .slice = &s,
	    .now_ms = mu_now_ms(), .told = &told };
	struct mu_err err = MU_ERR_INIT;

	if ((c->pass.listed ? pass_removals(c, &a, &err) : pass_page(c, &a, &err)) != MU_OK) {
		store_rollback(c->host.store);
		mu_log_err(&err, "policy.pass.failed", NULL);
		mu_timer_set(c->pass_timer, PASS_RETRY_MS);
		mu_timer_set(c->poll_timer, 0);
		return;
	}
	after_commit(c, &a);
	if (c->pass.runs)
		mu_timer_set(c->pass_timer, 0);
	else
		slice_clear(&c->pass.deferred);
}

/* --- What actions ask of us: a newer policy, a full read ------------------------------------ */

/* One that muster did not write, or that cannot be read, changes nothing: the one before stays. */
static void
policy_refuse(struct cycle *c, int64_t version, const struct mu_err *why)
{
	char row[24];
	struct audit_field fields[2] = {
		AUDIT_TEXT("table", "policy_version"), AUDIT_TEXT("row", row),
	};

	number_format(row, version);
	mu_log_err(why, "policy.refused", "version", row, NULL);
	if (c->host.is_first && why->rc == MU_EBROKEN)
		audit_record(c->host.store, AUDIT_ROW_TAMPERED, mu_now_ms(), fields,
		    MU_COUNT(fields), NULL);
}

static enum mu_rc
policy_follow(struct cycle *c, struct mu_err *err)
{
	struct policy *policy = NULL;
	struct mu_err why = MU_ERR_INIT;
	int64_t version;

	if (c->host.rules.version == 0)
		return MU_OK;
	if (store_policy_version(c->host.store, &version, err) != MU_OK)
		return err->rc;
	if (version == c->host.rules.version)
		return MU_OK;
	switch (cycle_policy_current(c->host.store, c->host.mac_check, c->host.mac_ctx,
	    c->host.attr_known, c->host.attr_ctx, &policy, &version, &why)) {
	case MU_OK:
		policy_free(c->policy);
		c->host.rules.policy = c->policy = policy;
		break;
	case MU_EBROKEN: case MU_ECONFIG: case MU_EINPUT:
		policy_refuse(c, version, &why);
		break;
	case MU_EDENIED: case MU_EABSENT: case MU_ECONFLICT: case MU_ERETRY:
		*err = why;
		return err->rc;
	}
	c->host.rules.version = version;
	return MU_OK;
}

static enum mu_rc
poll_run(struct cycle *c, int64_t *out_asked_ms, bool *out_pass, struct mu_err *err)
{
	int64_t before = c->host.rules.version, decided = 0, held;

	if (begin_any(c, err) != MU_OK || policy_follow(c, err) != MU_OK ||
	    store_sync_asked(c->host.store, c->host.source->name, out_asked_ms, err) != MU_OK ||
	    store_brake_hold_count(c->host.store, c->host.source->name, &held, err) != MU_OK ||
	    store_policy_decided(c->host.store, &decided, err) != MU_OK ||
	    store_commit(c->host.store, err) != MU_OK)
		return err->rc;
	c->held = held > 0;
	again_plan(c);
	*out_pass = c->host.is_first && decided < c->host.rules.version &&
	    (!c->pass.runs || before != c->host.rules.version);
	return MU_OK;
}

/* Whatever the directory is telling is told again: from its beginning. */
static void
read_anew(struct cycle *c)
{
	mu_log("source.reread", "source", c->host.source->name, NULL);
	directory_close(c->directory);
	c->directory = NULL;
	flood_settle(c);
	c->flood_err = (struct mu_err)MU_ERR_INIT;	/* all is read again in any case */
	slice_drop(c);
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		c->searches[i].refreshing = c->searches[i].refreshed = c->searches[i].told = false;
		known_clear(&c->searches[i].known);
	}
	c->full_due = true;
	mu_timer_set(c->open_timer, 0);
}

static void
on_poll(void *ctx)
{
	struct cycle *c = ctx;
	struct mu_err err = MU_ERR_INIT;
	int64_t asked_ms = 0;
	bool pass = false;

	mu_timer_set(c->poll_timer, POLL_MS);
	if (poll_run(c, &asked_ms, &pass, &err) != MU_OK) {
		store_rollback(c->host.store);
		mu_log_err(&err, "poll.failed", "source", c->host.source->name, NULL);
		mu_timer_set(c->poll_timer, STORE_RETRY_MS);
		return;
	}
	if (pass)
		pass_start(c);
	if (asked_ms != 0 && asked_ms >= c->full_begun_ms && c->directory != NULL)
		read_anew(c);
}

/* Not in the middle of a read. */
static void
on_again(void *ctx)
{
	struct cycle *c = ctx;
	bool refreshing = false;

	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		refreshing = refreshing || c->searches[i].refreshing;
	if (c->directory != NULL && !refreshing)
		read_anew(c);
	else
		mu_timer_set(c->again_timer, AGAIN_MIN_MS);
}

/* --- Opening -------------------------------------------------------------------------------- */

/*
 * Resumes from the stored cookies only if what is asked is what was asked then, and if nothing was
 * left to do: else everybody is read and decided on again.
 */
static enum mu_rc
resume_read(struct cycle *c, struct directory_resume *out_resume, struct mu_err *err)
{
	int64_t now_ms = mu_now_ms(), held;

	c->anew = c->inherited = false;
	if (begin_any(c, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		MU_AUTO(mu_buf_clear) struct mu_buf shape = MU_BUF_INIT;
		struct store_search *row = &c->searches[i].row;
		unsigned char digest[SOURCE_DIGEST_BYTES];
		enum mu_rc rc;

		store_search_clear(row);
		rc = store_search_get(c->host.store, c->host.source->name,
		    search_name((enum directory_search)i), row, err);
		if (rc != MU_OK && rc != MU_EABSENT)
			return rc;
		directory_shape(c->host.source, (enum directory_search)i, &shape);
		cycle_source_shape(&c->host.rules, c->host.source->name, &shape);
		crypto_sha256(shape.data, shape.size_bytes, digest);
		/* Read in another way before, or left undecided (no digest): then nothing stands. */
		if (memcmp(digest, row->digest, sizeof(digest)) != 0) {
			c->anew = c->anew || rc == MU_OK;
			mu_buf_reset(&row->cookie);
		}
		(void)memcpy(row->digest, digest, sizeof(digest));
	}
	if (store_brake_hold_count(c->host.store, c->host.source->name, &held, err) != MU_OK)
		return err->rc;
	c->held = held > 0;
	c->full_begun_ms = c->searches[DIRECTORY_PEOPLE].row.complete_at_s * 1000;
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct search *s = &c->searches[i];

		if (c->held || c->anew || c->full_due)
			mu_buf_reset(&s->row.cookie);
		if (s->row.cookie.size_bytes == 0 && i == DIRECTORY_PEOPLE)
			c->full_begun_ms = now_ms;
		search_copy(&s->stored, &s->row);
		out_resume->cookies[i].bytes = s->row.cookie.data;
		out_resume->cookies[i].size_bytes = s->row.cookie.size_bytes;
	}
	return store_commit(c->host.store, err);
}

static void
on_open(void *ctx)
{
	struct cycle *c = ctx;
	struct directory_resume resume = { { { NULL, 0 } } };
	struct mu_err err = MU_ERR_INIT;

	if (resume_read(c, &resume, &err) != MU_OK) {
		store_rollback(c->host.store);
		mu_log_err(&err, "source.waits", "source", c->host.source->name, NULL);
		mu_timer_set(c->open_timer, STORE_RETRY_MS);
		return;
	}
	c->full_due = false;
	mu_log("source.opened", "source", c->host.source->name, "read",
	    resume.cookies[DIRECTORY_PEOPLE].size_bytes == 0 ? "full" : "changes", NULL);
	if (directory_open(c->host.loop, c->host.source, &resume, &events, c, &c->directory,
	    &err) != MU_OK) {
		mu_log_err(&err, "source.wrong", "source", c->host.source->name, NULL);
		on_verdict(c, VERDICT_UNREACHABLE, err.text);
	}
}

static void
on_hint(void *ctx)
{
	struct cycle *c = ctx;

	mu_timer_set(c->poll_timer, 0);
}

struct cycle *
cycle_open(const struct cycle_host *host)
{
	struct cycle *c = mu_alloc_zero(1, sizeof(*c));

	c->host = *host;
	c->open_timer = mu_loop_timer(host->loop, on_open, c);
	c->verdict_timer = mu_loop_timer(host->loop, verdict_store, c);
	c->poll_timer = mu_loop_timer(host->loop, on_poll, c);
	c->pass_timer = mu_loop_timer(host->loop, on_pass, c);
	c->again_timer = mu_loop_timer(host->loop, on_again, c);
	c->flood_timer = mu_loop_timer(host->loop, on_flood, c);
	c->hash = crypto_hash_new();
	c->clock = cycle_clock_open(&c->host, on_hint, on_settle, c);
	mu_timer_set(c->open_timer, 0);
	mu_timer_set(c->poll_timer, 0);
	if (host->hint != NULL) {
		store_hint_on(host->hint, STORE_CHANNEL_POLICY, on_hint, c);
		store_hint_on(host->hint, STORE_CHANNEL_SYNC, on_hint, c);
	}
	return c;
}

void
cycle_close(struct cycle *c)
{
	struct mu_err err = MU_ERR_INIT;

	if (c == NULL)
		return;
	if (store_flood_end(c->host.store, &err) != MU_OK)
		mu_log_err(&err, "slice.failed", "source", c->host.source->name, NULL);
	directory_close(c->directory);
	cycle_clock_close(c->clock);
	mu_timer_free(c->open_timer);
	mu_timer_free(c->verdict_timer);
	mu_timer_free(c->poll_timer);
	mu_timer_free(c->pass_timer);
	mu_timer_free(c->again_timer);
	mu_timer_free(c->flood_timer);
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		known_clear(&c->searches[i].known);
		store_search_clear(&c->searches[i].row);
		store_search_clear(&c->searches[i].stored);
	}
	slice_clear(&c->slice);
	slice_clear(&c->deferred);
	slice_clear(&c->pass.deferred);
	policy_free(c->policy);
	mu_buf_clear(&c->verdict_text);
	mu_buf_clear(&c->scratch);
	flood_clear(&c->flood);
	memberships_clear(&c->memberships);
	crypto_hash_free(c->hash);
	mu_free(c);
}
