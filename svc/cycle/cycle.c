#include "cycle/cycle.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "cycle/apply.h"
#include "store/source.h"

#include <stdio.h>
#include <string.h>

#define LEASE_S		30
#define STORE_RETRY_MS	1000
#define CLOCK_PATIENCE_MS 5000		/* due times written by others are seen this late at most */
#define CLOCK_BATCH	256

/* One search of the source: what its row in the store holds, and the refresh under way. */
struct search {
	struct store_search row;
	bool began, refreshing, refreshed;	/* refreshed: its end is in the slice at hand */
	struct uuids seen;			/* entries and present ones of this refresh */
	enum verdict verdict;
	enum directory_how how;
	size_t listed_count;
};

struct cycle {
	struct cycle_host host;
	struct directory *directory;
	struct search searches[DIRECTORY_SEARCH_COUNT];
	struct slice slice;		/* what came since the last commit */
	struct slice deferred;		/* removals found by the refresh under way */
	size_t deferred_count, deferred_keep;
	bool held;			/* the brake holds somebody: cookies are not kept, so that a full read comes */
	bool narrowed;			/* the last refresh listed far fewer people than the one before */
	enum verdict verdict;
	struct mu_buf verdict_text;
	bool verdict_due;		/* not in the store yet */
	struct mu_timer *open_timer, *clock_timer, *verdict_timer;
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

/* --- Transactions ----------------------------------------------------------------------------------- */

/* Whoever does not hold the lease any more writes nothing. */
static enum mu_rc
begin(struct cycle *c, struct mu_err *err)
{
	MU_AUTO(mu_buf_clear) struct mu_buf name = MU_BUF_INIT;
	int64_t fence;
	enum mu_rc rc;

	mu_buf_format(&name, "cycle/%s", c->host.source->name);
	if (store_begin(c->host.store, err) != MU_OK)
		return err->rc;
	rc = store_lease_take(c->host.store, name.data, c->host.holder, LEASE_S, &fence, err);
	if (rc == MU_EDENIED)
		rc = mu_fail(err, MU_ERETRY, "another host follows source %s", c->host.source->name);
	return rc;
}

static void
after_commit(struct cycle *c, const struct cycle_apply *a)
{
	int64_t wait_ms = a->soonest_due_s == 0 ? CLOCK_PATIENCE_MS :
	    a->soonest_due_s * 1000 - mu_now_ms();

	c->held = c->held || a->held > 0;
	if (a->accounts_changed)
		store_hint(c->host.store, "muster_accounts");
	if (c->host.has_clock && wait_ms < CLOCK_PATIENCE_MS)
		mu_timer_set(c->clock_timer, wait_ms);
}

/* --- The end of a refresh: who is missing -------------------------------------------------------------- */

struct missing {
	const struct uuids *seen;
	struct uuids *out;
};

static void
missing_each(void *ctx, const struct mu_uuid *entry_uuid)
{
	struct missing *m = ctx;

	if (!uuids_has(m->seen, entry_uuid))
		uuids_add(m->out, entry_uuid);
}

/* Fewer than half of last time's people is not believed; a lesser loss is the brake's to judge. */
static bool
is_narrowed(const struct search *s)
{
	int64_t before = s->row.listed_count, missing = before - (int64_t)s->listed_count;

	return s->row.complete_at_s != 0 && missing > 5 && missing * 2 > before;
}

/*
 * Closes a refresh within the slice's transaction. A complete listing names those who are missing; they
 * and the removals deferred on the way pass the brake together.
 */
static enum mu_rc
refresh_finish(struct cycle *c, enum directory_search which, int64_t now_ms, struct cycle_apply *out_apply,
    struct mu_err *err)
{
	struct search *s = &c->searches[which];
	struct missing m = { &s->seen, which == DIRECTORY_PEOPLE ? &c->deferred.removed_people :
	    &c->deferred.removed_groups };
	struct cycle_apply a = { .host = &c->host, .slice = &c->deferred, .brake = CYCLE_BRAKE_WINDOW,
		.now_ms = now_ms, .drop_holds = false, .force_hold = c->deferred_count > c->deferred_keep };
	bool listed = s->how != DIRECTORY_DELTA, complete = s->verdict == VERDICT_COMPLETE;
	enum mu_rc rc = MU_OK;

	if (which == DIRECTORY_PEOPLE && listed && complete)
		c->narrowed = is_narrowed(s);
	if (complete && listed && !(which == DIRECTORY_PEOPLE && c->narrowed)) {
		uuids_sort(&s->seen);
		rc = which == DIRECTORY_PEOPLE ?
		    store_person_each_entry(c->host.store, c->host.source->name, missing_each, &m, err) :
		    store_group_each(c->host.store, c->host.source->name, missing_each, &m, err);
		s->row.complete_at_s = now_ms / 1000;
		s->row.listed_count = (int64_t)s->listed_count;
	}
	if (rc == MU_OK && complete && !c->narrowed && !slice_is_empty(&c->deferred))
		rc = cycle_apply(&a, err);
	*out_apply = a;
	return rc;
}

/* --- Slices: apply, finish refreshes, keep the cookie, commit ------------------------------------------- */

static enum mu_rc
searches_write(struct cycle *c, bool hold, struct mu_err *err)
{
	(void)err;
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct search *s = &c->searches[i];
		struct mu_buf kept = s->row.cookie;

		if (!s->began)
			continue;
		if (hold)
			s->row.cookie = (struct mu_buf)MU_BUF_INIT;
		store_search_write(c->host.store, c->host.source->name, search_name((enum directory_search)i),
		    &s->row);
		s->row.cookie = kept;
	}
	return MU_OK;
}

static enum mu_rc
slice_commit(struct cycle *c, struct mu_err *err)
{
	int64_t now_ms = mu_now_ms();
	struct cycle_apply a = { .host = &c->host, .slice = &c->slice, .now_ms = now_ms,
		.brake = c->searches[DIRECTORY_PEOPLE].refreshing ? CYCLE_BRAKE_DEFER : CYCLE_BRAKE_WINDOW,
		.deferred = &c->deferred, .deferred_keep = c->deferred_keep, .drop_holds = c->held };
	struct cycle_apply finished = { .held = 0 };

	if (begin(c, err) != MU_OK || cycle_apply(&a, err) != MU_OK)
		return err->rc;
	c->deferred_count += a.deferred_count;
	/* Groups first: their end may still decide on people whose listing ends in this slice. */
	for (int i = DIRECTORY_SEARCH_COUNT - 1; i >= 0; i--) {
		if (!c->searches[i].refreshed)
			continue;
		if (i == DIRECTORY_GROUPS && c->searches[DIRECTORY_PEOPLE].refreshing &&
		    !c->searches[DIRECTORY_PEOPLE].refreshed && !slice_is_empty(&c->deferred))
			return mu_fail(err, MU_EBROKEN, "groups ended amid people: the reader's order is wrong");
		if (refresh_finish(c, (enum directory_search)i, now_ms, &finished, err) != MU_OK)
			return err->rc;
		a.held += finished.held;
		a.accounts_changed = a.accounts_changed || finished.accounts_changed;
	}
	if (searches_write(c, c->held || a.held > 0, err) != MU_OK ||
	    store_commit(c->host.store, err) != MU_OK)
		return err->rc;
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct search *s = &c->searches[i];
		char listed[24];

		if (!s->refreshed)
			continue;
		number_format(listed, (int64_t)s->listed_count);
		mu_log("source.refreshed", "source", c->host.source->name, "search",
		    search_name((enum directory_search)i), "verdict", verdict_name(s->verdict), "listed", listed, NULL);
		s->refreshing = s->refreshed = false;
		uuids_clear(&s->seen);
		slice_clear(&c->deferred);
		c->deferred_count = 0;
	}
	after_commit(c, &a);
	return MU_OK;
}

/* --- What the directory reports -------------------------------------------------------------------------- */

static enum mu_rc
on_began(void *ctx, enum directory_search search, bool full, struct mu_err *err)
{
	struct cycle *c = ctx;
	struct search *s = &c->searches[search];
	int64_t people = c->searches[DIRECTORY_PEOPLE].row.listed_count;

	(void)full;
	(void)err;
	s->began = s->refreshing = true;
	s->refreshed = false;
	uuids_clear(&s->seen);
	slice_clear(&c->deferred);
	c->deferred_count = 0;
	c->deferred_keep = (size_t)policy_removals_limit(c->host.rules.policy, people);
	return MU_OK;
}

/* Of an entry only the newest news counts: what came before in this slice is dropped. */
static void
person_forget(struct slice *s, const struct mu_uuid *entry_uuid)
{
	for (size_t i = 0; i < s->people_count; i++)
		if (mu_uuid_equal(&s->people[i].entry_uuid, entry_uuid)) {
			mu_free(s->people[i].dn);
			attrs_clear(&s->people[i].attrs);
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

static enum mu_rc
on_entry(void *ctx, enum directory_search search, const struct directory_entry *entry, struct mu_err *err)
{
	struct cycle *c = ctx;
	struct search *s = &c->searches[search];

	(void)err;
	if (s->refreshing)
		uuids_add(&s->seen, &entry->entry_uuid);
	if (search == DIRECTORY_PEOPLE) {
		person_forget(&c->slice, &entry->entry_uuid);
		uuid_forget(&c->slice.removed_people, &entry->entry_uuid);
		slice_person_add(&c->slice, entry);
	} else {
		uuid_forget(&c->slice.removed_groups, &entry->entry_uuid);
		slice_group_add(&c->slice, entry);
	}
	return MU_OK;
}

static enum mu_rc
on_present(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid, struct mu_err *err)
{
	struct cycle *c = ctx;

	(void)err;
	uuids_add(&c->searches[search].seen, entry_uuid);
	return MU_OK;
}

static enum mu_rc
on_removed(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid, struct mu_err *err)
{
	struct cycle *c = ctx;

	(void)err;
	if (search == DIRECTORY_PEOPLE) {
		person_forget(&c->slice, entry_uuid);
		uuid_forget(&c->searches[search].seen, entry_uuid);
		uuids_add(&c->slice.removed_people, entry_uuid);
	} else {
		uuids_add(&c->slice.removed_groups, entry_uuid);
	}
	return MU_OK;
}

static enum mu_rc
on_quarantined(void *ctx, enum directory_search search, const struct mu_uuid *entry_uuid, const char *dn,
    const char *reason, struct mu_err *err)
{
	struct cycle *c = ctx;
	char entry[MU_UUID_TEXT_BYTES];

	(void)err;
	if (entry_uuid != NULL && c->searches[search].refreshing)
		uuids_add(&c->searches[search].seen, entry_uuid);
	slice_bad_add(&c->slice, entry_uuid == NULL ? dn : mu_uuid_format(entry_uuid, entry), reason);
	return MU_OK;
}

static enum mu_rc
on_refreshed(void *ctx, enum directory_search search, enum verdict verdict, enum directory_how how,
    size_t listed_count, struct mu_err *err)
{
	struct cycle *c = ctx;
	struct search *s = &c->searches[search];

	if (search == DIRECTORY_GROUPS && verdict == VERDICT_EMPTY) {
		if (s->row.listed_count > 0)
			return mu_fail(err, MU_ERETRY, "no group is shown where %lld were: is the access right gone?",
			    (long long)s->row.listed_count);
		verdict = VERDICT_COMPLETE;
	}
	s->refreshed = true;
	s->verdict = verdict;
	s->how = how;
	s->listed_count = listed_count;
	return MU_OK;
}

static enum mu_rc
on_cookie(void *ctx, enum directory_search search, const void *bytes, size_t bytes_count, struct mu_err *err)
{
	struct cycle *c = ctx;

	(void)err;
	mu_buf_reset(&c->searches[search].row.cookie);
	mu_buf_add(&c->searches[search].row.cookie, bytes, bytes_count);
	return MU_OK;
}

static enum mu_rc
on_slice_end(void *ctx, struct mu_err *err)
{
	struct cycle *c = ctx;
	enum mu_rc rc = slice_commit(c, err);

	slice_clear(&c->slice);
	if (rc != MU_OK) {
		store_rollback(c->host.store);
		mu_log_err(err, "slice.failed", "source", c->host.source->name, NULL);
	}
	return rc;
}

/* --- Verdicts --------------------------------------------------------------------------------------------- */

static void
verdict_store(void *ctx)
{
	struct cycle *c = ctx;
	struct mu_err err = MU_ERR_INIT;
	int64_t now_ms = mu_now_ms();
	struct audit_field fields[] = {
		AUDIT_TEXT("source", c->host.source->name), AUDIT_TEXT("verdict", verdict_name(c->verdict)),
		AUDIT_TEXT("text", mu_buf_text(&c->verdict_text)),
	};

	if (!c->verdict_due)
		return;
	if (store_begin(c->host.store, &err) == MU_OK) {
		store_verdict_write(c->host.store, c->host.source->name, c->verdict,
		    mu_buf_text(&c->verdict_text), now_ms / 1000);
		audit_record(c->host.store, AUDIT_SOURCE_VERDICT, now_ms, fields, MU_COUNT(fields), NULL);
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
	struct cycle *c = ctx;

	if (verdict == VERDICT_COMPLETE && c->narrowed) {
		verdict = VERDICT_NARROWED;
		text = "the directory lists far fewer people than before: nobody is removed; look at its access rules";
	}
	if (verdict == c->verdict && strcmp(text, mu_buf_text(&c->verdict_text)) == 0)
		return;
	mu_log("source.verdict", "source", c->host.source->name, "verdict", verdict_name(verdict), "text", text,
	    NULL);
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

/* --- The clock: starts, ends and grace periods ---------------------------------------------------------------- */

static enum mu_rc
clock_run(struct cycle *c, struct cycle_apply *a, struct mu_err *err)
{
	struct mu_uuid due[CLOCK_BATCH];
	size_t count = 0;

	if (begin(c, err) != MU_OK ||
	    store_person_due(c->host.store, a->now_ms / 1000, due, CLOCK_BATCH, &count, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < count; i++)
		uuids_add(&a->slice->redecide, &due[i]);
	if (count > 0 && cycle_apply(a, err) != MU_OK)
		return err->rc;
	return store_commit(c->host.store, err);
}

static void
on_clock(void *ctx)
{
	struct cycle *c = ctx;
	MU_AUTO(slice_clear) struct slice s = { .people_count = 0 };
	struct cycle_apply a = { .host = &c->host, .slice = &s, .brake = CYCLE_BRAKE_WINDOW,
		.now_ms = mu_now_ms(), .drop_holds = c->held };
	struct mu_err err = MU_ERR_INIT;

	mu_timer_set(c->clock_timer, CLOCK_PATIENCE_MS);
	if (clock_run(c, &a, &err) != MU_OK) {
		store_rollback(c->host.store);
		mu_log_err(&err, "clock.failed", NULL);
		return;
	}
	after_commit(c, &a);
}

/* --- Opening ------------------------------------------------------------------------------------------------ */

/* Resumes from the stored cookie only if what is asked is what was asked then. */
static enum mu_rc
resume_read(struct cycle *c, struct directory_resume *out_resume, struct mu_err *err)
{
	int64_t held;

	if (store_begin(c->host.store, err) != MU_OK)
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
		crypto_sha256(shape.data, shape.size_bytes, digest);
		if (memcmp(digest, row->digest, sizeof(digest)) != 0)
			mu_buf_reset(&row->cookie);
		(void)memcpy(row->digest, digest, sizeof(digest));
		out_resume->cookies[i].bytes = row->cookie.data;
		out_resume->cookies[i].size_bytes = row->cookie.size_bytes;
	}
	if (store_brake_hold_count(c->host.store, c->host.source->name, &held, err) != MU_OK)
		return err->rc;
	c->held = held > 0;
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
	if (directory_open(c->host.loop, c->host.source, &resume, &events, c, &c->directory, &err) != MU_OK) {
		mu_log_err(&err, "source.wrong", "source", c->host.source->name, NULL);
		on_verdict(c, VERDICT_UNREACHABLE, err.text);
		return;
	}
	if (c->host.has_clock)
		mu_timer_set(c->clock_timer, 0);
}

struct cycle *
cycle_open(const struct cycle_host *host)
{
	struct cycle *c = mu_alloc_zero(1, sizeof(*c));

	c->host = *host;
	c->open_timer = mu_loop_timer(host->loop, on_open, c);
	c->clock_timer = mu_loop_timer(host->loop, on_clock, c);
	c->verdict_timer = mu_loop_timer(host->loop, verdict_store, c);
	mu_timer_set(c->open_timer, 0);
	return c;
}

void
cycle_close(struct cycle *c)
{
	if (c == NULL)
		return;
	directory_close(c->directory);
	mu_timer_free(c->open_timer);
	mu_timer_free(c->clock_timer);
	mu_timer_free(c->verdict_timer);
	for (int i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		uuids_clear(&c->searches[i].seen);
		store_search_clear(&c->searches[i].row);
	}
	slice_clear(&c->slice);
	slice_clear(&c->deferred);
	mu_buf_clear(&c->verdict_text);
	mu_free(c);
}
