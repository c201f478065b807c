#include "directory/reader_priv.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

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

/* The connection ends when this slice has been delivered. The first reason stands. */
static void
doom(struct directory *d, enum verdict verdict, const char *text, const char *detail)
{
	if (d->doomed)
		return;
	d->doomed = true;
	d->doom = verdict;
	mu_buf_reset(&d->doom_text);
	mu_buf_text_add(&d->doom_text, text);
	mu_buf_text_add(&d->doom_text, detail);
}

/* What we resumed from proved worthless: the next connection reads everything. */
static void
distrust(struct directory *d, struct search *s, const char *why)
{
	mu_buf_reset(&s->kept);
	doom(d, VERDICT_TRUNCATED, why, ": everything is read anew");
}

static void
cookie_note(struct search *s, const struct sync_cookie *cookie)
{
	struct mu_buf *b = s->refreshing ? &s->held : &s->next;

	if (s->cookies_muted || !directory_sync_cookie_usable(cookie->bytes, cookie->size_bytes))
		return;
	mu_buf_reset(b);
	mu_buf_add(b, cookie->bytes, cookie->size_bytes);
	if (!s->refreshing)
		s->has_next = true;
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

static enum mu_rc
removed(struct directory *d, enum directory_search search, const struct mu_uuid *entry_uuid,
    struct mu_err *err)
{
	reread_drop(d, reread_find(d, search, entry_uuid));
	return d->events->removed(d->ctx, search, entry_uuid, err);
}

static enum mu_rc
present(struct directory *d, enum directory_search search, const struct mu_uuid *entry_uuid,
    struct mu_err *err)
{
	struct search *s = &d->searches[search];

	s->present_phase = true;
	s->present_named = true;
	s->listed_count++;
	return d->events->present(d->ctx, search, entry_uuid, err);
}

/* An entry that says what it is: usable or not. */
static enum mu_rc
content_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct directory_entry entry;
	bool good = directory_entry_decode(d->source, item->search, d->ld, item->m,
	    &d->scratch, &entry);
	const char *dn = mu_buf_text(&d->scratch.dn);

	d->searches[item->search].listed_count++;
	if (!item->sound)
		return quarantine(d, item->search, NULL, dn, "it has no entryUUID", err);
	if (!good)
		return quarantine(d, item->search, &item->state.entry_uuid, dn,
		    mu_buf_text(&d->scratch.reason), err);
	reread_drop(d, reread_find(d, item->search, &item->state.entry_uuid));
	entry.entry_uuid = item->state.entry_uuid;
	return d->events->entry(d->ctx, item->search, &entry, err);
}

static enum mu_rc
entry_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	enum mu_rc rc;

	if (item->sound && item->state.kind == SYNC_DELETE)
		rc = removed(d, item->search, &item->state.entry_uuid, err);
	else if (item->sound && item->state.kind == SYNC_PRESENT)
		rc = present(d, item->search, &item->state.entry_uuid, err);
	else
		rc = content_handle(d, item, err);
	if (rc == MU_OK && item->sound)
		cookie_note(&d->searches[item->search], &item->state.cookie);
	return rc;
}

static enum mu_rc
id_set_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct sync_info info = item->info;
	struct mu_uuid entry_uuid;
	enum mu_rc rc = MU_OK;

	if (!info.refresh_deletes)
		d->searches[item->search].present_phase = true;
	while (rc == MU_OK && directory_sync_uuid_next(&info, &entry_uuid))
		rc = info.refresh_deletes ? removed(d, item->search, &entry_uuid, err) :
		    present(d, item->search, &entry_uuid, err);
	if (rc == MU_OK)
		cookie_note(&d->searches[item->search], &item->info.cookie);
	return rc;
}

/* The refresh of one search is over: what was it worth? */
static enum mu_rc
refresh_end(struct directory *d, enum directory_search search, bool deletes,
    const struct sync_cookie *cookie, struct mu_err *err)
{
	struct search *s = &d->searches[search];
	enum directory_how how = s->full ? DIRECTORY_FULL_LISTED :
	    s->present_phase || !deletes ? DIRECTORY_PRESENT_LISTED : DIRECTORY_DELTA;
	enum verdict verdict = VERDICT_COMPLETE;
	enum mu_rc rc;

	cookie_note(s, cookie);
	if (how == DIRECTORY_PRESENT_LISTED && !s->present_named) {
		distrust(d, s, "the refresh named nobody as present");
		return MU_OK;
	}
	if (!s->full && s->held.size_bytes == 0 && !s->cookies_muted &&
	    (s->changed || how == DIRECTORY_PRESENT_LISTED)) {
		distrust(d, s, "the server answered our cookie without one of its own");
		return MU_OK;
	}
	if (s->doubtful)
		verdict = VERDICT_TRUNCATED;
	else if (how == DIRECTORY_FULL_LISTED && s->listed_count == 0)
		verdict = VERDICT_EMPTY;
	rc = d->events->refreshed(d->ctx, search, verdict, how, s->listed_count, err);
	if (rc != MU_OK)
		return rc;
	s->refreshing = false;
	/* From a cookie of an empty or doubtful listing on, those missing would never be missed. */
	if (verdict == VERDICT_EMPTY && search == DIRECTORY_PEOPLE) {
		doom(d, VERDICT_EMPTY,
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

static enum mu_rc
info_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct search *s = &d->searches[item->search];

	if (!item->sound) {
		doom(d, directory_failure_verdict(d), "a malformed RFC 4533 message came", "");
		return MU_OK;
	}
	switch (item->info.kind) {
	case SYNC_NEW_COOKIE:
		cookie_note(s, &item->info.cookie);
		return MU_OK;
	case SYNC_ID_SET:
		return id_set_handle(d, item, err);
	case SYNC_REFRESH_PRESENT:
	case SYNC_REFRESH_DELETE:
		if (!s->refreshing)
			break;
		if (item->info.refresh_done)
			return refresh_end(d, item->search, item->info.kind == SYNC_REFRESH_DELETE,
			    &item->info.cookie, err);
		s->present_phase |= item->info.kind == SYNC_REFRESH_PRESENT;
		cookie_note(s, &item->info.cookie);
		break;
	}
	return MU_OK;
}

/* The server ended a search that was to persist, with a good result. */
static enum mu_rc
done_handle(struct directory *d, enum directory_search search, LDAPControl **controls,
    struct mu_err *err)
{
	struct search *s = &d->searches[search];
	LDAPControl *control = ldap_control_find(LDAP_CONTROL_SYNC_DONE, controls, NULL);
	struct sync_done done = { .refresh_deletes = false };
	enum mu_rc rc = MU_OK;

	if (control == NULL || !directory_sync_done_decode(control->ldctl_value.bv_val,
	    control->ldctl_value.bv_len, &done)) {
		doom(d, s->refreshing ? VERDICT_TRUNCATED : VERDICT_NONE,
		    "the search ended without an RFC 4533 result", "");
		return MU_OK;
	}
	if (s->refreshing)
		rc = refresh_end(d, search, done.refresh_deletes, &done.cookie, err);
	else
		cookie_note(s, &done.cookie);
	if (d->due[DIRECTORY_PEOPLE])
		s->msgid = 0;	/* people are still to be read */
	else
		doom(d, VERDICT_NONE, "", "");
	return rc;
}

static void
failed_result_handle(struct directory *d, struct search *s, int result, const char *diagnostic)
{
	MU_AUTO(mu_buf_clear) struct mu_buf text = MU_BUF_INIT;

	directory_ldap_text(NULL, result, diagnostic, &text);
	switch (result) {
	case LDAP_SYNC_REFRESH_REQUIRED:
	case LDAP_X_SYNC_REFRESH_REQUIRED:
		if (s->full)
			doom(d, VERDICT_TRUNCATED,
			    "the server asks for a full read in a full read", "");
		else
			distrust(d, s, "the cookie is too old for the server");
		break;
	case LDAP_UNWILLING_TO_PERFORM:
		if (s->full)
			doom(d, directory_failure_verdict(d), "the search was refused: ",
			    mu_buf_text(&text));
		else
			doom(d, VERDICT_STALE,
			    "the server is older than what it has told us before "
			    "(was it restored from a backup?): ", mu_buf_text(&text));
		break;
	case LDAP_SIZELIMIT_EXCEEDED:
	case LDAP_TIMELIMIT_EXCEEDED:
	case LDAP_ADMINLIMIT_EXCEEDED:
		doom(d, VERDICT_TRUNCATED,
		    "the server's limit cut the read short; lift its limits for our "
		    "bind_dn: ", mu_buf_text(&text));
		break;
	case LDAP_UNAVAILABLE_CRITICAL_EXTENSION:
		doom(d, VERDICT_UNREACHABLE,
		    "the server has no RFC 4533 for this base (slapd: overlay "
		    "syncprov): ", mu_buf_text(&text));
		break;
	default:
		doom(d, directory_failure_verdict(d), "the search was refused: ",
		    mu_buf_text(&text));
		break;
	}
}

static enum mu_rc
result_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct search *s = &d->searches[item->search];
	LDAPControl **controls = NULL;
	char *diagnostic = NULL;
	int result = LDAP_OTHER;
	enum mu_rc rc = MU_OK;

	if (ldap_parse_result(d->ld, item->m, &result, NULL, &diagnostic, NULL, &controls, 0) !=
	    LDAP_SUCCESS)
		doom(d, directory_failure_verdict(d), "a malformed result came", "");
	else if (result == LDAP_SUCCESS)
		rc = done_handle(d, item->search, controls, err);
	else
		failed_result_handle(d, s, result, diagnostic);
	ldap_controls_free(controls);
	ldap_memfree(diagnostic);
	return rc;
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
	d->reported = true;
	if (!s->began) {
		s->began = true;
		if (d->events->began(d->ctx, item->search, s->full, err) != MU_OK)
			return err->rc;
	}
	switch (item->type) {
	case LDAP_RES_SEARCH_ENTRY:
		s->changed = true;
		return entry_handle(d, item, err);
	case LDAP_RES_INTERMEDIATE:
		s->changed |= item->sound && item->info.kind == SYNC_ID_SET;
		return info_handle(d, item, err);
	case LDAP_RES_SEARCH_REFERENCE:	/* part of the base is elsewhere: no listing is whole */
		s->doubtful |= s->refreshing;
		return MU_OK;
	case LDAP_RES_SEARCH_RESULT:
		return result_handle(d, item, err);
	default:
		doom(d, directory_failure_verdict(d), "an unexpected message came", "");
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

/*
 * A search that has been refreshed lets the next begin; when both have, says so. False when the
 * connection ended.
 */
static bool
complete_check(struct directory *d)
{
	bool doubtful = false;

	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		const struct search *s = &d->searches[i];

		if (s->msgid != 0 && s->refreshing)
			return true;
		doubtful |= s->doubtful;
	}
	if (d->due[DIRECTORY_PEOPLE])
		return d->doomed || directory_search_send(d, DIRECTORY_PEOPLE);
	if (d->complete)
		return true;
	d->complete = true;
	if (!d->doomed)
		d->failure_count = 0;
	if (doubtful)
		directory_verdict_report(d, VERDICT_TRUNCATED,
		    "part of what is listed cannot be told apart "
		    "(entries without entryUUID, or references to other servers)");
	else
		directory_verdict_report(d, VERDICT_COMPLETE, "");
	return true;
}

/* Delivers the slice; false when the connection ended with it. */
bool
directory_slice_deliver(struct directory *d)
{
	struct mu_err err = MU_ERR_INIT;
	enum mu_rc rc = MU_OK;

	d->reported = false;
	for (size_t i = 0; i < d->slice_count && rc == MU_OK && !d->doomed; i++)
		rc = item_handle(d, &d->slice[i], &err);
	if (rc == MU_OK && d->reported)
		rc = slice_close(d, &err);
	if (rc != MU_OK) {
		mu_log_err(&err, "directory.slice_refused", "source", d->source->name, NULL);
		directory_lose(d, VERDICT_NONE, "");
		return false;
	}
	directory_slice_drop(d);
	if ((!d->doomed || d->doom == VERDICT_NONE) && !complete_check(d))
		return false;
	if (d->doomed)
		directory_lose(d, d->doom, mu_buf_text(&d->doom_text));
	return !d->doomed;
}
