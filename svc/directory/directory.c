/*
 * directory/directory.c - the reader of RFC 4533: refreshAndPersist, people and groups
 *
 * Messages are first gathered into a slice, then delivered: between the two, a slice that holds
 * deletions waits for a probe (one entry of the same search, asked for after the deletions were
 * read). A server whose access rules were cut reports whatever changes next as deleted; if it shows
 * nobody at all any more, the deletions are not believed.
 */
#include "directory/directory.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "directory/directory_priv.h"
#include "directory/entry_priv.h"
#include "directory/link_priv.h"
#include "directory/sync_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define PROVIDER		"rfc4533-persist"
#define SLICE_MAX_BYTES		(4 * 1024 * 1024)	/* the slice ends behind the message that passes it */
#define REREADS_MAX		256
#define REREADS_AT_ONCE		8

const struct directory_timing directory_timing_usual = {
	.bind_ms = 10000, .again_min_ms = 1000, .again_max_ms = 60000, .silence_ms = 120000,
	.heartbeat_ms = 60000, .answer_ms = 30000, .reread_min_ms = 30000, .reread_max_ms = 3600000,
	.tick_ms = 2000, .nap_us = 300,
};

/* One of the two searches, on the connection of the moment. */
struct search {
	int msgid;			/* 0: not running */
	bool began;			/* and the consumer knows */
	bool full;			/* no cookie was sent */
	bool refreshing;
	bool present_phase, present_named;
	bool changed;			/* the refresh has said anything */
	bool doubtful;			/* the refresh held something that could not be told apart */
	bool cookies_muted;		/* a later cookie would hide what was not taken */
	size_t listed_count;
	struct mu_buf kept;		/* the last cookie whose slice was taken */
	struct mu_buf held;		/* came within a refresh: good only at its end */
	struct mu_buf next;		/* for the end of this slice */
	bool has_next;
	int probe_msgid;		/* 0: none is running */
	bool probe_saw;
};

/* One message of a slice, with what was decoded of it. */
struct item {
	LDAPMessage *m;
	enum directory_search search;
	int type;			/* LDAP_RES_... */
	int reread_msgid;		/* 0 unless it answers a re-read */
	bool sound;			/* the control or value below was well formed */
	LDAPControl **controls;		/* what state points into */
	struct sync_state state;	/* of an entry */
	struct berval *data;		/* what info points into */
	struct sync_info info;		/* of an intermediate message */
};

/* A quarantined entry that is read again. */
struct reread {
	enum directory_search search;
	struct mu_uuid entry_uuid;
	int64_t due_ms, pause_ms;
	int msgid;			/* 0: not asked */
};

struct directory {
	struct mu_loop *loop;
	const struct directory_source *source;
	const struct directory_events *events;
	void *ctx;
	const struct directory_timing *timing;
	struct mu_timer *again_timer, *pump_timer, *tick_timer;
	struct directory_link *link;
	LDAP *ld;			/* of link, once bound */
	char **attributes[DIRECTORY_SEARCH_COUNT];
	struct search searches[DIRECTORY_SEARCH_COUNT];
	struct item slice[DIRECTORY_SLICE_ENTRIES];
	size_t slice_count, slice_bytes;
	bool slice_removes;		/* it must not be delivered before a probe */
	bool holding;			/* that probe is under way */
	bool reported;			/* the consumer was told something that slice_end must close */
	bool complete;			/* both searches have been refreshed on this connection */
	bool doomed;			/* the connection ends with this slice, */
	enum verdict doom;		/* for this reason, VERDICT_NONE: the condition is as it was */
	struct mu_buf doom_text;
	enum verdict verdict;		/* as last reported */
	struct mu_buf verdict_text;
	struct directory_scratch scratch;
	struct reread rereads[REREADS_MAX];
	size_t reread_count;
	unsigned int failure_count;	/* since the last complete refresh */
	int64_t heard_ms, probed_ms;	/* mu_tick_ms */
};

static const struct timeval at_once = { 0, 0 };

static const char *
search_base(const struct directory_source *source, enum directory_search search)
{
	return search == DIRECTORY_PEOPLE ? source->people_base : source->groups_base;
}

static const char *
search_filter(const struct directory_source *source, enum directory_search search)
{
	const char *filter = search == DIRECTORY_PEOPLE ? source->people_filter : source->groups_filter;

	return filter == NULL || filter[0] == '\0' ? "(objectClass=*)" : filter;
}

static bool
search_wanted(const struct directory_source *source, enum directory_search search)
{
	const char *base = search_base(source, search);

	return base != NULL && base[0] != '\0';
}

static bool
some_refreshing(const struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		if (d->searches[i].msgid != 0 && d->searches[i].refreshing)
			return true;
	return false;
}

/* --- Verdicts, and the end of a connection ------------------------------------------------------ */

static void
verdict_report(struct directory *d, enum verdict verdict, const char *text)
{
	if (verdict == d->verdict && mu_text_equal(text, mu_buf_text(&d->verdict_text)))
		return;
	d->verdict = verdict;
	mu_buf_reset(&d->verdict_text);
	mu_buf_text_add(&d->verdict_text, text);
	d->events->verdict(d->ctx, verdict, text);
}

static void
slice_drop(struct directory *d)
{
	for (size_t i = 0; i < d->slice_count; i++) {
		struct item *item = &d->slice[i];

		ldap_controls_free(item->controls);
		ber_bvfree(item->data);
		(void)ldap_msgfree(item->m);
	}
	d->slice_count = 0;
	d->slice_bytes = 0;
	d->slice_removes = false;
	d->holding = false;
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		d->searches[i].has_next = false;
}

/* Ends the connection and sets the time of the next. */
static void
lose(struct directory *d, enum verdict verdict, const char *text)
{
	int64_t pause_ms = d->timing->again_min_ms;
	uint32_t dice;

	slice_drop(d);
	directory_link_close(d->link);
	d->link = NULL;
	d->ld = NULL;
	mu_timer_stop(d->pump_timer);
	mu_timer_stop(d->tick_timer);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		d->searches[i].msgid = 0;
		d->searches[i].probe_msgid = 0;
	}
	for (size_t i = 0; i < d->reread_count; i++)
		d->rereads[i].msgid = 0;
	for (unsigned int i = 0; i < d->failure_count && pause_ms < d->timing->again_max_ms; i++)
		pause_ms *= 2;
	if (pause_ms > d->timing->again_max_ms)
		pause_ms = d->timing->again_max_ms;
	d->failure_count++;
	mu_random(&dice, sizeof(dice));
	mu_timer_set(d->again_timer, pause_ms / 2 + (int64_t)dice % (pause_ms / 2 + 1));
	if (verdict != VERDICT_NONE)
		verdict_report(d, verdict, text);
}

/* What a failure means: cut short if a refresh had begun to list, else there was nothing to read. */
static enum verdict
failure_verdict(const struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		if (d->searches[i].msgid != 0 && d->searches[i].refreshing && d->searches[i].changed)
			return VERDICT_TRUNCATED;
	return VERDICT_UNREACHABLE;
}

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

/* --- Quarantined entries are read again ---------------------------------------------------------- */

static struct reread *
reread_find(struct directory *d, enum directory_search search, const struct mu_uuid *entry_uuid)
{
	for (size_t i = 0; i < d->reread_count; i++)
		if (d->rereads[i].search == search && mu_uuid_equal(&d->rereads[i].entry_uuid, entry_uuid))
			return &d->rereads[i];
	return NULL;
}

static void
reread_drop(struct directory *d, struct reread *r)
{
	if (r != NULL)
		*r = d->rereads[--d->reread_count];
}

/* What was asked for before is older than what is known now: msgid 0 makes its answer be ignored. */
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

static void
reread_send(struct directory *d, struct reread *r)
{
	MU_AUTO(mu_buf_clear) struct mu_buf filter = MU_BUF_INIT;
	char text[MU_UUID_TEXT_BYTES];

	mu_buf_format(&filter, "(&%s(entryUUID=%s))", search_filter(d->source, r->search),
	    mu_uuid_format(&r->entry_uuid, text));
	if (ldap_search_ext(d->ld, search_base(d->source, r->search), LDAP_SCOPE_SUBTREE,
	    mu_buf_text(&filter), d->attributes[r->search], 0, NULL, NULL, NULL, 1, &r->msgid) !=
	    LDAP_SUCCESS)
		r->msgid = 0;
	r->pause_ms = 2 * r->pause_ms < d->timing->reread_max_ms ? 2 * r->pause_ms :
	    d->timing->reread_max_ms;
	r->due_ms = mu_tick_ms() + r->pause_ms;
}

static void
rereads_send(struct directory *d)
{
	int64_t now = mu_tick_ms();
	size_t asked = 0;

	for (size_t i = 0; i < d->reread_count && asked < REREADS_AT_ONCE; i++) {
		if (d->rereads[i].due_ms > now)
			continue;
		reread_send(d, &d->rereads[i]);
		asked++;
	}
}

/* --- Delivering: from messages to events ----------------------------------------------------------- */

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

static enum mu_rc
entry_handle(struct directory *d, struct item *item, struct mu_err *err)
{
	struct search *s = &d->searches[item->search];
	const struct mu_uuid *entry_uuid = item->sound ? &item->state.entry_uuid : NULL;
	struct directory_entry entry;
	enum mu_rc rc;

	if (item->sound && item->state.kind == SYNC_DELETE)
		rc = removed(d, item->search, entry_uuid, err);
	else if (item->sound && item->state.kind == SYNC_PRESENT)
		rc = present(d, item->search, entry_uuid, err);
	else {
		bool good = directory_entry_decode(d->source, item->search, d->ld, item->m, &d->scratch,
		    &entry);

		s->listed_count++;
		if (!item->sound) {
			rc = quarantine(d, item->search, NULL, mu_buf_text(&d->scratch.dn),
			    "it has no entryUUID", err);
		} else if (!good) {
			rc = quarantine(d, item->search, entry_uuid, mu_buf_text(&d->scratch.dn),
			    mu_buf_text(&d->scratch.reason), err);
		} else {
			reread_drop(d, reread_find(d, item->search, entry_uuid));
			entry.entry_uuid = *entry_uuid;
			rc = d->events->entry(d->ctx, item->search, &entry, err);
		}
	}
	if (rc == MU_OK && item->sound)
		cookie_note(s, &item->state.cookie);
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
		doom(d, VERDICT_EMPTY, "nobody is visible: check the access rules, base and filter of ",
		    search_base(d->source, search));
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
		doom(d, failure_verdict(d), "a malformed RFC 4533 message came", "");
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
			doom(d, VERDICT_TRUNCATED, "the server asks for a full read in a full read", "");
		else
			distrust(d, s, "the cookie is too old for the server");
		break;
	case LDAP_UNWILLING_TO_PERFORM:
		if (s->full)
			doom(d, failure_verdict(d), "the search was refused: ", mu_buf_text(&text));
		else
			doom(d, VERDICT_STALE, "the server is older than what it has told us before "
			    "(was it restored from a backup?): ", mu_buf_text(&text));
		break;
	case LDAP_SIZELIMIT_EXCEEDED:
	case LDAP_TIMELIMIT_EXCEEDED:
	case LDAP_ADMINLIMIT_EXCEEDED:
		doom(d, VERDICT_TRUNCATED, "the server's limit cut the read short; lift its limits for our "
		    "bind_dn: ", mu_buf_text(&text));
		break;
	case LDAP_UNAVAILABLE_CRITICAL_EXTENSION:
		doom(d, VERDICT_UNREACHABLE, "the server has no RFC 4533 for this base (slapd: overlay "
		    "syncprov): ", mu_buf_text(&text));
		break;
	default:
		doom(d, failure_verdict(d), "the search was refused: ", mu_buf_text(&text));
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
		doom(d, failure_verdict(d), "a malformed result came", "");
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
			item->search = r->search;
			reread_drop(d, r);
			d->reported = true;
			return d->events->entry(d->ctx, item->search, &entry, err);
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
		doom(d, failure_verdict(d), "an unexpected message came", "");
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
	return MU_OK;
}

/* Says so, once both searches have been refreshed on this connection. */
static void
complete_check(struct directory *d)
{
	bool doubtful = false;

	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		const struct search *s = &d->searches[i];

		if (s->msgid != 0 && s->refreshing)
			return;
		doubtful |= s->msgid != 0 && s->doubtful;
	}
	if (d->complete)
		return;
	d->complete = true;
	if (!d->doomed)
		d->failure_count = 0;
	if (doubtful)
		verdict_report(d, VERDICT_TRUNCATED, "part of what is listed cannot be told apart "
		    "(entries without entryUUID, or references to other servers)");
	else
		verdict_report(d, VERDICT_COMPLETE, "");
}

/* Delivers the slice; false when the connection ended with it. */
static bool
slice_deliver(struct directory *d)
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
		lose(d, VERDICT_NONE, "");
		return false;
	}
	slice_drop(d);
	if (!d->doomed || d->doom == VERDICT_NONE)
		complete_check(d);
	if (d->doomed)
		lose(d, d->doom, mu_buf_text(&d->doom_text));
	return !d->doomed;
}

/* --- Probing: does the source still show anybody to us? --------------------------------------------- */

/* Asks for one entry of a search, whichever; false when the connection ended. */
static bool
probe_send(struct directory *d, enum directory_search search)
{
	struct search *s = &d->searches[search];
	char none[] = LDAP_NO_ATTRS, *attributes[] = { none, NULL };

	if (s->probe_msgid != 0)
		(void)ldap_abandon_ext(d->ld, s->probe_msgid, NULL, NULL);
	s->probe_saw = false;
	d->probed_ms = mu_tick_ms();
	if (ldap_search_ext(d->ld, search_base(d->source, search), LDAP_SCOPE_SUBTREE,
	    search_filter(d->source, search), attributes, 0, NULL, NULL, NULL, 1, &s->probe_msgid) ==
	    LDAP_SUCCESS)
		return true;
	s->probe_msgid = 0;
	lose(d, failure_verdict(d), "the connection was lost");
	return false;
}

static bool
item_removes(const struct item *item)
{
	if (!item->sound)
		return false;
	if (item->type == LDAP_RES_SEARCH_ENTRY)
		return item->state.kind == SYNC_DELETE;
	return item->info.kind == SYNC_ID_SET && item->info.refresh_deletes;
}

/* Probes the searches whose deletions the slice reports. */
static void
slice_hold(struct directory *d)
{
	bool removes[DIRECTORY_SEARCH_COUNT] = { false, false };

	for (size_t i = 0; i < d->slice_count; i++)
		removes[d->slice[i].search] |= item_removes(&d->slice[i]);
	d->holding = true;
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		if (removes[i] && !probe_send(d, (enum directory_search)i))
			return;
}

/* A message that answers a probe. */
static void
probe_answer(struct search *s, LDAPMessage *m)
{
	if (ldap_msgtype(m) == LDAP_RES_SEARCH_ENTRY)
		s->probe_saw = true;
	else if (ldap_msgtype(m) == LDAP_RES_SEARCH_RESULT)
		s->probe_msgid = 0;
}

/* A probe has ended: false when it saw nobody, and the connection ended. */
static bool
probe_believed(struct directory *d, enum directory_search search)
{
	struct search *s = &d->searches[search];

	if (s->probe_saw)
		return true;
	mu_buf_reset(&s->kept);
	if (search == DIRECTORY_PEOPLE)
		lose(d, VERDICT_EMPTY, "nobody is visible any more: check the access rules and the filter; "
		    "deletions that came with it are not believed");
	else
		lose(d, VERDICT_TRUNCATED, "no group is visible any more: deletions of groups are not "
		    "believed, and everything is read anew");
	return false;
}

/* --- Reading ------------------------------------------------------------------------------------------ */

static void
item_decode(struct directory *d, struct item *item)
{
	char *oid = NULL;

	if (item->type == LDAP_RES_SEARCH_ENTRY && item->reread_msgid == 0) {
		LDAPControl *control = NULL;

		if (ldap_get_entry_controls(d->ld, item->m, &item->controls) == LDAP_SUCCESS)
			control = ldap_control_find(LDAP_CONTROL_SYNC_STATE, item->controls, NULL);
		item->sound = control != NULL && directory_sync_state_decode(control->ldctl_value.bv_val,
		    control->ldctl_value.bv_len, &item->state);
	} else if (item->type == LDAP_RES_INTERMEDIATE) {
		if (ldap_parse_intermediate(d->ld, item->m, &oid, &item->data, NULL, 0) == LDAP_SUCCESS &&
		    mu_text_equal(oid, LDAP_SYNC_INFO) && item->data != NULL)
			item->sound = directory_sync_info_decode(item->data->bv_val, item->data->bv_len,
			    &item->info);
		ldap_memfree(oid);
	}
	d->slice_removes |= item_removes(item);
}

/* How large an entry is, its DN aside. */
static size_t
entry_bytes(struct directory *d, LDAPMessage *m)
{
	BerElement *ber = NULL;
	struct berval dn;
	ber_len_t bytes = 0;

	if (ldap_get_dn_ber(d->ld, m, &ber, &dn) != LDAP_SUCCESS)
		return 0;
	if (ber_get_option(ber, LBER_OPT_BER_REMAINING_BYTES, &bytes) != LBER_OPT_SUCCESS)
		bytes = 0;
	ber_free(ber, 0);
	return bytes;
}

/* Puts a message into the slice, or answers it on the spot; false when the connection ended. */
static bool
message_take(struct directory *d, LDAPMessage *m)
{
	struct item *item = &d->slice[d->slice_count];
	int msgid = ldap_msgid(m);

	*item = (struct item){ .m = m, .type = ldap_msgtype(m) };
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT && msgid > 0; i++) {
		struct search *s = &d->searches[i];

		item->search = (enum directory_search)i;
		if (s->msgid == msgid)
			goto keep;
		if (s->probe_msgid == msgid) {
			probe_answer(s, m);
			(void)ldap_msgfree(m);
			return s->probe_msgid != 0 || probe_believed(d, item->search);
		}
	}
	for (size_t i = 0; i < d->reread_count && msgid > 0; i++)
		if (d->rereads[i].msgid == msgid) {
			item->search = d->rereads[i].search;
			item->reread_msgid = msgid;
			goto keep;
		}
	(void)ldap_msgfree(m);	/* of a re-read that no longer matters, or a notice of disconnection */
	return true;
keep:
	if (item->type == LDAP_RES_SEARCH_ENTRY)
		d->slice_bytes += entry_bytes(d, m);
	item_decode(d, item);
	d->slice_count++;
	return true;
}

enum filling { FILLED, DRAINED, LOST, ENDED };

/* Reads until the slice is full or nothing is there. */
static enum filling
slice_fill(struct directory *d)
{
	while (d->slice_count < DIRECTORY_SLICE_ENTRIES && d->slice_bytes < SLICE_MAX_BYTES) {
		struct timeval now = at_once;
		LDAPMessage *m = NULL;
		int rc = ldap_result(d->ld, LDAP_RES_ANY, LDAP_MSG_ONE, &now, &m);

		if (rc == 0)
			return DRAINED;
		if (rc < 0)
			return LOST;
		d->heard_ms = mu_tick_ms();
		if (!message_take(d, m))
			return ENDED;
	}
	return FILLED;
}

/* Waits for the probes of a held slice, and leaves all else in libldap; true when they have answered. */
static bool
probes_wait(struct directory *d)
{
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		struct search *s = &d->searches[i];
		bool running = s->probe_msgid != 0;

		while (s->probe_msgid != 0) {
			struct timeval now = at_once;
			LDAPMessage *m = NULL;
			int rc = ldap_result(d->ld, s->probe_msgid, LDAP_MSG_ONE, &now, &m);

			if (rc == 0)
				return false;
			if (rc < 0) {
				lose(d, failure_verdict(d), "the connection was lost");
				return false;
			}
			d->heard_ms = mu_tick_ms();
			probe_answer(s, m);
			(void)ldap_msgfree(m);
		}
		if (running && !probe_believed(d, (enum directory_search)i))
			return false;
	}
	d->holding = false;
	return true;
}

/*
 * A reader that is always waiting costs slapd a wake-up and a packet with every entry; one that naps
 * between its reads gets 1.5 times the entries a second, for less of both sides' time. Far shorter
 * than what a timer of the loop can do, and only within a refresh.
 */
static void
nap(const struct directory *d)
{
	struct timespec nap_time = { 0, 1000 * d->timing->nap_us };

	(void)nanosleep(&nap_time, NULL);
}

/* One slice: as much as is there and fits. Called when there is something, or may be. */
static void
pump(void *ctx)
{
	struct directory *d = ctx;
	enum filling filling = FILLED;	/* what libldap holds back during a probe makes no descriptor ready */
	bool some;

	if (d->ld == NULL)
		return;
	if (d->holding) {
		if (!probes_wait(d))
			return;
	} else {
		filling = slice_fill(d);
		if (filling == ENDED)
			return;
		if (filling == LOST)
			directory_link_lost(d->link);
		if (d->slice_removes && filling != LOST) {
			slice_hold(d);
			return;
		}
		/* Deletions that can no longer be probed are left out, with all that came with them. */
		if (d->slice_removes)
			slice_drop(d);
	}
	some = d->slice_count > 0;
	if (some && !slice_deliver(d))
		return;
	if (filling == LOST) {
		lose(d, failure_verdict(d), "the connection was lost");
		return;
	}
	if (filling == DRAINED && some && some_refreshing(d))
		nap(d);
	if (filling == FILLED || (some && some_refreshing(d)))
		mu_timer_set(d->pump_timer, 0);
}

/* Looks at the clock: silence, heartbeats, re-reads. */
static void
tick(void *ctx)
{
	struct directory *d = ctx;
	int64_t now = mu_tick_ms();
	bool probing = false;

	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++)
		probing |= d->searches[i].probe_msgid != 0;
	if (probing && now - d->probed_ms > d->timing->answer_ms) {
		lose(d, failure_verdict(d), "the server no longer answers");
		return;
	}
	if (some_refreshing(d) && !d->holding && now - d->heard_ms > d->timing->silence_ms) {
		lose(d, failure_verdict(d), "the refresh stands still");
		return;
	}
	if (!some_refreshing(d) && !probing && now - d->heard_ms > d->timing->heartbeat_ms)
		probe_send(d, DIRECTORY_PEOPLE);
	if (!d->holding)
		rereads_send(d);
	mu_timer_set(d->tick_timer, d->timing->tick_ms);
}

/* --- Connecting ------------------------------------------------------------------------------------------ */

static int
search_send(struct directory *d, enum directory_search search)
{
	struct search *s = &d->searches[search];
	MU_AUTO(mu_buf_clear) struct mu_buf value = MU_BUF_INIT;
	struct berval bytes;
	LDAPControl *controls[2] = { NULL, NULL };
	int rc;

	*s = (struct search){ .kept = s->kept, .held = s->held, .next = s->next, .refreshing = true,
	    .full = s->kept.size_bytes == 0 };
	mu_buf_reset(&s->held);
	for (size_t i = d->reread_count; i-- > 0 && s->full;)	/* those still bad will be listed again */
		if (d->rereads[i].search == search)
			reread_drop(d, &d->rereads[i]);
	directory_sync_request(&value, &s->kept, !s->full);
	bytes = (struct berval){ value.size_bytes, value.data };
	rc = ldap_control_create(LDAP_CONTROL_SYNC, 1, &bytes, 1, &controls[0]);
	if (rc == LDAP_SUCCESS)
		rc = ldap_search_ext(d->ld, search_base(d->source, search), LDAP_SCOPE_SUBTREE,
		    search_filter(d->source, search), d->attributes[search], 0, controls, NULL, NULL,
		    LDAP_NO_LIMIT, &s->msgid);
	ldap_control_free(controls[0]);
	if (rc != LDAP_SUCCESS)
		s->msgid = 0;
	return rc;
}

static void
linked(void *ctx, enum link_outcome outcome, const char *text)
{
	struct directory *d = ctx;

	if (outcome != LINK_BOUND) {
		lose(d, VERDICT_UNREACHABLE, text);
		return;
	}
	d->ld = directory_link_ldap(d->link);
	d->doomed = false;
	d->complete = false;
	d->heard_ms = mu_tick_ms();
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		enum directory_search search = (enum directory_search)i;
		MU_AUTO(mu_buf_clear) struct mu_buf why = MU_BUF_INIT;
		int rc;

		if (!search_wanted(d->source, search))
			continue;
		rc = search_send(d, search);
		if (rc == LDAP_SUCCESS)
			continue;
		mu_buf_format(&why, "search for %s: ", search == DIRECTORY_PEOPLE ? "people" : "groups");
		directory_ldap_text(d->ld, rc, NULL, &why);
		lose(d, VERDICT_UNREACHABLE, mu_buf_text(&why));
		return;
	}
	mu_timer_set(d->tick_timer, d->timing->tick_ms);
}

static void
connect_again(void *ctx)
{
	struct directory *d = ctx;
	const char *dn = d->source->bind_dn == NULL ? "" : d->source->bind_dn;

	d->link = directory_link_open(d->loop, d->source, dn, d->source->bind_password,
	    d->timing->bind_ms, linked, pump, d);
}

/* --- The face ------------------------------------------------------------------------------------------------ */

static void
shape_part(struct mu_buf *b, const char *text)
{
	const char *given = text == NULL ? "" : text;

	mu_buf_format(b, "%zu:%s", strlen(given), given);
}

void
directory_shape(const struct directory_source *source, enum directory_search search, struct mu_buf *b)
{
	shape_part(b, PROVIDER);
	shape_part(b, search == DIRECTORY_PEOPLE ? "people" : "groups");
	shape_part(b, search_base(source, search));
	shape_part(b, "subtree");
	shape_part(b, search_filter(source, search));
	if (search == DIRECTORY_GROUPS) {
		shape_part(b, source->group_name);
		shape_part(b, source->group_member);
		return;
	}
	for (size_t i = 0; i < source->map_count; i++) {
		shape_part(b, source->map[i].name);
		shape_part(b, source->map[i].attribute);
		shape_part(b, source->map[i].required ? "required" : "optional");
	}
}

static bool
text_missing(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static enum mu_rc
source_check(const struct directory_source *source, struct mu_err *err)
{
	if (directory_link_prepare(source, err) != MU_OK)
		return err->rc;
	if (text_missing(source->bind_dn) && strncasecmp(source->uri, "ldapi://", 8) != 0)
		return mu_fail(err, MU_ECONFIG, "source %s: bind_dn is missing", source->name);
	if (!text_missing(source->bind_dn) &&
	    (source->bind_password == NULL || source->bind_password->size_bytes == 0))
		return mu_fail(err, MU_ECONFIG, "source %s: the bind password is empty", source->name);
	if (!search_wanted(source, DIRECTORY_PEOPLE))
		return mu_fail(err, MU_ECONFIG, "source %s: the people's base is missing", source->name);
	if (search_wanted(source, DIRECTORY_GROUPS) &&
	    (text_missing(source->group_name) || text_missing(source->group_member)))
		return mu_fail(err, MU_ECONFIG, "source %s: groups need name and member", source->name);
	for (size_t i = 0; i < source->map_count; i++)
		if (text_missing(source->map[i].name) || text_missing(source->map[i].attribute))
			return mu_fail(err, MU_ECONFIG, "source %s: the map has an empty name", source->name);
	return MU_OK;
}

enum mu_rc
directory_open(struct mu_loop *loop, const struct directory_source *source,
    const struct directory_resume *resume, const struct directory_events *events, void *ctx,
    struct directory **out_directory, struct mu_err *err)
{
	struct directory *d;

	if (source_check(source, err) != MU_OK)
		return err->rc;
	d = mu_alloc_zero(1, sizeof(*d));
	d->loop = loop;
	d->source = source;
	d->events = events;
	d->ctx = ctx;
	d->timing = &directory_timing_usual;
	d->again_timer = mu_loop_timer(loop, connect_again, d);
	d->pump_timer = mu_loop_timer(loop, pump, d);
	d->tick_timer = mu_loop_timer(loop, tick, d);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		if (search_wanted(source, (enum directory_search)i))
			d->attributes[i] = directory_entry_attributes(source, (enum directory_search)i);
		if (resume != NULL && directory_sync_cookie_usable(resume->cookies[i].bytes,
		    resume->cookies[i].size_bytes))
			mu_buf_add(&d->searches[i].kept, resume->cookies[i].bytes,
			    resume->cookies[i].size_bytes);
	}
	mu_timer_set(d->again_timer, 0);
	*out_directory = d;
	return MU_OK;
}

void
directory_close(struct directory *d)
{
	if (d == NULL)
		return;
	slice_drop(d);
	directory_link_close(d->link);
	mu_timer_free(d->again_timer);
	mu_timer_free(d->pump_timer);
	mu_timer_free(d->tick_timer);
	for (size_t i = 0; i < DIRECTORY_SEARCH_COUNT; i++) {
		mu_buf_clear(&d->searches[i].kept);
		mu_buf_clear(&d->searches[i].held);
		mu_buf_clear(&d->searches[i].next);
		mu_free(d->attributes[i]);
	}
	directory_scratch_clear(&d->scratch);
	mu_buf_clear(&d->doom_text);
	mu_buf_clear(&d->verdict_text);
	mu_free(d);
}

void
directory_timing_set(struct directory *d, const struct directory_timing *timing)
{
	d->timing = timing;
}
