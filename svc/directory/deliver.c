#include "directory/reader_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "directory/key_priv.h"

/* --- Quarantined entries are read again ------------------------------------------------------ */

static struct reread *
reread_find(struct directory *d, enum directory_search search, const struct mu_uuid *entry_uuid)
{
	for (size_t i = 0; i < d->reread_count; i++)
		if (d->rereads[i].search == search &&
		    mu_uuid_equal(&d->rereads[i].entry_uuid, entry_uuid))
			return &d->rereads[i];
	return NULL;
}

static void
reread_drop(struct directory *d, struct reread *r)
{
	if (r != NULL)
		*r = d->rereads[--d->reread_count];
}

void
directory_rereads_forget(struct directory *d, enum directory_search search)
{
	for (size_t i = d->reread_count; i-- > 0;)
		if (d->rereads[i].search == search)
			reread_drop(d, &d->rereads[i]);
}

/* What was asked for before is older than what is known now: msgid 0 ignores its answer. */
static void
reread_add(struct directory *d, enum directory_search search, const struct mu_uuid *entry_uuid)
{
	struct reread *r = reread_find(d, search, entry_uuid);

	if (r == NULL && d->reread_count == REREADS_MAX)
		return;
	if (r == NULL)
		r = &d->rereads[d->reread_count++];
	*r = (struct reread){ .search = search, .entry_uuid = *entry_uuid,
	    .pause_ms = d->timing->reread_min_ms,
	    .due_ms = mu_tick_ms() + d->timing->reread_min_ms };
}

/* --- From messages to events ----------------------------------------------------------------- */

void
directory_doom(struct directory *d, enum verdict verdict, const char *text, const char *detail)
{
	if (d->doomed)
		return;
	d->doomed = true;
	d->doom = verdict;
	mu_buf_reset(&d->doom_text);
	mu_buf_text_add(&d->doom_text, text);
	mu_buf_text_add(&d->doom_text, detail);
}

static enum mu_rc
quarantine(struct directory *d, enum directory_search search, const struct mu_uuid *entry_uuid,
    const char *dn, const char *reason, struct mu_err *err)
{
	if (entry_uuid != NULL) {
		reread_add(d, search, entry_uuid);
	} else {
		d->searches[search].doubtful = true;
		d->searches[search].cookies_muted = true;
	}
	return d->events->quarantined(d->ctx, search, entry_uuid, dn, reason, err);
}

enum mu_rc
directory_removed_deliver(struct directory *d, enum directory_search search,
    const struct mu_uuid *entry_uuid, struct mu_err *err)
{
	reread_drop(d, reread_find(d, search, entry_uuid));
	return d->events->removed(d->ctx, search, entry_uuid, err);
}

enum mu_rc
directory_began(struct directory *d, enum directory_search search, struct mu_err *err)
{
	struct search *s = &d->searches[search];

	d->reported = true;
	if (s->began)
		return MU_OK;
	s->began = true;
	return d->events->began(d->ctx, search, s->full, err);
}

enum mu_rc
directory_parts_deliver(struct directory *d, enum directory_search search,
    const struct mu_uuid *entry_uuid, LDAPMessage *const *parts, size_t part_count,
    const char *fault, struct mu_err *err)
{
	struct directory_entry entry;
	bool good = directory_entry_decode_parts(d->source, search, d->ld, parts, part_count,
	    &d->scratch, &entry);
	const char *dn = mu_buf_text(&d->scratch.dn);

	d->searches[search].listed_count++;
	if (entry_uuid == NULL) {
		mu_buf_reset(&d->scratch.reason);
		mu_buf_format(&d->scratch.reason, "it has no %s",
		    directory_key_attribute(d->source->key));
	}
	if (!good || fault != NULL || entry_uuid == NULL)
		return quarantine(d, search, entry_uuid, dn,
		    fault != NULL ? fault : mu_buf_text(&d->scratch.reason), err);
	reread_drop(d, reread_find(d, search, entry_uuid));
	entry.entry_uuid = *entry_uuid;
	return d->events->entry(d->ctx, search, &entry, err);
}

enum mu_rc
directory_entry_deliver(struct directory *d, struct item *item, struct mu_err *err)
{
	return directory_parts_deliver(d, item->search, item->sound ? &item->entry_uuid : NULL,
	    &item->m, 1, NULL, err);
}

enum mu_rc
directory_refresh_end(struct directory *d, enum directory_search search, enum directory_how how,
    struct mu_err *err)
{
	struct search *s = &d->searches[search];
	enum verdict verdict = VERDICT_COMPLETE;
	enum mu_rc rc;

	if (s->doubtful)
		verdict = VERDICT_TRUNCATED;
	else if (how == DIRECTORY_FULL_LISTED && s->listed_count == 0)
		verdict = VERDICT_EMPTY;
	else if (s->stale)
		verdict = VERDICT_STALE;
	d->no_groups = search == DIRECTORY_GROUPS && verdict == VERDICT_EMPTY;
	rc = d->events->refreshed(d->ctx, search, verdict, how, s->listed_count, err);
	if (rc != MU_OK)
		return rc;
	s->refreshing = false;
	/* From a cookie of an empty or doubtful listing on, those missing would never be missed. */
	if (verdict == VERDICT_EMPTY && search == DIRECTORY_PEOPLE) {
		directory_doom(d, VERDICT_EMPTY,
		    "nobody is visible: check the access rules, base and filter of ",
		    directory_search_base(d->source, search));
	} else if (verdict == VERDICT_TRUNCATED) {
		s->cookies_muted = true;
	} else if (s->held.size_bytes > 0) {
		mu_buf_reset(&s->next);
		mu_buf_add(&s->next, s->held.data, s->held.size_bytes);
		s->has_next = true;
	}
	return MU_OK;
}

void
directory_search_failed(struct directory *d, int result, const char *diagnostic)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	bool limited = result == LDAP_SIZELIMIT_EXCEEDED || result == LDAP_TIMELIMIT_EXCEEDED ||
	    result == LDAP_ADMINLIMIT_EXCEEDED;

	directory_ldap_text(NULL, result, diagnostic, &text);
	if (limited)
		directory_doom(d, VERDICT_TRUNCATED,
		    "the server's limit cut the read short; lift its limits for our "
		    "bind_dn: ", mu_buf_text(&text));
	else
		directory_doom(d, directory_failure_verdict(d), "the search was refused: ",
		    mu_buf_text(&text));
}

/* The answer to a re-read counts only if nothing newer came in between. */
static enum mu_rc
reread_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct directory_entry entry;

	for (size_t i = 0; i < d->reread_count; i++) {
		struct reread *r = &d->rereads[i];

		if (r->msgid != item->reread_msgid)
			continue;
		if (item->type != LDAP_RES_SEARCH_ENTRY) {
			r->msgid = 0;
		} else if (directory_entry_decode(d->source, r->search, d->ld, item->m, &d->scratch,
		    &entry)) {
			entry.entry_uuid = r->entry_uuid;
			r->mended = true;
			d->reported = true;
			return d->events->entry(d->ctx, r->search, &entry, err);
		}
		break;
	}
	return MU_OK;
}

static enum mu_rc
item_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct search *s = &d->searches[item->search];

	if (item->reread_msgid != 0)
		return reread_handle(d, item, err);
	if (d->provider->begins)
		return d->provider->message(d, item, err);
	if (directory_began(d, item->search, err) != MU_OK)
		return err->rc;
	switch (item->type) {
	case LDAP_RES_SEARCH_ENTRY:
		s->changed = true;
		return d->provider->message(d, item, err);
	case LDAP_RES_INTERMEDIATE:
	case LDAP_RES_SEARCH_RESULT:
		return d->provider->message(d, item, err);
	case LDAP_RES_SEARCH_REFERENCE:	/* part of the base is elsewhere: no listing is whole */
		s->doubtful |= s->refreshing;
		return MU_OK;
	default:
		directory_doom(d, directory_failure_verdict(d), "an unexpected message came", "");
		return MU_OK;
	}
}

static enum mu_rc
slice_close(struct directory *d, struct mu_err *err)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct search *s = &d->searches[i];

		if (s->has_next && d->events->cookie(d->ctx, (enum directory_search)i, s->next.data,
		    s->next.size_bytes, err) != MU_OK)
			return err->rc;
	}
	if (d->events->slice_end(d->ctx, err) != MU_OK)
		return err->rc;
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct search *s = &d->searches[i];

		if (!s->has_next)
			continue;
		mu_buf_reset(&s->kept);
		mu_buf_add(&s->kept, s->next.data, s->next.size_bytes);
		s->has_next = false;
	}
	for (size_t i = d->reread_count; i-- > 0;)
		if (d->rereads[i].mended)
			reread_drop(d, &d->rereads[i]);
	return MU_OK;
}

void
directory_complete_report(struct directory *d)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;
	bool doubtful = false, stale = false;

	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		doubtful |= d->searches[i].doubtful;
		stale |= d->searches[i].stale;
	}
	if (doubtful)
		mu_buf_format(&text, "part of what is listed cannot be told apart (entries without "
		    "%s, or references to other servers)", directory_key_attribute(d->source->key));
	else if (d->ends)
		mu_buf_text_add(&text, "the server ends searches that are to stay open, so "
		    "everything is asked for again after pauses: follow: poll says how long");
	else if (d->advice != NULL)
		mu_buf_text_add(&text, d->advice);
	directory_verdict_report(d, doubtful ? VERDICT_TRUNCATED : stale ? VERDICT_STALE :
	    VERDICT_COMPLETE, mu_buf_text(&text));
}

/*
 * A search that has been refreshed lets the next begin; when both have, says so. False when the
 * connection ended.
 */
static bool
complete_check(struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		const struct search *s = &d->searches[i];

		if (s->msgid != 0 && s->refreshing)
			return true;
	}
	if (d->due[DIRECTORY_PEOPLE])
		return d->doomed || directory_search_send(d, DIRECTORY_PEOPLE);
	if (!d->complete || d->ended)
		directory_complete_report(d);
	if (d->ended) {
		directory_lose(d, VERDICT_NONE, "");
		return false;
	}
	if (!d->complete && !d->doomed && !d->ends)
		d->failure_count = 0;
	if (!d->complete && !d->doomed)
		directory_rereads_send(d);
	d->complete = true;
	return true;
}

bool
directory_slice_deliver(struct directory *d)
{
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc = MU_OK;

	d->reported = false;
	d->no_groups = false;
	for (size_t i = 0; i < d->slice_count && rc == MU_OK && !d->doomed; i++)
		rc = item_handle(d, &d->slice[i], &err);
	if (rc == MU_OK && d->reported)
		rc = slice_close(d, &err);
	if (rc != MU_OK) {
		mu_log_err(&err, "directory.slice_refused", "source", d->source->name, NULL);
		directory_lose(d, d->no_groups ? VERDICT_TRUNCATED : VERDICT_NONE,
		    "no group is visible, which was not believed: check the access rules, base "
		    "and filter of groups");
		return false;
	}
	directory_slice_drop(d);
	if ((!d->doomed || d->doom == VERDICT_NONE) && !complete_check(d))
		return false;
	if (d->doomed)
		directory_lose(d, d->doom, mu_buf_text(&d->doom_text));
	return !d->doomed && directory_rest_if_done(d);
}
